/* SPDX-License-Identifier: Apache-2.0 */
/* ties.c - the tables of ties.h, and the frames that are about them. */
#include "runtime/net/ties.h"

#include <greenroom/runtime.h>

#include "runtime/actor/elsewhere.h"
#include "runtime/actor/runtime_impl.h"
#include "runtime/actor/tie.h"
#include "runtime/base/alloc.h"
#include "runtime/base/log.h"
#include "runtime/net/admin.h"
#include "runtime/net/lent.h"
#include "runtime/net/stand_in.h"

#define TRIES 4 /* to join a link that is just going */

/* ---- tables ---------------------------------------------------------------------------------- */

void gri_ties_ready_locked(struct gri_peer *p)
{
    struct gri_ties *t = &p->ties;

    if (t->ready)
        return;
    gri_map_init(&t->lent, gri_random(p->node->rt));
    gri_map_init(&t->proxies, gri_random(p->node->rt));
    gri_map_init(&t->ours, gri_random(p->node->rt));
    gri_map_init(&t->theirs, gri_random(p->node->rt));
    t->ready = true;
}

void gri_ties_fini(struct gri_ties *t)
{
    if (!t->ready)
        return;
    gri_assert(t->proxies.count == 0 && t->ours.count == 0 && t->theirs.count == 0);
    gri_map_fini(&t->lent);
    gri_map_fini(&t->proxies);
    gri_map_fini(&t->ours);
    gri_map_fini(&t->theirs);
}

static bool put_all(struct gri_map *into, const struct gri_map *from)
{
    const struct gri_map_slot *slot;
    size_t at = 0;

    while ((slot = gri_map_next(from, &at)) != NULL)
        if (!gri_map_put(into, slot->key, slot->value))
            return false;
    return true;
}

bool gri_ties_move_locked(struct gri_peer *into, struct gri_peer *from)
{
    struct gri_ties *f = &from->ties;

    if (!f->ready)
        return true;
    gri_ties_ready_locked(into);
    /* what has been lent is lent, whether the rest succeeds or not */
    return put_all(&into->ties.lent, &f->lent) && put_all(&into->ties.ours, &f->ours);
}

void gri_ties_moved_locked(struct gri_peer *into, struct gri_peer *from, bool done)
{
    struct gri_ties *f = &from->ties;
    const struct gri_map_slot *slot;
    size_t at = 0;

    if (!f->ready)
        return;
    while (!done && (slot = gri_map_next(&f->ours, &at)) != NULL)
        gri_map_del(&into->ties.ours, slot->key);
    if (!done)
        return;
    into->ties.our_links += f->our_links;
    f->our_links = 0;
    gri_map_fini(&f->ours); /* nothing has come over `from`, so there is nothing in the others */
    gri_map_init(&f->ours, 0);
}

/* ---- the peer's ------------------------------------------------------------------------------ */

void gri_in_tie_unref(struct gri_in_tie *t)
{
    if (atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) != 1)
        return;
    gr_future_free(t->future);
    gri_peer_unref(t->peer);
    gri_free(t);
}

/* put_locked enters one in the peer's table. */
static gr_code put_locked(struct gri_peer *p, struct gri_in_tie *t)
{
    struct gri_ties *ties = &p->ties;

    gri_ties_ready_locked(p);
    if (gri_map_get(&ties->theirs, t->id) != NULL)
        return GR_EPROTO;
    if (t->link ? ties->their_links >= GRI_LINKS_CARRIED_MAX
                : ties->theirs.count - ties->their_links >=
                      GRI_TIES_CARRIED_MAX + p->node->set.refs_max)
        return GR_EFULL;
    if (!gri_map_put(&ties->theirs, t->id, t))
        return GR_ENOMEM;
    ties->their_links += t->link;
    return GR_OK;
}

static gr_code in_tie_new(struct gri_peer *p, const struct gri_frame *f, struct gri_in_tie **ret)
{
    struct gri_in_tie *t = gri_new0(struct gri_in_tie);
    gr_code rc;

    if (t == NULL)
        return GR_ENOMEM;
    atomic_init(&t->refs, 1);
    t->id = f->id;
    t->link = f->type == GRI_FRAME_LINK;
    p = gri_peer_lock(p);
    rc = put_locked(p, t);
    gri_unlock(&p->lock);
    if (rc != GR_OK) {
        gri_free(t);
        return rc;
    }
    t->peer = gri_peer_ref(p);
    *ret = t;
    return GR_OK;
}

void gri_in_tie_out_locked(struct gri_peer *p, struct gri_in_tie *t)
{
    gri_map_del(&p->ties.theirs, t->id);
    p->ties.their_links -= t->link;
}

/* take takes it out, and drops its map's reference; false: somebody else has. */
static bool take(struct gri_in_tie *t)
{
    struct gri_peer *p = gri_peer_lock(t->peer);
    bool was = gri_map_get(&p->ties.theirs, t->id) == t;

    if (was) {
        gri_in_tie_out_locked(p, t);
        gri_stand_in_less_locked(t);
    }
    gri_unlock(&p->lock);
    if (was)
        gri_in_tie_unref(t);
    return was;
}

/* may_end: an exit signal ends what it reaches, and so does the end of who is linked, which is for peers that have
 * shown who they are, as kill and drain of a node are (see gri_node_features). Nobody ends the actor by which the node
 * is operated: what may be done to a node is for its options to say. */
static bool may_end(const struct gri_peer *p, gr_ref who)
{
    return (p->greeting.features & GRI_FEATURE_SHARE) != 0 && !gri_admin_is(p->node, who);
}

/* not_tied answers what could not be tied. */
static void not_tied(struct gri_peer *p, const struct gri_frame *f, gr_code rc)
{
    gr_value *why;

    if (rc == GR_EPROTO) {
        gri_peer_wrong(p, gr_error(rc, "a link's or monitor's number is in use"));
        return;
    }
    why = rc == GR_EDEAD ? gr_value_ref(p->node->rt->reasons.noproc)
          : rc == GR_EUNREACH
              ? gr_value_ref(p->node->rt->reasons.noconnection)
              : gr_error(rc, "the link or monitor could not be had: %s", gr_code_name(rc));
    gri_signal_down(p, f->id, why, (gr_ref){ 0, 0 });
    gr_value_unref(why);
}

/* ---- monitors -------------------------------------------------------------------------------- */

static void forget_lent(struct gri_peer *p, uint64_t id)
{
    p = gri_peer_lock(p);
    gri_map_del(&p->ties.lent, id);
    gri_unlock(&p->lock);
}

static void watched_run(struct gri_task *task)
{
    struct gri_in_tie *t = gri_container_of(task, struct gri_in_tie, task);
    gr_outcome o = gri_future_outcome(t->future);

    if (take(t)) {
        gri_signal_down(t->peer, t->id, o.code == GR_OK ? o.value : o.error, (gr_ref){ 0, 0 });
        if (t->lent != 0)
            forget_lent(t->peer, t->lent);
    }
    gri_in_tie_unref(t); /* the waiter's */
}

static void on_ended(struct gri_waiter *w)
{
    struct gri_in_tie *t = gri_container_of(w, struct gri_in_tie, waiter);

    gri_ready(gri_sched_of(t->peer->node->rt), &t->task);
}

static void on_monitor(struct gri_peer *p, const struct gri_frame *f)
{
    gr_ref to = gri_peer_find(p, f);
    struct gri_in_tie *t = NULL;
    gr_code rc = to.id == 0 ? GR_EDEAD : in_tie_new(p, f, &t);

    if (rc != GR_OK) {
        not_tied(p, f, rc);
        return;
    }
    t->lent = f->to.id;
    t->waiter.fire = on_ended;
    t->task = (struct gri_task){ .run = watched_run, .name = "watched" };
    t->future = gr_ended(p->node->rt, to);
    if (t->future == NULL) {
        take(t);
        not_tied(p, f, GR_ENOMEM);
        return;
    }
    atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
    if (gri_future_watch(t->future, &t->waiter) != GR_OK)
        watched_run(&t->task);
}

/* ---- links ----------------------------------------------------------------------------------- */

/* join adds the number to the stand-in of a link that is there. */
static bool join(struct gri_in_tie *t, gr_ref there)
{
    struct gri_stand_in *s = gri_stand_in_of(t->peer->node->rt, there, gri_far.stand_in);
    bool joined = s != NULL && gri_stand_in_add(s, t);

    gri_stand_in_unref(s);
    return joined;
}

/* tie links `to` with s, which has the number, or gives that to the stand-in of the link that is there. From the
 * moment that it is linked all may be over. `from` is its proxy. */
static gr_code tie(struct gri_in_tie *t, struct gri_stand_in *s, gr_ref to, gr_ref from,
                   gr_value **ret_reason)
{
    gr_ref there = { 0, 0 };
    gr_code rc = GR_OK;

    if (!gri_stand_in_add(s, t))
        return GR_EUNREACH;
    for (int i = 0; i < TRIES; i++) {
        rc = gri_bond_afar(s->rt, to, s->self, from, &there, ret_reason);
        if (rc != GR_OK || there.id == 0)
            return rc;
        if (join(t, there)) {
            gri_far.leave(s->rt, s->self); /* it has no number, and is not needed */
            return GR_OK;
        }
    }
    return GR_EUNREACH;
}

/* mailbox_of gives the proxy by whose mailbox signals go to who links. None, if that is an actor here, for which the
 * peer has a proxy: it knows no such messages. */
static gr_ref mailbox_of(gr_runtime *rt, gr_ref from)
{
    struct gri_stand_in *s = gri_stand_in_of(rt, from, gri_far.lent);
    bool is = s != NULL;

    gri_stand_in_unref(s);
    return is ? from : (gr_ref){ 0, 0 };
}

/* make_link makes the stand-in and ties it. */
static gr_code make_link(struct gri_in_tie *t, gr_ref to, gr_ref from, gr_ref there,
                         gr_value **ret_reason)
{
    gr_code rc = GR_OK;
    struct gri_stand_in *s = gri_stand_in_new(t->peer, GRI_STANDS_LINKED, there, &rc);

    if (s == NULL)
        return rc;
    s->proxy = mailbox_of(s->rt, from);
    rc = tie(t, s, to, from, ret_reason);
    if (rc != GR_OK) {
        take(t);
        gri_far.leave(s->rt, s->self);
    }
    gri_stand_in_unref(s);
    return rc;
}

static void on_link(struct gri_peer *p, const struct gri_frame *f)
{
    gr_ref to = gri_peer_find(p, f), from = f->from;
    gr_value *reason = NULL;
    struct gri_in_tie *t = NULL;
    gr_code rc = gri_borrow(p, &from);

    if (rc == GR_OK && (to.id == 0 || from.node == 0))
        rc = GR_EDEAD;
    if (rc == GR_OK && !may_end(p, to))
        rc = GR_EINVAL;
    if (rc == GR_OK)
        rc = in_tie_new(p, f, &t);
    if (t != NULL) {
        atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
        rc = make_link(t, to, from, f->from, &reason);
        if (rc != GR_OK)
            take(t);
        gri_in_tie_unref(t);
    }
    if (reason != NULL)
        gri_signal_down(p, f->id, reason, (gr_ref){ 0, 0 });
    else if (rc != GR_OK)
        not_tied(p, f, rc);
    gr_value_unref(reason);
}

/* ---- their end ------------------------------------------------------------------------------- */

/* find finds the stand-in of a number, counted. */
static struct gri_stand_in *find(struct gri_peer *p, const struct gri_frame *f)
{
    bool ours = f->number == GRI_TIE_RECEIVERS;
    struct gri_stand_in *s = NULL;
    struct gri_in_tie *t;

    p = gri_peer_lock(p);
    if (p->ties.ready && ours) {
        s = gri_map_get(&p->ties.ours, f->id);
    } else if (p->ties.ready) {
        t = gri_map_get(&p->ties.theirs, f->id);
        s = t != NULL ? t->stand_in : NULL;
    }
    if (s != NULL)
        gri_stand_in_ref(s);
    gri_unlock(&p->lock);
    return s;
}

/* on_down: a number that is not known has been taken away meanwhile. */
static void on_down(struct gri_peer *p, const struct gri_frame *f)
{
    struct gri_stand_in *s;
    bool sent = false;
    gr_value *reason = gri_peer_read(p, f->value, f->value_size, &sent);

    if (gr_error_code(reason) == GR_EPROTO && !sent) {
        gri_peer_wrong(p, reason);
        return;
    }
    s = find(p, f);
    if (s != NULL) {
        if (sent)
            reason = gri_wire_error_in(reason, p->url, gr_cstr(s->name, ""));
        gri_stand_in_end(s, reason, f);
    }
    gri_stand_in_unref(s);
    gr_value_unref(reason);
}

/* remove_number takes one number out of a stand-in; false: others are left. */
static bool remove_number(struct gri_peer *p, struct gri_stand_in *s, const struct gri_frame *f)
{
    struct gri_in_tie *t = NULL;
    bool none, ours = false;

    p = gri_peer_lock(p);
    if (f->number == GRI_TIE_RECEIVERS && s->id == f->id) {
        gri_stand_in_out_locked(p, s);
        ours = true;
    }
    if (!ours) {
        t = gri_map_get(&p->ties.theirs, f->id);
        if (t != NULL && t->stand_in == s) {
            gri_in_tie_out_locked(p, t);
            gri_stand_in_less_locked(t);
        } else {
            t = NULL;
        }
    }
    none = s->id == 0 && s->theirs == NULL;
    gri_unlock(&p->lock);
    if (ours)
        gri_stand_in_unref(s); /* the map's */
    if (t != NULL)
        gri_in_tie_unref(t);
    return none;
}

/* drop takes one of the peer's away that has no stand-in: a monitor. */
static void drop(struct gri_peer *p, uint64_t id)
{
    struct gri_in_tie *t;

    p = gri_peer_lock(p);
    t = p->ties.ready ? gri_map_get(&p->ties.theirs, id) : NULL;
    if (t != NULL)
        gri_in_tie_out_locked(p, t);
    gri_unlock(&p->lock);
    if (t == NULL)
        return;
    if (t->future != NULL && gri_future_unwatch(t->future, &t->waiter))
        gri_in_tie_unref(t);
    gri_in_tie_unref(t);
}

static void on_untie(struct gri_peer *p, const struct gri_frame *f)
{
    struct gri_stand_in *s = find(p, f);

    if (s == NULL) {
        if (f->number == GRI_TIE_SENDERS)
            drop(p, f->id);
    } else if (s->as != GRI_STANDS_LINKED) {
        gri_peer_wrong(p, gr_error(GR_EPROTO, "a monitor that is not the peer's is taken away"));
    } else if (remove_number(p, s, f)) {
        gri_bonds_cut(s->rt, s->self);
        gri_far.leave(s->rt, s->self);
    }
    gri_stand_in_unref(s);
}

/* on_exit: as a message, it has no answer. */
static void on_exit_signal(struct gri_peer *p, const struct gri_frame *f)
{
    gr_ref to = gri_peer_find(p, f), from = f->from;
    bool sent = false;
    gr_value *reason = gri_peer_read(p, f->value, f->value_size, &sent);
    gr_code rc = GR_EDEAD;

    if (gr_error_code(reason) == GR_EPROTO && !sent) {
        gri_peer_wrong(p, reason);
        return;
    }
    if (gri_borrow(p, &from) != GR_OK || from.node == 0)
        from = (gr_ref){ 0, 0 };
    if (to.id != 0 && !may_end(p, to))
        rc = GR_EINVAL;
    else if (to.id != 0)
        rc = gri_exit_from(p->node->rt, to, from, reason);
    if (rc != GR_OK)
        gri_log_gated(gri_peer_gate(p), gri_now(p->node->rt), GRI_LOG_DEBUG,
                      "an exit signal was dropped: %s", gr_code_name(rc));
    gr_value_unref(reason);
}

void gri_ties_frame(struct gri_peer *p, const struct gri_frame *f)
{
    switch (f->type) {
    case GRI_FRAME_LINK: on_link(p, f); break;
    case GRI_FRAME_MONITOR: on_monitor(p, f); break;
    case GRI_FRAME_DOWN: on_down(p, f); break;
    case GRI_FRAME_UNTIE: on_untie(p, f); break;
    default: on_exit_signal(p, f); break;
    }
}

/* ---- the link's end -------------------------------------------------------------------------- */

/* next returns some slot of a map from which entries are taken meanwhile; NULL: it is empty. */
static const struct gri_map_slot *next(const struct gri_map *m, size_t *at)
{
    const struct gri_map_slot *slot;

    if (m->count == 0)
        return NULL;
    slot = gri_map_next(m, at);
    if (slot == NULL) {
        *at = 0;
        slot = gri_map_next(m, at);
    }
    *at -= 1; /* it goes, and what came after may move here */
    return slot;
}

/* pop_stand_in finds one that has a number, counted. */
static struct gri_stand_in *pop_stand_in(struct gri_peer *p, size_t *at)
{
    const struct gri_map_slot *slot;
    struct gri_stand_in *s = NULL;

    gri_lock(&p->lock);
    slot = p->ties.ready ? next(&p->ties.ours, at) : NULL;
    if (slot != NULL)
        s = gri_stand_in_ref(slot->value);
    gri_unlock(&p->lock);
    return s;
}

/* pop_theirs finds one of the peer's: its stand-in, counted, or else a monitor, by its number. */
static bool pop_theirs(struct gri_peer *p, size_t *at, struct gri_stand_in **ret_s,
                       uint64_t *ret_id)
{
    const struct gri_map_slot *slot;
    struct gri_in_tie *t = NULL;

    gri_lock(&p->lock);
    slot = p->ties.ready ? next(&p->ties.theirs, at) : NULL;
    if (slot != NULL)
        t = slot->value;
    if (t != NULL) {
        *ret_id = t->id;
        *ret_s = t->stand_in != NULL ? gri_stand_in_ref(t->stand_in) : NULL;
    }
    gri_unlock(&p->lock);
    return t != NULL;
}

void gri_ties_lost(struct gri_peer *p)
{
    const gr_value *why = p->node->rt->reasons.noconnection;
    struct gri_stand_in *s;
    uint64_t id = 0;
    size_t at = 0;

    while ((s = pop_stand_in(p, &at)) != NULL) {
        gri_stand_in_end(s, why, NULL);
        gri_stand_in_unref(s);
    }
    at = 0;
    while (pop_theirs(p, &at, &s, &id)) {
        if (s != NULL)
            gri_stand_in_end(s, why, NULL);
        else
            drop(p, id);
        gri_stand_in_unref(s);
    }
}
