/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mcp_judge.c - a call's arguments, judged by the tool's schema before they are sent, as those of other tools are.
 *
 * A schema that we can't read, or that takes too long, judges nothing: the server does. The list of tools may be an old
 * one, so what is wrong by it is judged again by what the server says now.
 */
#include "actors/mcp/mcp_session.h"
#include "actors/tool/arguments.h"
#include "runtime/sched/world.h"

static void schema_free(void *p)
{
    gr_schema_free(p);
}

/* read_schema gives the schema of a listed tool, as an opaque value; nil: it can't be read. */
static gr_value *read_schema(struct gri_mcp *s, const gr_value *tool)
{
    gr_value *err = NULL, *v;
    gr_schema *schema = gr_schema_new(gr_value_ref(gr_get(tool, "inputSchema")), NULL, &err);

    if (schema != NULL)
        return gr_opaque(schema, schema_free);
    v = gr_error_code(err) == GR_ENOMEM ? gr_value_ref(err) : gr_nil();
    gri_log_gated(&s->gate, gri_now(s->rt), GRI_LOG_INFO,
                  "mcp %s: arguments of tool %.100s are not judged: %.200s", s->set.name,
                  gr_cstr(gr_get(tool, "name"), ""), gr_error_text(err));
    gr_value_unref(err);
    return v;
}

/* keep_schema has it kept for as long as the list is the same. */
static void keep_schema(struct gri_mcp *s, const gr_value *list, const char *name,
                        const gr_value *v)
{
    gri_lock(&s->lock);
    if (s->tool_list == list && gr_error_code(v) == GR_OK) {
        if (s->schemas == NULL)
            s->schemas = gr_map_n(NULL, 0);
        s->schemas = gr_set(s->schemas, name, gr_value_ref(v));
    }
    gri_unlock(&s->lock);
}

/* schema_of gives a tool's schema; NULL or nil: nobody knows it. */
static gr_value *schema_of(struct gri_mcp *s, const char *name)
{
    gr_value *list, *v = NULL;
    const gr_value *tool;

    gri_lock(&s->lock);
    list = gr_value_ref(s->tool_list);
    v = gr_value_ref(gr_get(s->schemas, name));
    gri_unlock(&s->lock);
    tool = v == NULL ? gri_mcp_named(list, name) : NULL;
    if (tool != NULL) {
        v = read_schema(s, tool);
        keep_schema(s, list, name, v);
    }
    gr_value_unref(list);
    return v;
}

/* judge judges by the list that there is: NULL, or what is wrong. */
static gr_value *judge(struct gri_mcp *s, const char *name, const gr_value *arguments)
{
    gr_value *schema = schema_of(s, name), *shown, *err = NULL;

    if (gr_error_code(schema) == GR_ENOMEM)
        return schema;
    if (gr_as_opaque(schema) != NULL) {
        shown = gri_mcp_shown(s, name);
        err = gri_arguments_judge(gr_as_opaque(schema), gr_cstr(shown, name), arguments);
        gr_value_unref(shown);
    }
    gr_value_unref(schema);
    if (gr_error_code(err) != GR_EFULL)
        return err;
    gr_value_unref(err); /* it takes too long */
    return NULL;
}

/* is_known: there is a list of tools, if an old one. */
static bool is_known(struct gri_mcp *s)
{
    bool known;

    gri_lock(&s->lock);
    known = s->tool_list != NULL;
    gri_unlock(&s->lock);
    return known;
}

gr_value *gri_mcp_judge(gr_ctx *c, struct gri_mcp *s, const char *name, const gr_value *arguments)
{
    gr_value *err = is_known(s) ? judge(s, name, arguments) : NULL;

    if (err == NULL && is_known(s))
        return NULL;
    if (gr_error_code(err) == GR_ENOMEM && err != NULL)
        return err;
    gr_value_unref(gri_mcp_tools_of(c, s, false)); /* without a list the server judges */
    gr_value_unref(err);
    return judge(s, name, arguments);
}
