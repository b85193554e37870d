/*
 * pipeline.c - programs side by side, each reading what the one before it writes.
 *
 * SPDX-License-Identifier: MIT
 *
 *     pipeline PROGRAM [ARG...] [: PROGRAM [ARG...]]...
 *
 * As `a | b | c` in a shell; but every program counts, each that fails is named, and whatever ends
 * this one leaves none of them running.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <urd.h>

enum { PROGRAMS_MAX = 32 };

typedef struct line {
    char **words[PROGRAMS_MAX];
    int n;
} line;

static int wait_for(void *arg)
{
    urd_program *p = arg;
    return urd_exec_wait(p);
}

/* Start program i of the line; what it writes is read from programs[i].out. */
static int start(const line *l, urd_program *programs, int i)
{
    urd_exec_options o = {.in = i > 0 ? programs[i - 1].out : 0,
                          .out = i + 1 < l->n ? URD_EXEC_PIPE : 0};
    int rc = urd_exec_open(&programs[i], (const char *const *)l->words[i], &o);
    if (i > 0) { /* else this program would keep the pipe open */
        urd_close(programs[i - 1].out);
        programs[i - 1].out = -1;
    }
    return rc;
}

static int run(void *arg)
{
    const line *l = arg;
    urd_program programs[PROGRAMS_MAX];
    int started = 0, rc = 0;
    while (started < l->n && (rc = start(l, programs, started)) == 0)
        started++;
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_keep_going(&s);
    if (rc)
        urd_scope_cancel(&s, rc);
    for (int i = 0; i < started; i++)
        urd_go(&s, wait_for, &programs[i]);
    rc = urd_scope_join(&s);
    for (int i = 0; i < started; i++)
        if (urd_exec_close(&programs[i]) < 0)
            fprintf(stderr, "%s\n", programs[i].detail);
    if (started < l->n)
        fprintf(stderr, "%s\n", programs[started].detail);
    return rc;
}

/* Cut the arguments where a colon stands. */
static bool parse(char **argv, line *l)
{
    l->n = 0;
    for (char **word = argv + 1; *word; word++) {
        if (l->n == PROGRAMS_MAX || strcmp(*word, ":") == 0)
            return false;
        l->words[l->n++] = word;
        while (*word && strcmp(*word, ":") != 0)
            word++;
        if (!*word)
            return true;
        *word = NULL;
    }
    return false;
}

int main(int argc, char **argv)
{
    line l;
    (void)argc;
    if (!parse(argv, &l)) {
        fprintf(stderr, "usage: pipeline PROGRAM [ARG...] [: PROGRAM [ARG...]]...\n");
        return 2;
    }
    return urd_run(NULL, run, &l) != 0;
}
