/*
 * floor.c - the least this machine allows for each row, written by hand for that row alone.
 *
 * SPDX-License-Identifier: MIT
 *
 * Nothing here is a scheduler: no queue, no cancellation, no second user.  A floor says how far a
 * library can get at best, and keeps the figures of different machines comparable.
 */
#include <errno.h>
#include <sys/mman.h>
#include <sys/timerfd.h>

#include "../pass.h"
#include "floor_files.h"
#include "floor_net.h"
#include "floor_pools.h"
#include "peer.h"

#if defined(__x86_64__)
/* Save this stack in *from, go on with `to`; leaves by a jump, which is predicted as such. */
void floor_switch(void **from, void *to);
__asm__(".text\n"
        ".globl floor_switch\n"
        ".type floor_switch, @function\n"
        "floor_switch:\n"
        "    push %rbp\n"
        "    push %rbx\n"
        "    push %r12\n"
        "    push %r13\n"
        "    push %r14\n"
        "    push %r15\n"
        "    mov %rsp, (%rdi)\n"
        "    mov %rsi, %rsp\n"
        "    pop %r15\n"
        "    pop %r14\n"
        "    pop %r13\n"
        "    pop %r12\n"
        "    pop %rbx\n"
        "    pop %rbp\n"
        "    pop %rcx\n"
        "    jmp *%rcx\n"
        ".size floor_switch, . - floor_switch\n");

enum { STACK_BYTES = 16384, SLEEPER_BYTES = 1024, DEPTH_MAX = 16 };

/* A stack on which the next switch enters fn, which never returns. */
static void *prepare(char *stack, size_t bytes, void (*fn)(void))
{
    void **top = (void **)(void *)(stack + bytes);
    *--top = NULL; /* the ABI wants the stack 8 off a multiple of 16 where a function begins */
    *--top = (void *)(uintptr_t)fn;
    return top - 6;
}

static char stacks[DEPTH_MAX][STACK_BYTES] __attribute__((aligned(64)));
static void *parked[DEPTH_MAX], *gone;
static int depth;

static void do_nothing(void)
{
}

static void (*volatile opaque)(void) = do_nothing;

/* Child first on a hot stack: in, the call, out. */
static void child(void)
{
    opaque();
    floor_switch(&gone, parked[0]);
}

static void spawn(peer_args a)
{
    long n = a.times;
    for (int round = 0; round < 2; round++) {
        int64_t start = peer_now();
        for (long i = 0; i < n; i++)
            floor_switch(&parked[0], prepare(stacks[0], STACK_BYTES, child));
        if (round)
            peer_say_each("spawn", start, n);
    }
}

static long value;

static void back_and_forth(void)
{
    for (;;) {
        value++;
        floor_switch(&parked[1], parked[0]);
    }
}

/* Two switches a round; a yield is one of them, and a message is a word that both see. */
static void rounds_of_two(const char *name, long rounds, long each)
{
    parked[1] = prepare(stacks[1], STACK_BYTES, back_and_forth);
    for (int round = 0; round < 2; round++) {
        int64_t start = peer_now();
        for (long i = 0; i < rounds; i++)
            floor_switch(&parked[0], parked[1]);
        if (round)
            peer_say_each(name, start, each);
    }
}

static void yield(peer_args a)
{
    long n = a.times;
    rounds_of_two("yield", n / 2, n);
}

static void pingpong(peer_args a)
{
    long n = a.times;
    rounds_of_two("pingpong", n, n);
}

static struct {
    long first, size, sum;
} node[DEPTH_MAX];

static void skynet_node(void)
{
    int me = depth;
    long sum = node[me].first;
    if (node[me].size > 1) {
        long part = node[me].size / 10;
        sum = 0;
        for (long i = 0; i < 10; i++) {
            node[me + 1].first = node[me].first + i * part;
            node[me + 1].size = part;
            depth = me + 1;
            floor_switch(&parked[me], prepare(stacks[me + 1], STACK_BYTES, skynet_node));
            sum += node[me + 1].sum;
        }
    }
    node[me].sum = sum;
    depth = me - 1;
    floor_switch(&gone, parked[me - 1]);
}

static void skynet(peer_args a)
{
    long leaves = a.times;
    for (int round = 0; round < 2; round++) {
        int64_t start = peer_now();
        node[1].first = 0;
        node[1].size = leaves;
        depth = 1;
        floor_switch(&parked[0], prepare(stacks[1], STACK_BYTES, skynet_node));
        if (round)
            peer_say_skynet(start, leaves, node[1].sum);
    }
}

static void **sleeping;
static long now_sleeping;

static void sleeper(void)
{
    floor_switch(&sleeping[now_sleeping], parked[0]);
    floor_switch(&gone, parked[0]);
}

/* Stacks of 1 KiB side by side, four a page. */
static void sleepers(peer_args a)
{
    long n = a.times;
    double before = peer_resident();
    int64_t start = peer_now();
    size_t bytes = (size_t)n * SLEEPER_BYTES;
    char *all = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    sleeping = malloc((size_t)n * sizeof(void *));
    if (all == MAP_FAILED || !sleeping)
        peer_fail("memory");
    madvise(all, bytes, MADV_NOHUGEPAGE);
    for (now_sleeping = 0; now_sleeping < n; now_sleeping++)
        floor_switch(&parked[0],
                     prepare(all + now_sleeping * SLEEPER_BYTES, SLEEPER_BYTES, sleeper));
    int64_t asleep = peer_now();
    bytes = (size_t)(peer_resident() - before);
    int64_t when = peer_now() + 1;
    for (long i = 0; i < n; i++)
        floor_switch(&parked[0], sleeping[i]);
    peer_say_sleepers(n, (double)bytes, start, asleep, when);
}
#endif

static void apart(peer_args a)
{
    long n = a.times;
    pass_turns(false, n / 10 + 1);
    int64_t start = peer_now();
    pass_turns(false, n);
    peer_say_each("apart", start, n);
}

static int wake_word;
static int64_t *wake_samples;

static void *wake_waiter(void *arg)
{
    long n = *(long *)arg;
    for (int i = 0; i < n; i++) {
        while (__atomic_load_n(&wake_word, __ATOMIC_ACQUIRE) == i)
            syscall(SYS_futex, &wake_word, FUTEX_WAIT_PRIVATE, i, NULL, NULL, 0);
        wake_samples[i] = peer_now() - wake_samples[i];
    }
    return NULL;
}

/* A thread that sleeps in the kernel is woken by another one. */
static void wake(peer_args a)
{
    long n = a.times;
    wake_samples = calloc((size_t)n, sizeof *wake_samples);
    pthread_t thread;
    peer_must(-pthread_create(&thread, NULL, wake_waiter, &n), "pthread_create");
    for (int i = 0; i < n; i++) {
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        wake_samples[i] = peer_now();
        __atomic_store_n(&wake_word, i + 1, __ATOMIC_RELEASE);
        syscall(SYS_futex, &wake_word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    }
    pthread_join(thread, NULL);
    peer_say_wakes(wake_samples, n);
}

static long fib_of(long n)
{
    return n < 2 ? n : fib_of(n - 1) + fib_of(n - 2);
}

/* No spawn: the sequential program. */
static void fib(peer_args a)
{
    fib_of(a.times / 2);
    int64_t start = peer_now();
    long result = fib_of(a.times);
    peer_say_fib(start, a.times, result);
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static long counter;

static void *count(void *arg)
{
    for (long i = *(long *)arg; i > 0; i--) {
        pthread_mutex_lock(&mutex);
        counter++;
        pthread_mutex_unlock(&mutex);
    }
    return NULL;
}

static void *do_pause(void *arg)
{
    pause();
    return arg;
}

/* Beside a second thread: the C library takes a lock without atomics where there is none. */
static void mutex_alone(peer_args a)
{
    pthread_t other;
    peer_must(-pthread_create(&other, NULL, do_pause, NULL), "pthread_create");
    int64_t start = peer_now();
    count(&a.times);
    peer_say_each("mutex", start, a.times);
}

/* The same number of locks by as many threads as processors. */
static void mutex_many(peer_args a)
{
    long n = a.times;
    pthread_t threads[64];
    long each = n / a.workers;
    int64_t start = peer_now();
    for (int i = 0; i < a.workers; i++)
        peer_must(-pthread_create(&threads[i], NULL, count, &each), "pthread_create");
    for (int i = 0; i < a.workers; i++)
        pthread_join(threads[i], NULL);
    peer_say_each("mutex-many", start, n);
}

typedef struct part {
    long lo, hi, n;
    double *x, *y, sum;
    void (*run)(struct part *);
} part;

static void even(part *p)
{
    long steps = peer_steps();
    for (long i = p->lo; i < p->hi; i++)
        p->y[i] = peer_work(p->x[i], steps);
}

static void uneven(part *p)
{
    for (long i = p->lo; i < p->hi; i++)
        p->y[i] = peer_work(p->x[i], peer_steps_at(i, p->n));
}

static void memory(part *p)
{
    for (long i = p->lo; i < p->hi; i++)
        p->y[i] = p->y[i] * 0.5 + p->x[i];
}

static void reduce(part *p)
{
    double sum = 0;
    long steps = peer_steps();
    for (long i = p->lo; i < p->hi; i++)
        sum += peer_work(p->x[i], steps);
    p->sum = sum;
}

static void *run_part(void *arg)
{
    part *p = arg;
    p->run(p);
    return NULL;
}

/* One thread a worker, which gets `share` of what is left: known beforehand, never moved. */
static void by_threads(const char *name, peer_args a, void (*body)(part *), bool ramp)
{
    part whole = {.n = a.times, .run = body};
    int workers = a.workers;
    double *x = malloc((size_t)whole.n * sizeof *x), *y = malloc((size_t)whole.n * sizeof *y);
    peer_fill(x, whole.n);
    peer_fill(y, whole.n);
    int64_t best = INT64_MAX;
    for (int round = 0; round < 4; round++) {
        pthread_t threads[64];
        part parts[64];
        int64_t start = peer_now();
        for (int i = 0; i < workers; i++) {
            double lo = (double)i / workers, hi = (double)(i + 1) / workers;
            parts[i] = whole;
            parts[i].x = x;
            parts[i].y = y;
            parts[i].lo = (long)((ramp ? sqrt(lo) : lo) * (double)whole.n);
            parts[i].hi = (long)((ramp ? sqrt(hi) : hi) * (double)whole.n);
            if (i > 0)
                peer_must(-pthread_create(&threads[i], NULL, run_part, &parts[i]), "a thread");
        }
        run_part(&parts[0]);
        for (int i = 1; i < workers; i++)
            pthread_join(threads[i], NULL);
        if (peer_now() - start < best)
            best = peer_now() - start;
    }
    peer_say(name, (double)best / (double)whole.n, "ns");
}

static void for_even(peer_args a)
{
    by_threads("for-even", a, even, false);
}

static int burst_turn; /* atomic: 1 work, 0 wait, -1 end */

static void *run_bursts(void *arg)
{
    for (int turn = 0; turn >= 0; turn = __atomic_load_n(&burst_turn, __ATOMIC_ACQUIRE)) {
        if (turn == 0)
            continue;
        run_part(arg);
        __atomic_store_n(&burst_turn, 0, __ATOMIC_RELEASE);
    }
    return NULL;
}

/* The other half is done by a thread that spins through the pauses. */
static void burst(peer_args a)
{
    long half = a.times / 2;
    part mine = {.hi = half, .n = a.times, .run = even}, other = mine;
    mine.x = other.x = malloc((size_t)a.times * sizeof *mine.x);
    mine.y = other.y = malloc((size_t)a.times * sizeof *mine.y);
    other.lo = half;
    other.hi = a.times;
    peer_fill(mine.x, a.times);
    pthread_t thread;
    peer_must(-pthread_create(&thread, NULL, run_bursts, &other), "a thread");
    int64_t took[PEER_BURSTS];
    for (int i = 0; i < PEER_BURSTS; i++) {
        peer_pause();
        int64_t start = peer_now();
        __atomic_store_n(&burst_turn, 1, __ATOMIC_RELEASE);
        run_part(&mine);
        while (__atomic_load_n(&burst_turn, __ATOMIC_ACQUIRE) != 0)
            ;
        took[i] = peer_now() - start;
    }
    __atomic_store_n(&burst_turn, -1, __ATOMIC_RELEASE);
    pthread_join(thread, NULL);
    peer_say_bursts(took);
}

static void for_uneven(peer_args a)
{
    by_threads("for-uneven", a, uneven, true);
}

static void for_nested(peer_args a)
{
    by_threads("for-nested", a, even, false);
}

static void for_memory(peer_args a)
{
    by_threads("for-memory", a, memory, false);
}

static void reduce_sum(peer_args a)
{
    by_threads("reduce", a, reduce, false);
}

/* A wheel of 1 ms slots that turns once in 2 s, driven by a timerfd. */
enum { SLOTS = 2048, SLOT_NS = 1000000 };

typedef struct timer {
    struct timer *next, *prev;
    int64_t when;
} timer;

static timer wheel[SLOTS];

static void wheel_reset(void)
{
    for (int i = 0; i < SLOTS; i++)
        wheel[i].next = wheel[i].prev = &wheel[i];
}

static void wheel_put(timer *t)
{
    timer *slot = &wheel[(t->when / SLOT_NS + 1) % SLOTS];
    t->next = slot->next;
    t->prev = slot;
    slot->next->prev = t;
    slot->next = t;
}

static void timers_fire(peer_args a)
{
    long n = a.times;
    timer *all = malloc((size_t)n * sizeof *all);
    uint64_t seed = 88172645463325252u;
    wheel_reset();
    double cpu = peer_cpu(), late_sum = 0, late_max = 0;
    int64_t start = peer_now();
    for (long i = 0; i < n; i++) {
        all[i].when = start + (int64_t)(peer_random(&seed) % 1000000000);
        wheel_put(&all[i]);
    }
    int fd = timerfd_create(CLOCK_MONOTONIC, 0);
    peer_must(fd, "timerfd_create");
    struct itimerspec every = {.it_interval.tv_nsec = SLOT_NS, .it_value.tv_nsec = SLOT_NS};
    peer_must(timerfd_settime(fd, 0, &every, NULL), "timerfd_settime");
    int64_t tick = start / SLOT_NS;
    for (long fired = 0; fired < n;) {
        uint64_t ticks;
        peer_must((int)read(fd, &ticks, sizeof ticks), "timerfd");
        for (int64_t last = peer_now() / SLOT_NS; tick <= last; tick++) {
            timer *slot = &wheel[tick % SLOTS];
            for (timer *t = slot->next; t != slot; t = t->next, fired++) {
                double late = (double)(peer_now() - t->when);
                late_sum += late;
                late_max = late > late_max ? late : late_max;
            }
            slot->next = slot->prev = slot;
        }
    }
    peer_say_timers(peer_cpu() - cpu, late_sum, late_max, n);
}

static void timers_set(peer_args a)
{
    long n = a.times;
    timer *all = malloc((size_t)n * sizeof *all);
    uint64_t seed = 88172645463325252u;
    wheel_reset();
    double cpu = peer_cpu();
    int64_t start = peer_now();
    for (long i = 0; i < n; i++) {
        all[i].when = start + 60000000000 + (int64_t)(peer_random(&seed) % 1000000000);
        wheel_put(&all[i]);
    }
    for (long i = 0; i < n; i++) {
        all[i].next->prev = all[i].prev;
        all[i].prev->next = all[i].next;
    }
    peer_say("timers-set", (peer_cpu() - cpu) * 1e6 / (double)n, "s");
}

int main(int argc, char **argv)
{
    static const peer_row rows[] = {
#if defined(__x86_64__)
        {"spawn", spawn},
        {"yield", yield},
        {"pingpong", pingpong},
        {"skynet", skynet},
        {"sleepers", sleepers},
#endif
        {"apart", apart},
        {"wake", wake},
        {"fib", fib},
        {"mutex", mutex_alone},
        {"mutex-many", mutex_many},
        {"for-even", for_even},
        {"burst", burst},
        {"for-uneven", for_uneven},
        {"for-nested", for_nested},
        {"for-memory", for_memory},
        {"reduce", reduce_sum},
        {"timers-fire", timers_fire},
        {"timers-set", timers_set},
        {"echo", floor_echo},
        {"accept", floor_accept},
        {"pool-one", floor_pool_one},
        {"pool-asleep", floor_pool_asleep},
        {"pool-map", floor_pool_map},
        {"pool-chunks", floor_pool_map},
        {"pool-64k", floor_pool_bytes},
        {"pool-16m", floor_pool_bytes},
        {"chan-process", floor_chan_process},
        {"mutex-process", floor_mutex_process},
        {"process-start", floor_process_start},
        {"files-small", floor_files_small},
        {"files-large", floor_files_large},
        {"exec", floor_exec},
        {"exec-large", floor_exec_large},
        {NULL, NULL}
    };
    return peer_main(argc, argv, rows);
}
