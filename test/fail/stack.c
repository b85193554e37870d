/*
 * stack.c - stacks where the kernel refuses: no MADV_GUARD_INSTALL, no memory for a mapping.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/stack.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "test.h"

enum { STACK_BYTES = 64 * 1024, GUARD_PAGES = 4, MANY = 2000 };
enum { CHUNK = 128 }; /* stacks of that size in a mapping */

static int calls, fail_at, error;

int urd__os_fault(void); /* what the library of these tests asks */

int urd__os_fault(void)
{
    return ++calls == fail_at ? error : 0;
}

/* The call after the next `skip` fails. */
static void fail_after(int skip, int with)
{
    calls = 0;
    fail_at = skip + 1;
    error = with;
}

static urd__stack_cache cache;
static urd__stack stacks[MANY];

static bool readable(int fd, uintptr_t address)
{
    ssize_t n = pwrite(fd, (void *)address, 1, 0); // NOLINT(performance-no-int-to-ptr)
    CHECK(n == 1 || errno == EFAULT);
    return n == 1;
}

static void check_guards(int n)
{
    int fd = memfd_create("probe", MFD_CLOEXEC);
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    for (int i = 0; i < n; i++) {
        for (size_t p = 0; p < GUARD_PAGES; p++)
            CHECK(!readable(fd, stacks[i].low - p * page - 1));
        CHECK(readable(fd, stacks[i].low));
        CHECK(readable(fd, stacks[i].high - 1));
    }
    close(fd);
}

TEST(an_older_kernel_gets_its_guards_by_mprotect)
{
    CHECK_EQ(urd__stacks_open(STACK_BYTES), 0);
    fail_after(0, -EINVAL); /* what it answers to an advice it does not know */
    for (int i = 0; i < MANY; i++)
        CHECK_EQ(urd__stack_get(&cache, &stacks[i]), 0);
    CHECK_EQ(calls, MANY + (MANY - 1) / CHUNK + 1); /* it is asked once */
    CHECK_STR(urd__stack_guard_kind(), "mprotect");
    check_guards(MANY);
    for (int i = 0; i < MANY; i++)
        urd__stack_put(&cache, &stacks[i]);
    urd__stack_trim(&cache);
    check_guards(MANY);
    urd__stacks_close();
}

static int overrun(void *arg)
{
    volatile char *frame = __builtin_frame_address(0);
    (void)arg;
    for (size_t i = 0; i < 4 * STACK_BYTES; i += 1024)
        *(frame - i) = 1;
    return 0;
}

static int start_overrun(void *arg)
{
    (void)arg;
    urd_scope s;
    urd_job job;
    urd_about about;
    urd_job_options options = {.name = "weaver"};
    urd_scope_open(&s);
    urd_job_open(&job, &s, URD_TASK, overrun, NULL, 0, &options);
    urd_about_get(&about);
    CHECK_STR(about.stack_guard, "mprotect");
    int rc = urd_job_join(&job);
    return urd_scope_join(&s) ? -1 : rc;
}

static void run_overrun(void)
{
    /* Settle on mprotect before the run, whose first calls are others. */
    CHECK_EQ(urd__stacks_open(STACK_BYTES), 0);
    fail_after(0, -EINVAL);
    CHECK_EQ(urd__stack_get(&cache, &stacks[0]), 0);
    urd__stacks_close();
    fail_at = 0;
    urd_config config = {.workers = 1, .processes = URD_PROCESSES_NONE};
    test_run_with(&config, start_overrun, NULL);
}

TEST(an_overflow_into_such_a_guard_is_reported_the_same_way)
{
    if (test_under_slow_tool())
        SKIP("the tool handles faults itself");
    struct test_child child;
    test_fork(&child, run_overrun);
    CHECK_CONTAINS(child.err, "urd: stack overflow in task weaver (");
}

TEST(a_guard_that_cannot_be_had_gives_no_stack)
{
    CHECK_EQ(urd__stacks_open(STACK_BYTES), 0);
    fail_after(0, -ENOMEM);
    CHECK_EQ(urd__stack_get(&cache, &stacks[0]), -ENOMEM);
    CHECK_STR(urd__stack_guard_kind(), "madvise");
    for (int i = 0; i < 50; i++)
        CHECK_EQ(urd__stack_get(&cache, &stacks[i]), 0);
    check_guards(50); /* none of them is the one without a guard */
    urd__stacks_close();
}

TEST(slots_whose_guard_failed_are_used_when_it_can_be_had)
{
    enum { SLOTS = 512 }; /* 1 TiB of slots of 2 GiB */
    CHECK_EQ(urd__stacks_open((size_t)1 << 30), 0);
    for (int i = 0; i < SLOTS; i++) {
        fail_after(0, -ENOMEM);
        CHECK_EQ(urd__stack_get(&cache, &stacks[0]), -ENOMEM);
    }
    fail_at = 0;
    for (int i = 0; i < SLOTS; i++)
        CHECK_EQ(urd__stack_get(&cache, &stacks[i]), 0);
    check_guards(SLOTS);
    urd__stacks_close();
}

TEST(a_chunk_that_cannot_be_mapped_is_tried_smaller)
{
    fail_after(0, -ENOMEM);
    CHECK_EQ(urd__stacks_open(STACK_BYTES), 0);
    fail_at = 0;
    for (int i = 0; i < 50; i++)
        CHECK_EQ(urd__stack_get(&cache, &stacks[i]), 0);
    check_guards(50);
    urd__stacks_close();
}

TEST(a_later_chunk_that_cannot_be_mapped_is_asked_for_again)
{
    CHECK_EQ(urd__stacks_open((size_t)1 << 30), 0); /* a chunk holds one */
    CHECK_EQ(urd__stack_get(&cache, &stacks[0]), 0);
    fail_after(0, -ENOMEM);
    CHECK_EQ(urd__stack_get(&cache, &stacks[1]), -ENOMEM);
    fail_at = 0;
    CHECK_EQ(urd__stack_get(&cache, &stacks[1]), 0);
    check_guards(2);
    urd__stacks_close();
}
