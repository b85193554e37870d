/*
 * zygote.c - a small process made before any thread, from which process jobs are forked.
 *
 * SPDX-License-Identifier: MIT
 *
 * Forking a program that has threads gives a child in which locks are held by nobody, and forking
 * one that has grown large costs a copy of its page tables.  So urd_run forks once, early; this
 * child, the zygote, waits for requests and forks again for each process job.  A job therefore
 * sees the program as it was at urd_run (memory, descriptors, directory, environment), plus the
 * shared heap.
 *
 *     program  --START-->  zygote  --fork-->  process job  --START--> zygote (over its own
 *     reaper   <-STARTED-    |                                         connection, made at its
 *     thread   <--ENDED--    +--- wait                                 first process job)
 *
 * Who sees what.  Process jobs are children of the zygote, so the program's own wait() and SIGCHLD
 * know nothing of them.  The zygote itself is made without an exit signal (a raw clone), which
 * hides it from wait() and SIGCHLD too; only wait4(__WALL) shows it.  That is sound only while the
 * program has one thread.  Otherwise, or where the kernel refuses (qemu-user), the C library's fork
 * is called twice and the zygote is an orphan; then one SIGCHLD of the short-lived process between
 * reaches the program, which has reaped it by then.
 *
 * Who dies with whom.  The kernel kills a process job when the zygote ends, and the zygote when
 * the program ends (PR_SET_PDEATHSIG), also after kill -9.  The orphan watches the program's
 * pidfd, and its connection.  A requester that has died loses the jobs it started.
 *
 * When the zygote is killed, its connection is closed before the kernel kills its children, and
 * nobody is left to reap them.  So all of them hold one end of a pipe, the lifeline; the program
 * has the other, which tells when the last of them is gone.  Who forks on its own in a process job,
 * and lives on, has a copy: then the program waits for a second, and frees nothing that is locked.
 *
 * Descriptors that were open at urd_run stay open here, for the jobs: a pipe of that time whose
 * writer the program closes later reaches its end only when the zygote is gone.
 *
 * The zygote allocates nothing and never blocks on a send: what a full connection does not take is
 * owed in the child's entry and sent later, so it always drains requests.  All its signals are
 * blocked: Ctrl-C reaches the whole process group, and whether it ends is for the program to say.
 *
 * Rejected: fork on demand (see above); posix_spawn of a helper program (function pointers and the
 * shared heap would need to be found again at equal addresses); CLONE_PARENT (the kernel then gives
 * the program's exit signal, SIGCHLD, to the child); a spare process forked in advance (measured: a
 * job after a job is not sooner, as the fork of the next spare takes the same processors).
 */
#include "proc/zygote.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/wait.h>

#include "base/check.h"
#include "base/os.h"
#include "base/os_proc.h"
#include "core/peer.h"

enum {
    CHILDREN_MAX = 32768,
    REQUESTERS_MAX = 1000, /* process jobs that have process jobs, at one time */
    RETRY_NS = 10000000
};

/* Entries of the table of descriptors to wait for. */
enum { AT_PROGRAM, AT_CHILDREN, AT_DOOR, AT_REQUESTERS };
_Static_assert(AT_REQUESTERS + REQUESTERS_MAX <= OS_READY_MAX, "they are waited for together");

struct requester {
    int fd;    /* -1: none */
    pid_t pid; /* 0: the program */
    bool owed; /* a reply did not fit */
};

struct child {
    pid_t pid;
    int pidfd; /* -1 once it was sent, and on kernels without it */
    int requester;
    uint32_t number; /* of core/peer.h */
    uint64_t id;
    int status;
    int refused; /* -errno: fork failed, there is no process */
    bool told;   /* STARTED was sent, or nobody is left to be told */
    bool ended;  /* reaped; the entry stays until ENDED was sent */
};

/* The zygote's own; process jobs have a copy that they do not use. */
struct zygote {
    pid_t pid;
    int program_pidfd; /* readable when the program has ended; -1: an old kernel */
    int child_signal;
    int door;              /* new requesters come in here */
    int door_out;          /* the other end, for process jobs */
    int lifeline[2];       /* nothing is ever written: the zygote's, its jobs'; the program's */
    bool children_ignored; /* SIGCHLD was, and is in process jobs */
    sigset_t mask;         /* of urd_run's caller, for process jobs */
    char name[16];         /* of the program in ps, for process jobs */
    bool retry;            /* something failed that may work later */
    urd__zygote_work work;
    bool rehearsed;
    int requesters_used; /* entries in use are below */
    int children_used;   /* the first of the table */
    struct requester requesters[REQUESTERS_MAX];
    struct child children[CHILDREN_MAX];
};

/* What the program, or a process job, knows of the zygote. */
static struct {
    pid_t pid; /* 0: none */
    bool is_child;
    bool used;      /* connected to */
    int connection; /* -1: none */
    int door;       /* of a process job; else -1 */
    int lifeline;   /* the program's end; else -1 */
    int held;       /* the other one, of a process job; else -1 */
} known = {.connection = -1, .door = -1, .lifeline = -1, .held = -1};

static int take_over(struct zygote *z, int connection);
static void serve(struct zygote *z);

/* ---- the program's side ---- */

/* 0 or -errno in the program; in the zygote it does not return. */
static int make_quiet(struct zygote *z, const int pair[2])
{
    pid_t pid = urd__os_fork_quiet();
    if (pid < 0)
        return pid;
    if (pid == 0) {
        urd__os_close(pair[0]);
        int rc = urd__os_die_with_parent();
        if (rc == 0)
            rc = take_over(z, pair[1]);
        if (rc == 0)
            serve(z);
        urd__os_exit(1);
    }
    known.pid = pid;
    known.is_child = true;
    return 0;
}

/* In the process between: make the zygote and say its pid. */
__attribute__((noreturn)) static void make_and_leave(struct zygote *z, const int pair[2])
{
    pid_t pid = urd__os_fork();
    if (pid == 0) {
        urd__os_close(pair[0]);
        if (take_over(z, pair[1]) == 0)
            serve(z);
        urd__os_exit(1);
    }
    urd__reply reply = {.what = URD__STARTED, .value = pid};
    urd__os_send(pair[1], &reply, sizeof reply, -1, false);
    urd__os_exit(0);
}

static int make_orphan(struct zygote *z, const int pair[2])
{
    pid_t between = urd__os_fork();
    if (between < 0)
        return between;
    if (between == 0)
        make_and_leave(z, pair);
    int status, rc;
    do
        rc = urd__os_wait(between, &status, false);
    while (rc < 0 && rc != -ECHILD); /* that one only where the program ignores SIGCHLD */
    urd__reply reply;
    int none;
    if (urd__os_receive(pair[0], &reply, sizeof reply, &none) != sizeof reply)
        return -EAGAIN;
    if (reply.value < 0)
        return reply.value;
    known.pid = reply.value;
    known.is_child = false;
    return 0;
}

static int make(struct zygote *z)
{
    int pair[2];
    int rc = urd__os_socket_pair(pair);
    if (rc < 0)
        return rc;
    rc = urd__os_single_threaded() ? make_quiet(z, pair) : -EINVAL;
    if (rc == -EINVAL)
        rc = make_orphan(z, pair);
    urd__os_close(pair[1]);
    if (rc < 0) {
        urd__os_close(pair[0]); /* an orphan that is there already ends by this */
        known.pid = 0;
        return rc;
    }
    known.connection = pair[0];
    return 0;
}

static int make_with_lifeline(struct zygote *z)
{
    int rc = urd__os_pipe(z->lifeline);
    if (rc < 0)
        return rc;
    rc = make(z);
    urd__os_close(z->lifeline[0]);
    if (rc < 0)
        urd__os_close(z->lifeline[1]);
    else
        known.lifeline = z->lifeline[1];
    return rc;
}

int urd__zygote_start(const urd__zygote_work *work)
{
    void *memory = NULL;
    int rc = urd__os_map(&memory, sizeof(struct zygote));
    if (rc < 0)
        return rc;
    struct zygote *z = memory;
    z->work = *work;
    z->program_pidfd = urd__os_pidfd_open(urd__os_pid());
    urd__os_flush(); /* or what is pending would come out of every process */
    urd__os_signals_block(&z->mask);
    rc = make_with_lifeline(z);
    urd__os_signals_restore(&z->mask);
    urd__os_close(z->program_pidfd);
    urd__os_unmap(memory, sizeof(struct zygote));
    return rc;
}

/* It ends when no request can come any more; one without children can as well be killed, which is
 * quicker.  An orphan cannot be waited for, but its end of the connection closes. */
void urd__zygote_stop(void)
{
    if (known.pid == 0)
        return;
    if (known.used)
        urd__os_shut_down(known.connection);
    else
        urd__os_kill(known.pid, SIGKILL);
    urd__os_ready end = {.fd = known.connection};
    urd__reply late;
    int none;
    while (!known.is_child && urd__os_receive(end.fd, &late, sizeof late, &none) != 0) {
        urd__os_close(none);
        urd__os_wait_ready(&end, 1, INT64_MAX);
    }
    int status; /* an orphan comes back to a program that is a reaper of orphans */
    while (urd__os_wait(known.pid, &status, false) < 0 && urd__os_kill(known.pid, 0) == 0 &&
           known.is_child)
        ;
    urd__os_close(known.connection);
    urd__os_close(known.lifeline);
    known.pid = 0;
    known.connection = -1;
    known.lifeline = -1;
    known.used = false;
}

/* A pipe without a reader is an error, which counts as readable. */
bool urd__zygote_wait_end(int64_t until)
{
    urd__os_ready line = {.fd = known.lifeline};
    if (known.lifeline < 0)
        return false;
    while (urd__os_wait_ready(&line, 1, until) < 0)
        urd__os_yield(); /* the kernel is short of memory */
    return line.readable;
}

static int enrol(void)
{
    int pair[2];
    int rc = urd__os_socket_pair(pair);
    if (rc < 0)
        return rc;
    urd__request request = {.what = URD__ENROL, .pid = urd__os_pid()};
    rc = urd__os_send(known.door, &request, sizeof request, pair[1], false);
    urd__os_close(pair[1]);
    if (rc >= 0)
        return pair[0];
    urd__os_close(pair[0]);
    return rc == -EPIPE ? -ECHILD : rc;
}

int urd__zygote_connect(void)
{
    if (known.door >= 0)
        return enrol();
    if (known.pid == 0)
        return -ECHILD;
    known.used = true;
    return urd__os_duplicate(known.connection);
}

void urd__zygote_leave(void)
{
    urd__os_close(known.door);
    known.door = -1;
}

int urd__zygote_door(void)
{
    return known.door;
}

int urd__zygote_lifeline(void)
{
    return known.held;
}

void urd__zygote_join(int door)
{
    known.door = door;
}

/* ---- the zygote's side ---- */

static int take_over(struct zygote *z, int connection)
{
    int door[2];
    z->pid = urd__os_pid();
    urd__os_close(z->lifeline[1]);
    urd__os_process_name("urd-zygote", z->name, sizeof z->name);
    urd__os_signals_reset();
    struct sigaction old, normal = {.sa_handler = SIG_DFL};
    urd__os_signal_action(SIGCHLD, &normal, &old);
    z->children_ignored = old.sa_handler == SIG_IGN;
    z->child_signal = urd__os_child_signal_open();
    if (z->child_signal < 0)
        return z->child_signal;
    int rc = urd__os_socket_pair(door);
    if (rc < 0)
        return rc;
    z->door = door[0];
    z->door_out = door[1];
    z->requesters[0] = (struct requester){.fd = connection};
    z->requesters_used = 1;
    return 0;
}

/* What only the zygote may hold: the program sees its death by the last copy closing. */
static void close_private(const struct zygote *z)
{
    urd__os_close(z->program_pidfd);
    urd__os_close(z->child_signal);
    urd__os_close(z->door);
    for (int i = 0; i < z->requesters_used; i++)
        urd__os_close(z->requesters[i].fd);
    for (int i = 0; i < z->children_used; i++)
        urd__os_close(z->children[i].pidfd);
}

__attribute__((noreturn)) static void become_job(struct zygote *z, void *record)
{
    /* The kernel tells only of a parent that ends later; one that has ended shows in getppid. */
    if (urd__os_die_with_parent() < 0 || urd__os_parent_pid() != z->pid)
        urd__os_exit(1);
    close_private(z);
    known.pid = 0; /* nothing for urd__zygote_stop() to do */
    known.door = z->door_out;
    known.held = z->lifeline[0];
    known.connection = -1;
    urd__os_process_name(z->name, NULL, 0);
    if (z->children_ignored) {
        struct sigaction ignore = {.sa_handler = SIG_IGN};
        urd__os_signal_action(SIGCHLD, &ignore, NULL);
    }
    z->work.child(record, &z->mask);
    urd__os_exit(1);
}

/* Send what is owed of one child.  True: the entry is done with. */
static bool pay(struct zygote *z, struct child *c)
{
    struct requester *r = &z->requesters[c->requester];
    bool gone = r->fd < 0;
    if (!c->told && !gone) {
        urd__reply started = {.what = URD__STARTED, .value = c->pid, .id = c->id};
        int rc = urd__os_send(r->fd, &started, sizeof started, c->pidfd, true);
        if (rc < 0 && rc != -EPIPE) {
            r->owed = true;
            return false;
        }
    }
    c->told = true;
    urd__os_close(c->pidfd);
    c->pidfd = -1;
    if (!c->ended)
        return false;
    if (gone)
        return true;
    urd__reply ended = {
        .what = c->refused ? URD__REFUSED : URD__ENDED,
        .value = c->refused ? c->refused : c->status,
        .id = c->id,
    };
    int rc = urd__os_send(r->fd, &ended, sizeof ended, -1, true);
    if (rc >= 0 || rc == -EPIPE)
        return true;
    r->owed = true;
    return false;
}

static void pay_and_drop(struct zygote *z, int at)
{
    if (pay(z, &z->children[at]))
        z->children[at] = z->children[--z->children_used];
}

static void pay_all(struct zygote *z, int requester)
{
    z->requesters[requester].owed = false;
    for (int i = z->children_used - 1; i >= 0; i--) {
        if (z->children[i].requester == requester)
            pay_and_drop(z, i);
    }
}

static void rehearse(struct zygote *z)
{
    z->rehearsed = true;
    urd__os_parent_pid();
    if (z->work.rehearse)
        z->work.rehearse();
}

static void start_child(struct zygote *z, int requester, const urd__request *request)
{
    if (!z->rehearsed)
        rehearse(z);
    uint32_t number = urd__peers_add();
    pid_t pid = number ? urd__os_fork() : -EAGAIN;
    if (pid == 0) {
        urd__peers_begin(number);
        become_job(z, request->record);
    }
    if (pid < 0)
        urd__peers_end(number);
    z->children[z->children_used] = (struct child){
        .pid = pid > 0 ? pid : 0,
        .refused = pid < 0 ? pid : 0,
        .pidfd = pid > 0 ? urd__os_pidfd_open(pid) : -1,
        .requester = requester,
        .number = number,
        .id = request->id,
        .told = pid < 0,
        .ended = pid < 0,
    };
    pay_and_drop(z, z->children_used++);
}

static void drop_requester(struct zygote *z, int at)
{
    struct requester *r = &z->requesters[at];
    urd__os_close(r->fd);
    *r = (struct requester){.fd = -1};
    for (int i = z->children_used - 1; i >= 0; i--) {
        if (z->children[i].requester != at)
            continue;
        if (!z->children[i].ended)
            urd__os_kill(z->children[i].pid, SIGKILL);
        pay_and_drop(z, i);
    }
}

/* Is a child of this requester still in the table? */
static bool has_children(const struct zygote *z, int requester)
{
    for (int i = 0; i < z->children_used; i++) {
        if (z->children[i].requester == requester)
            return true;
    }
    return false;
}

/* An entry is free only when no child names it, or the child would get another parent. */
static int free_requester(struct zygote *z)
{
    for (int i = 1; i < REQUESTERS_MAX; i++) {
        if (i == z->requesters_used) {
            z->requesters_used++;
            return i;
        }
        if (z->requesters[i].fd < 0 && !has_children(z, i))
            return i;
    }
    return -EAGAIN;
}

static void open_door(struct zygote *z)
{
    urd__request request;
    int fd;
    while (urd__os_receive(z->door, &request, sizeof request, &fd) == sizeof request) {
        int at = request.what == URD__ENROL && fd >= 0 ? free_requester(z) : -EINVAL;
        if (at < 0)
            urd__os_close(fd); /* which is how it learns that it was refused */
        else
            z->requesters[at] = (struct requester){.fd = fd, .pid = request.pid};
    }
}

/* False: it is gone. */
static bool hear(struct zygote *z, int at)
{
    urd__request request;
    int none;
    while (z->children_used < CHILDREN_MAX) {
        int rc = urd__os_receive(z->requesters[at].fd, &request, sizeof request, &none);
        urd__os_close(none);
        if (rc == sizeof request && request.what == URD__START)
            start_child(z, at, &request);
        else if (rc == -EAGAIN)
            return true;
        else if (rc == 0)
            return false;
        else if (rc < 0 && rc != -EBADMSG) {
            z->retry = true;
            return true;
        }
    }
    return true;
}

static void bury(struct zygote *z, pid_t pid, int status)
{
    for (int i = 1; i < z->requesters_used; i++) {
        if (z->requesters[i].fd >= 0 && z->requesters[i].pid == pid)
            drop_requester(z, i); /* its connection may live on in a copy */
    }
    for (int i = 0; i < z->children_used; i++) {
        if (z->children[i].pid == pid && !z->children[i].ended) {
            z->children[i].ended = true;
            z->children[i].status = status;
            urd__peers_end(z->children[i].number); /* before anybody is told */
            pay_and_drop(z, i);
            return;
        }
    }
}

static void reap(struct zygote *z)
{
    urd__os_child_signal_clear(z->child_signal);
    for (;;) {
        int status;
        pid_t pid = urd__os_wait(-1, &status, true);
        if (pid < 0 && pid != -ECHILD)
            z->retry = true;
        if (pid <= 0)
            return;
        bury(z, pid, status);
    }
}

static void fill_ready(const struct zygote *z, urd__os_ready *ready)
{
    ready[AT_PROGRAM] = (urd__os_ready){.fd = z->program_pidfd};
    ready[AT_CHILDREN] = (urd__os_ready){.fd = z->child_signal};
    ready[AT_DOOR] = (urd__os_ready){.fd = z->door};
    bool full = z->children_used == CHILDREN_MAX; /* then requests wait in their connections */
    for (int i = 0; i < z->requesters_used; i++) {
        ready[AT_REQUESTERS + i] = (urd__os_ready){
            .fd = full && !z->requesters[i].owed ? -1 : z->requesters[i].fd,
            .want_write = z->requesters[i].owed,
        };
    }
}

/* One round.  False: the program has ended, or is done with us. */
static bool serve_round(struct zygote *z)
{
    static urd__os_ready ready[OS_READY_MAX];
    int requesters = z->requesters_used;
    fill_ready(z, ready);
    int64_t until = z->retry ? urd__os_now() + RETRY_NS : INT64_MAX;
    bool all = z->retry;
    z->retry = false;
    int rc = urd__os_wait_ready(ready, AT_REQUESTERS + requesters, until);
    if (rc < 0) {
        z->retry = true;
        return true;
    }
    if (ready[AT_PROGRAM].readable)
        return false;
    for (int i = 0; i < requesters; i++) {
        const urd__os_ready *r = &ready[AT_REQUESTERS + i];
        if (z->requesters[i].fd != r->fd || r->fd < 0)
            continue;
        if (r->writable)
            pay_all(z, i);
        if ((r->readable || all) && !hear(z, i)) {
            if (i == 0)
                return false;
            drop_requester(z, i);
        }
    }
    if (ready[AT_DOOR].readable || all)
        open_door(z);
    if (ready[AT_CHILDREN].readable || all)
        reap(z);
    return true;
}

static void serve(struct zygote *z)
{
    while (serve_round(z))
        ;
    for (int i = 0; i < z->children_used; i++) {
        if (!z->children[i].ended)
            urd__os_kill(z->children[i].pid, SIGKILL);
    }
    int status;
    while (urd__os_wait(-1, &status, false) != -ECHILD)
        ;
    urd__os_exit(0);
}
