/*
 * touch.c - tell a memory-bound program by the pages it touches, without counters.
 *
 * SPDX-License-Identifier: MIT
 *
 * Counters of cache misses need a processor that shows them, which virtual machines mostly do not,
 * and rights.  But the processor marks each page that is touched.  So the marks are taken away (by
 * clear_refs), and counted some milliseconds later (Referenced in smaps_rollup).  A program that in
 * so short a time touches several times what the caches hold has its data come from memory.
 * The program does not notice: its pages stay where they are.  To take away and count the marks
 * costs time in proportion to its memory, so programs of more than SIZE_MAX_BYTES are not asked.
 */
#include "advise/touch.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "advise/proc.h"
#include "urd.h"

enum { TRIES_MAX = 3 };

static const double rate_in_doubt = 2e9; /* bytes a second, at which the verdict changes */
static const int64_t size_most = (int64_t)2 << 30;
static const int64_t window = 40 * URD_MS, not_before = 250 * URD_MS, between = 400 * URD_MS;

int64_t urd__touch_cache_bytes(void)
{
    int64_t largest = 0;
    for (int i = 0; i < 8; i++) {
        char path[80], text[32];
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/size", i);
        if (urd__proc_read(path, text, sizeof text) <= 0)
            break;
        char *unit;
        int64_t size = strtoll(text, &unit, 10);
        size *= *unit == 'M' ? 1 << 20 : 1 << 10;
        largest = size > largest ? size : largest;
    }
    return largest;
}

/* "Referenced:   123 kB" and "Rss:". */
static int64_t kib_of(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    return at ? strtoll(at + strlen(name), NULL, 10) * 1024 : 0;
}

static int64_t read_rollup(const urd__process *process, const char *name)
{
    char path[64], text[2048];
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", process->pid);
    return urd__proc_read(path, text, sizeof text) > 0 ? kib_of(text, name) : -1;
}

static int64_t resident(const urd__process *process)
{
    char path[64], text[512];
    urd__stat stat;
    snprintf(path, sizeof path, "/proc/%d/stat", process->pid);
    if (urd__proc_read(path, text, sizeof text) <= 0 || !urd__proc_stat(text, &stat))
        return -1;
    return stat.resident_pages * sysconf(_SC_PAGESIZE);
}

/* ns; 0: not known */
static int64_t cpu_of(const urd__process *process)
{
    clockid_t clock;
    struct timespec used;
    bool known = clock_getcpuclockid(process->pid, &clock) == 0 && clock_gettime(clock, &used) == 0;
    return known ? used.tv_sec * URD_SECOND + used.tv_nsec : 0;
}

/* Has it run for long enough since the marks were taken away? */
static bool has_run(const urd__process *process, int64_t now)
{
    int64_t passed = now - process->touch_begun;
    return passed >= 8 * window || cpu_of(process) - process->touch_cpu >= window;
}

static void begin(urd__process *process, int64_t now)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/clear_refs", process->pid);
    process->touch_tries++;
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    if (write(fd, "1", 1) == 1)
        process->touch_begun = now;
    process->touch_cpu = cpu_of(process);
    close(fd);
}

static void end(urd__process *process, int64_t now)
{
    int64_t bytes = read_rollup(process, "Referenced:");
    int64_t took = urd_now() - process->touch_begun, ran = cpu_of(process) - process->touch_cpu;
    took = ran < took ? ran : took;              /* others may have had the cores */
    bool tells = bytes > 0 && ran >= window / 2; /* a page in no time is no rate */
    double rate = tells ? (double)bytes * (double)URD_SECOND / (double)took : -1;
    if (rate > process->touched_rate)
        process->touched_rate = rate;
    process->touch_begun = 0;
    process->next_touch = now + between;
    if (rate > 2 * rate_in_doubt || (rate >= 0 && rate < rate_in_doubt / 2))
        process->touch_tries = TRIES_MAX; /* no doubt: to ask costs the more, the larger it is */
}

static bool computes(const urd__process *process, int64_t now)
{
    const double *in = process->in, life = (double)(now - process->born);
    return in[STATE_RUN] + in[STATE_READY] > 0.5 * life && in[STATE_RUN] > 0.1 * life;
}

void urd__touch_look(urd__watched *w, int64_t now)
{
    for (int i = 0; i < w->process_count; i++) {
        urd__process *process = w->processes[i];
        if (process->ended || now - process->born < not_before)
            continue;
        if (process->touch_begun != 0) {
            if (has_run(process, now))
                end(process, now);
        } else if (process->touch_tries < TRIES_MAX && now >= process->next_touch &&
                   computes(process, now)) {
            int64_t bytes = resident(process);
            process->resident = bytes > process->resident ? bytes : process->resident;
            process->next_touch = now + between;
            if (bytes > 2 * w->cache_bytes && bytes < size_most)
                begin(process, now);
        }
    }
}
