/*
 * compute.c - one thread, or so many, that compute and do nothing else.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

enum { THREADS_MAX = 64 };

static uint64_t rounds;

static void *worker(void *arg)
{
    uint64_t *x = arg;
    for (uint64_t i = 0; i < rounds; i++)
        *x = *x * 6364136223846793005u + 1442695040888963407u;
    return NULL;
}

/* compute THREADS ROUNDS_IN_MILLIONS */
int main(int argc, char **argv)
{
    int n = argc > 1 ? atoi(argv[1]) : 1;
    n = n < THREADS_MAX ? n : THREADS_MAX;
    rounds = (argc > 2 ? strtoull(argv[2], NULL, 10) : 1000) * 1000000;
    pthread_t threads[THREADS_MAX];
    static uint64_t values[THREADS_MAX][8];
    for (int i = 1; i < n; i++)
        pthread_create(&threads[i], NULL, worker, values[i]);
    worker(values[0]);
    for (int i = 1; i < n; i++)
        pthread_join(threads[i], NULL);
    return values[0][0] == 1;
}
