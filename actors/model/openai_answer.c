/* SPDX-License-Identifier: Apache-2.0 */
/* openai_answer.c - answers and the events of streams to messages. */
#include "actors/model/openai_wire.h"

#include <stdio.h>

#include "actors/message/tool_calls.h"
#include "actors/model/wire.h"
#include "runtime/value/known.h"

/* ---- usage ----------------------------------------------------------------------------------- */

/* details_of gives what is told of one side, of which there are `all` tokens: those that `key` counts go by the name
 * `as`. */
static gr_value *details_of(const gr_value *from, const char *key, const char *as, int64_t all,
                            const gr_value *tier)
{
    const char *name = gr_cstr(tier, "");
    gr_value *details = gri_keep_count(gr_map_n(NULL, 0), "audio", from, "audio_tokens");
    char priced[32];

    if (strcmp(name, "flex") != 0 && strcmp(name, "priority") != 0)
        return gri_keep_count(details, as, from, key);
    snprintf(priced, sizeof(priced), "%s_%s", name, as);
    details = gri_keep_count(details, priced, from, key);
    return gr_set(details, name, gr_int(all - gri_token_count(from, key)));
}

gr_value *gri_openai_usage_by(const struct gri_openai_names *names, const gr_value *usage,
                              const gr_value *tier)
{
    int64_t in = gri_token_count(usage, names->in), out = gri_token_count(usage, names->out);
    gr_value *all;

    if (gr_value_type(usage) != GR_MAP)
        return gr_nil();
    all = gr_map(GR_KV("input_tokens", gr_int(in)), GR_KV("output_tokens", gr_int(out)),
                 GR_KV("total_tokens", gr_int(in + out)));
    all = gri_keep_count(all, "total_tokens", usage, "total_tokens");
    all = gri_keep_some(
        all, "input_token_details",
        details_of(gr_get(usage, names->in_details), "cached_tokens", "cache_read", in, tier));
    return gri_keep_some(
        all, "output_token_details",
        details_of(gr_get(usage, names->out_details), "reasoning_tokens", "reasoning", out, tier));
}

gr_value *gri_openai_usage(const gr_value *usage, const gr_value *tier)
{
    static const struct gri_openai_names names = {
        .in = "prompt_tokens",
        .out = "completion_tokens",
        .in_details = "prompt_tokens_details",
        .out_details = "completion_tokens_details",
    };

    return gri_openai_usage_by(&names, usage, tier);
}

/* ---- what answers and deltas have in common --------------------------------------------------- */

/* extras_of gives what has no place of its own, or nil. Reasoning has two names among the servers; one that
 * sends both sends the same text twice. */
static gr_value *extras_of(const gr_value *from)
{
    static const char *const keys[] = { "refusal", "audio", "annotations", "function_call" };
    gr_kv found[sizeof(keys) / sizeof(keys[0]) + 1];
    const gr_value *thought = gr_get(from, "reasoning_content");
    size_t count = 0;

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        count += gri_part(&found[count], keys[i], gr_value_ref(gr_get(from, keys[i])));
    if (gr_is_nil(thought))
        thought = gr_get(from, "reasoning");
    if (gr_value_type(thought) == GR_STR && gr_len(thought) > 0)
        found[count++] = (gr_kv)GR_KV("reasoning_content", gr_value_ref(thought));
    return count == 0 ? gr_nil() : gr_map_n(found, count);
}

static gr_value *content_of(const gr_value *content)
{
    gr_type type = gr_value_type(content);

    return type == GR_STR || type == GR_LIST ? gr_value_ref(content) : gr_str("");
}

/* response_metadata: what is told of the answer as a whole. */
static gr_value *response_metadata(const gr_value *json, const gr_value *finish)
{
    gr_value *meta = gr_map(GR_KV("model_provider", gr_str("openai")));

    meta = gri_keep(meta, "model_name", gr_get(json, "model"));
    meta = gri_keep(meta, "system_fingerprint", gr_get(json, "system_fingerprint"));
    meta = gri_keep(meta, "service_tier", gr_get(json, "service_tier"));
    meta = gri_keep(meta, "id", gr_get(json, "id"));
    return gri_keep(meta, "finish_reason", finish);
}

/* failure finds an error in an answer whose status was 200: NULL if there is none. OpenRouter has them in
 * a choice, too. */
static gr_value *failure(const gr_value *json, const gr_value *choice)
{
    const gr_value *error = gr_get(json, "error");
    const gr_value *finish = gr_get(choice, "finish_reason");

    if (gr_is_nil(error))
        error = gr_get(choice, "error");
    if (!gr_is_nil(error))
        return gri_openai_error_of(200, error, -1);
    if (strcmp(gr_cstr(gr_get(json, "object"), ""), "error") == 0) /* vLLM, older */
        return gri_openai_error_of(200, json, -1);
    if (strcmp(gr_cstr(finish, ""), "error") == 0)
        return gri_openai_error_of(200, NULL, -1);
    return NULL;
}

/* ---- answers --------------------------------------------------------------------------------- */

gr_value *gri_openai_answer(const gr_value *json)
{
    const gr_value *choice = gr_at(gr_get(json, "choices"), 0), *from = gr_get(choice, "message");
    const gr_value *calls = gr_get(from, "tool_calls");
    gr_value *m = failure(json, choice), *usage;

    if (m != NULL)
        return m;
    if (gr_value_type(json) != GR_MAP)
        return gr_error(GR_EPROTO, "the answer is no JSON object");
    if (gr_value_type(from) != GR_MAP)
        return gr_error(GR_EPROTO, "the answer has no choices[0].message");
    m = gr_map(GR_KV("type", gr_str("ai")), GR_KV("content", content_of(gr_get(from, "content"))));
    m = gri_keep_some(m, "additional_kwargs", extras_of(from));
    if (gr_len(calls) > 0)
        m = gri_tool_calls_add(m, calls);
    m = gr_set(m, "response_metadata",
               gri_keep(response_metadata(json, gr_get(choice, "finish_reason")), "logprobs",
                        gr_get(choice, "logprobs")));
    usage = gri_openai_usage(gr_get(json, "usage"), gr_get(json, "service_tier"));
    return gr_is_nil(usage) ? m : gr_set(m, "usage_metadata", usage);
}

/* ---- streams --------------------------------------------------------------------------------- */

/* An empty text where a later fragment repeats its field means nothing (LM Studio sends name
 * ""). */
static gr_value *text_or_nil(const gr_value *v)
{
    return gr_value_type(v) == GR_STR && gr_len(v) > 0 ? gr_value_ref(v) : gr_nil();
}

/* place_of gives the index of the call that a fragment is of. Some servers give none, or the same one to
 * each call: then a name with another id begins the next. */
static int64_t place_of(struct gri_openai_stream *s, const gr_value *call)
{
    const gr_value *id = gr_get(call, "id"), *index = gr_get(call, "index");
    bool named = gr_len(gr_get(gr_get(call, "function"), "name")) > 0;
    bool told = gr_value_type(index) == GR_INT, has_id = gr_len(id) > 0;
    int64_t at = told     ? gr_as_int(index, 0)
                 : !named ? s->call
                          : s->call + (s->call_id != NULL || s->calls > 0);

    if (told && s->calls > 0 && at == s->call && named && has_id && s->call_id != NULL &&
        !gr_equal(id, s->call_id))
        s->shift++;
    if (has_id) {
        gr_value_unref(s->call_id);
        s->call_id = gr_value_ref(id);
    }
    s->calls++;
    s->call = at;
    return at < GRI_OPENAI_INDEX_MAX ? at + s->shift : at;
}

static gr_value *call_chunks(struct gri_openai_stream *s, const gr_value *calls)
{
    gr_value *list = gr_list_n(NULL, 0);

    for (size_t i = 0; i < gr_len(calls); i++) {
        const gr_value *call = gr_at(calls, i), *fn = gr_get(call, "function");
        const gr_value *args = gr_get(fn, "arguments");

        list =
            gr_append(list, gr_map(GR_KV("name", text_or_nil(gr_get(fn, "name"))),
                                   GR_KV("args", gr_value_type(args) == GR_MAP ? gri_wire_text(args)
                                                                               : text_or_nil(args)),
                                   GR_KV("id", text_or_nil(gr_get(call, "id"))),
                                   GR_KV("index", gr_int(place_of(s, call))),
                                   GR_KV("type", gr_str("tool_call_chunk"))));
    }
    return list;
}

/* ends tells whether a choice says why it ended; some servers say "" until then. */
static bool ends(const gr_value *choice)
{
    const gr_value *finish = gr_get(choice, "finish_reason");

    return gr_value_type(finish) == GR_STR && gr_len(finish) > 0;
}

/* metadata_of: only the first delta that ends tells of the whole, since texts of several would be added up. Nil:
 * there is nothing. */
static gr_value *metadata_of(struct gri_openai_stream *s, const gr_value *json,
                             const gr_value *choice)
{
    const gr_value *odds = gr_get(choice, "logprobs");

    if (ends(choice) && !s->told) {
        s->told = true;
        return gri_keep(response_metadata(json, gr_get(choice, "finish_reason")), "logprobs", odds);
    }
    return gr_is_nil(odds) ? gr_nil() : gr_map(GR_KV("logprobs", gr_value_ref(odds)));
}

/* A chunk comes for each token, so it is made in one piece. */
static gr_value *delta_chunk(struct gri_openai_stream *s, const gr_value *json,
                             const gr_value *choice)
{
    const gr_value *delta = gr_get(choice, "delta"), *calls = gr_get(delta, "tool_calls");
    gr_kv parts[6] = { GR_KV("type", gri_key("AIMessageChunk", 14)),
                       GR_KV("content", content_of(gr_get(delta, "content"))) };
    size_t count = 2;

    count += gri_part(&parts[count], "additional_kwargs", extras_of(delta));
    if (gr_len(calls) > 0)
        count += gri_part(&parts[count], "tool_call_chunks", call_chunks(s, calls));
    count += gri_part(&parts[count], "response_metadata", metadata_of(s, json, choice));
    parts[count++] =
        (gr_kv)GR_KV("id", gr_nil()); /* the run's has its place here, but is not known */
    return gr_map_n(parts, count);
}

/* first_choice: others come if the request has an n. */
static const gr_value *first_choice(const gr_value *choices)
{
    for (size_t i = 0; i < gr_len(choices); i++)
        if (gr_as_int(gr_get(gr_at(choices, i), "index"), 0) == 0)
            return gr_at(choices, i);
    return NULL;
}

gr_value *gri_openai_event(struct gri_openai_stream *s, const char *name, const gr_value *json,
                           bool *finished)
{
    const gr_value *choice = first_choice(gr_get(json, "choices")), *usage = gr_get(json, "usage");
    const gr_value *tier = gr_get(json, "service_tier");
    gr_value *err = failure(json, choice);

    if (err != NULL)
        return err;
    if (strcmp(name, "error") == 0) /* llama.cpp, older */
        return gri_openai_error_of(200, json, -1);
    if (gr_value_type(json) != GR_MAP)
        return gr_error(GR_EPROTO, "a chunk of the stream is no JSON object");
    if (gr_value_type(usage) == GR_MAP) {
        gr_value_unref(s->usage);
        s->usage = gr_value_ref(usage);
    }
    if (gr_value_type(tier) == GR_STR) {
        gr_value_unref(s->tier);
        s->tier = gr_value_ref(tier);
    }
    if (choice == NULL)
        return gr_nil();
    *finished = *finished || ends(choice);
    return delta_chunk(s, json, choice);
}

gr_value *gri_openai_end(struct gri_openai_stream *s)
{
    gr_value *usage = gri_openai_usage(s->usage, s->tier);
    gr_value *m = gr_map(GR_KV("type", gr_str("AIMessageChunk")), GR_KV("content", gr_str("")),
                         GR_KV("chunk_position", gr_str("last")));

    return gr_is_nil(usage) ? m : gr_set(m, "usage_metadata", usage);
}

void gri_openai_drop(struct gri_openai_stream *s)
{
    gr_value_unref(s->usage);
    gr_value_unref(s->tier);
    gr_value_unref(s->call_id);
    *s = (struct gri_openai_stream){ .usage = NULL };
}
