/*
 * exec.c - what does urd_exec add to posix_spawn, in a small program and in a large one?
 *
 * SPDX-License-Identifier: MIT
 *
 *     bench_exec [ROUNDS] [BYTES of the large one; 2 GiB]
 *
 * Sketch: a program that does nothing takes the kernel some 500 us.  Ours adds a pidfd, a wait in
 * the poller and two closes, some 10 us, and the closing of all descriptors but three.  The memory
 * of the program that starts it is borrowed, not copied, so its size does not matter; fork copies
 * the page tables.
 */
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

extern char **environ;

static char *const command[] = {(char[]){"/bin/true"}, NULL};

static void ended(pid_t pid)
{
    int status;
    bench_must(waitpid(pid, &status, 0) == pid && status == 0 ? 0 : -1, "waitpid");
}

static void with_posix_spawn(long n)
{
    for (long i = 0; i < n; i++) {
        pid_t pid;
        bench_must(-posix_spawn(&pid, command[0], NULL, NULL, command, environ), "posix_spawn");
        ended(pid);
    }
}

static void with_fork(long n)
{
    for (long i = 0; i < n; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            execv(command[0], command);
            _exit(1);
        }
        ended(pid);
    }
}

static void with_urd_exec(long n)
{
    for (long i = 0; i < n; i++)
        bench_must(urd_exec((const char *const *)command, NULL, NULL), "urd_exec");
}

static int run(void *arg)
{
    int rounds = *(int *)arg;
    long n = 20; /* short turns: the kernel's work varies more than ours adds */
    bench_case cases[] = {{.name = "posix_spawn, waitpid", .run = with_posix_spawn, .n = n},
                          {.name = "urd_exec", .run = with_urd_exec, .n = n},
                          {.name = "fork, execv, waitpid", .run = with_fork, .n = n / 10},
                          {.run = NULL}};
    bench_run(cases, rounds == 1 ? 1 : 20 * rounds);
    return 0;
}

int main(int argc, char **argv)
{
    int rounds = bench_rounds(argc, argv);
    size_t bytes = argc > 2 ? strtoul(argv[2], NULL, 0) : (size_t)2 << 30;
    urd_config config = {.processes = URD_PROCESSES_NONE};
    puts("a small program");
    bench_must(urd_run(&config, run, &rounds), "urd_run");
    char *memory = malloc(rounds == 1 ? bytes / 64 : bytes);
    bench_must(memory ? 0 : -1, "malloc");
    memset(memory, 1, rounds == 1 ? bytes / 64 : bytes);
    puts("a program of 2 GiB");
    bench_must(urd_run(&config, run, &rounds), "urd_run");
    free(memory);
    return 0;
}
