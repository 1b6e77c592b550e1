/* SPDX-License-Identifier: Apache-2.0 */
/* ndjson_test.c - runtime/http/ndjson.h. */
#include "runtime/http/ndjson.h"

#include <string.h>

#include "tests/support/test.h"

struct log {
    char text[1024]; /* each line followed by | */
    size_t len, count, stop_after;
};

static bool note(void *arg, const char *line, size_t len)
{
    struct log *log = arg;

    cr_assert_lt(log->len + len + 2, sizeof(log->text));
    memcpy(log->text + log->len, line, len);
    log->len += len;
    log->text[log->len++] = '|';
    log->text[log->len] = '\0';
    log->count++;
    return log->stop_after != log->count;
}

static void expect(const char *text, bool end, const char *want)
{
    size_t len = strlen(text);

    for (size_t piece = 1; piece <= len + 1; piece++) {
        struct log log = { .len = 0 };
        struct gri_ndjson n;

        gri_ndjson_init(&n, 0, note, &log);
        for (size_t at = 0; at < len; at += piece)
            cr_assert_eq(
                gri_ndjson_feed(&n, text + at, len - at < piece ? len - at : piece, NULL, NULL),
                GR_OK);
        if (end)
            cr_assert_eq(gri_ndjson_end(&n, NULL), GR_OK);
        gri_ndjson_fini(&n);
        cr_assert_str_eq(log.text, want, "in pieces of %zu", piece);
    }
}

Test(ndjson, gives_out_lines_however_they_are_cut)
{
    expect("{\"a\":1}\n{\"b\":2}\n", false, "{\"a\":1}|{\"b\":2}|");
    expect("{\"a\":\"\xC3\xBC\"}\r\n{}\r\n", false, "{\"a\":\"\xC3\xBC\"}|{}|");
}

Test(ndjson, skips_blank_lines)
{
    expect("\n\r\n \t\r\n1\n\n\n2\n", false, "1|2|");
}

Test(ndjson, a_cr_inside_a_line_stays)
{
    expect("a\rb\r\r\n", false, "a\rb\r|");
}

Test(ndjson, the_end_gives_out_a_last_line_without_its_end)
{
    expect("1\n2", true, "1|2|");
    expect("1\n2\r", true, "1|2|");
    expect("1\n2", false, "1|");
    expect("1\n  ", true, "1|");
}

Test(ndjson, stops_behind_a_line_when_asked_to)
{
    struct log log = { .stop_after = 2 };
    struct gri_ndjson n;
    size_t used = 0;

    gri_ndjson_init(&n, 0, note, &log);
    cr_assert_eq(gri_ndjson_feed(&n, "1\n2\n3\n4", 7, &used, NULL), GR_OK);
    cr_assert_eq(used, 4u);
    cr_assert_eq(gri_ndjson_feed(&n, "3\n4", 3, &used, NULL), GR_OK);
    cr_assert_eq(used, 3u);
    cr_assert_eq(gri_ndjson_end(&n, NULL), GR_OK);
    cr_assert_str_eq(log.text, "1|2|3|4|");
    gri_ndjson_fini(&n);
}

Test(ndjson, refuses_a_line_over_its_limit_whole_or_in_pieces)
{
    static const char text[] = "1234\n12345\n6";
    size_t len = sizeof(text) - 1;

    for (size_t piece = 1; piece <= len; piece++) {
        struct log log = { .len = 0 };
        struct gri_ndjson n;
        gr_value *err = NULL;
        gr_code rc = GR_OK;

        gri_ndjson_init(&n, 4, note, &log);
        for (size_t at = 0; at < len && rc == GR_OK; at += piece)
            rc = gri_ndjson_feed(&n, text + at, len - at < piece ? len - at : piece, NULL, &err);
        cr_assert_eq(rc, GR_ENOMEM);
        cr_assert_str_eq(gr_error_text(err), "JSON lines: a line of more than 4 bytes");
        cr_assert_str_eq(log.text, "1234|");
        gr_value_unref(err);
        cr_assert_eq(gri_ndjson_feed(&n, "1\n", 2, NULL, NULL), GR_ENOMEM, "a failure sticks");
        cr_assert_eq(gri_ndjson_end(&n, NULL), GR_ENOMEM);
        gri_ndjson_fini(&n);
    }
}
