/*
 * floor_files.c - the least this machine allows for reading files and for starting programs.
 *
 * SPDX-License-Identifier: MIT
 *
 * System calls in a loop, by a program with one thread, which waits in them.
 */
#include "floor_files.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

extern char **environ;

static void read_small(const char *folder, long n)
{
    char path[512], bytes[4096];
    for (long i = 0; i < n; i++) {
        int fd = open(peer_file(path, folder, i), O_RDONLY | O_CLOEXEC);
        peer_must(fd, "open");
        if (read(fd, bytes, sizeof bytes) != PEER_FILE_BYTES)
            peer_fail("read");
        close(fd);
    }
}

void floor_files_small(peer_args a)
{
    const char *folder = peer_folder();
    read_small(folder, a.times);
    int64_t start = peer_now();
    read_small(folder, a.times);
    peer_say_us("files-small", start, a.times);
}

void floor_files_large(peer_args a)
{
    char path[512];
    static char piece[PEER_PIECE_BYTES];
    int fd = open(peer_large(path), O_RDONLY | O_CLOEXEC);
    peer_must(fd, "open");
    int64_t start = peer_now();
    for (long left = a.times << 20; left > 0;) {
        ssize_t n = read(fd, piece, sizeof piece);
        if (n <= 0)
            peer_fail("read");
        left -= n;
    }
    peer_say_us("files-large", start, a.times);
    close(fd);
}

void floor_exec(peer_args a)
{
    static char program[] = "/bin/true";
    static char *const arguments[] = {program, NULL};
    int64_t start = 0;
    for (long i = -1; i < a.times; i++) {
        pid_t child;
        int status;
        if (i == 0)
            start = peer_now();
        peer_must(-posix_spawn(&child, program, NULL, NULL, arguments, environ), "posix_spawn");
        if (waitpid(child, &status, 0) != child || status != 0)
            peer_fail("waitpid");
    }
    peer_say_us(a.row, start, a.times);
}

void floor_exec_large(peer_args a)
{
    peer_grow();
    floor_exec(a);
}
