/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rate_limiter.c - gr_rate_limiter: who asks waits in a line, and the head of the line is served when
 * the buckets have what it wants.
 *
 * One nap is taken, for the head: a call whose end is a continuation here. Once the actor was told to
 * stop those don't run any more, but are dropped, as a timer's message would not be: so the limiter
 * hears of its stop, and sends away those who would keep it. A waiter is held by the line and by the hook that hears of its cancellation, on any thread; whoever
 * sets `over` first answers it. The hook then tells the actor, which takes it out of the line, so that
 * those behind it don't wait for what nobody wants.
 */
#include <greenroom/budget.h>
#include <greenroom/callbacks.h>
#include <greenroom/runtime.h>

#include <math.h>
#include <stdatomic.h>

#include "actors/budget/bucket.h"
#include "actors/compose/steps.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/list.h"

#define RATE_MAX 1e12
#define NAP_MAX_MS 1000 /* so late its stop is noticed at most */
#define NS_PER_MS UINT64_C(1000000)
#define HOLD_MS ((int64_t)600 * 1000)
#define HOLD_MAX_MS ((int64_t)86400 * 1000)

struct limiter {
    struct gri_bucket requests, tokens;
    uint64_t blocked_ns;  /* a server asked for silence until then; 0: none did */
    struct gri_list line; /* of waiters */
    size_t waiting, waiters_max;
    bool ignores_servers;
    int64_t hold_max_ms; /* nobody is held back for longer by what others say */
    gr_ref sleeper;
    gr_call nap;     /* for the head; {0, 0}: none */
    uint64_t nap_id; /* others that end are over already */
    int64_t granted, refused, cancelled;
    uint64_t waited_ns;
};

struct waiter {
    struct gri_list node;
    gr_promise *promise; /* owned by who sets over */
    double requests, tokens;
    uint64_t since_ns;
    gr_runtime *rt;
    gr_ref limiter;
    _Atomic bool over;
    _Atomic int refs; /* the line's and the hook's */
};

static void waiter_unref(struct waiter *w)
{
    /* acq_rel: what one of the two wrote is seen by the other, who frees it */
    if (atomic_fetch_sub_explicit(&w->refs, 1, memory_order_acq_rel) == 1)
        gri_free(w);
}

/* is_mine: who calls it first has the promise. */
static bool is_mine(struct waiter *w)
{
    /* acq_rel: the promise is the winner's alone */
    return !atomic_exchange_explicit(&w->over, true, memory_order_acq_rel);
}

static void on_cancel(void *arg)
{
    struct waiter *w = arg;

    if (!is_mine(w))
        return;
    (void)gr_tell(w->rt, w->limiter, gr_nil()); /* a full mailbox: it has enough to wake it */
    gr_resolve(w->promise, gri_was_cancelled());
    waiter_unref(w);
}

/* answer gives a waiter, out of the line, its answer; taken. False: it was cancelled. */
static bool answer(struct waiter *w, gr_value *v)
{
    bool mine = is_mine(w);

    if (mine) {
        gr_resolve(w->promise, v); /* the hook is not called any more */
        waiter_unref(w);
    } else {
        gr_value_unref(v);
    }
    waiter_unref(w);
    return mine;
}

/* ---- the line -------------------------------------------------------------------------------- */

static uint64_t wait_ns(struct limiter *l, double requests, double tokens, uint64_t now)
{
    uint64_t a = gri_bucket_wait_ns(&l->requests, requests, now);
    uint64_t b = gri_bucket_wait_ns(&l->tokens, tokens, now);
    uint64_t c = l->blocked_ns > now ? l->blocked_ns - now : 0;

    a = a > b ? a : b;
    return a > c ? a : c;
}

static void take(struct limiter *l, double requests, double tokens)
{
    gri_bucket_take(&l->requests, requests);
    gri_bucket_take(&l->tokens, tokens);
    l->granted++;
}

static struct waiter *out_of_line(struct limiter *l, struct waiter *w)
{
    gri_list_remove(&w->node);
    l->waiting--;
    return w;
}

/* send_away answers all who wait with an error, which is taken. */
static void send_away(struct limiter *l, gr_value *err)
{
    while (l->line.next != NULL && !gri_list_empty(&l->line))
        (void)answer(out_of_line(l, gri_container_of(l->line.next, struct waiter, node)),
                     gr_value_ref(err));
    gr_value_unref(err);
}

static void serve(gr_ctx *c, struct limiter *l);

/* What becomes of a nap. */
struct alarm {
    struct limiter *limiter;
    uint64_t id;
    bool rang;
};

static void woken(gr_ctx *c, void *self, const gr_outcome *o, void *arg)
{
    struct limiter *l = self;
    struct alarm *a = arg;

    a->rang = true;
    if (a->id != l->nap_id)
        return;
    l->nap = (gr_call){ 0, 0 };
    if (o->code == GR_OK)
        serve(c, l);
    else /* nobody would wake those who wait */
        send_away(l, o->error != NULL ? gr_value_ref(o->error) : gr_error(o->code, "no timer"));
}

/* drop_alarm: one that has not rung was dropped in the actor's turn, since that stops. */
static void drop_alarm(void *arg)
{
    struct alarm *a = arg;

    if (!a->rang && a->id == a->limiter->nap_id)
        send_away(a->limiter, gr_error(GR_EDEAD, "the rate limiter has stopped"));
    gri_free(a);
}

/* nap has serve called in ms, or before; without memory or timers those who wait are sent away. */
static void nap(gr_ctx *c, struct limiter *l, int64_t ms)
{
    gr_runtime *rt = gr_runtime_of(c);
    struct alarm *a = gri_new0(struct alarm);
    gr_future *f = NULL;
    gr_code rc;

    if (a != NULL)
        f = gr_acall(rt, l->sleeper, "invoke", gr_int(ms < NAP_MAX_MS ? ms : NAP_MAX_MS),
                     GR_CALL(.scope = gr_root(rt)));
    if (f == NULL) {
        gri_free(a);
        send_away(l, gri_no_memory());
        return;
    }
    *a = (struct alarm){ .limiter = l, .id = ++l->nap_id, .rang = true };
    l->nap = gr_future_call(f);
    rc = gr_then(c, f, woken, drop_alarm, a);
    if (rc != GR_OK)
        send_away(l, gr_error(rc, "no timer for a rate limiter"));
    else
        a->rang = false; /* it rings in this actor's turn, so not yet */
}

/* grant gives the head what it waited for, unless it was cancelled in this moment. */
static void grant(struct limiter *l, struct waiter *w, uint64_t now)
{
    double requests = w->requests, tokens = w->tokens;
    uint64_t since = w->since_ns;

    if (!answer(out_of_line(l, w), gr_bool(true))) {
        l->cancelled++;
        return;
    }
    take(l, requests, tokens);
    l->waited_ns += now - since;
}

/* serve answers those whose turn has come, and takes a nap for the next. */
static void serve(gr_ctx *c, struct limiter *l)
{
    gr_runtime *rt = gr_runtime_of(c);

    l->nap_id++;
    if (l->nap.id != 0)
        gr_cancel(rt, l->nap);
    l->nap = (gr_call){ 0, 0 };
    while (!gri_list_empty(&l->line)) {
        struct waiter *w = gri_container_of(l->line.next, struct waiter, node);
        uint64_t now = gr_now_ns(rt), wait = 0;

        if (atomic_load_explicit(&w->over, memory_order_relaxed)) {
            l->cancelled++;
            waiter_unref(out_of_line(l, w));
            continue;
        }
        wait = wait_ns(l, w->requests, w->tokens, now);
        if (wait > 0) {
            int64_t ms = (int64_t)((wait + NS_PER_MS - 1) / NS_PER_MS);

            nap(c, l, ms);
            return;
        }
        grant(l, w, now);
    }
}

/* prune takes those out who were cancelled behind the head. */
static void prune(struct limiter *l)
{
    struct gri_list *at = l->line.next;

    while (at != &l->line) {
        struct waiter *w = gri_container_of(at, struct waiter, node);

        at = at->next;
        if (!atomic_load_explicit(&w->over, memory_order_relaxed))
            continue;
        l->cancelled++;
        waiter_unref(out_of_line(l, w));
    }
}

static gr_value *stand_in_line(gr_ctx *c, struct limiter *l, double requests, double tokens)
{
    struct waiter *w;

    if (l->waiting >= l->waiters_max)
        prune(l);
    if (l->waiting >= l->waiters_max) {
        l->refused++;
        return gr_error(GR_EFULL, "%zu calls wait for this rate limiter", l->waiting);
    }
    w = gri_new0(struct waiter);
    if (w == NULL)
        return gri_no_memory();
    w->promise = gr_defer(c);
    if (w->promise == NULL) {
        gri_free(w);
        return gr_error(GR_EINVAL, "this call can't be answered later");
    }
    w->requests = requests;
    w->tokens = tokens;
    w->rt = gr_runtime_of(c);
    w->limiter = gr_self(c);
    w->since_ns = gr_now_ns(w->rt);
    atomic_init(&w->over, false);
    atomic_init(&w->refs, 2);
    gri_list_push(&l->line, &w->node);
    l->waiting++;
    (void)gr_on_cancel(w->promise, on_cancel, NULL, w);
    if (l->line.next == &w->node)
        serve(c, l);
    return NULL;
}

/* ---- verbs ----------------------------------------------------------------------------------- */

/* amount_of reads how much is wanted; false: it is no such number. */
static bool amount_of(const gr_value *args, const char *key, double otherwise, double *ret)
{
    const gr_value *v = gr_get(args, key);

    *ret = gr_as_real(v, gr_is_nil(v) ? otherwise : NAN);
    return isfinite(*ret);
}

static gr_value *acquire(gr_ctx *c, void *self, const gr_value *args)
{
    struct limiter *l = self;
    double requests, tokens;

    if (!amount_of(args, "requests", 1, &requests) || !amount_of(args, "tokens", 0, &tokens) ||
        requests < 0 || tokens < 0 || requests > RATE_MAX || tokens > RATE_MAX)
        return gr_error(GR_EINVAL, "acquire: requests and tokens are numbers of at least 0");
    if (l->requests.rate > 0 && requests > l->requests.most)
        return gr_error(GR_EINVAL, "acquire: %g requests at once, of at most %g", requests,
                        l->requests.most);
    if (gri_list_empty(&l->line) &&
        wait_ns(l, requests, tokens, gr_now_ns(gr_runtime_of(c))) == 0) {
        take(l, requests, tokens);
        return gr_bool(true);
    }
    if (!gr_as_bool(gr_get(args, "blocking"), true)) {
        l->refused++;
        return gr_bool(false);
    }
    return stand_in_line(c, l, requests, tokens);
}

static gr_value *used(gr_ctx *c, void *self, const gr_value *args)
{
    struct limiter *l = self;
    double requests, tokens;

    if (!amount_of(args, "requests", 0, &requests) || !amount_of(args, "tokens", 0, &tokens))
        return gr_error(GR_EINVAL, "used: requests and tokens are numbers");
    gri_bucket_take(&l->requests, requests);
    gri_bucket_take(&l->tokens, tokens);
    serve(c, l);
    return gr_nil();
}

/* time_of reads when something is over that a server says lasts so long; 0: it says nothing. */
static uint64_t time_of(const struct limiter *l, const gr_value *said, const char *key,
                        uint64_t now)
{
    int64_t ms = gr_as_int(gr_get(said, key), 0);

    if (ms <= 0)
        return 0;
    return now + (uint64_t)(ms < l->hold_max_ms ? ms : l->hold_max_ms) * NS_PER_MS;
}

static void saw_one(const struct limiter *l, struct gri_bucket *b, const gr_value *said,
                    uint64_t now)
{
    gri_bucket_saw(b, gr_as_real(gr_get(said, "remaining"), -1), time_of(l, said, "reset_ms", now),
                   now);
}

static void hear(gr_ctx *c, struct limiter *l, const gr_value *said)
{
    uint64_t now = gr_now_ns(gr_runtime_of(c)), until = time_of(l, said, "retry_after_ms", now);

    if (l->ignores_servers)
        return;
    saw_one(l, &l->requests, gr_get(said, "requests"), now);
    saw_one(l, &l->tokens, gr_get(said, "tokens"), now);
    if (until > l->blocked_ns)
        l->blocked_ns = until;
    serve(c, l);
}

static gr_value *saw(gr_ctx *c, void *self, const gr_value *args)
{
    if (gr_value_type(args) != GR_MAP)
        return gr_error(GR_ETYPE, "saw: what a server said is a map");
    hear(c, self, args);
    return gr_nil();
}

static gr_value *have_of(struct gri_bucket *b, uint64_t now)
{
    (void)gri_bucket_wait_ns(b, 0, now); /* fills it */
    if (b->rate <= 0)
        return b->left >= 0 ? gr_real(b->left) : gr_nil();
    return gr_real(b->left >= 0 && b->left < b->have ? b->left : b->have);
}

static gr_value *stats(gr_ctx *c, void *self, const gr_value *args)
{
    struct limiter *l = self;
    uint64_t now = gr_now_ns(gr_runtime_of(c));
    uint64_t blocked = l->blocked_ns > now ? l->blocked_ns - now : 0;

    (void)args;
    prune(l);
    return gr_map(
        GR_KV("granted", gr_int(l->granted)), GR_KV("refused", gr_int(l->refused)),
        GR_KV("cancelled", gr_int(l->cancelled)), GR_KV("waiting", gr_int((int64_t)l->waiting)),
        GR_KV("wait_ms", gr_int((int64_t)(l->waited_ns / NS_PER_MS))),
        GR_KV("requests", have_of(&l->requests, now)), GR_KV("tokens", have_of(&l->tokens, now)),
        GR_KV("blocked_ms", gr_int((int64_t)(blocked / NS_PER_MS))));
}

/* told: what a server said, or nil: look at the line. */
static void told(gr_ctx *c, void *self, const gr_value *msg)
{
    if (gr_value_type(msg) == GR_MAP)
        hear(c, self, msg);
    else
        serve(c, self);
}

/* ---- making ---------------------------------------------------------------------------------- */

static void bucket_init(struct gri_bucket *b, double rate, double most, bool full, int64_t hold_ms)
{
    *b = (struct gri_bucket){ .rate = rate,
                              .most = most,
                              .have = full ? most : 0,
                              .owe_max = rate * (double)hold_ms / 1000,
                              .left = -1 };
}

static gr_code limiter_init(gr_ctx *c, void *self, const gr_value *args)
{
    struct limiter *l = self;
    bool full = gr_as_bool(gr_get(args, "full"), false);

    (void)c;
    gri_list_init(&l->line);
    l->sleeper = gr_as_ref(gr_get(args, "sleeper"));
    l->waiters_max = (size_t)gr_as_int(gr_get(args, "waiters_max"), GRI_LIMITER_WAITERS_MAX);
    l->ignores_servers = gr_as_bool(gr_get(args, "ignores_servers"), false);
    l->hold_max_ms = gr_as_int(gr_get(args, "hold_max_ms"), HOLD_MS);
    bucket_init(&l->requests, gr_as_real(gr_get(args, "requests"), 0),
                gr_as_real(gr_get(args, "requests_burst"), 1), full, l->hold_max_ms);
    bucket_init(&l->tokens, gr_as_real(gr_get(args, "tokens"), 0),
                gr_as_real(gr_get(args, "tokens_burst"), 1), full, l->hold_max_ms);
    return GR_OK;
}

/* limiter_stopped: those who still wait were failed by its exit, and are only let go. */
static void limiter_stopped(void *self, const gr_value *args)
{
    (void)args;
    send_away(self, gr_error(GR_EDEAD, "the rate limiter has stopped"));
}

static const gr_method limiter_methods[] = {
    { "acquire", GR_ASYNC, acquire, NULL },
    { "used", GR_ASYNC, used, NULL },
    { "saw", GR_ASYNC, saw, NULL },
    { "stats", GR_ASYNC, stats, NULL },
};
static const gr_class limiter_class =
    GR_CLASS(.name = "RateLimiter", .state_size = sizeof(struct limiter), .init = limiter_init,
             .stopped = limiter_stopped, .receive = told, GR_METHODS(limiter_methods));

static gr_value *sleeper_invoke(gr_ctx *c, void *self, const gr_value *ms)
{
    gr_code rc = gr_sleep(gr_runtime_of(c), gr_as_int(ms, 0));

    (void)self;
    if (rc == GR_EINTR)
        return gri_was_cancelled();
    return rc == GR_OK ? gr_nil() : gr_error(rc, "a rate limiter can't wait");
}

static const gr_method sleeper_methods[] = { { "invoke", GR_ASYNC, sleeper_invoke, NULL } };
static const gr_class sleeper_class =
    GR_CLASS(.name = "Sleeper", .run_type = GR_TYPE_NONE, GR_METHODS(sleeper_methods));

static bool is_rate(double rate)
{
    return isfinite(rate) && rate >= 0 && rate <= RATE_MAX;
}

static bool is_burst(double burst)
{
    return isfinite(burst) && burst >= 1 && burst <= RATE_MAX;
}

static gr_value *args_of(const gr_rate_limiter_opts *o)
{
    double tokens = o->tokens_per_minute / 60;
    double requests_burst = o->requests_burst == 0 ? 1 : o->requests_burst;
    double tokens_burst = o->tokens_burst == 0 ? fmax(o->tokens_per_minute, 1) : o->tokens_burst;

    if (!is_rate(o->requests_per_second) || !is_rate(tokens))
        return gr_error(GR_EINVAL, "rate_limiter: a rate is at least 0, and at most %g", RATE_MAX);
    if (!is_burst(requests_burst) || !is_burst(tokens_burst))
        return gr_error(GR_EINVAL, "rate_limiter: a burst is at least 1, and at most %g", RATE_MAX);
    if (o->hold_max_ms < 0 || o->hold_max_ms > HOLD_MAX_MS)
        return gr_error(GR_EINVAL, "rate_limiter: hold_max_ms is at most a day");
    return gr_map(GR_KV("requests", gr_real(o->requests_per_second)),
                  GR_KV("requests_burst", gr_real(requests_burst)),
                  GR_KV("tokens", gr_real(tokens)), GR_KV("tokens_burst", gr_real(tokens_burst)),
                  GR_KV("full", gr_bool(o->starts_full)),
                  GR_KV("ignores_servers", gr_bool(o->ignores_servers)),
                  GR_KV("hold_max_ms", gr_int(o->hold_max_ms != 0 ? o->hold_max_ms : HOLD_MS)),
                  GR_KV("waiters_max", gr_int(o->waiters_max != 0 ? (int64_t)o->waiters_max
                                                                  : GRI_LIMITER_WAITERS_MAX)));
}

gr_ref gr_rate_limiter(gr_scope *in, const gr_rate_limiter_opts *opts)
{
    static const gr_rate_limiter_opts none = { .size = sizeof(none) };
    gr_value *args = args_of(opts != NULL ? opts : &none);

    if (gr_error_code(args) == GR_OK)
        args = gr_set(args, "sleeper",
                      gr_ref_value(gr_spawn(in, &sleeper_class, GR_SPAWN(.name = "rate limiter"))));
    return gr_spawn(in, &limiter_class, GR_SPAWN(.name = "rate limiter", .args = args));
}

/* ---- calling --------------------------------------------------------------------------------- */

static gr_value *wanted(const gr_acquire_opts *want)
{
    static const gr_acquire_opts one = { .size = sizeof(one) };
    const gr_acquire_opts *w = want != NULL ? want : &one;
    double requests = w->requests == 0 ? 1 : w->requests;

    return gr_map(GR_KV("requests", gr_real(requests > 0 ? requests : 0)),
                  GR_KV("tokens", gr_real(w->tokens)), GR_KV("blocking", gr_bool(!w->no_wait)));
}

gr_value *gr_acquire(gr_runtime *rt, gr_ref limiter, const gr_acquire_opts *want,
                     const gr_call_opts *opts, gr_value **reterr)
{
    return gr_do(rt, limiter, "acquire", wanted(want), opts, reterr);
}

gr_future *gr_aacquire(gr_runtime *rt, gr_ref limiter, const gr_acquire_opts *want,
                       const gr_call_opts *opts)
{
    return gr_acall(rt, limiter, "acquire", wanted(want), opts);
}
