/*
 * blocking_sync.c - semaphores, read-write locks, threads and children that tasks wait for.
 *
 * SPDX-License-Identifier: MIT
 */
#include "blocked.h"

#include <semaphore.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/wait.h>

enum { TASKS = 6, PERMITS = 2 };

static int rounds(void)
{
    return test_under_slow_tool() ? 5 : 30;
}

/* ---- Semaphores ------------------------------------------------------------------------------ */

typedef struct bounded {
    sem_t sem, turn;
    int inside; /* atomic by the worker, or under what is asked */
} bounded;

static int use_permit(void *arg)
{
    bounded *b = arg;
    for (int i = 0; i < rounds(); i++) {
        CHECK_EQ(sem_wait(&b->sem), 0);
        int inside = __atomic_add_fetch(&b->inside, 1, __ATOMIC_SEQ_CST);
        CHECK(inside >= 1 && inside <= PERMITS);
        CHECK_EQ(i % 5 ? urd_yield() : usleep(10), 0);
        __atomic_sub_fetch(&b->inside, 1, __ATOMIC_SEQ_CST);
        CHECK_EQ(sem_post(&b->sem), 0);
    }
    return 0;
}

static int share_permits(void *kinds)
{
    bounded b = {.inside = 0};
    urd_scope s;
    int left;
    CHECK_EQ(sem_init(&b.sem, 0, PERMITS), 0);
    urd_scope_open(&s);
    for (int i = 0; i < TASKS; i++)
        CHECK_EQ(urd_spawn(&s, kinds && i % 3 == 0 ? URD_THREAD : URD_TASK, use_permit, &b, 0), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(sem_getvalue(&b.sem, &left), 0);
    CHECK_EQ(left, PERMITS);
    CHECK_EQ(sem_destroy(&b.sem), 0);
    return 0;
}

TEST(no_more_tasks_have_a_permit_than_there_are)
{
    run_blocked(share_permits);
}

static int share_with_threads(void *arg)
{
    (void)arg;
    static int yes;
    return share_permits(&yes);
}

TEST(tasks_and_threads_share_a_semaphore)
{
    run_blocked_really(share_with_threads);
}

static struct timespec after(clockid_t clock, long ms)
{
    struct timespec t;
    CHECK_EQ(clock_gettime(clock, &t), 0);
    t.tv_nsec += ms % 1000 * 1000000;
    t.tv_sec += ms / 1000 + t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    return t;
}

static int wait_for_sem(void *sem)
{
    CHECK_EQ(sem_wait(sem), -1);
    CHECK_EQ(errno, ECANCELED);
    return 0;
}

/* Virtual time goes by at once. */
static int wait_in_vain(void *arg)
{
    (void)arg;
    sem_t sem;
    struct timespec when = after(CLOCK_REALTIME, 200), wrong = {.tv_nsec = -1};
    urd_time begin = urd_now();
    CHECK_EQ(sem_init(&sem, 0, 0), 0);
    CHECK_EQ(sem_timedwait(&sem, &when), -1);
    CHECK_EQ(errno, ETIMEDOUT);
    CHECK_GT(urd_now(), begin + 100 * URD_MS);
    when = after(CLOCK_MONOTONIC, 100);
    CHECK_EQ(sem_clockwait(&sem, CLOCK_MONOTONIC, &when), -1);
    CHECK_EQ(errno, ETIMEDOUT);
    CHECK_EQ(sem_timedwait(&sem, &wrong), -1);
    CHECK_EQ(errno, EINVAL);
    CHECK_EQ(cancelled_after_1s(wait_for_sem, &sem), 0);
    CHECK_EQ(sem_post(&sem), 0);
    when = after(CLOCK_REALTIME, -1000);
    CHECK_EQ(sem_timedwait(&sem, &when), 0); /* which is there, whatever time it is */
    CHECK_EQ(sem_destroy(&sem), 0);
    return 0;
}

TEST(a_semaphore_is_waited_for_until_a_time_or_a_cancel)
{
    run_blocked(wait_in_vain);
}

/* ---- Read-write locks ------------------------------------------------------------------------ */

typedef struct book {
    pthread_rwlock_t lock;
    int readers, writers, pages; /* the first two atomic */
    int most;                    /* readers at once; under `lock`, nearly */
} book;

static int read_book(void *arg)
{
    book *b = arg;
    for (int i = 0; i < rounds(); i++) {
        CHECK_EQ(pthread_rwlock_rdlock(&b->lock), 0);
        int n = __atomic_add_fetch(&b->readers, 1, __ATOMIC_SEQ_CST);
        if (n > __atomic_load_n(&b->most, __ATOMIC_SEQ_CST))
            __atomic_store_n(&b->most, n, __ATOMIC_SEQ_CST);
        CHECK_EQ(__atomic_load_n(&b->writers, __ATOMIC_SEQ_CST), 0);
        CHECK_EQ(urd_yield(), 0);
        __atomic_sub_fetch(&b->readers, 1, __ATOMIC_SEQ_CST);
        CHECK_EQ(pthread_rwlock_unlock(&b->lock), 0);
        CHECK_EQ(urd_yield(), 0);
    }
    return 0;
}

static int write_book(void *arg)
{
    book *b = arg;
    for (int i = 0; i < rounds(); i++) {
        CHECK_EQ(pthread_rwlock_wrlock(&b->lock), 0);
        CHECK_EQ(__atomic_add_fetch(&b->writers, 1, __ATOMIC_SEQ_CST), 1);
        CHECK_EQ(__atomic_load_n(&b->readers, __ATOMIC_SEQ_CST), 0);
        b->pages++;
        CHECK_EQ(i % 7 ? urd_yield() : usleep(10), 0);
        __atomic_sub_fetch(&b->writers, 1, __ATOMIC_SEQ_CST);
        CHECK_EQ(pthread_rwlock_unlock(&b->lock), 0);
    }
    return 0;
}

static int share_book(void *threads)
{
    book b = {.lock = PTHREAD_RWLOCK_INITIALIZER};
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < TASKS; i++)
        CHECK_EQ(urd_spawn(&s, threads && i < 2 ? URD_THREAD : URD_TASK,
                           i % 3 ? read_book : write_book, &b, 0),
                 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(b.pages, 2 * rounds());
    CHECK(threads || b.most > 1);
    CHECK_EQ(pthread_rwlock_destroy(&b.lock), 0);
    return 0;
}

TEST(writers_are_alone_and_readers_are_not)
{
    run_blocked(share_book);
}

static int share_book_with_threads(void *arg)
{
    (void)arg;
    static int yes;
    return share_book(&yes);
}

TEST(tasks_and_threads_share_a_read_write_lock)
{
    run_blocked_really(share_book_with_threads);
}

static int wait_for_book(void *arg)
{
    pthread_rwlock_t *lock = arg;
    struct timespec when = after(CLOCK_REALTIME, 100);
    CHECK_EQ(pthread_rwlock_timedrdlock(lock, &when), ETIMEDOUT);
    when = after(CLOCK_REALTIME, 100);
    CHECK_EQ(pthread_rwlock_timedwrlock(lock, &when), ETIMEDOUT);
    when = after(CLOCK_MONOTONIC, 100);
    CHECK_EQ(pthread_rwlock_clockrdlock(lock, CLOCK_MONOTONIC, &when), ETIMEDOUT);
    when = after(CLOCK_MONOTONIC, 100);
    CHECK_EQ(pthread_rwlock_clockwrlock(lock, CLOCK_MONOTONIC, &when), ETIMEDOUT);
    when.tv_nsec = -1;
    CHECK_EQ(pthread_rwlock_timedrdlock(lock, &when), EINVAL);
    return 0;
}

static int lock_in_vain(void *arg)
{
    (void)arg;
    pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
    urd_scope s;
    CHECK_EQ(pthread_rwlock_wrlock(&lock), 0);
    urd_scope_open(&s);
    CHECK_EQ(urd_go(&s, wait_for_book, &lock), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(pthread_rwlock_unlock(&lock), 0);
    struct timespec past = after(CLOCK_REALTIME, -1000);
    CHECK_EQ(pthread_rwlock_timedrdlock(&lock, &past), 0);
    CHECK_EQ(pthread_rwlock_unlock(&lock), 0);
    return 0;
}

TEST(a_read_write_lock_is_waited_for_until_a_time)
{
    run_blocked(lock_in_vain);
}

/* ---- Threads and children -------------------------------------------------------------------- */

static sem_t *begin; /* that a thread or a child waits for, until another task has had its turn */

static void *run_thread(void *arg)
{
    CHECK_EQ(sem_wait(begin), 0);
    return arg;
}

static int let_it_end(void *fd)
{
    if (fd)
        CHECK_EQ(write(*(const int *)fd, "x", 1), 1);
    else
        CHECK_EQ(sem_post(begin), 0);
    return 0;
}

static int join_one(void *arg)
{
    void *value = NULL;
    CHECK_EQ(pthread_join(*(pthread_t *)arg, &value), 0);
    CHECK_PTR(value, begin);
    return 0;
}

/* On one worker the task that lets it end runs only if the join does not hold the worker. */
static int joins(void *arg)
{
    (void)arg;
    sem_t sem;
    pthread_t thread;
    urd_scope s;
    CHECK_EQ(sem_init(&sem, 0, 0), 0);
    begin = &sem;
    CHECK_EQ(pthread_create(&thread, NULL, run_thread, &sem), 0);
    urd_scope_open(&s);
    CHECK_EQ(urd_go(&s, let_it_end, NULL), 0);
    CHECK_EQ(urd_go(&s, join_one, &thread), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(sem_destroy(&sem), 0);
    return 0;
}

TEST(a_thread_is_joined_while_others_run)
{
    run_blocked_really(joins);
}

/* It ends as soon as it is told to by a byte. */
static pid_t start_child(int ends[2], int code)
{
    socket_pair(ends);
    pid_t pid = fork();
    CHECK_GE(pid, 0);
    if (pid == 0) {
        char x;
        _exit(read(ends[1], &x, 1) == 1 ? code : 1);
    }
    close(ends[1]);
    return pid;
}

static int wait_for_one(void *arg)
{
    pid_t pid = *(pid_t *)arg;
    int status = 0;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(WEXITSTATUS(status), 7);
    return 0;
}

static int wait_for_any(void *arg)
{
    int status = 0;
    CHECK_EQ(wait(&status), *(pid_t *)arg);
    CHECK_EQ(WEXITSTATUS(status), 7);
    return 0;
}

static int wait_with_usage(void *arg)
{
    struct rusage usage = {.ru_maxrss = -1};
    int status = 0;
    CHECK_EQ(wait4(*(pid_t *)arg, &status, 0, &usage), *(pid_t *)arg);
    CHECK_EQ(WEXITSTATUS(status), 7);
    CHECK_GE(usage.ru_maxrss, 0);
    return 0;
}

static int wait_for_any_with_usage(void *arg)
{
    struct rusage usage = {.ru_maxrss = -1};
    int status = 0;
    CHECK_EQ(wait3(&status, 0, &usage), *(pid_t *)arg);
    CHECK_EQ(WEXITSTATUS(status), 7);
    CHECK_GE(usage.ru_maxrss, 0);
    return 0;
}

/* And leave it there; then again. */
static int wait_by_id(void *arg)
{
    pid_t pid = *(pid_t *)arg;
    siginfo_t info = {.si_pid = 0};
    CHECK_EQ(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    CHECK_EQ(info.si_pid, pid);
    CHECK_EQ(info.si_status, 7);
    CHECK_EQ(waitid(P_ALL, 0, NULL, WEXITED), 0);
    return 0;
}

static int wait_cancelled(void *arg)
{
    int status;
    CHECK_EQ(waitpid(*(pid_t *)arg, &status, 0), -1);
    CHECK_EQ(errno, ECANCELED);
    return 0;
}

static int wait_for_any_cancelled(void *arg)
{
    CHECK_EQ(wait(arg), -1);
    CHECK_EQ(errno, ECANCELED);
    return 0;
}

static int waits(void *arg)
{
    static urd_fn *const ways[] = {wait_for_one, wait_for_any, wait_with_usage,
                                   wait_for_any_with_usage, wait_by_id};
    (void)arg;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        int ends[2];
        pid_t pid = start_child(ends, 7);
        urd_scope s;
        CHECK_EQ(waitpid(pid, NULL, WNOHANG), 0);
        CHECK_EQ(waitid(P_PID, (id_t)pid, NULL, WEXITED | WNOHANG), 0);
        if (i == 0) {
            CHECK_EQ(cancelled_after_1s(wait_cancelled, &pid), 0);
            CHECK_EQ(cancelled_after_1s(wait_for_any_cancelled, NULL), 0);
        }
        urd_scope_open(&s);
        CHECK_EQ(urd_go(&s, let_it_end, &ends[0]), 0);
        CHECK_EQ(urd_go(&s, ways[i], &pid), 0);
        CHECK_EQ(urd_scope_join(&s), 0);
        close(ends[0]);
    }
    CHECK_EQ(waitpid(-1, NULL, 0), -1);
    CHECK_EQ(errno, ECHILD);
    return 0;
}

TEST(children_are_waited_for_while_others_run)
{
    run_blocked(waits);
}

/* ---- Locks of files -------------------------------------------------------------------------- */

static int lock_file(void *fd)
{
    CHECK_EQ(flock(*(int *)fd, LOCK_EX), 0);
    return flock(*(int *)fd, LOCK_UN);
}

static int lock_file_in_vain(void *fd)
{
    CHECK_EQ(flock(*(int *)fd, LOCK_EX), -1);
    CHECK_EQ(errno, ECANCELED);
    return 0;
}

static int shares_file(void *arg)
{
    (void)arg;
    char path[] = "/tmp/urd-lock-XXXXXX";
    int here = mkstemp(path), there = open(path, O_RDWR | O_CLOEXEC);
    urd_scope s;
    CHECK(here >= 0 && there >= 0);
    CHECK_EQ(unlink(path), 0);
    CHECK_EQ(flock(here, LOCK_EX), 0);
    CHECK_EQ(flock(there, LOCK_EX | LOCK_NB), -1);
    CHECK_EQ(errno, EWOULDBLOCK);
    CHECK_EQ(cancelled_after_1s(lock_file_in_vain, &there), 0);
    urd_scope_open(&s);
    CHECK_EQ(urd_go(&s, lock_file, &there), 0);
    CHECK_EQ(usleep(1000000), 0);
    CHECK_EQ(flock(here, LOCK_UN), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(flock(here, LOCK_SH), 0);
    CHECK_EQ(flock(-1, LOCK_SH), -1);
    CHECK_EQ(errno, EBADF);
    close(here);
    close(there);
    return 0;
}

TEST(a_lock_of_a_file_is_waited_for_while_others_run)
{
    run_blocked(shares_file);
}
