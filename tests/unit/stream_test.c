/* SPDX-License-Identifier: Apache-2.0 */
/* stream_test.c - many pending answers: order, back-pressure, leaving early, the end. */
#include "tests/support/engine.h"

/* ---- producers ------------------------------------------------------------------------------- */

static _Atomic int emitted, left;

/* numbers emits 0 … n-1, then fails if told to. */
static gr_code numbers(gr_ctx *c, void *self, gr_stream *in, const gr_value *args)
{
    int64_t n = gr_as_int(gr_get(args, "n"), 0);

    (void)self, (void)in;
    for (int64_t i = 0; i < n; i++) {
        gr_code rc = gr_emit(c, gr_int(i));

        if (rc != GR_OK) {
            gr_sleep(gr_runtime_of(c), 1);
            atomic_fetch_add(&left, 1);
            return rc;
        }
        atomic_fetch_add(&emitted, 1);
    }
    if (gr_as_bool(gr_get(args, "fail"), false))
        return gr_fail(c, gr_error(GR_EREMOTE, "ran dry"));
    return GR_OK;
}

/* big emits chunks of 100 KiB. */
static gr_code big(gr_ctx *c, void *self, gr_stream *in, const gr_value *args)
{
    static char text[100 * 1024];
    gr_code rc = GR_OK;

    (void)self, (void)in;
    memset(text, 'x', sizeof(text));
    for (int64_t i = 0; i < gr_as_int(args, 0) && rc == GR_OK; i++) {
        rc = gr_emit(c, gr_strn(text, sizeof(text)));
        atomic_fetch_add(&emitted, 1);
    }
    return rc;
}

/* upper passes its input on, each number plus 100. */
static gr_code plus(gr_ctx *c, void *self, gr_stream *in, const gr_value *args)
{
    gr_outcome o;

    (void)self, (void)args;
    while ((o = gr_next(in, -1)).code == GR_OK) {
        gr_code rc = gr_emit(c, gr_int(gr_as_int(o.value, 0) + 100));

        if (rc != GR_OK)
            return rc;
    }
    return o.code == GR_EOS ? GR_OK : o.error != NULL ? gr_fail(c, gr_value_ref(o.error)) : o.code;
}

static gr_code no_value(gr_ctx *c, void *self, gr_stream *in, const gr_value *args)
{
    (void)self, (void)in, (void)args;
    return gr_emit(c, NULL);
}

static gr_value *emit_in_plain(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self, (void)args;
    return gr_int(gr_emit(c, gr_int(1)));
}

static const gr_method methods[] = {
    { "stream", GR_ASYNC, NULL, numbers },   { "big", GR_ASYNC, NULL, big },
    { "plus", GR_ASYNC, NULL, plus },        { "none", GR_ASYNC, NULL, no_value },
    { "block", GR_BLOCKING, NULL, numbers }, { "plain", GR_ASYNC, emit_in_plain, NULL }
};
static const gr_class numbers_class = GR_CLASS(.name = "numbers", GR_METHODS(methods));

static gr_ref source(void)
{
    return gr_spawn(root, &numbers_class, NULL);
}

static gr_stream *numbers_of(int64_t n, bool fail, const gr_call_opts *opts)
{
    return gr_astream(rt, source(), gr_map(GR_KV("n", gr_int(n)), GR_KV("fail", gr_bool(fail))),
                      opts);
}

Test(stream, chunks_come_in_order_then_the_end)
{
    gr_stream *s = numbers_of(1000, false, NULL);

    for (int i = 0; i < 1000; i++) {
        gr_outcome o = gr_next(s, -1);

        cr_assert_eq(o.code, GR_OK);
        cr_assert_eq(gr_as_int(o.value, -1), i);
    }
    cr_assert_eq(gr_next(s, -1).code, GR_EOS);
    cr_assert_eq(gr_next(s, 0).code, GR_EOS);
    gr_stream_free(s);
}

Test(stream, null_reads_as_out_of_memory)
{
    gr_value *err = NULL;

    cr_assert_eq(gr_next(NULL, -1).code, GR_ENOMEM);
    gr_stream_free(NULL);
    cr_assert_null(gr_stream_take(NULL, &err));
    cr_assert_eq(gr_error_code(err), GR_ENOMEM);
    gr_value_unref(err);
}

Test(stream, the_error_comes_after_the_chunks)
{
    gr_stream *s = numbers_of(3, true, NULL);
    gr_outcome o;

    for (int i = 0; i < 3; i++)
        cr_assert_eq(gr_as_int(gr_next(s, -1).value, -1), i);
    o = gr_next(s, -1);
    cr_assert_eq(o.code, GR_EREMOTE);
    cr_assert_str_eq(gr_error_text(o.error), "ran dry");
    cr_assert_eq(gr_next(s, -1).code, GR_EREMOTE);
    gr_stream_free(s);
}

Test(stream, take_adds_the_chunks_up)
{
    gr_value *err = NULL;
    gr_value *sum = gr_stream_take(numbers_of(10, false, NULL), &err);

    cr_assert_eq(gr_as_int(sum, 0), 45);
    cr_assert_null(err);
    gr_value_unref(sum);
    sum = gr_stream_take(numbers_of(0, false, NULL), NULL);
    cr_assert(gr_is_nil(sum) && sum != NULL);
    gr_value_unref(sum);
    cr_assert_null(gr_stream_take(numbers_of(3, true, NULL), &err));
    cr_assert_eq(gr_error_code(err), GR_EREMOTE);
    gr_value_unref(err);
}

/* ---- back-pressure --------------------------------------------------------------------------- */

Test(stream, the_producer_is_never_more_than_the_window_ahead)
{
    gr_stream *s = numbers_of(200, false, GR_CALL(.window_chunks = 4));

    for (int i = 0; i < 200; i++) {
        cr_assert_eq(gr_next(s, -1).code, GR_OK);
        cr_assert_leq(atomic_load(&emitted), i + 1 + 4);
        if (i == 100) { /* let it run into the wall */
            until(atomic_load(&emitted) == 105);
            cr_assert_eq(gr_await(NULL, 0).code, GR_ENOMEM);
            cr_assert_eq(atomic_load(&emitted), 105);
        }
    }
    cr_assert_eq(gr_next(s, -1).code, GR_EOS);
    gr_stream_free(s);
}

Test(stream, the_default_window_is_32_chunks)
{
    gr_stream *s = numbers_of(100, false, NULL);

    until(atomic_load(&emitted) == 32);
    cr_assert_eq(gr_next(s, -1).code, GR_OK);
    until(atomic_load(&emitted) == 33);
    gr_stream_free(s);
    cr_assert_eq(atomic_load(&emitted), 33);
}

Test(stream, bytes_count_too)
{
    gr_stream *s =
        gr_astream_call(rt, source(), "big", gr_int(50), NULL, GR_CALL(.window_bytes = 250 * 1024));

    for (int i = 0; i < 50; i++) {
        cr_assert_leq(atomic_load(&emitted), i + 3, "100 KiB each: three pass the limit");
        cr_assert_eq(gr_next(s, -1).code, GR_OK);
    }
    gr_stream_free(s);
}

Test(stream, a_chunk_larger_than_the_window_still_passes)
{
    gr_stream *s =
        gr_astream_call(rt, source(), "big", gr_int(3), NULL, GR_CALL(.window_bytes = 10));

    for (int i = 0; i < 3; i++)
        cr_assert_eq(gr_next(s, -1).code, GR_OK);
    cr_assert_eq(gr_next(s, -1).code, GR_EOS);
    gr_stream_free(s);
}

/* ---- leaving early --------------------------------------------------------------------------- */

Test(stream, leaving_early_ends_the_producer_before_free_returns)
{
    gr_stream *s = numbers_of(1000000, false, NULL);

    for (int i = 0; i < 5; i++)
        gr_next(s, -1);
    gr_stream_free(s);
    cr_assert_eq(atomic_load(&left), 1);
}

Test(stream, leaving_early_ends_a_blocking_producer)
{
    gr_stream *s =
        gr_astream_call(rt, source(), "block", gr_map(GR_KV("n", gr_int(1000000))), NULL, NULL);

    for (int i = 0; i < 5; i++)
        cr_assert_eq(gr_next(s, -1).code, GR_OK);
    gr_stream_free(s);
    cr_assert_eq(atomic_load(&left), 1);
}

Test(stream, a_stream_nobody_reads_is_let_go)
{
    gr_stream_free(numbers_of(1000000, false, NULL));
    gr_stream_free(numbers_of(0, false, NULL));
}

static bool three(void *arg, const gr_value *chunk)
{
    int *n = arg;

    (void)chunk;
    return ++*n < 3;
}

Test(stream, do_stream_leaves_when_told)
{
    int n = 0;
    gr_value *err = NULL;

    cr_assert_eq(
        gr_do_stream(rt, source(), gr_map(GR_KV("n", gr_int(1000))), NULL, three, &n, &err), GR_OK);
    cr_assert_eq(n, 3);
    cr_assert_null(err);
    n = -1000000;
    cr_assert_eq(gr_do_stream(rt, source(),
                              gr_map(GR_KV("n", gr_int(50)), GR_KV("fail", gr_bool(true))), NULL,
                              three, &n, &err),
                 GR_EREMOTE);
    cr_assert_eq(n, -1000000 + 50);
    cr_assert_eq(gr_error_code(err), GR_EREMOTE);
    gr_value_unref(err);
}

Test(stream, next_times_out)
{
    struct desk d = DESK;
    gr_stream *s = gr_astream(rt, desk_in(root, &d), gr_nil(), NULL);

    cr_assert_eq(gr_next(s, 0).code, GR_EPENDING);
    cr_assert_eq(gr_next(s, 2).code, GR_EPENDING);
    until(atomic_load(&d.came) == 1);
    cr_assert_eq(gr_promise_emit(d.open[0], gr_int(1)), GR_OK);
    cr_assert_eq(gr_as_int(gr_next(s, -1).value, 0), 1);
    desk_answer(&d, 0, gr_nil());
    cr_assert_eq(gr_next(s, -1).code, GR_EOS);
    gr_stream_free(s);
}

/* ---- misuse ---------------------------------------------------------------------------------- */

Test(stream, emit_outside_a_stream_is_refused)
{
    cr_assert_eq(int_of(gr_acall(rt, source(), "plain", gr_nil(), NULL)), GR_EINVAL);
}

Test(stream, a_streaming_method_cannot_be_called_plainly)
{
    cr_assert_eq(code_of(gr_acall(rt, source(), "big", gr_int(1), NULL)), GR_EINVAL);
}

Test(stream, emitting_nothing_is_an_error)
{
    gr_stream *s = gr_astream_call(rt, source(), "none", gr_nil(), NULL, NULL);

    cr_assert_eq(gr_next(s, -1).code, GR_EINVAL);
    gr_stream_free(s);
}

Test(stream, a_verb_that_is_lacking_fails_the_stream)
{
    gr_stream *s = gr_astream_call(rt, source(), "whistle", gr_nil(), NULL, NULL);

    cr_assert_eq(gr_next(s, -1).code, GR_ETYPE);
    gr_stream_free(s);
}

/* ---- inputs ---------------------------------------------------------------------------------- */

Test(stream, a_list_becomes_a_stream)
{
    gr_stream *s = gr_stream_of(rt, gr_list(gr_int(1), gr_int(2)));

    cr_assert_eq(gr_as_int(gr_next(s, -1).value, 0), 1);
    cr_assert_eq(gr_as_int(gr_next(s, -1).value, 0), 2);
    cr_assert_eq(gr_next(s, -1).code, GR_EOS);
    gr_stream_free(s);
    cr_assert_null(gr_stream_of(rt, gr_str("no list")));
    gr_stream_free(gr_stream_of(rt, gr_list(gr_str("unread"))));
}

/* An item that can't be a chunk must not be skipped in silence. */
Test(stream, an_error_in_a_list_ends_its_stream)
{
    gr_stream *s = gr_stream_of(rt, gr_list(gr_int(1), gr_error(GR_ERATE, "slow down"), gr_int(2)));

    cr_assert_eq(gr_as_int(gr_next(s, -1).value, 0), 1);
    cr_assert_eq(gr_next(s, -1).code, GR_ERATE);
    gr_stream_free(s);
}

static void *write_numbers(void *arg)
{
    gr_stream *w = arg;
    gr_code rc = GR_OK;

    for (int i = 0; i < 100 && rc == GR_OK; i++) {
        rc = gr_pipe_write(w, gr_int(i));
        atomic_fetch_add(&emitted, rc == GR_OK);
    }
    gr_pipe_close(w, NULL);
    return (void *)(uintptr_t)rc;
}

Test(stream, a_pipe_feeds_a_transform)
{
    gr_stream *w = NULL, *r = gr_pipe(rt, 4, &w);
    gr_stream *s = gr_astream_call(rt, source(), "plus", gr_nil(), r, NULL);
    pthread_t thread;

    pthread_create(&thread, NULL, write_numbers, w);
    for (int i = 0; i < 100; i++)
        cr_assert_eq(gr_as_int(gr_next(s, -1).value, 0), 100 + i);
    cr_assert_eq(gr_next(s, -1).code, GR_EOS);
    gr_stream_free(s);
    pthread_join(thread, NULL);
}

Test(stream, a_pipes_writer_learns_that_the_reader_has_left)
{
    gr_stream *w = NULL, *r = gr_pipe(rt, 4, &w);
    pthread_t thread;
    void *rc = NULL;

    pthread_create(&thread, NULL, write_numbers, w);
    until(atomic_load(&emitted) == 4);
    gr_stream_free(r);
    pthread_join(thread, &rc);
    cr_assert_eq((gr_code)(uintptr_t)rc, GR_ECANCELED);
}

Test(stream, a_pipe_closed_with_an_error_passes_it_on)
{
    gr_stream *w = NULL, *r = gr_pipe(rt, 0, &w);

    cr_assert_eq(gr_pipe_write(w, gr_int(1)), GR_OK);
    cr_assert_eq(gr_pipe_write(w, NULL), GR_EINVAL);
    gr_pipe_close(w, gr_error(GR_EPROTO, "garbled"));
    cr_assert_eq(gr_next(r, -1).code, GR_OK);
    cr_assert_eq(gr_next(r, -1).code, GR_EPROTO);
    gr_stream_free(r);
    r = gr_pipe(rt, 0, &w);
    gr_pipe_close(w, gr_str("no error"));
    cr_assert_eq(gr_next(r, -1).code, GR_EOS);
    gr_stream_free(r);
}

Test(stream, the_input_of_a_call_that_never_was_is_closed)
{
    gr_stream *w = NULL, *r = gr_pipe(rt, 1, &w);
    gr_stream *s = gr_astream_call(rt, (gr_ref){ 0, 0 }, "plus", gr_nil(), r, NULL);

    cr_assert_eq(gr_next(s, -1).code, GR_EINVAL);
    gr_stream_free(s);
    cr_assert_eq(gr_pipe_write(w, gr_int(1)), GR_ECANCELED);
    gr_pipe_close(w, NULL);
}

/* ---- after the runtime ----------------------------------------------------------------------- */

Test(stream, a_stream_outlives_its_runtime)
{
    gr_stream *s = numbers_of(1000, false, NULL);
    gr_stream *fed = gr_stream_of(rt, gr_list(gr_int(7)));
    gr_code rc;
    int n = 0;

    until(atomic_load(&emitted) == 32);
    gr_runtime_free(rt);
    rt = NULL;
    cr_assert_eq(gr_next(fed, 1000).code, GR_OK);
    cr_assert_eq(gr_next(fed, 1000).code, GR_EOS);
    while ((rc = gr_next(s, 1000).code) == GR_OK)
        n++;
    cr_assert_eq(rc, GR_ECANCELED);
    cr_assert_leq(n, 32);
    gr_stream_free(s);
    gr_stream_free(fed);
}

Test(stream, cancelling_the_scope_ends_the_stream_with_it)
{
    gr_scope *scope = gr_scope_new(root);
    gr_stream *s = numbers_of(1000000, false, GR_CALL(.scope = scope));
    gr_code rc;

    gr_next(s, -1);
    gr_scope_cancel(scope);
    while ((rc = gr_next(s, -1).code) == GR_OK)
        ;
    cr_assert_eq(rc, GR_ECANCELED);
    gr_stream_free(s);
    cr_assert_eq(atomic_load(&left), 1);
    gr_scope_free(scope);
}

/* In the plain mode all tests run in one process. */
static void start_afresh(void)
{
    engine_up();
    atomic_store(&emitted, 0);
    atomic_store(&left, 0);
}

TestSuite(stream, .init = start_afresh, .fini = engine_down);
