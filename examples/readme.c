/*
 * readme.c - the program of the README: change URD_TASK to URD_THREAD or URD_PROCESS.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <urd.h>

static int bake(void *cake)
{
    printf("Fazendo bolo %s...\n", (char *)cake);
    int rc = urd_sleep(URD_SECOND);
    if (rc == 0)
        printf("Bolo %s feito!\n", (char *)cake);
    return rc;
}

static int kitchen(void *cakes)
{
    urd_scope s;
    urd_scope_open(&s);
    for (char *cake = cakes; *cake; cake += 16)
        urd_spawn(&s, URD_TASK, bake, cake, 16);
    return urd_scope_join(&s);
}

int main(void)
{
    char cakes[3][16] = {"chocolate", "cenoura", ""};
    return urd_run(NULL, kitchen, cakes) != 0;
}
