/*
 * count.h - what the processor and the kernel count of a program, with --deep.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_ADVISE_COUNT_H
#define URD_ADVISE_COUNT_H

#include "advise/advise.h"

void urd__count_begin(urd__watched *w); /* of the threads that are alive and what they start */
void urd__count_end(urd__watched *w);

#endif
