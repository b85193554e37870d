/*
 * ends.c - how a process ended, in words.
 *
 * SPDX-License-Identifier: MIT
 *
 * Put together once for each end there is, since who reads them keeps a pointer.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/lock.h"
#include "proc/process.h"

enum { WORDS_BYTES = 48 };

const char *urd__process_words(int status)
{
    static int lock;
    static char exits[256][WORDS_BYTES], signals[128][2][WORDS_BYTES];
    bool exited = WIFEXITED(status);
    int n = exited ? WEXITSTATUS(status) : WTERMSIG(status) & 127;
    bool dumped = !exited && WCOREDUMP(status);
    char *words = exited ? exits[n] : signals[n][dumped];
    urd__lock(&lock);
    if (!words[0] && exited && n == URD_EXIT_DEADLOCK) {
        snprintf(words, WORDS_BYTES, "deadlock: each of its jobs waited for another");
    } else if (!words[0] && exited) {
        snprintf(words, WORDS_BYTES, "exited with code %d before it returned", n);
    } else if (!words[0]) {
        const char *name = sigabbrev_np(n);
        char number[16];
        snprintf(number, sizeof number, "%d", n);
        snprintf(words, WORDS_BYTES, "killed by %s%.15s%s", name ? "SIG" : "signal ",
                 name ? name : number, dumped ? " (core dumped)" : "");
    }
    urd__unlock(&lock);
    return words;
}
