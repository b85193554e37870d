/*
 * json.c - the report as JSON, for programs and for the page.
 *
 * SPDX-License-Identifier: MIT
 *
 * Times are in nanoseconds, memory in bytes, shares from 0 to 1; what is not known is null.  The
 * page gets the same, and in "shown" and "text" what it writes, in the user's language.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "advise/advise.h"
#include "ui/json.h"
#include "ui/text.h"
#include "urd.h"

enum { THREADS_TOLD_MAX = 1000, WINDOWS_DRAWN_MAX = 512 };

#define set urd__json_set

/* Shares of each state, those that are none left out. */
/* Whole ones, rounded; neither is negative. */
static json_t *percent(double part, double whole)
{
    double rounded = 100 * part / whole + 0.5;
    return json_integer((json_int_t)rounded);
}

static json_t *shares_of(const double *in, double whole)
{
    json_t *out = json_object();
    for (int i = 0; i < STATES; i++)
        if (whole > 0 && in[i] >= 0.0005 * whole)
            urd__json_share(out, urd__state_word((urd__state)i), in[i] / whole);
    return out;
}

static double life_of(const double *in)
{
    double all = 0;
    for (int i = 0; i < STATES; i++)
        all += in[i];
    return all;
}

static json_t *times_of(const double *in)
{
    json_t *out = json_object();
    for (int i = 0; i < STATES; i++)
        if (in[i] >= 1)
            set(out, urd__state_word((urd__state)i), json_integer((int64_t)in[i]));
    return out;
}

static json_t *places_of(const urd__thread *thread)
{
    json_t *list = json_array();
    for (int i = 0; i < PLACES_MAX; i++) {
        const urd__place *place = &thread->places[i];
        if (!place->text[0])
            continue;
        json_t *one = json_object();
        set(one, "state", json_string(urd__state_word(place->state)));
        set(one, "at", urd__json_string(place->text));
        set(one, "seen", json_integer((int64_t)place->ns));
        json_array_append_new(list, one);
    }
    return list;
}

/* [from, share of each state in order ...] in hundredths; none at the end are left out. */
static json_t *line_of(const urd__watched *w, const urd__thread *thread)
{
    json_t *list = json_array();
    const double(*line)[STATES] = (const double(*)[STATES])thread->line;
    for (int i = 0; line && i < LINES_MAX; i++) {
        double all = life_of(line[i]);
        if (all < 0.01 * (double)w->line_ns)
            continue;
        json_t *one = json_array();
        json_array_append_new(one, json_integer(i * w->line_ns));
        int last = STATES - 1;
        while (last > 0 && line[i][last] < 0.005 * all)
            last--;
        for (int s = 0; s <= last; s++)
            json_array_append_new(one, percent(line[i][s], all));
        json_array_append_new(list, one);
    }
    return list;
}

static void add_class(json_t *out, const urd__opinion *o, bool for_page)
{
    set(out, "class", json_string(urd__nature_word(o->nature)));
    set(out, "model", o->fit == FIT_NONE ? json_null() : json_string(urd__fit_word(o->fit)));
    if (for_page) {
        set(out, "class_name", json_string(urd__nature_name(o->nature)));
        set(out, "model_name", json_string(urd__fit_name(o->fit)));
    }
}

static json_t *thread_of(const urd__watched *w, const urd__thread *t, bool for_page)
{
    json_t *out = json_object();
    set(out, "tid", json_integer(t->tid));
    set(out, "name", urd__json_string(t->name));
    set(out, "service", json_boolean(t->service));
    set(out, "started_ns", json_integer(t->born - w->begun));
    urd__json_time(out, "ended_ns", t->ended ? t->ended - w->begun : -1);
    set(out, "time_ns", times_of(t->in));
    set(out, "switches", json_integer(t->switches));
    urd__opinion opinion = urd__advice_of_thread(w, t);
    add_class(out, &opinion, for_page);
    set(out, "places", places_of(t));
    if (for_page)
        set(out, "line", line_of(w, t));
    return out;
}

static json_t *processes_of(const urd__watched *w, bool for_page)
{
    json_t *list = json_array();
    int told = 0;
    for (int i = 0; i < w->process_count; i++) {
        const urd__process *p = w->processes[i];
        json_t *one = json_object(), *threads = json_array();
        set(one, "pid", json_integer(p->pid));
        set(one, "parent", json_integer(p->parent));
        set(one, "name", urd__json_string(p->name));
        set(one, "program", urd__json_string(p->program));
        set(one, "language", json_string(urd__language_word(p->language)));
        set(one, "started_ns", json_integer(p->born - w->begun));
        urd__json_time(one, "ended_ns", p->ended ? p->ended - w->begun : -1);
        urd__json_time(one, "memory_peak_bytes", p->memory > 0 ? p->memory : -1);
        set(one, "touched_bytes_per_second",
            p->touched_rate >= 0 ? json_integer((int64_t)p->touched_rate) : json_null());
        set(one, "hidden", json_boolean(p->hidden));
        set(one, "time_ns", times_of(p->in));
        urd__opinion opinion = urd__advice_of_process(w, p);
        add_class(one, &opinion, for_page);
        for (int t = 0; t < w->thread_count && told < THREADS_TOLD_MAX; t++)
            if (w->threads[t]->process == p) {
                json_array_append_new(threads, thread_of(w, w->threads[t], for_page));
                told++;
            }
        set(one, "threads", threads);
        json_array_append_new(list, one);
    }
    return list;
}

static json_t *sum_of(const urd__sum *s)
{
    json_t *out = json_object();
    set(out, "span_ns", json_integer((int64_t)s->span));
    urd__json_share(out, "active", s->span > 0 ? s->active / s->span : -1);
    urd__json_share(out, "alone", s->active > 0 ? s->alone / s->active : -1);
    set(out, "threads_time_ns", times_of(s->in));
    set(out, "waits", shares_of(s->wait, s->span));
    return out;
}

static void add_opinion(json_t *out, const urd__opinion *o, bool for_page)
{
    add_class(out, o, for_page);
    urd__json_share(out, "active", o->active);
    urd__json_share(out, "cores_wanted", o->cores_wanted);
    urd__json_share(out, "lock_share", o->lock_share);
    urd__json_share(out, "serial_share", o->alone);
    set(out, "waits_for", o->top == STATES ? json_null() : json_string(urd__state_word(o->top)));
    urd__json_share(out, "speedup_here", o->speedup_here);
    urd__json_share(out, "speedup_more", o->speedup_more);
    set(out, "more_cores", json_integer(o->more_cores));
}

static json_t *phases_of(const urd__advice *a, bool for_page)
{
    json_t *list = json_array();
    for (int i = 0; i < a->phase_count; i++) {
        const urd__phase_seen *phase = &a->phases[i];
        json_t *one = json_object();
        set(one, "from_ns", json_integer(phase->from));
        set(one, "to_ns", json_integer(phase->to));
        add_opinion(one, &phase->opinion, for_page);
        set(one, "sum", sum_of(&phase->sum));
        json_array_append_new(list, one);
    }
    return list;
}

static json_t *locks_of(const urd__watched *w)
{
    json_t *list = json_array();
    for (int i = 0; i < w->lock_count; i++) {
        const urd__lock_seen *lock = &w->locks[i];
        char address[24];
        snprintf(address, sizeof address, "0x%llx", (unsigned long long)lock->address);
        json_t *one = json_object();
        set(one, "pid", json_integer(lock->pid));
        set(one, "lock", json_string(lock->state == STATE_GIL ? "gil" : address));
        set(one, "waiters", json_integer(lock->waiters));
        set(one, "waited_ns", json_integer((int64_t)lock->ns));
        set(one, "at", urd__json_string(lock->place));
        set(one, "holder", lock->holder[0].tid ? json_integer(lock->holder[0].tid) : json_null());
        json_array_append_new(list, one);
    }
    return list;
}

static json_t *list_of(const char says[][SAY_BYTES], int count)
{
    json_t *list = json_array();
    for (int i = 0; i < count; i++)
        json_array_append_new(list, urd__json_string(says[i]));
    return list;
}

static json_t *verdict_of(const urd__advice *a, bool for_page)
{
    json_t *out = json_object();
    add_opinion(out, &a->opinion, for_page);
    set(out, "because", urd__json_string(a->because));
    set(out, "fits", urd__json_string(a->fits));
    set(out, "expect", urd__json_string(a->expect));
    set(out, "watch_out", list_of(a->watch_out, a->watch_count));
    set(out, "notes", list_of(a->notes, a->note_count));
    return out;
}

static json_t *watch_of(const urd__advice *a)
{
    const urd__watched *w = a->watched;
    json_t *out = json_object();
    set(out, "wall_ns", json_integer(w->ended - w->begun));
    set(out, "looks", json_integer(w->looks));
    set(out, "ticks", json_integer(w->ticks));
    set(out, "names", json_integer(w->names));
    urd__json_share(out, "overhead_cores", a->overhead);
    urd__json_time(out, "cpu_ns", w->tree_cpu);
    urd__json_time(out, "memory_peak_bytes", w->memory_peak > 0 ? w->memory_peak : -1);
    set(out, "processes", json_integer(w->process_count));
    set(out, "threads", json_integer(w->thread_count + a->threads_missed));
    set(out, "threads_missed", json_integer(a->threads_missed));
    urd__json_share(out, "other_cores", a->other_cores);
    return out;
}

static json_t *counted_of(const urd__watched *w)
{
    static const char *const words[COUNTERS] = {"instructions", "cycles",     "cache_misses",
                                                "switches",     "migrations", "page_faults"};
    json_t *out = json_object();
    for (int i = 0; i < COUNTERS; i++)
        set(out, words[i],
            w->deep && w->counted[i] >= 0 ? json_integer((int64_t)w->counted[i]) : json_null());
    return out;
}

static json_t *page_texts(const urd__advice *a)
{
    static const struct {
        const char *key;
        urd__text_id id;
    } keys[] = {{"verdict", TEXT_VERDICT},
                {"expect", TEXT_EXPECT},
                {"note", TEXT_NOTE},
                {"fits", TEXT_ADVISE_FITS},
                {"watch_out", TEXT_ADVISE_WATCH_OUT},
                {"phases", TEXT_ADVISE_PHASES},
                {"phase", TEXT_ADVISE_PHASE},
                {"locks", TEXT_ADVISE_LOCKS},
                {"thread", TEXT_ADVISE_THREAD},
                {"life", TEXT_ADVISE_LIFE},
                {"waited", TEXT_ADVISE_WAITED},
                {"where", TEXT_ADVISE_WHERE},
                {"more", TEXT_ADVISE_MORE_THREADS},
                {"timeline", TEXT_ADVISE_TIMELINE},
                {"evidence", TEXT_ADVISE_EVIDENCE},
                {"shares", TEXT_ADVISE_SHARES},
                {"nobody", TEXT_ADVISE_NOBODY},
                {"somebody", TEXT_ADVISE_SOMEBODY},
                {"whole", TEXT_ADVISE_WHOLE},
                {"how", TEXT_HOW},
                {"how_long", TEXT_ADVISE_HOW_LONG}};
    json_t *out = json_object(), *states = json_array();
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        set(out, keys[i].key, json_string(urd__text(keys[i].id)));
    for (int i = 0; i < STATES; i++)
        json_array_append_new(states, json_string(urd__state_name((urd__state)i)));
    set(out, "states", states);
    static const urd__text_id lock_headings[] = {TEXT_ADVISE_LOCKS, TEXT_ADVISE_WAITERS,
                                                 TEXT_ADVISE_WAITED, TEXT_ADVISE_HOLDER,
                                                 TEXT_ADVISE_WHERE};
    json_t *headings = json_array();
    for (size_t i = 0; i < sizeof lock_headings / sizeof *lock_headings; i++)
        json_array_append_new(headings, json_string(urd__text(lock_headings[i])));
    set(out, "lock_headings", headings);
    char line[320];
    urd__advice_watched(a, line, sizeof line);
    set(out, "watched", json_string(line));
    return out;
}

static json_t *whole_of(const urd__watched *w)
{
    json_t *list = json_array();
    for (int i = 0; i < w->window_count; i++) {
        const urd__sum *s = &w->windows[i];
        json_t *one = json_array();
        json_array_append_new(one, json_integer((int64_t)s->span));
        json_array_append_new(one, percent(s->active, s->span));
        for (int j = STATE_READY + 1; j < STATES; j++)
            json_array_append_new(one, percent(s->wait[j], s->span));
        json_array_append_new(list, one);
    }
    return list;
}

char *urd__advice_json(const urd__advice *a, bool for_page)
{
    json_t *root = json_object(), *states = json_array();
    set(root, "urd", json_string(URD_VERSION));
    set(root, "command", urd__json_string(a->command));
    set(root, "cores", json_integer(a->cores));
    set(root, "language", json_string(urd__language_word(a->facts.language)));
    set(root, "verdict", verdict_of(a, for_page));
    set(root, "phases", phases_of(a, for_page));
    set(root, "watch", watch_of(a));
    set(root, "whole", sum_of(&a->facts.sum));
    set(root, "locks", locks_of(a->watched));
    set(root, "counted", counted_of(a->watched));
    set(root, "processes", processes_of(a->watched, for_page));
    if (for_page) {
        for (int i = 0; i < STATES; i++)
            json_array_append_new(states, json_string(urd__state_word((urd__state)i)));
        set(root, "states", states);
        set(root, "line_ns", json_integer(a->watched->line_ns));
        set(root, "windows", whole_of(a->watched));
        set(root, "text", page_texts(a));
    } else {
        json_decref(states);
    }
    char *text = json_dumps(root, for_page ? JSON_COMPACT : JSON_INDENT(2));
    json_decref(root);
    return text;
}
