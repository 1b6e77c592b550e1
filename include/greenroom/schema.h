/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schema.h - JSON Schema: what a tool's arguments, an answer, a config must look like.
 *
 * The dialect is 2020-12, and of it these words:
 *
 *   any value  type enum const $ref $defs $anchor allOf anyOf oneOf not if then else
 *   numbers    minimum maximum exclusiveMinimum exclusiveMaximum multipleOf
 *   texts      minLength maxLength (in characters) pattern
 *   lists      items prefixItems contains minContains maxContains minItems maxItems uniqueItems
 *   maps       properties required additionalProperties patternProperties propertyNames
 *              minProperties maxProperties dependentRequired dependentSchemas
 *
 * Drafts up to 7 wrote a list of schemas under items, with additionalItems, for prefixItems and items:
 * that is read so, too. format, title, default and all that has no meaning here are notes, and judge
 * nothing. What would be judged wrongly is refused when the schema is read: unevaluatedItems,
 * unevaluatedProperties, $dynamicRef, $recursiveRef, and a $ref that leaves the schema; nothing is ever fetched.
 * A pattern needs a build with PCRE2.
 *
 * As in JSON Schema 1 and 1.0 are the same number, and 1.0 is an integer. NaN and infinities are
 * of no type. Packed floats are a list of numbers.
 */
#ifndef GREENROOM_SCHEMA_H
#define GREENROOM_SCHEMA_H

#include <greenroom/value.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gr_schema gr_schema; /* a schema that was read: immutable */

typedef struct gr_schema_opts {
    size_t size;
    unsigned depth_max; /* schemas within each other while a value is judged; default 128 */
    size_t work_max;    /* steps that judging one value may take; default 1000000 */
    size_t errors_max;  /* that are told; default 32 */
    size_t nodes_max;   /* schemas in the schema; default 65536 */
} gr_schema_opts;
#define GR_SCHEMA(...) GR_OPT(gr_schema_opts, __VA_ARGS__)

/*
 * gr_schema_new reads a schema: a map, or true or false. NULL on failure with *reterr, yours:
 * GR_EINVAL, kind "SchemaError", "/properties/a/type: must be …"; GR_EFULL beyond nodes_max;
 * GR_ENOMEM. Free it with gr_schema_free. [any]
 */
GR_API gr_schema *gr_schema_new(gr_value *schema GR_TAKES, const gr_schema_opts *opts,
                                gr_value **reterr);
GR_API void gr_schema_free(gr_schema *s);

/* gr_schema_value returns the value that it was read from. Borrowed. [any] */
GR_API const gr_value *gr_schema_value(const gr_schema *s);

/*
 * gr_schema_validate judges a value, by any number of threads at once. Yours:
 *
 *   a list      of what is wrong, empty if nothing is: {"path", "keyword", "message"} each. path is a
 *               JSON pointer into the value, "" being the whole; keyword is what of the schema does not
 *               hold; the message quotes the schema, never the value.
 *   an error    GR_EFULL, kind "SchemaError": depth_max or work_max is reached, so nothing is known;
 *               GR_EINVAL for NULL, the value's own if it is broken; GR_ENOMEM.
 *
 * Of anyOf and oneOf one thing is told, which sums up why none of them holds. [any]
 */
GR_API gr_value *gr_schema_validate(const gr_schema *s, const gr_value *v);

/*
 * gr_schema_fill adds what v lacks and the schema has a default for: keys of maps, at any depth, where
 * properties, items, prefixItems, $ref and allOf lead there. It judges nothing. [any]
 */
GR_API gr_value *gr_schema_fill(const gr_schema *s, gr_value *v GR_TAKES);

/* gr_schema_text prints what gr_schema_validate has found, a line each: "/a: expected integer, got
 * string". An error value as it is. [any] */
GR_API gr_value *gr_schema_text(const gr_value *errors);

#ifdef __cplusplus
}
#endif
#endif
