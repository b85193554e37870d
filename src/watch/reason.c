/*
 * reason.c - the table of core/wait.h, read.
 *
 * SPDX-License-Identifier: MIT
 */
#include "watch/reason.h"

#include "core/wait.h"

enum { INSIDE, OUTSIDE };

static const struct {
    const char *words;
    bool outside;
} table[] = {
#define ROW(name, ends, words) {words, (ends) == OUTSIDE},
    URD__REASONS(ROW)
#undef ROW
};

static bool known(int reason)
{
    return reason >= 0 && reason < (int)URD__REASON_COUNT;
}

const char *urd__reason_words(int reason)
{
    return known(reason) ? table[reason].words : "something";
}

bool urd__reason_outside(int reason)
{
    return !known(reason) || table[reason].outside;
}
