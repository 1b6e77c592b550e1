/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chain_build.c - the builder: names to actors, each made once, its first need first.
 *
 * The file was checked, so keys have the right types and names lead nowhere in a circle: the
 * recursion ends, and is as deep as the check's.
 */
#include "cli/chain_build.h"
#include "cli/chain_isolate.h"

#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"

void gri_chain_builder_init(struct gri_chain_builder *b, struct gri_chain_file *f, gr_runtime *rt,
                            struct gri_chain_report *r)
{
    *b = (struct gri_chain_builder){ .file = f, .report = r, .rt = rt, .in = gr_root(rt) };
}

void gri_chain_builder_fini(struct gri_chain_builder *b)
{
    gri_free(b->loads);
    gri_free(b->made);
    b->loads = NULL;
    b->made = NULL;
}

bool gri_chain_build(struct gri_chain_builder *b, struct gri_chain_actor *a)
{
    size_t mistakes = b->report->count;

    if (!a->built) {
        const char *outer = b->name;

        b->name = a->name;
        a->ref = gri_build_actor(b, a->node);
        a->built = true;
        b->name = outer;
    }
    return b->report->count == mistakes;
}

void gri_build_note(struct gri_chain_builder *b, const struct gri_chain_node *kind, gr_ref ref,
                    size_t first)
{
    if (b->made_count == b->made_cap) {
        size_t cap = b->made_cap == 0 ? 16 : b->made_cap * 2;
        struct gri_chain_made *made = gri_resize(b->made, cap * sizeof(*made));

        if (made == NULL) {
            gri_chain_mistake(b->report, kind->at, "out of memory");
            return;
        }
        b->made = made;
        b->made_cap = cap;
    }
    b->made[b->made_count++] = (struct gri_chain_made){ .kind = kind, .ref = ref, .first = first };
}

/* answer_nothing is the barrier's runnable. */
static gr_value *answer_nothing(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c;
    (void)arg;
    (void)input;
    return gr_nil();
}

/* part_refused tells whether something that the actor is made of was refused, and told. */
static bool part_refused(const struct gri_chain_builder *b, size_t index)
{
    for (size_t i = b->made[index].first; i < index; i++) {
        if (b->made[i].refused)
            return true;
    }
    return false;
}

bool gri_chain_settle(struct gri_chain_builder *b)
{
    gr_ref barrier = gr_lambda(b->in, GR_ASYNC, answer_nothing, NULL, NULL);
    size_t mistakes = b->report->count;

    gr_value_unref(gr_invoke(b->rt, barrier, gr_nil(), NULL, NULL));
    gr_stop(b->rt, barrier);
    for (size_t i = 0; i < b->made_count; i++) {
        struct gri_chain_made *m = &b->made[i];
        gr_value *error = NULL;

        if (m->isolated) /* a process takes its time to start, and has a limit for that */
            gr_value_unref(gr_take(gr_started(b->rt, m->ref), &error));
        else
            error = gr_check(b->rt, m->ref);
        m->refused = error != NULL;
        if (m->refused && m->isolated)
            gri_chain_isolated_mistake(b->report, m->kind, error);
        else if (m->refused && !part_refused(b, i))
            gri_chain_mistake(b->report, m->kind->at, "%s: %s", m->kind->text,
                              gri_chain_said(m->kind->text, error));
        gr_value_unref(error);
    }
    return b->report->count == mistakes;
}

gr_ref gri_build_actor(struct gri_chain_builder *b, const struct gri_chain_node *n)
{
    const struct gri_chain_kind *kind;
    size_t first = b->made_count;
    gr_ref ref = { 0, 0 };

    if (n == NULL)
        return ref;
    if (n->type == GRI_CHAIN_SCALAR) {
        struct gri_chain_actor *a = gri_chain_actor_find(b->file, gri_chain_text(n));

        gri_assert(a != NULL);
        if (a != NULL)
            (void)gri_deploy_reach(b, a, &ref);
        return ref;
    }
    kind = gri_chain_kind_find(n->items[0].key->text);
    gri_assert(kind != NULL);
    if (kind != NULL && !b->file->one_process && gri_chain_is_isolated(n)) {
        gr_ref sup = gri_build_isolated(b, n, &ref);

        gri_build_note(b, n->items[0].key, sup, first);
        if (b->made_count > first)
            b->made[b->made_count - 1].isolated = true;
    } else if (kind != NULL) {
        ref = kind->build(b, n->items[0].value);
        gri_build_note(b, n->items[0].key, ref, first);
    }
    return ref;
}

char *gri_build_path(struct gri_chain_builder *b, const struct gri_chain_node *text)
{
    struct gri_strbuf path = GRI_STRBUF_INIT;
    const char *tail = text != NULL ? gri_chain_text(text) : "";
    char *whole;

    if (tail[0] != '/' && strcmp(b->file->folder, "./") != 0)
        gri_strbuf_adds(&path, b->file->folder);
    gri_strbuf_adds(&path, tail);
    if (path.len == 0 && !path.failed)
        gri_strbuf_addc(&path, '.');
    whole = gri_strbuf_take(&path);
    gri_strbuf_fini(&path);
    if (whole == NULL)
        gri_chain_mistake(b->report, (struct gri_chain_place){ 0, 0 }, "out of memory");
    return whole;
}

/* ---- plain data ------------------------------------------------------------------------------ */

static gr_value *scalar_value(const struct gri_chain_node *n)
{
    long long whole;
    double real;
    bool truth;

    if (gri_chain_is_nothing(n))
        return gr_nil();
    if (gri_chain_to_bool(n, &truth))
        return gr_bool(truth);
    if (gri_chain_to_int(n, &whole))
        return gr_int(whole);
    if (gri_chain_to_real(n, &real))
        return gr_real(real);
    return gr_str(gri_chain_text(n));
}

gr_value *gri_build_data(const struct gri_chain_node *n)
{
    gr_value *v;

    if (n->type == GRI_CHAIN_SCALAR)
        return scalar_value(n);
    v = n->type == GRI_CHAIN_LIST ? gr_list_n(NULL, 0) : gr_map_n(NULL, 0);
    for (size_t i = 0; i < n->count; i++) {
        gr_value *item = gri_build_data(n->items[i].value);

        v = n->type == GRI_CHAIN_LIST ? gr_append(v, item) : gr_set(v, n->items[i].key->text, item);
    }
    return v;
}

gr_value *gri_build_texts(const struct gri_chain_node *n)
{
    gr_value *v;

    if (n == NULL)
        return NULL;
    v = gr_list_n(NULL, 0);
    for (size_t i = 0; i < n->count; i++)
        v = gr_append(v, gr_str(gri_chain_text(n->items[i].value)));
    return v;
}

/* ---- keys ------------------------------------------------------------------------------------ */

const char *gri_arg_text(const struct gri_chain_node *args, const char *key, const char *otherwise)
{
    const struct gri_chain_node *n = gri_chain_get(args, key);

    return n != NULL ? gri_chain_text(n) : otherwise;
}

long long gri_arg_int(const struct gri_chain_node *args, const char *key, long long otherwise)
{
    const struct gri_chain_node *n = gri_chain_get(args, key);
    long long whole = otherwise;

    if (n != NULL && !gri_chain_to_int(n, &whole))
        return otherwise;
    return whole;
}

const double *gri_arg_real(const struct gri_chain_node *args, const char *key, double *place)
{
    const struct gri_chain_node *n = gri_chain_get(args, key);

    return n != NULL && gri_chain_to_real(n, place) ? place : NULL;
}

bool gri_arg_bool(const struct gri_chain_node *args, const char *key)
{
    const struct gri_chain_node *n = gri_chain_get(args, key);
    bool truth = false;

    return n != NULL && gri_chain_to_bool(n, &truth) && truth;
}

/* ---- for the kinds --------------------------------------------------------------------------- */

gr_ref gri_build_no_memory(struct gri_chain_builder *b, const struct gri_chain_node *n)
{
    gri_chain_mistake(b->report, n->at, "out of memory");
    return (gr_ref){ 0, 0 };
}

const struct gri_chain_node *gri_build_arg(const char *kind, const struct gri_chain_node *args,
                                           const char *key)
{
    return gri_chain_arg_of(gri_chain_kind_find(kind), args, key);
}

const char **gri_build_names(const struct gri_chain_node *n, size_t *ret_count)
{
    const char **texts;

    *ret_count = 0;
    if (n == NULL || n->type != GRI_CHAIN_LIST)
        return NULL;
    texts = gri_alloc_array(n->count + 1, sizeof(*texts));
    for (size_t i = 0; texts != NULL && i < n->count; i++)
        texts[(*ret_count)++] = gri_chain_text(n->items[i].value);
    return texts;
}
