/*
 * map.c - a map from thread numbers to indices, for trees of many threads.
 *
 * SPDX-License-Identifier: MIT
 *
 * Open addressing with linear probing, at most half full.  A removed entry leaves its key, which
 * the next growth drops.
 */
#include <stdlib.h>

#include "advise/advise.h"

struct urd__map {
    unsigned room, used; /* a power of two; keys in it, removed ones too */
    int *keys, *values;  /* key 0: free; value -1: removed */
};

static unsigned slot_of(const urd__map *map, int key)
{
    unsigned at = (unsigned)key * 2654435761u & (map->room - 1);
    while (map->keys[at] != 0 && map->keys[at] != key)
        at = (at + 1) & (map->room - 1);
    return at;
}

/* There is room. */
static void put(urd__map *map, unsigned at, int key, int value)
{
    map->used += map->keys[at] == 0;
    map->keys[at] = key;
    map->values[at] = value;
}

static bool make_room(urd__map *map, unsigned room)
{
    urd__map old = *map;
    int *keys = calloc(room, sizeof *keys), *values = calloc(room, sizeof *values);
    if (!keys || !values) {
        free(keys);
        free(values);
        return false;
    }
    *map = (urd__map){.room = room, .keys = keys, .values = values};
    for (unsigned i = 0; i < old.room; i++)
        if (old.keys[i] != 0 && old.values[i] >= 0)
            put(map, slot_of(map, old.keys[i]), old.keys[i], old.values[i]);
    free(old.keys);
    free(old.values);
    return true;
}

urd__map *urd__map_new(void)
{
    urd__map *map = calloc(1, sizeof *map);
    if (map && make_room(map, 256))
        return map;
    free(map);
    return NULL;
}

void urd__map_free(urd__map *map)
{
    if (!map)
        return;
    free(map->keys);
    free(map->values);
    free(map);
}

int urd__map_get(const urd__map *map, int key)
{
    unsigned at = slot_of(map, key);
    return map->keys[at] == key ? map->values[at] : -1;
}

bool urd__map_put(urd__map *map, int key, int value)
{
    unsigned at = slot_of(map, key);
    if (map->keys[at] == 0 && 2 * (map->used + 1) > map->room) {
        if (!make_room(map, map->room * 2))
            return false;
        at = slot_of(map, key);
    }
    put(map, at, key, value);
    return true;
}

void urd__map_remove(urd__map *map, int key)
{
    unsigned at = slot_of(map, key);
    if (map->keys[at] == key)
        map->values[at] = -1;
}
