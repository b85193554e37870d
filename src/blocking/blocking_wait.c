/*
 * blocking_wait.c - poll, select, epoll_wait, the sleeps and getaddrinfo, made by tasks.
 *
 * SPDX-License-Identifier: MIT
 *
 * What waits for several descriptors asks the C library for what holds now, and where nothing does,
 * waits until that may have changed and asks again: so its result is the kernel's in any case.
 * Up to ARMS_MAX descriptors are arms of a select; more are put into a set that lives as long as
 * the wait, since a select's arms lie on the stack.
 */
#include <errno.h>
#include <string.h>

#include "blocking/blocking.h"

enum { ARMS_MAX = 16 };

/* ---- Waiting for descriptors ----------------------------------------------------------------- */

/* As a select knows it; 0: only errors are waited for, which it does not know. */
static short event_of(short events)
{
    short known = (short)(events & (POLLIN | POLLOUT | POLLPRI | POLLRDHUP));
    if (events & POLLRDNORM)
        known |= POLLIN;
    if (events & POLLWRNORM)
        known |= POLLOUT;
    return known;
}

static int wait_for_arms(const struct pollfd *list, unsigned n, urd_time when)
{
    urd_op ops[ARMS_MAX + 1];
    int arms = 0;
    for (unsigned i = 0; i < n; i++)
        if (list[i].fd >= 0)
            ops[arms++] = urd_op_fd(list[i].fd, event_of(list[i].events));
    if (when != URD_FOREVER || arms == 0)
        ops[arms++] = urd_op_until(when);
    int rc = urd_select(ops, arms);
    return rc < 0 ? rc : ops[rc].kind == URD_OP_UNTIL ? -ETIMEDOUT : 0;
}

/* One descriptor may be there several times. */
static int add_to_set(int set, const struct pollfd *list, unsigned n, unsigned i)
{
    struct epoll_event event = {0};
    for (unsigned j = 0; j < n; j++)
        if (list[j].fd == list[i].fd)
            event.events |= (uint16_t)list[j].events;
    int rc = epoll_ctl(set, EPOLL_CTL_ADD, list[i].fd, &event);
    return rc == 0 || errno == EEXIST ? 0 : -errno;
}

static int wait_for_set(const struct pollfd *list, unsigned n, urd_time when)
{
    int set = epoll_create1(EPOLL_CLOEXEC), rc = set < 0 ? -errno : 0;
    for (unsigned i = 0; i < n && rc == 0; i++)
        if (list[i].fd >= 0)
            rc = add_to_set(set, list, n, i);
    struct pollfd all = {.fd = set, .events = POLLIN};
    if (rc == 0)
        rc = wait_for_arms(&all, 1, when);
    if (set >= 0)
        close(set);
    return rc;
}

int urd__blocking_wait(const struct pollfd *list, unsigned n, urd_time when)
{
    bool few = n <= ARMS_MAX;
    for (unsigned i = 0; i < n && few; i++)
        few = list[i].fd < 0 || event_of(list[i].events);
    return few ? wait_for_arms(list, n, when) : wait_for_set(list, n, when);
}

static urd_time after_ms(int ms)
{
    return ms < 0 ? URD_FOREVER : urd_now() + ms * URD_MS;
}

/* ---- poll ------------------------------------------------------------------------------------ */

static int poll_until(struct pollfd *list, nfds_t n, urd_time when)
{
    int ready, rc = urd_cancelled() ? -ECANCELED : 0;
    while (rc == 0 && (ready = urd__blocking_real()->poll(list, n, 0)) == 0)
        rc = when <= urd_now() ? -ETIMEDOUT : urd__blocking_wait(list, (unsigned)n, when);
    return rc == 0 ? ready : rc == -ETIMEDOUT ? 0 : (int)urd__blocking_answer(rc);
}

int poll(struct pollfd *list, nfds_t n, int timeout_ms)
{
    return URD__CAUGHT() ? poll_until(list, n, after_ms(timeout_ms))
                         : urd__blocking_real()->poll(list, n, timeout_ms);
}

/* One that changes the thread's mask of signals is the kernel's. */
int ppoll(struct pollfd *list, nfds_t n, const struct timespec *timeout, const sigset_t *mask)
{
    if (mask || !URD__CAUGHT())
        return urd__blocking_real()->ppoll(list, n, timeout, mask);
    return poll_until(
        list, n, timeout ? urd__blocking_after(timeout->tv_sec, timeout->tv_nsec) : URD_FOREVER);
}

int __poll_chk(struct pollfd *list, nfds_t n, int timeout_ms, size_t room); /* see blocking_io.c */

int __poll_chk(struct pollfd *list, nfds_t n, int timeout_ms, size_t room)
{
    if (room / sizeof *list < n)
        __builtin_trap();
    return URD__CAUGHT() ? poll_until(list, n, after_ms(timeout_ms))
                         : urd__blocking_real()->poll(list, n, timeout_ms);
}

/* ---- select ---------------------------------------------------------------------------------- */

typedef struct sets {
    fd_set *sets[3]; /* to read, to write, exceptions; NULL: none */
} sets;

static unsigned list_of(const sets *s, int n, struct pollfd *list)
{
    static const short events[] = {POLLIN, POLLOUT, POLLPRI};
    unsigned count = 0;
    for (int fd = 0; fd < n; fd++) {
        short wanted = 0;
        for (int i = 0; i < 3; i++)
            if (s->sets[i] && FD_ISSET(fd, s->sets[i]))
                wanted |= events[i];
        if (wanted)
            list[count++] = (struct pollfd){.fd = fd, .events = wanted};
    }
    return count;
}

/* What holds now, into `out`. */
static int look(const sets *s, int n, fd_set out[3])
{
    struct timeval none = {0};
    fd_set *at[3];
    for (int i = 0; i < 3; i++) {
        at[i] = s->sets[i] ? &out[i] : NULL;
        if (at[i])
            *at[i] = *s->sets[i];
    }
    int ready = urd__blocking_real()->select(n, at[0], at[1], at[2], &none);
    return ready < 0 ? -errno : ready;
}

static int select_until(const sets *s, int n, urd_time when)
{
    struct pollfd list[FD_SETSIZE];
    fd_set out[3];
    unsigned count = 0;
    int ready = urd_cancelled() ? -ECANCELED : look(s, n, out);
    while (ready == 0 && when > urd_now()) {
        count = count ? count : list_of(s, n, list);
        int rc = urd__blocking_wait(list, count, when);
        ready = rc == -ETIMEDOUT ? 0 : rc;
        if (ready == 0)
            ready = look(s, n, out);
    }
    for (int i = 0; i < 3 && ready >= 0; i++)
        if (s->sets[i])
            *s->sets[i] = out[i];
    return ready;
}

int select(int n, fd_set *restrict in, fd_set *restrict out, fd_set *restrict odd,
           struct timeval *restrict timeout)
{
    if (n < 0 || n > FD_SETSIZE || !URD__CAUGHT())
        return urd__blocking_real()->select(n, in, out, odd, timeout);
    urd_time when =
        timeout ? urd__blocking_after(timeout->tv_sec, timeout->tv_usec * URD_US) : URD_FOREVER;
    sets s = {{in, out, odd}};
    int ready = select_until(&s, n, when);
    if (timeout) { /* Linux says how much was left */
        urd_time left = when - urd_now();
        left = left > 0 ? left : 0;
        *timeout = (struct timeval){left / URD_SECOND, left % URD_SECOND / URD_US};
    }
    return (int)urd__blocking_answer(ready);
}

/* Its timeout is not written to.  One that changes the thread's mask of signals is the kernel's. */
int pselect(int n, fd_set *restrict in, fd_set *restrict out, fd_set *restrict odd,
            const struct timespec *restrict timeout, const sigset_t *restrict mask)
{
    bool odd_time = timeout && !urd__blocking_is_time(timeout);
    if (mask || odd_time || n < 0 || n > FD_SETSIZE || !URD__CAUGHT())
        return urd__blocking_real()->pselect(n, in, out, odd, timeout, mask);
    sets s = {{in, out, odd}};
    return (int)urd__blocking_answer(select_until(
        &s, n, timeout ? urd__blocking_after(timeout->tv_sec, timeout->tv_nsec) : URD_FOREVER));
}

/* ---- epoll ----------------------------------------------------------------------------------- */

static int epoll_until(int set, struct epoll_event *out, int n, urd_time when)
{
    struct pollfd one = {.fd = set, .events = POLLIN};
    int ready, rc = urd_cancelled() ? -ECANCELED : 0;
    while (rc == 0 && (ready = urd__blocking_real()->epoll_wait(set, out, n, 0)) == 0)
        rc = when <= urd_now() ? -ETIMEDOUT : urd__blocking_wait(&one, 1, when);
    return rc == 0 ? ready : rc == -ETIMEDOUT ? 0 : (int)urd__blocking_answer(rc);
}

int epoll_wait(int set, struct epoll_event *out, int n, int timeout_ms)
{
    return URD__CAUGHT() ? epoll_until(set, out, n, after_ms(timeout_ms))
                         : urd__blocking_real()->epoll_wait(set, out, n, timeout_ms);
}

/* The same of masks. */
int epoll_pwait(int set, struct epoll_event *out, int n, int timeout_ms, const sigset_t *mask)
{
    return !mask && URD__CAUGHT()
               ? epoll_until(set, out, n, after_ms(timeout_ms))
               : urd__blocking_real()->epoll_pwait(set, out, n, timeout_ms, mask);
}

/* ---- Sleeping -------------------------------------------------------------------------------- */

static bool is_valid(const struct timespec *t)
{
    return t->tv_sec >= 0 && t->tv_nsec >= 0 && t->tv_nsec < URD_SECOND;
}

/* What was left of a sleep is told where it was cut short. */
static int sleep_for(const struct timespec *duration, struct timespec *left)
{
    if (!is_valid(duration))
        return EINVAL;
    urd_time when = urd__blocking_after(duration->tv_sec, duration->tv_nsec);
    int rc = urd_sleep_until(when);
    if (rc && left) {
        urd_time rest = when - urd_now();
        *left =
            (struct timespec){rest > 0 ? rest / URD_SECOND : 0, rest > 0 ? rest % URD_SECOND : 0};
    }
    return -rc;
}

/* A clock that is set meanwhile is looked at again. */
static int sleep_until(clockid_t clock, const struct timespec *when)
{
    struct timespec now;
    int rc = is_valid(when) ? 0 : -EINVAL;
    while (rc == 0) {
        if (clock_gettime(clock, &now))
            return errno;
        int64_t seconds = when->tv_sec - now.tv_sec, ns = when->tv_nsec - now.tv_nsec;
        if (seconds < 0 || (seconds == 0 && ns <= 0))
            break;
        rc = urd_sleep_until(urd__blocking_after(seconds, ns));
    }
    return -rc;
}

static bool is_of_time(clockid_t clock)
{
    return clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC || clock == CLOCK_BOOTTIME;
}

int clock_nanosleep(clockid_t clock, int flags, const struct timespec *t, struct timespec *left)
{
    if (!is_of_time(clock) || !URD__CAUGHT())
        return urd__blocking_real()->clock_nanosleep(clock, flags, t, left);
    return flags & TIMER_ABSTIME ? sleep_until(clock, t) : sleep_for(t, left);
}

int nanosleep(const struct timespec *duration, struct timespec *left)
{
    return URD__CAUGHT() ? (int)urd__blocking_answer(-sleep_for(duration, left))
                         : urd__blocking_real()->nanosleep(duration, left);
}

int usleep(useconds_t us)
{
    struct timespec duration = {us / 1000000, us % 1000000 * URD_US};
    return URD__CAUGHT() ? (int)urd__blocking_answer(-sleep_for(&duration, NULL))
                         : urd__blocking_real()->usleep(us);
}

unsigned sleep(unsigned seconds)
{
    struct timespec duration = {seconds, 0}, left = {0};
    if (!URD__CAUGHT())
        return urd__blocking_real()->sleep(seconds);
    return sleep_for(&duration, &left) ? (unsigned)left.tv_sec + (left.tv_nsec > 0) : 0;
}

/* ---- Names ----------------------------------------------------------------------------------- */

typedef struct lookup {
    const char *host, *service;
    const struct addrinfo *hints;
    struct addrinfo **out;
    const struct sockaddr *address;
    socklen_t size;
    char *host_out, *service_out;
    socklen_t host_size, service_size;
    int flags;
    int rc, error; /* what it said, and errno */
} lookup;

static int look_up(void *arg)
{
    lookup *l = arg;
    l->rc = urd__blocking_real()->getaddrinfo(l->host, l->service, l->hints, l->out);
    l->error = errno;
    return 0;
}

static int look_up_name(void *arg)
{
    lookup *l = arg;
    l->rc = urd__blocking_real()->getnameinfo(l->address, l->size, l->host_out, l->host_size,
                                              l->service_out, l->service_size, l->flags);
    l->error = errno;
    return 0;
}

/* On a helper thread. */
static int in_lane(urd_fn *fn, lookup *l)
{
    int rc = urd_block_on(URD_LANE_NAMES, fn, l);
    errno = rc ? -rc : l->error;
    return rc ? EAI_SYSTEM : l->rc;
}

int getaddrinfo(const char *restrict host, const char *restrict service,
                const struct addrinfo *restrict hints, struct addrinfo **restrict out)
{
    if (!host || (hints && hints->ai_flags & AI_NUMERICHOST) || !URD__CAUGHT())
        return urd__blocking_real()->getaddrinfo(host, service, hints, out);
    return in_lane(look_up,
                   &(lookup){.host = host, .service = service, .hints = hints, .out = out});
}

int getnameinfo(const struct sockaddr *restrict address, socklen_t size, char *restrict host,
                socklen_t host_size, char *restrict service, socklen_t service_size, int flags)
{
    if (!host || flags & NI_NUMERICHOST || !URD__CAUGHT())
        return urd__blocking_real()->getnameinfo(address, size, host, host_size, service,
                                                 service_size, flags);
    lookup l = {.address = address,
                .size = size,
                .host_out = host,
                .host_size = host_size,
                .service_out = service,
                .service_size = service_size,
                .flags = flags};
    return in_lane(look_up_name, &l);
}
