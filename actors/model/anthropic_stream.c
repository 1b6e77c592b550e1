/* SPDX-License-Identifier: Apache-2.0 */
/*
 * anthropic_stream.c - the events of a stream to chunks whose sum is the answer.
 *
 * Blocks come one behind the other, but each part names its block, and nothing here relies on the order of
 * blocks. What the server counts is a running total; chunks are added up, so each tells the difference to
 * what was told before.
 */
#include "actors/model/anthropic_wire.h"
#include "actors/model/wire.h"

/* ---- chunks ---------------------------------------------------------------------------------- */

static gr_value *chunk_of(const struct gri_anthropic_stream *s)
{
    return gr_map(GR_KV("type", gr_str("AIMessageChunk")),
                  GR_KV("content", s->as_blocks ? gr_list_n(NULL, 0) : gr_str("")));
}

static gr_value *chunk_with(gr_value *block, int64_t index)
{
    block = gr_set(block, "index", gr_int(index));
    return gr_map(GR_KV("type", gr_str("AIMessageChunk")), GR_KV("content", gr_list(block)));
}

/* part_of makes a part of a block: {"type": "text", "text": "…"}. */
static gr_value *part_of(const char *type, const char *key, const gr_value *v, int64_t index)
{
    return chunk_with(gr_map(GR_KV("type", gr_str(type)), GR_KV(key, gr_value_ref(v))), index);
}

static gr_value *with_call(gr_value *chunk, gr_value *name, gr_value *id, gr_value *args,
                           int64_t index)
{
    return gr_set(
        chunk, "tool_call_chunks",
        gr_list(gr_map(GR_KV("name", name), GR_KV("args", args), GR_KV("id", id),
                       GR_KV("index", gr_int(index)), GR_KV("type", gr_str("tool_call_chunk")))));
}

/* ---- usage ----------------------------------------------------------------------------------- */

/* less subtracts the numbers of b from those of a, which may have maps of them, too. */
static gr_value *less(const gr_value *a, const gr_value *b)
{
    gr_value *out = gr_map_n(NULL, 0);

    for (size_t i = 0; i < gr_len(a); i++) {
        const char *key;
        const gr_value *v = gr_pair_at(a, i, &key), *w = gr_get(b, key);

        out = gr_set(out, key,
                     gr_value_type(v) == GR_MAP ? less(v, w)
                                                : gr_int(gr_as_int(v, 0) - gr_as_int(w, 0)));
    }
    return out;
}

/* count notes what an event counts. Fields that it leaves out are as they were. */
static void count(struct gri_anthropic_stream *s, const gr_value *usage)
{
    if (gr_value_type(usage) != GR_MAP)
        return;
    if (s->usage == NULL)
        s->usage = gr_map_n(NULL, 0);
    for (size_t i = 0; i < gr_len(usage); i++) {
        const char *key;
        const gr_value *v = gr_pair_at(usage, i, &key);

        s->usage = gri_keep(s->usage, key, v);
    }
}

/* with_usage tells what has been counted and not told. */
static gr_value *with_usage(struct gri_anthropic_stream *s, gr_value *chunk)
{
    gr_value *now;

    if (s->usage == NULL)
        return chunk;
    now = gri_anthropic_usage(s->usage);
    if (gr_error_code(now) != GR_OK) {
        gr_value_unref(chunk);
        return now;
    }
    if (s->told == NULL || !gr_equal(now, s->told))
        chunk = gr_set(chunk, "usage_metadata", less(now, s->told));
    gr_value_unref(s->told);
    s->told = now;
    return chunk;
}

/* ---- blocks that are open -------------------------------------------------------------------- */

static struct gri_anthropic_block *find(struct gri_anthropic_stream *s, int64_t index)
{
    for (size_t i = 0; i < s->open_count; i++)
        if (s->open[i].index == index)
            return &s->open[i];
    return NULL;
}

static void close_block(struct gri_anthropic_stream *s, struct gri_anthropic_block *b)
{
    gr_value_unref(b->input);
    *b = s->open[--s->open_count];
}

static gr_value *open_block(struct gri_anthropic_stream *s, const gr_value *block, int64_t index)
{
    const gr_value *input = gr_get(block, "input");
    struct gri_anthropic_block *b = find(s, index);

    if (b != NULL)
        close_block(s, b);
    if (s->open_count == GRI_ANTHROPIC_BLOCKS_MAX)
        return gr_error(GR_EPROTO, "more than %d blocks are open at once",
                        GRI_ANTHROPIC_BLOCKS_MAX);
    b = &s->open[s->open_count++];
    *b = (struct gri_anthropic_block){ .index = index, .is_call = gri_has_type(block, "tool_use") };
    if (gr_value_type(input) == GR_MAP && gr_len(input) > 0)
        b->input = gr_value_ref(input);
    return NULL;
}

/* ---- events ---------------------------------------------------------------------------------- */

static gr_value *on_start(struct gri_anthropic_stream *s, const gr_value *message)
{
    gr_value *meta = gr_map(GR_KV("model_provider", gr_str("anthropic")));

    count(s, gr_get(message, "usage"));
    meta = gri_keep(meta, "id", gr_get(message, "id"));
    meta = gri_keep(meta, "model_name", gr_get(message, "model"));
    return gr_set(chunk_of(s), "response_metadata", meta);
}

/* text_of is a part of a text: bare where nothing else can come. */
static gr_value *text_of(const struct gri_anthropic_stream *s, const gr_value *text, int64_t index)
{
    if (gr_value_type(text) != GR_STR || gr_len(text) == 0)
        return gr_nil();
    if (!s->as_blocks)
        return gr_set(chunk_of(s), "content", gr_value_ref(text));
    return part_of("text", "text", text, index);
}

static gr_value *on_block_start(struct gri_anthropic_stream *s, const gr_value *block,
                                int64_t index)
{
    gr_value *err = open_block(s, block, index), *chunk;

    if (err != NULL)
        return err;
    if (gri_has_type(block, "text"))
        return text_of(s, gr_get(block, "text"), index);
    if (gri_has_type(block, "thinking")) {
        if (gr_len(gr_get(block, "thinking")) == 0)
            return gr_nil();
        return part_of("thinking", "thinking", gr_get(block, "thinking"), index);
    }
    if (gr_value_type(block) != GR_MAP)
        return gr_nil();
    if (!gri_has_type(block, "tool_use")) /* redacted_thinking, what the server's tools do … */
        return chunk_with(gr_value_ref(block), index);
    chunk = chunk_with(gr_set(gr_value_ref(block), "input", gr_map_n(NULL, 0)), index);
    return with_call(chunk, gr_str(gr_cstr(gr_get(block, "name"), "")),
                     gr_str(gr_cstr(gr_get(block, "id"), "")), gr_str(""), index);
}

/* arguments_of is a part of a block's arguments. Those of a call go into tool_call_chunks, too. */
static gr_value *arguments_of(struct gri_anthropic_stream *s, const gr_value *text, int64_t index)
{
    struct gri_anthropic_block *b = find(s, index);
    gr_value *chunk;

    if (b == NULL)
        return gr_error(GR_EPROTO, "a part of block %lld, which has not begun", (long long)index);
    if (gr_value_type(text) != GR_STR || gr_len(text) == 0)
        return gr_nil();
    b->has_delta = true;
    chunk = part_of(b->is_call ? "tool_use" : "server_tool_use", "partial_json", text, index);
    if (!b->is_call)
        return chunk;
    return with_call(chunk, gr_nil(), gr_nil(), gr_value_ref(text), index);
}

static gr_value *on_delta(struct gri_anthropic_stream *s, const gr_value *delta, int64_t index)
{
    const gr_value *citation = gr_get(delta, "citation");

    if (gri_has_type(delta, "text_delta"))
        return text_of(s, gr_get(delta, "text"), index);
    if (gri_has_type(delta, "input_json_delta"))
        return arguments_of(s, gr_get(delta, "partial_json"), index);
    if (gri_has_type(delta, "thinking_delta") && gr_get(delta, "thinking") != NULL)
        return part_of("thinking", "thinking", gr_get(delta, "thinking"), index);
    if (gri_has_type(delta, "signature_delta") && gr_get(delta, "signature") != NULL)
        return part_of("thinking", "signature", gr_get(delta, "signature"), index);
    if (gri_has_type(delta, "citations_delta") && citation != NULL) {
        gr_value *list = gr_list(gr_value_ref(citation)), *chunk;

        chunk = part_of("text", "citations", list, index);
        gr_value_unref(list);
        return chunk;
    }
    return gr_nil();
}

static gr_value *whole_call(const struct gri_anthropic_stream *s, const gr_value *input,
                            int64_t index)
{
    gr_value *args = gri_wire_text(input);

    return gr_error_code(args) != GR_OK ? args
                                        : with_call(chunk_of(s), gr_nil(), gr_nil(), args, index);
}

/* on_block_stop: arguments that came whole with the block's start count if no part followed. */
static gr_value *on_block_stop(struct gri_anthropic_stream *s, int64_t index)
{
    struct gri_anthropic_block *b = find(s, index);
    gr_value *chunk = gr_nil();

    if (b == NULL)
        return chunk;
    if (b->is_call && !b->has_delta && b->input != NULL)
        chunk = whole_call(s, b->input, index);
    close_block(s, b);
    return chunk;
}

static gr_value *on_message_delta(struct gri_anthropic_stream *s, const gr_value *event,
                                  bool *ret_last)
{
    const gr_value *delta = gr_get(event, "delta");
    gr_value *meta = gr_map_n(NULL, 0);

    count(s, gr_get(event, "usage"));
    meta = gri_keep(meta, "stop_reason", gr_get(delta, "stop_reason"));
    meta = gri_keep(meta, "stop_sequence", gr_get(delta, "stop_sequence"));
    meta = gri_keep(meta, "container", gr_get(delta, "container"));
    meta = gri_keep(meta, "context_management", gr_get(event, "context_management"));
    if (gr_value_type(gr_get(delta, "stop_reason")) == GR_STR)
        *ret_last = true;
    return with_usage(s, gri_keep_some(chunk_of(s), "response_metadata", meta));
}

/* on_message_stop tells usage that only message_start had, which some servers leave at that. */
static gr_value *on_message_stop(struct gri_anthropic_stream *s, bool *ret_last)
{
    *ret_last = true;
    if (s->told != NULL || s->usage == NULL)
        return gr_nil();
    return with_usage(s, chunk_of(s));
}

gr_value *gri_anthropic_event(struct gri_anthropic_stream *s, const gr_value *event, bool *ret_last)
{
    int64_t index = gr_as_int(gr_get(event, "index"), 0);

    if (gr_value_type(event) != GR_MAP)
        return gr_error(GR_EPROTO, "an event of the stream is no JSON object");
    if (gri_has_type(event, "error") || !gr_is_nil(gr_get(event, "error")))
        return gri_anthropic_error(event);
    if (gri_has_type(event, "message_start"))
        return on_start(s, gr_get(event, "message"));
    if (gri_has_type(event, "content_block_start"))
        return on_block_start(s, gr_get(event, "content_block"), index);
    if (gri_has_type(event, "content_block_delta"))
        return on_delta(s, gr_get(event, "delta"), index);
    if (gri_has_type(event, "content_block_stop"))
        return on_block_stop(s, index);
    if (gri_has_type(event, "message_delta"))
        return on_message_delta(s, event, ret_last);
    if (gri_has_type(event, "message_stop"))
        return on_message_stop(s, ret_last);
    return gr_nil(); /* ping, and what later versions add */
}

/* ---- the state ------------------------------------------------------------------------------- */

static bool has_document(const gr_value *messages)
{
    for (size_t i = 0; i < gr_len(messages); i++) {
        const gr_value *content = gr_get(gr_at(messages, i), "content");

        for (size_t k = 0; gr_value_type(content) == GR_LIST && k < gr_len(content); k++)
            if (gri_has_type(gr_at(content, k), "document"))
                return true;
    }
    return false;
}

void gri_anthropic_begin(struct gri_anthropic_stream *s, const gr_value *body)
{
    s->as_blocks = gr_len(gr_get(body, "tools")) > 0 || gr_len(gr_get(body, "mcp_servers")) > 0 ||
                   gri_anthropic_thinks(gr_get(body, "thinking")) ||
                   has_document(gr_get(body, "messages"));
}

void gri_anthropic_drop(struct gri_anthropic_stream *s)
{
    while (s->open_count > 0)
        close_block(s, &s->open[0]);
    gr_value_unref(s->usage);
    gr_value_unref(s->told);
    *s = (struct gri_anthropic_stream){ .as_blocks = false };
}
