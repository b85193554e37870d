/*
 * symbol.c - names and lines of addresses, with debug information and without.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/symbol.h"

#include <string.h>
#include <unistd.h>

#include "test.h"

#define ADDRESS(fn) (__extension__(const void *)(fn))

__attribute__((noinline)) static int local(void *arg)
{
    return arg != NULL;
}
enum { LOCAL_LINE = __LINE__ - 4 };

static bool have_debug_information(void)
{
    return urd__symbol_at(ADDRESS(local)).name != NULL;
}

TEST(a_function_of_a_library_has_its_name_and_module)
{
    urd__symbol symbol = urd__symbol_at(ADDRESS(chroot));
    CHECK_STR(symbol.name, "chroot");
    CHECK_CONTAINS(symbol.module, "libc.so");
    CHECK_EQ(symbol.offset, 0);
    symbol = urd__symbol_at((const char *)ADDRESS(chroot) + 2);
    CHECK_STR(symbol.name, "chroot");
    CHECK_EQ(symbol.offset, 2);
    urd__symbols_close();
}

TEST(a_static_function_has_its_name_file_and_line)
{
    if (!have_debug_information())
        SKIP("no libdw, or no debug information");
    urd__symbol symbol = urd__symbol_at(ADDRESS(local));
    CHECK_STR(symbol.name, "local");
#ifndef __clang__ /* which leaves out the table by which libdw finds the line */
    CHECK_STR(symbol.file, "symbol.c");
    CHECK_GE(symbol.line, LOCAL_LINE);
    CHECK_LE(symbol.line, LOCAL_LINE + 3);
#endif
    CHECK_STR(symbol.module, "unit_symbol");
    urd__symbols_close();
}

TEST(what_has_no_name_has_a_place_in_its_module)
{
    urd__symbol symbol = urd__symbol_at(ADDRESS(local));
    CHECK_STR(symbol.module, "unit_symbol");
    CHECK(symbol.name || symbol.offset > 0);
    urd__symbols_close();
}

TEST(an_address_of_nothing_has_nothing)
{
    int on_the_stack = 0;
    const void *none[] = {NULL, &on_the_stack, (const void *)UINTPTR_MAX};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        urd__symbol symbol = urd__symbol_at(none[i]);
        CHECK_PTR(symbol.name, NULL);
        CHECK_PTR(symbol.file, NULL);
        CHECK_PTR(urd__symbol_exported(none[i]), NULL);
    }
    urd__symbols_close();
}

TEST(only_exported_names_are_exported)
{
    CHECK_STR(urd__symbol_exported(ADDRESS(chroot)), "chroot");
    const char *name = urd__symbol_exported(ADDRESS(local));
    CHECK(!name || strcmp(name, "local") != 0);
}

TEST(after_closing_names_are_found_again)
{
    bool had = have_debug_information();
    urd__symbols_close();
    urd__symbols_close();
    CHECK_EQ(have_debug_information(), had);
    urd__symbols_close();
}

static int look_in_task(void *arg)
{
    *(bool *)arg = have_debug_information();
    return 0;
}

static int start_task(void *arg)
{
    urd_scope s;
    urd_job job;
    urd_scope_open(&s);
    urd_job_open(&job, &s, URD_TASK, look_in_task, arg, 0, NULL);
    int rc = urd_job_join(&job); /* waits, so that the task gets a stack of its own */
    return urd_scope_join(&s) ? -1 : rc;
}

TEST(names_are_found_on_the_small_stack_of_a_task)
{
    bool had = have_debug_information(), has = !had;
    urd_config config = {.workers = 1, .stack_bytes = 16384, .processes = URD_PROCESSES_NONE};
    urd__symbols_close();
    test_run_with(&config, start_task, &has);
    CHECK_EQ(has, had);
}
