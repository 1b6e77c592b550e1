/* SPDX-License-Identifier: Apache-2.0 */
/* wire.c - what blocks, arguments and the like are made of. */
#include "actors/model/wire.h"

#include <greenroom/codec.h>

gr_value *gri_wire_plain(const gr_value *map)
{
    gr_value *out = gr_map_n(NULL, 0);

    for (size_t i = 0; i < gr_len(map); i++) {
        const char *key;
        const gr_value *v = gr_pair_at(map, i, &key);

        out = gri_keep(out, key, v);
    }
    return out;
}

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
    out = text == NULL ? gr_error(GR_ENOMEM, "out of memory for JSON") : gr_strn(text, len);
    gr_free(text);
    return out;
}
