/*
 * blocking_io.c - read, write, send, recv, connect and accept of POSIX, called by tasks.
 *
 * SPDX-License-Identifier: MIT
 */
#include "blocked.h"

#include <netinet/in.h>
#include <sys/time.h>
#include <sys/uio.h>

enum { MUCH = 1 << 19 };

/* ---- One end waits for the other ------------------------------------------------------------- */

typedef struct ends {
    int fds[2];
    char bytes[MUCH];
} ends;

static ends shared;

static int read_5(void *arg)
{
    char some[16] = "";
    ends *e = arg;
    CHECK_EQ(read(e->fds[0], some, sizeof some), 5);
    CHECK_STR(some, "hello");
    return 0;
}

static int write_5(void *arg)
{
    CHECK_EQ(write(((ends *)arg)->fds[1], "hello", 5), 5);
    return 0;
}

static int recv_all(void *arg)
{
    char some[16] = "";
    ends *e = arg;
    CHECK_EQ(recv(e->fds[0], some, 10, MSG_WAITALL), 10);
    CHECK_STR(some, "hellohello");
    return 0;
}

static int write_5_twice(void *arg)
{
    write_5(arg);
    CHECK_EQ(usleep(1000), 0);
    return write_5(arg);
}

static int recv_parts(void *arg)
{
    char a[3], b[8];
    struct iovec parts[] = {{a, sizeof a}, {b, sizeof b}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    ends *e = arg;
    CHECK_EQ(recvmsg(e->fds[0], &message, 0), 5);
    CHECK(memcmp(a, "hel", 3) == 0 && memcmp(b, "lo", 2) == 0);
    CHECK_EQ(readv(e->fds[0], parts, 2), 5);
    CHECK(memcmp(a, "hel", 3) == 0 && memcmp(b, "lo", 2) == 0);
    return 0;
}

static void over_both_kinds(urd_fn *first, urd_fn *second)
{
    socket_pair(shared.fds);
    together(first, second, &shared);
    CHECK_EQ(close(shared.fds[0]), 0);
    CHECK_EQ(close(shared.fds[1]), 0);
    CHECK_EQ(pipe(shared.fds), 0);
    together(first, second, &shared);
    CHECK_EQ(close(shared.fds[0]), 0);
    CHECK_EQ(close(shared.fds[1]), 0);
}

static int waits_for_input(void *arg)
{
    (void)arg;
    over_both_kinds(read_5, write_5);
    socket_pair(shared.fds);
    together(recv_all, write_5_twice, &shared);
    together(recv_parts, write_5_twice, &shared);
    CHECK_EQ(fcntl(shared.fds[0], F_GETFL) & O_NONBLOCK, 0); /* it stays as it was */
    CHECK_EQ(close(shared.fds[1]), 0);
    char some[4];
    CHECK_EQ(read(shared.fds[0], some, sizeof some), 0);
    CHECK_EQ(close(shared.fds[0]), 0);
    return 0;
}

TEST(a_read_waits_for_input)
{
    run_blocked(waits_for_input);
}

static int write_much(void *arg)
{
    ends *e = arg;
    struct iovec parts[] = {{e->bytes, 1000}, {e->bytes, MUCH}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    bool is_socket = recv(e->fds[1], NULL, 0, MSG_DONTWAIT) == 0 || errno != ENOTSOCK;
    CHECK_EQ(write(e->fds[1], e->bytes, MUCH), MUCH);
    CHECK_EQ(writev(e->fds[1], parts, 2), MUCH + 1000);
    CHECK_EQ(is_socket ? sendmsg(e->fds[1], &message, 0) : MUCH + 1000, MUCH + 1000);
    CHECK_EQ(shutdown(e->fds[1], SHUT_WR) == 0 || close(dup(e->fds[1])) == 0, 1);
    return 0;
}

static int read_much(void *arg)
{
    ends *e = arg;
    static char some[1 << 16];
    ssize_t n;
    size_t all = 0;
    bool is_socket = recv(e->fds[0], some, 0, MSG_DONTWAIT) == 0 || errno != ENOTSOCK;
    size_t wanted = is_socket ? 3 * (size_t)MUCH + 2000 : 2 * (size_t)MUCH + 1000;
    while (all < wanted && (n = read(e->fds[0], some, sizeof some)) > 0)
        all += (size_t)n;
    CHECK_EQ(all, wanted);
    return 0;
}

static int writes_all(void *arg)
{
    (void)arg;
    over_both_kinds(write_much, read_much);
    return 0;
}

TEST(a_write_to_a_stream_writes_all)
{
    run_blocked(writes_all);
}

/* ---- Modes and times ------------------------------------------------------------------------- */

static int does_not_wait(void *arg)
{
    (void)arg;
    int fds[2];
    char some[4];
    socket_pair(fds);
    CHECK_EQ(recv(fds[0], some, 4, MSG_DONTWAIT), -1);
    CHECK_EQ(errno, EAGAIN);
    CHECK_EQ(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
    CHECK_EQ(read(fds[0], some, 4), -1);
    CHECK_EQ(errno, EAGAIN);
    CHECK_EQ(fcntl(fds[1], F_SETFL, O_NONBLOCK), 0);
    CHECK_LT(write(fds[1], shared.bytes, MUCH), MUCH);
    CHECK_EQ(write(fds[1], shared.bytes, MUCH), -1);
    CHECK_EQ(errno, EAGAIN);
    close(fds[0]);
    close(fds[1]);
    CHECK_EQ(pipe2(fds, O_NONBLOCK), 0);
    CHECK_EQ(read(fds[0], some, 4), -1);
    CHECK_EQ(errno, EAGAIN);
    CHECK_LT(write(fds[1], shared.bytes, MUCH), MUCH);
    close(fds[0]);
    close(fds[1]);
    return 0;
}

TEST(nothing_waits_in_non_blocking_mode)
{
    run_blocked(does_not_wait);
}

static int times_out(void *arg)
{
    (void)arg;
    int fds[2];
    char some[4];
    struct timeval time = {.tv_sec = 2, .tv_usec = 500000};
    socket_pair(fds);
    CHECK_EQ(setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time), 0);
    CHECK_EQ(setsockopt(fds[1], SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time), 0);
    urd_time before = urd_now();
    CHECK_EQ(recv(fds[0], some, 4, 0), -1);
    CHECK_EQ(errno, EAGAIN);
    CHECK_EQ(urd_now() - before, 2500 * URD_MS);
    before = urd_now();
    CHECK_LT(send(fds[1], shared.bytes, MUCH, 0), MUCH); /* what went */
    CHECK_EQ(send(fds[1], shared.bytes, MUCH, 0), -1);
    CHECK_EQ(errno, EAGAIN);
    CHECK_EQ(urd_now() - before, 5000 * URD_MS);
    close(fds[0]);
    close(fds[1]);
    return 0;
}

TEST(a_socket_s_own_times_are_kept)
{
    run_blocked(times_out);
}

static int read_only(void *fds)
{
    char some[4];
    return read(*(int *)fds, some, 4) == -1 ? errno : 0;
}

static int accept_only(void *fd)
{
    return accept(*(int *)fd, NULL, NULL) == -1 ? errno : 0;
}

static int is_cancelled(void *arg)
{
    (void)arg;
    int fds[2];
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socket_pair(fds);
    CHECK_EQ(cancelled_after_1s(read_only, fds), ECANCELED);
    close(fds[0]);
    close(fds[1]);
    CHECK_EQ(pipe(fds), 0);
    CHECK_EQ(cancelled_after_1s(read_only, fds), ECANCELED);
    close(fds[0]);
    close(fds[1]);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_EQ(bind(listener, (struct sockaddr *)&at, sizeof at), 0);
    CHECK_EQ(listen(listener, 1), 0);
    CHECK_EQ(cancelled_after_1s(accept_only, &listener), ECANCELED);
    close(listener);
    return 0;
}

TEST(a_cancelled_call_says_ECANCELED)
{
    run_blocked(is_cancelled);
}

static int errors(void *arg)
{
    (void)arg;
    int fds[2];
    char some[4] = "";
    CHECK_EQ(read(-1, some, 4), -1);
    CHECK_EQ(errno, EBADF);
    CHECK_EQ(write(999, some, 4), -1);
    CHECK_EQ(errno, EBADF);
    socket_pair(fds);
    close(fds[0]);
    CHECK_EQ(send(fds[1], some, 4, 0), -1);
    CHECK_EQ(errno, EPIPE); /* and no signal */
    CHECK_EQ(accept(fds[1], NULL, NULL), -1);
    CHECK_EQ(errno, EINVAL);
    close(fds[1]);
    return 0;
}

TEST(errors_are_the_kernel_s)
{
    run_blocked(errors);
}

/* ---- Connections ----------------------------------------------------------------------------- */

typedef struct place {
    int listener;
    struct sockaddr_in at;
} place;

static int accept_one(void *arg)
{
    place *p = arg;
    struct sockaddr_in from;
    socklen_t size = sizeof from;
    char some[8] = "";
    int fd = accept(p->listener, (struct sockaddr *)&from, &size);
    CHECK_GE(fd, 0);
    CHECK_EQ(size, sizeof from);
    CHECK_EQ(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
    CHECK_EQ(recvfrom(fd, some, 5, 0, NULL, NULL), 5);
    CHECK_STR(some, "hello");
    close(fd);
    fd = accept4(p->listener, NULL, NULL, SOCK_NONBLOCK);
    CHECK_GE(fd, 0);
    CHECK_EQ(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    close(fd);
    CHECK_EQ(fcntl(p->listener, F_GETFL) & O_NONBLOCK, 0);
    return 0;
}

static int connect_two(void *arg)
{
    const place *p = arg;
    for (int i = 0; i < 2; i++) {
        char end;
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        CHECK_EQ(connect(fd, (const struct sockaddr *)&p->at, sizeof p->at), 0);
        CHECK_EQ(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
        CHECK_EQ(sendto(fd, "hello", 5, 0, NULL, 0), 5);
        CHECK_LE(read(fd, &end, 1), 0); /* it may be reset, as not all was read */
        close(fd);
    }
    return 0;
}

static int connections(void *arg)
{
    (void)arg;
    place p = {.at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof p.at;
    p.listener = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_EQ(bind(p.listener, (struct sockaddr *)&p.at, sizeof p.at), 0);
    CHECK_EQ(listen(p.listener, 4), 0);
    CHECK_EQ(getsockname(p.listener, (struct sockaddr *)&p.at, &size), 0);
    together(accept_one, connect_two, &p);
    close(p.listener);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_EQ(connect(fd, (struct sockaddr *)&p.at, sizeof p.at), -1);
    CHECK_EQ(errno, ECONNREFUSED);
    close(fd);
    return 0;
}

TEST(connections_are_made_and_taken)
{
    run_blocked(connections);
}

static int datagrams(void *arg)
{
    (void)arg;
    int fds[2];
    char some[8] = "";
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in from = {0};
    socklen_t size = sizeof at;
    for (int i = 0; i < 2; i++) {
        fds[i] = socket(AF_INET, SOCK_DGRAM, 0);
        CHECK_EQ(bind(fds[i],
                      (struct sockaddr *)&(struct sockaddr_in){
                          .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)},
                      sizeof at),
                 0);
    }
    CHECK_EQ(getsockname(fds[0], (struct sockaddr *)&at, &size), 0);
    CHECK_EQ(sendto(fds[1], "hello", 5, 0, (struct sockaddr *)&at, sizeof at), 5);
    CHECK_EQ(recvfrom(fds[0], some, sizeof some, 0, (struct sockaddr *)&from, &size), 5);
    CHECK_STR(some, "hello");
    CHECK(from.sin_port != 0);
    close(fds[0]);
    close(fds[1]);
    return 0;
}

TEST(datagrams_come_with_where_they_are_from)
{
    run_blocked(datagrams);
}
