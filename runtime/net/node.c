/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/net/node.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/actor/runtime_impl.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/log.h"
#include "runtime/net/beat.h"
#include "runtime/net/link_sim.h"
#include "runtime/net/pair.h"
#include "runtime/net/peer.h"
#include "runtime/net/remote.h"

#define STOP_NS (UINT64_C(5) * 1000000000) /* how long stopping waits for links to close */

/* ---- the service ----------------------------------------------------------------------------- */

static void node_free(struct gri_node *node)
{
    const struct gri_map_slot *slot;
    size_t at = 0;

    while ((slot = gri_map_next(&node->names, &at)) != NULL)
        gri_free(slot->value);
    at = 0;
    while ((slot = gri_map_next(&node->targets, &at)) != NULL) {
        struct gri_target *t = slot->value;

        gri_assert(t->peer == NULL);
        gr_value_unref(t->failure);
        gri_free(t->url);
        gri_free(t);
    }
    gri_map_fini(&node->names);
    gri_map_fini(&node->targets);
    gri_map_fini(&node->latest);
    gri_map_fini(&node->current);
    gri_map_fini(&node->same);
    gri_map_fini(&node->namesakes);
    gri_node_settings_fini(&node->set);
    gri_free(node);
}

/* close_peers asks every link to close. A peer listed is alive while the lock is held. */
static void close_peers(struct gri_node *node)
{
    gri_lock(&node->lock);
    for (struct gri_list *n = node->at_node.next; n != &node->at_node; n = n->next) {
        struct gri_peer *p = gri_container_of(n, struct gri_peer, at_node);

        gri_peer_hang_up(p, gr_error(GR_EUNREACH, "the runtime has ended"));
    }
    gri_unlock(&node->lock);
}

/* wait_peers returns false when some are left at the deadline. */
static bool wait_peers(struct gri_node *node)
{
    uint64_t deadline_ns = gri_clock_ns() + STOP_NS;
    uint32_t left;

    /* acquire: what the last peer did is over */
    while ((left = atomic_load_explicit(&node->peers, memory_order_acquire)) > 0) {
        if (gri_clock_ns() >= deadline_ns)
            return false;
        gri_futex_wait(&node->peers, left, deadline_ns);
    }
    return true;
}

static void node_stop(void *object)
{
    struct gri_node *node = object;

    gri_lock(&node->lock);
    node->stopping = true;
    gri_unlock(&node->lock);
    gri_node_close_doors(node);
    gri_beat_stop(node);
    close_peers(node);
    if (!wait_peers(node)) {
        gri_log(GRI_LOG_WARN, "some links did not close in time and are left behind");
        return;
    }
    if (node->driver->stop != NULL)
        node->driver->stop(node->rt);
    node_free(node);
}

static gr_code make_node(gr_runtime *rt, struct gri_service *ret_service)
{
    struct gri_node *node = gri_new0(struct gri_node);

    if (node == NULL)
        return GR_ENOMEM;
    node->rt = rt;
    node->driver = gri_world_of(rt)->net != NULL   ? gri_world_of(rt)->net
                   : gri_sched_of(rt)->sim != NULL ? &gri_net_sim
                                                   : &gri_net_nng;
    node->id = rt->node;
    node->born_ns = gri_now(rt);
    /* microseconds since 1970, then 12 bits by which two starts at the same moment differ */
    node->incarnation = gri_wall_us(rt) << 12 | (gri_random(rt) & 0xfff);
    gri_node_settings_init(&node->set);
    gri_map_init(&node->names, gri_random(rt));
    gri_map_init(&node->targets, gri_random(rt));
    gri_map_init(&node->latest, gri_random(rt));
    gri_map_init(&node->current, gri_random(rt));
    gri_map_init(&node->same, node->latest.seed);
    gri_map_init(&node->namesakes, node->latest.seed);
    gri_list_init(&node->at_node);
    *ret_service = (struct gri_service){ .object = node, .stop = node_stop };
    return GR_OK;
}

struct gri_node *gri_node_get(gr_runtime *rt)
{
    return gri_service_get(rt, GRI_SERVICE_NET, make_node);
}

/* ---- whom we call ---------------------------------------------------------------------------- */

static struct gri_target *target_locked(struct gri_node *node, const char *url)
{
    struct gri_target *t = node->recent; /* targets stay as long as the node does */

    if (t != NULL && strcmp(t->url, url) == 0)
        return t;
    t = gri_map_gets(&node->targets, url);
    if (t != NULL)
        return node->recent = t;
    t = gri_new0(struct gri_target);
    if (t != NULL)
        t->url = gri_strdup(url);
    if (t == NULL || t->url == NULL || !gri_map_puts(&node->targets, url, t)) {
        if (t != NULL)
            gri_free(t->url);
        gri_free(t);
        return NULL;
    }
    t->origin = (uint32_t)gri_random(node->rt);
    return node->recent = t;
}

/* fresh_locked makes the target's peer, unless the last attempt failed just now. */
static struct gri_peer *fresh_locked(struct gri_node *node, struct gri_target *t, gr_value **reterr)
{
    struct gri_peer *p;

    if (t->failure != NULL && gri_now(node->rt) < t->redial_ns) {
        *reterr = gr_value_ref(t->failure);
        return NULL;
    }
    p = gri_peer_new(node, t);
    if (p == NULL)
        return NULL;
    gri_list_push(&node->at_node, &p->at_node);
    node->used = true;
    t->peer = p; /* the reference that came for the caller */
    return p;
}

struct gri_peer *gri_node_peer(struct gri_node *node, const char *url, gr_value **reterr)
{
    struct gri_target *t = NULL;
    struct gri_peer *p = NULL;
    gr_value *err = NULL;
    bool fresh = false;

    gri_lock(&node->lock);
    if (node->stopping)
        err = gr_error(GR_ECANCELED, "the runtime is shutting down");
    else
        t = target_locked(node, url);
    if (t != NULL) {
        fresh = t->peer == NULL;
        p = fresh ? fresh_locked(node, t, &err) : t->peer;
    }
    if (p != NULL)
        gri_peer_ref(p);
    gri_unlock(&node->lock);
    if (p == NULL)
        *reterr = err != NULL ? err : gr_error(GR_ENOMEM, "out of memory calling %s", url);
    else if (fresh)
        gri_peer_dial(p);
    return p;
}

struct gri_peer *gri_node_peer_asked(struct gri_node *node, const char *url)
{
    struct gri_peer *p = NULL;
    gr_value *err = NULL;
    bool may;

    gri_lock(&node->lock);
    may = node->targets.count < GRI_TARGETS_ASKED || gri_map_gets(&node->targets, url) != NULL;
    gri_unlock(&node->lock);
    if (may && gri_is_remote_url(url))
        p = gri_node_peer(node, url, &err);
    gr_value_unref(err);
    return p;
}

/* back_off doubles with each failure up to the most that is set, and draws the upper half of it, so that
 * those who lost the same peer don't all come back at once. */
static uint64_t back_off(struct gri_node *node, unsigned failures)
{
    uint64_t ns = GRI_REDIAL_NS;

    for (unsigned i = 1; i < failures && ns < node->set.redial_ns; i++)
        ns *= 2;
    if (ns > node->set.redial_ns)
        ns = node->set.redial_ns;
    return ns - gri_random(node->rt) % (ns / 2 + 1);
}

void gri_node_lost(struct gri_node *node, struct gri_peer *peer, const gr_value *failure)
{
    struct gri_target *own = peer->target;
    const struct gri_map_slot *slot;
    gr_value *old = NULL;
    unsigned held = 0;
    size_t at = 0;

    gri_lock(&node->lock);
    peer->place = GRI_PLACE_GONE;
    if (gri_map_get(&node->current, peer->hello.node) == peer)
        gri_map_del(&node->current, peer->hello.node);
    gri_pair_forget_locked(peer);
    while ((slot = gri_map_next(&node->targets, &at)) != NULL) {
        struct gri_target *t = slot->value;

        if (t->peer == peer) {
            t->peer = NULL;
            held++;
        }
    }
    if (own != NULL) {
        old = own->failure;
        own->failure = gr_value_ref(failure);
        own->failures = failure != NULL ? own->failures + 1 : 0;
        own->redial_ns = gri_now(node->rt) + back_off(node, own->failures);
    }
    gri_unlock(&node->lock);
    gr_value_unref(old);
    while (held-- > 0)
        gri_peer_unref(peer);
}

/* ---- what we publish ------------------------------------------------------------------------- */

gr_ref gri_node_find(struct gri_node *node, const char *name)
{
    gr_ref found = { 0, 0 };
    const gr_ref *ref;

    gri_lock(&node->lock);
    ref = gri_map_gets(&node->names, name);
    if (ref != NULL)
        found = *ref;
    gri_unlock(&node->lock);
    return found;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(gr_cstr(*(gr_value *const *)a, ""), gr_cstr(*(gr_value *const *)b, ""));
}

gr_value *gri_node_names(struct gri_node *node)
{
    const struct gri_map_slot *slot;
    size_t at = 0, count = 0;
    gr_value **names, *all;

    gri_lock(&node->lock);
    names = gri_alloc_array(node->names.count + 1, sizeof(gr_value *));
    while (names != NULL && (slot = gri_map_next(&node->names, &at)) != NULL) {
        gr_value *name = gr_str(slot->name);

        if (slot->name[0] != GRI_RESERVED && gr_error_code(name) != GR_EINVAL) /* it is UTF-8 */
            names[count++] = name;
        else
            gr_value_unref(name);
    }
    gri_unlock(&node->lock);
    if (names == NULL)
        return gr_error(GR_ENOMEM, "out of memory");
    qsort(names, count, sizeof(gr_value *), by_text);
    all = gr_list_n(names, count);
    gri_free(names);
    return all;
}

void gri_node_watch(struct gri_node *node, void (*fn)(void *arg), void *arg)
{
    gri_lock(&node->lock);
    node->published = fn;
    node->published_arg = arg;
    gri_unlock(&node->lock);
}

static void tell_published(struct gri_node *node)
{
    void (*fn)(void *arg);
    void *arg;

    gri_lock(&node->lock);
    fn = node->published;
    arg = node->published_arg;
    gri_unlock(&node->lock);
    if (fn != NULL)
        fn(arg);
}

static void withdraw(struct gri_node *node, const char *name)
{
    gr_ref *ref;

    gri_lock(&node->lock);
    ref = gri_map_dels(&node->names, name);
    gri_unlock(&node->lock);
    gri_free(ref);
}

gr_code gr_publish(gr_runtime *rt, const char *name, gr_ref ref)
{
    struct gri_node *node;

    if (rt == NULL || name == NULL || name[0] == '\0' || name[0] == GRI_RESERVED ||
        strlen(name) > GRI_FRAME_NAME_MAX)
        return GR_EINVAL;
    node = gri_node_get(rt);
    return node != NULL ? gri_node_publish(node, name, ref) : GR_ENOMEM;
}

gr_code gri_node_publish(struct gri_node *node, const char *name, gr_ref ref)
{
    gr_ref before, *entry;
    gr_value *dead;
    bool put;

    if (ref.node == 0 && ref.id == 0) {
        withdraw(node, name);
        tell_published(node);
        return GR_OK;
    }
    before = gri_node_find(node, name);
    dead = before.id != 0 ? gr_check(node->rt, before) : NULL;
    if (before.id != 0 && dead == NULL && (before.id != ref.id || before.node != ref.node))
        return GR_EINVAL; /* another live actor's */
    gr_value_unref(dead);
    withdraw(node, name);
    entry = gri_new0(gr_ref);
    if (entry == NULL)
        return GR_ENOMEM;
    *entry = ref;
    gri_lock(&node->lock);
    put = gri_map_gets(&node->names, name) == NULL && gri_map_puts(&node->names, name, entry);
    gri_unlock(&node->lock);
    if (!put)
        gri_free(entry);
    tell_published(node);
    return put ? GR_OK : GR_ENOMEM;
}
