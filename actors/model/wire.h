/* SPDX-License-Identifier: Apache-2.0 */
/* wire.h - small things that reading and writing providers' JSON needs again and again. */
#ifndef GR_ACTORS_MODEL_WIRE_H
#define GR_ACTORS_MODEL_WIRE_H

#include <string.h>

#include <greenroom/value.h>

/* gri_keep sets a key to what there is; nil and nothing leave the map as it is. */
static inline gr_value *gri_keep(gr_value *map, const char *as, const gr_value *v)
{
    return gr_is_nil(v) ? map : gr_set(map, as, gr_value_ref(v));
}

/* gri_keep_some sets a key to a list or a map that has something in it; v is taken. */
static inline gr_value *gri_keep_some(gr_value *map, const char *as, gr_value *v)
{
    if (gr_error_code(v) == GR_OK && gr_len(v) == 0) {
        gr_value_unref(v);
        return map;
    }
    return gr_set(map, as, v);
}

/* gri_part makes the pair of key and v, which is taken; 0, and no pair, if v is nil. */
static inline size_t gri_part(gr_kv *ret_pair, const char *key, gr_value *v)
{
    if (gr_is_nil(v)) {
        gr_value_unref(v);
        return 0;
    }
    *ret_pair = (gr_kv)GR_KV(key, v);
    return 1;
}

/* gri_wire_plain gives a map without what says nothing: "citations": null. */
gr_value *gri_wire_plain(const gr_value *map);

/* gri_wire_text gives a value as JSON text; a text is given as it is, and nothing as "". GR_ENOMEM. */
gr_value *gri_wire_text(const gr_value *v);

/* gri_set_unless_error sets a key, or gives the error that v is, which gr_set would put into the map. */
static inline gr_value *gri_set_unless_error(gr_value *map, const char *key, gr_value *v)
{
    if (gr_error_code(v) == GR_OK)
        return gr_set(map, key, v);
    gr_value_unref(map);
    return v;
}

/* gri_append_unless_error does so with a list. */
static inline gr_value *gri_append_unless_error(gr_value *list, gr_value *v)
{
    if (gr_error_code(v) == GR_OK)
        return gr_append(list, v);
    gr_value_unref(list);
    return v;
}

#define GRI_TOKENS_MAX INT64_C(1000000000000000)

/* gri_token_count reads how many tokens a server says that there were, 0 if it doesn't; bounded, so that
 * whatever it claims can be added up. */
static inline int64_t gri_token_count(const gr_value *usage, const char *key)
{
    int64_t n = gr_as_int(gr_get(usage, key), 0);

    return n < 0 ? 0 : n > GRI_TOKENS_MAX ? GRI_TOKENS_MAX : n;
}

/* gri_keep_count sets a key to such a number if there is one. */
static inline gr_value *gri_keep_count(gr_value *map, const char *as, const gr_value *usage,
                                       const char *key)
{
    if (gr_value_type(gr_get(usage, key)) != GR_INT)
        return map;
    return gr_set(map, as, gr_int(gri_token_count(usage, key)));
}

static inline bool gri_is_text(const gr_value *v, const char *text)
{
    return strcmp(gr_cstr(v, ""), text) == 0;
}

/* gri_has_type tells whether a block, a part or an event says that it is one of these. */
static inline bool gri_has_type(const gr_value *block, const char *type)
{
    return gri_is_text(gr_get(block, "type"), type);
}

#endif
