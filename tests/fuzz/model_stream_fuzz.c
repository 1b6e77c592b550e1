/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_stream_fuzz.c - bytes as what a model's server of each provider sends: a stream of events, whose
 * chunks must not depend on how the bytes are cut, a whole answer, a refusal; and JSON as a prompt.
 *
 * The first byte of the input chooses the provider, the second the size of the pieces.
 */
#include <greenroom/codec.h>
#include <greenroom/message.h>

#include "actors/model/provider.h"
#include "runtime/base/alloc.h"
#include "runtime/http/ndjson.h"
#include "runtime/http/sse.h"
#include "tests/fuzz/fuzz.h"

static const struct gri_provider *const providers[] = { &gri_anthropic, &gri_ollama, &gri_openai,
                                                        &gri_openai_responses };

struct feed {
    const struct gri_reader *reader;
    void *state;
    gr_value *sum, *err; /* owned */
    bool last;
    size_t chunks;
};

static void take(struct feed *f, gr_value *chunk)
{
    if (gr_is_nil(chunk)) {
        gr_value_unref(chunk);
    } else if (gr_error_code(chunk) != GR_OK) {
        gr_value_unref(f->err);
        f->err = chunk;
    } else {
        must(gr_get(chunk, "content") != NULL);
        f->chunks++;
        f->sum = gr_add(f->sum, chunk);
    }
}

static bool on_text(struct feed *f, const char *name, const char *text, size_t len)
{
    gr_value *json = gr_json_parse(text, len, NULL);

    if (gr_error_code(json) == GR_OK)
        take(f, f->reader->event(f->state, name, json, &f->last));
    else
        f->err = gr_value_ref(json);
    gr_value_unref(json);
    return f->err == NULL;
}

static bool on_sse(void *arg, const struct gri_sse_event *event)
{
    return !event->has_data || on_text(arg, event->name, event->data, event->data_len);
}

static bool on_line(void *arg, const char *line, size_t len)
{
    return on_text(arg, "message", line, len);
}

static void feed_sse(struct feed *f, const char *text, size_t len, size_t piece)
{
    struct gri_sse s;
    gr_code rc = GR_OK;

    gri_sse_init(&s, 0, 0, on_sse, f);
    for (size_t at = 0; at < len && rc == GR_OK && f->err == NULL; at += piece)
        rc = gri_sse_feed(&s, text + at, len - at < piece ? len - at : piece, NULL, NULL);
    if (rc == GR_OK && f->err == NULL)
        (void)gri_sse_end(&s, NULL);
    gri_sse_fini(&s);
}

static void feed_lines(struct feed *f, const char *text, size_t len, size_t piece)
{
    struct gri_ndjson n;
    gr_code rc = GR_OK;

    gri_ndjson_init(&n, 0, on_line, f);
    for (size_t at = 0; at < len && rc == GR_OK && f->err == NULL; at += piece)
        rc = gri_ndjson_feed(&n, text + at, len - at < piece ? len - at : piece, NULL, NULL);
    if (rc == GR_OK && f->err == NULL)
        (void)gri_ndjson_end(&n, NULL);
    gri_ndjson_fini(&n);
}

/* stream gives the message that the chunks add up to, or why there is none; nil if nothing came. */
static gr_value *stream(const struct gri_provider *p, const char *text, size_t len, size_t piece)
{
    struct feed f = { .reader = &p->reader };
    gr_value *body = gr_map(GR_KV("tools", gr_list(gr_nil())));

    f.state = p->reader.state_size == 0 ? NULL : gri_alloc0(p->reader.state_size);
    if (p->reader.begin != NULL && piece % 2 == 0)
        p->reader.begin(f.state, body);
    if (p->reader.framing == GRI_NDJSON)
        feed_lines(&f, text, len, piece);
    else
        feed_sse(&f, text, len, piece);
    if (f.err == NULL && f.last && p->reader.end != NULL)
        take(&f, p->reader.end(f.state));
    if (p->reader.drop != NULL && f.state != NULL)
        p->reader.drop(f.state);
    gri_free(f.state);
    gr_value_unref(body);
    if (f.err != NULL) {
        gr_value_unref(f.sum);
        return f.err;
    }
    if (f.sum == NULL)
        return gr_nil();
    f.sum = gr_message_of_chunk(f.sum);
    must(gr_error_code(f.sum) != GR_OK || gr_get(f.sum, "content") != NULL);
    return f.sum;
}

/* check_request: what a model said can be said to one again, and any prompt gives a body or an error. */
static void check_request(const struct gri_provider *p, gr_value *prompt)
{
    gr_value *messages = gr_messages_coerce(prompt), *params, *body;

    params = gr_map(GR_KV("model", gr_str("m")), GR_KV("tools", gr_list(gr_value_ref(messages))),
                    GR_KV("tool_choice", gr_str("any")));
    if (gr_error_code(messages) == GR_OK) {
        body = p->request(&(struct gri_model_ask){
            .messages = messages, .params = params, .version = "2023-06-01", .stream = true });
        must(gr_error_code(body) != GR_OK || gr_get(body, "messages") != NULL ||
             gr_get(body, "input") != NULL);
        gr_value_unref(body);
    }
    gr_value_unref(params);
    gr_value_unref(messages);
}

static void check_whole(const struct gri_provider *p, const char *text, size_t len)
{
    gr_value *err = p->reader.refusal(&(struct gri_refusal){
                 .status = 500, .body = text, .len = len, .retry_after_ms = -1 }),
             *json = gr_json_parse(text, len, NULL), *m;

    must(gr_error_code(err) != GR_OK && gr_error_text(err)[0] != '\0');
    gr_value_unref(err);
    if (gr_error_code(json) == GR_OK) {
        m = p->reader.answer(json, 1);
        if (gr_error_code(m) == GR_OK) {
            must(gr_get(m, "content") != NULL && gr_get(m, "type") != NULL);
            check_request(p, gr_value_ref(m));
        }
        gr_value_unref(m);
        check_request(p, gr_value_ref(json));
    }
    gr_value_unref(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_cost cost = fuzz_begin();
    const struct gri_provider *p;
    gr_value *whole, *cut;
    const char *text;
    size_t piece;

    if (size < 2)
        return 0;
    p = providers[data[0] % (sizeof(providers) / sizeof(providers[0]))];
    piece = 2 * (size_t)data[1] + 2; /* even and odd ones begin differently */
    text = (const char *)data + 2;
    size -= 2;
    whole = stream(p, text, size, (size + 2) / 2 * 2);
    cut = stream(p, text, size, piece);
    must(gr_error_code(whole) == gr_error_code(cut));
    must(gr_error_code(whole) != GR_OK || gr_equal(whole, cut));
    if (gr_error_code(whole) == GR_OK && !gr_is_nil(whole))
        check_request(p, gr_value_ref(whole));
    gr_value_unref(whole);
    gr_value_unref(cut);
    gr_value_unref(stream(p, text, size, piece + 1));
    check_whole(p, text, size);
    fuzz_end(&cost, size, 1024);
    return 0;
}
