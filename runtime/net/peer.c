/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peer.c - what calls do with a link: enter and leave. What they send is in peer_send.c.
 *
 * Calls come and go from any thread: one that is over leaves its map before it drops its last
 * reference, so who finds it in there, under the lock, may take one. Lock order: two peers by their
 * serial, then the link, then nothing. A peer that has been merged into another one stands for that:
 * every function here goes on to it, which `into` leads to once and for good.
 */
#include "runtime/net/peer.h"

#include <greenroom/runtime.h>

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/log.h"
#include "runtime/async/scope.h"
#include "runtime/sched/sched.h"

/* ---- references ------------------------------------------------------------------------------ */

struct gri_peer *gri_peer_ref(struct gri_peer *p)
{
    atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
    return p;
}

static void peer_free(struct gri_peer *p)
{
    struct gri_node *node = p->node;

    gri_assert(p->ours.count == 0 && p->theirs.count == 0 && p->routed.count == 0);
    gri_lock(&node->lock);
    gri_list_remove(&p->at_node); /* first: who finds it there may look at its link */
    gri_unlock(&node->lock);
    if (p->link != NULL)
        p->link->driver->release(p->link);
    gri_scope_unref(p->scope);
    gri_map_fini(&p->ours);
    gri_map_fini(&p->theirs);
    gri_map_fini(&p->routed);
    gri_ties_fini(&p->ties);
    gri_lanes_fini(&p->lanes);
    gri_parts_fini(&p->parts);
    gri_strbuf_fini(&p->greeting.mine);
    gri_strbuf_fini(&p->greeting.theirs);
    gr_value_unref(p->why);
    gri_peer_unref(atomic_load_explicit(&p->into, memory_order_relaxed));
    gri_free(p);
    /* release: the node goes when it sees none. Waking uses its address, not its memory */
    if (atomic_fetch_sub_explicit(&node->peers, 1, memory_order_acq_rel) == 1)
        gri_futex_wake(&node->peers, 1);
}

void gri_peer_unref(struct gri_peer *p)
{
    if (p != NULL && atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) == 1)
        peer_free(p);
}

/* ---- what a peer stands for ------------------------------------------------------------------ */

struct gri_peer *gri_peer_now(struct gri_peer *p)
{
    struct gri_peer *into;

    /* acquire: with the store in gri_peer_merge; what was moved there is there */
    while ((into = atomic_load_explicit(&p->into, memory_order_acquire)) != NULL)
        p = into;
    return p;
}

/* lock_now locks what p stands for, which may change until the lock is held. */
static struct gri_peer *lock_now(struct gri_peer *p)
{
    for (;;) {
        p = gri_peer_now(p);
        gri_lock(&p->lock);
        if (atomic_load_explicit(&p->into, memory_order_relaxed) == NULL)
            return p;
        gri_unlock(&p->lock);
    }
}

struct gri_peer *gri_peer_lock(struct gri_peer *p)
{
    return lock_now(p);
}

/* ---- its connection -------------------------------------------------------------------------- */

struct gri_log_gate *gri_peer_gate(struct gri_peer *p)
{
    return p->target != NULL ? &p->target->gate : &p->node->gate;
}

bool gri_peer_is_up(struct gri_peer *p)
{
    bool up;

    gri_lock(&p->lock);
    up = p->state == GRI_PEER_UP;
    gri_unlock(&p->lock);
    return up;
}

void gri_peer_hang_up(struct gri_peer *p, gr_value *why)
{
    if (p->link != NULL)
        p->link->driver->close(p->link, why);
    else
        gr_value_unref(why);
}

void gri_peer_wrong(struct gri_peer *p, gr_value *why)
{
    gri_peer_hang_up(gri_peer_now(p), why);
}

/* ---- credit ---------------------------------------------------------------------------------- */

uint32_t gri_peer_reserve(struct gri_peer *p, uint32_t wanted, uint32_t least)
{
    uint64_t most = p->node->set.link_bytes, share;
    uint32_t window = wanted;

    p = lock_now(p);
    share = p->reserved < most ? (most - p->reserved) / GRI_WINDOW_SHARE : 0;
    if (window > share)
        window = (uint32_t)share;
    if (window < least)
        window = least;
    if (p->reserved + window > 2 * most)
        window = 0;
    p->reserved += window;
    gri_unlock(&p->lock);
    return window;
}

void gri_peer_release(struct gri_peer *p, uint32_t window)
{
    p = lock_now(p);
    p->reserved -= window;
    gri_unlock(&p->lock);
}

/* ---- calls ----------------------------------------------------------------------------------- */

uint64_t gri_peer_fresh_id(struct gri_peer *p)
{
    return atomic_fetch_add_explicit(&p->node->calls, 1, memory_order_relaxed) + 1;
}

gr_code gri_peer_enter_ours_locked(struct gri_peer *p, uint64_t id, struct gri_ours *call)
{
    if (p->state == GRI_PEER_DOWN || p->leaving)
        return GR_EUNREACH;
    if (p->ours.count >= p->calls_max)
        return GR_EFULL;
    return gri_map_put(&p->ours, id, call) ? GR_OK : GR_ENOMEM;
}

gr_code gri_peer_enter_ours(struct gri_peer *p, uint64_t id, struct gri_ours *call)
{
    gr_code rc;

    p = lock_now(p);
    rc = gri_peer_enter_ours_locked(p, id, call);
    gri_unlock(&p->lock);
    return rc;
}

bool gri_peer_has_ours(struct gri_peer *p, uint64_t id)
{
    bool has;

    p = lock_now(p);
    has = gri_map_get(&p->ours, id) != NULL;
    gri_unlock(&p->lock);
    return has;
}

bool gri_peer_forget_ours(struct gri_peer *p, uint64_t id)
{
    bool was;

    p = lock_now(p);
    was = gri_map_del(&p->ours, id) != NULL;
    gri_unlock(&p->lock);
    return was;
}

static struct gri_map *calls_of(struct gri_peer *p, bool routed)
{
    return routed ? &p->routed : &p->theirs;
}

bool gri_peer_forget_theirs(struct gri_peer *p, uint64_t id, size_t bytes, bool routed)
{
    bool was;

    p = lock_now(p);
    was = gri_map_del(calls_of(p, routed), id) != NULL;
    p->held -= was ? bytes : 0;
    gri_unlock(&p->lock);
    return was;
}

gr_code gri_peer_enter_theirs(struct gri_peer *p, uint64_t id, struct gri_in_call *call,
                              size_t bytes, bool routed)
{
    struct gri_map *calls;
    gr_code rc = GR_OK;

    p = lock_now(p);
    calls = calls_of(p, routed);
    if (routed && p->state == GRI_PEER_DOWN)
        rc = GR_EUNREACH;
    else if (gri_map_get(calls, id) != NULL)
        rc = GR_EPROTO;
    else if (calls->count >= GRI_CALLS_MAX || p->held + bytes > p->node->set.args_bytes)
        rc = GR_EFULL;
    else if (!gri_map_put(calls, id, call))
        rc = GR_ENOMEM;
    p->held += rc == GR_OK ? bytes : 0;
    gri_unlock(&p->lock);
    return rc;
}

struct gr_scope *gri_peer_scope(struct gri_peer *p)
{
    struct gr_scope *fresh, *scope = atomic_load_explicit(&p->scope, memory_order_acquire);

    if (scope != NULL)
        return scope;
    fresh = gr_scope_new(gr_root(p->node->rt));
    gri_lock(&p->lock);
    scope = atomic_load_explicit(&p->scope, memory_order_relaxed);
    if (scope == NULL && fresh != NULL && p->state != GRI_PEER_DOWN) { /* else nobody closes it */
        atomic_store_explicit(&p->scope, fresh, memory_order_release);
        scope = fresh;
        fresh = NULL;
    }
    gri_unlock(&p->lock);
    if (fresh != NULL) {
        gri_scope_close(fresh, GR_ECANCELED);
        gri_scope_unref(fresh);
    }
    return scope;
}

bool gri_peer_await(struct gri_peer *p, struct gri_waiting *w)
{
    bool waits;

    p = lock_now(p);
    gri_list_remove(&w->node);
    waits = p->state == GRI_PEER_CONNECTING;
    if (waits)
        gri_list_push(&p->waiting, &w->node);
    gri_unlock(&p->lock);
    return waits;
}

enum gri_peer_state gri_peer_state_now(struct gri_peer *p)
{
    enum gri_peer_state state;

    p = lock_now(p);
    state = p->state;
    gri_unlock(&p->lock);
    return state;
}

/* ---- merging --------------------------------------------------------------------------------- */

/* take_over moves the calls of `from` to p, all or none. Both are locked. */
static bool take_over(struct gri_peer *p, struct gri_peer *from)
{
    const struct gri_map_slot *slot;
    size_t at = 0;
    gr_code rc = GR_OK;

    while (rc == GR_OK && (slot = gri_map_next(&from->ours, &at)) != NULL)
        rc = gri_map_put(&p->ours, slot->key, slot->value) ? GR_OK : GR_ENOMEM;
    if (rc == GR_OK)
        rc = gri_ties_move_locked(p, from) ? gri_lanes_move(&p->lanes, &from->lanes) : GR_ENOMEM;
    at = 0;
    while (rc != GR_OK && (slot = gri_map_next(&from->ours, &at)) != NULL)
        gri_map_del(&p->ours, slot->key);
    gri_ties_moved_locked(p, from, rc == GR_OK);
    return rc == GR_OK;
}

bool gri_peer_merge(struct gri_peer *p, struct gri_peer *into)
{
    struct gri_peer *first = p->serial < into->serial ? p : into;
    struct gri_peer *second = first == p ? into : p;
    bool done;

    gri_lock(&first->lock);
    gri_lock(&second->lock);
    done = p->state == GRI_PEER_CONNECTING && into->state != GRI_PEER_DOWN &&
           atomic_load_explicit(&into->into, memory_order_relaxed) == NULL && take_over(into, p);
    if (done) {
        into->reserved += p->reserved;
        into->frames_out += p->frames_out;
        gri_map_fini(&p->ours);
        gri_map_init(&p->ours, 0);
        gri_peer_pump_locked(into);
        /* release: see gri_peer_now */
        atomic_store_explicit(&p->into, gri_peer_ref(into), memory_order_release);
        gri_peer_fire_locked(p); /* who waited tries again, and comes to the other */
    }
    gri_unlock(&second->lock);
    gri_unlock(&first->lock);
    return done;
}

bool gri_peer_is_merged(struct gri_peer *p)
{
    return atomic_load_explicit(&p->into, memory_order_acquire) != NULL;
}
