/*
 * process.c - life and death of process jobs, as the process that starts them sees it.
 *
 * SPDX-License-Identifier: MIT
 *
 * A job's record lies in the shared heap: what to call, a copy of its argument, and later its
 * result.  The zygote forks a process that runs it; a thread of ours, the reaper, hears of its
 * start and its end over the zygote's connection, copies the argument back, and ends the job.  The
 * reaper is started with the first process job, also in a process job that has such of its own.
 *
 * Who owns a `struct process`: whoever takes it off the list `all` under `lock`.  That is the
 * reaper when it has ended, or urd__process_start() when the request could not be sent.  A cancel
 * reaches it as a member of its scope, from which the owner detaches it first.  Order of locks:
 * those of scopes, then `lock`.
 *
 * How a job ends:
 *     fn returned               its result, and the argument is copied back
 *     its options were refused  the system's error, and job->detail names the option
 *     killed after being asked  -ECANCELED
 *     anything else             -ECHILD, and job->detail says what, also that it was for memory
 * If the zygote is killed, all its processes are; the jobs end when the processes have, and what
 * these had locked is free.  No other zygote is made, as the program has threads by then, and may
 * have grown: a process job that is started later is refused.
 */
#include "proc/process.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/check.h"
#include "base/list.h"
#include "base/lock.h"
#include "base/os.h"
#include "base/os_proc.h"
#include "core/peer.h"
#include "core/runtime.h"
#include "core/scope.h"
#include "io/signal.h"
#include "proc/image.h"
#include "proc/oom.h"
#include "proc/setup.h"
#include "proc/shared.h"
#include "proc/spawn.h"
#include "proc/zygote.h"
#include "watch/monitor.h"

enum {
    ARG_ALIGN = 64,
    WHERE_BYTES = 160,
    LINGER_NS = 250000,
    ORPHANS_NS = 1000000000,
    EXIT_REFUSED = 127
};

/* In the shared heap; written by the starter before the request, then by the process. */
struct record {
    urd_fn *fn; /* its name, see image.h */
    void *arg;
    char name[32];
    char where[WHERE_BYTES];    /* a copy: the text may lie in a library loaded after urd_run */
    urd_process_options *setup; /* or NULL */
    int result;                 /* these two are set before `returned` */
    int step;                   /* of the setup, that was refused */
    int call;                   /* that the sandbox refused; 0: none */
    int returned;               /* atomic: one of */
    struct common *common;
    /* Of one that becomes a fresh image; set before that. */
    uint32_t number; /* of core/peer.h */
    sigset_t mask;
    char comm[16]; /* what the program is called in ps */
};
enum { RETURNED = 1, REFUSED };

struct process {
    urd__link link;     /* under lock */
    urd__member member; /* of `scope`, under its lock */
    urd__job *job;      /* set once; so is what follows up to `pid` */
    urd_scope *scope;   /* whose cancel ends it */
    struct record *record;
    size_t size;
    int64_t grace_duration;
    urd__oom_counts before; /* its start */
    pid_t pid;              /* under lock; 0: not forked yet */
    int pidfd;              /* under lock; -1: none */
    int64_t kill_at;        /* under lock; INT64_MAX: not asked, or killed */
    bool asked;             /* under lock */
};

/* In the shared heap: what a process is told that is a fresh image; set once. */
struct common {
    urd_config config;
    const urd__image *image;
    char name[]; /* that of the config */
};

static struct {
    bool open;         /* set before and after all threads, as are the next three */
    urd_config config; /* of urd_run; the runtimes of process jobs have it too, but one worker */
    struct common *common; /* in the shared heap */

    pthread_mutex_t starting; /* held while the reaper is started */
    int ready;                /* atomic: the reaper runs, or has run */
    int connection;           /* set before `ready` */
    int event;                /* set before `ready`; wakes the reaper */
    int cores;                /* set before `ready`; of the affinity mask */
    int kills;                /* set before `ready`: file that counts them, see oom.h; or below 0 */
    int64_t kills_everywhere; /* set before `ready`: the count then */
    urd__os_thread reaper;    /* under starting */

    int lock;      /* guards what follows */
    urd__link all; /* processes whose end is awaited */
    bool dead;     /* the zygote is gone */
    bool stopping;
} proc = {.starting = PTHREAD_MUTEX_INITIALIZER};

/* ---- functions that every process has ---- */

int urd__process_knows(urd_fn *fn)
{
    if (urd__image_has(fn))
        return 0;
    Dl_info symbol = {0};
    dladdr(__extension__(void *) fn, &symbol);
    urd__say("%s (from %s) was loaded after urd_run and cannot run in a process; load it before",
             symbol.dli_sname ? symbol.dli_sname : "a function without a name",
             symbol.dli_fname ? symbol.dli_fname : "no file");
    return -EINVAL;
}

/* ---- the end of a job ---- */

static void free_record(struct record *record)
{
    urd_shared_free(record->setup);
    urd_shared_free(record);
}

/* p is off the list.  The job and its handle may be gone after urd__job_done(). */
static void done(struct process *p, int result, const char *words)
{
    urd__job *job = p->job;
    int own_pidfd = job->handle ? -1 : p->pidfd;
    urd__scope_detach(p->scope, &p->member);
    job->detail = words;
    if (job->handle) {
        if (words)
            snprintf(job->handle->detail, sizeof job->handle->detail, "%s", words);
        else
            snprintf(job->handle->detail, sizeof job->handle->detail, "returned %d", result);
        if (p->pid == 0) {
            urd__store_rel(&job->handle->pid, -1); /* [pid] pairs with wait_for_pid() */
            urd__os_futex_wake(&job->handle->pid, INT_MAX);
        }
    }
    free_record(p->record);
    urd__os_free(p);
    urd__job_done(job, result);
    urd__os_close(own_pidfd);
}

static int64_t kills_in_group(const struct record *record)
{
    bool own = !record->setup || !record->setup->cgroup;
    return own ? urd__oom_read(proc.kills) : urd__oom_kills(record->setup->cgroup);
}

/* One that neither returned nor was asked to end. */
static const char *words_of(const struct process *p, int status)
{
    const urd_job *handle = p->job->handle;
    bool ours = handle && urd__load_acq(&handle->killed); /* [killed] pairs with urd_job_kill() */
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS && p->record->call)
        return urd__setup_refused_words(p->record->call);
    if (ours || !WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
        return urd__process_words(status);
    urd__oom_counts now = {.group = kills_in_group(p->record), .everywhere = -1};
    if (now.group < 0)
        now.everywhere = urd__oom_kills_everywhere("");
    return urd__oom_words(p->before, now);
}

static void ended(struct process *p, int status)
{
    if (p->job->handle)
        p->job->handle->status = status;
    const struct record *record = p->record;
    int returned = urd__load_acq(&record->returned); /* [returned] pairs with leave() */
    if (returned == RETURNED) {
        if (p->size > 0)
            memcpy(p->job->arg, record->arg, p->size);
        done(p, record->result, NULL);
        return;
    }
    if (returned == REFUSED) {
        if (p->job->handle)
            p->job->handle->refused = 1;
        done(p, record->result, urd__setup_words(record->step, record->result));
        return;
    }
    int sig = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    bool stopped = p->asked && (sig == SIGTERM || sig == SIGKILL);
    done(p, stopped ? -ECANCELED : -ECHILD,
         stopped ? urd__process_words(status) : words_of(p, status));
}

/* ---- the reaper ---- */

/* Under lock.  Without a pidfd (this process has no descriptor free) the pid will do: it is not
 * given to another before the zygote reaps, of which we hear within moments. */
static void signal_process(const struct process *p, int sig)
{
    if (p->pidfd >= 0)
        urd__os_pidfd_signal(p->pidfd, sig);
    else if (p->pid > 0)
        urd__os_kill(p->pid, sig);
}

/* Ask it to end, and have it killed when its grace is over. */
static void ask(struct process *p)
{
    urd__lock(&proc.lock);
    bool first = !p->asked;
    if (first) {
        int64_t now = urd__os_now();
        bool for_ever = p->grace_duration > INT64_MAX - 1 - now;
        p->asked = true;
        p->kill_at = for_ever ? INT64_MAX - 1 : now + p->grace_duration;
        signal_process(p, SIGTERM); /* if it is not forked yet, started() does it */
    }
    urd__unlock(&proc.lock);
    if (first)
        urd__os_event_set(proc.event);
}

/* The walk of a cancel calls this under the locks of scopes. */
static void cancelled(urd__member *member, urd_scope *scope)
{
    (void)scope;
    ask(urd__container(member, struct process, member));
}

static void started(struct process *p, pid_t pid, int pidfd)
{
    urd__lock(&proc.lock);
    p->pid = pid;
    p->pidfd = pidfd;
    if (p->asked)
        signal_process(p, SIGTERM);
    urd__unlock(&proc.lock);
    urd_job *handle = p->job->handle;
    if (handle) {
        urd__store_rel(&handle->pidfd, pidfd);
        urd__store_rel(&handle->pid, pid); /* [pid] pairs with wait_for_pid() */
        urd__os_futex_wake(&handle->pid, INT_MAX);
    }
}

static void take_off(struct process *p)
{
    urd__lock(&proc.lock);
    urd__list_remove(&p->link);
    urd__unlock(&proc.lock);
}

static void hear_reply(const urd__reply *reply, int passed)
{
    struct process *p = (struct process *)(uintptr_t)reply->id;
    if (reply->what == URD__STARTED) {
        started(p, reply->value, passed);
        return;
    }
    urd__os_close(passed);
    take_off(p);
    if (reply->what == URD__ENDED)
        ended(p, reply->value);
    else
        done(p, reply->value, "could not be forked");
}

/* False: the zygote is gone. */
static bool hear_replies(void)
{
    for (;;) {
        urd__reply reply;
        int passed;
        int rc = urd__os_receive(proc.connection, &reply, sizeof reply, &passed);
        if (rc == 0)
            return false;
        if (rc != sizeof reply)
            return true;
        hear_reply(&reply, passed);
    }
}

/* Kill those whose grace is over; when is the next? */
static int64_t kill_overdue(void)
{
    int64_t now = urd__os_now(), next = INT64_MAX;
    urd__lock(&proc.lock);
    for (urd__link *l = urd__list_first(&proc.all); l && l != &proc.all; l = l->next) {
        struct process *p = urd__container(l, struct process, link);
        if (p->kill_at <= now && p->pid != 0) {
            signal_process(p, SIGKILL);
            p->kill_at = INT64_MAX;
        } else if (p->kill_at > now && p->kill_at < next) {
            next = p->kill_at;
        }
    }
    urd__unlock(&proc.lock);
    return next;
}

/* With the zygote, which has not told its end; but what had returned before has. */
static void ended_too(struct process *p)
{
    int returned = urd__load_acq(&p->record->returned); /* [returned] pairs with leave() */
    if (returned)
        ended(p, returned == RETURNED ? 0 : EXIT_REFUSED << 8);
    else
        done(p, -ECHILD, "the process helper died");
}

static void fail_all(void)
{
    urd__lock(&proc.lock);
    proc.dead = true;
    urd__unlock(&proc.lock);
    if (urd__zygote_wait_end(urd__os_now() + ORPHANS_NS))
        urd__peers_end_others(); /* before anybody is told */
    for (;;) {
        urd__lock(&proc.lock);
        urd__link *l = urd__list_pop(&proc.all);
        urd__unlock(&proc.lock);
        if (!l)
            return;
        ended_too(urd__container(l, struct process, link));
    }
}

static bool is_stopping(void)
{
    urd__lock(&proc.lock);
    bool stopping = proc.stopping;
    urd__unlock(&proc.lock);
    return stopping;
}

static bool is_awaiting(void)
{
    urd__lock(&proc.lock);
    bool awaiting = !urd__list_empty(&proc.all);
    urd__unlock(&proc.lock);
    return awaiting;
}

/*
 * To wake a sleeping core costs 30 to 70 us, and a short process ends in 200: while one is awaited
 * this looks for a bounded moment before it sleeps.  False: the zygote is gone.
 */
static bool linger(void)
{
    enum { PAUSES = 20 };
    int64_t until = proc.cores > 1 ? urd__os_now() + LINGER_NS : 0;
    while (is_awaiting() && urd__os_now() < until) {
        if (!hear_replies())
            return false;
        for (int i = 0; i < PAUSES; i++)
            urd__spin_hint();
    }
    return true;
}

static void *reap(void *unused)
{
    (void)unused;
    urd__os_thread_name("urd-reaper");
    while (!is_stopping()) {
        urd__os_ready ready[] = {{.fd = proc.connection}, {.fd = proc.event}};
        if (urd__os_wait_ready(ready, 2, kill_overdue()) < 0) {
            urd__os_yield(); /* the kernel is short of memory; there is nothing else to wait for */
            continue;
        }
        if (ready[1].readable)
            urd__os_event_clear(proc.event);
        if (!hear_replies() || !linger()) {
            fail_all();
            break;
        }
    }
    return NULL;
}

/* Under `starting`. */
static void watch_memory(void)
{
    char group[URD__OOM_PATH_BYTES];
    urd__oom_find_group("", group, sizeof group);
    proc.kills = urd__oom_open(group);
    proc.kills_everywhere = proc.kills < 0 ? urd__oom_kills_everywhere("") : -1;
}

/* Under `starting`. */
static int start_reaper(void)
{
    int rc = urd__zygote_connect();
    if (rc < 0)
        return rc;
    proc.connection = rc;
    proc.event = urd__os_event_open();
    proc.cores = urd__os_cpus_allowed();
    watch_memory();
    if (proc.event >= 0) {
        rc = urd__os_thread_start(&proc.reaper, 0, reap, NULL);
        if (rc == 0) {
            urd__store_rel(&proc.ready, 1); /* [reaper] pairs with need_reaper() */
            return 0;
        }
        urd__os_close(proc.event);
    }
    urd__os_close(proc.kills);
    urd__os_close(proc.connection);
    return -EAGAIN;
}

static int need_reaper(void)
{
    if (urd__load_acq(&proc.ready)) /* [reaper] pairs with start_reaper() */
        return 0;
    pthread_mutex_lock(&proc.starting);
    int rc = urd__load_acq(&proc.ready) ? 0 : start_reaper();
    pthread_mutex_unlock(&proc.starting);
    return rc;
}

/* ---- the start of a job ---- */

static struct record *make_record(const urd__job *job, size_t size,
                                  const urd_process_options *options)
{
    if (size > SIZE_MAX - sizeof(struct record) - ARG_ALIGN)
        return NULL;
    struct record *record = urd_shared_alloc(sizeof *record + ARG_ALIGN + size);
    if (!record)
        return NULL;
    if (options && !(record->setup = urd__setup_copy(options))) {
        urd_shared_free(record);
        return NULL;
    }
    record->fn = urd__image_name(job->fn);
    record->common = proc.common;
    record->arg = job->arg;
    if (size > 0) {
        uintptr_t at = (uintptr_t)(record + 1) + ARG_ALIGN - 1;
        record->arg = (char *)record + (at - at % ARG_ALIGN - (uintptr_t)record);
        memcpy(record->arg, job->arg, size);
    }
    if (job->handle)
        snprintf(record->name, sizeof record->name, "%s", job->handle->name);
    snprintf(record->where, sizeof record->where, "%s", job->where ? job->where : "");
    return record;
}

/* Also reached by a cancel from here on.  -errno: it is on no list, and not attached. */
static int request_start(struct process *p)
{
    p->member.cancel = cancelled;
    if (urd__scope_attach(p->scope, &p->member))
        ask(p); /* a job that was started runs, and learns of it inside */
    urd__request request = {
        .what = URD__START,
        .id = (uint64_t)(uintptr_t)p,
        .record = p->record,
    };
    urd__lock(&proc.lock);
    int rc = proc.dead ? -EPIPE : 0;
    if (rc == 0)
        urd__list_push_tail(&proc.all, &p->link);
    urd__unlock(&proc.lock);
    if (rc < 0) {
        urd__scope_detach(p->scope, &p->member);
        return rc;
    }
    rc = urd__os_send(proc.connection, &request, sizeof request, -1, false);
    if (rc >= 0)
        return 0;
    /* The reaper may have seen the zygote's end first, and then has ended the job already. */
    urd__lock(&proc.lock);
    if (proc.dead)
        rc = 0;
    else
        urd__list_remove(&p->link);
    urd__unlock(&proc.lock);
    if (rc < 0)
        urd__scope_detach(p->scope, &p->member);
    return rc;
}

static int start(urd__job *job, const urd__go_args *args)
{
    struct process *p = urd__os_alloc(sizeof *p);
    struct record *record = p ? make_record(job, args->size, args->process) : NULL;
    if (!record) {
        urd__os_free(p);
        return -ENOMEM;
    }
    *p = (struct process){
        .job = job,
        .scope = job->handle ? &job->handle->scope : job->scope,
        .record = record,
        .size = args->size,
        .grace_duration = args->grace_duration ? args->grace_duration : proc.config.grace_duration,
        .before = {.group = kills_in_group(record), .everywhere = proc.kills_everywhere},
        .pidfd = -1,
        .kill_at = INT64_MAX,
    };
    int rc = request_start(p);
    if (rc < 0) {
        free_record(record);
        urd__os_free(p);
    }
    return rc;
}

int urd__process_start(urd__job *job, const urd__go_args *args)
{
    if (!proc.open)
        return -ENOTSUP;
    int rc = urd__process_knows(job->fn);
    if (rc == 0)
        rc = urd__setup_check(args->process);
    if (rc < 0)
        return rc;
    rc = need_reaper();
    if (rc == 0)
        rc = start(job, args);
    if (rc == 0)
        return 0;
    bool dead = rc == -ECHILD || rc == -EPIPE;
    urd__say("no process can be started: %s",
             dead            ? "the process helper died"
             : rc == -ENOMEM ? "out of memory, or the shared heap is full (URD_SHARED_BYTES)"
                             : strerrordesc_np(-rc));
    return rc == -ENOMEM ? rc : -EAGAIN;
}

static void stop_reaper(void)
{
    if (!urd__load_acq(&proc.ready)) /* [reaper] pairs with start_reaper() */
        return;
    urd__lock(&proc.lock);
    urd__assert(urd__list_empty(&proc.all));
    proc.stopping = true;
    urd__unlock(&proc.lock);
    urd__os_event_set(proc.event);
    urd__os_thread_join(&proc.reaper);
    urd__os_close(proc.event);
    urd__os_close(proc.kills);
    urd__os_close(proc.connection);
    proc.stopping = false;
    proc.dead = false;
    urd__store_rlx(&proc.ready, 0); /* rlx: no other thread is left */
}

/* ---- in the process job ---- */

const urd__process_ops urd__process_operations = {
    .start = urd__process_start,
    .stop = stop_reaper,
    .all = &proc.all,
    .link_offset = offsetof(struct process, link),
    .job_offset = offsetof(struct process, job),
    .pid_offset = offsetof(struct process, pid),
};

static void on_terminate(int sig)
{
    (void)sig;
    urd__runtime_interrupt(-ECANCELED);
}

static int nothing(void *unused)
{
    (void)unused;
    return 0;
}

/* A runtime that stands ready in the zygote, its symbols bound and its stacks mapped, and is
 * inherited by every process job: some 80 us off each. */
static void rehearse(void)
{
    const urd__first_job first = {.fn = nothing, .process_ends = true};
    bool begun;
    urd__runtime_forget();
    urd__runtime_run(&proc.config, &urd__process_operations, &first, &begun);
    urd__os_flush();
}

__attribute__((noreturn)) static void leave(struct record *record, int how, int result)
{
    record->result = result;
    urd__store_rel(&record->returned, how); /* [returned] pairs with ended() */
    urd__peers_leave();
    urd__os_exit(how == RETURNED ? 0 : EXIT_REFUSED);
}

static struct record *own_record; /* of this process; set before its sandbox */

static void on_refused(int call)
{
    own_record->call = call;
}

/* True: it is in a sandbox, and starts no processes, since they would be in none. */
static bool set_up(struct record *record)
{
    if (!record->setup)
        return false;
    bool sandboxed = record->setup->sandbox != 0;
    own_record = record;
    if (sandboxed)
        urd__zygote_leave();
    int rc = urd__setup_apply(record->setup, &record->step, on_refused);
    if (rc)
        leave(record, REFUSED, rc);
    return sandboxed;
}

/* All signals are blocked, but for what is in the mask. */
__attribute__((noreturn)) static void run_record(struct record *record, const sigset_t *old_mask)
{
    bool alone = set_up(record);
    /* The job may install a handler of its own, which then wins. */
    struct sigaction terminate = {.sa_handler = on_terminate, .sa_flags = SA_RESTART};
    urd__os_signal_action(SIGTERM, &terminate, NULL);
    sigset_t mask = *old_mask;
    sigdelset(&mask, SIGTERM);
    urd__os_signals_restore(&mask);
    if (record->name[0])
        urd__os_process_name(record->name, NULL, 0);
    urd__runtime_forget();
    bool begun;
    urd__signals_start_job(&proc.config);
    urd__monitor_start(&proc.config);
    int result = urd__runtime_run(&proc.config, alone ? NULL : &urd__process_operations,
                                  &(urd__first_job){.fn = urd__image_find(record->fn),
                                                    .arg = record->arg,
                                                    .name = record->name[0] ? record->name : NULL,
                                                    .where = record->where,
                                                    .process_ends = true},
                                  &begun);
    urd__monitor_stop();
    stop_reaper();
    urd__os_flush(); /* before it counts as returned: what it printed is part of it */
    record->step = URD__SETUP_RUNTIME;
    leave(record, begun || !record->setup ? RETURNED : REFUSED, result);
}

__attribute__((noreturn)) static void become_image(struct record *record, const sigset_t *mask)
{
    size_t bytes;
    char *heap = urd__shared_place(&bytes);
    record->number = urd__place_own.self;
    record->mask = *mask;
    urd__os_process_name("urd-spawn", record->comm, sizeof record->comm);
    int rc = urd__setup_env(record->setup, &record->step);
    if (rc == 0) {
        record->step = URD__SETUP_START;
        rc = urd__spawn_exec(&(urd__told){.file = urd__shared_file(),
                                          .door = urd__zygote_door(),
                                          .lifeline = urd__zygote_lifeline(),
                                          .heap = heap,
                                          .bytes = bytes,
                                          .record_at = (size_t)((char *)record - heap)});
    }
    leave(record, REFUSED, rc);
}

static void run_job(void *memory, const sigset_t *old_mask)
{
    struct record *record = memory;
    if (record->setup && record->setup->start == URD_START_SPAWN)
        become_image(record, old_mask);
    urd__shared_close_file();
    run_record(record, old_mask);
}

/* ---- in a fresh image ---- */

/* The heap cannot be where all pointers into it lead: say so by another mapping. */
__attribute__((noreturn)) static void refuse_place(const urd__told *told, int rc)
{
    void *at = NULL;
    if (urd__os_shared_file_map(told->file, &at, told->bytes, false) == 0) {
        struct record *record = (struct record *)(void *)((char *)at + told->record_at);
        record->step = URD__SETUP_START;
        record->result = rc;
        urd__store_rel(&record->returned, REFUSED); /* [returned] pairs with ended() */
    }
    urd__os_exit(EXIT_REFUSED);
}

static void join_program(struct record *record, const urd__told *told)
{
    proc.common = record->common;
    proc.config = record->common->config;
    proc.config.name = record->common->name;
    proc.open = true;
    urd__peers_join(urd__shared_peers(), told->heap, told->bytes);
    urd__peers_begin(record->number);
    urd__zygote_join(told->door);
    urd__os_process_name(record->comm, NULL, 0);
    int rc = urd__image_join(record->common->image);
    record->step = URD__SETUP_START;
    if (rc == 0 && !urd__image_find(record->fn)) {
        urd__say("a spawned process does not have its function; load the library before urd_run");
        record->step = URD__SETUP_FUNCTION;
        rc = -ENOENT;
    }
    if (rc)
        leave(record, REFUSED, rc);
}

void urd__process_resume(void)
{
    urd__told told;
    if (!urd__spawn_told(&told))
        return;
    int rc = urd__shared_join(told.file, told.heap, told.bytes);
    if (rc)
        refuse_place(&told, rc);
    urd__os_close(told.file);
    struct record *record = (struct record *)(void *)((char *)told.heap + told.record_at);
    sigset_t mask;
    urd__os_signals_block(&mask);
    urd__runtime_claim();
    join_program(record, &told);
    run_record(record, &record->mask);
}

void urd_process_main(void)
{
    urd__process_resume();
}

/* ---- in urd_run ---- */

static struct common *share(const urd_config *config)
{
    size_t size = strlen(config->name) + 1;
    struct common *common = urd_shared_alloc(sizeof *common + size);
    if (!common)
        return NULL;
    common->config = proc.config;
    common->image = urd__image_take();
    memcpy(common->name, config->name, size);
    return common->image ? common : NULL;
}

int urd__process_open(const urd_config *config)
{
    size_t heap_bytes;
    void *heap = urd__shared_place(&heap_bytes);
    proc.config = *config;
    proc.config.workers = 1;
    proc.common = share(config);
    if (!proc.common)
        return -ENOMEM; /* the heap is taken down by the caller, with all that is in it */
    urd__peers_open(urd__shared_peers(), heap, heap_bytes);
    proc.open = true;
    int rc = urd__zygote_start(&(urd__zygote_work){.child = run_job, .rehearse = rehearse});
    urd__shared_close_file(); /* the zygote has it */
    if (rc < 0)
        urd__process_close();
    return rc;
}

void urd__process_close(void)
{
    if (!proc.open)
        return;
    stop_reaper();
    urd__zygote_stop();
    urd__peers_close();
    urd__image_forget();
    proc.open = false;
}
