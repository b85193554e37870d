/*
 * resolver.h - names by c-ares, which waits on our pollers, not on a thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_NET_RESOLVER_H
#define URD_NET_RESOLVER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/os_net.h"

/* Would it answer as the system does?  Not if the system is set up to ask others than /etc/hosts
 * and name servers, or c-ares is not here. */
bool urd__resolver_serves(void);

/* As urd__os_lookup and urd__os_lookup_name, and -ECANCELED, at once.  Inside urd_run. */
int urd__resolver_lookup(const char *host, urd__os_found *each, void *to);
int urd__resolver_name(const struct sockaddr *address, socklen_t size, char *name,
                       size_t name_size);

/* For tests: name servers to ask in place of the system's, "127.0.0.1:53", NULL: the system's; and
 * the file that tells of a change. */
extern const char *urd__resolver_servers;
extern const char *urd__resolver_file;

#endif
