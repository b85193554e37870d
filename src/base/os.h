/*
 * os.h - the system calls of the runtime: memory, futex, time, threads, processors.
 *
 * SPDX-License-Identifier: MIT
 *
 * Every call returns 0 or a count, or a negative errno; this is where errno is read, once.  In the
 * fault-injecting build each may fail on demand, allocations too.
 */
#ifndef URD_BASE_OS_H
#define URD_BASE_OS_H

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What the next call is to fail with: 0, or a negative errno.  Only tests say other than 0. */
#ifdef URD_FAULT_INJECT
int urd__os_fault(void);
#else
static inline int urd__os_fault(void)
{
    return 0;
}
#endif

/* Memory from malloc, zeroed; NULL when there is none. */
void *urd__os_alloc(size_t size);
void *urd__os_alloc_aligned(size_t alignment, size_t size);
void urd__os_free(void *p);

/* Address space that costs nothing until touched.  *out is page-aligned. */
int urd__os_map(void **out, size_t size);
void urd__os_unmap(void *p, size_t size);
int urd__os_guard_install(void *p, size_t size); /* MADV_GUARD_INSTALL; -EINVAL: an older kernel */
int urd__os_protect_none(void *p, size_t size);
void urd__os_no_huge_pages(void *p, size_t size);
void urd__os_huge_pages(void *p, size_t size);
void urd__os_discard(void *p, size_t size); /* pages go back to the kernel */
size_t urd__os_page_bytes(void);

/* A seq fence in every running thread of this process, between what the caller did before and does
 * after; some 2 us with another one running.  Once opened: 0; -ENOSYS, -EPERM: there is none. */
int urd__os_barrier_open(void);
void urd__os_barrier_all(void);

int64_t urd__os_now(void); /* CLOCK_MONOTONIC, ns */
void urd__os_yield(void);
int urd__os_sleep_until(int64_t when); /* 0; -EINTR */

/* Wait while *word == value, until the time `until` (INT64_MAX: no end).  May return early. */
void urd__os_futex_wait(const int *word, int value, int64_t until);
void urd__os_futex_wake(const int *word, int count);

/* The same for words in memory that processes share. */
void urd__os_futex_wait_shared(const int *word, int value, int64_t until);
void urd__os_futex_wake_shared(const int *word, int count);

/* Wait while each of them is what it is said to be.  0: one is not, or was woken, or a signal came;
 * -ETIMEDOUT: the time `until` came (INT64_MAX: no end); -ENOSYS: a kernel before Linux 5.16. */
typedef struct urd__os_word {
    const int *word;
    int value;
    bool shared; /* it lies in memory that processes share */
} urd__os_word;
enum { OS_WORDS_MAX = 128 };
int urd__os_futex_wait_any(const urd__os_word *list, int n, int64_t until);

/* A thread that has been started; until its join. */
typedef struct urd__os_thread {
    pthread_t id;
    void *(*fn)(void *); /* these two set before it starts */
    void *arg;
} urd__os_thread;

/* Threads.  stack_bytes 0: the system's default.  All signals that come from outside are blocked
 * in it, so that handlers run on the program's own threads. */
int urd__os_thread_start(urd__os_thread *out, size_t stack_bytes, void *(*fn)(void *), void *arg);
void urd__os_thread_join(const urd__os_thread *thread);

/* Threads of this process that the above did not start, one of them the first; 0: not known.  A
 * thread of ours that is about to end counts as one of those for a moment. */
int urd__os_threads_foreign(void);
/* fn(arg) as the calling thread ends; but not the main thread's return from main().  The last call
 * of a thread counts, and all must give the same fn.  0, -EAGAIN, -ENOMEM. */
int urd__os_at_thread_end(void (*fn)(void *), void *arg);
void urd__os_thread_name(const char *name); /* of the caller; cut to what the kernel keeps */
pid_t urd__os_thread_id(void);              /* of the caller, in the kernel */
bool urd__os_is_main_thread(void);

/* The lowest address of the calling thread's stack that is sure to be usable. */
uintptr_t urd__os_stack_low(void);

int urd__os_cpus_allowed(void); /* by the affinity mask; at least 1 */
int urd__os_cpu(void);          /* on which the caller runs just now */

enum {
    OS_MASK_WORDS = 16
}; /* of a mask of processors, a bit each; more than that are left alone */

/* Thread `id` of this process is not to go on on processor `cpu`.  Its mask so far goes to `mask`,
 * for urd__os_put_back() by the thread itself.  False: it is as it was, since it may run nowhere
 * else, or the kernel refuses. */
bool urd__os_keep_off(pid_t id, int cpu, unsigned long mask[OS_MASK_WORDS]);
void urd__os_put_back(const unsigned long mask[OS_MASK_WORDS]);

/* The text of a small file, NUL-terminated and cut to size.  Bytes read. */
long urd__os_read_file(const char *path, char *out, size_t size);

/* Copy memory of a process, 0: this one.  0; -EFAULT it is not (all) there, -EPERM, -ESRCH.  Also
 * for memory that others write: a bad address is an error, no fault. */
int urd__os_read_memory(pid_t pid, uintptr_t from, void *to, size_t size);

/* The same for `count` pieces of `size` bytes each, one after the other into `to`.  How many. */
long urd__os_read_pieces(pid_t pid, const uintptr_t *from, size_t count, void *to, size_t size);
enum { OS_PIECES_MAX = 512 };

/* A performance event of a thread; attr is a struct perf_event_attr, cpu -1: wherever it runs.  Its
 * descriptor, closed on exec; or a negative errno: -EACCES, -EPERM, -ENOSYS it is not allowed,
 * -ENOENT there is none of the kind. */
int urd__os_perf_open(const void *attr, pid_t tid, int cpu);

/* Asks a thread what it does; of no use to anybody else, so programs do not have it. */
enum { OS_SAMPLE_SIGNAL = 16 /* SIGSTKFLT */ };

/* An alternative signal stack for this thread; on == NULL takes it away. */
int urd__os_signal_stack(void *on, size_t size);
bool urd__os_signal_stack_absent(void); /* this thread has none yet */
int urd__os_signal_action(int sig, const struct sigaction *action, struct sigaction *old);
void urd__os_signal_again(int sig); /* to the calling thread; from its handler, after that */

/* The stack pointer where a signal struck; context is the handler's third argument. */
uintptr_t urd__os_context_sp(const void *context);

/* All of them there, by their numbers in DWARF; and where it was. */
void urd__os_context_registers(const void *context, uint64_t *registers, uint64_t *pc);

/* A signal with a value for one thread of this process.  0, -ESRCH, -EAGAIN. */
int urd__os_signal_thread(pid_t thread, int sig, void *value);

int urd__os_write(int fd, const char *text, size_t size); /* whole; 0, or -errno */
void urd__os_write_error(const char *text, size_t size);  /* to stderr, whole */
int urd__os_terminal_columns(int fd);                     /* 0: it is no terminal */
const char *urd__os_program_name(void);

#endif
