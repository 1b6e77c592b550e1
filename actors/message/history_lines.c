/* SPDX-License-Identifier: Apache-2.0 */
/* history_lines.c - conversations to lines and back. */
#include "actors/message/history_lines.h"

#include <greenroom/codec.h>
#include <greenroom/message.h>

#include <string.h>

#include "runtime/base/strbuf.h"

#define VERSION 1

static char *line_of(gr_value *v, size_t *ret_len)
{
    struct gri_strbuf b = GRI_STRBUF_INIT;
    size_t len = 0;
    char *text = gr_error_code(v) == GR_OK ? gr_json_print(v, 0, &len) : NULL;

    if (text == NULL)
        b.failed = true;
    else
        gri_strbuf_add(&b, text, len);
    gri_strbuf_addc(&b, '\n');
    *ret_len = b.len;
    gr_free(text);
    gr_value_unref(v);
    return gri_strbuf_take(&b);
}

char *gri_history_head(const gr_value *ids, size_t *ret_len)
{
    return line_of(gr_map(GR_KV("greenroom", gr_str("history")), GR_KV("version", gr_int(VERSION)),
                          GR_KV("session", gr_value_ref(ids))),
                   ret_len);
}

char *gri_history_line(const gr_value *messages, size_t *ret_len)
{
    return line_of(gr_value_ref(messages), ret_len);
}

static bool is_head(const gr_value *v)
{
    return strcmp(gr_cstr(gr_get(v, "greenroom"), ""), "history") == 0 &&
           gr_as_int(gr_get(v, "version"), 0) == VERSION;
}

/* messages_of reads one line behind the first. */
static gr_value *messages_of(gr_value *line)
{
    gr_value *list = gr_list_n(NULL, 0);

    if (gr_value_type(line) != GR_LIST) {
        gr_value_unref(line);
        gr_value_unref(list);
        return gr_error(GR_EPROTO, "expected a list of messages");
    }
    for (size_t i = 0; i < gr_len(line); i++) {
        gr_value *m = gr_message_coerce(gr_value_ref(gr_at(line, i)));

        if (gr_error_code(m) != GR_OK) { /* a list may hold an error as it holds any value */
            gr_value_unref(list);
            list = m;
            break;
        }
        list = gr_append(list, m);
    }
    gr_value_unref(line);
    return list;
}

/* at_line says where an error is; one of memory stays what it is. */
static gr_value *at_line(gr_value *err, size_t number)
{
    gr_value *told = gr_error_code(err) == GR_ENOMEM
                         ? gr_value_ref(err)
                         : gr_error(GR_EPROTO, "line %zu: %s", number, gr_error_text(err));

    gr_value_unref(err);
    return told;
}

gr_value *gri_history_read(const char *text, size_t len)
{
    gr_value *all = gr_list_n(NULL, 0);
    const char *end;

    for (size_t number = 1; (end = memchr(text, '\n', len)) != NULL; number++) {
        gr_value *line = gr_json_parse(text, (size_t)(end - text), NULL);

        if (gr_error_code(line) == GR_OK && number > 1) {
            line = messages_of(line);
        } else if (gr_error_code(line) == GR_OK && !is_head(line)) {
            gr_value_unref(line);
            line = gr_error(GR_EPROTO, "this is no history of version %d", VERSION);
        } else if (gr_error_code(line) == GR_OK) {
            gr_value_unref(line);
            line = gr_list_n(NULL, 0);
        }
        if (gr_error_code(line) != GR_OK) {
            gr_value_unref(all);
            return at_line(line, number);
        }
        all = gr_add(all, line);
        len -= (size_t)(end - text) + 1;
        text = end + 1;
    }
    return all;
}
