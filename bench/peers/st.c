/*
 * st.c - the rows of the comparison in state-threads: one thread of the system, no channels.
 *
 * SPDX-License-Identifier: MIT
 *
 * What other programs do with a channel is here a condition variable beside a variable, as its
 * users write it.  It has no yield; a sleep of no time is its idiom.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <st.h>
#include <sys/socket.h>

#include "peer_net.h"

static st_thread_t go(void *(*run)(void *), void *arg)
{
    st_thread_t thread = st_thread_create(run, arg, 1, 0);
    if (!thread)
        peer_fail("st_thread_create");
    return thread;
}

static void *nothing(void *arg)
{
    return arg;
}

static void spawn_batches(long n)
{
    static st_thread_t batch[PEER_BATCH];
    for (long i = 0; i < n; i += PEER_BATCH) {
        for (int k = 0; k < PEER_BATCH; k++)
            batch[k] = go(nothing, NULL);
        for (int k = 0; k < PEER_BATCH; k++)
            st_thread_join(batch[k], NULL);
    }
}

static void spawn(peer_args a)
{
    spawn_batches(a.times / 10);
    int64_t start = peer_now();
    spawn_batches(a.times);
    peer_say_each("spawn", start, a.times);
}

static void *yields(void *arg)
{
    for (long i = *(long *)arg; i > 0; i--)
        st_usleep(0);
    return NULL;
}

static void yield(peer_args a)
{
    long each = a.times / 2;
    int64_t start = peer_now();
    st_thread_t one = go(yields, &each), two = go(yields, &each);
    st_thread_join(one, NULL);
    st_thread_join(two, NULL);
    peer_say_each("yield", start, a.times);
}

/* One place for a value. */
typedef struct place {
    st_cond_t changed;
    long value;
    int full;
} place;

static void put(place *p, long value)
{
    while (p->full)
        st_cond_wait(p->changed);
    p->value = value;
    p->full = 1;
    st_cond_signal(p->changed);
}

static long take(place *p)
{
    while (!p->full)
        st_cond_wait(p->changed);
    p->full = 0;
    st_cond_signal(p->changed);
    return p->value;
}

static place there, back;

static void *answer(void *arg)
{
    for (;;)
        put(&back, take(&there));
    return arg;
}

static void pingpong(peer_args a)
{
    there.changed = st_cond_new();
    back.changed = st_cond_new();
    go(answer, NULL);
    int64_t start = 0;
    for (long i = -a.times / 10; i < a.times; i++) {
        if (i == 0)
            start = peer_now();
        put(&there, i);
        take(&back);
    }
    peer_say_each("pingpong", start, a.times);
}

typedef struct tree {
    struct tree *parent;
    st_cond_t heard;
    long first, leaves, sum;
    int waiting;
} tree;

static void *skynet_node(void *arg)
{
    tree *t = arg;
    t->sum = t->first;
    if (t->leaves > 1) {
        tree children[10];
        st_thread_t threads[10];
        t->sum = 0;
        t->heard = st_cond_new();
        t->waiting = 10;
        for (int i = 0; i < 10; i++) {
            children[i] = (tree){
                .parent = t, .first = t->first + i * (t->leaves / 10), .leaves = t->leaves / 10};
            threads[i] = go(skynet_node, &children[i]);
        }
        while (t->waiting > 0)
            st_cond_wait(t->heard);
        for (int i = 0; i < 10; i++)
            st_thread_join(threads[i], NULL);
        st_cond_destroy(t->heard);
    }
    if (t->parent) {
        t->parent->sum += t->sum;
        if (--t->parent->waiting == 0)
            st_cond_signal(t->parent->heard);
    }
    return NULL;
}

static void skynet(peer_args a)
{
    for (int round = 0; round < 2; round++) {
        tree root = {.leaves = a.times};
        int64_t start = peer_now();
        skynet_node(&root);
        if (round)
            peer_say_skynet(start, a.times, root.sum);
    }
}

static void mutex(peer_args a)
{
    st_mutex_t m = st_mutex_new();
    int64_t start = peer_now();
    for (long i = 0; i < a.times; i++) {
        st_mutex_lock(m);
        st_mutex_unlock(m);
    }
    peer_say_each("mutex", start, a.times);
}

static long asleep, wanted;
static int64_t moment;
static st_cond_t all_asleep;

static void *sleeper(void *arg)
{
    if (++asleep == wanted)
        st_cond_signal(all_asleep);
    int64_t left = moment - peer_now();
    st_usleep(left > 0 ? (st_utime_t)left / 1000 : 0);
    return arg;
}

static void sleepers(peer_args a)
{
    st_thread_t *all = malloc((size_t)a.times * sizeof *all);
    all_asleep = st_cond_new();
    wanted = a.times;
    double before = peer_resident();
    int64_t start = peer_now();
    moment = start + (int64_t)(a.seconds * 1e9);
    for (long i = 0; i < a.times; i++)
        all[i] = go(sleeper, NULL);
    while (asleep < wanted)
        st_cond_wait(all_asleep);
    int64_t slept = peer_now();
    double bytes = peer_resident() - before;
    for (long i = 0; i < a.times; i++)
        st_thread_join(all[i], NULL);
    peer_say_sleepers(a.times, bytes, start, slept, moment);
}

static void *serve(void *arg)
{
    st_netfd_t client = arg;
    char buffer[4096];
    ssize_t n;
    while ((n = st_read(client, buffer, sizeof buffer, ST_UTIME_NO_TIMEOUT)) > 0)
        if (st_write(client, buffer, (size_t)n, ST_UTIME_NO_TIMEOUT) != n)
            break;
    st_netfd_close(client);
    return NULL;
}

static void echo(peer_args a)
{
    (void)a;
    int on = 1;
    st_netfd_t listener = st_netfd_open_socket(peer_listen(0));
    for (;;) {
        st_netfd_t client = st_accept(listener, NULL, NULL, ST_UTIME_NO_TIMEOUT);
        if (!client)
            peer_fail("accept");
        setsockopt(st_netfd_fileno(client), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        st_thread_create(serve, client, 0, 0);
    }
}

int main(int argc, char **argv)
{
    static const peer_row rows[] = {{"spawn", spawn},   {"yield", yield}, {"pingpong", pingpong},
                                    {"skynet", skynet}, {"mutex", mutex}, {"sleepers", sleepers},
                                    {"echo", echo},     {NULL, NULL}};
    st_set_eventsys(ST_EVENTSYS_ALT); /* epoll */
    peer_must(st_init(), "st_init");
    return peer_main(argc, argv, rows);
}
