/*
 * advise_facts.c - what is seen of threads that compute one at a time, with times that were chosen.
 *
 * SPDX-License-Identifier: MIT
 */
#include "advise/advise.h"
#include "test.h"
#include "urd.h"

enum { THREADS = 4 };

static urd__watched w;
static urd__process process;
static urd__thread threads[THREADS];
static urd__thread *all[THREADS];

/* Each runs for a second of its life, and waits or stands ready in the rest. */
static urd__nature seen(const double *lives, double ready)
{
    process = (urd__process){.threads_seen = THREADS, .language = LANGUAGE_NATIVE};
    w = (urd__watched){.threads = all, .thread_count = THREADS, .cache_bytes = 1 << 20};
    for (int i = 0; i < THREADS; i++) {
        double life = lives[i] * (double)URD_SECOND, rest = life - (double)URD_SECOND;
        threads[i] = (urd__thread){.process = &process,
                                   .ended = (int64_t)life,
                                   .switches = (int)(lives[i] * 100),
                                   .in = {[STATE_RUN] = (double)URD_SECOND,
                                          [STATE_READY] = rest * ready,
                                          [STATE_WORK] = rest * (1 - ready)}};
        all[i] = &threads[i];
        for (int s = 0; s < STATES; s++)
            process.in[s] += threads[i].in[s];
        w.ended = w.ended > threads[i].ended ? w.ended : threads[i].ended;
    }
    return urd__advice_of_process(&w, &process).nature;
}

TEST(threads_that_run_one_at_a_time_take_turns)
{
    CHECK_EQ(seen((double[]){4, 4, 4, 4}, 0), NATURE_TURNS);
}

TEST(who_had_many_turns_in_a_row_is_done_early)
{
    CHECK_EQ(seen((double[]){1, 2, 3, 4}, 0), NATURE_TURNS);
}

TEST(that_they_stand_ready_is_no_sign_of_work_at_once)
{
    CHECK_EQ(seen((double[]){8, 8, 8, 8}, 0.5), NATURE_TURNS);
}

TEST(threads_that_run_at_once_do_not_take_turns)
{
    CHECK_EQ(seen((double[]){2, 2, 2, 2}, 0), NATURE_CPU);
}
