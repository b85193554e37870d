/*
 * symbol.h - the name of the function, and the line, at an address of this program.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_CORE_SYMBOL_H
#define URD_CORE_SYMBOL_H

#include <stddef.h>

typedef struct urd__symbol {
    const char *name; /* of the function, or NULL */
    const char *file; /* its source, or NULL */
    int line;
    const char *module; /* the program or library, or NULL */
    size_t offset; /* of the address from the function, or where that is not known the module */
} urd__symbol;

/* Strings live until urd__symbols_close().  Reads debug information the first time: some 10 ms. */
urd__symbol urd__symbol_at(const void *address);

/* Where a call was made that returns to `at`: as "cake.c:12 in bake", or what of it is known. */
void urd__symbol_place(const void *at, char *out, size_t size);

/* As the runtime ends: close what was read. */
void urd__symbols_close(void);

/* The name alone, and only if it is exported: a microsecond. */
const char *urd__symbol_exported(const void *address);

#endif
