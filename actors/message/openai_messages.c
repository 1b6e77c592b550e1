/* SPDX-License-Identifier: Apache-2.0 */
/* openai_messages.c - gr_convert_to_openai_messages: what a client of OpenAI's would send, for who sends it himself. */
#include <greenroom/message.h>
#include <greenroom/messages.h>

#include <string.h>

#include "actors/model/openai_wire.h"
#include "runtime/base/strbuf.h"

/* joined gives the texts of a content of nothing but text, a line each; NULL: there is something else. */
static gr_value *joined(const gr_value *content)
{
    struct gri_strbuf b = GRI_STRBUF_INIT;
    gr_value *text;

    for (size_t i = 0; i < gr_len(content); i++) {
        const gr_value *part = gr_at(content, i);

        if (strcmp(gr_cstr(gr_get(part, "type"), ""), "text") != 0) {
            gri_strbuf_fini(&b);
            return NULL;
        }
        if (i > 0)
            gri_strbuf_addc(&b, '\n');
        gri_strbuf_adds(&b, gr_cstr(gr_get(part, "text"), ""));
    }
    text =
        b.failed ? gr_error(GR_ENOMEM, "out of memory") : gr_strn(b.len > 0 ? b.data : "", b.len);
    gri_strbuf_fini(&b);
    return text;
}

/* formed gives a message its content in the form that was asked for; one that only has calls has an empty one. */
static gr_value *formed(gr_value *m, bool blocks)
{
    const gr_value *content = gr_get(m, "content");
    gr_value *text;

    if (gr_is_nil(content))
        return gr_set(m, "content", blocks ? gr_list_n(NULL, 0) : gr_str(""));
    if (blocks && gr_value_type(content) == GR_STR)
        return gr_set(m, "content",
                      gr_len(content) == 0 ? gr_list_n(NULL, 0)
                                           : gr_list(gr_map(GR_KV("type", gr_str("text")),
                                                            GR_KV("text", gr_value_ref(content)))));
    if (blocks || gr_value_type(content) != GR_LIST || (text = joined(content)) == NULL)
        return m;
    return gr_set(m, "content", text);
}

/* named puts in the name of a tool's message, which a client does not send. */
static gr_value *named(gr_value *sent, const gr_value *m)
{
    const gr_value *name = gr_get(m, "name");

    return gr_len(name) > 0 && gr_get(sent, "name") == NULL
               ? gr_set(sent, "name", gr_value_ref(name))
               : sent;
}

gr_value *gr_convert_to_openai_messages(const gr_value *messages, const char *text_format)
{
    bool blocks = text_format != NULL && strcmp(text_format, "block") == 0;
    gr_value *list, *sent, *out;

    if (!blocks && text_format != NULL && strcmp(text_format, "string") != 0)
        return gr_error(GR_EINVAL, "text_format '%.40s': expected string or block", text_format);
    list = gr_messages_coerce(gr_value_ref(messages));
    if (gr_error_code(list) != GR_OK)
        return list;
    sent = gri_openai_messages(list);
    if (gr_error_code(sent) != GR_OK) {
        gr_value_unref(list);
        return sent;
    }
    out = gr_list_n(NULL, 0);
    for (size_t i = 0; i < gr_len(sent); i++)
        out = gr_append(out, named(formed(gr_value_ref(gr_at(sent, i)), blocks), gr_at(list, i)));
    gr_value_unref(sent);
    gr_value_unref(list);
    return out;
}
