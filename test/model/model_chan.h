/*
 * model_chan.h - for models of channels of one process: those between processes are left out.
 *
 * SPDX-License-Identifier: MIT
 *
 * They have a model of their own, between.c.
 */
#ifndef MODEL_CHAN_H
#define MODEL_CHAN_H

#include "sync/between.h"

void urd__between_init(urd_chan *c)
{
    (void)c;
}

int urd__between_transfer(urd_chan *c, bool send, void *v, bool waits)
{
    (void)c, (void)send, (void)v, (void)waits;
    return -ENOTSUP;
}

size_t urd__between_close(urd_chan *c, bool drop)
{
    (void)c, (void)drop;
    return 0;
}

bool urd__between_done(urd_chan *c)
{
    (void)c;
    return false;
}

int urd__between_join(urd_chan *c)
{
    (void)c;
    return -ENOTSUP;
}

void urd__between_repair(urd_chan *c)
{
    (void)c;
}

void urd__between_stats(urd_chan *c, urd_chan_counts *out)
{
    (void)c;
    *out = (urd_chan_counts){0};
}

#endif
