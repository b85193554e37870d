/*
 * compact.c - tasks that keep only their live frames while they wait.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/compact.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/os.h"
#include "core/sanitize.h"
#include "runs.h"

enum { TASKS = 30, LOCAL_BYTES = 200 };

static void skip_where_stacks_stay(void)
{
    if (!urd__sanitize_copies_stacks())
        SKIP("the tool watches stacks, so none is copied");
}

static void open_compact(urd_scope *s)
{
    urd_scope_open(s);
    urd_scope_compact(s);
}

/* ---- What is on the stack stays as it was --------------------------------------------------- */

__attribute__((noinline)) static void use_deep(long depth)
{
    volatile char frame[1024];
    for (size_t i = 0; i < sizeof frame; i += 64)
        frame[i] = (char)depth;
    if (depth > 0)
        use_deep(depth - 1);
    CHECK_EQ(frame[0], (char)depth);
}

/* Before, between and after the waits; `self` is where it was. */
typedef struct locals {
    const struct locals *self;
    unsigned char bytes[LOCAL_BYTES];
} locals;

static void fill(locals *l, int with)
{
    l->self = l;
    memset(l->bytes, with, sizeof l->bytes);
    __asm__ volatile("" : : "r"(l) : "memory");
}

static void check(const locals *l, int with)
{
    __asm__ volatile("" : : "r"(l) : "memory");
    CHECK_PTR(l->self, l);
    for (size_t i = 0; i < sizeof l->bytes; i++)
        CHECK_EQ(l->bytes[i], with);
}

static int keeps_its_locals(void *arg)
{
    int number = (int)(intptr_t)arg;
    locals l;
    fill(&l, number);
    for (int i = 0; i < 3; i++) {
        use_deep(16);
        CHECK_EQ(number % 2 ? urd_yield() : urd_sleep(number % 5 + 1), 0);
        check(&l, number);
    }
    return 0;
}

static int many(void *arg)
{
    (void)arg;
    urd_scope s, ordinary;
    open_compact(&s);
    urd_scope_open(&ordinary);
    for (intptr_t i = 0; i < TASKS; i++) {
        urd_go(&s, keeps_its_locals, (void *)i); // NOLINT(performance-no-int-to-ptr)
        if (i % 3 == 0)
            urd_go(&ordinary, keeps_its_locals, (void *)i); // NOLINT(performance-no-int-to-ptr)
    }
    CHECK_EQ(urd_scope_join(&ordinary), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    return 0;
}

TEST(tasks_that_take_turns_on_one_stack_find_their_frames_again)
{
    run_seeds(40, many);
}

/* ---- All the ways in which they may wait ---------------------------------------------------- */

static urd_event event;
static urd_sem sem;
static urd_latch latch;
static urd_mutex mutex;
static urd_rwlock rwlock;
static urd_chan numbers, wide;
static urd_job *held;
static int inside;

typedef struct broad {
    unsigned char bytes[72];
} broad;

static void use_mutex(void)
{
    CHECK_EQ(urd_mutex_lock(&mutex), 0);
    CHECK_EQ(inside++, 0);
    CHECK_EQ(urd_yield(), 0);
    inside--;
    urd_mutex_unlock(&mutex);
}

static void use_rwlock(bool write)
{
    CHECK_EQ(write ? urd_rwlock_wrlock(&rwlock) : urd_rwlock_rdlock(&rwlock), 0);
    CHECK_EQ(urd_yield(), 0);
    if (write)
        urd_rwlock_wrunlock(&rwlock);
    else
        urd_rwlock_rdunlock(&rwlock);
}

/* The value is on the stack, which another task may have while it is sent or received. */
static void send_and_receive(int number)
{
    broad v;
    memset(v.bytes, number, sizeof v.bytes);
    if (number % 2) {
        CHECK_EQ(urd_chan_send(&numbers, &number), 0);
        CHECK_EQ(urd_chan_send(&wide, &v), 0);
        return;
    }
    int got = -1;
    CHECK_EQ(urd_chan_recv(&numbers, &got), 0);
    CHECK_EQ(got % 2, 1);
    CHECK_EQ(urd_chan_recv(&wide, &v), 0);
    CHECK_EQ(v.bytes[0] % 2, 1);
    for (size_t i = 1; i < sizeof v.bytes; i++)
        CHECK_EQ(v.bytes[i], v.bytes[0]);
}

static int waits_in_all_ways(void *arg)
{
    int number = (int)(intptr_t)arg;
    locals l;
    fill(&l, number);
    CHECK_EQ(urd_event_wait(&event), 0);
    use_mutex();
    use_rwlock(number % 4 == 0);
    CHECK_EQ(urd_sem_acquire(&sem), 0);
    CHECK_EQ(urd_yield(), 0);
    urd_sem_release(&sem, 1);
    send_and_receive(number);
    CHECK_EQ(urd_job_join(held), 0);
    urd_latch_done(&latch);
    CHECK_EQ(urd_latch_wait(&latch), 0);
    check(&l, number);
    return 0;
}

static int sets_event(void *arg)
{
    (void)arg;
    let_others_run();
    urd_event_set(&event);
    return urd_sleep(URD_MS);
}

static int in_all_ways(void *arg)
{
    (void)arg;
    event = (urd_event)URD_ZERO_;
    sem = (urd_sem)URD_ZERO_;
    urd_sem_release(&sem, 1);
    urd_latch_add(&latch, TASKS);
    urd_chan_init(&numbers, sizeof(int), NULL, 0);
    urd_chan_init(&wide, sizeof(broad), NULL, 0);
    urd_scope s, setter;
    urd_job job;
    urd_scope_open(&setter);
    CHECK_EQ(urd_job_open(&job, &setter, URD_TASK, sets_event, NULL, 0, NULL), 0);
    held = &job;
    open_compact(&s);
    urd_scope_limit(&s, TASKS);
    for (intptr_t i = 0; i < TASKS; i++)
        urd_go(&s, waits_in_all_ways, (void *)i); // NOLINT(performance-no-int-to-ptr)
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(urd_scope_join(&setter), 0);
    return 0;
}

TEST(compact_tasks_wait_for_locks_channels_and_jobs)
{
    run_seeds(40, in_all_ways);
}

static int pipes[TASKS][2];

static int reads(void *arg)
{
    int number = (int)(intptr_t)arg;
    locals l;
    fill(&l, number);
    char c = 0;
    CHECK_EQ(urd_read(pipes[number][0], &c, 1), 1);
    CHECK_EQ(c, (char)number);
    check(&l, number);
    return 0;
}

static int read_pipes(void *arg)
{
    (void)arg;
    urd_scope s;
    open_compact(&s);
    for (intptr_t i = 0; i < TASKS; i++) {
        CHECK_EQ(pipe(pipes[i]), 0);
        urd_go(&s, reads, (void *)i); // NOLINT(performance-no-int-to-ptr)
    }
    CHECK_EQ(urd_yield(), 0);
    for (int i = TASKS - 1; i >= 0; i--)
        CHECK_EQ(urd_write(pipes[i][1], &(char){(char)i}, 1), 1);
    CHECK_EQ(urd_scope_join(&s), 0);
    for (int i = 0; i < TASKS; i++) {
        CHECK_EQ(urd_close(pipes[i][0]), 0);
        CHECK_EQ(urd_close(pipes[i][1]), 0);
    }
    return 0;
}

TEST(compact_tasks_wait_for_descriptors)
{
    run_real(1, read_pipes);
    run_real(WORKERS, read_pipes);
}

/* ---- Cancels and deadlines ------------------------------------------------------------------ */

static int is_cancelled(void *arg)
{
    locals l;
    fill(&l, 7);
    CHECK_EQ(arg ? urd_event_wait(arg) : urd_sleep(URD_FOREVER), -ECANCELED);
    CHECK_EQ(urd_chan_recv(&numbers, &(int){0}), -ECANCELED);
    check(&l, 7);
    return 0;
}

static int cancel_them(void *arg)
{
    (void)arg;
    event = (urd_event)URD_ZERO_;
    urd_scope s;
    open_compact(&s);
    for (int i = 0; i < TASKS; i++)
        urd_go(&s, is_cancelled, i % 2 ? &event : NULL);
    let_others_run();
    urd_scope_cancel(&s, -EPIPE);
    CHECK_EQ(urd_scope_join(&s), -EPIPE);
    return 0;
}

TEST(a_cancel_reaches_compact_tasks)
{
    run_seeds(20, cancel_them);
}

static int add(void *arg)
{
    urd__add_ar((int *)arg, 1);
    return 0;
}

static int has_deadline(void *arg)
{
    urd_scope *own = arg; /* not on the stack */
    urd_scope_open(own);
    urd_scope_deadline(own, urd_now() + URD_MS);
    CHECK_EQ(urd_sleep(URD_SECOND), -ECANCELED);
    urd_go(own, add, &inside); /* and may start jobs in it */
    CHECK_EQ(urd_scope_join(own), -ETIMEDOUT);
    return 0;
}

static int deadlines(void *arg)
{
    (void)arg;
    static urd_scope scopes[TASKS];
    urd_scope s;
    open_compact(&s);
    for (int i = 0; i < TASKS; i++)
        urd_go(&s, has_deadline, &scopes[i]);
    CHECK_EQ(urd_scope_join(&s), 0);
    return 0;
}

TEST(a_compact_task_may_open_a_scope_that_is_not_on_its_stack)
{
    run_seeds(20, deadlines);
}

static int add_range(long from, long to, void *arg)
{
    urd__add_ar((int *)arg, (int)(to - from));
    return 0;
}

static int calls_both(void *arg)
{
    CHECK_EQ(urd_both(add, arg, add, arg), 0);
    CHECK_EQ(urd_for(0, 100, add_range, arg), 0);
    return 0;
}

static int both(void *arg)
{
    (void)arg;
    static int calls;
    calls = 0;
    urd_scope s;
    open_compact(&s);
    for (int i = 0; i < TASKS; i++)
        urd_go(&s, calls_both, &calls);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(calls, 102 * TASKS);
    return 0;
}

TEST(calls_and_loops_of_a_compact_task_are_made_by_itself)
{
    run_seeds(20, both);
}

static int timed(void *arg)
{
    (void)arg;
    static urd_timer timers[TASKS];
    urd_scope s;
    open_compact(&s);
    for (intptr_t i = 0; i < TASKS; i++)
        CHECK_EQ(urd_timer_once(&timers[i], &s, urd_now() + i, keeps_its_locals,
                                (void *)i), // NOLINT(performance-no-int-to-ptr)
                 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    return 0;
}

TEST(timers_of_a_compact_scope_start_compact_tasks)
{
    run_seeds(20, timed);
}

/* ---- Memory --------------------------------------------------------------------------------- */

enum { CROWD = 5000 };

static int sleeps_for(void *arg)
{
    return urd_sleep(*(urd_time *)arg);
}

static size_t pages_at(unsigned char *at, size_t bytes)
{
    size_t page = urd__os_page_bytes(), n = 0;
    unsigned char seen[1024];
    for (size_t i = 0; i < bytes / page; i++) {
        CHECK_EQ(mincore(at + i * page, page, seen), 0);
        n += seen[0] & 1;
    }
    return n;
}

static int crowd(void *arg)
{
    (void)arg;
    static urd_time nap = URD_SECOND;
    urd_scope s;
    for (int round = 0; round < 2; round++) {
        open_compact(&s);
        for (int i = 0; i < CROWD; i++)
            urd_go(&s, sleeps_for, &nap);
        let_others_run();
        uint32_t blocks = (CROWD + urd__compacts.block_slots - 1) / urd__compacts.block_slots;
        CHECK_EQ(urd__compacts.mapped, blocks); /* also those of the second round */
        CHECK_LE(urd__compacts.slot_bytes, 2048);
        CHECK_GT(pages_at(urd__compacts.blocks[1].base, 1 << 21), 0);
        CHECK_EQ(urd_scope_join(&s), 0);
        let_others_run(); /* the worker sleeps, and trims */
        CHECK_EQ(pages_at(urd__compacts.blocks[1].base, 1 << 21), 0);
    }
    return 0;
}

TEST(a_crowd_lies_in_few_blocks_which_are_given_back_and_used_again)
{
    skip_where_stacks_stay();
    test_run(crowd);
}

/* ---- What may not be ------------------------------------------------------------------------ */

static urd_fn *wrong;

static int run_wrong(void *arg)
{
    (void)arg;
    urd_scope s;
    urd_chan_init(&numbers, sizeof(int), NULL, 0);
    urd_chan_init(&wide, LOCAL_BYTES, NULL, 0);
    open_compact(&s);
    urd_go(&s, wrong, NULL);
    CHECK_EQ(urd_sleep(URD_MS), 0);
    return urd_scope_join(&s);
}

static void in_child(void)
{
    test_run(run_wrong);
}

static void check_aborts(urd_fn *fn, const char *message)
{
    wrong = fn;
    CHECK_ABORTS(in_child, message);
}

static int keeps_too_much(void *arg)
{
    (void)arg;
    unsigned char bytes[2000];
    memset(bytes, 1, sizeof bytes);
    __asm__ volatile("" : : "r"(bytes) : "memory");
    return urd_sleep(1) + bytes[0] - 1;
}

static int opens_a_scope(void *arg)
{
    (void)arg;
    urd_scope s;
    urd_scope_open(&s);
    return urd_scope_join(&s);
}

static int waits_for_an_event_of_its_own(void *arg)
{
    (void)arg;
    urd_event own = URD_ZERO_;
    return urd_event_wait(&own);
}

static int selects(void *arg)
{
    (void)arg;
    int v;
    urd_op op = urd_op_recv(&numbers, &v);
    return urd_select(&op, 1);
}

static int blocks(void *arg)
{
    (void)arg;
    static int zero;
    return urd_block(give, &zero);
}

static int receives_much(void *arg)
{
    (void)arg;
    unsigned char bytes[LOCAL_BYTES];
    return urd_chan_recv(&wide, bytes);
}

static int opens_a_job(void *arg)
{
    (void)arg;
    urd_job job;
    return urd_job_open(&job, NULL, URD_TASK, give, NULL, 0, NULL);
}

static int receives_signals(void *arg)
{
    (void)arg;
    urd_signal own;
    return urd_signal_open(&own, (int[]){SIGUSR1}, 1);
}

static int subscribes(void *arg)
{
    (void)arg;
    static urd_broadcast b;
    static int ring[1];
    urd_subscriber own;
    urd_broadcast_init(&b, sizeof(int), ring, 1);
    urd_subscriber_open(&own, &b);
    return 0;
}

TEST(a_compact_task_that_waits_with_too_many_frames_is_named)
{
    skip_where_stacks_stay();
    check_aborts(keeps_too_much,
                 "and may keep 1536: urd_config.compact_bytes or URD_COMPACT_BYTES");
    if (!test_under_emulator()) /* there reports find no names */
        check_aborts(keeps_too_much, " (in job keeps_too_much, started at ");
}

TEST(what_others_point_to_may_not_lie_on_the_stack_of_a_compact_task)
{
    skip_where_stacks_stay();
    check_aborts(opens_a_scope, "urd_scope_open: the object lies on the stack of a compact task");
    check_aborts(waits_for_an_event_of_its_own, "a wait: the object lies on the stack");
    check_aborts(opens_a_job, "urd_job_open: the object lies on the stack");
    check_aborts(subscribes, "urd_subscriber_open: the object lies on the stack");
    check_aborts(receives_signals, "urd_signal_open: the object lies on the stack");
}

TEST(waits_that_need_the_stack_are_refused)
{
    skip_where_stacks_stay();
    check_aborts(selects, "a compact task cannot wait for one of the arms of select");
    check_aborts(blocks, "a compact task cannot wait for a blocking call");
    check_aborts(receives_much, "a compact task can wait to send or receive 80 bytes, and not 200");
}

static int overruns(void *arg)
{
    use_deep(1000);
    return arg != NULL;
}

TEST(a_compact_task_that_overruns_its_stack_hits_the_guard)
{
    skip_where_stacks_stay();
    if (test_under_slow_tool())
        SKIP("the tool handles faults itself");
    struct test_child child;
    wrong = overruns;
    test_fork(&child, in_child);
    CHECK_EQ(child.signal, SIGSEGV);
    CHECK_CONTAINS(child.err, "urd: stack overflow in task overruns (");
}

static int late(void *arg)
{
    (void)arg;
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, wait_for_ever, NULL);
    urd_scope_compact(&s);
    return urd_scope_join(&s);
}

static void compact_too_late(void)
{
    test_run(late);
}

TEST(a_scope_is_made_compact_before_its_first_job)
{
    CHECK_ABORTS(compact_too_late, "urd_scope_compact after the first job, in the scope opened at");
}

/* ---- Reports -------------------------------------------------------------------------------- */

__attribute__((noinline)) static int rests_here(void *arg)
{
    int rc = urd_event_wait(arg);
    __asm__ volatile("" : "+r"(rc));
    return rc;
}

static int dump_them(void *arg)
{
    (void)arg;
    event = (urd_event)URD_ZERO_;
    urd_scope s;
    open_compact(&s);
    for (int i = 0; i < 3; i++)
        urd_go(&s, rests_here, &event);
    let_others_run();
    urd_dump(STDERR_FILENO);
    urd_event_set(&event);
    return urd_scope_join(&s);
}

static void dump_in_child(void)
{
    test_run(dump_them);
}

TEST(a_report_shows_the_stacks_of_compact_tasks)
{
    if (test_under_emulator())
        SKIP("reports find no names under an emulator");
    skip_where_stacks_stay();
    struct test_child child;
    test_fork(&child, dump_in_child);
    CHECK_EQ(child.code, 0);
    CHECK_CONTAINS(child.err, "rests_here [1000000000]");
    CHECK_CONTAINS(child.err, "rests_here [1000000002]");
    CHECK_CONTAINS(child.err, "urd_event_wait"); /* the frames of all were the same */
    CHECK_CONTAINS(child.err, "and 2 more like it");
    CHECK_CONTAINS(child.err, "#1 rests_here");
}
