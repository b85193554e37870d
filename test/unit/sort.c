/*
 * sort.c - urd_sort: in order, stable, whatever the size, the input and the workers.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic.h"
#include "runs.h"

enum { MANY = 20000 };

typedef struct item {
    int key, number;
} item;

static int by_key(const void *a, const void *b, void *arg)
{
    if (arg)
        urd__add_ar((long *)arg, 1);
    int x = ((const item *)a)->key, y = ((const item *)b)->key;
    return (x > y) - (x < y);
}

static void check_sorted(const item *items, int n)
{
    for (int i = 1; i < n; i++) {
        CHECK_LE(items[i - 1].key, items[i].key);
        if (items[i - 1].key == items[i].key)
            CHECK_LT(items[i - 1].number, items[i].number);
    }
}

/* Keys below `keys`; every input is a permutation by its numbers. */
static void fill(item *items, int n, int keys)
{
    unsigned x = 12345;
    for (int i = 0; i < n; i++) {
        x = x * 1664525 + 1013904223;
        items[i] = (item){.key = (int)(x >> 8) % keys, .number = i};
    }
}

static void check_whole(const item *items, int n)
{
    static bool seen[MANY];
    memset(seen, 0, sizeof seen);
    for (int i = 0; i < n; i++) {
        CHECK(!seen[items[i].number]);
        seen[items[i].number] = true;
    }
}

static item items[MANY];

URD_SORT(sort_items, item, a->key < b->key)

static int sort_by_pointer(item *all, size_t n, void *arg)
{
    return urd_sort(all, n, sizeof *all, by_key, arg);
}

typedef int sort_fn(item *all, size_t n, void *arg);

static int many_sizes(void *arg)
{
    sort_fn *sort = *(sort_fn **)arg;
    int most = test_under_slow_tool() ? 6000 : MANY;
    for (int n = 0; n <= most; n = n < 30 ? n + 1 : n * 3) {
        fill(items, n, n / 4 + 1);
        CHECK_EQ(sort(items, (size_t)n, NULL), 0);
        check_sorted(items, n);
        check_whole(items, n);
    }
    return 0;
}

static int both_kinds(void *arg)
{
    (void)arg;
    int rc = many_sizes(&(sort_fn *){sort_by_pointer});
    return rc ? rc : many_sizes(&(sort_fn *){sort_items});
}

TEST(it_sorts_and_keeps_the_order_of_equals)
{
    run_seeds(5, both_kinds);
    for (int workers = 1; workers <= 3; workers++)
        run_real(workers, both_kinds);
    CHECK_EQ(both_kinds(NULL), 0); /* without a runtime */
}

/* By which digit, least important first: needs the argument, and a stable sort. */
URD_SORT(sort_by_digit, unsigned, (*a >> *(int *)arg & 15) < (*b >> *(int *)arg & 15))

URD_SORT(sort_names, const char *, strcmp(*a, *b) < 0)

TEST(elements_may_be_pointers_to_what_is_constant)
{
    const char *names[] = {"pao", "bolo", "torta", "broa", "biscoito"};
    CHECK_EQ(sort_names(names, 5, NULL), 0);
    CHECK_STR(names[0], "biscoito");
    CHECK_STR(names[4], "torta");
}

TEST(a_sort_made_for_a_type_has_its_argument_in_reach)
{
    static unsigned numbers[MANY];
    unsigned x = 1;
    for (int i = 0; i < MANY; i++)
        numbers[i] = x = x * 1664525 + 1013904223;
    for (int shift = 0; shift < 32; shift += 4)
        CHECK_EQ(sort_by_digit(numbers, MANY, &shift), 0);
    for (int i = 1; i < MANY; i++)
        CHECK(numbers[i - 1] <= numbers[i]);
}

static int input_in_order(void *arg)
{
    (void)arg;
    long calls = 0;
    for (int i = 0; i < MANY; i++)
        items[i] = (item){.key = i, .number = i};
    CHECK_EQ(urd_sort(items, MANY, sizeof *items, by_key, &calls), 0);
    check_sorted(items, MANY);
    CHECK_LT(calls, 2L * MANY);
    for (int i = 0; i < MANY; i++)
        items[i] = (item){.key = -i, .number = i};
    CHECK_EQ(urd_sort(items, MANY, sizeof *items, by_key, NULL), 0);
    check_sorted(items, MANY);
    return 0;
}

TEST(what_is_in_order_takes_fewer_comparisons_than_two_an_element)
{
    run_real(2, input_in_order);
}

/* Any size of element: the key in the first byte, the rest says which it was. */
static int by_byte(const void *a, const void *b, void *arg)
{
    (void)arg;
    return *(const unsigned char *)a - *(const unsigned char *)b;
}

static int sizes_of_elements(void *arg)
{
    (void)arg;
    enum { COUNT = 3000, LARGEST = 40 };
    static unsigned char bytes[COUNT * LARGEST];
    for (size_t size = 1; size <= LARGEST; size += size < 17 ? 1 : 7) {
        for (size_t i = 0; i < COUNT; i++) {
            unsigned char key = (unsigned char)(i * 7919 % 251);
            memset(bytes + i * size, (unsigned char)(key + 1), size);
            bytes[i * size] = key;
        }
        CHECK_EQ(urd_sort(bytes, COUNT, size, by_byte, NULL), 0);
        for (size_t i = 0; i < COUNT; i++) {
            CHECK(i == 0 || bytes[(i - 1) * size] <= bytes[i * size]);
            for (size_t k = 1; k < size; k++)
                CHECK_EQ(bytes[i * size + k], (unsigned char)(bytes[i * size] + 1));
        }
    }
    return 0;
}

TEST(elements_of_any_size_stay_whole)
{
    run_real(2, sizes_of_elements);
}

static int cancelled_before(void *arg)
{
    (void)arg;
    urd_scope s;
    fill(items, MANY, MANY);
    urd_scope_open(&s);
    urd_scope_cancel(&s, -EPERM);
    CHECK_EQ(urd_sort(items, MANY, sizeof *items, by_key, NULL), -ECANCELED);
    check_whole(items, MANY);
    CHECK_EQ(urd_scope_join(&s), -EPERM);
    return 0;
}

typedef struct stop {
    urd_scope *scope;
    long calls, after; /* atomic; a limit */
} stop;

static int by_key_then_stop(const void *a, const void *b, void *arg)
{
    stop *s = arg;
    if (urd__add_ar(&s->calls, 1) == s->after)
        urd_scope_cancel(s->scope, -EPERM);
    return by_key(a, b, NULL);
}

static int cancelled_meanwhile(void *arg)
{
    (void)arg;
    for (long after = 1; after < 3L * MANY; after = after * 5 + 1) {
        urd_scope scope;
        stop s = {.scope = &scope, .after = after};
        fill(items, MANY, MANY);
        urd_scope_open(&scope);
        CHECK_EQ(urd_sort(items, MANY, sizeof *items, by_key_then_stop, &s), -ECANCELED);
        check_whole(items, MANY);
        CHECK_EQ(urd_scope_join(&scope), -EPERM);
    }
    return 0;
}

TEST(a_cancel_leaves_all_elements_there)
{
    run_real(1, cancelled_before);
    run_real(1, cancelled_meanwhile);
    run_real(3, cancelled_meanwhile);
    CHECK_EQ(cancelled_before(NULL), 0);
}

TEST(elements_without_a_size_stay_where_they_are)
{
    const urd_sorter nothing = {.size = 0};
    CHECK_EQ(urd_sort_by(&nothing, items, MANY, NULL), 0);
    CHECK_EQ(urd_sort(items, MANY, 0, by_key, NULL), 0);
}

TEST(an_absurd_size_is_no_memory)
{
    CHECK_EQ(urd_sort(items, SIZE_MAX / 2, 16, by_key, NULL), -ENOMEM);
    CHECK_EQ(sort_items(items, SIZE_MAX / 4, NULL), -ENOMEM);
}

static int sort_in_a_thread(void *arg)
{
    return both_kinds(arg);
}

static int thread_sorts(void *arg)
{
    (void)arg;
    urd_scope s;
    urd_scope_open(&s);
    urd_spawn(&s, URD_THREAD, sort_in_a_thread, NULL, 0);
    return urd_scope_join(&s);
}

TEST(a_thread_may_sort)
{
    run_real(2, thread_sorts);
}
