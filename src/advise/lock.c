/*
 * lock.c - lock, or idle?  A futex does not say, but what it is part of does.
 *
 * SPDX-License-Identifier: MIT
 *
 *   in CPython's runtime           the GIL, whose holder the runtime names
 *   the word is a thread's number  and not private to the process: pthread_join of that thread
 *   the word is 2                  a mutex that is held and waited for, as glibc, Rust and Go mark
 *                                  it; glibc's has the holder's number two words on
 *   a Python frame                 of threading.Condition.wait or a pool's worker: idle; any other
 *                                  that waits on a semaphore takes a lock
 *   anything else                  a condition, an event, a queue: idle, unless the threads turn
 *                                  out to take turns (judge.c)
 */
#include "advise/lock.h"

#include <stdio.h>
#include <string.h>

#include "advise/proc.h"

enum { MUTEX_HELD_AND_WAITED_FOR = 2, OWNER_OFFSET = 8, PID_LIMIT = 1 << 22, FRAMES_LOOKED_AT = 8 };

urd__lock_seen *urd__lock_note(urd__watched *w, pid_t pid, uint64_t address)
{
    for (int i = 0; i < w->lock_count; i++)
        if (w->locks[i].address == address && w->locks[i].pid == pid)
            return &w->locks[i];
    return NULL;
}

static void note_holder(urd__watched *w, urd__lock_seen *note, pid_t holder)
{
    const urd__thread *thread = urd__watched_thread(w, holder);
    for (int i = 0; thread && i < HOLDERS_MAX; i++) {
        if (note->holder[i].tid != 0 && note->holder[i].tid != holder)
            continue;
        note->holder[i].tid = holder;
        note->holder[i].looks++;
        note->holder[i].waiting[thread->state]++;
        return;
    }
}

static void note_lock(urd__watched *w, const urd__thread *thread, uint64_t address,
                      urd__state state, pid_t holder)
{
    /* The GIL has several words; they are one lock. */
    if (state == STATE_GIL)
        address = 0;
    urd__lock_seen *note = urd__lock_note(w, thread->process->pid, address);
    if (!note) {
        if (w->lock_count == LOCKS_MAX)
            return;
        note = &w->locks[w->lock_count++];
        *note = (urd__lock_seen){.pid = thread->process->pid, .address = address, .state = state};
    }
    note->looks++;
    int i = 0;
    while (i < note->waiters && note->waiter[i] != thread->tid)
        i++;
    if (i == note->waiters && i < WAITERS_MAX)
        note->waiter[note->waiters++] = thread->tid;
    if (holder > 0)
        note_holder(w, note, holder);
}

void urd__lock_frame_text(const urd__python_frame *frame, char *out, size_t size)
{
    if (frame->line > 0)
        snprintf(out, size, "%.47s (%.47s:%d)", frame->function, frame->file, frame->line);
    else
        snprintf(out, size, "%.47s (%.47s)", frame->function, frame->file);
}

/* The start of a line of the source, where that can be read. */
static bool read_line(pid_t pid, const urd__python_frame *frame, char *out, int size)
{
    char path[320];
    bool absolute = frame->path[0] == '/';
    snprintf(path, sizeof path, "/proc/%d/%s/%s", pid, absolute ? "root" : "cwd", frame->path);
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    int line = 1, c;
    while (line < frame->line && (c = getc(file)) != EOF)
        line += c == '\n';
    bool found = line == frame->line && fgets(out, size, file);
    fclose(file);
    return found;
}

/* queue.SimpleQueue is written in C and has no frame of its own: a thread that waits in its get
 * looks like one that waits for a lock, but for the word in its line. */
static bool gets_from_a_queue(pid_t pid, const urd__python_frame *frame)
{
    char line[200];
    return !frame->library && frame->line > 0 && read_line(pid, frame, line, sizeof line) &&
           strstr(line, ".get(") && !strstr(line, ".acquire(");
}

/* A Python thread on a semaphore: by the frames of the functions that wait for work.  To read them
 * costs more than a look, so on the same futex it is what it was; where there was no time for it
 * yet, it is asked again with the next look. */
static urd__state by_frames(urd__watched *w, urd__thread *thread, uint64_t futex, char *place)
{
    static const struct {
        const char *file, *function;
        urd__state state;
    } known[] = {{"threading.py", "wait", STATE_WORK},
                 {"threading.py", "_wait_for_tstate_lock", STATE_JOIN},
                 {"threading.py", "join", STATE_JOIN},
                 {"threading.py", "_shutdown", STATE_JOIN},
                 {"thread.py", "_worker", STATE_WORK},
                 {"queue.py", "get", STATE_WORK},
                 {"queues.py", "get", STATE_WORK},
                 {"pool.py", "worker", STATE_WORK},
                 {"pool.py", "_handle_tasks", STATE_WORK}};
    urd__python_frame frames[FRAMES_LOOKED_AT];
    int count = urd__look_frames(w, thread, frames, FRAMES_LOOKED_AT);
    if (count <= 0) {
        if (thread->framed_futex == futex)
            return thread->framed_state;
        /* Others were seen to take a lock there. */
        const urd__lock_seen *note = urd__lock_note(w, thread->process->pid, futex);
        thread->unsure = count < 0 && !note;
        return note ? note->state : STATE_WORK;
    }
    thread->framed_futex = futex;
    thread->framed_state = STATE_LOCK;
    int user = 0;
    while (user < count - 1 && frames[user].library)
        user++;
    urd__lock_frame_text(&frames[user], place, PLACE_BYTES);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(frames[0].file, known[i].file) == 0 &&
            strcmp(frames[0].function, known[i].function) == 0)
            thread->framed_state = known[i].state;
    if (thread->framed_state == STATE_LOCK && gets_from_a_queue(thread->process->pid, &frames[0]))
        thread->framed_state = STATE_WORK;
    return thread->framed_state;
}

/* In a container a thread's number may be 2 as well, or not the one that is known here.  But what
 * follows a thread's number in the C library's record of it is no owner of a mutex: a pointer. */
static bool is_join(urd__watched *w, const urd__process *process, const urd__wait *wait)
{
    const urd__thread *named =
        wait->expected ? urd__watched_thread(w, (pid_t)wait->expected) : NULL;
    if (named && named->process == process)
        return true;
    uint32_t words[3] = {0};
    return wait->expected == MUTEX_HELD_AND_WAITED_FOR &&
           urd__proc_peek(process->pid, wait->futex, words, sizeof words) &&
           words[OWNER_OFFSET / sizeof words[0]] >= PID_LIMIT;
}

urd__state urd__lock_look(urd__watched *w, urd__thread *thread, const urd__wait *wait, char *place)
{
    urd__process *process = thread->process;
    uint32_t words[3] = {0};
    if (urd__python_is_gil(process->python, wait->futex)) {
        note_lock(w, thread, wait->futex, STATE_GIL, urd__python_gil_holder(process->python));
        return STATE_GIL;
    }
    if (wait->shared && is_join(w, process, wait))
        return STATE_JOIN;
    if (wait->state == STATE_LOCK || wait->expected == MUTEX_HELD_AND_WAITED_FOR) {
        pid_t owner = 0;
        if (urd__proc_peek(process->pid, wait->futex, words, sizeof words))
            owner = (pid_t)words[OWNER_OFFSET / sizeof words[0]];
        const urd__thread *holder = owner > 0 ? urd__watched_thread(w, owner) : NULL;
        bool its_own = holder && holder->process == process;
        note_lock(w, thread, wait->futex, STATE_LOCK, its_own ? owner : 0);
        return STATE_LOCK;
    }
    if (process->python && wait->expected == 0) {
        urd__state state = by_frames(w, thread, wait->futex, place);
        if (state == STATE_LOCK)
            note_lock(w, thread, wait->futex, STATE_LOCK, 0);
        return state;
    }
    return wait->state;
}
