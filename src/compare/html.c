/*
 * html.c - the report as a page.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "compare/compare.h"
#include "ui/page.h"

static char *table_of(const urd__report *report)
{
    char *text = NULL;
    size_t bytes;
    FILE *memory = open_memstream(&text, &bytes);
    if (!memory)
        return NULL;
    urd__report_table(report, memory, false);
    fclose(memory);
    return text;
}

char *urd__report_html(const urd__report *report)
{
    char *table = table_of(report), *data = urd__report_json(report, true);
    urd__page page = {.from = urd__page_compare,
                      .end = urd__page_compare_end,
                      .title = report->title[0] ? report->title : report->file,
                      .text = table,
                      .data = data};
    char *text = table && data ? urd__page_make(&page) : NULL;
    free(table);
    free(data);
    return text;
}
