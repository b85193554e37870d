/*
 * trabalhadores.c - five workers that each wait two seconds: the first program of the tutorial.
 *
 * SPDX-License-Identifier: MIT
 *
 * The five wait together, so the whole takes two seconds as tasks, as threads and as processes.
 *
 *     trabalhadores tarefas | threads | processos
 */
#include <stdio.h>
#include <string.h>
#include <urd.h>

enum { WORKERS = 5 };

typedef struct wording {
    const char *argument;
    urd_kind kind;
    const char *started, *ended, *all_ended;
} wording;

static const wording wordings[] = {
    {"tarefas", URD_TASK, "Tarefa iniciada", "Tarefa terminada",
     "Todas as tarefas foram concluídas"},
    {"threads", URD_THREAD, "Thread iniciada", "Thread terminada",
     "Todas as threads foram concluídas"},
    {"processos", URD_PROCESS, "Processo iniciado", "Processo terminado",
     "Todos os processos foram concluídos"},
};

static int work(void *arg)
{
    const wording *words = arg;
    puts(words->started);
    int rc = urd_sleep(2 * URD_SECOND);
    if (rc < 0)
        return rc;
    puts(words->ended);
    return 0;
}

static int run_workers(void *arg)
{
    wording *words = arg;
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < WORKERS; i++)
        urd_spawn(&s, words->kind, work, words, sizeof *words);
    int rc = urd_scope_join(&s);
    if (rc == 0)
        puts(words->all_ended);
    return rc;
}

int main(int argc, char **argv)
{
    for (size_t i = 0; argc == 2 && i < sizeof wordings / sizeof wordings[0]; i++) {
        if (strcmp(argv[1], wordings[i].argument) != 0)
            continue;
        wording words = wordings[i];
        /* Line by line, so that lines of several processes also meet in order in a pipe. */
        setvbuf(stdout, NULL, _IOLBF, 0);
        int rc = urd_run(NULL, run_workers, &words);
        if (rc < 0)
            fprintf(stderr, "trabalhadores: %s\n", strerror(-rc));
        return rc < 0;
    }
    fprintf(stderr, "uso: trabalhadores tarefas|threads|processos\n");
    return 2;
}
