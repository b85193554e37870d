/*
 * tls.c - two ends talk, verify, cancel and end as urd_tls.h says.
 *
 * SPDX-License-Identifier: MIT
 */
#include <openssl/err.h>
#include <poll.h>
#include <stdlib.h>

#include "tls_ends.h"

enum { MANY = 50000, TASKS = 6, LINES = 10, LINE = 300 };

/* ---- Both ways at once ----------------------------------------------------------------------- */

static unsigned char byte_at(size_t i)
{
    return (unsigned char)(i * 7 + i / 251);
}

static int write_many(void *arg)
{
    unsigned char *bytes = malloc(MANY);
    CHECK(bytes != NULL);
    for (size_t i = 0; i < MANY; i++)
        bytes[i] = byte_at(i);
    CHECK_EQ(urd_tls_write_all(arg, bytes, MANY), MANY);
    CHECK_EQ(urd_tls_shutdown(arg), 0);
    CHECK_EQ(urd_tls_shutdown(arg), 0);
    CHECK_EQ(urd_tls_write(arg, bytes, 1), -EPIPE);
    free(bytes);
    return 0;
}

static int read_many(void *arg)
{
    unsigned char some[5000];
    size_t done = 0;
    ssize_t n;
    while ((n = urd_tls_read(arg, some, sizeof some)) > 0)
        for (ssize_t i = 0; i < n; i++, done++)
            CHECK_EQ(some[i], byte_at(done));
    CHECK_EQ(n, 0);
    CHECK_EQ(urd_tls_read(arg, some, sizeof some), 0); /* it stays */
    CHECK_EQ(done, MANY);
    return 0;
}

static int both_ways(void *arg)
{
    (void)arg;
    for (int kind = URD_TASK; kind <= URD_THREAD; kind++) {
        ends e;
        urd_scope s;
        open_ends(&e, "server.test"); /* whoever comes first shakes hands */
        urd_scope_open(&s);
        CHECK_EQ(urd_spawn(&s, (urd_kind)kind, write_many, e.here, 0), 0);
        CHECK_EQ(urd_spawn(&s, (urd_kind)kind, read_many, e.here, 0), 0);
        CHECK_EQ(urd_go(&s, write_many, e.there), 0);
        CHECK_EQ(urd_go(&s, read_many, e.there), 0);
        CHECK_EQ(urd_scope_join(&s), 0);
        close_ends(&e);
    }
    return 0;
}

TEST(tasks_and_threads_read_and_write_one_connection_at_once)
{
    if (test_under_slow_tool()) {
        run_tls(both_ways);
        return;
    }
    open_contexts(PEM("server"), KEY("server"));
    run_io(1, both_ways);
    close_contexts();
}

static void *without_runtime(void *arg)
{
    CHECK_EQ(urd_tls_handshake(arg), 0);
    CHECK_EQ(urd_tls_write_all(arg, "hello", 5), 5);
    return NULL;
}

TEST(without_a_runtime_threads_use_it_as_well)
{
    ends e;
    pthread_t thread;
    char got[8] = "";
    open_contexts(PEM("server"), KEY("server"));
    open_ends(&e, "server.test");
    CHECK_EQ(pthread_create(&thread, NULL, without_runtime, e.there), 0);
    CHECK_EQ(urd_tls_read(e.here, got, 7), 5);
    CHECK_STR(got, "hello");
    CHECK_STR(urd_tls_version(e.here), "TLSv1.3");
    CHECK_EQ(pthread_join(thread, NULL), 0);
    close_ends(&e);
    close_contexts();
}

static ends shared;

static int write_lines(void *arg)
{
    char line[LINE];
    memset(line, 'a' + *(const int *)arg, sizeof line);
    for (int i = 0; i < LINES; i++)
        CHECK_EQ(urd_tls_write(shared.here, line, LINE), LINE);
    return 0;
}

static int read_lines(void *arg)
{
    int *seen = arg;
    for (int i = 0; i < TASKS * LINES / 2; i++) {
        char line[LINE];
        CHECK_EQ(urd_tls_read(shared.there, line, LINE), LINE); /* a record each */
        for (int at = 1; at < LINE; at++)
            CHECK_EQ(line[at], line[0]);
        (*seen)++;
    }
    return 0;
}

static int many_tasks(void *arg)
{
    (void)arg;
    int names[TASKS], seen[2] = {0, 0};
    urd_scope s;
    connect_ends(&shared);
    urd_scope_open(&s);
    for (int i = 0; i < TASKS; i++) {
        names[i] = i;
        CHECK_EQ(urd_go(&s, write_lines, &names[i]), 0);
    }
    CHECK_EQ(urd_go(&s, read_lines, &seen[0]), 0);
    CHECK_EQ(urd_go(&s, read_lines, &seen[1]), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(seen[0] + seen[1], TASKS * LINES);
    close_ends(&shared);
    return 0;
}

TEST(many_tasks_take_turns_and_what_each_writes_stays_together)
{
    run_tls(many_tasks);
}

/* ---- Whom it trusts -------------------------------------------------------------------------- */

static void check_refused(const char *host, const char *why)
{
    ends e;
    open_ends(&e, host);
    CHECK_EQ(shake_ends(&e), -EKEYREJECTED);
    CHECK_CONTAINS(urd_tls_reason(e.here), why);
    CHECK_EQ(e.there_rc, -EKEYREJECTED);
    CHECK_CONTAINS(urd_tls_reason(e.there), "the other end refuses: ");
    char byte = 'x';
    CHECK_EQ(urd_tls_read(e.here, &byte, 1), -EKEYREJECTED); /* for good */
    CHECK_EQ(urd_tls_write(e.here, &byte, 1), -EKEYREJECTED);
    CHECK_EQ(urd_tls_shutdown(e.here), -EKEYREJECTED);
    close_ends(&e);
}

static int refused_hosts(void *arg)
{
    (void)arg;
    check_refused("wrong.test", "certificate of server: hostname mismatch: it is made out to "
                                "server.test, 127.0.0.1, not to wrong.test");
    check_refused("127.0.0.2", "not to 127.0.0.2");
    ends e;
    open_ends(&e, "127.0.0.1");
    CHECK_EQ(shake_ends(&e), 0);
    CHECK_STR(urd_tls_reason(e.here), "");
    CHECK_STR(urd_tls_host(e.there), ""); /* digits are no name */
    close_ends(&e);
    open_ends(&e, "server.test.");
    CHECK_EQ(shake_ends(&e), 0);
    CHECK_STR(urd_tls_host(e.there), "server.test");
    close_ends(&e);
    int pair[2];
    make_pair(pair);
    CHECK_EQ(urd_tls_open(&e.here, client_context, pair[0], NULL), -EINVAL);
    close_pair(pair);
    return 0;
}

TEST(a_certificate_made_out_to_another_is_refused_and_named)
{
    run_tls(refused_hosts);
}

static int refused(void *arg)
{
    (void)arg;
    check_refused("server.test", "certificate of expired: certificate has expired");
    return 0;
}

TEST(an_expired_certificate_is_refused)
{
    open_contexts(PEM("expired"), KEY("expired"));
    test_run_workers(2, refused);
    close_contexts();
}

static int refused_self(void *arg)
{
    (void)arg;
    ends e;
    check_refused("server.test", "certificate of self: self-signed certificate");
    urd_tls_context_verify(client_context, false);
    open_ends(&e, NULL);
    CHECK_EQ(shake_ends(&e), 0);
    check_sent(e.here, e.there, "to anybody");
    close_ends(&e);
    return 0;
}

TEST(a_certificate_signed_by_itself_is_refused_unless_the_client_does_not_verify)
{
    open_contexts(PEM("self"), KEY("self"));
    test_run_workers(2, refused_self);
    close_contexts();
}

static int clients_verified(void *arg)
{
    (void)arg;
    ends e;
    char byte;
    open_ends(&e, "server.test");
    (void)shake_ends(&e); /* the client is done before the server has looked */
    CHECK_EQ(e.there_rc, -EKEYREJECTED);
    CHECK_CONTAINS(urd_tls_reason(e.there), "peer did not return a certificate");
    CHECK_EQ(urd_tls_read(e.here, &byte, 1), -EKEYREJECTED);
    CHECK_CONTAINS(urd_tls_reason(e.here), "the other end refuses: ");
    close_ends(&e);
    CHECK_EQ(urd_tls_context_certificate(client_context, PEM("client"), KEY("client")), 0);
    connect_ends(&e);
    check_sent(e.here, e.there, "known");
    close_ends(&e);
    return 0;
}

TEST(a_server_that_verifies_refuses_clients_without_a_certificate)
{
    open_contexts(PEM("server"), KEY("server"));
    CHECK_EQ(urd_tls_context_trust(server_context, PEM("ca")), 0);
    urd_tls_context_verify(server_context, true);
    test_run_workers(2, clients_verified);
    close_contexts();
}

/* ---- Names, protocols, sessions -------------------------------------------------------------- */

static void check_certificate(const char *host, const char *protocol)
{
    ends e;
    open_ends(&e, host);
    CHECK_EQ(shake_ends(&e), 0);
    CHECK_STR(urd_tls_host(e.there), host);
    CHECK_STR(urd_tls_host(e.here), host);
    CHECK_STR(urd_tls_protocol(e.here), protocol);
    CHECK_STR(urd_tls_protocol(e.there), protocol);
    close_ends(&e);
}

static int hosts(void *arg)
{
    (void)arg;
    ends e;
    CHECK_EQ(urd_tls_context_certificate(server_context, PEM("second"), KEY("second")), 0);
    check_certificate("server.test", "");
    check_certificate("second.test", "");
    CHECK_EQ(urd_tls_context_protocols(server_context, "h2,http/1.1"), 0);
    check_certificate("www.second.test", "");
    CHECK_EQ(urd_tls_context_protocols(client_context, "spdy,http/1.1,h2"), 0);
    check_certificate("server.test", "h2"); /* as the server likes */
    CHECK_EQ(urd_tls_context_protocols(client_context, "spdy"), 0);
    open_ends(&e, "server.test");
    CHECK_EQ(shake_ends(&e), -EPROTO);
    CHECK_CONTAINS(urd_tls_reason(e.here), "no application protocol");
    CHECK_EQ(e.there_rc, -EPROTO);
    close_ends(&e);
    return 0;
}

TEST(a_server_has_a_certificate_for_each_host_and_chooses_the_protocol)
{
    run_tls(hosts);
}

/* Sessions come behind the handshake, with what is read first. */
static bool connect_again(void)
{
    ends e;
    connect_ends(&e);
    bool resumed = urd_tls_resumed(e.here);
    CHECK_EQ(urd_tls_resumed(e.there), resumed);
    check_sent(e.there, e.here, "and tickets");
    close_ends(&e);
    return resumed;
}

static int sessions(void *arg)
{
    (void)arg;
    CHECK(!connect_again());
    CHECK(connect_again());
    CHECK(connect_again());
    SSL_CTX_set_max_proto_version(urd_tls_context_native(client_context), TLS1_2_VERSION);
    for (int i = 0; i < URD__TLS_SESSIONS; i++)
        SSL_SESSION_free(urd__tls_session_take(client_context, "server.test"));
    CHECK(!connect_again());
    CHECK(connect_again());
    CHECK(connect_again());
    return 0;
}

TEST(a_client_resumes_its_session_with_the_host)
{
    run_tls(sessions);
}

/* ---- The end --------------------------------------------------------------------------------- */

static int read_to_the_end(void *arg)
{
    ends *e = arg;
    char got[8] = "";
    CHECK_EQ(urd_tls_read(e->here, got, 7), 3);
    CHECK_STR(got, "abc");
    e->there_rc = (int)urd_tls_read(e->here, got, 7);
    return 0;
}

static int truncated(void *arg)
{
    (void)arg;
    for (int clean = 0; clean < 2; clean++) {
        ends e;
        urd_scope s;
        connect_ends(&e);
        urd_scope_open(&s);
        CHECK_EQ(urd_go(&s, read_to_the_end, &e), 0);
        CHECK_EQ(urd_tls_write_all(e.there, "abc", 3), 3);
        if (clean)
            CHECK_EQ(urd_tls_shutdown(e.there), 0);
        CHECK_EQ(urd_shutdown(urd_tls_fd(e.there), SHUT_RDWR), 0);
        CHECK_EQ(urd_scope_join(&s), 0);
        CHECK_EQ(e.there_rc, clean ? 0 : -ECONNABORTED);
        CHECK_STR(urd_tls_reason(e.here),
                  clean ? "" : "the connection ended, and the other end had not said so");
        close_ends(&e);
    }
    return 0;
}

TEST(a_connection_that_was_cut_does_not_look_like_its_end)
{
    run_tls(truncated);
}

static int half_closed(void *arg)
{
    (void)arg;
    ends e;
    char byte;
    connect_ends(&e);
    CHECK_EQ(urd_tls_shutdown(e.here), 0);
    CHECK_EQ(urd_tls_read(e.there, &byte, 1), 0);
    check_sent(e.there, e.here, "answer");
    CHECK_EQ(urd_tls_close(e.there), 0);
    CHECK_EQ(urd_tls_read(e.here, &byte, 1), 0);
    CHECK_EQ(urd_tls_close(e.here), 0);
    CHECK_EQ(urd_tls_close(NULL), 0);
    return 0;
}

TEST(after_a_shutdown_the_other_direction_goes_on)
{
    run_tls(half_closed);
}

static int cut_handshake(void *arg)
{
    (void)arg;
    ends e;
    open_ends(&e, "server.test");
    CHECK_EQ(urd_shutdown(urd_tls_fd(e.there), SHUT_WR), 0);
    CHECK_EQ(urd_tls_handshake(e.here), -ECONNABORTED);
    CHECK_STR(urd_tls_reason(e.here), "the connection ended during the handshake");
    close_ends(&e);
    return 0;
}

TEST(a_handshake_that_is_cut_fails)
{
    run_tls(cut_handshake);
}

/* ---- Cancelled ------------------------------------------------------------------------------- */

static int read_in_vain(void *arg)
{
    char byte = 0;
    CHECK_EQ(urd_tls_read(arg, &byte, 1), -ECANCELED);
    CHECK_EQ(urd_tls_handshake(arg), -ECANCELED);
    CHECK_EQ(urd_tls_write(arg, &byte, 1), -ECANCELED);
    CHECK_EQ(urd_tls_shutdown(arg), -ECANCELED);
    return 0;
}

static int cancelled_reads(void *arg)
{
    (void)arg;
    ends e;
    for (int connected = 0; connected < 2; connected++) {
        open_ends(&e, "server.test");
        if (connected)
            CHECK_EQ(shake_ends(&e), 0);
        for (int kind = URD_TASK; kind <= URD_THREAD; kind++) {
            urd_scope s;
            urd_scope_open(&s);
            urd_scope_deadline(&s, urd_now() + URD_SECOND);
            CHECK_EQ(urd_spawn(&s, (urd_kind)kind, read_in_vain, e.here, 0), 0);
            CHECK_EQ(urd_spawn(&s, (urd_kind)kind, read_in_vain, e.here, 0), 0);
            CHECK_EQ(urd_scope_join(&s), -ETIMEDOUT);
        }
        CHECK_EQ(shake_ends(&e), 0); /* where it was, it goes on */
        check_sent(e.there, e.here, "nothing is lost");
        check_sent(e.here, e.there, "nor here");
        close_ends(&e);
    }
    return 0;
}

TEST(a_cancelled_read_or_handshake_took_nothing_and_goes_on_later)
{
    run_tls(cancelled_reads);
}

static size_t accepted;

static int write_until_cancelled(void *arg)
{
    unsigned char some[5000];
    for (ssize_t n = 0; n >= 0; accepted += (size_t)n) {
        for (size_t i = 0; i < sizeof some; i++)
            some[i] = byte_at(accepted + i);
        n = urd_tls_write(arg, some, sizeof some);
        if (n < 0) {
            CHECK_EQ(n, -ECANCELED);
            return 0;
        }
    }
    return 0;
}

static int read_accepted(void *arg)
{
    unsigned char some[3000];
    for (size_t done = 0; done < accepted + 1;) {
        ssize_t n = urd_tls_read(arg, some, sizeof some);
        CHECK_GT(n, 0);
        for (ssize_t i = 0; i < n; i++, done++)
            CHECK_EQ(some[i], byte_at(done));
    }
    return 0;
}

static int cancelled_writes(void *arg)
{
    (void)arg;
    for (int kind = URD_TASK; kind <= URD_THREAD; kind++) {
        ends e;
        urd_scope s;
        connect_ends(&e);
        accepted = 0;
        for (int i = 0; i < 3; i++) { /* nobody reads */
            urd_scope_open(&s);
            urd_scope_deadline(&s, urd_now() + URD_SECOND);
            CHECK_EQ(urd_spawn(&s, (urd_kind)kind, write_until_cancelled, e.here, 0), 0);
            CHECK_EQ(urd_scope_join(&s), -ETIMEDOUT);
        }
        CHECK_GT(accepted, 5000);
        urd_scope_open(&s);
        CHECK_EQ(urd_spawn(&s, (urd_kind)kind, read_accepted, e.there, 0), 0);
        unsigned char last = byte_at(accepted);
        CHECK_EQ(urd_tls_write(e.here, &last, 1), 1);
        CHECK_EQ(urd_scope_join(&s), 0);
        close_ends(&e);
    }
    return 0;
}

TEST(what_a_cancelled_write_has_begun_arrives_whole_and_the_rest_does_not)
{
    run_tls(cancelled_writes);
}

static int close_cancelled(void *arg)
{
    CHECK(urd_cancelled());
    CHECK_EQ(urd_tls_close(arg), 0);
    return 0;
}

static int closes(void *arg)
{
    (void)arg;
    ends e;
    char byte;
    urd_scope s;
    connect_ends(&e);
    urd_scope_open(&s);
    urd_scope_cancel(&s, 0);
    CHECK_EQ(urd_go(&s, close_cancelled, e.there), 0);
    (void)!urd_scope_join(&s);
    CHECK_EQ(urd_tls_read(e.here, &byte, 1), 0); /* it was told all the same */
    CHECK_EQ(urd_tls_close(e.here), 0);

    connect_ends(&e);
    accepted = 0;
    urd_scope_open(&s);
    urd_scope_deadline(&s, urd_now() + URD_SECOND);
    CHECK_EQ(urd_go(&s, write_until_cancelled, e.here), 0);
    CHECK_EQ(urd_scope_join(&s), -ETIMEDOUT);
    urd_time before = urd_now();
    CHECK_EQ(urd_tls_close(e.here), 0);
    CHECK_EQ(urd_now(), before); /* though nobody reads */
    CHECK_EQ(urd_tls_close(e.there), 0);
    return 0;
}

TEST(a_close_does_not_wait_and_cannot_be_cancelled)
{
    run_tls(closes);
}

/* ---- What else comes in ---------------------------------------------------------------------- */

static int read_ahead(void *arg)
{
    ends *e = arg;
    char got[4096];
    ssize_t n = urd_read(urd_tls_fd(e->there), got, sizeof got); /* the word, and more */
    CHECK_GT(n, 8);
    CHECK_EQ(memcmp(got, "STARTTLS", 8), 0);
    CHECK_EQ(urd_tls_unread(e->there, got + 8, (size_t)n - 8), 0);
    return shake_there(e);
}

static int shake_here(void *arg)
{
    return urd_tls_handshake(arg);
}

static int started_later(void *arg)
{
    (void)arg;
    ends e;
    urd_scope s;
    open_ends(&e, "server.test");
    CHECK_EQ(urd_write(urd_tls_fd(e.here), "STARTTLS", 8), 8);
    urd_scope_open(&s);
    CHECK_EQ(urd_go(&s, shake_here, e.here), 0);
    CHECK_EQ(urd_sleep(URD_MS), 0); /* until it has said hello */
    CHECK_EQ(urd_go(&s, read_ahead, &e), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(e.there_rc, 0);
    check_sent(e.here, e.there, "now secret");
    CHECK_EQ(urd_tls_unread(e.there, "x", 1), -EINVAL);
    close_ends(&e);
    return 0;
}

TEST(a_connection_in_use_becomes_tls_with_what_was_read_ahead)
{
    run_tls(started_later);
}

static int garbage(void *arg)
{
    (void)arg;
    static const unsigned char forged[] = {23, 3, 3, 0, 32, 1, 2, 3, 4, 5, 6, 7, [36] = 9};
    ends e;
    char byte;
    open_ends(&e, "server.test");
    CHECK_EQ(urd_write(urd_tls_fd(e.here), "GET / HTTP/1.0\r\n\r\n", 18), 18);
    CHECK_EQ(urd_tls_handshake(e.there), -EPROTO);
    CHECK_STR(urd_tls_reason(e.there), "http request");
    close_ends(&e);
    connect_ends(&e);
    CHECK_EQ(urd_write(urd_tls_fd(e.here), forged, sizeof forged), sizeof forged);
    CHECK_EQ(urd_tls_read(e.there, &byte, 1), -EPROTO);
    CHECK_CONTAINS(urd_tls_reason(e.there), "bad record mac");
    close_ends(&e);
    return 0;
}

TEST(what_is_not_tls_or_was_forged_is_an_error)
{
    run_tls(garbage);
}

/* OpenSSL reports what is in the queue of the thread, whoever put it there. */
static int old_errors(void *arg)
{
    (void)arg;
    ends e;
    urd_scope s;
    open_ends(&e, "server.test");
    ERR_raise(ERR_LIB_USER, 1);
    urd_scope_open(&s);
    urd_go(&s, shake_there, &e);
    ERR_raise(ERR_LIB_USER, 1);
    CHECK_EQ(urd_tls_handshake(e.here), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    close_ends(&e);
    return 0;
}

TEST(errors_that_others_left_in_openssl_do_not_count)
{
    run_tls(old_errors);
}

static int new_keys(void *arg)
{
    (void)arg;
    ends e;
    connect_ends(&e);
    CHECK_EQ(SSL_key_update(urd_tls_native(e.there), SSL_KEY_UPDATE_REQUESTED), 1);
    check_sent(e.there, e.here, "new keys here");
    check_sent(e.here, e.there, "and there");
    check_sent(e.there, e.here, "now old");
    close_ends(&e);
    return 0;
}

TEST(keys_are_renewed_in_passing)
{
    run_tls(new_keys);
}

static int only_read(void *arg)
{
    char byte;
    CHECK_EQ(urd_tls_read(arg, &byte, 1), -ECANCELED);
    return 0;
}

/* Of TLS 1.2: a client wants new keys, and who only reads has to say that he does not. */
static int renegotiated(void *arg)
{
    (void)arg;
    ends e;
    urd_scope s;
    char byte;
    SSL_CTX_set_max_proto_version(urd_tls_context_native(client_context), TLS1_2_VERSION);
    SSL_CTX_clear_options(urd_tls_context_native(client_context), SSL_OP_NO_RENEGOTIATION);
    connect_ends(&e);
    urd_scope_open(&s);
    CHECK_EQ(urd_go(&s, only_read, e.there), 0);
    CHECK_EQ(SSL_renegotiate(urd_tls_native(e.here)), 1);
    CHECK_EQ(SSL_do_handshake(urd_tls_native(e.here)), -1); /* it is in `out` */
    CHECK_EQ(urd_tls_read(e.here, &byte, 1), -EPROTO);
    CHECK_CONTAINS(urd_tls_reason(e.here), "no renegotiation");
    urd_scope_cancel(&s, 0);
    CHECK_EQ(urd_scope_join(&s), -ECANCELED);
    close_ends(&e);
    return 0;
}

TEST(who_reads_answers_the_protocol_too_and_renegotiates_never)
{
    run_tls(renegotiated);
}

/* ---- By name --------------------------------------------------------------------------------- */

static int serve_one(void *arg)
{
    urd_tls *t;
    int fd = urd_accept(*(const int *)arg, NULL, NULL);
    CHECK_GE(fd, 0);
    CHECK_EQ(urd_tls_open(&t, server_context, fd, NULL), 0);
    CHECK_EQ(urd_tls_write_all(t, "hello", 5), 5);
    CHECK_EQ(urd_tls_close(t), 0);
    return 0;
}

static int dialled(void *arg)
{
    (void)arg;
    urd_address at;
    urd_tls *t;
    urd_scope s;
    char got[8] = "";
    int listener = urd_tcp_listen("127.0.0.1", 0, NULL);
    CHECK_EQ(urd_address_local(listener, &at), 0);
    urd_scope_open(&s);
    CHECK_EQ(urd_go(&s, serve_one, &listener), 0);
    CHECK_EQ(urd_tls_dial(&t, client_context, "127.0.0.1", urd_address_port(&at)), 0);
    CHECK_EQ(urd_tls_read(t, got, 7), 5);
    CHECK_STR(got, "hello");
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(urd_tls_close(t), 0);
    CHECK_EQ(urd_close(listener), 0);
    CHECK_EQ(urd_tls_dial(&t, client_context, "127.0.0.1", urd_address_port(&at)), -ECONNREFUSED);
    CHECK_EQ(urd_tls_dial(&t, client_context, "127.0.0.1", -1), -EINVAL);
    return 0;
}

TEST(a_host_is_dialled_by_name_and_verified)
{
    run_tls(dialled);
}
