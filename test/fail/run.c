/*
 * run.c - whole programs in which the first, second, third ... allocation or system call fails.
 *
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>

#include "faults.h"

enum { TASKS = 300, VALUES = 10 };

/* ---- The programs ---------------------------------------------------------------------------- */

static int count(void *arg)
{
    int sort = arg ? *(int *)arg : 0;
    urd__add_ar(&shared->ran[sort], 1);
    return 0;
}

/* `started` jobs were, of `tried`; what did not run was an error that join told. */
static void check_counts(int sort, int tried, int started, int joined)
{
    int ran = urd__load_acq(&shared->ran[sort]);
    MUST(ran <= started);
    MUST(joined <= 0);
    MUST(joined < 0 || (ran == tried && started == tried));
}

/* arg not NULL: compact ones. */
static int many_tasks(void *arg)
{
    urd_scope s;
    urd_scope_open(&s);
    if (arg)
        urd_scope_compact(&s);
    int started = 0;
    for (int i = 0; i < TASKS; i++)
        started += urd_go(&s, count, NULL) == 0;
    int first = urd_scope_wait(&s);
    check_counts(0, TASKS, started, first);
    urd_error errors[4];
    MUST((urd_scope_errors(&s, errors, 4) > 0) <= (first < 0));
    return urd_scope_join(&s);
}

static int many_compact_tasks(void *arg)
{
    (void)arg;
    static int yes;
    return many_tasks(&yes);
}

/* A value so large that the parts' lie in allocated memory. */
typedef struct wide {
    long sum, unused[8];
} wide;

static int sum_range(long lo, long hi, void *into, void *arg)
{
    for (long i = lo; i < hi; i++)
        ((wide *)into)->sum += i;
    return arg ? urd_yield() : 0;
}

static void add(void *into, const void *right, void *arg)
{
    (void)arg;
    ((wide *)into)->sum += ((const wide *)right)->sum;
}

static int by_value(const void *a, const void *b, void *arg)
{
    (void)arg;
    return *(const int *)a - *(const int *)b;
}

static int parallel(void *arg)
{
    enum { STEPS = 100, MANY = 2000 };
    (void)arg;
    urd_reducer r = {.size = sizeof(wide), .fold = sum_range, .combine = add};
    static char yes[] = "";
    wide value;
    MUST(urd_reduce(0, STEPS, &r, &value, NULL) == 0); /* split less, where there is no memory */
    MUST(value.sum == STEPS * (STEPS - 1) / 2);
    MUST(urd_reduce(0, STEPS, &r, &value, yes) == 0);
    MUST(value.sum == STEPS * (STEPS - 1) / 2);
    r.deterministic = true;
    int rc = urd_reduce(0, STEPS, &r, &value, NULL);
    MUST(rc == -ENOMEM || (rc == 0 && value.sum == STEPS * (STEPS - 1) / 2));
    static int array[MANY];
    for (int i = 0; i < MANY; i++)
        array[i] = MANY - i;
    rc = urd_sort(array, MANY, sizeof(int), by_value, NULL);
    MUST(rc == 0 || rc == -ENOMEM);
    for (int i = 0; i < MANY; i++)
        MUST(array[i] == (rc ? MANY - i : i + 1));
    return 0;
}

static int copies(void *arg)
{
    (void)arg;
    int started = 0, sort = 1;
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < TASKS; i++)
        started += urd_go_copy(&s, count, &sort, sizeof sort) == 0;
    sort = 0; /* each has its own */
    int rc = urd_scope_join(&s);
    check_counts(1, TASKS, started, rc);
    return rc;
}

static int threads(void *arg)
{
    (void)arg;
    static int sort = 2;
    urd_scope s;
    urd_scope_open(&s);
    int started = 0;
    for (int i = 0; i < 5; i++)
        started += urd_spawn(&s, URD_THREAD, count, &sort, 0) == 0;
    int rc = urd_scope_join(&s);
    check_counts(2, 5, started, rc);
    return rc;
}

static int block_and_count(void *arg)
{
    return urd_block_on((urd_lane)(urd__add_ar(&shared->ran[7], 1) % 3), count, arg);
}

static int blocking(void *arg)
{
    (void)arg;
    static int sort = 3;
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_keep_going(&s);
    int started = 0;
    for (int i = 0; i < 5; i++)
        started += urd_go(&s, block_and_count, &sort) == 0;
    int rc = urd_scope_join(&s);
    check_counts(3, 5, started, rc);
    return rc;
}

static int send_all(void *arg)
{
    int rc = 0;
    for (int i = 0; i < VALUES && rc == 0; i++)
        rc = urd_chan_send(arg, &i);
    return rc;
}

static int receive_all(void *arg)
{
    int rc = 0;
    for (int i = 0, value = -1; i < VALUES && rc == 0; i++) {
        rc = urd_chan_recv(arg, &value);
        MUST(rc || value == i);
    }
    return rc;
}

/* A half that could not be started cancels the other, which would wait for ever. */
static int channels(void *arg)
{
    (void)arg;
    int slots[2];
    urd_chan meet, bounded;
    urd_chan_init(&meet, sizeof(int), NULL, 0);
    urd_chan_init(&bounded, sizeof(int), slots, 2);
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, send_all, &meet);
    urd_spawn(&s, URD_THREAD, receive_all, &meet, 0);
    urd_spawn(&s, URD_THREAD, send_all, &bounded, 0);
    urd_go(&s, receive_all, &bounded);
    int rc = urd_scope_join(&s);
    urd_chan_fini(&meet);
    urd_chan_fini(&bounded);
    return rc;
}

static int wait_for_ever(void *arg)
{
    (void)arg;
    return urd_sleep_until(URD_FOREVER - 1);
}

static int deadlines(void *arg)
{
    (void)arg;
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_deadline(&s, urd_now() + URD_MS);
    int started = 0;
    for (int i = 0; i < 3; i++)
        started += urd_go(&s, wait_for_ever, NULL) == 0;
    started += urd_spawn(&s, URD_THREAD, wait_for_ever, NULL, 0) == 0;
    int rc = urd_scope_join(&s);
    MUST(rc < 0);
    MUST(rc != -ETIMEDOUT || started > 0);
    return rc == -ETIMEDOUT ? 0 : rc;
}

/* o: how a process starts, or NULL. */
static int hold_started(urd_kind kind, urd_fn *fn, void *arg, size_t size,
                        const urd_process_options *o)
{
    urd_scope s;
    urd_job job;
    urd_exit end;
    urd_scope_open(&s);
    int opened =
        urd_job_open(&job, &s, kind, fn, arg, size, o ? &(urd_job_options){.process = o} : NULL);
    int joined = urd_job_join(&job);
    MUST(!opened || joined < 0);
    MUST(joined == -ECANCELED || !urd_job_alive(&job));
    urd_job_exit(&job, &end);
    MUST(end.detail);
    int rc = urd_scope_join(&s);
    MUST(!opened || rc < 0);
    return rc;
}

static int hold(urd_kind kind, urd_fn *fn, void *arg, size_t size)
{
    return hold_started(kind, fn, arg, size, NULL);
}

static int held(void *arg)
{
    (void)arg;
    static int sort = 3;
    int task = hold(URD_TASK, count, &sort, 0), thread = hold(URD_THREAD, count, &sort, 0);
    MUST(shared->ran[3] >= (task == 0) + (thread == 0) && shared->ran[3] <= 2);
    return task ? task : thread;
}

static int shared_memory(void *arg)
{
    (void)arg;
    int rc = 0;
    for (size_t size = 1; size < 100000; size *= 3) {
        char *p = urd_shared_alloc(size);
        if (p)
            memset(p, 1, size);
        else
            rc = -ENOMEM;
        urd_shared_free(p);
    }
    return rc;
}

static int signals(void *arg)
{
    (void)arg;
    static const int numbers[] = {SIGUSR1, SIGUSR2};
    urd_signal s;
    int rc = urd_signal_open(&s, numbers, 2);
    if (rc)
        return rc;
    raise(SIGUSR2);
    rc = urd_signal_recv(&s);
    MUST(rc == SIGUSR2);
    urd_scope late;
    urd_scope_open(&late);
    urd_scope_deadline(&late, urd_now() + URD_MS);
    rc = urd_signal_recv(&s);
    MUST(rc < 0);
    int joined = urd_scope_join(&late);
    urd_signal_close(&s);
    return joined == -ETIMEDOUT && rc == -ECANCELED ? 0 : rc;
}

static int programs(void *arg)
{
    (void)arg;
    static const char *const argv[] = {"cat", NULL};
    urd_exec_options o = {.input = "cake",
                          .input_size = 4,
                          .out = URD_EXEC_PIPE,
                          .err = URD_EXEC_NULL,
                          .directory = "/"};
    urd_exec_result r;
    int rc = urd_exec(argv, &o, &r);
    MUST(rc < 0 || (r.out_size == 4 && memcmp(r.out, "cake", 5) == 0 && r.code == 0));
    MUST(rc == 0 || r.detail[0]);
    urd_exec_free(&r);
    return rc;
}

static int greet(int fd, void *arg)
{
    ssize_t n = urd_write_all(fd, arg, 1);
    return n < 0 ? (int)n : 0;
}

struct client {
    urd_address at;
    urd_event stop;
    int listener;
    bool taken; /* the listener, by urd_serve */
};

static int serve(void *arg)
{
    struct client *c = arg;
    static char letter[] = "x";
    c->taken = true;
    urd_serve_options o = {.connections_max = 1, .stop = &c->stop, .grace_duration = URD_SECOND};
    return urd_serve(&c->listener, 1, greet, letter, &o);
}

/* A connection may have been lost for want of memory: then there is no letter. */
static int visit(void *arg)
{
    struct client *c = arg;
    char got[2], *line;
    urd_reader r;
    int fd = urd_tcp_dial_any(&c->at, 1);
    if (fd < 0)
        return fd;
    urd_reader_init(&r, urd_stream_fd(fd), got, sizeof got);
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_deadline(&s, urd_now() + URD_SECOND);
    int rc = urd_reader_read_line(&r, &line, NULL), late = urd_scope_join(&s);
    rc = late ? late : rc;
    urd_close(fd);
    urd_event_set(&c->stop);
    return rc == 1 || rc == -EMSGSIZE ? 0 : rc == 0 ? -EIO : rc;
}

static int servers(void *arg)
{
    (void)arg;
    struct client c = {.listener = urd_tcp_listen("127.0.0.1", 0, NULL)};
    if (c.listener < 0)
        return c.listener;
    int rc = urd_address_local(c.listener, &c.at);
    if (rc) {
        urd_close(c.listener);
        return rc;
    }
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, serve, &c);
    urd_go(&s, visit, &c);
    rc = urd_scope_join(&s);
    if (!c.taken)
        urd_close(c.listener);
    return rc;
}

struct sum {
    int from[2];
    int result;
};

static int add_here(void *arg)
{
    struct sum *sum = arg;
    sum->result = sum->from[0] + sum->from[1];
    return 0;
}

/* In a process, with a runtime of its own. */
static int add_in_task(void *arg)
{
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, add_here, arg);
    return urd_scope_join(&s);
}

static int die(void *arg)
{
    _exit(arg ? 4 : 3);
}

static int processes(void *arg)
{
    (void)arg;
    struct sum sums[2] = {{.from = {1, 2}}, {.from = {3, 4}}}, held_sum = {.from = {5, 6}};
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < 2; i++)
        urd_spawn(&s, URD_PROCESS, i ? add_in_task : add_here, &sums[i], sizeof sums[i]);
    int rc = urd_scope_join(&s);
    MUST(rc < 0 || (sums[0].result == 3 && sums[1].result == 7));
    int held_rc = hold(URD_PROCESS, add_here, &held_sum, sizeof held_sum);
    MUST(held_rc < 0 || held_sum.result == 11);
    MUST(hold(URD_PROCESS, die, NULL, 0) < 0);
    urd_scope_open(&s);
    urd_scope_deadline(&s, urd_now() + URD_MS);
    urd_spawn(&s, URD_PROCESS, wait_for_ever, NULL, 0);
    MUST(urd_scope_join(&s) < 0);
    return rc ? rc : held_rc;
}

/* Under options, which are copied, and as a fresh image, in which nothing fails. */
static int started(void *arg)
{
    (void)arg;
    struct sum forked = {.from = {1, 2}}, fresh = {.from = {3, 4}};
    urd_process_options o = {.directory = "/", .env_add = (const char *const[]){"A=b", NULL}};
    int rc = hold_started(URD_PROCESS, add_here, &forked, sizeof forked, &o);
    MUST(rc < 0 || forked.result == 3);
    o.start = URD_START_SPAWN;
    int fresh_rc =
        test_under_emulator() ? 0 : hold_started(URD_PROCESS, add_here, &fresh, sizeof fresh, &o);
    MUST(fresh_rc < 0 || test_under_emulator() || fresh.result == 7);
    return rc ? rc : fresh_rc;
}

__attribute__((constructor)) static void begin_here(void)
{
    urd_process_main();
}

TEST(many_tasks_survive_each_failing_call)
{
    fail_each_call(many_tasks, URD_PROCESSES_NONE, -ENOMEM);
}

TEST(many_compact_tasks_survive_each_failing_call)
{
    fail_each_call(many_compact_tasks, URD_PROCESSES_NONE, -ENOMEM);
}

TEST(copied_arguments_survive_each_failing_call)
{
    fail_each_call(copies, URD_PROCESSES_NONE, -ENOMEM);
}

TEST(parallel_work_survives_each_failing_call)
{
    fail_each_call(parallel, URD_PROCESSES_NONE, -ENOMEM);
}

TEST(threads_survive_each_failing_call)
{
    fail_each_call(threads, URD_PROCESSES_NONE, -EAGAIN);
}

TEST(blocking_calls_survive_each_failing_call)
{
    fail_each_call(blocking, URD_PROCESSES_NONE, -EAGAIN);
}

TEST(blocking_calls_survive_that_all_calls_fail_from_one_on)
{
    program.lasting = true;
    fail_each_call(blocking, URD_PROCESSES_NONE, -EAGAIN);
}

TEST(channels_survive_each_failing_call)
{
    fail_each_call(channels, URD_PROCESSES_NONE, -ENOMEM);
}

TEST(deadlines_survive_each_failing_call)
{
    fail_each_call(deadlines, URD_PROCESSES_NONE, -ENOMEM);
}

TEST(held_jobs_survive_each_failing_call)
{
    fail_each_call(held, URD_PROCESSES_NONE, -EAGAIN);
}

TEST(signals_survive_each_failing_call)
{
    fail_each_call(signals, URD_PROCESSES_NONE, -ENOMEM);
}

TEST(programs_survive_each_failing_call)
{
    fail_each_call(programs, URD_PROCESSES_NONE, -ENOMEM);
}

TEST(servers_survive_each_failing_call)
{
    fail_each_call(servers, URD_PROCESSES_NONE, -ENOMEM);
}

TEST(servers_survive_that_all_calls_fail_from_one_on)
{
    program.lasting = true;
    fail_each_call(servers, URD_PROCESSES_NONE, -EMFILE);
}

TEST(shared_memory_survives_each_failing_call)
{
    fail_each_call(shared_memory, URD_PROCESSES_NONE, -ENOMEM);
}

TEST(processes_survive_each_failing_call)
{
    fail_each_call(processes, URD_PROCESSES_ZYGOTE, -ENOMEM);
}

TEST(processes_survive_each_call_that_asks_to_be_tried_again)
{
    fail_each_call(processes, URD_PROCESSES_ZYGOTE, -EAGAIN);
}

TEST(processes_with_options_survive_each_failing_call)
{
    fail_each_call(started, URD_PROCESSES_ZYGOTE, -ENOMEM);
}

TEST(processes_of_a_program_with_threads_survive_each_failing_call)
{
    program.threaded = true;
    fail_each_call(processes, URD_PROCESSES_ZYGOTE, -ENOMEM);
}

TEST(many_tasks_survive_that_all_calls_fail_from_one_on)
{
    program.lasting = true;
    fail_each_call(many_tasks, URD_PROCESSES_NONE, -ENOMEM);
}

TEST(channels_survive_that_all_calls_fail_from_one_on)
{
    program.lasting = true;
    fail_each_call(channels, URD_PROCESSES_NONE, -ENOMEM);
}
