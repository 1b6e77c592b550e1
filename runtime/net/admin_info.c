/* SPDX-License-Identifier: Apache-2.0 */
/* admin_info.c - a node as a value: what it is, its links, its limits, what it has counted. */
#include <string.h>
#include <unistd.h>

#include <greenroom/stats.h>

#include "runtime/actor/runtime_impl.h"
#include "runtime/base/alloc.h"
#include "runtime/net/admin.h"

#define LINKS_MAX 256u
#define NS_PER_MS UINT64_C(1000000)

static gr_value *number(uint64_t n)
{
    return gr_int(n <= INT64_MAX ? (int64_t)n : INT64_MAX);
}

/* since gives the ms from then to now; nothing is before its time. */
static gr_value *since(uint64_t now_ns, uint64_t then_ns)
{
    return number(now_ns > then_ns ? (now_ns - then_ns) / NS_PER_MS : 0);
}

/* hex: 64 bits are no JSON number that every program reads right. */
static gr_value *hex(uint64_t n)
{
    return gr_strf("%016llx", (unsigned long long)n);
}

/* ---- links ----------------------------------------------------------------------------------- */

/* What is read under the node's lock. */
struct seen {
    struct gri_peer *peer; /* counted */
    uint64_t id, incarnation;
    char name[GRI_HELLO_NAME_MAX + 1];
};

/* insert keeps the links in the order in which they came, whatever the list's is at the moment. */
static void insert(struct seen *all, size_t count, const struct seen *one)
{
    size_t at = count;

    while (at > 0 && all[at - 1].peer->serial > one->peer->serial) {
        all[at] = all[at - 1];
        at--;
    }
    all[at] = *one;
}

static size_t see(struct gri_node *node, struct seen *all)
{
    size_t count = 0;

    gri_lock(&node->lock);
    for (struct gri_list *n = node->at_node.next; n != &node->at_node && count < LINKS_MAX;
         n = n->next) {
        struct seen one = { .peer = gri_container_of(n, struct gri_peer, at_node) };

        if (one.peer->place != GRI_PLACE_CURRENT || !gri_peer_ref_living(one.peer))
            continue;
        one.id = one.peer->hello.node;
        one.incarnation = one.peer->hello.incarnation;
        memcpy(one.name, one.peer->hello.name, sizeof(one.name));
        insert(all, count++, &one);
    }
    gri_unlock(&node->lock);
    return count;
}

/* describe gives nil for a link that is not up. */
static gr_value *describe(const struct seen *s)
{
    struct gri_peer *p = s->peer;
    struct gri_vitals v = { .heard_ns = 0 };
    uint64_t now_ns = gri_clock_ns(), up_ns, frames_out;
    size_t ours, theirs;
    bool up;

    gri_lock(&p->lock);
    up = p->state == GRI_PEER_UP;
    up_ns = p->up_ns;
    ours = p->ours.count;
    theirs = p->theirs.count + p->routed.count;
    frames_out = p->frames_out;
    gri_unlock(&p->lock);
    if (!up)
        return gr_nil();
    p->link->driver->vitals(p->link, &v);
    return gr_map(
        GR_KV("url", p->target != NULL ? gr_str(p->url) : gr_nil()), GR_KV("name", gr_str(s->name)),
        GR_KV("id", hex(s->id)), GR_KV("incarnation", hex(s->incarnation)),
        GR_KV("up_ms", since(now_ns, up_ns)), GR_KV("calls_out", number(ours)),
        GR_KV("calls_in", number(theirs)), GR_KV("bytes_out", number(v.bytes_out)),
        GR_KV("bytes_in", number(v.bytes_in)), GR_KV("frames_out", number(frames_out)),
        GR_KV("frames_in", number(atomic_load_explicit(&p->frames_in, memory_order_relaxed))),
        GR_KV("silent_ms", since(now_ns, v.heard_ns != 0 ? v.heard_ns : up_ns)),
        GR_KV("proved", gr_bool((p->greeting.features & GRI_FEATURE_SHARE) != 0)));
}

static gr_value *links(struct gri_node *node)
{
    struct seen *all = gri_alloc0(LINKS_MAX * sizeof(*all));
    gr_value *list = gr_list_n(NULL, 0);
    size_t count;

    if (all == NULL) {
        gr_value_unref(list);
        return gr_error(GR_ENOMEM, "out of memory");
    }
    count = see(node, all);
    for (size_t i = 0; i < count; i++) {
        gr_value *v = describe(&all[i]);

        if (gr_is_nil(v))
            gr_value_unref(v);
        else
            list = gr_append(list, v);
        gri_peer_unref(all[i].peer);
    }
    gri_free(all);
    return list;
}

/* count_links: a peer listed is alive while the lock is held. */
static size_t count_links(struct gri_node *node)
{
    size_t count = 0;

    gri_lock(&node->lock);
    for (struct gri_list *n = node->at_node.next; n != &node->at_node; n = n->next)
        count += gri_container_of(n, struct gri_peer, at_node)->place == GRI_PLACE_CURRENT;
    gri_unlock(&node->lock);
    return count;
}

/* ---- stats ----------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    size_t at;
} fields[] = {
#define FIELD(name)                                                                                \
    {                                                                                              \
#name, offsetof(gr_stats, name)                                                            \
    }
    FIELD(messages),
    FIELD(calls_started),
    FIELD(calls_ended),
    FIELD(calls_now),
    FIELD(calls_high),
    FIELD(bytes_now),
    FIELD(bytes_high),
    FIELD(mailbox_high),
    FIELD(stacks_now),
    FIELD(stacks_high),
    FIELD(blocking_threads_now),
    FIELD(blocking_queue_now),
    FIELD(blocking_queue_high),
    FIELD(timers_now),
    FIELD(dead_letters),
    FIELD(refused_mailbox),
    FIELD(refused_mailbox_bytes),
    FIELD(refused_queue_ms),
    FIELD(refused_bytes),
    FIELD(refused_calls),
    FIELD(refused_asks),
    FIELD(refused_budget),
    FIELD(refused_fibers),
    FIELD(refused_blocking),
    FIELD(refused_actors),
    FIELD(refused_timers),
    FIELD(refused_stash),
    FIELD(refused_verbs),
    FIELD(dropped_newest),
    FIELD(dropped_oldest),
    FIELD(killed_overflow),
    FIELD(killed_overtime),
    FIELD(slow_handlers),
    FIELD(stuck_workers),
    FIELD(spares_now),
    FIELD(blocking_threads_high),
    FIELD(turns),
    FIELD(calls_inline),
    FIELD(calls_direct),
    FIELD(waits),
    FIELD(stood_back),
    FIELD(steals),
    FIELD(stolen),
    FIELD(injected),
    FIELD(parks),
    FIELD(wakes),
    FIELD(queue_now),
    FIELD(queue_shared_now),
    FIELD(queue_pinned_now),
    FIELD(workers_now),
    FIELD(workers_idle_now),
    FIELD(workers_searching_now),
    FIELD(events_lost),
    FIELD(frames_sent),
    FIELD(frames_received),
    FIELD(values_sent),
    FIELD(values_received),
#undef FIELD
};
#define FIELD_COUNT (sizeof(fields) / sizeof(fields[0]))
_Static_assert(FIELD_COUNT == (sizeof(gr_stats) - sizeof(size_t)) / sizeof(uint64_t),
               "all that is counted is told");

gr_value *gri_admin_stats(gr_runtime *rt)
{
    gr_stats s = GR_STATS_INIT;
    gr_kv pairs[FIELD_COUNT];

    gr_stats_read(rt, &s);
    for (size_t i = 0; i < FIELD_COUNT; i++)
        pairs[i] =
            (gr_kv){ fields[i].name,
                     number(*(const uint64_t *)(const void *)((const char *)&s + fields[i].at)) };
    return gr_map_n(pairs, FIELD_COUNT);
}

/* ---- the node -------------------------------------------------------------------------------- */

static gr_value *gone(void)
{
    return gr_error(GR_ENOMEM, "out of memory, or the runtime is about to end");
}

gr_value *gr_node_health(gr_runtime *rt)
{
    struct gri_node *node = rt != NULL ? gri_node_get(rt) : NULL;
    gr_stats s = GR_STATS_INIT;

    if (node == NULL)
        return gone();
    gr_stats_read(rt, &s);
    return gr_map(
        GR_KV("status", gr_str(atomic_load(&node->draining) ? "draining" : "ok")),
        GR_KV("node", gr_str(node->set.name)), GR_KV("cluster", gr_str(node->set.cluster)),
        GR_KV("uptime_ms", since(gri_now(rt), node->born_ns)),
        GR_KV("workers", number(s.workers_now)), GR_KV("workers_idle", number(s.workers_idle_now)),
        GR_KV("queue", number(s.queue_now)), GR_KV("calls", number(s.calls_now)),
        GR_KV("calls_in", number(gri_admin_calls_in(node))),
        GR_KV("links", number(count_links(node))));
}

static gr_value *limits(gr_runtime *rt, const struct gri_node_settings *set)
{
    return gr_map(GR_KV("workers", gr_int(rt->sched.worker_count)),
                  GR_KV("mailbox_max", number(rt->mailbox_max)),
                  GR_KV("actors_max", number(rt->registry.max)),
                  GR_KV("timers_max", number(rt->laters.max)),
                  GR_KV("isolated_max", gr_int(rt->isolated_max)),
                  GR_KV("shutdown_ms", gr_int(rt->shutdown_ms)),
                  GR_KV("link_calls_max", gr_int(GRI_CALLS_MAX)),
                  GR_KV("link_bytes", number(set->link_bytes)),
                  GR_KV("connect_ms", number(set->connect_ns / NS_PER_MS)),
                  GR_KV("heartbeat_ms", number(set->heartbeat_ns / NS_PER_MS)),
                  GR_KV("detect_ms", number(set->detect_ns / NS_PER_MS)),
                  GR_KV("stuck_ms", number(set->stuck_ns / NS_PER_MS)));
}

/* listens lists where the node does. Texts are copied under the lock, which is no place to ask for memory: so
 * there are few, and what is longer is cut. */
static gr_value *listens(struct gri_node *node)
{
    char urls[16][256];
    gr_value *list = gr_list_n(NULL, 0);
    size_t count = 0;

    gri_lock(&node->lock);
    for (; count < node->door_count && count < sizeof(urls) / sizeof(urls[0]); count++) {
        const char *url = node->doors[count]->url;
        size_t len = strlen(url) < sizeof(urls[0]) - 1 ? strlen(url) : sizeof(urls[0]) - 1;

        memcpy(urls[count], url, len);
        urls[count][len] = '\0';
    }
    gri_unlock(&node->lock);
    for (size_t i = 0; i < count; i++)
        list = gr_append(list, gr_str(urls[i]));
    return list;
}

static const char *admin_of(const struct gri_node *node)
{
    /* acquire: pairs with gr_node_admin */
    if (atomic_load_explicit(&node->admin.id, memory_order_acquire) == 0)
        return "off";
    return node->admin.read_only ? "read" : "full";
}

gr_value *gr_node_info(gr_runtime *rt)
{
    struct gri_node *node = rt != NULL ? gri_node_get(rt) : NULL;
    gr_value *v;

    if (node == NULL)
        return gone();
    v = gr_node_health(rt);
    v = gr_set(v, "id", hex(node->id));
    v = gr_set(v, "incarnation", hex(node->incarnation));
    v = gr_set(v, "version", gr_str(gr_version()));
    v = gr_set(v, "pid", gr_int(getpid()));
    v = gr_set(v, "admin", gr_str(admin_of(node)));
    v = gr_set(v, "listens", listens(node));
    v = gr_set(v, "published", gri_node_names(node));
    v = gr_set(v, "links", links(node));
    v = gr_set(v, "limits", limits(rt, &node->set));
    return gr_set(v, "stats", gri_admin_stats(rt));
}
