/* SPDX-License-Identifier: Apache-2.0 */
/* map_test.c - the hash map, against a plain array that does the same. */
#include <stdio.h>
#include <string.h>

#include "runtime/base/map.h"
#include "tests/support/memory.h"
#include "tests/support/test.h"

#define KEYS 64

static uint64_t seed_state;

static uint32_t draw(uint32_t below)
{
    seed_state = seed_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(seed_state >> 33) % below;
}

static void check_against(const struct gri_map *m, void *const *want)
{
    const struct gri_map_slot *s;
    size_t at = 0, seen = 0, count = 0;

    for (uint64_t k = 0; k < KEYS; k++) {
        cr_assert_eq(gri_map_get(m, k), want[k]);
        count += want[k] != NULL;
    }
    while ((s = gri_map_next(m, &at)) != NULL) {
        cr_assert_eq(s->value, want[s->key]);
        seen++;
    }
    cr_assert_eq(m->count, count);
    cr_assert_eq(seen, count);
}

Test(map, does_what_an_array_does)
{
    static int values[KEYS];

    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct gri_map m;
        void *want[KEYS] = { NULL };

        seed_state = seed;
        gri_map_init(&m, seed);
        for (int i = 0; i < 400; i++) {
            uint64_t k = draw(KEYS);

            if (draw(2)) {
                want[k] = &values[draw(KEYS)];
                cr_assert(gri_map_put(&m, k, want[k]));
            } else {
                cr_assert_eq(gri_map_del(&m, k), want[k]);
                want[k] = NULL;
            }
            if (i % 50 == 0)
                check_against(&m, want);
        }
        check_against(&m, want);
        gri_map_fini(&m);
    }
}

Test(map, names_are_copied_and_told_apart)
{
    struct gri_map m;
    char name[32];
    int values[200];

    gri_map_init(&m, 7);
    for (int i = 0; i < 200; i++) {
        snprintf(name, sizeof(name), "name %d", i);
        cr_assert(gri_map_puts(&m, name, &values[i]));
    }
    for (int i = 0; i < 200; i += 2) {
        snprintf(name, sizeof(name), "name %d", i);
        cr_assert_eq(gri_map_dels(&m, name), &values[i]);
        cr_assert_null(gri_map_dels(&m, name));
    }
    for (int i = 0; i < 200; i++) {
        snprintf(name, sizeof(name), "name %d", i);
        cr_assert_eq(gri_map_gets(&m, name), i % 2 ? &values[i] : NULL);
    }
    cr_assert(gri_map_puts(&m, "name 1", &values[0]));
    cr_assert_eq(gri_map_gets(&m, "name 1"), &values[0]);
    cr_assert_eq(m.count, 100);
    gri_map_fini(&m);
}

Test(map, an_empty_map_has_nothing)
{
    struct gri_map m;
    size_t at = 0;

    gri_map_init(&m, 0);
    cr_assert_null(gri_map_get(&m, 1));
    cr_assert_null(gri_map_del(&m, 1));
    cr_assert_null(gri_map_gets(&m, "a"));
    cr_assert_null(gri_map_next(&m, &at));
    gri_map_fini(&m);
}

/* A seed that isn't known is all that keeps a peer from choosing keys that collide. */
Test(map, the_seed_changes_the_hash)
{
    cr_assert_neq(gri_hash_bytes("abcdefghij", 10, 1), gri_hash_bytes("abcdefghij", 10, 2));
    cr_assert_neq(gri_hash_bytes("a", 1, 1), gri_hash_bytes("a\0", 2, 1));
}

Test(map, every_failed_allocation_leaves_the_map_as_it_was)
{
    long before = test_memory_live();

    for (long n = 1;; n++) {
        struct gri_map m;
        char name[32];
        size_t put = 0;
        bool reached;

        gri_map_init(&m, 3);
        test_memory_fail_at(n);
        for (int i = 0; i < 20; i++) {
            snprintf(name, sizeof(name), "%d", i);
            put += gri_map_puts(&m, name, &m);
        }
        reached = test_memory_reached();
        cr_assert_eq(m.count, put);
        cr_assert_eq(put, reached ? 19u : 20u);
        gri_map_fini(&m);
        cr_assert_eq(test_memory_live(), before);
        if (!reached)
            break;
    }
}
