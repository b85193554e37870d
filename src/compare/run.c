/*
 * run.c - the measured program: loads the file and runs its jobs under one model.
 *
 * SPDX-License-Identifier: MIT
 *
 * Started by measure.c as `urd compare-run MODE MODEL WORKERS FILE.so [ARGS]`, with the
 * board as descriptor 3.  The file is loaded, and urd_compare_jobs called, before urd_run, since
 * process jobs have only what was there before it.  What it finds goes on the board; its own exit
 * code says only whether it got to the end.
 *
 * Jobs run with keep_going: one that fails should not hide what the others do.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/atomic.h"
#include "compare/compare.h"
#include "compare/crash.h"
#include "urd.h"
#include "urd_compare.h"

enum { READY_JOBS_MAX = 4096 }; /* above, reading schedstat twice a job would be felt */

/* Set once before urd_run, so that every process has it. */
static struct {
    urd__board *board;
    urd__mode mode;
    urd__model model;
    int n;
    struct urd_compare_job *jobs;
    urd_fn *job;
    int (*count)(int, char **);
    int (*prepare)(struct urd_compare_job *, int);
    int (*check)(const struct urd_compare_job *, int);
} the;

static int64_t clock_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * URD_SECOND + t.tv_nsec;
}

static int64_t ready_ns(void)
{
    if (the.n > READY_JOBS_MAX)
        return -1;
    int fd = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    char text[80];
    ssize_t bytes = read(fd, text, sizeof text - 1);
    close(fd);
    text[bytes > 0 ? bytes : 0] = '\0';
    char *second = strchr(text, ' '); /* "CPU READY SWITCHES" */
    return second ? strtoll(second, NULL, 10) : -1;
}

/* With what jobs ran that started programs; but not process jobs, whose use arrives when urd_run
 * ends: for those, measure.c takes the use of the whole tree. */
static urd__usage usage_now(void)
{
    urd__usage sum = {0};
    static const int whose[] = {RUSAGE_SELF, RUSAGE_CHILDREN};
    int n = the.model == PROCESSES ? 1 : 2;
    for (int i = 0; i < n; i++) {
        struct rusage r;
        getrusage(whose[i], &r);
        sum.user += r.ru_utime.tv_sec * URD_SECOND + r.ru_utime.tv_usec * URD_US;
        sum.sys += r.ru_stime.tv_sec * URD_SECOND + r.ru_stime.tv_usec * URD_US;
        sum.voluntary += r.ru_nvcsw;
        sum.involuntary += r.ru_nivcsw;
    }
    return sum;
}

static void keep_label(urd__record *record, const struct urd_compare_job *job)
{
    memcpy(record->label, job->label, sizeof record->label);
    record->label[sizeof record->label - 1] = '\0';
}

/* The job as each model runs it: the user's function between two stamps. */
static int run_job(void *arg)
{
    struct urd_compare_job *job = arg;
    urd__record *record = &the.board->records[job->index];
    if (the.model == PROCESSES)
        urd__crash_watch(the.board); /* it was forked before first_job() */
    record->pid = getpid();
    record->tid = gettid();
    keep_label(record, job);
    record->frame = (uintptr_t)__builtin_frame_address(0);
    record->start.ready = ready_ns();
    record->start.cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    urd__store_rel(&record->start.time, urd_now()); /* [start] pairs with alive() */

    int rc = the.job(arg);

    int64_t time = urd_now();
    record->result = rc;
    record->end.cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    record->end.ready = ready_ns();
    keep_label(record, job);
    urd__store_rel(&record->end.time, time); /* [end] pairs with alive() */
    return rc;
}

static int run_nothing(void *arg)
{
    (void)arg;
    return 0;
}

static void fail(urd__failure failure, int code, int job)
{
    if (the.board->failure == FAILURE_NONE) {
        the.board->failure = (int)failure;
        the.board->failure_code = code;
        the.board->failure_job = job;
    }
}

static void spawn_all(urd_scope *s, urd_fn *fn)
{
    static const urd_kind kinds[MODELS] = {
        [TASKS] = URD_TASK, [THREADS] = URD_THREAD, [PROCESSES] = URD_PROCESS};
    for (int i = 0; i < the.n; i++) {
        if (the.mode == MODE_JOBS)
            the.board->records[i].spawned = urd_now();
        if (the.model == SEQUENTIAL) {
            fn(&the.jobs[i]);
            continue;
        }
        int rc = urd_spawn(s, kinds[the.model], fn, &the.jobs[i], sizeof the.jobs[i]);
        if (rc < 0) {
            fail(FAILURE_START, rc, i);
            break;
        }
    }
}

/* Which jobs failed: by their records, and for those that left none, by the scope. */
static void look_for_failures(urd_scope *s)
{
    urd__board *board = the.board;
    urd_error first;
    int failed = urd_scope_errors(s, &first, 1);
    for (int i = 0; i < the.n; i++) {
        urd__record *record = &board->records[i];
        if (urd__load_acq(&record->end.time) == 0 && failed > 0) { /* [end] pairs with run_job() */
            fail(FAILURE_JOB, first.result, i);
            board->failures++;
            if (first.detail && !board->detail[0])
                snprintf(board->detail, sizeof board->detail, "%s", first.detail);
        } else if (record->result < 0) {
            fail(FAILURE_JOB, record->result, i);
            board->failures++;
        }
    }
    if (failed > 0)
        fail(FAILURE_JOB, first.result, -1);
}

static void measure_jobs(void)
{
    urd__board *board = the.board;
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_keep_going(&s);
    board->before = usage_now();
    board->begun = urd_now();
    urd__store_rel(&board->phase, PHASE_RUNNING); /* [phase] pairs with urd__watch_look() */
    spawn_all(&s, run_job);
    int rc = urd_scope_wait(&s);
    board->joined = urd_now();
    urd__store_rel(&board->phase, PHASE_JOINED); /* [phase] pairs with urd__watch_look() */
    board->after = usage_now();
    board->memory_joined = urd__pss_bytes("/proc/self/smaps_rollup");
    look_for_failures(&s);
    int joined = urd_scope_join(&s);
    if (rc < 0 || joined < 0)
        fail(FAILURE_JOB, rc < 0 ? rc : joined, -1);
}

static void measure_empty(void)
{
    urd_scope s;
    urd_scope_open(&s);
    urd_time begun = urd_now();
    spawn_all(&s, run_nothing);
    if (urd_scope_join(&s) < 0)
        fail(FAILURE_START, 0, -1);
    the.board->each_duration = (urd_now() - begun) / the.n;
}

/* The first job of the runtime. */
static int first_job(void *arg)
{
    (void)arg;
    urd__crash_watch(the.board);
    if (the.mode == MODE_EMPTY) {
        measure_empty();
        return 0;
    }
    int rc = the.prepare ? the.prepare(the.jobs, the.n) : 0;
    if (rc < 0) {
        fail(FAILURE_PREPARE, rc, -1);
        return 0;
    }
    measure_jobs();
    if (the.board->failure == FAILURE_NONE && the.check) {
        rc = the.check(the.jobs, the.n);
        if (rc < 0)
            fail(FAILURE_CHECK, rc, -1);
    }
    return 0;
}

static bool load(const char *path)
{
    void *file = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!file) {
        fail(FAILURE_LOAD, 0, -1);
        snprintf(the.board->detail, sizeof the.board->detail, "%s", dlerror());
        return false;
    }
    /* POSIX: a void pointer from dlsym may be stored into a pointer to a function. */
    *(void **)&the.count = dlsym(file, "urd_compare_jobs");
    *(void **)&the.job = dlsym(file, "urd_compare_job");
    *(void **)&the.prepare = dlsym(file, "urd_compare_prepare");
    *(void **)&the.check = dlsym(file, "urd_compare_check");
    const char *const *title = dlsym(file, "urd_compare_title");
    if (title && *title)
        snprintf(the.board->title, sizeof the.board->title, "%s", *title);
    if (the.count && the.job)
        return true;
    fail(FAILURE_LOAD, 0, -1);
    snprintf(the.board->detail, sizeof the.board->detail, "it does not define %s",
             the.count ? "int urd_compare_job(void *arg)"
                       : "int urd_compare_jobs(int argc, char **argv)");
    return false;
}

static bool make_jobs(int argc, char **argv)
{
    int n = the.mode == MODE_EMPTY ? the.n : the.count(argc, argv);
    if (n < 1 || n > JOBS_MAX) {
        fail(FAILURE_JOBS, n, -1);
        return false;
    }
    the.n = n;
    the.board->jobs = n;
    if (the.mode == MODE_PROBE)
        return true;
    the.jobs = calloc((size_t)n, sizeof *the.jobs);
    if (!the.jobs) {
        fail(FAILURE_MEMORY, 0, -1);
        return false;
    }
    for (int i = 0; i < n; i++) {
        the.jobs[i].index = i;
        the.jobs[i].count = n;
        the.jobs[i].argc = argc;
        the.jobs[i].argv = argv;
    }
    return true;
}

static void run(int workers, const char *path, int argc, char **argv)
{
    static const int empty_jobs[MODELS] = {
        [SEQUENTIAL] = 10000, [TASKS] = 10000, [THREADS] = 128, [PROCESSES] = 32};
    the.n = empty_jobs[the.model];
    if (the.mode != MODE_EMPTY && !load(path))
        return;
    if (!make_jobs(argc, argv) || the.mode == MODE_PROBE)
        return;
    /* The other models need no helper process, and are not to be charged for one. */
    urd_config config = {.workers = workers,
                         .name = "urd compare",
                         .processes =
                             the.model == PROCESSES ? URD_PROCESSES_ZYGOTE : URD_PROCESSES_NONE};
    the.board->run_entered = urd_now();
    int rc = urd_run(&config, first_job, NULL);
    if (rc < 0)
        fail(FAILURE_RUNTIME, rc, -1);
}

int urd__compare_run_main(int argc, char **argv)
{
    the.board = argc >= 5 ? urd__board_open(BOARD_FD) : NULL;
    if (!the.board) {
        fprintf(stderr, "urd compare-run: only urd compare can start this\n");
        return EXIT_USAGE;
    }
    close(BOARD_FD);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    the.mode = (urd__mode)atoi(argv[1]);
    the.model = (urd__model)atoi(argv[2]);
    run(atoi(argv[3]), argv[4], argc - 5, argv + 5);
    fflush(NULL);
    the.board->final = usage_now();
    urd__store_rel(&the.board->phase, PHASE_DONE); /* [phase] pairs with urd__watch_look() */
    return EXIT_OK;
}
