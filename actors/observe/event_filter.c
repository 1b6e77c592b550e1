/* SPDX-License-Identifier: Apache-2.0 */
#include "actors/observe/event_filter.h"

#include <string.h>

#include "runtime/observe/event.h"

static gr_value *texts(const char *const *from)
{
    gr_value *list = gr_list_n(NULL, 0);

    for (; *from != NULL; from++)
        list = gr_append(list, gr_str(*from));
    return list;
}

gr_value *gri_filter_args(gr_value *args, const gr_events_opts *events)
{
    const struct {
        const char *key;
        const char *const *from;
    } parts[] = {
        { "include_names", events != NULL ? events->include_names : NULL },
        { "include_types", events != NULL ? events->include_types : NULL },
        { "include_tags", events != NULL ? events->include_tags : NULL },
        { "exclude_names", events != NULL ? events->exclude_names : NULL },
        { "exclude_types", events != NULL ? events->exclude_types : NULL },
        { "exclude_tags", events != NULL ? events->exclude_tags : NULL },
    };

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        if (parts[i].from != NULL)
            args = gr_set(args, parts[i].key, texts(parts[i].from));
    return args;
}

gr_value *gri_filter_read(struct gri_event_filter *ret_filter, const gr_value *args)
{
    struct gri_event_filter f = { .include = { NULL, NULL, NULL } };
    const struct {
        const char *key;
        const gr_value **into;
    } parts[] = {
        { "include_names", &f.include.names }, { "include_types", &f.include.types },
        { "include_tags", &f.include.tags },   { "exclude_names", &f.exclude.names },
        { "exclude_types", &f.exclude.types }, { "exclude_tags", &f.exclude.tags },
    };

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        const gr_value *list = gr_get(args, parts[i].key);

        if (gr_is_nil(list))
            continue;
        if (!gri_is_texts(list))
            return gr_error(GR_ETYPE, "%s must be a list of texts", parts[i].key);
        *parts[i].into = list;
    }
    *ret_filter = f;
    return NULL;
}

static bool has(const gr_value *list, const char *text)
{
    for (size_t i = 0; i < gr_len(list); i++)
        if (strcmp(gr_cstr(gr_at(list, i), ""), text) == 0)
            return true;
    return false;
}

static bool match(const struct gri_event_match *m, const char *name, const char *type,
                  const gr_value *tags)
{
    if (has(m->names, name) || has(m->types, type))
        return true;
    for (size_t i = 0; m->tags != NULL && i < gr_len(tags); i++)
        if (has(m->tags, gr_cstr(gr_at(tags, i), "")))
            return true;
    return false;
}

bool gri_filter_takes(const struct gri_event_filter *f, const char *name, const char *type,
                      const gr_value *tags)
{
    bool all = f->include.names == NULL && f->include.types == NULL && f->include.tags == NULL;

    return (all || match(&f->include, name, type, tags)) && !match(&f->exclude, name, type, tags);
}
