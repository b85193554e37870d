/*
 * list.h - an intrusive doubly linked ring: constant time, nothing allocated.
 *
 * SPDX-License-Identifier: MIT
 *
 * A head is a link that points to itself when the list is empty.  A head of all zeros is also
 * empty, so that locks need no initialiser; the first insertion makes it a ring.  A link that is in
 * no list has next == NULL.
 */
#ifndef URD_BASE_LIST_H
#define URD_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "urd.h"

typedef struct urd__link urd__link;
typedef struct urd__member urd__member;

#define urd__container(p, type, member) ((type *)(void *)((char *)(p)-offsetof(type, member)))

static inline void urd__list_init(urd__link *head)
{
    head->prev = head;
    head->next = head;
}

static inline bool urd__list_empty(const urd__link *head)
{
    return head->next == NULL || head->next == head;
}

static inline bool urd__list_linked(const urd__link *link)
{
    return link->next != NULL;
}

static inline void urd__list_push_tail(urd__link *head, urd__link *link)
{
    if (head->next == NULL)
        urd__list_init(head);
    link->prev = head->prev;
    link->next = head;
    head->prev->next = link;
    head->prev = link;
}

static inline void urd__list_push_head(urd__link *head, urd__link *link)
{
    if (head->next == NULL)
        urd__list_init(head);
    urd__list_push_tail(head->next, link);
}

static inline void urd__list_remove(urd__link *link)
{
    urd__link *prev = link->prev, *next = link->next;
    if (!prev || !next)
        __builtin_unreachable(); /* it is in a ring; analysers cannot know */
    prev->next = next;
    next->prev = prev;
    link->next = NULL;
}

static inline urd__link *urd__list_first(const urd__link *head)
{
    return urd__list_empty(head) ? NULL : head->next;
}

static inline urd__link *urd__list_pop(urd__link *head)
{
    urd__link *first = urd__list_first(head);
    if (first)
        urd__list_remove(first);
    return first;
}

/* Move all links of `from`, which is a ring and not empty, into `to`, which is empty. */
static inline void urd__list_take_all(urd__link *to, urd__link *from)
{
    *to = *from;
    to->next->prev = to;
    to->prev->next = to;
    urd__list_init(from);
}

#endif
