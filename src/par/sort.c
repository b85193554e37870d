/*
 * sort.c - urd_sort: a stable merge sort whose halves and merges run side by side.
 *
 * SPDX-License-Identifier: MIT
 *
 * sort() puts a run in order into the array or into the scratch memory, as it is told: its halves
 * go to the other of the two and are merged from there, so that nothing is copied back.  A merge is
 * split by the middle of the longer run and where that belongs in the other one.  Both are forks
 * (urd_both), which cost a call where nobody is idle; below SORT_ALONE and MERGE_ALONE elements a
 * fork would show.
 *
 * Cancelled, what is left of the work becomes copying: the elements are all there when it returns.
 *
 * What is done in sequence is in urd/sort.h, where a sort that knows its type inlines it; here are
 * the instances for a comparison by pointer.
 *
 * Rejected: quicksort in place (needs no memory, but its first partition is sequential, it is not
 * stable, and where it cuts depends on luck); sample sort (wins from some sixteen cores on, and
 * needs the same memory).
 * Source of the split merge: Cormen, Leiserson, Rivest, Stein, "Introduction to Algorithms", 27.3;
 * stability needs the lower bound on one side and the upper on the other.
 */
#include <errno.h>
#include <string.h>

#include "base/os.h"
#include "par/loop.h"

enum { SORT_ALONE = 1024, MERGE_ALONE = 4096, ON_STACK_BYTES = 1024 };

/* n elements in `from`, and as much memory. */
typedef struct sorting {
    const urd_sorter *sorter;
    urd_sort_run_ run;
} sorting;

typedef struct merging {
    const urd_sorter *sorter;
    urd_sort_merge_ runs;
} merging;

static bool in_order(const merging *m)
{
    const urd_sort_merge_ *r = &m->runs;
    return r->na == 0 || r->nb == 0 ||
           !m->sorter->before(r->b, r->a + (r->na - 1) * m->sorter->size, r->arg);
}

/* How many of the n at `base` come before x; `also_equal`: or beside it. */
static size_t bound(const merging *m, const char *base, size_t n, const char *x, bool also_equal)
{
    const urd_sorter *s = m->sorter;
    size_t low = 0;
    while (low < n) {
        size_t middle = low + (n - low) / 2;
        const char *here = base + middle * s->size;
        bool before =
            also_equal ? !s->before(x, here, m->runs.arg) : s->before(here, x, m->runs.arg);
        if (before)
            low = middle + 1;
        else
            n = middle;
    }
    return low;
}

static int merge(void *arg)
{
    const merging *m = arg;
    const urd_sort_merge_ *r = &m->runs;
    size_t size = m->sorter->size;
    if (in_order(m)) {
        memcpy(r->to, r->a, r->na * size);
        memcpy(r->to + r->na * size, r->b, r->nb * size);
        return 0;
    }
    if (r->na + r->nb <= MERGE_ALONE) {
        m->sorter->merge(r);
        return 0;
    }
    size_t a = r->na / 2, b = r->nb / 2;
    if (r->na >= r->nb)
        b = bound(m, r->b, r->nb, r->a + a * size, false);
    else
        a = bound(m, r->a, r->na, r->b + b * size, true);
    merging left = *m, right = *m;
    left.runs.na = a;
    left.runs.nb = b;
    right.runs = (urd_sort_merge_){r->a + a * size, r->b + b * size,        r->na - a,
                                   r->nb - b,       r->to + (a + b) * size, r->arg};
    return urd_both(merge, &left, merge, &right);
}

static int sort(void *arg)
{
    const sorting *s = arg;
    const urd_sort_run_ *r = &s->run;
    size_t size = s->sorter->size;
    if (urd_cancelled()) {
        if (r->into_to)
            memcpy(r->to, r->from, r->n * size);
        return -ECANCELED;
    }
    if (r->n <= SORT_ALONE) {
        s->sorter->run(r);
        return 0;
    }
    sorting left = *s, right = *s;
    left.run.n = r->n / 2;
    right.run.n = r->n - left.run.n;
    right.run.from += left.run.n * size;
    right.run.to += left.run.n * size;
    left.run.into_to = right.run.into_to = !r->into_to;
    int rc = urd_both(sort, &left, sort, &right);
    char *from = r->into_to ? r->from : r->to, *to = r->into_to ? r->to : r->from;
    const char *middle = from + left.run.n * size;
    merging m = {s->sorter, {from, middle, left.run.n, right.run.n, to, r->arg}};
    if (rc) {
        memcpy(to, from, r->n * size);
        return rc;
    }
    return merge(&m);
}

int urd_sort_by(const urd_sorter *sorter, void *base, size_t n, void *arg)
{
    _Alignas(max_align_t) char on_stack[ON_STACK_BYTES];
    size_t bytes;
    if (n < 2 || sorter->size == 0)
        return 0;
    if (__builtin_mul_overflow(n, sorter->size, &bytes))
        return -ENOMEM;
    char *scratch = bytes <= sizeof on_stack ? on_stack : urd__os_alloc(bytes);
    if (!scratch)
        return -ENOMEM;
    sorting all = {sorter, {.from = base, .to = scratch, .n = n, .arg = arg}};
    int rc = urd__par_outside() ? urd__par_errand(sort, &all, "urd_sort") : sort(&all);
    if (scratch != on_stack)
        urd__os_free(scratch);
    return rc;
}

typedef struct comparing {
    urd_compare_fn *compare;
    void *arg;
    size_t size;
} comparing;

static URD_SORT_INLINE_ bool by_compare(const void *a, const void *b, void *arg)
{
    const comparing *c = arg;
    return c->compare(a, b, c->arg) < 0;
}

/* With the size known to the compiler a move is a load and a store. */
#define SIZED(name, bytes)                                                                         \
    static void run_##name(const urd_sort_run_ *r)                                                 \
    {                                                                                              \
        urd_sort_run_in_(r, bytes, by_compare);                                                    \
    }                                                                                              \
    static void merge_##name(const urd_sort_merge_ *r)                                             \
    {                                                                                              \
        urd_sort_merge_in_(r, bytes, by_compare);                                                  \
    }

static size_t size_in(const void *arg)
{
    return ((const comparing *)arg)->size;
}

SIZED(4, 4)
SIZED(8, 8)
SIZED(16, 16)
SIZED(any, size_in(r->arg))

int urd_sort(void *base, size_t n, size_t size, urd_compare_fn *compare, void *arg)
{
    comparing c = {compare, arg, size};
    urd_sorter sorter = {size, by_compare, run_any, merge_any};
    if (size == 4)
        sorter = (urd_sorter){size, by_compare, run_4, merge_4};
    else if (size == 8)
        sorter = (urd_sorter){size, by_compare, run_8, merge_8};
    else if (size == 16)
        sorter = (urd_sorter){size, by_compare, run_16, merge_16};
    return urd_sort_by(&sorter, base, n, &c);
}
