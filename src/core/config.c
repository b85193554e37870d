/*
 * config.c - merge the caller's configuration with URD_* variables and defaults.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/config.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/os.h"
#include "core/compact.h"
#include "core/cpus.h"
#include "core/stack.h"

static const uint64_t WORKERS_MAX = 1024;
static const uint64_t STACK_BYTES_MIN = 16384, STACK_BYTES_MAX = UINT64_C(1) << 30;
static const uint64_t COMPACT_BYTES_MIN = 1024, COMPACT_BYTES_MAX = 65536;
static const uint64_t SHARED_BYTES_MIN = 65536, SHARED_BYTES_MAX = UINT64_C(1) << 44;
static const uint64_t SHARED_BYTES_DEFAULT = UINT64_C(1) << 30;
static const uint64_t GRACE_MS_MAX = 3600 * UINT64_C(1000);
static const uint64_t WATCHDOG_MS_MAX = 3600 * UINT64_C(1000);

/* Digits alone: no blanks, no sign, and not too large for *out. */
static bool parse_number(const char *text, uint64_t *out)
{
    uint64_t value = 0;
    for (const char *c = text; *c; c++) {
        if (*c < '0' || *c > '9' || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*c - '0'), &value))
            return false;
    }
    *out = value;
    return true;
}

/* The variable's value into *out if it is set; it must lie between low and high. */
static int number_from(const char *name, uint64_t low, uint64_t high, uint64_t *out)
{
    const char *text = getenv(name);
    if (!text || !*text)
        return 0;
    uint64_t value;
    if (!parse_number(text, &value) || value < low || value > high) {
        urd__say("%s=%s is not a number from %llu to %llu", name, text, (unsigned long long)low,
                 (unsigned long long)high);
        return -EINVAL;
    }
    *out = value;
    return 0;
}

/* One of two words; *out is 0 or 1. */
static int word_from(const char *name, const char *zero, const char *one, int *out)
{
    const char *text = getenv(name);
    if (!text || !*text)
        return 0;
    if (strcmp(text, zero) != 0 && strcmp(text, one) != 0) {
        urd__say("%s=%s is neither %s nor %s", name, text, zero, one);
        return -EINVAL;
    }
    *out = strcmp(text, one) == 0;
    return 0;
}

/* One of three words; *out is its index. */
static int choice_from(const char *name, const char *const *words, int n, int *out)
{
    const char *text = getenv(name);
    if (!text || !*text)
        return 0;
    for (int i = 0; i < n; i++) {
        if (strcmp(text, words[i]) == 0) {
            *out = i;
            return 0;
        }
    }
    urd__say("%s=%s is neither %s nor %s nor %s", name, text, words[0], words[1], words[2]);
    return -EINVAL;
}

static int check_field(const char *name, uint64_t value, uint64_t low, uint64_t high)
{
    if (value >= low && value <= high)
        return 0;
    urd__say("urd_config.%s is %lld, and must be 0 or from %llu to %llu", name, (long long)value,
             (unsigned long long)low, (unsigned long long)high);
    return -EINVAL;
}

static int check_fields(const urd_config *c)
{
    int rc = 0;
    if (c->workers)
        rc = check_field("workers", (uint64_t)(int64_t)c->workers, 1, WORKERS_MAX);
    if (!rc && c->stack_bytes)
        rc = check_field("stack_bytes", c->stack_bytes, STACK_BYTES_MIN, STACK_BYTES_MAX);
    if (!rc && c->compact_bytes)
        rc = check_field("compact_bytes", c->compact_bytes, COMPACT_BYTES_MIN, COMPACT_BYTES_MAX);
    if (!rc && c->shared_bytes)
        rc = check_field("shared_bytes", c->shared_bytes, SHARED_BYTES_MIN, SHARED_BYTES_MAX);
    if (!rc && c->grace_duration)
        rc = check_field("grace_duration", (uint64_t)c->grace_duration, 1,
                         GRACE_MS_MAX * (uint64_t)URD_MS);
    if (!rc && c->watchdog_ms)
        rc = check_field("watchdog_ms", (uint64_t)(int64_t)c->watchdog_ms, 1, WATCHDOG_MS_MAX);
    if (!rc)
        rc = check_field("deadlock", (uint64_t)(int64_t)c->deadlock, URD_DEADLOCK_SURE,
                         URD_DEADLOCK_OFF);
    if (!rc)
        rc = check_field("processes", (uint64_t)(int64_t)c->processes, URD_PROCESSES_ZYGOTE,
                         URD_PROCESSES_NONE);
    if (!rc)
        rc = check_field("io", (uint64_t)(int64_t)c->io, URD_IO_AUTO, URD_IO_URING);
    if (!rc)
        rc = check_field("interrupt", (uint64_t)(int64_t)c->interrupt, URD_INTERRUPT_CANCEL,
                         URD_INTERRUPT_OFF);
    return rc;
}

static int read_environment(urd_config *c)
{
    uint64_t workers = (uint64_t)c->workers, stack_bytes = c->stack_bytes;
    uint64_t shared_bytes = c->shared_bytes, compact_bytes = c->compact_bytes, grace_ms = 0;
    uint64_t watchdog_ms = (uint64_t)c->watchdog_ms;
    int sigquit = c->sigquit, debug_locks = c->debug_locks;
    int is_virtual = c->virtual_clock, none = c->processes == URD_PROCESSES_NONE, io = (int)c->io;
    int deadlock = (int)c->deadlock, interrupt = (int)c->interrupt;
    int rc = number_from("URD_WORKERS", 1, WORKERS_MAX, &workers);
    if (!rc)
        rc = number_from("URD_STACK_BYTES", STACK_BYTES_MIN, STACK_BYTES_MAX, &stack_bytes);
    if (!rc)
        rc = number_from("URD_COMPACT_BYTES", COMPACT_BYTES_MIN, COMPACT_BYTES_MAX, &compact_bytes);
    if (!rc)
        rc = number_from("URD_SHARED_BYTES", SHARED_BYTES_MIN, SHARED_BYTES_MAX, &shared_bytes);
    if (!rc)
        rc = number_from("URD_SEED", 0, UINT64_MAX, &c->seed);
    if (!rc)
        rc = number_from("URD_GRACE_MS", 1, GRACE_MS_MAX, &grace_ms);
    if (!rc)
        rc = word_from("URD_CLOCK", "real", "virtual", &is_virtual);
    if (!rc)
        rc = word_from("URD_PROCESSES", "zygote", "none", &none);
    if (!rc)
        rc = choice_from("URD_DEADLOCK", (const char *const[]){"sure", "strict", "off"}, 3,
                         &deadlock);
    if (!rc)
        rc = choice_from("URD_IO", (const char *const[]){"auto", "epoll", "uring"}, 3, &io);
    if (!rc)
        rc = choice_from("URD_INTERRUPT", (const char *const[]){"cancel", "term", "off"}, 3,
                         &interrupt);
    if (!rc)
        rc = number_from("URD_WATCHDOG_MS", 1, WATCHDOG_MS_MAX, &watchdog_ms);
    if (!rc)
        rc = word_from("URD_SIGQUIT", "0", "1", &sigquit);
    if (!rc)
        rc = word_from("URD_DEBUG", "off", "locks", &debug_locks);
    c->watchdog_ms = (int)watchdog_ms;
    c->sigquit = sigquit;
    c->debug_locks = debug_locks;
    c->deadlock = (urd_deadlock)deadlock;
    c->io = (urd_io)io;
    c->interrupt = (urd_interrupt)interrupt;
    c->workers = (int)workers;
    c->stack_bytes = stack_bytes;
    c->compact_bytes = compact_bytes;
    c->shared_bytes = shared_bytes;
    if (grace_ms)
        c->grace_duration = (urd_time)grace_ms * URD_MS;
    c->virtual_clock = is_virtual;
    c->processes = none ? URD_PROCESSES_NONE : URD_PROCESSES_ZYGOTE;
    if (getenv("URD_NAME"))
        c->name = getenv("URD_NAME");
    return rc;
}

int urd__config_resolve(const urd_config *cfg, urd_config *out)
{
    *out = cfg ? *cfg : (urd_config){0};
    int rc = check_fields(out);
    if (!rc)
        rc = read_environment(out);
    if (rc)
        return rc;
    if (!out->workers)
        out->workers = urd__cpus();
    if (!out->stack_bytes)
        out->stack_bytes = URD__STACK_BYTES_DEFAULT;
    if (!out->compact_bytes)
        out->compact_bytes = URD__COMPACT_BYTES_DEFAULT;
    if (!out->shared_bytes)
        out->shared_bytes = SHARED_BYTES_DEFAULT;
    if (!out->grace_duration)
        out->grace_duration = 2 * URD_SECOND;
    if (!out->name)
        out->name = urd__os_program_name();
    return 0;
}
