/*
 * list.c - the intrusive ring against an array.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/list.h"

#include <string.h>

#include "test.h"

enum { ITEMS = 16, STEPS = 400 };

struct item {
    int number;
    urd__link link;
};

static struct item *item_of(urd__link *link)
{
    return urd__container(link, struct item, link);
}

TEST(a_head_of_zeros_is_an_empty_list)
{
    urd__link zero = {0}, made;
    urd__list_init(&made);
    CHECK(urd__list_empty(&zero));
    CHECK(urd__list_empty(&made));
    CHECK_PTR(urd__list_first(&zero), NULL);
    CHECK_PTR(urd__list_pop(&zero), NULL);
    CHECK_PTR(urd__list_pop(&made), NULL);
}

TEST(a_link_knows_whether_it_is_in_a_list)
{
    urd__link head = {0}, link = {0};
    CHECK(!urd__list_linked(&link));
    urd__list_push_tail(&head, &link);
    CHECK(urd__list_linked(&link));
    CHECK(!urd__list_empty(&head));
    urd__list_remove(&link);
    CHECK(!urd__list_linked(&link));
    CHECK(urd__list_empty(&head));
}

static void check_same(const urd__link *head, struct item *const *model, int n)
{
    const urd__link *at = head;
    for (int i = 0; i < n; i++) {
        CHECK_PTR(at->next, &model[i]->link);
        CHECK_PTR(at->next->prev, at);
        at = at->next;
    }
    CHECK(n == 0 ? urd__list_empty(head) : at->next == head && head->prev == at);
}

TEST(pushes_removes_and_pops_leave_what_an_array_would_hold)
{
    TEST_SEEDS(50)
    {
        urd__link head = {0};
        struct item items[ITEMS] = {0}, *model[ITEMS];
        int n = 0;
        for (int step = 0; step < STEPS; step++) {
            struct item *item = &items[test_random(ITEMS)];
            if (!urd__list_linked(&item->link) && test_random(4) == 0) {
                urd__list_push_head(&head, &item->link);
                memmove(&model[1], &model[0], sizeof *model * (size_t)n++);
                model[0] = item;
            } else if (!urd__list_linked(&item->link)) {
                urd__list_push_tail(&head, &item->link);
                model[n++] = item;
            } else if (test_random(2) == 0) {
                int at = 0;
                while (model[at] != item)
                    at++;
                urd__list_remove(&item->link);
                memmove(&model[at], &model[at + 1], sizeof *model * (size_t)(--n - at));
            } else {
                CHECK_PTR(item_of(urd__list_pop(&head)), model[0]);
                memmove(&model[0], &model[1], sizeof *model * (size_t)--n);
            }
            check_same(&head, model, n);
        }
    }
}

TEST(all_links_move_to_an_empty_list_in_their_order)
{
    struct item items[3] = {0};
    urd__link from = {0}, to = {0};
    for (int n = 1; n <= 3; n++) {
        for (int i = 0; i < n; i++)
            urd__list_push_tail(&from, &items[i].link);
        urd__list_take_all(&to, &from);
        CHECK(urd__list_empty(&from));
        for (int i = 0; i < n; i++)
            CHECK_PTR(item_of(urd__list_pop(&to)), &items[i]);
        CHECK(urd__list_empty(&to));
    }
}
