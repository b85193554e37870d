/*
 * blocking.c - every schedule of tasks and threads at one mutex and one condition of POSIX.
 *
 * SPDX-License-Identifier: MIT
 *
 * The C library's mutex is a word here.  A wait ends by its event alone unless `impatient` is set,
 * so a wake that is lost is a schedule in which somebody waits for ever.
 */
#include <errno.h>
#include <string.h>

#include "explore.h"

#include "base/atomic.h"
#include "blocking/blocking.h"

#define pthread_mutex_lock model_mutex_lock
#define pthread_mutex_trylock model_mutex_trylock
#define pthread_mutex_unlock model_mutex_unlock
#define pthread_mutex_timedlock model_mutex_timedlock
#define pthread_mutex_clocklock model_mutex_clocklock
#define pthread_cond_wait model_cond_wait
#define pthread_cond_timedwait model_cond_timedwait
#define pthread_cond_clockwait model_cond_clockwait
#define pthread_cond_signal model_cond_signal
#define pthread_cond_broadcast model_cond_broadcast

static bool impatient;
static bool is_task[EXPLORE_THREADS_MAX];

/* ---- The C library's, and the runtime's ------------------------------------------------------ */

static int libc_lock(pthread_mutex_t *m)
{
    explore_lock(&m->__data.__lock);
    return 0;
}

static int libc_trylock(pthread_mutex_t *m)
{
    return explore_trylock(&m->__data.__lock) ? 0 : EBUSY;
}

static int libc_unlock(pthread_mutex_t *m)
{
    explore_unlock(&m->__data.__lock);
    return 0;
}

static int to_threads; /* signals for which no task waited */

static int libc_signal(pthread_cond_t *c)
{
    (void)c;
    explore_ghost_add(&to_threads, 1);
    return 0;
}

static struct {
    int (*model_mutex_lock)(pthread_mutex_t *m);
    int (*model_mutex_trylock)(pthread_mutex_t *m);
    int (*model_mutex_unlock)(pthread_mutex_t *m);
    int (*model_mutex_timedlock)(pthread_mutex_t *m, const struct timespec *when);
    int (*model_mutex_clocklock)(pthread_mutex_t *m, clockid_t clock, const struct timespec *when);
    int (*model_cond_signal)(pthread_cond_t *c);
    int (*model_cond_broadcast)(pthread_cond_t *c);
    int (*model_cond_wait)(pthread_cond_t *c, pthread_mutex_t *m);
    int (*model_cond_timedwait)(pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *when);
    int (*model_cond_clockwait)(pthread_cond_t *c, pthread_mutex_t *m, clockid_t clock,
                                const struct timespec *when);
} libc = {.model_mutex_lock = libc_lock,
          .model_mutex_trylock = libc_trylock,
          .model_mutex_unlock = libc_unlock,
          .model_cond_signal = libc_signal,
          .model_cond_broadcast = libc_signal};

#define urd__blocking_real() (&libc)

bool urd__blocking_caught(const void *caller)
{
    (void)caller;
    return is_task[explore_self()];
}

const void *urd_task_id(void)
{
    return &is_task[explore_self()];
}

urd_time urd__blocking_after(int64_t seconds, int64_t ns)
{
    return seconds + ns;
}

urd_time urd_now(void)
{
    return 0;
}

bool urd_cancelled(void)
{
    return false;
}

int urd_sleep(urd_time duration)
{
    (void)duration;
    return 0;
}

void urd_scope_open_at(urd_scope *s, const char *where)
{
    (void)s, (void)where;
}

void urd_scope_shield(urd_scope *s)
{
    (void)s;
}

void urd_scope_deadline(urd_scope *s, urd_time when)
{
    (void)s, (void)when;
}

int urd_scope_join(urd_scope *s)
{
    (void)s;
    return -ETIMEDOUT;
}

void urd_event_set(urd_event *e)
{
    urd__store_rel(&e->set, 1); /* pairs with urd_event_wait */
    explore_futex_wake(&e->set, 1);
}

int urd_event_wait(urd_event *e)
{
    while (!urd__load_acq(&e->set)) {
        int rc = impatient ? explore_futex_wait_timed(&e->set, 0) : explore_futex_wait(&e->set, 0);
        if (rc == -ETIMEDOUT)
            return -ECANCELED;
    }
    return 0;
}

#include "blocking/blocking_lock.c"

/* ---- The models ------------------------------------------------------------------------------ */

static pthread_mutex_t mutex;
static pthread_cond_t cond;
static int inside; /* plain: under mutex */
static int ready;  /* plain: under mutex */
static int woken;

static void setup(void)
{
    memset(queues, 0, sizeof queues);
    memset(&mutex, 0, sizeof mutex);
    memset(&cond, 0, sizeof cond);
    memset(is_task, 0, sizeof is_task);
    entries.first = NULL;
    entries.used = 0;
    memset(&entries.lock, 0, sizeof entries.lock);
    impatient = false;
    inside = ready = woken = to_threads = 0;
}

static void setup_recursive(void)
{
    setup();
    mutex.__data.__kind = RECURSIVE;
}

static void setup_impatient(void)
{
    setup();
    impatient = true;
}

static void lock_and_unlock(void)
{
    explore_assert(pthread_mutex_lock(&mutex) == 0);
    explore_assert(inside++ == 0);
    inside--;
    explore_assert(pthread_mutex_unlock(&mutex) == 0);
}

static void task(void)
{
    is_task[explore_self()] = true;
    lock_and_unlock();
}

static void task_twice(void)
{
    is_task[explore_self()] = true;
    explore_assert(pthread_mutex_lock(&mutex) == 0);
    lock_and_unlock();
    explore_assert(pthread_mutex_unlock(&mutex) == 0);
}

static void thread(void)
{
    lock_and_unlock();
}

static void wait_until_ready(void)
{
    is_task[explore_self()] = true;
    explore_assert(pthread_mutex_lock(&mutex) == 0);
    while (!ready)
        explore_assert(pthread_cond_wait(&cond, &mutex) == 0);
    ready--;
    explore_assert(pthread_mutex_unlock(&mutex) == 0);
    explore_ghost_add(&woken, 1);
}

static void wait_once(void)
{
    is_task[explore_self()] = true;
    explore_assert(pthread_mutex_lock(&mutex) == 0);
    bool waits = !ready;
    int rc = waits ? pthread_cond_wait(&cond, &mutex) : 0;
    explore_ghost_add(&woken, waits && rc == 0);
    explore_assert(rc == 0 || rc == ETIMEDOUT);
    explore_assert(rc == ETIMEDOUT || ready == 1);
    explore_assert(pthread_mutex_unlock(&mutex) == 0);
}

static void make_ready(void)
{
    explore_assert(pthread_mutex_lock(&mutex) == 0);
    ready++;
    explore_assert(pthread_mutex_unlock(&mutex) == 0);
    pthread_cond_signal(&cond);
}

static void nobody_is_left(void)
{
    for (int i = 0; i < QUEUES; i++) {
        explore_assert(queues[i].waiting == 0 && urd__list_empty(&queues[i].waits));
        explore_assert(queues[i].owned == NULL);
    }
}

static void all_were_woken(void)
{
    nobody_is_left();
    explore_assert(ready == 0 && woken > 0);
}

/* A signal that took a task off the queue is told to that task. */
static void every_signal_was_told(void)
{
    nobody_is_left();
    explore_assert(woken == 1 - to_threads);
}

const struct explore_model explore_models[] = {
    {.name = "two_tasks_lock_one_mutex",
     .setup = setup,
     .threads = {task, task},
     .stale_reads = 1,
     .finish = nobody_is_left},
    {.name = "a_task_waits_for_a_thread",
     .setup = setup,
     .threads = {task, thread},
     .stale_reads = 1,
     .finish = nobody_is_left},
    {.name = "two_tasks_and_a_thread",
     .setup = setup,
     .threads = {task, task, thread},
     .random = 4000,
     .finish = nobody_is_left},
    {.name = "a_recursive_mutex_is_one_task_s",
     .setup = setup_recursive,
     .threads = {task_twice, task},
     .random = 4000,
     .finish = nobody_is_left},
    {.name = "a_task_that_looks_again_by_itself",
     .setup = setup_impatient,
     .threads = {task, thread},
     .random = 4000,
     .finish = nobody_is_left},
    {.name = "a_signal_after_the_change_is_not_missed",
     .setup = setup,
     .threads = {wait_until_ready, make_ready},
     .random = 4000,
     .finish = all_were_woken},
    {.name = "two_signals_for_two_tasks",
     .setup = setup,
     .threads = {wait_until_ready, wait_until_ready, make_ready, make_ready},
     .random = 4000,
     .finish = all_were_woken},
    {.name = "a_wait_that_ends_by_itself_beside_a_signal",
     .setup = setup_impatient,
     .threads = {wait_once, make_ready},
     .random = 4000,
     .finish = every_signal_was_told},
    {.name = NULL},
};
