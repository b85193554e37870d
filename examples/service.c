/*
 * service.c - a service goes on while its workers are killed at their work.
 *
 * SPDX-License-Identifier: MIT
 *
 * Requests flow through a pool of two processes.  While the third one is being worked at, its
 * process is killed with SIGKILL, as an operator or the kernel would do it: the request is taken
 * up by another one, since it may run twice (`retries_max`), and every answer comes, in order.
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>
#include <urd.h>

enum { REQUESTS = 6, FATAL = 3 };

/* In shared memory. */
typedef struct desk {
    atomic_int victim; /* the process that works at the fatal request, at first */
} desk;

typedef struct request {
    int number;
    desk *desk;
} request;

static int answer(const void *in, void *out)
{
    const request *r = in;
    int nobody = 0;
    if (r->number == FATAL && atomic_compare_exchange_strong(&r->desk->victim, &nobody, getpid()))
        return urd_sleep_until(URD_FOREVER); /* it never comes to its end */
    *(int *)out = r->number * r->number;
    return 0;
}

static int kill_one(void *arg)
{
    desk *d = arg;
    int pid;
    while ((pid = atomic_load(&d->victim)) == 0) {
        int rc = urd_sleep(URD_MS);
        if (rc < 0)
            return rc;
    }
    return kill(pid, SIGKILL) ? -ESRCH : 0;
}

typedef struct queue {
    desk *desk;
    int next;
} queue;

static int next_request(void *arg, void *in)
{
    queue *q = arg;
    if (q->next > REQUESTS)
        return 0;
    *(request *)in = (request){.number = q->next++, .desk = q->desk};
    return 1;
}

static int serve(urd_pool *p, desk *d)
{
    queue q = {.desk = d, .next = 1};
    urd_pool_flow *f;
    urd_pool_result r;
    urd_pool_flow_options o = {.source = next_request,
                               .arg = &q,
                               .in_bytes = sizeof(request),
                               .out_bytes = sizeof(int),
                               .ordered = true};
    int rc = urd_pool_flow_open(&f, p, answer, &o);
    while (rc == 0 && (rc = urd_pool_flow_next(f, &r)) == 1) {
        rc = r.result;
        if (rc == 0)
            printf("Pedido %d: %d\n", ((const request *)r.in)->number, *(const int *)r.out);
    }
    int closed = urd_pool_flow_close(f);
    return rc ? rc : closed;
}

static int run(void *unused)
{
    (void)unused;
    urd_pool *p;
    urd_pool_state state;
    desk *d = urd_shared_alloc(sizeof *d);
    if (!d)
        return -ENOMEM;
    urd_scope s;
    urd_scope_open(&s);
    int rc = urd_pool_open(&p, URD_PROCESS, 2, &(urd_pool_options){.retries_max = 1});
    if (rc == 0) {
        urd_go(&s, kill_one, d);
        rc = serve(p, d);
        urd_pool_get(p, &state);
        printf("Processos mortos: %zu\n", state.died);
        int closed = urd_pool_close(p);
        rc = rc ? rc : closed;
    }
    if (rc)
        urd_scope_cancel(&s, rc);
    int joined = urd_scope_join(&s);
    urd_shared_free(d);
    return joined;
}

int main(void)
{
    return urd_run(NULL, run, NULL) != 0;
}
