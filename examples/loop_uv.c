/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop_uv.c - the same under libuv, with a callback for each question, and one that comes too late.
 *
 * A uv_poll_t watches the completion queue beside the loop's other handles, a timer here. The tag
 * of a future is the request that it answers, so the loop finds the way back to whoever asked.
 *
 *     cc loop_uv.c $(pkg-config --cflags --libs greenroom libuv) && ./a.out
 */
#include <greenroom/greenroom.h>

#include <stdio.h>
#include <string.h>
#include <uv.h>

#define TICK_MS 10

struct app {
    gr_runtime *rt;    /* owned */
    gr_cq *cq;         /* owned */
    uv_loop_t *loop;   /* borrowed */
    uv_poll_t answers; /* readable: the queue has some */
    uv_timer_t ticker;
    size_t left; /* requests without an answer */
    unsigned long ticks;
};

struct request {
    struct app *app;
    const char *topic;
    int64_t timeout_ms; /* 0: none */
    void (*then)(const struct request *r, gr_outcome o);
};

/* Stands for a model that is far away. A handler that waits keeps no thread busy. */
static gr_value *think(gr_ctx *c, void *arg, const gr_value *prompt)
{
    const char *question = gr_cstr(prompt, "?");

    (void)arg;
    if (gr_sleep(gr_runtime_of(c), 10 * (int64_t)strlen(question)) != GR_OK)
        return gr_error(GR_ECANCELED, "nobody waits any more");
    return gr_strf("%s A good question.", question);
}

static void print_it(const struct request *r, gr_outcome o)
{
    printf("%s: %s\n", r->topic,
           o.code == GR_OK ? gr_cstr(o.value, "") : gr_code_name(gr_error_code(o.error)));
}

/* libuv refers to its handles until they are closed; without any uv_run returns. They go before the
 * queue, whose descriptor one of them polls. */
static void close_handles(struct app *a)
{
    uv_close((uv_handle_t *)&a->answers, NULL);
    uv_close((uv_handle_t *)&a->ticker, NULL);
}

static void on_answers(uv_poll_t *handle, int status, int events)
{
    struct app *a = handle->data;
    gr_future *f;
    void *tag = NULL;

    (void)status, (void)events;
    while ((f = gr_cq_next(a->cq, &tag)) != NULL) {
        const struct request *r = tag;

        r->then(r, gr_await(f, 0)); /* complete, so this only looks */
        gr_future_free(f);
        if (--a->left == 0)
            close_handles(a);
    }
}

static void on_tick(uv_timer_t *handle)
{
    struct app *a = handle->data;

    a->ticks++;
}

static int start(struct app *a)
{
    a->loop = uv_default_loop();
    a->answers.data = a->ticker.data = a;
    if (gr_runtime_new(NULL, &a->rt) != GR_OK || (a->cq = gr_cq_new(a->rt)) == NULL)
        return -1;
    if (uv_poll_init(a->loop, &a->answers, gr_cq_fd(a->cq)) != 0 ||
        uv_timer_init(a->loop, &a->ticker) != 0)
        return -1;
    if (uv_poll_start(&a->answers, UV_READABLE, on_answers) != 0)
        return -1;
    return uv_timer_start(&a->ticker, on_tick, TICK_MS, TICK_MS);
}

static void ask(gr_ref chain, struct request *r)
{
    struct app *a = r->app;
    gr_value *input = gr_map(GR_KV("topic", gr_str(r->topic)));
    gr_future *f = gr_ainvoke(a->rt, chain, input, GR_CALL(.timeout_ms = r->timeout_ms));

    if (gr_cq_watch(a->cq, f, r) == GR_OK)
        a->left++;
}

int main(void)
{
    struct app a = { .left = 0 };
    struct request requests[] = { { &a, "an actor", 0, print_it },
                                  { &a, "a scope", 0, print_it },
                                  { &a, "supervision", 20, print_it }, /* it takes 200 ms */
                                  { &a, "a future", 0, print_it } };
    gr_ref chain;

    if (start(&a) != 0)
        return 1;
    chain =
        gr_seq(gr_root(a.rt), gr_prompt(gr_root(a.rt), "What is {topic}?"),
               gr_lambda(gr_root(a.rt), GR_ASYNC, think, NULL, NULL), gr_str_parser(gr_root(a.rt)));
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
        ask(chain, &requests[i]);
    uv_run(a.loop, UV_RUN_DEFAULT);
    printf("ticks meanwhile: %s\n", a.ticks > 0 ? "yes" : "none");
    gr_cq_free(a.cq);
    gr_runtime_free(a.rt);
    uv_loop_close(a.loop);
    return 0;
}
