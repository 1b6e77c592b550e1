/* SPDX-License-Identifier: Apache-2.0 */
/* mcp_tool_refs.c - the actors that stand for a server's tools: made when they are asked for, kept while a tool stays
 * what it is. */
#include "actors/mcp/mcp_session.h"

/* is_alive: somebody may have stopped it. */
static bool is_alive(struct gri_mcp *s, gr_ref ref)
{
    gr_value *why = gr_check(s->rt, ref);

    gr_value_unref(why);
    return why == NULL;
}

/* keep_tool gives the actor for a tool: the one that there is, if the server says the same of it as then. The others
 * are stopped. refs: what there is. Answers {"ref", "tool"}, or an error. */
static gr_value *keep_tool(gr_ctx *c, struct gri_mcp *s, const gr_value *refs, const gr_value *tool)
{
    const char *name = gr_cstr(gr_get(tool, "name"), "");
    const gr_value *there = gr_get(refs, name);
    gr_value *told, *why;
    gr_ref ref;

    if (there != NULL && gr_equal(gr_get(there, "tool"), tool) &&
        is_alive(s, gr_as_ref(gr_get(there, "ref"))))
        return gr_value_ref(there);
    told = gri_mcp_told(s, tool);
    if (gr_error_code(told) != GR_OK)
        return told;
    ref = gri_mcp_tool_spawn(s->in, gr_self(c), name, told);
    why = gr_check(s->rt, ref);
    return why != NULL ? why
                       : gr_map(GR_KV("ref", gr_ref_value(ref)), GR_KV("tool", gr_value_ref(tool)));
}

/* swap_refs puts the new actors in the place of the old ones, of which those that are gone are stopped. */
static void swap_refs(struct gri_mcp *s, gr_value *refs, const gr_value *old)
{
    for (size_t i = 0; i < gr_len(old); i++) {
        const char *name = "";
        gr_ref ref = gr_as_ref(gr_get(gr_pair_at(old, i, &name), "ref")),
               now = gr_as_ref(gr_get(gr_get(refs, name), "ref"));

        if (ref.id != now.id)
            gr_stop(s->rt, ref);
    }
    s->tool_refs = refs;
}

gr_value *gri_mcp_tool_refs(gr_ctx *c, void *self, const gr_value *args)
{
    struct gri_mcp *s = gr_as_opaque(gr_args(c));
    gr_value *list = gri_mcp_tools_listed(c, s), *refs = gr_map_n(NULL, 0), *old;
    gr_value *out = gr_list_n(NULL, 0);

    (void)self;
    (void)args;
    if (gr_error_code(list) != GR_OK) {
        gr_value_unref(refs);
        gr_value_unref(out);
        return list;
    }
    gri_lock(&s->tools_lock); /* nothing in here waits */
    old = s->tool_refs;
    for (size_t i = 0; i < gr_len(list); i++) {
        const gr_value *tool = gr_at(list, i);
        gr_value *kept = keep_tool(c, s, old, tool);

        if (gr_error_code(kept) != GR_OK) {
            gr_value_unref(out);
            out = kept;
            break;
        }
        out = gr_append(out, gr_value_ref(gr_get(kept, "ref")));
        refs = gr_set(refs, gr_cstr(gr_get(tool, "name"), ""), kept);
    }
    if (gr_error_code(refs) == GR_OK && gr_error_code(out) == GR_OK) {
        swap_refs(s, refs, old);
        gr_value_unref(old);
    } else {
        swap_refs(s, old, refs);
        gr_value_unref(refs);
    }
    gri_unlock(&s->tools_lock);
    gr_value_unref(list);
    return out;
}
