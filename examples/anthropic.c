/* SPDX-License-Identifier: Apache-2.0 */
/*
 * anthropic.c - a model of Anthropic's that thinks before it calls a tool, and whose thought goes back to it,
 * signed, with the tool's answer.
 *
 *     cc anthropic.c $(pkg-config --cflags --libs greenroom)
 *     ANTHROPIC_API_KEY=… ./a.out
 *
 * With the server of tests/clients/aimock.mjs, which needs no network, it prints these lines:
 *
 *     thinks: Where is that?
 *     calls get_weather of Oslo
 *     It is 7 degrees in Oslo.
 */
#include <greenroom/greenroom.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static gr_value *parse(const char *json)
{
    return gr_json_parse(json, strlen(json), NULL);
}

/* Thoughts are blocks of the content, beside texts and calls. */
static void print_thoughts(const gr_value *answer)
{
    const gr_value *content = gr_get(answer, "content");

    for (size_t i = 0; gr_value_type(content) == GR_LIST && i < gr_len(content); i++) {
        const gr_value *thought = gr_get(gr_at(content, i), "thinking");

        if (gr_len(thought) > 0)
            printf("thinks: %s\n", gr_cstr(thought, ""));
    }
}

/* answer_calls gives the talk with the answer, and what the tool says to each call in it. */
static gr_value *answer_calls(gr_value *talk, const gr_value *answer)
{
    const gr_value *calls = gr_get(answer, "tool_calls");

    talk = gr_append(talk,
                     gr_value_ref(answer)); /* whole: the API wants the thought and its signature */
    for (size_t i = 0; i < gr_len(calls); i++) {
        const gr_value *call = gr_at(calls, i);

        printf("calls %s of %s\n", gr_cstr(gr_get(call, "name"), ""),
               gr_cstr(gr_get(gr_get(call, "args"), "city"), "nowhere"));
        talk =
            gr_append(talk, gr_tool_message(gr_cstr(gr_get(call, "id"), ""), gr_str("7 degrees")));
    }
    return talk;
}

int main(void)
{
    const char *name = getenv("MODEL");
    GR_AUTO(gr_runtime) rt = NULL;
    GR_AUTO(gr_value) err = NULL;
    GR_AUTO(gr_value) answer = NULL;
    gr_value *talk;
    gr_ref model;

    if (gr_runtime_new(NULL, &rt) != GR_OK)
        return 1;
    model = gr_chat_model(
        gr_root(rt),
        GR_CHAT(.provider = "anthropic", .model = name != NULL ? name : "claude-sonnet-4-5",
                .max_tokens = 2048,
                .extra =
                    parse("{\"thinking\": {\"type\": \"enabled\", \"budget_tokens\": 1024}}")));
    model = gr_bind(gr_root(rt), model,
                    parse("{\"tools\": [{\"type\": \"function\", \"function\": {"
                          "  \"name\": \"get_weather\", \"description\": \"The weather in a city\","
                          "  \"parameters\": {\"type\": \"object\", \"required\": [\"city\"],"
                          "    \"properties\": {\"city\": {\"type\": \"string\"}}}}}]}"));
    talk = gr_list(gr_human("Please think first: what is the weather in Oslo?"));
    answer = gr_invoke(rt, model, gr_value_ref(talk), NULL, &err);
    if (answer != NULL && gr_len(gr_get(answer, "tool_calls")) > 0) {
        print_thoughts(answer);
        talk = answer_calls(talk, answer);
        gr_value_unref(answer);
        answer = gr_invoke(rt, model, gr_value_ref(talk), NULL, &err);
    }
    gr_value_unref(talk);
    if (answer != NULL) {
        GR_AUTO(gr_value) text = gr_message_text(answer);

        puts(gr_cstr(text, ""));
    } else {
        fprintf(stderr, "%s\n", gr_error_text(err));
    }
    return answer != NULL ? 0 : 1;
}
