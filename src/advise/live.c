/*
 * live.c - the live view: what each thread does right now, drawn over the last drawing.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "advise/advise.h"
#include "advise/start.h"
#include "ui/terminal.h"
#include "ui/text.h"

enum { ROWS_MAX = 20, NAME_COLUMNS = 24 };

static int rows_drawn;

void urd__live_clear(void)
{
    if (isatty(STDERR_FILENO) && rows_drawn > 0)
        fprintf(stderr, "\033[%dA\033[J", rows_drawn);
    rows_drawn = 0;
}

/* "name 123   time    work.py:12" */
static void draw_thread(const urd__thread *thread)
{
    char name[64], share[16];
    double all = 0;
    for (int i = 0; i < STATES; i++)
        all += thread->in[i];
    urd__text_percent(share, sizeof share, all > 0 ? thread->in[STATE_RUN] / all : 0);
    snprintf(name, sizeof name, "%s %d", thread->name, thread->tid);
    urd__text_clean(name);
    urd__print_cell(stderr, name, NAME_COLUMNS, true);
    urd__print_cell(stderr, share, 6, false);
    fputs("  ", stderr);
    urd__print_cell(stderr, urd__state_name(thread->state), 20, true);
    char text[PLACE_BYTES] = "";
    if (thread->place >= 0 && thread->places[thread->place].state == thread->state)
        snprintf(text, sizeof text, "%s", thread->places[thread->place].text);
    urd__text_clean(text);
    int left = urd__line_columns(stderr) - NAME_COLUMNS - 32;
    if (left > 0) {
        urd__text_cut(text, left);
        fputs(text, stderr);
    }
    fputs("\033[K\n", stderr);
}

void urd__live_draw(const urd__watched *w, int64_t now)
{
    if (!isatty(STDERR_FILENO))
        return;
    urd__live_clear();
    urd__values v = {0};
    char line[160];
    int processes = 0;
    for (int i = 0; i < w->process_count; i++)
        processes += w->processes[i]->ended == 0;
    urd__add_duration(&v, now - w->begun);
    urd__add_number(&v, processes, 0);
    urd__add_number(&v, w->live_count, 0);
    urd__fill(line, sizeof line, TEXT_ADVISE_LIVE, &v);
    const urd__paint *p = urd__paint_for(true);
    fprintf(stderr, "%s%s%s\033[K\n", p->bold, line, p->off);
    rows_drawn = 1;
    for (int i = 0; i < w->live_count && rows_drawn <= ROWS_MAX; i++, rows_drawn++)
        draw_thread(w->threads[w->live[i].thread]);
}
