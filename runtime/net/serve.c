/* SPDX-License-Identifier: Apache-2.0 */
/* serve.c - where a node listens, and who may come there. */
#include <stdlib.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/net/peer.h"

/*
 * host_len returns the length of the host in host:port; 0 unless it is followed by a port and that
 * by nothing. What else a URL may hold is not taken: in tcp://localhost:1@0.0.0.0:2 it would hide
 * the host that is meant.
 */
static size_t host_len(const char *at)
{
    size_t len = at[0] == '[' ? strcspn(at, "]") + 1 : strcspn(at, ":@/?#[]");
    size_t digits;

    if (at[0] == '[' && at[len - 1] != ']')
        return 0;
    if (at[len] != ':')
        return 0;
    digits = strspn(at + len + 1, "0123456789");
    if (digits == 0 || digits > 5 || at[len + 1 + digits] != '\0')
        return 0;
    return len;
}

static bool is_loopback(const char *host, size_t len)
{
    if (len == 5 && strncmp(host, "[::1]", 5) == 0)
        return true;
    if (len == 9 && strncmp(host, "localhost", 9) == 0)
        return true;
    return strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == len;
}

/* strangers tells why nobody but this machine may listen in, or come, at a URL that is open to others;
 * NULL: they may. */
static const char *strangers(const struct gri_node *node, bool tls)
{
    const char *insecure = getenv("GR_INSECURE");

    if (node->set.insecure || (insecure != NULL && strcmp(insecure, "1") == 0))
        return NULL;
    if (!tls)
        return "links in clear are for loopback addresses only: use tls+tcp, or the option insecure or "
               "GR_INSECURE=1 in the environment";
    if (node->set.secret == NULL && node->set.tls.ca == NULL)
        return "anybody could connect: set a secret, or tls_ca, by which callers show who they are; or "
               "the option insecure or GR_INSECURE=1 in the environment";
    return NULL;
}

static gr_value *bad_url(const struct gri_node *node, const char *url)
{
    bool tls = url != NULL && strncmp(url, GRI_TLS_SCHEME, strlen(GRI_TLS_SCHEME)) == 0;
    const char *at = url != NULL ? url + (tls ? strlen(GRI_TLS_SCHEME) : strlen("tcp://")) : NULL;
    const char *why;

    if (url == NULL)
        return gr_error(GR_EINVAL, "no URL to listen at");
    if (strncmp(url, "ipc:///", 7) == 0 && url[7] != '\0')
        return NULL;
    if ((!tls && strncmp(url, "tcp://", 6) != 0) || host_len(at) == 0)
        return gr_error(GR_EINVAL,
                        "listening at %s: a URL is ipc:///path, tcp://host:port or "
                        "tls+tcp://host:port",
                        url);
    why = is_loopback(at, host_len(at)) ? NULL : strangers(node, tls);
    return why != NULL ? gr_error(GR_EINVAL, "listening at %s: %s", url, why) : NULL;
}

/* keep adds a door to the node's, unless that is going. */
static gr_code keep(struct gri_node *node, struct gri_door *door)
{
    struct gri_door **all;
    gr_code rc = GR_ENOMEM;

    gri_lock(&node->lock);
    all = gri_resize(node->doors, (node->door_count + 1) * sizeof(struct gri_door *));
    if (all != NULL) {
        all[node->door_count++] = door;
        node->doors = all;
        node->used = true;
        rc = GR_OK;
    }
    gri_unlock(&node->lock);
    return rc;
}

void gri_node_close_doors(struct gri_node *node)
{
    for (size_t i = 0; i < node->door_count; i++) {
        node->driver->unlisten(node->doors[i]->listener);
        gri_free(node->doors[i]->url);
        gri_free(node->doors[i]);
    }
    gri_free(node->doors);
    node->doors = NULL;
    node->door_count = 0;
}

static gr_code open_door(struct gri_node *node, const char *url, gr_value **reterr)
{
    struct gri_door *door = gri_new0(struct gri_door);
    gr_code rc;

    if (door != NULL)
        door->url = gri_strdup(url);
    if (door == NULL || door->url == NULL) {
        gri_free(door);
        return GR_ENOMEM;
    }
    door->node = node;
    door->features = gri_node_features(node, url);
    rc = node->driver->listen(node->rt, url, &node->set.tls, gri_peer_accept, door, &door->listener,
                              reterr);
    if (rc == GR_OK) {
        rc = keep(node, door);
        if (rc != GR_OK)
            node->driver->unlisten(door->listener);
    }
    if (rc != GR_OK) {
        gri_free(door->url);
        gri_free(door);
    }
    return rc;
}

gr_code gr_serve(gr_runtime *rt, const char *url, gr_value **reterr)
{
    struct gri_node *node = rt != NULL ? gri_node_get(rt) : NULL;
    gr_value *err = NULL;
    gr_code rc = node != NULL ? GR_OK : GR_ENOMEM;

    if (rt == NULL)
        err = gr_error(GR_EINVAL, "no runtime to serve");
    else if (node != NULL)
        err = bad_url(node, url);
    if (err != NULL)
        rc = gr_error_code(err);
    if (rc == GR_OK)
        rc = open_door(node, url, &err);
    if (rc != GR_OK && err == NULL)
        err = gr_error(rc, "listening at %s: out of memory", url);
    if (rc != GR_OK && reterr != NULL)
        *reterr = err;
    else
        gr_value_unref(err);
    return rc;
}
