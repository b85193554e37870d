/*
 * text.h - the words of the command in the user's language, and how it writes numbers.
 *
 * SPDX-License-Identifier: MIT
 *
 * English, or Portuguese where LC_ALL, LC_MESSAGES or LANG says so.  Only reports are translated:
 * the table, the verdict and the page.  Errors and --json are the same everywhere, so that they can
 * be searched for.
 */
#ifndef URD_CLI_TEXT_H
#define URD_CLI_TEXT_H

#include <stddef.h>
#include <stdint.h>

typedef enum urd__text_id {
    TEXT_LANGUAGE,
    TEXT_SEQUENTIAL,
    TEXT_TASKS,
    TEXT_THREADS,
    TEXT_PROCESSES,
    TEXT_MODEL,
    TEXT_WALL,
    TEXT_CPU,
    TEXT_SPEEDUP,
    TEXT_CORES,
    TEXT_MEMORY,
    TEXT_STARTUP,
    TEXT_WAITING,
    TEXT_SWITCHES,
    TEXT_VERDICT,
    TEXT_EXPECT,
    TEXT_HEADING,
    TEXT_NOTE,
    TEXT_BUSY,
    TEXT_SPREAD,
    TEXT_FAILED,
    TEXT_PROGRESS,
    TEXT_COMPILING,
    /* kinds of work */
    TEXT_CLASS_SHORT,
    TEXT_CLASS_WAITING,
    TEXT_CLASS_CPU,
    TEXT_CLASS_MIXED,
    TEXT_CLASS_CONTENDED,
    TEXT_CLASS_UNKNOWN,
    /* verdicts */
    TEXT_SAY_SHORT,
    TEXT_SAY_UNKNOWN,
    TEXT_SAY_WAITING,
    TEXT_SAY_WAITING_IN_LINE,
    TEXT_SAY_WAITING_BLOCKED,
    TEXT_SAY_CPU,
    TEXT_SAY_CPU_BUSY,
    TEXT_SAY_NO_GAIN,
    TEXT_SAY_MIXED,
    TEXT_SAY_CONTENDED,
    TEXT_SAY_CONTENDED_STUCK,
    /* why this model */
    TEXT_FIT_LEAST_MEMORY,
    TEXT_FIT_SAME_SPEED,
    TEXT_FIT_FASTEST,
    TEXT_FIT_SEQUENTIAL,
    TEXT_FIT_APART,
    /* what to expect */
    TEXT_MORE_SHORT,
    TEXT_MORE_WAITING,
    TEXT_MORE_CPU,
    TEXT_MORE_NO_GAIN,
    TEXT_MORE_MIXED,
    TEXT_MORE_CONTENDED,
    TEXT_MORE_CONTENDED_STUCK,
    /* the page */
    TEXT_TIMELINE,
    TEXT_TIMELINE_SOME,
    TEXT_ZOOMED,
    TEXT_RUNNING,
    TEXT_READY,
    TEXT_BLOCKED,
    TEXT_STARTED,
    TEXT_ENDED,
    TEXT_JOB,
    TEXT_JOBS,
    TEXT_RUNS,
    TEXT_CORES_WORD,
    TEXT_FITS,
    TEXT_RESULTS,
    TEXT_SHAPES,
    TEXT_LESS_IS_BETTER,
    TEXT_MORE_IS_BETTER,
    TEXT_HOW,
    TEXT_HOW_LONG,
    TEXT_COUNT
} urd__text_id;

const char *urd__text(urd__text_id id);

/* A text with values in place of {0} to {9}, cut to size. */
void urd__text_fill(char *out, size_t size, const char *text, const char *const *values, int n);

/* The values of a text, one after the other as they are added. */
enum { VALUE_BYTES = 160, VALUES_MAX = 10 };
typedef struct urd__values {
    char text[VALUES_MAX][VALUE_BYTES];
    int n;
} urd__values;

void urd__add_text(urd__values *v, const char *text);
void urd__add_duration(urd__values *v, int64_t duration);
void urd__add_bytes(urd__values *v, int64_t bytes);
void urd__add_percent(urd__values *v, double share);
void urd__add_number(urd__values *v, double value, int decimals);
void urd__fill(char *out, size_t size, urd__text_id id, const urd__values *v);

/* "1.00 s", "12.3 ms", "480 ns"; a negative duration is "-". */
void urd__text_duration(char *out, size_t size, int64_t duration);
/* "3.1 MiB"; negative is "-". */
void urd__text_bytes(char *out, size_t size, int64_t bytes);
/* With so many decimals; negative is "-". */
void urd__text_number(char *out, size_t size, double value, int decimals);
/* A share as "98 %"; negative is "-". */
void urd__text_percent(char *out, size_t size, double share);

/* Make text from outside fit to be shown: control characters and what is not UTF-8 become "?". */
void urd__text_clean(char *text);

/* How many columns a UTF-8 text takes; its characters are all one column wide. */
int urd__text_width(const char *text);

#endif
