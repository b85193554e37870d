/*
 * tls_idle.c - what a connection keeps while nothing comes.
 *
 * SPDX-License-Identifier: MIT
 */
#include <malloc.h>
#include <openssl/crypto.h>
#include <stdlib.h>

#include "tls_ends.h"

static pthread_mutex_t counting = PTHREAD_MUTEX_INITIALIZER;
static long openssl_bytes;

static void count_bytes(size_t more, size_t less)
{
    pthread_mutex_lock(&counting);
    openssl_bytes += (long)more - (long)less;
    pthread_mutex_unlock(&counting);
}

static long bytes_now(void)
{
    pthread_mutex_lock(&counting);
    long n = openssl_bytes;
    pthread_mutex_unlock(&counting);
    return n;
}

static void *counted_realloc(void *at, size_t size, const char *file, int line)
{
    (void)file, (void)line;
    size_t old = malloc_usable_size(at);
    void *next = realloc(at, size);
    if (next)
        count_bytes(malloc_usable_size(next), old);
    return next;
}

static void *counted_malloc(size_t size, const char *file, int line)
{
    return counted_realloc(NULL, size, file, line);
}

static void counted_free(void *at, const char *file, int line)
{
    (void)file, (void)line;
    count_bytes(0, malloc_usable_size(at));
    free(at);
}

/* OpenSSL allows this before its first allocation only. */
__attribute__((constructor)) static void count_openssl(void)
{
    (void)CRYPTO_set_mem_functions(counted_malloc, counted_realloc, counted_free);
}

static int read_later(void *arg)
{
    char got[8] = "";
    CHECK_EQ(urd_tls_read(arg, got, 7), 5);
    CHECK_STR(got, "later");
    return 0;
}

static int idle(void *arg)
{
    (void)arg;
    ends e;
    urd_scope s;
    connect_ends(&e);
    check_sent(e.here, e.there, "hello");
    check_sent(e.there, e.here, "hello");
    urd_scope_open(&s);
    CHECK_EQ(urd_go(&s, read_later, e.there), 0);
    CHECK_EQ(urd_sleep(URD_SECOND / 2), 0);
    long busy = bytes_now();
    CHECK_EQ(urd_sleep(URD_SECOND), 0);
    CHECK_GE(busy - bytes_now(), 2 * 16384); /* its two records */
    CHECK_EQ(e.there->in.room, 4096);
    CHECK_EQ(urd_tls_write_all(e.here, "later", 5), 5);
    CHECK_EQ(urd_scope_join(&s), 0);
    close_ends(&e);
    return 0;
}

TEST(who_has_waited_a_second_waits_on_with_less_memory)
{
    run_tls(idle);
}
