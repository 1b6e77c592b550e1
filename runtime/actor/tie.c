/* SPDX-License-Identifier: Apache-2.0 */
/* tie.c - an actor's tables of links and monitors, and their locks. See tie.h. */
#include "runtime/actor/tie.h"

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

bool gri_ties_make(struct gri_actor *a, uint64_t id)
{
    struct gri_ties *t;
    bool there;

    gri_lock(&a->tie_lock);
    there = a->ties != NULL;
    gri_unlock(&a->tie_lock);
    if (there)
        return true;
    t = gri_new0(struct gri_ties);
    if (t == NULL)
        return false;
    gri_list_init(&t->watchers);
    gri_list_init(&t->names);
    gri_lock(&a->tie_lock);
    if (a->ties == NULL && gri_is_live(a, id)) {
        a->ties = t;
        t = NULL;
    }
    gri_unlock(&a->tie_lock);
    gri_free(t);
    return true;
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
        *ret_actor = gri_registry_find(&rt->registry, ref.id);
        return GR_OK;
    }
    err = gri_ref_error(rt, ref);
    rc = gr_error_code(err);
    gr_value_unref(err);
    return rc;
}
