/*
 * serve.c - accept connections and run a job for each, until told to stop.
 *
 * SPDX-License-Identifier: MIT
 *
 * Three scopes, from outside inwards.  In `around` a sentinel waits for a cancel, and says so by an
 * event.  The connections are in a scope that this cancel does not reach, since they may have a
 * grace.  In the innermost one job accepts at each listener: with one alone there is no herd to be
 * woken by a connection that one of them gets, and unstarted tasks go to idle workers anyway.
 *
 * A job for which there is no stack fails without having run.  So what it would have closed is
 * known elsewhere: the listeners to the caller, and a connection in a list until its job begins.
 *
 * A listener stays ready while descriptors are used up, so whoever just tried again would spin.  A
 * pause ends by time or when one of our connections has ended, whichever comes first.  Rejected: a
 * spare descriptor to accept and close with, which turns away what may be served in a moment.
 * Connections that were lost before they were accepted are off the queue; but where one such error
 * follows another without end, it pauses too, since accept that fails at once lets nobody else run.
 */
#include <errno.h>

#include "base/atomic.h"
#include "base/list.h"
#include "base/lock.h"
#include "base/os.h"
#include "urd.h"

static const urd_time PAUSE = 5 * URD_MS, PAUSE_MAX = URD_SECOND;
enum { LOST_MAX = 100 };

typedef struct server {
    urd_serve_fn *fn;
    void *arg;
    urd_serve_options options;
    urd_scope connections;
    urd_sem places;      /* under connections_max */
    urd_event watched;   /* the sentinel has begun */
    urd_event cancelled; /* the scope around was */
    urd_event finished;  /* the sentinel may go */
    urd_event freed;     /* a connection has ended */
    int cut;             /* atomic: a connection was cancelled */
    int lost;            /* atomic: one more than a listener that somebody else has closed */
    int lock;            /* guards `unbegun` */
    urd__link unbegun;   /* of connection.link */
} server;

typedef struct listening {
    server *server;
    int fd;
} listening;

/* Allocated; its job frees it as it begins. */
typedef struct connection {
    urd__link link; /* under lock */
    server *server;
    int fd;
} connection;

/* ---- A connection ---------------------------------------------------------------------------- */

static void tell(const server *s, int error)
{
    if (s->options.on_error)
        s->options.on_error(error, s->arg);
}

static void let_go(server *s, int fd)
{
    urd_close(fd);
    if (s->options.connections_max > 0)
        urd_sem_release(&s->places, 1);
    if (!urd_event_is_set(&s->freed))
        urd_event_set(&s->freed);
}

/* Who comes first of its job and the end of all: the connection's descriptor. */
static int take(server *s, connection *c)
{
    int fd = c->fd;
    urd__lock(&s->lock);
    urd__list_remove(&c->link);
    urd__unlock(&s->lock);
    urd__os_free(c);
    return fd;
}

static int serve_one(void *arg)
{
    connection *c = arg;
    server *s = c->server;
    int fd = take(s, c), rc = s->fn(fd, s->arg);
    bool cut = urd_cancelled();
    if (cut)
        urd__store_rel(&s->cut, 1); /* [cut] */
    else if (rc < 0)
        tell(s, rc);
    let_go(s, fd);
    return 0;
}

static int begin(server *s, int fd)
{
    connection *c = urd__os_alloc(sizeof *c);
    if (!c)
        return -ENOMEM;
    *c = (connection){.server = s, .fd = fd};
    urd__lock(&s->lock);
    urd__list_push_tail(&s->unbegun, &c->link);
    urd__unlock(&s->lock);
    int rc = urd_go(&s->connections, serve_one, c);
    if (rc)
        take(s, c);
    return rc;
}

static int start(server *s, int fd)
{
    int rc = s->options.connections_max > 0 ? urd_sem_acquire(&s->places) : 0;
    if (rc) {
        urd_close(fd);
        return rc;
    }
    rc = begin(s, fd);
    if (rc)
        let_go(s, fd);
    return rc;
}

/* ---- Accepting ------------------------------------------------------------------------------- */

/* Nothing is wrong with the listener: there is no more of what a connection takes. */
static bool is_shortage(int rc)
{
    return rc == -EMFILE || rc == -ENFILE || rc == -ENOBUFS || rc == -ENOMEM;
}

/* A connection has failed before it was accepted; it is off the queue. */
static bool is_lost(int rc)
{
    switch (rc) {
    case -ECONNABORTED:
    case -EPROTO:
    case -EPERM:
    case -ENETDOWN:
    case -ENETUNREACH:
    case -EHOSTDOWN:
    case -EHOSTUNREACH:
    case -ENONET:
    case -ENOPROTOOPT:
    case -ETIMEDOUT:
        return true;
    default:
        return false;
    }
}

/* What has ended since the last pause counts: it may have ended after the try. */
static int pause_for(server *s, int rc, urd_time *duration)
{
    if (*duration == 0)
        tell(s, rc);
    *duration = *duration == 0 ? PAUSE : *duration < PAUSE_MAX / 2 ? *duration * 2 : PAUSE_MAX;
    urd_op ops[] = {urd_op_event(&s->freed), urd_op_until(urd_now() + *duration)};
    int arm = urd_select(ops, 2);
    urd_event_clear(&s->freed);
    return arm < 0 ? arm : 0;
}

static int accept_all(void *arg)
{
    const listening *l = arg;
    server *s = l->server;
    urd_time pause = 0;
    int rc, lost = 0;
    do {
        rc = urd_accept(l->fd, NULL, NULL);
        if (rc >= 0)
            rc = start(s, rc);
        lost = is_lost(rc) ? lost + 1 : 0;
        if (is_shortage(rc) || lost > LOST_MAX)
            rc = pause_for(s, rc, &pause);
        else if (lost == 0)
            pause = 0;
    } while (rc == 0 || is_lost(rc));
    if (rc != -ECANCELED || urd_cancelled())
        return rc == -ECANCELED ? 0 : rc;
    urd__store_rel(&s->lost, l->fd + 1); /* [lost] */
    return -EBADF;
}

static void close_listeners(const server *s, const int *listeners, int n)
{
    for (int i = 0; i < n; i++)
        if (listeners[i] + 1 != urd__load_acq(&s->lost)) /* [lost] its number may be another's */
            urd_close(listeners[i]);
}

/* Until told to stop: 0; or why accepting failed. */
static int accept_at(server *s, const int *listeners, int n)
{
    urd_event *stop = s->options.stop ? s->options.stop : &s->cancelled;
    urd_op ops[] = {urd_op_event(&s->cancelled), urd_op_event(stop)};
    urd_scope accepting;
    urd_scope_open(&accepting);
    for (int i = 0; i < n; i++) {
        listening l = {s, listeners[i]};
        urd_go_copy(&accepting, accept_all, &l, sizeof l);
    }
    int arm = urd_select(ops, 2); /* an error of a job ends it, too */
    if (arm >= 0)
        urd_scope_cancel(&accepting, 0);
    int rc = urd_scope_join(&accepting);
    return rc == -ECANCELED ? 0 : rc;
}

/* ---- From the beginning to the end ----------------------------------------------------------- */

static int watch_for_cancel(void *arg)
{
    server *s = arg;
    urd_event_set(&s->watched);
    if (urd_event_wait(&s->finished))
        urd_event_set(&s->cancelled);
    return 0;
}

static void open_connections(server *s)
{
    int max = s->options.connections_max;
    if (max > 0)
        urd_sem_init(&s->places, max, max);
    urd_scope_open(&s->connections);
    urd_scope_shield(&s->connections);
    urd_scope_keep_going(&s->connections);
    if (s->options.compact)
        urd_scope_compact(&s->connections);
}

static void end_connections(server *s)
{
    urd_time now = urd_now(), grace = s->options.grace_duration;
    if (grace <= 0)
        urd_scope_cancel(&s->connections, 0);
    else if (grace < URD_FOREVER - now)
        urd_scope_deadline(&s->connections, now + grace);
    int rc = urd_scope_join(&s->connections);
    (void)rc; /* what its jobs returned was told, and whether they were cut is in `cut` */
    for (urd__link *link; (link = urd__list_first(&s->unbegun)) != NULL;)
        let_go(s, take(s, urd__container(link, connection, link)));
}

static int serve_until_told(server *s, const int *listeners, int n)
{
    open_connections(s);
    int rc = accept_at(s, listeners, n);
    close_listeners(s, listeners, n);
    end_connections(s);
    return rc;
}

int urd_serve(const int *listeners, int n, urd_serve_fn *fn, void *arg,
              const urd_serve_options *options)
{
    if (n <= 0)
        return -EINVAL;
    server s = {.fn = fn, .arg = arg};
    if (options)
        s.options = *options;
    urd__list_init(&s.unbegun);
    urd_scope around;
    urd_scope_open(&around);
    urd_go(&around, watch_for_cancel, &s);
    int rc = 0;
    if (urd_event_wait(&s.watched) == 0) /* else no cancel would be seen */
        rc = serve_until_told(&s, listeners, n);
    else
        close_listeners(&s, listeners, n);
    urd_event_set(&s.finished);
    int outside = urd_scope_join(&around);
    if (rc || outside)
        return rc ? rc : outside;
    return urd__load_acq(&s.cut) ? -ETIMEDOUT : 0; /* [cut] */
}
