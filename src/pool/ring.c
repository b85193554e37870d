/*
 * ring.c - who may touch a slot, and who sleeps until something is in one.
 *
 * SPDX-License-Identifier: MIT
 *
 * A state is the number of the pass (how often the slot was filled), a worker, and what the slot
 * is.  A number in a queue is the pass and the slot.  A worker that has taken a number still has to
 * change the state from READY of that pass to TAKEN: the one instruction that makes the job its
 * own.  If it dies before, the slot is READY and in no queue, and the parent, which hears of the
 * death, puts it there again; the number may then be in a queue twice, and one of the two takers
 * finds the state changed.
 *
 * Work and workers race, as do ends and the parent, and if each misses the other a job waits for
 * ever:
 *
 *     parent:   P1 queue the number, tail       worker:  W1 state = SLEEPS
 *               P2 fence seq                             W2 fence seq
 *               P3 somebody LOOKS? leave it              W3 queue empty, no stop? sleep
 *                  to him; SLEEPS? wake
 *
 *     worker:   D1 its ring, ended_at           parent:  S1 parent = SLEEPS, or looking - 1
 *               D2 fence seq                             S2 fence seq
 *               D3 looking > 0? leave it;                S3 nothing has ended? sleep
 *                  SLEEPS? wake
 *
 * The fences are totally ordered, so one side always sees the other.  Who LOOKS ends that by W1, or
 * by taking a job: then it wakes another if the queue is not empty (W2 and W3 with RUNS in the
 * place of SLEEPS), since who queued meanwhile may have left it to him.
 *
 * A worker that may leave does so when it has slept for long: it ends by itself what W1 said, by a
 * compare-and-swap that fails if it is woken just then.  A number that is queued meanwhile would be
 * left to a worker that is gone, so its keeper, when it has reclaimed what the worker held, and
 * under the lock of the pushes, looks at the queue before it says that the place is vacant:
 *
 *     parent:   G1 queue the number, under     keeper:  L1 reclaim, take the lock
 *                  the lock                              L2 queue not empty? start it again
 *               G2 more queued than LOOK or              L3 vacant; give the lock back
 *                  SLEEP? take the lock, start
 *                  one where it is vacant
 *
 * If L1 is before G1, the worker is AWAY since before G2 counts, and vacant as G2 looks.  Otherwise
 * L2 sees the number.
 *
 * Rejected: a queue for each worker (a long job holds up those behind it); counters of sleepers (a
 * worker that is killed asleep is counted for ever).
 * Checked: test/model/ring.c, with a worker that dies at every instruction.
 */
#include "pool/ring.h"

#include "base/atomic.h"
#include "base/check.h"
#include "base/os.h"

/* Some 50 us, about what it costs to wake a sleeping core on a virtual machine. */
#ifdef URD_MODEL
enum { SPINS = 0 };
#else
enum { SPINS = 1000 };
#endif

enum { WORKER_SHIFT = 2, PASS_SHIFT = 16 };

static uint64_t make_state(uint64_t pass, unsigned worker, unsigned what)
{
    return pass << PASS_SHIFT | (uint64_t)worker << WORKER_SHIFT | what;
}

static uint64_t pass_of(uint64_t state)
{
    return state >> PASS_SHIFT;
}

size_t urd__ring_bytes(unsigned workers)
{
    return sizeof(urd__ring) + workers * sizeof(urd__ring_worker);
}

void urd__ring_init(urd__ring *ring, unsigned workers)
{
    ring->nworkers = workers;
    ring->parent = URD__RING_RUNS;
}

static bool is(const urd__slot *slot, unsigned worker, unsigned what)
{
    uint64_t state = urd__load_acq(&slot->state); /* [slot] */
    return state == make_state(pass_of(state), worker, what);
}

static uint64_t number_of(const urd__ring *ring, const urd__slot *slot, uint64_t pass)
{
    return pass << PASS_SHIFT | (uint64_t)(slot - ring->slots);
}

/* ---- the parent ---- */

static uint64_t queued(const urd__ring *ring)
{
    return urd__load_rlx(&ring->tail) - urd__load_acq(&ring->head); /* own stores; [number] */
}

bool urd__ring_has_room(const urd__ring *ring)
{
    return queued(ring) < URD__RING_SLOTS; /* the rest is for slots being filled, and reclaim() */
}

static void enqueue(urd__ring *ring, const urd__slot *slot, uint64_t pass)
{
    uint64_t tail = urd__load_rlx(&ring->tail); /* own stores */
    urd__assert(queued(ring) < URD__RING_QUEUE);
    /* Seen through tail. */
    urd__store_rlx(&ring->queue[tail % URD__RING_QUEUE], number_of(ring, slot, pass));
    urd__store_rel(&ring->tail, tail + 1); /* P1 [queue] */
}

void urd__ring_push(urd__ring *ring, urd__slot *slot)
{
    uint64_t pass = pass_of(urd__load_rlx(&slot->state)) + 1; /* nobody else writes it now */
    slot->reaped = false;
    urd__store_rel(&slot->state, make_state(pass, 0, URD__SLOT_READY)); /* [slot] */
    enqueue(ring, slot, pass);
}

/* The first sleeper, unless somebody looks. */
static void wake_one(urd__ring *ring)
{
    for (unsigned i = 0; i < ring->nworkers; i++)
        if (urd__load_rlx(&ring->workers[i].state) == URD__RING_LOOKS) /* ordered by the fence */
            return;
    for (unsigned i = 0; i < ring->nworkers; i++) {
        int *state = &ring->workers[i].state, sleeps = URD__RING_SLEEPS;
        if (urd__load_rlx(state) == URD__RING_SLEEPS && /* ordered by the fence */
            urd__cas_ar(state, &sleeps, URD__RING_RUNS)) {
            urd__os_futex_wake_shared(state, 1);
            return;
        }
    }
}

void urd__ring_wake(urd__ring *ring)
{
    urd__fence_seq(); /* P2 */
    wake_one(ring);   /* P3 */
}

size_t urd__ring_unserved(const urd__ring *ring)
{
    uint64_t idle = 0, n = queued(ring);
    for (unsigned i = 0; i < ring->nworkers; i++) {
        int state = urd__load_rlx(&ring->workers[i].state); /* who left is seen by the lock */
        idle += state == URD__RING_LOOKS || state == URD__RING_SLEEPS;
    }
    return n > idle ? (size_t)(n - idle) : 0;
}

bool urd__ring_is_empty(const urd__ring *ring)
{
    return urd__load_acq(&ring->tail) == urd__load_acq(&ring->head); /* [queue] */
}

bool urd__ring_take_back(urd__slot *slot)
{
    uint64_t state = urd__load_acq(&slot->state); /* [slot] */
    uint64_t pass = pass_of(state);
    return state == make_state(pass, 0, URD__SLOT_READY) &&
           urd__cas_ar(&slot->state, &state, make_state(pass, 0, URD__SLOT_FREE)); /* [slot] */
}

void urd__ring_free(urd__slot *slot)
{
    uint64_t pass = pass_of(urd__load_rlx(&slot->state)); /* nobody else writes it now */
    urd__store_rel(&slot->state, make_state(pass, 0, URD__SLOT_FREE)); /* [slot] */
}

bool urd__ring_has_ended(const urd__ring *ring, unsigned worker, const uint64_t *at)
{
    /* [ended]; what was seen is a number alone */
    return urd__load_acq(&ring->workers[worker].ended_at) != urd__load_rlx(at);
}

int urd__ring_reap(urd__ring *ring, unsigned worker, uint64_t *at, urd__slot **out, int max)
{
    urd__ring_worker *w = &ring->workers[worker];
    uint64_t end = urd__load_acq(&w->ended_at); /* [ended] pairs with urd__ring_done() */
    uint64_t seen = urd__load_rlx(at);          /* under the caller's lock */
    int n = 0;
    for (; seen != end && n < max; seen++) {
        uint64_t number = urd__load_rlx(&w->ended[seen % URD__RING_SLOTS]); /* seen through it */
        urd__slot *slot = &ring->slots[number & 0xFFFF];
        uint64_t state = urd__load_acq(&slot->state); /* [slot] */
        if (state != make_state(number >> PASS_SHIFT, worker, URD__SLOT_DONE))
            continue;
        slot->reaped = true;
        out[n++] = slot;
    }
    urd__store_rlx(at, seen); /* the same lock */
    return n;
}

static bool is_queued(const urd__ring *ring, const urd__slot *slot)
{
    uint64_t number = number_of(ring, slot, pass_of(urd__load_acq(&slot->state))); /* [slot] */
    uint64_t tail = urd__load_rlx(&ring->tail);                                    /* own stores */
    for (uint64_t at = urd__load_acq(&ring->head); at != tail; at++)               /* [number] */
        if (urd__load_rlx(&ring->queue[at % URD__RING_QUEUE]) == number)           /* own stores */
            return true;
    return false;
}

/* A worker wakes by two steps, a sleeper's state and a system call, and may have died in between:
 * the sleeper then has no mark by which the next one would wake him. */
static void rouse(urd__ring *ring)
{
    urd__os_futex_wake_shared(&ring->parent, 1);
    for (unsigned i = 0; i < ring->nworkers; i++)
        urd__os_futex_wake_shared(&ring->workers[i].state, 1);
}

urd__slot *urd__ring_reclaim(urd__ring *ring, unsigned worker, uint64_t *at, bool *done)
{
    urd__ring_worker *w = &ring->workers[worker];
    urd__slot *held = NULL;
    *done = false;
    urd__store_rlx(at, urd__load_acq(&w->ended_at)); /* under the caller's lock */
    urd__store_rel(&w->state, URD__RING_AWAY);       /* nobody wakes what is not there */
    for (int i = 0; i < URD__RING_SLOTS; i++) {
        urd__slot *slot = &ring->slots[i];
        bool shown_not = is(slot, worker, URD__SLOT_DONE) && !slot->reaped;
        if (shown_not || is(slot, worker, URD__SLOT_TAKEN)) {
            urd__assert(!held); /* it takes the next after it has shown the last */
            held = slot;
            *done = shown_not;
            slot->reaped = true;
        } else if (is(slot, 0, URD__SLOT_READY) && !is_queued(ring, slot)) {
            /* Or a live worker is about to take it, and one of two finds the state changed. */
            enqueue(ring, slot, pass_of(urd__load_acq(&slot->state))); /* [slot] */
        }
    }
    rouse(ring);
    return held;
}

void urd__ring_stop(urd__ring *ring)
{
    urd__store_rel(&ring->stop, 1); /* P1 [stop] pairs with urd__ring_take() */
    urd__fence_seq();               /* P2 */
    for (unsigned i = 0; i < ring->nworkers; i++) {
        int *state = &ring->workers[i].state, sleeps = URD__RING_SLEEPS;
        if (urd__cas_ar(state, &sleeps, URD__RING_RUNS))
            urd__os_futex_wake_shared(state, 1);
    }
    urd__ring_wake_parent(ring);
}

bool urd__ring_is_stopping(const urd__ring *ring)
{
    return urd__load_acq(&ring->stop) != 0; /* [stop] */
}

void urd__ring_wake_parent(urd__ring *ring)
{
    int sleeps = URD__RING_SLEEPS;
    if (urd__cas_ar(&ring->parent, &sleeps, URD__RING_RUNS))
        urd__os_futex_wake_shared(&ring->parent, 1);
}

void urd__ring_sleep_parent(urd__ring *ring, bool (*anything)(void *arg), void *arg)
{
    urd__store_rel(&ring->parent, URD__RING_SLEEPS); /* S1 */
    urd__fence_seq();                                /* S2 */
    if (anything(arg)) {                             /* S3 */
        urd__store_rel(&ring->parent, URD__RING_RUNS);
        return;
    }
    while (urd__load_acq(&ring->parent) == URD__RING_SLEEPS)
        urd__os_futex_wait_shared(&ring->parent, URD__RING_SLEEPS, INT64_MAX);
}

void urd__ring_look(urd__ring *ring)
{
    urd__add_ar(&ring->looking, 1);
}

void urd__ring_look_end(urd__ring *ring)
{
    urd__sub_ar(&ring->looking, 1); /* S1 */
    urd__fence_seq();               /* S2; the caller looks once more, S3 */
}

/* ---- a worker ---- */

void urd__ring_enter(urd__ring *ring, unsigned worker)
{
    urd__store_rel(&ring->workers[worker].state, URD__RING_RUNS);
}

/* False: the state had changed, and the number was old. */
static bool make_own(urd__slot *slot, uint64_t pass, unsigned worker)
{
    uint64_t ready = make_state(pass, 0, URD__SLOT_READY);
    return urd__cas_ar(&slot->state, &ready,
                       make_state(pass, worker, URD__SLOT_TAKEN)); /* [slot] */
}

urd__slot *urd__ring_try_take(urd__ring *ring, unsigned worker)
{
    for (;;) {
        uint64_t head = urd__load_acq(&ring->head), tail = urd__load_acq(&ring->tail); /* [queue] */
        if (tail <= head) /* head may be the newer of the two */
            return NULL;
        /* Overwritten meanwhile?  Then head has moved on, and the swap fails. */
        uint64_t number = urd__load_rlx(&ring->queue[head % URD__RING_QUEUE]);
        if (!urd__cas_ar(&ring->head, &head, head + 1)) /* [number] pairs with push */
            continue;
        urd__slot *slot = &ring->slots[number & 0xFFFF];
        if (make_own(slot, number >> PASS_SHIFT, worker))
            return slot;
    }
}

static bool anything_for_worker(const urd__ring *ring)
{
    return !urd__ring_is_empty(ring) || urd__load_acq(&ring->stop);
}

static bool somebody_looks(const urd__ring *ring)
{
    unsigned n = ring->nworkers; // NOLINT(clang-analyzer-core.NullDereference): it was read before
    for (unsigned i = 0; i < n; i++)
        if (urd__load_rlx(&ring->workers[i].state) == URD__RING_LOOKS) /* a guess */
            return true;
    return false;
}

/* One worker looks, the others sleep at once: more would only take the processors away. */
static void look(urd__ring *ring, int *state)
{
    if (somebody_looks(ring))
        return;
    urd__store_rel(state, URD__RING_LOOKS);
    for (int i = 0; i < SPINS && !anything_for_worker(ring); i++)
        urd__spin_hint();
}

/* False: nobody has woken it for so long. */
static bool sleep_until_woken(urd__ring *ring, int *state, int64_t idle_duration)
{
    bool for_ever = idle_duration == INT64_MAX;
    int64_t until = for_ever ? INT64_MAX : urd__os_now() + idle_duration;
    int sleeps = URD__RING_SLEEPS;
    urd__store_rel(state, URD__RING_SLEEPS); /* W1 */
    urd__fence_seq();                        /* W2 */
    if (anything_for_worker(ring))           /* W3 */
        return true;
    while (urd__load_acq(state) == URD__RING_SLEEPS) {
        if (!for_ever && urd__os_now() >= until)
            return !urd__cas_ar(state, &sleeps, URD__RING_RUNS);
        urd__os_futex_wait_shared(state, URD__RING_SLEEPS, until);
    }
    return true;
}

/* It looked or slept, and has a job now: there may be more, which their pusher left to it. */
static void pass_on(urd__ring *ring, int *state)
{
    urd__store_rel(state, URD__RING_RUNS); /* W1 */
    urd__fence_seq();                      /* W2 */
    if (!urd__ring_is_empty(ring))         /* W3 */
        wake_one(ring);
}

urd__slot *urd__ring_take(urd__ring *ring, unsigned worker, int64_t idle_duration)
{
    int *state = &ring->workers[worker].state;
    for (bool rested = false; !urd__load_acq(&ring->stop); rested = true) { /* [stop] */
        urd__slot *slot = urd__ring_try_take(ring, worker);
        if (slot && rested)
            pass_on(ring, state);
        if (slot)
            return slot;
        look(ring, state);
        if (!anything_for_worker(ring) && !sleep_until_woken(ring, state, idle_duration))
            break;
    }
    return NULL;
}

void urd__ring_done(urd__ring *ring, unsigned worker, urd__slot *slot)
{
    urd__ring_worker *w = &ring->workers[worker];
    uint64_t pass = pass_of(urd__load_rlx(&slot->state)); /* own: nobody else writes it now */
    uint64_t number = number_of(ring, slot, pass);
    urd__store_rel(&slot->state, make_state(pass, worker, URD__SLOT_DONE)); /* [slot] */
    uint64_t at = urd__load_rlx(&w->ended_at);                              /* own stores */
    urd__store_rlx(&w->ended[at % URD__RING_SLOTS], number);                /* seen through it */
    urd__store_rel(&w->ended_at, at + 1);                                   /* D1 [ended] */
    urd__fence_seq();                                                       /* D2 */
    if (urd__load_rlx(&ring->looking) == 0 &&                               /* D3 */
        urd__load_rlx(&ring->parent) == URD__RING_SLEEPS)                   /* ordered by D2 */
        urd__ring_wake_parent(ring);
}
