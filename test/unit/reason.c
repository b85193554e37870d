/*
 * reason.c - every reason to wait has words, and says who may end it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "watch/reason.h"

#include <string.h>

#include "core/wait.h"
#include "test.h"

TEST(every_reason_has_words_of_its_own)
{
    for (int i = 0; i < (int)URD__REASON_COUNT; i++) {
        CHECK(urd__reason_words(i)[0]);
        for (int j = 0; j < i; j++)
            CHECK(strcmp(urd__reason_words(i), urd__reason_words(j)) != 0);
    }
    CHECK_STR(urd__reason_words(URD__ON_MUTEX), "mutex");
    CHECK_STR(urd__reason_words(URD__ON_CHAN_RECV), "a value from channel");
}

TEST(a_number_that_is_no_reason_is_something_that_may_end)
{
    CHECK_STR(urd__reason_words(-1), "something");
    CHECK_STR(urd__reason_words((int)URD__REASON_COUNT), "something");
    CHECK(urd__reason_outside(-1));
    CHECK(urd__reason_outside((int)URD__REASON_COUNT));
}

TEST(only_jobs_end_the_wait_for_a_lock_and_time_ends_a_sleep)
{
    CHECK(urd__reason_outside(URD__ON_TIME));
    CHECK(!urd__reason_outside(URD__ON_MUTEX));
    CHECK(!urd__reason_outside(URD__ON_SCOPE));
    CHECK(!urd__reason_outside(URD__ON_CHAN_SEND));
}
