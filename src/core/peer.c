/*
 * peer.c - give each process of the program a number, and note its end.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/peer.h"

#include <errno.h>
#include <limits.h>

#include "base/os.h"
#include "base/os_proc.h"

urd__place urd__place_own;

int urd__peers_open(void *heap, size_t bytes)
{
    void *at = NULL;
    int rc = urd__os_shared_map(&at, sizeof(urd__peers));
    if (rc < 0)
        return rc;
    urd__place_own = (urd__place){.peers = at, .low = (uintptr_t)heap, .bytes = bytes};
    urd__peers_begin(urd__peers_add()); /* the program itself is the first */
    return 0;
}

void urd__peers_close(void)
{
    if (urd__place_own.peers)
        urd__os_unmap(urd__place_own.peers, sizeof(urd__peers));
    urd__place_own = (urd__place){0};
}

uint32_t urd__peers_add(void)
{
    urd__peers *peers = urd__place_own.peers;
    for (int tried = 0; tried < URD__PEERS_MAX; tried++) {
        uint32_t number = peers->last % ((UINT32_C(1) << URD__PEER_BITS) - 2) + 1;
        uint32_t *place = &peers->living[number % URD__PEERS_MAX];
        peers->last = number;
        if (urd__load_acq(place) == 0) {
            urd__store_rel(place, number); /* [death] */
            return number;
        }
    }
    return 0;
}

void urd__peers_end(uint32_t number)
{
    urd__peers *peers = urd__place_own.peers;
    if (number == 0)
        return;
    urd__store_rel(&peers->living[number % URD__PEERS_MAX], 0); /* [death] */
    urd__add_ar(&peers->deaths, 1);                             /* [death] */
    urd__os_futex_wake_shared(&peers->deaths, INT_MAX);
}

void urd__peers_begin(uint32_t number)
{
    urd__place_own.self = number;
}
