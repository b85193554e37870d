/*
 * exec.c - programs start as asked, are talked to without a deadlock, and are gone afterwards.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backends.h"
#include "base/os_proc.h"

/* As a task and as a thread, by the machine's clock: other programs know no other. */
static int in_both(void *fn)
{
    as_both((urd_fn *)(uintptr_t)fn, NULL, NULL, NULL); // NOLINT(performance-no-int-to-ptr)
    return 0;
}

static void run_both(urd_fn *fn)
{
    static const urd_io backends[] = {URD_IO_EPOLL, URD_IO_URING};
    for (int i = 0; i < 2; i++) {
        urd_config config = {.workers = 2, .processes = URD_PROCESSES_NONE, .io = backends[i]};
        if (urd__poller_backend(config.io))
            test_run_with(&config, in_both, (void *)(uintptr_t)fn); // NOLINT
    }
}

#define SHELL(script) ((const char *const[]){"sh", "-c", script, NULL})

static const urd_exec_options reading = {.out = URD_EXEC_PIPE, .err = URD_EXEC_PIPE};

/* ---- How it ended ---------------------------------------------------------------------------- */

static int ends(void *arg)
{
    (void)arg;
    urd_exec_result r;
    CHECK_EQ(urd_exec((const char *const[]){"true", NULL}, NULL, &r), 0);
    CHECK_STR(r.detail, "true: exited with code 0");
    CHECK_EQ(r.code, 0);
    CHECK_EQ(urd_exec(SHELL("exit 3"), NULL, &r), -ECHILD);
    CHECK_STR(r.detail, "sh: exited with code 3");
    CHECK_EQ(r.code, 3);
    CHECK_EQ(r.signal, 0);
    CHECK_EQ(urd_exec(SHELL("kill -KILL $$"), NULL, &r), -ECHILD);
    CHECK_STR(r.detail, "sh: killed by SIGKILL");
    CHECK_EQ(r.code, -1);
    CHECK_EQ(r.signal, SIGKILL);
    CHECK_PTR(r.out, NULL);
    urd_exec_free(&r);
    CHECK_EQ(urd_exec(SHELL("exit 1"), NULL, NULL), -ECHILD);
    return 0;
}

TEST(the_end_is_0_or_named_with_the_program)
{
    run_both(ends);
}

static int not_started(void *arg)
{
    (void)arg;
    urd_exec_result r;
    CHECK_EQ(urd_exec((const char *const[]){"no-such-program", NULL}, NULL, &r), -ENOENT);
    CHECK_STR(r.detail, "no-such-program: No such file or directory");
    CHECK_EQ(r.code, -1);
    CHECK_EQ(urd_exec((const char *const[]){"/dev/null", NULL}, &reading, &r), -EACCES);
    CHECK_STR(r.detail, "null: Permission denied");
    urd_exec_options o = {.directory = "/no-such-folder"};
    CHECK_EQ(urd_exec((const char *const[]){"true", NULL}, &o, &r), -ENOENT);
    CHECK_STR(r.detail, "true: /no-such-folder: No such file or directory");
    CHECK_EQ(urd_exec((const char *const[]){NULL}, NULL, &r), -EINVAL);
    CHECK_EQ(urd_exec((const char *const[]){"", NULL}, NULL, &r), -EINVAL);
    CHECK_EQ(urd_exec(NULL, NULL, NULL), -EINVAL);
    o = (urd_exec_options){.in = URD_EXEC_OUT};
    CHECK_EQ(urd_exec((const char *const[]){"true", NULL}, &o, &r), -EINVAL);
    o = (urd_exec_options){.in = URD_EXEC_PIPE, .out = -7};
    CHECK_EQ(urd_exec((const char *const[]){"true", NULL}, &o, &r), -EINVAL);
    return 0;
}

TEST(what_cannot_be_started_is_named)
{
    if (test_under_emulator() || urd__os_under_valgrind())
        SKIP("the tool does not tell that a program was not started");
    run_both(not_started);
}

/* ---- What it is given ------------------------------------------------------------------------ */

static int surroundings(void *arg)
{
    (void)arg;
    urd_exec_result r;
    const char *const env[] = {"CAKE=carrot", NULL};
    urd_exec_options o = {.env = env, .directory = "/tmp", .out = URD_EXEC_PIPE};
    CHECK_EQ(urd_exec(SHELL("echo $CAKE; pwd; echo ${HOME:-none}"), &o, &r), 0);
    CHECK_STR(r.out, "carrot\n/tmp\nnone\n");
    CHECK_EQ(r.out_size, strlen(r.out));
    urd_exec_free(&r);
    o = (urd_exec_options){.in = URD_EXEC_NULL, .out = URD_EXEC_PIPE, .err = URD_EXEC_OUT};
    CHECK_EQ(urd_exec(SHELL("cat; echo one; echo two >&2; echo three"), &o, &r), 0);
    CHECK_STR(r.out, "one\ntwo\nthree\n");
    CHECK_PTR(r.err, NULL);
    urd_exec_free(&r);
    CHECK_EQ(urd_exec(SHELL("echo one; echo two >&2"), &reading, &r), 0);
    CHECK_STR(r.out, "one\n");
    CHECK_STR(r.err, "two\n");
    urd_exec_free(&r);
    return 0;
}

TEST(environment_folder_and_descriptors_are_as_asked)
{
    run_both(surroundings);
}

/* What programs read and write waits; what others made stays as it is. */
static int modes(void *arg)
{
    (void)arg;
    int ours[2], others[2];
    char got[8] = "";
    CHECK_EQ(urd_pipe(ours), 0);
    CHECK_EQ(pipe2(others, O_CLOEXEC | O_NONBLOCK), 0);
    urd_exec_options o = {.in = ours[0], .out = others[1]};
    CHECK(fcntl(ours[0], F_GETFL) & O_NONBLOCK);
    CHECK_EQ(urd_write(ours[1], "cake", 4), 4);
    CHECK_EQ(urd_exec(SHELL("head -c 4"), &o, NULL), 0);
    CHECK(!(fcntl(ours[0], F_GETFL) & O_NONBLOCK));
    CHECK(fcntl(others[1], F_GETFL) & O_NONBLOCK);
    CHECK_EQ(urd_read(others[0], got, sizeof got), 4);
    CHECK_STR(got, "cake");
    CHECK_EQ(urd_close(ours[0]) + urd_close(ours[1]), 0);
    CHECK_EQ(urd_close(others[0]) + urd_close(others[1]), 0);
    return 0;
}

TEST(a_pipe_of_ours_is_in_blocking_mode_for_a_program)
{
    run_both(modes);
}

static int leaks(void *arg)
{
    (void)arg;
    int open_for_all[2];
    urd_exec_result r;
    CHECK_EQ(pipe(open_for_all), 0); /* not close-on-exec */
    CHECK_EQ(urd_exec((const char *const[]){"ls", "/proc/self/fd", NULL}, &reading, &r), 0);
    CHECK_STR(r.out, "0\n1\n2\n3\n"); /* 3 is the folder */
    urd_exec_free(&r);
    close(open_for_all[0]);
    close(open_for_all[1]);
    return 0;
}

TEST(no_descriptor_leaks_into_a_program)
{
    if (test_under_slow_tool())
        SKIP("the tool has descriptors of its own");
    run_both(leaks);
}

static int with_signals(void *arg)
{
    (void)arg;
    urd_exec_result r;
    CHECK_EQ(urd_exec(SHELL("kill -PIPE $$; echo it is ignored"), &reading, &r), -ECHILD);
    CHECK_EQ(r.signal, SIGPIPE);
    CHECK_STR(r.out, "");
    urd_exec_free(&r);
    CHECK_EQ(urd_exec(SHELL("kill -TERM $$; echo it is blocked"), &reading, &r), -ECHILD);
    CHECK_EQ(r.signal, SIGTERM);
    urd_exec_free(&r);
    return 0;
}

TEST(signals_are_neither_blocked_nor_ignored_in_a_program)
{
    signal(SIGPIPE, SIG_IGN);
    run_both(with_signals);
}

static int low_numbers(void *arg)
{
    (void)arg;
    urd_exec_result r;
    urd_exec_options o = {.input = "cake", .input_size = 4, .out = URD_EXEC_PIPE, .err = 1};
    CHECK_EQ(urd_exec(SHELL("cat; cat nothing; echo also >&2"), &o, &r), 0);
    CHECK_STR(r.out, "cake");
    urd_exec_free(&r);
    return 0;
}

static void without_standard_descriptors(void)
{
    close(0);
    urd_config config = {.workers = 1, .processes = URD_PROCESSES_NONE};
    test_run_with(&config, low_numbers, NULL);
    close(1);
    dup2(2, 1);
    close(2);
    test_run_with(&config, low_numbers, NULL);
}

TEST(pipes_with_the_numbers_of_standard_descriptors_are_moved)
{
    struct test_child child;
    test_fork(&child, without_standard_descriptors);
    CHECK_EQ(child.code, 0);
    CHECK_CONTAINS(child.out, "also\n");
    CHECK_CONTAINS(child.err, "also\n");
}

/* ---- Talking --------------------------------------------------------------------------------- */

enum { MANY = 1 << 20 };

static int much(void *arg)
{
    (void)arg;
    urd_exec_result r;
    char *text = malloc(MANY);
    for (int i = 0; i < MANY; i++)
        text[i] = (char)('a' + i % 26);
    urd_exec_options o = {
        .input = text, .input_size = MANY, .out = URD_EXEC_PIPE, .err = URD_EXEC_PIPE};
    CHECK_EQ(urd_exec(SHELL("tee /dev/stderr"), &o, &r), 0);
    CHECK_EQ(r.out_size, MANY);
    CHECK_EQ(r.err_size, MANY);
    CHECK_EQ(memcmp(r.out, text, MANY) | memcmp(r.err, text, MANY), 0);
    urd_exec_free(&r);
    CHECK_EQ(urd_exec((const char *const[]){"true", NULL}, &o, &r), 0); /* reads nothing */
    CHECK_STR(r.out, "");
    urd_exec_free(&r);
    o.output_max = 1000;
    CHECK_EQ(urd_exec((const char *const[]){"yes", NULL}, &o, &r), -ENOBUFS);
    CHECK_STR(r.detail, "yes: wrote more than 1000 bytes");
    urd_exec_free(&r);
    free(text);
    return 0;
}

TEST(much_input_and_output_at_once_cannot_wait_for_each_other)
{
    run_both(much);
}

static int pipeline(void *arg)
{
    (void)arg;
    urd_program from, to;
    urd_exec_result r;
    CHECK_EQ(urd_exec_open(&from, SHELL("echo b; echo a; echo b"),
                           &(urd_exec_options){.out = URD_EXEC_PIPE}),
             0);
    CHECK_EQ(urd_exec_open(&to, (const char *const[]){"sort", "-u", NULL},
                           &(urd_exec_options){.in = from.out, .out = URD_EXEC_PIPE}),
             0);
    CHECK_EQ(urd_close(from.out), 0);
    from.out = -1;
    CHECK_EQ(urd_exec_talk(&to, NULL, 0, &r), 0);
    CHECK_STR(r.out, "a\nb\n");
    CHECK_EQ(urd_exec_wait(&from), 0);
    CHECK_EQ(urd_exec_wait(&to), 0);
    CHECK_EQ(urd_exec_close(&from), 0);
    CHECK_EQ(urd_exec_close(&to), 0);
    urd_exec_free(&r);
    return 0;
}

TEST(one_program_reads_what_another_writes)
{
    run_both(pipeline);
}

/* ---- Cancelled ------------------------------------------------------------------------------- */

static int too_late(void *arg)
{
    (void)arg;
    urd_exec_result r;
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_deadline(&s, urd_now() + URD_SECOND);
    CHECK_EQ(urd_exec((const char *const[]){"sleep", "1000", NULL}, NULL, &r), -ECANCELED);
    CHECK_CONTAINS(r.detail, "sleep: killed by SIG");
    CHECK_EQ(urd_exec((const char *const[]){"true", NULL}, NULL, &r), -ECANCELED);
    CHECK_STR(r.detail, "");
    CHECK_EQ(urd_scope_join(&s), -ETIMEDOUT);
    return 0;
}

TEST(a_deadline_ends_a_program)
{
    run_io(1, too_late);
}

static int slow_to_end(void *arg)
{
    (void)arg;
    char ready[1];
    urd_program p;
    urd_exec_options o = {.out = URD_EXEC_PIPE, .grace_duration = URD_FOREVER};
    CHECK_EQ(urd_exec_open(&p, SHELL("trap 'exit 3' TERM; echo; yes"), &o), 0);
    CHECK_EQ(urd_read(p.out, ready, 1), 1);
    CHECK_EQ(urd_exec_close(&p), -ECHILD);
    CHECK_EQ(p.signal, 0);
    CHECK_EQ(p.code, 3);
    return 0;
}

TEST(a_program_blocked_on_a_full_pipe_has_all_its_grace_time)
{
    run_io(1, slow_to_end);
}

static int errors_go_where_output_goes(void *arg)
{
    (void)arg;
    int kept = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 10);
    CHECK_GE(kept, 0);
    close(STDIN_FILENO);
    urd_program p;
    urd_exec_options o = {.out = URD_EXEC_NULL, .err = URD_EXEC_OUT};
    CHECK_EQ(urd_exec_open(&p, SHELL("echo lost >&2"), &o), 0);
    CHECK_EQ(urd_exec_wait(&p), 0);
    CHECK_EQ(urd_exec_close(&p), 0);
    CHECK_EQ(dup2(kept, STDIN_FILENO), STDIN_FILENO);
    close(kept);
    return 0;
}

TEST(two_outputs_may_share_what_took_the_place_of_a_closed_input)
{
    run_io(1, errors_go_where_output_goes);
}

static int stubborn(void *arg)
{
    (void)arg;
    char ready[1];
    urd_program p;
    urd_exec_options o = {.out = URD_EXEC_PIPE, .grace_duration = 1};
    CHECK_EQ(urd_exec_open(&p, SHELL("trap '' TERM; echo; while :; do :; done"), &o), 0);
    CHECK_EQ(urd_read(p.out, ready, 1), 1);
    CHECK_EQ(urd_exec_kill(&p, 0), 0);
    CHECK_EQ(urd_exec_kill(&p, -1), -EINVAL);
    CHECK_EQ(urd_exec_close(&p), -ECHILD);
    CHECK_EQ(p.signal, SIGKILL);
    CHECK_EQ(urd_exec_kill(&p, SIGTERM), -ESRCH);
    CHECK_EQ(urd_exec_close(&p), -ECHILD); /* once more does no harm */
    return 0;
}

TEST(one_that_does_not_end_is_killed)
{
    run_both(stubborn);
}

static int wait_in_vain(void *program)
{
    CHECK_EQ(urd_exec_wait(program), -ECANCELED);
    return 0;
}

static int runs_on(void *arg)
{
    (void)arg;
    urd_program p;
    CHECK_EQ(urd_exec_open(&p, (const char *const[]){"cat", NULL},
                           &(urd_exec_options){.in = URD_EXEC_PIPE}),
             0);
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, wait_in_vain, &p);
    CHECK_EQ(urd_yield(), 0);
    urd_scope_cancel(&s, 0);
    CHECK_EQ(urd_scope_join(&s), -ECANCELED);
    CHECK(!p.ended);
    CHECK_EQ(urd_exec_kill(&p, SIGINT), 0);
    CHECK_EQ(urd_exec_wait(&p), -ECHILD);
    CHECK_STR(p.detail, "cat: killed by SIGINT");
    CHECK_EQ(urd_exec_wait(&p), -ECHILD);
    CHECK_EQ(urd_exec_close(&p), -ECHILD);
    return 0;
}

TEST(a_cancelled_wait_lets_it_run_on)
{
    signal(SIGINT, SIG_DFL);
    run_both(runs_on);
}

static int unknown_end(void *arg)
{
    (void)arg;
    urd_exec_result r;
    CHECK_EQ(urd_exec((const char *const[]){"true", NULL}, NULL, &r), -ECHILD);
    CHECK_STR(r.detail, "true: ended, and as SIGCHLD is ignored not known how");
    return 0;
}

TEST(where_SIGCHLD_is_ignored_the_end_is_not_known)
{
    signal(SIGCHLD, SIG_IGN);
    run_both(unknown_end);
    signal(SIGCHLD, SIG_DFL);
}

/* ---- Being written --------------------------------------------------------------------------- */

static char path[] = "/tmp/urd-exec-XXXXXX";
static int writing;

static int stop_writing(void *arg)
{
    (void)arg;
    CHECK_EQ(urd_sleep(20 * URD_MS), 0);
    return urd_close(writing);
}

static int being_written(void *arg)
{
    static const char script[] = "#!/bin/sh\nexit 0\n";
    (void)arg;
    memcpy(path + sizeof path - 7, "XXXXXX", 6);
    writing = mkostemp(path, O_CLOEXEC);
    CHECK_GE(writing, 0);
    CHECK_EQ(write(writing, script, sizeof script - 1), sizeof script - 1);
    CHECK_EQ(fchmod(writing, 0700), 0);
    urd_exec_result r;
    urd_time start = urd_now();
    CHECK_EQ(urd_exec((const char *const[]){path, NULL}, NULL, &r), -ETXTBSY);
    CHECK_CONTAINS(r.detail, "Text file busy");
    CHECK_EQ(urd_now(), start + 127 * URD_MS);
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, stop_writing, NULL);
    CHECK_EQ(urd_exec((const char *const[]){path, NULL}, NULL, &r), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(unlink(path), 0);
    return 0;
}

TEST(a_program_that_is_just_being_written_is_tried_again)
{
    if (test_under_emulator() || urd__os_under_valgrind())
        SKIP("the tool does not tell that a program was not started");
    run_io(1, being_written);
}
