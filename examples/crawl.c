/*
 * crawl.c - follow the links of some hosts: each page once, so many at once, so many of a host.
 *
 * SPDX-License-Identifier: MIT
 *
 *     crawl [-m AT_ONCE] [-h PER_HOST] tasks|threads|processes URL...      8, 2
 *
 * Prints a line for each page, in the order of their addresses.  It stays at the hosts that the
 * URLs name.  One task a page waits for its turn at the host, then for a worker of the pool, which
 * fetches the page and looks for links; the pool has as many workers as may fetch at once.  Pages
 * are data that nobody vouches for: as processes, a worker that one of them brings down costs
 * nothing but another try, at another worker.
 *
 * Of HTML it knows href="..." alone, and of a link that it is absolute, or begins at the root or at
 * the page's folder.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <urd.h>

enum { HOST_BYTES = 128, PATH_BYTES = 256, LINKS_MAX = 64, PAGE_BYTES_MAX = 1 << 20 };
enum { HOSTS_MAX = 16, PAGES_MAX = 2000, RETRIES = 3 };
static const urd_time PATIENCE = 10 * URD_SECOND;

/* All of it is compared: what is not text is zero. */
typedef struct address {
    char host[HOST_BYTES], path[PATH_BYTES];
    int port;
} address;

typedef struct visit {
    int status;
    size_t bytes;
    int nlinks;
    address links[LINKS_MAX];
} visit;

/* ---- Addresses ------------------------------------------------------------------------------- */

/* False: it is not one of http, or too long. */
static bool parse_url(const char *url, size_t length, address *out)
{
    static const char scheme[] = "http://";
    const size_t begin = sizeof scheme - 1;
    if (length <= begin || strncmp(url, scheme, begin) != 0)
        return false;
    const char *host = url + begin, *end = url + length;
    size_t host_bytes = strcspn(host, ":/\"#");
    const char *at = host + host_bytes;
    *out = (address){.port = 80};
    if (at < end && *at == ':') {
        char *after;
        long port = strtol(at + 1, &after, 10);
        if (port <= 0 || port > 65535)
            return false;
        out->port = (int)port;
        at = after;
    }
    size_t path_bytes = at < end ? (size_t)(end - at) : 0;
    if (host_bytes == 0 || host_bytes >= HOST_BYTES || path_bytes >= PATH_BYTES ||
        (path_bytes > 0 && *at != '/'))
        return false;
    memcpy(out->host, host, host_bytes);
    memcpy(out->path, path_bytes ? at : "/", path_bytes ? path_bytes : 1);
    return true;
}

/* The same for what stands in a page. */
static bool parse_link(const address *page, const char *link, size_t length, address *out)
{
    size_t folder = link[0] == '/' ? 0 : (size_t)(strrchr(page->path, '/') + 1 - page->path);
    if (parse_url(link, length, out))
        return true;
    if (length == 0 || memchr(link, ':', length) || folder + length >= PATH_BYTES)
        return false;
    *out = (address){.port = page->port};
    memcpy(out->host, page->host, HOST_BYTES);
    memcpy(out->path, page->path, folder);
    memcpy(out->path + folder, link, length);
    return true;
}

/* ---- What a worker does ---------------------------------------------------------------------- */

/* All that the server says, up to its end, and a NUL. */
static ssize_t ask(const address *page, char *answer, size_t size)
{
    char request[HOST_BYTES + PATH_BYTES + 64];
    int n = snprintf(request, sizeof request, "GET %s HTTP/1.0\r\nHost: %s:%d\r\n\r\n", page->path,
                     page->host, page->port);
    int fd = urd_tcp_dial(page->host, page->port);
    if (fd < 0)
        return fd;
    ssize_t rc = urd_write_all(fd, request, (size_t)n);
    if (rc >= 0)
        rc = urd_read_all(fd, answer, size - 1);
    urd_close(fd);
    if (rc >= 0)
        answer[rc] = 0;
    return rc == (ssize_t)size - 1 ? -EMSGSIZE : rc;
}

static int find_links(const address *page, const char *body, visit *v)
{
    static const char mark[] = "href=\"";
    for (const char *at = body; (at = strstr(at, mark)) != NULL;) {
        address link;
        at += sizeof mark - 1;
        if (!parse_link(page, at, strcspn(at, "\"#"), &link))
            continue;
        if (v->nlinks == LINKS_MAX)
            return -EMSGSIZE;
        v->links[v->nlinks++] = link;
    }
    return 0;
}

static int read_page(const address *page, char *answer, size_t bytes, visit *v)
{
    char *body = strstr(answer, "\r\n\r\n");
    if (!body || sscanf(answer, "HTTP/1.%*1d %d", &v->status) != 1)
        return -EBADMSG;
    body += 4;
    v->bytes = bytes - (size_t)(body - answer);
    return v->status == 200 ? find_links(page, body, v) : 0;
}

static int visit_page(const void *in, void *out)
{
    const address *page = in;
    visit *v = out;
    urd_scope s;
    *v = (visit){0};
    char *answer = malloc(PAGE_BYTES_MAX);
    if (!answer)
        return -ENOMEM;
    urd_scope_open(&s);
    urd_scope_deadline(&s, urd_now() + PATIENCE);
    ssize_t n = ask(page, answer, PAGE_BYTES_MAX);
    int late = urd_scope_join(&s), rc = late ? late : n < 0 ? (int)n : 0;
    if (rc == 0)
        rc = read_page(page, answer, (size_t)n, v);
    free(answer);
    return rc;
}

/* ---- The crawl ------------------------------------------------------------------------------- */

typedef struct page {
    address at;
    int result, status;
    size_t bytes;
} page;

static struct {
    urd_kind kind;
    int at_once, per_host;
    urd_pool *pool;
    urd_scope tasks;
    struct {
        char name[HOST_BYTES];
        int port;
        urd_sem turns;
    } hosts[HOSTS_MAX];
    int nhosts;
    urd_mutex found; /* guards what follows */
    int npages;
    bool too_many;
    page *pages[PAGES_MAX];
} all = {.at_once = 8, .per_host = 2};

static urd_sem *turns_of(const address *a)
{
    for (int i = 0; i < all.nhosts; i++)
        if (all.hosts[i].port == a->port && strcmp(all.hosts[i].name, a->host) == 0)
            return &all.hosts[i].turns;
    return NULL; /* a host that nobody named */
}

static int crawl(void *arg);

/* Under the lock. */
static int add(const address *a)
{
    for (int i = 0; i < all.npages; i++)
        if (memcmp(&all.pages[i]->at, a, sizeof *a) == 0)
            return 0;
    if (!turns_of(a))
        return 0;
    if (all.npages == PAGES_MAX) {
        all.too_many = true;
        return 0;
    }
    page *one = calloc(1, sizeof *one);
    if (!one)
        return -ENOMEM;
    one->at = *a;
    all.pages[all.npages++] = one;
    urd_go(&all.tasks, crawl, one);
    return 0;
}

static int add_all(const address *list, int n)
{
    int rc = urd_mutex_lock(&all.found);
    if (rc)
        return rc;
    for (int i = 0; i < n && rc == 0; i++)
        rc = add(&list[i]);
    urd_mutex_unlock(&all.found);
    return rc;
}

/* A page that fails is one line of the result; only a cancel, or no memory, ends the crawl. */
static int crawl(void *arg)
{
    page *one = arg;
    urd_sem *turns = turns_of(&one->at);
    visit *v = malloc(sizeof *v);
    int rc = v ? urd_sem_acquire(turns) : -ENOMEM;
    if (rc == 0) {
        one->result = urd_pool_map(all.pool, visit_page, &one->at, v, 1);
        urd_sem_release(turns, 1);
        rc = one->result == -ECANCELED ? -ECANCELED : 0;
    }
    if (rc == 0 && one->result == 0) {
        one->status = v->status;
        one->bytes = v->bytes;
        rc = add_all(v->links, v->nlinks);
    }
    free(v);
    return rc;
}

static int run(void *arg)
{
    const address *first = arg;
    urd_pool_options options = {.retries_max = RETRIES}; /* to fetch a page twice does no harm */
    int rc = urd_pool_open(&all.pool, all.kind, all.at_once, &options);
    if (rc)
        return rc;
    urd_scope_open(&all.tasks);
    rc = add_all(first, all.nhosts);
    int joined = urd_scope_join(&all.tasks), closed = urd_pool_close(all.pool);
    return rc ? rc : joined ? joined : closed;
}

/* ---- From and to the user -------------------------------------------------------------------- */

static int by_address(const void *a, const void *b)
{
    const page *x = *(page *const *)a, *y = *(page *const *)b;
    int order = strcmp(x->at.host, y->at.host);
    order = order ? order : x->at.port - y->at.port;
    return order ? order : strcmp(x->at.path, y->at.path);
}

/* How many pages were not had. */
static int show(void)
{
    int failed = 0;
    qsort(all.pages, (size_t)all.npages, sizeof *all.pages, by_address);
    for (int i = 0; i < all.npages; i++) {
        const page *one = all.pages[i];
        if (one->result == -ECHILD)
            printf("its worker died");
        else if (one->result)
            printf("%s", strerror(-one->result));
        else
            printf("%d %zu", one->status, one->bytes);
        printf(" http://%s:%d%s\n", one->at.host, one->at.port, one->at.path);
        failed += one->result != 0 || one->status != 200;
    }
    if (all.too_many)
        fprintf(stderr, "crawl: more than %d pages; the others were left\n", PAGES_MAX);
    return failed + all.too_many;
}

static bool parse_kind(const char *word)
{
    static const char *const words[] = {"tasks", "threads", "processes"};
    static const urd_kind kinds[] = {URD_TASK, URD_THREAD, URD_PROCESS};
    for (int i = 0; i < 3; i++)
        if (strcmp(word, words[i]) == 0) {
            all.kind = kinds[i];
            return true;
        }
    return false;
}

static bool parse(int argc, char **argv, address *first)
{
    for (int option; (option = getopt(argc, argv, "m:h:")) != -1;) {
        int *value = option == 'm' ? &all.at_once : &all.per_host;
        if (option == '?' || (*value = atoi(optarg)) <= 0 || *value > 1024)
            return false;
    }
    int nurls = argc - optind - 1;
    if (nurls < 1 || nurls > HOSTS_MAX || !parse_kind(argv[optind]))
        return false;
    for (int i = 0; i < nurls; i++) {
        const char *url = argv[optind + 1 + i];
        if (!parse_url(url, strlen(url), &first[i]))
            return false;
        /* Two URLs of one host: the first of its entries is found, and the other is not used. */
        memcpy(all.hosts[i].name, first[i].host, HOST_BYTES);
        all.hosts[i].port = first[i].port;
        urd_sem_init(&all.hosts[i].turns, all.per_host, all.per_host);
        all.nhosts++;
    }
    return true;
}

int main(int argc, char **argv)
{
    address first[HOSTS_MAX];
    if (!parse(argc, argv, first)) {
        fprintf(stderr, "usage: crawl [-m AT_ONCE] [-h PER_HOST] tasks|threads|processes URL...\n");
        return 2;
    }
    int rc = urd_run(NULL, run, first);
    if (rc < 0)
        fprintf(stderr, "crawl: %s\n", strerror(-rc));
    int failed = rc < 0 ? 1 : show();
    for (int i = 0; i < all.npages; i++)
        free(all.pages[i]);
    return failed > 0;
}
