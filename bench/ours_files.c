/*
 * ours_files.c - our side of the comparison with other runtimes: files and programs.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>

#include "ours.h"

static void read_small(const char *folder, long n)
{
    char path[512], bytes[4096];
    for (long i = 0; i < n; i++) {
        int fd = urd_open(peer_file(path, folder, i), O_RDONLY, 0);
        peer_must(fd, "urd_open");
        if (urd_read(fd, bytes, sizeof bytes) != PEER_FILE_BYTES)
            peer_fail("urd_read");
        urd_close(fd);
    }
}

static int measure_files_small(void *arg)
{
    (void)arg;
    const char *folder = peer_folder();
    read_small(folder, ours_args.times);
    int64_t start = peer_now();
    read_small(folder, ours_args.times);
    peer_say_us("files-small", start, ours_args.times);
    return 0;
}

static int measure_files_large(void *arg)
{
    (void)arg;
    char path[512];
    static char piece[PEER_PIECE_BYTES];
    int fd = urd_open(peer_large(path), O_RDONLY, 0);
    peer_must(fd, "urd_open");
    int64_t start = peer_now();
    for (long left = ours_args.times << 20; left > 0;) {
        ssize_t n = urd_read(fd, piece, sizeof piece);
        if (n <= 0)
            peer_fail("urd_read");
        left -= n;
    }
    peer_say_us("files-large", start, ours_args.times);
    return urd_close(fd);
}

static int measure_exec(void *arg)
{
    (void)arg;
    static const char *const command[] = {"/bin/true", NULL};
    int64_t start = 0;
    for (long i = -1; i < ours_args.times; i++) {
        if (i == 0)
            start = peer_now();
        peer_must(urd_exec(command, NULL, NULL), "urd_exec");
    }
    peer_say_us(ours_args.row, start, ours_args.times);
    return 0;
}

static int measure_exec_large(void *arg)
{
    peer_grow();
    return measure_exec(arg);
}

const ours_row ours_files[] = {{"files-small", measure_files_small},
                               {"files-large", measure_files_large},
                               {"exec", measure_exec},
                               {"exec-large", measure_exec_large},
                               {NULL, NULL}};
