/*
 * wait.c - every schedule of a wait that is woken and cancelled at once: one winner.
 *
 * SPDX-License-Identifier: MIT
 *
 * Thread 0 waits on an object; others wake it and cancel its scope.  What must hold: exactly one of
 * them ends the wait and the result says which; a wake that came too late is not lost, but goes to
 * the next or stays with the object; nobody sleeps in a cancelled scope; nobody touches the node of
 * a wait that has returned.  Models of four threads are sampled.
 */
#include "model_core.h"

static struct object {
    int lock;
    urd__link waiters;
    int tokens; /* under lock: wakes that found nobody */
} object;

enum { SAMPLES = 10000 };

static int gave, got[EXPLORE_THREADS_MAX], cancelled[EXPLORE_THREADS_MAX];
static urd_scope inner;
static uint64_t begun; /* atomic: the word of a wait */

static void setup(void)
{
    core_setup();
    object = (struct object){0};
    gave = 0;
    begun = 0;
    memset(got, 0, sizeof got);
    memset(cancelled, 0, sizeof cancelled);
}

static int wait_for_token(urd__task *self)
{
    int rc = urd__wait_enter(self);
    if (rc)
        return rc;
    urd__lock(&object.lock);
    if (object.tokens > 0) {
        object.tokens--;
        urd__unlock(&object.lock);
        return 0;
    }
    urd__waiter waiter = {0};
    rc = urd__wait_on(self, &object.waiters, &object.lock, &waiter, URD__ON_NOTHING, NULL);
    explore_assert(rc == -ECANCELED || waiter.result == 7);
    leave(&waiter, sizeof waiter);
    return rc;
}

static void take_token(void)
{
    int self = explore_self();
    int rc = wait_for_token(&tasks[self]);
    explore_assert(rc == 0 || rc == -ECANCELED);
    explore_ghost_add(rc ? &cancelled[self] : &got[self], 1);
}

/* As take_token, but only for a time. */
static void take_token_in_time(void)
{
    urd__task *self = &tasks[0];
    urd__waiter waiter = {.task = self};
    urd__lock(&object.lock);
    waiter.word = urd__wait_begin(self, self->scope, URD__ON_NOTHING, NULL);
    urd__list_push_tail(&object.waiters, &waiter.link);
    urd__unlock(&object.lock);
    int rc = urd__wait_end_thread(self, waiter.word, 1);
    explore_assert(rc == 0 || rc == -ECANCELED || rc == -ETIMEDOUT);
    explore_assert(rc || waiter.result == 7);
    urd__lock(&object.lock);
    if (urd__list_linked(&waiter.link))
        urd__list_remove(&waiter.link);
    urd__unlock(&object.lock);
    leave(&waiter, sizeof waiter);
    explore_ghost_add(rc ? &cancelled[0] : &got[0], 1);
}

static void give_token(void)
{
    explore_ghost_add(&gave, 1);
    urd__lock(&object.lock);
    urd__waiter *waiter = urd__wait_pop(&object.waiters);
    if (waiter)
        waiter->result = 7;
    else
        object.tokens++;
    urd__task *task = waiter ? waiter->task : NULL;
    urd__unlock(&object.lock);
    if (task)
        urd__task_ready(task);
}

static void begin_and_end(void)
{
    urd__task *self = &tasks[0];
    urd__store_rel(&begun, urd__wait_begin(self, &scope, URD__ON_NOTHING, NULL));
    int rc = urd__wait_end(self);
    explore_ghost_add(rc ? &cancelled[0] : &got[0], 1);
}

/* The claimed wait goes on as another one, which no cancel ends. */
static void claim_and_let_go_on(void)
{
    uint64_t word = urd__load_acq(&begun);
    if (word == 0 || !urd__wait_claim(&tasks[0], word))
        return;
    word = urd__wait_begin(&tasks[0], NULL, URD__ON_NOTHING, NULL);
    bool won = urd__wait_claim(&tasks[0], word);
    explore_assert(won);
    explore_ghost_add(&gave, 1);
    urd__task_ready(&tasks[0]);
}

static void cancel_scope(void)
{
    urd_scope_cancel(&scope, -ECANCELED);
}

static void cancel_root(void)
{
    urd_scope_cancel(&urd__rt.root, -ECANCELED);
}

static void take_shielded(void)
{
    urd__scope_init(&inner, &scope, &tasks[0], "inner");
    urd_scope_shield(&inner);
    tasks[0].scope = &inner;
    explore_assert(wait_for_token(&tasks[0]) == 0);
    explore_ghost_add(&got[0], 1);
}

/* The first wait is in the scope that is cancelled, the second in a shielded one. */
static void take_then_take_shielded(void)
{
    take_token();
    take_shielded();
}

/* Two waits that are taken back; the second is in a scope that nobody cancels. */
static void begin_and_undo_twice(void)
{
    uint64_t word = urd__wait_begin(&tasks[0], &scope, URD__ON_NOTHING, NULL);
    if (!urd__wait_undo(&tasks[0], word))
        urd__task_park(&tasks[0]);
    word = urd__wait_begin(&tasks[0], &inner, URD__ON_NOTHING, NULL);
    explore_assert(urd__wait_undo(&tasks[0], word));
}

static void cancel_wait(void)
{
    urd__wait_cancel(&tasks[0], &scope);
}

/* Two waits, one after the other, in scopes of their own, which the canceller does not know. */
static void take_in_inner_scope(void)
{
    urd__scope_init(&inner, &scope, &tasks[0], "inner");
    tasks[0].scope = &inner;
    take_token();
    if (urd__load_acq(&inner.published))
        urd__scope_detach(&scope, &inner.member);
    tasks[0].scope = &scope;
    leave(&inner, sizeof inner);
}

static void every_token_is_somewhere(void)
{
    core_finish();
    int sum = object.tokens;
    for (int i = 0; i < EXPLORE_THREADS_MAX; i++)
        sum += got[i];
    explore_assert(sum == gave);
    explore_assert(urd__list_empty(&object.waiters));
}

const struct explore_model explore_models[] = {
    {.name = "a_wake_ends_the_wait",
     .setup = setup,
     .threads = {take_token, give_token},
     .thread_names = {"waiter", "waker"},
     .finish = every_token_is_somewhere},
    {.name = "a_cancel_ends_the_wait",
     .setup = setup,
     .threads = {take_token, cancel_scope},
     .thread_names = {"waiter", "canceller"},
     .finish = every_token_is_somewhere},
    {.name = "a_cancel_from_further_out_ends_the_wait",
     .setup = setup,
     .threads = {take_token, cancel_root},
     .thread_names = {"waiter", "canceller"},
     .finish = every_token_is_somewhere},
    {.name = "a_cancel_from_outside_reaches_a_scope_that_opens_and_closes",
     .setup = setup,
     .threads = {take_in_inner_scope, cancel_scope},
     .thread_names = {"waiter", "canceller"},
     .finish = every_token_is_somewhere},
    {.name = "of_wake_and_cancel_one_wins",
     .setup = setup,
     .threads = {take_token, give_token, cancel_scope},
     .thread_names = {"waiter", "waker", "canceller"},
     .finish = every_token_is_somewhere},
    {.name = "a_claimed_wait_that_goes_on_is_not_cancelled",
     .setup = setup,
     .threads = {begin_and_end, claim_and_let_go_on, cancel_scope},
     .thread_names = {"waiter", "waker", "canceller"},
     .stale_reads = 1,
     .finish = every_token_is_somewhere},
    {.name = "a_cancel_stays_out_of_a_shielded_scope",
     .setup = setup,
     .threads = {take_shielded, give_token, cancel_scope},
     .thread_names = {"waiter", "waker", "canceller"},
     .finish = every_token_is_somewhere},
    {.name = "a_cancel_ends_only_the_wait_it_saw",
     .setup = setup,
     .threads = {begin_and_undo_twice, cancel_wait},
     .thread_names = {"waiter", "canceller"},
     .finish = core_finish},
    {.name = "of_wake_cancel_and_time_one_wins",
     .setup = setup,
     .threads = {take_token_in_time, give_token, cancel_scope},
     .thread_names = {"waiter", "waker", "canceller"},
     .finish = every_token_is_somewhere},
    {.name = "a_late_cancel_does_not_end_a_later_wait",
     .setup = setup,
     .threads = {take_then_take_shielded, give_token, cancel_scope, give_token},
     .thread_names = {"waiter", "waker", "canceller", "waker"},
     .random = SAMPLES,
     .finish = every_token_is_somewhere},
    {.name = "of_two_waiters_a_cancelled_one_passes_its_wake_on",
     .setup = setup,
     .threads = {take_token, take_token, give_token, cancel_scope},
     .thread_names = {"owner", "other", "waker", "canceller"},
     .random = SAMPLES,
     .finish = every_token_is_somewhere},
    {.name = NULL},
};
