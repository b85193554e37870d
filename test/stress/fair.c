/*
 * fair.c - nobody starves: how often one who waits is overtaken, for each lock and channel.
 *
 * SPDX-License-Identifier: MIT
 *
 * Tasks and threads come to one place, again and again.  The polite ones sleep in between and come
 * at moments of their own; the greedy ones come again at the moment at which they leave.  Time is
 * virtual and moves only when all wait, so whoever came at a moment stands in line at the next one,
 * and what each visit says of itself tells the order in which they came and in which they were let
 * in.  The bounds are those of the headers.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/atomic.h"
#include "test.h"

enum { POLITE = 5, GREEDY = 2, JOBS = POLITE + GREEDY, HOLD = 10, VISITS_MAX = 400 };
enum { POLITE_ROUNDS = 8, GREEDY_ROUNDS = 40, OVERTAKES = 4 };

typedef struct visit {
    urd_time came, entered;
    int who;
} visit;

static struct {
    visit list[VISITS_MAX];
    int count;  /* atomic */
    int inside; /* atomic */
} visits;

/* What they come to. */
typedef struct place {
    const char *name;
    void (*begin)(void);
    int (*enter)(int who);
    void (*leave)(int who); /* NULL: the server holds it, and who has entered has left */
    urd_fn *serve;          /* or NULL */
    int room;               /* so many may be inside */
    int overtakes;          /* of the first in line; 0: nobody overtakes */
} place;

static const place *at;

/* A moment at which no other polite one comes. */
static int sleep_a_while(int who)
{
    urd_time when = urd_now() + 1 + (urd_time)((unsigned)who * 7919U % 5U) * JOBS;
    return urd_sleep_until(when + (who - when % JOBS + JOBS) % JOBS);
}

static int visit_once(int who)
{
    urd_time came = urd_now();
    int rc = at->enter(who);
    if (rc)
        return rc;
    int i = urd__add_ar(&visits.count, 1);
    CHECK_LT(i, VISITS_MAX);
    visits.list[i] = (visit){.came = came, .entered = urd_now(), .who = who};
    if (!at->leave)
        return 0;
    CHECK_LT(urd__add_ar(&visits.inside, 1), at->room);
    rc = urd_sleep(HOLD);
    urd__sub_ar(&visits.inside, 1);
    at->leave(who);
    return rc;
}

static int come_again_and_again(void *arg)
{
    int who = *(const int *)arg, rc = 0;
    bool greedy = who >= POLITE;
    for (int i = 0; i < (greedy ? GREEDY_ROUNDS : POLITE_ROUNDS) && rc == 0; i++) {
        rc = greedy ? 0 : sleep_a_while(who);
        rc = rc ? rc : visit_once(who);
    }
    return rc;
}

static int open_house(void *arg)
{
    (void)arg;
    int numbers[JOBS];
    urd_scope s, guests;
    visits.count = 0;
    at->begin();
    urd_scope_open(&s);
    if (at->serve)
        urd_go(&s, at->serve, NULL);
    urd_scope_open(&guests);
    for (int i = 0; i < JOBS; i++) {
        numbers[i] = i;
        urd_spawn(&guests, test_random(3) ? URD_TASK : URD_THREAD, come_again_and_again,
                  &numbers[i], 0);
    }
    CHECK_EQ(urd_scope_join(&guests), 0);
    urd_scope_cancel(&s, -EINTR);
    CHECK_EQ(urd_scope_join(&s), -EINTR);
    CHECK_EQ(visits.count, POLITE * POLITE_ROUNDS + GREEDY * GREEDY_ROUNDS);
    return 0;
}

static void check_visit(const visit *v)
{
    int overtaken = 0, ahead = 0;
    for (const visit *w = visits.list; w < visits.list + visits.count; w++) {
        overtaken += w->came > v->came && w->entered < v->entered;
        ahead += w->came < v->came && w->entered > v->came;
    }
    if (overtaken > at->overtakes * (1 + ahead))
        FAIL("%s: one who came behind %d others was overtaken %d times", at->name, ahead,
             overtaken);
}

/* On one worker, where a seed repeats exactly, and on several. */
static void visit_each(urd_fn *run, const place *where, void (*check)(const visit *))
{
    const char *text = getenv("URD_STRESS_SEEDS");
    bool slow = test_under_slow_tool();
    at = where;
    for (int workers = slow ? 3 : 1; workers <= 3; workers += 2) {
        TEST_SEEDS(text ? strtoull(text, NULL, 10) / 1000 + 1 : slow ? 1 : 3)
        {
            test_run_workers(workers, run);
            for (int i = 0; i < visits.count; i++)
                check(&visits.list[i]);
        }
    }
}

static void visit_all(const place *where, void (*check)(const visit *))
{
    visit_each(open_house, where, check);
}

static void begin_nothing(void)
{
}

/* ---- Locks ----------------------------------------------------------------------------------- */

static urd_mutex mutex;
static urd_rmutex rmutex;
static urd_sem sem;

static int lock_mutex(int who)
{
    (void)who;
    return urd_mutex_lock(&mutex);
}

static void unlock_mutex(int who)
{
    (void)who;
    urd_mutex_unlock(&mutex);
}

static int lock_rmutex(int who)
{
    (void)who;
    int rc = urd_rmutex_lock(&rmutex);
    return rc ? rc : urd_rmutex_lock(&rmutex);
}

static void unlock_rmutex(int who)
{
    (void)who;
    urd_rmutex_unlock(&rmutex);
    urd_rmutex_unlock(&rmutex);
}

static void init_sem(void)
{
    urd_sem_init(&sem, 2, 2);
}

static int acquire(int who)
{
    (void)who;
    return urd_sem_acquire(&sem);
}

static void release(int who)
{
    (void)who;
    urd_sem_release(&sem, 1);
}

TEST(a_waiter_for_a_mutex_is_overtaken_four_times)
{
    static const place places[] = {
        {"mutex", begin_nothing, lock_mutex, unlock_mutex, NULL, 1, OVERTAKES},
        {"rmutex", begin_nothing, lock_rmutex, unlock_rmutex, NULL, 1, OVERTAKES}};
    for (int i = 0; i < 2; i++)
        visit_all(&places[i], check_visit);
}

TEST(a_waiter_for_a_permit_is_never_overtaken)
{
    static const place permits = {"semaphore", init_sem, acquire, release, NULL, 2, 0};
    visit_all(&permits, check_visit);
}

static urd_rwlock rwlock;

/* Of the polite ones two write, of the greedy ones one. */
static bool writes(int who)
{
    return who % 3 == 0;
}

static int enter_rwlock(int who)
{
    return writes(who) ? urd_rwlock_wrlock(&rwlock) : urd_rwlock_rdlock(&rwlock);
}

static void leave_rwlock(int who)
{
    if (writes(who))
        urd_rwlock_wrunlock(&rwlock);
    else
        urd_rwlock_rdunlock(&rwlock);
}

/* How often those of one kind entered between v's coming and its entering; who < 0: any of them. */
static int entered_meanwhile(const visit *v, bool writers, int who)
{
    int n = 0;
    for (const visit *w = visits.list; w < visits.list + visits.count; w++)
        n += w != v && writes(w->who) == writers && (who < 0 || w->who == who) &&
             w->entered > v->came && w->entered < v->entered;
    return n;
}

static void check_rwlock(const visit *v)
{
    int before = entered_meanwhile(v, true, -1);
    if (!writes(v->who)) {
        CHECK_LE(before, 1); /* a reader waits for one writer */
        return;
    }
    int ahead = 0, overtaken = 0;
    for (const visit *w = visits.list; w < visits.list + visits.count; w++) {
        overtaken += writes(w->who) && w->came > v->came && w->entered < v->entered;
        ahead += writes(w->who) && w->came < v->came && w->entered > v->came;
    }
    CHECK_LE(overtaken, OVERTAKES * (1 + ahead));
    for (int who = 0; who < JOBS; who++) /* no reader comes in again before the next writer */
        CHECK_LE(entered_meanwhile(v, false, who), before + 1);
}

TEST(readers_wait_for_one_writer_and_writers_for_one_crowd_of_readers)
{
    static const place rw = {"rwlock", begin_nothing, enter_rwlock, leave_rwlock, NULL, JOBS, 0};
    visit_all(&rw, check_rwlock);
}

/* ---- In order -------------------------------------------------------------------------------- */

static urd_chan chan;
static int slots[2];
static long bytes[32];

static void init_token(void)
{
    int token = 0;
    urd_chan_init(&chan, sizeof token, slots, 1);
    CHECK_EQ(urd_chan_trysend(&chan, &token), 0);
}

static int take_token(int who)
{
    int token;
    (void)who;
    return urd_chan_recv(&chan, &token);
}

static void give_token(int who)
{
    CHECK_EQ(urd_chan_trysend(&chan, &who), 0);
}

/* By turns as an arm of a select, beside something that never happens. */
static int select_token(int who)
{
    static urd_event never;
    int token;
    if (who % 2)
        return take_token(who);
    urd_op ops[] = {urd_op_event(&never), urd_op_recv(&chan, &token)};
    int chosen = urd_select(ops, 2);
    return chosen == 1 ? ops[1].result : -EINVAL;
}

static void init_room(void)
{
    urd_chan_init(&chan, sizeof(int), slots, 1);
}

static int take_room(int who)
{
    return urd_chan_send(&chan, &who);
}

static void give_room(int who)
{
    int got;
    CHECK_EQ(urd_chan_tryrecv(&chan, &got), 0);
    CHECK_EQ(got, who);
}

static int select_room(int who)
{
    static urd_event never;
    if (who % 2)
        return take_room(who);
    urd_op ops[] = {urd_op_event(&never), urd_op_send(&chan, &who)};
    int chosen = urd_select(ops, 2);
    return chosen == 1 ? ops[1].result : -EINVAL;
}

TEST(at_a_channel_nobody_overtakes)
{
    static const place places[] = {
        {"receivers", init_token, take_token, give_token, NULL, 1, 0},
        {"selects that receive", init_token, select_token, give_token, NULL, 1, 0},
        {"senders", init_room, take_room, give_room, NULL, 1, 0},
        {"selects that send", init_room, select_room, give_room, NULL, 1, 0}};
    for (int i = 0; i < 4; i++)
        visit_all(&places[i], check_visit);
}

static void init_meeting(void)
{
    urd_chan_init(&chan, sizeof(int), NULL, 0);
}

static int serve_meetings(void *arg)
{
    (void)arg;
    int who, rc = 0;
    while (rc == 0) {
        rc = urd_sleep(HOLD);
        rc = rc ? rc : urd_chan_recv(&chan, &who);
    }
    return rc;
}

static void init_bytes(void)
{
    urd_chan_init_bytes(&chan, bytes, sizeof bytes);
}

/* A large one takes most of the ring. */
static int send_message(int who)
{
    static const char text[sizeof bytes];
    urd_message m = {.from = text, .size = who % 3 ? 8 : 200};
    return urd_chan_send(&chan, &m);
}

static int serve_messages(void *arg)
{
    (void)arg;
    char text[sizeof bytes];
    int rc = 0;
    while (rc == 0) {
        urd_message m = {.to = text, .size = sizeof text};
        rc = urd_sleep(HOLD);
        rc = rc ? rc : urd_chan_recv(&chan, &m);
    }
    return rc;
}

TEST(whoever_sends_to_a_slow_receiver_is_served_in_order)
{
    static const place places[] = {
        {"rendezvous", init_meeting, take_room, NULL, serve_meetings, JOBS, 0},
        {"messages", init_bytes, send_message, NULL, serve_messages, JOBS, 0}};
    for (int i = 0; i < 2; i++)
        visit_all(&places[i], check_visit);
}

static urd_broadcast news;

static void init_broadcast(void)
{
    urd_broadcast_init(&news, sizeof(int), slots, 2);
}

static int send_news(int who)
{
    return urd_broadcast_send(&news, &who);
}

static int read_slowly(void *arg)
{
    (void)arg;
    int who, rc = 0;
    urd_subscriber s;
    urd_subscriber_open(&s, &news);
    while (rc >= 0) {
        rc = urd_sleep(HOLD);
        rc = rc ? rc : urd_subscriber_recv(&s, &who);
    }
    urd_subscriber_close(&s);
    return rc;
}

TEST(whoever_sends_to_slow_subscribers_is_served_in_order)
{
    static const place senders = {"broadcast", init_broadcast, send_news, NULL,
                                  read_slowly, JOBS,           0};
    visit_all(&senders, check_visit);
}

static urd_cond cond;

static int wait_for_signal(int who)
{
    (void)who;
    int rc = urd_mutex_lock(&mutex);
    if (rc)
        return rc;
    rc = urd_cond_wait(&cond, &mutex);
    urd_mutex_unlock(&mutex);
    return rc;
}

static int signal_one(void *arg)
{
    (void)arg;
    int rc = 0;
    while ((rc = urd_sleep(HOLD)) == 0)
        urd_cond_signal(&cond, 1);
    return rc;
}

TEST(signals_go_to_who_waited_longest)
{
    static const place waiters = {
        "condition", begin_nothing, wait_for_signal, NULL, signal_one, JOBS, 0};
    visit_all(&waiters, check_visit);
}

static urd_scope limited;

static int hold_a_place(void *arg)
{
    (void)arg;
    return urd_sleep(HOLD);
}

static int start_one(int who)
{
    (void)who;
    return urd_go(&limited, hold_a_place, NULL);
}

static int in_a_limit(void *arg)
{
    urd_scope_open(&limited);
    urd_scope_limit(&limited, 2);
    open_house(arg);
    return urd_scope_join(&limited);
}

TEST(whoever_waits_at_a_limit_starts_in_order)
{
    static const place starters = {"limit", begin_nothing, start_one, NULL, NULL, JOBS, 0};
    visit_each(in_a_limit, &starters, check_visit);
}
