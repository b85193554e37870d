/*
 * compare.h - what the parts of `urd compare` hand to each other.
 *
 * SPDX-License-Identifier: MIT
 *
 * compare.c reads the options and steers; build.c compiles the file; measure.c starts `urd
 * compare-run` for every run of every model, and watches it with watch.c; run.c is that program;
 * profile.c turns what was seen into each job's life; verdict.c judges; report.c, json.c and html.c
 * tell.
 */
#ifndef URD_COMPARE_COMPARE_H
#define URD_COMPARE_COMPARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "ui/usage.h"

typedef enum urd__model { SEQUENTIAL, TASKS, THREADS, PROCESSES, MODELS } urd__model;

enum {
    JOBS_MAX = 1 << 20,
    JOBS_WATCHED_MAX = 512, /* jobs whose threads are looked at while they run */
    JOBS_DRAWN_MAX = 96,    /* jobs in the timeline */
    RUNS_MAX = 1000,
    BOARD_FD = 3 /* where the measured program finds the board */
};

#define URD__COMPARE_RUN "compare-run" /* the command that is not in the help */

/* ---- the board: memory that the measured program shares with the one that measures ----------- */

typedef enum urd__phase { PHASE_LOADING, PHASE_RUNNING, PHASE_JOINED, PHASE_DONE } urd__phase;

typedef enum urd__failure {
    FAILURE_NONE,
    FAILURE_LOAD,    /* the file cannot be loaded; detail says why */
    FAILURE_JOBS,    /* urd_compare_jobs returned no number of jobs */
    FAILURE_MEMORY,  /* no memory for the jobs */
    FAILURE_RUNTIME, /* urd_run */
    FAILURE_PREPARE, /* urd_compare_prepare */
    FAILURE_START,   /* a job could not be started */
    FAILURE_JOB,     /* a job returned an error */
    FAILURE_CHECK,   /* urd_compare_check */
    /* seen from outside */
    FAILURE_SIGNAL, /* killed by a signal */
    FAILURE_EXIT,   /* ended before it was done */
    FAILURE_TIMEOUT,
    FAILURE_SYSTEM /* the measuring itself failed */
} urd__failure;

/* Processor time and switches. */
typedef struct urd__usage {
    int64_t user, sys; /* ns */
    int64_t voluntary, involuntary;
} urd__usage;

typedef struct urd__stamp {
    int64_t time;  /* ns; 0: not reached */
    int64_t cpu;   /* used by the thread so far, ns */
    int64_t ready; /* spent by the thread waiting for a processor, ns; -1: not known */
} urd__stamp;

/* One job; written by the job itself. */
typedef struct urd__record {
    int64_t spawned;  /* before its start was asked for */
    urd__stamp start; /* start.time is atomic, written after pid, tid and frame */
    urd__stamp end;   /* end.time is atomic, written last */
    uintptr_t frame;  /* on the job's stack, above all that its function uses */
    pid_t pid, tid;
    int result;
    char label[32];
} urd__record;

typedef struct urd__board {
    int phase;        /* atomic; what a phase needs is written before it */
    int jobs;         /* written before PHASE_RUNNING */
    int failure;      /* urd__failure; this and the next four before PHASE_DONE or the exit */
    int failure_code; /* 0 or -errno */
    int failure_job;  /* its index, or -1 */
    int failures;     /* jobs that failed */
    int crash_signal; /* atomic: written by the handler after crash_job; 0: none */
    int crash_job;    /* index, or -1 */
    int64_t run_entered, begun, joined; /* times */
    urd__usage before, after, final;    /* of the program alone: at begun, at joined, at the end */
    int64_t memory_joined;              /* PSS of the program alone at joined, bytes */
    int64_t each_duration;              /* of the empty jobs: start and join of one */
    char title[120];
    char detail[400];
    urd__record records[];
} urd__board;

size_t urd__board_bytes(void);
urd__board *urd__board_make(int *fd); /* NULL, with a message, if there is no memory */
urd__board *urd__board_open(int fd);  /* NULL if fd is none */
void urd__board_free(urd__board *board, int fd);
int64_t urd__pss_bytes(const char *path); /* of a smaps_rollup file; -1: cannot be read */

/* ---- compiling ------------------------------------------------------------------------------- */

typedef struct urd__words {
    char **list; /* ends with NULL */
    int count;
} urd__words;

void urd__words_add(urd__words *words, const char *text, size_t bytes);
void urd__words_split(urd__words *words, const char *text); /* at spaces */
void urd__words_free(urd__words *words);

/* Compile source into object; the compiler speaks on stderr.  False, after a message, if it did
 * not work. */
bool urd__compare_build(const char *source, const char *object, const char *cflags);

/* ---- one run --------------------------------------------------------------------------------- */

typedef enum urd__mode {
    MODE_PROBE, /* load it and ask how many jobs there are */
    MODE_JOBS,
    MODE_EMPTY /* the same model with jobs that do nothing */
} urd__mode;

typedef struct urd__options {
    const char *file;
    const char *html, *json; /* NULL: none; json "-": stdout */
    const char *cflags;
    bool models[MODELS];
    bool output; /* let the jobs' own output through */
    int runs, workers;
    double timeout_seconds;
    int argc;
    char **argv;
} urd__options;

/* The command that is not in the help: urd compare-run MODE MODEL WORKERS FILE.so [ARGS]. */
int urd__compare_run_main(int argc, char **argv);

/* What a thread had used at a time, seen from outside. */
typedef struct urd__sample {
    pid_t tid;
    urd__stamp at;
} urd__sample;

typedef struct urd__run {
    urd__failure failure;
    int code;     /* -errno, signal or exit code, by the failure */
    int job;      /* that failed, or -1 */
    int failures; /* jobs that failed, or did not end */
    char detail[400];
    char *errors; /* what it wrote on stderr, or NULL; owned */
    int jobs;
    int64_t run_entered, begun, wall;
    urd__usage usage;
    int64_t memory_peak;   /* of the whole tree, bytes */
    int64_t each_duration; /* empty jobs only */
    double waiting;        /* share of the jobs' lives; -1: not known */
    double other_cores;    /* used by the rest of the machine; -1: not known */
    urd__record *records;  /* owned */
    urd__sample *samples;  /* owned, by time */
    int sample_count;
    char title[120];
} urd__run;

/* Run it in a program of its own, and watch it until it ends. */
void urd__compare_measure(urd__run *out, const urd__options *options, const char *object,
                          urd__mode mode, urd__model model);
void urd__run_free(urd__run *run);

/* Set by SIGINT and SIGTERM; atomic. */
extern int urd__compare_interrupted;

/* ---- what the jobs did in a run -------------------------------------------------------------- */

/* A time at which a thread's use is known, because a job started or ended on it, or a sample was
 * taken.  The thread's use is shared out evenly among the jobs alive on it. */
typedef struct urd__point {
    pid_t tid;
    int job;    /* whose start or end it is, or -1: a sample */
    int change; /* in the number of jobs alive: 1, -1, 0 */
    urd__stamp at;
    double cpu_each, ready_each; /* of one that was alive all the time so far, ns */
} urd__point;

typedef struct urd__profile {
    const urd__run *run;
    urd__point *points; /* by thread, then time; owned */
    int count;
} urd__profile;

/* One stretch of a job's life: what share of it the job ran, and stood ready without a core. */
typedef struct urd__stretch {
    int64_t from, to; /* ns since the run began */
    double running, ready;
} urd__stretch;

bool urd__profile_make(urd__profile *profile, const urd__run *run); /* false: no memory */
void urd__profile_free(urd__profile *profile);
double urd__profile_waiting(const urd__profile *profile);
/* The stretches of job i, at most max, each at least `grain` long; how many. */
int urd__profile_job(const urd__profile *profile, int i, int64_t grain, urd__stretch *out, int max);

/* ---- the report ------------------------------------------------------------------------------ */

typedef struct urd__result {
    bool wanted;
    bool good;       /* all runs ended well */
    urd__run run;    /* the one with the median wall time; or the one that failed */
    int64_t startup; /* start and join of an empty job, ns; -1: not known */
    double speedup;  /* against sequential; -1: not known */
    int64_t walls[RUNS_MAX];
    int runs;
} urd__result;

typedef enum urd__class {
    CLASS_UNKNOWN,
    CLASS_SHORT,
    CLASS_WAITING,
    CLASS_CPU,
    CLASS_MIXED,
    CLASS_CONTENDED
} urd__class;

typedef struct urd__verdict {
    urd__class class;
    urd__model model; /* that fits; MODELS: none */
    char because[700];
    char expect[500];
    char note[300]; /* "" for none */
} urd__verdict;

typedef struct urd__report {
    const urd__options *options;
    const char *file; /* without folders */
    char title[120];
    int jobs, cores;
    urd__result results[MODELS];
    urd__verdict verdict;
} urd__report;

const char *urd__model_name(urd__model model);                      /* in the user's language */
const char *urd__model_word(urd__model model);                      /* as in --kind and JSON */
const char *urd__class_word(urd__class class);                      /* as in JSON */
const char *urd__class_name(urd__class class);                      /* in the user's language */
int64_t urd__run_cpu(const urd__run *run);                          /* user and sys, ns */
double urd__run_cores(const urd__run *run);                         /* CPU / wall */
void urd__run_failure(const urd__run *run, char *out, size_t size); /* in words */

void urd__verdict_make(urd__report *report);

/* The table's cells as text, in the user's language. */
enum { COLUMNS = 9, CELL_BYTES = 64 };
const char *urd__report_heading(int column);
void urd__report_cells(const urd__result *result, urd__model model, char cells[][CELL_BYTES]);

void urd__report_table(const urd__report *report, FILE *out, bool colours);
/* The texts; the caller frees.  NULL: no memory. */
char *urd__report_json(const urd__report *report, bool for_page);
char *urd__report_html(const urd__report *report);

int urd__compare_main(int argc, char **argv);
void urd__compare_help(FILE *out);

#endif
