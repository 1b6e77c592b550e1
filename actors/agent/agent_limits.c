/* SPDX-License-Identifier: Apache-2.0 */
/* agent_limits.c - what a run may spend: calls, tokens, money. */
#include <greenroom/message.h>

#include "actors/agent/agent.h"
#include "actors/tool/tool.h"

/* ---- counting ---------------------------------------------------------------------------------- */

/* price_of finds what a model's tokens cost; NULL: nobody said. */
static const gr_value *price_of(const gr_value *prices, const gr_value *message)
{
    if (gr_get(prices, "input") != NULL || gr_get(prices, "output") != NULL)
        return prices;
    return gr_get(prices, gr_cstr(gr_get(gr_get(message, "response_metadata"), "model_name"), ""));
}

/* cost_of: what is read from a cache, or written to one, has its own price if there is one. */
static double cost_of(const gr_value *usage, const gr_value *price)
{
    const gr_value *details = gr_get(usage, "input_token_details");
    double input = gr_as_real(gr_get(price, "input"), 0);
    double read = gr_as_real(gr_get(details, "cache_read"), 0);
    double written = gr_as_real(gr_get(details, "cache_creation"), 0);
    double plain = gr_as_real(gr_get(usage, "input_tokens"), 0) - read - written;

    return (plain * input + read * gr_as_real(gr_get(price, "cache_read"), input) +
            written * gr_as_real(gr_get(price, "cache_creation"), input) +
            gr_as_real(gr_get(usage, "output_tokens"), 0) *
                gr_as_real(gr_get(price, "output"), 0)) /
           1e6;
}

gr_value *gri_agent_spent(struct gri_turn *t, const gr_value *message)
{
    const gr_value *usage = gr_get(message, "usage_metadata"), *price;

    t->model_calls++;
    if (gr_value_type(usage) != GR_MAP)
        return NULL;
    t->usage = gr_add(t->usage, gr_value_ref(usage));
    if (t->a->prices == NULL)
        return NULL;
    price = price_of(t->a->prices, message);
    if (price == NULL && t->a->cost_max > 0)
        return gr_error(GR_EINVAL, "agent: there is a cost_max, and no price for the model '%s'",
                        gr_cstr(gr_get(gr_get(message, "response_metadata"), "model_name"), "?"));
    t->cost += cost_of(usage, price);
    return NULL;
}

/* ---- limits ------------------------------------------------------------------------------------- */

/* exceeded ends the run with a text, which it takes. */
static gr_value *exceeded(struct gri_turn *t, gr_value *text)
{
    gr_value *err;

    if (t->a->limits_fail) {
        err = gr_error_with(gr_error(GR_EFULL, "%s", gr_cstr(text, "?")), "kind",
                            gr_str("LimitExceeded"));
        gr_value_unref(text);
        return err;
    }
    t->over = true;
    return gri_turn_add(t, "model",
                        gr_list(gr_map(GR_KV("type", gr_str("ai")), GR_KV("content", text))));
}

gr_value *gri_agent_limit(struct gri_turn *t)
{
    const struct gri_agent *a = t->a;
    int64_t tokens = gr_as_int(gr_get(t->usage, "total_tokens"), 0);

    if (a->model_calls_max > 0 && t->model_calls >= a->model_calls_max)
        return exceeded(t, gr_strf("Model call limits exceeded: run limit (%u/%u)", t->model_calls,
                                   a->model_calls_max));
    if (a->tokens_max > 0 && tokens >= a->tokens_max)
        return exceeded(t, gr_strf("Token limit exceeded: run limit (%lld/%lld)", (long long)tokens,
                                   (long long)a->tokens_max));
    if (a->cost_max > 0 && t->cost >= a->cost_max)
        return exceeded(t, gr_strf("Cost limit exceeded: run limit (%g/%g)", t->cost, a->cost_max));
    return NULL;
}

gr_value *gri_agent_blocked(struct gri_turn *t, const gr_value *call)
{
    if (t->a->tool_calls_max == 0 || t->tool_calls < t->a->tool_calls_max) {
        t->tool_calls++;
        return NULL;
    }
    return gri_tool_reply(call,
                          gr_strf("Tool call limit exceeded. Do not call '%s' again.",
                                  gr_cstr(gr_get(call, "name"), "")),
                          "error");
}
