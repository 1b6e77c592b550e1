/* SPDX-License-Identifier: Apache-2.0 */
/* verb_test.c - verbs as numbers. */
#include <stdio.h>

#include "runtime/actor/verb.h"

#include "tests/support/memory.h"
#include "tests/support/test.h"

static struct gri_verbs verbs;

Test(verb, the_runnable_verbs_have_fixed_numbers)
{
    cr_assert_eq(gri_verbs_init(&verbs, 1, 9), GR_OK);
    cr_assert_eq(gri_verb_id(&verbs, "invoke"), GRI_INVOKE);
    cr_assert_eq(gri_verb_id(&verbs, "stream"), GRI_STREAM);
    cr_assert_eq(gri_verb_id(&verbs, "transform"), GRI_TRANSFORM);
    cr_assert_eq(gri_verb_id(&verbs, "batch"), GRI_BATCH);
    cr_assert_eq(gri_verb_id(&verbs, "embed_query"), GRI_VERB_FIRST);
    gri_verbs_fini(&verbs);
}

Test(verb, a_name_keeps_its_number_and_the_numbers_are_bounded)
{
    long before = test_memory_live();
    char name[32];
    int count = 0;

    cr_assert_eq(gri_verbs_init(&verbs, 99, 9), GR_OK);
    for (int i = 0; i < 3000; i++) {
        uint16_t id;

        snprintf(name, sizeof(name), "verb %d", i);
        id = gri_verb_id(&verbs, name);
        count += id != GRI_VERB_NONE;
        if (id == GRI_VERB_NONE)
            continue;
        cr_assert_eq(gri_verb_id(&verbs, name), id);
        cr_assert_str_eq(gri_verb_name(&verbs, id), name);
    }
    cr_assert_eq(count, GRI_VERBS_MAX - GRI_VERB_FIRST);
    cr_assert_eq(gri_verb_id(&verbs, "one more"), GRI_VERB_NONE);
    cr_assert_eq(gri_verb_id(&verbs, "verb 7"), GRI_VERB_FIRST + 7);
    cr_assert_str_eq(gri_verb_name(&verbs, GRI_VERB_NONE), "?");
    cr_assert_str_eq(gri_verb_name(&verbs, 65535), "?");
    gri_verbs_fini(&verbs);
    cr_assert_eq(test_memory_live(), before);
}

Test(verb, peers_may_bring_only_so_many)
{
    char name[32];
    int learnt = 0;

    cr_assert_eq(gri_verbs_init(&verbs, 7, 9), GR_OK);
    cr_assert_eq(gri_verb_learn(&verbs, "invoke"), GRI_INVOKE, "what is known is no news");
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof(name), "verb %d", i);
        learnt += gri_verb_learn(&verbs, name) != GRI_VERB_NONE;
    }
    cr_assert_eq(learnt, 9);
    cr_assert_neq(gri_verb_learn(&verbs, "verb 3"), GRI_VERB_NONE);
    cr_assert_neq(gri_verb_id(&verbs, "our own"), GRI_VERB_NONE);
    cr_assert_neq(gri_verb_learn(&verbs, "our own"), GRI_VERB_NONE);
    gri_verbs_fini(&verbs);
}

/* In the plain mode all tests run in one process. */
static void start_afresh(void)
{
    verbs = (struct gri_verbs){ .count = 0 };
}

TestSuite(verb, .init = start_afresh);
