/*
 * image.c - which code was loaded at urd_run, and where another process of the program has it.
 *
 * SPDX-License-Identifier: MIT
 *
 * An object, the program or a library, is known by a hash of its program headers and its notes,
 * one of which is the build id.  So a library that was replaced on disk while the program runs is
 * another one, and its functions are not found, where its path would have led to wrong ones.
 */
#include "proc/image.h"

#include <errno.h>
#include <link.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/os.h"

/* A piece of program text. */
struct segment {
    uint64_t object; /* its identity */
    size_t index;    /* among the parts of that */
    uintptr_t begin, end;
};

struct urd__image {
    size_t used;
    struct segment segments[];
};

static struct {
    const urd__image *image; /* set before all threads, as is `moved` */
    uintptr_t
        *moved; /* in a fresh image: by how much, of each segment; GONE: it is not here.  NULL:
                         all are where the program has them */
} own;

static const uintptr_t GONE = UINTPTR_MAX;

/* ---- what is loaded here ---- */

/* FNV-1a. */
static uint64_t add_to_hash(uint64_t hash, const void *bytes, size_t size)
{
    const unsigned char *at = bytes;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ at[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static uint64_t identity(const struct dl_phdr_info *info)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        hash = add_to_hash(hash, part, sizeof *part);
        if (part->p_type != PT_NOTE)
            continue;
        uintptr_t at = info->dlpi_addr + part->p_vaddr;
        hash = add_to_hash(hash, (const void *)at, // NOLINT(performance-no-int-to-ptr)
                           part->p_memsz);
    }
    return hash;
}

/* Called for each segment; `arg` is the caller's. */
typedef struct visit {
    void (*fn)(void *arg, const struct segment *segment);
    void *arg;
} visit;

static int visit_object(struct dl_phdr_info *info, size_t size, void *visiting)
{
    (void)size;
    const visit *v = visiting;
    struct segment segment = {.object = identity(info)};
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type != PT_LOAD || (part->p_flags & PF_X) == 0)
            continue;
        segment.index = i;
        segment.begin = info->dlpi_addr + part->p_vaddr;
        segment.end = segment.begin + part->p_memsz;
        v->fn(v->arg, &segment);
    }
    return 0;
}

static void visit_all(void (*fn)(void *arg, const struct segment *segment), void *arg)
{
    dl_iterate_phdr(visit_object, &(visit){.fn = fn, .arg = arg});
}

static void count(void *arg, const struct segment *segment)
{
    (void)segment;
    ++*(size_t *)arg;
}

typedef struct filling {
    urd__image *image;
    size_t room; /* should another thread load something meanwhile */
} filling;

static void fill(void *arg, const struct segment *segment)
{
    const filling *f = arg;
    if (f->image->used < f->room)
        f->image->segments[f->image->used++] = *segment;
}

const urd__image *urd__image_take(void)
{
    size_t n = 0;
    visit_all(count, &n);
    urd__image *image = urd_shared_alloc(sizeof *image + n * sizeof *image->segments);
    if (image)
        visit_all(fill, &(filling){.image = image, .room = n});
    own.image = image;
    return image;
}

static void place(void *unused, const struct segment *here)
{
    (void)unused;
    for (size_t i = 0; i < own.image->used; i++) {
        const struct segment *there = &own.image->segments[i];
        if (there->object == here->object && there->index == here->index)
            own.moved[i] = here->begin - there->begin; /* it wraps around, as does its use */
    }
}

int urd__image_join(const urd__image *image)
{
    uintptr_t *moved = urd__os_alloc((image->used + 1) * sizeof *moved);
    if (!moved)
        return -ENOMEM;
    for (size_t i = 0; i < image->used; i++)
        moved[i] = GONE;
    own.image = image;
    own.moved = moved;
    visit_all(place, NULL);
    return 0;
}

void urd__image_forget(void)
{
    urd_shared_free((void *)(uintptr_t)own.image);
    urd__os_free(own.moved);
    own.image = NULL;
    own.moved = NULL;
}

/* ---- functions ---- */

static const struct segment *segment_of(uintptr_t fn, uintptr_t *moved)
{
    for (size_t i = 0; own.image && i < own.image->used; i++) {
        const struct segment *s = &own.image->segments[i];
        *moved = own.moved ? own.moved[i] : 0;
        if (*moved != GONE && fn - *moved >= s->begin && fn - *moved < s->end)
            return s;
    }
    return NULL;
}

bool urd__image_has(urd_fn *fn)
{
    uintptr_t moved;
    return segment_of((uintptr_t)fn, &moved) != NULL;
}

urd_fn *urd__image_name(urd_fn *fn)
{
    uintptr_t moved;
    if (!own.moved || !segment_of((uintptr_t)fn, &moved))
        return own.moved ? NULL : fn;
    return (urd_fn *)((uintptr_t)fn - moved); // NOLINT(performance-no-int-to-ptr)
}

urd_fn *urd__image_find(urd_fn *name)
{
    uintptr_t at = (uintptr_t)name;
    if (!own.moved)
        return name;
    for (size_t i = 0; i < own.image->used; i++) {
        const struct segment *s = &own.image->segments[i];
        if (own.moved[i] != GONE && at >= s->begin && at < s->end)
            return (urd_fn *)(at + own.moved[i]); // NOLINT(performance-no-int-to-ptr)
    }
    return NULL;
}

typedef struct search {
    uintptr_t at;
    uint64_t found;
} search;

static void look_for(void *arg, const struct segment *segment)
{
    search *s = arg;
    if (s->at >= segment->begin && s->at < segment->end)
        s->found = segment->object;
}

uint64_t urd__image_identity(const void *code)
{
    search s = {.at = (uintptr_t)code};
    visit_all(look_for, &s);
    return s.found;
}
