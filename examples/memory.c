/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory.c - what is said is kept in files, and shown as a summary and its end: gr_file_history,
 * gr_summary_history and gr_window_history, one on top of the other. Two turns of one session that come at
 * once take their turn.
 *
 *     cc memory.c $(pkg-config --cflags --libs greenroom) && ./a.out
 *
 * It prints:
 *
 *     turn 1: I was shown 1 message
 *     turn 2: I was shown 3 messages
 *     turn 3: I was shown 4 messages, first: Summary 1.
 *     two at once: one has seen what the other added
 *     kept in files: 10 messages; of the last turn: 2
 */
#include <greenroom/greenroom.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* answer stands for a model: it tells what it was shown. */
static gr_value *answer(gr_ctx *c, void *arg, const gr_value *messages)
{
    const gr_value *first = gr_at(messages, 0);
    size_t count = gr_len(messages);

    (void)c, (void)arg;
    if (strcmp(gr_cstr(gr_get(first, "type"), ""), "system") == 0)
        return gr_strf("I was shown %zu messages, first: %s", count,
                       gr_cstr(gr_get(first, "content"), "?"));
    return gr_strf("I was shown %zu message%s", count, count == 1 ? "" : "s");
}

static gr_future *say(gr_runtime *rt, gr_ref chat, const char *what)
{
    gr_value *session = gr_map(GR_KV("session_id", gr_str("ada")));

    return gr_ainvoke(rt, chat, gr_str(what),
                      GR_CALL(.config = gr_map(GR_KV("configurable", session))));
}

static void show(const char *turn, gr_future *f)
{
    GR_AUTO(gr_value) err = NULL;
    GR_AUTO(gr_value) said = gr_take(f, &err);

    printf("%s: %s\n", turn, said != NULL ? gr_cstr(said, "?") : gr_error_text(err));
}

static size_t count(gr_runtime *rt, gr_ref history)
{
    GR_AUTO(gr_value)
    list =
        gr_do(rt, history, "get_messages", gr_map(GR_KV("session_id", gr_str("ada"))), NULL, NULL);

    return gr_len(list);
}

int main(void)
{
    char folder[] = "/tmp/greenroom_memory_XXXXXX", file[64];
    GR_AUTO(gr_runtime) rt = NULL;
    gr_ref all, summaries, last, model, chat;
    gr_future *one, *two;
    gr_scope *in;

    if (mkdtemp(folder) == NULL || gr_runtime_new(NULL, &rt) != GR_OK)
        return 1;
    in = gr_root(rt);
    /* summaries of a model that numbers them */
    model = gr_script_model(
        in, GR_SCRIPT(.answers = gr_list(gr_str("Summary 1."), gr_str("Summary 2."),
                                         gr_str("Summary 3."), gr_str("Summary 4."))));
    all = gr_file_history(in, folder, NULL);
    summaries = gr_summary_history(in, all, model, GR_SUMMARY(.tokens = 24));
    last = gr_window_history(in, all, GR_WINDOW(.turns = 1));
    chat = gr_with_message_history(in, gr_lambda(in, GR_CHEAP, answer, NULL, NULL),
                                   GR_HISTORY(.history = summaries));

    show("turn 1", say(rt, chat, "Hello"));
    show("turn 2", say(rt, chat, "I am Ada."));
    show("turn 3", say(rt, chat, "Who am I?"));
    one = say(rt, chat, "And now?");
    two = say(rt, chat, "And now?");
    GR_AUTO(gr_value) first = gr_take(one, NULL);
    GR_AUTO(gr_value) second = gr_take(two, NULL);
    printf("two at once: %s\n",
           gr_equal(first, second) ? "both saw the same" : "one has seen what the other added");
    printf("kept in files: %zu messages; of the last turn: %zu\n", count(rt, all), count(rt, last));

    snprintf(file, sizeof(file), "%s/ada.jsonl", folder);
    (void)unlink(file);
    (void)rmdir(folder);
    return 0;
}
