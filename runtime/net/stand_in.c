/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stand_in.c - making and ending stand-ins.
 *
 * A stand-in leaves its peer's maps once, with all its numbers (detach): before its actor ends, if the
 * peer or the link ends it; else when its actor has ended. `gone` is set before, and looked at under the
 * peer's lock by who adds a number, so that none is added later. The peer that it begins with is stored
 * before that, so one of the two sees the other.
 */
#include "runtime/net/stand_in.h"

#include <string.h>

#include <greenroom/runtime.h>

#include "runtime/actor/elsewhere.h"
#include "runtime/actor/runtime_impl.h"
#include "runtime/actor/tie.h"
#include "runtime/base/alloc.h"
#include "runtime/net/lent.h"

struct gri_stand_in *gri_stand_in_ref(struct gri_stand_in *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

void gri_stand_in_unref(void *arg)
{
    struct gri_stand_in *s = arg;

    if (s == NULL || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    gri_peer_unref(atomic_load_explicit(&s->peer, memory_order_relaxed));
    gr_value_unref(s->url);
    gr_value_unref(s->name);
    gri_free(s);
}

struct gri_stand_in *gri_stand_in_of(gr_runtime *rt, gr_ref actor, const gr_class *cls)
{
    gr_value *args = actor.node == rt->node ? gri_ref_args(rt, actor, cls) : NULL;
    struct gri_stand_in *s = gr_as_opaque(args);

    if (s != NULL)
        gri_stand_in_ref(s);
    gr_value_unref(args);
    return s;
}

/* ---- its actor ------------------------------------------------------------------------------- */

/* stand_in_exited: who is linked with it has ended here, so the peer's actor gets the exit signal. */
static void stand_in_exited(gr_ctx *c, void *self, gr_ref from, const gr_value *reason);

static const gr_class stand_in_class =
    GR_CLASS(.name = "stand-in", .exited = stand_in_exited, .stopped = gri_stand_in_stopped);

/* born makes the actor of s. Consumes the caller's reference; it is the actor's. */
static gr_code born(struct gri_stand_in *s)
{
    const gr_class *cls = s->as == GRI_STANDS_AS_PROXY ? &gri_lent_class : &stand_in_class;
    gr_value *args = gr_opaque(s, gri_stand_in_unref);
    gr_code rc = gr_error_code(args);

    if (rc != GR_OK) {
        gr_value_unref(args);
        return rc;
    }
    gri_stand_in_ref(s);
    s->self = gr_spawn(gr_root(s->rt), cls, GR_SPAWN(.args = args));
    rc = s->self.node == 0 ? (gr_code)s->self.id : GR_OK;
    if (rc == GR_OK && s->as == GRI_STANDS_LINKED)
        gri_trap_ref(s->rt, s->self);
    gri_stand_in_unref(s);
    return rc;
}

static struct gri_stand_in *stand_in_new(gr_runtime *rt, enum gri_stands as)
{
    struct gri_stand_in *s = gri_new0(struct gri_stand_in);

    if (s == NULL)
        return NULL;
    atomic_init(&s->refs, 1);
    s->rt = rt;
    s->as = as;
    return s;
}

struct gri_stand_in *gri_stand_in_new(struct gri_peer *p, enum gri_stands as, gr_ref there,
                                      gr_code *ret_rc)
{
    struct gri_stand_in *s = stand_in_new(p->node->rt, as);

    *ret_rc = GR_ENOMEM;
    if (s == NULL)
        return NULL;
    s->there = there;
    atomic_store(&s->peer, gri_peer_ref(p));
    gri_stand_in_ref(s);
    *ret_rc = born(s);
    if (*ret_rc == GR_OK)
        return s;
    gri_stand_in_unref(s);
    return NULL;
}

/* ---- numbers --------------------------------------------------------------------------------- */

/* to fills in whom its frames are for. */
static void to(const struct gri_stand_in *s, struct gri_frame *f)
{
    f->to = s->there;
    if (s->name != NULL)
        memcpy(f->name, gr_cstr(s->name, ""), gr_len(s->name) + 1);
}

static gr_code write_ask(struct gri_stand_in *s, struct gri_peer *p, uint64_t id,
                         struct gri_strbuf *out, uint64_t *ret_key)
{
    struct gri_frame f = { .type = GRI_FRAME_MONITOR, .id = id, .from = s->from };
    gr_code rc = GR_OK;

    to(s, &f);
    if (s->as == GRI_STANDS_LINKED) {
        f.type = GRI_FRAME_LINK;
        rc = gri_lend(p, &f.from);
    }
    *ret_key = gri_peer_target_key(f.name, f.to);
    return rc == GR_OK ? gri_frame_signal(out, &f, NULL) : rc;
}

/* room_locked tells whether there is room for one of our ties more. */
static bool room_locked(const struct gri_peer *p, const struct gri_stand_in *s)
{
    const struct gri_ties *t = &p->ties;

    if (s->as == GRI_STANDS_AS_PROXY)
        return t->proxies.count < p->node->set.refs_max;
    if (s->as == GRI_STANDS_LINKED)
        return t->our_links < GRI_LINKS_CARRIED_MAX;
    return t->ours.count - t->proxies.count - t->our_links < GRI_TIES_CARRIED_MAX;
}

static gr_code put_locked(struct gri_peer *p, struct gri_stand_in *s, uint64_t id)
{
    struct gri_ties *t = &p->ties;

    gri_ties_ready_locked(p);
    if (!room_locked(p, s))
        return GR_EFULL;
    if (!gri_map_put(&t->ours, id, s))
        return GR_ENOMEM;
    if (s->as == GRI_STANDS_AS_PROXY && !gri_map_put(&t->proxies, s->there.id, s)) {
        gri_map_del(&t->ours, id);
        return GR_ENOMEM;
    }
    t->our_links += s->as == GRI_STANDS_LINKED;
    s->id = id;
    gri_stand_in_ref(s);
    return GR_OK;
}

gr_code gri_stand_in_enter(struct gri_stand_in *s)
{
    struct gri_peer *p = atomic_load(&s->peer);
    struct gri_strbuf frame = GRI_STRBUF_INIT;
    uint64_t id = gri_peer_fresh_id(p), key = 0;
    gr_code rc = write_ask(s, p, id, &frame, &key);

    p = gri_peer_lock(p);
    if (rc == GR_OK && atomic_load(&s->gone))
        rc = GR_EDEAD;
    if (rc == GR_OK && p->state == GRI_PEER_DOWN)
        rc = GR_EUNREACH;
    if (rc == GR_OK)
        rc = put_locked(p, s, id);
    if (rc == GR_OK) {
        s->key = key;
        gri_peer_send_locked(p, &frame, key);
    }
    gri_unlock(&p->lock);
    gri_strbuf_fini(&frame);
    return rc;
}

void gri_stand_in_out_locked(struct gri_peer *p, struct gri_stand_in *s)
{
    struct gri_ties *t = &p->ties;

    if (s->id == 0)
        return;
    gri_map_del(&t->ours, s->id);
    t->our_links -= s->as == GRI_STANDS_LINKED;
    if (s->as == GRI_STANDS_AS_PROXY && gri_map_get(&t->proxies, s->there.id) == s)
        gri_map_del(&t->proxies, s->there.id);
    s->id = 0;
}

void gri_stand_in_less_locked(struct gri_in_tie *t)
{
    struct gri_in_tie **at;

    if (t->stand_in == NULL)
        return;
    for (at = &t->stand_in->theirs; *at != t; at = &(*at)->next)
        gri_assert(*at != NULL);
    *at = t->next;
    t->stand_in = NULL;
}

bool gri_stand_in_add(struct gri_stand_in *s, struct gri_in_tie *t)
{
    struct gri_peer *p = gri_peer_lock(t->peer);
    bool added = !atomic_load(&s->gone) && atomic_load(&s->peer) != NULL &&
                 gri_peer_now(atomic_load(&s->peer)) == p &&
                 gri_map_get(&p->ties.theirs, t->id) == t;

    if (added) {
        gri_stand_in_less_locked(t);
        t->stand_in = s;
        t->next = s->theirs;
        s->theirs = t;
    }
    gri_unlock(&p->lock);
    return added;
}

/* What a stand-in had. */
struct detached {
    struct gri_peer *peer; /* borrowed from it; NULL: it never began */
    uint64_t ours, key;
    struct gri_in_tie *theirs; /* counted each */
};

/* detach takes it out of its peer's maps, after `gone` was set. */
static struct detached detach(struct gri_stand_in *s)
{
    struct detached d = { .peer = atomic_load(&s->peer) };
    struct gri_peer *p;

    if (d.peer == NULL)
        return d;
    p = gri_peer_lock(d.peer);
    d.ours = s->id;
    d.key = s->key;
    d.theirs = s->theirs;
    gri_stand_in_out_locked(p, s);
    for (struct gri_in_tie *t = s->theirs; t != NULL; t = t->next) {
        gri_in_tie_out_locked(p, t);
        t->stand_in = NULL;
    }
    s->theirs = NULL;
    gri_unlock(&p->lock);
    if (d.ours != 0)
        gri_stand_in_unref(s); /* the map's; the caller has one, too */
    return d;
}

static void detached_free(struct detached *d)
{
    struct gri_in_tie *t;

    while ((t = d->theirs) != NULL) {
        d->theirs = t->next;
        gri_in_tie_unref(t);
    }
}

/* say_untie has the peer forget all of them, but for what it has said itself. */
static void say_untie(const struct detached *d, const struct gri_frame *said)
{
    uint64_t ours = said != NULL && said->number == GRI_TIE_RECEIVERS ? said->id : 0;
    uint64_t theirs = said != NULL && said->number == GRI_TIE_SENDERS ? said->id : 0;

    if (d->ours != 0 && d->ours != ours)
        gri_signal_untie(d->peer, d->ours, GRI_TIE_SENDERS, d->key);
    for (const struct gri_in_tie *t = d->theirs; t != NULL; t = t->next)
        if (t->id != theirs)
            gri_signal_untie(d->peer, t->id, GRI_TIE_RECEIVERS, 0);
}

/* say_down has the peer's actor get the exit signal. */
static void say_down(struct gri_stand_in *s, const struct detached *d, const gr_value *reason)
{
    if (d->ours != 0)
        gri_signal_out(d->peer, d->ours, d->key, reason, s->proxy);
    for (const struct gri_in_tie *t = d->theirs; t != NULL; t = t->next)
        gri_signal_down(d->peer, t->id, reason, s->proxy);
}

/* ---- ends ------------------------------------------------------------------------------------ */

void gri_stand_in_end(struct gri_stand_in *s, const gr_value *reason, const struct gri_frame *said)
{
    struct detached d;

    atomic_store(&s->gone, true);
    d = detach(s);
    if (said != NULL)
        say_untie(&d, said);
    detached_free(&d);
    gri_exit_ref(s->rt, s->self, reason);
}

static void stand_in_exited(gr_ctx *c, void *self, gr_ref from, const gr_value *reason)
{
    struct gri_stand_in *s = gr_as_opaque(gr_args(c));
    struct detached d;

    (void)self, (void)from;
    atomic_store(&s->gone, true);
    d = detach(s);
    say_down(s, &d, reason);
    detached_free(&d);
    gr_stop(s->rt, s->self);
}

/* Nobody ended it: it was left, or its scope ends, and with it who is linked. */
void gri_stand_in_stopped(void *self, const gr_value *args)
{
    struct gri_stand_in *s = gr_as_opaque(args);
    struct detached d;

    (void)self;
    if (s == NULL)
        return;
    atomic_store(&s->gone, true);
    d = detach(s);
    if (s->as == GRI_STANDS_LINKED && !atomic_load(&s->left))
        say_down(s, &d, s->rt->reasons.shutdown);
    else
        say_untie(&d, NULL);
    detached_free(&d);
}

/* ---- for ties that are made here: gri_far ------------------------------------------------------ */

static gr_ref broken(gr_code rc)
{
    return (gr_ref){ .node = 0, .id = (uint64_t)rc };
}

/* aim says where the actor is that the proxy stands for. */
static gr_code aim(struct gri_stand_in *s, gr_ref proxy)
{
    gr_value *args = gri_ref_args(s->rt, proxy, &gri_remote_class);
    struct gri_stand_in *lent =
        args == NULL ? gri_stand_in_of(s->rt, proxy, &gri_lent_class) : NULL;
    size_t len;

    if (lent != NULL) {
        s->there = lent->there;
        atomic_store(&s->peer, gri_peer_ref(gri_peer_now(atomic_load(&lent->peer))));
        gri_stand_in_unref(lent);
        return GR_OK;
    }
    if (args == NULL)
        return GR_EDEAD;
    s->url = gr_value_ref(gr_get(args, "url"));
    s->name = gr_value_ref(gr_get(args, "name"));
    gr_value_unref(args);
    len = gr_len(s->name);
    return len > 0 && len <= GRI_FRAME_NAME_MAX && strlen(gr_cstr(s->name, "")) == len ? GR_OK
                                                                                       : GR_EINVAL;
}

static gr_ref far_make(gr_runtime *rt, gr_ref proxy, gr_ref from)
{
    struct gri_stand_in *s =
        stand_in_new(rt, from.id != 0 ? GRI_STANDS_LINKED : GRI_STANDS_WATCHED);
    gr_code rc = s != NULL ? aim(s, proxy) : GR_ENOMEM;
    gr_ref ref;

    if (rc != GR_OK) {
        gri_stand_in_unref(s);
        return broken(rc);
    }
    s->proxy = proxy;
    s->from = from;
    gri_stand_in_ref(s);
    rc = born(s);
    ref = rc == GR_OK ? s->self : broken(rc == GR_EDEAD ? GR_EFULL : rc);
    gri_stand_in_unref(s);
    return ref;
}

/* meet finds the peer of a name, dialling if need be. */
static gr_code meet(struct gri_stand_in *s)
{
    struct gri_node *node = gri_node_get(s->rt);
    struct gri_peer *p;
    gr_value *err = NULL;

    if (atomic_load(&s->peer) != NULL)
        return GR_OK;
    if (node == NULL)
        return GR_EUNREACH;
    p = gri_node_peer(node, gr_cstr(s->url, ""), &err);
    gr_value_unref(err);
    if (p == NULL)
        return GR_EUNREACH;
    atomic_store(&s->peer, p); /* the reference goes along */
    return GR_OK;
}

static void far_begin(gr_runtime *rt, gr_ref ref)
{
    struct gri_stand_in *s = gri_stand_in_of(rt, ref, &stand_in_class);
    gr_value *why = NULL;
    gr_code rc;

    if (s == NULL)
        return; /* it ends already, so nobody is tied to it any more, or has been told */
    rc = meet(s);
    if (rc == GR_OK)
        rc = gri_stand_in_enter(s);
    if (rc == GR_EUNREACH)
        why = gr_value_ref(rt->reasons.noconnection);
    else if (rc != GR_OK && rc != GR_EDEAD)
        why = gr_error(rc, "no link or monitor could be had: %s", gr_code_name(rc));
    if (why != NULL)
        gri_stand_in_end(s, why, NULL);
    gr_value_unref(why);
    gri_stand_in_unref(s);
}

static void far_leave(gr_runtime *rt, gr_ref ref)
{
    struct gri_stand_in *s = gri_stand_in_of(rt, ref, &stand_in_class);

    if (s == NULL)
        return;
    atomic_store(&s->left, true);
    gr_stop(rt, ref);
    gri_stand_in_unref(s);
}

const struct gri_far gri_far = { .named = &gri_remote_class,
                                 .lent = &gri_lent_class,
                                 .stand_in = &stand_in_class,
                                 .make = far_make,
                                 .begin = far_begin,
                                 .leave = far_leave,
                                 .exit = gri_signal_exit };
