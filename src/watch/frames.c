/*
 * frames.c - walk the stack of a task that does not run, or of a sample.
 *
 * SPDX-License-Identifier: MIT
 *
 * A task that does not run has left its callee-saved registers on its stack, in the order that
 * core/switch_*.S has in its head comment; it goes on where urd__switch() returns to.
 */
#include "watch/frames.h"

#include <string.h>

#include "base/os.h"

#if defined(__x86_64__)
enum { WORDS = 7, FP = 6, SP = 7 };
/* The register that each saved word is; the last is where it goes on. */
static const int saved[WORDS] = {15, 14, 13, 12, 3, FP, 16};
static const int PC_WORD = WORDS - 1;
#else
enum { WORDS = 20, FP = 29, SP = 31 };
static const int saved[WORDS] = {19, 20, 21, 22, 23, 24, 25, 26, 27, 28, FP, 30};
static const int SAVED_USED = 12, PC_WORD = 11;
#endif

typedef struct source {
    const urd__view *view;
    const urd__view_task *task;
    const urd__sample *sample;
} source;

/* Where what belongs at this address of the task's stack is. */
static uintptr_t place_of(const urd__view_task *task, uintptr_t address)
{
    bool copied = task->copied && address >= task->low && address < task->high;
    return copied ? task->copied - (task->high - address) : address;
}

static bool read_word(void *arg, uint64_t address, uint64_t *out)
{
    const source *from = arg;
    const urd__sample *sample = from->sample;
    if (sample && address >= sample->sp && address + sizeof *out <= sample->sp + sample->bytes) {
        memcpy(out, sample->stack + (address - sample->sp), sizeof *out);
        return true;
    }
    uintptr_t at = place_of(from->task, (uintptr_t)address);
    return urd__os_read_memory(from->view->pid, at, out, sizeof *out) == 0;
}

static bool from_context(const urd__view *view, const urd__view_task *task, urd__dw_stack *stack)
{
    uint64_t words[WORDS];
    uintptr_t context = task->context, at = place_of(task, context);
    if (!context || urd__os_read_memory(view->pid, at, words, sizeof words) != 0)
        return false;
#if defined(__x86_64__)
    const int n = WORDS;
#else
    const int n = SAVED_USED;
#endif
    for (int i = 0; i < n; i++)
        stack->registers[saved[i]] = words[i];
    stack->registers[SP] = context + sizeof words;
    stack->pc = words[PC_WORD];
    return true;
}

/* Each frame begins with the address of the one around it, and where that goes on. */
static int by_frame_pointers(const urd__dw_stack *stack, uint64_t *pcs, int max)
{
    int n = 0;
    uint64_t fp = stack->registers[FP], low = stack->registers[SP];
    if (max > 0)
        pcs[n++] = stack->pc;
    while (n < max && fp >= low && fp % sizeof fp == 0) {
        uint64_t next, pc;
        if (!stack->read(stack->arg, fp, &next) || !stack->read(stack->arg, fp + sizeof fp, &pc) ||
            pc == 0)
            break;
        pcs[n++] = pc;
        low = fp + 1;
        fp = next;
    }
    return n;
}

int urd__frames_of(struct Dwfl *dwfl, const urd__view *view, const urd__view_task *task,
                   const urd__sample *sample, uint64_t *pcs, int max)
{
    source from = {view, task, sample};
    urd__dw_stack stack = {.read = read_word, .arg = &from};
    if (sample) {
        memcpy(stack.registers, sample->registers, sizeof stack.registers);
        stack.pc = sample->pc;
    } else if (!from_context(view, task, &stack)) {
        return 0;
    }
    int n = dwfl ? urd__dw_unwind(dwfl, &stack, pcs, max) : 0;
    return n > 1 ? n : by_frame_pointers(&stack, pcs, max);
}

static bool is_ours(const char *name)
{
    return name && strncmp(name, "urd_", 4) == 0;
}

/* What is around it is not what this job waits in. */
static bool runs_a_job(const char *name)
{
    static const char *const names[] = {"urd__task_run_job", "urd__scope_run_unstarted",
                                        "urd__runtime_run"};
    for (size_t i = 0; name && i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

static bool starts_a_task(const char *name)
{
    static const char *const names[] = {"urd__task_run_job", "task_main",    "entry",
                                        "thread_main",       "start_thread", "__clone3",
                                        "__clone",           "thread_start"};
    for (size_t i = 0; name && i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

int urd__frames_trim(const char *const *names, int n, int *first)
{
    enum { INNER_MAX = 12 }; /* as deep as the runtime goes below a public call */
    bool found = false;
    *first = 0;
    for (int i = 0; i < n && i < INNER_MAX; i++) {
        bool is_public = is_ours(names[i]) && strncmp(names[i], "urd__", 5) != 0;
        if ((found && !is_public) || runs_a_job(names[i]))
            break;
        if (is_public)
            *first = i; /* the outermost of them: urd_sleep calls urd_sleep_until */
        found = is_public;
    }
    for (int i = *first; i < n; i++)
        if (starts_a_task(names[i])) {
            int end = i;
            while (end < n && (starts_a_task(names[end]) || !names[end]))
                end++;
            if (end == n)
                return i - *first;
        }
    return n - *first;
}
