/*
 * io.c - the calls: what they return, what they leave done, and that they wait.
 *
 * SPDX-License-Identifier: MIT
 */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "backends.h"

static int ends[2];

/* ---- Reading and writing --------------------------------------------------------------------- */

static int read_one_letter(void *arg)
{
    char got[8];
    CHECK_EQ(urd_read(*(const int *)arg, got, sizeof got), 1);
    CHECK_EQ(got[0], 'x');
    return 0;
}

static int write_late(void *arg)
{
    CHECK_EQ(urd_sleep(URD_SECOND), 0);
    CHECK_EQ(urd_write(*(const int *)arg, "x", 1), 1);
    return 0;
}

static int wait_for_letter(void *arg)
{
    (void)arg;
    urd_time start = urd_now();
    make_pair(ends);
    int flags = fcntl(ends[0], F_GETFL);
    as_both(read_one_letter, &ends[0], write_late, &ends[1]);
    CHECK_EQ(urd_now(), start + 2 * URD_SECOND);
    CHECK_EQ(fcntl(ends[0], F_GETFL), flags); /* not put into another mode */
    close_pair(ends);
    return 0;
}

TEST(a_read_waits_until_something_is_there)
{
    run_io(20, wait_for_letter);
}

static int try_both(void *arg)
{
    (void)arg;
    char got[8] = "";
    ssize_t n;
    make_pair(ends);
    CHECK_EQ(urd_tryread(ends[0], got, sizeof got), -EAGAIN);
    CHECK_EQ(urd_trywrite(ends[1], "hello", 5), 5);
    CHECK_EQ(urd_tryread(ends[0], got, sizeof got), 5);
    CHECK_STR(got, "hello");
    while ((n = urd_trywrite(ends[1], got, sizeof got)) > 0)
        ;
    CHECK_EQ(n, -EAGAIN);
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_cancel(&s, 0);
    CHECK_EQ(urd_tryread(ends[0], got, sizeof got), sizeof got); /* no cancel point */
    CHECK_EQ(urd_scope_join(&s), -ECANCELED);
    CHECK_EQ(urd_close(ends[0]), 0);
    CHECK_EQ(urd_trywrite(ends[1], "x", 1), -EPIPE);
    CHECK_EQ(urd_tryread(-1, got, 1), -EBADF);
    CHECK_EQ(urd_close(ends[1]), 0);
    return 0;
}

TEST(a_try_does_not_wait_and_is_no_cancel_point)
{
    run_io(1, try_both);
}

static int see_the_end(void *arg)
{
    char got[8];
    CHECK_EQ(urd_read(*(const int *)arg, got, sizeof got), 0);
    CHECK_EQ(urd_write(*(const int *)arg, "x", 1), -EPIPE);
    return 0;
}

static int at_the_end(void *arg)
{
    (void)arg;
    int both[2];
    make_pair(ends);
    CHECK_EQ(urd_close(ends[1]), 0);
    as_both(see_the_end, &ends[0], NULL, NULL);
    CHECK_EQ(urd_close(ends[0]), 0);
    CHECK_EQ(pipe(both), 0);
    CHECK_EQ(urd_close(both[0]), 0);
    CHECK_EQ(urd_write(both[1], "x", 1), -EPIPE); /* and no signal, which would end the program */
    CHECK_EQ(urd_close(both[1]), 0);
    return 0;
}

TEST(a_read_at_the_end_is_0_and_a_write_to_nobody_EPIPE)
{
    run_io(1, at_the_end);
}

enum { MANY = 300000 };
static unsigned char sent[MANY], received[MANY];

static int send_many(void *arg)
{
    CHECK_EQ(urd_write_all(*(const int *)arg, sent, MANY), MANY);
    CHECK_EQ(urd_close(*(const int *)arg), 0);
    return 0;
}

static int receive_many(void *arg)
{
    memset(received, 0, MANY);
    CHECK_EQ(urd_read_all(*(const int *)arg, received, MANY), MANY);
    CHECK_EQ(memcmp(sent, received, MANY), 0);
    CHECK_EQ(urd_read_all(*(const int *)arg, received, MANY), 0);
    CHECK_EQ(urd_close(*(const int *)arg), 0);
    return 0;
}

static int all_arrives(void *arg)
{
    (void)arg;
    for (int i = 0; i < MANY; i++)
        sent[i] = (unsigned char)(i * 7 + i / 256);
    for (int sort = 0; sort < 3; sort++) {
        for (int kind = URD_TASK; kind <= URD_THREAD; kind++) {
            if (sort == 0)
                make_pair(ends);
            else if (sort == 1)
                CHECK_EQ(pipe(ends), 0);
            else
                make_connection(ends);
            urd_scope s;
            urd_scope_open(&s);
            urd_spawn(&s, (urd_kind)kind, receive_many, &ends[0], 0);
            urd_spawn(&s, (urd_kind)(1 - kind), send_many, &ends[1], 0);
            CHECK_EQ(urd_scope_join(&s), 0);
        }
    }
    return 0;
}

TEST(more_than_fits_arrives_whole_through_pairs_pipes_and_connections)
{
    run_io(2, all_arrives);
}

static int send_three(void *arg)
{
    CHECK_EQ(urd_write(*(const int *)arg, "ab", 2), 2);
    CHECK_EQ(urd_sleep(URD_SECOND), 0);
    CHECK_EQ(urd_write(*(const int *)arg, "c", 1), 1);
    CHECK_EQ(urd_shutdown(*(const int *)arg, SHUT_WR), 0);
    return 0;
}

static int receive_exactly(void *arg)
{
    char got[4] = "";
    CHECK_EQ(urd_read_exact(*(const int *)arg, got, 0), 0);
    CHECK_EQ(urd_read_exact(*(const int *)arg, got, 3), 3);
    CHECK_STR(got, "abc");
    CHECK_EQ(urd_read_exact(*(const int *)arg, got, 3), 0);
    return 0;
}

static int receive_too_much(void *arg)
{
    char got[5] = "";
    CHECK_EQ(urd_read_exact(*(const int *)arg, got, 4), -ENODATA);
    CHECK_STR(got, "abc");
    return 0;
}

static int exactly(void *arg)
{
    (void)arg;
    urd_fn *const readers[] = {receive_exactly, receive_too_much};
    for (int i = 0; i < 4; i++) {
        make_pair(ends);
        urd_scope s;
        urd_scope_open(&s);
        CHECK_EQ(urd_spawn(&s, i / 2 ? URD_TASK : URD_THREAD, readers[i % 2], &ends[0], 0), 0);
        CHECK_EQ(urd_go(&s, send_three, &ends[1]), 0);
        CHECK_EQ(urd_scope_join(&s), 0);
        close_pair(ends);
    }
    return 0;
}

TEST(read_exact_tells_an_end_before_from_an_end_in_between)
{
    run_io(5, exactly);
}

/* ---- From one to another --------------------------------------------------------------------- */

static int through[2]; /* a pipe */

static int splice_through(void *arg)
{
    (void)arg;
    for (ssize_t n; (n = urd_splice(ends[0], through[1], MANY, 0)) != 0;)
        CHECK_GT(n, 0);
    CHECK_EQ(urd_close(through[1]), 0);
    CHECK_EQ(urd_close(ends[0]), 0);
    return 0;
}

static int send_file(void *arg)
{
    int file = memfd_create("file", MFD_CLOEXEC);
    CHECK_EQ(urd_write_all(file, sent, MANY), MANY);
    off_t at = 0;
    while (at < MANY)
        CHECK_GT(urd_sendfile(*(const int *)arg, file, &at, MANY), 0);
    CHECK_EQ(urd_sendfile(*(const int *)arg, file, &at, MANY), 0);
    CHECK_EQ(urd_close(file), 0);
    CHECK_EQ(urd_close(*(const int *)arg), 0);
    return 0;
}

static int relayed(void *arg)
{
    (void)arg;
    for (int i = 0; i < MANY; i++)
        sent[i] = (unsigned char)(i * 5 + i / 256);
    for (int kind = URD_TASK; kind <= URD_THREAD; kind++) {
        make_connection(ends);
        CHECK_EQ(pipe(through), 0);
        urd_scope s;
        urd_scope_open(&s);
        CHECK_EQ(urd_spawn(&s, (urd_kind)kind, splice_through, NULL, 0), 0);
        CHECK_EQ(urd_spawn(&s, (urd_kind)kind, send_file, &ends[1], 0), 0);
        CHECK_EQ(urd_go(&s, receive_many, &through[0]), 0);
        CHECK_EQ(urd_scope_join(&s), 0);
    }
    return 0;
}

TEST(sendfile_and_splice_wait_for_either_end_and_lose_nothing)
{
    run_io(2, relayed);
}

static int relayed_in_vain(void *arg)
{
    (void)arg;
    make_pair(ends);
    CHECK_EQ(pipe(through), 0);
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_deadline(&s, urd_now() + URD_SECOND);
    CHECK_EQ(urd_splice(ends[0], through[1], 8, 0), -ECANCELED);
    CHECK_EQ(urd_splice(ends[0], through[1], 8, 0), -ECANCELED);
    CHECK_EQ(urd_scope_join(&s), -ETIMEDOUT);
    CHECK_EQ(urd_splice(-1, through[1], 8, 0), -EBADF);
    CHECK_EQ(urd_splice(ends[0], ends[1], 8, 0), -EINVAL); /* no pipe */
    int file = memfd_create("file", MFD_CLOEXEC);
    CHECK_EQ(urd_write(file, "x", 1), 1);
    CHECK_EQ(urd_close(ends[0]), 0);
    off_t at = 0;
    CHECK_EQ(urd_sendfile(ends[1], file, &at, 1), -EPIPE); /* and no signal */
    CHECK_EQ(urd_close(file), 0);
    CHECK_EQ(urd_close(ends[1]), 0);
    close_pair(through);
    return 0;
}

TEST(a_splice_that_is_cancelled_or_wrong_moves_nothing)
{
    run_io(2, relayed_in_vain);
}

static int in_parts(void *arg)
{
    (void)arg;
    char a[3], b[8], letters[] = "abcde";
    struct iovec out[] = {{letters, 2}, {NULL, 0}, {letters + 2, 3}},
                 in[] = {{a, sizeof a}, {b, sizeof b}};
    make_pair(ends);
    CHECK_EQ(urd_writev(ends[0], out, 3), 5);
    CHECK_EQ(urd_readv(ends[1], in, 2), 5);
    CHECK_EQ(memcmp(a, "abc", 3), 0);
    CHECK_EQ(memcmp(b, "de", 2), 0);
    CHECK_EQ(urd_readv(ends[1], in, 0), -EINVAL);
    CHECK_EQ(urd_writev(ends[1], out, -1), -EINVAL);
    close_pair(ends);
    return 0;
}

TEST(vectors_are_filled_in_order)
{
    run_io(1, in_parts);
}

static int file(void *arg)
{
    (void)arg;
    char got[8] = "";
    int fd = memfd_create("file", MFD_CLOEXEC);
    CHECK_EQ(urd_write(fd, "hello", 5), 5);
    CHECK_EQ(urd_pwrite(fd, "J", 1, 0), 1);
    CHECK_EQ(urd_pread(fd, got, 3, 2), 3);
    CHECK_STR(got, "llo");
    CHECK_EQ(urd_read(fd, got, sizeof got), 0);
    CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
    CHECK_EQ(urd_read_all(fd, got, sizeof got), 5);
    CHECK_STR(got, "Jello");
    CHECK_GT(urd_wait_fd(fd, POLLIN), 0);
    CHECK_EQ(urd_close(fd), 0);
    return 0;
}

TEST(files_are_read_and_written_at_once)
{
    run_io(1, file);
}

static int wrong(void *arg)
{
    (void)arg;
    char got[8] = "";
    CHECK_EQ(urd_read(-1, got, sizeof got), -EBADF);
    CHECK_EQ(urd_write(-1, got, sizeof got), -EBADF);
    CHECK_EQ(urd_read_all(-1, got, sizeof got), -EBADF);
    CHECK_EQ(urd_write_all(-1, got, sizeof got), -EBADF);
    CHECK_EQ(urd_recv(-1, got, sizeof got, 0), -EBADF);
    CHECK_EQ(urd_accept(-1, NULL, NULL), -EBADF);
    CHECK_EQ(urd_wait_fd(-1, POLLIN), -EBADF);
    CHECK_EQ(urd_wait_fd(99999999, POLLIN), -EBADF);
    CHECK_EQ(urd_shutdown(-1, SHUT_WR), -EBADF);
    CHECK_EQ(urd_close(-1), -EBADF);
    CHECK_EQ(urd_pread(-1, got, 1, 0), -EBADF);
    make_pair(ends);
    CHECK_EQ(urd_pread(ends[0], got, 1, 0), -ESPIPE);
    CHECK_EQ(urd_accept(ends[0], NULL, NULL), -EINVAL);
    close_pair(ends);
    CHECK_EQ(urd_read(ends[0], got, sizeof got), -EBADF);
    return 0;
}

TEST(errors_come_from_the_kernel_as_they_are)
{
    run_io(1, wrong);
}

/* ---- Cancelling ------------------------------------------------------------------------------ */

static int read_in_vain(void *arg)
{
    char got[8];
    CHECK_EQ(urd_read(*(const int *)arg, got, sizeof got), -ECANCELED);
    CHECK_EQ(urd_read(*(const int *)arg, got, sizeof got), -ECANCELED); /* and every later one */
    return -ECANCELED;
}

static int too_late(void *arg)
{
    (void)arg;
    make_pair(ends);
    for (int kind = URD_TASK; kind <= URD_THREAD; kind++) {
        urd_time start = urd_now();
        urd_scope s;
        urd_scope_open(&s);
        urd_scope_deadline(&s, start + URD_SECOND);
        CHECK_EQ(urd_spawn(&s, (urd_kind)kind, read_in_vain, &ends[0], 0), 0);
        CHECK_EQ(urd_scope_join(&s), -ETIMEDOUT);
        CHECK_EQ(urd_now(), start + URD_SECOND);
    }
    char got[8];
    CHECK_EQ(urd_write(ends[1], "x", 1), 1); /* both ends are as they were */
    CHECK_EQ(urd_read(ends[0], got, sizeof got), 1);
    close_pair(ends);
    return 0;
}

TEST(a_deadline_ends_a_read_and_nothing_is_lost)
{
    run_io(20, too_late);
}

static int cancelled_before(void *arg)
{
    (void)arg;
    char got[8] = "";
    make_pair(ends);
    CHECK_EQ(urd_write(ends[1], "x", 1), 1);
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_cancel(&s, 0);
    CHECK_EQ(urd_read(ends[0], got, sizeof got), -ECANCELED);
    CHECK_EQ(urd_write(ends[0], got, sizeof got), -ECANCELED);
    CHECK_EQ(urd_wait_fd(ends[0], POLLIN), -ECANCELED);
    CHECK_EQ(urd_accept(ends[0], NULL, NULL), -ECANCELED);
    CHECK_EQ(urd_connect(ends[0], NULL, 0), -ECANCELED);
    CHECK_EQ(urd_scope_join(&s), -ECANCELED);
    CHECK_EQ(urd_read(ends[0], got, sizeof got), 1);
    close_pair(ends);
    return 0;
}

TEST(in_a_cancelled_scope_a_call_does_nothing)
{
    run_io(1, cancelled_before);
}

/* ---- Sockets --------------------------------------------------------------------------------- */

static int listener;
static struct sockaddr_in address;

static int accept_one(void *arg)
{
    (void)arg;
    struct sockaddr_in from;
    socklen_t size = sizeof from;
    int fd = urd_accept(listener, (struct sockaddr *)&from, &size);
    CHECK_GE(fd, 0);
    CHECK_EQ(size, sizeof from);
    CHECK_EQ(from.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
    CHECK(fcntl(fd, F_GETFL) & O_NONBLOCK);
    CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    char got[8];
    CHECK_EQ(urd_recv(fd, got, sizeof got, 0), 2);
    CHECK_EQ(urd_send(fd, got, 2, 0), 2);
    CHECK_EQ(urd_recv(fd, got, sizeof got, 0), 0);
    CHECK_EQ(urd_close(fd), 0);
    return 0;
}

static int ask(void *arg)
{
    (void)arg;
    char got[8];
    CHECK_EQ(urd_sleep(URD_MS), 0);
    int fd = connect_to(&address);
    CHECK(!(fcntl(fd, F_GETFL) & O_NONBLOCK)); /* as it was */
    CHECK_EQ(urd_send(fd, "ab", 2, 0), 2);
    CHECK_EQ(urd_recv(fd, got, sizeof got, 0), 2);
    CHECK_EQ(urd_shutdown(fd, SHUT_WR), 0);
    CHECK_EQ(urd_recv(fd, got, sizeof got, 0), 0);
    CHECK_EQ(urd_close(fd), 0);
    return 0;
}

static int connections(void *arg)
{
    (void)arg;
    listener = listen_somewhere(&address);
    as_both(accept_one, NULL, ask, NULL);
    as_both(ask, NULL, accept_one, NULL);
    CHECK_EQ(urd_close(listener), 0);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_EQ(urd_connect(fd, (struct sockaddr *)&address, sizeof address), -ECONNREFUSED);
    CHECK_EQ(urd_close(fd), 0);
    return 0;
}

TEST(a_connection_is_accepted_used_and_closed_at_both_ends)
{
    run_io(5, connections);
}

static struct sockaddr_un local;
static socklen_t local_size;

static int connect_locally(void *arg)
{
    (void)arg;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_EQ(urd_connect(fd, (struct sockaddr *)&local, local_size), 0);
    CHECK_EQ(urd_close(fd), 0);
    return 0;
}

/* The kernel refuses instead of letting them wait: -EAGAIN, with nothing to wait for. */
static int crowded(void *arg)
{
    (void)arg;
    local = (struct sockaddr_un){.sun_family = AF_UNIX};
    local_size = sizeof local;
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_EQ(bind(listener, (struct sockaddr *)&local, sizeof(sa_family_t)), 0); /* any free name */
    CHECK_EQ(listen(listener, 0), 0);
    CHECK_EQ(getsockname(listener, (struct sockaddr *)&local, &local_size), 0);
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < 5; i++)
        CHECK_EQ(urd_go(&s, connect_locally, NULL), 0);
    for (int i = 0; i < 5; i++) {
        CHECK_EQ(urd_sleep(10 * URD_MS), 0);
        int fd = urd_accept(listener, NULL, NULL);
        CHECK_GE(fd, 0);
        CHECK_EQ(urd_close(fd), 0);
    }
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(urd_close(listener), 0);
    return 0;
}

TEST(connects_to_a_crowded_local_socket_wait_their_turn)
{
    run_io(2, crowded);
}

static int messages(void *arg)
{
    (void)arg;
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {.header = {.cmsg_len = CMSG_LEN(sizeof(int)),
                            .cmsg_level = SOL_SOCKET,
                            .cmsg_type = SCM_RIGHTS}};
    char got[8], letter = 'x';
    struct iovec out = {&letter, 1}, in = {got, sizeof got};
    struct msghdr message = {.msg_iov = &out,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    int inner[2], passed;
    make_pair(ends);
    make_pair(inner);
    memcpy(CMSG_DATA(&control.header), &inner[0], sizeof inner[0]);
    CHECK_EQ(urd_sendmsg(ends[0], &message, 0), 1);
    message.msg_iov = &in;
    CHECK_EQ(urd_recvmsg(ends[1], &message, MSG_CMSG_CLOEXEC), 1);
    memcpy(&passed, CMSG_DATA(&control.header), sizeof passed);
    CHECK_EQ(urd_write(passed, "y", 1), 1);
    CHECK_EQ(urd_read(inner[1], got, sizeof got), 1);
    CHECK_EQ(urd_recv(ends[1], got, sizeof got, MSG_DONTWAIT), -EAGAIN);
    CHECK_EQ(urd_recvmsg(ends[1], &message, MSG_DONTWAIT), -EAGAIN);
    CHECK_EQ(urd_close(passed), 0);
    close_pair(inner);
    close_pair(ends);
    return 0;
}

TEST(messages_carry_descriptors_and_DONTWAIT_does_not_wait)
{
    run_io(1, messages);
}

static int datagrams(void *arg)
{
    (void)arg;
    struct sockaddr_in at[2], from;
    socklen_t size = sizeof *at;
    char got[8] = "";
    for (int i = 0; i < 2; i++) {
        at[i] =
            (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        ends[i] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        CHECK_EQ(bind(ends[i], (struct sockaddr *)&at[i], size), 0);
        CHECK_EQ(getsockname(ends[i], (struct sockaddr *)&at[i], &size), 0);
    }
    CHECK_EQ(urd_recvfrom(ends[0], got, sizeof got, MSG_DONTWAIT, NULL, NULL), -EAGAIN);
    CHECK_EQ(urd_sendto(ends[1], "one", 3, 0, (struct sockaddr *)&at[0], size), 3);
    size = sizeof from;
    CHECK_EQ(urd_recvfrom(ends[0], got, sizeof got, 0, (struct sockaddr *)&from, &size), 3);
    CHECK_STR(got, "one");
    CHECK_EQ(size, sizeof from);
    CHECK_EQ(from.sin_port, at[1].sin_port);
    CHECK_EQ(urd_sendto(ends[0], "two", 3, 0, (struct sockaddr *)&from, size), 3);
    CHECK_EQ(urd_recvfrom(ends[1], got, sizeof got, 0, NULL, NULL), 3);
    CHECK_STR(got, "two");
    close_pair(ends);
    return 0;
}

TEST(datagrams_say_who_sent_them)
{
    run_io(1, datagrams);
}

/* ---- Readiness ------------------------------------------------------------------------------- */

static int wait_readable(void *arg)
{
    CHECK_EQ(urd_wait_fd(*(const int *)arg, POLLOUT), POLLOUT);
    CHECK_EQ(urd_wait_fd(*(const int *)arg, POLLIN), POLLIN);
    char got[8];
    CHECK_EQ(urd_read(*(const int *)arg, got, sizeof got), 1);
    return 0;
}

static int readiness(void *arg)
{
    (void)arg;
    make_pair(ends);
    as_both(wait_readable, &ends[0], write_late, &ends[1]);
    CHECK_EQ(urd_close(ends[1]), 0);
    CHECK(urd_wait_fd(ends[0], POLLIN) & POLLHUP);
    CHECK_EQ(urd_close(ends[0]), 0);
    return 0;
}

TEST(wait_fd_says_what_holds)
{
    run_io(5, readiness);
}

static bool stop; /* atomic */

static int read_for_ever(void *arg)
{
    char got[8];
    while (!urd__load_acq(&stop))
        CHECK_EQ(urd_read(*(const int *)arg, got, sizeof got), sizeof got);
    return 0;
}

static int ends_it(void *arg)
{
    (void)arg;
    urd__store_rel(&stop, true);
    return 0;
}

static int always_ready(void *arg)
{
    (void)arg;
    int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    urd__store_rel(&stop, false);
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, ends_it, NULL); /* begun last: jobs are taken newest first */
    urd_go(&s, read_for_ever, &zero);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(urd_close(zero), 0);
    return 0;
}

TEST(a_descriptor_that_is_always_ready_starves_nobody)
{
    run_io(2, always_ready);
}

/* ---- Elsewhere ------------------------------------------------------------------------------- */

static void *write_soon(void *arg)
{
    CHECK_EQ(poll(NULL, 0, 5), 0);
    CHECK_EQ(write(*(const int *)arg, "x", 1), 1);
    return NULL;
}

TEST(without_a_runtime_the_thread_waits_in_the_kernel)
{
    pthread_t thread;
    make_pair(ends);
    CHECK_EQ(pthread_create(&thread, NULL, write_soon, &ends[1]), 0);
    CHECK_EQ(read_one_letter(&ends[0]), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    close_pair(ends);
}

static void talk_in_child(void)
{
    int pair[2], status;
    make_pair(pair);
    pid_t pid = fork();
    if (pid == 0) {
        write_soon(&pair[1]);
        _exit(0);
    }
    CHECK_EQ(read_one_letter(&pair[0]), 0);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    close_pair(pair);
    CHECK_EQ(urd_close(ends[0]), 0); /* which the parent waits for */
}

static int in_a_fork(void *arg)
{
    (void)arg;
    make_pair(ends);
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, read_one_letter, &ends[0]);
    CHECK_EQ(urd_sleep(1), 0); /* it waits; and so in the child's memory */
    struct test_child child;
    test_fork(&child, talk_in_child);
    CHECK_STR(child.err, "");
    CHECK_EQ(child.code, 0);
    CHECK_EQ(urd_write(ends[1], "x", 1), 1);
    CHECK_EQ(urd_scope_join(&s), 0);
    close_pair(ends);
    return 0;
}

TEST(a_forked_child_waits_as_a_plain_thread)
{
    run_io(1, in_a_fork);
}

static int use_pair(void *arg)
{
    const int *pair = arg;
    char got[8];
    CHECK_EQ(urd_read(pair[0], got, sizeof got), 1);
    CHECK_EQ(urd_write(pair[0], "y", 1), 1);
    return 0;
}

static int in_a_process(void *arg)
{
    const int *pair = arg;
    int given[] = {pair[0], pair[1]}; /* which comes back as the process ends */
    char got[8];
    urd_scope s;
    urd_scope_open(&s);
    CHECK_EQ(urd_spawn(&s, URD_PROCESS, use_pair, given, sizeof given), 0);
    CHECK_EQ(urd_write(pair[1], "x", 1), 1);
    CHECK_EQ(urd_read(pair[1], got, sizeof got), 1);
    CHECK_EQ(urd_scope_join(&s), 0);
    return 0;
}

TEST(a_process_job_waits_for_IO_of_its_own)
{
    static const urd_io backends[] = {URD_IO_EPOLL, URD_IO_URING};
    for (int i = 0; i < 2; i++) {
        if (!urd__poller_backend(backends[i]))
            continue;
        make_pair(ends);
        urd_config config = {.workers = 1, .io = backends[i]};
        test_run_with(&config, in_a_process, ends);
        close_pair(ends);
    }
}
