/* SPDX-License-Identifier: Apache-2.0 */
/* cluster.c - joining and leaving, and what the rest of the program asks of it. */
#include "runtime/cluster/cluster.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <greenroom/node.h>

#include "runtime/actor/runtime_impl.h"
#include "runtime/base/alloc.h"
#include "runtime/cluster/etcd.h"
#include "runtime/cluster/member.h"
#include "runtime/net/frame.h"
#include "runtime/net/node.h"
#include "runtime/sched/service.h"
#include "runtime/sched/world.h"

/* ---- the service ----------------------------------------------------------------------------- */

static void forget_claims_locked(struct gri_cluster *k)
{
    const struct gri_map_slot *slot;
    size_t at = 0;

    while ((slot = gri_map_next(&k->claims, &at)) != NULL)
        gri_free(slot->value);
    gri_map_fini(&k->claims);
    gri_map_init(&k->claims, gri_random(k->rt));
}

static void cluster_stop(void *object)
{
    struct gri_cluster *k = object;

    if (k->links != NULL)
        gri_node_watch(k->links, NULL, NULL);
    gr_future_free(k->watching);
    gri_etcd_free(k->etcd);
    gri_scope_unref(k->scope);
    forget_claims_locked(k);
    gri_map_fini(&k->claims);
    gri_directory_fini(&k->directory);
    gri_free(k->advertise);
    gri_free(k);
}

static gr_code make_cluster(gr_runtime *rt, struct gri_service *ret_service)
{
    struct gri_cluster *k = gri_new0(struct gri_cluster);

    if (k == NULL)
        return GR_ENOMEM;
    k->rt = rt;
    gri_directory_init(&k->directory, rt);
    gri_map_init(&k->claims, gri_random(rt));
    snprintf(k->node, sizeof(k->node), "%016" PRIx64, rt->node);
    snprintf(k->incarnation, sizeof(k->incarnation), "%016" PRIx64, gri_random(rt));
    *ret_service = (struct gri_service){ .object = k, .stop = cluster_stop };
    return GR_OK;
}

struct gri_cluster *gri_cluster_get(gr_runtime *rt)
{
    return rt != NULL ? gri_service_get(rt, GRI_SERVICE_CLUSTER, make_cluster) : NULL;
}

/* ---- for pools ------------------------------------------------------------------------------- */

gr_value *gri_providers_of(gr_runtime *rt, const char *name)
{
    struct gri_cluster *k = gri_cluster_get(rt);

    return k != NULL ? gri_directory_of(&k->directory, name) : NULL;
}

gr_ref gri_provider_here(gr_runtime *rt, const char *name)
{
    struct gri_node *node = gri_node_get(rt);
    gr_ref here = { 0, 0 };
    gr_value *dead;

    if (node != NULL)
        here = gri_node_find(node, name);
    if (here.id == 0)
        return here;
    dead = gr_check(rt, here);
    gr_value_unref(dead);
    return dead == NULL ? here : (gr_ref){ 0, 0 };
}

bool gri_is_here(gr_runtime *rt, const gr_value *provider)
{
    struct gri_cluster *k = gri_cluster_get(rt);
    bool here;

    if (k == NULL)
        return false;
    gri_lock(&k->lock);
    here =
        strcmp(gr_cstr(gr_get(provider, "node"), ""), k->node) == 0 ||
        (k->advertise != NULL && strcmp(gr_cstr(gr_get(provider, "url"), ""), k->advertise) == 0);
    gri_unlock(&k->lock);
    return here;
}

gr_value *gri_provider_wrong(const char *name, const char *url)
{
    static const char *const schemes[] = { "ipc:///", "tcp://", "tls+tcp://" };
    size_t len = name != NULL ? strlen(name) : 0;

    if (len == 0 || len > GRI_FRAME_NAME_MAX)
        return gr_error(GR_EINVAL, "a published name has 1 to %u bytes", GRI_FRAME_NAME_MAX);
    for (size_t i = 0; url != NULL && i < sizeof(schemes) / sizeof(schemes[0]); i++)
        if (strncmp(url, schemes[i], strlen(schemes[i])) == 0)
            return NULL;
    return gr_error(GR_EINVAL, "'%.200s': the URL of a provider is ipc:///path or tcp://host:port",
                    url != NULL ? url : "");
}

/* ---- joining --------------------------------------------------------------------------------- */

static gr_value *bad_options(const gr_cluster_opts *o)
{
    gr_value *err = NULL;

    for (size_t i = 0; i < o->provider_count && err == NULL; i++)
        err = gri_provider_wrong(o->providers[i].name, o->providers[i].url);
    if (err == NULL && o->advertise != NULL)
        err = gri_provider_wrong("advertise", o->advertise);
    if (err == NULL && o->etcd != NULL)
        err = gri_etcd_bad_options(o);
    return err;
}

static void forget_static(struct gri_cluster *k, const gr_cluster_opts *o, size_t count)
{
    for (size_t i = 0; i < count; i++)
        gri_directory_remove(&k->directory, o->providers[i].name, o->providers[i].url);
}

/* list_static puts the static list into the directory, all of it or nothing. */
static gr_value *list_static(struct gri_cluster *k, const gr_cluster_opts *o)
{
    for (size_t i = 0; i < o->provider_count; i++) {
        const gr_provider *p = &o->providers[i];
        gr_code rc = gri_directory_put(&k->directory,
                                       gri_provider(p->name, p->url, p->url, "", "", p->weight));

        if (rc == GR_OK)
            continue;
        forget_static(k, o, i);
        return gr_error(rc, "provider %zu, '%.200s' at %.200s: %s", i + 1, p->name, p->url,
                        rc == GR_EFULL ? "there are too many of them" : "out of memory");
    }
    return NULL;
}

/* begin takes the place of the one that joins; false: somebody has. */
static gr_value *begin(struct gri_cluster *k, const gr_cluster_opts *o)
{
    char *advertise = o->advertise != NULL ? gri_strdup(o->advertise) : NULL;
    gr_value *err = NULL;

    if (o->advertise != NULL && advertise == NULL)
        return gr_error(GR_ENOMEM, "out of memory");
    gri_lock(&k->lock);
    if (k->joined) {
        err = gr_error(GR_EINVAL, "this runtime has joined a cluster");
    } else {
        k->joined = true;
        k->advertise = advertise;
        k->weight = o->weight != 0 ? o->weight : 1;
        advertise = NULL;
    }
    gri_unlock(&k->lock);
    gri_free(advertise);
    return err;
}

/* end makes the runtime one that has not joined. */
static void end(struct gri_cluster *k)
{
    char *advertise;

    gri_lock(&k->lock);
    k->joined = false;
    advertise = k->advertise;
    k->advertise = NULL;
    k->state = (struct gri_member_state){ .registered = 0 };
    forget_claims_locked(k);
    gri_unlock(&k->lock);
    gri_free(advertise);
}

static gr_value *join(struct gri_cluster *k, const gr_cluster_opts *o)
{
    gr_value *err = begin(k, o);

    if (err != NULL)
        return err;
    err = list_static(k, o);
    if (err == NULL && o->etcd != NULL) {
        err = gri_etcd_join(k, o);
        if (err != NULL)
            forget_static(k, o, o->provider_count);
    }
    if (err != NULL)
        end(k);
    return err;
}

gr_code gr_cluster_join(gr_runtime *rt, const gr_cluster_opts *opts, gr_value **reterr)
{
    struct gri_cluster *k = gri_cluster_get(rt);
    gr_value *err;
    gr_code rc;

    if (rt == NULL || opts == NULL)
        err = gr_error(GR_EINVAL, "joining a cluster needs a runtime and options");
    else if (k == NULL)
        err = gr_error(GR_ENOMEM, "out of memory, or the runtime is shutting down");
    else
        err = bad_options(opts);
    if (err == NULL)
        err = join(k, opts);
    rc = err != NULL ? gr_error_code(err) : GR_OK;
    if (rc != GR_OK && reterr != NULL)
        *reterr = err;
    else
        gr_value_unref(err);
    return rc;
}

static bool has_joined(struct gri_cluster *k)
{
    bool joined;

    if (k == NULL)
        return false;
    gri_lock(&k->lock);
    joined = k->joined;
    gri_unlock(&k->lock);
    return joined;
}

gr_code gr_cluster_leave(gr_runtime *rt)
{
    struct gri_cluster *k = gri_cluster_get(rt);

    if (!has_joined(k))
        return GR_EINVAL;
    gri_etcd_leave(k);
    gri_directory_clear(&k->directory);
    end(k);
    return GR_OK;
}

/* ---- asking ---------------------------------------------------------------------------------- */

gr_future *gr_cluster_ready(gr_runtime *rt)
{
    struct gri_cluster *k = gri_cluster_get(rt);

    if (!has_joined(k))
        return rt != NULL ? gri_future_failed(gri_sched_of(rt), gr_error(GR_EINVAL, "not joined"))
                          : NULL;
    return gri_etcd_ready(k);
}

gr_value *gr_cluster_providers(gr_runtime *rt, const char *name)
{
    gr_value *list = name != NULL ? gri_providers_of(rt, name) : NULL;
    gr_value *out = gr_list_n(NULL, 0);

    for (size_t i = 0; i < gr_len(list); i++)
        if (!gri_is_here(rt, gr_at(list, i)))
            out = gr_append(out, gr_without(gr_value_ref(gr_at(list, i)), "id"));
    gr_value_unref(list);
    return out;
}

gr_value *gr_cluster_info(gr_runtime *rt)
{
    struct gri_cluster *k = gri_cluster_get(rt);
    struct gri_member_state state;
    bool joined, etcd, stale;
    size_t providers, claims;

    if (k == NULL)
        return gr_error(GR_ENOMEM, "out of memory, or the runtime is shutting down");
    gri_lock(&k->lock);
    joined = k->joined;
    etcd = k->etcd != NULL;
    state = k->state;
    claims = k->claims.count;
    gri_unlock(&k->lock);
    gri_lock(&k->directory.lock);
    stale = k->directory.stale;
    providers = k->directory.count;
    gri_unlock(&k->directory.lock);
    return gr_map(
        GR_KV("joined", gr_bool(joined)), GR_KV("etcd", gr_bool(etcd)),
        GR_KV("stale", gr_bool(stale)), GR_KV("providers", gr_int((int64_t)providers)),
        GR_KV("registered", gr_int(state.registered)), GR_KV("revision", gr_int(state.revision)),
        GR_KV("lease", gr_int((int64_t)state.lease)), GR_KV("claims", gr_int((int64_t)claims)));
}

gr_code gr_cluster_watch(gr_runtime *rt, const char *name, gr_ref to)
{
    struct gri_cluster *k = gri_cluster_get(rt);

    return k != NULL ? gri_directory_subscribe(&k->directory, name, to) : GR_ENOMEM;
}
