/*
 * worker.h - a thread of the runtime: its queues, its timers, and how it goes to sleep.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_CORE_WORKER_H
#define URD_CORE_WORKER_H

#include "base/os.h"
#include "core/compact.h"
#include "core/deque.h"
#include "core/job.h"
#include "core/stack.h"
#include "core/task.h"
#include "core/timer.h"

/* Where a worker sleeps, or is about to. */
enum { URD__AWAKE, URD__IN_FUTEX, URD__IN_POLLER };

typedef struct urd__worker {
    /* Of the worker's own thread. */
    urd__task *current;
    urd__task *ready_first, *ready_last;
    struct urd__home *inside; /* atomic, own thread writes: see home.h */
    unsigned tick;            /* switches since it started; every so many it looks around */
    unsigned old_job_tick;    /* when the oldest job not begun had its turn last */
    unsigned index;
    int64_t now;                /* about what time it is, for reports; read at some looks around */
    unsigned now_tick;          /* when that was; a task that parks makes the worker look again */
    pid_t id;                   /* the thread's, in the kernel */
    uint64_t random;            /* state of the generator; with a seed it draws the schedule */
    bool gave_way;              /* it has started a thread, which may need this processor */
    bool woke;                  /* it has woken another, which may stand behind it here */
    bool searching;             /* counted in the runtime's `searching` */
    unsigned io_tick;           /* when the poller was asked last */
    struct urd__poller *poller; /* of the layer io; NULL: nothing waited for I/O here yet */
    int looted;                 /* jobs of the last theft */
    int64_t looted_at, steal_after; /* times: it was then; the next one is not before */
    int64_t steal_pause;            /* the last one, for jobs that were too small; 0: none */
    int64_t lone, lone_since;       /* a job that is left alone for a moment: its number, and when
                                       it was seen first */
    unsigned lone_of;               /* and whose it is */
    uintptr_t loop_body;            /* of src/par: the last loop's body */
    unsigned long loop_pace;        /* and how many of its steps make a chunk */
    urd__job *later;                /* that timers have started just now, the latest first */
    urd__stack_cache stacks;
    urd__job_cache jobs;
    urd__task idle;   /* the scheduling loop itself */
    void *dead_fiber; /* ThreadSanitizer's, of the task that ended last */
    urd__os_thread thread;
    void *signal_stack; /* on which a stack overflow is reported */
    urd__compact compact;

    /* Shared. */
    urd__deque deque;
    int64_t forked; /* atomic, own thread writes: the number of the fork that it pushed last */
    urd__timers timers;
    _Alignas(64) urd__task *inbox; /* atomic: made ready by others, newest first */
    int parked;                    /* atomic, futex: where it sleeps; see above */
    int io_waits;                  /* atomic: waits that its poller is to end */
    int moved;                     /* atomic: who woke it keeps it off his processor; in park.c */
    unsigned long cpus[OS_MASK_WORDS]; /* on which it may run again afterwards */
} urd__worker;

/* The task, or the thread, that calls. */
static inline urd__task *urd__task_self(void)
{
    return urd__worker_self ? urd__worker_self->current : urd__task_thread_self();
}

/* Ready; own thread. */
static inline void urd__worker_enqueue(urd__worker *self, urd__task *task)
{
    task->next = NULL;
    if (self->ready_first)
        self->ready_last->next = task;
    else
        self->ready_first = task;
    self->ready_last = task;
}

/* sched.c */
void urd__worker_loop(urd__worker *self);     /* until the runtime stops */
bool urd__worker_may_wait(urd__worker *self); /* what is ready; draws with a seed */
void urd__worker_leave(urd__task *from);      /* switch to whatever is next */
void urd__worker_exit(urd__task *from) __attribute__((noreturn));
void urd__worker_switch(urd__worker *self, urd__task *from, urd__task *to);
void urd__worker_post(urd__worker *other, urd__task *task); /* ready; any thread */
urd__job *urd__worker_next_job(urd__worker *self);          /* own, injected or stolen; or NULL */
bool urd__worker_may_steal(urd__worker *self);              /* own thread */

/* Is what this worker could steal there better left to the other for now? */
bool urd__worker_leaves(urd__worker *self, urd__worker *victim, int64_t now);

void urd__worker_later(urd__worker *self, urd__job *job); /* from a timer that fires */
void urd__worker_fire_timers(urd__worker *self);          /* those that are due; own thread */
bool urd__worker_timer_due(const urd__worker *self);      /* if one is set; by the clock */

/* Every so many switches, or ends of jobs, a worker looks around. */
enum { URD__LOOK_TICKS = 64 };

/* Counts; it is time for a look around. */
static inline bool urd__worker_due(urd__worker *self)
{
    return ++self->tick % URD__LOOK_TICKS == 0;
}

/* Others than the running task want it. */
static inline bool urd__worker_wanted(urd__worker *self)
{
    if (self->ready_first || urd__load_rlx(&self->inbox)) /* a guess, asked again and again */
        return true;
    int64_t earliest = urd__load_rlx(&self->timers.earliest); /* the same */
    return __builtin_expect(earliest != INT64_MAX, 0) && urd__worker_timer_due(self);
}

/* Looks around where that is due: the oldest job not begun, whose turn it is then, if it is of this
 * scope.  NULL: there is something that only the loop can serve. */
urd__job *urd__worker_oldest_of(urd__worker *self, const urd_scope *scope);
void urd__worker_share(urd__task *self); /* counts, and yields when it is time to look */
int urd__worker_inject(urd__job *job);   /* not begun; any thread; 0 */
uint64_t urd__worker_random(urd__worker *self);

/* park.c */
void urd__park(urd__worker *self);        /* until there may be something to do */
void urd__park_wake(urd__worker *worker); /* if it sleeps */
void urd__park_wake_any(void);            /* one that sleeps, unless one is looking already */
void urd__park_settle(void);              /* somebody outside came to rest */

/* Every worker sleeps, no job works outside, and no timer is set.  True may be old news, unless
 * urd__rt.unparks is still what it was before. */
bool urd__park_quiet(void);

/* Called, where it is set, by a worker when that has been so for a while; with a virtual clock at
 * once.  Must not block. */
extern void (*urd__quiet)(void);

bool urd__io_pending(void); /* does anybody wait for I/O? */

#endif
