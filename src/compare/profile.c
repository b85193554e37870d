/*
 * profile.c - what each job did when: ran, stood ready, or waited.
 *
 * SPDX-License-Identifier: MIT
 *
 * The kernel knows what a thread used, not what a task did.  A thread's use between two points is
 * shared out evenly among the jobs that were alive on it: exact for threads, processes and a single
 * task, a fair guess for several tasks on one worker; and the sum is always right.
 *
 * Samples lag: the kernel brings a running thread's clock up to date at its ticks only, and books
 * the time a thread stood ready when it gets a core again.  So clocks are made to never run back,
 * and ready time that does not fit into its stretch goes into those before.
 */
#include <stdlib.h>
#include <string.h>

#include "compare/compare.h"

static int by_thread_and_time(const void *left, const void *right)
{
    const urd__point *a = left, *b = right;
    if (a->tid != b->tid)
        return a->tid < b->tid ? -1 : 1;
    if (a->at.time != b->at.time)
        return a->at.time < b->at.time ? -1 : 1;
    return a->change - b->change;
}

/* Walk each thread's points, sharing its use among the jobs alive. */
static void share_out(urd__profile *profile)
{
    int alive = 0;
    urd__stamp last = {0};
    double cpu_each = 0, ready_each = 0;
    for (int i = 0; i < profile->count; i++) {
        urd__point *point = &profile->points[i];
        if (i == 0 || point->tid != profile->points[i - 1].tid) {
            alive = 0;
            last = point->at;
            cpu_each = ready_each = 0;
        }
        if (point->at.cpu > last.cpu) {
            cpu_each += alive > 0 ? (double)(point->at.cpu - last.cpu) / alive : 0;
            last.cpu = point->at.cpu;
        }
        if (point->at.ready > last.ready) {
            ready_each += alive > 0 ? (double)(point->at.ready - last.ready) / alive : 0;
            last.ready = point->at.ready;
        }
        point->cpu_each = cpu_each;
        point->ready_each = ready_each;
        alive += point->change;
    }
}

bool urd__profile_make(urd__profile *profile, const urd__run *run)
{
    size_t room = (size_t)run->jobs * 2 + (size_t)run->sample_count + 1;
    *profile = (urd__profile){.run = run, .points = calloc(room, sizeof *profile->points)};
    if (!profile->points)
        return false;
    for (int i = 0; i < run->jobs; i++) {
        const urd__record *record = &run->records[i];
        if (record->end.time == 0)
            continue;
        profile->points[profile->count++] =
            (urd__point){.tid = record->tid, .job = i, .change = 1, .at = record->start};
        urd__point end = {.tid = record->tid, .job = i, .change = -1, .at = record->end};
        if (end.at.time <= record->start.time)
            end.at.time = record->start.time + 1; /* sorted after its start */
        profile->points[profile->count++] = end;
    }
    for (int i = 0; i < run->sample_count; i++)
        profile->points[profile->count++] =
            (urd__point){.tid = run->samples[i].tid, .job = -1, .at = run->samples[i].at};
    qsort(profile->points, (size_t)profile->count, sizeof *profile->points, by_thread_and_time);
    share_out(profile);
    return true;
}

void urd__profile_free(urd__profile *profile)
{
    free(profile->points);
    *profile = (urd__profile){0};
}

double urd__profile_waiting(const urd__profile *profile)
{
    double lives = 0, used = 0;
    for (int i = 0; i < profile->count; i++) {
        const urd__point *point = &profile->points[i];
        if (point->job < 0)
            continue;
        const urd__record *record = &profile->run->records[point->job];
        if (point->change > 0)
            lives += (double)(record->end.time - record->start.time);
        used -= point->change * (point->cpu_each + point->ready_each);
    }
    if (lives <= 0)
        return -1;
    double waiting = 1 - used / lives;
    return waiting < 0 ? 0 : waiting > 1 ? 1 : waiting;
}

static int find(const urd__profile *profile, int job)
{
    pid_t tid = profile->run->records[job].tid;
    int64_t time = profile->run->records[job].start.time;
    int low = 0, high = profile->count;
    while (low < high) {
        int middle = low + (high - low) / 2;
        const urd__point *point = &profile->points[middle];
        if (point->tid < tid || (point->tid == tid && point->at.time < time))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* What was booked too late to fit into its stretch belongs to those before it: *share of each is
 * of at most `room`, a share too. */
static double carry_back(double *share, double length, double room, double carried)
{
    double has = *share * length + carried;
    double most = room * length;
    *share = length > 0 ? (has < most ? has : most) / length : 0;
    return has < most ? 0 : has - most;
}

static void settle(urd__stretch *out, int count)
{
    double running = 0, ready = 0;
    for (int i = count - 1; i >= 0; i--) {
        double length = (double)(out[i].to - out[i].from);
        running = carry_back(&out[i].running, length, 1, running);
        ready = carry_back(&out[i].ready, length, 1 - out[i].running, ready);
    }
}

static int join_alike(urd__stretch *out, int count)
{
    int kept = 0;
    for (int i = 0; i < count; i++) {
        urd__stretch *last = kept > 0 ? &out[kept - 1] : NULL;
        double d = last ? last->running - out[i].running : 1;
        double e = last ? last->ready - out[i].ready : 1;
        if (last && d < 0.08 && d > -0.08 && e < 0.08 && e > -0.08)
            last->to = out[i].to;
        else
            out[kept++] = out[i];
    }
    return kept;
}

int urd__profile_job(const urd__profile *profile, int i, int64_t grain, urd__stretch *out, int max)
{
    const urd__run *run = profile->run;
    const urd__record *record = &run->records[i];
    if (record->end.time == 0 || max < 1)
        return 0;
    int count = 0;
    int at = find(profile, i);
    const urd__point *from = &profile->points[at];
    for (at++; at < profile->count && profile->points[at].tid == record->tid; at++) {
        const urd__point *to = &profile->points[at];
        bool last = to->job == i && to->change < 0;
        int64_t length = to->at.time - from->at.time;
        if (!last && (length < grain || count == max - 1))
            continue;
        double divisor = (double)(length > 0 ? length : 1);
        out[count++] = (urd__stretch){.from = from->at.time - run->begun,
                                      .to = to->at.time - run->begun,
                                      .running = (to->cpu_each - from->cpu_each) / divisor,
                                      .ready = (to->ready_each - from->ready_each) / divisor};
        from = to;
        if (last)
            break;
    }
    settle(out, count);
    return join_alike(out, count);
}
