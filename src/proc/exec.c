/*
 * exec.c - start other programs, talk to them, wait for them.
 *
 * SPDX-License-Identifier: MIT
 *
 * A program's end is seen at its pidfd, a descriptor like any other.  Where there is none it is
 * asked for now and then.  Its number is free for another only when it is reaped, which
 * urd_exec_wait and urd_exec_close alone do.
 *
 * Started on the calling worker: it is held up until the kernel has loaded the program.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/os.h"
#include "base/os_io.h"
#include "base/os_proc.h"
#include "core/runtime.h"
#include "core/wait.h"
#include "io/fd.h"

enum { STREAMS = 3, BUSY_TRIES = 7, READ_FIRST = 4096 };

static const urd_time PAUSE_MAX = 16 * URD_MS;
static const size_t OUTPUT_MAX = (size_t)64 * 1024 * 1024;

/* Descriptors that are open while a program is started. */
typedef struct start {
    int theirs[STREAMS]; /* for the program; -1: it has ours */
    bool made[STREAMS];  /* to be closed here afterwards */
    int ours[STREAMS];   /* our ends of pipes; -1 */
    int directory;
} start;

/* ---- The start ------------------------------------------------------------------------------- */

static int say(urd_program *p, int rc, const char *what)
{
    const char *words = strerrordesc_np(-rc);
    snprintf(p->detail, sizeof p->detail, "%s: %s%s%s", p->name, what ? what : "", what ? ": " : "",
             words ? words : "error");
    return rc;
}

static int open_pipe(start *s, int i)
{
    int ends[2];
    int rc = urd__os_pipe(ends);
    if (rc)
        return rc;
    s->theirs[i] = ends[i == 0 ? 0 : 1];
    s->ours[i] = ends[i == 0 ? 1 : 0];
    s->made[i] = true;
    return 0;
}

static int open_stream(start *s, int i, int asked)
{
    if (asked == URD_EXEC_PIPE)
        return open_pipe(s, i);
    if (asked == URD_EXEC_NULL) {
        s->theirs[i] = urd__os_open_null();
        s->made[i] = s->theirs[i] >= 0;
        return s->made[i] ? 0 : s->theirs[i];
    }
    if (asked == URD_EXEC_OUT && i == STREAMS - 1)
        s->theirs[i] = s->theirs[1] >= 0 ? s->theirs[1] : 1;
    else if (asked < 0)
        return -EINVAL;
    else if (asked > 0)
        s->theirs[i] = asked;
    /* Programs expect to wait.  The mode is that of our copy, too, but no call here minds it.  What
     * others made is as they want it. */
    return asked > 0 && urd__fd_is_ours(asked) ? urd__os_set_blocking(asked) : 0;
}

/* One that another takes the place of before it has its own must move out of the way. */
static int move_up(start *s, int i)
{
    int fd = s->theirs[i];
    if (fd < 0 || fd >= STREAMS || fd == i)
        return 0;
    int copy = urd__os_duplicate(fd);
    if (copy < 0)
        return copy;
    if (s->made[i])
        urd__os_close(fd);
    s->theirs[i] = copy;
    s->made[i] = true;
    for (int j = i + 1; j < STREAMS; j++) /* standard error may be a second use of the output's */
        if (s->theirs[j] == fd && !s->made[j])
            s->theirs[j] = copy;
    return 0;
}

static void close_start(const start *s, bool ours)
{
    for (int i = 0; i < STREAMS; i++) {
        if (s->made[i])
            urd__os_close(s->theirs[i]);
        if (ours)
            urd__os_close(s->ours[i]);
    }
    urd__os_close(s->directory);
}

static int open_streams(start *s, const urd_exec_options *o)
{
    const int asked[STREAMS] = {o->in, o->out, o->err};
    int rc = 0;
    for (int i = 0; i < STREAMS && rc == 0; i++)
        rc = open_stream(s, i, asked[i]);
    for (int i = 0; i < STREAMS && rc == 0; i++)
        rc = move_up(s, i);
    return rc;
}

/* Somebody may be writing it still: our own sibling, say, that has a copy of a descriptor. */
static int spawn(const urd__os_program *program, pid_t *pid)
{
    int rc = urd__os_spawn(program, pid);
    for (int i = 0; rc == -ETXTBSY && i < BUSY_TRIES; i++) {
        int slept = urd_sleep(URD_MS << i);
        rc = slept ? slept : urd__os_spawn(program, pid);
    }
    return rc;
}

static void keep(urd_program *p, const start *s)
{
    int *const ends[STREAMS] = {&p->in, &p->out, &p->err};
    for (int i = 0; i < STREAMS; i++) {
        *ends[i] = s->ours[i];
        if (s->ours[i] >= 0)
            urd__fd_made(s->ours[i], 0);
    }
    p->pidfd = urd__os_pidfd_open(p->pid);
    if (p->pidfd < 0)
        p->pidfd = -1;
}

static void name_program(urd_program *p, const char *path)
{
    const char *slash = strrchr(path, '/');
    snprintf(p->name, sizeof p->name, "%s", slash && slash[1] ? slash + 1 : path);
}

int urd_exec_open(urd_program *p, const char *const *argv, const urd_exec_options *o)
{
    static const urd_exec_options plain;
    urd__runtime_need("urd_exec_open");
    o = o ? o : &plain;
    *p = (urd_program){.pidfd = -1, .in = -1, .out = -1, .err = -1, .code = -1, .ended = true};
    p->grace_duration = o->grace_duration ? o->grace_duration : urd__rt.grace_duration;
    p->output_max = o->output_max ? o->output_max : OUTPUT_MAX;
    int rc = urd__wait_enter(urd__task_self());
    if (rc)
        return rc;
    if (!argv || !argv[0] || !argv[0][0])
        return say(p, -EINVAL, "no program is named");
    name_program(p, argv[0]);
    start s = {.theirs = {-1, -1, -1}, .ours = {-1, -1, -1}, .directory = -1};
    if (o->directory) {
        s.directory = urd__os_open_directory(o->directory);
        if (s.directory < 0)
            return say(p, s.directory, o->directory);
    }
    rc = open_streams(&s, o);
    urd__os_program program = {.argv = argv, .env = o->env, .directory = s.directory};
    memcpy(program.streams, s.theirs, sizeof program.streams);
    if (rc == 0)
        rc = spawn(&program, &p->pid);
    close_start(&s, rc != 0);
    if (rc)
        return say(p, rc, NULL);
    p->ended = false;
    keep(p, &s);
    return 0;
}

/* ---- The end --------------------------------------------------------------------------------- */

static void note_end(urd_program *p, int status)
{
    p->ended = true;
    p->code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    p->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    const char *name = p->signal ? sigabbrev_np(p->signal) : NULL;
    if (name)
        snprintf(p->detail, sizeof p->detail, "%s: killed by SIG%s", p->name, name);
    else if (p->signal)
        snprintf(p->detail, sizeof p->detail, "%s: killed by signal %d", p->name, p->signal);
    else
        snprintf(p->detail, sizeof p->detail, "%s: exited with code %d", p->name, p->code);
}

static bool has_ended(urd_program *p)
{
    int status;
    if (p->ended)
        return true;
    pid_t reaped = urd__os_reap(p->pid, &status);
    if (reaped > 0) {
        note_end(p, status);
    } else if (reaped < 0) {
        p->ended = true;
        snprintf(p->detail, sizeof p->detail, "%s: ended, and as SIGCHLD is ignored not known how",
                 p->name);
    }
    return p->ended;
}

/* 0, -ECANCELED. */
static int await(urd_program *p)
{
    urd_time pause = URD_MS;
    int rc = urd__wait_enter(urd__task_self());
    while (rc == 0 && !has_ended(p)) {
        int ready = p->pidfd >= 0 ? urd_wait_fd(p->pidfd, POLLIN) : -ENOSYS;
        rc = ready == -ECANCELED ? ready : 0;
        /* No pidfd, nothing to wait for it with, or a debugger that has not let it go yet. */
        if (rc == 0 && (ready < 0 || !has_ended(p))) {
            rc = urd_sleep(pause);
            pause = pause * 2 < PAUSE_MAX ? pause * 2 : PAUSE_MAX;
        }
    }
    return rc;
}

static int outcome(const urd_program *p)
{
    return p->code == 0 ? 0 : -ECHILD;
}

int urd_exec_wait(urd_program *p)
{
    int rc = await(p);
    return rc ? rc : outcome(p);
}

int urd_exec_kill(urd_program *p, int sig)
{
    if (p->ended)
        return -ESRCH;
    int rc = p->pidfd >= 0 ? urd__os_pidfd_signal(p->pidfd, sig) : -ENOSYS;
    return rc == 0 || rc == -ESRCH || rc == -EINVAL ? rc : urd__os_kill(p->pid, sig);
}

/* No cancel reaches it; false when the time has come first. */
static bool await_until(urd_program *p, urd_time when)
{
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_shield(&s);
    urd_scope_deadline(&s, when);
    int rc = await(p);
    return (urd_scope_join(&s) == 0 && rc == 0) || p->ended;
}

static void close_end(int *fd)
{
    if (*fd >= 0)
        urd_close(*fd);
    *fd = -1;
}

int urd_exec_close(urd_program *p)
{
    bool runs = !has_ended(p);
    if (runs)
        urd_exec_kill(p, SIGTERM); /* before a pipe without a reader ends it in another way */
    close_end(&p->in);             /* so that none which writes still waits for a reader */
    close_end(&p->out);
    close_end(&p->err);
    if (runs) {
        urd_time now = urd_now(), grace = p->grace_duration;
        if (!await_until(p, grace > URD_FOREVER - now ? URD_FOREVER : now + grace)) {
            urd_exec_kill(p, SIGKILL);
            await_until(p, URD_FOREVER);
        }
    }
    close_end(&p->pidfd);
    return outcome(p);
}

/* ---- Talking --------------------------------------------------------------------------------- */

typedef struct feeding {
    int *fd;
    const void *data;
    size_t size;
} feeding;

static int feed(void *arg)
{
    feeding *f = arg;
    ssize_t n = f->size > 0 ? urd_write_all(*f->fd, f->data, f->size) : 0;
    close_end(f->fd);
    return n < 0 && n != -EPIPE ? (int)n : 0;
}

typedef struct gathering {
    int *fd;
    char **data;
    size_t *size;
    size_t room, max;
} gathering;

/* More room, and for a NUL. */
static int grow(gathering *g)
{
    size_t room = g->room ? g->room * 2 : READ_FIRST;
    char *more = urd__os_alloc(room);
    if (!more)
        return -ENOMEM;
    if (*g->data)
        memcpy(more, *g->data, *g->size);
    urd__os_free(*g->data);
    *g->data = more;
    g->room = room;
    return 0;
}

static int gather(void *arg)
{
    gathering *g = arg;
    ssize_t n = 1;
    while (n > 0) {
        if (*g->size + 1 >= g->room && (n = grow(g)) < 0)
            break;
        n = urd_read(*g->fd, *g->data + *g->size, g->room - *g->size - 1);
        *g->size += n > 0 ? (size_t)n : 0;
        if (*g->size > g->max)
            n = -ENOBUFS;
    }
    if (*g->data)
        (*g->data)[*g->size] = '\0';
    if (n == 0)
        close_end(g->fd);
    return (int)n;
}

int urd_exec_talk(urd_program *p, const void *input, size_t size, urd_exec_result *r)
{
    feeding in = {.fd = &p->in, .data = input, .size = size};
    gathering out = {.fd = &p->out, .data = &r->out, .size = &r->out_size, .max = p->output_max};
    gathering err = {.fd = &p->err, .data = &r->err, .size = &r->err_size, .max = p->output_max};
    r->out = r->err = NULL;
    r->out_size = r->err_size = 0;
    urd_scope s;
    urd_scope_open(&s);
    if (p->in >= 0)
        urd_go(&s, feed, &in);
    if (p->err >= 0)
        urd_go(&s, gather, &err);
    if (p->out >= 0)
        urd_go(&s, gather, &out);
    int rc = urd_scope_join(&s);
    if (rc == -ENOBUFS)
        snprintf(p->detail, sizeof p->detail, "%s: wrote more than %zu bytes", p->name,
                 p->output_max);
    else if (rc)
        say(p, rc, NULL);
    return rc;
}

void urd_exec_free(urd_exec_result *r)
{
    urd__os_free(r->out);
    urd__os_free(r->err);
    r->out = r->err = NULL;
    r->out_size = r->err_size = 0;
}

int urd_exec(const char *const *argv, const urd_exec_options *o, urd_exec_result *r)
{
    urd_exec_result unasked;
    urd_exec_options options = o ? *o : (urd_exec_options){0};
    urd_program p;
    if (options.input)
        options.in = URD_EXEC_PIPE;
    r = r ? r : &unasked;
    *r = (urd_exec_result){.code = -1};
    int rc = urd_exec_open(&p, argv, &options);
    bool started = rc == 0;
    if (started)
        rc = urd_exec_talk(&p, options.input, options.input_size, r);
    if (rc == 0)
        rc = urd_exec_wait(&p);
    memcpy(r->detail, p.detail, sizeof r->detail);
    if (started)
        urd_exec_close(&p);
    if (rc == -ECANCELED && started)
        memcpy(r->detail, p.detail, sizeof r->detail);
    r->code = p.code;
    r->signal = p.signal;
    if (r == &unasked)
        urd_exec_free(r);
    return rc;
}
