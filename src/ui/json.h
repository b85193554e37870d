/*
 * json.h - members of JSON objects: times, shares, and names from outside.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_UI_JSON_H
#define URD_UI_JSON_H

#include <jansson.h>
#include <stdint.h>

void urd__json_set(json_t *object, const char *key, json_t *value);  /* takes value over */
void urd__json_time(json_t *object, const char *key, int64_t value); /* negative: null */
void urd__json_share(json_t *object, const char *key, double value); /* 4 decimals; the same */
json_t *urd__json_string(const char *text); /* what is not UTF-8 becomes "?" */

#endif
