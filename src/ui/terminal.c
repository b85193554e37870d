/*
 * terminal.c - colours, cells, wrapped lines and the progress line.
 *
 * SPDX-License-Identifier: MIT
 */
#include "ui/terminal.h"

#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ui/text.h"

enum { LINE_COLUMNS = 96, LINE_COLUMNS_MAX = 100, LINE_COLUMNS_MIN = 30, WORD_BYTES = 64 };

static const urd__paint plain = {"", "", "", "", ""};
static const urd__paint coloured = {"\033[1m", "\033[2m", "\033[32m", "\033[31m", "\033[0m"};

const urd__paint *urd__paint_for(bool colours)
{
    return colours ? &coloured : &plain;
}

void urd__print_cell(FILE *out, const char *text, int width, bool left)
{
    int blank = width - urd__text_width(text);
    blank = blank > 0 ? blank : 0;
    if (left)
        fprintf(out, "%s%*s", text, blank, "");
    else
        fprintf(out, "  %*s%s", blank, "", text);
}

void urd__print_wrapped(FILE *out, const char *lead, const char *text, const urd__paint *p)
{
    int column = lead ? urd__text_width(lead) + 1 : -1, columns = urd__line_columns(out);
    if (lead)
        fprintf(out, "%s%s:%s", p->bold, lead, p->off);
    while (*text) {
        size_t bytes = strcspn(text, " ");
        char word[WORD_BYTES];
        snprintf(word, sizeof word, "%.*s", (int)bytes, text);
        int width = urd__text_width(word);
        if (column + 1 + width > columns) {
            fputs("\n ", out);
            column = 1;
        }
        fprintf(out, "%s%s", column < 0 ? "" : " ", word);
        column += 1 + width;
        text += bytes;
        text += strspn(text, " ");
    }
    fputc('\n', out);
}

int urd__line_columns(FILE *out)
{
    struct winsize size;
    int fd = fileno(out);
    if (fd < 0 || ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return LINE_COLUMNS;
    int columns = size.ws_col < LINE_COLUMNS_MAX ? size.ws_col : LINE_COLUMNS_MAX;
    return columns > LINE_COLUMNS_MIN ? columns : LINE_COLUMNS_MIN;
}

void urd__show_progress(const char *text)
{
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r\033[K%s", text);
}
