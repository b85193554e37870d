/*
 * calls.c - each call of the library, with every allocation and system call below it failing.
 *
 * SPDX-License-Identifier: MIT
 *
 * A program is a few calls of one noun and what must hold of them: that all was done, or an error
 * was returned that the header names.  The runtime's own start and end are not what is asked here.
 */
#include <dlfcn.h>
#include <fcntl.h>

#include "faults.h"

/* Results beside the error of the call that failed. */
static const int NOTHING[] = {0}, CANCELLED[] = {-ECANCELED, 0};

/* For those that make no use of descriptors. */
static void fail_inside(urd_fn *fn, const int *also)
{
    program.fn = fn;
    program.processes = URD_PROCESSES_NONE;
    program.inside = true;
    program.also = also;
    program.errors[0] = -ENOMEM;
    program.errors[1] = -EAGAIN;
    fail_each();
}

static int add_one(void *arg)
{
    urd__add_ar((int *)arg, 1);
    return 0;
}

/* ---- Locks ----------------------------------------------------------------------------------- */

enum { PARTIES = 4, ROUNDS = 5 };

typedef struct house {
    urd_mutex mutex;
    urd_rmutex rmutex;
    urd_rwlock rwlock;
    urd_cond cond;
    urd_sem sem;
    urd_event event;
    urd_once once;
    urd_latch latch;
    urd_barrier barrier;
    int sum, told; /* under mutex */
    int begun;     /* atomic */
} house;

static bool all_told(void *arg)
{
    return ((house *)arg)->told == PARTIES;
}

/* Whoever has a lock gives it back, also when a later call fails. */
static int under_the_locks(house *h)
{
    int rc = urd_rmutex_lock(&h->rmutex);
    if (rc)
        return rc;
    rc = urd_rwlock_wrlock(&h->rwlock);
    if (rc == 0) {
        rc = urd_yield();
        urd_rwlock_wrunlock(&h->rwlock);
    }
    urd_rmutex_unlock(&h->rmutex);
    if (rc == 0)
        rc = urd_rwlock_rdlock(&h->rwlock);
    if (rc == 0)
        urd_rwlock_rdunlock(&h->rwlock);
    if (rc == 0)
        rc = urd_sem_acquire(&h->sem);
    if (rc)
        return rc;
    rc = urd_mutex_lock(&h->mutex);
    if (rc == 0) {
        h->sum++;
        urd_mutex_unlock(&h->mutex);
    }
    urd_sem_release(&h->sem, 1);
    return rc;
}

static int tell(house *h)
{
    int rc = urd_mutex_lock(&h->mutex);
    if (rc)
        return rc;
    h->told++;
    urd_cond_broadcast(&h->cond);
    rc = urd_cond_wait_for(&h->cond, &h->mutex, all_told, h);
    urd_mutex_unlock(&h->mutex);
    return rc;
}

static int live_there(void *arg)
{
    house *h = arg;
    int rc = urd_once_run(&h->once, add_one, &h->begun);
    for (int i = 0; i < ROUNDS && rc == 0; i++)
        rc = under_the_locks(h);
    if (rc == 0 && urd_barrier_wait(&h->barrier) < 0)
        rc = -ECANCELED;
    if (rc == 0)
        rc = tell(h);
    urd_latch_done(&h->latch);
    return rc ? rc : urd_event_wait(&h->event);
}

static int locks(void *arg)
{
    (void)arg;
    house h = {.begun = 0};
    urd_sem_init(&h.sem, 2, 2);
    urd_barrier_init(&h.barrier, PARTIES);
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < PARTIES; i++) {
        urd_latch_add(&h.latch, 1);
        if (urd_spawn(&s, i % 2 ? URD_THREAD : URD_TASK, live_there, &h, 0))
            urd_latch_done(&h.latch);
    }
    int waited = urd_latch_wait(&h.latch); /* in the scope: cancelled with it */
    urd_event_set(&h.event);
    int rc = urd_scope_join(&s);
    MUST(rc || (waited == 0 && h.sum == PARTIES * ROUNDS && h.begun == 1));
    MUST(urd_mutex_trylock(&h.mutex) == 0 && urd_rmutex_trylock(&h.rmutex) == 0);
    MUST(urd_rwlock_trywrlock(&h.rwlock) == 0 && urd_sem_permits(&h.sem) == 2);
    urd_rwlock_wrunlock(&h.rwlock);
    urd_rmutex_unlock(&h.rmutex);
    urd_mutex_unlock(&h.mutex);
    return rc;
}

TEST(locks_survive_each_failing_call)
{
    fail_inside(locks, NOTHING);
}

/* ---- Select ---------------------------------------------------------------------------------- */

enum { ARMS = 6, LATE = 50 };

typedef struct world {
    urd_chan in, out;
    urd_broadcast news;
    urd_event event;
    urd_future future;
} world;

static int move_the_world(void *arg)
{
    world *w = arg;
    int v = 1, rc = urd_chan_send(&w->in, &v);
    rc = first_of(rc, rc ? 0 : urd_chan_recv(&w->out, &v));
    rc = first_of(rc, rc ? 0 : urd_broadcast_send(&w->news, &v));
    urd_event_set(&w->event);
    urd_future_set(&w->future, &v);
    return rc;
}

/* Each arm happens once.  The time comes when nothing else can. */
static int each_arm_once(urd_op *ops, int n)
{
    while (n > 0) {
        int i = urd_select(ops, n);
        if (i < 0)
            return i;
        MUST(ops[i].result <= 0);
        if (ops[i].result && ops[i].kind != URD_OP_JOB)
            return ops[i].result;
        ops[i] = ops[--n];
    }
    return 0;
}

static int select_all(void *arg)
{
    (void)arg;
    int slot, got = 0, sent = 7, heard = 0, value = 0, ended = 0;
    world w = {.event = {0}};
    urd_chan_init(&w.in, sizeof(int), NULL, 0);
    urd_chan_init(&w.out, sizeof(int), NULL, 0);
    urd_broadcast_init(&w.news, sizeof(int), &slot, 1);
    urd_future_init(&w.future, sizeof value, &value);
    urd_subscriber reader;
    urd_subscriber_open(&reader, &w.news);
    urd_scope s;
    urd_job job;
    urd_scope_open(&s);
    int opened = urd_job_open(&job, &s, URD_THREAD, add_one, &ended, 0, NULL);
    urd_spawn(&s, URD_THREAD, move_the_world, &w, 0);
    urd_op ops[ARMS] = {urd_op_recv(&w.in, &got),     urd_op_send(&w.out, &sent),
                        urd_op_next(&reader, &heard), urd_op_event(&w.event),
                        urd_op_event(&w.future.done), urd_op_until(urd_now() + LATE)};
    int chosen = each_arm_once(ops, ARMS);
    urd_op last = urd_op_job(&job);
    chosen = chosen ? chosen : each_arm_once(&last, 1);
    int rc = urd_scope_join(&s);
    MUST(rc || (opened == 0 && chosen == 0 && got == 1 && heard == 7 && value == 7 && ended == 1));
    urd_subscriber_close(&reader);
    urd_broadcast_fini(&w.news);
    urd_chan_fini(&w.in);
    urd_chan_fini(&w.out);
    return rc;
}

static int selects(void *arg)
{
    (void)arg;
    return as_both(select_all, NULL);
}

TEST(selects_survive_each_failing_call)
{
    fail_inside(selects, NOTHING);
}

/* ---- Timers, locals -------------------------------------------------------------------------- */

static int timers(void *arg)
{
    (void)arg;
    enum { TIMERS = 3 };
    int once = 0, again = 0;
    urd_timer t[TIMERS], every;
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < TIMERS; i++) {
        int rc = urd_timer_once(&t[i], &s, urd_now() + 10 * i, add_one, &once);
        MUST(rc == 0 || rc == -ECANCELED);
    }
    int rc = urd_timer_every(&every, &s, 10, add_one, &again);
    MUST(rc == 0 || rc == -ECANCELED);
    int slept = urd_sleep(35);
    urd_timer_stop(&every);
    rc = urd_scope_join(&s);
    MUST(rc || (slept == 0 && once == TIMERS && again == 3 && urd_timer_missed(&every) == 0));
    return rc;
}

TEST(timers_survive_each_failing_call)
{
    fail_inside(timers, NOTHING);
}

static int alive; /* atomic: values of job locals that were not destroyed */

static void destroy(void *value)
{
    urd__sub_ar((int *)value, 1);
}

static const urd_job_local first_local = {.destroy = destroy}, second_local = {.destroy = destroy};

static int set_locals(void *arg)
{
    (void)arg;
    const urd_job_local *const both[] = {&first_local, &second_local};
    int rc = 0;
    for (int i = 0; i < 2 && rc == 0; i++) {
        rc = urd_job_local_set(both[i], &alive);
        if (rc == 0)
            urd__add_ar(&alive, 1);
        MUST(urd_job_local_get(both[i]) == (rc ? NULL : &alive));
    }
    return rc ? rc : urd_yield();
}

static void *set_in_a_thread(void *rc)
{
    *(int *)rc = set_locals(NULL);
    return NULL;
}

static int job_locals(void *arg)
{
    (void)arg;
    int rc = as_both(set_locals, NULL), foreign = 0;
    MUST(alive == 0);
    pthread_t thread;
    MUST(pthread_create(&thread, NULL, set_in_a_thread, &foreign) == 0);
    MUST(pthread_join(thread, NULL) == 0);
    MUST(alive == 0);
    return first_of(rc, foreign);
}

TEST(job_locals_survive_each_failing_call)
{
    fail_inside(job_locals, NOTHING);
}

/* ---- Pools ----------------------------------------------------------------------------------- */

enum { ELEMENTS = 8 };

static int square(const void *in, void *out)
{
    *(long *)out = *(const long *)in * *(const long *)in;
    return 0;
}

static int use_pool(urd_pool *p)
{
    long in[ELEMENTS], out[ELEMENTS] = {0}, beside = 0;
    urd_pool_job job, dropped;
    for (int i = 0; i < ELEMENTS; i++)
        in[i] = i;
    int given = urd_pool_submit(&job, p, square, &in[3], sizeof(long), &beside, sizeof(long));
    int rc = urd_pool_map(p, square, in, out, ELEMENTS);
    for (int i = 0; rc == 0 && i < ELEMENTS; i++)
        MUST(out[i] == i * i);
    int waited = given ? given : urd_pool_wait(&job);
    MUST(waited || beside == 9);
    given = urd_pool_submit(&dropped, p, square, &in[3], sizeof(long), &beside, sizeof(long));
    if (given == 0 && urd_pool_drop(&dropped) == -EBUSY)
        given = urd_pool_wait(&dropped);
    return first_of(rc, first_of(waited, given));
}

static int use_flow(urd_pool *p)
{
    long in[ELEMENTS];
    size_t seen = 0;
    urd_pool_flow *f;
    urd_pool_result r;
    for (int i = 0; i < ELEMENTS; i++)
        in[i] = i;
    urd_pool_flow_options o = {.in = in,
                               .n = ELEMENTS,
                               .in_bytes = sizeof(long),
                               .out_bytes = sizeof(long),
                               .inflow_max = 3,
                               .ordered = true};
    int rc = urd_pool_flow_open(&f, p, square, &o), failed = 0;
    MUST((rc == 0) == (f != NULL));
    while (rc == 0 && (rc = urd_pool_flow_next(f, &r)) == 1) {
        MUST(r.index == seen++);
        MUST(r.result || *(const long *)r.out == in[r.index] * in[r.index]);
        failed = first_of(failed, r.result);
        rc = 0;
    }
    int closed = urd_pool_flow_close(f);
    MUST(rc || failed || seen == ELEMENTS);
    return first_of(first_of(rc, failed), closed);
}

static int open_and_use(urd_kind kind)
{
    urd_pool *p;
    urd_scope s;
    urd_scope_open(&s);
    urd_pool_options growing = {.workers_min = 1};
    int rc = urd_pool_open(&p, kind, 2, &growing), closed = 0;
    MUST((rc == 0) == (p != NULL));
    if (rc == 0) {
        int mapped = use_pool(p);
        rc = first_of(mapped, use_flow(p));
        closed = urd_pool_close(p);
    }
    int joined = urd_scope_join(&s); /* which a worker that could not be started has failed */
    return first_of(joined, first_of(rc, closed));
}

static int pools(void *arg)
{
    (void)arg;
    int rc = open_and_use(URD_TASK);
    return rc ? rc : open_and_use(URD_THREAD);
}

TEST(pools_survive_each_failing_call)
{
    fail_inside(pools, CANCELLED);
}

static int process_pools(void *arg)
{
    (void)arg;
    return open_and_use(URD_PROCESS);
}

/* ---- Supervisors ----------------------------------------------------------------------------- */

static int fail_once(void *arg)
{
    return urd__add_ar((int *)arg, 1) == 0 ? -EIO : 0;
}

static int supervisors(void *arg)
{
    (void)arg;
    int lives = 0, others = 0;
    const urd_child children[] = {
        {.fn = fail_once, .arg = &lives, .restart = URD_RESTART_ON_ERROR},
        {.fn = add_one, .arg = &others, .restart = URD_RESTART_NEVER},
    };
    urd_supervise_report r;
    int rc = urd_supervise(children, 2, NULL, &r);
    MUST(rc || (lives == 2 && others == 1 && r.restarts >= 1));
    return rc;
}

TEST(supervisors_survive_each_failing_call)
{
    fail_inside(supervisors, NOTHING);
}

/* ---- Between processes ----------------------------------------------------------------------- */

typedef struct common {
    urd_mutex mutex;
    long sum; /* under mutex */
} common;

static int add_in_turn(void *arg)
{
    common *c = arg;
    int rc = 0;
    for (int i = 0; i < ROUNDS && rc == 0; i++) {
        rc = urd_mutex_lock(&c->mutex);
        if (rc && rc != -EOWNERDEAD)
            return rc;
        if (rc)
            urd_mutex_repair(&c->mutex);
        c->sum++;
        rc = urd_sleep(URD_US);
        urd_mutex_unlock(&c->mutex);
    }
    return rc;
}

static int locks_of_processes(void *arg)
{
    (void)arg;
    common *c = urd_shared_alloc(sizeof *c);
    if (!c)
        return -ENOMEM;
    memset(c, 0, sizeof *c);
    urd_scope s;
    urd_scope_open(&s);
    for (int kind = URD_TASK; kind <= URD_PROCESS; kind++)
        urd_spawn(&s, (urd_kind)kind, add_in_turn, c, 0);
    int rc = urd_scope_join(&s);
    MUST(rc || c->sum == 3 * ROUNDS);
    urd_shared_free(c);
    return rc;
}

/* Their death is what a failing call may come to. */
static void fail_between_processes(urd_fn *fn)
{
    static const int also[] = {-ECHILD, -ECANCELED, -EPIPE, -EAGAIN, 0};
    program.fn = fn;
    program.processes = URD_PROCESSES_ZYGOTE;
    program.inside = true;
    program.also = also;
    program.errors[0] = -ENOMEM;
    program.errors[1] = -EAGAIN;
    fail_each();
}

TEST(pools_of_processes_survive_each_failing_call)
{
    fail_between_processes(process_pools);
}

TEST(locks_between_processes_survive_each_failing_call)
{
    fail_between_processes(locks_of_processes);
}

/* ---- Reports --------------------------------------------------------------------------------- */

/* What libdw asks is not ours, and takes long: it is not there. */
void *dlopen(const char *path, int flags)
{
    (void)path, (void)flags;
    return NULL;
}

static int dump_to(const char *path)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    MUST(fd >= 0);
    int rc = urd_dump(fd);
    close(fd);
    return rc;
}

static int reports(void *arg)
{
    (void)arg;
    int rc = dump_to("/dev/null"), full = dump_to("/dev/full");
    MUST(full < 0); /* that nothing could be written is an error, too */
    MUST(urd_dump(-1) < 0);
    return rc ? rc : full == -ENOSPC ? 0 : full;
}

TEST(reports_survive_each_failing_call)
{
    fail_inside(reports, NOTHING);
}
