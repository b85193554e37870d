/*
 * tls_context.c - files that are wrong are named; keys are logged; sessions are kept, and not all.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "tls_ends.h"

TEST(a_file_that_is_not_there_or_not_what_it_should_be_is_named)
{
    urd_tls_context *c;
    CHECK_EQ(urd_tls_context_open(&c, URD_TLS_SERVER), 0);
    CHECK_STR(urd_tls_context_reason(c), "");
    CHECK_EQ(urd_tls_context_certificate(c, "/none.pem", KEY("server")), -ENOENT);
    CHECK_STR(urd_tls_context_reason(c), "/none.pem: No such file or directory");
    CHECK_EQ(urd_tls_context_certificate(c, PEM("server"), "/none.key"), -ENOENT);
    CHECK_STR(urd_tls_context_reason(c), "/none.key: No such file or directory");
    CHECK_EQ(urd_tls_context_certificate(c, KEY("server"), KEY("server")), -EKEYREJECTED);
    CHECK_CONTAINS(urd_tls_context_reason(c), KEY("server") ": ");
    CHECK_EQ(urd_tls_context_certificate(c, PEM("server"), PEM("server")), -EKEYREJECTED);
    CHECK_EQ(urd_tls_context_certificate(c, PEM("server"), KEY("second")), -EKEYREJECTED);
    CHECK_EQ(urd_tls_context_certificate(c, PEM("server"), KEY("client")), -EKEYREJECTED);
    CHECK_CONTAINS(urd_tls_context_reason(c), "key values mismatch");
    CHECK_EQ(urd_tls_context_certificate(c, "/dev/null", KEY("server")), -EKEYREJECTED);
    CHECK_EQ(urd_tls_context_trust(c, "/none.pem"), -ENOENT);
    CHECK_EQ(urd_tls_context_trust(c, KEY("server")), -EKEYREJECTED);
    CHECK_EQ(urd_tls_context_key_log(c, "/none/log"), -ENOENT);
    CHECK_EQ(urd_tls_context_certificate(c, PEM("server"), KEY("server")), 0);
    CHECK_EQ(urd_tls_context_trust(c, PEM("ca")), 0);
    urd_tls_context_close(c);
    urd_tls_context_close(NULL);
}

TEST(names_of_protocols_are_neither_empty_nor_too_long)
{
    urd_tls_context *c;
    char longest[300];
    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    CHECK_EQ(urd_tls_context_open(&c, URD_TLS_CLIENT), 0);
    CHECK_EQ(urd_tls_context_protocols(c, ""), -EINVAL);
    CHECK_EQ(urd_tls_context_protocols(c, "h2,"), -EINVAL);
    CHECK_EQ(urd_tls_context_protocols(c, ",h2"), -EINVAL);
    CHECK_EQ(urd_tls_context_protocols(c, longest), -EINVAL);
    CHECK_EQ(urd_tls_context_protocols(c, longest + 44), 0); /* 255 of them */
    CHECK_EQ(c->protocols_size, 256);
    CHECK_EQ(urd_tls_context_protocols(c, "h2,http/1.1"), 0);
    CHECK_EQ(c->protocols_size, 12);
    CHECK_EQ(memcmp(c->protocols, "\002h2\010http/1.1", 12), 0);
    urd_tls_context_close(c);
}

static int connect_once(void *arg)
{
    (void)arg;
    ends e;
    connect_ends(&e);
    close_ends(&e);
    return 0;
}

static void check_log(const char *path)
{
    char text[4096] = "";
    FILE *file = fopen(path, "re");
    CHECK(file != NULL);
    CHECK_GT(fread(text, 1, sizeof text - 1, file), 0);
    fclose(file);
    CHECK_CONTAINS(text, "CLIENT_TRAFFIC_SECRET_0 ");
    CHECK_CONTAINS(text, "SERVER_TRAFFIC_SECRET_0 ");
    CHECK_EQ(text[strlen(text) - 1], '\n');
    CHECK_EQ(unlink(path), 0);
}

TEST(keys_are_logged_where_the_program_or_the_environment_says)
{
    char path[] = "/tmp/urdXXXXXX";
    close(mkstemp(path));
    open_contexts(PEM("server"), KEY("server"));
    CHECK_EQ(urd_tls_context_key_log(client_context, path), 0);
    CHECK_EQ(urd_tls_context_key_log(client_context, path), 0);
    test_run_workers(1, connect_once);
    close_contexts();
    check_log(path);
    CHECK_EQ(setenv("SSLKEYLOGFILE", path, 1), 0);
    open_contexts(PEM("server"), KEY("server"));
    CHECK_EQ(unsetenv("SSLKEYLOGFILE"), 0);
    test_run_workers(1, connect_once);
    close_contexts();
    check_log(path);
    CHECK_EQ(setenv("SSLKEYLOGFILE", "/none/log", 1), 0);
    CHECK_EQ(urd_tls_context_open(&client_context, URD_TLS_CLIENT), -ENOENT);
    CHECK_EQ(unsetenv("SSLKEYLOGFILE"), 0);
}

static SSL_SESSION *session_of(int version)
{
    SSL_SESSION *session = SSL_SESSION_new();
    CHECK(session != NULL);
    CHECK_EQ(SSL_SESSION_set_protocol_version(session, version), 1);
    return session;
}

static void check_taken(urd_tls_context *c, const char *host, const SSL_SESSION *expected)
{
    SSL_SESSION *taken = urd__tls_session_take(c, host);
    CHECK_PTR(taken, expected);
    SSL_SESSION_free(taken);
}

TEST(the_newest_session_of_a_host_is_taken_and_the_oldest_of_all_is_dropped)
{
    urd_tls_context *c;
    char host[24];
    SSL_SESSION *first = session_of(TLS1_3_VERSION), *second = session_of(TLS1_3_VERSION),
                *old = session_of(TLS1_2_VERSION);
    CHECK_EQ(urd_tls_context_open(&c, URD_TLS_CLIENT), 0);
    check_taken(c, "a.test", NULL);
    CHECK(urd__tls_session_put(c, "a.test", first));
    CHECK(urd__tls_session_put(c, "b.test", old));
    CHECK(urd__tls_session_put(c, "a.test", second));
    check_taken(c, "a.test", second);
    check_taken(c, "a.test", first); /* each once */
    check_taken(c, "a.test", NULL);
    check_taken(c, "b.test", old); /* but of TLS 1.2 again and again */
    check_taken(c, "b.test", old);
    for (int i = 0; i < URD__TLS_SESSIONS; i++) {
        snprintf(host, sizeof host, "%d.test", i);
        CHECK(urd__tls_session_put(c, host, session_of(TLS1_3_VERSION)));
    }
    check_taken(c, "b.test", NULL);
    SSL_SESSION *last = urd__tls_session_take(c, "0.test");
    CHECK(last != NULL);
    SSL_SESSION_free(last);
    urd_tls_context_close(c);
}
