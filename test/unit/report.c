/*
 * report.c - the words of a report: who waits for what, and who holds it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "watch/report.h"

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
    CHECK_EQ(urd__report_cycles(report, out), 1);
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
    CHECK_EQ(urd__report_cycles(report, out), 0);
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

TEST(kinds_have_names)
{
    CHECK_STR(urd__report_kind(URD_TASK), "task");
    CHECK_STR(urd__report_kind(URD_PROCESS), "process");
    CHECK_STR(urd__report_kind(-1), "job");
    CHECK_STR(urd__report_kind(99), "job");
}
