/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fairness.c - how long light actors wait while heavy ones compute.
 *
 * As many heavy actors as there are workers compute in handlers of 100 ms, back to back. A thousand
 * light ones have a ping due every 50 ms each, which an actor of their own echoes. What is measured
 * is from when a ping was due until its echo was handled, so a ping that is sent late counts as
 * late. The clock that sends them is a thread beside the workers, as a timer would be.
 */
#include <stdlib.h>
#include <time.h>

#include "bench/bench.h"

#define LIGHT 1000
#define PERIOD_MS 50
#define HEAVY_NS UINT64_C(100000000)
#define SETTLE_MS 100
#define STARVED_MS 5000 /* after the last ping: who is starved until then is served at last */

static struct {
    struct bench_run *b;
    _Atomic bool over;
    uint64_t end_ns;              /* of the heavy ones, whatever becomes of the light ones */
    double *late_ms;              /* of each echo */
    _Atomic long claimed, echoes; /* places in late_ms, and those that are written */
    _Atomic long heavy_runs;
    long due;
} fair;

/* ---- heavy ------------------------------------------------------------------------------------ */

static void heavy_receive(gr_ctx *c, void *self, const gr_value *msg)
{
    (void)self;
    bench_spin(HEAVY_NS);
    atomic_fetch_add(&fair.heavy_runs, 1);
    if (!atomic_load(&fair.over) && gri_clock_ns() < fair.end_ns)
        bench_post(fair.b, gr_self(c), gr_value_ref(msg));
}

static const gr_class heavy_class =
    GR_CLASS(.name = "heavy", .state_size = sizeof(long), .receive = heavy_receive);

/* ---- light ------------------------------------------------------------------------------------ */

struct light {
    gr_ref other;
    bool echoes; /* the other one of the pair */
};

/* [the other of the pair, whether it is the one that echoes] */
static gr_value *light_set(gr_ctx *c, void *self, const gr_value *args)
{
    struct light *light = self;

    (void)c;
    light->other = gr_as_ref(gr_at(args, 0));
    light->echoes = gr_as_bool(gr_at(args, 1), false);
    return gr_nil();
}

static void note_echo(uint64_t due_ns)
{
    long i = atomic_fetch_add(&fair.claimed, 1);

    fair.late_ms[i] = (double)(gri_clock_ns() - due_ns) / 1e6;
    if (atomic_fetch_add(&fair.echoes, 1) + 1 == fair.due)
        bench_done(fair.b);
}

/* A ping that is due, or that comes back with the sign changed; either is its due time. */
static void light_receive(gr_ctx *c, void *self, const gr_value *msg)
{
    const struct light *light = self;
    int64_t due_ns = gr_as_int(msg, 0);

    (void)c;
    if (due_ns < 0)
        note_echo((uint64_t)-due_ns);
    else
        bench_post(fair.b, light->other, gr_int(light->echoes ? -due_ns : due_ns));
}

static const gr_method light_methods[] = { { "set", GR_ASYNC, light_set, NULL } };
static const gr_class light_class = GR_CLASS(.name = "light", .state_size = sizeof(struct light),
                                             GR_METHODS(light_methods), .receive = light_receive);

static gr_ref light_new(struct bench_run *b, gr_scope *s)
{
    gr_ref light = gr_spawn(s, &light_class, NULL), echo = gr_spawn(s, &light_class, NULL);

    bench_take(b, gr_acall(b->rt, light, "set", gr_list(gr_ref_value(echo), gr_bool(false)), NULL));
    bench_take(b, gr_acall(b->rt, echo, "set", gr_list(gr_ref_value(light), gr_bool(true)), NULL));
    return light;
}

/* ---- the clock -------------------------------------------------------------------------------- */

static void sleep_until(uint64_t ns)
{
    const struct timespec t = { .tv_sec = (time_t)(ns / 1000000000),
                                .tv_nsec = (long)(ns % 1000000000) };

    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

/* send_pings has each light actor's ping be due in turn, for b->n ms. */
static void send_pings(struct bench_run *b, const gr_ref *lights)
{
    uint64_t start_ns = gri_clock_ns() + SETTLE_MS * UINT64_C(1000000);

    bench_begin(b);
    for (long ms = 0; ms < b->n && !b->failed; ms++) {
        uint64_t due_ns = start_ns + (uint64_t)ms * 1000000;

        sleep_until(due_ns);
        for (long i = ms % PERIOD_MS; i < LIGHT; i += PERIOD_MS)
            bench_tell(b, lights[i], gr_int((int64_t)due_ns));
    }
}

static void judge(struct bench_run *b)
{
    size_t count = (size_t)atomic_load(&fair.echoes);

    b->value = bench_quantile(fair.late_ms, count, 0.99);
    bench_note(b, "p50_ms", bench_median(fair.late_ms, count));
    bench_note(b, "most_ms", bench_quantile(fair.late_ms, count, 1));
    bench_note(b, "heavy_runs", (double)atomic_load(&fair.heavy_runs));
}

static void fairness_p99(struct bench_run *b)
{
    gr_scope *s = gr_scope_new(gr_root(b->rt));
    gr_ref lights[LIGHT];

    fair.b = b;
    fair.over = false;
    fair.claimed = fair.echoes = fair.heavy_runs = 0;
    fair.due = b->n * (LIGHT / PERIOD_MS);
    if ((fair.late_ms = calloc((size_t)fair.due, sizeof(double))) == NULL)
        abort();
    bench_spin_calibrate();
    for (int i = 0; i < LIGHT; i++)
        lights[i] = light_new(b, s);
    fair.end_ns = gri_clock_ns() + (uint64_t)(b->n + STARVED_MS) * 1000000;
    for (unsigned i = 0; i < b->workers; i++)
        bench_post(b, gr_spawn(s, &heavy_class, NULL), gr_nil());
    send_pings(b, lights);
    bench_wait(b);
    atomic_store(&fair.over, true);
    judge(b);
    gr_scope_free(s);
    free(fair.late_ms);
}

const struct bench bench_fairness[] = {
    { .name = "fairness_p99",
      .what = "p99 of a light actor's round trip, for n ms, while each worker has a heavy actor",
      .n = 3000,
      .run = fairness_p99,
      .unit = "ms",
      .fresh = true,
      .rounds_max = 2 },
    { .name = NULL },
};
