/*
 * model_atomic.h - the operations of base/atomic.h as steps of the explorer (URD_MODEL).
 *
 * SPDX-License-Identifier: MIT
 *
 * Operands are objects of 1, 2, 4 or 8 bytes, or pointers.
 */
#ifndef MODEL_ATOMIC_H
#define MODEL_ATOMIC_H

#include "explore.h"

#define MODEL_OBJECT(p) ((void *)(uintptr_t)(p)), sizeof *(p)
#define MODEL_VALUE(v) ((uint64_t)(uintptr_t)(v))

#define MODEL_LOAD(name, p, order)                                                                 \
    ((__typeof__(*(p)))(uintptr_t)explore_load_at(EXPLORE_SITE(name, #p), MODEL_OBJECT(p), order))
#define MODEL_STORE(name, p, v, order)                                                             \
    explore_store_at(EXPLORE_SITE(name, #p), MODEL_OBJECT(p), MODEL_VALUE(v), order)
#define MODEL_RMW(name, p, v, rmw, order)                                                          \
    __extension__({                                                                                \
        (__typeof__(*(p)))(uintptr_t)explore_rmw_at(EXPLORE_SITE(name, #p), MODEL_OBJECT(p), rmw,  \
                                                    MODEL_VALUE(v), order);                        \
    })
#define MODEL_CAS(name, p, expected, v, order)                                                     \
    explore_cas_at(EXPLORE_SITE(name, #p), MODEL_OBJECT(p), (expected), MODEL_VALUE(v), order)

#define urd__load_rlx(p) MODEL_LOAD("load_rlx", p, EXPLORE_RLX)
#define urd__load_acq(p) MODEL_LOAD("load_acq", p, EXPLORE_ACQ)
#define urd__load_seq(p) MODEL_LOAD("load_seq", p, EXPLORE_SEQ)
#define urd__store_rlx(p, v) MODEL_STORE("store_rlx", p, v, EXPLORE_RLX)
#define urd__store_rel(p, v) MODEL_STORE("store_rel", p, v, EXPLORE_REL)
#define urd__store_seq(p, v) MODEL_STORE("store_seq", p, v, EXPLORE_SEQ)
#define urd__xchg_ar(p, v) MODEL_RMW("xchg_ar", p, v, EXPLORE_XCHG, EXPLORE_AR)
#define urd__add_rlx(p, v) MODEL_RMW("add_rlx", p, v, EXPLORE_ADD, EXPLORE_RLX)
#define urd__add_ar(p, v) MODEL_RMW("add_ar", p, v, EXPLORE_ADD, EXPLORE_AR)
#define urd__sub_ar(p, v) MODEL_RMW("sub_ar", p, v, EXPLORE_SUB, EXPLORE_AR)
#define urd__or_ar(p, v) MODEL_RMW("or_ar", p, v, EXPLORE_OR, EXPLORE_AR)
#define urd__and_ar(p, v) MODEL_RMW("and_ar", p, v, EXPLORE_AND, EXPLORE_AR)
#define urd__cas_ar(p, expected, v) MODEL_CAS("cas_ar", p, expected, v, EXPLORE_AR)

/* Only mutants use these: a read-modify-write whose order was taken away. */
#define urd__xchg_rlx(p, v) MODEL_RMW("xchg_rlx", p, v, EXPLORE_XCHG, EXPLORE_RLX)
#define urd__sub_rlx(p, v) MODEL_RMW("sub_rlx", p, v, EXPLORE_SUB, EXPLORE_RLX)
#define urd__or_rlx(p, v) MODEL_RMW("or_rlx", p, v, EXPLORE_OR, EXPLORE_RLX)
#define urd__cas_rlx(p, expected, v) MODEL_CAS("cas_rlx", p, expected, v, EXPLORE_RLX)

#define urd__fence_seq() explore_fence_at(EXPLORE_SITE("fence_seq", ""))
#define urd__fence_light() ((void)0) /* the processor keeps no order */
#define urd__spin_hint() explore_yield_at(EXPLORE_SITE("spin_hint", ""))

#endif
