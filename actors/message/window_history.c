/* SPDX-License-Identifier: Apache-2.0 */
/*
 * window_history.c - gr_window_history: the end of a conversation. What is in front of it stays where it
 * is kept, and is not shown.
 */
#include <greenroom/history.h>

#include <string.h>

#include "actors/compose/steps.h"
#include "actors/message/tokens.h"

#define TURNS 5

static bool is_human(const gr_value *m)
{
    return strcmp(gr_cstr(gr_get(m, "type"), ""), "human") == 0;
}

/* at_turns: where the last so many turns begin, each with a message of a human. */
static size_t at_turns(const gr_value *list, size_t turns)
{
    size_t at = gr_len(list);

    for (size_t i = gr_len(list); i > 0 && turns > 0; i--) {
        if (!is_human(gr_at(list, i - 1)) || (i > 1 && is_human(gr_at(list, i - 2))))
            continue; /* of several in a row the first one begins the turn */
        at = i - 1;
        turns--;
    }
    return turns > 0 ? 0 : at;
}

/* at_tokens: where the last messages begin that are so many tokens at most. */
static size_t at_tokens(const gr_value *list, int64_t tokens)
{
    size_t at = gr_len(list);

    while (at > 0 && (tokens -= gri_tokens_about(gr_at(list, at - 1))) >= 0)
        at--;
    return at;
}

/* whole_from moves on to the next message that may stand first: not the answer to a call of a tool that
 * is not shown. */
static size_t whole_from(const gr_value *list, size_t at)
{
    while (at < gr_len(list) && strcmp(gr_cstr(gr_get(gr_at(list, at), "type"), ""), "tool") == 0)
        at++;
    return at;
}

static size_t start_of(const gr_value *args, const gr_value *list)
{
    size_t turns = (size_t)gr_as_int(gr_get(args, "turns"), 0);
    size_t messages = (size_t)gr_as_int(gr_get(args, "messages"), 0), at = 0, other;
    int64_t tokens = gr_as_int(gr_get(args, "tokens"), 0);

    if (turns > 0)
        at = at_turns(list, turns);
    if (messages > 0 && messages < gr_len(list) && gr_len(list) - messages > at)
        at = gr_len(list) - messages;
    other = tokens > 0 ? at_tokens(list, tokens) : 0;
    return whole_from(list, other > at ? other : at);
}

static gr_value *get_messages(gr_ctx *c, void *self, const gr_value *ids)
{
    gr_value *err = NULL, *shown, *list;

    (void)self;
    list = gr_do(gr_runtime_of(c), gr_as_ref(gr_get(gr_args(c), "history")), "get_messages",
                 gr_value_ref(ids), NULL, &err);
    if (list == NULL)
        return err;
    if (gr_value_type(list) != GR_LIST) {
        gr_value_unref(list);
        return gr_error(GR_ETYPE, "a history gave no list of messages");
    }
    shown = gr_list_n(NULL, 0);
    for (size_t i = start_of(gr_args(c), list); i < gr_len(list); i++)
        shown = gr_append(shown, gr_value_ref(gr_at(list, i)));
    gr_value_unref(list);
    return shown;
}

static gr_value *hand_on(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    return gr_delegate(c, gr_as_ref(gr_get(gr_args(c), "history")), gr_verb(c), gr_value_ref(args));
}

static const gr_method window_methods[] = {
    { "get_messages", GR_ASYNC, get_messages, NULL },
    { "add_messages", GR_ASYNC, hand_on, NULL },
    { "clear", GR_ASYNC, hand_on, NULL },
};
static const gr_class window_class = GR_CLASS(.name = "WindowHistory", GR_METHODS(window_methods));

gr_ref gr_window_history(gr_scope *in, gr_ref history, const gr_window_opts *opts)
{
    static const gr_window_opts none = { .size = sizeof(none) };
    const gr_window_opts *o = opts != NULL ? opts : &none;
    bool is_default = o->turns == 0 && o->messages == 0 && o->tokens == 0;

    if (gri_ref_broken(in, history))
        return history;
    return gr_spawn(
        in, &window_class,
        GR_SPAWN(.name = "window history",
                 .args = gr_map(GR_KV("history", gr_ref_value(history)),
                                GR_KV("turns", gr_int(is_default ? TURNS : (int64_t)o->turns)),
                                GR_KV("messages", gr_int((int64_t)o->messages)),
                                GR_KV("tokens", gr_int((int64_t)o->tokens)))));
}
