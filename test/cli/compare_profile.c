/*
 * compare_profile.c - stamps and samples that were chosen: what did each job do when?
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "compare/compare.h"
#include "test.h"

enum { STRETCHES = 16 };

static urd__record job(pid_t tid, urd__stamp start, urd__stamp end)
{
    return (urd__record){.tid = tid, .start = start, .end = end};
}

static void check_near(double value, double expected)
{
    double off = value - expected;
    if (off > 0.005 || off < -0.005)
        FAIL("%g, but expected %g", value, expected);
}

TEST(a_job_alone_on_its_thread_ran_what_the_thread_ran)
{
    urd__record records[] = {job(7, (urd__stamp){1000, 50, 5}, (urd__stamp){2000, 350, 105})};
    urd__run run = {.jobs = 1, .records = records, .begun = 900, .wall = 1200};
    urd__profile profile;
    CHECK(urd__profile_make(&profile, &run));
    check_near(urd__profile_waiting(&profile), 0.6);
    urd__stretch s[STRETCHES];
    CHECK_EQ(urd__profile_job(&profile, 0, 1, s, STRETCHES), 1);
    CHECK_EQ(s[0].from, 100);
    CHECK_EQ(s[0].to, 1100);
    check_near(s[0].running, 0.3);
    check_near(s[0].ready, 0.1);
    urd__profile_free(&profile);
}

TEST(samples_part_a_life_into_running_and_waiting)
{
    urd__record records[] = {job(7, (urd__stamp){1000, 0, 0}, (urd__stamp){2000, 500, 0})};
    urd__sample samples[] = {{7, {1500, 500, 0}}, {8, {1600, 9999, 0}}, {7, {1800, 500, 0}}};
    urd__run run = {.jobs = 1,
                    .records = records,
                    .begun = 1000,
                    .wall = 1000,
                    .samples = samples,
                    .sample_count = 3};
    urd__profile profile;
    CHECK(urd__profile_make(&profile, &run));
    urd__stretch s[STRETCHES];
    CHECK_EQ(urd__profile_job(&profile, 0, 1, s, STRETCHES), 2);
    CHECK_EQ(s[0].to, 500);
    check_near(s[0].running, 1);
    CHECK_EQ(s[1].to, 1000);
    check_near(s[1].running, 0);
    CHECK_EQ(urd__profile_job(&profile, 0, 1, s, 1), 1);
    check_near(s[0].running, 0.5);
    urd__profile_free(&profile);
}

TEST(tasks_on_one_worker_share_what_it_ran)
{
    /* Both live from 0 to 1000; one alone until 2000, while the worker runs all the time. */
    urd__record records[] = {job(7, (urd__stamp){100, 0, 0}, (urd__stamp){1100, 1000, 0}),
                             job(7, (urd__stamp){101, 0, 0}, (urd__stamp){2100, 2000, 0})};
    urd__run run = {.jobs = 2, .records = records, .begun = 100, .wall = 2000};
    urd__profile profile;
    CHECK(urd__profile_make(&profile, &run));
    check_near(urd__profile_waiting(&profile), 1 - 2000.0 / 2999.0);
    urd__stretch s[STRETCHES];
    CHECK_EQ(urd__profile_job(&profile, 1, 1, s, STRETCHES), 2);
    check_near(s[0].running, 0.5);
    check_near(s[1].running, 1);
    urd__profile_free(&profile);
}

TEST(time_booked_too_late_goes_to_the_stretches_before)
{
    urd__record records[] = {job(7, (urd__stamp){0, 0, 0}, (urd__stamp){3000, 2000, 1000})};
    records[0].start.time = 1000;
    records[0].end.time = 4000;
    urd__sample samples[] = {{7, {2000, 0, 0}}, {7, {3000, 0, 0}}};
    urd__run run = {.jobs = 1,
                    .records = records,
                    .begun = 1000,
                    .wall = 3000,
                    .samples = samples,
                    .sample_count = 2};
    urd__profile profile;
    CHECK(urd__profile_make(&profile, &run));
    urd__stretch s[STRETCHES];
    CHECK_EQ(urd__profile_job(&profile, 0, 1, s, STRETCHES), 2);
    check_near(s[0].running, 0);
    check_near(s[0].ready, 1);
    check_near(s[1].running, 1);
    check_near(s[1].ready, 0);
    CHECK_EQ(s[1].to - s[1].from, 2000);
    urd__profile_free(&profile);
}

TEST(a_clock_that_a_sample_shows_too_late_does_not_run_back)
{
    urd__record records[] = {job(7, (urd__stamp){1000, 400, 0}, (urd__stamp){2000, 900, 0})};
    urd__sample samples[] = {{7, {1500, 300, 0}}};
    urd__run run = {.jobs = 1,
                    .records = records,
                    .begun = 1000,
                    .wall = 1000,
                    .samples = samples,
                    .sample_count = 1};
    urd__profile profile;
    CHECK(urd__profile_make(&profile, &run));
    check_near(urd__profile_waiting(&profile), 0.5);
    urd__profile_free(&profile);
}

TEST(a_job_that_did_not_end_has_no_stretches)
{
    urd__record records[] = {job(7, (urd__stamp){1000, 0, 0}, (urd__stamp){0, 0, 0})};
    urd__run run = {.jobs = 1, .records = records, .begun = 1000, .wall = 1000};
    urd__profile profile;
    CHECK(urd__profile_make(&profile, &run));
    urd__stretch s[STRETCHES];
    CHECK_EQ(urd__profile_job(&profile, 0, 1, s, STRETCHES), 0);
    CHECK(urd__profile_waiting(&profile) < 0);
    urd__profile_free(&profile);
}

TEST(a_job_of_no_length_counts_as_one)
{
    urd__record records[] = {job(7, (urd__stamp){1000, 10, 0}, (urd__stamp){1000, 10, 0}),
                             job(7, (urd__stamp){1000, 10, 0}, (urd__stamp){1100, 110, 0})};
    urd__run run = {.jobs = 2, .records = records, .begun = 1000, .wall = 100};
    urd__profile profile;
    CHECK(urd__profile_make(&profile, &run));
    urd__stretch s[STRETCHES];
    CHECK_EQ(urd__profile_job(&profile, 0, 1, s, STRETCHES), 1);
    CHECK_EQ(s[0].to, 1);
    check_near(urd__profile_waiting(&profile), 0);
    urd__profile_free(&profile);
}
