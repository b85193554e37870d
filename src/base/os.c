/*
 * os.c - the system calls of the runtime; turns errno into -errno, once.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/os.h"

#include "base/atomic.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/check.h"
#include "base/os_proc.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

/* Below a main thread's frame this much is sure to be there under any usual stack limit. */
static const size_t MAIN_STACK_SURE_BYTES = (size_t)512 * 1024;

static int result(long rc)
{
    return rc < 0 ? -errno : (int)rc;
}

void *urd__os_alloc(size_t size)
{
    return urd__os_fault() ? NULL : calloc(1, size);
}

void *urd__os_alloc_aligned(size_t alignment, size_t size)
{
    void *p = urd__os_fault() ? NULL : aligned_alloc(alignment, size);
    if (p)
        memset(p, 0, size);
    return p;
}

void urd__os_free(void *p)
{
    free(p);
}

int urd__os_map(void **out, size_t size)
{
    int fault = urd__os_fault();
    if (fault)
        return fault;
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);
    if (p == MAP_FAILED)
        return -errno;
    *out = p;
    return 0;
}

void urd__os_unmap(void *p, size_t size)
{
    munmap(p, size);
}

int urd__os_guard_install(void *p, size_t size)
{
    int fault = urd__os_fault();
    return fault ? fault : result(madvise(p, size, MADV_GUARD_INSTALL));
}

int urd__os_protect_none(void *p, size_t size)
{
    int fault = urd__os_fault();
    return fault ? fault : result(mprotect(p, size, PROT_NONE));
}

void urd__os_no_huge_pages(void *p, size_t size)
{
    madvise(p, size, MADV_NOHUGEPAGE); /* a kernel without huge pages refuses; so much the better */
}

void urd__os_huge_pages(void *p, size_t size)
{
    madvise(p, size, MADV_HUGEPAGE); /* the same; then pages of the usual size serve */
}

void urd__os_discard(void *p, size_t size)
{
    madvise(p, size, MADV_DONTNEED);
}

size_t urd__os_page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static struct timespec timespec_of(int64_t ns)
{
    const int64_t second = 1000000000;
    return (struct timespec){.tv_sec = ns / second, .tv_nsec = ns % second};
}

int urd__os_barrier_open(void)
{
    int fault = urd__os_fault();
    return fault ? fault
                 : result(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0));
}

void urd__os_barrier_all(void)
{
    int rc = result(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0));
    if (rc)
        urd__die("membarrier: error %d", -rc);
}

int64_t urd__os_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void urd__os_yield(void)
{
    sched_yield();
}

int urd__os_sleep_until(int64_t when)
{
    struct timespec until = timespec_of(when);
    return -clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

static void futex_wait(const int *word, int value, int64_t until, int flags)
{
    struct timespec at, *timeout = NULL;
    if (until != INT64_MAX) {
        at = timespec_of(until > 0 ? until : 0);
        timeout = &at;
    }
    int saved = errno;
    syscall(SYS_futex, word, FUTEX_WAIT_BITSET | flags, value, timeout, NULL,
            FUTEX_BITSET_MATCH_ANY);
    errno = saved;
}

static void futex_wake(const int *word, int count, int flags)
{
    int saved = errno;
    syscall(SYS_futex, word, FUTEX_WAKE | flags, count);
    errno = saved;
}

void urd__os_futex_wait(const int *word, int value, int64_t until)
{
    futex_wait(word, value, until, FUTEX_PRIVATE_FLAG);
}

void urd__os_futex_wake(const int *word, int count)
{
    futex_wake(word, count, FUTEX_PRIVATE_FLAG);
}

void urd__os_futex_wait_shared(const int *word, int value, int64_t until)
{
    futex_wait(word, value, until, 0);
}

void urd__os_futex_wake_shared(const int *word, int count)
{
    futex_wake(word, count, 0);
}

int urd__os_futex_wait_any(const urd__os_word *list, int n, int64_t until)
{
#ifdef SYS_futex_waitv
    struct futex_waitv words[OS_WORDS_MAX];
    struct timespec at, *timeout = NULL;
    if (urd__os_under_valgrind()) /* which does not know the call */
        return -ENOSYS;
    if (until != INT64_MAX) {
        at = timespec_of(until > 0 ? until : 0);
        timeout = &at;
    }
    for (int i = 0; i < n; i++)
        words[i] =
            (struct futex_waitv){.uaddr = (uintptr_t)list[i].word,
                                 .val = (unsigned)list[i].value,
                                 .flags = FUTEX_32 | (list[i].shared ? 0 : FUTEX_PRIVATE_FLAG)};
    int saved = errno;
    int rc = result(syscall(SYS_futex_waitv, words, n, 0, timeout, CLOCK_MONOTONIC));
    errno = saved;
    return rc == -ETIMEDOUT || rc == -ENOSYS ? rc : 0;
#else
    (void)list;
    (void)n;
    (void)until;
    return -ENOSYS;
#endif
}

/* All but what the thread itself causes (SIGSEGV), which must reach it. */
static void fill_outside_signals(sigset_t *set)
{
    static const int own[] = {SIGSEGV, SIGBUS, SIGFPE,  SIGILL,          SIGTRAP,
                              SIGABRT, SIGSYS, SIGPROF, OS_SAMPLE_SIGNAL};
    sigfillset(set);
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        sigdelset(set, own[i]);
}

/* Started below and not about to end. */
static int own_threads; /* atomic */

static void *thread_main(void *arg)
{
    const urd__os_thread *self = arg;
    urd__add_ar(&own_threads, 1);
    void *result = self->fn(self->arg);
    urd__sub_ar(&own_threads, 1);
    return result;
}

int urd__os_threads_foreign(void)
{
    enum { TEXT_BYTES = 4096 };
    char text[TEXT_BYTES];
    int own = urd__load_acq(&own_threads); /* first: one that starts meanwhile is foreign */
    if (urd__os_read_file("/proc/self/status", text, sizeof text) <= 0)
        return 0;
    const char *line = strstr(text, "\nThreads:");
    long all = line ? strtol(line + strlen("\nThreads:"), NULL, 10) : 0;
    return all > own ? (int)(all - own) : 0;
}

/* Its thread is given the caller's memory: a free() of its own would make the C library set up its
 * cache for this thread, and take it down again. */
int urd__os_thread_start(urd__os_thread *out, size_t stack_bytes, void *(*fn)(void *), void *arg)
{
    int fault = urd__os_fault();
    if (fault)
        return fault;
    pthread_attr_t attr;
    int rc = pthread_attr_init(&attr);
    if (rc)
        return -rc;
    if (stack_bytes)
        rc = pthread_attr_setstacksize(&attr, stack_bytes);
    sigset_t set;
    fill_outside_signals(&set);
    if (rc == 0)
        rc = pthread_attr_setsigmask_np(&attr, &set);
    out->fn = fn;
    out->arg = arg;
    if (rc == 0)
        rc = pthread_create(&out->id, &attr, thread_main, out);
    pthread_attr_destroy(&attr);
    return -rc;
}

void urd__os_thread_join(const urd__os_thread *thread)
{
    int rc = pthread_join(thread->id, NULL);
    urd__assert(rc == 0);
}

int urd__os_at_thread_end(void (*fn)(void *), void *arg)
{
    static pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER;
    static pthread_key_t key;
    static bool made;
    int rc = urd__os_fault();
    if (rc)
        return rc;
    pthread_mutex_lock(&making);
    if (!made)
        rc = pthread_key_create(&key, fn);
    made = rc == 0;
    pthread_mutex_unlock(&making);
    return rc ? -rc : -pthread_setspecific(key, arg);
}

void urd__os_thread_name(const char *name)
{
    enum { KERNEL_NAME_BYTES = 16 };
    char cut[KERNEL_NAME_BYTES] = {0};
    memcpy(cut, name, strnlen(name, KERNEL_NAME_BYTES - 1));
    pthread_setname_np(pthread_self(), cut);
}

pid_t urd__os_thread_id(void)
{
    return (pid_t)syscall(SYS_gettid);
}

bool urd__os_is_main_thread(void)
{
    return urd__os_thread_id() == getpid();
}

uintptr_t urd__os_stack_low(void)
{
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    if (urd__os_is_main_thread()) {
        /* pthread_getattr_np would read all of /proc/self/maps here. */
        struct rlimit limit;
        bool small = getrlimit(RLIMIT_STACK, &limit) != 0 ||
                     limit.rlim_cur < 4 * (rlim_t)MAIN_STACK_SURE_BYTES;
        return small ? here : here - MAIN_STACK_SURE_BYTES;
    }
    pthread_attr_t attr;
    if (pthread_getattr_np(pthread_self(), &attr) != 0)
        return here;
    void *low = NULL;
    size_t size = 0;
    pthread_attr_getstack(&attr, &low, &size);
    pthread_attr_destroy(&attr);
    return low ? (uintptr_t)low : here;
}

int urd__os_cpus_allowed(void)
{
    enum { CPUS_MAX = 8192 };
    size_t size = CPU_ALLOC_SIZE(CPUS_MAX);
    cpu_set_t *set = CPU_ALLOC(CPUS_MAX);
    int n = 1;
    if (set && sched_getaffinity(0, size, set) == 0)
        n = CPU_COUNT_S(size, set);
    CPU_FREE(set);
    return n > 0 ? n : 1;
}

int urd__os_cpu(void)
{
    int cpu = sched_getcpu();
    return cpu > 0 ? cpu : 0;
}

bool urd__os_keep_off(pid_t id, int cpu, unsigned long mask[OS_MASK_WORDS])
{
    enum { BITS = 8 * sizeof(unsigned long) };
    const size_t size = OS_MASK_WORDS * sizeof *mask;
    unsigned long less[OS_MASK_WORDS];
    memset(mask, 0, size); /* the kernel writes as much as it has processors */
    if (cpu >= OS_MASK_WORDS * BITS || sched_getaffinity(id, size, (cpu_set_t *)mask) != 0)
        return false;
    memcpy(less, mask, size);
    less[cpu / BITS] &= ~(1UL << (cpu % BITS));
    return sched_setaffinity(id, size, (const cpu_set_t *)less) == 0; /* EINVAL: none is left */
}

void urd__os_put_back(const unsigned long mask[OS_MASK_WORDS])
{
    sched_setaffinity(0, OS_MASK_WORDS * sizeof *mask, (const cpu_set_t *)mask);
}

long urd__os_read_file(const char *path, char *out, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    size_t used = 0;
    while (used + 1 < size) {
        ssize_t n = read(fd, out + used, size - 1 - used);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        used += (size_t)n;
    }
    close(fd);
    out[used] = '\0';
    return (long)used;
}

/* Where process_vm_readv is not to be had (emulators), for our own memory: the kernel says whether
 * it can read what is written to a pipe. */
static int read_own_memory(uintptr_t from, void *to, size_t size)
{
    enum { PIECE = 4096 };
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return -errno;
    int rc = 0;
    for (size_t done = 0; done < size && rc == 0;) {
        size_t n = size - done < PIECE ? size - done : PIECE;
        // NOLINTNEXTLINE(performance-no-int-to-ptr)
        bool moved = write(ends[1], (const void *)(from + done), n) == (ssize_t)n &&
                     read(ends[0], (char *)to + done, n) == (ssize_t)n;
        rc = moved ? 0 : -EFAULT;
        done += n;
    }
    close(ends[0]);
    close(ends[1]);
    return rc;
}

int urd__os_read_memory(pid_t pid, uintptr_t from, void *to, size_t size)
{
    int saved = errno; /* also from a signal handler */
    struct iovec local = {to, size};
    struct iovec remote = {(void *)from, size}; // NOLINT(performance-no-int-to-ptr)
    long n = syscall(SYS_process_vm_readv, pid ? pid : getpid(), &local, 1UL, &remote, 1UL, 0UL);
    int rc = n == (long)size ? 0 : n < 0 ? -errno : -EFAULT;
    if (rc && rc != -EFAULT && pid == 0)
        rc = read_own_memory(from, to, size);
    errno = saved;
    return rc;
}

long urd__os_read_pieces(pid_t pid, const uintptr_t *from, size_t count, void *to, size_t size)
{
    struct iovec local = {to, count * size}, remote[OS_PIECES_MAX];
    count = count < OS_PIECES_MAX ? count : OS_PIECES_MAX;
    for (size_t i = 0; i < count; i++)
        remote[i] = (struct iovec){(void *)from[i], size}; // NOLINT(performance-no-int-to-ptr)
    long n = syscall(SYS_process_vm_readv, pid ? pid : getpid(), &local, 1UL, remote, count, 0UL);
    return n < 0 ? 0 : n / (long)size;
}

int urd__os_perf_open(const void *attr, pid_t tid, int cpu)
{
    return result(syscall(SYS_perf_event_open, attr, tid, cpu, -1, PERF_FLAG_FD_CLOEXEC));
}

int urd__os_signal_stack(void *on, size_t size)
{
    stack_t stack = {.ss_sp = on, .ss_size = size, .ss_flags = on ? 0 : SS_DISABLE};
    return result(sigaltstack(&stack, NULL));
}

bool urd__os_signal_stack_absent(void)
{
    stack_t now;
    return sigaltstack(NULL, &now) == 0 && (now.ss_flags & SS_DISABLE);
}

int urd__os_signal_action(int sig, const struct sigaction *action, struct sigaction *old)
{
    return result(sigaction(sig, action, old));
}

void urd__os_signal_again(int sig)
{
    raise(sig);
}

uintptr_t urd__os_context_sp(const void *context)
{
    const ucontext_t *at = context;
#if defined(__x86_64__)
    return (uintptr_t)at->uc_mcontext.gregs[REG_RSP];
#else
    return (uintptr_t)at->uc_mcontext.sp;
#endif
}

void urd__os_context_registers(const void *context, uint64_t *registers, uint64_t *pc)
{
    const ucontext_t *at = context;
#if defined(__x86_64__)
    static const int order[] = {REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI,
                                REG_RBP, REG_RSP, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                REG_R12, REG_R13, REG_R14, REG_R15, REG_RIP};
    for (size_t i = 0; i < sizeof order / sizeof *order; i++)
        registers[i] = (uint64_t)at->uc_mcontext.gregs[order[i]];
    *pc = (uint64_t)at->uc_mcontext.gregs[REG_RIP];
#else
    enum { GENERAL = 31 };
    for (size_t i = 0; i < GENERAL; i++)
        registers[i] = at->uc_mcontext.regs[i];
    registers[GENERAL] = at->uc_mcontext.sp;
    *pc = at->uc_mcontext.pc;
#endif
}

int urd__os_signal_thread(pid_t thread, int sig, void *value)
{
    siginfo_t info = {.si_signo = sig, .si_code = SI_QUEUE};
    info.si_pid = getpid();
    info.si_uid = getuid();
    info.si_value.sival_ptr = value;
    return result(syscall(SYS_rt_tgsigqueueinfo, getpid(), thread, sig, &info));
}

int urd__os_write(int fd, const char *text, size_t size)
{
    int saved = errno, rc = 0;
    while (size > 0 && rc == 0) {
        ssize_t n = write(fd, text, size);
        if (n < 0 && errno == EINTR)
            continue;
        rc = n < 0 ? -errno : n == 0 ? -EIO : 0;
        text += n > 0 ? n : 0;
        size -= n > 0 ? (size_t)n : 0;
    }
    errno = saved;
    return rc;
}

void urd__os_write_error(const char *text, size_t size)
{
    urd__os_write(STDERR_FILENO, text, size);
}

int urd__os_terminal_columns(int fd)
{
    enum { COLUMNS_USUAL = 80 };
    struct winsize size = {0};
    int saved = errno;
    bool terminal = ioctl(fd, TIOCGWINSZ, &size) == 0;
    errno = saved;
    return !terminal ? 0 : size.ws_col ? size.ws_col : COLUMNS_USUAL;
}

const char *urd__os_program_name(void)
{
    return program_invocation_short_name;
}
