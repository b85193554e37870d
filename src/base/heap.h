/*
 * heap.h - an intrusive pairing heap: the smallest element at hand, nothing allocated.
 *
 * SPDX-License-Identifier: MIT
 *
 * Source: Fredman, Sedgewick, Sleator, Tarjan, "The pairing heap: a new form of self-adjusting
 * heap", 1986.  Insert is constant, take out is logarithmic, amortised.
 */
#ifndef URD_BASE_HEAP_H
#define URD_BASE_HEAP_H

#include <stdbool.h>

#include "urd.h"

typedef struct urd__heap_node urd__heap_node;
typedef bool urd__heap_less(const urd__heap_node *a, const urd__heap_node *b);

typedef struct urd__heap {
    urd__heap_node *root; /* the smallest, or NULL */
    urd__heap_less *less;
} urd__heap;

void urd__heap_insert(urd__heap *heap, urd__heap_node *node);
void urd__heap_remove(urd__heap *heap, urd__heap_node *node); /* must be in it */

#endif
