/*
 * shared.c - the heap that processes share: sizes, zeros, reuse, misuse, and death inside it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "proc/shared.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/os.h"
#include "base/os_proc.h"
#include "test.h"
#include "whole.h"

enum { MIB = 1024 * 1024 };

static void map(size_t bytes)
{
    CHECK_EQ(urd__shared_map(bytes), 0);
}

/* How many blocks of this size there still are; all of them are in use afterwards. */
static int exhaust(size_t size)
{
    int n = 0;
    while (urd_shared_alloc(size))
        n++;
    return n;
}

TEST(without_a_heap_there_is_nothing_to_get)
{
    CHECK(!urd_shared_alloc(1));
    urd_shared_free(NULL);
    CHECK_EQ(urd__shared_map(1000), -EINVAL);
    CHECK_EQ(urd__shared_map((size_t)2 << 40), -EINVAL);
    urd__shared_unmap();
}

TEST(odd_sizes_give_null)
{
    map(MIB);
    CHECK(!urd_shared_alloc(0));
    CHECK(!urd_shared_alloc(SIZE_MAX));
    CHECK(!urd_shared_alloc(SIZE_MAX - 15));
    CHECK(!urd_shared_alloc(MIB));
    CHECK(urd_shared_alloc(MIB / 2));
    urd__shared_unmap();
}

TEST(blocks_are_aligned_and_zero_also_when_reused)
{
    map(64 * MIB);
    for (int round = 0; round < 2; round++) {
        for (size_t size = 1; size < 300000; size += 1 + size / 7) {
            unsigned char *p = urd_shared_alloc(size);
            CHECK(p);
            CHECK_EQ((uintptr_t)p % 16, 0);
            CHECK(is_zero_from(p, size));
            memset(p, 0xff, size);
            urd_shared_free(p);
            unsigned char *again = urd_shared_alloc(size);
            CHECK_PTR(again, p);
            CHECK(is_zero_from(again, size));
            memset(again, 0xff, size);
            urd_shared_free(again);
        }
    }
    urd__shared_unmap();
}

/* Blocks in use at one time, each filled with its own byte. */
struct held {
    unsigned char *p;
    size_t size;
};

static void check_and_free(struct held *h, int slot)
{
    for (size_t i = 0; i < h->size; i++)
        CHECK_EQ(h->p[i], slot);
    urd_shared_free(h->p);
    h->p = NULL;
}

static heap_counts check_whole(void)
{
    heap_counts counts;
    const char *fault = heap_fault(&counts);
    CHECK_STR(fault, NULL);
    return counts;
}

static void use_at_random(int steps)
{
    enum { SLOTS = 200 };
    struct held held[SLOTS] = {{0}};
    for (int i = 0; i < steps; i++) {
        int slot = (int)test_random(SLOTS);
        struct held *h = &held[slot];
        if (h->p) {
            check_and_free(h, slot);
            continue;
        }
        h->size = 1 + test_random(UINT64_C(1) << test_random(15));
        h->p = urd_shared_alloc(h->size);
        CHECK(h->p);
        CHECK(is_zero_from(h->p, h->size));
        memset(h->p, slot, h->size);
    }
    for (int slot = 0; slot < SLOTS; slot++) {
        if (held[slot].p)
            check_and_free(&held[slot], slot);
    }
    heap_counts counts = check_whole();
    CHECK_EQ(counts.live + counts.lost + counts.cut, 0);
}

TEST(blocks_never_overlap)
{
    int steps = test_under_slow_tool() ? 500 : 5000;
    TEST_SEEDS(10)
    {
        map(64 * MIB);
        use_at_random(steps);
        urd__shared_unmap();
    }
}

TEST(a_full_heap_gives_null_and_takes_back)
{
    map(MIB);
    static void *held[MIB / 32];
    int n = 0;
    while ((held[n] = urd_shared_alloc(100)) != NULL)
        n++;
    CHECK_GT(n, MIB / 128 - 100);
    for (int i = 0; i < n; i++)
        urd_shared_free(held[i]);
    CHECK_EQ(exhaust(100), n);
    urd__shared_unmap();
}

TEST(what_is_free_in_large_serves_small_when_nothing_fresh_is_left)
{
    map(MIB);
    void *large = urd_shared_alloc(600000);
    CHECK(large);
    exhaust(1);
    urd_shared_free(large);
    CHECK_GT(exhaust(1), 600000 / 32 - 10);
    CHECK_EQ(check_whole().lost, 0);
    urd__shared_unmap();
}

static long shared_resident_kib(void)
{
    FILE *status = fopen("/proc/self/status", "r");
    CHECK(status);
    char line[256];
    long kib = -1;
    while (fgets(line, sizeof line, status))
        sscanf(line, "RssShmem: %ld", &kib);
    fclose(status);
    return kib;
}

static bool discard_works(void)
{
    void *page = NULL;
    CHECK_EQ(urd__os_shared_map(&page, 4096), 0);
    memset(page, 1, 1);
    bool works = urd__os_shared_discard(page, 4096) == 0 && is_zero_from(page, 1);
    urd__os_unmap(page, 4096);
    return works;
}

TEST(large_blocks_give_their_pages_back)
{
    if (!discard_works())
        SKIP("no page can be given back here");
    map(64 * MIB);
    long before = shared_resident_kib();
    if (before < 0)
        SKIP("the kernel does not count shared pages");
    void *p = urd_shared_alloc(16 * MIB);
    memset(p, 1, 16 * MIB);
    CHECK_GT(shared_resident_kib() - before, 15 * 1024);
    urd_shared_free(p);
    CHECK_LT(shared_resident_kib() - before, 1024);
    CHECK(is_zero_from(urd_shared_alloc(16 * MIB), 16 * MIB));
    urd__shared_unmap();
}

static void free_twice(void)
{
    map(MIB);
    void *p = urd_shared_alloc(50);
    urd_shared_free(p);
    urd_shared_free(p);
}

static void free_local(void)
{
    map(MIB);
    _Alignas(16) char local[64] = {0};
    urd_shared_free(local + 16);
}

static void free_inside(void)
{
    map(MIB);
    char *p = urd_shared_alloc(500);
    memcpy(p, p - 16, 16); /* a copy of a header is none */
    urd_shared_free(p + 16);
}

TEST(misuse_aborts_and_says_what)
{
    CHECK_ABORTS(free_twice, "was freed before");
    CHECK_ABORTS(free_local, "was not given by urd_shared_alloc");
    CHECK_ABORTS(free_inside, "was not given by urd_shared_alloc");
}

static pid_t fork_into(void (*fn)(void *), void *arg)
{
    pid_t pid = fork();
    CHECK_GE(pid, 0);
    if (pid == 0) {
        fn(arg);
        _exit(0);
    }
    return pid;
}

static void wait_for(pid_t pid, int status_wanted)
{
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, status_wanted);
}

struct mail {
    char *letter;
};

static void answer(void *arg)
{
    struct mail *mail = arg;
    CHECK_STR(mail->letter, "question");
    urd_shared_free(mail->letter);
    mail->letter = urd_shared_alloc(MIB);
    memcpy(mail->letter, "answer", 7);
}

TEST(pointers_mean_the_same_in_every_process)
{
    map(8 * MIB);
    struct mail *mail = urd_shared_alloc(sizeof *mail);
    mail->letter = urd_shared_alloc(16);
    memcpy(mail->letter, "question", 9);
    wait_for(fork_into(answer, mail), 0);
    CHECK_STR(mail->letter, "answer");
    urd_shared_free(mail->letter);
    urd__shared_unmap();
}

/* Few blocks for many takers, so that the same ones come and go all the time. */
struct contest {
    int64_t steps; /* atomic; done by all */
};

static void contend(void *arg)
{
    struct contest *contest = arg;
    pid_t me = getpid();
    for (int i = 0; urd__load_acq(&contest->steps) >= 0; i++) {
        pid_t *block[3];
        for (int k = 0; k < 3; k++) {
            block[k] = urd_shared_alloc(sizeof(pid_t));
            CHECK(block[k]);
            CHECK_EQ(*block[k], 0);
            *block[k] = me;
        }
        for (int k = 0; k < 3; k++)
            CHECK_EQ(*block[k], me);
        for (int k = 0; k < 3; k++)
            urd_shared_free(block[(k + i) % 3]);
        urd__add_rlx(&contest->steps, 1); /* a count */
    }
}

enum { ROUNDS = 30, PROCESSES = 3, HELD = 3 + 1 };

static int rounds_wanted(void)
{
    return test_under_slow_tool() ? 5 : ROUNDS;
}

/* All at once, after so many steps, so that it is looked at as they have left it. */
static heap_counts kill_together(void (*fn)(void *), struct contest *contest, int64_t steps)
{
    pid_t pids[PROCESSES];
    int64_t until = urd__load_acq(&contest->steps) + steps;
    for (int i = 0; i < PROCESSES; i++)
        pids[i] = fork_into(fn, contest);
    while (urd__load_acq(&contest->steps) < until)
        urd__spin_hint();
    for (int i = 0; i < PROCESSES; i++)
        kill(pids[i], SIGKILL);
    for (int i = 0; i < PROCESSES; i++)
        wait_for(pids[i], SIGKILL);
    return check_whole();
}

TEST(a_process_killed_inside_the_allocator_leaves_it_sound)
{
    map(MIB);
    struct contest *contest = urd_shared_alloc(sizeof *contest);
    int rounds = rounds_wanted();
    for (int round = 0; round < rounds; round++) {
        heap_counts counts = kill_together(contend, contest, 1000 + 77 * round);
        size_t deaths = (size_t)(round + 1) * PROCESSES;
        CHECK_LE(counts.lost + counts.cut, deaths);
        CHECK_LE(counts.live, 1 + deaths * HELD);
    }
    int left = exhaust(1);
    CHECK_GE(left, MIB / 32 - 100 - rounds * PROCESSES * HELD);
    urd__shared_unmap();
}

static void split_all(void *arg)
{
    struct contest *contest = arg;
    for (uint64_t i = 0;; i++) {
        urd_shared_alloc(1 + i * 37 % 1500);
        urd__add_rlx(&contest->steps, 1); /* a count */
    }
}

/* All that is free is large, and none of it fresh. */
static void map_large(void)
{
    enum { LARGE = 8000 };
    static void *large[MIB / LARGE];
    int n = 0;
    map(MIB);
    while ((large[n] = urd_shared_alloc(LARGE)) != NULL)
        n++;
    exhaust(1);
    while (n > 0)
        urd_shared_free(large[--n]);
}

TEST(a_process_killed_as_it_splits_leaves_blocks_end_to_end)
{
    enum { PIECES = 40, STEPS = 600 }; /* a large block is in at most so many */
    for (int round = 0; round < rounds_wanted(); round++) {
        map_large();
        struct contest *contest = urd_shared_alloc(sizeof *contest);
        heap_counts counts = kill_together(split_all, contest, 1 + STEPS * (round + 1) / ROUNDS);
        CHECK_LE(counts.lost, PROCESSES * PIECES);
        CHECK_EQ(counts.cut, 0);
        urd__shared_unmap();
    }
}

/* ---- What is broken is found ----------------------------------------------------------------- */

static urd__block *header_of(void *p)
{
    return (urd__block *)p - 1;
}

static uint64_t unit_of(void *p)
{
    size_t bytes;
    return (uint64_t)((char *)header_of(p) - (char *)urd__shared_place(&bytes)) / URD__UNIT;
}

/* Three of one size, of which the last two are free: c, then b. */
static void map_three(void *p[3])
{
    map(MIB);
    for (int i = 0; i < 3; i++)
        p[i] = urd_shared_alloc(40);
    urd_shared_free(p[1]);
    urd_shared_free(p[2]);
    heap_counts counts = check_whole();
    CHECK_EQ(counts.live, 1);
    CHECK_EQ(counts.free, 2);
    CHECK_EQ(counts.lost + counts.cut, 0);
}

static void expect_fault(const char *words)
{
    heap_counts counts;
    const char *fault = heap_fault(&counts);
    CHECK(fault != NULL);
    CHECK_CONTAINS(fault, words);
    urd__shared_unmap();
}

TEST(a_list_that_loops_is_found)
{
    void *p[3];
    map_three(p);
    header_of(p[1])->next = unit_of(p[2]);
    expect_fault("is twice on the list");
}

TEST(a_block_in_use_that_is_on_a_list_is_found)
{
    void *p[3];
    map_three(p);
    header_of(p[1])->next = unit_of(p[0]);
    expect_fault("is in use, and on the list");
}

TEST(a_list_that_leads_astray_is_found)
{
    void *p[3];
    map_three(p);
    header_of(p[1])->next = unit_of(p[2]) + 1;
    expect_fault("where no block begins");
}

TEST(a_block_of_another_size_on_a_list_is_found)
{
    void *p[3];
    map_three(p);
    void *other = urd_shared_alloc(400);
    urd_shared_free(other);
    header_of(p[1])->next = unit_of(other);
    expect_fault("is on the list of class");
}

TEST(blocks_that_overlap_are_found)
{
    void *p[3];
    map_three(p);
    memset(p[0], 1, 40);
    header_of(p[0])->class --;
    expect_fault("no block begins, where the one before it ends");
}

TEST(a_block_that_is_not_zero_as_it_says_is_found)
{
    void *p[3];
    map_three(p);
    header_of(p[1])->state ^= URD__BLOCK_FREE ^ URD__BLOCK_FREE_ZERO;
    ((char *)p[1])[39] = 1;
    expect_fault("is said to be zero, and is not");
}

TEST(a_block_on_no_list_is_lost_and_no_fault)
{
    void *p[3];
    map_three(p);
    header_of(p[2])->next = 0;
    heap_counts counts = check_whole();
    CHECK_EQ(counts.free, 1);
    CHECK_EQ(counts.lost, 1);
    urd__shared_unmap();
}

TEST(processes_that_contend_never_get_the_same_block)
{
    map(MIB);
    struct contest *contest = urd_shared_alloc(sizeof *contest);
    int64_t wanted = test_under_slow_tool() ? 20000 : 300000;
    pid_t pids[2];
    for (int i = 0; i < 2; i++)
        pids[i] = fork_into(contend, contest);
    while (urd__load_acq(&contest->steps) < wanted && waitpid(pids[0], NULL, WNOHANG) == 0)
        urd__spin_hint();
    int64_t seen = urd__load_acq(&contest->steps);
    urd__store_rel(&contest->steps, INT64_MIN);
    CHECK_GE(seen, wanted);
    wait_for(pids[0], 0);
    wait_for(pids[1], 0);
    CHECK_GT(exhaust(1), MIB / 32 - 100 - 2 * 3);
    urd__shared_unmap();
}
