/*
 * report.c - the table and the verdict on the terminal, and failures in words.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "compare/compare.h"
#include "ui/terminal.h"
#include "ui/text.h"

static const urd__text_id headings[COLUMNS] = {TEXT_MODEL,   TEXT_WALL,    TEXT_CPU,
                                               TEXT_SPEEDUP, TEXT_CORES,   TEXT_MEMORY,
                                               TEXT_STARTUP, TEXT_WAITING, TEXT_SWITCHES};

const char *urd__model_name(urd__model model)
{
    static const urd__text_id names[] = {TEXT_SEQUENTIAL, TEXT_TASKS, TEXT_THREADS, TEXT_PROCESSES};
    return urd__text(names[model]);
}

const char *urd__model_word(urd__model model)
{
    static const char *const words[] = {"sequential", "task", "thread", "process", "none"};
    return words[model];
}

const char *urd__class_word(urd__class class)
{
    static const char *const words[] = {"unknown", "short", "waiting", "cpu", "mixed", "contended"};
    return words[class];
}

const char *urd__class_name(urd__class class)
{
    static const urd__text_id names[] = {TEXT_CLASS_UNKNOWN, TEXT_CLASS_SHORT,
                                         TEXT_CLASS_WAITING, TEXT_CLASS_CPU,
                                         TEXT_CLASS_MIXED,   TEXT_CLASS_CONTENDED};
    return urd__text(names[class]);
}

int64_t urd__run_cpu(const urd__run *run)
{
    return run->usage.user + run->usage.sys;
}

double urd__run_cores(const urd__run *run)
{
    return run->wall > 0 ? (double)urd__run_cpu(run) / (double)run->wall : 0;
}

const char *urd__report_heading(int column)
{
    return urd__text(headings[column]);
}

void urd__report_cells(const urd__result *result, urd__model model, char cells[][CELL_BYTES])
{
    const urd__run *run = &result->run;
    snprintf(cells[0], CELL_BYTES, "%s", urd__model_name(model));
    if (!result->good) {
        snprintf(cells[1], CELL_BYTES, "%s", urd__text(TEXT_FAILED));
        for (int i = 2; i < COLUMNS; i++)
            snprintf(cells[i], CELL_BYTES, "-");
        return;
    }
    urd__text_duration(cells[1], CELL_BYTES, run->wall);
    urd__text_duration(cells[2], CELL_BYTES, urd__run_cpu(run));
    char speedup[32];
    urd__text_number(speedup, sizeof speedup, result->speedup, 2);
    snprintf(cells[3], CELL_BYTES, "%s%s", speedup, result->speedup >= 0 ? "x" : "");
    urd__text_number(cells[4], CELL_BYTES, urd__run_cores(run), 2);
    urd__text_bytes(cells[5], CELL_BYTES, run->memory_peak);
    urd__text_duration(cells[6], CELL_BYTES, result->startup);
    urd__text_percent(cells[7], CELL_BYTES, run->waiting);
    int64_t switches = run->usage.voluntary + run->usage.involuntary;
    snprintf(cells[8], CELL_BYTES, "%lld", (long long)switches);
}

static void print_rows(const urd__report *report, FILE *out, const urd__paint *p)
{
    char cells[MODELS + 1][COLUMNS][CELL_BYTES];
    int widths[COLUMNS] = {0};
    for (int i = 0; i < COLUMNS; i++)
        snprintf(cells[MODELS][i], CELL_BYTES, "%s", urd__text(headings[i]));
    for (urd__model model = SEQUENTIAL; model < MODELS; model++)
        if (report->results[model].wanted)
            urd__report_cells(&report->results[model], model, cells[model]);
    for (int row = 0; row <= MODELS; row++) {
        for (int i = 0; i < COLUMNS && (row == MODELS || report->results[row].wanted); i++) {
            int width = urd__text_width(cells[row][i]);
            widths[i] = width > widths[i] ? width : widths[i];
        }
    }
    for (int i = 0; i < COLUMNS; i++) {
        fputs(p->dim, out);
        urd__print_cell(out, cells[MODELS][i], widths[i], i == 0);
        fputs(p->off, out);
    }
    fputc('\n', out);
    for (urd__model model = SEQUENTIAL; model < MODELS; model++) {
        const urd__result *result = &report->results[model];
        if (!result->wanted)
            continue;
        fputs(!result->good ? p->bad : model == report->verdict.model ? p->good : "", out);
        for (int i = 0; i < COLUMNS; i++)
            urd__print_cell(out, cells[model][i], widths[i], i == 0);
        fprintf(out, "%s\n", p->off);
    }
}

void urd__report_table(const urd__report *report, FILE *out, bool colours)
{
    const urd__paint *p = urd__paint_for(colours);
    char jobs[16], cores[16], runs[16], line[256];
    snprintf(jobs, sizeof jobs, "%d", report->jobs);
    snprintf(cores, sizeof cores, "%d", report->cores);
    snprintf(runs, sizeof runs, "%d", report->options->runs);
    const char *values[] = {report->title[0] ? report->title : report->file, jobs, cores, runs};
    urd__text_fill(line, sizeof line, urd__text(TEXT_HEADING), values, 4);
    fprintf(out, "%s%s%s\n\n", p->bold, line, p->off);
    print_rows(report, out, p);
    fputc('\n', out);
    urd__print_wrapped(out, urd__text(TEXT_VERDICT), report->verdict.because, p);
    if (report->verdict.expect[0])
        urd__print_wrapped(out, urd__text(TEXT_EXPECT), report->verdict.expect, p);
    if (report->verdict.note[0])
        urd__print_wrapped(out, urd__text(TEXT_NOTE), report->verdict.note, p);
}

static void name_job(const urd__run *run, char *out, size_t size)
{
    if (run->job < 0)
        snprintf(out, size, "a job");
    else if (run->job < run->jobs && run->records[run->job].label[0])
        snprintf(out, size, "job %d (%s)", run->job, run->records[run->job].label);
    else
        snprintf(out, size, "job %d", run->job);
}

static void describe_jobs(const urd__run *run, char *out, size_t size)
{
    const char *name = strerrorname_np(-run->code);
    char job[80], more[48] = "";
    name_job(run, job, sizeof job);
    if (run->failures > 1)
        snprintf(more, sizeof more, ", and %d other jobs failed too", run->failures - 1);
    if (run->detail[0])
        snprintf(out, size, "%s was %s%s", job, run->detail, more);
    else
        snprintf(out, size, "%s failed: %s (-%s)%s", job,
                 strerrordesc_np(-run->code) ? strerrordesc_np(-run->code) : "not an errno",
                 name ? name : "?", more);
}

/* Of a program that ended early: what was alive then. */
static void describe_end(const urd__run *run, char *out, size_t size)
{
    char job[80], more[48] = "";
    name_job(run, job, sizeof job);
    if (run->failures > 1)
        snprintf(more, sizeof more, " (or %d others)", run->failures - 1);
    const char *name = sigabbrev_np(run->code);
    if (run->failure == FAILURE_SIGNAL && run->job < 0)
        snprintf(out, size, "killed by SIG%s outside of any job", name ? name : "?");
    else if (run->failure == FAILURE_SIGNAL)
        snprintf(out, size, "%s%s was killed by SIG%s", job, more, name ? name : "?");
    else if (run->job < 0)
        snprintf(out, size, "the program exited with code %d outside of any job", run->code);
    else
        snprintf(out, size, "%s%s ended the program with exit code %d", job, more, run->code);
}

void urd__run_failure(const urd__run *run, char *out, size_t size)
{
    const char *words = strerrordesc_np(-run->code);
    words = words ? words : "not an errno";
    char job[80];
    name_job(run, job, sizeof job);
    switch (run->failure) {
    case FAILURE_LOAD:
        snprintf(out, size, "%s", run->detail);
        break;
    case FAILURE_JOBS:
        snprintf(out, size, "urd_compare_jobs returned %d%s%s, not 1 to %d jobs", run->code,
                 run->code < 0 ? ": " : "", run->code < 0 ? words : "", JOBS_MAX);
        break;
    case FAILURE_MEMORY:
        snprintf(out, size, "no memory for the jobs");
        break;
    case FAILURE_RUNTIME:
        snprintf(out, size, "the runtime did not start: %s", words);
        break;
    case FAILURE_PREPARE:
        snprintf(out, size, "urd_compare_prepare failed: %s", words);
        break;
    case FAILURE_START:
        snprintf(out, size, "%s could not be started: %s", job, words);
        break;
    case FAILURE_JOB:
        describe_jobs(run, out, size);
        break;
    case FAILURE_CHECK:
        snprintf(out, size, "urd_compare_check says the results are wrong: %s", words);
        break;
    case FAILURE_TIMEOUT:
        snprintf(out, size, "timed out: %s%s", run->job < 0 ? "no job was running" : job,
                 run->job < 0        ? ""
                 : run->failures > 1 ? " and others had not ended"
                                     : " had not ended");
        break;
    case FAILURE_SIGNAL:
    case FAILURE_EXIT:
        describe_end(run, out, size);
        break;
    default:
        snprintf(out, size, "it could not be measured");
        break;
    }
}
