/*
 * supervise.c - keep jobs running, as the supervisors of Erlang/OTP do.
 *
 * SPDX-License-Identifier: MIT
 *
 * Each life of a child is a task of ours, its keeper, which starts the job in a scope of its own
 * and waits for its end, or for `stop`, at which it cancels the job.  So a child has a scope that
 * can be cancelled alone at any time and ends with that life; and the supervisor, which is the job
 * that called, alone decides: it starts keepers, sets `stop`, and hears of an end by `down`.
 *
 * All keepers are in one scope, shielded, since a cancel from outside must not reach all children
 * at once: it sets `cancelled`, and the supervisor then stops them in order.
 *
 * The principles (start in order, stop in reverse, restart intensity, the three strategies) are
 * those of "OTP Design Principles", supervisor behaviour, https://www.erlang.org/doc/system/.
 * Rejected: a restart from the keeper itself (the strategies concern several, and two that die at
 * once would both stop the rest); the last error as reason alone (an endless crash looks the same
 * as one that came late); killing tasks or threads that are late (what they hold is lost with
 * them: they are named, and waited for).
 */
#include <errno.h>
#include <stdio.h>

#include "base/atomic.h"
#include "base/check.h"
#include "base/lock.h"
#include "base/os.h"
#include "core/go.h"
#include "core/runtime.h"
#include "core/scope.h"
#include "core/task.h"
#include "core/wait.h"
#include "proc/intensity.h"
#include "proc/process.h"
#include "proc/setup.h"

enum { RESTARTS_USUAL = 3, RESTARTS_MAX = 1 << 20, CHILDREN_MAX = 1 << 20 };
static const urd_time PERIOD_USUAL = 5 * URD_SECOND, STOP_USUAL = 5 * URD_SECOND,
                      BACKOFF_MAX_USUAL = 30 * URD_SECOND;

enum state {
    DOWN,    /* to be started at `when` */
    RUNNING, /* it has a keeper */
    OVER     /* for good */
};

typedef struct child {
    struct supervisor *supervisor; /* these two are set once */
    const urd_child *spec;
    enum state state; /* of the supervisor, as is what follows up to `stop` */
    urd_time when;    /* DOWN: to be started; RUNNING: it was */
    urd_time backoff; /* the last one */
    int restarts;     /* so far */
    urd_event stop;   /* set by the supervisor: it is to end */
    urd_event down;   /* set by its keeper: it has ended */
    int result;       /* these two are set before `down` */
    char detail[48];  /* as urd_exit has it */
} child;

typedef struct supervisor {
    urd__member member;  /* of the scope in which it was called */
    urd_event cancelled; /* that was */
    urd_event changed;   /* some child is down */
    urd_supervise_options options;
    urd_supervise_report report;
    urd__intensity intensity;
    urd_scope keepers;
    int lock; /* held by who tells of an end, and at last by the supervisor: nobody is left then */
    int n;
    child *children;
} supervisor;

/* The walk of a cancel calls this under the locks of scopes. */
static void cancelled(urd__member *member, urd_scope *scope)
{
    (void)scope;
    urd_event_set(&urd__container(member, supervisor, member)->cancelled);
}

static void tell(const supervisor *s, const child *c, enum urd_supervise_what what)
{
    if (!s->options.watch)
        return;
    bool ended = what != URD_CHILD_STARTED && what != URD_CHILD_LATE;
    urd_supervise_event event = {.what = what,
                                 .child = (int)(c - s->children),
                                 .name = c->spec->name ? c->spec->name : "",
                                 .result = ended ? c->result : 0,
                                 .detail = ended ? c->detail : "",
                                 .restarts = c->restarts};
    s->options.watch(&event, s->options.arg);
}

static urd_time after(urd_time duration)
{
    urd_time now = urd_now();
    return duration > URD_FOREVER - now ? URD_FOREVER : now + duration;
}

/* ---- one life ---- */

static urd_time stop_duration(const child *c)
{
    return c->spec->stop_duration ? c->spec->stop_duration : STOP_USUAL;
}

/* Another life of the child may begin as soon as it is down. */
static void tell_end(child *c)
{
    supervisor *s = c->supervisor;
    urd__lock(&s->lock);
    urd_event_set(&c->down);
    urd_event_set(&s->changed);
    urd__unlock(&s->lock);
}

static int keep(void *arg)
{
    child *c = arg;
    const urd_child *spec = c->spec;
    urd_job_options options = {
        .name = spec->name, .grace_duration = stop_duration(c), .process = spec->process};
    urd_scope s;
    urd_job job;
    urd_exit how;
    urd_scope_open(&s);
    urd_scope_keep_going(&s);
    int rc = urd_job_open(&job, &s, spec->kind, spec->fn, spec->arg, spec->size, &options);
    urd_op arms[] = {urd_op_job(&job), urd_op_event(&c->stop)};
    if (rc == 0 && urd_select(arms, 2) != 0)
        urd_job_cancel(&job);
    int joined = urd_scope_join(&s);
    (void)joined; /* the same, or the echo of our cancel */
    urd_job_exit(&job, &how);
    c->result = rc ? rc : urd_job_join(&job);
    snprintf(c->detail, sizeof c->detail, "%s", how.detail);
    tell_end(c);
    return 0;
}

/* There was no memory for the keeper's stack; it is counted off the scope by now. */
static void not_begun(void *arg)
{
    child *c = arg;
    c->result = -ENOMEM;
    snprintf(c->detail, sizeof c->detail, "not started");
    tell_end(c);
}

static void begin(supervisor *s, child *c)
{
    urd_event_clear(&c->stop);
    urd_event_clear(&c->down);
    c->state = RUNNING;
    c->when = urd_now();
    const char *where = c->spec->name ? c->spec->name : "a supervisor";
    urd__go_args args = {
        .kind = URD_TASK, .fn = keep, .arg = c, .where = where, .refused = not_begun};
    int rc = urd__go(&s->keepers, &args);
    tell(s, c, URD_CHILD_STARTED);
    if (rc)
        not_begun(c);
}

/* ---- stop ---- */

/* Ask it to end; false: it is late, so see to others first. */
static bool stop(supervisor *s, child *c)
{
    if (c->state != RUNNING)
        return true;
    urd_event_set(&c->stop);
    if (c->spec->kind == URD_PROCESS) /* it is killed when its time is over */
        return true;
    urd_op arms[] = {urd_op_event(&c->down), urd_op_until(after(stop_duration(c)))};
    if (urd_select(arms, 2) == 0)
        return true;
    tell(s, c, URD_CHILD_LATE);
    return false;
}

static void see_it_down(supervisor *s, child *c)
{
    if (c->state != RUNNING)
        return;
    int rc = urd_event_wait(&c->down);
    urd__assert(rc == 0); /* it is shielded */
    c->state = DOWN;
    tell(s, c, URD_CHILD_STOPPED);
}

/* Those from `first` on, but `except`: the last one first. */
static void stop_from(supervisor *s, int first, const child *except)
{
    for (int i = s->n; i-- > first;)
        if (&s->children[i] != except && stop(s, &s->children[i]))
            see_it_down(s, &s->children[i]);
    for (int i = s->n; i-- > first;)
        if (&s->children[i] != except)
            see_it_down(s, &s->children[i]);
}

/* ---- restart ---- */

static urd_time next_backoff(const supervisor *s, const child *c)
{
    urd_time max = s->options.backoff_max_duration, first = s->options.backoff_duration;
    bool lived = urd_now() - c->when >= s->options.restart_duration;
    urd_time next = lived || c->backoff == 0 ? first : c->backoff > max / 2 ? max : 2 * c->backoff;
    return next < max ? next : max;
}

/* The first one to be named stays, but for who is given up. */
static void name_in_report(supervisor *s, const child *c, bool given_up)
{
    urd_supervise_report *r = &s->report;
    if (r->child >= 0 && !given_up)
        return;
    r->child = (int)(c - s->children);
    r->result = c->result;
    const char *name = c->spec->name ? c->spec->name : "a child";
    if (!given_up || s->options.restarts_max < 0)
        snprintf(r->detail, sizeof r->detail, "%s: %s", name, c->detail);
    else
        snprintf(r->detail, sizeof r->detail, "%s: %s; more than %d restarts in %g s", name,
                 c->detail, s->options.restarts_max,
                 (double)s->options.restart_duration / (double)URD_SECOND);
}

/* Those of the same fate as c, from `first` on, are down. */
static void plan(supervisor *s, child *c, int first, bool others)
{
    c->backoff = next_backoff(s, c);
    urd_time when = after(c->backoff);
    for (int i = first; i < s->n; i++) {
        child *other = &s->children[i];
        if (other != c && (!others || other->state != DOWN))
            continue;
        bool again = other == c || other->spec->restart != URD_RESTART_NEVER;
        other->state = again ? DOWN : OVER;
        other->when = when;
        other->restarts += again;
        s->report.restarts += again;
    }
}

/* False: it gives up. */
static bool restart(supervisor *s, child *c)
{
    int at = (int)(c - s->children);
    c->state = DOWN;
    if (s->options.restarts_max < 0 || urd__intensity_exceeded(&s->intensity, urd_now())) {
        name_in_report(s, c, true);
        tell(s, c, URD_CHILD_GIVEN_UP);
        return false;
    }
    bool others = s->options.strategy != URD_ONE_FOR_ONE;
    int first = s->options.strategy == URD_ONE_FOR_ALL ? 0 : at;
    if (others)
        stop_from(s, first, c);
    plan(s, c, first, others);
    return true;
}

/* ---- the loop ---- */

static bool is_wanted(const child *c)
{
    return c->spec->restart == URD_RESTART_ALWAYS ||
           (c->spec->restart == URD_RESTART_ON_ERROR && c->result != 0);
}

/* False: it gives up. */
static bool see_ends(supervisor *s)
{
    for (int i = 0; i < s->n; i++) {
        child *c = &s->children[i];
        if (c->state != RUNNING || !urd_event_is_set(&c->down))
            continue;
        int rc = urd_event_wait(&c->down); /* its keeper has let go of it */
        urd__assert(rc == 0);
        tell(s, c, URD_CHILD_ENDED);
        c->state = OVER;
        if (is_wanted(c)) {
            if (!restart(s, c))
                return false;
        } else if (c->result) {
            name_in_report(s, c, false);
        }
    }
    return true;
}

/* Start what is due; when is the next?  *running: some child is not over. */
static urd_time start_due(supervisor *s, bool *running)
{
    urd_time next = URD_FOREVER;
    *running = false;
    for (int i = 0; i < s->n; i++) {
        child *c = &s->children[i];
        if (c->state == DOWN && c->when <= urd_now())
            begin(s, c);
        else if (c->state == DOWN && c->when < next)
            next = c->when;
        *running |= c->state != OVER;
    }
    return next;
}

static int supervise(supervisor *s)
{
    while (!urd_event_is_set(&s->cancelled)) {
        bool running;
        urd_time next = start_due(s, &running);
        if (!running)
            return s->report.result;
        urd_op arms[] = {urd_op_event(&s->cancelled), urd_op_event(&s->changed),
                         urd_op_until(next)};
        if (urd_select(arms, next == URD_FOREVER ? 2 : 3) == 0)
            break;
        urd_event_clear(&s->changed);
        if (!see_ends(s))
            return s->report.result ? s->report.result : -ECHILD;
    }
    return -ECANCELED;
}

/* ---- the call ---- */

static int check_child(const urd_child *c)
{
    bool known = c->kind == URD_TASK || c->kind == URD_THREAD || c->kind == URD_PROCESS;
    bool restarts = c->restart == URD_RESTART_ALWAYS || c->restart == URD_RESTART_ON_ERROR ||
                    c->restart == URD_RESTART_NEVER;
    if (!known || !restarts || !c->fn || c->stop_duration < 0)
        return -EINVAL;
    if (c->kind != URD_PROCESS)
        return c->process ? -EINVAL : 0;
    if (!urd__rt.processes)
        return -ENOTSUP;
    int rc = urd__setup_check(c->process);
    return rc ? rc : urd__process_knows(c->fn);
}

static int check(const urd_child *children, int n, const urd_supervise_options *o)
{
    if (n < 0 || n > CHILDREN_MAX || (unsigned)o->strategy > URD_REST_FOR_ONE ||
        o->restarts_max > RESTARTS_MAX || o->restart_duration < 0 || o->backoff_duration < 0 ||
        o->backoff_max_duration < 0)
        return -EINVAL;
    int rc = 0;
    for (int i = 0; i < n && rc == 0; i++)
        rc = check_child(&children[i]);
    return rc;
}

static void fill_in(supervisor *s, const urd_supervise_options *o)
{
    s->options = *o;
    if (s->options.restarts_max == 0)
        s->options.restarts_max = RESTARTS_USUAL;
    if (s->options.restart_duration == 0)
        s->options.restart_duration = PERIOD_USUAL;
    if (s->options.backoff_max_duration == 0)
        s->options.backoff_max_duration = BACKOFF_MAX_USUAL;
    s->member.cancel = cancelled;
    s->report.child = -1;
    s->intensity.duration = s->options.restart_duration;
    s->intensity.max = s->options.restarts_max > 0 ? (size_t)s->options.restarts_max : 1;
}

/* Order of the two scopes: a cancel of the caller's sets `cancelled`, and goes no further. */
static int run(supervisor *s)
{
    const urd__task *self = urd__task_self();
    urd_scope *around = self->scope ? self->scope : &urd__rt.root;
    urd_scope_open(&s->keepers);
    urd_scope_shield(&s->keepers);
    urd_scope_keep_going(&s->keepers);
    if (urd__scope_attach(around, &s->member))
        urd_event_set(&s->cancelled);
    int rc = supervise(s);
    urd__scope_detach(around, &s->member);
    stop_from(s, 0, NULL);
    int joined = urd_scope_join(&s->keepers);
    (void)joined; /* a keeper that could not be started, which counted as an end of its child */
    urd__lock(&s->lock);
    urd__unlock(&s->lock);
    return rc;
}

int urd_supervise(const urd_child *children, int n, const urd_supervise_options *o,
                  urd_supervise_report *r)
{
    static const urd_supervise_options usual;
    urd__runtime_need("urd_supervise");
    if (r)
        *r = (urd_supervise_report){.child = -1};
    int rc = check(children, n, o ? o : &usual);
    if (rc == 0)
        rc = urd__wait_enter(urd__task_self());
    if (rc || n == 0)
        return rc;
    supervisor s = {.n = n};
    fill_in(&s, o ? o : &usual);
    s.children = urd__os_alloc((size_t)n * sizeof *s.children);
    s.intensity.times = urd__os_alloc(s.intensity.max * sizeof *s.intensity.times);
    if (s.children && s.intensity.times) {
        for (int i = 0; i < n; i++)
            s.children[i] = (child){.supervisor = &s, .spec = &children[i]};
        rc = run(&s);
        if (r)
            *r = s.report;
    } else {
        rc = -ENOMEM;
    }
    urd__os_free(s.children);
    urd__os_free(s.intensity.times);
    return rc;
}
