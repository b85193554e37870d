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
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
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
    X(epoll_wait)                                                                                  \
    X(nanosleep)                                                                                   \
    X(clock_nanosleep)                                                                             \
    X(usleep)                                                                                      \
    X(sleep)                                                                                       \
    X(getaddrinfo)                                                                                 \
    X(getnameinfo)                                                                                 \
    X(pthread_mutex_lock)                                                                          \
    X(pthread_mutex_trylock)                                                                       \
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

#endif
