/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/value/known.h"

#include <string.h>

#include "runtime/value/fixed.h"

/* By length. Those that come most often stand first. */
static struct gri_fixed_text of_2[] = { GRI_FIXED("id") };
static struct gri_fixed_text of_4[] = { GRI_FIXED("data"), GRI_FIXED("type"), GRI_FIXED("name"),
                                        GRI_FIXED("tags"), GRI_FIXED("args"), GRI_FIXED("role"),
                                        GRI_FIXED("text"), GRI_FIXED("tool"), GRI_FIXED("done") };
static struct gri_fixed_text of_5[] = { GRI_FIXED("chunk"), GRI_FIXED("event"), GRI_FIXED("input"),
                                        GRI_FIXED("index"), GRI_FIXED("chain"), GRI_FIXED("delta"),
                                        GRI_FIXED("model"), GRI_FIXED("usage"), GRI_FIXED("error"),
                                        GRI_FIXED("value"), GRI_FIXED("human") };
static struct gri_fixed_text of_6[] = { GRI_FIXED("run_id"), GRI_FIXED("output"),
                                        GRI_FIXED("system"), GRI_FIXED("kwargs"),
                                        GRI_FIXED("object"), GRI_FIXED("source") };
static struct gri_fixed_text of_7[] = { GRI_FIXED("content"), GRI_FIXED("choices"),
                                        GRI_FIXED("message"), GRI_FIXED("created") };
static struct gri_fixed_text of_8[] = { GRI_FIXED("metadata"), GRI_FIXED("messages"),
                                        GRI_FIXED("run_name"), GRI_FIXED("function"),
                                        GRI_FIXED("logprobs"), GRI_FIXED("thinking") };
static struct gri_fixed_text of_9[] = { GRI_FIXED("callbacks"), GRI_FIXED("arguments") };
static struct gri_fixed_text of_10[] = { GRI_FIXED("parent_ids"), GRI_FIXED("tool_calls"),
                                         GRI_FIXED("chat_model"), GRI_FIXED("text_delta"),
                                         GRI_FIXED("created_at") };
static struct gri_fixed_text of_11[] = { GRI_FIXED("stop_reason") };
static struct gri_fixed_text of_12[] = { GRI_FIXED("page_content"), GRI_FIXED("configurable"),
                                         GRI_FIXED("total_tokens"), GRI_FIXED("tool_call_id"),
                                         GRI_FIXED("input_tokens"), GRI_FIXED("on_chain_end"),
                                         GRI_FIXED("service_tier"), GRI_FIXED("partial_json") };
static struct gri_fixed_text of_13[] = { GRI_FIXED("finish_reason"), GRI_FIXED("output_tokens"),
                                         GRI_FIXED("on_parser_end"), GRI_FIXED("on_prompt_end") };
static struct gri_fixed_text of_14[] = { GRI_FIXED("AIMessageChunk"), GRI_FIXED("usage_metadata"),
                                         GRI_FIXED("on_chain_start") };
static struct gri_fixed_text of_15[] = { GRI_FIXED("on_chain_stream"), GRI_FIXED("max_concurrency"),
                                         GRI_FIXED("recursion_limit"), GRI_FIXED("on_parser_start"),
                                         GRI_FIXED("on_prompt_start") };
static struct gri_fixed_text of_16[] = { GRI_FIXED("on_parser_stream"),
                                         GRI_FIXED("tool_call_chunks") };
static struct gri_fixed_text of_17[] = { GRI_FIXED("response_metadata"),
                                         GRI_FIXED("additional_kwargs"),
                                         GRI_FIXED("on_chat_model_end") };
static struct gri_fixed_text of_18[] = { GRI_FIXED("system_fingerprint") };
static struct gri_fixed_text of_19[] = { GRI_FIXED("on_chat_model_start"),
                                         GRI_FIXED("content_block_delta") };
static struct gri_fixed_text of_20[] = { GRI_FIXED("on_chat_model_stream") };

#define ALL(of)                                                                                    \
    {                                                                                              \
        of, sizeof(of) / sizeof((of)[0])                                                           \
    }
static const struct {
    struct gri_fixed_text *at;
    size_t count;
} by_length[] = {
    [2] = ALL(of_2),   [4] = ALL(of_4),   [5] = ALL(of_5),   [6] = ALL(of_6),   [7] = ALL(of_7),
    [8] = ALL(of_8),   [9] = ALL(of_9),   [10] = ALL(of_10), [11] = ALL(of_11), [12] = ALL(of_12),
    [13] = ALL(of_13), [14] = ALL(of_14), [15] = ALL(of_15), [16] = ALL(of_16), [17] = ALL(of_17),
    [18] = ALL(of_18), [19] = ALL(of_19), [20] = ALL(of_20),
};

gr_value *gri_known_text(const char *s, size_t len)
{
    if (len >= sizeof(by_length) / sizeof(by_length[0]))
        return NULL;
    for (size_t i = 0; i < by_length[len].count; i++) {
        struct gri_fixed_text *t = &by_length[len].at[i];

        if (t->data[0] == s[0] && t->data[len - 1] == s[len - 1] && memcmp(t->data, s, len) == 0)
            return GRI_FIXED_NODE(*t);
    }
    return NULL;
}

gr_value *gri_key(const char *s, size_t len)
{
    gr_value *known = s != NULL ? gri_known_text(s, len) : NULL;

    return known != NULL ? known : gr_strn(s, len);
}
