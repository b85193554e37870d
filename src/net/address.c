/*
 * address.c - addresses: from digits and names, into text, and those of sockets.
 *
 * SPDX-License-Identifier: MIT
 *
 * Names are the system's (getaddrinfo): only so are /etc/hosts, search domains, and what else an
 * administrator has set up in nsswitch.conf, all respected.  It blocks: it has a lane of its own.
 * Where nothing else is set up, resolver.c gives the same answers without a thread.
 */
#include "net/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "base/os_net.h"
#include "core/runtime.h"
#include "net/resolver.h"

enum { HOST_MAX = 255, PATH_AT = offsetof(struct sockaddr_un, sun_path) };

_Static_assert(sizeof((urd_address){0}.bytes) == sizeof(struct sockaddr_storage), "any address");

/* Copied in and out: `bytes` are numbers, which only the kernel may take for something else. */
typedef union any {
    struct sockaddr_in four;
    struct sockaddr_in6 six;
    struct sockaddr_un local;
} any;

static any read_out(const urd_address *address)
{
    any a;
    memcpy(&a, address->bytes, sizeof a);
    return a;
}

static void set(urd_address *address, const void *bytes, size_t size)
{
    address->size = (unsigned)size;
    memset(address->bytes, 0, sizeof address->bytes);
    memcpy(address->bytes, bytes, size);
}

/* ---- From and into text ---------------------------------------------------------------------- */

int urd_address_parse(urd_address *address, const char *digits, int port)
{
    struct sockaddr_in four = {.sin_family = AF_INET};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    if (!urd__port_valid(port))
        return -EINVAL;
    four.sin_port = six.sin6_port = htons((uint16_t)port);
    if (inet_pton(AF_INET, digits, &four.sin_addr) == 1)
        set(address, &four, sizeof four);
    else if (inet_pton(AF_INET6, digits, &six.sin6_addr) == 1)
        set(address, &six, sizeof six);
    else
        return -EINVAL;
    return 0;
}

int urd__address_unix(urd_address *address, const char *path)
{
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    size_t length = strlen(path);
    bool abstract = path[0] == '@';
    if (length == 0 || length >= sizeof local.sun_path)
        return -EINVAL;
    memcpy(local.sun_path, path, length);
    if (abstract)
        local.sun_path[0] = '\0';
    set(address, &local, PATH_AT + length + !abstract);
    return 0;
}

/* Any byte may be in a name outside the file system. */
static int unix_text(const urd_address *address, char *text, size_t size)
{
    struct sockaddr_un local = read_out(address).local;
    size_t length = address->size > PATH_AT ? address->size - PATH_AT : 0;
    if (length > sizeof local.sun_path) /* the kernel ends a path that fills it behind its end */
        length = sizeof local.sun_path;
    if (length > 0 && local.sun_path[0] == '\0')
        return snprintf(text, size, "@%.*s", (int)length - 1, local.sun_path + 1);
    return snprintf(text, size, "%.*s", (int)length, local.sun_path);
}

int urd_address_text(const urd_address *address, char *text, size_t size)
{
    char digits[INET6_ADDRSTRLEN] = "";
    int port = urd_address_port(address), n;
    any a = read_out(address);
    switch (a.four.sin_family) {
    case AF_INET:
        inet_ntop(AF_INET, &a.four.sin_addr, digits, sizeof digits);
        n = snprintf(text, size, "%s:%d", digits, port);
        break;
    case AF_INET6:
        inet_ntop(AF_INET6, &a.six.sin6_addr, digits, sizeof digits);
        n = snprintf(text, size, "[%s]:%d", digits, port);
        break;
    case AF_UNIX:
        n = unix_text(address, text, size);
        break;
    default:
        return -EAFNOSUPPORT;
    }
    return (size_t)n < size ? n : -ENOSPC;
}

int urd_address_port(const urd_address *address)
{
    any a = read_out(address);
    bool inet = a.four.sin_family == AF_INET || a.four.sin_family == AF_INET6;
    return inet ? ntohs(a.four.sin_port) : 0; /* at the same place in both */
}

_Static_assert(offsetof(struct sockaddr_in, sin_port) == offsetof(struct sockaddr_in6, sin6_port),
               "one port for both");

/* ---- Of sockets ------------------------------------------------------------------------------ */

static int name_of(int fd, bool peer, urd_address *out)
{
    *out = (urd_address){.size = sizeof out->bytes};
    return urd__os_socket_name(fd, peer, urd__address_of(out), &out->size);
}

int urd_address_local(int fd, urd_address *out)
{
    return name_of(fd, false, out);
}

int urd_address_peer(int fd, urd_address *out)
{
    return name_of(fd, true, out);
}

/* ---- Names ----------------------------------------------------------------------------------- */

typedef struct question {
    const char *host;
    int port, n, found;
    urd_address *list;
} question;

static bool take(void *to, const struct sockaddr *address, socklen_t size)
{
    question *q = to;
    any a = {.local = {0}};
    memcpy(&a, address, size < sizeof a ? size : sizeof a);
    a.four.sin_port = htons((uint16_t)q->port);
    set(&q->list[q->found++], &a, size);
    return q->found < q->n;
}

static int lookup(void *arg)
{
    question *q = arg;
    return urd__os_lookup(q->host, take, q);
}

/* A select waits for it, for which a compact task has no place. */
static bool by_resolver(void)
{
    return urd__load_acq(&urd__rt.state) == URD__RUNNING && /* [state] */
           !urd__task_self()->compact && urd__resolver_serves();
}

int urd_resolve(const char *host, int port, urd_address *list, int n)
{
    if (!urd__port_valid(port) || n <= 0 || strlen(host) > HOST_MAX)
        return -EINVAL;
    if (urd_address_parse(list, host, port) == 0)
        return 1;
    question q = {.host = host, .port = port, .n = n, .list = list};
    int rc = by_resolver() ? urd__resolver_lookup(host, take, &q)
                           : urd_block_on(URD_LANE_NAMES, lookup, &q);
    return rc ? rc : q.found;
}

typedef struct asked {
    const urd_address *address;
    char *name;
    size_t size;
} asked;

static int lookup_name(void *arg)
{
    const asked *a = arg;
    return urd__os_lookup_name(urd__address_in(a->address), a->address->size, a->name, a->size);
}

int urd_resolve_name(const urd_address *address, char *name, size_t size)
{
    int family = urd__address_family(address);
    if (family != AF_INET && family != AF_INET6)
        return -EAFNOSUPPORT;
    asked a = {address, name, size};
    return by_resolver() ? urd__resolver_name(urd__address_in(address), address->size, name, size)
                         : urd_block_on(URD_LANE_NAMES, lookup_name, &a);
}
