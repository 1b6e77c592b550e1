/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/net/node.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/actor/runtime_impl.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/log.h"
#include "runtime/net/link_sim.h"
#include "runtime/net/peer.h"

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
    gri_free(node->listeners);
    gri_free(node);
}

/* close_peers asks every link to close. A peer listed is alive while the lock is held. */
static void close_peers(struct gri_node *node)
{
    gri_lock(&node->lock);
    for (struct gri_list *n = node->at_node.next; n != &node->at_node; n = n->next) {
        struct gri_peer *p = gri_container_of(n, struct gri_peer, at_node);

        gri_peer_wrong(p, gr_error(GR_EUNREACH, "the runtime has ended"));
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
    for (size_t i = 0; i < node->listener_count; i++)
        node->driver->unlisten(node->listeners[i]);
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
    node->incarnation = gri_random(rt);
    gri_map_init(&node->names, gri_random(rt));
    gri_map_init(&node->targets, gri_random(rt));
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
    struct gri_target *t = gri_map_gets(&node->targets, url);

    if (t != NULL)
        return t;
    t = gri_new0(struct gri_target);
    if (t != NULL)
        t->url = gri_strdup(url);
    if (t == NULL || t->url == NULL || !gri_map_puts(&node->targets, url, t)) {
        if (t != NULL)
            gri_free(t->url);
        gri_free(t);
        return NULL;
    }
    t->number = node->targets.count;
    return t;
}

/* fresh_locked makes the target's peer, unless the last attempt failed just now. */
static struct gri_peer *fresh_locked(struct gri_node *node, struct gri_target *t, gr_value **reterr)
{
    struct gri_peer *p;

    if (t->failure != NULL && gri_now(node->rt) - t->failed_ns < GRI_REDIAL_NS) {
        *reterr = gr_value_ref(t->failure);
        return NULL;
    }
    p = gri_peer_new(node, t);
    if (p == NULL)
        return NULL;
    p->attempt = ++t->attempts;
    gri_list_push(&node->at_node, &p->at_node);
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

void gri_node_lost(struct gri_node *node, struct gri_target *target, struct gri_peer *peer,
                   const gr_value *failure)
{
    gr_value *old;
    bool was = false;

    gri_lock(&node->lock);
    was = target->peer == peer;
    if (was)
        target->peer = NULL;
    old = target->failure;
    target->failure = gr_value_ref(failure);
    target->failed_ns = gri_now(node->rt);
    gri_unlock(&node->lock);
    gr_value_unref(old);
    if (was)
        gri_peer_unref(peer);
}

/* ---- what we publish ------------------------------------------------------------------------- */

/* is_same tells whether two accepted links come from the same target of the same node. */
static bool is_same(const struct gri_hello *a, const struct gri_hello *b)
{
    return a->target == b->target && a->node == b->node && a->incarnation == b->incarnation;
}

/* take_place_locked finds another link of which p is a later one, and ends it. NULL: there is none
 * left that still handles frames. *ret_late: p is itself the earlier one of two. */
static struct gri_peer *take_place_locked(struct gri_node *node, struct gri_peer *p, bool *ret_late)
{
    for (struct gri_list *n = node->at_node.next; n != &node->at_node; n = n->next) {
        struct gri_peer *q = gri_container_of(n, struct gri_peer, at_node);

        if (q == p || q->target != NULL || !is_same(&q->hello, &p->hello))
            continue;
        if (q->hello.attempt > p->hello.attempt)
            *ret_late = true;
        else if (gri_peer_replace(q))
            return q;
    }
    return NULL;
}

/* is_outrun_locked tells whether a later link than h's has been here, and else remembers h's. */
static bool is_outrun_locked(struct gri_node *node, const struct gri_hello *h)
{
    struct gri_latest *l = NULL;

    for (unsigned i = 0; i < GRI_LATEST_MAX && l == NULL; i++) {
        struct gri_latest *at = &node->latest[i];

        if (at->target == h->target && at->node == h->node && at->incarnation == h->incarnation)
            l = at;
    }
    if (l == NULL)
        l = &node->latest[node->latest_next++ % GRI_LATEST_MAX];
    else if (l->attempt > h->attempt)
        return true;
    *l = (struct gri_latest){ h->node, h->incarnation, h->target, h->attempt };
    return false;
}

bool gri_node_greeted(struct gri_node *node, struct gri_peer *p, const struct gri_hello *hello)
{
    struct gri_peer *old = NULL;
    bool late = false;

    do {
        gri_lock(&node->lock);
        p->hello = *hello;
        old = NULL;
        if (p->target == NULL && hello->target != 0) {
            late = late || is_outrun_locked(node, hello);
            old = take_place_locked(node, p, &late);
        }
        gri_unlock(&node->lock);
        if (old != NULL) {
            gri_peer_quiet(old);
            gri_peer_unref(old);
        }
    } while (old != NULL);
    return !late;
}

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
    gr_ref before, *entry;
    gr_value *dead;
    bool put;

    if (rt == NULL || name == NULL || name[0] == '\0' || strlen(name) > GRI_FRAME_NAME_MAX)
        return GR_EINVAL;
    node = gri_node_get(rt);
    if (node == NULL)
        return GR_ENOMEM;
    if (ref.node == 0 && ref.id == 0) {
        withdraw(node, name);
        return GR_OK;
    }
    before = gri_node_find(node, name);
    dead = before.id != 0 ? gr_check(rt, before) : NULL;
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
    return put ? GR_OK : GR_ENOMEM;
}

/* ---- where we listen ------------------------------------------------------------------------- */

/*
 * host_len returns the length of the host in host:port; 0 unless it is followed by a port and that
 * by nothing. What else a URL may hold is not taken: in tcp://localhost:1@0.0.0.0:2 it would hide
 * the host that is meant.
 */
static size_t host_len(const char *at)
{
    size_t len = at[0] == '[' ? strcspn(at, "]") + 1 : strcspn(at, ":@/?#[]");
    size_t digits;

    if (at[0] == '[' && at[len - 1] != ']')
        return 0;
    if (at[len] != ':')
        return 0;
    digits = strspn(at + len + 1, "0123456789");
    if (digits == 0 || digits > 5 || at[len + 1 + digits] != '\0')
        return 0;
    return len;
}

static bool is_loopback(const char *host, size_t len)
{
    if (len == 5 && strncmp(host, "[::1]", 5) == 0)
        return true;
    if (len == 9 && strncmp(host, "localhost", 9) == 0)
        return true;
    return strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == len;
}

static gr_value *bad_url(const char *url)
{
    const char *insecure = getenv("GR_INSECURE");

    if (url == NULL)
        return gr_error(GR_EINVAL, "no URL to listen at");
    if (strncmp(url, "ipc:///", 7) == 0 && url[7] != '\0')
        return NULL;
    if (strncmp(url, "tcp://", 6) != 0 || host_len(url + 6) == 0)
        return gr_error(GR_EINVAL, "listening at %s: a URL is ipc:///path or tcp://host:port", url);
    if (!is_loopback(url + 6, host_len(url + 6)) &&
        (insecure == NULL || strcmp(insecure, "1") != 0))
        return gr_error(GR_EINVAL,
                        "listening at %s: links are not encrypted, so only loopback "
                        "addresses are served, unless GR_INSECURE=1 is set in the environment",
                        url);
    return NULL;
}

/* keep adds a listener to the node's. */
static gr_code keep(struct gri_node *node, struct gri_listener *listener)
{
    struct gri_listener **all;
    gr_code rc = GR_ENOMEM;

    gri_lock(&node->lock);
    all = gri_resize(node->listeners, (node->listener_count + 1) * sizeof(*all));
    if (all != NULL) {
        all[node->listener_count++] = listener;
        node->listeners = all;
        rc = GR_OK;
    }
    gri_unlock(&node->lock);
    return rc;
}

gr_code gr_serve(gr_runtime *rt, const char *url, gr_value **reterr)
{
    struct gri_listener *listener = NULL;
    struct gri_node *node = NULL;
    gr_value *err = rt != NULL ? bad_url(url) : gr_error(GR_EINVAL, "no runtime to serve");
    gr_code rc = err != NULL ? gr_error_code(err) : GR_OK;

    if (rc == GR_OK) {
        node = gri_node_get(rt);
        rc = node != NULL ? node->driver->listen(rt, url, gri_peer_accept, node, &listener, &err)
                          : GR_ENOMEM;
    }
    if (rc == GR_OK) {
        rc = keep(node, listener);
        if (rc != GR_OK)
            node->driver->unlisten(listener);
    }
    if (rc != GR_OK && err == NULL)
        err = gr_error(rc, "listening at %s: out of memory", url);
    if (rc != GR_OK && reterr != NULL)
        *reterr = err;
    else
        gr_value_unref(err);
    return rc;
}
