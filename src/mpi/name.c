/*
 * name.c - functions by the build id of their object and their place in it.
 *
 * SPDX-License-Identifier: MIT
 *
 * Addresses differ from rank to rank, since each is loaded elsewhere.  A build id is a hash that
 * the linker makes of all it links: where that is equal, places are, too.
 */
#include <errno.h>
#include <link.h>
#include <string.h>

#include "mpi/link.h"

typedef struct search {
    uintptr_t address; /* of which the name is wanted; 0: the address of the name is */
    bool first;        /* the program, whatever its address */
    urd__mpi_name name;
    uintptr_t found;
} search;

/* FNV-1a, of the build id alone; 0: it has none. */
static uint64_t hash_notes(const unsigned char *at, size_t size)
{
    const size_t head = sizeof(ElfW(Nhdr)), align = 4;
    const unsigned char *end = at + size;
    while ((size_t)(end - at) >= head) {
        const ElfW(Nhdr) *note = (const void *)at;
        const unsigned char *name = at + head;
        const unsigned char *text = name + (note->n_namesz + align - 1) / align * align;
        at = text + (note->n_descsz + align - 1) / align * align;
        if (note->n_type != NT_GNU_BUILD_ID || note->n_namesz != 4 || memcmp(name, "GNU", 4) != 0)
            continue;
        uint64_t hash = 0xcbf29ce484222325;
        for (size_t i = 0; i < note->n_descsz; i++)
            hash = (hash ^ text[i]) * 0x100000001b3;
        return hash;
    }
    return 0;
}

static uint64_t hash_of(const struct dl_phdr_info *info)
{
    uint64_t hash = 0;
    for (int i = 0; hash == 0 && i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type == PT_NOTE)
            hash = hash_notes((const void *)(info->dlpi_addr + part->p_vaddr), part->p_memsz);
    }
    return hash;
}

/* Is it code of the object? */
static bool holds(const struct dl_phdr_info *info, uint64_t offset)
{
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type == PT_LOAD && (part->p_flags & PF_X) && offset >= part->p_vaddr &&
            offset - part->p_vaddr < part->p_memsz)
            return true;
    }
    return false;
}

/* Not 0: the search is over. */
static int look(struct dl_phdr_info *info, size_t size, void *arg)
{
    search *s = arg;
    (void)size;
    if (s->address || s->first) {
        uint64_t offset = s->address - info->dlpi_addr;
        if (!s->first && !holds(info, offset))
            return 0;
        s->name = (urd__mpi_name){.object = hash_of(info), .offset = offset};
        return 1;
    }
    if (!holds(info, s->name.offset) || hash_of(info) != s->name.object)
        return 0;
    s->found = info->dlpi_addr + s->name.offset;
    return 1;
}

int urd__mpi_name_of(uintptr_t address, urd__mpi_name *out)
{
    search s = {.address = address};
    *out = (urd__mpi_name){0};
    if (!address)
        return 0;
    dl_iterate_phdr(look, &s);
    *out = s.name;
    return s.name.object ? 0 : -EINVAL;
}

uintptr_t urd__mpi_find(const urd__mpi_name *name)
{
    search s = {.name = *name};
    if (name->object)
        dl_iterate_phdr(look, &s);
    return s.found;
}

uint64_t urd__mpi_program(void)
{
    search s = {.first = true};
    dl_iterate_phdr(look, &s);
    return s.name.object;
}
