/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ollama_answer.c - answers, the lines of a stream, and embeddings.
 *
 * A line of a stream is an answer with a part of its content; only the last one counts and measures.
 */
#include <greenroom/codec.h>

#include "actors/model/ollama_wire.h"
#include "actors/model/openai_wire.h"
#include "actors/model/wire.h"

#define TOKENS_MAX 1000000000000000 /* so that sums of what a server claims stay integers */

static int64_t count_of(const gr_value *json, const char *key)
{
    int64_t n = gr_as_int(gr_get(json, key), 0);

    return n < 0 ? 0 : n > TOKENS_MAX ? TOKENS_MAX : n;
}

static gr_value *usage_of(const gr_value *json)
{
    int64_t in = count_of(json, "prompt_eval_count"), out = count_of(json, "eval_count");

    if (gr_is_nil(gr_get(json, "prompt_eval_count")) && gr_is_nil(gr_get(json, "eval_count")))
        return gr_nil();
    return gr_map(GR_KV("input_tokens", gr_int(in)), GR_KV("output_tokens", gr_int(out)),
                  GR_KV("total_tokens", gr_int(in + out)));
}

static gr_value *metadata_of(const gr_value *json)
{
    static const char *const keys[] = { "created_at",  "done_reason",          "total_duration",
                                        "load_duration", "prompt_eval_count",
                                        "prompt_eval_duration", "eval_count", "eval_duration" };
    gr_value *meta = gr_map_n(NULL, 0);

    meta = gri_keep(meta, "model_name", gr_get(json, "model"));
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        meta = gri_keep(meta, keys[i], gr_get(json, keys[i]));
    return gr_set(meta, "model_provider", gr_str("ollama"));
}

/* id_of: newer servers give an id. */
static gr_value *id_of(const gr_value *call, uint64_t chance, size_t index)
{
    const gr_value *id = gr_get(call, "id");

    if (gr_value_type(id) == GR_STR && gr_len(id) > 0)
        return gr_value_ref(id);
    return gr_strf("call_%016llx%02zx", (unsigned long long)chance, index);
}

static gr_value *call_of(const gr_value *call, uint64_t chance, size_t index)
{
    const gr_value *fn = gr_get(call, "function"), *args = gr_get(fn, "arguments");

    return gr_map(GR_KV("id", id_of(call, chance, index)),
                  GR_KV("function", gr_map(GR_KV("name", gr_str(gr_cstr(gr_get(fn, "name"), ""))),
                                           GR_KV("arguments", gr_value_ref(args)))));
}
