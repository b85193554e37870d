/*
 * dw.h - libdw (elfutils): names, lines and stacks of a process, where it is installed.
 *
 * SPDX-License-Identifier: MIT
 *
 * Loaded when the first report is made.  One thread at a time may use one Dwfl; calls take some
 * 250 KB of stack, which no task has.
 */
#ifndef URD_CORE_DW_H
#define URD_CORE_DW_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/symbol.h"

struct Dwfl;

/* NULL: there is no libdw, or that process cannot be seen. */
struct Dwfl *urd__dw_open(pid_t pid);
/* The same for a process that has ended, from what its /proc/PID/maps said. */
struct Dwfl *urd__dw_open_maps(const char *maps);
void urd__dw_close(struct Dwfl *dwfl); /* the names that were found go with it; NULL: nothing */

/* Fill in what is known. */
void urd__dw_look_up(struct Dwfl *dwfl, urd__symbol *symbol, uint64_t address);

/* A stack to walk: registers by their numbers in DWARF, and how to read its memory. */
enum { URD__DW_REGISTERS = 33 };
typedef struct urd__dw_stack {
    uint64_t registers[URD__DW_REGISTERS];
    uint64_t pc;
    bool (*read)(void *arg, uint64_t address, uint64_t *out);
    void *arg;
} urd__dw_stack;

/* The addresses of its frames, innermost first, into pcs; returns how many. */
int urd__dw_unwind(struct Dwfl *dwfl, urd__dw_stack *stack, uint64_t *pcs, int max);

#endif
