/*
 * tls_context.c - what connections share: trust, certificates, protocols, sessions, the key log.
 *
 * SPDX-License-Identifier: MIT
 *
 * A client keeps the last sessions, of whatever hosts.  Those of TLS 1.3 are used once, so that two
 * connections cannot be seen to be of one client.  A server keeps none: what it has to remember it
 * gives to the client, sealed (tickets).  OpenSSL's own store of a client is not used, since it
 * looks up nothing by host.
 */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tls/tls.h"

/* ---- Errors ---------------------------------------------------------------------------------- */

static int say(urd_tls_context *c, const char *what, const char *why, int rc)
{
    snprintf(c->reason, sizeof c->reason, "%.300s: %.200s", what, why); /* cut to fit */
    ERR_clear_error();
    return rc;
}

/* What is in a file is wrong, if it is not the file. */
static int fail(urd_tls_context *c, const char *file)
{
    char words[URD__TLS_REASON_MAX / 2];
    int rc = urd__tls_error(words, sizeof words);
    return say(c, file, words, rc == -EPROTO ? -EKEYREJECTED : rc);
}

/* ---- Sessions -------------------------------------------------------------------------------- */

SSL_SESSION *urd__tls_session_take(urd_tls_context *c, const char *host)
{
    SSL_SESSION *found = NULL;
    pthread_mutex_lock(&c->lock);
    for (unsigned i = 1; i <= URD__TLS_SESSIONS && !found; i++) {
        urd__tls_session *s = &c->sessions[(c->next_session - i) % URD__TLS_SESSIONS];
        if (!s->session || strcmp(s->host, host) != 0)
            continue;
        found = s->session;
        if (SSL_SESSION_get_protocol_version(found) < TLS1_3_VERSION) {
            SSL_SESSION_up_ref(found);
        } else {
            free(s->host);
            *s = (urd__tls_session){.session = NULL};
        }
    }
    pthread_mutex_unlock(&c->lock);
    return found;
}

bool urd__tls_session_put(urd_tls_context *c, const char *host, SSL_SESSION *session)
{
    urd__tls_session new = {strdup(host), session};
    if (!new.host)
        return false;
    pthread_mutex_lock(&c->lock);
    urd__tls_session *place = &c->sessions[c->next_session++ % URD__TLS_SESSIONS], old = *place;
    *place = new;
    pthread_mutex_unlock(&c->lock);
    free(old.host);
    SSL_SESSION_free(old.session);
    return true;
}

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    const urd_tls *t = SSL_get_app_data(ssl);
    return t->host && urd__tls_session_put(t->context, t->host, session);
}

/* ---- The key log ----------------------------------------------------------------------------- */

static void log_key(const SSL *ssl, const char *line)
{
    const urd_tls *t = SSL_get_app_data(ssl);
    pthread_mutex_lock(&t->context->lock);
    BIO_printf(t->context->key_log, "%s\n", line);
    (void)BIO_flush(t->context->key_log);
    pthread_mutex_unlock(&t->context->lock);
}

int urd_tls_context_key_log(urd_tls_context *c, const char *file)
{
    BIO *log = BIO_new_file(file, "ae");
    if (!log)
        return fail(c, file);
    BIO_free(c->key_log);
    c->key_log = log;
    SSL_CTX_set_keylog_callback(c->ctx, log_key);
    return 0;
}

/* ---- Certificates ---------------------------------------------------------------------------- */

/* Nobody is asked for the password of a key. */
static int no_password(char *buf, int size, int writing, void *unused)
{
    (void)buf, (void)size, (void)writing, (void)unused;
    return -1;
}

/* All that are in a file; NULL, with an error in OpenSSL's queue. */
static STACK_OF(X509) * read_chain(const char *file)
{
    BIO *bio = BIO_new_file(file, "re");
    STACK_OF(X509) *chain = bio ? sk_X509_new_null() : NULL;
    for (X509 *one; chain && (one = PEM_read_bio_X509(bio, NULL, no_password, NULL));)
        if (sk_X509_push(chain, one) <= 0)
            X509_free(one);
    BIO_free(bio);
    bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    if (chain && sk_X509_num(chain) > 0 && at_end) {
        ERR_clear_error();
        return chain;
    }
    sk_X509_pop_free(chain, X509_free);
    return NULL;
}

static EVP_PKEY *read_key(const char *file)
{
    BIO *bio = BIO_new_file(file, "re");
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL;
    BIO_free(bio);
    return key;
}

static void free_certificate(urd__tls_certificate *certificate)
{
    X509_free(certificate->own);
    sk_X509_pop_free(certificate->between, X509_free);
    EVP_PKEY_free(certificate->key);
}

int urd_tls_context_certificate(urd_tls_context *c, const char *chain, const char *key)
{
    ERR_clear_error();
    if (c->ncertificates == URD__TLS_CERTIFICATES_MAX)
        return say(c, chain, "too many certificates", -EKEYREJECTED);
    urd__tls_certificate *more =
        realloc(c->certificates, sizeof *more * (size_t)(c->ncertificates + 1));
    if (!more)
        return say(c, chain, "no memory", -ENOMEM);
    c->certificates = more;
    urd__tls_certificate new = {.between = read_chain(chain)};
    if (!new.between)
        return fail(c, chain);
    new.own = sk_X509_shift(new.between);
    new.key = read_key(key);
    bool fits = new.key &&X509_check_private_key(new.own, new.key) == 1;
    bool first = c->ncertificates == 0;
    if (!fits ||
        (first && SSL_CTX_use_cert_and_key(c->ctx, new.own, new.key, new.between, 1) != 1)) {
        free_certificate(&new);
        return fail(c, fits ? chain : key);
    }
    more[c->ncertificates++] = new;
    return 0;
}

/* The first is in use where no other is made out to the host. */
static int choose_certificate(SSL *ssl, void *context)
{
    const urd_tls_context *c = context;
    const char *host = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    for (int i = 0; host && i < c->ncertificates; i++) {
        const urd__tls_certificate *one = &c->certificates[i];
        if (X509_check_host(one->own, host, 0, 0, NULL) != 1)
            continue;
        if (i == 0)
            return 1;
        SSL_certs_clear(ssl); /* one with another kind of key could be taken all the same */
        return SSL_use_cert_and_key(ssl, one->own, one->key, one->between, 1);
    }
    return 1;
}

int urd_tls_context_trust(urd_tls_context *c, const char *file)
{
    ERR_clear_error();
    if (!c->trusts) { /* the first, in place of the system's */
        X509_STORE *store = X509_STORE_new();
        if (!store)
            return say(c, file, "no memory", -ENOMEM);
        SSL_CTX_set_cert_store(c->ctx, store);
        c->trusts = true;
    }
    return SSL_CTX_load_verify_file(c->ctx, file) == 1 ? 0 : fail(c, file);
}

/* Not before it is needed: reading what a system trusts can take 0.1 s. */
int urd__tls_trust_system(urd_tls_context *c)
{
    pthread_mutex_lock(&c->lock);
    bool needed = c->verify && !c->trusts;
    int rc = needed && SSL_CTX_set_default_verify_paths(c->ctx) != 1 ? -ENOMEM : 0;
    c->trusts = c->trusts || (needed && rc == 0);
    pthread_mutex_unlock(&c->lock);
    return rc;
}

void urd_tls_context_verify(urd_tls_context *c, bool verify)
{
    c->verify = verify;
    int mode = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    SSL_CTX_set_verify(c->ctx, verify ? mode : SSL_VERIFY_NONE, urd__tls_verify);
}

/* ---- Protocols ------------------------------------------------------------------------------- */

static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_size,
                           const unsigned char *theirs, unsigned size, void *context)
{
    (void)ssl;
    const urd_tls_context *c = context;
    unsigned char *chosen;
    if (SSL_select_next_proto(&chosen, out_size, c->protocols, c->protocols_size, theirs, size) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

/* "h2,http/1.1" with lengths in place of commas; false: a name is empty or too long. */
static bool to_wire(const char *names, unsigned char *wire)
{
    for (;;) {
        size_t n = strcspn(names, ",");
        if (n == 0 || n > UINT8_MAX)
            return false;
        *wire = (unsigned char)n;
        memcpy(wire + 1, names, n);
        if (!names[n])
            return true;
        wire += n + 1;
        names += n + 1;
    }
}

int urd_tls_context_protocols(urd_tls_context *c, const char *names)
{
    size_t size = strlen(names) + 1;
    unsigned char *wire = size > UINT16_MAX ? NULL : malloc(size);
    if (!wire)
        return say(c, "protocols", "no memory", -ENOMEM);
    if (!to_wire(names, wire)) {
        free(wire);
        return say(c, names, "a name of a protocol is empty or too long", -EINVAL);
    }
    free(c->protocols);
    c->protocols = wire;
    c->protocols_size = (unsigned)size;
    if (c->side == URD_TLS_SERVER)
        SSL_CTX_set_alpn_select_cb(c->ctx, choose_protocol, c);
    else if (SSL_CTX_set_alpn_protos(c->ctx, wire, c->protocols_size) != 0)
        return say(c, "protocols", "no memory", -ENOMEM);
    return 0;
}

/* ---- Open and closed ------------------------------------------------------------------------- */

static int set_up(urd_tls_context *c)
{
    static const unsigned char name[] = "urdume";
    bool client = c->side == URD_TLS_CLIENT;
    c->ctx = SSL_CTX_new(client ? TLS_client_method() : TLS_server_method());
    if (!c->ctx || SSL_CTX_set_min_proto_version(c->ctx, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_session_id_context(c->ctx, name, sizeof name - 1) != 1)
        return -ENOMEM;
    SSL_CTX_set_options(c->ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_read_ahead(c->ctx, 1); /* a record by one system call */
    SSL_CTX_set_mode(c->ctx, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(
        c->ctx, client ? SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL : SSL_SESS_CACHE_OFF);
    if (client)
        SSL_CTX_sess_set_new_cb(c->ctx, keep_session);
    else
        SSL_CTX_set_cert_cb(c->ctx, choose_certificate, c);
    urd_tls_context_verify(c, client);
    const char *key_log = secure_getenv("SSLKEYLOGFILE");
    return key_log && *key_log ? urd_tls_context_key_log(c, key_log) : 0;
}

int urd_tls_context_open(urd_tls_context **out, urd_tls_side side)
{
    urd_tls_context *c = calloc(1, sizeof *c);
    if (!c)
        return -ENOMEM;
    c->side = side;
    pthread_mutex_init(&c->lock, NULL);
    int rc = set_up(c);
    if (rc) {
        urd_tls_context_close(c);
        return rc;
    }
    *out = c;
    return 0;
}

void urd_tls_context_close(urd_tls_context *c)
{
    if (!c)
        return;
    for (int i = 0; i < URD__TLS_SESSIONS; i++) {
        free(c->sessions[i].host);
        SSL_SESSION_free(c->sessions[i].session);
    }
    for (int i = 0; i < c->ncertificates; i++)
        free_certificate(&c->certificates[i]);
    free(c->certificates);
    free(c->protocols);
    SSL_CTX_free(c->ctx);
    BIO_free(c->key_log);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

const char *urd_tls_context_reason(const urd_tls_context *c)
{
    return c->reason;
}

struct ssl_ctx_st *urd_tls_context_native(urd_tls_context *c)
{
    return c->ctx;
}
