/*
 * par.h - work for the processors: calls, loops, sums and sorts in parallel.
 *
 * SPDX-License-Identifier: MIT
 *
 * These start no tasks of their own while every worker is busy: the work is split only when a
 * worker looks for some, so there is no grain size to guess and a loop inside a loop costs little.
 * What is called may itself wait, lock, start jobs and call all of this; while it waits, nothing
 * else is ever run on its stack.
 *
 * From a thread that is no worker of the runtime (a job of kind URD_THREAD, a thread of the
 * program's own) the work is done by a task, and the thread waits for it.  Where no runtime is
 * running, all of it is done in sequence on the thread that calls.
 */
#ifndef URD_PAR_H
#define URD_PAR_H

#include "urd/scope.h"

URD_BEGIN_DECLS

/*
 * Call first(first_arg) and second(second_arg), possibly at the same time; they may wait for one
 * another, but in sequence the first one ends before the second begins.  The cheapest way to fork
 * and join: no scope is opened, so both always run, in the caller's scope, and neither is cancelled
 * by the other's error.  Returns the first's error, else the second's, else 0.
 */
#define urd_both(first, first_arg, second, second_arg)                                             \
    urd_both_at((first), (first_arg), (second), (second_arg), URD_HERE)
int urd_both_at(urd_fn *first, void *first_arg, urd_fn *second, void *second_arg, const char *where)
    URD_MUST_USE;

typedef struct urd_call {
    urd_fn *fn;
    void *arg;
} urd_call;

/*
 * Make n calls, possibly at the same time, in a scope of their own: an error cancels the others,
 * and those that have not begun are left out.  Returns the first cause, as urd_scope_join does: a
 * call's error, or -ECANCELED if the scope around is cancelled; else 0.
 */
#define urd_invoke(calls, n) urd_invoke_at((calls), (n), URD_HERE)
int urd_invoke_at(const urd_call *calls, size_t n, const char *where) URD_MUST_USE;

/* The steps lo .. hi - 1 of a loop; 0 or a negative errno. */
typedef int urd_range_fn(long lo, long hi, void *arg);

/*
 * Call body for parts of lo .. hi - 1 that together are all of it, each step once.  Parts run in
 * any order and at the same time, and must not wait for one another; lo >= hi: none.  A part is as
 * long as some 10 us take: write the body as a plain loop, which the compiler may vectorise.
 *
 * The loop is a scope of its own: an error cancels it, and no part begins any more.  Returns the
 * first cause: a part's error, or -ECANCELED if the scope around is cancelled, which is looked at
 * before each part; else 0, and then every step was made.
 */
#define urd_for(lo, hi, body, arg) urd_for_at((lo), (hi), (body), (arg), URD_HERE)
int urd_for_at(long lo, long hi, urd_range_fn *body, void *arg, const char *where) URD_MUST_USE;

/* How to reduce a range to one value. */
typedef struct urd_reducer {
    size_t size;          /* of the value, in bytes; aligned as max_align_t is */
    const void *identity; /* the value of an empty range; NULL: all bytes are 0 */
    /* Take the steps lo .. hi - 1 into the value at `into`, which holds those before.  0 or a
     * negative errno. */
    int (*fold)(long lo, long hi, void *into, void *arg);
    /* Take the value of the range to the right into the one at `into`. */
    void (*combine)(void *into, const void *right, void *arg);
    /* The same result on every run and for every number of workers, to the last bit, also where
     * combine is not quite associative, as a sum of doubles is not.  The parts are then up to 256
     * equal ones. */
    bool deterministic;
} urd_reducer;

/*
 * Reduce lo .. hi - 1 to the value at `result`.  combine must be associative, and need not be
 * commutative.  As urd_for otherwise.  Returns its causes, or -ENOMEM: deterministic, and the value
 * is larger than 16 bytes.  What stands at `result` after an error says nothing.
 */
#define urd_reduce(lo, hi, reducer, result, arg)                                                   \
    urd_reduce_at(&(urd_reduce_range){(lo), (hi), URD_HERE}, (reducer), (result), (arg))
typedef struct urd_reduce_range {
    long lo, hi;
    const char *where;
} urd_reduce_range;
int urd_reduce_at(const urd_reduce_range *range, const urd_reducer *reducer, void *result,
                  void *arg) URD_MUST_USE;

/* Negative, 0 or positive, as for qsort(3): a before, beside or after b. */
typedef int urd_compare_fn(const void *a, const void *b, void *arg);

/*
 * Sort n elements of `size` bytes.  Stable: what compares equal keeps its order, so the result is
 * the same for every number of workers.  compare is called from several workers at once.
 *
 * Allocates as much memory again as the array has, above 1 KiB, and frees it.  Returns 0; -ENOMEM,
 * and nothing was moved; or -ECANCELED if the scope is cancelled meanwhile, and the elements are
 * all there, in some order.
 */
int urd_sort(void *base, size_t n, size_t size, urd_compare_fn *compare, void *arg) URD_MUST_USE;

URD_END_DECLS

#endif
