/*
 * jobs.c - one program of many ranks: what it is told to do, it does at rank 0 (test/cli/mpi.py).
 *
 * SPDX-License-Identifier: MIT
 *
 *     jobs WHAT tasks | threads | processes          all: by each kind in turn
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "urd_mpi.h"

#ifdef ANOTHER_BUILD
const char another_build[] = "than the others";
#endif

static urd_kind kind;

static int rank(void)
{
    const char *text = getenv("OMPI_COMM_WORLD_RANK"); /* in a worker process, too */
    return text ? atoi(text) : 0;
}

static int square(const void *in, void *out)
{
    long v = *(const long *)in;
    *(long *)out = v * v;
    return 0;
}

static int where(const void *in, void *out)
{
    (void)in;
    *(int *)out = rank();
    return urd_sleep(20 * URD_MS);
}

static int fail_at_70(const void *in, void *out)
{
    (void)out;
    return *(const int *)in == 70 ? -EDOM : 0;
}

static int die_at_rank_1(const void *in, void *out)
{
    *(int *)out = *(const int *)in;
    if (rank() == 1 && *(const int *)in < 6)
        raise(SIGKILL);
    return urd_sleep(5 * URD_MS);
}

static int wait_for_cancel(const void *in, void *out)
{
    (void)in;
    (void)out;
    return urd_sleep_until(URD_FOREVER);
}

static int check_large(const void *in, void *out)
{
    const unsigned char *a = in;
    unsigned char *b = out;
    for (size_t i = 0; i < 1 << 20; i++)
        b[i] = (unsigned char)(a[i] + 1);
    return 0;
}

/* ---- What rank 0 does ------------------------------------------------------------------------ */

static int many(urd_pool *p)
{
    enum { N = 20000 };
    static long in[N], out[N];
    for (long i = 0; i < N; i++)
        in[i] = i;
    int rc = urd_pool_map(p, square, in, out, N);
    for (long i = 0; i < N; i++)
        rc = rc ? rc : out[i] == i * i ? 0 : -EILSEQ;
    return rc;
}

/* All ranks take part. */
static int spread(urd_pool *p)
{
    enum { N = 24 };
    int in[N] = {0}, out[N], seen[64] = {0};
    int rc = urd_pool_map(p, where, in, out, N);
    for (int i = 0; i < N && rc == 0; i++)
        seen[out[i]]++;
    for (int r = 0; r < urd_mpi_ranks(); r++)
        rc = rc ? rc : seen[r] > 0 ? 0 : -EILSEQ;
    return rc;
}

static int large(urd_pool *p)
{
    enum { N = 6, BYTES = 1 << 20 };
    unsigned char *in = malloc((size_t)N * BYTES), *out = malloc((size_t)N * BYTES);
    int rc = in && out ? 0 : -ENOMEM;
    for (size_t i = 0; rc == 0 && i < (size_t)N * BYTES; i++)
        in[i] = (unsigned char)(i * 7 / 5);
    if (rc == 0)
        rc = urd_pool_map_sized(p, check_large, in, BYTES, out, BYTES, N);
    for (size_t i = 0; rc == 0 && i < (size_t)N * BYTES; i++)
        rc = out[i] == (unsigned char)(in[i] + 1) ? 0 : -EILSEQ;
    free(in);
    free(out);
    return rc;
}

static int next_number(void *arg, void *in)
{
    long *next = arg;
    *(long *)in = (*next)++;
    return 1; /* for ever */
}

static int endless(urd_pool *p)
{
    urd_pool_flow *f;
    urd_pool_result r;
    long next = 0;
    urd_pool_flow_options o = {.source = next_number,
                               .arg = &next,
                               .in_bytes = sizeof(long),
                               .out_bytes = sizeof(long),
                               .inflow_max = 32,
                               .ordered = true};
    int rc = urd_pool_flow_open(&f, p, square, &o);
    for (long i = 0; i < 1000 && rc == 0; i++) {
        rc = urd_pool_flow_next(f, &r) == 1 ? r.result : -EPIPE;
        if (rc == 0 && (*(const long *)r.out != i * i || next > i + 1 + 32))
            rc = -EILSEQ;
    }
    int closed = urd_pool_flow_close(f);
    return rc ? rc : closed;
}

static int failing(urd_pool *p)
{
    int in[200];
    char out[200];
    for (int i = 0; i < 200; i++)
        in[i] = i;
    int rc = urd_pool_map(p, fail_at_70, in, out, 200);
    urd_pool_job j;
    int one = urd_pool_submit(&j, p, fail_at_70, &in[70], sizeof(int), out, 1);
    one = one ? one : urd_pool_wait(&j);
    printf("%d %d %.4s\n", rc, one, urd_pool_detail(&j));
    return 0;
}

/* Of 40, those of the first at rank 1 die: each fails alone, or is run elsewhere. */
static int dying(urd_pool *p)
{
    urd_pool_flow *f;
    urd_pool_result r;
    int in[40], failed = 0, right = 0, rc;
    for (int i = 0; i < 40; i++)
        in[i] = i;
    urd_pool_flow_options o = {
        .in = in, .n = 40, .in_bytes = sizeof(int), .out_bytes = sizeof(int)};
    rc = urd_pool_flow_open(&f, p, die_at_rank_1, &o);
    while (rc == 0 && (rc = urd_pool_flow_next(f, &r)) == 1) {
        rc = 0;
        if (r.result == 0)
            right += *(const int *)r.out == (int)r.index;
        else if (r.result == -ECHILD && strncmp(r.detail, "rank 1: ", 8) == 0)
            failed += r.index < 6 || strcmp(r.detail, "rank 1: it was lost") == 0;
        else
            printf("%zu: %d %s\n", r.index, r.result, r.detail);
    }
    int closed = urd_pool_flow_close(f);
    printf("%d failed: %d\n", failed > 0, failed + right);
    return rc ? rc : closed;
}

/* The deadline of the pool's scope reaches the jobs at all ranks. */
static int late_pool(void)
{
    urd_pool *p;
    urd_scope s;
    urd_scope_open(&s);
    int rc = urd_mpi_pool_open(&p, kind, 2, NULL);
    if (rc == 0) {
        urd_scope_deadline(&s, urd_now() + 100 * URD_MS);
        char in[8] = {0}, out[8];
        rc = urd_pool_map(p, wait_for_cancel, in, out, 8);
        int closed = urd_pool_close(p);
        rc = rc == -ECANCELED && closed == -ECANCELED ? 0 : -EILSEQ;
    }
    int joined = urd_scope_join(&s);
    return rc ? rc : joined == -ETIMEDOUT ? 0 : -EILSEQ;
}

static int wrong(void)
{
    urd_pool *p = NULL;
    int x = 0, bad = 0;
    bad += urd_mpi_pool_open(&p, (urd_kind)7, 0, NULL) != -EINVAL || p;
    bad += urd_mpi_pool_open(&p, kind, -1, NULL) != -EINVAL;
    bad += urd_mpi_pool_open(&p, kind, 5000, NULL) != -EINVAL;
    bad += urd_mpi_pool_open(&p, kind, 0, &(urd_pool_options){.arg = &x}) != -EINVAL;
    bad += urd_mpi_pool_open(&p, kind, 0, &(urd_pool_options){.workers_min = 1}) != -EINVAL;
    bad += urd_mpi_pool_open(&p, kind, 0, &(urd_pool_options){.retries_max = -1}) != -EINVAL;
    bad += urd_mpi_pool_open(&p, kind, 0, NULL) != 0;
    urd_pool_job j;
    bad += urd_pool_submit(&j, p, (urd_pool_fn *)(uintptr_t)&bad, &x, 4, &x, 4) != -EINVAL;
    bad += urd_pool_submit(&j, p, square, &x, (size_t)2 << 30, &x, 4) != 0;
    bad += urd_pool_wait(&j) != -EMSGSIZE;
    bad += urd_pool_close(p) != 0;
    return bad ? -EILSEQ : 0;
}

static int by_pool(int (*fn)(urd_pool *p), const urd_pool_options *o)
{
    urd_pool *p;
    int rc = urd_mpi_pool_open(&p, kind, 1, o);
    if (rc)
        return rc;
    rc = fn(p);
    int closed = urd_pool_close(p);
    return rc ? rc : closed;
}

static int end_badly(void *unused)
{
    (void)unused;
    return rank() == 1 ? -ENOTTY : 0;
}

static int run(void *arg)
{
    static const struct {
        const char *word;
        int (*fn)(urd_pool *p);
    } words[] = {{"many", many},       {"spread", spread},   {"large", large},
                 {"endless", endless}, {"failing", failing}, {"dying", dying}};
    const char *what = arg;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(what, words[i].word) == 0)
            return by_pool(words[i].fn, NULL);
    if (strcmp(what, "retrying") == 0)
        return by_pool(dying, &(urd_pool_options){.retries_max = 50});
    if (strcmp(what, "all") != 0)
        return -ENOSYS;
    int rc = 0;
    for (int i = 0; i < 3 && rc == 0; i++) {
        kind = (urd_kind)i;
        rc = by_pool(many, NULL);
        rc = rc ? rc : by_pool(spread, NULL);
        rc = rc ? rc : by_pool(large, NULL);
        rc = rc ? rc : by_pool(endless, NULL);
        rc = rc ? rc : late_pool();
        rc = rc ? rc : wrong();
    }
    if (rc == 0 && urd_mpi_ranks() > 1 &&
        by_pool(spread, &(urd_pool_options){.begin = end_badly}) != -ENOTTY)
        rc = -EILSEQ;
    return rc;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    kind = argv[2][0] == 'p' ? URD_PROCESS : argv[2][1] == 'h' ? URD_THREAD : URD_TASK;
    int rc = urd_mpi_run(NULL, run, argv[1]);
    if (urd_mpi_rank() == 0)
        printf("%s: %s\n", argv[1], rc ? strerror(-rc) : "right");
    return rc != 0;
}
