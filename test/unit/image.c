/*
 * image.c - functions and their names: what is known, and what is not.
 *
 * SPDX-License-Identifier: MIT
 */
#include "proc/image.h"

#include <stdlib.h>

#include "base/os.h"
#include "proc/shared.h"
#include "test.h"

enum { MIB = 1024 * 1024 };

static int here(void *unused)
{
    (void)unused;
    return 0;
}

static urd_fn *function_at(void *p)
{
    return (urd_fn *)(uintptr_t)p;
}

TEST(what_was_loaded_is_known_and_nothing_else)
{
    CHECK(!urd__image_has(here));
    CHECK_EQ(urd__shared_map(MIB), 0);
    CHECK(urd__image_take());
    int variable;
    CHECK(urd__image_has(here));
    CHECK(urd__image_has((urd_fn *)(uintptr_t)abort));
    CHECK(!urd__image_has(function_at(&variable)));
    CHECK(!urd__image_has(NULL));
    CHECK(urd__image_name(here) == here && urd__image_find(here) == here);
    CHECK(!urd__image_name(NULL) && !urd__image_find(NULL));
    urd__image_forget();
    CHECK(!urd__image_has(here));
    urd__shared_unmap();
}

TEST(an_image_of_its_own_is_where_it_was)
{
    CHECK_EQ(urd__shared_map(MIB), 0);
    const urd__image *image = urd__image_take();
    CHECK(image);
    CHECK_EQ(urd__image_join(image), 0);
    int variable;
    CHECK(urd__image_has(here) && urd__image_name(here) == here && urd__image_find(here) == here);
    CHECK(!urd__image_find(function_at(&variable)) && !urd__image_name(function_at(&variable)));
    CHECK(!urd__image_name(NULL) && !urd__image_find(NULL));
    urd__image_forget();
    urd__shared_unmap();
}

TEST(a_heap_without_room_is_said)
{
    CHECK_EQ(urd__shared_map((size_t)64 * 1024), 0);
    while (urd_shared_alloc(16))
        ;
    CHECK(!urd__image_take());
    urd__shared_unmap();
}

TEST(objects_are_told_from_each_other)
{
    uint64_t own = urd__image_identity((const void *)(uintptr_t)here);
    CHECK(own != 0);
    CHECK_EQ(urd__image_identity((const void *)(uintptr_t)urd__image_take), own);
    CHECK(urd__image_identity((const void *)(uintptr_t)abort) != own);
    CHECK_EQ(urd__image_identity(&own), 0);
}
