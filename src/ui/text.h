/*
 * text.h - the words of the command in the user's language, and how it writes numbers.
 *
 * SPDX-License-Identifier: MIT
 *
 * English, or Portuguese where LC_ALL, LC_MESSAGES or LANG says so.  Only reports are translated:
 * the table, the verdict and the page.  Errors and --json are the same everywhere, so that they can
 * be searched for.
 */
#ifndef URD_UI_TEXT_H
#define URD_UI_TEXT_H

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
    TEXT_COMPARE_COUNT,
    /* urd advise; text_advise.c has these.  States, natures and fits in the order of advise.h */
    TEXT_ADVISE_FIRST = TEXT_COMPARE_COUNT,
    TEXT_STATE_RUN = TEXT_ADVISE_FIRST,
    TEXT_STATE_READY,
    TEXT_STATE_LOCK,
    TEXT_STATE_GIL,
    TEXT_STATE_DISK,
    TEXT_STATE_NET,
    TEXT_STATE_PIPE,
    TEXT_STATE_TIMER,
    TEXT_STATE_TERMINAL,
    TEXT_STATE_FAULT,
    TEXT_STATE_JOIN,
    TEXT_STATE_WORK,
    TEXT_STATE_STOPPED,
    TEXT_STATE_UNKNOWN,
    TEXT_NATURE_UNKNOWN,
    TEXT_NATURE_SHORT,
    TEXT_NATURE_CPU,
    TEXT_NATURE_MEMORY,
    TEXT_NATURE_LOCK,
    TEXT_NATURE_GIL,
    TEXT_NATURE_TURNS,
    TEXT_NATURE_DISK,
    TEXT_NATURE_NET,
    TEXT_NATURE_PIPE,
    TEXT_NATURE_TIMER,
    TEXT_NATURE_CHILD,
    TEXT_NATURE_TERMINAL,
    TEXT_NATURE_FAULT,
    TEXT_NATURE_IDLE,
    TEXT_NATURE_MIXED,
    TEXT_NATURE_PHASES,
    TEXT_NATURE_STOPPED,
    TEXT_FIT_NONE,
    TEXT_FIT_TASKS,
    TEXT_FIT_THREADS,
    TEXT_FIT_PROCESSES,
    TEXT_FIT_AS_IT_IS,
    TEXT_ADVISE_WATCHED,
    TEXT_ADVISE_MEMORY,
    TEXT_ADVISE_THREAD,
    TEXT_ADVISE_LIFE,
    TEXT_ADVISE_RAN,
    TEXT_ADVISE_READY,
    TEXT_ADVISE_WAITED,
    TEXT_ADVISE_WHERE,
    TEXT_ADVISE_MORE_THREADS,
    TEXT_ADVISE_WHOLE,
    TEXT_ADVISE_PHASE,
    TEXT_ADVISE_PHASE_START,
    TEXT_ADVISE_PHASE_STEADY,
    TEXT_ADVISE_PHASE_END,
    TEXT_ADVISE_PHASES,
    TEXT_ADVISE_WATCH_OUT,
    TEXT_ADVISE_FITS,
    TEXT_ADVISE_LOCKS,
    TEXT_ADVISE_LOCK_LINE,
    TEXT_ADVISE_LOCK_AT,
    TEXT_ADVISE_LOCK_HELD,
    TEXT_ADVISE_LOCK_HELD_WAITING,
    TEXT_ADVISE_LOCK_WORD,
    TEXT_SAY_A_SHORT,
    TEXT_SAY_A_UNKNOWN,
    TEXT_SAY_A_CPU,
    TEXT_SAY_A_MEMORY,
    TEXT_SAY_A_GIL,
    TEXT_SAY_A_LOCK,
    TEXT_SAY_A_TURNS,
    TEXT_SAY_A_WAIT,
    TEXT_SAY_A_WAIT_AT,
    TEXT_SAY_A_CHILD,
    TEXT_SAY_A_IDLE,
    TEXT_SAY_A_MIXED,
    TEXT_SAY_A_PHASES,
    TEXT_SAY_A_STOPPED,
    TEXT_FITS_CPU_THREADS,
    TEXT_FITS_CPU_TASKS,
    TEXT_FITS_CPU_PROCESSES,
    TEXT_FITS_CPU_MORE_PROCESSES,
    TEXT_FITS_GIL,
    TEXT_FITS_LOCK,
    TEXT_FITS_WAIT_TASKS,
    TEXT_FITS_WAIT_THREADS_DO,
    TEXT_FITS_WAIT_LOOP,
    TEXT_FITS_DISK_THREADS,
    TEXT_FITS_FULL,
    TEXT_FITS_ONE_CORE,
    TEXT_FITS_OVERLAP,
    TEXT_FITS_IDLE,
    TEXT_FITS_NOTHING,
    TEXT_MORE_A_AMDAHL,
    TEXT_MORE_A_AT_MOST,
    TEXT_MORE_A_FULL,
    TEXT_MORE_A_APART,
    TEXT_MORE_A_MEMORY,
    TEXT_MORE_A_WAIT,
    TEXT_MORE_A_WAIT_MANY,
    TEXT_MORE_A_MIXED,
    TEXT_OUT_SHARED,
    TEXT_OUT_PROCESSES,
    TEXT_OUT_TASKS,
    TEXT_OUT_LOCK,
    TEXT_OUT_HELD_WAITING,
    TEXT_OUT_SPINNING,
    TEXT_NOTE_A_BUSY,
    TEXT_NOTE_A_HIDDEN,
    TEXT_NOTE_A_LEFT,
    TEXT_NOTE_A_UNSEEN,
    TEXT_NOTE_A_FEW,
    TEXT_NOTE_A_MANY,
    TEXT_NOTE_A_DIFFERENT,
    TEXT_NOTE_A_NO_COUNTERS,
    TEXT_NOTE_A_NO_PERF,
    TEXT_NOTE_A_NO_HARDWARE,
    TEXT_NOTE_A_NO_SWITCHES,
    TEXT_NOTE_A_NO_COUNTS,
    TEXT_ADVISE_COUNTED,
    TEXT_ADVISE_COUNTED_CYCLES,
    TEXT_ADVISE_COUNTED_MISSES,
    TEXT_ADVISE_COUNTED_SWITCHES,
    TEXT_ADVISE_COUNTED_MIGRATIONS,
    TEXT_ADVISE_COUNTED_FAULTS,
    TEXT_ADVISE_PROCESS,
    TEXT_ADVISE_PROCESS_LINE,
    TEXT_ADVISE_TIMELINE,
    TEXT_ADVISE_EVIDENCE,
    TEXT_ADVISE_SHARES,
    TEXT_ADVISE_NOBODY,
    TEXT_ADVISE_SOMEBODY,
    TEXT_ADVISE_HOW_LONG,
    TEXT_ADVISE_LIVE,
    TEXT_ADVISE_WAITERS,
    TEXT_ADVISE_HOLDER,
    TEXT_COUNT
} urd__text_id;

const char *urd__text(urd__text_id id);

enum { ENGLISH, PORTUGUESE, LANGUAGES };
extern const char *const urd__texts_advise[TEXT_COUNT - TEXT_ADVISE_FIRST][LANGUAGES];

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

/* Cut a UTF-8 text to so many columns, the last of which then is "…". */
void urd__text_cut(char *text, int columns);

/* How many columns a UTF-8 text takes; its characters are all one column wide. */
int urd__text_width(const char *text);

#endif
