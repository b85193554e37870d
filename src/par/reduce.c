/*
 * reduce.c - urd_reduce: a range to one value.
 *
 * SPDX-License-Identifier: MIT
 *
 * A loop whose pieces have a value each (loop.c).  How it is split depends on who is idle, and with
 * it the order of the roundings of a sum.  Deterministic, the parts are cut by their number alone,
 * each is folded by one worker from the left, and they are combined in pairs of neighbours, then
 * pairs of pairs: a tree that is the same everywhere, and that also rounds less than a plain sum.
 */
#include <errno.h>
#include <string.h>

#include "base/os.h"
#include "par/loop.h"

enum { PARTS_MAX = 256, ALIGNED = sizeof(max_align_t) / 2, ON_STACK_BYTES = PARTS_MAX * 16 };

void urd__reduce_clear(const urd_reducer *reducer, void *value)
{
    if (reducer->identity)
        memcpy(value, reducer->identity, reducer->size);
    else
        memset(value, 0, reducer->size);
}

static int fold_range(const urd__loop *loop, long lo, long hi, void *into)
{
    return loop->reducer->fold(lo, hi, into, loop->arg);
}

/* Of a deterministic one: what it is cut into. */
typedef struct parts {
    char *values;
    size_t stride;
    long lo;
    unsigned long each, longer; /* steps a part, and how many have one more */
    long count;
} parts;

static long part_start(const parts *p, long i)
{
    unsigned long more = (unsigned long)i < p->longer ? (unsigned long)i : p->longer;
    return (long)((unsigned long)p->lo + (unsigned long)i * p->each + more);
}

static int fold_parts(const urd__loop *loop, long lo, long hi, void *into)
{
    (void)into;
    const parts *p = loop->parts;
    for (long i = lo; i < hi; i++) {
        void *value = p->values + (size_t)i * p->stride;
        urd__reduce_clear(loop->reducer, value);
        int rc = loop->reducer->fold(part_start(p, i), part_start(p, i + 1), value, loop->arg);
        if (rc)
            return rc;
    }
    return 0;
}

static void combine_parts(const urd__loop *loop, const parts *p)
{
    for (long apart = 1; apart < p->count; apart *= 2)
        for (long i = 0; i + apart < p->count; i += 2 * apart)
            loop->reducer->combine(p->values + (size_t)i * p->stride,
                                   p->values + (size_t)(i + apart) * p->stride, loop->arg);
}

static int reduce_parts(urd__loop *loop, const urd_reduce_range *range, void *result)
{
    _Alignas(max_align_t) char on_stack[ON_STACK_BYTES];
    unsigned long steps = (unsigned long)range->hi - (unsigned long)range->lo;
    parts p = {.lo = range->lo, .count = steps < PARTS_MAX ? (long)steps : PARTS_MAX};
    p.each = steps / (unsigned long)p.count;
    p.longer = steps % (unsigned long)p.count;
    p.stride = (loop->reducer->size + ALIGNED - 1) / ALIGNED * ALIGNED;
    bool fits = p.stride <= ON_STACK_BYTES / PARTS_MAX;
    p.values = fits ? on_stack : urd__os_alloc(p.stride * (size_t)p.count);
    if (!p.values)
        return -ENOMEM;
    loop->step = fold_parts;
    loop->parts = &p;
    loop->body++; /* another pace than that of single steps */
    int rc = urd__loop_run(loop, 0, p.count, NULL);
    if (rc == 0) {
        combine_parts(loop, &p);
        memcpy(result, p.values, loop->reducer->size);
    }
    if (!fits)
        urd__os_free(p.values);
    return rc;
}

int urd_reduce_at(const urd_reduce_range *range, const urd_reducer *reducer, void *result,
                  void *arg)
{
    urd__loop loop;
    loop.step = fold_range;
    loop.arg = arg;
    loop.where = range->where;
    loop.body = (uintptr_t)reducer->fold;
    loop.calls = NULL;
    loop.reducer = reducer;
    loop.parts = NULL;
    urd__reduce_clear(reducer, result);
    if (reducer->deterministic && range->lo < range->hi)
        return reduce_parts(&loop, range, result);
    return urd__loop_run(&loop, range->lo, range->hi, result);
}
