/*
 * peer_net.h - how the servers in C begin to listen, and say where.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef PEER_NET_H
#define PEER_NET_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "peer.h"

enum { PEER_BACKLOG = 1024 };

/* A socket that listens, of SOCK_STREAM and these flags; prints the line `port N`. */
static inline int peer_listen(int flags)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
    peer_must(listener, "socket");
    peer_must(bind(listener, (struct sockaddr *)&at, sizeof at), "bind");
    peer_must(listen(listener, PEER_BACKLOG), "listen");
    peer_must(getsockname(listener, (struct sockaddr *)&at, &size), "getsockname");
    printf("port %d\n", ntohs(at.sin_port));
    fflush(stdout);
    return listener;
}

#endif
