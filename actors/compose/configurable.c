/* SPDX-License-Identifier: Apache-2.0 */
/*
 * configurable.c - gr_configurable_alternatives: which of several runnables answers is up to the
 * call's config.
 *
 * The call itself goes on to the one that is chosen, whatever the verb. Where a batch has a config
 * for each item they may choose differently: there each item is a call of its own, the engine's
 * default.
 */
#include <greenroom/callbacks.h>
#include <greenroom/codec.h>
#include <greenroom/config.h>
#include <string.h>

#include "actors/compose/describe.h"
#include "actors/compose/steps.h"
#include "runtime/actor/batch.h"
#include "runtime/base/alloc.h"

struct alternatives {
    char *id;          /* owned; the key in configurable */
    char *default_key; /* owned; the name of the first step */
    gr_value *says;    /* counted; what its spec says besides: name, description, is_shared */
    bool prefix_keys;
    struct gri_steps *steps; /* owned; the first is the default, its key NULL */
};

static void alternatives_free(void *p)
{
    struct alternatives *a = p;

    gri_free(a->id);
    gri_free(a->default_key);
    gr_value_unref(a->says);
    gri_steps_free(a->steps);
    gri_free(a);
}

/* chosen finds the step that a config names; NULL, with *ret_err: there is none. */
static const struct gri_step *chosen(const struct alternatives *a, const gr_value *config,
                                     const char **ret_name, gr_value **ret_err)
{
    const gr_value *named = gr_get(gr_get(config, "configurable"), a->id);
    const char *name = gr_cstr(named, a->default_key);

    *ret_name = name;
    if (!gr_is_nil(named) && gr_value_type(named) != GR_STR) {
        char *shown = gr_json_print(named, 0, NULL);

        *ret_err = gr_error(GR_EINVAL, "Unknown alternative: %.200s", shown != NULL ? shown : "?");
        gr_free(shown);
        return NULL;
    }
    if (strcmp(name, a->default_key) == 0)
        return &a->steps->at[0];
    for (size_t i = 1; i < a->steps->count; i++)
        if (strcmp(a->steps->at[i].key, name) == 0)
            return &a->steps->at[i];
    *ret_err = gr_error(GR_EINVAL, "Unknown alternative: %.200s", name);
    return NULL;
}

/* unprefixed gives config with "id==name/key" as "key" in its configurable. */
static gr_value *unprefixed(const struct alternatives *a, const char *name, const gr_value *config)
{
    const gr_value *configurable = gr_get(config, "configurable");
    gr_value *prefix = gr_strf("%s==%s/", a->id, name), *plain = gr_map_n(NULL, 0);
    size_t len = gr_len(prefix);
    const char *key = NULL;

    for (size_t i = 0; i < gr_len(configurable); i++) {
        const gr_value *v = gr_pair_at(configurable, i, &key);
        bool ours = strncmp(key, gr_cstr(prefix, ""), len) == 0;

        plain = gr_set(plain, ours ? key + len : key, gr_value_ref(v));
    }
    gr_value_unref(prefix);
    return gr_set(gr_value_ref(config), "configurable", plain);
}

static void alternatives_any(struct gri_call *call)
{
    const struct alternatives *a = gr_as_opaque(gri_call_spawn_args(call));
    bool batch = call->verb == GRI_BATCH || call->verb == GRI_BATCH_AS_COMPLETED;
    const struct gri_step *step;
    const char *name = NULL;
    gr_value *err = NULL;

    if (batch && gr_value_type(call->args) == GR_MAP &&
        gr_value_type(gr_get(call->args, "configs")) == GR_LIST) {
        gri_batch_start(call);
        return;
    }
    step = chosen(a, call->config, &name, &err);
    if (step == NULL) {
        gri_call_end(call, err);
        return;
    }
    if (a->prefix_keys && call->config != NULL)
        gri_call_set_config(call, unprefixed(a, name, call->config));
    gri_call_forward(call, step->ref, call->verb, NULL, NULL);
}

/* as_given gives a spec of the alternative `name` with the id that it is to be given by here. */
static gr_value *as_given(const struct alternatives *a, const char *name, const gr_value *spec)
{
    if (!a->prefix_keys || gr_as_bool(gr_get(spec, "is_shared"), false))
        return gr_value_ref(spec);
    return gr_set(gr_value_ref(spec), "id",
                  gr_strf("%s==%s/%s", a->id, name, gr_cstr(gr_get(spec, "id"), "?")));
}

/* with_specs adds what can be configured of one of the alternatives, whose description `part` is. */
static gr_value *with_specs(const struct alternatives *a, const char *name, const gr_value *part,
                            gr_value *whole GR_TAKES)
{
    const gr_value *specs = gr_get(part, "config_specs");

    for (size_t i = 0; i < gr_len(specs); i++)
        whole = gri_describe_spec(whole, as_given(a, name, gr_at(specs, i)));
    return whole;
}

/* spec_of_which is that of the key that chooses. */
static gr_value *spec_of_which(const struct alternatives *a)
{
    gr_value *options = gr_list_n(NULL, 0);

    for (size_t i = 1; i < a->steps->count; i++)
        options = gr_append(options, gr_str(a->steps->at[i].key));
    options = gr_append(options, gr_str(a->default_key));
    return gr_merge(gr_map(GR_KV("id", gr_str(a->id)), GR_KV("default", gr_str(a->default_key)),
                           GR_KV("options", options)),
                    gr_value_ref(a->says));
}

/* alternatives_describe: it is described as its default, but can be configured as all of them. */
static gr_value *alternatives_describe(gr_ctx *c, void *self, const gr_value *args)
{
    const struct alternatives *a = gr_as_opaque(gr_args(c));
    gr_value *first = gri_describe_ref(c, a->steps->at[0].ref), *whole;

    (void)self;
    (void)args;
    if (gr_error_code(first) != GR_OK)
        return first;
    whole = gr_set(gr_value_ref(first), "config_specs", gr_list_n(NULL, 0));
    whole = gri_describe_spec(whole, spec_of_which(a));
    whole = with_specs(a, a->default_key, first, whole);
    gr_value_unref(first);
    for (size_t i = 1; i < a->steps->count && gr_error_code(whole) == GR_OK; i++) {
        gr_value *part = gri_describe_ref(c, a->steps->at[i].ref);

        if (gr_error_code(part) != GR_OK) {
            gr_value_unref(whole);
            return part;
        }
        whole = with_specs(a, a->steps->at[i].key, part, whole);
        gr_value_unref(part);
    }
    return whole;
}

static const gr_method alternatives_methods[] = {
    { "*", GRI_NATIVE, GRI_NATIVE_FN(alternatives_any), NULL },
    { "describe", GR_ASYNC, alternatives_describe, NULL },
};
static const gr_class alternatives_class =
    GR_CLASS(.name = "RunnableConfigurableAlternatives", .run_type = GR_TYPE_NONE,
             GR_METHODS(alternatives_methods));

/* make returns the spawn argument, or an error. The first of the steps is the default. */
static gr_value *make(const gr_alternatives_opts *o, const gr_step *steps, size_t count)
{
    struct alternatives *a;
    gr_value *err = NULL;

    if (o->id == NULL || o->id[0] == '\0')
        return gr_error(GR_EINVAL, "configurable_alternatives: no id");
    a = gri_new0(struct alternatives);
    if (a == NULL)
        return gri_no_memory();
    a->prefix_keys = o->prefix_keys;
    a->says = gri_describe_says(o->name, o->description, o->is_shared);
    a->id = gri_strdup(o->id);
    a->default_key = gri_strdup(o->default_key != NULL ? o->default_key : "default");
    a->steps = gri_steps_copy("configurable_alternatives", NULL, steps, count, &err);
    if (err == NULL && (a->id == NULL || a->default_key == NULL))
        err = gri_no_memory();
    if (err == NULL)
        return gr_opaque(a, alternatives_free);
    alternatives_free(a);
    return err;
}

gr_ref gr_configurable_alternatives_n(gr_scope *in, gr_ref otherwise,
                                      const gr_alternatives_opts *opts, const gr_step *alternatives,
                                      size_t count)
{
    static const gr_alternatives_opts none = { .size = sizeof(none) };
    const gr_alternatives_opts *o = opts != NULL ? opts : &none;
    gr_step *steps;
    gr_value *args;

    if (gri_ref_broken(in, otherwise))
        return otherwise;
    for (size_t i = 0; alternatives != NULL && i < count; i++)
        if (gri_ref_broken(in, alternatives[i].ref))
            return alternatives[i].ref;
    steps = gri_alloc_array((alternatives != NULL ? count : 0) + 1, sizeof(*steps));
    if (steps == NULL) {
        args = gri_no_memory();
    } else {
        size_t all = 1;

        steps[0] = (gr_step){ o->default_key != NULL ? o->default_key : "default", otherwise };
        for (size_t i = 0; alternatives != NULL && i < count; i++)
            steps[all++] = alternatives[i];
        args = make(o, steps, all);
        gri_free(steps);
    }
    return gri_compose_spawn(in, &alternatives_class, "RunnableConfigurableAlternatives", args);
}
