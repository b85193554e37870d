/*
 * counter.c - many jobs add to one counter: wrong without a lock, and right in three ways.
 *
 * SPDX-License-Identifier: MIT
 *
 * To add is to read, to add and to write.  Between the read and the write another job may have
 * written, and its addition is lost.  The yield in the wrong version stands where that happens: it
 * makes certain what would strike only now and then.  Built with -fsanitize=thread, the wrong
 * version is reported as a data race on `counter`, and the others are not.
 *
 *     counter sem-trava | trava | atomico | canal
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <urd.h>

enum { JOBS = 8, TIMES = 1000 };

static long counter;
static urd_mutex counter_lock;
static atomic_long atomic_counter;
static urd_chan additions;

static int add_without_lock(void *unused)
{
    (void)unused;
    for (int i = 0; i < TIMES; i++) {
        long seen = counter;
        int rc = urd_yield();
        if (rc < 0)
            return rc;
        counter = seen + 1;
    }
    return 0;
}

static int add_with_lock(void *unused)
{
    (void)unused;
    for (int i = 0; i < TIMES; i++) {
        int rc = urd_mutex_lock(&counter_lock);
        if (rc < 0)
            return rc;
        counter++;
        urd_mutex_unlock(&counter_lock);
    }
    return 0;
}

static int add_to_atomic(void *unused)
{
    (void)unused;
    for (int i = 0; i < TIMES; i++)
        atomic_fetch_add(&atomic_counter, 1);
    return 0;
}

static int send_additions(void *unused)
{
    (void)unused;
    int rc = 0;
    for (int i = 0; i < TIMES && rc == 0; i++)
        rc = urd_chan_send(&additions, &(int){1});
    return rc;
}

static int run_jobs(urd_fn *fn)
{
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < JOBS; i++)
        urd_go(&s, fn, NULL);
    return urd_scope_join(&s);
}

/* The counter belongs to one task; the others tell it what to add. */
static int own_the_counter(void *unused)
{
    (void)unused;
    int addition, rc;
    while ((rc = urd_chan_recv(&additions, &addition)) == 0)
        counter += addition;
    return rc == -EPIPE ? 0 : rc;
}

static int run_with_owner(void)
{
    int slots[16];
    urd_chan_init(&additions, sizeof slots[0], slots, sizeof slots / sizeof slots[0]);
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, own_the_counter, NULL);
    int rc = run_jobs(send_additions);
    urd_chan_close(&additions);
    int owner_rc = urd_scope_join(&s);
    urd_chan_fini(&additions);
    return rc < 0 ? rc : owner_rc;
}

static int count(void *arg)
{
    const char *how = arg;
    int rc;
    if (strcmp(how, "sem-trava") == 0)
        rc = run_jobs(add_without_lock);
    else if (strcmp(how, "trava") == 0)
        rc = run_jobs(add_with_lock);
    else if (strcmp(how, "atomico") == 0)
        rc = run_jobs(add_to_atomic);
    else if (strcmp(how, "canal") == 0)
        rc = run_with_owner();
    else
        return -EINVAL;
    if (rc < 0)
        return rc;
    counter += atomic_load(&atomic_counter);
    if (counter == (long)JOBS * TIMES)
        printf("%s: certo, %ld somas\n", how, counter);
    else
        printf("%s: errado, somas perdidas\n", how);
    return 0;
}

int main(int argc, char **argv)
{
    int rc = argc == 2 ? urd_run(NULL, count, argv[1]) : -EINVAL;
    if (rc == -EINVAL)
        fprintf(stderr, "uso: counter sem-trava|trava|atomico|canal\n");
    else if (rc < 0)
        fprintf(stderr, "counter: %s\n", strerror(-rc));
    return rc < 0;
}
