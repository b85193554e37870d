/*
 * fd.c - wait until a descriptor is ready, and close it under those who wait.
 *
 * SPDX-License-Identifier: MIT
 *
 * A table by number says who waits for which descriptor.  It is reserved for all numbers there may
 * be, and only the pages in use exist, so a wait allocates nothing.
 *
 * A call that waits is inside its descriptor from then until it returns, also while it tries again;
 * so is one that a helper makes, since that one is not woken: it is waited for.
 * Closing wakes all waits, and is done when the last one has left: so nobody tries a number that
 * has become another's.
 *
 *     call:   I1 lock, inside + 1, closing? leave      close:  C1 lock, closing, wake all, unlock
 *             I2 wait, try, ... unlocked                       C2 lock, inside 0? go on
 *             I3 lock, inside - 1, last of a                      else wait for I3, unlock
 *                closing one? wake it
 *
 * All under one lock: whoever is inside at C1 is woken, whoever comes later leaves at I1, and the
 * last to leave sees the closer, or the closer sees 0.
 *
 * A backend may tell of a change only once, and then wakes all who wait.  Who has tried in vain and
 * is not in the queue yet sees by the count of changes that there was one since before its try.
 *
 * Who reads a stream of ours and gets less than there was room for has read all of it, unless it
 * was stopped by the mark of urgent data.  The next read then need not try before it waits, unless
 * the poller told of a change since: `drained` holds the count of changes as it was before that
 * read.
 */
#include "io/fd.h"

#include <errno.h>

#include "base/atomic.h"
#include "base/check.h"
#include "base/lock.h"
#include "base/os.h"
#include "base/os_io.h"
#include "base/os_proc.h"
#include "core/scope.h"
#include "io/poller.h"

enum { SPARE_EVENTS_MAX = 64, QUIET_BATCH = 64, SETTLE_NS = 100000 };
enum { LINE_BYTES = 64, FRAMES_BYTES = 4 * LINE_BYTES };

static const short ALWAYS = POLLERR | POLLHUP | POLLNVAL;

static struct {
    urd__fd *fds; /* atomic: set as the first one waits; NULL: nobody has */
    int limit;    /* set before fds */
    int lock;     /* held while it is set */
} table;

/* Threads that wait, and events for them that are not in use. */
static struct {
    int lock;
    urd__link list; /* of urd__polled.link */
    int spare[SPARE_EVENTS_MAX];
    int spares;
} watchers;

/* Not in a process made by fork(): who waits in its copy of the table is not there. */
urd__fd *urd__fd_find(int number)
{
    if (urd__load_acq(&urd__rt.state) != URD__RUNNING) /* [state] */
        return NULL;
    urd__fd *fds = urd__load_acq(&table.fds); /* [table] */
    return fds && number >= 0 && number < table.limit ? &fds[number] : NULL;
}

int urd__fds_open(void)
{
    if (urd__load_acq(&table.fds)) /* [table] */
        return 0;
    urd__lock(&table.lock);
    int rc = 0;
    if (!urd__load_acq(&table.fds)) {
        void *p = NULL;
        table.limit = urd__os_fd_limit();
        rc = urd__os_map(&p, (size_t)table.limit * sizeof(urd__fd));
        if (rc == 0)
            urd__store_rel(&table.fds, p); /* [table] */
    }
    urd__unlock(&table.lock);
    return rc;
}

void urd__fds_close(void)
{
    urd__fd *fds = urd__load_acq(&table.fds);
    urd__store_rel(&table.fds, NULL); /* [table] no job is left */
    if (fds)
        urd__os_unmap(fds, (size_t)table.limit * sizeof(urd__fd));
    while (watchers.spares > 0)
        urd__os_close(watchers.spare[--watchers.spares]);
}

/* ---- A call ---------------------------------------------------------------------------------- */

int urd__fd_point(urd__task *self)
{
    if (self->worker)
        urd__worker_share(self); /* one that is always ready must not keep the worker */
    return self->scope && urd__scope_cancelled(self->scope) ? -ECANCELED : 0;
}

int urd__fd_begin(urd__fd_use *use, int number)
{
    urd__task *self = urd__task_self();
    int rc = urd__fd_point(self);
    if (rc)
        return rc;
    *use = (urd__fd_use){.self = self, .fd = urd__fd_find(number), .number = number};
    use->edges = urd__fd_edges(use->fd);
    return 0;
}

void urd__fd_exit(urd__fd *fd)
{
    urd__lock(&fd->lock);
    urd__fd_wait *closer = --fd->inside == 0 ? fd->by : NULL; /* I3 */
    urd__unlock(&fd->lock);
    if (closer) {
        bool won = urd__wait_claim(closer->waiter.task, closer->waiter.word);
        urd__assert(won); /* no cancel reaches that wait, and there is one last call */
        urd__task_ready(closer->waiter.task);
    }
}

void urd__fd_end(urd__fd_use *use)
{
    if (use->inside)
        urd__fd_exit(use->fd);
}

/* Under lock: 0; -ECANCELED: it is being closed. */
static int go_inside(urd__fd *fd, bool *inside)
{
    if (fd->closing) /* I1 */
        return -ECANCELED;
    if (!*inside)
        fd->inside++;
    *inside = true;
    return 0;
}

int urd__fd_stay(urd__fd_use *use)
{
    if (!use->fd && urd__load_acq(&urd__rt.state) == URD__RUNNING && urd__fds_open() == 0)
        use->fd = urd__fd_find(use->number); /* [state] */
    if (!use->fd)
        return 0;
    urd__lock(&use->fd->lock);
    int rc = go_inside(use->fd, &use->inside);
    urd__unlock(&use->fd->lock);
    return rc;
}

unsigned urd__fd_flags(const urd__fd_use *use)
{
    return use->fd ? urd__load_acq(&use->fd->flags) : 0; /* [made] */
}

bool urd__fd_drained(const urd__fd_use *use)
{
    const urd__fd *fd = use->fd;
    if ((urd__fd_flags(use) & (URD__FD_TCP | URD__FD_ENDS)) != URD__FD_TCP)
        return false;
    unsigned drained = urd__load_acq(&fd->drained);             /* [drained] */
    return drained && drained == urd__load_acq(&fd->edges) + 1; /* [edges] */
}

void urd__fd_set_drained(const urd__fd_use *use)
{
    if (use->fd)
        urd__store_rel(&use->fd->drained, use->edges + 1); /* [drained] */
}

int urd__fd_holding(int number, short events)
{
    short ready = number < 0 ? POLLNVAL : urd__os_poll(number, events, -1, 0);
    return ready & POLLNVAL ? -EBADF : ready ? ready : -EAGAIN;
}

/* ---- Waiting --------------------------------------------------------------------------------- */

/* Under lock.  0: it is in the queue, and armed; -EAGAIN: there is something to try at once; or why
 * not. */
static int join_queue(urd__task *self, urd__fd *fd, urd__fd_wait *wait, bool *inside)
{
    int rc = go_inside(fd, inside);
    if (rc)
        return rc;
    bool news = (fd->ready & wait->events) || urd__fd_edges(fd) != wait->edges;
    fd->ready &= (short)~wait->events;
    if (news)
        return -EAGAIN;
    urd__list_push_tail(&fd->waits, &wait->waiter.link);
    urd__worker *worker = self->worker;
    rc = worker ? worker->poller->backend->arm(worker->poller, fd, wait) : 0;
    if (rc)
        urd__list_remove(&wait->waiter.link);
    else
        urd__add_ar(wait->at ? &wait->at->io_waits : &urd__rt.io_threads, 1);
    return rc;
}

int urd__fd_enter(urd__task *self, urd__fd *fd, urd__fd_wait *wait, bool *inside)
{
    urd__lock(&fd->lock);
    int rc = join_queue(self, fd, wait, inside);
    urd__unlock(&fd->lock);
    return rc;
}

/* The same, and begins the wait. */
static int begin_wait(urd__fd_use *use, urd__fd_wait *wait)
{
    urd__lock(&use->fd->lock);
    int rc = join_queue(use->self, use->fd, wait, &use->inside);
    if (rc == 0)
        wait->waiter.word = urd__wait_begin(use->self, use->self->scope, URD__ON_FD,
                                            (const void *)(intptr_t)use->number); // NOLINT
    urd__unlock(&use->fd->lock);
    return rc;
}

void urd__fd_leave(urd__task *self, urd__fd *fd, urd__fd_wait *wait)
{
    urd__lock(&fd->lock);
    if (urd__list_linked(&wait->waiter.link))
        urd__list_remove(&wait->waiter.link);
    urd__unlock(&fd->lock);
    if (wait->armed)
        self->worker->poller->backend->disarm(self->worker->poller, fd, wait);
    urd__sub_ar(wait->at ? &wait->at->io_waits : &urd__rt.io_threads, 1);
}

static int wait_as_task(urd__fd_use *use, short events)
{
    urd__fd_wait on_stack, *wait = urd__wait_note(use->self, &on_stack, sizeof on_stack);
    *wait = (urd__fd_wait){.waiter.task = use->self,
                           .number = use->number,
                           .edges = use->edges,
                           .events = events,
                           .at = use->self->worker};
    int rc = begin_wait(use, wait);
    if (rc)
        return rc == -EAGAIN ? 0 : rc;
    rc = urd__wait_end(use->self);
    urd__fd_leave(use->self, use->fd, wait);
    return rc ? rc : wait->waiter.result;
}

static int take_event(void)
{
    urd__lock(&watchers.lock);
    int event = watchers.spares > 0 ? watchers.spare[--watchers.spares] : -1;
    urd__unlock(&watchers.lock);
    return event >= 0 ? event : urd__os_event_open();
}

/* Spare ones are closed as a runtime ends. */
static void give_event(int event)
{
    urd__os_event_clear(event);
    urd__lock(&watchers.lock);
    bool kept = watchers.spares < SPARE_EVENTS_MAX &&
                urd__load_acq(&urd__rt.state) == URD__RUNNING; /* [state] */
    if (kept)
        watchers.spare[watchers.spares++] = event;
    urd__unlock(&watchers.lock);
    if (!kept)
        urd__os_close(event);
}

int urd__fd_watch(urd__task *self, urd__polled *polled)
{
    int event = take_event();
    if (event < 0)
        return event;
    polled->wake = event;
    self->polled = polled; /* before the wait can be ended */
    urd__lock(&watchers.lock);
    urd__list_push_tail(&watchers.list, &polled->link);
    urd__unlock(&watchers.lock);
    return 0;
}

void urd__fd_unwatch(urd__task *self, urd__polled *polled)
{
    urd__lock(&watchers.lock);
    urd__list_remove(&polled->link);
    urd__unlock(&watchers.lock);
    self->polled = NULL;
    give_event(polled->wake);
}

/* It sees itself when the descriptor is ready, and takes its wait back. */
static int wait_as_thread(urd__fd_use *use, short events)
{
    urd__fd_wait wait = {
        .waiter.task = use->self, .number = use->number, .edges = use->edges, .events = events};
    urd__polled polled = {.fd = use->number, .events = events};
    int rc = urd__fd_watch(use->self, &polled);
    if (rc)
        return rc;
    rc = begin_wait(use, &wait);
    if (rc == 0) {
        rc = urd__wait_end_thread(use->self, wait.waiter.word, INT64_MAX);
        urd__fd_leave(use->self, use->fd, &wait);
        rc = rc == -ETIMEDOUT ? 0 : rc ? rc : wait.waiter.result;
    }
    urd__fd_unwatch(use->self, &polled);
    return rc == -EAGAIN ? 0 : rc;
}

int urd__fd_await(urd__fd_use *use, short events)
{
    urd__task *self = use->self;
    if (urd__load_acq(&urd__rt.state) != URD__RUNNING) { /* [state] nobody could end the wait */
        urd__os_poll(use->number, events, -1, INT64_MAX);
        return 0;
    }
    int rc = self->worker ? urd__poller_need(self->worker) : urd__poller_need(NULL);
    if (rc == 0)
        rc = urd__wait_enter(self);
    if (rc)
        return rc;
    if (!use->fd)
        use->fd = urd__fd_find(use->number);
    if (!use->fd)
        return -EBADF; /* larger than any number can be */
    rc = self->worker ? wait_as_task(use, events) : wait_as_thread(use, events);
    use->edges = urd__fd_edges(use->fd);
    return rc;
}

/* ---- Waking ---------------------------------------------------------------------------------- */

void urd__fd_ready_soon(const urd__fd_wait *wait)
{
    __builtin_prefetch(wait->waiter.task, 1);
    __builtin_prefetch(urd__fd_find(wait->number), 1); /* which a call that has waited leaves */
}

/* Its frames are asked for, of which the first few are read as it goes on: in a crowd all are cold.
 * Of another worker's task they are not ours to look for. */
static void make_ready(urd__task *task)
{
    if (task->worker && task->worker == urd__worker_self)
        for (int i = 0; i < FRAMES_BYTES; i += LINE_BYTES)
            __builtin_prefetch((const char *)task->context + i, 1);
    urd__task_ready(task);
}

void urd__fd_ready_one(urd__fd_wait *wait)
{
    urd__task *task = wait->waiter.task;
    if (urd__wait_claim(task, wait->waiter.word)) {
        wait->waiter.claimed = true;
        make_ready(task);
    }
}

/* Under lock: those that wait for one of the events, or all, off the list and claimed. */
static void take_waits(urd__fd *fd, short events, bool all, urd__link *woken)
{
    for (urd__link *link = urd__list_first(&fd->waits), *next; link; link = next) {
        urd__fd_wait *wait = urd__container(link, urd__fd_wait, waiter.link);
        next = link->next == &fd->waits ? NULL : link->next;
        if (!all && !(wait->events & events))
            continue;
        urd__list_remove(link);
        if (!all)
            wait->armed = false; /* by a backend that tells of numbers, and just did */
        if (urd__wait_claim(wait->waiter.task, wait->waiter.word)) {
            fd->ready &= (short)~wait->events;
            wait->waiter.claimed = true;
            wait->waiter.result = all ? -ECANCELED : 0;
            urd__list_push_tail(woken, link);
        }
    }
}

static void wake_all(urd__link *woken)
{
    for (urd__link *link; (link = urd__list_pop(woken)) != NULL;)
        make_ready(urd__container(link, urd__fd_wait, waiter.link)->waiter.task);
}

void urd__fd_ready(int number, short events)
{
    urd__fd *fd = urd__fd_find(number);
    if (!fd)
        return;
    urd__link woken = {0};
    urd__list_init(&woken);
    urd__lock(&fd->lock);
    bool ours = urd__load_acq(&fd->flags) & URD__FD_OURS; /* [made] */
    /* Of a stranger's nothing more is told, so all who wait must try, and have it watched again. */
    if ((events & ALWAYS) || !ours)
        events |= POLLIN | POLLOUT | POLLPRI | POLLRDHUP;
    urd__add_ar(&fd->edges, 1); /* [edges] */
    if (ours) {                 /* told of once; else it is asked anew */
        fd->ready |= events;
        if (events & (POLLRDHUP | POLLPRI))
            urd__or_ar(&fd->flags, URD__FD_ENDS);
    }
    take_waits(fd, events, false, &woken);
    urd__unlock(&fd->lock);
    wake_all(&woken);
}

/* ---- Made and closed ------------------------------------------------------------------------- */

void urd__fd_made(int number, unsigned flags)
{
    urd__fd *fd = urd__fd_find(number);
    if (!fd && urd__load_acq(&urd__rt.state) == URD__RUNNING && urd__fds_open() == 0) /* [state] */
        fd = urd__fd_find(number);
    if (!fd)
        return; /* it is then treated as a stranger's */
    urd__lock(&fd->lock);
    fd->ready = 0;
    fd->at = NULL;
    urd__store_rel(&fd->drained, 0);                  /* [drained] */
    urd__store_rel(&fd->flags, flags | URD__FD_OURS); /* [made] */
    urd__unlock(&fd->lock);
}

bool urd__fd_is_ours(int number)
{
    const urd__fd *fd = urd__fd_find(number);
    return fd && (urd__load_acq(&fd->flags) & URD__FD_OURS); /* [made] */
}

/* Nothing cuts it short: those who are inside are on their way out. */
static void wait_until_left(urd__fd *fd, int number)
{
    urd__task *self = urd__task_self();
    urd__fd_wait on_stack, *wait = urd__wait_note(self, &on_stack, sizeof on_stack);
    *wait = (urd__fd_wait){.waiter.task = self};
    urd__lock(&fd->lock);
    bool left = fd->inside == 0; /* C2 */
    if (!left) {
        wait->waiter.word =
            urd__wait_begin(self, NULL, URD__ON_FD, (const void *)(intptr_t)number); // NOLINT
        fd->by = wait;
    }
    urd__unlock(&fd->lock);
    if (!left)
        urd__wait_end(self);
}

/* Under lock: what is known goes with the number. */
static void forget(urd__fd *fd, int number)
{
    if (fd->at)
        fd->at->poller->backend->forget(fd, number);
    fd->at = NULL;
    fd->by = NULL;
    fd->closing = false;
    fd->ready = 0;
    urd__store_rel(&fd->drained, 0); /* [drained] */
    urd__store_rel(&fd->flags, 0);   /* [made] */
}

void urd__fd_retire(int number)
{
    urd__fd *fd = urd__fd_find(number);
    if (!fd)
        return;
    urd__lock(&fd->lock);
    if (fd->closing)
        urd__die("urd_close: descriptor %d is being closed already", number);
    if (fd->inside == 0) { /* C1 and C2 at once */
        forget(fd, number);
        urd__unlock(&fd->lock);
        return;
    }
    urd__link woken = {0};
    urd__list_init(&woken);
    fd->closing = true; /* C1 */
    take_waits(fd, 0, true, &woken);
    urd__unlock(&fd->lock);
    wake_all(&woken);
    wait_until_left(fd, number);
    urd__lock(&fd->lock);
    forget(fd, number);
    urd__unlock(&fd->lock);
}

/* ---- Virtual time ---------------------------------------------------------------------------- */

/* The first batch is given a moment, for what the kernel does in the background. */
static bool any_ready(struct pollfd *batch, unsigned *n, bool *waited)
{
    bool any = urd__os_poll_any(batch, *n, *waited ? 0 : SETTLE_NS);
    *waited = true;
    *n = 0;
    return any;
}

bool urd__fds_quiet(void)
{
    struct pollfd batch[QUIET_BATCH];
    unsigned n = 0;
    bool any = false, waited = false;
    urd__lock(&watchers.lock);
    for (urd__link *link = watchers.list.next; link && link != &watchers.list && !any;
         link = link->next) {
        const urd__polled *polled = urd__container(link, urd__polled, link);
        batch[n++] = (struct pollfd){.fd = polled->fd, .events = polled->events};
        any = n == QUIET_BATCH && any_ready(batch, &n, &waited);
    }
    urd__unlock(&watchers.lock);
    for (unsigned i = 0; i < urd__rt.nworkers && !any; i++) {
        if (urd__load_acq(&urd__rt.workers[i].io_waits) == 0)
            continue;
        batch[n++] = (struct pollfd){.fd = urd__rt.workers[i].poller->fd, .events = POLLIN};
        any = n == QUIET_BATCH && any_ready(batch, &n, &waited);
    }
    return !any && !any_ready(batch, &n, &waited);
}
