/*
 * fetch.c - many URLs, so many at once, so many of them from one host, each tried again.
 *
 * SPDX-License-Identifier: MIT
 *
 *     fetch [-m AT_ONCE] [-h PER_HOST] [-t TRIES] [-w WAIT_MS] URL...      8, 2, 3, 100
 *
 * Prints a line for each URL, in the order in which they were given, and on stderr how far it is.
 * One task a URL, since a task costs little; what is short are connections, so each first takes a
 * permit of its host and then one of all: the other way round, those that wait for a slow host
 * would keep the others waiting.  After a failure, or a status of 500 and above, it waits, twice as
 * long each time, and holds no permit meanwhile.
 */
#include <errno.h>
#include <http_parser.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <urd.h>

enum { HOST_BYTES = 256, BUF_BYTES = 8192 };
static const urd_time PATIENCE = 10 * URD_SECOND;

typedef struct host {
    char name[HOST_BYTES];
    int port;
    urd_sem permits;
} host;

typedef struct page {
    const char *url, *path;
    host *host;
    int result; /* -errno, or the status */
    int tries;
    long long bytes;
    bool complete;
} page;

static struct {
    int at_once, per_host, tries;
    urd_time wait_duration;
    urd_sem permits;
    int pages, done;
    urd_mutex progress;
} all = {.at_once = 8, .per_host = 2, .tries = 3, .wait_duration = 100 * URD_MS};

/* ---- One try --------------------------------------------------------------------------------- */

static int on_body(http_parser *p, const char *bytes, size_t n)
{
    (void)bytes; /* who wants to keep it, does it here */
    page *one = p->data;
    one->bytes += (long long)n;
    return 0;
}

static int on_complete(http_parser *p)
{
    page *one = p->data;
    one->complete = true;
    return 0;
}

static int read_answer(page *one, int fd)
{
    static const http_parser_settings calls = {.on_body = on_body,
                                               .on_message_complete = on_complete};
    char buf[BUF_BYTES];
    http_parser p;
    http_parser_init(&p, HTTP_RESPONSE);
    p.data = one;
    one->bytes = 0;
    one->complete = false;
    while (!one->complete) {
        ssize_t n = urd_read(fd, buf, sizeof buf);
        if (n < 0)
            return (int)n;
        size_t taken = http_parser_execute(&p, &calls, buf, (size_t)n); /* of 0 bytes: the end */
        if (HTTP_PARSER_ERRNO(&p) != HPE_OK || taken < (size_t)n || (n == 0 && !one->complete))
            return -EBADMSG;
    }
    return p.status_code;
}

static int ask(page *one, int fd)
{
    char buf[1024];
    urd_writer w;
    urd_writer_init(&w, urd_stream_fd(fd), buf, sizeof buf);
    int rc = urd_writer_print(&w, "GET %s HTTP/1.1\r\nHost: %s:%d\r\nConnection: close\r\n\r\n",
                              one->path, one->host->name, one->host->port);
    if (rc == 0)
        rc = urd_writer_flush(&w);
    return rc ? rc : read_answer(one, fd);
}

/* The status, or -errno. */
static int try_once(page *one)
{
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_deadline(&s, urd_now() + PATIENCE);
    int fd = urd_tcp_dial(one->host->name, one->host->port), status = fd;
    if (fd >= 0) {
        status = ask(one, fd);
        urd_close(fd);
    }
    int late = urd_scope_join(&s);
    return late ? late : status;
}

/* ---- One URL --------------------------------------------------------------------------------- */

static int try_with_permits(page *one)
{
    int rc = urd_sem_acquire(&one->host->permits);
    if (rc)
        return rc;
    rc = urd_sem_acquire(&all.permits);
    if (rc == 0) {
        rc = try_once(one);
        urd_sem_release(&all.permits, 1);
    }
    urd_sem_release(&one->host->permits, 1);
    return rc;
}

static int show_progress(void)
{
    int rc = urd_mutex_lock(&all.progress);
    if (rc)
        return rc;
    fprintf(stderr, "%d of %d\n", ++all.done, all.pages);
    urd_mutex_unlock(&all.progress);
    return 0;
}

static int fetch(void *arg)
{
    page *one = arg;
    urd_time wait = all.wait_duration;
    for (;;) {
        one->result = try_with_permits(one);
        one->tries++;
        bool worth_another = one->result < 0 || one->result >= 500;
        if (!worth_another || one->result == -ECANCELED || one->tries == all.tries)
            break;
        int rc = urd_sleep(wait);
        if (rc)
            return rc;
        wait *= 2;
    }
    return one->result == -ECANCELED ? -ECANCELED : show_progress();
}

/* ---- All of them ----------------------------------------------------------------------------- */

/* A host that was named before is the same. */
static host *find_host(host *hosts, int n, const char *name, size_t length, int port)
{
    for (int i = 0; i < n; i++) {
        if (!*hosts[i].name) {
            memcpy(hosts[i].name, name, length);
            hosts[i].port = port;
            urd_sem_init(&hosts[i].permits, all.per_host, all.per_host);
            return &hosts[i];
        }
        if (strlen(hosts[i].name) == length && memcmp(hosts[i].name, name, length) == 0 &&
            hosts[i].port == port)
            return &hosts[i];
    }
    return NULL;
}

static bool parse_url(page *one, host *hosts, int n)
{
    struct http_parser_url u;
    http_parser_url_init(&u);
    if (http_parser_parse_url(one->url, strlen(one->url), 0, &u) ||
        strncmp(one->url, "http://", 7) != 0 || u.field_data[UF_HOST].len >= HOST_BYTES)
        return false;
    one->path = u.field_set & 1 << UF_PATH ? one->url + u.field_data[UF_PATH].off : "/";
    one->host = find_host(hosts, n, one->url + u.field_data[UF_HOST].off, u.field_data[UF_HOST].len,
                          u.port ? u.port : 80);
    return one->host != NULL;
}

static int run(void *arg)
{
    page *pages = arg;
    urd_sem_init(&all.permits, all.at_once, all.at_once);
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < all.pages; i++)
        urd_go(&s, fetch, &pages[i]);
    return urd_scope_join(&s);
}

static int show(const page *pages)
{
    int failed = 0;
    for (int i = 0; i < all.pages; i++) {
        const page *one = &pages[i];
        if (one->result >= 0)
            printf("%d, %lld bytes, tries: %d: %s\n", one->result, one->bytes, one->tries,
                   one->url);
        else
            printf("%s, tries: %d: %s\n", strerror(-one->result), one->tries, one->url);
        failed += one->result < 200 || one->result > 299;
    }
    return failed;
}

static bool parse_options(int argc, char **argv)
{
    for (int option; (option = getopt(argc, argv, "m:h:t:w:")) != -1;) {
        int value = optarg ? atoi(optarg) : 0;
        switch (option) {
        case 'm':
            all.at_once = value;
            break;
        case 'h':
            all.per_host = value;
            break;
        case 't':
            all.tries = value;
            break;
        case 'w':
            all.wait_duration = value * URD_MS;
            break;
        default:
            return false;
        }
        if (value <= 0)
            return false;
    }
    return optind < argc;
}

int main(int argc, char **argv)
{
    if (!parse_options(argc, argv)) {
        fprintf(stderr, "usage: fetch [-m AT_ONCE] [-h PER_HOST] [-t TRIES] [-w WAIT_MS] URL...\n");
        return 2;
    }
    all.pages = argc - optind;
    page *pages = calloc((size_t)all.pages, sizeof *pages);
    host *hosts = calloc((size_t)all.pages, sizeof *hosts);
    int rc = pages && hosts ? 0 : -ENOMEM;
    for (int i = 0; rc == 0 && i < all.pages; i++) {
        pages[i].url = argv[optind + i];
        if (!parse_url(&pages[i], hosts, all.pages)) {
            fprintf(stderr, "fetch: not a URL of http: %s\n", pages[i].url);
            rc = -EINVAL;
        }
    }
    if (rc == 0)
        rc = urd_run(NULL, run, pages);
    if (rc < 0 && rc != -EINVAL)
        fprintf(stderr, "fetch: %s\n", strerror(-rc));
    int failed = rc == 0 ? show(pages) : 0;
    free(hosts);
    free(pages);
    return rc == -EINVAL ? 2 : rc < 0 || failed;
}
