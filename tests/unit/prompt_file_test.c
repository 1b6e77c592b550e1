/* SPDX-License-Identifier: Apache-2.0 */
/* prompt_file_test.c - prompts from files and from what these hold. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/runnables.h"

static char folder[64];

static void write_file(const char *name, const char *text)
{
    char path[256];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    f = fopen(path, "w");
    cr_assert_not_null(f);
    fputs(text, f);
    fclose(f);
}

static void start(void)
{
    char sub[128];

    set_up();
    snprintf(folder, sizeof(folder), "/tmp/greenroom-prompts-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    snprintf(sub, sizeof(sub), "%s/sub", folder);
    cr_assert_eq(mkdir(sub, 0700), 0);
    write_file("t.txt", "Tell me about {x}.");
    write_file("sub/t.txt", "Below: {x}");
    write_file("e.json", "[{\"q\":\"1\",\"a\":\"2\"}]");
}

static void stop(void)
{
    static const char *const names[] = { "t.txt",  "sub/t.txt", "e.json",
                                         "p.json", "p.yaml",    "inner.json" };
    char path[256];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        (void)unlink(path);
    }
    snprintf(path, sizeof(path), "%s/sub", folder);
    (void)rmdir(path);
    (void)rmdir(folder);
    tear_down();
}

TestSuite(prompt_file, .init = start, .fini = stop);

/* of makes a prompt of a description, with the folder's files. */
static gr_ref of(const char *config)
{
    return gr_prompt_of_config(root, json(config), GR_LOAD_PROMPT(.folder = folder));
}

static void refused(gr_ref r, const char *text)
{
    gr_value *err = gr_check(rt, r);

    cr_assert_not_null(err);
    cr_assert_not_null(strstr(gr_error_text(err), text), "%s", gr_error_text(err));
    gr_value_unref(err);
}

Test(prompt_file, prompts)
{
    invoke_is(of("{\"_type\":\"prompt\",\"input_variables\":[\"x\"],\"output_parser\":null,"
                 "\"template\":\"{x} and {y}\",\"partial_variables\":{\"y\":\"z\"}}"),
              "\"a\"", "\"a and z\"");
    invoke_is(of("{\"template_path\":\"t.txt\"}"), "{\"x\":\"it\"}", "\"Tell me about it.\"");
    invoke_is(of("{\"template_path\":\"sub/t.txt\"}"), "{\"x\":\"it\"}", "\"Below: it\"");
    invoke_is(of("{\"template\":\"{{x}}\",\"template_format\":\"mustache\"}"), "{\"x\":\"<\"}",
              "\"&lt;\"");
    invoke_is(
        of("{\"lc\":1,\"type\":\"constructor\",\"id\":[\"langchain\",\"prompts\",\"prompt\","
           "\"PromptTemplate\"],\"kwargs\":{\"template\":\"{x}!\",\"input_variables\":[\"x\"],"
           "\"template_format\":\"f-string\"}}"),
        "\"a\"", "\"a!\"");
}

#define EXAMPLE "\"example_prompt\":{\"_type\":\"prompt\",\"template\":\"{q}={a}\"}"

Test(prompt_file, few_shot)
{
    invoke_is(
        of("{\"_type\":\"few_shot\",\"prefix\":\"P\",\"suffix\":\"{q}=\",\"example_separator\":\"\\n\","
           "\"examples\":[{\"q\":\"3\",\"a\":\"4\"}]," EXAMPLE "}"),
        "\"5\"", "\"P\\n3=4\\n5=\"");
    invoke_is(
        of("{\"_type\":\"few_shot\",\"suffix_path\":\"t.txt\",\"examples\":\"e.json\"," EXAMPLE
           "}"),
        "{\"x\":\"y\"}", "\"1=2\\n\\nTell me about y.\"");
    write_file("inner.json", "{\"template\":\"[{q}]\"}");
    invoke_is(
        of("{\"_type\":\"few_shot\",\"examples\":\"e.json\",\"example_prompt_path\":\"inner.json\"}"),
        "null", "\"[1]\"");
}

#define LC(class, kwargs)                                                                          \
    "{\"lc\":1,\"type\":\"constructor\",\"id\":[\"" class "\"],\"kwargs\":" kwargs "}"

Test(prompt_file, chats)
{
    invoke_is(
        of("{\"_type\":\"chat\",\"messages\":[[\"system\",\"Be {how}.\"],{\"role\":\"placeholder\","
           "\"content\":\"{h}\"},{\"prompt\":{\"template\":\"{q}\"}},{\"variable_name\":\"m\","
           "\"n_messages\":1}]}"),
        "{\"how\":\"brief\",\"q\":\"why\",\"m\":[\"a\",\"b\"]}",
        "[{\"type\":\"system\",\"content\":\"Be brief.\"},{\"type\":\"human\",\"content\":\"why\"},"
        "{\"type\":\"human\",\"content\":\"b\"}]");
    invoke_is(
        of(LC(
            "ChatPromptTemplate",
            "{\"messages\":[" LC("SystemMessagePromptTemplate", "{\"prompt\":" LC("PromptTemplate", "{\"template\":\"{a}\"}") "}") "," LC("MessagesPlaceholder", "{\"variable_name\":\"h\",\"optional\":true}") "," LC(
                "HumanMessagePromptTemplate",
                "{\"prompt\":[" LC("PromptTemplate", "{\"template\":\"see {b}\"}") "," LC(
                    "ImagePromptTemplate",
                    "{\"template\":{\"url\":\"{url}\"}}") "]}") "," LC("AIMessage",
                                                                       "{\"content\":\"{as it is}\"}") "]}")),
        "{\"a\":\"s\",\"b\":\"it\",\"url\":\"u\"}",
        "[{\"type\":\"system\",\"content\":\"s\"},{\"type\":\"human\",\"content\":[{\"type\":\"text\","
        "\"text\":\"see it\"},{\"type\":\"image_url\",\"image_url\":{\"url\":\"u\"}}]},"
        "{\"type\":\"ai\",\"content\":\"{as it is}\"}]");
}

/* A prompt may hold messages as they are, with all that they hold. */
Test(prompt_file, messages_that_are_no_templates)
{
    invoke_is(
        of("{\"_type\":\"chat\",\"messages\":[" LC("AIMessage", "{\"content\":\"\",\"tool_calls\":[{\"name\":\"f\",\"args\":{\"x\":\"{y}\"},\"id\":\"c\",\"type\":\"tool_call\"}]}") "," LC(
            "ToolMessage",
            "{\"content\":[{\"type\":\"text\",\"text\":\"{{z}}\"}],\"tool_call_id\":\"c\"}") ",{\"prompt\":{"
                                                                                             "\"template\":\"{{q}}\",\"template_format\":\"mustache\"}}]}"),
        "{\"q\":\"why\"}",
        "[{\"type\":\"ai\",\"content\":\"\",\"tool_calls\":[{\"name\":\"f\",\"args\":{\"x\":\"{y}\"},\"id\":\"c\",\"type\":"
        "\"tool_call\"}]},{\"type\":\"tool\",\"content\":[{\"type\":\"text\",\"text\":\"{{z}}\"}],\"tool_call_id\":\"c\"},"
        "{\"type\":\"human\",\"content\":\"why\"}]");
}

/* Of blocks each has a template of its own. */
Test(prompt_file, templates_of_blocks)
{
    invoke_is(
        of(LC(
            "ChatPromptTemplate",
            "{\"messages\":[" LC(
                "HumanMessagePromptTemplate",
                "{\"prompt\":[" LC("PromptTemplate", "{\"template\":\"see {{b}}\",\"template_format\":\"mustache\"}") "," LC(
                    "DictPromptTemplate",
                    "{\"template\":{\"type\":\"audio\",\"url\":\"{{url}}\"},\"template_format\":\"mustache\"}") "]}") "]}")),
        "{\"b\":\"it\",\"url\":\"u\"}",
        "[{\"type\":\"human\",\"content\":[{\"type\":\"text\",\"text\":\"see it\"},{\"type\":\"audio\",\"url\":\"u\"}]}]");
    refused(
        of("{\"_type\":\"chat\",\"messages\":[{\"prompt\":[{\"template\":\"{{ x }}\",\"template_format\":\"jinja2\"}]}]}"),
        "such templates run code");
    refused(
        of("{\"_type\":\"chat\",\"messages\":[{\"prompt\":{\"template\":\"{x}\",\"template_format\":\"f-string\"}},"
           "{\"prompt\":{\"template\":\"{{x}}\",\"template_format\":\"mustache\"}}]}"),
        "message 2: templates of two formats");
}

Test(prompt_file, what_is_refused)
{
    static const char *const bad[][2] = {
        { "{\"template\":\"{{ x }}\",\"template_format\":\"jinja2\"}", "such templates run code" },
        { "{\"template\":\"x\",\"template_format\":\"perl\"}", "'perl': expected f-string" },
        { "{\"template\":\"x\",\"output_parser\":{}}", "a step behind the model" },
        { "{\"template\":\"x\",\"template_path\":\"t.txt\"}", "one of the two" },
        { "{\"template\":3}", "template is no text" },
        { "{\"template\":\"{\"}", "line 1, column 1" },
        { "{}", "without a template" },
        { "{\"template_path\":\"/etc/passwd.txt\"}", "below the prompt's own folder" },
        { "{\"template_path\":\"../t.txt\"}", "below the prompt's own folder" },
        { "{\"template_path\":\"sub/../../t.txt\"}", "below the prompt's own folder" },
        { "{\"template_path\":\"sub/..\\\\t.txt\"}", "below the prompt's own folder" },
        { "{\"template_path\":\"e.json\"}", "ends in .txt" },
        { "{\"template_path\":\"none.txt\"}", "none.txt" },
        { "{\"_type\":\"llm\"}", "'llm' is no prompt" },
        { "3", "described by a map" },
        { "{\"lc\":1,\"type\":\"constructor\",\"id\":[\"os\",\"system\"],\"kwargs\":{}}",
          "is no prompt" },
        { "{\"lc\":1,\"type\":\"secret\",\"id\":[\"PromptTemplate\"]}", "is no prompt" },
        { "{\"_type\":\"few_shot\",\"examples\":\"e.txt\"," EXAMPLE "}", "e.txt" },
        { "{\"_type\":\"few_shot\",\"examples\":[]}", "no example_prompt" },
        { "{\"_type\":\"few_shot\",\"examples\":\"../e.json\"," EXAMPLE "}", "below" },
        { "{\"_type\":\"chat\",\"messages\":{}}", "are a list" },
        { "{\"_type\":\"chat\",\"messages\":[3]}", "message 1: expected a pair" },
        { "{\"_type\":\"chat\",\"messages\":[[\"system\",3]]}", "message 1: a message's content" },
        { "{\"_type\":\"chat\",\"messages\":[[\"boss\",\"x\"]]}", "message 1: unknown role" },
        { "{\"_type\":\"chat\",\"messages\":[" LC("ShellTool", "{}") "]}", "message 1" },
        { "{\"_type\":\"chat\",\"messages\":[{\"role\":\"human\",\"content\":[\"{\"]}]}",
          "line 1" },
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        refused(of(bad[i][0]), bad[i][1]);
    refused(gr_prompt_of_config(root, json("{\"template_path\":\"t.txt\"}"), NULL),
            "may name no files");
    refused(gr_prompt_of_config(root, gr_error(GR_ERATE, "slow"), NULL), "slow");
    refused(gr_load_prompt(root, NULL, NULL), "no path");
}

Test(prompt_file, a_link_out_of_the_folder_is_refused)
{
    char other[128], path[256];
    FILE *f;

    snprintf(other, sizeof(other), "%s-other", folder);
    f = fopen(other, "w");
    cr_assert_not_null(f);
    fputs("secret", f);
    fclose(f);
    snprintf(path, sizeof(path), "%s/sub/out.txt", folder);
    cr_assert_eq(symlink(other, path), 0);
    refused(of("{\"template_path\":\"sub/out.txt\"}"), "below the prompt's own folder");
    cr_assert_eq(unlink(path), 0);
    cr_assert_eq(symlink("../t.txt", path), 0); /* one that stays there is fine */
    invoke_is(of("{\"template_path\":\"sub/out.txt\"}"), "{\"x\":\"it\"}", "\"Tell me about it.\"");
    (void)unlink(path);
    (void)unlink(other);
}

/* A stand-in for a reader of YAML: "template: text" and nothing else. */
static gr_value *read_yaml(void *arg, const char *text, size_t len)
{
    (void)arg;
    if (len < 10 || strncmp(text, "template: ", 10) != 0)
        return gr_error(GR_EINVAL, "line 1, column 1: not understood");
    return gr_map(GR_KV("template", gr_strn(text + 10, len - 10)));
}

Test(prompt_file, files)
{
    char path[128];

    write_file("p.json", "{\"_type\":\"prompt\",\"template_path\":\"t.txt\"}");
    snprintf(path, sizeof(path), "%s/p.json", folder);
    invoke_is(gr_load_prompt(root, path, NULL), "\"it\"", "\"Tell me about it.\"");
    write_file("p.json", "{\"_type\":");
    refused(gr_load_prompt(root, path, NULL), "line 1, column 10");
    snprintf(path, sizeof(path), "%s/p.yaml", folder);
    refused(gr_load_prompt(root, path, NULL), "p.yaml");
    write_file("p.yaml", "template: {x}?");
    refused(gr_load_prompt(root, path, NULL), "nobody here reads YAML");
    invoke_is(gr_load_prompt(root, path, GR_LOAD_PROMPT(.read_yaml = read_yaml)), "\"it\"",
              "\"it?\"");
    write_file("p.yaml", "- x");
    refused(gr_load_prompt(root, path, GR_LOAD_PROMPT(.read_yaml = read_yaml)), "not understood");
    refused(gr_load_prompt(root, "t.txt", NULL), "t.txt");
}
