/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/actor/run_config.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/alloc.h"

/* The keys that a config has, and what stands under them. */
static const struct key {
    const char *name;
    gr_type type;
    const char *is;
} known[] = {
    { "callbacks", GR_LIST, "a list" },
    { "kwargs", GR_MAP, "a map" },
    { "run_name", GR_STR, "a text" },
    { "run_id", GR_STR, "a text" },
    { "tags", GR_LIST, "a list" },
    { "metadata", GR_MAP, "a map" },
    { "configurable", GR_MAP, "a map" },
    { "max_concurrency", GR_INT, "a whole number" },
    { "recursion_limit", GR_INT, "a whole number" },
    { "leave_siblings", GR_BOOL, "true or false" },
};
enum { CALLBACKS, KWARGS, RUN_NAME, RUN_ID, TAGS, METADATA, CONFIGURABLE }; /* their places */
#define KNOWN (sizeof(known) / sizeof(known[0]))
/* What names one run, and what is meant for one runnable. */
static const char *const own_keys[] = { "run_name", "run_id", "kwargs" };
#define NAMES 2 /* of them */

/* same_text is strcmp for a few letters, which takes as long wherever they lie. */
static bool same_text(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

/* place_of is where a key stands among the known ones; KNOWN: nowhere. */
static size_t place_of(const char *name)
{
    size_t i = 0;

    while (i < KNOWN && !same_text(known[i].name, name))
        i++;
    return i;
}

static bool is_known(const char *key)
{
    return place_of(key) < KNOWN;
}

bool gri_truthy(const gr_value *v)
{
    switch (gr_value_type(v)) {
    case GR_NIL: return false;
    case GR_BOOL: return gr_as_bool(v, false);
    case GR_INT: return gr_as_int(v, 0) != 0;
    case GR_REAL: return gr_as_real(v, 0) != 0;
    case GR_STR:
    case GR_BIN:
    case GR_LIST:
    case GR_MAP:
    case GR_FLOATS: return gr_len(v) != 0;
    default: return true;
    }
}

/* map_of takes NULL and nil for an empty map. */
static gr_value *map_of(gr_value *v)
{
    return gr_is_nil(v) ? gr_map_n(NULL, 0) : v;
}

/* wrong_key says which value of a config is of the wrong kind; NULL: none is. */
static gr_value *wrong_key(const gr_value *config)
{
    const char *name = NULL;

    for (size_t i = 0; i < gr_len(config); i++) {
        const gr_value *v = gr_pair_at(config, i, &name);
        size_t place = place_of(name);

        if (place < KNOWN && !gr_is_nil(v) && gr_value_type(v) != known[place].type &&
            gr_error_code(v) == GR_OK)
            return gr_error(GR_ETYPE, "a config's '%s' must be %s", name, known[place].is);
    }
    return NULL;
}

/* config_of takes NULL and nil for an empty config, and refuses what is none. */
static gr_value *config_of(gr_value *v)
{
    gr_value *err;

    v = map_of(v);
    if (gr_error_code(v) != GR_OK)
        return v;
    err = gr_value_type(v) == GR_MAP ? wrong_key(v) : gr_error(GR_ETYPE, "a config must be a map");
    if (err == NULL)
        return v;
    gr_value_unref(v);
    return err;
}

/* lay puts a key of a given config into one, an unknown one into its configurable. */
static gr_value *lay(gr_value *config, const char *key, const gr_value *v)
{
    gr_value *inner;

    if (gr_is_nil(v))
        return config;
    if (is_known(key))
        return gr_set(config, key, gr_value_ref(v));
    inner = map_of(gr_value_ref(gr_get(config, "configurable")));
    return gr_set(config, "configurable", gr_set(inner, key, gr_value_ref(v)));
}

/* lay_all: the known keys first, since they may replace what the unknown ones go into. */
static gr_value *lay_all(gr_value *config, const gr_value *given)
{
    const char *key = NULL;

    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < gr_len(given); i++) {
            const gr_value *v = gr_pair_at(given, i, &key);

            if (is_known(key) == (pass == 0))
                config = lay(config, key, v);
        }
    return config;
}

/* without_own leaves the first `count` of own_keys out. */
static gr_value *without_own(gr_value *config GR_TAKES, size_t count)
{
    for (size_t i = 0; config != NULL && i < count; i++)
        if (gr_get(config, own_keys[i]) != NULL)
            config = gr_without(config, own_keys[i]);
    return config;
}

gr_value *gri_config_unnamed(gr_value *config)
{
    return without_own(config, NAMES);
}

/* is_whole tells whether nothing of own is nil, unknown or wrong; *ret_has: see gri_config_child. */
static bool is_whole(const gr_value *own, unsigned *ret_has)
{
    static const unsigned char has[KNOWN] = { [CALLBACKS] = GRI_HAS_CALLBACKS,
                                              [KWARGS] = GRI_HAS_KWARGS,
                                              [RUN_NAME] = GRI_HAS_NAME,
                                              [RUN_ID] = GRI_HAS_NAME };
    const char *key = NULL;
    bool whole = true;

    for (size_t i = 0; i < gr_len(own); i++) {
        gr_type type = gr_value_type(gr_pair_at(own, i, &key));
        size_t place = place_of(key);

        if (place < KNOWN && type != GR_NIL)
            *ret_has |= has[place];
        whole = whole && place < KNOWN && type == known[place].type;
    }
    return whole;
}

gr_value *gri_config_child(const gr_value *parent, gr_value *own, unsigned *ret_has)
{
    unsigned has = parent != NULL ? GRI_HAS_PARENT : 0;
    bool whole = gr_value_type(own) == GR_MAP && is_whole(own, &has);
    gr_value *config;

    if (ret_has != NULL)
        *ret_has = has;
    if (whole && parent == NULL)
        return own;
    config = without_own(gr_value_ref(parent), sizeof(own_keys) / sizeof(own_keys[0]));
    if (own == NULL)
        return config;
    own = config_of(own);
    if (gr_error_code(own) != GR_OK) {
        gr_value_unref(config);
        return own;
    }
    config = lay_all(map_of(config), own);
    gr_value_unref(own);
    return config;
}

/* ---- ensure_config --------------------------------------------------------------------------- */

static bool is_traced(const char *key, const gr_value *v)
{
    gr_type type = gr_value_type(v);

    return (type == GR_STR || type == GR_INT || type == GR_REAL || type == GR_BOOL) &&
           strncmp(key, "__", 2) != 0 && strcmp(key, "api_key") != 0;
}

/* traced puts into metadata what the tracers are to see of configurable. */
static gr_value *traced(gr_value *metadata GR_TAKES, const gr_value *configurable)
{
    const char *key = NULL;

    for (size_t i = 0; i < gr_len(configurable); i++) {
        const gr_value *v = gr_pair_at(configurable, i, &key);

        if (is_traced(key, v) && gr_get(metadata, key) == NULL)
            metadata = gr_set(metadata, key, gr_value_ref(v));
    }
    return metadata;
}

gr_value *gr_ensure_config(gr_value *config)
{
    gr_value *full;

    config = config_of(config);
    if (gr_error_code(config) != GR_OK)
        return config;
    full =
        gr_map(GR_KV("tags", gr_list_n(NULL, 0)), GR_KV("metadata", gr_map_n(NULL, 0)),
               GR_KV("callbacks", gr_nil()), GR_KV("recursion_limit", gr_int(GR_RECURSION_LIMIT)),
               GR_KV("configurable", gr_map_n(NULL, 0)));
    full = lay_all(full, config);
    gr_value_unref(config);
    return gr_set(full, "metadata",
                  traced(gr_value_ref(gr_get(full, "metadata")), gr_get(full, "configurable")));
}

struct gri_run_config gri_run_config_of(const gr_value *config)
{
    struct gri_run_config c = { .callbacks = NULL };
    const char *key = NULL;

    for (size_t i = 0; i < gr_len(config); i++) {
        const gr_value *v = gr_pair_at(config, i, &key);

        switch (place_of(key)) {
        case CALLBACKS: c.callbacks = v; break;
        case TAGS: c.tags = v; break;
        case METADATA: c.metadata = v; break;
        case CONFIGURABLE: c.configurable = v; break;
        case RUN_NAME: c.run_name = v; break;
        case RUN_ID: c.run_id = v; break;
        default: break;
        }
    }
    return c;
}

gr_value *gri_run_metadata(const struct gri_run_config *c)
{
    if (c->configurable == NULL)
        return gr_value_ref(c->metadata);
    return traced(c->metadata != NULL ? gr_value_ref(c->metadata) : gr_map_n(NULL, 0),
                  c->configurable);
}

/* ---- merge_configs --------------------------------------------------------------------------- */

static int by_text(const void *a, const void *b)
{
    return strcmp(gr_cstr(*(gr_value *const *)a, ""), gr_cstr(*(gr_value *const *)b, ""));
}

/* sorted_union gives the texts of both lists, each once, in order. */
static gr_value *sorted_union(const gr_value *a, const gr_value *b)
{
    size_t count = gr_len(a) + gr_len(b), kept = 0;
    gr_value **all = gri_alloc_array(count + 1, sizeof(gr_value *));
    gr_value *list;

    if (all == NULL)
        return gr_error(GR_ENOMEM, "out of memory");
    for (size_t i = 0; i < count; i++)
        all[i] = gr_value_ref(i < gr_len(a) ? gr_at(a, i) : gr_at(b, i - gr_len(a)));
    qsort(all, count, sizeof(all[0]), by_text);
    for (size_t i = 0; i < count; i++) {
        if (kept > 0 && by_text(&all[kept - 1], &all[i]) == 0)
            gr_value_unref(all[i]);
        else
            all[kept++] = all[i];
    }
    list = gr_list_n(all, kept);
    gri_free(all);
    return list;
}

/* merged gives what a key has when both configs have it; both borrowed. */
static gr_value *merged(const char *key, const gr_value *base, const gr_value *over)
{
    size_t place = place_of(key);

    if (place < KNOWN && known[place].type == GR_MAP)
        return gr_merge(gr_value_ref(base), gr_value_ref(over));
    if (strcmp(key, "tags") == 0)
        return sorted_union(base, over);
    if (strcmp(key, "callbacks") == 0 && gr_value_type(base) == GR_LIST &&
        gr_value_type(over) == GR_LIST)
        return gr_add(gr_value_ref(base), gr_value_ref(over));
    if (strcmp(key, "recursion_limit") == 0 && gr_as_int(over, 0) == GR_RECURSION_LIMIT)
        return gr_value_ref(base);
    return gr_value_ref(gri_truthy(over) ? over : base);
}

gr_value *gr_merge_configs(gr_value *base, gr_value *over)
{
    const char *key = NULL;

    base = config_of(base);
    over = config_of(over);
    if (gr_error_code(base) != GR_OK || gr_error_code(over) != GR_OK) {
        bool first = gr_error_code(base) != GR_OK;

        gr_value_unref(first ? over : base);
        return first ? base : over;
    }
    if (gr_value_type(gr_get(base, "tags")) == GR_LIST)
        base = gr_set(base, "tags", sorted_union(gr_get(base, "tags"), NULL));
    for (size_t i = 0; i < gr_len(over); i++) {
        const gr_value *v = gr_pair_at(over, i, &key), *old = gr_get(base, key);

        if (!gr_is_nil(v))
            base = gr_set(base, key,
                          gr_is_nil(old) && strcmp(key, "tags") != 0 ? gr_value_ref(v)
                                                                     : merged(key, old, v));
    }
    gr_value_unref(over);
    return base;
}
