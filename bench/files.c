/*
 * files.c - what do the calls on files add to the bare loop: small ones, a large one, new ones?
 *
 * SPDX-License-Identifier: MIT
 *
 *     bench_files [ROUNDS] [MIB of the large one; 1024]
 *
 * All is in memory.  Sketch: a small file takes the kernel some 2.7 us (open, read, close); ours
 * asks for what is cached by preadv2, which costs 0.1 us more than read, and twice notes what is
 * known of the descriptor, 0.1 us, so 1.1.  urd_stat is three calls for one.  Of a large file only
 * the copy counts.  What is new goes through a helper, call by call: two switches between threads
 * each, unless several tasks keep the helpers busy.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench.h"

enum { FILES = 10000, SMALL_BYTES = 1024, PART_BYTES = 256 << 10, TASKS = 16 };

static char folder[] = "/tmp/urd-bench-XXXXXX", part[PART_BYTES];
static size_t large_bytes;

static const char *name_of(char *out, size_t size, long i)
{
    snprintf(out, size, "%s/%ld", folder, i);
    return out;
}

/* ---- Small files, one after the other -------------------------------------------------------- */

static void small_raw(long n)
{
    char name[64], got[4096];
    for (long i = 0; i < n; i++) {
        int fd = open(name_of(name, sizeof name, i), O_RDONLY | O_CLOEXEC);
        bench_must(fd, "open");
        bench_must(read(fd, got, sizeof got) == SMALL_BYTES ? 0 : -1, "read");
        close(fd);
    }
}

static void small_ours(long n)
{
    char name[64], got[4096];
    for (long i = 0; i < n; i++) {
        int fd = urd_open(name_of(name, sizeof name, i), O_RDONLY, 0);
        bench_must(fd, "urd_open");
        bench_must(urd_read(fd, got, sizeof got) == SMALL_BYTES ? 0 : -1, "urd_read");
        urd_close(fd);
    }
}

/* ---- Their sizes ----------------------------------------------------------------------------- */

static void stat_raw(long n)
{
    char name[64];
    struct stat s;
    for (long i = 0; i < n; i++)
        bench_must(stat(name_of(name, sizeof name, i), &s), "stat");
}

static void stat_ours(long n)
{
    char name[64];
    struct stat s;
    for (long i = 0; i < n; i++)
        bench_must(urd_stat(name_of(name, sizeof name, i), &s), "urd_stat");
}

/* ---- A large one, a part at a time ----------------------------------------------------------- */

static void large_raw(long n)
{
    char name[64];
    int fd = open(name_of(name, sizeof name, -1), O_RDONLY | O_CLOEXEC);
    for (long i = 0; i < n; i++)
        bench_must(read(fd, part, PART_BYTES) == PART_BYTES ? 0 : -1, "read");
    close(fd);
}

static void large_ours(long n)
{
    char name[64];
    int fd = urd_open(name_of(name, sizeof name, -1), O_RDONLY, 0);
    for (long i = 0; i < n; i++)
        bench_must(urd_read(fd, part, PART_BYTES) == PART_BYTES ? 0 : -1, "urd_read");
    urd_close(fd);
}

/* ---- New ones, and none ---------------------------------------------------------------------- */

static void new_raw(long n)
{
    char name[64];
    for (long i = 0; i < n; i++) {
        int fd = open(name_of(name, sizeof name, FILES + i), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        bench_must(write(fd, part, SMALL_BYTES) == SMALL_BYTES ? 0 : -1, "write");
        close(fd);
        unlink(name);
    }
}

static void new_from(long first, long n)
{
    char name[64];
    for (long i = first; i < first + n; i++) {
        int fd = urd_open(name_of(name, sizeof name, FILES + i), O_WRONLY | O_CREAT, 0600);
        bench_must(urd_write(fd, part, SMALL_BYTES) == SMALL_BYTES ? 0 : -1, "urd_write");
        urd_close(fd);
        bench_must(urd_unlink(name), "urd_unlink");
    }
}

static void new_ours(long n)
{
    new_from(0, n);
}

static int new_some(void *arg)
{
    const long *share = arg;
    new_from(share[0], share[1]);
    return 0;
}

static void new_by_tasks(long n)
{
    urd_scope s;
    urd_scope_open(&s);
    for (long i = 0; i < TASKS; i++) {
        long share[2] = {i * n / TASKS, (i + 1) * n / TASKS - i * n / TASKS};
        urd_go_copy(&s, new_some, share, sizeof share);
    }
    bench_must(urd_scope_join(&s), "tasks");
}

/* ---- All ------------------------------------------------------------------------------------- */

static void make_file(long i, size_t bytes)
{
    char name[64];
    int fd = open(name_of(name, sizeof name, i), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    for (size_t done = 0, now; done < bytes; done += now) {
        now = bytes - done < PART_BYTES ? bytes - done : PART_BYTES;
        bench_must(write(fd, part, now) == (ssize_t)now ? 0 : -1, "write");
    }
    close(fd);
}

static int run(void *arg)
{
    int rounds = *(int *)arg;
    long files = 500, parts = (long)(large_bytes / PART_BYTES);
    int turns = rounds == 1 ? 1 : 20 * rounds;
    bench_case small[] = {{.name = "small: open, read, close", .run = small_raw, .n = files},
                          {.name = "the same by urd_", .run = small_ours, .n = files},
                          {.run = NULL}};
    bench_case sizes[] = {{.name = "stat", .run = stat_raw, .n = files},
                          {.name = "urd_stat", .run = stat_ours, .n = files},
                          {.run = NULL}};
    bench_case large[] = {{.name = "large: read 256 KiB", .run = large_raw, .n = parts},
                          {.name = "urd_read", .run = large_ours, .n = parts},
                          {.run = NULL}};
    bench_case new[] = {{.name = "new: open, write, close, unlink", .run = new_raw, .n = files / 5},
                        {.name = "the same by urd_, one task", .run = new_ours, .n = files / 5},
                        {.name = "the same by urd_, 16 tasks", .run = new_by_tasks, .n = files / 5},
                        {.run = NULL}};
    bench_run(small, turns); /* short ones, since the machine has others to serve */
    bench_run(sizes, turns);
    bench_run(large, rounds);
    bench_run(new, turns);
    return 0;
}

int main(int argc, char **argv)
{
    char name[64];
    int rounds = bench_rounds(argc, argv);
    large_bytes = (argc > 2 ? strtoul(argv[2], NULL, 0) : rounds == 1 ? 4 : 1024) << 20;
    bench_must(mkdtemp(folder) ? 0 : -1, "mkdtemp");
    for (long i = 0; i < FILES; i++)
        make_file(i, SMALL_BYTES);
    make_file(-1, large_bytes);
    urd_config config = {.processes = URD_PROCESSES_NONE};
    int rc = urd_run(&config, run, &rounds);
    for (long i = -1; i < FILES; i++)
        unlink(name_of(name, sizeof name, i));
    rmdir(folder);
    return rc != 0;
}
