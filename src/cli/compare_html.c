/*
 * compare_html.c - fill the report into compare.html.
 *
 * SPDX-License-Identifier: MIT
 *
 * The page (page.S has its bytes) has {{title}}, {{lang}}, {{text}} and {{data}}; the data is JSON
 * in a script element, from which the page draws itself.  Text is escaped for HTML, and in the
 * data "<" is written "\u003c", so that no name can end the element.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/compare.h"
#include "cli/text.h"

extern const char urd__page[], urd__page_end[];

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

static void put_data(FILE *out, const urd__report *report)
{
    char *json = urd__report_json(report, true);
    for (const char *p = json; p && *p; p++) {
        if (*p == '<')
            fputs("\\u003c", out);
        else
            fputc(*p, out);
    }
    free(json);
}

static void put_table(FILE *out, const urd__report *report)
{
    char *text = NULL;
    size_t bytes;
    FILE *memory = open_memstream(&text, &bytes);
    if (!memory)
        return;
    urd__report_table(report, memory, false);
    fclose(memory);
    put_escaped(out, text);
    free(text);
}

static void put_value(FILE *out, const char *name, size_t bytes, const urd__report *report)
{
    if (bytes == 5 && memcmp(name, "title", 5) == 0)
        put_escaped(out, report->title[0] ? report->title : report->file);
    else if (bytes == 4 && memcmp(name, "lang", 4) == 0)
        fputs(urd__text(TEXT_LANGUAGE), out);
    else if (bytes == 4 && memcmp(name, "text", 4) == 0)
        put_table(out, report);
    else if (bytes == 4 && memcmp(name, "data", 4) == 0)
        put_data(out, report);
}

char *urd__report_html(const urd__report *report)
{
    char *page = NULL;
    size_t bytes;
    FILE *out = open_memstream(&page, &bytes);
    if (!out)
        return NULL;
    const char *at = urd__page;
    for (;;) {
        const char *open = strstr(at, "{{");
        const char *close = open ? strstr(open, "}}") : NULL;
        if (!close)
            break;
        fwrite(at, 1, (size_t)(open - at), out);
        put_value(out, open + 2, (size_t)(close - open - 2), report);
        at = close + 2;
    }
    fwrite(at, 1, (size_t)(urd__page_end - at), out);
    if (fclose(out) == 0)
        return page;
    free(page);
    return NULL;
}
