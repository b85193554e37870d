/*
 * watch.c - samples of the threads' processor time and of the tree's memory.
 *
 * SPDX-License-Identifier: MIT
 *
 * The watcher runs on the same cores as what it watches, so it keeps its own cost down: after a
 * look that cost t of processor time it does not look again for so many times t, but never for
 * longer than pause_max, so that what lasts longer than that is seen on a busy machine too.  Memory
 * is the sum of the proportional set sizes (PSS), in which a page that n processes share counts as
 * 1/n for each.
 */
#include "compare/watch.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/atomic.h"
#include "urd.h"

enum {
    TREE_MAX = 4096,
    SAMPLES_MAX = 1 << 20,
    SEEN_MAX = 16,
    THREADS_PAUSE = 200, /* times its cost: 0.5 % of a core */
    MEMORY_PAUSE = 200
};

static const int64_t threads_interval = 2 * URD_MS;
static const int64_t memory_interval = 4 * URD_MS;
static const int64_t pause_max = 64 * URD_MS;

static long read_small(const char *path, char *out, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t bytes = read(fd, out, size - 1);
    close(fd);
    out[bytes > 0 ? bytes : 0] = '\0';
    return bytes;
}

static void keep(urd__watch *watch, urd__sample sample)
{
    if (watch->count == watch->room) {
        int room = watch->room ? watch->room * 2 : 1024;
        urd__sample *more =
            room <= SAMPLES_MAX ? realloc(watch->samples, (size_t)room * sizeof *more) : NULL;
        if (!more)
            return; /* a coarser timeline */
        watch->samples = more;
        watch->room = room;
    }
    watch->samples[watch->count++] = sample;
}

static bool alive(const urd__record *record)
{
    /* [start] and [end] pair with run_job() */
    return urd__load_acq(&record->start.time) != 0 && urd__load_acq(&record->end.time) == 0;
}

static void look_at_thread(urd__watch *watch, const urd__record *record)
{
    char path[64], text[80];
    snprintf(path, sizeof path, "/proc/%d/task/%d/schedstat", record->pid, record->tid);
    if (read_small(path, text, sizeof text) <= 0)
        return;
    char *rest;
    urd__sample sample = {.tid = record->tid};
    sample.at.cpu = strtoll(text, &rest, 10);
    sample.at.ready = strtoll(rest, NULL, 10);
    sample.at.time = urd_now();
    keep(watch, sample);
}

static void look_at_threads(urd__watch *watch)
{
    const urd__board *board = watch->board;
    int n = board->jobs < JOBS_WATCHED_MAX ? board->jobs : JOBS_WATCHED_MAX;
    pid_t seen[SEEN_MAX] = {0}; /* tasks share few threads: look at each once */
    int next = 0;
    for (int i = 0; i < n; i++) {
        const urd__record *record = &board->records[i];
        if (!alive(record))
            continue;
        bool again = false;
        for (int j = 0; j < SEEN_MAX; j++)
            again = again || seen[j] == record->tid;
        if (again)
            continue;
        seen[next] = record->tid;
        next = (next + 1) % SEEN_MAX;
        look_at_thread(watch, record);
    }
}

/* Children are listed for the thread that made them. */
static int add_children(pid_t pid, pid_t *out, int count, int max)
{
    char path[64], text[4096];
    snprintf(path, sizeof path, "/proc/%d/task", pid);
    DIR *threads = opendir(path);
    if (!threads)
        return count;
    struct dirent *entry;
    while ((entry = readdir(threads))) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "/proc/%d/task/%.16s/children", pid, entry->d_name);
        if (read_small(path, text, sizeof text) <= 0)
            continue;
        for (char *at = text, *rest; count < max; at = rest) {
            long child = strtol(at, &rest, 10);
            if (rest == at)
                break;
            out[count++] = (pid_t)child;
        }
    }
    closedir(threads);
    return count;
}

int urd__watch_tree(pid_t pid, pid_t *out, int max)
{
    int count = 1;
    out[0] = pid;
    for (int i = 0; i < count; i++)
        count = add_children(out[i], out, count, max);
    return count;
}

static void look_at_memory(urd__watch *watch)
{
    pid_t tree[TREE_MAX];
    int count = urd__watch_tree(watch->pid, tree, TREE_MAX);
    int64_t sum = 0;
    for (int i = 0; i < count; i++) {
        char path[64];
        snprintf(path, sizeof path, "/proc/%d/smaps_rollup", tree[i]);
        int64_t bytes = urd__pss_bytes(path);
        sum += bytes > 0 ? bytes : 0;
    }
    if (sum > watch->memory_peak)
        watch->memory_peak = sum;
}

static int64_t own_cpu(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * URD_SECOND + t.tv_nsec;
}

/* When to look again after a look that cost the processor time since begun. */
static int64_t later(int64_t begun, int64_t interval, int pause)
{
    int64_t rest = (own_cpu() - begun) * pause;
    rest = rest < pause_max ? rest : pause_max;
    return urd_now() + (rest > interval ? rest : interval);
}

int64_t urd__watch_look(urd__watch *watch, int64_t now)
{
    if (urd__load_acq(&watch->board->phase) != PHASE_RUNNING)
        return now + threads_interval;
    int64_t begun = own_cpu();
    if (now >= watch->next_memory) {
        look_at_memory(watch);
        watch->next_memory = later(begun, memory_interval, MEMORY_PAUSE);
        begun = own_cpu();
    }
    if (now >= watch->next_threads) {
        look_at_threads(watch);
        watch->next_threads = later(begun, threads_interval, THREADS_PAUSE);
    }
    return watch->next_threads < watch->next_memory ? watch->next_threads : watch->next_memory;
}

int64_t urd__watch_machine(void)
{
    char text[512];
    if (read_small("/proc/stat", text, sizeof text) <= 0 || strncmp(text, "cpu ", 4) != 0)
        return -1;
    char *at = text + 4;
    int64_t busy = 0;
    for (int i = 0; i < 8; i++) { /* user nice system idle iowait irq softirq steal */
        int64_t ticks = strtoll(at, &at, 10);
        if (i != 3 && i != 4)
            busy += ticks;
    }
    return busy * (URD_SECOND / sysconf(_SC_CLK_TCK));
}
