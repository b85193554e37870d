/*
 * config.c - fields, variables and defaults of a run; each bad one names itself.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/config.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/compact.h"
#include "core/cpus.h"
#include "core/stack.h"
#include "test.h"

static urd_config given, got;
static int result;

static void resolve(void)
{
    result = urd__config_resolve(&given, &got);
    if (result != 0)
        exit(-result);
}

/* Resolving must fail, with these words on stderr. */
static void check_refused(const char *const *words)
{
    struct test_child child;
    test_fork(&child, resolve);
    CHECK_EQ(child.code, EINVAL);
    for (; *words; words++)
        CHECK_CONTAINS(child.err, *words);
    CHECK_PTR(strchr(child.err, '\n'), child.err + strlen(child.err) - 1);
}

#define CHECK_REFUSED(...) check_refused((const char *const[]){"urd: ", __VA_ARGS__, NULL})

static void set(const char *name, const char *value)
{
    CHECK_EQ(setenv(name, value, 1), 0);
}

static void accept(void)
{
    resolve();
    CHECK_EQ(result, 0);
}

TEST(no_configuration_gives_the_defaults)
{
    unsetenv("URD_SEED");
    CHECK_EQ(urd__config_resolve(NULL, &got), 0);
    CHECK_EQ(got.workers, urd__cpus());
    CHECK_EQ(got.stack_bytes, URD__STACK_BYTES_DEFAULT);
    CHECK_EQ(got.compact_bytes, URD__COMPACT_BYTES_DEFAULT);
    CHECK_EQ(got.shared_bytes, 1 << 30);
    CHECK_EQ(got.seed, 0);
    CHECK(!got.virtual_clock);
    CHECK_EQ(got.processes, URD_PROCESSES_ZYGOTE);
    CHECK_EQ(got.grace_duration, 2 * URD_SECOND);
    CHECK_STR(got.name, "unit_config");
}

TEST(all_zero_is_the_same_as_no_configuration)
{
    urd_config none;
    CHECK_EQ(urd__config_resolve(NULL, &none), 0);
    accept();
    CHECK_EQ(memcmp(&none, &got, sizeof got), 0);
}

static void give_everything(void)
{
    unsetenv("URD_SEED");
    given = (urd_config){.workers = 3,
                         .stack_bytes = 100000,
                         .compact_bytes = 3000,
                         .shared_bytes = 200000,
                         .seed = 4,
                         .virtual_clock = true,
                         .processes = URD_PROCESSES_NONE,
                         .deadlock = URD_DEADLOCK_OFF,
                         .grace_duration = 5,
                         .name = "weaver",
                         .io = URD_IO_URING};
}

TEST(fields_are_taken_over)
{
    give_everything();
    accept();
    CHECK_EQ(memcmp(&given, &got, sizeof got), 0);
}

TEST(variables_win_over_fields)
{
    give_everything();
    set("URD_WORKERS", "7");
    set("URD_STACK_BYTES", "16384");
    set("URD_COMPACT_BYTES", "1024");
    set("URD_SHARED_BYTES", "65536");
    set("URD_SEED", "18446744073709551615");
    set("URD_CLOCK", "real");
    set("URD_PROCESSES", "zygote");
    set("URD_GRACE_MS", "250");
    set("URD_NAME", "spinner");
    set("URD_DEADLOCK", "strict");
    set("URD_IO", "epoll");
    set("URD_INTERRUPT", "term");
    set("URD_DEBUG", "locks");
    accept();
    CHECK(got.debug_locks);
    CHECK_EQ(got.deadlock, URD_DEADLOCK_STRICT);
    CHECK_EQ(got.workers, 7);
    CHECK_EQ(got.stack_bytes, 16384);
    CHECK_EQ(got.compact_bytes, 1024);
    CHECK_EQ(got.shared_bytes, 65536);
    CHECK_EQ(got.seed, UINT64_MAX);
    CHECK(!got.virtual_clock);
    CHECK_EQ(got.processes, URD_PROCESSES_ZYGOTE);
    CHECK_EQ(got.grace_duration, 250 * URD_MS);
    CHECK_STR(got.name, "spinner");
    CHECK_EQ(got.io, URD_IO_EPOLL);
    CHECK_EQ(got.interrupt, URD_INTERRUPT_TERM);
    set("URD_CLOCK", "virtual");
    set("URD_PROCESSES", "none");
    accept();
    CHECK(got.virtual_clock);
    CHECK_EQ(got.processes, URD_PROCESSES_NONE);
}

TEST(an_empty_variable_is_as_if_not_set)
{
    give_everything();
    static const char *const names[] = {"URD_WORKERS", "URD_STACK_BYTES", "URD_SHARED_BYTES",
                                        "URD_CLOCK",   "URD_PROCESSES",   "URD_GRACE_MS",
                                        "URD_IO",      "URD_INTERRUPT"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        set(names[i], "");
    accept();
    CHECK_EQ(memcmp(&given, &got, sizeof got), 0);
}

TEST(a_bad_number_of_workers_is_named)
{
    given.workers = -1;
    CHECK_REFUSED("urd_config.workers is -1", "1 to 1024");
    given.workers = 1025;
    CHECK_REFUSED("urd_config.workers is 1025", "1 to 1024");
    given.workers = INT_MIN;
    CHECK_REFUSED("urd_config.workers is -2147483648");
    given.workers = 1024;
    accept();
}

TEST(a_bad_stack_size_is_named)
{
    given.stack_bytes = 16383;
    CHECK_REFUSED("urd_config.stack_bytes is 16383", "16384 to 1073741824");
    given.stack_bytes = ((size_t)1 << 30) + 1;
    CHECK_REFUSED("urd_config.stack_bytes is 1073741825");
    given.stack_bytes = SIZE_MAX;
    CHECK_REFUSED("urd_config.stack_bytes is");
    given.stack_bytes = (size_t)1 << 30;
    accept();
}

TEST(a_bad_size_of_the_shared_heap_is_named)
{
    given.shared_bytes = 65535;
    CHECK_REFUSED("urd_config.shared_bytes is 65535", "65536 to 17592186044416");
    given.shared_bytes = ((size_t)1 << 44) + 1;
    CHECK_REFUSED("urd_config.shared_bytes is 17592186044417");
}

TEST(a_bad_grace_is_named)
{
    given.grace_duration = -1;
    CHECK_REFUSED("urd_config.grace_duration is -1");
    given.grace_duration = 3600 * URD_SECOND + 1;
    CHECK_REFUSED("urd_config.grace_duration is 3600000000001", "1 to 3600000000000");
    given.grace_duration = 3600 * URD_SECOND;
    accept();
}

TEST(a_bad_choice_of_processes_is_named)
{
    int two = 2; /* as it would come from a program built with a newer header */
    memcpy(&given.processes, &two, sizeof given.processes);
    CHECK_REFUSED("urd_config.processes is 2");
}

static void check_bad_number(const char *name, const char *range)
{
    static const char *const bad[] = {"x",   "-1",  " -1", "1x",      "1 ",
                                      "0x2", "1.5", " ",   "+ 3",     "99999999999999999999",
                                      "١",   "1,5", "--1", "0000x10", "1e3"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char said[128];
        set(name, bad[i]);
        snprintf(said, sizeof said, "%s=%s is not a number", name, bad[i]);
        CHECK_REFUSED(said, range);
    }
    unsetenv(name);
}

TEST(a_variable_that_is_no_number_in_range_is_named)
{
    check_bad_number("URD_WORKERS", "from 1 to 1024");
    check_bad_number("URD_STACK_BYTES", "from 16384 to 1073741824");
    check_bad_number("URD_SHARED_BYTES", "from 65536 to 17592186044416");
    check_bad_number("URD_GRACE_MS", "from 1 to 3600000");
    check_bad_number("URD_SEED", "from 0 to 18446744073709551615");
}

TEST(a_variable_just_out_of_range_is_named)
{
    static const char *const cases[][2] = {
        {"URD_WORKERS", "0"},          {"URD_WORKERS", "1025"},
        {"URD_STACK_BYTES", "16383"},  {"URD_STACK_BYTES", "1073741825"},
        {"URD_SHARED_BYTES", "65535"}, {"URD_SHARED_BYTES", "17592186044417"},
        {"URD_GRACE_MS", "0"},         {"URD_GRACE_MS", "3600001"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        set(cases[i][0], cases[i][1]);
        CHECK_REFUSED(cases[i][0], cases[i][1]);
        unsetenv(cases[i][0]);
    }
}

TEST(a_variable_that_is_neither_word_is_named)
{
    set("URD_CLOCK", "wall");
    CHECK_REFUSED("URD_CLOCK=wall", "neither real nor virtual");
    set("URD_CLOCK", "virtually");
    CHECK_REFUSED("URD_CLOCK=virtually");
    unsetenv("URD_CLOCK");
    set("URD_PROCESSES", "spawn");
    CHECK_REFUSED("URD_PROCESSES=spawn", "neither zygote nor none");
    unsetenv("URD_PROCESSES");
    set("URD_DEADLOCK", "on");
    CHECK_REFUSED("URD_DEADLOCK=on", "neither sure nor strict nor off");
    unsetenv("URD_DEADLOCK");
    set("URD_INTERRUPT", "ignore");
    CHECK_REFUSED("URD_INTERRUPT=ignore", "neither cancel nor term nor off");
    unsetenv("URD_INTERRUPT");
    set("URD_IO", "kqueue");
    CHECK_REFUSED("URD_IO=kqueue", "neither auto nor epoll nor uring");
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static void run_with_given(void)
{
    exit(-urd_run(&given, nothing, NULL));
}

TEST(urd_run_gives_minus_EINVAL_for_a_bad_field)
{
    given.workers = -5;
    struct test_child child;
    test_fork(&child, run_with_given);
    CHECK_EQ(child.code, EINVAL);
    CHECK_CONTAINS(child.err, "urd: urd_config.workers is -5");
    given.workers = 1;
    test_run_with(&given, nothing, NULL);
}
