/*
 * cancel.c - cancel a scope: mark it, then wake what waits in it and below.
 *
 * SPDX-License-Identifier: MIT
 *
 * Whether a scope is cancelled is asked upwards: by the scope itself and those around it, up to a
 * shield.  Parents never change and outlive their children, so no lock is needed; and as long as
 * no cancel has happened anywhere (the epoch) the answer for the scopes around is remembered.
 *
 * Waking goes downwards, through the lists of members.  A scope or task is linked into the list of
 * the scope around it only when a task in it first blocks ("published"); most scopes of a
 * fork-join never are.  Invariant: who is published has a published parent.  So links are made
 * from the top down, each under its parent's lock.
 *
 * The walk holds the locks of all scopes on its path, parents first.  A member leaves its list
 * under its parent's lock, so what the walk looks at does not go away under it.
 *
 * A member links itself before it looks for a cancel (a task in W3 in wait.c).  If the walk passed
 * its list, or that of a scope around it, before it was linked, the lock orders the mark before
 * that look, and the member sees it: no fence is needed for that.
 *
 * Checked: test/model/scope.c.
 */
#include <errno.h>

#include "base/atomic.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/lock.h"
#include "core/runtime.h"
#include "core/scope.h"
#include "core/wait.h"

bool urd__scope_cancelled_around(urd_scope *s, uint64_t epoch)
{
    urd_scope *last = s;
    for (urd_scope *outer = s->parent; outer; outer = outer->parent) {
        unsigned flags = urd__load_acq(&outer->flags); /* [cancel] */
        if (flags & URD__SCOPE_CANCELLED)
            return true;
        if ((flags & URD__SCOPE_SHIELD) || urd__load_rlx(&outer->checked) == epoch)
            break;
        last = outer;
    }
    /* Remembered all the way, or a chain of n joins would take n * n steps.  `checked` is a number
     * that says nothing about other memory. */
    for (urd_scope *at = s; at != last; at = at->parent)
        urd__store_rlx(&at->checked, epoch); /* see above */
    urd__store_rlx(&last->checked, epoch);   /* see above */
    return false;
}

bool urd_cancelled(void)
{
    urd__task *self = urd__task_self();
    if (!self->scope)
        return false;
    /* A job that only asks here and never waits would else keep its own deadline from passing. */
    if (self->worker) {
        urd__worker_fire_timers(self->worker);
        urd__runtime_heed();
    } else {
        urd__scope_pass_deadlines(self->scope);
    }
    return urd__scope_cancelled(self->scope);
}

static bool is_published(urd_scope *s)
{
    return urd__load_acq(&s->published); /* [publish] */
}

static void publish_one(urd_scope *s)
{
    urd__lock(&s->parent->lock);
    if (!is_published(s)) {
        urd__list_push_tail(&s->parent->inner, &s->member.link);
        urd__store_rel(&s->published, 1); /* [publish] pairs with is_published() */
    }
    urd__unlock(&s->parent->lock);
}

/* There are no links downwards yet, so the way is noted; in parts, as it may be long. */
void urd__scope_publish(urd_scope *s)
{
    enum { NOTED = 32 };
    urd_scope *way[NOTED];
    while (!is_published(s)) {
        unsigned n = 0;
        for (urd_scope *at = s; !is_published(at); at = at->parent)
            way[n++ % NOTED] = at;
        for (unsigned i = 0; i < n && i < NOTED; i++)
            publish_one(way[(n - 1 - i) % NOTED]);
    }
}

static void cancel_task(urd__member *member, urd_scope *s)
{
    urd__wait_cancel(urd__container(member, urd__task, member), s);
}

/* A scope's owner is found through the scope; another task in it needs a link of its own. */
void urd__scope_publish_task(urd__task *task, urd_scope *s)
{
    urd__scope_publish(s);
    if (urd__load_acq(&s->owner) == task || task->member_of == s)
        return;
    urd__assert(!task->member_of);
    task->member.cancel = cancel_task;
    urd__scope_attach(s, &task->member);
    task->member_of = s;
}

void urd__scope_forget_task(urd__task *task)
{
    if (!task->member_of)
        return;
    urd__scope_detach(task->member_of, &task->member);
    task->member_of = NULL;
}

bool urd__scope_attach(urd_scope *s, urd__member *member)
{
    urd__scope_publish(s);
    urd__lock(&s->lock);
    urd__list_push_tail(&s->inner, &member->link);
    urd__unlock(&s->lock);
    return urd__scope_cancelled(s);
}

void urd__scope_detach(urd_scope *s, urd__member *member)
{
    urd__lock(&s->lock);
    urd__list_remove(&member->link);
    urd__unlock(&s->lock);
}

static void wake_owner(urd_scope *s)
{
    urd__task *owner = urd__load_acq(&s->owner);
    if (owner)
        urd__wait_cancel(owner, s);
}

/* Without recursion: the way back up is in the scopes' parents, whose locks are held. */
static void wake_below(urd_scope *top)
{
    urd_scope *s = top;
    urd__lock(&s->lock);
    wake_owner(s);
    urd__link *link = s->inner.next;
    for (;;) {
        if (link == &s->inner) {
            urd__unlock(&s->lock);
            if (s == top)
                return;
            link = s->member.link.next; /* stays linked: its parent's lock is held */
            s = s->parent;
            continue;
        }
        urd__member *member = urd__container(link, urd__member, link);
        link = link->next;
        if (member->cancel) {
            member->cancel(member, s);
            continue;
        }
        urd_scope *inner = urd__container(member, urd_scope, member);
        if (urd__load_acq(&inner->flags) & URD__SCOPE_SHIELD)
            continue;
        urd__lock(&inner->lock);
        wake_owner(inner);
        s = inner;
        link = s->inner.next;
    }
}

void urd_scope_cancel(urd_scope *s, int cause)
{
    int none = 0;
    urd__cas_ar(&s->cause, &none, cause < 0 ? cause : -ECANCELED);
    if (urd__or_ar(&s->flags, URD__SCOPE_CANCELLED) & URD__SCOPE_CANCELLED) /* C1 [cancel] */
        return;
    urd__add_ar(&urd__rt.cancel_epoch, 1); /* C1 [cancel] */
    urd__fence_seq();                      /* C2 */
    wake_below(s);                         /* C3 */
}

static bool deadline_passed(urd__timer *timer)
{
    urd_scope_cancel(urd__container(timer, urd_scope, timer), -ETIMEDOUT);
    return false;
}

const urd__timer_ops urd__scope_deadline = {.fire = deadline_passed};

int64_t urd__scope_pass_deadlines(urd_scope *s)
{
    int64_t next = INT64_MAX;
    for (; s; s = s->parent) {
        int64_t when = urd__timer_when(&s->timer);
        if (when <= urd__clock_now()) {
            urd__timer_stop(&s->timer);
            urd_scope_cancel(s, -ETIMEDOUT);
        } else if (when < next) {
            next = when;
        }
    }
    return next;
}

void urd_scope_deadline(urd_scope *s, urd_time when)
{
    if (when == URD_FOREVER) {
        urd__timer_stop(&s->timer);
        return;
    }
    if (when <= urd__clock_now()) {
        urd__timer_stop(&s->timer);
        urd_scope_cancel(s, -ETIMEDOUT);
        return;
    }
    urd__runtime_need("urd_scope_deadline");
    const urd__task *owner = urd__load_acq(&s->owner);
    urd__worker *worker = owner && owner->worker ? owner->worker : &urd__rt.workers[0];
    if (urd__timer_set(&worker->timers, &s->timer, when) && worker != urd__worker_self) {
        urd__fence_seq(); /* A2 in park.c */
        urd__park_wake(worker);
    }
}
