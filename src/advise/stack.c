/*
 * stack.c - keep what tells where a thread waits, at the cost of one more read.
 *
 * SPDX-License-Identifier: MIT
 *
 * Names and lines take libdw milliseconds, and a stack of C has to be walked by tables, which takes
 * more: both would cost the program its core.  So the watch only keeps the numbers, and names them
 * when all is over (name.c).  Of a thread in a system call, /proc/TID/syscall tells the
 * program counter and the stack pointer; the stack above is read, and kept unless its like is
 * already.  Alike are those that hold the same first addresses of code.
 *
 * Where the program's files lie in its memory is read once, and again when an address lies in none
 * of them; it is kept as text, from which libdw finds the files when the process has ended.
 */
#include "advise/stack.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "advise/proc.h"
#include "urd.h"

enum {
    KEPT_MAX = 512,
    SLOTS_KEPT = 1024, /* of the table by keys; a power of two */
    KEY_WORDS = 5,     /* addresses of code that make two stacks different */
    RANGES_MAX = 128,
    MAPS_MOST = 512 * 1024,
    MAPPED_MAX = 256, /* processes */
    RAN_MAX = 1 << 16,
    READINGS_MAX = 8,
    COST_MAPS = 1000 /* pause until they may be read again, times what it took */
};

static const int64_t maps_every = 150 * URD_MS, maps_most = 400 * URD_MS;

struct urd__code {
    char *maps;
    int64_t next_reading;
    int readings;
    int ranges;
    struct {
        uint64_t from, to;
    } range[RANGES_MAX];
};

struct urd__stacks {
    int count, mapped;
    short slot[SLOTS_KEPT]; /* numbers; 0: free */
    urd__stack_kept kept[KEPT_MAX];
    int ran_count;
    urd__ran ran[RAN_MAX];
};

static urd__stacks *stacks_of(urd__watched *w)
{
    if (!w->stacks)
        w->stacks = calloc(1, sizeof *w->stacks);
    return w->stacks;
}

/* ---- the program's code ---------------------------------------------------------------------- */

/* Where the process has files of its own, in a container, they are reached through it. */
static bool other_files(pid_t pid)
{
    char path[64], ours[64] = "", its[64] = "";
    snprintf(path, sizeof path, "/proc/%d/ns/mnt", pid);
    bool known = readlink("/proc/self/ns/mnt", ours, sizeof ours - 1) > 0 &&
                 readlink(path, its, sizeof its - 1) > 0;
    return known && strcmp(ours, its) != 0;
}

static char *read_maps(pid_t pid)
{
    char path[64], *line = NULL, *out = NULL;
    size_t room = 0, bytes = 0;
    bool other = other_files(pid);
    snprintf(path, sizeof path, "/proc/%d/maps", pid);
    FILE *maps = fopen(path, "re"), *to = maps ? open_memstream(&out, &bytes) : NULL;
    while (to && getline(&line, &room, maps) > 0 && ftell(to) < MAPS_MOST) {
        const char *file = strchr(line, '/');
        if (other && file)
            fprintf(to, "%.*s/proc/%d/root%s", (int)(file - line), line, pid, file);
        else
            fputs(line, to);
    }
    if (to)
        fclose(to);
    if (maps)
        fclose(maps);
    free(line);
    return out;
}

static void find_code(struct urd__code *code)
{
    code->ranges = 0;
    for (const char *at = code->maps; at && *at && code->ranges < RANGES_MAX;) {
        unsigned long from, to;
        char rights[8];
        if (sscanf(at, "%lx-%lx %7s", &from, &to, rights) == 3 && rights[2] == 'x') {
            code->range[code->ranges].from = from;
            code->range[code->ranges++].to = to;
        }
        at = strchr(at, '\n');
        at = at ? at + 1 : NULL;
    }
}

static bool in_code(const struct urd__code *code, uint64_t address)
{
    for (int i = 0; i < code->ranges; i++)
        if (address >= code->range[i].from && address < code->range[i].to)
            return true;
    return false;
}

/* NULL: not of that process, or not now. */
static const struct urd__code *code_at(urd__watched *w, urd__process *process, uint64_t pc)
{
    urd__stacks *all = w->stacks;
    if (!process->code) {
        if (all->mapped == MAPPED_MAX || !(process->code = calloc(1, sizeof *process->code)))
            return NULL;
        all->mapped++;
    }
    struct urd__code *code = process->code;
    if (in_code(code, pc))
        return code;
    int64_t now = urd_now(), begun = urd__look_cpu();
    if (now < code->next_reading || process->ended || code->readings == READINGS_MAX)
        return NULL;
    code->readings++;
    char *maps = read_maps(process->pid);
    if (maps) {
        free(code->maps);
        code->maps = maps;
        find_code(code);
    }
    int64_t cost = urd__look_cpu() - begun, rest = cost * COST_MAPS;
    w->apart += cost;
    rest = rest < maps_most ? rest : maps_most;
    code->next_reading = now + (rest > maps_every ? rest : maps_every);
    return in_code(code, pc) ? code : NULL;
}

const char *urd__stack_maps(const urd__process *process)
{
    return process->code ? process->code->maps : NULL;
}

/* ---- stacks ---------------------------------------------------------------------------------- */

static uint64_t mixed(uint64_t key, uint64_t word)
{
    key = (key ^ word) * 0x9e3779b97f4a7c15U;
    return key ^ key >> 29;
}

static uint64_t key_of(const struct urd__code *code, const urd__stack_kept *stack)
{
    uint64_t key = mixed((uint64_t)(uintptr_t)stack->process, stack->pc);
    int words = 0;
    for (size_t i = 0; i + 8 <= stack->bytes && words < KEY_WORDS; i += 8) {
        uint64_t word;
        memcpy(&word, stack->memory + i, sizeof word);
        if (in_code(code, word)) {
            key = mixed(key, word);
            words++;
        }
    }
    return key;
}

/* As much as there is: it may end with the page. */
static size_t read_stack(pid_t pid, uint64_t sp, unsigned char *out)
{
    if (urd__proc_peek(pid, sp, out, STACK_KEPT_BYTES))
        return STACK_KEPT_BYTES;
    size_t bytes = 4096 - (size_t)(sp & 4095);
    return bytes < STACK_KEPT_BYTES && urd__proc_peek(pid, sp, out, bytes) ? bytes : 0;
}

/* Interpreters and compilers at run time have no symbols for what they run. */
static bool has_names(const urd__process *process)
{
    return process->language == LANGUAGE_NATIVE && !process->python && !process->hidden;
}

int urd__stack_keep(urd__watched *w, const urd__thread *thread, const urd__call *call)
{
    urd__process *process = thread->process;
    urd__stacks *all = has_names(process) && call->sp ? stacks_of(w) : NULL;
    const struct urd__code *code = all ? code_at(w, process, call->pc) : NULL;
    if (!code)
        return all && process->code && process->code->readings < READINGS_MAX ? -1 : 0;
    urd__stack_kept stack = {.process = process, .pc = call->pc, .sp = call->sp};
    stack.bytes = read_stack(process->pid, stack.sp, stack.memory);
    stack.key = key_of(code, &stack);
    size_t slot = stack.key % SLOTS_KEPT;
    for (; all->slot[slot]; slot = (slot + 1) % SLOTS_KEPT)
        if (all->kept[all->slot[slot] - 1].key == stack.key)
            return all->slot[slot];
    if (all->count == KEPT_MAX)
        return 0;
    all->kept[all->count++] = stack;
    all->slot[slot] = (short)all->count;
    return all->count;
}

urd__stack_kept *urd__stack_of(const urd__watched *w, int number)
{
    return w->stacks && number > 0 && number <= w->stacks->count ? &w->stacks->kept[number - 1]
                                                                 : NULL;
}

/* ---- running --------------------------------------------------------------------------------- */

void urd__stack_ran(urd__watched *w, int thread, uint64_t pc)
{
    urd__process *process = w->threads[thread]->process;
    urd__stacks *all = process->python ? NULL : stacks_of(w);
    if (all && all->ran_count < RAN_MAX && (pc == 0 || code_at(w, process, pc)))
        all->ran[all->ran_count++] = (urd__ran){.thread = thread, .pc = pc};
}

urd__ran *urd__stack_runs(const urd__watched *w, int *count)
{
    *count = w->stacks ? w->stacks->ran_count : 0;
    return w->stacks ? w->stacks->ran : NULL;
}

void urd__stacks_free(urd__watched *w)
{
    for (int i = 0; i < w->process_count; i++) {
        struct urd__code *code = w->processes[i]->code;
        if (code)
            free(code->maps);
        free(code);
    }
    free(w->stacks);
}
