/*
 * name.c - when all is over: names of functions, and lines, for what the watch kept.
 *
 * SPDX-License-Identifier: MIT
 *
 * A stack is walked by libdw with what is known of the registers: the program counter and the stack
 * pointer.  That leads through the C library's frames, which are found by the stack pointer, to the
 * first of the program's own; a frame that needs another register ends the walk, as memory at its
 * value of 0 is not there.  Where there is no libdw, or the program has no symbols, the system call
 * alone is told.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "advise/stack.h"
#include "core/dw.h"

enum { FRAMES_MAX = 16, HOT_MAX = 64, HOT_SHOWN = 3, FUNCTION_COLUMNS = 56 };

static const double hot_from = 0.05; /* of a thread's running */

/* ---- names ----------------------------------------------------------------------------------- */

/* What every program calls: to be in it says nothing. */
static bool is_system(const char *module)
{
    static const char *const known[] = {"libc.",      "libc-",     "ld-",   "libpthread",
                                        "libstdc++.", "libgcc_s.", "libm.", "linux-vdso",
                                        "[vdso",      "libc++",    "ld.so"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strncmp(module, known[i], strlen(known[i])) == 0)
            return true;
    return false;
}

/* Names of C++ are told as people write them, where its library is installed. */
static char *demangled(const char *name)
{
    static char *(*demangle)(const char *, char *, size_t *, int *);
    static bool tried;
    if (!tried) {
        tried = true;
        void *lib = dlopen("libstdc++.so.6", RTLD_NOW | RTLD_LOCAL);
        void *found = lib ? dlsym(lib, "__cxa_demangle") : NULL;
        memcpy(&demangle, &found, sizeof demangle);
    }
    int failed;
    return demangle && strncmp(name, "_Z", 2) == 0 ? demangle(name, NULL, NULL, &failed) : NULL;
}

static void put_function(const char *name, char *out, size_t size)
{
    char *readable = demangled(name);
    const char *text = readable ? readable : name;
    bool cut = strlen(text) > FUNCTION_COLUMNS;
    snprintf(out, size, "%.*s%s", FUNCTION_COLUMNS, text, cut ? "..." : "");
    free(readable);
}

/* "function (file:line)", or "function (module)". */
static void put_place(const urd__symbol *symbol, int line, char *out, size_t size)
{
    char function[FUNCTION_COLUMNS + 8];
    put_function(symbol->name, function, sizeof function);
    const char *file = symbol->file ? symbol->file : symbol->module;
    if (symbol->file && line > 0)
        snprintf(out, size, "%s (%.30s:%d)", function, file, line);
    else if (file)
        snprintf(out, size, "%s (%.36s)", function, file);
    else
        snprintf(out, size, "%s", function);
}

/* ---- stacks ---------------------------------------------------------------------------------- */

static bool read_kept(void *arg, uint64_t address, uint64_t *out)
{
    const urd__stack_kept *stack = arg;
    uint64_t at = address - stack->sp;
    if (address < stack->sp || at > stack->bytes || stack->bytes - at < sizeof *out)
        return false;
    memcpy(out, stack->memory + at, sizeof *out);
    return true;
}

/* The innermost function of the program itself, else of a library that is not everybody's. */
static void name_stack(struct Dwfl *dwfl, urd__stack_kept *stack)
{
    urd__dw_stack walk = {.pc = stack->pc, .read = read_kept, .arg = stack};
#if defined(__x86_64__)
    enum { STACK_POINTER = 7 };
#else
    enum { STACK_POINTER = 31 };
#endif
    walk.registers[STACK_POINTER] = stack->sp;
    uint64_t pcs[FRAMES_MAX];
    int frames = urd__dw_unwind(dwfl, &walk, pcs, FRAMES_MAX);
    for (int i = 0; i < frames; i++) {
        urd__symbol symbol = {0};
        urd__dw_look_up(dwfl, &symbol, pcs[i] - (i > 0)); /* the call, not what follows it */
        if (!symbol.name || !symbol.module || is_system(symbol.module))
            continue;
        bool own = strncmp(symbol.module, stack->process->program,
                           sizeof stack->process->program - 4) == 0;
        if (own || !stack->name[0])
            put_place(&symbol, symbol.line, stack->name, sizeof stack->name);
        if (own)
            return;
    }
}

/* ---- running --------------------------------------------------------------------------------- */

typedef struct hot {
    urd__symbol symbol;
    int count, line, line_count; /* the line is the one most often met */
} hot;

static int by_thread(const void *left, const void *right)
{
    const urd__ran *a = left, *b = right;
    if (a->thread != b->thread)
        return a->thread < b->thread ? -1 : 1;
    return a->pc < b->pc ? -1 : a->pc > b->pc;
}

static int by_count(const void *left, const void *right)
{
    const hot *a = left, *b = right;
    return b->count - a->count;
}

static bool same_function(const urd__symbol *a, const urd__symbol *b)
{
    return strcmp(a->name, b->name) == 0 && a->module && b->module &&
           strcmp(a->module, b->module) == 0;
}

static void count_hot(hot *list, int *used, const urd__symbol *symbol, int count)
{
    int i = 0;
    while (i < *used && !same_function(&list[i].symbol, symbol))
        i++;
    if (i == HOT_MAX)
        return;
    if (i == *used)
        list[(*used)++] = (hot){.symbol = *symbol};
    list[i].count += count;
    if (count > list[i].line_count) {
        list[i].line_count = count;
        list[i].line = symbol->line;
    }
}

/* Of one thread's samples, the functions it ran in most. */
static void name_runs(struct Dwfl *dwfl, urd__thread *thread, const urd__ran *ran, int count)
{
    static hot list[HOT_MAX];
    int used = 0;
    for (int i = 0, next; i < count; i = next) {
        for (next = i + 1; next < count && ran[next].pc == ran[i].pc;)
            next++;
        urd__symbol symbol = {0};
        if (ran[i].pc == 0)
            symbol = (urd__symbol){.name = "kernel", .module = ""};
        else
            urd__dw_look_up(dwfl, &symbol, ran[i].pc);
        if (symbol.name)
            count_hot(list, &used, &symbol, next - i);
    }
    qsort(list, (size_t)used, sizeof *list, by_count);
    for (int i = 0; i < used && i < HOT_SHOWN; i++) {
        char text[PLACE_BYTES] = "kernel";
        double share = (double)list[i].count / count;
        if (share < hot_from)
            break;
        if (list[i].symbol.module && list[i].symbol.module[0])
            put_place(&list[i].symbol, list[i].line, text, sizeof text);
        urd__look_place(thread, STATE_RUN, 0, text, share * thread->in[STATE_RUN]);
    }
}

/* ---- all ------------------------------------------------------------------------------------- */

static bool has_kept(const urd__watched *w, const urd__process *process, const urd__ran *ran,
                     int ran_count)
{
    const urd__stack_kept *stack;
    for (int i = 1; (stack = urd__stack_of(w, i)); i++)
        if (stack->process == process)
            return true;
    for (int i = 0; i < ran_count; i++)
        if (w->threads[ran[i].thread]->process == process)
            return true;
    return false;
}

static void name_process(urd__watched *w, const urd__process *process, const urd__ran *ran,
                         int ran_count)
{
    const char *maps = urd__stack_maps(process);
    if (!has_kept(w, process, ran, ran_count))
        return;
    struct Dwfl *dwfl = maps ? urd__dw_open_maps(maps) : NULL;
    urd__stack_kept *stack;
    for (int i = 1; dwfl && (stack = urd__stack_of(w, i)); i++)
        if (stack->process == process)
            name_stack(dwfl, stack);
    for (int i = 0, next; i < ran_count; i = next) {
        for (next = i + 1; next < ran_count && ran[next].thread == ran[i].thread;)
            next++;
        if (w->threads[ran[i].thread]->process == process)
            name_runs(dwfl, w->threads[ran[i].thread], ran + i, next - i);
    }
    urd__dw_close(dwfl);
}

/* "function (file:line): call". */
static void put_name(const urd__watched *w, int number, char *text)
{
    const urd__stack_kept *stack = urd__stack_of(w, number);
    if (!stack || !stack->name[0])
        return;
    char both[2 * PLACE_BYTES + 4];
    snprintf(both, sizeof both, "%s%s%s", stack->name, text[0] ? ": " : "", text);
    snprintf(text, PLACE_BYTES, "%.*s", PLACE_BYTES - 1, both);
}

/* Different stacks may come to the same name. */
static void merge_places(urd__thread *thread)
{
    for (int i = 0; i < PLACES_MAX; i++)
        for (int j = i + 1; j < PLACES_MAX; j++) {
            urd__place *a = &thread->places[i], *b = &thread->places[j];
            if (a->text[0] == '\0' || a->state != b->state || strcmp(a->text, b->text) != 0)
                continue;
            a->ns += b->ns;
            *b = (urd__place){0};
        }
}

void urd__name_places(urd__watched *w)
{
    int ran_count;
    urd__ran *ran = urd__stack_runs(w, &ran_count);
    if (!w->stacks)
        return;
    qsort(ran, (size_t)ran_count, sizeof *ran, by_thread);
    for (int i = 0; i < w->process_count; i++)
        name_process(w, w->processes[i], ran, ran_count);
    for (int i = 0; i < w->thread_count; i++) {
        urd__thread *thread = w->threads[i];
        for (int j = 0; j < PLACES_MAX; j++)
            put_name(w, thread->places[j].stack, thread->places[j].text);
        merge_places(thread);
    }
    for (int i = 0; i < w->lock_count; i++)
        put_name(w, w->locks[i].stack, w->locks[i].place);
}
