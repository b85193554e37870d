/*
 * nng.c - the row of messages between processes in nng, over its ipc transport.
 *
 * SPDX-License-Identifier: MIT
 */
#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>
#include <signal.h>
#include <sys/wait.h>

#include "peer.h"

enum { WAITING_MAX = 1024 };

static void must(int rc, const char *what)
{
    if (rc) {
        fprintf(stderr, "%s: %s\n", what, nng_strerror(rc));
        exit(1);
    }
}

static nng_socket open_socket(const char *limit)
{
    nng_socket s;
    must(nng_pair0_open(&s), "nng_pair0_open");
    must(nng_socket_set_int(s, limit, WAITING_MAX), "nng_socket_set_int");
    return s;
}

static void send_all(const char *address, long n)
{
    nng_socket s = open_socket(NNG_OPT_SENDBUF);
    while (nng_dial(s, address, NULL, 0) != 0)
        usleep(1000); /* nobody listens yet */
    peer_message m = {.number = 0};
    for (; m.number < n; m.number++)
        must(nng_send(s, &m, sizeof m, 0), "nng_send");
    pause(); /* what is not out yet would be lost by the close */
}

static void chan_process(peer_args a)
{
    char address[64];
    snprintf(address, sizeof address, "abstract://urdume-peers-%d", (int)getpid());
    pid_t child = fork(); /* before there are threads */
    if (child == 0) {
        send_all(address, a.times);
        _exit(0);
    }
    nng_socket s = open_socket(NNG_OPT_RECVBUF);
    must(nng_listen(s, address, NULL, 0), "nng_listen");
    long sum = 0;
    int64_t start = 0;
    for (long i = 0; i < a.times; i++) {
        peer_message m;
        size_t bytes = sizeof m;
        must(nng_recv(s, &m, &bytes, 0), "nng_recv");
        sum += m.number;
        if (i == 0)
            start = peer_now();
    }
    peer_say_messages(start, a.times, sum);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

int main(int argc, char **argv)
{
    static const peer_row rows[] = {{"chan-process", chan_process}, {NULL, NULL}};
    return peer_main(argc, argv, rows);
}
