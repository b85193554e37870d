/*
 * pass.h - two threads pass the turn to one another and back: the floors of every message.
 *
 * SPDX-License-Identifier: MIT
 *
 * One pair spins, which costs two cache misses a round trip; the other sleeps in the kernel, which
 * costs two wakes.
 */
#ifndef PASS_H
#define PASS_H

#include <linux/futex.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef struct pass {
    int turn;
    bool sleeping;
    long times;
} pass;

static inline void pass_wait(pass *p, int turn)
{
    for (int now; (now = __atomic_load_n(&p->turn, __ATOMIC_ACQUIRE)) != turn;)
        if (p->sleeping)
            syscall(SYS_futex, &p->turn, FUTEX_WAIT_PRIVATE, now, NULL, NULL, 0);
}

static inline void pass_on(pass *p, int turn)
{
    __atomic_store_n(&p->turn, turn, __ATOMIC_RELEASE);
    if (p->sleeping)
        syscall(SYS_futex, &p->turn, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static inline void *pass_answer(void *arg)
{
    pass *p = arg;
    for (long i = 0; i < p->times; i++) {
        pass_wait(p, 1);
        pass_on(p, 0);
    }
    return NULL;
}

/* So many round trips between this thread and another. */
static inline void pass_turns(bool sleeping, long times)
{
    pass p = {.sleeping = sleeping, .times = times};
    pthread_t thread;
    if (pthread_create(&thread, NULL, pass_answer, &p) != 0)
        abort();
    for (long i = 0; i < times; i++) {
        pass_on(&p, 1);
        pass_wait(&p, 0);
    }
    pthread_join(thread, NULL);
}

#endif
