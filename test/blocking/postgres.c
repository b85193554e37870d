/*
 * postgres.c - many tasks, each with a query of 0.1 s to PostgreSQL, by libpq as it is.
 *
 * SPDX-License-Identifier: MIT
 *
 *     blocking_postgres CONNINFO TASKS CONNECTIONS        with liburdume-blocking preloaded
 *
 * The tasks take turns with the connections, which are opened at once.
 */
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "urd.h"

enum { CONNECTIONS_MAX = 1000 };

static const char *info;
static int tasks, connections;
static PGconn *slots[CONNECTIONS_MAX];
static urd_chan idle;

static void must(int holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "blocking_postgres: %s\n", what);
    exit(1);
}

static int open_one(void *unused)
{
    (void)unused;
    PGconn *c = PQconnectdb(info);
    must(PQstatus(c) == CONNECTION_OK, PQerrorMessage(c));
    return urd_chan_send(&idle, &c);
}

static int query(void *arg)
{
    char number[16];
    const char *values[] = {number};
    PGconn *c;
    int rc = urd_chan_recv(&idle, &c);
    if (rc)
        return rc;
    snprintf(number, sizeof number, "%d", *(int *)arg);
    PGresult *r = PQexecParams(c, "select pg_sleep(0.1), $1", 1, NULL, values, NULL, NULL, 0);
    must(PQresultStatus(r) == PGRES_TUPLES_OK, PQerrorMessage(c));
    must(strcmp(PQgetvalue(r, 0, 1), number) == 0, "another's answer");
    PQclear(r);
    return urd_chan_send(&idle, &c);
}

static int threads(void)
{
    char line[256];
    int n = 0;
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof line, status))
        if (strncmp(line, "Threads:", 8) == 0)
            n = atoi(line + 8);
    if (status)
        fclose(status);
    return n;
}

static double all_of(urd_fn *fn, int n)
{
    urd_time before = urd_now();
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < n; i++)
        must(urd_go_copy(&s, fn, &i, sizeof i) == 0, "a task");
    must(urd_scope_join(&s) == 0, "a job failed");
    return (double)(urd_now() - before) / (double)URD_SECOND;
}

static int run(void *unused)
{
    (void)unused;
    PGconn *c;
    urd_chan_init(&idle, sizeof *slots, slots, (size_t)connections);
    printf("%d connections opened: %.2f s\n", connections, all_of(open_one, connections));
    double seconds = all_of(query, tasks), least = 0.1 * tasks / connections;
    printf("%d queries of 0.1 s by as many tasks: %.2f s, where %.2f s is the least; one after "
           "the other %.0f s; threads: %d\n",
           tasks, seconds, least, 0.1 * tasks, threads());
    must(threads() < 8, "there is a thread for each");
    must(seconds < 3 * least + 1, "they waited for one another");
    while (urd_chan_tryrecv(&idle, &c) == 0)
        PQfinish(c);
    urd_chan_fini(&idle);
    return 0;
}

int main(int argc, char **argv)
{
    urd_config config = {.workers = 2, .processes = URD_PROCESSES_NONE};
    must(argc == 4, "usage: blocking_postgres CONNINFO TASKS CONNECTIONS");
    info = argv[1];
    tasks = atoi(argv[2]);
    connections = atoi(argv[3]);
    must(connections > 0 && connections <= CONNECTIONS_MAX, "1 to 1000 connections");
    return urd_run(&config, run, NULL) != 0;
}
