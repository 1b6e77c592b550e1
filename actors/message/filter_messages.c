/* SPDX-License-Identifier: Apache-2.0 */
/* filter_messages.c - gr_filter_messages: messages by their names, types, ids and tool calls. */
#include <greenroom/callbacks.h>
#include <greenroom/message.h>
#include <greenroom/messages.h>

#include <string.h>

#include "actors/compose/describe.h"
#include "actors/message/role.h"
#include "runtime/base/alloc.h"

enum criterion {
    INCLUDE_NAMES,
    EXCLUDE_NAMES,
    INCLUDE_TYPES,
    EXCLUDE_TYPES,
    INCLUDE_IDS,
    EXCLUDE_IDS,
    EXCLUDE_CALLS,
    CRITERIA
};

struct filter {
    gr_value *by[CRITERIA]; /* counted; NULL: not asked for */
};

/* is_in tells whether v is the text, or one of the list of texts. */
static bool is_in(const gr_value *v, const gr_value *texts)
{
    if (gr_value_type(v) != GR_STR)
        return false;
    if (gr_value_type(texts) == GR_STR)
        return gr_equal(v, texts);
    for (size_t i = 0; gr_value_type(texts) == GR_LIST && i < gr_len(texts); i++)
        if (gr_equal(v, gr_at(texts, i)))
            return true;
    return false;
}

static bool is_excluded(const struct filter *f, const gr_value *message)
{
    return is_in(gr_get(message, "name"), f->by[EXCLUDE_NAMES]) ||
           gri_role_in(message, f->by[EXCLUDE_TYPES]) ||
           is_in(gr_get(message, "id"), f->by[EXCLUDE_IDS]);
}

static bool is_included(const struct filter *f, const gr_value *message)
{
    if (gr_is_nil(f->by[INCLUDE_NAMES]) && gr_is_nil(f->by[INCLUDE_TYPES]) &&
        gr_is_nil(f->by[INCLUDE_IDS]))
        return true;
    return is_in(gr_get(message, "name"), f->by[INCLUDE_NAMES]) ||
           gri_role_in(message, f->by[INCLUDE_TYPES]) ||
           is_in(gr_get(message, "id"), f->by[INCLUDE_IDS]);
}

/* without leaves out the elements that have one of these ids; of blocks only those of type "tool_use". */
static gr_value *without(const gr_value *list, const gr_value *ids, bool blocks)
{
    gr_value *kept = gr_list_n(NULL, 0);

    for (size_t i = 0; i < gr_len(list); i++) {
        const gr_value *one = gr_at(list, i);

        if (is_in(gr_get(one, "id"), ids) &&
            (!blocks || strcmp(gr_cstr(gr_get(one, "type"), ""), "tool_use") == 0))
            continue;
        kept = gr_append(kept, gr_value_ref(one));
    }
    return kept;
}

/* less_calls gives the message without the calls that are excluded; nil: nothing is left of it. */
static gr_value *less_calls(const struct filter *f, const gr_value *message)
{
    const gr_value *ids = f->by[EXCLUDE_CALLS], *calls = gr_get(message, "tool_calls");
    const struct gri_role *role = gri_role_of(message);
    bool all = gr_as_bool(ids, false), answers = role->kind == GRI_TOOL;
    gr_value *kept, *m;

    if (gr_is_nil(ids) || (gr_value_type(ids) == GR_BOOL && !all))
        return gr_value_ref(message);
    if (answers && (all || is_in(gr_get(message, "tool_call_id"), ids)))
        return gr_nil();
    if (role->kind != GRI_AI || gr_len(calls) == 0)
        return gr_value_ref(message);
    kept = all ? gr_list_n(NULL, 0) : without(calls, ids, false);
    if (gr_error_code(kept) == GR_OK && gr_len(kept) == 0) {
        gr_value_unref(kept);
        return gr_nil();
    }
    m = gr_set(gr_value_ref(message), "tool_calls", kept);
    if (gr_value_type(gr_get(message, "content")) == GR_LIST)
        m = gr_set(m, "content", without(gr_get(message, "content"), ids, true));
    return m;
}

static gr_value *filter(const struct filter *f, const gr_value *input)
{
    gr_value *messages = gr_messages_coerce(gr_value_ref(input)), *kept;

    if (gr_error_code(messages) != GR_OK)
        return messages;
    kept = gr_list_n(NULL, 0);
    for (size_t i = 0; i < gr_len(messages); i++) {
        const gr_value *message = gr_at(messages, i);
        gr_value *m = is_excluded(f, message) ? gr_nil() : less_calls(f, message);

        if (!gr_is_nil(m) && is_included(f, m))
            kept = gr_append(kept, m);
        else
            gr_value_unref(m);
    }
    gr_value_unref(messages);
    return kept;
}

/* ---- options --------------------------------------------------------------------------------- */

static void filter_fini(struct filter *f)
{
    for (size_t i = 0; i < CRITERIA; i++)
        gr_value_unref(f->by[i]);
}

/* read_opts takes them; NULL, or what is wrong. */
static gr_value *read_opts(const gr_filter_opts *opts, struct filter *f)
{
    static const gr_filter_opts none = { .size = sizeof(none) };
    const gr_filter_opts *o = opts != NULL ? opts : &none;

    *f = (struct filter){ { o->include_names, o->exclude_names, o->include_types, o->exclude_types,
                            o->include_ids, o->exclude_ids, o->exclude_tool_calls } };
    for (size_t i = 0; i < CRITERIA; i++) {
        gr_type type = gr_value_type(f->by[i]);

        if (type == GR_LIST && gr_len(f->by[i]) == 0) { /* as if it were not given */
            gr_value_unref(f->by[i]);
            f->by[i] = NULL;
            continue;
        }

        if (f->by[i] != NULL && gr_error_code(f->by[i]) != GR_OK)
            return gr_value_ref(f->by[i]);
        if (type != GR_NIL && type != GR_STR && type != GR_LIST &&
            (i != EXCLUDE_CALLS || type != GR_BOOL))
            return gr_error(GR_EINVAL,
                            "filter_messages: expected a list of texts, got a value of type %s",
                            gr_type_name(type));
    }
    return NULL;
}

gr_value *gr_filter_messages(const gr_value *messages, const gr_filter_opts *opts)
{
    struct filter f;
    gr_value *v = read_opts(opts, &f);

    if (v == NULL)
        v = filter(&f, messages);
    filter_fini(&f);
    return v;
}

static void drop_filter(void *p)
{
    filter_fini(p);
    gri_free(p);
}

static gr_value *filter_invoke(gr_ctx *c, void *self, const gr_value *input)
{
    (void)self;
    return filter(gr_as_opaque(gr_args(c)), input);
}

static gr_value *filter_describe(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c;
    (void)self;
    (void)args;
    return gri_describe_leaf("filter_messages", NULL, gri_schema_of_type("array"));
}

static const gr_method filter_methods[] = {
    { "invoke", GR_CHEAP, filter_invoke, NULL },
    { "describe", GR_CHEAP, filter_describe, NULL },
};
static const gr_class filter_class =
    GR_CLASS(.name = "filter_messages", GR_METHODS(filter_methods));

gr_ref gr_message_filter(gr_scope *in, const gr_filter_opts *opts)
{
    struct filter read, *f = gri_new0(struct filter);
    gr_value *args = read_opts(opts, &read);

    if (args == NULL && f == NULL)
        args = gr_error(GR_ENOMEM, "out of memory for a filter");
    if (args != NULL) {
        filter_fini(&read);
        gri_free(f);
    } else {
        *f = read;
        args = gr_opaque(f, drop_filter);
    }
    return gr_spawn(in, &filter_class, GR_SPAWN(.args = args));
}
