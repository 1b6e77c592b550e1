/* SPDX-License-Identifier: Apache-2.0 */
/* overtime.c - handlers that hold their worker for too long: whose they are, and what their actor's
 * options say. On the monitor's thread. */
#include <stdio.h>

#include "runtime/actor/bounds.h"
#include "runtime/actor/runtime_impl.h"
#include "runtime/sched/watchdog.h"

static gr_runtime *runtime_of(struct gri_sched *s)
{
    return gri_container_of(s, gr_runtime, sched);
}

static uint64_t limit(struct gri_sched *s, uint64_t who)
{
    struct gri_actor *a = gri_actor_pin_id(runtime_of(s), who, true);
    const struct gri_bounds *b;
    uint64_t ns = s->watch.report_ns;

    if (a == NULL)
        return ns;
    b = gri_actor_bounds(a);
    if (b != NULL && b->handler_ns != 0)
        ns = b->handler_ns;
    gri_actor_unpin(a);
    return ns;
}

static void overtime(struct gri_sched *s, uint64_t who, char name[64])
{
    struct gri_actor *a = gri_actor_pin_id(runtime_of(s), who, true);
    const struct gri_bounds *b;

    if (a == NULL)
        return;
    snprintf(name, 64, "%s", gri_actor_name(a));
    b = gri_actor_bounds(a);
    if (b != NULL && b->kill_overtime)
        gri_actor_condemn(a, GRI_OVERTIME);
    gri_actor_unpin(a);
}

/* name takes no lock and no pin: the actor's handler runs in the thread that asks, so it lives. */
static const char *name(struct gri_sched *s, uint64_t who)
{
    const struct gri_actor *a = gri_registry_find(&runtime_of(s)->registry, who);

    return a != NULL && atomic_load(&a->id) == who ? gri_actor_name(a) : NULL;
}

const struct gri_watch_ops gri_actor_watch = { .limit = limit, .overtime = overtime, .name = name };
