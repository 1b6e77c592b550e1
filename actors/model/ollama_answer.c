/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ollama_answer.c - answers, and the lines of a stream.
 *
 * A line of a stream is an answer with a part of its content; only the last one counts and measures.
 */
#include <greenroom/codec.h>

#include "actors/message/tool_calls.h"
#include "actors/model/ollama_wire.h"
#include "actors/model/openai_wire.h"
#include "actors/model/wire.h"
#include "runtime/base/map.h"

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
    static const char *const keys[] = { "created_at",        "done_reason",
                                        "total_duration",    "load_duration",
                                        "prompt_eval_count", "prompt_eval_duration",
                                        "eval_count",        "eval_duration",
                                        "logprobs" };
    gr_value *meta = gr_map_n(NULL, 0);

    meta = gri_keep(meta, "model_name", gr_get(json, "model"));
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        meta = gri_keep(meta, keys[i], gr_get(json, keys[i]));
    return gr_set(meta, "model_provider", gr_str("ollama"));
}

/* id_of: newer servers give an id; else one is made of the whole answer, which says when it was made. */
static gr_value *id_of(const gr_value *json, const gr_value *call, size_t index)
{
    const gr_value *id = gr_get(call, "id");
    size_t len = 0;
    uint64_t hash;
    char *text;

    if (gr_value_type(id) == GR_STR && gr_len(id) > 0)
        return gr_value_ref(id);
    text = gr_json_print(json, 0, &len);
    if (text == NULL)
        return gr_str(NULL); /* broken, and so is what it goes into */
    hash = gri_hash_bytes(text, len, index);
    gr_free(text);
    return gr_strf("call_%016llx", (unsigned long long)hash);
}

static gr_value *calls_of(const gr_value *json, const gr_value *calls)
{
    gr_value *list = gr_list_n(NULL, 0);

    for (size_t i = 0; i < gr_len(calls); i++) {
        const gr_value *call = gr_at(calls, i), *fn = gr_get(call, "function");

        list = gr_append(
            list,
            gr_map(GR_KV("id", id_of(json, call, i)),
                   GR_KV("function",
                         gri_keep(gr_map(GR_KV("name", gr_str(gr_cstr(gr_get(fn, "name"), "")))),
                                  "arguments", gr_get(fn, "arguments")))));
    }
    return list;
}

/* call_chunks: a call comes whole, so each is a part of its own. */
static gr_value *call_chunks(const gr_value *json, const gr_value *calls, size_t *count)
{
    gr_value *list = gr_list_n(NULL, 0);

    for (size_t i = 0; i < gr_len(calls); i++) {
        const gr_value *call = gr_at(calls, i), *fn = gr_get(call, "function");

        list = gr_append(list, gr_map(GR_KV("name", gr_str(gr_cstr(gr_get(fn, "name"), ""))),
                                      GR_KV("args", gri_wire_text(gr_get(fn, "arguments"))),
                                      GR_KV("id", id_of(json, call, *count)),
                                      GR_KV("index", gr_int((int64_t)*count)),
                                      GR_KV("type", gr_str("tool_call_chunk"))));
        (*count)++;
    }
    return list;
}

static gr_value *aside_of(gr_value *m, const gr_value *thinking)
{
    if (gr_value_type(thinking) != GR_STR || gr_len(thinking) == 0)
        return m;
    return gr_set(m, "additional_kwargs",
                  gr_map(GR_KV("reasoning_content", gr_value_ref(thinking))));
}

/* check gives an error value for what is no answer. */
static gr_value *check(const gr_value *json)
{
    if (gr_value_type(json) != GR_MAP)
        return gr_error(GR_EPROTO, "the answer is no JSON object");
    if (!gr_is_nil(gr_get(json, "error"))) /* on a 200, too */
        return gri_openai_error_of(200, gr_get(json, "error"), -1);
    return NULL;
}

static gr_value *start(const gr_value *json, const char *type)
{
    const gr_value *from = gr_get(json, "message"), *content = gr_get(from, "content");
    gr_value *m =
        gr_map(GR_KV("type", gr_str(type)), GR_KV("content", gr_str(gr_cstr(content, ""))));

    return aside_of(m, gr_get(from, "thinking"));
}

static gr_value *finish(gr_value *m, const gr_value *json)
{
    gr_value *usage = usage_of(json);

    m = gr_set(m, "response_metadata", metadata_of(json));
    return gr_is_nil(usage) ? m : gr_set(m, "usage_metadata", usage);
}

gr_value *gri_ollama_answer(const gr_value *json)
{
    const gr_value *from = gr_get(json, "message"), *calls = gr_get(from, "tool_calls");
    gr_value *m = check(json), *list;

    if (m != NULL)
        return m;
    if (gr_value_type(from) != GR_MAP)
        return gr_error(GR_EPROTO, "the answer has no message");
    m = start(json, "ai");
    if (gr_len(calls) > 0) {
        list = calls_of(json, calls);
        m = gri_tool_calls_add(m, list);
        gr_value_unref(list);
    }
    return finish(m, json);
}

gr_value *gri_ollama_line(const gr_value *json, size_t *calls, bool *ret_last)
{
    const gr_value *from = gr_get(json, "message"), *logprobs = gr_get(json, "logprobs");
    bool done = gr_as_bool(gr_get(json, "done"), false);
    gr_value *m = check(json);

    if (m != NULL)
        return m;
    if (!done && gr_len(gr_get(from, "content")) == 0 && gr_len(gr_get(from, "thinking")) == 0 &&
        gr_len(gr_get(from, "tool_calls")) == 0)
        return gr_nil();
    m = start(json, "AIMessageChunk");
    if (gr_len(gr_get(from, "tool_calls")) > 0)
        m = gr_set(m, "tool_call_chunks", call_chunks(json, gr_get(from, "tool_calls"), calls));
    if (done) {
        *ret_last = true;
        return finish(gr_set(m, "chunk_position", gr_str("last")), json);
    }
    return gr_len(logprobs) == 0
               ? m
               : gr_set(m, "response_metadata", gr_map(GR_KV("logprobs", gr_value_ref(logprobs))));
}
