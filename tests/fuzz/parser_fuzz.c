/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parser_fuzz.c - any answer of a model to the parsers of XML, of JSON by a schema and of tool calls, whole and in
 * pieces; and any JSON as the description of a prompt, which must give a prompt or say what is wrong, and as
 * messages. The first byte says which, and how long the pieces are.
 *
 * The actors live in a runtime of the process's, whose workers keep memory, so no blocks are counted here.
 */
#include <greenroom/greenroom.h>

#include "runtime/base/utf8.h"
#include "tests/fuzz/fuzz.h"

static gr_runtime *rt;

/* is_sound: an error is one that a text may cause. */
static void is_sound(gr_value *err)
{
    gr_code code = gr_error_code(err);

    must(err == NULL || code == GR_EINVAL || code == GR_ETYPE || code == GR_ENOMEM ||
         code == GR_EFULL);
    gr_value_unref(err);
}

struct piece {
    const char *text;
    size_t len, size;
    bool call;
};

static gr_code pieces(gr_ctx *c, void *arg, gr_stream *in)
{
    const struct piece *p = arg;
    gr_code rc = GR_OK;

    (void)in;
    for (size_t at = 0; at < p->len && rc == GR_OK;) {
        size_t end = at + p->size < p->len ? at + p->size : p->len;
        gr_value *text, *chunk = gr_ai_chunk("");

        while (end < p->len && ((unsigned char)p->text[end] & 0xc0) == 0x80)
            end++;
        text = gr_strn(p->text + at, end - at);
        if (p->call)
            chunk = gr_set(chunk, "tool_call_chunks",
                           gr_list(gr_map(GR_KV("args", text), GR_KV("index", gr_int(0)))));
        else
            chunk = gr_set(chunk, "content", text);
        rc = gr_emit(c, chunk);
        at = end;
    }
    return rc;
}

static bool look(void *arg, const gr_value *chunk)
{
    (void)arg;
    must(gr_error_code(chunk) == GR_OK);
    return true;
}

static gr_ref parser_of(gr_scope *in, unsigned which)
{
    static const char schema[] =
        "{\"type\": \"object\", \"properties\": {\"a\": {\"type\": \"integer\", \"default\": 1}}}";

    switch (which) {
    case 0: return gr_xml_parser(in, NULL);
    case 1: return gr_structured_parser(in, gr_json_parse(schema, sizeof(schema) - 1, NULL));
    default: return gr_tools_parser(in, NULL);
    }
}

static void parse(gr_scope *in, unsigned which, struct piece *p)
{
    gr_ref parser = parser_of(in, which);
    gr_value *err = NULL, *v;

    p->call = which == 2;
    if (!p->call) {
        v = gr_invoke(rt, parser, gr_strn(p->text, p->len), NULL, &err);
        must((v == NULL) == (err != NULL));
        gr_value_unref(v);
        is_sound(err);
    }
    err = NULL;
    (void)gr_do_stream(rt, gr_seq(in, gr_generator(in, GR_ASYNC, pieces, NULL, p), parser),
                       gr_nil(), NULL, look, NULL, &err);
    is_sound(err);
}

static void sound_value(gr_value *v)
{
    if (gr_error_code(v) != GR_OK)
        is_sound(v);
    else
        gr_value_unref(v);
}

/* handle does with a value, as a message and as a list of them, all that is done with messages. */
static void handle(const gr_value *v)
{
    gr_value *list = gr_value_type(v) == GR_LIST ? gr_value_ref(v) : gr_list(gr_value_ref(v));
    gr_value *messages = gr_messages_coerce(gr_value_ref(list));

    sound_value(gr_content_blocks(v));
    sound_value(gr_messages_from_dict(list));
    sound_value(gr_convert_to_openai_messages(list, "block"));
    if (gr_error_code(messages) == GR_OK) {
        gr_value *dicts = gr_messages_to_dict(messages), *back = gr_messages_from_dict(dicts);

        must(gr_error_code(dicts) == GR_OK);
        must(gr_error_code(back) != GR_OK || gr_len(back) == gr_len(messages));
        must(gr_count_tokens_approximately(messages) >= 0);
        sound_value(back);
        gr_value_unref(dicts);
    }
    sound_value(
        gr_trim_messages(list, GR_TRIM(.max_tokens = 20, .allow_partial = true,
                                       .include_system = true, .start_on = gr_str("human"))));
    sound_value(gr_filter_messages(list, GR_FILTER(.exclude_tool_calls = gr_list(gr_str("c")))));
    sound_value(gr_merge_message_runs(list, NULL));
    sound_value(messages);
    gr_value_unref(list);
}

static void describe(gr_scope *in, const struct piece *p)
{
    gr_value *config = gr_json_parse(p->text, p->len, NULL), *err = NULL, *v;
    gr_ref prompt;

    if (gr_error_code(config) != GR_OK) {
        gr_value_unref(config);
        return;
    }
    handle(config);
    prompt = gr_prompt_of_config(in, config, NULL);
    v = gr_invoke(rt, prompt, gr_map(GR_KV("x", gr_str("y"))), NULL, &err);
    must((v == NULL) == (err != NULL));
    gr_value_unref(v);
    is_sound(err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct piece p = { .text = (const char *)data + 1, .len = size - 1 };
    gr_scope *in;

    if (size < 2 || size > 2000 || !gri_utf8_valid(p.text, p.len))
        return 0;
    if (rt == NULL)
        must(gr_runtime_new(GR_RUNTIME(.workers = 1), &rt) == GR_OK);
    in = gr_scope_new(gr_root(rt));
    must(in != NULL);
    p.size = 1 + data[0] / 4;
    if (data[0] % 4 == 3)
        describe(in, &p);
    else
        parse(in, data[0] % 4, &p);
    gr_scope_free(in);
    return 0;
}
