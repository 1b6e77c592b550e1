/* SPDX-License-Identifier: Apache-2.0 */
/* registry_test.c - slots, generations, and refs that are stale. */
#include "runtime/actor/actor.h"
#include "runtime/actor/registry.h"

#include "tests/support/memory.h"
#include "tests/support/test.h"

#define GENERATION (UINT64_C(1) << GRI_SLOT_BITS)

Test(registry, hands_out_slots_up_to_its_bound)
{
    struct gri_registry r;
    long before = test_memory_live();
    uint64_t id = 0, last = 0;

    cr_assert_eq(gri_registry_init(&r, 3000, 0), GR_OK);
    for (int i = 0; i < 3000; i++) {
        struct gri_actor *a = gri_registry_take(&r, GRI_NO_SHELF, &id);

        cr_assert_not_null(a);
        cr_assert_neq(id, last);
        cr_assert_eq(gri_registry_find(&r, id), a);
        last = id;
    }
    cr_assert_null(gri_registry_take(&r, GRI_NO_SHELF, &id));
    gri_registry_fini(&r);
    gri_registry_fini(&r);
    cr_assert_eq(test_memory_live(), before);
}

Test(registry, slots_come_back_first_in_first_out_under_the_next_generation)
{
    struct gri_registry r;
    struct gri_actor *a[3], *b;
    uint64_t id[3], again = 0;

    gri_registry_init(&r, 3, 0);
    for (int i = 0; i < 3; i++)
        a[i] = gri_registry_take(&r, GRI_NO_SHELF, &id[i]);
    for (int i = 2; i >= 0; i--)
        gri_registry_give(&r, GRI_NO_SHELF, a[i], id[i]);
    for (int i = 2; i >= 0; i--) {
        b = gri_registry_take(&r, GRI_NO_SHELF, &again);
        cr_assert_eq(b, a[i]);
        cr_assert_eq(again, id[i] + GENERATION);
    }
    gri_registry_fini(&r);
}

Test(registry, a_slot_whose_generations_are_used_up_is_retired)
{
    struct gri_registry r;
    uint64_t id = 0, last;
    struct gri_actor *a;

    gri_registry_init(&r, 1, 0);
    a = gri_registry_take(&r, GRI_NO_SHELF, &id);
    last = (id & (GENERATION - 1)) | ((UINT64_C(1) << 35) - 1) * GENERATION;
    gri_registry_give(&r, GRI_NO_SHELF, a, last - GENERATION);
    cr_assert_eq(gri_registry_take(&r, GRI_NO_SHELF, &id), a);
    cr_assert_eq(id, last);
    gri_registry_give(&r, GRI_NO_SHELF, a, id);
    cr_assert_null(gri_registry_take(&r, GRI_NO_SHELF, &id));
    gri_registry_fini(&r);
}

Test(registry, finds_nothing_where_no_slot_was)
{
    struct gri_registry r;

    gri_registry_init(&r, 5000, 0);
    cr_assert_null(gri_registry_find(&r, 0));
    cr_assert_null(gri_registry_find(&r, ~UINT64_C(0)));
    gri_registry_fini(&r);
}

/* Each slot is handed out once, whoever asks, and comes back by whatever shelf. */
Test(registry, shelves_pass_slots_on_by_the_bundle)
{
    enum { MAX = 4096, TAKEN = 300 };
    struct gri_registry r;
    struct gri_actor *a[TAKEN];
    uint64_t id[TAKEN], again = 0;

    gri_registry_init(&r, MAX, 2);
    for (int i = 0; i < TAKEN; i++) {
        a[i] = gri_registry_take(&r, (uint32_t)i % 3, &id[i]); /* 2 is none */
        for (int j = 0; j < i; j++)
            cr_assert_neq(a[j], a[i]);
    }
    for (int i = 0; i < TAKEN; i++)
        gri_registry_give(&r, 0, a[i], id[i]);
    /* the first bundles have gone on, and are found by another worker, in order */
    for (int i = 0; i < GRI_SLOT_BUNDLE; i++) {
        cr_assert_eq(gri_registry_take(&r, GRI_NO_SHELF, &again), a[i]);
        cr_assert_eq(again, id[i] + GENERATION);
    }
    gri_registry_fini(&r);
}

Test(registry, a_shelf_hands_out_first_what_came_back_first)
{
    struct gri_registry r;
    struct gri_actor *a[40];
    uint64_t id[40], again = 0;

    gri_registry_init(&r, 4096, 1);
    for (int i = 0; i < 40; i++)
        a[i] = gri_registry_take(&r, 0, &id[i]);
    for (int i = 0; i < 40; i++)
        gri_registry_give(&r, 0, a[i], id[i]);
    for (int i = 0; i < 40; i++) {
        /* the fresh ones that are left come before the last bundle, which is not full */
        for (int j = 40; i == GRI_SLOT_BUNDLE && j < 2 * GRI_SLOT_BUNDLE; j++)
            cr_assert_eq(gri_registry_take(&r, 0, &again) - a[0], j);
        cr_assert_eq(gri_registry_take(&r, 0, &again), a[i]);
    }
    gri_registry_fini(&r);
}

/* Where the bound is small it is exact: nothing lies on shelves. */
Test(registry, small_bounds_have_no_shelves)
{
    struct gri_registry r;
    uint64_t id = 0;

    gri_registry_init(&r, 100, 2);
    for (int i = 0; i < 100; i++)
        cr_assert_not_null(gri_registry_take(&r, (uint32_t)i % 2, &id));
    cr_assert_null(gri_registry_take(&r, 0, &id));
    gri_registry_fini(&r);
}
