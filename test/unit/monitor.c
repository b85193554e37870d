/*
 * monitor.c - the thread that watches is there when it is needed, and gone after the run.
 *
 * SPDX-License-Identifier: MIT
 */
#include "watch/monitor.h"

#include <dirent.h>

#include "runs.h"

static int threads(void)
{
    DIR *folder = opendir("/proc/self/task");
    CHECK(folder);
    int n = 0;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
        n += entry->d_name[0] != '.';
    closedir(folder);
    return n;
}

static int before;

static int counts(void *arg)
{
    CHECK_EQ(threads(), before + *(int *)arg);
    return 0;
}

TEST(a_run_that_does_not_stand_still_has_no_more_threads_than_workers)
{
    if (test_under_slow_tool())
        SKIP("the tool has threads of its own");
    int more = 2;
    before = threads();
    urd_config config = {.workers = 3, .processes = URD_PROCESSES_NONE};
    test_run_with(&config, counts, &more);
    CHECK_EQ(threads(), before);
}

static urd_event way_out;

static void let_out(const char *report)
{
    (void)report;
    urd_event_set(&way_out);
}

static int stands_still(void *arg)
{
    (void)arg;
    CHECK_EQ(urd_event_wait(&way_out), 0);
    urd_event_clear(&way_out);
    return 0;
}

TEST(it_ends_with_the_run_and_comes_again_with_the_next)
{
    if (test_under_slow_tool())
        SKIP("the tool has threads of its own");
    before = threads();
    urd_config config = {.workers = 2,
                         .virtual_clock = true,
                         .on_deadlock = let_out,
                         .processes = URD_PROCESSES_NONE};
    for (int i = 0; i < 3; i++)
        test_run_with(&config, stands_still, NULL);
    CHECK_EQ(threads(), before);
}
