/*
 * refused.c - run a program where io_uring and openat2 are refused, as in many a container.
 *
 * SPDX-License-Identifier: MIT
 *
 *     refused PROGRAM [ARGUMENT...]
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "refuse.h"

enum { SKIPPED = 77 };

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    if (!refuse_call(SYS_io_uring_setup, EPERM) || !refuse_call(SYS_openat2, EPERM)) {
        puts("no filter of system calls can be set here");
        return SKIPPED;
    }
    execv(argv[1], argv + 1);
    perror(argv[1]);
    return 2;
}
