/*
 * churn.h - connections come, talk, are cut, cancelled and late, and nothing of them stays.
 *
 * SPDX-License-Identifier: MIT
 *
 * For a program that says what is between the descriptor and those who talk, by the functions
 * wire_... below.  On real loopback, threads and clock, for URD_STRESS_SECONDS (1), half of it on
 * each backend.  A round is a server, clients of all kinds, and the end of both: then descriptors
 * and memory must be what they were after the first rounds, in which whatever is kept for use again
 * was made.
 */
#ifndef TEST_STRESS_CHURN_H
#define TEST_STRESS_CHURN_H

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/atomic.h"
#include "io/poller.h"
#include "test.h"

enum { AT_ONCE = 40, MESSAGE_MAX = 8000, MESSAGES = 6, KINDS = 7, FIRST_ROUNDS = 8 };
enum { RESIDENT_SLACK = 16 << 20 };

/* One end of a connection. */
typedef struct wire {
    int fd;
    urd_stream stream;
    void *more; /* what the program keeps */
} wire;

static int clients_of_a_round; /* set by the program */
static long heap_slack = 256 << 10;

/* Of a descriptor: 0, -errno.  And its end, which leaves the descriptor open. */
static int wire_open(wire *w, int fd, bool server);
static void wire_close(wire *w);
/* No more will be written. */
static int wire_shut(wire *w);

static struct {
    urd_address at;
    urd_event stop;
    int listener;
    uint64_t random; /* atomic */
    int whole, cut;  /* atomic: clients that were done, and that were cut short */
} now;

static uint64_t draw(uint64_t below)
{
    uint64_t x = (uint64_t)urd__add_ar(&now.random, 1) * UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    return (x ^ (x >> 31)) % below;
}

/* ---- The server ------------------------------------------------------------------------------ */

static ssize_t write_all(const wire *w, const void *bytes, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = w->stream.write(w->stream.context, (const char *)bytes + done, size - done);
        if (n < 0)
            return n;
        done += (size_t)n;
    }
    return (ssize_t)size;
}

static ssize_t read_exact(const wire *w, void *bytes, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = w->stream.read(w->stream.context, (char *)bytes + done, size - done);
        if (n <= 0)
            return n < 0 ? n : done ? -ENODATA : 0;
        done += (size_t)n;
    }
    return (ssize_t)size;
}

static int echo(int fd, void *arg)
{
    char bytes[2048];
    wire w;
    (void)arg;
    ssize_t n = wire_open(&w, fd, true);
    if (n)
        return (int)n;
    while ((n = w.stream.read(w.stream.context, bytes, sizeof bytes)) > 0) {
        n = write_all(&w, bytes, (size_t)n);
        if (n < 0)
            break;
    }
    wire_close(&w);
    return (int)n;
}

static int serve(void *arg)
{
    (void)arg;
    urd_serve_options o = {.stop = &now.stop, .grace_duration = 60 * URD_SECOND};
    return urd_serve(&now.listener, 1, echo, NULL, &o);
}

/* ---- Clients --------------------------------------------------------------------------------- */

static unsigned char byte_at(size_t place)
{
    return (unsigned char)(place * 7 + place / 251);
}

static int ask(const wire *w, size_t size)
{
    unsigned char sent[MESSAGE_MAX], got[MESSAGE_MAX];
    for (size_t i = 0; i < size; i++)
        sent[i] = byte_at(size + i);
    ssize_t n = write_all(w, sent, size);
    n = n < 0 ? n : read_exact(w, got, size);
    CHECK(n < 0 || ((size_t)n == size && memcmp(sent, got, size) == 0));
    return n < 0 ? (int)n : 0;
}

static int talk(wire *w)
{
    int rc = 0;
    for (int i = 0; i < MESSAGES && rc == 0; i++)
        rc = ask(w, 1 + draw(draw(4) ? 64 : MESSAGE_MAX));
    return rc;
}

static int send_and_shut(wire *w)
{
    char bytes[MESSAGE_MAX] = "", rest[MESSAGE_MAX];
    ssize_t n = write_all(w, bytes, sizeof bytes);
    int rc = n < 0 ? (int)n : wire_shut(w);
    n = rc ? rc : read_exact(w, rest, sizeof rest);
    CHECK(n < 0 || n == MESSAGE_MAX);
    n = n < 0 ? n : w->stream.read(w->stream.context, rest, 1);
    return (int)n;
}

static int wait_with_others(wire *w)
{
    urd_op ops[] = {urd_op_fd(w->fd, POLLIN), urd_op_until(urd_now() + URD_MS)};
    int arm = urd_select(ops, 2);
    return arm < 0 ? arm : arm == 0 ? -EPROTO : 0; /* nothing was sent, so nothing comes */
}

/* Its end is left to what is unread. */
static int leave(wire *w)
{
    ssize_t n = w->stream.write(w->stream.context, "farewell", 8);
    return n < 0 ? (int)n : 0;
}

static int be_client(uint64_t kind)
{
    if (kind == 0) {
        urd_address closed;
        CHECK_EQ(urd_address_parse(&closed, "127.0.0.1", 1), 0);
        int refused = urd_tcp_dial_any(&closed, 1);
        CHECK(refused == -ECONNREFUSED || refused == -ECANCELED);
        return refused == -ECONNREFUSED ? 0 : refused;
    }
    int fd = urd_tcp_dial_any(&now.at, 1);
    if (fd < 0)
        return fd;
    wire w;
    int rc = wire_open(&w, fd, false);
    if (rc == 0) {
        rc = kind == 1   ? leave(&w)
             : kind == 2 ? send_and_shut(&w)
             : kind == 3 ? wait_with_others(&w)
                         : talk(&w);
        wire_close(&w);
    }
    CHECK_EQ(urd_close(fd), 0);
    return rc;
}

/* Half of them in time, and half of them perhaps not. */
static int visit(void *arg)
{
    (void)arg;
    urd_scope s;
    bool hurried = draw(2);
    urd_scope_open(&s);
    if (hurried)
        urd_scope_deadline(&s, urd_now() + (urd_time)draw(2000) * URD_US);
    int rc = be_client(draw(KINDS)), over = urd_scope_join(&s);
    CHECK(rc == 0 || (hurried && rc == -ECANCELED && over == -ETIMEDOUT));
    urd__add_ar(rc ? &now.cut : &now.whole, 1);
    return 0;
}

/* ---- What stays ------------------------------------------------------------------------------ */

typedef struct left {
    long fds, heap, resident;
} left;

static long resident_bytes(void)
{
    long size = 0, pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    CHECK(file && fscanf(file, "%ld %ld", &size, &pages) == 2);
    fclose(file);
    return pages * sysconf(_SC_PAGESIZE);
}

static left look_around(void)
{
    return (left){
        .fds = test_fd_count(), .heap = (long)mallinfo2().uordblks, .resident = resident_bytes()};
}

static long larger(long a, long b)
{
    return a > b ? a : b;
}

static void round_of(void)
{
    urd_scope s;
    now.stop = (urd_event){0};
    now.listener = urd_tcp_listen("127.0.0.1", 0, NULL);
    CHECK_GE(now.listener, 0);
    CHECK_EQ(urd_address_local(now.listener, &now.at), 0);
    urd_scope_open(&s);
    CHECK_EQ(urd_go(&s, serve, NULL), 0);
    urd_scope clients;
    urd_scope_open(&clients);
    urd_scope_limit(&clients, AT_ONCE);
    for (int i = 0; i < clients_of_a_round; i++)
        CHECK_EQ(urd_go(&clients, visit, NULL), 0);
    CHECK_EQ(urd_scope_join(&clients), 0);
    urd_event_set(&now.stop);
    CHECK_EQ(urd_scope_join(&s), 0);
}

static int churn(void *arg)
{
    urd_time end = urd_now() + *(const urd_time *)arg;
    left most = {0}, after = {0};
    long rounds = 0;
    for (; rounds <= FIRST_ROUNDS || urd_now() < end; rounds++) {
        round_of();
        after = look_around();
        if (rounds < FIRST_ROUNDS) {
            most = (left){larger(most.fds, after.fds), larger(most.heap, after.heap),
                          larger(most.resident, after.resident)};
            continue;
        }
        CHECK_LE(after.fds, most.fds);
        if (test_under_slow_tool()) /* which has an allocator and memory of its own */
            continue;
        CHECK_LE(after.heap, most.heap + heap_slack);
        CHECK_LE(after.resident, most.resident + RESIDENT_SLACK);
    }
    printf(
        "%ld rounds, %d clients served, %d cut short; %ld descriptors, %ld then %ld KiB of heap, "
        "%ld then %ld KiB resident\n",
        rounds, now.whole, now.cut, after.fds, most.heap >> 10, after.heap >> 10,
        most.resident >> 10, after.resident >> 10);
    return 0;
}

static void churn_by(urd_io io)
{
    const char *text = getenv("URD_STRESS_SECONDS");
    urd_time duration = (text ? strtol(text, NULL, 10) : 1) * URD_SECOND / 2;
    urd_config config = {.workers = 2, .processes = URD_PROCESSES_NONE, .io = io};
    if (!urd__poller_backend(io))
        SKIP("there is no such backend here");
    test_run_with(&config, churn, &duration);
}

#endif
