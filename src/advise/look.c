/*
 * look.c - one look at a thread, and when to take the next.
 *
 * SPDX-License-Identifier: MIT
 *
 * The kernel counts exactly, in schedstat, what a thread has run and stood ready, and how often it
 * came onto a core.  So the shares of these two need no sampling, and what is left of the time
 * since the last look is waiting.  Only what it waits for is sampled: by the system call it is in
 * now.  If it has not come onto a core since the last look, that is known already, and one read is
 * all it costs; a thread that stays in one wait is then looked at less and less often.
 *
 * The counters of a thread that is on a core are late by up to a clock tick, and those of one that
 * stands ready until it gets a core.  What they do not explain yet stays open until a later look
 * (thread->from).
 *
 * The watcher runs on the same cores as what it watches: after a tick that cost t of processor time
 * it pauses for COST times t at least.  What is done more seldom has a pause of its own.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "advise/advise.h"
#include "advise/call.h"
#include "advise/lock.h"
#include "advise/perf.h"
#include "advise/proc.h"
#include "advise/stack.h"
#include "advise/touch.h"
#include "compare/watch.h"
#include "urd.h"

enum {
    COST = 280,         /* pause after a tick, times its cost: 0.36 % of a core */
    COST_NAME = 400,    /* after the frames of a thread were read */
    COST_FINDING = 500, /* after looking for new threads */
    COST_STARTED = 200, /* after a look at what a thread has just started */
    COST_MEMORY = 2000, /* after the memory was measured */
    COUNTED_MAX = 8,    /* processes whose threads are counted in a tick */
    LOOKS_MAX = 64,     /* in a tick */
    PAUSE_TICKS = 8     /* between two looks at one that stays blocked, at most */
};

static const int64_t counter_late = 200 * URD_MS; /* so long may a ready thread go uncounted */
static const int64_t discover_every = 250 * URD_MS;
static const int64_t discovery_pause_most = 400 * URD_MS; /* else bursts of threads are missed */
static const int64_t close_after = URD_SECOND;            /* of the 2.56 s that the ring holds */
static const int64_t name_every = 10 * URD_MS;
static const int64_t memory_every = 200 * URD_MS;
static const int64_t large_memory = (int64_t)32 << 20, large_memory_after = 2 * URD_SECOND;
static const int64_t pause_most = 250 * URD_MS;

int64_t urd__look_cpu(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * URD_SECOND + t.tv_nsec;
}

static long read_file(const urd__thread *thread, int kept_fd, const char *name, char *out,
                      size_t size)
{
    if (kept_fd >= 0)
        return urd__proc_reread(kept_fd, out, size);
    char path[96];
    snprintf(path, sizeof path, "/proc/%d/task/%d/%s", thread->process->pid, thread->tid, name);
    return urd__proc_read(path, out, size);
}

/* ---- where it is ----------------------------------------------------------------------------- */

void urd__look_place(urd__thread *thread, urd__state state, int stack, const char *text, double ns)
{
    int least = 0;
    for (int i = 0; i < PLACES_MAX; i++) {
        urd__place *place = &thread->places[i];
        if (place->text[0] == '\0' ||
            (place->state == state && place->stack == stack && strcmp(place->text, text) == 0)) {
            place->state = state;
            place->stack = stack;
            snprintf(place->text, sizeof place->text, "%s", text);
            place->ns += ns;
            thread->place = i;
            return;
        }
        if (place->ns < thread->places[least].ns)
            least = i;
    }
    urd__place *place = &thread->places[least];
    *place = (urd__place){.state = state, .stack = stack, .ns = ns};
    snprintf(place->text, sizeof place->text, "%s", text);
    thread->place = least;
}

int urd__look_frames(urd__watched *w, urd__thread *thread, urd__python_frame *out, int max)
{
    if (!thread->process->python || urd_now() < w->next_name)
        return -1;
    int64_t begun = urd__look_cpu();
    int count = urd__python_frames(thread->process->python, thread->tid, out, max);
    int64_t cost = urd__look_cpu() - begun, rest = cost * COST_NAME;
    w->apart += cost;
    w->next_name = urd_now() + (rest > name_every ? rest : name_every);
    w->names++;
    return count;
}

/* The function of a Python program, which is the user's own and not of the library. */
static bool python_place(urd__watched *w, urd__thread *thread, char *out)
{
    urd__python_frame frames[8];
    int count = urd__look_frames(w, thread, frames, 8);
    if (count <= 0)
        return false;
    int user = 0;
    while (user < count - 1 && frames[user].library)
        user++;
    urd__lock_frame_text(&frames[user], out, PLACE_BYTES);
    return true;
}

static void keep_place(urd__watched *w, urd__thread *thread, urd__state state,
                       const urd__call *call, const char *text)
{
    int stack = urd__stack_keep(w, thread, call);
    thread->unsure = thread->unsure || stack < 0;
    urd__look_place(thread, state, stack < 0 ? 0 : stack, text, 0);
}

static void place_wait(urd__watched *w, urd__thread *thread, const urd__wait *wait,
                       const urd__call *call, const char *known)
{
    char text[PLACE_BYTES] = "";
    thread->place = -1;
    bool python = thread->process->language == LANGUAGE_PYTHON;
    thread->named = known[0] || !python;
    if (known[0])
        snprintf(text, sizeof text, "%s", known);
    else if (python && python_place(w, thread, text))
        thread->named = true;
    else if (wait->call)
        snprintf(text, sizeof text, "%s%s%s", wait->call, wait->object[0] ? " " : "", wait->object);
    if (text[0])
        keep_place(w, thread, wait->state, call, text);
}

/* A wait that lasts, and for which there was no time before. */
static void name_wait(urd__watched *w, urd__thread *thread)
{
    char text[PLACE_BYTES];
    if (!python_place(w, thread, text))
        return;
    thread->named = true;
    urd__look_place(thread, thread->state, 0, text, 0);
}

/* ---- what it does ---------------------------------------------------------------------------- */

/* A wait that ended by itself, at its deadline, was for time; one that was woken before was not. */
static void learn_from_deadline(urd__thread *thread, int64_t now, int64_t tick)
{
    if (thread->deadline == 0)
        return;
    if (now >= thread->deadline)
        thread->timeouts += now - thread->deadline < 4 * tick + 20 * URD_MS;
    else
        thread->wakes++;
    thread->deadline = 0;
}

static urd__state timed_state(const urd__thread *thread, const urd__wait *wait)
{
    bool by_timeouts = thread->timeouts >= thread->wakes;
    if (wait->deadline == 0 || thread->service)
        return wait->state;
    if (wait->state == STATE_WORK && by_timeouts && !wait->listening)
        return STATE_TIMER;
    if (wait->state == STATE_NET && by_timeouts && thread->timeouts >= 3)
        return STATE_TIMER;
    return wait->state;
}

/* The letter in stat: what can be read where the system call may not, or says nothing. */
static char letter_of(const urd__thread *thread)
{
    char text[512];
    urd__stat stat;
    bool good = read_file(thread, -1, "stat", text, sizeof text) > 0 && urd__proc_stat(text, &stat);
    return good ? stat.state : '?';
}

static urd__state state_of_letter(char letter, urd__state waits)
{
    switch (letter) {
    case 'R':
        return STATE_RUN;
    case 'D':
        return waits;
    case 'T':
    case 't':
        return STATE_STOPPED;
    case 'Z': /* it has ended, and its process has not */
    case 'X':
        return STATE_JOIN;
    default:
        return STATE_UNKNOWN;
    }
}

/* Its last thread has ended, and waits to be buried. */
static bool is_over(const urd__thread *thread, urd__state state)
{
    if (state != STATE_JOIN || thread->tid != thread->process->pid ||
        thread->process->threads_alive > 1)
        return false;
    char letter = letter_of(thread);
    return letter == 'Z' || letter == 'X';
}

static void find_started(urd__watched *w, const urd__thread *thread, bool children, int64_t now)
{
    if (now < w->started_allowed)
        return;
    int64_t begun = urd__look_cpu();
    urd__watched_started(w, thread, children, now);
    int64_t cost = urd__look_cpu() - begun;
    w->apart += cost;
    w->started_allowed = now + cost * COST_STARTED;
}

static urd__state look_at_wait(urd__watched *w, urd__thread *thread, const urd__call *call,
                               int64_t now)
{
    if (call->kind == CALL_SYSTEM && call->number == SYS_restart_syscall &&
        thread->last_blocked != STATES)
        return thread->last_blocked;
    urd__wait wait;
    char place[PLACE_BYTES] = "";
    urd__call_wait(thread->process, call, now, &wait);
    if (wait.futex)
        wait.state = urd__lock_look(w, thread, &wait, place);
    wait.state = timed_state(thread, &wait);
    thread->deadline = wait.deadline;
    if (wait.state == STATE_UNKNOWN || wait.state == STATE_FAULT)
        wait.state = state_of_letter(letter_of(thread), wait.state);
    thread->loop = thread->loop || wait.loop;
    thread->watching = wait.watching > thread->watching ? wait.watching : thread->watching;
    place_wait(w, thread, &wait, call, place);
    if (wait.state == STATE_JOIN || wait.futex)
        find_started(w, thread, !wait.futex, now);
    return wait.state;
}

static urd__state state_now(urd__watched *w, urd__thread *thread, int64_t now)
{
    char text[256];
    urd__call call;
    if (read_file(thread, thread->syscall_fd, "syscall", text, sizeof text) <= 0)
        text[0] = '\0';
    urd__proc_call(text, &call);
    switch (call.kind) {
    case CALL_HIDDEN:
        thread->process->hidden = thread->process->hidden || thread->process->ended == 0;
        return state_of_letter(letter_of(thread), STATE_DISK);
    case CALL_RUNNING:
        return STATE_RUN;
    default:
        return look_at_wait(w, thread, &call, now);
    }
}

/* ---- accounting ------------------------------------------------------------------------------ */

static void put_blocked(const urd__watched *w, urd__thread *thread, urd__state now, double ns,
                        double *in)
{
    urd__state before = thread->state;
    /* As a program ends, all it has wakes up and meets. */
    if (urd__blocked(before) && (w->ending || !urd__blocked(now))) {
        in[before] += ns;
    } else if (urd__blocked(before)) {
        in[before] += ns / 2;
        in[now] += ns / 2;
    } else if (urd__blocked(now)) {
        in[now] += ns;
    } else if (thread->last_blocked != STATES) {
        in[thread->last_blocked] += ns;
    } else {
        thread->unplaced += ns;
        return;
    }
    urd__state last = urd__blocked(now) ? now : before;
    if (thread->unplaced > 0 && urd__blocked(last)) { /* what was not seen before was likely this */
        thread->in[last] += thread->unplaced;
        thread->process->in[last] += thread->unplaced;
        thread->unplaced = 0;
    }
}

static void note_place(urd__lock_seen *note, const urd__place *place)
{
    note->stack = place->stack;
    memcpy(note->place, place->text, sizeof note->place);
}

static void note_lock_time(urd__watched *w, const urd__thread *thread, const double *in)
{
    for (int i = 0; i < w->lock_count; i++) {
        urd__lock_seen *note = &w->locks[i];
        if (note->pid != thread->process->pid || note->state != thread->state)
            continue;
        for (int j = 0; j < note->waiters; j++)
            if (note->waiter[j] == thread->tid) {
                note->ns += in[note->state];
                if (!note->place[0] && thread->place >= 0)
                    note_place(note, &thread->places[thread->place]);
                return;
            }
    }
}

/* Account for the time until `now`, in which the counters went on by `more`. */
static void account(urd__watched *w, urd__thread *thread, const urd__schedstat *more,
                    urd__state state, int64_t now)
{
    double in[STATES] = {0};
    int64_t ready = more->ready - thread->ready_ahead;
    thread->ready_ahead = ready < 0 ? -ready : 0;
    ready = ready > 0 ? ready : 0;
    int64_t span = now - thread->from, known = more->cpu + ready, open = span - known;
    int64_t until = now;
    in[STATE_RUN] = (double)more->cpu;
    in[STATE_READY] = (double)ready;
    if (state == STATE_RUN && open > 0 && open < counter_late) {
        until = now - open; /* stays open */
    } else if (state == STATE_RUN && open > 0 && more->slices == 0) {
        in[STATE_READY] += (double)open; /* it could run all the time and never did */
        thread->ready_ahead += open;
    } else if (open > 0) {
        put_blocked(w, thread, state, (double)open, in);
    }
    if (until > thread->from)
        urd__sum_add(w, thread, until, in);
    char text[PLACE_BYTES];
    if (state == STATE_RUN && thread->process->python && python_place(w, thread, text)) {
        urd__look_place(thread, STATE_RUN, 0, text, 1);
    } else if (thread->place >= 0 && thread->places[thread->place].state == state) {
        thread->places[thread->place].ns += in[state];
    }
    if (state == STATE_LOCK || state == STATE_GIL)
        note_lock_time(w, thread, in);
}

/* One that stays blocked is looked at less and less often; the less, the more threads there are. */
static void plan_next_look(urd__watched *w, urd__thread *thread, bool same, int live_index)
{
    int ticks = w->live_count / 8 > PAUSE_TICKS ? w->live_count / 8 : PAUSE_TICKS;
    int64_t most = ticks * w->interval;
    thread->pause = same && thread->pause > 0 ? thread->pause * 2 : w->interval;
    thread->pause = thread->pause < most ? thread->pause : most;
    w->live[live_index].next_look = urd_now() + thread->pause - w->interval / 2;
}

static void rename_thread(urd__thread *thread, int64_t now)
{
    if (now < thread->next_naming)
        return;
    bool first = thread->next_naming == 0;
    thread->next_naming = now + (first ? 50 * URD_MS : 2 * URD_SECOND);
    if (!first)
        urd__watched_name(thread);
}

void urd__look_at_thread(urd__watched *w, urd__thread *thread, int live_index)
{
    char text[96];
    urd__schedstat counted;
    w->looks++;
    if (read_file(thread, thread->schedstat_fd, "schedstat", text, sizeof text) <= 0 ||
        !urd__proc_schedstat(text, &counted)) {
        urd__watched_end_thread(w, live_index, urd_now());
        return;
    }
    int64_t now = urd_now();
    urd__schedstat more = {.cpu = counted.cpu - thread->cpu,
                           .ready = counted.ready - thread->ready,
                           .slices = counted.slices - thread->slices};
    bool same = more.slices == 0 && more.cpu == 0 && urd__blocked(thread->state) && !thread->unsure;
    urd__state state = thread->state;
    if (!same) {
        learn_from_deadline(thread, now, w->interval);
        bool was_unsure = thread->unsure && more.slices == 0;
        thread->unsure = false;
        state = state_now(w, thread, now);
        if (was_unsure && urd__blocked(state)) /* it was this all the time */
            thread->state = state;
        thread->blocked_since = now;
    } else if (!thread->named)
        name_wait(w, thread);
    if (!same && is_over(thread, state)) {
        account(w, thread, &more, thread->state, now);
        if (thread->tid == w->root)
            w->root_ended = now;
        urd__watched_end_thread(w, live_index, now);
        return;
    }
    account(w, thread, &more, state, now);
    thread->cpu = counted.cpu;
    thread->ready = counted.ready;
    thread->slices = counted.slices;
    thread->switches += more.slices;
    thread->state = state;
    if (urd__blocked(state))
        thread->last_blocked = state;
    plan_next_look(w, thread, same, live_index);
    rename_thread(thread, now);
}

/* ---- the tick -------------------------------------------------------------------------------- */

static void discover(urd__watched *w, int64_t now)
{
    bool changed = urd__watched_changed(w);
    if (now < w->discovery_allowed || (!changed && !w->rescan && now < w->next_discovery))
        return;
    int64_t begun = urd__look_cpu();
    urd__watched_discover(w, now);
    w->next_discovery = now + discover_every;
    int64_t rest = (urd__look_cpu() - begun) * COST_FINDING;
    w->discovery_allowed = now + (rest < discovery_pause_most ? rest : discovery_pause_most);
}

/* The proportional size is the true one, but takes milliseconds for a large program: while that is
 * young, and may soon be over, its resident size does. */
static int64_t memory_of(urd__process *process, int64_t now)
{
    char path[64], text[512];
    urd__stat stat;
    snprintf(path, sizeof path, "/proc/%d/stat", process->pid);
    int64_t resident = 0;
    if (urd__proc_read(path, text, sizeof text) > 0 && urd__proc_stat(text, &stat))
        resident = stat.resident_pages * sysconf(_SC_PAGESIZE);
    if (resident > large_memory && now - process->born < large_memory_after)
        return resident;
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", process->pid);
    return urd__pss_bytes(path);
}

static void measure_memory(urd__watched *w, int64_t now)
{
    if (now < w->next_memory)
        return;
    int64_t begun = urd__look_cpu(), sum = 0;
    for (int i = 0; i < w->process_count; i++) {
        urd__process *process = w->processes[i];
        if (process->ended)
            continue;
        int64_t bytes = memory_of(process, now);
        process->memory = bytes > process->memory ? bytes : process->memory;
        sum += bytes > 0 ? bytes : 0;
    }
    w->memory_peak = sum > w->memory_peak ? sum : w->memory_peak;
    int64_t rest = (urd__look_cpu() - begun) * COST_MEMORY;
    w->next_memory = now + (rest > memory_every ? rest : memory_every);
}

static void look_at_threads(urd__watched *w, int64_t now)
{
    int looked = 0, count = w->live_count;
    for (int passed = 0; passed < count && looked < LOOKS_MAX && w->live_count > 0; passed++) {
        if (w->cursor >= w->live_count)
            w->cursor = 0;
        const urd__live *live = &w->live[w->cursor];
        int before = w->live_count;
        if (live->next_look <= now) {
            urd__look_at_thread(w, w->threads[live->thread], w->cursor);
            looked++;
        }
        w->cursor += w->live_count == before; /* else another stands in its place */
    }
}

int64_t urd__look(urd__watched *w, int64_t now)
{
    int64_t begun = urd__look_cpu();
    discover(w, now);
    measure_memory(w, now);
    urd__touch_look(w, now);
    w->apart += urd__look_cpu() - begun;
    urd__perf_take(w, now);
    look_at_threads(w, now);
    urd__sum_close(w, now - close_after);
    for (int i = 0; i < w->process_count && i < COUNTED_MAX; i++)
        urd__watched_count(w->processes[i]);
    w->ticks++;
    /* With what it took to wake up and to come here, but without what pauses for itself. */
    int64_t used = urd__look_cpu(), cost = used - (w->cpu_last ? w->cpu_last : begun) - w->apart;
    w->apart = 0;
    int64_t rest = cost * COST;
    w->cpu_last = used;
    rest = rest < pause_most ? rest : pause_most;
    return urd_now() + (rest > w->interval ? rest : w->interval);
}

void urd__look_at_all(urd__watched *w)
{
    w->ending = true;
    urd__perf_take(w, INT64_MAX);
    for (int i = 0; i < w->live_count;) {
        int before = w->live_count;
        urd__look_at_thread(w, w->threads[w->live[i].thread], i);
        i += w->live_count == before;
    }
}

void urd__look_end(urd__watched *w, int64_t now)
{
    w->ended = now;
    urd__sum_close(w, now);
    urd__sum_close(w, INT64_MAX);
}
