/* SPDX-License-Identifier: Apache-2.0 */
/*
 * breaker.c - gr_with_breaker: what fails too often is left alone for a while.
 *
 * The class is reentrant, so its state is touched by one handler at a time, between their waits. The
 * window is a ring of slots, of which the oldest is emptied when its time comes round again. A call
 * that began before the breaker opened counts when it ends, but opens nothing anew; only the probe
 * closes it.
 */
#include <greenroom/budget.h>
#include <greenroom/callbacks.h>
#include <greenroom/runtime.h>

#include <string.h>

#include "actors/compose/describe.h"
#include "actors/compose/error_names.h"
#include "actors/compose/pass.h"
#include "actors/compose/steps.h"
#include "runtime/base/alloc.h"

#define SHARE 0.5
#define CALLS_MIN 10
#define WINDOW_MS 60000
#define OPEN_MS 30000
#define MS_MAX ((int64_t)86400 * 1000)
#define SLOTS 10
#define NS_PER_MS UINT64_C(1000000)

enum state { CLOSED, OPEN, HALF_OPEN };

/* The spawn argument. */
struct settings {
    gr_ref inner;
    double share;
    unsigned calls_min;
    int64_t window_ms, open_ms;
    gr_value *errors; /* counted; nil: those of the service */
};

struct slot {
    uint64_t number; /* of the window's tenths since the clock began */
    unsigned calls, failures;
};

struct breaker {
    struct slot slots[SLOTS];
    enum state state;
    uint64_t open_until_ns;
    uint64_t probe;   /* the number of the one under way; 0: none is */
    uint64_t probes;  /* so far */
    uint64_t late_ns; /* from then on the probe is given up, and the next call is one */
    uint64_t period;  /* of being closed: what began in an earlier one counts no more */
    int64_t refused, opened;
};

static void settings_free(void *p)
{
    struct settings *s = p;

    gr_value_unref(s->errors);
    gri_free(s);
}

/* ---- the window ------------------------------------------------------------------------------ */

static uint64_t slot_number(gr_ctx *c, const struct settings *s)
{
    return gr_now_ns(gr_runtime_of(c)) / ((uint64_t)s->window_ms * NS_PER_MS / SLOTS);
}

static void count(gr_ctx *c, struct breaker *b, const struct settings *s, bool failed)
{
    uint64_t number = slot_number(c, s);
    struct slot *slot = &b->slots[number % SLOTS];

    if (slot->number != number)
        *slot = (struct slot){ .number = number };
    slot->calls++;
    slot->failures += failed;
}

static struct slot sum_of(gr_ctx *c, const struct breaker *b, const struct settings *s)
{
    uint64_t number = slot_number(c, s);
    struct slot sum = { .number = number };

    for (size_t i = 0; i < SLOTS; i++) {
        if (b->slots[i].number + SLOTS <= number)
            continue;
        sum.calls += b->slots[i].calls;
        sum.failures += b->slots[i].failures;
    }
    return sum;
}

/* ---- opening and closing --------------------------------------------------------------------- */

static void open_it(gr_ctx *c, struct breaker *b, const struct settings *s)
{
    b->state = OPEN;
    b->open_until_ns = gr_now_ns(gr_runtime_of(c)) + (uint64_t)s->open_ms * NS_PER_MS;
    b->opened++;
    b->period++;
}

static void close_it(struct breaker *b)
{
    memset(b->slots, 0, sizeof(b->slots));
    b->state = CLOSED;
    b->period++;
}

/* is_failure: of the service, not of whoever calls it. */
static bool is_failure(const struct settings *s, const gr_value *err)
{
    int64_t status = gr_as_int(gr_get(err, "status"), 0);

    if (!gr_is_nil(s->errors))
        return gri_error_named(s->errors, err);
    switch (gr_error_code(err)) {
    case GR_EUNREACH:
    case GR_ETIMEDOUT:
    case GR_ERATE:
    case GR_EPROTO:
    case GR_EFULL:
    case GR_EBROKEN:
    case GR_EDEAD: return true;
    case GR_EREMOTE: return status < 400 || status > 499;
    default: return false;
    }
}

/* A call on its way. */
struct passage {
    uint64_t probe; /* its number; 0: it is none */
    uint64_t period;
};

static void begin_probe(gr_ctx *c, struct breaker *b, struct passage *p)
{
    const struct settings *s = gr_as_opaque(gr_args(c));
    int64_t ms = s->open_ms > s->window_ms ? s->open_ms : s->window_ms;

    p->probe = b->probe = ++b->probes;
    b->late_ns = gr_now_ns(gr_runtime_of(c)) + (uint64_t)ms * NS_PER_MS;
}

/* enter lets a call through, or tells why not. */
static gr_value *enter(gr_ctx *c, struct breaker *b, struct passage *ret)
{
    uint64_t now = gr_now_ns(gr_runtime_of(c));
    int64_t left;

    if (b->state == OPEN && now >= b->open_until_ns)
        b->state = HALF_OPEN;
    *ret = (struct passage){ .period = b->period };
    if (b->state == HALF_OPEN && (b->probe == 0 || now >= b->late_ns))
        begin_probe(c, b, ret);
    if (b->state == CLOSED || ret->probe != 0)
        return NULL;
    b->refused++;
    left = now < b->open_until_ns ? (int64_t)((b->open_until_ns - now) / NS_PER_MS) + 1 : 1;
    return gr_error_with(
        gr_error_with(gr_error(GR_EUNREACH, "the breaker is open: too many calls have failed"),
                      "kind", gr_str("breaker")),
        "retry_after_ms", gr_int(left));
}

/* How a call ended. */
enum verdict { SILENT, WELL, FAILED };

/* timed_out: the call's own deadline has passed while the service had it. */
static bool timed_out(gr_ctx *c)
{
    uint64_t deadline = gr_deadline_ns(c);

    return deadline != 0 && gr_now_ns(gr_runtime_of(c)) >= deadline;
}

/* judge tells what the end of a call says of the service; err NULL: it ended well. */
static enum verdict judge(gr_ctx *c, const struct settings *s, const gr_value *err)
{
    gr_value *late;
    bool failed;

    if (err == NULL)
        return WELL;
    if (!timed_out(c)) {
        if (gr_error_code(err) == GR_ECANCELED || gr_cancelled(c))
            return SILENT;
        return is_failure(s, err) ? FAILED : WELL;
    }
    late = gr_error(GR_ETIMEDOUT, "the deadline has passed");
    failed = is_failure(s, late);
    gr_value_unref(late);
    return failed ? FAILED : SILENT;
}

/* leave_probe ends one: a probe that was given up says nothing any more. */
static void leave_probe(gr_ctx *c, struct breaker *b, const struct passage *p, enum verdict verdict)
{
    if (p->probe != b->probe)
        return;
    b->probe = 0;
    if (verdict == FAILED)
        open_it(c, b, gr_as_opaque(gr_args(c)));
    else if (verdict == WELL)
        close_it(b);
}

/* leave counts how a call ended; err NULL: well. */
static void leave(gr_ctx *c, struct breaker *b, const struct passage *p, const gr_value *err)
{
    const struct settings *s = gr_as_opaque(gr_args(c));
    enum verdict verdict = judge(c, s, err);
    bool failed = verdict == FAILED;
    struct slot sum;

    if (p->probe != 0) {
        leave_probe(c, b, p, verdict);
        return;
    }
    if (verdict == SILENT || p->period != b->period)
        return;
    count(c, b, s, failed);
    sum = sum_of(c, b, s);
    if (failed && sum.calls >= s->calls_min && (double)sum.failures >= s->share * (double)sum.calls)
        open_it(c, b, s);
}

/* ---- verbs ----------------------------------------------------------------------------------- */

static gr_value *through(gr_ctx *c, void *self, const char *verb, const gr_value *args)
{
    const struct settings *s = gr_as_opaque(gr_args(c));
    struct passage p;
    gr_value *err = enter(c, self, &p), *answer;
    gr_call_opts opts;

    if (err != NULL)
        return err;
    opts = gri_pass_opts(c);
    answer = gr_do(gr_runtime_of(c), s->inner, verb, args != NULL ? gr_value_ref(args) : gr_nil(),
                   &opts, &err);
    leave(c, self, &p, err);
    return answer != NULL ? answer : err;
}

static gr_value *breaker_invoke(gr_ctx *c, void *self, const gr_value *input)
{
    return through(c, self, "invoke", input);
}

static gr_value *breaker_embed(gr_ctx *c, void *self, const gr_value *args)
{
    return through(c, self, gr_verb(c), args);
}

static gr_code breaker_stream(gr_ctx *c, void *self, gr_stream *in, const gr_value *input)
{
    const struct settings *s = gr_as_opaque(gr_args(c));
    struct passage p;
    gr_value *err = enter(c, self, &p), *gone = NULL;
    gr_call_opts opts;
    gr_code rc;

    (void)in;
    if (err != NULL)
        return gr_fail(c, err);
    opts = gri_pass_opts(c);
    rc = gri_pass_stream(c, gr_astream(gr_runtime_of(c), s->inner, gr_value_ref(input), &opts),
                         NULL, &err);
    if (err == NULL && rc != GR_OK)
        gone = gri_was_cancelled();
    leave(c, self, &p, err != NULL ? err : gone);
    gr_value_unref(gone);
    return err != NULL ? gr_fail(c, err) : rc;
}

static gr_value *breaker_describe(gr_ctx *c, void *self, const gr_value *args)
{
    const struct settings *s = gr_as_opaque(gr_args(c));

    (void)self;
    (void)args;
    return gri_describe_ref(c, s->inner);
}

static gr_value *breaker_stats(gr_ctx *c, void *self, const gr_value *args)
{
    static const char *const names[] = { "closed", "open", "half_open" };
    struct breaker *b = self;
    struct slot sum = sum_of(c, b, gr_as_opaque(gr_args(c)));
    enum state state = b->state;

    (void)args;
    if (state == OPEN && gr_now_ns(gr_runtime_of(c)) >= b->open_until_ns)
        state = HALF_OPEN;
    return gr_map(GR_KV("state", gr_str(names[state])), GR_KV("calls", gr_int(sum.calls)),
                  GR_KV("failures", gr_int(sum.failures)), GR_KV("refused", gr_int(b->refused)),
                  GR_KV("opened", gr_int(b->opened)));
}

static const gr_method breaker_methods[] = {
    { "invoke", GR_ASYNC, breaker_invoke, NULL },
    { "stream", GR_ASYNC, NULL, breaker_stream },
    { "embed_query", GR_ASYNC, breaker_embed, NULL },
    { "embed_documents", GR_ASYNC, breaker_embed, NULL },
    { "describe", GR_ASYNC, breaker_describe, NULL },
    { "breaker_stats", GR_ASYNC, breaker_stats, NULL },
};
static const gr_class breaker_class =
    GR_CLASS(.name = "Breaker", .state_size = sizeof(struct breaker), .reentrant = true,
             .run_type = GR_TYPE_NONE, GR_METHODS(breaker_methods));

/* ---- making ---------------------------------------------------------------------------------- */

static bool is_ms(int64_t ms)
{
    return ms >= 0 && ms <= MS_MAX;
}

/* make gives the spawn argument, or an error. */
static gr_value *make(gr_ref inner, const gr_breaker_opts *o)
{
    struct settings *s;

    if (!(o->failures_share >= 0 && o->failures_share <= 1) || !is_ms(o->window_ms) ||
        !is_ms(o->open_ms) || (o->window_ms != 0 && o->window_ms < SLOTS))
        return gr_error(GR_EINVAL,
                        "with_breaker: a share is above 0, to 1; window_ms is %d ms to a day, "
                        "open_ms up to a day",
                        SLOTS);
    s = gri_new0(struct settings);
    if (s == NULL)
        return gri_no_memory();
    *s = (struct settings){ .inner = inner,
                            .share = o->failures_share != 0 ? o->failures_share : SHARE,
                            .calls_min = o->calls_min != 0 ? o->calls_min : CALLS_MIN,
                            .window_ms = o->window_ms != 0 ? o->window_ms : WINDOW_MS,
                            .open_ms = o->open_ms != 0 ? o->open_ms : OPEN_MS,
                            .errors = gri_error_names(o->errors, o->error_count) };
    if (gr_error_code(s->errors) != GR_OK) {
        gr_value *err = gr_value_ref(s->errors);

        settings_free(s);
        return err;
    }
    return gr_opaque(s, settings_free);
}

gr_ref gr_with_breaker(gr_scope *in, gr_ref runnable, const gr_breaker_opts *opts)
{
    static const gr_breaker_opts none = { .size = sizeof(none) };

    if (gri_ref_broken(in, runnable))
        return runnable;
    return gr_spawn(
        in, &breaker_class,
        GR_SPAWN(.name = "breaker", .args = make(runnable, opts != NULL ? opts : &none)));
}
