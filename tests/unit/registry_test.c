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

    cr_assert_eq(gri_registry_init(&r, 3000), GR_OK);
    for (int i = 0; i < 3000; i++) {
        struct gri_actor *a = gri_registry_take(&r, &id);

        cr_assert_not_null(a);
        cr_assert_neq(id, last);
        cr_assert_eq(gri_registry_find(&r, id), a);
        last = id;
    }
    cr_assert_null(gri_registry_take(&r, &id));
    gri_registry_fini(&r);
    gri_registry_fini(&r);
    cr_assert_eq(test_memory_live(), before);
}

Test(registry, slots_come_back_first_in_first_out_under_the_next_generation)
{
    struct gri_registry r;
    struct gri_actor *a[3], *b;
    uint64_t id[3], again = 0;

    gri_registry_init(&r, 3);
    for (int i = 0; i < 3; i++)
        a[i] = gri_registry_take(&r, &id[i]);
    for (int i = 2; i >= 0; i--)
        gri_registry_give(&r, a[i], id[i]);
    for (int i = 2; i >= 0; i--) {
        b = gri_registry_take(&r, &again);
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

    gri_registry_init(&r, 1);
    a = gri_registry_take(&r, &id);
    last = (id & (GENERATION - 1)) | ((UINT64_C(1) << 35) - 1) * GENERATION;
    gri_registry_give(&r, a, last - GENERATION);
    cr_assert_eq(gri_registry_take(&r, &id), a);
    cr_assert_eq(id, last);
    gri_registry_give(&r, a, id);
    cr_assert_null(gri_registry_take(&r, &id));
    gri_registry_fini(&r);
}

Test(registry, finds_nothing_where_no_slot_was)
{
    struct gri_registry r;

    gri_registry_init(&r, 5000);
    cr_assert_null(gri_registry_find(&r, 0));
    cr_assert_null(gri_registry_find(&r, ~UINT64_C(0)));
    gri_registry_fini(&r);
}
