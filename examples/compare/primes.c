/*
 * primes.c - count the primes below N in eight parts: jobs that only compute.
 *
 * SPDX-License-Identifier: MIT
 *
 *     urd compare examples/compare/primes.c [-- N]
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <urd_compare.h>

enum { PARTS = 8 };

const char *const urd_compare_title = "primes: trial division in eight parts";

static long below = 3000000;

int urd_compare_jobs(int argc, char **argv)
{
    if (argc > 0)
        below = strtol(argv[0], NULL, 10);
    return below >= 100 ? PARTS : -EINVAL;
}

static int is_prime(long n)
{
    if (n < 4)
        return n > 1;
    if (n % 2 == 0)
        return 0;
    for (long d = 3; d * d <= n; d += 2)
        if (n % d == 0)
            return 0;
    return 1;
}

/* Part i looks at i, i + PARTS, ...: equal work for each, as large numbers take longer.  Steps of
 * PARTS alone would give some parts the even numbers, so the parts take runs of 1000 in turn. */
int urd_compare_job(void *arg)
{
    struct urd_compare_job *job = arg;
    long found = 0;
    for (long run = job->index * 1000L; run < below; run += PARTS * 1000L)
        for (long n = run; n < run + 1000 && n < below; n++)
            found += is_prime(n);
    job->result = found;
    return 0;
}

/* The sieve of Eratosthenes knows how many there are. */
static long count_by_sieve(void)
{
    char *composite = calloc((size_t)below, 1);
    if (!composite)
        return -1;
    long count = 0;
    for (long n = 2; n < below; n++) {
        count += !composite[n];
        for (long m = n * n; !composite[n] && m < below; m += n)
            composite[m] = 1;
    }
    free(composite);
    return count;
}

int urd_compare_check(const struct urd_compare_job *jobs, int n)
{
    long sum = 0;
    for (int i = 0; i < n; i++)
        sum += jobs[i].result;
    long expected = count_by_sieve();
    if (sum != expected)
        fprintf(stderr, "%ld primes below %ld; the sieve finds %ld\n", sum, below, expected);
    return sum == expected ? 0 : -EDOM;
}
