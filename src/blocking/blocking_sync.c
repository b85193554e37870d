/*
 * blocking_sync.c - semaphores, read-write locks, threads and children that tasks wait for.
 *
 * SPDX-License-Identifier: MIT
 *
 * Semaphores and read-write locks stay the C library's, as mutexes do: see blocking_lock.c, whose
 * line they stand in.  Who gives a read-write lock back is known by its thread, which for a task
 * stays the same.
 *
 * A child by its number is waited for by a descriptor.  Of the end of a thread, of whichever child
 * ends next, and of a lock of a file nothing tells that a task could wait for: it looks again after
 * 64 us, then twice as long, at most 16 ms.
 *
 * To join is no cancel point, as to lock is none: what the thread uses is often freed next.
 *
 * Rejected: a helper that waits, which no cancel reaches; and where all helpers wait for threads
 * that need one, nobody ends.
 */
#include <errno.h>
#include <sys/syscall.h>

#include "blocking/blocking.h"

#define REAL(call, ...) urd__blocking_real()->call(__VA_ARGS__)

static int answer(int error)
{
    return (int)urd__blocking_answer(-error);
}

/* ---- Semaphores ------------------------------------------------------------------------------ */

static int try_sem(void *sem)
{
    int saved = errno, rc = REAL(sem_trywait, sem) == 0 ? 0 : errno == EAGAIN ? EBUSY : errno;
    errno = saved;
    return rc;
}

static int wait_sem(sem_t *sem, urd_time until)
{
    int rc = urd_cancelled() ? ECANCELED : try_sem(sem);
    return answer(rc == EBUSY ? urd__blocking_line(sem, try_sem, until, false) : rc);
}

int sem_wait(sem_t *sem)
{
    return URD__CAUGHT() ? wait_sem(sem, URD_FOREVER) : REAL(sem_wait, sem);
}

int sem_timedwait(sem_t *restrict sem, const struct timespec *restrict when)
{
    return URD__CAUGHT() && urd__blocking_is_time(when)
               ? wait_sem(sem, urd__blocking_time(CLOCK_REALTIME, when))
               : REAL(sem_timedwait, sem, when);
}

int sem_clockwait(sem_t *restrict sem, clockid_t clock, const struct timespec *restrict when)
{
    return URD__CAUGHT() && urd__blocking_is_time(when)
               ? wait_sem(sem, urd__blocking_time(clock, when))
               : REAL(sem_clockwait, sem, clock, when);
}

int sem_post(sem_t *sem)
{
    int rc = REAL(sem_post, sem);
    urd__blocking_wake(sem, 1);
    return rc;
}

/* ---- Read-write locks ------------------------------------------------------------------------ */

static bool is_ours(const pthread_rwlock_t *l)
{
    return !l->__data.__shared;
}

static int try_read(void *l)
{
    return REAL(pthread_rwlock_tryrdlock, l);
}

static int try_write(void *l)
{
    return REAL(pthread_rwlock_trywrlock, l);
}

/* To lock is no cancel point, as with mutexes.  when NULL: without end. */
static int lock_here(pthread_rwlock_t *l, int (*attempt)(void *l), clockid_t clock,
                     const struct timespec *when)
{
    int rc = attempt(l);
    if (rc != EBUSY)
        return rc;
    if (when && !urd__blocking_is_time(when))
        return EINVAL;
    urd_time until = when ? urd__blocking_time(clock, when) : URD_FOREVER;
    return urd__blocking_line(l, attempt, until, true);
}

int pthread_rwlock_rdlock(pthread_rwlock_t *l)
{
    return is_ours(l) && URD__CAUGHT() ? lock_here(l, try_read, CLOCK_REALTIME, NULL)
                                       : REAL(pthread_rwlock_rdlock, l);
}

int pthread_rwlock_wrlock(pthread_rwlock_t *l)
{
    return is_ours(l) && URD__CAUGHT() ? lock_here(l, try_write, CLOCK_REALTIME, NULL)
                                       : REAL(pthread_rwlock_wrlock, l);
}

int pthread_rwlock_timedrdlock(pthread_rwlock_t *restrict l, const struct timespec *restrict when)
{
    return is_ours(l) && URD__CAUGHT() ? lock_here(l, try_read, CLOCK_REALTIME, when)
                                       : REAL(pthread_rwlock_timedrdlock, l, when);
}

int pthread_rwlock_timedwrlock(pthread_rwlock_t *restrict l, const struct timespec *restrict when)
{
    return is_ours(l) && URD__CAUGHT() ? lock_here(l, try_write, CLOCK_REALTIME, when)
                                       : REAL(pthread_rwlock_timedwrlock, l, when);
}

int pthread_rwlock_clockrdlock(pthread_rwlock_t *restrict l, clockid_t clock,
                               const struct timespec *restrict when)
{
    return is_ours(l) && URD__CAUGHT() ? lock_here(l, try_read, clock, when)
                                       : REAL(pthread_rwlock_clockrdlock, l, clock, when);
}

int pthread_rwlock_clockwrlock(pthread_rwlock_t *restrict l, clockid_t clock,
                               const struct timespec *restrict when)
{
    return is_ours(l) && URD__CAUGHT() ? lock_here(l, try_write, clock, when)
                                       : REAL(pthread_rwlock_clockwrlock, l, clock, when);
}

/* All readers may come in at once. */
int pthread_rwlock_unlock(pthread_rwlock_t *l)
{
    int rc = REAL(pthread_rwlock_unlock, l);
    urd__blocking_wake(l, INT32_MAX);
    return rc;
}

/* ---- What nothing tells of ------------------------------------------------------------------- */

enum { NOT_YET = 0, FIRST_NS = 64000, LONGEST_NS = 16000000 };

/* Until look(arg) is other than NOT_YET: what it is; -ECANCELED. */
static int look_until(int (*look)(void *arg), void *arg)
{
    int rc, cut = 0;
    for (urd_time pause = FIRST_NS; (rc = look(arg)) == NOT_YET && cut == 0;) {
        cut = urd_sleep(pause);
        pause = pause < LONGEST_NS ? 2 * pause : pause;
    }
    return rc == NOT_YET ? cut : rc;
}

typedef struct joined {
    pthread_t thread;
    void **value;
    int rc;
} joined;

static int look_at_thread(void *arg)
{
    joined *j = arg;
    j->rc = REAL(pthread_tryjoin_np, j->thread, j->value);
    return j->rc != EBUSY;
}

int pthread_join(pthread_t thread, void **value)
{
    joined j = {.thread = thread, .value = value};
    if (!URD__CAUGHT() || pthread_equal(thread, pthread_self()))
        return REAL(pthread_join, thread, value);
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_shield(&s);
    look_until(look_at_thread, &j);
    (void)!urd_scope_join(&s);
    return j.rc;
}

typedef struct locked {
    int fd, how;
} locked;

/* 1, or -errno. */
static int look_at_lock(void *arg)
{
    const locked *l = arg;
    if (REAL(flock, l->fd, l->how | LOCK_NB) == 0)
        return 1;
    return errno == EWOULDBLOCK ? NOT_YET : -errno;
}

int flock(int fd, int how)
{
    locked l = {fd, how};
    if (how & (LOCK_NB | LOCK_UN) || !URD__CAUGHT())
        return REAL(flock, fd, how);
    int rc = urd_cancelled() ? -ECANCELED : look_until(look_at_lock, &l);
    return rc < 0 ? answer(-rc) : 0;
}

/* ---- Children -------------------------------------------------------------------------------- */

/* What wait4() is asked, or waitid() if `info` is set. */
typedef struct child {
    pid_t pid;
    int *status, options;
    struct rusage *usage;
    siginfo_t *info;
    idtype_t type;
    id_t id;
} child;

/* Its number, or 1 with waitid(); -errno. */
static int look_at_child(void *arg)
{
    const child *c = arg;
    if (!c->info) {
        pid_t pid = REAL(wait4, c->pid, c->status, c->options | WNOHANG, c->usage);
        return pid < 0 ? -errno : pid;
    }
    c->info->si_pid = 0;
    int rc = REAL(waitid, c->type, c->id, c->info, c->options | WNOHANG);
    return rc < 0 ? -errno : c->info->si_pid != 0;
}

/* Until that child has ended.  0; -ECANCELED; or there is no such descriptor. */
static int wait_for_end(pid_t pid)
{
    struct pollfd one = {.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN};
    if (one.fd < 0)
        return -ENOSYS;
    int rc = urd__blocking_wait(&one, 1, URD_FOREVER);
    close(one.fd);
    return rc == -ECANCELED ? rc : 0;
}

/* The number of the one child that is waited for, and only until it ends; 0: it is not so. */
static pid_t one_child(const child *c)
{
    bool only_ends = !(c->options & (WUNTRACED | WCONTINUED));
    if (c->info)
        return only_ends && c->type == P_PID ? (pid_t)c->id : 0;
    return only_ends && c->pid > 0 ? c->pid : 0;
}

/* The same as look_at_child(), or 0 with WNOHANG. */
static int wait_for_child(child *c)
{
    int rc = urd_cancelled() ? -ECANCELED : look_at_child(c);
    if (rc || c->options & WNOHANG)
        return rc;
    pid_t pid = one_child(c);
    rc = pid ? wait_for_end(pid) : 0;
    return rc == -ECANCELED ? rc : look_until(look_at_child, c);
}

static pid_t wait_here(pid_t pid, int *status, int options, struct rusage *usage)
{
    child c = {.pid = pid, .status = status, .options = options, .usage = usage};
    return (pid_t)urd__blocking_answer(wait_for_child(&c));
}

pid_t waitpid(pid_t pid, int *status, int options)
{
    return URD__CAUGHT() ? wait_here(pid, status, options, NULL)
                         : REAL(waitpid, pid, status, options);
}

pid_t wait(int *status)
{
    return URD__CAUGHT() ? wait_here(-1, status, 0, NULL) : REAL(wait, status);
}

pid_t wait3(int *status, int options, struct rusage *usage)
{
    return URD__CAUGHT() ? wait_here(-1, status, options, usage)
                         : REAL(wait3, status, options, usage);
}

pid_t wait4(pid_t pid, int *status, int options, struct rusage *usage)
{
    return URD__CAUGHT() ? wait_here(pid, status, options, usage)
                         : REAL(wait4, pid, status, options, usage);
}

int waitid(idtype_t type, id_t id, siginfo_t *info, int options)
{
    siginfo_t unasked;
    child c = {.type = type, .id = id, .info = info ? info : &unasked, .options = options};
    if (!URD__CAUGHT())
        return REAL(waitid, type, id, info, options);
    int rc = wait_for_child(&c);
    return rc < 0 ? answer(-rc) : 0;
}
