/* SPDX-License-Identifier: Apache-2.0 */
/* mcp_tools.c - a server's tools: which there are, which are let through, calling one. */
#include <string.h>

#include <greenroom/runtime.h>

#include "actors/mcp/mcp_list.h"
#include "runtime/sched/world.h"

const gr_value *gri_mcp_named(const gr_value *list, const char *name)
{
    for (size_t i = 0; i < gr_len(list); i++)
        if (strcmp(gr_cstr(gr_get(gr_at(list, i), "name"), ""), name) == 0)
            return gr_at(list, i);
    return NULL;
}

/* is_let_through: the client's user may have said which. */
static bool is_let_through(const struct gri_mcp *s, const char *name)
{
    for (size_t i = 0; i < gr_len(s->set.tools); i++)
        if (strcmp(gr_cstr(gr_at(s->set.tools, i), ""), name) == 0)
            return true;
    return s->set.tools == NULL;
}

/* mirrors: arguments go into headers as well. */
static bool mirrors(struct gri_mcp *s)
{
    bool modern;

    gri_lock(&s->lock);
    modern = s->modern;
    gri_unlock(&s->lock);
    return modern && s->set.argv == NULL;
}

/* is_fit tells whether a tool can be called; the log tells why one can't. */
static bool is_fit(struct gri_mcp *s, const gr_value *tool)
{
    const char *name = gr_cstr(gr_get(tool, "name"), "");
    gr_value *headers;
    bool fit;

    if (name[0] == '\0' || gr_value_type(gr_get(tool, "inputSchema")) != GR_MAP) {
        gri_log_gated(&s->gate, gri_now(s->rt), GRI_LOG_WARN,
                      "mcp %s: a tool \"%.100s\" without name or schema is left out", s->set.name,
                      name);
        return false;
    }
    if (!mirrors(s))
        return true;
    headers = gri_mcp_param_headers(gr_get(tool, "inputSchema"));
    /* without memory nothing is known against it */
    fit = gr_error_code(headers) == GR_OK || gr_error_code(headers) == GR_ENOMEM;
    if (!fit)
        gri_log_gated(&s->gate, gri_now(s->rt), GRI_LOG_WARN, "mcp %s: tool %.100s is left out: %s",
                      s->set.name, name, gr_error_text(headers));
    gr_value_unref(headers);
    return fit;
}

/* sifted takes a list of tools, and gives those that can be used; of two of one name the first. */
static gr_value *sifted(struct gri_mcp *s, gr_value *all)
{
    gr_value *some = gr_list_n(NULL, 0), *seen = gr_map_n(NULL, 0);

    for (size_t i = 0; i < gr_len(all); i++) {
        const gr_value *tool = gr_at(all, i);
        const char *name = gr_cstr(gr_get(tool, "name"), "");

        if (gr_get(seen, name) != NULL || !is_let_through(s, name) || !is_fit(s, tool))
            continue;
        some = gr_append(some, gr_value_ref(tool));
        seen = gr_set(seen, name, gr_bool(true));
    }
    gr_value_unref(seen);
    gr_value_unref(all);
    return some;
}

/* hears: the server tells us of changes of its list of tools. */
static bool hears_locked(const struct gri_mcp *s)
{
    const gr_value *tools = gr_get(gr_get(s->server, "capabilities"), "tools");

    return gr_as_bool(gr_get(tools, "listChanged"), false) &&
           (s->hears || (s->set.argv != NULL && !s->modern));
}

void gri_mcp_tools_changed(struct gri_mcp *s)
{
    gri_lock(&s->lock);
    s->steady = false;
    s->fresh_until_ns = 0;
    s->changes++;
    gri_unlock(&s->lock);
}

void gri_mcp_hear(struct gri_mcp *s, bool hears)
{
    gri_lock(&s->lock);
    s->changes += s->hears != hears; /* nobody knows what was missed */
    s->steady = false;
    s->hears = hears;
    gri_unlock(&s->lock);
}

/* kept gives the list that is there: one that is fresh, as the server says or since it would tell of a change. */
static gr_value *kept(struct gri_mcp *s)
{
    gr_value *list = NULL;

    gri_lock(&s->lock);
    if (s->tool_list != NULL && (s->steady || gri_now(s->rt) < s->fresh_until_ns))
        list = gr_value_ref(s->tool_list);
    gri_unlock(&s->lock);
    return list;
}

/* keep has a list kept that was asked for when so many changes had been told. */
static void keep(struct gri_mcp *s, gr_value *list, unsigned changes, uint64_t fresh_until_ns)
{
    gr_value *old, *schemas;

    gri_lock(&s->lock);
    old = s->tool_list;
    schemas = s->schemas;
    s->tool_list = gr_value_ref(list);
    s->schemas = NULL;
    s->steady = changes == s->changes && hears_locked(s);
    s->fresh_until_ns = changes == s->changes ? fresh_until_ns : 0;
    gri_unlock(&s->lock);
    gr_value_unref(old);
    gr_value_unref(schemas);
}

gr_value *gri_mcp_tools_of(gr_ctx *c, struct gri_mcp *s, bool anew)
{
    gr_value *list = anew ? NULL : kept(s);
    uint64_t fresh_until_ns = 0;
    unsigned changes;

    if (list != NULL)
        return list;
    gri_lock(&s->lock);
    changes = s->changes;
    gri_unlock(&s->lock);
    list = gri_mcp_list(c, s, "tools/list", "tools", &fresh_until_ns);
    if (gr_error_code(list) != GR_OK)
        return list;
    list = sifted(s, list);
    if (gr_error_code(list) != GR_OK)
        return list;
    keep(s, list, changes, fresh_until_ns);
    return list;
}

gr_value *gri_mcp_tools_listed(gr_ctx *c, struct gri_mcp *s)
{
    gr_value *list = gri_mcp_tools_of(c, s, false);

    for (size_t i = 0; gr_error_code(list) == GR_OK && i < gr_len(s->set.tools); i++) {
        const char *name = gr_cstr(gr_at(s->set.tools, i), "");

        if (gri_mcp_named(list, name) == NULL) {
            gr_value_unref(list);
            return gr_error(
                GR_EINVAL,
                "%s: tools names '%.100s', and the server has no such tool that can be used",
                s->set.name, name);
        }
    }
    return list;
}

/* ---- calling --------------------------------------------------------------------------------- */

/* value_at goes down a path of keys. */
static const gr_value *value_at(const gr_value *v, const gr_value *path)
{
    for (size_t i = 0; i < gr_len(path); i++)
        v = gr_get(v, gr_cstr(gr_at(path, i), ""));
    return v;
}

/* headers_of gives the headers that go with arguments: a map, NULL if there are none. */
static gr_value *headers_of(struct gri_mcp *s, const char *name, const gr_value *arguments)
{
    gr_value *list, *which, *headers = NULL;

    gri_lock(&s->lock);
    list = gr_value_ref(s->tool_list);
    gri_unlock(&s->lock);
    which = gri_mcp_param_headers(gr_get(gri_mcp_named(list, name), "inputSchema"));
    for (size_t i = 0; gr_error_code(which) == GR_OK && i < gr_len(which); i++) {
        const gr_value *header = gr_at(which, i), *v = value_at(arguments, gr_get(header, "path"));

        if (!gr_is_nil(v))
            headers = gr_set(headers != NULL ? headers : gr_map_n(NULL, 0),
                             gr_cstr(gr_get(header, "header"), ""), gr_value_ref(v));
    }
    gr_value_unref(which);
    gr_value_unref(list);
    return headers;
}

static gr_value *call_it(gr_ctx *c, struct gri_mcp *s, const char *name, const gr_value *arguments)
{
    gr_value *headers = mirrors(s) ? headers_of(s, name, arguments) : NULL, *v;

    v = gri_mcp_call(
        c, s,
        &(struct gri_mcp_call){ .method = "tools/call",
                                .params = gr_map(GR_KV("name", gr_str(name)),
                                                 GR_KV("arguments", gr_value_ref(arguments))),
                                .headers = headers });
    gr_value_unref(headers);
    return v;
}

gr_value *gri_mcp_call_tool(gr_ctx *c, struct gri_mcp *s, const char *name,
                            const gr_value *arguments)
{
    gr_value *v, *list;
    bool known;

    if (!is_let_through(s, name))
        return gr_error(GR_EINVAL, "%s: the tool %.100s is not among those that may be used",
                        s->set.name, name);
    gri_lock(&s->lock);
    known = s->tool_list != NULL;
    gri_unlock(&s->lock);
    if (!known && mirrors(s)) { /* the schema says what goes into headers */
        list = gri_mcp_tools_of(c, s, true);
        if (gr_error_code(list) != GR_OK)
            return list;
        gr_value_unref(list);
    }
    v = call_it(c, s, name, arguments);
    if (gri_mcp_error_code_of(v) != GRI_MCP_HEADER_MISMATCH || !mirrors(s))
        return v;
    list = gri_mcp_tools_of(c, s, true); /* the schema may have changed */
    if (gr_error_code(list) == GR_OK) {
        gr_value_unref(v);
        v = call_it(c, s, name, arguments);
    }
    gr_value_unref(list);
    return v;
}

gr_value *gri_mcp_shown(const struct gri_mcp *s, const char *name)
{
    return s->set.prefix != NULL ? gr_strf("%s_%s", s->set.prefix, name) : gr_str(name);
}

gr_value *gri_mcp_told(const struct gri_mcp *s, const gr_value *tool)
{
    const char *name = gr_cstr(gr_get(tool, "name"), "");
    const gr_value *description = gr_get(tool, "description");
    gr_value *told =
        gr_map(GR_KV("name", gri_mcp_shown(s, name)),
               GR_KV("description",
                     gr_value_type(description) == GR_STR ? gr_value_ref(description) : gr_str("")),
               GR_KV("parameters", gr_value_ref(gr_get(tool, "inputSchema"))));

    if (gr_get(tool, "outputSchema") != NULL)
        told = gr_set(told, "output_schema", gr_value_ref(gr_get(tool, "outputSchema")));
    if (gr_get(tool, "annotations") != NULL)
        told = gr_set(told, "metadata", gr_value_ref(gr_get(tool, "annotations")));
    return told;
}
