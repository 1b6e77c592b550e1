/* SPDX-License-Identifier: Apache-2.0 */
/* arguments.c - see the header. */
#include "actors/tool/arguments.h"

#include <string.h>

gr_value *gri_arguments_judge(const gr_schema *schema, const char *name, const gr_value *args)
{
    gr_value *errors = gr_schema_validate(schema, args), *text, *err;

    if (gr_error_code(errors) != GR_OK)
        return errors;
    if (gr_len(errors) == 0) {
        gr_value_unref(errors);
        return NULL;
    }
    text = gr_schema_text(errors);
    err = gr_error(GR_EINVAL, "%zu validation error%s for %s\n%s", gr_len(errors),
                   gr_len(errors) == 1 ? "" : "s", name, gr_cstr(text, "?"));
    gr_value_unref(text);
    err = gr_error_with(gr_error_with(err, "kind", gr_str("ValidationError")), "detail", errors);
    if (gr_get(err, "detail") != NULL &&
        strcmp(gr_cstr(gr_get(err, "kind"), ""), "ValidationError") == 0)
        return err;
    gr_value_unref(err); /* by its kind it is known: without memory for that it is another error */
    return gr_error(GR_ENOMEM, "out of memory for what is wrong");
}
