/* SPDX-License-Identifier: Apache-2.0 */
/* schema_test.c - JSON Schema: what each word judges, what is refused, and what judging may cost. */
#include <greenroom/schema.h>

#include "actors/text/regex.h"
#include "tests/support/json_check.h"
#include "tests/support/memory.h"
#include "tests/support/test.h"

static gr_schema *make(const char *text)
{
    gr_value *err = NULL;
    gr_schema *s = gr_schema_new(json(text), NULL, &err);

    cr_assert(s != NULL, "%s: %s", text, gr_error_text(err));
    return s;
}

/* wrong gives what is wrong with a value as "path keyword" and a comma between. */
static void wrong(const char *schema, const char *value, char *out, size_t size)
{
    gr_schema *s = make(schema);
    gr_value *v = json(value), *errors = gr_schema_validate(s, v);
    size_t len = 0;

    cr_assert_eq(gr_value_type(errors), GR_LIST, "%s: %s", schema, gr_error_text(errors));
    out[0] = '\0';
    for (size_t i = 0; i < gr_len(errors); i++) {
        const gr_value *e = gr_at(errors, i);

        len +=
            (size_t)snprintf(out + len, size - len, "%s%s %s", i > 0 ? ", " : "",
                             gr_cstr(gr_get(e, "path"), "?"), gr_cstr(gr_get(e, "keyword"), "?"));
    }
    gr_value_unref(errors);
    gr_value_unref(v);
    gr_schema_free(s);
}

struct verdict {
    const char *schema, *value, *wrong;
};

static void check(const struct verdict *cases, size_t count)
{
    char out[1000];

    for (size_t i = 0; i < count; i++) {
        wrong(cases[i].schema, cases[i].value, out, sizeof(out));
        cr_assert_str_eq(out, cases[i].wrong, "%s against %s: got '%s', want '%s'", cases[i].value,
                         cases[i].schema, out, cases[i].wrong);
    }
}
#define CHECK(...)                                                                                 \
    do {                                                                                           \
        static const struct verdict cases[] = { __VA_ARGS__ };                                     \
        check(cases, sizeof(cases) / sizeof(cases[0]));                                            \
    } while (0)

Test(schema, types)
{
    CHECK({ "true", "1", "" }, { "false", "1", " false" }, { "{}", "null", "" },
          { "{\"type\":\"integer\"}", "1", "" }, { "{\"type\":\"integer\"}", "1.0", "" },
          { "{\"type\":\"integer\"}", "1.5", " type" }, { "{\"type\":\"number\"}", "1", "" },
          { "{\"type\":\"string\"}", "1", " type" }, { "{\"type\":\"null\"}", "null", "" },
          { "{\"type\":\"boolean\"}", "0", " type" }, { "{\"type\":\"array\"}", "{}", " type" },
          { "{\"type\":[\"string\",\"null\"]}", "null", "" },
          { "{\"type\":[\"string\",\"null\"]}", "[]", " type" },
          { "{\"type\":\"object\"}", "{}", "" });
}

Test(schema, values)
{
    CHECK({ "{\"enum\":[1,\"a\",null]}", "1.0", "" }, { "{\"enum\":[1,\"a\",null]}", "null", "" },
          { "{\"enum\":[1]}", "true", " enum" }, { "{\"enum\":[]}", "1", " enum" },
          { "{\"const\":{\"a\":[1],\"b\":2}}", "{\"b\":2.0,\"a\":[1]}", "" },
          { "{\"const\":{\"a\":1}}", "{\"a\":1,\"b\":1}", " const" });
}

Test(schema, numbers)
{
    CHECK({ "{\"minimum\":1}", "1", "" }, { "{\"minimum\":1}", "0.5", " minimum" },
          { "{\"maximum\":1}", "1.5", " maximum" },
          { "{\"exclusiveMinimum\":1}", "1", " exclusiveMinimum" },
          { "{\"exclusiveMaximum\":1}", "0", "" }, { "{\"minimum\":1}", "\"0\"", "" },
          { "{\"maximum\":9007199254740993}", "9007199254740993", "" },
          { "{\"maximum\":9007199254740992.0}", "9007199254740993", " maximum" },
          { "{\"multipleOf\":3}", "9", "" }, { "{\"multipleOf\":3}", "10", " multipleOf" },
          { "{\"multipleOf\":0.1}", "0.3", "" },
          { "{\"multipleOf\":0.01}", "0.035", " multipleOf" },
          { "{\"multipleOf\":0.5}", "1e308", "" });
}

Test(schema, texts)
{
    CHECK({ "{\"minLength\":2}", "\"a\"", " minLength" },
          { "{\"minLength\":2}", "\"\\u00e4\\u00f6\"", "" },
          { "{\"maxLength\":1}", "\"\\ud83d\\ude00\"", "" },
          { "{\"maxLength\":1}", "\"ab\"", " maxLength" }, { "{\"maxLength\":1}", "12", "" });
    if (gri_regex_there())
        CHECK({ "{\"pattern\":\"^a+$\"}", "\"aa\"", "" },
              { "{\"pattern\":\"^a+$\"}", "\"aa\\n\"", " pattern" },
              { "{\"pattern\":\"\\\\d\"}", "\"a1\"", "" },
              { "{\"pattern\":\"\\\\d\"}", "\"\\u0661\"", " pattern" });
}

Test(schema, lists)
{
    CHECK({ "{\"items\":{\"type\":\"integer\"}}", "[1,\"a\",2,null]", "/1 type, /3 type" },
          { "{\"prefixItems\":[{\"type\":\"integer\"}],\"items\":false}", "[1]", "" },
          { "{\"prefixItems\":[{\"type\":\"integer\"}],\"items\":false}", "[\"a\",2]",
            "/0 type, /1 false" },
          { "{\"items\":[{\"type\":\"integer\"}],\"additionalItems\":{\"type\":\"null\"}}",
            "[1,null,2]", "/2 type" },
          { "{\"items\":[{\"type\":\"integer\"}]}", "[1,null,2]", "" },
          { "{\"minItems\":1}", "[]", " minItems" }, { "{\"maxItems\":1}", "[1,2]", " maxItems" },
          { "{\"uniqueItems\":true}", "[1,2,1.0]", " uniqueItems" },
          { "{\"uniqueItems\":true}", "[{\"a\":1,\"b\":2},{\"b\":2,\"a\":1}]", " uniqueItems" },
          { "{\"uniqueItems\":true}", "[1,\"1\",true,[1],[[1]],null,0,false]", "" },
          { "{\"contains\":{\"type\":\"null\"}}", "[1]", " contains" },
          { "{\"contains\":{\"type\":\"null\"},\"minContains\":0}", "[1]", "" },
          { "{\"contains\":{\"type\":\"null\"},\"maxContains\":1}", "[null,1,null]", " contains" });
}

Test(schema, maps)
{
    CHECK({ "{\"properties\":{\"a\":{\"type\":\"integer\"}},\"required\":[\"a\",\"b\"]}",
            "{\"a\":\"x\"}", " required, /a type" },
          { "{\"properties\":{\"a\":true},\"additionalProperties\":false}",
            "{\"a\":1,\"b\":2,\"c/d~\":3}",
            " additionalProperties, "
            " additionalProperties" },
          { "{\"additionalProperties\":{\"type\":\"null\"}}", "{\"c/d~\":3}", "/c~1d~0 type" },
          { "{\"minProperties\":1}", "{}", " minProperties" },
          { "{\"maxProperties\":0}", "{\"a\":1}", " maxProperties" },
          { "{\"propertyNames\":{\"maxLength\":1}}", "{\"a\":1,\"bb\":1}", " propertyNames" },
          { "{\"dependentRequired\":{\"a\":[\"b\",\"c\"]}}", "{\"a\":1,\"c\":1}",
            " dependentRequired" },
          { "{\"dependentSchemas\":{\"a\":{\"required\":[\"b\"]}}}", "{\"a\":1}", " required" });
    if (gri_regex_there())
        CHECK(
            { "{\"patternProperties\":{\"^n\":{\"type\":\"null\"}},\"additionalProperties\":false}",
              "{\"n1\":null,\"n2\":1,\"m\":1}", "/n2 type,  additionalProperties" });
}

Test(schema, compositions)
{
    CHECK({ "{\"allOf\":[{\"type\":\"string\"},{\"minLength\":2}]}", "\"a\"", " minLength" },
          { "{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"null\"}]}", "null", "" },
          { "{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"null\"}]}", "1", " anyOf" },
          { "{\"oneOf\":[{\"minimum\":1},{\"maximum\":1}]}", "1", " oneOf" },
          { "{\"oneOf\":[{\"minimum\":1},{\"maximum\":1}]}", "2", "" },
          { "{\"not\":{\"type\":\"null\"}}", "null", " not" },
          { "{\"not\":{\"type\":\"null\"}}", "1", "" },
          { "{\"if\":{\"minimum\":5},\"then\":{\"maximum\":7},\"else\":{\"multipleOf\":2}}", "8",
            " maximum" },
          { "{\"if\":{\"minimum\":5},\"then\":{\"maximum\":7},\"else\":{\"multipleOf\":2}}", "3",
            " multipleOf" },
          { "{\"if\":{\"minimum\":5}}", "3", "" });
}

Test(schema, refs)
{
    CHECK(
        { "{\"$defs\":{\"t\":{\"type\":\"integer\"}},\"properties\":{\"a\":{\"$ref\":\"#/$defs/t\"}}}",
          "{\"a\":\"x\"}", "/a type" },
        { "{\"$defs\":{\"a/b~%\":{\"type\":\"null\"}},\"$ref\":\"#/$defs/a~1b~0%25\"}", "1",
          " type" },
        { "{\"properties\":{\"next\":{\"$ref\":\"#\"}},\"required\":[\"v\"]}",
          "{\"v\":1,\"next\":{\"v\":2,\"next\":{}}}", "/next/next required" },
        { "{\"$defs\":{\"x\":{\"$anchor\":\"here\",\"type\":\"null\"}},\"$ref\":\"#here\"}", "1",
          " type" },
        { "{\"$id\":\"https://a.b/c\",\"$defs\":{\"x\":false},\"$ref\":\"https://a.b/c#/$defs/x\"}",
          "1", " false" },
        { "{\"$defs\":{\"t\":{\"$id\":\"https://x.y\",\"$defs\":{\"u\":false},\"$ref\":\"#/$defs/u\"}},"
          "\"$ref\":\"#/$defs/t\"}",
          "1", " false" },
        { "{\"prefixItems\":[{\"type\":\"null\"},{\"$ref\":\"#/prefixItems/0\"}]}", "[null,1]",
          "/1 type" });
}

Test(schema, messages_say_what_is_due)
{
    gr_schema *s = make(
        "{\"properties\":{\"a\":{\"type\":[\"integer\",\"null\"]},\"b\":{\"enum\":[\"x\",\"y\"]},"
        "\"c\":{\"anyOf\":[{\"type\":\"string\"},{\"items\":{\"type\":\"null\"}}]}},"
        "\"required\":[\"z\"]}");
    gr_value *v = json("{\"a\":\"secret\",\"b\":\"secret\",\"c\":[1]}");
    gr_value *errors = gr_schema_validate(s, v), *text = gr_schema_text(errors);

    cr_assert_str_eq(
        gr_cstr(text, "?"),
        "'z' is missing\n"
        "/a: expected integer or null, got string\n"
        "/b: must be one of [\"x\", \"y\"]\n"
        "/c: none of 2 schemas holds: expected string, got array; /0: expected null, got "
        "integer");
    gr_value_unref(text);
    gr_value_unref(errors);
    gr_value_unref(v);
    gr_schema_free(s);
}

static void refused(const char *schema, const char *text)
{
    gr_value *err = NULL;
    gr_schema *s = gr_schema_new(json(schema), NULL, &err);

    cr_assert(s == NULL, "%s", schema);
    cr_assert_eq(gr_error_code(err), GR_EINVAL);
    cr_assert_str_eq(gr_cstr(gr_get(err, "kind"), "?"), "SchemaError");
    cr_assert(strstr(gr_error_text(err), text) != NULL, "%s: %s", schema, gr_error_text(err));
    gr_value_unref(err);
}

Test(schema, what_is_no_schema_is_refused)
{
    refused("1", "schema: /: a schema must be a map, true or false");
    refused("{\"properties\":{\"a\":{\"type\":\"text\"}}}",
            "schema: /properties/a/type: must be null, boolean");
    refused("{\"type\":[]}", "/type: must not be an empty list");
    refused("{\"enum\":1}", "/enum: must be a list");
    refused("{\"minLength\":-1}", "/minLength: must be a whole number, at least 0");
    refused("{\"minimum\":true}", "/minimum: must be a number");
    refused("{\"multipleOf\":0}", "/multipleOf: must be a number above 0");
    refused("{\"anyOf\":[]}", "/anyOf: must be a list of schemas, and not empty");
    refused("{\"anyOf\":[true,3]}", "/anyOf/1: a schema must be a map, true or false");
    refused("{\"required\":[1]}", "/required: must be a list of texts");
    refused("{\"properties\":[]}", "/properties: must be a map of schemas");
    refused("{\"uniqueItems\":1}", "/uniqueItems: must be true or false");
    refused("{\"unevaluatedProperties\":false}", "/unevaluatedProperties: is not supported");
    refused("{\"$ref\":\"https://a.b/c\"}",
            "/$ref: 'https://a.b/c' is not in this schema, and nothing is fetched");
    refused("{\"$ref\":\"#/$defs/a\"}", "/$ref: there is no '#/$defs/a'");
    refused("{\"$ref\":\"#a\"}", "/$ref: there is no '#a'");
    refused("{\"pattern\":\"(\"}",
            gri_regex_there() ? "/pattern: bad regular expression" : "PCRE2");
}

Test(schema, bounds_hold)
{
    gr_value *err = NULL, *v = gr_int(1), *errors;
    gr_schema *s = make("{\"$ref\":\"#\"}");

    errors = gr_schema_validate(s, v); /* it never comes to an end by itself */
    cr_assert_eq(gr_error_code(errors), GR_EFULL);
    cr_assert(strstr(gr_error_text(errors), "schemas within each other, the limit is 128") != NULL);
    gr_value_unref(errors);
    gr_schema_free(s);

    /* each level doubles what there is to do */
    s = make("{\"$defs\":{\"a\":{\"anyOf\":[{\"$ref\":\"#/$defs/b\"},{\"$ref\":\"#/$defs/b\"}]},"
             "\"b\":{\"anyOf\":[{\"$ref\":\"#/$defs/a\"},{\"$ref\":\"#/$defs/a\"},false]}},"
             "\"allOf\":[{\"not\":{\"$ref\":\"#/$defs/a\"}}]}");
    errors = gr_schema_validate(s, v);
    cr_assert_eq(gr_error_code(errors), GR_EFULL, "%d", gr_error_code(errors));
    gr_value_unref(errors);
    gr_schema_free(s);

    s = gr_schema_new(json("{\"allOf\":[{},{\"a\":1},{\"b\":1}]}"), GR_SCHEMA(.nodes_max = 3),
                      &err);
    cr_assert(s == NULL);
    cr_assert_eq(gr_error_code(err), GR_EFULL);
    gr_value_unref(err);

    s = gr_schema_new(json("{\"items\":{\"type\":\"null\"}}"), GR_SCHEMA(.errors_max = 2), &err);
    gr_value_unref(v);
    v = json("[1,2,3,4]");
    errors = gr_schema_validate(s, v);
    cr_assert_eq(gr_len(errors), 2);
    gr_value_unref(errors);
    gr_value_unref(v);
    gr_schema_free(s);
}

Test(schema, values_that_json_has_not)
{
    const float x[] = { 1, 2, 2 };
    gr_schema *s = make("{\"items\":{\"type\":\"integer\"},\"uniqueItems\":true}");
    gr_value *v = gr_floats(x, 3), *errors = gr_schema_validate(s, v);

    cr_assert_eq(gr_len(errors), 1);
    gr_value_unref(errors);
    gr_value_unref(v);
    gr_schema_free(s);
    s = make("{\"type\":[\"string\",\"number\",\"object\",\"array\",\"null\",\"boolean\"]}");
    v = gr_real(1e308 * 10);
    errors = gr_schema_validate(s, v);
    cr_assert_eq(gr_len(errors), 1);
    gr_value_unref(errors);
    gr_value_unref(v);
    gr_schema_free(s);
}

Test(schema, defaults_fill_what_is_missing)
{
    gr_schema *s = make(
        "{\"$defs\":{\"p\":{\"properties\":{\"x\":{\"default\":1},\"y\":{\"type\":\"integer\"}}}},"
        "\"properties\":{\"a\":{\"$ref\":\"#/$defs/p\"},\"b\":{\"default\":[]},"
        "\"c\":{\"$ref\":\"#/$defs/p\",\"default\":{}},"
        "\"d\":{\"items\":{\"$ref\":\"#/$defs/p\"}}}}");

    cr_assert(is(gr_schema_fill(s, json("{\"a\":{\"y\":2},\"d\":[{\"x\":5},{},3]}")),
                 "{\"a\":{\"y\":2,\"x\":1},\"d\":[{\"x\":5},{\"x\":1},3],\"b\":[],\"c\":{}}"));
    cr_assert(is(gr_schema_fill(s, json("[1]")), "[1]"));
    gr_schema_free(s);
}

Test(schema, without_memory)
{
    const char *text =
        "{\"$defs\":{\"a\":{\"type\":\"integer\"}},\"properties\":{\"x\":{\"$ref\":\"#/$defs/a\"},"
        "\"y\":{\"anyOf\":[{\"const\":1},{\"uniqueItems\":true}]}},\"required\":[\"z\"]}";
    gr_value *schema = json(text), *v = json("{\"x\":\"a\",\"y\":[1,1]}");
    long before = test_memory_live();

    for (long n = 1, failed = 1; failed; n++) {
        gr_value *err = NULL, *errors = NULL;
        gr_schema *s;

        test_memory_fail_at(n);
        s = gr_schema_new(gr_value_ref(schema), NULL, &err);
        if (s != NULL)
            errors = gr_schema_validate(s, v);
        failed = test_memory_reached();
        cr_assert(s != NULL || gr_error_code(err) == GR_ENOMEM);
        if (errors != NULL && gr_error_code(errors) == GR_OK && !failed)
            cr_assert_eq(gr_len(errors), 3);
        else if (errors != NULL && gr_error_code(errors) != GR_OK)
            cr_assert_eq(gr_error_code(errors), GR_ENOMEM);
        gr_value_unref(errors);
        gr_value_unref(err);
        gr_schema_free(s);
        cr_assert_eq(test_memory_live(), before, "allocation %ld left %ld", n,
                     test_memory_live() - before);
    }
    gr_value_unref(schema);
    gr_value_unref(v);
}
