/*
 * invoke.c - urd_both and urd_invoke: calls side by side.
 *
 * SPDX-License-Identifier: MIT
 *
 * The second of two calls is a fork on the stack (core/fork.h), nothing more.  Any number of calls
 * are a loop over them that offers all its halves at once, since calls may wait for one another.
 */
#include "base/atomic.h"
#include "base/check.h"
#include "core/fork.h"
#include "core/runtime.h"
#include "par/loop.h"

bool urd__par_outside(void)
{
    return !urd__worker_self && urd__load_acq(&urd__rt.state) == URD__RUNNING; /* [state] */
}

int urd__par_errand(urd_fn *fn, void *arg, const char *where)
{
    urd_scope s;
    urd_scope_open_at(&s, where);
    urd_go_at(&s, fn, arg, where);
    return urd_scope_join(&s);
}

static int call(urd_fn *fn, void *arg, const char *where)
{
    const urd__task *self = urd__task_self();
    const urd_scope *scope = self->scope;
    int rc = fn(arg);
    if (rc > 0)
        urd__die("what runs at %s returned %d; it returns 0 or a negative errno", where, rc);
    if (self->scope != scope)
        urd__die("what runs at %s returned with the scope opened at %s not joined", where,
                 self->scope->where);
    return rc;
}

typedef struct both {
    urd_call first, second;
    const char *where;
} both;

static int run_both(void *arg)
{
    const both *b = arg;
    return urd_both_at(b->first.fn, b->first.arg, b->second.fn, b->second.arg, b->where);
}

__attribute__((noinline)) static int both_outside(const both *b)
{
    if (urd__par_outside()) {
        both copy = *b;
        return urd__par_errand(run_both, &copy, b->where);
    }
    int rc = call(b->first.fn, b->first.arg, b->where);
    int second = call(b->second.fn, b->second.arg, b->where);
    return rc ? rc : second;
}

int urd_both_at(urd_fn *first, void *first_arg, urd_fn *second, void *second_arg, const char *where)
{
    urd__worker *self = urd__worker_self;
    if (!self || __builtin_expect(self->current->compact, 0)) /* whose frames no thief may see */
        return both_outside(&(both){{first, first_arg}, {second, second_arg}, where});
    urd__fork fork;
    urd__fork_push(self, &fork, second, second_arg, where);
    int rc = first(first_arg);
    if (__builtin_expect(rc > 0 || fork.owner->scope != fork.job.scope, 0))
        urd__fork_check(&fork, rc);
    int second_rc = urd__fork_join(self, &fork);
    return rc ? rc : second_rc;
}

static int make_call(const urd__loop *loop, long lo, long hi, void *into)
{
    (void)hi; /* one at a time */
    (void)into;
    return loop->calls[lo].fn(loop->calls[lo].arg);
}

int urd_invoke_at(const urd_call *calls, size_t n, const char *where)
{
    urd__loop loop;
    loop.step = make_call;
    loop.where = where;
    loop.body = 1; /* no function: no pace is kept */
    loop.calls = calls;
    loop.reducer = NULL;
    return urd__loop_run(&loop, 0, (long)n, NULL);
}
