/*
 * view.h - the scopes and jobs of a process, read from its memory.
 *
 * SPDX-License-Identifier: MIT
 *
 * The process may be this one, or another, and it may go on meanwhile: whatever is read is checked
 * by nothing but its address, so what is torn is wrong in the view and harms nobody.
 */
#ifndef URD_WATCH_VIEW_H
#define URD_WATCH_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "watch/layout.h"

typedef enum urd__view_state { URD__RUNS, URD__READY, URD__WAITS } urd__view_state;

/* What runs jobs: a started task, or a thread job's thread. */
typedef struct urd__view_task {
    uintptr_t at;   /* of its urd__task */
    long number;    /* by which users name it; 0: that of the first job */
    bool is_thread; /* then `number` is the kernel's */
    int worker;     /* index, or -1 */
    pid_t thread;   /* the kernel's number of the thread it runs on */
    urd__view_state state;
    uint64_t wait; /* its word: see wait.h */
    int reason;    /* of a wait */
    uintptr_t on;
    int64_t since;
    uintptr_t context;   /* of a task that does not run: where it goes on */
    uintptr_t low, high; /* its stack */
    uintptr_t copied;    /* of a compact task whose frames are not there: where the copy ends */
    uintptr_t job;       /* the innermost it runs, or 0 */
} urd__view_task;

typedef struct urd__view_job {
    uintptr_t at, fn, where, handle;
    uintptr_t scope;     /* that waits for it */
    uintptr_t run_scope; /* in which it runs */
    int kind;            /* urd_kind, or that of a fork */
    int task;            /* index of what runs it; -1: it has not begun, or is a process */
    bool inner;          /* another job runs on the same stack inside it */
    pid_t pid;           /* of a process */
} urd__view_job;

typedef struct urd__view_scope {
    uintptr_t at, parent, owner, where;
    bool cancelled;
} urd__view_scope;

typedef struct urd__view_worker {
    uintptr_t at, current;
    unsigned tick;
    pid_t thread;
    bool parked;
    long unstarted; /* jobs */
} urd__view_worker;

/* Address to index. */
typedef struct urd__view_map {
    uintptr_t *keys;
    int *values;
    size_t room, used;
} urd__view_map;

typedef struct urd__view {
    pid_t pid; /* 0: this process */
    urd__layout layout;
    uint32_t offset[URD__LAYOUT_FIELDS], bytes[URD__LAYOUT_FIELDS];
    urd__view_task *tasks;
    urd__view_job *jobs;
    urd__view_scope *scopes;
    urd__view_worker *workers;
    size_t ntasks, njobs, nscopes, nworkers;
    size_t task_room, job_room, scope_room;
    urd__view_map task_at, job_at, scope_at;
    uintptr_t root; /* the outermost scope */
    bool cut;       /* there was no memory for all of it */
} urd__view;

/* layout: its address in that process.  0; -ENOENT no runtime is running there, -ENOTSUP it has a
 * library that this one does not know, -ENOMEM, -EPERM, -ESRCH, -EFAULT. */
int urd__view_open(urd__view *view, pid_t pid, uintptr_t layout);
void urd__view_close(urd__view *view);

/* Only so far that the two below can be asked; nothing to close.  Errors as above. */
int urd__view_peek(urd__view *view, pid_t pid, uintptr_t layout);

/* What the task at `at` waits for now: `at`, `state`, `wait`, `reason` and `on` of it.  False: it
 * does not wait. */
bool urd__view_wait(const urd__view *view, uintptr_t at, urd__view_task *out);

/* Does any task or thread job not wait, or wait for something that may come from outside?  Without
 * reading more than it takes to find one. */
bool urd__view_moves(pid_t pid, uintptr_t layout);

/* NULL: none at this address. */
const urd__view_task *urd__view_task_at(const urd__view *view, uintptr_t at);
const urd__view_job *urd__view_job_at(const urd__view *view, uintptr_t at);
const urd__view_scope *urd__view_scope_at(const urd__view *view, uintptr_t at);

/* A number of the process's memory: a field of the structure at `at`.  0 where it is not there. */
uint64_t urd__view_field(const urd__view *view, uintptr_t at, enum urd__layout_id id);

/* The string at `at`, cut to size; "" where it is not there. */
void urd__view_string(const urd__view *view, uintptr_t at, char *out, size_t size);

/* The name that the job was given; "" if none. */
void urd__view_job_given(const urd__view *view, const urd__view_job *job, char *out, size_t size);

#endif
