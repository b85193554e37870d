/*
 * job.c - descriptors of jobs: made, freed elsewhere, counted and named.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/job.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/os.h"
#include "core/runtime.h"
#include "core/symbol.h"
#include "test.h"

enum { MANY = 3000, ROUNDS = 20 };

static urd__job *jobs[MANY];

TEST(a_new_job_is_zeros_on_a_cache_line_of_its_own)
{
    urd__job_cache cache = {0};
    static const urd__job zeros;
    for (int i = 0; i < 200; i++) {
        jobs[i] = urd__job_new(&cache);
        CHECK(jobs[i]);
        CHECK_EQ((uintptr_t)jobs[i] % 64, 0);
        CHECK_EQ(memcmp(jobs[i], &zeros, sizeof zeros), 0);
        memset(jobs[i], 0x5a, sizeof *jobs[i]);
        jobs[i]->owns_arg = 0;
    }
    urd__job_free(&cache, jobs[7]);
    CHECK_PTR(urd__job_new(&cache), jobs[7]); /* the last one freed is still in the cache */
    CHECK_EQ(memcmp(jobs[7], &zeros, sizeof zeros), 0);
    for (int i = 0; i < 200; i++)
        urd__job_free(&cache, jobs[i]);
    urd__job_cache_close(&cache);
    CHECK_EQ(urd__jobs_close(), 0);
}

static int by_address(const void *a, const void *b)
{
    uintptr_t x = (uintptr_t) * (urd__job *const *)a, y = (uintptr_t) * (urd__job *const *)b;
    return (x > y) - (x < y);
}

TEST(no_job_is_given_out_twice)
{
    urd__job_cache cache = {0};
    for (int i = 0; i < MANY; i++)
        jobs[i] = urd__job_new(i % 2 ? &cache : NULL);
    qsort(jobs, MANY, sizeof *jobs, by_address);
    for (int i = 1; i < MANY; i++)
        CHECK_GE((char *)jobs[i] - (char *)jobs[i - 1], (long)sizeof(urd__job));
    for (int i = 0; i < MANY; i++)
        urd__job_free(i % 3 ? &cache : NULL, jobs[i]);
    urd__job_cache_close(&cache);
    CHECK_EQ(urd__jobs_close(), 0);
}

TEST(jobs_made_here_and_freed_there_come_round)
{
    urd__job_cache maker = {0}, freer = {0};
    urd__job *low = NULL, *high = NULL;
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < MANY; i++) {
            jobs[i] = urd__job_new(&maker);
            low = !low || jobs[i] < low ? jobs[i] : low;
            high = jobs[i] > high ? jobs[i] : high;
        }
        for (int i = 0; i < MANY; i++)
            urd__job_free(&freer, jobs[i]);
        CHECK_LE(freer.count,
                 URD__JOBS_CACHED_MAX); /* what it has too many of goes to the common pool */
    }
    CHECK_EQ(urd__job_cache_out(&maker), ROUNDS * MANY);
    CHECK_EQ(urd__job_cache_out(&freer), -ROUNDS * MANY);
    urd__job_cache_close(&maker);
    urd__job_cache_close(&freer);
    CHECK_EQ(urd__jobs_close(), 0);
}

TEST(closing_counts_what_was_not_freed)
{
    urd__job_cache cache = {0};
    urd__job *a = urd__job_new(&cache), *b = urd__job_new(NULL), *c = urd__job_new(&cache);
    CHECK(a && b && c);
    urd__job_free(NULL, c);
    urd__job_cache_close(&cache);
    CHECK_EQ(urd__jobs_close(), 2);
    CHECK_EQ(urd__jobs_close(), 0);
}

TEST(after_closing_jobs_are_made_anew)
{
    for (int round = 0; round < 3; round++) {
        urd__job_cache cache = {0};
        urd__job *job = urd__job_new(&cache);
        CHECK(job);
        urd__job_free(&cache, job);
        urd__job_cache_close(&cache);
        CHECK_EQ(cache.count, 0);
        CHECK_PTR(cache.first, NULL);
        CHECK_EQ(urd__jobs_close(), 0);
    }
}

TEST(an_owned_argument_goes_with_the_job)
{
    /* That it is freed is seen by LeakSanitizer and Valgrind; that another is not, by this. */
    int kept = 5;
    urd__job *owner = urd__job_new(NULL), *other = urd__job_new(NULL);
    owner->arg = urd__os_alloc(100);
    owner->owns_arg = 1;
    other->arg = &kept;
    urd__job_free(NULL, owner);
    urd__job_free(NULL, other);
    CHECK_EQ(kept, 5);
    CHECK_EQ(urd__jobs_close(), 0);
}

static void *churn(void *arg)
{
    (void)arg;
    urd__job_cache cache = {0};
    for (int i = 0; i < 20000; i++) {
        urd__job *mine = urd__job_new(&cache), *borrowed = urd__job_new(NULL);
        CHECK(mine && borrowed && mine != borrowed);
        mine->result = borrowed->result = i;
        urd__job_free(NULL, mine);
        urd__job_free(&cache, borrowed);
    }
    urd__job_cache_close(&cache);
    return NULL;
}

TEST(threads_share_the_pool)
{
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, churn, NULL), 0);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    CHECK_EQ(urd__jobs_close(), 0);
}

static int local(void *arg)
{
    (void)arg;
    return 0;
}

TEST(a_job_is_called_as_its_handle_else_its_symbol_else_job)
{
    urd_job handle = {.name = "weaver"};
    urd__job job = {.fn = (urd_fn *)chroot, .handle = &handle};
    CHECK_STR(urd__job_name(&job), "weaver");
    handle.name[0] = '\0';
    CHECK_STR(urd__job_name(&job), "chroot");
    job.handle = NULL;
    CHECK_STR(urd__job_name(&job), "chroot");
    job.fn = NULL;
    CHECK_STR(urd__job_name(&job), "job");
    urd__symbols_close();
}

TEST(the_first_job_is_called_as_it_was_named)
{
    urd__rt.first_name = "first";
    urd__rt.first_fn = local;
    urd__job job = {.fn = local};
    CHECK_STR(urd__job_name(&job), "first");
    job.fn = (urd_fn *)chroot;
    CHECK_STR(urd__job_name(&job), "chroot");
    urd__symbols_close();
}
