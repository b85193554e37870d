/*
 * progress.c - count what is done, and show it now and then.
 *
 * SPDX-License-Identifier: MIT
 *
 * Who adds when it is due moves `due` on by one compare-and-swap, and so alone shows it; `showing`
 * keeps the next one from it should the writing take longer than an interval.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/atomic.h"
#include "base/check.h"
#include "base/os.h"
#include "urd.h"

enum { LINE_BYTES = 160, STDERR = 2 };
static const urd_time TERMINAL_USUAL = 100 * URD_MS, LOG_USUAL = 10 * URD_SECOND;

static urd_time next_after(const urd_progress *p, urd_time now)
{
    urd_time interval = p->options.interval_duration;
    return interval > URD_FOREVER - now ? URD_FOREVER : now + interval;
}

void urd_progress_open(urd_progress *p, const char *name, uint64_t total,
                       const urd_progress_options *o)
{
    *p = (urd_progress){.total = total, .began = urd_now()};
    if (o)
        p->options = *o;
    if (p->options.fd < 0 || p->options.interval_duration < 0)
        urd__die("urd_progress_open: a negative descriptor or interval");
    if (p->options.fd == 0)
        p->options.fd = STDERR;
    p->columns = p->options.show ? 0 : urd__os_terminal_columns(p->options.fd);
    if (p->options.interval_duration == 0)
        p->options.interval_duration =
            p->options.show || p->columns > 0 ? TERMINAL_USUAL : LOG_USUAL;
    if (name)
        memcpy(p->name, name, strnlen(name, sizeof p->name - 1));
    p->due = next_after(p, p->began);
}

void urd_progress_get(const urd_progress *p, urd_progress_state *out)
{
    *out = (urd_progress_state){
        .done = urd__load_rlx(&p->done),   /* counts alone */
        .total = urd__load_rlx(&p->total), /* the same */
        .past_duration = urd_now() - p->began,
        .left_duration = -1,
    };
    double past = (double)out->past_duration / (double)URD_SECOND;
    if (past > 0)
        out->rate = (double)out->done / past;
    double left = out->total > out->done ? (double)(out->total - out->done) : 0;
    if (out->total > 0 && out->rate > 0 && left / out->rate < 1e9)
        out->left_duration = (urd_time)(left / out->rate * (double)URD_SECOND);
}

/* Appends where there is room. */
__attribute__((format(printf, 3, 4))) static void append(char *line, size_t *used,
                                                         const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line + *used, LINE_BYTES - *used, format, args);
    va_end(args);
    *used += (size_t)n;
    if (*used >= LINE_BYTES)
        *used = LINE_BYTES - 1;
}

static void append_clock(char *line, size_t *used, urd_time duration)
{
    long seconds = (long)(duration / URD_SECOND);
    if (seconds >= 3600)
        append(line, used, "%ld:%02ld:%02ld", seconds / 3600, seconds / 60 % 60, seconds % 60);
    else
        append(line, used, "%ld:%02ld", seconds / 60, seconds % 60);
}

static size_t put_in_words(const urd_progress *p, const urd_progress_state *s, char *line)
{
    size_t used = 0;
    if (p->name[0])
        append(line, &used, "%s: ", p->name);
    append(line, &used, "%llu", (unsigned long long)s->done);
    if (s->total > 0)
        append(line, &used, "/%llu (%llu%%)", (unsigned long long)s->total,
               (unsigned long long)(s->done * 100 / s->total));
    append(line, &used,
           s->rate < 10    ? ", %.2f/s"
           : s->rate < 100 ? ", %.1f/s"
                           : ", %.0f/s",
           s->rate);
    append(line, &used, s->closed ? ", in " : ", ");
    bool known = !s->closed && s->left_duration >= 0;
    append_clock(line, &used, known ? s->left_duration : s->past_duration);
    if (known)
        append(line, &used, " left");
    return used;
}

static void show(const urd_progress *p, bool closed)
{
    urd_progress_state state;
    char line[LINE_BYTES], whole[LINE_BYTES + 8];
    urd_progress_get(p, &state);
    state.closed = closed;
    if (p->options.show) {
        p->options.show(&state, p->options.arg);
        return;
    }
    size_t size = put_in_words(p, &state, line);
    if (p->columns > 0 && size >= (size_t)p->columns)
        line[p->columns - 1] = '\0'; /* or it would go on in the next line, and stay there */
    int n = p->columns > 0 ? snprintf(whole, sizeof whole, "\r%s\033[K%s", line, closed ? "\n" : "")
                           : snprintf(whole, sizeof whole, "%s\n", line);
    urd__os_write(p->options.fd, whole, (size_t)n);
}

void urd_progress_add(urd_progress *p, uint64_t n)
{
    urd__add_ar(&p->done, n);
    urd_time due = urd__load_rlx(&p->due), now = urd_now(); /* checked by the swap */
    if (now < due || !urd__cas_ar(&p->due, &due, next_after(p, now)))
        return;
    if (urd__xchg_ar(&p->showing, 1)) /* [shown] */
        return;
    show(p, false);
    urd__store_rel(&p->showing, 0); /* [shown] the next one comes after this */
}

void urd_progress_expect(urd_progress *p, uint64_t more)
{
    urd__add_ar(&p->total, more);
}

void urd_progress_close(urd_progress *p)
{
    show(p, true);
}
