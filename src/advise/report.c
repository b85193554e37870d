/*
 * report.c - the report on the terminal.
 *
 * SPDX-License-Identifier: MIT
 *
 * Threads of one process that have the same name and were at the same place for most of the time
 * are one line: a pool of 200 workers is told in one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "advise/advise.h"
#include "ui/terminal.h"
#include "ui/text.h"
#include "urd.h"

enum { ROWS_MAX = 14, CELLS = 6, CELL = 128, FAMILIES_MAX = 64, FAMILIES_SHOWN = 5 };

typedef struct group {
    const urd__process *process;
    const char *name;
    const urd__place *place;
    urd__state waits; /* most */
    int threads;
    pid_t tid; /* of the first */
    double in[STATES], life;
} group;

static double life_of(const double *in)
{
    double all = 0;
    for (int i = 0; i < STATES; i++)
        all += in[i];
    return all;
}

static urd__state waits_most(const double *in)
{
    urd__state most = STATE_LOCK;
    for (int i = STATE_LOCK; i < STATES; i++)
        if (in[i] > in[most])
            most = (urd__state)i;
    return most;
}

static const urd__place *main_place(const urd__thread *thread)
{
    double run = thread->in[STATE_RUN];
    urd__state waits = waits_most(thread->in), shown = run > thread->in[waits] ? STATE_RUN : waits;
    const urd__place *best = NULL;
    for (int i = 0; i < PLACES_MAX; i++) {
        const urd__place *place = &thread->places[i];
        if (place->text[0] && place->state == shown && (!best || place->ns > best->ns))
            best = place;
    }
    return best;
}

static bool same_place(const urd__place *a, const urd__place *b)
{
    return !a || !b || strcmp(a->text, b->text) == 0;
}

/* "worker-1" and "worker-2" are of one kind. */
static bool same_kind(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    while (*a >= '0' && *a <= '9')
        a++;
    while (*b >= '0' && *b <= '9')
        b++;
    return strcmp(a, b) == 0;
}

static int make_groups(const urd__watched *w, group **out)
{
    group *groups = calloc((size_t)(w->thread_count ? w->thread_count : 1), sizeof *groups);
    int count = 0;
    for (int i = 0; groups && i < w->thread_count; i++) {
        const urd__thread *t = w->threads[i];
        if (life_of(t->in) <= 0) /* it was never looked at */
            continue;
        const urd__place *place = main_place(t);
        urd__state waits = waits_most(t->in);
        bool first = t->tid == t->process->pid;
        int at = 0;
        while (at < count && (first || !same_kind(groups[at].name, t->name) ||
                              strcmp(groups[at].process->program, t->process->program) != 0 ||
                              groups[at].waits != waits || !same_place(groups[at].place, place)))
            at++;
        /* Processes of one program that came one after the other are one line too. */
        for (int j = 0; first && j < count; j++)
            if (groups[j].process != t->process && groups[j].waits == waits &&
                strcmp(groups[j].process->program, t->process->program) == 0 &&
                strcmp(groups[j].name, t->name) == 0 && same_place(groups[j].place, place)) {
                at = j;
                break;
            }
        if (at == count)
            groups[count++] =
                (group){.process = t->process, .name = t->name, .waits = waits, .tid = t->tid};
        groups[at].threads++;
        if (!groups[at].place)
            groups[at].place = place;
        groups[at].life += life_of(t->in);
        for (int s = 0; s < STATES; s++)
            groups[at].in[s] += t->in[s];
    }
    *out = groups;
    return count;
}

/* The more it ran, the further up; then by what it waited for outside. */
static int by_weight(const void *left, const void *right)
{
    const group *a = left, *b = right;
    double x = a->in[STATE_RUN] * 100 + a->life - a->in[STATE_WORK] - a->in[STATE_JOIN];
    double y = b->in[STATE_RUN] * 100 + b->life - b->in[STATE_WORK] - b->in[STATE_JOIN];
    return x > y ? -1 : x < y;
}

static void fill_cells(const group *g, char cells[][CELL])
{
    char name[64];
    snprintf(name, sizeof name, "%s", g->name);
    urd__text_clean(name);
    if (g->threads > 1)
        snprintf(cells[0], CELL, "%s ×%d", name, g->threads);
    else
        snprintf(cells[0], CELL, "%s %d", name, g->tid);
    urd__text_duration(cells[1], CELL, (int64_t)(g->life / g->threads));
    double life = g->life > 0 ? g->life : 1;
    urd__text_percent(cells[2], CELL, g->in[STATE_RUN] / life);
    urd__text_percent(cells[3], CELL, g->in[STATE_READY] / life);
    char share[16];
    urd__text_percent(share, sizeof share, g->in[g->waits] / life);
    if (g->in[g->waits] > 0.005 * life)
        snprintf(cells[4], CELL, "%s %s", urd__state_name(g->waits), share);
    else
        snprintf(cells[4], CELL, "-");
    snprintf(cells[5], CELL, "%s", g->place ? g->place->text : "");
    urd__text_clean(cells[5]);
}

static void print_rows(char rows[][CELLS][CELL], int count, FILE *out, const urd__paint *p)
{
    int widths[CELLS] = {0};
    for (int r = 0; r < count; r++)
        for (int c = 0; c < CELLS; c++) {
            int width = urd__text_width(rows[r][c]);
            widths[c] = width > widths[c] ? width : widths[c];
        }
    for (int r = 0; r < count; r++) {
        fputs(r == 0 ? p->dim : "", out);
        int used = 0;
        for (int c = 0; c < CELLS - 1; c++) {
            if (c == 4)
                fputs("  ", out);
            urd__print_cell(out, rows[r][c], widths[c], c == 0 || c == 4);
            used += widths[c] + 2;
        }
        int left = urd__line_columns(out) - used - 2;
        if (left > 8 && rows[r][5][0]) {
            urd__text_cut(rows[r][5], left);
            fprintf(out, "  %s", rows[r][5]);
        }
        fprintf(out, "%s\n", r == 0 ? p->off : "");
    }
}

static void print_threads(const urd__advice *a, FILE *out, const urd__paint *p)
{
    group *groups;
    int count = make_groups(a->watched, &groups);
    if (!groups)
        return;
    qsort(groups, (size_t)count, sizeof *groups, by_weight);
    static char rows[ROWS_MAX + 1][CELLS][CELL];
    static const urd__text_id headings[CELLS] = {TEXT_ADVISE_THREAD, TEXT_ADVISE_LIFE,
                                                 TEXT_ADVISE_RAN,    TEXT_ADVISE_READY,
                                                 TEXT_ADVISE_WAITED, TEXT_ADVISE_WHERE};
    for (int c = 0; c < CELLS; c++)
        snprintf(rows[0][c], CELL, "%s", urd__text(headings[c]));
    int shown = count < ROWS_MAX ? count : ROWS_MAX;
    for (int i = 0; i < shown; i++)
        fill_cells(&groups[i], rows[i + 1]);
    print_rows(rows, shown + 1, out, p);
    if (count > shown) {
        char number[16], line[64];
        snprintf(number, sizeof number, "%d", count - shown);
        const char *value = number;
        urd__text_fill(line, sizeof line, urd__text(TEXT_ADVISE_MORE_THREADS), &value, 1);
        fprintf(out, "%s\n", line);
    }
    fputc('\n', out);
    free(groups);
}

/* One bar for the whole: where something ran, and what was waited for in the rest. */
static void print_whole(const urd__advice *a, FILE *out, const urd__paint *p)
{
    const urd__sum *s = &a->facts.sum;
    if (s->span <= 0)
        return;
    char share[16];
    urd__text_percent(share, sizeof share, s->active / s->span);
    fprintf(out, "%s%s:%s %s %s", p->bold, urd__text(TEXT_ADVISE_WHOLE), p->off,
            urd__text(TEXT_ADVISE_SOMEBODY), share);
    bool first = true;
    for (int i = STATE_READY + 1; i < STATES; i++) {
        if (s->wait[i] < 0.005 * s->span)
            continue;
        urd__text_percent(share, sizeof share, s->wait[i] / s->span);
        fprintf(out, "%s %s %s", first ? "; " : ",", urd__state_name((urd__state)i), share);
        if (first)
            first = false;
    }
    fputc('\n', out);
}

static void print_phases(const urd__advice *a, FILE *out, const urd__paint *p)
{
    for (int i = 0; i < a->phase_count && a->phase_count > 1; i++) {
        const urd__phase_seen *phase = &a->phases[i];
        char from[32], to[32], active[16], line[512], lead[48];
        urd__text_duration(from, sizeof from, phase->from);
        urd__text_duration(to, sizeof to, phase->to);
        urd__text_percent(active, sizeof active, phase->opinion.active);
        snprintf(lead, sizeof lead, "%s %d", urd__text(TEXT_ADVISE_PHASE), i + 1);
        snprintf(line, sizeof line, "%s - %s: %s; %s: %s; %s %s", from, to,
                 urd__nature_name(phase->opinion.nature), urd__text(TEXT_ADVISE_FITS),
                 urd__fit_name(phase->opinion.fit), urd__text(TEXT_ADVISE_SOMEBODY), active);
        urd__print_wrapped(out, lead, line, p);
    }
}

/* Processes of one program with one verdict are one line. */
typedef struct family {
    const urd__process *process; /* the first */
    urd__opinion opinion;
    int count;
    double weight, active, own;
} family;

static int by_family(const void *left, const void *right)
{
    const family *a = left, *b = right;
    return a->weight > b->weight ? -1 : a->weight < b->weight;
}

static void print_family(const family *f, FILE *out, const urd__paint *p)
{
    urd__values v = {0};
    char name[80], line[400], program[64];
    snprintf(program, sizeof program, "%s", f->process->program);
    urd__text_clean(program);
    if (f->count > 1)
        snprintf(name, sizeof name, "%.40s ×%d", program, f->count);
    else
        snprintf(name, sizeof name, "%.40s %d", program, f->process->pid);
    urd__add_text(&v, name);
    urd__add_text(&v, urd__nature_name(f->opinion.nature));
    urd__add_text(&v, urd__fit_name(f->opinion.fit));
    urd__add_percent(&v, f->own > 0 ? f->active / f->own : 0);
    urd__fill(line, sizeof line, TEXT_ADVISE_PROCESS_LINE, &v);
    urd__print_wrapped(out, urd__text(TEXT_ADVISE_PROCESS), line, p);
}

static void print_processes(const urd__advice *a, FILE *out, const urd__paint *p)
{
    static family families[FAMILIES_MAX];
    const urd__watched *w = a->watched;
    int count = 0;
    for (int i = 0; i < w->process_count && w->process_count > 1; i++) {
        const urd__process *process = w->processes[i];
        urd__opinion opinion = urd__advice_of_process(w, process);
        if (opinion.nature == NATURE_SHORT)
            continue;
        int at = 0;
        while (at < count && (strcmp(families[at].process->program, process->program) != 0 ||
                              families[at].opinion.nature != opinion.nature ||
                              families[at].opinion.fit != opinion.fit))
            at++;
        if (at == FAMILIES_MAX)
            continue;
        if (at == count)
            families[count++] = (family){.process = process, .opinion = opinion};
        double own = process->sum.ran + process->sum.span - process->sum.active;
        families[at].count++;
        families[at].active += process->sum.ran;
        families[at].own += own;
        families[at].weight += process->in[STATE_RUN] * 100 + own;
    }
    qsort(families, (size_t)count, sizeof *families, by_family);
    for (int i = 0; i < count && i < FAMILIES_SHOWN; i++)
        print_family(&families[i], out, p);
}

static void add_counted(char *line, size_t size, urd__text_id id, double value, int decimals)
{
    urd__values v = {0};
    urd__add_number(&v, value, decimals);
    size_t used = strlen(line);
    if (used > 0)
        used += (size_t)snprintf(line + used, size - used, ", ");
    urd__fill(line + used, size - used, id, &v);
}

static void print_counted(const urd__advice *a, FILE *out, const urd__paint *p)
{
    static const struct {
        urd__counter counter;
        urd__text_id text;
    } parts[] = {{COUNTER_SWITCHES, TEXT_ADVISE_COUNTED_SWITCHES},
                 {COUNTER_MIGRATIONS, TEXT_ADVISE_COUNTED_MIGRATIONS},
                 {COUNTER_FAULTS, TEXT_ADVISE_COUNTED_FAULTS}};
    const double *counted = a->watched->counted;
    char line[320] = "";
    if (a->facts.instructions > 0)
        add_counted(line, sizeof line, TEXT_ADVISE_COUNTED_CYCLES, a->facts.instructions, 2);
    if (a->facts.instructions > 0 && counted[COUNTER_MISSES] >= 0)
        add_counted(line, sizeof line, TEXT_ADVISE_COUNTED_MISSES, a->facts.misses, 1);
    for (size_t i = 0; a->watched->deep && i < sizeof parts / sizeof *parts; i++)
        if (counted[parts[i].counter] >= 0)
            add_counted(line, sizeof line, parts[i].text, counted[parts[i].counter], 0);
    if (line[0])
        urd__print_wrapped(out, urd__text(TEXT_ADVISE_COUNTED), line, p);
}

static void describe_holder(const urd__watched *w, const urd__lock_seen *lock, char *out,
                            size_t size)
{
    const char *name = "?";
    for (int i = 0; i < w->thread_count; i++)
        if (w->threads[i]->tid == lock->holder[0].tid)
            name = w->threads[i]->name;
    char who[48], share[16];
    snprintf(who, sizeof who, "%s %d", name, lock->holder[0].tid);
    urd__text_clean(who);
    urd__text_percent(share, sizeof share, (double)lock->holder[0].looks / lock->looks);
    const char *values[] = {who, share};
    urd__text_fill(out, size, urd__text(TEXT_ADVISE_LOCK_HELD), values, 2);
    urd__state most = STATE_RUN;
    for (int s = 0; s < STATES; s++)
        if (lock->holder[0].waiting[s] > lock->holder[0].waiting[most])
            most = (urd__state)s;
    if (most >= STATE_DISK && most <= STATE_FAULT) {
        size_t used = strlen(out);
        const char *state = urd__state_name(most);
        urd__text_fill(out + used, size - used, urd__text(TEXT_ADVISE_LOCK_HELD_WAITING), &state,
                       1);
    }
}

static int by_time(const void *left, const void *right)
{
    const urd__lock_seen *a = left, *b = right;
    return a->ns > b->ns ? -1 : a->ns < b->ns;
}

static void print_locks(const urd__advice *a, FILE *out, const urd__paint *p)
{
    static urd__lock_seen locks[LOCKS_MAX];
    const urd__watched *w = a->watched;
    memcpy(locks, w->locks, (size_t)w->lock_count * sizeof *locks);
    qsort(locks, (size_t)w->lock_count, sizeof *locks, by_time);
    for (int i = 0; i < w->lock_count && i < 3; i++) {
        const urd__lock_seen *lock = &locks[i];
        if (lock->ns < 0.02 * a->facts.sum.span)
            break;
        char name[48], waiters[16], ns[32], at[PLACE_BYTES + 16] = "", held[256] = "";
        char line[512], address[24];
        snprintf(address, sizeof address, "0x%llx", (unsigned long long)lock->address);
        const char *value = address;
        urd__text_fill(name, sizeof name, urd__text(TEXT_ADVISE_LOCK_WORD), &value, 1);
        snprintf(waiters, sizeof waiters, "%d%s", lock->waiters,
                 lock->waiters == WAITERS_MAX ? "+" : "");
        urd__text_duration(ns, sizeof ns, (int64_t)lock->ns);
        value = lock->place;
        if (lock->place[0] && lock->state == STATE_LOCK)
            urd__text_fill(at, sizeof at, urd__text(TEXT_ADVISE_LOCK_AT), &value, 1);
        if (lock->holder[0].looks > 0)
            describe_holder(w, lock, held, sizeof held);
        const char *values[] = {lock->state == STATE_GIL ? urd__state_name(STATE_GIL) : name,
                                waiters, ns, at, held};
        urd__text_fill(line, sizeof line, urd__text(TEXT_ADVISE_LOCK_LINE), values, 5);
        urd__print_wrapped(out, urd__text(TEXT_ADVISE_LOCKS), line, p);
    }
}

void urd__advice_watched(const urd__advice *a, char *out, size_t size)
{
    const urd__watched *w = a->watched;
    urd__values v = {0};
    char cost[32];
    urd__text_number(cost, sizeof cost, a->overhead * 100, 1);
    snprintf(cost + strlen(cost), sizeof cost - strlen(cost), " %%");
    urd__add_duration(&v, w->ended - w->begun);
    urd__add_number(&v, a->facts.processes, 0);
    urd__add_number(&v, (double)(w->thread_count + a->threads_missed), 0);
    urd__add_number(&v, a->facts.cores, 0);
    urd__add_number(&v, (double)w->looks, 0);
    urd__add_text(&v, cost);
    urd__fill(out, size, TEXT_ADVISE_WATCHED, &v);
    if (w->memory_peak <= 0)
        return;
    v = (urd__values){0};
    urd__add_bytes(&v, w->memory_peak);
    size_t used = strlen(out);
    used += (size_t)snprintf(out + used, size - used, "; ");
    urd__fill(out + used, size - used, TEXT_ADVISE_MEMORY, &v);
}

void urd__advice_print(const urd__advice *a, FILE *out, bool colours)
{
    const urd__paint *p = urd__paint_for(colours);
    char line[320];
    urd__advice_watched(a, line, sizeof line);
    fprintf(out, "%surd advise: %s%s\n", p->bold, a->command, p->off);
    urd__print_wrapped(out, NULL, line, p);
    fputc('\n', out);
    print_threads(a, out, p);
    print_whole(a, out, p);
    print_phases(a, out, p);
    print_processes(a, out, p);
    print_locks(a, out, p);
    print_counted(a, out, p);
    fprintf(out, "\n%s%s%s · %s: %s%s%s\n", p->bold, urd__nature_name(a->opinion.nature), p->off,
            urd__text(TEXT_ADVISE_FITS), p->good, urd__fit_name(a->opinion.fit), p->off);
    urd__print_wrapped(out, urd__text(TEXT_VERDICT), a->because, p);
    if (a->fits[0])
        urd__print_wrapped(out, urd__text(TEXT_ADVISE_FITS), a->fits, p);
    if (a->expect[0])
        urd__print_wrapped(out, urd__text(TEXT_EXPECT), a->expect, p);
    for (int i = 0; i < a->watch_count; i++)
        urd__print_wrapped(out, urd__text(TEXT_ADVISE_WATCH_OUT), a->watch_out[i], p);
    for (int i = 0; i < a->note_count; i++)
        urd__print_wrapped(out, urd__text(TEXT_NOTE), a->notes[i], p);
}
