/* SPDX-License-Identifier: Apache-2.0 */
/* scene_compose.c - every composition: invoked, streamed, transformed. */
#include "tests/torture/torture.h"

#include <stdatomic.h>

static gr_value *inc_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c, (void)arg;
    return gr_int(gr_as_int(input, 0) + 1);
}

static gr_value *boom_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c, (void)arg, (void)input;
    return gr_error(GR_EREMOTE, "boom");
}

static gr_value *first_fails_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c;
    if (atomic_fetch_add((atomic_int *)arg, 1) == 0)
        return gr_error(GR_EUNREACH, "not the first time");
    return gr_value_ref(input);
}

static gr_ref inc(gr_kind kind)
{
    return gr_lambda(root, kind, inc_fn, NULL, NULL);
}

static gr_ref boom(gr_kind kind)
{
    return gr_lambda(root, kind, boom_fn, NULL, NULL);
}

/* ---- one each for a call, a stream, a transformed stream ------------------------------------- */

static void invoked(gr_ref r, gr_value *input, const char *json)
{
    gives(gr_ainvoke(rt, r, input, NULL), json);
}

static void streamed(gr_ref r, gr_value *input, const char *json)
{
    sums(gr_astream(rt, r, input, NULL), json);
}

static void lambda(void)
{
    invoked(inc(GR_CHEAP), gr_int(1), "2");
    invoked(inc(GR_ASYNC), gr_int(1), "2");
    invoked(inc(GR_BLOCKING), gr_int(1), "2");
}

static gr_ref steps(void)
{
    return gr_seq(root, inc(GR_CHEAP), inc(GR_ASYNC), gr_passthrough(root), inc(GR_CHEAP));
}

static void sequence(void)
{
    invoked(steps(), gr_int(1), "4");
}

static void sequence_stream(void)
{
    streamed(steps(), gr_int(1), "4");
}

static void sequence_transform(void)
{
    sums(gr_atransform(rt, steps(), gr_stream_of(rt, gr_list(gr_int(1), gr_int(2))), NULL), "6");
}

static void sequence_batch(void)
{
    gives(gr_abatch(rt, steps(), gr_list(gr_int(1), gr_int(2)), NULL), "[4,5]");
}

static gr_ref branches(void)
{
    return gr_parallel(root, GR_STEP("a", inc(GR_CHEAP)), GR_STEP("b", inc(GR_ASYNC)),
                       GR_STEP("c", gr_passthrough(root)));
}

static void parallel(void)
{
    invoked(branches(), gr_int(1), "{\"a\":2,\"b\":2,\"c\":1}");
}

/* Streams give the keys in the order in which they come, so only one of them is looked at. */
static void parallel_stream(void)
{
    streamed(gr_seq(root, branches(), gr_pick(root, "b")), gr_int(1), "2");
}

static gr_ref assigned(void)
{
    return gr_assign(root, GR_STEP("a", gr_seq(root, gr_pick(root, "x"), inc(GR_ASYNC))));
}

static void assign(void)
{
    invoked(assigned(), gr_map(GR_KV("x", gr_int(1))), "{\"x\":1,\"a\":2}");
}

static void assign_stream(void)
{
    streamed(assigned(), gr_map(GR_KV("x", gr_int(1))), "{\"x\":1,\"a\":2}");
}

static void pick(void)
{
    invoked(gr_pick(root, "x"), gr_map(GR_KV("x", gr_str("y"))), "\"y\"");
}

static void passthrough(void)
{
    sums(gr_atransform(rt, gr_passthrough(root),
                       gr_stream_of(rt, gr_list(gr_str("a"), gr_str("b"))), NULL),
         "\"ab\"");
}

static void retry(void)
{
    atomic_int calls = 0;
    gr_ref flaky = gr_lambda(root, GR_ASYNC, first_fails_fn, NULL, &calls);

    may_also(GR_EUNREACH); /* of the first attempt, when there is no second */
    invoked(gr_with_retry(root, flaky, GR_RETRY(.backoff_ms = 1, .jitter_ms = -1)), gr_str("x"),
            "\"x\"");
    invoked(gr_with_retry(root, inc(GR_CHEAP), NULL), gr_int(1), "2");
}

static void fallbacks(void)
{
    may_also(GR_EREMOTE); /* when the last one fails, the first one's error is told */
    invoked(gr_with_fallbacks(root, boom(GR_CHEAP), boom(GR_ASYNC), inc(GR_ASYNC)), gr_int(1), "2");
}

static void fallbacks_stream(void)
{
    may_also(GR_EREMOTE);
    streamed(gr_with_fallbacks(root, boom(GR_CHEAP), inc(GR_ASYNC)), gr_int(1), "2");
}

static void nested(void)
{
    gr_ref inner = gr_parallel(root, GR_STEP("p", inc(GR_BLOCKING)), GR_STEP("q", inc(GR_ASYNC)));
    gr_ref outer = gr_seq(root, inner, gr_pick(root, "q"),
                          gr_with_retry(root, inc(GR_ASYNC), GR_RETRY(.attempts = 2)));

    invoked(outer, gr_int(1), "3");
}

/* ---- watched --------------------------------------------------------------------------------- */

/* read_all reads s to its end, which must be in order; true: it ended well. Events may be missing when
 * there was no memory for their run. */
static bool read_all(gr_stream *s, gr_value *(*add)(gr_value *sum, const gr_value *chunk),
                     gr_value **sum)
{
    gr_outcome o;
    gr_code rc;

    while ((o = gr_next(s, 20000)).code == GR_OK)
        *sum = add(*sum, o.value);
    claim(o.code != GR_EPENDING);
    rc = o.code;
    if (rc == GR_EOS)
        (void)said(GR_OK);
    else
        (void)said_why(o.error != NULL ? gr_value_ref(o.error) : gr_error(rc, "?"));
    gr_stream_free(s);
    return rc == GR_EOS;
}

static gr_value *count(gr_value *sum, const gr_value *event)
{
    claim(gr_cstr(gr_get(event, "event"), NULL) != NULL);
    return gr_int(gr_as_int(sum, 0) + 1);
}

static void events(void)
{
    gr_value *sum = gr_int(0);

    if (read_all(gr_astream_events(rt, steps(), gr_int(1), NULL, NULL), count, &sum))
        claim(gr_as_int(sum, 0) <= 15);
    gr_value_unref(sum);
}

static gr_value *patched(gr_value *log, const gr_value *patch)
{
    faults_exempt(true);
    log = gr_log_apply(log, patch);
    faults_exempt(false);
    if (gr_error_code(log) != GR_OK)
        torture_fail("%s", gr_error_text(log));
    return log;
}

static void event_log(void)
{
    gr_value *log = NULL;

    if (read_all(gr_astream_log(rt, steps(), gr_int(1), NULL, NULL), patched, &log))
        claim(gr_as_int(gr_get(log, "final_output"), 0) == 4);
    gr_value_unref(log);
}

/* collected has every watcher there is. */
static void collected(void)
{
    gr_value *collector = gr_run_collector(2), *trees;
    gr_value *config =
        gr_map(GR_KV("callbacks", gr_list(gr_value_ref(collector), gr_console_tracer(-1, NULL),
                                          gr_json_tracer(-1, NULL))));

    gives(gr_ainvoke(rt, steps(), gr_int(1), GR_CALL(.config = config)), "4");
    trees = gr_run_collector_take(collector);
    if (gr_error_code(trees) == GR_OK)
        claim(gr_len(trees) <= 2); /* without a record of its parent a run is a root */
    gr_value_unref(trees);
    gr_value_unref(collector);
}

static void broken_steps(void)
{
    gr_ref none = gr_seq_n(root, NULL, 0);
    gr_value *err = gr_check(rt, gr_seq(root, inc(GR_CHEAP), none));
    gr_code rc = gr_error_code(err);

    claim(rc == GR_EINVAL || rc == GR_ENOMEM || rc == GR_EFULL);
    gr_value_unref(err);
}

static const struct scene scenes[] = {
    { "lambda", lambda, 0 },
    { "sequence", sequence, 0 },
    { "sequence_stream", sequence_stream, 0 },
    { "sequence_transform", sequence_transform, 0 },
    { "sequence_batch", sequence_batch, 0 },
    { "parallel", parallel, 0 },
    { "parallel_stream", parallel_stream, 0 },
    { "assign", assign, 0 },
    { "assign_stream", assign_stream, 0 },
    { "pick", pick, 0 },
    { "passthrough", passthrough, 0 },
    { "retry", retry, 0 },
    { "fallbacks", fallbacks, 0 },
    { "fallbacks_stream", fallbacks_stream, 0 },
    { "nested", nested, 0 },
    { "events", events, 0 },
    { "event_log", event_log, 0 },
    { "collected", collected, 0 },
    { "broken_steps", broken_steps, 0 },
};
const struct scenes compose_scenes = SCENES(scenes);
