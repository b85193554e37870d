/*
 * os_sandbox.c - system calls that a process gives up for good: a filter that the kernel applies.
 *
 * SPDX-License-Identifier: MIT
 *
 * The filter is a list of what is refused, and not of what is allowed: which calls a C library, a
 * sanitizer or the runtime makes for plain computation changes with each version, and what is
 * missing in such a list kills the innocent.  Calls newer than any in the list do not exist for the
 * process (-ENOSYS, as in an older kernel), so that a new way to do an old thing is not open.
 *
 * Refused without a sound, by -ENOSYS, is what has an older form to fall back to: io_uring (which
 * makes other calls, that no filter sees), clone3 and openat2 (whose flags lie in memory, which a
 * filter cannot read).
 *
 * Rejected: libseccomp (it is not needed for one list, and would be one more thing to install);
 * namespaces (an unprivileged process often may not have them, and needs them for the network).
 */
#include "base/os_sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/os.h"
#include "base/os_proc.h"

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#else
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

/* Every call up to here was looked at for the lists below (Linux 6.1). */
enum { LAST_KNOWN = 450, CODE_MAX = 400 };
enum { FROM_FILTER = 1 }; /* si_code, which the C library does not name: SYS_SECCOMP */

typedef struct call {
    int number;
    unsigned flags; /* of which any takes it away */
    const char *name;
} call;

#define CALL(name, flags)                                                                          \
    {                                                                                              \
        SYS_##name, flags, #name                                                                   \
    }
enum {
    ANY = URD_SANDBOX_BASE | URD_SANDBOX_NO_NETWORK | URD_SANDBOX_NO_EXEC | URD_SANDBOX_NO_WRITE,
    NET = URD_SANDBOX_NO_NETWORK,
    EXEC = URD_SANDBOX_NO_EXEC,
    WRITE = URD_SANDBOX_NO_WRITE
};

static const call calls[] = {
    /* other processes, and more rights */
    CALL(ptrace, ANY),
    CALL(tkill, ANY),
    CALL(process_vm_writev, ANY),
    CALL(pidfd_getfd, ANY),
    CALL(pidfd_send_signal, ANY),
    CALL(kcmp, ANY),
    CALL(process_madvise, ANY),
    CALL(process_mrelease, ANY),
    CALL(shmget, ANY),
    CALL(shmat, ANY),
    CALL(msgget, ANY),
    CALL(semget, ANY),
    CALL(migrate_pages, ANY),
    CALL(move_pages, ANY),
    CALL(unshare, ANY),
    CALL(setns, ANY),
    CALL(setuid, ANY),
    CALL(setgid, ANY),
    CALL(setreuid, ANY),
    CALL(setregid, ANY),
    CALL(setresuid, ANY),
    CALL(setresgid, ANY),
    CALL(setgroups, ANY),
    CALL(capset, ANY),
    /* the machine */
    CALL(mount, ANY),
    CALL(umount2, ANY),
    CALL(move_mount, ANY),
    CALL(open_tree, ANY),
    CALL(fsopen, ANY),
    CALL(fsmount, ANY),
    CALL(fsconfig, ANY),
    CALL(fspick, ANY),
    CALL(mount_setattr, ANY),
    CALL(pivot_root, ANY),
    CALL(chroot, ANY),
    CALL(init_module, ANY),
    CALL(finit_module, ANY),
    CALL(delete_module, ANY),
    CALL(kexec_load, ANY),
    CALL(reboot, ANY),
    CALL(swapon, ANY),
    CALL(swapoff, ANY),
    CALL(sethostname, ANY),
    CALL(setdomainname, ANY),
    CALL(settimeofday, ANY),
    CALL(clock_settime, ANY),
    CALL(clock_adjtime, ANY),
    CALL(adjtimex, ANY),
    CALL(acct, ANY),
    CALL(quotactl, ANY),
    CALL(syslog, ANY),
    CALL(bpf, ANY),
    CALL(perf_event_open, ANY),
    CALL(fanotify_init, ANY),
    CALL(userfaultfd, ANY),
    CALL(add_key, ANY),
    CALL(request_key, ANY),
    CALL(keyctl, ANY),
    CALL(open_by_handle_at, ANY),
    CALL(vhangup, ANY),
#ifdef SYS_kexec_file_load
    CALL(kexec_file_load, ANY),
#endif
#ifdef SYS_iopl
    CALL(iopl, ANY),
    CALL(ioperm, ANY),
    CALL(modify_ldt, ANY),
#endif
    /* the network, also that within the machine */
    CALL(socket, NET),
    CALL(socketpair, NET),
    CALL(bind, NET),
    CALL(listen, NET),
    CALL(connect, NET),
    CALL(accept, NET),
    CALL(accept4, NET),
    /* other programs */
    CALL(execve, EXEC),
    CALL(execveat, EXEC),
    /* what files there are, and what is in them by their names */
    CALL(truncate, WRITE),
    CALL(mkdirat, WRITE),
    CALL(mknodat, WRITE),
    CALL(unlinkat, WRITE),
    CALL(renameat2, WRITE),
    CALL(linkat, WRITE),
    CALL(symlinkat, WRITE),
    CALL(fchmodat, WRITE),
    CALL(fchmod, WRITE),
    CALL(fchownat, WRITE),
    CALL(fchown, WRITE),
    CALL(utimensat, WRITE),
    CALL(setxattr, WRITE),
    CALL(lsetxattr, WRITE),
    CALL(fsetxattr, WRITE),
    CALL(removexattr, WRITE),
    CALL(lremovexattr, WRITE),
    CALL(fremovexattr, WRITE),
    CALL(mq_open, WRITE),
    CALL(mq_unlink, WRITE),
#ifdef SYS_renameat
    CALL(renameat, WRITE),
#endif
#ifdef SYS_creat /* of x86 alone, beside those that end in `at` */
    CALL(creat, WRITE),
    CALL(mkdir, WRITE),
    CALL(rmdir, WRITE),
    CALL(mknod, WRITE),
    CALL(unlink, WRITE),
    CALL(rename, WRITE),
    CALL(link, WRITE),
    CALL(symlink, WRITE),
    CALL(chmod, WRITE),
    CALL(chown, WRITE),
    CALL(lchown, WRITE),
    CALL(utime, WRITE),
    CALL(utimes, WRITE),
    CALL(futimesat, WRITE),
#endif
};
enum { CALLS = sizeof calls / sizeof *calls };

/* Those that depend on an argument; named beside the others. */
static const call by_argument[] = {
    CALL(kill, ANY),
    CALL(tgkill, ANY),
    CALL(rt_sigqueueinfo, ANY),
    CALL(rt_tgsigqueueinfo, ANY),
    CALL(process_vm_readv, ANY),
    CALL(prlimit64, ANY),
    CALL(clone, ANY),
    CALL(prctl, ANY),
    CALL(ioctl, ANY),
    CALL(fcntl, ANY),
    CALL(openat, WRITE),
#ifdef SYS_open
    CALL(open, WRITE),
#endif
};
enum { BY_ARGUMENT = sizeof by_argument / sizeof *by_argument };

static const int silent[] = {SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register,
                             SYS_clone3, SYS_openat2};
enum { SILENT = sizeof silent / sizeof *silent };

/* Of the process itself alone, by its number in the first argument. */
static const int own[] = {SYS_kill, SYS_tgkill, SYS_rt_sigqueueinfo, SYS_rt_tgsigqueueinfo,
                          SYS_process_vm_readv};
enum { OWN = sizeof own / sizeof *own };
_Static_assert(2 * (CALLS + SILENT) + 6 * (OWN + BY_ARGUMENT + 2) + 8 <= CODE_MAX, "it has room");

const char *urd__os_sandbox_name(int number)
{
    for (int i = 0; i < CALLS; i++)
        if (calls[i].number == number)
            return calls[i].name;
    for (int i = 0; i < BY_ARGUMENT; i++)
        if (by_argument[i].number == number)
            return by_argument[i].name;
    return NULL;
}

/* ---- The filter ------------------------------------------------------------------------------ */

typedef struct code {
    struct sock_filter lines[CODE_MAX];
    unsigned short used;
} code;

static void add(code *c, unsigned op, unsigned k, unsigned yes, unsigned no)
{
    c->lines[c->used++] =
        (struct sock_filter)BPF_JUMP((unsigned short)op, k, (unsigned char)yes, (unsigned char)no);
}

static void load(code *c, size_t offset)
{
    add(c, BPF_LD | BPF_W | BPF_ABS, (unsigned)offset, 0, 0);
}

static void give(code *c, unsigned verdict)
{
    add(c, BPF_RET | BPF_K, verdict, 0, 0);
}

/* The lower half of an argument. */
static size_t argument(int i)
{
    return offsetof(struct seccomp_data, args) + (size_t)i * sizeof(uint64_t);
}

/* The number is loaded before and after. */
static void refuse(code *c, int number)
{
    add(c, BPF_JMP | BPF_JEQ | BPF_K, (unsigned)number, 0, 1);
    give(c, SECCOMP_RET_TRAP);
}

/* Refuse the call if its argument passes the test with the value. */
static void refuse_if(code *c, int number, int i, unsigned test, unsigned value)
{
    add(c, BPF_JMP | BPF_JEQ | BPF_K, (unsigned)number, 0, 4);
    load(c, argument(i));
    add(c, BPF_JMP | test | BPF_K, value, 0, 1);
    give(c, SECCOMP_RET_TRAP);
    load(c, offsetof(struct seccomp_data, nr));
}

static void refuse_bits(code *c, int number, int i, unsigned bits)
{
    refuse_if(c, number, i, BPF_JSET, bits);
}

static void refuse_value(code *c, int number, int i, unsigned value)
{
    refuse_if(c, number, i, BPF_JEQ, value);
}

/* Allow the call only if its first argument is one of these. */
static void allow_only(code *c, int number, unsigned value, unsigned other)
{
    add(c, BPF_JMP | BPF_JEQ | BPF_K, (unsigned)number, 0, 5);
    load(c, argument(0));
    add(c, BPF_JMP | BPF_JEQ | BPF_K, value, 2, 0);
    add(c, BPF_JMP | BPF_JEQ | BPF_K, other, 1, 0);
    give(c, SECCOMP_RET_TRAP);
    load(c, offsetof(struct seccomp_data, nr));
}

static void write_filter(code *c, unsigned flags)
{
    const unsigned writing = O_WRONLY | O_RDWR | O_CREAT | O_TRUNC;
    const unsigned spaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
                            CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
    load(c, offsetof(struct seccomp_data, arch));
    add(c, BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0);
    give(c, SECCOMP_RET_KILL_PROCESS); /* 32-bit calls have other numbers */
    load(c, offsetof(struct seccomp_data, nr));
    add(c, BPF_JMP | BPF_JGT | BPF_K, LAST_KNOWN, 0, 1); /* x32 of x86, too */
    give(c, SECCOMP_RET_ERRNO | ENOSYS);
    for (int i = 0; i < SILENT; i++) {
        add(c, BPF_JMP | BPF_JEQ | BPF_K, (unsigned)silent[i], 0, 1);
        give(c, SECCOMP_RET_ERRNO | ENOSYS);
    }
    for (int i = 0; i < CALLS; i++)
        if (calls[i].flags & flags)
            refuse(c, calls[i].number);
    const unsigned self = (unsigned)urd__os_pid();
    for (int i = 0; i < OWN; i++)
        allow_only(c, own[i], self, self);
    allow_only(c, SYS_prlimit64, 0, self);
    refuse_bits(c, SYS_clone, 0, spaces);
    refuse_value(c, SYS_prctl, 0, PR_SET_PDEATHSIG); /* it ends with the program */
    refuse_value(c, SYS_ioctl, 1, TIOCSTI);          /* as if somebody typed */
    refuse_value(c, SYS_ioctl, 1, TIOCLINUX);
    refuse_value(c, SYS_fcntl, 1, F_SETOWN); /* who then gets signals */
    refuse_value(c, SYS_fcntl, 1, F_SETOWN_EX);
    if (flags & URD_SANDBOX_NO_WRITE) {
        refuse_bits(c, SYS_openat, 2, writing);
#ifdef SYS_open
        refuse_bits(c, SYS_open, 1, writing);
#endif
    }
    give(c, SECCOMP_RET_ALLOW);
}

/* ---- A call that was refused ----------------------------------------------------------------- */

static void (*told)(int number);

static void on_refused(int sig, siginfo_t *info, void *unused)
{
    (void)unused;
    if (told && info->si_code == FROM_FILTER)
        told(info->si_syscall);
    const struct sigaction normal = {.sa_handler = SIG_DFL};
    sigset_t set; /* it is blocked while its handler runs */
    sigemptyset(&set);
    sigaddset(&set, sig);
    sigaction(sig, &normal, NULL);
    raise(sig);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    _exit(1);
}

int urd__os_sandbox(unsigned flags, void (*refused)(int number))
{
    int fault = urd__os_fault();
    if (fault)
        return fault;
    static code c; /* one thread */
    c.used = 0;
    write_filter(&c, flags);
    const struct sock_fprog program = {.len = c.used, .filter = c.lines};
    struct sigaction trap = {.sa_sigaction = on_refused, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    told = refused;
    if (sigaction(SIGSYS, &trap, NULL) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) != 0)
        return -errno;
    return 0;
}
