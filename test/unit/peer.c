/*
 * peer.c - the numbers of processes: each once, and gone when the process is.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/peer.h"

#include <string.h>

#include "test.h"

static void begin(void *heap, size_t bytes)
{
    static urd__peers peers;
    memset(&peers, 0, sizeof peers);
    urd__peers_open(&peers, heap, bytes);
}

TEST(without_processes_nothing_is_shared)
{
    int here = 0;
    CHECK(!urd__is_shared(&here));
    CHECK(!urd__is_shared(NULL));
}

TEST(what_lies_in_the_heap_is_shared_and_its_neighbours_are_not)
{
    static char heap[100];
    begin(heap + 10, 50);
    CHECK(!urd__is_shared(heap + 9));
    CHECK(urd__is_shared(heap + 10));
    CHECK(urd__is_shared(heap + 59));
    CHECK(!urd__is_shared(heap + 60));
    urd__peers_close();
    CHECK(!urd__is_shared(heap + 10));
}

TEST(each_process_has_a_number_until_it_ends)
{
    begin(NULL, 0);
    uint32_t own = urd__place_own.self, a = urd__peers_add(), b = urd__peers_add();
    CHECK(own && a && b && own != a && a != b);
    CHECK(urd__peer_lives(own) && urd__peer_lives(a) && urd__peer_lives(b));
    CHECK_EQ(urd__peers_deaths(), 0);
    urd__peers_end(a);
    urd__peers_end(0);
    CHECK(!urd__peer_lives(a) && urd__peer_lives(b));
    CHECK_EQ(urd__peers_deaths(), 1);
    urd__peers_close();
}

TEST(who_died_is_known_from_who_left)
{
    begin(NULL, 0);
    uint32_t own = urd__place_own.self, leaves = urd__peers_add(), dies = urd__peers_add();
    urd__peers_begin(leaves);
    urd__peers_leave();
    urd__peers_begin(own);
    CHECK(urd__peer_lives(leaves) && !urd__peer_died(leaves)); /* until it is reaped */
    urd__peers_end(leaves);
    urd__peers_end(dies);
    CHECK(!urd__peer_lives(leaves) && !urd__peer_died(leaves));
    CHECK(!urd__peer_lives(dies) && urd__peer_died(dies));
    CHECK(!urd__peer_died(own));
    CHECK_EQ(urd__peers_deaths(), 2);
    urd__peers_close();
}

TEST(all_others_end_together)
{
    begin(NULL, 0);
    uint32_t own = urd__place_own.self, left = urd__peers_add(), dies = urd__peers_add();
    uint32_t died = urd__peers_add();
    urd__peers_begin(left);
    urd__peers_leave();
    urd__peers_begin(own);
    urd__peers_end(died);
    urd__peers_end_others();
    CHECK(urd__peer_lives(own));
    CHECK(!urd__peer_lives(left) && !urd__peer_died(left));
    CHECK(!urd__peer_lives(dies) && urd__peer_died(dies));
    CHECK(!urd__peer_lives(died) && urd__peer_died(died));
    CHECK_EQ(urd__peers_deaths(), 2);
    urd__peers_close();
}

TEST(a_number_does_not_come_again_and_its_place_does)
{
    begin(NULL, 0);
    uint32_t first = urd__peers_add(), last = first;
    urd__peers_end(first);
    for (int i = 0; i < URD__PEERS_MAX; i++) {
        uint32_t number = urd__peers_add();
        CHECK_GT(number, last);
        CHECK(!urd__peer_lives(first));
        CHECK(i < URD__PEERS_MAX - 2 || !urd__peer_died(first)); /* by then it is forgotten */
        urd__peers_end(number);
        last = number;
    }
    CHECK(urd__peer_lives(urd__place_own.self)); /* its place was passed over */
    urd__peers_close();
}

TEST(when_all_places_are_taken_there_is_no_number)
{
    begin(NULL, 0);
    for (int i = 1; i < URD__PEERS_MAX; i++)
        CHECK(urd__peers_add());
    CHECK_EQ(urd__peers_add(), 0);
    urd__peers_end(7);
    CHECK_EQ(urd__peers_add() % URD__PEERS_MAX, 7);
    urd__peers_close();
}
