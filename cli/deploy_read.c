/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deploy_read.c - nodes, pools and the places of actors, out of the tree.
 *
 * What has a wrong type is passed over here, since chain_check.c tells of it; what is told here is what no
 * table of keys can know: names that nothing has, things said twice, URLs that clash.
 */
#include <ctype.h>
#include <string.h>

#include "cli/chain_file.h"
#include "runtime/base/alloc.h"

static bool is_text(const struct gri_chain_node *n)
{
    return n != NULL && n->type == GRI_CHAIN_SCALAR && !gri_chain_is_nothing(n);
}

static void out_of_memory(struct gri_chain_report *r)
{
    gri_chain_mistake(r, (struct gri_chain_place){ 0, 0 }, "out of memory");
}

void gri_deploy_fini(struct gri_deploy *d)
{
    gri_free(d->nodes);
    gri_free(d->pools);
    gri_free(d->uses);
    *d = (struct gri_deploy){ 0 };
}

bool gri_deploy_note_use(struct gri_chain_file *f, const struct gri_chain_actor *from,
                         const struct gri_chain_actor *to)
{
    struct gri_deploy *d = &f->deploy;

    if (d->use_count == d->use_cap) {
        size_t cap = d->use_cap == 0 ? 16 : d->use_cap * 2; /* the tree's size bounds it */
        struct gri_deploy_use *uses = gri_resize(d->uses, cap * sizeof(*uses));

        if (uses == NULL)
            return false;
        d->uses = uses;
        d->use_cap = cap;
    }
    d->uses[d->use_count++] =
        (struct gri_deploy_use){ (size_t)(from - f->actors), (size_t)(to - f->actors) };
    return true;
}

const char *gri_deploy_url(const struct gri_deploy_node *n, size_t index)
{
    return gri_chain_text(n->listen->type == GRI_CHAIN_LIST ? n->listen->items[index].value
                                                            : n->listen);
}

/* unknown tells of a name that nothing has. */
static void unknown(struct gri_chain_report *r, const struct gri_chain_node *n, const char *what,
                    const void *names, size_t count, size_t stride)
{
    const char *nearest =
        count > 0 ? gri_chain_nearest(gri_chain_text(n), names, count, stride) : NULL;

    gri_chain_mistake(r, n->at, "no %s is named \"%.60s\"%s%s%s", what, n->text,
                      nearest != NULL ? "; did you mean \"" : "", nearest != NULL ? nearest : "",
                      nearest != NULL ? "\"?" : "");
}

/* ---- nodes ----------------------------------------------------------------------------------- */

/* count_urls returns how many URLs a listen has; 0 if any of it is none. */
static size_t count_urls(const struct gri_chain_node *listen)
{
    if (is_text(listen))
        return gri_chain_is_url(gri_chain_text(listen)) ? 1 : 0;
    if (listen == NULL || listen->type != GRI_CHAIN_LIST)
        return 0;
    for (size_t i = 0; i < listen->count; i++) {
        const struct gri_chain_node *url = listen->items[i].value;

        if (!is_text(url) || !gri_chain_is_url(gri_chain_text(url)))
            return 0;
    }
    return listen->count;
}

/* check_clash tells of a URL that another node, or the same one, listens on. */
static void check_clash(const struct gri_deploy *d, const struct gri_deploy_node *n, size_t index,
                        struct gri_chain_report *r)
{
    const char *url = gri_deploy_url(n, index);
    const struct gri_chain_node *at =
        n->listen->type == GRI_CHAIN_LIST ? n->listen->items[index].value : n->listen;

    for (size_t i = 0; i < d->node_count && &d->nodes[i] <= n; i++) {
        size_t count = &d->nodes[i] == n ? index : d->nodes[i].url_count;

        for (size_t u = 0; u < count; u++) {
            if (strcmp(gri_deploy_url(&d->nodes[i], u), url) == 0) {
                gri_chain_mistake(r, at->at, "listen: node \"%s\" listens on that URL already",
                                  d->nodes[i].name);
                return;
            }
        }
    }
}

/* check_env tells of names that no variable can have. */
static void check_env(const struct gri_chain_node *env, struct gri_chain_report *r)
{
    for (size_t i = 0; env != NULL && env->type == GRI_CHAIN_MAP && i < env->count; i++) {
        const struct gri_chain_node *key = env->items[i].key;
        size_t len = 0;

        while (isalnum((unsigned char)key->text[len]) || key->text[len] == '_')
            len++;
        if (len == 0 || key->text[len] != '\0' || isdigit((unsigned char)key->text[0]))
            gri_chain_mistake(r, key->at,
                              "env: \"%.60s\" is no name of an environment variable: letters, "
                              "digits and _ were expected",
                              key->text);
    }
}

static void read_node(struct gri_deploy *d, const struct gri_chain_item *item,
                      struct gri_chain_report *r)
{
    struct gri_deploy_node *n = &d->nodes[d->node_count++];
    const struct gri_chain_node *advertise = gri_chain_get(item->value, "advertise");

    *n = (struct gri_deploy_node){ .name = item->key->text, .key = item->key, .keys = item->value };
    gri_chain_check_name(item->key, r);
    n->listen = gri_chain_arg_of(&gri_chain_nodes_kind, item->value, "listen");
    check_env(gri_chain_get(item->value, "env"), r);
    n->url_count = count_urls(n->listen);
    if (n->listen == NULL)
        return;
    if (n->listen->type == GRI_CHAIN_LIST && n->listen->count == 0)
        gri_chain_mistake(r, n->listen->at, "listen: at least one URL was expected");
    if (n->url_count > GRI_DEPLOY_URLS_MAX) {
        gri_chain_mistake(r, n->listen->at, "listen: %zu URLs are given, at most %d were expected",
                          n->url_count, GRI_DEPLOY_URLS_MAX);
        n->url_count = 0;
    }
    for (size_t i = 0; i < n->url_count; i++)
        check_clash(d, n, i, r);
    if (n->url_count > 0)
        n->reached = is_text(advertise) ? gri_chain_text(advertise) : gri_deploy_url(n, 0);
}

static void read_nodes(struct gri_deploy *d, const struct gri_chain_node *n,
                       struct gri_chain_report *r)
{
    if (n == NULL || n->type != GRI_CHAIN_MAP)
        return;
    if (n->count == 0 || n->count > GRI_DEPLOY_NODES_MAX) {
        gri_chain_mistake(r, n->at, "nodes: %zu are given, 1 to %d were expected", n->count,
                          GRI_DEPLOY_NODES_MAX);
        return;
    }
    d->nodes = gri_alloc_array(n->count, sizeof(d->nodes[0]));
    if (d->nodes == NULL) {
        out_of_memory(r);
        return;
    }
    for (size_t i = 0; i < n->count; i++)
        read_node(d, &n->items[i], r);
}

/* ---- sets of nodes --------------------------------------------------------------------------- */

/* add_node adds the node that n names to a set. */
static void add_node(const struct gri_deploy *d, const struct gri_chain_node *n, uint64_t *on,
                     struct gri_chain_report *r)
{
    if (!is_text(n))
        return;
    for (size_t i = 0; i < d->node_count; i++) {
        if (strcmp(d->nodes[i].name, gri_chain_text(n)) != 0)
            continue;
        if ((*on & (uint64_t)1 << i) != 0)
            gri_chain_mistake(r, n->at, "node \"%s\" is named twice", d->nodes[i].name);
        *on |= (uint64_t)1 << i;
        return;
    }
    if (d->node_count == 0)
        gri_chain_mistake(r, n->at, "no node is named \"%.60s\": the file has no nodes", n->text);
    else
        unknown(r, n, "node", d->nodes, d->node_count, sizeof(d->nodes[0]));
}

static uint64_t read_set(const struct gri_deploy *d, const struct gri_chain_node *n,
                         const char *key, struct gri_chain_report *r)
{
    uint64_t on = 0;

    if (n->type == GRI_CHAIN_LIST && n->count == 0)
        gri_chain_mistake(r, n->at, "%s: an empty list is given, at least one node was expected",
                          key);
    if (n->type == GRI_CHAIN_LIST) {
        for (size_t i = 0; i < n->count; i++)
            add_node(d, n->items[i].value, &on, r);
    } else {
        add_node(d, n, &on, r);
    }
    return on;
}

gr_routing gri_deploy_routing(const struct gri_chain_node *n, gr_routing otherwise,
                              struct gri_chain_report *r)
{
    static const char *const names[] = { "round_robin", "fewest", "local" };
    static const gr_routing routings[] = { GR_ROUND_ROBIN, GR_FEWEST_OUTSTANDING, GR_LOCAL_FIRST };

    if (n == NULL || !is_text(n))
        return otherwise;
    for (size_t i = 0; i < 3; i++) {
        if (strcmp(gri_chain_text(n), names[i]) == 0)
            return routings[i];
    }
    gri_chain_mistake(r, n->at,
                      "routing: \"%.60s\" is given, round_robin, fewest or local was expected",
                      n->text);
    return otherwise;
}

static void read_pools(struct gri_deploy *d, const struct gri_chain_node *n,
                       struct gri_chain_report *r)
{
    if (n == NULL || n->type != GRI_CHAIN_MAP || n->count == 0)
        return;
    d->pools = gri_alloc_array(n->count, sizeof(d->pools[0]));
    if (d->pools == NULL) {
        out_of_memory(r);
        return;
    }
    for (size_t i = 0; i < n->count; i++) {
        struct gri_deploy_pool *p = &d->pools[d->pool_count++];
        const struct gri_chain_node *nodes =
            gri_chain_arg_of(&gri_chain_pools_kind, n->items[i].value, "nodes");

        *p = (struct gri_deploy_pool){ .name = n->items[i].key->text, .key = n->items[i].key };
        gri_chain_check_name(p->key, r);
        if (nodes != NULL && nodes->type == GRI_CHAIN_LIST)
            p->on = read_set(d, nodes, "nodes", r);
        p->routing =
            gri_deploy_routing(gri_chain_get(n->items[i].value, "routing"), GR_ROUND_ROBIN, r);
    }
}

/* ---- actors ---------------------------------------------------------------------------------- */

static struct gri_deploy_pool *find_pool(const struct gri_deploy *d, const struct gri_chain_node *n,
                                         struct gri_chain_report *r)
{
    if (!is_text(n))
        return NULL;
    for (size_t i = 0; i < d->pool_count; i++) {
        if (strcmp(d->pools[i].name, gri_chain_text(n)) == 0)
            return &d->pools[i];
    }
    unknown(r, n, "pool", d->pools, d->pool_count, sizeof(d->pools[0]));
    return NULL;
}

/* check_alone tells of what only makes sense for an actor on several nodes. */
static void check_alone(const struct gri_placement *p, const struct gri_chain_node *n,
                        struct gri_chain_report *r)
{
    static const char *const keys[] = { "routing", "idempotent" };

    for (size_t i = 0; !p->pooled && i < 2; i++) {
        const struct gri_chain_node *said = gri_deploy_beside(n, keys[i]);

        if (said != NULL)
            gri_chain_mistake(r, said->at,
                              "%s: this is for an actor with a pool, or with a list of nodes",
                              keys[i]);
    }
}

static void read_placement(struct gri_deploy *d, struct gri_chain_actor *a,
                           struct gri_chain_report *r)
{
    struct gri_placement *p = &a->placement;
    const struct gri_chain_node *on, *named, *idempotent;

    if (a->node->type != GRI_CHAIN_MAP || a->node->count < 2)
        return;
    on = gri_deploy_beside(a->node, "on");
    named = gri_deploy_beside(a->node, "pool");
    if (on != NULL && named != NULL)
        gri_chain_mistake(r, named->at, "\"%s\" is placed twice, by on and by pool", a->name);
    if (on != NULL) {
        p->on = read_set(d, on, "on", r);
        p->pooled = on->type == GRI_CHAIN_LIST;
        p->at = on->at;
    } else if (named != NULL) {
        struct gri_deploy_pool *pool = find_pool(d, named, r);

        p->pooled = true;
        p->at = named->at;
        if (pool != NULL) {
            pool->used = true;
            p->on = pool->on;
            p->routing = pool->routing;
        }
    }
    check_alone(p, a->node, r);
    p->routing = gri_deploy_routing(gri_deploy_beside(a->node, "routing"), p->routing, r);
    idempotent = gri_deploy_beside(a->node, "idempotent");
    if (idempotent != NULL)
        (void)gri_chain_to_bool(idempotent, &p->idempotent);
}

/* check_whole tells of nodes without an actor, and of what does not go with nodes. well: there was no mistake
 * so far. */
static void check_whole(const struct gri_chain_file *f, const struct gri_chain_node *root,
                        bool well, struct gri_chain_report *r)
{
    static const char *const others[] = { "listen", "publish" };
    const struct gri_chain_node *name = gri_chain_get(gri_chain_get(root, "node"), "name");
    const struct gri_deploy *d = &f->deploy;
    uint64_t on = 0;

    if (d->node_count == 0)
        return;
    for (size_t i = 0; i < f->actor_count; i++)
        on |= f->actors[i].placement.on;
    for (size_t i = 0; well && i < d->node_count; i++) {
        if ((on & (uint64_t)1 << i) == 0)
            gri_chain_mistake(r, d->nodes[i].key->at, "no actor is on node \"%s\"",
                              d->nodes[i].name);
    }
    for (size_t i = 0; i < 2; i++) {
        const struct gri_chain_node *n = gri_chain_get(root, others[i]);

        if (n != NULL)
            gri_chain_mistake(r, n->at,
                              "%s: in a file with nodes each node listens for itself, and its "
                              "actors are called by their names",
                              others[i]);
    }
    if (name != NULL)
        gri_chain_mistake(r, name->at, "name: in a file with nodes each has its name there");
}

void gri_deploy_read(struct gri_chain_file *f, const struct gri_chain_node *root,
                     struct gri_chain_report *r)
{
    struct gri_deploy *d = &f->deploy;
    size_t mistakes = r->count;

    read_nodes(d, gri_chain_get(root, "nodes"), r);
    read_pools(d, gri_chain_get(root, "pools"), r);
    d->up = gri_chain_get(root, "up");
    for (size_t i = 0; i < f->actor_count; i++)
        read_placement(d, &f->actors[i], r);
    check_whole(f, root, r->count == mistakes, r);
}
