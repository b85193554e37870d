/*
 * tls_reason.c - errors of OpenSSL become a number and words, and the first words stay.
 *
 * SPDX-License-Identifier: MIT
 */
#include <openssl/err.h>
#include <stdlib.h>

#include "tls_ends.h"

static void check_error(int library, int reason, int rc, const char *words)
{
    char text[80];
    ERR_clear_error();
    ERR_raise(library, reason);
    CHECK_EQ(urd__tls_error(text, sizeof text), rc);
    CHECK_STR(text, words);
    ERR_clear_error();
}

TEST(errors_become_a_number_and_words)
{
    CHECK_EQ(OPENSSL_init_ssl(OPENSSL_INIT_LOAD_SSL_STRINGS, NULL), 1); /* which has the words */
    check_error(ERR_LIB_SYS, EACCES, -EACCES, "Permission denied");
    check_error(ERR_LIB_SSL, SSL_R_CERTIFICATE_VERIFY_FAILED, -EKEYREJECTED,
                "certificate verify failed");
    check_error(ERR_LIB_SSL, SSL_R_NO_SHARED_CIPHER, -EPROTO, "no shared cipher");
    check_error(ERR_LIB_SSL, SSL_R_TLSV1_ALERT_UNKNOWN_CA, -EKEYREJECTED,
                "the other end refuses: tlsv1 alert unknown ca");
    check_error(ERR_LIB_SSL, SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, -EKEYREJECTED,
                "the other end refuses: sslv3 alert certificate expired");
    check_error(ERR_LIB_SSL, SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, -EPROTO,
                "the other end refuses: tlsv1 alert protocol version");
    check_error(ERR_LIB_BIO, ERR_R_MALLOC_FAILURE, -ENOMEM, "malloc failure");
    char text[80];
    CHECK_EQ(urd__tls_error(text, sizeof text), -EPROTO);
    CHECK_STR(text, "an unknown error");
}

TEST(the_first_words_stay)
{
    urd_tls t = {.reason = NULL};
    CHECK_EQ(OPENSSL_init_ssl(OPENSSL_INIT_LOAD_SSL_STRINGS, NULL), 1);
    CHECK_STR(urd_tls_reason(&t), "");
    ERR_raise(ERR_LIB_SSL, SSL_R_NO_SHARED_CIPHER);
    CHECK_EQ(urd__tls_fail(&t), -EPROTO);
    CHECK_EQ(ERR_peek_error(), 0);
    urd__tls_say(&t, "later");
    CHECK_STR(urd_tls_reason(&t), "no shared cipher");
    free(t.reason);
}
