/* SPDX-License-Identifier: Apache-2.0 */
/* tie.c - an actor's tables of links and monitors, and their locks: see tie.h. And the block of rare
 * things in which they are: see actor.h. */
#include "runtime/actor/tie.h"

#include "runtime/actor/elsewhere.h"
#include "runtime/actor/inspect.h"
#include "runtime/actor/runtime_impl.h"
#include "runtime/base/alloc.h"

void gri_lock_pair(struct gri_actor *a, struct gri_actor *b)
{
    struct gri_actor *low = a->slot < b->slot ? a : b;

    gri_lock(&low->tie_lock);
    if (a != b)
        gri_lock(low == a ? &b->tie_lock : &a->tie_lock);
}

void gri_unlock_pair(struct gri_actor *a, struct gri_actor *b)
{
    gri_unlock(&a->tie_lock);
    if (a != b)
        gri_unlock(&b->tie_lock);
}

/* ---- what few actors need -------------------------------------------------------------------- */

static struct gri_rare *rare_new(void)
{
    struct gri_rare *r = gri_new0(struct gri_rare);

    if (r == NULL)
        return NULL;
    r->terminate_ms = GRI_TERMINATE_MS;
    r->ties_max = GRI_TIES_MAX;
    gri_list_init(&r->room);
    gri_list_init(&r->thens);
    gri_list_init(&r->watchers);
    gri_list_init(&r->names);
    return r;
}

/* rare_set gives r to an actor that can't end meanwhile; false: somebody was faster. */
static bool rare_set(struct gri_actor *a, struct gri_rare *r)
{
    struct gri_rare *none = NULL;

    r->stash_max = gri_actor_mailbox_max(a);
    /* release: pairs with gri_actor_rare */
    return atomic_compare_exchange_strong(&a->rare, &none, r);
}

struct gri_rare *gri_rare_make(struct gri_actor *a)
{
    struct gri_rare *r = gri_actor_rare(a);

    if (r != NULL)
        return r;
    r = rare_new();
    if (r == NULL || rare_set(a, r))
        return r;
    gri_free(r);
    return gri_actor_rare(a);
}

void gri_rare_free(struct gri_actor *a)
{
    struct gri_rare *r;

    if (gri_actor_rare(a) == NULL)
        return;
    gri_lock(&a->tie_lock); /* see gri_actor_wake_senders */
    r = gri_actor_rare(a);
    atomic_store_explicit(&a->rare, NULL, memory_order_relaxed);
    gri_unlock(&a->tie_lock);
    gri_map_fini(&r->links);
    gri_map_fini(&r->monitors);
    gri_free(r->name);
    gr_value_unref(r->callbacks);
    gri_free(r->bounds);
    gri_birth_free(r->origin);
    gri_free(r->stash); /* empty: the turn has refused what was in it */
    gri_free(r);
}

bool gri_ties_ready(struct gri_actor *a, uint64_t id)
{
    struct gri_rare *r;
    bool there;

    gri_lock(&a->tie_lock);
    there = gri_actor_rare(a) != NULL || !gri_is_live(a, id);
    gri_unlock(&a->tie_lock);
    if (there)
        return true;
    r = rare_new();
    if (r == NULL)
        return false;
    gri_lock(&a->tie_lock);
    if (gri_is_live(a, id) && rare_set(a, r))
        r = NULL;
    gri_unlock(&a->tie_lock);
    gri_free(r);
    return true;
}

bool gri_tie_is_far(const struct gri_actor *a, uint64_t id)
{
    const struct gri_klass *k;

    if (a == NULL || id == 0 || atomic_load(&a->id) != id)
        return false;
    k = atomic_load(&a->klass);
    return k->cls == gri_far.named || k->cls == gri_far.lent;
}

void gri_tie_left(gr_runtime *rt, const struct gri_actor *a, uint64_t id)
{
    if (id != 0 && atomic_load(&a->id) == id &&
        ((const struct gri_klass *)atomic_load(&a->klass))->cls == gri_far.stand_in)
        gri_far.leave(rt, (gr_ref){ .node = rt->node, .id = id });
}

const gr_value *gri_past_reason_locked(gr_runtime *rt, const struct gri_actor *a, uint64_t id)
{
    if (atomic_load(&a->id) == id && (atomic_load(&a->flags) & GRI_FAILED) != 0 &&
        a->reason != NULL)
        return a->reason;
    return rt->reasons.noproc;
}

gr_code gri_tie_target(gr_runtime *rt, gr_ref ref, struct gri_actor **ret_actor)
{
    gr_value *err;
    gr_code rc;

    *ret_actor = NULL;
    if (ref.node == rt->node) {
        /* one that has another id now never has this one again; and while it has, it is set up */
        *ret_actor = gri_registry_find(&rt->registry, ref.id);
        if (*ret_actor != NULL && (ref.id == 0 || atomic_load(&(*ret_actor)->id) != ref.id))
            *ret_actor = NULL;
        return GR_OK;
    }
    err = gri_ref_error(rt, ref);
    rc = gr_error_code(err);
    gr_value_unref(err);
    return rc;
}
