/*
 * hold.c - jobs held by hand.
 *
 * SPDX-License-Identifier: MIT
 *
 * Such a job runs in a scope of its own, inside the one it was started in, so that it can be
 * cancelled alone.  `ended` is set under that scope's lock, and its owner taken away, so that a
 * late cancel finds nobody.
 *
 * An error that is not what the scope's join returns is UNREAD, before `ended` is set, until
 * somebody gets it: who asks, who waits already, whoever killed the job.  Only then may the join
 * forget it.
 *
 * A struct that is opened again before its scope is joined would be in the list of held jobs twice,
 * which then is a ring.  The open looks for it among the latest, where a loop meets its own struct;
 * the join, which goes through all of them, marks those that it has closed.  Rejected: to look
 * through all at each open (quadratic).
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/atomic.h"
#include "base/check.h"
#include "base/lock.h"
#include "base/os.h"
#include "base/os_proc.h"
#include "core/go.h"
#include "core/runtime.h"
#include "core/scope.h"
#include "core/wait.h"

enum { LATEST = 8 };

static void check_fresh(urd_scope *s, const urd_job *j, const char *where)
{
    urd__lock(&s->lock);
    const urd_job *held = s->held;
    for (int i = 0; held && held != j && i < LATEST; i++)
        held = held->next;
    urd__unlock(&s->lock);
    if (held && held == j)
        urd__die(
            "urd_job_open: at %s, into the struct of the job started at %s, whose scope is not "
            "joined",
            where, j->scope.where);
}

static bool is_inside(urd_kind kind)
{
    return kind == URD_TASK || kind == URD_THREAD;
}

int urd_job_open_at(urd_job *j, urd_scope *s, urd_kind kind, urd_fn *fn, void *arg, size_t size,
                    const urd_job_options *o, const char *where)
{
    urd__wait_check_place(urd__task_self(), "urd_job_open", j);
    check_fresh(s, j, where);
    *j = (urd_job){.kind = kind, .pidfd = -1};
    urd__scope_init(&j->scope, s, NULL, where);
    if (o && o->name)
        memcpy(j->name, o->name, strnlen(o->name, sizeof j->name - 1));
    urd__go_args args = {.kind = kind,
                         .fn = fn,
                         .arg = arg,
                         .size = size,
                         .where = where,
                         .handle = j,
                         .grace_duration = o ? o->grace_duration : 0,
                         .process = o ? o->process : NULL};
    bool known = kind == URD_PROCESS || (is_inside(kind) && !args.process);
    int rc = known ? urd__go(s, &args) : -EINVAL;
    if (rc && !urd__load_acq(&j->ended)) { /* it never became a job */
        j->result = rc;
        snprintf(j->detail, sizeof j->detail, "not started");
        urd__store_rel(&j->ended, 1); /* [ended] */
        if (!known)
            urd__scope_fail(s, rc);
    }
    if (rc) /* nothing of it is left to close, so the struct may be used for another try */
        return rc;
    urd__lock(&s->lock);
    j->next = s->held;
    s->held = j;
    urd__unlock(&s->lock);
    return 0;
}

void urd__hold_begin(urd__job *job, urd__task *self)
{
    urd__store_rel(&job->handle->scope.owner, self);
}

void urd__hold_end(urd__job *job, int rc, bool failed)
{
    urd_job *j = job->handle;
    int none = 0;
    if (urd__load_acq(&j->scope.published))
        urd__scope_detach(j->scope.parent, &j->scope.member);
    urd__lock(&j->scope.lock);
    urd__store_rel(&j->scope.owner, NULL);
    if (failed)
        urd__cas_ar(&j->unread, &none, URD__UNREAD);
    j->result = rc;
    if (j->kind != URD_PROCESS)
        snprintf(j->detail, sizeof j->detail, "returned %d", rc);
    urd__store_rel(&j->ended, 1); /* [ended] pairs with urd_job_alive() */
    for (urd__waiter *waiter; (waiter = urd__wait_pop(&j->joiners)) != NULL;) {
        urd__hold_read(j);
        urd__task_ready(waiter->task);
    }
    urd__unlock(&j->scope.lock);
}

/* In a scope that is cancelled, or a job that is, an error is no more than how it ended. */
static void check_read(urd_scope *s, const urd_job *held)
{
    unsigned flags = urd__load_acq(&s->flags) | urd__load_acq(&held->scope.flags);
    if (!(flags & URD__SCOPE_KEEP_GOING) || (flags & URD__SCOPE_CANCELLED) ||
        urd__scope_cancelled(s))
        return;
    const char *name = held->name;
    urd__die("urd_scope_join: the job %s%sstarted at %s failed with %d (%s), and nobody asked for "
             "its result",
             name, name[0] ? ", " : "", held->scope.where, held->result,
             strerrordesc_np(-held->result));
}

void urd__hold_close(urd_scope *s, urd_job *held)
{
    if (held->scope.parent != s || held->next == held)
        urd__die(
            "urd_scope_join: the job started at %s is in the struct of one whose scope was not "
            "joined",
            held->scope.where);
    held->next = held; /* closed */
    if (urd__load_acq(&held->unread) == URD__UNREAD)
        check_read(s, held);
    if (held->pidfd >= 0)
        urd__os_close(held->pidfd);
    held->pidfd = -1;
}

int urd_job_join(urd_job *j)
{
    urd__task *self = urd__task_self();
    int rc = urd__wait_check(self);
    if (rc)
        return rc;
    if (urd_job_alive(j))
        urd__wait_be_found(self); /* once ended it stays so */
    urd__lock(&j->scope.lock);
    if (urd__load_acq(&j->ended)) { /* [ended] */
        urd__hold_read(j);
        urd__unlock(&j->scope.lock);
        return j->result;
    }
    urd__waiter waiter = {0};
    rc = urd__wait_on(self, &j->joiners, &j->scope.lock, &waiter, URD__ON_JOB, j);
    return rc ? rc : j->result;
}

bool urd_job_alive(const urd_job *j)
{
    return !urd__load_acq(&j->ended); /* [ended] */
}

void urd_job_cancel(urd_job *j)
{
    if (urd_job_alive(j))
        urd_scope_cancel(&j->scope, -ECANCELED);
}

const char *urd_job_name(const urd_job *j)
{
    return j->name;
}

/* A process is started by the helper; its pid is known a moment later. */
static pid_t wait_for_pid(const urd_job *j)
{
    if (j->kind != URD_PROCESS)
        return 0;
    pid_t pid;
    while ((pid = urd__load_acq(&j->pid)) == 0 && urd_job_alive(j)) /* [pid] */
        urd__os_futex_wait(&j->pid, 0, INT64_MAX);
    return pid > 0 ? pid : 0;
}

pid_t urd_job_pid(const urd_job *j)
{
    return wait_for_pid(j);
}

int urd_job_pidfd(const urd_job *j)
{
    return wait_for_pid(j) ? urd__load_acq(&j->pidfd) : -1;
}

int urd_job_kill(urd_job *j, int sig)
{
    if (j->kind != URD_PROCESS || sig < 0 || sig >= NSIG)
        return -EINVAL;
    int pidfd = urd_job_pidfd(j);
    if (pidfd < 0 || !urd_job_alive(j))
        return -ESRCH;
    urd__hold_read(j); /* to be killed is what it is to come to */
    if (sig == SIGKILL)
        urd__store_rel(&j->killed, 1); /* [killed] pairs with words_of() */
    return urd__os_pidfd_signal(pidfd, sig);
}

void urd_job_exit(const urd_job *j, urd_exit *out)
{
    *out = (urd_exit){.code = -1, .detail = "running"};
    if (urd_job_alive(j))
        return;
    urd__hold_read(j);
    out->detail = j->detail;
    if (j->kind != URD_PROCESS)
        return;
    if (WIFEXITED(j->status))
        out->code = WEXITSTATUS(j->status);
    else if (WIFSIGNALED(j->status))
        out->signal = WTERMSIG(j->status);
}
