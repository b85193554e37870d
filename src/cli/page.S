/*
 * page.S - compare.html as bytes of the program.
 *
 * SPDX-License-Identifier: MIT
 */
    .section .rodata
    .global urd__page
    .global urd__page_end
    .hidden urd__page
    .hidden urd__page_end
    .type urd__page, %object
    .type urd__page_end, %object
urd__page:
    .incbin "compare.html"
urd__page_end:
    .byte 0
    .size urd__page, urd__page_end - urd__page
    .section .note.GNU-stack, "", %progbits
