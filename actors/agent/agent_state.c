/* SPDX-License-Identifier: Apache-2.0 */
/* agent_state.c - a run's state: read from the input and the thread, added to, and told of. */
#include <greenroom/config.h>
#include <greenroom/message.h>
#include <string.h>

#include "actors/agent/agent.h"
#include "actors/tool/tool_names.h"
#include "runtime/base/map.h"
#include "runtime/observe/uuid.h"
#include "runtime/sched/world.h"

/* ---- messages ------------------------------------------------------------------------------------ */

static bool is_type(const gr_value *m, const char *type)
{
    return strcmp(gr_cstr(gr_get(m, "type"), ""), type) == 0;
}

gr_value *gri_with_id(gr_ctx *c, gr_value *message)
{
    gr_runtime *rt = gr_runtime_of(c);
    char id[GRI_UUID_BYTES];

    if (gr_value_type(gr_get(message, "id")) == GR_STR)
        return message;
    gri_uuid7(id, gri_wall_us(rt) / 1000, gri_random(rt), gri_random(rt));
    return gr_set(message, "id", gr_str(id));
}

size_t gri_last_ai(const gr_value *messages)
{
    for (size_t i = gr_len(messages); i-- > 0;)
        if (is_type(gr_at(messages, i), "ai"))
            return i;
    return SIZE_MAX;
}

/* answered: one of the messages from `from` on replies to the call. */
static bool answered(const gr_value *messages, size_t from, const gr_value *call)
{
    const char *id = gr_cstr(gr_get(call, "id"), "");

    for (size_t i = from; i < gr_len(messages); i++)
        if (is_type(gr_at(messages, i), "tool") &&
            strcmp(gr_cstr(gr_get(gr_at(messages, i), "tool_call_id"), ""), id) == 0)
            return true;
    return false;
}

gr_value *gri_pending(const gr_value *messages)
{
    size_t at = gri_last_ai(messages);
    const gr_value *calls = gr_get(gr_at(messages, at), "tool_calls");
    gr_value *list = gr_list_n(NULL, 0);

    for (size_t i = 0; at != SIZE_MAX && i < gr_len(calls); i++)
        if (!answered(messages, at + 1, gr_at(calls, i)))
            list = gr_append(list, gr_value_ref(gr_at(calls, i)));
    return list;
}

/* unanswered tells that there is a call without its reply. */
static gr_value *unanswered(const gr_value *call)
{
    return gr_error_with(
        gr_error(GR_EINVAL,
                 "Found AIMessages with tool_calls that do not have a corresponding "
                 "ToolMessage: %s (id %s). An interrupted run goes on with \"resume\", one "
                 "that was cut off with nil as its input",
                 gr_cstr(gr_get(call, "name"), "?"), gr_cstr(gr_get(call, "id"), "?")),
        "kind", gr_str("INVALID_CHAT_HISTORY"));
}

/* note_replies gathers the ids of the calls that are answered; false: out of memory. */
static bool note_replies(struct gri_map *replies, const gr_value *messages)
{
    for (size_t i = 0; i < gr_len(messages); i++) {
        const char *id = gr_cstr(gr_get(gr_at(messages, i), "tool_call_id"), "");

        if (*id != '\0' && !gri_map_puts(replies, id, replies))
            return false;
    }
    return true;
}

/* check_answered looks at all tool calls but those of the message at `but`. */
static gr_value *check_answered(const gr_value *messages, size_t but)
{
    struct gri_map replies;
    gr_value *err = NULL;

    gri_map_init(&replies, (uint64_t)(uintptr_t)messages);
    if (!note_replies(&replies, messages))
        err = gri_no_memory();
    for (size_t i = 0; err == NULL && i < gr_len(messages); i++) {
        const gr_value *calls = gr_get(gr_at(messages, i), "tool_calls");

        for (size_t j = 0; i != but && err == NULL && j < gr_len(calls); j++)
            if (gri_map_gets(&replies, gr_cstr(gr_get(gr_at(calls, j), "id"), "")) == NULL)
                err = unanswered(gr_at(calls, j));
    }
    gri_map_fini(&replies);
    return err;
}

/* ---- telling ---------------------------------------------------------------------------------------- */

gr_value *gri_turn_emit(struct gri_turn *t, enum gri_stream_mode mode, gr_value *chunk)
{
    static const char *const names[] = {
        [GRI_UPDATES] = "updates", [GRI_VALUES] = "values", [GRI_MESSAGES] = "messages"
    };
    gr_code rc;

    if (!t->streams || (t->modes & mode) == 0) {
        gr_value_unref(chunk);
        return NULL;
    }
    rc = gr_emit(t->c, t->listed ? gr_list(gr_str(names[mode]), chunk) : chunk);
    return rc == GR_OK ? NULL : gr_error(rc, "the agent's stream is read no more");
}

gr_value *gri_turn_message(struct gri_turn *t, const char *node, const gr_value *message)
{
    if (!t->streams || (t->modes & GRI_MESSAGES) == 0)
        return NULL;
    return gri_turn_emit(
        t, GRI_MESSAGES,
        gr_list(gr_value_ref(message), gr_map(GR_KV("langgraph_node", gr_str(node)),
                                              GR_KV("langgraph_step", gr_int(t->step)))));
}

gr_value *gri_turn_state(const struct gri_turn *t)
{
    gr_value *state = gr_set(gr_value_ref(t->rest), "messages", gr_value_ref(t->messages));

    if (t->structured != NULL)
        state = gr_set(state, "structured_response", gr_value_ref(t->structured));
    if (t->usage != NULL && (t->a->tokens_max > 0 || t->a->prices != NULL))
        state = gr_set(state, "usage_metadata", gr_value_ref(t->usage));
    if (t->a->prices != NULL)
        state = gr_set(state, "cost", gr_real(t->cost));
    return t->interrupt != NULL ? gr_set(state, "__interrupt__", gr_value_ref(t->interrupt))
                                : state;
}

gr_value *gri_turn_values(struct gri_turn *t)
{
    if (!t->streams || (t->modes & GRI_VALUES) == 0)
        return NULL;
    return gri_turn_emit(t, GRI_VALUES, gri_turn_state(t));
}

/* keep adds messages to the thread. */
static gr_value *keep(struct gri_turn *t, const gr_value *messages)
{
    gr_value *err = NULL, *v;

    if (t->thread == NULL || gr_len(messages) == 0)
        return NULL;
    v = gr_do(
        gr_runtime_of(t->c), t->a->history, "add_messages",
        gr_map(GR_KV("ids", gr_value_ref(t->thread)), GR_KV("messages", gr_value_ref(messages))),
        NULL, &err);
    gr_value_unref(v);
    return err;
}

/* with_id gives one message of a list its id; what removes a message has that of the message. */
static gr_value *with_id(gr_ctx *c, const gr_value *m)
{
    gr_value *message = gr_value_ref(m);

    if (is_type(m, "remove"))
        return message;
    message = gr_message_coerce(message);
    return gr_error_code(message) == GR_OK ? gri_with_id(c, message) : message;
}

/* with_ids makes messages of a list, each with an id; an error if one can't be. */
static gr_value *with_ids(gr_ctx *c, gr_value *messages)
{
    gr_value *list, *m = NULL;

    if (gr_error_code(messages) != GR_OK)
        return messages;
    list = gr_list_n(NULL, 0);
    for (size_t i = 0; i < gr_len(messages) && gr_error_code(list) == GR_OK; i++) {
        m = with_id(c, gr_at(messages, i));
        if (gr_error_code(m) == GR_OK) {
            list = gr_append(list, m);
        } else {
            gr_value_unref(list);
            list = m;
        }
    }
    gr_value_unref(messages);
    return list;
}

/* join adds messages, which have ids, to the state and the thread. */
static gr_value *join(struct gri_turn *t, const gr_value *messages)
{
    t->messages = gr_add_messages(t->messages, gr_value_ref(messages));
    if (gr_error_code(t->messages) != GR_OK)
        return gr_value_ref(t->messages);
    return keep(t, messages);
}

gr_value *gri_turn_add(struct gri_turn *t, const char *node, gr_value *messages)
{
    gr_value *err;

    messages = with_ids(t->c, messages);
    if (gr_error_code(messages) != GR_OK)
        return messages;
    err = join(t, messages);
    if (err == NULL && node != NULL)
        err = gri_turn_emit(t, GRI_UPDATES,
                            gr_map(GR_KV(node, gr_map(GR_KV("messages", gr_value_ref(messages))))));
    gr_value_unref(messages);
    return err != NULL ? err : gri_turn_values(t);
}

gr_value *gri_turn_update(struct gri_turn *t, const char *node, gr_value *update)
{
    gr_value *messages = gr_value_ref(gr_get(update, "messages")), *err = NULL;

    if (gr_value_type(update) != GR_MAP && !gr_is_nil(update)) {
        err = gr_error(GR_ETYPE, "%s must answer with a map, not with a value of type %s", node,
                       gr_type_name(gr_value_type(update)));
        gr_value_unref(update);
        return err;
    }
    if (gr_value_type(update) == GR_MAP)
        t->rest = gr_merge(t->rest, gr_without(gr_without(gr_value_ref(update), "messages"),
                                               "llm_input_messages"));
    if (gr_value_type(messages) == GR_LIST && gr_len(messages) > 0) {
        messages = with_ids(t->c, messages);
        err = gr_error_code(messages) != GR_OK ? gr_value_ref(messages) : join(t, messages);
    }
    gr_value_unref(messages);
    if (err == NULL && gr_value_type(update) == GR_MAP)
        err = gri_turn_emit(t, GRI_UPDATES, gr_map(GR_KV(node, gr_value_ref(update))));
    gr_value_unref(update);
    return err;
}

/* ---- the beginning ------------------------------------------------------------------------------------ */

static bool mode_named(const gr_value *name, unsigned *modes)
{
    const char *s = gr_cstr(name, "");

    if (strcmp(s, "updates") == 0)
        *modes |= GRI_UPDATES;
    else if (strcmp(s, "values") == 0)
        *modes |= GRI_VALUES;
    else if (strcmp(s, "messages") == 0)
        *modes |= GRI_MESSAGES;
    else
        return false;
    return true;
}

/* read_modes reads the call's own stream_mode. */
static gr_value *read_modes(struct gri_turn *t)
{
    const gr_value *mode = gr_get(gr_kwargs(t->c), "stream_mode");
    bool good = true;

    t->modes = t->a->modes;
    if (gr_is_nil(mode))
        return NULL;
    t->modes = 0;
    t->listed = gr_value_type(mode) == GR_LIST;
    for (size_t i = 0; t->listed && i < gr_len(mode); i++)
        good = mode_named(gr_at(mode, i), &t->modes) && good;
    if (!t->listed)
        good = mode_named(mode, &t->modes);
    return good ? NULL
                : gr_error(GR_EINVAL,
                           "agent: stream_mode must be updates, values or messages, or a list");
}

/* read_thread finds the thread and what was said in it. */
static gr_value *read_thread(struct gri_turn *t)
{
    const gr_value *id = gr_get(gr_get(gr_config(t->c), "configurable"), "thread_id");
    gr_value *said, *err = NULL;

    if (!gri_is_ref(t->a->history))
        return NULL;
    if (gr_is_nil(id))
        return gr_error(GR_EINVAL,
                        "agent: with a history the config's configurable must have thread_id");
    t->thread = gr_map(GR_KV("thread_id", gr_value_ref(id)));
    said = gr_do(gr_runtime_of(t->c), t->a->history, "get_messages", gr_value_ref(t->thread), NULL,
                 &err);
    if (said == NULL)
        return err;
    t->messages = gr_add_messages(t->messages, said);
    return gr_error_code(t->messages) != GR_OK ? gr_value_ref(t->messages) : NULL;
}

static bool is_message(const gr_value *v)
{
    return gr_get(v, "content") != NULL && (gr_get(v, "type") != NULL || gr_get(v, "role") != NULL);
}

/* new_messages takes the messages out of the input; nil: there are none. */
static gr_value *new_messages(struct gri_turn *t, const gr_value *input)
{
    const gr_value *messages = input, *resume;

    if (gr_value_type(input) == GR_MAP && !is_message(input)) {
        messages = gr_get(input, "messages");
        resume = gr_get(input, "resume");
        gr_value_unref(t->rest);
        t->rest = gr_without(gr_without(gr_value_ref(input), "messages"), "resume");
        t->rest = gr_without(t->rest, "__interrupt__");
        if (resume != NULL && gr_value_type(gr_get(resume, "decisions")) != GR_LIST)
            return gr_error(GR_EINVAL, "agent: resume must be {\"decisions\": […]}");
        t->decisions = gr_value_ref(gr_get(resume, "decisions"));
    }
    if (gr_is_nil(messages) || (gr_value_type(messages) == GR_LIST && gr_len(messages) == 0))
        return gr_nil();
    return gr_messages_coerce(gr_value_ref(messages));
}

/* join_new adds what is new to the state, and looks whether it can be. */
static gr_value *join_new(struct gri_turn *t, const gr_value *input)
{
    gr_value *added = new_messages(t, input), *err;
    bool goes_on = gr_is_nil(added) || t->decisions != NULL;

    if (gr_error_code(added) != GR_OK)
        return added;
    if (!gr_is_nil(added)) {
        added = with_ids(t->c, added);
        t->messages = gr_add_messages(t->messages, gr_value_ref(added));
    }
    if (gr_error_code(t->messages) != GR_OK)
        err = gr_value_ref(t->messages);
    else if (gr_len(t->messages) == 0)
        err = gr_error(GR_EINVAL, "agent: there are no messages");
    else
        err = check_answered(t->messages, goes_on ? gri_last_ai(t->messages) : SIZE_MAX);
    if (err == NULL && !gr_is_nil(added))
        err = keep(t, added);
    gr_value_unref(added);
    return err;
}

/* check_consent: what interrupt_on names must be there. */
static gr_value *check_consent(const struct gri_turn *t)
{
    gr_value *names, *err;

    if (t->a->interrupt_on == NULL)
        return NULL;
    names = gri_tool_names_told(t->told);
    err = gr_error_code(names) != GR_OK ? gr_value_ref(names)
                                        : gri_rules_check_names(t->a->interrupt_on, names);
    gr_value_unref(names);
    return err;
}

gr_value *gri_turn_begin(struct gri_turn *t, gr_ctx *c, const gr_value *input, bool streams)
{
    gr_value *err;

    *t = (struct gri_turn){ .c = c,
                            .a = gr_as_opaque(gr_args(c)),
                            .streams = streams,
                            .messages = gr_list_n(NULL, 0),
                            .rest = gr_map_n(NULL, 0),
                            .step = 1 };
    t->steps_max = gr_as_int(gr_get(gr_config(c), "recursion_limit"), GR_RECURSION_LIMIT);
    err = read_modes(t);
    if (err == NULL)
        err = read_thread(t);
    if (err == NULL)
        err = join_new(t, input);
    if (err != NULL)
        return err;
    t->told = gri_toolbox_told(&t->a->node.box, c);
    if (gr_error_code(t->told) != GR_OK)
        return gr_value_ref(t->told);
    err = check_consent(t);
    if (err != NULL)
        return err;
    if (t->a->format != NULL && !t->a->native &&
        gri_toolbox_find(t->told, gri_format_name(t->a)) != SIZE_MAX)
        return gr_error(GR_EINVAL, "agent: a tool and the response_format are both called '%s'",
                        gri_format_name(t->a));
    return gri_turn_values(t);
}

void gri_turn_end(struct gri_turn *t)
{
    gr_value_unref(t->messages);
    gr_value_unref(t->rest);
    gr_value_unref(t->thread);
    gr_value_unref(t->told);
    gr_value_unref(t->decisions);
    gr_value_unref(t->interrupt);
    gr_value_unref(t->structured);
    gr_value_unref(t->usage);
}
