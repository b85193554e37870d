/*
 * libuv.c - the rows of the comparison in libuv: what waits.
 *
 * SPDX-License-Identifier: MIT
 */
#include <uv.h>

#include "peer_net.h"

static void must_uv(int rc)
{
    if (rc < 0)
        peer_fail(uv_strerror(rc));
}

typedef struct timer {
    uv_timer_t uv;
    int64_t when;
} timer;

static double late_sum, late_max;

static void fired(uv_timer_t *t)
{
    double late = (double)(peer_now() - ((timer *)t)->when);
    late_sum += late;
    late_max = late > late_max ? late : late_max;
}

/* Milliseconds are its unit: each timer is due at the first that is not too early. */
static void timers_fire(peer_args a)
{
    uv_loop_t *loop = uv_default_loop();
    timer *all = malloc((size_t)a.times * sizeof *all);
    uint64_t seed = 88172645463325252u;
    double cpu = peer_cpu();
    int64_t start = peer_now();
    for (long i = 0; i < a.times; i++) {
        all[i].when = start + (int64_t)(peer_random(&seed) % 1000000000);
        must_uv(uv_timer_init(loop, &all[i].uv));
        int64_t base = (int64_t)uv_now(loop) * 1000000;
        int64_t wait = (all[i].when - base + 999999) / 1000000;
        must_uv(uv_timer_start(&all[i].uv, fired, wait > 0 ? (uint64_t)wait : 0, 0));
    }
    uv_run(loop, UV_RUN_DEFAULT);
    peer_say_timers(peer_cpu() - cpu, late_sum, late_max, a.times);
}

static void timers_set(peer_args a)
{
    uv_loop_t *loop = uv_default_loop();
    timer *all = malloc((size_t)a.times * sizeof *all);
    uint64_t seed = 88172645463325252u;
    double cpu = peer_cpu();
    for (long i = 0; i < a.times; i++) {
        must_uv(uv_timer_init(loop, &all[i].uv));
        must_uv(uv_timer_start(&all[i].uv, fired, 60000 + peer_random(&seed) % 1000, 0));
    }
    for (long i = 0; i < a.times; i++)
        must_uv(uv_timer_stop(&all[i].uv));
    peer_say("timers-set", (peer_cpu() - cpu) * 1e6 / (double)a.times, "s");
}

static struct {
    uv_async_t async;
    int64_t sent; /* atomic */
    int64_t *samples;
    long n, wanted;
} waker;

static void woken(uv_async_t *async)
{
    waker.samples[waker.n++] = peer_now() - __atomic_load_n(&waker.sent, __ATOMIC_ACQUIRE);
    if (waker.n == waker.wanted)
        uv_close((uv_handle_t *)async, NULL);
}

static void from_outside(void *arg)
{
    (void)arg;
    for (long i = 0; i < waker.wanted; i++) {
        uv_sleep(1);
        __atomic_store_n(&waker.sent, peer_now(), __ATOMIC_RELEASE);
        uv_async_send(&waker.async);
    }
}

/* Calls of uv_async_send may be made one; on an overloaded machine the last are then missing. */
static void wake(peer_args a)
{
    waker.wanted = a.times;
    waker.samples = calloc((size_t)a.times, sizeof *waker.samples);
    must_uv(uv_async_init(uv_default_loop(), &waker.async, woken));
    uv_thread_t thread;
    must_uv(uv_thread_create(&thread, from_outside, NULL));
    while (waker.n < waker.wanted * 9 / 10)
        uv_run(uv_default_loop(), UV_RUN_ONCE);
    uv_thread_join(&thread);
    peer_say_wakes(waker.samples, waker.n);
}

typedef struct reply {
    uv_write_t request;
    char bytes[4096];
} reply;

static void make_room(uv_handle_t *handle, size_t wanted, uv_buf_t *buf)
{
    static char room[65536]; /* one message is in it at a time: it is answered or copied at once */
    (void)handle;
    (void)wanted;
    *buf = uv_buf_init(room, sizeof room);
}

static void written(uv_write_t *request, int status)
{
    (void)status;
    free(request);
}

/* Answer at once where the socket takes it; what it does not is copied and waits. */
static void received(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    if (n < 0) {
        uv_close((uv_handle_t *)stream, (uv_close_cb)free);
        return;
    }
    uv_buf_t out = uv_buf_init(buf->base, (unsigned)n);
    int done = uv_try_write(stream, &out, 1);
    if (done == n)
        return;
    done = done > 0 ? done : 0;
    reply *r = malloc(sizeof *r);
    if (!r || (size_t)(n - done) > sizeof r->bytes)
        peer_fail("memory");
    memcpy(r->bytes, buf->base + done, (size_t)(n - done));
    out = uv_buf_init(r->bytes, (unsigned)(n - done));
    must_uv(uv_write(&r->request, stream, &out, 1, written));
}

static void connected(uv_stream_t *listener, int status)
{
    must_uv(status);
    uv_tcp_t *client = malloc(sizeof *client);
    must_uv(uv_tcp_init(uv_default_loop(), client));
    must_uv(uv_accept(listener, (uv_stream_t *)client));
    must_uv(uv_tcp_nodelay(client, 1));
    must_uv(uv_read_start((uv_stream_t *)client, make_room, received));
}

static void listen_with(uv_connection_cb on_connection)
{
    static uv_tcp_t listener;
    struct sockaddr_in at;
    int length = sizeof at;
    must_uv(uv_ip4_addr("127.0.0.1", 0, &at));
    must_uv(uv_tcp_init(uv_default_loop(), &listener));
    must_uv(uv_tcp_bind(&listener, (struct sockaddr *)&at, 0));
    must_uv(uv_listen((uv_stream_t *)&listener, PEER_BACKLOG, on_connection));
    must_uv(uv_tcp_getsockname(&listener, (struct sockaddr *)&at, &length));
    printf("port %d\n", ntohs(at.sin_port));
    fflush(stdout);
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}

static void echo(peer_args a)
{
    (void)a;
    listen_with(connected);
}

static void closing(uv_stream_t *listener, int status)
{
    must_uv(status);
    uv_tcp_t *client = malloc(sizeof *client);
    must_uv(uv_tcp_init(uv_default_loop(), client));
    must_uv(uv_accept(listener, (uv_stream_t *)client));
    uv_close((uv_handle_t *)client, (uv_close_cb)free);
}

static void accept_row(peer_args a)
{
    (void)a;
    listen_with(closing);
}

static struct {
    uv_process_t process;
    uv_process_options_t options;
    long left;
} starter;

static void start_next(void);

static void ended(uv_handle_t *handle)
{
    (void)handle;
    if (starter.left-- > 0)
        start_next();
}

static void exited(uv_process_t *process, int64_t code, int signal)
{
    if (code != 0 || signal != 0)
        peer_fail("a program");
    uv_close((uv_handle_t *)process, ended);
}

static void start_next(void)
{
    must_uv(uv_spawn(uv_default_loop(), &starter.process, &starter.options));
}

static void start_all(peer_args a)
{
    static char *arguments[] = {"/bin/true", NULL};
    starter.options =
        (uv_process_options_t){.file = arguments[0], .args = arguments, .exit_cb = exited};
    start_next();
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    starter.left = a.times - 1;
    int64_t start = peer_now();
    start_next();
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    peer_say_us(a.row, start, a.times);
}

static void start_all_large(peer_args a)
{
    peer_grow();
    start_all(a);
}

int main(int argc, char **argv)
{
    static const peer_row rows[] = {{"timers-fire", timers_fire},
                                    {"timers-set", timers_set},
                                    {"wake", wake},
                                    {"echo", echo},
                                    {"accept", accept_row},
                                    {"exec", start_all},
                                    {"exec-large", start_all_large},
                                    {NULL, NULL}};
    return peer_main(argc, argv, rows);
}
