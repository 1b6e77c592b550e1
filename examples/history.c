/* SPDX-License-Identifier: Apache-2.0 */
/*
 * history.c - a chain that remembers: RunnableWithMessageHistory. Each call names its session in the
 * config; what was said in it before goes into the prompt.
 *
 *     cc history.c $(pkg-config --cflags --libs greenroom) && ./a.out
 *
 * It prints:
 *
 *     ada: You have told me: I am Ada.
 *     ada: You have told me: I am Ada. Who am I?
 *     bob: You have told me: Who am I?
 *     ada's history has 4 messages
 */
#include <greenroom/greenroom.h>

#include <stdio.h>
#include <string.h>

/* recall stands for a model: it answers with all that people have said in the messages that it gets. */
static gr_value *recall(gr_ctx *c, void *arg, const gr_value *messages)
{
    gr_value *answer = gr_str("You have told me:");

    (void)c, (void)arg;
    for (size_t i = 0; i < gr_len(messages); i++) {
        const gr_value *m = gr_at(messages, i);

        if (strcmp(gr_cstr(gr_get(m, "type"), ""), "human") == 0)
            answer = gr_add(answer, gr_strf(" %s", gr_cstr(gr_get(m, "content"), "")));
    }
    return gr_message("ai", answer);
}

static gr_value *session(const char *name)
{
    return gr_map(GR_KV("session_id", gr_str(name)));
}

static int say(gr_runtime *rt, gr_ref chain, const char *who, const char *what)
{
    gr_value *config = gr_map(GR_KV("configurable", session(who)));
    gr_value *input = gr_map(GR_KV("question", gr_str(what)));
    gr_value *err = NULL;
    gr_value *answer = gr_invoke(rt, chain, input, GR_CALL(.config = config), &err);
    int failed;

    printf("%s: %s\n", who,
           answer != NULL ? gr_cstr(gr_get(answer, "content"), "?") : gr_error_text(err));
    failed = answer == NULL;
    gr_value_unref(err);
    gr_value_unref(answer);
    return failed;
}

int main(void)
{
    GR_AUTO(gr_runtime) rt = NULL;
    gr_scope *in;
    gr_ref histories, chain;
    int failed;

    if (gr_runtime_new(NULL, &rt) != GR_OK)
        return 1;
    in = gr_root(rt);
    histories = gr_memory_history(in, NULL);
    chain =
        gr_seq(in,
               gr_chat_prompt(in, GR_ROLE("system", "You are kind."),
                              GR_ROLE("placeholder", "{history}"), GR_ROLE("human", "{question}")),
               gr_lambda(in, GR_CHEAP, recall, NULL, NULL));
    chain =
        gr_with_message_history(in, chain,
                                GR_HISTORY(.history = histories, .input_messages_key = "question",
                                           .history_messages_key = "history"));

    failed = say(rt, chain, "ada", "I am Ada.");
    failed |= say(rt, chain, "ada", "Who am I?");
    failed |= say(rt, chain, "bob", "Who am I?");

    GR_AUTO(gr_value) kept = gr_do(rt, histories, "get_messages", session("ada"), NULL, NULL);
    printf("ada's history has %zu messages\n", gr_len(kept));
    return failed;
}
