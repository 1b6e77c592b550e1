/* SPDX-License-Identifier: Apache-2.0 */
/* event.c - an event as langchain-core writes it: its name, and the map of astream_events, version 2. */
#include "runtime/observe/event.h"

#include <string.h>

#include <greenroom/message.h>

#include "runtime/observe/run.h"
#include "runtime/value/known.h"

/* The types in the order of their bits. */
static const char *const types[] = { "chain",     "llm",    "chat_model", "tool",
                                     "retriever", "prompt", "parser" };
#define TYPES (sizeof(types) / sizeof(types[0]))

static size_t type_index(gr_run_type type)
{
    for (size_t i = 0; i < TYPES; i++)
        if ((unsigned)type == 1u << i)
            return i;
    return 0;
}

const char *gr_run_type_name(gr_run_type type)
{
    return types[type_index(type)];
}

#define NAMES(what)                                                                                \
    {                                                                                              \
        "on_chain_" what, "on_llm_" what, "on_chat_model_" what, "on_tool_" what,                  \
            "on_retriever_" what, "on_prompt_" what, "on_parser_" what                             \
    }

const char *gr_event_name(const gr_event *event)
{
    static const char *const start[TYPES] = NAMES("start"), *const stream[TYPES] = NAMES("stream"),
                             *const end[TYPES] = NAMES("end"), *const error[TYPES] = NAMES("error");
    size_t i = type_index(event->run->type);

    switch (event->kind) {
    case GR_RUN_START: return start[i];
    case GR_RUN_STREAM: return stream[i];
    case GR_RUN_END: return end[i];
    case GR_RUN_ERROR: return error[i];
    case GR_RUN_RETRY: return "on_retry";
    case GR_RUN_CUSTOM: break;
    }
    return "on_custom_event";
}

/* is_tool_call: a model has asked for the tool, by a call with arguments and an id. */
static bool is_tool_call(gr_run_type type, const gr_value *input)
{
    return type == GR_TYPE_TOOL && gr_get(input, "args") != NULL &&
           strcmp(gr_cstr(gr_get(input, "type"), ""), "tool_call") == 0;
}

gr_value *gri_event_input(gr_run_type type, const gr_value *input)
{
    gr_value *messages;

    if (is_tool_call(type, input))
        return gr_value_ref(gr_get(input, "args"));
    if (type == GR_TYPE_RETRIEVER)
        return gr_map(GR_KV("query", gr_value_ref(input)));
    if (type == GR_TYPE_LLM)
        return gr_map(GR_KV("prompts", gr_list(gr_value_ref(input))));
    if (type != GR_TYPE_CHAT_MODEL)
        return gr_value_ref(input);
    messages = gr_messages_coerce(gr_value_ref(input));
    if (gr_error_code(messages) == GR_OK)
        return gr_map(GR_KV("messages", gr_list(messages)));
    gr_value_unref(messages);
    return gr_value_ref(input);
}

gr_value *gri_event_output(gr_run_type type, const gr_value *output)
{
    gr_value *one;

    if (type != GR_TYPE_LLM || gr_value_type(output) != GR_STR)
        return gr_value_ref(output);
    one = gr_map(GR_KV("text", gr_value_ref(output)), GR_KV("generation_info", gr_nil()),
                 GR_KV("type", gr_str("Generation")));
    return gr_map(GR_KV("generations", gr_list(gr_list(one))), GR_KV("llm_output", gr_nil()));
}

static gr_value *put(gr_value *map GR_TAKES, const char *key, const gr_value *v)
{
    return v != NULL ? gr_set(map, key, gr_value_ref(v)) : map;
}

static gr_value *data_of(const gr_event *e)
{
    gr_value *data;

    if (e->kind == GR_RUN_STREAM)
        return gr_map(GR_KV("chunk", gr_value_ref(e->data)));
    data = gr_map_n(NULL, 0);
    switch (e->kind) {
    case GR_RUN_STREAM: break;
    case GR_RUN_ERROR:
    case GR_RUN_RETRY: data = put(data, "error", e->error); break;
    case GR_RUN_END: break;
    case GR_RUN_START: break;
    case GR_RUN_CUSTOM: gr_value_unref(data); return gr_value_ref(e->data);
    }
    if (e->kind == GR_RUN_ERROR && is_tool_call(e->run->type, e->run->input))
        data = put(data, "tool_call_id", gr_get(e->run->input, "id"));
    if (e->kind == GR_RUN_END && e->data != NULL)
        data = gr_set(data, "output", gri_event_output(e->run->type, e->data));
    else if (e->kind == GR_RUN_ERROR)
        data = put(data, "output", e->data);
    return e->run->input != NULL && e->kind != GR_RUN_RETRY
               ? gr_set(data, "input", gri_event_input(e->run->type, e->run->input))
               : data;
}

/* event_with gives the event with such data. */
static gr_value *event_with(const gr_event *event, gr_value *data GR_TAKES)
{
    const gr_run *r = event->run;
    bool custom = event->kind == GR_RUN_CUSTOM;
    const char *what = gr_event_name(event);

    return gr_map(GR_KV("event", gri_key(what, strlen(what))),
                  GR_KV("name", gr_str(custom && event->name != NULL ? event->name : r->name)),
                  GR_KV("run_id", gr_str(r->id)), GR_KV("parent_ids", gr_value_ref(r->parent_ids)),
                  GR_KV("tags", gr_value_ref(r->tags)),
                  GR_KV("metadata", gr_value_ref(r->metadata)), GR_KV("data", data));
}

/* chunk_event: of a run's chunks all events are the same but for the chunk. What memory did not suffice for is made
 * again for the next one. */
static gr_value *chunk_event(struct gri_run *r, const gr_event *event)
{
    gr_value *like;

    gri_run_enter(r->tree);
    like = r->chunk_event != NULL ? gr_value_ref(r->chunk_event) : event_with(event, gr_nil());
    if (r->chunk_event == NULL && gr_error_code(like) == GR_OK)
        r->chunk_event = gr_value_ref(like);
    gri_run_leave(r->tree);
    return gr_set(like, "data", data_of(event));
}

gr_value *gr_event_value(const gr_event *event)
{
    return event->kind == GR_RUN_STREAM && event->run->inner != NULL
               ? chunk_event(event->run->inner, event)
               : event_with(event, data_of(event));
}

bool gri_is_texts(const gr_value *list)
{
    if (gr_value_type(list) != GR_LIST)
        return false;
    for (size_t i = 0; i < gr_len(list); i++)
        if (gr_value_type(gr_at(list, i)) != GR_STR)
            return false;
    return true;
}
