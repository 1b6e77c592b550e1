/* SPDX-License-Identifier: Apache-2.0 */
/* toolbox.c - asking tools what they are, and keeping it. */
#include "actors/tool/toolbox.h"

#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/map.h"

/* ask_each calls a verb of each ref of a list, all at once, and gives the answers, errors among them, in order; an error
 * when there is no memory. */
static gr_value *ask_each(gr_ctx *c, const gr_value *refs, const char *verb)
{
    size_t count = gr_len(refs);
    gr_future **asked = gri_alloc_array(count + 1, sizeof(*asked));
    gr_value *list = gr_list_n(NULL, 0), *err;

    if (asked == NULL) {
        gr_value_unref(list);
        return gri_no_memory();
    }
    for (size_t i = 0; i < count; i++)
        asked[i] = gr_acall(gr_runtime_of(c), gr_as_ref(gr_at(refs, i)), verb, gr_nil(), NULL);
    for (size_t i = 0; i < count; i++) {
        gr_value *v = gr_take(asked[i], &err);

        list = gr_append(list, v != NULL ? v : err);
    }
    gri_free(asked);
    return list;
}

/* expand puts, in the place of each actor that has tools, its tools: a list of refs, or an error. An actor that lacks
 * the verb is a tool itself. */
static gr_value *expand(gr_ctx *c, gr_value *refs)
{
    gr_value *had = ask_each(c, refs, "tools"), *list = gr_list_n(NULL, 0), *err = NULL;

    if (gr_error_code(had) != GR_OK)
        err = gr_value_ref(had);
    for (size_t i = 0; err == NULL && i < gr_len(refs); i++) {
        const gr_value *one = gr_at(had, i);

        if (gr_value_type(one) == GR_LIST)
            list = gr_add(list, gr_value_ref(one));
        else if (gr_error_code(one) == GR_ETYPE)
            list = gr_append(list, gr_value_ref(gr_at(refs, i)));
        else if (gr_error_code(one) != GR_OK)
            err = gr_value_ref(one);
        else
            err = gr_error(GR_ETYPE, "an actor's tools must be a list of refs, not of type %s",
                           gr_type_name(gr_value_type(one)));
    }
    gr_value_unref(had);
    gr_value_unref(refs);
    if (err == NULL)
        return list;
    gr_value_unref(list);
    return err;
}

/* said_by joins what each tool says of itself with its ref; takes both. */
static gr_value *said_by(gr_value *refs, gr_value *said)
{
    gr_value *list = gr_list_n(NULL, 0), *err = NULL;

    if (gr_error_code(said) != GR_OK)
        err = gr_value_ref(said);
    for (size_t i = 0; err == NULL && i < gr_len(refs); i++) {
        const gr_value *one = gr_at(said, i);

        if (gr_error_code(one) != GR_OK)
            err = gr_value_ref(one);
        else
            list = gr_append(list, gr_set(gr_value_ref(one), "ref", gr_value_ref(gr_at(refs, i))));
    }
    gr_value_unref(refs);
    gr_value_unref(said);
    if (err == NULL)
        return list;
    gr_value_unref(list);
    return err;
}

gr_value *gri_tools_ask(gr_ctx *c, const struct gri_steps *tools)
{
    gr_value *refs = gr_list_n(NULL, 0);

    for (size_t i = 0; i < tools->count; i++)
        refs = gr_append(refs, gr_ref_value(tools->at[i].ref));
    if (gr_error_code(refs) == GR_OK && tools->count > 0)
        refs = expand(c, refs);
    if (gr_error_code(refs) != GR_OK)
        return refs;
    return said_by(refs, ask_each(c, refs, "tool"));
}

gr_value *gri_tool_of_told(const gr_value *told, int strict)
{
    return gr_openai_tool(gr_without(gr_value_ref(told), "ref"), strict);
}

gr_value *gri_toolbox_init(struct gri_toolbox *b, const char *what, const gr_ref *tools,
                           size_t count)
{
    gr_value *err = NULL;

    if (count > 0)
        b->tools = gri_steps_copy(what, tools, NULL, count, &err);
    else
        b->tools = gri_alloc0(sizeof(*b->tools));
    return b->tools == NULL && err == NULL ? gri_no_memory() : err;
}

void gri_toolbox_fini(struct gri_toolbox *b)
{
    gri_steps_free(b->tools);
    gr_value_unref(b->told);
}

/* check_names looks at what they have said, a list; NULL, or what is wrong. There may be thousands. */
static gr_value *check_names(const gr_value *told, struct gri_map *names)
{
    for (size_t i = 0; i < gr_len(told); i++) {
        const char *name = gr_cstr(gr_get(gr_at(told, i), "name"), "");

        if (*name == '\0')
            return gr_error(GR_EINVAL, "tool %zu does not say its name", i + 1);
        if (gri_map_gets(names, name) != NULL)
            return gr_error(GR_EINVAL, "two tools are called '%s'", name);
        if (!gri_map_puts(names, name, names))
            return gri_no_memory();
    }
    return NULL;
}

static gr_value *check(const gr_value *told)
{
    struct gri_map names;
    gr_value *err;

    gri_map_init(&names, (uint64_t)(uintptr_t)told);
    err = check_names(told, &names);
    gri_map_fini(&names);
    return err;
}

static gr_value *kept(struct gri_toolbox *b)
{
    gr_value *told;

    gri_lock(&b->lock);
    told = gr_value_ref(b->told);
    gri_unlock(&b->lock);
    return told;
}

static bool is_given(const struct gri_steps *tools, gr_ref ref)
{
    for (size_t i = 0; i < tools->count; i++)
        if (tools->at[i].ref.node == ref.node && tools->at[i].ref.id == ref.id)
            return true;
    return false;
}

/* is_stale: a tool is gone that somebody stood for, as those of an MCP server are that was started again. Who it was has
 * others now. */
static bool is_stale(const struct gri_toolbox *b, gr_runtime *rt, const gr_value *told)
{
    for (size_t i = 0; i < gr_len(told); i++) {
        gr_ref ref = gr_as_ref(gr_get(gr_at(told, i), "ref"));
        gr_value *why = gr_check(rt, ref);

        gr_value_unref(why);
        if (why != NULL && !is_given(b->tools, ref))
            return true;
    }
    return false;
}

gr_value *gri_toolbox_told(struct gri_toolbox *b, gr_ctx *c)
{
    gr_value *told = kept(b), *err, *old;

    if (told != NULL && !is_stale(b, gr_runtime_of(c), told))
        return told;
    gr_value_unref(told);
    told = gri_tools_ask(c, b->tools);
    if (gr_error_code(told) != GR_OK)
        return told;
    err = check(told);
    if (err != NULL) {
        gr_value_unref(told);
        return err;
    }
    gri_lock(&b->lock);
    old = b->told;
    b->told = gr_value_ref(told);
    gri_unlock(&b->lock);
    gr_value_unref(old); /* another call's */
    return told;
}

size_t gri_toolbox_find(const gr_value *told, const char *name)
{
    for (size_t i = 0; i < gr_len(told); i++)
        if (strcmp(gr_cstr(gr_get(gr_at(told, i), "name"), ""), name) == 0)
            return i;
    return SIZE_MAX;
}
