/*
 * tail.c - print what is added to a log, also when it is put aside or emptied and begins anew.
 *
 * SPDX-License-Identifier: MIT
 *
 *     tail FILE                      from its beginning, until Ctrl-C
 *
 * A stream whose read waits at the end of the file, for news of its folder, instead of ending; so
 * the reader of lines above it needs to know nothing of files that grow.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>
#include <urd.h>

enum { PATH_BYTES = 4096, LINE_BYTES = 16384 };

typedef struct log_file {
    const char *path;
    int fd; /* -1: it is not there yet */
    int news;
} log_file;

static int watch_folder(const char *path)
{
    char folder[PATH_BYTES];
    if (snprintf(folder, sizeof folder, "%s", path) >= (int)sizeof folder)
        return -ENAMETOOLONG;
    int news = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (news < 0)
        return -errno;
    if (inotify_add_watch(news, dirname(folder), IN_MODIFY | IN_CREATE | IN_MOVED_TO) >= 0)
        return news;
    int rc = -errno;
    close(news);
    return rc;
}

/* Is another file at the path, or one where there was none? */
static bool is_replaced(const log_file *f)
{
    struct stat ours, named;
    if (stat(f->path, &named))
        return false; /* put aside, and not yet begun anew */
    return f->fd < 0 || fstat(f->fd, &ours) || named.st_ino != ours.st_ino ||
           named.st_dev != ours.st_dev;
}

static bool was_emptied(const log_file *f)
{
    struct stat ours;
    return f->fd >= 0 && fstat(f->fd, &ours) == 0 && lseek(f->fd, 0, SEEK_CUR) > ours.st_size;
}

static ssize_t read_some(const log_file *f, void *buf, size_t size)
{
    return f->fd < 0 ? 0 : urd_read(f->fd, buf, size);
}

static ssize_t read_or_wait(void *context, void *buf, size_t size)
{
    log_file *f = context;
    _Alignas(struct inotify_event) char events[4096];
    for (;;) {
        ssize_t n = read_some(f, buf, size);
        if (n == 0 && is_replaced(f)) {
            n = read_some(f, buf, size); /* what came before it was put aside */
            if (n == 0) {
                if (f->fd >= 0)
                    urd_close(f->fd);
                f->fd = open(f->path, O_RDONLY | O_CLOEXEC);
                continue;
            }
        }
        if (n != 0)
            return n;
        if (was_emptied(f))
            lseek(f->fd, 0, SEEK_SET);
        else if ((n = urd_read(f->news, events, sizeof events)) < 0) /* of whatever file */
            return n;
    }
}

static int run(void *path)
{
    char buf[LINE_BYTES], *line;
    log_file f = {.path = path, .fd = -1, .news = watch_folder(path)};
    if (f.news < 0)
        return f.news;
    urd_reader r;
    urd_reader_init(&r, (urd_stream){.read = read_or_wait, .context = &f}, buf, sizeof buf);
    int rc;
    while ((rc = urd_reader_read_line(&r, &line, NULL)) > 0)
        puts(line);
    if (f.fd >= 0)
        urd_close(f.fd);
    urd_close(f.news);
    return rc;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: tail FILE\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    int rc = urd_run(NULL, run, argv[1]);
    if (rc < 0 && rc != -EINTR)
        fprintf(stderr, "tail: %s\n", strerror(-rc));
    return rc < 0 && rc != -EINTR;
}
