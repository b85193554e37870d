/*
 * address.c - addresses come from digits and names, go into text, and are those of sockets.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net/address.h"

#include <sys/un.h>

#include "backends.h"

static void check_text(const char *digits, int port, const char *expected)
{
    urd_address a;
    char text[URD_ADDRESS_TEXT_MAX];
    CHECK_EQ(urd_address_parse(&a, digits, port), 0);
    CHECK_EQ(urd_address_port(&a), port);
    CHECK_EQ(urd_address_text(&a, text, sizeof text), strlen(expected));
    CHECK_STR(text, expected);
}

TEST(digits_become_an_address_and_text_again)
{
    check_text("127.0.0.1", 80, "127.0.0.1:80");
    check_text("255.255.255.255", 65535, "255.255.255.255:65535");
    check_text("::1", 0, "[::1]:0");
    check_text("2001:db8:1111:2222:3333:4444:5555:6666", 65535,
               "[2001:db8:1111:2222:3333:4444:5555:6666]:65535");
}

TEST(what_is_no_address_is_refused)
{
    urd_address a;
    CHECK_EQ(urd_address_parse(&a, "localhost", 80), -EINVAL);
    CHECK_EQ(urd_address_parse(&a, "127.0.0", 80), -EINVAL);
    CHECK_EQ(urd_address_parse(&a, "", 80), -EINVAL);
    CHECK_EQ(urd_address_parse(&a, "127.0.0.1", -1), -EINVAL);
    CHECK_EQ(urd_address_parse(&a, "127.0.0.1", 65536), -EINVAL);
    CHECK_EQ(urd__address_unix(&a, ""), -EINVAL);
    char path[200];
    memset(path, 'a', sizeof path);
    path[sizeof((struct sockaddr_un *)0)->sun_path] = '\0';
    CHECK_EQ(urd__address_unix(&a, path), -EINVAL);
    path[sizeof((struct sockaddr_un *)0)->sun_path - 1] = '\0';
    CHECK_EQ(urd__address_unix(&a, path), 0);
}

TEST(text_says_when_there_is_too_little_room_or_another_kind)
{
    urd_address a = {0};
    char text[8];
    CHECK_EQ(urd_address_text(&a, text, sizeof text), -EAFNOSUPPORT);
    CHECK_EQ(urd_address_port(&a), 0);
    CHECK_EQ(urd__address_unix(&a, "/run/x"), 0);
    CHECK_EQ(urd_address_text(&a, text, sizeof text), 6);
    CHECK_STR(text, "/run/x");
    CHECK_EQ(urd_address_text(&a, text, 6), -ENOSPC);
    CHECK_EQ(urd__address_unix(&a, "@name"), 0);
    CHECK_EQ(urd_address_text(&a, text, sizeof text), 5);
    CHECK_STR(text, "@name");
}

static int of_sockets(void *arg)
{
    (void)arg;
    urd_address mine, theirs;
    int ends[2], fd = urd_udp_open("127.0.0.1", 0);
    CHECK_EQ(urd_address_peer(fd, &theirs), -ENOTCONN);
    CHECK_EQ(urd_close(fd), 0);
    make_connection(ends);
    CHECK_EQ(urd_address_local(ends[0], &mine), 0);
    CHECK_EQ(urd_address_peer(ends[1], &theirs), 0);
    CHECK_GT(urd_address_port(&mine), 0);
    CHECK_EQ(urd_address_port(&mine), urd_address_port(&theirs));
    CHECK_EQ(mine.size, theirs.size);
    close_pair(ends);
    CHECK_EQ(urd_address_local(-1, &mine), -EBADF);
    return 0;
}

TEST(sockets_say_where_both_ends_are)
{
    run_io(1, of_sockets);
}

static int names(void *arg)
{
    (void)arg;
    urd_address list[4];
    char text[URD_ADDRESS_TEXT_MAX], long_name[300];
    CHECK_EQ(urd_resolve("::1", 7, list, 4), 1);
    int n = urd_resolve("localhost", 7, list, 4);
    CHECK_GT(n, 0);
    CHECK_LE(n, 4);
    for (int i = 0; i < n; i++) {
        CHECK_GT(urd_address_text(&list[i], text, sizeof text), 0);
        CHECK(strcmp(text, "127.0.0.1:7") == 0 || strcmp(text, "[::1]:7") == 0);
    }
    CHECK_EQ(urd_resolve("localhost", 7, list, 1), 1);
    memset(long_name, 'a', sizeof long_name);
    long_name[sizeof long_name - 1] = '\0';
    CHECK_EQ(urd_resolve(long_name, 7, list, 4), -EINVAL);
    CHECK_EQ(urd_resolve("localhost", 7, list, 0), -EINVAL);
    CHECK_EQ(urd_resolve("localhost", -7, list, 4), -EINVAL);
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_cancel(&s, 0);
    CHECK_EQ(urd_resolve("localhost", 7, list, 4), -ECANCELED);
    CHECK_EQ(urd_scope_join(&s), -ECANCELED);
    return 0;
}

static int names_of_addresses(void *arg)
{
    (void)arg;
    urd_address at = {0};
    char name[URD_ADDRESS_TEXT_MAX];
    urd_scope s;
    CHECK_EQ(urd_resolve_name(&at, name, sizeof name), -EAFNOSUPPORT);
    CHECK_EQ(urd_address_parse(&at, "127.0.0.1", 7), 0);
    int n = urd_resolve_name(&at, name, sizeof name); /* what is in /etc/hosts, if it is there */
    CHECK(n == -ENOENT || n == -EAGAIN || (n > 0 && (size_t)n == strlen(name)));
    urd_scope_open(&s);
    urd_scope_cancel(&s, 0);
    CHECK_EQ(urd_resolve_name(&at, name, sizeof name), -ECANCELED);
    CHECK_EQ(urd_scope_join(&s), -ECANCELED);
    return 0;
}

TEST(an_address_may_have_a_name)
{
    run_io(1, names_of_addresses);
}

TEST(a_name_has_its_addresses_and_digits_are_no_name)
{
    run_io(1, names);
}
