/*
 * kills.c - processes are killed at random moments: every job is accounted for, and all is whole.
 *
 * SPDX-License-Identifier: MIT
 *
 * Each worker has a timer of the kernel kill it some 50 us to 3 ms after its start, wherever it is
 * then: inside a job, the shared allocator, a lock or channel between processes, or the pool's
 * ring.  Its jobs do nothing but go in and out of these.  It is replaced, URD_STRESS_KILLS (150)
 * times; and who replaces it first looks whether what the dead left is whole.
 *
 * What can be looked at only while nobody works in it (whole.h) is so when the pool is closed, and
 * in rounds: one process is killed and the others are stopped, wherever they are, which leaves all
 * as their deaths would; then these are killed, too.  That no process and no descriptor is left
 * when a test ends is looked at by test.c.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "base/atomic.h"
#include "base/os.h"
#include "test.h"
#include "unit/forks.h"
#include "unit/whole.h"

enum { WORKERS = 3, JOBS = 400, BYTES_MAX = 600, SLOTS = 5, PARTIES = 2, WRITES = 10 };
static const long PERMITS = 1000000000; /* each death may take one along */

typedef struct item {
    uint64_t seed;
    unsigned char bytes[100];
} item;

/* All words the same.  Large, so that many are killed as they copy or fill one. */
typedef struct block {
    uint64_t words[4000];
} block;

/* In shared memory. */
typedef struct common {
    urd_mutex mutex;
    long a, b; /* under mutex: equal when it is free, but after a death */
    urd_rwlock rwlock;
    block written; /* under rwlock */
    long workers;  /* atomic: that were started */
    urd_sem sem;
    urd_cond cond;
    urd_barrier barrier;
    urd_event event;
    urd_latch latch;
    urd_chan chan;
    item ring[SLOTS];
    urd_chan blocks;
    block block_ring[SLOTS];
} common;

typedef struct message {
    uint64_t seed;
    unsigned char bytes[BYTES_MAX];
} message;

static common *shared; /* of a worker */
static size_t size;    /* of the messages of this round */
static message in[JOBS], out[JOBS];

static int kills_wanted(void)
{
    const char *text = getenv("URD_STRESS_KILLS");
    int kills = text ? atoi(text) : 150;
    return text || !test_under_slow_tool() ? kills : kills / 10;
}

static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 31)) * UINT64_C(0x9e3779b97f4a7c15);
    return x ^ (x >> 29);
}

static void fill(unsigned char *bytes, size_t n, uint64_t seed)
{
    for (size_t i = 0; i < n; i++)
        bytes[i] = (unsigned char)mix(seed + i);
}

static bool is_filled(const unsigned char *bytes, size_t n, uint64_t seed)
{
    for (size_t i = 0; i < n; i++)
        if (bytes[i] != (unsigned char)mix(seed + i))
            return false;
    return true;
}

static bool is_block(const void *value)
{
    const block *b = value;
    bool same = true;
    for (size_t i = 1; i < sizeof b->words / sizeof *b->words; i++)
        same &= b->words[i] == b->words[0];
    return same;
}

static void fill_block(block *b, uint64_t seed)
{
    for (size_t i = 0; i < sizeof b->words / sizeof *b->words; i++)
        b->words[i] = seed;
}

/* ---- In the worker --------------------------------------------------------------------------- */

static int in_the_allocator(uint64_t seed)
{
    size_t bytes = 1 + seed % 200;
    unsigned char *p = urd_shared_alloc(bytes);
    if (!p)
        return -ENOMEM;
    for (size_t i = 0; i < bytes; i++)
        if (p[i])
            return -EFAULT;
    fill(p, bytes, seed);
    bool whole = is_filled(p, bytes, seed);
    urd_shared_free(p);
    return whole ? 0 : -EFAULT;
}

/* What was half done is mended. */
static int locked(int rc)
{
    if (rc != -EOWNERDEAD)
        return rc;
    shared->b = shared->a;
    urd_mutex_repair(&shared->mutex);
    return 0;
}

static int in_the_mutex(void)
{
    int rc = locked(urd_mutex_lock(&shared->mutex));
    if (rc)
        return rc;
    bool equal = shared->a == shared->b;
    shared->a++;
    shared->b++;
    urd_mutex_unlock(&shared->mutex);
    return equal ? 0 : -EILSEQ;
}

/* Who reads can mend nothing. */
static int in_the_rwlock_to_read(void)
{
    int rc = urd_rwlock_rdlock(&shared->rwlock);
    if (rc && rc != -EOWNERDEAD)
        return rc;
    bool right = rc || is_block(&shared->written);
    urd_rwlock_rdunlock(&shared->rwlock);
    return right ? 0 : -EILSEQ;
}

static int in_the_rwlock_to_write(uint64_t seed)
{
    int rc = urd_rwlock_wrlock(&shared->rwlock);
    if (rc && rc != -EOWNERDEAD)
        return rc;
    bool right = rc || is_block(&shared->written);
    for (uint64_t i = 0; i < WRITES; i++)
        fill_block(&shared->written, seed + i);
    if (rc)
        urd_rwlock_repair(&shared->rwlock);
    urd_rwlock_wrunlock(&shared->rwlock);
    return right ? 0 : -EILSEQ;
}

/* Never waits: nobody may be left to send, or to receive. */
static int in_the_channel(uint64_t seed)
{
    item it = {.seed = seed};
    fill(it.bytes, sizeof it.bytes, seed);
    int rc = urd_chan_trysend(&shared->chan, &it);
    if (rc == 0 || rc == -EAGAIN || rc == -EOWNERDEAD)
        rc = urd_chan_tryrecv(&shared->chan, &it);
    if (rc)
        return rc == -EAGAIN || rc == -EOWNERDEAD ? 0 : rc;
    return is_filled(it.bytes, sizeof it.bytes, it.seed) ? 0 : -EBADMSG;
}

static int in_the_blocks(uint64_t seed)
{
    static block b;
    fill_block(&b, seed);
    int rc = urd_chan_trysend(&shared->blocks, &b);
    if (rc == 0 || rc == -EAGAIN || rc == -EOWNERDEAD)
        rc = urd_chan_tryrecv(&shared->blocks, &b);
    if (rc)
        return rc == -EAGAIN || rc == -EOWNERDEAD ? 0 : rc;
    return is_block(&b) ? 0 : -EBADMSG;
}

static int in_the_semaphore(void)
{
    int rc = urd_sem_acquire(&shared->sem);
    if (rc == 0)
        urd_sem_release(&shared->sem, 1);
    return rc;
}

/* Nobody else may be left, so a wait takes a moment at most, and of one it may be said so. */
static int for_a_moment(urd_fn *wait)
{
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_deadline(&s, urd_now() + 50 * URD_US);
    int rc = wait(NULL), joined = urd_scope_join(&s);
    return joined == 0 || joined == -ETIMEDOUT ? rc : joined;
}

static int wait_for_signal(void *unused)
{
    (void)unused;
    return urd_cond_wait(&shared->cond, &shared->mutex);
}

static int in_the_condition(bool waits)
{
    int rc = locked(urd_mutex_lock(&shared->mutex));
    if (rc)
        return rc;
    if (waits)
        rc = locked(for_a_moment(wait_for_signal));
    bool equal = shared->a == shared->b;
    shared->a++;
    shared->b++;
    if (!waits)
        urd_cond_signal(&shared->cond, 1);
    urd_mutex_unlock(&shared->mutex);
    return (rc && rc != -ECANCELED) || !equal ? -EILSEQ : 0;
}

static int wait_for_others(void *unused)
{
    (void)unused;
    return urd_barrier_wait(&shared->barrier);
}

/* After a death whoever is told begins anew, which sends others away. */
static int in_the_barrier(void)
{
    int rc = for_a_moment(wait_for_others);
    if (rc == -EOWNERDEAD)
        urd_barrier_reset(&shared->barrier);
    return rc >= 0 || rc == -EOWNERDEAD || rc == -EPIPE || rc == -ECANCELED ? 0 : rc;
}

static int wait_for_event(void *unused)
{
    (void)unused;
    return urd_event_wait(&shared->event);
}

static int wait_for_latch(void *unused)
{
    (void)unused;
    return urd_latch_wait(&shared->latch);
}

static int in_event_and_latch(bool waits)
{
    int rc = waits ? for_a_moment(wait_for_event) : 0;
    urd_event_clear(&shared->event);
    urd_latch_add(&shared->latch, 1);
    urd_event_set(&shared->event);
    urd_latch_done(&shared->latch);
    if (rc == 0 && waits)
        rc = for_a_moment(wait_for_latch);
    return rc == -ECANCELED ? 0 : rc;
}

/* Of what processes share, whoever died in it. */
static bool is_whole(common *c)
{
    long asleep = urd__load_acq(&c->cond.waiting);
    int meet = urd_barrier_waiting(&c->barrier);
    if (meet < 0 || meet >= PARTIES || asleep < 0 || asleep > urd__load_acq(&c->workers) ||
        urd_latch_count(&c->latch) > urd__load_acq(&c->workers))
        return false;
    long free = urd_sem_permits(&c->sem), deaths_most = urd__load_acq(&c->workers);
    urd_chan_counts counts;
    urd_chan_stats(&c->chan, &counts);
    return free <= PERMITS && free >= PERMITS - deaths_most && counts.depth <= SLOTS &&
           counts.depth <= counts.sent;
}

static int begin(void *arg)
{
    shared = arg;
    uint64_t number = (uint64_t)urd__add_ar(&shared->workers, 1);
    struct itimerval life = {.it_value.tv_usec = 50 + (long)(mix(number) % 3000)};
    if (!is_whole(shared) || in_the_mutex() || in_the_channel(number))
        return -EILSEQ;
    signal(SIGALRM, SIG_DFL);
    return setitimer(ITIMER_REAL, &life, NULL);
}

static int in_all(uint64_t seed)
{
    int rc = in_the_allocator(seed);
    if (rc == 0)
        rc = in_the_mutex();
    if (rc == 0)
        rc = seed % 4 ? in_the_rwlock_to_read() : in_the_rwlock_to_write(seed);
    if (rc == 0)
        rc = in_the_semaphore();
    if (rc == 0)
        rc = in_the_channel(seed);
    if (rc == 0)
        rc = in_the_blocks(seed);
    if (rc == 0)
        rc = in_the_condition(seed % 16 == 0);
    if (rc == 0)
        rc = in_event_and_latch(seed % 16 == 1);
    if (rc == 0 && seed % 16 == 2)
        rc = in_the_barrier();
    return rc;
}

/* The size goes with the seed, since `size` was 0 when this process was made. */
static int answer(const void *question, void *reply)
{
    const message *q = question;
    message *r = reply;
    size_t n = q->seed >> 48;
    if (!is_filled(q->bytes, n, q->seed))
        return -EBADMSG;
    int rc = in_all(q->seed);
    r->seed = q->seed + 1;
    fill(r->bytes, n, r->seed);
    return rc;
}

/* ---- Here ------------------------------------------------------------------------------------ */

static void ask(uint64_t round)
{
    size = round % 2 ? BYTES_MAX : 40; /* in a slot, and beside it */
    for (uint64_t i = 0; i < JOBS; i++) {
        in[i].seed = (uint64_t)size << 48 | (mix(round * JOBS + i) >> 17);
        fill(in[i].bytes, size, in[i].seed);
    }
    memset(out, 0, sizeof out);
}

static bool is_answered(int i)
{
    return out[i].seed == in[i].seed + 1 && is_filled(out[i].bytes, size, out[i].seed);
}

static size_t message_bytes(void)
{
    return sizeof(uint64_t) + size;
}

static bool is_item(const void *value)
{
    item it; /* in the ring it need not be aligned */
    memcpy(&it, value, sizeof it);
    return is_filled(it.bytes, sizeof it.bytes, it.seed);
}

/* Nobody works in it, but `stopped` processes stand still somewhere, and others have died. */
static void check_whole(common *c, size_t stopped, size_t deaths)
{
    heap_counts counts;
    CHECK_STR(heap_fault(&counts), NULL);
    CHECK_LE(counts.lost + counts.cut, stopped + deaths);
    CHECK_LE(counts.live, 1 + 2 * stopped + deaths); /* one block each, and what starts it */
    CHECK_STR(chan_fault(&c->chan, is_item), NULL);
    CHECK_STR(chan_fault(&c->blocks, is_block), NULL);
    CHECK(is_whole(c));
}

static common *new_common(void)
{
    common *c = urd_shared_alloc(sizeof *c);
    CHECK(c != NULL);
    urd_sem_init(&c->sem, PERMITS, 0);
    urd_barrier_init(&c->barrier, PARTIES);
    urd_chan_init(&c->chan, sizeof(item), c->ring, SLOTS);
    urd_chan_init(&c->blocks, sizeof(block), c->block_ring, SLOTS);
    return c;
}

static urd_pool *open_pool(common *c, int kills, int retries)
{
    urd_pool *p;
    urd_pool_options options = {.begin = begin,
                                .arg = c,
                                .retries_max = retries,
                                .restarts_max = 2 * kills + 1000,
                                .restart_duration = 1};
    CHECK_EQ(urd_pool_open(&p, URD_PROCESS, WORKERS, &options), 0);
    return p;
}

static size_t deaths_of(urd_pool *p)
{
    urd_pool_state state;
    urd_pool_get(p, &state);
    return state.died;
}

/* No process is left, nor a lock that any of them held; and once it is mended nobody is told. */
static void check_free(common *c)
{
    shared = c;
    CHECK_EQ(in_the_rwlock_to_read(), 0);
    CHECK_EQ(in_the_rwlock_to_write(1), 0);
    CHECK_EQ(urd_rwlock_rdlock(&c->rwlock), 0);
    urd_rwlock_rdunlock(&c->rwlock);
    CHECK_EQ(in_the_mutex(), 0);
    CHECK_EQ(urd_mutex_lock(&c->mutex), 0);
    urd_mutex_unlock(&c->mutex);
    CHECK_EQ(in_the_semaphore(), 0);
    CHECK_EQ(in_the_channel(1), 0);
    CHECK_EQ(in_the_blocks(1), 0);
}

static void free_common(common *c, size_t deaths)
{
    check_whole(c, 0, deaths);
    check_free(c);
    for (item it; urd_chan_tryrecv(&c->chan, &it) == 0;)
        CHECK(is_item(&it));
    CHECK_EQ(urd_chan_depth(&c->chan), 0);
    urd_shared_free(c);
}

static void close_pool(urd_pool *p, common *c)
{
    size_t deaths = deaths_of(p);
    CHECK_EQ(urd_pool_close(p), 0);
    free_common(c, deaths + WORKERS); /* some may have died since */
}

static int repeat_until_killed(void *arg)
{
    int kills = *(int *)arg;
    common *c = new_common();
    urd_pool *p = open_pool(c, kills, INT32_MAX);
    uint64_t round = 0;
    for (; deaths_of(p) < (size_t)kills; round++) {
        ask(round);
        /* The size of an element is not that of a message, so each is given by hand. */
        static urd_pool_job jobs[JOBS];
        for (int i = 0; i < JOBS; i++)
            CHECK_EQ(urd_pool_submit(&jobs[i], p, answer, &in[i], message_bytes(), &out[i],
                                     message_bytes()),
                     0);
        for (int i = 0; i < JOBS; i++) {
            CHECK_EQ(urd_pool_wait(&jobs[i]), 0);
            CHECK(is_answered(i));
        }
    }
    close_pool(p, c);
    return 0;
}

/* Every job is done or known as lost, and no more are lost than workers were. */
static int submit_until_killed(void *arg)
{
    int kills = *(int *)arg;
    size_t lost = 0;
    common *c = new_common();
    urd_pool *p = open_pool(c, kills, 0);
    for (uint64_t round = 0; deaths_of(p) < (size_t)kills; round++) {
        static urd_pool_job jobs[JOBS];
        ask(round);
        for (int i = 0; i < JOBS; i++)
            CHECK_EQ(urd_pool_submit(&jobs[i], p, answer, &in[i], message_bytes(), &out[i],
                                     message_bytes()),
                     0);
        for (int i = 0; i < JOBS; i++) {
            int rc = urd_pool_wait(&jobs[i]);
            CHECK(rc == 0 || rc == -ECHILD);
            if (rc == 0)
                CHECK(is_answered(i));
            else
                CHECK_STR(urd_pool_detail(&jobs[i]), "killed by SIGALRM");
            lost += rc != 0;
        }
    }
    CHECK_LE(lost, deaths_of(p));
    close_pool(p, c);
    return 0;
}

/* ---- Killed and stopped by hand -------------------------------------------------------------- */

/* Where it stays long enough to be often killed there, or between such. */
static int in_the_large(uint64_t seed)
{
    int rc = seed % 2 ? in_the_rwlock_to_read() : in_the_rwlock_to_write(seed);
    if (rc == 0)
        rc = in_the_allocator(seed);
    return rc ? rc : in_the_blocks(seed);
}

static int work_for_ever(void *arg)
{
    shared = arg;
    uint64_t number = (uint64_t)urd__add_ar(&shared->workers, 1);
    for (uint64_t i = 0;; i++) {
        uint64_t seed = mix(number << 32 | i);
        int rc = i % 8 ? in_the_large(seed) : in_all(seed);
        if (rc)
            return rc;
    }
}

/* By what the kernel says of its first thread, which alone works. */
static bool is_still(pid_t pid)
{
    char path[64], text[512];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    if (urd__os_read_file(path, text, sizeof text) <= 0)
        return true;
    const char *state = strrchr(text, ')');
    return state && state[1] && strchr("tTZX", state[2]);
}

static void kill_one_and_stop_others(urd_job *jobs)
{
    CHECK_EQ(urd_job_kill(&jobs[0], SIGKILL), 0);
    for (int i = 1; i < WORKERS; i++)
        CHECK_EQ(urd_job_kill(&jobs[i], SIGSTOP), 0);
    CHECK_EQ(urd_job_join(&jobs[0]), -ECHILD);
    for (int i = 1; i < WORKERS; i++)
        while (!is_still(urd_job_pid(&jobs[i])))
            urd__os_yield();
}

static void one_round(common *c, size_t *deaths)
{
    urd_scope s;
    urd_job jobs[WORKERS];
    urd_scope_open(&s);
    urd_scope_keep_going(&s);
    long begun = urd__load_acq(&c->workers);
    for (int i = 0; i < WORKERS; i++)
        CHECK_EQ(urd_job_open(&jobs[i], &s, URD_PROCESS, work_for_ever, c, 0, NULL), 0);
    while (urd__load_acq(&c->workers) < begun + WORKERS)
        CHECK_EQ(urd_yield(), 0);
    CHECK_EQ(urd_sleep((urd_time)(mix((uint64_t)begun) % 1000) * URD_US), 0);
    kill_one_and_stop_others(jobs);
    check_whole(c, WORKERS - 1, ++*deaths);
    for (int i = 1; i < WORKERS; i++)
        CHECK_EQ(urd_job_kill(&jobs[i], SIGKILL), 0);
    CHECK_EQ(urd_scope_join(&s), -ECHILD);
    for (int i = 1; i < WORKERS; i++)
        CHECK_EQ(urd_job_join(&jobs[i]), -ECHILD);
    *deaths += WORKERS - 1;
    check_whole(c, 0, *deaths);
    check_free(c);
}

static int stop_until_killed(void *arg)
{
    size_t kills = (size_t) * (int *)arg, deaths = 0;
    common *c = new_common();
    while (deaths < kills)
        one_round(c, &deaths);
    free_common(c, deaths);
    return 0;
}

static void run(urd_fn *fn)
{
    int kills = kills_wanted() / 2 + 1;
    urd_config config = {.workers = 2};
    test_run_with(&config, fn, &kills);
}

TEST(jobs_that_may_be_repeated_are_all_done_whoever_is_killed)
{
    run(repeat_until_killed);
}

TEST(jobs_that_may_not_are_done_once_or_known_as_lost)
{
    run(submit_until_killed);
}

TEST(what_the_dead_have_left_is_whole_wherever_they_were)
{
    run(stop_until_killed);
}
