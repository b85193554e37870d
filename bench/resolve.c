/*
 * resolve.c - how long does it take to look up a name?
 *
 * SPDX-License-Identifier: MIT
 *
 * The name server is a thread of this program on loopback, which answers at once.  A look-up asks
 * it twice, for both kinds of addresses.
 *
 * Floor: the two questions by hand, each on a socket of its own, so with a port of its own.
 * Sketch: four times two threads wake each other, and some 10 us of c-ares.
 */
#include <netinet/in.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"
#include "net/resolver.h"

enum { LOOKUPS = 10000, AT_ONCE = 8, PACKET = 512, HEADER = 12, TYPE_A = 1 };

static struct sockaddr_in at = {.sin_family = AF_INET};
static int server;

/* ---- The name server ------------------------------------------------------------------------- */

/* An address, if one is asked for; what follows the question is cut off. */
static ssize_t answer(unsigned char *packet, ssize_t n)
{
    static const unsigned char record[] = {0xc0, HEADER, 0, TYPE_A, 0,  1, 0, 0,
                                           0,    9,      0, 4,      10, 0, 0, 1};
    size_t end = HEADER;
    while ((ssize_t)end < n && packet[end])
        end += packet[end] + 1U;
    bool four = packet[end + 2] == TYPE_A;
    end += 5;
    packet[2] = 0x85;
    packet[3] = 0x80;
    packet[7] = four;
    memset(packet + 8, 0, 4);
    if (four)
        memcpy(packet + end, record, sizeof record);
    return (ssize_t)(end + (four ? sizeof record : 0));
}

static void *serve(void *arg)
{
    unsigned char packet[2 * PACKET];
    struct sockaddr_in from;
    socklen_t size = sizeof from;
    ssize_t n;
    while ((n = recvfrom(server, packet, PACKET, 0, (struct sockaddr *)&from, &size)) > HEADER)
        sendto(server, packet, (size_t)answer(packet, n), 0, (struct sockaddr *)&from, size);
    return arg;
}

/* ---- What is measured ------------------------------------------------------------------------ */

static int open_question(unsigned char type)
{
    unsigned char packet[] = {0,   1,   1,   0, 0,   1,   0,   0,   0, 0, 0,    0, 3,
                              'o', 'n', 'e', 4, 't', 'e', 's', 't', 0, 0, type, 0, 1};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    bench_must(connect(fd, (struct sockaddr *)&at, sizeof at), "connect");
    bench_must(send(fd, packet, sizeof packet, 0) == sizeof packet ? 0 : -1, "send");
    return fd;
}

static void by_hand(long n)
{
    unsigned char packet[PACKET];
    for (long i = 0; i < n; i++) {
        int fds[] = {open_question(TYPE_A), open_question(28)};
        for (int j = 0; j < 2; j++) {
            bench_must(recv(fds[j], packet, sizeof packet, 0) > HEADER ? 0 : -1, "recv");
            close(fds[j]);
        }
    }
}

static void resolve(long n)
{
    urd_address list[4];
    for (long i = 0; i < n; i++)
        bench_must(urd_resolve("one.test", 80, list, 4) == 1 ? 0 : -1, "urd_resolve");
}

static int resolve_some(void *n)
{
    resolve(*(const long *)n);
    return 0;
}

static void resolve_at_once(long n)
{
    urd_scope s;
    long each = n / AT_ONCE;
    urd_scope_open(&s);
    for (int i = 0; i < AT_ONCE; i++)
        urd_go(&s, resolve_some, &each);
    bench_must(urd_scope_join(&s), "join");
}

static int measure(void *arg)
{
    bench_case cases[] = {{.name = "two questions by hand", .run = by_hand, .n = LOOKUPS},
                          {.name = "urd_resolve", .run = resolve, .n = LOOKUPS},
                          {.name = "urd_resolve, 8 tasks", .run = resolve_at_once, .n = LOOKUPS},
                          {.run = NULL}};
    bench_run(cases, *(int *)arg);
    return 0;
}

int main(int argc, char **argv)
{
    int rounds = bench_rounds(argc, argv);
    char servers[32];
    socklen_t size = sizeof at;
    pthread_t thread;
    if (!urd__resolver_serves()) {
        puts("c-ares is not here, or this system asks others than name servers");
        return 0;
    }
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server = socket(AF_INET, SOCK_DGRAM, 0);
    bench_must(bind(server, (struct sockaddr *)&at, size), "bind");
    bench_must(getsockname(server, (struct sockaddr *)&at, &size), "getsockname");
    snprintf(servers, sizeof servers, "127.0.0.1:%d", ntohs(at.sin_port));
    urd__resolver_servers = servers;
    urd_config config = {.workers = 1, .processes = URD_PROCESSES_NONE};
    bench_must(-pthread_create(&thread, NULL, serve, NULL), "pthread_create");
    bench_must(urd_run(&config, measure, &rounds), "urd_run");
    return 0;
}
