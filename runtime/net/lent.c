/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/net/lent.h"

#include <greenroom/codec.h>

#include "runtime/actor/runtime_impl.h"
#include "runtime/actor/tie.h"
#include "runtime/base/log.h"
#include "runtime/net/stand_in.h"
#include "runtime/value/msgpack_ext.h"
#include "runtime/value/value.h"

#define SWEEP_EACH 64 /* refusals, at the limit, for one look for actors that have ended */

static char mark; /* what the ids in `lent` lead to */

/* ---- out ------------------------------------------------------------------------------------- */

static bool is_over(gr_runtime *rt, uint64_t id)
{
    const struct gri_actor *a = gri_registry_find(&rt->registry, id);

    return a == NULL || atomic_load(&a->id) != id;
}

/* sweep_locked forgets what has ended: the peer has most likely been told, but need not have asked. */
static void sweep_locked(struct gri_peer *p)
{
    struct gri_map *lent = &p->ties.lent;
    const struct gri_map_slot *slot;
    size_t at = 0;

    while ((slot = gri_map_next(lent, &at)) != NULL) {
        if (!is_over(p->node->rt, slot->key))
            continue;
        gri_map_del(lent, slot->key);
        at -= 1; /* what came after may have moved here */
    }
}

static gr_code lend_locked(struct gri_peer *p, uint64_t id)
{
    struct gri_map *lent = &p->ties.lent;

    gri_ties_ready_locked(p);
    if (gri_map_get(lent, id) != NULL)
        return GR_OK;
    if (lent->count >= p->node->set.refs_max && p->ties.refused++ % SWEEP_EACH == 0)
        sweep_locked(p);
    if (lent->count >= p->node->set.refs_max)
        return GR_EFULL;
    return gri_map_put(lent, id, &mark) ? GR_OK : GR_ENOMEM;
}

gr_code gri_lend(void *arg, gr_ref *ref)
{
    struct gri_peer *p = arg;
    gr_runtime *rt = p->node->rt;
    struct gri_stand_in *s;
    gr_code rc = GR_OK;
    bool home;

    if (ref->node != rt->node || ref->id == 0)
        return GR_OK;
    s = gri_stand_in_of(rt, *ref, &gri_lent_class);
    home = s != NULL && gri_peer_now(atomic_load(&s->peer)) == gri_peer_now(p);
    if (home)
        *ref = s->there; /* the peer's own */
    gri_stand_in_unref(s);
    if (home)
        return GR_OK;
    p = gri_peer_lock(p);
    rc = lend_locked(p, ref->id);
    gri_unlock(&p->lock);
    return rc;
}

/* ---- in -------------------------------------------------------------------------------------- */

static bool is_lent(struct gri_peer *p, uint64_t id)
{
    bool is;

    p = gri_peer_lock(p);
    is = p->ties.ready && gri_map_get(&p->ties.lent, id) != NULL;
    gri_unlock(&p->lock);
    return is;
}

/* known returns the proxy for an actor of the peer, counted; NULL: there is none. */
static struct gri_stand_in *known(struct gri_peer *p, uint64_t id)
{
    struct gri_stand_in *s;

    p = gri_peer_lock(p);
    s = p->ties.ready ? gri_map_get(&p->ties.proxies, id) : NULL;
    if (s != NULL && atomic_load(&s->gone))
        s = NULL;
    if (s != NULL)
        gri_stand_in_ref(s);
    gri_unlock(&p->lock);
    return s;
}

/* no_actor: a broken ref says with which code; an empty one is what it is. */
static gr_code no_actor(gr_ref *ref)
{
    if (ref->id > INT64_MAX || !gri_code_known((int64_t)ref->id))
        ref->id = GR_EREMOTE;
    return GR_OK;
}

gr_code gri_borrow(void *arg, gr_ref *ref)
{
    struct gri_peer *p = arg;
    gr_runtime *rt = p->node->rt;
    struct gri_stand_in *s;
    gr_code rc = GR_OK;

    if (ref->node == 0 || ref->id == 0)
        return no_actor(ref);
    if (ref->node == rt->node) {
        if (!is_lent(p, ref->id))
            *ref = (gr_ref){ .node = 0, .id = GR_EDEAD };
        return GR_OK;
    }
    if (ref->node != p->hello.node)
        return GR_OK; /* of a third node: it leads nowhere here */
    s = known(p, ref->id);
    if (s == NULL) {
        s = gri_stand_in_new(p, GRI_STANDS_AS_PROXY, *ref, &rc);
        if (rc == GR_OK)
            rc = gri_stand_in_enter(s);
        if (rc != GR_OK && s != NULL)
            gr_stop(rt, s->self);
    }
    if (rc == GR_OK)
        *ref = s->self;
    gri_stand_in_unref(s);
    return rc == GR_EUNREACH || rc == GR_EDEAD ? GR_EFULL : rc;
}

/* is_error tells from the bytes whether a value is an error: an extension of that type. */
static bool is_error(const uint8_t *data, size_t size)
{
    size_t at = size == 0                            ? 0
                : data[0] >= 0xc7 && data[0] <= 0xc9 ? 1 + ((size_t)1 << (data[0] - 0xc7))
                : data[0] >= 0xd4 && data[0] <= 0xd8 ? 1
                                                     : 0;

    return at != 0 && at < size && data[at] == GRI_EXT_ERROR;
}

gr_value *gri_peer_read(struct gri_peer *p, const uint8_t *data, size_t size, bool *ret_sent)
{
    struct gri_ref_map refs = { gri_borrow, p };

    gr_value *v = gri_msgpack_read(data, size, &refs, ret_sent);

    *ret_sent = *ret_sent && is_error(data, size); /* not that memory ran out at the last moment */
    return v;
}

gr_value *gri_peer_value_of(struct gri_peer *p, const struct gri_frame *f, bool *ret_sent)
{
    *ret_sent = false;
    if (f->given != NULL)
        return gr_value_ref(f->given);
    return gri_peer_read(p, f->value, f->value_size, ret_sent);
}

gr_ref gri_peer_find(struct gri_peer *p, const struct gri_frame *f)
{
    if (f->to.id == 0)
        return gri_node_find(p->node, f->name);
    if (f->to.node == p->node->rt->node && is_lent(p, f->to.id))
        return f->to;
    return (gr_ref){ 0, 0 };
}
