/*
 * pass.c - a descriptor goes over a Unix socket, once, and none is lost or left open.
 *
 * SPDX-License-Identifier: MIT
 */
#include "backends.h"

static int ends[2];

static int passes(void *arg)
{
    (void)arg;
    int inner[2];
    char got;
    make_pair(ends);
    make_pair(inner);
    CHECK_EQ(urd_unix_send_fd(ends[0], inner[0]), 0);
    CHECK_EQ(urd_close(inner[0]), 0); /* it is under way, and stays open */
    int fd = urd_unix_recv_fd(ends[1]);
    CHECK_GE(fd, 0);
    CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    CHECK_EQ(urd_write(fd, "x", 1), 1);
    CHECK_EQ(urd_read(inner[1], &got, 1), 1);
    CHECK_EQ(got, 'x');
    CHECK_EQ(urd_close(fd), 0);
    CHECK_EQ(urd_read(inner[1], &got, 1), 0); /* nobody else has it */
    CHECK_EQ(urd_close(inner[1]), 0);
    close_pair(ends);
    return 0;
}

TEST(a_descriptor_goes_over_and_the_other_end_has_it_alone)
{
    run_io(2, passes);
    CHECK_EQ(passes(NULL), 0); /* without a runtime */
}

static int waits_for_one(void *arg)
{
    (void)arg;
    int fd = urd_unix_recv_fd(ends[1]);
    CHECK_GE(fd, 0);
    return urd_close(fd);
}

static int sends_later(void *arg)
{
    (void)arg;
    CHECK_EQ(urd_yield(), 0);
    return urd_unix_send_fd(ends[0], ends[0]);
}

static int both_wait(void *arg)
{
    (void)arg;
    make_pair(ends);
    as_both(waits_for_one, NULL, sends_later, NULL);
    close_pair(ends);
    return 0;
}

TEST(who_waits_for_one_holds_up_nobody)
{
    run_io(2, both_wait);
}

/* Beside one byte, n descriptors. */
static void send_many(int n)
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(4 * sizeof(int))];
    } control = {.head = {.cmsg_len = CMSG_LEN((size_t)n * sizeof(int)),
                          .cmsg_level = SOL_SOCKET,
                          .cmsg_type = SCM_RIGHTS}};
    char byte = 0;
    struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    for (int i = 0; i < n; i++)
        memcpy(CMSG_DATA(&control.head) + (size_t)i * sizeof(int), &ends[0], sizeof(int));
    if (n > 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE((size_t)n * sizeof(int));
    }
    CHECK_EQ(urd_sendmsg(ends[0], &message, 0), 1);
}

static int next_number(void)
{
    int fd = fcntl(0, F_DUPFD, 0);
    CHECK_GE(fd, 0);
    close(fd);
    return fd;
}

static int wrong_ones(void *arg)
{
    (void)arg;
    make_pair(ends);
    int free_before = next_number();
    send_many(0);
    CHECK_EQ(urd_unix_recv_fd(ends[1]), -EBADMSG);
    if (!test_under_emulator()) { /* which takes all, and shows one */
        send_many(3);
        CHECK_EQ(urd_unix_recv_fd(ends[1]), -EBADMSG);
    }
    CHECK_EQ(next_number(), free_before); /* what came with it is closed */
    CHECK_EQ(urd_unix_send_fd(ends[0], -1), -EBADF);
    CHECK_EQ(urd_unix_send_fd(-1, ends[0]), -EBADF);
    CHECK_EQ(urd_unix_recv_fd(-1), -EBADF);
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_cancel(&s, -EPERM);
    CHECK_EQ(urd_unix_recv_fd(ends[1]), -ECANCELED);
    CHECK_EQ(urd_scope_join(&s), -EPERM);
    CHECK_EQ(urd_close(ends[0]), 0);
    CHECK_EQ(urd_unix_recv_fd(ends[1]), -ENODATA);
    CHECK_EQ(urd_unix_send_fd(ends[1], ends[1]), -EPIPE); /* and no signal */
    CHECK_EQ(urd_close(ends[1]), 0);
    return 0;
}

TEST(what_is_not_one_descriptor_is_an_error_and_is_closed)
{
    run_io(1, wrong_ones);
}
