/*
 * python.h - the GIL and the frames of a CPython program, read from outside.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_ADVISE_PYTHON_H
#define URD_ADVISE_PYTHON_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct urd__python urd__python;

typedef struct urd__python_frame {
    char function[48], file[48]; /* the file without folders */
    char path[256];              /* as Python knows it: absolute, or from where it was started */
    int line;                    /* 0: not known */
    bool library;                /* a file of Python's own */
} urd__python_frame;

urd__python *urd__python_open(pid_t pid); /* NULL: not CPython 3.7 or newer, or not to be read */
void urd__python_free(urd__python *python);
bool urd__python_is_gil(const urd__python *python, uint64_t futex);
pid_t urd__python_gil_holder(urd__python *python); /* the thread; 0: none, or not known */
/* The innermost frames of a thread, at most max; how many.  0 too for versions not known. */
int urd__python_frames(urd__python *python, pid_t tid, urd__python_frame *out, int max);

/* The line of an instruction, in a table as PEP 657 has it. */
int urd__python_line(const unsigned char *table, int bytes, int first_line, int instruction);

#endif
