/*
 * about.c - what the library says of itself, with and without a runtime.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/cpus.h"
#include "core/stack.h"

#include <string.h>

#include "test.h"

static void check_constants(const urd_about *about)
{
    CHECK_STR(about->version, URD_VERSION);
    CHECK(strcmp(about->io_backend, "epoll") == 0 || strcmp(about->io_backend, "io_uring") == 0);
    CHECK_STR(about->stack_guard, urd__stack_guard_kind());
#if defined(__clang__)
    CHECK_CONTAINS(about->compiler, "clang ");
#else
    CHECK_CONTAINS(about->compiler, "gcc ");
#endif
}

TEST(without_a_runtime_it_says_what_a_default_one_would_have)
{
    urd_about about = {0};
    urd_about_get(&about);
    check_constants(&about);
    CHECK_EQ(about.workers, urd__cpus());
    CHECK_EQ(about.stack_bytes, URD__STACK_BYTES_DEFAULT);
}

static int look(void *arg)
{
    urd_about_get(arg);
    return 0;
}

TEST(inside_a_runtime_it_says_what_that_one_has)
{
    urd_about about = {0};
    urd_config config = {.workers = 3, .stack_bytes = 128 * 1024, .processes = URD_PROCESSES_NONE};
    test_run_with(&config, look, &about);
    check_constants(&about);
    CHECK_EQ(about.workers, 3);
    CHECK_EQ(about.stack_bytes, 128 * 1024);
}

TEST(after_a_runtime_it_speaks_of_defaults_again)
{
    urd_about about = {0};
    urd_config config = {.workers = 3, .stack_bytes = 128 * 1024, .processes = URD_PROCESSES_NONE};
    test_run_with(&config, look, &about);
    urd_about_get(&about);
    CHECK_EQ(about.workers, urd__cpus());
    CHECK_EQ(about.stack_bytes, URD__STACK_BYTES_DEFAULT);
}
