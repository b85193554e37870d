/*
 * owner.c - a report finds who holds what a task waits for.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sync/owner.h"

#include "core/worker.h"
#include "runs.h"

static urd_mutex mutex;
static urd_rmutex rmutex;
static urd_rwlock rwlock;
static urd_once once;

static int owns_once(void *arg)
{
    CHECK_PTR(urd__lock_owner(URD__ON_ONCE, &once), arg);
    return 0;
}

static int owners(void *arg)
{
    (void)arg;
    const struct {
        int reason;
        const void *on;
    } held[] = {{URD__ON_MUTEX, &mutex},
                {URD__ON_RMUTEX, &rmutex},
                {URD__ON_RWLOCK_READ, &rwlock},
                {URD__ON_RWLOCK_WRITE, &rwlock}};
    urd__task *self = urd__task_self();
    for (int round = 0; round < 2; round++) {
        if (round == 1) {
            CHECK_EQ(urd_mutex_lock(&mutex), 0);
            CHECK_EQ(urd_rmutex_lock(&rmutex), 0);
            CHECK_EQ(urd_rwlock_wrlock(&rwlock), 0);
        }
        for (size_t i = 0; i < sizeof held / sizeof *held; i++)
            CHECK_PTR(urd__lock_owner(held[i].reason, held[i].on), round ? self : NULL);
    }
    CHECK_EQ(urd_once_run(&once, owns_once, self), 0);
    CHECK_PTR(urd__lock_owner(URD__ON_ONCE, &once), NULL);
    CHECK_PTR(urd__lock_owner(URD__ON_TIME, NULL), NULL);
    urd_rwlock_wrunlock(&rwlock);
    urd_rmutex_unlock(&rmutex);
    urd_mutex_unlock(&mutex);
    return 0;
}

TEST(every_lock_with_one_holder_tells_who_it_is)
{
    test_run(owners);
}
