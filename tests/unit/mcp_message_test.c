/* SPDX-License-Identifier: Apache-2.0 */
/* mcp_message_test.c - JSON-RPC as MCP has it, headers that mirror arguments, content: pure functions. */
#include <string.h>

#include <greenroom/codec.h>

#include "actors/mcp/mcp_content.h"
#include "actors/mcp/mcp_message.h"
#include "runtime/base/base64.h"

#include "tests/support/test.h"

static gr_value *json(const char *text)
{
    gr_value *v = gr_json_parse(text, strlen(text), NULL);

    cr_assert_eq(gr_error_code(v), GR_OK, "%s: %s", text, gr_error_text(v));
    return v;
}

/* is compares a value, which it takes, with JSON; bytes count as their base64. */
static void is(gr_value *v, const char *expected)
{
    gr_value *due = json(expected);
    char *got = gr_json_print(v, 0, NULL), *same = gr_json_print(due, 0, NULL);

    cr_assert_str_eq(got, same, "%s (%s)", got, gr_error_text(v));
    gr_free(got);
    gr_free(same);
    gr_value_unref(due);
    gr_value_unref(v);
}

Test(mcp_message, tells_what_a_message_is)
{
    static const struct {
        const char *text;
        int kind; /* -1: none */
    } cases[] = {
        { "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}", GRI_MCP_REQUEST },
        { "{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"ping\",\"params\":{}}", GRI_MCP_REQUEST },
        { "{\"jsonrpc\":\"2.0\",\"method\":\"x\"}", GRI_MCP_NOTIFICATION },
        { "{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"x\"}", GRI_MCP_NOTIFICATION },
        { "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}", GRI_MCP_RESULT },
        { "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":1}}", GRI_MCP_ERROR },
        { "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{}}", GRI_MCP_ERROR },
        { "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{},\"error\":{}}", -1 },
        { "{\"jsonrpc\":\"2.0\",\"id\":1}", -1 },
        { "{\"jsonrpc\":\"2.0\",\"result\":{}}", -1 },
        { "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":3}", -1 },
        { "{\"jsonrpc\":\"2.0\",\"id\":1.5,\"result\":{}}", -1 },
        { "{\"jsonrpc\":\"2.0\",\"id\":[],\"method\":\"x\"}", -1 },
        { "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":2}", -1 },
        { "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"params\":[]}", -1 },
        { "{\"jsonrpc\":\"1.0\",\"id\":1,\"result\":{}}", -1 },
        { "{\"id\":1,\"result\":{}}", -1 },
        { "[]", -1 },
        { "null", -1 },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        gr_value *v = json(cases[i].text);
        struct gri_mcp_message m;
        gr_value *err = gri_mcp_read(v, &m);

        cr_assert_eq(err != NULL, cases[i].kind < 0, "%s", cases[i].text);
        if (err == NULL)
            cr_assert_eq((int)m.kind, cases[i].kind, "%s", cases[i].text);
        gr_value_unref(err);
        gr_value_unref(v);
    }
}

Test(mcp_message, picks_the_best_version_that_both_know)
{
    gr_value *both = json("[\"2024-11-05\",\"2026-07-28\",\"2025-11-25\"]"),
             *old = json("[\"2024-11-05\",\"2025-06-18\"]"), *none = json("[\"2030-01-01\",3]");

    cr_assert_str_eq(gri_mcp_common_version(both), "2026-07-28");
    cr_assert_str_eq(gri_mcp_common_version(old), "2025-06-18");
    cr_assert_null(gri_mcp_common_version(none));
    cr_assert_null(gri_mcp_common_version(NULL));
    gr_value_unref(both);
    gr_value_unref(old);
    gr_value_unref(none);
}

static void header_is(gr_value *v, const char *expected)
{
    struct gri_strbuf b = GRI_STRBUF_INIT;

    cr_assert_eq(gri_mcp_header_value(&b, v), expected != NULL);
    if (expected != NULL)
        cr_assert_str_eq(b.data != NULL ? b.data : "", expected);
    gri_strbuf_fini(&b);
    gr_value_unref(v);
}

Test(mcp_message, header_values_are_as_the_specification_shows)
{
    header_is(gr_str("us-west1"), "us-west1");
    header_is(gr_str("Hello, 世界"), "=?base64?SGVsbG8sIOS4lueVjA==?=");
    header_is(gr_str(" padded "), "=?base64?IHBhZGRlZCA=?=");
    header_is(gr_str("line1\nline2"), "=?base64?bGluZTEKbGluZTI=?=");
    header_is(gr_str("=?base64?literal?="), "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?=");
    header_is(gr_int(-7), "-7");
    header_is(gr_bool(true), "true");
    header_is(gr_str(""), "");
    header_is(gr_nil(), NULL);
    header_is(gr_real(1.5), NULL);
}

Test(mcp_message, finds_the_arguments_that_go_into_headers)
{
    static const struct {
        const char *schema, *found; /* NULL: the tool is unfit */
    } cases[] = {
        { "{\"type\":\"object\"}", "[]" },
        { "{\"properties\":{\"a\":{\"type\":\"string\",\"x-mcp-header\":\"Region\"},\"b\":{\"type\":"
          "\"object\",\"properties\":{\"c\":{\"type\":\"integer\",\"x-mcp-header\":\"N\"}}}}}",
          "[{\"header\":\"Mcp-Param-Region\",\"path\":[\"a\"]},{\"header\":\"Mcp-Param-N\",\"path\":[\"b\","
          "\"c\"]}]" },
        { "{\"properties\":{\"a\":{\"type\":\"number\",\"x-mcp-header\":\"A\"}}}", NULL },
        { "{\"properties\":{\"a\":{\"type\":\"string\",\"x-mcp-header\":\"\"}}}", NULL },
        { "{\"properties\":{\"a\":{\"type\":\"string\",\"x-mcp-header\":\"two words\"}}}", NULL },
        { "{\"properties\":{\"a\":{\"type\":\"string\",\"x-mcp-header\":3}}}", NULL },
        { "{\"properties\":{\"a\":{\"type\":\"string\",\"x-mcp-header\":\"A\"},\"b\":{\"type\":\"string\","
          "\"x-mcp-header\":\"a\"}}}",
          NULL },
        { "{\"properties\":{\"a\":{\"type\":\"array\",\"items\":{\"type\":\"string\",\"x-mcp-header\":\"A\"}}}}",
          NULL },
        { "{\"anyOf\":[{\"properties\":{\"a\":{\"type\":\"string\",\"x-mcp-header\":\"A\"}}}]}",
          NULL },
        { "{\"$defs\":{\"d\":{\"type\":\"string\",\"x-mcp-header\":\"A\"}}}", NULL },
        { "{\"x-mcp-header\":\"A\"}", NULL },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        gr_value *schema = json(cases[i].schema), *found = gri_mcp_param_headers(schema);

        cr_assert_eq(gr_error_code(found) == GR_OK, cases[i].found != NULL, "%s", cases[i].schema);
        if (cases[i].found != NULL)
            is(found, cases[i].found);
        else
            gr_value_unref(found);
        gr_value_unref(schema);
    }
}

static void content_is(const char *mcp, const char *expected)
{
    gr_value *v = json(mcp), *made = gri_mcp_content(v);

    if (expected != NULL)
        is(made, expected);
    else
        cr_assert_eq(gr_error_code(made), GR_EPROTO, "%s", mcp);
    if (expected == NULL)
        gr_value_unref(made);
    gr_value_unref(v);
}

Test(mcp_message, content_becomes_langchains)
{
    content_is("[{\"type\":\"text\",\"text\":\"a\"}]", "\"a\"");
    content_is("[]", "[]");
    content_is("[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"text\",\"text\":\"b\"}]",
               "[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"text\",\"text\":\"b\"}]");
    content_is("[{\"type\":\"image\",\"data\":\"AA==\",\"mimeType\":\"image/png\"}]",
               "[{\"type\":\"image\",\"base64\":\"AA==\",\"mime_type\":\"image/png\"}]");
    content_is("[{\"type\":\"audio\",\"data\":\"AA==\",\"mimeType\":\"audio/wav\"}]",
               "[{\"type\":\"audio\",\"base64\":\"AA==\",\"mime_type\":\"audio/wav\"}]");
    content_is(
        "[{\"type\":\"resource_link\",\"uri\":\"x://1\",\"mimeType\":\"image/gif\"},{\"type\":"
        "\"resource_link\",\"uri\":\"x://2\"}]",
        "[{\"type\":\"image\",\"url\":\"x://1\",\"mime_type\":\"image/gif\"},{\"type\":\"file\","
        "\"url\":\"x://2\"}]");
    content_is("[{\"type\":\"resource\",\"resource\":{\"uri\":\"x://1\",\"text\":\"t\"}}]",
               "\"t\"");
    content_is("[{\"type\":\"resource\",\"resource\":{\"uri\":\"x://1\",\"blob\":\"AA==\"}}]",
               "[{\"type\":\"file\",\"base64\":\"AA==\"}]");
    content_is("{}", NULL);
    content_is("[{\"type\":\"hologram\"}]", NULL);
    content_is("[{\"type\":\"text\"}]", NULL);
    content_is("[{\"type\":\"image\"}]", NULL);
    content_is("[{\"type\":\"resource\",\"resource\":{}}]", NULL);
    content_is("[3]", NULL);
}

Test(mcp_message, prompts_become_messages)
{
    gr_value *v = json(
        "[{\"role\":\"user\",\"content\":{\"type\":\"text\",\"text\":\"a\"}},{\"role\":"
        "\"assistant\",\"content\":{\"type\":\"image\",\"data\":\"AA==\",\"mimeType\":\"image/png\"}}]");
    gr_value *bad = json("[{\"role\":\"wizard\",\"content\":{\"type\":\"text\",\"text\":\"a\"}}]"),
             *made;

    is(gri_mcp_messages(v),
       "[{\"type\":\"human\",\"content\":\"a\"},{\"type\":\"ai\",\"content\":[{\"type\":"
       "\"image\",\"base64\":\"AA==\",\"mime_type\":\"image/png\"}]}]");
    made = gri_mcp_messages(bad);
    cr_assert_eq(gr_error_code(made), GR_EPROTO);
    gr_value_unref(made);
    gr_value_unref(v);
    gr_value_unref(bad);
}

Test(mcp_message, base64_is_read)
{
    static const struct {
        const char *text, *bytes; /* NULL: none */
    } cases[] = { { "", "" },        { "TQ==", "M" },           { "TWE=", "Ma" },
                  { "TWFu", "Man" }, { "TWE", "Ma" },           { "TQ", "M" },
                  { "T", NULL },     { "TWE*", NULL },          { "TQ===", NULL },
                  { "T=E=", NULL },  { "+/+/", "\xfb\xff\xbf" } };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct gri_strbuf b = GRI_STRBUF_INIT;
        bool good = gri_base64_decode(&b, cases[i].text, strlen(cases[i].text));

        cr_assert_eq(good, cases[i].bytes != NULL, "%s", cases[i].text);
        if (good)
            cr_assert(b.len == strlen(cases[i].bytes) && memcmp(b.data, cases[i].bytes, b.len) == 0,
                      "%s", cases[i].text);
        gri_strbuf_fini(&b);
    }
}
