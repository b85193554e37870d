/*
 * reduce.c - urd_reduce: the value of a plain loop, in order, and to the last bit if asked for.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/atomic.h"
#include "runs.h"

static int sum_range(long lo, long hi, void *into, void *arg)
{
    (void)arg;
    long *sum = into;
    for (long i = lo; i < hi; i++)
        *sum += i;
    return 0;
}

static void add(void *into, const void *right, void *arg)
{
    (void)arg;
    *(long *)into += *(const long *)right;
}

static const urd_reducer sum = {.size = sizeof(long), .fold = sum_range, .combine = add};
static const urd_reducer sum_exactly = {
    .size = sizeof(long), .fold = sum_range, .combine = add, .deterministic = true};

static int sums(void *arg)
{
    (void)arg;
    for (long n = 0; n < 1000; n += n < 5 ? 1 : 97) {
        long value = 77, exact = 77;
        CHECK_EQ(urd_reduce(0, n, &sum, &value, NULL), 0);
        CHECK_EQ(value, n * (n - 1) / 2);
        CHECK_EQ(urd_reduce(0, n, &sum_exactly, &exact, NULL), 0);
        CHECK_EQ(exact, n * (n - 1) / 2);
    }
    long value = 77;
    CHECK_EQ(urd_reduce(3, -3, &sum, &value, NULL), 0);
    CHECK_EQ(value, 0);
    return 0;
}

TEST(the_value_is_that_of_a_plain_loop)
{
    run_seeds(20, sums);
    for (int workers = 1; workers <= 3; workers++)
        run_real(workers, sums);
    CHECK_EQ(sums(NULL), 0); /* without a runtime */
}

/* ---- Order: a combine that is associative and not commutative, in a large value -------------- */

enum { LETTERS = 200 };

typedef struct word {
    int length;
    char text[LETTERS];
} word;

static int append_letters(long lo, long hi, void *into, void *arg)
{
    word *w = into;
    for (long i = lo; i < hi; i++)
        w->text[w->length++] = (char)('a' + i % 26);
    return arg ? urd_yield() : 0;
}

static void append(void *into, const void *right, void *arg)
{
    (void)arg;
    word *w = into;
    const word *r = right;
    memcpy(w->text + w->length, r->text, (size_t)r->length);
    w->length += r->length;
}

static void check_word(const word *w)
{
    CHECK_EQ(w->length, LETTERS);
    for (int i = 0; i < LETTERS; i++)
        CHECK_EQ(w->text[i], 'a' + i % 26);
}

static int words(void *arg)
{
    static const word empty;
    urd_reducer concat = {
        .size = sizeof(word), .identity = &empty, .fold = append_letters, .combine = append};
    word w;
    CHECK_EQ(urd_reduce(0, LETTERS, &concat, &w, arg), 0);
    check_word(&w);
    concat.deterministic = true;
    CHECK_EQ(urd_reduce(0, LETTERS, &concat, &w, arg), 0);
    check_word(&w);
    return 0;
}

static int words_with_waits(void *arg)
{
    (void)arg;
    static char wait[] = "";
    return words(wait);
}

TEST(neighbours_are_combined_in_order)
{
    run_seeds(100, words);
    run_seeds(50, words_with_waits);
    run_real(3, words_with_waits);
}

static int multiply_range(long lo, long hi, void *into, void *arg)
{
    (void)arg;
    for (long i = lo; i < hi; i++)
        *(unsigned *)into *= (unsigned)i | 1;
    return 0;
}

static void multiply(void *into, const void *right, void *arg)
{
    (void)arg;
    *(unsigned *)into *= *(const unsigned *)right;
}

static int products(void *arg)
{
    (void)arg;
    static const unsigned one = 1;
    unsigned expected = 1, value;
    CHECK_EQ(multiply_range(0, 500, &expected, NULL), 0);
    urd_reducer product = {
        .size = sizeof(unsigned), .identity = &one, .fold = multiply_range, .combine = multiply};
    CHECK_EQ(urd_reduce(0, 500, &product, &value, NULL), 0);
    CHECK_EQ(value, expected);
    CHECK_EQ(urd_reduce(0, 0, &product, &value, NULL), 0);
    CHECK_EQ(value, 1);
    return 0;
}

TEST(the_identity_is_where_each_part_begins)
{
    run_seeds(20, products);
}

/* ---- Bit for bit --------------------------------------------------------------------------- */

static int harmonic_range(long lo, long hi, void *into, void *arg)
{
    (void)arg;
    double *value = into;
    for (long i = lo; i < hi; i++)
        *value += 1.0 / (double)(i + 1);
    return 0;
}

static void add_double(void *into, const void *right, void *arg)
{
    (void)arg;
    *(double *)into += *(const double *)right;
}

static double first_result;

static int harmonic(void *arg)
{
    (void)arg;
    urd_reducer r = {.size = sizeof(double),
                     .fold = harmonic_range,
                     .combine = add_double,
                     .deterministic = true};
    double value;
    CHECK_EQ(urd_reduce(0, 100003, &r, &value, NULL), 0);
    CHECK(value > 12 && value < 13);
    if (first_result == 0)
        first_result = value;
    CHECK_EQ(memcmp(&value, &first_result, sizeof value), 0);
    return 0;
}

TEST(deterministic_gives_the_same_bits_for_every_number_of_workers)
{
    CHECK_EQ(harmonic(NULL), 0);
    for (int workers = 1; workers <= 4; workers++)
        run_real(workers, harmonic);
    run_seeds(5, harmonic);
}

/* ---- Errors -------------------------------------------------------------------------------- */

static int fail_at_seven(long lo, long hi, void *into, void *arg)
{
    (void)into;
    (void)arg;
    return lo <= 7 && 7 < hi ? -EIO : 0;
}

static int one_fails(void *arg)
{
    (void)arg;
    long value;
    urd_reducer r = {.size = sizeof value, .fold = fail_at_seven, .combine = add};
    CHECK_EQ(urd_reduce(0, 1000, &r, &value, NULL), -EIO);
    r.deterministic = true;
    CHECK_EQ(urd_reduce(0, 1000, &r, &value, NULL), -EIO);
    return 0;
}

TEST(an_error_is_the_result)
{
    run_seeds(20, one_fails);
    CHECK_EQ(one_fails(NULL), 0);
}

static int cancelled(void *arg)
{
    (void)arg;
    long value = 5;
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_cancel(&s, -EPERM);
    CHECK_EQ(urd_reduce(0, 1000, &sum, &value, NULL), -ECANCELED);
    CHECK_EQ(urd_reduce(0, 1000, &sum_exactly, &value, NULL), -ECANCELED);
    CHECK_EQ(urd_scope_join(&s), -EPERM);
    return 0;
}

TEST(in_a_cancelled_scope_nothing_is_reduced)
{
    run_seeds(5, cancelled);
    CHECK_EQ(cancelled(NULL), 0);
}
