/*
 * oom.c - who is killed for memory is told so: by made-up counts, and in a real control group.
 *
 * SPDX-License-Identifier: MIT
 */
#include "proc/oom.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/os.h"
#include "forks.h"
#include "pools.h"

/* ---- Made-up trees --------------------------------------------------------------------------- */

static char root[] = "/tmp/urd-oom-XXXXXX";

static void put(const char *name, const char *text)
{
    char path[256];
    int n = snprintf(path, sizeof path, "%s%s", root, name);
    CHECK_LT(n, sizeof path);
    for (char *slash = path + strlen(root); (slash = strchr(slash + 1, '/')) != NULL;) {
        *slash = '\0';
        CHECK(mkdir(path, 0700) == 0 || errno == EEXIST);
        *slash = '/';
    }
    FILE *f = fopen(path, "w");
    CHECK(f != NULL);
    CHECK_GE(fputs(text, f), 0);
    CHECK_EQ(fclose(f), 0);
}

static void take_away(const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s%s", root, name);
    CHECK_EQ(remove(path), 0);
}

static void check_group(const char *expected)
{
    char group[URD__OOM_PATH_BYTES];
    urd__oom_find_group(root, group, sizeof group);
    CHECK_STR(group[0] ? group + strlen(root) : "none", expected);
}

TEST(the_group_is_found_in_either_version_or_the_nearest_above_it)
{
    CHECK(mkdtemp(root) != NULL);
    check_group("none");
    put("/proc/self/cgroup", "0::/a/b\n");
    check_group("none");
    put("/sys/fs/cgroup/a/memory.events", "low 0\noom 3\noom_kill 2\noom_group_kill 1\n");
    check_group("/sys/fs/cgroup/a");
    put("/sys/fs/cgroup/a/b/memory.events", "oom_kill 5\n");
    check_group("/sys/fs/cgroup/a/b");
    put("/proc/self/cgroup", "4:memory:/a\n3:cpu:/c\n0::/\n");
    check_group("none");
    put("/sys/fs/cgroup/memory/memory.oom_control", "oom_kill_disable 1\nunder_oom 0\n");
    check_group("none"); /* an old kernel does not count */
    put("/sys/fs/cgroup/memory/memory.oom_control",
        "oom_kill_disable 1\nunder_oom 0\noom_kill 7\n");
    check_group("/sys/fs/cgroup/memory");
    put("/proc/self/cgroup", "3:cpu:/c\n4:memory:/a\n0::/\n");
    put("/sys/fs/cgroup/memory/c/memory.oom_control", "oom_kill 1\n"); /* not the cpu's */
    put("/sys/fs/cgroup/memory/a/memory.oom_control", "oom_kill 2\n");
    check_group("/sys/fs/cgroup/memory/a");
    char group[256];
    snprintf(group, sizeof group, "%s/sys/fs/cgroup/a", root);
    CHECK_EQ(urd__oom_kills(group), 2);
    snprintf(group, sizeof group, "%s/sys/fs/cgroup/memory", root);
    CHECK_EQ(urd__oom_kills(group), 7);
    CHECK_EQ(urd__oom_kills(root), -1);
    CHECK_EQ(urd__oom_kills(""), -1);
    CHECK_EQ(urd__oom_kills_everywhere(root), -1);
    put("/proc/vmstat", "nr_free_pages 1\noom_kill 9\n");
    CHECK_EQ(urd__oom_kills_everywhere(root), 9);
    static const char *const made[] = {"/proc/vmstat",
                                       "/proc/self/cgroup",
                                       "/proc/self",
                                       "/proc",
                                       "/sys/fs/cgroup/memory/a/memory.oom_control",
                                       "/sys/fs/cgroup/memory/a",
                                       "/sys/fs/cgroup/memory/c/memory.oom_control",
                                       "/sys/fs/cgroup/memory/c",
                                       "/sys/fs/cgroup/memory/memory.oom_control",
                                       "/sys/fs/cgroup/memory",
                                       "/sys/fs/cgroup/a/b/memory.events",
                                       "/sys/fs/cgroup/a/b",
                                       "/sys/fs/cgroup/a/memory.events",
                                       "/sys/fs/cgroup/a",
                                       "/sys/fs/cgroup",
                                       "/sys/fs",
                                       "/sys",
                                       ""};
    for (size_t i = 0; i < sizeof made / sizeof *made; i++)
        take_away(made[i]);
}

TEST(words_say_what_the_counts_tell_and_no_more)
{
    static const struct {
        urd__oom_counts before, now;
        const char *words;
    } cases[] = {
        {{0, 0}, {0, 0}, "killed by SIGKILL"},
        {{3, 5}, {4, 6}, "killed by SIGKILL, out of memory"},
        {{3, -1}, {4, -1}, "killed by SIGKILL, out of memory"},
        {{3, -1}, {3, -1}, "killed by SIGKILL"},
        {{3, 5}, {3, 6}, "killed by SIGKILL"},
        {{-1, 5}, {-1, 5}, "killed by SIGKILL"},
        {{-1, 5}, {-1, 6}, "killed by SIGKILL, perhaps out of memory"},
        {{-1, -1}, {-1, -1}, "killed by SIGKILL, perhaps out of memory"},
        {{-1, -1}, {2, -1}, "killed by SIGKILL, perhaps out of memory"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CHECK_STR(urd__oom_words(cases[i].before, cases[i].now), cases[i].words);
}

/* ---- A real group ---------------------------------------------------------------------------- */

enum { LIMIT_MB = 48, TOO_MUCH_MB = 256 };
static char group[URD__OOM_PATH_BYTES];

static bool write_to(const char *name, const char *text)
{
    char path[URD__OOM_PATH_BYTES + 64];
    snprintf(path, sizeof path, "%s/%s", group, name);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0)
        close(fd);
    return done;
}

static void remove_group(void)
{
    while (rmdir(group) != 0 && errno == EBUSY)
        urd__os_yield();
}

/* Below our own, with a limit. */
static void make_group(void)
{
    char own[URD__OOM_PATH_BYTES - 64], megabytes[16];
    if (test_under_emulator())
        SKIP("the emulator's own memory counts");
    urd__oom_find_group("", own, sizeof own);
    if (!own[0])
        SKIP("no control group for memory can be read here");
    snprintf(group, sizeof group, "%s/urd-oom-%d", own, getpid());
    if (mkdir(group, 0755) != 0)
        SKIP("no control group can be made here: %s", strerror(errno));
    snprintf(megabytes, sizeof megabytes, "%dM", LIMIT_MB);
    bool limited =
        write_to("memory.limit_in_bytes", megabytes) || write_to("memory.max", megabytes);
    if (!write_to("memory.memsw.limit_in_bytes", megabytes))
        write_to("memory.swap.max", "0");
    if (!limited || urd__oom_kills(group) != 0) {
        remove_group();
        SKIP("a control group below ours cannot be limited here");
    }
}

static int eat(void *unused)
{
    (void)unused;
    size_t bytes = (size_t)TOO_MUCH_MB << 20, page = urd__os_page_bytes();
    char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return -ENOMEM;
    for (size_t i = 0; i < bytes; i += page)
        memory[i] = 1;
    return 0;
}

static int hold(urd_fn *fn, const urd_process_options *o, char *words)
{
    urd_scope s;
    urd_job job;
    urd_exit end;
    urd_scope_open(&s);
    urd_scope_keep_going(&s);
    CHECK_EQ(urd_job_open(&job, &s, URD_PROCESS, fn, NULL, 0, &(urd_job_options){.process = o}), 0);
    int joined = urd_scope_join(&s);
    CHECK_EQ(joined, urd_job_join(&job));
    urd_job_exit(&job, &end);
    CHECK_EQ(end.signal, joined ? SIGKILL : 0);
    snprintf(words, 64, "%s", end.detail);
    return joined;
}

static int kill_itself(void *unused)
{
    (void)unused;
    kill(getpid(), SIGKILL);
    return 0;
}

static int wait_for_ever(void *unused)
{
    (void)unused;
    return urd_sleep(URD_FOREVER);
}

static void kill_by_hand(char *words)
{
    urd_scope s;
    urd_job job;
    urd_exit end;
    urd_scope_open(&s);
    urd_scope_keep_going(&s);
    CHECK_EQ(urd_job_open(&job, &s, URD_PROCESS, wait_for_ever, NULL, 0, NULL), 0);
    if (urd_job_pidfd(&job) >= 0)
        CHECK_EQ(urd_job_kill(&job, SIGKILL), 0);
    else /* as under valgrind */
        CHECK_EQ(kill(urd_job_pid(&job), SIGKILL), 0);
    CHECK_EQ(urd_scope_join(&s), -ECHILD);
    urd_job_exit(&job, &end);
    snprintf(words, 64, "%s", end.detail);
}

static int one_process(void *unused)
{
    (void)unused;
    char words[64];
    const urd_process_options small = {.cgroup = group};
    CHECK_EQ(hold(eat, &small, words), -ECHILD);
    CHECK_STR(words, "killed by SIGKILL, out of memory");
    CHECK_EQ(hold(kill_itself, &small, words), -ECHILD);
    CHECK_STR(words, "killed by SIGKILL"); /* the count was that before */
    CHECK_EQ(hold(kill_itself, NULL, words), -ECHILD);
    CHECK_STR(words, "killed by SIGKILL");
    kill_by_hand(words);
    CHECK_STR(words, "killed by SIGKILL");
    return 0;
}

TEST(a_process_that_is_killed_for_memory_is_told_so)
{
    make_group();
    run_all(one_process);
    remove_group();
}

static int eat_or_square(const void *in, void *out)
{
    return *(const long *)in == 7 ? eat(NULL) : square(in, out);
}

static int one_of_a_pool(void *unused)
{
    (void)unused;
    enum { N = 40 };
    long in[N], out[N];
    urd_pool_job jobs[N];
    const urd_process_options small = {.cgroup = group};
    urd_pool *p = open_pool(URD_PROCESS, &(urd_pool_options){.process = &small});
    for (int i = 0; i < N; i++) {
        in[i] = i;
        CHECK_EQ(urd_pool_submit(&jobs[i], p, eat_or_square, &in[i], sizeof(long), &out[i],
                                 sizeof(long)),
                 0);
    }
    for (int i = 0; i < N; i++) {
        CHECK_EQ(urd_pool_wait(&jobs[i]), i == 7 ? -ECHILD : 0);
        if (i != 7)
            CHECK_EQ(out[i], i * i);
    }
    CHECK_STR(urd_pool_detail(&jobs[7]), "killed by SIGKILL, out of memory");
    urd_pool_state state;
    urd_pool_get(p, &state);
    CHECK_EQ(state.died, 1);
    CHECK_EQ(urd_pool_close(p), 0);
    return 0;
}

TEST(of_a_pool_only_the_job_that_took_the_memory_fails)
{
    make_group();
    run_all(one_of_a_pool);
    remove_group();
}
