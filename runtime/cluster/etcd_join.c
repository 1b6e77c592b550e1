/* SPDX-License-Identifier: Apache-2.0 */
/* etcd_join.c - the actors that speak to etcd, from joining to leaving, and what is asked of them. */
#include <stdio.h>
#include <string.h>

#include "runtime/actor/runtime_impl.h"
#include "runtime/base/alloc.h"
#include "runtime/cluster/etcd.h"
#include "runtime/cluster/member.h"
#include "runtime/net/frame.h"
#include "runtime/net/node.h"

#define LEAVE_MS 2000
#define MAILBOX_MAX 65536 /* of the keeper: what the watcher tells must not get lost */

/* ---- options --------------------------------------------------------------------------------- */

/* next_url gives the next of URLs with commas between them, and its length without a '/' at its end.
 * NULL: there is none. */
static const char *next_url(const char **at, size_t *ret_len)
{
    const char *url = *at + strspn(*at, ", ");
    size_t len = strcspn(url, ", ");

    *at = url + len;
    while (len > 0 && url[len - 1] == '/')
        len--;
    *ret_len = len;
    return len > 0 ? url : NULL;
}

static bool is_http(const char *url, size_t len)
{
    return (len > 7 && strncmp(url, "http://", 7) == 0) ||
           (len > 8 && strncmp(url, "https://", 8) == 0);
}

static gr_value *bad_urls(const char *etcd)
{
    const char *at = etcd, *url;
    size_t len = 0, count = 0;

    while ((url = next_url(&at, &len)) != NULL) {
        if (memchr(url, '@', len) != NULL) /* and not shown: it may hold a password */
            return gr_error(GR_EINVAL, "an etcd URL can't hold a user: use the options");
        if (!is_http(url, len))
            return gr_error(GR_EINVAL,
                            "etcd at '%.*s': a URL is http://host:port or "
                            "https://host:port",
                            len < 200 ? (int)len : 200, url);
        count++;
    }
    if (count == 0 || count > GRI_ETCD_URLS_MAX)
        return gr_error(GR_EINVAL, "etcd has 1 to %u URLs, with commas between them",
                        GRI_ETCD_URLS_MAX);
    return NULL;
}

gr_value *gri_etcd_bad_options(const gr_cluster_opts *o)
{
    if (o->cluster != NULL &&
        (o->cluster[0] == '\0' || strlen(o->cluster) > 255 || strchr(o->cluster, '/') != NULL))
        return gr_error(GR_EINVAL, "a cluster's name has 1 to 255 bytes, and no '/'");
    if (o->ttl_ms != 0 && (o->ttl_ms < GRI_ETCD_TTL_LEAST_MS || o->ttl_ms > 3600000))
        return gr_error(GR_EINVAL, "a lease lasts from %d ms to an hour, not %lld ms",
                        GRI_ETCD_TTL_LEAST_MS, (long long)o->ttl_ms);
    if ((o->user == NULL) != (o->password == NULL))
        return gr_error(GR_EINVAL, "a user and a password go together");
    if (o->user != NULL && o->token != NULL)
        return gr_error(GR_EINVAL, "a user or a token, not both");
    if (o->token != NULL && strpbrk(o->token, "\r\n") != NULL)
        return gr_error(GR_EINVAL, "the token has a line break in it");
    return bad_urls(o->etcd);
}

static void wipe_free(char *text)
{
    if (text != NULL)
        explicit_bzero(text, strlen(text));
    gri_free(text);
}

void gri_etcd_free(struct gri_etcd *e)
{
    if (e == NULL)
        return;
    for (size_t i = 0; i < e->url_count; i++)
        gri_free(e->urls[i]);
    gri_free(e->ca_file);
    gri_free(e->user);
    gri_free(e->prefix);
    wipe_free(e->password);
    wipe_free(e->secret);
    gri_free(e);
}

/* copy copies a text that may be NULL; false: out of memory. */
static bool copy(char **to, const char *text)
{
    if (text != NULL)
        *to = gri_strdup(text);
    return text == NULL || *to != NULL;
}

static bool copy_urls(struct gri_etcd *e, const char *etcd)
{
    const char *at = etcd, *url;
    size_t len = 0;

    while ((url = next_url(&at, &len)) != NULL) {
        struct gri_strbuf b = GRI_STRBUF_INIT;

        gri_strbuf_add(&b, url, len);
        e->urls[e->url_count] = gri_strbuf_take(&b);
        if (e->urls[e->url_count] == NULL)
            return false;
        e->url_count++;
    }
    return true;
}

static bool make_texts(struct gri_etcd *e, const gr_cluster_opts *o)
{
    struct gri_strbuf prefix = GRI_STRBUF_INIT, line = GRI_STRBUF_INIT;

    gri_strbuf_addf(&prefix, "/greenroom/%s/", o->cluster != NULL ? o->cluster : "default");
    e->prefix = gri_strbuf_take(&prefix);
    if (o->token != NULL) {
        gri_strbuf_reserve(&line, strlen(o->token) + 32);
        gri_strbuf_addf(&line, "Authorization: %s", o->token);
        e->secret = gri_strbuf_take(&line);
    }
    return e->prefix != NULL && (o->token == NULL || e->secret != NULL);
}

static struct gri_etcd *etcd_new(const gr_cluster_opts *o)
{
    struct gri_etcd *e = gri_new0(struct gri_etcd);

    if (e == NULL)
        return NULL;
    e->ttl_ms = (o->ttl_ms != 0 ? o->ttl_ms : GRI_ETCD_TTL_MS) / 1000 * 1000;
    if (copy_urls(e, o->etcd) && copy(&e->ca_file, o->ca_file) && copy(&e->user, o->user) &&
        copy(&e->password, o->password) && make_texts(e, o))
        return e;
    gri_etcd_free(e);
    return NULL;
}

/* ---- the actors ------------------------------------------------------------------------------ */

static gr_ref spawn(gr_scope *scope, const gr_class *cls, void *arg, size_t mailbox_max)
{
    return gr_spawn(
        scope, cls,
        GR_SPAWN(.args = gr_opaque(arg, NULL), .name = cls->name, .mailbox_max = mailbox_max));
}

static void on_published(void *arg)
{
    struct gri_cluster *k = arg;

    if (atomic_exchange(&k->poked, true))
        return;
    if (gr_tell(k->rt, k->keeper, gr_map(GR_KV("what", gr_str(GRI_KEEPER_PUBLISHED)))) != GR_OK)
        atomic_store(&k->poked, false);
}

/* set_off starts the watcher, whose handler goes on for good, and the keeper. NULL, or an error. */
static gr_value *set_off(struct gri_cluster *k)
{
    gr_future *f = gr_acall(k->rt, k->watcher, "run", gr_nil(), GR_CALL(.scope = k->scope));
    gr_value *err = gr_check(k->rt, k->keeper);

    if (f == NULL) {
        gr_value_unref(err);
        return gr_error(GR_ENOMEM, "out of memory");
    }
    k->watching = f; /* kept, since one that is let go outlives its scope */
    if (err != NULL)
        return err;
    gri_node_watch(k->links, on_published, k);
    on_published(k);
    return NULL;
}

/* put_away ends the actors. [waits] */
static void put_away(struct gri_cluster *k)
{
    struct gri_etcd *e;
    gr_scope *scope;

    gri_lock(&k->lock);
    scope = k->scope;
    k->scope = NULL;
    gri_unlock(&k->lock);
    if (k->links != NULL)
        gri_node_watch(k->links, NULL, NULL);
    gr_future_free(k->watching);
    k->watching = NULL;
    gr_scope_free(scope);
    gri_lock(&k->lock);
    e = k->etcd;
    k->etcd = NULL;
    gri_unlock(&k->lock);
    gri_etcd_free(e);
}

gr_value *gri_etcd_join(struct gri_cluster *k, const gr_cluster_opts *o)
{
    struct gri_etcd *e = etcd_new(o);
    struct gri_node *links = gri_node_get(k->rt);
    gr_scope *scope = e != NULL && links != NULL ? gr_scope_new(gr_root(k->rt)) : NULL;
    gr_ref client, keeper, watcher;
    gr_value *err;

    if (scope == NULL) {
        gri_etcd_free(e);
        return gr_error(GR_ENOMEM, "out of memory, or the runtime is shutting down");
    }
    gri_lock(&k->lock);
    k->etcd = e;
    k->links = links;
    gri_unlock(&k->lock);
    atomic_store(&k->poked, false);
    gri_directory_set_stale(&k->directory, true); /* until it has been read */
    client = spawn(scope, &gri_etcd_client_class, e, MAILBOX_MAX);
    keeper = spawn(scope, &gri_etcd_keeper_class, k, MAILBOX_MAX);
    watcher = spawn(scope, &gri_etcd_watcher_class, k, 0);
    gri_lock(&k->lock); /* the scope last: who finds it there may call them */
    k->client = client;
    k->keeper = keeper;
    k->watcher = watcher;
    k->scope = scope;
    gri_unlock(&k->lock);
    err = set_off(k);
    if (err != NULL)
        put_away(k);
    return err;
}

void gri_etcd_leave(struct gri_cluster *k)
{
    gr_value *err = NULL;
    bool etcd;

    gri_lock(&k->lock);
    etcd = k->scope != NULL;
    gri_unlock(&k->lock);
    if (!etcd)
        return;
    gr_value_unref(
        gr_do(k->rt, k->keeper, "leave", gr_nil(), GR_CALL(.timeout_ms = LEAVE_MS), &err));
    gr_value_unref(err);
    put_away(k);
}

/* ---- asking ---------------------------------------------------------------------------------- */

/* ask calls the keeper, in the cluster's own scope: so what a handler asks for outlives it. */
static gr_future *ask(struct gri_cluster *k, const char *verb, gr_value *args)
{
    gr_scope *scope = NULL;
    gr_future *f;

    gri_lock(&k->lock);
    if (k->scope != NULL)
        scope = gri_scope_ref(k->scope);
    gri_unlock(&k->lock);
    if (scope == NULL) {
        gr_value_unref(args);
        return gri_future_failed(gri_sched_of(k->rt),
                                 gr_error(GR_EINVAL, "this runtime has not joined a cluster with "
                                                     "etcd"));
    }
    f = gr_acall(k->rt, k->keeper, verb, args, GR_CALL(.scope = scope));
    gri_scope_unref(scope);
    return f;
}

gr_future *gri_etcd_ready(struct gri_cluster *k)
{
    gr_future *none = NULL;
    bool etcd;

    gri_lock(&k->lock);
    etcd = k->scope != NULL;
    gri_unlock(&k->lock);
    return etcd ? ask(k, "ready", gr_nil()) : gr_all(k->rt, &none, 0);
}

gr_future *gr_claim(gr_runtime *rt, const char *name, gr_ref holder)
{
    struct gri_cluster *k = gri_cluster_get(rt);

    if (k == NULL)
        return NULL;
    if (name == NULL || name[0] == '\0' || strlen(name) > GRI_FRAME_NAME_MAX)
        return gri_future_failed(
            gri_sched_of(rt), gr_error(GR_EINVAL, "a name has 1 to %u bytes", GRI_FRAME_NAME_MAX));
    return ask(k, "claim",
               gr_map(GR_KV("name", gr_str(name)), GR_KV("holder", gr_ref_value(holder))));
}

uint64_t gr_claim_token(gr_runtime *rt, const char *name)
{
    struct gri_cluster *k = gri_cluster_get(rt);
    const uint64_t *entry = NULL;
    uint64_t token = 0;

    if (k == NULL || name == NULL)
        return 0;
    gri_lock(&k->lock);
    entry = gri_map_gets(&k->claims, name);
    if (entry != NULL && gr_now_ns(rt) < k->claims_until_ns)
        token = *entry;
    gri_unlock(&k->lock);
    return token;
}

bool gr_claim_release(gr_runtime *rt, const char *name)
{
    struct gri_cluster *k = gri_cluster_get(rt);
    bool held;

    if (k == NULL || name == NULL)
        return false;
    gri_lock(&k->lock);
    held = gri_map_gets(&k->claims, name) != NULL;
    gri_unlock(&k->lock);
    if (held)
        gr_detach(ask(k, "release", gr_str(name)));
    return held;
}
