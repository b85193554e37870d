/*
 * word.c - every schedule of tasks that wait for a word, their listener, and who changes the word.
 *
 * SPDX-License-Identifier: MIT
 */
#define MODEL_SHARED
#include "model_core.h"
#include "model_futex.h"

#include "core/peer.c"
#include "core/word.h"

static int run_listener(void);
int urd__thread_run(void (*run)(urd__task *self, void *arg), void *arg)
{
    (void)run;
    (void)arg;
    return run_listener();
}

void urd__os_thread_name(const char *name)
{
    (void)name;
}

urd_time urd_now(void)
{
    return 0;
}

int urd__wait_end_until(urd__task *self, uint64_t word, int64_t when)
{
    (void)word;
    (void)when;
    return urd__wait_end(self);
}

int urd__os_futex_wait_any(const urd__os_word *list, int n, int64_t until)
{
    const int *words[MODEL_WORDS];
    int values[MODEL_WORDS];
    (void)until;
    for (int i = 0; i < n; i++) {
        words[i] = list[i].word;
        values[i] = list[i].value;
    }
    wait_any(words, values, n);
    return 0;
}

#define urd__os_futex_wake wake_any
#include "core/word.c"
#undef urd__os_futex_wake

enum { SAMPLES = 2000 };

static urd__peers peers;
static urd__worker worker;
static int word, other; /* atomic, futexes */
static int back;        /* atomic: waiters that are */
static int waiters, started, cancelled;

static void setup(void)
{
    core_setup();
    futex_setup();
    memset(&ears, 0, sizeof ears);
    memset(&peers, 0, sizeof peers);
    urd__place_own.peers = &peers;
    for (int i = 0; i < EXPLORE_THREADS_MAX; i++) {
        tasks[i].worker = &worker;
        tasks[i].scope = NULL;
    }
    word = other = back = started = cancelled = 0;
    waiters = 1;
}

static void setup_two(void)
{
    setup();
    waiters = 2;
}

static void setup_cancelled(void)
{
    setup();
    tasks[0].scope = &scope;
    watched = &word;
}

/* The model's thread that listens does so from the start. */
static int run_listener(void)
{
    explore_ghost_add(&started, 1);
    return 0;
}

static void listener(void)
{
    listen_for_tasks(NULL, NULL);
}

/* The last to come back ends the listener. */
static void come_back(void)
{
    if (urd__add_ar(&back, 1) + 1 == waiters)
        urd__word_close();
}

static int wait_while_zero(const int *at)
{
    urd__task *self = urd__task_thread_self();
    for (;;) {
        urd__word w = {.word = at, .value = 0, .deaths = urd__peers_deaths(), .on = at};
        if (urd__load_acq(at))
            return 0;
        int rc = urd__wait_enter(self);
        if (rc == 0)
            rc = urd__word_wait(self, &w, self->scope);
        if (rc)
            return rc;
    }
}

static void waits(void)
{
    int rc = wait_while_zero(&word);
    explore_assert(rc == 0 || rc == -ECANCELED);
    explore_ghost_add(&cancelled, rc != 0);
    come_back();
}

/* The listener is not ended before it has been woken for nothing. */
static void waits_in_vain(void)
{
    int rc = wait_while_zero(&word);
    explore_assert(rc == 0 || rc == -ECANCELED);
    while (!urd__load_acq(&word))
        explore_yield();
    come_back();
}

static void waits_for_the_other(void)
{
    explore_assert(wait_while_zero(&other) == 0);
    come_back();
}

static void sets(void)
{
    urd__store_rel(&word, 1);
    urd__word_wake(&word, 1);
}

static void sets_both(void)
{
    sets();
    urd__store_rel(&other, 1);
    urd__word_wake(&other, 1);
}

/* For a death, whatever the word is. */
static void waits_for_a_death(void)
{
    urd__task *self = urd__task_thread_self();
    urd__word w = {.word = &word, .value = 0, .deaths = 0, .on = &word};
    while (urd__peers_deaths() == 0)
        explore_assert(urd__word_wait(self, &w, NULL) == 0);
    come_back();
}

static void dies(void)
{
    urd__peers_end(1);
}

/* While the listener sleeps on the word for a task that is not there any more. */
static void cancels_and_sets(void)
{
    while (urd__load_acq(&watchers) < 2)
        explore_yield();
    urd_scope_cancel(&scope, -ECANCELED);
    sets();
}

/* A thread of another process: it sleeps in the kernel, behind the listener. */
static void another_process(void)
{
    const int *words[] = {&word};
    const int values[] = {0};
    while (urd__load_acq(&watchers) < 1)
        explore_yield();
    while (!urd__load_acq(&word))
        wait_any(words, values, 1);
}

static void all_are_back(void)
{
    core_finish();
    explore_assert(back == waiters && !ears.runs && urd__list_empty(&ears.waits));
}

const struct explore_model explore_models[] = {
    {.name = "a_task_hears_of_its_word",
     .setup = setup,
     .threads = {waits, sets, listener},
     .stale_reads = 1,
     .random = SAMPLES,
     .finish = all_are_back},
    {.name = "two_tasks_hear_of_two_words",
     .setup = setup_two,
     .threads = {waits, waits_for_the_other, sets_both, listener},
     .stale_reads = 1,
     .random = SAMPLES,
     .finish = all_are_back},
    {.name = "a_death_wakes_all",
     .setup = setup_two,
     .threads = {waits_for_a_death, waits_for_a_death, dies, listener},
     .stale_reads = 1,
     .random = SAMPLES,
     .finish = all_are_back},
    {.name = "a_wake_that_no_task_needs_goes_to_another_process",
     .setup = setup_cancelled,
     .threads = {waits_in_vain, cancels_and_sets, listener, another_process},
     .stale_reads = 1,
     .random = SAMPLES,
     .finish = all_are_back},
    {.name = NULL},
};
