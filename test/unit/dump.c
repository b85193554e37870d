/*
 * dump.c - the whole report, asked for at any time.
 *
 * SPDX-License-Identifier: MIT
 */
#include "watch/dump.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "watched.h"

static int dump_itself(void *arg)
{
    (void)arg;
    CHECK_EQ(urd_dump(STDERR_FILENO), 0);
    return 0;
}

static void dump_once(void)
{
    test_run(dump_itself);
}

TEST(a_job_sees_itself_run)
{
    struct test_child child;
    test_fork(&child, dump_once);
    CHECK_EQ(child.code, 0);
    CHECK_EQ(strncmp(child.err, "urd: report of unit_dump (process ", 34), 0);
    CHECK_CONTAINS(child.err, "), 1 workers\nscope of urd_run\n  job ");
    CHECK_CONTAINS(child.err, " [0] (task on worker 0): runs\n");
}

static int dump_when_others_wait(void *arg)
{
    CHECK_EQ(urd_sleep(1), 0);
    return dump_itself(arg);
}

static int from_thread(void *arg)
{
    (void)arg;
    urd_scope s;
    urd_scope_open(&s);
    urd_spawn(&s, URD_THREAD, dump_when_others_wait, NULL, 0);
    return urd_scope_join(&s);
}

static void dump_from_thread(void)
{
    test_run(from_thread);
}

TEST(a_thread_job_may_ask_too)
{
    struct test_child child;
    test_fork(&child, dump_from_thread);
    CHECK_EQ(child.code, 0);
    CHECK_CONTAINS(child.err, "waits for the jobs of scope of ");
    CHECK_CONTAINS(child.err, "(thread, started at ");
}

static int dump_in_vain(void *arg)
{
    (void)arg;
    int ends[2], full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
    close(ends[0]);
    CHECK_EQ(urd_dump(full), -ENOSPC);
    CHECK_EQ(urd_dump(ends[1]), -EPIPE); /* and no signal */
    CHECK_EQ(urd_dump(-1), -EBADF);
    close(ends[1]);
    return close(full);
}

TEST(a_report_that_cannot_be_written_is_an_error)
{
    test_run(dump_in_vain);
}

static void dump_without_runtime(void)
{
    CHECK_EQ(urd_dump(STDERR_FILENO), 0);
}

TEST(without_a_runtime_there_is_nothing_to_report)
{
    CHECK_ABORTS(dump_without_runtime, "urd_dump: no runtime is running; call it inside urd_run");
}

static int ends_soon(void *arg)
{
    (void)arg;
    return urd_yield();
}

/* Others start and end all the while; the report may be wrong about them, and that is all. */
static int dump_amid_change(void *arg)
{
    (void)arg;
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < (test_under_slow_tool() ? 3 : 30); i++) {
        urd__out out = {0};
        for (int k = 0; k < 50; k++)
            CHECK_EQ(urd_go(&s, ends_soon, NULL), 0);
        CHECK_EQ(urd__dump_apart(urd__dump_all, NULL, &out), 0);
        CHECK_CONTAINS(out.text, "urd: report of ");
        urd__out_free(&out);
        CHECK_EQ(urd_yield(), 0);
    }
    return urd_scope_join(&s);
}

TEST(a_report_amid_changes_does_no_harm)
{
    run_real(WORKERS, dump_amid_change);
}
