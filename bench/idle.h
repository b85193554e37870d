/*
 * idle.h - so many connections that do nothing, and how much memory of the server each takes.
 *
 * SPDX-License-Identifier: MIT
 *
 * For a program that says what is between a descriptor and those who talk, by the functions below.
 *
 * The clients are in another process, so that they do not count; the kernel's own memory for a
 * socket does not either.  The fd limit is raised as far as it can be; where that is not enough
 * there are several servers with their clients, and all connections are open until the last was
 * measured.
 * There are as many listeners as the 28,000 ports for each ask for.
 *
 *     idle [ROUNDS [CONNECTIONS]]     1 round of 50,000; 1 as the only argument: of 1,000
 */
#ifndef BENCH_IDLE_H
#define BENCH_IDLE_H

#include <errno.h>
#include <malloc.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

enum { SPARE_FDS = 64, LISTENERS_MAX = 64, EACH_LISTENER = 20000, BUF = 512, PARTS_MAX = 64 };

/* A client's end of a connection: it may be greeted; and sends `size` bytes, which come back. */
static void *client_open(int fd);
static void client_exchange(int fd, void *end, char *buf, size_t size);
/* The server's: echoes until the end.  Idle are those that have called came(). */
static int serve_one(int fd);
/* Set by the program: the floor holds also what malloc has given out; there are compact tasks, too.
 */
static bool with_heap, also_compact;

static long wanted = 50000;
static int ports[LISTENERS_MAX], n_listeners;

/* ---- The clients: a process that does as it is told, one letter at a time -------------------- */

static int dial(int port)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct linger reset = {.l_onoff = 1}; /* leaves nothing in TIME_WAIT, which slows later ones */
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset) == 0 &&
        connect(fd, (struct sockaddr *)&at, sizeof at) == 0)
        return fd;
    perror("a client");
    _exit(1);
}

static void be_clients(int orders, int done)
{
    char order;
    char buf[BUF] = "";
    int *fds = calloc((size_t)wanted, sizeof *fds);
    void **ends = calloc((size_t)wanted, sizeof *ends);
    if (!fds || !ends || read(orders, ports, sizeof ports) != (ssize_t)sizeof ports)
        _exit(1);
    while (read(orders, &order, 1) == 1) {
        for (long i = 0; i < wanted; i++) {
            if (order == 'c') {
                fds[i] = dial(ports[i / EACH_LISTENER]);
                ends[i] = client_open(fds[i]);
            } else if (order == 'x') {
                client_exchange(fds[i], ends[i], buf, sizeof buf);
            } else {
                close(fds[i]);
            }
        }
        if (write(done, &order, 1) != 1)
            break;
    }
    _exit(0);
}

/* ---- The server ------------------------------------------------------------------------------ */

static int to_clients, from_clients;
static int results, release; /* to and from who has started this part */
static long n_came;
static urd_event all_came;

static void came(void)
{
    if (++n_came == wanted) /* one worker: no lock */
        urd_event_set(&all_came);
}

static int serve(int fd, void *unused)
{
    (void)unused;
    return serve_one(fd);
}

static void order(char what)
{
    char done;
    bench_must(urd_write(to_clients, &what, 1) == 1 ? 0 : -EIO, "the clients");
    bench_must(urd_read(from_clients, &done, 1) == 1 ? 0 : -EIO, "the clients");
}

static long resident_bytes(void)
{
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f || fscanf(f, "%*d %ld", &pages) != 1)
        bench_must(-EIO, "/proc/self/statm");
    fclose(f);
    return pages * sysconf(_SC_PAGESIZE);
}

static long heap_bytes(void)
{
    struct mallinfo2 info = mallinfo2();
    return (long)(info.uordblks + info.hblkhd);
}

/* Bytes each: as they have come, after an exchange, and of those what malloc has given out. */
typedef struct result {
    long idle, after, heap;
} result;

static int serve_all(void *arg)
{
    bool *compact = arg;
    int listeners[LISTENERS_MAX];
    for (int i = 0; i < n_listeners; i++) {
        urd_address at;
        listeners[i] = urd_tcp_listen("127.0.0.1", 0, NULL);
        bench_must(listeners[i], "urd_tcp_listen");
        bench_must(urd_address_local(listeners[i], &at), "urd_address_local");
        ports[i] = urd_address_port(&at);
    }
    bench_must(urd_write_all(to_clients, ports, sizeof ports) > 0 ? 0 : -EIO, "the clients");
    urd_serve_options o = {.compact = *compact};
    return urd_serve(listeners, n_listeners, serve, NULL, &o);
}

static int measure(void *arg)
{
    bool compact = *(bool *)arg;
    char byte;
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, serve_all, &compact);
    bench_must(urd_sleep(20 * URD_MS), "urd_sleep");
    long before = resident_bytes(), heap = heap_bytes();
    order('c');
    bench_must(urd_event_wait(&all_came), "urd_event_wait");
    bench_must(urd_sleep(20 * URD_MS), "urd_sleep"); /* let the last ones come to rest */
    result r = {.idle = (resident_bytes() - before) / wanted};
    order('x');
    bench_must(urd_sleep(20 * URD_MS), "urd_sleep");
    r.after = (resident_bytes() - before) / wanted;
    r.heap = (heap_bytes() - heap) / wanted;
    bench_must(urd_write(results, &r, sizeof r) == sizeof r ? 0 : -EIO, "the result");
    bench_must((int)urd_read(release, &byte, 1), "the end");
    order('q');
    urd_scope_cancel(&s, 0);
    return urd_scope_join(&s) == -ECANCELED ? 0 : -EIO;
}

/* ---- Both ------------------------------------------------------------------------------------ */

/* How many connections there can be in a process. */
static long raise_limit(void)
{
    struct rlimit limit, more;
    rlim_t need = (rlim_t)wanted + SPARE_FDS;
    bench_must(-getrlimit(RLIMIT_NOFILE, &limit), "getrlimit");
    more = (struct rlimit){.rlim_cur = need, .rlim_max = need};
    if (need <= limit.rlim_max)
        more.rlim_max = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &more) == 0)
        return wanted;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    return (long)limit.rlim_cur - SPARE_FDS;
}

/* A server and its clients, each a process. */
static void run_part(bool compact)
{
    int orders[2], done[2];
    if (pipe(orders) || pipe(done))
        bench_must(-errno, "pipe");
    pid_t clients = fork();
    if (clients == 0) {
        close(orders[1]);
        close(done[0]);
        be_clients(orders[0], done[1]);
    }
    close(orders[0]);
    close(done[1]);
    to_clients = orders[1];
    from_clients = done[0];
    urd_config config = {.workers = 1, .processes = URD_PROCESSES_NONE};
    bench_must(urd_run(&config, measure, &compact), "urd_run");
    close(to_clients);
    close(from_clients);
    waitpid(clients, NULL, 0);
    _exit(0);
}

static void round_of(bool compact, int parts)
{
    int back[2], end[2];
    result sum = {0}, one;
    if (pipe(back) || pipe(end))
        bench_must(-errno, "pipe");
    fflush(stdout);
    results = back[1];
    release = end[0];
    for (int i = 0; i < parts; i++)
        if (fork() == 0) {
            close(end[1]);
            close(back[0]);
            run_part(compact);
        }
    close(back[1]);
    close(end[0]);
    for (int i = 0; i < parts; i++) {
        bench_must(read(back[0], &one, sizeof one) == sizeof one ? 0 : -EIO, "a part");
        sum.idle += one.idle;
        sum.after += one.after;
        sum.heap += one.heap;
    }
    close(end[1]);
    close(back[0]);
    while (wait(NULL) > 0)
        ;
    long floor = (compact ? 2062 : 4170) + (with_heap ? sum.heap / parts : 0);
    printf(
        "%ld idle connections in %d process%s, %s tasks: %ld bytes each, after an exchange of %d "
        "%ld, of which %ld malloc's; %.2f and %.2f x %s\n",
        wanted * parts, parts, parts > 1 ? "es" : "", compact ? "compact" : "ordinary",
        sum.idle / parts, BUF, sum.after / parts, sum.heap / parts,
        (double)sum.idle / parts / (double)floor, (double)sum.after / parts / (double)floor,
        with_heap ? "a sleeping task and those" : "a sleeping task");
}

static int idle_main(int argc, char **argv)
{
    int rounds = argc > 1 ? bench_rounds(argc, argv) : 1;
    if (argc > 2)
        wanted = atol(argv[2]);
    else if (argc > 1 && rounds == 1)
        wanted = 1000;
    long most = raise_limit();
    int parts = (int)((wanted + most - 1) / most);
    if (wanted <= 0 || parts > PARTS_MAX)
        bench_must(-EINVAL, "so many connections");
    wanted /= parts;
    n_listeners = (int)((wanted + EACH_LISTENER - 1) / EACH_LISTENER);
    if (n_listeners > LISTENERS_MAX)
        bench_must(-EINVAL, "so many connections");
    for (int i = 0; i < rounds; i++) {
        round_of(false, parts);
        if (also_compact)
            round_of(true, parts);
    }
    return 0;
}

#endif
