/*
 * blocking_lock.c - mutexes and conditions of POSIX that tasks lock and wait for.
 *
 * SPDX-License-Identifier: MIT
 *
 * A mutex stays the C library's, so tasks and threads exclude each other; a task tries it, and
 * where it is taken waits in a queue of our own, which is found by the mutex's address.  Whoever
 * unlocks one looks whether a task waits for it.
 *
 *     lock (task):  L1 waiting + 1, enqueue        unlock (any):  U1 unlock the mutex
 *                   L2 fence seq                                  U2 fence seq
 *                   L3 try again; taken? sleep                    U3 waiting? wake the first
 *
 * The fences are totally ordered.  If L2 is first, U3 sees the waiter; if U2 is first, L3 finds the
 * mutex unlocked, or another's, whose unlock is yet to come.  A woken task tries again, and he who
 * takes the mutex first has it: nobody is promised a turn, as with the C library's.  What unlocks
 * inside of the C library, a thread that waits for a condition, cannot be seen here; so a task
 * looks again by itself, after 1 ms, 2, 4 ... at most 64.
 *
 * A mutex that knows its owner knows the thread, and all tasks of a worker are one thread.  So for
 * those that are recursive or check errors, which task it is and how often is noted here, in
 * entries of a fixed number, since malloc itself may lock mutexes.
 *
 * For a condition all tasks that wait are in our queue, threads in the C library's: a signal wakes
 * a task if there is one, and else a thread.  A waiter is in the queue before its mutex is
 * unlocked, so who changes what it waits for under that mutex sees it.
 *
 * To lock is no cancel point: hardly anybody looks at what it returns, and all go on as if they had
 * it.
 */
#include <errno.h>

#include "base/atomic.h"
#include "base/list.h"
#include "blocking/blocking.h"

enum { QUEUES = 256, ENTRIES = 16384, RECURSIVE = 1, ERRORS = 2, KINDS = 3, MONOTONIC_BIT = 2 };
enum { FAR_KINDS = 16 | 32 | 64 | 128 }; /* robust, of a priority, between processes */
static const urd_time AGAIN = URD_MS, AGAIN_MAX = 64 * URD_MS;

/* On the stack of the task that waits. */
typedef struct parked {
    urd__link link; /* under the queue's lock, as is all else */
    const void *on;
    bool woken;
    urd_event event;
} parked;

/* A mutex whose owner is noted. */
typedef struct entry {
    struct entry *next; /* in its queue, or of those that are free */
    const void *mutex, *task;
    unsigned depth;
} entry;

typedef struct queue {
    _Alignas(64) pthread_mutex_t lock;
    int waiting; /* atomic, changed under lock: how many are in the list */
    urd__link waits;
    entry *owned; /* under lock */
} queue;

static queue queues[QUEUES];
static struct {
    pthread_mutex_t lock;
    entry *first;
    unsigned used; /* of `all`, the rest never was */
    entry all[ENTRIES];
} entries = {.lock = PTHREAD_MUTEX_INITIALIZER};

static queue *queue_of(const void *on)
{
    uint64_t hash = (uintptr_t)on * UINT64_C(0x9e3779b97f4a7c15);
    return &queues[hash >> 56];
}

_Static_assert(QUEUES == 256, "the upper byte of a hash");

/* All zero is a mutex, and is not yet a list. */
static void enter(queue *q)
{
    urd__blocking_real()->pthread_mutex_lock(&q->lock);
    if (!q->waits.next)
        urd__list_init(&q->waits);
}

static void leave(queue *q)
{
    urd__blocking_real()->pthread_mutex_unlock(&q->lock);
}

/* ---- The queue ------------------------------------------------------------------------------- */

static void enqueue(queue *q, parked *p)
{
    urd__list_push_tail(&q->waits, &p->link);
    urd__add_ar(&q->waiting, 1); /* L1 */
}

static void dequeue(queue *q, parked *p)
{
    urd__list_remove(&p->link);
    urd__sub_ar(&q->waiting, 1);
}

/* The first n that wait there: how many there were.  Under lock an event is set as a whole, so
 * nobody touches who has found that it was woken. */
static int wake(const void *on, int n)
{
    queue *q = queue_of(on);
    int done = 0;
    if (urd__load_acq(&q->waiting) == 0) /* U3 */
        return 0;
    enter(q);
    for (urd__link *link = q->waits.next, *next; link != &q->waits && done < n; link = next) {
        parked *p = urd__container(link, parked, link);
        next = link->next;
        if (p->on != on)
            continue;
        dequeue(q, p);
        p->woken = true;
        urd_event_set(&p->event);
        done++;
    }
    leave(q);
    return done;
}

/* Until woken: 0; or -ETIMEDOUT, -ECANCELED, and it is in no queue any more. */
static int park(queue *q, parked *p, urd_time until, bool shielded)
{
    urd_scope s;
    urd_scope_open(&s);
    if (shielded)
        urd_scope_shield(&s);
    if (until != URD_FOREVER)
        urd_scope_deadline(&s, until);
    int rc = urd_event_wait(&p->event), over = urd_scope_join(&s);
    if (rc == 0)
        return 0;
    enter(q);
    bool woken = p->woken;
    if (!woken)
        dequeue(q, p);
    leave(q);
    return woken ? 0 : over;
}

urd_time urd__blocking_time(clockid_t clock, const struct timespec *when)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return urd__blocking_after(when->tv_sec - now.tv_sec, when->tv_nsec - now.tv_nsec);
}

/* Each time that it is woken or looks by itself it tries as one that is in the queue already. */
int urd__blocking_line(void *on, int (*attempt)(void *on), urd_time until, bool shielded)
{
    queue *q = queue_of(on);
    for (urd_time again = AGAIN;; again = again < AGAIN_MAX ? 2 * again : again) {
        parked p = {.on = on};
        enter(q);
        enqueue(q, &p);
        urd__fence_seq();     /* L2 */
        int rc = attempt(on); /* L3 */
        if (rc != EBUSY)
            dequeue(q, &p);
        leave(q);
        if (rc != EBUSY)
            return rc;
        urd_time now = urd_now();
        rc = park(q, &p, until - now < again ? until : now + again, shielded);
        if (rc && rc != -ETIMEDOUT)
            return -rc;
        if (rc && until <= urd_now())
            return ETIMEDOUT;
    }
}

int urd__blocking_wake(const void *on, int n)
{
    urd__fence_seq(); /* U2 */
    return wake(on, n);
}

/* ---- Owners ---------------------------------------------------------------------------------- */

static entry *new_entry(void)
{
    urd__blocking_real()->pthread_mutex_lock(&entries.lock);
    entry *e = entries.first;
    if (e)
        entries.first = e->next;
    else if (entries.used < ENTRIES)
        e = &entries.all[entries.used++];
    urd__blocking_real()->pthread_mutex_unlock(&entries.lock);
    return e;
}

static void free_entry(entry *e)
{
    urd__blocking_real()->pthread_mutex_lock(&entries.lock);
    e->next = entries.first;
    entries.first = e;
    urd__blocking_real()->pthread_mutex_unlock(&entries.lock);
}

static entry **find_entry(queue *q, const void *mutex)
{
    entry **at = &q->owned;
    while (*at && (*at)->mutex != mutex)
        at = &(*at)->next;
    return at;
}

/* Under lock. */
static int try_owned(queue *q, pthread_mutex_t *m, const void *task, int kind)
{
    entry *e = *find_entry(q, m);
    if (e && e->task == task && kind == ERRORS)
        return EDEADLK;
    if (e && e->task == task)
        return e->depth == UINT32_MAX ? EAGAIN : (e->depth++, 0);
    if (e)
        return EBUSY;
    e = new_entry();
    int rc = e ? urd__blocking_real()->pthread_mutex_trylock(m) : EAGAIN;
    if (rc == 0) {
        *e = (entry){q->owned, m, task, 1};
        q->owned = e;
    } else if (e) {
        free_entry(e);
    }
    return rc;
}

static int unlock_owned(pthread_mutex_t *m, const void *task)
{
    queue *q = queue_of(m);
    enter(q);
    entry **at = find_entry(q, m), *e = *at;
    int rc = e && e->task == task ? 0 : EPERM;
    if (rc == 0 && --e->depth == 0) {
        *at = e->next;
        free_entry(e);
        rc = urd__blocking_real()->pthread_mutex_unlock(m); /* U1 */
    }
    leave(q);
    return rc;
}

/* ---- Mutexes --------------------------------------------------------------------------------- */

static int kind_of(const pthread_mutex_t *m)
{
    return m->__data.__kind & KINDS;
}

static bool is_ours(const pthread_mutex_t *m)
{
    return !(m->__data.__kind & FAR_KINDS);
}

static bool knows_owner(const pthread_mutex_t *m)
{
    return kind_of(m) == RECURSIVE || kind_of(m) == ERRORS;
}

/* Under lock where the owner is noted. */
static int try(queue *q, pthread_mutex_t *m)
{
    return knows_owner(m) ? try_owned(q, m, urd_task_id(), kind_of(m))
                          : urd__blocking_real()->pthread_mutex_trylock(m);
}

static int try_mutex(pthread_mutex_t *m)
{
    if (!knows_owner(m))
        return try(NULL, m);
    queue *q = queue_of(m);
    enter(q);
    int rc = try(q, m);
    leave(q);
    return rc;
}

static int try_under_lock(void *m)
{
    return try(queue_of(m), m);
}

static int lock_mutex(pthread_mutex_t *m)
{
    int rc = try_mutex(m);
    return rc == EBUSY ? urd__blocking_line(m, try_under_lock, URD_FOREVER, true) : rc;
}

static int lock_by(pthread_mutex_t *m, clockid_t clock, const struct timespec *when)
{
    int rc = try_mutex(m);
    if (rc == EBUSY && !urd__blocking_is_time(when))
        return EINVAL;
    urd_time until = rc == EBUSY ? urd__blocking_time(clock, when) : 0;
    return rc == EBUSY ? urd__blocking_line(m, try_under_lock, until, true) : rc;
}

static int unlock_mutex(pthread_mutex_t *m)
{
    int rc = knows_owner(m) ? unlock_owned(m, urd_task_id())
                            : urd__blocking_real()->pthread_mutex_unlock(m); /* U1 */
    urd__blocking_wake(m, 1);
    return rc;
}

int pthread_mutex_lock(pthread_mutex_t *m)
{
    return is_ours(m) && URD__CAUGHT() ? lock_mutex(m)
                                       : urd__blocking_real()->pthread_mutex_lock(m);
}

int pthread_mutex_timedlock(pthread_mutex_t *restrict m, const struct timespec *restrict when)
{
    return is_ours(m) && URD__CAUGHT() ? lock_by(m, CLOCK_REALTIME, when)
                                       : urd__blocking_real()->pthread_mutex_timedlock(m, when);
}

int pthread_mutex_clocklock(pthread_mutex_t *restrict m, clockid_t clock,
                            const struct timespec *restrict when)
{
    return is_ours(m) && URD__CAUGHT()
               ? lock_by(m, clock, when)
               : urd__blocking_real()->pthread_mutex_clocklock(m, clock, when);
}

int pthread_mutex_trylock(pthread_mutex_t *m)
{
    if (!is_ours(m) || !URD__CAUGHT())
        return urd__blocking_real()->pthread_mutex_trylock(m);
    int rc = try_mutex(m);
    return rc == EDEADLK ? EBUSY : rc;
}

int pthread_mutex_unlock(pthread_mutex_t *m)
{
    if (is_ours(m) && URD__CAUGHT())
        return unlock_mutex(m);
    int rc = urd__blocking_real()->pthread_mutex_unlock(m); /* U1 */
    urd__blocking_wake(m, 1);
    return rc;
}

/* ---- Conditions ------------------------------------------------------------------------------ */

/* One that is cancelled already, and does not care, is not to make a loop that is never idle. */
static int let_others_run(pthread_cond_t *unused)
{
    (void)unused;
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_shield(&s);
    urd_sleep(AGAIN);
    (void)!urd_scope_join(&s);
    return ECANCELED;
}

static int wait_for(pthread_cond_t *c, pthread_mutex_t *m, urd_time until)
{
    queue *q = queue_of(c);
    parked p = {.on = c};
    bool cancelled = urd_cancelled();
    if (!cancelled) {
        enter(q);
        enqueue(q, &p);
        leave(q);
    }
    int rc = unlock_mutex(m);
    if (rc && !cancelled) {
        enter(q);
        if (!p.woken)
            dequeue(q, &p);
        leave(q);
    }
    if (rc)
        return rc;
    rc = cancelled ? let_others_run(c) : -park(q, &p, until, false);
    int locked = lock_mutex(m);
    return locked ? locked : rc;
}

int pthread_cond_wait(pthread_cond_t *restrict c, pthread_mutex_t *restrict m)
{
    return is_ours(m) && URD__CAUGHT() ? wait_for(c, m, URD_FOREVER)
                                       : urd__blocking_real()->pthread_cond_wait(c, m);
}

int pthread_cond_timedwait(pthread_cond_t *restrict c, pthread_mutex_t *restrict m,
                           const struct timespec *restrict when)
{
    if (!is_ours(m) || !URD__CAUGHT())
        return urd__blocking_real()->pthread_cond_timedwait(c, m, when);
    bool monotonic = c->__data.__wrefs & MONOTONIC_BIT;
    return wait_for(c, m, urd__blocking_time(monotonic ? CLOCK_MONOTONIC : CLOCK_REALTIME, when));
}

int pthread_cond_clockwait(pthread_cond_t *restrict c, pthread_mutex_t *restrict m, clockid_t clock,
                           const struct timespec *restrict when)
{
    return is_ours(m) && URD__CAUGHT()
               ? wait_for(c, m, urd__blocking_time(clock, when))
               : urd__blocking_real()->pthread_cond_clockwait(c, m, clock, when);
}

/* What was changed before is seen by whom this wakes; and see above. */
int pthread_cond_signal(pthread_cond_t *c)
{
    return wake(c, 1) ? 0 : urd__blocking_real()->pthread_cond_signal(c);
}

int pthread_cond_broadcast(pthread_cond_t *c)
{
    wake(c, INT32_MAX);
    return urd__blocking_real()->pthread_cond_broadcast(c);
}
