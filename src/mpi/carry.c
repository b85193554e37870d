/*
 * carry.c - a pool of rank 0, whose workers give their loads to the ranks.
 *
 * SPDX-License-Identifier: MIT
 *
 * The pool has as many workers, which are tasks, as the ranks take loads together; each has one
 * load under way.  The link gives it to the rank that has the most room.  A load is kept until its
 * answer has come, so that it can be given to another rank when that one is lost.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mpi/link.h"

enum { TASKS_MAX = 1024 };

typedef struct seat {
    int room; /* loads it takes; 0: it is not there */
    int busy;
    bool asked; /* an answer is to come */
} seat;

typedef struct carrier {
    struct carrier *next, **before; /* of the link, as all but `answered` and the end of it */
    int retries_max;
    bool closing;
    int result; /* the first error; read after `answered` */
    int waiting;
    urd_event *answered; /* set when the last answer has come */
    seat seats[];
} carrier;

typedef struct call {
    struct call *next, **before; /* of the link */
    carrier *c;
    urd__mpi_message *job, *done; /* done: written before `ended`; NULL: the rank was lost */
    urd_event ended;
    int rank, tries; /* of the link */
} call;

static carrier *carriers; /* these are the link's */
static call *calls;

/* ---- By the link ----------------------------------------------------------------------------- */

/* One answer less is to come; after the last the carrier is no more the link's. */
static void count_down(carrier *c)
{
    if (--c->waiting > 0)
        return;
    if (c->closing) {
        if (c->next)
            c->next->before = c->before;
        *c->before = c->next;
    }
    urd_event_set(c->answered);
}

static void answered(carrier *c, int rank, int result)
{
    c->seats[rank].asked = false;
    c->result = c->result ? c->result : result;
    count_down(c);
}

/* To every rank that is there. */
static void send_all(carrier *c, const urd__mpi_message *m, bool ask)
{
    c->waiting += ask; /* this one is ours */
    for (int r = 0; r < urd_mpi_ranks(); r++) {
        if (urd__mpi_is_lost(r))
            continue;
        urd__mpi_message *copy = urd__mpi_must_make(m->head.what, 0);
        copy->head = m->head;
        copy->rank = r;
        c->seats[r].asked = c->seats[r].asked || ask;
        c->waiting += ask;
        urd__mpi_send(copy);
    }
    if (ask)
        count_down(c);
}

/* The one with the most room for each load that it has, so that all get one before any a second. */
static int choose(const carrier *c)
{
    static int turn; /* of the link: of those that are alike, another one each time */
    int best = -1;
    turn++;
    for (int i = 0; i < urd_mpi_ranks(); i++) {
        int r = (turn + i) % urd_mpi_ranks();
        const seat *s = &c->seats[r], *b = best < 0 ? NULL : &c->seats[best];
        if (s->room > 0 && !urd__mpi_is_lost(r) && (!b || s->busy * b->room < b->busy * s->room))
            best = r;
    }
    return best;
}

static void let_go(call *k)
{
    if (k->next)
        k->next->before = k->before;
    *k->before = k->next;
    if (k->job && k->job->sending)
        k->job->kept = false; /* freed when it has gone */
    else
        free(k->job);
}

static void give(call *k)
{
    k->rank = choose(k->c);
    if (k->rank < 0) { /* the pools of all have ended */
        let_go(k);
        urd_event_set(&k->ended);
        return;
    }
    urd__mpi_message *job = k->job;
    k->c->seats[k->rank].busy++;
    job->rank = k->rank;
    job->kept = k->rank != 0;
    if (k->rank == 0)
        k->job = NULL; /* it goes there itself, and is never lost */
    urd__mpi_send(job);
}

static void begin_call(call *k)
{
    k->next = calls;
    k->before = &calls;
    if (calls)
        calls->before = &k->next;
    calls = k;
    give(k);
}

static void *pointer(uint64_t number)
{
    return (void *)(uintptr_t)number; // NOLINT(performance-no-int-to-ptr): it has come back
}

void urd__mpi_ask(urd__mpi_message *m)
{
    carrier *c = pointer(m->head.pool);
    if (m->head.what == URD__MPI_JOB) {
        begin_call(pointer(m->head.call));
        return;
    }
    if (m->head.what == URD__MPI_OPEN) {
        c->next = carriers;
        c->before = &carriers;
        if (carriers)
            carriers->before = &c->next;
        carriers = c;
    }
    c->closing = m->head.what == URD__MPI_CLOSE;
    send_all(c, m, m->head.what != URD__MPI_CANCEL);
    free(m);
}

void urd__mpi_answer(urd__mpi_message *m)
{
    carrier *c = pointer(m->head.pool);
    if (m->head.what == URD__MPI_DONE) {
        call *k = pointer(m->head.call);
        c->seats[k->rank].busy--;
        if (m->head.result == -ECHILD && m->head.n == 0 && k->job) { /* too many have died there */
            c->seats[k->rank].room = 0;
            free(m);
            give(k);
            return;
        }
        k->done = m;
        let_go(k);
        urd_event_set(&k->ended);
        return;
    }
    if (m->head.what == URD__MPI_OPENED)
        c->seats[m->rank].room = m->head.result ? 0 : (int)m->head.n + 1;
    answered(c, m->rank, m->head.result);
    free(m);
}

void urd__mpi_lose(int rank)
{
    for (call *k = calls; k;) {
        if (k->rank != rank) {
            k = k->next;
            continue;
        }
        if (k->tries++ < k->c->retries_max) {
            give(k);
        } else {
            let_go(k);
            urd_event_set(&k->ended);
        }
        k = calls; /* others may have been lost meanwhile */
    }
    for (carrier *c = carriers, *next; c; c = next) {
        next = c->next;
        c->seats[rank].room = 0;
        if (c->seats[rank].asked)
            answered(c, rank, -ECHILD);
    }
}

/* ---- By the jobs of rank 0 ------------------------------------------------------------------- */

static int knows(void *arg, urd_pool_fn *fn)
{
    urd__mpi_name name;
    (void)arg;
    return urd__mpi_name_of((uintptr_t)fn, &name);
}

static void cancel(carrier *c)
{
    urd__mpi_message *m = urd__mpi_make(URD__MPI_CANCEL, 0);
    if (!m)
        return; /* the loads are waited for */
    m->head.pool = (uintptr_t)c;
    urd__mpi_post(m);
}

static int take_answer(const call *k, urd_pool_load *load)
{
    const urd__mpi_message *m = k->done;
    if (!m) {
        if (k->rank >= 0)
            snprintf(load->detail, sizeof load->detail, "rank %d: it was lost", k->rank);
        return -ECHILD;
    }
    if (m->head.result) {
        load->failed = m->head.failed < load->n ? m->head.failed : 0;
        memcpy(load->detail, m->head.text, sizeof load->detail);
    }
    if (m->bytes)
        memcpy(load->out, m->data, m->bytes);
    return m->head.result;
}

static int carry(void *arg, urd_pool_load *load)
{
    carrier *c = arg;
    size_t in = load->in_bytes, out = load->out_bytes;
    if (in > URD__MPI_BYTES_MAX / load->n || out > URD__MPI_BYTES_MAX / load->n)
        return -EMSGSIZE;
    call k = {.c = c, .job = urd__mpi_make(URD__MPI_JOB, load->n * in)};
    if (!k.job)
        return -ENOMEM;
    urd__mpi_head *h = &k.job->head;
    h->pool = (uintptr_t)c;
    h->call = (uintptr_t)&k;
    h->in_bytes = in;
    h->out_bytes = out;
    h->n = load->n;
    int rc = urd__mpi_name_of((uintptr_t)load->fn, &h->fn);
    (void)rc; /* it was known when it was given */
    if (in)
        memcpy(k.job->data, load->in, load->n * in);
    urd__mpi_post(k.job);
    if (urd_event_wait(&k.ended)) {
        cancel(c);
        urd__mpi_await(&k.ended);
    }
    rc = take_answer(&k, load);
    free(k.done);
    return rc;
}

/* Post, and wait until all ranks have answered. */
static int ask_all(carrier *c, urd__mpi_message *m)
{
    urd_event all = {0};
    c->answered = &all;
    c->result = 0;
    m->head.pool = (uintptr_t)c;
    urd__mpi_post(m);
    urd__mpi_await(&all);
    return c->result;
}

static int close_all(void *arg)
{
    carrier *c = arg;
    urd__mpi_message *m = urd__mpi_must_make(URD__MPI_CLOSE, 0);
    int rc = ask_all(c, m);
    free(c);
    return rc;
}

/* ---- Open ------------------------------------------------------------------------------------ */

static const urd_pool_carrier functions = {.knows = knows, .carry = carry, .close = close_all};

static int fill_in(urd__mpi_head *h, urd_kind kind, int workers, const urd_pool_options *o)
{
    bool known = kind == URD_TASK || kind == URD_THREAD || kind == URD_PROCESS;
    if (!known || workers < 0 || o->arg || o->carrier || o->process || o->workers_min ||
        o->idle_duration || o->jobs_max < 0 || o->retries_max < 0 || o->restarts_max < 0 ||
        o->restart_duration < 0)
        return -EINVAL;
    h->kind = (int)kind;
    h->workers = workers;
    h->jobs_max = o->jobs_max;
    h->retries_max = o->retries_max;
    h->restarts_max = o->restarts_max;
    h->restart_duration = o->restart_duration;
    snprintf(h->text, sizeof h->text, "%s", o->name ? o->name : "pool");
    int rc = urd__mpi_name_of((uintptr_t)o->begin, &h->begin);
    return rc ? rc : urd__mpi_name_of((uintptr_t)o->end, &h->end);
}

static int open_here(urd_pool **out, carrier *c, const urd_pool_options *o)
{
    int tasks = 0;
    for (int r = 0; r < urd_mpi_ranks(); r++)
        tasks += c->seats[r].room;
    urd_pool_options options = {
        .name = o->name, .retries_max = o->retries_max, .carrier = &functions, .carrier_arg = c};
    return urd_pool_open(out, URD_TASK, tasks < TASKS_MAX ? tasks : TASKS_MAX, &options);
}

int urd_mpi_pool_open(urd_pool **p, urd_kind kind, int workers, const urd_pool_options *o)
{
    static const urd_pool_options usual;
    size_t ranks = (size_t)urd_mpi_ranks();
    *p = NULL;
    if (urd_mpi_rank() != 0)
        return -EINVAL;
    carrier *c = calloc(1, sizeof *c + ranks * sizeof(seat));
    urd__mpi_message *m = urd__mpi_make(URD__MPI_OPEN, 0);
    int rc = c && m ? fill_in(&m->head, kind, workers, o ? o : &usual) : -ENOMEM;
    if (rc) {
        free(m);
        free(c);
        return rc;
    }
    c->retries_max = o ? o->retries_max : 0;
    rc = ask_all(c, m);
    if (rc == 0)
        rc = urd_cancelled() ? -ECANCELED : open_here(p, c, o ? o : &usual);
    if (rc) {
        int closed = close_all(c);
        (void)closed; /* there is an error already */
    }
    return rc;
}
