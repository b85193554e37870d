/*
 * arm.c - descriptors as arms of a select: ready, waited for, lost, closed and cancelled.
 *
 * SPDX-License-Identifier: MIT
 */
#include <poll.h>
#include <pthread.h>

#include "backends.h"
#include "base/atomic.h"
#include "base/lock.h"

static int ends[2];
static urd_chan chan;

/* Nobody waits for it or is inside; and where its arm was lost, the poller does not know it either,
 * unless it was made by us. */
static void check_left(int number, bool lost)
{
    urd__fd *fd = urd__fd_find(number);
    urd__lock(&fd->lock);
    CHECK(urd__list_empty(&fd->waits));
    CHECK_EQ(fd->inside, 0);
    CHECK(!lost || !fd->at || (urd__load_acq(&fd->flags) & URD__FD_OURS));
    urd__unlock(&fd->lock);
}

static void init(void)
{
    urd_chan_init(&chan, sizeof(int), NULL, 0);
}

static void write_letter(int fd)
{
    CHECK_EQ(urd_write(fd, "x", 1), 1);
}

static void read_letter(int fd)
{
    char letter = 0;
    CHECK_EQ(urd_read(fd, &letter, 1), 1);
    CHECK_EQ(letter, 'x');
}

/* ---- Ready ----------------------------------------------------------------------------------- */

static int at_once(void *arg)
{
    (void)arg;
    make_pair(ends);
    init();
    int in = 0;
    urd_op ops[] = {urd_op_fd(ends[0], POLLIN), urd_op_recv(&chan, &in)};
    CHECK_EQ(urd_tryselect(ops, 2), -EAGAIN);
    write_letter(ends[1]);
    for (int i = 0; i < 3; i++) { /* nothing is read */
        CHECK_EQ(i ? urd_select(ops, 2) : urd_tryselect(ops, 2), 0);
        CHECK_EQ(ops[0].result, POLLIN);
    }
    read_letter(ends[0]);
    CHECK_EQ(urd_tryselect(ops, 2), -EAGAIN);
    urd_op both = urd_op_fd(ends[0], POLLIN | POLLOUT);
    CHECK_EQ(urd_select(&both, 1), 0);
    CHECK_EQ(both.result, POLLOUT);
    CHECK_EQ(close(ends[1]), 0);
    CHECK_EQ(urd_select(ops, 2), 0);
    CHECK_EQ(ops[0].result, POLLIN | POLLHUP);
    CHECK_EQ(close(ends[0]), 0);
    return 0;
}

TEST(what_holds_is_the_result_and_nothing_is_read)
{
    run_io(2, at_once);
    at_once(NULL); /* and that needs no runtime */
}

static int no_descriptor(void *arg)
{
    (void)arg;
    static const int numbers[] = {-1, 1 << 30};
    init();
    int in = 0;
    for (int i = 0; i < 2; i++) {
        urd_op ops[] = {urd_op_recv(&chan, &in), urd_op_fd(numbers[i], POLLIN)};
        CHECK_EQ(urd_select(ops, 2), 1);
        CHECK_EQ(ops[1].result, -EBADF);
    }
    return 0;
}

TEST(what_is_no_descriptor_is_EBADF)
{
    run_io(1, no_descriptor);
    no_descriptor(NULL);
}

/* ---- Waiting --------------------------------------------------------------------------------- */

static int write_later(void *arg)
{
    CHECK_EQ(urd_sleep(URD_MS), 0);
    write_letter(*(const int *)arg);
    return 0;
}

static int send_later(void *arg)
{
    (void)arg;
    CHECK_EQ(urd_sleep(URD_MS), 0);
    CHECK_EQ(urd_chan_send(&chan, &(int){7}), 0);
    return 0;
}

/* Each arm in turn is the one that happens; the others have nothing left of them. */
static int three_arms(void *arg)
{
    (void)arg;
    for (int turn = 0; turn < 6; turn++) {
        int in = 0;
        urd_op ops[] = {urd_op_fd(ends[0], POLLIN), urd_op_recv(&chan, &in),
                        urd_op_until(urd_now() + 2 * URD_MS)};
        urd_scope s;
        urd_scope_open(&s);
        if (turn % 3 == 0)
            urd_go(&s, write_later, &ends[1]);
        if (turn % 3 == 1)
            urd_go(&s, send_later, NULL);
        CHECK_EQ(urd_select(ops, 3), turn % 3);
        CHECK_EQ(ops[turn % 3].result, turn % 3 ? 0 : POLLIN);
        CHECK_EQ(in, turn % 3 == 1 ? 7 : 0);
        CHECK_EQ(urd_scope_join(&s), 0);
        check_left(ends[0], turn % 3 != 0);
        if (turn % 3 == 0)
            read_letter(ends[0]);
        CHECK_EQ(urd_tryselect(ops, 2), -EAGAIN);
    }
    return 0;
}

static int wait_for_each(void *arg)
{
    (void)arg;
    init();
    make_pair(ends);
    as_both(three_arms, NULL, NULL, NULL);
    close_pair(ends);
    make_connection(ends);
    as_both(three_arms, NULL, NULL, NULL);
    close_pair(ends);
    return 0;
}

TEST(one_of_three_happens_and_the_others_leave_nothing_behind)
{
    run_io(10, wait_for_each);
}

static char much[1 << 16];

static void fill(int fd)
{
    while (send(fd, much, sizeof much, MSG_DONTWAIT) > 0)
        continue;
}

static int drain_later(void *arg)
{
    CHECK_EQ(urd_sleep(URD_MS), 0);
    while (recv(*(const int *)arg, much, sizeof much, MSG_DONTWAIT) > 0)
        continue;
    return 0;
}

/* What fills a connection goes over to the other end by and by, so that it may be written to again
 * at any time: there only the way out is tried. */
static int first_way;

/* Two arms at one descriptor, and each is told of its own. */
static int both_ways(void *arg)
{
    (void)arg;
    for (int way = first_way; way < 2; way++) {
        fill(ends[0]);
        urd_op ops[] = {urd_op_fd(ends[0], POLLIN), urd_op_fd(ends[0], POLLOUT)};
        urd_scope s;
        urd_scope_open(&s);
        urd_go(&s, way ? drain_later : write_later, &ends[1]);
        CHECK_EQ(urd_select(ops, 2), way);
        CHECK_EQ(ops[way].result, way ? POLLOUT : POLLIN);
        CHECK_EQ(urd_scope_join(&s), 0);
        check_left(ends[0], false);
        if (way == 0)
            read_letter(ends[0]);
    }
    return 0;
}

static int both_ways_as_both(void *arg)
{
    (void)arg;
    make_pair(ends);
    first_way = 0;
    as_both(both_ways, NULL, NULL, NULL);
    close_pair(ends);
    make_connection(ends);
    first_way = 1;
    as_both(both_ways, NULL, NULL, NULL);
    close_pair(ends);
    return 0;
}

TEST(two_arms_at_one_descriptor_are_told_apart)
{
    run_io(2, both_ways_as_both);
}

/* Several select at one descriptor; who is quickest reads, and for the others that is old news. */
enum { READERS = 4 };
static int read_so_far; /* atomic */
static urd_event all_read;

static int select_and_read(void *arg)
{
    (void)arg;
    urd_op ops[] = {urd_op_event(&all_read), urd_op_fd(ends[0], POLLIN)};
    for (int chosen; (chosen = urd_select(ops, 2)) != 0;) {
        CHECK_EQ(chosen, 1);
        char letter;
        ssize_t n = recv(ends[0], &letter, 1, MSG_DONTWAIT);
        if (n == 1 && urd__add_ar(&read_so_far, 1) + 1 == READERS)
            urd_event_set(&all_read);
    }
    return 0;
}

static int old_news(void *arg)
{
    (void)arg;
    for (int sort = 0; sort < 2; sort++) {
        if (sort)
            make_connection(ends);
        else
            make_pair(ends);
        urd__store_rel(&read_so_far, 0);
        urd_event_clear(&all_read);
        urd_scope s;
        urd_scope_open(&s);
        for (int i = 0; i < READERS; i++)
            urd_spawn(&s, i % 2 ? URD_THREAD : URD_TASK, select_and_read, NULL, 0);
        for (int i = 0; i < READERS; i++) {
            CHECK_EQ(urd_sleep(URD_MS), 0);
            write_letter(ends[1]);
        }
        CHECK_EQ(urd_scope_join(&s), 0);
        check_left(ends[0], false);
        close_pair(ends);
    }
    return 0;
}

TEST(old_news_is_no_reason_to_happen)
{
    run_io(10, old_news);
}

/* ---- Close and cancel ------------------------------------------------------------------------ */

static int select_until_closed(void *arg)
{
    (void)arg;
    int in = 0;
    urd_op ops[] = {urd_op_recv(&chan, &in), urd_op_fd(ends[1], POLLIN),
                    urd_op_fd(ends[0], POLLIN)};
    CHECK_EQ(urd_select(ops, 3), 2);
    CHECK_EQ(ops[2].result, -ECANCELED);
    return 0;
}

static int close_it(void *arg)
{
    (void)arg;
    init();
    for (int sort = 0; sort < 2; sort++) {
        if (sort)
            make_connection(ends);
        else
            make_pair(ends);
        urd_scope s;
        urd_scope_open(&s);
        for (int i = 0; i < 4; i++)
            urd_spawn(&s, i % 2 ? URD_THREAD : URD_TASK, select_until_closed, NULL, 0);
        CHECK_EQ(urd_sleep(URD_SECOND), 0); /* now all wait */
        CHECK_EQ(urd_close(ends[0]), 0);
        check_left(ends[0], true);
        CHECK_EQ(urd_scope_join(&s), 0);
        check_left(ends[1], true);
        CHECK_EQ(urd_close(ends[1]), 0);
    }
    return 0;
}

TEST(close_wakes_a_select_with_ECANCELED)
{
    run_io(10, close_it);
}

static int select_in_vain(void *arg)
{
    (void)arg;
    int in = 0;
    urd_op ops[] = {urd_op_fd(ends[0], POLLIN), urd_op_recv(&chan, &in),
                    urd_op_fd(ends[1], POLLPRI)};
    CHECK_EQ(urd_select(ops, 3), -ECANCELED);
    CHECK_EQ(urd_select(ops, 3), -ECANCELED);
    check_left(ends[1], true);
    return 0;
}

static int cancel_it(void *arg)
{
    (void)arg;
    init();
    for (int sort = 0; sort < 2; sort++) {
        if (sort)
            make_connection(ends);
        else
            make_pair(ends);
        for (int kind = URD_TASK; kind <= URD_THREAD; kind++) {
            urd_scope s;
            urd_scope_open(&s);
            urd_scope_deadline(&s, urd_now() + URD_MS);
            urd_spawn(&s, (urd_kind)kind, select_in_vain, NULL, 0);
            CHECK_EQ(urd_scope_join(&s), -ETIMEDOUT);
            check_left(ends[0], true);
        }
        CHECK_EQ(urd_chan_trysend(&chan, &(int){1}), -EAGAIN);
        close_pair(ends);
    }
    return 0;
}

TEST(a_cancelled_select_leaves_its_descriptors)
{
    run_io(10, cancel_it);
}

/* ---- Many arms, and no runtime --------------------------------------------------------------- */

enum { MANY = 20 };
static int pairs[MANY][2];

static int one_of_many(void *arg)
{
    (void)arg;
    urd_op ops[MANY];
    for (int i = 0; i < MANY; i++)
        ops[i] = urd_op_fd(pairs[i][0], POLLIN);
    for (int i = 0; i < MANY; i += 7) {
        urd_scope s;
        urd_scope_open(&s);
        urd_go(&s, write_later, &pairs[i][1]);
        CHECK_EQ(urd_select(ops, MANY), i);
        read_letter(pairs[i][0]);
        CHECK_EQ(urd_scope_join(&s), 0);
    }
    for (int i = 0; i < MANY; i++)
        check_left(pairs[i][0], i % 7 != 0);
    return 0;
}

static int many(void *arg)
{
    (void)arg;
    for (int i = 0; i < MANY; i++)
        make_pair(pairs[i]);
    as_both(one_of_many, NULL, NULL, NULL);
    for (int i = 0; i < MANY; i++)
        close_pair(pairs[i]);
    return 0;
}

TEST(one_of_many_descriptors_is_found)
{
    run_io(2, many);
}

static void *write_from_a_thread(void *arg)
{
    (void)arg;
    write_letter(ends[1]);
    CHECK_EQ(urd_chan_send(&chan, &(int){5}), 0); /* waits for the second select */
    return NULL;
}

TEST(a_thread_of_the_program_needs_no_runtime)
{
    int before = test_fd_count(), in = 0;
    make_pair(ends);
    init();
    urd_op ops[] = {urd_op_fd(ends[0], POLLIN), urd_op_fd(ends[1], POLLIN), urd_op_recv(&chan, &in),
                    urd_op_until(URD_FOREVER)};
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, write_from_a_thread, NULL), 0);
    int chosen = urd_select(ops, 2);
    CHECK_EQ(chosen, 0);
    read_letter(ends[0]);
    CHECK_EQ(urd_select(ops, 4), 2);
    CHECK_EQ(in, 5);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    ops[3] = urd_op_until(urd_now() + URD_MS);
    CHECK_EQ(urd_select(ops, 4), 3);
    CHECK_EQ(close(ends[0]), 0);
    CHECK_EQ(close(ends[1]), 0);
    CHECK_EQ(test_fd_count(), before);
}

TEST(it_wakes_by_the_machines_clock)
{
    run_real(1, many);
    run_real(WORKERS, many);
}

/* ---- Wrong arms ------------------------------------------------------------------------------ */

static void no_events(void)
{
    urd_op_fd(0, POLLHUP);
}

static void made_by_hand(void)
{
    urd_op op = {.kind = URD_OP_FD, .fd = 0, .events = POLLIN};
    CHECK_EQ(urd_tryselect(&op, 1), 0);
}

TEST(arms_that_are_none_abort)
{
    CHECK_ABORTS(no_events, "urd_op_fd: 0x10 is no event that can be waited for");
    CHECK_ABORTS(made_by_hand, "urd_tryselect: arm 0 was not made by urd_op_fd");
}
