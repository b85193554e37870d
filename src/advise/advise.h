/*
 * advise.h - what the parts of `urd advise` hand to each other.
 *
 * SPDX-License-Identifier: MIT
 *
 * advise.c reads the options and steers; start.c starts the program and waits for it; tree.c finds
 * its processes and threads; look.c looks at each thread by proc.c and says with call.c, fd.c and
 * lock.c what it does; sum.c adds that up over time; phase.c parts the time, judge.c judges, say.c
 * puts it into words; report.c, json.c and html.c tell.
 */
#ifndef URD_ADVISE_ADVISE_H
#define URD_ADVISE_ADVISE_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "ui/usage.h"

/* ---- what a thread does ---------------------------------------------------------------------- */

typedef enum urd__state {
    STATE_RUN,      /* on a core */
    STATE_READY,    /* could run, but has no core */
    STATE_LOCK,     /* waits for a lock that somebody holds */
    STATE_GIL,      /* the same, and the lock is the one of a CPython interpreter */
    STATE_DISK,     /* files and block devices */
    STATE_NET,      /* sockets */
    STATE_PIPE,     /* pipes, FIFOs, message queues */
    STATE_TIMER,    /* time */
    STATE_TERMINAL, /* keys, or a terminal that does not keep up */
    STATE_FAULT,    /* a page of memory */
    STATE_JOIN,     /* its own threads or children */
    STATE_WORK,     /* idle: a condition, an event, a client, a signal */
    STATE_STOPPED,  /* by a signal or a debugger */
    STATE_UNKNOWN,  /* it waits, and it cannot be seen for what */
    STATES
} urd__state;

static inline bool urd__blocked(urd__state state)
{
    return state > STATE_READY;
}

/* What was seen in a stretch of time; of a tree, a process or a thread. */
typedef struct urd__sum {
    double span;         /* ns of the stretch */
    double in[STATES];   /* ns of all threads */
    double active;       /* ns in which at least one thread ran or was ready */
    double ran;          /* of these, what is left without the time others had the cores */
    double alone;        /* of these, ns in which it was exactly one */
    double wait[STATES]; /* the rest of the span, by what the whole waited for */
} urd__sum;

/* ---- processes and threads ------------------------------------------------------------------- */

enum {
    NAME_BYTES = 16,
    PLACE_BYTES = 112,
    PLACES_MAX = 6,       /* kept a thread */
    LINES_MAX = 256,      /* windows of a timeline */
    LINED_MAX = 192,      /* threads that have one */
    FDS_MAX = 32,         /* remembered a process */
    THREADS_MAX = 1 << 16 /* beyond, new ones are only counted */
};

typedef enum urd__language {
    LANGUAGE_NATIVE,
    LANGUAGE_PYTHON,
    LANGUAGE_JAVA,
    LANGUAGE_GO,
    LANGUAGE_NODE,
    LANGUAGE_RUBY,
    LANGUAGE_SHELL
} urd__language;

typedef enum urd__fd_kind {
    FD_OTHER,
    FD_FILE,
    FD_PIPE,
    FD_PIPE_OWN, /* both ends are in the process: it wakes itself */
    FD_SOCKET,   /* connected, or soon to be; inet */
    FD_LOCAL,    /* the same; unix */
    FD_LISTENING,
    FD_TERMINAL,
    FD_NULL, /* a device that does not block */
    FD_EVENT,
    FD_TIMER,
    FD_EPOLL,
    FD_CHILD /* a pidfd */
} urd__fd_kind;

typedef struct urd__fd {
    int fd;
    urd__fd_kind kind;
    int64_t until; /* when to look again */
    char name[48]; /* of the file, for people */
} urd__fd;

typedef struct urd__place {
    urd__state state;
    double ns;
    int stack;              /* number of what was kept of it; 0: nothing */
    char text[PLACE_BYTES]; /* function, line, file; "" for none */
} urd__place;

struct urd__python;
struct urd__slot;
struct urd__code; /* where its files lie in its memory */

typedef struct urd__process {
    pid_t pid, parent;
    char name[NAME_BYTES];
    char program[64]; /* its file, without folders */
    urd__language language;
    int64_t born, ended; /* times; ended 0: alive */
    int threads_alive, threads_seen;
    DIR *tasks;
    unsigned long links_most;  /* of these; two more than threads */
    unsigned long tasks_links; /* of the folder, which change as threads come and go */
    int64_t next_scan, next_description;
    bool hidden;              /* what it waits for may not be read */
    int64_t memory, resident; /* peaks: PSS and RSS, bytes */
    double touched_rate;      /* bytes a second of other memory than before; -1: not known */
    int64_t touch_begun;      /* a time; 0: not now */
    int64_t touch_cpu;        /* that it had used by then */
    int touch_tries;
    int64_t next_touch;
    struct urd__python *python; /* owned; NULL: none */
    int python_tries;
    struct urd__code *code; /* owned; NULL: not asked for yet */
    urd__fd fds[FDS_MAX];
    double in[STATES];
    urd__sum sum;
    struct urd__slot *slots; /* owned; NULL: one thread so far, or too many such processes */
    int64_t slotted_from;    /* a time */
} urd__process;

/* A thread, and what the last look at it found. */
typedef struct urd__thread {
    pid_t tid;
    urd__process *process;
    char name[NAME_BYTES];
    bool service; /* of a language's runtime: not the program's own work */
    int64_t born, ended;
    int schedstat_fd, syscall_fd; /* -1: opened for each look */
    int64_t cpu, ready, slices;   /* as the kernel counts, ns */
    int64_t ready_ahead;          /* already accounted for, before the kernel did */
    int64_t from;                 /* until here all is accounted for */
    int64_t pause, next_naming;
    urd__state state, last_blocked;
    double unplaced; /* ns of waiting before it was seen for what */
    int64_t blocked_since;
    int64_t deadline;    /* of the wait it is in; 0: none */
    bool loop;           /* it waits in an event loop */
    int watching;        /* most things that its event loop waited for */
    int timeouts, wakes; /* waits with a deadline that ended by it, and before it */
    int64_t switches;
    uint64_t framed_futex; /* whose Python frames were read last, and what they said */
    urd__state framed_state;
    bool unsure; /* there was no time to read them, or its stack: to be asked again */
    bool named;  /* this wait has been, or needs not be */
    int place;   /* index, or -1 */
    urd__place places[PLACES_MAX];
    double in[STATES];
    double *line; /* [LINES_MAX][STATES] ns, owned; NULL: has none */
} urd__thread;

/* ---- locks ----------------------------------------------------------------------------------- */

enum { LOCKS_MAX = 256, WAITERS_MAX = 8, HOLDERS_MAX = 4 };

typedef struct urd__lock_seen {
    pid_t pid;
    uint64_t address;
    urd__state state; /* LOCK or GIL */
    int looks;        /* at threads that waited for it */
    int waiters;      /* different ones, up to WAITERS_MAX */
    pid_t waiter[WAITERS_MAX];
    struct {
        pid_t tid;
        int looks;
        int waiting[STATES]; /* looks by what the holder itself did */
    } holder[HOLDERS_MAX];
    double ns; /* of all waiters */
    int stack; /* of a place, as there */
    char place[PLACE_BYTES];
} urd__lock_seen;

/* ---- the watch ------------------------------------------------------------------------------- */

/* What the processor and the kernel count, with --deep. */
typedef enum urd__counter {
    COUNTER_INSTRUCTIONS,
    COUNTER_CYCLES,
    COUNTER_MISSES, /* of the last cache */
    COUNTER_SWITCHES,
    COUNTER_MIGRATIONS, /* from core to core */
    COUNTER_FAULTS,     /* of pages */
    COUNTERS
} urd__counter;

enum { SLOTTED_MAX = 64 }; /* processes of several threads that have slots of their own */
enum { SLOTS = 256, WINDOWS_MAX = 512, PHASES_MAX = 4 };

typedef struct urd__slot {
    int64_t index; /* which stretch of time this is; -1: none */
    double in[STATES];
    double outside[STATES]; /* of threads that count for what the whole waits for */
} urd__slot;

typedef struct urd__map urd__map; /* of thread numbers to threads */
typedef struct urd__stacks urd__stacks;
typedef struct urd__perf urd__perf;

/* Of a thread that is alive: what must be read often, close together. */
typedef struct urd__live {
    int64_t next_look;
    int thread; /* index */
} urd__live;

typedef struct urd__watched {
    pid_t root; /* 0: none yet */
    bool ours;  /* we started it */
    int64_t begun, ended;
    urd__process **processes;
    int process_count, process_room;
    urd__thread **threads;
    int thread_count, thread_room;
    urd__live *live;
    int live_count, live_room, cursor;
    int threads_most, processes_most; /* alive at once */
    int lines_given;
    urd__map *map;
    urd__stacks *stacks;           /* NULL: none kept yet */
    urd__perf *perf;               /* NULL: none now */
    int perf_refused;              /* errno: why it is not told where threads run; 0: it is */
    bool deep;                     /* counters were asked for */
    struct urd__counts *counts;    /* NULL: none now */
    double counted[COUNTERS];      /* -1: not */
    int counter_refused[COUNTERS]; /* errno; EMFILE: too many threads; 0: it was counted */
    int64_t root_ended;            /* when it was first seen to have; 0: not yet */
    bool rescan;                   /* a thread has ended: see what has become of its process */
    bool ending;
    int64_t last_pid, next_discovery, discovery_allowed, started_allowed;
    int loadavg_fd;
    urd__lock_seen locks[LOCKS_MAX];
    int lock_count;
    /* time */
    urd__slot slots[SLOTS];
    int slotted;                 /* processes that have slots */
    int64_t slot_ns, slots_done; /* index of the first that is not yet closed */
    urd__sum windows[WINDOWS_MAX];
    int window_count, window_fold; /* slots that make up a window; 1, 2, 4 ... */
    int window_filled;             /* slots in the last one */
    int64_t line_ns;               /* a window of a timeline */
    /* cost */
    int64_t looks, ticks;
    int64_t own_cpu_begun, own_cpu;
    int64_t cpu_last; /* own, as the last tick ended */
    int64_t apart;    /* own CPU since then of what pauses for itself */
    int64_t interval, pause_most;
    int64_t next_name, names; /* of places: they cost more than a look */
    int64_t memory_peak, next_memory;
    int64_t machine_begun, machine; /* CPU of the whole machine, ns; -1: not known */
    int64_t tree_cpu;               /* as the kernel counted at the end; -1: not known */
    int64_t cache_bytes;            /* of the last level of the processor's cache */
} urd__watched;

/* ---- parts ----------------------------------------------------------------------------------- */

/* tree.c */
void urd__watched_open(urd__watched *w);
void urd__watched_discover(urd__watched *w, int64_t now);
bool urd__watched_changed(urd__watched *w); /* has anything been started on this machine? */
void urd__watched_end_thread(urd__watched *w, int live_index, int64_t now);
urd__process *urd__watched_process(const urd__watched *w, pid_t pid);
void urd__watched_free(urd__watched *w);
unsigned long urd__watched_count(urd__process *process); /* two more than its threads */
void urd__watched_name(urd__thread *thread);             /* names change after a thread has begun */
/* It waits for its threads, or its children: are there new ones? */
void urd__watched_started(urd__watched *w, const urd__thread *thread, bool children, int64_t now);
void urd__watched_add_root(urd__watched *w, pid_t pid, int64_t now);
bool urd__watched_alive(const urd__watched *w);
urd__thread *urd__watched_thread(const urd__watched *w, pid_t tid);

/* map.c */
urd__map *urd__map_new(void);
void urd__map_free(urd__map *map);
int urd__map_get(const urd__map *map, int key); /* -1: none */
bool urd__map_put(urd__map *map, int key, int value);
void urd__map_remove(urd__map *map, int key);

/* look.c */
struct urd__python_frame;
/* A Python thread's innermost frames, unless that would cost too much now: then -1. */
int urd__look_frames(urd__watched *w, urd__thread *thread, struct urd__python_frame *out, int max);
/* A thread was at a place for so long. */
void urd__look_place(urd__thread *thread, urd__state state, int stack, const char *text, double ns);
void urd__look_at_thread(urd__watched *w, urd__thread *thread, int live_index);
/* CPU time of the calling thread, ns. */
int64_t urd__look_cpu(void);
/* Look where it is time to; returns when to come back. */
int64_t urd__look(urd__watched *w, int64_t now);
void urd__look_at_all(urd__watched *w);
void urd__look_end(urd__watched *w, int64_t now); /* nothing is looked at after this */

/* sum.c */
void urd__sum_begin(urd__watched *w, int64_t now);
void urd__sum_add(urd__watched *w, urd__thread *thread, int64_t to, const double *in);
/* It has a second thread from now on. */
void urd__sum_slot_process(urd__watched *w, urd__process *process, int64_t now);
void urd__sum_close(urd__watched *w, int64_t until); /* no more is added for times before */
void urd__sum_merge(urd__sum *to, const urd__sum *from);
void urd__sum_whole(const urd__watched *w, urd__sum *out);
void urd__sum_unseen(urd__watched *w);     /* when all is over */
double urd__sum_outside(const double *in); /* of it, what was waited for outside the program */
/* What a stretch of threads' time means for the whole. */
void urd__sum_of(urd__sum *out, double span, const double *in, const double *outside);

/* phase.c: where the windows change their nature; ends[n - 1] is count. */
int urd__phases(const urd__sum *windows, int count, int *ends);

/* ---- the verdict ----------------------------------------------------------------------------- */

typedef enum urd__nature {
    NATURE_UNKNOWN,
    NATURE_SHORT,
    NATURE_CPU,
    NATURE_MEMORY,
    NATURE_LOCK,
    NATURE_GIL,
    NATURE_TURNS, /* threads take turns: what they wait for is each other */
    NATURE_DISK,
    NATURE_NET,
    NATURE_PIPE,
    NATURE_TIMER,
    NATURE_CHILD,
    NATURE_TERMINAL,
    NATURE_FAULT,
    NATURE_IDLE,
    NATURE_MIXED,
    NATURE_PHASES,
    NATURE_STOPPED,
    NATURES
} urd__nature;

typedef enum urd__fit { FIT_NONE, FIT_TASKS, FIT_THREADS, FIT_PROCESSES, FIT_AS_IT_IS } urd__fit;

/* What is known when a stretch of time is judged. */
typedef struct urd__facts {
    urd__sum sum;
    double cores;
    int processes, threads; /* most alive at once, without those of a runtime */
    int computing;          /* threads that have a fair part of the CPU */
    double largest;         /* part of the CPU that the busiest thread has */
    urd__language language; /* of what uses or waits most */
    bool loop;              /* waits in an event loop that watches more than one thing */
    bool hidden;
    double touched_rate; /* bytes a second; -1: not known */
    double cache_bytes;
    double instructions, misses; /* a cycle, and a thousand instructions; 0: not counted */
    double switches_rate;        /* a second, of the threads that compute */
    double parallel; /* that run at once, as it would be if others did not want the cores */
    double turns;    /* part of their lives in which these wait for each other */
} urd__facts;

typedef struct urd__opinion {
    urd__nature nature;
    urd__fit fit;
    double active;       /* share of the time in which something ran or could have */
    double cores_wanted; /* while active */
    double lock_share;   /* of what wanted to run, how much stood in line for locks */
    double alone;        /* of the active time, share with one thread only */
    urd__state top;      /* what the whole waits for most; STATES: for nothing */
    double top_share;    /* of the waiting */
    double waiting;      /* threads that wait for the outside at once, on average */
    bool overlaps;       /* the waits already overlap */
    bool full;           /* all cores are used */
    double speedup_here, speedup_more;
    int more_cores;
} urd__opinion;

urd__opinion urd__judge(const urd__facts *facts);

typedef struct urd__phase_seen {
    int64_t from, to; /* ns since the watch began */
    urd__sum sum;
    urd__opinion opinion;
} urd__phase_seen;

enum { SAY_BYTES = 900, SAYS_MAX = 6 };

typedef struct urd__advice {
    const urd__watched *watched;
    char command[256];
    int cores;
    urd__facts facts;
    urd__opinion opinion;
    int phase_count, main_phase; /* the longest, without the start; -1: none */
    urd__phase_seen phases[PHASES_MAX];
    int64_t threads_missed;   /* by the watch */
    int64_t threads_unlooked; /* found, and never looked at */
    double other_cores;
    double overhead; /* share of one core */
    char because[SAY_BYTES], fits[SAY_BYTES], expect[SAY_BYTES];
    int watch_count, note_count;
    char watch_out[SAYS_MAX][SAY_BYTES], notes[SAYS_MAX][SAY_BYTES];
    /* how it ended */
    int status; /* as wait(2) has it */
    bool left_running;
    pid_t left_pid;
    char left_name[64];
    bool time_up;
} urd__advice;

urd__opinion urd__advice_of_process(const urd__watched *w, const urd__process *process);
urd__opinion urd__advice_of_thread(const urd__watched *w, const urd__thread *thread);
void urd__advice_make(urd__advice *advice); /* facts.c: from what was watched */
void urd__advice_say(urd__advice *advice);  /* say.c */

const char *urd__state_name(urd__state state);    /* in the user's language */
const char *urd__state_word(urd__state state);    /* as in JSON */
const char *urd__nature_name(urd__nature nature); /* in the user's language */
const char *urd__nature_word(urd__nature nature);
const char *urd__fit_name(urd__fit fit);
const char *urd__fit_word(urd__fit fit);
const char *urd__language_word(urd__language language);

void urd__advice_print(const urd__advice *advice, FILE *out, bool colours);
/* How long, how many, at what cost. */
void urd__advice_watched(const urd__advice *advice, char *out, size_t size);
char *urd__advice_json(const urd__advice *advice, bool for_page);
char *urd__advice_html(const urd__advice *advice);

int urd__advise_main(int argc, char **argv);
void urd__advise_help(FILE *out);

#endif
