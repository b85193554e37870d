/*
 * count.c - what the processor and the kernel count of a program, with --deep.
 *
 * SPDX-License-Identifier: MIT
 *
 * One performance event for each counter and thread that is alive at the start; what these start
 * later inherits them.  A sum that would lack a thread is not told: where an event is refused, the
 * whole counter is.  What happens in the kernel on behalf of the program may be forbidden
 * (perf_event_paranoid 2): instructions, cycles and misses are those of the program itself anyway;
 * faults are then those of its own accesses; switches happen in the kernel and would be zero, so
 * that they are refused.
 */
#include "advise/count.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/os.h"

enum { THREADS_COUNTED_MAX = 64 }; /* of those alive at the start: each has COUNTERS descriptors */

struct urd__counts {
    int threads;
    int fd[COUNTERS][THREADS_COUNTED_MAX]; /* -1: the thread had ended */
};

static const struct {
    uint32_t type;
    uint64_t config;
    bool by_program; /* counts something where the kernel's share is left out */
} counters[COUNTERS] = {
    [COUNTER_INSTRUCTIONS] = {PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS, true},
    [COUNTER_CYCLES] = {PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES, true},
    [COUNTER_MISSES] = {PERF_TYPE_HARDWARE, PERF_COUNT_HW_CACHE_MISSES, true},
    [COUNTER_SWITCHES] = {PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CONTEXT_SWITCHES, false},
    [COUNTER_MIGRATIONS] = {PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_MIGRATIONS, false},
    [COUNTER_FAULTS] = {PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS, true}};

static int open_counter(int counter, pid_t tid)
{
    struct perf_event_attr attr = {.size = sizeof attr,
                                   .type = counters[counter].type,
                                   .config = counters[counter].config,
                                   .inherit = 1,
                                   .exclude_hv = 1,
                                   .exclude_kernel = counters[counter].type == PERF_TYPE_HARDWARE};
    int fd = urd__os_perf_open(&attr, tid, -1);
    bool forbidden = fd == -EACCES || fd == -EPERM;
    if (!forbidden || !counters[counter].by_program || attr.exclude_kernel)
        return fd;
    attr.exclude_kernel = 1;
    return urd__os_perf_open(&attr, tid, -1);
}

static void close_counter(struct urd__counts *c, int counter)
{
    for (int i = 0; i < c->threads; i++)
        if (c->fd[counter][i] >= 0)
            close(c->fd[counter][i]);
}

/* Of all threads that are alive, or of none.  Returns 0 or -errno. */
static int begin_counter(const urd__watched *w, int counter)
{
    struct urd__counts *c = w->counts;
    for (int i = 0; i < c->threads; i++)
        c->fd[counter][i] = -1;
    for (int i = 0; i < c->threads; i++) {
        int fd = open_counter(counter, w->threads[w->live[i].thread]->tid);
        if (fd < 0 && fd != -ESRCH) {
            close_counter(c, counter);
            return fd;
        }
        c->fd[counter][i] = fd;
    }
    return 0;
}

void urd__count_begin(urd__watched *w)
{
    for (int i = 0; i < COUNTERS; i++)
        w->counted[i] = -1;
    if (!w->deep)
        return;
    bool few = w->live_count <= THREADS_COUNTED_MAX;
    w->counts = few ? calloc(1, sizeof *w->counts) : NULL;
    if (w->counts)
        w->counts->threads = w->live_count;
    for (int i = 0; i < COUNTERS; i++)
        w->counter_refused[i] = w->counts ? -begin_counter(w, i) : few ? ENOMEM : EMFILE;
}

static double sum_of(const struct urd__counts *c, int counter)
{
    double sum = 0;
    for (int i = 0; i < c->threads; i++) {
        uint64_t value;
        int fd = c->fd[counter][i];
        if (fd >= 0 && read(fd, &value, sizeof value) == (ssize_t)sizeof value)
            sum += (double)value;
    }
    return sum;
}

void urd__count_end(urd__watched *w)
{
    for (int i = 0; w->counts && i < COUNTERS; i++)
        if (!w->counter_refused[i]) {
            w->counted[i] = sum_of(w->counts, i);
            close_counter(w->counts, i);
        }
    free(w->counts);
    w->counts = NULL;
}
