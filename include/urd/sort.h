/*
 * sort.h - a parallel sort for one type, whose comparison the compiler sees.
 *
 * SPDX-License-Identifier: MIT
 *
 * urd_sort calls its comparison through a pointer, some twenty times for each of a million
 * elements.  URD_SORT makes a sort of the same kind in which it is inlined, as a template does in
 * C++: numbers are sorted in about half the time, and no branch depends on them.
 *
 *     URD_SORT(sort_doubles, double, *a < *b)
 *     ...
 *     int rc = sort_doubles(numbers, n, NULL);
 *
 * Sources: the sorting network of four and the merge from both ends are those of driftsort (L.
 * Bergdoll, O. Peters); the split of a large merge is told in src/par/sort.c.
 */
#ifndef URD_SORT_H
#define URD_SORT_H

#include <stdint.h>
#include <string.h>

#include "urd/par.h"

URD_BEGIN_DECLS

/*
 * Define `static int name(type *base, size_t n, void *arg)`, which sorts n elements.  `is_before`
 * is an expression that says whether *a has to come before *b, which are `type const *`; it may use
 * `arg`, and is evaluated by several workers at once.  It must be a strict weak order, as `<` is,
 * that makes no difference between elements whose order does not matter: those keep theirs (the
 * sort is stable).
 *
 * Memory, cancellation and errors are those of urd_sort: 0, -ENOMEM or -ECANCELED.
 */
#define URD_SORT(name, type, is_before)                                                            \
    static URD_SORT_INLINE_ bool name##_before_(const void *a_, const void *b_, void *arg)         \
    {                                                                                              \
        type const *a = (type const *)a_;                                                          \
        type const *b = (type const *)b_;                                                          \
        (void)arg;                                                                                 \
        return is_before;                                                                          \
    }                                                                                              \
    static void name##_run_(const urd_sort_run_ *run)                                              \
    {                                                                                              \
        urd_sort_run_in_(run, sizeof(type), name##_before_);                                       \
    }                                                                                              \
    static void name##_merge_(const urd_sort_merge_ *merge)                                        \
    {                                                                                              \
        urd_sort_merge_in_(merge, sizeof(type), name##_before_);                                   \
    }                                                                                              \
    URD_MUST_USE static inline int name(type *base, size_t n, void *arg)                           \
    {                                                                                              \
        const urd_sorter sorter = {sizeof(type), name##_before_, name##_run_, name##_merge_};      \
        return urd_sort_by(&sorter, base, n, arg);                                                 \
    }

/* What follows is for URD_SORT and urd_sort. */

#if defined(__GNUC__)
#define URD_SORT_INLINE_ __attribute__((always_inline)) inline
#else
#define URD_SORT_INLINE_ inline
#endif

typedef bool urd_before_fn(const void *a, const void *b, void *arg);

/* n elements at `from`, and as much memory at `to`. */
typedef struct urd_sort_run_ {
    char *from, *to;
    size_t n;
    bool into_to; /* where they are to lie in order */
    void *arg;
} urd_sort_run_;

/* Two runs in order; a's elements come first where neither is before the other. */
typedef struct urd_sort_merge_ {
    const char *a, *b;
    size_t na, nb;
    char *to;
    void *arg;
} urd_sort_merge_;

/* How one type is sorted: the parts that are done in sequence. */
typedef struct urd_sorter {
    size_t size;
    urd_before_fn *before;
    void (*run)(const urd_sort_run_ *run);
    void (*merge)(const urd_sort_merge_ *merge);
} urd_sorter;

int urd_sort_by(const urd_sorter *sorter, void *base, size_t n, void *arg) URD_MUST_USE;

/* A choice that is no branch, which would be mispredicted every second time. */
static URD_SORT_INLINE_ const char *urd_sort_pick_(bool first, const char *a, const char *b)
{
    uintptr_t mask = (uintptr_t)0 - (uintptr_t)first;
    return (const char *)(((uintptr_t)a & mask) | ((uintptr_t)b & ~mask));
}

/* Four elements in order, by five comparisons of which none waits for a branch. */
static URD_SORT_INLINE_ void urd_sort_four_(const urd_sort_run_ *r, size_t size,
                                            urd_before_fn *before)
{
    const char *v = r->from;
    size_t swap_ab = before(v + size, v, r->arg);
    size_t swap_cd = before(v + 3 * size, v + 2 * size, r->arg);
    const char *a = v + swap_ab * size, *b = v + (1 - swap_ab) * size;
    const char *c = v + (2 + swap_cd) * size, *d = v + (3 - swap_cd) * size;
    bool c_first = before(c, a, r->arg), b_last = before(d, b, r->arg);
    const char *left = urd_sort_pick_(c_first, a, urd_sort_pick_(b_last, c, b));
    const char *right = urd_sort_pick_(b_last, d, urd_sort_pick_(c_first, b, c));
    bool swap = before(right, left, r->arg);
    memcpy(r->to, urd_sort_pick_(c_first, c, a), size);
    memcpy(r->to + size, urd_sort_pick_(swap, right, left), size);
    memcpy(r->to + 2 * size, urd_sort_pick_(swap, left, right), size);
    memcpy(r->to + 3 * size, urd_sort_pick_(b_last, b, d), size);
}

/* The last elements, fewer than four, in place; there is a place for one more at r->from. */
static URD_SORT_INLINE_ void urd_sort_few_(const urd_sort_run_ *r, size_t size,
                                           urd_before_fn *before)
{
    char *to = r->to;
    for (size_t i = 1; i < r->n; i++) {
        size_t hole = i;
        memcpy(r->from, to + i * size, size);
        for (; hole > 0 && before(r->from, to + (hole - 1) * size, r->arg); hole--)
            memcpy(to + hole * size, to + (hole - 1) * size, size);
        memcpy(to + hole * size, r->from, size);
    }
}

/*
 * As many elements from the front as from the back, so that two chains of comparisons run side by
 * side.  Each end takes at most as many steps as the shorter run is long: no step looks whether a
 * run is used up.
 */
static URD_SORT_INLINE_ void urd_sort_merge_in_(const urd_sort_merge_ *m, size_t size,
                                                urd_before_fn *before)
{
    const char *a = m->a, *b = m->b, *a_end = a + m->na * size, *b_end = b + m->nb * size;
    char *to = m->to, *to_end = to + (m->na + m->nb) * size;
    size_t na = m->na, nb = m->nb;
    while (na > 0 && nb > 0) {
        for (size_t steps = na < nb ? na : nb; steps > 0; steps--) {
            size_t from_b = before(b, a, m->arg);
            memcpy(to, urd_sort_pick_(from_b, b, a), size);
            to += size;
            b += from_b * size;
            a += (1 - from_b) * size;
            size_t from_a = before(b_end - size, a_end - size, m->arg);
            to_end -= size;
            memcpy(to_end, urd_sort_pick_(from_a, a_end, b_end) - size, size);
            a_end -= from_a * size;
            b_end -= (1 - from_a) * size;
        }
        na = (size_t)(a_end - a) / size;
        nb = (size_t)(b_end - b) / size;
    }
    memcpy(to, na > 0 ? a : b, (na + nb) * size);
}

/* Merge the runs of `width` in r->from by twos into r->to; what is in order is only copied. */
static URD_SORT_INLINE_ void urd_sort_pass_(const urd_sort_run_ *r, size_t width, size_t size,
                                            urd_before_fn *before)
{
    for (size_t i = 0; i < r->n; i += 2 * width) {
        size_t left = r->n - i;
        size_t na = left < width ? left : width;
        size_t nb = left - na < width ? left - na : width;
        const char *a = r->from + i * size, *b = a + na * size;
        urd_sort_merge_ merge = {a, b, na, nb, r->to + i * size, r->arg};
        if (nb == 0 || !before(b, b - size, r->arg))
            memcpy(merge.to, a, (na + nb) * size);
        else
            urd_sort_merge_in_(&merge, size, before);
    }
}

/* Bottom up, from runs of four to long ones, to and fro between the two places. */
static URD_SORT_INLINE_ void urd_sort_run_in_(const urd_sort_run_ *r, size_t size,
                                              urd_before_fn *before)
{
    urd_sort_run_ now = *r;
    size_t i = 0;
    for (; i + 4 <= r->n; i += 4) {
        urd_sort_run_ four = {r->from + i * size, r->to + i * size, 4, true, r->arg};
        urd_sort_four_(&four, size, before);
    }
    if (i < r->n) {
        urd_sort_run_ few = {r->from + i * size, r->to + i * size, r->n - i, true, r->arg};
        memcpy(few.to, few.from, few.n * size);
        urd_sort_few_(&few, size, before);
    }
    for (size_t width = 4;; width *= 2) {
        char *swap = now.from;
        now.from = now.to;
        now.to = swap;
        if (width >= r->n)
            break;
        urd_sort_pass_(&now, width, size, before);
    }
    if (r->into_to != (now.from == r->to))
        memcpy(now.to, now.from, r->n * size);
}

URD_END_DECLS

#endif
