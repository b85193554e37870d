/*
 * measure.c - start one run in a program of its own, watch it, and take what it found.
 *
 * SPDX-License-Identifier: MIT
 *
 * A fresh program for each run keeps memory, processor time and crashes apart.  It gets a process
 * group of its own, so that all of it can be stopped; and the command is a subreaper, so that what
 * a crashed program leaves behind comes back here and is ended too.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/atomic.h"
#include "compare/compare.h"
#include "compare/watch.h"
#include "ui/text.h"
#include "urd.h"

enum { TREE_MAX = 4096, ERRORS_BYTES_MAX = 4000 };

int urd__compare_interrupted;

extern char **environ;

static pid_t start(const urd__options *options, const char *const *words, int board_fd,
                   int errors_fd)
{
    size_t fixed = 0;
    while (words[fixed])
        fixed++;
    char **argv = calloc(fixed + (size_t)options->argc + 1, sizeof *argv);
    if (!argv)
        return -1;
    memcpy(argv, words, fixed * sizeof *argv);
    memcpy(argv + fixed, options->argv, (size_t)options->argc * sizeof *argv);

    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attr);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    if (!options->output) {
        posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
        posix_spawn_file_actions_adddup2(&files, errors_fd, 2);
    }
    posix_spawn_file_actions_adddup2(&files, board_fd, BOARD_FD);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP);
    posix_spawnattr_setpgroup(&attr, 0);
    pid_t pid;
    int failed = posix_spawn(&pid, "/proc/self/exe", &files, &attr, argv, environ);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&files);
    free(argv);
    if (!failed)
        return pid;
    fprintf(stderr, "urd compare: cannot start myself: %s\n", strerror(failed));
    return -1;
}

static void kill_all(pid_t pid)
{
    pid_t tree[TREE_MAX];
    int count = urd__watch_tree(pid, tree, TREE_MAX);
    kill(-pid, SIGKILL);
    for (int i = 0; i < count; i++)
        kill(tree[i], SIGKILL);
}

/* What the program left behind has become our child: end it. */
static void end_orphans(void)
{
    pid_t tree[TREE_MAX];
    int count = urd__watch_tree(getpid(), tree, TREE_MAX);
    for (int i = 1; i < count; i++)
        kill(tree[i], SIGKILL);
    while (waitpid(-1, NULL, 0) > 0)
        ;
}

/* Watch until the program has ended.  False: it had to be killed at its deadline. */
static bool watch(urd__watch *watch, int64_t deadline, int *status, struct rusage *usage)
{
    bool in_time = true;
    int pidfd = pidfd_open(watch->pid, 0);
    for (;;) {
        pid_t ended = wait4(watch->pid, status, WNOHANG, usage);
        if (ended == watch->pid)
            break;
        int64_t now = urd_now();
        bool interrupted = urd__load_rlx(&urd__compare_interrupted) != 0; /* rlx: one word */
        if (now >= deadline || interrupted) {
            kill_all(watch->pid);
            in_time = interrupted && in_time;
            deadline = now + URD_SECOND;
        }
        int64_t rest = urd__watch_look(watch, now) - urd_now();
        struct timespec pause = {.tv_nsec = rest > 0 ? rest % URD_SECOND : 0};
        struct pollfd end = {.fd = pidfd, .events = POLLIN};
        ppoll(&end, 1, &pause, NULL);
    }
    if (pidfd >= 0)
        close(pidfd);
    return in_time;
}

static int64_t time_ns(struct timeval t)
{
    return t.tv_sec * URD_SECOND + t.tv_usec * URD_US;
}

/* The whole tree's usage, less the program's before the jobs began and after they had ended. */
static void take_usage(urd__run *out, const urd__board *b, const struct rusage *tree,
                       urd__model model)
{
    urd__usage all = {time_ns(tree->ru_utime), time_ns(tree->ru_stime), tree->ru_nvcsw,
                      tree->ru_nivcsw};
    if (model != PROCESSES)
        all = b->final; /* leaves out the exit of the program */
    out->usage.user = all.user - b->before.user - (b->final.user - b->after.user);
    out->usage.sys = all.sys - b->before.sys - (b->final.sys - b->after.sys);
    out->usage.voluntary =
        all.voluntary - b->before.voluntary - (b->final.voluntary - b->after.voluntary);
    out->usage.involuntary =
        all.involuntary - b->before.involuntary - (b->final.involuntary - b->after.involuntary);
    out->usage.user = out->usage.user > 0 ? out->usage.user : 0;
    out->usage.sys = out->usage.sys > 0 ? out->usage.sys : 0;
}

static void take_failure(urd__run *out, const urd__board *b, int status, bool in_time)
{
    out->failure = (urd__failure)b->failure;
    out->code = b->failure_code;
    out->job = b->failure_job;
    out->failures = b->failures;
    snprintf(out->detail, sizeof out->detail, "%s", b->detail);
    bool done = urd__load_acq(&b->phase) == PHASE_DONE; /* [phase] pairs with run_main() */
    if (in_time && (done || out->failure != FAILURE_NONE))
        return;
    out->failures = 0;
    out->job = -1;
    for (int i = 0; i < b->jobs; i++) {
        bool started = urd__load_acq(&b->records[i].start.time) != 0; /* [start], with run_job() */
        bool ended = urd__load_acq(&b->records[i].end.time) != 0;     /* [end], with run_job() */
        if (!started || ended)
            continue;
        out->failures++;
        if (out->job < 0)
            out->job = i;
    }
    out->failure = !in_time ? FAILURE_TIMEOUT : WIFSIGNALED(status) ? FAILURE_SIGNAL : FAILURE_EXIT;
    out->code = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
    if (out->failure == FAILURE_SIGNAL && b->crash_signal && b->crash_job >= 0) {
        out->job = b->crash_job;
        out->failures = 1;
    }
}

static char *take_errors(int fd)
{
    off_t bytes = lseek(fd, 0, SEEK_END);
    if (bytes <= 0)
        return NULL;
    off_t skip = bytes > ERRORS_BYTES_MAX ? bytes - ERRORS_BYTES_MAX : 0;
    char *text = calloc(1, ERRORS_BYTES_MAX + 1);
    if (text && pread(fd, text, ERRORS_BYTES_MAX, skip) > 0)
        return text;
    free(text);
    return NULL;
}

static void take_records(urd__run *out, const urd__board *b, urd__watch *w)
{
    out->jobs = b->jobs;
    out->run_entered = b->run_entered;
    out->begun = b->begun;
    out->wall = b->joined - b->begun;
    out->each_duration = b->each_duration;
    out->memory_peak = w->memory_peak > b->memory_joined ? w->memory_peak : b->memory_joined;
    memcpy(out->title, b->title, sizeof out->title);
    out->title[sizeof out->title - 1] = '\0';
    urd__text_clean(out->title);
    out->samples = w->samples;
    out->sample_count = w->count;
    out->records = calloc((size_t)(out->jobs > 0 ? out->jobs : 1), sizeof *out->records);
    if (out->records)
        memcpy(out->records, b->records, (size_t)out->jobs * sizeof *out->records);
    else
        out->jobs = 0;
    for (int i = 0; i < out->jobs; i++)
        urd__text_clean(out->records[i].label);
}

static void watch_to_the_end(urd__run *out, const urd__options *options, urd__watch *w,
                             urd__model model)
{
    int status = 0;
    struct rusage tree = {0};
    int64_t begun = urd_now(), machine = urd__watch_machine();
    int64_t deadline = begun + (int64_t)(options->timeout_seconds * (double)URD_SECOND);
    bool in_time = watch(w, deadline, &status, &tree);
    double lasted = (double)(urd_now() - begun);
    int64_t machine_after = urd__watch_machine();
    end_orphans();
    take_records(out, w->board, w);
    take_failure(out, w->board, status, in_time);
    take_usage(out, w->board, &tree, model);
    double own = (double)(time_ns(tree.ru_utime) + time_ns(tree.ru_stime));
    out->other_cores = machine < 0 || machine_after < 0 || lasted < 50e6
                           ? -1 /* the machine counts in ticks of 10 ms */
                           : ((double)(machine_after - machine) - own) / lasted;
}

void urd__compare_measure(urd__run *out, const urd__options *options, const char *object,
                          urd__mode mode, urd__model model)
{
    *out = (urd__run){.failure = FAILURE_SYSTEM, .job = -1, .waiting = -1, .other_cores = -1};
    int board_fd;
    urd__board *board = urd__board_make(&board_fd);
    if (!board)
        return;
    int errors_fd = memfd_create("urd-compare-errors", MFD_CLOEXEC);
    char mode_word[16], model_word[16], workers[16];
    snprintf(mode_word, sizeof mode_word, "%d", mode);
    snprintf(model_word, sizeof model_word, "%d", model);
    snprintf(workers, sizeof workers, "%d", options->workers);
    const char *const words[] = {"urd",   URD__COMPARE_RUN, mode_word, model_word,
                                 workers, object,           NULL};
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    urd__watch w = {.board = board};
    w.pid = start(options, words, board_fd, errors_fd);
    if (w.pid > 0)
        watch_to_the_end(out, options, &w, model);
    if (errors_fd >= 0) {
        out->errors = take_errors(errors_fd);
        close(errors_fd);
    }
    urd__board_free(board, board_fd);
}

void urd__run_free(urd__run *run)
{
    free(run->records);
    free(run->samples);
    free(run->errors);
    *run = (urd__run){0};
}
