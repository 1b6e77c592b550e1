/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mustache_fuzz.c - any text as a mustache template: an error with a position, or a template that prints within its
 * limits; and a text without braces prints as itself.
 */
#include "actors/prompt/mustache.h"

#include <greenroom/codec.h>

#include "runtime/base/utf8.h"
#include "tests/fuzz/fuzz.h"

static const char vars_text[] =
    "{\"a\": \"<x>\", \"b\": {\"a\": [1, {\"a\": 2}], \"c\": true}, \"l\": [1, \"two\", {\"l\": []}], \"t\": true, \"f\": 0}";

static bool add_one(void *arg, const char *name, size_t len)
{
    must(name != NULL && len > 0);
    ++*(size_t *)arg;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_cost cost = fuzz_begin();
    const char *text = (const char *)data;
    struct gri_strbuf b = { .max = (size_t)64 << 10 };
    struct gri_mustache *m = NULL;
    gr_value *err = NULL, *vars;
    size_t names = 0;

    if (size > 4096 || !gri_utf8_valid(text, size))
        return 0;
    if (gri_mustache_parse(text, size, &m, &err) != GR_OK) {
        must(gr_error_code(err) == GR_EINVAL);
        must(strncmp(gr_error_text(err), "line ", 5) == 0);
        gr_value_unref(err);
        fuzz_end(&cost, size, 128);
        return 0;
    }
    must(gri_mustache_each(m, add_one, &names));
    vars = gr_json_parse(vars_text, sizeof(vars_text) - 1, NULL);
    gri_mustache_print(m, vars, &b);
    if (!b.failed && memchr(text, '{', size) == NULL)
        must(b.len == size && (size == 0 || memcmp(b.data, text, size) == 0));
    gri_strbuf_fini(&b);
    gr_value_unref(vars);
    gri_mustache_free(m);
    fuzz_end(&cost, size, 256);
    return 0;
}
