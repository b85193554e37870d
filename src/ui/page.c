/*
 * page.c - fill the values into a page, so that none can end the element it is in.
 *
 * SPDX-License-Identifier: MIT
 *
 * Text is escaped for HTML; in the data "<" is written "\u003c".
 */
#include "ui/page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ui/text.h"

extern const char urd__page_css[], urd__page_css_end[], urd__page_js[], urd__page_js_end[];

static void put_escaped(FILE *out, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '&':
            fputs("&amp;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        default:
            fputc(*text, out);
        }
    }
}

static void put_data(FILE *out, const char *json)
{
    for (const char *p = json; p && *p; p++) {
        if (*p == '<')
            fputs("\\u003c", out);
        else
            fputc(*p, out);
    }
}

static void put_bytes(FILE *out, const char *from, const char *end)
{
    fwrite(from, 1, (size_t)(end - from), out);
}

static void put_value(FILE *out, const char *name, size_t bytes, const urd__page *page)
{
    static const char *const names[] = {"css", "js", "title", "lang", "text", "data"};
    size_t which = 0;
    while (which < sizeof names / sizeof *names &&
           (strlen(names[which]) != bytes || memcmp(names[which], name, bytes) != 0))
        which++;
    switch (which) {
    case 0:
        put_bytes(out, urd__page_css, urd__page_css_end);
        break;
    case 1:
        put_bytes(out, urd__page_js, urd__page_js_end);
        break;
    case 2:
        put_escaped(out, page->title);
        break;
    case 3:
        fputs(urd__text(TEXT_LANGUAGE), out);
        break;
    case 4:
        put_escaped(out, page->text);
        break;
    case 5:
        put_data(out, page->data);
        break;
    default:
        break;
    }
}

char *urd__page_make(const urd__page *page)
{
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    if (!out)
        return NULL;
    const char *at = page->from;
    for (;;) {
        const char *open = strstr(at, "{{");
        const char *close = open ? strstr(open, "}}") : NULL;
        if (!close)
            break;
        put_bytes(out, at, open);
        put_value(out, open + 2, (size_t)(close - open - 2), page);
        at = close + 2;
    }
    put_bytes(out, at, page->end);
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}
