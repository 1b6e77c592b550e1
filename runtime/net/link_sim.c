/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link_sim.c - one end of a simulated connection: dialling, sending, and its events.
 *
 * The connection behaves like a stream transport: what arrives is a prefix of what was sent, in
 * order and once. Which prefix, when, and when each end finds out that there will be no more: that
 * is the seed's. Duplicates and reordering within a connection are below what a stream transport
 * shows; across connections they happen, since an old one may still deliver when a new one is up.
 */
#include "runtime/net/link_sim.h"

#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/strbuf.h"
#include "runtime/net/frame.h"

#define LATENCY_NS (2 * GRI_SIM_MS)      /* the longest when nothing is wrong */
#define DELAY_NS (5000 * GRI_SIM_MS)     /* and of a packet that takes long */
#define POLL_NS (250 * GRI_SIM_MS)       /* how often an end that is cut off looks again */
#define RETRY_NS (1000 * GRI_SIM_MS)     /* and one that can't connect */
#define PATIENCE_NS (30000 * GRI_SIM_MS) /* the longest that it waits for that */

static struct gri_sim_link *link_of(struct gri_link *base)
{
    return gri_container_of(base, struct gri_sim_link, base);
}

static struct gri_sim_packet *packet_of(struct gri_list *n)
{
    return gri_container_of(n, struct gri_sim_packet, node);
}

static bool happens(const struct gri_sim_link *l, enum gri_point p)
{
    return gri_sim_fault(&l->host->net->sim->chance, p);
}

static uint64_t draw(const struct gri_sim_link *l, uint64_t below)
{
    return gri_sim_draw(&l->host->net->sim->chance, below);
}

static uint64_t now_of(const struct gri_sim_link *l)
{
    return l->host->net->sim->now_ns;
}

/* has_arrived: healing hurries what takes long. What arrives only after the end never does. */
static bool has_arrived(const struct gri_sim_link *l, const struct gri_sim_packet *k)
{
    return (k->at_ns <= now_of(l) || l->host->net->sim->chance.healed) &&
           (k->at_ns <= l->down_ns || l->down_by_peer);
}

/* ---- from threads of the link's runtime ------------------------------------------------------ */

void gri_sim_link_ask(struct gri_sim_link *l, unsigned what)
{
    l->asks |= what;
    if (l->queued)
        return;
    l->queued = true;
    gri_ready(l->host->sched, &l->task); /* l may be gone from here on */
}

static void link_close(struct gri_link *base, gr_value *why)
{
    struct gri_sim_link *l = link_of(base);

    if (l->closing) {
        gr_value_unref(why);
        return;
    }
    l->closing = true;
    l->why = why;
    gri_sim_link_ask(l, GRI_SIM_CLOSE);
}

static void link_limit(struct gri_link *base, size_t frame_max)
{
    link_of(base)->frame_max = frame_max;
}

/* ---- sending --------------------------------------------------------------------------------- */

static void drop_packets(struct gri_list *packets)
{
    struct gri_list *n;

    while ((n = gri_list_pop(packets)) != NULL)
        gri_free(packet_of(n));
}

/* cut_up makes packets of frames. false: no memory. */
static bool cut_up(const unsigned char *p, size_t size, struct gri_list *packets)
{
    while (size > 0) {
        size_t len = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
        struct gri_sim_packet *k = gri_alloc(sizeof(*k) + len);

        gri_assert(size >= GRI_FRAME_HEAD && size - GRI_FRAME_HEAD >= len);
        if (k == NULL)
            return false;
        gri_list_init(&k->node);
        k->size = len;
        memcpy(k->body, p + GRI_FRAME_HEAD, len);
        gri_list_push(packets, &k->node);
        p += GRI_FRAME_HEAD + len;
        size -= GRI_FRAME_HEAD + len;
    }
    return true;
}

/* post puts packets on their way to the other end, if anything still gets there. */
static void post(struct gri_sim_link *l, struct gri_list *packets)
{
    struct gri_sim_link *to = l->peer;
    struct gri_list *n;

    if (to == NULL || to->deaf) {
        drop_packets(packets);
        return;
    }
    while ((n = gri_list_pop(packets)) != NULL) {
        struct gri_sim_packet *k = packet_of(n);

        k->at_ns = l->host->net->sim->now_ns +
                   draw(l, happens(l, GRI_AT_NET_DELAY) ? DELAY_NS : LATENCY_NS);
        if (k->at_ns < to->last_ns && !l->host->net->sim->chance.healed)
            k->at_ns = to->last_ns; /* healing hurries those before it, too: see has_arrived */
        to->last_ns = k->at_ns;
        to->waiting += k->size + GRI_FRAME_HEAD;
        gri_list_push(&to->packets, n);
    }
    n = to->packets.next;
    if (packet_of(n)->at_ns < to->due_ns)
        to->due_ns = packet_of(n)->at_ns;
    gri_sim_host_wake(to->host);
}

/* send_all puts whole frames on their way. */
static gr_code send_all(struct gri_sim_link *l, const void *frames, size_t size)
{
    struct gri_list packets;

    if (l->closing)
        return GR_EUNREACH;
    gri_list_init(&packets);
    if (!cut_up(frames, size, &packets)) {
        drop_packets(&packets);
        return GR_ENOMEM;
    }
    gri_sim_trouble(l);
    post(l, &packets);
    return GR_OK;
}

/* busy tells whether the sender is to wait: for what is on its way, or because the seed says so. */
static bool busy(struct gri_sim_link *l)
{
    if (l->peer != NULL && l->peer->waiting >= GRI_LINK_BUSY) {
        l->refused = true; /* the other end sees to room_ns */
    } else if (happens(l, GRI_AT_NET_FULL)) {
        l->refused = true;
        l->room_ns = now_of(l) + draw(l, 20 * GRI_SIM_MS);
        l->due_ns = l->room_ns < l->due_ns ? l->room_ns : l->due_ns;
        gri_sim_host_wake(l->host);
    }
    return l->refused;
}

static gr_code link_send(struct gri_link *base, const struct gri_slice *slices, unsigned count,
                         bool *ret_busy)
{
    struct gri_sim_link *l = link_of(base);
    struct gri_strbuf all = GRI_STRBUF_INIT;
    gr_code rc = GR_ENOMEM;

    for (unsigned i = 0; i < count; i++)
        gri_strbuf_add(&all, slices[i].data, slices[i].size);
    if (!all.failed)
        rc = send_all(l, all.data, all.len);
    gri_strbuf_fini(&all);
    *ret_busy = rc == GR_OK && busy(l);
    return rc;
}

static void link_urge(struct gri_link *base, const void *frame, size_t size)
{
    gr_code rc = send_all(link_of(base), frame, size);

    (void)rc; /* one that could not be sent is not missed */
}

static void link_vitals(struct gri_link *base, struct gri_vitals *ret)
{
    struct gri_sim_link *l = link_of(base);
    const struct gri_sim_packet *first =
        gri_list_empty(&l->packets) ? NULL : packet_of(l->packets.next);
    bool waits = first != NULL && l->beyond != NULL && has_arrived(l, first) &&
                 gri_sim_reach(l->beyond, l->host);

    ret->heard_ns = l->heard_ns;
    ret->waiting_ns = waits ? first->at_ns : 0;
}

/* ---- losing ---------------------------------------------------------------------------------- */

void gri_sim_link_lose(struct gri_sim_link *l, uint64_t at_ns)
{
    if (at_ns < l->down_ns || l->down_by_peer) {
        l->down_ns = at_ns < l->down_ns ? at_ns : l->down_ns;
        l->down_by_peer = false;
    }
    l->due_ns = l->host->net->sim->now_ns;
}

/* The other end gets all that was sent, then the end; or less, if what is on its way is lost. */
void gri_sim_link_part(struct gri_sim_link *l)
{
    struct gri_sim_link *to = l->peer;
    uint64_t at_ns = l->host->net->sim->now_ns + draw(l, LATENCY_NS);

    l->peer = NULL;
    if (to == NULL)
        return;
    to->peer = NULL;
    if (!happens(l, GRI_AT_NET_LOST) && at_ns < to->last_ns)
        at_ns = to->last_ns;
    if (to->down_ns == GRI_NEVER) {
        to->down_ns = at_ns;
        to->down_by_peer = true;
    }
    to->due_ns = l->host->net->sim->now_ns;
    gri_sim_host_wake(to->host);
}

static void go_down(struct gri_sim_link *l)
{
    gr_value *why = l->why;

    l->why = NULL;
    gri_list_remove(&l->node);
    if (l->listener != NULL)
        l->listener->link_count--;
    l->listener = NULL;
    gri_sim_link_part(l);
    l->events->down(l->arg, why);
    gri_sim_link_unref(l); /* the driver's. `queued` stays set: the task doesn't run again */
}

/* ---- the task -------------------------------------------------------------------------------- */

static void give_up(struct gri_sim_link *l, gr_value *why)
{
    link_close(&l->base, why);
}

/* connect decides what becomes of a dialled link: it is up, refused, or nobody answers and it is
 * tried again; whoever dialled has a limit of its own. */
static void connect_to(struct gri_sim_link *l)
{
    struct gri_sim_listener *n = gri_sim_listener_at(l->host->net, l->url);
    struct gri_sim_link *other;

    if (n != NULL && (!gri_sim_reach(l->host, n->host) || !gri_sim_reach(n->host, l->host))) {
        l->up_ns = now_of(l) + RETRY_NS;
        return;
    }
    if (n == NULL || happens(l, GRI_AT_NET_REFUSED)) {
        give_up(l, gr_error(GR_EUNREACH, "connecting: connection refused"));
        return;
    }
    other = gri_sim_link_new(n->host);
    if (other == NULL) {
        give_up(l, gr_error(GR_ENOMEM, "connecting: out of memory"));
        return;
    }
    other->peer = l;
    other->beyond = l->host;
    other->up_ns = now_of(l) + draw(l, LATENCY_NS);
    l->peer = other;
    l->beyond = n->host;
    l->up = true;
    gri_list_push(&n->pending, &other->node);
    gri_sim_host_wake(n->host);
    l->events->up(l->arg);
}

/* is_cut_off tells whether anything gets through; who is cut off for too long gives up. */
static bool is_cut_off(struct gri_sim_link *l)
{
    if (l->beyond == NULL || gri_sim_reach(l->beyond, l->host)) {
        l->cut_off_ns = 0;
        return false;
    }
    if (l->cut_off_ns == 0) {
        l->cut_off_ns = now_of(l);
        l->patience_ns = draw(l, PATIENCE_NS);
    }
    if (now_of(l) - l->cut_off_ns >= l->patience_ns ||
        (l->beyond->crashed && l->host->net->sim->chance.healed))
        give_up(l, gr_error(GR_EUNREACH, "the connection timed out"));
    return true;
}

/* tell_room lets the other end send again. */
static void tell_room(struct gri_sim_link *l)
{
    struct gri_sim_link *from = l->peer;

    if (from == NULL || !from->refused || l->waiting > GRI_LINK_BUSY / 2)
        return;
    from->room_ns = from->due_ns = now_of(l);
    gri_sim_host_wake(from->host);
}

/* frames_in reports what has arrived. */
static void frames_in(struct gri_sim_link *l)
{
    while (!l->closing && !gri_list_empty(&l->packets)) {
        struct gri_sim_packet *k = packet_of(l->packets.next);

        if (!has_arrived(l, k))
            return;
        gri_list_remove(&k->node);
        l->heard_ns = now_of(l);
        l->waiting -= k->size + GRI_FRAME_HEAD;
        if (k->size == 0 || k->size > l->frame_max)
            give_up(l, gr_error(GR_EPROTO, "a frame of %zu bytes, at most %zu are taken", k->size,
                                l->frame_max));
        else
            l->events->frame(l->arg, k->body, k->size);
        gri_free(k);
        tell_room(l);
    }
}

/* find_down notices that the connection is gone, once that is so. Healing hurries it. */
static void find_down(struct gri_sim_link *l, bool cut_off)
{
    bool due = l->down_ns <= now_of(l) || l->host->net->sim->chance.healed;

    if (l->down_ns == GRI_NEVER || !due || (l->down_by_peer && cut_off))
        return;
    if (l->down_by_peer && !gri_list_empty(&l->packets) &&
        packet_of(l->packets.next)->at_ns <= l->down_ns)
        return;
    give_up(l, l->down_by_peer ? gr_error(GR_EUNREACH, "receiving: the peer closed the connection")
                               : gr_error(GR_EUNREACH, "receiving: the connection was reset"));
}

static void look(struct gri_sim_link *l)
{
    bool cut_off;

    if (!l->up && l->url != NULL && l->up_ns <= now_of(l))
        connect_to(l);
    if (!l->up)
        return;
    cut_off = is_cut_off(l);
    if (!cut_off)
        frames_in(l);
    find_down(l, cut_off);
    if (l->refused && l->room_ns <= now_of(l) && !l->closing) {
        l->refused = false;
        l->room_ns = GRI_NEVER;
        l->events->room(l->arg);
    }
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* plan sets when to look again. */
static void plan(struct gri_sim_link *l)
{
    uint64_t next = l->up ? l->room_ns : l->url != NULL ? l->up_ns : GRI_NEVER;

    if (l->up && !gri_list_empty(&l->packets))
        next = sooner(next, sooner(packet_of(l->packets.next)->at_ns, now_of(l) + POLL_NS));
    if (l->cut_off_ns != 0)
        next = now_of(l) + POLL_NS;
    if (l->down_ns != GRI_NEVER)
        next = sooner(next,
                      sooner(l->down_ns > now_of(l) ? l->down_ns : GRI_NEVER, now_of(l) + POLL_NS));
    l->due_ns = next;
}

static void run(struct gri_task *t)
{
    struct gri_sim_link *l = gri_container_of(t, struct gri_sim_link, task);
    struct gri_sim_host *host = l->host;

    while (l->asks != 0) {
        unsigned asks = l->asks;

        l->asks = 0;
        if ((asks & GRI_SIM_CLOSE) != 0) {
            go_down(l);
            return;
        }
        if ((asks & GRI_SIM_UP) != 0) {
            l->up = true;
            l->events->up(l->arg);
        }
        look(l);
        plan(l);
    }
    l->queued = false;
    gri_sim_host_wake(host);
}

/* ---- beginning and end ----------------------------------------------------------------------- */

static void link_free(struct gri_sim_link *l)
{
    gri_assert(l->peer == NULL && gri_list_empty(&l->node));
    drop_packets(&l->packets);
    gr_value_unref(l->why);
    gri_free(l->url);
    gri_free(l);
}

void gri_sim_link_unref(struct gri_sim_link *l)
{
    if (--l->refs == 0)
        link_free(l);
}

static void link_release(struct gri_link *base)
{
    gri_sim_link_unref(link_of(base));
}

struct gri_sim_link *gri_sim_link_new(struct gri_sim_host *host)
{
    struct gri_sim_link *l = gri_new0(struct gri_sim_link);

    if (l == NULL)
        return NULL;
    l->base.driver = &gri_net_sim;
    l->refs = 2;
    l->host = host;
    l->task = (struct gri_task){ .run = run, .name = "link" };
    l->frame_max = GRI_FRAME_HELLO_MAX;
    l->due_ns = l->up_ns = l->room_ns = l->down_ns = GRI_NEVER;
    gri_list_init(&l->node);
    gri_list_init(&l->packets);
    return l;
}

static gr_code link_dial(gr_runtime *rt, const char *url, const struct gri_tls *tls,
                         const struct gri_link_events *events, void *arg,
                         struct gri_link **ret_link, gr_value **reterr)
{
    struct gri_sim_host *host = gri_sim_host_of(rt);
    struct gri_sim_link *l = NULL;

    (void)tls; /* nobody listens in on a simulation */
    if (host != NULL && gri_sim_host_run(host) == GR_OK)
        l = gri_sim_link_new(host);
    if (l != NULL)
        l->url = gri_strdup(url);
    if (l == NULL || l->url == NULL) {
        if (l != NULL)
            link_free(l);
        *reterr = gr_error(GR_ENOMEM, "connecting to %s: out of memory", url);
        return GR_ENOMEM;
    }
    l->events = events;
    l->arg = arg;
    l->up_ns = l->due_ns = now_of(l) + draw(l, LATENCY_NS);
    gri_list_push(&host->links, &l->node);
    *ret_link = &l->base;
    gri_sim_host_wake(host); /* l may be gone from here on */
    return GR_OK;
}

const struct gri_net_driver gri_net_sim = {
    .dial = link_dial,
    .listen = gri_sim_listen,
    .unlisten = gri_sim_unlisten,
    .send = link_send,
    .urge = link_urge,
    .vitals = link_vitals,
    .limit = link_limit,
    .close = link_close,
    .finish = link_close, /* what is on its way arrives all the same */
    .release = link_release,
    .stop = gri_sim_host_stop,
};
