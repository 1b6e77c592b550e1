/* SPDX-License-Identifier: Apache-2.0 */
/* schema_words.c - the table of words, and those that judge any value. */
#include <string.h>

#include <greenroom/codec.h>

#include "actors/schema/schema.h"

#define WHY_MAX 4 /* of anyOf's schemas, those whose reason is told */

static const struct gri_schema_word words[] = {
    { "$dynamicRef", GRI_IS_ANY, gri_read_unsupported, NULL },
    { "$recursiveRef", GRI_IS_ANY, gri_read_unsupported, NULL },
    { "unevaluatedItems", GRI_IS_ARRAY, gri_read_unsupported, NULL },
    { "unevaluatedProperties", GRI_IS_OBJECT, gri_read_unsupported, NULL },
    { "type", GRI_IS_ANY, gri_read_type, gri_holds_type },
    { "enum", GRI_IS_ANY, gri_read_enum, gri_holds_enum },
    { "const", GRI_IS_ANY, NULL, gri_holds_const },
    { "$ref", GRI_IS_ANY, gri_schema_ref, gri_holds_ref },
    { "minimum", GRI_IS_NUMBER, gri_read_number, gri_holds_minimum },
    { "maximum", GRI_IS_NUMBER, gri_read_number, gri_holds_maximum },
    { "exclusiveMinimum", GRI_IS_NUMBER, gri_read_number, gri_holds_exclusive_minimum },
    { "exclusiveMaximum", GRI_IS_NUMBER, gri_read_number, gri_holds_exclusive_maximum },
    { "multipleOf", GRI_IS_NUMBER, gri_read_multiple_of, gri_holds_multiple_of },
    { "minLength", GRI_IS_STRING, gri_read_count, gri_holds_min_length },
    { "maxLength", GRI_IS_STRING, gri_read_count, gri_holds_max_length },
    { "pattern", GRI_IS_STRING, gri_read_pattern, gri_holds_pattern },
    { "minItems", GRI_IS_ARRAY, gri_read_count, gri_holds_min_items },
    { "maxItems", GRI_IS_ARRAY, gri_read_count, gri_holds_max_items },
    { "uniqueItems", GRI_IS_ARRAY, gri_read_flag, gri_holds_unique_items },
    { "prefixItems", GRI_IS_ARRAY, gri_read_list_of_schemas, gri_holds_prefix_items },
    { "items", GRI_IS_ARRAY, gri_read_items, gri_holds_items },
    { "contains", GRI_IS_ARRAY, gri_read_contains, gri_holds_contains },
    { "minProperties", GRI_IS_OBJECT, gri_read_count, gri_holds_min_properties },
    { "maxProperties", GRI_IS_OBJECT, gri_read_count, gri_holds_max_properties },
    { "required", GRI_IS_OBJECT, gri_read_required, gri_holds_required },
    { "dependentRequired", GRI_IS_OBJECT, gri_read_dependent_required,
      gri_holds_dependent_required },
    { "propertyNames", GRI_IS_OBJECT, gri_read_schema, gri_holds_property_names },
    { "properties", GRI_IS_OBJECT, gri_read_map_of_schemas, gri_holds_properties },
    { "patternProperties", GRI_IS_OBJECT, gri_read_pattern_properties,
      gri_holds_pattern_properties },
    { "additionalProperties", GRI_IS_OBJECT, gri_read_additional_properties,
      gri_holds_additional_properties },
    { "dependentSchemas", GRI_IS_OBJECT, gri_read_map_of_schemas, gri_holds_dependent_schemas },
    { "allOf", GRI_IS_ANY, gri_read_list_of_schemas, gri_holds_all_of },
    { "anyOf", GRI_IS_ANY, gri_read_list_of_schemas, gri_holds_any_of },
    { "oneOf", GRI_IS_ANY, gri_read_list_of_schemas, gri_holds_one_of },
    { "not", GRI_IS_ANY, gri_read_schema, gri_holds_not },
    { "if", GRI_IS_ANY, gri_read_if, gri_holds_if },
};

const struct gri_schema_word *gri_schema_words(size_t *ret_count)
{
    *ret_count = sizeof(words) / sizeof(words[0]);
    return words;
}

GRI_SCHEMA_READ(unsupported)
{
    return gri_schema_refuse(r, k, "is not supported");
}

/* ---- type, enum, const ------------------------------------------------------------------------ */

static unsigned type_named(const char *name)
{
    for (unsigned type = GRI_IS_NULL; type <= GRI_IS_OBJECT; type <<= 1)
        if (strcmp(gri_schema_type_name(type), name) == 0)
            return type;
    return 0;
}

GRI_SCHEMA_READ(type)
{
    bool list = gr_value_type(k->arg) == GR_LIST;
    size_t count = list ? gr_len(k->arg) : 1;

    for (size_t i = 0; i < count; i++) {
        unsigned type = type_named(gr_cstr(list ? gr_at(k->arg, i) : k->arg, ""));

        if (type == 0)
            return gri_schema_refuse(r, k,
                                     "must be null, boolean, integer, number, string, array or "
                                     "object, or a list of these");
        k->most |= type;
    }
    return count > 0 || gri_schema_refuse(r, k, "must not be an empty list");
}

GRI_SCHEMA_HOLDS(type)
{
    struct gri_strbuf b = GRI_STRBUF_INIT;
    unsigned types = gri_schema_types_of(v);

    if ((types & k->most) != 0)
        return true;
    gri_strbuf_adds(&b, gr_cstr(k->arg, ""));
    for (size_t i = 0; gr_value_type(k->arg) == GR_LIST && i < gr_len(k->arg); i++)
        gri_strbuf_addf(&b, "%s%s", i > 0 ? " or " : "", gr_cstr(gr_at(k->arg, i), ""));
    if (b.failed)
        (void)gri_schema_no_memory(r);
    else
        (void)gri_schema_wrong(r, k, "expected %s, got %s", b.data, gri_schema_type_name(types));
    gri_strbuf_fini(&b);
    return false;
}

GRI_SCHEMA_READ(enum)
{
    return gr_value_type(k->arg) == GR_LIST || gri_schema_refuse(r, k, "must be a list");
}

/* wrong_value tells that v is not what the schema has, which is quoted as far as there is room. */
static bool wrong_value(struct gri_schema_run *r, const struct gri_check *k, const char *what)
{
    size_t len = 0;
    char *text;

    if (r->quiet > 0)
        return false;
    text = gr_json_print(k->arg, 0, &len);
    if (text == NULL)
        return gri_schema_no_memory(r);
    (void)gri_schema_wrong(r, k, "%s %.*s%s", what, gri_schema_shown(text), text,
                           len > (size_t)gri_schema_shown(text) ? "…" : "");
    gr_free(text);
    return false;
}

GRI_SCHEMA_HOLDS(enum)
{
    for (size_t i = 0; i < gr_len(k->arg); i++) {
        const gr_value *one = gr_at(k->arg, i);

        if (!gri_schema_work(r, gri_schema_size(one)))
            return false;
        if (gri_schema_equal(one, v))
            return true;
    }
    return wrong_value(r, k, "must be one of");
}

GRI_SCHEMA_HOLDS(const)
{
    if (!gri_schema_work(r, gri_schema_size(k->arg)))
        return false;
    return gri_schema_equal(k->arg, v) || wrong_value(r, k, "must be");
}

/* ---- schemas about the same value ------------------------------------------------------------- */

GRI_SCHEMA_READ(schema)
{
    return gri_schema_sub(r, k, k->arg, NULL, SIZE_MAX);
}

GRI_SCHEMA_READ(list_of_schemas)
{
    if (gr_value_type(k->arg) != GR_LIST || gr_len(k->arg) == 0)
        return gri_schema_refuse(r, k, "must be a list of schemas, and not empty");
    for (size_t i = 0; i < gr_len(k->arg); i++)
        if (!gri_schema_sub(r, k, gr_at(k->arg, i), NULL, i))
            return false;
    return true;
}

GRI_SCHEMA_HOLDS(ref)
{
    return gri_schema_judge(r, k->subs[0], v);
}

GRI_SCHEMA_HOLDS(all_of)
{
    bool holds = true;

    for (size_t i = 0; i < k->sub_count; i++)
        holds = gri_schema_judge(r, k->subs[i], v) && holds;
    return holds;
}

/* first_wrong adds what is wrong first with v by a schema. */
static void first_wrong(struct gri_schema_run *r, const struct gri_schema_node *n,
                        const gr_value *v, struct gri_strbuf *b)
{
    gr_value *errors = r->errors;
    const gr_value *first;
    struct gri_strbuf path = r->path;
    const char *where;

    r->errors = gr_list_n(NULL, 0);
    r->path = (struct gri_strbuf)GRI_STRBUF_INIT;
    (void)gri_schema_judge(r, n, v);
    first = gr_at(r->errors, 0);
    where = gr_cstr(gr_get(first, "path"), "");
    gri_strbuf_addf(b, "%s%s%s%s", b->len > 0 ? "; " : "", where, *where != '\0' ? ": " : "",
                    gr_cstr(gr_get(first, "message"), "?"));
    gri_strbuf_fini(&r->path);
    gr_value_unref(r->errors);
    r->path = path;
    r->errors = errors;
}

/* wrong_all tells that none of the schemas holds, and why the first few do not. */
static bool wrong_all(struct gri_schema_run *r, const struct gri_check *k, const gr_value *v)
{
    struct gri_strbuf b = GRI_STRBUF_INIT;

    if (r->quiet > 0 || gri_schema_stopped(r))
        return false;
    for (size_t i = 0; i < k->sub_count && i < WHY_MAX; i++)
        first_wrong(r, k->subs[i], v, &b);
    if (b.failed)
        (void)gri_schema_no_memory(r);
    else
        (void)gri_schema_wrong(r, k, "none of %zu schemas holds: %s%s", k->sub_count, b.data,
                               k->sub_count > WHY_MAX ? "; …" : "");
    gri_strbuf_fini(&b);
    return false;
}

/* count_holding counts the schemas that hold, up to `enough`. */
static size_t count_holding(struct gri_schema_run *r, const struct gri_check *k, const gr_value *v,
                            size_t enough)
{
    size_t count = 0;

    for (size_t i = 0; i < k->sub_count && count < enough; i++)
        count += gri_schema_try(r, k->subs[i], v);
    return count;
}

GRI_SCHEMA_HOLDS(any_of)
{
    return count_holding(r, k, v, 1) > 0 || wrong_all(r, k, v);
}

GRI_SCHEMA_HOLDS(one_of)
{
    size_t count = count_holding(r, k, v, 2);

    if (count == 0)
        return wrong_all(r, k, v);
    return count == 1 || gri_schema_wrong(r, k, "more than one of %zu schemas holds", k->sub_count);
}

GRI_SCHEMA_HOLDS(not )
{
    if (!gri_schema_try(r, k->subs[0], v))
        return !gri_schema_stopped(r);
    return gri_schema_wrong(r, k, "must not be what the schema under not describes");
}

/* if: subs are the three schemas; the last two may be missing. */
GRI_SCHEMA_READ(if)
{
    static const char *const names[] = { "then", "else" };

    if (!gri_schema_sub(r, k, k->arg, NULL, SIZE_MAX))
        return false;
    for (size_t i = 0; i < 2; i++) {
        const gr_value *v = gr_get(k->node->v, names[i]);

        if (v == NULL ? !gri_schema_sub_none(r, k) : !gri_schema_sub(r, k, v, names[i], SIZE_MAX))
            return false;
    }
    return true;
}

GRI_SCHEMA_HOLDS(if)
{
    bool holds = gri_schema_try(r, k->subs[0], v);
    const struct gri_schema_node *then = k->subs[holds ? 1 : 2];

    if (gri_schema_stopped(r))
        return false;
    return then == NULL || gri_schema_judge(r, then, v);
}
