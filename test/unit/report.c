/*
 * report.c - the words of a report: who waits for what, and who holds it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "watch/report.h"

#include <poll.h>
#include <unistd.h>

#include "watched.h"

/* Names need debug information; without it reports say "job". */
static bool have_names(const urd__report *report)
{
    urd__symbol symbol = {0};
    urd__dw_look_up(report->dwfl, &symbol, (uintptr_t)&lock_a);
    return symbol.name != NULL;
}

static void see_tree(const urd__report *report, void *arg, urd__out *out)
{
    (void)arg;
    urd__report_tree(report, out);
    CHECK_EQ(strncmp(out->text, "scope of urd_run\n  job ", 23), 0);
    CHECK_CONTAINS(out->text, "waits for mutex 0x");
    CHECK_CONTAINS(out->text, "held by job ");
    CHECK_CONTAINS(out->text, "job listener [");
    CHECK_CONTAINS(out->text, "waits for a value from channel 0x");
    CHECK_CONTAINS(out->text, "(0 of 0 slots used); also at it: job ");
    CHECK_CONTAINS(out->text, "for 1.000 s");
    CHECK_CONTAINS(out->text, "(task on worker 0, started at ");
    CHECK_CONTAINS(out->text, "(thread, started at ");
    CHECK_CONTAINS(out->text, "watched.h:");
    if (!have_names(report))
        return;
    CHECK_CONTAINS(out->text, "(lock_a), held by job takes_a [");
    CHECK_CONTAINS(out->text, "(lock_b), held by job takes_b [");
    CHECK_CONTAINS(out->text, "(channel)");
    CHECK_CONTAINS(out->text, "#0 urd_");
    CHECK(strstr(out->text, " takes_a at ") || strstr(out->text, " takes_a+"));
}

TEST(the_tree_says_what_each_waits_for_and_who_holds_it)
{
    look(see_tree);
}

static void see_ring(const urd__report *report, void *arg, urd__out *out)
{
    (void)arg;
    CHECK_EQ(urd__report_cycles(report, false, out), 1);
    CHECK_CONTAINS(out->text, "a ring of locks: nobody in it can go on\n");
    const char *first = strstr(out->text, "waits for mutex");
    CHECK(first);
    CHECK(strstr(first + 1, "waits for mutex"));
    if (have_names(report)) {
        CHECK_CONTAINS(out->text, "job takes_a [");
        CHECK_CONTAINS(out->text, "job takes_b [");
    }
}

TEST(a_ring_of_two_locks_is_named_once)
{
    look(see_ring);
}

static int holds_and_waits(void *arg)
{
    urd_mutex *m = arg;
    CHECK_EQ(urd_mutex_lock(m), 0);
    int value, rc = urd_chan_recv(&channel, &value);
    urd_mutex_unlock(m);
    return rc;
}

static int wants(void *arg)
{
    int rc = urd_mutex_lock(arg);
    if (rc == 0)
        urd_mutex_unlock(arg);
    return rc;
}

static void see_no_ring(const urd__report *report, void *arg, urd__out *out)
{
    (void)arg;
    CHECK_EQ(urd__report_cycles(report, false, out), 0);
    CHECK(!out->text);
}

static int chain(void *arg)
{
    (void)arg;
    urd__out out = {0};
    open_locks_and_channel();
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, wants, &lock_a);
    urd_go(&s, holds_and_waits, &lock_a);
    CHECK_EQ(urd_sleep(1), 0);
    CHECK_EQ(urd__dump_apart(see_no_ring, NULL, &out), 0);
    urd_scope_cancel(&s, 0);
    CHECK_EQ(urd_scope_join(&s), -ECANCELED);
    return 0;
}

TEST(a_lock_that_is_held_by_one_who_waits_for_a_value_is_no_ring)
{
    test_run(chain);
}

/* ---- Locks of every kind, and a select ------------------------------------------------------- */

static urd_rmutex recursive;
static urd_rwlock read_write;
static urd_once once;
static urd_broadcast cast;

static int wait_for_value(void *arg)
{
    (void)arg;
    int value;
    return urd_chan_recv(&channel, &value);
}

static int holds_all(void *arg)
{
    (void)arg;
    CHECK_EQ(urd_rmutex_lock(&recursive), 0);
    CHECK_EQ(urd_rwlock_wrlock(&read_write), 0);
    int rc = urd_once_run(&once, wait_for_value, NULL);
    urd_rwlock_wrunlock(&read_write);
    urd_rmutex_unlock(&recursive);
    return rc;
}

static int wants_recursive(void *arg)
{
    (void)arg;
    int rc = urd_rmutex_lock(&recursive);
    if (rc == 0)
        urd_rmutex_unlock(&recursive);
    return rc;
}

static int wants_to_read(void *arg)
{
    (void)arg;
    int rc = urd_rwlock_rdlock(&read_write);
    if (rc == 0)
        urd_rwlock_rdunlock(&read_write);
    return rc;
}

static int wants_to_write(void *arg)
{
    (void)arg;
    int rc = urd_rwlock_wrlock(&read_write);
    if (rc == 0)
        urd_rwlock_wrunlock(&read_write);
    return rc;
}

static int wants_once(void *arg)
{
    (void)arg;
    return urd_once_run(&once, wait_for_value, NULL);
}

static int selects(void *arg)
{
    (void)arg;
    int value, ring[1];
    urd_event never = {0};
    urd_subscriber s;
    urd_broadcast_init(&cast, sizeof(int), ring, 1);
    urd_subscriber_open(&s, &cast);
    urd_op ops[] = {urd_op_recv(&channel, &value), urd_op_event(&never), urd_op_next(&s, &value),
                    urd_op_until(urd_now() + URD_SECOND)};
    int rc = urd_select(ops, 4);
    urd_subscriber_close(&s);
    urd_broadcast_fini(&cast);
    return rc;
}

static int stand(urd_fn *const *jobs, look_fn *fn)
{
    urd__out out = {0};
    open_locks_and_channel();
    recursive = (urd_rmutex){0};
    read_write = (urd_rwlock){0};
    once = (urd_once){0};
    urd_scope s;
    urd_scope_open(&s);
    for (; *jobs; jobs++) {
        urd_go(&s, *jobs, NULL);
        CHECK_EQ(urd_sleep(1), 0); /* until it waits */
    }
    CHECK_EQ(urd__dump_apart(fn, NULL, &out), 0);
    urd__out_free(&out);
    urd_scope_cancel(&s, 0);
    CHECK_EQ(urd_scope_join(&s), -ECANCELED);
    return 0;
}

static void see_owners(const urd__report *report, void *arg, urd__out *out)
{
    (void)arg;
    urd__report_tree(report, out);
    CHECK(!strstr(out->text, "which nobody holds"));
    CHECK(!strstr(out->text, " reader"));
    const char *at = out->text;
    for (int i = 0; i < 4; i++, at++) /* recursive mutex, reading, writing, once */
        CHECK((at = strstr(at, "held by job ")) != NULL);
    if (!have_names(report))
        return;
    CHECK_CONTAINS(out->text, "(recursive), held by job holds_all [");
    CHECK_CONTAINS(out->text, "(read_write), held by job holds_all [");
    CHECK_CONTAINS(out->text, "(once), held by job holds_all [");
}

static int owners(void *arg)
{
    (void)arg;
    static urd_fn *const jobs[] = {holds_all,      wants_recursive, wants_to_read,
                                   wants_to_write, wants_once,      NULL};
    return stand(jobs, see_owners);
}

TEST(every_lock_with_one_holder_tells_who_it_is)
{
    test_run(owners);
}

static int reads(void *arg)
{
    CHECK_EQ(urd_rwlock_rdlock(&read_write), 0);
    int rc = wait_for_value(arg);
    urd_rwlock_rdunlock(&read_write);
    return rc;
}

static void see_readers(const urd__report *report, void *arg, urd__out *out)
{
    (void)arg;
    urd__report_tree(report, out);
    CHECK_CONTAINS(out->text, "waits for writing under rwlock 0x");
    CHECK_CONTAINS(out->text, "held by 2 readers, for "); /* the writer whose turn it is */
    CHECK_CONTAINS(out->text, "held by 2 readers; the next writer is job ");
    CHECK_EQ(urd__report_cycles(report, false, out), 0);
}

static int readers(void *arg)
{
    (void)arg;
    static urd_fn *const jobs[] = {reads, reads, wants_to_write, wants_to_read, NULL};
    return stand(jobs, see_readers);
}

TEST(readers_are_counted_and_the_writer_they_keep_out_is_named)
{
    test_run(readers);
}

static void see_arms(const urd__report *report, void *arg, urd__out *out)
{
    (void)arg;
    urd__report_tree(report, out);
    CHECK_CONTAINS(out->text, "or a time: a value from channel 0x");
    CHECK_CONTAINS(out->text, ", event 0x");
    CHECK_CONTAINS(out->text, ", a value from broadcast 0x");
    CHECK_CONTAINS(out->text, " and 1 more");
    if (have_names(report)) {
        CHECK_CONTAINS(out->text, "(channel), event");
        CHECK_CONTAINS(out->text, "(cast) and 1 more");
    }
}

static int arms(void *arg)
{
    (void)arg;
    static urd_fn *const jobs[] = {selects, NULL};
    return stand(jobs, see_arms);
}

TEST(the_arms_of_a_select_are_named)
{
    test_run(arms);
}

static int selects_a_descriptor(void *arg)
{
    (void)arg;
    int ends[2];
    CHECK_EQ(pipe(ends), 0);
    urd_op ops[] = {urd_op_fd(ends[0], POLLIN), urd_op_until(urd_now() + URD_SECOND)};
    int rc = urd_select(ops, 2);
    urd_close(ends[0]);
    urd_close(ends[1]);
    return rc;
}

static void see_descriptor(const urd__report *report, void *arg, urd__out *out)
{
    (void)arg;
    urd__report_tree(report, out);
    CHECK_CONTAINS(out->text, "one of the arms of select, or a descriptor: file descriptor ");
    CHECK_CONTAINS(out->text, ", a time");
}

static int descriptor_arms(void *arg)
{
    (void)arg;
    static urd_fn *const jobs[] = {selects_a_descriptor, NULL};
    return stand(jobs, see_descriptor);
}

TEST(the_descriptor_of_an_arm_is_named)
{
    test_run(descriptor_arms);
}

static int recursive_then_write(void *arg)
{
    CHECK_EQ(urd_rmutex_lock(&recursive), 0);
    int rc = urd_sleep(URD_MS);
    if (rc == 0)
        rc = wants_to_write(arg);
    urd_rmutex_unlock(&recursive);
    return rc;
}

static int write_then_recursive(void *arg)
{
    CHECK_EQ(urd_rwlock_wrlock(&read_write), 0);
    int rc = urd_sleep(URD_MS);
    if (rc == 0)
        rc = wants_recursive(arg);
    urd_rwlock_wrunlock(&read_write);
    return rc;
}

static void see_mixed_ring(const urd__report *report, void *arg, urd__out *out)
{
    (void)arg;
    CHECK_EQ(urd__report_cycles(report, false, out), 1);
    CHECK_CONTAINS(out->text, "waits for recursive mutex");
    CHECK_CONTAINS(out->text, "waits for writing under rwlock");
}

static int mixed_ring(void *arg)
{
    urd__out out = {0};
    recursive = (urd_rmutex){0};
    read_write = (urd_rwlock){0};
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, recursive_then_write, arg);
    urd_go(&s, write_then_recursive, arg);
    CHECK_EQ(urd_sleep(2 * URD_MS), 0); /* until both wait */
    CHECK_EQ(urd__dump_apart(see_mixed_ring, NULL, &out), 0);
    urd__out_free(&out);
    urd_scope_cancel(&s, 0);
    CHECK_EQ(urd_scope_join(&s), -ECANCELED);
    return 0;
}

TEST(a_ring_may_go_through_locks_of_several_kinds)
{
    test_run(mixed_ring);
}

TEST(kinds_have_names)
{
    CHECK_STR(urd__report_kind(URD_TASK), "task");
    CHECK_STR(urd__report_kind(URD_PROCESS), "process");
    CHECK_STR(urd__report_kind(-1), "job");
    CHECK_STR(urd__report_kind(99), "job");
}
