/*
 * os_sandbox.c - every call that is given up is refused, and told by its name; all others go on.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/os_sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/os_proc.h"
#include "test.h"

/* Stand for the numbers of the process that tries, and of its parent. */
enum { SELF = -1001, PARENT = -1002 };

static int *told; /* shared: the number of the call that was refused; or -errno, or 0 */

static void tell(int number)
{
    *told = number;
    _exit(0);
}

static void need_filters(void)
{
    if (test_under_valgrind() || test_under_emulator())
        SKIP("it makes calls of its own, and has no filters");
    void *memory = NULL;
    CHECK_EQ(urd__os_shared_map(&memory, sizeof *told), 0);
    told = memory;
}

static long meant(long a)
{
    return a == SELF ? getpid() : a == PARENT ? getppid() : a;
}

/* In a process of its own: what came of the call. */
static int try_under(unsigned flags, long number, long a, long b, long c)
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        int rc = urd__os_sandbox(flags, tell);
        if (rc)
            _exit(rc == -EINVAL || rc == -ENOSYS ? 77 : 1);
        long done = syscall(number, meant(a), meant(b), c, 0L, 0L, 0L);
        *told = done < 0 ? -errno : 0;
        _exit(0);
    }
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        SKIP("this kernel has no filters");
    CHECK_EQ(status, 0);
    return *told;
}

static int try(long number, long a, long b, long c)
{
    return try_under(URD_SANDBOX_ALL, number, a, b, c);
}

TEST(everything_in_the_list_is_refused_by_its_number)
{
    static const long by_argument[] = {SYS_kill,
                                       SYS_tgkill,
                                       SYS_rt_sigqueueinfo,
                                       SYS_rt_tgsigqueueinfo,
                                       SYS_process_vm_readv,
                                       SYS_prlimit64,
                                       SYS_fcntl,
                                       SYS_clone,
                                       SYS_prctl,
                                       SYS_ioctl,
                                       SYS_openat};
    int refused = 0, step = test_under_slow_tool() ? 7 : 1;
    need_filters();
    for (int number = 0; number < 500; number++) {
        bool depends = false;
        for (size_t i = 0; i < sizeof by_argument / sizeof *by_argument; i++)
            depends = depends || by_argument[i] == number;
#ifdef SYS_open
        depends = depends || number == SYS_open;
#endif
        if (!urd__os_sandbox_name(number) || depends)
            continue;
        if (++refused % step == 0)
            CHECK_EQ(try(number, 0, 0, 0), number);
    }
    CHECK_GT(refused, 70);
    CHECK_STR(urd__os_sandbox_name(SYS_socket), "socket");
    CHECK_STR(urd__os_sandbox_name(SYS_openat), "openat");
    CHECK_PTR(urd__os_sandbox_name(SYS_getpid), NULL);
}

TEST(some_are_refused_by_what_they_ask_for)
{
    char file[] = "/dev/null";
    need_filters();
    long path = (long)file;
    CHECK_EQ(try(SYS_kill, PARENT, 0, 0), SYS_kill);
    CHECK_EQ(try(SYS_kill, -1, 0, 0), SYS_kill);
    CHECK_EQ(try(SYS_kill, SELF, 0, 0), 0);
    CHECK_EQ(try(SYS_tgkill, SELF, SELF, 0), 0);
    CHECK_EQ(try(SYS_tgkill, PARENT, PARENT, 0), SYS_tgkill);
    CHECK_EQ(try(SYS_clone, CLONE_NEWNET, 0, 0), SYS_clone);
    CHECK_EQ(try(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0), SYS_clone);
    CHECK_EQ(try(SYS_prctl, PR_SET_PDEATHSIG, 0, 0), SYS_prctl);
    CHECK_EQ(try(SYS_prctl, PR_GET_DUMPABLE, 0, 0) < 0, 0);
    CHECK_EQ(try(SYS_ioctl, 0, TIOCSTI, path), SYS_ioctl);
    CHECK_EQ(try(SYS_ioctl, -1, TIOCGWINSZ, 0), -EBADF);
    CHECK_EQ(try(SYS_fcntl, 0, F_SETOWN, 1), SYS_fcntl);
    CHECK_EQ(try(SYS_fcntl, -1, F_GETFD, 0), -EBADF);
    CHECK_EQ(try(SYS_prlimit64, PARENT, RLIMIT_CORE, 0), SYS_prlimit64);
    CHECK_EQ(try(SYS_prlimit64, SELF, RLIMIT_CORE, 0), 0);
    CHECK_EQ(try(SYS_prlimit64, 0, RLIMIT_CORE, 0), 0);
    CHECK_EQ(try(SYS_openat, AT_FDCWD, path, O_WRONLY), SYS_openat);
    CHECK_EQ(try(SYS_openat, AT_FDCWD, path, O_RDWR), SYS_openat);
    CHECK_EQ(try(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CREAT), SYS_openat);
    CHECK_EQ(try(SYS_openat, AT_FDCWD, path, O_RDONLY | O_TRUNC), SYS_openat);
    CHECK_EQ(try(SYS_openat, AT_FDCWD, path, O_RDONLY), 0);
#ifdef SYS_open
    CHECK_EQ(try(SYS_open, path, O_WRONLY, 0), SYS_open);
#endif
}

TEST(what_has_an_older_form_and_what_is_newer_than_the_list_does_not_exist)
{
    need_filters();
    CHECK_EQ(try_under(URD_SANDBOX_BASE, SYS_io_uring_setup, 1, 0, 0), -ENOSYS);
    CHECK_EQ(try_under(URD_SANDBOX_BASE, SYS_clone3, 0, 0, 0), -ENOSYS);
    CHECK_EQ(try_under(URD_SANDBOX_BASE, SYS_openat2, AT_FDCWD, 0, 0), -ENOSYS);
    CHECK_EQ(try_under(URD_SANDBOX_BASE, 451, 0, 0, 0), -ENOSYS);
    CHECK_EQ(try_under(URD_SANDBOX_BASE, 0x40000000 + SYS_getpid, 0, 0, 0), -ENOSYS);
}

TEST(what_was_not_given_up_goes_on)
{
    need_filters();
    CHECK_EQ(try_under(URD_SANDBOX_BASE, SYS_socket, -1, 0, 0), -EAFNOSUPPORT);
    CHECK_EQ(try_under(URD_SANDBOX_BASE, SYS_execve, 0, 0, 0), -EFAULT);
    CHECK_EQ(try_under(URD_SANDBOX_BASE, SYS_unlinkat, -1, (long)"x", 0), -EBADF);
    CHECK_EQ(try_under(URD_SANDBOX_BASE, SYS_ptrace, 0, 0, 0), SYS_ptrace);
    CHECK_EQ(try_under(URD_SANDBOX_BASE, SYS_openat, AT_FDCWD, (long)"/dev/null", O_WRONLY), 0);
}

static void die(void)
{
    CHECK_EQ(urd__os_sandbox(URD_SANDBOX_ALL, NULL), 0);
    syscall(SYS_ptrace, 0, 0, 0, 0);
}

TEST(who_is_not_told_dies_all_the_same)
{
    struct test_child child;
    if (test_under_valgrind() || test_under_emulator())
        SKIP("it makes calls of its own, and has no filters");
    test_fork(&child, die);
    if (child.code == 1)
        SKIP("this kernel has no filters");
    CHECK_EQ(child.signal, SIGSYS);
}
