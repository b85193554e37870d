/*
 * stream.c - sockets listen, connect and talk; dialling takes the first address that answers.
 *
 * SPDX-License-Identifier: MIT
 */
#include <netinet/tcp.h>
#include <stdlib.h>

#include "backends.h"

/* ---- TCP ------------------------------------------------------------------------------------- */

static int listener, port;

static void listen_at(const char *host)
{
    urd_address at;
    listener = urd_tcp_listen(host, 0, NULL);
    CHECK_GE(listener, 0);
    CHECK_EQ(urd_address_local(listener, &at), 0);
    port = urd_address_port(&at);
    CHECK_GT(port, 0);
}

static bool without_delay(int fd)
{
    int on = 0;
    socklen_t size = sizeof on;
    CHECK_EQ(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &size), 0);
    return on;
}

static int answer_one(void *arg)
{
    (void)arg;
    char got[4];
    int fd = urd_accept(listener, NULL, NULL);
    CHECK_GE(fd, 0);
    CHECK(without_delay(fd));
    CHECK_EQ(urd_read_exact(fd, got, 4), 4);
    CHECK_EQ(urd_write_all(fd, got, 4), 4);
    CHECK_EQ(urd_close(fd), 0);
    return 0;
}

static int ask_one(void *arg)
{
    char got[5] = "";
    int fd = urd_tcp_dial(arg, port);
    CHECK_GE(fd, 0);
    CHECK(without_delay(fd));
    CHECK_EQ(urd_write_all(fd, "echo", 4), 4);
    CHECK_EQ(urd_read_all(fd, got, 4), 4);
    CHECK_STR(got, "echo");
    CHECK_EQ(urd_close(fd), 0);
    return 0;
}

static int talk(void *arg)
{
    (void)arg;
    char digits[] = "127.0.0.1", name[] = "localhost";
    listen_at("127.0.0.1");
    as_both(ask_one, digits, answer_one, NULL);
    as_both(ask_one, name, answer_one, NULL);
    CHECK_EQ(urd_close(listener), 0);
    listen_at(NULL);
    as_both(ask_one, digits, answer_one, NULL);
    CHECK_EQ(urd_close(listener), 0);
    CHECK_EQ(urd_tcp_dial(digits, port), -ECONNREFUSED);
    return 0;
}

TEST(a_dialled_connection_is_accepted_and_both_ends_send_at_once)
{
    run_io(2, talk);
}

static int shared_port(void *arg)
{
    (void)arg;
    urd_listen_options options = {.reuse_port = true, .backlog = 5};
    urd_address at;
    int one = urd_tcp_listen("127.0.0.1", 0, &options);
    CHECK_EQ(urd_address_local(one, &at), 0);
    int other = urd_tcp_listen_at(&at, &options);
    CHECK_GE(other, 0);
    CHECK_EQ(urd_tcp_listen_at(&at, NULL), -EADDRINUSE);
    CHECK_EQ(urd_close(one), 0);
    CHECK_EQ(urd_close(other), 0);
    CHECK_EQ(urd_tcp_listen("192.0.2.1", 0, NULL), -EADDRNOTAVAIL); /* nobody's */
    CHECK_EQ(urd_tcp_listen(NULL, 65536, NULL), -EINVAL);
    CHECK_EQ(urd_tcp_dial("127.0.0.1", -1), -EINVAL);
    CHECK_EQ(urd_tcp_dial_any(&at, 0), -EINVAL);
    CHECK_EQ(urd_tcp_dial_any(&at, 17), -EINVAL);
    return 0;
}

TEST(a_port_is_shared_by_those_that_ask_for_it_only)
{
    run_io(1, shared_port);
}

/* ---- Happy eyeballs -------------------------------------------------------------------------- */

enum { FILLERS = 8 };

/* Listens, and does not answer: so many wait already that the kernel drops further ones. */
typedef struct silent {
    urd_address at;
    int listener, fillers[FILLERS], n;
} silent;

static void be_silent(silent *s)
{
    *s = (silent){.listener = urd_tcp_listen("127.0.0.1", 0, &(urd_listen_options){.backlog = 1})};
    CHECK_EQ(urd_address_local(s->listener, &s->at), 0);
    for (int rc = 0; rc == 0;) {
        CHECK_LT(s->n, FILLERS);
        int fd = s->fillers[s->n++] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        urd_scope soon;
        urd_scope_open(&soon);
        urd_scope_deadline(&soon, urd_now() + URD_SECOND);
        rc = urd_connect(fd, (struct sockaddr *)s->at.bytes, s->at.size);
        (void)!urd_scope_join(&soon);
    }
}

static void end_silence(silent *s)
{
    while (s->n > 0)
        CHECK_EQ(urd_close(s->fillers[--s->n]), 0);
    CHECK_EQ(urd_close(s->listener), 0);
}

static void check_dial(const urd_address *list, int n, urd_time wait, int expected)
{
    urd_address at;
    urd_time start = urd_now();
    int fd = urd_tcp_dial_any(list, n);
    CHECK_GE(fd, 0);
    CHECK_EQ(urd_now() - start, wait);
    CHECK_EQ(urd_address_peer(fd, &at), 0);
    CHECK_EQ(urd_address_port(&at), expected);
    CHECK_EQ(urd_close(fd), 0);
}

static int first_to_answer(void *arg)
{
    (void)arg;
    silent dead;
    urd_address good, refusing;
    be_silent(&dead);
    int closed = urd_tcp_listen("127.0.0.1", 0, NULL);
    CHECK_EQ(urd_address_local(closed, &refusing), 0);
    CHECK_EQ(urd_close(closed), 0);
    listen_at("127.0.0.1");
    CHECK_EQ(urd_address_local(listener, &good), 0);
    check_dial((urd_address[]){good, dead.at}, 2, 0, port);
    check_dial((urd_address[]){dead.at, good}, 2, 250 * URD_MS, port);
    check_dial((urd_address[]){refusing, good}, 2, 0, port); /* the next one at once */
    check_dial((urd_address[]){dead.at, dead.at, refusing, good}, 4, 500 * URD_MS, port);
    CHECK_EQ(urd_tcp_dial_any((urd_address[]){refusing, refusing}, 2), -ECONNREFUSED);
    CHECK_EQ(urd_close(listener), 0);
    end_silence(&dead);
    return 0;
}

TEST(the_next_address_is_tried_when_one_fails_or_is_silent_for_250_ms)
{
    run_io(2, first_to_answer);
}

static int turns(void *arg)
{
    (void)arg;
    silent dead;
    urd_address good;
    int fd = urd_tcp_listen("::1", 0, NULL);
    if (fd < 0)
        return 0; /* no IPv6 here */
    be_silent(&dead);
    CHECK_EQ(urd_address_local(fd, &good), 0);
    check_dial((urd_address[]){dead.at, dead.at, good}, 3, 250 * URD_MS, urd_address_port(&good));
    check_dial((urd_address[]){good, dead.at, dead.at}, 3, 0, urd_address_port(&good));
    CHECK_EQ(urd_close(fd), 0);
    end_silence(&dead);
    return 0;
}

TEST(the_families_take_turns)
{
    run_io(1, turns);
}

static int dial_in_vain(void *arg)
{
    const silent *dead = arg;
    CHECK_EQ(urd_tcp_dial_any((urd_address[]){dead->at, dead->at}, 2), -ECANCELED);
    CHECK_EQ(urd_tcp_dial_any(&dead->at, 1), -ECANCELED);
    return 0;
}

static int given_up(void *arg)
{
    (void)arg;
    silent dead;
    be_silent(&dead);
    for (int kind = URD_TASK; kind <= URD_THREAD; kind++) {
        urd_scope s;
        urd_scope_open(&s);
        urd_scope_deadline(&s, urd_now() + URD_SECOND / 2);
        CHECK_EQ(urd_spawn(&s, (urd_kind)kind, dial_in_vain, &dead, 0), 0);
        CHECK_EQ(urd_scope_join(&s), -ETIMEDOUT);
    }
    end_silence(&dead);
    return 0;
}

TEST(a_deadline_ends_a_dial_and_leaves_no_socket)
{
    run_io(2, given_up);
}

TEST(without_a_runtime_addresses_are_tried_one_by_one)
{
    urd_address list[2];
    listen_at("127.0.0.1");
    CHECK_EQ(urd_address_local(listener, &list[1]), 0);
    int closed = urd_tcp_listen("127.0.0.1", 0, NULL);
    CHECK_EQ(urd_address_local(closed, &list[0]), 0);
    CHECK_EQ(urd_close(closed), 0);
    int fd = urd_tcp_dial_any(list, 2);
    CHECK_GE(fd, 0);
    CHECK_EQ(urd_close(fd), 0);
    CHECK_EQ(urd_close(listener), 0);
}

/* ---- Unix, UDP, pipes ------------------------------------------------------------------------ */

static int local(void *arg)
{
    (void)arg;
    char folder[] = "/tmp/urdXXXXXX", path[64], name[64];
    CHECK(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/socket", folder);
    snprintf(name, sizeof name, "@%s", folder);
    for (int i = 0; i < 2; i++) { /* the second time it was left behind */
        listener = urd_unix_listen(path, NULL);
        CHECK_GE(listener, 0);
        int ends[] = {listener, urd_unix_dial(path)};
        CHECK_GE(ends[1], 0);
        CHECK_EQ(urd_unix_listen(path, NULL), -EADDRINUSE); /* it lives */
        close_pair(ends);
        CHECK_EQ(urd_unix_dial(path), -ECONNREFUSED);
    }
    CHECK_EQ(unlink(path), 0);
    CHECK_EQ(urd_unix_dial(path), -ENOENT);
    int file = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    CHECK_EQ(urd_unix_listen(path, NULL), -EADDRINUSE); /* no socket: not ours to remove */
    CHECK_EQ(close(file) + unlink(path) + rmdir(folder), 0);
    listener = urd_unix_listen(name, NULL);
    CHECK_GE(listener, 0);
    int ends[] = {urd_unix_dial(name), urd_accept(listener, NULL, NULL)};
    CHECK_EQ(urd_write(ends[1], "abc", 3), 3);
    char got[4] = "";
    CHECK_EQ(urd_read(ends[0], got, 3), 3);
    CHECK_STR(got, "abc");
    close_pair(ends);
    CHECK_EQ(urd_unix_listen(name, NULL), -EADDRINUSE);
    CHECK_EQ(urd_close(listener), 0);
    CHECK_EQ(urd_unix_listen("", NULL), -EINVAL);
    CHECK_EQ(urd_unix_dial(""), -EINVAL);
    return 0;
}

TEST(a_local_socket_replaces_one_left_behind_and_nothing_else)
{
    run_io(1, local);
}

enum { RACERS = 4 };
static char stale[] = "/tmp/urd-stale-XXXXXX", stale_path[64];
static int won[RACERS];

static int listen_in_race(void *arg)
{
    *(int *)arg = urd_unix_listen(stale_path, NULL);
    return 0;
}

static int race_for_path(void *arg)
{
    (void)arg;
    memcpy(stale + sizeof stale - 7, "XXXXXX", 6);
    CHECK(mkdtemp(stale) != NULL);
    snprintf(stale_path, sizeof stale_path, "%s/socket", stale);
    for (int round = 0; round < 10; round++) { /* from the second one on it was left behind */
        urd_scope s;
        int winners = 0, winner = -1;
        urd_scope_open(&s);
        for (int i = 0; i < RACERS; i++)
            CHECK_EQ(urd_spawn(&s, i % 2 ? URD_TASK : URD_THREAD, listen_in_race, &won[i], 0), 0);
        CHECK_EQ(urd_scope_join(&s), 0);
        for (int i = 0; i < RACERS; i++) {
            CHECK(won[i] >= 0 || won[i] == -EADDRINUSE);
            winners += won[i] >= 0;
            winner = won[i] >= 0 ? won[i] : winner;
        }
        CHECK_EQ(winners, 1);
        int ends[] = {urd_unix_dial(stale_path), winner};
        CHECK_GE(ends[0], 0);
        close_pair(ends);
    }
    CHECK_EQ(unlink(stale_path) + rmdir(stale), 0);
    return 0;
}

TEST(of_several_who_listen_at_a_path_left_behind_one_does)
{
    run_io(2, race_for_path);
}

static int datagrams(void *arg)
{
    (void)arg;
    urd_address at, from = {.size = sizeof from.bytes};
    char got[4] = "";
    int server = urd_udp_open("127.0.0.1", 0), all = urd_udp_open(NULL, 0);
    CHECK_GE(all, 0);
    CHECK_EQ(urd_address_local(server, &at), 0);
    int client = urd_udp_dial("127.0.0.1", urd_address_port(&at));
    CHECK_EQ(urd_write(client, "one", 3), 3);
    CHECK_EQ(urd_recvfrom(server, got, 3, 0, (struct sockaddr *)from.bytes, &from.size), 3);
    CHECK_EQ(urd_sendto(server, "two", 3, 0, (struct sockaddr *)from.bytes, from.size), 3);
    CHECK_EQ(urd_read(client, got, 3), 3);
    CHECK_STR(got, "two");
    CHECK_EQ(urd_udp_open("127.0.0.1", urd_address_port(&at)), -EADDRINUSE);
    CHECK_EQ(urd_udp_open(NULL, -1), -EINVAL);
    CHECK_EQ(urd_close(server) + urd_close(client) + urd_close(all), 0);
    return 0;
}

TEST(datagrams_go_both_ways)
{
    run_io(1, datagrams);
}

static int read_three(void *arg)
{
    char got[4] = "";
    CHECK_EQ(urd_read_exact(*(const int *)arg, got, 3), 3);
    CHECK_STR(got, "abc");
    return 0;
}

static int write_three(void *arg)
{
    CHECK_EQ(urd_sleep(URD_MS), 0);
    CHECK_EQ(urd_write_all(*(const int *)arg, "abc", 3), 3);
    return 0;
}

static int within(void *arg)
{
    (void)arg;
    int ends[2];
    CHECK_EQ(urd_pipe(ends), 0);
    as_both(read_three, &ends[0], write_three, &ends[1]);
    close_pair(ends);
    CHECK_EQ(urd_pair(ends), 0);
    as_both(read_three, &ends[0], write_three, &ends[1]);
    as_both(read_three, &ends[1], write_three, &ends[0]);
    close_pair(ends);
    return 0;
}

TEST(pipes_and_pairs_carry_what_is_written)
{
    run_io(2, within);
}
