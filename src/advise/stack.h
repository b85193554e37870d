/*
 * stack.h - where the threads of a native program are: kept as numbers, named at the end.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_ADVISE_STACK_H
#define URD_ADVISE_STACK_H

#include "advise/advise.h"
#include "advise/proc.h"

enum { STACK_KEPT_BYTES = 2048 };

/* A thread's stack as it waited: from its stack pointer upwards. */
typedef struct urd__stack_kept {
    const urd__process *process;
    uint64_t key, pc, sp;
    size_t bytes;
    unsigned char memory[STACK_KEPT_BYTES];
    char name[PLACE_BYTES]; /* of the function; "" until it is named, and for none */
} urd__stack_kept;

/* What is kept of one that is in a system call: its number, from 1 on; 0: nothing; -1: nothing yet,
 * since where its files lie may not be read again so soon. */
int urd__stack_keep(urd__watched *w, const urd__thread *thread, const urd__call *call);
urd__stack_kept *urd__stack_of(const urd__watched *w, int number);

/* A thread ran at an address; 0: in the kernel. */
typedef struct urd__ran {
    int thread; /* index */
    uint64_t pc;
} urd__ran;
void urd__stack_ran(urd__watched *w, int thread, uint64_t pc);
urd__ran *urd__stack_runs(const urd__watched *w, int *count);

/* What /proc/PID/maps said of a process; NULL: it was not read. */
const char *urd__stack_maps(const urd__process *process);

void urd__stacks_free(urd__watched *w);

/* name.c: put the functions' names into the places of threads and locks. */
void urd__name_places(urd__watched *w);

#endif
