/* SPDX-License-Identifier: Apache-2.0 */
/*
 * events.c - astream_events: what happens within a chain, told while it runs, and a lambda's own events
 * among it.
 *
 *     cc events.c $(pkg-config --cflags --libs greenroom) && ./a.out
 *
 * It prints:
 *
 *     on_chat_model_start  ScriptModel      seq:step:2
 *     on_chat_model_stream ScriptModel      seq:step:2  "Two"
 *     on_chat_model_stream ScriptModel      seq:step:2  " words."
 *     on_chat_model_end    ScriptModel      seq:step:2  "Two words."
 *     on_custom_event      counted                      2
 */
#include <greenroom/greenroom.h>

#include <stdio.h>

/* count_words answers with how many words an answer has, and tells so while it works. */
static gr_value *count_words(gr_ctx *c, void *arg, const gr_value *message)
{
    GR_AUTO(gr_value) text = gr_message_text(message);
    int64_t words = 1;

    (void)arg;
    for (const char *at = gr_cstr(text, ""); *at != '\0'; at++)
        words += *at == ' ';
    gr_dispatch_event(c, "counted", gr_int(words));
    return gr_int(words);
}

/* show prints one event: its kind, whose it is, its place in the chain (none, if it is one of our own), its data. */
static void show(const gr_value *event)
{
    const gr_value *data = gr_get(event, "data");
    const gr_value *what =
        gr_get(data, "chunk") != NULL ? gr_get(data, "chunk") : gr_get(data, "output");

    printf("%-20s %-16s %-10s", gr_cstr(gr_get(event, "event"), ""),
           gr_cstr(gr_get(event, "name"), ""), gr_cstr(gr_at(gr_get(event, "tags"), 0), ""));
    if (what != NULL)
        printf("  \"%s\"", gr_cstr(gr_get(what, "content"), ""));
    else if (gr_value_type(data) == GR_INT)
        printf("  %d", (int)gr_as_int(data, 0));
    putchar('\n');
}

int main(void)
{
    const char *const types[] = { "chat_model", NULL };
    const char *const names[] = { "counted", NULL };
    GR_AUTO(gr_runtime) rt = NULL;
    gr_scope *in;
    gr_ref chain;
    gr_outcome o;

    if (gr_runtime_new(NULL, &rt) != GR_OK)
        return 1;
    in = gr_root(rt);
    chain = gr_seq(in, gr_prompt(in, "Say two words about {topic}."),
                   gr_script_model(in, GR_SCRIPT(.answers = gr_list(gr_str("Two words.")))),
                   gr_lambda(in, GR_ASYNC, count_words, NULL, NULL));

    /* Of all that happens: what the model's run tells, and the event called "counted". */
    GR_AUTO(gr_stream)
    s = gr_astream_events(rt, chain, gr_map(GR_KV("topic", gr_str("actors"))), NULL,
                          GR_EVENTS(.include_types = types, .include_names = names));
    while ((o = gr_next(s, -1)).code == GR_OK)
        show(o.value);
    if (o.code != GR_EOS)
        fprintf(stderr, "%s\n", gr_error_text(o.error));
    return o.code == GR_EOS ? 0 : 1;
}
