/* SPDX-License-Identifier: Apache-2.0 */
/* net_sim.c - the hosts of a simulated network: their threads, and what goes wrong between them. */
#include "runtime/actor/runtime_impl.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/net/link_sim.h"

#define SOON_NS (50 * GRI_SIM_MS)    /* when an end finds out, mostly */
#define LATE_NS (60000 * GRI_SIM_MS) /* and at the latest */
#define RIFT_NS (20000 * GRI_SIM_MS) /* the longest partition that a seed makes */
#define DARK_NS (3000 * GRI_SIM_MS)  /* the longest that a node is gone because of one */
#define TROUBLE_OF 8                 /* sends for one that trouble may come from */

static struct gri_sim_link *link_of(struct gri_list *n)
{
    return gri_container_of(n, struct gri_sim_link, node);
}

/* ---- the network ----------------------------------------------------------------------------- */

static void net_free(struct gri_sim *s)
{
    struct gri_sim_net *net = s->net;
    struct gri_list *n;

    while ((n = gri_list_pop(&net->hosts)) != NULL)
        gri_free(gri_container_of(n, struct gri_sim_host, node));
    while ((n = gri_list_pop(&net->rifts)) != NULL)
        gri_free(gri_container_of(n, struct gri_sim_rift, node));
    gri_free(net);
    s->net = NULL;
}

static struct gri_sim_net *net_of(struct gri_sim *s)
{
    struct gri_sim_net *net = s->net;

    if (net != NULL)
        return net;
    net = gri_new0(struct gri_sim_net);
    if (net == NULL)
        return NULL;
    net->sim = s;
    gri_list_init(&net->hosts);
    gri_list_init(&net->rifts);
    s->net = net;
    s->net_free = net_free;
    return net;
}

static struct gri_sim_host *find_host(const struct gri_sim_net *net, uint64_t id)
{
    for (struct gri_list *n = net->hosts.next; n != &net->hosts; n = n->next) {
        struct gri_sim_host *h = gri_container_of(n, struct gri_sim_host, node);

        if (h->id == id)
            return h;
    }
    return NULL;
}

struct gri_sim_host *gri_sim_host_of(gr_runtime *rt)
{
    struct gri_sim_net *net = net_of(rt->sched.sim);
    struct gri_sim_host *h = net != NULL ? find_host(net, rt->node) : NULL;

    if (net == NULL || h != NULL)
        return h;
    h = gri_new0(struct gri_sim_host);
    if (h == NULL)
        return NULL;
    h->net = net;
    h->id = rt->node;
    h->sched = &rt->sched;
    gri_list_init(&h->node);
    gri_list_init(&h->links);
    gri_list_init(&h->listeners);
    gri_list_push(&net->hosts, &h->node);
    return h;
}

/* ---- a host's thread ------------------------------------------------------------------------- */

void gri_sim_host_wake(struct gri_sim_host *h)
{
    atomic_fetch_add(&h->wake, 1);
    gri_futex_wake(&h->wake, 1);
}

/* soonest finds the link that is due first; *ret_due: when. */
static struct gri_sim_link *soonest(struct gri_sim_host *h, uint64_t *ret_due)
{
    struct gri_sim_link *first = NULL;

    *ret_due = GRI_NEVER;
    for (struct gri_list *n = h->links.next; n != &h->links; n = n->next) {
        struct gri_sim_link *l = link_of(n);

        if (!l->queued && l->due_ns < *ret_due) {
            first = l;
            *ret_due = l->due_ns;
        }
    }
    return first;
}

/* waiting_listener finds the listener that is to accept something next. */
static struct gri_sim_listener *waiting_listener(struct gri_sim_host *h, uint64_t *ret_due)
{
    struct gri_sim_listener *first = NULL;

    *ret_due = GRI_NEVER;
    for (struct gri_list *n = h->listeners.next; n != &h->listeners; n = n->next) {
        struct gri_sim_listener *k = gri_container_of(n, struct gri_sim_listener, node);

        if (k->busy || gri_list_empty(&k->pending) || link_of(k->pending.next)->up_ns >= *ret_due)
            continue;
        first = k;
        *ret_due = link_of(k->pending.next)->up_ns;
    }
    return first;
}

static void *run(void *arg)
{
    struct gri_sim_host *h = arg;

    while (!h->stopping) {
        uint32_t seen = atomic_load(&h->wake);
        uint64_t now_ns = gri_clock_ns(), link_due, listener_due;
        struct gri_sim_link *l = soonest(h, &link_due);
        struct gri_sim_listener *n = waiting_listener(h, &listener_due);

        if (l != NULL && link_due <= now_ns)
            gri_sim_link_ask(l, GRI_SIM_LOOK);
        else if (n != NULL && listener_due <= now_ns)
            gri_sim_listener_ready(n);
        else
            gri_futex_wait(&h->wake, seen, link_due < listener_due ? link_due : listener_due);
    }
    return NULL;
}

gr_code gri_sim_host_run(struct gri_sim_host *h)
{
    gr_code rc = GR_OK;

    if (!h->running)
        rc = gri_thread_start(&h->thread, "gr-net", run, h);
    h->running = h->running || rc == GR_OK;
    return rc;
}

void gri_sim_host_stop(gr_runtime *rt)
{
    struct gri_sim_host *h =
        rt->sched.sim->net != NULL ? find_host(rt->sched.sim->net, rt->node) : NULL;

    if (h == NULL || !h->running)
        return;
    gri_assert(gri_list_empty(&h->links) && gri_list_empty(&h->listeners));
    h->stopping = true;
    gri_sim_host_wake(h);
    gri_thread_join(&h->thread);
    h->running = false;
    h->sched = NULL;
}

/* ---- who reaches whom ------------------------------------------------------------------------ */

static bool is_rift(const struct gri_sim_rift *r, const struct gri_sim_host *a,
                    const struct gri_sim_host *b)
{
    return (r->a == a->id && r->b == b->id) || (r->a == b->id && r->b == a->id);
}

static bool is_dark(const struct gri_sim_host *h)
{
    return h->crashed || (!h->net->sim->chance.healed && h->dark_until > h->net->sim->now_ns);
}

bool gri_sim_reach(const struct gri_sim_host *a, const struct gri_sim_host *b)
{
    const struct gri_sim *s = a->net->sim;

    if (is_dark(a) || is_dark(b))
        return false;
    for (struct gri_list *n = a->net->rifts.next; n != &a->net->rifts; n = n->next) {
        const struct gri_sim_rift *r = gri_container_of(n, struct gri_sim_rift, node);

        if (is_rift(r, a, b) && (!r->one_way || r->a == a->id) &&
            (r->until_ns == GRI_NEVER || (!s->chance.healed && r->until_ns > s->now_ns)))
            return false;
    }
    return true;
}

/* look_all has every link of the host look around now. */
static void look_all(struct gri_sim_host *h)
{
    for (struct gri_list *n = h->links.next; n != &h->links; n = n->next) {
        link_of(n)->due_ns = h->net->sim->now_ns;
        if (link_of(n)->queued)
            link_of(n)->asks |= GRI_SIM_LOOK;
    }
    gri_sim_host_wake(h);
}

/* forget_rifts takes those out that are over, or between a and b. */
static void forget_rifts(struct gri_sim_net *net, const struct gri_sim_host *a,
                         const struct gri_sim_host *b)
{
    struct gri_list *n = net->rifts.next;

    while (n != &net->rifts) {
        struct gri_sim_rift *r = gri_container_of(n, struct gri_sim_rift, node);

        n = n->next;
        if (!is_rift(r, a, b) && r->until_ns > net->sim->now_ns)
            continue;
        gri_list_remove(&r->node);
        gri_free(r);
    }
}

/* part keeps two hosts apart until then. */
static gr_code part(struct gri_sim_host *a, struct gri_sim_host *b, bool one_way, uint64_t until_ns)
{
    struct gri_sim_rift *r = gri_new0(struct gri_sim_rift);

    if (r == NULL)
        return GR_ENOMEM;
    *r = (struct gri_sim_rift){ .a = a->id, .b = b->id, .one_way = one_way, .until_ns = until_ns };
    gri_list_init(&r->node);
    gri_list_push(&a->net->rifts, &r->node);
    look_all(a);
    look_all(b);
    return GR_OK;
}

/* ---- what goes wrong ------------------------------------------------------------------------- */

static uint64_t at_most(struct gri_sim *s, uint64_t ns)
{
    return s->now_ns + gri_sim_draw(&s->chance, ns);
}

/* usually is soon, and late now and then. */
static uint64_t usually(struct gri_sim *s)
{
    return at_most(s, gri_sim_draw(&s->chance, 4) == 0 ? LATE_NS : SOON_NS);
}

/* vanish_links ends some of a host's links: it knows at once, the others when they find out. */
static void vanish_links(struct gri_sim *s, struct gri_list *links)
{
    for (struct gri_list *n = links->next; n != links; n = n->next) {
        struct gri_sim_link *l = link_of(n), *to = l->peer;

        l->deaf = true;
        gri_sim_link_lose(l, s->now_ns);
        if (to == NULL)
            continue;
        to->deaf = true;
        gri_sim_link_lose(to, usually(s));
    }
}

static void vanish(struct gri_sim_host *h)
{
    vanish_links(h->net->sim, &h->links);
    for (struct gri_list *n = h->listeners.next; n != &h->listeners; n = n->next)
        vanish_links(h->net->sim, &gri_container_of(n, struct gri_sim_listener, node)->pending);
    for (struct gri_list *n = h->net->hosts.next; n != &h->net->hosts; n = n->next)
        gri_sim_host_wake(gri_container_of(n, struct gri_sim_host, node));
}

static void lose_both(struct gri_sim_link *l, struct gri_sim_link *to, uint64_t l_ns,
                      uint64_t to_ns)
{
    struct gri_sim_host *a = l->host, *b = to->host;

    gri_sim_link_lose(l, l_ns);
    gri_sim_link_lose(to, to_ns);
    gri_sim_host_wake(a);
    gri_sim_host_wake(b);
}

void gri_sim_trouble(struct gri_sim_link *l)
{
    struct gri_sim *s = l->host->net->sim;
    struct gri_sim_link *to = l->peer;

    if (to == NULL || gri_sim_draw(&s->chance, TROUBLE_OF) != 0)
        return;
    if (gri_sim_fault(&s->chance, GRI_AT_NET_CUT)) {
        lose_both(l, to, at_most(s, SOON_NS), at_most(s, SOON_NS));
    } else if (gri_sim_fault(&s->chance, GRI_AT_NET_LOST)) {
        to->deaf = true;
        lose_both(l, to, at_most(s, 10 * SOON_NS), at_most(s, 10 * SOON_NS));
    } else if (gri_sim_fault(&s->chance, GRI_AT_NET_HALF)) {
        bool ours = gri_sim_draw(&s->chance, 2) == 0;

        (ours ? l : to)->deaf = true;
        lose_both(ours ? l : to, ours ? to : l, at_most(s, SOON_NS), at_most(s, LATE_NS));
    } else if (gri_sim_fault(&s->chance, GRI_AT_NET_PARTITION)) {
        part(l->host, to->host, false, at_most(s, RIFT_NS));
    } else if (gri_sim_fault(&s->chance, GRI_AT_NET_CRASH)) {
        struct gri_sim_host *h = gri_sim_draw(&s->chance, 2) == 0 ? l->host : to->host;

        h->dark_until = at_most(s, DARK_NS);
        vanish(h);
    }
}

/* ---- the public side ------------------------------------------------------------------------- */

static bool is_ours(gr_runtime *rt)
{
    return rt != NULL && rt->sched.sim != NULL && rt->sched.sim == gri_sim_here();
}

static gr_code part_or_join(gr_runtime *a, gr_runtime *b, bool one_way, bool on)
{
    struct gri_sim_host *ha, *hb;

    if (!is_ours(a) || !is_ours(b) || a == b)
        return GR_EINVAL;
    ha = gri_sim_host_of(a);
    hb = gri_sim_host_of(b);
    if (ha == NULL || hb == NULL)
        return GR_ENOMEM;
    forget_rifts(ha->net, ha, hb);
    if (on)
        return part(ha, hb, one_way, GRI_NEVER);
    look_all(ha);
    look_all(hb);
    return GR_OK;
}

gr_code gr_sim_partition(gr_runtime *a, gr_runtime *b, bool on)
{
    return part_or_join(a, b, false, on);
}

gr_code gri_sim_one_way(gr_runtime *from, gr_runtime *to, bool on)
{
    return part_or_join(from, to, true, on);
}

gr_code gr_sim_crash(gr_runtime *rt)
{
    struct gri_sim_host *h;

    if (!is_ours(rt))
        return GR_EINVAL;
    h = gri_sim_host_of(rt);
    if (h == NULL)
        return GR_ENOMEM;
    h->crashed = true;
    vanish(h);
    return GR_OK;
}
