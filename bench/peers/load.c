/*
 * load.c - the client of every echo server: so many connections, one message under way in each.
 *
 * SPDX-License-Identifier: MIT
 *
 *     load PORT PID               prints echo.cpu, echo.time and echo.p99
 *
 * A closed loop of 64 connections with 64 bytes each, from one thread that polls.  The processor
 * time is that of process PID, all threads, from the scheduler's own count in nanoseconds.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "peer.h"

enum { CONNECTIONS = 64, MESSAGE_BYTES = 64, WARM_MS = 400, RUN_MS = 1000, SAMPLES = 1 << 20 };

static struct {
    int fd, received;
    int64_t sent;
} client[CONNECTIONS];

static char message[MESSAGE_BYTES];
static int64_t samples[SAMPLES];
static long answered;

/* Nanoseconds that the threads of a process have run. */
static int64_t cpu_of(const char *pid)
{
    char path[300];
    snprintf(path, sizeof path, "/proc/%s/task", pid);
    DIR *threads = opendir(path);
    if (!threads)
        peer_fail("the server has ended");
    int64_t sum = 0;
    for (struct dirent *e; (e = readdir(threads));) {
        long long ran = 0;
        snprintf(path, sizeof path, "/proc/%s/task/%s/schedstat", pid, e->d_name);
        FILE *f = e->d_name[0] != '.' ? fopen(path, "r") : NULL;
        if (!f)
            continue;
        if (fscanf(f, "%lld", &ran) == 1)
            sum += ran;
        fclose(f);
    }
    closedir(threads);
    return sum;
}

static int dial(int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    peer_must(fd, "socket");
    peer_must(connect(fd, (struct sockaddr *)&to, sizeof to), "connect");
    peer_must(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), "TCP_NODELAY");
    peer_must(fcntl(fd, F_SETFL, O_NONBLOCK), "O_NONBLOCK");
    return fd;
}

static void ask(int i)
{
    client[i].received = 0;
    client[i].sent = peer_now();
    if (send(client[i].fd, message, sizeof message, MSG_NOSIGNAL) != sizeof message)
        peer_fail("send");
}

static void answer(int i)
{
    char buffer[MESSAGE_BYTES];
    ssize_t n = recv(client[i].fd, buffer, sizeof buffer, 0);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0 || memcmp(buffer, message + client[i].received, (size_t)n) != 0)
        peer_fail("the answer is wrong");
    client[i].received += (int)n;
    if (client[i].received == MESSAGE_BYTES) {
        samples[answered++ % SAMPLES] = peer_now() - client[i].sent;
        ask(i);
    }
}

static void go_on(int poller, int64_t until)
{
    struct epoll_event events[CONNECTIONS];
    while (peer_now() < until) {
        int n = epoll_wait(poller, events, CONNECTIONS, 1000);
        if (n <= 0)
            peer_fail("nothing comes back");
        for (int i = 0; i < n; i++)
            answer(events[i].data.fd);
    }
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: %s PORT PID\n", argv[0]);
        return 2;
    }
    for (int i = 0; i < MESSAGE_BYTES; i++)
        message[i] = (char)('0' + i);
    int poller = epoll_create1(0);
    for (int i = 0; i < CONNECTIONS; i++) {
        client[i].fd = dial(atoi(argv[1]));
        struct epoll_event in = {.events = EPOLLIN, .data.fd = i};
        peer_must(epoll_ctl(poller, EPOLL_CTL_ADD, client[i].fd, &in), "epoll_ctl");
        ask(i);
    }
    go_on(poller, peer_now() + WARM_MS * INT64_C(1000000));
    answered = 0;
    int64_t cpu = cpu_of(argv[2]), start = peer_now();
    go_on(poller, start + RUN_MS * INT64_C(1000000));
    double seconds = (double)(peer_now() - start) / 1e9;
    cpu = cpu_of(argv[2]) - cpu;
    long kept = answered < SAMPLES ? answered : SAMPLES;
    qsort(samples, (size_t)kept, sizeof *samples, peer_compare);
    peer_say("echo.cpu", (double)cpu / 1e3 / (double)answered, "us");
    peer_say("echo.time", seconds * 1e6 / (double)answered, "us");
    peer_say("echo.p99", (double)samples[kept * 99 / 100] / 1e3, "us");
    return 0;
}
