/* SPDX-License-Identifier: Apache-2.0 */
/* prompt_test.c - prompts as actors: strings, messages, placeholders, and what is wrong with
 * them. */
#include <greenroom/greenroom.h>

#include <string.h>

#include "tests/support/test.h"

static gr_runtime *rt;

static void start(void)
{
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &rt), GR_OK);
}

static void stop(void)
{
    gr_runtime_free(rt);
}

Test(prompt, answers_with_a_string, .init = start, .fini = stop)
{
    gr_ref p = gr_prompt(gr_root(rt), "Tell {who} about {what}.");
    gr_value *err = NULL;
    gr_value *got = gr_invoke(
        rt, p,
        gr_map(GR_KV("who", gr_str("me")), GR_KV("what", gr_int(7)), GR_KV("more", gr_int(1))),
        NULL, &err);

    cr_assert_str_eq(gr_cstr(got, gr_error_text(err)), "Tell me about 7.");
    gr_value_unref(got);
    got = gr_take(gr_ainvoke(rt, p, gr_map(GR_KV("who", gr_str("x"))), NULL), &err);
    cr_assert_null(got);
    cr_assert_eq(gr_error_code(err), GR_EINVAL);
    cr_assert_not_null(strstr(gr_error_text(err), "missing variables {'what'}"));
    gr_value_unref(err);
}

Test(prompt, the_only_variable_takes_a_string, .init = start, .fini = stop)
{
    gr_value *got = gr_invoke(rt, gr_prompt(gr_root(rt), "Q: {q}"), gr_str("why?"), NULL, NULL);

    cr_assert_str_eq(gr_cstr(got, ""), "Q: why?");
    gr_value_unref(got);
}

Test(prompt, a_bad_template_gives_a_broken_ref, .init = start, .fini = stop)
{
    gr_ref refs[] = { gr_prompt(gr_root(rt), "Hi {name"), gr_prompt(gr_root(rt), NULL),
                      gr_chat_prompt(gr_root(rt), GR_ROLE("human", "ok"), GR_ROLE("human", "}")),
                      gr_chat_prompt(gr_root(rt), GR_ROLE("boss", "x")),
                      gr_chat_prompt(gr_root(rt), GR_ROLE("placeholder", "{a} {b}")) };
    static const char *const texts[] = { "line 1, column 4", "no template", "message 2: line 1",
                                         "unknown role 'boss'", "message 1: a placeholder" };

    for (size_t i = 0; i < 5; i++) {
        gr_value *err = NULL;

        cr_assert_null(gr_invoke(rt, refs[i], gr_map_n(NULL, 0), NULL, &err));
        cr_assert_not_null(strstr(gr_error_text(err), texts[i]), "%zu: %s", i, gr_error_text(err));
        gr_value_unref(err);
        err = gr_check(rt, refs[i]);
        cr_assert_not_null(err);
        gr_value_unref(err);
    }
}

Test(prompt, a_chat_prompt_answers_with_messages, .init = start, .fini = stop)
{
    gr_ref p = gr_chat_prompt(gr_root(rt), GR_ROLE("system", "In {language}."),
                              GR_ROLE("placeholder", "{history}"), GR_ROLE("user", "{question}"));
    gr_value *history = gr_list(gr_human("a"), gr_ai("b")), *err = NULL;
    gr_value *got = gr_invoke(rt, p,
                              gr_map(GR_KV("language", gr_str("French")), GR_KV("history", history),
                                     GR_KV("question", gr_str("{why}?"))),
                              NULL, &err);
    gr_value *text = gr_messages_text(got);

    cr_assert_str_eq(gr_cstr(text, gr_error_text(err)),
                     "System: In French.\nHuman: a\nAI: b\nHuman: {why}?");
    gr_value_unref(text);
    gr_value_unref(got);
    got = gr_invoke(rt, p, gr_map(GR_KV("language", gr_str("x")), GR_KV("question", gr_str("y"))),
                    NULL, &err);
    cr_assert_eq(gr_len(got), 2);
    gr_value_unref(got);
    got = gr_invoke(rt, p,
                    gr_map(GR_KV("language", gr_str("x")), GR_KV("question", gr_str("y")),
                           GR_KV("history", gr_int(3))),
                    NULL, &err);
    cr_assert_null(got);
    cr_assert_not_null(strstr(gr_error_text(err), "variable 'history'"));
    gr_value_unref(err);
}

static void expect_no_map(gr_ref p, gr_value *input)
{
    gr_value *err = NULL;

    cr_assert_null(gr_invoke(rt, p, input, NULL, &err));
    cr_assert_eq(gr_error_code(err), GR_ETYPE, "%s", gr_error_text(err));
    gr_value_unref(err);
}

/* Where all variables may be missing, input that is no map is for none of them; and it must not hide those
 * that are there. */
Test(prompt, no_variable_that_must_be_there_takes_no_string, .init = start, .fini = stop)
{
    gr_ref text =
        gr_prompt_for(gr_root(rt), GR_PROMPT(.partial = gr_map(GR_KV("a", gr_str("x")))), "<{a}>");
    gr_ref chat = gr_chat_prompt(gr_root(rt), GR_ROLE("placeholder", "{history}"));
    gr_ref fixed = gr_prompt(gr_root(rt), "no variable");
    gr_value *got = gr_invoke(rt, text, gr_nil(), NULL, NULL);

    cr_assert_str_eq(gr_cstr(got, ""), "<x>");
    gr_value_unref(got);
    expect_no_map(text, gr_str("y"));
    expect_no_map(chat, gr_list(gr_human("a")));
    got = gr_invoke(rt, chat, gr_nil(), NULL, NULL);
    cr_assert_eq(gr_value_type(got), GR_LIST);
    gr_value_unref(got);
    got = gr_invoke(rt, fixed, gr_str("y"), NULL, NULL);
    cr_assert_str_eq(gr_cstr(got, ""), "no variable");
    gr_value_unref(got);
}

Test(prompt, format_needs_no_actor)
{
    gr_value *vars = gr_map(GR_KV("a", gr_str("x")));
    gr_value *got = gr_format("{a}{{}}", vars);

    cr_assert_str_eq(gr_cstr(got, ""), "x{}");
    gr_value_unref(got);
    got = gr_format("{b}", vars);
    cr_assert_eq(gr_error_code(got), GR_EINVAL);
    gr_value_unref(got);
    gr_value_unref(vars);
}
