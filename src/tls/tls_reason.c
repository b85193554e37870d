/*
 * tls_reason.c - why TLS failed: as a number, and in words that name the certificate.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tls/tls.h"

enum { ALERT_AT = SSL_AD_REASON_OFFSET, NAME_MAX_SHOWN = 64, NAMES_SHOWN = 4 };

/* ---- Text ------------------------------------------------------------------------------------ */

typedef struct text {
    char *at;
    size_t size, used;
} text;

__attribute__((format(printf, 2, 3))) static void add(text *to, const char *format, ...)
{
    if (to->used >= to->size)
        return;
    va_list args;
    va_start(args, format);
    int n = vsnprintf(to->at + to->used, to->size - to->used, format, args);
    va_end(args);
    to->used += n > 0 ? (size_t)n : 0;
}

/* What others wrote, who may have put anything into it. */
static void add_foreign(text *to, const ASN1_STRING *name)
{
    const unsigned char *bytes = ASN1_STRING_get0_data(name);
    int n = ASN1_STRING_length(name);
    for (int i = 0; i < n && i < NAME_MAX_SHOWN; i++)
        add(to, "%c", bytes[i] > ' ' - 1 && bytes[i] < 0x7f ? bytes[i] : '?');
}

/* Its common name, or, where it has none, its subject. */
static void add_subject(text *to, const X509 *certificate)
{
    const X509_NAME *subject = X509_get_subject_name(certificate);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    const X509_NAME_ENTRY *entry = at < 0 ? NULL : X509_NAME_get_entry(subject, at);
    char line[NAME_MAX_SHOWN];
    if (entry)
        add_foreign(to, X509_NAME_ENTRY_get_data(entry));
    else
        add(to, "%s", X509_NAME_oneline(subject, line, sizeof line) ? line : "?");
}

static void add_address(text *to, const ASN1_OCTET_STRING *address)
{
    const unsigned char *b = ASN1_STRING_get0_data(address);
    if (ASN1_STRING_length(address) == 4)
        add(to, "%d.%d.%d.%d", b[0], b[1], b[2], b[3]);
    else
        add(to, "an address");
}

/* To whom it is made out. */
static void add_names(text *to, const X509 *certificate)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    int n = names ? sk_GENERAL_NAME_num(names) : 0;
    if (n == 0)
        add(to, "nobody");
    for (int i = 0; i < n && i < NAMES_SHOWN; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        add(to, "%s", i ? ", " : "");
        if (name->type == GEN_DNS)
            add_foreign(to, name->d.dNSName);
        else if (name->type == GEN_IPADD)
            add_address(to, name->d.iPAddress);
        else
            add(to, "another kind of name");
    }
    add(to, "%s", n > NAMES_SHOWN ? ", ..." : "");
    GENERAL_NAMES_free(names);
}

/* ---- Errors ---------------------------------------------------------------------------------- */

void urd__tls_say(urd_tls *t, const char *words)
{
    if (!t->reason)
        t->reason = strdup(words); /* without memory there are no words */
}

/* Alerts about certificates, as numbers of RFC 8446. */
static bool refuses_certificate(int alert)
{
    return (alert >= SSL_AD_BAD_CERTIFICATE && alert <= SSL_AD_CERTIFICATE_UNKNOWN) ||
           alert == SSL_AD_UNKNOWN_CA || alert == SSL_AD_ACCESS_DENIED ||
           alert == SSL_AD_CERTIFICATE_REQUIRED;
}

int urd__tls_error(char *words, size_t size)
{
    unsigned long error = ERR_peek_error();
    int reason = ERR_GET_REASON(error);
    if (ERR_SYSTEM_ERROR(error)) {
        snprintf(words, size, "%s", strerror(reason));
        return -reason;
    }
    const char *name = ERR_reason_error_string(error);
    bool alert = ERR_GET_LIB(error) == ERR_LIB_SSL && reason > ALERT_AT && reason < ALERT_AT + 256;
    snprintf(words, size, "%s%s", alert ? "the other end refuses: " : "",
             name ? name : "an unknown error");
    if (reason == ERR_R_MALLOC_FAILURE)
        return -ENOMEM;
    if (ERR_GET_LIB(error) != ERR_LIB_SSL)
        return -EPROTO;
    bool certificate = alert ? refuses_certificate(reason - ALERT_AT)
                             : reason == SSL_R_CERTIFICATE_VERIFY_FAILED ||
                                   reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE;
    return certificate ? -EKEYREJECTED : -EPROTO;
}

int urd__tls_fail(urd_tls *t)
{
    char words[URD__TLS_REASON_MAX];
    t->failed = urd__tls_error(words, sizeof words);
    ERR_clear_error();
    urd__tls_say(t, words);
    return t->failed;
}

/* ---- Certificates ---------------------------------------------------------------------------- */

int urd__tls_verify(int ok, X509_STORE_CTX *store)
{
    if (ok)
        return ok;
    const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    urd_tls *t = SSL_get_app_data(ssl);
    const X509 *certificate = X509_STORE_CTX_get_current_cert(store);
    int error = X509_STORE_CTX_get_error(store), depth = X509_STORE_CTX_get_error_depth(store);
    bool name = error == X509_V_ERR_HOSTNAME_MISMATCH || error == X509_V_ERR_IP_ADDRESS_MISMATCH;
    char words[URD__TLS_REASON_MAX] = "";
    text to = {words, sizeof words, 0};
    add(&to, "certificate of ");
    if (certificate)
        add_subject(&to, certificate);
    else
        add(&to, "the other end");
    if (depth > 0)
        add(&to, ", number %d of the chain", depth + 1);
    add(&to, ": %s", X509_verify_cert_error_string(error));
    if (name && certificate && t->host) {
        add(&to, ": it is made out to ");
        add_names(&to, certificate);
        add(&to, ", not to %s", t->host);
    }
    urd__tls_say(t, words);
    return ok;
}
