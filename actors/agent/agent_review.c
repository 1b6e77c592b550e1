/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent_review.c - consent to tool calls: LangChain's HumanInTheLoopMiddleware.
 *
 * Nothing is kept but the messages: what is pending is what the last ai message calls and no message answers, so a run
 * may go on in another process, from any history.
 */
#include <greenroom/codec.h>
#include <string.h>

#include "actors/agent/agent.h"
#include "actors/tool/tool.h"

/* ---- asking ------------------------------------------------------------------------------------------ */

/* rule_of finds what stands for a call's tool; NULL: it needs no consent. */
static const gr_value *rule_of(const struct gri_agent *a, const gr_value *call)
{
    const gr_value *rule = gr_get(a->interrupt_on, gr_cstr(gr_get(call, "name"), ""));

    return gr_value_type(rule) == GR_MAP || gr_as_bool(rule, false) ? rule : NULL;
}

static const char *const decisions[] = { "approve", "edit", "reject", "respond" };
#define DECISIONS (sizeof(decisions) / sizeof(decisions[0]))

bool gri_is_decision(const char *type)
{
    for (size_t i = 0; i < DECISIONS; i++)
        if (strcmp(decisions[i], type) == 0)
            return true;
    return false;
}

static gr_value *allowed_of(const gr_value *rule)
{
    const gr_value *allowed = gr_get(rule, "allowed_decisions");
    gr_value *list;

    if (allowed != NULL)
        return gr_value_ref(allowed);
    list = gr_list_n(NULL, 0);
    for (size_t i = 0; i < DECISIONS; i++)
        list = gr_append(list, gr_str(decisions[i]));
    return list;
}

static gr_value *request_of(const gr_value *call, const gr_value *rule)
{
    const char *given = gr_cstr(gr_get(rule, "description"), NULL);
    char *args = gr_json_print(gr_get(call, "args"), 0, NULL);
    gr_value *text = given != NULL
                         ? gr_str(given)
                         : gr_strf("Tool execution requires approval\n\nTool: %s\nArgs: %s",
                                   gr_cstr(gr_get(call, "name"), ""), args != NULL ? args : "?");

    gr_free(args);
    return gr_map(GR_KV("name", gr_value_ref(gr_get(call, "name"))),
                  GR_KV("args", gr_value_ref(gr_get(call, "args"))), GR_KV("description", text));
}

static gr_value *config_of(const gr_value *call, const gr_value *rule)
{
    gr_value *config = gr_map(GR_KV("action_name", gr_value_ref(gr_get(call, "name"))),
                              GR_KV("allowed_decisions", allowed_of(rule)));

    return gr_get(rule, "args_schema") != NULL
               ? gr_set(config, "args_schema", gr_value_ref(gr_get(rule, "args_schema")))
               : config;
}

/* interrupt ends the run with what is asked. */
static gr_value *interrupt(struct gri_turn *t, const gr_value *asked)
{
    gr_value *requests = gr_list_n(NULL, 0), *configs = gr_list_n(NULL, 0), *value, *err;
    const gr_value *message = gr_at(t->messages, gri_last_ai(t->messages));

    for (size_t i = 0; i < gr_len(asked); i++) {
        const gr_value *call = gr_at(asked, i), *rule = rule_of(t->a, call);

        requests = gr_append(requests, request_of(call, rule));
        configs = gr_append(configs, config_of(call, rule));
    }
    value = gr_map(GR_KV("action_requests", requests), GR_KV("review_configs", configs));
    t->interrupt = gr_list(
        gr_map(GR_KV("value", value), GR_KV("id", gr_str(gr_cstr(gr_get(message, "id"), "")))));
    t->over = true;
    err = gri_turn_emit(t, GRI_UPDATES, gr_map(GR_KV("__interrupt__", gr_value_ref(t->interrupt))));
    return err != NULL ? err : gri_turn_values(t);
}

/* ---- deciding ------------------------------------------------------------------------------------------ */

/* What the decisions make of the calls. */
struct outcome {
    gr_value *calls;   /* of the ai message, as they are now */
    gr_value *replies; /* of those that are not to be made */
    bool edited;
};

/* is_allowed: the type of a decision is one that there is, and that its rule allows. */
static bool is_allowed(const gr_value *rule, const char *type)
{
    const gr_value *allowed = gr_get(rule, "allowed_decisions");
    bool found = allowed == NULL;

    for (size_t i = 0; i < gr_len(allowed); i++)
        found = found || strcmp(gr_cstr(gr_at(allowed, i), ""), type) == 0;
    return gri_is_decision(type) && found;
}

/* edited gives a call with another action; its id stays. */
static gr_value *edited(const gr_value *call, const gr_value *action)
{
    if (gr_value_type(gr_get(action, "name")) != GR_STR ||
        gr_value_type(gr_get(action, "args")) != GR_MAP)
        return gr_error(GR_EINVAL, "agent: an edit needs edited_action: {\"name\", \"args\"}");
    return gr_set(gr_set(gr_value_ref(call), "name", gr_value_ref(gr_get(action, "name"))), "args",
                  gr_value_ref(gr_get(action, "args")));
}

static gr_value *rejected(const gr_value *call, const gr_value *decision)
{
    const char *text = gr_cstr(gr_get(decision, "message"), NULL);

    return gri_tool_reply(call,
                          text != NULL ? gr_str(text)
                                       : gr_strf("User rejected the tool call for `%s` with id %s",
                                                 gr_cstr(gr_get(call, "name"), ""),
                                                 gr_cstr(gr_get(call, "id"), "")),
                          "error");
}

/* decide does to one call what was decided. */
static gr_value *decide(struct outcome *o, const gr_value *call, const gr_value *decision,
                        const gr_value *rule)
{
    const char *type = gr_cstr(gr_get(decision, "type"), "");
    gr_value *now = gr_value_ref(call);

    if (!is_allowed(rule, type)) {
        gr_value_unref(now);
        return gr_error(GR_EINVAL, "agent: '%s' is no decision that is allowed for the tool '%s'",
                        type, gr_cstr(gr_get(call, "name"), ""));
    }
    if (strcmp(type, "edit") == 0) {
        gr_value_unref(now);
        now = edited(call, gr_get(decision, "edited_action"));
        o->edited = true;
    } else if (strcmp(type, "reject") == 0) {
        o->replies = gr_append(o->replies, rejected(call, decision));
    } else if (strcmp(type, "respond") == 0) {
        o->replies = gr_append(
            o->replies,
            gri_tool_reply(call, gr_str(gr_cstr(gr_get(decision, "message"), "")), "success"));
    }
    if (gr_error_code(now) != GR_OK)
        return now;
    o->calls = gr_append(o->calls, now);
    return NULL;
}

static bool is_in(const gr_value *calls, const gr_value *call)
{
    for (size_t i = 0; i < gr_len(calls); i++)
        if (gr_at(calls, i) == call)
            return true;
    return false;
}

/* decide_all goes over the ai message's calls; those that were not asked about stay. */
static gr_value *decide_all(struct gri_turn *t, struct outcome *o, const gr_value *asked)
{
    const gr_value *message = gr_at(t->messages, gri_last_ai(t->messages));
    const gr_value *calls = gr_get(message, "tool_calls");
    gr_value *err = NULL;
    size_t next = 0;

    for (size_t i = 0; err == NULL && i < gr_len(calls); i++) {
        const gr_value *call = gr_at(calls, i);

        if (!is_in(asked, call)) {
            o->calls = gr_append(o->calls, gr_value_ref(call));
            continue;
        }
        err = decide(o, call, gr_at(t->decisions, next), rule_of(t->a, call));
        next++;
    }
    return err;
}

/* apply changes the state by what was decided. */
static gr_value *apply(struct gri_turn *t, const gr_value *asked)
{
    struct outcome o = { gr_list_n(NULL, 0), gr_list_n(NULL, 0), false };
    const gr_value *message = gr_at(t->messages, gri_last_ai(t->messages));
    gr_value *err = decide_all(t, &o, asked), *changed = gr_list_n(NULL, 0);

    if (err == NULL && (gr_error_code(o.calls) != GR_OK || gr_error_code(o.replies) != GR_OK))
        err = gri_no_memory(); /* or a rejected call would be made */
    if (o.edited)
        changed =
            gr_append(changed, gr_set(gr_value_ref(message), "tool_calls", gr_value_ref(o.calls)));
    changed = gr_add(changed, gr_value_ref(o.replies));
    gr_value_unref(o.calls);
    gr_value_unref(o.replies);
    gr_value_unref(t->decisions);
    t->decisions = NULL;
    if (err == NULL && gr_len(changed) > 0)
        return gri_turn_add(t, "review", changed);
    gr_value_unref(changed);
    return err;
}

gr_value *gri_agent_review(struct gri_turn *t, const gr_value *pending)
{
    gr_value *asked = gr_list_n(NULL, 0), *err = NULL;

    for (size_t i = 0; i < gr_len(pending); i++)
        if (rule_of(t->a, gr_at(pending, i)) != NULL)
            asked = gr_append(asked, gr_value_ref(gr_at(pending, i)));
    if (gr_error_code(asked) != GR_OK)
        err = gr_value_ref(asked);
    else if (gr_len(asked) > 0 && t->decisions == NULL)
        err = interrupt(t, asked);
    else if (t->decisions != NULL && gr_len(t->decisions) != gr_len(asked))
        err =
            gr_error(GR_EINVAL,
                     "agent: Number of human decisions (%zu) does not match number of hanging tool "
                     "calls (%zu)",
                     gr_len(t->decisions), gr_len(asked));
    else if (gr_len(asked) > 0)
        err = apply(t, asked);
    gr_value_unref(asked);
    return err;
}
