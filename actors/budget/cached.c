/* SPDX-License-Identifier: Apache-2.0 */
/* cached.c - gr_with_cache: a model that is not asked what it has answered before. */
#include <greenroom/budget.h>
#include <greenroom/callbacks.h>
#include <greenroom/message.h>

#include <string.h>

#include "actors/compose/describe.h"
#include "actors/compose/pass.h"
#include "actors/compose/retry.h"
#include "actors/compose/steps.h"
#include "runtime/base/alloc.h"
#include "runtime/base/log.h"

struct cached {
    gr_ref inner, cache;
    gr_value *settings; /* counted */
};

static void cached_free(void *p)
{
    struct cached *k = p;

    gr_value_unref(k->settings);
    gri_free(k);
}

/* prompt_of gives the messages without their ids; what are no messages as it is. */
static gr_value *prompt_of(const gr_value *input)
{
    gr_value *messages = gr_messages_coerce(gr_value_ref(input)), *plain;

    if (gr_error_code(messages) != GR_OK) {
        gr_value_unref(messages);
        return gr_value_ref(input);
    }
    plain = gr_list_n(NULL, 0);
    for (size_t i = 0; i < gr_len(messages); i++)
        plain = gr_append(plain, gr_without(gr_value_ref(gr_at(messages, i)), "id"));
    gr_value_unref(messages);
    return plain;
}

/* question makes the arguments of a look-up. How often the call was tried before changes no answer. */
static gr_value *question(gr_ctx *c, const struct cached *k, const gr_value *input)
{
    const gr_value *kwargs = gr_kwargs(c);
    gr_value *plain = kwargs != NULL ? gr_without(gr_value_ref(kwargs), GRI_RETRY_KWARG) : gr_nil();

    if (gr_len(plain) == 0) {
        gr_value_unref(plain);
        plain = gr_nil();
    }
    return gr_map(GR_KV("prompt", prompt_of(input)),
                  GR_KV("llm", gr_list(gr_value_ref(k->settings), plain)));
}

/* at_no_cost marks an ai message as one that nobody pays for again. */
static gr_value *at_no_cost(gr_value *answer)
{
    const gr_value *usage = gr_get(answer, "usage_metadata");

    if (strcmp(gr_cstr(gr_get(answer, "type"), ""), "ai") != 0)
        return answer;
    return gr_set(
        answer, "usage_metadata",
        gr_set(usage != NULL ? gr_value_ref(usage) : gr_map_n(NULL, 0), "total_cost", gr_int(0)));
}

/* cache_failed logs what went wrong with the cache, which is no reason not to answer. */
static void cache_failed(gr_value *err)
{
    if (err != NULL)
        gri_log(3, "a response cache failed: %s", gr_error_text(err));
    gr_value_unref(err);
}

static gr_value *cached_invoke(gr_ctx *c, void *self, const gr_value *input)
{
    const struct cached *k = gr_as_opaque(gr_args(c));
    gr_runtime *rt = gr_runtime_of(c);
    gr_value *asked = question(c, k, input), *err = NULL, *answer;
    gr_call_opts opts;

    (void)self;
    answer = gr_do(rt, k->cache, "lookup", gr_value_ref(asked), NULL, &err);
    cache_failed(err);
    err = NULL;
    if (!gr_is_nil(answer)) {
        gr_value_unref(asked);
        return at_no_cost(answer);
    }
    gr_value_unref(answer);
    opts = gri_pass_opts(c);
    answer = gr_invoke(rt, k->inner, gr_value_ref(input), &opts, &err);
    if (answer == NULL) {
        gr_value_unref(asked);
        return err;
    }
    gr_value_unref(
        gr_do(rt, k->cache, "update", gr_set(asked, "answer", gr_value_ref(answer)), NULL, &err));
    cache_failed(err);
    return answer;
}

static gr_code cached_stream(gr_ctx *c, void *self, gr_stream *in, const gr_value *input)
{
    const struct cached *k = gr_as_opaque(gr_args(c));
    gr_value *err = gri_delegate_whole(c, k->inner);

    (void)self;
    (void)in;
    (void)input;
    return err == NULL ? GR_OK : gr_fail(c, err);
}

static gr_value *cached_describe(gr_ctx *c, void *self, const gr_value *args)
{
    const struct cached *k = gr_as_opaque(gr_args(c));

    (void)self;
    (void)args;
    return gri_describe_ref(c, k->inner);
}

static const gr_method cached_methods[] = {
    { "invoke", GR_ASYNC, cached_invoke, NULL },
    { "stream", GR_ASYNC, NULL, cached_stream },
    { "describe", GR_ASYNC, cached_describe, NULL },
};
static const gr_class cached_class =
    GR_CLASS(.name = "Cached", .run_type = GR_TYPE_NONE, GR_METHODS(cached_methods));

gr_ref gr_with_cache(gr_scope *in, gr_ref model, gr_ref cache, gr_value *settings)
{
    bool no_model = gri_ref_broken(in, model), broken = no_model || gri_ref_broken(in, cache);
    struct cached *k = broken ? NULL : gri_new0(struct cached);
    gr_value *err = gr_error_code(settings) != GR_OK && settings != NULL ? settings : NULL;

    if (broken || k == NULL || err != NULL) {
        if (err == NULL)
            gr_value_unref(settings);
        gri_free(k);
        if (broken) {
            gr_value_unref(err);
            return no_model ? model : cache;
        }
        return gri_compose_spawn(in, &cached_class, "Cached", err != NULL ? err : gri_no_memory());
    }
    *k = (struct cached){ model, cache, settings != NULL ? settings : gr_nil() };
    return gri_compose_spawn(in, &cached_class, "Cached", gr_opaque(k, cached_free));
}
