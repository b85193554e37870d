/*
 * setup.c - what a process is told to do before its function: it is done, or said why not.
 *
 * SPDX-License-Identifier: MIT
 */
#include "proc/setup.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/os.h"
#include "pools.h"

typedef struct facts {
    char directory[64], path[64], cake[64], gone[64];
    int nice, cpus;
    struct rlimit files, core;
} facts;

static void note(char *to, const char *text)
{
    snprintf(to, 64, "%s", text ? text : "(none)");
}

static int look(void *arg)
{
    facts *f = arg;
    char directory[64];
    note(f->directory, getcwd(directory, sizeof directory));
    note(f->path, getenv("PATH"));
    note(f->cake, getenv("CAKE"));
    note(f->gone, getenv("GONE"));
    f->nice = getpriority(PRIO_PROCESS, 0);
    f->cpus = urd__os_cpus_allowed();
    getrlimit(RLIMIT_NOFILE, &f->files);
    getrlimit(RLIMIT_CORE, &f->core);
    return 0;
}

static int look_for_pool(const void *in, void *out)
{
    (void)in;
    return look(out);
}

/* With files it may have open, which the runtime needs some of. */
static const urd_limit limits[] = {{RLIMIT_CORE, 0, 0}, {RLIMIT_NOFILE, 400, 500}};

static int first_cpu(void)
{
    cpu_set_t allowed;
    int cpu = 0;
    CHECK_EQ(sched_getaffinity(0, sizeof allowed, &allowed), 0);
    while (!CPU_ISSET((size_t)cpu, &allowed))
        cpu++;
    return cpu;
}

static void check_all(const facts *f)
{
    CHECK_STR(f->directory, "/");
    CHECK_STR(f->path, "/bin");
    CHECK_STR(f->cake, "cenoura");
    CHECK_STR(f->gone, "(none)");
    CHECK_EQ(f->nice, getpriority(PRIO_PROCESS, 0) + 1);
    CHECK_EQ(f->cpus, 1);
    CHECK_EQ(f->files.rlim_cur, 400);
    CHECK_EQ(f->files.rlim_max, 500);
    CHECK_EQ(f->core.rlim_max, 0);
}

static urd_process_options everything(const int *cpu)
{
    static const char *const env[] = {"PATH=/bin", "GONE=1", "CAKE=chocolate", NULL},
                             *const env_add[] = {"CAKE=cenoura", "GONE", NULL};
    return (urd_process_options){.env = env,
                                 .env_add = env_add,
                                 .directory = "/",
                                 .nice = 1,
                                 .cpus = cpu,
                                 .cpu_count = 1,
                                 .limits = limits,
                                 .limit_count = 2};
}

/* Result and words of one process under the options. */
static int hold(urd_fn *fn, void *arg, size_t size, const urd_process_options *o, char *words)
{
    urd_scope s;
    urd_job job;
    urd_exit end;
    urd_scope_open(&s);
    urd_scope_keep_going(&s);
    int rc = urd_job_open(&job, &s, URD_PROCESS, fn, arg, size, &(urd_job_options){.process = o});
    int joined = urd_scope_join(&s);
    urd_job_exit(&job, &end);
    CHECK_EQ(joined, urd_job_join(&job));
    snprintf(words, 64, "%s", end.detail);
    CHECK_EQ(end.code, rc ? -1 : joined ? 127 : 0);
    return rc ? rc : joined;
}

static int all_options(void *unused)
{
    (void)unused;
    facts f = {0};
    char words[64];
    int cpu = first_cpu();
    urd_process_options o = everything(&cpu);
    CHECK_EQ(hold(look, &f, sizeof f, &o, words), 0);
    CHECK_STR(words, "returned 0");
    check_all(&f);
    return 0;
}

TEST(every_option_is_in_effect_when_the_function_begins)
{
    run_all(all_options);
}

static int beside(void *unused)
{
    (void)unused;
    facts before, f = {0}, plain = {0};
    char words[64];
    static const char *const add[] = {"CAKE=chocolate", "GONE", NULL};
    look(&before);
    CHECK_EQ(hold(look, &f, sizeof f, &(urd_process_options){.env_add = add}, words), 0);
    CHECK_STR(f.cake, "chocolate");
    CHECK_STR(f.gone, "(none)");
    CHECK_STR(f.path, before.path);
    CHECK_STR(f.directory, before.directory);
    CHECK_EQ(f.nice, before.nice);
    CHECK_EQ(f.cpus, before.cpus);
    CHECK_EQ(f.files.rlim_max, before.files.rlim_max);
    CHECK_EQ(hold(look, &plain, sizeof plain, &(urd_process_options){0}, words), 0);
    CHECK_STR(plain.cake, "(none)"); /* what one job was told is nothing to the next */
    CHECK_STR(plain.gone, "1");
    return 0;
}

TEST(what_is_not_asked_for_stays_as_it_is)
{
    CHECK_EQ(setenv("GONE", "1", 1), 0);
    unsetenv("CAKE");
    run_all(beside);
}

/* ---- Refused --------------------------------------------------------------------------------- */

static int never(void *arg)
{
    *(int *)arg = 1;
    return 0;
}

static int none_such = 8191;
static const urd_limit raised[] = {{RLIMIT_CORE, 0, 0}, {RLIMIT_NOFILE, 400, 501}};
static const struct {
    urd_process_options options;
    int error;
    const char *words;
} refusals[] = {
    {{.directory = "/no/such/folder"}, -ENOENT, "directory: No such file or directory"},
    {{.directory = "/proc/self/status"}, -ENOTDIR, "directory: Not a directory"},
    {{.cgroup = "/no/such/group"}, -ENOENT, "cgroup: No such file or directory"},
    {{.nice = -1}, -EACCES, "nice: Permission denied"},
    {{.cpus = &none_such, .cpu_count = 1}, -EINVAL, "cpus: Invalid argument"},
    {{.limits = raised, .limit_count = 2}, -EPERM, "RLIMIT_NOFILE: Operation not permitted"},
};
enum { REFUSALS = sizeof refusals / sizeof *refusals };

static void lose_privileges(void)
{
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &(struct rlimit){400, 500}), 0);
    CHECK_EQ(setrlimit(RLIMIT_NICE, &(struct rlimit){0, 0}), 0);
    if (getuid() == 0)
        CHECK_EQ(setresuid(65534, 65534, 65534), 0);
}

static int refuse(void *unused)
{
    (void)unused;
    char words[64];
    for (int i = 0; i < REFUSALS; i++) {
        int ran = 0;
        CHECK_EQ(hold(never, &ran, sizeof ran, &refusals[i].options, words), refusals[i].error);
        CHECK_STR(words, refusals[i].words);
        CHECK_EQ(ran, 0);
    }
    return 0;
}

TEST(a_refusal_is_the_error_of_the_job_and_names_the_option)
{
    lose_privileges();
    run_all(refuse);
}

static int fail_the_scope(void *unused)
{
    (void)unused;
    urd_job job;
    urd_error error;
    urd_scope s;
    urd_scope_open(&s);
    urd_process_options o = {.directory = "/no/such/folder"};
    CHECK_EQ(urd_job_open(&job, &s, URD_PROCESS, never, NULL, 0, &(urd_job_options){.process = &o}),
             0);
    CHECK_EQ(urd_scope_wait(&s), -ENOENT);
    CHECK_EQ(urd_scope_errors(&s, &error, 1), 1);
    CHECK_STR(error.detail, "directory: No such file or directory");
    CHECK_EQ(urd_scope_join(&s), -ENOENT);
    return 0;
}

TEST(a_refusal_fails_the_scope_which_has_the_words)
{
    run_all(fail_the_scope);
}

static const char *const no_name[] = {"=x", NULL}, *const empty[] = {"", NULL},
                         *const no_value[] = {"NAME", NULL};
static int negative = -1, too_large = 8192;
static const urd_limit unknown = {RLIMIT_NLIMITS, 0, 0}, crossed = {RLIMIT_CORE, 2, 1};
static const urd_process_options wrong[] = {
    {.nice = 40},
    {.nice = -41},
    {.env = no_name},
    {.env = empty},
    {.env = no_value},
    {.env_add = no_name},
    {.env_add = empty},
    {.cpu_count = 1},
    {.cpu_count = -1, .cpus = &negative},
    {.cpu_count = 1, .cpus = &negative},
    {.cpu_count = 1, .cpus = &too_large},
    {.limit_count = 1},
    {.limit_count = -1, .limits = &unknown},
    {.limit_count = 1, .limits = &unknown},
    {.limit_count = 1, .limits = &crossed},
};

static void refuse_for(urd_kind kind, const urd_process_options *o)
{
    urd_scope s;
    urd_job job;
    urd_pool *p;
    urd_scope_open(&s);
    urd_scope_keep_going(&s);
    CHECK_EQ(urd_job_open(&job, &s, kind, never, NULL, 0, &(urd_job_options){.process = o}),
             -EINVAL);
    CHECK_EQ(urd_scope_join(&s), -EINVAL);
    CHECK_EQ(urd_pool_open(&p, kind, 1, &(urd_pool_options){.process = o}), -EINVAL);
    CHECK_PTR(p, NULL);
    CHECK_EQ(urd_supervise(&(urd_child){.kind = kind, .fn = never, .process = o}, 1, NULL, NULL),
             -EINVAL);
}

static int out_of_range(void *unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        refuse_for(URD_PROCESS, &wrong[i]);
    return 0;
}

TEST(what_is_out_of_range_is_refused_before_anything_starts)
{
    run_all(out_of_range);
}

static int of_other_kinds(void *unused)
{
    (void)unused;
    static const urd_process_options none;
    refuse_for(URD_TASK, &none);
    refuse_for(URD_THREAD, &none);
    return 0;
}

TEST(a_task_or_a_thread_has_no_options_of_a_process)
{
    run_all(of_other_kinds);
}

TEST(words_are_kept_for_as_many_as_there_is_room_for)
{
    for (int rc = 1; rc < 100; rc++) {
        const char *words = urd__setup_words(URD__SETUP_RUNTIME, -rc);
        CHECK_CONTAINS(words, "the runtime");
        CHECK_LT(strlen(words), 48);
    }
    CHECK_STR(urd__setup_words(URD__SETUP_RUNTIME, -1), "the runtime: Operation not permitted");
}

/* ---- Pools and supervisors ------------------------------------------------------------------- */

static int pool_options(void *unused)
{
    (void)unused;
    enum { N = 4 };
    int cpu = first_cpu();
    char in[N];
    facts out[N] = {0};
    urd_process_options o = everything(&cpu);
    urd_pool *p =
        open_pool(URD_PROCESS, &(urd_pool_options){.process = &o, .jobs_max = 1}); /* N of them */
    o = (urd_process_options){.directory = "/no/such/folder"}; /* it has a copy */
    CHECK_EQ(urd_pool_map(p, look_for_pool, in, out, N), 0);
    for (int i = 0; i < N; i++)
        check_all(&out[i]);
    CHECK_EQ(urd_pool_close(p), 0);
    return 0;
}

TEST(each_worker_of_a_pool_starts_under_its_options_and_so_do_those_that_replace_them)
{
    run_all(pool_options);
}

static int pool_refused(void *unused)
{
    (void)unused;
    urd_pool_job job;
    long in = 2, out;
    urd_process_options o = {.directory = "/no/such/folder"};
    urd_pool *p = open_pool(URD_PROCESS, &(urd_pool_options){.process = &o});
    int rc = urd_pool_submit(&job, p, square, &in, sizeof in, &out, sizeof out);
    if (rc == 0) { /* the first worker has not been refused yet */
        CHECK_EQ(urd_pool_wait(&job), -ENOENT);
        CHECK_STR(urd_pool_detail(&job), "directory: No such file or directory");
    }
    CHECK_EQ(urd_pool_map(p, square, &in, &out, 1), -ENOENT);
    urd_pool_state state;
    urd_pool_get(p, &state);
    CHECK_EQ(state.died, 0);
    CHECK_EQ(urd_pool_close(p), -ENOENT);
    return 0;
}

TEST(a_pool_whose_options_are_refused_breaks_with_the_reason)
{
    run_all(pool_refused);
}

static int supervised(void *arg)
{
    int cpu = first_cpu();
    facts *f = arg;
    urd_process_options good = everything(&cpu), bad = {.directory = "/no/such/folder"};
    urd_child children[] = {{.name = "good",
                             .kind = URD_PROCESS,
                             .fn = look,
                             .arg = f,
                             .size = sizeof *f,
                             .restart = URD_RESTART_NEVER,
                             .process = &good},
                            {.name = "bad",
                             .kind = URD_PROCESS,
                             .fn = never,
                             .restart = URD_RESTART_NEVER,
                             .process = &bad}};
    urd_supervise_report r;
    CHECK_EQ(urd_supervise(children, 2, NULL, &r), -ENOENT);
    CHECK_EQ(r.child, 1);
    CHECK_CONTAINS(r.detail, "directory: No such file or directory");
    check_all(f);
    return 0;
}

TEST(so_does_a_child_of_a_supervisor)
{
    facts f = {0};
    test_run_with(NULL, supervised, &f);
}
