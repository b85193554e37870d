/*
 * sanitize.h - tell AddressSanitizer, ThreadSanitizer and Valgrind about stacks and switches.
 *
 * SPDX-License-Identifier: MIT
 *
 * Every function is empty where its tool is not compiled in.
 */
#ifndef URD_CORE_SANITIZE_H
#define URD_CORE_SANITIZE_H

#include "base/atomic.h"
#include "core/task.h"
#include "core/worker.h"

#if defined(__SANITIZE_ADDRESS__)
#define URD_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define URD_ASAN 1
#endif
#endif

#ifdef URD_ASAN
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#endif
#ifdef URD_TSAN
#include <sanitizer/tsan_interface.h>
#endif

/* ThreadSanitizer declares all fibers dead in a fork. */
#ifdef URD_TSAN
enum { URD__STACKS_SURVIVE_FORK = 0 };
#else
enum { URD__STACKS_SURVIVE_FORK = 1 };
#endif

/* ThreadSanitizer sees one process: what came to this thread by way of another process, which read
 * it at the atomic p, is in its eyes unordered.  Said where the order does not hang on p alone. */
static inline void urd__sanitize_told(void *p)
{
    (void)p;
#ifdef URD_TSAN
    __tsan_acquire(p);
#endif
}

/*
 * Around a switch: before by `from`; after by whoever goes on, which was `self`.  ending: `from`
 * never goes on.  Inlined, since ThreadSanitizer notes the entry and the exit of every function:
 * one that entered in one fiber must not leave in another.
 */
__attribute__((always_inline)) static inline void urd__sanitize_before(urd__worker *worker,
                                                                       urd__task *from,
                                                                       urd__task *to, bool ending)
{
    (void)worker, (void)from, (void)to, (void)ending;
#ifdef URD_ASAN
    __sanitizer_start_switch_fiber(ending ? NULL : &from->fake_stack, (void *)to->stack.low,
                                   to->stack.high - to->stack.low);
#endif
#ifdef URD_TSAN
    if (ending)
        worker->dead_fiber = from->fiber;
    __tsan_switch_to_fiber(to->fiber, 0);
#endif
}

__attribute__((always_inline)) static inline void urd__sanitize_after(urd__task *self)
{
    (void)self;
#ifdef URD_ASAN
    __sanitizer_finish_switch_fiber(self->fake_stack, NULL, NULL);
#endif
#ifdef URD_TSAN
    if (self->worker->dead_fiber)
        __tsan_destroy_fiber(self->worker->dead_fiber);
    self->worker->dead_fiber = NULL;
#endif
}

/* A task gets its stack; its stack is given back, or used anew. */
void urd__sanitize_born(urd__task *task);
void urd__sanitize_dead(urd__task *task);

/* Mapped memory in which pointers to allocated memory lie, for good. */
static inline void urd__sanitize_mapped(const void *p, size_t size)
{
    (void)p, (void)size;
#ifdef URD_ASAN
    __lsan_register_root_region(p, size);
#endif
}

/* May a stack be copied away, and back?  What watches stacks takes that for something else. */
bool urd__sanitize_copies_stacks(void);

/* The thread's own stack, of a task that did not get one from us. */
void urd__sanitize_native(urd__task *task);

#endif
