/*
 * flow.c - arguments flow in as there is room, results come out, and nothing is lost on the way.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/atomic.h"
#include "pools.h"

/* Numbers from 0, as many as wanted. */
typedef struct counter {
    long next, last;
    int end; /* what is returned then */
} counter;

static int count_up(void *arg, void *in)
{
    counter *c = arg;
    if (c->next == c->last)
        return c->end;
    *(long *)in = c->next++;
    return 1;
}

static urd_pool_flow *open_flow(urd_pool *p, urd_pool_fn *fn, counter *c, bool ordered)
{
    urd_pool_flow *f;
    urd_pool_flow_options o = {.source = count_up,
                               .arg = c,
                               .in_bytes = sizeof(long),
                               .out_bytes = sizeof(long),
                               .ordered = ordered};
    CHECK_EQ(urd_pool_flow_open(&f, p, fn, &o), 0);
    return f;
}

static void flow_through(urd_kind kind, bool ordered)
{
    static int seen[MANY];
    int many = test_under_slow_tool() ? MANY / 20 : MANY;
    memset(seen, 0, sizeof seen);
    counter c = {.last = many};
    urd_pool *p = open_pool(kind, NULL);
    urd_pool_flow *f = open_flow(p, square, &c, ordered);
    urd_pool_result r;
    size_t n = 0;
    int rc;
    for (; (rc = urd_pool_flow_next(f, &r)) == 1; n++) {
        CHECK_EQ(r.result, 0);
        CHECK_EQ(*(const long *)r.in, r.index);
        CHECK_EQ(*(const long *)r.out, r.index * r.index);
        CHECK_STR(r.detail, "");
        if (ordered)
            CHECK_EQ(r.index, n);
        seen[r.index]++;
    }
    CHECK_EQ(rc, 0);
    CHECK_EQ(urd_pool_flow_next(f, &r), 0);
    CHECK_EQ(n, many);
    for (int i = 0; i < many; i++)
        CHECK_EQ(seen[i], 1);
    CHECK_EQ(urd_pool_flow_close(f), 0);
    CHECK_EQ(urd_pool_close(p), 0);
}

static int both_orders(void *arg)
{
    (void)arg;
    for (int i = 0; i < 2 * KINDS; i++)
        flow_through(kinds[i % KINDS], i >= KINDS);
    return 0;
}

TEST(every_argument_of_a_source_comes_back_once_and_in_order_where_asked)
{
    run_all(both_orders);
}

static int from_an_array(void *arg)
{
    (void)arg;
    enum { N = 100 };
    long in[N], sum = 0;
    for (int i = 0; i < N; i++)
        in[i] = i;
    for (int i = 0; i < KINDS; i++) {
        urd_pool *p = open_pool(kinds[i], NULL);
        urd_pool_flow *f;
        urd_progress bar;
        urd_progress_state state;
        urd_progress_open(&bar, NULL, N, &(urd_progress_options){.interval_duration = URD_FOREVER});
        CHECK_EQ(urd_pool_flow_open(&f, p, square,
                                    &(urd_pool_flow_options){.in = in,
                                                             .n = N,
                                                             .in_bytes = sizeof *in,
                                                             .out_bytes = sizeof(long),
                                                             .inflow_max = 3,
                                                             .progress = &bar}),
                 0);
        sum = 0;
        for (urd_pool_result r; urd_pool_flow_next(f, &r) == 1;) {
            CHECK_PTR(r.in, &in[r.index]); /* not copied */
            sum += *(const long *)r.out;
        }
        CHECK_EQ(sum, 328350);
        urd_progress_get(&bar, &state);
        CHECK_EQ(state.done, N);
        CHECK_EQ(urd_pool_flow_close(f), 0);
        CHECK_EQ(urd_pool_close(p), 0);
    }
    return 0;
}

TEST(an_array_is_a_source_too_and_a_progress_counts_what_was_taken)
{
    run_all(from_an_array);
}

/* ---- Bounds ---------------------------------------------------------------------------------- */

static int endless(void *arg)
{
    (void)arg;
    enum { INFLOW = 5, TAKEN = 50 };
    for (int i = 0; i < KINDS; i++) {
        counter c = {.last = -1};
        urd_pool *p = open_pool(kinds[i], NULL);
        urd_pool_flow *f;
        CHECK_EQ(urd_pool_flow_open(&f, p, square,
                                    &(urd_pool_flow_options){.source = count_up,
                                                             .arg = &c,
                                                             .in_bytes = sizeof(long),
                                                             .out_bytes = sizeof(long),
                                                             .inflow_max = INFLOW}),
                 0);
        for (long taken = 1; taken <= TAKEN; taken++) {
            urd_pool_result r;
            CHECK_EQ(urd_pool_flow_next(f, &r), 1);
            CHECK_LE(c.next, taken + INFLOW);
        }
        CHECK_EQ(urd_pool_flow_close(f), 0); /* with some on their way */
        CHECK_EQ(urd_pool_close(p), 0);
    }
    return 0;
}

TEST(an_endless_source_is_read_no_further_than_the_inflow)
{
    run_all(endless);
}

static int slowly(void *arg, void *in)
{
    long *given = arg;
    CHECK_EQ(urd_sleep(URD_MS), 0); /* what was given before is done now */
    *(long *)in = *given;
    return (*given)++ < 6;
}

static int results_first(void *arg)
{
    (void)arg;
    long given = 0;
    urd_pool *p = open_pool(URD_TASK, NULL);
    urd_pool_flow *f;
    urd_pool_flow_options o = {.source = slowly,
                               .arg = &given,
                               .in_bytes = sizeof(long),
                               .out_bytes = sizeof(long),
                               .inflow_max = 100};
    CHECK_EQ(urd_pool_flow_open(&f, p, square, &o), 0);
    urd_pool_result r;
    for (long taken = 1; taken <= 6; taken++) {
        CHECK_EQ(urd_pool_flow_next(f, &r), 1);
        CHECK_LE(given, taken + 1);
    }
    CHECK_EQ(urd_pool_flow_next(f, &r), 0);
    CHECK_EQ(urd_pool_flow_close(f), 0);
    return urd_pool_close(p);
}

TEST(a_result_that_is_there_does_not_wait_for_the_source_to_fill_the_inflow)
{
    test_run(results_first);
}

/* ---- Errors ---------------------------------------------------------------------------------- */

static int fail_each_third(const void *in, void *out)
{
    long v = *(const long *)in;
    *(long *)out = v;
    return v % 3 == 0 ? -EXDEV : 0;
}

static int errors(void *arg)
{
    (void)arg;
    for (int i = 0; i < KINDS; i++) {
        counter c = {.last = 60, .end = -EIO};
        urd_pool *p = open_pool(kinds[i], NULL);
        urd_pool_flow *f = open_flow(p, fail_each_third, &c, false);
        urd_pool_result r;
        int rc, n = 0;
        for (; (rc = urd_pool_flow_next(f, &r)) == 1; n++)
            CHECK_EQ(r.result, r.index % 3 == 0 ? -EXDEV : 0);
        CHECK_EQ(rc, -EIO);
        CHECK_EQ(n, 60);
        CHECK_EQ(urd_pool_flow_next(f, &r), -EIO);
        CHECK_EQ(urd_pool_flow_close(f), 0);
        CHECK_EQ(urd_pool_close(p), 0);
    }
    return 0;
}

TEST(an_error_of_one_is_in_its_result_and_one_of_the_source_comes_last)
{
    run_all(errors);
}

/* Of an argument: its number, and a gate that the last one opens as it is made. */
typedef struct gated {
    int *gate;
    long number;
} gated;

enum { GATED = 12 };

static int make_gated(void *arg, void *in)
{
    gated *g = arg;
    if (g->number == GATED)
        return 0;
    *(gated *)in = *g;
    urd__store_rel(g->gate, ++g->number == GATED);
    return 1;
}

static int fail_at_4_and_9(const void *in, void *out)
{
    const gated *g = in;
    int rc = at_gate(&g->gate, out);
    return rc ? rc : g->number == 4 ? -EXDEV : g->number == 9 ? -EDOM : 0;
}

/* All were given before the first result, and are run; those before `taken` are taken. */
static int close_after(urd_kind kind, size_t taken)
{
    gated g = {.gate = urd_shared_alloc(sizeof *g.gate)};
    urd_pool *p = open_pool(kind, NULL);
    urd_pool_flow *f;
    urd_pool_flow_options o = {
        .source = make_gated, .arg = &g, .in_bytes = sizeof g, .ordered = true};
    *g.gate = 0;
    CHECK_EQ(urd_pool_flow_open(&f, p, fail_at_4_and_9, &o), 0);
    for (size_t n = 0; n < taken; n++) {
        urd_pool_result r;
        CHECK_EQ(urd_pool_flow_next(f, &r), 1);
        CHECK_EQ(r.index, n);
    }
    for (urd_pool_state state = {0}; state.ended < GATED; urd_pool_get(p, &state))
        CHECK_EQ(urd_sleep(URD_MS), 0);
    int rc = urd_pool_flow_close(f);
    CHECK_EQ(urd_pool_close(p), 0);
    urd_shared_free(g.gate);
    return rc;
}

static int close_early(void *arg)
{
    (void)arg;
    for (int i = 0; i < KINDS; i++) {
        CHECK_EQ(close_after(kinds[i], 1), -EXDEV);
        CHECK_EQ(close_after(kinds[i], 4), -EXDEV);
        CHECK_EQ(close_after(kinds[i], 5), -EDOM); /* the first was seen */
        CHECK_EQ(close_after(kinds[i], 10), 0);
    }
    return 0;
}

TEST(a_close_returns_the_first_error_that_nobody_took)
{
    run_all(close_early);
}

/* Eight jobs that stand at the gate, of which so many are given; none has ended. */
static urd_pool_flow *open_stuck(urd_pool *p, int **in, int inflow)
{
    urd_pool_flow *f;
    urd_pool_flow_options o = {.in = in, .n = 8, .in_bytes = sizeof *in, .inflow_max = inflow};
    CHECK_EQ(urd_pool_flow_open(&f, p, at_gate, &o), 0);
    urd_pool_result r;
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_deadline(&s, urd_now() + URD_MS);
    CHECK_EQ(urd_pool_flow_next(f, &r), -ECANCELED);
    CHECK_EQ(urd_scope_join(&s), -ETIMEDOUT);
    return f;
}

static int close_cancelled(void *arg)
{
    (void)arg;
    int *gate = urd_shared_alloc(sizeof *gate), *in[8];
    for (int i = 0; i < 8; i++)
        in[i] = gate;
    for (int i = 0; i < KINDS; i++) {
        urd_pool *p = open_pool(kinds[i], NULL);
        urd_pool_flow *f = open_stuck(p, in, 8);
        urd_pool_cancel(p);
        urd__store_rel(gate, 1);
        CHECK_EQ(urd_pool_flow_close(f), 0); /* that they never began is what was asked for */
        CHECK_EQ(urd_pool_close(p), -ECANCELED);
        *gate = 0;
    }
    urd_shared_free(gate);
    return 0;
}

TEST(what_was_cancelled_is_no_error_of_the_close)
{
    run_all(close_cancelled);
}

static int die_at_7(const void *in, void *out)
{
    long v = *(const long *)in;
    *(long *)out = v;
    return v % 10 == 7 ? kill(getpid(), SIGKILL) : 0;
}

static int deaths(void *arg)
{
    (void)arg;
    for (int ordered = 0; ordered < 2; ordered++) {
        counter c = {.last = 20};
        urd_pool *p = open_pool(URD_PROCESS, NULL);
        urd_pool_flow *f = open_flow(p, die_at_7, &c, ordered);
        int n = 0, died = 0;
        for (urd_pool_result r; urd_pool_flow_next(f, &r) == 1; n++) {
            bool killed = r.index % 10 == 7;
            died += killed;
            CHECK_EQ(r.result, killed ? -ECHILD : 0);
            CHECK_STR(r.detail, killed ? "killed by SIGKILL" : "");
            CHECK(killed || *(const long *)r.out == (long)r.index);
        }
        CHECK_EQ(n, 20);
        CHECK_EQ(died, 2);
        CHECK_EQ(urd_pool_flow_close(f), 0);
        CHECK_EQ(urd_pool_close(p), 0);
    }
    return 0;
}

TEST(a_worker_that_dies_fails_one_result_and_the_flow_goes_on)
{
    run_all(deaths);
}

/* ---- Cancels --------------------------------------------------------------------------------- */

static int deadline_then_on(void *arg)
{
    (void)arg;
    enum { N = 20 };
    int *gate = urd_shared_alloc(sizeof *gate), *in[N];
    for (int i = 0; i < N; i++)
        in[i] = gate;
    for (int i = 0; i < KINDS; i++) {
        *gate = 0;
        urd_pool *p = open_pool(kinds[i], NULL);
        urd_pool_flow *f;
        urd_pool_flow_options o = {.in = in, .n = N, .in_bytes = sizeof *in, .inflow_max = 4};
        CHECK_EQ(urd_pool_flow_open(&f, p, at_gate, &o), 0);
        urd_pool_result r;
        urd_scope s;
        urd_scope_open(&s);
        urd_scope_deadline(&s, urd_now() + 5 * URD_MS);
        CHECK_EQ(urd_pool_flow_next(f, &r), -ECANCELED);
        CHECK_EQ(urd_pool_flow_next(f, &r), -ECANCELED);
        CHECK_EQ(urd_scope_join(&s), -ETIMEDOUT);
        urd__store_rel(gate, 1);
        int n = 0;
        for (; urd_pool_flow_next(f, &r) == 1; n++)
            CHECK_EQ(r.result, 0);
        CHECK_EQ(n, N);
        CHECK_EQ(urd_pool_flow_close(f), 0);
        CHECK_EQ(urd_pool_close(p), 0);
    }
    urd_shared_free(gate);
    return 0;
}

TEST(a_deadline_ends_the_wait_for_a_result_and_the_flow_can_go_on)
{
    run_all(deadline_then_on);
}

static int cancelled_pool(void *arg)
{
    (void)arg;
    int *gate = urd_shared_alloc(sizeof *gate), *in[8];
    for (int i = 0; i < 8; i++)
        in[i] = gate;
    for (int i = 0; i < KINDS; i++) {
        *gate = 0;
        urd_pool *p = open_pool(kinds[i], NULL);
        urd_pool_flow *f = open_stuck(p, in, 4);
        urd_pool_result r;
        urd_pool_cancel(p);
        urd__store_rel(gate, 1);
        int rc, n = 0;
        for (; (rc = urd_pool_flow_next(f, &r)) == 1; n++)
            CHECK(r.result == 0 || r.result == -ECANCELED);
        CHECK_EQ(rc, -ECANCELED);
        CHECK_EQ(n, 4); /* those that were given */
        CHECK_EQ(urd_pool_flow_close(f), 0);
        CHECK_EQ(urd_pool_close(p), -ECANCELED);
    }
    urd_shared_free(gate);
    return 0;
}

TEST(a_cancelled_pool_gives_back_what_it_was_given_and_ends_the_flow)
{
    run_all(cancelled_pool);
}

/* ---- Where it is used ------------------------------------------------------------------------ */

static urd_pool *own;

static int sum_of_squares(const void *in, void *out)
{
    counter c = {.last = *(const long *)in};
    urd_pool_flow *f = open_flow(own, square, &c, false);
    *(long *)out = 0;
    for (urd_pool_result r; urd_pool_flow_next(f, &r) == 1;)
        *(long *)out += *(const long *)r.out;
    CHECK_EQ(urd_pool_flow_close(f), 0);
    return 0;
}

static int nested(void *arg)
{
    (void)arg;
    enum { N = 10 };
    long in[N], out[N];
    for (int i = 0; i < N; i++)
        in[i] = i;
    for (int k = 0; k < 2; k++) { /* not for processes: their parent's pool is not theirs */
        own = open_pool(kinds[k], NULL);
        CHECK_EQ(urd_pool_map(own, sum_of_squares, in, out, N), 0);
        CHECK_EQ(out[4], 0 + 1 + 4 + 9);
        CHECK_EQ(urd_pool_close(own), 0);
    }
    return 0;
}

TEST(a_job_may_use_a_flow_of_its_own_pool)
{
    run_all(nested);
}

static int wrong(void *arg)
{
    (void)arg;
    urd_pool *p = open_pool(URD_TASK, NULL);
    urd_pool_flow *f = (urd_pool_flow *)&f;
    CHECK_EQ(urd_pool_flow_open(&f, p, square, &(urd_pool_flow_options){.inflow_max = -1}),
             -EINVAL);
    CHECK(!f);
    CHECK_EQ(
        urd_pool_flow_open(&f, p, square, &(urd_pool_flow_options){.source = count_up, .n = 3}),
        -EINVAL);
    CHECK_EQ(
        urd_pool_flow_open(&f, p, square,
                           &(urd_pool_flow_options){.source = count_up, .in_bytes = SIZE_MAX / 2}),
        -ENOMEM);
    CHECK_EQ(urd_pool_flow_close(NULL), 0);
    CHECK_EQ(urd_pool_flow_open(&f, p, square, &(urd_pool_flow_options){0}), 0);
    urd_pool_result r;
    CHECK_EQ(urd_pool_flow_next(f, &r), 0); /* an array of nothing */
    CHECK_EQ(urd_pool_flow_close(f), 0);
    return urd_pool_close(p);
}

TEST(wrong_options_of_a_flow_are_refused)
{
    test_run(wrong);
}

static int return_3(void *arg, void *in)
{
    (void)arg, (void)in;
    return 3;
}

static int misuse(void *arg)
{
    (void)arg;
    urd_pool *p = open_pool(URD_TASK, NULL);
    urd_pool_flow *f;
    urd_pool_result r;
    CHECK_EQ(urd_pool_flow_open(&f, p, square, &(urd_pool_flow_options){.source = return_3}), 0);
    return urd_pool_flow_next(f, &r);
}

static void run_misuse(void)
{
    test_run(misuse);
}

TEST(a_source_that_returns_neither_1_nor_0_nor_an_error_aborts)
{
    CHECK_ABORTS(run_misuse, "a source of a flow returned 3");
}
