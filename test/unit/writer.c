/*
 * writer.c - all that is written arrives in order, once, in large pieces, or the writer says why.
 *
 * SPDX-License-Identifier: MIT
 */
#include "backends.h"

/* ---- A stream that takes bytes in pieces of any size ----------------------------------------- */

typedef struct sink {
    char got[1024];
    size_t size;
    size_t piece; /* at most so many at once; 0: all */
    size_t calls, fails;
    int error; /* of the call number `fails`, counted from 1 */
} sink;

static ssize_t take_piece(void *context, const void *buf, size_t size)
{
    sink *s = context;
    if (++s->calls == s->fails)
        return s->error;
    size_t n = s->piece && s->piece < size ? s->piece : size;
    CHECK_LE(s->size + n, sizeof s->got);
    memcpy(s->got + s->size, buf, n);
    s->size += n;
    return (ssize_t)n;
}

static urd_stream into(sink *s, size_t piece)
{
    *s = (sink){.piece = piece};
    return (urd_stream){.write = take_piece, .context = s};
}

static void check_got(const sink *s, const char *expected)
{
    CHECK_EQ(s->size, strlen(expected));
    CHECK_EQ(memcmp(s->got, expected, s->size), 0);
}

/* ---- Gathering ------------------------------------------------------------------------------- */

TEST(nothing_is_written_before_the_buffer_is_full_or_flushed)
{
    sink s;
    urd_writer w;
    char buf[8];
    urd_writer_init(&w, into(&s, 0), buf, sizeof buf);
    CHECK_EQ(urd_writer_flush(&w), 0); /* nothing to do */
    CHECK_EQ(urd_writer_write(&w, "abc", 3), 0);
    CHECK_EQ(urd_writer_write(&w, "", 0), 0);
    CHECK_EQ(urd_writer_write(&w, "defgh", 5), 0);
    CHECK_EQ(s.calls, 0);
    CHECK_EQ(urd_writer_write(&w, "i", 1), 0);
    check_got(&s, "abcdefgh");
    CHECK_EQ(urd_writer_flush(&w), 0);
    check_got(&s, "abcdefghi");
    CHECK_EQ(s.calls, 2);
}

TEST(more_than_fits_goes_past_the_buffer_behind_what_is_in_it)
{
    sink s;
    urd_writer w;
    char buf[4];
    for (size_t piece = 0; piece < 5; piece++) {
        urd_writer_init(&w, into(&s, piece), buf, sizeof buf);
        CHECK_EQ(urd_writer_write(&w, "ab", 2), 0);
        CHECK_EQ(urd_writer_write(&w, "cdefghij", 8), 0);
        check_got(&s, "abcdefghij");
        CHECK_EQ(urd_writer_write(&w, "kl", 2), 0);
        CHECK_EQ(urd_writer_flush(&w), 0);
        check_got(&s, "abcdefghijkl");
    }
}

TEST(what_is_printed_fits_or_is_refused_whole)
{
    sink s;
    urd_writer w;
    char buf[8];
    urd_writer_init(&w, into(&s, 0), buf, sizeof buf);
    CHECK_EQ(urd_writer_print(&w, "%d-%s", 12, "ab"), 0);
    CHECK_EQ(s.calls, 0);
    CHECK_EQ(urd_writer_print(&w, "%s", "1234567"), 0); /* as long as can be, with the NUL */
    check_got(&s, "12-ab");
    CHECK_EQ(urd_writer_print(&w, "%s", "12345678"), -EMSGSIZE);
    CHECK_EQ(urd_writer_print(&w, "%s", ""), 0);
    CHECK_EQ(urd_writer_flush(&w), 0);
    check_got(&s, "12-ab1234567");
}

/* ---- Errors ---------------------------------------------------------------------------------- */

TEST(a_cancel_at_any_write_loses_and_doubles_nothing)
{
    for (size_t fails = 1; fails < 30; fails++) {
        sink s;
        urd_writer w;
        char buf[8];
        int cancels = 0;
        urd_writer_init(&w, into(&s, 1), buf, sizeof buf);
        s.fails = fails;
        s.error = -ECANCELED;
        static const char *const words[] = {"one ", "two ", "three ", "four "};
        for (int i = 0; i < 4; i++) {
            int rc = i % 2 ? urd_writer_print(&w, "%s", words[i])
                           : urd_writer_write(&w, words[i], strlen(words[i]));
            CHECK(rc == 0 || rc == -ECANCELED);
            cancels += rc != 0;
            i -= rc != 0; /* none of it was taken: again */
        }
        for (int rc = 1; rc; cancels += rc != 0)
            rc = urd_writer_flush(&w);
        check_got(&s, "one two three four ");
        CHECK_EQ(cancels, fails <= 19);
    }
}

TEST(any_other_error_breaks_the_writer_for_good)
{
    sink s;
    urd_writer w;
    char buf[4];
    urd_writer_init(&w, into(&s, 1), buf, sizeof buf);
    s.fails = 2;
    s.error = -EPIPE;
    CHECK_EQ(urd_writer_write(&w, "abc", 3), 0);
    CHECK_EQ(urd_writer_flush(&w), -EPIPE);
    CHECK_EQ(urd_writer_flush(&w), -EPIPE);
    CHECK_EQ(urd_writer_write(&w, "d", 1), -EPIPE);
    CHECK_EQ(urd_writer_write(&w, "0123456789", 10), -EPIPE);
    CHECK_EQ(urd_writer_print(&w, "d"), -EPIPE);
    check_got(&s, "a");
    CHECK_EQ(s.calls, 2); /* and it is not tried again */
}

TEST(a_cancel_in_the_midst_of_more_than_fits_breaks_it_too)
{
    sink s;
    urd_writer w;
    char buf[4];
    for (size_t fails = 1; fails <= 2; fails++) {
        urd_writer_init(&w, into(&s, 1), buf, sizeof buf);
        s.fails = fails;
        s.error = -ECANCELED;
        CHECK_EQ(urd_writer_write(&w, "abcdefgh", 8), -ECANCELED);
        if (fails == 1) { /* none of it was gone */
            CHECK_EQ(urd_writer_write(&w, "abcdefgh", 8), 0);
            check_got(&s, "abcdefgh");
        } else {
            CHECK_EQ(urd_writer_flush(&w), -ECANCELED);
            CHECK_EQ(urd_writer_write(&w, "x", 1), -ECANCELED);
            check_got(&s, "a");
        }
    }
}

static void init_without_a_buffer(void)
{
    urd_writer w;
    urd_writer_init(&w, urd_stream_fd(1), NULL, 0);
}

TEST(a_buffer_of_no_bytes_aborts)
{
    CHECK_ABORTS(init_without_a_buffer, "urd_writer_init: a buffer of no bytes");
}

/* ---- On descriptors, as tasks and threads ---------------------------------------------------- */

enum { LINES = 20000 };
static int ends[2];

static int write_lines(void *arg)
{
    (void)arg;
    char buf[256];
    urd_writer w;
    urd_writer_init(&w, urd_stream_fd(ends[1]), buf, sizeof buf);
    for (int i = 0; i < LINES; i++)
        CHECK_EQ(urd_writer_print(&w, "line %d\n", i), 0);
    CHECK_EQ(urd_writer_flush(&w), 0);
    return urd_close(ends[1]);
}

static int read_lines(void *arg)
{
    (void)arg;
    char buf[100], *line, expected[32];
    urd_reader r;
    urd_reader_init(&r, urd_stream_fd(ends[0]), buf, sizeof buf);
    for (int i = 0; i < LINES; i++) {
        CHECK_EQ(urd_reader_read_line(&r, &line, NULL), 1);
        snprintf(expected, sizeof expected, "line %d", i);
        CHECK_STR(line, expected);
    }
    CHECK_EQ(urd_reader_read_line(&r, &line, NULL), 0);
    return urd_close(ends[0]);
}

static int both_ends(void *arg)
{
    (void)arg;
    for (int kind = URD_TASK; kind <= URD_THREAD; kind++) {
        make_pair(ends);
        urd_scope s;
        urd_scope_open(&s);
        CHECK_EQ(urd_spawn(&s, (urd_kind)kind, write_lines, NULL, 0), 0);
        CHECK_EQ(urd_spawn(&s, (urd_kind)(1 - kind), read_lines, NULL, 0), 0);
        CHECK_EQ(urd_scope_join(&s), 0);
    }
    return 0;
}

TEST(lines_that_are_written_are_the_lines_that_are_read)
{
    run_io(1, both_ends);
}

/* Nobody reads: the buffer and the kernel's fill up, and then the writer waits. */
static int press(void *arg)
{
    char buf[4096];
    urd_writer *w = arg;
    for (size_t i = 0; i < sizeof buf; i++)
        buf[i] = 'x';
    for (;;) {
        int rc = urd_writer_write(w, buf, sizeof buf);
        if (rc)
            return rc;
    }
}

static int under_pressure(void *arg)
{
    (void)arg;
    char buf[8192], got[4096];
    urd_writer w;
    make_pair(ends);
    urd_writer_init(&w, urd_stream_fd(ends[1]), buf, sizeof buf);
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_deadline(&s, urd_now() + URD_SECOND);
    CHECK_EQ(urd_go(&s, press, &w), 0);
    CHECK_EQ(urd_scope_join(&s), -ETIMEDOUT);
    urd_scope_open(&s);
    urd_scope_deadline(&s, urd_now() + URD_SECOND);
    CHECK_EQ(urd_writer_flush(&w), -ECANCELED);
    CHECK_EQ(urd_scope_join(&s), -ETIMEDOUT);
    CHECK_EQ(urd_read_exact(ends[0], got, sizeof got), (ssize_t)sizeof got); /* some room */
    CHECK_EQ(urd_close(ends[0]), 0);
    CHECK_EQ(urd_writer_flush(&w), -EPIPE);
    CHECK_EQ(urd_writer_flush(&w), -EPIPE);
    return urd_close(ends[1]);
}

TEST(a_peer_that_does_not_read_holds_the_writer_until_the_deadline)
{
    run_io(3, under_pressure);
}
