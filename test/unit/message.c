/*
 * message.c - messages arrive as they were sent, or not at all.
 *
 * SPDX-License-Identifier: MIT
 */
#include "backends.h"

/* ---- A stream of bytes that were given, or taken, in pieces of any size ---------------------- */

typedef struct wire {
    char bytes[1024];
    size_t size, at;
    size_t calls, fails; /* the call that fails, counted from 1, with -ECANCELED; 0: none */
} wire;

static size_t piece_of(size_t size)
{
    size_t most = 1 + (size_t)test_random(7);
    return size < most ? size : most;
}

static ssize_t give_some(void *context, void *buf, size_t size)
{
    wire *w = context;
    if (++w->calls == w->fails)
        return -ECANCELED;
    size_t n = piece_of(w->size - w->at < size ? w->size - w->at : size);
    memcpy(buf, w->bytes + w->at, n);
    w->at += n;
    return (ssize_t)n;
}

static ssize_t take_some(void *context, const void *buf, size_t size)
{
    wire *w = context;
    if (++w->calls == w->fails)
        return -ECANCELED;
    size_t n = piece_of(size);
    CHECK_LE(w->size + n, sizeof w->bytes);
    memcpy(w->bytes + w->size, buf, n);
    w->size += n;
    return (ssize_t)n;
}

static urd_stream over(wire *w)
{
    return (urd_stream){give_some, take_some, w};
}

static void put(wire *w, const void *bytes, size_t size)
{
    memcpy(w->bytes + w->size, bytes, size);
    w->size += size;
}

/* ---- There and back -------------------------------------------------------------------------- */

static void there_and_back(size_t in_size, size_t out_size)
{
    static const size_t sizes[] = {0, 1, 3, 4, 5, 9, 100, 0, 250};
    char in[256], out[256], data[256], got[256];
    wire w = {.size = 0};
    urd_reader r;
    urd_writer to;
    urd_writer_init(&to, over(&w), out, out_size);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        memset(data, (int)('a' + i), sizeof data);
        CHECK_EQ(urd_message_write(&to, data, sizes[i]), 0);
    }
    CHECK_EQ(urd_writer_flush(&to), 0);
    urd_reader_init(&r, over(&w), in, in_size);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t size = 999;
        memset(data, (int)('a' + i), sizeof data);
        CHECK_EQ(urd_message_read(&r, got, sizeof got, &size), 1);
        CHECK_EQ(size, sizes[i]);
        CHECK_EQ(memcmp(got, data, size), 0);
    }
    size_t size;
    CHECK_EQ(urd_message_read(&r, got, sizeof got, &size), 0);
    CHECK_EQ(urd_message_read(&r, got, sizeof got, &size), 0); /* and stays so */
}

TEST(messages_arrive_as_they_were_sent_whatever_the_pieces_and_buffers)
{
    TEST_SEEDS(20)
    {
        there_and_back(256, 256);
        there_and_back(20, 10);
        there_and_back(13, 1);
    }
}

TEST(the_form_on_the_wire_is_a_length_of_four_bytes)
{
    char out[16];
    wire w = {.size = 0};
    urd_writer to;
    urd_writer_init(&to, over(&w), out, sizeof out);
    CHECK_EQ(urd_message_write(&to, "hello", 5), 0);
    CHECK_EQ(w.size, 0); /* it waits in the buffer */
    CHECK_EQ(urd_writer_flush(&to), 0);
    CHECK_EQ(w.size, 9);
    CHECK_EQ(memcmp(w.bytes, "\0\0\0\5hello", 9), 0);
}

/* ---- What is wrong --------------------------------------------------------------------------- */

static int read_bytes(const void *bytes, size_t n, size_t in_size)
{
    char in[64], got[8];
    wire w = {.size = 0};
    urd_reader r;
    size_t size;
    put(&w, bytes, n);
    urd_reader_init(&r, over(&w), in, in_size);
    return urd_message_read(&r, got, sizeof got, &size);
}

TEST(an_end_within_a_message_is_no_end)
{
    CHECK_EQ(read_bytes("\0\0", 2, 64), -ENODATA);
    CHECK_EQ(read_bytes("\0\0\0\3", 4, 64), -ENODATA);
    CHECK_EQ(read_bytes("\0\0\0\3ab", 6, 64), -ENODATA);
    CHECK_EQ(read_bytes("\0\0\0\7abcdef", 10, 6), -ENODATA); /* past the buffer */
    CHECK_EQ(read_bytes("\xff\xff\xff\xff\0", 5, 64), -ENODATA);
}

TEST(a_length_that_is_none_is_an_error)
{
    CHECK_EQ(read_bytes("\x80\0\0\0", 4, 64), -EPROTO);
    CHECK_EQ(read_bytes("GET / HTTP/1.1", 14, 64), -EMSGSIZE);
    CHECK_EQ(read_bytes("\xff\xff\xff\xff\xff\0\0\0\0\0\0\0", 12, 64), -EPROTO);
}

TEST(the_length_may_take_twelve_bytes_and_they_must_fit)
{
    CHECK_EQ(read_bytes("\xff\xff\xff\xff\0\0\0\0\0\0\0\2ab", 14, 64), 1);
    CHECK_EQ(read_bytes("\xff\xff\xff\xff\0\0\0\0\0\0\0\2ab", 14, 12), -EMSGSIZE);
    CHECK_EQ(read_bytes("\0\0\0\2ab", 6, 4), -EMSGSIZE);
}

TEST(a_message_that_is_too_long_is_still_there)
{
    char in[64], got[8];
    wire w = {.size = 0};
    urd_reader r;
    size_t size = 0;
    put(&w, "\0\0\0\6abcdef", 10);
    urd_reader_init(&r, over(&w), in, sizeof in);
    CHECK_EQ(urd_message_read(&r, got, 5, &size), -EMSGSIZE);
    CHECK_EQ(size, 6);
    CHECK_EQ(urd_message_read(&r, got, size, &size), 1);
    CHECK_EQ(memcmp(got, "abcdef", 6), 0);
}

/* ---- Cancelled ------------------------------------------------------------------------------- */

TEST(a_cancel_of_a_read_takes_nothing)
{
    for (size_t fails = 1; fails < 12; fails++) {
        char in[64], got[8];
        wire w = {.fails = fails};
        urd_reader r;
        size_t size;
        put(&w, "\0\0\0\6abcdef", 10);
        urd_reader_init(&r, over(&w), in, sizeof in);
        int rc = urd_message_read(&r, got, sizeof got, &size);
        CHECK(rc == 1 || rc == -ECANCELED);
        if (rc < 0)
            CHECK_EQ(urd_message_read(&r, got, sizeof got, &size), 1);
        CHECK_EQ(size, 6);
        CHECK_EQ(memcmp(got, "abcdef", 6), 0);
    }
}

/* Of three messages each is taken whole, or not at all and given again. */
static void cancel_a_write(size_t fails, size_t out_size)
{
    char out[64], in[64], got[8];
    wire w = {.fails = fails};
    urd_writer to;
    urd_writer_init(&to, over(&w), out, out_size);
    int rc = 0;
    for (int i = 0; i < 3 && (rc == 0 || rc == -ECANCELED) && !to.error; i++) {
        rc = urd_message_write(&to, "abcdef", 6);
        if (rc == -ECANCELED && !to.error)
            rc = urd_message_write(&to, "abcdef", 6);
    }
    if (to.error) { /* a message cut in two must not be followed by others */
        CHECK_LT(out_size, 10);
        CHECK_EQ(urd_message_write(&to, "x", 1), to.error);
        return;
    }
    do
        rc = urd_writer_flush(&to);
    while (rc == -ECANCELED);
    CHECK_EQ(rc, 0);
    CHECK_EQ(w.size, 30);
    w.calls = w.fails = 0;
    urd_reader r;
    urd_reader_init(&r, over(&w), in, sizeof in);
    for (int i = 0; i < 3; i++) {
        size_t size;
        CHECK_EQ(urd_message_read(&r, got, sizeof got, &size), 1);
        CHECK_EQ(size, 6);
        CHECK_EQ(memcmp(got, "abcdef", 6), 0);
    }
}

TEST(a_cancel_of_a_write_takes_a_whole_message_or_none)
{
    TEST_SEEDS(10)
    for (size_t fails = 1; fails < 20; fails++) {
        cancel_a_write(fails, 10);
        cancel_a_write(fails, 17);
        cancel_a_write(fails, 64);
        cancel_a_write(fails, 5); /* it does not fit */
    }
}
