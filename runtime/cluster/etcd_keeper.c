/* SPDX-License-Identifier: Apache-2.0 */
/*
 * etcd_keeper.c - the lease, and the names that are registered under it. etcd_keeper.h has the rules.
 */
#include "runtime/cluster/etcd_keeper.h"

#include <stdio.h>
#include <string.h>

#include <greenroom/codec.h>

#include "runtime/base/alloc.h"
#include "runtime/net/node.h"
#include "runtime/sched/world.h"

#define NS_PER_MS UINT64_C(1000000)
#define REVOKE_MS 2000
#define WAIT_LEAST_MS 100
#define WAIT_MOST_MS 3000
#define READY_MAX 1024

/* ---- the lease ------------------------------------------------------------------------------- */

uint64_t gri_keeper_until_ns(const struct gri_keeper *s)
{
    return s->lease != 0 ? s->sent_ns + (uint64_t)(s->ttl_ms - s->ttl_ms / 10) * NS_PER_MS : 0;
}

int64_t gri_keeper_wait_ms(const struct gri_keeper *s)
{
    uint64_t now = gri_now(s->k->rt), until = gri_keeper_until_ns(s);
    int64_t ms = s->ttl_ms / 3 < WAIT_MOST_MS ? s->ttl_ms / 3 : WAIT_MOST_MS;

    if (until > now && (int64_t)((until - now) / NS_PER_MS) < ms)
        ms = (int64_t)((until - now) / NS_PER_MS);
    return ms > WAIT_LEAST_MS ? ms : WAIT_LEAST_MS;
}

/* show lets the rest of the program see how things stand. */
static void show(const struct gri_keeper *s)
{
    gri_lock(&s->k->lock);
    s->k->state.lease = s->lease;
    s->k->state.registered = (int64_t)s->registered.count;
    s->k->claims_until_ns = gri_keeper_until_ns(s);
    gri_unlock(&s->k->lock);
}

static void forget_names(struct gri_keeper *s)
{
    uint64_t seed = s->registered.seed;

    gri_map_fini(&s->registered);
    gri_map_init(&s->registered, seed);
}

/* lose forgets the lease. etcd may have it still: it is given up when there is a new one. */
static void lose(gr_ctx *c, struct gri_keeper *s, bool gone)
{
    if (s->lease == 0)
        return;
    s->old_lease = gone ? 0 : s->lease;
    s->lease = 0;
    forget_names(s);
    show(s);
    gri_claims_lose(c, s);
}

/* check_time ends a lease whose time is over. */
static void check_time(gr_ctx *c, struct gri_keeper *s)
{
    if (s->lease != 0 && gri_now(s->k->rt) >= gri_keeper_until_ns(s))
        lose(c, s, false);
}

bool gri_keeper_lost(gr_ctx *c, struct gri_keeper *s, const gr_value *err)
{
    if (gr_error_code(err) != GR_EREMOTE || gri_etcd_code(err) != GRI_ETCD_NOT_FOUND)
        return false;
    lose(c, s, true);
    return true;
}

static gr_value *lease_id(uint64_t lease)
{
    return gr_map(GR_KV("ID", gr_strf("%lld", (long long)lease)));
}

static bool took(struct gri_keeper *s, const gr_value *v)
{
    if (gr_error_code(v) == GR_OK) {
        s->failures = 0;
        return true;
    }
    s->failures++;
    gri_log_gated(&s->k->directory.gate, gri_now(s->k->rt), GRI_LOG_INFO, "etcd: %s",
                  gr_error_text(v));
    return false;
}

/* grant gets a new lease. false: not now. */
static bool grant(gr_ctx *c, struct gri_keeper *s)
{
    uint64_t sent = gri_now(s->k->rt);
    gr_value *v = gri_etcd_post(c, s->k, "/v3/lease/grant",
                                gr_map(GR_KV("TTL", gr_int(s->k->etcd->ttl_ms / 1000))),
                                gri_keeper_wait_ms(s));
    bool well = took(s, v) && gri_etcd_int(v, "ID") != 0;

    if (well) {
        s->lease = (uint64_t)gri_etcd_int(v, "ID");
        s->ttl_ms = gri_etcd_int(v, "TTL") * 1000;
        s->sent_ns = sent;
    }
    gr_value_unref(v);
    show(s);
    return well;
}

/* renew keeps the lease alive. false: not now, or it is over. */
static bool renew(gr_ctx *c, struct gri_keeper *s)
{
    uint64_t sent = gri_now(s->k->rt);
    gr_value *v =
        gri_etcd_post(c, s->k, "/v3/lease/keepalive", lease_id(s->lease), gri_keeper_wait_ms(s));
    bool well = took(s, v);
    int64_t ttl = well ? gri_etcd_int(gr_get(v, "result"), "TTL") : 0;

    gr_value_unref(v);
    if (well && ttl <= 0) {
        lose(c, s, true);
        return false;
    }
    if (well) {
        s->ttl_ms = ttl * 1000;
        s->sent_ns = sent;
        show(s);
    }
    check_time(c, s);
    return well;
}

static void revoke(gr_ctx *c, struct gri_keeper *s, uint64_t *lease)
{
    if (*lease != 0)
        gr_value_unref(gri_etcd_post(c, s->k, "/v3/lease/revoke", lease_id(*lease), REVOKE_MS));
    *lease = 0;
}

/* ---- names ----------------------------------------------------------------------------------- */

/* own_value is what others read of us: JSON in a binary. */
static gr_value *own_value(struct gri_cluster *k)
{
    gr_value *v, *out;
    size_t len = 0;
    char *text;

    gri_lock(&k->lock);
    v = gr_map(GR_KV("url", gr_str(k->advertise != NULL ? k->advertise : "")),
               GR_KV("incarnation", gr_str(k->incarnation)), GR_KV("weight", gr_int(k->weight)));
    gri_unlock(&k->lock);
    text = gr_json_print(v, 0, &len);
    out = text != NULL ? gr_bin(text, len) : gr_error(GR_ENOMEM, "out of memory");
    gr_value_unref(v);
    gr_free(text);
    return out;
}

/* done_with notes what came of putting or deleting a name. Takes v. */
static bool done_with(gr_ctx *c, struct gri_keeper *s, gr_value *v)
{
    bool well = took(s, v);

    if (!well)
        gri_keeper_lost(c, s, v);
    gr_value_unref(v);
    return well;
}

static gr_value *name_key(const struct gri_keeper *s, const char *name)
{
    char tail[GRI_NODE_TEXT + 1];

    snprintf(tail, sizeof(tail), "/%s", s->k->node);
    return gri_etcd_key(s->k->etcd, "names/", name, tail);
}

static bool put_name(gr_ctx *c, struct gri_keeper *s, const char *name)
{
    gr_value *pair = gr_map(GR_KV("key", name_key(s, name)), GR_KV("value", own_value(s->k)),
                            GR_KV("lease", gr_strf("%lld", (long long)s->lease)));

    if (!done_with(c, s, gri_etcd_post(c, s->k, "/v3/kv/put", pair, gri_keeper_wait_ms(s))))
        return false;
    return gri_map_puts(&s->registered, name, s); /* the value says no more than that it is there */
}

static bool delete_name(gr_ctx *c, struct gri_keeper *s, const char *name)
{
    gr_value *range = gr_map(GR_KV("key", name_key(s, name)));

    if (!done_with(c, s,
                   gri_etcd_post(c, s->k, "/v3/kv/deleterange", range, gri_keeper_wait_ms(s))))
        return false;
    gri_map_dels(&s->registered, name);
    return true;
}

/* withdrawn lists what is registered and not published. NULL: out of memory. */
static gr_value *withdrawn(const struct gri_keeper *s, const gr_value *names)
{
    gr_value *list = gr_list_n(NULL, 0);
    const struct gri_map_slot *slot;
    struct gri_map published;
    bool well = gr_error_code(names) == GR_OK; /* else all would look withdrawn */
    size_t at = 0;

    gri_map_init(&published, s->registered.seed);
    for (size_t i = 0; well && i < gr_len(names); i++)
        well = gri_map_puts(&published, gr_cstr(gr_at(names, i), ""), &published);
    while (well && (slot = gri_map_next(&s->registered, &at)) != NULL)
        if (gri_map_gets(&published, slot->name) == NULL)
            list = gr_append(list, gr_str(slot->name));
    gri_map_fini(&published);
    if (well && gr_error_code(list) == GR_OK)
        return list;
    gr_value_unref(list);
    return NULL;
}

/* register_all brings etcd in line with what is published. false: not now. */
static bool register_all(gr_ctx *c, struct gri_keeper *s)
{
    gr_value *names = gri_node_names(s->k->links), *old = withdrawn(s, names);
    bool well = old != NULL && (s->k->advertise == NULL || s->lease != 0);

    for (size_t i = 0; well && s->k->advertise != NULL && i < gr_len(names); i++) {
        const char *at = gr_cstr(gr_at(names, i), "");

        if (gri_map_gets(&s->registered, at) == NULL)
            well = put_name(c, s, at);
    }
    for (size_t i = 0; well && i < gr_len(old); i++)
        well = delete_name(c, s, gr_cstr(gr_at(old, i), ""));
    gr_value_unref(old);
    gr_value_unref(names);
    show(s);
    return well;
}

/* ---- what comes ------------------------------------------------------------------------------- */

static bool is_synced(struct gri_keeper *s)
{
    bool synced;

    gri_lock(&s->k->lock);
    synced = s->k->state.synced;
    gri_unlock(&s->k->lock);
    return synced;
}

/* tell_ready answers those who wait for that, and forgets those who have stopped to. */
static void tell_ready(struct gri_keeper *s, bool well)
{
    size_t kept = 0;

    well = well && is_synced(s);
    for (size_t i = 0; i < s->ready_count; i++) {
        struct gri_asker *a = s->ready[i];

        if (well)
            gri_asker_answer(a, gr_nil());
        if (gri_asker_gone(a))
            gri_asker_free(a);
        else
            s->ready[kept++] = a;
    }
    s->ready_count = kept;
}

/* bring_up_to_date does all that is to be done. false: etcd is away. */
static bool bring_up_to_date(gr_ctx *c, struct gri_keeper *s)
{
    bool needs = s->k->advertise != NULL || s->claim_count > 0;
    bool well = s->lease != 0 || !needs || grant(c, s);

    well = well && register_all(c, s);
    if (well)
        revoke(c, s, &s->old_lease);
    well = well && gri_claims_try(c, s, NULL);
    check_time(c, s);
    tell_ready(s, well && (s->lease != 0 || !needs));
    return well;
}

/* next_ms: a third of the lease; sooner when something is still to be done, or the lease runs out. */
static int64_t next_ms(struct gri_keeper *s, bool well)
{
    int64_t ms = well ? s->ttl_ms / 3 : gri_etcd_wait_ms(s->k->rt, s->failures);
    uint64_t now = gri_now(s->k->rt), until = gri_keeper_until_ns(s);

    if (until > now && (int64_t)((until - now) / NS_PER_MS) + 1 < ms)
        ms = (int64_t)((until - now) / NS_PER_MS) + 1;
    return ms;
}

static void arm(gr_ctx *c, struct gri_keeper *s, bool well)
{
    gr_cancel_timer(s->k->rt, s->tick);
    if (!s->leaving)
        gr_send_after(s->k->rt, gr_self(c), next_ms(s, well),
                      gr_map(GR_KV("what", gr_str(GRI_KEEPER_TICK))), &s->tick);
}

static void on_tick(gr_ctx *c, struct gri_keeper *s)
{
    bool well = true;

    check_time(c, s);
    if (s->lease != 0)
        well = renew(c, s) || s->lease == 0;
    if (well)
        well = bring_up_to_date(c, s);
    arm(c, s, well);
}

static void keeper_receive(gr_ctx *c, void *self, const gr_value *msg)
{
    struct gri_keeper *s = self;
    const char *what = gr_cstr(gr_get(msg, "what"), ""), *name = gr_cstr(gr_get(msg, "name"), "");

    if (s->leaving)
        return;
    if (strcmp(what, GRI_KEEPER_TICK) == 0) {
        on_tick(c, s);
        return;
    }
    check_time(c, s);
    if (strcmp(what, GRI_KEEPER_PUBLISHED) == 0) /* first: what comes from here on is told again */
        atomic_store(&s->k->poked, false);
    if (strcmp(what, GRI_KEEPER_MISSING) == 0)
        gri_map_dels(&s->registered, name);
    if (strcmp(what, GRI_KEEPER_FREE) == 0)
        gri_claims_try(c, s, name);
    else
        arm(c, s, bring_up_to_date(c, s));
}

static void keeper_down(gr_ctx *c, void *self, uint64_t monitor, gr_ref who, const gr_value *reason)
{
    (void)monitor, (void)reason;
    gri_claims_release(c, self, NULL, who);
}

static gr_value *keeper_claim(gr_ctx *c, void *self, const gr_value *args)
{
    struct gri_keeper *s = self;
    gr_value *err =
        s->leaving ? gr_error(GR_ECANCELED, "leaving the cluster") : gri_claims_add(c, s, args);

    if (err != NULL)
        return err;
    arm(c, s, bring_up_to_date(c, s));
    return NULL;
}

static gr_value *keeper_release(gr_ctx *c, void *self, const gr_value *args)
{
    gri_claims_release(c, self, gr_cstr(args, ""), (gr_ref){ 0, 0 });
    return gr_nil();
}

static gr_value *keeper_ready(gr_ctx *c, void *self, const gr_value *args)
{
    struct gri_keeper *s = self;
    struct gri_asker **all = NULL;

    (void)args;
    if (s->leaving)
        return gr_error(GR_ECANCELED, "leaving the cluster");
    if (s->ready_count >= READY_MAX)
        return gr_error(GR_EFULL, "%d wait already", READY_MAX);
    all = gri_resize(s->ready, (s->ready_count + 1) * sizeof(*all));
    if (all == NULL)
        return gr_error(GR_ENOMEM, "out of memory");
    s->ready = all;
    s->ready[s->ready_count] = gri_asker_new(c, s->k);
    if (s->ready[s->ready_count] == NULL)
        return gr_error(GR_ENOMEM, "out of memory");
    s->ready_count++;
    arm(c, s, bring_up_to_date(c, s));
    return NULL;
}

static void leave(gr_ctx *c, struct gri_keeper *s)
{
    s->leaving = true;
    gr_cancel_timer(s->k->rt, s->tick);
    revoke(c, s, &s->lease);
    revoke(c, s, &s->old_lease);
    forget_names(s);
    show(s);
    gri_claims_lose(c, s);
    for (size_t i = 0; i < s->ready_count; i++)
        gri_asker_answer(s->ready[i], gr_error(GR_ECANCELED, "leaving the cluster"));
}

static gr_value *keeper_leave(gr_ctx *c, void *self, const gr_value *args)
{
    (void)args;
    leave(c, self);
    return gr_nil();
}

/* keeper_terminate: the runtime ends, and has not left before; its holders end with it. */
static void keeper_terminate(gr_ctx *c, void *self, const gr_value *reason)
{
    struct gri_keeper *s = self;

    (void)c, (void)reason;
    if (!s->leaving && s->lease != 0)
        gri_etcd_farewell(s->k->rt, s->k->etcd, "/v3/lease/revoke", lease_id(s->lease));
    s->leaving = true;
}

static gr_code keeper_init(gr_ctx *c, void *self, const gr_value *args)
{
    struct gri_keeper *s = self;

    (void)c;
    *s = (struct gri_keeper){ .k = gr_as_opaque(args) };
    gri_map_init(&s->registered, gri_random(s->k->rt));
    s->ttl_ms = s->k->etcd->ttl_ms;
    return GR_OK;
}

static void keeper_stopped(void *self, const gr_value *args)
{
    struct gri_keeper *s = self;

    (void)args;
    for (size_t i = 0; i < s->ready_count; i++)
        gri_asker_free(s->ready[i]);
    gri_free(s->ready);
    gri_claims_fini(s);
    gri_map_fini(&s->registered);
}

static const gr_method keeper_methods[] = {
    { "claim", GR_ASYNC, keeper_claim, NULL },
    { "release", GR_ASYNC, keeper_release, NULL },
    { "ready", GR_ASYNC, keeper_ready, NULL },
    { "leave", GR_ASYNC, keeper_leave, NULL },
};
const gr_class gri_etcd_keeper_class =
    GR_CLASS(.name = "etcd keeper", .state_size = sizeof(struct gri_keeper), .init = keeper_init,
             .receive = keeper_receive, .down = keeper_down, .terminate = keeper_terminate,
             .stopped = keeper_stopped, GR_METHODS(keeper_methods));
