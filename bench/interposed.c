/*
 * interposed.c - what does a call of the C library cost behind liburdume-blocking?
 *
 * SPDX-License-Identifier: MIT
 *
 * Floor: the C library's own function, called by its address.  Beside it the call by its name, by a
 * thread, for whom nothing is to change; and by a task, for whom it tries and need not wait.
 *
 * Sketch: a thread pays for the question who calls, some 2 ns, and where it gives something back,
 * for a fence and a look whether a task waits, some 10.  A task pays as for urd_recv beside recv.
 */
#include <dlfcn.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"

enum { CALLS = 2000000, SYSTEM_CALLS = 200000 };

static __typeof__(pthread_mutex_lock) *libc_lock;
static __typeof__(pthread_mutex_unlock) *libc_unlock;
static __typeof__(pthread_rwlock_rdlock) *libc_read_lock;
static __typeof__(pthread_rwlock_unlock) *libc_read_unlock;
static __typeof__(sem_wait) *libc_wait;
static __typeof__(sem_post) *libc_post;
static __typeof__(poll) *libc_poll;
static __typeof__(send) *libc_send;
static __typeof__(recv) *libc_recv;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static sem_t sem;
static int ends[2];

/* RTLD_NEXT would be the library that is measured. */
static void find_own(void)
{
    void *libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
    bench_must(libc ? 0 : -1, "libc.so.6");
#define FIND(to, name) *(void **)(void *)&(to) = dlsym(libc, name)
    FIND(libc_lock, "pthread_mutex_lock");
    FIND(libc_unlock, "pthread_mutex_unlock");
    FIND(libc_read_lock, "pthread_rwlock_rdlock");
    FIND(libc_read_unlock, "pthread_rwlock_unlock");
    FIND(libc_wait, "sem_wait");
    FIND(libc_post, "sem_post");
    FIND(libc_poll, "poll");
    FIND(libc_send, "send");
    FIND(libc_recv, "recv");
#undef FIND
}

/* ---- The calls ------------------------------------------------------------------------------- */

/* Both ways from one text: by the address of the C library's, and by the name. */
#define LOOPS(what, own, named)                                                                    \
    static void own_##what(long n)                                                                 \
    {                                                                                              \
        for (long i = 0; i < n; i++) {                                                             \
            own;                                                                                   \
        }                                                                                          \
    }                                                                                              \
    static void named_##what(long n)                                                               \
    {                                                                                              \
        for (long i = 0; i < n; i++) {                                                             \
            named;                                                                                 \
        }                                                                                          \
    }                                                                                              \
    static int thread_##what(void *n)                                                              \
    {                                                                                              \
        named_##what(*(long *)n);                                                                  \
        return 0;                                                                                  \
    }                                                                                              \
    static void helper_##what(long n)                                                              \
    {                                                                                              \
        bench_must(urd_block(thread_##what, &n), "urd_block");                                     \
    }

static struct pollfd ready = {.events = POLLOUT};
static char byte;

LOOPS(mutex, libc_lock(&mutex); libc_unlock(&mutex), pthread_mutex_lock(&mutex);
      pthread_mutex_unlock(&mutex))
LOOPS(rwlock, libc_read_lock(&rwlock); libc_read_unlock(&rwlock), pthread_rwlock_rdlock(&rwlock);
      pthread_rwlock_unlock(&rwlock))
LOOPS(sem, libc_post(&sem); libc_wait(&sem), sem_post(&sem); sem_wait(&sem))
LOOPS(poll, libc_poll(&ready, 1, -1), poll(&ready, 1, -1))
LOOPS(socket, libc_send(ends[0], "x", 1, 0);
      libc_recv(ends[1], &byte, 1, 0), send(ends[0], "x", 1, 0); recv(ends[1], &byte, 1, 0))

static int measure(void *arg)
{
#define CASES(what, title, times)                                                                  \
    {                                                                                              \
        {.name = title ": the C library's", .run = own_##what, .n = times},                        \
            {.name = "    by a thread", .run = helper_##what, .n = times},                         \
            {.name = "    by a task", .run = named_##what, .n = times},                            \
        {                                                                                          \
            .run = NULL                                                                            \
        }                                                                                          \
    }
    bench_case calls[][4] = {CASES(mutex, "lock and unlock a mutex", CALLS),
                             CASES(rwlock, "read-lock and unlock", CALLS),
                             CASES(sem, "post and wait", CALLS),
                             CASES(poll, "poll of what is ready", SYSTEM_CALLS),
                             CASES(socket, "send and receive a byte", SYSTEM_CALLS)};
#undef CASES
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        bench_run(calls[i], *(int *)arg);
    return 0;
}

int main(int argc, char **argv)
{
    int rounds = bench_rounds(argc, argv);
    find_own();
    bench_must(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), "socketpair");
    bench_must(sem_init(&sem, 0, 0), "sem_init");
    ready.fd = ends[0];
    urd_config config = {.workers = 1, .processes = URD_PROCESSES_NONE};
    bench_must(urd_run(&config, measure, &rounds), "urd_run");
    return 0;
}
