/*
 * ring.c - slots go out and come back; what a dead worker held is found.
 *
 * SPDX-License-Identifier: MIT
 *
 * By hand, in one thread; test/model/ring.c has the schedules.
 */
#include "pool/ring.h"

#include <stdlib.h>

#include "test.h"

enum { WORKERS = 2 };

static urd__ring *ring;
static uint64_t seen[WORKERS];

static void make_ring(void)
{
    size_t bytes = (urd__ring_bytes(WORKERS) + 63) / 64 * 64;
    ring = aligned_alloc(64, bytes);
    CHECK(ring);
    for (size_t i = 0; i < bytes; i++)
        ((char *)ring)[i] = 0;
    urd__ring_init(ring, WORKERS);
}

static urd__slot *slot(int i)
{
    return &ring->slots[i];
}

static int reap(unsigned worker, urd__slot **out)
{
    return urd__ring_reap(ring, worker, &seen[worker], out, URD__RING_SLOTS);
}

TEST(slots_are_taken_in_order_and_shown_when_done)
{
    urd__slot *out[URD__RING_SLOTS];
    make_ring();
    CHECK_PTR(urd__ring_try_take(ring, 0), NULL);
    for (int round = 0; round < 3 * URD__RING_QUEUE; round++) {
        urd__ring_push(ring, slot(0));
        urd__ring_push(ring, slot(1));
        CHECK_PTR(urd__ring_try_take(ring, 0), slot(0));
        CHECK_PTR(urd__ring_try_take(ring, 1), slot(1));
        CHECK_PTR(urd__ring_try_take(ring, 0), NULL);
        CHECK(!urd__ring_has_ended(ring, 1, &seen[1]));
        urd__ring_done(ring, 1, slot(1));
        CHECK(urd__ring_has_ended(ring, 1, &seen[1]));
        CHECK_EQ(reap(0, out), 0);
        CHECK_EQ(reap(1, out), 1);
        CHECK_PTR(out[0], slot(1));
        urd__ring_done(ring, 0, slot(0));
        CHECK_EQ(reap(0, out), 1);
        CHECK_PTR(out[0], slot(0));
        urd__ring_free(slot(0));
        urd__ring_free(slot(1));
    }
    free(ring);
}

TEST(a_slot_taken_back_is_passed_over)
{
    make_ring();
    CHECK(!urd__ring_take_back(slot(0))); /* it is free */
    urd__ring_push(ring, slot(0));
    urd__ring_push(ring, slot(1));
    CHECK(urd__ring_take_back(slot(0)));
    CHECK(!urd__ring_take_back(slot(0)));
    CHECK_PTR(urd__ring_try_take(ring, 0), slot(1));
    CHECK(!urd__ring_take_back(slot(1))); /* it is taken */
    CHECK_PTR(urd__ring_try_take(ring, 0), NULL);
    free(ring);
}

TEST(the_queue_has_no_room_while_it_is_full_of_old_numbers)
{
    make_ring();
    for (int i = 0; i < URD__RING_SLOTS; i++) {
        CHECK(urd__ring_has_room(ring));
        urd__ring_push(ring, slot(0));
        CHECK(urd__ring_take_back(slot(0)));
    }
    CHECK(!urd__ring_has_room(ring));
    CHECK_PTR(urd__ring_try_take(ring, 0), NULL); /* passes over all */
    CHECK(urd__ring_has_room(ring));
    free(ring);
}

TEST(what_a_dead_worker_held_is_found)
{
    bool done;
    urd__slot *out[URD__RING_SLOTS];
    make_ring();
    CHECK_PTR(urd__ring_reclaim(ring, 0, &seen[0], &done), NULL);
    urd__ring_push(ring, slot(0));
    urd__ring_push(ring, slot(1));
    CHECK_PTR(urd__ring_try_take(ring, 0), slot(0));
    CHECK_PTR(urd__ring_reclaim(ring, 1, &seen[1], &done), NULL); /* it held nothing */
    CHECK_PTR(urd__ring_reclaim(ring, 0, &seen[0], &done), slot(0));
    CHECK(!done);
    urd__ring_push(ring, slot(0)); /* to be tried again */
    CHECK_PTR(urd__ring_try_take(ring, 1), slot(1));
    CHECK_PTR(urd__ring_try_take(ring, 1), slot(0));
    urd__ring_done(ring, 1, slot(0));
    CHECK_EQ(reap(1, out), 1);
    free(ring);
}

TEST(a_number_that_died_with_its_taker_is_queued_again)
{
    bool done;
    make_ring();
    urd__ring_push(ring, slot(0));
    ring->head++; /* as a worker does, before it makes the slot its own */
    CHECK_PTR(urd__ring_try_take(ring, 1), NULL);
    CHECK_PTR(urd__ring_reclaim(ring, 0, &seen[0], &done), NULL);
    CHECK_PTR(urd__ring_try_take(ring, 1), slot(0));
    free(ring);
}

TEST(a_worker_told_to_stop_takes_nothing)
{
    make_ring();
    CHECK(!urd__ring_is_stopping(ring));
    urd__ring_push(ring, slot(0));
    urd__ring_stop(ring);
    CHECK(urd__ring_is_stopping(ring));
    CHECK_PTR(urd__ring_take(ring, 0, INT64_MAX), NULL);
    free(ring);
}

TEST(a_worker_that_may_leave_does_so_when_nothing_is_queued)
{
    make_ring();
    urd__ring_enter(ring, 0);
    CHECK(urd__ring_is_empty(ring));
    CHECK_PTR(urd__ring_take(ring, 0, 0), NULL);
    CHECK(!urd__ring_is_stopping(ring));
    urd__ring_push(ring, slot(0));
    CHECK(!urd__ring_is_empty(ring));
    CHECK_EQ(urd__ring_unserved(ring), 1);
    ring->workers[1].state = URD__RING_SLEEPS;
    CHECK_EQ(urd__ring_unserved(ring), 0);
    CHECK_PTR(urd__ring_take(ring, 0, 0), slot(0));
    CHECK_EQ(urd__ring_unserved(ring), 0);
    free(ring);
}
