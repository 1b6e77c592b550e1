/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deploy_graph.c - a deployment as a flowchart for Mermaid: a subgraph for each node with the actors that are
 * made there, an arrow from each actor to those that it calls.
 *
 * An actor without a place appears wherever it is made. One on several nodes has a vertex of its own besides,
 * which stands for the choice among them. Names have no character that Mermaid minds.
 */
#include "cli/chain_file.h"
#include "runtime/base/alloc.h"

#define CLIENT GRI_DEPLOY_NODES_MAX /* as a number of a node: who runs main */

struct drawing {
    const struct gri_chain_file *file;
    struct gri_strbuf *to;
    uint64_t *made; /* owned; by actor */
    bool *client;   /* owned; by actor */
};

static bool is_made(const struct drawing *g, size_t actor, size_t node)
{
    return node == CLIENT ? g->client[actor] : (g->made[actor] >> node & 1) != 0;
}

/* kind_of returns what an actor is; NULL: another name for an actor. */
static const char *kind_of(const struct gri_chain_actor *a)
{
    return a->node->type == GRI_CHAIN_MAP ? a->node->items[0].key->text : NULL;
}

static void draw_vertex(struct drawing *g, size_t actor, size_t node)
{
    const struct gri_chain_actor *a = &g->file->actors[actor];
    const char *kind = kind_of(a);

    gri_strbuf_addf(g->to, "    n%zua%zu[\"%s%s%s\"]\n", node, actor, a->name,
                    kind != NULL ? ": " : "", kind != NULL ? kind : "");
}

static void draw_node(struct drawing *g, size_t node, const char *name)
{
    bool any = false;

    for (size_t i = 0; i < g->file->actor_count; i++) {
        if (!is_made(g, i, node))
            continue;
        if (!any)
            gri_strbuf_addf(g->to, "  subgraph n%zu[\"%s\"]\n", node, name);
        any = true;
        draw_vertex(g, i, node);
    }
    if (any)
        gri_strbuf_adds(g->to, "  end\n");
}

/* draw_pools adds the vertices that stand for the choice among nodes. */
static void draw_pools(struct drawing *g)
{
    static const char *const routings[] = { "round_robin", "fewest", "local" };

    for (size_t i = 0; i < g->file->actor_count; i++) {
        const struct gri_chain_actor *a = &g->file->actors[i];

        if (!a->placement.pooled)
            continue;
        gri_strbuf_addf(g->to, "  p%zu{{\"%s: %s\"}}\n", i, a->name,
                        routings[a->placement.routing]);
        for (size_t node = 0; node < g->file->deploy.node_count; node++) {
            if (is_made(g, i, node))
                gri_strbuf_addf(g->to, "  p%zu --> n%zua%zu\n", i, node, i);
        }
    }
}

/* home_of returns the one node that an actor is on. */
static size_t home_of(const struct gri_chain_actor *a)
{
    size_t node = 0;

    while ((a->placement.on >> node & 1) == 0)
        node++;
    return node;
}

static void draw_arrow(struct drawing *g, const struct gri_deploy_use *use, size_t node)
{
    const struct gri_chain_actor *to = &g->file->actors[use->to];

    if (to->placement.pooled)
        gri_strbuf_addf(g->to, "  n%zua%zu --> p%zu\n", node, use->from, use->to);
    else
        gri_strbuf_addf(g->to, "  n%zua%zu --> n%zua%zu\n", node, use->from,
                        to->placement.on != 0 ? home_of(to) : node, use->to);
}

/* is_again tells whether an actor was found to refer to the same one before. */
static bool is_again(const struct gri_deploy *d, size_t use)
{
    for (size_t i = 0; i < use; i++) {
        if (d->uses[i].from == d->uses[use].from && d->uses[i].to == d->uses[use].to)
            return true;
    }
    return false;
}

static void draw(struct drawing *g)
{
    const struct gri_deploy *d = &g->file->deploy;

    gri_deploy_made(g->file, g->made, g->client);
    gri_strbuf_adds(g->to, "flowchart LR\n");
    draw_node(g, CLIENT, "who runs main");
    for (size_t i = 0; i < d->node_count; i++)
        draw_node(g, i, d->nodes[i].name);
    draw_pools(g);
    for (size_t u = 0; u < d->use_count; u++) {
        if (is_again(d, u))
            continue;
        for (size_t node = 0; node <= CLIENT; node++) {
            if ((node < d->node_count || node == CLIENT) && is_made(g, d->uses[u].from, node))
                draw_arrow(g, &d->uses[u], node);
        }
    }
}

bool gri_deploy_draw(const struct gri_chain_file *f, struct gri_strbuf *to)
{
    struct drawing g = { .file = f, .to = to };

    g.made = gri_alloc_array(f->actor_count + 1, sizeof(*g.made));
    g.client = gri_alloc_array(f->actor_count + 1, sizeof(*g.client));
    if (g.made != NULL && g.client != NULL)
        draw(&g);
    else
        to->failed = true;
    gri_free(g.made);
    gri_free(g.client);
    return !to->failed;
}
