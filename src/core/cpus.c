/*
 * cpus.c - how many processors affinity and cgroups allow.
 *
 * SPDX-License-Identifier: MIT
 *
 * A quota holds for a whole subtree, so every group from ours up to the visible root counts.  Both
 * versions of cgroups are read, since a hybrid system has the cpu controller on either:
 *
 *     v2   /sys/fs/cgroup/PATH/cpu.max                 "150000 100000" or "max 100000"
 *     v1   /sys/fs/cgroup/cpu/PATH/cpu.cfs_quota_us    "150000" or "-1", and cpu.cfs_period_us
 *
 * PATH is from /proc/self/cgroup.  In a container PATH may be as the host sees it and not exist
 * here; its ancestors are tried too, and the root is what the container itself is limited by.
 */
#include "core/cpus.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"

enum { PATH_BYTES = 4096, FILE_BYTES = 8192 };

static int read_text(const char *root, const char *dir, const char *group, const char *name,
                     char *out, size_t size)
{
    char path[PATH_BYTES];
    int n = snprintf(path, sizeof path, "%s/sys/fs/cgroup%s%s/%s", root, dir, group, name);
    return n > 0 && (size_t)n < sizeof path && urd__os_read_file(path, out, size) > 0;
}

static int processors(long quota, long period)
{
    return quota > 0 && period > 0 ? (int)((quota + period - 1) / period) : 0;
}

static int quota_v2(const char *root, const char *group)
{
    char text[64];
    if (!read_text(root, "", group, "cpu.max", text, sizeof text))
        return 0;
    char *end;
    long quota = strtol(text, &end, 10); /* 0 for "max" */
    return processors(quota, strtol(end, NULL, 10));
}

static int quota_v1(const char *root, const char *dir, const char *group)
{
    char quota[64], period[64];
    if (!read_text(root, dir, group, "cpu.cfs_quota_us", quota, sizeof quota) ||
        !read_text(root, dir, group, "cpu.cfs_period_us", period, sizeof period))
        return 0;
    return processors(strtol(quota, NULL, 10), strtol(period, NULL, 10));
}

static int smaller(int a, int b)
{
    if (a == 0 || b == 0)
        return a + b;
    return a < b ? a : b;
}

/* Our group and all above it; `group` is cut shorter on the way. */
static int quota_upwards(const char *root, char *group, bool v2)
{
    int least = 0;
    for (;;) {
        if (v2) {
            least = smaller(least, quota_v2(root, group));
        } else {
            least = smaller(least, quota_v1(root, "/cpu", group));
            least = smaller(least, quota_v1(root, "/cpu,cpuacct", group));
        }
        char *slash = strrchr(group, '/');
        if (!slash)
            return least;
        *slash = '\0';
    }
}

/* A line is "0::/path" for v2, "4:cpu,cpuacct:/path" for v1. */
static int quota_of_line(const char *root, char *line)
{
    char *controllers = strchr(line, ':');
    char *group = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!group)
        return 0;
    *controllers++ = '\0';
    *group++ = '\0';
    if (strcmp(group, "/") == 0)
        *group = '\0';
    bool v2 = *controllers == '\0';
    bool cpu = false;
    char *rest = NULL;
    for (char *c = strtok_r(controllers, ",", &rest); c; c = strtok_r(NULL, ",", &rest))
        cpu = cpu || strcmp(c, "cpu") == 0;
    return v2 || cpu ? quota_upwards(root, group, v2) : 0;
}

int urd__cpus_quota(const char *root)
{
    char path[PATH_BYTES], text[FILE_BYTES];
    snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    if (urd__os_read_file(path, text, sizeof text) <= 0)
        return 0;
    int least = 0;
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        least = smaller(least, quota_of_line(root, line));
    return least;
}

int urd__cpus(void)
{
    return smaller(urd__os_cpus_allowed(), urd__cpus_quota(""));
}
