/* SPDX-License-Identifier: Apache-2.0 */
/* mustache_test.c - the part of mustache that runs no code, and prompts that are written in it. */
#include "actors/prompt/mustache.h"

#include <greenroom/greenroom.h>

#include "tests/support/json_check.h"
#include "tests/support/memory.h"
#include "tests/support/test.h"

static gr_value *printed(const char *text, const char *vars)
{
    struct gri_mustache *m = NULL;
    struct gri_strbuf b = GRI_STRBUF_INIT;
    gr_value *err = NULL, *values, *out;

    if (gri_mustache_parse(text, strlen(text), &m, &err) != GR_OK)
        return err;
    values = json(vars);
    gri_mustache_print(m, values, &b);
    gr_value_unref(values);
    gri_mustache_free(m);
    out = b.failed ? gr_error(GR_ENOMEM, "failed") : gr_strn(b.len > 0 ? b.data : "", b.len);
    gri_strbuf_fini(&b);
    return out;
}

static void prints(const char *text, const char *vars, const char *expected)
{
    gr_value *v = printed(text, vars);

    cr_assert_str_eq(gr_cstr(v, gr_error_text(v)), expected, "%s: %s", text,
                     gr_cstr(v, gr_error_text(v)));
    gr_value_unref(v);
}

Test(mustache, variables)
{
    prints("Hello {{ name }}!", "{\"name\":\"x\"}", "Hello x!");
    prints("{{a}} {{{a}}} {{&a}}", "{\"a\":\"<&\\\">\"}", "&lt;&amp;&quot;&gt; <&\"> <&\">");
    prints("{{a.b.c}}{{a.x}}", "{\"a\":{\"b\":{\"c\":1}}}", "1");
    prints("{{a.1}}", "{\"a\":[\"x\",\"y\"]}", "y");
    prints("{{a}}{{b}}", "{\"a\":null,\"b\":[1,{\"x\":true}]}", "[1, {&quot;x&quot;: true}]");
    prints("a{{! a comment }}b", "{}", "ab");
    prints("{a} } {", "{}", "{a} } {");
}

Test(mustache, sections)
{
    prints("{{#l}}<{{.}}>{{/l}}", "{\"l\":[1,2]}", "<1><2>");
    prints("{{#l}}{{n}}{{o}}{{/l}}", "{\"l\":[{\"n\":\"a\"},{\"n\":\"b\"}],\"o\":\"-\"}", "a-b-");
    prints("{{#t}}yes{{/t}}{{^t}}no{{/t}}", "{\"t\":true}", "yes");
    prints("{{#t}}yes{{/t}}{{^t}}no{{/t}}", "{\"t\":0}", "no");
    prints("{{#t}}yes{{/t}}{{^t}}no{{/t}}", "{}", "no");
    prints("{{#t}}yes{{/t}}{{^t}}no{{/t}}", "{\"t\":[]}", "no");
    prints("{{#m}}{{#m}}{{x}}{{/m}}{{/m}}", "{\"m\":{\"x\":1}}", "1");
    prints("{{#a.b}}{{c}}{{/a.b}}", "{\"a\":{\"b\":{\"c\":2}}}", "2");
    prints("a\n{{#l}}\n- {{.}}\n{{/l}}\nb\n", "{\"l\":[1,2]}", "a\n- 1\n- 2\nb\n");
    prints("a\r\n  {{! c }}  \r\nb", "{}", "a\r\nb");
    prints("{{#x}}{{/x}} y", "{\"x\":1}", " y");
}

Test(mustache, what_it_does_not_do)
{
    static const char *const bad[][2] = {
        { "ab{{", "line 1, column 3: expected '}}'" },
        { "{{{a}}", "expected '}}'" },
        { "{{}}", "line 1, column 3: expected a variable's name" },
        { "{{> other}}", "partials are not supported" },
        { "{{=<% %>=}}", "other delimiters are not supported" },
        { "{{#a}}", "this section is never closed" },
        { "{{/a}}", "this closes no section" },
        { "{{#a}}{{#b}}{{/a}}{{/b}}", "this closes another section" },
        { "x\n{{a b}}", "line 2, column 4: a name has no blanks" },
        { "{{a{b}}", "no braces" },
    };
    char deep[6 * (GRI_MUSTACHE_DEPTH_MAX + 2)] = "";
    gr_value *v;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        v = printed(bad[i][0], "{}");
        cr_assert_eq(gr_error_code(v), GR_EINVAL, "%s", bad[i][0]);
        cr_assert_not_null(strstr(gr_error_text(v), bad[i][1]), "%s", gr_error_text(v));
        gr_value_unref(v);
    }
    for (int i = 0; i <= GRI_MUSTACHE_DEPTH_MAX; i++)
        memcpy(deep + 6 * i, "{{#a}}", 7);
    v = printed(deep, "{}");
    cr_assert_not_null(strstr(gr_error_text(v), "too deeply"));
    gr_value_unref(v);
}

/* Lists in lists of sections: ten of them over ten elements would be 10^10 steps without any output. */
Test(mustache, printing_is_bounded)
{
    gr_value *v = printed("{{#l}}{{#l}}{{#l}}{{#l}}{{#l}}{{#l}}{{#l}}{{#l}}{{#l}}{{#l}}{{/l}}{{/l}}"
                          "{{/l}}{{/l}}{{/l}}{{/l}}{{/l}}{{/l}}{{/l}}{{/l}}",
                          "{\"l\":[1,2,3,4,5,6,7,8,9,10]}");

    cr_assert_eq(gr_error_code(v), GR_ENOMEM);
    gr_value_unref(v);
}

Test(mustache, every_failed_allocation_is_survived_without_a_leak)
{
    long before = test_memory_live();

    for (long n = 1;; n++) {
        test_memory_fail_at(n);
        gr_value_unref(printed("{{#l}}<{{.}}>{{/l}} {{{a}}} {{a.b}}\n{{^x}}\n1\n{{/x}}\n",
                               "{\"l\":[1,\"<\"],\"a\":{\"b\":2}}"));
        cr_assert_eq(test_memory_live(), before, "allocation %ld", n);
        if (!test_memory_reached())
            break;
    }
}

/* ---- prompts --------------------------------------------------------------------------------- */

static gr_runtime *rt;

static void start(void)
{
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &rt), GR_OK);
}

static void stop(void)
{
    gr_runtime_free(rt);
}

static bool gives(gr_ref r, const char *input, const char *expected)
{
    gr_value *err = NULL, *v = gr_invoke(rt, r, json(input), NULL, &err);

    if (v == NULL)
        fprintf(stderr, "%s\n", gr_error_text(err));
    gr_value_unref(err);
    return v != NULL && is(v, expected);
}

Test(mustache, prompts, .init = start, .fini = stop)
{
    gr_ref text = gr_prompt_for(gr_root(rt), GR_PROMPT(.format = GR_MUSTACHE),
                                "{{#users}}{{name}}, {{/users}}{{greeting.text}}");
    gr_ref chat = gr_chat_prompt_for(gr_root(rt), GR_PROMPT(.format = GR_MUSTACHE),
                                     GR_ROLE("system", "{{a}}"), GR_ROLE("placeholder", "{h}"));
    gr_value *err = NULL;

    cr_assert(gives(
        text, "{\"users\":[{\"name\":\"x\"},{\"name\":\"y\"}],\"greeting\":{\"text\":\"hi\"}}",
        "\"x, y, hi\""));
    cr_assert(
        gives(chat, "{\"a\":\"s\",\"h\":[\"q\"]}",
              "[{\"type\":\"system\",\"content\":\"s\"},{\"type\":\"human\",\"content\":\"q\"}]"));
    cr_assert_null(gr_invoke(rt, text, json("{\"users\":[]}"), NULL, &err));
    cr_assert_not_null(strstr(gr_error_text(err), "missing variables {'greeting'}"));
    gr_value_unref(err);
}

Test(mustache, contents_of_blocks, .init = start, .fini = stop)
{
    gr_ref chat = gr_chat_prompt(
        gr_root(rt), GR_ROLE("system", "Look."),
        GR_BLOCKS("human",
                  json("[{\"type\":\"text\",\"text\":\"What is {x}?\"},{\"type\":\"image_url\","
                       "\"image_url\":{\"url\":\"{url}\",\"detail\":\"low\"}},7]")));
    gr_ref bad = gr_chat_prompt(gr_root(rt), GR_BLOCKS("human", json("[\"{\"]")));
    gr_ref none = gr_chat_prompt(gr_root(rt), GR_BLOCKS("human", gr_int(3)));
    gr_value *err = NULL;

    cr_assert(gives(chat, "{\"x\":\"it\",\"url\":\"https://a.example/b\"}",
                    "[{\"type\":\"system\",\"content\":\"Look.\"},{\"type\":\"human\",\"content\":["
                    "{\"type\":\"text\",\"text\":\"What is it?\"},{\"type\":\"image_url\","
                    "\"image_url\":{\"url\":\"https://a.example/b\",\"detail\":\"low\"}},7]}]"));
    cr_assert_null(gr_invoke(rt, chat, json("{\"x\":1}"), NULL, &err));
    cr_assert_not_null(strstr(gr_error_text(err), "'url'"));
    gr_value_unref(err);
    cr_assert_null(gr_invoke(rt, bad, gr_nil(), NULL, &err));
    cr_assert_not_null(strstr(gr_error_text(err), "message 1: line 1"));
    gr_value_unref(err);
    cr_assert_null(gr_invoke(rt, none, gr_nil(), NULL, &err));
    cr_assert_eq(gr_error_code(err), GR_ETYPE);
    gr_value_unref(err);
}
