/*
 * posix.c - the rows of starts in what a program has without a library.
 *
 * SPDX-License-Identifier: MIT
 *
 *     posix --fork|--vfork|--spawn ROW WORKERS N [SECONDS]
 *
 * Where a function is asked for only a fork runs one; the others start a program, /bin/true.
 */
#include <spawn.h>
#include <stdbool.h>
#include <sys/wait.h>

#include "peer.h"

extern char **environ;

static char program[] = "/bin/true";
static char *const arguments[] = {program, NULL};

static bool function; /* is asked for, not a program */

static pid_t by_fork(void)
{
    pid_t child = fork();
    if (child == 0) {
        if (!function)
            execve(program, arguments, environ);
        _exit(function ? 0 : 127);
    }
    return child;
}

static pid_t by_vfork(void)
{
    pid_t child = vfork();
    if (child == 0) {
        execve(program, arguments, environ);
        _exit(127);
    }
    return child;
}

static pid_t by_spawn(void)
{
    pid_t child;
    return posix_spawn(&child, program, NULL, NULL, arguments, environ) == 0 ? child : -1;
}

static pid_t (*begin)(void);

static void starts(peer_args a)
{
    int64_t start = 0;
    for (long i = -1; i < a.times; i++) {
        int status;
        if (i == 0)
            start = peer_now();
        pid_t child = begin();
        if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
            peer_fail("a start");
    }
    peer_say_us(a.row, start, a.times);
}

static void starts_large(peer_args a)
{
    peer_grow();
    starts(a);
}

static void process_start(peer_args a)
{
    function = true;
    starts_large(a);
}

int main(int argc, char **argv)
{
    static const peer_row rows[] = {{"process-start", process_start},
                                    {"exec", starts},
                                    {"exec-large", starts_large},
                                    {NULL, NULL}};
    const char *how = argc > 1 ? argv[1] : "";
    bool vforks = strcmp(how, "--vfork") == 0;
    begin = vforks ? by_vfork : strcmp(how, "--spawn") == 0 ? by_spawn : by_fork;
    return peer_main(argc - 1, argv + 1, rows);
}
