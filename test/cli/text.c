/*
 * text.c - numbers as they are shown, and text from outside.
 *
 * SPDX-License-Identifier: MIT
 */
#include "ui/text.h"

#include <stdlib.h>
#include <string.h>

#include "test.h"

static const char *duration(int64_t ns)
{
    static char out[64];
    urd__text_duration(out, sizeof out, ns);
    return out;
}

static const char *bytes(int64_t n)
{
    static char out[64];
    urd__text_bytes(out, sizeof out, n);
    return out;
}

static void speak(const char *language)
{
    unsetenv("LC_MESSAGES");
    unsetenv("LANG");
    setenv("LC_ALL", language, 1);
}

TEST(durations_have_three_digits_and_their_unit)
{
    speak("C");
    CHECK_STR(duration(-1), "-");
    CHECK_STR(duration(0), "0 ns");
    CHECK_STR(duration(999), "999 ns");
    CHECK_STR(duration(1000), "1.00 µs");
    CHECK_STR(duration(9994), "9.99 µs");
    CHECK_STR(duration(9996), "10.0 µs");
    CHECK_STR(duration(999499), "999 µs");
    CHECK_STR(duration(999500), "1.00 ms");
    CHECK_STR(duration(123456789), "123 ms");
    CHECK_STR(duration(2000000000), "2.00 s");
    CHECK_STR(duration(3600000000000), "3600 s");
}

TEST(memory_is_counted_in_powers_of_1024)
{
    speak("C");
    CHECK_STR(bytes(-1), "-");
    CHECK_STR(bytes(512), "0.50 KiB");
    CHECK_STR(bytes(1024 * 1024), "1.00 MiB");
    CHECK_STR(bytes(3LL << 30), "3.00 GiB");
}

TEST(portuguese_has_a_decimal_comma_and_its_own_words)
{
    speak("pt_BR.UTF-8");
    CHECK_STR(duration(2000000000), "2,00 s");
    CHECK_STR(urd__text(TEXT_TASKS), "tarefas");
    setenv("LANG", "pt_BR", 1);
    setenv("LC_ALL", "", 1); /* empty counts as not set */
    CHECK_STR(urd__text(TEXT_TASKS), "tarefas");
    setenv("LC_ALL", "C", 1);
    CHECK_STR(urd__text(TEXT_TASKS), "tasks");
}

TEST(every_text_exists_in_every_language_with_the_same_values)
{
    static const char *const languages[] = {"C", "pt_BR"};
    for (int id = 0; id < TEXT_COUNT; id++) {
        unsigned used[2] = {0};
        for (int i = 0; i < 2; i++) {
            speak(languages[i]);
            const char *text = urd__text((urd__text_id)id);
            if (!text)
                FAIL("text %d is missing in %s", id, languages[i]);
            for (; (text = strchr(text, '{')); text++)
                used[i] |= 1u << (text[1] - '0');
        }
        if (used[0] != used[1])
            FAIL("text %d has other values in the other language", id);
    }
}

TEST(values_stand_where_the_text_says_and_are_cut_to_size)
{
    const char *values[] = {"one", "two"};
    char out[32];
    urd__text_fill(out, sizeof out, "{1}, {0}, {7} {", values, 2);
    CHECK_STR(out, "two, one, {7} {");
    char small[6];
    urd__text_fill(small, sizeof small, "{0} and {1}", values, 2);
    CHECK_STR(small, "one a");
    urd__text_fill(small, sizeof small, "more{1}", values, 2);
    CHECK_STR(small, "moret");
}

TEST(text_from_outside_cannot_move_the_cursor_or_break_utf8)
{
    char text[] = "a\033[2Jb\xff \xc3\xa9 \xe2\x82\xac \xe2\x82 \xc0\x80 \xc2\x9b \xed\xa0\x80";
    urd__text_clean(text);
    CHECK_STR(text, "a?[2Jb? \xc3\xa9 \xe2\x82\xac ?? ?? ?? ???");
    char cut[] = "\xf0\x9f\x8e"; /* ends inside of a character */
    urd__text_clean(cut);
    CHECK_STR(cut, "???");
}

TEST(width_counts_characters)
{
    CHECK_EQ(urd__text_width(""), 0);
    CHECK_EQ(urd__text_width("núcleos"), 7);
    CHECK_EQ(urd__text_width("µs"), 2);
}
