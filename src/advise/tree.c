/*
 * tree.c - the processes and threads of the program, found as they come and go.
 *
 * SPDX-License-Identifier: MIT
 *
 * Looking through all folders would cost more than all the rest, so it is done where there is a
 * reason: the number that the machine gave last to a new thread, which /proc/loadavg tells, has
 * changed; or a thread has ended.  A process is scanned for threads when the link count of its
 * folder says that their number has changed, and for children with every discovery.  Besides, a
 * thread that begins to wait for threads or children is asked for new ones at once: it may have
 * started them just now, and they may not live until the next discovery.
 *
 * What a program leaves behind when its parent ends comes to this process, which is a subreaper,
 * and is watched on.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "advise/advise.h"
#include "advise/count.h"
#include "advise/perf.h"
#include "advise/proc.h"
#include "advise/python.h"
#include "advise/stack.h"
#include "urd.h"

enum {
    PATH_BYTES = 96,
    CHILDREN_BYTES = 16384,
    PYTHON_TRIES = 20,
    KEPT_OPEN_MAX = 256,   /* threads whose files stay open */
    SCAN_THREADS_MAX = 512 /* whose children are asked for with every discovery */
};

static const int64_t scan_again = 500 * URD_MS;
static const int64_t young = 100 * URD_MS; /* it may still execute another program */

void urd__watched_open(urd__watched *w)
{
    w->map = urd__map_new();
    w->loadavg_fd = open("/proc/loadavg", O_RDONLY | O_CLOEXEC);
}

bool urd__watched_changed(urd__watched *w)
{
    char text[128];
    if (w->loadavg_fd < 0 || urd__proc_reread(w->loadavg_fd, text, sizeof text) <= 0)
        return true;
    const char *last = strrchr(text, ' ');
    int64_t pid = last ? strtoll(last, NULL, 10) : 0;
    bool changed = pid != w->last_pid;
    w->last_pid = pid;
    return changed;
}

urd__process *urd__watched_process(const urd__watched *w, pid_t pid)
{
    for (int i = w->process_count - 1; i >= 0; i--)
        if (w->processes[i]->pid == pid && w->processes[i]->ended == 0)
            return w->processes[i];
    return NULL;
}

urd__thread *urd__watched_thread(const urd__watched *w, pid_t tid)
{
    int index = urd__map_get(w->map, tid);
    return index >= 0 ? w->threads[index] : NULL;
}

bool urd__watched_alive(const urd__watched *w)
{
    return w->live_count > 0;
}

static urd__language language_of(const char *program)
{
    static const struct {
        const char *name;
        urd__language language;
    } known[] = {{"python", LANGUAGE_PYTHON}, {"pypy", LANGUAGE_PYTHON},  {"java", LANGUAGE_JAVA},
                 {"node", LANGUAGE_NODE},     {"nodejs", LANGUAGE_NODE},  {"ruby", LANGUAGE_RUBY},
                 {"bash", LANGUAGE_SHELL},    {"dash", LANGUAGE_SHELL},   {"sh", LANGUAGE_SHELL},
                 {"ash", LANGUAGE_SHELL},     {"ksh", LANGUAGE_SHELL},    {"zsh", LANGUAGE_SHELL},
                 {"fish", LANGUAGE_SHELL},    {"busybox", LANGUAGE_SHELL}};
    size_t bytes = strcspn(program, "0123456789.-"); /* without the version */
    bool all = strspn(program + bytes, "0123456789.-") == strlen(program + bytes);
    for (size_t i = 0; i < sizeof known / sizeof *known && all; i++)
        if (strlen(known[i].name) == bytes && strncmp(program, known[i].name, bytes) == 0)
            return known[i].language;
    return LANGUAGE_NATIVE;
}

/* A Go program has a note of its build: of type 4, and by the name of Go. */
static bool is_go(pid_t pid)
{
    static char bytes[64 * 1024];
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "/proc/%d/exe", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t count = pread(fd, bytes, sizeof bytes, 0);
    static const char note[] = {4, 0, 0, 0, 'G', 'o', 0, 0};
    bool found = count > 0 && memmem(bytes, (size_t)count, note, sizeof note) != NULL;
    close(fd);
    return found;
}

/* An interpreter that has just been executed has not loaded its library yet, so it is asked for
 * again; one may be inside any other program too. */
static void find_python(urd__process *process)
{
    int tries = process->language == LANGUAGE_PYTHON   ? PYTHON_TRIES
                : process->language == LANGUAGE_NATIVE ? 1
                                                       : 0;
    if (process->python || process->python_tries >= tries)
        return;
    process->python_tries++;
    process->python = urd__python_open(process->pid);
    if (process->python)
        process->language = LANGUAGE_PYTHON;
}

/* Its name and program, which change when it executes another. */
static void describe(urd__process *process)
{
    char path[PATH_BYTES], text[512];
    snprintf(path, sizeof path, "/proc/%d/stat", process->pid);
    urd__stat stat;
    if (urd__proc_read(path, text, sizeof text) > 0 && urd__proc_stat(text, &stat)) {
        memcpy(process->name, stat.name, sizeof process->name);
        process->parent = stat.parent;
    }
    snprintf(path, sizeof path, "/proc/%d/exe", process->pid);
    ssize_t bytes = readlink(path, text, sizeof text - 1);
    text[bytes > 0 ? bytes : 0] = '\0';
    const char *slash = strrchr(text, '/');
    char program[sizeof process->program];
    snprintf(program, sizeof program, "%.60s",
             bytes > 0 ? slash ? slash + 1 : text : process->name);
    if (strcmp(program, process->program) == 0) {
        find_python(process);
        return;
    }
    memcpy(process->program, program, sizeof program);
    process->language = language_of(program);
    if (process->language == LANGUAGE_NATIVE && is_go(process->pid))
        process->language = LANGUAGE_GO;
    urd__python_free(process->python);
    process->python = NULL;
    process->python_tries = 0;
    find_python(process);
}

/* Threads that a language's runtime has for itself: what they wait for is not the program's. */
static bool is_service(const urd__process *process, const char *name)
{
    static const char *const java[] = {"VM ",     "GC ",       "G1 ",       "C1 Comp",  "C2 Comp",
                                       "Signal ", "Finalizer", "Reference", "Common-C", "Service ",
                                       "Monitor", "Notific",   "Sweeper",   "Attach "};
    if (process->language == LANGUAGE_JAVA)
        for (size_t i = 0; i < sizeof java / sizeof *java; i++)
            if (strncmp(name, java[i], strlen(java[i])) == 0)
                return true;
    return false;
}

void urd__watched_name(urd__thread *thread)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "/proc/%d/task/%d/comm", thread->process->pid, thread->tid);
    if (urd__proc_read(path, thread->name, sizeof thread->name) > 0)
        thread->name[strcspn(thread->name, "\n")] = '\0';
    thread->service =
        thread->tid != thread->process->pid && is_service(thread->process, thread->name);
}

static int open_file(const urd__thread *thread, const char *name)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "/proc/%d/task/%d/%s", thread->process->pid, thread->tid, name);
    return open(path, O_RDONLY | O_CLOEXEC);
}

/* Room for one more in a list; false: no memory. */
static bool grow(void *list, int count, int *room, size_t size)
{
    if (count < *room)
        return true;
    int more = *room ? *room * 2 : 64;
    void **at = list, *larger = realloc(*at, (size_t)more * size);
    if (!larger)
        return false;
    *at = larger;
    *room = more;
    return true;
}

static void give_line(urd__watched *w, urd__thread *thread)
{
    if (w->lines_given >= LINED_MAX)
        return;
    thread->line = calloc((size_t)LINES_MAX * STATES, sizeof *thread->line);
    w->lines_given += thread->line != NULL;
}

/* A new thread has used what it used since it began, a moment ago; but one that ran already when
 * the watch began is not to be charged for its past. */
static void take_what_it_used(const urd__watched *w, urd__thread *thread, int64_t now)
{
    char text[96];
    urd__schedstat used;
    if (thread->schedstat_fd < 0 ||
        urd__proc_reread(thread->schedstat_fd, text, sizeof text) <= 0 ||
        !urd__proc_schedstat(text, &used))
        return;
    if (w->ticks == 0 && !w->ours) {
        thread->cpu = used.cpu;
        thread->ready = used.ready;
        thread->slices = used.slices;
        return;
    }
    int64_t from = now - used.cpu - used.ready;
    thread->from = from > w->begun ? from : w->begun;
}

static void add_thread(urd__watched *w, urd__process *process, pid_t tid, int64_t now)
{
    urd__thread *thread = NULL;
    if (w->thread_count >= THREADS_MAX ||
        !grow(&w->threads, w->thread_count, &w->thread_room, sizeof(void *)) ||
        !grow(&w->live, w->live_count, &w->live_room, sizeof *w->live) ||
        !(thread = calloc(1, sizeof *thread)))
        return;
    *thread = (urd__thread){.tid = tid,
                            .process = process,
                            .born = now,
                            .from = now,
                            .schedstat_fd = -1,
                            .syscall_fd = -1,
                            .state = STATE_RUN,
                            .last_blocked = STATES,
                            .place = -1};
    urd__watched_name(thread);
    if (w->live_count < KEPT_OPEN_MAX) {
        thread->schedstat_fd = open_file(thread, "schedstat");
        thread->syscall_fd = open_file(thread, "syscall");
    }
    give_line(w, thread);
    urd__map_put(w->map, tid, w->thread_count);
    w->live[w->live_count++] = (urd__live){.next_look = now, .thread = w->thread_count};
    w->threads[w->thread_count++] = thread;
    process->threads_alive++;
    process->threads_seen++;
    if (process->threads_alive == 2)
        urd__sum_slot_process(w, process, now);
    if (w->live_count > w->threads_most)
        w->threads_most = w->live_count;
    take_what_it_used(w, thread, now);
}

unsigned long urd__watched_count(urd__process *process)
{
    struct stat folder;
    if (!process->tasks || fstat(dirfd(process->tasks), &folder) != 0)
        return process->tasks_links;
    if (folder.st_nlink > process->links_most)
        process->links_most = folder.st_nlink;
    return folder.st_nlink;
}

static void scan_threads(urd__watched *w, urd__process *process, int64_t now)
{
    unsigned long links = urd__watched_count(process);
    if (!process->tasks || (links == process->tasks_links && now < process->next_scan))
        return;
    process->tasks_links = links;
    process->next_scan = now + scan_again;
    rewinddir(process->tasks);
    struct dirent *entry;
    while ((entry = readdir(process->tasks))) {
        pid_t tid = (pid_t)atoi(entry->d_name);
        if (tid > 0 && urd__map_get(w->map, tid) < 0)
            add_thread(w, process, tid, now);
    }
}

static urd__process *add_process(urd__watched *w, pid_t pid, int64_t now)
{
    urd__process *process = NULL;
    if (!grow(&w->processes, w->process_count, &w->process_room, sizeof(void *)) ||
        !(process = calloc(1, sizeof *process)))
        return NULL;
    *process = (urd__process){.pid = pid, .born = now, .touched_rate = -1};
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "/proc/%d/task", pid);
    process->tasks = opendir(path);
    if (!process->tasks || pid == getpid()) { /* ourselves, or it has ended already */
        if (process->tasks)
            closedir(process->tasks);
        free(process);
        return NULL;
    }
    describe(process);
    w->processes[w->process_count++] = process;
    scan_threads(w, process, now);
    return process;
}

static void add_children_of(urd__watched *w, const char *text, int64_t now)
{
    for (const char *at = text;;) {
        char *rest;
        long child = strtol(at, &rest, 10);
        if (rest == at)
            return;
        at = rest;
        if (child > 0 && !urd__watched_process(w, (pid_t)child))
            add_process(w, (pid_t)child, now);
    }
}

static void scan_children(urd__watched *w, pid_t pid, pid_t tid, int64_t now)
{
    char path[PATH_BYTES], text[CHILDREN_BYTES];
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", pid, tid);
    if (urd__proc_read(path, text, sizeof text) > 0)
        add_children_of(w, text, now);
}

void urd__watched_started(urd__watched *w, const urd__thread *thread, bool children, int64_t now)
{
    urd__process *process = thread->process;
    if (urd__watched_count(process) != process->tasks_links)
        scan_threads(w, process, now);
    if (children)
        scan_children(w, process->pid, thread->tid, now);
}

/* Our own children are the program and what it left behind; the latter are buried here. */
static void scan_own_children(urd__watched *w, int64_t now)
{
    DIR *tasks = opendir("/proc/self/task");
    struct dirent *entry;
    while (tasks && (entry = readdir(tasks)))
        if (entry->d_name[0] != '.')
            scan_children(w, getpid(), (pid_t)atoi(entry->d_name), now);
    if (tasks)
        closedir(tasks);
    for (int i = 0; i < w->process_count; i++) {
        const urd__process *process = w->processes[i];
        if (process->ended == 0 && process->threads_alive == 0 && process->pid != w->root)
            waitpid(process->pid, NULL, WNOHANG);
    }
}

static void end_process(urd__process *process, int64_t now)
{
    process->ended = now;
    if (process->tasks)
        closedir(process->tasks);
    process->tasks = NULL;
}

void urd__watched_end_thread(urd__watched *w, int live_index, int64_t now)
{
    urd__thread *thread = w->threads[w->live[live_index].thread];
    thread->ended = now;
    if (thread->schedstat_fd >= 0)
        close(thread->schedstat_fd);
    if (thread->syscall_fd >= 0)
        close(thread->syscall_fd);
    thread->schedstat_fd = thread->syscall_fd = -1;
    thread->process->threads_alive--;
    urd__map_remove(w->map, thread->tid);
    w->live[live_index] = w->live[--w->live_count];
    w->rescan = true;
}

/* A process without threads that can be looked at has ended, but for its burial. */
static void end_processes(urd__watched *w, int64_t now)
{
    for (int i = 0; i < w->process_count; i++) {
        urd__process *process = w->processes[i];
        if (process->ended == 0 && process->threads_alive == 0)
            end_process(process, now);
    }
}

/* Where an interpreter has appeared, what its threads do can be told better than before. */
static void describe_again(urd__watched *w, urd__process *process, int64_t now)
{
    bool had = process->python != NULL;
    describe(process);
    bool may_execute = now - process->born < young || process->language == LANGUAGE_SHELL;
    process->next_description = now + (may_execute ? 40 * URD_MS : scan_again);
    for (int i = 0; i < w->live_count && process->python && !had; i++)
        if (w->threads[w->live[i].thread]->process == process)
            w->threads[w->live[i].thread]->slices--; /* so that it counts as changed */
}

void urd__watched_discover(urd__watched *w, int64_t now)
{
    bool orphans = w->ours && w->rescan; /* whose parents have ended */
    w->rescan = false;
    end_processes(w, now);
    if (orphans)
        scan_own_children(w, now);
    int count = w->process_count, alive = 0;
    for (int i = 0; i < count; i++) {
        urd__process *process = w->processes[i];
        if (process->ended)
            continue;
        alive++;
        scan_threads(w, process, now);
        if (now >= process->next_description)
            describe_again(w, process, now);
    }
    int asked = w->live_count < SCAN_THREADS_MAX ? w->live_count : SCAN_THREADS_MAX;
    for (int i = 0; i < asked; i++) {
        const urd__thread *thread = w->threads[w->live[i].thread];
        scan_children(w, thread->process->pid, thread->tid, now);
    }
    if (alive > w->processes_most)
        w->processes_most = alive;
}

void urd__watched_add_root(urd__watched *w, pid_t pid, int64_t now)
{
    w->root = pid;
    add_process(w, pid, now);
    urd__watched_discover(w, now);
}

void urd__watched_free(urd__watched *w)
{
    urd__count_end(w);
    urd__perf_end(w);
    urd__stacks_free(w);
    for (int i = 0; i < w->thread_count; i++) {
        urd__thread *thread = w->threads[i];
        if (thread->schedstat_fd >= 0)
            close(thread->schedstat_fd);
        if (thread->syscall_fd >= 0)
            close(thread->syscall_fd);
        free(thread->line);
        free(thread);
    }
    for (int i = 0; i < w->process_count; i++) {
        if (w->processes[i]->tasks)
            closedir(w->processes[i]->tasks);
        urd__python_free(w->processes[i]->python);
        free(w->processes[i]->slots);
        free(w->processes[i]);
    }
    free(w->threads);
    free(w->processes);
    free(w->live);
    urd__map_free(w->map);
    if (w->loadavg_fd >= 0)
        close(w->loadavg_fd);
}
