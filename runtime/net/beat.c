/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/net/beat.h"

#include "runtime/net/peer.h"

#define NS_PER_MS UINT64_C(1000000)

/* ---- one peer -------------------------------------------------------------------------------- */

static void send_beat(struct gri_peer *p, uint64_t stalled_ns)
{
    struct gri_strbuf frame = GRI_STRBUF_INIT;

    if (gri_frame_beat(&frame, stalled_ns / NS_PER_MS) == GR_OK)
        p->link->driver->urge(p->link, frame.data, frame.len); /* one that is lost is no loss */
    gri_strbuf_fini(&frame);
}

/* silence_max: a peer that beats seldom is given the time of three beats. */
static uint64_t silence_max(const struct gri_peer *p)
{
    uint64_t detect_ns = p->node->set.detect_ns, theirs = 3 * NS_PER_MS * p->beat_ms;

    return theirs > detect_ns ? theirs : detect_ns;
}

/* judge gives up a peer that is silent, or says that it gets nowhere. since_ns: from when on we listened. */
static void judge(struct gri_peer *p, const struct gri_vitals *v, uint64_t now_ns,
                  uint64_t since_ns)
{
    uint64_t heard_ns = v->heard_ns > since_ns ? v->heard_ns : since_ns;
    uint64_t stalled_ms = atomic_load_explicit(&p->stalled_ms, memory_order_relaxed);

    if (heard_ns < p->up_ns)
        heard_ns = p->up_ns;
    if (v->waiting_ns == 0 && now_ns > heard_ns && now_ns - heard_ns > silence_max(p))
        gri_peer_hang_up(p, gr_error(GR_EUNREACH, "it has been silent for %llu ms",
                                     (unsigned long long)((now_ns - heard_ns) / NS_PER_MS)));
    else if (stalled_ms * NS_PER_MS >= p->node->set.stuck_ns)
        gri_peer_hang_up(p, gr_error(GR_EUNREACH,
                                     "its process lives, but has handled nothing for %llu ms",
                                     (unsigned long long)stalled_ms));
}

static void look_at(struct gri_peer *p, uint64_t now_ns, uint64_t since_ns)
{
    struct gri_vitals v = { .heard_ns = 0 };

    if (!gri_peer_is_up(p))
        return;
    p->link->driver->vitals(p->link, &v);
    send_beat(p, v.waiting_ns != 0 && now_ns > v.waiting_ns ? now_ns - v.waiting_ns : 0);
    judge(p, &v, now_ns, since_ns);
}

/* ---- the thread ------------------------------------------------------------------------------ */

/* next takes the first peer, which goes to the end of the list; NULL: it is not the link, or no more. */
static struct gri_peer *next(struct gri_node *node)
{
    struct gri_peer *p = NULL;
    struct gri_list *n;

    gri_lock(&node->lock);
    n = gri_list_pop(&node->at_node);
    if (n != NULL) {
        gri_list_push(&node->at_node, n);
        p = gri_container_of(n, struct gri_peer, at_node);
        if (p->place != GRI_PLACE_CURRENT || !gri_peer_ref_living(p))
            p = NULL;
    }
    gri_unlock(&node->lock);
    return p;
}

static void look_around(struct gri_node *node, uint64_t now_ns, uint64_t since_ns)
{
    for (uint32_t left = atomic_load_explicit(&node->peers, memory_order_relaxed); left > 0;
         left--) {
        struct gri_peer *p = next(node);

        if (p != NULL)
            look_at(p, now_ns, since_ns);
        gri_peer_unref(p);
    }
}

/* rest waits for the next round; without a link, until there is one. */
static void rest(struct gri_node *node, uint32_t seen, uint64_t *due_ns)
{
    if (atomic_load_explicit(&node->peers, memory_order_acquire) > 0) {
        gri_futex_wait(&node->beat_wake, seen, *due_ns);
        return;
    }
    gri_futex_wait(&node->beat_wake, seen, GRI_NEVER);
    *due_ns = gri_clock_ns() + node->set.heartbeat_ns;
}

static void *run(void *arg)
{
    struct gri_node *node = arg;
    uint64_t every_ns = node->set.heartbeat_ns, since_ns = gri_clock_ns(), due_ns = since_ns;
    uint32_t seen;

    /* acquire: pairs with gri_beat_stop */
    while (((seen = atomic_load_explicit(&node->beat_wake, memory_order_acquire)) & 1) == 0) {
        uint64_t now_ns = gri_clock_ns();

        if (now_ns > due_ns + every_ns)
            since_ns = now_ns; /* we stood still: what we did not hear then is not their fault */
        if (now_ns >= due_ns) {
            look_around(node, now_ns, since_ns);
            due_ns = now_ns + every_ns;
        }
        rest(node, seen, &due_ns);
    }
    return NULL;
}

gr_code gri_beat_start(struct gri_node *node)
{
    gr_code rc = GR_OK;

    gri_lock(&node->lock);
    if (!node->beating &&
        !node->stopping) { /* once it is stopping, gri_beat_stop alone has these */
        rc = gri_thread_start(&node->beat, "gr-beat", run, node);
        node->beating = rc == GR_OK;
    }
    gri_unlock(&node->lock);
    atomic_fetch_add_explicit(&node->beat_wake, 2, memory_order_release);
    gri_futex_wake(&node->beat_wake, 1);
    return rc;
}

void gri_beat_stop(struct gri_node *node)
{
    if (!node->beating) /* nobody starts it any more: the node is stopping */
        return;
    /* release: pairs with the acquire in run */
    atomic_fetch_or_explicit(&node->beat_wake, 1, memory_order_release);
    gri_futex_wake(&node->beat_wake, 1);
    gri_thread_join(&node->beat);
    node->beating = false;
}
