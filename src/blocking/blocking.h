/*
 * blocking.h - the blocking calls of foreign code, as waits of the task that makes them.
 *
 * SPDX-License-Identifier: MIT
 *
 * A library that is loaded before the C library, and has functions of the same names.  One that is
 * called by a task waits as urd.h does; for threads, and for the runtime itself, it is the C
 * library's.
 */
#ifndef URD_BLOCKING_BLOCKING_H
#define URD_BLOCKING_BLOCKING_H

#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "urd.h"

/* What is called here and is the C library's. */
#define URD__BLOCKING_CALLS(X)                                                                     \
    X(read)                                                                                        \
    X(readv)                                                                                       \
    X(write)                                                                                       \
    X(writev)                                                                                      \
    X(recv)                                                                                        \
    X(recvfrom)                                                                                    \
    X(recvmsg)                                                                                     \
    X(send)                                                                                        \
    X(sendto)                                                                                      \
    X(sendmsg)                                                                                     \
    X(connect)                                                                                     \
    X(accept)                                                                                      \
    X(accept4)                                                                                     \
    X(poll)                                                                                        \
    X(ppoll)                                                                                       \
    X(select)                                                                                      \
    X(pselect)                                                                                     \
    X(epoll_wait)                                                                                  \
    X(epoll_pwait)                                                                                 \
    X(nanosleep)                                                                                   \
    X(clock_nanosleep)                                                                             \
    X(usleep)                                                                                      \
    X(sleep)                                                                                       \
    X(getaddrinfo)                                                                                 \
    X(getnameinfo)                                                                                 \
    X(pthread_join)                                                                                \
    X(pthread_tryjoin_np)                                                                          \
    X(flock)                                                                                       \
    X(wait)                                                                                        \
    X(wait3)                                                                                       \
    X(wait4)                                                                                       \
    X(waitid)                                                                                      \
    X(waitpid)                                                                                     \
    X(sem_wait)                                                                                    \
    X(sem_trywait)                                                                                 \
    X(sem_timedwait)                                                                               \
    X(sem_clockwait)                                                                               \
    X(sem_post)                                                                                    \
    X(pthread_rwlock_rdlock)                                                                       \
    X(pthread_rwlock_tryrdlock)                                                                    \
    X(pthread_rwlock_timedrdlock)                                                                  \
    X(pthread_rwlock_clockrdlock)                                                                  \
    X(pthread_rwlock_wrlock)                                                                       \
    X(pthread_rwlock_trywrlock)                                                                    \
    X(pthread_rwlock_timedwrlock)                                                                  \
    X(pthread_rwlock_clockwrlock)                                                                  \
    X(pthread_rwlock_unlock)                                                                       \
    X(pthread_mutex_lock)                                                                          \
    X(pthread_mutex_trylock)                                                                       \
    X(pthread_mutex_timedlock)                                                                     \
    X(pthread_mutex_clocklock)                                                                     \
    X(pthread_mutex_unlock)                                                                        \
    X(pthread_cond_wait)                                                                           \
    X(pthread_cond_timedwait)                                                                      \
    X(pthread_cond_clockwait)                                                                      \
    X(pthread_cond_signal)                                                                         \
    X(pthread_cond_broadcast)

typedef struct urd__blocking_libc {
#define URD__BLOCKING_MEMBER(name) __typeof__(name) *name;
    URD__BLOCKING_CALLS(URD__BLOCKING_MEMBER)
#undef URD__BLOCKING_MEMBER
} urd__blocking_libc;

/* Found as the first call needs one. */
const urd__blocking_libc *urd__blocking_real(void);

/* Is it a task that calls, and not the runtime on its behalf? */
bool urd__blocking_caught(const void *caller);
#define URD__CAUGHT() urd__blocking_caught(__builtin_return_address(0))

/* As the C library answers: what is below 0 is -1, and errno. */
ssize_t urd__blocking_answer(ssize_t rc);

/* The time in so many seconds and ns; URD_FOREVER where that is too far. */
urd_time urd__blocking_after(int64_t seconds, int64_t ns);

/* Does fn(arg), which waits, until then at the longest.  What it returns; -ETIMEDOUT; -ECANCELED:
 * the scope around was. */
int urd__blocking_until(urd_time when, int (*fn)(void *arg), void *arg);

/* Wait until one of the descriptors may have what is asked of it.  0; -ETIMEDOUT, -ECANCELED,
 * -errno. */
int urd__blocking_wait(const struct pollfd *list, unsigned n, urd_time when);

/* When that is by our clock; and whether it is a time at all. */
urd_time urd__blocking_time(clockid_t clock, const struct timespec *when);
static inline bool urd__blocking_is_time(const struct timespec *t)
{
    return t->tv_nsec >= 0 && t->tv_nsec < URD_SECOND;
}

/*
 * Try until it is not EBUSY: what it was; ETIMEDOUT, or, unless shielded, ECANCELED.  Between tries
 * it waits for urd__blocking_wake(on), which whoever may have changed that calls afterwards, and
 * which wakes n at most and says how many.  attempt() is called with a lock held.
 */
int urd__blocking_line(void *on, int (*attempt)(void *on), urd_time until, bool shielded);
int urd__blocking_wake(const void *on, int n);

#endif
