/*
 * judge.c - from the numbers to a verdict: what the program's nature is, and what fits it.
 *
 * SPDX-License-Identifier: MIT
 *
 * The question is what would have to be more, or other, for the program to be done sooner:
 *
 *   those that want to run stand in line for a lock    lock, or the GIL
 *   several threads compute, but one at a time         they take turns
 *   something runs, or could, nearly all the time      CPU; memory, if it runs through that fast
 *   seldom does anything run                           what the whole then waits for
 *   in between                                         mixed
 *
 * Time without a core counts for nothing: that a machine is busy does not change what the program
 * is.
 */
#include <string.h>

#include "advise/advise.h"
#include "urd.h"

static const double short_span = 60e6;    /* ns, in which nothing can be seen */
static const double busy_above = 0.70;    /* active, of the time: it computes */
static const double waits_below = 0.30;   /* the same: it waits */
static const double line_above = 0.30;    /* lock waits, of these and running */
static const double line_of_span = 0.10;  /* the same, of the time */
static const double full_above = 0.80;    /* cores wanted, of those there are */
static const double turns_cores = 1.35;   /* cores that threads use which take turns */
static const double turns_largest = 0.80; /* the busiest has at most so much of the CPU */
static const double turns_wait = 0.25;    /* and the others wait so much */
static const double turns_rate = 40;      /* switches a second */
static const double memory_rate = 2e9;    /* bytes a second that come from memory */
static const double memory_caches = 1.5;  /* times the cache, in a tenth of a second */
static const double memory_misses = 10;   /* in a thousand instructions, where they are counted */
static const double memory_instructions = 1; /* a cycle, at most */
static const double mostly = 0.5;

static double share(double part, double whole)
{
    return whole > 0 ? part / whole : 0;
}

static void look_at_waits(const urd__sum *s, urd__opinion *o)
{
    double all = 0;
    o->top = STATE_UNKNOWN;
    for (int i = STATE_READY + 1; i < STATES; i++) {
        all += s->wait[i];
        if (s->wait[i] > s->wait[o->top])
            o->top = (urd__state)i;
    }
    o->top_share = share(s->wait[o->top], all);
    if (all <= 0)
        o->top = STATES;
}

static urd__nature nature_of_wait(urd__state state)
{
    switch (state) {
    case STATE_DISK:
        return NATURE_DISK;
    case STATE_NET:
        return NATURE_NET;
    case STATE_PIPE:
        return NATURE_PIPE;
    case STATE_TIMER:
        return NATURE_TIMER;
    case STATE_TERMINAL:
        return NATURE_TERMINAL;
    case STATE_FAULT:
        return NATURE_FAULT;
    case STATE_JOIN:
        return NATURE_CHILD;
    case STATE_WORK:
        return NATURE_IDLE;
    case STATE_LOCK:
        return NATURE_LOCK;
    case STATE_GIL:
        return NATURE_GIL;
    case STATE_STOPPED:
        return NATURE_STOPPED;
    default:
        return NATURE_UNKNOWN;
    }
}

/* Those that stand ready because others have the cores are no sign of work that goes on at once:
 * the holder of a lock may be among them. */
static bool takes_turns(const urd__facts *f, const urd__opinion *o)
{
    /* Go's runtime moves one goroutine from thread to thread, which looks the same. */
    return f->language != LANGUAGE_GO && f->computing >= 2 && o->active > mostly &&
           f->parallel <= turns_cores && f->largest <= turns_largest && f->turns >= turns_wait &&
           f->switches_rate >= turns_rate;
}

static bool from_memory(const urd__facts *f)
{
    if (f->instructions > 0)
        return f->misses >= memory_misses && f->instructions < memory_instructions;
    return f->touched_rate >= memory_rate && f->touched_rate / 10 >= memory_caches * f->cache_bytes;
}

static urd__nature nature_of(const urd__facts *f, const urd__opinion *o)
{
    const double *in = f->sum.in;
    double line = in[STATE_LOCK] + in[STATE_GIL];
    if (f->sum.span < short_span)
        return NATURE_SHORT;
    if (o->lock_share >= line_above && line >= line_of_span * f->sum.span &&
        in[STATE_RUN] < full_above * f->cores * f->sum.span)
        return in[STATE_GIL] >= in[STATE_LOCK] ? NATURE_GIL : NATURE_LOCK;
    if (takes_turns(f, o))
        return NATURE_TURNS;
    if (o->active >= busy_above)
        return from_memory(f) ? NATURE_MEMORY : NATURE_CPU;
    if (o->active >= waits_below)
        return NATURE_MIXED;
    return nature_of_wait(o->top);
}

static urd__fit fit_for_cpu(const urd__facts *f, const urd__opinion *o)
{
    if (o->full || f->cores < 2)
        return FIT_AS_IT_IS;
    switch (f->language) {
    case LANGUAGE_GO:
        return FIT_TASKS;
    case LANGUAGE_PYTHON:
    case LANGUAGE_RUBY:
    case LANGUAGE_NODE:
    case LANGUAGE_SHELL:
        return FIT_PROCESSES;
    default:
        /* Work that is spread over many programs already is spread further in the same way. */
        return f->processes > 2 && f->largest < mostly ? FIT_PROCESSES : FIT_THREADS;
    }
}

static urd__fit fit_of(const urd__facts *f, const urd__opinion *o)
{
    switch (o->nature) {
    case NATURE_CPU:
    case NATURE_MEMORY:
        return fit_for_cpu(f, o);
    case NATURE_GIL:
    case NATURE_LOCK:
    case NATURE_TURNS:
        return FIT_PROCESSES;
    case NATURE_NET:
    case NATURE_TIMER:
    case NATURE_PIPE:
        return o->overlaps ? FIT_AS_IT_IS : FIT_TASKS;
    case NATURE_DISK:
        return o->overlaps ? FIT_AS_IT_IS : FIT_THREADS;
    case NATURE_MIXED:
        if (o->overlaps || o->top == STATE_WORK || o->top == STATE_JOIN)
            return o->top == STATE_WORK ? fit_for_cpu(f, o) : FIT_AS_IT_IS;
        return o->top == STATE_DISK || o->top == STATE_FAULT ? FIT_THREADS : FIT_TASKS;
    case NATURE_UNKNOWN:
    case NATURE_SHORT:
        return FIT_NONE;
    default:
        return FIT_AS_IT_IS;
    }
}

static double smaller(double a, double b)
{
    return a < b ? a : b;
}

/* Amdahl: what one thread did alone stays as it is, the rest is parted among the cores. */
static double speed_on(const urd__facts *f, double cores)
{
    double work = f->sum.in[STATE_RUN] + f->sum.in[STATE_READY];
    double alone = f->computing >= 2 ? f->sum.alone : 0;
    double time = alone + (work - alone) / cores;
    return time > 0 ? f->sum.active / time : 1;
}

/* Without the line, each of those that compute has a core, where there is one. */
static double speed_apart(const urd__facts *f, double cores)
{
    double used = share(f->sum.in[STATE_RUN], f->sum.active);
    return smaller(cores, f->computing) / (used > 1 ? used : 1);
}

urd__opinion urd__judge(const urd__facts *f)
{
    const urd__sum *s = &f->sum;
    double wants = s->in[STATE_RUN] + s->in[STATE_READY];
    double line = s->in[STATE_LOCK] + s->in[STATE_GIL];
    urd__opinion o = {.active = share(s->ran, s->ran + s->span - s->active),
                      .cores_wanted = share(wants, s->active),
                      .lock_share = share(line, s->in[STATE_RUN] + line),
                      .alone = share(s->alone, s->active),
                      .more_cores = (int)(4 * f->cores)};
    look_at_waits(s, &o);
    o.full = o.cores_wanted >= full_above * f->cores;
    o.waiting = share(urd__sum_outside(s->in), s->span);
    o.overlaps = f->loop;
    if (o.top == STATE_DISK)
        o.overlaps = o.waiting >= 3;
    o.nature = nature_of(f, &o);
    bool line_up = o.nature == NATURE_GIL || o.nature == NATURE_LOCK || o.nature == NATURE_TURNS;
    o.speedup_here = line_up ? speed_apart(f, f->cores) : speed_on(f, f->cores);
    o.speedup_more = line_up ? speed_apart(f, o.more_cores) : speed_on(f, o.more_cores);
    o.fit = fit_of(f, &o);
    return o;
}
