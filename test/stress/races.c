/*
 * races.c - cancels that race with data, connections and helpers: no byte is lost, none comes late.
 *
 * SPDX-License-Identifier: MIT
 *
 * Every call runs in a scope whose deadline comes about when the call would be done.  What is sent
 * is a sequence, so a byte that is lost, doubled or out of order is seen; so is a cancelled write
 * that wrote.  The buffer of a cancelled read is kept until some later one has got data, and must
 * then be as it was.
 *
 * URD_STRESS_SEEDS (2000) cancels or so for each backend, in runs of which each has its seed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/poller.h"
#include "test.h"

enum { RACES = 250, KINDS = 4, BYTES_MAX = 6000, WAIT_MAX = 4, UNTOUCHED = 0xEE, FILE_BYTES = 64 };

typedef struct side {
    int fd;
    uint64_t random;
    unsigned char next; /* of the sequence */
} side;

static side reader, writer;
static int cancelled; /* of the reader */

static uint64_t draw(side *s, uint64_t below)
{
    s->random = s->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (s->random >> 33) % below;
}

/* Mostly a few bytes; now and then more than fits on the way. */
static size_t some(side *s)
{
    return 1 + draw(s, draw(s, 4) == 0 ? BYTES_MAX : 8);
}

static void open_soon_over(side *s, urd_scope *scope)
{
    urd_scope_open(scope);
    urd_scope_deadline(scope, urd_now() + (urd_time)draw(s, WAIT_MAX));
}

static void check_result(ssize_t n, int joined)
{
    CHECK(n >= 0 || n == -ECANCELED);
    CHECK(joined == 0 || joined == -ETIMEDOUT);
    CHECK(n >= 0 || joined == -ETIMEDOUT);
}

/* ---- Streams --------------------------------------------------------------------------------- */

static ssize_t write_in_time(side *s, const unsigned char *bytes, size_t size)
{
    urd_scope scope;
    open_soon_over(s, &scope);
    ssize_t n = urd_write(s->fd, bytes, size);
    check_result(n, urd_scope_join(&scope));
    return n;
}

static int write_sequence(void *arg)
{
    static unsigned char bytes[BYTES_MAX];
    (void)arg;
    for (int i = 0; i < RACES; i++) {
        size_t size = some(&writer);
        for (size_t j = 0; j < size; j++)
            bytes[j] = (unsigned char)(writer.next + j);
        ssize_t n = write_in_time(&writer, bytes, size);
        writer.next = (unsigned char)(writer.next + (n > 0 ? n : 0));
        CHECK_EQ(urd_sleep((urd_time)draw(&writer, WAIT_MAX)), 0);
    }
    return urd_close(writer.fd);
}

static ssize_t read_in_time(side *s, unsigned char *bytes, size_t size)
{
    urd_scope scope;
    open_soon_over(s, &scope);
    ssize_t n = urd_read(s->fd, bytes, size);
    check_result(n, urd_scope_join(&scope));
    return n;
}

static void check_untouched_and_free(unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        CHECK_EQ(bytes[i], UNTOUCHED);
    free(bytes);
}

static int read_sequence(void *arg)
{
    (void)arg;
    unsigned char *late = NULL;
    size_t late_size = 0;
    for (;;) {
        size_t size = some(&reader);
        unsigned char *bytes = malloc(size);
        memset(bytes, UNTOUCHED, size);
        ssize_t n = read_in_time(&reader, bytes, size);
        for (ssize_t i = 0; i < n; i++)
            CHECK_EQ(bytes[i], reader.next++);
        if (n < 0) { /* the one before has waited for long enough */
            check_untouched_and_free(late, late_size);
            late = bytes;
            late_size = size;
            cancelled++;
            continue;
        }
        free(bytes);
        check_untouched_and_free(late, late_size);
        late = NULL;
        late_size = 0;
        if (n == 0)
            return urd_close(reader.fd);
    }
}

static void make_ends(int kind, int ends[2])
{
    if (kind == 0) {
        CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
        CHECK_GT(fcntl(ends[1], F_SETPIPE_SZ, 4096), 0);
    } else if (kind == 1) {
        CHECK_EQ(urd_pair(ends), 0);
    } else {
        urd_address at;
        int listener = urd_tcp_listen("127.0.0.1", 0, NULL);
        CHECK_EQ(urd_address_local(listener, &at), 0);
        ends[1] = urd_tcp_dial_any(&at, 1);
        CHECK_GE(ends[1], 0);
        ends[0] = urd_accept(listener, NULL, NULL);
        CHECK_GE(ends[0], 0);
        CHECK_EQ(urd_close(listener), 0);
    }
}

static int race_streams(void *arg)
{
    int ends[2], kind = *(int *)arg;
    make_ends(kind, ends);
    reader = (side){.fd = ends[0], .random = test_random(UINT64_MAX)};
    writer = (side){.fd = ends[1], .random = test_random(UINT64_MAX)};
    urd_scope s;
    urd_scope_open(&s);
    CHECK_EQ(urd_spawn(&s, test_random(3) ? URD_TASK : URD_THREAD, read_sequence, NULL, 0), 0);
    CHECK_EQ(urd_spawn(&s, test_random(3) ? URD_TASK : URD_THREAD, write_sequence, NULL, 0), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(reader.next, writer.next);
    return 0;
}

/* ---- Connections and files ------------------------------------------------------------------- */

enum { DIALS = 20 };
static urd_address address;

static int dial_many(void *arg)
{
    (void)arg;
    for (int i = 0; i < DIALS; i++) {
        int fd = urd_tcp_dial_any(&address, 1);
        CHECK_GE(fd, 0);
        CHECK_EQ(urd_sleep((urd_time)draw(&writer, WAIT_MAX)), 0);
        CHECK_EQ(urd_close(fd), 0);
    }
    return 0;
}

static int accept_many(void *arg)
{
    (void)arg;
    for (int accepted = 0; accepted < DIALS;) {
        urd_scope scope;
        open_soon_over(&reader, &scope);
        int fd = urd_accept(reader.fd, NULL, NULL);
        check_result(fd, urd_scope_join(&scope));
        cancelled += fd < 0;
        accepted += fd >= 0;
        if (fd >= 0)
            CHECK_EQ(urd_close(fd), 0);
    }
    return urd_close(reader.fd);
}

/* A helper begins or is cancelled: all of the file is there, or nothing has come. */
static int race_helpers(void *arg)
{
    (void)arg;
    char path[] = "/tmp/urd-races-XXXXXX";
    unsigned char bytes[FILE_BYTES], twin[FILE_BYTES];
    int fd = mkstemp(path);
    CHECK_EQ(unlink(path), 0);
    for (int i = 0; i < RACES / 10; i++) {
        urd_scope scope;
        memset(bytes, i, sizeof bytes);
        open_soon_over(&reader, &scope);
        ssize_t n = urd_pwrite(fd, bytes, sizeof bytes, i * FILE_BYTES);
        int rc = n > 0 ? urd_fsync(fd) : 0;
        CHECK(rc == 0 || rc == -ECANCELED);
        int joined = urd_scope_join(&scope);
        check_result(n, joined);
        ssize_t there = urd_pread(fd, twin, sizeof twin, i * FILE_BYTES);
        CHECK_EQ(there, n < 0 ? 0 : n);
        CHECK(n < 0 || memcmp(bytes, twin, sizeof twin) == 0);
        if (n < 0)
            CHECK_EQ(urd_pwrite(fd, bytes, sizeof bytes, i * FILE_BYTES), FILE_BYTES);
    }
    return urd_close(fd);
}

static int race_connections(void *arg)
{
    (void)arg;
    reader = (side){.random = test_random(UINT64_MAX)};
    writer = (side){.random = test_random(UINT64_MAX)};
    reader.fd = urd_tcp_listen("127.0.0.1", 0, NULL);
    CHECK_EQ(urd_address_local(reader.fd, &address), 0);
    urd_scope s;
    urd_scope_open(&s);
    CHECK_EQ(urd_go(&s, accept_many, NULL), 0);
    CHECK_EQ(urd_go(&s, dial_many, NULL), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    return race_helpers(arg);
}

/* ---- All ------------------------------------------------------------------------------------- */

static void race(urd_io io)
{
    const char *text = getenv("URD_STRESS_SEEDS");
    long races = text ? strtol(text, NULL, 10) : 2000;
    if (!urd__poller_backend(io))
        SKIP("there is no such backend here");
    if (test_under_slow_tool())
        races /= 4;
    TEST_SEEDS(UINT64_MAX)
    {
        int kind = (int)(test_seed() % KINDS);
        urd_config config = {.workers = test_seed() % 8 < 4 ? 1 : 3,
                             .seed = test_seed(),
                             .virtual_clock = true,
                             .processes = URD_PROCESSES_NONE,
                             .io = io};
        test_run_with(&config, kind < 3 ? race_streams : race_connections, &kind);
        if (cancelled >= races)
            break;
    }
    printf("seeds 1 to %llu, %d cancels\n", (unsigned long long)test_seed(), cancelled);
}

TEST(cancels_that_race_lose_nothing_by_epoll)
{
    race(URD_IO_EPOLL);
}

TEST(cancels_that_race_lose_nothing_by_io_uring)
{
    race(URD_IO_URING);
}
