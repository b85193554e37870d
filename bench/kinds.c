/*
 * kinds.c - what do a thread job and a process job cost beside pthread_create and fork?
 *
 * SPDX-License-Identifier: MIT
 *
 * Sketch: a thread job is a pthread_create, a name and a futex wake; at most 1.3 times the bare
 * one, which has the same stack, no name and no wake but the kernel's at its end.  A process job is
 * forked by the zygote, which is small: two messages and two wakes more than a fork of a small
 * program, at most twice its time, and no more when this program holds 2 GiB, whose page tables the
 * bare fork then has to copy.  One that is spawned is started as a program: posix_spawn of this
 * one, which then ends at once, is its floor; it adds a fork, the two messages, a mapping and a
 * runtime of its own, which the others inherit.
 */
#include <pthread.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

extern char **environ;

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

static void bare_programs(long n)
{
    char name[] = "bench_kinds", word[] = "nothing", *argv[] = {name, word, NULL};
    for (long i = 0; i < n; i++) {
        pid_t pid;
        bench_must(-posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, environ), "posix_spawn");
        bench_must(waitpid(pid, NULL, 0), "waitpid");
    }
}

static void spawned_jobs(long n)
{
    const urd_process_options fresh = {.start = URD_START_SPAWN};
    for (long i = 0; i < n; i++) {
        urd_scope s;
        urd_job job;
        urd_scope_open(&s);
        urd_job_open(&job, &s, URD_PROCESS, nothing, NULL, 0,
                     &(urd_job_options){.process = &fresh});
        bench_must(urd_scope_join(&s), "join");
    }
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
    bench_case images[] = {
        {.name = "posix_spawn of itself, waitpid", .run = bare_programs, .n = 50},
        {.name = "process job, spawned", .run = spawned_jobs, .n = 50},
        {.run = NULL}};
    bench_run(processes, rounds);
    bench_run(images, 4 * rounds);

    size_t large = (size_t)2 << 30;
    void *p = mmap(NULL, large, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return 0;
    madvise(p, large, MADV_NOHUGEPAGE);
    memset(p, 1, large);
    puts("the same while this program holds 2 GiB");
    processes[0].n = 10;
    bench_run(processes, rounds);
    bench_run(images, rounds);
    munmap(p, large);
    return 0;
}

int main(int argc, char **argv)
{
    urd_process_main();
    if (argc > 1 && strcmp(argv[1], "nothing") == 0)
        return 0;
    int rounds = bench_rounds(argc, argv);
    bench_must(urd_run(NULL, measure, &rounds), "urd_run");
    return 0;
}
