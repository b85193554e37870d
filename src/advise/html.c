/*
 * html.c - the report as a page.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "advise/advise.h"
#include "ui/page.h"

static char *report_of(const urd__advice *advice)
{
    char *text = NULL;
    size_t bytes;
    FILE *memory = open_memstream(&text, &bytes);
    if (!memory)
        return NULL;
    urd__advice_print(advice, memory, false);
    fclose(memory);
    return text;
}

char *urd__advice_html(const urd__advice *advice)
{
    char *report = report_of(advice), *data = urd__advice_json(advice, true);
    urd__page page = {.from = urd__page_advise,
                      .end = urd__page_advise_end,
                      .title = advice->command,
                      .text = report,
                      .data = data};
    char *text = report && data ? urd__page_make(&page) : NULL;
    free(report);
    free(data);
    return text;
}
