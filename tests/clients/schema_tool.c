/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schema_tool.c - our half of the comparison with ajv; ajv.sh runs it, and ajv.mjs is the other half.
 *
 *   schema_tool SEED COUNT
 *
 * writes COUNT lines {"seed", "schema", "cases": [{"value", "wrong"}]}: a schema made from its seed,
 * values that are likely to meet it, and for each what is wrong with it for us, "path keyword".
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <greenroom/codec.h>
#include <greenroom/schema.h>

#include "tests/support/document.h"

#define DEPTH 3
#define VALUES 12
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const keys[] = { "a", "b", "c", "aa", "a/b", "~" };
static const char *const texts[] = { "", "a", "b", "ab", "a1", "äö", "\U0001F600", "12", "xyz" };
static const char *const patterns[] = { "^a",       "b$",  "[0-9]+", "^.{2}$",
                                        "^(a|b)*$", "\\d", "x|ö",    "^$" };
static const char *const types[] = { "null",   "boolean", "integer", "number",
                                     "string", "array",   "object" };

static const char *key_of(struct test_dice *d)
{
    return keys[test_below(d, COUNT(keys))];
}

/* ---- values ------------------------------------------------------------------------------------ */

static gr_value *make_value(struct test_dice *d, unsigned depth)
{
    gr_value *v;

    switch (test_below(d, depth == 0 ? 5 : 9)) {
    case 0: return gr_nil();
    case 1: return gr_bool(test_one_in(d, 2));
    case 2: return gr_int((int64_t)test_below(d, 9) - 2);
    case 3: return gr_real((double)test_below(d, 9) / 2 - 1);
    case 4: return gr_str(texts[test_below(d, COUNT(texts))]);
    case 5:
    case 6:
        v = gr_list_n(NULL, 0);
        for (size_t i = test_below(d, 4); i > 0; i--)
            v = gr_append(v, make_value(d, depth - 1));
        return v;
    default:
        v = gr_map_n(NULL, 0);
        for (size_t i = test_below(d, 4); i > 0; i--)
            v = gr_set(v, key_of(d), make_value(d, depth - 1));
        return v;
    }
}

/* ---- schemas ------------------------------------------------------------------------------------- */

static gr_value *make_schema(struct test_dice *d, unsigned depth);

static gr_value *schemas(struct test_dice *d, unsigned depth)
{
    gr_value *list = gr_list_n(NULL, 0);

    for (size_t i = 1 + test_below(d, 3); i > 0; i--)
        list = gr_append(list, make_schema(d, depth - 1));
    return list;
}

static gr_value *schemas_by(struct test_dice *d, unsigned depth, const char *const *names,
                            size_t count)
{
    gr_value *map = gr_map_n(NULL, 0);

    for (size_t i = 1 + test_below(d, 3); i > 0; i--)
        map = gr_set(map, names[test_below(d, count)], make_schema(d, depth - 1));
    return map;
}

static gr_value *names_of(struct test_dice *d)
{
    gr_value *list = gr_list_n(NULL, 0);
    size_t first = test_below(d, COUNT(keys));

    for (size_t i = test_below(d, 3); i > 0; i--) /* each once */
        list = gr_append(list, gr_str(keys[(first + i) % COUNT(keys)]));
    return list;
}

static gr_value *make_types(struct test_dice *d)
{
    size_t first = test_below(d, COUNT(types));
    gr_value *list;

    if (!test_one_in(d, 3))
        return gr_str(types[first]);
    list = gr_list_n(NULL, 0);
    for (size_t i = 1 + test_below(d, 3); i > 0; i--)
        list = gr_append(list, gr_str(types[(first + i) % COUNT(types)]));
    return list;
}

static gr_value *add_plain(struct test_dice *d, gr_value *s)
{
    gr_value *v;

    switch (test_below(d, 20)) {
    case 0:
        v = gr_list(make_value(d, 2), gr_int((int64_t)test_below(d, 3)), gr_str("a"));
        return gr_set(s, "enum", v);
    case 1: return gr_set(s, "const", make_value(d, 2));
    case 2: return gr_set(s, "minimum", gr_int((int64_t)test_below(d, 5) - 1));
    case 3: return gr_set(s, "maximum", gr_real((double)test_below(d, 9) / 2));
    case 4: return gr_set(s, "exclusiveMinimum", gr_int((int64_t)test_below(d, 4) - 1));
    case 5: return gr_set(s, "exclusiveMaximum", gr_int((int64_t)test_below(d, 5)));
    case 6: return gr_set(s, "multipleOf", test_one_in(d, 2) ? gr_int(2) : gr_real(1.5));
    case 7: return gr_set(s, "minLength", gr_int((int64_t)test_below(d, 4)));
    case 8: return gr_set(s, "maxLength", gr_int((int64_t)test_below(d, 3)));
    case 9: return gr_set(s, "pattern", gr_str(patterns[test_below(d, COUNT(patterns))]));
    case 10: return gr_set(s, "minItems", gr_int((int64_t)test_below(d, 3)));
    case 11: return gr_set(s, "maxItems", gr_int((int64_t)test_below(d, 3)));
    case 12: return gr_set(s, "uniqueItems", gr_bool(!test_one_in(d, 4)));
    case 13: return gr_set(s, "minProperties", gr_int((int64_t)test_below(d, 3)));
    case 14: return gr_set(s, "maxProperties", gr_int((int64_t)test_below(d, 3)));
    case 15: return gr_set(s, "required", names_of(d));
    case 16: return gr_set(s, "dependentRequired", gr_map(GR_KV(key_of(d), names_of(d))));
    default: return gr_set(s, "type", make_types(d));
    }
}

static gr_value *add_nested(struct test_dice *d, gr_value *s, unsigned depth)
{
    switch (test_below(d, 15)) {
    case 0: return gr_set(s, "items", make_schema(d, depth - 1));
    case 1: return gr_set(s, "prefixItems", schemas(d, depth));
    case 2:
        s = gr_set(s, "contains", make_schema(d, depth - 1));
        if (test_one_in(d, 2))
            s = gr_set(s, "minContains", gr_int((int64_t)test_below(d, 3)));
        return test_one_in(d, 2) ? gr_set(s, "maxContains", gr_int(1 + (int64_t)test_below(d, 2)))
                                 : s;
    case 3: return gr_set(s, "patternProperties", schemas_by(d, depth, patterns, COUNT(patterns)));
    case 4: return gr_set(s, "additionalProperties", make_schema(d, depth - 1));
    case 5: return gr_set(s, "propertyNames", make_schema(d, depth - 1));
    case 6: return gr_set(s, "dependentSchemas", schemas_by(d, depth, keys, COUNT(keys)));
    case 7: return gr_set(s, "allOf", schemas(d, depth));
    case 8: return gr_set(s, "anyOf", schemas(d, depth));
    case 9: return gr_set(s, "oneOf", schemas(d, depth));
    case 10: return gr_set(s, "not", make_schema(d, depth - 1));
    case 11:
        s = gr_set(s, "if", make_schema(d, depth - 1));
        s = test_one_in(d, 4) ? s : gr_set(s, "then", make_schema(d, depth - 1));
        return test_one_in(d, 2) ? s : gr_set(s, "else", make_schema(d, depth - 1));
    default: return gr_set(s, "properties", schemas_by(d, depth, keys, COUNT(keys)));
    }
}

static gr_value *make_schema(struct test_dice *d, unsigned depth)
{
    gr_value *s;

    if (test_one_in(d, 12))
        return gr_bool(!test_one_in(d, 3));
    s = gr_map_n(NULL, 0);
    if (test_one_in(d, 12))
        return gr_set(s, "$ref", gr_strf("#/$defs/%s", test_one_in(d, 2) ? "a" : "b~1c"));
    for (size_t i = 1 + test_below(d, 2); i > 0; i--)
        s = add_plain(d, s);
    for (size_t i = depth > 0 ? 1 + test_below(d, 2) : 0; i > 0; i--)
        s = add_nested(d, s, depth);
    return s;
}

/* make_whole adds what refs lead to; one of them leads to a part of the value, and back. */
static gr_value *make_whole(struct test_dice *d)
{
    gr_value *s = make_schema(d, DEPTH), *plain = add_plain(d, gr_map_n(NULL, 0)), *nested;

    nested = add_plain(d, gr_map(GR_KV(test_one_in(d, 2) ? "items" : "additionalProperties",
                                       gr_map(GR_KV("$ref", gr_str("#/$defs/b~1c"))))));
    if (gr_value_type(s) != GR_MAP) {
        gr_value_unref(s);
        s = gr_map_n(NULL, 0);
    }
    return gr_set(s, "$defs", gr_map(GR_KV("a", plain), GR_KV("b/c", nested)));
}

/* ---- writing --------------------------------------------------------------------------------------- */

static gr_value *judged(const gr_schema *s, gr_value *v)
{
    gr_value *errors = gr_schema_validate(s, v), *wrong = gr_list_n(NULL, 0);

    if (gr_value_type(errors) != GR_LIST)
        exit(2);
    for (size_t i = 0; i < gr_len(errors); i++)
        wrong = gr_append(wrong, gr_strf("%s %s", gr_cstr(gr_get(gr_at(errors, i), "path"), "?"),
                                         gr_cstr(gr_get(gr_at(errors, i), "keyword"), "?")));
    gr_value_unref(errors);
    return gr_map(GR_KV("value", v), GR_KV("wrong", wrong));
}

static void write_one(uint64_t seed)
{
    struct test_dice d = test_dice_of(seed);
    gr_value *schema = make_whole(&d), *cases = gr_list_n(NULL, 0), *line, *err = NULL;
    gr_schema *s = gr_schema_new(gr_value_ref(schema), GR_SCHEMA(.errors_max = 10000), &err);
    char *text;

    if (s == NULL) {
        fprintf(stderr, "seed %" PRIu64 ": %s\n", seed, gr_error_text(err));
        exit(2);
    }
    for (size_t i = 0; i < VALUES; i++)
        cases = gr_append(cases, judged(s, make_value(&d, 3)));
    gr_schema_free(s);
    line = gr_map(GR_KV("seed", gr_int((int64_t)seed)), GR_KV("schema", schema),
                  GR_KV("cases", cases));
    text = gr_json_print(line, 0, NULL);
    puts(text);
    gr_free(text);
    gr_value_unref(line);
}

int main(int argc, char **argv)
{
    uint64_t seed = argc == 3 ? strtoull(argv[1], NULL, 10) : 0;
    uint64_t count = argc == 3 ? strtoull(argv[2], NULL, 10) : 0;

    if (argc != 3) {
        fprintf(stderr, "usage: schema_tool SEED COUNT\n");
        return 2;
    }
    for (uint64_t i = 0; i < count; i++)
        write_one(seed + i);
    return 0;
}
