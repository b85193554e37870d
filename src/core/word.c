/*
 * word.c - wait for a word that processes share: threads in the kernel, tasks by a listener.
 *
 * SPDX-License-Identifier: MIT
 *
 * A thread sleeps on the word, the count of deaths and its own futex at once (futex_waitv(2)).  For
 * tasks one thread of the process, the listener, does the same for all words that tasks wait for:
 *
 *     task:  T1 lock, entry into the list         listener:  L1 lock, k = kick, which words?
 *            T2 kick + 1, unlock                             L2 those that changed: claim, ready
 *            T3 wake the listener                            L3 unlock
 *            T4 sleep                                        L4 sleep while kick == k and no word
 *                                                               of L1 changes
 *
 * Under one lock: if T1 is before L1 the word is among those of L4; otherwise T2 makes kick another
 * before L4 compares it, or T3 comes after L4 sleeps.  A word that changed before L4 is compared by
 * the kernel as it goes to sleep.
 *
 * A wake that is meant for one waiter may reach the listener for a word that no task waits for any
 * more (the task was cancelled after L1).  It is then given to another, once the listener sleeps on
 * that word no longer: a wake too many does no harm.
 *
 * Without futex_waitv (before Linux 5.16; in emulators), and for more words than that takes, the
 * waiter looks every millisecond.
 *
 * Rejected: a helper thread for each wait (64 of them wait, and the next does not hear its wake); a
 * shared wait queue, from which the waker could tell the process which task to wake (a process may
 * be killed while it changes the queue).
 * Checked: test/model/word.c.
 */
#include "core/word.h"

#include "base/atomic.h"
#include "base/list.h"
#include "base/lock.h"
#include "base/os.h"
#include "core/peer.h"
#include "core/runtime.h"
#include "core/thread.h"

enum { AT_KICK, AT_DEATHS, AT_WORDS };

#ifdef URD_MODEL
enum { WORDS_MAX = 4 };
#else
enum { WORDS_MAX = OS_WORDS_MAX };
#endif

/* On the waiter's stack. */
typedef struct entry {
    urd__waiter waiter;
    urd__word w;
} entry;

static struct {
    int lock;        /* guards what follows, but that kick is read without it, too */
    urd__link waits; /* of entry.waiter.link */
    int kick;        /* atomic, futex: the list has changed */
    bool runs;       /* there is a listener */
    bool closing;
} ears;

/* What the listener sleeps on. */
typedef struct ear {
    urd__os_word words[WORDS_MAX];
    bool served[WORDS_MAX]; /* by now there is somebody for it, or there was */
    int n;
    bool too_many; /* words: more than fit */
} ear;

static bool is_over(const urd__word *w, int deaths)
{
    return urd__load_acq(w->word) != w->value || deaths != w->deaths;
}

/* ---- The listener ---------------------------------------------------------------------------- */

static int find(const ear *e, const int *word)
{
    for (int i = AT_WORDS; i < e->n; i++)
        if (e->words[i].word == word)
            return i;
    return -1;
}

static void serve(ear *e, const int *word)
{
    int at = find(e, word);
    if (at >= 0)
        e->served[at] = true;
}

static void add(ear *e, const urd__word *w)
{
    if (find(e, w->word) >= 0)
        return;
    if (e->n == WORDS_MAX)
        e->too_many = true;
    else
        e->words[e->n++] = (urd__os_word){.word = w->word, .value = w->value, .shared = true};
}

/* L1, L2.  False: the listener is to end. */
static bool gather(ear *last, ear *next, urd__link *woken)
{
    next->n = AT_WORDS;
    next->too_many = false;
    int deaths = urd__peers_deaths(); /* one for all: what they did not see, L4 is to compare */
    urd__lock(&ears.lock);            /* L1 */
    for (urd__link *link = urd__list_first(&ears.waits), *after; link; link = after) {
        entry *wait = urd__container(link, entry, waiter.link);
        after = link->next == &ears.waits ? NULL : link->next;
        if (!is_over(&wait->w, deaths)) {
            serve(last, wait->w.word);
            add(next, &wait->w);
            continue;
        }
        urd__list_remove(link); /* L2 */
        if (urd__wait_claim(wait->waiter.task, wait->waiter.word)) {
            serve(last, wait->w.word);
            urd__list_push_tail(woken, link);
        }
    }
    int kick = urd__load_rlx(&ears.kick); /* under the lock */
    next->words[AT_KICK] = (urd__os_word){.word = &ears.kick, .value = kick};
    next->words[AT_DEATHS] =
        (urd__os_word){.word = &urd__place_own.peers->deaths, .value = deaths, .shared = true};
    bool goes_on = !ears.closing || urd__list_first(&ears.waits);
    ears.runs = goes_on;
    urd__unlock(&ears.lock); /* L3 */
    return goes_on;
}

/* For those words it may have swallowed a wake. */
static void pass_on(const ear *last)
{
    for (int i = AT_WORDS; i < last->n; i++)
        if (!last->served[i])
            urd__word_wake(last->words[i].word, 1);
}

static const int64_t LOOK_NS = 1000000;

static void listen_once(ear *e)
{
    for (int i = 0; i < e->n; i++)
        e->served[i] = false;
    int64_t until = e->too_many ? urd__os_now() + LOOK_NS : INT64_MAX;
    if (urd__os_futex_wait_any(e->words, e->n, until) != -ENOSYS) /* L4 */
        return;
    until = e->n > AT_WORDS ? urd__os_now() + LOOK_NS : INT64_MAX;
    urd__os_futex_wait(&ears.kick, e->words[AT_KICK].value, until);
}

static void listen_for_tasks(urd__task *self, void *unused)
{
    (void)self;
    (void)unused;
    ear ears_of_two[2] = {{.n = AT_WORDS}, {.n = AT_WORDS}};
    urd__os_thread_name("urd-words");
    for (int turn = 0;; turn = !turn) {
        ear *last = &ears_of_two[!turn], *next = &ears_of_two[turn];
        urd__link woken = {0};
        bool goes_on = gather(last, next, &woken);
        pass_on(last);
        urd__wait_ready_all(&woken);
        if (!goes_on)
            return;
        listen_once(next);
    }
}

/* ---- Waiting --------------------------------------------------------------------------------- */

static void kick(void)
{
    urd__os_futex_wake(&ears.kick, 1);
}

/* Under the lock: T1, T2.  True: a listener is to be started. */
static bool enlist(entry *wait)
{
    bool start = !ears.runs;
    urd__list_push_tail(&ears.waits, &wait->waiter.link); /* T1 */
    urd__add_ar(&ears.kick, 1);                           /* T2 */
    ears.runs = true;
    return start;
}

static void leave_list(entry *wait)
{
    urd__lock(&ears.lock);
    bool linked = urd__list_linked(&wait->waiter.link);
    if (linked) {
        urd__list_remove(&wait->waiter.link);
        urd__add_ar(&ears.kick, 1);
    }
    urd__unlock(&ears.lock);
    if (linked)
        kick();
}

/* No listener can be started: let all look themselves, and this task again in a moment. */
static int wait_by_the_clock(urd__task *self, const urd__word *w, urd_scope *within)
{
    urd__link woken = {0};
    urd__lock(&ears.lock);
    ears.runs = false;
    urd__wait_pop_all(&ears.waits, 0, &woken);
    urd__unlock(&ears.lock);
    urd__wait_ready_all(&woken);
    int rc = urd__wait_end(self);
    if (rc)
        return rc;
    uint64_t word = urd__wait_begin(self, within, URD__ON_SHARED, w->on);
    rc = urd__wait_end_until(self, word, urd_now() + LOOK_NS);
    return rc == -ETIMEDOUT ? 0 : rc;
}

static int wait_as_task(urd__task *self, const urd__word *w, urd_scope *within)
{
    entry on_stack, *wait = urd__wait_note(self, &on_stack, sizeof on_stack);
    *wait = (entry){.waiter.task = self, .w = *w};
    wait->waiter.word = urd__wait_begin(self, within, URD__ON_SHARED, w->on);
    urd__lock(&ears.lock);
    bool start = enlist(wait);
    urd__unlock(&ears.lock);
    if (start && urd__thread_run(listen_for_tasks, NULL))
        return wait_by_the_clock(self, w, within);
    kick();                       /* T3 */
    int rc = urd__wait_end(self); /* T4 */
    if (rc)
        leave_list(wait);
    return rc;
}

static int wait_as_thread(urd__task *self, const urd__word *w, urd_scope *within)
{
    uint64_t word = urd__wait_begin(self, within, URD__ON_SHARED, w->on);
    self->word = w;
    int rc = urd__wait_end_thread(self, word, INT64_MAX);
    self->word = NULL;
    return rc == -ETIMEDOUT ? 0 : rc;
}

int urd__word_wait(urd__task *self, const urd__word *w, urd_scope *within)
{
    if (is_over(w, urd__peers_deaths()))
        return 0;
    urd__add_ar(&urd__rt.words, 1);
    int rc = self->worker ? wait_as_task(self, w, within) : wait_as_thread(self, w, within);
    urd__sub_ar(&urd__rt.words, 1);
    return rc;
}

bool urd__word_sleep(const urd__task *self, int64_t until)
{
    const urd__word *w = self->word;
    urd__os_word words[] = {
        {.word = &self->futex, .value = 0},
        {.word = w->word, .value = w->value, .shared = true},
        {.word = &urd__place_own.peers->deaths, .value = w->deaths, .shared = true}};
    int rc = urd__os_futex_wait_any(words, sizeof words / sizeof *words, until);
    if (rc != -ENOSYS)
        return rc == -ETIMEDOUT;
    int64_t look = urd__os_now() + LOOK_NS;
    urd__os_futex_wait(&self->futex, 0, look < until ? look : until);
    return !is_over(w, urd__peers_deaths());
}

void urd__word_close(void)
{
    urd__lock(&ears.lock);
    ears.closing = true;
    urd__add_ar(&ears.kick, 1);
    urd__unlock(&ears.lock);
    kick();
}

void urd__word_open(void)
{
    ears.closing = false;
}
