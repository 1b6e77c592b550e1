/* SPDX-License-Identifier: Apache-2.0 */
/*
 * responses_stream.c - the events of a stream to chunks whose sum is the answer.
 *
 * Each part of a text and each other item of the response is a block of the content; blocks are counted as they
 * come. Servers that leave out deltas tell the whole at the end of its item, which is taken if no part came before.
 */
#include "actors/model/openai_wire.h"
#include "actors/model/responses_wire.h"
#include "actors/model/wire.h"

/* ---- chunks ---------------------------------------------------------------------------------- */

static gr_value *chunk_of(const struct gri_responses_stream *s, gr_value *content)
{
    gr_value *m = gr_map(GR_KV("type", gr_str("AIMessageChunk")), GR_KV("content", content));

    return s->id == NULL ? m : gr_set(m, "id", gr_value_ref(s->id));
}

/* with_block makes a chunk of a part of the block under way. */
static gr_value *with_block(const struct gri_responses_stream *s, gr_value *block)
{
    return chunk_of(s, gr_list(gr_set(block, "index", gr_int(s->index))));
}

static gr_value *block_of(const char *type)
{
    return gr_map(GR_KV("type", gr_str(type)));
}

static gr_value *with_call(gr_value *chunk, const gr_value *name, const gr_value *id,
                           gr_value *args, int64_t index)
{
    return gr_set(chunk, "tool_call_chunks",
                  gr_list(gr_map(
                      GR_KV("name", gr_is_nil(name) ? gr_nil() : gr_value_ref(name)),
                      GR_KV("args", args), GR_KV("id", gr_is_nil(id) ? gr_nil() : gr_value_ref(id)),
                      GR_KV("index", gr_int(index)), GR_KV("type", gr_str("tool_call_chunk")))));
}

/* ---- which block ------------------------------------------------------------------------------- */

static int64_t output_of(const gr_value *event)
{
    return gr_as_int(gr_get(event, "output_index"), 0);
}

/* go_to has the block of that part of that item be the one under way; -1: the item has no parts. */
static void go_to(struct gri_responses_stream *s, int64_t output, int64_t part)
{
    if (s->began && s->output == output && s->part == part)
        return;
    s->index += s->began;
    s->began = true;
    s->output = output;
    s->part = part;
    s->has_text = false;
}

static void go_to_part(struct gri_responses_stream *s, const gr_value *event)
{
    go_to(s, output_of(event), gr_as_int(gr_get(event, "content_index"), 0));
}

/* ---- texts ------------------------------------------------------------------------------------- */

static gr_value *on_text(struct gri_responses_stream *s, const gr_value *event)
{
    const gr_value *delta = gr_get(event, "delta");
    gr_value *block;

    if (gr_value_type(delta) != GR_STR || gr_len(delta) == 0)
        return gr_nil();
    go_to_part(s, event);
    s->has_text = true;
    block = gr_set(block_of("text"), "text", gr_value_ref(delta));
    if (gr_len(gr_get(event, "logprobs")) > 0)
        block = gri_keep(block, "logprobs", gr_get(event, "logprobs"));
    return with_block(s, block);
}

static gr_value *on_text_done(struct gri_responses_stream *s, const gr_value *event)
{
    gr_value *block;

    go_to_part(s, event);
    block = gri_keep(block_of("text"), "id", gr_get(event, "item_id"));
    if (!s->has_text)
        block = gri_keep(block, "text", gr_get(event, "text"));
    s->has_text = true;
    return with_block(s, block);
}

static gr_value *on_annotation(struct gri_responses_stream *s, const gr_value *event)
{
    const gr_value *annotation = gr_get(event, "annotation");

    if (gr_value_type(annotation) != GR_MAP)
        return gr_nil();
    go_to_part(s, event);
    return with_block(
        s, gr_set(block_of("text"), "annotations", gr_list(gri_responses_citation(annotation))));
}

/* on_refusal tells it where chat completions do, too: what guards structured output looks there. */
static gr_value *on_refusal(struct gri_responses_stream *s, const gr_value *event)
{
    const gr_value *delta = gr_get(event, "delta");

    if (gr_value_type(delta) != GR_STR || gr_len(delta) == 0)
        return gr_nil();
    go_to_part(s, event);
    s->has_text = true;
    return gr_set(chunk_of(s, gr_list_n(NULL, 0)), "additional_kwargs",
                  gr_map(GR_KV("refusal", gr_value_ref(delta))));
}

static gr_value *on_refusal_done(struct gri_responses_stream *s, const gr_value *event)
{
    const gr_value *text = gr_get(event, "refusal");
    gr_value *chunk;

    if (gr_value_type(text) != GR_STR)
        return gr_nil();
    go_to_part(s, event);
    chunk = with_block(s, gr_set(block_of("refusal"), "refusal", gr_value_ref(text)));
    if (s->has_text)
        return chunk;
    return gr_set(chunk, "additional_kwargs", gr_map(GR_KV("refusal", gr_value_ref(text))));
}

/* ---- thoughts ---------------------------------------------------------------------------------- */

/* thought_part makes a part of a thought: of its summary, or of itself where the server shows that. */
static gr_value *thought_part(struct gri_responses_stream *s, const gr_value *event,
                              const char *list, const char *place, const char *type)
{
    const gr_value *delta = gr_get(event, "delta");
    gr_value *part;

    if (gr_value_type(delta) != GR_STR || gr_len(delta) == 0)
        return gr_nil();
    go_to(s, output_of(event), -1);
    s->has_text = true;
    part = gr_map(GR_KV("index", gr_int(gr_as_int(gr_get(event, place), 0))),
                  GR_KV("type", gr_str(type)), GR_KV("text", gr_value_ref(delta)));
    return with_block(s, gr_set(block_of("reasoning"), list, gr_list(part)));
}

static gr_value *on_thought(struct gri_responses_stream *s, const gr_value *item, int64_t output)
{
    gr_value *block;

    go_to(s, output, -1);
    block = gri_keep(block_of("reasoning"), "id", gr_get(item, "id"));
    return with_block(s, gr_set(block, "summary", gr_list_n(NULL, 0)));
}

/* indexed gives parts with the places that they would have had, had they come one by one. */
static gr_value *indexed(const gr_value *parts)
{
    gr_value *list = gr_list_n(NULL, 0);

    for (size_t i = 0; i < gr_len(parts); i++)
        list = gr_append(list, gr_set(gr_value_ref(gr_at(parts, i)), "index", gr_int((int64_t)i)));
    return list;
}

/* on_thought_done: what the server knows its thought by is complete only now. */
static gr_value *on_thought_done(struct gri_responses_stream *s, const gr_value *item,
                                 int64_t output)
{
    bool known = s->began && s->output == output && s->part == -1;
    gr_value *block = block_of("reasoning");

    go_to(s, output, -1);
    if (!known)
        block = gri_keep(block, "id", gr_get(item, "id"));
    if (!s->has_text) {
        block = gr_set(block, "summary", indexed(gr_get(item, "summary")));
        if (gr_len(gr_get(item, "content")) > 0)
            block = gr_set(block, "content", indexed(gr_get(item, "content")));
    }
    block = gri_keep(block, "encrypted_content", gr_get(item, "encrypted_content"));
    if (gr_error_code(block) == GR_OK && gr_len(block) == 1) {
        gr_value_unref(block);
        return gr_nil();
    }
    s->has_text = true;
    return with_block(s, block);
}

/* ---- calls --------------------------------------------------------------------------------------- */

static struct gri_responses_call *call_at(struct gri_responses_stream *s, int64_t output)
{
    for (size_t i = 0; i < s->call_count; i++)
        if (s->calls[i].output == output)
            return &s->calls[i];
    return NULL;
}

/* on_call begins a call, with the arguments that came so far. */
static gr_value *on_call(struct gri_responses_stream *s, const gr_value *item, int64_t output)
{
    const gr_value *args = gr_get(item, "arguments"), *name = gr_get(item, "name");
    struct gri_responses_call *call = call_at(s, output);
    gr_value *text = gri_wire_text(args), *block;

    if (gr_error_code(text) != GR_OK)
        return text;
    if (call == NULL && s->call_count == GRI_RESPONSES_CALLS_MAX) {
        gr_value_unref(text);
        return gr_error(GR_EPROTO, "more than %d calls in an answer", GRI_RESPONSES_CALLS_MAX);
    }
    go_to(s, output, -1);
    if (call == NULL)
        call = &s->calls[s->call_count++];
    *call = (struct gri_responses_call){ .output = output,
                                         .index = s->index,
                                         .has_delta = gr_len(text) > 0 };
    block = gri_keep(block_of("function_call"), "name", name);
    block = gri_keep(block, "call_id", gr_get(item, "call_id"));
    block = gri_keep(gr_set(block, "arguments", gr_value_ref(text)), "id", gr_get(item, "id"));
    return with_call(with_block(s, block), name, gr_get(item, "call_id"), text, call->index);
}

static gr_value *arguments_of(struct gri_responses_stream *s, struct gri_responses_call *call,
                              const gr_value *text)
{
    gr_value *block;

    if (gr_value_type(text) != GR_STR || gr_len(text) == 0)
        return gr_nil();
    call->has_delta = true;
    block = gr_map(GR_KV("type", gr_str("function_call")), GR_KV("arguments", gr_value_ref(text)),
                   GR_KV("index", gr_int(call->index)));
    return with_call(chunk_of(s, gr_list(block)), NULL, NULL, gr_value_ref(text), call->index);
}

static gr_value *on_arguments(struct gri_responses_stream *s, const gr_value *event)
{
    struct gri_responses_call *call = call_at(s, output_of(event));

    if (call == NULL)
        return gr_error(GR_EPROTO, "arguments of item %lld, which is no call",
                        (long long)output_of(event));
    return arguments_of(s, call, gr_get(event, "delta"));
}

/* on_arguments_done: a server that has no deltas sends them now, or with the item. */
static gr_value *on_arguments_done(struct gri_responses_stream *s, const gr_value *event)
{
    struct gri_responses_call *call = call_at(s, output_of(event));

    return call == NULL || call->has_delta ? gr_nil()
                                           : arguments_of(s, call, gr_get(event, "arguments"));
}

static gr_value *on_call_done(struct gri_responses_stream *s, const gr_value *item, int64_t output)
{
    struct gri_responses_call *call = call_at(s, output);

    if (call == NULL)
        return on_call(s, item, output);
    return call->has_delta ? gr_nil() : arguments_of(s, call, gr_get(item, "arguments"));
}

/* on_custom_call: a custom tool's text is its only argument. */
static gr_value *on_custom_call(struct gri_responses_stream *s, const gr_value *item,
                                int64_t output)
{
    gr_value *args = gr_map(GR_KV("__arg1", gr_str(gr_cstr(gr_get(item, "input"), ""))));
    gr_value *text = gri_wire_text(args);

    gr_value_unref(args);
    if (gr_error_code(text) != GR_OK)
        return text;
    go_to(s, output, -1);
    return with_call(with_block(s, gr_value_ref(item)), gr_get(item, "name"),
                     gr_get(item, "call_id"), text, s->index);
}

/* ---- items, and the answer ----------------------------------------------------------------------- */

static gr_value *on_item(struct gri_responses_stream *s, const gr_value *event)
{
    const gr_value *item = gr_get(event, "item");

    if (gri_has_type(item, "function_call"))
        return on_call(s, item, output_of(event));
    if (gri_has_type(item, "reasoning"))
        return on_thought(s, item, output_of(event));
    return gr_nil();
}

static gr_value *on_item_done(struct gri_responses_stream *s, const gr_value *event)
{
    const gr_value *item = gr_get(event, "item");
    int64_t output = output_of(event);

    if (gri_has_type(item, "function_call"))
        return on_call_done(s, item, output);
    if (gri_has_type(item, "reasoning"))
        return on_thought_done(s, item, output);
    if (gri_has_type(item, "custom_tool_call"))
        return on_custom_call(s, item, output);
    if (gri_has_type(item, "message") || gr_value_type(gr_get(item, "type")) != GR_STR)
        return gr_nil();
    go_to(s, output, -1);
    return with_block(s, gr_value_ref(item));
}

static gr_value *on_created(struct gri_responses_stream *s, const gr_value *response)
{
    const gr_value *id = gr_get(response, "id");

    if (s->id != NULL || gr_value_type(id) != GR_STR)
        return gr_nil();
    s->id = gr_value_ref(id);
    return gr_set(chunk_of(s, gr_list_n(NULL, 0)), "response_metadata",
                  gr_map(GR_KV("id", gr_value_ref(id)), GR_KV("model_provider", gr_str("openai"))));
}

static gr_value *on_end(struct gri_responses_stream *s, const gr_value *response, bool *ret_last)
{
    gr_value *err = gri_responses_failure(response), *usage, *meta, *chunk;
    const gr_value *id = gr_get(response, "id");

    if (err != NULL)
        return err;
    meta = gri_responses_metadata(response);
    if (s->id == NULL) {
        meta = gr_set(gri_keep(meta, "id", id), "model_provider", gr_str("openai"));
        s->id = gr_value_type(id) == GR_STR ? gr_value_ref(id) : NULL;
    }
    chunk = gr_set(chunk_of(s, gr_list_n(NULL, 0)), "response_metadata", meta);
    usage = gri_responses_usage(gr_get(response, "usage"), gr_get(response, "service_tier"));
    chunk = gr_is_nil(usage) ? chunk : gr_set(chunk, "usage_metadata", usage);
    *ret_last = true;
    return gr_set(chunk, "chunk_position", gr_str("last"));
}

/* error_of: an error stands in the event itself, or under "error" as elsewhere. */
static gr_value *error_of(const gr_value *event)
{
    const gr_value *error = gr_get(event, "error");

    return gri_openai_error_of(200, gr_is_nil(error) ? event : error, -1);
}

static gr_value *on_content(struct gri_responses_stream *s, const char *type, const gr_value *event)
{
    if (strcmp(type, "response.output_text.delta") == 0)
        return on_text(s, event);
    if (strcmp(type, "response.output_text.done") == 0)
        return on_text_done(s, event);
    if (strcmp(type, "response.output_text.annotation.added") == 0)
        return on_annotation(s, event);
    if (strcmp(type, "response.refusal.delta") == 0)
        return on_refusal(s, event);
    if (strcmp(type, "response.refusal.done") == 0)
        return on_refusal_done(s, event);
    if (strcmp(type, "response.reasoning_summary_text.delta") == 0)
        return thought_part(s, event, "summary", "summary_index", "summary_text");
    if (strcmp(type, "response.reasoning_text.delta") == 0)
        return thought_part(s, event, "content", "content_index", "reasoning_text");
    if (strcmp(type, "response.function_call_arguments.delta") == 0)
        return on_arguments(s, event);
    if (strcmp(type, "response.function_call_arguments.done") == 0)
        return on_arguments_done(s, event);
    return gr_nil(); /* what tells of the server's own tools' progress, and what later versions add */
}

gr_value *gri_responses_event(struct gri_responses_stream *s, const char *name,
                              const gr_value *event, bool *ret_last)
{
    const char *type = gr_cstr(gr_get(event, "type"), name);
    const gr_value *response = gr_get(event, "response");

    if (gr_value_type(event) != GR_MAP)
        return gr_error(GR_EPROTO, "an event of the stream is no JSON object");
    if (strcmp(type, "error") == 0 || strcmp(name, "error") == 0 ||
        !gr_is_nil(gr_get(event, "error")))
        return error_of(event);
    if (strcmp(type, "response.created") == 0 || strcmp(type, "response.in_progress") == 0)
        return on_created(s, response);
    if (strcmp(type, "response.completed") == 0 || strcmp(type, "response.incomplete") == 0)
        return on_end(s, response, ret_last);
    if (strcmp(type, "response.failed") == 0)
        return gri_openai_error_of(200, gr_get(response, "error"), -1);
    if (strcmp(type, "response.output_item.added") == 0)
        return on_item(s, event);
    if (strcmp(type, "response.output_item.done") == 0)
        return on_item_done(s, event);
    return on_content(s, type, event);
}

void gri_responses_drop(struct gri_responses_stream *s)
{
    gr_value_unref(s->id);
    s->id = NULL;
    s->call_count = 0;
}
