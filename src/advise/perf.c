/*
 * perf.c - performance events: where threads run.
 *
 * SPDX-License-Identifier: MIT
 *
 * /proc does not tell where a thread runs.  The event cpu-clock does: a timer that goes on while
 * the thread has a core, SAMPLES_A_SECOND times a second, and notes its program counter.  One event
 * for each processor and thread that is alive at the start; what these start later inherits them.
 * All events of a processor write into one ring, which is emptied now and then.  Where the kernel
 * does not allow it (perf_event_paranoid, seccomp), functions that run have no names, and --deep
 * says why.  What --deep counts besides is in count.c.
 */
#include "advise/perf.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "advise/stack.h"
#include "base/atomic.h"
#include "base/os.h"
#include "urd.h"

enum {
    SAMPLES_A_SECOND = 97, /* not in step with timers of the program */
    PROCESSORS_MAX = 256,
    RING_PAGES = 8,
    EVENTS_MAX = 512 /* descriptors */
};

static const int64_t take_every = 100 * URD_MS;

struct urd__perf {
    int rings, events;
    int event[EVENTS_MAX];
    void *ring[PROCESSORS_MAX];
    int first[PROCESSORS_MAX]; /* the event that owns the ring */
    bool user_only;
    int64_t next_taking;
};

static size_t ring_bytes(void)
{
    return (size_t)(RING_PAGES + 1) * (size_t)sysconf(_SC_PAGESIZE);
}

/* With what runs in the kernel if that may be seen. */
static int open_sampler(struct urd__perf *p, pid_t tid, int processor)
{
    struct perf_event_attr attr = {.size = sizeof attr,
                                   .type = PERF_TYPE_SOFTWARE,
                                   .config = PERF_COUNT_SW_CPU_CLOCK,
                                   .freq = 1,
                                   .sample_freq = SAMPLES_A_SECOND,
                                   .sample_type = PERF_SAMPLE_IP | PERF_SAMPLE_TID,
                                   .inherit = 1,
                                   .exclude_hv = 1,
                                   .exclude_kernel = p->user_only};
    int fd = urd__os_perf_open(&attr, tid, processor);
    if (fd >= 0 || p->user_only)
        return fd;
    p->user_only = true;
    attr.exclude_kernel = 1;
    return urd__os_perf_open(&attr, tid, processor);
}

/* A thread may have ended meanwhile, and a processor may be switched off: those are passed over. */
static bool is_gone(int rc)
{
    return rc == -ESRCH || rc == -ENODEV;
}

/* False: no more, of any. */
static bool add_sampler(urd__watched *w, pid_t tid, int processor)
{
    struct urd__perf *p = w->perf;
    if (p->events == EVENTS_MAX)
        return false;
    int fd = open_sampler(p, tid, processor);
    if (fd < 0) {
        if (p->events == 0 && !is_gone(fd))
            w->perf_refused = -fd;
        return is_gone(fd);
    }
    if (p->ring[processor]) {
        ioctl(fd, PERF_EVENT_IOC_SET_OUTPUT, p->first[processor]);
    } else {
        void *ring = mmap(NULL, ring_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (ring == MAP_FAILED) {
            close(fd);
            return false;
        }
        p->ring[processor] = ring;
        p->first[processor] = fd;
    }
    p->event[p->events++] = fd;
    return true;
}

void urd__perf_begin(urd__watched *w)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    w->perf = calloc(1, sizeof *w->perf);
    if (!w->perf)
        return;
    w->perf->rings = processors < PROCESSORS_MAX ? (int)processors : PROCESSORS_MAX;
    bool more = true;
    for (int i = 0; i < w->live_count && more; i++)
        for (int c = 0; c < w->perf->rings && more; c++)
            more = add_sampler(w, w->threads[w->live[i].thread]->tid, c);
}

/* ---- samples --------------------------------------------------------------------------------- */

typedef struct record {
    struct perf_event_header header;
    uint64_t pc;
    uint32_t pid, tid;
} record;

static void take_record(urd__watched *w, const record *r)
{
    int thread = urd__map_get(w->map, (int)r->tid);
    bool in_kernel = (r->header.misc & PERF_RECORD_MISC_CPUMODE_MASK) == PERF_RECORD_MISC_KERNEL;
    if (r->header.type == PERF_RECORD_SAMPLE && thread >= 0)
        urd__stack_ran(w, thread, in_kernel ? 0 : r->pc);
}

/* The kernel writes records and then the head [perf-head]; what we have read is its room again by
 * the tail [perf-tail]. */
static void empty_ring(urd__watched *w, void *ring)
{
    struct perf_event_mmap_page *page = ring;
    const unsigned char *data = (unsigned char *)ring + sysconf(_SC_PAGESIZE);
    uint64_t size = ring_bytes() - (size_t)sysconf(_SC_PAGESIZE), tail = page->data_tail;
    uint64_t head = urd__load_acq(&page->data_head); /* [perf-head] */
    while (head - tail >= sizeof(struct perf_event_header)) {
        record r = {0};
        for (size_t i = 0; i < sizeof r; i++)
            ((unsigned char *)&r)[i] = data[(tail + i) % size];
        if (r.header.size < sizeof r.header)
            break;
        take_record(w, &r);
        tail += r.header.size;
    }
    urd__store_rel(&page->data_tail, tail); /* [perf-tail] */
}

void urd__perf_take(urd__watched *w, int64_t now)
{
    struct urd__perf *p = w->perf;
    if (!p || now < p->next_taking)
        return;
    p->next_taking = urd_now() + take_every;
    for (int c = 0; c < p->rings; c++)
        if (p->ring[c])
            empty_ring(w, p->ring[c]);
}

/* ---- the end --------------------------------------------------------------------------------- */

void urd__perf_end(urd__watched *w)
{
    struct urd__perf *p = w->perf;
    if (!p)
        return;
    for (int c = 0; c < p->rings; c++)
        if (p->ring[c])
            munmap(p->ring[c], ring_bytes());
    for (int i = 0; i < p->events; i++)
        close(p->event[i]);
    free(p);
    w->perf = NULL;
}
