/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chain_yaml.c - reading YAML with libyaml's event interface, into a tree with places.
 *
 * The nesting is kept on our own stack of GRI_CHAIN_DEPTH_MAX open nodes, so neither depth nor size
 * of a file makes anything recurse, and reading stops at the first limit.
 */
#include <limits.h>
#include <string.h>
#include <yaml.h>

#include "cli/chain_tree.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/map.h"

struct reader {
    struct gri_chain_tree *tree;
    struct gri_chain_report *report;
    struct gri_chain_node *open[GRI_CHAIN_DEPTH_MAX]; /* the lists and maps that we are in */
    struct gri_chain_node *key; /* of the innermost map, waiting for its value */
    struct gri_chain_node *keys[GRI_CHAIN_DEPTH_MAX]; /* the same for the outer ones */
    size_t depth;
    bool document; /* one was begun */
};

static struct gri_chain_place place_of(yaml_mark_t mark)
{
    return (struct gri_chain_place){ mark.line + 1, mark.column + 1 };
}

/* place_of_offset finds line and column of a byte: libyaml gives no mark for bad encoding. */
static struct gri_chain_place place_of_offset(const char *text, size_t len, size_t offset)
{
    struct gri_chain_place at = { 1, 1 };

    for (size_t i = 0; i < offset && i < len; i++) {
        if (text[i] == '\n') {
            at.line++;
            at.column = 1;
        } else if (((unsigned char)text[i] & 0xc0) != 0x80) {
            at.column++;
        }
    }
    return at;
}

/* node_new makes a node that the tree owns; NULL, told, at the limit and out of memory. */
static struct gri_chain_node *node_new(struct reader *r, enum gri_chain_type type,
                                       struct gri_chain_place at)
{
    struct gri_chain_node *n;

    if (r->tree->count == GRI_CHAIN_NODES_MAX) {
        gri_chain_mistake(r->report, at, "the file holds more than %d values", GRI_CHAIN_NODES_MAX);
        return NULL;
    }
    n = gri_new0(struct gri_chain_node);
    if (n == NULL) {
        gri_chain_mistake(r->report, at, "out of memory");
        return NULL;
    }
    n->type = type;
    n->at = at;
    n->next = r->tree->nodes;
    r->tree->nodes = n;
    r->tree->count++;
    return n;
}

/* node_add appends a key (NULL in lists) and a value to a list or map. */
static bool node_add(struct reader *r, struct gri_chain_node *to, struct gri_chain_node *key,
                     struct gri_chain_node *value)
{
    if (to->count == to->cap) {
        size_t cap = to->cap == 0 ? 4 : to->cap * 2;
        struct gri_chain_item *items = gri_resize(to->items, cap * sizeof(*items));

        if (items == NULL) {
            gri_chain_mistake(r->report, value->at, "out of memory");
            return false;
        }
        to->items = items;
        to->cap = cap;
    }
    to->items[to->count++] = (struct gri_chain_item){ key, value };
    return true;
}

/* place_node puts a complete scalar, or a list or map just begun, where it belongs. */
static bool place_node(struct reader *r, struct gri_chain_node *n)
{
    struct gri_chain_node *in = r->depth > 0 ? r->open[r->depth - 1] : NULL;

    if (in == NULL) {
        r->tree->root = n;
        return true;
    }
    if (in->type == GRI_CHAIN_LIST)
        return node_add(r, in, NULL, n);
    if (r->key == NULL) {
        if (n->type != GRI_CHAIN_SCALAR) {
            gri_chain_mistake(r->report, n->at, "%s can't be a key, a name was expected",
                              gri_chain_what(n));
            return false;
        }
        r->key = n;
        return true;
    }
    if (!node_add(r, in, r->key, n))
        return false;
    r->key = NULL;
    return true;
}

/* refuse_extras tells about anchors and tags, which the format does not have. */
static bool refuse_extras(struct reader *r, const yaml_event_t *e, const yaml_char_t *anchor,
                          const yaml_char_t *tag)
{
    if (anchor != NULL)
        gri_chain_mistake(
            r->report, place_of(e->start_mark),
            "anchors (&%.40s) are not supported; name the actor and refer to it by its "
            "name",
            (const char *)anchor);
    else if (tag != NULL)
        gri_chain_mistake(r->report, place_of(e->start_mark), "tags (%.40s) are not supported",
                          (const char *)tag);
    return anchor == NULL && tag == NULL;
}

static bool on_scalar(struct reader *r, const yaml_event_t *e)
{
    const char *text = (const char *)e->data.scalar.value;
    size_t len = e->data.scalar.length;
    struct gri_chain_node *n;

    if (!refuse_extras(r, e, e->data.scalar.anchor, e->data.scalar.tag))
        return false;
    if (memchr(text, '\0', len) != NULL) {
        gri_chain_mistake(r->report, place_of(e->start_mark), "a text can't hold a NUL character");
        return false;
    }
    n = node_new(r, GRI_CHAIN_SCALAR, place_of(e->start_mark));
    if (n == NULL)
        return false;
    n->plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    n->text = gri_strndup(text, len);
    if (n->text == NULL) {
        gri_chain_mistake(r->report, n->at, "out of memory");
        return false;
    }
    return place_node(r, n);
}

static bool on_begin(struct reader *r, const yaml_event_t *e, enum gri_chain_type type)
{
    bool list = type == GRI_CHAIN_LIST;
    struct gri_chain_node *n;

    if (!refuse_extras(r, e, list ? e->data.sequence_start.anchor : e->data.mapping_start.anchor,
                       list ? e->data.sequence_start.tag : e->data.mapping_start.tag))
        return false;
    if (r->depth == GRI_CHAIN_DEPTH_MAX) {
        gri_chain_mistake(r->report, place_of(e->start_mark), "nested deeper than %d levels",
                          GRI_CHAIN_DEPTH_MAX);
        return false;
    }
    n = node_new(r, type, place_of(e->start_mark));
    if (n == NULL || !place_node(r, n))
        return false;
    r->keys[r->depth] = r->key;
    r->open[r->depth++] = n;
    r->key = NULL;
    return true;
}

/* keys_differ tells about keys that a map has twice. */
static bool keys_differ(struct reader *r, const struct gri_chain_node *n)
{
    struct gri_map seen;
    bool ok = true;

    gri_map_init(&seen, n->count);
    for (size_t i = 0; i < n->count && ok; i++) {
        const struct gri_chain_node *key = n->items[i].key;
        const struct gri_chain_node *first = gri_map_gets(&seen, key->text);

        if (first != NULL) {
            gri_chain_mistake(r->report, key->at, "\"%.60s\" is given twice, first in line %zu",
                              key->text, first->at.line);
            ok = false;
        } else if (!gri_map_puts(&seen, key->text, n->items[i].key)) {
            gri_chain_mistake(r->report, key->at, "out of memory");
            ok = false;
        }
    }
    gri_map_fini(&seen);
    return ok;
}

static bool on_end(struct reader *r)
{
    struct gri_chain_node *n;

    gri_assert(r->depth > 0);
    n = r->open[--r->depth];
    r->key = r->keys[r->depth];
    return n->type != GRI_CHAIN_MAP || keys_differ(r, n);
}

/* on_event takes one event in; false ends the reading, after a mistake was told. */
static bool on_event(struct reader *r, const yaml_event_t *e)
{
    switch (e->type) {
    case YAML_SCALAR_EVENT: return on_scalar(r, e);
    case YAML_SEQUENCE_START_EVENT: return on_begin(r, e, GRI_CHAIN_LIST);
    case YAML_MAPPING_START_EVENT: return on_begin(r, e, GRI_CHAIN_MAP);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT: return on_end(r);
    case YAML_ALIAS_EVENT:
        gri_chain_mistake(
            r->report, place_of(e->start_mark),
            "aliases (*%.40s) are not supported; name the actor and refer to it by its "
            "name",
            (const char *)e->data.alias.anchor);
        return false;
    case YAML_DOCUMENT_START_EVENT:
        if (r->document)
            gri_chain_mistake(r->report, place_of(e->start_mark),
                              "a second document begins here; a chain file holds one");
        else if (e->data.document_start.tag_directives.start !=
                 e->data.document_start.tag_directives.end)
            gri_chain_mistake(r->report, place_of(e->start_mark), "tags are not supported");
        r->document = true;
        return r->report->count == 0;
    default: return true;
    }
}

/* tell_problem turns libyaml's own complaint into ours. */
static void tell_problem(struct reader *r, const yaml_parser_t *p, const char *text, size_t len)
{
    const char *problem = p->problem != NULL ? p->problem : "not YAML";

    if (p->error == YAML_MEMORY_ERROR)
        gri_chain_mistake(r->report, place_of(p->mark), "out of memory");
    else if (p->error == YAML_READER_ERROR)
        gri_chain_mistake(r->report, place_of_offset(text, len, p->problem_offset),
                          "%s, UTF-8 text was expected", problem);
    else if (p->context != NULL)
        gri_chain_mistake(r->report, place_of(p->problem_mark), "%s, %s (from line %zu on)",
                          problem, p->context, p->context_mark.line + 1);
    else
        gri_chain_mistake(r->report, place_of(p->problem_mark), "%s", problem);
}

static void read_events(struct reader *r, yaml_parser_t *p, const char *text, size_t len)
{
    bool more = true;

    while (more) {
        yaml_event_t e;

        if (yaml_parser_parse(p, &e) == 0) {
            tell_problem(r, p, text, len);
            return;
        }
        more = e.type != YAML_STREAM_END_EVENT && on_event(r, &e);
        yaml_event_delete(&e);
    }
}

struct gri_chain_tree *gri_chain_tree_parse(const char *text, size_t len,
                                            struct gri_chain_report *report)
{
    struct reader r = { .report = report };
    size_t mistakes = report->count;
    yaml_parser_t parser;

    if (len > GRI_CHAIN_BYTES_MAX) {
        gri_chain_mistake(report, (struct gri_chain_place){ 0, 0 },
                          "the file has %zu bytes, at most %zu were expected", len,
                          GRI_CHAIN_BYTES_MAX);
        return NULL;
    }
    r.tree = gri_new0(struct gri_chain_tree);
    if (r.tree == NULL || yaml_parser_initialize(&parser) == 0) {
        gri_chain_mistake(report, (struct gri_chain_place){ 0, 0 }, "out of memory");
        gri_free(r.tree);
        return NULL;
    }
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
    read_events(&r, &parser, text, len);
    yaml_parser_delete(&parser);
    if (report->count > mistakes) {
        gri_chain_tree_free(r.tree);
        return NULL;
    }
    gri_assert(r.depth == 0);
    return r.tree;
}
