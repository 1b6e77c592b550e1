/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schema_fuzz.c - any JSON as a schema, and any JSON judged by it: an error that says where, or a list of
 * what is wrong; told and not told agree; a value that holds holds still when its defaults are filled in
 * by a schema that has none; all of it within bounds. A line that is "---" is between the two documents.
 */
#include <greenroom/codec.h>
#include <greenroom/schema.h>

#include "tests/fuzz/fuzz.h"

/* judge_not asks the opposite, by a schema around this one. */
static void judge_not(const gr_value *schema, const gr_value *v, const gr_value *errors)
{
    gr_value *err = NULL, *other;
    gr_schema *s = gr_schema_new(gr_map(GR_KV("not", gr_value_ref(schema))),
                                 GR_SCHEMA(.work_max = 20000), &err);

    gr_value_unref(err);
    if (s == NULL) /* refs begin at the root, which is another one now; or it is too deep */
        return;
    other = gr_schema_validate(s, v);
    if (gr_value_type(other) == GR_LIST && gr_get(schema, "$ref") == NULL &&
        gr_get(schema, "$defs") == NULL && gr_get(schema, "$id") == NULL)
        must((gr_len(other) == 0) == (gr_len(errors) > 0));
    gr_value_unref(other);
    gr_schema_free(s);
}

static void judge(const gr_schema *s, gr_value *v, bool refs)
{
    gr_value *errors = gr_schema_validate(s, v), *text = gr_schema_text(errors), *filled;

    must(gr_value_type(errors) == GR_LIST || gr_error_code(errors) == GR_EFULL ||
         gr_error_code(errors) == GR_EINVAL);
    must(gr_value_type(errors) == GR_ERROR || gr_value_type(text) == GR_STR);
    if (gr_value_type(errors) == GR_LIST) {
        must(gr_len(errors) <= 32);
        for (size_t i = 0; i < gr_len(errors); i++)
            must(gr_value_type(gr_get(gr_at(errors, i), "message")) == GR_STR);
        if (!refs)
            judge_not(gr_schema_value(s), v, errors);
    }
    filled = gr_schema_fill(s, gr_value_ref(v));
    must(gr_value_type(filled) == gr_value_type(v) || gr_error_code(filled) == GR_ENOMEM);
    gr_value_unref(filled);
    gr_value_unref(text);
    gr_value_unref(errors);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_cost cost = fuzz_begin();
    char *text = fuzz_text(data, size), *second = strstr(text, "\n---\n");
    size_t len = second != NULL ? (size_t)(second - text) : strlen(text);
    gr_value *schema = gr_json_parse(text, len, NULL), *v, *err = NULL;
    gr_schema *s;

    v = second != NULL ? gr_json_parse(second + 5, strlen(second + 5), NULL) : gr_value_ref(schema);
    if (gr_value_type(schema) != GR_ERROR && gr_value_type(v) != GR_ERROR) {
        s = gr_schema_new(gr_value_ref(schema), GR_SCHEMA(.work_max = 20000), &err);
        must((s == NULL) == (err != NULL));
        if (s == NULL)
            must(gr_error_code(err) == GR_EINVAL || gr_error_code(err) == GR_EFULL);
        else
            judge(s, v, strstr(text, "$ref") != NULL || strstr(text, "\\u") != NULL);
        gr_schema_free(s);
    }
    gr_value_unref(err);
    gr_value_unref(schema);
    gr_value_unref(v);
    free(text);
    fuzz_end(&cost, size, 700);
    return 0;
}
