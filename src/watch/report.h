/*
 * report.h - a view in words: who waits for what, held by whom, and where in the program.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_WATCH_REPORT_H
#define URD_WATCH_REPORT_H

#include "core/dw.h"
#include "watch/frames.h"
#include "watch/out.h"
#include "watch/tree.h"

typedef struct urd__report {
    const urd__view *view;
    struct Dwfl *dwfl; /* NULL: names are not to be had */
    int64_t now;       /* of the clock of that process */
    bool stacks;       /* print them */
    /* A thread as it is now; false: it cannot be seen.  NULL: there is nobody to ask. */
    bool (*sample)(void *arg, pid_t thread, urd__sample *out);
    void *sample_arg;
} urd__report;

enum { URD__NAME_BYTES = 128, URD__WORDS_BYTES = 512 };

void urd__report_tree(const urd__report *report, urd__out *out);

/* Locks whose holders wait for each other; how many rings there are.  `stacks`: print them, too. */
int urd__report_cycles(const urd__report *report, bool stacks, urd__out *out);

/* One task with its stack, for the watchdog. */
void urd__report_stack(const urd__report *report, const urd__view_task *task, const char *indent,
                       urd__out *out);

/* Parts, for other forms of the report.  They write at most `size` bytes. */
void urd__report_name(const urd__report *report, const urd__view_job *job, char *out, size_t size);
void urd__report_wait(const urd__report *report, const urd__view_task *task, char *out,
                      size_t size);
const char *urd__report_kind(int kind);

typedef struct urd__report_frames {
    int n;
    urd__symbol at[URD__FRAMES_MAX];
    uint64_t pc[URD__FRAMES_MAX];
} urd__report_frames;

/* The program's part of the stack; n 0 where it cannot be seen. */
void urd__report_frames_of(const urd__report *report, const urd__view_task *task,
                           urd__report_frames *frames);

/* As "x at file.c:12 (module)" or what of it is known. */
void urd__report_frame(const urd__report_frames *frames, int i, char *out, size_t size);

#endif
