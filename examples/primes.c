/*
 * primes.c - count primes in equal parts: work for the processor, on every core.
 *
 * SPDX-License-Identifier: MIT
 *
 * Every part gets its limits and gives its count in one struct, which for a process is copied there
 * and back.  Nothing is shared, so nothing needs a lock.
 *
 *     primes sequencial | tarefas | threads | processos  [LIMIT]
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <urd.h>

enum { PARTS = 8, SEQUENTIAL = -1 };

typedef struct part {
    long first; /* odd */
    long limit;
    long count; /* the result */
} part;

typedef struct request {
    int how;
    long limit;
} request;

static bool is_prime(long n)
{
    for (long d = 3; d * d <= n; d += 2) {
        if (n % d == 0)
            return false;
    }
    return n > 1;
}

/* Every PARTS-th odd number: small and large ones alike, so the parts take equally long. */
static int count_primes(void *arg)
{
    part *p = arg;
    for (long n = p->first; n < p->limit; n += 2L * PARTS) {
        if (is_prime(n))
            p->count++;
        if (n % 4096 == 1 && urd_cancelled())
            return -ECANCELED;
    }
    return 0;
}

static int count_parts(part *parts, int how)
{
    urd_scope s;
    urd_scope_open(&s);
    if (how == SEQUENTIAL)
        urd_scope_limit(&s, 1);
    urd_kind kind = how == SEQUENTIAL ? URD_TASK : (urd_kind)how;
    for (int i = 0; i < PARTS; i++)
        urd_spawn(&s, kind, count_primes, &parts[i], sizeof parts[i]);
    return urd_scope_join(&s);
}

static int count_all(void *arg)
{
    const request *r = arg;
    part parts[PARTS];
    for (int i = 0; i < PARTS; i++)
        parts[i] = (part){.first = 2L * i + 1, .limit = r->limit};

    urd_time start = urd_now();
    int rc = count_parts(parts, r->how);
    if (rc < 0)
        return rc;
    long count = r->limit > 2; /* 2 is the one even prime */
    for (int i = 0; i < PARTS; i++)
        count += parts[i].count;
    printf("Primos abaixo de %ld: %ld\n", r->limit, count);
    printf("Tempo total: %.2f s\n", (double)(urd_now() - start) / URD_SECOND);
    return 0;
}

static bool parse(int argc, char **argv, request *r)
{
    static const char *const words[] = {"sequencial", "tarefas", "threads", "processos"};
    static const int hows[] = {SEQUENTIAL, URD_TASK, URD_THREAD, URD_PROCESS};
    if (argc < 2 || argc > 3)
        return false;
    r->limit = 1000000;
    if (argc == 3) {
        char *end;
        r->limit = strtol(argv[2], &end, 10);
        if (*end != '\0' || end == argv[2] || r->limit < 0 || r->limit > 1000000000)
            return false;
    }
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(argv[1], words[i]) == 0) {
            r->how = hows[i];
            return true;
        }
    }
    return false;
}

int main(int argc, char **argv)
{
    request r;
    if (!parse(argc, argv, &r)) {
        fprintf(stderr, "uso: primes sequencial|tarefas|threads|processos [LIMITE]\n");
        return 2;
    }
    int rc = urd_run(NULL, count_all, &r);
    if (rc < 0)
        fprintf(stderr, "primes: %s\n", strerror(-rc));
    return rc < 0;
}
