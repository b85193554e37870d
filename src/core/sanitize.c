/*
 * sanitize.c - hooks of the tools that watch stacks.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/sanitize.h"

#ifdef URD_ASAN
#include <pthread.h>
#include <sanitizer/asan_interface.h>

static void asan_native(urd__task *task)
{
    pthread_attr_t attr;
    void *low = NULL;
    size_t size = 0;
    if (pthread_getattr_np(pthread_self(), &attr) != 0)
        return;
    pthread_attr_getstack(&attr, &low, &size);
    pthread_attr_destroy(&attr);
    task->stack = (urd__stack){.low = (uintptr_t)low, .high = (uintptr_t)low + size};
}

static void asan_dead(const urd__task *task)
{
    __asan_unpoison_memory_region((void *)task->stack.low, task->stack.high - task->stack.low);
}
#else
#define asan_native(task) ((void)(task))
#define asan_dead(task) ((void)(task))
#endif

#ifdef URD_TSAN
#define tsan_born(task) ((task)->fiber = __tsan_create_fiber(0))
#define tsan_native(task) ((task)->fiber = __tsan_get_current_fiber())
#else
#define tsan_born(task) ((void)(task))
#define tsan_native(task) ((void)(task))
#endif

#ifdef HAVE_VALGRIND
#include <valgrind/valgrind.h>

static void valgrind_born(urd__task *task)
{
    task->valgrind_id = VALGRIND_STACK_REGISTER(task->stack.low, task->stack.high);
}

static void valgrind_dead(const urd__task *task)
{
    VALGRIND_STACK_DEREGISTER(task->valgrind_id);
}
#else
#define valgrind_born(task) ((void)(task))
#define valgrind_dead(task) ((void)(task))
#endif

void urd__sanitize_born(urd__task *task)
{
    tsan_born(task);
    valgrind_born(task);
}

void urd__sanitize_dead(urd__task *task)
{
    asan_dead(task);
    valgrind_dead(task);
}

void urd__sanitize_native(urd__task *task)
{
    asan_native(task);
    tsan_native(task);
}

/* AddressSanitizer, when the program has it and the library has not: frames of the program are
 * then marked, which it would find in the copy. */
extern void __asan_init(void) __attribute__((weak));
extern void __hwasan_init(void) __attribute__((weak));

bool urd__sanitize_copies_stacks(void)
{
    if (__asan_init || __hwasan_init)
        return false;
#if defined(URD_ASAN) || defined(URD_TSAN)
    return false;
#elif defined(HAVE_VALGRIND)
    return !RUNNING_ON_VALGRIND;
#else
    return true;
#endif
}
