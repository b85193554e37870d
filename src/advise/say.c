/*
 * say.c - the verdict in words, with the numbers that led to it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "advise/advise.h"
#include "advise/proc.h"
#include "ui/text.h"
#include "urd.h"

/* Memory of one that sleeps, bytes: the proportional set size of 400 of them (in Python of 5000,
 * 500 and 20) by their number. */
static const int64_t task_bytes = 5500, thread_bytes = 10200, process_bytes = 69800;
static const int64_t python_task_bytes = 1400, python_thread_bytes = 16400,
                     python_process_bytes = 1500000;

static const double nearly_none = 0.002; /* active; to count how many fit would be no number */
static const double busy_cores = 0.25;   /* of others, worth a note */
static const double unseen_cpu = 0.25;   /* of all CPU, worth a note */
static const double mixed_waits = 0.7;
static const double full_loop = 0.85;

enum { FEW_LOOKS = 25 };

#define FILL(out, id, v) urd__fill(out, SAY_BYTES, id, v)

const char *urd__state_name(urd__state state)
{
    return urd__text((urd__text_id)(TEXT_STATE_RUN + state));
}

const char *urd__nature_name(urd__nature nature)
{
    return urd__text((urd__text_id)(TEXT_NATURE_UNKNOWN + nature));
}

const char *urd__fit_name(urd__fit fit)
{
    return urd__text((urd__text_id)(TEXT_FIT_NONE + fit));
}

const char *urd__state_word(urd__state state)
{
    static const char *const words[STATES] = {"run",  "ready", "lock",    "gil",      "disk",
                                              "net",  "pipe",  "timer",   "terminal", "fault",
                                              "join", "work",  "stopped", "unknown"};
    return words[state];
}

const char *urd__nature_word(urd__nature nature)
{
    static const char *const words[NATURES] = {
        "unknown", "short", "cpu",   "memory",   "lock",  "gil",  "turns", "disk",   "net",
        "pipe",    "timer", "child", "terminal", "fault", "idle", "mixed", "phases", "stopped"};
    return words[nature];
}

const char *urd__fit_word(urd__fit fit)
{
    static const char *const words[] = {"none", "task", "thread", "process", "as-is"};
    return words[fit];
}

const char *urd__language_word(urd__language language)
{
    static const char *const words[] = {"native", "python", "java", "go", "node", "ruby", "shell"};
    return words[language];
}

/* Where the threads were for most of the time they spent in a state; "" for nowhere. */
static const char *place_of(const urd__watched *w, urd__state state)
{
    const urd__place *best = NULL;
    for (int i = 0; i < w->thread_count; i++)
        for (int j = 0; j < PLACES_MAX && !w->threads[i]->service; j++) {
            const urd__place *place = &w->threads[i]->places[j];
            if (place->state == state && place->text[0] && (!best || place->ns > best->ns))
                best = place;
        }
    return best ? best->text : "";
}

static void add_place(urd__values *v, const urd__watched *w, urd__state state)
{
    char text[VALUE_BYTES] = "";
    const char *place = place_of(w, state);
    if (place[0])
        urd__text_fill(text, sizeof text, urd__text(TEXT_SAY_A_WAIT_AT), &place, 1);
    urd__add_text(v, text);
}

static void add_unit_costs(urd__values *v, const urd__advice *a, int64_t times)
{
    bool python = a->facts.language == LANGUAGE_PYTHON;
    urd__add_bytes(v, times * (python ? python_task_bytes : task_bytes));
    urd__add_bytes(v, times * (python ? python_thread_bytes : thread_bytes));
    urd__add_bytes(v, times * (python ? python_process_bytes : process_bytes));
}

/* ---- because --------------------------------------------------------------------------------- */

static void say_wait(urd__advice *a, const urd__opinion *o, char *out)
{
    urd__values v = {0};
    urd__add_percent(&v, 1 - o->active);
    urd__add_percent(&v, o->top_share);
    urd__add_text(&v, urd__state_name(o->top));
    add_place(&v, a->watched, o->top);
    urd__add_percent(&v, o->active);
    FILL(out, TEXT_SAY_A_WAIT, &v);
}

static void say_contended(urd__advice *a, const urd__opinion *o, char *out)
{
    urd__values v = {0};
    if (o->nature == NATURE_GIL || o->nature == NATURE_TURNS)
        urd__add_number(&v, a->facts.computing, 0);
    if (o->nature == NATURE_TURNS) {
        urd__add_number(&v, o->cores_wanted, 2);
        urd__add_number(&v, a->facts.cores, 0);
        urd__add_percent(&v, a->facts.turns);
        urd__add_number(&v, a->facts.switches_rate, 0);
        FILL(out, TEXT_SAY_A_TURNS, &v);
        return;
    }
    urd__add_percent(&v, o->lock_share);
    if (o->nature == NATURE_LOCK)
        add_place(&v, a->watched, STATE_LOCK);
    urd__add_number(&v, a->facts.sum.in[STATE_RUN] / a->facts.sum.span, 2);
    urd__add_number(&v, a->facts.cores, 0);
    FILL(out, o->nature == NATURE_GIL ? TEXT_SAY_A_GIL : TEXT_SAY_A_LOCK, &v);
}

static void say_computes(urd__advice *a, const urd__opinion *o, char *out)
{
    urd__values v = {0};
    urd__add_percent(&v, o->active);
    if (o->nature == NATURE_MEMORY) {
        urd__add_bytes(&v, (int64_t)a->facts.touched_rate);
        urd__add_bytes(&v, (int64_t)a->facts.cache_bytes);
        FILL(out, TEXT_SAY_A_MEMORY, &v);
        return;
    }
    urd__add_number(&v, o->cores_wanted, 2);
    urd__add_number(&v, a->facts.cores, 0);
    FILL(out, TEXT_SAY_A_CPU, &v);
}

static void say_mixed(urd__advice *a, const urd__opinion *o, char *out)
{
    urd__values v = {0};
    urd__add_percent(&v, o->active);
    urd__add_percent(&v, o->top_share);
    urd__add_text(&v, o->top < STATES ? urd__state_name(o->top) : "-");
    add_place(&v, a->watched, o->top);
    FILL(out, TEXT_SAY_A_MIXED, &v);
}

static void say_because(urd__advice *a, const urd__opinion *o, char *out)
{
    urd__values v = {0};
    switch (o->nature) {
    case NATURE_SHORT:
        urd__add_duration(&v, (int64_t)a->facts.sum.span);
        urd__add_duration(&v, a->watched->tree_cpu);
        FILL(out, TEXT_SAY_A_SHORT, &v);
        break;
    case NATURE_CPU:
    case NATURE_MEMORY:
        say_computes(a, o, out);
        break;
    case NATURE_GIL:
    case NATURE_LOCK:
    case NATURE_TURNS:
        say_contended(a, o, out);
        break;
    case NATURE_IDLE:
        urd__add_percent(&v, 1 - o->active);
        urd__add_number(&v, a->facts.threads, 0);
        FILL(out, TEXT_SAY_A_IDLE, &v);
        break;
    case NATURE_MIXED:
        say_mixed(a, o, out);
        break;
    case NATURE_PHASES:
        FILL(out, TEXT_SAY_A_PHASES, &v);
        break;
    case NATURE_STOPPED:
        FILL(out, TEXT_SAY_A_STOPPED, &v);
        break;
    case NATURE_CHILD:
        FILL(out, TEXT_SAY_A_CHILD, &v);
        break;
    case NATURE_UNKNOWN:
        urd__add_percent(&v, o->active);
        FILL(out, TEXT_SAY_A_UNKNOWN, &v);
        break;
    default:
        say_wait(a, o, out);
    }
}

/* ---- what fits, and what to expect ----------------------------------------------------------- */

static bool is_contended(urd__nature nature)
{
    return nature == NATURE_GIL || nature == NATURE_LOCK || nature == NATURE_TURNS;
}

static bool computes(urd__nature nature)
{
    return nature == NATURE_CPU || nature == NATURE_MEMORY;
}

static urd__text_id fits_as_it_is(const urd__advice *a, const urd__opinion *o)
{
    if (computes(o->nature))
        return a->facts.cores < 2 ? TEXT_FITS_ONE_CORE : TEXT_FITS_FULL;
    if (o->nature == NATURE_IDLE)
        return TEXT_FITS_IDLE;
    if (o->overlaps)
        return a->facts.loop ? TEXT_FITS_WAIT_LOOP : TEXT_FITS_OVERLAP;
    return TEXT_FITS_NOTHING;
}

static urd__text_id fits_text(const urd__advice *a, const urd__opinion *o)
{
    bool many_programs = a->facts.processes > 2 && a->facts.largest < 0.5;
    switch (o->fit) {
    case FIT_AS_IT_IS:
        return fits_as_it_is(a, o);
    case FIT_PROCESSES:
        return o->nature == NATURE_GIL   ? TEXT_FITS_GIL
               : is_contended(o->nature) ? TEXT_FITS_LOCK
               : many_programs           ? TEXT_FITS_CPU_MORE_PROCESSES
                                         : TEXT_FITS_CPU_PROCESSES;
    case FIT_THREADS:
        return computes(o->nature) ? TEXT_FITS_CPU_THREADS : TEXT_FITS_DISK_THREADS;
    case FIT_TASKS:
        return computes(o->nature) ? TEXT_FITS_CPU_TASKS
               : o->waiting >= 2   ? TEXT_FITS_WAIT_THREADS_DO
                                   : TEXT_FITS_WAIT_TASKS;
    default:
        return TEXT_FIT_NONE;
    }
}

static void say_fits(urd__advice *a, const urd__opinion *o, char *out)
{
    urd__values v = {0};
    urd__text_id id = fits_text(a, o);
    if (id == TEXT_FITS_WAIT_TASKS || id == TEXT_FITS_WAIT_THREADS_DO)
        add_unit_costs(&v, a, 1);
    if (id == TEXT_FITS_WAIT_THREADS_DO || id == TEXT_FITS_OVERLAP)
        urd__add_number(&v, o->waiting, 0);
    if (id == TEXT_FITS_FULL)
        urd__add_number(&v, a->facts.cores, 0);
    if (id != TEXT_FIT_NONE)
        FILL(out, id, &v);
}

static void say_speed(const urd__advice *a, const urd__opinion *o, char *out)
{
    urd__values v = {0};
    if (is_contended(o->nature)) {
        urd__add_number(&v, o->speedup_here, 1);
        urd__add_number(&v, a->facts.cores, 0);
        urd__add_number(&v, o->speedup_more, 1);
        urd__add_number(&v, o->more_cores, 0);
        urd__add_number(&v, a->facts.computing, 0);
        FILL(out, TEXT_MORE_A_APART, &v);
        return;
    }
    if (o->full) {
        urd__add_number(&v, o->speedup_more, 1);
        urd__add_number(&v, o->more_cores, 0);
        FILL(out, TEXT_MORE_A_FULL, &v);
        return;
    }
    urd__add_number(&v, o->speedup_here, 1);
    urd__add_number(&v, a->facts.cores, 0);
    urd__add_number(&v, o->speedup_more, 1);
    urd__add_number(&v, o->more_cores, 0);
    urd__add_percent(&v, o->alone);
    FILL(out, a->facts.computing >= 2 ? TEXT_MORE_A_AMDAHL : TEXT_MORE_A_AT_MOST, &v);
}

/* Two digits that count. */
static double rounded(double value)
{
    double unit = 1;
    while (value / unit >= 100)
        unit *= 10;
    return (double)(int64_t)(value / unit + 0.5) * unit;
}

static void say_how_many(const urd__advice *a, const urd__opinion *o, char *out)
{
    urd__values v = {0};
    double each = o->active * o->cores_wanted; /* cores that all that waits now uses */
    each /= o->waiting > 1 ? o->waiting : 1;
    if (o->nature == NATURE_MIXED) {
        urd__add_number(&v, rounded(1 / each + 0.5), 0);
        urd__add_number(&v, rounded(a->facts.cores / each + 0.5), 0);
        urd__add_number(&v, a->facts.cores, 0);
        FILL(out, TEXT_MORE_A_MIXED, &v);
        return;
    }
    if (each < nearly_none) {
        add_unit_costs(&v, a, 1000);
        FILL(out, TEXT_MORE_A_WAIT_MANY, &v);
        return;
    }
    double many = rounded(a->facts.cores / each);
    urd__add_number(&v, many, 0);
    urd__add_number(&v, a->facts.cores, 0);
    urd__add_percent(&v, each);
    add_unit_costs(&v, a, (int64_t)many);
    FILL(out, TEXT_MORE_A_WAIT, &v);
}

static void say_expect(urd__advice *a, const urd__opinion *o, char *out)
{
    switch (o->nature) {
    case NATURE_CPU:
    case NATURE_GIL:
    case NATURE_TURNS:
    case NATURE_LOCK:
        if (o->active > 0.3)
            say_speed(a, o, out);
        break;
    case NATURE_MEMORY:
        FILL(out, TEXT_MORE_A_MEMORY, &(urd__values){0});
        break;
    case NATURE_DISK:
    case NATURE_NET:
    case NATURE_PIPE:
    case NATURE_TIMER:
    case NATURE_MIXED:
        say_how_many(a, o, out);
        break;
    default:
        break;
    }
}

/* ---- what to watch out for, and notes -------------------------------------------------------- */

static char *next_note(urd__advice *a)
{
    return a->notes[a->note_count < SAYS_MAX - 1 ? a->note_count++ : a->note_count];
}

static char *next_warning(urd__advice *a)
{
    return a->watch_out[a->watch_count < SAYS_MAX - 1 ? a->watch_count++ : a->watch_count];
}

/* What the holders of locks waited for, if they did so for most of the time. */
static urd__state holders_wait(const urd__watched *w)
{
    int waiting[STATES] = {0}, all = 0;
    for (int i = 0; i < w->lock_count; i++)
        for (int j = 0; j < HOLDERS_MAX; j++)
            for (int s = 0; s < STATES; s++) {
                waiting[s] += w->locks[i].holder[j].waiting[s];
                all += w->locks[i].holder[j].waiting[s];
            }
    for (int s = STATE_DISK; s < STATE_JOIN; s++)
        if (all > 4 && waiting[s] * 2 > all)
            return (urd__state)s;
    return STATES;
}

static void say_warnings(urd__advice *a, const urd__opinion *o)
{
    urd__values v = {0};
    if (is_contended(o->nature)) {
        FILL(next_warning(a), TEXT_OUT_LOCK, &v);
        urd__state waits = holders_wait(a->watched);
        if (waits != STATES) {
            urd__add_text(&v, urd__state_name(waits));
            FILL(next_warning(a), TEXT_OUT_HELD_WAITING, &v);
        }
    }
    v = (urd__values){0};
    if (o->fit == FIT_THREADS)
        FILL(next_warning(a), TEXT_OUT_SHARED, &v);
    if (o->fit == FIT_PROCESSES)
        FILL(next_warning(a), TEXT_OUT_PROCESSES, &v);
    if (o->fit == FIT_TASKS)
        FILL(next_warning(a), TEXT_OUT_TASKS, &v);
    if (a->facts.loop && o->active >= full_loop) {
        urd__add_percent(&v, o->active);
        FILL(next_warning(a), TEXT_OUT_SPINNING, &v);
    }
}

static void say_what_was_missed(urd__advice *a)
{
    const urd__watched *w = a->watched;
    urd__values v = {0};
    double seen = 0;
    for (int i = 0; i < w->process_count; i++)
        seen += w->processes[i]->in[STATE_RUN];
    if (w->tree_cpu > 100 * URD_MS && seen < (1 - unseen_cpu) * (double)w->tree_cpu) {
        urd__add_duration(&v, w->tree_cpu - (int64_t)seen);
        urd__add_duration(&v, w->tree_cpu);
        FILL(next_note(a), TEXT_NOTE_A_UNSEEN, &v);
    }
    v = (urd__values){0};
    if (w->ticks < FEW_LOOKS && a->opinion.nature != NATURE_SHORT) {
        urd__add_number(&v, (double)w->ticks, 0);
        FILL(next_note(a), TEXT_NOTE_A_FEW, &v);
    }
    v = (urd__values){0};
    int64_t unknown = a->threads_missed + a->threads_unlooked;
    if (unknown > 0) {
        urd__add_number(&v, (double)unknown, 0);
        FILL(next_note(a), TEXT_NOTE_A_MANY, &v);
    }
}

/* What the setting is that decides about performance events. */
static void add_paranoia(urd__values *v)
{
    char level[16];
    if (urd__proc_read("/proc/sys/kernel/perf_event_paranoid", level, sizeof level) <= 0)
        snprintf(level, sizeof level, "?");
    level[strcspn(level, "\n")] = '\0';
    urd__add_text(v, level);
}

static void say_what_is_not_counted(urd__advice *a)
{
    const urd__watched *w = a->watched;
    urd__values v = {0};
    if (!w->deep)
        return;
    int faults = w->counter_refused[COUNTER_FAULTS];
    if (faults == EMFILE) {
        FILL(next_note(a), TEXT_NOTE_A_NO_COUNTS, &v);
    } else if (faults || w->perf_refused) {
        add_paranoia(&v);
        FILL(next_note(a), TEXT_NOTE_A_NO_PERF, &v);
    } else {
        if (w->counter_refused[COUNTER_SWITCHES]) {
            add_paranoia(&v);
            FILL(next_note(a), TEXT_NOTE_A_NO_SWITCHES, &v);
        }
        v = (urd__values){0};
        if (w->counter_refused[COUNTER_CYCLES])
            FILL(next_note(a), TEXT_NOTE_A_NO_HARDWARE, &v);
    }
}

static void say_notes(urd__advice *a)
{
    urd__values v = {0};
    if (a->left_running) {
        char pid[16];
        snprintf(pid, sizeof pid, "%d", a->left_pid);
        urd__add_text(&v, a->left_name);
        urd__add_text(&v, pid);
        FILL(next_note(a), TEXT_NOTE_A_LEFT, &v);
    }
    v = (urd__values){0};
    if (a->facts.hidden)
        FILL(next_note(a), TEXT_NOTE_A_HIDDEN, &v);
    if (a->other_cores > busy_cores) {
        urd__add_number(&v, a->other_cores, 1);
        urd__add_number(&v, a->facts.cores, 0);
        FILL(next_note(a), TEXT_NOTE_A_BUSY, &v);
    }
    say_what_was_missed(a);
    say_what_is_not_counted(a);
    v = (urd__values){0};
    if (a->opinion.nature == NATURE_MEMORY && a->facts.instructions <= 0)
        FILL(next_note(a), TEXT_NOTE_A_NO_COUNTERS, &v);
    if (a->opinion.top < STATES && a->opinion.top_share < mixed_waits &&
        a->opinion.active < mixed_waits) {
        urd__add_percent(&v, a->opinion.top_share);
        urd__add_text(&v, urd__state_name(a->opinion.top));
        FILL(next_note(a), TEXT_NOTE_A_DIFFERENT, &v);
    }
}

void urd__advice_say(urd__advice *a)
{
    const urd__opinion *o = &a->opinion;
    say_because(a, o, a->because);
    if (o->nature == NATURE_PHASES) /* what fits is said of the longest */
        o = &a->phases[a->main_phase].opinion;
    say_fits(a, o, a->fits);
    say_expect(a, o, a->expect);
    say_warnings(a, o);
    say_notes(a);
}
