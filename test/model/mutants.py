#!/usr/bin/env python3
"""mutants.py - break each protocol on purpose: its model must fail.

SPDX-License-Identifier: MIT

A model that passes says something only if it would fail when the source were wrong.  Each mutant
below is one textual change to a copy of a source; the text must occur exactly once.  First every
model must pass as it is, unless --models-passed says that they did; then each mutant is compiled
into its model, which must fail.

    mutants.py [--cc CC] [--jobs N] [--every N] [--models-passed] [--list] [MODEL...]
"""
import argparse
import concurrent.futures
import os
import pathlib
import shutil
import re
import subprocess
import sys
import tempfile

import mutants_shared

ROOT = pathlib.Path(__file__).resolve().parents[2]
SECONDS_MAX = 120  # of one model run
# -fsanitize=thread without its library: the explorer takes the calls (explore_race.h).
FLAGS = ["-std=gnu17", "-O1", "-w", "-D_GNU_SOURCE=", "-DURD_MODEL"]
RACES = "-fsanitize=thread"

# model, source, text, what it becomes, why the model must then fail
MUTANTS = [
    ("deque", "core/deque.h", "        urd__fence_seq(); /* P2 */\n", "        ;\n",
     "the owner may read an old top: the last job is taken twice"),
    ("deque", "core/deque.c", "            urd__fence_seq(); /* S2 */\n", "            ;\n",
     "the thief may read an old bottom: the last job is taken twice"),
    ("deque", "core/deque.c", "            urd__os_barrier_all(); /* S2 */\n",
     "            urd__fence_seq();\n",
     "the thief's own fence does not order the owner: the last job is taken twice"),
    ("deque", "core/deque.c", "    bool there = top < urd__load_rlx(&d->bottom); /* own store */",
     "    bool there = true;", "the oldest of none is taken"),
    ("deque", "core/deque.h", "urd__store_rel(&d->bottom, bottom + 1); /* [push]",
     "urd__store_rlx(&d->bottom, bottom + 1); /* [push]",
     "a thief may read a slot before the job is in it"),
    ("deque", "core/deque.h", "bottom - urd__load_acq(&d->copied)",
     "bottom - urd__load_rlx(&d->copied)",
     "a slot may be written while its thief still reads it"),
    ("deque", "core/deque.c", "urd__store_rel(&d->copied, top + claimed)",
     "urd__store_rlx(&d->copied, top + claimed)",
     "a slot may be written while its thief still reads it"),
    ("deque", "core/deque.h", "bottom - urd__load_acq(&d->copied)",
     "bottom - urd__load_acq(&d->top)",
     "top is raised before the slots are read"),
    ("deque", "core/deque.c", "        if (top + claimed > bottom) {", "        if (false) {",
     "the thief keeps what the owner took meanwhile"),
    ("deque", "core/deque.c", "claimed = bottom > top ? bottom - top : 0;",
     "claimed = bottom > top ? claimed : 0;",
     "the thief keeps a job that the owner took meanwhile"),
    ("deque", "core/deque.c",
     "            urd__store_rlx(&d->top, top + claimed); /* lower", "            /* lower",
     "jobs given back are never seen again"),
    ("deque", "core/deque.h", "    if (__builtin_expect(urd__load_rlx(&d->top) <= bottom, 1))\n",
     "    if (bottom >= 0)\n",
     "the owner takes without looking at top"),
    ("deque", "core/deque.c", "        urd__store_rlx(&d->bottom, bottom + 1); /* thieves",
     "        ; /*",
     "an empty deque goes below its top"),
    ("deque", "core/deque.c", "    for (int64_t i = urd__load_rlx(&d->top); i < bottom; i++)",
     "    for (int64_t i = urd__load_rlx(&d->top) + 1; i < bottom; i++)",
     "growth forgets the oldest job"),

    ("inbox", "pool/inbox.c",
     "    return now & CALL;",
     "    return 0;",
     "who gives a job wakes nobody"),
    ("inbox", "pool/inbox.c",
     "        if (word == 0 && urd__list_empty(&p->queue) && urd__cas_ar(&p->inbox, &word, CALL))\n"
     "            return; /* [inbox] */\n",
     "        if (word == 0 && urd__list_empty(&p->queue))\n"
     "            return;\n",
     "nobody is called for the next job"),
    ("inbox", "pool/inbox.c",
     "urd__cas_ar(&p->inbox, &word, CALL))\n",
     "(urd__store_rlx(&p->inbox, CALL), 1))\n",
     "a job that came meanwhile is written over"),
    ("inbox", "pool/inbox.c",
     "            urd__inbox_call(p, woken);\n",
     "            break;\n",
     "a job is there, and nobody is woken for it"),
    ("inbox", "pool/inbox.c",
     "    while (!urd__cas_ar(&p->inbox, &now, (uintptr_t)&job->link)); /* G1 [inbox] */\n",
     "    while (!urd__cas_rlx(&p->inbox, &now, (uintptr_t)&job->link));\n",
     "a worker may read a job before it is written"),
    ("inbox", "pool/inbox.c",
     "        urd__cas_ar(&p->inbox, &word, 0); /* W4 [inbox] */\n",
     "        urd__store_rlx(&p->inbox, 0);\n",
     "a job that came meanwhile is written over"),
    ("inbox", "pool/crew.c",
     "        p->coming -= comes; /* W1 */\n",
     "",
     "who has come counts as coming for ever"),
    ("inbox", "pool/crew.c",
     "    urd__inbox_settle(p, &woken);\n    urd__unlock(&p->lock);\n    urd__pool_wake(&woken);\n"
     "    int rc",
     "    urd__unlock(&p->lock);\n    int rc",
     "a job that comes as a worker lies down is not seen"),
    ("inbox", "pool/crew.c",
     "            urd__inbox_settle(p, &woken);\n",
     "",
     "a job waits behind another though a worker is idle"),
    ("inbox", "pool/pool.c",
     "    if (call || urd__load_acq(&p->cause)) /* [cause] */\n",
     "    if (call)\n",
     "a job is left lying in a pool that has ended"),
    ("inbox", "pool/pool.c",
     "static void fail_all(urd_pool *p, urd__link *woken)\n{\n    urd__inbox_move_all(p);\n",
     "static void fail_all(urd_pool *p, urd__link *woken)\n{\n    urd__inbox_move(p);\n",
     "a job that came before the end may not be seen by it"),

    ("ring", "pool/ring.c",
     "    rouse(ring);",
     "",
     "who died while it woke somebody leaves him asleep"),
    ("ring", "pool/ring.c",
     "    urd__fence_seq(); /* P2 */\n"
     "    wake_one(ring);",
     "    wake_one(ring);",
     "the parent may miss a worker that has just gone to sleep"),
    ("ring", "pool/ring.c",
     "    urd__fence_seq();                        /* W2 */\n"
     "    if (anything_for",
     "    if (anything_for",
     "the worker may miss the job as it goes to sleep"),
    ("ring", "pool/ring.c",
     "    if (anything_for_worker(ring))           /* W3 */\n"
     "        return true;\n",
     "",
     "a job that came before it slept is not seen"),
    ("ring", "pool/ring.c",
     "    urd__fence_seq();                                                       /* D2 */\n",
     "",
     "the worker may miss a parent that has just gone to sleep"),
    ("ring", "pool/ring.c",
     "    urd__fence_seq();                                /* S2 */\n",
     "",
     "the parent may miss an end as it goes to sleep"),
    ("ring", "pool/ring.c",
     "    if (!urd__ring_is_empty(ring))         /* W3 */\n"
     "        wake_one(ring);\n",
     "",
     "jobs left to who looks are not passed on"),
    ("ring", "pool/ring.c",
     "    return urd__cas_ar(&slot->state, &ready,\n"
     "                       make_state(pass, worker, URD__SLOT_TAKEN)); /* [slot] */",
     "    (void)ready;\n"
     "    urd__store_rel(&slot->state, make_state(pass, worker, URD__SLOT_TAKEN));\n"
     "    return true;",
     "an old number takes a slot that was taken back"),
    ("ring", "pool/ring.c",
     "            enqueue(ring, slot, pass_of(urd__load_acq(&slot->state))); /* [slot] */\n",
     "",
     "a job whose number died with its taker is in no queue"),
    ("ring", "pool/ring.c",
     "bool shown_not = is(slot, worker, URD__SLOT_DONE) && !slot->reaped;",
     "bool shown_not = false;",
     "a result that was not shown is lost"),
    ("ring", "pool/ring.c",
     "urd__store_rel(&w->ended_at, at + 1);",
     "urd__store_rlx(&w->ended_at, at + 1);",
     "the parent may read a result before it is written"),
    ("ring", "pool/ring.c",
     "    urd__store_rel(&w->state, URD__RING_AWAY);       /* nobody wakes what is not there */\n",
     "",
     "a job is left to one who looks no more, since it is dead"),
    ("ring", "pool/ring.c",
     "        idle += state == URD__RING_LOOKS || state == URD__RING_SLEEPS;\n",
     "        idle += state != 9;\n",
     "a worker that has left counts as one that waits"),

    ("park", "core/park.c", "    urd__fence_seq();                     /* B2 */\n", "",
     "the worker may miss the job, and the adder the worker"),
    ("park", "core/park.c", "if (!anything_for(self))              /* B3 */",
     "                                      /* B3 */",
     "a job that came before `parked` was set is not seen"),
    ("park", "core/runtime.h", "        urd__fence_seq(); /* A2 */\n", "        ;\n",
     "the adder may miss a worker that has just parked"),
    ("park", "core/park.c", "    urd__os_barrier_all();     /* B2 */\n", "    urd__fence_seq();\n",
     "the worker's own fence does not order the adder: both miss each other"),
    ("park", "core/park.c", "return anything_for(self); /* B3 */", "return false; /* B3 */",
     "a job that came before the fence of all is not seen"),
    ("park", "core/park.c",
     "(urd__load_acq(&urd__rt.workers[i].parked) == URD__AWAKE)\n            return false;",
     "(urd__load_acq(&urd__rt.parked) < (int)urd__rt.nworkers)\n            return false;",
     "a worker that has been woken still counts as parked"),
    ("park", "core/park.c", "    urd__fence_seq(); /* B4 */\n", "",
     "who adds a job after its sleep may miss one that found all parked"),
    ("park", "core/park.c", "to_help && urd__worker_self && urd__cas_ar(&worker->moved, "
     "&unmoved, MOVING);",
     "to_help && urd__worker_self && (urd__store_rel(&worker->moved, MOVING), !unmoved);",
     "the second waker takes the reduced mask for the whole one"),
    ("park", "core/park.c", "    while ((moved = urd__load_acq(&self->moved)) == MOVING)",
     "    if ((moved = urd__load_acq(&self->moved)) == MOVING)",
     "the worker goes on while it is being kept off a processor"),
    ("park", "core/runtime.h", "    urd__fence_seq(); /* I2, A2 */\n", "",
     "an interrupt may miss a worker that has just parked, and the end of the start"),
    ("park", "core/runtime.h", "    urd__fence_seq(); /* S2 */\n", "",
     "the end of the start may miss an interrupt"),
    ("park", "core/runtime.h", "    if (urd__load_acq(&urd__interrupted)) /* S3 [interrupt] */",
     "    if (false) /* S3 */",
     "an interrupt during the start wakes nobody"),
    ("park", "core/park.c", " || urd__load_acq(&urd__interrupted)) /* [interrupt] */", ")",
     "a worker parks beside an interrupt"),
    ("park", "core/sched.c",
     "    inject(job);      /* A1 in park.c */\n    urd__fence_seq(); /* A2 */\n",
     "    inject(job);      /* A1 in park.c */\n",
     "who is no worker may miss one that has just parked"),
    ("park", "core/sched.c",
     "    urd__fence_seq(); /* A2 in park.c */\n    urd__park_wake(other);",
     "    urd__park_wake(other);",
     "who posts a task may miss its worker as it parks"),
    ("park", "core/park.c",
     "        urd__sub_ar(&urd__rt.searching, 1);", "        ;",
     "a sleeper still counts as searching, and nobody is woken"),
    ("park", "core/park.c", "!urd__cas_ar(&worker->parked, &parked, URD__AWAKE))",
     "(urd__sub_ar(&urd__rt.parked, 0), false))",
     "the woken worker sees itself parked and sleeps on"),
    ("park", "core/park.c", "!urd__cas_ar(&worker->parked, &parked, URD__AWAKE))",
     "(urd__store_rel(&worker->parked, URD__AWAKE), false))",
     "two wakers both count the worker out"),
    ("park", "core/park.c", "        urd__load_acq(&urd__rt.io)->wake(worker);",
     "        urd__os_futex_wake(&worker->parked, 1);",
     "who sleeps in its poller does not hear the futex"),
    ("park", "core/park.c", "> 0 ? URD__IN_POLLER : URD__IN_FUTEX;",
     "> 0 ? URD__IN_FUTEX : URD__IN_FUTEX;",
     "who sleeps on the futex does not hear of I/O"),
    ("park", "core/park.c", "        else if (io_came(self, until))\n            break;",
     "        else\n            io_came(self, until);",
     "the task that I/O made ready waits for another reason to wake"),
    ("park", "core/park.c", "    urd__add_ar(&urd__rt.waking, 1); /* [waking] pairs", "    /*",
     "the poller may be closed while a waker is about to use it"),
    ("park", "core/sched.c", "urd__cas_ar(&other->inbox, &first, task)",
     "(urd__store_rel(&other->inbox, task), true)",
     "of two tasks posted at once one is lost"),
    ("park", "core/sched.c", "urd__cas_ar(&other->inbox, &first, task)",
     "urd__cas_rlx(&other->inbox, &first, task)",
     "the worker may read the task's link before it is written"),

    ("wait", "core/wait.c", "    urd__fence_seq(); /* W2 */\n", "",
     "the waiter may miss the cancel, and the cancel the waiter"),
    ("wait", "core/cancel.c", "    urd__fence_seq();                      /* C2 */\n", "",
     "the cancel may miss the waiter, and the waiter the cancel"),
    ("wait", "core/wait.c", "    return urd__scope_cancelled(scope) && state_of(word)",
     "    return false && state_of(word)", "a cancel that came before the wait is not seen"),
    ("chan", "core/wait.c", "    if (!(scope && cancel_won(self, scope, waiter.word)) && sleep_now",
     "    if (sleep_now", "a cancel that came before the wait is not seen"),
    ("chan", "core/wait.c", "    unlist(&waiter, NULL, held.lock);\n    return -ECANCELED;",
     "    return -ECANCELED;", "a cancelled waiter stays on the list"),
    ("wait", "core/wait.c",
     "        if (urd__wait_undo(self, word)) {\n            urd__task_rest(self, false);\n",
     "        {\n            urd__task_rest(self, false);\n",
     "a wake that came as the time was up is lost"),
    ("wait", "core/wait.c",
     "        while (!urd__task_park_thread_until(self, INT64_MAX)) /* claimed; it will be ready"
     " soon */\n            ;\n",
     "", "a thread goes on before who claimed its wait has made it ready"),
    ("wait", "core/wait.c",
     "    uint64_t word = urd__load_acq(&self->wait);          /* [wait] */\n"
     "    urd_scope *scope = urd__load_rlx(&self->wait_scope); /* see above */\n",
     "    urd_scope *scope = urd__load_rlx(&self->wait_scope);\n"
     "    uint64_t word = urd__load_acq(&self->wait);\n",
     "a waiter that looks late cancels the wait that was begun for it"),
    ("wait", "core/wait.c", "urd__wait_with_state(last + URD__WAIT_STATES, URD__WAITING)",
     "urd__wait_with_state(last, URD__WAITING)",
     "without a sequence number a late claim ends a later wait"),
    ("wait", "core/wait.c", "urd__store_rel(&self->wait, word);",
     "urd__store_rlx(&self->wait, word);",
     "a canceller may take the scope of an earlier wait for this one's"),
    ("wait", "core/wait.c",
     "    if (urd__cas_ar(&task->wait, &word, urd__wait_with_state(word, URD__CANCELLED)))",
     "    urd__store_rel(&task->wait, urd__wait_with_state(word, URD__CANCELLED));",
     "cancel and wake both win"),
    ("wait", "core/wait.c",
     "    if (urd__list_linked(&waiter->link))\n        urd__list_remove",
     "    if (false)\n        urd__list_remove",
     "a cancelled waiter stays on the list"),
    ("wait", "core/wait.h", "        if (urd__wait_claim(waiter->task, waiter->word)) {",
     "        urd__wait_claim(waiter->task, waiter->word);\n        {",
     "a token is given to a waiter that is cancelled already"),
    ("wait", "core/wait.c", " || urd__load_rlx(&task->wait_scope) != scope)", ")",
     "a cancel ends a wait in a shielded scope"),
    ("wait", "core/wait.c",
     "    urd__list_push_tail(list, &waiter->link);\n    if (word)\n        urd__unlock(word);",
     "    if (word)\n        urd__unlock(word);\n    urd__list_push_tail(list, &waiter->link);\n"
     "    if (word)\n        ;",
     "the list is changed without its lock"),
    ("wait", "core/wait.h", "        urd__scope_publish_task(self, self->scope);\n", "        ;\n",
     "no cancel finds the task"),
    ("wait", "core/cancel.c",
     "        urd__lock(&inner->lock);\n        wake_owner(inner);",
     "        urd__lock(&inner->lock);",
     "owners of inner scopes are not woken"),
    ("wait", "core/cancel.c", "        if (urd__load_acq(&inner->flags) & URD__SCOPE_SHIELD)",
     "        if (false)", "a cancel goes into a shielded scope"),

    ("scope", "core/scope.c",
     "urd__sub_ar(&s->pending, 1) - 1 == URD__SCOPE_JOINING", "urd__sub_ar(&s->pending, 1) == 1",
     "the last job does not see that the owner waits"),
    ("scope", "core/scope.c",
     "    if (urd__sub_ar(&s->pending, 1) - 1 == URD__SCOPE_JOINING) { /* E1, E2 */",
     "    urd__sub_ar(&s->pending, 1);\n"
     "    if (urd__load_acq(&s->pending) == URD__SCOPE_JOINING) {",
     "a job that is counted off touches a scope that may be gone"),
    ("scope", "core/scope.c",
     "    if (urd__add_ar(&s->pending, local + URD__SCOPE_JOINING) + local == 0) {",
     "    urd__add_ar(&s->pending, local + URD__SCOPE_JOINING);\n    if (false) {",
     "the owner sleeps although the last job has ended"),
    ("scope", "core/scope.c",
     "    if (urd__sub_ar(&s->pending, 1) - 1", "    if (urd__sub_rlx(&s->pending, 1) - 1",
     "the owner may not see what the job wrote"),
    ("scope", "core/scope.c",
     "    bool first = urd__cas_ar(&s->cause, &none, rc); /* which stays */",
     "    bool first = !none;\n    urd__store_rel(&s->cause, rc);",
     "the last error wins, not the first"),
    ("scope", "core/scope.c",
     "    if (!(urd__load_acq(&s->flags) & URD__SCOPE_KEEP_GOING))\n"
     "        urd_scope_cancel(s, rc);", "", "a failure does not cancel the siblings"),
    ("scope", "core/scope.c",
     "    if (s->parent && urd__load_acq(&s->published))\n        urd__scope_detach",
     "    if (false)\n        urd__scope_detach",
     "a scope that is gone stays in its parent's list"),
    ("scope", "core/scope.c", "    if (!next)\n        s->running--;", "    s->running--;",
     "a place under the limit is given away twice"),
    ("scope", "core/scope.c", "    if (!next)\n        s->running--;", "",
     "a place under the limit is lost"),
    ("scope", "core/cancel.c",
     "    if (!is_published(s)) {\n        urd__list_push_tail",
     "    {\n        urd__list_push_tail",
     "a scope is linked into its parent twice"),

    ("mutex", "sync/mutex.c", "(free ? (uintptr_t)self : WAITS);",
     "(free ? (uintptr_t)self : 0);",
     "an unlock does not see that somebody waits"),
    ("mutex", "sync/mutex.c", "    else\n        urd__and_ar(&m->owner, ~WAITS);",
     "    urd__and_ar(&m->owner, ~WAITS);", "after the first waiter the others are forgotten"),
    ("mutex", "sync/mutex.c", "(uintptr_t)task | bits); /* U3 [mutex] */",
     "(uintptr_t)task); /* U3 [mutex] */", "after a hand-over the others are forgotten"),
    ("mutex", "sync/mutex.c", "(uintptr_t)task | bits); /* U3 [mutex] */",
     "bits); /* U3 [mutex] */", "the woken waiter does not own what it was given"),
    ("mutex", "sync/mutex.c", "        if (take_or_mark(m, self, drop)) {",
     "        if (take_or_mark(m, self, 0)) {",
     "who was woken and lost is still taken to be on his way, and nobody wakes him"),
    ("mutex", "sync/mutex.c", "(uintptr_t)self | (now & ~drop))) { /* V1 [mutex] */",
     "(uintptr_t)self | now)) { /* V1 [mutex] */",
     "who was woken and won is still taken to be on his way, and nobody is woken"),
    ("mutex", "sync/mutex.c", "        if (!(now & WAITS) || (now & WOKEN)) {",
     "        if (true) {", "an unlock wakes nobody"),
    ("mutex", "sync/mutex.c", "        urd__unlock(&m->lock);\n        now = urd__load_rlx",
     "        now = urd__load_rlx", "the list stays locked"),
    ("mutex", "sync/mutex.c", "        next = claim_first(m, time);\n",
     "        next = claim_first(m, time);\n        if (!next) {\n"
     "            urd__store_rel(&m->owner, (uintptr_t)0);\n"
     "            urd__unlock(&m->lock);\n            return;\n        }\n",
     "an unlock touches the mutex after it is free"),
    ("mutex", "sync/mutex.c",
     "urd__cas_ar(&m->owner, &now, (uintptr_t)self | now)) { /* [mutex] */",
     "urd__cas_rlx(&m->owner, &now, (uintptr_t)self | now)) {",
     "the next owner may not see what the last one wrote"),
    ("mutex", "sync/mutex.c",
     "    if (!quick || !urd__cas_ar(&m->owner, &now, now & BITS)) /* U1 [mutex] */",
     "    if (!quick || !urd__cas_rlx(&m->owner, &now, now & BITS))",
     "the next owner may not see what the last one wrote"),

    ("cond", "sync/cond.c",
     "    urd__list_push_tail(&c->waiters, &w.waiter.link);\n    urd__unlock(&c->lock);\n"
     "    urd_mutex_unlock(m);      /* C2 */\n",
     "    urd__unlock(&c->lock);\n    urd_mutex_unlock(m);\n    urd__lock(&c->lock);\n"
     "    urd__list_push_tail(&c->waiters, &w.waiter.link);\n    urd__unlock(&c->lock);\n",
     "a signal comes between the unlock and the waiting, and is lost"),
    ("cond", "sync/cond.c", "        urd__mutex_end_queue(m, &w); /* C4 */\n", "",
     "who was signalled does not have the mutex"),
    ("cond", "sync/cond.c", "    urd__mutex_lock_always(m, self);\n", "",
     "who was cancelled does not have the mutex"),
    ("cond", "sync/cond.c",
     "    urd__lock(&c->lock);\n    if (urd__list_linked(&waiter->link))\n",
     "    if (urd__list_linked(&waiter->link))\n",
     "the list is changed without its lock"),
    ("cond", "sync/cond.c",
     "    for (urd__waiter *w; n > 0 && (w = urd__wait_pop(&c->waiters)) != NULL; n--)\n"
     "        urd__list_push_tail(&woken, &w->link); /* S1 */\n",
     "    for (urd__link *link; n > 0 && (link = urd__list_pop(&c->waiters)) != NULL; n--) {\n"
     "        urd__waiter *w = urd__container(link, urd__waiter, link);\n"
     "        if (urd__wait_claim(w->task, w->word))\n"
     "            urd__list_push_tail(&woken, link);\n    }\n",
     "a signal is spent on a waiter that is cancelled"),
    ("cond", "sync/mutex.c", "now | (w->given ? (uintptr_t)task : WAITS))",
     "now | (w->given ? (uintptr_t)task : 0))",
     "an unlock does not see who stands in line since a signal"),
    ("cond", "sync/mutex.c",
     "        w->waiter.word = urd__wait_begin(task, NULL, w->reason, w->on);\n", "",
     "the unlock cannot claim who stands in line since a signal"),

    ("rwlock", "sync/rwlock.c", "now & WRITER ? now | QUEUES : now + READER))",
     "now & WRITER ? now : now + READER))",
     "a writer does not see that a reader queues"),
    ("rwlock", "sync/rwlock.c", "    while (!(now & WRITER))\n        if",
     "    while (true)\n        if", "a reader gets in beside a writer"),
    ("rwlock", "sync/rwlock.c", "    if (drained(before - READER))\n",
     "    if (before == READER + WRITER + QUEUES)\n",
     "the last reader does not wake the writer"),
    ("rwlock", "sync/rwlock.c", "drained(urd__load_acq(&l->state)) ? urd__wait_pop(&l->writer)",
     "true ? urd__wait_pop(&l->writer)",
     "a late wake lets a writer in beside readers"),
    ("rwlock", "sync/rwlock.c",
     "    if (urd__or_ar(&l->state, WRITER) < READER) { /* W2 [rwlock] */",
     "    urd__or_ar(&l->state, WRITER);\n    if (false) {",
     "a writer sleeps although the last reader has left"),
    ("rwlock", "sync/rwlock.c", "    if (rc)\n        let_readers_in(l);\n    return rc;",
     "    return rc;",
     "a cancelled writer stays announced"),
    ("rwlock", "sync/rwlock.c", "(now & ~(WRITER | QUEUES)) + readers))",
     "now & ~(WRITER | QUEUES)))", "readers that are let in are not counted"),
    ("rwlock", "sync/rwlock.c", "    uintptr_t before = urd__sub_ar(&l->state, READER);",
     "    uintptr_t before = urd__sub_rlx(&l->state, READER);",
     "the writer may write while the reader still reads"),
    ("rwlock", "sync/rwlock.c",
     "        urd__mutex_unlock_as(&l->writers, &WRITE);\n    return rc;",
     "        (void)0;\n    return rc;", "a cancelled writer keeps the others out"),

    ("chan", "sync/chan.c",
     "        copy(c, receiver->value, v);\n        *wake = receiver->task;",
     "        *wake = receiver->task;", "a receiver is woken without a value"),
    ("chan", "sync/chan.c", "urd__wait_pop_all(&c->receivers, -EPIPE, &woken);",
     "urd__wait_pop_all(&c->receivers, 0, &woken);", "a closed channel looks like a value"),
    ("chan", "sync/chan.c", "    if (from_ring) {\n        put(c, sender->value);",
     "    if (from_ring) {\n        put(c, v);", "the value of a sender that waited is lost"),
    ("chan", "sync/chan.c", "    if (c->closed)\n        return -EPIPE;\n    urd__waiter *receiver",
     "    urd__waiter *receiver", "a send to a closed channel waits for ever"),
    ("chan", "sync/chan.c", "    if (c->done == c->sent) {\n        urd__home_unlock",
     "    if (false) {\n        urd__home_unlock", "a join waits although all is done"),
    ("chan", "sync/chan.c", "        c->done++;\n        release_joiners(c, &woken);",
     "        c->done++;", "who joins is not woken by the last that is done"),

    ("chan", "sync/chan.c", "        if (__builtin_expect(!urd__wait_is_found(self), 0))",
     "        if (false)", "a cancel does not find who waits"),
    ("broadcast", "sync/broadcast.c",
     "    urd__wait_be_found(self);\n    return receive(s, v, self);",
     "    return receive(s, v, self);", "a cancel does not find who waits"),

    ("chan", "sync/bytes.c", "    if (rc && send)\n        urd__bytes_sender_left(c);", "",
     "who is behind a cancelled message waits for ever, although there is room"),
    ("chan", "sync/bytes.c",
     "        if (!urd__wait_claim(sender->task, sender->word))\n            continue;",
     "        urd__wait_claim(sender->task, sender->word);",
     "a cancelled message is sent all the same"),
    ("chan", "sync/bytes.c", "    c->count--;\n    let_in(c, woken);", "    c->count--;",
     "who waits for room is not let in by a receive"),
    ("chan", "sync/bytes.c", "        into->size = m->size;\n", "",
     "a receiver that waited is not told the size"),

    ("broadcast", "sync/broadcast.c",
     "        s->next++;\n", "",
     "a value that was handed over is received again"),
    ("broadcast", "sync/broadcast.c", "        copy(b, s->to, v);\n", "",
     "a subscriber is woken without a value"),
    ("broadcast", "sync/broadcast.c",
     "    copy(b, v, slot(b, s->next++));\n    let_senders_in(b, woken);",
     "    copy(b, v, slot(b, s->next++));", "a sender waits although there is room"),
    ("broadcast", "sync/broadcast.c",
     "    urd__list_remove(&s->link);\n    let_senders_in(b, &woken);",
     "    urd__list_remove(&s->link);", "a sender waits for a subscriber that has left"),
    ("broadcast", "sync/broadcast.c", "        if (s->next < b->slowest)\n            b->slowest",
     "        if (s->next > b->slowest)\n            b->slowest",
     "a value is overwritten that somebody has not received"),
    ("broadcast", "sync/broadcast.c", "urd__wait_pop_all(&b->senders, -EPIPE, &woken);",
     "urd__wait_pop_all(&b->senders, 0, &woken);", "a refused value looks like a sent one"),

    ("event", "sync/event.c",
     "    urd__lock(&e->lock); /* F2 */\n    urd__unlock(&e->lock);\n", "",
     "the event is freed while its setter still holds the lock"),
    ("event", "sync/event.c", "    if (rc)\n        return rc;\n",
     "    if (rc || urd_event_is_set(e))\n        return rc;\n",
     "a wait that finds it set frees it before the setter has let go"),
    ("event", "sync/event.c",
     "    if (urd_event_is_set(e)) {\n        urd__unlock(&e->lock);\n        return 0;\n    }\n",
     "", "a set that came before the wait is missed"),
    ("event", "sync/event.c",
     "    urd__store_rel(&e->set, SET); /* E2 [event] */\n"
     "    urd__wait_pop_all(&e->waiters, 0, &woken);\n    urd__unlock(&e->lock); /* E3 */\n",
     "    urd__wait_pop_all(&e->waiters, 0, &woken);\n    urd__unlock(&e->lock); /* E3 */\n"
     "    urd__store_rel(&e->set, SET);\n",
     "a waiter enqueues after the set has looked, and sleeps"),
    ("event", "sync/event.c", "urd__store_rel(&e->set, SET); /* E2 [event] */",
     "urd__store_rlx(&e->set, SET);",
     "who looks may not see what was written before the set"),
    ("blocking", "blocking/blocking_lock.c", "        urd__fence_seq();     /* L2 */\n", "",
     "a task tries again before it is seen to wait"),
    ("blocking", "blocking/blocking_lock.c", "    urd__fence_seq(); /* U2 */\n", "",
     "who unlocks may not see the task that has just found it taken"),
    ("blocking", "blocking/blocking_lock.c", "        int rc = attempt(on); /* L3 */\n",
     "        int rc = EBUSY;\n        (void)attempt;\n",
     "an unlock that came before the task was in the queue is missed"),
    ("blocking", "blocking/blocking_lock.c",
     "    int rc = urd__blocking_real()->pthread_mutex_unlock(m); /* U1 */\n"
     "    urd__blocking_wake(m, 1);\n",
     "    urd__blocking_wake(m, 1);\n"
     "    int rc = urd__blocking_real()->pthread_mutex_unlock(m);\n",
     "a woken task finds it still taken, and nobody wakes it again"),
    ("blocking", "blocking/blocking_lock.c", "    return woken ? 0 : over;", "    return over;",
     "a signal that a wait has used up is not told of"),
    ("blocking", "blocking/blocking_lock.c",
     "    if (e && e->task == task)\n        return e->depth == UINT32_MAX",
     "    if (e)\n        return e->depth == UINT32_MAX",
     "two tasks of one worker are in a recursive mutex at once"),
    ("arm", "io/arm.c", "        urd__fd_leave(self, fd, &op->wait);", "        ;",
     "a select that has returned is still in the queue of its descriptor"),
    ("arm", "io/arm.c", "            urd__fd_exit(fd);", "            ;",
     "who closes the descriptor waits for ever"),
    ("arm", "io/arm.c", "        urd__fd_leave(self, fd, &op->wait);",
     "        urd__fd_leave(self, fd, &op->wait), urd__fd_exit(fd), op->wait.inside = false;",
     "a select looks at a number that may be another's"),
    ("arm", "io/fd.c", "        return -ECANCELED;\n    if (!*inside)",
     "        ;\n    if (!*inside)",
     "a select waits for a descriptor that is closed meanwhile"),
    ("arm", "io/fd.c", " || urd__fd_edges(fd) != wait->edges;", ";",
     "news that came just before the wait, and which another had, are lost"),
    ("arm", "sync/select.c", "op->result == 0 && !try_alone(op, NULL))", "false)",
     "old news are taken for news"),

    ("select", "sync/select.c", "        return urd__event_passed(op->event);",
     "        return has_happened(op);",
     "an event is freed while its setter still holds the lock"),

    ("select", "sync/select.c", "        op->subscriber->to = op->to;\n", "",
     "a broadcast value goes to where an earlier receive wanted it"),
    ("select", "sync/broadcast.c", "        copy(b, s->to, v);\n        s->next++;\n",
     "        copy(b, s->to, v);\n", "a value that an arm was handed is received again"),
    ("select", "sync/select.c", " || op->kind == URD_OP_NEXT;", ";",
     "an arm on a broadcast is taken for one that consumes nothing"),

    ("select", "sync/select.c", "        if (is_channel(op) && try_channel(op, &woken))",
     "        if (false)", "what came between the try and the wait is not seen"),
    ("select", "sync/select.c", "    bool happened = has_happened(op);\n    if (!happened)",
     "    bool happened = false;\n    if (!happened)", "an event that was just set is not seen"),
    ("select", "sync/select.c",
     "        if (!urd__wait_undo(self, word)) /* one before it has claimed it */",
     "        if (urd__wait_undo(self, word), false)", "two arms happen"),
    ("select", "sync/select.c", "    if (urd__list_linked(&op->waiter.link))",
     "    if (false)", "the nodes of other arms stay in their queues"),
    ("select", "sync/select.c", "        if (op->waiter.task && (!won",
     "        if (op->waiter.task && op->waiter.link.next && (!won",
     "a node is looked at while others take it out"),
    ("select", "sync/select.c", "        if (lock_address(a, i) != last)\n            lock(",
     "        if (i == 0)\n            lock(", "of the channels only one is locked"),
    ("select", "core/wait.h", "            waiter->claimed = true;\n", "",
     "nobody knows which arm happened"),
    ("select", "core/wait.h", "        if (urd__wait_claim(waiter->task, waiter->word)) {",
     "        urd__wait_claim(waiter->task, waiter->word);\n        {",
     "a value is handed to an arm whose select has ended otherwise"),

    ("home", "core/home.c", "    urd__os_barrier_all(); /* V2 */", "    urd__fence_seq(); /* V2 */",
     "a fence of its own does not make the home worker see that it has lost its home"),
    ("home", "core/home.c", "    urd__store_rlx(&l->worker, LAST); /* V1, ordered by V2 */\n", "",
     "the home worker keeps its home"),
    ("home", "core/home.c",
     "    for (int spins = 0; urd__load_acq(&worker->inside) == l; spins++) { /* V3",
     "    for (int spins = 0; false; spins++) { /* V3",
     "the lock is taken while the home worker is inside"),
    ("home", "core/home.c", "urd__load_acq(&worker->inside) == l;",
     "urd__load_rlx(&worker->inside) == l;", "what was done at home is not seen by who evicts"),
    ("home", "core/home.h",
     "        if (__builtin_expect(urd__load_rlx(&l->worker) == (uintptr_t)self, 1))",
     "        urd__store_rel(&self->inside, NULL);\n"
     "        bool at_home = urd__load_rlx(&l->worker) == (uintptr_t)self;\n"
     "        urd__store_rel(&self->inside, l);\n        if (at_home)",
     "the home worker looks before it says where it is"),
    ("home", "core/home.h", "urd__store_rel(&held.home->inside, NULL); /* H4",
     "urd__store_rlx(&held.home->inside, NULL); /* H4",
     "what was done at home is not seen by who evicts"),
    ("home", "core/home.h", "urd__store_rel(&held.home->inside, NULL); /* H4",
     "urd__store_rel(&held.home->inside, NULL), held.lock->uses = 0; /* H4",
     "the home worker touches the lock after it has left it"),
    ("home", "core/home.c",
     "    if (__builtin_expect(is_home(home), 0))\n        evict(l, self);\n    l->uses = 0;",
     "    l->uses = 0;", "a stranger takes the word and is not alone"),
    ("home", "core/home.c",
     "    if (__builtin_expect(is_home(urd__load_rlx(&l->worker)), 0)) /* under the word */\n"
     "        evict(l, urd__worker_self);\n", "",
     "who takes it away from home is not alone"),

    ("lock", "base/lock.h", "    urd__store_rel(lock, 0); /* [lock]",
     "    urd__store_rlx(lock, 0); /* [lock]",
     "the next holder may not see what the last one wrote"),
    ("lock", "base/lock.h",
     "    int expected = 0;\n    if (!urd__cas_ar(lock, &expected, 1))",
     "    int expected = 0;\n    if (!urd__cas_rlx(lock, &expected, 1))",
     "the holder may not see what the last one wrote"),
    ("lock", "base/lock.c", "        if (urd__load_rlx(lock) == 0 && urd__trylock(lock))",
     "        if (urd__load_rlx(lock) == 0)", "a lock that looks free is taken by two"),
    ("scope", "core/scope.c", "        if (pending == URD__SCOPE_JOINING)", "        if (false)",
     "a timer starts a job in a scope whose owner has been woken"),
    ("scope", "core/scope.c", "    s->shared = true;\n", "",
     "a job that ends on the owner's worker counts where nobody looks"),
    ("scope", "core/scope.c", "local + URD__SCOPE_JOINING) + local == 0",
     "local + URD__SCOPE_JOINING) == 0", "the owner does not wait for a job that began here"),
    ("scope", "core/scope.c", "    return s->local + urd__load_acq(&s->pending);",
     "    return urd__load_acq(&s->pending);", "the owner returns while a job here runs"),
    ("fork", "core/fork.c", "urd__xchg_ar(&fork->state, state) != URD__FORK_AWAITED) /* D1",
     "urd__load_acq(&fork->state) != URD__FORK_AWAITED ||\n        "
     "urd__xchg_ar(&fork->state, state) == state) /* D1",
     "the forker that came between waits for ever"),
    ("fork", "core/fork.c", "urd__cas_ar(&fork->state, &pending, URD__FORK_AWAITED)) { /* F2",
     "(urd__store_rel(&fork->state, URD__FORK_AWAITED), true)) { /* F2",
     "a job that has ended is waited for"),
    ("fork", "core/fork.c",
     "    uint64_t word = urd__wait_begin(owner, NULL, URD__ON_FORK, fork); /* F1 */\n"
     "    int pending = URD__FORK_PENDING;\n"
     "    if (urd__cas_ar(&fork->state, &pending, URD__FORK_AWAITED)) { /* F2 [fork] */\n",
     "    uint64_t word = 0;\n"
     "    int pending = URD__FORK_PENDING;\n"
     "    if (urd__cas_ar(&fork->state, &pending, URD__FORK_AWAITED)) { /* F2 [fork] */\n"
     "        word = urd__wait_begin(owner, NULL, URD__ON_FORK, fork);\n",
     "the thief finds no wait to claim"),
    ("fork", "core/fork.c", "    job->result = rc;\n    settle(job, URD__FORK_DONE);",
     "    settle(job, URD__FORK_DONE);\n    job->result = rc;",
     "the result is written after the forker was told"),
    ("fork", "core/fork.c", "    settle(job, URD__FORK_REFUSED);",
     "    settle(job, URD__FORK_DONE);", "a job that was refused is never run"),
    ("fork", "core/fork.c", "urd__wait_begin(owner, NULL, URD__ON_FORK, fork); /* F1",
     "urd__wait_begin(owner, owner->scope, URD__ON_FORK, fork); /* F1",
     "a cancel ends the wait while the thief still has the fork"),
] + mutants_shared.MUTANTS


class Broken(Exception):
    """The harness itself cannot go on: a pattern that does not match, a compiler error."""


def compile_model(cc, model, first_include, out_dir):
    program = out_dir / model
    includes = [f"-I{d}" for d in (first_include, ROOT / "src", ROOT / "include",
                                   ROOT / "test" / "model") if d]
    source = ROOT / "test" / "model" / f"{model}.c"
    step = [cc, *FLAGS, RACES, *includes, "-c", str(source), "-o", f"{program}.o"]
    link = [cc, f"{program}.o", str(out_dir.parent / "explore.o"), "-o", str(program)]
    for command in (step, link):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise Broken(f"{' '.join(command)}\n{done.stderr}")
    return program


def compile_explorer(cc, out_dir):
    source = ROOT / "test" / "model" / "explore.c"
    done = subprocess.run([cc, *FLAGS, "-O2", f"-I{ROOT / 'src'}", f"-I{ROOT / 'include'}",
                           f"-I{ROOT / 'test' / 'model'}", "-c", str(source), "-o",
                           str(out_dir / "explore.o")], capture_output=True, text=True)
    if done.returncode != 0:
        raise Broken(done.stderr)


def run_model(program):
    """The exit code, and the first line of a failure."""
    try:
        done = subprocess.run([str(program), "--until-failure"], capture_output=True, text=True,
                              timeout=SECONDS_MAX)
    except subprocess.TimeoutExpired:
        return None, f"ran longer than {SECONDS_MAX} s"
    told = [line.strip() for line in done.stdout.splitlines() if not line.startswith("ok ")]
    return done.returncode, told[0] if told else ""


def mutated(source, text, becomes):
    """The source with the one place changed."""
    # How far comments are indented is for clang-format to say.
    original = re.sub(r"(?<=\S) +/\*", " /*", (ROOT / "src" / source).read_text())
    text, becomes = (re.sub(r"(?<=\S) +/\*", " /*", part) for part in (text, becomes))
    count = original.count(text)
    if count != 1:
        raise Broken(f"{source}: the text of a mutant occurs {count} times, not once:\n{text}")
    return original.replace(text, becomes)


def mutate(source, text, becomes, into):
    target = into / source
    target.parent.mkdir(parents=True)
    target.write_text(mutated(source, text, becomes))


def check(cc, work, number, mutant):
    """True and a line if the model failed as it must."""
    model, source, text, becomes, reason = mutant
    place = work / str(number)
    place.mkdir()
    try:
        mutate(source, text, becomes, place / "src")
        code, told = run_model(compile_model(cc, model, place / "src", place))
    except Broken as error:
        return False, f"FAIL {model}: {error}"
    shutil.rmtree(place)
    if code == 1 and told and "schedules_max" not in told:
        return True, f"ok {model}: {reason}\n     {told[:120]}"
    said = "SURVIVES" if code == 0 else f"gives no verdict (exit {code}) {told}"
    return False, f"FAIL {model}: mutant {said}: {reason}\n     {text.strip()[:100]}"


def fails_as_it_is(options, work, model):
    """Why the model of the sources as they are fails, or nothing."""
    place = work / f"whole-{model}"
    place.mkdir()
    try:
        code, told = run_model(compile_model(options.cc, model, None, place))
    except Broken as error:
        return str(error)
    return told or f"exit {code}" if code != 0 else ""


def run(options, work):
    mutants = [m for m in MUTANTS if not options.models or m[0] in options.models]
    for _, source, text, becomes, _ in mutants:  # also of those that are left out
        mutated(source, text, becomes)
    mutants = mutants[::options.every]
    compile_explorer(options.cc, work)
    failed = survived = 0
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        models = [] if options.models_passed else sorted({m[0] for m in mutants})
        whys = pool.map(lambda model: fails_as_it_is(options, work, model), models)
        for model, why in zip(models, whys):
            if why:
                print(f"FAIL {model} fails as it is, its mutants say nothing: {why}")
                mutants = [m for m in mutants if m[0] != model]
                failed += 1
        for passed, line in pool.map(lambda m: check(options.cc, work, *m), enumerate(mutants)):
            print(line, flush=True)
            survived += not passed
    tried = len(mutants)
    print(f"{tried - survived} mutants found, {survived} not")
    return 1 if failed or survived or not tried else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cc", default=os.environ.get("CC", "cc"))
    parser.add_argument("--jobs", type=int, default=min(4, os.cpu_count() or 1))
    parser.add_argument("--every", type=int, default=1, metavar="N",
                        help="only each N-th mutant")
    parser.add_argument("--models-passed", action="store_true",
                        help="the models of the sources as they are were run just before")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("models", nargs="*")
    options = parser.parse_args()
    if options.list:
        for model, source, _, _, reason in MUTANTS:
            print(f"{model}: {source}: {reason}")
        return 0
    with tempfile.TemporaryDirectory() as work:
        try:
            return run(options, pathlib.Path(work))
        except Broken as error:
            print(f"FAIL {error}")
            return 1


if __name__ == "__main__":
    sys.exit(main())
