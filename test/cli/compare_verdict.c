/*
 * compare_verdict.c - numbers that were chosen, not measured: is the right verdict given?
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "compare/compare.h"
#include "test.h"
#include "urd.h"

static urd__options options = {.models = {true, true, true, true}, .runs = 3};
static urd__record records[8];

/* In ms and KiB: wall, CPU; and the waiting share. */
typedef struct numbers {
    double wall, cpu, waiting;
    long memory;
} numbers;

static urd__report report_of(const numbers *n)
{
    urd__report report = {.options = &options, .file = "jobs.c", .jobs = 8, .cores = 2};
    for (int i = 0; i < MODELS; i++) {
        urd__result *result = &report.results[i];
        result->wanted = result->good = n[i].wall > 0;
        result->run = (urd__run){.wall = (int64_t)(n[i].wall * 1e6),
                                 .usage = {.user = (int64_t)(n[i].cpu * 1e6)},
                                 .waiting = n[i].waiting,
                                 .memory_peak = n[i].memory * 1024,
                                 .other_cores = -1,
                                 .jobs = 8,
                                 .records = records};
        result->speedup = n[0].wall > 0 && n[i].wall > 0 ? n[0].wall / n[i].wall : -1;
        result->startup = 100;
        result->walls[0] = result->run.wall;
        result->runs = 1;
    }
    return report;
}

static urd__report judged(const numbers *n)
{
    unsetenv("LC_ALL");
    unsetenv("LC_MESSAGES");
    unsetenv("LANG");
    urd__report report = report_of(n);
    urd__verdict_make(&report);
    return report;
}

static const numbers waits[MODELS] = {
    {800, 1, 1, 300}, {101, 1, 1, 350}, {101, 2, 1, 500}, {102, 6, 1, 1500}};

TEST(jobs_that_wait_fit_tasks_for_their_memory)
{
    urd__report report = judged(waits);
    CHECK_EQ(report.verdict.class, CLASS_WAITING);
    CHECK_EQ(report.verdict.model, TASKS);
    CHECK_CONTAINS(report.verdict.because, "wait 100 % of the time and use 1.00 ms of CPU");
    CHECK_CONTAINS(report.verdict.because, "101 ms instead of 800 ms");
    CHECK_CONTAINS(report.verdict.because, "least memory (350 KiB)");
    /* 2 cores, 101 ms each, 0.125 ms of CPU a job: 1616, of which two digits count */
    CHECK_CONTAINS(report.verdict.expect, "at 125 µs of CPU a job, 2 core(s) carry about 1600");
    CHECK_STR(report.verdict.note, "");
}

TEST(tasks_that_hold_up_their_worker_are_told_to_wait_with_urd_calls)
{
    numbers n[MODELS];
    memcpy(n, waits, sizeof n);
    n[TASKS].wall = 400;
    urd__report report = judged(n);
    CHECK_EQ(report.verdict.class, CLASS_WAITING);
    CHECK_EQ(report.verdict.model, THREADS);
    CHECK_CONTAINS(report.verdict.because, "as tasks they take 400 ms against 101 ms as threads");
    CHECK_CONTAINS(report.verdict.because, "urd_sleep");
}

TEST(tasks_that_are_late_but_all_alive_are_not_said_to_block)
{
    numbers n[MODELS];
    memcpy(n, waits, sizeof n);
    n[TASKS].wall = 150;
    for (int i = 0; i < 8; i++) {
        records[i].start.time = 1000 + i;
        records[i].end.time = 2000;
    }
    urd__report report = judged(n);
    CHECK_EQ(report.verdict.class, CLASS_WAITING);
    CHECK_EQ(report.verdict.model, THREADS);
    CHECK_CONTAINS(report.verdict.because, "As threads the waits overlap");

    report = report_of(n); /* and on a busy machine such a lag says nothing */
    for (int i = 0; i < MODELS; i++)
        report.results[i].run.other_cores = 1;
    urd__verdict_make(&report);
    CHECK_EQ(report.verdict.model, TASKS);
}

TEST(waits_that_do_not_overlap_stand_in_line)
{
    const numbers n[MODELS] = {
        {800, 1, 1, 300}, {790, 1, 1, 350}, {795, 2, 1, 500}, {810, 6, 1, 1500}};
    urd__report report = judged(n);
    CHECK_EQ(report.verdict.class, CLASS_CONTENDED);
    CHECK_EQ(report.verdict.model, SEQUENTIAL);
    CHECK_CONTAINS(report.verdict.because, "(1.01 times at best, as tasks)");
}

static const numbers computes[MODELS] = {
    {400, 400, 0, 300}, {204, 400, 0, 350}, {200, 400, 0, 500}, {202, 410, 0, 1500}};

TEST(jobs_that_compute_fit_tasks_when_they_are_as_fast)
{
    urd__report report = judged(computes);
    CHECK_EQ(report.verdict.class, CLASS_CPU);
    CHECK_EQ(report.verdict.model, TASKS);
    CHECK_CONTAINS(report.verdict.because, "As tasks they are 1.96 times as fast on 2 cores (1.96");
    CHECK_CONTAINS(report.verdict.because, "start in 100 ns");
    /* serial = (2 / 1.96 - 1) / (2 - 1) = 2 %; on 4 cores 1 / (0.02 + 0.98 / 4) = 3.8 */
    CHECK_CONTAINS(report.verdict.expect, "with 4 cores about 3.8 times the speed (Amdahl, 2 %");
}

TEST(jobs_that_compute_fit_the_fastest_otherwise)
{
    numbers n[MODELS];
    memcpy(n, computes, sizeof n);
    n[TASKS].wall = n[THREADS].wall = 300;
    urd__report report = judged(n);
    CHECK_EQ(report.verdict.class, CLASS_CPU);
    CHECK_EQ(report.verdict.model, PROCESSES);
    CHECK_CONTAINS(report.verdict.because, "the fastest here");
}

TEST(no_gain_from_any_model_is_said)
{
    numbers n[MODELS];
    memcpy(n, computes, sizeof n);
    n[TASKS].wall = n[THREADS].wall = n[PROCESSES].wall = 390;
    urd__report report = judged(n);
    CHECK_EQ(report.verdict.class, CLASS_CPU);
    CHECK_EQ(report.verdict.model, SEQUENTIAL);
    CHECK_CONTAINS(report.verdict.because, "reaches 1.03 times the speed");
}

TEST(other_programs_that_hold_the_cores_are_blamed_for_it)
{
    numbers n[MODELS];
    memcpy(n, computes, sizeof n);
    n[TASKS].wall = n[THREADS].wall = n[PROCESSES].wall = 390;
    urd__report report = report_of(n);
    for (int i = 0; i < MODELS; i++)
        report.results[i].run.other_cores = 0.9;
    urd__verdict_make(&report);
    CHECK_EQ(report.verdict.class, CLASS_CPU);
    CHECK_CONTAINS(report.verdict.because, "other programs hold 0.9 of the 2 cores");
    CHECK_CONTAINS(report.verdict.note, "used 0.9 of the 2 cores");
}

TEST(jobs_that_do_both_are_mixed)
{
    const numbers n[MODELS] = {
        {800, 400, 0.5, 300}, {220, 400, 0.1, 350}, {210, 400, 0.1, 500}, {215, 410, 0.1, 1500}};
    records[3].end.time = 100000000;
    urd__report report = judged(n);
    CHECK_EQ(report.verdict.class, CLASS_MIXED);
    CHECK_EQ(report.verdict.model, TASKS);
    CHECK_CONTAINS(report.verdict.because, "compute 50 % of the time and wait the other 50 %");
    CHECK_CONTAINS(report.verdict.expect, "200 ms (400 ms of CPU on 2 cores)");
    CHECK_CONTAINS(report.verdict.expect, "longest job, 100 ms");
}

TEST(threads_that_stand_in_line_are_sent_to_processes)
{
    const numbers n[MODELS] = {
        {100, 100, 0, 300}, {240, 240, 0.4, 350}, {300, 260, 0.3, 500}, {52, 104, 0, 1500}};
    urd__report report = judged(n);
    CHECK_EQ(report.verdict.class, CLASS_CONTENDED);
    CHECK_EQ(report.verdict.model, PROCESSES);
    CHECK_CONTAINS(report.verdict.because, "0.33 times the speed with 2.6 times the CPU");
    CHECK_CONTAINS(report.verdict.because, "waiting 30 % of the time");
    CHECK_CONTAINS(report.verdict.because, "1.92 times as fast");
}

TEST(either_more_cpu_or_more_waiting_shows_a_line)
{
    numbers n[MODELS] = {
        {100, 100, 0, 300}, {240, 240, 0, 350}, {110, 190, 0, 500}, {52, 104, 0, 1500}};
    CHECK_EQ(judged(n).verdict.class, CLASS_CONTENDED);
    n[THREADS] = (numbers){110, 105, 0.4, 500};
    CHECK_EQ(judged(n).verdict.class, CLASS_CONTENDED);
    n[THREADS] = (numbers){110, 105, 0.1, 500}; /* neither: threads that are just slow */
    CHECK_EQ(judged(n).verdict.class, CLASS_CPU);
}

TEST(what_processes_share_too_is_looked_for_elsewhere)
{
    const numbers n[MODELS] = {
        {100, 100, 0, 300}, {240, 240, 0.4, 350}, {300, 260, 0.3, 500}, {290, 260, 0.3, 1500}};
    urd__report report = judged(n);
    CHECK_EQ(report.verdict.class, CLASS_CONTENDED);
    CHECK_EQ(report.verdict.model, SEQUENTIAL);
    CHECK_CONTAINS(report.verdict.because, "processes do not help either");
}

TEST(too_little_work_is_not_judged)
{
    const numbers n[MODELS] = {{3, 3, 0, 300}, {2, 3, 0, 350}, {2, 3, 0, 500}, {2, 4, 0, 1500}};
    urd__report report = judged(n);
    CHECK_EQ(report.verdict.class, CLASS_SHORT);
    CHECK_EQ(report.verdict.model, MODELS);
}

TEST(without_the_sequential_run_nothing_is_judged)
{
    numbers n[MODELS];
    memcpy(n, computes, sizeof n);
    n[SEQUENTIAL].wall = 0;
    CHECK_EQ(judged(n).verdict.class, CLASS_UNKNOWN);
    memcpy(n, computes, sizeof n);
    n[TASKS].wall = n[THREADS].wall = n[PROCESSES].wall = 0;
    CHECK_EQ(judged(n).verdict.class, CLASS_UNKNOWN);
}

TEST(runs_that_differ_much_are_noted)
{
    urd__report report = report_of(computes);
    report.results[SEQUENTIAL].walls[1] = 900000000;
    report.results[SEQUENTIAL].runs = 2;
    urd__verdict_make(&report);
    CHECK_CONTAINS(report.verdict.note, "sequential took from 400 ms to 900 ms");
}
