/*
 * os_self.c - what a process changes of itself is changed, and a refusal is said.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/os_self.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/os.h"
#include "test.h"

TEST(an_environment_is_cleared_and_filled_anew)
{
    CHECK_EQ(urd__os_env_change("BOLO=cenoura"), 0);
    CHECK_STR(getenv("BOLO"), "cenoura");
    CHECK_EQ(urd__os_env_change("BOLO="), 0);
    CHECK_STR(getenv("BOLO"), "");
    CHECK_EQ(urd__os_env_change("BOLO"), 0);
    CHECK_PTR(getenv("BOLO"), NULL);
    CHECK_EQ(urd__os_env_change("NEVER_THERE"), 0);
    CHECK_EQ(urd__os_env_change("A=b=c"), 0);
    CHECK_EQ(urd__os_env_clear(), 0);
    CHECK_PTR(getenv("A"), NULL);
    CHECK_EQ(urd__os_env_change("A=b=c"), 0);
    CHECK_STR(getenv("A"), "b=c");
}

TEST(a_name_without_end_is_refused)
{
    char entry[2000];
    memset(entry, 'x', sizeof entry);
    entry[1900] = '=';
    entry[1901] = '\0';
    CHECK_EQ(urd__os_env_change(entry), -ENAMETOOLONG);
}

TEST(a_directory_is_entered)
{
    char now[64];
    CHECK_EQ(urd__os_directory_change("/"), 0);
    CHECK_STR(getcwd(now, sizeof now), "/");
    CHECK_EQ(urd__os_directory_change("/proc/self/status"), -ENOTDIR);
    CHECK_EQ(urd__os_directory_change("/no/such/folder"), -ENOENT);
}

TEST(a_control_group_is_joined_by_a_word_in_its_file)
{
    char folder[] = "/tmp/urd-cgroup-XXXXXX", file[64];
    CHECK(mkdtemp(folder) != NULL);
    CHECK_EQ(urd__os_cgroup_join(folder), -ENOENT);
    snprintf(file, sizeof file, "%s/cgroup.procs", folder);
    FILE *f = fopen(file, "w");
    CHECK(f != NULL);
    CHECK_EQ(fclose(f), 0);
    CHECK_EQ(urd__os_cgroup_join(folder), 0);
    struct stat s;
    CHECK_EQ(stat(file, &s), 0);
    CHECK_EQ(s.st_size, 1);
    CHECK_EQ(unlink(file), 0);
    CHECK_EQ(rmdir(folder), 0);
    char path[5000];
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    CHECK_EQ(urd__os_cgroup_join(path), -ENAMETOOLONG);
}

TEST(niceness_is_added_to)
{
    int before = getpriority(PRIO_PROCESS, 0);
    if (before > 15)
        SKIP("it is as nice as can be");
    CHECK_EQ(urd__os_nice(2), 0);
    CHECK_EQ(urd__os_nice(1), 0);
    CHECK_EQ(getpriority(PRIO_PROCESS, 0), before + 3);
    if (getuid() == 0)
        CHECK_EQ(setresuid(65534, 65534, 65534), 0);
    CHECK_EQ(urd__os_limit(RLIMIT_NICE, 0, 0), 0);
    CHECK_EQ(urd__os_nice(-1), -EACCES);
}

TEST(processors_are_restricted)
{
    cpu_set_t allowed;
    CHECK_EQ(sched_getaffinity(0, sizeof allowed, &allowed), 0);
    int first = 0, none = OS_CPUS_MAX - 1;
    while (!CPU_ISSET((size_t)first, &allowed))
        first++;
    CHECK_EQ(urd__os_cpus_restrict(&none, 1), -EINVAL);
    CHECK_EQ(urd__os_cpus_restrict(&first, 1), 0);
    CHECK_EQ(urd__os_cpus_allowed(), 1);
    CHECK_EQ(sched_getaffinity(0, sizeof allowed, &allowed), 0);
    CHECK(CPU_ISSET((size_t)first, &allowed));
}

TEST(random_bytes_are_never_twice_the_same)
{
    uint64_t a = 0, b = 0;
    urd__os_random(&a, sizeof a);
    urd__os_random(&b, sizeof b);
    CHECK(a != b);
}

TEST(a_program_of_its_own_user_is_not_privileged)
{
    CHECK(!urd__os_privileged());
}

TEST(limits_are_lowered_and_not_raised)
{
    struct rlimit now;
    CHECK_EQ(urd__os_limit(RLIMIT_MSGQUEUE, 40, 50), 0);
    CHECK_EQ(getrlimit(RLIMIT_MSGQUEUE, &now), 0);
    CHECK_EQ(now.rlim_cur, 40);
    CHECK_EQ(now.rlim_max, 50);
    CHECK_EQ(urd__os_limit(RLIMIT_MSGQUEUE, 51, 50), -EINVAL);
    if (getuid() == 0)
        CHECK_EQ(setresuid(65534, 65534, 65534), 0);
    CHECK_EQ(urd__os_limit(RLIMIT_MSGQUEUE, 40, 51), -EPERM);
}
