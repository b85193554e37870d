/*
 * litmus.c - the explorer's own tests: what it must find, and what it must not.
 *
 * SPDX-License-Identifier: MIT
 *
 * The names of the small shapes are those of the literature: SB (store buffering), MP (message
 * passing), IRIW (independent reads of independent writes), CoRR (coherence of reads).
 */
#include <stdio.h>
#include <string.h>

#include "base/atomic.h"

static struct {
    int x, y;
    int r[6];
    int data;
    int word, lock;
    int entered;
} m;

static void setup(void)
{
    memset(&m, 0, sizeof m);
}

/* ---- SB ------------------------------------------------------------------------------------ */

static void sb_plain_0(void)
{
    urd__store_rel(&m.x, 1);
    m.r[0] = urd__load_acq(&m.y);
}

static void sb_plain_1(void)
{
    urd__store_rel(&m.y, 1);
    m.r[1] = urd__load_acq(&m.x);
}

static void sb_fence_0(void)
{
    urd__store_rlx(&m.x, 1);
    urd__fence_seq();
    m.r[0] = urd__load_rlx(&m.y);
}

static void sb_fence_1(void)
{
    urd__store_rlx(&m.y, 1);
    urd__fence_seq();
    m.r[1] = urd__load_rlx(&m.x);
}

static void sb_barrier_0(void)
{
    urd__store_rlx(&m.x, 1);
    explore_barrier();
    m.r[0] = urd__load_rlx(&m.y);
}

static void sb_light_1(void)
{
    urd__store_rlx(&m.y, 1);
    urd__fence_light();
    m.r[1] = urd__load_rlx(&m.x);
}

static void sb_light_0(void)
{
    urd__store_rlx(&m.x, 1);
    urd__fence_light();
    m.r[0] = urd__load_rlx(&m.y);
}

static void explore_barrier_once(void)
{
    explore_barrier();
}

static void sb_seq_0(void)
{
    urd__store_seq(&m.x, 1);
    m.r[0] = urd__load_seq(&m.y);
}

static void sb_seq_1(void)
{
    urd__store_seq(&m.y, 1);
    m.r[1] = urd__load_seq(&m.x);
}

static void sb_rmw_0(void)
{
    urd__xchg_ar(&m.x, 1);
    m.r[0] = urd__load_acq(&m.y);
}

static void sb_rmw_1(void)
{
    urd__xchg_ar(&m.y, 1);
    m.r[1] = urd__load_acq(&m.x);
}

static void not_both_zero(void)
{
    explore_assert(m.r[0] == 1 || m.r[1] == 1);
}

/* ---- MP ------------------------------------------------------------------------------------ */

static void mp_send_rlx(void)
{
    urd__store_rlx(&m.x, 1);
    urd__store_rlx(&m.y, 1);
}

static void mp_send_rel(void)
{
    urd__store_rlx(&m.x, 1);
    urd__store_rel(&m.y, 1);
}

static void mp_send_fence(void)
{
    urd__store_rlx(&m.x, 1);
    urd__fence_seq();
    urd__store_rlx(&m.y, 1);
}

static void mp_receive_rlx(void)
{
    m.r[0] = urd__load_rlx(&m.y);
    m.r[1] = urd__load_rlx(&m.x);
    explore_assert(m.r[0] == 0 || m.r[1] == 1);
}

static void mp_receive_acq(void)
{
    m.r[0] = urd__load_acq(&m.y);
    m.r[1] = urd__load_rlx(&m.x);
    explore_assert(m.r[0] == 0 || m.r[1] == 1);
}

static void mp_receive_fence(void)
{
    m.r[0] = urd__load_rlx(&m.y);
    urd__fence_seq();
    m.r[1] = urd__load_rlx(&m.x);
    explore_assert(m.r[0] == 0 || m.r[1] == 1);
}

/* A read-modify-write between the release and the acquire does not break the chain. */
static void mp_pass_on(void)
{
    urd__add_rlx(&m.y, 1);
}

static void mp_receive_2(void)
{
    m.r[0] = urd__load_acq(&m.y);
    m.r[1] = urd__load_rlx(&m.x);
    explore_assert(m.r[0] != 2 || m.r[1] == 1);
}

static void mp_send_rel_then_rlx(void)
{
    urd__store_rlx(&m.x, 1);
    urd__store_rel(&m.y, 1);
    urd__store_rlx(&m.y, 2);
}

/* Another's plain store does break it. */
static void mp_overwrite(void)
{
    if (urd__load_rlx(&m.y) == 1)
        urd__store_rlx(&m.y, 2);
}

/* The message is plain memory: a missing release is a race, whatever the schedule. */
static void plain_send_rel(void)
{
    m.data = 1;
    urd__store_rel(&m.y, 1);
}

static void plain_send_rlx(void)
{
    m.data = 1;
    urd__store_rlx(&m.y, 1);
}

static void plain_receive(void)
{
    if (urd__load_acq(&m.y))
        explore_assert(m.data == 1);
}

/* ---- Coherence, IRIW ----------------------------------------------------------------------- */

static void write_x(void)
{
    urd__store_rlx(&m.x, 1);
}

static void write_x_rel(void)
{
    urd__store_rel(&m.x, 1);
}

static void write_y_rel(void)
{
    urd__store_rel(&m.y, 1);
}

static void write_x_seq(void)
{
    urd__store_seq(&m.x, 1);
}

static void write_y_seq(void)
{
    urd__store_seq(&m.y, 1);
}

static void read_x_twice(void)
{
    m.r[0] = urd__load_rlx(&m.x);
    m.r[1] = urd__load_rlx(&m.x);
    explore_assert(m.r[0] <= m.r[1]);
}

static void read_x_y_acq(void)
{
    m.r[0] = urd__load_acq(&m.x);
    m.r[1] = urd__load_acq(&m.y);
}

static void read_y_x_acq(void)
{
    m.r[2] = urd__load_acq(&m.y);
    m.r[3] = urd__load_acq(&m.x);
}

static void read_x_y_seq(void)
{
    m.r[0] = urd__load_seq(&m.x);
    m.r[1] = urd__load_seq(&m.y);
}

static void read_y_x_seq(void)
{
    m.r[2] = urd__load_seq(&m.y);
    m.r[3] = urd__load_seq(&m.x);
}

static void same_order_seen(void)
{
    explore_assert(!(m.r[0] == 1 && m.r[1] == 0 && m.r[2] == 1 && m.r[3] == 0));
}

/* ---- Dekker: who sees the other's flag keeps out ------------------------------------------- */

static void enter(int *mine, const int *other, bool fence)
{
    urd__store_rlx(mine, 1);
    if (fence)
        urd__fence_seq();
    if (urd__load_rlx(other) == 0)
        explore_assert(urd__add_rlx(&m.entered, 1) == 0);
}

static void dekker_fence_0(void)
{
    enter(&m.x, &m.y, true);
}

static void dekker_fence_1(void)
{
    enter(&m.y, &m.x, true);
}

static void dekker_0(void)
{
    enter(&m.x, &m.y, false);
}

static void dekker_1(void)
{
    enter(&m.y, &m.x, false);
}

/* ---- Park: add a job, then wake; against announce, look again, sleep ----------------------- */

static void add_job(bool fence)
{
    urd__store_rel(&m.x, 1);
    if (fence)
        urd__fence_seq();
    if (urd__load_rlx(&m.y)) {
        urd__store_rel(&m.word, 1);
        explore_futex_wake(&m.word, 1);
    }
}

static void park(bool fence, bool look_again)
{
    urd__store_rlx(&m.y, 1);
    if (fence)
        urd__fence_seq();
    if (look_again && urd__load_acq(&m.x))
        return;
    while (!urd__load_acq(&m.word))
        explore_futex_wait(&m.word, 0);
}

static void add_job_fence(void)
{
    add_job(true);
}

static void add_job_no_fence(void)
{
    add_job(false);
}

static void park_fence(void)
{
    park(true, true);
}

static void park_no_fence(void)
{
    park(false, true);
}

static void park_no_look(void)
{
    park(true, false);
}

/* ---- ABA: a stack whose pop trusts an old `next` ------------------------------------------- */

static struct aba_node {
    int next; /* index of a node, -1: none */
} nodes[2];
static int top;
static int popped[2];

static void aba_setup(void)
{
    nodes[0].next = 1;
    nodes[1].next = -1;
    top = 0;
    popped[0] = popped[1] = 0;
}

static int aba_pop(void)
{
    int first = urd__load_acq(&top);
    while (first >= 0) {
        int next = urd__load_rlx(&nodes[first].next);
        if (urd__cas_ar(&top, &first, next))
            return first;
    }
    return -1;
}

static void aba_push(int node)
{
    int first = urd__load_acq(&top);
    do
        urd__store_rlx(&nodes[node].next, first);
    while (!urd__cas_ar(&top, &first, node));
}

static void take(int node)
{
    if (node >= 0)
        explore_assert(urd__add_rlx(&popped[node], 1) == 0);
}

static void aba_pop_one(void)
{
    take(aba_pop());
    take(aba_pop());
}

static void aba_pop_two_push_one(void)
{
    int a = aba_pop();
    take(aba_pop());
    if (a >= 0)
        aba_push(a);
}

/* ---- Locks, spinning, freed memory --------------------------------------------------------- */

static void count_locked(void)
{
    explore_lock(&m.lock);
    m.data++;
    explore_unlock(&m.lock);
}

static void count_unlocked(void)
{
    m.data++;
    urd__store_rel(&m.y, 1);
}

static void counted_twice(void)
{
    explore_assert(m.data == 2);
}

static void counted_thrice(void)
{
    explore_assert(m.data == 3);
}

static void lock_x_then_y(void)
{
    explore_lock(&m.x);
    explore_lock(&m.y);
    explore_unlock(&m.y);
    explore_unlock(&m.x);
}

static void lock_y_then_x(void)
{
    explore_lock(&m.y);
    explore_lock(&m.x);
    explore_unlock(&m.x);
    explore_unlock(&m.y);
}

static void spin_until_x(void)
{
    while (!urd__load_acq(&m.x))
        urd__spin_hint();
}

static int *cell;

static void free_setup(void)
{
    setup();
    cell = explore_alloc(sizeof *cell);
}

static void use_cell(void)
{
    *cell = 1;
    urd__store_rlx(&m.x, 1);
}

static void free_cell(void)
{
    if (urd__load_acq(&m.x))
        explore_free(cell);
}

static void wait_timed(void)
{
    m.r[0] = explore_futex_wait_timed(&m.word, 0);
}

static void wake_one(void)
{
    urd__store_rel(&m.word, 1);
    explore_futex_wake(&m.word, 1);
}

static void wait_plain(void)
{
    explore_futex_wait(&m.word, 0);
}

static void wake_without_change(void)
{
    explore_futex_wake(&m.word, 1);
}

/* ---- The reduced search against the full one ----------------------------------------------- */

enum { PROGRAMS = 100, PROGRAM_OPS = 3, OUTCOMES_MAX = 4096 };

static struct {
    unsigned char code[3][PROGRAM_OPS];
    uint64_t read[3]; /* by thread: the values it read, in a number */
    uint64_t seen[OUTCOMES_MAX];
    int count;
    uint64_t random;
} program;

static unsigned draw(unsigned below)
{
    program.random = program.random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(program.random >> 33) % below;
}

static void remember(uint64_t value)
{
    uint64_t *read = &program.read[explore_self()];
    *read = *read * 8 + value + 1;
}

static void run_code(unsigned code)
{
    int *cell_of = code & 1 ? &m.x : &m.y;
    int value = explore_self() + 1, expected = 0;
    switch (code >> 1) {
    case 0:
        urd__store_rlx(cell_of, value);
        break;
    case 1:
        urd__store_rel(cell_of, value);
        break;
    case 2:
        remember((uint64_t)urd__load_rlx(cell_of));
        break;
    case 3:
        remember((uint64_t)urd__load_acq(cell_of));
        break;
    case 4:
        remember((uint64_t)urd__xchg_ar(cell_of, value));
        break;
    case 5:
        remember(urd__cas_ar(cell_of, &expected, value) ? 4U : (unsigned)expected);
        break;
    case 6:
        urd__fence_seq();
        break;
    case 7:
        remember((uint64_t)urd__load_seq(cell_of));
        break;
    case 8:
        urd__store_seq(cell_of, value);
        break;
    case 9:
        explore_lock(&m.lock);
        urd__store_rlx(cell_of, value);
        remember((uint64_t)urd__load_rlx(&m.x));
        explore_unlock(&m.lock);
        break;
    case 10:
        remember(explore_futex_wait_timed(cell_of, 0) == 0 ? 1 : 2);
        break;
    default:
        remember((uint64_t)explore_futex_wake(cell_of, 1));
    }
}

static void program_thread(void)
{
    for (int i = 0; i < PROGRAM_OPS; i++)
        run_code(program.code[explore_self()][i]);
}

static void program_setup(void)
{
    setup();
    memset(program.read, 0, sizeof program.read);
}

static void program_finish(void)
{
    uint64_t outcome = (program.read[0] << 20 | program.read[1]) << 20 | program.read[2];
    for (int i = 0; i < program.count; i++)
        if (program.seen[i] == outcome)
            return;
    explore_assert(program.count < OUTCOMES_MAX);
    program.seen[program.count++] = outcome;
}

static bool program_agrees(int number, int threads)
{
    struct explore_model model = {.name = "program",
                                  .setup = program_setup,
                                  .threads = {program_thread, program_thread},
                                  .finish = program_finish,
                                  .schedules_max = 20000000};
    if (threads == 3)
        model.threads[2] = program_thread;
    unsigned few[6]; /* so that operations meet their partners */
    for (int i = 0; i < 6; i++)
        few[i] = draw(24);
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < PROGRAM_OPS; j++)
            program.code[i][j] = (unsigned char)few[draw(6)];
    struct explore_result reduced, all;
    program.count = 0;
    explore(&model, &reduced);
    int found = program.count;
    model.all = true;
    explore(&model, &all);
    if (program.count == found && !reduced.failed && !all.failed)
        return true;
    printf("  program %d: %d outcomes in %ld schedules, but %d in all %ld\n", number, found,
           reduced.schedules, program.count, all.schedules);
    return false;
}

/* What the full search finds after the reduced one would be new outcomes: there must be none. */
static bool reduction_loses_no_outcome(void)
{
    program.random = 1;
    bool agree = true;
    for (int i = 0; i < PROGRAMS && agree; i++)
        agree = program_agrees(i, i % 20 == 9 ? 3 : 2);
    return agree;
}

const struct explore_model explore_models[] = {
    {.name = "SB_is_found",
     .setup = setup,
     .threads = {sb_plain_0, sb_plain_1},
     .finish = not_both_zero,
     .expect = "is false"},
    {.name = "SB_is_found_under_TSO",
     .setup = setup,
     .threads = {sb_plain_0, sb_plain_1},
     .finish = not_both_zero,
     .expect = "is false",
     .memory = EXPLORE_TSO},
    {.name = "SB_does_not_exist_under_SC",
     .setup = setup,
     .threads = {sb_plain_0, sb_plain_1},
     .finish = not_both_zero,
     .memory = EXPLORE_SC},
    {.name = "SB_is_cleared_by_fences",
     .setup = setup,
     .threads = {sb_fence_0, sb_fence_1},
     .finish = not_both_zero},
    {.name = "SB_is_cleared_by_fences_under_TSO",
     .setup = setup,
     .threads = {sb_fence_0, sb_fence_1},
     .finish = not_both_zero,
     .memory = EXPLORE_TSO},
    {.name = "SB_is_cleared_by_a_barrier_on_one_side",
     .setup = setup,
     .threads = {sb_barrier_0, sb_light_1},
     .finish = not_both_zero},
    {.name = "SB_with_a_fence_on_one_side_is_found",
     .setup = setup,
     .threads = {sb_fence_0, sb_light_1},
     .finish = not_both_zero,
     .expect = "is false"},
    {.name = "SB_with_a_barrier_between_others_is_found",
     .setup = setup,
     .threads = {sb_light_0, sb_light_1, explore_barrier_once},
     .finish = not_both_zero,
     .expect = "is false"},
    {.name = "SB_needs_both_fences",
     .setup = setup,
     .threads = {sb_fence_0, sb_plain_1},
     .finish = not_both_zero,
     .expect = "is false"},
    {.name = "SB_is_cleared_by_seq",
     .setup = setup,
     .threads = {sb_seq_0, sb_seq_1},
     .finish = not_both_zero},
    {.name = "SB_is_cleared_by_seq_and_fence",
     .setup = setup,
     .threads = {sb_seq_0, sb_fence_1},
     .finish = not_both_zero},
    {.name = "SB_with_rmw_is_found",
     .setup = setup,
     .threads = {sb_rmw_0, sb_rmw_1},
     .finish = not_both_zero,
     .expect = "is false"},
    {.name = "SB_with_rmw_does_not_exist_under_TSO",
     .setup = setup,
     .threads = {sb_rmw_0, sb_rmw_1},
     .finish = not_both_zero,
     .memory = EXPLORE_TSO},
    {.name = "MP_needs_a_release",
     .setup = setup,
     .threads = {mp_send_rlx, mp_receive_acq},
     .expect = "is false"},
    {.name = "MP_needs_an_acquire",
     .setup = setup,
     .threads = {mp_send_rel, mp_receive_rlx},
     .expect = "is false"},
    {.name = "MP_needs_neither_under_TSO",
     .setup = setup,
     .threads = {mp_send_rlx, mp_receive_rlx},
     .memory = EXPLORE_TSO},
    {.name = "MP_holds_with_release_and_acquire",
     .setup = setup,
     .threads = {mp_send_rel, mp_receive_acq}},
    {.name = "MP_holds_with_fences", .setup = setup, .threads = {mp_send_fence, mp_receive_fence}},
    {.name = "MP_holds_through_a_rmw",
     .setup = setup,
     .threads = {mp_send_rel, mp_pass_on, mp_receive_2}},
    {.name = "MP_holds_through_a_later_store_of_the_sender",
     .setup = setup,
     .threads = {mp_send_rel_then_rlx, mp_receive_2}},
    {.name = "MP_breaks_through_a_store_of_another",
     .setup = setup,
     .threads = {mp_send_rel, mp_overwrite, mp_receive_2},
     .expect = "is false"},
    {.name = "plain_message_holds_with_release",
     .setup = setup,
     .threads = {plain_send_rel, plain_receive}},
    {.name = "plain_message_without_release_is_a_race",
     .setup = setup,
     .threads = {plain_send_rlx, plain_receive},
     .expect = "data race"},
    {.name = "CoRR_holds", .setup = setup, .threads = {write_x, read_x_twice}},
    {.name = "IRIW_is_found",
     .setup = setup,
     .threads = {write_x_rel, write_y_rel, read_x_y_acq, read_y_x_acq},
     .finish = same_order_seen,
     .expect = "is false"},
    {.name = "IRIW_is_cleared_by_seq",
     .setup = setup,
     .threads = {write_x_seq, write_y_seq, read_x_y_seq, read_y_x_seq},
     .finish = same_order_seen},
    {.name = "dekker_breaks_without_fences",
     .setup = setup,
     .threads = {dekker_0, dekker_1},
     .expect = "is false"},
    {.name = "dekker_holds_with_fences",
     .setup = setup,
     .threads = {dekker_fence_0, dekker_fence_1}},
    {.name = "park_holds_with_fences", .setup = setup, .threads = {add_job_fence, park_fence}},
    {.name = "park_loses_a_wakeup_without_the_adders_fence",
     .setup = setup,
     .threads = {add_job_no_fence, park_fence},
     .expect = "waits for ever"},
    {.name = "park_loses_a_wakeup_without_the_parkers_fence",
     .setup = setup,
     .threads = {add_job_fence, park_no_fence},
     .expect = "waits for ever"},
    {.name = "park_loses_a_wakeup_without_the_second_look",
     .setup = setup,
     .threads = {add_job_fence, park_no_look},
     .expect = "waits for ever",
     .memory = EXPLORE_SC},
    {.name = "ABA_is_found",
     .setup = aba_setup,
     .threads = {aba_pop_one, aba_pop_two_push_one},
     .expect = "is false",
     .memory = EXPLORE_SC},
    {.name = "lock_keeps_counts",
     .setup = setup,
     .threads = {count_locked, count_locked, count_locked},
     .finish = counted_thrice},
    {.name = "count_without_lock_is_a_race",
     .setup = setup,
     .threads = {count_locked, count_unlocked},
     .finish = counted_twice,
     .expect = "data race"},
    {.name = "locks_in_opposite_order_deadlock",
     .setup = setup,
     .threads = {lock_x_then_y, lock_y_then_x},
     .expect = "waits for ever at lock"},
    {.name = "spinning_ends_when_the_word_changes",
     .setup = setup,
     .threads = {write_x_rel, spin_until_x}},
    {.name = "spinning_for_nothing_is_found",
     .setup = setup,
     .threads = {write_y_rel, spin_until_x},
     .expect = "waits for ever at spin_hint"},
    {.name = "unordered_free_is_a_race",
     .setup = free_setup,
     .threads = {use_cell, free_cell},
     .expect = "data race"},
    {.name = "futex_wait_sees_the_change_or_the_wake",
     .setup = setup,
     .threads = {wait_plain, wake_one}},
    {.name = "futex_wake_may_come_too_early",
     .setup = setup,
     .threads = {wait_plain, wake_without_change},
     .expect = "waits for ever at futex_wait"},
    {.name = "timed_wait_always_ends",
     .setup = setup,
     .threads = {wait_timed, wake_without_change}},
    {.name = "reduction_loses_no_outcome", .custom = reduction_loses_no_outcome},
    {.name = NULL},
};
