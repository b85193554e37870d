/*
 * auth.c - who has the key is let in, who has not is told so, whoever plays with the messages.
 *
 * SPDX-License-Identifier: MIT
 */
#include <openssl/hmac.h>

#include "backends.h"
#include "urd_auth.h"

typedef struct end {
    int fd;
    const char *key;
    bool accepts;
    int rc;
} end;

typedef struct buffers {
    char in[512], out[512];
    urd_reader r;
    urd_writer w;
} buffers;

static void open_buffers(buffers *b, int fd)
{
    urd_reader_init(&b->r, urd_stream_fd(fd), b->in, sizeof b->in);
    urd_writer_init(&b->w, urd_stream_fd(fd), b->out, sizeof b->out);
}

static int one_end(void *arg)
{
    end *e = arg;
    buffers b;
    open_buffers(&b, e->fd);
    e->rc = (e->accepts ? urd_auth_accept : urd_auth_dial)(&b.r, &b.w, e->key, strlen(e->key));
    if (e->rc)
        CHECK_EQ(urd_close(e->fd), 0);
    return 0;
}

static int two_ends(const char *accepts, const char *dials, int *other)
{
    int fds[2];
    make_pair(fds);
    end all[2] = {{fds[0], accepts, true, 1}, {fds[1], dials, false, 1}};
    urd_scope s;
    urd_scope_open(&s);
    CHECK_EQ(urd_go(&s, one_end, &all[0]), 0);
    CHECK_EQ(urd_go(&s, one_end, &all[1]), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    for (int i = 0; i < 2; i++)
        if (all[i].rc == 0)
            CHECK_EQ(urd_close(fds[i]), 0);
    *other = all[1].rc;
    return all[0].rc;
}

static int keys(void *arg)
{
    (void)arg;
    int dials;
    CHECK_EQ(two_ends("bolo de fuba", "bolo de fuba", &dials), 0);
    CHECK_EQ(dials, 0);
    CHECK_EQ(two_ends("bolo de fuba", "bolo de milho", &dials), -EACCES);
    CHECK_EQ(dials, -EACCES);
    return 0;
}

TEST(both_ends_need_the_same_key)
{
    run_io(2, keys);
}

/* ---- The other end by hand ------------------------------------------------------------------- */

typedef struct hand {
    int fd;
    const char *key; /* NULL: it answers with `words` */
    const char *words;
    bool answers_by_md5, welcomes;
} hand;

static void say(buffers *b, const void *bytes, size_t size)
{
    CHECK_EQ(urd_message_write(&b->w, bytes, size), 0);
    CHECK_EQ(urd_writer_flush(&b->w), 0);
}

/* Dials as Python 3.11 does, or as one who does not. */
static int by_hand(void *arg)
{
    const hand *h = arg;
    char heard[256];
    unsigned char mac[64];
    unsigned n = 0;
    size_t size;
    buffers b;
    open_buffers(&b, h->fd);
    if (urd_message_read(&b.r, heard, sizeof heard, &size) != 1)
        return urd_close(h->fd);
    CHECK_EQ(memcmp(heard, "#CHALLENGE#{sha256}", 19), 0);
    CHECK_EQ(size, 19 + 40);
    if (!h->key) {
        say(&b, h->words, strlen(h->words));
        return urd_close(h->fd);
    }
    CHECK(HMAC(EVP_md5(), h->key, (int)strlen(h->key), (const unsigned char *)heard + 11, size - 11,
               mac, &n) != NULL);
    say(&b, mac, n);
    CHECK_EQ(urd_message_read(&b.r, heard, sizeof heard, &size), 1);
    CHECK_EQ(memcmp(heard, "#WELCOME#", 9), 0);
    say(&b, "#CHALLENGE#01234567890123456789", 31);
    CHECK_EQ(urd_message_read(&b.r, heard, sizeof heard, &size), 1);
    CHECK(HMAC(EVP_md5(), h->key, (int)strlen(h->key),
               (const unsigned char *)"01234567890123456789", 20, mac, &n) != NULL);
    CHECK_EQ(size, n);
    CHECK_EQ(memcmp(heard, mac, n), 0);
    if (h->welcomes)
        say(&b, "#WELCOME#", 9);
    else
        say(&b, "#FAILURE#", 9);
    return urd_close(h->fd);
}

static int against(hand h)
{
    int fds[2];
    make_pair(fds);
    end ours = {fds[0], "key", true, 1};
    h.fd = fds[1];
    urd_scope s;
    urd_scope_open(&s);
    CHECK_EQ(urd_go(&s, one_end, &ours), 0);
    CHECK_EQ(urd_go(&s, by_hand, &h), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    if (ours.rc == 0)
        CHECK_EQ(urd_close(fds[0]), 0);
    return ours.rc;
}

static int strangers(void *arg)
{
    (void)arg;
    char long_words[300];
    memset(long_words, 'x', sizeof long_words - 1);
    long_words[sizeof long_words - 1] = '\0';
    CHECK_EQ(against((hand){.key = "key", .welcomes = true}), 0);
    CHECK_EQ(against((hand){.key = "key"}), -EACCES); /* it says so of ours */
    CHECK_EQ(against((hand){.words = "0123456789abcdef"}), -EACCES);
    CHECK_EQ(against((hand){.words = "{sha256}0123456789abcdef"}), -EACCES);
    CHECK_EQ(against((hand){.words = "{sha257}0123456789abcdef"}), -EACCES);
    CHECK_EQ(against((hand){.words = ""}), -EACCES);
    CHECK_EQ(against((hand){.words = long_words}), -EPROTO);
    return 0;
}

TEST(a_stranger_gets_an_error_and_an_older_python_is_none)
{
    run_io(1, strangers);
}

static int dial_to(const char *challenge)
{
    int fds[2];
    buffers b;
    make_pair(fds);
    open_buffers(&b, fds[1]);
    say(&b, challenge, strlen(challenge));
    CHECK_EQ(urd_close(fds[1]), 0);
    end ours = {fds[0], "key", false, 1};
    CHECK_EQ(one_end(&ours), 0);
    return ours.rc;
}

static int bad_challenges(void *arg)
{
    (void)arg;
    CHECK_EQ(dial_to("220 smtp.example.org ESMTP"), -EPROTO);
    CHECK_EQ(dial_to("#CHALLENGE#short"), -EPROTO);
    CHECK_EQ(dial_to("#CHALLENGE#{crc32}0123456789012345678901234567890123456789"), -EPROTO);
    CHECK_EQ(dial_to("#CHALLENGE#0123456789012345678901234567890123456789"), -EPROTO);
    return 0;
}

TEST(a_challenge_that_is_none_is_not_answered)
{
    run_io(1, bad_challenges);
}

static int wrong_calls(void *arg)
{
    (void)arg;
    int fds[2];
    buffers b;
    make_pair(fds);
    open_buffers(&b, fds[0]);
    CHECK_EQ(urd_auth_accept(&b.r, &b.w, "", 0), -EINVAL);
    CHECK_EQ(urd_auth_dial(&b.r, &b.w, "", 0), -EINVAL);
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_deadline(&s, urd_now() + URD_SECOND);
    CHECK_EQ(urd_auth_accept(&b.r, &b.w, "key", 3), -ECANCELED); /* the other end is silent */
    CHECK_EQ(urd_scope_join(&s), -ETIMEDOUT);
    close_pair(fds);
    make_pair(fds);
    open_buffers(&b, fds[0]);
    CHECK_EQ(urd_close(fds[1]), 0);
    CHECK_EQ(urd_auth_dial(&b.r, &b.w, "key", 3), -ENODATA);
    CHECK_EQ(urd_close(fds[0]), 0);
    return 0;
}

TEST(silence_ends_at_the_deadline_and_an_end_is_an_error)
{
    run_io(1, wrong_calls);
}
