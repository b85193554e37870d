/*
 * park.c - put a worker to sleep until there is something for it to do.
 *
 * SPDX-License-Identifier: MIT
 *
 * A worker that finds nothing looks for a bounded moment longer, then parks; who adds something
 * wakes a parked worker.  They race, and if each misses the other, a job waits for ever:
 *
 *     add:   A1 push the job, or the task          park:   B1 parked = 1
 *               onto the inbox                             B2 fence seq
 *            A2 fence seq                                  B3 anything there? do not sleep
 *            A3 parked? wake
 *
 * The fences are totally ordered.  If A2 is first, B3 sees what was added; if B2 is first, A3 sees
 * parked.  So one side always sees the other.
 *
 * A job is added so often that its A2 is no fence (6 ns of 25).  The worker makes one in every
 * thread of the process, by membarrier(2): if that comes after A1, B3 sees the job, else A3 comes
 * after it and sees parked.  It interrupts whoever computes, so a worker first sleeps for a
 * millisecond behind a fence of its own alone, and only if nothing has woken it makes the other one
 * and looks again.  So a job that fell between waits for a millisecond at the most, and a worker
 * that is woken sooner has interrupted nobody.  Where the kernel has no such barrier, and for what
 * is added seldom, who adds fences.
 *
 * While all workers are parked nobody adds without a fence, and the barrier is not needed: who
 * counts as parked has nothing in its deque, and a fence between the end of its sleep and the next
 * job that it adds (B4).  If that comes before a parker's B2, the parker does not find all parked;
 * else A3 sees it parked.
 *
 * A worker that has just started a thread does not look: the kernel likes to put the new thread
 * onto the same processor, where it would stand behind the look (a thread job then took 64 us
 * instead of 26, bench/kinds).  It does the same with one that is woken: a worker that has woken
 * another yields to it first, or that would run only when this one sleeps (45 us a wake instead of
 * 9, bench/wake).  And once a moment later, whoever looks: an answer may stand behind it, too (82
 * to 100 us there and back between two that slept, instead of 10 to 15, bench/apart).
 *
 * Where a worker adds a job and goes on computing, the woken one should begin on another processor.
 * On a virtual machine the kernel takes one that the host has put to sleep for one that is not to
 * be had, and puts the woken thread behind its waker, for a time slice of 3 ms: two workers then
 * take as long as one for a burst of 2 ms (bench/burst).  So the waker takes its own processor out
 * of the sleeper's mask before it wakes it, and the sleeper puts the mask back before it runs
 * anything; [moved] says whose turn it is, set before AWAKE is, so the sleeper does not miss it.
 *
 * A job wakes nobody while some worker is searching, since that one will find it: a searcher ends
 * its search before B1, so the same argument holds with `searching` in the place of `parked`.  It
 * wakes another when it has found something and was the last to search (stop_searching in
 * sched.c), since jobs may have been added meanwhile that woke nobody.
 *
 * A worker for whose tasks I/O is pending sleeps in its poller, which ends when some has come, else
 * on the futex, which is quicker to wake.  `parked` says which, so who changes it to AWAKE by
 * compare-and-swap knows how to wake the worker; he also counts it out.  What is pending cannot
 * become more while the worker is parked: waits for I/O begin on its own thread, or where another
 * is pending already.  The poller must not be closed under a waker, which `waking` counts.
 *
 * Rejected: handing the job to the woken worker (it may be run sooner where it is); membarrier(2)
 * at each B2 (every worker that parks, if only for a moment, then interrupts all processors: 15 us
 * with one other running, and more with more).
 * Checked: test/model/park.c, where a worker hesitates no time, and which loses a wakeup when
 * either fence or the second look is out.
 */
#include "base/atomic.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/lock.h"
#include "base/os.h"
#include "core/runtime.h"
#include "core/worker.h"

/* Some 50 us: about what it costs to wake a sleeping core on a virtual machine. */
#ifdef URD_MODEL
enum { SPINS = 0, SPINS_OF_MANNERS = 1, HESITATE_NS = 0 };
#else
enum { SPINS = 1000, SPINS_OF_MANNERS = 30, HESITATE_NS = 1000000 };
#endif

static bool anything_for(const urd__worker *self)
{
    if (urd__load_acq(&self->inbox) || urd__load_acq(&urd__rt.injected) > 0 ||
        urd__load_acq(&urd__rt.stopping) || urd__load_acq(&urd__interrupted)) /* [interrupt] */
        return true;
    for (unsigned i = 0; i < urd__rt.nworkers; i++)
        if (!urd__deque_empty(&urd__rt.workers[i].deque))
            return true;
    return false;
}

/* Where it slept, for the one who changed that; AWAKE for all others. */
static int unpark(urd__worker *worker)
{
    int parked = urd__load_acq(&worker->parked); /* [unpark] who woke us is in `waking` still */
    if (parked == URD__AWAKE || !urd__cas_ar(&worker->parked, &parked, URD__AWAKE)) /* [unpark] */
        return URD__AWAKE;
    urd__sub_ar(&urd__rt.parked, 1);
    urd__add_ar(&urd__rt.unparks, 1); /* before it takes what it saw: advance_clock() */
    return parked;
}

/* Whose `cpus` are: nobody's, the waker's who fills them, the worker's that puts itself back. */
enum { UNMOVED, MOVING, MOVED };

/* `to_help`: the caller goes on computing. */
static bool wake(urd__worker *worker, bool to_help)
{
    int unmoved = UNMOVED;
    bool move = to_help && urd__worker_self && urd__cas_ar(&worker->moved, &unmoved, MOVING);
    urd__add_ar(&urd__rt.waking, 1); /* [waking] pairs with stop() in runtime.c */
    int slept = unpark(worker);
    if (slept != URD__AWAKE && urd__worker_self)
        urd__worker_self->woke = true;
    if (move) {
        move = slept != URD__AWAKE && urd__os_keep_off(worker->id, urd__os_cpu(), worker->cpus);
        urd__store_rel(&worker->moved, move ? MOVED : UNMOVED); /* [moved] */
    }
    if (slept == URD__IN_FUTEX)
        urd__os_futex_wake(&worker->parked, 1);
    else if (slept == URD__IN_POLLER)
        urd__load_acq(&urd__rt.io)->wake(worker);
    urd__sub_ar(&urd__rt.waking, 1); /* [waking] */
    return slept != URD__AWAKE;
}

/* Who woke it had MOVING there before, and whatever runs next may start threads, or programs. */
static void move_back(urd__worker *self)
{
    int moved;
    while ((moved = urd__load_acq(&self->moved)) == MOVING) /* [moved] */
        urd__os_yield();
    if (moved == UNMOVED)
        return;
    urd__os_put_back(self->cpus);
    urd__store_rel(&self->moved, UNMOVED); /* [moved] */
}

void urd__park_wake(urd__worker *worker)
{
    if (urd__load_rlx(&worker->parked)) /* A3, ordered by the caller's fence */
        wake(worker, false);
}

void urd__park_wake_any(void)
{
    /* A3, both ordered by the caller's fence */
    if (urd__load_rlx(&urd__rt.parked) == 0 || urd__load_rlx(&urd__rt.searching) > 0)
        return;
    for (unsigned i = 0; i < urd__rt.nworkers; i++) {
        urd__worker *worker = &urd__rt.workers[i];
        if (urd__load_rlx(&worker->parked) && wake(worker, true)) /* a hint; unpark() decides */
            return;
    }
}

void (*urd__quiet)(void);

/* So long nothing has happened before anybody asks whether anything can. */
static const int64_t QUIET_NS = 100000000;

bool urd__io_pending(void)
{
    bool any = urd__load_acq(&urd__rt.io_threads) > 0 || urd__load_acq(&urd__rt.words) > 0;
    for (unsigned i = 0; i < urd__rt.nworkers && !any; i++)
        any = urd__load_acq(&urd__rt.workers[i].io_waits) > 0;
    return any;
}

/* A worker counts as parked a moment before it looks around for the last time. */
static bool all_at_rest(void)
{
    if (urd__load_acq(&urd__rt.parked) != (int)urd__rt.nworkers ||
        urd__load_acq(&urd__rt.outside) != 0)
        return false;
    for (unsigned i = 0; i < urd__rt.nworkers; i++)
        if (urd__load_acq(&urd__rt.workers[i].inbox))
            return false;
    return !anything_for(&urd__rt.workers[0]);
}

/*
 * Virtual time: when every worker sleeps and nobody works outside, nothing happens before the
 * earliest timer, so it is that time now.  If a worker went on meanwhile, it looks again itself as
 * it parks.  Who waits for I/O is at rest when the kernel has nothing for it: then the clock moves
 * on, or no deadline of an I/O call would ever pass.
 */
static void advance_clock(void)
{
    static int lock; /* one worker advances at a time */
    urd__lock(&lock);
    int unparks = urd__load_acq(&urd__rt.unparks);
    bool at_rest = all_at_rest();
    int64_t earliest = INT64_MAX;
    for (unsigned i = 0; at_rest && i < urd__rt.nworkers; i++) {
        int64_t when = urd__load_acq(&urd__rt.workers[i].timers.earliest); /* [earliest] */
        earliest = when < earliest ? when : earliest;
    }
    bool io = at_rest && urd__io_pending();
    const urd__io_ops *ops = urd__load_acq(&urd__rt.io);
    if (io && ops)
        at_rest = ops->quiet();
    at_rest = at_rest && urd__load_acq(&urd__rt.unparks) == unparks;
    bool for_ever = at_rest && earliest == INT64_MAX && !io;
    if (for_ever && !urd__quiet)
        urd__die("deadlock: every job waits, and no timer is set that could wake one");
    at_rest = at_rest && earliest != INT64_MAX;
    if (at_rest)
        urd__clock_advance(earliest);
    for (unsigned i = 0; at_rest && i < urd__rt.nworkers; i++)
        if (urd__load_acq(&urd__rt.workers[i].timers.earliest) <= earliest)
            urd__park_wake(&urd__rt.workers[i]);
    urd__unlock(&lock);
    if (for_ever)
        urd__quiet();
}

bool urd__park_quiet(void)
{
    for (unsigned i = 0; i < urd__rt.nworkers; i++)
        if (urd__load_acq(&urd__rt.workers[i].timers.earliest) != INT64_MAX) /* [earliest] */
            return false;
    return !urd__io_pending() && all_at_rest();
}

void urd__park_settle(void)
{
    urd__fence_seq(); /* A2, for `outside` */
    /* As it parks again it looks whether all is at rest. */
    if (urd__clock_is_virtual() || urd__load_acq(&urd__rt.parked) == (int)urd__rt.nworkers)
        urd__park_wake(&urd__rt.workers[0]);
}

/* I/O has made a task ready: no reason to sleep. */
static bool io_came(urd__worker *self, int64_t until)
{
    urd__load_acq(&urd__rt.io)->poll(self, until);
    return self->ready_first != NULL;
}

/* Sleep for a moment, at the most until `until`.  False: nothing came. */
static bool nap(urd__worker *self, int where, int64_t until)
{
    int64_t end = urd__os_now() + HESITATE_NS;
    end = until < end ? until : end;
    while (urd__load_acq(&self->parked)) {
        if (urd__os_now() >= end)
            return end == until;
        if (where == URD__IN_FUTEX)
            urd__os_futex_wait(&self->parked, URD__IN_FUTEX, end);
        else if (io_came(self, end))
            return true;
    }
    return true;
}

/* By each worker's own word: who wakes one counts it out a moment later. */
static bool all_parked(void)
{
    for (unsigned i = 0; i < urd__rt.nworkers; i++)
        if (urd__load_acq(&urd__rt.workers[i].parked) == URD__AWAKE)
            return false;
    return true;
}

/* Who adds jobs makes no fence: B2 is to be theirs, too.  True: there is something to do. */
static bool look_behind_all(urd__worker *self, int where, int64_t until)
{
    if (urd__deque_fenced || all_parked())
        return false;
    if (HESITATE_NS > 0 && !urd__clock_is_virtual() && nap(self, where, until))
        return true;
    if (!all_parked())
        urd__os_barrier_all(); /* B2 */
    return anything_for(self); /* B3 */
}

static void sleep_parked(urd__worker *self, int where)
{
    bool virtual_time = urd__clock_is_virtual(), look = virtual_time;
    int64_t until = virtual_time ? INT64_MAX : urd__load_acq(&self->timers.earliest);
    if (look_behind_all(self, where, until))
        return;
    bool quiet = urd__quiet && !virtual_time && urd__park_quiet();
    if (quiet)
        until = urd__os_now() + QUIET_NS;
    while (urd__load_acq(&self->parked)) {
        if (until != INT64_MAX && urd__os_now() >= until) {
            if (!quiet)
                break;
            quiet = false;
            until = INT64_MAX;
            urd__quiet();
        }
        if (virtual_time && where == URD__IN_POLLER && io_came(self, 0))
            break; /* else the kernel knows of all waits now, so that quiet() sees them */
        if (look)
            advance_clock();
        look = virtual_time && where == URD__IN_POLLER; /* what came may have been for nobody */
        if (virtual_time && !urd__load_acq(&self->parked))
            break; /* the poller may have swallowed the wake above */
        if (where == URD__IN_FUTEX)
            urd__os_futex_wait(&self->parked, URD__IN_FUTEX, until);
        else if (io_came(self, until))
            break;
    }
}

void urd__park(urd__worker *self)
{
    int where = urd__load_acq(&self->io_waits) > 0 ? URD__IN_POLLER : URD__IN_FUTEX;
    /* Who waits for I/O does not look: while it does, nothing would come from the kernel. */
    if (urd__rt.nworkers > 1 && where == URD__IN_FUTEX && !self->gave_way) {
        if (self->woke)
            urd__os_yield();
        self->woke = false;
        for (int i = 0; i < SPINS; i++) {
            if (i == SPINS_OF_MANNERS)
                urd__os_yield();
            if (!urd__worker_may_steal(self)) {
                /* Not even a look at the others' deques, which would slow them down. */
                if (urd__load_acq(&self->inbox) || urd__load_acq(&urd__rt.stopping))
                    return;
                i = 0;
            } else if (anything_for(self)) {
                return;
            }
            urd__spin_hint();
        }
    }
    self->gave_way = false;
    urd__stack_trim(&self->stacks);
    urd__compact_trim(self);
    if (self->searching) {
        self->searching = false;
        urd__sub_ar(&urd__rt.searching, 1);
    }
    urd__add_ar(&urd__rt.parked, 1);
    urd__store_rel(&self->parked, where); /* B1 */
    urd__fence_seq();                     /* B2 */
    if (!anything_for(self))              /* B3 */
        sleep_parked(self, where);
    unpark(self);
    urd__fence_seq(); /* B4 */
    move_back(self);
    self->now = urd__clock_now();
    self->now_tick = self->tick;
}
