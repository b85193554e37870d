/*
 * out.c - text grows, whole, however long.
 *
 * SPDX-License-Identifier: MIT
 */
#include "watch/out.h"

#include <string.h>

#include "test.h"

TEST(text_that_grows_is_all_there)
{
    urd__out out = {0};
    for (int i = 0; i < 1000; i++)
        urd__out_print(&out, "%03d,", i);
    CHECK_EQ(out.used, 4000);
    CHECK_EQ(strlen(out.text), 4000);
    CHECK_EQ(strncmp(out.text, "000,001,", 8), 0);
    CHECK_STR(out.text + 3992, "998,999,");
    CHECK(!out.cut);
    urd__out_free(&out);
    CHECK(!out.text);
}

TEST(one_piece_may_be_longer_than_all_before)
{
    static char piece[100000];
    memset(piece, 'x', sizeof piece - 1);
    urd__out out = {0};
    urd__out_print(&out, "<");
    urd__out_print(&out, "%s>", piece);
    CHECK_EQ(out.used, sizeof piece + 1);
    CHECK_EQ(out.text[out.used - 1], '>');
    urd__out_free(&out);
}

TEST(printing_nothing_needs_no_memory)
{
    urd__out out = {0};
    urd__out_print(&out, "%s", "");
    CHECK(!out.text);
    CHECK_EQ(out.used, 0);
    urd__out_free(&out);
}
