/*
 * counter_locked.c - jobs that all add to one counter behind one lock.
 *
 * SPDX-License-Identifier: MIT
 *
 *     urd compare examples/compare/counter_locked.c [-- ADDITIONS [JOBS]]
 *
 * The case in which threads get slower as they are added: as tasks and threads the jobs share the
 * counter and stand in line for it.  A process has memory of its own, so there each job counts on
 * its own counter with its own lock, and the results are added at the end: that is the way out, and
 * threads can take it too.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <urd_compare.h>

const char *const urd_compare_title = "counter: all jobs add to one counter behind one lock";

static long additions = 1000000; /* of each job */
static urd_mutex lock;
static long counter;
static pid_t first_process;

int urd_compare_jobs(int argc, char **argv)
{
    long jobs = 4;
    if (argc > 0)
        additions = strtol(argv[0], NULL, 10);
    if (argc > 1)
        jobs = strtol(argv[1], NULL, 10);
    first_process = getpid();
    return additions > 0 && jobs > 0 && jobs <= 1000 ? (int)jobs : -EINVAL;
}

int urd_compare_job(void *arg)
{
    struct urd_compare_job *job = arg;
    for (long i = 0; i < additions; i++) {
        int rc = urd_mutex_lock(&lock);
        if (rc < 0)
            return rc;
        counter++;
        urd_mutex_unlock(&lock);
    }
    /* In a process of its own the counter was this job's alone. */
    job->result = getpid() == first_process ? 0 : counter;
    return 0;
}

int urd_compare_check(const struct urd_compare_job *jobs, int n)
{
    long sum = counter;
    for (int i = 0; i < n; i++)
        sum += jobs[i].result;
    if (sum != additions * n)
        fprintf(stderr, "counted %ld of %ld\n", sum, additions * n);
    return sum == additions * n ? 0 : -EDOM;
}
