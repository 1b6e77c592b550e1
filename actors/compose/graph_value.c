/* SPDX-License-Identifier: Apache-2.0 */
#include "actors/compose/graph_value.h"

#include <string.h>

#define NOWHERE ((size_t)-1)

static gr_value *node(size_t id, const char *name, const char *type)
{
    /* as langchain-core shows them */
    const char *shown = strncmp(name, "Runnable", 8) == 0 && name[8] != '\0' ? name + 8 : name;

    return gr_map(GR_KV("id", gr_int((int64_t)id)), GR_KV("name", gr_str(shown)),
                  GR_KV("type", gr_str(type)));
}

static gr_value *edge(size_t source, size_t target)
{
    return gr_map(GR_KV("source", gr_int((int64_t)source)),
                  GR_KV("target", gr_int((int64_t)target)));
}

static size_t end_of(const gr_value *e, const char *which)
{
    return (size_t)gr_as_int(gr_get(e, which), -1);
}

static gr_value *graph_of(gr_value *nodes, gr_value *edges)
{
    return gr_map(GR_KV("nodes", nodes), GR_KV("edges", edges));
}

gr_value *gri_graph_one(const char *input, const char *name, const char *output)
{
    return graph_of(
        gr_list(node(0, input, "schema"), node(1, name, "runnable"), node(2, output, "schema")),
        gr_list(edge(0, 1), edge(1, 2)));
}

gr_value *gri_graph_ends(const char *input, const char *output)
{
    return graph_of(gr_list(node(0, input, "schema"), node(1, output, "schema")),
                    gr_list_n(NULL, 0));
}

/* ---- joining --------------------------------------------------------------------------------- */

/* lone finds the node that no edge comes to (which "target"), or none leaves ("source"). */
static size_t lone(const gr_value *graph, const char *which)
{
    const gr_value *edges = gr_get(graph, "edges");
    size_t count = gr_len(gr_get(graph, "nodes"));

    for (size_t id = 0; id < count; id++) {
        bool found = false;

        for (size_t i = 0; i < gr_len(edges) && !found; i++)
            found = end_of(gr_at(edges, i), which) == id;
        if (!found)
            return id;
    }
    return NOWHERE;
}

/* only_neighbour returns the one node at the other end of the edges that have `id` at the end `here`;
 * NOWHERE: there are several, or none. */
static size_t only_neighbour(const gr_value *graph, size_t id, const char *here, const char *there)
{
    const gr_value *edges = gr_get(graph, "edges");
    size_t found = NOWHERE;

    for (size_t i = 0; i < gr_len(edges); i++) {
        if (end_of(gr_at(edges, i), here) != id)
            continue;
        if (found != NOWHERE)
            return NOWHERE;
        found = end_of(gr_at(edges, i), there);
    }
    return found;
}

/* A graph that others are copied into. */
struct join {
    gr_value *nodes, *edges; /* counted */
};

/* What of a copied graph stays, and where it is then. */
struct part {
    size_t base;     /* ids begin here */
    size_t no_first; /* the node that is left out at the beginning, NOWHERE: none */
    size_t no_last;
    size_t first, last; /* where it begins and ends now; ids of the result */
};

static size_t place(const struct part *p, size_t id)
{
    return p->base + id - (p->no_first != NOWHERE && id > p->no_first ? 1 : 0) -
           (p->no_last != NOWHERE && id > p->no_last ? 1 : 0);
}

static bool is_gone(const struct part *p, size_t id)
{
    return id == p->no_first || id == p->no_last;
}

/* plan decides what to leave out: an end that is wanted gone goes if there is one node next to it,
 * which is the end then. */
static struct part plan(const struct join *j, const gr_value *graph, bool trim_first,
                        bool trim_last)
{
    size_t first = lone(graph, "target"), last = lone(graph, "source");
    size_t after = trim_first ? only_neighbour(graph, first, "source", "target") : NOWHERE;
    size_t before = trim_last ? only_neighbour(graph, last, "target", "source") : NOWHERE;
    struct part p = { .base = gr_len(j->nodes),
                      .no_first = after != NOWHERE ? first : NOWHERE,
                      .no_last = before != NOWHERE ? last : NOWHERE };

    p.first = place(&p, after != NOWHERE ? after : first);
    p.last = place(&p, before != NOWHERE ? before : last);
    return p;
}

static struct part copy(struct join *j, const gr_value *graph, bool trim_first, bool trim_last)
{
    const gr_value *nodes = gr_get(graph, "nodes"), *edges = gr_get(graph, "edges");
    struct part p = plan(j, graph, trim_first, trim_last);

    for (size_t i = 0; i < gr_len(nodes); i++)
        if (!is_gone(&p, i))
            j->nodes = gr_append(j->nodes, node(gr_len(j->nodes),
                                                gr_cstr(gr_get(gr_at(nodes, i), "name"), "?"),
                                                gr_cstr(gr_get(gr_at(nodes, i), "type"), "?")));
    for (size_t i = 0; i < gr_len(edges); i++) {
        size_t from = end_of(gr_at(edges, i), "source"), to = end_of(gr_at(edges, i), "target");

        if (!is_gone(&p, from) && !is_gone(&p, to))
            j->edges = gr_append(j->edges, edge(place(&p, from), place(&p, to)));
    }
    return p;
}

/* failed gives one of two graphs back if it is an error, or they are too large together. */
static gr_value *failed(const gr_value *a, const gr_value *b)
{
    if (gr_error_code(a) != GR_OK)
        return gr_value_ref(a);
    if (gr_error_code(b) != GR_OK)
        return gr_value_ref(b);
    if (gr_len(gr_get(a, "nodes")) + gr_len(gr_get(b, "nodes")) > GRI_GRAPH_NODES_MAX)
        return gr_error(GR_EFULL, "a graph has at most %d nodes", GRI_GRAPH_NODES_MAX);
    return NULL;
}

gr_value *gri_graph_then(gr_value *graph, gr_value *next)
{
    gr_value *joined = failed(graph, next);

    if (joined == NULL) {
        struct join j = { gr_list_n(NULL, 0), gr_list_n(NULL, 0) };
        struct part a = copy(&j, graph, false, true);

        j.edges = gr_append(j.edges, edge(a.last, plan(&j, next, true, false).first));
        (void)copy(&j, next, true, false);
        joined = graph_of(j.nodes, j.edges);
    }
    gr_value_unref(graph);
    gr_value_unref(next);
    return joined;
}

gr_value *gri_graph_between(gr_value *graph, gr_value *part)
{
    gr_value *joined = failed(graph, part);

    if (joined == NULL) {
        struct join j = { gr_value_ref(gr_get(graph, "nodes")),
                          gr_value_ref(gr_get(graph, "edges")) };
        struct part p = copy(&j, part, true, true);

        j.edges = gr_append(j.edges, edge(0, p.first));
        j.edges = gr_append(j.edges, edge(p.last, 1));
        joined = graph_of(j.nodes, j.edges);
    }
    gr_value_unref(graph);
    gr_value_unref(part);
    return joined;
}
