/* SPDX-License-Identifier: Apache-2.0 */
/* agent_loop.c - model, tools, model, … until there is an answer. */
#include <string.h>

#include "actors/agent/agent.h"
#include "runtime/base/alloc.h"

#define SORRY "Sorry, need more steps to process this request."

/* all_direct: every call is of a tool whose answer ends the run. */
static bool all_direct(const struct gri_turn *t, const gr_value *calls)
{
    for (size_t i = 0; i < gr_len(calls); i++) {
        size_t at = gri_toolbox_find(t->told, gr_cstr(gr_get(gr_at(calls, i), "name"), ""));

        if (!gr_as_bool(gr_get(gr_at(t->told, at), "return_direct"), false))
            return false;
    }
    return gr_len(calls) > 0;
}

/* ---- the model's step ----------------------------------------------------------------------------- */

/* within_steps gives the message, or that there is no room left for what it wants. */
static gr_value *within_steps(const struct gri_turn *t, gr_value *m)
{
    const gr_value *calls = gr_get(m, "tool_calls");
    int64_t left = t->steps_max - t->step;
    gr_value *sorry;

    if (gr_len(calls) == 0 || left >= 2 || (left >= 1 && all_direct(t, calls)) ||
        gri_format_answers(t->a, calls))
        return m;
    sorry = gr_map(GR_KV("type", gr_str("ai")), GR_KV("content", gr_str(SORRY)),
                   GR_KV("id", gr_value_ref(gr_get(m, "id"))));
    gr_value_unref(m);
    return sorry;
}

static bool last_is_ai(const struct gri_turn *t)
{
    return gr_len(t->messages) > 0 && gri_last_ai(t->messages) == gr_len(t->messages) - 1;
}

static gr_value *model_step(struct gri_turn *t)
{
    gr_value *err = gri_agent_limit(t), *m, *pending;

    if (err != NULL || t->over)
        return err;
    m = gri_agent_ask(t);
    if (gr_error_code(m) != GR_OK)
        return m;
    err = gri_agent_spent(t, m);
    m = within_steps(t, m);
    if (err == NULL)
        err = gri_turn_add(t, "model", gr_list(gr_value_ref(m)));
    if (err == NULL)
        err = gri_format_answer(t, m);
    if (err == NULL)
        err = gri_agent_hook(t, t->a->post_hook, "post_model_hook", NULL);
    gr_value_unref(m);
    pending = gri_pending(t->messages);
    if (err == NULL && gr_error_code(pending) != GR_OK)
        err = gr_value_ref(pending);
    t->over = gr_len(pending) == 0 && (t->structured != NULL || last_is_ai(t));
    gr_value_unref(pending);
    t->step++;
    return err;
}

/* ---- the tools' step -------------------------------------------------------------------------------- */

/* tell_reply tells of a reply as it comes, with the id that it has from then on. */
static gr_value *tell_reply(void *arg, gr_value *reply)
{
    struct gri_turn *t = arg;
    gr_value *err;

    reply = gri_with_id(t->c, reply);
    err = gri_turn_emit(
        t, GRI_UPDATES,
        gr_map(GR_KV("tools", gr_map(GR_KV("messages", gr_list(gr_value_ref(reply)))))));
    if (err == NULL)
        err = gri_turn_message(t, "tools", reply);
    if (err != NULL) {
        gr_value_unref(reply);
        return err;
    }
    return reply;
}

/* split takes those of the pending calls that may be made; replies[i] answers the others. */
static gr_value *split(struct gri_turn *t, const gr_value *pending, gr_value **replies)
{
    gr_value *made = gr_list_n(NULL, 0);

    for (size_t i = 0; i < gr_len(pending); i++) {
        replies[i] = gri_agent_blocked(t, gr_at(pending, i));
        if (replies[i] == NULL)
            made = gr_append(made, gr_value_ref(gr_at(pending, i)));
        else
            replies[i] = tell_reply(t, replies[i]);
    }
    return made;
}

/* run_calls runs the calls, and adds what comes back in their order. */
static gr_value *run_calls(struct gri_turn *t, const gr_value *pending)
{
    size_t count = gr_len(pending), next = 0;
    gr_value **replies = gri_alloc_array(count + 1, sizeof(*replies)), *made, *state, *got, *list;

    if (replies == NULL)
        return gri_no_memory();
    made = split(t, pending, replies);
    state = gri_turn_state(t);
    got = gr_error_code(made) != GR_OK
              ? gr_value_ref(made)
              : gri_tool_node_run(&t->a->node, t->c, made, state, tell_reply, t);
    gr_value_unref(state);
    gr_value_unref(made);
    for (size_t i = 0; i < count; i++)
        if (replies[i] == NULL)
            replies[i] = gr_error_code(got) == GR_OK ? gr_value_ref(gr_at(got, next++)) : gr_nil();
    list = gr_list_n(replies, count);
    gri_free(replies);
    if (gr_error_code(got) != GR_OK) {
        gr_value_unref(list);
        return got;
    }
    gr_value_unref(got);
    return gri_turn_add(t, NULL, list);
}

static gr_value *tools_step(struct gri_turn *t, const gr_value *before)
{
    gr_value *err = gri_agent_review(t, before), *pending;
    bool direct;

    if (err != NULL || t->over)
        return err;
    pending = gri_pending(t->messages);
    direct = all_direct(t, pending);
    if (gr_error_code(pending) != GR_OK)
        err = gr_value_ref(pending);
    else if (gr_len(pending) > 0)
        err = run_calls(t, pending);
    gr_value_unref(pending);
    t->over = direct || t->structured != NULL;
    t->step++;
    return err;
}

/* ---- the run ------------------------------------------------------------------------------------------ */

/* go takes one step. */
static gr_value *go(struct gri_turn *t)
{
    gr_value *pending = gri_pending(t->messages), *err = NULL;

    if (gr_cancelled(t->c))
        err = gri_was_cancelled();
    else if (t->step > t->steps_max) /* a hook may always have more to ask */
        err = gr_error_with(gr_error(GR_EFULL, "Recursion limit of %lld reached without an answer",
                                     (long long)t->steps_max),
                            "kind", gr_str("recursion"));
    else if (gr_error_code(pending) != GR_OK)
        err = gr_value_ref(pending);
    else if (gr_len(pending) > 0)
        err = tools_step(t, pending);
    else if (t->decisions != NULL)
        err = gr_error(GR_EINVAL, "agent: nothing waits for a decision");
    else
        err = model_step(t);
    gr_value_unref(pending);
    return err;
}

gr_value *gri_agent_run(gr_ctx *c, const gr_value *input, bool streams)
{
    struct gri_turn t;
    gr_value *err = gri_turn_begin(&t, c, input, streams), *state;

    while (err == NULL && !t.over)
        err = go(&t);
    state = err != NULL ? err : gri_turn_state(&t);
    gri_turn_end(&t);
    return state;
}
