/*
 * os_self.c - system calls by which a process changes itself; turns errno into -errno, once.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/os_self.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/os.h"

enum { PATH_BYTES = 4096, NAME_BYTES = 1024 };

static int result(long rc)
{
    return rc < 0 ? -errno : 0;
}

int urd__os_env_clear(void)
{
    int fault = urd__os_fault();
    return fault ? fault : clearenv() ? -ENOMEM : 0;
}

int urd__os_env_change(const char *entry)
{
    int fault = urd__os_fault();
    if (fault)
        return fault;
    const char *equals = strchr(entry, '=');
    if (!equals)
        return result(unsetenv(entry));
    char name[NAME_BYTES];
    int n = snprintf(name, sizeof name, "%.*s", (int)(equals - entry), entry);
    return n < (int)sizeof name ? result(setenv(name, equals + 1, 1)) : -ENAMETOOLONG;
}

int urd__os_directory_change(const char *path)
{
    int fault = urd__os_fault();
    return fault ? fault : result(chdir(path));
}

int urd__os_cgroup_join(const char *folder)
{
    int fault = urd__os_fault();
    if (fault)
        return fault;
    char path[PATH_BYTES];
    int n = snprintf(path, sizeof path, "%s/cgroup.procs", folder);
    if (n >= (int)sizeof path)
        return -ENAMETOOLONG;
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int rc = result(write(fd, "0", 1)); /* the writer itself */
    close(fd);
    return rc;
}

int urd__os_nice(int added)
{
    int fault = urd__os_fault();
    return fault ? fault
                 : result(setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + added));
}

int urd__os_cpus_restrict(const int *cpus, size_t n)
{
    enum { BITS = 8 * sizeof(unsigned long) };
    unsigned long mask[OS_CPUS_MAX / BITS] = {0};
    int fault = urd__os_fault();
    if (fault)
        return fault;
    for (size_t i = 0; i < n; i++)
        mask[cpus[i] / BITS] |= 1UL << (cpus[i] % BITS);
    return result(sched_setaffinity(0, sizeof mask, (const cpu_set_t *)mask));
}

int urd__os_limit(int resource, uint64_t soft, uint64_t hard)
{
    int fault = urd__os_fault();
    const struct rlimit limit = {.rlim_cur = soft, .rlim_max = hard};
    return fault ? fault : result(setrlimit((__rlimit_resource_t)resource, &limit));
}

bool urd__os_privileged(void)
{
    return getauxval(AT_SECURE) != 0;
}

void urd__os_random(void *out, size_t size)
{
    if (getrandom(out, size, GRND_NONBLOCK) != (ssize_t)size)
        memset(out, 0, size);
}
