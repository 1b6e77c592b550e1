/* SPDX-License-Identifier: Apache-2.0 */
/* message_test.c - making, coercing and reading messages. */
#include <greenroom/codec.h>
#include <greenroom/message.h>

#include <stdio.h>
#include <string.h>

#include "tests/support/json_check.h"
#include "tests/support/memory.h"
#include "tests/support/test.h"

static bool fails(gr_value *v, gr_code code, const char *text)
{
    bool as_wanted = gr_error_code(v) == code && strstr(gr_error_text(v), text) != NULL;

    if (!as_wanted)
        fprintf(stderr, "code %d, text %s\n", (int)gr_error_code(v), gr_error_text(v));
    gr_value_unref(v);
    return as_wanted;
}

Test(message, constructors_make_flat_maps)
{
    cr_assert(is(gr_human("hi"), "{\"type\":\"human\",\"content\":\"hi\"}"));
    cr_assert(is(gr_ai("yes"), "{\"type\":\"ai\",\"content\":\"yes\"}"));
    cr_assert(is(gr_system("be"), "{\"type\":\"system\",\"content\":\"be\"}"));
    cr_assert(is(gr_ai_chunk("y"), "{\"type\":\"AIMessageChunk\",\"content\":\"y\"}"));
    cr_assert(is(gr_tool_message("c1", gr_str("4")),
                 "{\"type\":\"tool\",\"content\":\"4\",\"tool_call_id\":\"c1\"}"));
    cr_assert(is(gr_message("developer", gr_str("d")),
                 "{\"type\":\"system\",\"content\":\"d\","
                 "\"additional_kwargs\":{\"__openai_role__\":\"developer\"}}"));
    cr_assert(is(gr_message("assistant", gr_nil()), "{\"type\":\"ai\",\"content\":\"\"}"));
}

Test(message, constructors_say_what_is_wrong)
{
    cr_assert(fails(gr_human(NULL), GR_EINVAL, ""));
    cr_assert(fails(gr_human("\xff"), GR_EINVAL, ""));
    cr_assert(fails(gr_message("boss", gr_str("x")), GR_EINVAL, "unknown role 'boss'"));
    cr_assert(fails(gr_message(NULL, gr_str("x")), GR_EINVAL, "unknown role"));
    cr_assert(fails(gr_message("user", gr_int(1)), GR_ETYPE, "not of type int"));
    cr_assert(fails(gr_message("user", NULL), GR_EINVAL, ""));
    cr_assert(fails(gr_message("user", gr_error(GR_ERATE, "slow")), GR_ERATE, "slow"));
    cr_assert(fails(gr_tool_message("c", gr_error(GR_ERATE, "slow")), GR_ERATE, "slow"));
}

Test(message, coerces_what_people_write)
{
    cr_assert(is(gr_message_coerce(gr_str("hi")), "{\"type\":\"human\",\"content\":\"hi\"}"));
    cr_assert(is(gr_message_coerce(json("[\"user\",\"hi\"]")),
                 "{\"type\":\"human\",\"content\":\"hi\"}"));
    cr_assert(is(gr_message_coerce(json("{\"role\":\"assistant\",\"content\":null,\"id\":\"7\"}")),
                 "{\"type\":\"ai\",\"content\":\"\",\"id\":\"7\"}"));
    cr_assert(is(gr_message_coerce(json("{\"type\":\"user\",\"content\":\"x\"}")),
                 "{\"type\":\"human\",\"content\":\"x\"}"));
    cr_assert(is(gr_message_coerce(json("{\"type\":\"ai\",\"content\":[{\"type\":\"text\"}]}")),
                 "{\"type\":\"ai\",\"content\":[{\"type\":\"text\"}]}"));
}

Test(message, coerces_openai_tool_calls)
{
    gr_value *m = gr_message_coerce(
        json("{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"c2\",\"function\":"
             "{\"name\":\"g\",\"arguments\":\"[1\"}},{\"id\":\"c3\",\"function\":"
             "{\"name\":\"h\",\"arguments\":\"\"}}]}"));

    cr_assert_eq(gr_error_code(m), GR_OK);
    cr_assert_eq(gr_len(gr_get(m, "tool_calls")), 1);
    cr_assert_eq(gr_len(gr_get(m, "invalid_tool_calls")), 1);
    cr_assert_str_eq(gr_cstr(gr_get(gr_at(gr_get(m, "invalid_tool_calls"), 0), "args"), ""), "[1");
    cr_assert_eq(gr_value_type(gr_get(gr_at(gr_get(m, "tool_calls"), 0), "args")), GR_MAP);
    gr_value_unref(m);
}

/* Small models write line ends into the texts of arguments as they are; Python's json.loads(strict=False) takes them. */
Test(message, arguments_may_have_line_ends_in_their_texts)
{
    gr_value *m = gr_message_coerce(
        json("{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"c\",\"function\":"
             "{\"name\":\"f\",\"arguments\":\"{\\\"code\\\": \\\"a\\n\\tb\\\"}\"}}]}"));

    cr_assert_eq(gr_len(gr_get(m, "invalid_tool_calls")), 0);
    cr_assert_str_eq(gr_cstr(gr_get(gr_get(gr_at(gr_get(m, "tool_calls"), 0), "args"), "code"), ""),
                     "a\n\tb");
    gr_value_unref(m);
}

Test(message, coercion_names_the_message)
{
    cr_assert(fails(gr_messages_coerce(json("[\"a\",{\"role\":\"boss\",\"content\":\"x\"}]")),
                    GR_EINVAL, "message 2: unknown role 'boss'"));
    cr_assert(fails(gr_message_coerce(gr_int(4)), GR_EINVAL, "not this int"));
    cr_assert(fails(gr_message_coerce(json("{\"content\":\"x\"}")), GR_EINVAL, "unknown role"));
    cr_assert(fails(gr_messages_coerce(gr_int(4)), GR_EINVAL, "not this int"));
    cr_assert(fails(gr_messages_coerce(NULL), GR_EINVAL, "no value"));
}

Test(message, lists_of_all_kinds_become_messages)
{
    cr_assert(is(gr_messages_coerce(gr_str("hi")), "[{\"type\":\"human\",\"content\":\"hi\"}]"));
    cr_assert(is(gr_messages_coerce(json("[\"system\",\"be\"]")),
                 "[{\"type\":\"system\",\"content\":\"be\"}]"));
    cr_assert(
        is(gr_messages_coerce(json("[\"a\",\"b\"]")),
           "[{\"type\":\"human\",\"content\":\"a\"},{\"type\":\"human\",\"content\":\"b\"}]"));
    cr_assert(is(gr_messages_coerce(json("{\"messages\":[[\"ai\",\"x\"]]}")),
                 "[{\"type\":\"ai\",\"content\":\"x\"}]"));
    cr_assert(is(gr_messages_coerce(json("[]")), "[]"));
}

Test(message, text_joins_the_text_blocks)
{
    gr_value *m =
        json("{\"type\":\"ai\",\"content\":[\"a\",{\"type\":\"text\",\"text\":\"b\"},"
             "{\"type\":\"image\",\"url\":\"u\"},{\"type\":\"text-plain\",\"text\":\"a file\"}]}");

    cr_assert(is(gr_message_text(m), "\"ab\""));
    gr_value_unref(m);
    m = gr_int(1);
    cr_assert(fails(gr_message_text(m), GR_ETYPE, "int"));
    cr_assert(fails(gr_message_text(NULL), GR_ETYPE, "nil"));
}

Test(message, prints_a_conversation)
{
    gr_value *list = json("[{\"type\":\"system\",\"content\":\"be\"},"
                          "{\"type\":\"human\",\"content\":\"hi\"}]");

    cr_assert(is(gr_messages_text(list), "\"System: be\\nHuman: hi\""));
    gr_value_unref(list);
}

Test(message, a_finished_chunk_has_its_tool_calls)
{
    cr_assert(is(gr_message_of_chunk(json(
                     "{\"type\":\"AIMessageChunk\",\"content\":\"\",\"chunk_position\":\"last\","
                     "\"tool_call_chunks\":[{\"name\":\"f\",\"args\":\"{\\\"a\\\":1}\","
                     "\"id\":\"c\",\"index\":0,\"type\":\"tool_call_chunk\"}]}")),
                 "{\"type\":\"ai\",\"content\":\"\",\"tool_calls\":[{\"name\":\"f\","
                 "\"args\":{\"a\":1},\"id\":\"c\",\"type\":\"tool_call\"}]}"));
    cr_assert(is(gr_message_of_chunk(gr_human("x")), "{\"type\":\"human\",\"content\":\"x\"}"));
}

static void coerce_all(void)
{
    gr_value_unref(gr_messages_coerce(json(
        "[\"a\",[\"user\",\"b\"],{\"role\":\"developer\",\"content\":null,\"tool_calls\":["
        "{\"id\":\"1\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":\\\"\\n\\\"}\"}}]}]")));
    gr_value *chunk = json("{\"type\":\"AIMessageChunk\",\"content\":[\"a\",\"b\"],"
                           "\"tool_call_chunks\":[{\"name\":\"f\",\"args\":\"{\",\"id\":null}]}");
    gr_value_unref(gr_message_text(chunk));
    gr_value_unref(gr_message_of_chunk(chunk));
}

Test(message, no_allocation_is_trusted)
{
    long before = test_memory_live();

    for (long n = 1; test_memory_fail_at(n), coerce_all(), test_memory_reached(); n++)
        cr_assert_eq(test_memory_live(), before, "after allocation %ld", n);
}

Test(message, without_memory_no_role_is_called_unknown)
{
    long live = test_memory_live();
    bool reached = true;

    for (long n = 1; reached; n++) {
        gr_value *m;

        test_memory_fail_at(n);
        m = gr_message("developer", gr_str("a text"));
        reached = test_memory_reached();
        cr_assert_eq(gr_error_code(m), reached ? GR_ENOMEM : GR_OK, "%s", gr_error_text(m));
        gr_value_unref(m);
        cr_assert_eq(test_memory_live(), live);
    }
}
