/*
 * os_proc.c - the system calls behind processes; turns errno into -errno, once.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/os_proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/single_threaded.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/os.h"

#ifdef HAVE_VALGRIND
#include <valgrind/valgrind.h>
#endif

#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8U
#endif

enum { THREAD_LOOKS = 10, ARGUMENTS_FIRST = 4096, PATH_BYTES = 4096 };

static int result(long rc)
{
    return rc < 0 ? -errno : (int)rc;
}

int urd__os_shared_map(void **out, size_t size)
{
    int fault = urd__os_fault();
    if (fault)
        return fault;
    void *p =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        return -errno;
    *out = p;
    return 0;
}

int urd__os_shared_file(size_t size)
{
    struct rlimit files;
    int fault = urd__os_fault();
    if (fault)
        return fault;
    if (getrlimit(RLIMIT_FSIZE, &files) == 0 && files.rlim_cur < size)
        return -EFBIG; /* the kernel would say so by SIGXFSZ, which ends the program */
    int fd = memfd_create("urd-heap", MFD_CLOEXEC | MFD_NOEXEC_SEAL);
    if (fd < 0 && errno == EINVAL) /* before Linux 6.3 */
        fd = memfd_create("urd-heap", MFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    int rc = ftruncate(fd, (off_t)size) ? -errno : fd;
    if (rc < 0)
        close(fd);
    return rc;
}

int urd__os_shared_file_map(int fd, void **at, size_t size, bool there)
{
    int fault = urd__os_fault();
    if (fault)
        return fault;
    int flags = MAP_SHARED | MAP_NORESERVE | (there ? MAP_FIXED_NOREPLACE : 0);
    void *p = mmap(*at, size, PROT_READ | PROT_WRITE, flags, fd, 0);
    if (p == MAP_FAILED)
        return -errno;
    if (there && p != *at) { /* before Linux 4.17 */
        munmap(p, size);
        return -EEXIST;
    }
    *at = p;
    return 0;
}

int urd__os_shared_discard(void *p, size_t size)
{
    int fault = urd__os_fault();
    return fault ? fault : result(madvise(p, size, MADV_REMOVE));
}

pid_t urd__os_fork_quiet(void)
{
    int fault = urd__os_fault();
    return fault ? fault : result(syscall(SYS_clone, 0UL, 0UL, 0UL, 0UL, 0UL));
}

pid_t urd__os_fork(void)
{
    int fault = urd__os_fault();
    return fault ? fault : result(fork());
}

/* The C library's flag stays false once there was a second thread.  A joined one may still be
 * listed for a moment. */
bool urd__os_single_threaded(void)
{
    for (int i = 0; !__libc_single_threaded && i < THREAD_LOOKS; i++) {
        struct stat tasks;
        if (stat("/proc/self/task", &tasks) != 0)
            return false;
        if (tasks.st_nlink == 3) /* ".", "..", and one thread */
            return true;
        sched_yield();
    }
    return __libc_single_threaded != 0;
}

void urd__os_exit(int code)
{
    _exit(code);
}

void urd__os_flush(void)
{
    fflush(NULL);
}

pid_t urd__os_pid(void)
{
    return (pid_t)syscall(SYS_getpid); /* a C library may remember that of before a quiet fork */
}

pid_t urd__os_parent_pid(void)
{
    return getppid();
}

int urd__os_die_with_parent(void)
{
    int fault = urd__os_fault();
    return fault ? fault : result(prctl(PR_SET_PDEATHSIG, SIGKILL));
}

void urd__os_process_name(const char *name, char *old, size_t old_size)
{
    char now[16] = "";
    prctl(PR_GET_NAME, now);
    prctl(PR_SET_NAME, name);
    if (old_size > 0) {
        strncpy(old, now, old_size - 1);
        old[old_size - 1] = '\0';
    }
}

pid_t urd__os_wait(pid_t pid, int *status, bool no_wait)
{
    int fault = urd__os_fault();
    if (fault)
        return fault;
    pid_t rc;
    do {
        rc = waitpid(pid, status, __WALL | (no_wait ? WNOHANG : 0));
    } while (rc < 0 && errno == EINTR);
    return result(rc);
}

pid_t urd__os_reap(pid_t pid, int *status)
{
    pid_t rc;
    do {
        rc = waitpid(pid, status, __WALL | WNOHANG);
    } while (rc < 0 && errno == EINTR);
    return result(rc);
}

static int add_streams(posix_spawn_file_actions_t *actions, const urd__os_program *program)
{
    int rc = 0;
    if (program->directory >= 0)
        rc = posix_spawn_file_actions_addfchdir_np(actions, program->directory);
    for (int i = 0; i < 3 && rc == 0; i++)
        if (program->streams[i] >= 0)
            rc = posix_spawn_file_actions_adddup2(actions, program->streams[i], i);
    return rc ? rc : posix_spawn_file_actions_addclosefrom_np(actions, 3);
}

static int set_signals(posix_spawnattr_t *attributes)
{
    sigset_t none, pipe;
    sigemptyset(&none);
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    posix_spawnattr_setsigmask(attributes, &none);
    posix_spawnattr_setsigdefault(attributes, &pipe);
    return posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

/* The C library borrows our memory for the child (CLONE_VM, CLONE_VFORK), however large we are. */
int urd__os_spawn(const urd__os_program *program, pid_t *pid)
{
    int fault = urd__os_fault();
    if (fault)
        return fault;
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    int rc = add_streams(&actions, program);
    if (rc == 0)
        rc = set_signals(&attributes);
    if (rc == 0)
        rc = posix_spawnp(pid, program->argv[0], &actions, &attributes,
                          (char *const *)(uintptr_t)program->argv,
                          program->env ? (char *const *)(uintptr_t)program->env : environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return -rc;
}

/* All of a file whose size is not known before, NUL-terminated; NULL: no file, or no memory. */
static char *read_whole(const char *path, size_t *size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char *text = NULL;
    size_t room = 0;
    ssize_t n = fd < 0 ? -1 : 1;
    for (*size = 0; n > 0; *size += n > 0 ? (size_t)n : 0) {
        if (*size == room) {
            room = room ? 2 * room : ARGUMENTS_FIRST;
            char *more = realloc(text, room + 1);
            if (!more)
                break;
            text = more;
        }
        n = pread(fd, text + *size, room - *size, (off_t)*size); /* valgrind shares the place */
    }
    if (fd >= 0)
        close(fd);
    if (n == 0)
        text[*size] = '\0';
    else
        free(text);
    return n == 0 ? text : NULL;
}

static const char *own_path(char *path)
{
    ssize_t n = urd__os_under_valgrind() ? readlink("/proc/self/exe", path, PATH_BYTES - 1) : 0;
    if (n <= 0)
        return "/proc/self/exe"; /* also where the file is gone */
    path[n] = '\0';              /* or the tool would be what is run */
    return path;
}

int urd__os_exec_self(void)
{
    char path[PATH_BYTES];
    size_t size;
    int fault = urd__os_fault();
    if (fault)
        return fault;
    char *text = read_whole("/proc/self/cmdline", &size); /* nobody handed them to a library */
    if (!text)
        return -ENOMEM;
    size_t count = 0;
    for (size_t i = 0; i < size; i++)
        count += text[i] == '\0';
    char **argv = calloc(count + 2, sizeof *argv); /* should the last one not be terminated */
    int rc = -ENOMEM;
    if (argv) {
        char *at = text;
        argv[0] = text; /* should there be none */
        for (size_t i = 0; at < text + size; at += strlen(at) + 1)
            argv[i++] = at;
        execve(own_path(path), argv, environ);
        rc = -errno;
    }
    free(argv);
    free(text);
    return rc;
}

int urd__os_exec_keeps(int fd, bool keeps)
{
    int fault = urd__os_fault();
    return fault ? fault : result(fcntl(fd, F_SETFD, keeps ? 0 : FD_CLOEXEC));
}

int urd__os_pipe(int out[2])
{
    int fault = urd__os_fault();
    return fault ? fault : result(pipe2(out, O_CLOEXEC));
}

int urd__os_open_null(void)
{
    int fault = urd__os_fault();
    return fault ? fault : result(open("/dev/null", O_RDWR | O_CLOEXEC));
}

int urd__os_open_directory(const char *path)
{
    int fault = urd__os_fault();
    return fault ? fault : result(open(path, O_PATH | O_DIRECTORY | O_CLOEXEC));
}

bool urd__os_under_valgrind(void)
{
#ifdef HAVE_VALGRIND
    return RUNNING_ON_VALGRIND != 0;
#else
    return false;
#endif
}

int urd__os_pidfd_open(pid_t pid)
{
    if (urd__os_under_valgrind())
        return -ENOSYS;
    int fault = urd__os_fault();
    return fault ? fault : result(syscall(SYS_pidfd_open, pid, 0U));
}

int urd__os_pidfd_signal(int pidfd, int sig)
{
    int fault = urd__os_fault();
    return fault ? fault : result(syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0U));
}

int urd__os_kill(pid_t pid, int sig)
{
    return result(kill(pid, sig));
}

int urd__os_socket_pair(int out[2])
{
    int fault = urd__os_fault();
    return fault ? fault : result(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, out));
}

/* Room for one descriptor beside a message. */
union control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
};

int urd__os_send(int fd, const void *message, size_t size, int pass, bool no_wait)
{
    int fault = urd__os_fault();
    if (fault)
        return fault;
    struct iovec part = {.iov_base = (char *)(uintptr_t)message, .iov_len = size};
    struct msghdr out = {.msg_iov = &part, .msg_iovlen = 1};
    union control control;
    if (pass >= 0) {
        memset(&control, 0, sizeof control);
        out.msg_control = control.bytes;
        out.msg_controllen = sizeof control.bytes;
        struct cmsghdr *c = CMSG_FIRSTHDR(&out);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof pass);
        memcpy(CMSG_DATA(c), &pass, sizeof pass);
    }
    ssize_t rc;
    do {
        rc = sendmsg(fd, &out, MSG_NOSIGNAL | (no_wait ? MSG_DONTWAIT : 0));
    } while (rc < 0 && errno == EINTR);
    return rc < 0 && errno == ECONNRESET ? -EPIPE : result(rc);
}

static int descriptor_in(struct msghdr *in)
{
    int fd = -1;
    struct cmsghdr *c = CMSG_FIRSTHDR(in);
    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
        memcpy(&fd, CMSG_DATA(c), sizeof fd);
    return fd;
}

int urd__os_receive(int fd, void *message, size_t size, int *passed)
{
    *passed = -1;
    int fault = urd__os_fault();
    if (fault)
        return fault;
    struct iovec part = {.iov_base = message, .iov_len = size};
    union control control;
    struct msghdr in = {
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = sizeof control.bytes,
    };
    ssize_t rc;
    do {
        rc = recvmsg(fd, &in, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    } while (rc < 0 && errno == EINTR);
    if (rc < 0)
        return errno == ECONNRESET ? 0 : -errno;
    *passed = descriptor_in(&in);
    if (rc == 0 || ((size_t)rc == size && (in.msg_flags & MSG_TRUNC) == 0))
        return (int)rc;
    urd__os_close(*passed);
    *passed = -1;
    return -EBADMSG;
}

int urd__os_duplicate(int fd)
{
    int fault = urd__os_fault();
    return fault ? fault : result(fcntl(fd, F_DUPFD_CLOEXEC, 3));
}

void urd__os_shut_down(int fd)
{
    shutdown(fd, SHUT_WR);
}

int urd__os_wait_ready(urd__os_ready *list, int n, int64_t until)
{
    int fault = urd__os_fault();
    if (fault)
        return fault;
    if (n > OS_READY_MAX)
        return -EINVAL;
    struct pollfd polled[OS_READY_MAX];
    for (int i = 0; i < n; i++) {
        short events = (short)(POLLIN | (list[i].want_write ? POLLOUT : 0));
        polled[i] = (struct pollfd){.fd = list[i].fd, .events = events};
    }
    int rc;
    do {
        int64_t left = until == INT64_MAX ? 0 : until - urd__os_now();
        if (left < 0)
            left = 0;
        struct timespec timeout = {.tv_sec = (time_t)(left / 1000000000),
                                   .tv_nsec = (long)(left % 1000000000)};
        rc = ppoll(polled, (nfds_t)n, until == INT64_MAX ? NULL : &timeout, NULL);
    } while (rc < 0 && errno == EINTR);
    if (rc < 0)
        return -errno;
    for (int i = 0; i < n; i++) {
        list[i].readable = (polled[i].revents & (POLLIN | POLLHUP | POLLERR | POLLNVAL)) != 0;
        list[i].writable = (polled[i].revents & POLLOUT) != 0;
    }
    return 0;
}

int urd__os_event_open(void)
{
    int fault = urd__os_fault();
    return fault ? fault : result(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
}

void urd__os_event_set(int fd)
{
    uint64_t one = 1;
    int saved = errno; /* also from a signal handler */
    ssize_t rc;
    do {
        rc = write(fd, &one, sizeof one);
    } while (rc < 0 && errno == EINTR);
    errno = saved;
}

void urd__os_event_clear(int fd)
{
    uint64_t count;
    ssize_t rc;
    do {
        rc = read(fd, &count, sizeof count);
    } while (rc < 0 && errno == EINTR);
}

int urd__os_child_signal_open(void)
{
    int fault = urd__os_fault();
    if (fault)
        return fault;
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    return result(signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK));
}

void urd__os_child_signal_clear(int fd)
{
    struct signalfd_siginfo info;
    while (read(fd, &info, sizeof info) > 0 || errno == EINTR)
        ;
}

void urd__os_close(int fd)
{
    if (fd >= 0)
        close(fd); /* Linux has closed it also when it says EINTR */
}

void urd__os_signals_block(sigset_t *old)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, old);
}

void urd__os_signals_restore(const sigset_t *old)
{
    pthread_sigmask(SIG_SETMASK, old, NULL);
}

/* Handlers of faults stay: a sanitizer or a crash reporter works in any process. */
static bool is_fault(int sig)
{
    return sig == SIGSEGV || sig == SIGBUS || sig == SIGFPE || sig == SIGILL || sig == SIGABRT ||
           sig == SIGTRAP || sig == SIGSYS;
}

void urd__os_signals_reset(void)
{
    for (int sig = 1; sig < NSIG; sig++) {
        struct sigaction now;
        if (is_fault(sig) || sigaction(sig, NULL, &now) != 0)
            continue;
        if (now.sa_handler == SIG_DFL || now.sa_handler == SIG_IGN)
            continue;
        struct sigaction reset = {.sa_handler = SIG_DFL};
        sigaction(sig, &reset, NULL);
    }
}
