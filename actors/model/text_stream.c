/* SPDX-License-Identifier: Apache-2.0 */
/* text_stream.c - a message cut into chunks whose sum it is. */
#include "actors/model/text_stream.h"

#include <string.h>

#include <greenroom/codec.h>
#include <greenroom/message.h>
#include <greenroom/runtime.h>

/* word_end gives the end of the word that begins at or behind `at`. */
static size_t word_end(const char *s, size_t len, size_t at)
{
    while (at < len && (s[at] == ' ' || s[at] == '\n' || s[at] == '\t'))
        at++;
    while (at < len && s[at] != ' ' && s[at] != '\n' && s[at] != '\t')
        at++;
    return at;
}

static gr_value *chunk_of(gr_value *text)
{
    return gr_map(GR_KV("type", gr_str("AIMessageChunk")), GR_KV("content", text));
}

/* last_chunk has all that is not text. Tool calls travel as chunks, so that adding keeps them. */
static gr_value *last_chunk(const gr_value *message, gr_value *text)
{
    const gr_value *calls = gr_get(message, "tool_calls");
    gr_value *chunk = gr_merge(gr_value_ref(message), chunk_of(text)), *pieces;

    if (gr_len(calls) == 0)
        return chunk;
    pieces = gr_list_n(NULL, 0);
    for (size_t i = 0; i < gr_len(calls); i++) {
        const gr_value *call = gr_at(calls, i), *id = gr_get(call, "id");
        size_t len = 0;
        char *args = gr_json_print(gr_get(call, "args"), 0, &len);

        pieces = gr_append(pieces, gr_map(GR_KV("name", gr_value_ref(gr_get(call, "name"))),
                                          GR_KV("args", args == NULL ? gr_str(NULL) /* broken */
                                                                     : gr_strn(args, len)),
                                          GR_KV("id", id == NULL ? gr_nil() : gr_value_ref(id)),
                                          GR_KV("index", gr_int((int64_t)i)),
                                          GR_KV("type", gr_str("tool_call_chunk"))));
        gr_free(args);
    }
    return gr_set(gr_without(chunk, "tool_calls"), "tool_call_chunks", pieces);
}

gr_code gri_emit_words(gr_ctx *c, gr_value *message, int64_t delay_ms)
{
    gr_value *text = gr_message_text(message);
    const char *s = gr_cstr(text, "");
    size_t len = gr_len(text), at = 0;
    gr_code rc = gr_error_code(text);

    if (rc != GR_OK) {
        gr_value_unref(message);
        return gr_fail(c, text);
    }
    do {
        size_t end = word_end(s, len, at);
        gr_value *part = gr_strn(s + at, end - at);

        if (delay_ms > 0 && gr_sleep(gr_runtime_of(c), delay_ms) != GR_OK) {
            gr_value_unref(part);
            rc = GR_ECANCELED;
            break;
        }
        rc = gr_emit(c, end == len
                            ? gr_set(last_chunk(message, part), "chunk_position", gr_str("last"))
                            : chunk_of(part));
        at = end;
    } while (rc == GR_OK && at < len);
    gr_value_unref(text);
    gr_value_unref(message);
    return rc;
}
