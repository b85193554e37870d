/*
 * json.c - members of JSON objects, as all reports have them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "ui/json.h"

#include <stdio.h>

void urd__json_set(json_t *object, const char *key, json_t *value)
{
    json_object_set_new(object, key, value);
}

void urd__json_time(json_t *object, const char *key, int64_t value)
{
    urd__json_set(object, key, value < 0 ? json_null() : json_integer(value));
}

void urd__json_share(json_t *object, const char *key, double value)
{
    urd__json_set(object, key,
                  value < 0 ? json_null() : json_real((double)(int64_t)(value * 1e4 + 0.5) / 1e4));
}

json_t *urd__json_string(const char *text)
{
    json_t *value = json_string(text);
    if (value)
        return value;
    char copy[1024];
    snprintf(copy, sizeof copy, "%s", text);
    for (char *p = copy; *p; p++)
        if ((unsigned char)*p >= 0x80)
            *p = '?';
    return json_string(copy);
}
