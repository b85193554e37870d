/*
 * verdict.c - from the numbers to a verdict: what kind of work it is, and what fits it.
 *
 * SPDX-License-Identifier: MIT
 *
 * The sequential run tells what the work is in itself, since there nothing competes: the share of
 * the time in which it computes.  The other runs tell what becomes of it:
 *
 *   computes little              I/O-bound; tasks, unless they block in plain system calls
 *     ... and gets no faster     contended: the waits stand in line
 *   computes nearly all          CPU-bound; what is fastest, tasks when they are as fast
 *   in between                   mixed
 *   computes, but threads gain   contended: for the same data; processes, if they gain
 *   little and use more CPU or
 *   wait much more
 */
#include <stdio.h>
#include <string.h>

#include "compare/compare.h"
#include "ui/text.h"
#include "urd.h"

/* Shares and ratios at which one kind of work ends and the next begins. */
static const double waits_below = 0.30;    /* computing, of the sequential time */
static const double computes_above = 0.80; /* the same */
static const double near = 1.05;           /* as fast, for CPU work */
static const double near_waiting = 1.10;   /* as fast, for waits */
static const double gains = 1.20;          /* a speed-up worth the name */
static const double falls_short = 0.70;    /* of the cores there are */
static const double cpu_inflated = 1.40;   /* CPU against sequential */
static const double waits_more = 0.20;     /* added to the waiting share */
static const double busy_cores = 0.15;     /* of others, worth a note */
static const double half_a_core = 0.5;     /* of others, so that no gain means nothing */
static const double gains_busy = 2;        /* as near_waiting, while others have the cores */
static const double runs_differ = 1.4;     /* slowest against fastest */
static const int64_t too_short = 5 * URD_MS;

#define FILL(out, id, v) urd__fill(out, sizeof(out), id, v)

/* What the rest reads. */
typedef struct facts {
    urd__report *report;
    urd__verdict *verdict;
    const urd__result *results;
    const urd__run *sequential;
    urd__model best;  /* the fastest of the concurrent ones that work */
    double computing; /* share of the sequential time */
    int cores, jobs;
} facts;

static double smaller(double a, double b)
{
    return a < b ? a : b;
}

/* Cores that other programs used meanwhile; 0 where it is not known. */
static double others(const urd__report *report)
{
    double sum = 0;
    int n = 0;
    for (urd__model model = SEQUENTIAL; model < MODELS; model++) {
        const urd__result *result = &report->results[model];
        if (result->good && result->run.other_cores > 0) {
            sum += result->run.other_cores;
            n++;
        }
    }
    return n > 0 ? smaller(sum / n, report->cores) : 0;
}

static int64_t wall(const facts *f, urd__model model)
{
    return f->results[model].run.wall;
}

static bool as_fast(const facts *f, urd__model model, double ratio)
{
    return f->results[model].good && (double)wall(f, model) <= ratio * (double)wall(f, f->best);
}

/* Of those as fast as the best, the lightest. */
static urd__model lightest(const facts *f, double ratio)
{
    for (urd__model model = TASKS; model < MODELS; model++)
        if (as_fast(f, model, ratio))
            return model;
    return f->best;
}

static bool least_memory(const facts *f, urd__model model)
{
    for (urd__model other = TASKS; other < MODELS; other++)
        if (f->results[other].good &&
            f->results[other].run.memory_peak < f->results[model].run.memory_peak)
            return false;
    return true;
}

static void add_fit(urd__values *v, const facts *f, urd__model model, bool speed)
{
    char text[VALUE_BYTES];
    urd__values part = {0};
    if (!speed && least_memory(f, model)) {
        urd__add_bytes(&part, f->results[model].run.memory_peak);
        FILL(text, TEXT_FIT_LEAST_MEMORY, &part);
    } else if (speed && model != PROCESSES && f->results[model].startup >= 0) {
        urd__add_duration(&part, f->results[model].startup);
        FILL(text, TEXT_FIT_SAME_SPEED, &part);
    } else {
        FILL(text, TEXT_FIT_FASTEST, &part);
    }
    urd__add_text(v, text);
}

/* Two digits that count: what is said about jobs that were never run is an estimate. */
static void add_estimate(urd__values *v, double value)
{
    double unit = 1;
    while (value / unit >= 100)
        unit *= 10;
    urd__add_number(v, (double)(int64_t)(value / unit) * unit, 0);
}

/* Do tasks hold up their workers?  Then no more jobs are alive at any time than there are workers,
 * though there are more jobs. */
static bool tasks_block(const facts *f)
{
    const urd__run *run = &f->results[TASKS].run;
    if (!f->results[TASKS].good || f->jobs <= f->cores)
        return false;
    for (int i = 0; i < run->jobs; i++) {
        int64_t time = run->records[i].start.time;
        int alive = 0;
        for (int j = 0; j < run->jobs && alive <= f->cores; j++)
            alive += run->records[j].start.time <= time && run->records[j].end.time > time;
        if (alive > f->cores)
            return false;
    }
    return true;
}

static void judge_waiting(const facts *f)
{
    /* On a busy machine the few moments of computing decide who is first; that says nothing. */
    bool busy = others(f->report) > half_a_core;
    urd__model model = lightest(f, busy ? gains_busy : near_waiting);
    bool blocked = model != TASKS && tasks_block(f);
    f->verdict->class = CLASS_WAITING;
    f->verdict->model = model;
    urd__values v = {0};
    urd__add_percent(&v, 1 - f->computing);
    if (blocked) {
        urd__add_duration(&v, wall(f, TASKS));
        urd__add_duration(&v, wall(f, model));
        urd__add_text(&v, urd__model_name(model));
    } else {
        urd__add_duration(&v, urd__run_cpu(f->sequential));
        urd__add_text(&v, urd__model_name(model));
        urd__add_duration(&v, wall(f, model));
        urd__add_duration(&v, f->sequential->wall);
        add_fit(&v, f, model, false);
    }
    FILL(f->verdict->because, blocked ? TEXT_SAY_WAITING_BLOCKED : TEXT_SAY_WAITING, &v);

    double cpu_each = (double)urd__run_cpu(&f->results[model].run) / f->jobs;
    v = (urd__values){0};
    urd__add_duration(&v, (int64_t)cpu_each);
    urd__add_number(&v, f->cores, 0);
    add_estimate(&v, f->cores * (double)wall(f, model) / (cpu_each < 1 ? 1 : cpu_each));
    urd__add_duration(&v, wall(f, model));
    FILL(f->verdict->expect, TEXT_MORE_WAITING, &v);
}

static void judge_in_line(const facts *f)
{
    f->verdict->class = CLASS_CONTENDED;
    f->verdict->model = SEQUENTIAL;
    urd__values v = {0};
    urd__add_percent(&v, 1 - f->computing);
    urd__add_number(&v, f->results[f->best].speedup, 2);
    urd__add_text(&v, urd__model_name(f->best));
    FILL(f->verdict->because, TEXT_SAY_WAITING_IN_LINE, &v);
    FILL(f->verdict->expect, TEXT_MORE_CONTENDED_STUCK, &(urd__values){0});
}

static bool no_gain(const facts *f)
{
    return f->results[f->best].speedup < gains;
}

static void judge_no_gain(const facts *f, urd__class class)
{
    f->verdict->class = class;
    f->verdict->model = SEQUENTIAL;
    urd__values v = {0};
    if (class == CLASS_CPU && others(f->report) > half_a_core) {
        urd__add_percent(&v, f->computing);
        urd__add_number(&v, f->results[f->best].speedup, 2);
        urd__add_number(&v, others(f->report), 1);
        urd__add_number(&v, f->cores, 0);
        FILL(f->verdict->because, TEXT_SAY_CPU_BUSY, &v);
    } else {
        urd__add_text(&v, urd__class_name(class));
        urd__add_percent(&v, f->computing);
        urd__add_number(&v, f->cores, 0);
        urd__add_text(&v, urd__model_name(f->best));
        urd__add_number(&v, f->results[f->best].speedup, 2);
        FILL(f->verdict->because, TEXT_SAY_NO_GAIN, &v);
    }
    FILL(f->verdict->expect, TEXT_MORE_NO_GAIN, &(urd__values){0});
}

static void judge_cpu(const facts *f)
{
    urd__model model = lightest(f, near);
    double speedup = f->results[model].speedup;
    f->verdict->class = CLASS_CPU;
    f->verdict->model = model;
    urd__values v = {0};
    urd__add_percent(&v, f->computing);
    urd__add_text(&v, urd__model_name(model));
    urd__add_number(&v, speedup, 2);
    urd__add_number(&v, f->cores, 0);
    urd__add_number(&v, urd__run_cores(&f->results[model].run), 2);
    add_fit(&v, f, model, true);
    FILL(f->verdict->because, TEXT_SAY_CPU, &v);

    /* Amdahl: speed-up = 1 / (serial + (1 - serial) / cores), solved for serial. */
    double used = smaller(f->cores - others(f->report), f->jobs);
    double serial = used > 1 ? (used / speedup - 1) / (used - 1) : 1;
    serial = serial < 0 ? 0 : smaller(serial, 1);
    double more = 2.0 * f->cores;
    v = (urd__values){0};
    urd__add_number(&v, more, 0);
    urd__add_number(&v, 1 / (serial + (1 - serial) / smaller(more, f->jobs)), 1);
    urd__add_percent(&v, serial);
    FILL(f->verdict->expect, TEXT_MORE_CPU, &v);
}

static int64_t longest_job(const urd__run *run)
{
    int64_t longest = 0;
    for (int i = 0; i < run->jobs; i++) {
        int64_t life = run->records[i].end.time - run->records[i].start.time;
        longest = life > longest ? life : longest;
    }
    return longest;
}

static void judge_mixed(const facts *f)
{
    urd__model model = lightest(f, near_waiting);
    const urd__run *run = &f->results[model].run;
    f->verdict->class = CLASS_MIXED;
    f->verdict->model = model;
    urd__values v = {0};
    urd__add_percent(&v, f->computing);
    urd__add_percent(&v, 1 - f->computing);
    urd__add_text(&v, urd__model_name(model));
    urd__add_duration(&v, run->wall);
    urd__add_duration(&v, f->sequential->wall);
    urd__add_number(&v, f->results[model].speedup, 2);
    add_fit(&v, f, model, false);
    FILL(f->verdict->because, TEXT_SAY_MIXED, &v);

    v = (urd__values){0};
    urd__add_duration(&v, urd__run_cpu(run) / f->cores);
    urd__add_duration(&v, urd__run_cpu(run));
    urd__add_number(&v, f->cores, 0);
    urd__add_duration(&v, longest_job(f->sequential));
    FILL(f->verdict->expect, TEXT_MORE_MIXED, &v);
}

static double cpu_inflation(const facts *f)
{
    int64_t sequential = urd__run_cpu(f->sequential);
    return sequential > 0 ? (double)urd__run_cpu(&f->results[THREADS].run) / (double)sequential : 1;
}

static void judge_contended(const facts *f)
{
    const urd__result *threads = &f->results[THREADS], *processes = &f->results[PROCESSES];
    bool busy = others(f->report) > half_a_core; /* then no model can be faster than one core */
    bool way_out = processes->good && processes->speedup >= gains * threads->speedup &&
                   (processes->speedup >= gains || busy);
    f->verdict->class = CLASS_CONTENDED;
    f->verdict->model = way_out ? PROCESSES : SEQUENTIAL;
    urd__values v = {0};
    urd__add_percent(&v, f->computing);
    urd__add_number(&v, threads->speedup, 2);
    urd__add_number(&v, cpu_inflation(f), 1);
    urd__add_percent(&v, threads->run.waiting);
    urd__add_text(&v, urd__model_name(PROCESSES));
    urd__add_text(&v, urd__text(TEXT_FIT_APART));
    urd__add_number(&v, processes->speedup, 2);
    FILL(f->verdict->because, way_out ? TEXT_SAY_CONTENDED : TEXT_SAY_CONTENDED_STUCK, &v);

    v = (urd__values){0};
    double more = 2.0 * f->cores;
    urd__add_number(&v, more, 0);
    urd__add_number(&v, smaller(more, f->jobs), 0);
    FILL(f->verdict->expect, way_out ? TEXT_MORE_CONTENDED : TEXT_MORE_CONTENDED_STUCK, &v);
}

static bool contended(const facts *f)
{
    const urd__result *threads = &f->results[THREADS];
    double possible = smaller(f->cores, f->jobs);
    if (!threads->good || possible < 2 || threads->speedup >= falls_short * possible)
        return false;
    return cpu_inflation(f) > cpu_inflated || threads->run.waiting > 1 - f->computing + waits_more;
}

/* How much the runs of a model differ; their walls come in the order in which they ran. */
static double spread(const urd__result *result, int64_t *least, int64_t *most)
{
    *least = *most = result->walls[0];
    for (int i = 1; i < result->runs; i++) {
        *least = result->walls[i] < *least ? result->walls[i] : *least;
        *most = result->walls[i] > *most ? result->walls[i] : *most;
    }
    return *least > 0 && *most > too_short ? (double)*most / (double)*least : 1;
}

static void add_note(urd__report *report)
{
    urd__values v = {0};
    double other = others(report);
    if (other > busy_cores) {
        urd__add_number(&v, other, 1);
        urd__add_number(&v, report->cores, 0);
        FILL(report->verdict.note, TEXT_BUSY, &v);
        return;
    }
    for (urd__model model = SEQUENTIAL; model < MODELS; model++) {
        int64_t least, most;
        const urd__result *result = &report->results[model];
        if (!result->good || spread(result, &least, &most) < runs_differ)
            continue;
        urd__add_text(&v, urd__model_name(model));
        urd__add_duration(&v, least);
        urd__add_duration(&v, most);
        FILL(report->verdict.note, TEXT_SPREAD, &v);
        return;
    }
}

static bool gather(facts *f, urd__report *report)
{
    *f = (facts){.report = report,
                 .verdict = &report->verdict,
                 .results = report->results,
                 .sequential = &report->results[SEQUENTIAL].run,
                 .best = MODELS,
                 .cores = report->cores,
                 .jobs = report->jobs};
    for (urd__model model = TASKS; model < MODELS; model++)
        if (f->results[model].good && (f->best == MODELS || wall(f, model) < wall(f, f->best)))
            f->best = model;
    if (!f->results[SEQUENTIAL].good || f->best == MODELS)
        return false;
    /* Not CPU against wall: a job that stood ready while others had the core did not wait. */
    f->computing = f->sequential->waiting >= 0 ? 1 - f->sequential->waiting
                                               : smaller(urd__run_cores(f->sequential), 1);
    return true;
}

void urd__verdict_make(urd__report *report)
{
    urd__verdict *verdict = &report->verdict;
    *verdict = (urd__verdict){.class = CLASS_UNKNOWN, .model = MODELS};
    facts f;
    if (!gather(&f, report)) {
        FILL(verdict->because, TEXT_SAY_UNKNOWN, &(urd__values){0});
        return;
    }
    add_note(report);
    if (f.sequential->wall < too_short) {
        urd__values v = {0};
        urd__add_duration(&v, f.sequential->wall);
        verdict->class = CLASS_SHORT;
        FILL(verdict->because, TEXT_SAY_SHORT, &v);
        FILL(verdict->expect, TEXT_MORE_SHORT, &(urd__values){0});
        return;
    }
    if (f.computing < waits_below && f.jobs > 1 && no_gain(&f))
        judge_in_line(&f);
    else if (f.computing < waits_below)
        judge_waiting(&f);
    else if (contended(&f))
        judge_contended(&f);
    else if (no_gain(&f))
        judge_no_gain(&f, f.computing < computes_above ? CLASS_MIXED : CLASS_CPU);
    else if (f.computing < computes_above)
        judge_mixed(&f);
    else
        judge_cpu(&f);
}
