/* SPDX-License-Identifier: Apache-2.0 */
/*
 * openai_sim.c - the server that a simulation has when nobody gave it another: as much of OpenAI's
 * API as our clients use. greenroom/sim.h says exactly what it answers.
 *
 * It is here and not in actors/ since it belongs to the world outside, which a simulation brings
 * along: it shares no code with the clients that are tested against it.
 */
#include <string.h>

#include <greenroom/codec.h>

#include "runtime/base/alloc.h"
#include "runtime/http/http_sim.h"

#define DIM_DEFAULT 8
#define DIM_MAX 4096
#define TEXTS_MAX 2048

/* ---- answering ------------------------------------------------------------------------------- */

/* print appends a value as JSON. Takes v. */
static void print(gr_sim_reply *reply, gr_value *v)
{
    size_t size = 0;
    char *text = gr_error_code(v) == GR_OK ? gr_json_print(v, 0, &size) : NULL;

    if (text != NULL)
        gr_sim_reply_body(reply, text, size);
    else
        reply->failed = true;
    gr_free(text);
    gr_value_unref(v);
}

static void answer(gr_sim_reply *reply, gr_value *v)
{
    gr_sim_reply_header(reply, "content-type", "application/json");
    print(reply, v);
}

static void complain(gr_sim_reply *reply, int status, const char *code, const char *text)
{
    gr_sim_reply_status(reply, status);
    answer(reply, gr_map(GR_KV("error", gr_map(GR_KV("message", gr_str(text)),
                                               GR_KV("type", gr_str("invalid_request_error")),
                                               GR_KV("code", gr_str(code))))));
}

/* ---- chat ------------------------------------------------------------------------------------ */

static void add_text(struct gri_strbuf *b, const gr_value *content)
{
    gri_strbuf_adds(b, gr_cstr(content, ""));
    for (size_t i = 0; i < gr_len(content) && gr_value_type(content) == GR_LIST; i++)
        gri_strbuf_adds(b, gr_cstr(gr_get(gr_at(content, i), "text"), ""));
}

static const gr_value *asked(const gr_value *messages)
{
    for (size_t i = gr_len(messages); i-- > 0;)
        if (strcmp(gr_cstr(gr_get(gr_at(messages, i), "role"), ""), "user") == 0)
            return gr_at(messages, i);
    return gr_at(messages, gr_len(messages) - 1);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

/* word_len is how long the next word is, with the blanks before it; of trailing blanks, their own
 * length. */
static size_t word_len(const char *s)
{
    size_t len = 0;

    while (is_space(s[len]))
        len++;
    while (s[len] != '\0' && !is_space(s[len]))
        len++;
    return len;
}

static int64_t words(const char *s)
{
    int64_t count = 0;

    for (; *s != '\0'; s += word_len(s))
        count++;
    return count;
}

static gr_value *usage(const gr_value *messages, const char *text)
{
    struct gri_strbuf all = GRI_STRBUF_INIT;
    int64_t in = 0, out = words(text);

    for (size_t i = 0; i < gr_len(messages); i++) {
        gri_strbuf_clear(&all);
        add_text(&all, gr_get(gr_at(messages, i), "content"));
        in += words(all.len > 0 ? all.data : "");
    }
    gri_strbuf_fini(&all);
    return gr_map(GR_KV("prompt_tokens", gr_int(in)), GR_KV("completion_tokens", gr_int(out)),
                  GR_KV("total_tokens", gr_int(in + out)));
}

/* head is what every answer and event begins with. */
static gr_value *head(const gr_value *json, const char *object)
{
    return gr_map(GR_KV("id", gr_str("chatcmpl-sim")), GR_KV("object", gr_str(object)),
                  GR_KV("created", gr_int(0)), GR_KV("model", gr_value_ref(gr_get(json, "model"))));
}

static void whole(gr_sim_reply *reply, const gr_value *json, const char *text)
{
    gr_value *message = gr_map(GR_KV("role", gr_str("assistant")), GR_KV("content", gr_str(text)));
    gr_value *choice = gr_map(GR_KV("index", gr_int(0)), GR_KV("message", message),
                              GR_KV("finish_reason", gr_str("stop")));
    gr_value *v = gr_set(head(json, "chat.completion"), "choices", gr_list(choice));

    answer(reply, gr_set(v, "usage", usage(gr_get(json, "messages"), text)));
}

static void event(gr_sim_reply *reply, gr_value *v)
{
    gr_sim_reply_body(reply, "data: ", 6);
    print(reply, v);
    gr_sim_reply_body(reply, "\n\n", 2);
}

/* delta is an event of a stream; finish NULL: not the last. Takes what. */
static void delta(gr_sim_reply *reply, const gr_value *json, gr_value *what, const char *finish)
{
    gr_value *choice = gr_map(GR_KV("index", gr_int(0)), GR_KV("delta", what),
                              GR_KV("finish_reason", finish != NULL ? gr_str(finish) : gr_nil()));

    event(reply, gr_set(head(json, "chat.completion.chunk"), "choices", gr_list(choice)));
}

static void stream(gr_sim_reply *reply, const gr_value *json, const char *text)
{
    size_t len;

    gr_sim_reply_header(reply, "content-type", "text/event-stream");
    delta(reply, json, gr_map(GR_KV("role", gr_str("assistant")), GR_KV("content", gr_str(""))),
          NULL);
    for (const char *s = text; (len = word_len(s)) > 0; s += len) {
        delta(reply, json, gr_map(GR_KV("content", gr_strn(s, len))), NULL);
        gr_sim_reply_wait(reply, 1);
    }
    delta(reply, json, gr_map_n(NULL, 0), "stop");
    if (gr_as_bool(gr_get(gr_get(json, "stream_options"), "include_usage"), false))
        event(reply,
              gr_set(gr_set(head(json, "chat.completion.chunk"), "choices", gr_list_n(NULL, 0)),
                     "usage", usage(gr_get(json, "messages"), text)));
    gr_sim_reply_body(reply, "data: [DONE]\n\n", 14);
}

static void chat(gr_sim_reply *reply, const gr_value *json)
{
    const gr_value *messages = gr_get(json, "messages");
    struct gri_strbuf b = GRI_STRBUF_INIT;

    if (gr_value_type(messages) != GR_LIST || gr_len(messages) == 0) {
        complain(reply, 400, "invalid_value", "'messages' must have at least one message");
        return;
    }
    gri_strbuf_adds(&b, "Simulated answer to: ");
    add_text(&b, gr_get(asked(messages), "content"));
    if (b.failed)
        reply->failed = true;
    else if (gr_as_bool(gr_get(json, "stream"), false))
        stream(reply, json, b.data);
    else
        whole(reply, json, b.data);
    gri_strbuf_fini(&b);
}

/* ---- embeddings ------------------------------------------------------------------------------ */

/* number gives one number of a text's vector, in 128ths: FNV-1a over the text and the position,
 * and mixed. */
static int number(const char *text, size_t len, uint32_t position)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < len; i++)
        h = (h ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
    h = (h ^ position) * UINT64_C(0xbf58476d1ce4e5b9);
    return (int)((h ^ (h >> 31)) & 0xff) - 128;
}

static void add_base64(struct gri_strbuf *b, const unsigned char *bytes, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < size; i += 3) {
        uint32_t bits = (uint32_t)bytes[i] << 16 |
                        (i + 1 < size ? (uint32_t)bytes[i + 1] << 8 : 0) |
                        (i + 2 < size ? bytes[i + 2] : 0u);

        gri_strbuf_addc(b, digits[bits >> 18]);
        gri_strbuf_addc(b, digits[bits >> 12 & 63]);
        gri_strbuf_addc(b, i + 1 < size ? digits[bits >> 6 & 63] : '=');
        gri_strbuf_addc(b, i + 2 < size ? digits[bits & 63] : '=');
    }
}

static gr_value *base64(const char *text, size_t len, uint32_t dim)
{
    unsigned char *bytes = gri_alloc((size_t)dim * 4);
    struct gri_strbuf b = GRI_STRBUF_INIT;
    gr_value *v;

    if (bytes == NULL)
        return gr_error(GR_ENOMEM, "out of memory for a vector");
    for (uint32_t i = 0; i < dim; i++) {
        float x = (float)number(text, len, i) / 128;
        uint32_t bits;

        memcpy(&bits, &x, sizeof(bits));
        for (unsigned k = 0; k < 4; k++)
            bytes[i * 4 + k] = (unsigned char)(bits >> (8 * k));
    }
    add_base64(&b, bytes, (size_t)dim * 4);
    v = b.failed ? gr_error(GR_ENOMEM, "out of memory for a vector") : gr_strn(b.data, b.len);
    gri_strbuf_fini(&b);
    gri_free(bytes);
    return v;
}

static gr_value *numbers(const char *text, size_t len, uint32_t dim)
{
    gr_value *list = gr_list_n(NULL, 0);

    for (uint32_t i = 0; i < dim; i++)
        list = gr_append(list, gr_real((double)number(text, len, i) / 128));
    return list;
}

static gr_value *vector(const gr_value *json, const gr_value *text, size_t index)
{
    bool packed = strcmp(gr_cstr(gr_get(json, "encoding_format"), ""), "base64") == 0;
    uint32_t dim = (uint32_t)gr_as_int(gr_get(json, "dimensions"), DIM_DEFAULT);
    const char *s = gr_cstr(text, "");
    size_t len = gr_len(text);

    return gr_map(GR_KV("object", gr_str("embedding")), GR_KV("index", gr_int((int64_t)index)),
                  GR_KV("embedding", packed ? base64(s, len, dim) : numbers(s, len, dim)));
}

static const char *bad_input(const gr_value *json)
{
    const gr_value *input = gr_get(json, "input");
    int64_t dim = gr_as_int(gr_get(json, "dimensions"), DIM_DEFAULT);

    if (dim < 1 || dim > DIM_MAX)
        return "'dimensions' must be from 1 to 4096";
    if (gr_value_type(input) == GR_STR)
        return NULL;
    if (gr_value_type(input) != GR_LIST || gr_len(input) == 0 || gr_len(input) > TEXTS_MAX)
        return "'input' must be a string or a list of 1 to 2048 strings";
    for (size_t i = 0; i < gr_len(input); i++)
        if (gr_value_type(gr_at(input, i)) != GR_STR)
            return "'input' must be a string or a list of 1 to 2048 strings";
    return NULL;
}

static void embed(gr_sim_reply *reply, const gr_value *json)
{
    const gr_value *input = gr_get(json, "input");
    const char *bad = bad_input(json);
    gr_value *data = gr_list_n(NULL, 0);

    if (bad != NULL) {
        gr_value_unref(data);
        complain(reply, 400, "invalid_value", bad);
        return;
    }
    if (gr_value_type(input) == GR_STR)
        data = gr_append(data, vector(json, input, 0));
    for (size_t i = 0; gr_value_type(input) == GR_LIST && i < gr_len(input); i++)
        data = gr_append(data, vector(json, gr_at(input, i), i));
    answer(reply, gr_map(GR_KV("object", gr_str("list")), GR_KV("data", data),
                         GR_KV("model", gr_value_ref(gr_get(json, "model")))));
}

/* ---- the door -------------------------------------------------------------------------------- */

/* is_path tells whether the URL's path ends so. */
static bool is_path(const char *url, const char *end)
{
    size_t len = strcspn(url, "?#"), end_len = strlen(end);

    return len >= end_len && memcmp(url + len - end_len, end, end_len) == 0;
}

void gri_sim_openai(void *arg, const gr_sim_request *request, gr_sim_reply *reply)
{
    bool is_chat = is_path(request->url, "/chat/completions");
    gr_value *json;

    (void)arg;
    if (!is_chat && !is_path(request->url, "/embeddings")) {
        complain(reply, 404, "unknown_url", "this server has no such path");
        return;
    }
    if (strcmp(request->method, "POST") != 0) {
        complain(reply, 405, "method_not_supported", "this path takes POST only");
        return;
    }
    json = gr_json_parse(request->body, request->body_size, NULL);
    if (gr_error_code(json) == GR_ENOMEM)
        reply->failed = true;
    else if (gr_value_type(json) != GR_MAP)
        complain(reply, 400, "invalid_json", "the body is no JSON object");
    else if (gr_value_type(gr_get(json, "model")) != GR_STR)
        complain(reply, 400, "missing_parameter", "'model' is missing");
    else if (is_chat)
        chat(reply, json);
    else
        embed(reply, json);
    gr_value_unref(json);
}
