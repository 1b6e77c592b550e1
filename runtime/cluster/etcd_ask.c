/* SPDX-License-Identifier: Apache-2.0 */
/* etcd_ask.c - asking etcd from a handler that waits: signing in, and the next URL when one is away. */
#include <string.h>

#include <greenroom/codec.h>

#include "runtime/base/alloc.h"
#include "runtime/cluster/etcd.h"
#include "runtime/cluster/member.h"

static void set_secret(struct gri_etcd *e, char *secret)
{
    char *old;

    gri_lock(&e->lock);
    old = e->secret;
    e->secret = secret;
    e->secrets++;
    gri_unlock(&e->lock);
    if (old != NULL)
        explicit_bzero(old, strlen(old));
    gri_free(old);
}

/* secrets_of returns how many secrets there have been; 0: none yet. */
static unsigned secrets_of(struct gri_etcd *e)
{
    unsigned secrets;

    gri_lock(&e->lock);
    secrets = e->secrets;
    gri_unlock(&e->lock);
    return secrets;
}

int64_t gri_etcd_code(const gr_value *err)
{
    return gr_as_int(gr_get(err, "detail"), -1);
}

bool gri_etcd_away(struct gri_etcd *e, const gr_value *err)
{
    gr_code code = gr_error_code(err);

    if (code != GR_EUNREACH && code != GR_ETIMEDOUT && code != GR_EPROTO)
        return false;
    atomic_fetch_add_explicit(&e->at, 1, memory_order_relaxed);
    return true;
}

/* post_once sends a request as it is. */
static gr_value *post_once(gr_ctx *c, struct gri_cluster *k, const char *path, gr_value *body,
                           int64_t timeout_ms)
{
    gr_value *err = NULL, *v;

    v = gr_do(gr_runtime_of(c), k->client, "post",
              gr_map(GR_KV("path", gr_str(path)), GR_KV("body", body)),
              GR_CALL(.timeout_ms = timeout_ms), &err);
    if (v != NULL)
        return v;
    gri_etcd_away(k->etcd, err);
    return err;
}

/* sign_in gets a token for the user, unless another handler has got one since there were so many;
 * NULL, or why not. */
static gr_value *sign_in(gr_ctx *c, struct gri_cluster *k, unsigned secrets, int64_t timeout_ms)
{
    struct gri_strbuf line = GRI_STRBUF_INIT;
    const char *token;
    gr_value *v;

    if (secrets_of(k->etcd) != secrets)
        return NULL;
    v = post_once(
        c, k, GRI_ETCD_SIGN_IN,
        gr_map(GR_KV("name", gr_str(k->etcd->user)), GR_KV("password", gr_str(k->etcd->password))),
        timeout_ms);
    if (gr_error_code(v) != GR_OK)
        return v;
    token = gr_cstr(gr_get(v, "token"), "");
    gri_strbuf_reserve(&line, strlen(token) + 32); /* at once: growing would leave a copy behind */
    gri_strbuf_addf(&line, "Authorization: %s", token);
    gr_value_unref(v);
    set_secret(k->etcd, gri_strbuf_take(&line));
    return NULL;
}

/* is_stranger tells whether etcd no more knows the token: it has restarted, or the token is old. */
static bool is_stranger(const gr_value *v)
{
    return gr_error_code(v) == GR_EREMOTE &&
           (gri_etcd_code(v) == GRI_ETCD_NO_ENTRY || gr_as_int(gr_get(v, "status"), 0) == 401 ||
            strstr(gr_error_text(v), "auth store is old") != NULL);
}

gr_value *gri_etcd_post(gr_ctx *c, struct gri_cluster *k, const char *path, gr_value *body,
                        int64_t timeout_ms)
{
    unsigned secrets = secrets_of(k->etcd);
    gr_value *v = NULL;

    if (k->etcd->user != NULL && secrets == 0) {
        v = sign_in(c, k, 0, timeout_ms);
        secrets = secrets_of(k->etcd);
    }
    if (v == NULL)
        v = post_once(c, k, path, gr_value_ref(body), timeout_ms);
    if (k->etcd->user != NULL && is_stranger(v)) {
        gr_value_unref(v);
        v = sign_in(c, k, secrets, timeout_ms);
        if (v == NULL)
            v = post_once(c, k, path, gr_value_ref(body), timeout_ms);
    }
    gr_value_unref(body);
    return v;
}

gr_stream *gri_etcd_watch(gr_ctx *c, struct gri_cluster *k, gr_value *body)
{
    return gr_astream_call(gr_runtime_of(c), k->client, "watch",
                           gr_map(GR_KV("path", gr_str("/v3/watch")), GR_KV("body", body)), NULL,
                           NULL);
}
