/* SPDX-License-Identifier: Apache-2.0 */
/* schema_map.c - words that judge maps. */
#include <string.h>

#include "actors/schema/schema.h"

GRI_SCHEMA_HOLDS(min_properties)
{
    return gr_len(v) >= k->most ||
           gri_schema_wrong(r, k, "must have at least %zu properties", k->most);
}

GRI_SCHEMA_HOLDS(max_properties)
{
    return gr_len(v) <= k->most ||
           gri_schema_wrong(r, k, "must have at most %zu properties", k->most);
}

/* ---- what must be there ---------------------------------------------------------------------------- */

static bool is_list_of_texts(const gr_value *v)
{
    if (gr_value_type(v) != GR_LIST)
        return false;
    for (size_t i = 0; i < gr_len(v); i++)
        if (gr_value_type(gr_at(v, i)) != GR_STR)
            return false;
    return true;
}

GRI_SCHEMA_READ(required)
{
    return is_list_of_texts(k->arg) || gri_schema_refuse(r, k, "must be a list of texts");
}

GRI_SCHEMA_HOLDS(required)
{
    bool holds = true;

    if (!gri_schema_work(r, gr_len(k->arg)))
        return false;
    for (size_t i = 0; i < gr_len(k->arg); i++) {
        const char *name = gr_cstr(gr_at(k->arg, i), "");

        if (gr_get(v, name) == NULL)
            holds = gri_schema_wrong(r, k, "'%.*s' is missing", gri_schema_shown(name), name);
    }
    return holds;
}

GRI_SCHEMA_READ(dependent_required)
{
    const char *key = NULL;

    if (gr_value_type(k->arg) != GR_MAP)
        return gri_schema_refuse(r, k, "must be a map of lists of texts");
    for (size_t i = 0; i < gr_len(k->arg); i++)
        if (!is_list_of_texts(gr_pair_at(k->arg, i, &key)))
            return gri_schema_refuse(r, k, "must be a map of lists of texts");
    return true;
}

/* holds_dependents judges one key's list. */
static bool holds_dependents(struct gri_schema_run *r, const struct gri_check *k, const gr_value *v,
                             const char *key, const gr_value *names)
{
    bool holds = true;

    if (gr_get(v, key) == NULL)
        return true;
    if (!gri_schema_work(r, gr_len(names)))
        return false;
    for (size_t i = 0; i < gr_len(names); i++) {
        const char *name = gr_cstr(gr_at(names, i), "");

        if (gr_get(v, name) == NULL)
            holds = gri_schema_wrong(r, k, "with '%.*s' there must be '%.*s'",
                                     gri_schema_shown(key), key, gri_schema_shown(name), name);
    }
    return holds;
}

GRI_SCHEMA_HOLDS(dependent_required)
{
    const char *key = NULL;
    bool holds = true;

    if (!gri_schema_work(r, gr_len(k->arg)))
        return false;
    for (size_t i = 0; i < gr_len(k->arg); i++) {
        const gr_value *names = gr_pair_at(k->arg, i, &key);

        holds = holds_dependents(r, k, v, key, names) && holds;
    }
    return holds;
}

/* ---- schemas by key ---------------------------------------------------------------------------------- */

GRI_SCHEMA_READ(map_of_schemas)
{
    const char *key = NULL;

    if (gr_value_type(k->arg) != GR_MAP)
        return gri_schema_refuse(r, k, "must be a map of schemas");
    for (size_t i = 0; i < gr_len(k->arg); i++) {
        const gr_value *schema = gr_pair_at(k->arg, i, &key);

        if (!gri_schema_sub(r, k, schema, key, SIZE_MAX))
            return false;
    }
    return true;
}

GRI_SCHEMA_HOLDS(properties)
{
    const char *key = NULL;
    bool holds = true;

    if (!gri_schema_work(r, k->sub_count))
        return false;
    for (size_t i = 0; i < k->sub_count; i++) {
        const gr_value *part = (gr_pair_at(k->arg, i, &key), gr_get(v, key));

        if (part != NULL)
            holds = gri_schema_judge_at(r, k->subs[i], part, key, 0) && holds;
        if (!holds && r->quiet > 0)
            return false;
    }
    return holds;
}

GRI_SCHEMA_HOLDS(dependent_schemas)
{
    const char *key = NULL;
    bool holds = true;

    if (!gri_schema_work(r, k->sub_count))
        return false;
    for (size_t i = 0; i < k->sub_count; i++) {
        (void)gr_pair_at(k->arg, i, &key);
        if (gr_get(v, key) != NULL)
            holds = gri_schema_judge(r, k->subs[i], v) && holds;
    }
    return holds;
}

GRI_SCHEMA_HOLDS(property_names)
{
    const char *key = NULL;
    bool holds = true;

    for (size_t i = 0; i < gr_len(v); i++) {
        gr_value *name;
        bool good;

        (void)gr_pair_at(v, i, &key);
        name = gr_str(key);
        good = gri_schema_try(r, k->subs[0], name);
        gr_value_unref(name);
        if (gri_schema_stopped(r))
            return false;
        if (!good)
            holds = gri_schema_wrong(r, k, "'%.*s' is no name that the schema allows",
                                     gri_schema_shown(key), key);
    }
    return holds;
}

/* ---- by pattern, and the rest --------------------------------------------------------------------------- */

/* read_patterns makes an expression of each of a map's keys. */
static bool read_patterns(struct gri_schema_reader *r, struct gri_check *k, const gr_value *map)
{
    const char *key = NULL;

    for (size_t i = 0; i < gr_len(map); i++) {
        (void)gr_pair_at(map, i, &key);
        if (!gri_schema_pattern(r, k, key, strlen(key)))
            return false;
    }
    return true;
}

GRI_SCHEMA_READ(pattern_properties)
{
    return gri_read_map_of_schemas(r, k) && read_patterns(r, k, k->arg);
}

GRI_SCHEMA_HOLDS(pattern_properties)
{
    const char *key = NULL;
    bool holds = true;

    for (size_t i = 0; i < gr_len(v); i++) {
        const gr_value *part = gr_pair_at(v, i, &key);

        for (size_t j = 0; j < k->sub_count; j++) {
            if (gri_schema_matches(r, k, j, key, strlen(key)))
                holds = gri_schema_judge_at(r, k->subs[j], part, key, 0) && holds;
            if (gri_schema_stopped(r))
                return false;
        }
    }
    return holds;
}

GRI_SCHEMA_READ(additional_properties)
{
    return gri_schema_sub(r, k, k->arg, NULL, SIZE_MAX) &&
           read_patterns(r, k, gr_get(k->node->v, "patternProperties"));
}

/* is_named tells whether a key is in properties or matches one of patternProperties. */
static bool is_named(struct gri_schema_run *r, const struct gri_check *k,
                     const gr_value *properties, const char *key)
{
    if (gr_get(properties, key) != NULL)
        return true;
    for (size_t i = 0; i < k->pattern_count; i++)
        if (gri_schema_matches(r, k, i, key, strlen(key)))
            return true;
    return false;
}

GRI_SCHEMA_HOLDS(additional_properties)
{
    const gr_value *properties = gr_get(k->node->v, "properties");
    const struct gri_schema_node *rest = k->subs[0];
    bool none = gr_value_type(rest->v) == GR_BOOL && !gr_as_bool(rest->v, true), holds = true;
    const char *key = NULL;

    if (!gri_schema_work(r, gr_len(v)))
        return false;
    for (size_t i = 0; i < gr_len(v); i++) {
        const gr_value *part = gr_pair_at(v, i, &key);

        if (is_named(r, k, properties, key))
            continue;
        if (gri_schema_stopped(r))
            return false;
        if (none)
            holds = gri_schema_wrong(r, k, "'%.*s' is not allowed", gri_schema_shown(key), key);
        else
            holds = gri_schema_judge_at(r, rest, part, key, 0) && holds;
        if (!holds && r->quiet > 0)
            return false;
    }
    return holds;
}
