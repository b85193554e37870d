/*
 * zygote.c - the helper that forks processes: who is told what, and who dies with whom.
 *
 * SPDX-License-Identifier: MIT
 *
 * A test is a reaper of orphans (test.c), so it can wait for the end of any process it caused.
 */
#include "proc/zygote.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/os.h"
#include "base/os_proc.h"
#include "core/peer.h"
#include "test.h"

/* What children do and find; in memory that all share. */
enum what { ECHO_PID, EXIT_7, CRASH, SLEEP, START_ANOTHER, LOOK_AROUND, COUNT };

struct record {
    enum what what;
    pid_t pid, parent;
    struct record *another;
    int fds, counted;
    bool usr1_blocked, term_default, ignored_child;
};

static struct record *records; /* four of them */

static void expect(int connection, int what, int *value, int *pidfd)
{
    urd__os_ready ready = {.fd = connection};
    urd__reply reply;
    int passed;
    CHECK_EQ(urd__os_wait_ready(&ready, 1, INT64_MAX), 0);
    CHECK_EQ(urd__os_receive(connection, &reply, sizeof reply, &passed), sizeof reply);
    CHECK_EQ(reply.what, what);
    if (value)
        *value = reply.value;
    if (pidfd)
        *pidfd = passed;
    else
        urd__os_close(passed);
}

static void ask_for(int connection, struct record *record)
{
    urd__request request = {.what = URD__START, .id = 5, .record = record};
    CHECK_EQ(urd__os_send(connection, &request, sizeof request, -1, false), sizeof request);
}

static void look_around(struct record *record, const sigset_t *mask)
{
    struct sigaction term, child;
    sigaction(SIGTERM, NULL, &term);
    sigaction(SIGCHLD, NULL, &child);
    record->fds = test_fd_count();
    record->usr1_blocked = sigismember(mask, SIGUSR1) && !sigismember(mask, SIGUSR2);
    record->term_default = term.sa_handler == SIG_DFL;
    record->ignored_child = child.sa_handler == SIG_IGN;
}

static void child(void *memory, const sigset_t *mask)
{
    struct record *record = memory;
    record->parent = getppid();
    urd__store_rel(&record->pid, getpid());
    switch (record->what) {
    case ECHO_PID:
        _exit(0);
    case EXIT_7:
        _exit(7);
    case CRASH:
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        urd__os_signals_restore(mask);
        signal(SIGSEGV, SIG_DFL);
        raise(SIGSEGV);
        _exit(1);
    case LOOK_AROUND:
        look_around(record, mask);
        _exit(0);
    case COUNT:
        for (;;)
            urd__add_ar(&record->counted, 1);
    case START_ANOTHER: {
        int connection = urd__zygote_connect();
        CHECK_GE(connection, 0);
        ask_for(connection, record->another);
        break;
    }
    case SLEEP:
        break;
    }
    for (;;)
        pause();
}

static const urd__zygote_work work = {.child = child};

static void share(void)
{
    void *memory = NULL, *peers = NULL;
    CHECK_EQ(urd__os_shared_map(&memory, 4096), 0);
    CHECK_EQ(urd__os_shared_map(&peers, sizeof(urd__peers)), 0);
    records = memory;
    urd__peers_open(peers, NULL, 0);
}

static int start(void)
{
    share();
    CHECK_EQ(urd__zygote_start(&work), 0);
    int connection = urd__zygote_connect();
    CHECK_GE(connection, 0);
    return connection;
}

static void stop(int connection)
{
    urd__os_close(connection);
    urd__zygote_stop();
    urd__os_unmap(records, 4096);
}

static pid_t pid_of(struct record *record)
{
    while (urd__load_acq(&record->pid) == 0)
        urd__os_yield();
    return record->pid;
}

static bool has_pidfd(void)
{
    int fd = urd__os_pidfd_open(getpid());
    urd__os_close(fd);
    return fd >= 0;
}

static bool is_quiet(void)
{
    if (!urd__os_single_threaded())
        return false; /* a sanitizer has a thread */
    pid_t pid = urd__os_fork_quiet();
    if (pid == 0)
        _exit(0);
    if (pid == -EINVAL)
        return false;
    int status;
    CHECK_EQ(urd__os_wait(pid, &status, false), pid);
    return true;
}

TEST(start_and_end_of_a_process_are_told)
{
    int connection = start();
    static const struct {
        enum what what;
        int status;
    } ends[] = {{ECHO_PID, 0}, {EXIT_7, 7 << 8}, {CRASH, SIGSEGV}};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        records[0] = (struct record){.what = ends[i].what};
        ask_for(connection, &records[0]);
        int pid, pidfd, status;
        expect(connection, URD__STARTED, &pid, &pidfd);
        expect(connection, URD__ENDED, &status, NULL);
        CHECK_EQ(pid, records[0].pid);
        CHECK_EQ(status, ends[i].status);
        if (has_pidfd()) {
            urd__os_ready ended = {.fd = pidfd};
            CHECK_EQ(urd__os_wait_ready(&ended, 1, 0), 0);
            CHECK(ended.readable);
        }
        urd__os_close(pidfd);
    }
    stop(connection);
}

TEST(a_zygote_that_nobody_used_ends_too)
{
    share();
    CHECK_EQ(urd__zygote_start(&work), 0);
    urd__zygote_stop();
    CHECK_EQ(urd__zygote_connect(), -ECHILD);
}

static int child_signals; /* atomic */

static void count_signal(int sig)
{
    (void)sig;
    urd__add_rlx(&child_signals, 1);
}

TEST(the_program_sees_neither_a_child_nor_SIGCHLD)
{
    if (!is_quiet())
        SKIP("no fork without an exit signal here");
    CHECK_EQ(sigaction(SIGCHLD, &(struct sigaction){.sa_handler = count_signal}, NULL), 0);
    int connection = start();
    records[0] = (struct record){.what = ECHO_PID};
    ask_for(connection, &records[0]);
    expect(connection, URD__STARTED, NULL, NULL);
    expect(connection, URD__ENDED, NULL, NULL);
    CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1);
    CHECK_EQ(errno, ECHILD);
    stop(connection);
    CHECK_EQ(child_signals, 0);
}

static void *idle_thread(void *gate)
{
    pthread_mutex_lock(gate);
    pthread_mutex_unlock(gate);
    return NULL;
}

TEST(a_program_with_threads_gets_an_orphan)
{
    static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    pthread_t thread;
    pthread_mutex_lock(&gate);
    CHECK_EQ(pthread_create(&thread, NULL, idle_thread, &gate), 0);
    int connection = start();
    records[0] = (struct record){.what = EXIT_7};
    ask_for(connection, &records[0]);
    int status;
    expect(connection, URD__STARTED, NULL, NULL);
    expect(connection, URD__ENDED, &status, NULL);
    CHECK_EQ(status, 7 << 8);
    stop(connection);
    pthread_mutex_unlock(&gate);
    pthread_join(thread, NULL);
}

TEST(many_processes_at_once_are_all_told_of)
{
    int connection = start();
    int n = test_under_slow_tool() ? 20 : 300;
    records[0] = (struct record){.what = ECHO_PID};
    for (int i = 0; i < n; i++)
        ask_for(connection, &records[0]);
    int started = 0, ended = 0;
    while (started < n || ended < n) {
        urd__os_ready ready = {.fd = connection};
        urd__reply reply;
        int passed;
        CHECK_EQ(urd__os_wait_ready(&ready, 1, INT64_MAX), 0);
        CHECK_EQ(urd__os_receive(connection, &reply, sizeof reply, &passed), sizeof reply);
        CHECK_NE(reply.what, URD__REFUSED);
        started += reply.what == URD__STARTED;
        ended += reply.what == URD__ENDED;
        urd__os_close(passed);
    }
    stop(connection);
}

TEST(a_process_sees_the_callers_signals_and_descriptors)
{
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    CHECK_EQ(sigprocmask(SIG_BLOCK, &mask, NULL), 0);
    CHECK_EQ(sigaction(SIGTERM, &(struct sigaction){.sa_handler = count_signal}, NULL), 0);
    signal(SIGCHLD, SIG_IGN);
    int fds = test_fd_count();
    int connection = start();
    records[0] = (struct record){.what = LOOK_AROUND};
    ask_for(connection, &records[0]);
    expect(connection, URD__STARTED, NULL, NULL);
    expect(connection, URD__ENDED, NULL, NULL);
    CHECK(records[0].usr1_blocked);
    CHECK(records[0].term_default);
    CHECK(records[0].ignored_child);
    CHECK_EQ(records[0].fds, fds + 2); /* the way to the zygote, and the lifeline */
    stop(connection);
}

TEST(signals_from_the_terminal_do_not_end_it)
{
    int connection = start();
    records[0] = (struct record){.what = ECHO_PID};
    ask_for(connection, &records[0]);
    expect(connection, URD__STARTED, NULL, NULL);
    expect(connection, URD__ENDED, NULL, NULL);
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGUSR1};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        CHECK_EQ(kill(records[0].parent, signals[i]), 0);
    ask_for(connection, &records[0]);
    expect(connection, URD__STARTED, NULL, NULL);
    expect(connection, URD__ENDED, NULL, NULL);
    stop(connection);
}

static void need_reaper(void)
{
    int is_reaper = 0;
    if (prctl(PR_GET_CHILD_SUBREAPER, &is_reaper) != 0 || !is_reaper)
        SKIP("orphans do not come to this process here");
}

/* Wait until every process that is an orphan of ours has ended. */
static void reap_orphans(void)
{
    while (waitpid(-1, NULL, __WALL) > 0 || errno == EINTR)
        ;
    CHECK_EQ(errno, ECHILD);
}

TEST(stop_ends_what_still_runs)
{
    int connection = start();
    records[0] = (struct record){.what = SLEEP};
    ask_for(connection, &records[0]);
    pid_t pid = pid_of(&records[0]);
    stop(connection);
    CHECK_EQ(kill(pid, 0), -1);
    CHECK_EQ(errno, ESRCH);
}

TEST(a_process_that_dies_loses_the_processes_it_started)
{
    int connection = start();
    records[0] = (struct record){.what = START_ANOTHER, .another = &records[1]};
    records[1] = (struct record){.what = SLEEP};
    ask_for(connection, &records[0]);
    expect(connection, URD__STARTED, NULL, NULL);
    pid_t grandchild = pid_of(&records[1]);
    CHECK_EQ(records[0].parent, records[1].parent);
    CHECK_EQ(kill(records[0].pid, SIGKILL), 0);
    expect(connection, URD__ENDED, NULL, NULL);
    while (kill(grandchild, 0) == 0)
        urd__os_yield();
    stop(connection);
}

/* One of them is started by the other, and nobody here knows it. */
TEST(when_the_zygote_is_killed_so_are_its_processes_and_their_end_is_told)
{
    need_reaper();
    int connection = start();
    records[0] = (struct record){.what = START_ANOTHER, .another = &records[1]};
    records[1] = (struct record){.what = COUNT};
    ask_for(connection, &records[0]);
    expect(connection, URD__STARTED, NULL, NULL);
    pid_of(&records[1]);
    CHECK(!urd__zygote_wait_end(0));
    CHECK_EQ(kill(records[0].parent, SIGKILL), 0);
    urd__os_ready closed = {.fd = connection};
    CHECK_EQ(urd__os_wait_ready(&closed, 1, INT64_MAX), 0);
    urd__reply reply;
    int none;
    CHECK_EQ(urd__os_receive(connection, &reply, sizeof reply, &none), 0);
    CHECK(urd__zygote_wait_end(INT64_MAX));
    int counted = urd__load_acq(&records[1].counted);
    for (int i = 0; i < 100; i++)
        urd__os_yield();
    CHECK_EQ(urd__load_acq(&records[1].counted), counted);
    stop(connection);
    reap_orphans();
}

TEST(in_a_process_the_end_of_the_zygote_is_not_awaited)
{
    CHECK(!urd__zygote_wait_end(INT64_MAX));
}

static void program(void)
{
    int connection = urd__zygote_connect();
    ask_for(connection, &records[0]);
    for (;;)
        pause();
}

/* It is this test that is the reaper of their orphans: that reap_orphans() returns is the proof. */
static void check_killed_program(bool with_thread)
{
    static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    need_reaper();
    share();
    records[0] = (struct record){.what = START_ANOTHER, .another = &records[1]};
    records[1] = (struct record){.what = SLEEP};
    pid_t pid = fork();
    if (pid == 0) {
        pthread_t thread;
        pthread_mutex_lock(&gate);
        if (with_thread)
            CHECK_EQ(pthread_create(&thread, NULL, idle_thread, &gate), 0);
        CHECK_EQ(urd__zygote_start(&work), 0);
        program();
    }
    pid_of(&records[1]);
    CHECK_EQ(kill(pid, SIGKILL), 0);
    reap_orphans();
    CHECK_EQ(kill(records[0].parent, 0), -1);
    CHECK_EQ(kill(records[0].pid, 0), -1);
    CHECK_EQ(kill(records[1].pid, 0), -1);
}

TEST(when_the_program_is_killed_all_are)
{
    check_killed_program(false);
}

TEST(when_a_program_with_threads_is_killed_all_are)
{
    check_killed_program(true);
}

TEST(a_fork_that_fails_is_told)
{
    if (getuid() == 0)
        CHECK_EQ(setresuid(65534, 65534, 65534), 0); /* no limit stops root */
    int connection = start();
    records[0] = (struct record){.what = ECHO_PID};
    ask_for(connection, &records[0]);
    expect(connection, URD__STARTED, NULL, NULL);
    expect(connection, URD__ENDED, NULL, NULL);
    const struct rlimit none = {0, 0};
    CHECK_EQ(prlimit(records[0].parent, RLIMIT_NPROC, &none, NULL), 0);
    ask_for(connection, &records[0]);
    int error;
    expect(connection, URD__REFUSED, &error, NULL);
    CHECK_EQ(error, -EAGAIN);
    stop(connection);
}
