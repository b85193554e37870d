/*
 * gather.c - wait for several tasks together: the results in order, or the first error.
 *
 * SPDX-License-Identifier: MIT
 *
 * What asyncio.gather gives, in two lines of a scope: every task writes its result into its own
 * place of an array, and the join says whether all of them succeeded.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <urd.h>

enum { TASKS = 3 };

typedef struct question {
    int number;
    urd_time duration;
    bool fails;
    int answer;
} question;

static int square(void *arg)
{
    question *q = arg;
    int rc = urd_sleep(q->duration);
    if (rc == -ECANCELED)
        printf("Tarefa %d cancelada\n", q->number);
    if (rc < 0)
        return rc;
    if (q->fails)
        return -EIO;
    q->answer = q->number * q->number;
    return 0;
}

static int gather(question *questions)
{
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < TASKS; i++)
        urd_go(&s, square, &questions[i]);
    return urd_scope_join(&s);
}

static int show(void *unused)
{
    (void)unused;
    /* The last to be asked answers first; the answers stand in order all the same. */
    question all_well[TASKS] = {
        {.number = 1, .duration = 30 * URD_MS},
        {.number = 2, .duration = 20 * URD_MS},
        {.number = 3, .duration = 10 * URD_MS},
    };
    int rc = gather(all_well);
    if (rc < 0)
        return rc;
    for (int i = 0; i < TASKS; i++)
        printf("Resultado %d: %d\n", all_well[i].number, all_well[i].answer);

    /* The second fails at once: the others, which would take an hour, are cancelled. */
    question one_fails[TASKS] = {
        {.number = 1, .duration = 3600 * URD_SECOND},
        {.number = 2, .duration = 10 * URD_MS, .fails = true},
        {.number = 3, .duration = 3600 * URD_SECOND},
    };
    rc = gather(one_fails);
    printf("O erro chegou: %s\n", strerror(-rc));
    return rc == -EIO ? 0 : rc;
}

int main(void)
{
    int rc = urd_run(NULL, show, NULL);
    if (rc < 0)
        fprintf(stderr, "gather: %s\n", strerror(-rc));
    return rc < 0;
}
