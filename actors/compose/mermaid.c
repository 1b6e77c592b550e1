/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mermaid.c - gr_draw_mermaid: a graph as a flowchart that Mermaid draws, in langchain-core's words.
 *
 * Nodes are named by what they are, with a number where that would name two; of a name the letters,
 * digits, _ and - of ASCII are the same in its id, all else is its code point in hexadecimal.
 */
#include <stdio.h>
#include <string.h>

#include "actors/compose/graph_value.h"
#include "actors/prompt/template.h"
#include "runtime/base/strbuf.h"

#define MERMAID_BYTES_MAX ((size_t)16 << 20)

static const char *name_at(const gr_value *nodes, size_t i)
{
    return gr_cstr(gr_get(gr_at(nodes, i), "name"), "?");
}

/* add_id_char writes the character at p as it is in an id; returns its bytes. */
static size_t add_id_char(struct gri_strbuf *b, const char *p)
{
    unsigned char first = (unsigned char)*p;
    size_t len = 1;
    unsigned code = first;

    if ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
        *p == '_' || *p == '-') {
        gri_strbuf_addc(b, *p);
        return 1;
    }
    if (first >= 0xc0) /* UTF-8: what begins like this goes on with 10xxxxxx */
        code = first >= 0xf0 ? first & 0x07 : first >= 0xe0 ? first & 0x0f : first & 0x1f;
    for (; first >= 0xc0 && ((unsigned char)p[len] & 0xc0) == 0x80; len++)
        code = code << 6 | ((unsigned char)p[len] & 0x3f);
    gri_strbuf_addf(b, "\\%x", code);
    return len;
}

/* add_id writes a node's id. */
static void add_id(struct gri_strbuf *b, const gr_value *nodes, size_t at)
{
    const char *name = name_at(nodes, at);
    size_t same = 0, before = 0;

    for (size_t i = 0; i < gr_len(nodes); i++) {
        same += strcmp(name_at(nodes, i), name) == 0;
        before += i < at && strcmp(name_at(nodes, i), name) == 0;
    }
    for (const char *p = name; *p != '\0';)
        p += add_id_char(b, p);
    if (same > 1)
        gri_strbuf_addf(b, "_%zu", before + 1);
}

/* add_label writes a name so that it can't be read as Mermaid's own signs. */
static void add_label(struct gri_strbuf *b, const char *name)
{
    for (const char *p = name; *p != '\0'; p++) {
        if (strchr("<>\"&[](){}#;", *p) != NULL)
            gri_strbuf_addf(b, "#%u;", (unsigned)(unsigned char)*p);
        else
            gri_strbuf_addc(b, *p);
    }
}

/* stands tells whether a node is at the beginning (no edge comes to it) or at the end. */
static bool stands(const gr_value *edges, size_t id, const char *which)
{
    for (size_t i = 0; i < gr_len(edges); i++)
        if (gr_as_int(gr_get(gr_at(edges, i), which), -1) == (int64_t)id)
            return false;
    return true;
}

static void add_node(struct gri_strbuf *b, const gr_value *graph, size_t i)
{
    const gr_value *nodes = gr_get(graph, "nodes"), *edges = gr_get(graph, "edges");
    bool first = stands(edges, i, "target"), last = stands(edges, i, "source");

    gri_strbuf_addc(b, '\t');
    add_id(b, nodes, i);
    gri_strbuf_adds(b, first || last ? "([" : "(");
    add_label(b, name_at(nodes, i));
    gri_strbuf_adds(b, first || last ? "])" : ")");
    gri_strbuf_adds(b, first ? ":::first\n" : last ? ":::last\n" : "\n");
}

gr_value *gr_draw_mermaid(const gr_value *graph)
{
    const gr_value *nodes = gr_get(graph, "nodes"), *edges = gr_get(graph, "edges");
    struct gri_strbuf b = { .max = MERMAID_BYTES_MAX };

    if (gr_value_type(nodes) != GR_LIST || gr_value_type(edges) != GR_LIST)
        return gr_error(GR_ETYPE, "a graph has nodes and edges");
    gri_strbuf_adds(&b, "---\nconfig:\n  flowchart:\n    curve: linear\n---\ngraph TD;\n");
    for (size_t i = 0; i < gr_len(nodes); i++)
        add_node(&b, graph, i);
    for (size_t i = 0; i < gr_len(edges); i++) {
        const gr_value *e = gr_at(edges, i);

        gri_strbuf_addc(&b, '\t');
        add_id(&b, nodes, (size_t)gr_as_int(gr_get(e, "source"), 0));
        gri_strbuf_adds(&b, " --> ");
        add_id(&b, nodes, (size_t)gr_as_int(gr_get(e, "target"), 0));
        gri_strbuf_adds(&b, ";\n");
    }
    gri_strbuf_adds(&b, "\tclassDef default fill:#f2f0ff,line-height:1.2\n"
                        "\tclassDef first fill-opacity:0\n\tclassDef last fill:#bfb6fc\n");
    return gri_strbuf_value(&b);
}
