/*
 * switch_aarch64.S - the context switch for AArch64, AAPCS64.
 *
 * SPDX-License-Identifier: MIT
 *
 * A saved context, from its address upwards: x19-x28, x29, x30, d8-d15; 160 bytes.
 */
    .text

    .globl  urd__switch
    .hidden urd__switch
    .type   urd__switch, %function
    .p2align 5
urd__switch:
    .cfi_startproc
    sub     sp, sp, #160
    .cfi_adjust_cfa_offset 160
    stp     x19, x20, [sp, #0]
    .cfi_rel_offset x19, 0
    .cfi_rel_offset x20, 8
    stp     x21, x22, [sp, #16]
    .cfi_rel_offset x21, 16
    .cfi_rel_offset x22, 24
    stp     x23, x24, [sp, #32]
    .cfi_rel_offset x23, 32
    .cfi_rel_offset x24, 40
    stp     x25, x26, [sp, #48]
    .cfi_rel_offset x25, 48
    .cfi_rel_offset x26, 56
    stp     x27, x28, [sp, #64]
    .cfi_rel_offset x27, 64
    .cfi_rel_offset x28, 72
    stp     x29, x30, [sp, #80]
    .cfi_rel_offset x29, 80
    .cfi_rel_offset x30, 88
    stp     d8, d9, [sp, #96]
    stp     d10, d11, [sp, #112]
    stp     d12, d13, [sp, #128]
    stp     d14, d15, [sp, #144]
    mov     x10, sp
    str     x10, [x0]
    mov     sp, x1
    ldp     x19, x20, [sp, #0]
    ldp     x21, x22, [sp, #16]
    ldp     x23, x24, [sp, #32]
    ldp     x25, x26, [sp, #48]
    ldp     x27, x28, [sp, #64]
    ldp     x29, x30, [sp, #80]
    ldp     d8, d9, [sp, #96]
    ldp     d10, d11, [sp, #112]
    ldp     d12, d13, [sp, #128]
    ldp     d14, d15, [sp, #144]
    add     sp, sp, #160
    .cfi_def_cfa sp, 0
    .cfi_same_value x19
    .cfi_same_value x20
    .cfi_same_value x21
    .cfi_same_value x22
    .cfi_same_value x23
    .cfi_same_value x24
    .cfi_same_value x25
    .cfi_same_value x26
    .cfi_same_value x27
    .cfi_same_value x28
    .cfi_same_value x29
    .cfi_same_value x30
    ret
    .cfi_endproc
    .size   urd__switch, . - urd__switch

/* The first code of a context: x19 = fn, x20 = arg.  A backtrace ends here. */
    .type   entry, %function
    .p2align 4
entry:
    .cfi_startproc
    .cfi_undefined x30
    .cfi_undefined x29
    mov     x0, x20
    blr     x19
    brk     #1
    .cfi_endproc
    .size   entry, . - entry

    .globl  urd__switch_make
    .hidden urd__switch_make
    .type   urd__switch_make, %function
    .p2align 4
urd__switch_make:
    .cfi_startproc
    sub     x3, x0, #160
    stp     x1, x2, [x3, #0]
    stp     xzr, xzr, [x3, #16]
    stp     xzr, xzr, [x3, #32]
    stp     xzr, xzr, [x3, #48]
    stp     xzr, xzr, [x3, #64]
    adr     x4, entry
    stp     xzr, x4, [x3, #80]
    stp     xzr, xzr, [x3, #96]
    stp     xzr, xzr, [x3, #112]
    stp     xzr, xzr, [x3, #128]
    stp     xzr, xzr, [x3, #144]
    mov     x0, x3
    ret
    .cfi_endproc
    .size   urd__switch_make, . - urd__switch_make

    .section .note.GNU-stack, "", %progbits
