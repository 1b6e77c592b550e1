/* SPDX-License-Identifier: Apache-2.0 */
/*
 * merge_runs.c - gr_merge_message_runs: one message of those of a type that follow each other.
 *
 * They are added as chunks are (gr_add); what came second leaves its response_metadata behind. The message that grows is
 * kept out of the list, so that it grows in place.
 */
#include <greenroom/callbacks.h>
#include <greenroom/message.h>
#include <greenroom/messages.h>

#include "actors/compose/describe.h"
#include "actors/message/role.h"

static bool go_together(const gr_value *a, const gr_value *b)
{
    const struct gri_role *of_a = gri_role_of(a), *of_b = gri_role_of(b);

    if (of_a->kind != of_b->kind || of_b->kind == GRI_TOOL || of_b->kind == GRI_REMOVE)
        return false;
    if (of_b->kind == GRI_FUNCTION)
        return gr_equal(gr_get(a, "name"), gr_get(b, "name"));
    return of_b->kind != GRI_CHAT || gr_equal(gr_get(a, "role"), gr_get(b, "role"));
}

static bool is_text(const gr_value *message)
{
    const gr_value *content = gr_get(message, "content");

    return gr_value_type(content) == GR_STR && gr_len(content) > 0;
}

/* join adds b to a, which is taken. */
static gr_value *join(gr_value *a, const gr_value *b, const char *separator)
{
    if (is_text(a) && is_text(b) && separator[0] != '\0')
        a = gr_add(a, gr_map(GR_KV("type", gr_value_ref(gr_get(a, "type"))),
                             GR_KV("content", gr_str(separator))));
    return gr_add(a, gr_without(gr_value_ref(b), "response_metadata"));
}

gr_value *gr_merge_message_runs(const gr_value *messages, const char *separator)
{
    gr_value *list = gr_messages_coerce(gr_value_ref(messages)), *merged, *last = NULL;

    if (gr_error_code(list) != GR_OK)
        return list;
    if (separator == NULL)
        separator = "\n";
    merged = gr_list_n(NULL, 0);
    for (size_t i = 0; i < gr_len(list); i++) {
        const gr_value *m = gr_at(list, i);

        if (last != NULL && go_together(last, m)) {
            last = join(last, m, separator);
            if (gr_error_code(last) != GR_OK)
                break;
            continue;
        }
        if (last != NULL)
            merged = gr_append(merged, last);
        last = gr_value_ref(m);
    }
    if (last != NULL)
        merged = gr_append(merged, last);
    gr_value_unref(list);
    return merged;
}

static gr_value *merger_invoke(gr_ctx *c, void *self, const gr_value *input)
{
    (void)self;
    return gr_merge_message_runs(input, gr_cstr(gr_args(c), NULL));
}

static gr_value *merger_describe(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c;
    (void)self;
    (void)args;
    return gri_describe_leaf("merge_message_runs", NULL, gri_schema_of_type("array"));
}

static const gr_method merger_methods[] = {
    { "invoke", GR_CHEAP, merger_invoke, NULL },
    { "describe", GR_CHEAP, merger_describe, NULL },
};
static const gr_class merger_class =
    GR_CLASS(.name = "merge_message_runs", GR_METHODS(merger_methods));

gr_ref gr_message_merger(gr_scope *in, const char *separator)
{
    return gr_spawn(in, &merger_class,
                    GR_SPAWN(.args = gr_str(separator != NULL ? separator : "\n")));
}
