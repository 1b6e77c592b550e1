/* SPDX-License-Identifier: Apache-2.0 */
/*
 * map.h - a hash map from 64-bit keys or strings to pointers. Open addressing, linear probing,
 * deletion by shifting back. Not thread-safe. Strings are hashed with a seed, so that a peer can't
 * choose keys that collide.
 */
#ifndef GR_RUNTIME_BASE_MAP_H
#define GR_RUNTIME_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gri_map_slot {
    uint64_t hash; /* the key itself for integer keys; 0 marks an empty slot, so 0 is stored as 1 */
    char *name;    /* owned copy; NULL for integer keys */
    uint64_t key;
    void *value;
};

struct gri_map {
    struct gri_map_slot *slots; /* owned; cap is a power of two, at most 3/4 full */
    size_t cap, count;
    uint64_t seed;
};

void gri_map_init(struct gri_map *m, uint64_t seed);
void gri_map_fini(struct gri_map *m); /* the values are the caller's */
/* _put adds or replaces; false when out of memory. _get: NULL when absent. _del returns what was
 * there. */
bool gri_map_put(struct gri_map *m, uint64_t key, void *value);
void *gri_map_get(const struct gri_map *m, uint64_t key);
void *gri_map_del(struct gri_map *m, uint64_t key);
bool gri_map_puts(struct gri_map *m, const char *name, void *value);
void *gri_map_gets(const struct gri_map *m, const char *name);
void *gri_map_dels(struct gri_map *m, const char *name);
/* gri_map_next iterates: start with *at = 0; NULL at the end. Don't change the map meanwhile. */
const struct gri_map_slot *gri_map_next(const struct gri_map *m, size_t *at);
uint64_t gri_hash_bytes(const void *data, size_t len, uint64_t seed);

#endif
