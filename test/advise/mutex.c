/*
 * mutex.c - threads that all want one mutex, and do their work under it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static double sum;
static time_t end;

static void *worker(void *arg)
{
    (void)arg;
    while (time(NULL) < end) {
        pthread_mutex_lock(&lock);
        for (int i = 0; i < 400000; i++)
            sum += 1.0 / (i + 1);
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t threads[4];
    end = time(NULL) + (argc > 1 ? atoi(argv[1]) : 2);
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, worker, NULL);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    return sum < 0;
}
