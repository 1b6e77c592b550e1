/* SPDX-License-Identifier: Apache-2.0 */
/*
 * budget.c - a model behind a rate limiter, a cache and a breaker.
 *
 *     cc budget.c $(pkg-config --cflags --libs greenroom) && ./a.out
 *
 * It prints:
 *
 *     Two plus two is four. (asked 1)
 *     Two plus two is four. (asked 1)
 *     Three is odd. (asked 2)
 *     the limiter granted 2 requests, and they waited
 *     failed: the service is down
 *     failed: the service is down
 *     failed: the breaker is open: too many calls have failed
 *     instead: I am here to help.
 */
#include <greenroom/greenroom.h>

#include <stdio.h>

static int asked;

/* model stands for a client of a server. */
static gr_value *model(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c, (void)arg;
    asked++;
    if (gr_cstr(input, "")[0] == '2')
        return gr_message("ai", gr_str("Two plus two is four."));
    return gr_message("ai", gr_str("Three is odd."));
}

static gr_value *down(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c, (void)arg, (void)input;
    return gr_error(GR_EUNREACH, "the service is down");
}

static void ask(gr_runtime *rt, gr_ref r, const char *question)
{
    GR_AUTO(gr_value) err = NULL;
    GR_AUTO(gr_value) answer = gr_invoke(rt, r, gr_str(question), NULL, &err);

    if (answer != NULL)
        printf("%s (asked %d)\n", gr_cstr(gr_get(answer, "content"), "?"), asked);
    else
        printf("failed: %s\n", gr_error_text(err));
}

int main(void)
{
    GR_AUTO(gr_runtime) rt = NULL;
    gr_ref limiter, cache, cheap, breaker, guarded;
    gr_scope *in;

    if (gr_runtime_new(NULL, &rt) != GR_OK)
        return 1;
    in = gr_root(rt);

    /* gr_chat_model has both as options: limiter and cache */
    limiter = gr_rate_limiter(in, GR_RATE_LIMITER(.requests_per_second = 50));
    cache = gr_response_cache(in, gr_memory_byte_store(in, NULL), NULL);
    cheap = gr_with_rate_limiter(in, gr_lambda(in, GR_ASYNC, model, NULL, NULL), limiter, NULL);
    cheap = gr_with_cache(in, cheap, cache, gr_map(GR_KV("model", gr_str("m"))));
    ask(rt, cheap, "2 + 2?");
    ask(rt, cheap, "2 + 2?"); /* nobody is asked again */
    ask(rt, cheap, "3?");
    GR_AUTO(gr_value) stats = gr_do(rt, limiter, "stats", gr_nil(), NULL, NULL);
    printf("the limiter granted %lld requests, and they %s\n",
           (long long)gr_as_int(gr_get(stats, "granted"), 0),
           gr_as_int(gr_get(stats, "wait_ms"), 0) > 0 ? "waited" : "did not wait");

    /* what fails too often is left alone, and something else answers meanwhile */
    breaker =
        gr_with_breaker(in, gr_lambda(in, GR_ASYNC, down, NULL, NULL), GR_BREAKER(.calls_min = 2));
    for (int i = 0; i < 3; i++)
        ask(rt, breaker, "hello");
    guarded = gr_with_fallbacks(
        in, breaker,
        gr_script_model(in, GR_SCRIPT(.answers = gr_list(gr_str("I am here to help.")))));
    GR_AUTO(gr_value) instead = gr_invoke(rt, guarded, gr_str("hello"), NULL, NULL);
    printf("instead: %s\n", gr_cstr(gr_get(instead, "content"), "?"));
    return 0;
}
