/*
 * switch_x86_64.S - the context switch for x86-64, System V ABI.
 *
 * SPDX-License-Identifier: MIT
 *
 * A saved context, from its address upwards:
 *
 *     0   r15
 *     8   r14
 *     16  r13
 *     24  r12
 *     32  rbx
 *     40  rbp
 *     48  return address
 */
    .text

    .globl  urd__switch
    .hidden urd__switch
    .type   urd__switch, @function
    .p2align 5
urd__switch:
    .cfi_startproc
    pushq   %rbp
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset rbp, 0
    pushq   %rbx
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset rbx, 0
    pushq   %r12
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset r12, 0
    pushq   %r13
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset r13, 0
    pushq   %r14
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset r14, 0
    pushq   %r15
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset r15, 0
    movq    %rsp, (%rdi)
    movq    %rsi, %rsp
    movq    (%rsp), %r15
    movq    8(%rsp), %r14
    movq    16(%rsp), %r13
    movq    24(%rsp), %r12
    movq    32(%rsp), %rbx
    movq    40(%rsp), %rbp
    addq    $48, %rsp
    .cfi_def_cfa rsp, 8
    .cfi_same_value rbp
    .cfi_same_value rbx
    .cfi_same_value r12
    .cfi_same_value r13
    .cfi_same_value r14
    .cfi_same_value r15
    retq
    .cfi_endproc
    .size   urd__switch, . - urd__switch

/* The first code of a context: r12 = fn, r13 = arg.  A backtrace ends here. */
    .type   entry, @function
    .p2align 4
entry:
    .cfi_startproc
    .cfi_undefined rip
    .cfi_undefined rbp
    movq    %r13, %rdi
    callq   *%r12
    ud2
    .cfi_endproc
    .size   entry, . - entry

    .globl  urd__switch_make
    .hidden urd__switch_make
    .type   urd__switch_make, @function
    .p2align 4
urd__switch_make:
    .cfi_startproc
    leaq    -72(%rdi), %rax         /* 56 are taken again; entry calls from a multiple of 16 */
    movq    $0, (%rax)
    movq    $0, 8(%rax)
    movq    %rdx, 16(%rax)
    movq    %rsi, 24(%rax)
    movq    $0, 32(%rax)
    movq    $0, 40(%rax)
    leaq    entry(%rip), %rcx
    movq    %rcx, 48(%rax)
    retq
    .cfi_endproc
    .size   urd__switch_make, . - urd__switch_make

    .section .note.GNU-stack, "", @progbits
