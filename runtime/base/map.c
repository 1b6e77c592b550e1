/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/map.h"

#include <string.h>

#include "runtime/base/alloc.h"

/* splitmix64's finaliser: spreads integer keys and ends the string hash. */
static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

uint64_t gri_hash_bytes(const void *data, size_t len, uint64_t seed)
{
    const unsigned char *p = data;
    uint64_t h = seed ^ (len * UINT64_C(0x9e3779b97f4a7c15));
    uint64_t word;

    for (; len >= 8; p += 8, len -= 8) {
        memcpy(&word, p, 8);
        h = mix(h ^ word) + UINT64_C(0x9e3779b97f4a7c15);
    }
    word = 0;
    if (len != 0)
        memcpy(&word, p, len);
    return mix(h ^ word);
}

void gri_map_init(struct gri_map *m, uint64_t seed)
{
    *m = (struct gri_map){ .seed = seed };
}

void gri_map_fini(struct gri_map *m)
{
    for (size_t i = 0; i < m->cap; i++)
        gri_free(m->slots[i].name);
    gri_free(m->slots);
    *m = (struct gri_map){ .seed = m->seed };
}

static uint64_t hash_of(const struct gri_map *m, uint64_t key, const char *name)
{
    uint64_t h = name != NULL ? gri_hash_bytes(name, strlen(name), m->seed) : mix(key ^ m->seed);

    return h != 0 ? h : 1;
}

/* find returns the slot that holds the key, or the empty one where it would go. cap != 0. */
static struct gri_map_slot *find(const struct gri_map *m, uint64_t hash, uint64_t key,
                                 const char *name)
{
    size_t mask = m->cap - 1;

    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        struct gri_map_slot *s = &m->slots[i];

        if (s->hash == 0)
            return s;
        if (s->hash != hash || (s->name == NULL) != (name == NULL))
            continue;
        if (name != NULL ? strcmp(s->name, name) == 0 : s->key == key)
            return s;
    }
}

static bool grow(struct gri_map *m)
{
    struct gri_map bigger = *m;

    bigger.cap = m->cap != 0 ? m->cap * 2 : 8;
    bigger.slots = gri_alloc_array(bigger.cap, sizeof(*bigger.slots));
    if (bigger.slots == NULL)
        return false;
    for (size_t i = 0; i < m->cap; i++) {
        const struct gri_map_slot *s = &m->slots[i];

        if (s->hash != 0)
            *find(&bigger, s->hash, s->key, s->name) = *s;
    }
    gri_free(m->slots);
    *m = bigger;
    return true;
}

static bool put(struct gri_map *m, uint64_t key, const char *name, void *value)
{
    uint64_t hash = hash_of(m, key, name);
    struct gri_map_slot *s;
    char *copy = NULL;

    if (m->count + 1 > m->cap / 4 * 3 && !grow(m))
        return false;
    s = find(m, hash, key, name);
    if (s->hash != 0) {
        s->value = value;
        return true;
    }
    if (name != NULL && (copy = gri_strdup(name)) == NULL)
        return false;
    *s = (struct gri_map_slot){ .hash = hash, .name = copy, .key = key, .value = value };
    m->count++;
    return true;
}

static void *get(const struct gri_map *m, uint64_t key, const char *name)
{
    struct gri_map_slot *s;

    if (m->count == 0)
        return NULL;
    s = find(m, hash_of(m, key, name), key, name);
    return s->hash != 0 ? s->value : NULL;
}

/* Close the gap at i: whatever probed past it moves back, so that no tombstones are needed. */
static void shift_back(struct gri_map *m, size_t i)
{
    size_t mask = m->cap - 1;

    for (size_t j = (i + 1) & mask; m->slots[j].hash != 0; j = (j + 1) & mask) {
        size_t home = m->slots[j].hash & mask;

        if (((j - home) & mask) >= ((j - i) & mask)) {
            m->slots[i] = m->slots[j];
            i = j;
        }
    }
    m->slots[i] = (struct gri_map_slot){ .hash = 0 };
}

static void *del(struct gri_map *m, uint64_t key, const char *name)
{
    struct gri_map_slot *s;
    void *value;

    if (m->count == 0)
        return NULL;
    s = find(m, hash_of(m, key, name), key, name);
    if (s->hash == 0)
        return NULL;
    value = s->value;
    gri_free(s->name);
    m->count--;
    shift_back(m, (size_t)(s - m->slots));
    return value;
}

bool gri_map_put(struct gri_map *m, uint64_t key, void *value)
{
    return put(m, key, NULL, value);
}

void *gri_map_get(const struct gri_map *m, uint64_t key)
{
    return get(m, key, NULL);
}

void *gri_map_del(struct gri_map *m, uint64_t key)
{
    return del(m, key, NULL);
}

bool gri_map_puts(struct gri_map *m, const char *name, void *value)
{
    return put(m, 0, name, value);
}

void *gri_map_gets(const struct gri_map *m, const char *name)
{
    return get(m, 0, name);
}

void *gri_map_dels(struct gri_map *m, const char *name)
{
    return del(m, 0, name);
}

const struct gri_map_slot *gri_map_next(const struct gri_map *m, size_t *at)
{
    while (*at < m->cap) {
        const struct gri_map_slot *s = &m->slots[(*at)++];

        if (s->hash != 0)
            return s;
    }
    return NULL;
}
