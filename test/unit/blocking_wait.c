/*
 * blocking_wait.c - poll, select, epoll, the sleeps and getaddrinfo, called by tasks.
 *
 * SPDX-License-Identifier: MIT
 */
#include "blocked.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/select.h>

enum { PAIRS = 30 };

static int fds[PAIRS][2];

static void open_pairs(void)
{
    for (int i = 0; i < PAIRS; i++)
        socket_pair(fds[i]);
}

static void close_pairs(void)
{
    for (int i = 0; i < PAIRS; i++) {
        close(fds[i][0]);
        close(fds[i][1]);
    }
}

static int write_later(void *which)
{
    CHECK_EQ(usleep(5000), 0);
    CHECK_EQ(write(fds[(intptr_t)which][1], "x", 1), 1);
    return 0;
}

static void beside_a_write(urd_scope *s, intptr_t which)
{
    urd_scope_open(s);
    CHECK_EQ(urd_go(s, write_later, (void *)which), 0); // NOLINT
}

/* ---- poll ------------------------------------------------------------------------------------ */

static int polls(void *arg)
{
    (void)arg;
    struct pollfd list[PAIRS + 1];
    static const int counts[] = {1, 10, PAIRS};
    open_pairs();
    for (int i = 0; i < PAIRS; i++)
        list[i] = (struct pollfd){.fd = fds[i][0], .events = POLLIN};
    list[PAIRS] = (struct pollfd){.fd = -1, .events = POLLIN, .revents = 7};
    for (int i = 0; i < 3; i++) {
        urd_scope s;
        char x;
        int last = counts[i] - 1;
        urd_time before = urd_now();
        CHECK_EQ(poll(list, (nfds_t)counts[i], 20), 0);
        CHECK_EQ(urd_now() - before, 20 * URD_MS);
        beside_a_write(&s, last);
        CHECK_EQ(poll(list, (nfds_t)counts[i], -1), 1);
        CHECK_EQ(urd_now() - before, 25 * URD_MS);
        CHECK_EQ(list[last].revents, POLLIN);
        CHECK_EQ(urd_scope_join(&s), 0);
        beside_a_write(&s, last);
        CHECK_EQ(ppoll(&list[last], 2, &(struct timespec){9, 0}, NULL), 1);
        CHECK_EQ(read(fds[last][0], &x, 1), 1);
        CHECK_EQ(urd_scope_join(&s), 0);
        CHECK_EQ(read(fds[last][0], &x, 1), 1);
    }
    list[0].events = 0; /* errors alone */
    close(fds[0][1]);
    CHECK_EQ(poll(list, 1, -1), 1);
    CHECK_EQ(list[0].revents, POLLHUP);
    fds[0][1] = dup(fds[0][0]);
    CHECK_EQ(poll(NULL, 0, 10), 0); /* a sleep */
    list[0].fd = 999;
    CHECK_EQ(poll(list, 1, -1), 1);
    CHECK_EQ(list[0].revents, POLLNVAL);
    close_pairs();
    return 0;
}

TEST(poll_waits_for_any_number_of_descriptors)
{
    run_blocked(polls);
}

static int hang_up(void *unused)
{
    (void)unused;
    CHECK_EQ(usleep(5000), 0);
    CHECK_EQ(shutdown(fds[0][1], SHUT_RDWR), 0);
    return 0;
}

static int polls_for_errors(void *arg)
{
    (void)arg;
    struct pollfd one = {.events = 0};
    urd_scope s;
    open_pairs();
    one.fd = fds[0][0];
    urd_scope_open(&s);
    CHECK_EQ(urd_go(&s, hang_up, NULL), 0);
    CHECK_EQ(poll(&one, 1, -1), 1);
    CHECK_EQ(one.revents, POLLHUP);
    CHECK_EQ(urd_scope_join(&s), 0);
    close_pairs();
    return 0;
}

TEST(poll_without_events_waits_for_errors)
{
    run_blocked(polls_for_errors);
}

/* ---- select and epoll ------------------------------------------------------------------------ */

static int selects(void *arg)
{
    (void)arg;
    fd_set in, out;
    urd_scope s;
    char x;
    open_pairs();
    int top = fds[PAIRS - 1][1] + 1;
    struct timeval time = {.tv_sec = 1};
    FD_ZERO(&in);
    FD_ZERO(&out);
    for (int i = 0; i < PAIRS; i++)
        FD_SET(fds[i][0], &in);
    urd_time before = urd_now();
    CHECK_EQ(select(top, &in, NULL, NULL, &time), 0);
    CHECK_EQ(urd_now() - before, URD_SECOND);
    CHECK(!FD_ISSET(fds[3][0], &in) && time.tv_sec == 0 && time.tv_usec == 0);
    for (int i = 0; i < PAIRS; i++)
        FD_SET(fds[i][0], &in);
    time.tv_sec = 1;
    beside_a_write(&s, 3);
    CHECK_EQ(select(top, &in, NULL, NULL, &time), 1);
    CHECK(FD_ISSET(fds[3][0], &in) && !FD_ISSET(fds[4][0], &in));
    CHECK_EQ(time.tv_usec, 995000);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(read(fds[3][0], &x, 1), 1);
    FD_SET(fds[5][1], &out);
    CHECK_EQ(select(top, NULL, &out, NULL, NULL), 1);
    CHECK_EQ(select(top, NULL, NULL, NULL, &(struct timeval){0, 5}), 0);
    struct timespec second = {.tv_sec = 1};
    before = urd_now();
    CHECK_EQ(pselect(top, &in, NULL, NULL, &second, NULL), 0);
    CHECK_EQ(urd_now() - before, URD_SECOND);
    CHECK_EQ(second.tv_sec, 1); /* is not written to */
    CHECK_EQ(pselect(top, NULL, &out, NULL, NULL, NULL), 1);
    CHECK_EQ(pselect(0, NULL, NULL, NULL, &(struct timespec){0, -1}, NULL), -1);
    CHECK_EQ(errno, EINVAL);
    close(fds[7][0]);
    FD_ZERO(&in);
    FD_SET(fds[7][0], &in);
    CHECK_EQ(select(top, &in, NULL, NULL, NULL), -1);
    CHECK_EQ(errno, EBADF);
    fds[7][0] = dup(0);
    close_pairs();
    return 0;
}

TEST(select_waits_and_says_how_much_time_was_left)
{
    run_blocked(selects);
}

static int waits_for_a_set(void *arg)
{
    (void)arg;
    urd_scope s;
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = 77};
    int set = epoll_create1(EPOLL_CLOEXEC);
    open_pairs();
    CHECK_EQ(epoll_ctl(set, EPOLL_CTL_ADD, fds[1][0], &event), 0);
    event.data.u32 = 0;
    CHECK_EQ(epoll_wait(set, &event, 1, 30), 0);
    beside_a_write(&s, 1);
    CHECK_EQ(epoll_wait(set, &event, 1, -1), 1);
    CHECK_EQ(event.data.u32, 77);
    CHECK_EQ(urd_scope_join(&s), 0);
    event.data.u32 = 0;
    CHECK_EQ(epoll_pwait(set, &event, 1, -1, NULL), 1);
    CHECK_EQ(event.data.u32, 77);
    close(set);
    close_pairs();
    return 0;
}

TEST(epoll_wait_waits)
{
    run_blocked(waits_for_a_set);
}

/* ---- Time ------------------------------------------------------------------------------------ */

static int sleeps(void *arg)
{
    (void)arg;
    struct timespec left = {0}, when;
    urd_time before = urd_now();
    CHECK_EQ(sleep(1), 0);
    CHECK_EQ(usleep(2), 0);
    CHECK_EQ(nanosleep(&(struct timespec){1, 3}, &left), 0);
    CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){0, 4}, NULL), 0);
    CHECK_EQ(urd_now() - before, 2 * URD_SECOND + 2 * URD_US + 3 + 4);
    CHECK_EQ(nanosleep(&(struct timespec){0, -1}, NULL), -1);
    CHECK_EQ(errno, EINVAL);
    CHECK_EQ(clock_nanosleep(CLOCK_REALTIME, 0, &(struct timespec){0, URD_SECOND}, NULL), EINVAL);
    CHECK_EQ(clock_gettime(CLOCK_REALTIME, &when), 0);
    CHECK_EQ(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &when, NULL), 0); /* over already */
    return 0;
}

TEST(sleeps_take_virtual_time)
{
    run_blocked(sleeps);
}

static int sleep_5(void *left)
{
    *(unsigned *)left = sleep(5);
    return (int)*(unsigned *)left;
}

static int nanosleep_5(void *left)
{
    return nanosleep(&(struct timespec){5, 0}, left) == -1 ? errno : 0;
}

static int poll_5(void *unused)
{
    (void)unused;
    return poll(NULL, 0, 5000) == -1 ? errno : 0;
}

static int select_5(void *unused)
{
    (void)unused;
    return select(0, NULL, NULL, NULL, &(struct timeval){5, 0}) == -1 ? errno : 0;
}

static int are_cut_short(void *arg)
{
    (void)arg;
    unsigned seconds = 0;
    struct timespec left = {0};
    CHECK_EQ(cancelled_after_1s(sleep_5, &seconds), 4);
    CHECK_EQ(cancelled_after_1s(nanosleep_5, &left), ECANCELED);
    CHECK_EQ(left.tv_sec, 4);
    CHECK_EQ(cancelled_after_1s(poll_5, NULL), ECANCELED);
    CHECK_EQ(cancelled_after_1s(select_5, NULL), ECANCELED);
    return 0;
}

TEST(a_cancel_cuts_them_short)
{
    run_blocked(are_cut_short);
}

/* ---- Names ----------------------------------------------------------------------------------- */

static int looks_up(void *arg)
{
    (void)arg;
    struct addrinfo *found = NULL, hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
    char host[64] = "", service[16] = "";
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    CHECK_EQ(getaddrinfo("localhost", "80", &hints, &found), 0);
    CHECK_EQ(found->ai_addrlen, sizeof at);
    CHECK_EQ(((struct sockaddr_in *)(void *)found->ai_addr)->sin_addr.s_addr, at.sin_addr.s_addr);
    freeaddrinfo(found);
    hints.ai_flags = AI_NUMERICHOST;
    CHECK_EQ(getaddrinfo("no digits", NULL, &hints, &found), EAI_NONAME);
    at.sin_port = htons(80);
    CHECK_EQ(getnameinfo((struct sockaddr *)&at, sizeof at, host, sizeof host, service,
                         sizeof service, NI_NUMERICSERV),
             0);
    CHECK_STR(service, "80");
    return 0;
}

static int cancelled_lookup(void *arg)
{
    struct addrinfo *found = NULL;
    urd_scope s;
    (void)arg;
    urd_scope_open(&s);
    urd_scope_cancel(&s, 0);
    CHECK_EQ(getaddrinfo("localhost", NULL, NULL, &found), EAI_SYSTEM);
    CHECK_EQ(errno, ECANCELED);
    CHECK_EQ(urd_scope_join(&s), -ECANCELED);
    return looks_up(arg);
}

TEST(names_are_looked_up_by_a_helper)
{
    test_run_workers(1, cancelled_lookup);
}
