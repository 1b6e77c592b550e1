/* SPDX-License-Identifier: Apache-2.0 */
/* chat_answer_fuzz.c - any JSON as what a model server says: an answer, a delta, an error,
 * embeddings. */
#include <stdint.h>
#include <stdlib.h>

#include <greenroom/codec.h>
#include <greenroom/message.h>

#include "actors/embed/openai_vectors.h"
#include "actors/model/openai_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gr_value *json, *v, *messages;
    bool finished = false;

    gr_value_unref(gri_openai_error(500, (const char *)data, size, -1));
    json = gr_json_parse((const char *)data, size, NULL);
    if (gr_error_code(json) == GR_OK) {
        v = gri_openai_answer(json);
        if (gr_error_code(v) == GR_OK && gr_get(v, "content") == NULL)
            abort();
        gr_value_unref(v);
        v = gri_openai_chunk(json, &finished);
        if (gr_error_code(v) == GR_OK)
            v = gr_message_of_chunk(gr_add(gr_value_ref(v), v));
        gr_value_unref(v);
        gr_value_unref(gri_openai_vectors(json, gr_len(gr_get(json, "data"))));
        messages = gr_messages_coerce(gr_value_ref(json));
        if (gr_error_code(messages) == GR_OK) {
            gr_value_unref(gri_openai_messages(messages));
            gr_value_unref(gr_messages_text(messages));
        }
        gr_value_unref(messages);
    }
    gr_value_unref(json);
    return 0;
}
