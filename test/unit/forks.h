/*
 * forks.h - for tests whose process jobs have threads of their own: ThreadSanitizer lets them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TEST_UNIT_FORKS_H
#define TEST_UNIT_FORKS_H

#if defined(__SANITIZE_THREAD__)
#define UNDER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_TSAN 1
#endif
#endif

#ifdef UNDER_TSAN
/* It has a thread of its own, and by default forbids others after a fork. */
__attribute__((visibility("default"))) const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
    return "die_after_fork=0";
}
#endif

#endif
