/*
 * elf.h - where a symbol of a program's file is in the program's memory.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_ADVISE_ELF_H
#define URD_ADVISE_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct urd__elf_place {
    uint64_t address, size;
} urd__elf_place;

/* By the symbol tables of the first mapped file whose name begins with one of `files` (NULL ends
 * the list).  False: no such file, or no such symbol in it. */
bool urd__elf_find(pid_t pid, const char *const *files, const char *symbol, urd__elf_place *out);

#endif
