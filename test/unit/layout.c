/*
 * layout.c - the table says where things are, and can be found without symbols.
 *
 * SPDX-License-Identifier: MIT
 */
#include "watch/layout.h"

#include <string.h>

#include "core/runtime.h"
#include "core/wait.h"
#include "test.h"

static const urd__layout_field *field(const char *name)
{
    for (size_t i = 0; i < URD__LAYOUT_FIELDS; i++)
        if (strcmp(urd__layout_own.field[i].name, name) == 0)
            return &urd__layout_own.field[i];
    return NULL;
}

TEST(a_field_has_its_offset_and_size)
{
    const urd__layout_field *f = field("task.waits_on");
    CHECK(f);
    CHECK_EQ(f->offset, offsetof(urd__task, waits_on));
    CHECK_EQ(f->bytes, sizeof(void *));
    CHECK_EQ(field("task")->bytes, sizeof(urd__task));
    CHECK_EQ(field("task.waiting")->offset, URD__WAITING);
    CHECK_EQ(field("task.waiting")->bytes, 0);
}

TEST(names_are_whole_and_no_two_are_alike)
{
    for (size_t i = 0; i < URD__LAYOUT_FIELDS; i++) {
        const char *name = urd__layout_own.field[i].name;
        CHECK_LT(strnlen(name, sizeof urd__layout_own.field[i].name),
                 sizeof urd__layout_own.field[i].name);
        CHECK(field(name) == &urd__layout_own.field[i]);
    }
}

TEST(the_head_says_what_it_is)
{
    CHECK_STR(urd__layout_own.magic, URD__LAYOUT_MAGIC);
    CHECK_EQ(urd__layout_own.bytes, sizeof urd__layout_own);
    CHECK_EQ(urd__layout_own.fields, URD__LAYOUT_FIELDS);
    CHECK(urd__layout_own.runtime == &urd__rt);
    CHECK_STR(urd__layout_own.version, URD_VERSION);
}
