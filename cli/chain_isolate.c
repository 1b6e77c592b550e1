/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/chain_isolate.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/alloc.h"

#define KIND "chain"
#define INTENSITY 5 /* crashes in PERIOD_MS that are made good; with one more it stays down */
#define PERIOD_MS 10000
#define WAIT_MS 10000 /* how long a call waits for the next process */

bool gri_chain_is_isolated(const struct gri_chain_node *n)
{
    const struct gri_chain_node *isolate = gri_deploy_beside(n, "isolate");
    bool truth = false;

    return isolate != NULL && gri_chain_to_bool(isolate, &truth) && truth;
}

/* ---- in the command -------------------------------------------------------------------------- */

static gr_ref start_isolated(gr_scope *in, void *arg, const gr_value *args)
{
    (void)arg;
    return gr_isolated(
        in, KIND,
        GR_SPAWN(.name = gr_cstr(gr_get(args, "name"), NULL), .args = gr_value_ref(args)));
}

gr_ref gri_build_isolated(struct gri_chain_builder *b, const struct gri_chain_node *n,
                          gr_ref *ret_child)
{
    const struct gri_chain_node *kind = n->items[0].key;
    gr_value *what =
        gr_map(GR_KV("path", gr_str(b->report->file)),
               GR_KV("text", gr_bin(b->file->text, b->file->text_len)),
               GR_KV("name", gr_str(kind->text)), GR_KV("line", gr_int((int64_t)kind->at.line)),
               GR_KV("column", gr_int((int64_t)kind->at.column)));
    gr_child_spec spec = GR_CHILD(.id = kind->text, .start = start_isolated, .args = what);
    gr_ref sup = gr_supervisor(b->in, GR_SUPERVISOR(.name = kind->text, .intensity = INTENSITY,
                                                    .period_ms = PERIOD_MS, .children = &spec,
                                                    .child_count = 1));

    *ret_child = gr_child(b->in, sup, kind->text, GR_NAMED(.wait_ms = WAIT_MS));
    return sup;
}

void gri_chain_isolated_mistake(struct gri_chain_report *r, const struct gri_chain_node *kind,
                                const gr_value *error)
{
    struct gri_chain_place at = kind->at;
    const gr_value *place = NULL, *cause = error;

    while (cause != NULL && (place = gr_get(gr_get(cause, "detail"), "line")) == NULL)
        cause = gr_get(cause, "cause");
    if (place == NULL) {
        gri_chain_mistake(r, at, "%s: %s", kind->text, gri_chain_said(kind->text, error));
        return;
    }
    at.line = (size_t)gr_as_int(place, 0);
    at.column = (size_t)gr_as_int(gr_get(gr_get(cause, "detail"), "column"), 0);
    gri_chain_mistake(r, at, "%s", gr_error_text(cause));
}

/* ---- in the process -------------------------------------------------------------------------- */

/* What the actor is made of, as long as the process: it has one. */
static struct gri_chain_report report;
static struct gri_chain_builder builder;
static struct gri_chain_file *file;

static const struct gri_chain_node *node_at(const struct gri_chain_tree *t, int64_t line,
                                            int64_t column)
{
    for (const struct gri_chain_node *n = t->nodes; n != NULL; n = n->next)
        if (n->type == GRI_CHAIN_MAP && n->count > 0 && n->items[0].key != NULL &&
            n->items[0].key->at.line == (size_t)line &&
            n->items[0].key->at.column == (size_t)column)
            return n;
    return NULL;
}

/* broken makes an actor that only says what is wrong. */
static gr_ref broken(gr_scope *in, gr_value *error)
{
    static const gr_class nothing = GR_CLASS(.name = KIND);

    return gr_spawn(in, &nothing, GR_SPAWN(.args = error));
}

/* wrong_part finds what was refused, with its place. NULL: nothing. */
static gr_value *wrong_part(struct gri_chain_builder *b)
{
    for (size_t i = 0; i < b->made_count; i++) {
        const struct gri_chain_node *kind = b->made[i].kind;
        gr_value *error = gr_check(b->rt, b->made[i].ref), *told;

        if (error == NULL)
            continue;
        told =
            gr_error(gr_error_code(error), "%s: %s", kind->text, gri_chain_said(kind->text, error));
        gr_value_unref(error);
        return gr_error_with(told, "detail",
                             gr_map(GR_KV("line", gr_int((int64_t)kind->at.line)),
                                    GR_KV("column", gr_int((int64_t)kind->at.column))));
    }
    return NULL;
}

static gr_ref make(gr_scope *in, void *arg, const gr_value *args)
{
    size_t len = 0;
    const char *text = gr_as_bin(gr_get(args, "text"), &len);
    const struct gri_chain_node *n = NULL;
    gr_value *error;
    gr_ref made;

    (void)arg;
    gri_chain_report_init(&report, gri_strdup(gr_cstr(gr_get(args, "path"), "")));
    file = gri_chain_file_parse(report.file, text != NULL ? text : "", len, getenv, &report);
    if (file != NULL)
        n = node_at(file->tree, gr_as_int(gr_get(args, "line"), 0),
                    gr_as_int(gr_get(args, "column"), 0));
    if (n == NULL)
        return broken(in, gr_error(GR_EINVAL, "the chain file can't be read again: %s",
                                   gri_chain_report_text(&report)));
    gri_chain_builder_init(&builder, file, gr_scope_runtime(in), &report);
    builder.in = in;
    file->one_process = true;
    made = gri_build_actor(&builder, n);
    error = report.count > 0 ? gr_error(GR_EINVAL, "%s", gri_chain_report_text(&report))
                             : wrong_part(&builder);
    return error != NULL ? broken(in, error) : made;
}

const gr_isolated_kind gri_chain_isolated_kinds[GRI_CHAIN_ISOLATED_KINDS] = {
    { .name = KIND, .start = make },
};
