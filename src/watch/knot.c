/*
 * knot.c - find a ring of locks, in a report or at the moment at which it closes.
 *
 * SPDX-License-Identifier: MIT
 *
 * From a task that waits for a lock one goes on to its holder, to what that one waits for, and so
 * on, until that leads nowhere or back.  Memory is read while jobs run, so each step may be old
 * news by the next.  A ring is believed after two more looks:
 *
 *     1. for each in turn: it waits (its wait's number is noted); this one holds what it waits for
 *     2. for each: that one still holds it
 *     3. for each: it still waits, and the number is the same
 *
 * So each one waited, without a break, from 1 to 3, and between them at 2 was held by one who
 * waited: who waits gives nothing back.  Hence at the end of 1 all of it held at once.
 *
 * With urd_config.debug_locks every task looks for a ring when it has begun to wait for a lock.
 * Of two that close one at the same moment, one sees it:
 *
 *     K1 the wait begins (its word is stored)
 *     K2 fence seq
 *     K3 go from holder to holder
 *
 * A ring may also close through a scope: the last one waits for jobs among which is the first.
 * That is seen by the job that waits for the lock; it is not where the join comes last, since a
 * scope does not know its jobs: a report finds it then, and so does the search for deadlocks.
 *
 * Rejected: to abort, since a deadline may yet untie it; an order of locks, learnt from all that
 * were ever held together (finds what might happen, and costs for each lock that is free).
 */
#include "watch/knot.h"

#include "base/atomic.h"
#include "base/os.h"
#include "core/wait.h"
#include "watch/dump.h"

enum { SCOPES_MAX = 1 << 14, TOLD_MAX = 10 };

static const uintptr_t OWNER_BITS = 7; /* of the word of a mutex: more than it uses */

static bool is_lock(int reason, enum urd__layout_id *owner)
{
    static const struct {
        int reason;
        enum urd__layout_id owner;
    } locks[] = {{URD__ON_MUTEX, URD__AT_MUTEX_OWNER},
                 {URD__ON_RMUTEX, URD__AT_RMUTEX_OWNER},
                 {URD__ON_RWLOCK_READ, URD__AT_RWLOCK_OWNER},
                 {URD__ON_RWLOCK_WRITE, URD__AT_RWLOCK_OWNER},
                 {URD__ON_ONCE, URD__AT_ONCE_OWNER}};
    for (size_t i = 0; i < sizeof locks / sizeof *locks; i++) {
        *owner = locks[i].owner;
        if (locks[i].reason == reason)
            return true;
    }
    return false;
}

uintptr_t urd__knot_owner(const urd__view *view, const urd__view_task *task)
{
    enum urd__layout_id field;
    if (task->state != URD__WAITS || !is_lock(task->reason, &field))
        return 0;
    uintptr_t owner = urd__view_field(view, task->on, field) & ~OWNER_BITS;
    return owner == task->at ? 0 : owner; /* a writer has its turn, and waits for readers */
}

bool urd__knot_by_scope(const urd__view_task *last)
{
    return last->reason == URD__ON_SCOPE || last->reason == URD__ON_JOB;
}

/* Does the task wait for jobs, among which is the one that the task at `first` runs? */
static bool awaits(const urd__view *view, const urd__view_task *task, uintptr_t first)
{
    if (!urd__knot_by_scope(task))
        return false;
    uintptr_t scope = task->on;
    if (task->reason == URD__ON_JOB)
        scope += view->offset[URD__AT_HANDLE_SCOPE];
    uintptr_t at = urd__view_field(view, first, URD__AT_TASK_SCOPE);
    for (int depth = 0; at && at != scope && depth < SCOPES_MAX; depth++)
        at = urd__view_field(view, at, URD__AT_SCOPE_PARENT);
    return at == scope;
}

/* 1: the ring, as it seems. */
static int walk(const urd__view *view, uintptr_t first, urd__view_task *ring)
{
    uintptr_t at = first;
    for (int n = 0; n < URD__KNOT_MAX; n++) {
        if (!urd__view_wait(view, at, &ring[n]))
            return 0;
        if (n > 0 && awaits(view, &ring[n], first))
            return n + 1;
        at = urd__knot_owner(view, &ring[n]);
        if (!at)
            return 0;
        if (at == first)
            return n + 1;
    }
    return 0;
}

int urd__knot_from(const urd__view *view, uintptr_t first, urd__view_task *ring)
{
    int n = walk(view, first, ring);
    for (int i = 0; i < n; i++) { /* 2 */
        bool by_scope = i == n - 1 && urd__knot_by_scope(&ring[i]);
        if (!by_scope && urd__knot_owner(view, &ring[i]) != ring[(i + 1) % n].at)
            return 0;
    }
    for (int i = 0; i < n; i++) { /* 3 */
        urd__view_task now;
        if (!urd__view_wait(view, ring[i].at, &now) || now.wait != ring[i].wait)
            return 0;
    }
    return n;
}

/* ---- as it closes ---- */

static urd__view own; /* set before all threads */
static int told;      /* atomic: rings so far */

static void write_report(const urd__report *report, void *unused, urd__out *out)
{
    (void)unused;
    urd__report_cycles(report, true, out);
}

static void watch(urd__task *self)
{
    enum urd__layout_id unused;
    urd__view_task ring[URD__KNOT_MAX];
    if (!is_lock(urd__load_rlx(&self->reason), &unused)) /* own store */
        return;
    urd__fence_seq();                                       /* K2 */
    if (urd__knot_from(&own, (uintptr_t)self, ring) == 0 || /* K3 */
        urd__add_ar(&told, 1) >= TOLD_MAX)
        return;
    urd__out out = {0};
    urd__out_print(&out, "urd: ");
    urd__dump_apart(write_report, NULL, &out);
    if (out.text)
        urd__os_write_error(out.text, out.used);
    urd__out_free(&out);
}

void urd__knot_watch(bool on)
{
    urd__store_rel(&told, 0); /* no other thread is there */
    bool can = on && urd__view_peek(&own, 0, (uintptr_t)&urd__layout_own) == 0;
    urd__wait_watch = can ? watch : NULL;
}
