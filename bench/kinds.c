/*
 * kinds.c - what do a thread job and a process job cost beside pthread_create and fork?
 *
 * SPDX-License-Identifier: MIT
 *
 * Sketch: a thread job is a pthread_create, a name and a futex wake; at most 1.3 times the bare
 * one, which has the same stack, no name and no wake but the kernel's at its end.  A process job is
 * forked by the zygote, which is small: two messages and two wakes more than a fork of a small
 * program, at most twice its time, and no more when this program holds 2 GiB, whose page tables the
 * bare fork then has to copy.
 */
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static void *nothing_in_thread(void *arg)
{
    return arg;
}

static void bare_threads(long n)
{
    for (long i = 0; i < n; i++) {
        pthread_t thread;
        bench_must(-pthread_create(&thread, NULL, nothing_in_thread, NULL), "pthread_create");
        bench_must(-pthread_join(thread, NULL), "pthread_join");
    }
}

static void bare_processes(long n)
{
    for (long i = 0; i < n; i++) {
        pid_t pid = fork();
        if (pid == 0)
            _exit(0);
        bench_must(pid, "fork");
        bench_must(waitpid(pid, NULL, 0), "waitpid");
    }
}

static void jobs(urd_kind kind, long n)
{
    for (long i = 0; i < n; i++) {
        urd_scope s;
        urd_scope_open(&s);
        urd_spawn(&s, kind, nothing, NULL, 0);
        bench_must(urd_scope_join(&s), "join");
    }
}

static void thread_jobs(long n)
{
    jobs(URD_THREAD, n);
}

static void process_jobs(long n)
{
    jobs(URD_PROCESS, n);
}

static int measure(void *arg)
{
    int rounds = *(int *)arg;
    bench_case threads[] = {{.name = "pthread_create, join", .run = bare_threads, .n = 100},
                            {.name = "thread job", .run = thread_jobs, .n = 100},
                            {.run = NULL}};
    bench_case processes[] = {{.name = "fork, _exit, waitpid", .run = bare_processes, .n = 200},
                              {.name = "process job", .run = process_jobs, .n = 200},
                              {.run = NULL}};
    bench_run(threads, 10 * rounds); /* short ones: the best of many is hardly disturbed */
    bench_run(processes, rounds);

    size_t large = (size_t)2 << 30;
    void *p = mmap(NULL, large, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return 0;
    madvise(p, large, MADV_NOHUGEPAGE);
    memset(p, 1, large);
    puts("the same while this program holds 2 GiB");
    processes[0].n = 10;
    bench_run(processes, rounds);
    munmap(p, large);
    return 0;
}

int main(int argc, char **argv)
{
    int rounds = bench_rounds(argc, argv);
    bench_must(urd_run(NULL, measure, &rounds), "urd_run");
    return 0;
}
