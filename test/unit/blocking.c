/*
 * blocking.c - who is caught by liburdume-blocking, and who is not.
 *
 * SPDX-License-Identifier: MIT
 */
#include "blocked.h"

#include <sys/wait.h>

/* ---- Tasks ----------------------------------------------------------------------------------- */

static int wait_100_ms(void *arg)
{
    urd_time before = urd_now();
    CHECK_EQ(usleep(100000), 0);
    CHECK_EQ(urd_now() - before, 100 * URD_MS);
    return urd_task_id() != NULL ? 0 : arg == NULL;
}

static int many_wait(void *arg)
{
    (void)arg;
    enum { MANY = 100 };
    urd_time before = urd_now();
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < MANY; i++)
        CHECK_EQ(urd_go(&s, wait_100_ms, NULL), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(urd_now() - before, 100 * URD_MS); /* as long as one of them */
    return 0;
}

TEST(tasks_that_call_what_blocks_wait_at_once)
{
    run_blocked(many_wait);
}

/* ---- Others ---------------------------------------------------------------------------------- */

static int reads_5(void *fds)
{
    char some[8] = "";
    CHECK_PTR(urd_task_id(), NULL);
    CHECK_EQ(read(((int *)fds)[0], some, 5), 5);
    CHECK_STR(some, "hello");
    return 0;
}

static int thread_reads(void *arg)
{
    (void)arg;
    int ends[2];
    urd_scope s;
    socket_pair(ends);
    urd_scope_open(&s);
    CHECK_EQ(urd_spawn(&s, URD_THREAD, reads_5, ends, 0), 0);
    CHECK_EQ(write(ends[1], "hello", 5), 5);
    CHECK_EQ(urd_scope_join(&s), 0);
    urd_scope_open(&s);
    CHECK_EQ(write(ends[1], "hello", 5), 5);
    CHECK_EQ(urd_block(reads_5, ends), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    close(ends[0]);
    close(ends[1]);
    return 0;
}

TEST(threads_and_helpers_are_not_caught)
{
    run_blocked(thread_reads);
}

TEST(without_a_runtime_nothing_is_caught)
{
    int ends[2];
    pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
    socket_pair(ends);
    CHECK_EQ(write(ends[1], "hello", 5), 5);
    reads_5(ends);
    struct pollfd one = {.fd = ends[0], .events = POLLIN};
    CHECK_EQ(poll(&one, 1, 0), 0);
    CHECK_EQ(pthread_mutex_lock(&m), 0);
    CHECK_EQ(pthread_mutex_trylock(&m), EBUSY);
    CHECK_EQ(pthread_mutex_unlock(&m), 0);
    close(ends[0]);
    close(ends[1]);
}

static int forks(void *arg)
{
    (void)arg;
    int ends[2], status = -1;
    socket_pair(ends);
    CHECK(urd_task_id() != NULL);
    pid_t child = fork();
    if (child == 0)
        _exit(urd_task_id() != NULL || write(ends[1], "x", 1) != 1 || usleep(1) != 0);
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    close(ends[0]);
    close(ends[1]);
    return 0;
}

TEST(a_forked_child_is_not_caught)
{
    test_run_workers(1, forks);
}

/* ---- The runtime itself ---------------------------------------------------------------------- */

static int reader(void *fds)
{
    char some[8];
    CHECK_EQ(urd_read(((int *)fds)[0], some, 5), 5);
    return 0;
}

static int writer(void *fds)
{
    CHECK_EQ(urd_write(((int *)fds)[1], "hello", 5), 5);
    return 0;
}

static int uses_all(void *arg)
{
    (void)arg;
    int ends[2], piped[2];
    CHECK_EQ(urd_pair(ends), 0);
    CHECK_EQ(urd_pipe(piped), 0);
    together(reader, writer, ends);
    together(reader, writer, piped);
    urd_mutex m = {0};
    CHECK_EQ(urd_mutex_lock(&m), 0);
    urd_mutex_unlock(&m);
    CHECK_EQ(urd_sleep(URD_SECOND), 0);
    urd_close(ends[0]);
    urd_close(ends[1]);
    urd_close(piped[0]);
    urd_close(piped[1]);
    return 0;
}

TEST(the_calls_of_the_runtime_are_as_before)
{
    run_blocked(uses_all);
}
