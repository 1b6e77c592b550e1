/* SPDX-License-Identifier: Apache-2.0 */
/*
 * template_fuzz.c - any text as a prompt template: an error with a position, or a text that is made
 * of it; and with its braces doubled, any text prints as itself.
 */
#include "actors/prompt/template.h"
#include "runtime/base/utf8.h"
#include "tests/fuzz/fuzz.h"

/* print parses and fills in with "{v}" for each variable; false when refused. */
static bool print(const char *text, size_t len, struct gri_strbuf *out)
{
    struct gri_template *t = NULL;
    gr_value *err = NULL, *vars;
    const char *name;

    if (gri_template_parse(text, len, &t, &err) != GR_OK) {
        must(gr_error_code(err) == GR_EINVAL);
        must(strncmp(gr_error_text(err), "line ", 5) == 0);
        gr_value_unref(err);
        return false;
    }
    vars = gr_map_n(NULL, 0);
    for (size_t i = 0; (name = gri_template_var(t, i)) != NULL; i++) {
        must(gr_get(vars, name) == NULL); /* each once */
        vars = gr_set(vars, name, gr_str("{v}"));
    }
    gri_template_print(t, vars, out);
    gr_value_unref(vars);
    gri_template_free(t);
    return true;
}

static void check_doubled(const char *text, size_t len)
{
    struct gri_strbuf doubled = GRI_STRBUF_INIT, out = GRI_STRBUF_INIT;

    for (size_t i = 0; i < len; i++) {
        if (text[i] == '{' || text[i] == '}')
            gri_strbuf_addc(&doubled, text[i]);
        gri_strbuf_addc(&doubled, text[i]);
    }
    must(print(doubled.data != NULL ? doubled.data : "", doubled.len, &out));
    must(out.len == len && (len == 0 || memcmp(out.data, text, len) == 0));
    gri_strbuf_fini(&doubled);
    gri_strbuf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_cost cost = fuzz_begin();
    const char *text = (const char *)data;
    struct gri_strbuf out = GRI_STRBUF_INIT;

    if (!gri_utf8_valid(text, size))
        return 0;
    if (print(text, size, &out)) {
        gr_value *v = gri_strbuf_value(&out);

        must(gr_value_type(v) == GR_STR);
        gr_value_unref(v);
    }
    gri_strbuf_fini(&out);
    check_doubled(text, size);
    fuzz_end(&cost, size, 128);
    return 0;
}
