/*
 * name.c - a function is found again by what its object and its place in it are called.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>

#include "mpi/link.h"
#include "test.h"

static int variable;

static int one_of_ours(void)
{
    return 1;
}

static int another_of_ours(void)
{
    return 2;
}

static uintptr_t address(int (*fn)(void))
{
    return (uintptr_t)fn;
}

/* A function of another object: where it really is, and not where this program jumps to it. */
static uintptr_t function_of_a_library(void)
{
    void *at = dlsym(RTLD_NEXT, "qsort");
    CHECK(at != NULL);
    return (uintptr_t)at;
}

static urd__mpi_name name_of(uintptr_t at)
{
    urd__mpi_name name;
    CHECK_EQ(urd__mpi_name_of(at, &name), 0);
    return name;
}

TEST(a_function_is_found_by_its_name)
{
    urd__mpi_name one = name_of(address(one_of_ours)), another = name_of(address(another_of_ours));
    CHECK(urd__mpi_find(&one) == address(one_of_ours));
    CHECK(urd__mpi_find(&another) == address(another_of_ours));
    CHECK(one.object != 0 && one.object == another.object && one.offset != another.offset);
}

TEST(a_function_of_a_library_has_the_name_of_that)
{
    urd__mpi_name theirs;
    uintptr_t at = function_of_a_library();
    if (urd__mpi_name_of(at, &theirs))
        SKIP("the C library has no build id");
    CHECK(theirs.object != urd__mpi_program());
    CHECK(urd__mpi_find(&theirs) == at);
}

TEST(the_program_is_known_by_its_build_id)
{
    CHECK(urd__mpi_program() != 0);
    CHECK(urd__mpi_program() == name_of(address(one_of_ours)).object);
}

TEST(no_function_has_a_name_that_says_so)
{
    urd__mpi_name none = name_of(0);
    CHECK(none.object == 0 && none.offset == 0);
    CHECK(urd__mpi_find(&none) == 0);
}

TEST(what_is_no_code_has_no_name)
{
    urd__mpi_name name;
    int local;
    void *memory = malloc(1);
    CHECK_EQ(urd__mpi_name_of((uintptr_t)&variable, &name), -EINVAL);
    CHECK_EQ(urd__mpi_name_of((uintptr_t)&local, &name), -EINVAL);
    CHECK_EQ(urd__mpi_name_of((uintptr_t)memory, &name), -EINVAL);
    CHECK_EQ(urd__mpi_name_of(1, &name), -EINVAL);
    free(memory);
}

TEST(a_name_of_another_build_is_not_found)
{
    urd__mpi_name name = name_of(address(one_of_ours));
    name.object++;
    CHECK(urd__mpi_find(&name) == 0);
}

/* As another rank might send it that was told wrong: nothing outside of code is called. */
TEST(a_place_that_is_no_code_is_not_found)
{
    urd__mpi_name name = name_of(address(one_of_ours));
    uintptr_t base = address(one_of_ours) - name.offset;
    name.offset = (uintptr_t)&variable - base;
    CHECK(urd__mpi_find(&name) == 0);
    name.offset = UINTPTR_MAX / 2;
    CHECK(urd__mpi_find(&name) == 0);
}
