/* SPDX-License-Identifier: Apache-2.0 */
/*
 * openai.c - a chat model of OpenAI, or of any server that speaks its language: a stream, a tool call and
 * its answer, and data by a schema.
 *
 *     cc openai.c $(pkg-config --cflags --libs greenroom)
 *     OPENAI_API_KEY=… ./a.out                                            OpenAI's own
 *     OPENAI_BASE_URL=http://127.0.0.1:8080/v1 MODEL=openai:qwen3 ./a.out    llama.cpp, vLLM, LM Studio …
 *
 * With the server of tests/clients/aimock.mjs, which needs no network, it prints these lines:
 *
 *     An actor is a mailbox with a mind.
 *     get_weather of Oslo
 *     It is 7 degrees in Oslo.
 *     Ada Lovelace, born in 1815
 */
#include <greenroom/greenroom.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static gr_value *parse(const char *json)
{
    return gr_json_parse(json, strlen(json), NULL);
}

/* A text, chunk by chunk. */
static gr_code stream(gr_runtime *rt, gr_ref model, gr_value **reterr)
{
    GR_AUTO(gr_stream)
    s = gr_astream(rt, model, gr_str("In one sentence: what is an actor?"), NULL);
    gr_outcome o;

    while ((o = gr_next(s, -1)).code == GR_OK) {
        GR_AUTO(gr_value) text = gr_message_text(o.value);

        fputs(gr_cstr(text, ""), stdout);
    }
    putchar('\n');
    if (o.code == GR_EOS)
        return GR_OK;
    *reterr = gr_value_ref(o.error);
    return o.code;
}

/* The model asks for a tool; what that says goes back to it. */
static gr_value *use_tool(gr_runtime *rt, gr_ref model, gr_value **reterr)
{
    gr_value *tools =
        parse("{\"tools\": [{\"type\": \"function\", \"function\": {"
              "  \"name\": \"get_weather\", \"description\": \"The weather in a city\","
              "  \"parameters\": {\"type\": \"object\", \"required\": [\"city\"],"
              "    \"properties\": {\"city\": {\"type\": \"string\"}}}}}]}");
    gr_ref with_tools = gr_bind(gr_root(rt), model, tools);
    gr_value *talk = gr_list(gr_human("What is the weather in Oslo?"));
    gr_value *asks = gr_invoke(rt, with_tools, gr_value_ref(talk), NULL, reterr);
    const gr_value *call = gr_at(gr_get(asks, "tool_calls"), 0);

    if (asks == NULL) {
        gr_value_unref(talk);
        return NULL;
    }
    printf("%s of %s\n", gr_cstr(gr_get(call, "name"), "no tool"),
           gr_cstr(gr_get(gr_get(call, "args"), "city"), "nowhere"));
    talk = gr_append(talk, gr_value_ref(asks));
    talk = gr_append(talk, gr_tool_message(gr_cstr(gr_get(call, "id"), ""), gr_str("7 degrees")));
    gr_value_unref(asks);
    return gr_invoke(rt, with_tools, talk, NULL, reterr);
}

/* Data by a schema. */
static gr_value *ask_for_data(gr_runtime *rt, gr_ref model, gr_value **reterr)
{
    gr_value *schema =
        parse("{\"title\": \"person\", \"type\": \"object\", \"required\": [\"name\"],"
              " \"properties\": {\"name\": {\"type\": \"string\"},"
              "                \"born\": {\"type\": \"integer\"}}}");
    gr_ref person = gr_with_structured_output(gr_root(rt), model, schema, NULL);

    return gr_invoke(rt, person, gr_str("Who wrote the first program?"), NULL, reterr);
}

int main(void)
{
    const char *name = getenv("MODEL");
    GR_AUTO(gr_runtime) rt = NULL;
    GR_AUTO(gr_value) err = NULL;
    GR_AUTO(gr_value) answer = NULL;
    GR_AUTO(gr_value) data = NULL;
    gr_ref model;

    if (gr_runtime_new(NULL, &rt) != GR_OK)
        return 1;
    model = gr_chat_model(gr_root(rt), GR_CHAT(.model = name != NULL ? name : "openai:gpt-5-mini"));
    if (stream(rt, model, &err) == GR_OK)
        answer = use_tool(rt, model, &err);
    if (answer != NULL) {
        puts(gr_cstr(gr_get(answer, "content"), ""));
        data = ask_for_data(rt, model, &err);
    }
    if (data != NULL)
        printf("%s, born in %d\n", gr_cstr(gr_get(data, "name"), "nobody"),
               (int)gr_as_int(gr_get(data, "born"), 0));
    else
        fprintf(stderr, "%s\n", gr_error_text(err));
    return data != NULL ? 0 : 1;
}
