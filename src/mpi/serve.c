/*
 * serve.c - what a rank does for the pools of rank 0.
 *
 * SPDX-License-Identifier: MIT
 *
 * Each pool has a keeper, which reads what is for it, and a room, the scope in which the pool of
 * this rank is open.  A cancel is one of the room: so it reaches the jobs that run, and the keeper
 * goes on, since every load is answered and the pool closed in order.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mpi/link.h"

enum { INBOX = 4096 };

typedef struct seat {
    struct seat *next; /* of the link, until it is closed */
    urd__mpi_message *open;
    urd_chan inbox;
    urd__mpi_message *slots[INBOX];
    urd_event opened, closing;
    urd_scope *room; /* these are written before `opened`: NULL if there is no pool */
    urd_pool *pool;
    int result; /* of open; then, written before the room has ended, of close */
} seat;

typedef struct load {
    seat *seat;
    urd__mpi_message *job;
} load;

static seat *seats; /* of the link */
static int workers_usual = 1;

void urd__mpi_serve_begin(int workers)
{
    workers_usual = workers;
}

static void post_answer(urd__mpi_message *m, const urd__mpi_message *to, int result)
{
    m->head.pool = to->head.pool;
    m->head.call = to->head.call;
    m->head.result = result;
    m->rank = 0;
    urd__mpi_post(m);
}

/* ---- A load ---------------------------------------------------------------------------------- */

/* Each element is a job of its own: all workers of the rank take part.  The first that failed. */
static int run_all(urd_pool_job *jobs, seat *t, const urd__mpi_message *m, urd__mpi_message *done)
{
    const urd__mpi_head *h = &m->head;
    urd_pool_fn *fn = (urd_pool_fn *)urd__mpi_find(&h->fn); // NOLINT(performance-no-int-to-ptr)
    int rc = fn ? 0 : -ENOEXEC;
    size_t given = 0;
    while (given < h->n && rc == 0) {
        rc = urd_pool_submit(&jobs[given], t->pool, fn, m->data + given * h->in_bytes, h->in_bytes,
                             done->data + given * h->out_bytes, h->out_bytes);
        given += rc == 0;
    }
    done->head.failed = done->head.n = given;
    int first = 0;
    for (size_t i = 0; i < given; i++) {
        int one = urd_pool_wait(&jobs[i]);
        if (one == 0 || first)
            continue;
        first = one;
        done->head.failed = i;
        snprintf(done->head.text, sizeof done->head.text, "%s", urd_pool_detail(&jobs[i]));
        for (size_t k = i + 1; k < given; k++)
            urd_pool_drop(&jobs[k]);
    }
    return first ? first : rc;
}

static int run_load(void *arg)
{
    const load *l = arg;
    const urd__mpi_head *h = &l->job->head;
    urd__mpi_message *done = urd__mpi_must_make(URD__MPI_DONE, h->n * h->out_bytes);
    urd_pool_job *jobs = calloc(h->n, sizeof *jobs);
    int rc = jobs ? run_all(jobs, l->seat, l->job, done) : -ENOMEM;
    if (rc) {
        char text[sizeof done->head.text];
        snprintf(text, sizeof text, "rank %d%s%.30s", urd_mpi_rank(), *done->head.text ? ": " : "",
                 done->head.text);
        memcpy(done->head.text, text, sizeof text);
    }
    free(jobs);
    post_answer(done, l->job, rc);
    free(l->job);
    return 0;
}

/* ---- A pool ---------------------------------------------------------------------------------- */

static int open_pool(seat *t)
{
    const urd__mpi_head *h = &t->open->head;
    uintptr_t begin = urd__mpi_find(&h->begin), end = urd__mpi_find(&h->end);
    if ((h->begin.object && !begin) || (h->end.object && !end))
        return -ENOEXEC;
    urd_pool_options o = {.name = h->text,
                          .begin = (urd_fn *)begin, // NOLINT(performance-no-int-to-ptr)
                          .end = (urd_fn *)end,     // NOLINT(performance-no-int-to-ptr)
                          .jobs_max = h->jobs_max,
                          .retries_max = h->retries_max,
                          .restarts_max = h->restarts_max,
                          .restart_duration = h->restart_duration};
    return urd_pool_open(&t->pool, (urd_kind)h->kind, h->workers ? h->workers : workers_usual, &o);
}

static int keep_room(void *arg)
{
    seat *t = arg;
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_keep_going(&s);
    t->result = open_pool(t);
    t->room = t->pool ? &s : NULL;
    urd_pool *p = t->pool;
    urd_event_set(&t->opened);
    if (p) {
        urd__mpi_await(&t->closing);
        t->result = urd_pool_close(p);
    }
    int rc = urd_scope_join(&s);
    (void)rc; /* a cancel, which the pool has said by itself */
    return 0;
}

/* Until it is closed. */
static void read_inbox(urd_scope *s, seat *t)
{
    urd__mpi_message *m;
    while (urd_chan_recv(&t->inbox, &m) == 0) {
        urd__mpi_what what = m->head.what;
        if (what == URD__MPI_JOB) {
            load l = {.seat = t, .job = m};
            if (urd_go_copy(s, run_load, &l, sizeof l) == 0)
                continue;
            post_answer(urd__mpi_must_make(URD__MPI_DONE, 0), m, -ENOMEM);
        }
        if (what == URD__MPI_CANCEL && t->room)
            urd_scope_cancel(t->room, 0);
        free(m);
        if (what == URD__MPI_CLOSE)
            return;
    }
}

static int keep(void *arg)
{
    seat *t = arg;
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_shield(&s);
    urd_scope_keep_going(&s);
    if (urd_go(&s, keep_room, t) == 0)
        urd__mpi_await(&t->opened);
    else
        t->result = -ENOMEM;
    urd__mpi_message *m = urd__mpi_must_make(URD__MPI_OPENED, 0);
    m->head.n = (uint64_t)(t->open->head.workers ? t->open->head.workers : workers_usual);
    post_answer(m, t->open, t->result);
    read_inbox(&s, t);
    urd_event_set(&t->closing);
    int rc = urd_scope_join(&s);
    (void)rc; /* it has said so by t->result */
    post_answer(urd__mpi_must_make(URD__MPI_CLOSED, 0), t->open, t->pool ? t->result : 0);
    urd_chan_fini(&t->inbox);
    free(t->open);
    free(t);
    return 0;
}

/* ---- By the link ----------------------------------------------------------------------------- */

static void open_seat(urd_scope *s, urd__mpi_message *m)
{
    seat *t = calloc(1, sizeof *t);
    if (t) {
        t->open = m;
        t->next = seats;
        urd_chan_init(&t->inbox, sizeof(void *), t->slots, INBOX);
    }
    if (!t || urd_go(s, keep, t)) {
        fprintf(stderr, "urd: rank %d has no memory for a pool\n", urd_mpi_rank());
        abort();
    }
    seats = t;
}

void urd__mpi_serve(urd_scope *s, urd__mpi_message *m)
{
    if (m->head.what == URD__MPI_OPEN) {
        open_seat(s, m);
        return;
    }
    seat **at = &seats;
    while (*at && (*at)->open->head.pool != m->head.pool)
        at = &(*at)->next;
    seat *t = *at;
    if (t && m->head.what == URD__MPI_CLOSE)
        *at = t->next; /* from here on it is its keeper's */
    /* Rank 0 gives no more than the inbox holds. */
    if (!t || urd_chan_trysend(&t->inbox, &m) != 0) {
        fprintf(stderr, "urd: rank %d was given a job that no pool of its own takes\n",
                urd_mpi_rank());
        abort();
    }
}
