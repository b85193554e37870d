/*
 * ps.c - urd ps: list the scopes and jobs of a live process, from outside.
 *
 * SPDX-License-Identifier: MIT
 *
 * It only reads memory, so it works on a process that is stuck, and does not stop one that runs.
 */
#include "cli/ps.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/ps_find.h"
#include "ui/usage.h"
#include "urd.h"
#include "watch/report.h"

enum { TABLE, TREE, JSON };
static const char help[] =
    "usage: urd ps [--tree | --json] [--stacks] PID\n"
    "\n"
    "Lists the jobs of a live process that runs under urd_run, also when it is stuck.\n"
    "\n"
    "  --tree     the tree of scopes and jobs, and the rings of locks before it\n"
    "  --stacks   with each job that waits its stack, innermost call first; implies --tree\n"
    "  --json     the same tree for programs\n"
    "\n"
    "Exit codes: 0 listed; 1 there is no runtime in that process, or it cannot be read;\n"
    "2 bad usage; 3 two or more jobs are in a ring of locks.\n";

enum { EXIT_RING = 3 };

void urd__ps_help(FILE *to)
{
    fputs(help, to);
}

typedef struct options {
    int form;
    bool stacks;
    pid_t pid;
} options;

static bool read_options(int argc, char **argv, options *o)
{
    static const int pids[] = {1, 1 << 22};
    for (int i = 1; i < argc; i++) {
        int pid;
        if (strcmp(argv[i], "--tree") == 0) {
            o->form = TREE;
        } else if (strcmp(argv[i], "--json") == 0) {
            o->form = JSON;
        } else if (strcmp(argv[i], "--stacks") == 0) {
            o->stacks = true;
        } else if (argv[i][0] == '-') {
            return urd__bad_usage("ps", "there is no option %s", argv[i]);
        } else if (o->pid) {
            return urd__bad_usage("ps", "one process at a time");
        } else {
            if (!urd__read_whole("ps", "PID", argv[i], pids, &pid))
                return false;
            o->pid = pid;
        }
    }
    if (!o->pid)
        return urd__bad_usage("ps", "which process?");
    if (o->stacks && o->form == TABLE)
        o->form = TREE;
    return true;
}

static int complain(pid_t pid, int rc)
{
    fprintf(stderr, "urd ps: process %d ", (int)pid);
    switch (rc) {
    case -ESRCH:
        fputs("does not exist\n", stderr);
        break;
    case -ENOENT:
        fputs("is not inside urd_run\n", stderr);
        break;
    case -ENOTSUP:
        fputs("uses a version of liburdume that this command does not know\n", stderr);
        break;
    case -EPERM:
    case -EACCES:
        fputs("may not be read: it needs the same user, or CAP_SYS_PTRACE, and\n"
              "/proc/sys/kernel/yama/ptrace_scope 0; try: sudo urd ps ...\n",
              stderr);
        break;
    default:
        fprintf(stderr, "cannot be read: %s\n", strerror(-rc));
    }
    return EXIT_JOB;
}

static void print_state(const urd__report *report, const urd__view_job *job)
{
    const urd__view *view = report->view;
    const urd__view_task *task = job->task < 0 ? NULL : &view->tasks[job->task];
    char words[URD__WORDS_BYTES] = "";
    if (job->pid)
        snprintf(words, sizeof words, "runs as process %d", (int)job->pid);
    else if (!task)
        snprintf(words, sizeof words, "has not begun");
    else if (job->inner)
        snprintf(words, sizeof words, "runs a job of its scope");
    else if (task->state == URD__RUNS)
        snprintf(words, sizeof words, "runs");
    else if (task->state == URD__READY)
        snprintf(words, sizeof words, "is ready");
    else
        urd__report_wait(report, task, words, sizeof words);
    if (task && !job->inner && task->state == URD__WAITS)
        printf("%8.3f  waits for %s\n", (double)(report->now - task->since) / (double)URD_SECOND,
               words);
    else
        printf("%8s  %s\n", "-", words);
}

static void print_table(const urd__report *report)
{
    const urd__view *view = report->view;
    printf("%-8s %-8s %-6s %-16s %-24s %8s  %s\n", "NUMBER", "KIND", "WORKER", "NAME", "STARTED AT",
           "SECONDS", "STATE");
    for (size_t i = 0; i < view->njobs; i++) {
        const urd__view_job *job = &view->jobs[i];
        const urd__view_task *task = job->task < 0 ? NULL : &view->tasks[job->task];
        char name[URD__NAME_BYTES], where[URD__NAME_BYTES], number[32] = "-", worker[16] = "-";
        urd__report_name(report, job, name, sizeof name);
        urd__view_string(view, job->where, where, sizeof where);
        if (task)
            snprintf(number, sizeof number, "%s%ld", task->is_thread ? "t" : "", task->number);
        if (task && task->worker >= 0)
            snprintf(worker, sizeof worker, "%d", task->worker);
        const char *file = strrchr(where, '/');
        printf("%-8s %-8s %-6s %-16s %-24s ", number, urd__report_kind(job->kind), worker, name,
               file       ? file + 1
               : where[0] ? where
                          : "-");
        print_state(report, job);
    }
}

static json_t *stack_json(const urd__report *report, const urd__view_task *task)
{
    urd__report_frames frames;
    json_t *list = json_array();
    urd__report_frames_of(report, task, &frames);
    for (int i = 0; i < frames.n; i++) {
        char text[URD__WORDS_BYTES];
        urd__report_frame(&frames, i, text, sizeof text);
        json_array_append_new(list, json_string(text));
    }
    return list;
}

static json_t *task_json(const urd__report *report, const urd__view_job *job,
                         const urd__view_task *task)
{
    static const char *const states[] = {"running", "ready", "waiting"};
    json_t *o = json_object();
    char number[32], words[URD__WORDS_BYTES];
    snprintf(number, sizeof number, "%s%ld", task->is_thread ? "t" : "", task->number);
    json_object_set_new(o, "number", json_string(number));
    json_object_set_new(o, "state", json_string(job->inner ? "inside" : states[task->state]));
    if (task->worker >= 0)
        json_object_set_new(o, "worker", json_integer(task->worker));
    json_object_set_new(o, "thread", json_integer(task->thread));
    if (task->state == URD__WAITS && !job->inner) {
        urd__report_wait(report, task, words, sizeof words);
        json_object_set_new(o, "waits_for", json_string(words));
        json_object_set_new(o, "wait_ns", json_integer(report->now - task->since));
    }
    if (report->stacks && !job->inner)
        json_object_set_new(o, "stack", stack_json(report, task));
    return o;
}

static json_t *node_json(const urd__report *report, const urd__tree *tree, int node)
{
    const urd__view_scope *scope = urd__tree_scope(tree, node);
    const urd__view_job *job = urd__tree_job(tree, node);
    const urd__view_task *task = urd__tree_task(tree, node);
    json_t *o = json_object();
    char where[URD__NAME_BYTES], name[URD__NAME_BYTES];
    urd__view_string(report->view, scope ? scope->where : job->where, where, sizeof where);
    json_object_set_new(o, "type", json_string(scope ? "scope" : "job"));
    json_object_set_new(o, "where", json_string(where));
    if (scope) {
        json_object_set_new(o, "cancelled", json_boolean(scope->cancelled));
    } else {
        urd__report_name(report, job, name, sizeof name);
        json_object_set_new(o, "name", json_string(name));
        json_object_set_new(o, "kind", json_string(urd__report_kind(job->kind)));
        if (job->pid)
            json_object_set_new(o, "pid", json_integer(job->pid));
        if (task)
            json_object_set_new(o, "task", task_json(report, job, task));
        if (tree->nodes[node].more)
            json_object_set_new(o, "more_like_it", json_integer(tree->nodes[node].more));
    }
    json_object_set_new(o, "inside", json_array());
    return o;
}

/* Each node into the list of its parent, which has come before. */
static json_t *tree_json(const urd__report *report)
{
    urd__tree tree;
    if (urd__tree_build(&tree, report->view) != 0)
        return NULL;
    json_t **made = calloc((size_t)tree.count + 1, sizeof(json_t *));
    json_t *top = NULL;
    int depth = 0;
    for (int node = made ? tree.root : -1; node >= 0; node = urd__tree_next(&tree, node, &depth)) {
        made[node] = node_json(report, &tree, node);
        if (node == tree.root)
            top = made[node];
        else
            json_array_append_new(json_object_get(made[tree.nodes[node].parent], "inside"),
                                  made[node]);
    }
    free(made);
    urd__tree_free(&tree);
    return top;
}

static bool print_json(const urd__report *report, const options *o, int rings)
{
    json_t *all = json_object();
    json_object_set_new(all, "pid", json_integer(o->pid));
    json_object_set_new(all, "version", json_integer(1));
    json_object_set_new(all, "workers", json_integer((json_int_t)report->view->nworkers));
    json_object_set_new(all, "rings_of_locks", json_integer(rings));
    json_object_set_new(all, "tree", tree_json(report));
    char *text = json_dumps(all, JSON_INDENT(2));
    json_decref(all);
    return urd__write_report("ps", "-", text);
}

static int show(const urd__report *report, const options *o)
{
    urd__out out = {0};
    int rings = urd__report_cycles(report, false, &out);
    bool written = true;
    if (o->form == TREE)
        urd__report_tree(report, &out);
    if (o->form == JSON)
        written = print_json(report, o, rings);
    else if (out.text)
        fwrite(out.text, 1, out.used, stdout);
    if (o->form == TABLE)
        print_table(report);
    urd__out_free(&out);
    if (!written || fflush(stdout) != 0)
        return EXIT_JOB;
    return rings ? EXIT_RING : EXIT_OK;
}

int urd__ps_main(int argc, char **argv)
{
    options o = {0};
    if (!read_options(argc, argv, &o))
        return EXIT_USAGE;
    uintptr_t layout;
    urd__view view = {0};
    int rc = urd__ps_find(o.pid, &layout);
    if (rc == 0)
        rc = urd__view_open(&view, o.pid, layout);
    if (rc) {
        urd__view_close(&view);
        return complain(o.pid, rc);
    }
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    urd__report report = {.view = &view,
                          .dwfl = urd__dw_open(o.pid),
                          .now = now.tv_sec * URD_SECOND + now.tv_nsec,
                          .stacks = o.stacks};
    rc = show(&report, &o);
    urd__dw_close(report.dwfl);
    urd__view_close(&view);
    return rc;
}
