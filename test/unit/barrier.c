/*
 * barrier.c - rounds, the last to come, abort, reset, cancels.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/atomic.h"
#include "base/os.h"
#include "core/peer.h"
#include "forks.h"
#include "runs.h"

enum { PARTIES = 6, ROUNDS = 20 };

static urd_barrier barrier;
static int came[ROUNDS], last; /* atomic */

static int go_round(void *arg)
{
    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        urd__add_ar(&came[i], 1);
        int rc = urd_barrier_wait(&barrier);
        CHECK(rc == 0 || rc == 1);
        CHECK_EQ(urd__load_acq(&came[i]), PARTIES);
        urd__add_ar(&last, rc);
    }
    return 0;
}

static void start_anew(void)
{
    urd_barrier_init(&barrier, PARTIES);
    for (int i = 0; i < ROUNDS; i++)
        came[i] = 0;
    last = 0;
}

static int rounds(void *arg)
{
    (void)arg;
    start_anew();
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < PARTIES; i++)
        urd_spawn(&s, i % 3 ? URD_TASK : URD_THREAD, go_round, NULL, 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(last, ROUNDS); /* one in each round */
    CHECK_EQ(urd_barrier_waiting(&barrier), 0);
    return 0;
}

TEST(all_come_before_anybody_goes_on_and_one_is_the_last)
{
    run_seeds(20, rounds);
}

static void *go_round_in_a_thread(void *arg)
{
    go_round(arg);
    return NULL;
}

TEST(threads_need_no_runtime_for_a_barrier)
{
    pthread_t ids[PARTIES - 1];
    start_anew();
    for (int i = 0; i < PARTIES - 1; i++)
        CHECK_EQ(pthread_create(&ids[i], NULL, go_round_in_a_thread, NULL), 0);
    go_round(NULL);
    for (int i = 0; i < PARTIES - 1; i++)
        CHECK_EQ(pthread_join(ids[i], NULL), 0);
}

static int wait_for(void *arg)
{
    CHECK_EQ(urd_barrier_wait(&barrier), *(const int *)arg);
    return 0;
}

static int abort_and_reset(void *arg)
{
    (void)arg;
    static int broken = -EPIPE;
    urd_barrier_init(&barrier, 3);
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, wait_for, &broken);
    urd_spawn(&s, URD_THREAD, wait_for, &broken, 0);
    let_others_run();
    CHECK_EQ(urd_barrier_waiting(&barrier), 2);
    CHECK(!urd_barrier_broken(&barrier));
    urd_barrier_abort(&barrier);
    CHECK(urd_barrier_broken(&barrier));
    CHECK_EQ(urd_barrier_wait(&barrier), -EPIPE);
    CHECK_EQ(urd_scope_wait(&s), 0);
    urd_barrier_reset(&barrier);
    CHECK(!urd_barrier_broken(&barrier));
    urd_go(&s, wait_for, &broken);
    let_others_run();
    urd_barrier_reset(&barrier); /* sends away who waits */
    CHECK_EQ(urd_scope_wait(&s), 0);
    static int zero;
    urd_go(&s, wait_for, &zero);
    urd_go(&s, wait_for, &zero);
    let_others_run();
    CHECK_EQ(urd_barrier_wait(&barrier), 1);
    return urd_scope_join(&s);
}

TEST(abort_breaks_it_and_reset_makes_it_whole)
{
    run_seeds(20, abort_and_reset);
}

static int one_leaves(void *arg)
{
    (void)arg;
    static int zero, cancelled = -ECANCELED;
    urd_barrier_init(&barrier, 3);
    urd_scope outer, s;
    urd_scope_open(&outer);
    urd_go(&outer, wait_for, &zero);
    let_others_run();
    urd_scope_open(&s);
    urd_go(&s, wait_for, &cancelled);
    let_others_run();
    CHECK_EQ(urd_barrier_waiting(&barrier), 2);
    urd_scope_cancel(&s, -EIO);
    CHECK_EQ(urd_barrier_wait(&barrier), -ECANCELED);
    CHECK_EQ(urd_scope_join(&s), -EIO);
    CHECK_EQ(urd_barrier_waiting(&barrier), 1); /* as if they had not come */
    urd_spawn(&outer, URD_THREAD, wait_for, &zero, 0);
    let_others_run();
    CHECK_EQ(urd_barrier_wait(&barrier), 1);
    return urd_scope_join(&outer);
}

TEST(a_cancelled_waiter_leaves_as_if_it_had_not_come)
{
    run_seeds(20, one_leaves);
}

static int done[2]; /* atomic: rounds that counted, by those who may be cancelled and the others */

static int wait_at(void *arg)
{
    urd_time when = *(const urd_time *)arg;
    int rc = urd_sleep_until(when);
    if (rc == 0)
        rc = urd_barrier_wait(&barrier);
    if (rc >= 0)
        urd__add_ar(&done[0], 1);
    return rc < 0 ? rc : 0;
}

static int wait_at_in_peace(void *arg)
{
    urd_time when = *(const urd_time *)arg;
    CHECK_EQ(urd_sleep_until(when), 0);
    int rc = urd_barrier_wait(&barrier);
    urd__add_ar(&done[1], rc >= 0);
    return rc == -EPIPE ? 0 : rc < 0 ? rc : 0;
}

/* Two come in peace and one who may be cancelled: all three are through, or none. */
static int cancelled_on_the_way(void *arg)
{
    (void)arg;
    urd_time when = urd_now() + 5;
    urd_barrier_init(&barrier, 3);
    done[0] = done[1] = 0;
    urd_scope outer, s;
    urd_scope_open(&outer);
    urd_go(&outer, wait_at_in_peace, &when);
    urd_spawn(&outer, URD_THREAD, wait_at_in_peace, &when, 0);
    urd_scope_open(&s);
    urd_scope_deadline(&s, when);
    urd_spawn(&s, test_random(2) ? URD_TASK : URD_THREAD, wait_at, &when, 0);
    int rc = urd_scope_join(&s);
    CHECK(rc == -ETIMEDOUT || rc == 0);
    CHECK_EQ(urd_sleep(10), 0);
    urd_barrier_abort(&barrier);
    CHECK_EQ(urd_scope_join(&outer), 0);
    CHECK_EQ(done[1], 2 * done[0]);
    return 0;
}

TEST(a_round_and_a_cancel_at_once_agree_who_was_there)
{
    run_seeds(100, cancelled_on_the_way);
}

/* ---- Between processes ----------------------------------------------------------------------- */

static void run_between(urd_fn *fn)
{
    urd_config config = {.workers = 1};
    test_run_with(&config, fn, NULL);
}

/* In shared memory. */
typedef struct meeting {
    urd_barrier barrier;
    int came[ROUNDS]; /* atomic, as the next two */
    int last, turn;
} meeting;

static meeting *new_meeting(int parties)
{
    meeting *m = urd_shared_alloc(sizeof *m);
    CHECK(m != NULL);
    urd_barrier_init(&m->barrier, parties);
    return m;
}

static int meet_often(void *arg)
{
    meeting *m = arg;
    for (int i = 0; i < ROUNDS; i++) {
        urd__add_ar(&m->came[i], 1);
        int rc = urd_barrier_wait(&m->barrier);
        CHECK(rc == 0 || rc == 1);
        CHECK_EQ(urd__load_acq(&m->came[i]), PARTIES);
        urd__add_ar(&m->last, rc);
    }
    return 0;
}

static int all_kinds(void *arg)
{
    (void)arg;
    meeting *m = new_meeting(PARTIES);
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < PARTIES; i++)
        CHECK_EQ(urd_spawn(&s,
                           i % 3 == 0   ? URD_TASK
                           : i % 3 == 1 ? URD_THREAD
                                        : URD_PROCESS,
                           meet_often, m, 0),
                 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(m->last, ROUNDS);
    CHECK_EQ(urd_barrier_waiting(&m->barrier), 0);
    CHECK(!urd_barrier_broken(&m->barrier));
    urd_shared_free(m);
    return 0;
}

TEST(tasks_threads_and_processes_meet_round_after_round)
{
    run_between(all_kinds);
}

static int meet_once(void *arg)
{
    int rc = urd_barrier_wait(&((meeting *)arg)->barrier);
    return rc < 0 ? rc : 0;
}

static int is_told(void *arg)
{
    CHECK_EQ(meet_once(arg), -EOWNERDEAD);
    return 0;
}

static void until_waiting(meeting *m, int n)
{
    while (urd_barrier_waiting(&m->barrier) < n)
        CHECK_EQ(urd_yield(), 0);
}

static int in_process(urd_fn *fn, void *arg)
{
    urd_scope s;
    urd_scope_open(&s);
    CHECK_EQ(urd_spawn(&s, URD_PROCESS, fn, arg, 0), 0);
    return urd_scope_join(&s);
}

/* It tells who waits, who comes, and then meets with another in its place. */
static int killed_as_it_waits(void *arg)
{
    (void)arg;
    for (urd_kind kind = URD_TASK; kind <= URD_PROCESS; kind++) {
        meeting *m = new_meeting(3);
        urd_scope s, doomed;
        urd_job job;
        urd_scope_open(&s);
        urd_scope_open(&doomed);
        CHECK_EQ(urd_job_open(&job, &doomed, URD_PROCESS, meet_once, m, 0, NULL), 0);
        until_waiting(m, 1);
        CHECK_EQ(urd_spawn(&s, kind, is_told, m, 0), 0);
        until_waiting(m, 2);
        CHECK_EQ(kill(urd_job_pid(&job), SIGKILL), 0);
        CHECK_EQ(urd_scope_join(&doomed), -ECHILD);
        CHECK_EQ(urd_scope_join(&s), 0);
        CHECK(urd_barrier_broken(&m->barrier));
        CHECK_EQ(urd_barrier_waiting(&m->barrier), 0);
        CHECK_EQ(urd_barrier_wait(&m->barrier), -EOWNERDEAD);
        CHECK_EQ(in_process(is_told, m), 0);
        urd_barrier_reset(&m->barrier);
        CHECK(!urd_barrier_broken(&m->barrier));
        urd_scope_open(&s);
        for (int i = 0; i < 3; i++)
            CHECK_EQ(urd_spawn(&s, kind, meet_once, m, 0), 0);
        CHECK_EQ(urd_scope_join(&s), 0);
        urd_shared_free(m);
    }
    return 0;
}

TEST(a_party_that_is_killed_breaks_the_barrier_until_it_is_reset)
{
    run_between(killed_as_it_waits);
}

static int meets_and_dies(void *arg)
{
    meeting *m = arg;
    CHECK_LE(0, urd_barrier_wait(&m->barrier));
    while (!urd__load_acq(&m->turn))
        urd__os_yield();
    raise(SIGKILL);
    return 0;
}

static int killed_between_rounds(void *arg)
{
    (void)arg;
    meeting *m = new_meeting(2);
    urd_scope s, doomed;
    urd_scope_open(&s);
    urd_scope_open(&doomed);
    CHECK_EQ(urd_spawn(&doomed, URD_PROCESS, meets_and_dies, m, 0), 0);
    CHECK_LE(0, urd_barrier_wait(&m->barrier));
    urd_go(&s, is_told, m);
    until_waiting(m, 1);
    urd__store_rel(&m->turn, 1);
    CHECK_EQ(urd_scope_join(&doomed), -ECHILD);
    CHECK_EQ(urd_scope_join(&s), 0);
    urd_shared_free(m);
    return 0;
}

TEST(who_came_before_and_is_killed_is_not_waited_for)
{
    run_between(killed_between_rounds);
}

/* Each in a process that ends well: more of them than a barrier knows at a time. */
static int replaced(void *arg)
{
    (void)arg;
    meeting *m = new_meeting(2);
    int times = test_under_slow_tool() ? 2 : 70;
    for (int i = 0; i < times; i++) {
        urd_scope s;
        urd_scope_open(&s);
        CHECK_EQ(urd_spawn(&s, URD_PROCESS, meet_once, m, 0), 0);
        CHECK_LE(0, urd_barrier_wait(&m->barrier));
        CHECK_EQ(urd_scope_join(&s), 0);
    }
    urd_shared_free(m);
    return 0;
}

TEST(a_party_whose_job_returned_may_be_replaced)
{
    run_between(replaced);
}

static int is_sent_away(void *arg)
{
    CHECK_EQ(meet_once(arg), -EPIPE);
    return 0;
}

static int is_cancelled(void *arg)
{
    CHECK_EQ(meet_once(arg), -ECANCELED);
    return 0;
}

static int ended_otherwise(void *arg)
{
    (void)arg;
    meeting *m = new_meeting(3);
    urd_scope s;
    for (int aborts = 0; aborts < 2; aborts++) {
        urd_scope_open(&s);
        urd_go(&s, is_sent_away, m);
        CHECK_EQ(urd_spawn(&s, URD_THREAD, is_sent_away, m, 0), 0);
        until_waiting(m, 2);
        if (aborts)
            urd_barrier_abort(&m->barrier);
        else
            urd_barrier_reset(&m->barrier);
        CHECK_EQ(urd_scope_join(&s), 0);
        CHECK_EQ(urd_barrier_broken(&m->barrier), aborts);
    }
    CHECK_EQ(meet_once(m), -EPIPE);
    urd_barrier_reset(&m->barrier);
    urd_scope_open(&s);
    urd_go(&s, is_cancelled, m);
    CHECK_EQ(urd_spawn(&s, URD_THREAD, is_cancelled, m, 0), 0);
    until_waiting(m, 2);
    urd_scope_cancel(&s, -EDOM);
    CHECK_EQ(urd_scope_join(&s), -EDOM);
    CHECK_EQ(urd_barrier_waiting(&m->barrier), 0);
    urd_shared_free(m);
    return 0;
}

TEST(abort_reset_and_cancel_end_a_wait_between_processes)
{
    run_between(ended_otherwise);
}

/* Until others have filled the places of all processes. */
static int no_place(void *arg)
{
    (void)arg;
    meeting *m = new_meeting(2);
    uint32_t own = urd__place_own.self;
    int places = (int)(sizeof m->barrier.peers / sizeof *m->barrier.peers);
    for (int i = 0; i < places; i++)
        m->barrier.peers[i] = own;
    CHECK_EQ(in_process(meet_once, m), -ENOSPC);
    CHECK_EQ(urd_barrier_waiting(&m->barrier), 0);
    urd_shared_free(m);
    return 0;
}

TEST(more_processes_than_there_are_places_are_refused)
{
    run_between(no_place);
}

static void no_parties(void)
{
    urd_barrier_init(&barrier, 0);
}

static int too_many_parties(void *arg)
{
    (void)arg;
    urd_barrier_init(urd_shared_alloc(sizeof(urd_barrier)), 1 << 20);
    return 0;
}

static void too_many(void)
{
    run_between(too_many_parties);
}

static int wait_for_zeros(void *arg)
{
    (void)arg;
    urd_barrier zeros = {0};
    return urd_barrier_wait(&zeros);
}

static void zeros(void)
{
    test_run(wait_for_zeros);
}

TEST(misuse_aborts_with_a_message)
{
    CHECK_ABORTS(no_parties, "urd_barrier_init: 0 parties");
    CHECK_ABORTS(too_many, "urd_barrier_init: 1048576 parties between processes");
    CHECK_ABORTS(zeros, "urd_barrier_wait: the barrier was not initialised");
    while (waitpid(-1, NULL, __WALL) > 0 || errno == EINTR)
        continue; /* what an aborted program leaves */
}
