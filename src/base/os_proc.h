/*
 * os_proc.h - the system calls behind processes: fork, wait, pidfd, sockets, shared memory.
 *
 * SPDX-License-Identifier: MIT
 *
 * As in os.h: 0 or a count, or a negative errno; every call may be made to fail by a test, but
 * those that give something back.  pidfd needs Linux 5.3; there is a -ENOSYS before, and under
 * valgrind.
 */
#ifndef URD_BASE_OS_PROC_H
#define URD_BASE_OS_PROC_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Memory that a fork shares instead of copying, at the same address; zeros, costs nothing until
 * touched. */
int urd__os_shared_map(void **out, size_t size);
int urd__os_shared_discard(void *p, size_t size); /* whole pages back to the kernel, for everyone */

/* The same as a file in memory, for processes that do not descend from each other: its descriptor,
 * closed on exec.  -EFBIG: beyond the limit of file sizes. */
int urd__os_shared_file(size_t size);

/* Map it at *at, or, unless it must be there and nowhere else, where there is room; *at says where.
 * 0, -EEXIST the place is taken, -ENOMEM. */
int urd__os_shared_file_map(int fd, void **at, size_t size, bool there);

/*
 * Fork.  quiet: the child has no exit signal, so neither SIGCHLD nor a plain wait() ever shows it;
 * for a program with one thread.  Runs no atfork handler.  -EINVAL where that is not to be had.
 * fork: as the C library does it.  Both: 0 in the child, else its pid.
 */
pid_t urd__os_fork_quiet(void);
pid_t urd__os_fork(void);
bool urd__os_single_threaded(void);
__attribute__((noreturn)) void urd__os_exit(int code); /* no atexit, no flush */
void urd__os_flush(void);                              /* all output of stdio */

pid_t urd__os_pid(void);
pid_t urd__os_parent_pid(void);
int urd__os_die_with_parent(void); /* SIGKILL for the caller as the thread that made it ends */
void urd__os_process_name(const char *name, char *old, size_t old_size); /* in ps; 16 bytes */

/* Reap one child, -1: any; quiet ones too.  Its pid, 0 if none has ended (no_wait), -ECHILD. */
pid_t urd__os_wait(pid_t pid, int *status, bool no_wait);

pid_t urd__os_reap(pid_t pid, int *status); /* its pid, 0: it has not ended, -ECHILD: not known */

/* Start a program, as the caller's child.  With no signal blocked, SIGPIPE not ignored, and no
 * descriptor but its three.  0; -ENOENT, -EACCES, -ENOEXEC, -ETXTBSY, -E2BIG, -EAGAIN, -ENOMEM. */
typedef struct urd__os_program {
    const char *const *argv; /* the first is looked for in PATH */
    const char *const *env;  /* NULL: the caller's */
    int directory;           /* a descriptor; -1: the caller's */
    int streams[3];          /* what are its 0, 1, 2; -1: the caller's, which may be none */
} urd__os_program;
int urd__os_spawn(const urd__os_program *program, pid_t *pid);

int urd__os_pipe(int out[2]);
int urd__os_open_null(void); /* for both directions */
int urd__os_open_directory(const char *path);

int urd__os_pidfd_open(pid_t pid);
bool urd__os_under_valgrind(void); /* which lacks some system calls, and complains at length */
int urd__os_pidfd_signal(int pidfd, int sig);
int urd__os_kill(pid_t pid, int sig);

/* Two ends of a connection that keeps message bounds and tells when the other end is gone. */
int urd__os_socket_pair(int out[2]);

/* Send one message, with the descriptor `pass` unless it is -1.  -EAGAIN if it would wait and must
 * not (no_wait), -EPIPE if nobody is there; never a SIGPIPE. */
int urd__os_send(int fd, const void *message, size_t size, int pass, bool no_wait);

/* Receive one message of exactly `size` bytes.  size; 0: the other end is gone; -EAGAIN: none is
 * there; -EBADMSG: another size.  *passed is a descriptor that came with it, or -1. */
int urd__os_receive(int fd, void *message, size_t size, int *passed);

/* Become a fresh image of this program, with the arguments it was started with, the environment as
 * it is now, and the descriptors that are not closed on exec.  Returns only if it fails, why. */
int urd__os_exec_self(void);
int urd__os_exec_keeps(int fd, bool keeps); /* is it open after an exec? */

int urd__os_duplicate(int fd);
void urd__os_shut_down(int fd); /* the other end hears that no more will be sent */

/* Wait until one of up to OS_READY_MAX descriptors is ready, or the time `until` (INT64_MAX: no
 * end).  0, or a negative errno; fills in ready.  fd -1 is skipped. */
typedef struct urd__os_ready {
    int fd;
    bool want_write; /* besides reading */
    bool readable;   /* or closed by the other end */
    bool writable;
} urd__os_ready;
enum { OS_READY_MAX = 1024 };
int urd__os_wait_ready(urd__os_ready *list, int n, int64_t until);

int urd__os_event_open(void);
void urd__os_event_set(int fd);
void urd__os_event_clear(int fd);

/* A descriptor that is readable when SIGCHLD is pending, which must be blocked. */
int urd__os_child_signal_open(void);
void urd__os_child_signal_clear(int fd);

void urd__os_close(int fd); /* -1: nothing */

/* Signals of the calling thread. */
void urd__os_signals_block(sigset_t *old);
void urd__os_signals_restore(const sigset_t *old);

/* Handlers of signals that come from outside go back to the default, as exec does it. */
void urd__os_signals_reset(void);

#endif
