/*
 * spawn.h - become a fresh image of the program, and be told there what for.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_PROC_SPAWN_H
#define URD_PROC_SPAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What goes over the exec. */
typedef struct urd__told {
    int file, door, lifeline; /* descriptors: of the shared heap, and see zygote.h */
    void *heap;               /* where it lies, and how large it is */
    size_t bytes;             /* without what lies behind it */
    size_t record_at;         /* of the record to run, from there */
} urd__told;

/* In a process that is only to become it.  Returns if that fails, with a negative errno. */
int urd__spawn_exec(const urd__told *told);

/*
 * Was this process told so?  True the first time it is asked; the image is then the same program
 * with the same version of this library.  Ends the process where a fork of it asks, or where the
 * library was replaced meanwhile: it must not go on as if it were the program.
 */
bool urd__spawn_told(urd__told *out);

#endif
