/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inspect.c - looks at actors that go on meanwhile.
 *
 * Slots of actors are memory for ever, so all of them may be looked at; a pin keeps the one that is
 * found until all is read, as it keeps it for who brings a call. What is read is atomic, or fixed
 * since before the actor's id was published, or under its tie_lock.
 */
#include "runtime/actor/inspect.h"

#include <stdio.h>
#include <string.h>

#include "runtime/actor/runtime_impl.h"
#include "runtime/actor/tie.h"
#include "runtime/base/alloc.h"
#include "runtime/base/log.h"
#include "runtime/base/utf8.h"

#define SLOTS_AT_ONCE 65536u
#define NO_AGE (-1)

const char *gr_actor_state_name(gr_actor_state state)
{
    static const char *const names[] = { "starting", "idle",     "running",
                                         "waiting",  "stopping", "failed" };

    return (unsigned)state < sizeof(names) / sizeof(names[0]) ? names[state] : "?";
}

/* ---- texts ----------------------------------------------------------------------------------- */

/* cut copies what fits, and never half a character. */
static void cut(char *to, size_t cap, const char *text)
{
    size_t len = strlen(text);

    if (len >= cap)
        len = gri_utf8_valid_len(text, cap - 1);
    memcpy(to, text, len);
    to[len] = '\0';
}

gr_value *gri_reason_text(const gr_value *reason)
{
    gr_code code = gr_error_code(reason);
    char whole[512], text[GR_LAST_EXIT_MAX + 1];
    gr_value *v;

    if (code != GR_OK)
        snprintf(whole, sizeof(whole), "%s: %s", gr_code_name(code), gr_error_text(reason));
    else
        snprintf(whole, sizeof(whole), "%s", gr_cstr(reason, "a reason of its own"));
    gri_one_line(whole);
    cut(text, sizeof(text), whole);
    v = gr_str(text);
    if (gr_error_code(v) == GR_OK)
        return v;
    gr_value_unref(v);
    return NULL;
}

/* ---- origins --------------------------------------------------------------------------------- */

void gri_birth_free(struct gri_birth *o)
{
    if (o != NULL)
        gr_value_unref(o->last_exit);
    gri_free(o);
}

void gri_birth_note(gr_runtime *rt, gr_ref child, const struct gri_birth *origin)
{
    struct gri_birth *o = child.node == rt->node ? gri_new0(struct gri_birth) : NULL;
    struct gri_actor *a = o != NULL ? gri_actor_pin_id(rt, child.id, true) : NULL;
    struct gri_rare *r = a != NULL ? gri_rare_make(a) : NULL;

    if (r != NULL) {
        struct gri_birth *before;

        *o = *origin;
        gr_value_ref(o->last_exit);
        gri_lock(&a->tie_lock);
        before = r->origin;
        r->origin = o;
        gri_unlock(&a->tie_lock);
        o = before;
    }
    if (a != NULL)
        gri_actor_unpin(a);
    gri_birth_free(o);
}

/* ---- one actor ------------------------------------------------------------------------------- */

/* state_of: a's tie_lock is held. calls: that others have brought, and that have not ended. */
static gr_actor_state state_of(const struct gri_actor *a, uint64_t calls)
{
    uint32_t flags = atomic_load(&a->flags);
    struct gri_envelope *top = gri_inbox_top(atomic_load(&a->inbox.head));

    if ((flags & GRI_FAILED) != 0)
        return GR_ACTOR_FAILED;
    if ((flags & GRI_STOPPING) != 0)
        return GR_ACTOR_STOPPING;
    if ((flags & GRI_READY) == 0)
        return GR_ACTOR_STARTING;
    if (a->waits != NULL)
        return GR_ACTOR_WAITING;
    if (top != GRI_IDLE)
        return GR_ACTOR_RUNNING;
    if (a->deferred != NULL)
        return GR_ACTOR_WAITING;
    return calls > 0 ? GR_ACTOR_RUNNING : GR_ACTOR_IDLE;
}

static void read_rare(const struct gri_actor *a, const struct gri_rare *r, gr_actor_info *info)
{
    const struct gri_birth *o = r->origin;
    const char *name = gri_name_of_locked(a);

    if (name == NULL)
        name = r->name;
    if (name != NULL)
        cut(info->name, sizeof(info->name), name);
    info->links = r->links.count;
    info->monitors = r->monitors.count;
    info->ties = r->tie_count;
    if (o == NULL)
        return;
    info->supervisor = o->supervisor;
    info->restarts = o->restarts;
    info->age_ms = (int64_t)((gri_now(a->rt) - o->born_ns) / 1000000);
    cut(info->last_exit, sizeof(info->last_exit), gr_cstr(o->last_exit, ""));
}

/* read_actor: the caller has a pin. */
static void read_actor(struct gri_actor *a, uint64_t id, gr_actor_info *info)
{
    const struct gri_klass *k = atomic_load_explicit(&a->klass, memory_order_relaxed);
    const struct gri_rare *r = gri_actor_rare(a);
    uint64_t load = gri_actor_load(a);
    uint64_t pins = gri_load_pins(load), own = (load & GRI_LOAD_DRAINED) == 0 ? 2 : 1;

    *info =
        (gr_actor_info){ .size = sizeof(*info),
                         .ref = { .node = a->rt->node, .id = id },
                         .class_name = k->cls->name != NULL ? k->cls->name : "",
                         .mailbox = gri_load_places(load),
                         .mailbox_max = gri_actor_mailbox_max(a),
                         .handled = atomic_load_explicit(&a->turn.handled, memory_order_relaxed),
                         .counts = !k->stateless,
                         .calls = pins > own ? pins - own : 0, /* ours, and the actor's */
                         .state_bytes = k->cls->state_size,
                         .age_ms = NO_AGE };
    gri_lock(&a->tie_lock);
    info->state = state_of(a, info->calls);
    if (r != NULL)
        read_rare(a, r, info);
    gri_unlock(&a->tie_lock);
}

/* look_at pins and reads; false: it has ended. */
static bool look_at(gr_runtime *rt, uint64_t id, gr_actor_info *info)
{
    struct gri_actor *a = gri_actor_pin_id(rt, id, false);

    if (a == NULL)
        return false;
    read_actor(a, id, info);
    gri_actor_unpin(a);
    return true;
}

gr_code gr_inspect_actor(gr_runtime *rt, gr_ref who, gr_actor_info *info)
{
    gr_actor_info all;

    if (rt == NULL || info == NULL || info->size < sizeof(info->size))
        return GR_EINVAL;
    if (who.node != rt->node)
        return who.node == 0 ? GR_EDEAD : GR_EUNREACH;
    if (!look_at(rt, who.id, &all))
        return GR_EDEAD;
    all.size = info->size;
    memcpy(info, &all, info->size < sizeof(all) ? info->size : sizeof(all));
    return GR_OK;
}

gr_value *gri_inspect_names(gr_runtime *rt, gr_ref who)
{
    struct gri_actor *a = who.node == rt->node ? gri_actor_pin_id(rt, who.id, false) : NULL;
    gr_value *names;

    if (a == NULL)
        return gr_nil();
    names = gri_names_list(a);
    gri_actor_unpin(a);
    return names;
}

/* ---- all of them ----------------------------------------------------------------------------- */

size_t gr_inspect_actors(gr_runtime *rt, uint64_t *cursor, size_t max, gr_inspect_fn *fn, void *arg)
{
    struct gri_registry *r;
    uint64_t slot, end;
    size_t shown = 0;
    uint32_t used;
    bool more = true;

    if (rt == NULL || cursor == NULL || fn == NULL)
        return 0;
    r = &rt->registry;
    slot = *cursor;
    gri_lock(&r->lock);
    used = r->used;
    gri_unlock(&r->lock);
    end = slot + SLOTS_AT_ONCE < used ? slot + SLOTS_AT_ONCE : used;
    for (; slot < end && shown < max && more; slot++) {
        struct gri_actor *a = gri_registry_find(r, slot);
        uint64_t id = a != NULL ? atomic_load(&a->id) : 0;
        gr_actor_info info;

        if (id == 0 || !look_at(rt, id, &info))
            continue;
        shown++;
        more = fn(arg, &info);
    }
    *cursor = slot < used ? slot : 0;
    return shown;
}
