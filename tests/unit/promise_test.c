/* SPDX-License-Identifier: Apache-2.0 */
/* promise_test.c - answering later: once, from any thread, or not at all. */
#include "tests/support/engine.h"

static gr_future *ask(struct desk *d)
{
    gr_future *f = gr_ainvoke(rt, desk_in(root, d), gr_nil(), NULL);

    until(atomic_load(&d->came) == 1);
    return f;
}

static void *resolve_thread(void *arg)
{
    gr_resolve(arg, gr_str("from afar"));
    return NULL;
}

Test(promise, any_thread_may_answer)
{
    struct desk d = DESK;
    gr_future *f = ask(&d);
    pthread_t thread;

    pthread_create(&thread, NULL, resolve_thread, desk_take(&d, 0));
    cr_assert_str_eq(gr_cstr(gr_await(f, -1).value, ""), "from afar");
    pthread_join(thread, NULL);
    gr_future_free(f);
}

Test(promise, an_error_rejects_and_nothing_is_no_value)
{
    struct desk d = DESK, e = DESK;
    gr_future *f = ask(&d), *g = ask(&e);

    desk_answer(&d, 0, gr_error(GR_ERATE, "later"));
    cr_assert_eq(code_of(f), GR_ERATE);
    desk_answer(&e, 0, NULL);
    cr_assert_eq(code_of(g), GR_EINVAL);
}

Test(promise, dropped_it_is_broken)
{
    struct desk d = DESK;
    gr_future *f = ask(&d);

    gr_promise_free(desk_take(&d, 0));
    cr_assert_eq(code_of(f), GR_EBROKEN);
    gr_promise_free(NULL);
    gr_resolve(NULL, gr_str("consumed"));
}

/* ---- taking it ------------------------------------------------------------------------------- */

static _Atomic int second_was_null, receive_was_null;

static gr_value *twice(gr_ctx *c, void *self, const gr_value *args)
{
    gr_promise *p = gr_defer(c);

    (void)self, (void)args;
    atomic_store(&second_was_null, gr_defer(c) == NULL && gr_emit(c, gr_nil()) == GR_EINVAL);
    gr_resolve(p, gr_int(1));
    return gr_str("ignored");
}

static void twice_receive(gr_ctx *c, void *self, const gr_value *msg)
{
    (void)self, (void)msg;
    atomic_store(&receive_was_null, gr_defer(c) == NULL);
}

static const gr_method twice_methods[] = { { "invoke", GR_ASYNC, twice, NULL } };
static const gr_class twice_class =
    GR_CLASS(.name = "twice", .state_size = 1, GR_METHODS(twice_methods), .receive = twice_receive);

Test(promise, it_is_taken_once_and_the_return_value_is_ignored)
{
    gr_ref a = gr_spawn(root, &twice_class, NULL);

    cr_assert_eq(int_of(gr_ainvoke(rt, a, gr_nil(), NULL)), 1);
    cr_assert(atomic_load(&second_was_null));
    gr_tell(rt, a, gr_nil());
    until(atomic_load(&receive_was_null));
}

/* ---- cancelling ------------------------------------------------------------------------------ */

static gr_promise *late;

static gr_value *keep(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self, (void)args;
    late = gr_defer(c);
    post(gr_as_opaque(gr_args(c)));
    return NULL;
}

static const gr_method keep_methods[] = { { "invoke", GR_ASYNC, keep, NULL },
                                          { "stream", GR_ASYNC, keep, NULL } };
static const gr_class keep_class = GR_CLASS(.name = "keep", GR_METHODS(keep_methods));

static gr_ref keeper(struct signal_count *came)
{
    return gr_spawn(root, &keep_class, GR_SPAWN(.args = gr_opaque(came, NULL)));
}

static _Atomic int cancels, rooms, overlap, inside;

static void count_cancel(void *arg)
{
    (void)arg;
    if (atomic_fetch_add(&inside, 1) != 0)
        atomic_store(&overlap, 1);
    atomic_fetch_add(&cancels, 1);
    atomic_fetch_sub(&inside, 1);
}

static void count_room(void *arg)
{
    (void)arg;
    atomic_fetch_add(&rooms, 1);
}

Test(promise, on_cancel_of_a_cancelled_call_calls_at_once)
{
    struct signal_count came = SIGNAL_COUNT;
    gr_future *f = gr_ainvoke(rt, keeper(&came), gr_nil(), NULL);

    cr_assert(take(&came));
    gr_future_cancel(f);
    cr_assert_eq(gr_on_cancel(late, count_cancel, NULL, NULL), GR_ECANCELED);
    cr_assert_eq(atomic_load(&cancels), 1);
    gr_promise_free(late);
    cr_assert_eq(code_of(f), GR_ECANCELED);
}

static void resolve_in_cancel(void *arg)
{
    atomic_fetch_add(&cancels, 1);
    gr_resolve(arg, gr_nil());
}

Test(promise, the_cancel_hook_may_answer)
{
    struct signal_count came = SIGNAL_COUNT;
    gr_future *f = gr_ainvoke(rt, keeper(&came), gr_nil(), NULL);

    cr_assert(take(&came));
    cr_assert_eq(gr_on_cancel(late, resolve_in_cancel, NULL, late), GR_OK);
    gr_future_cancel(f);
    cr_assert_eq(code_of(f), GR_ECANCELED);
    cr_assert_eq(atomic_load(&cancels), 1);
}

Test(promise, hooks_are_not_called_after_the_answer)
{
    struct signal_count came = SIGNAL_COUNT;
    gr_future *f = gr_ainvoke(rt, keeper(&came), gr_nil(), NULL);

    cr_assert(take(&came));
    cr_assert_eq(gr_on_cancel(late, count_cancel, NULL, NULL), GR_OK);
    gr_resolve(late, gr_int(1));
    gr_future_cancel(f);
    cr_assert_eq(int_of(f), 1);
    cr_assert_eq(atomic_load(&cancels), 0);
}

/* ---- chunks ---------------------------------------------------------------------------------- */

Test(promise, emits_chunks_until_the_window_is_full)
{
    struct signal_count came = SIGNAL_COUNT;
    gr_stream *s = gr_astream(rt, keeper(&came), gr_nil(), GR_CALL(.window_chunks = 2));

    cr_assert(take(&came));
    gr_on_cancel(late, count_cancel, count_room, NULL);
    cr_assert(gr_promise_room(late));
    cr_assert_eq(gr_promise_emit(late, gr_int(0)), GR_OK);
    cr_assert_eq(gr_promise_emit(late, gr_int(1)), GR_OK);
    cr_assert_not(gr_promise_room(late));
    cr_assert_eq(gr_promise_emit(late, gr_str("too much")), GR_EFULL);
    cr_assert_eq(gr_promise_emit(late, NULL), GR_EINVAL);
    cr_assert_eq(atomic_load(&rooms), 0);
    cr_assert_eq(gr_as_int(gr_next(s, -1).value, -1), 0);
    until(atomic_load(&rooms) == 1);
    cr_assert_eq(gr_as_int(gr_next(s, -1).value, -1), 1);
    cr_assert_eq(gr_promise_emit(late, gr_int(2)), GR_OK);
    gr_resolve(late, gr_nil());
    cr_assert_eq(gr_as_int(gr_next(s, -1).value, -1), 2);
    cr_assert_eq(gr_next(s, -1).code, GR_EOS);
    cr_assert_eq(atomic_load(&rooms), 1, "once, though it was asked for twice");
    gr_stream_free(s);
}

/* What was refused before the hook was there must not keep the hook from being called later. */
Test(promise, room_is_called_though_the_hook_came_late)
{
    struct signal_count came = SIGNAL_COUNT;
    gr_stream *s = gr_astream(rt, keeper(&came), gr_nil(), GR_CALL(.window_chunks = 1));

    cr_assert(take(&came));
    cr_assert_eq(gr_promise_emit(late, gr_int(0)), GR_OK);
    cr_assert_eq(gr_promise_emit(late, gr_int(1)), GR_EFULL);
    gr_on_cancel(late, NULL, count_room, NULL);
    cr_assert_eq(gr_promise_emit(late, gr_int(1)), GR_EFULL);
    cr_assert_eq(gr_next(s, -1).code, GR_OK);
    until(atomic_load(&rooms) == 1);
    gr_resolve(late, gr_nil());
    gr_stream_free(s);
}

static struct signal_count in_room = SIGNAL_COUNT, leave_room = SIGNAL_COUNT;

static void slow_room(void *arg)
{
    (void)arg;
    atomic_fetch_add(&inside, 1);
    post(&in_room);
    take(&leave_room);
    atomic_fetch_sub(&inside, 1);
}

/* The hooks are called one at a time, so a cancellation that comes while room() runs has to wait,
 * not vanish. */
Test(promise, a_cancellation_during_room_is_told_after_it)
{
    struct signal_count came = SIGNAL_COUNT;
    gr_scope *scope = gr_scope_new(root);
    gr_stream *s =
        gr_astream(rt, keeper(&came), gr_nil(), GR_CALL(.window_chunks = 1, .scope = scope));

    cr_assert(take(&came));
    gr_on_cancel(late, count_cancel, slow_room, NULL);
    cr_assert_eq(gr_promise_emit(late, gr_int(0)), GR_OK);
    cr_assert_not(gr_promise_room(late));
    cr_assert_eq(gr_next(s, -1).code, GR_OK);
    cr_assert(take(&in_room));
    gr_scope_cancel(scope);
    cr_assert_eq(atomic_load(&cancels), 0);
    post(&leave_room);
    until(atomic_load(&cancels) == 1);
    cr_assert_eq(atomic_load(&overlap), 0);
    gr_promise_free(late);
    gr_stream_free(s);
    gr_scope_free(scope);
}

Test(promise, emit_after_the_reader_has_left)
{
    struct signal_count came = SIGNAL_COUNT;
    gr_scope *scope = gr_scope_new(root);
    gr_stream *s = gr_astream(rt, keeper(&came), gr_nil(), GR_CALL(.scope = scope));

    cr_assert(take(&came));
    gr_on_cancel(late, count_cancel, NULL, NULL);
    gr_scope_cancel(scope);
    cr_assert_eq(gr_promise_emit(late, gr_int(1)), GR_ECANCELED);
    cr_assert(gr_promise_room(late), "what would fail at once does not wait");
    gr_promise_free(late);
    cr_assert_eq(gr_next(s, -1).code, GR_ECANCELED);
    gr_stream_free(s);
    gr_scope_free(scope);
}

Test(promise, emit_on_a_plain_call_is_refused)
{
    struct signal_count came = SIGNAL_COUNT;
    gr_future *f = gr_ainvoke(rt, keeper(&came), gr_nil(), NULL);

    cr_assert(take(&came));
    cr_assert_eq(gr_promise_emit(late, gr_str("x")), GR_EINVAL);
    gr_resolve(late, gr_int(1));
    cr_assert_eq(int_of(f), 1);
}

Test(promise, dropped_it_breaks_the_stream_after_its_chunks)
{
    struct signal_count came = SIGNAL_COUNT;
    gr_stream *s = gr_astream(rt, keeper(&came), gr_nil(), NULL);

    cr_assert(take(&came));
    gr_promise_emit(late, gr_int(5));
    gr_promise_free(late);
    cr_assert_eq(gr_as_int(gr_next(s, -1).value, 0), 5);
    cr_assert_eq(gr_next(s, -1).code, GR_EBROKEN);
    gr_stream_free(s);
}

/* ---- passing it on --------------------------------------------------------------------------- */

static gr_ref target;

static gr_value *pass_on(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    return gr_delegate(c, target, "invoke", gr_value_ref(args));
}

static gr_value *pass_twice(gr_ctx *c, void *self, const gr_value *args)
{
    gr_value *none = gr_delegate(c, target, "invoke", gr_value_ref(args));
    gr_value *err = gr_delegate(c, target, "invoke", gr_value_ref(args));

    (void)self;
    atomic_store(&second_was_null, none == NULL && gr_error_code(err) == GR_EINVAL);
    gr_value_unref(err);
    return none;
}

static const gr_method pass_methods[] = { { "invoke", GR_ASYNC, pass_on, NULL },
                                          { "twice", GR_CHEAP, pass_twice, NULL } };
static const gr_class pass_class = GR_CLASS(.name = "pass", GR_METHODS(pass_methods));

Test(promise, delegate_passes_the_duty_on)
{
    gr_ref a = gr_spawn(root, &pass_class, NULL);

    target = echo();
    cr_assert_eq(int_of(gr_ainvoke(rt, a, gr_int(8), NULL)), 8);
    cr_assert_eq(int_of(gr_acall(rt, a, "twice", gr_int(9), NULL)), 9);
    cr_assert(atomic_load(&second_was_null));
    target = boom();
    cr_assert_eq(code_of(gr_ainvoke(rt, a, gr_int(8), NULL)), GR_EREMOTE);
    target = (gr_ref){ 0, 0 };
    cr_assert_eq(code_of(gr_ainvoke(rt, a, gr_int(8), NULL)), GR_EINVAL);
}

Test(promise, cancelling_reaches_whom_it_was_passed_to)
{
    struct desk d = DESK;
    gr_future *f;

    target = desk_in(root, &d);
    f = gr_ainvoke(rt, gr_spawn(root, &pass_class, NULL), gr_nil(), NULL);
    until(atomic_load(&d.came) == 1);
    gr_future_cancel(f);
    cr_assert_eq(atomic_load(&d.cancelled), 1);
    desk_close(&d);
    cr_assert_eq(code_of(f), GR_ECANCELED);
}

/* ---- the runtime's end ----------------------------------------------------------------------- */

static void *free_later(void *arg)
{
    until(atomic_load(&cancels) == 1);
    gr_promise_free(arg);
    return NULL;
}

Test(promise, the_runtimes_end_waits_for_promises_and_tells_them)
{
    struct signal_count came = SIGNAL_COUNT;
    gr_future *f = gr_ainvoke(rt, keeper(&came), gr_nil(), NULL);
    pthread_t thread;

    cr_assert(take(&came));
    gr_on_cancel(late, count_cancel, NULL, NULL);
    pthread_create(&thread, NULL, free_later, late);
    gr_runtime_free(rt);
    rt = NULL;
    pthread_join(thread, NULL);
    cr_assert_eq(code_of(f), GR_ECANCELED);
}

/* In the plain mode all tests run in one process. */
static void start_afresh(void)
{
    engine_up();
    atomic_store(&second_was_null, 0);
    atomic_store(&receive_was_null, 0);
    atomic_store(&cancels, 0);
    atomic_store(&rooms, 0);
    atomic_store(&overlap, 0);
    atomic_store(&inside, 0);
    in_room.count = 0;
    leave_room.count = 0;
}

TestSuite(promise, .init = start_afresh, .fini = engine_down);
