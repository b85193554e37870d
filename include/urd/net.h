/*
 * net.h - addresses, names, and sockets that listen or are connected.
 *
 * SPDX-License-Identifier: MIT
 *
 * What is made here is a plain file descriptor, close-on-exec and in non-blocking mode, for the
 * calls of io.h, and to be closed with urd_close.  Errors are a negative errno: those of socket(2),
 * bind(2), connect(2), and -EMFILE, -ENFILE.  Ports are numbers from 0 to 65535, else -EINVAL.
 */
#ifndef URD_NET_H
#define URD_NET_H

#include "urd/base.h"

URD_BEGIN_DECLS

/* Where a socket is: an address of IPv4 or IPv6 and a port, or a Unix path.  `bytes` is a struct
 * sockaddr of `size` bytes. */
typedef struct urd_address {
    unsigned size;
    uint64_t bytes[16];
} urd_address;

enum { URD_ADDRESS_TEXT_MAX = 128 };

/* From digits, such as 127.0.0.1 and ::1: no name is looked up.  0; -EINVAL: it is no address. */
int urd_address_parse(urd_address *address, const char *digits, int port) URD_MUST_USE;

/* As 127.0.0.1:80, [::1]:80, /path, or @name outside the file system.  Its length; -ENOSPC, which
 * cannot be with URD_ADDRESS_TEXT_MAX bytes; -EAFNOSUPPORT: another kind of address. */
int urd_address_text(const urd_address *address, char *text, size_t size);
int urd_address_port(const urd_address *address); /* 0: it has none */

/* Of a socket: its own, and that of the other end.  0; -ENOTSOCK, -ENOTCONN, ... */
int urd_address_local(int fd, urd_address *out) URD_MUST_USE;
int urd_address_peer(int fd, urd_address *out) URD_MUST_USE;

/*
 * The addresses of a host, those to try first in front: from /etc/hosts and the name servers, with
 * search domains.  At most n are stored.  How many; -ENOENT: it has none; -EAGAIN: no name server
 * has answered; -EIO: one that cannot; -EINVAL: too long for a name.
 *
 * Digits are taken as they are, at once.  With c-ares, and a system that looks up hosts in files
 * and by DNS alone (nsswitch.conf), no thread waits for the answer.  Else a helper thread
 * (URD_LANE_NAMES) does, which a cancelled call waits for: what the name servers take.
 */
int urd_resolve(const char *host, int port, urd_address *list, int n) URD_MUST_USE;

/* The name of the host at an address, in the same way, into `size` bytes.  Its length; -ENOENT: it
 * has none; -ENOSPC: it is longer; -EAFNOSUPPORT: a Unix path; -EAGAIN, -EIO: as above. */
int urd_resolve_name(const urd_address *address, char *name, size_t size) URD_MUST_USE;

/* ---- TCP, without delay of small writes (TCP_NODELAY) ---- */

/*
 * Connect to a host.  Its addresses are tried in turn, IPv6 and IPv4 alternating: the next one when
 * one has failed, or has not answered for 250 ms (RFC 8305, "happy eyeballs").  The first to answer
 * is taken, and the other attempts are given up.  The descriptor; -errno of the last that failed,
 * or of urd_resolve.  -ECANCELED: there is no connection.  Waits.
 */
int urd_tcp_dial(const char *host, int port) URD_MUST_USE;
/* The same with addresses at hand.  n: 1 to 16, else -EINVAL. */
int urd_tcp_dial_any(const urd_address *list, int n) URD_MUST_USE;

typedef struct urd_listen_options {
    int backlog; /* connections that may wait to be accepted; 0: 4096, or what the system allows */
    bool reuse_port; /* several sockets may listen at one port, and share the connections */
} urd_listen_options;

/*
 * Listen at an address of this machine; NULL: at all of them, of IPv6 and IPv4.  Port 0: any that
 * is free, which urd_address_local tells.  options: NULL for the defaults.  For several addresses,
 * resolve and call urd_tcp_listen_at once for each.
 */
int urd_tcp_listen(const char *host, int port, const urd_listen_options *options) URD_MUST_USE;
int urd_tcp_listen_at(const urd_address *at, const urd_listen_options *options) URD_MUST_USE;

/* ---- Unix sockets: path, or @name for one outside the file system ---- */

int urd_unix_dial(const char *path) URD_MUST_USE;
/* A socket in the file system that nobody listens at any more is replaced; any other file is
 * -EADDRINUSE, for all but one of several who find it so.  Closing does not remove it.  Waits while
 * another one is doing this in the same folder. */
int urd_unix_listen(const char *path, const urd_listen_options *options) URD_MUST_USE;

/*
 * Send a descriptor over a Unix socket, beside a byte: the process at the other end gets one of its
 * own for the same open file.  Ours stays open.  0; -errno of sendmsg(2).
 */
int urd_unix_send_fd(int socket, int fd) URD_MUST_USE;
/* Wait for one: it, close-on-exec, to be closed by urd_close; -ENODATA: the end; -EBADMSG: a byte
 * came without exactly one descriptor, or there is no number left for it. */
int urd_unix_recv_fd(int socket) URD_MUST_USE;

/* ---- UDP: for urd_recvfrom and urd_sendto; dialled, also for urd_read and urd_write ---- */

int urd_udp_open(const char *host, int port) URD_MUST_USE; /* host, port: as in urd_tcp_listen */
int urd_udp_dial(const char *host, int port) URD_MUST_USE; /* the first address of the host */

/* ---- Within a program ---- */

int urd_pipe(int ends[2]) URD_MUST_USE; /* what is written to ends[1] is read from ends[0] */
int urd_pair(int ends[2]) URD_MUST_USE; /* two connected stream sockets */

URD_END_DECLS

#endif
