/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chain_fields.c - configurable_fields in a chain file: keys of a kind that a call's config may set.
 *
 * The actor is made from its node in the file with some keys' values replaced. That is done on
 * workers, for several calls at once: the tree and the named actors in it are only read, since all of
 * them were made with the defaults, and what is made anew has a builder and a report of its own.
 */
#include <string.h>

#include "cli/chain_build.h"
#include "runtime/base/alloc.h"

/* What one actor is made from; outlived by the file. */
struct source {
    struct gri_chain_file *file; /* borrowed */
    gr_runtime *rt;              /* borrowed */
    const struct gri_chain_kind *kind;
    const struct gri_chain_node *args;
    const char *name; /* of the actor in the file; borrowed */
};

/* refusal is a ref that says what is wrong. */
static gr_ref refusal(gr_scope *in, gr_value *err GR_TAKES)
{
    return gr_with_config(in, (gr_ref){ 0, 0 }, err);
}

static const struct gri_chain_key *key_of(const struct gri_chain_kind *kind, const char *name)
{
    for (size_t i = 0; i < kind->key_count; i++)
        if (strcmp(kind->keys[i].name, name) == 0)
            return &kind->keys[i];
    return NULL;
}

bool gri_chain_key_is_plain(const struct gri_chain_key *key)
{
    return key->type == GRI_ARG_TEXT || key->type == GRI_ARG_INT || key->type == GRI_ARG_REAL ||
           key->type == GRI_ARG_BOOL;
}

/* fits tells whether a value is what the key takes. */
static bool fits(const struct gri_chain_key *key, const gr_value *v)
{
    double number = gr_as_real(v, 0);
    bool in_range = (key->min == 0 && key->max == 0) || (number >= key->min && number <= key->max);

    switch (key->type) {
    case GRI_ARG_INT: return gr_value_type(v) == GR_INT && in_range;
    case GRI_ARG_REAL:
        return (gr_value_type(v) == GR_REAL || gr_value_type(v) == GR_INT) && in_range;
    case GRI_ARG_BOOL: return gr_value_type(v) == GR_BOOL;
    default: return gr_value_type(v) == GR_STR;
    }
}

/* A copy of a map's items, some with nodes of its own; all freed together. */
struct patched {
    struct gri_chain_node map;
    struct gri_chain_node *nodes; /* owned array; keys and values that are not the file's */
    size_t used;
};

static void patched_fini(struct patched *p)
{
    for (size_t i = 0; i < p->used; i++)
        gri_free(p->nodes[i].text);
    gri_free(p->nodes);
    gri_free(p->map.items);
}

static struct gri_chain_node *add_scalar(struct patched *p, char *text, bool plain)
{
    struct gri_chain_node *n = &p->nodes[p->used++];

    *n = (struct gri_chain_node){ .type = GRI_CHAIN_SCALAR, .plain = plain, .text = text };
    return n;
}

/* patched_init copies args; a first key that stands alone is written out. */
static bool patched_init(struct patched *p, const struct source *s, size_t more)
{
    const struct gri_chain_node *args = s->args;
    bool alone = gri_chain_alone(s->kind, args);
    char *name = alone ? gri_strdup(s->kind->keys[0].name) : NULL;

    *p = (struct patched){ .map = { .type = GRI_CHAIN_MAP, .at = args->at } };
    p->map.items = gri_alloc_array(args->count + more + 1, sizeof(*p->map.items));
    p->nodes = gri_alloc_array(2 * more + 1, sizeof(*p->nodes));
    if (p->map.items == NULL || p->nodes == NULL || (alone && name == NULL)) {
        gri_free(name);
        return false;
    }
    if (alone)
        p->map.items[p->map.count++] =
            (struct gri_chain_item){ add_scalar(p, name, false), (struct gri_chain_node *)args };
    for (size_t i = 0; !alone && args->type == GRI_CHAIN_MAP && i < args->count; i++)
        p->map.items[p->map.count++] = args->items[i];
    return true;
}

/* patch sets a key; false: out of memory. */
static bool patch(struct patched *p, const char *key, const gr_value *v)
{
    bool text = gr_value_type(v) == GR_STR;
    char *printed = text ? NULL : gr_json_print(v, 0, NULL);
    char *own = gri_strdup(text ? gr_cstr(v, "") : printed != NULL ? printed : "");
    struct gri_chain_item *item = NULL;

    gr_free(printed);
    if (own == NULL)
        return false;
    for (size_t i = 0; i < p->map.count; i++)
        if (strcmp(p->map.items[i].key->text, key) == 0)
            item = &p->map.items[i];
    if (item == NULL) {
        char *name = gri_strdup(key);

        if (name == NULL) {
            gri_free(own);
            return false;
        }
        item = &p->map.items[p->map.count++];
        item->key = add_scalar(p, name, false);
    }
    item->value = add_scalar(p, own, !text);
    return true;
}

static gr_ref make_from(gr_scope *in, const struct source *s, const struct gri_chain_node *args)
{
    struct gri_chain_report report;
    struct gri_chain_builder b;
    gr_ref ref;

    gri_chain_report_init(&report, "");
    gri_chain_builder_init(&b, s->file, s->rt, &report);
    b.in = in;
    b.name = s->name;
    ref = s->kind->build(&b, args);
    gri_chain_builder_fini(&b);
    gri_chain_report_fini(&report);
    return ref;
}

/* make is the factory of gr_configurable_fields: fields by the kind's keys, nil where the file leaves
 * one out. */
static gr_ref make(gr_scope *in, void *arg, const gr_value *fields)
{
    const struct source *s = arg;
    struct patched p;
    bool ok = patched_init(&p, s, gr_len(fields));
    const char *name = NULL;
    gr_ref ref;

    for (size_t i = 0; ok && i < gr_len(fields); i++) {
        const gr_value *v = gr_pair_at(fields, i, &name);
        const struct gri_chain_key *key = key_of(s->kind, name);

        if (gr_is_nil(v))
            continue;
        if (!fits(key, v)) {
            patched_fini(&p);
            return refusal(in, gr_error(GR_EINVAL, "%s: %s was expected", name,
                                        gri_chain_arg_name(key->type)));
        }
        ok = patch(&p, name, v);
    }
    ref = ok ? make_from(in, s, &p.map)
             : refusal(in, gr_error(GR_ENOMEM, "out of memory for %s", s->kind->name));
    patched_fini(&p);
    return ref;
}

/* field_of reads what the file says of a key: the id, or a map with it; given is the key's value in the
 * actor, NULL: it has none. */
static gr_field field_of(const struct gri_chain_item *item, const struct gri_chain_node *given)
{
    const struct gri_chain_node *n = item->value, *options = gri_chain_get(n, "options");
    gr_field field = { .name = item->key->text };

    if (n->type != GRI_CHAIN_MAP) {
        field.id = gri_chain_text(n);
    } else {
        field.id = gri_arg_text(n, "id", NULL);
        field.title = gri_arg_text(n, "title", NULL);
        field.description = gri_arg_text(n, "description", NULL);
        field.is_shared = gri_arg_bool(n, "is_shared");
    }
    if (options != NULL) {
        field.options = gri_build_data(options);
        field.otherwise = gr_str(gri_arg_text(n, "default", ""));
    } else {
        field.otherwise = given != NULL ? gri_build_data(given) : gr_nil();
    }
    return field;
}

gr_ref gri_build_configurable_fields(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    const struct gri_chain_node *inner = gri_chain_get(args, "runnable");
    const struct gri_chain_node *named = gri_chain_get(args, "fields");
    const struct gri_chain_kind *kind = gri_chain_kind_find(inner->items[0].key->text);
    const struct gri_chain_node *own = inner->items[0].value;
    gr_field *fields = gri_alloc_array(named->count + 1, sizeof(*fields));
    struct source *s = gri_new0(struct source);
    gr_ref ref;

    if (fields == NULL || s == NULL) {
        gri_free(fields);
        gri_free(s);
        gri_chain_mistake(b->report, args->at, "out of memory");
        return (gr_ref){ 0, 0 };
    }
    *s = (struct source){ b->file, b->rt, kind, own, b->name };
    for (size_t i = 0; i < named->count; i++)
        fields[i] =
            field_of(&named->items[i], gri_chain_arg_of(kind, own, named->items[i].key->text));
    ref = gr_configurable_fields_n(b->in, make, gri_free, s, fields, named->count);
    gri_free(fields);
    return ref;
}
