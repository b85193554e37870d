/*
 * link.c - the thread that makes all calls of MPI.
 *
 * SPDX-License-Identifier: MIT
 *
 * It looks at what was posted, at what MPI has received and at what it has sent, and when there
 * was nothing sleeps: 20 us, then twice as long each time, up to 1 ms.  What is posted wakes it at
 * once.
 *
 * Every rank says in each fifth of the time after which it counts as lost that it lives: rank 0 to
 * all, the others to rank 0.  A thread that could not look itself for long, stopped or swapped out,
 * holds nobody for lost before it has had time to hear of them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mpi/link.h"

enum { OUT = 1 << 15, AT_ONCE = 64, LOST_MS = 10000, BEATS = 5 };
static const urd_time PAUSE_MIN = 20 * URD_US, PAUSE_MAX = URD_MS;

static struct {
    urd_chan out; /* to the thread */
    urd_future ready;
    urd_event stopped;      /* of a rank that serves */
    int rank, ranks, level; /* these are set before `ready` */
    int result;             /* of rank 0; set before `stopped` */

    MPI_Comm comm; /* all below is the thread's */
    urd_scope *scope;
    urd__mpi_message *sending;
    bool stopping, any_lost;
    bool lost[URD__MPI_RANKS_MAX];
    urd_time heard[URD__MPI_RANKS_MAX];
    urd_time lost_duration, looked, beat;
} mpi = {.rank = -1};

static urd__mpi_message *slots[OUT];

int urd_mpi_rank(void)
{
    return mpi.rank;
}

int urd_mpi_ranks(void)
{
    return mpi.ranks;
}

bool urd__mpi_is_lost(int rank)
{
    return mpi.lost[rank];
}

/* ---- Messages -------------------------------------------------------------------------------- */

urd__mpi_message *urd__mpi_make(urd__mpi_what what, size_t bytes)
{
    urd__mpi_message *m = calloc(1, sizeof *m + bytes);
    if (m) {
        m->head.what = what;
        m->bytes = bytes;
    }
    return m;
}

urd__mpi_message *urd__mpi_must_make(urd__mpi_what what, size_t bytes)
{
    urd__mpi_message *m = urd__mpi_make(what, bytes);
    if (!m) {
        fprintf(stderr, "urd: rank %d has no memory for a message of %zu bytes\n", mpi.rank, bytes);
        abort();
    }
    return m;
}

void urd__mpi_post(urd__mpi_message *m)
{
    while (urd_chan_trysend(&mpi.out, &m) == -EAGAIN)
        (void)!urd_yield(); /* also when it is cancelled: what is posted must go */
}

void urd__mpi_await(urd_event *e)
{
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_shield(&s);
    int rc = urd_event_wait(e);
    int joined = urd_scope_join(&s);
    (void)rc;
    (void)joined; /* nothing cancels it */
}

static void lose(int rank, const char *why)
{
    if (mpi.lost[rank])
        return;
    fprintf(stderr, "urd: rank %d has lost rank %d: %s\n", mpi.rank, rank, why);
    mpi.lost[rank] = mpi.any_lost = true;
    if (mpi.rank != 0)
        _exit(1); /* without rank 0 there is nothing to do, and MPI_Finalize would wait for it */
    for (urd__mpi_message **at = &mpi.sending, *m; (m = *at) != NULL;) {
        if (m->rank == rank) {
            *at = m->next;
            m->sending = false; /* not freed if it is not kept, since MPI has not let go of it */
        } else {
            at = &m->next;
        }
    }
    urd__mpi_lose(rank);
}

static void drop(urd__mpi_message *m)
{
    m->sending = false;
    if (!m->kept)
        free(m);
}

void urd__mpi_send(urd__mpi_message *m)
{
    if (m->rank == mpi.rank) {
        urd__mpi_serve(mpi.scope, m);
        return;
    }
    if (mpi.lost[m->rank]) {
        drop(m);
        return;
    }
    int size = (int)(sizeof m->head + m->bytes);
    m->sending = true;
    if (MPI_Isend(&m->head, size, MPI_BYTE, m->rank, 0, mpi.comm, &m->request) != MPI_SUCCESS) {
        int rank = m->rank;
        drop(m);
        lose(rank, "a message could not be sent");
        return;
    }
    m->next = mpi.sending;
    mpi.sending = m;
}

/* True: some have gone. */
static bool end_sends(void)
{
    bool any = false;
    for (urd__mpi_message **at = &mpi.sending, *m; (m = *at) != NULL;) {
        int gone = 0;
        if (MPI_Test(&m->request, &gone, MPI_STATUS_IGNORE) != MPI_SUCCESS) {
            lose(m->rank, "a message could not be sent");
            return true;
        }
        if (gone) {
            *at = m->next;
            drop(m);
            any = true;
        } else {
            at = &m->next;
        }
    }
    return any;
}

/* ---- What comes ------------------------------------------------------------------------------ */

static void stop(int result)
{
    mpi.result = result;
    mpi.stopping = true;
    urd_event_set(&mpi.stopped);
}

static void received(urd__mpi_message *m)
{
    switch (m->head.what) {
    case URD__MPI_BEAT:
        free(m);
        break;
    case URD__MPI_STOP:
        mpi.any_lost = m->head.failed > 0;
        stop(m->head.result);
        free(m);
        break;
    case URD__MPI_OPENED:
    case URD__MPI_DONE:
    case URD__MPI_CLOSED:
        urd__mpi_answer(m);
        break;
    case URD__MPI_OPEN:
    case URD__MPI_JOB:
    case URD__MPI_CANCEL:
    case URD__MPI_CLOSE:
        urd__mpi_serve(mpi.scope, m);
        break;
    }
}

/* By a job of this rank. */
static void posted(urd__mpi_message *m)
{
    switch (m->head.what) {
    case URD__MPI_OPENED:
    case URD__MPI_DONE:
    case URD__MPI_CLOSED:
        if (mpi.rank == 0)
            urd__mpi_answer(m);
        else
            urd__mpi_send(m);
        break;
    case URD__MPI_STOP:
        m->head.failed = mpi.any_lost;
        stop(m->head.result);
        for (int r = 1; r < mpi.ranks; r++) {
            urd__mpi_message *copy = urd__mpi_must_make(URD__MPI_STOP, 0);
            copy->head = m->head;
            copy->rank = r;
            urd__mpi_send(copy);
        }
        free(m);
        break;
    default:
        urd__mpi_ask(m);
    }
}

/* True: there was one. */
static bool receive(void)
{
    int any = 0, size = 0;
    MPI_Status status;
    MPI_Iprobe(MPI_ANY_SOURCE, 0, mpi.comm, &any, &status);
    if (!any)
        return false;
    MPI_Get_count(&status, MPI_BYTE, &size);
    int from = status.MPI_SOURCE;
    urd__mpi_message *m = urd__mpi_must_make(URD__MPI_BEAT, (size_t)size - sizeof m->head);
    if (MPI_Recv(&m->head, size, MPI_BYTE, from, 0, mpi.comm, MPI_STATUS_IGNORE) != MPI_SUCCESS ||
        mpi.lost[from]) { /* that one is late */
        free(m);
        return true;
    }
    m->rank = from;
    mpi.heard[from] = urd_now();
    received(m);
    return true;
}

/* ---- Who lives ------------------------------------------------------------------------------- */

static void send_beats(void)
{
    int last = mpi.rank == 0 ? mpi.ranks - 1 : 0;
    for (int r = mpi.rank == 0 ? 1 : 0; r <= last; r++) {
        urd__mpi_message *m = urd__mpi_make(URD__MPI_BEAT, 0);
        if (!m)
            return; /* the next one will do */
        m->rank = r;
        urd__mpi_send(m);
    }
}

static void look_after_others(void)
{
    urd_time now = urd_now(), late = now - mpi.lost_duration;
    if (now - mpi.looked > mpi.lost_duration / 2)
        for (int r = 0; r < mpi.ranks; r++)
            mpi.heard[r] = now;
    mpi.looked = now;
    if (now < mpi.beat)
        return;
    mpi.beat = now + mpi.lost_duration / BEATS;
    send_beats();
    int last = mpi.rank == 0 ? mpi.ranks - 1 : 0;
    for (int r = mpi.rank == 0 ? 1 : 0; r <= last; r++)
        if (mpi.heard[r] < late)
            lose(r, "nothing was heard of it");
}

/* ---- The thread ------------------------------------------------------------------------------ */

static void rest(urd_time pause)
{
    urd__mpi_message *m;
    urd_op ops[] = {urd_op_recv(&mpi.out, &m), urd_op_until(urd_now() + pause)};
    if (urd_select(ops, 2) == 0)
        posted(m);
}

static void look(void)
{
    urd__mpi_message *m;
    urd_time pause = PAUSE_MIN;
    mpi.looked = urd_now();
    for (int r = 0; r < mpi.ranks; r++)
        mpi.heard[r] = mpi.looked;
    while (!mpi.stopping || mpi.sending) {
        bool any = end_sends();
        for (int i = 0; i < AT_ONCE && urd_chan_tryrecv(&mpi.out, &m) == 0; i++) {
            posted(m);
            any = true;
        }
        for (int i = 0; i < AT_ONCE && receive(); i++)
            any = true;
        look_after_others();
        if (any)
            pause = PAUSE_MIN;
        else
            rest(pause);
        pause = pause < PAUSE_MAX / 2 ? pause * 2 : PAUSE_MAX;
    }
}

/* Do all run the same build? */
static int compare_builds(void)
{
    uint64_t own = urd__mpi_program(), *all = calloc((size_t)mpi.ranks, sizeof *all);
    if (!all)
        return -ENOMEM;
    int rc = MPI_Allgather(&own, 8, MPI_BYTE, all, 8, MPI_BYTE, mpi.comm) ? -EIO : 0;
    for (int r = 0; r < mpi.ranks && rc == 0; r++) {
        if (all[r] != 0 && all[r] == all[0])
            continue;
        rc = -ENOEXEC;
        if (mpi.rank == 0 && all[r] == 0)
            fprintf(stderr,
                    "urd: the program of rank %d has no build id; link it with "
                    "-Wl,--build-id\n",
                    r);
        else if (mpi.rank == 0)
            fprintf(stderr, "urd: rank %d runs another build than rank 0\n", r);
    }
    free(all);
    return rc;
}

static int set_up(void)
{
    MPI_Comm near;
    int level, nnear = 1;
    urd_about about;
    if (MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &level) || level < MPI_THREAD_FUNNELED)
        return -EIO;
    MPI_Comm_dup(MPI_COMM_WORLD, &mpi.comm);
    MPI_Comm_set_errhandler(mpi.comm, MPI_ERRORS_RETURN);
    MPI_Comm_size(mpi.comm, &mpi.ranks);
    MPI_Comm_rank(mpi.comm, &mpi.rank);
    if (mpi.ranks > URD__MPI_RANKS_MAX)
        return -E2BIG;
    MPI_Comm_split_type(mpi.comm, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &near);
    MPI_Comm_size(near, &nnear);
    MPI_Comm_free(&near);
    urd_about_get(&about);
    urd__mpi_serve_begin(about.workers > nnear ? about.workers / nnear : 1);
    const char *lost = getenv("URD_MPI_LOST_MS");
    long ms = lost ? strtol(lost, NULL, 10) : 0;
    mpi.lost_duration = (ms > 0 ? ms : LOST_MS) * URD_MS;
    return compare_builds();
}

/* Others may be gone with whom MPI_Finalize would wait. */
static void tear_down(void)
{
    int begun = 0;
    MPI_Initialized(&begun);
    if (begun && !mpi.any_lost)
        MPI_Finalize();
}

static int link_main(void *unused)
{
    (void)unused;
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_shield(&s);
    urd_scope_keep_going(&s);
    mpi.scope = &s;
    int rc = set_up();
    if (rc)
        urd_future_fail(&mpi.ready, rc);
    else
        urd_future_set(&mpi.ready, NULL);
    if (rc == 0)
        look();
    int joined = urd_scope_join(&s);
    (void)joined; /* errors are answered where they belong */
    tear_down();
    return 0;
}

/* ---- A run ----------------------------------------------------------------------------------- */

typedef struct request {
    urd_fn *fn;
    void *arg;
} request;

/* Rank 0's, which also sends the others home. */
static int run_first(const request *q)
{
    urd__mpi_message *m = urd__mpi_must_make(URD__MPI_STOP, 0);
    m->head.result = q->fn(q->arg);
    int rc = m->head.result;
    urd__mpi_post(m);
    return rc;
}

static int run_all(void *arg)
{
    urd_scope s;
    urd_scope_open(&s);
    urd_chan_init(&mpi.out, sizeof(void *), slots, OUT);
    urd_future_init(&mpi.ready, 0, NULL);
    int rc = urd_spawn(&s, URD_THREAD, link_main, NULL, 0);
    if (rc == 0) {
        urd__mpi_await(&mpi.ready.done);
        rc = urd_future_trywait(&mpi.ready, NULL);
    }
    if (rc == 0 && mpi.rank == 0) {
        rc = run_first(arg);
    } else if (rc == 0) {
        urd__mpi_await(&mpi.stopped);
        rc = mpi.result;
    }
    int joined = urd_scope_join(&s);
    return rc ? rc : joined;
}

int urd_mpi_run(const urd_config *cfg, urd_fn *fn, void *arg)
{
    request q = {.fn = fn, .arg = arg};
    /* Its handlers of SIGSEGV and the like would take the place of ours. */
    setenv("OMPI_MCA_opal_signal", "", 0);
    return urd_run(cfg, run_all, &q);
}
