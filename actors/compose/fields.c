/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fields.c - gr_configurable_fields: a runnable that is made again with what the call's config says.
 *
 * The one with the defaults is made at the start, in the scope that was given, and takes the calls
 * that change nothing. For others one is made in the call's own run scope, so that it ends with the
 * call; the call itself goes on to it.
 */
#include <greenroom/callbacks.h>

#include "actors/compose/describe.h"
#include "actors/compose/steps.h"
#include "runtime/actor/batch.h"
#include "runtime/base/alloc.h"

#define FIELDS_MAX 1000

struct field {
    char *name, *id;     /* owned */
    gr_value *otherwise; /* counted; with options: the name of one, or a list of names */
    gr_value *options;   /* counted; nil: any value will do */
    gr_value *says;      /* counted; what its spec says besides */
};

struct fields {
    gr_make_fn *make;
    void (*drop)(void *arg);
    void *arg;          /* the user's; dropped by drop */
    gr_value *defaults; /* counted; name -> value, as make gets it */
    gr_ref made;        /* with the defaults */
    size_t count;
    struct field at[];
};

static void fields_free(void *p)
{
    struct fields *f = p;

    for (size_t i = 0; i < f->count; i++) {
        gri_free(f->at[i].name);
        gri_free(f->at[i].id);
        gr_value_unref(f->at[i].otherwise);
        gr_value_unref(f->at[i].options);
        gr_value_unref(f->at[i].says);
    }
    gr_value_unref(f->defaults);
    if (f->drop != NULL)
        f->drop(f->arg);
    gri_free(f);
}

static gr_value *option(const struct field *f, const gr_value *named)
{
    const gr_value *v = gr_get(f->options, gr_cstr(named, ""));

    if (v != NULL)
        return gr_value_ref(v);
    return gr_error(GR_EINVAL, "'%s' has no option '%.200s'", f->id, gr_cstr(named, "?"));
}

/* value_of gives what a field is when the config says `said` of it; an error for an option that it
 * doesn't have. */
static gr_value *value_of(const struct field *f, const gr_value *said)
{
    gr_value *list;

    if (gr_is_nil(f->options))
        return gr_value_ref(said);
    if (gr_is_nil(said) || (gr_value_type(said) == GR_STR && gr_len(said) == 0))
        said = f->otherwise; /* langchain-core: configurable.get(id) or default */
    if (gr_value_type(said) != GR_LIST)
        return option(f, said);
    list = gr_list_n(NULL, 0);
    for (size_t i = 0; i < gr_len(said); i++) {
        gr_value *v = option(f, gr_at(said, i));

        if (gr_error_code(v) != GR_OK) {
            gr_value_unref(list);
            return v;
        }
        list = gr_append(list, v);
    }
    return list;
}

/* values_of gives the fields under a config: name -> value; or an error. */
static gr_value *values_of(const struct fields *f, const gr_value *configurable)
{
    gr_value *values = gr_map_n(NULL, 0);

    for (size_t i = 0; i < f->count; i++) {
        const gr_value *said = gr_get(configurable, f->at[i].id);
        gr_value *v = value_of(&f->at[i], said != NULL ? said : f->at[i].otherwise);

        if (gr_error_code(v) != GR_OK) {
            gr_value_unref(values);
            return v;
        }
        values = gr_set(values, f->at[i].name, v);
    }
    return values;
}

static gr_value *fields_any(gr_ctx *c, void *self, const gr_value *args)
{
    const struct fields *f = gr_as_opaque(gr_args(c));
    gr_value *values = values_of(f, gr_get(gr_config(c), "configurable"));
    gr_ref to = f->made;

    (void)self;
    (void)args;
    if (gr_error_code(values) != GR_OK)
        return values;
    if (!gr_equal(values, f->defaults))
        to = f->make(gr_run_scope(c), f->arg, values);
    gr_value_unref(values);
    return gri_delegate_whole(c, to);
}

static void fields_batch(struct gri_call *call)
{
    gri_batch_start(call); /* each item may have a config of its own */
}

static gr_value *spec_of(const struct field *f)
{
    gr_value *spec = gr_merge(gr_map(GR_KV("id", gr_str(f->id)), GR_KV("name", gr_str(f->name)),
                                     GR_KV("default", gr_value_ref(f->otherwise))),
                              gr_value_ref(f->says));
    gr_value *names = gr_list_n(NULL, 0);
    const char *name = NULL;

    for (size_t i = 0; i < gr_len(f->options); i++) {
        gr_pair_at(f->options, i, &name);
        names = gr_append(names, gr_str(name));
    }
    if (gr_len(names) > 0)
        return gr_set(spec, "options", names);
    gr_value_unref(names);
    return spec;
}

static gr_value *fields_describe(gr_ctx *c, void *self, const gr_value *args)
{
    const struct fields *f = gr_as_opaque(gr_args(c));
    gr_value *whole = gri_describe_ref(c, f->made);

    (void)self;
    (void)args;
    for (size_t i = 0; i < f->count; i++)
        whole = gri_describe_spec(whole, spec_of(&f->at[i]));
    return whole;
}

static const gr_method fields_methods[] = {
    { "batch", GRI_NATIVE, GRI_NATIVE_FN(fields_batch), NULL },
    { "batch_as_completed", GRI_NATIVE, GRI_NATIVE_FN(fields_batch), NULL },
    { "*", GR_ASYNC, fields_any, NULL },
    { "describe", GR_ASYNC, fields_describe, NULL },
};
static const gr_class fields_class = GR_CLASS(.name = "RunnableConfigurableFields",
                                              .run_type = GR_TYPE_NONE, GR_METHODS(fields_methods));

/* take_field copies a field, and takes its values. */
static gr_value *take_field(struct field *f, const gr_field *given)
{
    f->otherwise = given->otherwise != NULL ? given->otherwise : gr_nil();
    f->options = given->options != NULL ? given->options : gr_nil();
    f->says = gri_describe_says(given->title, given->description, given->is_shared);
    if (given->name == NULL)
        return gr_error(GR_EINVAL, "configurable_fields: a field has no name");
    if (!gr_is_nil(f->options) && gr_value_type(f->options) != GR_MAP)
        return gr_error(GR_ETYPE, "configurable_fields: the options of '%s' must be a map",
                        given->name);
    f->name = gri_strdup(given->name);
    f->id = gri_strdup(given->id != NULL ? given->id : given->name);
    return f->name == NULL || f->id == NULL ? gri_no_memory() : NULL;
}

static struct fields *fields_new(const gr_field *fields, size_t count, gr_value **ret_err)
{
    struct fields *f = NULL;

    if (count > FIELDS_MAX)
        *ret_err = gr_error(GR_EINVAL, "configurable_fields: more than %d fields", FIELDS_MAX);
    else if ((f = gri_alloc0(sizeof(*f) + count * sizeof(f->at[0]))) == NULL)
        *ret_err = gri_no_memory();
    if (f != NULL)
        f->count = count;
    for (size_t i = 0; i < count; i++) {
        gr_value *err = NULL;

        if (f != NULL) {
            err = take_field(&f->at[i], &fields[i]);
        } else {
            gr_value_unref(fields[i].otherwise);
            gr_value_unref(fields[i].options);
        }
        if (*ret_err == NULL)
            *ret_err = err;
        else
            gr_value_unref(err);
    }
    return f;
}

gr_ref gr_configurable_fields_n(gr_scope *in, gr_make_fn *make, void (*drop)(void *arg), void *arg,
                                const gr_field *fields, size_t count)
{
    gr_value *err = make == NULL ? gr_error(GR_EINVAL, "configurable_fields: no function") : NULL;
    struct fields *f = fields_new(fields, fields != NULL ? count : 0, &err);
    gr_ref made;

    if (f == NULL) {
        if (drop != NULL)
            drop(arg);
        return gri_compose_spawn(in, &fields_class, "RunnableConfigurableFields", err);
    }
    f->make = make;
    f->drop = drop;
    f->arg = arg;
    if (err == NULL) {
        f->defaults = values_of(f, NULL);
        if (gr_error_code(f->defaults) != GR_OK)
            err = gr_value_ref(f->defaults);
    }
    if (err != NULL) {
        fields_free(f);
        return gri_compose_spawn(in, &fields_class, "RunnableConfigurableFields", err);
    }
    made = f->made = make(in, arg, f->defaults);
    if (gri_ref_broken(in, made)) {
        fields_free(f);
        return made;
    }
    return gri_compose_spawn(in, &fields_class, "RunnableConfigurableFields",
                             gr_opaque(f, fields_free));
}
