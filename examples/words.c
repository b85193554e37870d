/*
 * words.c - lines, words and bytes of every file below a folder, as wc prints them.
 *
 * SPDX-License-Identifier: MIT
 *
 *     words tasks | threads | processes FOLDER
 *
 * Files are cut into pieces of a megabyte, and each piece is a job: one large file keeps all the
 * workers busy, too.  A word that a cut went through was counted in both pieces, so each piece also
 * says whether it begins and ends within a word.  Words are parted by the spaces of ASCII.
 */
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <string.h>
#include <urd.h>

enum { PATH_BYTES = 4096, BUFFER_BYTES = 1 << 14, PIECE_BYTES = 1 << 20 };

typedef struct piece {
    char file[PATH_BYTES];
    off_t at;
    bool last; /* of its file */
} piece;

typedef struct count {
    long lines, words, bytes;
    bool begins_within, ends_within; /* a word */
} count;

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static void add_bytes(count *c, const char *bytes, size_t n)
{
    if (c->bytes == 0 && n > 0)
        c->begins_within = !is_space(bytes[0]);
    for (size_t i = 0; i < n; i++) {
        bool within = !is_space(bytes[i]);
        c->words += within && !c->ends_within;
        c->lines += bytes[i] == '\n';
        c->ends_within = within;
    }
    c->bytes += (long)n;
}

static int count_piece(const void *in, void *out)
{
    const piece *p = in;
    count c = {0};
    char buffer[BUFFER_BYTES];
    ssize_t n = 1;
    int fd = urd_open(p->file, O_RDONLY, 0);
    if (fd < 0)
        return fd;
    while (c.bytes < PIECE_BYTES && (n = urd_pread(fd, buffer, sizeof buffer, p->at + c.bytes)) > 0)
        add_bytes(&c, buffer, (size_t)n);
    urd_close(fd);
    *(count *)out = c;
    return n < 0 ? (int)n : 0;
}

typedef struct walk {
    urd_kind kind;
    char *folder;
    FTS *tree;
    const FTSENT *file; /* of which there are pieces left; NULL: none */
    off_t at;
    count now, total; /* of the file whose pieces come in; of all */
    int error;        /* of that file */
    bool failed;      /* some file */
} walk;

static void say(walk *w, const char *name, int error)
{
    fprintf(stderr, "words: %s: %s\n", name, strerror(error));
    w->failed = true;
}

static bool find_file(walk *w)
{
    for (FTSENT *e; errno = 0, (e = fts_read(w->tree)) != NULL;) {
        if (e->fts_info == FTS_DNR || e->fts_info == FTS_ERR || e->fts_info == FTS_NS)
            say(w, e->fts_path, e->fts_errno);
        else if (e->fts_info == FTS_F && e->fts_pathlen >= PATH_BYTES)
            say(w, e->fts_path, ENAMETOOLONG);
        else if (e->fts_info == FTS_F) {
            w->file = e;
            w->at = 0;
            return true;
        }
    }
    return false;
}

/* The source: the next piece. */
static int next_piece(void *arg, void *in)
{
    walk *w = arg;
    piece *p = in;
    if (!w->file && !find_file(w))
        return -errno; /* 0: that was all */
    memcpy(p->file, w->file->fts_path, (size_t)w->file->fts_pathlen + 1);
    p->at = w->at;
    w->at += PIECE_BYTES;
    p->last = w->at >= w->file->fts_statp->st_size;
    if (p->last)
        w->file = NULL;
    return 1;
}

static void add_count(count *to, const count *c)
{
    to->words += c->words - (to->ends_within && c->begins_within);
    to->lines += c->lines;
    to->bytes += c->bytes;
    to->ends_within = c->ends_within;
}

static void show(const count *c, const char *what)
{
    printf("%7ld %7ld %7ld %s\n", c->lines, c->words, c->bytes, what);
}

static void take(walk *w, const urd_pool_result *r)
{
    const piece *p = r->in;
    if (r->result == 0)
        add_count(&w->now, r->out);
    else
        w->error = r->result;
    if (!p->last)
        return;
    if (w->error) {
        say(w, p->file, -w->error);
    } else {
        show(&w->now, p->file);
        add_count(&w->total, &w->now);
        w->total.ends_within = false;
    }
    w->now = (count){0};
    w->error = 0;
}

static int count_all(urd_pool *pool, walk *w)
{
    urd_pool_flow *f;
    urd_pool_result r;
    urd_pool_flow_options o = {.source = next_piece,
                               .arg = w,
                               .in_bytes = sizeof(piece),
                               .out_bytes = sizeof(count),
                               .ordered = true};
    int rc = urd_pool_flow_open(&f, pool, count_piece, &o);
    while (rc == 0 && (rc = urd_pool_flow_next(f, &r)) == 1) {
        take(w, &r);
        rc = 0;
    }
    int closed = urd_pool_flow_close(f);
    show(&w->total, "total");
    return rc ? rc : closed;
}

static int run(void *arg)
{
    walk *w = arg;
    w->tree = fts_open((char *[]){w->folder, NULL}, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    if (!w->tree)
        return -errno;
    urd_pool *pool;
    int rc = urd_pool_open(&pool, w->kind, 0, NULL);
    if (rc == 0) {
        rc = count_all(pool, w);
        int closed = urd_pool_close(pool);
        rc = rc ? rc : closed;
    }
    fts_close(w->tree);
    return rc;
}

int main(int argc, char **argv)
{
    static const char *const words[] = {"tasks", "threads", "processes"};
    static const urd_kind kinds[] = {URD_TASK, URD_THREAD, URD_PROCESS};
    int kind = argc == 3 ? 0 : 3;
    while (kind < 3 && strcmp(argv[1], words[kind]) != 0)
        kind++;
    if (kind == 3) {
        fprintf(stderr, "usage: words tasks|threads|processes FOLDER\n");
        return 2;
    }
    walk w = {.kind = kinds[kind], .folder = argv[2]};
    int rc = urd_run(NULL, run, &w);
    if (rc < 0)
        fprintf(stderr, "words: %s\n", strerror(-rc));
    return rc < 0 || w.failed;
}
