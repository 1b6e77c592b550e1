/* SPDX-License-Identifier: Apache-2.0 */
/* deadline_test.c - timeouts become deadlines, and sub-calls inherit them. */
#include "tests/support/engine.h"

/* Each level calls the next, down to 0, and lists the deadlines it saw. */
static gr_value *down(gr_ctx *c, void *self, const gr_value *args)
{
    int64_t level = gr_as_int(args, 0);
    gr_value *list, *err = NULL;

    (void)self;
    if (level == 0)
        list = gr_list_n(NULL, 0);
    else
        list = gr_invoke(gr_runtime_of(c), gr_self(c), gr_int(level - 1),
                         level == 5 ? GR_CALL(.timeout_ms = 5000) : GR_CALL(.timeout_ms = 900000),
                         &err);
    return list != NULL ? gr_append(list, gr_int((int64_t)gr_deadline_ns(c))) : err;
}

static _Atomic int interrupted, deepest;

static gr_value *sleep_down(gr_ctx *c, void *self, const gr_value *args)
{
    int64_t level = gr_as_int(args, 0);
    gr_value *err = NULL, *v;

    (void)self;
    if (level == 0) {
        atomic_store(&deepest, 1);
        atomic_store(&interrupted,
                     gr_sleep(gr_runtime_of(c), 600000) == GR_EINTR && gr_cancelled(c));
        return gr_nil();
    }
    v = gr_do(gr_runtime_of(c), gr_self(c), "sleep", gr_int(level - 1), NULL, &err);
    return v != NULL ? v : err;
}

static const gr_method methods[] = { { "invoke", GR_ASYNC, down, NULL },
                                     { "sleep", GR_ASYNC, sleep_down, NULL },
                                     { "block", GR_BLOCKING, sleep_down, NULL } };
static const gr_class cls = GR_CLASS(.name = "down", GR_METHODS(methods));

Test(deadline, sub_calls_get_the_earlier_one)
{
    gr_ref a = gr_spawn(root, &cls, NULL);
    gr_value *v = gr_invoke(rt, a, gr_int(3), GR_CALL(.timeout_ms = 60000), NULL);
    int64_t first = gr_as_int(gr_at(v, 3), 0);

    cr_assert_eq(gr_len(v), 4);
    for (size_t i = 0; i < 3; i++)
        cr_assert_eq(gr_as_int(gr_at(v, i), 0), first,
                     "all inherit the outermost, which is the earliest");
    gr_value_unref(v);
    v = gr_invoke(rt, a, gr_int(6), NULL, NULL);
    cr_assert_eq(gr_as_int(gr_at(v, 6), -1), 0, "none is given");
    cr_assert_gt(gr_as_int(gr_at(v, 5), 0), gr_as_int(gr_at(v, 4), 0), "level 5 tightens it");
    for (size_t i = 0; i < 4; i++)
        cr_assert_eq(gr_as_int(gr_at(v, i), 0), gr_as_int(gr_at(v, 4), 0));
    gr_value_unref(v);
}

Test(deadline, it_reaches_three_levels_down)
{
    gr_ref a = gr_spawn(root, &cls, NULL);
    gr_scope *s = gr_scope_new(root);
    gr_future *f = gr_acall(rt, a, "sleep", gr_int(3), GR_CALL(.timeout_ms = 30, .scope = s));
    gr_outcome o = gr_await(f, -1);

    cr_assert_eq(o.code, GR_ETIMEDOUT);
    gr_future_free(f);
    gr_scope_free(s);
    if (atomic_load(&deepest))
        cr_assert(atomic_load(&interrupted));
}

Test(deadline, never_early)
{
    uint64_t start = gr_now_ns(rt);

    cr_assert_eq(code_of(gr_acall(rt, gr_spawn(root, &cls, NULL), "sleep", gr_int(0),
                                  GR_CALL(.timeout_ms = 12))),
                 GR_ETIMEDOUT);
    cr_assert_geq(gr_now_ns(rt) - start, UINT64_C(12000000));
    cr_assert_eq(code_of(gr_acall(rt, gr_spawn(root, &cls, NULL), "block", gr_int(0),
                                  GR_CALL(.timeout_ms = 5))),
                 GR_ETIMEDOUT);
}

Test(deadline, one_that_has_passed_fails_before_the_call)
{
    struct desk d = DESK;

    cr_assert_eq(code_of(gr_ainvoke(rt, desk_in(root, &d), gr_nil(), GR_CALL(.timeout_ms = -1))),
                 GR_ETIMEDOUT);
    cr_assert_eq(atomic_load(&d.came), 0);
}

Test(deadline, a_promise_is_told)
{
    struct desk d = DESK;
    gr_future *f = gr_ainvoke(rt, desk_in(root, &d), gr_nil(), GR_CALL(.timeout_ms = 5));

    cr_assert_eq(code_of(f), GR_ETIMEDOUT);
    until(atomic_load(&d.came) == 0 || atomic_load(&d.cancelled) == 1);
    desk_close(&d);
}

Test(deadline, a_stream_ends_with_it)
{
    struct desk d = DESK;
    gr_stream *s = gr_astream(rt, desk_in(root, &d), gr_nil(), GR_CALL(.timeout_ms = 5));

    cr_assert_eq(gr_next(s, -1).code, GR_ETIMEDOUT);
    until(atomic_load(&d.came) == 0 || atomic_load(&d.cancelled) == 1);
    desk_close(&d);
    gr_stream_free(s);
}

Test(deadline, an_answer_in_time_disarms_it)
{
    gr_ref a = echo();

    for (int i = 0; i < 5000; i++)
        cr_assert_eq(int_of(gr_ainvoke(rt, a, gr_int(i), GR_CALL(.timeout_ms = 3600000))), i);
}

/* In the plain mode all tests run in one process. */
static void start_afresh(void)
{
    engine_up();
    atomic_store(&interrupted, 0);
    atomic_store(&deepest, 0);
}

TestSuite(deadline, .init = start_afresh, .fini = engine_down);
