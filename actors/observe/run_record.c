/* SPDX-License-Identifier: Apache-2.0 */
#include "actors/observe/run_record.h"

#include <stdio.h>
#include <string.h>

#include "actors/observe/moment.h"
#include "runtime/base/alloc.h"
#include "runtime/observe/event.h"

/* dotted_order_of gives the parent's, a dot, the moment and the id; so records sort as they are nested. */
static char *dotted_order_of(const gr_run *run, const struct gri_run_record *parent)
{
    const char *before = parent != NULL ? parent->dotted_order : "";
    char at[GRI_MOMENT_CAP];
    size_t cap = strlen(before) + GRI_MOMENT_CAP + strlen(run->id) + 2;
    char *text = gri_alloc(cap);

    if (text != NULL)
        (void)snprintf(text, cap, "%s%s%s%s", before, parent != NULL ? "." : "",
                       gri_moment(at, run->start_us, GRI_MOMENT_DOTTED), run->id);
    return text;
}

static void add_child(struct gri_run_record *parent, struct gri_run_record *r)
{
    if (parent->last != NULL)
        parent->last->next = r;
    else
        parent->first = r;
    parent->last = r;
    parent->root->runs++;
}

struct gri_run_record *gri_record_new(const gr_run *run, struct gri_run_record *parent)
{
    struct gri_run_record *r;

    if (parent != NULL &&
        (parent->level + 1 >= GRI_TREE_LEVELS_MAX || parent->root->runs >= GRI_TREE_RUNS_MAX)) {
        parent->root->lost++;
        return NULL;
    }
    r = gri_new0(struct gri_run_record);
    if (r == NULL)
        return NULL;
    r->name = gri_strdup(run->name);
    r->dotted_order = dotted_order_of(run, parent);
    if (r->name == NULL || r->dotted_order == NULL) {
        gri_record_free(r);
        return NULL;
    }
    (void)snprintf(r->id, sizeof(r->id), "%s", run->id);
    r->parent = parent;
    r->root = parent != NULL ? parent->root : r;
    r->level = parent != NULL ? parent->level + 1 : 0;
    r->type = run->type;
    r->tags = gr_value_ref(run->tags);
    r->metadata = gr_value_ref(run->metadata);
    r->inputs = gr_value_ref(run->input);
    r->start_us = run->start_us;
    if (parent != NULL)
        add_child(parent, r);
    return r;
}

void gri_record_end(struct gri_run_record *r, const gr_event *event)
{
    r->end_us = event->at_us;
    if (event->run->input != NULL && r->inputs == NULL) /* it came as a stream */
        r->inputs = gr_value_ref(event->run->input);
    if (event->kind == GR_RUN_END)
        r->outputs = gr_value_ref(event->data);
    else
        r->error = gr_value_ref(event->error);
}

void gri_record_each(struct gri_run_record *r, void (*fn)(void *arg, struct gri_run_record *r),
                     void *arg)
{
    fn(arg, r);
    for (struct gri_run_record *child = r->first; child != NULL; child = child->next)
        gri_record_each(child, fn, arg);
}

void gri_record_free(struct gri_run_record *r)
{
    struct gri_run_record *child, *next;

    if (r == NULL)
        return;
    for (child = r->first; child != NULL; child = next) {
        next = child->next;
        gri_record_free(child);
    }
    gri_free(r->name);
    gri_free(r->dotted_order);
    gr_value_unref(r->tags);
    gr_value_unref(r->metadata);
    gr_value_unref(r->inputs);
    gr_value_unref(r->outputs);
    gr_value_unref(r->error);
    gri_free(r);
}

/* ---- the map --------------------------------------------------------------------------------- */

/* wrapped: what is no map stands in one, under key, as in LangChain's. */
static gr_value *wrapped(gr_value *v GR_TAKES, const char *key)
{
    return gr_value_type(v) == GR_MAP ? v : gr_map(GR_KV(key, v));
}

static gr_value *inputs_of(const struct gri_run_record *r)
{
    return r->inputs != NULL ? wrapped(gri_event_input(r->type, r->inputs), "input") : gr_nil();
}

gr_value *gri_record_outputs(gr_run_type type, const gr_value *output)
{
    if (output == NULL)
        return gr_nil();
    return wrapped(gri_event_output(type, output),
                   type == GR_TYPE_RETRIEVER ? "documents" : "output");
}

static gr_value *or_nil(const gr_value *v)
{
    return v != NULL ? gr_value_ref(v) : gr_nil();
}

static gr_value *moment(int64_t at_us)
{
    char at[GRI_MOMENT_CAP];

    return at_us != 0 ? gr_str(gri_moment(at, at_us, GRI_MOMENT_US)) : gr_nil();
}

/* map_of makes the map; bare: without the values that are of any depth. */
static gr_value *map_of(const struct gri_run_record *r, gr_value *children GR_TAKES, bool bare)
{
    const char *type = r->type == GR_TYPE_CHAT_MODEL ? "llm" : gr_run_type_name(r->type);
    gr_value *map = gr_map(
        GR_KV("id", gr_str(r->id)), GR_KV("name", gr_str(r->name)), GR_KV("run_type", gr_str(type)),
        GR_KV("inputs", bare ? gr_nil() : inputs_of(r)),
        GR_KV("outputs", bare ? gr_nil() : gri_record_outputs(r->type, r->outputs)),
        GR_KV("error", bare ? gr_nil() : or_nil(r->error)),
        GR_KV("start_time", moment(r->start_us)), GR_KV("end_time", moment(r->end_us)),
        GR_KV("tags", or_nil(r->tags)), GR_KV("metadata", bare ? gr_nil() : or_nil(r->metadata)),
        GR_KV("child_runs", children),
        GR_KV("parent_run_id", r->parent != NULL ? gr_str(r->parent->id) : gr_nil()),
        GR_KV("trace_id", gr_str(r->root->id)), GR_KV("dotted_order", gr_str(r->dotted_order)));

    if (r->lost > 0)
        map = gr_set(map, "runs_lost", gr_int((int64_t)r->lost));
    return map;
}

/* fits tells whether a map may stand as many levels deep as a run's does, in the list that is taken. */
static bool fits(const gr_value *map, unsigned level)
{
    gr_value *v = gr_value_ref(map);
    bool ok;

    for (unsigned i = 0; i < 2 * level + 1; i++)
        v = gr_list(v);
    ok = gr_error_code(v) == GR_OK;
    gr_value_unref(v);
    return ok;
}

/* The levels are few enough that a bare map always fits. */
gr_value *gri_record_value(const struct gri_run_record *r)
{
    gr_value *children = gr_list_n(NULL, 0), *map;

    for (const struct gri_run_record *child = r->first; child != NULL; child = child->next)
        children = gr_append(children, gri_record_value(child));
    map = map_of(r, gr_value_ref(children), false);
    if (!fits(map, r->level)) {
        gr_value_unref(map);
        map = map_of(r, gr_value_ref(children), true);
    }
    gr_value_unref(children);
    return map;
}
