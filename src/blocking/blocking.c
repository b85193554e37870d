/*
 * blocking.c - who calls, and what the C library has under the same name.
 *
 * SPDX-License-Identifier: MIT
 *
 * The runtime makes its system calls by functions of the C library, so they come here too, on a
 * task's stack.  They are known by the address they return to, which lies in the runtime's code: a
 * mark of the thread would have to be taken along in every switch of tasks, and one of the task
 * costs every call.  What the C library calls itself (stdio, its own locks) does not come here.
 *
 * Rejected: aliases such as __read and __poll, of which there are not enough; system calls by hand
 * in the runtime, each of which then needs its own cancellation and errno.
 */
#include "blocking/blocking.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>

#include "base/atomic.h"

/* ---- The C library --------------------------------------------------------------------------- */

static urd__blocking_libc libc;
static int libc_found; /* atomic */

/* Conditions have two versions where the C library is old enough, and the plain one is the old. */
static void *find(const char *name)
{
    void *found = dlvsym(RTLD_NEXT, name, "GLIBC_2.3.2");
    return found ? found : dlsym(RTLD_NEXT, name);
}

/* Several threads may do so at once, and find the same. */
__attribute__((constructor)) static void find_all(void)
{
#define FIND(call) *(void **)(void *)&libc.call = find(#call);
    URD__BLOCKING_CALLS(FIND)
#undef FIND
    urd__store_rel(&libc_found, 1); /* [libc] */
}

const urd__blocking_libc *urd__blocking_real(void)
{
    if (!urd__load_acq(&libc_found)) /* [libc] */
        find_all();
    return &libc;
}

/* ---- The runtime's code ---------------------------------------------------------------------- */

static uintptr_t runtime_low, runtime_high; /* set as this library is loaded */

/* The module in which urd_run lies. */
static int note_runtime(struct dl_phdr_info *module, size_t size, void *unused)
{
    (void)size, (void)unused;
    uintptr_t run = (uintptr_t)&urd_run;
    for (int i = 0; i < module->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &module->dlpi_phdr[i];
        uintptr_t low = module->dlpi_addr + part->p_vaddr;
        if (part->p_type != PT_LOAD || !(part->p_flags & PF_X) || run < low ||
            run >= low + part->p_memsz)
            continue;
        runtime_low = low;
        runtime_high = low + part->p_memsz;
        return 1;
    }
    return 0;
}

__attribute__((constructor)) static void find_runtime(void)
{
    dl_iterate_phdr(note_runtime, NULL);
}

bool urd__blocking_caught(const void *caller)
{
    uintptr_t at = (uintptr_t)caller;
    return (at < runtime_low || at >= runtime_high) && urd_task_id();
}

/* ---- What the others need -------------------------------------------------------------------- */

ssize_t urd__blocking_answer(ssize_t rc)
{
    if (rc >= 0)
        return rc;
    errno = (int)-rc;
    return -1;
}

urd_time urd__blocking_after(int64_t seconds, int64_t ns)
{
    urd_time now = urd_now();
    return seconds >= (URD_FOREVER - now) / URD_SECOND - 1 ? URD_FOREVER
                                                           : now + seconds * URD_SECOND + ns;
}

int urd__blocking_until(urd_time when, int (*fn)(void *arg), void *arg)
{
    if (when == URD_FOREVER)
        return fn(arg);
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_deadline(&s, when);
    int rc = fn(arg);
    int over = urd_scope_join(&s);
    return rc == -ECANCELED ? over : rc;
}
