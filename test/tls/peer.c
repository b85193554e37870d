/*
 * peer.c - our side of the talks of test/cli/tls.py with curl and the command openssl.
 *
 * SPDX-License-Identifier: MIT
 *
 *     tls_peer serve FOLDER [smtp]           prints its port; a page for every request; STARTTLS
 *     tls_peer get FOLDER HOST PORT [TIMES]  from this machine; prints pages, or why not
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "urd_tls.h"

static urd_tls_context *context;
static bool smtp;
static char **args;
static int nargs;

static int in_folder(char *path, size_t size, const char *name)
{
    return snprintf(path, size, "%s/%s", args[2], name) < (int)size ? 0 : -ENAMETOOLONG;
}

static int give_certificate(const char *name)
{
    char chain[512], key[512], file[64];
    snprintf(file, sizeof file, "%s.pem", name);
    int rc = in_folder(chain, sizeof chain, file);
    snprintf(file, sizeof file, "%s.key", name);
    rc = rc ? rc : in_folder(key, sizeof key, file);
    return rc ? rc : urd_tls_context_certificate(context, chain, key);
}

/* ---- Server ---------------------------------------------------------------------------------- */

/* What `openssl s_client -starttls smtp` expects. */
static int greet(int fd)
{
    static const char *const answers[] = {"220 hello\r\n", "250-hello\r\n250 STARTTLS\r\n",
                                          "220 go ahead\r\n"};
    char line[256];
    for (int i = 0; i < 3; i++) {
        ssize_t n = i ? urd_read(fd, line, sizeof line) : 1;
        if (n > 0)
            n = urd_write_all(fd, answers[i], strlen(answers[i]));
        if (n <= 0)
            return n ? (int)n : -EPIPE;
    }
    return 0;
}

static int answer(urd_tls *t)
{
    char request[4096], page[256];
    size_t used = 0;
    request[0] = '\0';
    while (!strstr(request, "\r\n\r\n") && used + 1 < sizeof request) {
        ssize_t n = urd_tls_read(t, request + used, sizeof request - 1 - used);
        if (n <= 0)
            return (int)n;
        used += (size_t)n;
        request[used] = '\0';
    }
    int size = snprintf(page, sizeof page, "HTTP/1.0 200 OK\r\n\r\nhost %s protocol %s %s\n",
                        urd_tls_host(t), urd_tls_protocol(t), urd_tls_resumed(t) ? "again" : "new");
    ssize_t n = urd_tls_write_all(t, page, (size_t)size);
    return n < 0 ? (int)n : 0;
}

static int serve_one(void *arg)
{
    int fd = *(int *)arg;
    urd_tls *t;
    int rc = smtp ? greet(fd) : 0;
    rc = rc ? rc : urd_tls_open(&t, context, fd, NULL);
    if (rc) {
        urd_close(fd);
        return 0;
    }
    rc = answer(t);
    printf("served %d %s\n", rc, urd_tls_reason(t));
    fflush(stdout);
    urd_tls_close(t);
    return 0;
}

static int serve(void *unused)
{
    (void)unused;
    urd_address at;
    int listener = urd_tcp_listen("127.0.0.1", 0, NULL);
    int rc = urd_address_local(listener, &at);
    if (rc)
        return rc;
    printf("%d\n", urd_address_port(&at));
    fflush(stdout);
    urd_scope s;
    urd_scope_open(&s);
    for (int fd; (fd = urd_accept(listener, NULL, NULL)) >= 0;)
        urd_go_copy(&s, serve_one, &fd, sizeof fd);
    rc = urd_scope_join(&s);
    urd_close(listener);
    return rc;
}

/* ---- Client ---------------------------------------------------------------------------------- */

static int get_one(void)
{
    static const char request[] = "GET / HTTP/1.0\r\n\r\n";
    char some[4096];
    urd_tls *t;
    int fd = urd_tcp_dial("127.0.0.1", atoi(args[4]));
    int rc = fd < 0 ? fd : urd_tls_open(&t, context, fd, args[3]);
    if (rc)
        return rc;
    ssize_t n = urd_tls_write_all(t, request, sizeof request - 1);
    while (n > 0 && (n = urd_tls_read(t, some, sizeof some)) > 0)
        fwrite(some, 1, (size_t)n, stdout);
    printf("\n%zd %s %s %s\n", n, urd_tls_version(t), urd_tls_resumed(t) ? "again" : "new",
           urd_tls_reason(t));
    urd_tls_close(t);
    return (int)n;
}

static int get(void *unused)
{
    (void)unused;
    int rc = 0;
    for (int i = nargs > 5 ? atoi(args[5]) : 1; i > 0 && rc == 0; i--)
        rc = get_one();
    return rc;
}

int main(int argc, char **argv)
{
    char ca[512];
    args = argv;
    nargs = argc;
    if (argc < 3)
        return 2;
    bool server = strcmp(argv[1], "serve") == 0;
    smtp = server && argc > 3;
    int rc = urd_tls_context_open(&context, server ? URD_TLS_SERVER : URD_TLS_CLIENT);
    if (rc)
        return 1;
    rc = server ? give_certificate("server") : in_folder(ca, sizeof ca, "ca.pem");
    if (rc == 0)
        rc = server ? give_certificate("second") : urd_tls_context_trust(context, ca);
    if (rc == 0)
        rc = urd_tls_context_protocols(context, "http/1.0");
    if (rc == 0)
        rc = urd_run(NULL, server ? serve : get, NULL);
    urd_tls_context_close(context);
    return rc != 0;
}
