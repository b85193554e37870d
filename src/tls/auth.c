/*
 * auth.c - a challenge of random bytes, answered by their HMAC; first one way, then the other.
 *
 * SPDX-License-Identifier: MIT
 *
 *     accepts                                   dials
 *     #CHALLENGE#{sha256}random           ->
 *                                         <-    {sha256}HMAC of "{sha256}random"
 *     #WELCOME#, or #FAILURE#             ->
 *                                         <-    #CHALLENGE#...    and so on, with the roles changed
 *
 * The name of the hash is part of what is hashed, so nobody in between can change it.  Before
 * Python 3.12 a challenge had no name and 20 bytes, and an answer was the HMAC by MD5 alone, also
 * to a challenge with a name.  Source: CPython, Lib/multiprocessing/connection.py.
 */
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <string.h>

#include "urd_auth.h"

enum { MESSAGE_MAX = 256, RANDOM_BYTES = 40, RANDOM_MIN = 20, OLD_RANDOM = 20, OLD_ANSWER = 16 };

static const char CHALLENGE[] = "#CHALLENGE#", WELCOME[] = "#WELCOME#", FAILURE[] = "#FAILURE#";

/* As Python names them, and OpenSSL. */
static const char *const hashes[][2] = {{"md5", "MD5"},
                                        {"sha256", "SHA256"},
                                        {"sha384", "SHA384"},
                                        {"sha3_256", "SHA3-256"},
                                        {"sha3_384", "SHA3-384"}};

typedef struct ends {
    urd_reader *reader;
    urd_writer *writer;
    const void *key;
    int key_size;
} ends;

typedef struct text {
    unsigned char bytes[MESSAGE_MAX];
    size_t size;
} text;

static int say(const ends *e, const void *bytes, size_t size)
{
    int rc = urd_message_write(e->writer, bytes, size);
    return rc ? rc : urd_writer_flush(e->writer);
}

static int hear(const ends *e, text *t)
{
    int rc = urd_message_read(e->reader, t->bytes, sizeof t->bytes, &t->size);
    if (rc == -EMSGSIZE)
        return -EPROTO;
    return rc > 0 ? 0 : rc < 0 ? rc : -ENODATA;
}

static bool is(const text *t, const char *words)
{
    return t->size == strlen(words) && memcmp(t->bytes, words, t->size) == 0;
}

/* Of "{name}rest": the name as OpenSSL has it; NULL: there is none that we know.  *rest: where it
 * begins, behind the name if there is one. */
static const char *named(const unsigned char *bytes, size_t size, size_t *rest)
{
    *rest = 0;
    for (size_t i = 0; i < sizeof hashes / sizeof *hashes; i++) {
        size_t length = strlen(hashes[i][0]);
        if (size < length + 2 || bytes[0] != '{' || bytes[length + 1] != '}' ||
            memcmp(bytes + 1, hashes[i][0], length) != 0)
            continue;
        *rest = length + 2;
        return hashes[i][1];
    }
    return NULL;
}

/* The HMAC of so many bytes.  0; -EPROTO: this OpenSSL does without that hash; -ENOMEM. */
static int hash(const ends *e, const char *name, const unsigned char *bytes, size_t size, text *out)
{
    unsigned n = 0;
    const EVP_MD *how = EVP_get_digestbyname(name);
    if (!how)
        return -EPROTO;
    if (!HMAC(how, e->key, e->key_size, bytes, size, out->bytes, &n))
        return -ENOMEM;
    out->size = n;
    return 0;
}

/* ---- The two halves -------------------------------------------------------------------------- */

static int make_challenge(text *t)
{
    static const char name[] = "{sha256}";
    size_t mark = sizeof CHALLENGE - 1, prefix = mark + sizeof name - 1;
    memcpy(t->bytes, CHALLENGE, mark);
    memcpy(t->bytes + mark, name, sizeof name - 1);
    t->size = prefix + RANDOM_BYTES;
    return RAND_bytes(t->bytes + prefix, RANDOM_BYTES) == 1 ? 0 : -ENOMEM;
}

/* 0: it is what somebody with the key would answer; -EACCES. */
static int check(const ends *e, const text *challenge, const text *answer)
{
    size_t mark = sizeof CHALLENGE - 1, rest;
    text expected;
    const char *name = named(answer->bytes, answer->size, &rest);
    if (!name && answer->size != OLD_ANSWER)
        return -EACCES;
    int rc =
        hash(e, name ? name : "MD5", challenge->bytes + mark, challenge->size - mark, &expected);
    if (rc)
        return rc;
    bool right = answer->size - rest == expected.size &&
                 CRYPTO_memcmp(answer->bytes + rest, expected.bytes, expected.size) == 0;
    return right ? 0 : -EACCES;
}

static int ask(const ends *e)
{
    text challenge, answer;
    int rc = make_challenge(&challenge);
    if (rc == 0)
        rc = say(e, challenge.bytes, challenge.size);
    if (rc == 0)
        rc = hear(e, &answer);
    if (rc)
        return rc;
    rc = check(e, &challenge, &answer);
    const char *words = rc ? FAILURE : WELCOME;
    int told = say(e, words, strlen(words));
    return rc ? rc : told;
}

static int answer(const ends *e)
{
    size_t mark = sizeof CHALLENGE - 1, rest;
    text heard, mac;
    int rc = hear(e, &heard);
    if (rc)
        return rc;
    if (heard.size < mark + RANDOM_MIN || memcmp(heard.bytes, CHALLENGE, mark) != 0)
        return -EPROTO;
    const unsigned char *challenge = heard.bytes + mark;
    size_t size = heard.size - mark;
    const char *name = size == OLD_RANDOM ? NULL : named(challenge, size, &rest);
    if (!name && size != OLD_RANDOM)
        return -EPROTO;
    rc = hash(e, name ? name : "MD5", challenge, size, &mac);
    if (rc)
        return rc;
    text out = {.size = name ? rest : 0};
    memcpy(out.bytes, challenge, out.size);
    memcpy(out.bytes + out.size, mac.bytes, mac.size);
    rc = say(e, out.bytes, out.size + mac.size);
    if (rc == 0)
        rc = hear(e, &heard);
    if (rc)
        return rc;
    return is(&heard, WELCOME) ? 0 : is(&heard, FAILURE) ? -EACCES : -EPROTO;
}

/* ---- The calls ------------------------------------------------------------------------------- */

int urd_auth_accept(urd_reader *r, urd_writer *w, const void *key, size_t key_size)
{
    if (key_size == 0 || key_size > INT32_MAX)
        return -EINVAL;
    ends e = {r, w, key, (int)key_size};
    int rc = ask(&e);
    return rc ? rc : answer(&e);
}

int urd_auth_dial(urd_reader *r, urd_writer *w, const void *key, size_t key_size)
{
    if (key_size == 0 || key_size > INT32_MAX)
        return -EINVAL;
    ends e = {r, w, key, (int)key_size};
    int rc = answer(&e);
    return rc ? rc : ask(&e);
}
