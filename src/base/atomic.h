/*
 * atomic.h - atomic access with the memory order in the name.
 *
 * SPDX-License-Identifier: MIT
 *
 * The only place that names the compiler's atomics, so that one header says how every shared word
 * is accessed and the model checker can take its place (URD_MODEL).
 *
 *   rlx   the access alone is atomic; a comment says why no order is needed
 *   acq   what follows here sees what came before the paired rel
 *   rel   what came before is seen by whoever reads this with acq
 *   ar    both, for read-modify-write
 *   seq   also in one order that all seq accesses share; needed where two threads each store and
 *         then load what the other stored
 *
 * The operands are plain objects, so that public structures stay valid C11 and C++.
 */
#ifndef URD_BASE_ATOMIC_H
#define URD_BASE_ATOMIC_H

#include <stdbool.h>

#ifdef URD_MODEL
#include "model_atomic.h"
#else

#define urd__load_rlx(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define urd__load_acq(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define urd__load_seq(p) __atomic_load_n((p), __ATOMIC_SEQ_CST)
#define urd__store_rlx(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define urd__store_rel(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define urd__store_seq(p, v) __atomic_store_n((p), (v), __ATOMIC_SEQ_CST)
#define urd__xchg_ar(p, v) __atomic_exchange_n((p), (v), __ATOMIC_ACQ_REL)
#define urd__add_rlx(p, v) __atomic_fetch_add((p), (v), __ATOMIC_RELAXED)
#define urd__add_ar(p, v) __atomic_fetch_add((p), (v), __ATOMIC_ACQ_REL)
#define urd__sub_ar(p, v) __atomic_fetch_sub((p), (v), __ATOMIC_ACQ_REL)
#define urd__or_ar(p, v) __atomic_fetch_or((p), (v), __ATOMIC_ACQ_REL)
#define urd__and_ar(p, v) __atomic_fetch_and((p), (v), __ATOMIC_ACQ_REL)
/* True if *p was *expected and is now v; otherwise *expected is what *p was. */
#define urd__cas_ar(p, expected, v)                                                                \
    __atomic_compare_exchange_n((p), (expected), (v), false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)

#if defined(__SANITIZE_THREAD__)
#define URD_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define URD_TSAN 1
#endif
#endif

/* ThreadSanitizer does not know fences; a seq read-modify-write of one word is as strong. */
#ifdef URD_TSAN
static inline void urd__fence_seq(void)
{
    static int word;
    __atomic_fetch_add(&word, 0, __ATOMIC_SEQ_CST);
}
#else
static inline void urd__fence_seq(void)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}
#endif

/* The cheap half of a fence: the compiler keeps the order, and who calls urd__os_barrier_all()
 * makes the processor keep it as well, when it matters. */
static inline void urd__fence_light(void)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* Tell the processor that this is a spinning loop. */
static inline void urd__spin_hint(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

#endif
#endif
