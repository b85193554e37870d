/*
 * redis.c - many tasks, each with its own connection to Redis, by hiredis as it is.
 *
 * SPDX-License-Identifier: MIT
 *
 *     blocking_redis SOCKET TASKS        with liburdume-blocking preloaded
 *
 * Each writes a value and reads it back, then waits for 0.1 s for a list in which nothing comes.
 */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "urd.h"

static const char *path;
static urd_scope scope;

static void must(int holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "blocking_redis: %s\n", what);
    exit(1);
}

static int talk(void *arg)
{
    int number = *(int *)arg;
    redisContext *c = redisConnectUnix(path);
    must(c && !c->err, c ? c->errstr : "no memory");
    redisReply *r = redisCommand(c, "SET key:%d %d", number, 7 * number);
    must(r && r->type == REDIS_REPLY_STATUS, "SET");
    freeReplyObject(r);
    r = redisCommand(c, "GET key:%d", number);
    must(r && r->type == REDIS_REPLY_STRING && atoi(r->str) == 7 * number, "GET");
    freeReplyObject(r);
    r = redisCommand(c, "BLPOP nothing:%d 0.1", number);
    must(r && r->type == REDIS_REPLY_NIL, "BLPOP");
    freeReplyObject(r);
    redisFree(c);
    return 0;
}

static int run(void *arg)
{
    int tasks = *(int *)arg;
    urd_time before = urd_now();
    urd_scope_open(&scope);
    for (int i = 0; i < tasks; i++)
        must(urd_go_copy(&scope, talk, &i, sizeof i) == 0, "a task");
    int rc = urd_scope_join(&scope);
    double seconds = (double)(urd_now() - before) / (double)URD_SECOND;
    printf("%d tasks, a wait of 0.1 s each: %.2f s\n", tasks, seconds);
    must(seconds < 0.1 * tasks / 2, "they waited one after the other");
    return rc;
}

int main(int argc, char **argv)
{
    urd_config config = {.workers = 2, .processes = URD_PROCESSES_NONE};
    must(argc == 3, "usage: blocking_redis SOCKET TASKS");
    path = argv[1];
    int tasks = atoi(argv[2]);
    return urd_run(&config, run, &tasks) != 0;
}
