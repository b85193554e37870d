/*
 * os_file.c - what is in memory is told at once, and what is not is never waited for by asking.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/os_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/os_net.h"
#include "test.h"

static char folder[] = "/tmp/urd-os-file-XXXXXX", path[64], other[64];

static void make_folder(void)
{
    memcpy(folder + sizeof folder - 7, "XXXXXX", 6);
    CHECK(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/file", folder);
    snprintf(other, sizeof other, "%s/other", folder);
}

TEST(a_path_that_was_used_is_known_and_its_answers_are_those_of_a_call_that_waits)
{
    struct stat known, waited;
    make_folder();
    int fd = urd__os_open(path, O_RDWR | O_CREAT, 0600);
    CHECK_GE(fd, 0);
    CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    CHECK_EQ(urd__os_truncate(fd, 5), 0);
    CHECK_EQ(urd__os_stat(path, true, &waited), 0);
    CHECK_EQ(waited.st_size, 5);
    int rc = urd__os_stat_known(path, true, &known);
    CHECK(rc == 0 || rc == -EAGAIN);
    if (rc == 0)
        CHECK_EQ(known.st_ino, waited.st_ino);
    rc = urd__os_open_known(path, O_RDONLY);
    CHECK(rc == -EAGAIN || (fcntl(rc, F_GETFD) & FD_CLOEXEC));
    if (rc >= 0)
        close(rc);
    CHECK_EQ(urd__os_open_known(other, O_RDWR | O_CREAT), -EAGAIN);
    close(fd);
    CHECK_EQ(urd__os_remove(path) + urd__os_remove_directory(folder), 0);
}

TEST(a_link_is_followed_or_not)
{
    struct stat stat;
    make_folder();
    CHECK_EQ(symlink("nowhere", path), 0);
    CHECK_EQ(urd__os_stat(path, true, &stat), -ENOENT);
    CHECK_EQ(urd__os_stat(path, false, &stat), 0);
    CHECK(S_ISLNK(stat.st_mode));
    int rc = urd__os_stat_known(path, false, &stat);
    CHECK(rc == -EAGAIN || (rc == 0 && S_ISLNK(stat.st_mode)));
    rc = urd__os_stat_known(path, true, &stat);
    CHECK(rc == -EAGAIN || rc == -ENOENT);
    CHECK_EQ(urd__os_remove(path) + urd__os_remove_directory(folder), 0);
}

TEST(names_change_and_a_directory_lists_them)
{
    char list[1024];
    make_folder();
    CHECK_EQ(urd__os_make_directory(path, 0700), 0);
    CHECK_EQ(urd__os_make_directory(path, 0700), -EEXIST);
    CHECK_EQ(urd__os_rename(path, other), 0);
    CHECK_EQ(urd__os_rename(path, other), -ENOENT);
    int fd = urd__os_open(folder, O_RDONLY | O_DIRECTORY, 0);
    CHECK_GT(urd__os_list(fd, list, sizeof list), 0);
    CHECK_EQ(urd__os_list(fd, list, sizeof list), 0);
    CHECK_EQ(urd__os_sync(fd, false) + urd__os_sync(fd, true), 0);
    close(fd);
    CHECK_EQ(urd__os_list(-1, list, sizeof list), -EBADF);
    CHECK_EQ(urd__os_sync(-1, true), -EBADF);
    CHECK_EQ(urd__os_truncate(-1, 0), -EBADF);
    CHECK_EQ(urd__os_remove_directory(other) + urd__os_remove_directory(folder), 0);
}
