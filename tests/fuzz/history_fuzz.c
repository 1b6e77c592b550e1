/* SPDX-License-Identifier: Apache-2.0 */
/*
 * history_fuzz.c - the file of a conversation: any bytes give messages or an error that names a line;
 * what is read is the same without the torn end, and is read again from what would be written of it.
 */
#include "actors/message/history_lines.h"

#include <greenroom/codec.h>

#include "tests/fuzz/fuzz.h"

static void writes_and_reads(const gr_value *messages)
{
    gr_value *ids = gr_map(GR_KV("session_id", gr_str("a"))), *again;
    size_t head_len = 0, len = 0;
    char *head = gri_history_head(ids, &head_len), *line = gri_history_line(messages, &len);
    char *all = head != NULL && line != NULL ? malloc(head_len + len) : NULL;

    must(all != NULL);
    memcpy(all, head, head_len);
    memcpy(all + head_len, line, len);
    must(memchr(line, '\n', len) == line + len - 1);
    again = gri_history_read(all, head_len + len);
    must(gr_equal(again, messages));
    gr_value_unref(again);
    free(all);
    gr_free(head);
    gr_free(line);
    gr_value_unref(ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct fuzz_cost cost = fuzz_begin();
    gr_value *v = gri_history_read(text, size), *whole;
    size_t end = size;

    while (end > 0 && text[end - 1] != '\n')
        end--;
    whole = gri_history_read(text, end);
    must(gr_error_code(v) == gr_error_code(whole));
    if (gr_error_code(v) == GR_OK) {
        must(gr_value_type(v) == GR_LIST && gr_equal(v, whole));
        writes_and_reads(v);
    } else {
        must(gr_error_code(v) == GR_ENOMEM || strstr(gr_error_text(v), "line ") != NULL);
    }
    gr_value_unref(v);
    gr_value_unref(whole);
    fuzz_end(&cost, size, 2048);
    return 0;
}
