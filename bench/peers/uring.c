/*
 * uring.c - the echo server that is no runtime, on io_uring: one loop over one ring.
 *
 * SPDX-License-Identifier: MIT
 *
 * A message that has come is sent back and the next one asked for by two linked entries, and all
 * connections that are ready share one system call.  The flags of the ring matter more than
 * anything else: one issuer, and completions only when asked for.
 */
#include <linux/io_uring.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "peer_net.h"

enum { ENTRIES = 4096, COMPLETIONS = 32768, CONNECTIONS_MAX = 16384, MESSAGE_MAX = 4096 };
enum { ACCEPTED = CONNECTIONS_MAX };

typedef struct ring {
    int fd;
    struct io_uring_sqe *sqes;
    struct io_uring_cqe *cqes;
    unsigned *sq_tail, *cq_head, *cq_tail; /* shared with the kernel */
    unsigned sq_mask, cq_mask, tail, submitted;
} ring;

static struct {
    int fd;
    char bytes[MESSAGE_MAX];
} connection[CONNECTIONS_MAX];

/* False where the kernel has no such ring, or does not let us have one. */
static bool open_ring(ring *r)
{
    struct io_uring_params p = {.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                                         IORING_SETUP_CQSIZE,
                                .cq_entries = COMPLETIONS};
    r->fd = (int)syscall(SYS_io_uring_setup, ENTRIES, &p);
    if (r->fd < 0 || !(p.features & IORING_FEAT_SINGLE_MMAP))
        return false;
    size_t bytes = p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe);
    size_t more = p.sq_off.array + p.sq_entries * sizeof(unsigned);
    char *both = mmap(NULL, bytes > more ? bytes : more, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_POPULATE, r->fd, IORING_OFF_SQ_RING);
    r->sqes = mmap(NULL, p.sq_entries * sizeof *r->sqes, PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_POPULATE, r->fd, IORING_OFF_SQES);
    if (both == MAP_FAILED || (void *)r->sqes == MAP_FAILED)
        return false;
    r->sq_tail = (unsigned *)(void *)(both + p.sq_off.tail);
    r->cq_head = (unsigned *)(void *)(both + p.cq_off.head);
    r->cq_tail = (unsigned *)(void *)(both + p.cq_off.tail);
    r->cqes = (struct io_uring_cqe *)(void *)(both + p.cq_off.cqes);
    r->sq_mask = p.sq_entries - 1;
    r->cq_mask = p.cq_entries - 1;
    unsigned *array = (unsigned *)(void *)(both + p.sq_off.array);
    for (unsigned i = 0; i < p.sq_entries; i++)
        array[i] = i;
    return true;
}

static void submit(ring *r, unsigned wanted)
{
    __atomic_store_n(r->sq_tail, r->tail, __ATOMIC_RELEASE);
    long n = syscall(SYS_io_uring_enter, r->fd, r->tail - r->submitted, wanted,
                     IORING_ENTER_GETEVENTS, NULL, 0);
    peer_must((int)n, "io_uring_enter");
    r->submitted += (unsigned)n;
}

static struct io_uring_sqe *entry(ring *r, int op, int fd, unsigned data)
{
    struct io_uring_sqe *e = &r->sqes[r->tail++ & r->sq_mask];
    *e = (struct io_uring_sqe){.opcode = (unsigned char)op, .fd = fd, .user_data = data};
    return e;
}

static void receive(ring *r, unsigned i)
{
    struct io_uring_sqe *e = entry(r, IORING_OP_RECV, connection[i].fd, i);
    e->addr = (uintptr_t)connection[i].bytes;
    e->len = MESSAGE_MAX;
    e->ioprio = IORING_RECVSEND_POLL_FIRST;
}

/* The kernel receives only when it has sent, so one buffer serves both. */
static void answer(ring *r, unsigned i, int size)
{
    struct io_uring_sqe *e = entry(r, IORING_OP_SEND, connection[i].fd, i);
    e->addr = (uintptr_t)connection[i].bytes;
    e->len = (unsigned)size;
    e->msg_flags = MSG_NOSIGNAL | MSG_WAITALL;
    e->flags = IOSQE_IO_LINK | IOSQE_CQE_SKIP_SUCCESS;
    receive(r, i);
}

static void serve(ring *r, int listener)
{
    unsigned connections = 0;
    entry(r, IORING_OP_ACCEPT, listener, ACCEPTED);
    for (;;) {
        submit(r, 1);
        unsigned head = *r->cq_head, tail = __atomic_load_n(r->cq_tail, __ATOMIC_ACQUIRE);
        for (; head != tail; head++) {
            const struct io_uring_cqe *done = &r->cqes[head & r->cq_mask];
            if (r->tail - r->submitted > ENTRIES - 2) /* links must not be torn */
                submit(r, 0);
            if (done->user_data == ACCEPTED) {
                peer_must(connections < CONNECTIONS_MAX ? done->res : -1, "accept");
                setsockopt(done->res, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
                connection[connections].fd = done->res;
                receive(r, connections++);
                entry(r, IORING_OP_ACCEPT, listener, ACCEPTED);
            } else if (done->res > 0) {
                answer(r, (unsigned)done->user_data, done->res);
            }
        }
        __atomic_store_n(r->cq_head, head, __ATOMIC_RELEASE);
    }
}

static void echo(peer_args a)
{
    (void)a;
    static ring r;
    if (!open_ring(&r))
        exit(PEER_NO_ROW);
    serve(&r, peer_listen(0));
}

int main(int argc, char **argv)
{
    static const peer_row rows[] = {{"echo", echo}, {NULL, NULL}};
    return peer_main(argc, argv, rows);
}
