/*
 * unread.c - errors of pool jobs that nobody has asked for.
 *
 * SPDX-License-Identifier: MIT
 *
 * A job's memory may be gone once it is done, and the pool's once it is closed, while the other is
 * still there and may be asked.  So neither leads to the other: the job bears the number of its
 * pool, and pools that have something unread are in a list, under one lock that only errors take.
 * The job is written to before it is done, and read by who was told that it is.
 */
#include <stdio.h>
#include <string.h>

#include "base/atomic.h"
#include "base/lock.h"
#include "core/symbol.h"
#include "pool/pool.h"

static struct {
    int lock; /* guards all of it; taken under a pool's */
    urd__link pools;
    uint64_t numbers; /* given so far */
} unread;

void urd__unread_open(urd_pool *p)
{
    urd__lock(&unread.lock);
    p->unread.number = ++unread.numbers;
    urd__unlock(&unread.lock);
}

void urd__unread_add(urd_pool *p, urd_pool_job *job)
{
    urd__unread *u = &p->unread;
    urd__lock(&unread.lock);
    if (u->count++ == 0)
        urd__list_push_tail(&unread.pools, &u->link);
    u->latest = job;
    u->given_at = job->given_at;
    u->result = job->result;
    urd__unlock(&unread.lock);
    urd__store_rel(&job->unread, u->number); /* before [done] */
}

/* Under lock; NULL: it is closed. */
static urd__unread *find(uint64_t number)
{
    urd__link *head = &unread.pools;
    for (urd__link *link = urd__list_first(head); link && link != head; link = link->next) {
        urd__unread *u = urd__container(link, urd__unread, link);
        if (u->number == number)
            return u;
    }
    return NULL;
}

void urd__unread_take(urd_pool_job *job)
{
    if (!urd__load_acq(&job->unread))
        return;
    urd__lock(&unread.lock);
    uint64_t number = urd__xchg_ar(&job->unread, 0); /* by one of those who ask */
    urd__unread *u = number ? find(number) : NULL;
    if (u && --u->count == 0)
        urd__list_remove(&u->link);
    if (u && u->latest == job)
        u->latest = NULL;
    urd__unlock(&unread.lock);
}

static void die(const urd_pool *p, const urd__unread *u)
{
    enum { PLACE_BYTES = 200, LATEST_BYTES = 300 };
    char place[PLACE_BYTES], latest[LATEST_BYTES] = "";
    if (u->latest) {
        urd__symbol_place(u->given_at, place, sizeof place);
        snprintf(latest, sizeof latest, "; the latest, given at %s, with %d (%s)", place, u->result,
                 strerrordesc_np(-u->result));
    }
    urd__die("urd_pool_close: %zu job%s of pool \"%s\" failed, and nobody waited for %s%s",
             u->count, u->count == 1 ? "" : "s", p->name, u->count == 1 ? "it" : "them", latest);
}

void urd__unread_close(urd_pool *p, int rc)
{
    urd__unread *u = &p->unread;
    urd__lock(&unread.lock);
    size_t count = u->count;
    if (count > 0)
        urd__list_remove(&u->link);
    urd__unlock(&unread.lock);
    if (count > 0 && rc == 0)
        die(p, u);
}
