/*
 * stack.c - stacks of tasks: guards, cache, memory given back, and the end of the region.
 *
 * SPDX-License-Identifier: MIT
 *
 * What a kernel without MADV_GUARD_INSTALL makes of it is in test/fail/stack.c.
 */
#include "core/stack.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "test.h"

enum { KIB = 1024, STACK_BYTES = 64 * KIB, GUARD_PAGES = 4, KEPT = 64 };

static urd__stack_cache cache;
static urd__stack stacks[100000];

static void skip_under_emulator(void)
{
    if (test_under_emulator())
        SKIP("the emulator accepts MADV_GUARD_INSTALL and does nothing");
}

static void open(size_t bytes)
{
    CHECK_EQ(urd__stacks_open(bytes), 0);
}

static urd__stack get(void)
{
    urd__stack stack = {0};
    CHECK_EQ(urd__stack_get(&cache, &stack), 0);
    return stack;
}

static unsigned char *at(uintptr_t address)
{
    return (unsigned char *)address; // NOLINT(performance-no-int-to-ptr)
}

/* Asks the kernel, without touching it from here: a guard makes a write from there fail. */
static bool readable(int fd, uintptr_t address)
{
    ssize_t n = pwrite(fd, at(address), 1, 0);
    CHECK(n == 1 || errno == EFAULT);
    return n == 1;
}

static int open_probe(void)
{
    int fd = memfd_create("probe", MFD_CLOEXEC);
    CHECK_GE(fd, 0);
    return fd;
}

TEST(a_stack_has_what_was_promised_on_whole_pages)
{
    static const size_t sizes[] = {16384, 16385, 20000, 65536, 100000, 1 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        open(sizes[i]);
        size_t page = (size_t)sysconf(_SC_PAGESIZE), promised = urd__stack_promised_bytes();
        CHECK_GE(promised, sizes[i]);
        CHECK_LT(promised, sizes[i] + page);
        CHECK_EQ(promised % page, 0);
        for (int n = 0; n < 40; n++) {
            urd__stack stack = get();
            CHECK_GE(stack.high - stack.low, promised);
            CHECK_EQ(stack.low % page, 0);
            CHECK_EQ(stack.high % 64, 0);
            memset(at(stack.low), 1, stack.high - stack.low);
        }
        cache = (urd__stack_cache){0};
        urd__stacks_close();
        CHECK_EQ(urd__stack_promised_bytes(), URD__STACK_BYTES_DEFAULT);
    }
}

TEST(stacks_do_not_overlap)
{
    open(STACK_BYTES);
    for (int i = 0; i < 200; i++)
        stacks[i] = get();
    for (int i = 0; i < 200; i++)
        for (int j = 0; j < i; j++)
            CHECK(stacks[i].high <= stacks[j].low || stacks[j].high <= stacks[i].low);
    urd__stacks_close();
}

TEST(tops_of_neighbours_lie_at_different_offsets)
{
    open(STACK_BYTES);
    bool seen[16] = {false};
    for (int i = 0; i < 16; i++) {
        urd__stack stack = get();
        size_t colour = (0 - stack.high) % KIB / 64;
        CHECK(!seen[colour]);
        seen[colour] = true;
    }
    urd__stacks_close();
}

static void check_guard(int fd, const urd__stack *stack)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    for (size_t i = 0; i < GUARD_PAGES; i++)
        CHECK(!readable(fd, stack->low - i * page - 1));
    CHECK(readable(fd, stack->low));
    CHECK(readable(fd, stack->high - 1));
}

TEST(every_one_of_many_slots_has_its_guard)
{
    skip_under_emulator();
    int fd = open_probe();
    open(STACK_BYTES);
    for (int i = 0; i < 2000; i++) {
        stacks[i] = get();
        check_guard(fd, &stacks[i]);
    }
    for (int i = 0; i < 2000; i++)
        check_guard(fd, &stacks[i]);
    urd__stacks_close();
    close(fd);
}

TEST(a_hundred_thousand_stacks_have_their_guards)
{
    skip_under_emulator();
    int n = test_under_slow_tool() ? 2000 : 100000, fd = open_probe();
    open(STACK_BYTES);
    for (int i = 0; i < n; i++) {
        int rc = urd__stack_get(&cache, &stacks[i]);
        if (rc && strcmp(urd__stack_guard_kind(), "mprotect") == 0) {
            close(fd);
            SKIP("mprotect ends at %d stacks: vm.max_map_count", i);
        }
        CHECK_EQ(rc, 0);
    }
    for (int i = 0; i < n; i++) {
        CHECK(!readable(fd, stacks[i].low - 1));
        CHECK(readable(fd, stacks[i].high - 1));
    }
    urd__stacks_close();
    close(fd);
}

TEST(the_stack_given_back_last_is_used_first)
{
    open(STACK_BYTES);
    for (int i = 0; i < 10; i++)
        stacks[i] = get();
    for (int i = 0; i < 10; i++)
        urd__stack_put(&cache, &stacks[i]);
    CHECK_EQ(cache.count, 10);
    for (int i = 9; i >= 0; i--) {
        urd__stack again = get();
        CHECK_EQ(again.low, stacks[i].low);
        CHECK_EQ(again.high, stacks[i].high);
    }
    CHECK_EQ(cache.count, 0);
    urd__stacks_close();
}

static bool resident(uintptr_t address)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    unsigned char in = 0;
    CHECK_EQ(mincore(at(address / page * page), page, &in), 0);
    return in & 1;
}

/* How many of the stacks hold memory, in their top page or a deeper one. */
static int count_resident(int n)
{
    int count = 0;
    for (int i = 0; i < n; i++)
        count += resident(stacks[i].high - 1) || resident(stacks[i].low);
    return count;
}

static void touch(const urd__stack *stack)
{
    *at(stack->low) = 1;
    *at(stack->high - 1) = 1;
}

TEST(trim_gives_back_the_memory_of_all_but_the_hot_ones)
{
    skip_under_emulator();
    enum { MANY = 500 };
    int fd = open_probe();
    open(STACK_BYTES);
    for (int i = 0; i < MANY; i++) {
        stacks[i] = get();
        touch(&stacks[i]);
    }
    for (int i = 0; i < MANY; i++)
        urd__stack_put(&cache, &stacks[i]);
    CHECK_EQ(count_resident(MANY), MANY);
    urd__stack_trim(&cache);
    CHECK_EQ(cache.count, KEPT);
    CHECK_EQ(count_resident(MANY), KEPT);
    CHECK_EQ(count_resident(MANY - KEPT), 0); /* the last ones are the hot ones */
    for (int i = 0; i < MANY; i++)
        check_guard(fd, &stacks[i]);
    urd__stacks_close();
    close(fd);
}

TEST(trim_reaches_stacks_in_any_order)
{
    enum { MANY = 300 };
    TEST_SEEDS(20)
    {
        open(STACK_BYTES);
        cache = (urd__stack_cache){0};
        for (int i = 0; i < MANY; i++) {
            stacks[i] = get();
            touch(&stacks[i]);
        }
        for (int i = MANY - 1; i > 0; i--) { /* shuffle, now and then in runs */
            int j = (int)test_random(2) ? i : (int)test_random((uint64_t)i + 1);
            urd__stack swap = stacks[i];
            stacks[i] = stacks[j];
            stacks[j] = swap;
        }
        for (int i = 0; i < MANY; i++)
            urd__stack_put(&cache, &stacks[i]);
        urd__stack_trim(&cache);
        CHECK_EQ(count_resident(MANY), KEPT);
        CHECK_EQ(count_resident(MANY - KEPT), 0);
        for (int i = 0; i < MANY; i++) /* each slot is found again, once */
            stacks[MANY + i] = get();
        for (int i = 0; i < MANY; i++) {
            int found = 0;
            for (int j = 0; j < MANY; j++)
                found += stacks[MANY + j].low == stacks[i].low;
            CHECK_EQ(found, 1);
        }
        urd__stacks_close();
    }
}

TEST(trim_leaves_a_small_cache_alone)
{
    open(STACK_BYTES);
    for (int i = 0; i < KEPT; i++) {
        stacks[i] = get();
        touch(&stacks[i]);
    }
    for (int i = 0; i < KEPT; i++)
        urd__stack_put(&cache, &stacks[i]);
    urd__stack_trim(&cache);
    CHECK_EQ(cache.count, KEPT);
    CHECK_EQ(count_resident(KEPT), KEPT);
    urd__stacks_close();
}

TEST(what_one_worker_trims_another_uses)
{
    urd__stack_cache other = {0};
    open(STACK_BYTES);
    for (int i = 0; i < 2 * KEPT; i++)
        stacks[i] = get();
    for (int i = 0; i < 2 * KEPT; i++)
        urd__stack_put(&cache, &stacks[i]);
    urd__stack_trim(&cache);
    for (int i = 0; i < KEPT; i++) {
        urd__stack stack;
        CHECK_EQ(urd__stack_get(&other, &stack), 0);
        bool known = false;
        for (int j = 0; j < KEPT; j++)
            known = known || stacks[j].low == stack.low;
        CHECK(known);
    }
    urd__stacks_close();
}

TEST(a_cache_is_over_full_past_4096)
{
    open(16384);
    for (int i = 0; i <= 4096; i++)
        stacks[i] = get();
    for (int i = 0; i < 4096; i++)
        urd__stack_put(&cache, &stacks[i]);
    CHECK(!urd__stack_over_full(&cache));
    urd__stack_put(&cache, &stacks[4096]);
    CHECK(urd__stack_over_full(&cache));
    urd__stack_trim(&cache);
    CHECK(!urd__stack_over_full(&cache));
    urd__stacks_close();
}

TEST(an_address_in_a_guard_leads_to_its_stack)
{
    urd__stack hit = {0};
    int own = 0;
    CHECK(!urd__stack_guard_hit((uintptr_t)&own, &hit)); /* no region yet */
    open(STACK_BYTES);
    for (int i = 0; i < 20; i++) {
        urd__stack stack = get();
        size_t guard = GUARD_PAGES * (size_t)sysconf(_SC_PAGESIZE);
        CHECK(urd__stack_guard_hit(stack.low - 1, &hit));
        CHECK_EQ(hit.low, stack.low);
        CHECK_EQ(hit.high, stack.high);
        CHECK(urd__stack_guard_hit(stack.low - guard, &hit));
        CHECK_EQ(hit.low, stack.low);
        CHECK(!urd__stack_guard_hit(stack.low, &hit));
        CHECK(!urd__stack_guard_hit(stack.high - 1, &hit));
    }
    CHECK(!urd__stack_guard_hit((uintptr_t)&own, &hit));
    CHECK(!urd__stack_guard_hit(0, &hit));
    urd__stacks_close();
    CHECK(!urd__stack_guard_hit((uintptr_t)&own, &hit));
}

TEST(an_absurd_size_is_refused)
{
    CHECK_EQ(urd__stacks_open(((size_t)1 << 30) + 1), -EINVAL);
    CHECK_EQ(urd__stacks_open(SIZE_MAX), -EINVAL);
}

TEST(a_region_that_is_used_up_gives_minus_ENOMEM_until_one_comes_back)
{
    if (test_under_slow_tool())
        SKIP("the tool has less address space");
    open((size_t)1 << 30);
    int n = 0;
    while (urd__stack_get(&cache, &stacks[n]) == 0)
        n++;
    CHECK_EQ(n, 512); /* 1 TiB of slots of 2 GiB */
    urd__stack none;
    for (int i = 0; i < 3; i++)
        CHECK_EQ(urd__stack_get(&cache, &none), -ENOMEM);
    urd__stack_put(&cache, &stacks[100]);
    CHECK_EQ(get().low, stacks[100].low);
    CHECK_EQ(urd__stack_get(&cache, &none), -ENOMEM);
    urd__stacks_close();
}

TEST(under_a_limit_on_address_space_there_are_fewer_stacks)
{
    if (test_under_slow_tool())
        SKIP("the tool itself needs the address space");
    enum { LIMIT_MIB = 256 };
    CHECK_EQ(setrlimit(RLIMIT_AS, &(struct rlimit){LIMIT_MIB * KIB * KIB, RLIM_INFINITY}), 0);
    open(STACK_BYTES);
    int n = 0;
    while (urd__stack_get(&cache, &stacks[n]) == 0)
        n++;
    CHECK_GE(n, 16);
    CHECK_LE(n, LIMIT_MIB * KIB / 128);
    urd__stacks_close();
    CHECK_EQ(urd__stacks_open((size_t)1 << 30), -ENOMEM); /* not even the fewest */
}

TEST(closing_gives_the_region_back)
{
    open(STACK_BYTES);
    urd__stack stack = get();
    int fd = open_probe();
    touch(&stack);
    CHECK(readable(fd, stack.low));
    urd__stacks_close();
    if (!test_under_slow_tool()) /* which would report the question itself */
        CHECK(!readable(fd, stack.low));
    close(fd);
    cache = (urd__stack_cache){0};
    open(STACK_BYTES);
    stack = get();
    touch(&stack);
    urd__stacks_close();
}
