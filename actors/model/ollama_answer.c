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

static gr_value *usage_of(const gr_value *json)
{
    int64_t in = gri_token_count(json, "prompt_eval_count"),
            out = gri_token_count(json, "eval_count");

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

/* hash_of gives a hash of a whole answer, once for all of its calls; false: out of memory. */
static bool hash_of(const gr_value *json, uint64_t *ret)
{
    size_t len = 0;
    char *text = gr_json_print(json, 0, &len);

    if (text == NULL)
        return false;
    *ret = gri_hash_bytes(text, len, 0);
    gr_free(text);
    return true;
}

/* id_of: newer servers give an id; else one is made of the whole answer, which says when it was made. */
static gr_value *id_of(uint64_t answer, const gr_value *call, size_t index)
{
    const gr_value *id = gr_get(call, "id");

    if (gr_value_type(id) == GR_STR && gr_len(id) > 0)
        return gr_value_ref(id);
    return gr_strf("call_%016llx",
                   (unsigned long long)gri_hash_bytes(&answer, sizeof(answer), index));
}

static gr_value *no_memory(void)
{
    return gr_error(GR_ENOMEM, "out of memory for a tool call");
}

static gr_value *calls_of(const gr_value *json, const gr_value *calls)
{
    gr_value *list;
    uint64_t hash = 0;

    if (!hash_of(json, &hash))
        return no_memory();
    list = gr_list_n(NULL, 0);
    for (size_t i = 0; i < gr_len(calls) && gr_error_code(list) == GR_OK; i++) {
        const gr_value *call = gr_at(calls, i), *fn = gr_get(call, "function");
        gr_value *own = gr_map(GR_KV("name", gr_str(gr_cstr(gr_get(fn, "name"), ""))));

        own = gr_map(GR_KV("function", gri_keep(own, "arguments", gr_get(fn, "arguments"))));
        own = gri_set_unless_error(own, "id", id_of(hash, call, i));
        list = gri_append_unless_error(list, own);
    }
    return list;
}

/* call_chunk takes its arguments and its id; either may be an error, which is given back. */
static gr_value *call_chunk(const gr_value *name, gr_value *args, gr_value *id, size_t index)
{
    gr_value *err = gr_error_code(args) != GR_OK ? args : id;

    if (gr_error_code(err) == GR_OK)
        return gr_map(GR_KV("name", gr_str(gr_cstr(name, ""))), GR_KV("args", args),
                      GR_KV("id", id), GR_KV("index", gr_int((int64_t)index)),
                      GR_KV("type", gr_str("tool_call_chunk")));
    gr_value_unref(err == args ? id : args);
    return err;
}

/* call_chunks: a call comes whole, so each is a part of its own. */
static gr_value *call_chunks(const gr_value *json, const gr_value *calls, size_t *count)
{
    gr_value *list;
    uint64_t hash = 0;

    if (!hash_of(json, &hash))
        return no_memory();
    list = gr_list_n(NULL, 0);
    for (size_t i = 0; i < gr_len(calls) && gr_error_code(list) == GR_OK; i++) {
        const gr_value *call = gr_at(calls, i), *fn = gr_get(call, "function");

        list = gri_append_unless_error(list, call_chunk(gr_get(fn, "name"),
                                                        gri_wire_text(gr_get(fn, "arguments")),
                                                        id_of(hash, call, *count), *count));
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
        if (gr_error_code(list) != GR_OK) {
            gr_value_unref(m);
            return list;
        }
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
        m = gri_set_unless_error(m, "tool_call_chunks",
                                 call_chunks(json, gr_get(from, "tool_calls"), calls));
    if (gr_error_code(m) != GR_OK)
        return m;
    if (done) {
        *ret_last = true;
        return finish(gr_set(m, "chunk_position", gr_str("last")), json);
    }
    return gr_len(logprobs) == 0
               ? m
               : gr_set(m, "response_metadata", gr_map(GR_KV("logprobs", gr_value_ref(logprobs))));
}
