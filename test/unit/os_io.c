/*
 * os_io.c - one try never waits, whatever kind of descriptor it is and whatever mode it is in.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/os_io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/os.h"
#include "base/os_proc.h"
#include "test.h"

static int ends[2];
static char much[1 << 20];

static ssize_t try_read(int fd, void *buf, size_t size)
{
    return urd__os_try_read(fd, &(struct iovec){buf, size}, 1);
}

static ssize_t try_write(int fd, size_t size)
{
    return urd__os_try_write(fd, &(struct iovec){much, size}, 1);
}

/* Until nothing more fits.  How much did. */
static size_t fill(int fd)
{
    size_t all = 0;
    ssize_t n;
    while ((n = try_write(fd, sizeof much)) > 0)
        all += (size_t)n;
    CHECK_EQ(n, -EAGAIN);
    return all;
}

static void check_tries(int in, int out)
{
    int flags = fcntl(in, F_GETFL);
    CHECK_EQ(try_read(in, much, 8), -EAGAIN);
    CHECK_EQ(try_write(out, 3), 3);
    CHECK_EQ(try_read(in, much, 8), 3);
    size_t all = fill(out);
    CHECK_GT(all, 0);
    while (all > 0) {
        ssize_t n = try_read(in, much, sizeof much);
        CHECK_GT(n, 0);
        all -= (size_t)n;
    }
    CHECK_EQ(try_read(in, much, 8), -EAGAIN);
    struct iovec parts[2] = {{much, 1}, {much, 2}};
    CHECK_EQ(urd__os_try_write(out, parts, 2), 3);
    CHECK_EQ(urd__os_try_read(in, parts, 2), 3);
    CHECK_EQ(urd__os_try_read(in, parts, 2), -EAGAIN);
    CHECK_EQ(fcntl(in, F_GETFL), flags);
    CHECK_EQ(urd__os_close_checked(out), 0);
    CHECK_EQ(try_read(in, much, 8), 0);
    CHECK_EQ(urd__os_close_checked(in), 0);
}

TEST(a_pair_in_blocking_mode_is_not_waited_for)
{
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    check_tries(ends[0], ends[1]);
}

TEST(what_goes_from_one_to_another_does_not_wait_at_either_end)
{
    int through[2], file = memfd_create("file", MFD_CLOEXEC);
    off_t at = 0;
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    CHECK_EQ(pipe(through), 0);
    CHECK_EQ(urd__os_try_splice(ends[0], through[1], 8, 0), -EAGAIN);
    CHECK_EQ(ftruncate(file, 1 << 24), 0);
    ssize_t n;
    while ((n = urd__os_try_sendfile(ends[1], file, &at, 1 << 24)) > 0)
        continue;
    CHECK_EQ(n, -EAGAIN);
    CHECK_GT(at, 0);
    while ((n = urd__os_try_splice(ends[0], through[1], 1 << 24, 0)) > 0)
        continue;
    CHECK_EQ(n, -EAGAIN);
    CHECK_EQ(close(through[0]), 0);
    CHECK_EQ(urd__os_try_splice(ends[0], through[1], 8, 0), -EPIPE);
    CHECK_EQ(urd__os_try_sendfile(-1, file, &at, 1), -EBADF);
    CHECK_EQ(close(through[1]) + close(file) + close(ends[0]) + close(ends[1]), 0);
}

TEST(nor_is_a_pipe)
{
    CHECK_EQ(pipe(ends), 0);
    check_tries(ends[0], ends[1]);
    CHECK_EQ(pipe2(ends, O_NONBLOCK), 0);
    check_tries(ends[0], ends[1]);
}

TEST(a_mode_can_be_taken_back)
{
    CHECK_EQ(pipe2(ends, O_NONBLOCK), 0);
    CHECK_EQ(urd__os_set_blocking(ends[0]), 0);
    CHECK(!(fcntl(ends[0], F_GETFL) & O_NONBLOCK));
    CHECK_EQ(urd__os_set_blocking(-1), -EBADF);
    close(ends[0]);
    close(ends[1]);
}

/* It knows no way to fail instead of waiting, and is asked first. */
TEST(nor_is_a_terminal)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0)
        SKIP("there are no terminals here");
    int terminal = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    CHECK_GE(terminal, 0);
    CHECK_EQ(try_read(terminal, much, 8), -EAGAIN);
    memcpy(much, "hi\n", 3);
    CHECK_EQ(try_write(master, 3), 3);
    CHECK_EQ(try_read(terminal, much, 8), 3);
    CHECK_EQ(try_write(terminal, 8), 8);
    close(terminal);
    close(master);
}

TEST(a_file_is_read_and_written_at_once)
{
    int fd = memfd_create("file", MFD_CLOEXEC);
    struct iovec part = {much, 4};
    CHECK_EQ(try_write(fd, 8), 8);
    CHECK_EQ(try_read(fd, much, 8), 0);
    CHECK_EQ(urd__os_pread(fd, &part, 1, 6), 2);
    CHECK_EQ(urd__os_pwrite(fd, &part, 1, 8), 4);
    CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
    CHECK_EQ(try_read(fd, much, 100), 12);
    close(fd);
}

static volatile sig_atomic_t signals;

static void count_signal(int sig)
{
    (void)sig;
    signals++;
}

TEST(a_write_to_nobody_raises_no_signal_and_leaves_none_pending)
{
    sigset_t pending;
    signal(SIGPIPE, count_signal);
    CHECK_EQ(pipe(ends), 0);
    close(ends[0]);
    CHECK_EQ(try_write(ends[1], 1), -EPIPE);
    close(ends[1]);
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    close(ends[0]);
    CHECK_EQ(try_write(ends[1], 1), -EPIPE);
    CHECK_EQ(urd__os_try_send(ends[1], much, 1, 0), -EPIPE);
    close(ends[1]);
    CHECK_EQ(sigpending(&pending), 0);
    CHECK(!sigismember(&pending, SIGPIPE));
    CHECK_EQ(signals, 0);
}

TEST(a_listening_socket_does_not_wait_and_what_it_accepts_is_ready_for_us)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_EQ(bind(listener, (struct sockaddr *)&at, size), 0);
    CHECK_EQ(listen(listener, 1), 0);
    CHECK_EQ(getsockname(listener, (struct sockaddr *)&at, &size), 0);
    CHECK_EQ(urd__os_try_accept(listener, NULL, NULL), -EAGAIN);
    int flags = fcntl(client, F_GETFL);
    int rc = urd__os_connect_begin(client, (struct sockaddr *)&at, size);
    CHECK(rc == 0 || rc == -EINPROGRESS);
    CHECK_EQ(fcntl(client, F_GETFL), flags);
    CHECK(urd__os_poll(client, POLLOUT, -1, INT64_MAX) & POLLOUT);
    CHECK_EQ(urd__os_connect_result(client), 0);
    int fd = urd__os_try_accept(listener, NULL, NULL);
    CHECK_GE(fd, 0);
    CHECK(fcntl(fd, F_GETFL) & O_NONBLOCK);
    CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    CHECK_EQ(urd__os_shutdown(fd, SHUT_WR), 0);
    close(fd);
    close(client);
    close(listener);
}

TEST(a_poll_ends_by_readiness_by_its_event_or_by_its_time)
{
    int event = urd__os_event_open();
    CHECK_EQ(pipe(ends), 0);
    CHECK_EQ(urd__os_poll(ends[0], POLLIN, event, urd__os_now() + 1000), 0);
    CHECK_EQ(urd__os_poll(ends[0], POLLIN, event, 0), 0);
    urd__os_event_set(event);
    CHECK_EQ(urd__os_poll(ends[0], POLLIN, event, INT64_MAX), 0);
    CHECK_EQ(try_write(ends[1], 1), 1);
    CHECK_EQ(urd__os_poll(ends[0], POLLIN, -1, INT64_MAX), POLLIN);
    struct pollfd list[] = {{.fd = ends[0], .events = POLLIN}, {.fd = -1}};
    CHECK(urd__os_poll_any(list, 2, 1000));
    CHECK(!urd__os_poll_any(&list[1], 1, 1000));
    close(ends[0]);
    close(ends[1]);
    urd__os_close(event);
}

TEST(epoll_tells_once_or_of_each_change)
{
    urd__os_ready_fd ready[OS_EPOLL_BATCH];
    int epoll = urd__os_epoll_open();
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    CHECK_EQ(urd__os_epoll_set(epoll, ends[0], POLLIN, true), 0);
    CHECK_EQ(urd__os_epoll_wait(epoll, ready, 0), 0);
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(try_write(ends[1], 1), 1);
        CHECK_EQ(urd__os_epoll_wait(epoll, ready, INT64_MAX), 1);
        CHECK_EQ(ready[0].fd, ends[0]);
        CHECK_EQ(ready[0].events, POLLIN);
        CHECK_EQ(urd__os_epoll_wait(epoll, ready, urd__os_now() + 1000), 0);
        CHECK_EQ(urd__os_epoll_set(epoll, ends[0], POLLIN, i == 0), 0);
    }
    CHECK_EQ(urd__os_epoll_wait(epoll, ready, 0), 1);
    CHECK_EQ(urd__os_epoll_wait(epoll, ready, 0), 0);
    CHECK_EQ(try_write(ends[1], 1), 1);
    CHECK_EQ(urd__os_epoll_wait(epoll, ready, 0), 1);
    urd__os_epoll_remove(epoll, ends[0]);
    CHECK_EQ(try_write(ends[1], 1), 1);
    CHECK_EQ(urd__os_epoll_wait(epoll, ready, 0), 0);
    CHECK_GT(urd__os_fd_limit(), ends[1]);
    close(ends[0]);
    close(ends[1]);
    close(epoll);
}
