/*
 * job.h - the descriptor of a job: what to call, for whom, and what came of it.
 *
 * SPDX-License-Identifier: MIT
 *
 * 64 bytes, from a cache a worker, so that starting a job is a few stores and a push.  Who starts
 * the job makes it; it ends in urd__job_done(), or with the scope's join if the job failed.
 */
#ifndef URD_CORE_JOB_H
#define URD_CORE_JOB_H

#include <stddef.h>
#include <stdint.h>

#include "urd.h"

/* Beside the public kinds: a job on its forker's stack, which no scope counts, see fork.h; and a
 * task that a periodic timer has started. */
enum { URD__KIND_FORK = 3, URD__KIND_LATER = 4 };

typedef struct urd__job {
    struct urd__job *next; /* in a cache; among the scope's failed, under its lock; while it runs:
                              the job of the same task around it */
    urd_fn *fn;            /* these are set by who starts it */
    void *arg;
    urd_scope *scope;  /* that waits for it */
    const char *where; /* it was started */
    urd_job *handle;   /* or NULL */
    union {
        const char
            *detail; /* of a process: how it ended; NULL: it returned; set before it is done */
        struct urd_timer *timer;    /* of the kind `later` */
        void (*refused)(void *arg); /* of a task: see go.h */
    };
    int result; /* set before it is done */
    union {
        struct {
            uint8_t kind;     /* urd_kind, or one of the above */
            uint8_t owns_arg; /* arg was allocated with the job and goes with it */
            uint8_t compact;  /* it becomes a compact task; of a fork: means nothing */
            uint8_t held;     /* it has a handle */
        };
        uint32_t odd; /* 0: a task, and nothing of that is to be minded */
    };
} urd__job;

/* Of no worker in particular: what workers had too many of, and jobs of other threads. */
typedef struct urd__job_cache {
    urd__job *first;
    int count;
    long moved; /* here from the common pool, less moved back there */
} urd__job_cache;

/* Taken less given back; over all caches the sum is the jobs that exist. */
static inline long urd__job_cache_out(const urd__job_cache *cache)
{
    return cache->moved - cache->count;
}

/* The rare halves of new and free: the cache is empty, too full, or none. */
urd__job *urd__job_refill(urd__job_cache *cache);
void urd__job_spill(urd__job_cache *cache, urd__job *job);

#ifdef URD_HOSTILE
enum { URD__JOBS_CACHED_MAX = 4 };
#else
enum { URD__JOBS_CACHED_MAX = 2048 };
#endif

/* From a cache that is not empty; not cleared. */
static inline urd__job *urd__job_take(urd__job_cache *cache)
{
    urd__job *job = cache->first;
    cache->first = job->next;
    cache->count--;
    return job;
}

/* cache NULL: a thread without one.  NULL: no memory. */
static inline urd__job *urd__job_new(urd__job_cache *cache)
{
    urd__job *job = cache && cache->first ? urd__job_take(cache) : urd__job_refill(cache);
    if (job)
        *job = (urd__job){0};
    return job;
}

/* Its arg too, where owned. */
static inline void urd__job_free(urd__job_cache *cache, urd__job *job)
{
    if (__builtin_expect(!cache || job->owns_arg || cache->count >= URD__JOBS_CACHED_MAX, 0)) {
        urd__job_spill(cache, job);
        return;
    }
    job->next = cache->first;
    cache->first = job;
    cache->count++;
}

/* A worker's cache goes back to all; then, after all: the memory.  Returns the jobs not freed. */
void urd__job_cache_close(urd__job_cache *cache);
long urd__jobs_close(void);

/* The name to report: the handle's, else the symbol of its function, else "job". */
const char *urd__job_name(const urd__job *job);

/* The same from what is at hand, without reading debug information. */
const char *urd__job_name_quick(const urd__job *job);

#endif
