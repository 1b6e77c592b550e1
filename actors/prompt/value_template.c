/* SPDX-License-Identifier: Apache-2.0 */
/* value_template.c - the templates lie in the order in which a walk over the value meets its texts; values are at most
 * GR_DEPTH_MAX deep, and so is the walk. */
#include "actors/prompt/value_template.h"

#include "runtime/base/alloc.h"

struct gri_value_template {
    gr_value *v;              /* counted */
    struct gri_template **at; /* owned, each owned */
    size_t count, cap;
};

void gri_value_template_free(struct gri_value_template *t)
{
    if (t == NULL)
        return;
    for (size_t i = 0; i < t->count; i++)
        gri_template_free(t->at[i]);
    gri_free(t->at);
    gr_value_unref(t->v);
    gri_free(t);
}

const struct gri_template *gri_value_template_at(const struct gri_value_template *t, size_t index)
{
    return index < t->count ? t->at[index] : NULL;
}

static gr_value *add_text(struct gri_value_template *t, const gr_value *text,
                          gr_template_format format)
{
    gr_value *err = NULL;

    if (t->count == t->cap) {
        size_t cap = t->cap == 0 ? 8 : t->cap * 2;
        struct gri_template **at = gri_resize(t->at, cap * sizeof(*at));

        if (at == NULL)
            return gr_error(GR_ENOMEM, "out of memory for a template");
        t->at = at;
        t->cap = cap;
    }
    if (gri_template_read(gr_cstr(text, ""), gr_len(text), format, &t->at[t->count], &err) == GR_OK)
        t->count++;
    return err;
}

static gr_value *add_all(struct gri_value_template *t, const gr_value *v, gr_template_format format)
{
    gr_value *err = NULL;
    const char *key;
    gr_type type = gr_value_type(v);

    if (type == GR_STR)
        return add_text(t, v, format);
    for (size_t i = 0; type == GR_LIST && i < gr_len(v) && err == NULL; i++)
        err = add_all(t, gr_at(v, i), format);
    for (size_t i = 0; type == GR_MAP && i < gr_len(v) && err == NULL; i++)
        err = add_all(t, gr_pair_at(v, i, &key), format);
    return err;
}

gr_code gri_value_template_read(const gr_value *v, gr_template_format format,
                                struct gri_value_template **ret_t, gr_value **reterr)
{
    struct gri_value_template *t = gri_new0(struct gri_value_template);
    gr_value *err;

    if (t == NULL)
        err = gr_error(GR_ENOMEM, "out of memory for a template");
    else if ((t->v = gr_value_ref(v)) == NULL || gr_error_code(v) != GR_OK)
        err = v != NULL ? gr_value_ref(v) : gr_error(GR_EINVAL, "no value");
    else
        err = add_all(t, v, format);
    if (err == NULL) {
        *ret_t = t;
        return GR_OK;
    }
    gri_value_template_free(t);
    *reterr = err;
    return gr_error_code(err);
}

struct printer {
    const struct gri_value_template *t;
    const gr_value *vars;
    size_t next, bytes_max;
};

static gr_value *print_text(struct printer *p)
{
    struct gri_strbuf b = { .max = p->bytes_max };

    gri_template_print(p->t->at[p->next++], p->vars, &b);
    return gri_strbuf_value(&b);
}

static gr_value *print_all(struct printer *p, const gr_value *v)
{
    gr_type type = gr_value_type(v);
    const char *key = NULL;
    gr_value *out;

    if (type == GR_STR)
        return print_text(p);
    if (type != GR_LIST && type != GR_MAP)
        return gr_value_ref(v);
    out = type == GR_LIST ? gr_list_n(NULL, 0) : gr_map_n(NULL, 0);
    for (size_t i = 0; i < gr_len(v); i++) {
        const gr_value *part = type == GR_LIST ? gr_at(v, i) : gr_pair_at(v, i, &key);
        gr_value *printed = print_all(p, part);

        out = type == GR_LIST ? gr_append(out, printed) : gr_set(out, key, printed);
    }
    return out;
}

gr_value *gri_value_template_print(const struct gri_value_template *t, const gr_value *vars,
                                   size_t bytes_max)
{
    struct printer p = { .t = t, .vars = vars, .bytes_max = bytes_max };

    return print_all(&p, t->v);
}
