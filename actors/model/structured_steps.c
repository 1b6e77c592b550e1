/* SPDX-License-Identifier: Apache-2.0 */
/* structured_steps.c - refusals, the arguments of a call, and whether they are by the schema. */
#include "actors/model/structured_steps.h"

#include <string.h>

#include <greenroom/callbacks.h>
#include <greenroom/message.h>

/* Reads what comes in a stream, one after the other; last is the step's own, NULL at first. */
typedef gr_code next_fn(gr_ctx *c, gr_value **last, const gr_value *chunk);

/* read_stream calls next for each chunk; the code that the stream's end is, told if it is an error. */
static gr_code read_stream(gr_ctx *c, gr_stream *in, next_fn *next, gr_value **last)
{
    gr_outcome o = { .code = GR_EOS };
    gr_code rc = GR_OK;

    while (in != NULL && rc == GR_OK && (o = gr_next(in, -1)).code == GR_OK)
        rc = next(c, last, o.value);
    if (rc == GR_OK && o.code != GR_EOS)
        rc = o.error != NULL ? gr_fail(c, gr_value_ref(o.error)) : o.code;
    return rc;
}

static gr_value *parser_error(const char *text)
{
    return gr_error_with(gr_error(GR_EINVAL, "%s", text), "kind", gr_str("OutputParserException"));
}

/* ---- refusals -------------------------------------------------------------------------------- */

/* refusal_of gives the error, or NULL. */
static gr_value *refusal_of(const gr_value *message)
{
    const gr_value *text = gr_get(gr_get(message, "additional_kwargs"), "refusal");

    if (gr_value_type(text) != GR_STR || gr_len(text) == 0)
        return NULL;
    return gr_error_with(gr_error(GR_EREMOTE, "%s", gr_cstr(text, "")), "kind", gr_str("Refusal"));
}

static gr_value *guard_invoke(gr_ctx *c, void *self, const gr_value *input)
{
    gr_value *err = refusal_of(input);

    (void)c;
    (void)self;
    return err != NULL ? err : gr_value_ref(input);
}

/* last is the sum of what chunks say of a refusal. */
static gr_code guard_next(gr_ctx *c, gr_value **last, const gr_value *chunk)
{
    const gr_value *refusal = gr_get(gr_get(chunk, "additional_kwargs"), "refusal");

    if (gr_value_type(refusal) == GR_STR)
        *last = gr_add(*last, gr_value_ref(refusal));
    return gr_emit(c, gr_value_ref(chunk));
}

static gr_code guard_transform(gr_ctx *c, void *self, gr_stream *in, const gr_value *args)
{
    gr_value *refusal = NULL, *err;
    gr_code rc = read_stream(c, in, guard_next, &refusal);

    (void)self;
    (void)args;
    if (rc == GR_OK && refusal != NULL) {
        gr_value *message =
            gr_map(GR_KV("additional_kwargs", gr_map(GR_KV("refusal", gr_value_ref(refusal)))));

        err = refusal_of(message);
        gr_value_unref(message);
        rc = err != NULL ? gr_fail(c, err) : GR_OK;
    }
    gr_value_unref(refusal);
    return rc;
}

static const gr_method guard_methods[] = {
    { "invoke", GR_CHEAP, guard_invoke, NULL },
    { "transform", GR_ASYNC, NULL, guard_transform },
};
static const gr_class guard_class =
    GR_CLASS(.name = "RefusalGuard", .run_type = GR_TYPE_PARSER, GR_METHODS(guard_methods));

gr_ref gri_refusal_guard(gr_scope *in)
{
    return gr_spawn(in, &guard_class, NULL);
}

/* ---- the arguments of a call ------------------------------------------------------------------ */

static bool is_named(const gr_value *call, const gr_value *name)
{
    return gr_equal(gr_get(call, "name"), name);
}

/* args_of gives the arguments, nil, or an error for a call whose arguments can't be read. */
static gr_value *args_of(const gr_value *message, const gr_value *name)
{
    const gr_value *calls = gr_get(message, "tool_calls");
    const gr_value *broken = gr_get(message, "invalid_tool_calls");

    for (size_t i = 0; i < gr_len(calls); i++)
        if (is_named(gr_at(calls, i), name))
            return gr_value_ref(gr_get(gr_at(calls, i), "args"));
    for (size_t i = 0; i < gr_len(broken); i++) {
        gr_value *text, *err;

        if (!is_named(gr_at(broken, i), name))
            continue;
        text = gr_strf("Function %s arguments:\n\n%.200s\n\nare not valid JSON: %s",
                       gr_cstr(name, ""), gr_cstr(gr_get(gr_at(broken, i), "args"), ""),
                       gr_cstr(gr_get(gr_at(broken, i), "error"), ""));
        err = parser_error(gr_cstr(text, "the arguments are not valid JSON"));
        gr_value_unref(text);
        return err;
    }
    return gr_nil();
}

static gr_value *call_invoke(gr_ctx *c, void *self, const gr_value *input)
{
    (void)self;
    return args_of(input, gr_args(c));
}

/* What call_next keeps: [the sum of the chunks, what was emitted last]. */
static gr_code call_next(gr_ctx *c, gr_value **last, const gr_value *chunk)
{
    gr_value *sum = *last == NULL ? NULL : gr_value_ref(gr_at(*last, 0));
    gr_value *before = *last == NULL ? gr_nil() : gr_value_ref(gr_at(*last, 1));
    gr_value *message, *args;
    gr_code rc = GR_OK;

    gr_value_unref(*last); /* so that the sum is held alone, and grows in place */
    sum = gr_add(sum, gr_value_ref(chunk));
    message = gr_message_of_chunk(gr_value_ref(sum));
    args = args_of(message, gr_args(c));
    if (gr_error_code(args) == GR_OK && !gr_is_nil(args) && !gr_equal(args, before)) {
        gr_value_unref(before);
        before = gr_value_ref(args);
        rc = gr_emit(c, gr_value_ref(args));
    }
    gr_value_unref(args);
    gr_value_unref(message);
    *last = gr_list(sum, before);
    return rc;
}

static gr_code call_transform(gr_ctx *c, void *self, gr_stream *in, const gr_value *args)
{
    gr_value *last = NULL, *message, *whole;
    gr_code rc = read_stream(c, in, call_next, &last);

    (void)self;
    (void)args;
    message = gr_message_of_chunk(last == NULL ? gr_nil() : gr_value_ref(gr_at(last, 0)));
    whole = args_of(message, gr_args(c));
    if (rc == GR_OK && gr_error_code(whole) != GR_OK)
        rc = gr_fail(c, gr_value_ref(whole));
    gr_value_unref(whole);
    gr_value_unref(message);
    gr_value_unref(last);
    return rc;
}

static const gr_method call_methods[] = {
    { "invoke", GR_CHEAP, call_invoke, NULL },
    { "transform", GR_ASYNC, NULL, call_transform },
};
static const gr_class call_class = GR_CLASS(.name = "JsonOutputKeyToolsParser",
                                            .run_type = GR_TYPE_PARSER, GR_METHODS(call_methods));

gr_ref gri_call_args(gr_scope *in, const char *tool)
{
    return gr_spawn(in, &call_class, GR_SPAWN(.args = gr_str(tool)));
}

/* ---- the schema ------------------------------------------------------------------------------ */

static void drop_schema(void *p)
{
    gr_schema_free(p);
}

/* judged gives NULL, or what is wrong. */
static gr_value *judged(gr_ctx *c, const gr_value *v)
{
    gr_value *found, *text, *err;

    if (gr_is_nil(v))
        return NULL;
    found = gr_schema_validate(gr_as_opaque(gr_args(c)), v);
    if (gr_error_code(found) != GR_OK)
        return found;
    if (gr_len(found) == 0) {
        gr_value_unref(found);
        return NULL;
    }
    text = gr_schema_text(found);
    err =
        gr_error_with(gr_error(GR_EINVAL, "the answer is not by its schema: %s", gr_cstr(text, "")),
                      "kind", gr_str("OutputParserException"));
    gr_value_unref(text);
    return gr_error_with(err, "detail", found);
}

static gr_value *check_invoke(gr_ctx *c, void *self, const gr_value *input)
{
    gr_value *err = judged(c, input);

    (void)self;
    return err != NULL ? err : gr_value_ref(input);
}

static gr_code check_next(gr_ctx *c, gr_value **last, const gr_value *chunk)
{
    gr_value_unref(*last);
    *last = gr_value_ref(chunk);
    return gr_emit(c, gr_value_ref(chunk));
}

static gr_code check_transform(gr_ctx *c, void *self, gr_stream *in, const gr_value *args)
{
    gr_value *last = NULL, *err = NULL;
    gr_code rc = read_stream(c, in, check_next, &last);

    (void)self;
    (void)args;
    if (rc == GR_OK && last != NULL)
        err = judged(c, last);
    if (err != NULL)
        rc = gr_fail(c, err);
    gr_value_unref(last);
    return rc;
}

static const gr_method check_methods[] = {
    { "invoke", GR_CHEAP, check_invoke, NULL },
    { "transform", GR_ASYNC, NULL, check_transform },
};
static const gr_class check_class =
    GR_CLASS(.name = "SchemaCheck", .run_type = GR_TYPE_PARSER, GR_METHODS(check_methods));

gr_ref gri_schema_check(gr_scope *in, gr_schema *schema)
{
    return gr_spawn(in, &check_class, GR_SPAWN(.args = gr_opaque(schema, drop_schema)));
}
