/*
 * setup.c - what a new process is to do before its function: urd_process_options, carried over.
 *
 * SPDX-License-Identifier: MIT
 *
 * The options go to the new process as a copy in shared memory, whose pointers lead into the copy
 * itself: it lies at the same address there.  Limits and then the sandbox come last, since they may
 * forbid the rest.
 */
#include "proc/setup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/check.h"
#include "base/lock.h"
#include "base/os_sandbox.h"
#include "base/os_self.h"
#include "proc/shared.h"

enum { NICE_MIN = -40, NICE_MAX = 39, RESOURCES = RLIMIT_NLIMITS, WORDS_BYTES = 48, WORDS = 64 };

enum step {
    AT_ENV = URD__SETUP_STEPS,
    AT_ENV_ADD,
    AT_DIRECTORY,
    AT_CGROUP,
    AT_NICE,
    AT_CPUS,
    AT_LIMITS, /* and so many more, by resource */
    AT_SANDBOX = AT_LIMITS + RESOURCES,
    STEPS
};

static const char *const names[STEPS] = {
    [URD__SETUP_RUNTIME] = "the runtime",
    [URD__SETUP_START] = "start",
    [URD__SETUP_FUNCTION] = "the function",
    [AT_ENV] = "env",
    [AT_ENV_ADD] = "env_add",
    [AT_DIRECTORY] = "directory",
    [AT_CGROUP] = "cgroup",
    [AT_NICE] = "nice",
    [AT_CPUS] = "cpus",
    [AT_SANDBOX] = "sandbox",
    [AT_LIMITS + RLIMIT_AS] = "RLIMIT_AS",
    [AT_LIMITS + RLIMIT_CORE] = "RLIMIT_CORE",
    [AT_LIMITS + RLIMIT_CPU] = "RLIMIT_CPU",
    [AT_LIMITS + RLIMIT_DATA] = "RLIMIT_DATA",
    [AT_LIMITS + RLIMIT_FSIZE] = "RLIMIT_FSIZE",
    [AT_LIMITS + RLIMIT_LOCKS] = "RLIMIT_LOCKS",
    [AT_LIMITS + RLIMIT_MEMLOCK] = "RLIMIT_MEMLOCK",
    [AT_LIMITS + RLIMIT_MSGQUEUE] = "RLIMIT_MSGQUEUE",
    [AT_LIMITS + RLIMIT_NICE] = "RLIMIT_NICE",
    [AT_LIMITS + RLIMIT_NOFILE] = "RLIMIT_NOFILE",
    [AT_LIMITS + RLIMIT_NPROC] = "RLIMIT_NPROC",
    [AT_LIMITS + RLIMIT_RSS] = "RLIMIT_RSS",
    [AT_LIMITS + RLIMIT_RTPRIO] = "RLIMIT_RTPRIO",
    [AT_LIMITS + RLIMIT_RTTIME] = "RLIMIT_RTTIME",
    [AT_LIMITS + RLIMIT_SIGPENDING] = "RLIMIT_SIGPENDING",
    [AT_LIMITS + RLIMIT_STACK] = "RLIMIT_STACK",
};

/* ---- Are they in range? ---------------------------------------------------------------------- */

static int wrong(const char *field, const char *what)
{
    urd__say("urd_process_options: %s: %s", field, what);
    return -EINVAL;
}

static int check_env(int step, const char *const *list)
{
    for (; list && *list; list++) {
        const char *equals = strchr(*list, '=');
        if (**list == '\0' || equals == *list)
            return wrong(names[step], "an entry without a name");
        if (!equals && step == AT_ENV)
            return wrong(names[step], "an entry that is not NAME=value");
    }
    return 0;
}

static int check_cpus(const urd_process_options *o)
{
    if (o->cpu_count < 0 || (o->cpu_count > 0 && !o->cpus))
        return wrong("cpus", "no list of so many");
    for (int i = 0; i < o->cpu_count; i++)
        if (o->cpus[i] < 0 || o->cpus[i] >= OS_CPUS_MAX)
            return wrong("cpus", "no number of a processor");
    return 0;
}

static int check_limits(const urd_process_options *o)
{
    if (o->limit_count < 0 || (o->limit_count > 0 && !o->limits))
        return wrong("limits", "no list of so many");
    for (int i = 0; i < o->limit_count; i++) {
        const urd_limit *limit = &o->limits[i];
        if (limit->resource < 0 || limit->resource >= RESOURCES)
            return wrong("limits", "no resource has this number");
        if (limit->soft > limit->hard)
            return wrong(names[AT_LIMITS + limit->resource],
                         "the soft limit is above the hard one");
    }
    return 0;
}

static int check_start(urd_start start)
{
    if ((unsigned)start > URD_START_SPAWN)
        return wrong(names[URD__SETUP_START], "no such method");
    if (start == URD_START_ZYGOTE)
        return 0;
    if (urd__os_privileged()) {
        wrong(names[URD__SETUP_START], "a program with more rights than its caller cannot spawn");
        return -EPERM;
    }
    if (!urd__shared_has_file()) {
        wrong(names[URD__SETUP_START], "the shared heap is no file here, as by ulimit -f");
        return -ENOTSUP;
    }
    return 0;
}

int urd__setup_check(const urd_process_options *o)
{
    if (!o)
        return 0;
    if (o->nice < NICE_MIN || o->nice > NICE_MAX)
        return wrong("nice", "not from -40 to 39");
    if (o->sandbox & ~(unsigned)URD_SANDBOX_ALL)
        return wrong(names[AT_SANDBOX], "no such part of it");
    int rc = check_start(o->start);
    if (rc == 0)
        rc = check_env(AT_ENV, o->env);
    if (rc == 0)
        rc = check_env(AT_ENV_ADD, o->env_add);
    if (rc == 0)
        rc = check_cpus(o);
    return rc ? rc : check_limits(o);
}

/* ---- The copy -------------------------------------------------------------------------------- */

/* A block that is being filled; or, without memory, measured. */
typedef struct block {
    char *memory; /* or NULL */
    size_t used;
} block;

static void *put(block *b, const void *bytes, size_t size)
{
    enum { ALIGN = 8 };
    void *at = b->memory ? b->memory + b->used : NULL;
    b->used += (size + ALIGN - 1) / ALIGN * ALIGN;
    if (at && size)
        memcpy(at, bytes, size);
    return at;
}

static const char *put_text(block *b, const char *text)
{
    return text ? put(b, text, strlen(text) + 1) : NULL;
}

static const char *const *put_list(block *b, const char *const *list)
{
    size_t n = 0;
    while (list && list[n])
        n++;
    if (!list)
        return NULL;
    const char **copies = put(b, list, (n + 1) * sizeof *list);
    for (size_t i = 0; i < n; i++) {
        const char *text = put_text(b, list[i]);
        if (copies)
            copies[i] = text;
    }
    return copies;
}

static urd_process_options *put_options(block *b, const urd_process_options *o)
{
    urd_process_options *copy = put(b, o, sizeof *o);
    const urd_process_options inner = {
        .env = put_list(b, o->env),
        .env_add = put_list(b, o->env_add),
        .directory = put_text(b, o->directory),
        .cgroup = put_text(b, o->cgroup),
        .nice = o->nice,
        .cpus = put(b, o->cpus, (size_t)o->cpu_count * sizeof *o->cpus),
        .cpu_count = o->cpu_count,
        .limits = put(b, o->limits, (size_t)o->limit_count * sizeof *o->limits),
        .limit_count = o->limit_count,
        .sandbox = o->sandbox,
        .start = o->start,
    };
    if (copy)
        *copy = inner;
    return copy;
}

urd_process_options *urd__setup_copy(const urd_process_options *o)
{
    block b = {0};
    put_options(&b, o);
    b.memory = urd_shared_alloc(b.used);
    b.used = 0;
    return b.memory ? put_options(&b, o) : NULL;
}

/* ---- In the new process ---------------------------------------------------------------------- */

static int change_env(const char *const *list)
{
    int rc = 0;
    for (; list && *list && rc == 0; list++)
        rc = urd__os_env_change(*list);
    return rc;
}

static int replace_env(const char *const *list)
{
    int rc = list ? urd__os_env_clear() : 0;
    return rc ? rc : change_env(list);
}

static int apply_limits(const urd_process_options *o, int *step)
{
    int rc = 0;
    for (int i = 0; i < o->limit_count && rc == 0; i++) {
        const urd_limit *limit = &o->limits[i];
        *step = AT_LIMITS + limit->resource;
        rc = urd__os_limit(limit->resource, limit->soft, limit->hard);
    }
    return rc;
}

static int apply(const urd_process_options *o, int step)
{
    switch (step) {
    case AT_ENV:
        return replace_env(o->env);
    case AT_ENV_ADD:
        return change_env(o->env_add);
    case AT_DIRECTORY:
        return o->directory ? urd__os_directory_change(o->directory) : 0;
    case AT_CGROUP:
        return o->cgroup ? urd__os_cgroup_join(o->cgroup) : 0;
    case AT_NICE:
        return o->nice ? urd__os_nice(o->nice) : 0;
    default:
        return o->cpu_count ? urd__os_cpus_restrict(o->cpus, (size_t)o->cpu_count) : 0;
    }
}

int urd__setup_env(const urd_process_options *o, int *step)
{
    *step = AT_ENV;
    int rc = apply(o, AT_ENV);
    if (rc)
        return rc;
    *step = AT_ENV_ADD;
    return apply(o, AT_ENV_ADD);
}

int urd__setup_apply(const urd_process_options *o, int *step, void (*refused)(int call))
{
    for (*step = AT_ENV; *step < AT_LIMITS; ++*step) {
        int rc = apply(o, *step);
        if (rc)
            return rc;
    }
    int rc = apply_limits(o, step);
    if (rc || !o->sandbox)
        return rc;
    *step = AT_SANDBOX;
    return urd__os_sandbox(o->sandbox, refused);
}

/* ---- In words -------------------------------------------------------------------------------- */

/* Put together once for each pair of numbers; the first part alone where there is no room left. */
static const char *say(int first, int second, const char *a, const char *b)
{
    static int lock;
    static struct {
        int first, second;
        char text[WORDS_BYTES];
    } said[WORDS]; /* under lock; what is full stays so */
    const char *text = a;
    urd__lock(&lock);
    for (int i = 0; i < WORDS; i++) {
        if (!said[i].text[0]) {
            said[i].first = first;
            said[i].second = second;
            snprintf(said[i].text, WORDS_BYTES, "%s%s%s", a, second < 0 ? ": " : " ", b);
        }
        if (said[i].first == first && said[i].second == second) {
            text = said[i].text;
            break;
        }
    }
    urd__unlock(&lock);
    return text;
}

const char *urd__setup_words(int step, int rc)
{
    const char *error = strerrordesc_np(-rc);
    bool known = step >= 0 && step < STEPS; /* it comes from memory that others may write */
    return say(step, rc, known ? names[step] : "an option", error ? error : "error");
}

const char *urd__setup_refused_words(int call)
{
    const char *name = urd__os_sandbox_name(call);
    return say(AT_SANDBOX, call, "the sandbox refused", name ? name : "a call");
}
