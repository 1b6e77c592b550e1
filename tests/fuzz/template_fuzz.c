/* SPDX-License-Identifier: Apache-2.0 */
/* template_fuzz.c - any bytes as a prompt template: an error with a position, or a text that is
 * made of it. */
#include <stdint.h>
#include <stdlib.h>

#include "actors/prompt/template.h"
#include "runtime/base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gri_template *t = NULL;
    struct gri_strbuf b = GRI_STRBUF_INIT;
    gr_value *err = NULL, *vars, *text;
    const char *name;

    if (!gri_utf8_valid((const char *)data, size))
        return 0;
    if (gri_template_parse((const char *)data, size, &t, &err) != GR_OK) {
        if (gr_error_code(err) != GR_EINVAL)
            abort();
        gr_value_unref(err);
        return 0;
    }
    vars = gr_map_n(NULL, 0);
    for (size_t i = 0; (name = gri_template_var(t, i)) != NULL; i++)
        vars = gr_set(vars, name, gr_str("{v}"));
    gri_template_print(t, vars, &b);
    text = gri_strbuf_value(&b);
    if (gr_error_code(text) != GR_OK)
        abort();
    gr_value_unref(text);
    gr_value_unref(vars);
    gri_template_free(t);
    return 0;
}
