/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/observe/run_copy.h"

#include <string.h>

#include "runtime/base/alloc.h"

static struct gri_run *run_alloc(struct gri_run_tree *t, const char *name)
{
    size_t size = strlen(name) + 1;
    struct gri_run *r = gri_alloc0(sizeof(struct gri_run) + size);

    if (r == NULL)
        return NULL;
    memcpy(r->called, name, size);
    atomic_init(&r->refs, 1);
    r->tree = gri_run_tree_ref(t);
    gri_list_init(&r->open);
    return r;
}

/* look_like has handlers see what r has. */
static void look_like(struct gri_run *r, gr_run_type type, bool streams)
{
    r->seen = (gr_run){ .type = type, .streams = streams, .inner = r };
    r->seen.id = gr_cstr(r->id, "");
    r->seen.name = r->called;
    r->seen.tags = r->tags;
    r->seen.metadata = r->metadata;
}

struct gri_run *gri_run_copy(struct gri_run_tree *t, struct gri_run *parent,
                             const struct gri_run_told *told, struct gri_handlers *handlers,
                             struct gri_handlers *local)
{
    struct gri_run *r = run_alloc(t, told->name);

    if (r == NULL)
        return NULL;
    r->parent = parent != NULL ? gri_run_ref(parent) : NULL;
    r->loose = told->loose;
    r->handlers = gri_handlers_ref(handlers);
    r->local = gri_handlers_ref(local);
    r->id = gr_str(told->id);
    r->tags = gr_value_ref(told->tags);
    r->passed_tags = gr_value_ref(told->passed_tags);
    r->metadata = gr_value_ref(told->metadata);
    look_like(r, told->type, told->streams);
    gri_run_give_parents(r);
    r->seen.parent_ids = r->parent_ids;
    if (gr_error_code(r->id) == GR_OK)
        return r;
    gri_run_unref(r);
    return NULL;
}

struct gri_run *gri_run_stand_in(struct gri_run_tree *t, const struct gri_origin *origin)
{
    struct gri_run *r = run_alloc(t, "");

    if (r == NULL)
        return NULL;
    r->state = GRI_RUN_OPEN; /* for as long as anybody is in it */
    r->id = gr_value_ref(gr_at(origin->ids, gr_len(origin->ids) - 1));
    r->ids_within = gr_value_ref(origin->ids);
    r->parent_ids = gr_list_n(NULL, 0);
    r->tags = gr_value_ref(origin->tags);
    r->passed_tags = gr_value_ref(origin->tags);
    r->metadata = gr_value_ref(origin->metadata);
    look_like(r, GR_TYPE_CHAIN, false);
    r->seen.parent_ids = r->parent_ids;
    return r;
}
