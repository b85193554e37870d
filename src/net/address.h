/*
 * address.h - an address as the kernel knows it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_NET_ADDRESS_H
#define URD_NET_ADDRESS_H

#include <string.h>
#include <sys/socket.h>

#include "urd.h"

/* Its bytes, which are aligned for any kind. */
static inline struct sockaddr *urd__address_of(urd_address *address)
{
    return (struct sockaddr *)address->bytes;
}

static inline const struct sockaddr *urd__address_in(const urd_address *address)
{
    return (const struct sockaddr *)address->bytes;
}

static inline int urd__address_family(const urd_address *address)
{
    sa_family_t family;
    memcpy(&family, address->bytes, sizeof family);
    return family;
}

static inline bool urd__port_valid(int port)
{
    return port >= 0 && port <= 65535;
}

/* A Unix path, or a name after an @.  0; -EINVAL: empty, or too long. */
int urd__address_unix(urd_address *address, const char *path);

#endif
