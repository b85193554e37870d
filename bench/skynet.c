/*
 * skynet.c - a million leaves in a tree of tens, each number summed up: what does a node cost?
 *
 * SPDX-License-Identifier: MIT
 *
 * As its users write it: every node starts ten jobs, which send their sums on a channel of the
 * node's.  And the same as fork and join.  Sketch: depth first a job is a descriptor pushed and
 * popped, and a channel that nobody waits on takes and gives under a lock: some 50 ns a leaf.
 * Floor: calls in sequence that cannot be seen through.
 */
#include "bench.h"

enum { LEAVES = 1000000, CHILDREN = 10 };
static const long SUM = LEAVES * (LEAVES - 1L) / 2;

typedef struct node {
    long number, size, sum;
    urd_chan *up;
} node;

static int call(void *arg);
static urd_fn *volatile opaque = call;

static int call(void *arg)
{
    node *n = arg;
    n->sum = n->size == 1 ? n->number : 0;
    for (int i = 0; i < CHILDREN && n->size > 1; i++) {
        long size = n->size / CHILDREN;
        node child = {.number = n->number + i * size, .size = size};
        bench_must(opaque(&child), "call");
        n->sum += child.sum;
    }
    return 0;
}

static int with_channels(void *arg)
{
    node *n = arg;
    if (n->size == 1)
        return urd_chan_send(n->up, &n->number);
    urd_chan c;
    long ring[CHILDREN], sum = 0, size = n->size / CHILDREN;
    node children[CHILDREN];
    urd_scope s;
    urd_chan_init(&c, sizeof(long), ring, CHILDREN);
    urd_scope_open(&s);
    for (int i = 0; i < CHILDREN; i++) {
        children[i] = (node){.number = n->number + i * size, .size = size, .up = &c};
        urd_go(&s, with_channels, &children[i]);
    }
    int rc = urd_scope_join(&s);
    for (int i = 0; i < CHILDREN && rc == 0; i++) {
        long one;
        rc = urd_chan_recv(&c, &one);
        sum += one;
    }
    urd_chan_fini(&c);
    return rc ? rc : urd_chan_send(n->up, &sum);
}

/* Receiving before the join, as in Go: the parent blocks, and its children get stacks. */
static int receiving_first(void *arg)
{
    node *n = arg;
    if (n->size == 1)
        return urd_chan_send(n->up, &n->number);
    urd_chan c;
    long sum = 0, size = n->size / CHILDREN;
    node children[CHILDREN];
    urd_scope s;
    urd_chan_init(&c, sizeof(long), NULL, 0);
    urd_scope_open(&s);
    for (int i = 0; i < CHILDREN; i++) {
        children[i] = (node){.number = n->number + i * size, .size = size, .up = &c};
        urd_go(&s, receiving_first, &children[i]);
    }
    int rc = 0;
    for (int i = 0; i < CHILDREN && rc == 0; i++) {
        long one;
        rc = urd_chan_recv(&c, &one);
        sum += one;
    }
    int joined = urd_scope_join(&s);
    urd_chan_fini(&c);
    return rc ? rc : joined ? joined : urd_chan_send(n->up, &sum);
}

static int with_scope(void *arg)
{
    node *n = arg;
    n->sum = n->number;
    if (n->size == 1)
        return 0;
    long size = n->size / CHILDREN;
    node children[CHILDREN];
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < CHILDREN; i++) {
        children[i] = (node){.number = n->number + i * size, .size = size};
        urd_go(&s, with_scope, &children[i]);
    }
    int rc = urd_scope_join(&s);
    n->sum = 0;
    for (int i = 0; i < CHILDREN; i++)
        n->sum += children[i].sum;
    return rc;
}

static int with_forks(void *arg)
{
    node *n = arg;
    n->sum = n->number;
    if (n->size == 1)
        return 0;
    long size = n->size / CHILDREN;
    node children[CHILDREN];
    urd_call calls[CHILDREN];
    for (int i = 0; i < CHILDREN; i++) {
        children[i] = (node){.number = n->number + i * size, .size = size};
        calls[i] = (urd_call){with_forks, &children[i]};
    }
    int rc = urd_invoke(calls, CHILDREN);
    n->sum = 0;
    for (int i = 0; i < CHILDREN; i++)
        n->sum += children[i].sum;
    return rc;
}

static void calls(long n)
{
    node top = {.size = n};
    bench_must(opaque(&top), "call");
    bench_must(top.sum == SUM ? 0 : -1, "sum");
}

static void run_up(urd_fn *fn, long n)
{
    urd_chan c;
    long ring[1], sum;
    urd_chan_init(&c, sizeof(long), ring, 1);
    node top = {.size = n, .up = &c};
    bench_must(fn(&top), "skynet");
    bench_must(urd_chan_recv(&c, &sum), "recv");
    bench_must(sum == SUM ? 0 : -1, "sum");
    urd_chan_fini(&c);
}

static void channels(long n)
{
    run_up(with_channels, n);
}

static void receiving(long n)
{
    run_up(receiving_first, n);
}

static void scopes(long n)
{
    node top = {.size = n};
    bench_must(with_scope(&top), "scope");
    bench_must(top.sum == SUM ? 0 : -1, "sum");
}

static void invoked(long n)
{
    node top = {.size = n};
    bench_must(with_forks(&top), "urd_invoke");
    bench_must(top.sum == SUM ? 0 : -1, "sum");
}

static int measure(void *arg)
{
    bench_case cases[] = {{.name = "calls in sequence, ns a leaf", .run = calls},
                          {.name = "urd_go, rendezvous, receive then join", .run = receiving},
                          {.name = "urd_go, buffered, join then receive", .run = channels},
                          {.name = "urd_go and join", .run = scopes},
                          {.name = "urd_invoke", .run = invoked},
                          {.run = NULL}};
    for (bench_case *c = cases; c->run; c++) {
        c->n = LEAVES;
        c->fixed = true;
    }
    bench_run(cases, *(int *)arg);
    return 0;
}

int main(int argc, char **argv)
{
    return bench_one_and_two(argc, argv, measure);
}
