/*
 * page.S - the pages, their style and their script as bytes of the program.
 *
 * SPDX-License-Identifier: MIT
 */
    .section .rodata

.macro file name, path
    .global \name
    .global \name\()_end
    .hidden \name
    .hidden \name\()_end
    .type \name, %object
    .type \name\()_end, %object
\name:
    .incbin "\path"
\name\()_end:
    .byte 0
    .size \name, \name\()_end - \name
.endm

    file urd__page_css, ui/page.css
    file urd__page_js, ui/page.js
    file urd__page_advise, advise/page.html
    file urd__page_compare, compare/page.html
    .section .note.GNU-stack, "", %progbits
