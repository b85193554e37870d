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

enum { INSERTION = 12, SORT_ALONE = 1024, MERGE_ALONE = 4096, ON_STACK_BYTES = 1024 };

/* With the size known to the compiler a move is a load and a store. */
#define INLINE __attribute__((always_inline)) static inline

typedef struct sorter {
    size_t size;
    urd_compare_fn *compare;
    void *arg;
} sorter;

/* n elements in `from`, and as much memory. */
typedef struct run {
    const sorter *sorter;
    char *from, *to;
    size_t n;
    bool into_to; /* where the result is to lie */
} run;

typedef struct merging {
    const sorter *sorter;
    const char *a, *b; /* a's elements come first where equal */
    size_t na, nb;
    char *to;
} merging;

INLINE void insertion_sized(const sorter *s, char *base, char *spare, size_t n, size_t size)
{
    for (size_t i = 1; i < n; i++) {
        if (s->compare(base + (i - 1) * size, base + i * size, s->arg) <= 0)
            continue;
        memcpy(spare, base + i * size, size);
        size_t to = i;
        do {
            memcpy(base + to * size, base + (to - 1) * size, size);
            to--;
        } while (to > 0 && s->compare(base + (to - 1) * size, spare, s->arg) > 0);
        memcpy(base + to * size, spare, size);
    }
}

INLINE void merge_sized(const merging *m, size_t size)
{
    const char *a = m->a, *b = m->b, *a_end = a + m->na * size, *b_end = b + m->nb * size;
    char *to = m->to;
    urd_compare_fn *compare = m->sorter->compare;
    void *arg = m->sorter->arg;
    while (a < a_end && b < b_end) {
        bool from_b = compare(b, a, arg) < 0;
        memcpy(to, from_b ? b : a, size);
        b += from_b ? size : 0;
        a += from_b ? 0 : size;
        to += size;
    }
    memcpy(to, a, (size_t)(a_end - a));
    memcpy(to + (a_end - a), b, (size_t)(b_end - b));
}

static void insertion(const sorter *s, char *base, char *spare, size_t n)
{
    switch (s->size) {
    case 4:
        insertion_sized(s, base, spare, n, 4);
        break;
    case 8:
        insertion_sized(s, base, spare, n, 8);
        break;
    case 16:
        insertion_sized(s, base, spare, n, 16);
        break;
    default:
        insertion_sized(s, base, spare, n, s->size);
    }
}

static bool in_order(const merging *m)
{
    const sorter *s = m->sorter;
    return m->na == 0 || m->nb == 0 || s->compare(m->a + (m->na - 1) * s->size, m->b, s->arg) <= 0;
}

static void merge_alone(const merging *m)
{
    size_t size = m->sorter->size;
    if (in_order(m)) {
        memcpy(m->to, m->a, m->na * size);
        memcpy(m->to + m->na * size, m->b, m->nb * size);
        return;
    }
    switch (size) {
    case 4:
        merge_sized(m, 4);
        break;
    case 8:
        merge_sized(m, 8);
        break;
    case 16:
        merge_sized(m, 16);
        break;
    default:
        merge_sized(m, size);
    }
}

/* How many of the n come before x; `also_equal`: or beside it. */
static size_t bound(const sorter *s, const char *base, size_t n, const char *x, bool also_equal)
{
    size_t low = 0;
    while (low < n) {
        size_t middle = low + (n - low) / 2;
        int order = s->compare(base + middle * s->size, x, s->arg);
        if (order < 0 || (also_equal && order == 0))
            low = middle + 1;
        else
            n = middle;
    }
    return low;
}

static int merge(void *arg)
{
    const merging *m = arg;
    const sorter *s = m->sorter;
    if (m->na + m->nb <= MERGE_ALONE || in_order(m)) {
        merge_alone(m);
        return 0;
    }
    size_t a = m->na / 2, b = m->nb / 2;
    if (m->na >= m->nb)
        b = bound(s, m->b, m->nb, m->a + a * s->size, false);
    else
        a = bound(s, m->a, m->na, m->b + b * s->size, true);
    merging left = {s, m->a, m->b, a, b, m->to};
    merging right = {s,         m->a + a * s->size, m->b + b * s->size,
                     m->na - a, m->nb - b,          m->to + (a + b) * s->size};
    return urd_both(merge, &left, merge, &right);
}

/* Bottom up, from short runs to long ones, to and fro between the two places. */
static void sort_alone(const run *r)
{
    const sorter *s = r->sorter;
    size_t size = s->size;
    char *from = r->from, *to = r->to;
    for (size_t i = 0; i < r->n; i += INSERTION)
        insertion(s, from + i * size, to + i * size, r->n - i < INSERTION ? r->n - i : INSERTION);
    for (size_t width = INSERTION; width < r->n; width *= 2) {
        for (size_t i = 0; i < r->n; i += 2 * width) {
            size_t left = r->n - i;
            size_t na = left < width ? left : width;
            size_t nb = left - na < width ? left - na : width;
            merging m = {s, from + i * size, from + (i + na) * size, na, nb, to + i * size};
            merge_alone(&m);
        }
        char *swap = from;
        from = to;
        to = swap;
    }
    char *wanted = r->into_to ? r->to : r->from;
    if (from != wanted)
        memcpy(wanted, from, r->n * size);
}

static int sort(void *arg)
{
    const run *r = arg;
    size_t size = r->sorter->size;
    if (urd_cancelled()) {
        if (r->into_to)
            memcpy(r->to, r->from, r->n * size);
        return -ECANCELED;
    }
    if (r->n <= SORT_ALONE) {
        sort_alone(r);
        return 0;
    }
    run left = *r, right = *r;
    left.n = r->n / 2;
    right.n = r->n - left.n;
    right.from += left.n * size;
    right.to += left.n * size;
    left.into_to = right.into_to = !r->into_to;
    int rc = urd_both(sort, &left, sort, &right);
    char *from = r->into_to ? r->from : r->to, *to = r->into_to ? r->to : r->from;
    merging m = {r->sorter, from, from + left.n * size, left.n, right.n, to};
    if (rc) {
        memcpy(to, from, r->n * size);
        return rc;
    }
    return merge(&m);
}

int urd_sort(void *base, size_t n, size_t size, urd_compare_fn *compare, void *arg)
{
    _Alignas(max_align_t) char on_stack[ON_STACK_BYTES];
    size_t bytes;
    if (n < 2 || size == 0)
        return 0;
    if (__builtin_mul_overflow(n, size, &bytes))
        return -ENOMEM;
    char *scratch = bytes <= sizeof on_stack ? on_stack : urd__os_alloc(bytes);
    if (!scratch)
        return -ENOMEM;
    sorter s = {size, compare, arg};
    run all = {.sorter = &s, .from = base, .to = scratch, .n = n};
    int rc = urd__par_outside() ? urd__par_errand(sort, &all, "urd_sort") : sort(&all);
    if (scratch != on_stack)
        urd__os_free(scratch);
    return rc;
}
