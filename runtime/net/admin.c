/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/net/admin.h"

#include <string.h>

#include <greenroom/inspect.h>
#include <greenroom/link.h>

#include "runtime/actor/runtime_impl.h"

#define LOOK_MS 5 /* between two looks at what is under way */
#define WAIT_MS_MAX INT64_C(86400000)

/* ---- who may call what ----------------------------------------------------------------------- */

/* What changes nothing; a verb that is not known here is refused like one that does. */
static const char *const harmless[] = { "ps", "info", "stats", "health", "ping", "started" };

gr_value *gri_admin_refuses(const struct gri_peer *p, const char *verb)
{
    for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++) {
        if (strcmp(harmless[i], verb) == 0)
            return NULL;
    }
    if ((p->greeting.features & GRI_FEATURE_SHARE) != 0) /* see gri_node_features */
        return NULL;
    return gr_error_with(gr_error(GR_EINVAL,
                                  "%s is for links over which callers show who they are: a secret, "
                                  "ipc, or TLS with certificates on both sides",
                                  verb),
                         "kind", gr_str("NotProved"));
}

static gr_value *not_permitted(const char *verb)
{
    return gr_error_with(
        gr_error(GR_EINVAL, "this node does not let itself be changed: no %s", verb), "kind",
        gr_str("ReadOnly"));
}

/* ---- the verbs ------------------------------------------------------------------------------- */

static struct gri_node *node_of(gr_ctx *c)
{
    return gri_node_get(gr_runtime_of(c));
}

static gr_value *going(void)
{
    return gr_error(GR_EUNREACH, "the node is about to end");
}

static gr_value *ps(gr_ctx *c, void *self, const gr_value *args)
{
    struct gri_node *node = node_of(c);
    int64_t after = gr_as_int(gr_get(args, "after"), 0), max = gr_as_int(gr_get(args, "max"), 0);

    (void)self;
    if (after < 0 || max < 0)
        return gr_error(GR_EINVAL, "ps: \"after\" and \"max\" are numbers from 0");
    return node != NULL ? gri_admin_ps(c, node, (uint64_t)after, (size_t)max) : going();
}

/* actor_of finds who is meant by "actor". {0, 0}: nobody, *ret_err says so. */
static gr_ref actor_of(struct gri_node *node, const gr_value *args, gr_value **ret_err)
{
    const char *text = gr_cstr(gr_get(args, "actor"), NULL);
    gr_ref ref = text != NULL ? gri_admin_find(node, text) : (gr_ref){ 0, 0 };

    if (text == NULL)
        *ret_err = gr_error(GR_EINVAL, "\"actor\" is missing: a name or an id");
    else if (ref.id == 0)
        *ret_err = gr_error(GR_EDEAD, "there is no actor '%s'", text);
    return ref;
}

static gr_value *info(gr_ctx *c, void *self, const gr_value *args)
{
    struct gri_node *node = node_of(c);
    gr_value *err = NULL;
    gr_ref who;

    (void)self;
    if (node == NULL)
        return going();
    if (gr_get(args, "actor") == NULL)
        return gr_node_info(node->rt);
    who = actor_of(node, args, &err);
    return err != NULL ? err : gri_admin_actor(node, who);
}

static gr_value *stats(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self, (void)args;
    return gri_admin_stats(gr_runtime_of(c));
}

static gr_value *health(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self, (void)args;
    return gr_node_health(gr_runtime_of(c));
}

/* told sends the signal; the answer says to whom. */
static gr_value *told(struct gri_node *node, gr_ref who, const char *reason)
{
    gr_actor_info about = GR_ACTOR_INFO_INIT;
    gr_code rc = gr_inspect_actor(node->rt, who, &about);

    if (rc == GR_OK)
        rc = gr_exit_to(node->rt, who, gr_str(reason));
    if (rc != GR_OK)
        return gr_error(rc, "it could not be told: %s",
                        rc == GR_EDEAD ? "it has ended" : gr_code_name(rc));
    return gr_map(GR_KV("id", gri_admin_id(who)),
                  GR_KV("name", gr_str(about.name[0] != '\0' ? about.name : about.class_name)),
                  GR_KV("reason", gr_str(reason)));
}

static gr_value *kill_one(gr_ctx *c, void *self, const gr_value *args)
{
    const char *reason = gr_cstr(gr_get(args, "reason"), "shutdown");
    struct gri_node *node = node_of(c);
    gr_value *err = NULL;
    gr_ref who;

    (void)self;
    if (node == NULL)
        return going();
    if (node->admin.read_only)
        return not_permitted("kill");
    if (strcmp(reason, "normal") != 0 && strcmp(reason, "shutdown") != 0 &&
        strcmp(reason, "kill") != 0)
        return gr_error(GR_EINVAL, "a reason is normal, shutdown or kill");
    who = actor_of(node, args, &err);
    if (err == NULL && gri_admin_is(node, who))
        err = gr_error(GR_EINVAL, "this is the actor that you talk to; to end the node, drain it");
    return err != NULL ? err : told(node, who, reason);
}

size_t gri_admin_calls_in(struct gri_node *node)
{
    size_t drains = atomic_load(&node->admin.drains), all = atomic_load(&node->in_calls);

    return all > drains ? all - drains : 0;
}

/* wait_drained waits until only calls of drain are left, or that long; -1: for ever. */
static gr_code wait_drained(struct gri_node *node, int64_t wait_ms)
{
    uint64_t until_ns = gr_now_ns(node->rt) + (uint64_t)wait_ms * 1000000;
    gr_code rc = GR_OK;

    while (rc == GR_OK && gri_admin_calls_in(node) > 0 &&
           (wait_ms < 0 || gr_now_ns(node->rt) < until_ns))
        rc = gr_sleep(node->rt, LOOK_MS);
    return rc;
}

static gr_value *drain(gr_ctx *c, void *self, const gr_value *args)
{
    int64_t wait_ms = gr_as_int(gr_get(args, "wait_ms"), 0);
    struct gri_node *node = node_of(c);
    gr_code rc;

    (void)self;
    if (node == NULL)
        return going();
    if (node->admin.read_only || node->admin.drain == NULL)
        return not_permitted("drain");
    rc = gr_node_drain(node->rt, NULL);
    if (rc != GR_OK)
        return gr_error(rc, "the node can't drain: out of memory");
    if (!atomic_exchange(&node->admin.drain_told, true))
        node->admin.drain(node->admin.arg);
    rc = wait_drained(node, wait_ms > WAIT_MS_MAX ? WAIT_MS_MAX : wait_ms);
    if (rc != GR_OK)
        return gr_error(rc, "the wait was given up");
    return gr_map(GR_KV("left", gr_int((int64_t)gri_admin_calls_in(node))));
}

/* ---- the actor ------------------------------------------------------------------------------- */

static const gr_method methods[] = {
    { "ps", GR_ASYNC, ps, NULL },         { "info", GR_CHEAP, info, NULL },
    { "stats", GR_CHEAP, stats, NULL },   { "health", GR_CHEAP, health, NULL },
    { "kill", GR_CHEAP, kill_one, NULL }, { GRI_ADMIN_DRAIN, GR_ASYNC, drain, NULL },
};
static const gr_class admin_class = GR_CLASS(.name = "node", GR_METHODS(methods));

/* begin takes what the options say, once. */
static bool begin(struct gri_node *node, const gr_admin_opts *o)
{
    bool first;

    gri_lock(&node->lock);
    first = !node->admin.there;
    if (first) { /* whoever finds the actor finds these */
        node->admin.there = true;
        node->admin.read_only = o->read_only;
        node->admin.drain = o->drain;
        node->admin.arg = o->arg;
    }
    gri_unlock(&node->lock);
    return first;
}

gr_code gr_node_admin(gr_runtime *rt, const gr_admin_opts *opts)
{
    static const gr_admin_opts defaults = { .size = sizeof(defaults) };
    struct gri_node *node = rt != NULL ? gri_node_get(rt) : NULL;
    gr_ref ref;
    gr_code rc;

    if (node == NULL)
        return rt != NULL ? GR_ENOMEM : GR_EINVAL;
    if (!begin(node, opts != NULL ? opts : &defaults))
        return GR_EINVAL;
    ref = gr_spawn(gr_root(rt), &admin_class, GR_SPAWN(.name = GR_ADMIN_NAME));
    rc = ref.node != 0 ? GR_OK : GR_ENOMEM;
    if (rc == GR_OK) { /* before anybody can find it by its name */
        atomic_store_explicit(&node->admin.id, ref.id, memory_order_release); /* with read_only */
        rc = gri_node_publish(node, GR_ADMIN_NAME, ref);
    }
    if (rc != GR_OK) {
        gr_stop(rt, ref);
        gri_lock(&node->lock);
        node->admin.there = false;
        gri_unlock(&node->lock);
    }
    return rc;
}
