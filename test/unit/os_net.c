/*
 * os_net.c - sockets are made close-on-exec and without waiting; lookups give addresses.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/os_net.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "test.h"

static void check_and_close(int fd)
{
    CHECK_GE(fd, 0);
    CHECK(fcntl(fd, F_GETFL) & O_NONBLOCK);
    CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    CHECK_EQ(close(fd), 0);
}

TEST(whatever_is_made_does_not_wait_and_is_not_inherited)
{
    int ends[2];
    check_and_close(urd__os_socket(AF_INET, SOCK_STREAM));
    CHECK_EQ(urd__os_stream_pair(ends), 0);
    check_and_close(ends[0]);
    check_and_close(ends[1]);
    CHECK_EQ(urd__os_pipe_pair(ends), 0);
    check_and_close(ends[0]);
    check_and_close(ends[1]);
}

TEST(errors_are_returned)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t size = sizeof at;
    CHECK_EQ(urd__os_socket(-1, SOCK_STREAM), -EAFNOSUPPORT);
    CHECK_EQ(urd__os_bind(-1, (struct sockaddr *)&at, size), -EBADF);
    CHECK_EQ(urd__os_listen(-1, 1), -EBADF);
    CHECK_EQ(urd__os_set_option(-1, SOL_SOCKET, SO_REUSEADDR, 1), -EBADF);
    CHECK_EQ(urd__os_socket_name(-1, false, (struct sockaddr *)&at, &size), -EBADF);
    CHECK_EQ(urd__os_remove("/nowhere/at/all"), -ENOENT);
    CHECK(!urd__os_is_socket("/"));
    CHECK(!urd__os_is_socket("/nowhere/at/all"));
}

TEST(a_folder_is_locked_for_one_at_a_time)
{
    char folder[] = "/tmp/urd-os-net-XXXXXX", path[64];
    CHECK(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/socket", folder);
    int lock = urd__os_lock_folder(path);
    CHECK_GE(lock, 0);
    CHECK_EQ(urd__os_lock_folder(path), -EAGAIN);
    close(lock);
    lock = urd__os_lock_folder(path);
    CHECK_GE(lock, 0);
    close(lock);
    CHECK_EQ(rmdir(folder), 0);
    CHECK_EQ(urd__os_lock_folder(path), -ENOENT);
}

static bool count(void *to, const struct sockaddr *address, socklen_t size)
{
    CHECK_EQ(address->sa_family, AF_INET);
    CHECK_EQ(size, sizeof(struct sockaddr_in));
    ++*(int *)to;
    return false;
}

TEST(a_lookup_gives_each_address_until_told_to_stop)
{
    int found = 0;
    CHECK_EQ(urd__os_lookup("127.0.0.1", count, &found), 0);
    CHECK_EQ(found, 1);
}
