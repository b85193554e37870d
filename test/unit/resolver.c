/*
 * resolver.c - names are asked of a small name server, which answers in every way there is.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net/resolver.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "backends.h"

enum { HEADER = 12, PACKET = 512, MANY = 60, TYPE_A = 1, TYPE_PTR = 12, TYPE_AAAA = 28 };
enum { NO_ERROR, SERVFAIL = 2, NXDOMAIN = 3 };

/* ---- A name server --------------------------------------------------------------------------- */

static int udp, tcp;
static atomic_int asked, lost; /* questions so far; and how many to answer no more */
static char servers[64], file[32];

/* As text, with dots; where the name ends. */
static size_t name_at(const unsigned char *packet, size_t at, char *name)
{
    size_t n = 0;
    while (packet[at]) {
        memcpy(name + n, packet + at + 1, packet[at]);
        n += packet[at];
        name[n++] = '.';
        at += packet[at] + 1U;
    }
    name[n ? n - 1 : 0] = '\0';
    return at + 1;
}

static size_t put(unsigned char *at, const void *bytes, size_t n)
{
    memcpy(at, bytes, n);
    return n;
}

/* A record of the name that was asked for. */
static size_t put_record(unsigned char *at, int type, const void *data, size_t size)
{
    const unsigned char head[] = {0xc0, HEADER, 0, (unsigned char)type, 0, 1, 0, 0,
                                  0,    0,      0, (unsigned char)size};
    size_t n = put(at, head, sizeof head);
    return n + put(at + n, data, size);
}

/* The answer over the question: its length; 0: there is none. */
static size_t answer(unsigned char *packet, bool is_udp)
{
    char name[256];
    size_t n = name_at(packet, HEADER, name);
    int type = packet[n + 1], code = NO_ERROR, records = 0;
    bool cut = is_udp && strcmp(name, "many.test") == 0;
    n += 4;
    asked++;
    if (strcmp(name, "never.test") == 0 || (strcmp(name, "lost.test") == 0 && lost-- > 0))
        return 0;
    if (strcmp(name, "broken.test") == 0)
        code = SERVFAIL;
    else if (strcmp(name, "1.0.0.10.in-addr.arpa") == 0 && type == TYPE_PTR)
        n += put_record(packet + n, TYPE_PTR, "\4host\4test", 11), records++;
    else if (strcmp(name, "one.test") && strcmp(name, "many.test") && strcmp(name, "lost.test") &&
             strcmp(name, "short.corp.test"))
        code = NXDOMAIN;
    else if (type == TYPE_A && !cut)
        for (; records < (strcmp(name, "many.test") ? 1 : MANY); records++)
            n += put_record(packet + n, TYPE_A,
                            (unsigned char[]){10, 0, 0, (unsigned char)(records + 1)}, 4);
    packet[2] = (unsigned char)(0x85 | (cut ? 2 : 0)); /* an answer, from who knows */
    packet[3] = (unsigned char)(0x80 | code);
    packet[7] = (unsigned char)records;
    memset(packet + 8, 0, 4);
    return n;
}

static int serve_udp(void *unused)
{
    (void)unused;
    unsigned char packet[4096];
    struct sockaddr_in from;
    for (;;) {
        socklen_t size = sizeof from;
        ssize_t n = urd_recvfrom(udp, packet, PACKET, 0, (struct sockaddr *)&from, &size);
        if (n < 0)
            return 0;
        size_t length = answer(packet, true);
        if (length > 0)
            CHECK_EQ(urd_sendto(udp, packet, length, 0, (struct sockaddr *)&from, size), length);
    }
}

static int serve_tcp(void *unused)
{
    (void)unused;
    unsigned char packet[2 + 4096];
    int fd;
    while ((fd = urd_accept(tcp, NULL, NULL)) >= 0) {
        while (urd_read_exact(fd, packet, 2) == 2 &&
               urd_read_exact(fd, packet + 2, packet[1]) == packet[1]) {
            size_t length = answer(packet + 2, false);
            packet[0] = (unsigned char)(length >> 8);
            packet[1] = (unsigned char)length;
            CHECK_EQ(urd_write_all(fd, packet, length + 2), length + 2);
        }
        urd_close(fd);
    }
    return 0;
}

/* One port for both. */
static void open_server(void)
{
    urd_address at;
    tcp = urd_tcp_listen("127.0.0.1", 0, NULL);
    CHECK_GE(tcp, 0);
    CHECK_EQ(urd_address_local(tcp, &at), 0);
    udp = urd_udp_open("127.0.0.1", urd_address_port(&at));
    CHECK_GE(udp, 0);
    CHECK_GT(urd_address_text(&at, servers, sizeof servers), 0);
    urd__resolver_servers = servers;
    memcpy(file, "/tmp/urd-resolv-XXXXXX", 23);
    int fd = mkstemp(file);
    CHECK_GE(fd, 0);
    CHECK_EQ(close(fd), 0);
    urd__resolver_file = file;
    asked = 0;
}

static urd_fn *body;

static int beside_a_server(void *arg)
{
    urd_scope s;
    open_server();
    urd_scope_open(&s);
    CHECK_EQ(urd_go(&s, serve_udp, NULL), 0);
    CHECK_EQ(urd_go(&s, serve_tcp, NULL), 0);
    CHECK_EQ(body(arg), 0);
    urd_scope_cancel(&s, 0);
    CHECK_EQ(urd_scope_join(&s), -ECANCELED);
    urd_close(udp);
    urd_close(tcp);
    CHECK_EQ(unlink(file), 0);
    return 0;
}

/* By the machine's clock, which is c-ares' own. */
static void run_names(urd_fn *fn)
{
    static const urd_io backends[] = {URD_IO_EPOLL, URD_IO_AUTO};
    if (!urd__resolver_serves())
        SKIP("c-ares is not here, or this system asks others than name servers");
    CHECK_EQ(setenv("LOCALDOMAIN", "corp.test", 1), 0);
    CHECK_EQ(unsetenv("RES_OPTIONS"), 0);
    body = fn;
    for (int i = test_under_slow_tool(); i < 2; i++) {
        urd_config config = {.workers = i + 1, .processes = URD_PROCESSES_NONE, .io = backends[i]};
        test_run_with(&config, beside_a_server, NULL);
    }
}

/* ---- Answers --------------------------------------------------------------------------------- */

static void check_first(const char *host, int count, const char *text)
{
    urd_address list[MANY + 4];
    char first[URD_ADDRESS_TEXT_MAX];
    CHECK_EQ(urd_resolve(host, 80, list, MANY + 4), count);
    CHECK_GT(urd_address_text(&list[0], first, sizeof first), 0);
    CHECK_STR(first, text);
}

static int addresses(void *arg)
{
    (void)arg;
    urd_address list[4];
    check_first("one.test", 1, "10.0.0.1:80");
    check_first("short", 1, "10.0.0.1:80"); /* by the search domain */
    int before = asked;
    CHECK_GT(urd_resolve("localhost", 80, list, 4), 0);
    CHECK_EQ(urd_resolve("127.0.0.1", 80, list, 4), 1);
    CHECK_EQ(asked, before);
    CHECK_EQ(urd_resolve("none.test", 80, list, 4), -ENOENT);
    CHECK_EQ(urd_resolve("broken.test", 80, list, 4), -EAGAIN);
    return 0;
}

TEST(names_are_answered_by_files_search_domains_and_name_servers)
{
    run_names(addresses);
}

static int truncated(void *arg)
{
    (void)arg;
    urd_address list[3];
    check_first("many.test", MANY, "10.0.0.1:80");
    CHECK_EQ(urd_resolve("many.test", 80, list, 3), 3); /* and no more are stored */
    return 0;
}

TEST(an_answer_that_was_cut_is_asked_for_by_TCP)
{
    run_names(truncated);
}

static int lost_packets(void *arg)
{
    (void)arg;
    urd_address list[4];
    lost = 2;
    CHECK_EQ(setenv("RES_OPTIONS", "retrans:20 retry:6", 1), 0);
    check_first("lost.test", 1, "10.0.0.1:80");
    CHECK_LT(lost, 0);
    CHECK_EQ(setenv("RES_OPTIONS", "retrans:5 retry:2", 1), 0);
    CHECK_EQ(urd_resolve("never.test", 80, list, 4), -EAGAIN);
    return 0;
}

TEST(a_lost_packet_is_sent_again_and_silence_is_EAGAIN)
{
    run_names(lost_packets);
}

static int at_once(void *arg)
{
    (void)arg;
    urd_address list[4];
    return urd_resolve("one.test", 80, list, 4) == 1 ? 0 : -EIO;
}

static int many(void *arg)
{
    (void)arg;
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < 20; i++)
        CHECK_EQ(urd_spawn(&s, i % 5 ? URD_TASK : URD_THREAD, at_once, NULL, 0), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    return 0;
}

TEST(many_ask_at_once)
{
    run_names(many);
}

/* ---- The setup ------------------------------------------------------------------------------- */

/* Nobody listens there. */
static int moved(void *arg)
{
    (void)arg;
    urd_address list[4];
    check_first("one.test", 1, "10.0.0.1:80");
    int before = test_fd_count();
    urd__resolver_servers = "127.0.0.1:1";
    check_first("one.test", 1, "10.0.0.1:80"); /* of a change nothing has told */
    CHECK_EQ(test_fd_count(), before);
    int fd = open(file, O_WRONLY | O_CLOEXEC);
    CHECK_EQ(write(fd, "changed", 7), 7);
    CHECK_EQ(close(fd), 0);
    CHECK_EQ(urd_resolve("one.test", 80, list, 4), -EAGAIN);
    urd__resolver_servers = servers;
    CHECK_EQ(setenv("LOCALDOMAIN", "other.test", 1), 0);
    CHECK_EQ(urd_resolve("short", 80, list, 4), -ENOENT);
    CHECK_EQ(setenv("LOCALDOMAIN", "corp.test", 1), 0);
    check_first("short", 1, "10.0.0.1:80");
    return 0;
}

TEST(a_setup_is_kept_until_the_system_s_file_or_the_environment_changes)
{
    run_names(moved);
}

/* ---- Cancelled ------------------------------------------------------------------------------- */

static int ask_for_ever(void *arg)
{
    (void)arg;
    urd_address list[4];
    CHECK_EQ(urd_resolve("never.test", 80, list, 4), -ECANCELED);
    CHECK_EQ(urd_resolve("one.test", 80, list, 4), -ECANCELED);
    return 0;
}

static int cancelled(void *arg)
{
    (void)arg;
    urd_scope s;
    urd_scope_open(&s);
    CHECK_EQ(urd_go(&s, ask_for_ever, NULL), 0);
    for (int seen = asked; asked == seen;)
        CHECK_EQ(urd_yield(), 0);
    urd_scope_cancel(&s, 0);
    CHECK_EQ(urd_scope_join(&s), -ECANCELED);
    return 0;
}

TEST(a_cancelled_question_ends_at_once)
{
    run_names(cancelled);
}

/* ---- Names of addresses ---------------------------------------------------------------------- */

static int names(void *arg)
{
    (void)arg;
    urd_address at;
    char name[64] = "?";
    CHECK_EQ(urd_address_parse(&at, "10.0.0.1", 80), 0);
    CHECK_EQ(urd_resolve_name(&at, name, sizeof name), 9);
    CHECK_STR(name, "host.test");
    CHECK_EQ(urd_resolve_name(&at, name, 10), 9);
    CHECK_EQ(urd_resolve_name(&at, name, 9), -ENOSPC);
    CHECK_EQ(urd_address_parse(&at, "10.0.0.2", 80), 0);
    CHECK_EQ(urd_resolve_name(&at, name, sizeof name), -ENOENT);
    return 0;
}

TEST(an_address_has_a_name_or_has_none)
{
    run_names(names);
}
