/*
 * model_futex.h - futexes of which a thread can wait for several at once, and those of processes.
 *
 * SPDX-License-Identifier: MIT
 *
 * As the kernel does it: under a lock the words are compared and the thread queued for all of them;
 * a wake takes the first that came for its word out of all its queues.  Include it after
 * model_core.h.
 */
#ifndef MODEL_FUTEX_H
#define MODEL_FUTEX_H

enum { MODEL_WORDS = 4 };

static struct sleeper {
    const int *words[MODEL_WORDS];
    int n;      /* 0: it does not sleep */
    long since; /* the first to come is the first to be woken */
    int woken;  /* atomic, futex */
} sleepers[EXPLORE_THREADS_MAX];
static int kernel; /* a lock */
static long naps;
static const int *watched; /* a word, or NULL; and how many sleep on it, atomic */
static int watchers;

static void futex_setup(void)
{
    memset(sleepers, 0, sizeof sleepers);
    kernel = watchers = 0;
    naps = 0;
    watched = NULL;
}

static int sleeps_on(const struct sleeper *s, const int *word)
{
    for (int i = 0; i < s->n; i++)
        if (s->words[i] == word)
            return 1;
    return 0;
}

static void wait_any(const int *const *words, const int *values, int n)
{
    struct sleeper *self = &sleepers[explore_self()];
    bool same = true;
    explore_lock(&kernel);
    for (int i = 0; i < n; i++)
        same = same && urd__load_acq(words[i]) == values[i];
    if (same) {
        memcpy(self->words, words, (size_t)n * sizeof *words);
        self->n = n;
        self->since = naps++;
        urd__add_ar(&watchers, sleeps_on(self, watched));
        urd__store_rlx(&self->woken, 0);
    }
    explore_unlock(&kernel);
    while (same && !urd__load_acq(&self->woken))
        explore_futex_wait(&self->woken, 0);
}

static struct sleeper *first_for(const int *word)
{
    struct sleeper *first = NULL;
    for (struct sleeper *s = sleepers; s < sleepers + EXPLORE_THREADS_MAX; s++)
        if (sleeps_on(s, word) && (!first || s->since < first->since))
            first = s;
    return first;
}

static void wake_any(const int *word, int count)
{
    explore_lock(&kernel);
    for (struct sleeper *s; count > 0 && (s = first_for(word)) != NULL; count--) {
        urd__sub_ar(&watchers, sleeps_on(s, watched));
        s->n = 0;
        urd__store_rel(&s->woken, 1);
        explore_futex_wake(&s->woken, 1);
    }
    explore_unlock(&kernel);
}

void urd__os_futex_wake_shared(const int *word, int count)
{
    wake_any(word, count);
}

/* ---- Left out ------------------------------------------------------------------------------ */

int urd__os_shared_map(void **out, size_t size)
{
    (void)out;
    (void)size;
    return -ENOMEM;
}

void urd__os_unmap(void *p, size_t size)
{
    (void)p;
    (void)size;
}

#endif
