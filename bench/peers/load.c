/*
 * load.c - the client of every server of echo: so many connections, and what is under way in each.
 *
 * SPDX-License-Identifier: MIT
 *
 *     load ROW PORT PID CONNECTIONS SECONDS      prints ROW.cpu, ROW.time and ROW.p99
 *
 *     echo, echo-many                    a message of 64 bytes is under way in each connection
 *     echo-deep                          16 of them are
 *     accept                             the server closes each connection, and a new one is made
 *
 * A closed loop by one thread that polls: who was answered asks again.  The processor time is that
 * of process PID, all threads, from the scheduler's own count in nanoseconds.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "peer.h"

enum { MESSAGE_BYTES = 64, DEPTH_MAX = 16, CROWD = 128 };
enum { EVENTS_MAX = 512, SAMPLES = 1 << 20 };
static const double WARM = 0.4; /* of the seconds that are measured, before them */

typedef struct connection {
    int fd;
    unsigned asked, answered; /* messages */
    size_t received;          /* bytes of the next answer */
    int64_t sent[DEPTH_MAX];
} connection;

static struct sockaddr_in server = {.sin_family = AF_INET};
static connection *client;
static long clients;
static unsigned depth;
static int poller;
static char messages[DEPTH_MAX * MESSAGE_BYTES];
static int64_t samples[SAMPLES];
static long done;

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

static void end_one(int64_t since)
{
    samples[done++ % SAMPLES] = peer_now() - since;
}

static void dial(connection *c)
{
    int on = 1;
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    peer_must(c->fd, "socket");
    peer_must(connect(c->fd, (struct sockaddr *)&server, sizeof server), "connect");
    peer_must(setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), "TCP_NODELAY");
    peer_must(fcntl(c->fd, F_SETFL, O_NONBLOCK), "O_NONBLOCK");
    struct epoll_event in = {.events = EPOLLIN, .data.ptr = c};
    peer_must(epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &in), "epoll_ctl");
}

/* ---- Messages -------------------------------------------------------------------------------- */

static void ask(connection *c, unsigned n)
{
    ssize_t bytes = (ssize_t)n * MESSAGE_BYTES;
    for (int64_t now = peer_now(); n > 0; n--)
        c->sent[c->asked++ % DEPTH_MAX] = now;
    if (send(c->fd, messages, (size_t)bytes, MSG_NOSIGNAL) != bytes)
        peer_fail("send");
}

/* How many answers have become complete. */
static unsigned receive(connection *c)
{
    char buffer[sizeof messages];
    ssize_t n = recv(c->fd, buffer, sizeof buffer - c->received, 0);
    if (n < 0 && errno == EAGAIN)
        return 0;
    if (n <= 0 || memcmp(buffer, messages + c->received, (size_t)n) != 0)
        peer_fail("the answer is wrong");
    size_t bytes = c->received + (size_t)n;
    c->received = bytes % MESSAGE_BYTES;
    return (unsigned)(bytes / MESSAGE_BYTES);
}

static void answered(connection *c)
{
    unsigned n = receive(c);
    for (unsigned i = 0; i < n; i++)
        end_one(c->sent[c->answered++ % DEPTH_MAX]);
    if (n)
        ask(c, n);
}

/* They come in the order in which they were made: once the last one is answered, all are there. */
static void await_crowd(connection *last)
{
    ask(last, 1);
    while (receive(last) == 0)
        epoll_wait(poller, &(struct epoll_event){0}, 1, 1000);
    last->answered++;
}

static void dial_all(void)
{
    for (int i = 0; i < DEPTH_MAX * MESSAGE_BYTES; i++)
        messages[i] = (char)('0' + i % MESSAGE_BYTES);
    for (long i = 0; i < clients; i++) {
        dial(&client[i]);
        if (i % CROWD == CROWD - 1)
            await_crowd(&client[i]);
    }
    for (long i = 0; i < clients; i++)
        ask(&client[i], depth);
}

/* ---- Connections ----------------------------------------------------------------------------- */

static void dial_now(connection *c)
{
    c->sent[0] = peer_now();
    dial(c);
}

/* Reset, or the server would have to remember it for a minute. */
static void closed(connection *c)
{
    char byte;
    if (recv(c->fd, &byte, 1, 0) != 0)
        peer_fail("it was not closed");
    end_one(c->sent[0]);
    struct linger reset = {.l_onoff = 1};
    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(c->fd);
    dial_now(c);
}

static void dial_all_now(void)
{
    for (long i = 0; i < clients; i++)
        dial_now(&client[i]);
}

/* ---- Both ------------------------------------------------------------------------------------ */

static const struct {
    const char *row;
    unsigned depth;
    void (*begin)(void);
    void (*event)(connection *c);
} kinds[] = {{"echo", 1, dial_all, answered},
             {"echo-many", 1, dial_all, answered},
             {"echo-deep", DEPTH_MAX, dial_all, answered},
             {"accept", 0, dial_all_now, closed}};

static void go_on(void (*event)(connection *c), int64_t until)
{
    struct epoll_event events[EVENTS_MAX];
    while (peer_now() < until) {
        int n = epoll_wait(poller, events, EVENTS_MAX, 1000);
        if (n <= 0)
            peer_fail("nothing comes back");
        for (int i = 0; i < n; i++)
            event(events[i].data.ptr);
    }
}

static void say(const char *row, const char *what, double value)
{
    char name[64];
    snprintf(name, sizeof name, "%s.%s", row, what);
    peer_say(name, value, "us");
}

static void measure(const char *row, const char *pid, double wanted, void (*event)(connection *c))
{
    go_on(event, peer_now() + (int64_t)(WARM * wanted * 1e9));
    done = 0;
    int64_t cpu = cpu_of(pid), start = peer_now();
    go_on(event, start + (int64_t)(wanted * 1e9));
    double seconds = (double)(peer_now() - start) / 1e9;
    cpu = cpu_of(pid) - cpu;
    long kept = done < SAMPLES ? done : SAMPLES;
    qsort(samples, (size_t)kept, sizeof *samples, peer_compare);
    say(row, "cpu", (double)cpu / 1e3 / (double)done);
    say(row, "time", seconds * 1e6 / (double)done);
    say(row, "p99", (double)samples[kept * 99 / 100] / 1e3);
}

int main(int argc, char **argv)
{
    clients = argc == 6 ? atol(argv[4]) : 0;
    for (size_t i = 0; clients > 0 && i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(argv[1], kinds[i].row) != 0)
            continue;
        server.sin_port = htons((uint16_t)atoi(argv[2]));
        server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        client = calloc((size_t)clients, sizeof *client);
        poller = epoll_create1(0);
        depth = kinds[i].depth;
        kinds[i].begin();
        measure(argv[1], argv[3], atof(argv[5]), kinds[i].event);
        return 0;
    }
    fprintf(stderr, "usage: %s ROW PORT PID CONNECTIONS SECONDS\n", argv[0]);
    return 2;
}
