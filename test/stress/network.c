/*
 * network.c - clients and servers over a bad network: late, lossy, cut, silent, crowded.
 *
 * SPDX-License-Identifier: MIT
 *
 * URD_STRESS_SEEDS / 200 seeds of each, 20 without.  A seed is a network (network.h) and what the
 * clients do; it runs again exactly with URD_SEED.
 */
#include "network.h"

#include <stdio.h>

#include "io/poller.h"

enum { SEEDS = 20, SEEDS_DIVISOR = 200, LINE = 80 };

/* On both backends. */
static void over_networks(urd_fn *fn)
{
    static const urd_io backends[] = {URD_IO_EPOLL, URD_IO_URING};
    const char *text = getenv("URD_STRESS_SEEDS");
    uint64_t seeds = text ? strtoull(text, NULL, 10) / SEEDS_DIVISOR + 1 : SEEDS;
    if (test_under_slow_tool())
        seeds = seeds / 10 + 1;
    for (int i = 0; i < 2; i++) {
        urd_config config = {.workers = 1,
                             .virtual_clock = true,
                             .processes = URD_PROCESSES_NONE,
                             .io = backends[i]};
        if (!urd__poller_backend(config.io))
            continue;
        TEST_SEEDS(seeds)
        {
            config.seed = test_seed();
            test_run_with(&config, fn, NULL);
        }
    }
}

/* ---- A server of lines ----------------------------------------------------------------------- */

enum { CLIENTS = 6, LINES_MAX = 12, LATE_SECONDS = 120 };

typedef struct service {
    urd_address at;
    urd_event stop;
    urd_time idle;  /* that a client may be silent; 0: for ever */
    int left;       /* clients that may come yet */
    int served;     /* connections that ended as they should */
    int cut, other; /* and by an error or their silence */
    int whole;      /* clients that got all their answers */
} service;

static urd_reader reader_of(int fd, char *buf, size_t size)
{
    urd_reader r;
    urd_reader_init(&r, urd_stream_fd(fd), buf, size);
    return r;
}

/* 1: a line; 0: the end; -ETIMEDOUT: not in time. */
static int next_line(urd_reader *r, char **line, urd_time in_time)
{
    urd_scope s;
    urd_scope_open(&s);
    if (in_time)
        urd_scope_deadline(&s, urd_now() + in_time);
    int rc = urd_reader_read_line(r, line, NULL), over = urd_scope_join(&s);
    return rc == -ECANCELED ? over : rc;
}

static int answer_lines(int fd, service *sv)
{
    char in[LINE], out[2 * LINE], *line;
    urd_reader r = reader_of(fd, in, sizeof in);
    urd_writer w;
    int rc;
    urd_writer_init(&w, urd_stream_fd(fd), out, sizeof out);
    while ((rc = next_line(&r, &line, sv->idle)) == 1) {
        rc = urd_writer_print(&w, "<%s>\n", line);
        rc = rc ? rc : urd_writer_flush(&w);
        if (rc)
            break;
    }
    return rc;
}

static int serve_lines(int fd, void *arg)
{
    service *sv = arg;
    int rc = answer_lines(fd, sv);
    sv->served += rc == 0;
    sv->cut += rc == -ECONNRESET || rc == -EPIPE || rc == -ETIMEDOUT;
    sv->other += rc != 0 && rc != -ECONNRESET && rc != -EPIPE && rc != -ETIMEDOUT;
    return rc;
}

static int serve(void *arg)
{
    service *sv = arg;
    urd_serve_options o = {.stop = &sv->stop, .grace_duration = URD_FOREVER};
    int listener = urd_tcp_listen("127.0.0.1", 0, NULL);
    CHECK_GE(listener, 0);
    CHECK_EQ(urd_address_local(listener, &sv->at), 0);
    return urd_serve(&listener, 1, serve_lines, sv, &o);
}

/* Some clients take their time before they read. */
static int ask_lines(int fd, int lines)
{
    char text[LINE], in[LINE], *line;
    urd_reader r = reader_of(fd, in, sizeof in);
    for (int i = 0; i < lines; i++) {
        int size = snprintf(text, sizeof text, "%d %*d\n", i, (int)net_draw(LINE - 24) + 1, i);
        ssize_t n = urd_write_all(fd, text, (size_t)size);
        int rc = n < 0 ? (int)n : urd_sleep((urd_time)net_draw(2) * URD_SECOND);
        rc = rc ? rc : next_line(&r, &line, LATE_SECONDS * URD_SECOND);
        if (rc != 1)
            return rc ? rc : -ENODATA;
        text[size - 1] = 0;
        CHECK_EQ(line[0], '<');
        CHECK_EQ(strncmp(line + 1, text, (size_t)size - 1), 0);
        CHECK_STR(line + size, ">");
    }
    return 0;
}

/* The last one has the server stop. */
static int visit(void *arg)
{
    service *sv = arg;
    int fd = urd_tcp_dial_any(&sv->at, 1);
    CHECK_GE(fd, 0);
    int rc = ask_lines(fd, 1 + (int)net_draw(LINES_MAX));
    sv->whole += rc == 0;
    CHECK_EQ(urd_close(fd), 0);
    if (--sv->left == 0)
        urd_event_set(&sv->stop);
    return 0;
}

static void run_service(service *sv)
{
    urd_scope s;
    urd_scope_open(&s);
    sv->left = CLIENTS;
    CHECK_EQ(urd_go(&s, serve, sv), 0);
    while (urd_address_port(&sv->at) == 0)
        CHECK_EQ(urd_sleep(1), 0);
    for (int i = 0; i < CLIENTS; i++)
        CHECK_EQ(urd_go(&s, visit, sv), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
}

static int late_and_lossy(void *arg)
{
    (void)arg;
    service sv = {.idle = 0};
    net_open();
    run_service(&sv);
    CHECK_EQ(sv.whole, CLIENTS);
    CHECK_EQ(sv.served, CLIENTS);
    net_close();
    return 0;
}

TEST(every_line_is_answered_though_pieces_come_late_or_are_sent_again)
{
    over_networks(late_and_lossy);
}

/* What was not cut is served to the end. */
static int cut_and_silent(void *arg)
{
    (void)arg;
    service sv = {.idle = LATE_SECONDS * URD_SECOND};
    net_open();
    net.reset = net.muted = 20;
    run_service(&sv);
    CHECK_GE(sv.whole, CLIENTS - net.resets - net.mutes);
    CHECK_EQ(sv.served + sv.cut, net.made);
    CHECK_EQ(sv.other, 0);
    net_close();
    return 0;
}

TEST(connections_that_are_reset_or_fall_silent_end_alone_and_in_time)
{
    over_networks(cut_and_silent);
}

static uint64_t trace_of(void)
{
    urd_config config = {.workers = 1,
                         .seed = test_seed(),
                         .virtual_clock = true,
                         .processes = URD_PROCESSES_NONE,
                         .io = URD_IO_EPOLL};
    test_run_with(&config, cut_and_silent, NULL);
    return net.trace;
}

TEST(a_seed_gives_the_same_network_again)
{
    uint64_t last = 0;
    TEST_SEEDS(3)
    {
        uint64_t first = trace_of();
        CHECK(first == trace_of());
        CHECK(first != last);
        last = first;
    }
}

/* ---- Much at once ---------------------------------------------------------------------------- */

enum { MANY = 30000, PIECE = 4000 };

static unsigned char byte_at(size_t place)
{
    return (unsigned char)(place * 7 + place / 251);
}

static int send_much(void *arg)
{
    unsigned char bytes[PIECE];
    int fd = *(const int *)arg;
    for (size_t done = 0; done < MANY;) {
        size_t size = 1 + net_draw(PIECE);
        size = size < MANY - done ? size : MANY - done;
        for (size_t i = 0; i < size; i++)
            bytes[i] = byte_at(done + i);
        CHECK_EQ(urd_write_all(fd, bytes, size), (ssize_t)size);
        done += size;
    }
    return urd_shutdown(fd, SHUT_WR);
}

static int take_much(void *arg)
{
    unsigned char bytes[PIECE];
    int fd = *(const int *)arg;
    size_t got = 0;
    ssize_t n;
    while ((n = urd_read(fd, bytes, 1 + net_draw(PIECE))) > 0) {
        for (ssize_t i = 0; i < n; i++)
            CHECK_EQ(bytes[i], byte_at(got++));
        if (net_draw(8) == 0) /* slow; the sender waits meanwhile */
            CHECK_EQ(urd_sleep((urd_time)net_draw(5) * URD_SECOND), 0);
    }
    CHECK_EQ(n, 0);
    CHECK_EQ(got, MANY);
    return 0;
}

static int both_ways(void *arg)
{
    (void)arg;
    urd_address at;
    int ends[2];
    net_open();
    int listener = urd_tcp_listen("127.0.0.1", 0, NULL);
    CHECK_EQ(urd_address_local(listener, &at), 0);
    ends[0] = urd_tcp_dial_any(&at, 1);
    CHECK_GE(ends[0], 0);
    ends[1] = urd_accept(listener, NULL, NULL);
    CHECK_GE(ends[1], 0);
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(urd_go(&s, send_much, &ends[i]), 0);
        CHECK_EQ(urd_go(&s, take_much, &ends[i]), 0);
    }
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(urd_close(ends[0]), 0);
    CHECK_EQ(urd_close(ends[1]), 0);
    CHECK_EQ(urd_close(listener), 0);
    net_close();
    return 0;
}

TEST(all_bytes_come_in_order_both_ways_to_slow_readers)
{
    over_networks(both_ways);
}

/* ---- Dialling -------------------------------------------------------------------------------- */

static int dials(void *arg)
{
    enum { OTHERS_MAX = 4 };
    (void)arg;
    urd_address list[OTHERS_MAX + 1], at;
    char text[32];
    net_open();
    net.lost *= (unsigned)net_draw(2);
    int listener = urd_tcp_listen("127.0.0.1", 0, NULL);
    CHECK_EQ(urd_address_local(listener, &at), 0);
    int others = (int)net_draw(OTHERS_MAX + 1), answers = net_draw(4) > 0;
    for (int i = 0; i < others + answers; i++) {
        int host = i < others ? REFUSES + (int)net_draw(2) : NORMAL;
        snprintf(text, sizeof text, "10.0.0.%d", host);
        CHECK_EQ(urd_address_parse(&list[i], text, urd_address_port(&at)), 0);
    }
    urd_time begin = urd_now();
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_deadline(&s, begin + 60 * URD_SECOND);
    int fd = urd_tcp_dial_any(list, others + answers), over = urd_scope_join(&s);
    CHECK(fd >= 0 ? over == 0 && answers
                  : fd == (over     ? -ECANCELED
                           : others ? -ECONNREFUSED
                                    : -EINVAL));
    /* Each other one holds it up by 250 ms at most, where nothing is lost. */
    if (answers && net.lost == 0)
        CHECK_LE(urd_now() - begin,
                 others * 250 * URD_MS + 2 * (net.latency + net.jitter) + URD_MS);
    CHECK(!answers || fd >= 0 || over);
    if (fd >= 0)
        CHECK_EQ(urd_close(fd), 0);
    CHECK_EQ(urd_close(listener), 0);
    net_close();
    return 0;
}

TEST(a_dial_finds_who_answers_among_those_that_refuse_and_are_silent)
{
    over_networks(dials);
}

/* ---- Datagrams ------------------------------------------------------------------------------- */

enum { QUESTIONS = 10 };

static int answer_datagrams(void *arg)
{
    int fd = *(const int *)arg;
    char text[LINE];
    for (;;) {
        struct sockaddr_in from;
        unsigned size = sizeof from;
        ssize_t n = urd_recvfrom(fd, text, sizeof text, 0, (struct sockaddr *)&from, &size);
        if (n == -ECANCELED)
            return 0;
        CHECK_GT(n, 0);
        ssize_t sent = urd_sendto(fd, text, (size_t)n, 0, (struct sockaddr *)&from, size);
        if (sent == -ECANCELED)
            return 0;
        CHECK_EQ(sent, n);
    }
}

/* Old answers are passed over.  0, -ETIMEDOUT. */
static int hear(int fd, int number, urd_time in_time)
{
    char text[LINE];
    int heard = -1, rc = 0;
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_deadline(&s, urd_now() + in_time);
    while (rc == 0 && heard != number) {
        ssize_t n = urd_recv(fd, text, sizeof text - 1, 0);
        rc = n < 0 ? (int)n : 0;
        text[n > 0 ? n : 0] = 0;
        heard = n > 0 ? (int)strtol(text, NULL, 10) : -1;
        CHECK(rc || (heard <= number && heard >= 0));
    }
    int over = urd_scope_join(&s);
    return rc == 0 ? 0 : over;
}

static int ask_again(void *arg)
{
    const urd_address *at = arg;
    int fd = urd_udp_dial("127.0.0.1", urd_address_port(at));
    CHECK_GE(fd, 0);
    for (int i = 0; i < QUESTIONS; i++) {
        char text[LINE];
        int size = snprintf(text, sizeof text, "%d", i), rc = -ETIMEDOUT;
        for (urd_time in_time = 100 * URD_MS; rc == -ETIMEDOUT; in_time *= 2) {
            CHECK_EQ(urd_write(fd, text, (size_t)size), size);
            rc = hear(fd, i, in_time);
        }
        CHECK_EQ(rc, 0);
    }
    return urd_close(fd);
}

static int datagrams(void *arg)
{
    (void)arg;
    urd_address at;
    net_open();
    net.lost = net.lost * 3;
    int fd = urd_udp_open("127.0.0.1", 0);
    CHECK_GE(fd, 0);
    CHECK_EQ(urd_address_local(fd, &at), 0);
    urd_scope all, clients;
    urd_scope_open(&all);
    CHECK_EQ(urd_go(&all, answer_datagrams, &fd), 0);
    urd_scope_open(&clients);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(urd_go(&clients, ask_again, &at), 0);
    CHECK_EQ(urd_scope_join(&clients), 0);
    urd_scope_cancel(&all, 0);
    int rc = urd_scope_join(&all);
    CHECK(rc == 0 || rc == -ECANCELED);
    CHECK_EQ(urd_close(fd), 0);
    net_close();
    return 0;
}

TEST(questions_are_asked_again_until_an_answer_comes_through)
{
    over_networks(datagrams);
}

/* ---- A crowd --------------------------------------------------------------------------------- */

/* Those who send a letter now and then hold descriptors until the server has had enough of it. */
enum { SLOW = 12, DESCRIPTORS = 8, PATIENCE_SECONDS = 10 };

static int drip(void *arg)
{
    service *sv = arg;
    int fd = urd_tcp_dial_any(&sv->at, 1), rc = 0;
    CHECK_GE(fd, 0);
    while (rc >= 0) {
        ssize_t n = urd_write(fd, "x", 1);
        rc = n < 0 ? (int)n : urd_sleep(3 * URD_SECOND);
    }
    CHECK(rc == -EPIPE || rc == -ECONNRESET);
    CHECK_EQ(urd_close(fd), 0);
    if (--sv->left == 0)
        urd_event_set(&sv->stop);
    return 0;
}

static int flood(void *arg)
{
    (void)arg;
    service sv = {.idle = PATIENCE_SECONDS * URD_SECOND, .left = SLOW + CLIENTS};
    net_open();
    net.accepted_max = DESCRIPTORS;
    urd_scope s;
    urd_scope_open(&s);
    CHECK_EQ(urd_go(&s, serve, &sv), 0);
    while (urd_address_port(&sv.at) == 0)
        CHECK_EQ(urd_sleep(1), 0);
    urd_time begin = urd_now();
    for (int i = 0; i < SLOW + CLIENTS; i++)
        CHECK_EQ(urd_go(&s, i < SLOW ? drip : visit, &sv), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(sv.whole, CLIENTS);
    CHECK_EQ(sv.cut, SLOW);
    CHECK_GT(net.refused, 0);
    /* It paused: 5 ms, 10, 20 ... each time there was none left, and then each second. */
    CHECK_LE(net.refused, 12 * (SLOW + CLIENTS) + (urd_now() - begin) / URD_SECOND);
    net_close();
    return 0;
}

TEST(a_server_with_few_descriptors_outlasts_those_who_dribble_and_serves_the_others)
{
    over_networks(flood);
}
