/*
 * terminal.h - what a report looks like on a terminal: colours, cells, wrapped lines, progress.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_UI_TERMINAL_H
#define URD_UI_TERMINAL_H

#include <stdbool.h>
#include <stdio.h>

typedef struct urd__paint {
    const char *bold, *dim, *good, *bad, *off;
} urd__paint;

const urd__paint *urd__paint_for(bool colours);

/* A cell that wide: text at its left, or at its right after two blanks. */
void urd__print_cell(FILE *out, const char *text, int width, bool left);

/* "Lead: text", or where lead is NULL the text; words that do not fit on the line go on the next,
 * two columns in. */
void urd__print_wrapped(FILE *out, const char *lead, const char *text, const urd__paint *p);

/* Columns of the terminal that out is, at most 100; else 96. */
int urd__line_columns(FILE *out);

/* Overwrites the progress line, where stderr is a terminal; "" clears it. */
void urd__show_progress(const char *text);

#endif
