/*
 * plain.c - a program that knows nothing of Urdume says what the C library's calls did.
 *
 * SPDX-License-Identifier: MIT
 *
 * With liburdume-blocking preloaded and without, it has to print the same.
 */
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SAY(call)                                                                                  \
    do {                                                                                           \
        errno = 0;                                                                                 \
        long result = (long)(call);                                                                \
        printf("%s = %ld, %s\n", #call, result, strerrorname_np(errno));                           \
    } while (0)

static int ends[2];
static sem_t sem;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static volatile sig_atomic_t signals;
static char buf[100];

static struct timespec after_ms(clockid_t clock, long ms)
{
    struct timespec t;
    clock_gettime(clock, &t);
    t.tv_nsec += ms * 1000000;
    t.tv_sec += t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    return t;
}

/* ---- Signals --------------------------------------------------------------------------------- */

static void count(int number)
{
    (void)number;
    signals++;
}

static void ignore(int number)
{
    (void)number;
}

/* Again and again: the first may come before the call. */
static void alarms(long us)
{
    struct itimerval often = {{0, us}, {0, us}};
    setitimer(ITIMER_REAL, &often, NULL);
}

static void interrupted(void)
{
    struct sigaction action = {.sa_handler = count}, nothing = {.sa_handler = ignore};
    struct pollfd one = {.fd = ends[0], .events = POLLIN};
    struct epoll_event event;
    int set = epoll_create1(EPOLL_CLOEXEC);
    fd_set in;
    sigaction(SIGALRM, &nothing, NULL);
    sigaction(SIGPIPE, &action, NULL);
    FD_ZERO(&in);
    FD_SET(ends[0], &in);
#define INTERRUPTED(call)                                                                          \
    do {                                                                                           \
        alarms(10000);                                                                             \
        long result = (long)(call);                                                                \
        int error = errno;                                                                         \
        alarms(0);                                                                                 \
        printf("%s = %ld, %s\n", #call, result, strerrorname_np(error));                           \
    } while (0)
    INTERRUPTED(read(ends[0], buf, 1));
    INTERRUPTED(recv(ends[0], buf, 1, 0));
    INTERRUPTED(poll(&one, 1, -1));
    INTERRUPTED(select(ends[0] + 1, &in, NULL, NULL, NULL));
    INTERRUPTED(pselect(ends[0] + 1, &in, NULL, NULL, NULL, NULL));
    INTERRUPTED(epoll_wait(set, &event, 1, -1));
    INTERRUPTED(epoll_pwait(set, &event, 1, -1, NULL));
    INTERRUPTED(nanosleep(&(struct timespec){60, 0}, NULL));
    INTERRUPTED(sem_wait(&sem));
    INTERRUPTED(sleep(60) > 0);
#undef INTERRUPTED
    int closed[2];
    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, closed);
    close(closed[1]);
    SAY(write(closed[0], "x", 1));
    SAY(signals);
    close(closed[0]);
    close(set);
}

/* ---- Descriptors ----------------------------------------------------------------------------- */

static void descriptors(void)
{
    struct timeval time = {.tv_usec = 1000};
    struct pollfd one = {.fd = ends[0], .events = POLLIN};
    struct addrinfo *found = NULL;
    SAY(setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time));
    SAY(read(ends[0], buf, 1));
    time.tv_usec = 0;
    SAY(setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time));
    SAY(recv(ends[0], buf, 1, MSG_DONTWAIT));
    SAY(poll(&one, 1, 1));
    SAY(write(ends[1], "hello", 5));
    SAY(poll(&one, 1, -1));
    SAY(recv(ends[0], buf, 2, MSG_PEEK));
    SAY(read(ends[0], buf, sizeof buf));
    SAY(read(-1, buf, 1));
    SAY(usleep(1));
    SAY(clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){0, -1}, NULL));
    SAY(getaddrinfo("127.0.0.1", "80", &(struct addrinfo){.ai_flags = AI_NUMERICHOST}, &found));
    SAY(getnameinfo(found->ai_addr, found->ai_addrlen, buf, sizeof buf, NULL, 0, NI_NUMERICHOST));
    SAY(strcmp(buf, "127.0.0.1"));
    freeaddrinfo(found);
    char path[] = "/tmp/urd-plain-XXXXXX";
    int here = mkstemp(path), there = open(path, O_RDWR | O_CLOEXEC);
    unlink(path);
    SAY(flock(here, LOCK_EX));
    SAY(flock(there, LOCK_EX | LOCK_NB));
    close(here);
    SAY(flock(there, LOCK_EX));
    close(there);
}

/* ---- Locks ----------------------------------------------------------------------------------- */

static void locks(void)
{
    struct timespec soon = after_ms(CLOCK_REALTIME, 5), wrong = {.tv_nsec = -1};
    pthread_mutexattr_t attr;
    pthread_mutex_t kind;
    for (int i = PTHREAD_MUTEX_NORMAL; i <= PTHREAD_MUTEX_ERRORCHECK; i++) {
        pthread_mutexattr_init(&attr);
        pthread_mutexattr_settype(&attr, i);
        SAY(pthread_mutex_init(&kind, &attr));
        SAY(pthread_mutex_lock(&kind));
        SAY(pthread_mutex_trylock(&kind));
        SAY(pthread_mutex_timedlock(&kind, &soon));
        SAY(pthread_mutex_unlock(&kind));
    }
    SAY(pthread_mutex_unlock(&kind));
    SAY(pthread_rwlock_wrlock(&rwlock));
    SAY(pthread_rwlock_rdlock(&rwlock));
    SAY(pthread_rwlock_tryrdlock(&rwlock));
    SAY(pthread_rwlock_unlock(&rwlock));
    SAY(pthread_rwlock_rdlock(&rwlock));
    SAY(pthread_rwlock_timedwrlock(&rwlock, &soon));
    SAY(pthread_rwlock_unlock(&rwlock));
    SAY(sem_trywait(&sem));
    SAY(sem_timedwait(&sem, &soon));
    SAY(sem_timedwait(&sem, &wrong));
    SAY(sem_post(&sem));
    SAY(sem_wait(&sem));
    SAY(pthread_mutex_lock(&mutex));
    SAY(pthread_cond_timedwait(&cond, &mutex, &soon));
    SAY(pthread_mutex_unlock(&mutex));
    SAY(pthread_join(pthread_self(), NULL));
}

/* ---- Threads --------------------------------------------------------------------------------- */

enum { THREADS = 4, ROUNDS = 2000 };

static int sum, turn; /* under mutex */

static void *take_turns(void *arg)
{
    int mine = *(int *)arg;
    for (int i = 0; i < ROUNDS; i++) {
        pthread_mutex_lock(&mutex);
        while (turn != mine)
            pthread_cond_wait(&cond, &mutex);
        sum += mine;
        turn = (turn + 1) % THREADS;
        pthread_cond_broadcast(&cond);
        pthread_mutex_unlock(&mutex);
    }
    return arg;
}

static int cleaned_up; /* before the join */

static void unlock(void *arg)
{
    cleaned_up++;
    if (arg)
        pthread_mutex_unlock(arg);
}

static void *wait_for_ever(void *arg)
{
    struct pollfd one = {.fd = ends[0], .events = POLLIN};
    int which = *(int *)arg;
    if (which == 4)
        pthread_mutex_lock(&mutex);
    pthread_cleanup_push(unlock, which == 4 ? &mutex : NULL);
    if (which == 0)
        read(ends[0], buf, 1);
    else if (which == 1)
        sem_wait(&sem);
    else if (which == 2)
        nanosleep(&(struct timespec){60, 0}, NULL);
    else if (which == 3)
        poll(&one, 1, -1);
    else
        for (;;)
            pthread_cond_wait(&cond, &mutex);
    pthread_cleanup_pop(0);
    return NULL;
}

static void threads(void)
{
    pthread_t all[THREADS];
    int names[THREADS];
    void *value;
    for (int i = 0; i < THREADS; i++) {
        names[i] = i;
        pthread_create(&all[i], NULL, take_turns, &names[i]);
    }
    for (int i = 0; i < THREADS; i++) {
        SAY(pthread_join(all[i], &value));
        SAY(value == &names[i]);
    }
    SAY(sum);
    for (int which = 0; which < 5; which++) {
        pthread_create(&all[0], NULL, wait_for_ever, &which);
        SAY(pthread_cancel(all[0]));
        SAY(pthread_join(all[0], &value));
        SAY(value == PTHREAD_CANCELED);
        SAY(cleaned_up);
    }
    SAY(pthread_mutex_trylock(&mutex));
}

/* ---- Children -------------------------------------------------------------------------------- */

static pid_t child(int code)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        _exit(code);
    return pid;
}

static void children(void)
{
    struct rusage usage;
    siginfo_t info;
    int status;
    pid_t pid = child(3);
    SAY(waitpid(pid, &status, 0) == pid);
    SAY(WEXITSTATUS(status));
    pid = child(4);
    SAY(wait(&status) == pid);
    SAY(WEXITSTATUS(status));
    pid = child(5);
    SAY(wait4(pid, &status, 0, &usage) == pid);
    SAY(WEXITSTATUS(status));
    pid = child(6);
    SAY(wait3(&status, 0, &usage) == pid);
    SAY(WEXITSTATUS(status));
    pid = child(7);
    SAY(waitid(P_PID, (id_t)pid, &info, WEXITED));
    SAY(info.si_pid == pid);
    SAY(info.si_status);
    SAY(waitpid(-1, &status, 0));
    SAY(waitid(P_ALL, 0, &info, 0));
}

int main(void)
{
    socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
    sem_init(&sem, 0, 0);
    interrupted();
    descriptors();
    locks();
    threads();
    children();
    return 42;
}
