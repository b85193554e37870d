/*
 * tls.c - one connection: OpenSSL turns bytes into bytes, and the calls of io.h move them.
 *
 * SPDX-License-Identifier: MIT
 *
 * Inside of a call of OpenSSL nobody waits: its BIO moves what can be moved at once, by urd_tryread
 * and urd_trywrite, and leaves the rest to us.  So no task is switched there, OpenSSL's queue of
 * errors belongs to the thread, and a lock that is held for such a call is never held for longer.
 *
 * Who may do what:
 *   - An SSL is not for two threads at once: `lock` is held for each call on it, some microseconds,
 *     and for the signatures of a handshake.  It is a pthread_mutex: a task never waits for another
 *     of its worker, since none is switched meanwhile.
 *   - `reading` is the turn of those who read.  Only its holder takes bytes from the descriptor: by
 *     urd_read, which waits, the first ones into `head`, on its own stack; then the BIO the rest of
 *     the record, straight to where OpenSSL wants it.  What OpenSSL does not take of them is `in`.
 *   - `writing` is the turn of those who write.  Its holder's records the BIO sends at once.  What
 *     the descriptor does not take, and what others make OpenSSL write, is in `out`, under lock.
 *     The holder takes it out as `sending`, which it alone touches, and writes that to the
 *     descriptor; meanwhile nothing is sent but that.  A record is sent whole, or the connection
 *     is worth nothing: what a cancel leaves in `sending` goes first the next time.
 *   - The handshake holds both.
 *
 * Who reads may make output too: answers of the protocol, such as new keys.  Nobody must wait for
 * that, and it must not be left lying.
 *
 *     reader:  R1 put it into `out`, under lock     writer:  W1 nothing left in `out`
 *              R2 take `writing`, send it                    W2 give back `writing`
 *                 it is taken: leave it                      W3 anything in `out`? take `writing`,
 *                                                               if it is free, and send it
 *
 * If R2 finds it taken, R1 was before W2, and so W3 sees it, or who has `writing` by then does at
 * W1.  A reader sends only while there is nothing to read: if both ends had to write before they
 * read, neither would.
 *
 * Rejected: a BIO that calls urd_read (switches tasks inside OpenSSL); SSL_set_fd and urd_wait_fd
 * (two system calls a record to read it, and one to wait); BIO_s_mem, or all input and output in
 * memory of ours (a copy of each record, in memory that is cold; docs/design.md 34).
 */
#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "tls/tls.h"

enum {
    RECORD = 16384,    /* of plain text at a time */
    FIRST_ROOM = 1024, /* which malloc keeps at hand */
    HEAD = 1024,       /* bytes of input that are read with the wait for them */
    TURNS = 64,        /* records without a wait, before others have theirs */
    RETRY_NS = 1000000,
    NOT_YET = -4096 /* no errno: there was no handshake */
};

/* ---- Bytes ----------------------------------------------------------------------------------- */

static bool is_empty(const urd__tls_bytes *b)
{
    return b->start == b->end;
}

static void let_go(urd__tls_bytes *b)
{
    free(b->at);
    *b = (urd__tls_bytes){.at = NULL};
}

/* Room for `size` more at the end. */
static bool reserve(urd__tls_bytes *b, size_t size)
{
    if (is_empty(b))
        b->start = b->end = 0;
    if (b->room - b->end >= size)
        return true;
    size_t room = b->room ? b->room : FIRST_ROOM;
    while (room - b->end < size)
        room *= 2;
    unsigned char *at = realloc(b->at, room);
    if (!at)
        return false;
    b->at = at;
    b->room = room;
    return true;
}

static bool append(urd__tls_bytes *b, const void *bytes, size_t size)
{
    if (!reserve(b, size))
        return false;
    memcpy(b->at + b->end, bytes, size);
    b->end += size;
    return true;
}

static size_t take(urd__tls_bytes *b, void *bytes, size_t size)
{
    size_t n = b->end - b->start < size ? b->end - b->start : size;
    memcpy(bytes, b->at + b->start, n);
    b->start += n;
    return n;
}

/* ---- What OpenSSL reads and writes, under lock ----------------------------------------------- */

/* An error is kept for send_some(), which returns it. */
static size_t send_now(urd_tls *t, const char *bytes, size_t size)
{
    if (!t->may_send || !is_empty(&t->out))
        return 0;
    ssize_t n = urd_trywrite(t->fd, bytes, size);
    if (n < 0 && n != -EAGAIN)
        t->broken = (int)n;
    return n > 0 ? (size_t)n : 0;
}

static int bio_write(BIO *bio, const char *bytes, size_t size, size_t *written)
{
    urd_tls *t = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    size_t sent = send_now(t, bytes, size);
    *written = sent == size || append(&t->out, bytes + sent, size - sent) ? size : 0;
    if (*written == 0)
        ERR_raise(ERR_LIB_BIO, ERR_R_MALLOC_FAILURE);
    return *written > 0;
}

/* From the descriptor, unless it is known to be empty. */
static size_t read_now(urd_tls *t, char *bytes, size_t size)
{
    if (!t->may_read || t->emptied)
        return 0;
    ssize_t n = urd_tryread(t->fd, bytes, size);
    t->input = n > 0 ? -EAGAIN : n == 0 ? -ECONNABORTED : (int)n;
    t->emptied = n < (ssize_t)size;
    return n > 0 ? (size_t)n : 0;
}

static int bio_read(BIO *bio, char *bytes, size_t size, size_t *read)
{
    urd_tls *t = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    *read = !is_empty(&t->in)     ? take(&t->in, bytes, size)
            : !is_empty(&t->head) ? take(&t->head, bytes, size)
                                  : read_now(t, bytes, size);
    if (*read == 0)
        BIO_set_retry_read(bio);
    return *read > 0;
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *method;

static void make_method(void)
{
    method = BIO_meth_new(BIO_TYPE_SOURCE_SINK | BIO_get_new_index(), "urd_tls");
    if (method) {
        BIO_meth_set_write_ex(method, bio_write);
        BIO_meth_set_read_ex(method, bio_read);
        BIO_meth_set_ctrl(method, bio_control);
    }
}

static BIO *make_bio(urd_tls *t)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_method);
    BIO *bio = method ? BIO_new(method) : NULL;
    if (bio) {
        BIO_set_data(bio, t);
        BIO_set_init(bio, 1);
    }
    return bio;
}

static void say_cut(urd_tls *t)
{
    urd__tls_say(t, t->connected ? "the connection ended, and the other end had not said so"
                                 : "the connection ended during the handshake");
}

/* Of a call that did not succeed: -EAGAIN, it needs input; 0: the other end has ended; or why. */
static int judge(urd_tls *t, int rc)
{
    switch (SSL_get_error(t->ssl, rc)) {
    case SSL_ERROR_WANT_READ:
        if (t->input == -ECONNABORTED)
            say_cut(t);
        return t->input;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    default:
        return urd__tls_fail(t);
    }
}

/* 0, or why there is nothing to ask OpenSSL.  And what its BIO may do during this call. */
static int begin_call(urd_tls *t, bool may_read, bool may_send)
{
    if (ERR_peek_error()) /* to clear costs more than to look, and there is hardly ever any */
        ERR_clear_error();
    t->may_read = may_read;
    t->may_send = may_send;
    t->emptied = false;
    t->input = -EAGAIN;
    return t->failed ? t->failed : t->connected ? 0 : NOT_YET;
}

/* Keep what was left of `head`.  Is there nothing more to be had without input? */
static bool end_call(urd_tls *t)
{
    const urd__tls_bytes *head = &t->head;
    if (!is_empty(head) && !append(&t->in, head->at + head->start, head->end - head->start)) {
        urd__tls_say(t, "no memory");
        t->failed = -ENOMEM;
    }
    t->head = (urd__tls_bytes){.at = NULL};
    t->may_read = t->may_send = false; /* also by who has the SSL itself */
    if (is_empty(&t->in))
        let_go(&t->in);
    return is_empty(&t->in) && !SSL_has_pending(t->ssl);
}

/* Is it time for others? */
static bool turn_is_over(unsigned *records)
{
    *records = (*records + 1) % TURNS;
    return *records == 0;
}

/* ---- Output, with `writing` ------------------------------------------------------------------ */

/* Is there something in `sending`?  Now there is, if there was something in `out`. */
static bool next_to_send(urd_tls *t)
{
    pthread_mutex_lock(&t->lock);
    if (is_empty(&t->sending)) {
        urd__tls_bytes empty = t->sending;
        t->sending = t->out;
        t->out = empty;
    }
    t->unsent = !is_empty(&t->sending);
    if (!t->unsent) {
        let_go(&t->sending);
        let_go(&t->out);
    }
    bool some = t->unsent;
    pthread_mutex_unlock(&t->lock);
    return some;
}

/* As far as one write goes; with flags, by one send. */
static int send_some(urd_tls *t, int flags)
{
    urd__tls_bytes *b = &t->sending;
    const unsigned char *at = b->at + b->start;
    ssize_t n = t->broken ? t->broken
                : flags   ? urd_send(t->fd, at, b->end - b->start, flags)
                          : urd_write(t->fd, at, b->end - b->start);
    if (n < 0 && n != -ECANCELED && n != -EAGAIN)
        t->broken = (int)n;
    b->start += n > 0 ? (size_t)n : 0;
    return n < 0 ? (int)n : 0;
}

static int send_all(urd_tls *t)
{
    int rc = 0;
    while (rc == 0 && next_to_send(t))
        rc = send_some(t, 0);
    return rc;
}

static bool any_output(urd_tls *t)
{
    pthread_mutex_lock(&t->lock);
    bool any = t->unsent || !is_empty(&t->out);
    pthread_mutex_unlock(&t->lock);
    return any;
}

/* Give back `writing`.  Where something was left by a cancel or an error, it stays. */
static void end_writing(urd_tls *t)
{
    for (;;) {
        bool left = !is_empty(&t->sending);
        urd_mutex_unlock(&t->writing);                                /* W2 */
        if (left || !any_output(t) || urd_mutex_trylock(&t->writing)) /* W3 */
            return;
        (void)send_all(t);
    }
}

/* ---- Input, with `reading` ------------------------------------------------------------------- */

/* Send what nobody else does, until there is something to read.  0, -ECANCELED. */
static int send_while_quiet(urd_tls *t)
{
    int rc = 0;
    bool readable = false;
    while (rc >= 0 && !readable && any_output(t) && urd_mutex_trylock(&t->writing) == 0) { /* R2 */
        rc = urd_wait_fd(t->fd, POLLIN | POLLOUT);
        readable = rc >= 0 && rc & (POLLIN | POLLERR | POLLHUP);
        if (rc >= 0 && !readable && next_to_send(t))
            rc = send_some(t, 0);
        urd_mutex_unlock(&t->writing); /* without W3: who else would have put something there? */
    }
    return rc == -ECANCELED ? rc : 0; /* what else is wrong, the read will tell */
}

/* Wait for input, and read the first of it, at most HEAD bytes.  0; -ECONNABORTED: the end; -errno.
 */
static int fill(urd_tls *t, urd__tls_bytes *head)
{
    int rc = any_output(t) ? send_while_quiet(t) : 0;
    if (rc)
        return rc;
    ssize_t n = urd_read(t->fd, head->at, HEAD);
    t->dry = n <= 0;
    head->end = n > 0 ? (size_t)n : 0;
    if (n == 0) {
        pthread_mutex_lock(&t->lock);
        say_cut(t);
        pthread_mutex_unlock(&t->lock);
    }
    return n > 0 ? 0 : n == 0 ? -ECONNABORTED : (int)n;
}

/* ---- The handshake --------------------------------------------------------------------------- */

static void note_protocol(urd_tls *t)
{
    const unsigned char *name;
    unsigned size;
    SSL_get0_alpn_selected(t->ssl, &name, &size);
    t->protocol = size > 0 ? strndup((const char *)name, size) : NULL;
}

/* One step: 0, it is done; -EAGAIN; or why not. */
static int shake(urd_tls *t, const urd__tls_bytes *head)
{
    pthread_mutex_lock(&t->lock);
    int rc = begin_call(t, true, is_empty(&t->sending));
    bool shaking = rc == NOT_YET;
    t->head = *head;
    if (shaking) {
        int done = SSL_do_handshake(t->ssl);
        rc = done == 1 ? 0 : judge(t, done);
        if (done != 1 && rc == 0) {
            urd__tls_say(t, "the other end has ended the handshake");
            rc = t->failed = -ECONNABORTED;
        }
        t->connected = rc == 0;
        if (t->connected)
            note_protocol(t);
    }
    bool dry = end_call(t);
    t->dry = shaking ? dry : t->dry;
    pthread_mutex_unlock(&t->lock);
    return rc;
}

static int handshake_in_turn(urd_tls *t)
{
    unsigned char first[HEAD];
    urd__tls_bytes head = {.at = first};
    int rc = urd_mutex_lock(&t->reading);
    if (rc)
        return rc;
    rc = urd_mutex_lock(&t->writing);
    if (rc) {
        urd_mutex_unlock(&t->reading);
        return rc;
    }
    do {
        rc = shake(t, &head);
        head.end = 0;
        int sent = send_all(t);
        if (sent && (rc == 0 || (rc == -EAGAIN && sent == -ECANCELED)))
            rc = sent;
        if (rc == -EAGAIN) { /* also when it cannot send: perhaps the other end has said why */
            int filled = fill(t, &head);
            rc = filled ? filled : rc;
        }
    } while (rc == -EAGAIN);
    urd_mutex_unlock(&t->writing); /* without W3: who reads waits for `reading` */
    urd_mutex_unlock(&t->reading);
    return rc;
}

/* Once done, it waits for nobody who reads or writes. */
int urd_tls_handshake(urd_tls *t)
{
    if (urd_cancelled())
        return -ECANCELED;
    pthread_mutex_lock(&t->lock);
    int rc = begin_call(t, false, false);
    pthread_mutex_unlock(&t->lock);
    return rc == NOT_YET ? handshake_in_turn(t) : rc;
}

/* ---- Reading --------------------------------------------------------------------------------- */

static int at_most(size_t size, int most)
{
    return size < (size_t)most ? (int)size : most;
}

static ssize_t decrypt(urd_tls *t, void *buf, size_t size, const urd__tls_bytes *head)
{
    pthread_mutex_lock(&t->lock);
    int n = begin_call(t, true, false);
    t->head = *head;
    if (n == 0) {
        n = SSL_read(t->ssl, buf, at_most(size, INT_MAX));
        if (n <= 0)
            n = judge(t, n);
    }
    bool dry = end_call(t);
    t->dry = n == -EAGAIN || (n > 0 && dry); /* an end stays */
    pthread_mutex_unlock(&t->lock);
    return n;
}

static ssize_t read_in_turn(urd_tls *t, void *buf, size_t size)
{
    unsigned char first[HEAD];
    urd__tls_bytes head = {.at = first};
    ssize_t n = urd_mutex_lock(&t->reading);
    if (n)
        return n;
    do {
        n = t->dry ? fill(t, &head) : 0;
        if (n == 0)
            n = decrypt(t, buf, size, &head);
        head.end = 0;
    } while (n == -EAGAIN);
    bool over = turn_is_over(&t->reads);
    urd_mutex_unlock(&t->reading);
    if (over)
        (void)!urd_yield();
    return n;
}

ssize_t urd_tls_read(urd_tls *t, void *buf, size_t size)
{
    ssize_t n = 0;
    while (size > 0 && (n = read_in_turn(t, buf, size)) == NOT_YET)
        if ((n = urd_tls_handshake(t)) < 0)
            break;
    return n;
}

/* ---- Writing --------------------------------------------------------------------------------- */

/* *left: there is something in `out`. */
static ssize_t encrypt(urd_tls *t, const void *buf, size_t size, bool *left)
{
    pthread_mutex_lock(&t->lock);
    int n = t->shut ? -EPIPE : begin_call(t, false, true);
    if (n == 0) {
        n = SSL_write(t->ssl, buf, at_most(size, RECORD));
        if (n <= 0)
            n = judge(t, n);
    }
    t->may_send = false;
    *left = !is_empty(&t->out); /* W1 */
    pthread_mutex_unlock(&t->lock);
    return n;
}

static ssize_t write_in_turn(urd_tls *t, const void *buf, size_t size)
{
    bool left = false;
    ssize_t n = urd_mutex_lock(&t->writing);
    if (n)
        return n;
    n = t->broken;
    if (n == 0 && !is_empty(&t->sending))
        n = send_all(t);
    if (n == 0)
        n = encrypt(t, buf, size, &left);
    if (n > 0 && left) {
        int sent = send_all(t);
        n = sent == 0 || sent == -ECANCELED ? n : sent;
    }
    bool over = turn_is_over(&t->writes);
    end_writing(t);
    if (over)
        (void)!urd_yield();
    return n;
}

/* A message of the protocol has come in half, and nothing is written before the rest.  Who reads
 * sees to that, if anybody does; nothing tells when. */
static int get_more(urd_tls *t)
{
    unsigned char first[HEAD];
    urd__tls_bytes head = {.at = first};
    if (urd_mutex_trylock(&t->reading))
        return urd_sleep(RETRY_NS);
    int rc = fill(t, &head);
    pthread_mutex_lock(&t->lock);
    t->head = head;
    (void)end_call(t); /* into `in` */
    pthread_mutex_unlock(&t->lock);
    urd_mutex_unlock(&t->reading);
    return rc;
}

ssize_t urd_tls_write(urd_tls *t, const void *buf, size_t size)
{
    ssize_t n = 0;
    while (size > 0 && n == 0) {
        n = write_in_turn(t, buf, size);
        if (n == NOT_YET)
            n = urd_tls_handshake(t);
        else if (n == -EAGAIN)
            n = get_more(t);
    }
    return n;
}

ssize_t urd_tls_write_all(urd_tls *t, const void *buf, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = urd_tls_write(t, (const char *)buf + done, size - done);
        if (n < 0)
            return n;
        done += (size_t)n;
    }
    return (ssize_t)size;
}

/* ---- The end --------------------------------------------------------------------------------- */

/* Once: tell the other end that no more will come. */
static int say_goodbye(urd_tls *t)
{
    pthread_mutex_lock(&t->lock);
    int rc = begin_call(t, false, false);
    if (rc == 0 && !t->shut) {
        t->shut = true;
        if (SSL_shutdown(t->ssl) < 0)
            rc = urd__tls_fail(t);
    }
    pthread_mutex_unlock(&t->lock);
    return rc;
}

int urd_tls_shutdown(urd_tls *t)
{
    int rc = urd_tls_handshake(t);
    if (rc == 0)
        rc = urd_mutex_lock(&t->writing);
    if (rc)
        return rc;
    rc = t->broken ? t->broken : say_goodbye(t);
    if (rc == 0)
        rc = send_all(t);
    end_writing(t);
    return rc;
}

/* Without waiting, and whether or not the job is cancelled. */
static void end(urd_tls *t)
{
    urd_scope_open(&t->closing);
    urd_scope_shield(&t->closing);
    (void)say_goodbye(t);
    while (next_to_send(t) && send_some(t, MSG_DONTWAIT) == 0)
        ;
    (void)!urd_scope_join(&t->closing);
}

static void forget(urd_tls *t)
{
    SSL_free(t->ssl);
    let_go(&t->in);
    let_go(&t->out);
    let_go(&t->sending);
    pthread_mutex_destroy(&t->lock);
    free(t->reason);
    free(t->protocol);
    free(t->host);
    free(t);
}

int urd_tls_close(urd_tls *t)
{
    if (!t)
        return 0;
    end(t);
    int rc = urd_close(t->fd);
    forget(t);
    return rc;
}

int urd_tls_detach(urd_tls *t)
{
    int fd = t->fd;
    end(t);
    forget(t);
    return fd;
}

/* ---- As a stream ----------------------------------------------------------------------------- */

static ssize_t stream_read(void *t, void *buf, size_t size)
{
    return urd_tls_read(t, buf, size);
}

static ssize_t stream_write(void *t, const void *buf, size_t size)
{
    return urd_tls_write(t, buf, size);
}

urd_stream urd_tls_stream(urd_tls *t)
{
    return (urd_stream){.read = stream_read, .write = stream_write, .context = t};
}

/* ---- Made ------------------------------------------------------------------------------------ */

/* Digits are verified as an address, and are no name to ask for. */
static int set_host(urd_tls *t, bool verify)
{
    if (!t->host)
        return verify ? -EINVAL : 0;
    X509_VERIFY_PARAM *param = SSL_get0_param(t->ssl);
    if (X509_VERIFY_PARAM_set1_ip_asc(param, t->host) == 1)
        return 0;
    SSL_set_hostflags(t->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    bool fits = SSL_set1_host(t->ssl, t->host) == 1 && SSL_set_tlsext_host_name(t->ssl, t->host);
    return fits ? 0 : -EINVAL;
}

static void resume(urd_tls *t)
{
    SSL_SESSION *session = t->host ? urd__tls_session_take(t->context, t->host) : NULL;
    if (session)
        SSL_set_session(t->ssl, session);
    SSL_SESSION_free(session);
}

static int set_up(urd_tls *t, const char *host)
{
    urd_tls_context *c = t->context;
    bool client = c->side == URD_TLS_CLIENT;
    int rc = urd__tls_trust_system(c);
    if (rc)
        return rc;
    t->ssl = SSL_new(c->ctx);
    BIO *bio = t->ssl ? make_bio(t) : NULL;
    if (!bio)
        return -ENOMEM;
    SSL_set_bio(t->ssl, bio, bio);
    SSL_set_app_data(t->ssl, t);
    if (!client) {
        SSL_set_accept_state(t->ssl);
        return 0;
    }
    SSL_set_connect_state(t->ssl);
    size_t size = host ? strlen(host) : 0;
    t->host = size > 0 ? strndup(host, size - (host[size - 1] == '.')) : NULL;
    if (size > 0 && !t->host)
        return -ENOMEM;
    rc = set_host(t, c->verify);
    if (rc == 0)
        resume(t);
    return rc;
}

int urd_tls_open(urd_tls **out, urd_tls_context *c, int fd, const char *host)
{
    ERR_clear_error();
    urd_tls *t = calloc(1, sizeof *t);
    if (!t)
        return -ENOMEM;
    t->context = c;
    t->fd = fd;
    pthread_mutex_init(&t->lock, NULL);
    int rc = set_up(t, host);
    if (rc) {
        SSL_free(t->ssl);
        pthread_mutex_destroy(&t->lock);
        free(t->host);
        free(t);
        return rc;
    }
    *out = t;
    return 0;
}

int urd_tls_dial(urd_tls **out, urd_tls_context *c, const char *host, int port)
{
    int fd = urd_tcp_dial(host, port);
    int rc = fd < 0 ? fd : urd_tls_open(out, c, fd, host);
    if (fd >= 0 && rc)
        urd_close(fd);
    return rc;
}

int urd_tls_unread(urd_tls *t, const void *bytes, size_t size)
{
    pthread_mutex_lock(&t->lock);
    int rc = t->connected || t->failed ? -EINVAL : append(&t->in, bytes, size) ? 0 : -ENOMEM;
    pthread_mutex_unlock(&t->lock);
    return rc;
}

/* ---- What it is ------------------------------------------------------------------------------ */

const char *urd_tls_reason(const urd_tls *t)
{
    return t->reason ? t->reason : "";
}

const char *urd_tls_version(const urd_tls *t)
{
    return SSL_get_version(t->ssl);
}

const char *urd_tls_protocol(const urd_tls *t)
{
    return t->protocol ? t->protocol : "";
}

const char *urd_tls_host(const urd_tls *t)
{
    const char *host = SSL_get_servername(t->ssl, TLSEXT_NAMETYPE_host_name);
    return host ? host : "";
}

bool urd_tls_resumed(const urd_tls *t)
{
    return SSL_session_reused(t->ssl);
}

int urd_tls_fd(const urd_tls *t)
{
    return t->fd;
}

struct ssl_st *urd_tls_native(const urd_tls *t)
{
    return t->ssl;
}
