/*
 * spawn.c - a process job whose process is a fresh image of the program.
 *
 * SPDX-License-Identifier: MIT
 *
 * The zygote forks as for any job, and the child execs the program once more: so who reaps it, who
 * dies with whom, and what is told of its end are the same as ever.  What it is to do lies in the
 * shared heap; where that is, an environment variable says:
 *
 *     zygote's child   URD_SPAWNED=pid:library:file:door:lifeline:heap:bytes:record
 *     exec             the loader, constructors, and main() up to urd_run() or urd_process_main()
 *     there            the heap is mapped at its place, and the job run
 *
 * A constructor takes the variable away, and lets the descriptors be closed on exec, before the
 * program can start another that would inherit them.  The pid says whom it is meant for.
 *
 * The job cannot begin in that constructor: those of the program itself come later, and the objects
 * of C++ would not be there yet.  Nor can a library put itself between the last of them and main().
 *
 * Who may set the variable of a program may have it run anything, as by LD_PRELOAD.  A program with
 * more rights than its caller therefore ends where it finds it; and never begins another this way.
 */
#include "proc/spawn.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>

#include "base/check.h"
#include "base/os_proc.h"
#include "base/os_self.h"
#include "proc/image.h"

#define VARIABLE "URD_SPAWNED"

enum { WORDS_BYTES = 160, FIELDS = 8, EXIT_REFUSED = 127 };

/* Set by the constructor. */
static struct {
    pid_t pid; /* 0: it was not told anything, or has been asked already */
    uint64_t library;
    urd__told told;
} own;

static uint64_t library(void)
{
    return urd__image_identity((const void *)(uintptr_t)urd__spawn_exec);
}

static int announce(const urd__told *told)
{
    char words[WORDS_BYTES];
    snprintf(words, sizeof words, VARIABLE "=%d:%" PRIx64 ":%d:%d:%d:%" PRIxPTR ":%zx:%zx",
             (int)urd__os_pid(), library(), told->file, told->door, told->lifeline,
             (uintptr_t)told->heap, told->bytes, told->record_at);
    return urd__os_env_change(words);
}

static int keep(const urd__told *told, bool keeps)
{
    const int fds[] = {told->file, told->door, told->lifeline};
    int rc = 0;
    for (size_t i = 0; i < sizeof fds / sizeof *fds && rc == 0; i++)
        rc = urd__os_exec_keeps(fds[i], keeps);
    return rc;
}

int urd__spawn_exec(const urd__told *told)
{
    int rc = announce(told);
    if (rc == 0)
        rc = keep(told, true);
    return rc ? rc : urd__os_exec_self();
}

__attribute__((noreturn)) static void refuse(const char *why)
{
    urd__say("a process that was to be spawned ends: %s", why);
    urd__os_exit(EXIT_REFUSED);
}

/* Before all constructors without a number; or by one that is earlier, and asks. */
__attribute__((constructor(101))) static void listen(void)
{
    const char *text = getenv(VARIABLE);
    int pid;
    uintptr_t heap;
    if (!text)
        return;
    if (urd__os_privileged())
        refuse("the program has more rights than who started it");
    urd__told told = {0};
    int fields =
        sscanf(text, "%d:%" SCNx64 ":%d:%d:%d:%" SCNxPTR ":%zx:%zx", &pid, &own.library, &told.file,
               &told.door, &told.lifeline, &heap, &told.bytes, &told.record_at);
    urd__os_env_change(VARIABLE);
    if (fields != FIELDS || pid != (int)urd__os_pid())
        return;               /* it was meant for another */
    told.heap = (void *)heap; // NOLINT(performance-no-int-to-ptr)
    keep(&told, false);
    own.told = told;
    own.pid = pid;
}

bool urd__spawn_told(urd__told *out)
{
    listen();
    if (own.pid == 0)
        return false;
    if (own.pid != urd__os_pid())
        refuse("it has forked before it called urd_run or urd_process_main");
    if (own.library != library())
        refuse("the library was replaced while the program runs");
    own.pid = 0;
    *out = own.told;
    return true;
}
