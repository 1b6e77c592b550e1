/* SPDX-License-Identifier: Apache-2.0 */
/* scene_async.c - batches, streams, pipes, scopes, deadlines, combinators, queues, timers. */
#include "tests/torture/torture.h"

#include <poll.h>
#include <stdatomic.h>
#include <sched.h>

static gr_code twice(gr_ctx *c, void *self, gr_stream *in, const gr_value *args)
{
    gr_outcome o;
    gr_code rc = GR_OK;

    (void)self, (void)args;
    while (rc == GR_OK && (o = gr_next(in, -1)).code == GR_OK)
        rc = gr_emit(c, gr_strf("%s%s", gr_cstr(o.value, "?"), gr_cstr(o.value, "?")));
    if (rc != GR_OK)
        return rc;
    return o.code == GR_EOS ? GR_OK : gr_fail(c, gr_value_ref(o.error));
}

static const gr_method methods[] = { { "stream", GR_ASYNC, NULL, scene_ten },
                                     { "transform", GR_ASYNC, NULL, twice } };
static const gr_class streamer_class = GR_CLASS(.name = "streamer", GR_METHODS(methods));
static const gr_class slow_class =
    GR_CLASS(.name = "slow", .state_size = 8, .reentrant = true, GR_METHODS(methods));

static gr_ref streamer(void)
{
    return gr_spawn(root, &streamer_class, NULL);
}

static gr_value *letters(void)
{
    return gr_list(gr_str("a"), gr_str("b"), gr_str("c"));
}

/* ---- batches and streams --------------------------------------------------------------------- */

static void batch(void)
{
    gives(gr_abatch(rt, echo(), letters(), NULL), "[\"a\",\"b\",\"c\"]");
}

static void batch_window(void)
{
    gr_value *config = gr_map(GR_KV("max_concurrency", gr_int(1)));

    gives(gr_abatch(rt, echo(), letters(), GR_CALL(.config = config)), "[\"a\",\"b\",\"c\"]");
}

/* With return_exceptions an item may be the error of what has failed. */
static void batch_exceptions(void)
{
    gr_value *v = answer(gr_abatch(rt, echo(), letters(), GR_CALL(.return_exceptions = true)));
    static const char *const wanted[] = { "a", "b", "c" };

    claim(v == NULL || gr_len(v) == 3);
    for (size_t i = 0; v != NULL && i < 3; i++) {
        const gr_value *item = gr_at(v, i);

        if (gr_value_type(item) == GR_ERROR)
            said_why(gr_value_ref(item));
        else
            claim(gr_cstr(item, "?")[0] == wanted[i][0]);
    }
    gr_value_unref(v);
}

static void stream(void)
{
    sums(gr_astream(rt, streamer(), gr_nil(), NULL), "\"0123456789\"");
}

static void stream_narrow(void)
{
    sums(gr_astream(rt, gr_spawn(root, &slow_class, NULL), gr_nil(), GR_CALL(.window_chunks = 1)),
         "\"0123456789\"");
}

static void stream_of_invoke(void)
{
    sums(gr_astream(rt, echo(), gr_str("x"), NULL), "\"x\"");
}

static void stream_left(void)
{
    gr_stream *s = gr_astream(rt, streamer(), gr_nil(), GR_CALL(.window_chunks = 1));
    gr_outcome o = gr_next(s, 8000);

    claim(o.code != GR_EPENDING);
    if (said(o.code) && o.code == GR_OK)
        claim(gr_cstr(o.value, "?")[0] == '0');
    gr_stream_free(s);
}

static void invoke_of_stream(void)
{
    gives(gr_ainvoke(rt, streamer(), gr_nil(), NULL), "\"0123456789\"");
}

static void transform(void)
{
    sums(gr_atransform(rt, streamer(), gr_stream_of(rt, letters()), NULL), "\"aabbcc\"");
}

static void transform_of_invoke(void)
{
    sums(gr_atransform(rt, echo(), gr_stream_of(rt, letters()), NULL), "\"abc\"");
}

static bool count_chunk(void *arg, const gr_value *chunk)
{
    (void)chunk;
    return ++*(int *)arg < 100;
}

static void stream_plain(void)
{
    gr_value *err = NULL;
    int seen = 0;
    gr_code rc = gr_do_stream(rt, streamer(), gr_nil(), NULL, count_chunk, &seen, &err);

    if (rc == GR_OK)
        claim(seen == 10);
    else
        said_why(err);
}

static void stream_taken(void)
{
    gr_value *err = NULL, *v = gr_stream_take(gr_astream(rt, streamer(), gr_nil(), NULL), &err);

    if (v != NULL)
        is(v, "\"0123456789\"");
    else
        said_why(err);
}

static void pipe_through(void)
{
    gr_stream *w = NULL, *in = gr_pipe(rt, 4, &w);
    gr_stream *s;
    bool whole = true;

    if (in == NULL) {
        said(GR_ENOMEM);
        return;
    }
    s = gr_atransform(rt, streamer(), in, NULL);
    may_also(GR_ECANCELED); /* for the writer, once the call has failed */
    for (int i = 0; i < 3; i++)
        whole = said(gr_pipe_write(w, gr_str("x"))) && whole;
    gr_pipe_close(w, whole ? NULL : gr_error(GR_ENOMEM, "not all was written"));
    sums(s, "\"xxxxxx\"");
}

/* ---- scopes, cancelling, deadlines ------------------------------------------------------------ */

static void scope(void)
{
    gr_scope *s = gr_scope_new(root);

    if (s == NULL) {
        said(GR_ENOMEM);
        return;
    }
    gr_spawn(s, &slow_class, GR_SPAWN(.name = "named"));
    gr_future_free(gr_ainvoke(rt, nap(), gr_int(600000), GR_CALL(.scope = s)));
    gr_detach(gr_ainvoke(rt, echo(), gr_int(1), GR_CALL(.scope = s)));
    gr_scope_free(s);
}

static void scope_cancel(void)
{
    gr_scope *s = gr_scope_new(root);
    gr_future *f;
    gr_outcome o;

    if (s == NULL)
        return;
    f = gr_ainvoke(rt, nap(), gr_int(600000), GR_CALL(.scope = s));
    gr_scope_cancel(s);
    o = gr_await(f, 8000);
    claim(o.code == GR_ECANCELED || o.code == GR_ENOMEM || o.code == GR_EFULL);
    gr_future_free(f);
    gr_scope_free(s);
}

static void cancel(void)
{
    gr_future *f = gr_ainvoke(rt, nap(), gr_int(600000), NULL);
    gr_outcome o;

    gr_cancel(rt, gr_future_call(f));
    gr_future_cancel(f); /* without memory there is no name */
    o = gr_await(f, 8000);
    claim(o.code == GR_ECANCELED || o.code == GR_ENOMEM || o.code == GR_EFULL);
    gr_future_free(f);
}

static void drop_pending(void)
{
    gr_future_free(gr_ainvoke(rt, nap(), gr_int(600000), NULL));
    gr_stream_free(gr_astream(rt, nap(), gr_int(600000), NULL));
}

static void deadline(void)
{
    gr_future *f = gr_ainvoke(rt, nap(), gr_int(600000), GR_CALL(.timeout_ms = 1));
    gr_outcome o = gr_await(f, 8000);

    claim(o.code == GR_ETIMEDOUT || o.code == GR_ENOMEM || o.code == GR_EFULL);
    gr_future_free(f);
}

static void timer(void)
{
    gives(gr_ainvoke(rt, nap(), gr_int(2), NULL), "2");
    said(gr_sleep(rt, 1));
}

/* ---- combinators, callbacks, queues ----------------------------------------------------------- */

static gr_future *call(int i)
{
    return gr_ainvoke(rt, echo(), gr_int(i), NULL);
}

static void all(void)
{
    gr_future *fs[3] = { call(1), call(2), call(3) };

    gives(gr_all(rt, fs, 3), "[1,2,3]");
}

static void any(void)
{
    gr_future *fs[2] = { call(1), call(1) };

    gives(gr_any(rt, fs, 2), "1");
}

static void race(void)
{
    gr_future *fs[2] = { call(1), gr_ainvoke(rt, nap(), gr_int(600000), NULL) };

    gives(gr_race(rt, fs, 2), "1");
}

static void settled(void)
{
    gr_future *fs[2] = { call(1), call(2) };
    gr_value *v = answer(gr_settled(rt, fs, 2));

    claim(v == NULL || gr_len(v) == 2);
    for (size_t i = 0; v != NULL && i < 2; i++) {
        if (gr_value_type(gr_at(v, i)) == GR_ERROR)
            said_why(gr_value_ref(gr_at(v, i)));
        else
            claim(gr_as_int(gr_at(v, i), -1) == (int64_t)i + 1);
    }
    gr_value_unref(v);
}

static void within(void)
{
    gr_outcome o;
    gr_future *f;

    gives(gr_within(rt, call(1), 60000), "1");
    f = gr_within(rt, gr_ainvoke(rt, nap(), gr_int(600000), NULL), 1);
    o = gr_await(f, 8000);
    claim(o.code == GR_ETIMEDOUT || o.code == GR_ENOMEM || o.code == GR_EFULL);
    gr_future_free(f);
}

static atomic_int called, dropped;

static void on_done(void *arg, gr_future *f)
{
    (void)arg;
    atomic_fetch_add(&called, 1);
    gr_future_free(f);
}

static void on_drop(void *arg)
{
    (void)arg;
    atomic_fetch_add(&dropped, 1);
}

static void callback(void)
{
    bool ok;

    atomic_store(&called, 0);
    atomic_store(&dropped, 0);
    ok = said(gr_on_done(call(1), on_done, on_drop, NULL));
    while (atomic_load(&dropped) == 0)
        sched_yield();
    claim(atomic_load(&called) == (ok ? 1 : 0));
    claim(atomic_load(&dropped) == 1);
}

static void queue(void)
{
    gr_cq *cq = gr_cq_new(rt);
    int watched = 0;

    if (cq == NULL) {
        said(GR_ENOMEM);
        return;
    }
    for (int i = 0; i < 3; i++) {
        gr_future *f = call(7);

        watched += f != NULL && said(gr_cq_watch(cq, f, NULL));
    }
    while (watched > 0) {
        struct pollfd fd = { .fd = gr_cq_fd(cq), .events = POLLIN };
        gr_future *f;

        if (poll(&fd, 1, 8000) == 0)
            torture_fail("the queue's descriptor never gets readable");
        while ((f = gr_cq_next(cq, NULL)) != NULL) {
            gives(f, "7");
            watched--;
        }
    }
    gr_cq_free(cq);
}

static void queue_left(void)
{
    gr_cq *cq = gr_cq_new(rt);
    gr_future *f;

    if (cq == NULL)
        return;
    f = gr_ainvoke(rt, nap(), gr_int(600000), NULL);
    if (f != NULL)
        said(gr_cq_watch(cq, f, NULL));
    gr_cq_free(cq);
}

static const struct scene scenes[] = {
    { "batch", batch, 0 },
    { "batch_window", batch_window, 0 },
    { "batch_exceptions", batch_exceptions, 0 },
    { "stream", stream, 0 },
    { "stream_narrow", stream_narrow, 0 },
    { "stream_of_invoke", stream_of_invoke, 0 },
    { "stream_left", stream_left, 0 },
    { "stream_plain", stream_plain, 0 },
    { "stream_taken", stream_taken, 0 },
    { "invoke_of_stream", invoke_of_stream, 0 },
    { "transform", transform, 0 },
    { "transform_of_invoke", transform_of_invoke, 0 },
    { "pipe", pipe_through, 0 },
    { "scope", scope, 0 },
    { "scope_cancel", scope_cancel, 0 },
    { "cancel", cancel, 0 },
    { "drop_pending", drop_pending, 0 },
    { "deadline", deadline, 0 },
    { "timer", timer, 0 },
    { "all", all, 0 },
    { "any", any, 0 },
    { "race", race, 0 },
    { "settled", settled, 0 },
    { "within", within, 0 },
    { "callback", callback, 0 },
    { "queue", queue, 0 },
    { "queue_left", queue_left, 0 },
};
const struct scenes async_scenes = SCENES(scenes);
