/*
 * word.c - words that processes share: woken, changed, cancelled, and when a process ends.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/word.h"

#include <limits.h>
#include <signal.h>

#include "base/atomic.h"
#include "core/peer.h"
#include "forks.h"
#include "test.h"

static void run(urd_fn *fn)
{
    urd_config config = {.workers = 1};
    test_run_with(&config, fn, NULL);
}

static int wait_while_zero(const int *word)
{
    urd__task *self = urd__task_self();
    for (;;) {
        urd__word w = {.word = word, .deaths = urd__peers_deaths(), .on = word};
        if (urd__load_acq(word))
            return 0;
        int rc = urd__wait_enter(self);
        if (rc == 0)
            rc = urd__word_wait(self, &w, self->scope);
        if (rc)
            return rc;
    }
}

static int waits(void *word)
{
    return wait_while_zero(word);
}

static void set(int *word)
{
    urd__store_rel(word, 1);
    urd__word_wake(word, INT_MAX);
}

static int sets(void *word)
{
    set(word);
    return 0;
}

/* An answers b's question. */
typedef struct pair {
    int a, b;
} pair;

static int answers(void *arg)
{
    pair *p = arg;
    int rc = wait_while_zero(&p->a);
    set(&p->b);
    return rc;
}

static int by_kind(urd_kind kind)
{
    pair *p = urd_shared_alloc(sizeof *p);
    urd_scope s;
    urd_scope_open(&s);
    CHECK_EQ(urd_spawn(&s, URD_PROCESS, answers, p, 0), 0);
    CHECK_EQ(urd_spawn(&s, kind, waits, &p->b, 0), 0);
    set(&p->a);
    CHECK_EQ(urd_scope_join(&s), 0);
    urd_shared_free(p);
    return 0;
}

static int each_kind(void *arg)
{
    (void)arg;
    by_kind(URD_TASK);
    by_kind(URD_THREAD);
    by_kind(URD_PROCESS);
    return 0;
}

TEST(tasks_threads_and_processes_hear_of_a_process)
{
    run(each_kind);
}

static int ticks(void *count)
{
    for (int i = 0; i < 10; i++) {
        ++*(int *)count;
        CHECK_EQ(urd_yield(), 0);
    }
    return 0;
}

static int others_go_on(void *arg)
{
    (void)arg;
    int *word = urd_shared_alloc(sizeof *word), count = 0;
    urd_scope s, inner;
    urd_scope_open(&s);
    urd_go(&s, waits, word);
    urd_scope_open(&inner);
    urd_go(&inner, ticks, &count);
    CHECK_EQ(urd_scope_join(&inner), 0);
    CHECK_EQ(count, 10);
    set(word);
    CHECK_EQ(urd_scope_join(&s), 0);
    urd_shared_free(word);
    return 0;
}

TEST(a_task_that_waits_does_not_hold_its_worker)
{
    run(others_go_on);
}

static int more_words_than_the_kernel_takes(void *arg)
{
    (void)arg;
    enum { WORDS = 2 * OS_WORDS_MAX };
    int *words = urd_shared_alloc(WORDS * sizeof *words);
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < WORDS; i++) {
        urd_go(&s, waits, &words[i]);
        urd_go(&s, waits, &words[i]);
    }
    CHECK_EQ(urd_yield(), 0);
    for (int i = WORDS; i-- > 0;)
        set(&words[i]);
    CHECK_EQ(urd_scope_join(&s), 0);
    urd_shared_free(words);
    return 0;
}

TEST(many_tasks_wait_for_many_words)
{
    run(more_words_than_the_kernel_takes);
}

static int cancelled_in(void *arg)
{
    urd_kind kind = *(urd_kind *)arg;
    int *word = urd_shared_alloc(sizeof *word);
    urd_scope s;
    urd_scope_open(&s);
    CHECK_EQ(urd_spawn(&s, kind, waits, word, 0), 0);
    CHECK_EQ(urd_yield(), 0);
    urd_scope_cancel(&s, -EDOM);
    CHECK_EQ(urd_scope_join(&s), -EDOM);
    urd_shared_free(word);
    return 0;
}

TEST(a_cancel_ends_the_wait_of_each_kind)
{
    urd_config config = {.workers = 1};
    for (urd_kind kind = URD_TASK; kind <= URD_PROCESS; kind++)
        test_run_with(&config, cancelled_in, &kind);
}

static int deadline_passes(void *arg)
{
    (void)arg;
    int *word = urd_shared_alloc(sizeof *word);
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_deadline(&s, urd_now() + URD_SECOND);
    urd_go(&s, waits, word);
    CHECK_EQ(urd_scope_join(&s), -ETIMEDOUT);
    urd_shared_free(word);
    return 0;
}

TEST(with_a_virtual_clock_a_deadline_passes_at_once)
{
    urd_config config = {.workers = 1, .virtual_clock = true};
    test_run_with(&config, deadline_passes, NULL);
}

static int dies(void *unused)
{
    (void)unused;
    raise(SIGKILL);
    return 0;
}

/* For what nobody sets, until a process has ended. */
static int waits_for_a_death(void *arg)
{
    const int *word = arg;
    urd__task *self = urd__task_self();
    int deaths = urd__peers_deaths();
    urd__word w = {.word = word, .deaths = deaths, .on = word};
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_keep_going(&s);
    CHECK_EQ(urd_spawn(&s, URD_PROCESS, dies, NULL, 0), 0);
    while (urd__peers_deaths() == deaths)
        CHECK_EQ(urd__word_wait(self, &w, NULL), 0);
    CHECK_EQ(urd_scope_join(&s), -ECHILD);
    return 0;
}

static int in_task_and_thread(void *arg)
{
    (void)arg;
    int *word = urd_shared_alloc(sizeof *word);
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, waits_for_a_death, word);
    CHECK_EQ(urd_spawn(&s, URD_THREAD, waits_for_a_death, word, 0), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    urd_shared_free(word);
    return 0;
}

TEST(a_death_ends_all_waits)
{
    run(in_task_and_thread);
}

static int sets_late(void *arg)
{
    CHECK_EQ(urd_yield(), 0);
    return sets(arg);
}

static int compact(void *arg)
{
    (void)arg;
    int *word = urd_shared_alloc(sizeof *word);
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_compact(&s);
    for (int i = 0; i < 5; i++)
        urd_go(&s, waits, word);
    urd_go(&s, sets_late, word);
    CHECK_EQ(urd_scope_join(&s), 0);
    urd_shared_free(word);
    return 0;
}

TEST(compact_tasks_wait_too)
{
    run(compact);
}
