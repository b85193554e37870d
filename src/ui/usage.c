/*
 * usage.c - options read, complaints made, and reports written, for all commands.
 *
 * SPDX-License-Identifier: MIT
 */
#include "ui/usage.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_BYTES = 4200 };

bool urd__bad_usage(const char *command, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "urd %s: ", command);
    vfprintf(stderr, format, args);
    fprintf(stderr, "\nSee: urd help %s\n", command);
    va_end(args);
    return false;
}

void urd__complain(const char *command, const char *verb, const char *what)
{
    char text[LINE_BYTES];
    snprintf(text, sizeof text, "urd %s: cannot %s %s", command, verb, what);
    perror(text);
}

bool urd__ends_with(const char *text, const char *end)
{
    size_t bytes = strlen(text), tail = strlen(end);
    return bytes > tail && strcmp(text + bytes - tail, end) == 0;
}

bool urd__is_option(const char *word, const char *name)
{
    size_t bytes = strlen(name);
    return strncmp(word, name, bytes) == 0 && (word[bytes] == '\0' || word[bytes] == '=');
}

const char *urd__option_value(int argc, char **argv, int *at)
{
    const char *equals = strchr(argv[*at], '=');
    if (equals)
        return equals + 1;
    if (*at + 1 < argc)
        return argv[++*at];
    return NULL;
}

bool urd__read_number(const char *command, const char *name, const char *text, const double *range,
                      double *out)
{
    char *end;
    *out = strtod(text, &end);
    if (end != text && *end == '\0' && *out >= range[0] && *out <= range[1])
        return true;
    return urd__bad_usage(command, "%s takes a number from %g to %g, not \"%s\"", name, range[0],
                          range[1], text);
}

bool urd__read_whole(const char *command, const char *name, const char *text, const int *range,
                     int *out)
{
    double value;
    if (!urd__read_number(command, name, text, (const double[]){range[0], range[1]}, &value))
        return false;
    *out = (int)value;
    return value == *out ||
           urd__bad_usage(command, "%s takes a whole number, not \"%s\"", name, text);
}

bool urd__write_report(const char *command, const char *path, char *text)
{
    bool to_stdout = strcmp(path, "-") == 0;
    FILE *file = !text ? NULL : to_stdout ? stdout : fopen(path, "we");
    bool good = file && fputs(text, file) >= 0 && (to_stdout ? fputs("\n", file) >= 0 : true);
    good = file && (to_stdout ? fflush(file) : fclose(file)) == 0 && good;
    if (!good)
        urd__complain(command, "write", path);
    free(text);
    return good;
}
