/* SPDX-License-Identifier: Apache-2.0 */
#include "actors/compose/error_names.h"

#include <string.h>

gr_value *gri_error_names(const char *const *names, size_t count)
{
    gr_value *list;

    if (names == NULL)
        return gr_nil();
    list = gr_list_n(NULL, 0);
    for (size_t i = 0; i < count; i++)
        list = gr_append(list, gr_str(names[i]));
    return list;
}

bool gri_error_named(const gr_value *names, const gr_value *err)
{
    const char *kind = gr_cstr(gr_get(err, "kind"), ""), *code = gr_code_name(gr_error_code(err));

    for (size_t i = 0; i < gr_len(names); i++) {
        const char *name = gr_cstr(gr_at(names, i), "");

        if (strcmp(name, kind) == 0 || strcmp(name, code) == 0)
            return true;
    }
    return false;
}
