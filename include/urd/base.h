/*
 * base.h - what all headers of urd.h need: attributes, places, and private parts of structures.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_BASE_H
#define URD_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#if defined(__GNUC__)
#define URD_VISIBLE_(word) _Pragma(word)
#else
#define URD_VISIBLE_(word)
#endif
#ifdef __cplusplus
#define URD_BEGIN_DECLS                                                                            \
    URD_VISIBLE_("GCC visibility push(default)") extern "C"                                        \
    {
#define URD_END_DECLS                                                                              \
    }                                                                                              \
    URD_VISIBLE_("GCC visibility pop")
#else
#define URD_BEGIN_DECLS URD_VISIBLE_("GCC visibility push(default)")
#define URD_END_DECLS URD_VISIBLE_("GCC visibility pop")
#endif

#if defined(__GNUC__)
#define URD_MUST_USE __attribute__((warn_unused_result))
#else
#define URD_MUST_USE
#endif

/* All-zero, for an initialiser. */
#ifdef __cplusplus
#define URD_ZERO_                                                                                  \
    {                                                                                              \
    }
#else
#define URD_ZERO_                                                                                  \
    {                                                                                              \
        0                                                                                          \
    }
#endif

/* The place of a call, "file.c:12": reports name the line on which a job was started. */
#define URD_HERE_(line) #line
#define URD_HERE_LINE(line) URD_HERE_(line)
#define URD_HERE __FILE__ ":" URD_HERE_LINE(__LINE__)

/* Private parts of the structures below. */
struct urd__job;
struct urd_scope;
struct urd_job;
struct urd__task;
struct urd__worker;
struct urd__arm_ops;
struct urd__timer_ops;
struct urd__link {
    struct urd__link *prev, *next;
};
struct urd__member {
    struct urd__link link;
    void (*cancel)(struct urd__member *, struct urd_scope *); /* NULL: the member is a scope */
};
struct urd__waiter {
    struct urd__link link;  /* under the object's lock */
    struct urd__task *task; /* these are set before it is enqueued */
    uint64_t word;
    void *value;  /* the object's business */
    int result;   /* written by who claimed it */
    bool claimed; /* the same */
};
struct urd__home {
    int word;         /* a spinning lock */
    unsigned uses;    /* under it: by who used it last, one after the other */
    uintptr_t worker; /* atomic, written under it: at home there; or 1 and who used it last */
};
struct urd__fd_wait {
    struct urd__waiter waiter; /* result: -ECANCELED if the descriptor was closed */
    struct urd__worker *at;    /* whose poller is to end it; NULL: a thread, which polls itself */
    int number;
    unsigned edges; /* of the descriptor, as they were before it was tried last */
    short events;
    bool armed;  /* of the backend: the kernel knows of this wait */
    bool inside; /* of an arm: counted among those inside the descriptor */
};
struct urd__timer {
    struct urd__link link;      /* under the wheel's lock */
    int64_t when;               /* under the wheel's lock */
    struct urd__timers *timers; /* atomic: the wheel it was last put into, or NULL */
    const struct urd__timer_ops *ops;
};

#endif
