/*
 * report.c - the tree in words.
 *
 * SPDX-License-Identifier: MIT
 */
#include "watch/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/os.h"
#include "core/job.h"
#include "core/wait.h"
#include "watch/knot.h"
#include "watch/reason.h"

enum { NODES_PRINTED_MAX = 2000, NAMED_MAX = 3, RINGS_PRINTED_MAX = 10 };

/* Append to a text of a fixed size. */
__attribute__((format(printf, 3, 4))) static void append(char *out, size_t size, const char *format,
                                                         ...)
{
    size_t used = strlen(out);
    va_list args;
    va_start(args, format);
    vsnprintf(out + used, size - used, format, args);
    va_end(args);
}

const char *urd__report_kind(int kind)
{
    static const char *const names[] = {"task", "thread", "process", "fork"};
    return kind >= 0 && kind < 4 ? names[kind] : "job";
}

void urd__report_name(const urd__report *report, const urd__view_job *job, char *out, size_t size)
{
    urd__view_job_given(report->view, job, out, size);
    urd__symbol symbol = {0};
    if (!out[0] && report->dwfl)
        urd__dw_look_up(report->dwfl, &symbol, job->fn);
    if (!out[0] && !symbol.name && report->view->pid == 0)
        symbol.name = urd__symbol_exported((const void *)job->fn); // NOLINT
    if (!out[0])
        snprintf(out, size, "%s", symbol.name ? symbol.name : "job");
}

/* "job x", or what else the task at this address is. */
static void append_task(const urd__report *report, uintptr_t at, char *out, size_t size)
{
    const urd__view_task *task = urd__view_task_at(report->view, at);
    const urd__view_job *job = task ? urd__view_job_at(report->view, task->job) : NULL;
    char name[URD__NAME_BYTES];
    if (!job) {
        append(out, size, "a thread that the runtime did not start");
        return;
    }
    urd__report_name(report, job, name, sizeof name);
    append(out, size, "job %s [%s%ld]", name, task->is_thread ? "t" : "", task->number);
}

/* The variable at this address, if it has a name; else whose stack it is on. */
static void append_variable(const urd__report *report, uintptr_t at, char *out, size_t size)
{
    urd__symbol symbol = {0};
    append(out, size, " %#lx", (unsigned long)at);
    if (report->dwfl)
        urd__dw_look_up(report->dwfl, &symbol, at);
    if (symbol.name && symbol.offset)
        append(out, size, " (%s+%zu)", symbol.name, symbol.offset);
    else if (symbol.name)
        append(out, size, " (%s)", symbol.name);
}

static void append_scope(const urd__report *report, uintptr_t at, char *out, size_t size)
{
    const urd__view_scope *scope = urd__view_scope_at(report->view, at);
    char where[URD__NAME_BYTES] = "";
    if (scope)
        urd__view_string(report->view, scope->where, where, sizeof where);
    append(out, size, " of %s", where[0] ? where : "?");
}

/* The others that wait for the same object. */
static void append_company(const urd__report *report, const urd__view_task *self, char *out,
                           size_t size)
{
    int n = 0;
    for (size_t i = 0; i < report->view->ntasks; i++) {
        const urd__view_task *task = &report->view->tasks[i];
        if (task == self || task->state != URD__WAITS || task->on != self->on)
            continue;
        if (n < NAMED_MAX) {
            append(out, size, n ? ", " : "; also at it: ");
            append_task(report, task->at, out, size);
        }
        n++;
    }
    if (n > NAMED_MAX)
        append(out, size, " and %d more", n - NAMED_MAX);
}

/* Of a read-write lock, which keeps a count of readers and no names. */
static unsigned long readers_of(const urd__report *report, const urd__view_task *task)
{
    const urd__view *view = report->view;
    unsigned reader = view->offset[URD__AT_RWLOCK_READER];
    bool counts = task->reason == URD__ON_RWLOCK_READ || task->reason == URD__ON_RWLOCK_WRITE;
    return counts && reader ? urd__view_field(view, task->on, URD__AT_RWLOCK_STATE) / reader : 0;
}

static void append_lock(const urd__report *report, const urd__view_task *task, char *out,
                        size_t size)
{
    uintptr_t owner = urd__knot_owner(report->view, task);
    unsigned long readers = readers_of(report, task);
    append_variable(report, task->on, out, size);
    if (readers)
        append(out, size, ", held by %lu reader%s", readers, readers == 1 ? "" : "s");
    if (owner) {
        append(out, size, readers ? "; the next writer is " : ", held by ");
        append_task(report, owner, out, size);
    } else if (!readers) {
        append(out, size, ", which nobody holds");
    }
}

static void append_job(const urd__report *report, uintptr_t handle, char *out, size_t size)
{
    char name[URD__NAME_BYTES] = "";
    for (size_t i = 0; i < report->view->njobs && !name[0]; i++)
        if (report->view->jobs[i].handle == handle)
            urd__report_name(report, &report->view->jobs[i], name, sizeof name);
    append(out, size, " %s", name[0] ? name : "that has ended");
}

static void append_arm(const urd__report *report, uintptr_t op, char *out, size_t size)
{
    static const int reasons[] = {
        [URD_OP_SEND] = URD__ON_CHAN_SEND, [URD_OP_RECV] = URD__ON_CHAN_RECV,
        [URD_OP_EVENT] = URD__ON_EVENT,    [URD_OP_JOB] = URD__ON_JOB,
        [URD_OP_UNTIL] = URD__ON_TIME,     [URD_OP_NEXT] = URD__ON_BROADCAST_RECV,
        [URD_OP_FD] = URD__ON_FD};
    uint64_t kind = urd__view_field(report->view, op, URD__AT_OP_KIND);
    uintptr_t on = urd__view_field(report->view, op, URD__AT_OP_ON);
    if (kind >= sizeof reasons / sizeof *reasons)
        return;
    append(out, size, "%s", urd__reason_words(reasons[kind]));
    if (kind == URD_OP_JOB)
        append_job(report, on, out, size);
    else if (kind == URD_OP_NEXT)
        append_variable(report, urd__view_field(report->view, on, URD__AT_SUBSCRIBER_FROM), out,
                        size);
    else if (kind == URD_OP_FD)
        append(out, size, " %d", (int)on);
    else if (kind != URD_OP_UNTIL)
        append_variable(report, on, out, size);
}

static void append_arms(const urd__report *report, const urd__view_task *task, char *out,
                        size_t size)
{
    const urd__view *view = report->view;
    uintptr_t op = urd__view_field(view, task->on, URD__AT_SELECT_OPS);
    int n = (int)urd__view_field(view, task->on, URD__AT_SELECT_N);
    for (int i = 0; i < n && i < NAMED_MAX; i++, op += view->bytes[URD__AT_OP]) {
        append(out, size, i ? ", " : ": ");
        append_arm(report, op, out, size);
    }
    if (n > NAMED_MAX)
        append(out, size, " and %d more", n - NAMED_MAX);
}

static void append_chan(const urd__report *report, const urd__view_task *task, char *out,
                        size_t size)
{
    const urd__view *view = report->view;
    append_variable(report, task->on, out, size);
    bool bytes =
        urd__view_field(view, task->on, URD__AT_CHAN_ORDER) == view->offset[URD__AT_CHAN_BYTES];
    append(out, size, " (%lu of %lu %s used%s)",
           (unsigned long)urd__view_field(view, task->on,
                                          bytes ? URD__AT_CHAN_USED : URD__AT_CHAN_COUNT),
           (unsigned long)urd__view_field(view, task->on, URD__AT_CHAN_SLOTS),
           bytes ? "bytes" : "slots",
           urd__view_field(view, task->on, URD__AT_CHAN_CLOSED) & 1 ? ", closed" : "");
    append_company(report, task, out, size);
}

void urd__report_wait(const urd__report *report, const urd__view_task *task, char *out, size_t size)
{
    snprintf(out, size, "%s", urd__reason_words(task->reason));
    switch (task->reason) {
    case URD__ON_TIME:
        break;
    case URD__ON_SCOPE:
    case URD__ON_LIMIT:
        append_scope(report, task->on, out, size);
        break;
    case URD__ON_JOB:
        append_job(report, task->on, out, size);
        break;
    case URD__ON_MUTEX:
    case URD__ON_RMUTEX:
    case URD__ON_RWLOCK_READ:
    case URD__ON_RWLOCK_WRITE:
    case URD__ON_ONCE:
        append_lock(report, task, out, size);
        break;
    case URD__ON_SELECT:
    case URD__ON_SELECT_UNTIL:
    case URD__ON_SELECT_FD:
        append_arms(report, task, out, size);
        break;
    case URD__ON_CHAN_SEND:
    case URD__ON_CHAN_RECV:
        append_chan(report, task, out, size);
        break;
    default:
        append_variable(report, task->on, out, size);
        append_company(report, task, out, size);
    }
}

/* ---- stacks ---- */

static urd__symbol symbol_of(const urd__report *report, uint64_t pc, bool innermost)
{
    urd__symbol symbol = {0};
    uint64_t at =
        innermost ? pc : pc - 1; /* the others are behind a call; the line is the call's */
    if (report->dwfl)
        urd__dw_look_up(report->dwfl, &symbol, at);
    if (!symbol.name && report->view->pid == 0)
        symbol = urd__symbol_at((const void *)(uintptr_t)at); // NOLINT
    return symbol;
}

/* Also one that has begun a wait and is about to sleep: its saved context is an old one. */
static bool runs_now(const urd__view *view, const urd__view_task *task)
{
    const urd__view_worker *worker = task->worker < 0 ? NULL : &view->workers[task->worker];
    return task->state == URD__RUNS || task->is_thread ||
           (worker && worker->current == task->at && !worker->parked);
}

void urd__report_frames_of(const urd__report *report, const urd__view_task *task,
                           urd__report_frames *frames)
{
    frames->n = 0;
    bool sampled = runs_now(report->view, task);
    urd__sample *sample = sampled && report->sample ? urd__os_alloc(sizeof *sample) : NULL;
    if (sampled && !(sample && report->sample(report->sample_arg, task->thread, sample))) {
        urd__os_free(sample);
        return;
    }
    uint64_t pcs[URD__FRAMES_MAX];
    int n = urd__frames_of(report->dwfl, report->view, task, sample, pcs, URD__FRAMES_MAX);
    urd__os_free(sample);
    urd__symbol symbols[URD__FRAMES_MAX];
    const char *names[URD__FRAMES_MAX];
    for (int i = 0; i < n; i++) {
        symbols[i] = symbol_of(report, pcs[i], sampled && i == 0);
        names[i] = symbols[i].name;
    }
    int first;
    frames->n = urd__frames_trim(names, n, &first);
    for (int i = 0; i < frames->n; i++) {
        frames->at[i] = symbols[first + i];
        frames->pc[i] = pcs[first + i];
    }
}

void urd__report_frame(const urd__report_frames *frames, int i, char *out, size_t size)
{
    const urd__symbol *at = &frames->at[i];
    if (at->name && at->file)
        snprintf(out, size, "%s at %s:%d", at->name, at->file, at->line);
    else if (at->name)
        snprintf(out, size, "%s+%#zx (%s)", at->name, at->offset, at->module ? at->module : "?");
    else
        snprintf(out, size, "%#lx (%s)", (unsigned long)frames->pc[i],
                 at->module ? at->module : "?");
}

void urd__report_stack(const urd__report *report, const urd__view_task *task, const char *indent,
                       urd__out *out)
{
    urd__report_frames frames;
    urd__report_frames_of(report, task, &frames);
    for (int i = 0; i < frames.n; i++) {
        char text[URD__WORDS_BYTES];
        urd__report_frame(&frames, i, text, sizeof text);
        urd__out_print(out, "%s#%d %s\n", indent, i, text);
    }
    if (frames.n == 0)
        urd__out_print(out, "%s(its stack cannot be seen)\n", indent);
}

/* ---- the tree ---- */

static void print_since(const urd__report *report, const urd__view_task *task, urd__out *out)
{
    int64_t waited = report->now - task->since;
    if (task->since > 0 && waited >= 0)
        urd__out_print(out, ", for %lld.%03d s", (long long)(waited / URD_SECOND),
                       (int)(waited % URD_SECOND / URD_MS));
}

static void print_state(const urd__report *report, const urd__view_job *job,
                        const urd__view_task *task, urd__out *out)
{
    if (job->pid)
        urd__out_print(out, ": runs as process %d", (int)job->pid);
    else if (!task)
        urd__out_print(out, job->kind == URD_PROCESS ? ": is being forked" : ": has not begun");
    else if (job->inner)
        urd__out_print(out, ": runs a job of its scope on its own stack");
    else if (task->state == URD__RUNS)
        urd__out_print(out, ": runs");
    else if (task->state == URD__READY)
        urd__out_print(out, ": is ready to run");
    if (!task || job->inner || task->state != URD__WAITS)
        return;
    char words[URD__WORDS_BYTES];
    urd__report_wait(report, task, words, sizeof words);
    urd__out_print(out, ": waits for %s", words);
    print_since(report, task, out);
}

static void print_job(const urd__report *report, const urd__tree *tree, int node,
                      const char *indent, urd__out *out)
{
    const urd__view_job *job = urd__tree_job(tree, node);
    const urd__view_task *task = urd__tree_task(tree, node);
    char name[URD__NAME_BYTES], where[URD__NAME_BYTES];
    urd__report_name(report, job, name, sizeof name);
    urd__view_string(report->view, job->where, where, sizeof where);
    urd__out_print(out, "%sjob %s", indent, name);
    if (task)
        urd__out_print(out, " [%s%ld]", task->is_thread ? "t" : "", task->number);
    urd__out_print(out, " (%s", urd__report_kind(job->kind));
    if (task && task->worker >= 0)
        urd__out_print(out, " on worker %d", task->worker);
    urd__out_print(out, where[0] ? ", started at %s)" : ")", where);
    print_state(report, job, task, out);
    urd__out_print(out, "\n");
    if (tree->nodes[node].more)
        urd__out_print(out, "%s  and %d more like it\n", indent, tree->nodes[node].more);
    if (!report->stacks || !task || job->inner)
        return;
    char deeper[URD__NAME_BYTES];
    snprintf(deeper, sizeof deeper, "%s    ", indent);
    urd__report_stack(report, task, deeper, out);
}

static void print_scope(const urd__report *report, const urd__view_scope *scope, const char *indent,
                        urd__out *out)
{
    char where[URD__NAME_BYTES];
    urd__view_string(report->view, scope->where, where, sizeof where);
    urd__out_print(out, "%sscope of %s%s\n", indent, where[0] ? where : "?",
                   scope->cancelled ? ", cancelled" : "");
}

void urd__report_tree(const urd__report *report, urd__out *out)
{
    enum { INDENT_MAX = 60 };
    urd__tree tree;
    if (urd__tree_build(&tree, report->view) != 0) {
        urd__out_print(out, "(there is no memory for the report)\n");
        return;
    }
    int depth = 0, printed = 0, left_out = 0;
    for (int node = tree.root; node >= 0; node = urd__tree_next(&tree, node, &depth)) {
        if (printed++ >= NODES_PRINTED_MAX) {
            left_out++;
            continue;
        }
        char indent[INDENT_MAX + 1];
        int n = depth * 2 < INDENT_MAX ? depth * 2 : INDENT_MAX;
        memset(indent, ' ', sizeof indent);
        indent[n] = '\0';
        if (urd__tree_scope(&tree, node))
            print_scope(report, urd__tree_scope(&tree, node), indent, out);
        else
            print_job(report, &tree, node, indent, out);
    }
    if (left_out)
        urd__out_print(out, "... and %d more\n", left_out);
    if (report->view->cut)
        urd__out_print(out, "... and what there was no memory for\n");
    urd__tree_free(&tree);
}

/* ---- rings of locks ---- */

/* Is it found from here, and not from another of it as well? */
static bool is_first_of(const urd__view_task *ring, int n)
{
    if (urd__knot_by_scope(&ring[n - 1]))
        return true; /* it begins inside that scope */
    for (int i = 1; i < n; i++)
        if (ring[i].at < ring[0].at)
            return false;
    return true;
}

static void print_link(const urd__report *report, const urd__view_task *link, urd__out *out)
{
    const urd__view_task *task = urd__view_task_at(report->view, link->at);
    const urd__view_job *job = task ? urd__view_job_at(report->view, task->job) : NULL;
    char words[URD__WORDS_BYTES] = "", where[URD__NAME_BYTES] = "";
    append_task(report, link->at, words, sizeof words);
    if (job)
        urd__view_string(report->view, job->where, where, sizeof where);
    if (where[0])
        append(words, sizeof words, ", started at %s,", where);
    append(words, sizeof words, " waits for ");
    size_t used = strlen(words);
    urd__report_wait(report, link, words + used, sizeof words - used);
    urd__out_print(out, "  %s\n", words);
}

static void print_ring(const urd__report *report, const urd__view_task *ring, int n, bool stacks,
                       urd__out *out)
{
    urd__out_print(out, "a ring of locks: nobody in it can go on\n");
    for (int i = 0; i < n; i++) {
        print_link(report, &ring[i], out);
        const urd__view_task *task = urd__view_task_at(report->view, ring[i].at);
        if (stacks && task)
            urd__report_stack(report, task, "      ", out);
    }
    if (!urd__knot_by_scope(&ring[n - 1]))
        return;
    char words[URD__WORDS_BYTES] = "";
    append_task(report, ring[0].at, words, sizeof words);
    urd__out_print(out, "  and %s is one of these jobs\n", words);
}

int urd__report_cycles(const urd__report *report, bool stacks, urd__out *out)
{
    int rings = 0;
    for (size_t i = 0; i < report->view->ntasks; i++) {
        urd__view_task ring[URD__KNOT_MAX];
        const urd__view_task *first = &report->view->tasks[i];
        int n = urd__knot_owner(report->view, first) ? urd__knot_from(report->view, first->at, ring)
                                                     : 0;
        if (n > 0 && is_first_of(ring, n) && rings++ < RINGS_PRINTED_MAX)
            print_ring(report, ring, n, stacks, out);
    }
    if (rings > RINGS_PRINTED_MAX)
        urd__out_print(out, "... and %d more rings\n", rings - RINGS_PRINTED_MAX);
    return rings;
}
