/*
 * cpus.c - affinity masks and CPU quotas, in made-up trees of files and in real groups.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/cpus.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/atomic.h"
#include "test.h"

static char root[] = "/tmp/urd-cpus-XXXXXX";

/* Folders and files below root, in the order in which they were made. */
static char made[64][256];
static int made_count;

static void make_root(void)
{
    CHECK(mkdtemp(root));
}

static void remember(const char *path)
{
    CHECK_LT(made_count, 64);
    snprintf(made[made_count++], sizeof made[0], "%s", path);
}

static void remove_root(void)
{
    while (made_count > 0)
        CHECK_EQ(remove(made[--made_count]), 0);
    CHECK_EQ(rmdir(root), 0);
}

static void put(const char *name, const char *text)
{
    char path[256];
    int n = snprintf(path, sizeof path, "%s%s", root, name);
    CHECK_LT(n, sizeof path);
    for (char *slash = path + strlen(root); (slash = strchr(slash + 1, '/')) != NULL;) {
        *slash = '\0';
        if (mkdir(path, 0700) == 0)
            remember(path);
        *slash = '/';
    }
    bool fresh = access(path, F_OK) != 0;
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    CHECK_GE(fd, 0);
    CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    if (fresh)
        remember(path);
}

static int quota(void)
{
    return urd__cpus_quota(root);
}

TEST(without_files_there_is_no_quota)
{
    make_root();
    CHECK_EQ(quota(), 0);
    put("/proc/self/cgroup", "");
    CHECK_EQ(quota(), 0);
    put("/proc/self/cgroup", "nonsense\n:\n::\n");
    CHECK_EQ(quota(), 0);
    remove_root();
}

TEST(a_v2_quota_is_rounded_up_to_whole_processors)
{
    static const struct {
        const char *text;
        int want;
    } cases[] = {{"50000 100000\n", 1},  {"100000 100000\n", 1},
                 {"150000 100000\n", 2}, {"200000 100000\n", 2},
                 {"200001 100000\n", 3}, {"max 100000\n", 0},
                 {"5000 10000\n", 1},    {"", 0},
                 {"100000 0\n", 0},      {"max\n", 0},
                 {"-1 100000\n", 0}};
    make_root();
    put("/proc/self/cgroup", "0::/weaver\n");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        put("/sys/fs/cgroup/weaver/cpu.max", cases[i].text);
        CHECK_EQ(quota(), cases[i].want);
    }
    remove_root();
}

TEST(a_v1_quota_is_rounded_up_to_whole_processors)
{
    static const struct {
        const char *text;
        int want;
    } cases[] = {{"50000\n", 1}, {"100000\n", 1}, {"150000\n", 2}, {"200000\n", 2}, {"-1\n", 0}};
    make_root();
    put("/proc/self/cgroup", "5:memory:/m\n4:cpu,cpuacct:/weaver\n1:name=systemd:/s\n");
    put("/sys/fs/cgroup/cpu/weaver/cpu.cfs_period_us", "100000\n");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        put("/sys/fs/cgroup/cpu/weaver/cpu.cfs_quota_us", cases[i].text);
        CHECK_EQ(quota(), cases[i].want);
    }
    put("/sys/fs/cgroup/cpu/weaver/cpu.cfs_quota_us", "150000\n");
    put("/sys/fs/cgroup/cpu/weaver/cpu.cfs_period_us", "50000\n");
    CHECK_EQ(quota(), 3);
    remove_root();
}

TEST(a_v1_group_is_found_under_the_mount_of_both_controllers)
{
    make_root();
    put("/proc/self/cgroup", "4:cpu,cpuacct:/weaver\n");
    put("/sys/fs/cgroup/cpu,cpuacct/weaver/cpu.cfs_quota_us", "300000\n");
    put("/sys/fs/cgroup/cpu,cpuacct/weaver/cpu.cfs_period_us", "100000\n");
    CHECK_EQ(quota(), 3);
    remove_root();
}

TEST(other_v1_controllers_do_not_count)
{
    make_root();
    put("/proc/self/cgroup", "4:cpuset:/weaver\n3:cpuacct:/weaver\n");
    put("/sys/fs/cgroup/cpu/weaver/cpu.cfs_quota_us", "50000\n");
    put("/sys/fs/cgroup/cpu/weaver/cpu.cfs_period_us", "100000\n");
    CHECK_EQ(quota(), 0);
    remove_root();
}

TEST(the_smallest_quota_of_all_groups_above_counts)
{
    make_root();
    put("/proc/self/cgroup", "0::/a/b/c\n");
    put("/sys/fs/cgroup/a/b/c/cpu.max", "400000 100000\n");
    CHECK_EQ(quota(), 4);
    put("/sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
    CHECK_EQ(quota(), 4);
    put("/sys/fs/cgroup/a/cpu.max", "200000 100000\n");
    CHECK_EQ(quota(), 2);
    put("/sys/fs/cgroup/a/b/cpu.max", "300000 100000\n");
    CHECK_EQ(quota(), 2);
    put("/sys/fs/cgroup/cpu.max", "50000 100000\n");
    CHECK_EQ(quota(), 1);
    remove_root();
}

TEST(nested_v1_groups_count_the_same_way)
{
    make_root();
    put("/proc/self/cgroup", "4:cpu:/a/b\n");
    put("/sys/fs/cgroup/cpu/a/b/cpu.cfs_quota_us", "-1\n");
    put("/sys/fs/cgroup/cpu/a/b/cpu.cfs_period_us", "100000\n");
    CHECK_EQ(quota(), 0);
    put("/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "150000\n");
    put("/sys/fs/cgroup/cpu/a/cpu.cfs_period_us", "100000\n");
    CHECK_EQ(quota(), 2);
    put("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "100000\n");
    put("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    CHECK_EQ(quota(), 1);
    remove_root();
}

TEST(a_container_that_sees_not_its_own_group_takes_the_root)
{
    make_root();
    put("/proc/self/cgroup", "0::/docker/0123456789abcdef\n");
    put("/sys/fs/cgroup/cpu.max", "150000 100000\n");
    CHECK_EQ(quota(), 2);
    put("/proc/self/cgroup", "0::/../../elsewhere\n");
    CHECK_EQ(quota(), 2);
    put("/proc/self/cgroup", "4:cpu:/docker/0123456789abcdef\n");
    put("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "50000\n");
    put("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    CHECK_EQ(quota(), 1);
    remove_root();
}

TEST(a_process_in_the_root_group_reads_the_root)
{
    make_root();
    put("/proc/self/cgroup", "0::/\n");
    put("/sys/fs/cgroup/cpu.max", "250000 100000\n");
    CHECK_EQ(quota(), 3);
    remove_root();
}

TEST(both_versions_at_once_give_the_smaller)
{
    make_root();
    put("/proc/self/cgroup", "4:cpu,cpuacct:/v1\n0::/v2\n");
    put("/sys/fs/cgroup/v2/cpu.max", "300000 100000\n");
    put("/sys/fs/cgroup/cpu/v1/cpu.cfs_quota_us", "200000\n");
    put("/sys/fs/cgroup/cpu/v1/cpu.cfs_period_us", "100000\n");
    CHECK_EQ(quota(), 2);
    put("/sys/fs/cgroup/v2/cpu.max", "100000 100000\n");
    CHECK_EQ(quota(), 1);
    remove_root();
}

TEST(a_name_with_a_colon_is_a_name)
{
    make_root();
    put("/proc/self/cgroup", "0::/user:1\n");
    put("/sys/fs/cgroup/user:1/cpu.max", "100000 100000\n");
    CHECK_EQ(quota(), 1);
    remove_root();
}

/* ---- The real ones --------------------------------------------------------------------------- */

static int finished; /* atomic */

static int sleep_and_count(void *arg)
{
    (void)arg;
    int rc = urd_sleep(URD_MS);
    urd__add_ar(&finished, 1);
    return rc;
}

static int run_tasks(void *arg)
{
    (void)arg;
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < 200; i++)
        urd_go(&s, sleep_and_count, NULL);
    urd_spawn(&s, URD_THREAD, sleep_and_count, NULL, 0);
    return urd_scope_join(&s);
}

/* A default runtime has `want` workers, and nothing hangs. */
static void run_with_workers(int want)
{
    CHECK_EQ(urd__cpus(), want);
    urd_about about;
    urd_about_get(&about);
    CHECK_EQ(about.workers, want);
    urd_config config = {.processes = URD_PROCESSES_NONE};
    test_run_with(&config, run_tasks, NULL);
    CHECK_EQ(finished, 201);
}

TEST(under_a_mask_of_one_processor_one_worker_does_it_all)
{
    cpu_set_t all, one;
    CHECK_EQ(sched_getaffinity(0, sizeof all, &all), 0);
    size_t cpu = 0;
    while (!CPU_ISSET(cpu, &all))
        cpu++;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    CHECK_EQ(sched_setaffinity(0, sizeof one, &one), 0);
    run_with_workers(1);
}

static char group[256];
static int group_want;

__attribute__((format(printf, 2, 3))) static bool write_in_group(const char *name,
                                                                 const char *format, ...)
{
    char path[512], text[64];
    snprintf(path, sizeof path, "%s/%s", group, name);
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool done = fd >= 0 && write(fd, text, (size_t)n) == n;
    close(fd);
    return done;
}

static void run_in_group(void)
{
    if (!write_in_group("cgroup.procs", "%d", getpid()))
        _exit(77);
    run_with_workers(group_want);
}

/* A group below the root of the cpu controller, with the quota in hundreds of processors. */
static bool make_group(int percent)
{
    snprintf(group, sizeof group, "/sys/fs/cgroup/cpu/urd-test-%d", getpid());
    if (mkdir(group, 0700) == 0)
        return write_in_group("cpu.cfs_period_us", "20000") &&
               write_in_group("cpu.cfs_quota_us", "%d", percent * 200);
    snprintf(group, sizeof group, "/sys/fs/cgroup/urd-test-%d", getpid());
    return mkdir(group, 0700) == 0 && write_in_group("cpu.max", "%d 20000", percent * 200);
}

static void run_under_quota(int percent)
{
    cpu_set_t all;
    CHECK_EQ(sched_getaffinity(0, sizeof all, &all), 0);
    int above = urd__cpus(), want = (percent + 99) / 100;
    group_want = want < above ? want : above;
    bool made_group = make_group(percent);
    struct test_child child = {.code = 77};
    if (made_group)
        test_fork(&child, run_in_group);
    rmdir(group);
    if (child.code == 77)
        SKIP("no group with a CPU quota can be made here");
    CHECK_STR(child.err, "");
    CHECK_EQ(child.code, 0);
}

TEST(under_a_real_quota_of_half_a_processor_nothing_hangs)
{
    run_under_quota(50);
}

TEST(under_a_real_quota_of_one_processor_nothing_hangs)
{
    run_under_quota(100);
}

TEST(under_a_real_quota_of_one_and_a_half_processors_nothing_hangs)
{
    run_under_quota(150);
}

TEST(under_a_real_quota_of_two_processors_nothing_hangs)
{
    run_under_quota(200);
}
