/*
 * bolo.c - two cakes, one after the other or at the same time.
 *
 * SPDX-License-Identifier: MIT
 *
 * A cake is one second of waiting.  One after the other they take two seconds; as tasks, threads or
 * processes they wait together and take one.
 *
 *     bolo sequencial | tarefas | threads | processos
 */
#include <stdio.h>
#include <string.h>
#include <urd.h>

enum { CAKES = 2, CAKE_BYTES = 16, SEQUENTIAL = -1 };

static int bake(void *arg)
{
    const char *cake = arg;
    printf("Fazendo bolo %s...\n", cake);
    int rc = urd_sleep(URD_SECOND);
    if (rc < 0)
        return rc;
    printf("Bolo %s feito!\n", cake);
    return 0;
}

static int one_after_the_other(char cakes[CAKES][CAKE_BYTES])
{
    int rc = 0;
    for (int i = 0; i < CAKES && rc == 0; i++)
        rc = bake(cakes[i]);
    return rc;
}

static int at_the_same_time(char cakes[CAKES][CAKE_BYTES], urd_kind kind)
{
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < CAKES; i++)
        urd_spawn(&s, kind, bake, cakes[i], CAKE_BYTES);
    return urd_scope_join(&s);
}

static int kitchen(void *arg)
{
    int how = *(int *)arg;
    char cakes[CAKES][CAKE_BYTES] = {"chocolate", "cenoura"};
    urd_time start = urd_now();
    int rc =
        how == SEQUENTIAL ? one_after_the_other(cakes) : at_the_same_time(cakes, (urd_kind)how);
    if (rc == 0)
        printf("Tempo total: %.2f s\n", (double)(urd_now() - start) / URD_SECOND);
    return rc;
}

static bool choose(const char *word, int *how)
{
    static const struct {
        const char *word;
        int how;
    } choices[] = {
        {"sequencial", SEQUENTIAL},
        {"tarefas", URD_TASK},
        {"threads", URD_THREAD},
        {"processos", URD_PROCESS},
    };
    for (size_t i = 0; i < sizeof choices / sizeof choices[0]; i++) {
        if (strcmp(word, choices[i].word) == 0) {
            *how = choices[i].how;
            return true;
        }
    }
    return false;
}

int main(int argc, char **argv)
{
    int how;
    if (argc != 2 || !choose(argv[1], &how)) {
        fprintf(stderr, "uso: bolo sequencial|tarefas|threads|processos\n");
        return 2;
    }
    /* Line by line, so that lines of several processes also meet in order in a pipe. */
    setvbuf(stdout, NULL, _IOLBF, 0);
    int rc = urd_run(NULL, kitchen, &how);
    if (rc < 0)
        fprintf(stderr, "bolo: %s\n", strerror(-rc));
    return rc < 0;
}
