/*
 * explore.c - run the threads of a model in every order that can differ; find one that fails.
 *
 * SPDX-License-Identifier: MIT
 *
 * Each thread of a model is a coroutine.  It runs to its next operation on an atomic, lock or futex
 * and stops before it; the explorer chooses whose operation is next.  A schedule is the list of
 * these choices, and of which version each load reads (explore_memory.h).  All are visited depth
 * first: a schedule is run from the start, along the choices of the one before up to the last that
 * has an alternative, which is then taken.
 *
 * Two operations are dependent when they touch the same cell and one writes it (struct op: reads,
 * writes).  Schedules that differ only in the order of independent operations come to the same, and
 * one of them is enough.  Two rules cut the others:
 *
 *   backtrack  only where a thread's next operation depends on an earlier step of another thread,
 *              and is not ordered after it anyway, is it tried before that step
 *   sleep      a choice that was tried stays asleep in its siblings until a dependent step is made
 *
 * Plain memory accesses are no steps: compiled with -fsanitize=thread, they are checked for races
 * instead, and without a race their order cannot be seen.  So a model must not judge by plain
 * variables in which order two threads passed: it uses one that would race, or an atomic.
 *
 * A schedule in which no thread can go on, and one has not ended, fails as a lost wakeup.  A thread
 * that spins (urd__spin_hint) goes on once a cell that it read since has a newer version.
 *
 * Limits: a load does not read what a later step of the schedule stores (load buffering), and the
 * versions of a cell are in the order of the schedule, so two stores in opposite directions (2+2W)
 * show no weak result.
 *
 * Sources: Flanagan and Godefroid, "Dynamic partial-order reduction for model checking software",
 * 2005; Godefroid, "Partial-order methods", 1996 (sleep sets); Kang et al., "A promising semantics
 * for relaxed-memory concurrency", 2017 (views).
 * Rejected: store buffers that are flushed by steps of their own: they know TSO and PSO, not what
 * acquire and release promise on AArch64, and each flush is one more choice.
 * Checked: test/model/litmus.c, which also compares the reduced search with the full one.
 */
#define _GNU_SOURCE
#undef _FORTIFY_SOURCE /* its longjmp refuses to change stacks */
#include "explore.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include "explore_memory.h"
#include "explore_race.h"

enum {
    STACK_BYTES = 256 * 1024,
    STEPS_MAX = 2000,       /* of one schedule: more is a loop that never ends */
    ARENA_BYTES = 64 * 1024 /* for explore_alloc */
};

#define SC_BIT (UINT64_C(1) << 63)

struct op {
    const struct explore_site *site;
    struct cell *cell;      /* or NULL */
    uint64_t reads, writes; /* cells; and SC_BIT, the view of the seq operations */
    enum { OP_OTHER, OP_LOCK, OP_UNLOCK, OP_YIELD, OP_RESUME } kind;
};

enum life { RUNS, WAITS, WAITS_TIMED, WOKEN, ENDED };

struct thread {
    jmp_buf context;
    ucontext_t entry;
    bool entered;
    enum life life;
    struct op *op;   /* the next step */
    clocks before;   /* steps that happen before its next one: by thread, number + 1 */
    uint64_t loaded; /* cells read since the last yield, and which version */
    uint8_t loaded_version[CELLS_MAX];
    struct cell *queue; /* the futex it waits on */
    unsigned ticket;    /* place in that queue */
    int woken_by;       /* step; -1: none */
    char *stack;
};

/* A step of the schedule and its alternatives. */
struct step {
    struct op op;
    uint64_t value; /* what it read or wrote, for the report */
    clocks clock;
    uint16_t choice, choices;
    uint8_t thread;
    uint8_t enabled, backtrack, done, sleep; /* sets of threads */
};

static struct {
    const struct explore_model *model;
    struct explore_result *result;
    struct thread threads[EXPLORE_THREADS_MAX];
    int thread_count;
    int current; /* -1: none, setup or finish */
    struct step steps[STEPS_MAX];
    int step_count; /* made in this schedule */
    int fresh_from; /* steps from here on were not in the last schedule */
    int replay;     /* steps that are given */
    bool inside;    /* the explorer runs, not the model */
    bool starting;  /* threads run to their first step */
    bool cut, over;
    unsigned tickets;
    uint64_t random;
    jmp_buf main;
    char arena[ARENA_BYTES];
    size_t arena_used;
} run = {.current = -1, .inside = true};

/* ---- Coroutines ---------------------------------------------------------------------------- */

static void schedule(void);

static void thread_main(void)
{
    struct thread *thread = &run.threads[run.current];
    run.inside = false;
    run.model->threads[run.current]();
    run.inside = true;
    thread->life = ENDED;
    thread->op = NULL;
    schedule();
    abort();
}

__attribute__((noreturn)) static void go_to(int next)
{
    run.current = next;
    if (next < 0)
        _longjmp(run.main, 1);
    struct thread *thread = &run.threads[next];
    if (thread->entered)
        _longjmp(thread->context, 1);
    thread->entered = true;
    setcontext(&thread->entry);
    abort();
}

static void switch_to(int next)
{
    if (run.current < 0 || _setjmp(run.threads[run.current].context) == 0)
        go_to(next);
}

static void thread_prepare(struct thread *thread)
{
    char *stack = thread->stack ? thread->stack : malloc(STACK_BYTES);
    if (!stack)
        abort();
    thread->entered = false;
    thread->life = RUNS;
    thread->op = NULL;
    thread->before = (clocks){0};
    thread->loaded = 0;
    thread->woken_by = -1;
    thread->stack = stack;
    getcontext(&thread->entry);
    thread->entry.uc_stack.ss_sp = stack;
    thread->entry.uc_stack.ss_size = STACK_BYTES;
    thread->entry.uc_link = NULL;
    makecontext(&thread->entry, thread_main, 0);
}

/* ---- Reports ------------------------------------------------------------------------------- */

static const char *thread_name(int thread)
{
    static char names[EXPLORE_THREADS_MAX][16];
    if (run.model->thread_names[thread])
        return run.model->thread_names[thread];
    snprintf(names[thread], sizeof names[thread], "thread %d", thread);
    return names[thread];
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static void print_op(int thread, const struct op *op, uint64_t value, const char *note)
{
    printf("%*s%s: %s(%s)", 4 * thread, "", thread_name(thread), op->site->op, op->site->what);
    if (op->cell)
        printf(" = %lld", (long long)value);
    printf("%s   %s:%d\n", note, base_name(op->site->file), op->site->line);
}

static void print_schedule(void)
{
    for (int i = 0; i < run.step_count; i++) {
        const struct step *step = &run.steps[i];
        printf("  %3d ", i + 1);
        print_op(step->thread, &step->op, step->value, step->choice ? " (old)" : "");
    }
    for (int i = 0; i < run.thread_count; i++) {
        const struct thread *thread = &run.threads[i];
        if (thread->life != ENDED && thread->op) {
            printf("   at ");
            print_op(i, thread->op, thread->op->cell ? object_value(thread->op->cell) : 0,
                     thread->life == WAITS ? " waits" : "");
        }
    }
}

/* Ends the schedule, and the search. */
static void set_failure(const char *format, va_list args)
{
    run.result->failed = true;
    run.over = true;
    vsnprintf(run.result->message, sizeof run.result->message, format, args);
    if (run.model->expect && strstr(run.result->message, run.model->expect) &&
        !getenv("URD_MODEL_VERBOSE"))
        return;
    printf("  %s\n  thread %s; schedule %ld:\n", run.result->message,
           run.current >= 0 ? thread_name(run.current) : "none", run.result->schedules + 1);
    print_schedule();
}

static void fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    set_failure(format, args);
    va_end(args);
    go_to(-1);
}

void explore_fail(const char *format, ...)
{
    run.inside = true;
    va_list args;
    va_start(args, format);
    set_failure(format, args);
    va_end(args);
    go_to(-1);
}

/* ---- The search ---------------------------------------------------------------------------- */

static bool dependent(const struct op *a, const struct op *b)
{
    return (a->writes & (b->reads | b->writes)) || (b->writes & a->reads);
}

/* Is there no state in which both could be next?  Who unlocks holds what the other wants. */
static bool never_both(const struct op *a, const struct op *b)
{
    return (a->kind == OP_LOCK && b->kind == OP_UNLOCK) ||
           (a->kind == OP_UNLOCK && b->kind == OP_LOCK);
}

static bool news_for(const struct thread *thread)
{
    if (!thread->loaded)
        return true;
    for (int i = 0; i < memory.cell_count; i++)
        if ((thread->loaded >> i & 1) && memory.cells[i].count - 1 > thread->loaded_version[i])
            return true;
    return false;
}

static bool can_go_on(const struct thread *thread)
{
    if (thread->life == ENDED || thread->life == WAITS)
        return false;
    if (thread->op->kind == OP_LOCK)
        return object_value(thread->op->cell) == 0;
    return thread->op->kind != OP_YIELD || news_for(thread);
}

/* Try `thread` before step i as well. */
static void add_backtrack(int i, int thread)
{
    struct step *step = &run.steps[i];
    if (step->enabled >> thread & 1)
        step->backtrack |= (uint8_t)(1U << thread);
    else
        step->backtrack |= step->enabled;
}

/* Does it race with the thread's next operation: could that have been first? */
static bool races(int i, const struct thread *thread)
{
    const struct step *step = &run.steps[i];
    return dependent(&step->op, thread->op) && !never_both(&step->op, thread->op) &&
           thread->before.at[step->thread] < i + 1;
}

/* Step i has been made, and its thread stands before the next. */
static void step_made(int i)
{
    struct step *step = &run.steps[i];
    struct thread *self = &run.threads[step->thread];
    if (i >= run.fresh_from) {
        step->clock = self->before;
        for (int j = 0; j < i; j++)
            if (step->clock.at[run.steps[j].thread] < j + 1 &&
                dependent(&run.steps[j].op, &step->op))
                clocks_join(&step->clock, &run.steps[j].clock);
        step->clock.at[step->thread] = (uint16_t)(i + 1);
    }
    clocks_join(&self->before, &step->clock);
    for (int other = 0; other < run.thread_count; other++)
        if (run.threads[other].woken_by == i)
            clocks_join(&run.threads[other].before, &step->clock);
    if (i < run.fresh_from)
        return;
    for (int other = 0; other < run.thread_count; other++) {
        struct thread *thread = &run.threads[other];
        if (thread != self && thread->op && races(i, thread))
            add_backtrack(i, other);
    }
    for (int j = i - 1; self->op && j >= 0; j--) {
        if (run.steps[j].thread != step->thread && races(j, self)) {
            add_backtrack(j, step->thread);
            break;
        }
    }
}

/* Those asleep before the last step that do not depend on it, and stay so. */
static uint8_t inherited_sleep(void)
{
    if (run.step_count == 0 || run.model->all || run.model->random)
        return 0;
    const struct step *last = &run.steps[run.step_count - 1];
    unsigned sleep = (last->sleep | last->done) & ~(1U << last->thread), kept = 0;
    for (int i = 0; i < run.thread_count; i++)
        if ((sleep >> i & 1) && !dependent(run.threads[i].op, &last->op))
            kept |= 1U << i;
    return (uint8_t)kept;
}

static void check_stuck(void)
{
    for (int i = 0; i < run.thread_count; i++) {
        enum life life = run.threads[i].life;
        if (life != ENDED && !(run.model->may_wait >> i & 1))
            fail("%s waits for ever at %s(%s)", thread_name(i), run.threads[i].op->site->op,
                 run.threads[i].op->site->what);
    }
}

static uint64_t random_next(void)
{
    run.random ^= run.random << 13;
    run.random ^= run.random >> 7;
    run.random ^= run.random << 17;
    return run.random;
}

static int pick_of(unsigned set)
{
    if (run.model->random && random_next() % 2) {
        int n = (int)(random_next() % (unsigned)__builtin_popcount(set));
        while (n-- > 0)
            set &= set - 1;
    } else if (run.current >= 0 && (set >> run.current & 1)) {
        return run.current; /* the fewest switches: easier to read */
    }
    return __builtin_ctz(set);
}

/* A step that no schedule has made yet; false: the schedule ends here. */
static bool new_step(struct step *step)
{
    unsigned enabled = 0;
    for (int i = 0; i < run.thread_count; i++)
        if (can_go_on(&run.threads[i]))
            enabled |= 1U << i;
    if (!enabled) {
        check_stuck();
        return false;
    }
    uint8_t sleep = inherited_sleep();
    if (!(enabled & ~(unsigned)sleep)) {
        run.cut = true;
        return false;
    }
    int thread = pick_of(enabled & ~(unsigned)sleep);
    *step = (struct step){.thread = (uint8_t)thread,
                          .enabled = (uint8_t)enabled,
                          .backtrack = (uint8_t)(run.model->all ? enabled : 1U << thread),
                          .sleep = sleep,
                          .choices = 1};
    return true;
}

/* Called by a thread that stands before its next step, or has ended; goes to who is next. */
static void schedule(void)
{
    if (run.starting) {
        switch_to(-1);
        return;
    }
    if (run.step_count > 0)
        step_made(run.step_count - 1);
    if (run.step_count == STEPS_MAX)
        fail("limit STEPS_MAX: a schedule of more than %d steps; is there a loop without "
             "urd__spin_hint()?",
             STEPS_MAX);
    struct step *step = &run.steps[run.step_count];
    if (run.step_count >= run.replay && !new_step(step)) {
        switch_to(-1);
        return;
    }
    step->op = *run.threads[step->thread].op;
    run.step_count++;
    if (step->thread != run.current)
        switch_to(step->thread);
}

static void stand_before(struct op *op)
{
    struct thread *thread = &run.threads[run.current];
    thread->op = op;
    schedule();
    thread->op = NULL;
}

static struct step *this_step(void)
{
    return &run.steps[run.step_count - 1];
}

static int choose(int n)
{
    struct step *step = this_step();
    if (run.model->random)
        step->choice = (uint16_t)(random_next() % (unsigned)n);
    step->choices = (uint16_t)n;
    return step->choice;
}

/* Change the last step that has an alternative; false: all were visited. */
static bool next_schedule(void)
{
    for (int i = run.step_count - 1; i >= 0; i--) {
        struct step *step = &run.steps[i];
        run.replay = i + 1;
        run.fresh_from = i;
        if (step->choice + 1 < step->choices) {
            step->choice++;
            return true;
        }
        step->done |= (uint8_t)(1U << step->thread);
        unsigned left = step->backtrack & ~(unsigned)step->done & ~(unsigned)step->sleep;
        if (left) {
            step->thread = (uint8_t)__builtin_ctz(left);
            step->choice = 0;
            step->choices = 1;
            return true;
        }
    }
    return false;
}

static void start_thread(int thread)
{
    thread_prepare(&run.threads[thread]);
    if (_setjmp(run.main) == 0)
        go_to(thread);
}

static void call_outside(void (*fn)(void))
{
    if (fn && _setjmp(run.main) == 0) {
        run.inside = false;
        fn();
    }
    run.inside = true;
}

static void run_steps(void)
{
    if (_setjmp(run.main) == 0)
        schedule();
}

static void one_schedule(void)
{
    memory_reset(run.model->memory, run.model->stale_reads);
    race.schedule++;
    run.step_count = 0;
    run.tickets = 0;
    memset(run.arena, 0, run.arena_used);
    run.arena_used = 0;
    run.cut = false;
    run.current = -1;
    call_outside(run.model->setup);
    run.starting = true;
    for (int i = 0; i < run.thread_count && !run.over; i++)
        start_thread(i);
    run.starting = false;
    run.current = -1;
    if (!run.over)
        run_steps();
    if (!run.over && !run.cut)
        call_outside(run.model->finish);
}

void explore(const struct explore_model *model, struct explore_result *result)
{
    *result = (struct explore_result){0};
    run.model = model;
    run.result = result;
    run.over = false;
    run.replay = 0;
    run.fresh_from = 0;
    run.random = 88172645463325252U;
    run.thread_count = 0;
    while (run.thread_count < EXPLORE_THREADS_MAX && model->threads[run.thread_count])
        run.thread_count++;
    long schedules_max = model->schedules_max ? model->schedules_max : EXPLORE_SCHEDULES_MAX;
    bool more = true;
    while (more && !run.over) {
        one_schedule();
        *(run.cut ? &result->cut : &result->schedules) += 1;
        if (run.step_count > result->steps_max)
            result->steps_max = run.step_count;
        if (model->random)
            more = result->schedules < model->random;
        else
            more = next_schedule();
        if (result->schedules + result->cut >= schedules_max && more && !run.over) {
            result->failed = run.over = true;
            snprintf(result->message, sizeof result->message,
                     "limit schedules_max: more than %ld schedules", schedules_max);
            printf("  %s\n", result->message);
        }
    }
}

#include "explore_ops.h"

/* ---- The program --------------------------------------------------------------------------- */

static bool run_model(const struct explore_model *model)
{
    if (model->custom) {
        bool passed = model->custom();
        printf("%s %s\n", passed ? "ok" : "FAIL", model->name);
        return passed;
    }
    struct explore_result result;
    explore(model, &result);
    bool passed = result.failed == (model->expect != NULL) &&
                  (!model->expect || strstr(result.message, model->expect));
    if (!passed && model->expect)
        printf("  should have failed with: %s\n", model->expect);
    printf("%s %s: %ld schedules, %ld cut, %d steps at most\n", passed ? "ok" : "FAIL", model->name,
           result.schedules, result.cut, result.steps_max);
    fflush(stdout);
    return passed;
}

static bool wanted(const char *name, int count, char **names)
{
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return count == 0;
}

/* [--list | --until-failure] [NAME...] */
int main(int argc, char **argv)
{
    bool list = argc > 1 && strcmp(argv[1], "--list") == 0;
    bool until_failure = argc > 1 && strcmp(argv[1], "--until-failure") == 0;
    int names_at = list || until_failure ? 2 : 1;
    int run_count = 0;
    bool passed = true;
    for (const struct explore_model *model = explore_models; model->name; model++) {
        if (!wanted(model->name, argc - names_at, argv + names_at) || (until_failure && !passed))
            continue;
        run_count++;
        if (list)
            puts(model->name);
        else
            passed = run_model(model) && passed;
    }
    if (run_count == 0) {
        fprintf(stderr, "%s: no such model; --list names them\n", argv[0]);
        return 1;
    }
    if (!list && !race.on)
        printf("note: plain accesses were not checked; compile with -fsanitize=thread\n");
    return passed ? 0 : 1;
}
