/*
 * usage.h - options, complaints and exit codes of all commands.
 *
 * SPDX-License-Identifier: MIT
 *
 * `command` is the word after "urd"; messages begin with both.
 */
#ifndef URD_UI_USAGE_H
#define URD_UI_USAGE_H

#include <stdbool.h>

/* Exit codes of the commands. */
enum {
    EXIT_OK = 0,
    EXIT_JOB = 1,       /* a job failed, crashed, or gave a wrong result */
    EXIT_USAGE = 2,     /* bad options; or the file does not compile or load */
    EXIT_TIMEOUT = 124, /* a model did not end in time, as timeout(1) says it */
    EXIT_INTERRUPT = 130
};

/* Says what is wrong, and where help is.  False, for the caller to return. */
__attribute__((format(printf, 2, 3))) bool urd__bad_usage(const char *command, const char *format,
                                                          ...);

/* "cannot VERB WHAT", and why, as the system's last error has it. */
void urd__complain(const char *command, const char *verb, const char *what);

bool urd__ends_with(const char *text, const char *end);

/* Is word the option, alone or with "=VALUE"? */
bool urd__is_option(const char *word, const char *name);
/* The value of the option at argv[*at]: after "=", or the next word; NULL: none. */
const char *urd__option_value(int argc, char **argv, int *at);

/* A range of numbers; false after a complaint. */
bool urd__read_number(const char *command, const char *name, const char *text, const double *range,
                      double *out);
bool urd__read_whole(const char *command, const char *name, const char *text, const int *range,
                     int *out);

/* Write text to the file, or to stdout with a newline if path is "-"; and free it.  A text that is
 * NULL, for there was no memory, is a failure too.  False after a complaint. */
bool urd__write_report(const char *command, const char *path, char *text);

#endif
