/* SPDX-License-Identifier: Apache-2.0 */
/* bond.c - links: two actors that end together. See tie.h. */
#include "runtime/actor/ctx.h"
#include "runtime/actor/elsewhere.h"
#include "runtime/actor/runtime_impl.h"
#include "runtime/actor/tie.h"
#include "runtime/base/alloc.h"

/* What hangs in the table of one of the two. */
struct bond_end {
    /* the exit signal, if the owner traps it; while it is queued the end stays in the table, so that
     * gr_unlink finds it */
    struct gri_signal signal;
    struct gri_actor *owner; /* a slot */
    uint64_t id;             /* the owner's */
    uint64_t as;   /* the id by which the other one knows it: a stand-in's is the proxy's */
    bool listed;   /* in the owner's table; guarded by its tie_lock */
    uint8_t index; /* in bond->end */
};

/* A reference for each end that is in its table, and one for a queued signal. */
struct bond {
    _Atomic uint32_t refs;
    gr_value *reason; /* counted; the signal's */
    struct bond_end end[2];
};

static struct bond *bond_of(struct bond_end *e)
{
    return gri_container_of(e - e->index, struct bond, end[0]);
}

static struct bond_end *other(struct bond_end *e)
{
    return &bond_of(e)->end[1 - e->index];
}

static void bond_unref(struct bond *b, uint32_t count)
{
    if (count == 0 || atomic_fetch_sub(&b->refs, count) != count)
        return;
    gr_value_unref(b->reason);
    gri_free(b);
}

/* put enters an end into its owner's table. The caller holds the owner's lock, and a reference. */
static bool put_locked(struct bond_end *e)
{
    if (!gri_map_put(&gri_actor_rare(e->owner)->links, other(e)->as, e))
        return false;
    e->listed = true;
    gri_actor_rare(e->owner)->tie_count++;
    atomic_fetch_add(&bond_of(e)->refs, 1);
    return true;
}

/* take removes an end from its owner's table; the table's reference is the caller's to drop. */
static void take_locked(struct bond_end *e)
{
    gri_map_del(&gri_actor_rare(e->owner)->links, other(e)->as);
    e->listed = false;
    gri_actor_rare(e->owner)->tie_count--;
}

static struct bond_end *find_locked(struct gri_actor *a, uint64_t other_as)
{
    const struct gri_rare *r = gri_actor_rare(a);

    return r != NULL ? gri_map_get(&r->links, other_as) : NULL;
}

/* ---- telling --------------------------------------------------------------------------------- */

static void signal_run(struct gri_actor *a, struct gri_signal *s, bool live)
{
    struct bond_end *e = gri_container_of(s, struct bond_end, signal);
    bool wanted = false;

    if (live) { /* else the table is gone, with its reference */
        gri_lock(&a->tie_lock);
        wanted = e->listed; /* not unlinked meanwhile */
        if (wanted)
            take_locked(e);
        gri_unlock(&a->tie_lock);
    }
    if (wanted)
        gri_handle_exited(a, (gr_ref){ .node = a->rt->node, .id = other(e)->as },
                          bond_of(e)->reason);
    bond_unref(bond_of(e), wanted ? 2 : 1);
}

/* tell_locked gives a live owner the exit signal; what the end's reference becomes is told by how
 * many of them the caller must drop. */
static uint32_t tell_locked(struct bond_end *e, const gr_value *reason, struct gri_told *t)
{
    if (reason == NULL || gri_exit_by_link_locked(e->owner, reason, t)) {
        take_locked(e);
        return 1;
    }
    bond_of(e)->reason = gr_value_ref(reason);
    atomic_fetch_add(&bond_of(e)->refs, 1);
    gri_signal_push_locked(e->owner, &e->signal, t);
    return 0;
}

void gri_bonds_break(struct gri_actor *a, struct gri_map *links, gr_ref who, const gr_value *reason)
{
    const struct gri_map_slot *slot;
    size_t at = 0;

    (void)a, (void)who; /* the ends know */
    while ((slot = gri_map_next(links, &at)) != NULL) {
        struct bond_end *own = slot->value, *e = other(own);
        struct gri_told told = { .actor = NULL };
        uint32_t drop = 1; /* our table's */

        gri_point(GRI_AT_DOWN);
        gri_lock(&e->owner->tie_lock);
        if (e->listed && gri_is_live(e->owner, e->id))
            drop += tell_locked(e, reason, &told);
        gri_unlock(&e->owner->tie_lock);
        gri_told_done(&told);
        bond_unref(bond_of(own), drop);
    }
}

/* ---- making ---------------------------------------------------------------------------------- */

/* One of the two that are to be linked; as: see bond_end. */
struct party {
    struct gri_actor *actor;
    uint64_t id, as;
};

/* bond_new makes a bond with the caller's reference. */
static struct bond *bond_new(struct party a, struct party b)
{
    struct bond *bond = gri_new0(struct bond);

    if (bond == NULL)
        return NULL;
    atomic_init(&bond->refs, 1);
    bond->end[0] =
        (struct bond_end){ .signal.run = signal_run, .owner = a.actor, .id = a.id, .as = a.as };
    bond->end[1] = (struct bond_end){
        .signal.run = signal_run, .owner = b.actor, .id = b.id, .as = b.as, .index = 1
    };
    return bond;
}

/* join_locked ties two live actors. */
static gr_code join_locked(struct bond *b)
{
    if (!gri_tie_room(b->end[0].owner) || !gri_tie_room(b->end[1].owner))
        return GR_EFULL;
    if (!put_locked(&b->end[0]))
        return GR_ENOMEM;
    if (put_locked(&b->end[1]))
        return GR_OK;
    take_locked(&b->end[0]);
    bond_unref(b, 1); /* never the last */
    return GR_ENOMEM;
}

/* noproc_locked is a link with an actor that is gone: the signal comes at once. */
static gr_code noproc_locked(struct bond *b, const gr_value *reason, struct gri_told *t)
{
    struct gri_actor *a = b->end[0].owner;

    if (!gri_tie_room(a))
        return GR_EFULL;
    if (!put_locked(&b->end[0]))
        return GR_ENOMEM;
    bond_unref(b, tell_locked(&b->end[0], reason, t));
    return GR_OK;
}

/* tie links a, which is live if it is `self`, with b. *ret_there: whom a is linked with already, by that name. */
static gr_code tie(gr_runtime *rt, struct party a, struct party b, bool self, uint64_t *ret_there)
{
    struct gri_told told = { .actor = NULL };
    struct bond_end *e;
    struct bond *bond;
    gr_code rc = GR_OK;

    *ret_there = 0;
    if (!gri_ties_ready(a.actor, a.id) || !gri_ties_ready(b.actor, b.id))
        return GR_ENOMEM;
    bond = bond_new(a, b);
    if (bond == NULL)
        return GR_ENOMEM;
    gri_point(GRI_AT_LINK);
    gri_lock_pair(a.actor, b.actor);
    if (!self && !gri_is_live(a.actor, a.id))
        rc = GR_EDEAD;
    else if ((e = find_locked(a.actor, b.as)) != NULL)
        *ret_there = other(e)->id; /* or a is told of its end right now */
    else if (gri_is_live(b.actor, b.id))
        rc = join_locked(bond);
    else
        rc = noproc_locked(bond, gri_past_reason_locked(rt, b.actor, b.id), &told);
    gri_unlock_pair(a.actor, b.actor);
    gri_told_done(&told);
    bond_unref(bond, 1);
    return rc;
}

static bool is_linked(struct gri_actor *a, uint64_t other_as)
{
    bool is;

    gri_lock(&a->tie_lock);
    is = find_locked(a, other_as) != NULL;
    gri_unlock(&a->tie_lock);
    return is;
}

/* link_far links a with what the proxy `to` stands for; from: who it is that the other node hears of. */
static gr_code link_far(gr_runtime *rt, struct party a, gr_ref to, gr_ref from, bool self)
{
    gr_ref s = gri_far.make(rt, to, from);
    uint64_t there = 0;
    gr_code rc;

    if (s.node == 0)
        return (gr_code)s.id;
    rc = tie(rt, a, (struct party){ gri_registry_find(&rt->registry, s.id), s.id, to.id }, self,
             &there);
    if (rc == GR_OK && there == 0)
        gri_far.begin(rt, s);
    else
        gri_far.leave(rt, s);
    return rc;
}

gr_code gr_link(gr_ctx *c, gr_ref to)
{
    uint64_t id = gri_actor_ref(c->actor).id, there = 0;
    struct party a = { c->actor, id, id }, b = { NULL, to.id, to.id };
    gr_code rc = gri_tie_target(c->rt, to, &b.actor);

    if (rc != GR_OK || to.id == id)
        return rc;
    if (gri_tie_is_far(b.actor, to.id)) {
        rc = is_linked(a.actor, to.id) ? GR_OK
                                       : link_far(c->rt, a, to, gri_actor_ref(c->actor), true);
        if (rc != GR_EDEAD)
            return rc;
    }
    if (b.actor == NULL)
        b.actor =
            a.actor; /* no such slot: there is but one lock to take, and no live actor of that id */
    return tie(c->rt, a, b, true, &there);
}

gr_code gri_bond_afar(gr_runtime *rt, gr_ref who, gr_ref stand_in, gr_ref from, gr_ref *ret_there,
                      gr_value **ret_reason)
{
    struct party s = { gri_registry_find(&rt->registry, stand_in.id), stand_in.id, from.id };
    struct party a = { NULL, who.id, who.id };
    uint64_t there = 0;
    gr_code rc = gri_tie_target(rt, who, &a.actor);

    *ret_there = (gr_ref){ 0, 0 };
    if (rc == GR_OK && gri_tie_is_far(a.actor, who.id))
        rc = link_far(rt, (struct party){ s.actor, s.id, s.id }, who, from, false);
    else if (rc == GR_OK)
        rc = a.actor != NULL ? tie(rt, a, s, false, &there) : GR_EDEAD;
    if (there != 0)
        *ret_there = (gr_ref){ .node = rt->node, .id = there };
    if (rc != GR_EDEAD)
        return rc;
    if (a.actor == NULL) {
        *ret_reason = gr_value_ref(rt->reasons.noproc);
        return rc;
    }
    gri_lock(&a.actor->tie_lock);
    *ret_reason = gr_value_ref(gri_past_reason_locked(rt, a.actor, who.id));
    gri_unlock(&a.actor->tie_lock);
    return rc;
}

gr_code gri_bond_born(struct gri_actor *parent, struct gri_actor *child, uint64_t child_id)
{
    uint64_t parent_id = gri_actor_ref(parent).id;
    struct bond *bond;
    gr_code rc;

    if (!gri_ties_ready(parent, parent_id) || !gri_ties_ready(child, 0))
        return GR_ENOMEM;
    bond = bond_new((struct party){ parent, parent_id, parent_id },
                    (struct party){ child, child_id, child_id });
    if (bond == NULL)
        return GR_ENOMEM;
    gri_lock_pair(parent, child);
    rc = join_locked(bond);
    gri_unlock_pair(parent, child);
    bond_unref(bond, 1);
    return rc;
}

/* ---- taking away ----------------------------------------------------------------------------- */

/* cut takes a bond away of which `e` was found in its owner's table. Consumes the caller's reference. */
static void cut(gr_runtime *rt, struct bond_end *e)
{
    struct gri_actor *a = e->owner;
    struct bond_end *o = other(e);
    struct party left = { o->owner, o->id, o->as };
    uint32_t drop = 1;

    gri_point(GRI_AT_UNLINK);
    gri_lock_pair(a, o->owner);
    if (e->listed && gri_is_live(a, e->id) &&
        !(GRI_PLANTED(SKIPPED_UNLINK) && !gri_is_live(o->owner, o->id))) {
        take_locked(e);
        drop++;
    }
    if (o->listed && gri_is_live(o->owner, o->id)) {
        take_locked(o);
        drop++;
    }
    gri_unlock_pair(a, o->owner);
    bond_unref(bond_of(e), drop);
    gri_tie_left(rt, left.actor, left.id);
}

void gr_unlink(gr_ctx *c, gr_ref to)
{
    struct gri_actor *a = c->actor;
    struct bond_end *e;

    gri_lock(&a->tie_lock);
    e = to.node == c->rt->node ? find_locked(a, to.id) : NULL;
    if (e != NULL)
        atomic_fetch_add(&bond_of(e)->refs, 1);
    gri_unlock(&a->tie_lock);
    if (e != NULL)
        cut(c->rt, e);
}

/* A stand-in has one link at most. */
void gri_bonds_cut(gr_runtime *rt, gr_ref stand_in)
{
    struct gri_actor *a = gri_registry_find(&rt->registry, stand_in.id);
    const struct gri_map_slot *slot = NULL;
    struct bond_end *e = NULL;
    size_t at = 0;

    gri_lock(&a->tie_lock);
    if (gri_is_live(a, stand_in.id) && gri_actor_rare(a) != NULL)
        slot = gri_map_next(&gri_actor_rare(a)->links, &at);
    if (slot != NULL) {
        e = slot->value;
        atomic_fetch_add(&bond_of(e)->refs, 1);
    }
    gri_unlock(&a->tie_lock);
    if (e != NULL)
        cut(rt, e);
}
