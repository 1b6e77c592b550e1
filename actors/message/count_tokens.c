/* SPDX-License-Identifier: Apache-2.0 */
/* count_tokens.c - gr_count_tokens_approximately: by the number of characters, as langchain-core's. */
#include <greenroom/codec.h>
#include <greenroom/messages.h>

#include <string.h>

#include "actors/message/role.h"

#define CHARS_PER_TOKEN 4
#define TOKENS_PER_MESSAGE 3
#define TOKENS_PER_IMAGE 85

static int64_t chars_of(const gr_value *text)
{
    const char *s = gr_cstr(text, "");
    int64_t n = 0;

    for (size_t i = 0; i < gr_len(text); i++)
        n += ((unsigned char)s[i] & 0xc0) != 0x80;
    return n;
}

/* printed_chars is how long a value is as JSON. */
static int64_t printed_chars(const gr_value *v)
{
    size_t len = 0;
    char *json = gr_json_print(v, 0, &len);

    gr_free(json);
    return json != NULL ? (int64_t)len : -1;
}

/* add_content adds the characters of a content; false: out of memory. */
static bool add_content(const gr_value *content, int64_t *chars, int64_t *tokens)
{
    if (gr_value_type(content) == GR_STR)
        *chars += chars_of(content);
    for (size_t i = 0; gr_value_type(content) == GR_LIST && i < gr_len(content); i++) {
        const gr_value *block = gr_at(content, i);
        const char *type = gr_cstr(gr_get(block, "type"), "");
        int64_t n;

        if (strcmp(type, "image") == 0 || strcmp(type, "image_url") == 0) {
            *tokens += TOKENS_PER_IMAGE;
            continue;
        }
        if (gr_value_type(block) == GR_STR)
            n = chars_of(block);
        else if (strcmp(type, "text") == 0)
            n = chars_of(gr_get(block, "text"));
        else
            n = printed_chars(block);
        if (n < 0)
            return false;
        *chars += n;
    }
    return true;
}

static const char *openai_role(const struct gri_role *role, const gr_value *message)
{
    switch (role->kind) {
    case GRI_HUMAN: return "user";
    case GRI_AI: return "assistant";
    case GRI_CHAT: return gr_cstr(gr_get(message, "role"), "");
    case GRI_SYSTEM: return "system";
    case GRI_TOOL: return "tool";
    case GRI_FUNCTION: return "function";
    case GRI_REMOVE: break;
    }
    return "";
}

/* tokens_of counts one message; -1: it is none, or out of memory. */
static int64_t tokens_of(const gr_value *message)
{
    const struct gri_role *role = gri_role_of(message);
    const gr_value *content = gr_get(message, "content"), *calls = gr_get(message, "tool_calls");
    int64_t chars = 0, tokens = TOKENS_PER_MESSAGE;

    if (role == NULL || !add_content(content, &chars, &tokens))
        return -1;
    if (role->kind == GRI_AI && gr_value_type(content) != GR_LIST && gr_len(calls) > 0) {
        int64_t n = printed_chars(calls);

        if (n < 0)
            return -1;
        chars += n;
    }
    if (role->kind == GRI_TOOL)
        chars += chars_of(gr_get(message, "tool_call_id"));
    chars += (int64_t)strlen(openai_role(role, message)) + chars_of(gr_get(message, "name"));
    return tokens + (chars + CHARS_PER_TOKEN - 1) / CHARS_PER_TOKEN;
}

int64_t gr_count_tokens_approximately(const gr_value *messages)
{
    int64_t sum = 0;

    if (gr_value_type(messages) != GR_LIST)
        return -1;
    for (size_t i = 0; i < gr_len(messages); i++) {
        int64_t n = tokens_of(gr_at(messages, i));

        if (n < 0)
            return -1;
        sum += n;
    }
    return sum;
}
