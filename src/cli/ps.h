/*
 * ps.h - urd ps: the scopes and jobs of a live process.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_CLI_PS_H
#define URD_CLI_PS_H

#include <stdio.h>

int urd__ps_main(int argc, char **argv); /* argv[0] is "ps"; an exit code of usage.h */
void urd__ps_help(FILE *to);

#endif
