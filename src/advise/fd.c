/*
 * fd.c - file, pipe, socket or terminal: what a thread waits for, by its descriptor.
 *
 * SPDX-License-Identifier: MIT
 *
 * A pipe of which the process has both ends, and a pair of sockets, are how an event loop wakes
 * itself, or is told by its parent or child what to do: who waits for them alone waits for nothing
 * outside.  A pair's peer is, as the kernel has it, the process that made it.
 */
#include "advise/fd.h"

#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "advise/proc.h"
#include "urd.h"

enum { PATH_BYTES = 96, LINK_BYTES = 256, OWN_FDS_MAX = 64 };

static const int64_t remembered = 300 * URD_MS;

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

urd__fd_kind urd__fd_kind_of_link(const char *link)
{
    static const struct {
        const char *begins;
        urd__fd_kind kind;
    } kinds[] = {{"pipe:", FD_PIPE},
                 {"socket:", FD_SOCKET},
                 {"anon_inode:[eventfd]", FD_EVENT},
                 {"anon_inode:[timerfd]", FD_TIMER},
                 {"anon_inode:[eventpoll]", FD_EPOLL},
                 {"anon_inode:[pidfd]", FD_CHILD},
                 {"anon_inode:[signalfd]", FD_EVENT},
                 {"anon_inode:inotify", FD_EVENT},
                 {"anon_inode:", FD_OTHER},
                 {"/dev/pts/", FD_TERMINAL},
                 {"/dev/tty", FD_TERMINAL},
                 {"/dev/console", FD_TERMINAL},
                 {"/dev/null", FD_NULL},
                 {"/dev/zero", FD_NULL},
                 {"/dev/full", FD_NULL},
                 {"/dev/urandom", FD_NULL},
                 {"/dev/random", FD_NULL},
                 {"/memfd:", FD_FILE},
                 {"/", FD_FILE}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (begins(link, kinds[i].begins))
            return kinds[i].kind;
    return FD_OTHER;
}

/* "tfd:        5 events:       19 data: ..." a line. */
int urd__fd_parse_epoll(const char *text, int *out, int max)
{
    int count = 0;
    for (const char *at = text; count < max && (at = strstr(at, "tfd:")); at += 4)
        out[count++] = atoi(at + 4);
    return count;
}

int urd__fd_epoll(pid_t pid, int fd, int *out, int max)
{
    static char text[64 * 1024];
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "/proc/%d/fdinfo/%d", pid, fd);
    return urd__proc_read(path, text, sizeof text) > 0 ? urd__fd_parse_epoll(text, out, max) : 0;
}

static long read_link(pid_t pid, int fd, char *out)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "/proc/%d/fd/%d", pid, fd);
    ssize_t bytes = readlink(path, out, LINK_BYTES - 1);
    out[bytes > 0 ? bytes : 0] = '\0';
    return bytes;
}

/* Is the other end of the pipe open in the process too?  Such ends are opened together, so their
 * descriptors are near. */
static bool has_other_end(pid_t pid, int fd, const char *link)
{
    for (int other = fd > OWN_FDS_MAX ? fd - OWN_FDS_MAX : 0; other < fd + 8; other++) {
        char second[LINK_BYTES];
        if (other != fd && read_link(pid, other, second) > 0 && strcmp(link, second) == 0)
            return true;
    }
    return false;
}

static int option_of(int socket, int name)
{
    int value = -1;
    socklen_t bytes = sizeof value;
    return getsockopt(socket, SOL_SOCKET, name, &value, &bytes) == 0 ? value : -1;
}

static pid_t peer_of(int socket)
{
    struct ucred peer = {0};
    socklen_t bytes = sizeof peer;
    return getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) == 0 ? peer.pid : 0;
}

/* Asked from the socket itself, of which we take a second descriptor for a moment.  The tables in
 * /proc/PID/net would do too, but to read one takes the kernel milliseconds. */
static urd__fd_kind socket_kind(const urd__process *of, int fd)
{
    int process = pidfd_open(of->pid, 0);
    int copy = process >= 0 ? pidfd_getfd(process, fd, 0) : -1;
    pid_t peer = copy >= 0 ? peer_of(copy) : 0;
    bool listens = copy >= 0 && option_of(copy, SO_ACCEPTCONN) == 1;
    bool local = copy >= 0 && option_of(copy, SO_DOMAIN) == AF_UNIX;
    if (copy >= 0)
        close(copy);
    if (process >= 0)
        close(process);
    if (listens)
        return FD_LISTENING;
    if (!local)
        return FD_SOCKET;
    return peer == of->pid || peer == of->parent ? FD_PIPE_OWN : FD_LOCAL;
}

static void find_out(const urd__process *process, urd__fd *out)
{
    pid_t pid = process->pid;
    char link[LINK_BYTES];
    out->kind = FD_OTHER;
    out->name[0] = '\0';
    if (read_link(pid, out->fd, link) <= 0)
        return;
    out->kind = urd__fd_kind_of_link(link);
    if (out->kind == FD_SOCKET)
        out->kind = socket_kind(process, out->fd);
    if (out->kind == FD_PIPE && has_other_end(pid, out->fd, link))
        out->kind = FD_PIPE_OWN;
    const char *slash = strrchr(link, '/');
    if (out->kind == FD_FILE && slash)
        snprintf(out->name, sizeof out->name, "%.40s", slash + 1);
}

const urd__fd *urd__fd_of(urd__process *process, int fd, int64_t now)
{
    urd__fd *slot = &process->fds[(unsigned)fd % FDS_MAX];
    if (slot->until > now && slot->fd == fd)
        return slot;
    slot->fd = fd;
    find_out(process, slot);
    slot->until = now + remembered;
    return slot;
}
