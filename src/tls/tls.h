/*
 * tls.h - a connection, its context, and the words for what went wrong.
 *
 * SPDX-License-Identifier: MIT
 *
 * This library uses urd.h alone, as any program could.
 */
#ifndef URD_TLS_TLS_H
#define URD_TLS_TLS_H

#include <openssl/ssl.h>
#include <pthread.h>

#include "urd_tls.h"

enum { URD__TLS_REASON_MAX = 512, URD__TLS_SESSIONS = 64, URD__TLS_CERTIFICATES_MAX = 256 };

typedef struct urd__tls_certificate {
    X509 *own;
    STACK_OF(X509) * between;
    EVP_PKEY *key;
} urd__tls_certificate;

typedef struct urd__tls_session {
    char *host;
    SSL_SESSION *session; /* NULL: nothing is here */
} urd__tls_session;

/* Set up by one job, then only read, but for what `lock` guards. */
struct urd_tls_context {
    SSL_CTX *ctx;
    urd_tls_side side;
    bool verify;
    urd__tls_certificate *certificates;
    int ncertificates;
    unsigned char *protocols; /* each with its length in front */
    unsigned protocols_size;
    char reason[URD__TLS_REASON_MAX];
    pthread_mutex_t lock; /* guards the rest; held for a few instructions, or a line of the log */
    bool trusts;          /* somebody: who the user has named, or the system's */
    BIO *key_log;
    urd__tls_session sessions[URD__TLS_SESSIONS]; /* a client's; the next one takes the oldest */
    unsigned next_session;
};

/* Bytes on their way. */
typedef struct urd__tls_bytes {
    unsigned char *at;
    size_t start, end, room;
} urd__tls_bytes;

/* See tls.c for who may do what. */
struct urd_tls {
    urd_tls_context *context; /* set once */
    int fd;                   /* set once */
    urd_mutex reading;        /* whose turn it is: held while waiting for input */
    urd_mutex writing;        /* the same, for output */
    bool dry;                 /* under reading: OpenSSL has nothing more to give */
    unsigned reads;           /* under reading: since the last wait for input */
    int broken;               /* under writing: -errno of the descriptor; nothing more is sent */
    urd__tls_bytes sending;   /* under writing */
    unsigned writes;          /* under writing */
    pthread_mutex_t lock;     /* guards the rest */
    SSL *ssl;
    urd__tls_bytes head; /* what its reader has just read, on its stack */
    urd__tls_bytes in;   /* read before that, and not yet asked for */
    urd__tls_bytes out;  /* from OpenSSL */
    bool may_read;       /* who calls OpenSSL holds `reading` */
    bool may_send;       /* who calls OpenSSL holds `writing`, and `sending` is empty */
    bool emptied;        /* during this call the descriptor had less than was asked for */
    int input;           /* why there is no more of it: -EAGAIN, -ECONNABORTED at the end, -errno */
    bool unsent;         /* there is something in `sending` */
    bool connected;      /* the handshake is done */
    bool shut;           /* the other end was told that no more will come */
    int failed;          /* 0, or -errno for good */
    char *reason;        /* set once; NULL: none */
    char *protocol;      /* set once, as it connects; NULL: none */
    char *host;          /* set once; NULL: none was given */
    urd_scope closing;   /* of urd_tls_close */
};

/* Under lock, after OpenSSL has failed: note why, from its queue of errors.  The -errno. */
int urd__tls_fail(urd_tls *t);
/* Note words, unless there are some already. */
void urd__tls_say(urd_tls *t, const char *text);
/* What the queue of errors says; the words into text. */
int urd__tls_error(char *text, size_t size);
/* What OpenSSL calls for each certificate. */
int urd__tls_verify(int ok, X509_STORE_CTX *store);

/* Whom the system trusts, if nobody else.  0, -ENOMEM. */
int urd__tls_trust_system(urd_tls_context *c);

/* Of a client: an earlier session with this host, to be freed, or NULL; and one to be kept. */
SSL_SESSION *urd__tls_session_take(urd_tls_context *c, const char *host);
bool urd__tls_session_put(urd_tls_context *c, const char *host, SSL_SESSION *session);

#endif
