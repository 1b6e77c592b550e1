/* SPDX-License-Identifier: Apache-2.0 */
/* structured_steps.c - refusals, and whether an answer is by the schema. */
#include "actors/model/structured_steps.h"

#include <string.h>

#include <greenroom/callbacks.h>

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
