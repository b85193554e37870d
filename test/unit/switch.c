/*
 * switch.c - the assembly: registers survive, stacks are aligned, debuggers find their way.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/switch.h"

#include <execinfo.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

enum { STACK_BYTES = 64 * 1024, ROUNDS = 1000, FRAMES_MAX = 64 };

/*
 * Fill every callee-saved register with a number of its own, made from `pattern`; switch; and look
 * at them when it comes back.  0, or the first that is not what it was.
 */
long survive(void **from, void *to, long pattern);

#if defined(__x86_64__)
#define FILL(number, reg) "leaq " #number "(%rdx), %" #reg "\n"
#define LOOK(number, reg)                                                                          \
    "movl $" #number ", %eax\n"                                                                    \
    "subq %rdx, %" #reg "\n"                                                                       \
    "cmpq $" #number ", %" #reg "\n"                                                               \
    "jne 1f\n"
#define EACH(do)                                                                                   \
    do                                                                                             \
    (1, rbx) do(2, rbp) do(3, r12) do(4, r13) do(5, r14) do(6, r15)

__asm__(
    ".text\n"
    ".type survive, @function\n"
    "survive:\n"
    "pushq %rbp\n pushq %rbx\n pushq %r12\n pushq %r13\n pushq %r14\n pushq %r15\n"
    "pushq %rdx\n" EACH(
        FILL) "callq urd__switch\n"
              "popq %rdx\n" EACH(
                  LOOK) "xorl %eax, %eax\n"
                        "1: popq %r15\n popq %r14\n popq %r13\n popq %r12\n popq %rbx\n popq %rbp\n"
                        "ret\n"
                        ".size survive, . - survive\n");
#elif defined(__aarch64__)
#define FILL(number, reg) "add " #reg ", x2, #" #number "\n"
#define FILL_D(number, reg) "add x9, x2, #" #number "\n fmov " #reg ", x9\n"
#define LOOK_AT(number)                                                                            \
    "mov x0, #" #number "\n"                                                                       \
    "sub x9, x9, x2\n"                                                                             \
    "cmp x9, #" #number "\n"                                                                       \
    "b.ne 1f\n"
#define LOOK(number, reg) "mov x9, " #reg "\n" LOOK_AT(number)
#define LOOK_D(number, reg) "fmov x9, " #reg "\n" LOOK_AT(number)
#define EACH(do)                                                                                   \
    do                                                                                             \
    (1, x19) do(2, x20) do(3, x21) do(4, x22) do(5, x23) do(6, x24) do(7, x25) do(8, x26) do(      \
        9, x27) do(10, x28) do(11, x29)
#define EACH_D(do)                                                                                 \
    do                                                                                             \
    (12, d8) do(13, d9) do(14, d10) do(15, d11) do(16, d12) do(17, d13) do(18, d14) do(19, d15)

__asm__(".text\n"
        ".type survive, %function\n"
        "survive:\n"
        "sub sp, sp, #176\n"
        "stp x19, x20, [sp, #0]\n stp x21, x22, [sp, #16]\n stp x23, x24, [sp, #32]\n"
        "stp x25, x26, [sp, #48]\n stp x27, x28, [sp, #64]\n stp x29, x30, [sp, #80]\n"
        "stp d8, d9, [sp, #96]\n stp d10, d11, [sp, #112]\n stp d12, d13, [sp, #128]\n"
        "stp d14, d15, [sp, #144]\n str x2, [sp, #160]\n" EACH(FILL)
            EACH_D(FILL_D) "bl urd__switch\n"
                           "ldr x2, [sp, #160]\n" EACH(LOOK)
                               EACH_D(LOOK_D) "mov x0, #0\n"
                                              "1: ldp x19, x20, [sp, #0]\n ldp x21, x22, [sp, "
                                              "#16]\n ldp x23, x24, [sp, #32]\n"
                                              "ldp x25, x26, [sp, #48]\n ldp x27, x28, [sp, #64]\n "
                                              "ldp x29, x30, [sp, #80]\n"
                                              "ldp d8, d9, [sp, #96]\n ldp d10, d11, [sp, #112]\n "
                                              "ldp d12, d13, [sp, #128]\n"
                                              "ldp d14, d15, [sp, #144]\n"
                                              "add sp, sp, #176\n"
                                              "ret\n"
                                              ".size survive, . - survive\n");
#endif

static struct {
    void *main, *other; /* contexts */
    long rounds;
    void *arg;
    uintptr_t frame;
    int depth;
} shared;

static unsigned char stack[STACK_BYTES] __attribute__((aligned(64)));

static void make(void (*fn)(void *), void *arg)
{
    shared.other = urd__switch_make(stack + sizeof stack, fn, arg);
    CHECK((unsigned char *)shared.other > stack);
    CHECK((unsigned char *)shared.other < stack + sizeof stack);
}

static void leave_registers_alone(void *arg)
{
    long pattern = (long)(intptr_t)arg;
    for (;;) {
        CHECK_EQ(survive(&shared.other, shared.main, pattern), 0);
        pattern += 0x100;
        shared.rounds++;
    }
}

TEST(callee_saved_registers_survive_on_both_sides)
{
    make(leave_registers_alone, (void *)0x7700000000);
    for (long i = 0; i < ROUNDS; i++)
        CHECK_EQ(survive(&shared.main, shared.other, -0x1000000 * i), 0);
    CHECK_EQ(shared.rounds, ROUNDS - 1);
}

static void note_start(void *arg)
{
    shared.arg = arg;
    shared.frame = (uintptr_t)__builtin_frame_address(0);
    for (;;)
        urd__switch(&shared.other, shared.main);
}

TEST(a_new_context_calls_its_function_with_its_argument_on_its_stack)
{
    int thing;
    make(note_start, &thing);
    urd__switch(&shared.main, shared.other);
    CHECK_PTR(shared.arg, &thing);
    CHECK_GT(shared.frame, (uintptr_t)stack);
    CHECK_LT(shared.frame, (uintptr_t)stack + sizeof stack);
}

TEST(the_stack_is_aligned_as_the_ABI_wants_it)
{
    make(note_start, NULL);
    urd__switch(&shared.main, shared.other);
    CHECK_EQ(shared.frame % 16, 0);
}

TEST(locals_live_on_while_others_run)
{
    make(leave_registers_alone, (void *)1);
    volatile long sum = 0;
    for (long i = 1; i <= ROUNDS; i++) {
        long squares[4] = {i, i * i, i + 1, -i};
        __asm__ volatile("" : : "r"(squares) : "memory");
        urd__switch(&shared.main, shared.other);
        sum += squares[0] + squares[1] - squares[2] - squares[3];
    }
    long want = 0;
    for (long i = 1; i <= ROUNDS; i++)
        want += i * i + i - 1;
    CHECK_EQ(sum, want);
}

static void come_back(void *arg)
{
    (void)arg;
}

static void let_it_return(void)
{
    make(come_back, NULL);
    urd__switch(&shared.main, shared.other);
}

TEST(a_function_that_returns_ends_the_program_at_once)
{
    struct test_child child;
    test_fork(&child, let_it_return);
    CHECK(child.signal == SIGILL || child.signal == SIGTRAP);
}

/* ---- Unwinding ------------------------------------------------------------------------------- */

static void count_frames(void *arg)
{
    (void)arg;
    void *frames[FRAMES_MAX];
    shared.depth = backtrace(frames, FRAMES_MAX);
    urd__switch(&shared.other, shared.main);
    __builtin_unreachable();
}

TEST(a_backtrace_ends_at_the_entry)
{
    make(count_frames, NULL);
    urd__switch(&shared.main, shared.other);
    CHECK_GE(shared.depth, 2); /* the function, and entry */
    CHECK_LE(shared.depth, 4);
}

__attribute__((noinline)) static int stop_here(int levels)
{
    void *frames[FRAMES_MAX];
    int n = backtrace(frames, FRAMES_MAX);
    __asm__ volatile("" : "+r"(levels));
    return n + levels;
}

static int look_in_task(void *arg)
{
    *(int *)arg = stop_here(0);
    int rc = urd_yield();
    return rc ? rc : urd_sleep(URD_MS);
}

static int start_tasks(void *arg)
{
    urd_scope s;
    urd_job job;
    urd_scope_open(&s);
    urd_job_open(&job, &s, URD_TASK, look_in_task, arg, 0, NULL);
    int rc = urd_job_join(&job); /* waits, so that the task gets a stack of its own */
    int joined = urd_scope_join(&s);
    return rc ? rc : joined;
}

TEST(a_backtrace_in_a_task_ends)
{
    int depth = 0;
    urd_config config = {.workers = 1, .virtual_clock = true, .processes = URD_PROCESSES_NONE};
    test_run_with(&config, start_tasks, &depth);
    CHECK_GE(depth, 4); /* stop_here, look_in_task, what runs it, entry */
    CHECK_LE(depth, 8);
}

enum { OUTPUT_BYTES = 1 << 20, STEPS = 40 };

static char output[OUTPUT_BYTES];

/* Exit code of gdb; what it wrote is in `output`. */
static int run_gdb(const char *script)
{
    char self[256] = "";
    CHECK_GT(readlink("/proc/self/exe", self, sizeof self - 1), 0);
    int fd = memfd_create("gdb", MFD_CLOEXEC);
    pid_t pid = fork();
    CHECK_GE(pid, 0);
    if (pid == 0) {
        dup2(fd, STDOUT_FILENO);
        dup2(fd, STDERR_FILENO);
        unsetenv("DEBUGINFOD_URLS");
        execlp("gdb", "gdb", "-nx", "-batch", "-x", script, "--args", self, "--no-fork",
               "a_backtrace_in_a_task_ends", NULL);
        _exit(127);
    }
    int status = 0;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    ssize_t n = pread(fd, output, sizeof output - 1, 0);
    output[n > 0 ? n : 0] = '\0';
    close(fd);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void debug(const char *commands)
{
    if (test_under_slow_tool())
        SKIP("gdb would see the tool, not the program");
    char script[64];
    int fd = memfd_create("script", 0);
    CHECK_EQ(write(fd, commands, strlen(commands)), strlen(commands));
    snprintf(script, sizeof script, "/proc/%d/fd/%d", getpid(), fd);
    int code = run_gdb(script);
    close(fd);
    if (code == 127)
        SKIP("gdb is not installed");
    if (strstr(output, "ptrace: Operation not permitted"))
        SKIP("gdb may not trace here");
    CHECK(!strstr(output, "Backtrace stopped"));
    CHECK(!strstr(output, "corrupt"));
    CHECK(!strstr(output, "Cannot access memory"));
}

TEST(gdb_shows_the_stack_of_a_task_to_its_entry)
{
    debug("break stop_here\n"
          "run\n"
          "bt\n"
          "kill\n");
    CHECK_CONTAINS(output, "in look_in_task");
    const char *bt = strstr(output, "in look_in_task"), *entry = strstr(bt, "in entry");
    CHECK(entry);
    CHECK_CONTAINS(entry, "\n");
    CHECK(!strstr(entry, "\n#")); /* nothing below it */
}

static int count_of(const char *text, const char *part)
{
    int n = 0;
    for (; (text = strstr(text, part)) != NULL; text++)
        n++;
    return n;
}

TEST(gdb_walks_the_stack_at_each_instruction_of_a_switch)
{
    char commands[4096] = "break stop_here\n"
                          "run\n"
                          "delete\n"
                          "break *urd__switch\n"
                          "continue\n"
                          "delete\n";
    for (int i = 0; i < STEPS; i++) {
        size_t used = strlen(commands);
        snprintf(commands + used, sizeof commands - used, "bt\nstepi\n");
    }
    debug(commands);
    /* From the task to the loop of the worker, which entry called too: each stack ends there. */
    /* clang's assembler calls the function urd.switch where it notes the lines. */
    CHECK_GE(count_of(output, "urd__switch (") + count_of(output, "urd.switch ("), 17);
    CHECK_EQ(count_of(output, " in entry ("), STEPS);
}
