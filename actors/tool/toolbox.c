/* SPDX-License-Identifier: Apache-2.0 */
/* toolbox.c - asking tools what they are, and keeping it. */
#include "actors/tool/toolbox.h"

#include <string.h>

#include "runtime/base/alloc.h"

gr_value *gri_tools_ask(gr_ctx *c, const struct gri_steps *tools)
{
    gr_value *list = gr_list_n(NULL, 0), *err = NULL;
    gr_future **asked = gri_alloc_array(tools->count, sizeof(gr_future *));

    if (asked == NULL) {
        gr_value_unref(list);
        return gri_no_memory();
    }
    for (size_t i = 0; i < tools->count; i++)
        asked[i] = gr_acall(gr_runtime_of(c), tools->at[i].ref, "tool", gr_nil(), NULL);
    for (size_t i = 0; i < tools->count; i++) {
        gr_value *v = gr_take(asked[i], err == NULL ? &err : NULL);

        list = gr_append(list, v != NULL ? v : gr_nil());
    }
    gri_free(asked);
    if (err == NULL)
        return list;
    gr_value_unref(list);
    return err;
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

/* check looks at what they have said, a list; NULL, or what is wrong. */
static gr_value *check(const gr_value *told)
{
    for (size_t i = 0; i < gr_len(told); i++) {
        const char *name = gr_cstr(gr_get(gr_at(told, i), "name"), "");

        if (*name == '\0')
            return gr_error(GR_EINVAL, "tool %zu does not say its name", i + 1);
        if (gri_toolbox_find(told, name) != i)
            return gr_error(GR_EINVAL, "two tools are called '%s'", name);
    }
    return NULL;
}

static gr_value *kept(struct gri_toolbox *b)
{
    gr_value *told;

    gri_lock(&b->lock);
    told = gr_value_ref(b->told);
    gri_unlock(&b->lock);
    return told;
}

gr_value *gri_toolbox_told(struct gri_toolbox *b, gr_ctx *c)
{
    gr_value *told = kept(b), *err, *old;

    if (told != NULL)
        return told;
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
