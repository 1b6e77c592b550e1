/* SPDX-License-Identifier: Apache-2.0 */
/* add_test.c - the + between the chunks of a stream. */
#include <stdio.h>
#include <string.h>

#include <greenroom/codec.h>
#include <greenroom/value.h>

#include "tests/support/memory.h"
#include "tests/support/test.h"

static gr_value *json(const char *text)
{
    gr_value *v = gr_json_parse(text, strlen(text), NULL);

    cr_assert_eq(gr_error_code(v), GR_OK, "%s", gr_error_text(v));
    return v;
}

/* check adds two JSON texts, once with the left held alone and once shared: the sum is the same,
 * and what is shared stays as it was. */
static void check(const char *left, const char *right, const char *want)
{
    long before = test_memory_live();
    gr_value *l = json(left), *r = json(right), *same = json(left), *w = json(want);
    gr_value *sum = gr_add(gr_value_ref(l), gr_value_ref(r));
    char *text = gr_json_print(sum, 0, NULL);

    cr_assert(gr_equal(sum, w), "%s + %s gave %s", left, right, text);
    cr_assert(gr_equal(l, same), "%s was changed", left);
    gr_value_unref(sum);
    gr_value_unref(same);
    sum = gr_add(l, r);
    cr_assert(gr_equal(sum, w), "%s + %s, in place", left, right);
    gr_value_unref(sum);
    gr_value_unref(w);
    gr_free(text);
    cr_assert_eq(test_memory_live(), before);
}

#define CHUNK_OF(content) "{\"type\": \"AIMessageChunk\", \"content\": " content "}"

Test(add, strings_and_lists_concatenate)
{
    check("\"a\"", "\"b\"", "\"ab\"");
    check("\"\"", "\"b\"", "\"b\"");
    check("\"a\"", "\"\"", "\"a\"");
    check("[1]", "[2, [3]]", "[1, 2, [3]]");
    check("[]", "[1]", "[1]");
    check("[1]", "[]", "[1]");
    check("[{\"index\": 0, \"a\": \"x\"}]", "[{\"index\": 0, \"a\": \"y\"}]",
          "[{\"index\": 0, \"a\": \"x\"}, {\"index\": 0, \"a\": \"y\"}]");
}

Test(add, numbers_add)
{
    check("1", "2", "3");
    check("1", "2.5", "3.5");
    check("0.5", "0.25", "0.75");
    check("9223372036854775807", "1", "9223372036854775808");
    check("true", "true", "true");
}

Test(add, binaries_concatenate)
{
    gr_value *v = gr_add(gr_bin("a\0", 2), gr_bin("\xff", 1));

    cr_assert_eq(gr_len(v), 3);
    cr_assert_eq(memcmp(gr_as_bin(v, NULL), "a\0\xff", 3), 0);
    gr_value_unref(v);
}

Test(add, maps_merge_key_by_key)
{
    check("{\"a\": \"x\"}", "{\"a\": \"y\", \"b\": 1}", "{\"a\": \"xy\", \"b\": 1}");
    check("{\"a\": {\"b\": [1]}}", "{\"a\": {\"b\": [2]}}", "{\"a\": {\"b\": [1, 2]}}");
    check("{\"a\": 1, \"b\": null}", "{\"a\": null, \"b\": 2}", "{\"a\": 1, \"b\": 2}");
    check("{\"name\": \"a\"}", "{\"name\": \"b\"}", "{\"name\": \"ab\"}");
    check("{}", "{\"a\": 1}", "{\"a\": 1}");
}

Test(add, nil_gives_the_other_side)
{
    check("null", "1", "1");
    check("1", "null", "1");
    check("null", "null", "null");
}

Test(add, what_has_no_sum_gives_the_right_side)
{
    check("1", "\"a\"", "\"a\"");
    check("\"a\"", "[1]", "[1]");
    check("true", "false", "false");
    check("{\"a\": 1}", "[1]", "[1]");
    check("{\"a\": \"x\"}", "{\"a\": true}", "{\"a\": true}");
}

Test(add, null_on_the_left_gives_the_right)
{
    gr_value *v = gr_add(NULL, gr_str("a"));

    cr_assert_str_eq(gr_cstr(v, ""), "a");
    gr_value_unref(v);
    cr_assert_eq(gr_error_code(gr_add(NULL, NULL)), GR_EINVAL);
}

Test(add, what_a_message_is_stays_and_what_it_says_adds_up)
{
    check("{\"type\": \"AIMessageChunk\", \"content\": \"Hel\", \"id\": \"run-1\"}",
          "{\"type\": \"AIMessageChunk\", \"content\": \"lo\", \"id\": \"run-1\"}",
          "{\"type\": \"AIMessageChunk\", \"content\": \"Hello\", \"id\": \"run-1\"}");
    check("{\"type\": \"AIMessageChunk\", \"content\": \"a\", \"id\": \"x\", \"name\": \"n\"}",
          "{\"type\": \"\", \"content\": \"\", \"id\": null, \"chunk_position\": \"last\"}",
          "{\"type\": \"AIMessageChunk\", \"content\": \"a\", \"id\": \"x\", \"name\": \"n\","
          " \"chunk_position\": \"last\"}");
    check("{\"role\": \"assistant\", \"content\": \"\"}",
          "{\"role\": \"assistant\", \"content\": \"Hi\", \"model\": \"m\"}",
          "{\"role\": \"assistant\", \"content\": \"Hi\", \"model\": \"m\"}");
}

Test(add, usage_is_summed)
{
    check("{\"type\": \"AIMessageChunk\", \"content\": \"\", \"usage_metadata\": {"
          "\"input_tokens\": 1,"
          " \"output_tokens\": 3, \"input_token_details\": {\"cache_read\": 1}}}",
          "{\"type\": \"AIMessageChunk\", \"content\": \"\", \"usage_metadata\": {"
          "\"input_tokens\": 2,"
          " \"output_tokens\": 4, \"input_token_details\": {\"cache_read\": 1}}}",
          "{\"type\": \"AIMessageChunk\", \"content\": \"\", \"usage_metadata\": {"
          "\"input_tokens\": 3,"
          " \"output_tokens\": 7, \"input_token_details\": {\"cache_read\": 2}}}");
}

/* A message with something beside its content, to add up. */
#define BESIDE(what) "{\"type\": \"AIMessageChunk\", \"content\": \"\", " what "}"
#define EXTRA(what) BESIDE("\"additional_kwargs\": {" what "}")

/* langchain-core's merge_dicts: what is told twice is told once, and what tells when is the last */
Test(add, extras_of_a_message_merge_as_dicts)
{
    check(EXTRA("\"n\": 2"), EXTRA("\"n\": 2"), EXTRA("\"n\": 2"));
    check(EXTRA("\"n\": 2"), EXTRA("\"n\": 3"), EXTRA("\"n\": 5"));
    check(EXTRA("\"created\": 2"), EXTRA("\"created\": 3"), EXTRA("\"created\": 3"));
    check(EXTRA("\"d\": {\"a\": \"x\", \"timestamp\": 1}"),
          EXTRA("\"d\": {\"a\": \"y\", \"timestamp\": 4}"),
          EXTRA("\"d\": {\"a\": \"xy\", \"timestamp\": 4}"));
    check(EXTRA("\"id\": \"a\", \"model_provider\": \"p\", \"x\": \"s\""),
          EXTRA("\"id\": \"a\", \"model_provider\": \"p\", \"x\": \"s\""),
          EXTRA("\"id\": \"a\", \"model_provider\": \"p\", \"x\": \"ss\""));
    check(EXTRA("\"a\": null, \"b\": 1"), EXTRA("\"a\": \"x\", \"b\": null"),
          EXTRA("\"a\": \"x\", \"b\": 1"));
    check(EXTRA("\"l\": [{\"index\": 0, \"a\": \"x\", \"n\": 1}]"),
          EXTRA("\"l\": [{\"index\": 0, \"a\": \"y\", \"n\": 1}, {\"index\": 1}]"),
          EXTRA("\"l\": [{\"index\": 0, \"a\": \"xy\", \"n\": 1}, {\"index\": 1}]"));
    check(BESIDE("\"response_metadata\": {\"created\": 1, \"logprobs\": null}"),
          BESIDE("\"response_metadata\": {\"created\": 1, \"finish_reason\": \"stop\"}"),
          BESIDE("\"response_metadata\": {\"created\": 1, \"logprobs\": null,"
                 " \"finish_reason\": \"stop\"}"));
}

/* a provider's id goes before that of a run, and that before one that was made up; else the first */
Test(add, the_first_id_of_the_best_kind_stays)
{
    check(BESIDE("\"id\": \"lc_run--1\""), BESIDE("\"id\": \"msg-1\""),
          BESIDE("\"id\": \"msg-1\""));
    check(BESIDE("\"id\": \"msg-1\""), BESIDE("\"id\": \"msg-2\""), BESIDE("\"id\": \"msg-1\""));
    check(BESIDE("\"id\": \"lc_x\""), BESIDE("\"id\": \"lc_run--1\""),
          BESIDE("\"id\": \"lc_run--1\""));
    check(BESIDE("\"id\": null"), BESIDE("\"id\": \"lc_x\""), BESIDE("\"id\": \"lc_x\""));
}

/* langchain-core ranks the ids of ai messages alone */
Test(add, the_id_of_another_message_stays)
{
    check("{\"type\": \"HumanMessageChunk\", \"content\": \"a\", \"id\": \"lc_run--1\"}",
          "{\"type\": \"HumanMessageChunk\", \"content\": \"b\", \"id\": \"msg-1\"}",
          "{\"type\": \"HumanMessageChunk\", \"content\": \"ab\", \"id\": \"lc_run--1\"}");
    check("{\"type\": \"HumanMessageChunk\", \"content\": \"a\", \"id\": null}",
          "{\"type\": \"HumanMessageChunk\", \"content\": \"b\", \"id\": \"msg-1\"}",
          "{\"type\": \"HumanMessageChunk\", \"content\": \"ab\", \"id\": \"msg-1\"}");
}

Test(add, a_tools_answer_is_an_error_if_a_part_of_it_is)
{
    const char *fine = "{\"type\": \"ToolMessageChunk\", \"content\": \"a\","
                       " \"tool_call_id\": \"c\", \"status\": \"success\"}";
    const char *failed = "{\"type\": \"ToolMessageChunk\", \"content\": \"a\","
                         " \"tool_call_id\": \"c\", \"status\": \"error\"}";
    const char *both = "{\"type\": \"ToolMessageChunk\", \"content\": \"aa\","
                       " \"tool_call_id\": \"c\", \"status\": \"error\"}";

    check(fine, failed, both);
    check(failed, fine, both);
    check(fine, fine,
          "{\"type\": \"ToolMessageChunk\", \"content\": \"aa\", \"tool_call_id\": \"c\","
          " \"status\": \"success\"}");
}

/* content blocks may be numbered by texts */
Test(add, blocks_of_one_index_are_one)
{
    check("{\"type\": \"AIMessageChunk\", \"content\": [{\"type\": \"text\", \"text\": \"a\","
          " \"index\": \"lc_txt_0\"}]}",
          "{\"type\": \"AIMessageChunk\", \"content\": [{\"type\": \"text\", \"text\": \"b\","
          " \"index\": \"lc_txt_0\"}, {\"type\": \"text\", \"text\": \"c\", \"index\": \"x\"}]}",
          "{\"type\": \"AIMessageChunk\", \"content\": [{\"type\": \"text\", \"text\": \"ab\","
          " \"index\": \"lc_txt_0\"}, {\"type\": \"text\", \"text\": \"c\", \"index\": \"x\"}]}");
}

/* langchain-core's test_merge_tool_calls and test_merge_tool_calls_parallel_same_index */
#define CHUNK(calls)                                                                               \
    "{\"type\": \"AIMessageChunk\", \"content\": \"\", \"tool_call_chunks\": " calls "}"

Test(add, tool_call_chunks_of_one_index_are_one_call)
{
    check(CHUNK("[{\"name\": \"tool1\", \"args\": \"\", \"id\": \"1\", \"index\": 0}]"),
          CHUNK("[{\"name\": null, \"args\": \"arg1\", \"id\": null, \"index\": 0}]"),
          CHUNK("[{\"name\": \"tool1\", \"args\": \"arg1\", \"id\": \"1\", \"index\": 0}]"));
    check(CHUNK("[{\"name\": \"f\", \"args\": \"{\", \"id\": \"1\", \"index\": 0}]"),
          CHUNK("[{\"name\": \"g\", \"args\": \"x\", \"id\": \"2\", \"index\": 1}]"),
          CHUNK("[{\"name\": \"f\", \"args\": \"{\", \"id\": \"1\", \"index\": 0},"
                " {\"name\": \"g\", \"args\": \"x\", \"id\": \"2\", \"index\": 1}]"));
    check(CHUNK("[{\"name\": \"h\", \"args\": \"\", \"index\": null}]"),
          CHUNK("[{\"name\": \"h\", \"args\": \"\", \"index\": null}]"),
          CHUNK("[{\"name\": \"h\", \"args\": \"\", \"index\": null},"
                " {\"name\": \"h\", \"args\": \"\", \"index\": null}]"));
    /* the same index, but two ids: two calls */
    check(CHUNK("[{\"name\": \"f\", \"args\": \"1\", \"id\": \"a\", \"index\": 0}]"),
          CHUNK("[{\"name\": \"f\", \"args\": \"2\", \"id\": \"b\", \"index\": 0}]"),
          CHUNK("[{\"name\": \"f\", \"args\": \"1\", \"id\": \"a\", \"index\": 0},"
                " {\"name\": \"f\", \"args\": \"2\", \"id\": \"b\", \"index\": 0}]"));
}

Test(add, content_blocks_of_one_index_are_one_block)
{
    check("{\"type\": \"AIMessageChunk\", \"content\": [{\"type\": \"text\", \"text\": \"a\","
          " \"index\": 0}]}",
          "{\"type\": \"AIMessageChunk\", \"content\": [{\"type\": \"text\", \"text\": \"b\","
          " \"index\": 0}]}",
          "{\"type\": \"AIMessageChunk\", \"content\": [{\"type\": \"text\", \"text\": \"ab\","
          " \"index\": 0}]}");
}

/* By count, not by time: a stream of n chunks may move its text only log n times. */
/* What a message or a block is, is what came first; a block that is of no standard kind is more of the one that it is a part of. */
Test(add, what_came_first_says_what_it_is)
{
    check("{\"type\": \"HumanMessageChunk\", \"content\": \"a\", \"id\": \"1\"}",
          "{\"type\": \"AIMessageChunk\", \"content\": \"b\"}",
          "{\"type\": \"HumanMessageChunk\", \"content\": \"ab\", \"id\": \"1\"}");
    check(CHUNK_OF("[{\"type\": \"text\", \"text\": \"a\", \"index\": 0}]"),
          CHUNK_OF("[{\"type\": \"text_delta\", \"text\": \"b\", \"index\": 0}]"),
          CHUNK_OF("[{\"type\": \"text\", \"text\": \"ab\", \"index\": 0}]"));
    check(
        CHUNK_OF("[{\"type\": \"text\", \"text\": \"a\", \"index\": 0}]"),
        CHUNK_OF(
            "[{\"type\": \"non_standard\", \"index\": 0, \"value\": {\"type\": \"x\", \"y\": \"z\"}}]"),
        CHUNK_OF(
            "[{\"type\": \"text\", \"text\": \"a\", \"index\": 0, \"extras\": {\"y\": \"z\"}}]"));
    check(
        CHUNK_OF("[{\"type\": \"non_standard\", \"index\": 0, \"value\": {\"y\": \"a\"}}]"),
        CHUNK_OF(
            "[{\"type\": \"non_standard\", \"index\": 0, \"value\": {\"type\": \"x\", \"y\": \"b\"}}]"),
        CHUNK_OF("[{\"type\": \"non_standard\", \"index\": 0, \"value\": {\"y\": \"ab\"}}]"));
}

Test(add, a_long_stream_is_not_copied_each_time)
{
    gr_value *text = gr_str("start"), *message = NULL;
    gr_value *piece = json("{\"type\": \"AIMessageChunk\", \"content\": \"piece \"}");
    gr_value *part = gr_str("piece ");
    long before = test_memory_total();

    for (int i = 0; i < 10000; i++)
        text = gr_add(text, gr_value_ref(part));
    cr_assert_lt(test_memory_total() - before, 40);
    before = test_memory_total();
    for (int i = 0; i < 10000; i++)
        message = gr_add(message, gr_value_ref(piece));
    cr_assert_lt(test_memory_total() - before, 40);
    cr_assert_eq(gr_len(text), 5 + 60000);
    cr_assert_eq(gr_len(gr_get(message, "content")), 60000);
    cr_assert_str_eq(gr_cstr(gr_get(piece, "content"), ""), "piece ");
    gr_value_unref(text);
    gr_value_unref(message);
    gr_value_unref(piece);
    gr_value_unref(part);
}

/* The room for more doubles while a text grows in place; a sum that somebody keeps must not hand its room on to the
 * next one, which would double it again. */
Test(add, sums_that_are_kept_hold_no_more_than_their_bytes)
{
    gr_value *sums[24];
    long before = test_memory_bytes();

    sums[0] = gr_str("x");
    for (size_t i = 1; i < 24; i++)
        sums[i] = gr_add(gr_value_ref(sums[i - 1]), gr_str("x"));
    cr_assert_lt(test_memory_bytes() - before, 24 * 256);
    for (size_t i = 0; i < 24; i++)
        gr_value_unref(sums[i]);
}

/* Each further part is looked for among those that are there: a server that names a new one in every
 * chunk would take the square of their number in time. */
Test(add, a_sum_has_its_limit_of_parts)
{
    gr_value *sum = json(CHUNK("[]"));
    int64_t count = 0;

    for (; gr_error_code(sum) == GR_OK && count < 5000; count++) {
        gr_value *part = gr_map(GR_KV("args", gr_str("x")), GR_KV("index", gr_int(count)));

        sum = gr_add(sum,
                     gr_map(GR_KV("type", gr_str("AIMessageChunk")), GR_KV("content", gr_str("")),
                            GR_KV("tool_call_chunks", gr_list(part))));
    }
    cr_assert_eq(count, 4097);
    cr_assert_eq(gr_error_code(sum), GR_ENOMEM, "%s", gr_error_text(sum));
    cr_assert_not_null(strstr(gr_error_text(sum), "4096 indexed parts"), "%s", gr_error_text(sum));
    gr_value_unref(sum);
}

Test(add, every_failed_allocation_is_survived_without_a_leak)
{
    gr_value *a = json(CHUNK("[{\"name\": \"f\", \"args\": \"{\", \"index\": 0, \"n\": [0.5]}]"));
    gr_value *b = json(CHUNK("[{\"args\": \"}\", \"index\": 0, \"n\": [0.5], \"m\": 1},"
                             " {\"args\": \"x\", \"index\": 1}]"));
    long before = test_memory_live();
    long n = 1;

    for (;; n++) {
        gr_value *sum;
        gr_code code;

        test_memory_fail_at(n);
        sum = gr_add(gr_value_ref(a), gr_value_ref(b));
        code = gr_error_code(sum);
        gr_value_unref(sum);
        if (!test_memory_reached())
            break;
        cr_assert_eq(code, GR_ENOMEM);
        cr_assert_eq(test_memory_live(), before, "allocation %ld", n);
    }
    cr_assert_gt(n, 4);
    gr_value_unref(a);
    gr_value_unref(b);
}
