/*
 * arm.c - every schedule of a select with a descriptor beside news, a close, a cancel and a value.
 *
 * SPDX-License-Identifier: MIT
 *
 * Nobody looks at the descriptor's number once it was retired, and a select that has returned has
 * left it.  All are sampled.
 */
#include "model_core.h"

#include "model_chan.h"

#include "core/sleep.c"
#include "io/arm.c"
#include "io/fd.c"
#include "sync/bytes.c"
#include "sync/chan.c"
/* Its own functions of these names. */
#define copy broadcast_copy
#define put broadcast_put
#define setup broadcast_setup
#define slot broadcast_slot
#include "sync/broadcast.c"
#undef copy
#undef put
#undef setup
#undef slot
#include "sync/event.c"
#include "sync/order.c"
#include "sync/select.c"

enum { SAMPLES = 4000, NUMBER = 0 };

static urd__fd fds[1];
static urd__worker workers[EXPLORE_THREADS_MAX]; /* one for each thread, each with a poller */
static int readable;                             /* atomic */
static int began; /* atomic: a select is inside, or over: before that nobody may close it */
static int gone;  /* atomic: the number may be another's */
static urd_chan chan;
static urd_event over;
static int sent, received, happened, closed;

/* ---- The kernel ------------------------------------------------------------------------------ */

short urd__os_poll(int fd, short events, int wake, int64_t until)
{
    (void)wake, (void)until;
    explore_assert(fd == NUMBER && !urd__load_acq(&gone));
    return urd__load_acq(&readable) ? events & POLLIN : 0;
}

static int arm_nothing(urd__poller *poller, urd__fd *fd, urd__fd_wait *wait)
{
    (void)poller, (void)fd, (void)wait;
    urd__store_rel(&began, 1);
    return 0; /* urd__fd_ready() is told of the number */
}

static void forget_nothing(urd__fd *fd, int number)
{
    (void)fd, (void)number;
}

static const urd__backend backend = {.arm = arm_nothing, .forget = forget_nothing};
static urd__poller poller = {.backend = &backend};

static void setup(void)
{
    core_setup();
    memset(fds, 0, sizeof fds);
    memset(workers, 0, sizeof workers);
    for (int i = 0; i < EXPLORE_THREADS_MAX; i++) {
        workers[i].poller = &poller;
        tasks[i].worker = &workers[i];
    }
    table.fds = fds;
    table.limit = 1;
    urd__rt.state = URD__RUNNING;
    readable = began = gone = sent = received = happened = closed = 0;
    over = (urd_event){0};
    urd_chan_init(&chan, sizeof(long), NULL, 0);
}

/* Edge-triggered and told once, as of descriptors that were made by us. */
static void setup_ours(void)
{
    setup();
    fds[NUMBER].flags = URD__FD_OURS;
}

/* ---- The threads ----------------------------------------------------------------------------- */

static void select_once(void)
{
    long in = -1;
    urd_op ops[2] = {urd_op_fd(NUMBER, POLLIN), urd_op_recv(&chan, &in)};
    int chosen = urd_select(ops, 2);
    explore_assert(chosen == 0 || chosen == 1 || chosen == -ECANCELED);
    explore_assert((in == 1) == (chosen == 1 && ops[1].result == 0));
    if (chosen == 1)
        explore_ghost_add(&received, 1);
    if (chosen == 0) {
        explore_assert(ops[0].result == POLLIN || ops[0].result == -ECANCELED);
        explore_ghost_add(ops[0].result > 0 ? &happened : &closed, 1);
    }
    leave(ops, sizeof ops);
    urd__store_rel(&began, 1);
}

/* One of those who are told takes what there is; the others wait on until that is over. */
static void select_and_take(void)
{
    urd_op ops[2] = {urd_op_fd(NUMBER, POLLIN), urd_op_event(&over)};
    int chosen;
    while ((chosen = urd_select(ops, 2)) == 0) {
        explore_assert(ops[0].result == POLLIN);
        if (urd__xchg_ar(&readable, 0)) {
            explore_ghost_add(&happened, 1);
            urd_event_set(&over);
        }
    }
    explore_assert(chosen == 1);
    leave(ops, sizeof ops);
}

static void news_come(void)
{
    urd__store_rel(&readable, 1);
    urd__fd_ready(NUMBER, POLLIN);
}

static void try_to_send(void)
{
    long value = 1;
    if (urd_chan_trysend(&chan, &value) == 0)
        explore_ghost_add(&sent, 1);
}

static void close_it(void)
{
    while (!urd__load_acq(&began))
        explore_yield();
    urd__fd_retire(NUMBER);
    urd__store_rel(&gone, 1);
}

/* What comes just then is no reason to look at a number that is gone. */
static void old_news_and_close(void)
{
    while (!urd__load_acq(&began))
        explore_yield();
    urd__fd_ready(NUMBER, POLLIN);
    close_it();
}

static void cancel_scope(void)
{
    urd_scope_cancel(&scope, -ECANCELED);
}

static void all_is_left(void)
{
    core_finish();
    explore_assert(sent == received);
    explore_assert(urd__list_empty(&fds[NUMBER].waits));
    explore_assert(fds[NUMBER].inside == 0);
    for (int i = 0; i < EXPLORE_THREADS_MAX; i++)
        explore_assert(workers[i].io_waits == 0);
    urd_chan_fini(&chan);
}

static void one_has_taken(void)
{
    explore_assert(happened == 1 && readable == 0);
    all_is_left();
}

static void both_were_told(void)
{
    explore_assert(happened == 2);
    all_is_left();
}

const struct explore_model explore_models[] = {
    {.name = "news_and_a_value_at_once",
     .setup = setup_ours,
     .threads = {select_once, news_come, try_to_send},
     .thread_names = {"select", "kernel", "sender"},
     .random = SAMPLES,
     .finish = all_is_left},
    {.name = "news_told_once_reach_all_who_look",
     .setup = setup_ours,
     .threads = {select_once, select_once, news_come},
     .thread_names = {"select", "other select", "kernel"},
     .random = SAMPLES,
     .finish = both_were_told},
    {.name = "news_for_two_and_one_takes_them",
     .setup = setup_ours,
     .threads = {select_and_take, select_and_take, news_come},
     .thread_names = {"select", "other select", "kernel"},
     .random = SAMPLES,
     .finish = one_has_taken},
    {.name = "a_close_beside_old_news",
     .setup = setup_ours,
     .threads = {select_once, old_news_and_close},
     .thread_names = {"select", "closer"},
     .random = SAMPLES,
     .finish = all_is_left},
    {.name = "a_close_beside_a_value",
     .setup = setup,
     .threads = {select_once, close_it, try_to_send},
     .thread_names = {"select", "closer", "sender"},
     .random = SAMPLES,
     .finish = all_is_left},
    {.name = "a_cancel_beside_news",
     .setup = setup,
     .threads = {select_once, news_come, cancel_scope},
     .thread_names = {"select", "kernel", "canceller"},
     .random = SAMPLES,
     .finish = all_is_left},
    {.name = NULL},
};

/* ---- Left out -------------------------------------------------------------------------------- */

bool urd_job_alive(const urd_job *j)
{
    (void)j;
    return true;
}

int urd_yield(void)
{
    return 0;
}

int urd__poller_need(urd__worker *self)
{
    (void)self;
    return 0;
}

int urd__os_event_open(void)
{
    return 0;
}

void urd__os_event_clear(int event)
{
    (void)event;
}

void urd__os_close(int fd)
{
    (void)fd;
}

bool urd__os_poll_any(struct pollfd *list, unsigned n, long timeout_ns)
{
    (void)list, (void)n, (void)timeout_ns;
    return false;
}

int urd__os_fd_limit(void)
{
    return 1;
}

int urd__os_map(void **out, size_t bytes)
{
    (void)out, (void)bytes;
    return -ENOMEM;
}

void urd__os_unmap(void *at, size_t bytes)
{
    (void)at, (void)bytes;
}

int urd__os_epoll_open(void)
{
    return -ENOSYS;
}

int urd__os_epoll_set(int epoll, int fd, short events, bool once)
{
    (void)epoll, (void)fd, (void)events, (void)once;
    return -ENOSYS;
}
