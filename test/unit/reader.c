/*
 * reader.c - lines, marks and sizes come out as they went in, however the bytes arrive.
 *
 * SPDX-License-Identifier: MIT
 */
#include "backends.h"

/* ---- A stream that gives its bytes in pieces of any size ------------------------------------- */

typedef struct script {
    const char *bytes;
    size_t size, at;
    size_t piece; /* at most so many at once; 0: any number */
    size_t fails; /* of calls: this one, counted from 1, and none after it; 0: none */
    int error;    /* with which */
    size_t calls;
} script;

static ssize_t give_piece(void *context, void *buf, size_t size)
{
    script *s = context;
    if (++s->calls == s->fails)
        return s->error;
    size_t n = s->size - s->at < size ? s->size - s->at : size;
    size_t most = s->piece ? s->piece : 1 + (size_t)test_random(7);
    n = n < most ? n : most;
    memcpy(buf, s->bytes + s->at, n);
    s->at += n;
    return (ssize_t)n;
}

static urd_stream play(script *s, const char *bytes, size_t size, size_t piece)
{
    *s = (script){.bytes = bytes, .size = size, .piece = piece};
    return (urd_stream){.read = give_piece, .context = s};
}

static urd_stream play_text(script *s, const char *text, size_t piece)
{
    return play(s, text, strlen(text), piece);
}

/* ---- Lines ----------------------------------------------------------------------------------- */

static void check_line(urd_reader *r, const char *expected)
{
    char *line;
    size_t length;
    CHECK_EQ(urd_reader_read_line(r, &line, &length), 1);
    CHECK_STR(line, expected);
    CHECK_EQ(length, strlen(expected));
}

static void check_end(urd_reader *r)
{
    char *line;
    CHECK_EQ(urd_reader_read_line(r, &line, NULL), 0);
    CHECK_EQ(urd_reader_read_line(r, &line, NULL), 0); /* and stays so */
}

TEST(lines_come_without_their_ends_whatever_the_pieces)
{
    script s;
    urd_reader r;
    char buf[8];
    for (size_t piece = 1; piece <= 8; piece++) {
        urd_reader_init(&r, play_text(&s, "one\ntwo\r\n\n\r\n\rsix\r\r\nend", piece), buf,
                        sizeof buf);
        check_line(&r, "one");
        check_line(&r, "two");
        check_line(&r, "");
        check_line(&r, "");
        check_line(&r, "\rsix\r");
        check_line(&r, "end"); /* which has no end of its own */
        check_end(&r);
    }
    urd_reader_init(&r, play_text(&s, "", 1), buf, sizeof buf);
    check_end(&r);
}

TEST(a_line_may_hold_NULs_and_fill_the_buffer)
{
    script s;
    urd_reader r;
    char buf[8], *line;
    size_t length;
    urd_reader_init(&r, play(&s, "a\0b\n123456\n123456", 17, 3), buf, sizeof buf);
    CHECK_EQ(urd_reader_read_line(&r, &line, &length), 1);
    CHECK_EQ(length, 3);
    CHECK_EQ(memcmp(line, "a\0b", 4), 0);
    check_line(&r, "123456");
    check_line(&r, "123456");
    check_end(&r);
}

TEST(a_line_that_does_not_fit_is_EMSGSIZE_and_nothing_of_it_is_taken)
{
    script s;
    urd_reader r;
    char buf[8], *line, got[8] = "";
    for (size_t piece = 1; piece <= 8; piece++) {
        urd_reader_init(&r, play_text(&s, "1234567\nnext\n", piece), buf, sizeof buf);
        CHECK_EQ(urd_reader_read_line(&r, &line, NULL), -EMSGSIZE);
        CHECK_EQ(urd_reader_read_line(&r, &line, NULL), -EMSGSIZE);
        CHECK_EQ(urd_reader_read_exact(&r, got, 7), 7); /* what now? as one likes */
        CHECK_STR(got, "1234567");
        check_line(&r, "");
        check_line(&r, "next");
        check_end(&r);
    }
}

/* ---- Marks ----------------------------------------------------------------------------------- */

TEST(a_mark_is_found_across_pieces_and_comes_with_what_was_before_it)
{
    script s;
    urd_reader r;
    char buf[16], *out;
    for (size_t piece = 1; piece <= 16; piece++) {
        urd_reader_init(&r, play_text(&s, "a: b\r\n\r\n\r\r\n\r\r\n\r\nrest", piece), buf,
                        sizeof buf);
        CHECK_EQ(urd_reader_read_until(&r, "\r\n\r\n", 4, &out), 8);
        CHECK_EQ(memcmp(out, "a: b\r\n\r\n", 8), 0);
        CHECK_EQ(urd_reader_read_until(&r, "\r\n\r\n", 4, &out), 8);
        CHECK_EQ(memcmp(out, "\r\r\n\r\r\n\r\n", 8), 0);
        CHECK_EQ(urd_reader_read_until(&r, "\r\n\r\n", 4, &out), -ENODATA);
        check_line(&r, "rest"); /* not taken */
        CHECK_EQ(urd_reader_read_until(&r, "\r\n\r\n", 4, &out), 0);
    }
}

TEST(a_mark_beyond_the_buffer_is_EMSGSIZE_and_one_of_no_bytes_EINVAL)
{
    script s;
    urd_reader r;
    char buf[4], *out;
    urd_reader_init(&r, play_text(&s, "abcd", 0), buf, sizeof buf);
    CHECK_EQ(urd_reader_read_until(&r, "d", 1, &out), -EMSGSIZE);
    CHECK_EQ(urd_reader_read_until(&r, "c", 1, &out), 3);
    CHECK_EQ(urd_reader_read_until(&r, "d", 0, &out), -EINVAL);
    CHECK_EQ(urd_reader_read_until(&r, "dddd", 4, &out), -EMSGSIZE);
    CHECK_EQ(urd_reader_read_until(&r, "d", 1, &out), 1);
}

/* ---- Sizes, and looking ahead ---------------------------------------------------------------- */

TEST(exactly_so_many_bytes_or_an_end_before_or_in_between)
{
    script s;
    urd_reader r;
    char buf[4], got[8] = "";
    for (size_t piece = 1; piece <= 8; piece++) {
        for (size_t size = 1; size <= 6; size++) {
            urd_reader_init(&r, play_text(&s, "xabcdef", piece), buf, sizeof buf);
            CHECK_EQ(urd_reader_read_exact(&r, got, 0), 0);
            CHECK_EQ(urd_reader_read_exact(&r, got, 1), 1); /* the rest may be in the buffer */
            CHECK_EQ(urd_reader_read_exact(&r, got, size), (ssize_t)size);
            CHECK_EQ(memcmp(got, "abcdef", size), 0);
            CHECK_EQ(urd_reader_read_exact(&r, got, 7), size < 6 ? -ENODATA : 0);
        }
    }
    urd_reader_init(&r, play_text(&s, "ab", 1), buf, sizeof buf);
    CHECK_EQ(urd_reader_read_exact(&r, got, 3), -ENODATA);
    CHECK_EQ(urd_reader_read_exact(&r, got, 2), 2); /* it fitted, so it was not taken */
    CHECK_EQ(urd_reader_read_exact(&r, got, 2), 0);
}

TEST(a_look_ahead_leaves_what_it_shows)
{
    script s;
    urd_reader r;
    char buf[8], *out;
    urd_reader_init(&r, play_text(&s, "GET /", 2), buf, sizeof buf);
    CHECK_EQ(urd_reader_peek(&r, 0, &out), 0); /* nothing is there, and it does not wait */
    CHECK_EQ(s.calls, 0);
    CHECK_EQ(urd_reader_peek(&r, 3, &out), 4);
    CHECK_EQ(memcmp(out, "GET ", 4), 0);
    CHECK_EQ(urd_reader_peek(&r, 0, &out), 4);
    urd_reader_skip(&r, 3);
    CHECK_EQ(urd_reader_peek(&r, 7, &out), 2); /* the end */
    CHECK_EQ(memcmp(out, " /", 2), 0);
    CHECK_EQ(urd_reader_peek(&r, 8, &out), -EMSGSIZE);
    urd_reader_skip(&r, 2);
    CHECK_EQ(urd_reader_peek(&r, 1, &out), 0);
}

TEST(a_read_takes_what_is_there_and_large_ones_pass_the_buffer)
{
    script s;
    urd_reader r;
    char buf[8], got[32], *out;
    urd_reader_init(&r, play_text(&s, "abcdefghijklmnop", 16), buf, sizeof buf);
    CHECK_EQ(urd_reader_read(&r, got, 0), 0);
    CHECK_EQ(urd_reader_read(&r, got, 2), 2);
    CHECK_EQ(urd_reader_read(&r, got + 2, 30), 5); /* of the buffer alone */
    CHECK_EQ(s.calls, 1);
    CHECK_EQ(urd_reader_read(&r, got + 7, 25), 9);
    CHECK_EQ(s.calls, 2);
    CHECK_EQ(urd_reader_peek(&r, 0, &out), 0); /* it went by the buffer */
    CHECK_EQ(memcmp(got, "abcdefghijklmnop", 16), 0);
    CHECK_EQ(urd_reader_read(&r, got, 1), 0);
    CHECK_EQ(urd_reader_read(&r, got, 32), 0);
}

/* ---- Errors ---------------------------------------------------------------------------------- */

TEST(whatever_call_fails_nothing_is_taken_and_it_can_be_made_again)
{
    const char text[] = "first line\nsecond\nthird**abcd";
    for (size_t fails = 1; fails < 40; fails++) {
        script s;
        urd_reader r;
        char buf[16], *out, got[4];
        int rc, step = 0, errors = 0;
        urd_reader_init(&r, play_text(&s, text, 1), buf, sizeof buf);
        s.fails = fails;
        s.error = fails % 2 ? -ECANCELED : -ECONNRESET;
        while (step < 5) {
            if (step < 2)
                rc = urd_reader_read_line(&r, &out, NULL);
            else if (step == 2)
                rc = (int)urd_reader_read_until(&r, "**", 2, &out);
            else if (step == 3)
                rc = (int)urd_reader_read_exact(&r, got, 4);
            else
                rc = 1 + (int)urd_reader_read(&r, got, 1);
            errors += rc == s.error || rc == 1 + s.error;
            if (rc <= 0)
                continue;
            if (step < 2)
                CHECK_STR(out, step ? "second" : "first line");
            if (step == 2)
                CHECK_EQ(memcmp(out, "third**", 7), 0);
            if (step == 3)
                CHECK_EQ(memcmp(got, "abcd", 4), 0);
            step++;
        }
        CHECK_EQ(errors, fails <= strlen(text) + 1);
    }
}

static void init_too_small(void)
{
    urd_reader r;
    char buf[1];
    urd_reader_init(&r, urd_stream_fd(0), buf, sizeof buf);
}

static void skip_too_much(void)
{
    script s;
    urd_reader r;
    char buf[8], *out;
    urd_reader_init(&r, play_text(&s, "ab", 0), buf, sizeof buf);
    CHECK_EQ(urd_reader_peek(&r, 2, &out), 2);
    urd_reader_skip(&r, 3);
}

TEST(a_buffer_of_one_byte_and_a_skip_of_more_than_there_is_abort)
{
    CHECK_ABORTS(init_too_small, "urd_reader_init: a buffer of 1 bytes, at least 2");
    CHECK_ABORTS(skip_too_much, "urd_reader_skip: 3 bytes, of 2 that are there");
}

/* ---- Random texts, against a reader that is obviously right ---------------------------------- */

enum { TEXT = 400 };

TEST(random_texts_come_out_as_a_plain_search_finds_them)
{
    TEST_SEEDS(300)
    {
        char text[TEXT + 1], buf[64], *line;
        size_t size = 2 + (size_t)test_random(62), at = 0, length;
        script s;
        urd_reader r;
        for (int i = 0; i < TEXT; i++)
            text[i] = "abcdefg\n\r"[test_random(9)];
        text[TEXT] = '\0';
        urd_reader_init(&r, play(&s, text, TEXT, 0), buf, size);
        for (int rc; at < TEXT; at += length + 1) {
            const char *end = memchr(text + at, '\n', TEXT - at);
            length = end ? (size_t)(end - text) - at : TEXT - at;
            bool too_long = length + 1 > size - 1;
            rc = urd_reader_read_line(&r, &line, NULL);
            CHECK_EQ(rc, too_long ? -EMSGSIZE : 1);
            if (too_long)
                break;
            size_t shown = length - (end && length > 0 && text[at + length - 1] == '\r');
            CHECK_EQ(strlen(line), shown);
            CHECK_EQ(memcmp(line, text + at, shown), 0);
        }
    }
}

/* ---- On descriptors, as tasks and threads ---------------------------------------------------- */

static int ends[2];

static int say(void *arg)
{
    (void)arg;
    CHECK_EQ(urd_sleep(URD_SECOND), 0);
    CHECK_EQ(urd_write_all(ends[1], "hel", 3), 3);
    CHECK_EQ(urd_sleep(2 * URD_SECOND), 0);
    CHECK_EQ(urd_write_all(ends[1], "lo\n", 3), 3);
    return urd_close(ends[1]);
}

/* The deadline comes in the midst of a line, which then is still to be had. */
static int listen_twice(void *arg)
{
    (void)arg;
    char buf[16], *line;
    urd_reader r;
    urd_reader_init(&r, urd_stream_fd(ends[0]), buf, sizeof buf);
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_deadline(&s, urd_now() + 2 * URD_SECOND);
    CHECK_EQ(urd_reader_read_line(&r, &line, NULL), -ECANCELED);
    CHECK_EQ(urd_scope_join(&s), -ETIMEDOUT);
    check_line(&r, "hello");
    check_end(&r);
    return urd_close(ends[0]);
}

static int on_descriptors(void *arg)
{
    (void)arg;
    for (int kind = URD_TASK; kind <= URD_THREAD; kind++) {
        make_pair(ends);
        urd_scope s;
        urd_scope_open(&s);
        CHECK_EQ(urd_spawn(&s, (urd_kind)kind, listen_twice, NULL, 0), 0);
        CHECK_EQ(urd_go(&s, say, NULL), 0);
        CHECK_EQ(urd_scope_join(&s), 0);
    }
    return 0;
}

TEST(a_deadline_in_the_midst_of_a_line_loses_none_of_it)
{
    run_io(10, on_descriptors);
}

static int close_under(void *arg)
{
    (void)arg;
    CHECK_EQ(urd_sleep(URD_SECOND), 0);
    return urd_close(ends[0]);
}

static int read_closed(void *arg)
{
    (void)arg;
    char buf[16], *line;
    urd_reader r;
    urd_reader_init(&r, urd_stream_fd(ends[0]), buf, sizeof buf);
    CHECK_EQ(urd_reader_read_line(&r, &line, NULL), -ECANCELED);
    return 0;
}

static int under_a_reader(void *arg)
{
    (void)arg;
    make_pair(ends);
    urd_scope s;
    urd_scope_open(&s);
    CHECK_EQ(urd_go(&s, read_closed, NULL), 0);
    CHECK_EQ(urd_go(&s, close_under, NULL), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    return urd_close(ends[1]);
}

TEST(closing_the_descriptor_ends_a_reader_that_waits)
{
    run_io(5, under_a_reader);
}
