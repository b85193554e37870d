/*
 * resolver.c - names by c-ares, which waits on our pollers, not on a thread.
 *
 * SPDX-License-Identifier: MIT
 *
 * c-ares knows name servers, search domains and /etc/hosts, and says for which descriptors it waits
 * and how long; the waiting is a select.  Each question has a channel of its own, so nothing is
 * shared, and a cancel drops the question with its channel and sockets.  One that was answered is
 * kept for another question, since making one reads the system's files; it has no sockets then.  It
 * is for questions under the same setup: the files as they were, and what the environment says.  So
 * a changed resolv.conf counts from the next question.  c-ares is loaded by the first one.
 *
 * Rejected: a channel that questions share (c-ares 1.18 cannot take back one of them, and somebody
 * would have to wait on behalf of the others); sockets that stay open (the port, which is drawn for
 * each question, keeps others from forging answers).
 *
 * Like the resolver of Go it is asked only where nsswitch.conf says that the system would do no
 * more than that: read /etc/hosts and ask name servers.
 */
#include "net/resolver.h"

#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "base/atomic.h"
#include "base/lock.h"
#include "base/os.h"
#include "base/os_file.h"
#include "base/os_proc.h"
#include "urd.h"

const char *urd__resolver_servers;
const char *urd__resolver_file = "/etc/resolv.conf";

#if __has_include(<ares.h>)
#include <ares.h>

#define CARES_CALLS(X)                                                                             \
    X(ares_init)                                                                                   \
    X(ares_destroy)                                                                                \
    X(ares_freeaddrinfo)                                                                           \
    X(ares_getaddrinfo)                                                                            \
    X(ares_getnameinfo)                                                                            \
    X(ares_getsock)                                                                                \
    X(ares_process_fd)                                                                             \
    X(ares_set_servers_ports_csv)                                                                  \
    X(ares_timeout)

static struct {
    int lock;
    int serves; /* atomic: it does; 0: not known yet; below 0: it does not */
#define MEMBER(name) __typeof__(name) *name;
    CARES_CALLS(MEMBER) /* set before serves */
#undef MEMBER
} cares;

/* One question; in the callbacks too, which are called before its channel is gone. */
typedef struct question {
    bool answered;
    int rc;
    urd__os_found *each;
    void *to;
    char *name;
    size_t size;
} question;

/* ---- Is it asked? ---------------------------------------------------------------------------- */

static bool load(void)
{
    void *lib = dlopen("libcares.so.2", RTLD_NOW | RTLD_LOCAL);
    if (!lib)
        return false;
#define LOAD(name)                                                                                 \
    void *name##_found = dlsym(lib, #name);                                                        \
    memcpy(&cares.name, &name##_found, sizeof cares.name);                                         \
    if (!cares.name)                                                                               \
        return false;
    CARES_CALLS(LOAD)
#undef LOAD
    return true;
}

/* The line "hosts:" has files and dns alone; what is in brackets says what follows a failure. */
static bool is_plain(char *line)
{
    char *rest = NULL;
    bool bracket = false;
    for (char *word = strtok_r(line, " \t", &rest); word; word = strtok_r(NULL, " \t", &rest)) {
        bool known = strcmp(word, "files") == 0 || strcmp(word, "dns") == 0;
        bracket |= word[0] == '[';
        if (!bracket && !known)
            return false;
        bracket &= word[strlen(word) - 1] != ']';
    }
    return true;
}

static bool system_is_plain(void)
{
    enum { TEXT_BYTES = 8192 };
    char text[TEXT_BYTES], *rest = NULL;
    if (urd__os_read_file("/etc/nsswitch.conf", text, sizeof text) < 0)
        return true;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        line += strspn(line, " \t");
        if (strncmp(line, "hosts:", strlen("hosts:")) == 0) {
            line[strcspn(line, "#")] = '\0';
            return is_plain(line + strlen("hosts:"));
        }
    }
    return true;
}

bool urd__resolver_serves(void)
{
    int serves = urd__load_acq(&cares.serves); /* [cares] */
    if (serves)
        return serves > 0;
    urd__lock(&cares.lock);
    serves = urd__load_acq(&cares.serves); /* [cares] */
    if (!serves) {
        serves = system_is_plain() && load() ? 1 : -1;
        urd__store_rel(&cares.serves, serves); /* [cares] */
    }
    urd__unlock(&cares.lock);
    return serves > 0;
}

/* ---- Answers --------------------------------------------------------------------------------- */

static int error_of(int status)
{
    switch (status) {
    case ARES_SUCCESS:
        return 0;
    case ARES_ENODATA:
    case ARES_ENOTFOUND:
    case ARES_EBADNAME:
        return -ENOENT;
    case ARES_ESERVFAIL:
    case ARES_ECONNREFUSED:
    case ARES_ETIMEOUT:
    case ARES_EREFUSED:
        return -EAGAIN;
    case ARES_ENOMEM:
        return -ENOMEM;
    default:
        return -EIO;
    }
}

static void take_addresses(void *arg, int status, int timeouts, struct ares_addrinfo *found)
{
    (void)timeouts;
    question *q = arg;
    q->answered = true;
    q->rc = error_of(status);
    for (const struct ares_addrinfo_node *one = found ? found->nodes : NULL; one && q->rc == 0;
         one = one->ai_next)
        if (!q->each(q->to, one->ai_addr, one->ai_addrlen))
            break;
    if (found)
        cares.ares_freeaddrinfo(found);
}

static void take_name(void *arg, int status, int timeouts, char *name, char *service)
{
    (void)timeouts, (void)service;
    question *q = arg;
    q->answered = true;
    q->rc = error_of(status);
    size_t length = q->rc == 0 && name ? strlen(name) : 0;
    if (q->rc == 0)
        q->rc = length < q->size ? (int)length : -ENOSPC;
    if (q->rc >= 0) {
        memcpy(q->name, name ? name : "", length);
        q->name[length] = '\0';
    }
}

/* ---- Waiting --------------------------------------------------------------------------------- */

/* Arms for all that the channel waits for; how many. */
static int arms_of(ares_channel channel, urd_op *ops)
{
    ares_socket_t sockets[ARES_GETSOCK_MAXNUM];
    struct timeval space, *left = cares.ares_timeout(channel, NULL, &space);
    /* ARES_GETSOCK_WRITABLE shifts a 1 into the sign of an int. */
    unsigned bits = (unsigned)cares.ares_getsock(channel, sockets, ARES_GETSOCK_MAXNUM);
    int n = 0;
    for (int i = 0; i < ARES_GETSOCK_MAXNUM; i++) {
        short events = 0;
        if (bits >> i & 1)
            events |= POLLIN;
        if (bits >> (i + ARES_GETSOCK_MAXNUM) & 1)
            events |= POLLOUT;
        if (events)
            ops[n++] = urd_op_fd(sockets[i], events);
    }
    if (left || n == 0)
        ops[n++] = urd_op_until(urd_now() + (left ? left->tv_sec * URD_SECOND : 0) +
                                (left ? left->tv_usec * URD_US : 0));
    return n;
}

static int wait_for_answer(ares_channel channel, const question *q)
{
    urd_op ops[ARES_GETSOCK_MAXNUM + 1];
    while (!q->answered) {
        int arm = urd_select(ops, arms_of(channel, ops));
        if (arm < 0)
            return arm;
        ares_socket_t in = ARES_SOCKET_BAD, out = ARES_SOCKET_BAD;
        if (ops[arm].kind == URD_OP_FD && ops[arm].events & POLLIN)
            in = ops[arm].fd;
        if (ops[arm].kind == URD_OP_FD && ops[arm].events & POLLOUT)
            out = ops[arm].fd;
        cares.ares_process_fd(channel, in, out);
    }
    return q->rc;
}

/* ---- Channels -------------------------------------------------------------------------------- */

enum { KEPT_MAX = 32, WORDS = 2 };
static const urd_time KEPT_NS = 30 * URD_SECOND;

typedef struct channel {
    ares_channel ares;
    uint64_t setup; /* under which it was made */
    urd_time since; /* of its last use */
} channel;

static struct {
    int lock;
    int n;
    channel channels[KEPT_MAX]; /* the last one was used last */
} kept;

static uint64_t mixed(uint64_t hash, const void *bytes, size_t size)
{
    for (const unsigned char *at = bytes; size > 0; size--)
        hash = (hash ^ *at++) * UINT64_C(0x100000001b3);
    return hash;
}

/* A number for all that c-ares reads as a channel is made.  In a child of fork() it is another: two
 * that draw the same numbers for their questions would be easier to deceive. */
static uint64_t setup_now(void)
{
    static const char *const words[WORDS] = {"LOCALDOMAIN", "RES_OPTIONS"};
    const char *const files[] = {urd__resolver_file, "/etc/nsswitch.conf", "/etc/host.conf"};
    pid_t pid = urd__os_pid();
    uint64_t setup = mixed(UINT64_C(0xcbf29ce484222325), &pid, sizeof pid);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct stat s;
        if (urd__os_stat(files[i], true, &s))
            continue;
        setup = mixed(setup, &s.st_ino, sizeof s.st_ino);
        setup = mixed(setup, &s.st_size, sizeof s.st_size);
        setup = mixed(setup, &s.st_mtim, sizeof s.st_mtim);
    }
    for (int i = 0; i < WORDS; i++) {
        const char *word = getenv(words[i]);
        setup = mixed(setup, word ? word : "\n", word ? strlen(word) + 1 : 1);
    }
    return setup;
}

/* Under lock: those at the front that are too old, or of another setup, into `out`; how many. */
static int take_old(uint64_t setup, urd_time now, channel *out)
{
    int n = 0, left = 0;
    for (int i = 0; i < kept.n; i++) {
        bool old = kept.channels[i].setup != setup || kept.channels[i].since < now - KEPT_NS;
        if (old)
            out[n++] = kept.channels[i];
        else
            kept.channels[left++] = kept.channels[i];
    }
    kept.n = left;
    return n;
}

static int make_channel(ares_channel *made)
{
    int status = cares.ares_init(made);
    if (status != ARES_SUCCESS)
        return error_of(status);
    if (urd__resolver_servers)
        status = cares.ares_set_servers_ports_csv(*made, urd__resolver_servers);
    if (status != ARES_SUCCESS)
        cares.ares_destroy(*made);
    return error_of(status);
}

/* One that was kept, or a new one. */
static int open_channel(channel *c)
{
    channel old[KEPT_MAX];
    *c = (channel){.setup = setup_now()};
    urd__lock(&kept.lock);
    int n = take_old(c->setup, urd_now(), old);
    bool found = kept.n > 0;
    if (found)
        *c = kept.channels[--kept.n];
    urd__unlock(&kept.lock);
    while (n > 0)
        cares.ares_destroy(old[--n].ares);
    return found ? 0 : make_channel(&c->ares);
}

/* One that has questions left is of no use to others. */
static void close_channel(channel *c, bool answered)
{
    c->since = urd_now();
    urd__lock(&kept.lock);
    bool keep = answered && kept.n < KEPT_MAX;
    if (keep)
        kept.channels[kept.n++] = *c;
    urd__unlock(&kept.lock);
    if (!keep)
        cares.ares_destroy(c->ares);
}

/* ---- Asking ---------------------------------------------------------------------------------- */

int urd__resolver_lookup(const char *host, urd__os_found *each, void *to)
{
    static const struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC,
                                                     .ai_socktype = SOCK_STREAM};
    question q = {.each = each, .to = to};
    channel c;
    int rc = urd_cancelled() ? -ECANCELED : open_channel(&c);
    if (rc)
        return rc;
    cares.ares_getaddrinfo(c.ares, host, NULL, &hints, take_addresses, &q);
    rc = wait_for_answer(c.ares, &q);
    close_channel(&c, q.answered);
    return rc;
}

int urd__resolver_name(const struct sockaddr *address, socklen_t size, char *name, size_t name_size)
{
    question q = {.name = name, .size = name_size};
    channel c;
    int rc = urd_cancelled() ? -ECANCELED : open_channel(&c);
    if (rc)
        return rc;
    cares.ares_getnameinfo(c.ares, address, size, ARES_NI_LOOKUPHOST | ARES_NI_NAMEREQD, take_name,
                           &q);
    rc = wait_for_answer(c.ares, &q);
    close_channel(&c, q.answered);
    return rc;
}

#else

bool urd__resolver_serves(void)
{
    return false;
}

int urd__resolver_lookup(const char *host, urd__os_found *each, void *to)
{
    (void)host, (void)each, (void)to;
    return -ENOSYS;
}

int urd__resolver_name(const struct sockaddr *address, socklen_t size, char *name, size_t name_size)
{
    (void)address, (void)size, (void)name, (void)name_size;
    return -ENOSYS;
}

#endif
