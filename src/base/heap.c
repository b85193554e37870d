/*
 * heap.c - the pairing heap.
 *
 * SPDX-License-Identifier: MIT
 *
 * A node's children are a list through `next`; `prev` is the sibling before, or the parent for the
 * first child, so that a node can be cut out without a search.
 */
#include "base/heap.h"

#include <stddef.h>

/* Both are roots; the smaller takes the other as its first child. */
static urd__heap_node *meld(const urd__heap *heap, urd__heap_node *a, urd__heap_node *b)
{
    if (!a || !b)
        return a ? a : b;
    if (heap->less(b, a)) {
        urd__heap_node *swap = a;
        a = b;
        b = swap;
    }
    b->next = a->child;
    if (b->next)
        b->next->prev = b;
    b->prev = a;
    a->child = b;
    return a;
}

/* Meld a list of siblings: in pairs from the left, then the pairs from the right. */
static urd__heap_node *meld_siblings(const urd__heap *heap, urd__heap_node *list)
{
    urd__heap_node *pairs = NULL;
    while (list) {
        urd__heap_node *a = list, *b = list->next;
        list = b ? b->next : NULL;
        a->next = NULL;
        if (b)
            b->next = NULL;
        urd__heap_node *pair = meld(heap, a, b);
        pair->next = pairs;
        pairs = pair;
    }
    urd__heap_node *root = NULL;
    while (pairs) {
        urd__heap_node *next = pairs->next;
        pairs->next = NULL;
        root = meld(heap, root, pairs);
        pairs = next;
    }
    return root;
}

void urd__heap_insert(urd__heap *heap, urd__heap_node *node)
{
    *node = (urd__heap_node){0};
    heap->root = meld(heap, heap->root, node);
    heap->root->prev = NULL;
}

void urd__heap_remove(urd__heap *heap, urd__heap_node *node)
{
    urd__heap_node *rest = meld_siblings(heap, node->child);
    if (heap->root == node) {
        heap->root = rest;
    } else {
        if (node->prev->child == node)
            node->prev->child = node->next;
        else
            node->prev->next = node->next;
        if (node->next)
            node->next->prev = node->prev;
        heap->root = meld(heap, heap->root, rest);
    }
    if (heap->root) {
        heap->root->prev = NULL;
        heap->root->next = NULL;
    }
    *node = (urd__heap_node){0};
}
