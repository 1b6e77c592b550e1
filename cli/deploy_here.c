/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deploy_here.c - one process of a deployment: what it makes, what it publishes, and by which proxies it calls
 * the rest.
 *
 * An actor on one node is called at that node's URL. One that is on several is a pool, whose providers are
 * the cluster's: etcd's if the file names one, else a list of all its nodes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/chain_build.h"
#include "cli/session.h"
#include "cli/console.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"

#define READY_MS 30000 /* for etcd: then we go on without, and it comes when it comes */

/* ---- entering -------------------------------------------------------------------------------- */

/* no_such_node says which there are. */
static int no_such_node(const struct gri_chain_file *f, const char *path, const char *name)
{
    const struct gri_deploy *d = &f->deploy;
    const char *nearest;

    if (d->node_count == 0) {
        gri_say("%s has no nodes; --node is for files that have", path);
        return GRI_EXIT_USAGE;
    }
    nearest = gri_chain_nearest(name, d->nodes, d->node_count, sizeof(d->nodes[0]));
    gri_say("%s has no node \"%s\"%s%s%s", path, name, nearest != NULL ? "; did you mean \"" : "",
            nearest != NULL ? nearest : "", nearest != NULL ? "\"?" : "");
    return GRI_EXIT_USAGE;
}

/* fill_in lists what the node listens on and publishes. false: out of memory. */
static bool fill_in(struct gri_chain_file *f, size_t index)
{
    const struct gri_deploy_node *n = &f->deploy.nodes[index];

    gri_assert(f->listen == NULL && f->publish == NULL);
    f->listen = gri_alloc_array(n->url_count, sizeof(f->listen[0]));
    f->publish = gri_alloc_array(f->actor_count, sizeof(f->publish[0]));
    if (f->listen == NULL || f->publish == NULL)
        return false;
    for (size_t i = 0; i < n->url_count; i++)
        f->listen[f->listen_count++] = gri_deploy_url(n, i);
    for (size_t i = 0; i < f->actor_count; i++) {
        struct gri_chain_actor *a = &f->actors[i];

        if ((a->placement.on >> index & 1) != 0)
            f->publish[f->publish_count++] =
                (struct gri_chain_publish){ .name = a->name, .at = a->key->at, .actor = a };
    }
    return true;
}

/* set_env gives the process what the node's env says. */
static int set_env(const struct gri_chain_node *env)
{
    for (size_t i = 0; env != NULL && i < env->count; i++) {
        if (setenv(env->items[i].key->text, gri_chain_text(env->items[i].value), 1) != 0) {
            gri_say("env: %s", strerror(errno));
            return GRI_EXIT_FAILED;
        }
    }
    return -1;
}

int gri_deploy_enter(struct gri_chain_file *f, const char *path, const char *name,
                     unsigned *workers)
{
    struct gri_deploy *d = &f->deploy;
    const struct gri_chain_node *said;
    long long count = 0;
    size_t i = 0;

    while (i < d->node_count && strcmp(d->nodes[i].name, name) != 0)
        i++;
    if (i == d->node_count)
        return no_such_node(f, path, name);
    d->active = true;
    d->here = &d->nodes[i];
    said = gri_chain_get(d->here->keys, "workers");
    if (*workers == 0 && said != NULL && gri_chain_to_int(said, &count))
        *workers = (unsigned)count;
    if (!fill_in(f, i)) {
        gri_say("out of memory");
        return GRI_EXIT_FAILED;
    }
    return set_env(gri_chain_get(d->here->keys, "env"));
}

void gri_deploy_visit(struct gri_chain_file *f)
{
    f->deploy.active = f->deploy.node_count > 0;
}

/* ---- the cluster ----------------------------------------------------------------------------- */

static const char *node_text(const struct gri_chain_file *f, const char *key)
{
    const struct gri_chain_node *n = gri_chain_get(f->node, key);

    return n != NULL ? gri_chain_text(n) : NULL;
}

/* list_pools lists all that actors on several nodes have, for who has no etcd. *ret_list is NULL if there is
 * nothing. false: out of memory. */
static bool list_pools(const struct gri_chain_file *f, gr_provider **ret_list, size_t *ret_count)
{
    const struct gri_deploy *d = &f->deploy;
    size_t count = 0;

    *ret_list = NULL;
    *ret_count = 0;
    for (size_t i = 0; d->active && i < f->actor_count; i++)
        count += f->actors[i].placement.pooled ? d->node_count : 0;
    if (count == 0)
        return true;
    *ret_list = gri_alloc_array(count, sizeof(**ret_list));
    for (size_t i = 0; *ret_list != NULL && i < f->actor_count; i++) {
        const struct gri_placement *p = &f->actors[i].placement;

        for (size_t n = 0; p->pooled && n < d->node_count; n++) {
            if ((p->on >> n & 1) != 0)
                (*ret_list)[(*ret_count)++] =
                    (gr_provider){ .name = f->actors[i].name, .url = d->nodes[n].reached };
        }
    }
    return *ret_list != NULL;
}

/* advertised is where others call us; NULL: they don't. */
static const char *advertised(const struct gri_chain_file *f)
{
    if (f->deploy.here != NULL)
        return f->deploy.here->reached;
    return f->serves && f->listen_count > 0 ? f->listen[0] : NULL;
}

/* etcd_of fills in what the file says of etcd. Returns -1, or the exit code after saying why not. */
static int etcd_of(const struct gri_chain_file *f, const char *path, char *ca,
                   gr_cluster_opts *opts)
{
    const struct gri_chain_node *variable = gri_chain_get(f->node, "etcd_password_env");

    opts->etcd = node_text(f, "etcd");
    opts->user = node_text(f, "etcd_user");
    opts->ca_file = ca;
    opts->cluster = node_text(f, "cluster");
    if (gri_chain_get(f->node, "etcd_ttl_ms") != NULL)
        opts->ttl_ms = gri_arg_int(f->node, "etcd_ttl_ms", 0);
    if (variable == NULL)
        return -1;
    opts->password = getenv(gri_chain_text(variable));
    if (opts->password != NULL)
        return -1;
    (void)fprintf(stderr,
                  "%s:%zu:%zu: etcd_password_env: there is no environment variable of that name\n",
                  path, variable->at.line, variable->at.column);
    return GRI_EXIT_USAGE;
}

static int join_etcd(struct gri_session *s, const struct gri_chain_file *f, const char *path)
{
    const char *ca = node_text(f, "etcd_ca");
    struct gri_strbuf whole = GRI_STRBUF_INIT;
    gr_cluster_opts opts = { .size = sizeof(opts), .advertise = advertised(f) };
    gr_value *error = NULL;
    int exit_code;

    if (ca != NULL && ca[0] != '/' && strcmp(f->folder, "./") != 0)
        gri_strbuf_adds(&whole, f->folder);
    if (ca != NULL)
        gri_strbuf_adds(&whole, ca);
    exit_code = etcd_of(f, path, whole.data, &opts);
    if (exit_code < 0 && gr_cluster_join(s->rt, &opts, &error) != GR_OK)
        exit_code = gri_session_fail(s, error);
    gri_strbuf_fini(&whole);
    return exit_code;
}

int gri_deploy_join(struct gri_session *s, const struct gri_chain_file *f, const char *path)
{
    gr_value *error = NULL;
    gr_provider *list;
    size_t count;
    int exit_code = -1;

    if (node_text(f, "etcd") != NULL)
        return join_etcd(s, f, path);
    if (!list_pools(f, &list, &count)) {
        gri_say("out of memory");
        return GRI_EXIT_FAILED;
    }
    if (list != NULL && gr_cluster_join(s->rt,
                                        GR_CLUSTER(.providers = list, .provider_count = count,
                                                   .advertise = advertised(f)),
                                        &error) != GR_OK)
        exit_code = gri_session_fail(s, error);
    gri_free(list);
    return exit_code;
}

void gri_deploy_await(struct gri_session *s, const struct gri_chain_file *f)
{
    gr_value *error = NULL;

    if (node_text(f, "etcd") == NULL)
        return;
    gr_value_unref(
        gri_session_wait(s, gr_within(s->rt, gr_cluster_ready(s->rt), READY_MS), &error));
    if (error != NULL && s->caught == 0)
        gri_say("etcd has not answered yet; going on without: %s", gr_error_text(error));
    gr_value_unref(error);
}

/* ---- proxies --------------------------------------------------------------------------------- */

static bool is_elsewhere(const struct gri_deploy *d, const struct gri_chain_actor *a)
{
    if (!d->active || a->placement.on == 0)
        return false;
    return a->placement.pooled || d->here == NULL ||
           (a->placement.on >> (d->here - d->nodes) & 1) == 0;
}

static gr_ref make_proxy(struct gri_chain_builder *b, const struct gri_chain_actor *a)
{
    const struct gri_placement *p = &a->placement;
    size_t node = 0;

    if (p->pooled)
        return gr_pool(b->in, a->name, GR_POOL(.routing = p->routing, .idempotent = p->idempotent));
    while ((p->on >> node & 1) == 0)
        node++;
    return gr_remote(b->in, b->file->deploy.nodes[node].reached, a->name);
}

bool gri_deploy_reach(struct gri_chain_builder *b, struct gri_chain_actor *a, gr_ref *ret_ref)
{
    if (!is_elsewhere(&b->file->deploy, a)) {
        bool well = gri_chain_build(b, a);

        *ret_ref = a->ref;
        return well;
    }
    if (!a->proxied) {
        size_t first = b->made_count;

        a->proxy = make_proxy(b, a);
        a->proxied = true;
        gri_build_note(b, a->key, a->proxy, first);
    }
    *ret_ref = a->proxy;
    return true;
}
