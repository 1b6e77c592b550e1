/* SPDX-License-Identifier: Apache-2.0 */
/* vars.c - see the header. */
#include "actors/prompt/vars.h"

#include <string.h>

#include "runtime/base/strbuf.h"

gr_value *gri_vars_take(const gr_value *input, const gr_value *names)
{
    if (gr_value_type(input) == GR_MAP || gr_len(names) != 1)
        return gr_value_ref(input);
    return gr_map(GR_KV(gr_cstr(gr_at(names, 0), ""), gr_value_ref(input)));
}

static gr_value *not_a_map(const gr_value *vars)
{
    return gr_error(GR_ETYPE, "expected a map of variables, got a value of type %s",
                    gr_type_name(gr_value_type(vars)));
}

gr_value *gri_vars_given(const gr_value *input, const gr_value *names, const gr_value *partial)
{
    gr_value *vars = gri_vars_take(input, names);

    if (gr_value_type(partial) != GR_MAP)
        return vars;
    if (gr_value_type(vars) == GR_MAP)
        return gr_merge(gr_value_ref(partial), vars);
    if (gr_len(names) > 0 || gr_error_code(vars) != GR_OK)
        return vars; /* gri_vars_check tells */
    if (!gr_is_nil(vars)) {
        gr_value_unref(vars);
        return not_a_map(input);
    }
    gr_value_unref(vars);
    return gr_value_ref(partial);
}

gr_value *gri_vars_not_a_map(gr_value *partial)
{
    gr_value *err;

    if (gr_error_code(partial) != GR_OK)
        return partial;
    err = gr_error(GR_ETYPE, "a prompt's partial is a map of variables, not of type %s",
                   gr_type_name(gr_value_type(partial)));
    gr_value_unref(partial);
    return err;
}

gr_value *gri_vars_due(gr_value *names, const gr_value *partial)
{
    gr_value *due = gr_list_n(NULL, 0);

    if (gr_error_code(names) != GR_OK) {
        gr_value_unref(due);
        return names;
    }
    for (size_t i = 0; i < gr_len(names); i++)
        if (gr_get(partial, gr_cstr(gr_at(names, i), "")) == NULL)
            due = gr_append(due, gr_value_ref(gr_at(names, i)));
    gr_value_unref(names);
    return due;
}

gr_value *gri_vars_read(struct gri_vars *vars, const gr_prompt_opts *opts, gr_value *names,
                        bool may_lack)
{
    gr_value *partial = opts != NULL && opts->partial != NULL ? opts->partial : gr_nil();

    if (!gr_is_nil(partial) && gr_value_type(partial) != GR_MAP) {
        gr_value_unref(names);
        return gri_vars_not_a_map(partial);
    }
    names = gri_vars_due(names, partial);
    if (gr_error_code(names) != GR_OK) {
        gr_value_unref(partial);
        return names;
    }
    if (may_lack && gr_is_nil(partial))
        partial = gr_map_n(NULL, 0);
    *vars = (struct gri_vars){ names, partial };
    return NULL;
}

static void add_quoted(struct gri_strbuf *b, const char *name, size_t *count)
{
    gri_strbuf_addf(b, "%s'%s'", *count == 0 ? "" : ", ", name);
    ++*count;
}

static bool has_all(const gr_value *vars, const gr_value *names)
{
    for (size_t i = 0; i < gr_len(names); i++)
        if (gr_get(vars, gr_cstr(gr_at(names, i), "")) == NULL)
            return false;
    return true;
}

gr_value *gri_vars_check(const char *who, const gr_value *names, const gr_value *vars)
{
    struct gri_strbuf missing = GRI_STRBUF_INIT, wanted = GRI_STRBUF_INIT, got = GRI_STRBUF_INIT;
    size_t missing_count = 0, wanted_count = 0, got_count = 0;
    const char *first = NULL, *key = NULL;
    gr_value *err = NULL;

    if (gr_error_code(names) != GR_OK || gr_error_code(vars) != GR_OK)
        return gr_value_ref(gr_error_code(names) != GR_OK ? names : vars);
    if (gr_value_type(vars) != GR_MAP && gr_len(names) > 0)
        return not_a_map(vars);
    if (has_all(vars, names))
        return NULL;
    for (size_t i = 0; i < gr_len(names); i++) {
        const char *name = gr_cstr(gr_at(names, i), "");

        add_quoted(&wanted, name, &wanted_count);
        if (gr_get(vars, name) != NULL)
            continue;
        if (first == NULL)
            first = name;
        add_quoted(&missing, name, &missing_count);
    }
    for (size_t i = 0; gr_pair_at(vars, i, &key) != NULL; i++)
        add_quoted(&got, key, &got_count);
    if (missing.failed || wanted.failed || got.failed)
        err = gr_error(GR_ENOMEM, "out of memory");
    else
        err =
            gr_error(GR_EINVAL,
                     "Input to %s is missing variables {%s}. Expected: [%s] Received: [%s]. "
                     "If {%s} is meant as text, write {{%s}}.",
                     who, missing.data, wanted.data, got_count == 0 ? "" : got.data, first, first);
    err = gr_error_with(err, "kind", gr_str("KeyError"));
    gri_strbuf_fini(&missing);
    gri_strbuf_fini(&wanted);
    gri_strbuf_fini(&got);
    return err;
}
