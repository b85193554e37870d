/*
 * ends.c - every end of a process has its words.
 *
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>
#include <string.h>

#include "proc/process.h"
#include "test.h"

TEST(words_name_every_status)
{
    CHECK_STR(urd__process_words(SIGSEGV), "killed by SIGSEGV");
    CHECK_STR(urd__process_words(SIGSEGV | 0x80), "killed by SIGSEGV (core dumped)");
    CHECK_STR(urd__process_words(255 << 8), "exited with code 255 before it returned");
    CHECK_STR(urd__process_words(35), "killed by signal 35");
    for (int status = 0; status < 65536; status += 1 + status / 64)
        CHECK_LT(strlen(urd__process_words(status)), 48);
}
