/*
 * facts.c - gather what is judged, for the whole and for each phase.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>
#include <sys/resource.h>

#include "advise/advise.h"
#include "urd.h"

static const double computes_from = 0.05; /* of all CPU, to count as a thread that computes */
static const double loop_waits = 0.08;    /* of the time, in a loop that matters */
static const double main_phase = 0.72;    /* of the time, to speak for the whole */
static const double start_phase = 0.35;   /* at most, to be no more than the start */
static const double start_longest = 3e9;  /* the same, ns */
static const double least_phase = 0.12;   /* of the time, to be worth a word */

/* The program's language is that of the process in which most happens; a shell only starts it. */
static urd__language language_of(const urd__watched *w)
{
    urd__language best = LANGUAGE_NATIVE;
    double most = -1;
    for (int i = 0; i < w->process_count; i++) {
        const urd__process *process = w->processes[i];
        double weight = process->in[STATE_RUN] * 4 + process->in[STATE_GIL] +
                        process->in[STATE_LOCK] + urd__sum_outside(process->in);
        if (process->language == LANGUAGE_SHELL)
            weight /= 1000;
        if (weight > most) {
            most = weight;
            best = process->language;
        }
    }
    return best;
}

static double life_of(const double *in)
{
    double all = 0;
    for (int i = 0; i < STATES; i++)
        all += in[i];
    return all;
}

/* Threads that compute: what they did in all, and when the first began and the last ended. */
typedef struct turn_takers {
    double run, ready, turns, lives, switches;
    int64_t from, until;
} turn_takers;

static void add_computing(turn_takers *c, const urd__thread *t, int64_t ended)
{
    int64_t until = t->ended ? t->ended : ended;
    c->run += t->in[STATE_RUN];
    c->ready += t->in[STATE_READY];
    c->turns += t->in[STATE_WORK];
    c->switches += (double)t->switches;
    c->lives += life_of(t->in);
    c->from = c->until && c->from < t->born ? c->from : t->born;
    c->until = c->until > until ? c->until : until;
}

/* The span is that of all of them: who takes turns may be done early, having had many in a row. */
static void sum_up_computing(const turn_takers *c, urd__facts *f)
{
    if (c->lives <= 0)
        return;
    double span = (double)(c->until - c->from) * (1 - c->ready / c->lives);
    f->parallel = span > 0 ? c->run / span : 0;
    f->turns = c->turns / c->lives;
    f->switches_rate = c->switches / c->lives * (double)URD_SECOND;
}

/* Of one process, or (NULL) of all. */
static void look_at_threads(const urd__watched *w, const urd__process *process, urd__facts *f)
{
    turn_takers c = {0};
    double all = 0;
    for (int i = 0; i < w->thread_count; i++)
        if (!process || w->threads[i]->process == process)
            all += w->threads[i]->in[STATE_RUN];
    for (int i = 0; i < w->thread_count; i++) {
        const urd__thread *t = w->threads[i];
        const double *in = t->in;
        if (process && t->process != process)
            continue;
        f->threads -= t->service;
        if (all > 0 && in[STATE_RUN] > f->largest * all)
            f->largest = in[STATE_RUN] / all;
        /* A loop counts where it is what the program waits in. */
        f->loop = f->loop || (t->loop && urd__sum_outside(in) > loop_waits * f->sum.span);
        if (all <= 0 || in[STATE_RUN] < computes_from * all || t->service)
            continue;
        f->computing++;
        add_computing(&c, t, w->ended);
    }
    sum_up_computing(&c, f);
}

static double usable_cores(void)
{
    urd_about about;
    urd_about_get(&about);
    return about.workers;
}

static void gather_counted(const urd__watched *w, urd__facts *f)
{
    const double *counted = w->counted;
    if (!w->deep || counted[COUNTER_CYCLES] <= 0 || counted[COUNTER_INSTRUCTIONS] <= 0)
        return;
    f->instructions = counted[COUNTER_INSTRUCTIONS] / counted[COUNTER_CYCLES];
    if (counted[COUNTER_MISSES] >= 0)
        f->misses = counted[COUNTER_MISSES] / counted[COUNTER_INSTRUCTIONS] * 1000;
}

static void gather(const urd__watched *w, urd__facts *f)
{
    *f = (urd__facts){.touched_rate = -1, .cache_bytes = (double)w->cache_bytes};
    f->cores = usable_cores();
    gather_counted(w, f);
    f->processes = w->process_count;
    f->threads = w->threads_most;
    f->language = language_of(w);
    urd__sum_whole(w, &f->sum);
    look_at_threads(w, NULL, f);
    double most = 0;
    for (int i = 0; i < w->process_count; i++) {
        const urd__process *process = w->processes[i];
        f->hidden = f->hidden || process->hidden;
        if (process->in[STATE_RUN] > most) {
            most = process->in[STATE_RUN];
            f->touched_rate = process->touched_rate;
        }
    }
}

urd__opinion urd__advice_of_process(const urd__watched *w, const urd__process *process)
{
    urd__facts f = {.cores = usable_cores(),
                    .processes = 1,
                    .threads = process->threads_seen,
                    .language = process->language,
                    .sum = process->sum,
                    .hidden = process->hidden,
                    .touched_rate = process->touched_rate,
                    .cache_bytes = (double)w->cache_bytes};
    if (process->threads_seen > 1 && !process->slots)
        urd__sum_of(&f.sum, (double)((process->ended ? process->ended : w->ended) - process->born),
                    process->in, process->in);
    look_at_threads(w, process, &f);
    return urd__judge(&f);
}

urd__opinion urd__advice_of_thread(const urd__watched *w, const urd__thread *thread)
{
    urd__facts f = {.cores = usable_cores(),
                    .processes = 1,
                    .threads = 1,
                    .computing = 1,
                    .largest = 1,
                    .language = thread->process->language,
                    .loop = thread->loop,
                    .touched_rate = thread->process->touched_rate,
                    .cache_bytes = (double)w->cache_bytes};
    urd__sum_of(&f.sum, life_of(thread->in), thread->in, thread->in);
    return urd__judge(&f);
}

static void judge_phases(urd__advice *advice)
{
    const urd__watched *w = advice->watched;
    int ends[PHASES_MAX];
    advice->phase_count = w->window_count > 0 ? urd__phases(w->windows, w->window_count, ends) : 0;
    double at = 0;
    for (int i = 0; i < advice->phase_count; i++) {
        urd__phase_seen *phase = &advice->phases[i];
        *phase = (urd__phase_seen){.from = (int64_t)at};
        for (int j = i ? ends[i - 1] : 0; j < ends[i]; j++)
            urd__sum_merge(&phase->sum, &w->windows[j]);
        at += phase->sum.span;
        phase->to = (int64_t)at;
        urd__facts facts = advice->facts;
        facts.sum = phase->sum;
        phase->opinion = urd__judge(&facts);
    }
}

/* Phases next to each other that come to the same verdict are one. */
static void join_phases(urd__advice *advice)
{
    int kept = 0;
    for (int i = 0; i < advice->phase_count; i++) {
        urd__phase_seen *last = kept ? &advice->phases[kept - 1] : NULL, *next = &advice->phases[i];
        if (last && last->opinion.nature == next->opinion.nature &&
            last->opinion.fit == next->opinion.fit) {
            urd__sum_merge(&last->sum, &next->sum);
            last->to = next->to;
            urd__facts facts = advice->facts;
            facts.sum = last->sum;
            last->opinion = urd__judge(&facts);
        } else {
            advice->phases[kept++] = *next;
        }
    }
    advice->phase_count = kept;
}

static bool computing(urd__nature nature)
{
    return nature == NATURE_CPU || nature == NATURE_MEMORY || nature == NATURE_LOCK ||
           nature == NATURE_GIL || nature == NATURE_TURNS;
}

/* Time without a core, because others had them, makes nothing longer. */
static double own_time(const urd__sum *sum)
{
    return sum->ran + sum->span - sum->active;
}

/* Loading a program, and its language's runtime, is not what it is for. */
static bool is_start(const urd__advice *advice, int i)
{
    const urd__sum *sum = &advice->phases[i].sum;
    urd__nature nature = advice->phases[i].opinion.nature;
    return i == 0 && own_time(sum) < start_phase * own_time(&advice->facts.sum) &&
           own_time(sum) < start_longest &&
           (computing(nature) || nature == NATURE_MIXED || nature == NATURE_UNKNOWN ||
            nature == NATURE_SHORT || nature == NATURE_PIPE || nature == NATURE_DISK);
}

/* A program of several natures is told by its phases; one long phase speaks for it all, and so does
 * the whole where what differs is only how long a line was. */
static void judge_whole(urd__advice *advice)
{
    double span = 0;
    int longest = -1, worth = 0;
    bool one_family = true;
    for (int i = 0; i < advice->phase_count; i++) {
        const urd__sum *sum = &advice->phases[i].sum;
        if (is_start(advice, i))
            continue;
        span += own_time(sum);
        if (longest < 0 || own_time(sum) > own_time(&advice->phases[longest].sum))
            longest = i;
    }
    for (int i = 0; i < advice->phase_count; i++) {
        const urd__phase_seen *phase = &advice->phases[i];
        if (is_start(advice, i) || own_time(&phase->sum) < least_phase * span)
            continue;
        worth++;
        one_family = one_family && computing(phase->opinion.nature);
    }
    advice->main_phase = longest;
    advice->opinion = urd__judge(&advice->facts);
    if (longest < 0 || advice->phase_count < 2 || advice->opinion.nature == NATURE_SHORT ||
        (one_family && computing(advice->opinion.nature)))
        return;
    const urd__phase_seen *main = &advice->phases[longest];
    if (own_time(&main->sum) >= main_phase * span || worth < 2) {
        advice->opinion = main->opinion;
        return;
    }
    advice->opinion.nature = NATURE_PHASES;
    advice->opinion.fit = main->opinion.fit;
}

/* Threads that the kernel counted, and that were never found. */
static int64_t missed(const urd__watched *w)
{
    int64_t sum = 0;
    for (int i = 0; i < w->process_count; i++) {
        const urd__process *process = w->processes[i];
        int64_t most = (int64_t)process->links_most - 2;
        sum += most > process->threads_seen ? most - process->threads_seen : 0;
    }
    return sum;
}

static int64_t not_looked_at(const urd__watched *w)
{
    int64_t sum = 0;
    for (int i = 0; i < w->thread_count; i++)
        sum += life_of(w->threads[i]->in) <= 0 && w->threads[i]->process->threads_seen > 1;
    return sum;
}

void urd__advice_make(urd__advice *advice)
{
    const urd__watched *w = advice->watched;
    advice->threads_missed = missed(w);
    advice->threads_unlooked = not_looked_at(w);
    gather(w, &advice->facts);
    advice->cores = (int)advice->facts.cores;
    judge_phases(advice);
    join_phases(advice);
    judge_whole(advice);
    double span = (double)(w->ended - w->begun);
    advice->overhead = span > 0 ? (double)w->own_cpu / span : 0;
    advice->other_cores = -1;
    if (w->machine >= 0 && w->machine_begun >= 0 && span > 50e6) {
        double mine = w->tree_cpu >= 0 ? (double)w->tree_cpu : advice->facts.sum.in[STATE_RUN];
        advice->other_cores =
            ((double)(w->machine - w->machine_begun) - mine - (double)w->own_cpu) / span;
    }
    urd__advice_say(advice);
}
