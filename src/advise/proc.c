/*
 * proc.c - read and take apart what /proc says of a thread.
 *
 * SPDX-License-Identifier: MIT
 */
#include "advise/proc.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

bool urd__proc_schedstat(const char *text, urd__schedstat *out)
{
    char *rest;
    out->cpu = strtoll(text, &rest, 10);
    if (rest == text)
        return false;
    out->ready = strtoll(rest, &rest, 10);
    out->slices = strtoll(rest, NULL, 10);
    return true;
}

void urd__proc_call(const char *text, urd__call *out)
{
    *out = (urd__call){.kind = CALL_HIDDEN, .number = -1};
    if (strncmp(text, "running", 7) == 0) {
        out->kind = CALL_RUNNING;
        return;
    }
    char *rest;
    out->number = strtol(text, &rest, 10);
    if (rest == text)
        return;
    out->kind = out->number < 0 ? CALL_NONE : CALL_SYSTEM;
    for (int i = 0; i < 6 && out->kind == CALL_SYSTEM; i++)
        out->args[i] = strtoull(rest, &rest, 16);
    out->sp = strtoull(rest, &rest, 16);
    out->pc = strtoull(rest, NULL, 16);
}

/* The name, in parentheses, may itself contain any character. */
bool urd__proc_stat(const char *text, urd__stat *out)
{
    *out = (urd__stat){0};
    const char *open = strchr(text, '('), *close = strrchr(text, ')');
    if (!open || !close || close < open)
        return false;
    snprintf(out->name, sizeof out->name, "%.*s", (int)(close - open - 1), open + 1);
    char state;
    int parent, threads;
    long long minor, major, resident;
    if (sscanf(close + 1,
               " %c %d %*d %*d %*d %*d %*u %lld %*u %lld %*u %*u %*u %*d %*d %*d %*d %d %*d %*u "
               "%*u %lld",
               &state, &parent, &minor, &major, &threads, &resident) != 6)
        return false;
    out->state = state;
    out->parent = parent;
    out->minor_faults = minor;
    out->major_faults = major;
    out->threads = threads;
    out->resident_pages = resident;
    return true;
}

long urd__proc_reread(int fd, char *out, size_t size)
{
    ssize_t bytes = pread(fd, out, size - 1, 0);
    out[bytes > 0 ? bytes : 0] = '\0';
    return bytes;
}

long urd__proc_read(const char *path, char *out, size_t size)
{
    out[0] = '\0';
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    long bytes = urd__proc_reread(fd, out, size);
    close(fd);
    return bytes;
}

bool urd__proc_peek(pid_t pid, uint64_t address, void *out, size_t size)
{
    struct iovec here = {.iov_base = out, .iov_len = size};
    struct iovec there = {.iov_base = (void *)(uintptr_t)address, .iov_len = size};
    return address != 0 && process_vm_readv(pid, &here, 1, &there, 1, 0) == (ssize_t)size;
}
