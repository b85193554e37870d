/*
 * idle_pool.c - threads that wait on a condition for work that does not come.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

enum { THREADS = 16 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t work = PTHREAD_COND_INITIALIZER;
static int jobs;

static void *worker(void *arg)
{
    pthread_mutex_lock(&lock);
    for (;;) {
        while (jobs == 0)
            pthread_cond_wait(&work, &lock);
        jobs--;
    }
    return arg;
}

/* idle_pool SECONDS: and then a signal ends it */
int main(int argc, char **argv)
{
    pthread_t threads[THREADS];
    alarm(argc > 1 ? (unsigned)atoi(argv[1]) : 2);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, worker, NULL);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    return 0;
}
