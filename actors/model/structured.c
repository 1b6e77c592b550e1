/* SPDX-License-Identifier: Apache-2.0 */
/*
 * structured.c - gr_with_structured_output: kwargs for the model, and a parser behind it.
 *
 *   model.bind(tools or response_format) | guard against refusals | parser | schema
 *
 * and with include_raw, as langchain-core composes it,
 *
 *   {"raw": model} | assign(parsed = pick("raw") | …, parsing_error = nil)
 *                    with the fallback assign(parsed = nil), exception_key "parsing_error".
 */
#include <string.h>

#include <greenroom/model.h>
#include <greenroom/parser.h>

#include "actors/compose/steps.h"
#include "actors/model/structured_steps.h"
#include "actors/schema/schema_closed.h"

#define NAME_MAX 64 /* characters of a tool's name, as OpenAI takes it */

enum method { FUNCTION_CALLING, JSON_SCHEMA, JSON_MODE, METHODS };

static enum method method_of(const char *name)
{
    static const char *const names[] = { "function_calling", "json_schema", "json_mode" };
    size_t i = 0;

    while (name != NULL && i < METHODS && strcmp(names[i], name) != 0)
        i++;
    return (enum method)i;
}

/* ---- the schema ------------------------------------------------------------------------------ */

/* What is wanted, in parts. */
struct wanted {
    gr_value *name, *description, *schema; /* owned; description NULL: none */
};

static void wanted_fini(struct wanted *w)
{
    gr_value_unref(w->name);
    gr_value_unref(w->description);
    gr_value_unref(w->schema);
}

/* name_of makes a name that servers take of a title. */
static gr_value *name_of(const gr_value *title)
{
    char name[NAME_MAX + 1];
    size_t len = 0;

    for (const char *s = gr_cstr(title, ""); *s != '\0' && len < NAME_MAX; s++) {
        bool plain = (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') ||
                     (*s >= '0' && *s <= '9') || *s == '_' || *s == '-';

        if (plain)
            name[len++] = *s;
        else if (len > 0 && name[len - 1] != '_')
            name[len++] = '_';
    }
    return gr_strn(name, len);
}

/* inner_of finds the schema where something that names it is around it; NULL: it is the schema. */
static const gr_value *inner_of(const gr_value *given)
{
    static const char *const keys[] = { "parameters", "input_schema", "schema" };

    if (gr_value_type(gr_get(given, "name")) != GR_STR)
        return NULL;
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (gr_value_type(gr_get(given, keys[i])) == GR_MAP)
            return gr_get(given, keys[i]);
    return NULL;
}

/* read_schema fills in w, which is all zero. */
static void read_schema(struct wanted *w, const gr_value *given)
{
    const gr_value *fn = gr_get(given, "function"), *inner;

    if (gr_value_type(fn) == GR_MAP)
        given = fn;
    inner = inner_of(given);
    w->name = name_of(gr_get(given, inner != NULL ? "name" : "title"));
    if (gr_value_type(gr_get(given, "description")) == GR_STR)
        w->description = gr_value_ref(gr_get(given, "description"));
    w->schema = inner != NULL ? gr_value_ref(inner)
                              : gr_without(gr_without(gr_value_ref(given), "title"), "description");
}

/* ---- the model's kwargs ---------------------------------------------------------------------- */

/* description_of gives what is wanted under the key that its form has for the schema. */
static gr_value *description_of(const struct wanted *w, const char *key, int strict)
{
    gr_value *out = gr_map(GR_KV("name", gr_value_ref(w->name)));

    if (w->description != NULL)
        out = gr_set(out, "description", gr_value_ref(w->description));
    out = gr_set(out, key, strict == 1 ? gri_schema_closed(w->schema) : gr_value_ref(w->schema));
    return strict == 0 ? out : gr_set(out, "strict", gr_bool(strict == 1));
}

static gr_value *kwargs_of(enum method method, const struct wanted *w, int strict)
{
    gr_value *kwargs;

    if (method == JSON_MODE)
        return gr_map(GR_KV("response_format", gr_map(GR_KV("type", gr_str("json_object")))));
    if (method == JSON_SCHEMA)
        return gr_map(GR_KV("response_format",
                            gr_map(GR_KV("type", gr_str("json_schema")),
                                   GR_KV("json_schema", description_of(w, "schema", strict)))));
    kwargs = gr_map(
        GR_KV("tools", gr_list(gr_map(GR_KV("type", gr_str("function")),
                                      GR_KV("function", description_of(w, "parameters", strict))))),
        GR_KV("tool_choice", gr_str("any")));
    /* Servers that are strict can't be so for several calls at once. */
    return strict == 1 ? gr_set(kwargs, "parallel_tool_calls", gr_bool(false)) : kwargs;
}

/* ---- the composition ------------------------------------------------------------------------- */

static gr_value *nothing(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c;
    (void)arg;
    (void)input;
    return gr_nil();
}

/* with_raw wraps what is behind the model, so that both are told. */
static gr_ref with_raw(gr_scope *in, gr_ref model, gr_ref behind)
{
    gr_ref none = gr_lambda(in, GR_CHEAP, nothing, NULL, NULL);
    gr_ref parsed = gr_assign(in, GR_STEP("parsed", gr_seq(in, gr_pick(in, "raw"), behind)),
                              GR_STEP("parsing_error", none));
    gr_ref failed = gr_assign(in, GR_STEP("parsed", none));

    return gr_seq(
        in, gr_parallel(in, GR_STEP("raw", model)),
        gr_with_fallbacks_for(in, GR_FALLBACKS(.exception_key = "parsing_error"), parsed, failed));
}

/* compose takes schema, which may be NULL. */
static gr_ref compose(gr_scope *in, gr_ref model, enum method method, const struct wanted *w,
                      gr_schema *schema, const gr_structured_opts *o)
{
    gr_ref bound = gr_bind(in, model, kwargs_of(method, w, o->strict));
    gr_ref steps[3] = { gri_refusal_guard(in), method == FUNCTION_CALLING
                                                   ? gri_call_args(in, gr_cstr(w->name, ""))
                                                   : gr_json_parser(in) };
    size_t count = 2;

    if (schema != NULL)
        steps[count++] = gri_schema_check(in, schema);
    if (o->include_raw)
        return with_raw(in, bound, gr_seq_n(in, steps, count));
    return gr_seq(in, bound, gr_seq_n(in, steps, count));
}

gr_ref gr_with_structured_output(gr_scope *in, gr_ref model, gr_value *schema,
                                 const gr_structured_opts *opts)
{
    static const gr_structured_opts none = { .size = sizeof(none) };
    static const gr_class broken = GR_CLASS(.name = "StructuredOutput");
    const gr_structured_opts *o = opts == NULL ? &none : opts;
    enum method method = method_of(o->method == NULL ? "function_calling" : o->method);
    struct wanted w = { 0 };
    gr_schema *checked = NULL;
    gr_value *err = NULL;
    gr_ref ref;

    if (gr_error_code(schema) != GR_OK)
        err = gr_value_ref(schema);
    else if (method == METHODS)
        err =
            gr_error(GR_EINVAL, "unknown method '%.60s': function_calling, json_schema, json_mode",
                     o->method);
    else if (gr_value_type(schema) != GR_MAP && !(gr_is_nil(schema) && method == JSON_MODE))
        err = gr_error(GR_ETYPE, "structured output needs a schema, a map");
    else if (!gr_is_nil(schema))
        read_schema(&w, schema);
    if (err == NULL && method != JSON_MODE && gr_len(w.name) == 0)
        err = gr_error(GR_EINVAL,
                       "structured output needs a schema with a title, or a name beside it");
    if (err == NULL && w.schema != NULL && !o->unchecked)
        checked = gr_schema_new(gr_value_ref(w.schema), NULL, &err);
    ref = err != NULL ? gr_spawn(in, &broken, GR_SPAWN(.args = err))
                      : compose(in, model, method, &w, checked, o);
    wanted_fini(&w);
    gr_value_unref(schema);
    return ref;
}
