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
void urd__os_discard(void *p, size_t size); /* pages go back to the kernel */
size_t urd__os_page_bytes(void);

int64_t urd__os_now(void); /* CLOCK_MONOTONIC, ns */
void urd__os_yield(void);
int urd__os_sleep_until(int64_t when); /* 0; -EINTR */

/* Wait while *word == value, until the time `until` (INT64_MAX: no end).  May return early. */
void urd__os_futex_wait(const int *word, int value, int64_t until);
void urd__os_futex_wake(const int *word, int count);

/* Threads.  stack_bytes 0: the system's default.  All signals that come from outside are blocked
 * in it, so that handlers run on the program's own threads. */
int urd__os_thread_start(pthread_t *out, size_t stack_bytes, void *(*fn)(void *), void *arg);
void urd__os_thread_join(pthread_t thread);
void urd__os_thread_name(const char *name); /* of the caller; cut to what the kernel keeps */
pid_t urd__os_thread_id(void); /* of the caller, in the kernel */
bool urd__os_is_main_thread(void);

/* The lowest address of the calling thread's stack that is sure to be usable. */
uintptr_t urd__os_stack_low(void);

int urd__os_cpus_allowed(void); /* by the affinity mask; at least 1 */

/* The text of a small file, NUL-terminated and cut to size.  Bytes read. */
long urd__os_read_file(const char *path, char *out, size_t size);

/* An alternative signal stack for this thread; on == NULL takes it away. */
int urd__os_signal_stack(void *on, size_t size);
bool urd__os_signal_stack_absent(void); /* this thread has none yet */
int urd__os_signal_action(int sig, const struct sigaction *action, struct sigaction *old);

/* The stack pointer where a signal struck; context is the handler's third argument. */
uintptr_t urd__os_context_sp(const void *context);

void urd__os_write_error(const char *text, size_t size); /* to stderr, whole */
const char *urd__os_program_name(void);

#endif
