/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chat_answer_fuzz.c - any JSON as what a model server says: an answer, a delta, an error; and as
 * the messages that go to it.
 */
#include <greenroom/codec.h>
#include <greenroom/message.h>

#include "actors/model/openai_wire.h"
#include "actors/model/responses_wire.h"
#include "tests/fuzz/fuzz.h"

static void check_answer(const gr_value *json)
{
    gr_value *v = gri_openai_answer(json);

    if (gr_error_code(v) == GR_OK)
        must(gr_get(v, "content") != NULL && gr_get(v, "type") != NULL);
    gr_value_unref(v);
}

/* check_chunk: the sum of chunks is a message; some chunks say nothing. */
static void check_chunk(const gr_value *json)
{
    struct gri_openai_stream stream = { .usage = NULL };
    bool finished = false;
    gr_value *v = gri_openai_event(&stream, "message", json, &finished);

    if (gr_error_code(v) == GR_OK && !gr_is_nil(v)) {
        v = gr_message_of_chunk(gr_add(gr_value_ref(v), v));
        must(gr_error_code(v) != GR_OK || gr_get(v, "content") != NULL);
    }
    gr_value_unref(v);
    gr_value_unref(gri_openai_end(&stream));
    gri_openai_drop(&stream);
}

static void check_response(const gr_value *json)
{
    gr_value *v = gri_responses_answer(json);

    if (gr_error_code(v) == GR_OK)
        must(gr_value_type(gr_get(v, "content")) == GR_LIST && gr_get(v, "type") != NULL);
    gr_value_unref(v);
}

/* check_events: one event, or a list of them as a stream; what they say adds up. */
static void check_events(const gr_value *json)
{
    struct gri_responses_stream stream = { .id = NULL };
    bool list = gr_value_type(json) == GR_LIST, finished = false;
    gr_value *sum = NULL;

    for (size_t i = 0; i < (list ? gr_len(json) : 1); i++) {
        gr_value *v =
            gri_responses_event(&stream, "message", list ? gr_at(json, i) : json, &finished);

        if (gr_error_code(v) == GR_OK && !gr_is_nil(v) && gr_error_code(sum) == GR_OK)
            sum = sum == NULL ? v : gr_add(sum, v);
        else
            gr_value_unref(v);
    }
    if (sum != NULL)
        sum = gr_message_of_chunk(sum);
    gr_value_unref(sum);
    gri_responses_drop(&stream);
}

static void check_messages(const gr_value *json)
{
    gr_value *messages = gr_messages_coerce(gr_value_ref(json)), *again;

    if (gr_error_code(messages) == GR_OK) {
        gr_value_unref(gri_openai_messages(messages));
        gr_value_unref(gri_responses_input(messages, 0, true));
        gr_value_unref(gr_messages_text(messages));
        again = gr_messages_coerce(gr_value_ref(messages));
        must(gr_equal(messages, again)); /* messages are messages */
        gr_value_unref(again);
    }
    gr_value_unref(messages);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_cost cost = fuzz_begin();
    const char *text = (const char *)data;
    gr_value *err = gri_openai_refusal(&(struct gri_refusal){
                 .status = 500, .body = text, .len = size, .retry_after_ms = -1 }),
             *json;

    must(gr_error_code(err) != GR_OK && gr_error_text(err)[0] != '\0');
    gr_value_unref(err);
    json = gr_json_parse(text, size, NULL);
    if (gr_error_code(json) == GR_OK) {
        check_answer(json);
        check_chunk(json);
        check_response(json);
        check_events(json);
        check_messages(json);
    }
    gr_value_unref(json);
    fuzz_end(&cost, size, 512);
    return 0;
}
