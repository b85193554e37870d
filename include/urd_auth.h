/*
 * urd_auth.h - both ends of a connection show that they have the same key.
 *
 * SPDX-License-Identifier: MIT
 *
 * In the library of urd_tls.h: `pkg-config --libs urdume-tls`, in CMake urdume::tls.
 *
 * For unrelated programs of one machine, or of a network that is trusted: nothing is encrypted, and
 * who can change what goes over the wire can also after this.  Elsewhere use TLS.  The protocol is
 * that of Python's multiprocessing.connection: Listener(authkey=) and Client(authkey=) may be at
 * the other end, of any version.
 */
#ifndef URD_AUTH_H
#define URD_AUTH_H

#include "urd.h"

URD_BEGIN_DECLS

/*
 * Who accepted a connection calls the first, who dialled it the second, before anything else is
 * sent.  Each end sends random bytes and gets their HMAC (RFC 2104) under the key, by SHA-256, or
 * by MD5 from a Python before 3.12.  The buffers of r and w have at least 256 bytes; the key has
 * key_size, at least 1.  They wait for the other end: open a scope with a deadline around a
 * stranger's connection.
 *
 * 0; -EACCES: the other end has another key, or says that we have; -EPROTO: it does not do this;
 * -ENODATA: it ended the connection; -EINVAL: no key; -ENOMEM; -errno of the stream.  After an
 * error, close the connection.
 */
int urd_auth_accept(urd_reader *r, urd_writer *w, const void *key, size_t key_size) URD_MUST_USE;
int urd_auth_dial(urd_reader *r, urd_writer *w, const void *key, size_t key_size) URD_MUST_USE;

URD_END_DECLS

#endif
