/*
 * setup.c - what a process is told to do before its function: it is done, or said why not.
 *
 * SPDX-License-Identifier: MIT
 */
#include "proc/setup.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/os.h"
#include "base/os_sandbox.h"
#include "forks.h"
#include "pools.h"

/* A fresh image begins here, and not with the tests. */
__attribute__((constructor)) static void begin_here(void)
{
    urd_process_main();
}

/* How many start methods there are to be tried, from the first one on. */
static int methods(void)
{
    return test_under_emulator() ? 1 : 2;
}

typedef struct facts {
    char directory[64], path[64], cake[64], gone[64];
    int nice, cpus;
    struct rlimit queues, core;
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
    getrlimit(RLIMIT_MSGQUEUE, &f->queues);
    getrlimit(RLIMIT_CORE, &f->core);
    return 0;
}

static int look_for_pool(const void *in, void *out)
{
    (void)in;
    return look(out);
}

/* One that valgrind and emulators let pass, and nobody here needs. */
static const urd_limit limits[] = {{RLIMIT_CORE, 0, 0}, {RLIMIT_MSGQUEUE, 400, 500}};

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
    CHECK_EQ(f->queues.rlim_cur, 400);
    CHECK_EQ(f->queues.rlim_max, 500);
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
    char words[64];
    int cpu = first_cpu();
    urd_process_options o = everything(&cpu);
    for (int i = 0; i < methods(); i++) {
        facts f = {0};
        o.start = (urd_start)i;
        CHECK_EQ(hold(look, &f, sizeof f, &o, words), 0);
        CHECK_STR(words, "returned 0");
        check_all(&f);
    }
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
    urd_process_options o = {.env_add = add};
    if (methods() > 1) {
        o.start = URD_START_SPAWN;
        CHECK_EQ(hold(look, &f, sizeof f, &o, words), 0);
        CHECK_STR(f.cake, "chocolate");
        CHECK_STR(f.gone, "(none)");
        CHECK_STR(f.path, before.path);
        o.start = URD_START_ZYGOTE;
    }
    CHECK_EQ(hold(look, &f, sizeof f, &o, words), 0);
    CHECK_STR(f.cake, "chocolate");
    CHECK_STR(f.gone, "(none)");
    CHECK_STR(f.path, before.path);
    CHECK_STR(f.directory, before.directory);
    CHECK_EQ(f.nice, before.nice);
    CHECK_EQ(f.cpus, before.cpus);
    CHECK_EQ(f.queues.rlim_max, before.queues.rlim_max);
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
static const urd_limit raised[] = {{RLIMIT_CORE, 0, 0}, {RLIMIT_MSGQUEUE, 400, 501}};
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
    {{.limits = raised, .limit_count = 2}, -EPERM, "RLIMIT_MSGQUEUE: Operation not permitted"},
};
enum { REFUSALS = sizeof refusals / sizeof *refusals };

static void lose_privileges(void)
{
    CHECK_EQ(setrlimit(RLIMIT_MSGQUEUE, &(struct rlimit){400, 500}), 0);
    CHECK_EQ(setrlimit(RLIMIT_NICE, &(struct rlimit){0, 0}), 0);
    if (getuid() == 0)
        CHECK_EQ(setresuid(65534, 65534, 65534), 0);
}

static int refuse(void *unused)
{
    (void)unused;
    char words[64];
    int last = test_under_valgrind() ? 1 : methods(); /* an image is then looked for by its name */
    for (int i = 0; i < REFUSALS * last; i++) {
        int ran = 0, which = i % REFUSALS;
        urd_process_options o = refusals[which].options;
        o.start = (urd_start)(i / REFUSALS);
        CHECK_EQ(hold(never, &ran, sizeof ran, &o, words), refusals[which].error);
        CHECK_STR(words, refusals[which].words);
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
    {.sandbox = 16},
    {.start = (urd_start)2},
    {.start = (urd_start)-1},
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

static int without_room(void *unused)
{
    (void)unused;
    void *last = NULL, *p;
    while ((p = urd_shared_alloc(sizeof(urd_process_options))) != NULL)
        last = p;
    CHECK(!urd__setup_copy(&(urd_process_options){.directory = "/"}));
    urd_scope s;
    urd_job job;
    urd_scope_open(&s);
    urd_scope_keep_going(&s);
    CHECK_EQ(urd_job_open(&job, &s, URD_PROCESS, never, NULL, 0,
                          &(urd_job_options){.process = &(urd_process_options){.directory = "/"}}),
             -ENOMEM);
    CHECK_EQ(urd_scope_join(&s), -ENOMEM);
    urd_shared_free(last);
    return 0;
}

TEST(a_heap_without_room_for_the_copy_is_ENOMEM)
{
    urd_config config = {.shared_bytes = 1 << 20};
    test_run_with(&config, without_room, NULL);
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

/* ---- The sandbox ----------------------------------------------------------------------------- */

static const urd_process_options sandboxed = {.sandbox = URD_SANDBOX_ALL};

static void need_filters(void)
{
    if (test_under_valgrind() || test_under_emulator())
        SKIP("it makes calls of its own, and has no filters");
    pid_t pid = fork();
    if (pid == 0)
        _exit(urd__os_sandbox(URD_SANDBOX_BASE, NULL) != 0);
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    if (status)
        SKIP("this kernel has no filters");
}

static int open_socket(void *unused)
{
    (void)unused;
    return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) < 0 ? -errno : 0;
}

static int run_a_program(void *unused)
{
    (void)unused;
    char *const argv[] = {(char[]){"true"}, NULL};
    return execv("/bin/true", argv) ? -errno : 0;
}

static int trace_the_parent(void *unused)
{
    (void)unused;
    return ptrace(PTRACE_ATTACH, getppid(), NULL, NULL) < 0 ? -errno : 0;
}

static int kill_the_parent(void *unused)
{
    (void)unused;
    return kill(getppid(), SIGKILL) ? -errno : 0;
}

static int write_a_file(void *unused)
{
    (void)unused;
    return open("/dev/null", O_WRONLY | O_CLOEXEC) < 0 ? -errno : 0;
}

static int remove_a_file(void *unused)
{
    (void)unused;
    return unlink("/no/such/file") ? -errno : 0;
}

/* On a task, whose stack is small. */
static int open_on_task(void *unused)
{
    (void)unused;
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, open_socket, NULL);
    return urd_scope_join(&s);
}

static int refused_calls(void *unused)
{
    (void)unused;
    static const struct {
        urd_fn *fn;
        const char *words;
    } tries[] = {{open_socket, "the sandbox refused socket"},
                 {open_on_task, "the sandbox refused socket"},
                 {run_a_program, "the sandbox refused execve"},
                 {trace_the_parent, "the sandbox refused ptrace"},
                 {kill_the_parent, "the sandbox refused kill"},
                 {write_a_file, "the sandbox refused open"},
                 {remove_a_file, "the sandbox refused unlink"}};
    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        urd_scope s;
        urd_job job;
        urd_exit end;
        urd_process_options o = sandboxed;
        o.start = (urd_start)(i & 1);
        urd_scope_open(&s);
        urd_scope_keep_going(&s);
        CHECK_EQ(urd_job_open(&job, &s, URD_PROCESS, tries[i].fn, NULL, 0,
                              &(urd_job_options){.process = &o}),
                 0);
        CHECK_EQ(urd_scope_join(&s), -ECHILD);
        urd_job_exit(&job, &end);
        CHECK_EQ(end.signal, SIGSYS);
        CHECK_CONTAINS(end.detail, tries[i].words);
    }
    return 0;
}

TEST(what_the_sandbox_refuses_ends_the_process_and_is_named)
{
    need_filters();
    run_all(refused_calls);
}

typedef struct work {
    urd_chan *in, *out;
    long sum;
} work;

static int add_up(void *arg)
{
    work *w = arg;
    long value;
    int rc;
    while ((rc = urd_chan_recv(w->in, &value)) == 0)
        w->sum += value;
    return rc == -EPIPE ? urd_chan_send(w->out, &w->sum) : rc;
}

static int write_pipe(void *fd)
{
    return urd_write_all(*(int *)fd, "bolo", 4) == 4 ? 0 : -EIO;
}

/* Tasks, a thread, time, a pipe, files that are read. */
static int ordinary(void *arg)
{
    int ends[2];
    char text[8] = "", *memory = malloc(1 << 20);
    urd_scope s;
    if (!memory || urd_pipe(ends))
        return -ENOMEM;
    memset(memory, 1, 1 << 20);
    free(memory);
    urd_scope_open(&s);
    urd_go(&s, write_pipe, &ends[1]);
    urd_spawn(&s, URD_THREAD, add_up, arg, 0);
    ssize_t n = urd_read(ends[0], text, 4);
    int rc = urd_scope_join(&s);
    urd_close(ends[0]);
    urd_close(ends[1]);
    int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || close(fd) || n != 4 || strcmp(text, "bolo") != 0)
        return -EIO;
    if (urd_sleep(1))
        return -EINTR;
    urd_scope_open(&s);
    if (urd_spawn(&s, URD_PROCESS, never, NULL, 0) != -ENOTSUP || urd_scope_join(&s) != -ENOTSUP)
        return -EXDEV;
    return rc;
}

static int allowed_calls(void *options)
{
    enum { SLOTS = 4 };
    urd_chan *c = urd_shared_alloc(2 * sizeof *c);
    long *ring = urd_shared_alloc(2 * SLOTS * sizeof *ring), sum = 0;
    urd_scope s;
    urd_job job;
    CHECK(c && ring);
    urd_chan_init(&c[0], sizeof *ring, ring, SLOTS);
    urd_chan_init(&c[1], sizeof *ring, ring + SLOTS, SLOTS);
    work w = {.in = &c[0], .out = &c[1]};
    urd_scope_open(&s);
    CHECK_EQ(urd_job_open(&job, &s, URD_PROCESS, ordinary, &w, sizeof w,
                          &(urd_job_options){.process = options}),
             0);
    for (long i = 1; i <= 100; i++)
        CHECK_EQ(urd_chan_send(&c[0], &i), 0);
    urd_chan_close(&c[0]);
    CHECK_EQ(urd_chan_recv(&c[1], &sum), 0);
    CHECK_EQ(sum, 5050);
    urd_exit end;
    int joined = urd_scope_join(&s);
    urd_job_exit(&job, &end);
    CHECK_STR(end.detail, "returned 0");
    CHECK_EQ(joined, 0);
    CHECK_EQ(w.sum, 5050);
    urd_shared_free(ring);
    urd_shared_free(c);
    return 0;
}

TEST(in_the_sandbox_work_goes_on_with_channels_tasks_threads_and_results)
{
    need_filters();
    urd_process_options o = sandboxed;
    for (int i = 0; i < methods(); i++) {
        o.start = (urd_start)i;
        test_run_with(NULL, allowed_calls, &o);
    }
}

static int square_or_dial(const void *in, void *out)
{
    return *(const long *)in == 3 ? open_socket(NULL) : square(in, out);
}

static int pool_in_sandbox(void *options)
{
    enum { N = 10 };
    long in[N], out[N];
    urd_pool_job jobs[N];
    urd_pool *p = open_pool(URD_PROCESS, &(urd_pool_options){.process = options});
    for (int i = 0; i < N; i++) {
        in[i] = i;
        CHECK_EQ(urd_pool_submit(&jobs[i], p, square_or_dial, &in[i], sizeof(long), &out[i],
                                 sizeof(long)),
                 0);
    }
    for (int i = 0; i < N; i++) {
        CHECK_EQ(urd_pool_wait(&jobs[i]), i == 3 ? -ECHILD : 0);
        if (i != 3)
            CHECK_EQ(out[i], i * i);
    }
    CHECK_STR(urd_pool_detail(&jobs[3]), "the sandbox refused socket");
    CHECK_EQ(urd_pool_close(p), 0);
    return 0;
}

TEST(of_a_pool_in_the_sandbox_only_the_job_that_was_refused_fails)
{
    need_filters();
    urd_process_options o = sandboxed;
    for (int i = 0; i < methods(); i++) {
        o.start = (urd_start)i;
        test_run_with(NULL, pool_in_sandbox, &o);
    }
}
