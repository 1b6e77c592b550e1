/* SPDX-License-Identifier: Apache-2.0 */
/* messages_test.c - lists of messages: trimmed, filtered, merged, and in other forms. */
#include <greenroom/greenroom.h>

#include "tests/support/json_check.h"
#include "tests/support/memory.h"
#include "tests/support/test.h"

static bool fails(gr_value *v, const char *text)
{
    bool as_wanted = gr_error_code(v) != GR_OK && strstr(gr_error_text(v), text) != NULL;

    if (!as_wanted)
        fprintf(stderr, "code %d, text %s\n", (int)gr_error_code(v), gr_error_text(v));
    gr_value_unref(v);
    return as_wanted;
}

/* ---- roles ----------------------------------------------------------------------------------- */

Test(messages, all_roles)
{
    cr_assert(
        is(gr_message_coerce(json("{\"role\":\"function\",\"name\":\"f\",\"content\":\"1\"}")),
           "{\"type\":\"function\",\"content\":\"1\",\"name\":\"f\"}"));
    cr_assert(is(gr_chat_message("critic", gr_str("no")),
                 "{\"type\":\"chat\",\"content\":\"no\",\"role\":\"critic\"}"));
    cr_assert(
        is(gr_message_coerce(json("{\"type\":\"chat\",\"role\":\"critic\",\"content\":\"no\"}")),
           "{\"type\":\"chat\",\"content\":\"no\",\"role\":\"critic\"}"));
    cr_assert(
        is(gr_message_coerce(json("{\"type\":\"chat\",\"role\":\"critic\",\"content\":null}")),
           "{\"type\":\"chat\",\"content\":\"\",\"role\":\"critic\"}"));
    cr_assert(is(gr_message_coerce(json("{\"role\":\"remove\",\"id\":\"7\"}")),
                 "{\"type\":\"remove\",\"content\":\"\",\"id\":\"7\"}"));
    cr_assert(fails(gr_message_coerce(json("{\"role\":\"remove\"}")), "has the id of another"));
    cr_assert(fails(gr_message("chat", gr_str("x")), "unknown role 'chat'"));
    cr_assert(
        is(gr_message_coerce(
               json("{\"type\":\"ai\",\"content\":\"\",\"additional_kwargs\":{\"tool_calls\":"
                    "[{\"id\":\"c\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]}}")),
           "{\"type\":\"ai\",\"content\":\"\",\"additional_kwargs\":{\"tool_calls\":"
           "[{\"id\":\"c\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},"
           "\"tool_calls\":[{\"name\":\"f\",\"args\":{},\"id\":\"c\",\"type\":\"tool_call\"}]}"));
}

Test(messages, buffer_string)
{
    gr_value *list =
        json("[{\"type\":\"system\",\"content\":\"s\"},{\"type\":\"human\",\"content\":\"h\"},"
             "{\"type\":\"ai\",\"content\":\"a\"},{\"type\":\"function\",\"content\":\"f\"},"
             "{\"type\":\"chat\",\"role\":\"critic\",\"content\":\"c\"}]");

    cr_assert(
        is(gr_messages_text(list), "\"System: s\\nHuman: h\\nAI: a\\nFunction: f\\ncritic: c\""));
    cr_assert(is(gr_get_buffer_string(list, "User", "Bot"),
                 "\"System: s\\nUser: h\\nBot: a\\nFunction: f\\ncritic: c\""));
    gr_value_unref(list);
    list = json(
        "[{\"type\":\"ai\",\"content\":\"\",\"tool_calls\":[{\"name\":\"f\",\"args\":{\"x\":1},\"id\":\"c\"}]},"
        "{\"type\":\"tool\",\"content\":\"2\",\"tool_call_id\":\"c\"}]");
    cr_assert(is(
        gr_messages_text(list),
        "\"AI: [{\\\"name\\\": \\\"f\\\", \\\"args\\\": {\\\"x\\\": 1}, \\\"id\\\": \\\"c\\\"}]\\nTool: 2\""));
    gr_value_unref(list);
}

/* ---- trimming -------------------------------------------------------------------------------- */

/* Ten tokens for a message, and for each block or line beyond its first one more: as langchain-core's own tests count. */
static int64_t ten_each(void *arg, const gr_value *messages)
{
    int64_t n = 0;

    (void)arg;
    for (size_t i = 0; i < gr_len(messages); i++) {
        const gr_value *content = gr_get(gr_at(messages, i), "content");
        const char *text = gr_cstr(content, "");

        n += gr_value_type(content) == GR_LIST ? 10 * (int64_t)gr_len(content) : 10;
        while ((text = strchr(text, '\n')) != NULL && *++text != '\0')
            n++;
    }
    return n;
}

#define TALK                                                                                       \
    "[{\"type\":\"system\",\"content\":\"s\"},{\"type\":\"human\",\"content\":\"h1\"},"            \
    "{\"type\":\"ai\",\"content\":\"a1\"},{\"type\":\"human\",\"content\":\"h2\"},"                \
    "{\"type\":\"ai\",\"content\":[{\"type\":\"text\",\"text\":\"b1\"},{\"type\":\"text\",\"text\":\"b2\"}]}]"

/* trimmed gives the texts of what is left, each "type:text". */
static gr_value *trimmed(const char *messages, const gr_trim_opts *opts)
{
    gr_value *list = json(messages), *kept = gr_trim_messages(list, opts), *texts;

    gr_value_unref(list);
    if (gr_error_code(kept) != GR_OK)
        return kept;
    texts = gr_list_n(NULL, 0);
    for (size_t i = 0; i < gr_len(kept); i++) {
        gr_value *text = gr_message_text(gr_at(kept, i));

        texts = gr_append(texts, gr_value_ref(text));
        gr_value_unref(text);
    }
    gr_value_unref(kept);
    return texts;
}

Test(messages, trims_to_the_first)
{
    cr_assert(is(trimmed(TALK, GR_TRIM(.max_tokens = 30, .strategy = "first", .count = ten_each)),
                 "[\"s\",\"h1\",\"a1\"]"));
    cr_assert(is(trimmed(TALK, GR_TRIM(.max_tokens = 30, .strategy = "first", .count = ten_each,
                                       .end_on = gr_str("human"))),
                 "[\"s\",\"h1\"]"));
    cr_assert(is(trimmed(TALK, GR_TRIM(.max_tokens = 50, .strategy = "first", .count = ten_each,
                                       .allow_partial = true)),
                 "[\"s\",\"h1\",\"a1\",\"h2\",\"b1\"]"));
    cr_assert(is(trimmed(TALK, GR_TRIM(.max_tokens = 1000, .strategy = "first", .count = ten_each,
                                       .end_on = gr_str("human"))),
                 "[\"s\",\"h1\",\"a1\",\"h2\"]"));
    cr_assert(
        is(trimmed(TALK, GR_TRIM(.max_tokens = 0, .strategy = "first", .count = ten_each)), "[]"));
}

Test(messages, trims_to_the_last)
{
    cr_assert(is(trimmed(TALK, GR_TRIM(.max_tokens = 30, .count = ten_each)), "[\"h2\",\"b1b2\"]"));
    cr_assert(
        is(trimmed(TALK, GR_TRIM(.max_tokens = 40, .count = ten_each, .include_system = true)),
           "[\"s\",\"h2\",\"b1b2\"]"));
    cr_assert(
        is(trimmed(TALK, GR_TRIM(.max_tokens = 40, .count = ten_each, .start_on = gr_str("human"))),
           "[\"h2\",\"b1b2\"]"));
    cr_assert(is(trimmed(TALK, GR_TRIM(.max_tokens = 30, .count = ten_each, .include_system = true,
                                       .end_on = gr_list(gr_str("human")))),
                 "[\"s\",\"a1\",\"h2\"]"));
    cr_assert(
        is(trimmed(TALK, GR_TRIM(.max_tokens = 30, .count = ten_each,
                                 .start_on = gr_list_n(NULL, 0), .end_on = gr_list_n(NULL, 0))),
           "[\"h2\",\"b1b2\"]"),
        "an empty list is none");
    cr_assert(is(trimmed(TALK, GR_TRIM(.max_tokens = 10, .count = ten_each, .allow_partial = true)),
                 "[\"b2\"]"));
    cr_assert(is(trimmed(TALK, GR_TRIM(.max_tokens = 5, .count = ten_each, .include_system = true)),
                 "[\"s\"]"));
}

/* Fifty tokens for each line's end of a text, a hundred for each block. */
static int64_t long_blocks(void *arg, const gr_value *messages)
{
    int64_t n = 0;

    (void)arg;
    for (size_t i = 0; i < gr_len(messages); i++) {
        const gr_value *content = gr_get(gr_at(messages, i), "content");

        for (const char *text = gr_cstr(content, ""); *text != '\0'; text++)
            n += *text == '\n' ? 50 : 0;
        for (size_t b = 0; b < gr_len(content) && gr_value_type(content) == GR_LIST; b++)
            n += 100;
    }
    return n;
}

Test(messages, a_part_of_a_text_is_lines_of_it)
{
    static const char text[] = "[{\"type\":\"human\",\"content\":\"1\\n2\\n3\"}]";
    static const char mixed[] =
        "[{\"type\":\"human\",\"content\":[{\"type\":\"text\",\"text\":\"1\\n2\\n3\"},"
        "{\"type\":\"image\",\"url\":\"u\"}]}]";

    cr_assert(is(trimmed(text, GR_TRIM(.max_tokens = 11, .count = ten_each, .allow_partial = true)),
                 "[\"2\\n3\"]"));
    cr_assert(is(trimmed(text, GR_TRIM(.max_tokens = 11, .count = ten_each, .allow_partial = true,
                                       .strategy = "first")),
                 "[\"1\\n2\\n\"]"));
    cr_assert(is(trimmed(text, GR_TRIM(.max_tokens = 9, .count = ten_each, .allow_partial = true)),
                 "[]"));
    /* of blocks none of which fits the one at the end that is kept is cut; an image can't be */
    cr_assert(
        is(trimmed(mixed, GR_TRIM(.max_tokens = 60, .count = long_blocks, .allow_partial = true)),
           "[]"));
    cr_assert(is(trimmed(mixed, GR_TRIM(.max_tokens = 60, .count = long_blocks,
                                        .allow_partial = true, .strategy = "first")),
                 "[\"1\\n\"]"));
}

static int64_t cannot(void *arg, const gr_value *messages)
{
    (void)arg;
    (void)messages;
    return -1;
}

Test(messages, trimming_says_what_is_wrong)
{
    cr_assert(fails(trimmed(TALK, NULL), "max_tokens is missing"));
    cr_assert(fails(trimmed(TALK, GR_TRIM(.max_tokens = 1, .strategy = "middle")), "'middle'"));
    cr_assert(fails(
        trimmed(TALK, GR_TRIM(.max_tokens = 1, .strategy = "first", .start_on = gr_str("human"))),
        "for the strategy last"));
    cr_assert(fails(trimmed(TALK, GR_TRIM(.max_tokens = 1, .end_on = gr_list(gr_str("boss")))),
                    "'boss'"));
    cr_assert(fails(trimmed(TALK, GR_TRIM(.max_tokens = 1, .count = cannot)), "can't be counted"));
    cr_assert(fails(trimmed("[3]", GR_TRIM(.max_tokens = 1)), "message 1"));
    cr_assert(
        fails(trimmed(TALK, GR_TRIM(.max_tokens = 1, .counter = { 1, 1 })), "only in a runnable"));
}

Test(messages, tokens_by_the_number_of_characters)
{
    gr_value *list =
        json("[{\"type\":\"human\",\"content\":\"\xc3\xa9\xc3\xa9\xc3\xa9\"},"
             "{\"type\":\"human\",\"content\":[{\"type\":\"image\",\"base64\":\"AAAAAAAA\"}]}]");

    /* 3 + "user" are 7 characters, so 2 tokens, and 3; then 1, 3 and 85 */
    cr_assert_eq(gr_count_tokens_approximately(list), 2 + 3 + 1 + 3 + 85);
    cr_assert_eq(gr_count_tokens_approximately(gr_nil()), -1);
    gr_value_unref(list);
}

/* ---- filtering and merging ------------------------------------------------------------------- */

#define CALLS                                                                                                   \
    "[{\"type\":\"human\",\"content\":\"h\",\"id\":\"1\",\"name\":\"ann\"},"                                    \
    "{\"type\":\"ai\",\"content\":[{\"type\":\"tool_use\",\"id\":\"x\"},{\"type\":\"tool_use\",\"id\":\"y\"}]," \
    "\"tool_calls\":[{\"name\":\"f\",\"args\":{},\"id\":\"x\"},{\"name\":\"f\",\"args\":{},\"id\":\"y\"}],"     \
    "\"id\":\"2\"},"                                                                                            \
    "{\"type\":\"tool\",\"content\":\"1\",\"tool_call_id\":\"x\",\"id\":\"3\"},"                                \
    "{\"type\":\"tool\",\"content\":\"2\",\"tool_call_id\":\"y\",\"id\":\"4\"}]"

static gr_value *ids_of(const gr_filter_opts *opts)
{
    gr_value *list = json(CALLS), *kept = gr_filter_messages(list, opts), *ids;

    gr_value_unref(list);
    if (gr_error_code(kept) != GR_OK)
        return kept;
    ids = gr_list_n(NULL, 0);
    for (size_t i = 0; i < gr_len(kept); i++)
        ids = gr_append(ids, gr_value_ref(gr_get(gr_at(kept, i), "id")));
    gr_value_unref(kept);
    return ids;
}

Test(messages, filters)
{
    gr_value *list = json(CALLS), *kept;

    cr_assert(is(ids_of(NULL), "[\"1\",\"2\",\"3\",\"4\"]"));
    cr_assert(is(ids_of(GR_FILTER(.include_types = json("[\"human\",\"tool\"]"))),
                 "[\"1\",\"3\",\"4\"]"));
    cr_assert(is(ids_of(GR_FILTER(.include_names = gr_str("ann"), .include_ids = gr_str("4"),
                                  .exclude_ids = gr_str("1"))),
                 "[\"4\"]"));
    cr_assert(is(
        ids_of(GR_FILTER(.exclude_names = gr_list(gr_str("ann")), .exclude_types = gr_str("tool"))),
        "[\"2\"]"));
    cr_assert(is(ids_of(GR_FILTER(.exclude_tool_calls = gr_bool(true))), "[\"1\"]"));
    cr_assert(is(ids_of(GR_FILTER(.exclude_tool_calls = json("[\"x\",\"y\"]"))), "[\"1\"]"));
    cr_assert(is(ids_of(GR_FILTER(.exclude_tool_calls = json("[\"x\"]"))), "[\"1\",\"2\",\"4\"]"));
    kept = gr_filter_messages(list, GR_FILTER(.exclude_tool_calls = json("[\"x\"]")));
    cr_assert(is(gr_value_ref(gr_get(gr_at(kept, 1), "content")),
                 "[{\"type\":\"tool_use\",\"id\":\"y\"}]"));
    cr_assert(is(gr_value_ref(gr_get(gr_at(kept, 1), "tool_calls")),
                 "[{\"name\":\"f\",\"args\":{},\"id\":\"y\"}]"));
    gr_value_unref(kept);
    gr_value_unref(list);
    cr_assert(is(ids_of(GR_FILTER(.include_types = gr_list_n(NULL, 0),
                                  .exclude_ids = gr_list_n(NULL, 0))),
                 "[\"1\",\"2\",\"3\",\"4\"]"),
              "an empty list is none");
    cr_assert(fails(ids_of(GR_FILTER(.exclude_ids = gr_int(1))), "expected a list of texts"));
}

Test(messages, merges_runs)
{
    gr_value *list =
        json("[{\"type\":\"human\",\"content\":\"a\"},{\"type\":\"human\",\"content\":\"b\"},"
             "{\"type\":\"human\",\"content\":[{\"type\":\"text\",\"text\":\"c\"}]},"
             "{\"type\":\"ai\",\"content\":\"d\",\"response_metadata\":{\"m\":1},"
             "\"tool_calls\":[{\"name\":\"f\",\"args\":{},\"id\":\"x\"}]},"
             "{\"type\":\"ai\",\"content\":\"\",\"response_metadata\":{\"m\":2},"
             "\"tool_calls\":[{\"name\":\"g\",\"args\":{},\"id\":\"y\"}]},"
             "{\"type\":\"tool\",\"content\":\"1\",\"tool_call_id\":\"x\"},"
             "{\"type\":\"tool\",\"content\":\"2\",\"tool_call_id\":\"y\"},"
             "{\"type\":\"chat\",\"role\":\"p\",\"content\":\"q\"},"
             "{\"type\":\"chat\",\"role\":\"q\",\"content\":\"p\"}]");

    cr_assert(is(
        gr_merge_message_runs(list, NULL),
        "[{\"type\":\"human\",\"content\":[\"a\\nb\",{\"type\":\"text\",\"text\":\"c\"}]},"
        "{\"type\":\"ai\",\"content\":\"d\",\"response_metadata\":{\"m\":1},"
        "\"tool_calls\":[{\"name\":\"f\",\"args\":{},\"id\":\"x\"},{\"name\":\"g\",\"args\":{},\"id\":\"y\"}]},"
        "{\"type\":\"tool\",\"content\":\"1\",\"tool_call_id\":\"x\"},"
        "{\"type\":\"tool\",\"content\":\"2\",\"tool_call_id\":\"y\"},"
        "{\"type\":\"chat\",\"role\":\"p\",\"content\":\"q\"},"
        "{\"type\":\"chat\",\"role\":\"q\",\"content\":\"p\"}]"));
    gr_value_unref(list);
}

/* ---- other forms ----------------------------------------------------------------------------- */

Test(messages, to_dicts_and_back)
{
    gr_value *list = json(
        "[{\"type\":\"human\",\"content\":\"h\"},"
        "{\"type\":\"ai\",\"content\":\"\",\"tool_calls\":[{\"name\":\"f\",\"args\":{},\"id\":\"x\"}]},"
        "{\"type\":\"tool\",\"content\":\"1\",\"tool_call_id\":\"x\",\"status\":\"error\"},"
        "{\"type\":\"AIMessageChunk\",\"content\":\"c\"},"
        "{\"type\":\"chat\",\"role\":\"p\",\"content\":\"q\"},"
        "{\"type\":\"remove\",\"content\":\"\",\"id\":\"7\"}]");
    gr_value *dicts = gr_messages_to_dict(list), *lc = gr_messages_dumpd(list);

    cr_assert(is(gr_value_ref(gr_at(dicts, 0)),
                 "{\"type\":\"human\",\"data\":{\"content\":\"h\",\"additional_kwargs\":{},"
                 "\"response_metadata\":{},\"type\":\"human\",\"name\":null,\"id\":null}}"));
    cr_assert(is(gr_value_ref(gr_at(lc, 0)),
                 "{\"lc\":1,\"type\":\"constructor\",\"id\":[\"langchain\",\"schema\",\"messages\","
                 "\"HumanMessage\"],\"kwargs\":{\"type\":\"human\",\"content\":\"h\"}}"));
    cr_assert(is(gr_value_ref(gr_at(gr_get(gr_at(lc, 3), "id"), 3)), "\"AIMessageChunk\""));
    for (int i = 0; i < 3; i++) {
        gr_value *back = gr_messages_from_dict(i == 0 ? dicts : i == 1 ? lc : list);

        cr_assert(gr_equal(back, list), "form %d", i);
        gr_value_unref(back);
    }
    gr_value_unref(list);
    gr_value_unref(dicts);
    gr_value_unref(lc);
}

Test(messages, dicts_are_data)
{
    static const char *const bad[] = {
        "[{\"lc\":1,\"type\":\"constructor\",\"id\":[\"langchain\",\"llms\",\"OpenAI\"],\"kwargs\":{}}]",
        "[{\"lc\":1,\"type\":\"secret\",\"id\":[\"HumanMessage\"],\"kwargs\":{}}]",
        "[{\"lc\":1,\"type\":\"constructor\",\"id\":[\"HumanMessage\"]}]",
        "[{\"lc\":1}]",
        "[{\"type\":\"boss\",\"data\":{\"content\":\"x\"}}]",
        "[3]",
        "{}",
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        gr_value *v = json(bad[i]), *m = gr_messages_from_dict(v);

        cr_assert_neq(gr_error_code(m), GR_OK, "%s", bad[i]);
        gr_value_unref(m);
        gr_value_unref(v);
    }
}

Test(messages, as_openai_has_them)
{
    gr_value *list = json(
        "[{\"type\":\"human\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},\"b\"],\"name\":\"ann\"},"
        "{\"type\":\"ai\",\"content\":\"\",\"tool_calls\":[{\"name\":\"f\",\"args\":{\"x\":1},\"id\":\"c\"}]},"
        "{\"type\":\"tool\",\"content\":\"1\",\"tool_call_id\":\"c\",\"name\":\"f\"},"
        "{\"type\":\"human\",\"content\":[{\"type\":\"image\",\"url\":\"u\"}]}]");

    cr_assert(is(
        gr_convert_to_openai_messages(list, NULL),
        "[{\"role\":\"user\",\"content\":\"a\\nb\",\"name\":\"ann\"},"
        "{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[{\"id\":\"c\",\"type\":\"function\","
        "\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"x\\\": 1}\"}}]},"
        "{\"role\":\"tool\",\"content\":\"1\",\"tool_call_id\":\"c\",\"name\":\"f\"},"
        "{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"u\"}}]}]"));
    gr_value_unref(list);
    list = json("[\"hi\"]");
    cr_assert(is(gr_convert_to_openai_messages(list, "block"),
                 "[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"hi\"}]}]"));
    cr_assert(fails(gr_convert_to_openai_messages(list, "x"), "expected string or block"));
    gr_value_unref(list);
}

static gr_value *blocks_of(const char *content)
{
    gr_value *m = gr_message("human", json(content)), *blocks = gr_content_blocks(m);

    gr_value_unref(m);
    return blocks;
}

Test(messages, blocks_of_whoever)
{
    static const char *const forms[][2] = {
        { "\"hi\"", "[{\"type\":\"text\",\"text\":\"hi\"}]" },
        { "\"\"", "[]" },
        { "[\"a\",{\"type\":\"text\",\"text\":\"b\",\"index\":0}]",
          "[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"text\",\"text\":\"b\",\"index\":0}]" },
        { "[{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,AAAA\",\"detail\":\"low\"}}]",
          "[{\"type\":\"image\",\"base64\":\"AAAA\",\"mime_type\":\"image/png\",\"extras\":{\"detail\":\"low\"}}]" },
        { "[{\"type\":\"image_url\",\"image_url\":\"https://x.example/a,b\"}]",
          "[{\"type\":\"image\",\"url\":\"https://x.example/a,b\"}]" },
        { "[{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"AA\",\"format\":\"wav\"}}]",
          "[{\"type\":\"audio\",\"base64\":\"AA\",\"mime_type\":\"audio/wav\"}]" },
        { "[{\"type\":\"file\",\"file\":{\"file_data\":\"data:application/pdf;base64,AA\",\"filename\":\"f\"}}]",
          "[{\"type\":\"file\",\"base64\":\"AA\",\"mime_type\":\"application/pdf\",\"extras\":{\"filename\":\"f\"}}]" },
        { "[{\"type\":\"file\",\"file\":{\"file_id\":\"i\"}}]",
          "[{\"type\":\"file\",\"file_id\":\"i\"}]" },
        { "[{\"type\":\"image\",\"source\":{\"type\":\"base64\",\"media_type\":\"image/png\",\"data\":\"AA\"}}]",
          "[{\"type\":\"image\",\"base64\":\"AA\",\"mime_type\":\"image/png\"}]" },
        { "[{\"type\":\"document\",\"source\":{\"type\":\"text\",\"media_type\":\"text/plain\",\"data\":\"t\"},"
          "\"title\":\"T\"}]",
          "[{\"type\":\"text-plain\",\"text\":\"t\",\"mime_type\":\"text/plain\",\"title\":\"T\"}]" },
        { "[{\"type\":\"thinking\",\"thinking\":\"hm\",\"signature\":\"s\"}]",
          "[{\"type\":\"reasoning\",\"reasoning\":\"hm\",\"extras\":{\"signature\":\"s\"}}]" },
        { "[{\"type\":\"tool_use\",\"id\":\"c\",\"name\":\"f\",\"input\":{\"a\":1}}]",
          "[{\"type\":\"tool_call\",\"name\":\"f\",\"args\":{\"a\":1},\"id\":\"c\"}]" },
        { "[{\"type\":\"image\",\"source_type\":\"base64\",\"data\":\"AA\",\"mime_type\":\"image/png\"}]",
          "[{\"type\":\"image\",\"base64\":\"AA\",\"mime_type\":\"image/png\"}]" },
        { "[{\"type\":\"file\",\"source_type\":\"text\",\"text\":\"t\"}]",
          "[{\"type\":\"text-plain\",\"text\":\"t\"}]" },
        { "[{\"type\":\"image\",\"url\":\"u\"}]", "[{\"type\":\"image\",\"url\":\"u\"}]" },
        { "[{\"type\":\"text\",\"text\":\"t\",\"index\":1,\"citations\":[{\"type\":\"web_search_result_location\",\"url\":"
          "\"u\",\"title\":\"T\",\"cited_text\":\"c\",\"encrypted_index\":\"e\"},{\"type\":\"page_location\",\"cited_text\":\"c\","
          "\"document_title\":\"D\",\"start_page_number\":2},{\"type\":\"other\"}]}]",
          "[{\"type\":\"text\",\"text\":\"t\",\"annotations\":[{\"type\":\"citation\",\"cited_text\":\"c\",\"url\":\"u\","
          "\"title\":\"T\",\"extras\":{\"encrypted_index\":\"e\"}},{\"type\":\"citation\",\"cited_text\":\"c\",\"title\":\"D\","
          "\"extras\":{\"start_page_number\":2}},{\"type\":\"non_standard_annotation\",\"value\":{\"type\":\"other\"}}],"
          "\"index\":1}]" },
        { "[{\"type\":\"server_tool_use\",\"id\":\"s\",\"name\":\"code_execution\",\"input\":{},\"partial_json\":"
          "\"{\\\"a\\\":1}\"}]",
          "[{\"type\":\"server_tool_call\",\"name\":\"code_interpreter\",\"args\":{\"a\":1},\"id\":\"s\"}]" },
        { "[{\"type\":\"hologram\",\"x\":1}]",
          "[{\"type\":\"non_standard\",\"value\":{\"type\":\"hologram\",\"x\":1}}]" },
    };

    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
        cr_assert(is(blocks_of(forms[i][0]), forms[i][1]), "%s", forms[i][0]);
}

Test(messages, blocks_have_the_calls_and_the_reasoning)
{
    gr_value *m = json(
        "{\"type\":\"ai\",\"content\":\"t\",\"additional_kwargs\":{\"reasoning_content\":\"r\"},"
        "\"tool_calls\":[{\"name\":\"f\",\"args\":{},\"id\":\"c\"}]}");
    gr_value *chunk = json("{\"type\":\"AIMessageChunk\",\"content\":\"\",\"tool_call_chunks\":"
                           "[{\"name\":\"f\",\"args\":\"{\",\"id\":\"c\",\"index\":0}]}");

    cr_assert(is(gr_content_blocks(m),
                 "[{\"type\":\"reasoning\",\"reasoning\":\"r\"},{\"type\":\"text\",\"text\":\"t\"},"
                 "{\"type\":\"tool_call\",\"name\":\"f\",\"args\":{},\"id\":\"c\"}]"));
    cr_assert(is(gr_content_blocks(chunk), "[{\"type\":\"tool_call_chunk\",\"name\":\"f\","
                                           "\"args\":\"{\",\"id\":\"c\",\"index\":0}]"));
    gr_value_unref(m);
    gr_value_unref(chunk);
}

/* A streamed answer of Anthropic has its calls in the content, with arguments as they came. */
Test(messages, blocks_of_calls_that_were_streamed)
{
    static const char *const parts[] = {
        "{\"type\":\"AIMessageChunk\",\"content\":[{\"type\":\"tool_use\",\"id\":\"c\",\"name\":\"f\",\"input\":{},\"index\":1}],"
        "\"tool_call_chunks\":[{\"name\":\"f\",\"args\":\"\",\"id\":\"c\",\"index\":1}]}",
        "{\"type\":\"AIMessageChunk\",\"content\":[{\"type\":\"tool_use\",\"partial_json\":\"{\\\"a\\\":1}\",\"index\":1}],"
        "\"tool_call_chunks\":[{\"args\":\"{\\\"a\\\":1}\",\"index\":1}]}",
    };
    gr_value *sum = json(parts[0]), *more = json(parts[1]);

    cr_assert(is(
        gr_content_blocks(sum),
        "[{\"type\":\"tool_call_chunk\",\"name\":\"f\",\"args\":\"\",\"id\":\"c\",\"index\":1}]"));
    cr_assert(is(gr_content_blocks(more),
                 "[{\"type\":\"tool_call_chunk\",\"args\":\"{\\\"a\\\":1}\",\"index\":1}]"));
    sum = gr_add(sum, more);
    cr_assert(is(
        gr_content_blocks(sum),
        "[{\"type\":\"tool_call_chunk\",\"name\":\"f\",\"args\":\"{\\\"a\\\":1}\",\"id\":\"c\",\"index\":1}]"));
    sum = gr_message_of_chunk(sum);
    cr_assert(is(
        gr_content_blocks(sum),
        "[{\"type\":\"tool_call\",\"name\":\"f\",\"args\":{\"a\":1},\"id\":\"c\",\"index\":1}]"));
    gr_value_unref(sum);
}

/* ---- runnables ------------------------------------------------------------------------------- */

static gr_value *two_each(gr_ctx *c, void *self, const gr_value *messages)
{
    (void)c;
    (void)self;
    return gr_int(2 * (int64_t)gr_len(messages));
}

static const gr_method counter_methods[] = {
    { "get_num_tokens_from_messages", GR_CHEAP, two_each, NULL },
};
static const gr_class counter_class = GR_CLASS(.name = "Counter", GR_METHODS(counter_methods));

Test(messages, runnables)
{
    gr_runtime *rt = NULL;
    gr_scope *root = gr_runtime_new(NULL, &rt) == GR_OK ? gr_root(rt) : NULL;
    gr_ref counter = gr_spawn(root, &counter_class, NULL);
    gr_ref trim = gr_message_trimmer(root, GR_TRIM(.max_tokens = 4, .counter = counter));
    gr_ref filter = gr_message_filter(root, GR_FILTER(.exclude_types = gr_str("ai")));
    gr_ref merge = gr_message_merger(root, " ");
    gr_ref bad = gr_message_trimmer(root, GR_TRIM(.max_tokens = -1));
    gr_value *err = NULL;
    gr_value *v = gr_invoke(rt, gr_seq(root, filter, trim, merge), json(TALK), NULL, &err);

    cr_assert_null(err);
    cr_assert(is(v, "[{\"type\":\"human\",\"content\":\"h1 h2\"}]"));
    cr_assert_null(gr_invoke(rt, bad, json(TALK), NULL, &err));
    cr_assert(fails(err, "max_tokens"));
    gr_runtime_free(rt);
}

static void all_of_it(void)
{
    gr_value *list = json(CALLS), *v;

    gr_value_unref(gr_trim_messages(
        list, GR_TRIM(.max_tokens = 12, .include_system = true, .allow_partial = true)));
    gr_value_unref(gr_filter_messages(list, GR_FILTER(.exclude_tool_calls = json("[\"x\"]"))));
    gr_value_unref(gr_merge_message_runs(list, NULL));
    gr_value_unref(gr_convert_to_openai_messages(list, NULL));
    v = gr_messages_to_dict(list);
    gr_value_unref(gr_messages_from_dict(v));
    gr_value_unref(v);
    gr_value_unref(gr_content_blocks(gr_at(list, 1)));
    gr_value_unref(list);
}

Test(messages, every_failed_allocation_is_survived_without_a_leak)
{
    long before = test_memory_live();

    for (long n = 1;; n++) {
        test_memory_fail_at(n);
        all_of_it();
        cr_assert_eq(test_memory_live(), before, "allocation %ld", n);
        if (!test_memory_reached())
            break;
    }
}
