/* SPDX-License-Identifier: Apache-2.0 */
/* defaults_test.c - langchain-core's defaults for the verbs that a class lacks, and batch. */
#include "tests/support/engine.h"

static gr_value *twice(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c, (void)self;
    if (gr_value_type(args) == GR_STR)
        return gr_strf("%s%s", gr_cstr(args, ""), gr_cstr(args, ""));
    return gr_as_int(args, 0) < 0 ? gr_error(GR_EREMOTE, "negative")
                                  : gr_int(2 * gr_as_int(args, 0));
}

/* letters streams a string's characters, then fails at '!'. */
static gr_code letters(gr_ctx *c, void *self, gr_stream *in, const gr_value *args)
{
    (void)self, (void)in;
    for (const char *p = gr_cstr(args, ""); *p != '\0'; p++) {
        gr_code rc =
            *p == '!' ? gr_fail(c, gr_error(GR_EREMOTE, "bang")) : gr_emit(c, gr_strn(p, 1));

        if (rc != GR_OK)
            return rc;
    }
    return GR_OK;
}

/* mark puts a dot after each chunk. */
static gr_code mark(gr_ctx *c, void *self, gr_stream *in, const gr_value *args)
{
    gr_outcome o;

    (void)self, (void)args;
    while ((o = gr_next(in, -1)).code == GR_OK) {
        gr_code rc = gr_emit(c, gr_strf("%s.", gr_cstr(o.value, "?")));

        if (rc != GR_OK)
            return rc;
    }
    return o.code == GR_EOS ? GR_OK : o.error != NULL ? gr_fail(c, gr_value_ref(o.error)) : o.code;
}

static const gr_method invoke_methods[] = { { "invoke", GR_ASYNC, twice, NULL } };
static const gr_method cheap_methods[] = { { "invoke", GR_CHEAP, twice, NULL } };
static const gr_method blocking_methods[] = { { "invoke", GR_BLOCKING, twice, NULL } };
static const gr_method stream_methods[] = { { "stream", GR_ASYNC, NULL, letters } };
static const gr_method transform_methods[] = { { "transform", GR_ASYNC, NULL, mark } };
static const gr_class classes[] = {
    GR_CLASS(.name = "async", GR_METHODS(invoke_methods)),
    GR_CLASS(.name = "cheap", GR_METHODS(cheap_methods)),
    GR_CLASS(.name = "blocking", GR_METHODS(blocking_methods)),
    GR_CLASS(.name = "exclusive", .state_size = 1, GR_METHODS(invoke_methods)),
    GR_CLASS(.name = "reentrant", .state_size = 1, .reentrant = true, GR_METHODS(invoke_methods)),
    GR_CLASS(.name = "blocking with state", .state_size = 1, GR_METHODS(blocking_methods)),
};
static const gr_class stream_class = GR_CLASS(.name = "letters", GR_METHODS(stream_methods));
static const gr_class transform_class = GR_CLASS(.name = "mark", GR_METHODS(transform_methods));

static gr_value *chunks(gr_stream *s)
{
    gr_value *list = gr_list_n(NULL, 0);
    gr_outcome o;

    while ((o = gr_next(s, -1)).code == GR_OK)
        list = gr_append(list, gr_value_ref(o.value));
    if (o.code != GR_EOS)
        list = gr_append(list, gr_str(gr_code_name(o.code)));
    gr_stream_free(s);
    return list;
}

static gr_value *invoke(gr_ref r, const char *text)
{
    gr_value *err = NULL;
    gr_value *v = gr_invoke(rt, r, gr_str(text), NULL, &err);

    return v != NULL ? v : err;
}

static gr_stream *input(const char *json)
{
    return gr_stream_of(rt, json_of(json));
}

Test(defaults, of_a_class_with_invoke)
{
    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
        gr_ref r = gr_spawn(root, &classes[i], NULL);

        json_is(invoke(r, "ab"), "\"abab\"");
        json_is(chunks(gr_astream(rt, r, gr_str("ab"), NULL)), "[\"abab\"]");
        json_is(chunks(gr_atransform(rt, r, input("[\"a\", \"b\", \"c\"]"), NULL)), "[\"abcabc\"]");
        json_is(gr_batch(rt, r, json_of("[1, 2, 3]"), NULL, NULL), "[2, 4, 6]");
    }
}

Test(defaults, of_a_class_with_stream)
{
    gr_ref r = gr_spawn(root, &stream_class, NULL);

    json_is(invoke(r, "abc"), "\"abc\"");
    json_is(invoke(r, ""), "null");
    json_is(chunks(gr_atransform(rt, r, input("[\"ab\", \"c\"]"), NULL)), "[\"a\", \"b\", \"c\"]");
    json_is(gr_batch(rt, r, json_of("[\"ab\", \"c\"]"), NULL, NULL), "[\"ab\", \"c\"]");
    json_is(chunks(gr_astream(rt, r, gr_str("a!"), NULL)), "[\"a\", \"GR_EREMOTE\"]");
    cr_assert_eq(code_of(gr_ainvoke(rt, r, gr_str("a!"), NULL)), GR_EREMOTE);
}

Test(defaults, of_a_class_with_transform)
{
    gr_ref r = gr_spawn(root, &transform_class, NULL);

    json_is(invoke(r, "ab"), "\"ab.\"");
    json_is(chunks(gr_astream(rt, r, gr_str("ab"), NULL)), "[\"ab.\"]");
    json_is(chunks(gr_atransform(rt, r, input("[\"a\", \"b\"]"), NULL)), "[\"a.\", \"b.\"]");
    json_is(gr_batch(rt, r, json_of("[\"ab\", \"c\"]"), NULL, NULL), "[\"ab.\", \"c.\"]");
}

Test(defaults, an_input_that_fails_fails_the_transform)
{
    gr_ref r = gr_spawn(root, &classes[0], NULL);
    gr_stream *w = NULL, *in = gr_pipe(rt, 0, &w);
    gr_stream *s = gr_atransform(rt, r, in, NULL);

    gr_pipe_write(w, gr_str("a"));
    gr_pipe_close(w, gr_error(GR_EPROTO, "garbled"));
    cr_assert_eq(gr_next(s, -1).code, GR_EPROTO);
    gr_stream_free(s);
}

Test(defaults, transform_without_an_input_is_an_error_of_the_caller)
{
    cr_assert_eq(
        code_of(gr_acall(rt, gr_spawn(root, &classes[0], NULL), "transform", gr_nil(), NULL)),
        GR_EINVAL);
}

/* The gatherer waits for an input that doesn't come; leaving must end it. */
Test(defaults, leaving_a_transform_that_waits_for_input)
{
    gr_stream *w = NULL, *in = gr_pipe(rt, 0, &w);
    gr_stream *s = gr_atransform(rt, gr_spawn(root, &classes[0], NULL), in, NULL);

    cr_assert_eq(gr_pipe_write(w, gr_str("a")), GR_OK);
    cr_assert_eq(gr_next(s, 2).code, GR_EPENDING);
    gr_stream_free(s);
    cr_assert_eq(gr_pipe_write(w, gr_str("b")), GR_ECANCELED);
    gr_pipe_close(w, NULL);
}

/* ---- batch ----------------------------------------------------------------------------------- */

Test(defaults, batch_of_nothing_and_of_no_list)
{
    gr_ref r = gr_spawn(root, &classes[0], NULL);

    json_is(gr_batch(rt, r, gr_list_n(NULL, 0), NULL, NULL), "[]");
    cr_assert_eq(code_of(gr_abatch(rt, r, gr_str("no list"), GR_CALL(.config = gr_map_n(NULL, 0)))),
                 GR_ETYPE);
    cr_assert_eq(code_of(gr_acall(rt, r, "batch", gr_str("no list"), NULL)), GR_ETYPE);
    cr_assert_eq(code_of(gr_abatch(rt, r, NULL, NULL)), GR_EINVAL, "no value");
    cr_assert_eq(code_of(gr_abatch(rt, r, gr_list(gr_str("\xff")), NULL)), GR_EINVAL, "broken");
    cr_assert_eq(code_of(gr_abatch(rt, r, gr_error(GR_ERATE, "x"), NULL)), GR_ERATE);
}

Test(defaults, the_first_failure_fails_a_batch)
{
    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
        cr_assert_eq(
            code_of(gr_abatch(rt, gr_spawn(root, &classes[i], NULL), json_of("[1, -1, 2]"), NULL)),
            GR_EREMOTE);
}

Test(defaults, return_exceptions_puts_failures_into_the_list)
{
    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
        gr_value *v = gr_batch(rt, gr_spawn(root, &classes[i], NULL), json_of("[1, -1, 2]"),
                               GR_CALL(.return_exceptions = true), NULL);

        cr_assert_eq(gr_as_int(gr_at(v, 0), 0), 2);
        cr_assert_eq(gr_error_code(gr_at(v, 1)), GR_EREMOTE);
        cr_assert_eq(gr_as_int(gr_at(v, 2), 0), 4);
        gr_value_unref(v);
    }
}

static _Atomic int now, peak, ended;

static gr_value *measured(gr_ctx *c, void *self, const gr_value *args)
{
    int n = atomic_fetch_add(&now, 1) + 1, old = atomic_load(&peak);

    (void)self;
    while (n > old && !atomic_compare_exchange_weak(&peak, &old, n))
        ;
    gr_sleep(gr_runtime_of(c), 1 + gr_as_int(args, 0) % 3);
    atomic_fetch_sub(&now, 1);
    atomic_fetch_add(&ended, 1);
    return gr_as_int(args, 0) == 1000 ? gr_error(GR_EREMOTE, "a thousand") : gr_value_ref(args);
}

static const gr_method measured_methods[] = { { "invoke", GR_ASYNC, measured, NULL } };
static const gr_class measured_class = GR_CLASS(.name = "measured", GR_METHODS(measured_methods));

static gr_value *count_up(int n)
{
    gr_value *list = gr_list_n(NULL, 0);

    for (int i = 0; i < n; i++)
        list = gr_append(list, gr_int(i));
    return list;
}

Test(defaults, max_concurrency_is_the_window_of_a_batch)
{
    gr_ref r = gr_spawn(root, &measured_class, NULL);
    gr_value *in = count_up(60);
    gr_value *v = gr_batch(rt, r, gr_value_ref(in),
                           GR_CALL(.config = json_of("{\"max_concurrency\": 4}")), NULL);

    cr_assert(gr_equal(v, in), "the answers are in order");
    cr_assert_eq(atomic_load(&peak), 4);
    gr_value_unref(v);
    gr_value_unref(in);
}

Test(defaults, a_batch_larger_than_the_mailbox_passes)
{
    gr_ref r = gr_spawn(root, &measured_class, GR_SPAWN(.mailbox_max = 16));
    gr_value *in = count_up(200), *v = gr_batch(rt, r, gr_value_ref(in), NULL, NULL);

    cr_assert(gr_equal(v, in));
    cr_assert_leq(atomic_load(&peak), 8);
    gr_value_unref(v);
    gr_value_unref(in);
}

Test(defaults, a_failed_batch_cancels_the_rest)
{
    struct desk d = DESK;
    gr_ref r = desk_in(root, &d);
    gr_future *f = gr_abatch(rt, r, count_up(5), NULL);

    until(atomic_load(&d.came) == 5);
    desk_answer(&d, 2, gr_error(GR_ERATE, "enough"));
    cr_assert_eq(code_of(f), GR_ERATE);
    until(atomic_load(&d.cancelled) == 4);
    desk_close(&d);
}

Test(defaults, cancelling_a_batch_cancels_its_items)
{
    struct desk d = DESK;
    gr_ref r = desk_in(root, &d);
    gr_future *f = gr_abatch(
        rt, r, count_up(8),
        GR_CALL(.return_exceptions = true, .config = json_of("{\"max_concurrency\": 3}")));

    until(atomic_load(&d.came) == 3);
    gr_future_free(f);
    until(atomic_load(&d.cancelled) == 3);
    desk_close(&d);
    cr_assert_eq(atomic_load(&d.came), 3, "none is started any more");
}

/* ---- blocking methods ------------------------------------------------------------------------ */

static gr_value *block_nap(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    gr_sleep(gr_runtime_of(c), 20);
    return gr_value_ref(args);
}

static const gr_method block_methods[] = { { "invoke", GR_BLOCKING, block_nap, NULL } };
static const gr_class block_class = GR_CLASS(.name = "block", GR_METHODS(block_methods));

Test(defaults, a_thousand_sleeping_blocking_calls)
{
    static gr_future *fs[1000];
    gr_ref r = gr_spawn(root, &block_class, NULL);

    for (int i = 0; i < 1000; i++)
        fs[i] = gr_ainvoke(rt, r, gr_int(i), NULL);
    cr_assert_eq(int_of(gr_ainvoke(rt, echo(), gr_int(1), NULL)), 1, "the workers are free");
    for (int i = 0; i < 1000; i++)
        cr_assert_eq(int_of(fs[i]), i);
}

/* In the plain mode all tests run in one process. */
static void start_afresh(void)
{
    engine_up();
    atomic_store(&now, 0);
    atomic_store(&peak, 0);
    atomic_store(&ended, 0);
}

TestSuite(defaults, .init = start_afresh, .fini = engine_down);
