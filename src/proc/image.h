/*
 * image.h - the program and its libraries, as each process of it has them loaded.
 *
 * SPDX-License-Identifier: MIT
 *
 * A process made by a fork has each function where the program has it; one that is a fresh image
 * has it elsewhere.  What goes from one process to another is the function's *name*: the address
 * that it has in the program.
 */
#ifndef URD_PROC_IMAGE_H
#define URD_PROC_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "urd.h"

/* What was loaded at urd_run; in shared memory. */
typedef struct urd__image urd__image;

/* In urd_run, before any process is made: take it down.  NULL: there is no memory. */
const urd__image *urd__image_take(void);

/* In a fresh image: find out what of it is here, and where.  0, -ENOMEM. */
int urd__image_join(const urd__image *image);

void urd__image_forget(void);

/* Did the program have this function, which is one here, at urd_run? */
bool urd__image_has(urd_fn *fn);

/* The name of a function that it had; NULL of NULL. */
urd_fn *urd__image_name(urd_fn *fn);

/* The function here of a name; NULL: this process does not have it; and of NULL. */
urd_fn *urd__image_find(urd_fn *name);

/* What tells the object that this code lies in from others, and from another version of it. */
uint64_t urd__image_identity(const void *code);

#endif
