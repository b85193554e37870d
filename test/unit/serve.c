/*
 * serve.c - connections are served until told to stop, and then have their grace.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <sys/resource.h>

#include "backends.h"
#include "base/atomic.h"

/* ---- A server, and what it is to do ---------------------------------------------------------- */

typedef struct setting {
    int listeners[2], n;
    urd_address at[2];
    urd_serve_options options;
    urd_serve_fn *fn;
    urd_event stop;
    int expected;          /* of urd_serve */
    int open, most;        /* atomic: connections at once */
    int served, told, why; /* atomic */
} setting;

static setting now;

static void set(urd_serve_fn *fn, int n, int expected)
{
    now = (setting){.fn = fn, .n = n, .expected = expected};
    now.options.stop = &now.stop;
    for (int i = 0; i < n; i++) {
        now.listeners[i] = urd_tcp_listen("127.0.0.1", 0, NULL);
        CHECK_GE(now.listeners[i], 0);
        CHECK_EQ(urd_address_local(now.listeners[i], &now.at[i]), 0);
    }
}

static int serve(void *arg)
{
    (void)arg;
    CHECK_EQ(urd_serve(now.listeners, now.n, now.fn, &now, &now.options), now.expected);
    return 0;
}

static int dial(int which)
{
    int fd = urd_tcp_dial_any(&now.at[which], 1);
    CHECK_GE(fd, 0);
    return fd;
}

static void check_refused(void)
{
    for (int i = 0; i < now.n; i++)
        CHECK_EQ(urd_tcp_dial_any(&now.at[i], 1), -ECONNREFUSED);
}

static void come(void)
{
    int open = urd__add_ar(&now.open, 1) + 1, most = urd__load_acq(&now.most);
    while (open > most && !urd__cas_ar(&now.most, &most, open))
        continue;
}

static int leave(int rc)
{
    urd__sub_ar(&now.open, 1);
    urd__add_ar(&now.served, 1);
    return rc;
}

static int echo(int fd, void *arg)
{
    CHECK_PTR(arg, &now);
    char got[16];
    ssize_t n;
    come();
    while ((n = urd_read(fd, got, sizeof got)) > 0)
        if ((n = urd_write_all(fd, got, (size_t)n)) < 0)
            break;
    return leave((int)n);
}

static void check_echo(int fd)
{
    char got[4];
    CHECK_EQ(urd_write_all(fd, "echo", 4), 4);
    CHECK_EQ(urd_read_exact(fd, got, 4), 4);
    CHECK_EQ(memcmp(got, "echo", 4), 0);
}

static int talk(void *arg)
{
    int fd = dial(*(const int *)arg);
    for (int i = 0; i < 3; i++)
        check_echo(fd);
    return urd_close(fd);
}

/* ---- Serving --------------------------------------------------------------------------------- */

enum { CLIENTS = 12 };

static int many_talk(void *arg)
{
    static int which[] = {0, 1};
    (void)arg;
    for (int i = 0; i < 4; i++) {
        set(echo, 2, 0);
        now.options.connections_max = i / 2 ? 3 : 0;
        now.options.grace_duration = URD_FOREVER;
        urd_scope s;
        urd_scope_open(&s);
        CHECK_EQ(urd_spawn(&s, i % 2 ? URD_TASK : URD_THREAD, serve, NULL, 0), 0);
        urd_scope clients;
        urd_scope_open(&clients);
        for (int c = 0; c < CLIENTS; c++)
            urd_spawn(&clients, c == 3 ? URD_THREAD : URD_TASK, talk, &which[c % 2], 0);
        CHECK_EQ(urd_scope_join(&clients), 0);
        urd_event_set(&now.stop);
        CHECK_EQ(urd_scope_join(&s), 0);
        CHECK_EQ(now.served, CLIENTS);
        if (i / 2)
            CHECK_LE(now.most, 3);
        check_refused();
    }
    return 0;
}

TEST(every_connection_is_served_by_a_job_and_no_more_than_the_limit_at_once)
{
    run_io(4, many_talk);
}

static void note(int error, void *arg)
{
    CHECK_PTR(arg, &now);
    urd__add_ar(&now.told, 1);
    urd__store_rel(&now.why, error);
}

static int fail_on_x(int fd, void *arg)
{
    (void)arg;
    char got;
    CHECK_EQ(urd_read(fd, &got, 1), 1);
    if (got == 'x')
        return leave(-EPROTO);
    CHECK_EQ(urd_write(fd, "y", 1), 1);
    return leave(7); /* above 0: no error */
}

static int some_fail(void *arg)
{
    (void)arg;
    set(fail_on_x, 1, 0);
    now.options.on_error = note;
    urd_scope s;
    urd_scope_open(&s);
    CHECK_EQ(urd_go(&s, serve, NULL), 0);
    for (int i = 0; i < 5; i++) {
        char got;
        int fd = dial(0);
        CHECK_EQ(urd_write(fd, i % 2 ? "x" : "o", 1), 1);
        CHECK_EQ(urd_read(fd, &got, 1), i % 2 ? 0 : 1); /* closed, or served after the failure */
        CHECK_EQ(urd_read(fd, &got, 1), 0);
        CHECK_EQ(urd_close(fd), 0);
    }
    let_others_run();
    urd_event_set(&now.stop);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(now.told, 2);
    CHECK_EQ(now.why, -EPROTO);
    return 0;
}

TEST(a_connection_that_fails_ends_itself_alone_and_is_told)
{
    run_io(5, some_fail);
}

static int echo_compact(void *arg)
{
    static int first = 0;
    (void)arg;
    set(echo, 1, 0);
    now.options.compact = true;
    now.options.grace_duration = URD_SECOND;
    urd_scope s;
    urd_scope_open(&s);
    CHECK_EQ(urd_go(&s, serve, NULL), 0);
    CHECK_EQ(talk(&first), 0);
    urd_event_set(&now.stop);
    return urd_scope_join(&s);
}

TEST(connections_may_be_compact_tasks)
{
    run_io(3, echo_compact);
}

/* ---- Stopping -------------------------------------------------------------------------------- */

/* Serves one more word however late it comes, and takes a second for it. */
static int slow_word(int fd, void *arg)
{
    char got;
    (void)arg;
    come();
    ssize_t n = urd_read(fd, &got, 1);
    if (n == 1)
        n = urd_sleep(URD_SECOND);
    if (n == 0)
        n = urd_write(fd, &got, 1);
    return leave(n < 0 ? (int)n : 0);
}

static void check_stop(urd_time grace, bool by_cancel, bool served)
{
    set(slow_word, 2, by_cancel ? -ECANCELED : served ? 0 : -ETIMEDOUT);
    now.options.grace_duration = grace;
    now.options.on_error = note;
    urd_time start = urd_now();
    char got;
    urd_scope s;
    urd_scope_open(&s);
    CHECK_EQ(urd_go(&s, serve, NULL), 0);
    int fd = dial(0);
    CHECK_EQ(urd_write(fd, "w", 1), 1);
    CHECK_EQ(urd_sleep(URD_SECOND / 2), 0);
    if (by_cancel)
        urd_scope_cancel(&s, -EINTR);
    else
        urd_event_set(&now.stop);
    urd_scope shield;
    urd_scope_open(&shield);
    urd_scope_shield(&shield);
    CHECK_EQ(urd_sleep(URD_MS), 0);
    check_refused(); /* at once, also while connections go on */
    CHECK_EQ(urd_read(fd, &got, 1), served ? 1 : 0);
    CHECK_EQ(urd_now() - start, served ? URD_SECOND : URD_SECOND / 2 + (grace ? grace : URD_MS));
    CHECK_EQ(urd_scope_join(&shield), 0);
    CHECK_EQ(urd_scope_join(&s), by_cancel ? -EINTR : 0);
    CHECK_EQ(urd_close(fd), 0);
    CHECK_EQ(now.told, 0); /* that one was cancelled is no error of its own */
    CHECK_EQ(now.served, 1);
}

static int stops(void *arg)
{
    (void)arg;
    for (int by_cancel = 0; by_cancel < 2; by_cancel++) {
        check_stop(0, by_cancel, false);
        check_stop(URD_SECOND / 4, by_cancel, false);
        check_stop(3 * URD_SECOND, by_cancel, true);
        check_stop(URD_FOREVER, by_cancel, true);
    }
    return 0;
}

TEST(told_to_stop_it_accepts_no_more_and_connections_have_their_grace)
{
    run_io(3, stops);
}

static int stopped_before(void *arg)
{
    (void)arg;
    set(echo, 2, 0);
    urd_event_set(&now.stop);
    CHECK_EQ(serve(NULL), 0);
    check_refused();
    set(echo, 2, -ECANCELED);
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_cancel(&s, 0);
    CHECK_EQ(serve(NULL), 0);
    CHECK_EQ(urd_scope_join(&s), -ECANCELED);
    check_refused();
    return 0;
}

TEST(told_before_it_began_it_closes_the_listeners_and_returns)
{
    run_io(5, stopped_before);
}

static int forget_stop(void *arg)
{
    (void)arg;
    set(echo, 1, -ECANCELED);
    now.options = (urd_serve_options){0};
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_deadline(&s, urd_now() + URD_SECOND);
    CHECK_EQ(urd_serve(now.listeners, 1, echo, &now, NULL), -ECANCELED);
    CHECK_EQ(urd_scope_join(&s), -ETIMEDOUT);
    return 0;
}

TEST(without_options_a_cancel_ends_it)
{
    run_io(3, forget_stop);
}

/* ---- Wrong listeners ------------------------------------------------------------------------- */

static int bad_listeners(void *arg)
{
    (void)arg;
    int ends[2];
    set(echo, 1, 0);
    CHECK_EQ(urd_serve(now.listeners, 0, echo, &now, NULL), -EINVAL);
    CHECK_EQ(urd_pipe(ends), 0);
    now.listeners[1] = ends[0];
    CHECK_EQ(urd_serve(now.listeners, 2, echo, &now, NULL), -ENOTSOCK);
    check_refused(); /* the good one was closed, too */
    CHECK_EQ(urd_close(ends[1]), 0);
    int mute = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_EQ(urd_serve(&mute, 1, echo, &now, NULL), -EINVAL);
    int datagrams = urd_udp_open("127.0.0.1", 0);
    CHECK_EQ(urd_serve(&datagrams, 1, echo, &now, NULL), -EOPNOTSUPP);
    CHECK_EQ(urd_serve((int[]){-1}, 1, echo, &now, NULL), -EBADF);
    return 0;
}

TEST(what_does_not_listen_is_an_error_and_all_are_closed)
{
    run_io(2, bad_listeners);
}

static int closed_under(void *arg)
{
    (void)arg;
    set(echo, 2, -EBADF);
    urd_scope s;
    urd_scope_open(&s);
    CHECK_EQ(urd_go(&s, serve, NULL), 0);
    CHECK_EQ(urd_sleep(URD_SECOND), 0);
    CHECK_EQ(urd_close(now.listeners[1]), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    check_refused();
    return 0;
}

TEST(a_listener_closed_by_somebody_else_ends_it_with_EBADF)
{
    run_io(5, closed_under);
}

/* ---- No descriptors left --------------------------------------------------------------------- */

enum { ROOM = 2, CROWD = 7 };

/* Valgrind keeps the limit itself: the kernel accepts, and Valgrind then drops the connection. */
static void need_true_limit(void)
{
    if (test_under_valgrind())
        SKIP("valgrind loses the connections that it has no descriptor for");
}

/* From now on so many more descriptors can be had. */
static void leave_room(int n)
{
    struct rlimit limit;
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = 0;
    for (int left = n; left >= 0; limit.rlim_cur++)
        left -= fcntl((int)limit.rlim_cur, F_GETFD) < 0;
    limit.rlim_cur--;
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* The first wait makes the poller, which takes some, too. */
static void have_poller(void)
{
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_deadline(&s, urd_now() + URD_MS);
    CHECK_EQ(urd_wait_fd(now.listeners[0], POLLIN), -ECANCELED);
    CHECK_EQ(urd_scope_join(&s), -ETIMEDOUT);
}

static int short_stay(int fd, void *arg)
{
    (void)arg;
    come();
    int rc = urd_sleep(10 * URD_SECOND);
    if (rc == 0)
        rc = (int)urd_write(fd, "s", 1);
    return leave(rc < 0 ? rc : 0);
}

/* Everybody is connected from the beginning: they wait in the queue of the listener. */
static int crowd(void *arg)
{
    (void)arg;
    int fds[CROWD];
    char got;
    struct rlimit before;
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
    set(short_stay, 1, 0);
    now.options.on_error = note;
    now.options.grace_duration = URD_FOREVER;
    have_poller();
    for (int i = 0; i < CROWD; i++)
        fds[i] = dial(0);
    urd_time start = urd_now();
    urd_scope s;
    urd_scope_open(&s);
    leave_room(ROOM);
    CHECK_EQ(urd_go(&s, serve, NULL), 0);
    for (int i = 0; i < CROWD; i++)
        CHECK_EQ(urd_read_exact(fds[i], &got, 1), 1);
    /* Two at a time, each pair as soon as the one before has left: no time was lost. */
    CHECK_EQ(urd_now() - start, (CROWD + ROOM - 1) / ROOM * 10 * URD_SECOND);
    CHECK_EQ(now.most, ROOM);
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
    urd_event_set(&now.stop);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(now.why, -EMFILE);
    CHECK_GE(now.told, 1);
    for (int i = 0; i < CROWD; i++)
        CHECK_EQ(urd_close(fds[i]), 0);
    return 0;
}

/* Time is virtual, and stands still as long as anybody runs: one that spins would never let the
 * ten seconds of a stay pass. */
TEST(without_descriptors_it_pauses_and_goes_on_as_soon_as_there_are_some)
{
    need_true_limit();
    urd_config config = {.workers = 1, .virtual_clock = true, .processes = URD_PROCESSES_NONE};
    for (int io = URD_IO_EPOLL; io <= URD_IO_URING; io++) {
        config.io = (urd_io)io;
        if (urd__poller_backend(config.io))
            test_run_with(&config, crowd, NULL);
    }
}

static int others_give_way(void *arg)
{
    (void)arg;
    struct rlimit before;
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
    set(echo, 1, 0);
    now.options.on_error = note;
    now.options.grace_duration = URD_FOREVER;
    have_poller();
    int fd = dial(0);
    urd_scope s;
    urd_scope_open(&s);
    leave_room(0);
    CHECK_EQ(urd_go(&s, serve, NULL), 0);
    CHECK_EQ(urd_sleep(60 * URD_SECOND), 0);
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
    check_echo(fd); /* within a second, with nobody to wake it */
    CHECK_EQ(now.told, 1);
    CHECK_EQ(urd_close(fd), 0);
    urd_event_set(&now.stop);
    CHECK_EQ(urd_scope_join(&s), 0);
    return 0;
}

TEST(descriptors_that_others_have_let_go_are_found_too)
{
    need_true_limit();
    run_io(1, others_give_way);
}
