/*
 * floor_net.c - the servers that are no runtime: one loop over one epoll set, or over accept.
 *
 * SPDX-License-Identifier: MIT
 *
 * A connection is watched once and for all, edge-triggered.  A message that fills less than the
 * buffer was the last, so nothing is read twice, and the answer is sent at once, from the one
 * buffer that all share: two system calls a message, and a third for all that are ready.
 */
#include "floor_net.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>

#include "peer_net.h"

enum { EVENTS_MAX = 512, MESSAGE_MAX = 4096 };

static void answer(int fd)
{
    static char bytes[MESSAGE_MAX];
    ssize_t n;
    do {
        n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (n > 0 && send(fd, bytes, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL) != n)
            peer_fail("send"); /* a client that waits for its answers leaves room for them */
    } while (n == sizeof bytes);
    if (n == 0 || (n < 0 && errno != EAGAIN))
        close(fd);
}

static void watch(int poller, int fd)
{
    struct epoll_event in = {.events = EPOLLIN | EPOLLET, .data.fd = fd};
    peer_must(epoll_ctl(poller, EPOLL_CTL_ADD, fd, &in), "epoll_ctl");
}

static void accept_all(int poller, int listener)
{
    for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0;) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        watch(poller, fd);
    }
    if (errno != EAGAIN)
        peer_fail("accept");
}

void floor_echo(peer_args a)
{
    (void)a;
    struct epoll_event events[EVENTS_MAX];
    int listener = peer_listen(SOCK_NONBLOCK), poller = epoll_create1(EPOLL_CLOEXEC);
    watch(poller, listener);
    for (;;) {
        int n = epoll_wait(poller, events, EVENTS_MAX, -1);
        for (int i = 0; i < n; i++)
            if (events[i].data.fd == listener)
                accept_all(poller, listener);
            else
                answer(events[i].data.fd);
    }
}

void floor_accept(peer_args a)
{
    (void)a;
    int listener = peer_listen(0);
    for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0;)
        close(fd);
    peer_fail("accept");
}
