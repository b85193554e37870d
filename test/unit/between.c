/*
 * between.c - channels between processes: order, ends, joins, deaths at each side, misuse.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sync/between.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/os.h"
#include "forks.h"
#include "test.h"

enum { SLOTS_MAX = 8, TIMES = 150 };

typedef struct value {
    int from, number;
} value;

/* In shared memory. */
typedef struct line {
    urd_chan chan;
    value ring[SLOTS_MAX];
    int turn; /* atomic */
    long sum; /* atomic */
} line;

static void run(urd_fn *fn)
{
    urd_config config = {.workers = 1};
    test_run_with(&config, fn, NULL);
}

static line *new_line(size_t slots)
{
    line *l = urd_shared_alloc(sizeof *l);
    CHECK(l != NULL);
    urd_chan_init(&l->chan, sizeof(value), l->ring, slots);
    return l;
}

static int in_process(urd_fn *fn, void *arg)
{
    urd_scope s;
    urd_scope_open(&s);
    CHECK_EQ(urd_spawn(&s, URD_PROCESS, fn, arg, 0), 0);
    return urd_scope_join(&s);
}

static int sends(void *arg)
{
    line *l = arg;
    value v = {.from = urd__add_ar(&l->turn, 1)};
    for (; v.number < TIMES; v.number++)
        CHECK_EQ(urd_chan_send(&l->chan, &v), 0);
    return 0;
}

/* What each sends arrives in its order. */
static int receives(void *arg)
{
    line *l = arg;
    value v;
    int rc, next[8] = {0};
    while ((rc = urd_chan_recv(&l->chan, &v)) == 0) {
        CHECK_GE(v.number, next[v.from]);
        next[v.from] = v.number + 1;
        urd__add_ar(&l->sum, v.number);
    }
    return rc == -EPIPE ? 0 : rc;
}

static int all_kinds(void *arg)
{
    (void)arg;
    for (size_t slots = 1; slots <= SLOTS_MAX; slots = 2 * slots + 1) {
        line *l = new_line(slots);
        urd_scope senders, receivers;
        urd_chan_counts counts;
        urd_scope_open(&receivers);
        for (urd_kind kind = URD_TASK; kind <= URD_PROCESS; kind++)
            CHECK_EQ(urd_spawn(&receivers, kind, receives, l, 0), 0);
        urd_scope_open(&senders);
        for (urd_kind kind = URD_TASK; kind <= URD_PROCESS; kind++)
            CHECK_EQ(urd_spawn(&senders, kind, sends, l, 0), 0);
        CHECK_EQ(urd_scope_join(&senders), 0);
        urd_chan_close(&l->chan);
        CHECK_EQ(urd_scope_join(&receivers), 0);
        CHECK_EQ(l->sum, 3 * TIMES * (TIMES - 1) / 2);
        urd_chan_stats(&l->chan, &counts);
        CHECK(counts.closed && counts.sent == 3 * TIMES && counts.depth == 0);
        urd_chan_fini(&l->chan);
        urd_shared_free(l);
    }
    return 0;
}

TEST(tasks_threads_and_processes_send_and_receive)
{
    run(all_kinds);
}

static int one_by_one(void *arg)
{
    (void)arg;
    line *l = new_line(3);
    value v = {0};
    urd_chan_counts counts;
    CHECK_EQ(urd_chan_tryrecv(&l->chan, &v), -EAGAIN);
    for (int round = 0; round < 5; round++) {
        for (v.number = 0; v.number < 3; v.number++)
            CHECK_EQ(urd_chan_trysend(&l->chan, &v), 0);
        CHECK_EQ(urd_chan_trysend(&l->chan, &v), -EAGAIN);
        CHECK_EQ(urd_chan_depth(&l->chan), 3);
        for (int i = 0; i < 3; i++) {
            CHECK_EQ(urd_chan_tryrecv(&l->chan, &v), 0);
            CHECK_EQ(v.number, i);
        }
    }
    urd_chan_stats(&l->chan, &counts);
    CHECK(counts.sent == 15 && counts.unfinished == 15 && !counts.closed && counts.depth == 0);
    urd_chan_close(&l->chan);
    urd_chan_close(&l->chan);
    CHECK_EQ(urd_chan_trysend(&l->chan, &v), -EPIPE);
    CHECK_EQ(urd_chan_recv(&l->chan, &v), -EPIPE);
    urd_shared_free(l);
    return 0;
}

TEST(try_never_waits_and_the_ring_goes_round)
{
    run(one_by_one);
}

/* ---- Ends ------------------------------------------------------------------------------------ */

static int waits_for_the_end(void *arg)
{
    value v;
    CHECK_EQ(urd_chan_recv(arg, &v), -EPIPE);
    return 0;
}

static int waits_for_room(void *arg)
{
    value v = {0};
    CHECK_EQ(urd_chan_send(arg, &v), -EPIPE);
    return 0;
}

static int wakes_all(void *arg)
{
    (void)arg;
    line *empty = new_line(2), *full = new_line(1);
    value v = {0};
    urd_scope s;
    CHECK_EQ(urd_chan_send(&full->chan, &v), 0);
    urd_scope_open(&s);
    for (int i = 0; i < 2; i++)
        for (urd_kind kind = URD_TASK; kind <= URD_PROCESS; kind++) {
            CHECK_EQ(urd_spawn(&s, kind, waits_for_the_end, &empty->chan, 0), 0);
            CHECK_EQ(urd_spawn(&s, kind, waits_for_room, &full->chan, 0), 0);
        }
    CHECK_EQ(urd_yield(), 0);
    urd_chan_close(&empty->chan);
    urd_chan_close(&full->chan);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(urd_chan_recv(&full->chan, &v), 0); /* what was sent before */
    CHECK_EQ(urd_chan_recv(&full->chan, &v), -EPIPE);
    urd_shared_free(empty);
    urd_shared_free(full);
    return 0;
}

TEST(a_close_wakes_who_waits_at_either_side)
{
    run(wakes_all);
}

static int works(void *arg)
{
    line *l = arg;
    value v;
    int rc;
    while ((rc = urd_chan_recv(&l->chan, &v)) == 0) {
        CHECK_EQ(urd_yield(), 0);
        urd__add_ar(&l->sum, 1);
        urd_chan_done(&l->chan);
    }
    return rc == -EPIPE ? 0 : rc;
}

static int joins(void *arg)
{
    (void)arg;
    line *l = new_line(2);
    value v = {0};
    urd_scope s;
    CHECK_EQ(urd_chan_join(&l->chan), 0); /* nothing to wait for */
    urd_scope_open(&s);
    for (urd_kind kind = URD_TASK; kind <= URD_PROCESS; kind++)
        CHECK_EQ(urd_spawn(&s, kind, works, l, 0), 0);
    for (int round = 1; round <= 3; round++) {
        for (int i = 0; i < 7; i++)
            CHECK_EQ(urd_chan_send(&l->chan, &v), 0);
        CHECK_EQ(urd_chan_join(&l->chan), 0);
        CHECK_EQ(urd__load_acq(&l->sum), 7 * round);
    }
    urd_chan_close(&l->chan);
    CHECK_EQ(urd_scope_join(&s), 0);
    urd_shared_free(l);
    return 0;
}

TEST(join_waits_until_other_processes_have_done_all)
{
    run(joins);
}

static int joins_it(void *chan)
{
    return urd_chan_join(chan);
}

static int drops(void *arg)
{
    (void)arg;
    line *l = new_line(4);
    value v = {0};
    urd_chan_counts counts;
    urd_scope s;
    for (int i = 0; i < 4; i++)
        CHECK_EQ(urd_chan_send(&l->chan, &v), 0);
    CHECK_EQ(urd_chan_recv(&l->chan, &v), 0);
    urd_scope_open(&s);
    urd_go(&s, joins_it, &l->chan);
    CHECK_EQ(urd_spawn(&s, URD_PROCESS, joins_it, &l->chan, 0), 0);
    CHECK_EQ(urd_yield(), 0);
    CHECK_EQ(urd_chan_close_now(&l->chan), 3);
    CHECK_EQ(urd_chan_close_now(&l->chan), 0);
    CHECK_EQ(urd_chan_recv(&l->chan, &v), -EPIPE);
    urd_chan_stats(&l->chan, &counts);
    CHECK(counts.depth == 0 && counts.unfinished == 1 && counts.closed);
    urd_chan_done(&l->chan);
    CHECK_EQ(urd_scope_join(&s), 0);
    urd_shared_free(l);
    return 0;
}

TEST(what_a_close_drops_is_done)
{
    run(drops);
}

static int receives_in_vain(void *arg)
{
    value v;
    CHECK_EQ(urd_chan_recv(arg, &v), -ECANCELED);
    return 0;
}

static int cancels(void *arg)
{
    (void)arg;
    line *l = new_line(2);
    value v = {.number = 7};
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(urd_spawn(&s, i % 2 ? URD_THREAD : URD_TASK, receives_in_vain, &l->chan, 0), 0);
    CHECK_EQ(urd_yield(), 0);
    urd_scope_cancel(&s, -EDOM);
    CHECK_EQ(urd_scope_join(&s), -EDOM);
    CHECK_EQ(urd_chan_send(&l->chan, &v), 0);
    v.number = 0;
    CHECK_EQ(urd_chan_recv(&l->chan, &v), 0);
    CHECK_EQ(v.number, 7);
    urd_shared_free(l);
    return 0;
}

TEST(who_is_cancelled_takes_no_value)
{
    run(cancels);
}

static int sends_late(void *arg)
{
    CHECK_EQ(urd_yield(), 0);
    return sends(arg);
}

static int compact(void *arg)
{
    (void)arg;
    line *l = new_line(2);
    urd_scope s, senders;
    urd_scope_open(&s);
    urd_scope_compact(&s);
    for (int i = 0; i < 3; i++)
        urd_go(&s, receives, l);
    urd_scope_open(&senders);
    urd_go(&senders, sends_late, l);
    CHECK_EQ(urd_scope_join(&senders), 0);
    urd_chan_close(&l->chan);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(l->sum, TIMES * (TIMES - 1) / 2);
    urd_shared_free(l);
    return 0;
}

TEST(compact_tasks_receive_too)
{
    run(compact);
}

/* ---- Deaths ---------------------------------------------------------------------------------- */

static int sends_two_and_dies(void *arg)
{
    line *l = arg;
    for (value v = {0}; v.number < 2; v.number++)
        CHECK_EQ(urd_chan_send(&l->chan, &v), 0);
    raise(SIGKILL);
    return 0;
}

static int sends_one_and_exits(void *arg)
{
    line *l = arg;
    value v = {0};
    CHECK_EQ(urd_chan_send(&l->chan, &v), 0);
    _exit(0);
}

static int sends_one(void *arg)
{
    line *l = arg;
    value v = {0};
    return urd_chan_send(&l->chan, &v);
}

static void take_both(line *l)
{
    value v;
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(urd_chan_recv(&l->chan, &v), 0);
        CHECK_EQ(v.number, i);
    }
}

static int sender_dies(void *arg)
{
    (void)arg;
    line *l = new_line(4);
    value v;
    CHECK_EQ(in_process(sends_two_and_dies, l), -ECHILD);
    take_both(l);
    for (int i = 0; i < 2; i++) { /* not once, but until that is over */
        CHECK_EQ(urd_chan_recv(&l->chan, &v), -EOWNERDEAD);
        CHECK_EQ(urd_chan_tryrecv(&l->chan, &v), -EOWNERDEAD);
    }
    urd_chan_repair(&l->chan);
    CHECK_EQ(urd_chan_tryrecv(&l->chan, &v), -EAGAIN);
    CHECK_EQ(in_process(sends_one_and_exits, l), -ECHILD);
    CHECK_EQ(urd_chan_recv(&l->chan, &v), 0);
    CHECK_EQ(urd_chan_recv(&l->chan, &v), -EOWNERDEAD);
    CHECK_EQ(sends_one(l), 0); /* of this one, which lives, more may come */
    CHECK_EQ(urd_chan_recv(&l->chan, &v), 0);
    CHECK_EQ(urd_chan_tryrecv(&l->chan, &v), -EAGAIN);
    urd_chan_close(&l->chan);
    CHECK_EQ(urd_chan_recv(&l->chan, &v), -EPIPE);
    urd_shared_free(l);
    return 0;
}

TEST(what_a_killed_sender_sent_is_received_and_then_it_is_told)
{
    run(sender_dies);
}

static int senders_leave(void *arg)
{
    (void)arg;
    line *l = new_line(4);
    value v;
    for (int i = 0; i < 6; i++) {
        CHECK_EQ(in_process(sends_one, l), 0);
        CHECK_EQ(urd_chan_recv(&l->chan, &v), 0);
        CHECK_EQ(urd_chan_tryrecv(&l->chan, &v), -EAGAIN);
    }
    CHECK_EQ(in_process(sends_one_and_exits, l), -ECHILD);
    CHECK_EQ(in_process(sends_one, l), 0); /* the one before it is not forgotten */
    CHECK_EQ(urd_chan_recv(&l->chan, &v), 0);
    CHECK_EQ(urd_chan_recv(&l->chan, &v), 0);
    CHECK_EQ(urd_chan_tryrecv(&l->chan, &v), -EOWNERDEAD);
    urd_shared_free(l);
    return 0;
}

TEST(senders_whose_jobs_returned_are_not_missed)
{
    run(senders_leave);
}

static int sends_and_dies_when_awaited(void *arg)
{
    line *l = arg;
    urd_chan_counts counts;
    value v = {0};
    CHECK_EQ(urd_chan_send(&l->chan, &v), 0);
    do {
        urd__os_yield();
        urd_chan_stats(&l->chan, &counts);
    } while (counts.receivers == 0 || counts.depth > 0);
    raise(SIGKILL);
    return 0;
}

static int receives_until_told(void *arg)
{
    line *l = arg;
    value v;
    CHECK_EQ(urd_chan_recv(&l->chan, &v), 0);
    CHECK_EQ(urd_chan_recv(&l->chan, &v), -EOWNERDEAD);
    return 0;
}

static int receiver_is_woken(void *arg)
{
    (void)arg;
    for (urd_kind kind = URD_TASK; kind <= URD_PROCESS; kind++) {
        line *l = new_line(1);
        urd_scope s;
        urd_scope_open(&s);
        CHECK_EQ(urd_spawn(&s, kind, receives_until_told, l, 0), 0);
        CHECK_EQ(in_process(sends_and_dies_when_awaited, l), -ECHILD);
        CHECK_EQ(urd_scope_join(&s), 0);
        urd_shared_free(l);
    }
    return 0;
}

TEST(who_waits_to_receive_as_the_sender_is_killed_is_woken)
{
    run(receiver_is_woken);
}

static int receives_and_dies_when_awaited(void *arg)
{
    line *l = arg;
    urd_chan_counts counts;
    value v;
    CHECK_EQ(urd_chan_recv(&l->chan, &v), 0);
    do {
        urd__os_yield();
        urd_chan_stats(&l->chan, &counts);
    } while (counts.senders == 0);
    raise(SIGKILL);
    return 0;
}

static int sends_until_told(void *arg)
{
    line *l = arg;
    value v = {0};
    int rc;
    while ((rc = urd_chan_send(&l->chan, &v)) == 0)
        v.number++;
    CHECK_EQ(rc, -EOWNERDEAD);
    CHECK_EQ(v.number, 3); /* one was received, two lie in the ring */
    CHECK_EQ(urd_chan_trysend(&l->chan, &v), -EOWNERDEAD);
    urd_chan_repair(&l->chan);
    CHECK_EQ(urd_chan_trysend(&l->chan, &v), -EAGAIN);
    return 0;
}

static int sender_is_woken(void *arg)
{
    (void)arg;
    for (urd_kind kind = URD_TASK; kind <= URD_PROCESS; kind++) {
        line *l = new_line(2);
        urd_scope s;
        urd_scope_open(&s);
        CHECK_EQ(urd_spawn(&s, kind, sends_until_told, l, 0), 0);
        CHECK_EQ(in_process(receives_and_dies_when_awaited, l), -ECHILD);
        CHECK_EQ(urd_scope_join(&s), 0);
        urd_shared_free(l);
    }
    return 0;
}

TEST(who_waits_for_room_as_the_receiver_is_killed_is_woken)
{
    run(sender_is_woken);
}

/* A large value, so that the kill often falls into the copy. */
typedef struct block {
    int from, number;
    unsigned char bytes[504];
} block;

typedef struct yard {
    urd_chan chan;
    block ring[4];
    int turn; /* atomic */
} yard;

static int sends_for_ever(void *arg)
{
    yard *y = arg;
    block b = {.from = urd__add_ar(&y->turn, 1)};
    for (int rc = 0; rc == 0; b.number++) {
        memset(b.bytes, b.from + b.number, sizeof b.bytes);
        rc = urd_chan_send(&y->chan, &b);
    }
    return 0;
}

static void check_block(const block *b, int *next)
{
    CHECK_EQ(b->number, next[b->from]); /* none is missing, and none comes twice */
    next[b->from]++;
    for (size_t i = 0; i < sizeof b->bytes; i++)
        CHECK_EQ(b->bytes[i], (unsigned char)(b->from + b->number));
}

/* The next to send may not have come yet when the last has died. */
static void receive_blocks(yard *y, int n, int *next)
{
    for (block b; n > 0;) {
        int rc = urd_chan_recv(&y->chan, &b);
        if (rc == -EOWNERDEAD) {
            urd_chan_repair(&y->chan);
            continue;
        }
        CHECK_EQ(rc, 0);
        check_block(&b, next);
        n--;
    }
}

/* Two send; one after the other is killed, and replaced. */
static int killed_anywhere(void *arg)
{
    (void)arg;
    enum { ROUNDS = 20 };
    int rounds = test_under_slow_tool() ? 2 : ROUNDS, next[ROUNDS + 1] = {0};
    yard *y = urd_shared_alloc(sizeof *y);
    urd_scope s;
    urd_job jobs[ROUNDS + 1];
    block b;
    urd_chan_init(&y->chan, sizeof(block), y->ring, 4);
    urd_scope_open(&s);
    urd_scope_keep_going(&s);
    CHECK_EQ(urd_job_open(&jobs[0], &s, URD_PROCESS, sends_for_ever, y, 0, NULL), 0);
    for (int round = 0; round < rounds; round++) {
        urd_job *doomed = &jobs[round], *next_one = &jobs[round + 1];
        CHECK_EQ(urd_job_open(next_one, &s, URD_PROCESS, sends_for_ever, y, 0, NULL), 0);
        receive_blocks(y, 20 + round, next);
        CHECK_EQ(kill(urd_job_pid(doomed), SIGKILL), 0);
        CHECK_EQ(urd_job_join(doomed), -ECHILD);
    }
    urd_chan_close(&y->chan);
    while (urd_chan_recv(&y->chan, &b) == 0)
        check_block(&b, next);
    CHECK_EQ(urd_scope_join(&s), -ECHILD);
    urd_shared_free(y);
    return 0;
}

TEST(senders_killed_anywhere_leave_whole_values)
{
    run(killed_anywhere);
}

/* ---- Misuse ---------------------------------------------------------------------------------- */

static line *raw(void)
{
    return urd_shared_alloc(sizeof(line));
}

static int without_slots(void *arg)
{
    (void)arg;
    urd_chan_init(&raw()->chan, sizeof(value), NULL, 0);
    return 0;
}

static int ring_elsewhere(void *arg)
{
    (void)arg;
    static value ring[2];
    urd_chan_init(&raw()->chan, sizeof(value), ring, 2);
    return 0;
}

static int newest_first(void *arg)
{
    (void)arg;
    line *l = raw();
    urd_chan_init_lifo(&l->chan, sizeof(value), l->ring, 2);
    return 0;
}

static int bounded_by_bytes(void *arg)
{
    (void)arg;
    line *l = raw();
    urd_chan_init_bytes(&l->chan, l->ring, sizeof l->ring);
    return 0;
}

static int done_too_often(void *arg)
{
    (void)arg;
    urd_chan_done(&new_line(2)->chan);
    return 0;
}

static int selects(void *arg)
{
    (void)arg;
    value v;
    urd_op op = urd_op_recv(&new_line(2)->chan, &v);
    return urd_select(&op, 1);
}

static void run_without_slots(void)
{
    run(without_slots);
}

static void run_ring_elsewhere(void)
{
    run(ring_elsewhere);
}

static void run_newest_first(void)
{
    run(newest_first);
}

static void run_bounded_by_bytes(void)
{
    run(bounded_by_bytes);
}

static void run_done_too_often(void)
{
    run(done_too_often);
}

static void run_selects(void)
{
    run(selects);
}

/* It is this test that is the reaper of what an aborted program leaves. */
static void reap_orphans(void)
{
    while (waitpid(-1, NULL, __WALL) > 0 || errno == EINTR)
        ;
}

TEST(misuse_aborts_and_says_what)
{
    CHECK_ABORTS(run_without_slots, "between processes there is no rendezvous");
    CHECK_ABORTS(run_ring_elsewhere, "must be in shared memory");
    CHECK_ABORTS(run_newest_first, "urd_chan_init_lifo: between processes");
    CHECK_ABORTS(run_bounded_by_bytes, "urd_chan_init_bytes: between processes");
    CHECK_ABORTS(run_done_too_often, "urd_chan_done more often than values were sent");
    CHECK_ABORTS(run_selects, "arm 0 is a channel between processes");
    reap_orphans();
}

TEST(of_one_process_there_is_nothing_to_repair)
{
    value ring[1], v = {0};
    urd_chan c;
    urd_chan_init(&c, sizeof(value), ring, 1);
    urd_chan_repair(&c);
    CHECK_EQ(urd_chan_trysend(&c, &v), 0);
}
