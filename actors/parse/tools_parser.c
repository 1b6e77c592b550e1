/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools_parser.c - gr_tools_parser: the tool calls of a message, also while their arguments are still coming.
 *
 * A stream's chunks are added up, and each call has a feed that reads on in its arguments where it stopped. Calls are only ever
 * added at the end, so the i-th feed is the i-th call's.
 */
#include <greenroom/callbacks.h>
#include <greenroom/message.h>
#include <greenroom/parser.h>

#include "actors/compose/describe.h"
#include "actors/parse/parsing.h"
#include "runtime/base/alloc.h"
#include "runtime/value/json_feed.h"

#define CALLS_MAX 1024 /* in a message */

/* What the spawn argument says. */
static bool is_set(gr_ctx *c, const char *key)
{
    return gr_as_bool(gr_get(gr_args(c), key), false);
}

/* told gives a call as the answer has it; NULL: it is of another tool. */
static gr_value *told(gr_ctx *c, const gr_value *name, const gr_value *args, const gr_value *id)
{
    const gr_value *key = gr_get(gr_args(c), "key_name");
    gr_value *call;

    if (!gr_is_nil(key) && !gr_equal(key, name))
        return NULL;
    if (!gr_is_nil(key) && !is_set(c, "return_id"))
        return gr_value_ref(args);
    call = gr_map(GR_KV("args", gr_value_ref(args)), GR_KV("type", gr_str(gr_cstr(name, ""))));
    if (!is_set(c, "return_id"))
        return call;
    return gr_set(call, "id", gr_is_nil(id) ? gr_nil() : gr_value_ref(id));
}

/* chosen gives the list, or its first. */
static gr_value *chosen(gr_ctx *c, gr_value *list)
{
    gr_value *first;

    if (!is_set(c, "first_tool_only") || gr_error_code(list) != GR_OK)
        return list;
    first = gr_len(list) > 0 ? gr_value_ref(gr_at(list, 0)) : gr_nil();
    gr_value_unref(list);
    return first;
}

static gr_value *bad_arguments(const gr_value *name, const gr_value *args, const char *why)
{
    return gri_parse_error(args, "Function %s arguments:\n\n%.200s\n\nare not valid JSON: %s",
                           gr_cstr(name, ""), gr_cstr(args, ""), why);
}

/* unreadable gives the error for a call whose arguments are no object; NULL: there is none that counts. */
static gr_value *unreadable(gr_ctx *c, const gr_value *message)
{
    const gr_value *calls = gr_get(message, "invalid_tool_calls");
    const gr_value *key = gr_get(gr_args(c), "key_name");

    for (size_t i = 0; i < gr_len(calls); i++) {
        const gr_value *call = gr_at(calls, i), *name = gr_get(call, "name");

        if (gr_is_nil(key) || gr_equal(key, name))
            return bad_arguments(name, gr_get(call, "args"), gr_cstr(gr_get(call, "error"), ""));
    }
    return NULL;
}

/* parse gives the calls of a whole message. */
static gr_value *parse(gr_ctx *c, const gr_value *message)
{
    const gr_value *calls = gr_get(message, "tool_calls");
    gr_value *list = gr_list_n(NULL, 0), *err;

    for (size_t i = 0; i < gr_len(calls); i++) {
        const gr_value *call = gr_at(calls, i);
        gr_value *v = told(c, gr_get(call, "name"), gr_get(call, "args"), gr_get(call, "id"));

        if (v != NULL)
            list = gr_append(list, v);
    }
    err = gr_error_code(list) == GR_OK && gr_len(list) > 0 && is_set(c, "first_tool_only")
              ? NULL
              : unreadable(c, message);
    if (err == NULL)
        return chosen(c, list);
    gr_value_unref(list);
    return err;
}

/* message_of gives the message of an input, its calls read; an error value for what is none. */
static gr_value *message_of(const gr_value *input)
{
    if (gr_value_type(input) != GR_MAP || gr_get(input, "content") == NULL)
        return gr_error_code(input) != GR_OK && input != NULL
                   ? gr_value_ref(input)
                   : gr_error(GR_ETYPE, "tool calls are read from a message, not from a %s",
                              gr_type_name(gr_value_type(input)));
    return gr_message_of_chunk(gr_message_coerce(gr_value_ref(input)));
}

static gr_value *tools_invoke(gr_ctx *c, void *self, const gr_value *input)
{
    gr_value *message = message_of(input), *v;

    (void)self;
    if (gr_error_code(message) != GR_OK)
        return message;
    v = parse(c, message);
    gr_value_unref(message);
    return v;
}

/* ---- streams --------------------------------------------------------------------------------- */

struct call {
    struct gri_json_feed feed;
    gr_value *args; /* counted; what can be read of them; NULL: they are no object, or not begun */
    size_t told;    /* 1 + the bytes of the name that were told of; 0: nothing was */
    bool counts;    /* it is one of those that the answer has */
};

struct reading {
    gr_value *sum;       /* counted; the chunks so far */
    gr_value *last;      /* counted; of calls that come whole, what was told last */
    struct call **calls; /* owned, each owned */
    size_t count, cap;
    bool begun; /* something was told */
};

static struct call *add_call(struct reading *r)
{
    struct call *call = gri_new0(struct call);

    if (call == NULL)
        return NULL;
    gri_json_feed_init(&call->feed);
    if (r->count == r->cap) {
        size_t cap = r->cap == 0 ? 4 : r->cap * 2;
        struct call **calls = gri_resize(r->calls, cap * sizeof(struct call *));

        if (calls == NULL) {
            gri_free(call);
            return NULL;
        }
        r->calls = calls;
        r->cap = cap;
    }
    r->calls[r->count++] = call;
    return call;
}

/* read_call reads on in a call's arguments; false: out of memory, or a limit. *changed is set when something is
 * new. */
static bool read_call(struct reading *r, size_t i, const gr_value *chunk, bool *changed)
{
    struct call *call = i < r->count ? r->calls[i] : add_call(r);
    const gr_value *text = gr_get(chunk, "args");
    size_t name = 1 + gr_len(gr_get(chunk, "name"));
    bool grown = false, was;
    gr_value *v;

    if (call == NULL)
        return false;
    was = call->args != NULL;
    gr_value_unref(call->args); /* so that they grow in place */
    call->args = NULL;
    if (gr_len(text) == 0)
        v = gr_map_n(NULL, 0);
    else
        v = gri_json_feed(&call->feed, gr_cstr(text, ""), gr_len(text), &grown);
    if (gr_error_code(v) != GR_OK) {
        gr_value_unref(v);
        return false;
    }
    if (gr_value_type(v) != GR_MAP) { /* they may have been, and be no longer */
        gr_value_unref(v);
        v = NULL;
    }
    if (grown || call->told != name || (v != NULL) != was)
        *changed = true;
    call->told = name;
    call->args = v;
    return true;
}

/* read_calls reads on in all calls. *changed is set when something is new in those that the answer has: the ones of the
 * right name, or the first of them. */
static bool read_calls(gr_ctx *c, struct reading *r, const gr_value *chunks, bool *changed)
{
    const gr_value *key = gr_get(gr_args(c), "key_name");
    bool first = is_set(c, "first_tool_only"), found = false;

    for (size_t i = 0; i < gr_len(chunks); i++) {
        bool is_new = false, counted, named;

        if (!read_call(r, i, gr_at(chunks, i), &is_new))
            return false;
        named = gr_is_nil(key) || gr_equal(key, gr_get(gr_at(chunks, i), "name"));
        counted = r->calls[i]->counts;
        r->calls[i]->counts = named && r->calls[i]->args != NULL && !(first && found);
        found |= r->calls[i]->counts;
        if (counted != r->calls[i]->counts || (counted && is_new))
            *changed = true;
    }
    return true;
}

/* told_all gives the calls that can be told of. */
static gr_value *told_all(gr_ctx *c, struct reading *r, const gr_value *chunks)
{
    gr_value *list = gr_list_n(NULL, 0);

    for (size_t i = 0; i < r->count; i++) {
        const gr_value *chunk = gr_at(chunks, i);
        gr_value *v = r->calls[i]->args == NULL
                          ? NULL
                          : told(c, gr_get(chunk, "name"), r->calls[i]->args, gr_get(chunk, "id"));

        if (v != NULL)
            list = gr_append(list, v);
    }
    return list;
}

/* tell emits the calls, unless there is nothing new or nothing to tell. */
static gr_code tell(gr_ctx *c, struct reading *r, gr_value *v, bool changed)
{
    if (gr_error_code(v) != GR_OK)
        return gr_fail(c, v);
    if (gr_is_nil(v) || (r->begun && !changed)) {
        gr_value_unref(v);
        return GR_OK;
    }
    r->begun = true;
    return gr_emit(c, v);
}

/* tell_whole tells of calls that come whole, as some models have them. */
static gr_code tell_whole(gr_ctx *c, struct reading *r)
{
    gr_value *message = message_of(r->sum), *v = parse(c, message);
    bool changed = !r->begun || !gr_equal(v, r->last);

    gr_value_unref(message);
    gr_value_unref(r->last);
    r->last = gr_value_ref(v);
    return tell(c, r, v, changed);
}

static gr_code tools_next(gr_ctx *c, void *state, const gr_value *chunk)
{
    struct reading *r = state;
    const gr_value *chunks;
    bool changed = false;

    if (gr_value_type(chunk) != GR_MAP || gr_get(chunk, "content") == NULL) {
        gr_value *err = message_of(chunk);

        return gr_fail(c, err);
    }
    r->sum = gr_add(r->sum, gr_value_ref(chunk));
    chunks = gr_get(r->sum, "tool_call_chunks");
    if (chunks == NULL && gr_len(gr_get(r->sum, "tool_calls")) > 0)
        return tell_whole(c, r);
    if (gr_len(chunks) > CALLS_MAX)
        return gr_fail(c, gr_error(GR_EFULL, "a message of more than %d tool calls", CALLS_MAX));
    if (!read_calls(c, r, chunks, &changed))
        return gr_fail(
            c, gr_error(GR_ENOMEM, "out of memory for tool calls, or arguments above a limit"));
    return tell(c, r, chosen(c, told_all(c, r, chunks)), changed);
}

/* at_end fails a stream with a call that can't be read, as invoke does. */
static gr_code at_end(gr_ctx *c, struct reading *r)
{
    const gr_value *chunks = gr_get(r->sum, "tool_call_chunks"), *key;
    bool first = is_set(c, "first_tool_only");

    key = gr_get(gr_args(c), "key_name");
    for (size_t i = 0; i < r->count; i++) {
        const gr_value *chunk = gr_at(chunks, i), *name = gr_get(chunk, "name");

        if (!gr_is_nil(key) && !gr_equal(key, name))
            continue;
        if (r->calls[i]->args == NULL)
            return gr_fail(
                c, bad_arguments(name, gr_get(chunk, "args"), "not the beginning of an object"));
        if (first)
            break;
    }
    return GR_OK;
}

static gr_code tools_transform(gr_ctx *c, void *self, gr_stream *in, const gr_value *args)
{
    struct reading r = { .sum = NULL };
    gr_code rc = gri_parse_each(c, in, tools_next, &r);

    (void)self;
    (void)args;
    if (rc == GR_OK)
        rc = at_end(c, &r);
    for (size_t i = 0; i < r.count; i++) {
        gri_json_feed_fini(&r.calls[i]->feed);
        gr_value_unref(r.calls[i]->args);
        gri_free(r.calls[i]);
    }
    gri_free(r.calls);
    gr_value_unref(r.last);
    gr_value_unref(r.sum);
    return rc;
}

/* ---- the actor ------------------------------------------------------------------------------- */

static gr_value *tools_describe(gr_ctx *c, void *self, const gr_value *args)
{
    bool keyed = !gr_is_nil(gr_get(gr_args(c), "key_name"));

    (void)self;
    (void)args;
    return gri_describe_leaf(keyed ? "JsonOutputKeyToolsParser" : "JsonOutputToolsParser", NULL,
                             is_set(c, "first_tool_only") ? NULL : gri_schema_of_type("array"));
}

static const gr_method tools_methods[] = {
    { "invoke", GR_CHEAP, tools_invoke, NULL },
    { "transform", GR_ASYNC, NULL, tools_transform },
    { "describe", GR_CHEAP, tools_describe, NULL },
};
static const gr_class tools_class = GR_CLASS(.name = "JsonOutputToolsParser",
                                             .run_type = GR_TYPE_PARSER, GR_METHODS(tools_methods));
static const gr_class key_tools_class =
    GR_CLASS(.name = "JsonOutputKeyToolsParser", .run_type = GR_TYPE_PARSER,
             GR_METHODS(tools_methods));

gr_ref gr_tools_parser(gr_scope *in, const gr_tools_parser_opts *opts)
{
    static const gr_tools_parser_opts none = { .size = sizeof(none) };
    const gr_tools_parser_opts *o = opts != NULL ? opts : &none;
    gr_value *args = gr_map(GR_KV("key_name", o->key_name != NULL ? gr_str(o->key_name) : gr_nil()),
                            GR_KV("first_tool_only", gr_bool(o->first_tool_only)),
                            GR_KV("return_id", gr_bool(o->return_id)));

    return gr_spawn(in, o->key_name != NULL ? &key_tools_class : &tools_class,
                    GR_SPAWN(.args = args));
}
