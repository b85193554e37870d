/*
 * heap.c - the pairing heap against a plain search.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/heap.h"

#include <stddef.h>

#include "test.h"

enum { ITEMS = 64, STEPS = 500 };

struct item {
    urd__heap_node node;
    long key;
    bool in;
};

static struct item *item_of(const urd__heap_node *node)
{
    return (struct item *)(uintptr_t)node;
}

static bool less(const urd__heap_node *a, const urd__heap_node *b)
{
    return item_of(a)->key < item_of(b)->key;
}

static const struct item *smallest(const struct item *items)
{
    const struct item *least = NULL;
    for (int i = 0; i < ITEMS; i++)
        if (items[i].in && (!least || items[i].key < least->key))
            least = &items[i];
    return least;
}

/* Every node below `top` is linked both ways and not smaller than its parent.  How many. */
static int check_tree(const urd__heap_node *top)
{
    const urd__heap_node *at = top;
    int n = 0;
    while (at) {
        n++;
        if (at->child) {
            CHECK_PTR(at->child->prev, at);
            at = at->child;
        } else {
            while (at != top && !at->next) {
                while (at->prev->child != at)
                    at = at->prev;
                at = at->prev;
            }
            if (at == top)
                return n;
            CHECK_PTR(at->next->prev, at);
            at = at->next;
        }
        const urd__heap_node *parent = at;
        while (parent->prev->child != parent)
            parent = parent->prev;
        CHECK(!less(at, parent->prev));
    }
    return n;
}

static void check(const urd__heap *heap, const struct item *items, int n)
{
    const struct item *least = smallest(items);
    CHECK_EQ(heap->root != NULL, least != NULL);
    if (!least)
        return;
    CHECK_EQ(item_of(heap->root)->key, least->key);
    CHECK_PTR(heap->root->prev, NULL);
    CHECK_PTR(heap->root->next, NULL);
    CHECK_EQ(check_tree(heap->root), n);
}

TEST(the_root_is_the_smallest_whatever_goes_in_and_out)
{
    TEST_SEEDS(40)
    {
        urd__heap heap = {.less = less};
        struct item items[ITEMS] = {0};
        uint64_t keys = 1 + test_random(1000); /* few keys: many ties */
        int n = 0;
        for (int step = 0; step < STEPS; step++) {
            struct item *item = &items[test_random(ITEMS)];
            if (item->in) {
                urd__heap_remove(&heap, &item->node);
                n--;
            } else {
                item->key = (long)test_random(keys) - 500;
                urd__heap_insert(&heap, &item->node);
                n++;
            }
            item->in = !item->in;
            check(&heap, items, n);
        }
    }
}

TEST(taking_the_root_again_and_again_sorts)
{
    TEST_SEEDS(40)
    {
        urd__heap heap = {.less = less};
        struct item items[ITEMS] = {0};
        for (int i = 0; i < ITEMS; i++) {
            items[i].key = (long)test_random(100);
            urd__heap_insert(&heap, &items[i].node);
        }
        long last = -1;
        int n = 0;
        for (; heap.root; n++) {
            const struct item *item = item_of(heap.root);
            CHECK_LE(last, item->key);
            last = item->key;
            urd__heap_remove(&heap, heap.root);
        }
        CHECK_EQ(n, ITEMS);
    }
}

TEST(a_node_taken_out_holds_nothing_and_can_go_in_again)
{
    urd__heap heap = {.less = less};
    struct item a = {.key = 1}, b = {.key = 2}, c = {.key = 3};
    urd__heap_insert(&heap, &a.node);
    urd__heap_insert(&heap, &b.node);
    urd__heap_insert(&heap, &c.node);
    urd__heap_remove(&heap, &a.node);
    CHECK(!a.node.child && !a.node.next && !a.node.prev);
    a.key = 9;
    urd__heap_insert(&heap, &a.node);
    CHECK_PTR(heap.root, &b.node);
    urd__heap_remove(&heap, &b.node);
    CHECK_PTR(heap.root, &c.node);
    urd__heap_remove(&heap, &c.node);
    CHECK_PTR(heap.root, &a.node);
    urd__heap_remove(&heap, &a.node);
    CHECK_PTR(heap.root, NULL);
}

TEST(a_hundred_thousand_nodes_in_order_need_no_recursion)
{
    enum { MANY = 100000 };
    static struct item many[MANY];
    urd__heap heap = {.less = less};
    for (int i = 0; i < MANY; i++) {
        many[i].key = i;
        urd__heap_insert(&heap, &many[i].node);
    }
    for (int i = 0; i < MANY; i++) {
        CHECK_PTR(heap.root, &many[i].node);
        urd__heap_remove(&heap, heap.root);
    }
    CHECK_PTR(heap.root, NULL);
}
