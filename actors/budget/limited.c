/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limited.c - gr_with_rate_limiter: first the limiter, then the call, which is handed on as it is.
 *
 * Only where tokens count does the handler stay, to learn what was really used.
 */
#include <greenroom/budget.h>
#include <greenroom/callbacks.h>
#include <greenroom/runtime.h>

#include "actors/compose/describe.h"
#include "actors/compose/pass.h"
#include "actors/compose/steps.h"
#include "actors/message/tokens.h"
#include "runtime/base/alloc.h"

struct limited {
    gr_ref inner, limiter;
    bool counts_tokens;
    unsigned tokens_answer;
};

static int64_t reckon(gr_ctx *c, const struct limited *l, const gr_value *input)
{
    int64_t answer = gr_as_int(gr_get(gr_kwargs(c), "max_tokens"), (int64_t)l->tokens_answer);
    int64_t tokens;

    if (!l->counts_tokens)
        return 0;
    if (__builtin_add_overflow(gri_tokens_about(input), answer, &tokens))
        return INT64_MAX; /* which no limiter grants */
    return tokens;
}

/* pass waits for the limiter: NULL, or why the call may not go on. */
static gr_value *pass(gr_ctx *c, const struct limited *l, int64_t tokens)
{
    gr_value *err = NULL, *yes;

    yes =
        gr_acquire(gr_runtime_of(c), l->limiter, GR_ACQUIRE(.tokens = (double)tokens), NULL, &err);
    gr_value_unref(yes);
    return yes != NULL ? NULL : err;
}

/* settle tells the limiter by how much the call was misjudged. */
static void settle(gr_ctx *c, const struct limited *l, int64_t tokens, const gr_value *answer)
{
    gr_runtime *rt = gr_runtime_of(c);
    int64_t used = gr_as_int(gr_get(gr_get(answer, "usage_metadata"), "total_tokens"), -1);

    if (used >= 0 && used != tokens)
        gr_detach(gr_acall(rt, l->limiter, "used", gr_map(GR_KV("tokens", gr_int(used - tokens))),
                           GR_CALL(.scope = gr_root(rt))));
}

static gr_value *limited_invoke(gr_ctx *c, void *self, const gr_value *input)
{
    const struct limited *l = gr_as_opaque(gr_args(c));
    int64_t tokens = reckon(c, l, input);
    gr_value *err = pass(c, l, tokens), *answer;
    gr_call_opts opts;

    (void)self;
    if (err != NULL)
        return err;
    if (!l->counts_tokens)
        return gri_delegate_whole(c, l->inner);
    opts = gri_pass_opts(c);
    answer = gr_invoke(gr_runtime_of(c), l->inner, gr_value_ref(input), &opts, &err);
    if (answer == NULL)
        return err;
    settle(c, l, tokens, answer);
    return answer;
}

static gr_code limited_stream(gr_ctx *c, void *self, gr_stream *in, const gr_value *input)
{
    const struct limited *l = gr_as_opaque(gr_args(c));
    int64_t tokens = reckon(c, l, input);
    gr_value *err = pass(c, l, tokens), *sum = NULL;
    gr_call_opts opts;
    gr_code rc;

    (void)self;
    (void)in;
    if (err == NULL && !l->counts_tokens) {
        err = gri_delegate_whole(c, l->inner);
        return err == NULL ? GR_OK : gr_fail(c, err);
    }
    if (err != NULL)
        return gr_fail(c, err);
    opts = gri_pass_opts(c);
    rc = gri_pass_stream(c, gr_astream(gr_runtime_of(c), l->inner, gr_value_ref(input), &opts),
                         &sum, &err);
    settle(c, l, tokens, sum);
    gr_value_unref(sum);
    return err != NULL ? gr_fail(c, err) : rc;
}

/* limited_embed: texts have an end that is known, so nothing is left to settle. */
static gr_value *limited_embed(gr_ctx *c, void *self, const gr_value *args)
{
    const struct limited *l = gr_as_opaque(gr_args(c));
    const gr_value *texts = gr_get(args, "texts");
    int64_t tokens = 0;
    gr_value *err;

    (void)self;
    if (l->counts_tokens) {
        tokens = texts == NULL ? gri_tokens_about(gr_get(args, "text")) : 0;
        for (size_t i = 0; i < gr_len(texts); i++)
            tokens += gri_tokens_about(gr_at(texts, i));
    }
    err = pass(c, l, tokens);
    return err != NULL ? err : gri_delegate_whole(c, l->inner);
}

static gr_value *limited_describe(gr_ctx *c, void *self, const gr_value *args)
{
    const struct limited *l = gr_as_opaque(gr_args(c));

    (void)self;
    (void)args;
    return gri_describe_ref(c, l->inner);
}

static const gr_method limited_methods[] = {
    { "invoke", GR_ASYNC, limited_invoke, NULL },
    { "stream", GR_ASYNC, NULL, limited_stream },
    { "embed_query", GR_ASYNC, limited_embed, NULL },
    { "embed_documents", GR_ASYNC, limited_embed, NULL },
    { "describe", GR_ASYNC, limited_describe, NULL },
};
static const gr_class limited_class =
    GR_CLASS(.name = "RateLimited", .run_type = GR_TYPE_NONE, GR_METHODS(limited_methods));

gr_ref gr_with_rate_limiter(gr_scope *in, gr_ref runnable, gr_ref limiter,
                            const gr_limited_opts *opts)
{
    struct limited *l;

    if (gri_ref_broken(in, runnable))
        return runnable;
    if (gri_ref_broken(in, limiter))
        return limiter;
    l = gri_new0(struct limited);
    if (l == NULL)
        return gri_compose_spawn(in, &limited_class, "RateLimited", gri_no_memory());
    l->inner = runnable;
    l->limiter = limiter;
    l->counts_tokens = opts != NULL && opts->counts_tokens;
    l->tokens_answer = opts != NULL ? opts->tokens_answer : 0;
    return gri_compose_spawn(in, &limited_class, "RateLimited", gr_opaque(l, gri_free));
}
