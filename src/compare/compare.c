/*
 * compare.c - `urd compare`: its options, and the order of what is done.
 *
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/atomic.h"
#include "compare/compare.h"
#include "ui/terminal.h"
#include "ui/text.h"
#include "ui/usage.h"
#include "urd.h"

enum { RUNS_DEFAULT = 3, TIMEOUT_DEFAULT_SECONDS = 60, WORKERS_MAX = 1024, PATH_BYTES = 4096 };

static const char help[] =
    "usage: urd compare FILE.c|FILE.so [OPTION]... [-- ARG...]\n"
    "\n"
    "Run the jobs of FILE one after the other, as tasks, as threads and as processes; measure "
    "each,\n"
    "and say which model suits them.\n"
    "\n"
    "  --kind LIST      of sequential,task,thread,process; default: all\n"
    "  --runs N         runs of each model, of which the median is shown; default 3\n"
    "  --workers N      threads that run tasks; default: the processors\n"
    "  --timeout S      seconds until a run is ended; default 60\n"
    "  --html FILE      also write a page with the timeline of every job\n"
    "  --json [FILE]    write JSON to FILE, or instead of the table\n"
    "  --cflags FLAGS   for the compiler, $CC or cc; may be given again\n"
    "  --output         let the jobs' own output through\n"
    "  -- ARG...        arguments of the jobs\n"
    "\n"
    "FILE defines, as urd_compare.h says:\n"
    "  int urd_compare_jobs(int argc, char **argv)   how many jobs; reads the arguments\n"
    "  int urd_compare_job(void *arg)                one job, a struct urd_compare_job; 0 or "
    "-errno\n"
    "and may define:\n"
    "  int urd_compare_prepare(struct urd_compare_job *jobs, int n)\n"
    "  int urd_compare_check(const struct urd_compare_job *jobs, int n)\n"
    "  const char *const urd_compare_title\n"
    "A line \"// urd-compare: cflags=-O3 libs=-lm\" near its top is for the compiler.\n"
    "\n"
    "exit: 0 all went well; 1 a job failed, crashed or was wrong; 2 bad usage, or FILE does not\n"
    "compile or load; 124 a run took longer than --timeout; 130 interrupted\n";

void urd__compare_help(FILE *out)
{
    fputs(help, out);
}

/* ---- options --------------------------------------------------------------------------------- */

#define bad_usage(...) urd__bad_usage("compare", __VA_ARGS__)

static bool read_kinds(const char *text, bool *models)
{
    memset(models, 0, MODELS * sizeof *models);
    while (*text) {
        size_t bytes = strcspn(text, ",");
        urd__model model = SEQUENTIAL;
        for (; model < MODELS; model++) {
            const char *word = urd__model_word(model);
            if (strlen(word) == bytes && strncmp(word, text, bytes) == 0)
                break;
        }
        if (model == MODELS)
            return bad_usage("--kind takes a list of sequential,task,thread,process, not \"%.*s\"",
                             (int)bytes, text);
        models[model] = true;
        text += bytes;
        text += *text == ',';
    }
    for (urd__model model = SEQUENTIAL; model < MODELS; model++)
        if (models[model])
            return true;
    return bad_usage("--kind needs at least one of sequential,task,thread,process");
}

static bool is_job_file(const char *text)
{
    return urd__ends_with(text, ".c") || urd__ends_with(text, ".so");
}

static bool add_cflags(urd__options *o, const char *value)
{
    static char all[PATH_BYTES];
    size_t used = strlen(all);
    if (used + strlen(value) + 2 > sizeof all)
        return bad_usage("--cflags is too long");
    snprintf(all + used, sizeof all - used, " %s", value);
    o->cflags = all;
    return true;
}

/* --json takes the next word unless that is an option or the file with the jobs. */
static void read_json(urd__options *o, int argc, char **argv, int *at)
{
    const char *equals = strchr(argv[*at], '=');
    bool next = *at + 1 < argc && !is_job_file(argv[*at + 1]) &&
                (argv[*at + 1][0] != '-' || argv[*at + 1][1] == '\0');
    o->json = equals ? equals + 1 : next ? argv[++*at] : "-";
}

static bool read_option(urd__options *o, int argc, char **argv, int *at)
{
    const char *word = argv[*at];
    if (strcmp(word, "--output") == 0) {
        o->output = true;
        return true;
    }
    if (urd__is_option(word, "--json")) {
        read_json(o, argc, argv, at);
        return true;
    }
    static const char *const names[] = {"--kind",    "--runs", "--workers",
                                        "--timeout", "--html", "--cflags"};
    size_t which = 0;
    while (which < sizeof names / sizeof *names && !urd__is_option(word, names[which]))
        which++;
    if (which == sizeof names / sizeof *names)
        return bad_usage("unknown option %s", word);
    const char *value = urd__option_value(argc, argv, at);
    if (!value)
        return bad_usage("%s needs a value", word);
    switch (which) {
    case 0:
        return read_kinds(value, o->models);
    case 1:
        return urd__read_whole("compare", "--runs", value, (const int[]){1, RUNS_MAX}, &o->runs);
    case 2:
        return urd__read_whole("compare", "--workers", value, (const int[]){1, WORKERS_MAX},
                               &o->workers);
    case 3:
        return urd__read_number("compare", "--timeout", value, (const double[]){0.01, 86400},
                                &o->timeout_seconds);
    case 4:
        o->html = value;
        return true;
    default:
        return add_cflags(o, value);
    }
}

static bool read_options(urd__options *o, int argc, char **argv)
{
    *o = (urd__options){.models = {true, true, true, true},
                        .runs = RUNS_DEFAULT,
                        .timeout_seconds = TIMEOUT_DEFAULT_SECONDS,
                        .argv = argv + argc};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--") == 0) {
            o->argc = argc - i - 1;
            o->argv = argv + i + 1;
            break;
        }
        if (argv[i][0] == '-') {
            if (!read_option(o, argc, argv, &i))
                return false;
        } else if (o->file) {
            return bad_usage("one FILE at a time: %s and %s (arguments of the jobs follow a --)",
                             o->file, argv[i]);
        } else {
            o->file = argv[i];
        }
    }
    if (!o->file) {
        bad_usage("which FILE.c or FILE.so?");
        return false;
    }
    if (!is_job_file(o->file))
        return bad_usage("%s is neither a .c nor a .so file", o->file);
    if (access(o->file, R_OK) == 0)
        return true;
    urd__complain("compare", "read", o->file);
    return false;
}

/* ---- measuring ------------------------------------------------------------------------------- */

static bool interrupted(void)
{
    return urd__load_rlx(&urd__compare_interrupted) != 0; /* rlx: one word, nothing behind it */
}

static void show_errors(const urd__run *run)
{
    for (const char *line = run->errors; line && *line;) {
        size_t bytes = strcspn(line, "\n");
        fprintf(stderr, "  | %.*s\n", (int)bytes, line);
        line += bytes + (line[bytes] == '\n');
    }
}

static void tell_failure(const urd__report *report, urd__model model)
{
    const urd__run *run = &report->results[model].run;
    char text[700];
    urd__run_failure(run, text, sizeof text);
    urd__show_progress("");
    fprintf(stderr, "urd compare: %s: as %s: %s", report->file, urd__model_word(model), text);
    if (run->failure == FAILURE_TIMEOUT)
        fprintf(stderr, " after %g s", report->options->timeout_seconds);
    fputc('\n', stderr);
    show_errors(run);
}

/* Good runs are collected, for the median; one that failed is told at once, and is the last. */
static void take_run(urd__report *report, urd__model model, urd__run *run, urd__run *runs)
{
    urd__result *result = &report->results[model];
    if (run->failure != FAILURE_NONE) {
        result->good = false;
        result->run = *run;
        if (!interrupted())
            tell_failure(report, model);
        return;
    }
    urd__profile profile;
    if (urd__profile_make(&profile, run)) {
        run->waiting = urd__profile_waiting(&profile);
        urd__profile_free(&profile);
    }
    runs[result->runs] = *run;
    result->walls[result->runs++] = run->wall;
}

static void measure_round(urd__report *report, const char *object, int round,
                          urd__run (*runs)[RUNS_MAX])
{
    for (int i = 0; i < MODELS && !interrupted(); i++) {
        /* Forth and back, so that none always comes first, with caches cold. */
        urd__model model = (urd__model)(round % 2 == 0 ? i : MODELS - 1 - i);
        if (!report->results[model].good)
            continue;
        char number[16], all[16], text[160];
        snprintf(number, sizeof number, "%d", round + 1);
        snprintf(all, sizeof all, "%d", report->options->runs);
        const char *values[] = {number, all, urd__model_name(model)};
        urd__text_fill(text, sizeof text, urd__text(TEXT_PROGRESS), values, 3);
        urd__show_progress(text);
        urd__run run;
        urd__compare_measure(&run, report->options, object, MODE_JOBS, model);
        take_run(report, model, &run, runs[model]);
    }
}

static int by_wall(const void *left, const void *right)
{
    const urd__run *a = left, *b = right;
    return a->wall < b->wall ? -1 : a->wall > b->wall;
}

static void choose_median(urd__report *report, urd__run (*runs)[RUNS_MAX])
{
    for (int i = 0; i < MODELS; i++) {
        urd__result *result = &report->results[i];
        qsort(runs[i], (size_t)result->runs, sizeof runs[i][0], by_wall);
        int median = result->good ? (result->runs - 1) / 2 : -1;
        for (int j = 0; j < result->runs; j++) {
            if (j == median)
                result->run = runs[i][j];
            else
                urd__run_free(&runs[i][j]);
        }
    }
    const urd__result *sequential = &report->results[SEQUENTIAL];
    for (int i = 0; i < MODELS; i++) {
        urd__result *result = &report->results[i];
        result->speedup = sequential->good && result->good && result->run.wall > 0
                              ? (double)sequential->run.wall / (double)result->run.wall
                              : -1;
    }
}

static void measure_startup(urd__report *report, const char *object)
{
    for (int i = 0; i < MODELS && !interrupted(); i++) {
        urd__result *result = &report->results[i];
        result->startup = -1;
        if (!result->good)
            continue;
        urd__run run;
        urd__compare_measure(&run, report->options, object, MODE_EMPTY, (urd__model)i);
        if (run.failure == FAILURE_NONE)
            result->startup = run.each_duration;
        urd__run_free(&run);
    }
}

/* Does it load, and how many jobs are there?  So that such errors come once and not per model. */
static bool probe(urd__report *report, const char *object)
{
    urd__run run;
    urd__compare_measure(&run, report->options, object, MODE_PROBE, SEQUENTIAL);
    bool good = run.failure == FAILURE_NONE;
    report->jobs = run.jobs;
    memcpy(report->title, run.title, sizeof report->title);
    if (!good && !interrupted()) {
        char text[700];
        urd__run_failure(&run, text, sizeof text);
        fprintf(stderr, "urd compare: %s: %s\n", report->options->file, text);
        show_errors(&run);
    }
    urd__run_free(&run);
    return good;
}

static void measure(urd__report *report, const char *object)
{
    static urd__run runs[MODELS][RUNS_MAX];
    for (int i = 0; i < MODELS; i++) {
        report->results[i].wanted = report->options->models[i];
        report->results[i].good = report->results[i].wanted;
    }
    for (int round = 0; round < report->options->runs; round++)
        measure_round(report, object, round, runs);
    choose_median(report, runs);
    measure_startup(report, object);
    urd__show_progress("");
}

/* ---- telling --------------------------------------------------------------------------------- */

static int tell(urd__report *report)
{
    const urd__options *o = report->options;
    urd__verdict_make(report);
    bool json_alone = o->json && strcmp(o->json, "-") == 0;
    if (!json_alone)
        urd__report_table(report, stdout, isatty(STDOUT_FILENO));
    bool good = true;
    if (o->json)
        good = urd__write_report("compare", o->json, urd__report_json(report, false));
    if (o->html)
        good = urd__write_report("compare", o->html, urd__report_html(report)) && good;
    int code = good ? EXIT_OK : EXIT_JOB;
    for (int i = 0; i < MODELS; i++) {
        const urd__result *result = &report->results[i];
        if (result->wanted && !result->good && code != EXIT_TIMEOUT)
            code = result->run.failure == FAILURE_TIMEOUT ? EXIT_TIMEOUT : EXIT_JOB;
    }
    return code;
}

static int compare(const urd__options *options, const char *object)
{
    static urd__report report; /* large */
    const char *slash = strrchr(options->file, '/');
    urd_about about;
    urd_about_get(&about);
    report.options = options;
    report.file = slash ? slash + 1 : options->file;
    report.cores = about.workers;
    int code = EXIT_USAGE;
    if (probe(&report, object)) {
        measure(&report, object);
        code = interrupted() ? EXIT_INTERRUPT : tell(&report);
    }
    for (int i = 0; i < MODELS; i++)
        urd__run_free(&report.results[i].run);
    return interrupted() ? EXIT_INTERRUPT : code;
}

static void on_interrupt(int sig)
{
    urd__store_rlx(&urd__compare_interrupted, sig); /* rlx: one word, nothing behind it */
}

int urd__compare_main(int argc, char **argv)
{
    urd__options options;
    if (!read_options(&options, argc, argv))
        return EXIT_USAGE;
    struct sigaction action = {.sa_handler = on_interrupt};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    if (urd__ends_with(options.file, ".so")) {
        char *path =
            realpath(options.file, NULL); /* a name without a slash would be searched for */
        int code = path ? compare(&options, path) : EXIT_USAGE;
        free(path);
        return code;
    }
    const char *folder = getenv("TMPDIR");
    char scratch[PATH_BYTES - 16], object[PATH_BYTES];
    snprintf(scratch, sizeof scratch, "%s/urd-compare-XXXXXX", folder && *folder ? folder : "/tmp");
    if (!mkdtemp(scratch)) {
        urd__complain("compare", "make the folder", scratch);
        return EXIT_USAGE;
    }
    snprintf(object, sizeof object, "%s/jobs.so", scratch);
    urd__show_progress(urd__text(TEXT_COMPILING));
    int code = EXIT_USAGE;
    if (urd__compare_build(options.file, object, options.cflags))
        code = compare(&options, object);
    unlink(object);
    rmdir(scratch);
    return code;
}
