/*
 * io.c - each call on descriptors and files, with what it asks of the system failing.
 *
 * SPDX-License-Identifier: MIT
 *
 * As calls.c; on both backends.
 */
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "faults.h"

enum { LATE = 50 };

static const int NOTHING[] = {0};

/* A system call does not say -EAGAIN where it need not. */
static void fail_with(urd_fn *fn, const int *also)
{
    program.fn = fn;
    program.processes = URD_PROCESSES_NONE;
    program.workers = 0;
    program.inside = true;
    program.also = also;
    program.errors[0] = -ENOMEM;
    program.errors[1] = -EMFILE;
    program.errors[2] = -EIO;
    fail_each();
}

/* On both backends. */
static void fail_io(urd_fn *fn, const int *also)
{
    static const urd_io backends[] = {URD_IO_EPOLL, URD_IO_URING};
    for (int i = 0; i < 2; i++) {
        program.io = backends[i];
        if (urd__poller_backend(program.io))
            fail_with(fn, also);
    }
}

static void close_both(const int ends[2])
{
    MUST(urd_close(ends[0]) == 0);
    MUST(urd_close(ends[1]) == 0);
}

/* ---- Select ---------------------------------------------------------------------------------- */

static int write_late(void *arg)
{
    int rc = urd_sleep(LATE);
    ssize_t n = rc ? rc : urd_write(*(const int *)arg, "x", 1);
    return n < 0 ? (int)n : 0;
}

static int read_what_came(const urd_op *op)
{
    char byte = 0;
    if (op->result < 0)
        return op->result;
    MUST(op->result & POLLIN);
    ssize_t n = urd_read(op->fd, &byte, 1);
    MUST(n < 0 || (n == 1 && byte == 'x'));
    return n < 0 ? (int)n : 0;
}

static int select_descriptor(void *arg)
{
    (void)arg;
    int ends[2], v;
    urd_chan never;
    int rc = urd_pair(ends);
    if (rc)
        return rc;
    urd_chan_init(&never, sizeof v, NULL, 0);
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, write_late, &ends[1]);
    urd_op ops[] = {urd_op_recv(&never, &v), urd_op_fd(ends[0], POLLIN),
                    urd_op_fd(ends[1], POLLPRI), urd_op_until(urd_now() + URD_SECOND)};
    int chosen = urd_select(ops, 4);
    MUST(chosen != 0);
    rc = chosen < 0 ? chosen : chosen < 3 ? read_what_came(&ops[chosen]) : -ETIMEDOUT;
    urd_scope_cancel(&s, -EINTR);
    int joined = urd_scope_join(&s);
    urd_chan_fini(&never);
    close_both(ends);
    return joined == -EINTR ? rc : joined; /* of the writer */
}

static int selects_of_descriptors(void *arg)
{
    (void)arg;
    return as_both(select_descriptor, NULL);
}

TEST(selects_of_descriptors_survive_each_failing_call)
{
    fail_io(selects_of_descriptors, NOTHING);
}

/* ---- Streams --------------------------------------------------------------------------------- */

/* What is on its way is kept small, so that both ends wait. */
enum { MANY = 30000, PIECE = 9000, WAY = 4096 };

typedef struct stream {
    int ends[2];
    size_t got;  /* of the reader alone, until he has ended */
    bool ran[2]; /* of reader and writer: each closes its end */
} stream;

static int write_much(void *arg)
{
    stream *s = arg;
    s->ran[1] = true;
    static const char bytes[PIECE];
    ssize_t n = 0;
    for (size_t done = 0; done < MANY && n >= 0; done += (size_t)n)
        n = urd_write_all(s->ends[1], bytes, MANY - done < PIECE ? MANY - done : PIECE);
    int closed = urd_close(s->ends[1]);
    return first_of(n < 0 ? (int)n : 0, closed);
}

static int read_much(void *arg)
{
    stream *s = arg;
    s->ran[0] = true;
    char bytes[PIECE];
    ssize_t n;
    int rc = urd_wait_fd(s->ends[0], POLLIN);
    while (rc >= 0 && (n = urd_read(s->ends[0], bytes, sizeof bytes)) != 0) {
        rc = n < 0 ? (int)n : 0;
        s->got += n > 0 ? (size_t)n : 0;
    }
    int closed = urd_close(s->ends[0]);
    return first_of(rc < 0 ? rc : 0, closed);
}

/* Who could not be started closes nothing, and then the other one would wait for ever, if it were
 * not cancelled. */
static int through(int made, stream *st, urd_kind reader, urd_kind writer)
{
    if (made)
        return made;
    urd_scope s;
    st->got = 0;
    st->ran[0] = st->ran[1] = false;
    setsockopt(st->ends[1], SOL_SOCKET, SO_SNDBUF, &(int){WAY}, sizeof(int));
    fcntl(st->ends[1], F_SETPIPE_SZ, WAY);
    urd_scope_open(&s);
    urd_spawn(&s, reader, read_much, st, 0);
    urd_spawn(&s, writer, write_much, st, 0);
    int rc = urd_scope_join(&s);
    MUST(rc || st->got == MANY);
    for (int i = 0; i < 2; i++)
        MUST(st->ran[i] || urd_close(st->ends[i]) == 0);
    return rc;
}

static int streams(void *arg)
{
    (void)arg;
    stream st;
    int rc = through(urd_pair(st.ends), &st, URD_TASK, URD_TASK);
    rc = rc ? rc : through(urd_pair(st.ends), &st, URD_THREAD, URD_TASK);
    return rc ? rc : through(urd_pipe(st.ends), &st, URD_TASK, URD_THREAD);
}

TEST(streams_survive_each_failing_call)
{
    static const int also[] = {-EPIPE, 0}; /* the other one has gone */
    fail_io(streams, also);
}

/* A descriptor that waits on one worker, then on another. */
static int echo_once(void *arg)
{
    char byte;
    int fd = *(const int *)arg, rc = urd_sleep(LATE);
    ssize_t n = rc ? rc : urd_read(fd, &byte, 1);
    if (n == 1)
        n = urd_write(fd, &byte, 1);
    return n < 0 ? (int)n : 0;
}

static int ask_once(void *arg)
{
    char byte = 'q';
    int fd = *(const int *)arg, rc = urd_sleep(2 * LATE);
    ssize_t n = rc ? rc : urd_write(fd, "q", 1);
    if (n == 1)
        n = urd_read(fd, &byte, 1);
    MUST(n < 0 || (n == 1 && byte == 'q'));
    return n < 0 ? (int)n : 0;
}

static int wanders(void *arg)
{
    (void)arg;
    int ends[2], rc = urd_pair(ends);
    if (rc)
        return rc;
    for (int i = 0; i < 6; i++) { /* also after one that failed */
        urd_scope s;
        urd_scope_open(&s);
        urd_go(&s, echo_once, &ends[0]);
        urd_go(&s, ask_once, &ends[1]);
        int joined = urd_scope_join(&s);
        rc = first_of(rc, joined);
        char rest;
        for (int k = 0; joined && k < 2; k++) /* what was under way */
            while (urd_recv(ends[k], &rest, 1, MSG_DONTWAIT) > 0)
                continue;
    }
    close_both(ends);
    return rc;
}

TEST(descriptors_that_change_workers_survive_each_failing_call)
{
    fail_io(wanders, NOTHING);
}

/* ---- Sockets --------------------------------------------------------------------------------- */

static int accept_one(void *arg)
{
    int fd = urd_accept(*(const int *)arg, NULL, NULL);
    if (fd < 0)
        return fd;
    ssize_t n = urd_write_all(fd, "hello", 5);
    int rc = first_of(n < 0 ? (int)n : 0, urd_shutdown(fd, SHUT_WR));
    MUST(urd_close(fd) == 0);
    return rc;
}

/* A port that refuses comes first, so the dials race. */
static int dial_and_read(void *arg)
{
    char got[6] = "";
    const urd_address *at = arg;
    int fd = urd_tcp_dial_any(at, 2);
    if (fd < 0)
        return fd;
    ssize_t n = urd_read_exact(fd, got, 5);
    MUST(urd_close(fd) == 0);
    MUST(n != 5 || strcmp(got, "hello") == 0);
    return n == 5 ? 0 : n < 0 ? (int)n : -ECONNRESET; /* the other one failed */
}

static int tcp(void *arg)
{
    (void)arg;
    urd_address at[2];
    int listener = urd_tcp_listen("127.0.0.1", 0, NULL);
    if (listener < 0)
        return listener;
    int rc = urd_address_local(listener, &at[1]);
    MUST(urd_address_parse(&at[0], "127.0.0.1", 1) == 0);
    if (rc == 0) {
        urd_scope s;
        urd_scope_open(&s);
        urd_spawn(&s, URD_THREAD, accept_one, &listener, 0);
        urd_go(&s, dial_and_read, at);
        rc = urd_scope_join(&s);
    }
    MUST(urd_close(listener) == 0);
    return rc;
}

TEST(connections_survive_each_failing_call)
{
    static const int also[] = {-ECONNRESET, -ECONNREFUSED, -ECANCELED, 0};
    fail_io(tcp, also);
}

static int exchange(int server, int client)
{
    struct sockaddr_in from;
    unsigned size = sizeof from;
    char got[8] = "";
    ssize_t n = urd_write(client, "ping", 4);
    if (n == 4)
        n = urd_recvfrom(server, got, sizeof got, 0, (struct sockaddr *)&from, &size);
    if (n == 4)
        n = urd_sendto(server, got, 4, 0, (struct sockaddr *)&from, size);
    if (n == 4)
        n = urd_recv(client, got, sizeof got, 0);
    MUST(n < 0 || (n == 4 && strcmp(got, "ping") == 0));
    return n < 0 ? (int)n : 0;
}

static int udp(void *arg)
{
    (void)arg;
    urd_address at;
    int server = urd_udp_open("127.0.0.1", 0), client = -1;
    if (server < 0)
        return server;
    int rc = urd_address_local(server, &at);
    if (rc == 0)
        client = urd_udp_dial("127.0.0.1", urd_address_port(&at));
    rc = first_of(rc, client < 0 ? client : exchange(server, client));
    if (client >= 0)
        MUST(urd_close(client) == 0);
    MUST(urd_close(server) == 0);
    return rc;
}

TEST(datagrams_survive_each_failing_call)
{
    fail_io(udp, NOTHING);
}

static int local(void *arg)
{
    (void)arg;
    char path[64];
    snprintf(path, sizeof path, "/tmp/urd-fail-%d", (int)getpid());
    int listener = urd_unix_listen(path, NULL), fd = -1, joined = 0;
    if (listener >= 0) {
        urd_scope s;
        urd_scope_open(&s);
        urd_go(&s, accept_one, &listener);
        fd = urd_unix_dial(path);
        urd_scope_cancel(&s, -EINTR);
        joined = urd_scope_join(&s);
        MUST(joined < 0);
        MUST(urd_close(listener) == 0);
    }
    if (fd >= 0)
        MUST(urd_close(fd) == 0);
    unlink(path);
    return listener < 0 ? listener : joined != -EINTR ? joined : fd < 0 ? fd : 0;
}

TEST(local_sockets_survive_each_failing_call)
{
    fail_io(local, NOTHING);
}

static int one_name(void *arg)
{
    (void)arg;
    urd_address at[4];
    int n = urd_resolve("localhost", 80, at, 4);
    MUST(n != 0);
    return n < 0 ? n : 0;
}

/* Once by c-ares, where it is there, and once by a helper, as for all compact tasks. */
static int names(void *arg)
{
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_compact(&s);
    int rc = urd_go(&s, one_name, arg), joined = urd_scope_join(&s);
    rc = rc ? rc : joined;
    return rc ? rc : one_name(arg);
}

TEST(names_survive_each_failing_call)
{
    static const int also[] = {-ENOENT, -EAGAIN, 0};
    fail_io(names, also);
}

/* ---- Files ----------------------------------------------------------------------------------- */

static int fill_file(int fd)
{
    char got[8] = "";
    ssize_t n = urd_write_all(fd, "flour", 5);
    n = n < 0 ? n : urd_pwrite(fd, "F", 1, 0);
    n = n < 0 ? n : urd_pread(fd, got, 5, 0);
    MUST(n < 0 || (n == 5 && strcmp(got, "Flour") == 0));
    return n < 0 ? (int)n : urd_ftruncate(fd, 3);
}

/* Of a file that is on no disk. */
static int sync_file(void)
{
    int fd = memfd_create("fail", MFD_CLOEXEC), rc;
    MUST(fd >= 0);
    rc = urd_fsync(fd);
    rc = rc ? rc : urd_fdatasync(fd);
    MUST(urd_close(fd) == 0);
    return rc;
}

static int send_file(const char *path)
{
    int ends[2], rc, fd = urd_open(path, O_RDONLY, 0);
    if (fd < 0)
        return fd;
    rc = urd_pipe(ends);
    if (rc == 0) {
        off_t at = 0;
        char got[8] = "";
        ssize_t n = urd_sendfile(ends[1], fd, &at, 3);
        n = n < 0 ? n : urd_read(ends[0], got, sizeof got);
        MUST(n < 0 || (n == 3 && strcmp(got, "Flo") == 0));
        rc = n < 0 ? (int)n : 0;
        close_both(ends);
    }
    MUST(urd_close(fd) == 0);
    return rc;
}

static int list(const char *folder)
{
    urd_dir d;
    urd_dir_entry entry;
    int rc = urd_dir_open(&d, folder), n = 0;
    if (rc)
        return rc;
    while ((rc = urd_dir_next(&d, &entry)) == 1)
        n++;
    MUST(rc || n == 1);
    MUST(urd_dir_close(&d) == 0);
    return rc;
}

static int in_folder(const char *folder)
{
    char path[80], other[80];
    struct stat stat;
    snprintf(path, sizeof path, "%s/cake", folder);
    snprintf(other, sizeof other, "%s/tart", folder);
    int fd = urd_open(path, O_RDWR | O_CREAT | O_EXCL, 0600), rc;
    if (fd < 0)
        return fd;
    rc = fill_file(fd);
    MUST(urd_close(fd) == 0);
    rc = rc ? rc : sync_file();
    rc = rc ? rc : send_file(path);
    rc = rc ? rc : urd_rename(path, other);
    rc = rc ? rc : urd_stat(other, &stat);
    MUST(rc || stat.st_size == 3);
    rc = rc ? rc : urd_lstat(other, &stat);
    rc = rc ? rc : list(folder);
    int gone = urd_unlink(other);
    unlink(path);
    unlink(other);
    return first_of(rc, gone);
}

static int use_files(void *arg)
{
    (void)arg;
    char folder[64];
    snprintf(folder, sizeof folder, "/tmp/urd-fail-files-%d", (int)getpid());
    int rc = urd_mkdir(folder, 0700);
    if (rc)
        return rc;
    rc = in_folder(folder);
    int gone = urd_rmdir(folder);
    rmdir(folder);
    return first_of(rc, gone);
}

static int files(void *arg)
{
    (void)arg;
    return as_both(use_files, NULL);
}

/* Which backend there is, is the same to them. */
TEST(files_survive_each_failing_call)
{
    program.io = URD_IO_EPOLL;
    fail_with(files, NOTHING);
}
