/*
 * start.c - the watch itself: three jobs of the runtime, and the signals.
 *
 * SPDX-License-Identifier: MIT
 *
 * A thread waits in the kernel for the end of the program, or for a signal, and sets an event.  A
 * task looks at the program whenever it is time to, and waits for that event in between.  Another
 * draws the live view, where that is asked for.  Both tasks run on one worker: they need no lock.
 *
 * The program keeps the terminal, its process group and its files: nothing of what it does is
 * touched.  A signal that came from the terminal has reached it already; one that was sent to this
 * process alone is passed on.
 */
#include "advise/start.h"

#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "advise/count.h"
#include "advise/perf.h"
#include "advise/touch.h"
#include "base/atomic.h"
#include "compare/watch.h"
#include "urd.h"

enum { INTERRUPTS_MAX = 3, STACK_BYTES = 1 << 20 };

static const int64_t interval_default = 8 * URD_MS;
static const int64_t draw_every = 250 * URD_MS;
static const int64_t patience = 2 * URD_SECOND; /* after SIGTERM */

static const int handled[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};

/* Written by handlers. */
static struct {
    int program;    /* atomic: to pass signals on to; 0: none */
    int last;       /* atomic: the signal */
    int interrupts; /* atomic */
    int wake_fd;    /* set once before the handlers are installed */
} the;

struct watch {
    urd__watched *w;
    const urd__advise_options *options;
    urd__advise_end *end;
    int pidfd;
    urd_event ended;   /* the program, or the watch by a signal */
    urd_event watched; /* for the live view */
};

extern char **environ;

static void on_signal(int sig, siginfo_t *info, void *context)
{
    (void)context;
    int program = urd__load_rlx(&the.program); /* rlx: one word, nothing behind it */
    urd__store_rlx(&the.last, sig);            /* rlx: the same */
    if (sig == SIGINT)
        urd__store_rlx(&the.interrupts, urd__load_rlx(&the.interrupts) + 1); /* rlx: the same */
    if (program > 0 && info->si_code != SI_KERNEL)
        kill(program, sig);
    bool ends = sig != SIGUSR1 && sig != SIGUSR2;
    bool enough = urd__load_rlx(&the.interrupts) >= INTERRUPTS_MAX; /* rlx: the same */
    uint64_t one = 1;
    if (ends && (program == 0 || enough) && write(the.wake_fd, &one, sizeof one) < 0)
        return; /* the counter is full: it wakes all the same */
}

static void handle_signals(const struct watch *watch)
{
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};
    for (size_t i = 0; i < sizeof handled / sizeof *handled; i++) {
        struct sigaction old;
        sigaction(handled[i], NULL, &old);
        bool ignored = old.sa_handler == SIG_IGN; /* as nohup does it: stays so */
        bool wanted = watch->options->command || (handled[i] != SIGUSR1 && handled[i] != SIGUSR2);
        if (!ignored && wanted)
            sigaction(handled[i], &action, NULL);
    }
}

/* ---- the program ----------------------------------------------------------------------------- */

/* With the signals held back, so that each finds the program; it gets the mask that we had. */
static int start_program(struct watch *watch)
{
    sigset_t held, mask;
    sigemptyset(&held);
    for (size_t i = 0; i < sizeof handled / sizeof *handled; i++)
        sigaddset(&held, handled[i]);
    sigprocmask(SIG_BLOCK, &held, &mask);
    posix_spawnattr_t attr;
    posix_spawnattr_init(&attr);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setsigmask(&attr, &mask);
    pid_t pid = 0;
    char **command = watch->options->command;
    int failed = posix_spawnp(&pid, command[0], NULL, &attr, command, environ);
    posix_spawnattr_destroy(&attr);
    urd__store_rlx(&the.program, pid); /* rlx: one word, nothing behind it */
    watch->w->root = pid;
    handle_signals(watch);
    sigprocmask(SIG_SETMASK, &mask, NULL);
    return failed;
}

/* A job on a thread: until the program has ended, or the watch. */
static int wait_for_end(void *arg)
{
    struct watch *watch = *(struct watch **)arg;
    struct pollfd ends[] = {{.fd = watch->pidfd, .events = POLLIN},
                            {.fd = the.wake_fd, .events = POLLIN}};
    while (poll(ends, 2, -1) < 0)
        ;
    urd_event_set(&watch->ended);
    return 0;
}

/* Until the event, or the time.  Was it the event? */
static bool wait_until(urd_event *event, urd_time when)
{
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_deadline(&s, when);
    int rc = urd_event_wait(event);
    int joined = urd_scope_join(&s);
    return rc == 0 && joined == 0;
}

static int draw_live(void *arg)
{
    struct watch *watch = arg;
    while (!wait_until(&watch->watched, urd_now() + draw_every))
        urd__live_draw(watch->w, urd_now());
    urd__live_clear();
    return 0;
}

/* ---- the watch ------------------------------------------------------------------------------- */

static int64_t deadline_of(const struct watch *watch)
{
    double seconds = watch->options->seconds;
    return seconds > 0 ? watch->w->begun + (int64_t)(seconds * (double)URD_SECOND) : INT64_MAX;
}

static void look_until_the_end(struct watch *watch)
{
    int64_t deadline = deadline_of(watch), next = urd_now();
    while (!wait_until(&watch->ended, next < deadline ? next : deadline)) {
        int64_t now = urd_now();
        if (now >= deadline) {
            watch->end->time_up = true;
            return;
        }
        next = urd__look(watch->w, now);
    }
}

/* The command has ended, and left something behind: watch that on, for as long as was asked for. */
static void look_at_the_left(struct watch *watch)
{
    int64_t deadline = deadline_of(watch);
    while (urd__watched_alive(watch->w) && urd_now() < deadline) {
        int64_t next = urd__look(watch->w, urd_now());
        if (urd_sleep_until(next < deadline ? next : deadline) < 0)
            return;
    }
    watch->end->time_up = urd_now() >= deadline;
}

static void take_end(struct watch *watch)
{
    if (!watch->end->ended)
        watch->end->ended = wait4(watch->w->root, &watch->end->status, WNOHANG,
                                  &watch->end->usage) == watch->w->root;
}

/* What was started is ended when the time is up. */
static void end_program(struct watch *watch)
{
    urd__watched *w = watch->w;
    int64_t until = urd_now() + patience;
    for (int sig = SIGTERM;; sig = SIGKILL) {
        for (int i = 0; i < w->process_count; i++)
            if (w->processes[i]->ended == 0)
                kill(w->processes[i]->pid, sig);
        while (urd_now() < until) {
            take_end(watch);
            if (watch->end->ended)
                return;
            if (urd_sleep(5 * URD_MS) < 0)
                return;
        }
        until = urd_now() + patience;
        if (sig == SIGKILL)
            return;
    }
}

static int64_t cpu_of(int who)
{
    struct rusage r;
    getrusage(who, &r);
    return (r.ru_utime.tv_sec + r.ru_stime.tv_sec) * URD_SECOND +
           (r.ru_utime.tv_usec + r.ru_stime.tv_usec) * URD_US;
}

/* While it is not yet buried, what the program's main thread used can still be read. */
static void watch_to_the_end(struct watch *watch)
{
    urd__watched *w = watch->w;
    look_until_the_end(watch);
    urd__look_at_all(w);
    take_end(watch);
    if (watch->end->ended) {
        w->rescan = true;
        urd__watched_discover(w, urd_now());
        if (watch->options->seconds > 0 && !watch->end->time_up) {
            look_at_the_left(watch);
            urd__look_at_all(w);
        }
    }
    urd__look_end(w, w->root_ended && w->live_count == 0 ? w->root_ended : urd_now());
    urd__perf_end(w);
    urd__count_end(w);
}

/* The command may not want to end: a third interrupt leaves it alone. */
static int wait_for_command(struct watch *watch)
{
    while (watch->w->ours && !watch->end->ended &&
           urd__load_rlx(&the.interrupts) < INTERRUPTS_MAX) { /* rlx: one word */
        take_end(watch);
        int rc = watch->end->ended ? 0 : urd_sleep(2 * URD_MS);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int watch_program(void *arg)
{
    struct watch *watch = arg, **on_thread = &watch;
    urd__watched *w = watch->w;
    urd__watched_add_root(w, w->root, urd_now());
    urd__perf_begin(w);
    urd__count_begin(w);
    urd_scope s;
    urd_scope_open(&s);
    int rc = urd_spawn(&s, URD_THREAD, wait_for_end, on_thread, sizeof(void *));
    if (watch->options->live)
        urd_go(&s, draw_live, watch);
    watch_to_the_end(watch);
    urd_event_set(&watch->watched);
    uint64_t one = 1;
    if (write(the.wake_fd, &one, sizeof one) < 0)
        urd_scope_cancel(&s, 0);
    int joined = urd_scope_join(&s);
    if (w->ours && watch->end->time_up)
        end_program(watch);
    int waited = wait_for_command(watch);
    return rc < 0 ? rc : joined < 0 ? joined : waited;
}

static void begin(struct watch *watch)
{
    urd__watched *w = watch->w;
    double ms = watch->options->interval_ms;
    w->ours = watch->options->command != NULL;
    w->deep = watch->options->deep;
    w->root = watch->options->pid;
    w->cache_bytes = urd__touch_cache_bytes();
    w->interval = ms > 0 ? (int64_t)(ms * (double)URD_MS) : interval_default;
    urd__watched_open(w);
    w->machine_begun = urd__watch_machine();
    w->own_cpu_begun = cpu_of(RUSAGE_SELF);
    the.wake_fd = eventfd(0, EFD_CLOEXEC);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    urd__sum_begin(w, urd_now());
}

int urd__advise_watch(urd__watched *w, const urd__advise_options *options, urd__advise_end *out)
{
    *out = (urd__advise_end){0};
    struct watch watch = {.w = w, .options = options, .end = out, .pidfd = -1};
    begin(&watch);
    int rc = 0;
    if (options->command)
        out->failed = start_program(&watch);
    else
        handle_signals(&watch);
    if (!out->failed) {
        watch.pidfd = pidfd_open(w->root, 0);
        urd_config config = {.workers = 1,
                             .stack_bytes = STACK_BYTES,
                             .name = "urd advise",
                             .processes = URD_PROCESSES_NONE};
        rc = urd_run(&config, watch_program, &watch);
    }
    w->own_cpu = cpu_of(RUSAGE_SELF) - w->own_cpu_begun;
    w->machine = urd__watch_machine();
    w->tree_cpu = w->ours && out->ended ? cpu_of(RUSAGE_CHILDREN) : -1;
    out->signal = urd__load_rlx(&the.last); /* rlx: one word, nothing behind it */
    close(the.wake_fd);
    if (watch.pidfd >= 0)
        close(watch.pidfd);
    return rc;
}
