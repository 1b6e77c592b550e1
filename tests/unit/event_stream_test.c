/* SPDX-License-Identifier: Apache-2.0 */
/*
 * event_stream_test.c - astream_events and astream_log as streams: bounds, slow readers, leaving
 * early. What they tell is in tests/conformance/events_test.c. Each test has a runtime of its own
 * (gr_runtime_new).
 */
#include "tests/support/events.h"

TestSuite(event_stream, .init = set_up, .fini = tear_down, .timeout = 120);

/* ---- a runnable that tells a lot ------------------------------------------------------------- */

struct teller {
    int events; /* that it tells before it answers, or waits */
    bool waits; /* and then, until it is cancelled */
    _Atomic int told, cancelled, over;
};

static gr_value *teller_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    struct teller *t = arg;

    for (int i = 0; i < t->events && !gr_cancelled(c); i++) {
        gr_dispatch_event(c, "told", gr_int(i));
        atomic_fetch_add(&t->told, 1);
    }
    if (t->waits && gr_sleep(gr_runtime_of(c), 600000) != GR_OK)
        atomic_fetch_add(&t->cancelled, 1);
    atomic_store(&t->over, 1);
    return gr_value_ref(input);
}

static gr_ref teller(struct teller *t)
{
    return gr_lambda(root, GR_ASYNC, teller_fn, NULL, t);
}

static void until(const _Atomic int *count, int n)
{
    while (atomic_load(count) < n)
        sched_yield();
}

/* told counts the custom events that are in a list, which must be in order. */
static int told(gr_value *list)
{
    int count = 0;

    for (size_t i = 0; i < gr_len(list); i++) {
        const gr_value *e = gr_at(list, i);

        if (strcmp(gr_cstr(gr_get(e, "event"), ""), "on_custom_event") != 0)
            continue;
        cr_assert_eq(gr_as_int(gr_get(e, "data"), -1), count);
        count++;
    }
    gr_value_unref(list);
    return count;
}

/* ---- bounds ---------------------------------------------------------------------------------- */

Test(event_stream, a_slow_reader_gets_all_that_events_max_allows)
{
    struct teller t = { .events = 5000 };
    gr_stream *s = events_of(teller(&t), "1", NULL, NULL);

    until(&t.told, 5000); /* before anything is read */
    cr_assert_eq(told(all_of(s)), 5000);
}

Test(event_stream, more_than_events_max_ends_the_stream_and_cancels_the_run)
{
    struct teller t = { .events = 1000, .waits = true };
    gr_stream *s = events_of(teller(&t), "1", NULL, GR_EVENTS(.events_max = 100));
    gr_value *err = NULL;
    int count;

    until(&t.cancelled, 1); /* though nobody reads */
    count = told(chunks(s, &err));
    fails_with(err, GR_EFULL, "events_max");
    cr_assert_geq(count, 90);
    cr_assert_lt(count, 300);
}

Test(event_stream, a_run_that_answers_beyond_events_max_fails_as_well)
{
    struct teller t = { .events = 1000 };
    gr_stream *s = events_of(teller(&t), "1", NULL, GR_EVENTS(.events_max = 10));
    gr_value *err = NULL;

    /* before anything is read; it may have told all by the time that it would be cancelled, or not */
    until(&t.over, 1);
    gr_value_unref(chunks(s, &err));
    fails_with(err, GR_EFULL, "events_max");
}

Test(event_stream, a_slow_reader_holds_back_a_run_that_streams)
{
    struct endless e = { 0 };
    gr_stream *s = events_of(endless(&e), "1", NULL, NULL);
    long before;

    cr_assert_eq(gr_next(s, TEST_WAIT_MS).code, GR_OK);
    do { /* until it has stopped */
        before = atomic_load(&e.sent);
        cr_assert_eq(gr_sleep(rt, 50), GR_OK);
    } while (atomic_load(&e.sent) != before || before == 0);
    cr_assert_lt(before, 200, "%ld chunks", before);
    for (int i = 0; i < 500; i++)
        cr_assert_eq(gr_next(s, TEST_WAIT_MS).code, GR_OK);
    cr_assert_gt(atomic_load(&e.sent), before);
    gr_stream_free(s);
    cr_assert(atomic_load(&e.left));
}

/* ---- leaving ------------------------------------------------------------------------------------ */

Test(event_stream, a_reader_may_leave_at_any_event)
{
    gr_ref chain = gr_seq(root, inc(GR_CHEAP), inc(GR_ASYNC), inc(GR_BLOCKING));

    for (int leave = 0; leave < 14; leave++) {
        gr_stream *s = events_of(chain, "1", NULL, NULL);
        gr_stream *log = gr_astream_log(rt, chain, gr_int(1), NULL, NULL);

        for (int i = 0; i < leave; i++) {
            (void)gr_next(s, TEST_WAIT_MS);
            (void)gr_next(log, TEST_WAIT_MS);
        }
        gr_stream_free(s);
        gr_stream_free(log);
    }
}

Test(event_stream, leaving_is_acknowledged)
{
    struct teller t = { .events = 1, .waits = true };
    gr_stream *s = events_of(teller(&t), "1", NULL, NULL);

    until(&t.told, 1);
    gr_stream_free(s);
    cr_assert_eq(atomic_load(&t.cancelled), 1);
}

Test(event_stream, a_deadline_ends_the_run_and_the_stream)
{
    struct teller t = { .events = 1, .waits = true };

    /* on a busy machine the time may be over before the run has begun */
    for (int64_t ms = 20; atomic_load(&t.told) == 0; ms *= 2) {
        gr_value *err = NULL;

        gr_value_unref(chunks(events_of(teller(&t), "1", GR_CALL(.timeout_ms = ms), NULL), &err));
        fails_with(err, GR_ETIMEDOUT, "");
    }
    until(&t.cancelled, 1);
}

/* ---- arguments ---------------------------------------------------------------------------------- */

static void refuses(gr_value *args, gr_code code, const char *part)
{
    gr_value *err = NULL;

    gr_value_unref(
        chunks(gr_astream_call(rt, inc(GR_CHEAP), "astream_events", args, NULL, NULL), &err));
    fails_with(err, code, part);
}

Test(event_stream, arguments_that_make_no_sense_are_refused)
{
    refuses(gr_int(1), GR_ETYPE, "a map with an input");
    refuses(json("{\"input\":1,\"include_tags\":\"a\"}"), GR_ETYPE, "include_tags");
    refuses(json("{\"input\":1,\"exclude_types\":[1]}"), GR_ETYPE, "exclude_types");
    refuses(gr_map(GR_KV("input", gr_str("\xff"))), GR_EINVAL, "");
}

Test(event_stream, the_verbs_stream)
{
    fails_with(answer(gr_acall(rt, inc(GR_CHEAP), "astream_events", json("{\"input\":1}"), NULL)),
               GR_EINVAL, "call it as a stream");
    fails_with(answer(gr_acall(rt, inc(GR_CHEAP), "astream_log", json("{\"input\":1}"), NULL)),
               GR_EINVAL, "call it as a stream");
}

static gr_value *embed(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c, (void)self;
    return gr_value_ref(args);
}

Test(event_stream, what_is_no_runnable_has_no_events)
{
    static const gr_method methods[] = { { "embed_query", GR_CHEAP, embed, NULL } };
    static const gr_class cls = GR_CLASS(.name = "embedder", GR_METHODS(methods));
    gr_value *err = NULL;

    gr_value_unref(chunks(events_of(gr_spawn(root, &cls, NULL), "1", NULL, NULL), &err));
    fails_with(err, GR_ETYPE, "astream_events");
}

static gr_value *kwargs_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)arg, (void)input;
    return gr_kwargs(c) != NULL ? gr_value_ref(gr_kwargs(c)) : gr_nil();
}

Test(event_stream, the_run_has_the_calls_kwargs)
{
    gr_ref bound =
        gr_bind(root, gr_lambda(root, GR_ASYNC, kwargs_fn, NULL, NULL), json("{\"stop\":[\"x\"]}"));
    gr_value *log = NULL, *patches = all_of(gr_astream_log(rt, bound, gr_int(1), NULL, NULL));

    for (size_t i = 0; i < gr_len(patches); i++)
        log = gr_log_apply(log, gr_at(patches, i));
    is(gr_value_ref(gr_get(log, "final_output")), "{\"stop\":[\"x\"]}");
    gr_value_unref(log);
    gr_value_unref(patches);
}
