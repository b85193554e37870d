/*
 * dw.c - libdw is there or not, and neither is an error.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/dw.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "test.h"

static int variable = 1;

TEST(variables_have_names_too)
{
    struct Dwfl *dwfl = urd__dw_open(getpid());
    if (!dwfl)
        SKIP("no libdw");
    urd__symbol symbol = {0};
    urd__dw_look_up(dwfl, &symbol, (uintptr_t)&variable);
    CHECK_EQ(variable, 1);
    CHECK_STR(symbol.name, "variable");
    CHECK_EQ(symbol.offset, 0);
    CHECK_CONTAINS(symbol.module, "unit_dw");
    urd__dw_close(dwfl);
}

TEST(an_address_of_nothing_has_no_name)
{
    struct Dwfl *dwfl = urd__dw_open(getpid());
    urd__symbol symbol = {0};
    urd__dw_look_up(dwfl, &symbol, 8);
    CHECK(!symbol.name && !symbol.module);
    urd__dw_look_up(NULL, &symbol, (uintptr_t)&variable);
    CHECK(!symbol.name);
    urd__dw_close(dwfl);
    urd__dw_close(NULL);
}

TEST(a_process_that_is_not_there_cannot_be_opened)
{
    CHECK(!urd__dw_open(0x7ffffffe));
}

TEST(what_maps_said_is_enough_for_names)
{
    static char maps[256 * 1024];
    FILE *file = fopen("/proc/self/maps", "re");
    CHECK(file && fread(maps, 1, sizeof maps - 1, file) > 0);
    fclose(file);
    struct Dwfl *dwfl = urd__dw_open_maps(maps);
    if (!dwfl)
        SKIP("no libdw");
    urd__symbol symbol = {0};
    urd__dw_look_up(dwfl, &symbol, (uintptr_t)&variable);
    CHECK_STR(symbol.name, "variable");
    urd__dw_close(dwfl);
    urd__dw_close(urd__dw_open_maps("no line of maps\n"));
}

static bool read_nothing(void *arg, uint64_t address, uint64_t *out)
{
    (void)arg, (void)address, (void)out;
    return false;
}

TEST(a_stack_that_cannot_be_read_is_its_innermost_frame)
{
    struct Dwfl *dwfl = urd__dw_open(getpid());
    if (!dwfl)
        SKIP("no libdw");
    urd__dw_stack stack = {.read = read_nothing, .pc = (uintptr_t)getpid};
    uint64_t pcs[4];
    CHECK_LE(urd__dw_unwind(dwfl, &stack, pcs, 4), 1);
    CHECK_LE(urd__dw_unwind(dwfl, &stack, pcs, 4), 1); /* again, on the same */
    urd__dw_close(dwfl);
}
