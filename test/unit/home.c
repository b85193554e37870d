/*
 * home.c - locks with a home: who gets one, who loses it, and that nobody is inside beside another.
 *
 * SPDX-License-Identifier: MIT
 *
 * Every schedule of the protocol is visited by test/model/home.c.  Where the kernel has no fence
 * for all threads there are no homes, and then these tests have nothing to see.
 */
#include "core/home.h"

#include <limits.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/runtime.h"
#include "runs.h"

static urd__home lock;
static long count; /* under lock */

static bool is_at_home(void)
{
    urd__held held = urd__home_lock(&lock);
    urd__home_unlock(held);
    return held.home != NULL;
}

static void use(unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        urd__held held = urd__home_lock(&lock);
        count++;
        urd__home_unlock(held);
    }
}

static bool there_are_homes(void)
{
    return urd__load_rlx(&urd__home_uses) != UINT_MAX; /* a number */
}

static unsigned uses_for_a_home(void)
{
    return urd__load_rlx(&urd__home_uses) + 1; /* a number; the first use is nobody's next one */
}

static void *use_as_a_thread(void *unused)
{
    use(1);
    return unused;
}

static void let_a_thread_use_it(void)
{
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, use_as_a_thread, NULL), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
}

static int make_a_home(void *unused)
{
    (void)unused;
    lock = (urd__home){0};
    if (!there_are_homes())
        return 0;
    use(uses_for_a_home() - 1);
    CHECK(!is_at_home());
    CHECK(is_at_home());
    return 0;
}

TEST(who_uses_it_often_in_a_row_is_at_home)
{
    run_real(1, make_a_home);
}

static int lose_it_to_a_thread(void *unused)
{
    make_a_home(unused);
    unsigned before = urd__load_rlx(&urd__home_uses); /* a number */
    let_a_thread_use_it();
    CHECK(!is_at_home());
    if (!there_are_homes())
        return 0;
    CHECK_EQ(urd__load_rlx(&urd__home_uses), 2 * before); /* the same */
    use(before);
    CHECK(!is_at_home());
    use(before);
    CHECK(is_at_home());
    return 0;
}

TEST(a_thread_evicts_it_and_then_a_home_takes_twice_as_many_uses)
{
    run_real(1, lose_it_to_a_thread);
}

static int take_it_away(void *unused)
{
    make_a_home(unused);
    unsigned before = urd__load_rlx(&urd__home_uses); /* a number */
    urd__home_lock_away(&lock);
    urd__unlock(&lock.word);
    CHECK_EQ(urd__load_rlx(&urd__home_uses), before); /* the same */
    CHECK(!is_at_home());
    return 0;
}

TEST(its_own_worker_takes_it_away_from_home_for_nothing)
{
    run_real(1, take_it_away);
}

static int take_turns(void *unused)
{
    (void)unused;
    lock = (urd__home){0};
    for (int i = 0; i < 4; i++) {
        use(uses_for_a_home() / 2);
        let_a_thread_use_it();
    }
    CHECK(!is_at_home());
    return 0;
}

TEST(where_two_take_turns_nobody_is_at_home)
{
    run_real(1, take_turns);
}

TEST(outside_of_a_runtime_nobody_is_at_home)
{
    lock = (urd__home){0};
    use(1000);
    CHECK(!is_at_home());
    CHECK_EQ(lock.word, 0);
}

/* With few uses for a home they come and go. */
enum { ROUNDS = 3000, THREADS = 3 };

static void *count_up(void *unused)
{
    for (int i = 0; i < ROUNDS / 10; i++) {
        use(10);
        if (there_are_homes())
            urd__store_rlx(&urd__home_uses, 1); /* a number */
    }
    return unused;
}

static int count_up_as_a_job(void *unused)
{
    count_up(unused);
    return 0;
}

static int count_together(void *unused)
{
    (void)unused;
    pthread_t threads[THREADS];
    lock = (urd__home){0};
    count = 0;
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < THREADS; i++) {
        urd_go(&s, count_up_as_a_job, NULL);
        CHECK_EQ(pthread_create(&threads[i], NULL, count_up, NULL), 0);
    }
    for (int i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(count, 2L * THREADS * ROUNDS);
    return 0;
}

TEST(workers_and_threads_that_count_under_it_lose_no_count)
{
    run_real(WORKERS, count_together);
}

/* The kernel's fence for all threads is the child's as well. */
static int evict_in_a_child(void *unused)
{
    make_a_home(unused);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        use(1);
        _exit(lock.word);
    }
    int status = -1;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    return 0;
}

TEST(a_child_made_by_fork_evicts_what_was_at_home_in_its_parent)
{
    run_real(1, evict_in_a_child);
}
