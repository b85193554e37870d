/*
 * job.c - make and free job descriptors.
 *
 * SPDX-License-Identifier: MIT
 *
 * A job is often made by one worker and freed by another.  So a cache that has too many hands some
 * of them to a common pool, and one that is empty asks there before it asks malloc.
 */
#include "core/job.h"

#include "base/lock.h"
#include "base/os.h"
#include "core/runtime.h"
#include "core/symbol.h"

enum { SLAB_JOBS = 63, MOVE = URD__JOBS_CACHED_MAX / 8 + 1 };

_Static_assert(sizeof(urd__job) <= 64, "a job is one cache line");

typedef struct slab {
    _Alignas(64) struct slab *next;
    _Alignas(64) urd__job jobs[SLAB_JOBS];
} slab;

static struct {
    int lock; /* guards what follows */
    urd__job *first;
    slab *slabs;
    long out; /* of caches that are closed, and of threads without one */
} pool;

/* Under pool.lock. */
static bool add_slab(void)
{
    slab *fresh = urd__os_alloc_aligned(64, sizeof *fresh);
    if (!fresh)
        return false;
    fresh->next = pool.slabs;
    pool.slabs = fresh;
    for (int i = 0; i < SLAB_JOBS; i++) {
        fresh->jobs[i].next = pool.first;
        pool.first = &fresh->jobs[i];
    }
    return true;
}

static bool refill(urd__job_cache *cache)
{
    urd__lock(&pool.lock);
    for (int i = 0; i < MOVE && (pool.first || (i == 0 && add_slab())); i++) {
        urd__job *job = pool.first;
        pool.first = job->next;
        job->next = cache->first;
        cache->first = job;
        cache->count++;
        cache->moved++;
    }
    urd__unlock(&pool.lock);
    return cache->first != NULL;
}

static void spill(urd__job_cache *cache, int keep)
{
    urd__lock(&pool.lock);
    while (cache->count > keep) {
        urd__job *job = cache->first;
        cache->first = job->next;
        cache->count--;
        cache->moved--;
        job->next = pool.first;
        pool.first = job;
    }
    urd__unlock(&pool.lock);
}

urd__job *urd__job_refill(urd__job_cache *cache)
{
    urd__job_cache borrowed = {0};
    urd__job_cache *from = cache ? cache : &borrowed;
    if (!refill(from))
        return NULL;
    urd__job *job = from->first;
    from->first = job->next;
    from->count--;
    if (!cache)
        urd__job_cache_close(&borrowed);
    return job;
}

void urd__job_spill(urd__job_cache *cache, urd__job *job)
{
    urd__job_cache borrowed = {0};
    urd__job_cache *to = cache ? cache : &borrowed;
    if (job->owns_arg)
        urd__os_free(job->arg);
    job->next = to->first;
    to->first = job;
    to->count++;
    if (!cache)
        urd__job_cache_close(&borrowed);
    else if (to->count > URD__JOBS_CACHED_MAX)
        spill(to, URD__JOBS_CACHED_MAX - MOVE);
}

void urd__job_cache_close(urd__job_cache *cache)
{
    spill(cache, 0);
    urd__lock(&pool.lock);
    pool.out += cache->moved; /* its count is 0 now */
    urd__unlock(&pool.lock);
    cache->moved = 0;
}

long urd__jobs_close(void)
{
    long out = pool.out;
    while (pool.slabs) {
        slab *next = pool.slabs->next;
        urd__os_free(pool.slabs);
        pool.slabs = next;
    }
    pool.first = NULL;
    pool.out = 0;
    return out;
}

static const char *given_name(const urd__job *job)
{
    if (job->handle && job->handle->name[0])
        return job->handle->name;
    return job->fn == urd__rt.first_fn ? urd__rt.first_name : NULL;
}

static const void *address_of(const urd__job *job)
{
    return __extension__(const void *) job->fn;
}

const char *urd__job_name(const urd__job *job)
{
    const char *name = given_name(job);
    if (!name)
        name = urd__symbol_at(address_of(job)).name;
    return name ? name : "job";
}

const char *urd__job_name_quick(const urd__job *job)
{
    const char *name = given_name(job);
    if (!name)
        name = urd__symbol_exported(address_of(job));
    return name ? name : "urd-job";
}
