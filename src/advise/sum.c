/*
 * sum.c - what all threads did, added up over time.
 *
 * SPDX-License-Identifier: MIT
 *
 * A look at a thread tells of the time since the last one, and the threads are looked at in turn.
 * So their time goes into a ring of short slots first.  A slot is closed once nothing more can come
 * for it; then it says what the whole did in it:
 *
 *   active   the threads' running and ready time, at most the slot: something ran, or could have.
 *   ran      of that, the running alone: what is left when others do not want the cores.
 *   alone    of that, the part in which one thread was active by itself.  With a sum s of threads'
 *            time, in slots, it is s up to 1, and 2 - s from there to 2.
 *   wait     the rest, given to what the threads wait for outside the program.  A thread that waits
 *            for another of its own says nothing; where several things are waited for, the order of
 *            `outside` below decides: a timer beside a socket is the watchdog of that socket, and
 *            not the other way around.
 *
 * That is exact only where the slots are short, which is why it is not done on the windows, into
 * which the closed slots are merged.  When there are too many windows, two become one.
 */
#include <stdlib.h>
#include <string.h>

#include "advise/advise.h"
#include "urd.h"

static const int64_t slot_ns = 10 * URD_MS;
static const double unseen_least = 0.3; /* of the time in which it was waited for */
static const double present = 0.4;      /* of the waiting, to count as waited for */

static const urd__state order[] = {STATE_DISK,    STATE_FAULT, STATE_NET,  STATE_TERMINAL,
                                   STATE_PIPE,    STATE_TIMER, STATE_LOCK, STATE_GIL,
                                   STATE_STOPPED, STATE_WORK,  STATE_JOIN, STATE_UNKNOWN};

void urd__sum_begin(urd__watched *w, int64_t now)
{
    w->begun = now;
    w->slot_ns = slot_ns;
    w->window_fold = 1;
    w->line_ns = slot_ns;
    for (int i = 0; i < SLOTS; i++)
        w->slots[i].index = -1;
}

double urd__sum_outside(const double *in)
{
    return in[STATE_DISK] + in[STATE_NET] + in[STATE_PIPE] + in[STATE_TIMER] + in[STATE_TERMINAL] +
           in[STATE_FAULT];
}

void urd__sum_of(urd__sum *out, double span, const double *in, const double *outside)
{
    *out = (urd__sum){.span = span};
    memcpy(out->in, in, sizeof out->in);
    double busy = in[STATE_RUN] + in[STATE_READY];
    out->active = busy < span ? busy : span;
    out->alone = busy <= span ? busy : busy < 2 * span ? 2 * span - busy : 0;
    out->ran = busy > 0 ? out->active * in[STATE_RUN] / busy : 0;
    double rest = span - out->active;
    urd__state most = STATE_UNKNOWN;
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        if (outside[order[i]] > outside[most])
            most = order[i];
        if (outside[order[i]] >= present * rest && outside[order[i]] > 0) {
            most = order[i];
            break;
        }
    }
    out->wait[most] = rest;
}

void urd__sum_merge(urd__sum *to, const urd__sum *from)
{
    to->span += from->span;
    to->active += from->active;
    to->ran += from->ran;
    to->alone += from->alone;
    for (int i = 0; i < STATES; i++) {
        to->in[i] += from->in[i];
        to->wait[i] += from->wait[i];
    }
}

void urd__sum_whole(const urd__watched *w, urd__sum *out)
{
    *out = (urd__sum){0};
    for (int i = 0; i < w->window_count; i++)
        urd__sum_merge(out, &w->windows[i]);
}

/* Threads and children that lived too short to be looked at were waited for, and used what the
 * kernel counted in the end but nobody saw: so in that time something ran, or stood ready. */
void urd__sum_unseen(urd__watched *w)
{
    urd__sum whole;
    urd__sum_whole(w, &whole);
    double joined = whole.wait[STATE_JOIN];
    double unseen = (double)w->tree_cpu - whole.in[STATE_RUN];
    if (w->tree_cpu < 0 || joined <= 0 || unseen < unseen_least * joined)
        return;
    double ran = unseen < joined ? unseen / joined : 1;
    for (int i = 0; i < w->window_count; i++) {
        urd__sum *s = &w->windows[i];
        double share = s->wait[STATE_JOIN] / joined;
        s->active += s->wait[STATE_JOIN];
        s->ran += s->wait[STATE_JOIN] * ran;
        s->alone += unseen <= joined ? s->wait[STATE_JOIN] : 0;
        s->in[STATE_RUN] += unseen * share;
        s->in[STATE_READY] += s->wait[STATE_JOIN] * (1 - ran);
        s->wait[STATE_JOIN] = 0;
    }
}

static void fold_windows(urd__watched *w)
{
    for (size_t i = 0; i < WINDOWS_MAX / 2; i++) {
        w->windows[i] = w->windows[2 * i];
        urd__sum_merge(&w->windows[i], &w->windows[2 * i + 1]);
    }
    w->window_count = WINDOWS_MAX / 2;
    w->window_fold *= 2;
    w->window_filled = w->window_fold;
}

static void keep_window(urd__watched *w, const urd__sum *sum)
{
    if (w->window_count == 0 || w->window_filled == w->window_fold) {
        if (w->window_count == WINDOWS_MAX)
            fold_windows(w);
        w->windows[w->window_count++] = (urd__sum){0};
        w->window_filled = 0;
    }
    urd__sum_merge(&w->windows[w->window_count - 1], sum);
    w->window_filled++;
}

/* A slot of one process, for as much of it as that was alive. */
static void close_in_process(urd__process *process, int64_t index, int64_t from, int64_t to)
{
    urd__slot *slot = &process->slots[index % SLOTS];
    from = process->slotted_from > from ? process->slotted_from : from;
    to = process->ended && process->ended < to ? process->ended : to;
    if (to > from) {
        urd__slot none = {0};
        const urd__slot *filled = slot->index == index ? slot : &none;
        urd__sum sum;
        urd__sum_of(&sum, (double)(to - from), filled->in, filled->outside);
        urd__sum_merge(&process->sum, &sum);
    }
    slot->index = -1;
}

void urd__sum_slot_process(urd__watched *w, urd__process *process, int64_t now)
{
    if (process->slots || w->slotted == SLOTTED_MAX ||
        !(process->slots = calloc(SLOTS, sizeof *process->slots)))
        return;
    for (int i = 0; i < SLOTS; i++)
        process->slots[i].index = -1;
    process->slotted_from = now;
    w->slotted++;
}

void urd__sum_close(urd__watched *w, int64_t until)
{
    for (;; w->slots_done++) {
        int64_t from = w->begun + w->slots_done * w->slot_ns, to = from + w->slot_ns;
        bool last = w->ended > 0 && w->ended < to;
        if (last ? w->ended <= from : to > until)
            return;
        urd__slot *slot = &w->slots[w->slots_done % SLOTS];
        urd__slot none = {0};
        if (slot->index != w->slots_done)
            slot = &none;
        urd__sum sum;
        urd__sum_of(&sum, (double)((last ? w->ended : to) - from), slot->in, slot->outside);
        keep_window(w, &sum);
        for (int i = 0; i < w->process_count; i++)
            if (w->processes[i]->slots)
                close_in_process(w->processes[i], w->slots_done, from, last ? w->ended : to);
        slot->index = -1;
    }
}

static void add_to_slots(const urd__watched *w, urd__slot *slots, const urd__thread *thread,
                         int64_t to, const double *in)
{
    int64_t oldest = w->begun + w->slots_done * w->slot_ns;
    int64_t from = thread->from > oldest ? thread->from : oldest;
    double whole = (double)(to - from);
    while (from < to) {
        int64_t index = (from - w->begun) / w->slot_ns;
        int64_t end = w->begun + (index + 1) * w->slot_ns;
        end = end < to ? end : to;
        urd__slot *slot = &slots[index % SLOTS];
        if (slot->index != index)
            *slot = (urd__slot){.index = index};
        double share = (double)(end - from) / whole;
        for (int i = 0; i < STATES; i++) {
            slot->in[i] += in[i] * share;
            if (!thread->service)
                slot->outside[i] += in[i] * share;
        }
        from = end;
    }
}

/* All timelines have windows of one length; when one is full, two windows become one in all. */
static void fold_lines(urd__watched *w)
{
    for (int t = 0; t < w->thread_count; t++) {
        double(*line)[STATES] = (double(*)[STATES])w->threads[t]->line;
        for (size_t i = 0; line && i < LINES_MAX; i++)
            for (int s = 0; s < STATES; s++)
                line[i][s] = 2 * i < LINES_MAX ? line[2 * i][s] + line[2 * i + 1][s] : 0;
    }
    w->line_ns *= 2;
}

static void add_to_line(urd__watched *w, urd__thread *thread, int64_t to, const double *in)
{
    while (to - w->begun > w->line_ns * LINES_MAX)
        fold_lines(w);
    double(*line)[STATES] = (double(*)[STATES])thread->line;
    double whole = (double)(to - thread->from);
    for (int64_t from = thread->from, end; line && from < to; from = end) {
        int64_t index = (from - w->begun) / w->line_ns;
        end = w->begun + (index + 1) * w->line_ns;
        end = end < to ? end : to;
        double share = (double)(end - from) / whole;
        for (int i = 0; i < STATES && index < LINES_MAX; i++)
            line[index][i] += in[i] * share;
    }
}

/* Of one thread alone nothing overlaps, so no slots are needed; of several there are. */
static void add_to_process(const urd__watched *w, const urd__thread *thread, int64_t to,
                           const double *in)
{
    urd__process *process = thread->process;
    if (process->slots) {
        add_to_slots(w, process->slots, thread, to, in);
        return;
    }
    urd__sum sum;
    urd__sum_of(&sum, (double)(to - thread->from), in, in);
    urd__sum_merge(&process->sum, &sum);
}

void urd__sum_add(urd__watched *w, urd__thread *thread, int64_t to, const double *in)
{
    if (to <= thread->from)
        return;
    add_to_slots(w, w->slots, thread, to, in);
    add_to_process(w, thread, to, in);
    add_to_line(w, thread, to, in);
    for (int i = 0; i < STATES; i++) {
        thread->in[i] += in[i];
        thread->process->in[i] += in[i];
    }
    thread->from = to;
}
