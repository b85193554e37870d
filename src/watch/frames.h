/*
 * frames.h - the stack of a task, from its saved context or from a sample.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_WATCH_FRAMES_H
#define URD_WATCH_FRAMES_H

#include "core/dw.h"
#include "watch/view.h"

enum { URD__SAMPLE_BYTES = 64 * 1024, URD__FRAMES_MAX = 64 };

/* A thread that runs, as it was at one moment: its registers, and the top of its stack. */
typedef struct urd__sample {
    uint64_t registers[URD__DW_REGISTERS]; /* by their numbers in DWARF */
    uint64_t pc, sp, fp;
    size_t bytes; /* of the stack from sp upwards */
    unsigned char stack[URD__SAMPLE_BYTES];
} urd__sample;

/*
 * Addresses of the frames, innermost first; how many.  sample NULL: of a task that does not run.
 * dwfl NULL: only what keeps frame pointers is seen.
 */
int urd__frames_of(struct Dwfl *dwfl, const urd__view *view, const urd__view_task *task,
                   const urd__sample *sample, uint64_t *pcs, int max);

/* The part of them that is the program's: without what the runtime does to wait, below the public
 * call, and what starts a task.  *first is the first of how many are returned. */
int urd__frames_trim(const char *const *names, int n, int *first);

#endif
