/*
 * zygote.h - the helper process from which process jobs are forked.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_PROC_ZYGOTE_H
#define URD_PROC_ZYGOTE_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* From a requester (the program, or a process job) to the zygote. */
typedef struct urd__request {
    enum { URD__START, URD__ENROL } what;
    pid_t pid;    /* ENROL: of the new requester, whose connection comes along */
    uint64_t id;  /* START: what replies name it by */
    void *record; /* START: in the shared heap, given to `child` */
} urd__request;

/* Back: one STARTED and later one ENDED, or one REFUSED, for each START. */
typedef struct urd__reply {
    enum { URD__STARTED, URD__ENDED, URD__REFUSED } what;
    int value; /* pid, and its pidfd comes along; wait status; -errno */
    uint64_t id;
} urd__reply;

/* What it is to do with its forks. */
typedef struct urd__zygote_work {
    /* In a new process: run the record of the request; must not return.  All signals are blocked,
     * `mask` is what to restore. */
    void (*child)(void *record, const sigset_t *mask);
    /* In the zygote, before the first fork, or NULL: what is done once here (symbols bound by the
     * dynamic linker, above all) need not be done in each process. */
    void (*rehearse)(void);
} urd__zygote_work;

/*
 * Make the zygote; after the shared heap, before the runtime's first thread.  0, -EAGAIN, -ENOMEM,
 * -EMFILE.
 */
int urd__zygote_start(const urd__zygote_work *work);

/* End it, with the processes it still has, and wait for that. */
void urd__zygote_stop(void);

/*
 * A connection for requests, the caller's to close: in the program that of urd__zygote_start, in a
 * process job a new one.  -ECHILD: there is no zygote.
 */
int urd__zygote_connect(void);

/*
 * In the program, when the connection has told that the zygote is gone: wait until all are that it
 * has forked, which the kernel kills, or the time `until`.  True: they are.
 */
bool urd__zygote_wait_end(int64_t until);

/* In a process job: it starts no processes. */
void urd__zygote_leave(void);

/* What a process job has to take along when it becomes a fresh image: the descriptor by which it
 * reaches the zygote, which it is given there; and one that is to stay open until it ends. */
int urd__zygote_door(void);
int urd__zygote_lifeline(void);
void urd__zygote_join(int door);

#endif
