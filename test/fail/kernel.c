/*
 * kernel.c - I/O on a kernel that interrupts, cuts short, refuses and has nothing left.
 *
 * SPDX-License-Identifier: MIT
 *
 * Where calls stumble every program must do all it was to do, every byte right.  Where one fails it
 * ends with that error or without, what it did deliver is right, and nothing is left behind.
 */
#include <fcntl.h>

#include "kernel.h"

enum { BYTES = 9000, PIECE = 3000, WAY = 4096, SEEDS = 12, SEEDS_SLOW = 3, SEEDS_ALL = 3000 };

static const int ENDED[] = {-EPIPE, -ECONNRESET, -ENODATA, 0}; /* the other side had failed */

/* ---- How they are run ------------------------------------------------------------------------ */

static void stumble_once(void)
{
    static char armed[] = "";
    const struct before before = look_around();
    urd_config cfg = config();
    CHECK_EQ(urd_run(&cfg, run_program, armed), 0);
    CHECK_EQ(shared->fail_at, 0);
    check_nothing_left(&before);
}

static void stumble_with_each_seed(void)
{
    struct test_child child;
    int fired = 0;
    TEST_SEEDS(tries_all() ? SEEDS_ALL : test_under_slow_tool() ? SEEDS_SLOW : SEEDS)
    {
        static const uint64_t rates[] = {2, 7, 40};
        kernel.rate = rates[test_seed() % 3];
        program.workers = 1 + (int)(test_seed() / 3 % 2);
        memset(shared, 0, sizeof *shared);
        test_fork(&child, stumble_once);
        if (child.code != 0)
            FAIL("exit code %d, signal %d (%s, %d workers, 1 call in %d stumbles):\n%s", child.code,
                 child.signal, program.io == URD_IO_EPOLL ? "epoll" : "any I/O", program.workers,
                 (int)kernel.rate, child.err);
        fired |= shared->fired;
    }
    CHECK(fired);
}

static void on_both_backends(void (*run)(void))
{
    static const urd_io backends[] = {URD_IO_EPOLL, URD_IO_URING};
    for (int i = 0; i < 2; i++) {
        program.io = backends[i];
        if (urd__poller_backend(program.io))
            run();
    }
}

static void stumble(urd_fn *fn)
{
    program.fn = fn;
    program.processes = URD_PROCESSES_NONE;
    program.inside = true;
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    on_both_backends(stumble_with_each_seed);
}

static void fail_each_way(void)
{
    enum { TURNS = 6 };
    for (kernel.turn = 0; kernel.turn < (tries_all() ? TURNS : 1); kernel.turn++)
        fail_each();
}

static void fail_calls(urd_fn *fn, const int *also)
{
    program.fn = fn;
    program.processes = URD_PROCESSES_NONE;
    program.inside = true;
    program.also = also;
    program.errors[0] = -ENOMEM; /* which one it is depends on the call */
    on_both_backends(fail_each_way);
}

static void close_both(const int ends[2])
{
    MUST(urd_close(ends[0]) == 0);
    MUST(urd_close(ends[1]) == 0);
}

/* What is sent is a sequence. */
static unsigned char byte_at(size_t place)
{
    return (unsigned char)(place * 7 + place / 251);
}

/* ---- Streams --------------------------------------------------------------------------------- */

typedef struct stream {
    int ends[2];
    size_t got;  /* of the reader alone, until he has ended */
    bool ran[2]; /* of reader and writer: each closes its end */
} stream;

static void fill(unsigned char *bytes, size_t place)
{
    for (size_t i = 0; i < PIECE; i++)
        bytes[i] = byte_at(place + i);
}

/* A third of them in two parts. */
static ssize_t write_piece(int fd, const unsigned char *bytes, size_t size)
{
    struct iovec parts[] = {{(void *)(uintptr_t)bytes, size / 2},
                            {(void *)(uintptr_t)(bytes + size / 2), size - size / 2}};
    return size % 3 ? urd_write(fd, bytes, size) : urd_writev(fd, parts, 2);
}

static int write_sequence(void *arg)
{
    stream *s = arg;
    unsigned char bytes[PIECE];
    ssize_t n = 0;
    s->ran[1] = true;
    for (size_t done = 0; done < BYTES && n >= 0; done += n > 0 ? (size_t)n : 0) {
        fill(bytes, done);
        n = write_piece(s->ends[1], bytes, BYTES - done < PIECE ? BYTES - done : PIECE);
    }
    int closed = urd_close(s->ends[1]);
    return first_of(n < 0 ? (int)n : 0, closed);
}

static ssize_t read_piece(int fd, unsigned char *bytes, size_t place)
{
    struct iovec parts[] = {{bytes, 100}, {bytes + 100, PIECE - 100}};
    return place % 3 ? urd_read(fd, bytes, PIECE) : urd_readv(fd, parts, 2);
}

static int read_sequence(void *arg)
{
    stream *s = arg;
    unsigned char bytes[PIECE];
    ssize_t n;
    s->ran[0] = true;
    while ((n = read_piece(s->ends[0], bytes, s->got)) > 0)
        for (ssize_t i = 0; i < n; i++)
            MUST(bytes[i] == byte_at(s->got++));
    int closed = urd_close(s->ends[0]);
    return first_of((int)n, closed);
}

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
    urd_spawn(&s, reader, read_sequence, st, 0);
    urd_spawn(&s, writer, write_sequence, st, 0);
    int rc = urd_scope_join(&s);
    MUST(rc || st->got == BYTES);
    for (int i = 0; i < 2; i++)
        MUST(st->ran[i] || urd_close(st->ends[i]) == 0);
    return rc;
}

static int connection(int ends[2])
{
    urd_address at;
    int listener = urd_tcp_listen("127.0.0.1", 0, NULL), rc;
    if (listener < 0)
        return listener;
    rc = urd_address_local(listener, &at);
    if (rc == 0)
        rc = ends[0] = urd_tcp_dial_any(&at, 1);
    if (rc >= 0) {
        rc = ends[1] = urd_accept(listener, NULL, NULL);
        if (rc < 0)
            MUST(urd_close(ends[0]) == 0);
    }
    MUST(urd_close(listener) == 0);
    return rc < 0 ? rc : 0;
}

static int streams(void *arg)
{
    (void)arg;
    stream st;
    int rc = through(urd_pair(st.ends), &st, URD_TASK, URD_TASK);
    rc = rc ? rc : through(urd_pipe(st.ends), &st, URD_THREAD, URD_TASK);
    rc = rc ? rc : through(urd_pipe(st.ends), &st, URD_TASK, URD_THREAD);
    return rc ? rc : through(connection(st.ends), &st, URD_TASK, URD_TASK);
}

TEST(streams_arrive_whole_where_calls_stumble)
{
    stumble(streams);
}

TEST(streams_survive_each_way_a_call_fails)
{
    fail_calls(streams, ENDED);
}

/* ---- Messages -------------------------------------------------------------------------------- */

/* A descriptor goes to the other side and what is written to it comes back. */
static int pass_descriptor(const int pair[2])
{
    int ends[2], got, rc = urd_pipe(ends);
    if (rc)
        return rc;
    rc = urd_unix_send_fd(pair[0], ends[1]);
    if (rc == 0) {
        got = urd_unix_recv_fd(pair[1]);
        char letter = 0;
        ssize_t n = got < 0 ? got : urd_write(got, "f", 1);
        n = n < 0 ? n : urd_read(ends[0], &letter, 1);
        MUST(n < 0 || (n == 1 && letter == 'f'));
        rc = n < 0 ? (int)n : 0;
        if (got >= 0)
            MUST(urd_close(got) == 0);
    }
    close_both(ends);
    return rc;
}

static int datagram(int server, int client)
{
    struct sockaddr_in from;
    unsigned size = sizeof from;
    unsigned char sent[PIECE], got[PIECE];
    fill(sent, 5);
    ssize_t n = urd_write(client, sent, PIECE);
    n = n < 0 ? n : urd_recvfrom(server, got, PIECE, 0, (struct sockaddr *)&from, &size);
    MUST(n < 0 || (n == PIECE && memcmp(sent, got, PIECE) == 0));
    n = n < 0 ? n : urd_sendto(server, got, 10, 0, (struct sockaddr *)&from, size);
    n = n < 0 ? n : urd_recv(client, got, PIECE, 0);
    MUST(n < 0 || (n == 10 && memcmp(sent, got, 10) == 0));
    return n < 0 ? (int)n : 0;
}

static int datagrams(void)
{
    urd_address at;
    int server = urd_udp_open("127.0.0.1", 0), client = -1;
    if (server < 0)
        return server;
    int rc = urd_address_local(server, &at);
    if (rc == 0)
        rc = client = urd_udp_dial("127.0.0.1", urd_address_port(&at));
    rc = rc < 0 ? rc : datagram(server, client);
    if (client >= 0)
        MUST(urd_close(client) == 0);
    MUST(urd_close(server) == 0);
    return rc;
}

static int messages(void *arg)
{
    (void)arg;
    int pair[2], rc = urd_pair(pair);
    if (rc)
        return rc;
    rc = pass_descriptor(pair);
    close_both(pair);
    return rc ? rc : datagrams();
}

static int messages_as_both(void *arg)
{
    return as_both(messages, arg);
}

TEST(messages_and_descriptors_arrive_where_calls_stumble)
{
    stumble(messages_as_both);
}

TEST(messages_and_descriptors_survive_each_way_a_call_fails)
{
    fail_calls(messages_as_both, NULL);
}

/* ---- A server -------------------------------------------------------------------------------- */

enum { CLIENTS = 3, LINES = 5, BUFFER = 64 };

typedef struct service {
    urd_address at;
    urd_event stop;
    int listener, served, left; /* the latter two atomic */
    bool taken;                 /* the listener, by urd_serve */
} service;

/* Line by line, until the client has no more. */
static int answer(int fd, void *arg)
{
    service *s = arg;
    char in[BUFFER], out[BUFFER], *line;
    urd_reader r;
    urd_writer w;
    int rc;
    urd_reader_init(&r, urd_stream_fd(fd), in, sizeof in);
    urd_writer_init(&w, urd_stream_fd(fd), out, sizeof out);
    while ((rc = urd_reader_read_line(&r, &line, NULL)) == 1) {
        rc = urd_writer_print(&w, "<%s>\n", line);
        rc = rc ? rc : urd_writer_flush(&w);
        if (rc)
            break;
        urd__add_ar(&s->served, 1);
    }
    return rc;
}

static int serve(void *arg)
{
    service *s = arg;
    s->taken = true;
    urd_serve_options o = {.connections_max = 2, .stop = &s->stop, .grace_duration = URD_FOREVER};
    return urd_serve(&s->listener, 1, answer, s, &o);
}

static int ask(int fd)
{
    char in[BUFFER], text[BUFFER], *line;
    urd_reader r;
    int rc = 1;
    urd_reader_init(&r, urd_stream_fd(fd), in, sizeof in);
    for (int i = 0; i < LINES && rc == 1; i++) {
        int size = snprintf(text, sizeof text, "line %d\n", i * i);
        ssize_t n = urd_write_all(fd, text, (size_t)size);
        rc = n < 0 ? (int)n : urd_reader_read_line(&r, &line, NULL);
        snprintf(text, sizeof text, "<line %d>", i * i);
        MUST(rc != 1 || strcmp(line, text) == 0);
    }
    return rc == 1 ? 0 : rc == 0 ? -ECONNRESET : rc;
}

/* The last one to leave has the server stop. */
static int visit(void *arg)
{
    service *s = arg;
    int fd = urd_tcp_dial_any(&s->at, 1), rc = fd < 0 ? fd : ask(fd);
    if (fd >= 0)
        MUST(urd_close(fd) == 0);
    if (urd__sub_ar(&s->left, 1) == 1)
        urd_event_set(&s->stop);
    return rc;
}

static int server(void *arg)
{
    (void)arg;
    service sv = {.listener = urd_tcp_listen("127.0.0.1", 0, NULL), .left = CLIENTS};
    if (sv.listener < 0)
        return sv.listener;
    int rc = urd_address_local(sv.listener, &sv.at);
    urd_scope s;
    urd_scope_open(&s);
    /* Where each accept fails, no client is ever answered.  But on a busy machine what was sent is
     * under way while all wait, and the virtual clock moves on: that is no error. */
    if (!kernel.served && shared->fail_at)
        urd_scope_deadline(&s, urd_now() + 60 * URD_SECOND);
    if (rc == 0)
        urd_go(&s, serve, &sv);
    for (int i = 0; i < CLIENTS && rc == 0; i++)
        urd_go(&s, visit, &sv);
    int joined = urd_scope_join(&s);
    MUST(rc || joined || sv.served == CLIENTS * LINES);
    MUST(sv.taken || urd_close(sv.listener) == 0);
    bool early = joined == -ETIMEDOUT && !urd__load_acq(&shared->fired);
    return first_of(rc, early ? 0 : joined);
}

TEST(a_server_answers_every_line_where_calls_stumble_and_accepting_is_refused)
{
    kernel.served = true;
    stumble(server);
}

TEST(a_server_survives_each_way_a_call_fails)
{
    static const int also[] = {-EPIPE, -ECONNRESET, -ECONNREFUSED, -ETIMEDOUT, 0};
    fail_calls(server, also);
}

/* ---- Files ----------------------------------------------------------------------------------- */

static int copy_to_pipe(int from, const int ends[2])
{
    unsigned char got[PIECE];
    off_t at = 0;
    for (size_t place = 0; place < PIECE;) {
        ssize_t n = urd_sendfile(ends[1], from, &at, PIECE - place);
        n = n < 0 ? n : urd_read_exact(ends[0], got, (size_t)n);
        if (n < 0)
            return (int)n;
        MUST(n > 0 && (size_t)at == place + (size_t)n);
        for (ssize_t i = 0; i < n; i++)
            MUST(got[i] == byte_at(place + (size_t)i));
        place += (size_t)n;
    }
    return 0;
}

static int use_file(int fd)
{
    unsigned char bytes[PIECE], got[PIECE];
    fill(bytes, 0);
    ssize_t n = urd_write_all(fd, bytes, PIECE);
    for (off_t at = 0; at < PIECE && n >= 0; at += n)
        n = urd_pread(fd, got + at, (size_t)(PIECE - at), at);
    MUST(n < 0 || memcmp(bytes, got, PIECE) == 0);
    int ends[2], rc = n < 0 ? (int)n : urd_pipe(ends);
    if (rc)
        return rc;
    rc = copy_to_pipe(fd, ends);
    close_both(ends);
    return rc;
}

static int file(void *arg)
{
    (void)arg;
    char path[64];
    snprintf(path, sizeof path, "/tmp/urd-fail-kernel-%d", (int)getpid());
    int fd = urd_open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (fd < 0)
        return fd;
    int rc = use_file(fd);
    MUST(urd_close(fd) == 0);
    unlink(path);
    return rc;
}

static int file_as_both(void *arg)
{
    return as_both(file, arg);
}

TEST(files_are_whole_where_calls_stumble)
{
    stumble(file_as_both);
}

TEST(files_survive_each_way_a_call_fails)
{
    fail_calls(file_as_both, NULL);
}

/* ---- Between threads ------------------------------------------------------------------------- */

enum { VALUES = 60 };

static int send_values(void *arg)
{
    int rc = 0;
    for (int i = 0; i < VALUES && rc == 0; i++)
        rc = urd_chan_send(arg, &i);
    return rc;
}

static int receive_values(void *arg)
{
    int rc = 0;
    for (int i = 0, v = -1; i < VALUES && rc == 0; i++) {
        rc = i % 7 ? urd_chan_recv(arg, &v) : urd_sleep(URD_US);
        rc = rc || i % 7 ? rc : urd_chan_recv(arg, &v);
        MUST(rc || v == i);
    }
    return rc;
}

static int through_channels(void *arg)
{
    (void)arg;
    int slots[2];
    urd_chan meet, bounded;
    urd_chan_init(&meet, sizeof(int), NULL, 0);
    urd_chan_init(&bounded, sizeof(int), slots, 2);
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, send_values, &meet);
    urd_spawn(&s, URD_THREAD, receive_values, &meet, 0);
    urd_spawn(&s, URD_THREAD, send_values, &bounded, 0);
    urd_spawn(&s, URD_THREAD, receive_values, &bounded, 0);
    int rc = urd_scope_join(&s);
    urd_chan_fini(&meet);
    urd_chan_fini(&bounded);
    return rc;
}

TEST(values_come_in_order_where_waits_end_early)
{
    stumble(through_channels);
}

/* ---- A crowd --------------------------------------------------------------------------------- */

/* More waits in one round than a ring has places, all taken back at once. */
enum { WAITERS = 50, ARMS = 16 };

static int wait_in_vain(void *arg)
{
    urd_op ops[ARMS];
    for (int i = 0; i < ARMS; i++)
        ops[i] = urd_op_fd(*(const int *)arg, POLLIN);
    MUST(urd_select(ops, ARMS) == -ECANCELED);
    return 0;
}

static int crowd(void *arg)
{
    (void)arg;
    int ends[2], rc = urd_pair(ends);
    if (rc)
        return rc;
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_deadline(&s, urd_now() + URD_SECOND);
    for (int i = 0; i < WAITERS; i++)
        urd_go(&s, wait_in_vain, &ends[0]);
    rc = urd_scope_join(&s);
    close_both(ends);
    return rc == -ETIMEDOUT ? 0 : rc;
}

TEST(more_waits_than_fit_are_taken_back_where_calls_stumble)
{
    stumble(crowd);
}
