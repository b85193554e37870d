/*
 * floor_pools.c - the least this machine allows between two processes.
 *
 * SPDX-License-Identifier: MIT
 *
 * There is one other process, which is there for one purpose; nobody may die, and who spins may
 * not give up its processor.  A start is a fork of a small program, which does nothing.
 */
#include "floor_pools.h"

#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { RING = 1024 };

static struct common {
    _Alignas(64) uint32_t asked;
    _Alignas(64) uint32_t answered;
    _Alignas(64) uint64_t sent;
    _Alignas(64) uint64_t ended;
    _Alignas(64) pthread_mutex_t mutex;
    _Alignas(64) peer_message ring[RING];
    _Alignas(64) unsigned char bytes[PEER_LARGE_BYTES];
} * common;

static pid_t other;

/* Start the other process, which runs fn until it is killed. */
static void begin(void (*fn)(peer_args a), peer_args a)
{
    common = mmap(NULL, sizeof *common, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (common == MAP_FAILED)
        peer_fail("mmap");
    memset(common->bytes, 1, sizeof common->bytes);
    other = fork();
    if (other == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        fn(a);
        _exit(0);
    }
    if (other < 0)
        peer_fail("fork");
}

static void end(void)
{
    kill(other, SIGKILL);
    waitpid(other, NULL, 0);
}

static void await(uint32_t *word, uint32_t value, bool sleeps)
{
    while (__atomic_load_n(word, __ATOMIC_ACQUIRE) != value)
        if (sleeps)
            syscall(SYS_futex, word, FUTEX_WAIT, value - 1, NULL, NULL, 0);
        else
            peer_spin();
}

static void tell(uint32_t *word, uint32_t value, bool sleeps)
{
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
    if (sleeps)
        syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void answer(peer_args a)
{
    bool sleeps = strcmp(a.row, "pool-asleep") == 0;
    size_t bytes = strcmp(a.row, "pool-64k") == 0   ? PEER_SMALL_BYTES
                   : strcmp(a.row, "pool-16m") == 0 ? PEER_LARGE_BYTES
                                                    : 1;
    for (uint32_t i = 1;; i++) {
        await(&common->asked, i, sleeps);
        common->ring[0].number = peer_touch(common->bytes, bytes);
        tell(&common->answered, i, sleeps);
    }
}

static void ask(uint32_t i, bool sleeps)
{
    tell(&common->asked, i, sleeps);
    await(&common->answered, i, sleeps);
}

void floor_pool_one(peer_args a)
{
    begin(answer, a);
    int64_t start = 0;
    for (long i = 1; i <= a.times + 1; i++) {
        ask((uint32_t)i, false);
        if (i == 1)
            start = peer_now();
    }
    peer_say_each("pool-one", start, a.times);
    end();
}

void floor_pool_asleep(peer_args a)
{
    int64_t *samples = calloc((size_t)a.times, sizeof *samples);
    begin(answer, a);
    for (long i = 0; i < a.times; i++) {
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        int64_t start = peer_now();
        ask((uint32_t)i + 1, true);
        samples[i] = peer_now() - start;
    }
    peer_say_median("pool-asleep", samples, a.times);
    end();
    free(samples);
}

/* The argument is copied into memory that both see, once. */
void floor_pool_bytes(peer_args a)
{
    size_t bytes = strcmp(a.row, "pool-64k") == 0 ? PEER_SMALL_BYTES : PEER_LARGE_BYTES;
    unsigned char *in = malloc(bytes);
    memset(in, 1, bytes);
    begin(answer, a);
    int64_t start = 0;
    for (long i = 1; i <= a.times + 1; i++) {
        memcpy(common->bytes, in, bytes);
        ask((uint32_t)i, false);
        if (common->ring[0].number != peer_touch(in, bytes))
            peer_fail("the result is wrong");
        if (i == 1)
            start = peer_now();
    }
    peer_say_us(a.row, start, a.times);
    end();
    free(in);
}

static void await_count(const uint64_t *word, uint64_t least)
{
    while (__atomic_load_n(word, __ATOMIC_ACQUIRE) < least)
        peer_spin();
}

static void work(peer_args a)
{
    (void)a;
    for (uint64_t i = 0;; i++) {
        await_count(&common->sent, i + 1);
        common->ring[i % RING].number++;
        __atomic_store_n(&common->ended, i + 1, __ATOMIC_RELEASE);
    }
}

/* Half a ring of jobs goes out while the results of the other half come in. */
void floor_pool_map(peer_args a)
{
    enum { HALF = RING / 2 };
    begin(work, a);
    uint64_t n = (uint64_t)a.times;
    int64_t start = 0;
    for (uint64_t i = 0, read = 0; read < n; i++) {
        if (i == 1)
            start = peer_now();
        if (i < n) {
            common->ring[i % RING].number = (long)i;
            __atomic_store_n(&common->sent, i + 1, __ATOMIC_RELEASE);
        }
        if (i >= HALF) {
            await_count(&common->ended, read + 1);
            if (common->ring[read % RING].number != (long)read + 1)
                peer_fail("the result is wrong");
            read++;
        }
    }
    peer_say_each(a.row, start, a.times);
    end();
}

static void send_all(peer_args a)
{
    for (uint64_t i = 0; i < (uint64_t)a.times; i++) {
        await_count(&common->ended, i >= RING ? i - RING + 1 : 0);
        common->ring[i % RING] = (peer_message){.number = (long)i};
        __atomic_store_n(&common->sent, i + 1, __ATOMIC_RELEASE);
    }
}

void floor_chan_process(peer_args a)
{
    begin(send_all, a);
    long sum = 0;
    int64_t start = 0;
    for (uint64_t i = 0; i < (uint64_t)a.times; i++) {
        await_count(&common->sent, i + 1);
        peer_message m = common->ring[i % RING];
        sum += m.number;
        __atomic_store_n(&common->ended, i + 1, __ATOMIC_RELEASE);
        if (i == 0)
            start = peer_now();
    }
    peer_say_messages(start, a.times, sum);
    end();
}

static void rest(peer_args a)
{
    (void)a;
    pause();
}

void floor_mutex_process(peer_args a)
{
    pthread_mutexattr_t shared;
    begin(rest, a);
    pthread_mutexattr_init(&shared);
    pthread_mutexattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(&common->mutex, &shared);
    long counter = 0;
    for (int round = 0; round < 2; round++) {
        int64_t start = peer_now();
        for (long i = 0; i < a.times; i++) {
            peer_must(-pthread_mutex_lock(&common->mutex), "lock");
            counter++;
            peer_must(-pthread_mutex_unlock(&common->mutex), "unlock");
        }
        if (round)
            peer_say_each("mutex-process", start, counter / 2);
    }
    end();
}

void floor_process_start(peer_args a)
{
    int64_t start = peer_now();
    for (long i = 0; i < a.times; i++) {
        pid_t child = fork();
        if (child == 0)
            _exit(0);
        if (child < 0 || waitpid(child, NULL, 0) != child)
            peer_fail("fork");
    }
    peer_say_us("process-start", start, a.times);
}
