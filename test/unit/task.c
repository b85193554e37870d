/*
 * task.c - what is a task's own: its thread, its errno, its name; and how it may end.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/atomic.h"
#include "core/symbol.h"
#include "core/worker.h"
#include "runs.h"

static int ended; /* atomic */

/* ---- Its thread ------------------------------------------------------------------------------ */

static __thread int local;

static int keeps_errno(void *arg)
{
    int own = *(const int *)arg;
    pid_t thread = gettid();
    const int *where = &errno;
    for (int i = 0; i < 20; i++) {
        errno = own;
        CHECK_EQ(i % 2 ? urd_yield() : urd_sleep(1 + (urd_time)test_seed() % 3), 0);
        CHECK_EQ(gettid(), thread);
        CHECK_PTR(&errno, where);
    }
    urd__add_ar(&ended, 1);
    return 0;
}

enum { TASKS = 24 };

static int on_one_thread(void *arg)
{
    (void)arg;
    int numbers[TASKS];
    ended = 0;
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < TASKS; i++) {
        numbers[i] = i + 1;
        CHECK_EQ(urd_spawn(&s, i % 8 ? URD_TASK : URD_THREAD, keeps_errno, &numbers[i], 0), 0);
    }
    CHECK_EQ(keeps_errno(&numbers[0]), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(ended, TASKS + 1);
    return 0;
}

TEST(a_started_task_stays_on_its_thread)
{
    run_seeds(20, on_one_thread);
}

static int calls_leave_errno(void *arg)
{
    urd_event *e = arg;
    errno = 4711;
    CHECK_EQ(urd_event_wait(e), 0); /* nobody else here touches it */
    CHECK_EQ(errno, 4711);
    CHECK_EQ(urd_sleep(1), 0);
    CHECK_EQ(errno, 4711);
    CHECK_EQ(urd_yield(), 0);
    CHECK_EQ(errno, 4711);
    local++;
    return 0;
}

static int errno_is_left_alone(void *arg)
{
    (void)arg;
    urd_event e = {0};
    urd_scope s;
    errno = 4711;
    urd_scope_open(&s);
    for (int i = 0; i < 5; i++)
        urd_spawn(&s, i == 2 ? URD_THREAD : URD_TASK, calls_leave_errno, &e, 0);
    CHECK_EQ(urd_sleep(1), 0);
    urd_event_set(&e);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(errno, 4711);
    return 0;
}

TEST(no_call_writes_errno)
{
    run_seeds(10, errno_is_left_alone);
}

static int count_local(void *arg)
{
    int *counts = arg;
    local = 0;
    for (int i = 0; i < 10; i++) {
        local++;
        CHECK_EQ(urd_sleep(1), 0);
    }
    counts[0] += local;
    return 0;
}

static int own_locals(void *arg)
{
    (void)arg;
    int counts[4] = {0};
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(urd_spawn(&s, URD_THREAD, count_local, &counts[i], 0), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(counts[i], 10);
    return 0;
}

TEST(thread_jobs_have_thread_locals_of_their_own)
{
    run_seeds(5, own_locals);
}

/* ---- Its name -------------------------------------------------------------------------------- */

int exported_for_its_name(void *arg);

__attribute__((visibility("default"))) int exported_for_its_name(void *arg)
{
    snprintf(arg, 64, "%s", urd_name());
    return 0;
}

static int names(void *arg)
{
    (void)arg;
    char name[64];
    urd_job j;
    urd_job_options o = {.name = "given"};
    urd_scope s;
    urd_scope_open(&s);
    CHECK_EQ(urd_job_open(&j, &s, URD_TASK, exported_for_its_name, name, 0, &o), 0);
    CHECK_EQ(urd_scope_wait(&s), 0);
    CHECK_STR(name, "given");
    urd_go(&s, exported_for_its_name, name);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK(strcmp(name, "exported_for_its_name") == 0 || strcmp(name, "job") == 0);
    return 0;
}

TEST(its_name_is_the_one_given_or_the_functions)
{
    run_seeds(3, names);
    char name[64];
    exported_for_its_name(name);
    CHECK_STR(name, "thread"); /* which is no job */
}

/* ---- Who it is ------------------------------------------------------------------------------- */

static const void *ids[4];

static int note_id(void *arg)
{
    ids[*(int *)arg] = urd_task_id();
    CHECK_EQ(urd_yield(), 0);
    CHECK_PTR(urd_task_id(), ids[*(int *)arg]);
    return 0;
}

static int have_ids(void *arg)
{
    (void)arg;
    int numbers[] = {0, 1, 2, 3};
    urd_scope s;
    urd_scope_open(&s);
    CHECK_EQ(urd_go(&s, note_id, &numbers[0]), 0);
    CHECK_EQ(urd_spawn(&s, URD_THREAD, note_id, &numbers[1], 0), 0);
    CHECK_EQ(note_id(&numbers[2]), 0);
    CHECK_EQ(urd_block(note_id, &numbers[3]), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK(ids[2] != NULL && ids[0] != NULL && ids[0] != ids[2]);
    CHECK_PTR(ids[1], NULL);
    CHECK_PTR(ids[3], NULL);
    return 0;
}

TEST(a_task_has_an_identity_and_a_thread_has_none)
{
    CHECK_PTR(urd_task_id(), NULL);
    run_seeds(3, have_ids);
    CHECK_PTR(urd_task_id(), NULL);
}

/* ---- Its end --------------------------------------------------------------------------------- */

static int one = 1;

static int spawn_one(urd_kind kind, urd_fn *fn, void *arg)
{
    urd_scope s;
    urd_scope_open(&s);
    CHECK_EQ(urd_spawn_at(&s, kind, fn, arg, 0, "started.c:7"), 0);
    return urd_scope_join(&s);
}

static int gives_1_as_task(void *arg)
{
    (void)arg;
    return spawn_one(URD_TASK, give, &one);
}

static int gives_1_as_thread(void *arg)
{
    (void)arg;
    return spawn_one(URD_THREAD, give, &one);
}

static void task_gives_1(void)
{
    test_run(gives_1_as_task);
}

static void thread_gives_1(void)
{
    test_run(gives_1_as_thread);
}

static int gives_1(void *arg)
{
    (void)arg;
    return 1;
}

static void first_gives_1(void)
{
    test_run(gives_1);
}

TEST(a_positive_result_aborts_naming_the_place)
{
    CHECK_ABORTS(task_gives_1, "the job returned 1; a job returns 0 or a negative errno");
    CHECK_ABORTS(task_gives_1, "started at started.c:7");
    CHECK_ABORTS(thread_gives_1, "started at started.c:7");
    CHECK_ABORTS(first_gives_1, "the first job returned 1");
}

static int leaves_open(void *arg)
{
    (void)arg;
    urd_scope *s = &(urd_scope){0};
    urd_scope_open_at(s, "opened.c:3");
    return 0;
}

static int lets_leave_open(void *arg)
{
    (void)arg;
    return spawn_one(URD_TASK, leaves_open, NULL);
}

static int lets_a_thread_leave_open(void *arg)
{
    (void)arg;
    return spawn_one(URD_THREAD, leaves_open, NULL);
}

static void task_leaves_open(void)
{
    test_run(lets_leave_open);
}

static void thread_leaves_open(void)
{
    test_run(lets_a_thread_leave_open);
}

static void first_leaves_open(void)
{
    test_run(leaves_open);
}

TEST(a_job_that_returns_with_an_open_scope_aborts_naming_both_places)
{
    CHECK_ABORTS(task_leaves_open,
                 "the job returned with the scope opened at opened.c:3 not joined");
    CHECK_ABORTS(task_leaves_open, "started at started.c:7");
    CHECK_ABORTS(thread_leaves_open, "scope opened at opened.c:3 not joined");
    CHECK_ABORTS(first_leaves_open, "returned with the scope opened at opened.c:3 not joined");
}

static urd_mutex kept;

static int keeps_a_lock(void *arg)
{
    (void)arg;
    CHECK_EQ(urd_mutex_lock(&kept), 0);
    return 0;
}

/* On the stack of the one that joins, or on its own. */
static int lets_a_join_keep_a_lock(void *arg)
{
    return spawn_one(URD_TASK, keeps_a_lock, arg);
}

static int lets_a_task_keep_a_lock(void *arg)
{
    urd_scope s;
    urd_scope_open(&s);
    CHECK_EQ(urd_go_at(&s, keeps_a_lock, arg, "started.c:7"), 0);
    CHECK_EQ(urd_sleep(1), 0);
    return urd_scope_join(&s);
}

static int lets_a_thread_keep_a_lock(void *arg)
{
    return spawn_one(URD_THREAD, keeps_a_lock, arg);
}

static void join_keeps_a_lock(void)
{
    test_run(lets_a_join_keep_a_lock);
}

static void task_keeps_a_lock(void)
{
    test_run(lets_a_task_keep_a_lock);
}

static void thread_keeps_a_lock(void)
{
    test_run(lets_a_thread_keep_a_lock);
}

static void first_keeps_a_lock(void)
{
    test_run(keeps_a_lock);
}

static int gives_it_back(void *arg)
{
    (void)arg;
    urd_mutex_unlock(&kept);
    return 0;
}

/* On the stack of the one that joins, whose lock it is. */
static int has_it_given_back(void *arg)
{
    (void)arg;
    CHECK_EQ(urd_mutex_lock(&kept), 0);
    return spawn_one(URD_TASK, gives_it_back, NULL);
}

static void another_gives_it_back(void)
{
    test_run(has_it_given_back);
}

TEST(a_job_that_returns_with_a_lock_held_aborts_naming_the_call_that_took_it)
{
    CHECK_ABORTS(task_keeps_a_lock, "the job returned with 1 lock held; the last it took, at ");
    CHECK_ABORTS(task_keeps_a_lock, "started at started.c:7");
    CHECK_ABORTS(thread_keeps_a_lock, "the job returned with 1 lock held");
    CHECK_ABORTS(first_keeps_a_lock, "the first job returned with 1 lock held");
    CHECK_ABORTS(join_keeps_a_lock, "a job that its join ran returned with 1 lock held");
    CHECK_ABORTS(another_gives_it_back, "a job that its join ran gave back a lock");
    const void *at = __extension__(const void *) keeps_a_lock;
    if (urd__symbol_at(at).file) /* there is debug information */
        CHECK_ABORTS(first_keeps_a_lock, " in keeps_a_lock");
    urd__symbols_close();
}

static int holds(void)
{
    return (int)urd__task_self()->locks;
}

static bool is_true(void *arg)
{
    (void)arg;
    return true;
}

static int signals(void *arg)
{
    urd_cond_signal(arg, 1);
    return 0;
}

static int locks_of_every_kind(void *arg)
{
    (void)arg;
    static urd_mutex m;
    static urd_rmutex r;
    static urd_rwlock l;
    static urd_cond c;
    CHECK_EQ(urd_mutex_lock(&m), 0);
    CHECK_EQ(urd_mutex_trylock(&m), -EAGAIN);
    CHECK_EQ(urd_rmutex_lock(&r), 0);
    CHECK_EQ(urd_rmutex_trylock(&r), 0); /* which is one with the above */
    CHECK_EQ(urd_rwlock_rdlock(&l), 0);
    CHECK_EQ(urd_rwlock_tryrdlock(&l), 0);
    CHECK_EQ(urd_rwlock_trywrlock(&l), -EAGAIN);
    CHECK_EQ(holds(), 4);
    urd_rwlock_rdunlock(&l);
    urd_rwlock_rdunlock(&l);
    CHECK_EQ(urd_rwlock_wrlock(&l), 0);
    urd_rmutex_unlock(&r);
    urd_rmutex_unlock(&r);
    CHECK_EQ(holds(), 2);
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, signals, &c);
    CHECK_EQ(urd_cond_wait(&c, &m), 0);
    CHECK_EQ(urd_cond_wait_for(&c, &m, is_true, NULL), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(holds(), 2);
    urd_rwlock_wrunlock(&l);
    urd_mutex_unlock(&m);
    CHECK_EQ(holds(), 0);
    urd_scope_open(&s);
    urd_scope_cancel(&s, 0);
    CHECK_EQ(urd_mutex_lock(&m), -ECANCELED);
    CHECK_EQ(urd_rwlock_rdlock(&l), -ECANCELED);
    CHECK_EQ(urd_rwlock_wrlock(&l), -ECANCELED);
    CHECK_EQ(urd_scope_join(&s), -ECANCELED);
    CHECK_EQ(holds(), 0);
    return 0;
}

TEST(a_lock_of_any_kind_counts_as_held_until_it_is_given_back)
{
    test_run(locks_of_every_kind);
}

static int forks_and_returns(void *arg)
{
    (void)arg;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        return 0; /* into a scheduler that is not there */
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK(WIFSIGNALED(status));
    CHECK_EQ(WTERMSIG(status), SIGABRT);
    return 0;
}

static int lets_fork(void *arg)
{
    (void)arg;
    return spawn_one(URD_TASK, forks_and_returns, NULL);
}

static void task_forks(void)
{
    test_run(lets_fork);
}

static void first_forks(void)
{
    test_run(forks_and_returns);
}

TEST(a_forked_child_that_returns_from_its_job_aborts)
{
    struct test_child child;
    test_fork(&child, task_forks);
    CHECK_EQ(child.code, 0);
    CHECK_CONTAINS(child.err,
                   "made by fork() returned from the job it was in; end it with _exit()");
    test_fork(&child, first_forks);
    CHECK_EQ(child.code, 0);
    CHECK_CONTAINS(child.err, "made by fork() returned from urd_run; end it with _exit()");
}

/* ---- Siblings -------------------------------------------------------------------------------- */

static int sent; /* one worker runs all that write it */

static int send_one(void *arg)
{
    sent++;
    return urd_chan_send(arg, &sent);
}

static int receive_many(void *arg)
{
    (void)arg;
    enum { FEW = 10, MANY = 40 };
    int ring[MANY], v;
    urd_chan c;
    urd_chan_init(&c, sizeof(int), ring, MANY);
    for (int count = FEW; count <= MANY; count += MANY - FEW) {
        urd_scope s;
        urd_scope_open(&s);
        for (int i = 0; i < count; i++)
            urd_go(&s, send_one, &c);
        sent = 0;
        CHECK_EQ(urd_chan_recv(&c, &v), 0);
        CHECK_GE(sent, FEW);               /* the first of them woke this one, which had to wait */
        CHECK(sent == FEW || sent < MANY); /* but not for all */
        CHECK_EQ(urd_scope_join(&s), 0);
        while (urd_chan_tryrecv(&c, &v) == 0)
            ;
    }
    return 0;
}

TEST(a_few_siblings_begin_before_who_waits_for_them_goes_on)
{
    test_run(receive_many);
}

/* ---- Many ------------------------------------------------------------------------------------ */

static int wait_and_count(void *arg)
{
    CHECK_EQ(urd_event_wait(arg), 0);
    urd__add_ar(&ended, 1);
    return 0;
}

static int many(void *arg)
{
    (void)arg;
    int count = test_under_slow_tool() ? 500 : 20000;
    urd_event e = {0};
    urd_scope s;
    ended = 0;
    urd_scope_open(&s);
    for (int i = 0; i < count; i++)
        CHECK_EQ(urd_go(&s, wait_and_count, &e), 0);
    CHECK_EQ(urd_sleep(1), 0);
    CHECK_EQ(ended, 0);
    urd_event_set(&e);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(ended, count);
    return 0;
}

TEST(tasks_by_the_ten_thousand_wait_at_once)
{
    test_run(many);
}
