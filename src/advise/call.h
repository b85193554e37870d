/*
 * call.h - what a thread that is blocked in a system call waits for.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_ADVISE_CALL_H
#define URD_ADVISE_CALL_H

#include "advise/advise.h"
#include "advise/proc.h"

/* What an event loop's descriptors are, by kind. */
typedef struct urd__interest {
    int count[FD_CHILD + 1];
} urd__interest;

typedef struct urd__wait {
    urd__state state;
    int64_t deadline;  /* when it ends by itself; 0: never, or not known */
    uint64_t futex;    /* address; 0: none */
    bool shared;       /* a futex that also others than this process may use */
    uint32_t expected; /* what the futex word was */
    const char *call;  /* its name */
    char object[48];   /* of the file, or "" */
    bool loop;         /* it is the wait of an event loop */
    bool listening;    /* for clients */
    int watching;      /* things that an event loop waits for */
} urd__wait;

void urd__call_wait(urd__process *process, const urd__call *call, int64_t now, urd__wait *out);

/* The state of a wait for any of these.  timed: it ends by itself too. */
urd__state urd__call_interest(const urd__interest *interest, bool timed);

/* The name of a system call, or NULL. */
const char *urd__call_name(long number);

#endif
