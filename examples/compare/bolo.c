/*
 * bolo.c - two cakes in the oven: jobs that only wait.
 *
 * SPDX-License-Identifier: MIT
 *
 *     urd compare examples/compare/bolo.c [-- SECONDS]
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <urd_compare.h>

const char *const urd_compare_title = "bolo: two cakes in the oven";

static urd_time baking_duration = URD_SECOND;

int urd_compare_jobs(int argc, char **argv)
{
    if (argc > 0) {
        double seconds = strtod(argv[0], NULL);
        if (seconds <= 0)
            return -EINVAL;
        baking_duration = (urd_time)(seconds * (double)URD_SECOND);
    }
    return 2;
}

int urd_compare_job(void *arg)
{
    struct urd_compare_job *job = arg;
    static const char *const cakes[] = {"chocolate", "cenoura"};
    snprintf(job->label, sizeof job->label, "%s", cakes[job->index]);
    printf("Fazendo bolo %s...\n", job->label);
    urd_time begun = urd_now();
    int rc = urd_sleep(baking_duration);
    job->result = urd_now() - begun;
    printf("Bolo %s feito!\n", job->label);
    return rc;
}

/* No cake may come out early. */
int urd_compare_check(const struct urd_compare_job *jobs, int n)
{
    for (int i = 0; i < n; i++)
        if (jobs[i].result < baking_duration)
            return -EDOM;
    return 0;
}
