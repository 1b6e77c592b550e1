/* SPDX-License-Identifier: Apache-2.0 */
/* tool_names.c - see the header. */
#include "actors/tool/tool_names.h"

#include <string.h>

#include "actors/tool/tool.h"
#include "runtime/base/strbuf.h"

#define TOLD_MAX 32 /* names in the text of an error */

gr_value *gri_tool_names_known(gr_scope *in, const gr_ref *tools, size_t count)
{
    gr_value *names = gr_list_n(NULL, 0);

    for (size_t i = 0; i < count; i++) {
        gr_value *name = gri_tool_known_name(in, tools[i]);

        if (name == NULL) {
            gr_value_unref(names);
            return NULL;
        }
        names = gr_append(names, name);
    }
    return names;
}

gr_value *gri_tool_names_told(const gr_value *told)
{
    gr_value *names = gr_list_n(NULL, 0);

    for (size_t i = 0; i < gr_len(told); i++)
        names = gr_append(names, gr_str(gr_cstr(gr_get(gr_at(told, i), "name"), "")));
    return names;
}

bool gri_tool_names_have(const gr_value *names, const char *name)
{
    for (size_t i = 0; i < gr_len(names); i++)
        if (strcmp(gr_cstr(gr_at(names, i), ""), name) == 0)
            return true;
    return false;
}

gr_value *gri_tool_names_unknown(const char *what, const char *name, const gr_value *names)
{
    struct gri_strbuf b = GRI_STRBUF_INIT;
    gr_value *err;

    for (size_t i = 0; i < gr_len(names) && i < TOLD_MAX; i++)
        gri_strbuf_addf(&b, "%s%s", i > 0 ? ", " : "", gr_cstr(gr_at(names, i), ""));
    err = gr_error(GR_EINVAL, "%s names '%s', which is no tool; there is [%s%s]", what, name,
                   b.len > 0 && !b.failed ? b.data : "", gr_len(names) > TOLD_MAX ? ", …" : "");
    gri_strbuf_fini(&b);
    return err;
}
