/*
 * sha256.c - the SHA-256 of every file below a folder, as sha256sum prints it.
 *
 * SPDX-License-Identifier: MIT
 *
 *     sha256 tasks | threads | processes FOLDER
 *
 * The walk through the folders is the source of a flow: it goes on only as fast as the sums are
 * taken, so that a tree of any size needs no list.  The workers hash whichever file is next, and
 * the sums come in the order of the walk.  A file that cannot be read is named, and the rest goes
 * on.
 */
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <urd.h>

#include <openssl/evp.h>

enum { PATH_BYTES = 4096, SUM_BYTES = 32, BUFFER_BYTES = 1 << 14 };

typedef struct path {
    char name[PATH_BYTES];
} path;

typedef struct sum {
    unsigned char bytes[SUM_BYTES];
} sum;

/* ---- A job ----------------------------------------------------------------------------------- */

static int hash(EVP_MD_CTX *context, int fd, sum *out)
{
    char buffer[BUFFER_BYTES];
    ssize_t n;
    while ((n = urd_read(fd, buffer, sizeof buffer)) > 0)
        if (EVP_DigestUpdate(context, buffer, (size_t)n) != 1)
            return -EIO;
    if (n < 0)
        return (int)n;
    return EVP_DigestFinal_ex(context, out->bytes, NULL) == 1 ? 0 : -EIO;
}

static int hash_file(const void *in, void *out)
{
    const path *file = in;
    int fd = urd_open(file->name, O_RDONLY, 0);
    if (fd < 0)
        return fd;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    int rc = context && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1 ? 0 : -ENOMEM;
    if (rc == 0)
        rc = hash(context, fd, out);
    EVP_MD_CTX_free(context);
    urd_close(fd);
    return rc;
}

/* ---- The walk -------------------------------------------------------------------------------- */

typedef struct walk {
    urd_kind kind;
    char *folder;
    FTS *tree;
    bool failed; /* some file */
} walk;

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

static void say(walk *w, const char *name, int error)
{
    fprintf(stderr, "sha256: %s: %s\n", name, strerror(error));
    w->failed = true;
}

/* The source: the next file; links are not followed. */
static int next_file(void *arg, void *in)
{
    walk *w = arg;
    path *file = in;
    for (FTSENT *e; errno = 0, (e = fts_read(w->tree)) != NULL;) {
        if (e->fts_info == FTS_DNR || e->fts_info == FTS_ERR || e->fts_info == FTS_NS)
            say(w, e->fts_path, e->fts_errno);
        else if (e->fts_info == FTS_F && e->fts_pathlen >= PATH_BYTES)
            say(w, e->fts_path, ENAMETOOLONG);
        else if (e->fts_info == FTS_F) {
            memcpy(file->name, e->fts_path, (size_t)e->fts_pathlen + 1);
            return 1;
        }
    }
    return -errno; /* 0: that was all */
}

/* ---- Both ------------------------------------------------------------------------------------ */

static void show(walk *w, const urd_pool_result *r)
{
    const path *file = r->in;
    const sum *s = r->out;
    if (r->result) {
        say(w, file->name, -r->result);
        return;
    }
    for (int i = 0; i < SUM_BYTES; i++)
        printf("%02x", s->bytes[i]);
    printf("  %s\n", file->name);
}

static int hash_all(urd_pool *p, walk *w)
{
    urd_pool_flow *f;
    urd_pool_result r;
    urd_pool_flow_options o = {.source = next_file,
                               .arg = w,
                               .in_bytes = sizeof(path),
                               .out_bytes = sizeof(sum),
                               .ordered = true};
    int rc = urd_pool_flow_open(&f, p, hash_file, &o);
    while (rc == 0 && (rc = urd_pool_flow_next(f, &r)) == 1) {
        show(w, &r);
        rc = 0;
    }
    int closed = urd_pool_flow_close(f);
    return rc ? rc : closed;
}

static int run(void *arg)
{
    walk *w = arg;
    w->tree = fts_open((char *[]){w->folder, NULL}, FTS_PHYSICAL | FTS_NOCHDIR, by_name);
    if (!w->tree)
        return -errno;
    urd_pool *p;
    int rc = urd_pool_open(&p, w->kind, 0, NULL);
    if (rc == 0) {
        rc = hash_all(p, w);
        int closed = urd_pool_close(p);
        rc = rc ? rc : closed;
    }
    fts_close(w->tree);
    return rc;
}

static bool parse(int argc, char **argv, walk *w)
{
    static const char *const words[] = {"tasks", "threads", "processes"};
    static const urd_kind kinds[] = {URD_TASK, URD_THREAD, URD_PROCESS};
    for (int i = 0; argc == 3 && i < 3; i++)
        if (strcmp(argv[1], words[i]) == 0) {
            *w = (walk){.kind = kinds[i], .folder = argv[2]};
            return true;
        }
    return false;
}

int main(int argc, char **argv)
{
    walk w;
    if (!parse(argc, argv, &w)) {
        fprintf(stderr, "usage: sha256 tasks|threads|processes FOLDER\n");
        return 2;
    }
    int rc = urd_run(NULL, run, &w);
    if (rc < 0)
        fprintf(stderr, "sha256: %s\n", strerror(-rc));
    return rc < 0 || w.failed;
}
