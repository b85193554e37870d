/*
 * explore.h - write a model: threads that the explorer runs in every order; see explore.c.
 *
 * SPDX-License-Identifier: MIT
 *
 *     const struct explore_model explore_models[] = {
 *         {.name = "one_winner", .setup = setup, .threads = {waker, canceller}, .finish = finish},
 *         {.name = NULL},
 *     };
 *
 * main() is in explore.c.  A model file includes the source it checks (#include "core/park.c") and
 * is compiled with -DURD_MODEL, so that base/atomic.h takes its operations from the explorer.
 */
#ifndef EXPLORE_H
#define EXPLORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { EXPLORE_THREADS_MAX = 5 };

typedef enum explore_memory {
    EXPLORE_C11, /* what the order in the name promises and no more; the default */
    EXPLORE_TSO, /* stores acquire and release, read-modify-write is a fence: as on x86-64 */
    EXPLORE_SC   /* interleaving alone */
} explore_memory;

struct explore_model {
    const char *name;    /* a sentence */
    void (*setup)(void); /* before each schedule: put all memory of the model in order */
    void (*threads[EXPLORE_THREADS_MAX])(void);
    const char *thread_names[EXPLORE_THREADS_MAX]; /* in reports; NULL: "thread N" */
    void (*finish)(void); /* after each schedule, when all threads have ended: last checks */
    const char *expect;   /* NULL: no schedule may fail; else part of the failure's message */
    unsigned may_wait;    /* bit i: thread i may still wait at the end */
    explore_memory memory;
    bool all;             /* no reduction: every schedule, also those that come to the same */
    int stale_reads;      /* so often may a thread read old versions of one cell; 0: 3 */
    long random;          /* not 0: so many schedules drawn at random instead of all */
    long schedules_max;   /* 0: EXPLORE_SCHEDULES_MAX */
    bool (*custom)(void); /* instead of threads: a check of its own; true is passed */
};

enum { EXPLORE_SCHEDULES_MAX = 2000000 };

/* Of the file that holds the models; ends with a NULL name. */
extern const struct explore_model explore_models[];

struct explore_result {
    bool failed;
    char message[512];
    long schedules; /* run to the end */
    long cut;       /* given up, because they came to the same as others */
    int steps_max;  /* of the longest schedule */
};

/* Visit every schedule, or all until one fails. */
void explore(const struct explore_model *model, struct explore_result *result);

/* ---- Called by the threads of a model ------------------------------------------------------ */

struct explore_site {
    const char *op, *what, *file;
    int line;
};

#define EXPLORE_SITE(op, what)                                                                     \
    __extension__({                                                                                \
        static const struct explore_site site_ = {op, what, __FILE__, __LINE__};                   \
        &site_;                                                                                    \
    })

/* The schedule fails, and is printed. */
#define explore_assert(condition)                                                                  \
    ((condition) ? (void)0 : explore_fail("%s:%d: is false: %s", __FILE__, __LINE__, #condition))
__attribute__((noreturn, format(printf, 1, 2))) void explore_fail(const char *format, ...);

/* End this schedule without a verdict: a loop has gone round often enough. */
__attribute__((noreturn)) void explore_give_up(void);

int explore_self(void); /* index of the thread that runs; -1 in setup and finish */

/* Any of 0 .. n - 1: the schedules that follow each are all visited. */
#define explore_choose(n) explore_choose_at(EXPLORE_SITE("choose", #n), (n))
int explore_choose_at(const struct explore_site *site, int n);

/*
 * A futex.  wait: -EAGAIN when *word is not `expected`, else 0 once woken.  The timed one may also
 * return -ETIMEDOUT, at any moment.  wake: at most n, in the order in which they came; how many.
 */
#define explore_futex_wait(word, expected)                                                         \
    explore_futex_wait_at(EXPLORE_SITE("futex_wait", #word), (word), (expected), false)
#define explore_futex_wait_timed(word, expected)                                                   \
    explore_futex_wait_at(EXPLORE_SITE("futex_wait_timed", #word), (word), (expected), true)
#define explore_futex_wake(word, n)                                                                \
    explore_futex_wake_at(EXPLORE_SITE("futex_wake", #word), (word), (n))
int explore_futex_wait_at(const struct explore_site *site, int *word, int expected, bool timed);
int explore_futex_wake_at(const struct explore_site *site, int *word, int n);

/* A lock in one step: cheaper to explore than the spinning one of base/lock.h. */
#define explore_lock(lock) explore_lock_at(EXPLORE_SITE("lock", #lock), (lock))
#define explore_trylock(lock) explore_trylock_at(EXPLORE_SITE("trylock", #lock), (lock))
#define explore_unlock(lock) explore_unlock_at(EXPLORE_SITE("unlock", #lock), (lock))
void explore_lock_at(const struct explore_site *site, int *lock);
bool explore_trylock_at(const struct explore_site *site, int *lock);
void explore_unlock_at(const struct explore_site *site, int *lock);

/* In a loop that waits: goes on once something that was read in this round has changed. */
#define explore_yield() explore_yield_at(EXPLORE_SITE("yield", ""))
void explore_yield_at(const struct explore_site *site);

/* Zeroed memory that ends with the schedule; touching what was freed fails it. */
void *explore_alloc(size_t bytes);
void explore_free(void *p);

/* Add to a counter of the model, no step of its own; only for what finish() looks at. */
int explore_ghost_add(int *counter, int n);

/* ---- Called by model_atomic.h -------------------------------------------------------------- */

typedef enum explore_order {
    EXPLORE_RLX = 0,
    EXPLORE_ACQ = 1,
    EXPLORE_REL = 2,
    EXPLORE_AR = 3,
    EXPLORE_SEQ = 7
} explore_order;

typedef enum explore_rmw {
    EXPLORE_XCHG,
    EXPLORE_ADD,
    EXPLORE_SUB,
    EXPLORE_OR,
    EXPLORE_AND
} explore_rmw;

uint64_t explore_load_at(const struct explore_site *site, const void *p, size_t size,
                         explore_order order);
void explore_store_at(const struct explore_site *site, void *p, size_t size, uint64_t value,
                      explore_order order);
uint64_t explore_rmw_at(const struct explore_site *site, void *p, size_t size, explore_rmw rmw,
                        uint64_t operand, explore_order order);
bool explore_cas_at(const struct explore_site *site, void *p, size_t size, void *expected,
                    uint64_t value, explore_order order);
void explore_fence_at(const struct explore_site *site);

/* A seq fence in every thread at once, as membarrier(2) makes one. */
#define explore_barrier() explore_barrier_at(EXPLORE_SITE("barrier", ""))
void explore_barrier_at(const struct explore_site *site);

#endif
