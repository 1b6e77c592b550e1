/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cached.c - gr_with_cache: a model that is not asked what it has answered before.
 *
 * Of calls that ask the same at once the first one asks the model, and the others wait in front of a turnstile, to
 * look again when they are let in. So nobody's answer hangs on another's call: one that is cancelled, its model's
 * call with it, lets in the next one, which asks the model itself; one that failed lets in all of them.
 */
#include <greenroom/budget.h>
#include <greenroom/callbacks.h>
#include <greenroom/message.h>

#include <stdatomic.h>
#include <string.h>

#include "actors/compose/describe.h"
#include "actors/compose/pass.h"
#include "actors/compose/retry.h"
#include "actors/compose/steps.h"
#include "actors/compose/turnstile.h"
#include "actors/store/digest.h"
#include "runtime/base/alloc.h"
#include "runtime/base/log.h"

#define ASKS "__cache_asks" /* in the configurable: what a call is made to answer */

struct cached {
    gr_ref inner, cache;
    gr_value *settings;        /* counted */
    struct gri_turnstile asks; /* by the digests of what is asked */
    _Atomic uint64_t kept;     /* answers so far: who missed one before it was kept looks again */
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

/* without_ours gives a configurable without what only the engine reads. */
static gr_value *without_ours(const gr_value *configurable)
{
    gr_value *plain = gr_map_n(NULL, 0);
    const char *key = NULL;

    for (size_t i = 0; i < gr_len(configurable); i++) {
        const gr_value *v = gr_pair_at(configurable, i, &key);

        if (strncmp(key, "__", 2) != 0)
            plain = gr_set(plain, key, gr_value_ref(v));
    }
    return plain;
}

/* configured gives what the call says of what the model can be configured by; all that it says if the model
 * can't be asked what that is; nil: nothing. */
static gr_value *configured(gr_ctx *c, const struct cached *k)
{
    gr_value *given = without_ours(gr_get(gr_config(c), "configurable")), *whole, *chosen;
    const gr_value *specs;

    if (gr_error_code(given) != GR_OK || gr_len(given) == 0) {
        bool none = gr_error_code(given) == GR_OK;

        if (none)
            gr_value_unref(given);
        return none ? gr_nil() : given;
    }
    whole = gri_describe_ref(c, k->inner);
    specs = gr_get(whole, "config_specs");
    chosen = gr_error_code(whole) != GR_OK ? gr_value_ref(given) : gr_map_n(NULL, 0);
    for (size_t i = 0; i < gr_len(specs); i++) {
        const char *id = gr_cstr(gr_get(gr_at(specs, i), "id"), "");

        if (gr_get(given, id) != NULL)
            chosen = gr_set(chosen, id, gr_value_ref(gr_get(given, id)));
    }
    gr_value_unref(whole);
    gr_value_unref(given);
    if (gr_error_code(chosen) != GR_OK || gr_len(chosen) > 0)
        return chosen;
    gr_value_unref(chosen);
    return gr_nil();
}

/* question makes the arguments of a look-up. How often the call was tried before, and in which run, changes no
 * answer. */
static gr_value *question(gr_ctx *c, const struct cached *k, const gr_value *input)
{
    const gr_value *kwargs = gr_kwargs(c);
    gr_value *plain = kwargs != NULL ? gri_retry_plain(gr_value_ref(kwargs)) : gr_nil();
    gr_value *llm, *chosen = configured(c, k);

    if (gr_len(plain) == 0) {
        gr_value_unref(plain);
        plain = gr_nil();
    }
    llm = gr_list(gr_value_ref(k->settings), plain);
    if (gr_is_nil(chosen)) /* keys are what they were before there was such a thing */
        gr_value_unref(chosen);
    else
        llm = gr_append(llm, chosen);
    return gr_map(GR_KV("prompt", prompt_of(input)), GR_KV("llm", llm));
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

/* look_up gives the kept answer; nil: there is none; an error: the cache is no cache, or nobody waits. */
static gr_value *look_up(gr_ctx *c, const struct cached *k, const gr_value *asked)
{
    gr_value *err = NULL, *told, *answer;

    answer = gr_do(gr_runtime_of(c), k->cache, "lookup", gr_value_ref(asked), NULL, &err);
    if (answer != NULL)
        return gr_is_nil(answer) ? answer : at_no_cost(answer);
    if (gr_cancelled(c))
        return err;
    if (gr_error_code(err) == GR_ETYPE) {
        told = gr_error(GR_ETYPE, "with_cache: this is no cache: %s", gr_error_text(err));
        gr_value_unref(err);
        return told;
    }
    cache_failed(err);
    return gr_nil();
}

/* ask asks the model, and keeps its answer. *ret_found: others find it. */
static gr_value *ask(gr_ctx *c, struct cached *k, const gr_value *asked, const gr_value *input,
                     const gr_call_opts *opts, bool *ret_found)
{
    gr_runtime *rt = gr_runtime_of(c);
    gr_value *err = NULL, *answer = gr_invoke(rt, k->inner, gr_value_ref(input), opts, &err);

    *ret_found = false;
    if (answer == NULL)
        return err;
    gr_value_unref(gr_do(rt, k->cache, "update",
                         gr_set(gr_value_ref(asked), "answer", gr_value_ref(answer)), NULL, &err));
    *ret_found = err == NULL;
    if (err == NULL) /* release: who sees the number finds the answer */
        atomic_fetch_add_explicit(&k->kept, 1, memory_order_release);
    cache_failed(err);
    return answer;
}

/* take_turn waits for those who ask the same already. What has no digest has no key either, and is asked. */
static gr_value *take_turn(gr_ctx *c, struct cached *k, const gr_value *asked, gr_call_opts *opts,
                           struct gri_ticket **ret_ticket)
{
    char hex[GRI_DIGEST_LEN + 1];

    *ret_ticket = NULL;
    if (!gri_digest_value(asked, hex))
        return NULL;
    return gri_turnstile_take(c, &k->asks, ASKS,
                              gr_strf("%llx %s", (unsigned long long)gr_self(c).id, hex), opts,
                              ret_ticket);
}

/* kept_by_now: how many answers were kept. */
static uint64_t kept_by_now(struct cached *k)
{
    /* acquire: see ask */
    return atomic_load_explicit(&k->kept, memory_order_acquire);
}

/* ask_in_turn is ask, unless another has asked the same since the look-up, before which `kept` answers were. */
static gr_value *ask_in_turn(gr_ctx *c, struct cached *k, const gr_value *asked,
                             const gr_value *input, uint64_t kept)
{
    struct gri_ticket *ticket = NULL;
    gr_call_opts opts = gri_pass_opts(c);
    gr_value *answer = take_turn(c, k, asked, &opts, &ticket);
    bool found = true;

    if (answer == NULL && kept_by_now(k) != kept)
        answer = look_up(c, k, asked);
    if (answer == NULL || gr_is_nil(answer)) {
        gr_value_unref(answer);
        answer = ask(c, k, asked, input, &opts, &found);
    } else {
        gr_value_unref(opts.config);
    }
    if (found || gr_cancelled(c))
        gri_turnstile_leave(&k->asks, ticket);
    else
        gri_turnstile_open(&k->asks, ticket);
    return answer;
}

static gr_value *cached_invoke(gr_ctx *c, void *self, const gr_value *input)
{
    struct cached *k = gr_as_opaque(gr_args(c));
    gr_value *asked = question(c, k, input), *answer;
    uint64_t kept = kept_by_now(k);

    (void)self;
    answer = look_up(c, k, asked);
    if (gr_is_nil(answer)) {
        gr_value_unref(answer);
        answer = ask_in_turn(c, k, asked, input, kept);
    }
    gr_value_unref(asked);
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
    *k = (struct cached){ .inner = model,
                          .cache = cache,
                          .settings = settings != NULL ? settings : gr_nil() };
    gri_turnstile_init(&k->asks);
    return gri_compose_spawn(in, &cached_class, "Cached", gr_opaque(k, cached_free));
}
