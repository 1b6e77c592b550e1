/* SPDX-License-Identifier: Apache-2.0 */
/* node_options.c - gr_node_configure: what a node is told before it listens or dials. */
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/utf8.h"
#include "runtime/net/node.h"
#include "runtime/net/proof.h"

#define NS_PER_MS UINT64_C(1000000)
#define CONNECT_MS 5000
#define HEARTBEAT_MS 1000
#define DETECT_BEATS 3 /* beats that may be missed */
#define STUCK_MS 30000
#define REDIAL_MS 1000
#define LINK_BYTES (UINT64_C(64) << 20)
#define REFS 65536
#define REFS_MOST (1 << 24)
#define ARGS_BYTES (UINT64_C(64) << 20)
#define LINK_BYTES_MOST (INT64_C(1) << 40)
#define MS_MAX 86400000 /* of any time here: a day */
#define SECRET_LEAST 16
#define SECRET_MOST 1024

void gri_node_settings_init(struct gri_node_settings *set)
{
    *set = (struct gri_node_settings){ .connect_ns = CONNECT_MS * NS_PER_MS,
                                       .heartbeat_ns = HEARTBEAT_MS * NS_PER_MS,
                                       .detect_ns = DETECT_BEATS * HEARTBEAT_MS * NS_PER_MS,
                                       .stuck_ns = STUCK_MS * NS_PER_MS,
                                       .link_bytes = LINK_BYTES,
                                       .args_bytes = ARGS_BYTES,
                                       .redial_ns = REDIAL_MS * NS_PER_MS,
                                       .refs_max = REFS };
}

void gri_node_settings_fini(struct gri_node_settings *set)
{
    if (set->secret != NULL)
        gri_wipe(set->secret, set->secret_size);
    gri_free(set->secret);
    gri_free(set->tls.ca);
    gri_free(set->tls.cert);
    gri_free(set->tls.name);
    set->secret = NULL;
    set->tls = (struct gri_tls){ .ca = NULL };
}

uint64_t gri_node_features(const struct gri_node *node, const char *url)
{
    /* a file of mode 0600 keeps strangers out, and so do certificates on both sides; a port does not */
    bool mutual = node->set.tls.ca != NULL && node->set.tls.cert != NULL &&
                  strncmp(url, GRI_TLS_SCHEME, strlen(GRI_TLS_SCHEME)) == 0;
    bool known = node->set.secret != NULL || mutual || strncmp(url, "ipc:", 4) == 0;

    return known ? GRI_FEATURE_SHARE | GRI_FEATURE_ROUTE : 0;
}

/* ---- reading the options --------------------------------------------------------------------- */

/* opt_name copies a name. */
static gr_value *opt_name(char to[GRI_HELLO_NAME_MAX + 1], const char *from, const char *what)
{
    size_t len = from != NULL ? strlen(from) : 0;

    if (len > GRI_HELLO_NAME_MAX || !gri_utf8_valid(from != NULL ? from : "", len))
        return gr_error(GR_EINVAL, "%s: at most %u bytes of UTF-8", what, GRI_HELLO_NAME_MAX);
    memset(to, 0, GRI_HELLO_NAME_MAX + 1);
    if (len > 0)
        memcpy(to, from, len);
    return NULL;
}

/* opt_ms sets a time, if one is given. */
static gr_value *opt_ms(uint64_t *to_ns, int64_t ms, const char *what)
{
    if (ms < 0 || ms > MS_MAX)
        return gr_error(GR_EINVAL, "%s: %lld is not between 1 and %d, or 0 for the default", what,
                        (long long)ms, MS_MAX);
    if (ms > 0)
        *to_ns = (uint64_t)ms * NS_PER_MS;
    return NULL;
}

static gr_value *opt_bytes(uint64_t *to, int64_t bytes, const char *what)
{
    if (bytes != 0 && (bytes < GRI_WINDOW_LEAST || bytes > LINK_BYTES_MOST))
        return gr_error(GR_EINVAL, "%s: %lld is not between %u and 2^40, or 0 for the default",
                        what, (long long)bytes, GRI_WINDOW_LEAST);
    if (bytes != 0)
        *to = (uint64_t)bytes;
    return NULL;
}

/* opt_secret: what is wrong with a secret is told without it. */
static gr_value *opt_secret(struct gri_node_settings *set, const char *secret)
{
    size_t len = secret != NULL ? strlen(secret) : 0;

    if (secret == NULL)
        return NULL;
    if (len < SECRET_LEAST || len > SECRET_MOST)
        return gr_error(GR_EINVAL, "secret: it must have %d to %d bytes", SECRET_LEAST,
                        SECRET_MOST);
    set->secret = gri_strdup(secret);
    set->secret_size = len;
    return set->secret != NULL ? NULL : gr_error(GR_ENOMEM, "out of memory for the secret");
}

static gr_value *opt_times(struct gri_node_settings *set, const gr_node_opts *o)
{
    gr_value *err = opt_ms(&set->connect_ns, o->connect_ms, "connect_ms");

    if (err == NULL)
        err = opt_ms(&set->heartbeat_ns, o->heartbeat_ms, "heartbeat_ms");
    set->detect_ns = DETECT_BEATS * set->heartbeat_ns;
    if (err == NULL)
        err = opt_ms(&set->detect_ns, o->detect_ms, "detect_ms");
    if (err == NULL && set->detect_ns <= set->heartbeat_ns)
        err = gr_error(GR_EINVAL, "detect_ms: it must be longer than heartbeat_ms");
    if (err == NULL)
        err = opt_ms(&set->stuck_ns, o->stuck_ms, "stuck_ms");
    if (err == NULL)
        err = opt_ms(&set->redial_ns, o->redial_ms, "redial_ms");
    return err;
}

static gr_value *opt_text(char **to, const char *from, const char *what)
{
    if (from == NULL)
        return NULL;
    if (from[0] == '\0')
        return gr_error(GR_EINVAL, "%s: it is empty", what);
    *to = gri_strdup(from);
    return *to != NULL ? NULL : gr_error(GR_ENOMEM, "out of memory for %s", what);
}

static gr_value *opt_tls(struct gri_tls *tls, const gr_node_opts *o)
{
    gr_value *err = opt_text(&tls->ca, o->tls_ca, "tls_ca");

    if (err == NULL)
        err = opt_text(&tls->cert, o->tls_cert, "tls_cert");
    if (err == NULL)
        err = opt_text(&tls->name, o->tls_name, "tls_name");
    return err;
}

static gr_value *opt_refs(size_t *to, int64_t n)
{
    if (n < 0 || n > REFS_MOST)
        return gr_error(GR_EINVAL, "refs_max: it must be from 1 to %d", REFS_MOST);
    if (n != 0)
        *to = (size_t)n;
    return NULL;
}

static gr_value *read_options(struct gri_node_settings *set, const gr_node_opts *o)
{
    gr_value *err = opt_name(set->cluster, o->cluster, "cluster");

    if (err == NULL)
        err = opt_name(set->name, o->name, "name");
    if (err == NULL)
        err = opt_times(set, o);
    if (err == NULL)
        err = opt_bytes(&set->link_bytes, o->link_bytes, "link_bytes");
    if (err == NULL)
        err = opt_refs(&set->refs_max, o->refs_max);
    if (err == NULL)
        err = opt_bytes(&set->args_bytes, o->args_bytes, "args_bytes");
    if (err == NULL)
        err = opt_tls(&set->tls, o);
    if (err == NULL)
        err = opt_secret(set, o->secret);
    set->insecure = o->insecure;
    return err;
}

/* install puts the settings in the old ones' place, unless the node is in use. */
static bool install(struct gri_node *node, struct gri_node_settings *set)
{
    struct gri_node_settings old;
    bool done;

    gri_lock(&node->lock);
    done = !node->used;
    old = done ? node->set : *set;
    if (done)
        node->set = *set;
    gri_unlock(&node->lock);
    gri_node_settings_fini(&old);
    return done;
}

gr_code gr_node_configure(gr_runtime *rt, const gr_node_opts *opts, gr_value **reterr)
{
    gr_node_opts o = { .size = sizeof(o) };
    struct gri_node_settings set;
    struct gri_node *node = rt != NULL ? gri_node_get(rt) : NULL;
    gr_value *err = NULL;
    gr_code rc;

    gri_node_settings_init(&set);
    if (opts != NULL)
        memcpy(&o, opts, opts->size < sizeof(o) ? opts->size : sizeof(o));
    if (node == NULL)
        err = rt == NULL ? gr_error(GR_EINVAL, "no runtime to configure")
                         : gr_error(GR_ENOMEM, "out of memory, or the runtime is shutting down");
    else
        err = read_options(&set, &o);
    if (err != NULL)
        gri_node_settings_fini(&set);
    else if (!install(node, &set))
        err = gr_error(GR_EINVAL, "the node listens already, or has been used to call others");
    rc = err != NULL ? gr_error_code(err) : GR_OK;
    if (err != NULL && reterr != NULL)
        *reterr = err;
    else
        gr_value_unref(err);
    return rc;
}
