/* SPDX-License-Identifier: Apache-2.0 */
/* deploy_kinds.c - the keys of a deployment, for the reader, `greenroom kinds` and docs/chain-file.md. */
#include <string.h>

#include "cli/deploy.h"

#define MS_MAX 86400000.0 /* a day */
#define KEYS(array) .keys = (array), .key_count = sizeof(array) / sizeof((array)[0])

static const struct gri_chain_key nodes_keys[] = {
    { "listen", GRI_ARG_URLS, true, 0, 0, "where it listens; others call it at the first" },
    { "advertise", GRI_ARG_URL, false, 0, 0,
      "where others call it, if that differs: behind 0.0.0.0, say" },
    { "workers", GRI_ARG_INT, false, 1, 64, "threads; default one a CPU" },
    { "env", GRI_ARG_HEADERS, false, 0, 0,
      "environment variables that its actors see; not for secrets" },
    { "tls_cert", GRI_ARG_TEXT, false, 0, 0, "as in node, for this one alone" },
};
static const struct gri_chain_key pools_keys[] = {
    { "nodes", GRI_ARG_TEXTS, true, 0, 0, "where each of its actors lives" },
    { "routing", GRI_ARG_TEXT, false, 0, 0,
      "round_robin: in turn, the default; fewest: who has the fewest calls; local: the caller's own node, "
      "if it is one of them" },
};
static const struct gri_chain_key beside_keys[] = {
    { "isolate", GRI_ARG_BOOL, false, 0, 0, "in a process of its own; default false" },
    { "on", GRI_ARG_KEYS, false, 0, 0,
      "the node where it lives, or nodes that have one each; default wherever it is needed" },
    { "pool", GRI_ARG_TEXT, false, 0, 0, "the pool on whose nodes it lives, instead" },
    { "routing", GRI_ARG_TEXT, false, 0, 0, "of several nodes; default its pool's" },
    { "idempotent", GRI_ARG_BOOL, false, 0, 0,
      "of several nodes: a call may be made twice, so one that was under way on a node that is lost goes to "
      "another; default false" },
};
static const struct gri_chain_key up_keys[] = {
    { "intensity", GRI_ARG_INT, false, 0, 1000,
      "restarts of nodes within period_ms; with one more all are stopped; default 5" },
    { "period_ms", GRI_ARG_INT, false, 1, MS_MAX, "default 60000" },
    { "backoff_ms", GRI_ARG_INT, false, 0, MS_MAX,
      "before a node is started again, twice as long each time; default 100" },
    { "backoff_max_ms", GRI_ARG_INT, false, 1, MS_MAX, "default 10000" },
    { "start_ms", GRI_ARG_INT, false, 1, MS_MAX,
      "until a node must be ready, its files loaded; default 600000" },
};

const struct gri_chain_kind gri_chain_nodes_kind = {
    .name = "nodes",
    .help = "the file's own key, a map: a process of the deployment, by its name",
    KEYS(nodes_keys),
    .lone = true
};
const struct gri_chain_kind gri_chain_pools_kind = {
    .name = "pools",
    .help = "the file's own key, a map: nodes that have the same actors, by a name for them",
    KEYS(pools_keys),
    .lone = true
};
const struct gri_chain_kind gri_chain_beside_kind = {
    .name = "beside",
    .help = "not a kind, but what may stand beside one, below the name of an actor",
    KEYS(beside_keys)
};
const struct gri_chain_kind gri_chain_up_kind = {
    .name = "up",
    .help = "the file's own key: how greenroom up looks after the nodes",
    KEYS(up_keys)
};

const struct gri_chain_node *gri_deploy_beside(const struct gri_chain_node *n, const char *key)
{
    for (size_t i = 1; n->type == GRI_CHAIN_MAP && i < n->count; i++) {
        if (strcmp(n->items[i].key->text, key) == 0)
            return n->items[i].value;
    }
    return NULL;
}

bool gri_deploy_is_beside(const char *key)
{
    for (size_t i = 0; i < gri_chain_beside_kind.key_count; i++) {
        if (strcmp(beside_keys[i].name, key) == 0)
            return true;
    }
    return false;
}
