/*
 * zeromq.c - the row of messages between processes in ZeroMQ, over its ipc transport.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sys/wait.h>
#include <zmq.h>

#include "peer.h"

enum { WAITING_MAX = 1024 };

/* Its own limits are 1000 a side. */
static void *open_socket(void *context, int type, int limit)
{
    void *s = zmq_socket(context, type);
    int n = WAITING_MAX;
    if (!s)
        peer_fail("zmq_socket");
    peer_must(zmq_setsockopt(s, limit, &n, sizeof n), "zmq_setsockopt");
    return s;
}

static void send_all(const char *address, long n)
{
    void *context = zmq_ctx_new();
    void *s = open_socket(context, ZMQ_PUSH, ZMQ_SNDHWM);
    peer_must(zmq_connect(s, address), "zmq_connect");
    peer_message m = {.number = 0};
    for (; m.number < n; m.number++)
        peer_must(zmq_send(s, &m, sizeof m, 0), "zmq_send");
    zmq_close(s);
    zmq_ctx_term(context); /* when all is sent */
}

static void chan_process(peer_args a)
{
    char address[64];
    snprintf(address, sizeof address, "ipc://@urdume-peers-%d", (int)getpid());
    pid_t child = fork(); /* before there are threads; it connects when there is somebody */
    if (child == 0) {
        send_all(address, a.times);
        _exit(0);
    }
    void *context = zmq_ctx_new();
    void *s = open_socket(context, ZMQ_PULL, ZMQ_RCVHWM);
    peer_must(zmq_bind(s, address), "zmq_bind");
    long sum = 0;
    int64_t start = 0;
    for (long i = 0; i < a.times; i++) {
        peer_message m;
        if (zmq_recv(s, &m, sizeof m, 0) != sizeof m)
            peer_fail("zmq_recv");
        sum += m.number;
        if (i == 0)
            start = peer_now();
    }
    peer_say_messages(start, a.times, sum);
    zmq_close(s);
    zmq_ctx_term(context);
    waitpid(child, NULL, 0);
}

int main(int argc, char **argv)
{
    static const peer_row rows[] = {{"chan-process", chan_process}, {NULL, NULL}};
    return peer_main(argc, argv, rows);
}
