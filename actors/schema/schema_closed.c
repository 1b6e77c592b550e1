/* SPDX-License-Identifier: Apache-2.0 */
#include "actors/schema/schema_closed.h"

/* closed_all closes each schema in a list, or a map of them. */
static gr_value *closed_all(const gr_value *schemas)
{
    gr_value *out = gr_value_type(schemas) == GR_LIST ? gr_list_n(NULL, 0) : gr_map_n(NULL, 0);
    const char *key = NULL;

    for (size_t i = 0; i < gr_len(schemas); i++) {
        if (gr_value_type(schemas) == GR_LIST) {
            out = gr_append(out, gri_schema_closed(gr_at(schemas, i)));
        } else {
            const gr_value *v = gr_pair_at(schemas, i, &key);

            out = gr_set(out, key, gri_schema_closed(v));
        }
    }
    return out;
}

/* keys_of gives the names of all properties: servers that are strict want each to be required. */
static gr_value *keys_of(const gr_value *properties)
{
    gr_value *out = gr_list_n(NULL, 0);
    const char *key = NULL;

    for (size_t i = 0; i < gr_len(properties); i++) {
        (void)gr_pair_at(properties, i, &key);
        out = gr_append(out, gr_str(key));
    }
    return out;
}

/* Values are at most GR_DEPTH_MAX deep, and so is this. */
gr_value *gri_schema_closed(const gr_value *schema)
{
    static const char *const maps[] = { "properties", "$defs", "definitions" };
    static const char *const lists[] = { "anyOf", "allOf", "oneOf", "prefixItems" };
    gr_value *out = gr_value_ref(schema);

    if (gr_value_type(schema) != GR_MAP)
        return out;
    for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++)
        if (gr_value_type(gr_get(schema, maps[i])) == GR_MAP)
            out = gr_set(out, maps[i], closed_all(gr_get(schema, maps[i])));
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        if (gr_value_type(gr_get(schema, lists[i])) == GR_LIST)
            out = gr_set(out, lists[i], closed_all(gr_get(schema, lists[i])));
    if (gr_value_type(gr_get(schema, "items")) == GR_MAP)
        out = gr_set(out, "items", gri_schema_closed(gr_get(schema, "items")));
    if (gr_get(schema, "properties") != NULL && gr_get(schema, "additionalProperties") == NULL)
        out = gr_set(out, "additionalProperties", gr_bool(false));
    if (gr_len(gr_get(schema, "properties")) > 0)
        out = gr_set(out, "required", keys_of(gr_get(schema, "properties")));
    return out;
}
