/*
 * word.h - wait for a word in memory that processes share.
 *
 * SPDX-License-Identifier: MIT
 *
 * What waits in several processes for one object has no common wait queue: a queue that a process
 * was killed in would have to be repaired.  They wait in the kernel's, for a word of the object.
 * Whoever changes the word wakes as many as can go on; all others look again and sleep again.
 *
 * An object that wakes one waiter at a time must expect that it does not make use of it, since it
 * is killed or cancelled.  For the first the end of any process wakes all; for the second, whoever
 * leaves without what it waited for passes the wake on.
 */
#ifndef URD_CORE_WORD_H
#define URD_CORE_WORD_H

#include "core/wait.h"

typedef struct urd__word {
    const int *word; /* in memory that processes share, or not: then its waiters are of one */
    int value;       /* it is this, as long as there is a reason to wait */
    int deaths;      /* what urd__peers_deaths() was before the caller looked who lives */
    const void *on;  /* the object, for reports */
} urd__word;

/*
 * Sleep until the word is another, is woken, or a process of the program has ended; maybe without
 * any of these.  A cancel of `within`, which was entered, ends it; NULL: none does.  0, or
 * -ECANCELED: the caller may have been woken nevertheless.
 */
int urd__word_wait(urd__task *self, const urd__word *w, urd_scope *within);

/* By a thread that waits so: sleep once.  False: it is over. */
bool urd__word_sleep(const urd__task *self, int64_t until);

/* After the word was changed: wake up to n. */
static inline void urd__word_wake(const int *word, int n)
{
    urd__os_futex_wake_shared(word, n);
}

/* No job is left: end the thread that listens for tasks; and there may be jobs again. */
void urd__word_close(void);
void urd__word_open(void);

#endif
