/*
 * board.c - the memory in which a measured program writes what it did, and when.
 *
 * SPDX-License-Identifier: MIT
 *
 * A memfd, mapped by both sides; in the measured program before urd_run, so that process jobs have
 * it at the same address.  It has room for JOBS_MAX jobs, of which only those that are used take
 * memory.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "compare/compare.h"
#include "ui/usage.h"

size_t urd__board_bytes(void)
{
    return sizeof(urd__board) + (size_t)JOBS_MAX * sizeof(urd__record);
}

urd__board *urd__board_open(int fd)
{
    void *p = mmap(NULL, urd__board_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return p == MAP_FAILED ? NULL : p;
}

urd__board *urd__board_make(int *fd)
{
    *fd = memfd_create("urd-compare", MFD_CLOEXEC);
    if (*fd >= 0 && ftruncate(*fd, (off_t)urd__board_bytes()) == 0) {
        urd__board *board = urd__board_open(*fd);
        if (board) {
            board->failure_job = -1;
            board->crash_job = -1;
            return board;
        }
    }
    urd__complain("compare", "get", "shared memory");
    if (*fd >= 0)
        close(*fd);
    return NULL;
}

void urd__board_free(urd__board *board, int fd)
{
    munmap(board, urd__board_bytes());
    close(fd);
}

int64_t urd__pss_bytes(const char *path)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return -1;
    char line[256];
    long kib = -1;
    while (kib < 0 && fgets(line, sizeof line, file))
        if (sscanf(line, "Pss: %ld kB", &kib) != 1)
            kib = -1;
    fclose(file);
    return kib < 0 ? -1 : (int64_t)kib * 1024;
}
