/* SPDX-License-Identifier: Apache-2.0 */
/* tokens.c - characters by four. */
#include "actors/message/tokens.h"

#include <greenroom/codec.h>
#include <greenroom/message.h>

#define CHARS_A_TOKEN 4
#define A_MESSAGE 3

/* chars_of counts the characters of UTF-8: its bytes that go on with none. */
static int64_t chars_of(const char *text, size_t len)
{
    int64_t count = 0;

    for (size_t i = 0; i < len; i++)
        count += ((unsigned char)text[i] & 0xc0) != 0x80;
    return count;
}

static int64_t chars_of_value(const gr_value *v)
{
    int64_t count = 0;
    size_t len = 0;
    char *text;

    if (gr_is_nil(v))
        return 0;
    if (gr_value_type(v) == GR_STR)
        return chars_of(gr_cstr(v, ""), gr_len(v));
    text = gr_json_print(v, 0, &len);
    if (text != NULL)
        count = chars_of(text, len);
    gr_free(text);
    return count;
}

static int64_t tokens_of(int64_t chars)
{
    return (chars + CHARS_A_TOKEN - 1) / CHARS_A_TOKEN;
}

static int64_t tokens_of_message(const gr_value *m)
{
    gr_value *text = gr_message_text(m);
    int64_t chars = chars_of_value(gr_error_code(text) == GR_OK ? text : gr_get(m, "content"));

    gr_value_unref(text);
    chars += chars_of_value(gr_get(m, "type")) + chars_of_value(gr_get(m, "name"));
    chars += chars_of_value(gr_get(m, "tool_calls")) + chars_of_value(gr_get(m, "tool_call_id"));
    return tokens_of(chars) + A_MESSAGE;
}

int64_t gri_tokens_about(const gr_value *v)
{
    gr_value *messages = gr_messages_coerce(v != NULL ? gr_value_ref(v) : gr_nil());
    int64_t count = 0;

    if (gr_error_code(messages) != GR_OK)
        count = tokens_of(chars_of_value(v));
    else
        for (size_t i = 0; i < gr_len(messages); i++)
            count += tokens_of_message(gr_at(messages, i));
    gr_value_unref(messages);
    return count;
}
