/*
 * contention.c - threads that fight for one lock, and the way out.
 *
 * SPDX-License-Identifier: MIT
 *
 * The same million additions are done by one thread and by four.  Under one lock the four spend
 * their time waiting for each other, and are slower than the one.  The way out is to share less:
 * each thread adds in a place of its own, and hands its sum over once, at the end.
 */
#include <stdio.h>
#include <string.h>
#include <urd.h>

enum { ADDITIONS = 1000000, THREADS_MAX = 4 };

typedef struct account {
    urd_mutex lock;
    long sum; /* under lock */
} account;

typedef struct job {
    account *shared;
    int times;
    long own_sum; /* the result */
} job;

static int add_to_shared(void *arg)
{
    job *j = arg;
    for (int i = 0; i < j->times; i++) {
        int rc = urd_mutex_lock(&j->shared->lock);
        if (rc < 0)
            return rc;
        j->shared->sum += i & 1;
        urd_mutex_unlock(&j->shared->lock);
    }
    return 0;
}

/* The sum is kept in a local variable and handed over once, under the lock. */
static int add_alone(void *arg)
{
    job *j = arg;
    for (int i = 0; i < j->times; i++)
        j->own_sum += i & 1;
    int rc = urd_mutex_lock(&j->shared->lock);
    if (rc < 0)
        return rc;
    j->shared->sum += j->own_sum;
    urd_mutex_unlock(&j->shared->lock);
    return 0;
}

static int measure(const char *what, urd_fn *fn, int threads)
{
    account shared = {0};
    job jobs[THREADS_MAX] = {0};
    urd_time start = urd_now();
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < threads; i++) {
        jobs[i] = (job){.shared = &shared, .times = ADDITIONS / threads};
        urd_spawn(&s, URD_THREAD, fn, &jobs[i], 0);
    }
    int rc = urd_scope_join(&s);
    if (rc < 0)
        return rc;
    double milliseconds = (double)(urd_now() - start) / URD_MS;
    printf("%s, %d thread(s): soma %ld em %.1f ms\n", what, threads, shared.sum, milliseconds);
    return 0;
}

static int compare(void *unused)
{
    (void)unused;
    int rc = measure("Uma trava para cada soma", add_to_shared, 1);
    if (rc == 0)
        rc = measure("Uma trava para cada soma", add_to_shared, 4);
    if (rc == 0)
        rc = measure("Uma soma por thread", add_alone, 1);
    if (rc == 0)
        rc = measure("Uma soma por thread", add_alone, 4);
    return rc;
}

int main(void)
{
    int rc = urd_run(NULL, compare, NULL);
    if (rc < 0)
        fprintf(stderr, "contention: %s\n", strerror(-rc));
    return rc < 0;
}
