/*
 * file.c - files: what is in memory is taken by the worker, for the rest a helper waits.
 *
 * SPDX-License-Identifier: MIT
 */
#include "io/file.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "backends.h"
#include "base/atomic.h"
#include "base/os.h"
#include "core/sanitize.h"
#include "core/worker.h"

/* ---- The disk: the library calls these instead of those of the C library --------------------- */

static bool cold;         /* nothing is in memory */
static int hold;          /* atomic: who waits for the disk waits until this is 0 */
static int waits, held;   /* atomic: calls that waited for the disk; that came while `hold` was */
static int waits_at_work; /* atomic: those that held up a worker */

static void wait_for_disk(void)
{
    urd__add_ar(&waits, 1);
    if (urd__task_self()->worker)
        urd__add_ar(&waits_at_work, 1);
    if (urd__load_acq(&hold))
        urd__add_ar(&held, 1);
    while (urd__load_acq(&hold))
        urd__os_yield();
}

static bool is_refused(int flags)
{
    if (!(flags & RWF_NOWAIT))
        wait_for_disk();
    else if (cold)
        errno = EAGAIN;
    return (flags & RWF_NOWAIT) && cold;
}

ssize_t preadv2(int fd, const struct iovec *parts, int n, off_t at, int flags)
{
    if (is_refused(flags))
        return -1;
    return at < 0 ? readv(fd, parts, n) : preadv(fd, parts, n, at);
}

ssize_t pwritev2(int fd, const struct iovec *parts, int n, off_t at, int flags)
{
    if (is_refused(flags))
        return -1;
    return at < 0 ? writev(fd, parts, n) : pwritev(fd, parts, n, at);
}

int fsync(int fd)
{
    wait_for_disk();
    return (int)syscall(SYS_fsync, fd);
}

/* ---- Files ----------------------------------------------------------------------------------- */

static char folder[] = "/tmp/urd-file-XXXXXX", path[64], other[64];

static void make_folder(void)
{
    memcpy(folder + sizeof folder - 7, "XXXXXX", 6);
    CHECK(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/file", folder);
    snprintf(other, sizeof other, "%s/other", folder);
}

static int make_file(const char *text)
{
    int fd = urd_open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    CHECK_GE(fd, 0);
    CHECK_EQ(urd_write_all(fd, text, strlen(text)), strlen(text));
    CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

static void remove_all(int fd)
{
    CHECK_EQ(urd_close(fd), 0);
    CHECK_EQ(urd_unlink(path), 0);
    CHECK_EQ(urd_rmdir(folder), 0);
}

/* ---- Reading and writing --------------------------------------------------------------------- */

static int read_ways(void *arg)
{
    char got[8] = "", more[8] = "";
    struct iovec parts[2] = {{got, 2}, {more, 3}};
    int fd = *(const int *)arg;
    CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
    CHECK_EQ(urd_read(fd, got, 5), 5);
    CHECK_STR(got, "hello");
    CHECK_EQ(urd_read(fd, got, 5), 0);
    CHECK_EQ(urd_pread(fd, more, 3, 2), 3);
    CHECK_STR(more, "llo");
    CHECK_EQ(urd_pwrite(fd, "J", 1, 0), 1);
    CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
    CHECK_EQ(urd_readv(fd, parts, 2), 5);
    CHECK_EQ(memcmp(got, "Je", 2) | memcmp(more, "llo", 3), 0);
    CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
    struct iovec out[2] = {{(char[]){'h'}, 1}, {got + 1, 1}};
    CHECK_EQ(urd_writev(fd, out, 2), 2);
    CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
    CHECK_EQ(urd_write(fd, "he", 2), 2);
    CHECK_EQ(urd_fsync(fd), 0);
    CHECK_EQ(urd_fdatasync(fd), 0);
    return 0;
}

/* Eight of these calls need the disk when nothing is in memory; fsync always does. */
static int read_and_write(void *arg)
{
    (void)arg;
    make_folder();
    int fd = make_file("hello");
    for (int i = 0; i < 2; i++) {
        cold = i;
        int before = waits;
        CHECK_EQ(read_ways(&fd), 0);
        CHECK_EQ(waits - before, cold ? 8 : 1);
        CHECK_EQ(waits_at_work, 0);
        as_both(read_ways, &fd, NULL, NULL);
    }
    cold = false;
    remove_all(fd);
    return 0;
}

TEST(what_is_in_memory_is_read_at_once_and_the_rest_by_a_helper)
{
    run_io(2, read_and_write);
}

static int send_cold(void *arg)
{
    char got[8] = "";
    int ends[2];
    off_t at = 1;
    (void)arg;
    make_folder();
    int fd = make_file("hello");
    cold = true;
    make_pair(ends);
    CHECK_EQ(urd_sendfile(ends[0], fd, &at, 3), 3);
    CHECK_EQ(at, 4);
    CHECK_EQ(urd_sendfile(ends[0], fd, NULL, 9), 5);
    CHECK_EQ(urd_read_exact(ends[1], got, 8), 8);
    CHECK_EQ(memcmp(got, "ellhello", 8), 0);
    cold = false;
    close_pair(ends);
    remove_all(fd);
    return 0;
}

TEST(what_is_sent_from_a_file_is_fetched_by_a_helper_too)
{
    run_io(1, send_cold);
}

/* ---- Cancel and close, while a helper is at it ----------------------------------------------- */

static int read_cold(void *arg)
{
    char got[8] = "";
    CHECK_EQ(urd_pread(*(const int *)arg, got, 5, 0), 5);
    CHECK_STR(got, "hello");
    return 0;
}

static int hold_a_read(urd_scope *s, int *fd)
{
    int before = urd__load_acq(&held);
    cold = true;
    urd__store_rel(&hold, 1);
    urd_scope_open(s);
    CHECK_EQ(urd_go(s, read_cold, fd), 0);
    while (urd__load_acq(&held) == before)
        CHECK_EQ(urd_yield(), 0);
    return 0;
}

static int cancel_held(void *arg)
{
    (void)arg;
    urd_scope s;
    make_folder();
    int fd = make_file("hello");
    hold_a_read(&s, &fd);
    urd_scope_cancel(&s, 0);
    urd__store_rel(&hold, 0);
    CHECK_EQ(urd_scope_join(&s), -ECANCELED);
    cold = false;
    remove_all(fd);
    return 0;
}

TEST(a_cancel_waits_for_the_helper_and_what_it_has_read_counts)
{
    run_io(2, cancel_held);
}

static int closed; /* atomic */

static int close_late(void *arg)
{
    CHECK_EQ(urd_close(*(const int *)arg), 0);
    urd__store_rel(&closed, 1);
    return 0;
}

static int close_held(void *arg)
{
    (void)arg;
    urd_scope s;
    make_folder();
    int fd = make_file("hello");
    hold_a_read(&s, &fd);
    CHECK_EQ(urd_go(&s, close_late, &fd), 0);
    for (int i = 0; i < 100; i++)
        CHECK_EQ(urd_yield(), 0);
    CHECK_EQ(urd__load_acq(&closed), 0);
    CHECK_GE(fcntl(fd, F_GETFD), 0); /* the number is not another's */
    urd__store_rel(&hold, 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(urd__load_acq(&closed), 1);
    urd__store_rel(&closed, 0);
    cold = false;
    CHECK_EQ(urd_unlink(path) + urd_rmdir(folder), 0);
    return 0;
}

TEST(a_close_waits_for_the_helper)
{
    run_io(2, close_held);
}

static int in_cancelled_scope(void *arg)
{
    (void)arg;
    struct stat stat;
    urd_dir d;
    urd_dir_entry entry;
    make_folder();
    int fd = make_file("hello");
    CHECK_EQ(urd_dir_open(&d, folder), 0);
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_cancel(&s, 0);
    CHECK_EQ(urd_open(path, O_RDONLY, 0), -ECANCELED);
    CHECK_EQ(urd_stat(path, &stat), -ECANCELED);
    CHECK_EQ(urd_unlink(path), -ECANCELED);
    CHECK_EQ(urd_fsync(fd), -ECANCELED);
    CHECK_EQ(urd_ftruncate(fd, 0), -ECANCELED);
    CHECK_EQ(urd_dir_next(&d, &entry), -ECANCELED);
    CHECK_EQ(urd_scope_join(&s), -ECANCELED);
    CHECK_EQ(urd_stat(path, &stat), 0);
    CHECK_EQ(stat.st_size, 5);
    CHECK_EQ(urd_dir_close(&d), 0);
    remove_all(fd);
    return 0;
}

TEST(in_a_cancelled_scope_nothing_is_done)
{
    run_io(1, in_cancelled_scope);
}

/* Its frames move as it waits, so no helper may write into them. */
static int read_compact(void *arg)
{
    cold = true;
    int before = waits_at_work;
    read_cold(arg);
    CHECK_EQ(waits_at_work, before + 1);
    cold = false;
    return 0;
}

static int compact(void *arg)
{
    (void)arg;
    make_folder();
    int fd = make_file("hello");
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_compact(&s);
    CHECK_EQ(urd_go(&s, read_compact, &fd), 0);
    CHECK_EQ(urd_sleep(1), 0); /* a join would run it on this stack */
    CHECK_EQ(urd_scope_join(&s), 0);
    remove_all(fd);
    return 0;
}

TEST(a_compact_task_reads_by_itself)
{
    if (!urd__sanitize_copies_stacks())
        SKIP("the tool watches stacks, so no task is compact");
    run_seeds(1, compact);
}

/* ---- Names ----------------------------------------------------------------------------------- */

static int use_names(void *arg)
{
    (void)arg;
    struct stat stat;
    make_folder();
    int fd = make_file("hello");
    CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    CHECK_EQ(urd_ftruncate(fd, 3), 0);
    CHECK_EQ(urd_stat(path, &stat), 0);
    CHECK_EQ(stat.st_size, 3);
    CHECK_EQ(urd_rename(path, other), 0);
    CHECK_EQ(urd_stat(path, &stat), -ENOENT);
    CHECK_EQ(urd_open(path, O_RDONLY, 0), -ENOENT);
    CHECK_EQ(symlink("other", path), 0);
    CHECK_EQ(urd_lstat(path, &stat), 0);
    CHECK(S_ISLNK(stat.st_mode));
    CHECK_EQ(urd_stat(path, &stat), 0);
    CHECK(S_ISREG(stat.st_mode));
    CHECK_EQ(urd_mkdir(other, 0700), -EEXIST);
    CHECK_EQ(urd_rmdir(folder), -ENOTEMPTY);
    CHECK_EQ(urd_unlink(other), 0);
    CHECK_EQ(urd_mkdir(other, 0700), 0);
    CHECK_EQ(urd_unlink(other), -EISDIR);
    CHECK_EQ(urd_rmdir(other), 0);
    remove_all(fd);
    CHECK_EQ(urd_fsync(-1), -EBADF);
    CHECK_EQ(urd_ftruncate(99999999, 1), -EBADF);
    return 0;
}

static int names(void *arg)
{
    as_both(use_names, arg, NULL, NULL);
    return 0;
}

TEST(names_come_and_go_as_by_the_calls_of_posix)
{
    run_io(1, names);
    CHECK_EQ(use_names(NULL), 0); /* without a runtime, too */
}

static int fifo(void *arg)
{
    (void)arg;
    char got;
    make_folder();
    CHECK_EQ(mkfifo(path, 0600), 0);
    CHECK_EQ(urd_open(path, O_WRONLY, 0), -ENXIO);
    int in = urd_open(path, O_RDONLY, 0), out = urd_open(path, O_WRONLY, 0);
    CHECK_GE(in, 0);
    CHECK_EQ(urd_write(out, "x", 1), 1);
    CHECK_EQ(urd_read(in, &got, 1), 1);
    CHECK_EQ(urd_close(in), 0);
    CHECK_EQ(urd_write(out, "x", 1), -EPIPE);
    remove_all(out);
    return 0;
}

TEST(a_fifo_is_opened_at_once_and_read_as_one)
{
    run_io(1, fifo);
}

/* ---- Directories ----------------------------------------------------------------------------- */

enum { ENTRIES = 300 };

static int list(void *arg)
{
    (void)arg;
    urd_dir d;
    urd_dir_entry entry;
    bool seen[ENTRIES] = {false};
    char name[96];
    int rc, count = 0;
    make_folder();
    for (int i = 0; i < ENTRIES; i++) { /* more than fit into its buffer */
        snprintf(name, sizeof name, "%s/entry-%d", folder, i);
        CHECK_EQ(symlink("nowhere", name), 0);
    }
    CHECK_EQ(urd_dir_open(&d, folder), 0);
    while ((rc = urd_dir_next(&d, &entry)) == 1) {
        int i = atoi(entry.name + strlen("entry-"));
        CHECK(i >= 0 && i < ENTRIES && !seen[i]);
        CHECK(entry.type == DT_LNK || entry.type == DT_UNKNOWN);
        seen[i] = true;
        count++;
    }
    CHECK_EQ(rc, 0);
    CHECK_EQ(count, ENTRIES);
    CHECK_EQ(urd_dir_next(&d, &entry), 0);
    CHECK_EQ(urd_dir_close(&d), 0);
    for (int i = 0; i < ENTRIES; i++) {
        snprintf(name, sizeof name, "%s/entry-%d", folder, i);
        CHECK_EQ(unlink(name), 0);
    }
    CHECK_EQ(urd_rmdir(folder), 0);
    CHECK_EQ(urd_dir_open(&d, folder), -ENOENT);
    CHECK_EQ(urd_dir_open(&d, "/dev/null"), -ENOTDIR);
    return 0;
}

TEST(a_directory_gives_each_of_its_entries_once)
{
    run_seeds(1, list);
}
