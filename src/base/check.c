/*
 * check.c - print an error of the program and abort.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"

enum { MESSAGE_BYTES_MAX = 1024 };

void (*urd__die_context)(char *out, size_t size);

static void say(const char *format, va_list args, bool with_context)
{
    char message[MESSAGE_BYTES_MAX] = "urd: ";
    size_t used = strlen(message);
    size_t room = sizeof message - 1; /* one is for the end of the line */
    vsnprintf(message + used, room - used, format, args);
    used = strlen(message);
    if (with_context && urd__die_context) {
        urd__die_context(message + used, room - used);
        used = strlen(message);
    }
    message[used++] = '\n';
    urd__os_write_error(message, used);
}

void urd__say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(format, args, false);
    va_end(args);
}

void urd__die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(format, args, true);
    va_end(args);
    abort();
}
