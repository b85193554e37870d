/*
 * idle.c - how much memory does a connection take that does nothing?
 *
 * SPDX-License-Identifier: MIT
 *
 * Sketch: its task has touched the top page of its stack, where its control block and frames lie;
 * its job, the copy of its argument and its place in the table of descriptors take some 200 bytes.
 * So 4.3 KiB; as a compact task 2.3.  After an exchange there is in addition what its buffer on the
 * stack has touched: with 512 bytes nothing, as they lie in the same page.
 * Floor: a task that sleeps takes 4170 bytes, a compact one 2062 (bench sleepers).
 */
#include "idle.h"

static void *client_open(int fd)
{
    (void)fd;
    return NULL;
}

static void client_exchange(int fd, void *end, char *buf, size_t size)
{
    (void)end;
    if (write(fd, buf, size) == (ssize_t)size && recv(fd, buf, size, MSG_WAITALL) == (ssize_t)size)
        return;
    perror("an exchange");
    _exit(1);
}

static int serve_one(int fd)
{
    char buf[BUF];
    ssize_t n;
    came();
    while ((n = urd_read(fd, buf, sizeof buf)) > 0)
        if ((n = urd_write_all(fd, buf, (size_t)n)) < 0)
            break;
    return (int)n;
}

int main(int argc, char **argv)
{
    also_compact = true;
    return idle_main(argc, argv);
}
