/*
 * os_proc.c - fork, wait, pidfd, sockets and shared memory do what their names say.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/os_proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/os.h"
#include "test.h"

static volatile sig_atomic_t signals;

static void count_signal(int sig)
{
    (void)sig;
    signals++;
}

/* A message one way, to say that the other has come so far. */
static void tell(int fd)
{
    CHECK_EQ(write(fd, "x", 1), 1);
}

static void hear(int fd)
{
    char c;
    CHECK_EQ(read(fd, &c, 1), 1);
}

/* ---- Memory ---------------------------------------------------------------------------------- */

TEST(shared_memory_is_the_same_in_a_child)
{
    void *p = NULL;
    CHECK_EQ(urd__os_shared_map(&p, 4096), 0);
    int *number = p;
    CHECK_EQ(*number, 0);
    pid_t pid = urd__os_fork();
    CHECK_GE(pid, 0);
    if (pid == 0) {
        *number = 42;
        urd__os_exit(0);
    }
    CHECK_EQ(urd__os_wait(pid, NULL, false), pid);
    CHECK_EQ(*number, 42);
    urd__os_unmap(p, 4096);
}

TEST(shared_memory_given_back_is_zeros_for_everyone)
{
    if (test_under_emulator())
        SKIP("the emulator accepts the advice and does nothing");
    size_t page = urd__os_page_bytes();
    void *p = NULL;
    CHECK_EQ(urd__os_shared_map(&p, 2 * page), 0);
    memset(p, 1, 2 * page);
    pid_t pid = urd__os_fork();
    CHECK_GE(pid, 0);
    if (pid == 0)
        urd__os_exit(urd__os_shared_discard(p, page) != 0);
    int status = -1;
    CHECK_EQ(urd__os_wait(pid, &status, false), pid);
    CHECK_EQ(status, 0);
    CHECK_EQ(((char *)p)[0], 0);
    CHECK_EQ(((char *)p)[page - 1], 0);
    CHECK_EQ(((char *)p)[page], 1);
    urd__os_unmap(p, 2 * page);
}

TEST(shared_memory_that_does_not_fit_gives_minus_ENOMEM)
{
    if (test_under_slow_tool())
        SKIP("the tool answers in the kernel's place");
    void *p = NULL;
    CHECK_EQ(urd__os_shared_map(&p, SIZE_MAX / 2), -ENOMEM);
}

TEST(a_shared_file_is_the_same_wherever_it_is_mapped)
{
    enum { BYTES = 1 << 16 };
    int fd = urd__os_shared_file(BYTES);
    CHECK_GE(fd, 0);
    CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    void *a = NULL, *b = NULL;
    CHECK_EQ(urd__os_shared_file_map(fd, &a, BYTES, false), 0);
    CHECK_EQ(urd__os_shared_file_map(fd, &b, BYTES, false), 0);
    CHECK(a != b);
    CHECK_EQ(*(int *)a, 0);
    *(int *)a = 42;
    CHECK_EQ(*(int *)b, 42);
    void *taken = a;
    CHECK_EQ(urd__os_shared_file_map(fd, &taken, BYTES, true), -EEXIST);
    CHECK_PTR(taken, a);
    urd__os_unmap(b, BYTES);
    void *again = b;
    CHECK_EQ(urd__os_shared_file_map(fd, &again, BYTES, true), 0);
    CHECK_PTR(again, b);
    CHECK_EQ(*(int *)again, 42);
    urd__os_unmap(a, BYTES);
    urd__os_unmap(b, BYTES);
    urd__os_close(fd);
}

TEST(a_shared_file_beyond_the_limit_of_files_is_refused_without_a_signal)
{
    CHECK_EQ(setrlimit(RLIMIT_FSIZE, &(struct rlimit){4096, 4096}), 0);
    CHECK_EQ(urd__os_shared_file(8192), -EFBIG);
    int fd = urd__os_shared_file(4096);
    CHECK_GE(fd, 0);
    urd__os_close(fd);
}

/* ---- Processes ------------------------------------------------------------------------------- */

static void count_at_exit(void)
{
    signals++;
}

static void must_not_run(void)
{
    FAIL("an exit handler ran");
}

TEST(a_quiet_child_is_seen_by_neither_SIGCHLD_nor_wait)
{
    if (test_under_slow_tool())
        SKIP("the tool must see every fork");
    int ends[2];
    signals = 0;
    CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
    sigaction(SIGCHLD, &(struct sigaction){.sa_handler = count_signal}, NULL);
    pthread_atfork(NULL, NULL, count_at_exit);
    pid_t parent = urd__os_pid(), pid = urd__os_fork_quiet();
    CHECK_GE(pid, 0);
    if (pid == 0) {
        CHECK_EQ(signals, 0);
        CHECK_EQ(urd__os_parent_pid(), parent);
        CHECK_NE(urd__os_pid(), parent);
        urd__os_exit(7);
    }
    close(ends[1]);
    char c;
    CHECK_EQ(read(ends[0], &c, 1), 0); /* the child has ended, or is ending */
    CHECK_EQ(waitpid(-1, NULL, 0), -1);
    CHECK_EQ(errno, ECHILD);
    int status = 0;
    CHECK_EQ(urd__os_wait(-1, &status, false), pid);
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), 7);
    CHECK_EQ(signals, 0);
    close(ends[0]);
}

TEST(a_fork_of_the_C_library_runs_its_handlers)
{
    signals = 0;
    pthread_atfork(NULL, NULL, count_at_exit);
    pid_t pid = urd__os_fork();
    CHECK_GE(pid, 0);
    if (pid == 0)
        urd__os_exit(signals == 1 ? 0 : 1);
    int status = -1;
    CHECK_EQ(urd__os_wait(pid, &status, false), pid);
    CHECK_EQ(status, 0);
}

TEST(exit_runs_no_handlers_and_flushes_nothing)
{
    int ends[2];
    if (test_under_slow_tool())
        SKIP("the tool flushes and reports as it ends");
    CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = urd__os_fork();
    CHECK_GE(pid, 0);
    if (pid == 0) {
        atexit(must_not_run);
        dup2(ends[1], STDOUT_FILENO);
        printf("never seen");
        urd__os_exit(0);
    }
    close(ends[1]);
    char c;
    CHECK_EQ(read(ends[0], &c, 1), 0);
    int status = -1;
    CHECK_EQ(urd__os_wait(pid, &status, false), pid);
    CHECK_EQ(status, 0);
    close(ends[0]);
}

static void print_and_flush(void)
{
    printf("seen");
    urd__os_flush();
    urd__os_exit(0);
}

TEST(flush_writes_what_stdio_holds)
{
    struct test_child child;
    test_fork(&child, print_and_flush);
    CHECK_STR(child.out, "seen");
}

TEST(waiting_without_blocking_gives_0_while_the_child_runs)
{
    int ends[2], status = 0;
    CHECK_EQ(urd__os_wait(-1, &status, true), -ECHILD);
    CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = urd__os_fork();
    CHECK_GE(pid, 0);
    if (pid == 0) {
        hear(ends[0]);
        urd__os_exit(0);
    }
    CHECK_EQ(urd__os_wait(pid, &status, true), 0);
    tell(ends[1]);
    CHECK_EQ(urd__os_wait(pid, &status, false), pid);
    CHECK_EQ(urd__os_wait(pid, &status, true), -ECHILD);
    close(ends[0]);
    close(ends[1]);
}

TEST(waiting_goes_on_after_a_signal)
{
    signals = 0;
    sigaction(SIGUSR1, &(struct sigaction){.sa_handler = count_signal}, NULL);
    pid_t parent = urd__os_pid(), pid = urd__os_fork();
    CHECK_GE(pid, 0);
    if (pid == 0) {
        for (int i = 0; i < 100; i++) {
            urd__os_kill(parent, SIGUSR1);
            urd__os_yield();
        }
        urd__os_exit(0);
    }
    CHECK_EQ(urd__os_wait(pid, NULL, false), pid);
    CHECK_GT(signals, 0);
}

static pid_t start_waiting_child(int fd)
{
    pid_t pid = urd__os_fork();
    CHECK_GE(pid, 0);
    if (pid == 0) {
        char c;
        (void)!read(fd, &c, 1);
        urd__os_exit(0);
    }
    return pid;
}

TEST(a_pidfd_signals_its_process_and_then_nobody)
{
    int ends[2], status;
    CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = start_waiting_child(ends[0]);
    int pidfd = urd__os_pidfd_open(pid);
    if (pidfd == -ENOSYS) {
        tell(ends[1]);
        urd__os_wait(pid, &status, false);
        SKIP("no pidfd here");
    }
    CHECK_GE(pidfd, 0);
    CHECK_EQ(fcntl(pidfd, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(urd__os_pidfd_signal(pidfd, 0), 0);
    CHECK_EQ(urd__os_pidfd_signal(pidfd, SIGKILL), 0);
    CHECK_EQ(urd__os_wait(pid, &status, false), pid);
    CHECK_EQ(WTERMSIG(status), SIGKILL);
    CHECK_EQ(urd__os_pidfd_signal(pidfd, SIGKILL), -ESRCH);
    CHECK_EQ(urd__os_pidfd_open(pid), -ESRCH);
    CHECK_EQ(urd__os_kill(pid, 0), -ESRCH);
    urd__os_close(pidfd);
    close(ends[0]);
    close(ends[1]);
}

TEST(a_child_that_asked_for_it_dies_with_its_parent)
{
    if (test_under_emulator())
        SKIP("the emulator keeps no reaper of orphans");
    int ready[2], held[2];
    CHECK_EQ(pipe2(ready, O_CLOEXEC), 0);
    CHECK_EQ(pipe2(held, O_CLOEXEC), 0);
    pid_t parent = urd__os_fork();
    CHECK_GE(parent, 0);
    if (parent == 0) {
        pid_t pid = urd__os_fork();
        if (pid == 0) {
            CHECK_EQ(urd__os_die_with_parent(), 0);
            tell(ready[1]);
            hear(held[0]); /* never comes */
        }
        hear(ready[0]);
        urd__os_exit(0);
    }
    int status;
    CHECK_EQ(urd__os_wait(parent, &status, false), parent);
    /* The harness made this process a subreaper: the grandchild is its own now. */
    CHECK_GT(urd__os_wait(-1, &status, false), 0);
    CHECK(WIFSIGNALED(status));
    CHECK_EQ(WTERMSIG(status), SIGKILL);
    for (int i = 0; i < 2; i++) {
        close(ready[i]);
        close(held[i]);
    }
}

TEST(a_process_name_is_set_and_the_old_one_told)
{
    if (test_under_slow_tool())
        SKIP("the name is the tool's");
    char now[16], old[16], cut[4];
    urd__os_process_name("weft", old, sizeof old);
    prctl(PR_GET_NAME, now);
    CHECK_STR(now, "weft");
    CHECK_STR(old, "unit_os_proc");
    urd__os_process_name("warp", cut, sizeof cut);
    CHECK_STR(cut, "wef");
    urd__os_process_name("shuttle", NULL, 0);
    prctl(PR_GET_NAME, now);
    CHECK_STR(now, "shuttle");
}

TEST(a_process_without_threads_knows_it)
{
    if (test_under_slow_tool())
        SKIP("the tool may have a thread of its own");
    CHECK(urd__os_single_threaded());
}

/* ---- Sockets --------------------------------------------------------------------------------- */

static void open_pair(int pair[2])
{
    CHECK_EQ(urd__os_socket_pair(pair), 0);
    CHECK_EQ(fcntl(pair[0], F_GETFD), FD_CLOEXEC);
    CHECK_EQ(fcntl(pair[1], F_GETFD), FD_CLOEXEC);
}

static void close_pair(const int pair[2])
{
    urd__os_close(pair[0]);
    urd__os_close(pair[1]);
}

TEST(messages_keep_their_bounds_and_order)
{
    int pair[2], passed = 0;
    long out = 0;
    open_pair(pair);
    CHECK_EQ(urd__os_receive(pair[1], &out, sizeof out, &passed), -EAGAIN);
    CHECK_EQ(passed, -1);
    for (long i = 1; i <= 3; i++)
        CHECK_EQ(urd__os_send(pair[0], &i, sizeof i, -1, true), sizeof i);
    for (long i = 1; i <= 3; i++) {
        CHECK_EQ(urd__os_receive(pair[1], &out, sizeof out, &passed), sizeof out);
        CHECK_EQ(out, i);
        CHECK_EQ(passed, -1);
    }
    close_pair(pair);
}

TEST(a_message_of_another_size_is_minus_EBADMSG_and_leaves_no_file)
{
    int pair[2], passed;
    char text[16] = "0123456789abcde", out[8];
    open_pair(pair);
    int files = test_fd_count();
    CHECK_EQ(urd__os_send(pair[0], text, 16, pair[0], true), 16);
    CHECK_EQ(urd__os_receive(pair[1], out, 8, &passed), -EBADMSG);
    CHECK_EQ(passed, -1);
    CHECK_EQ(urd__os_send(pair[0], text, 4, pair[0], true), 4);
    CHECK_EQ(urd__os_receive(pair[1], out, 8, &passed), -EBADMSG);
    CHECK_EQ(passed, -1);
    CHECK_EQ(test_fd_count(), files);
    close_pair(pair);
}

TEST(a_file_goes_with_a_message_and_is_not_inherited)
{
    int pair[2], ends[2], passed;
    char c = 'm', got;
    open_pair(pair);
    CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
    CHECK_EQ(urd__os_send(pair[0], &c, 1, ends[1], false), 1);
    CHECK_EQ(urd__os_receive(pair[1], &got, 1, &passed), 1);
    CHECK_EQ(got, 'm');
    CHECK_GE(passed, 0);
    CHECK_EQ(fcntl(passed, F_GETFD), FD_CLOEXEC);
    tell(passed);
    hear(ends[0]);
    urd__os_close(passed);
    close_pair(ends);
    close_pair(pair);
}

TEST(sending_to_nobody_is_minus_EPIPE_and_no_signal)
{
    int pair[2];
    open_pair(pair);
    urd__os_close(pair[1]);
    CHECK_EQ(urd__os_send(pair[0], "x", 1, -1, true), -EPIPE);
    CHECK_EQ(urd__os_send(pair[0], "x", 1, -1, false), -EPIPE);
    urd__os_close(pair[0]);
}

TEST(a_full_socket_is_minus_EAGAIN)
{
    int pair[2], rc;
    char text[1024] = {0};
    open_pair(pair);
    while ((rc = urd__os_send(pair[0], text, sizeof text, -1, true)) > 0)
        ;
    CHECK_EQ(rc, -EAGAIN);
    close_pair(pair);
}

TEST(after_the_last_message_of_who_shut_down_comes_0)
{
    int pair[2], passed;
    char c = 'l';
    open_pair(pair);
    CHECK_EQ(urd__os_send(pair[0], &c, 1, -1, true), 1);
    urd__os_shut_down(pair[0]);
    CHECK_EQ(urd__os_receive(pair[1], &c, 1, &passed), 1);
    CHECK_EQ(urd__os_receive(pair[1], &c, 1, &passed), 0);
    CHECK_EQ(urd__os_send(pair[1], &c, 1, -1, true), 1); /* the other way is open */
    close_pair(pair);
}

TEST(a_duplicate_is_none_of_the_standard_files_and_not_inherited)
{
    int fd = urd__os_duplicate(STDOUT_FILENO);
    CHECK_GE(fd, 3);
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    urd__os_close(fd);
    CHECK_EQ(urd__os_duplicate(fd), -EBADF);
    urd__os_close(-1);
}

/* ---- Readiness ------------------------------------------------------------------------------- */

TEST(waiting_tells_which_file_is_ready_for_what)
{
    int pair[2];
    open_pair(pair);
    urd__os_ready list[] = {{.fd = pair[0]}, {.fd = pair[1], .want_write = true}, {.fd = -1}};
    CHECK_EQ(urd__os_wait_ready(list, 3, INT64_MAX), 0);
    CHECK(!list[0].readable && !list[0].writable);
    CHECK(!list[1].readable && list[1].writable);
    CHECK(!list[2].readable && !list[2].writable);
    CHECK_EQ(urd__os_send(pair[1], "x", 1, -1, true), 1);
    CHECK_EQ(urd__os_wait_ready(list, 1, INT64_MAX), 0);
    CHECK(list[0].readable && !list[0].writable);
    urd__os_close(pair[1]);
    CHECK_EQ(urd__os_wait_ready(list, 1, INT64_MAX), 0);
    CHECK(list[0].readable);
    urd__os_close(pair[0]);
}

TEST(waiting_with_an_end_lasts_until_then)
{
    int pair[2];
    open_pair(pair);
    urd__os_ready one = {.fd = pair[0]};
    int64_t until = urd__os_now() + 2 * URD_MS;
    CHECK_EQ(urd__os_wait_ready(&one, 1, until), 0);
    CHECK(!one.readable);
    CHECK_GE(urd__os_now(), until);
    CHECK_EQ(urd__os_wait_ready(&one, 1, 0), 0); /* a time that has passed */
    close_pair(pair);
}

TEST(waiting_for_too_many_is_refused)
{
    static urd__os_ready many[OS_READY_MAX + 1];
    CHECK_EQ(urd__os_wait_ready(many, OS_READY_MAX + 1, 0), -EINVAL);
}

static bool is_readable(int fd)
{
    urd__os_ready one = {.fd = fd};
    CHECK_EQ(urd__os_wait_ready(&one, 1, 0), 0);
    return one.readable;
}

TEST(an_event_is_readable_from_set_to_clear)
{
    int fd = urd__os_event_open();
    CHECK_GE(fd, 0);
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    CHECK(!is_readable(fd));
    urd__os_event_clear(fd);
    urd__os_event_set(fd);
    urd__os_event_set(fd);
    CHECK(is_readable(fd));
    urd__os_event_clear(fd);
    CHECK(!is_readable(fd));
    urd__os_close(fd);
}

TEST(a_childs_end_is_readable_until_cleared)
{
    sigset_t old;
    urd__os_signals_block(&old);
    int fd = urd__os_child_signal_open();
    CHECK_GE(fd, 0);
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    CHECK(!is_readable(fd));
    pid_t pid = urd__os_fork();
    if (pid == 0)
        urd__os_exit(0);
    urd__os_ready one = {.fd = fd};
    CHECK_EQ(urd__os_wait_ready(&one, 1, INT64_MAX), 0);
    CHECK(one.readable);
    urd__os_child_signal_clear(fd);
    CHECK(!is_readable(fd));
    CHECK_EQ(urd__os_wait(pid, NULL, false), pid);
    urd__os_close(fd);
    urd__os_signals_restore(&old);
}

/* ---- Signals --------------------------------------------------------------------------------- */

TEST(blocked_signals_come_when_the_mask_is_restored)
{
    sigset_t old;
    signals = 0;
    sigaction(SIGUSR1, &(struct sigaction){.sa_handler = count_signal}, NULL);
    urd__os_signals_block(&old);
    raise(SIGUSR1);
    CHECK_EQ(signals, 0);
    urd__os_signals_restore(&old);
    CHECK_EQ(signals, 1);
}

TEST(reset_takes_handlers_away_but_those_of_faults)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};
    struct sigaction handler = {.sa_handler = count_signal}, now;
    sigaction(SIGUSR1, &handler, NULL);
    sigaction(SIGTERM, &handler, NULL);
    sigaction(SIGRTMIN, &handler, NULL);
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        sigaction(faults[i], &handler, NULL);
    urd__os_signals_reset();
    static const int gone[] = {SIGUSR1, SIGTERM};
    for (size_t i = 0; i < sizeof gone / sizeof *gone; i++) {
        sigaction(gone[i], NULL, &now);
        CHECK(now.sa_handler == SIG_DFL);
    }
    sigaction(SIGRTMIN, NULL, &now);
    CHECK(now.sa_handler == SIG_DFL);
    sigaction(SIGPIPE, NULL, &now);
    CHECK(now.sa_handler == SIG_IGN);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        sigaction(faults[i], NULL, &now);
        CHECK(now.sa_handler == count_signal);
    }
}
