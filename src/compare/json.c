/*
 * json.c - the report as JSON, for programs and for the page.
 *
 * SPDX-License-Identifier: MIT
 *
 * Times are in nanoseconds, memory in bytes, shares from 0 to 1; what is not known is null.  The
 * page gets the same, and in "shown" and "text" what it writes, in the user's language.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "compare/compare.h"
#include "ui/json.h"
#include "ui/text.h"
#include "urd.h"

enum { STRETCHES_MAX = 400 };

static json_t *stretches_of(const urd__profile *profile, int job)
{
    static urd__stretch stretches[STRETCHES_MAX];
    int64_t grain = profile->run->wall / STRETCHES_MAX;
    int n = urd__profile_job(profile, job, grain, stretches, STRETCHES_MAX);
    json_t *list = json_array();
    for (int i = 0; i < n; i++) {
        json_t *one = json_array();
        json_array_append_new(one, json_integer(stretches[i].from));
        json_array_append_new(one, json_integer(stretches[i].to));
        json_array_append_new(one, json_real((int)(stretches[i].running * 100 + 0.5) / 100.0));
        json_array_append_new(one, json_real((int)(stretches[i].ready * 100 + 0.5) / 100.0));
        json_array_append_new(list, one);
    }
    return list;
}

/* Up to JOBS_DRAWN_MAX jobs, evenly taken from all. */
static json_t *timeline(const urd__run *run)
{
    json_t *list = json_array();
    urd__profile profile;
    if (!urd__profile_make(&profile, run))
        return list;
    int n = run->jobs < JOBS_DRAWN_MAX ? run->jobs : JOBS_DRAWN_MAX;
    for (int i = 0; i < n; i++) {
        int job = (int)((int64_t)i * run->jobs / n);
        const urd__record *record = &run->records[job];
        json_t *one = json_object();
        urd__json_set(one, "job", json_integer(job));
        urd__json_set(one, "label", urd__json_string(record->label));
        urd__json_set(one, "result", json_integer(record->result));
        urd__json_time(one, "spawned_ns", record->spawned ? record->spawned - run->begun : -1);
        urd__json_time(one, "started_ns",
                       record->start.time ? record->start.time - run->begun : -1);
        urd__json_time(one, "ended_ns", record->end.time ? record->end.time - run->begun : -1);
        urd__json_set(one, "stretches", stretches_of(&profile, job));
        json_array_append_new(list, one);
    }
    urd__profile_free(&profile);
    return list;
}

static void add_numbers(json_t *out, const urd__result *result)
{
    const urd__run *run = &result->run;
    json_t *walls = json_array();
    for (int i = 0; i < result->runs; i++)
        json_array_append_new(walls, json_integer(result->walls[i]));
    urd__json_set(out, "wall_ns", json_integer(run->wall));
    urd__json_set(out, "walls_ns", walls);
    urd__json_set(out, "cpu_ns", json_integer(urd__run_cpu(run)));
    urd__json_set(out, "cpu_user_ns", json_integer(run->usage.user));
    urd__json_set(out, "cpu_system_ns", json_integer(run->usage.sys));
    urd__json_share(out, "speedup", result->speedup);
    urd__json_share(out, "cores_used", urd__run_cores(run));
    urd__json_time(out, "memory_peak_bytes", run->memory_peak);
    urd__json_time(out, "startup_ns", result->startup);
    urd__json_time(out, "runtime_start_ns", run->begun - run->run_entered);
    urd__json_share(out, "waiting", run->waiting);
    urd__json_set(out, "switches_voluntary", json_integer(run->usage.voluntary));
    urd__json_set(out, "switches_involuntary", json_integer(run->usage.involuntary));
    urd__json_set(out, "timeline", timeline(run));
}

static json_t *model_of(const urd__report *report, urd__model model, bool for_page)
{
    const urd__result *result = &report->results[model];
    json_t *out = json_object();
    urd__json_set(out, "model", json_string(urd__model_word(model)));
    urd__json_set(out, "ok", json_boolean(result->good));
    if (result->good) {
        urd__json_set(out, "error", json_null());
        add_numbers(out, result);
    } else {
        char text[700];
        urd__run_failure(&result->run, text, sizeof text);
        urd__json_set(out, "error", urd__json_string(text));
        urd__json_set(out, "timed_out", json_boolean(result->run.failure == FAILURE_TIMEOUT));
    }
    if (for_page) {
        char cells[COLUMNS][CELL_BYTES];
        urd__report_cells(result, model, cells);
        json_t *shown = json_array();
        for (int i = 0; i < COLUMNS; i++)
            json_array_append_new(shown, json_string(cells[i]));
        urd__json_set(out, "shown", shown);
    }
    return out;
}

static json_t *verdict_of(const urd__report *report, bool for_page)
{
    const urd__verdict *verdict = &report->verdict;
    json_t *out = json_object();
    urd__json_set(out, "class", json_string(urd__class_word(verdict->class)));
    urd__json_set(out, "model",
                  verdict->model == MODELS ? json_null()
                                           : json_string(urd__model_word(verdict->model)));
    urd__json_set(out, "because", urd__json_string(verdict->because));
    urd__json_set(out, "expect", urd__json_string(verdict->expect));
    urd__json_set(out, "note", urd__json_string(verdict->note));
    if (for_page) {
        urd__json_set(out, "class_name", json_string(urd__class_name(verdict->class)));
        urd__json_set(out, "model_name",
                      json_string(verdict->model == MODELS ? "" : urd__model_name(verdict->model)));
    }
    return out;
}

static json_t *page_texts(void)
{
    static const struct {
        const char *key;
        urd__text_id id;
    } keys[] = {{"verdict", TEXT_VERDICT},
                {"expect", TEXT_EXPECT},
                {"note", TEXT_NOTE},
                {"timeline", TEXT_TIMELINE},
                {"timeline_some", TEXT_TIMELINE_SOME},
                {"zoomed", TEXT_ZOOMED},
                {"running", TEXT_RUNNING},
                {"ready", TEXT_READY},
                {"waiting", TEXT_BLOCKED},
                {"started", TEXT_STARTED},
                {"ended", TEXT_ENDED},
                {"job", TEXT_JOB},
                {"jobs", TEXT_JOBS},
                {"cores", TEXT_CORES_WORD},
                {"runs", TEXT_RUNS},
                {"fits", TEXT_FITS},
                {"results", TEXT_RESULTS},
                {"shapes", TEXT_SHAPES},
                {"less", TEXT_LESS_IS_BETTER},
                {"more", TEXT_MORE_IS_BETTER},
                {"how", TEXT_HOW},
                {"how_long", TEXT_HOW_LONG}};
    json_t *out = json_object();
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        urd__json_set(out, keys[i].key, json_string(urd__text(keys[i].id)));
    json_t *headings = json_array();
    for (int i = 0; i < COLUMNS; i++)
        json_array_append_new(headings, json_string(urd__report_heading(i)));
    urd__json_set(out, "headings", headings);
    return out;
}

char *urd__report_json(const urd__report *report, bool for_page)
{
    json_t *root = json_object();
    urd__json_set(root, "urd", json_string(URD_VERSION));
    urd__json_set(root, "file", urd__json_string(report->file));
    urd__json_set(root, "title", urd__json_string(report->title));
    urd__json_set(root, "jobs", json_integer(report->jobs));
    urd__json_set(root, "cores", json_integer(report->cores));
    urd__json_set(root, "runs", json_integer(report->options->runs));
    json_t *models = json_array();
    for (urd__model model = SEQUENTIAL; model < MODELS; model++)
        if (report->results[model].wanted)
            json_array_append_new(models, model_of(report, model, for_page));
    urd__json_set(root, "models", models);
    urd__json_set(root, "verdict", verdict_of(report, for_page));
    if (for_page)
        urd__json_set(root, "text", page_texts());
    char *text = json_dumps(root, for_page ? JSON_COMPACT : JSON_INDENT(2));
    json_decref(root);
    return text;
}
