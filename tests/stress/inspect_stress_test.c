/* SPDX-License-Identifier: Apache-2.0 */
/* inspect_stress_test.c - actors are looked at all the time while others are born, named, linked, told, called and
 * stopped: nobody is seen twice in a walk, and nothing is left. */
#include <stdio.h>

#include <greenroom/inspect.h>
#include <greenroom/link.h>
#include <greenroom/name.h>
#include <greenroom/supervisor.h>

#include "runtime/base/thread.h"

#include "tests/support/engine.h"

TestSuite(inspect_stress, .init = engine_up, .fini = engine_down);

#define ROUNDS 400
#define CROWD 20

static _Atomic bool done;
static _Atomic long walks;

static void hear(gr_ctx *c, void *self, const gr_value *msg)
{
    (void)self;
    if (gr_is_nil(msg))
        gr_value_unref(gr_exit(c, gr_error(GR_EREMOTE, "told to crash")));
}

static gr_value *answer(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    if (gr_as_int(args, 0) % 3 == 0)
        (void)gr_sleep(gr_runtime_of(c), 0);
    return gr_value_ref(args);
}

static const gr_method methods[] = { { "invoke", GR_ASYNC, answer, NULL } };
static const gr_class cls =
    GR_CLASS(.name = "churned", .state_size = 8, .receive = hear, GR_METHODS(methods));

static bool look(void *arg, const gr_actor_info *info)
{
    uint64_t *last = arg, slot = info->ref.id & 0xffffff;

    cr_assert(*last == 0 || slot + 1 > *last, "a slot twice in one walk");
    *last = slot + 1;
    cr_assert_not_null(info->class_name);
    cr_assert_lt(strlen(info->name), sizeof(info->name));
    cr_assert_leq((unsigned)info->state, (unsigned)GR_ACTOR_FAILED);
    return true;
}

static void *walk(void *arg)
{
    (void)arg;
    while (!atomic_load(&done)) {
        uint64_t cursor = 0, last = 0;

        do
            gr_inspect_actors(rt, &cursor, 50, look, &last);
        while (cursor != 0);
        atomic_fetch_add(&walks, 1);
    }
    return NULL;
}

static void churn(int round)
{
    gr_scope *s = gr_scope_new(root);
    gr_ref all[CROWD];
    gr_future *answers[CROWD];
    char name[32];

    for (int i = 0; i < CROWD; i++) {
        all[i] = gr_spawn(s, &cls, GR_SPAWN(.name = i % 2 == 0 ? "even" : NULL));
        (void)snprintf(name, sizeof(name), "name %d", i % 7);
        if (i % 3 == 0)
            (void)gr_register(rt, name, all[i]); /* which others may have */
        cr_assert_eq(gr_tell(rt, all[i], gr_int(round)), GR_OK);
        answers[i] = gr_ainvoke(rt, all[i], gr_int(i), NULL);
    }
    for (int i = 0; i < CROWD; i += 4)
        (void)gr_tell(rt, all[i], gr_nil());
    for (int i = 1; i < CROWD; i += 4)
        (void)gr_exit_to(rt, all[i], gr_str("kill"));
    for (int i = 0; i < CROWD; i++)
        gr_future_free(answers[i]);
    gr_scope_free(s);
}

Test(inspect_stress, looks_while_actors_come_and_go)
{
    const gr_child_spec child = GR_CHILD(.id = "child", .cls = &cls, .name = "child");
    struct gri_thread walkers[2];

    gr_supervisor(root, GR_SUPERVISOR(.children = &child, .child_count = 1, .intensity = 1000000));
    atomic_store(&done, false);
    for (int i = 0; i < 2; i++)
        cr_assert_eq(gri_thread_start(&walkers[i], "walker", walk, NULL), GR_OK);
    for (int i = 0; i < ROUNDS; i++) {
        gr_ref c = gr_whereis(rt, "child");

        churn(i);
        if (c.id != 0)
            (void)gr_tell(rt, c, gr_nil());
    }
    until(atomic_load(&walks) > 2);
    atomic_store(&done, true);
    for (int i = 0; i < 2; i++)
        gri_thread_join(&walkers[i]);
}
