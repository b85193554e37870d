/*
 * oom.c - was it for memory that the kernel killed a process?
 *
 * SPDX-License-Identifier: MIT
 *
 * All that is seen of such an end is SIGKILL.  But the kernel counts, before it sends that, in the
 * process's control group and for the whole machine:
 *
 *     v2   /sys/fs/cgroup/PATH/memory.events               "oom_kill 1", also of groups below it
 *     v1   /sys/fs/cgroup/memory/PATH/memory.oom_control   "oom_kill 1", its own alone
 *     all  /proc/vmstat                                    "oom_kill 1"
 *
 * A count of the group that has risen since the process was asked for is taken for the reason.  The
 * machine's is asked only where the group's cannot be read: then it is a guess, since it may have
 * been somebody else's.  A process that has moved to another group by itself is not followed.
 *
 * Rejected: the kernel's log (privileged, and in words that change); comparing memory with limits
 * from outside (what was used is gone with the process).
 */
#include "proc/oom.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "base/os.h"
#include "base/os_file.h"
#include "base/os_io.h"
#include "base/os_proc.h"

enum { FILE_BYTES = 32768 };

/* The number behind `word` in the file; -1: there is none. */
static int64_t read_count(int fd, const char *word)
{
    char text[FILE_BYTES];
    struct iovec part = {.iov_base = text, .iov_len = sizeof text - 1};
    ssize_t n = fd >= 0 ? urd__os_pread(fd, &part, 1, 0) : -1;
    if (n < 0)
        return -1;
    text[n] = '\0';
    size_t length = strlen(word);
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        if (strncmp(line, word, length) == 0)
            return strtoll(line + length, NULL, 10);
    return -1;
}

static int open_in(const char *folder, const char *name)
{
    char path[URD__OOM_PATH_BYTES];
    int n = snprintf(path, sizeof path, "%s/%s", folder, name);
    return n < (int)sizeof path ? urd__os_open(path, O_RDONLY, 0) : -1;
}

int urd__oom_open(const char *group)
{
    int fd = *group ? open_in(group, "memory.events") : -1;
    return fd >= 0 || !*group ? fd : open_in(group, "memory.oom_control");
}

int64_t urd__oom_read(int fd)
{
    return read_count(fd, "oom_kill ");
}

static int64_t read_and_close(int fd)
{
    int64_t kills = urd__oom_read(fd);
    urd__os_close(fd);
    return kills;
}

int64_t urd__oom_kills(const char *group)
{
    return read_and_close(urd__oom_open(group));
}

int64_t urd__oom_kills_everywhere(const char *root)
{
    char folder[URD__OOM_PATH_BYTES];
    int n = snprintf(folder, sizeof folder, "%s/proc", root);
    return n < (int)sizeof folder ? read_and_close(open_in(folder, "vmstat")) : -1;
}

/* The group, or, in a container where it is named as the host sees it, the nearest above it that is
 * here.  `group` is cut shorter on the way. */
static bool find_upwards(const char *base, char *group, char *out, size_t size)
{
    for (;;) {
        int n = snprintf(out, size, "%s%s", base, group);
        if (n < (int)size && urd__oom_kills(out) >= 0)
            return true;
        char *slash = strrchr(group, '/');
        if (!slash)
            return false;
        *slash = '\0';
    }
}

/* A line is "0::/path" for v2, "4:memory:/path" for v1. */
static bool find_by_line(const char *root, char *line, char *out, size_t size)
{
    char base[URD__OOM_PATH_BYTES];
    char *controllers = strchr(line, ':');
    char *group = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!group)
        return false;
    *controllers++ = '\0';
    *group++ = '\0';
    bool v2 = *controllers == '\0';
    if (!v2 && strcmp(controllers, "memory") != 0)
        return false;
    snprintf(base, sizeof base, "%s/sys/fs/cgroup%s", root, v2 ? "" : "/memory");
    return find_upwards(base, strcmp(group, "/") == 0 ? group + 1 : group, out, size);
}

void urd__oom_find_group(const char *root, char *out, size_t size)
{
    char path[URD__OOM_PATH_BYTES], text[FILE_BYTES];
    snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    if (urd__os_read_file(path, text, sizeof text) <= 0)
        text[0] = '\0';
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        if (find_by_line(root, line, out, size))
            return;
    *out = '\0';
}

const char *urd__oom_words(urd__oom_counts before, urd__oom_counts now)
{
    static const char other[] = "killed by SIGKILL", sure[] = "killed by SIGKILL, out of memory",
                      perhaps[] = "killed by SIGKILL, perhaps out of memory";
    if (before.group >= 0 && now.group >= 0)
        return now.group > before.group ? sure : other;
    bool known = before.everywhere >= 0 && now.everywhere >= 0;
    return known && now.everywhere == before.everywhere ? other : perhaps;
}
