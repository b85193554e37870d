/*
 * peer.c - give each process of the program a number, and note its end.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/peer.h"

#include <limits.h>

#include "base/os.h"

urd__place urd__place_own;

void urd__peers_join(void *shared, void *heap, size_t bytes)
{
    urd__place_own = (urd__place){.peers = shared, .low = (uintptr_t)heap, .bytes = bytes};
}

void urd__peers_open(void *shared, void *heap, size_t bytes)
{
    urd__peers_join(shared, heap, bytes);
    urd__peers_begin(urd__peers_add());
}

void urd__peers_close(void)
{
    urd__place_own = (urd__place){0};
}

uint32_t urd__peers_add(void)
{
    urd__peers *peers = urd__place_own.peers;
    for (int tried = 0; tried < URD__PEERS_MAX; tried++) {
        uint32_t number = peers->last % ((UINT32_C(1) << URD__PEER_BITS) - 2) + 1;
        uint32_t *place = &peers->living[number % URD__PEERS_MAX];
        peers->last = number;
        uint32_t before = urd__load_acq(place); /* [death] */
        if (before == 0 || (before & URD__PEER_DIED)) {
            urd__store_rel(place, number); /* [death] */
            return number;
        }
    }
    return 0;
}

static void forget(uint32_t *place, uint32_t number)
{
    bool left = urd__load_acq(place) & URD__PEER_LEFT;         /* [death] */
    urd__store_rel(place, left ? 0 : number | URD__PEER_DIED); /* [death] */
}

static void tell_all(urd__peers *peers)
{
    urd__add_ar(&peers->deaths, 1); /* [death] */
    urd__os_futex_wake_shared(&peers->deaths, INT_MAX);
}

void urd__peers_end(uint32_t number)
{
    urd__peers *peers = urd__place_own.peers;
    if (number == 0)
        return;
    forget(&peers->living[number % URD__PEERS_MAX], number);
    tell_all(peers);
}

void urd__peers_end_others(void)
{
    urd__peers *peers = urd__place_own.peers;
    for (int i = 0; i < URD__PEERS_MAX; i++) {
        uint32_t now = urd__load_acq(&peers->living[i]); /* [death] */
        uint32_t number = now & ~URD__PEER_LEFT;
        if (number && number != urd__place_own.self && !(now & URD__PEER_DIED))
            forget(&peers->living[i], number);
    }
    tell_all(peers);
}

void urd__peers_begin(uint32_t number)
{
    urd__place_own.self = number;
}

void urd__peers_leave(void)
{
    uint32_t own = urd__place_own.self;
    uint32_t *place = &urd__place_own.peers->living[own % URD__PEERS_MAX];
    urd__store_rel(place, own | URD__PEER_LEFT); /* [death] */
}
