/*
 * idle.c - how much memory does a connection take that does nothing?
 *
 * SPDX-License-Identifier: MIT
 *
 * Sketch: its task has touched the top page of its stack, where its control block and frames lie;
 * its job, the copy of its argument and its place in the table of descriptors take some 200 bytes.
 * So 4.3 KiB; as a compact task 2.3.  After an exchange there is in addition what its buffer on the
 * stack has touched: with 512 bytes nothing, as they lie in the same page.
 * Floor: a task that sleeps takes 4170 bytes, a compact one 2062 (bench sleepers).
 *
 * The clients are in another process, so that they do not count; the kernel's own memory for a
 * socket does not either.  The fd limit is raised as far as it can be, and says how many there are;
 * there are as many listeners as the 28,000 ports for each ask for.
 *
 *     idle [ROUNDS [CONNECTIONS]]     1 round of 100,000; 1 as the only argument: of 1,000
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

enum { SPARE_FDS = 64, LISTENERS_MAX = 64, EACH_LISTENER = 20000, BUF = 512 };

static long wanted = 100000;
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

static void exchange(int fd)
{
    char buf[BUF] = "";
    if (write(fd, buf, sizeof buf) == (ssize_t)sizeof buf &&
        recv(fd, buf, sizeof buf, MSG_WAITALL) == (ssize_t)sizeof buf)
        return;
    perror("an exchange");
    _exit(1);
}

static void be_clients(int orders, int done)
{
    char order;
    int *fds = calloc((size_t)wanted, sizeof *fds);
    if (!fds || read(orders, ports, sizeof ports) != (ssize_t)sizeof ports)
        _exit(1);
    while (read(orders, &order, 1) == 1) {
        for (long i = 0; i < wanted; i++) {
            if (order == 'c')
                fds[i] = dial(ports[i / EACH_LISTENER]);
            else if (order == 'x')
                exchange(fds[i]);
            else
                close(fds[i]);
        }
        if (write(done, &order, 1) != 1)
            break;
    }
    _exit(0);
}

/* ---- The server ------------------------------------------------------------------------------ */

static int to_clients, from_clients;
static long came;
static urd_event all_came;

static int serve(int fd, void *unused)
{
    (void)unused;
    char buf[BUF];
    ssize_t n;
    if (++came == wanted) /* one worker: no lock */
        urd_event_set(&all_came);
    while ((n = urd_read(fd, buf, sizeof buf)) > 0)
        if ((n = urd_write_all(fd, buf, (size_t)n)) < 0)
            break;
    return (int)n;
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
    long floor = compact ? 2062 : 4170;
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, serve_all, &compact);
    bench_must(urd_sleep(20 * URD_MS), "urd_sleep");
    long before = resident_bytes();
    order('c');
    bench_must(urd_event_wait(&all_came), "urd_event_wait");
    bench_must(urd_sleep(20 * URD_MS), "urd_sleep"); /* let the last ones come to rest */
    long idle = (resident_bytes() - before) / wanted;
    order('x');
    long after = (resident_bytes() - before) / wanted;
    printf("%ld idle connections, %s tasks: %ld bytes each, after an exchange of %d bytes %ld; "
           "%.2f and %.2f x a sleeping task\n",
           wanted, compact ? "compact" : "ordinary", idle, BUF, after, (double)idle / (double)floor,
           (double)after / (double)floor);
    order('q');
    urd_scope_cancel(&s, 0);
    return urd_scope_join(&s) == -ECANCELED ? 0 : -EIO;
}

/* ---- Both ------------------------------------------------------------------------------------ */

static void raise_limit(void)
{
    struct rlimit limit, more;
    rlim_t need = (rlim_t)wanted + SPARE_FDS;
    if (getrlimit(RLIMIT_NOFILE, &limit))
        return;
    more = (struct rlimit){.rlim_cur = need, .rlim_max = need};
    if (need <= limit.rlim_max)
        more.rlim_max = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &more) == 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    wanted = (long)limit.rlim_cur - SPARE_FDS;
    printf("the fd limit is %ld, and cannot be raised further\n", (long)limit.rlim_cur);
}

static void round_of(bool compact)
{
    int orders[2], done[2];
    if (pipe(orders) || pipe(done))
        bench_must(-errno, "pipe");
    fflush(stdout);
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
    came = 0;
    all_came = (urd_event)URD_ZERO_;
    urd_config config = {.workers = 1, .processes = URD_PROCESSES_NONE};
    bench_must(urd_run(&config, measure, &compact), "urd_run");
    close(to_clients);
    close(from_clients);
    waitpid(clients, NULL, 0);
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? bench_rounds(argc, argv) : 1;
    if (argc > 2)
        wanted = atol(argv[2]);
    else if (argc > 1 && rounds == 1)
        wanted = 1000;
    raise_limit();
    n_listeners = (int)((wanted + EACH_LISTENER - 1) / EACH_LISTENER);
    if (wanted <= 0 || n_listeners > LISTENERS_MAX)
        bench_must(-EINVAL, "so many connections");
    for (int i = 0; i < 2 * rounds; i++)
        round_of(i % 2 == 1);
    return 0;
}
