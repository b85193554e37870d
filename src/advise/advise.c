/*
 * advise.c - `urd advise`: its options, and the order of what is done.
 *
 * SPDX-License-Identifier: MIT
 *
 * The report goes to stderr, after the end: the output of the program stays as it is.
 */
#include "advise/advise.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "advise/proc.h"
#include "advise/stack.h"
#include "advise/start.h"
#include "compare/compare.h"
#include "ui/text.h"
#include "urd.h"

enum { EXIT_NOT_EXECUTABLE = 126, EXIT_NOT_FOUND = 127, PID_MAX = 1 << 22 };

static const char help[] =
    "usage: urd advise [OPTION]... [--] COMMAND [ARG]...\n"
    "       urd advise [OPTION]... --pid PID\n"
    "\n"
    "Watch a program, in any language, and say what it is bound by, which model fits it - tasks,\n"
    "threads, processes, or leave it as it is - and what speed to expect.  The program is not\n"
    "changed; its children are watched too.  The report is written to stderr when it has ended.\n"
    "\n"
    "  --pid PID        watch a program that runs already; Ctrl-C ends the watch, not the program\n"
    "  --for S          watch for so many seconds; a COMMAND is then ended (SIGTERM)\n"
    "  --interval MS    between two looks; default 8, and more where looking costs half a percent\n"
    "  --json[=FILE]    write JSON to FILE, or to stdout and no report\n"
    "  --html FILE      also write a page with the timeline of every thread\n"
    "  --deep           also count instructions, cache misses and switches, where that is allowed\n"
    "  --watch          show what each thread does while it runs\n"
    "  --try            COMMAND is a file of jobs (.c or .so): then also run urd compare on it\n"
    "\n"
    "exit: the COMMAND's own code; 128 + N if signal N killed it; 127 there is no such command;\n"
    "126 it cannot be executed; 2 bad usage; with --pid, or if --for ended it: 0\n";

void urd__advise_help(FILE *out)
{
    fputs(help, out);
}

#define bad_usage(...) urd__bad_usage("advise", __VA_ARGS__)

/* ---- options --------------------------------------------------------------------------------- */

/* --json takes the next word only where that looks like a file for it. */
static void read_json(urd__advise_options *o, int argc, char **argv, int *at)
{
    const char *equals = strchr(argv[*at], '=');
    bool next = *at + 1 < argc &&
                (strcmp(argv[*at + 1], "-") == 0 || urd__ends_with(argv[*at + 1], ".json"));
    o->json = equals ? equals + 1 : next ? argv[++*at] : "-";
}

static bool read_option(urd__advise_options *o, int argc, char **argv, int *at)
{
    const char *word = argv[*at];
    if (strcmp(word, "--watch") == 0)
        return o->live = true;
    if (strcmp(word, "--try") == 0)
        return o->try = true;
    if (strcmp(word, "--deep") == 0)
        return o->deep = true;
    if (urd__is_option(word, "--json")) {
        read_json(o, argc, argv, at);
        return true;
    }
    static const char *const names[] = {"--pid", "--for", "--interval", "--html"};
    size_t which = 0;
    while (which < sizeof names / sizeof *names && !urd__is_option(word, names[which]))
        which++;
    if (which == sizeof names / sizeof *names)
        return bad_usage("unknown option %s", word);
    const char *value = urd__option_value(argc, argv, at);
    if (!value)
        return bad_usage("%s needs a value", names[which]);
    switch (which) {
    case 0:
        return urd__read_whole("advise", "--pid", value, (const int[]){1, PID_MAX}, &o->pid);
    case 1:
        return urd__read_number("advise", "--for", value, (const double[]){0.01, 1e7}, &o->seconds);
    case 2:
        return urd__read_number("advise", "--interval", value, (const double[]){1, 1000},
                                &o->interval_ms);
    default:
        o->html = value;
        return true;
    }
}

static bool read_options(urd__advise_options *o, int argc, char **argv)
{
    *o = (urd__advise_options){0};
    int i = 1;
    for (; i < argc && argv[i][0] == '-'; i++) {
        if (strcmp(argv[i], "--") == 0) {
            i++;
            break;
        }
        if (!read_option(o, argc, argv, &i))
            return false;
    }
    if (i < argc)
        o->command = argv + i;
    if (o->pid && o->command)
        return bad_usage("a COMMAND or --pid, not both");
    if (!o->pid && !o->command)
        return bad_usage("which COMMAND, or --pid?");
    if (o->try && (!o->command ||
                   (!urd__ends_with(o->command[0], ".c") && !urd__ends_with(o->command[0], ".so"))))
        return bad_usage("--try takes a file of jobs, .c or .so, as urd compare does");
    return true;
}

/* ---- before ---------------------------------------------------------------------------------- */

/* Is there such a process, and may we see what it waits for?  A thread's number will do. */
static bool check_pid(urd__advise_options *o)
{
    char path[64], text[2048];
    snprintf(path, sizeof path, "/proc/%d/status", o->pid);
    if (urd__proc_read(path, text, sizeof text) <= 0) {
        bool hidden = kill(o->pid, 0) != 0 && access("/proc/self/status", R_OK) == 0;
        fprintf(stderr, "urd advise: there is no process %d%s\n", o->pid,
                hidden ? " that can be seen from here (another container, or it has ended)" : "");
        return false;
    }
    const char *leader = strstr(text, "Tgid:");
    if (leader)
        o->pid = (pid_t)atoi(leader + 5);
    if (strstr(text, "State:\tZ")) {
        fprintf(stderr, "urd advise: process %d has ended already and waits to be buried\n",
                o->pid);
        return false;
    }
    if (o->pid == getpid())
        return bad_usage("urd advise cannot watch itself");
    snprintf(path, sizeof path, "/proc/%d/syscall", o->pid);
    if (urd__proc_read(path, text, sizeof text) <= 0)
        fprintf(stderr,
                "urd advise: may not read what process %d waits for, only how much it runs.\n"
                "That needs to be its user, or root, and the right to trace it (CAP_SYS_PTRACE, or "
                "kernel.yama.ptrace_scope = 0).\n",
                o->pid);
    return true;
}

static void name_command(const urd__advise_options *o, char *out, size_t size)
{
    if (!o->command) {
        char path[64], text[200];
        snprintf(path, sizeof path, "/proc/%d/cmdline", o->pid);
        long bytes = urd__proc_read(path, text, sizeof text);
        for (long i = 0; i + 1 < bytes; i++)
            if (text[i] == '\0')
                text[i] = ' ';
        snprintf(out, size, "%d %s", o->pid, bytes > 0 ? text : "");
    } else {
        size_t used = 0;
        for (char **word = o->command; *word && used + 1 < size; word++) {
            int more = snprintf(out + used, size - used, "%s%s", used ? " " : "", *word);
            used += more > 0 ? (size_t)more : 0;
        }
    }
    urd__text_clean(out);
}

/* ---- after ----------------------------------------------------------------------------------- */

static void look_at_the_left(urd__advice *advice, const urd__watched *w)
{
    for (int i = 0; i < w->process_count && w->ours; i++) {
        const urd__process *process = w->processes[i];
        if (process->ended || process->pid == w->root || kill(process->pid, 0) != 0)
            continue;
        advice->left_running = true;
        advice->left_pid = process->pid;
        snprintf(advice->left_name, sizeof advice->left_name, "%s", process->program);
        return;
    }
}

static bool tell(const urd__advise_options *o, const urd__advice *advice)
{
    bool good = true;
    if (!o->json || strcmp(o->json, "-") != 0)
        urd__advice_print(advice, stderr, isatty(STDERR_FILENO) && !getenv("NO_COLOR"));
    if (o->json)
        good = urd__write_report("advise", o->json, urd__advice_json(advice, false));
    if (o->html)
        good = urd__write_report("advise", o->html, urd__advice_html(advice)) && good;
    return good;
}

static int exit_code(const urd__advise_options *o, const urd__advise_end *end, bool told)
{
    if (!o->command || end->time_up)
        return told ? EXIT_OK : EXIT_JOB;
    if (!end->ended)
        return end->signal ? 128 + end->signal : EXIT_OK;
    if (WIFSIGNALED(end->status))
        return 128 + WTERMSIG(end->status);
    int code = WEXITSTATUS(end->status);
    return code || told ? code : EXIT_JOB;
}

static int complain_of_start(const char *program, int failed)
{
    fprintf(stderr, "urd advise: cannot start %s: %s\n", program, strerror(failed));
    bool absent = strcmp(strerrorname_np(failed), "ENOENT") == 0;
    return absent ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE;
}

static int advise(urd__advise_options *o)
{
    static urd__watched watched; /* large */
    static urd__advice advice;
    urd__advise_end end;
    name_command(o, advice.command, sizeof advice.command);
    int rc = urd__advise_watch(&watched, o, &end);
    if (rc < 0 || end.failed) {
        int code =
            end.failed && o->command ? complain_of_start(o->command[0], end.failed) : EXIT_JOB;
        urd__watched_free(&watched);
        return code;
    }
    advice.watched = &watched;
    advice.status = end.status;
    advice.time_up = end.time_up;
    if (!end.time_up)
        look_at_the_left(&advice, &watched);
    urd__name_places(&watched);
    urd__sum_unseen(&watched);
    urd__advice_make(&advice);
    bool told = tell(o, &advice);
    urd__watched_free(&watched);
    return exit_code(o, &end, told);
}

/* The file's jobs in a row, watched; and then as every model, measured. */
static int try_models(urd__advise_options *o)
{
    char *jobs = o->command[0];
    size_t argc = 0;
    while (o->command[argc])
        argc++;
    char **words = calloc(argc + 12, sizeof *words);
    if (!words)
        return EXIT_JOB;
    static char self[] = "/proc/self/exe", compare[] = "compare", kind[] = "--kind=sequential",
                runs[] = "--runs=1", output[] = "--output", rest[] = "--";
    size_t n = 0;
    char *const first[] = {self, compare, jobs, kind, runs, output, rest};
    for (; n < sizeof first / sizeof *first; n++)
        words[n] = first[n];
    memcpy(words + n, o->command + 1, argc * sizeof *words);
    urd__advise_options watched = *o;
    watched.command = words;
    int code = advise(&watched);
    if (code == EXIT_OK) {
        words[3] = rest;
        memcpy(words + 4, o->command + 1, argc * sizeof *words);
        code = urd__compare_main((int)argc + 3, words + 1);
    }
    free(words);
    return code;
}

int urd__advise_main(int argc, char **argv)
{
    urd__advise_options options;
    if (!read_options(&options, argc, argv))
        return EXIT_USAGE;
    if (options.pid && !check_pid(&options))
        return EXIT_JOB;
    return options.try ? try_models(&options) : advise(&options);
}
