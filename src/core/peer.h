/*
 * peer.h - the processes of the program: which of them live, and what memory they share.
 *
 * SPDX-License-Identifier: MIT
 *
 * Every process of the program has a number, which no other one gets before 2^30 have been made.
 * The zygote gives it, and takes it back when it has reaped the process: of a process whose number
 * does not live, no instruction runs any more.  If the zygote itself is killed, all others are, and
 * the program takes their numbers back when they have ended.
 *
 * Who waits for something that another process is to do reads `deaths`, looks whether that one
 * lives, and sleeps until the word it waits for or `deaths` is another.  A death is noted before it
 * is counted, and counted before those who sleep are woken; so a waiter either sees it as it looks,
 * or `deaths` is another by the time it would sleep.
 *
 * A process whose job returns says so before it exits: it has LEFT.  Of one that ends otherwise its
 * place says that it DIED, until another process gets the place: so that who asks late is told
 * nothing rather than something wrong.
 */
#ifndef URD_CORE_PEER_H
#define URD_CORE_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/atomic.h"

#ifdef URD_MODEL
enum { URD__PEERS_MAX = 8 };
#else
enum { URD__PEERS_MAX = 65536 };
#endif
enum { URD__PEER_BITS = 30 };
static const uint32_t URD__PEER_LEFT = UINT32_C(1) << 30, URD__PEER_DIED = UINT32_C(1) << 31;

/* In memory that all of them share. */
typedef struct urd__peers {
    int deaths;                      /* atomic, futex: processes that have ended */
    uint32_t last;                   /* the zygote's: the number given last */
    uint32_t living[URD__PEERS_MAX]; /* atomic, by number modulo their number; 0: none; with LEFT
                                        it still lives, with DIED it does not */
} urd__peers;

typedef struct urd__place {
    urd__peers *peers; /* NULL: this program has no processes; all three set before any thread */
    uintptr_t low;     /* the shared heap */
    size_t bytes;
    uint32_t self; /* the number of this process; set before its first job */
} urd__place;
extern urd__place urd__place_own;

/* In sizeof(urd__peers) bytes of `shared` memory, of zeros, as the first process of the program, or
 * as one of those that are there.  Before any thread. */
void urd__peers_open(void *shared, void *heap, size_t bytes);
void urd__peers_join(void *shared, void *heap, size_t bytes);
void urd__peers_close(void);

uint32_t urd__peers_add(void);          /* the zygote, before it forks; 0: there are too many */
void urd__peers_end(uint32_t number);   /* the zygote, when it has reaped it; 0: nothing */
void urd__peers_end_others(void);       /* the program, when none of the zygote's is left */
void urd__peers_begin(uint32_t number); /* the process itself */
void urd__peers_leave(void);            /* the process itself, whose job has returned */

/* Is this memory that several processes may use at a time? */
static inline bool urd__is_shared(const void *p)
{
    return (uintptr_t)p - urd__place_own.low < urd__place_own.bytes;
}

static inline bool urd__peer_lives(uint32_t number)
{
    const uint32_t *place = &urd__place_own.peers->living[number % URD__PEERS_MAX];
    return (urd__load_acq(place) & ~URD__PEER_LEFT) == number; /* [death] */
}

/* Has it ended, and its job not returned?  False also when that was very many processes ago. */
static inline bool urd__peer_died(uint32_t number)
{
    const uint32_t *place = &urd__place_own.peers->living[number % URD__PEERS_MAX];
    return urd__load_acq(place) == (number | URD__PEER_DIED); /* [death] */
}

static inline int urd__peers_deaths(void)
{
    return urd__load_acq(&urd__place_own.peers->deaths); /* [death] pairs with urd__peers_end() */
}

#endif
