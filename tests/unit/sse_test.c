/* SPDX-License-Identifier: Apache-2.0 */
/* sse_test.c - runtime/http/sse.h. */
#include "runtime/http/sse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/test.h"

/* log holds what came, one event as "name|data|id|retry;" with \n shown as /. */
struct log {
    char text[4096];
    size_t len, count;
    size_t stop_after; /* on_event returns false at this event; 0: never */
};

static bool note(void *arg, const struct gri_sse_event *e)
{
    struct log *log = arg;
    size_t start = log->len;

    cr_assert_eq(e->data[e->data_len], '\0');
    log->len += (size_t)snprintf(log->text + log->len, sizeof(log->text) - log->len,
                                 "%s|%s%s|%s|%lld;", e->name, e->data, e->has_data ? "" : "(none)",
                                 e->id, (long long)e->retry_ms);
    for (size_t i = start; i < log->len; i++)
        if (log->text[i] == '\n')
            log->text[i] = '/';
    log->count++;
    return log->stop_after != log->count;
}

/* parse feeds text in pieces of `piece` bytes and returns what came out. */
static const char *parse(struct log *log, const char *text, size_t len, size_t piece, bool end)
{
    struct gri_sse s;
    gr_value *err = NULL;

    memset(log, 0, sizeof(*log));
    gri_sse_init(&s, 0, 0, note, log);
    for (size_t at = 0; at < len; at += piece) {
        size_t n = len - at < piece ? len - at : piece, used = 0;

        cr_assert_eq(gri_sse_feed(&s, text + at, n, &used, &err), GR_OK);
        cr_assert_eq(used, n);
    }
    if (end)
        cr_assert_eq(gri_sse_end(&s, &err), GR_OK);
    gri_sse_fini(&s);
    return log->text;
}

/* expect parses text whole and cut at every size: the outcome must be the same. */
static void expect(const char *text, bool end, const char *want)
{
    struct log log;
    size_t len = strlen(text);

    for (size_t piece = 1; piece <= len + 1; piece++)
        cr_assert_str_eq(parse(&log, text, len, piece, end), want, "in pieces of %zu", piece);
}

Test(sse, gives_out_an_event_at_a_blank_line)
{
    expect("data: one\n\ndata: two\n\n", false, "message|one||-1;message|two||-1;");
}

Test(sse, takes_all_three_line_ends_however_they_are_cut)
{
    expect("data: a\r\n\r\ndata: b\r\rdata: c\n\n", false,
           "message|a||-1;message|b||-1;message|c||-1;");
    expect("data: a\r\ndata: b\r\n\r\n", false, "message|a/b||-1;");
    expect("data: a\n\r\n", false, "message|a||-1;");
    expect("data: a\r\n\ndata: b\n\n", false, "message|a||-1;message|b||-1;");
}

Test(sse, gives_out_at_the_cr_of_a_blank_line_without_waiting_for_an_lf)
{
    expect("data: a\r\r", false, "message|a||-1;");
    expect("data: a\r\n\r", false, "message|a||-1;");
}

Test(sse, joins_data_lines_with_a_newline)
{
    expect("data: {\ndata:   \"a\": 1\ndata: }\n\n", false, "message|{/  \"a\": 1/}||-1;");
    expect("data:\ndata:\n\n", false, "message|/||-1;");
}

Test(sse, drops_exactly_one_leading_space)
{
    expect("data:a\n\ndata: a\n\ndata:  a\n\n", false,
           "message|a||-1;message|a||-1;message| a||-1;");
}

Test(sse, reads_name_id_and_retry)
{
    expect("event: delta\nid: 7\nretry: 1500\ndata: x\n\ndata: y\n\n", false,
           "delta|x|7|1500;message|y|7|-1;");
    expect("id: 7\ndata: x\n\nid\ndata: y\n\n", false, "message|x|7|-1;message|y||-1;");
}

Test(sse, ignores_a_retry_that_is_no_number)
{
    expect("retry: 1s\ndata: x\n\nretry:\ndata: y\n\nretry: 99999999999999999999\ndata: z\n\n",
           false, "message|x||-1;message|y||-1;message|z||-1;");
}

Test(sse, skips_comments_and_unknown_fields)
{
    expect(": ping\n\n: OPENROUTER PROCESSING\n\n:\nfoo: bar\nnothing\ndata: x\n\n", false,
           "message|x||-1;");
}

Test(sse, drops_one_byte_order_mark_at_the_start_only)
{
    expect("\xEF\xBB\xBF"
           "data: a\n\n\xEF\xBB\xBF"
           "data: b\n\n",
           false, "message|a||-1;");
}

Test(sse, an_empty_data_field_is_an_event_and_no_field_is_none)
{
    expect("data\n\n\n\nid: 1\n\n", false, "message|||-1;");
}

Test(sse, gives_out_a_name_without_data)
{
    expect("event: end\r\n\r\n", false, "end|(none)||-1;");
}

Test(sse, an_error_field_is_an_event_named_error)
{
    expect("error: {\"code\":500}\n\n", false, "error|{\"code\":500}||-1;");
}

Test(sse, the_end_gives_out_what_lacks_its_blank_line)
{
    expect("data: a\n\ndata: b", true, "message|a||-1;message|b||-1;");
    expect("data: a\n", true, "message|a||-1;");
    expect("data: a\n\n", true, "message|a||-1;");
    expect("", true, "");
}

Test(sse, without_an_end_nothing_half_is_given_out)
{
    expect("data: a\n\ndata: {\"half", false, "message|a||-1;");
}

Test(sse, keeps_nul_bytes_in_data_and_refuses_them_in_ids)
{
    static const char text[] = "id: a\0b\ndata: x\0y\n\n";
    struct log log;

    parse(&log, text, sizeof(text) - 1, 3, false);
    cr_assert_eq(log.count, 1u);
    cr_assert_str_eq(log.text, "message|x||-1;");
}

Test(sse, passes_on_characters_cut_in_the_middle)
{
    expect("data: \xC3\xBC\xF0\x9F\x8E\xAD\n\n", false, "message|\xC3\xBC\xF0\x9F\x8E\xAD||-1;");
}

Test(sse, stops_behind_an_event_when_asked_to_and_goes_on_from_there)
{
    static const char text[] = "data: a\r\n\r\ndata: b\r\n\r\n";
    struct log log = { .stop_after = 1 };
    struct gri_sse s;
    size_t used = 0, more = 0;

    gri_sse_init(&s, 0, 0, note, &log);
    cr_assert_eq(gri_sse_feed(&s, text, sizeof(text) - 1, &used, NULL), GR_OK);
    cr_assert_str_eq(log.text, "message|a||-1;");
    cr_assert_lt(used, sizeof(text) - 1);
    cr_assert_eq(gri_sse_feed(&s, text + used, sizeof(text) - 1 - used, &more, NULL), GR_OK);
    cr_assert_str_eq(log.text, "message|a||-1;message|b||-1;");
    cr_assert_eq(used + more, sizeof(text) - 1);
    gri_sse_fini(&s);
}

Test(sse, refuses_a_line_over_its_limit_whole_or_in_pieces)
{
    static const char text[] = "data: 7890123456\ndata: 78901234567\n\n\n\n\n";
    size_t len = sizeof(text) - 1;

    for (size_t piece = 1; piece <= len; piece += 13) {
        struct log log = { .len = 0 };
        struct gri_sse s;
        gr_value *err = NULL;
        gr_code rc = GR_OK;

        gri_sse_init(&s, 16, 0, note, &log);
        for (size_t at = 0; at < len && rc == GR_OK; at += piece)
            rc = gri_sse_feed(&s, text + at, len - at < piece ? len - at : piece, NULL, &err);
        cr_assert_eq(rc, GR_ENOMEM);
        cr_assert_str_eq(gr_error_text(err), "event stream: a line of more than 16 bytes");
        cr_assert_eq(log.count, 0u);
        gr_value_unref(err);
        err = NULL;
        cr_assert_eq(gri_sse_feed(&s, "\n", 1, NULL, &err), GR_ENOMEM, "a failure sticks");
        gr_value_unref(err);
        cr_assert_eq(gri_sse_end(&s, NULL), GR_ENOMEM);
        gri_sse_fini(&s);
    }
}

Test(sse, refuses_an_event_over_its_limit)
{
    struct log log = { .len = 0 };
    struct gri_sse s;
    gr_value *err = NULL;

    gri_sse_init(&s, 0, 10, note, &log);
    cr_assert_eq(gri_sse_feed(&s, "data: 12345\ndata: 7890\n\n", 24, NULL, &err), GR_OK);
    cr_assert_eq(log.count, 1u);
    cr_assert_eq(gri_sse_feed(&s, "data: 12345\ndata: 78901\n\n", 25, NULL, &err), GR_ENOMEM);
    cr_assert_str_eq(gr_error_text(err), "event stream: an event of more than 10 bytes");
    cr_assert_eq(log.count, 1u);
    gr_value_unref(err);
    gri_sse_fini(&s);
}
