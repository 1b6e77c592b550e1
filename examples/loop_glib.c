/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop_glib.c - the same under GLib's main loop, as a program with windows would do it.
 *
 * The user doesn't wait for everything: the loop ends with the third answer, and freeing the queue
 * cancels what is still on its way, down to its handler.
 *
 *     cc loop_glib.c $(pkg-config --cflags --libs greenroom glib-2.0) && ./a.out
 */
#include <greenroom/greenroom.h>

#include <glib-unix.h>
#include <glib.h>

#define TICK_MS 10
#define ENOUGH 3

static const char *const topics[] = { "an actor", "a scope", "all the rest of the world",
                                      "a future" };

struct app {
    GMainLoop *loop; /* owned */
    gr_runtime *rt;  /* owned */
    gr_cq *cq;       /* owned */
    unsigned answers;
    unsigned long ticks;
};

/* Stands for a model that is far away. A handler that waits keeps no thread busy. */
static gr_value *think(gr_ctx *c, void *arg, const gr_value *prompt)
{
    const char *question = gr_cstr(prompt, "?");

    (void)arg;
    if (gr_sleep(gr_runtime_of(c), 10 * (int64_t)strlen(question)) != GR_OK) {
        g_print("cancelled: %s\n", question);
        return gr_error(GR_ECANCELED, "nobody waits any more");
    }
    return gr_strf("%s A good question.", question);
}

static gboolean on_answers(gint fd, GIOCondition condition, gpointer user_data)
{
    struct app *a = user_data;
    gr_future *f;
    void *tag = NULL;

    (void)fd, (void)condition;
    while ((f = gr_cq_next(a->cq, &tag)) != NULL) {
        gr_outcome o = gr_await(f, 0); /* complete, so this only looks */

        g_print("%s: %s\n", (const char *)tag,
                o.code == GR_OK ? gr_cstr(o.value, "") : gr_error_text(o.error));
        gr_future_free(f);
        if (++a->answers == ENOUGH)
            g_main_loop_quit(a->loop);
    }
    return G_SOURCE_CONTINUE;
}

static gboolean on_tick(gpointer user_data)
{
    struct app *a = user_data;

    a->ticks++;
    return G_SOURCE_CONTINUE;
}

static void ask(struct app *a, gr_ref chain, const char *topic)
{
    gr_value *input = gr_map(GR_KV("topic", gr_str(topic)));

    if (gr_cq_watch(a->cq, gr_ainvoke(a->rt, chain, input, NULL), (gpointer)topic) != GR_OK)
        g_print("%s: out of memory\n", topic);
}

int main(void)
{
    struct app a = { .loop = g_main_loop_new(NULL, FALSE) };
    guint sources[2];
    gr_ref chain;

    if (gr_runtime_new(NULL, &a.rt) != GR_OK || (a.cq = gr_cq_new(a.rt)) == NULL)
        return 1;
    sources[0] = g_unix_fd_add(gr_cq_fd(a.cq), G_IO_IN, on_answers, &a);
    sources[1] = g_timeout_add(TICK_MS, on_tick, &a);
    chain =
        gr_seq(gr_root(a.rt), gr_prompt(gr_root(a.rt), "What is {topic}?"),
               gr_lambda(gr_root(a.rt), GR_ASYNC, think, NULL, NULL), gr_str_parser(gr_root(a.rt)));
    for (size_t i = 0; i < G_N_ELEMENTS(topics); i++)
        ask(&a, chain, topics[i]);
    g_main_loop_run(a.loop);
    g_print("ticks meanwhile: %s\n", a.ticks > 0 ? "yes" : "none");

    /* The source before the queue: its descriptor must not be polled once it is closed. */
    for (size_t i = 0; i < G_N_ELEMENTS(sources); i++)
        g_source_remove(sources[i]);
    gr_cq_free(a.cq);
    gr_runtime_free(a.rt);
    g_main_loop_unref(a.loop);
    return 0;
}
