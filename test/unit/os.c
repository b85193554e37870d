/*
 * os.c - the system calls of the runtime do what their names say, and give -errno.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/os.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/atomic.h"
#include "test.h"

/* ---- Memory ---------------------------------------------------------------------------------- */

static bool is_zero(const unsigned char *p, size_t size)
{
    return *p == 0 && memcmp(p, p + 1, size - 1) == 0;
}

/* Does the kernel find a byte there that it may read?  Asked without touching it from here. */
static bool readable(const void *p)
{
    int fd = memfd_create("probe", MFD_CLOEXEC);
    CHECK_GE(fd, 0);
    ssize_t n = pwrite(fd, p, 1, 0);
    CHECK(n == 1 || errno == EFAULT);
    close(fd);
    return n == 1;
}

TEST(memory_comes_filled_with_zeros)
{
    for (int i = 0; i < 100; i++) {
        unsigned char *p = urd__os_alloc(1000), *aligned = urd__os_alloc_aligned(64, 640);
        CHECK(p && aligned);
        CHECK(is_zero(p, 1000));
        CHECK(is_zero(aligned, 640));
        CHECK_EQ((uintptr_t)aligned % 64, 0);
        memset(p, 1, 1000);
        memset(aligned, 1, 640);
        urd__os_free(p);
        urd__os_free(aligned);
    }
    urd__os_free(NULL);
}

TEST(a_mapping_is_zeros_on_whole_pages_and_goes_away)
{
    size_t page = urd__os_page_bytes();
    CHECK_EQ(page, sysconf(_SC_PAGESIZE));
    void *p = NULL;
    CHECK_EQ(urd__os_map(&p, 4 * page), 0);
    CHECK_EQ((uintptr_t)p % page, 0);
    CHECK(is_zero(p, 4 * page));
    memset(p, 1, 4 * page);
    urd__os_no_huge_pages(p, 4 * page);
    urd__os_unmap(p, 4 * page);
    if (!test_under_slow_tool()) /* which would report the question itself */
        CHECK(!readable(p));
}

TEST(a_mapping_that_does_not_fit_gives_minus_ENOMEM)
{
    if (test_under_slow_tool())
        SKIP("the tool answers in the kernel's place");
    void *p = NULL;
    CHECK_EQ(urd__os_map(&p, SIZE_MAX / 2), -ENOMEM);
    CHECK_PTR(p, NULL);
}

TEST(discarded_pages_are_zeros_again)
{
    size_t page = urd__os_page_bytes();
    void *p = NULL;
    CHECK_EQ(urd__os_map(&p, 2 * page), 0);
    memset(p, 1, 2 * page);
    urd__os_discard(p, page);
    CHECK(is_zero(p, page));
    CHECK(!is_zero((unsigned char *)p + page, page));
    urd__os_unmap(p, 2 * page);
}

TEST(a_page_taken_away_cannot_be_read)
{
    size_t page = urd__os_page_bytes();
    void *p = NULL;
    CHECK_EQ(urd__os_map(&p, 2 * page), 0);
    CHECK(readable(p));
    CHECK_EQ(urd__os_protect_none(p, page), 0);
    CHECK(!readable(p));
    CHECK(readable((char *)p + page));
    urd__os_unmap(p, 2 * page);
}

TEST(a_guard_covers_its_pages_and_survives_a_discard)
{
    if (test_under_emulator())
        SKIP("the emulator accepts the advice and does nothing");
    size_t page = urd__os_page_bytes();
    void *p = NULL;
    CHECK_EQ(urd__os_map(&p, 4 * page), 0);
    int rc = urd__os_guard_install(p, 2 * page);
    if (rc == -EINVAL) {
        urd__os_unmap(p, 4 * page);
        SKIP("this kernel has no MADV_GUARD_INSTALL");
    }
    CHECK_EQ(rc, 0);
    for (int pass = 0; pass < 2; pass++) {
        CHECK(!readable(p));
        CHECK(!readable((char *)p + 2 * page - 1));
        CHECK(readable((char *)p + 2 * page));
        urd__os_discard(p, 4 * page);
    }
    urd__os_unmap(p, 4 * page);
}

/* ---- Time and futex -------------------------------------------------------------------------- */

TEST(now_is_the_monotonic_clock)
{
    struct timespec before, after;
    clock_gettime(CLOCK_MONOTONIC, &before);
    int64_t now = urd__os_now();
    clock_gettime(CLOCK_MONOTONIC, &after);
    CHECK_LE(before.tv_sec * URD_SECOND + before.tv_nsec, now);
    CHECK_LE(now, after.tv_sec * URD_SECOND + after.tv_nsec);
}

TEST(sleeping_ends_at_its_time_and_not_before)
{
    int64_t until = urd__os_now() + 2 * URD_MS;
    CHECK_EQ(urd__os_sleep_until(until), 0);
    CHECK_GE(urd__os_now(), until);
    CHECK_EQ(urd__os_sleep_until(0), 0);
}

static void on_signal(int sig)
{
    (void)sig;
}

TEST(a_signal_ends_sleeping_with_minus_EINTR)
{
    sigaction(SIGALRM, &(struct sigaction){.sa_handler = on_signal}, NULL);
    /* Again and again: the first could come before the wait. */
    struct itimerval soon = {.it_value = {.tv_usec = 1000}, .it_interval = {.tv_usec = 1000}};
    CHECK_EQ(setitimer(ITIMER_REAL, &soon, NULL), 0);
    CHECK_EQ(urd__os_sleep_until(urd__os_now() + 3600 * URD_SECOND), -EINTR);
    setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
}

TEST(a_futex_does_not_wait_for_what_is_not_so)
{
    int word = 1;
    errno = 77;
    urd__os_futex_wait(&word, 0, INT64_MAX);
    urd__os_futex_wait(&word, 1, urd__os_now() + URD_MS);
    urd__os_futex_wait(&word, 1, 0);
    urd__os_futex_wait(&word, 1, INT64_MIN);
    urd__os_futex_wake(&word, 1);
    CHECK_EQ(errno, 77);
}

TEST(a_futex_wait_with_an_end_lasts_until_then)
{
    int word = 0;
    int64_t until = urd__os_now() + 2 * URD_MS;
    while (urd__os_now() < until)
        urd__os_futex_wait(&word, 0, until);
    CHECK_GE(urd__os_now(), until);
}

static int ball; /* atomic, futex: whose turn it is */

static void *play(void *arg)
{
    int mine = *(int *)arg;
    for (int i = 0; i < 1000; i++) {
        while (urd__load_acq(&ball) != mine)
            urd__os_futex_wait(&ball, !mine, INT64_MAX);
        urd__store_rel(&ball, !mine);
        urd__os_futex_wake(&ball, 1);
    }
    return NULL;
}

TEST(a_wake_ends_a_wait)
{
    int first = 0, second = 1;
    urd__os_thread thread;
    CHECK_EQ(urd__os_thread_start(&thread, 0, play, &second), 0);
    play(&first);
    urd__os_thread_join(&thread);
    CHECK_EQ(ball, 0);
}

/* ---- Threads --------------------------------------------------------------------------------- */

struct seen {
    sigset_t mask;
    char name[32];
    bool main;
    uintptr_t here, low;
};

static void *look(void *arg)
{
    struct seen *seen = arg;
    int here = 0;
    seen->here = (uintptr_t)&here;
    seen->low = urd__os_stack_low();
    seen->main = urd__os_is_main_thread();
    pthread_sigmask(SIG_BLOCK, NULL, &seen->mask);
    urd__os_thread_name("a name that is much too long for it");
    pthread_getname_np(pthread_self(), seen->name, sizeof seen->name);
    return NULL;
}

static struct seen look_in_thread(size_t stack_bytes)
{
    struct seen seen = {0};
    urd__os_thread thread;
    CHECK_EQ(urd__os_thread_start(&thread, stack_bytes, look, &seen), 0);
    urd__os_thread_join(&thread);
    return seen;
}

TEST(a_thread_gets_no_signals_from_outside_but_its_own_faults)
{
    static const int outside[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGCHLD, SIGALRM, SIGWINCH};
    static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGPROF};
    struct seen seen = look_in_thread(0);
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++)
        CHECK_EQ(sigismember(&seen.mask, outside[i]), 1);
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        CHECK_EQ(sigismember(&seen.mask, own[i]), 0);
}

TEST(starting_a_thread_leaves_the_callers_signals_alone)
{
    sigset_t before, after;
    sigemptyset(&before);
    sigaddset(&before, SIGUSR2);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    look_in_thread(0);
    pthread_sigmask(SIG_BLOCK, NULL, &after);
    for (int sig = 1; sig < SIGRTMIN; sig++)
        CHECK_EQ(sigismember(&after, sig), sig == SIGUSR2);
}

TEST(a_threads_name_is_cut_to_what_the_kernel_keeps)
{
    CHECK_STR(look_in_thread(0).name, "a name that is ");
}

TEST(only_the_main_thread_is_the_main_thread)
{
    CHECK(urd__os_is_main_thread());
    CHECK(!look_in_thread(0).main);
}

TEST(the_low_end_of_a_threads_stack_is_its_size_below)
{
    enum { BYTES = 1024 * 1024 };
    if (test_under_slow_tool())
        SKIP("the tool has things of its own on the stack");
    struct seen seen = look_in_thread(BYTES);
    CHECK_LT(seen.low, seen.here);
    CHECK_LE(seen.here - seen.low, BYTES);
    CHECK_GT(seen.here - seen.low, BYTES / 2);
}

TEST(the_low_end_of_the_main_stack_is_a_sure_part_below)
{
    uintptr_t here = (uintptr_t)__builtin_frame_address(0), low = urd__os_stack_low();
    CHECK_GE(here - low, 512 * 1024);
    CHECK_LT(here - low, 512 * 1024 + 4096);
}

TEST(under_a_small_stack_limit_nothing_below_the_main_frame_is_sure)
{
    if (test_under_emulator())
        SKIP("the emulator keeps the limit to itself");
    CHECK_EQ(setrlimit(RLIMIT_STACK, &(struct rlimit){1024 * 1024, RLIM_INFINITY}), 0);
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    CHECK_LT(here - urd__os_stack_low(), 4096);
}

TEST(a_thread_with_too_small_a_stack_is_refused)
{
    urd__os_thread thread;
    CHECK_EQ(urd__os_thread_start(&thread, 1, look, NULL), -EINVAL);
}

/* ---- Processors, files, signals -------------------------------------------------------------- */

TEST(the_affinity_mask_counts)
{
    cpu_set_t all;
    CHECK_EQ(sched_getaffinity(0, sizeof all, &all), 0);
    CHECK_EQ(urd__os_cpus_allowed(), CPU_COUNT(&all));
    size_t cpu = 0;
    while (!CPU_ISSET(cpu, &all))
        cpu++;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    CHECK_EQ(sched_setaffinity(0, sizeof one, &one), 0);
    CHECK_EQ(urd__os_cpus_allowed(), 1);
}

TEST(a_file_is_read_as_text_and_cut_to_fit)
{
    char path[64], text[8];
    int fd = memfd_create("text", 0);
    CHECK_EQ(write(fd, "0123456789", 10), 10);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    CHECK_EQ(urd__os_read_file(path, text, sizeof text), 7);
    CHECK_STR(text, "0123456");
    char whole[32];
    CHECK_EQ(urd__os_read_file(path, whole, sizeof whole), 10);
    CHECK_STR(whole, "0123456789");
    close(fd);
    CHECK_EQ(urd__os_read_file("/nowhere/at/all", text, sizeof text), -ENOENT);
}

static struct sigaction start_of(void (*handler)(int))
{
    return (struct sigaction){.sa_handler = handler};
}

TEST(a_signal_action_is_set_and_the_old_one_told)
{
    struct sigaction ours = start_of(on_signal), old, now;
    CHECK_EQ(urd__os_signal_action(SIGUSR1, &ours, &old), 0);
    CHECK(old.sa_handler == SIG_DFL);
    CHECK_EQ(urd__os_signal_action(SIGUSR1, NULL, &now), 0);
    CHECK(now.sa_handler == on_signal);
    CHECK_EQ(urd__os_signal_action(SIGKILL, &ours, NULL), -EINVAL);
}

TEST(a_signal_stack_comes_and_goes)
{
    static char stack[256 * 1024];
    urd__os_signal_stack(NULL, 0); /* a sanitizer may have put its own there */
    CHECK(urd__os_signal_stack_absent());
    CHECK_EQ(urd__os_signal_stack(stack, sizeof stack), 0);
    CHECK(!urd__os_signal_stack_absent());
    CHECK_EQ(urd__os_signal_stack(NULL, 0), 0);
    CHECK(urd__os_signal_stack_absent());
    CHECK_EQ(urd__os_signal_stack(stack, 16), -ENOMEM);
}

enum { MUCH = 400000 };

static void *drain(void *arg)
{
    static char text[MUCH];
    long n = 0;
    for (ssize_t got; n < MUCH; n += got) {
        got = read(*(int *)arg, text + n, (size_t)(MUCH - n));
        if (got <= 0)
            break;
    }
    for (long i = 0; i < n; i++)
        CHECK_EQ(text[i], 'a' + i % 26);
    return (void *)n;
}

TEST(an_error_text_is_written_whole_and_errno_kept)
{
    static char text[MUCH];
    for (long i = 0; i < MUCH; i++)
        text[i] = (char)('a' + i % 26);
    int ends[2], saved = dup(STDERR_FILENO);
    pthread_t thread;
    void *n;
    CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
    CHECK_EQ(pthread_create(&thread, NULL, drain, &ends[0]), 0);
    dup2(ends[1], STDERR_FILENO);
    errno = 77;
    urd__os_write_error(text, MUCH);
    int kept = errno;
    dup2(saved, STDERR_FILENO);
    close(ends[1]);
    CHECK_EQ(kept, 77);
    CHECK_EQ(pthread_join(thread, &n), 0);
    CHECK_EQ((long)n, MUCH);
    close(ends[0]);
    close(saved);
}

TEST(an_error_text_with_nowhere_to_go_is_dropped)
{
    int saved = dup(STDERR_FILENO);
    close(STDERR_FILENO);
    errno = 77;
    urd__os_write_error("lost", 4);
    int kept = errno;
    dup2(saved, STDERR_FILENO);
    close(saved);
    CHECK_EQ(kept, 77);
}

TEST(the_program_has_a_name)
{
    CHECK_STR(urd__os_program_name(), "unit_os");
}

static void *count_foreign(void *arg)
{
    *(int *)arg = urd__os_threads_foreign();
    return NULL;
}

TEST(threads_of_ours_are_told_from_the_programs)
{
    if (test_under_slow_tool())
        SKIP("the tool has threads of its own");
    int seen = 0;
    urd__os_thread thread;
    pthread_t foreign;
    CHECK_EQ(urd__os_threads_foreign(), 1);
    CHECK_EQ(urd__os_thread_start(&thread, 0, count_foreign, &seen), 0);
    urd__os_thread_join(&thread);
    CHECK_EQ(seen, 1);
    CHECK_EQ(pthread_create(&foreign, NULL, count_foreign, &seen), 0);
    CHECK_EQ(pthread_join(foreign, NULL), 0);
    CHECK_EQ(seen, 2);
}

TEST(memory_is_copied_or_an_error)
{
    char from[] = "as it is", to[sizeof from] = "";
    CHECK_EQ(urd__os_read_memory(0, (uintptr_t)from, to, sizeof from), 0);
    CHECK_STR(to, "as it is");
    CHECK_EQ(urd__os_read_memory(0, 8, to, 1), -EFAULT);
    CHECK_LT(urd__os_read_memory(0x7ffffffe, (uintptr_t)from, to, 1), 0);
    uintptr_t pieces[] = {(uintptr_t)&from[3], (uintptr_t)&from[0], 8};
    if (test_under_emulator())
        return; /* which may not have the call */
    CHECK_EQ(urd__os_read_pieces(0, pieces, 3, to, 2), 2);
    CHECK_EQ(strncmp(to, "itas", 4), 0);
}

TEST(a_barrier_in_all_threads_can_be_made_once_it_is_opened)
{
    int rc = urd__os_barrier_open();
    if (rc)
        SKIP("this kernel or emulator has no membarrier: %d", -rc);
    urd__os_barrier_all();
    CHECK_EQ(urd__os_barrier_open(), 0);
}

TEST(an_event_is_a_descriptor_or_a_reason)
{
    struct perf_event_attr attr = {.size = sizeof attr,
                                   .type = PERF_TYPE_SOFTWARE,
                                   .config = PERF_COUNT_SW_TASK_CLOCK,
                                   .exclude_kernel = 1};
    int fd = urd__os_perf_open(&attr, 0, -1);
    if (fd >= 0)
        close(fd);
    else
        CHECK(fd == -EACCES || fd == -EPERM || fd == -ENOSYS || fd == -ENOENT);
    attr.type = 0x7ffffff0; /* there is none of the kind, or none is allowed */
    CHECK_LT(urd__os_perf_open(&attr, 0, -1), 0);
}
