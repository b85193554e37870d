/*
 * call.c - from a system call's number and arguments to what is waited for.
 *
 * SPDX-License-Identifier: MIT
 *
 * The table names the calls that block, and where in their arguments it stands for what.  Those
 * that are not in it and block all the same wait inside the kernel for the file system, with few
 * exceptions, and count as disk where they are about files.
 */
#include "advise/call.h"

#include <linux/futex.h>
#include <poll.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#include "advise/fd.h"
#include "urd.h"

enum { POLLED_MAX = 256 };

static const int64_t seconds_most = (int64_t)1 << 32; /* of clocks; beyond: for ever */
static const int64_t for_ever = (int64_t)30 * 24 * 3600 * URD_SECOND; /* of timeouts */

typedef enum how_to {
    HOW_STATE,    /* always the same */
    HOW_FD,       /* by the descriptor in the first argument */
    HOW_POLL,     /* pollfd array, count, timeout in ms */
    HOW_PPOLL,    /* the same, timespec */
    HOW_SELECT,   /* count, three sets, timeval */
    HOW_EPOLL,    /* instance; timeout in ms in the fourth */
    HOW_EPOLL2,   /* the same, timespec */
    HOW_RING,     /* io_uring_enter */
    HOW_FUTEX,    /* address, operation, value, timespec */
    HOW_SLEEP,    /* timespec in the first argument */
    HOW_SLEEP_ON, /* clock, flags, timespec */
    HOW_SIGNAL,   /* until a signal; timespec in the third */
    HOW_FCNTL     /* a file lock, where the second says so */
} how_to;

static const struct call {
    long number;
    const char *name;
    how_to how;
    urd__state state;
} calls[] = {
    {SYS_read, "read", HOW_FD, 0},
    {SYS_write, "write", HOW_FD, 0},
    {SYS_readv, "readv", HOW_FD, 0},
    {SYS_writev, "writev", HOW_FD, 0},
    {SYS_pread64, "pread", HOW_FD, 0},
    {SYS_pwrite64, "pwrite", HOW_FD, 0},
    {SYS_preadv, "preadv", HOW_FD, 0},
    {SYS_pwritev, "pwritev", HOW_FD, 0},
    {SYS_preadv2, "preadv2", HOW_FD, 0},
    {SYS_pwritev2, "pwritev2", HOW_FD, 0},
    {SYS_ioctl, "ioctl", HOW_FD, 0},
    {SYS_sendfile, "sendfile", HOW_FD, 0},
    {SYS_splice, "splice", HOW_FD, 0},
    {SYS_tee, "tee", HOW_FD, 0},
    {SYS_vmsplice, "vmsplice", HOW_FD, 0},
    {SYS_recvfrom, "recv", HOW_FD, 0},
    {SYS_recvmsg, "recvmsg", HOW_FD, 0},
    {SYS_recvmmsg, "recvmmsg", HOW_FD, 0},
    {SYS_sendto, "send", HOW_FD, 0},
    {SYS_sendmsg, "sendmsg", HOW_FD, 0},
    {SYS_sendmmsg, "sendmmsg", HOW_FD, 0},
    {SYS_connect, "connect", HOW_STATE, STATE_NET},
    {SYS_accept, "accept", HOW_STATE, STATE_WORK},
    {SYS_accept4, "accept", HOW_STATE, STATE_WORK},
    {SYS_shutdown, "shutdown", HOW_STATE, STATE_NET},
    {SYS_ppoll, "ppoll", HOW_PPOLL, 0},
    {SYS_pselect6, "select", HOW_SELECT, 0},
    {SYS_epoll_pwait, "epoll_wait", HOW_EPOLL, 0},
    {441, "epoll_wait", HOW_EPOLL2, 0}, /* epoll_pwait2 */
#ifdef SYS_poll
    {SYS_poll, "poll", HOW_POLL, 0},
    {SYS_select, "select", HOW_SELECT, 0},
    {SYS_epoll_wait, "epoll_wait", HOW_EPOLL, 0},
    {SYS_pause, "pause", HOW_SIGNAL, 0},
    {SYS_vfork, "vfork", HOW_STATE, STATE_JOIN},
    {SYS_open, "open", HOW_STATE, STATE_DISK},
    {SYS_stat, "stat", HOW_STATE, STATE_DISK},
    {SYS_lstat, "lstat", HOW_STATE, STATE_DISK},
    {SYS_unlink, "unlink", HOW_STATE, STATE_DISK},
    {SYS_rename, "rename", HOW_STATE, STATE_DISK},
    {SYS_mkdir, "mkdir", HOW_STATE, STATE_DISK},
    {SYS_rmdir, "rmdir", HOW_STATE, STATE_DISK},
    {SYS_getdents, "getdents", HOW_STATE, STATE_DISK},
    {SYS_access, "access", HOW_STATE, STATE_DISK},
    {SYS_readlink, "readlink", HOW_STATE, STATE_DISK},
#endif
    {SYS_io_uring_enter, "io_uring_enter", HOW_RING, 0},
    {SYS_io_getevents, "io_getevents", HOW_STATE, STATE_DISK},
    {SYS_io_submit, "io_submit", HOW_STATE, STATE_DISK},
    {SYS_futex, "futex", HOW_FUTEX, 0},
    {449, "futex_waitv", HOW_STATE, STATE_WORK},
    {SYS_nanosleep, "nanosleep", HOW_SLEEP, STATE_TIMER},
    {SYS_clock_nanosleep, "clock_nanosleep", HOW_SLEEP_ON, STATE_TIMER},
    {SYS_wait4, "wait", HOW_STATE, STATE_JOIN},
    {SYS_waitid, "waitid", HOW_STATE, STATE_JOIN},
    {SYS_clone, "clone", HOW_STATE, STATE_JOIN}, /* as vfork does */
    {SYS_clone3, "clone", HOW_STATE, STATE_JOIN},
    {SYS_rt_sigsuspend, "sigsuspend", HOW_SIGNAL, 0},
    {SYS_rt_sigtimedwait, "sigwait", HOW_SIGNAL, 0},
    {SYS_flock, "flock", HOW_STATE, STATE_LOCK},
    {SYS_fcntl, "fcntl", HOW_FCNTL, STATE_LOCK},
    {SYS_semop, "semop", HOW_STATE, STATE_LOCK},
    {SYS_semtimedop, "semtimedop", HOW_STATE, STATE_LOCK},
    {SYS_msgrcv, "msgrcv", HOW_STATE, STATE_PIPE},
    {SYS_msgsnd, "msgsnd", HOW_STATE, STATE_PIPE},
    {SYS_mq_timedreceive, "mq_receive", HOW_STATE, STATE_PIPE},
    {SYS_mq_timedsend, "mq_send", HOW_STATE, STATE_PIPE},
    {SYS_fsync, "fsync", HOW_STATE, STATE_DISK},
    {SYS_fdatasync, "fdatasync", HOW_STATE, STATE_DISK},
    {SYS_sync, "sync", HOW_STATE, STATE_DISK},
    {SYS_syncfs, "syncfs", HOW_STATE, STATE_DISK},
    {SYS_sync_file_range, "sync_file_range", HOW_STATE, STATE_DISK},
    {SYS_msync, "msync", HOW_STATE, STATE_DISK},
    {SYS_copy_file_range, "copy_file_range", HOW_STATE, STATE_DISK},
    {SYS_fallocate, "fallocate", HOW_STATE, STATE_DISK},
    {SYS_ftruncate, "ftruncate", HOW_STATE, STATE_DISK},
    {SYS_openat, "open", HOW_STATE, STATE_DISK},
    {SYS_close, "close", HOW_STATE, STATE_DISK},
    {SYS_fstat, "fstat", HOW_STATE, STATE_DISK},
    {SYS_newfstatat, "stat", HOW_STATE, STATE_DISK},
    {SYS_statx, "stat", HOW_STATE, STATE_DISK},
    {SYS_getdents64, "getdents", HOW_STATE, STATE_DISK},
    {SYS_unlinkat, "unlink", HOW_STATE, STATE_DISK},
    {SYS_renameat2, "rename", HOW_STATE, STATE_DISK},
    {SYS_mkdirat, "mkdir", HOW_STATE, STATE_DISK},
    {SYS_readlinkat, "readlink", HOW_STATE, STATE_DISK},
    {SYS_faccessat, "access", HOW_STATE, STATE_DISK},
    {SYS_lseek, "lseek", HOW_STATE, STATE_DISK},
    {SYS_execve, "execve", HOW_STATE, STATE_DISK},
    {SYS_readahead, "readahead", HOW_STATE, STATE_DISK},
    {SYS_fadvise64, "fadvise", HOW_STATE, STATE_DISK},
    {SYS_mmap, "mmap", HOW_STATE, STATE_FAULT},
    {SYS_munmap, "munmap", HOW_STATE, STATE_FAULT},
    {SYS_mprotect, "mprotect", HOW_STATE, STATE_FAULT},
    {SYS_madvise, "madvise", HOW_STATE, STATE_FAULT},
    {SYS_brk, "brk", HOW_STATE, STATE_FAULT},
    {SYS_mremap, "mremap", HOW_STATE, STATE_FAULT},
};

static const struct call *find(long number)
{
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        if (calls[i].number == number)
            return &calls[i];
    return NULL;
}

const char *urd__call_name(long number)
{
    const struct call *call = find(number);
    return call ? call->name : NULL;
}

urd__state urd__call_interest(const urd__interest *interest, bool timed)
{
    const int *n = interest->count;
    if (n[FD_SOCKET] || n[FD_LOCAL])
        return STATE_NET;
    if (n[FD_TERMINAL])
        return STATE_TERMINAL;
    if (n[FD_PIPE])
        return STATE_PIPE;
    if (n[FD_CHILD])
        return STATE_JOIN;
    if (n[FD_LISTENING]) /* a server: that it also looks at its clock is not what it is for */
        return STATE_WORK;
    if (timed || n[FD_TIMER])
        return STATE_TIMER;
    return STATE_WORK;
}

static urd__state state_of_fd(urd__fd_kind kind)
{
    switch (kind) {
    case FD_FILE:
        return STATE_DISK;
    case FD_PIPE:
        return STATE_PIPE;
    case FD_SOCKET:
    case FD_LOCAL:
        return STATE_NET;
    case FD_TERMINAL:
        return STATE_TERMINAL;
    case FD_TIMER:
        return STATE_TIMER;
    case FD_CHILD:
        return STATE_JOIN;
    case FD_OTHER:
        return STATE_UNKNOWN;
    default:
        return STATE_WORK;
    }
}

/* In ns from now; -1: there is none. */
static int64_t read_timeout(pid_t pid, uint64_t address, int64_t unit)
{
    int64_t value[2];
    if (!urd__proc_peek(pid, address, value, sizeof value) || value[0] < 0 ||
        value[0] > seconds_most)
        return -1;
    return value[0] * URD_SECOND + value[1] * unit;
}

static int64_t clock_now(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * URD_SECOND + t.tv_nsec;
}

static void count_fd(urd__process *process, int fd, int64_t now, urd__interest *out)
{
    const urd__fd *found = urd__fd_of(process, fd, now);
    out->count[found->kind]++;
    if (found->kind != FD_EPOLL)
        return;
    int inner[POLLED_MAX]; /* an instance within: its own, but no deeper */
    int n = urd__fd_epoll(process->pid, fd, inner, POLLED_MAX);
    for (int i = 0; i < n; i++)
        out->count[urd__fd_of(process, inner[i], now)->kind]++;
}

static void poll_interest(urd__process *process, const urd__call *call, int64_t now,
                          urd__interest *out)
{
    struct pollfd polled[POLLED_MAX];
    size_t n = call->args[1] < POLLED_MAX ? (size_t)call->args[1] : POLLED_MAX;
    if (n == 0 || !urd__proc_peek(process->pid, call->args[0], polled, n * sizeof *polled))
        return;
    for (size_t i = 0; i < n; i++)
        if (polled[i].fd >= 0)
            count_fd(process, polled[i].fd, now, out);
}

static void select_interest(urd__process *process, const urd__call *call, int64_t now,
                            urd__interest *out)
{
    unsigned char bits[1024 / 8];
    int n = call->args[0] < 1024 ? (int)call->args[0] : 1024;
    size_t bytes = (size_t)(n + 63) / 64 * 8;
    for (int set = 1; set <= 3; set++) {
        if (!urd__proc_peek(process->pid, call->args[set], bits, bytes))
            continue;
        for (int fd = 0; fd < n; fd++)
            if (bits[fd / 8] >> fd % 8 & 1)
                count_fd(process, fd, now, out);
    }
}

/* The kernel's poll() and select() update the timeout in place only when they return. */
static void wait_for_events(urd__process *process, const urd__call *call, how_to how, int64_t now,
                            urd__wait *out)
{
    urd__interest interest = {0};
    int64_t timeout = -1;
    pid_t pid = process->pid;
    if (how == HOW_POLL || how == HOW_PPOLL) {
        poll_interest(process, call, now, &interest);
        timeout = how == HOW_PPOLL ? read_timeout(pid, call->args[2], 1)
                                   : (int64_t)(int)call->args[2] * URD_MS;
    } else if (how == HOW_SELECT) {
        select_interest(process, call, now, &interest);
        bool timespec = call->number == SYS_pselect6;
        timeout = read_timeout(pid, call->args[4], timespec ? 1 : URD_US);
    } else {
        count_fd(process, (int)call->args[0], now, &interest);
        timeout = how == HOW_EPOLL2 ? read_timeout(pid, call->args[3], 1)
                                    : (int64_t)(int)call->args[3] * URD_MS;
    }
    bool timed = timeout >= 0 && timeout < for_ever;
    out->deadline = timed ? now + timeout : 0;
    out->state = urd__call_interest(&interest, timed);
    const int *n = interest.count;
    out->loop = how == HOW_EPOLL || how == HOW_EPOLL2;
    out->listening = n[FD_LISTENING] > 0;
    out->watching = n[FD_SOCKET] + n[FD_LOCAL] + n[FD_LISTENING] + n[FD_PIPE] + n[FD_TERMINAL];
}

/* What is in flight in a ring cannot be seen: by what the process has open. */
static urd__state ring_state(urd__process *process, int64_t now)
{
    urd__interest interest = {0};
    for (int fd = 0; fd < FDS_MAX; fd++)
        interest.count[urd__fd_of(process, fd, now)->kind]++;
    return interest.count[FD_SOCKET] ? STATE_NET : STATE_WORK;
}

static void wait_on_futex(urd__process *process, const urd__call *call, int64_t now, urd__wait *out)
{
    int operation = (int)call->args[1] & FUTEX_CMD_MASK;
    bool absolute = operation == FUTEX_WAIT_BITSET || operation == FUTEX_WAIT_REQUEUE_PI;
    out->futex = call->args[0];
    out->expected = (uint32_t)call->args[2];
    out->shared = ((int)call->args[1] & FUTEX_PRIVATE_FLAG) == 0;
    out->state = STATE_WORK;
    if (operation == FUTEX_LOCK_PI || operation == FUTEX_LOCK_PI2)
        out->state = STATE_LOCK;
    int64_t timeout = call->args[3] ? read_timeout(process->pid, call->args[3], 1) : -1;
    if (timeout < 0)
        return;
    bool realtime = ((int)call->args[1] & FUTEX_CLOCK_REALTIME) != 0;
    out->deadline = !absolute
                        ? now + timeout
                        : now + timeout - clock_now(realtime ? CLOCK_REALTIME : CLOCK_MONOTONIC);
}

static void wait_in_call(urd__process *process, const urd__call *call, const struct call *known,
                         int64_t now, urd__wait *out)
{
    out->state = known->state;
    out->call = known->name;
    switch (known->how) {
    case HOW_STATE:
        break;
    case HOW_FD: {
        const urd__fd *fd = urd__fd_of(process, (int)call->args[0], now);
        out->state = state_of_fd(fd->kind);
        memcpy(out->object, fd->name, sizeof out->object);
        break;
    }
    case HOW_RING:
        out->state = ring_state(process, now);
        break;
    case HOW_FUTEX:
        wait_on_futex(process, call, now, out);
        break;
    case HOW_SLEEP:
    case HOW_SLEEP_ON:
        /* Go's own watchdog sleeps so; a goroutine that sleeps does not. */
        if (process->language == LANGUAGE_GO)
            out->state = STATE_WORK;
        break;
    case HOW_SIGNAL:
        out->state = process->language == LANGUAGE_SHELL ? STATE_JOIN : STATE_WORK;
        break;
    case HOW_FCNTL:
        if (call->args[1] != 7 && call->args[1] != 38) /* F_SETLKW, F_OFD_SETLKW */
            out->state = STATE_DISK;
        break;
    default:
        wait_for_events(process, call, known->how, now, out);
    }
}

void urd__call_wait(urd__process *process, const urd__call *call, int64_t now, urd__wait *out)
{
    *out = (urd__wait){.state = STATE_UNKNOWN};
    if (call->kind == CALL_NONE)
        out->state = STATE_FAULT;
    const struct call *known = call->kind == CALL_SYSTEM ? find(call->number) : NULL;
    if (known)
        wait_in_call(process, call, known, now, out);
}
