/* SPDX-License-Identifier: Apache-2.0 */
/* wire.c - arguments and the like as text. */
#include "actors/model/wire.h"

#include <greenroom/codec.h>

gr_value *gri_wire_text(const gr_value *v)
{
    size_t len = 0;
    char *text;
    gr_value *out;

    if (gr_value_type(v) == GR_STR)
        return gr_value_ref(v);
    if (gr_is_nil(v))
        return gr_str("");
    text = gr_json_print(v, 0, &len);
    /* Without memory it is broken, and so is what it goes into; an error would be a value in there. */
    out = text == NULL ? gr_str(NULL) : gr_strn(text, len);
    gr_free(text);
    return out;
}
