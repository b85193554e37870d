/*
 * page.h - a page with values in place of {{names}}.
 *
 * SPDX-License-Identifier: MIT
 *
 * The pages (page.S has their bytes) share page.css and page.js, which stand at {{css}} and {{js}};
 * they have {{lang}}, {{title}}, {{text}} for readers without scripts, and {{data}}: JSON in a
 * script element, from which the page draws itself.
 */
#ifndef URD_UI_PAGE_H
#define URD_UI_PAGE_H

typedef struct urd__page {
    const char *from, *end; /* its bytes */
    const char *title;
    const char *text; /* the report as it would be in a terminal */
    const char *data; /* JSON */
} urd__page;

extern const char urd__page_advise[], urd__page_advise_end[];
extern const char urd__page_compare[], urd__page_compare_end[];

char *urd__page_make(const urd__page *page); /* the caller frees; NULL: no memory */

#endif
