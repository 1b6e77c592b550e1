/* SPDX-License-Identifier: Apache-2.0 */
/* overload.c - see overload.h. Calls are made by one thread, and their answers noted on workers. */
#include "bench/overload.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/thread.h"

#define SAMPLES_MAX 2000000
#define MS 1e6

struct load {
    gr_runtime *rt;
    gr_ref service;
    gr_value *payload;
    const struct overload_opts *o;
    /* what came back: the samples are in ms */
    float *admitted_ms, *refused_ms;
    _Atomic long admitted, refused, other, open;
    uint64_t closed_until_ns; /* callers that call again do so until then; 0: they don't */
};

struct call {
    struct load *load;
    uint64_t start_ns;
};

static void call_once(struct load *l);

static void note(float *samples, _Atomic long *count, double ms)
{
    long i = atomic_fetch_add(count, 1);

    if (i < SAMPLES_MAX)
        samples[i] = (float)ms;
}

static void on_done(void *arg, gr_future *f)
{
    struct call *c = arg;
    struct load *l = c->load;
    uint64_t now = gri_clock_ns();
    double ms = (double)(now - c->start_ns) / MS;
    gr_code rc = gr_await(f, 0).code;

    gr_future_free(f);
    if (rc == GR_OK)
        note(l->admitted_ms, &l->admitted, ms);
    else if (rc == GR_EFULL)
        note(l->refused_ms, &l->refused, ms);
    else
        atomic_fetch_add(&l->other, 1);
    if (now < l->closed_until_ns)
        call_once(l);
    atomic_fetch_sub(&l->open, 1);
}

/* Each call has a text of its own, as each request would: that is what memory is bounded for. */
static void call_once(struct load *l)
{
    struct call *c = malloc(sizeof(*c));
    size_t size = 0;
    const void *data = gr_as_bin(l->payload, &size);

    if (c == NULL)
        return;
    *c = (struct call){ .load = l, .start_ns = gri_clock_ns() };
    atomic_fetch_add(&l->open, 1);
    gr_on_done(gr_ainvoke(l->rt, l->service, gr_bin(data, size), NULL), on_done, free, c);
}

/* ---- numbers --------------------------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

static double quantile(float *x, long count, double q)
{
    if (count > SAMPLES_MAX)
        count = SAMPLES_MAX;
    if (count == 0)
        return 0;
    qsort(x, (size_t)count, sizeof(*x), by_size);
    return (double)x[(long)((double)(count - 1) * q)];
}

static void sum_up(struct load *l, struct overload_phase *p, double seconds)
{
    p->admitted = atomic_load(&l->admitted);
    p->refused = atomic_load(&l->refused);
    p->other = atomic_load(&l->other);
    p->offered = p->admitted + p->refused + p->other;
    p->seconds = seconds;
    p->rate = (double)p->admitted / seconds;
    p->p50_ms = quantile(l->admitted_ms, p->admitted, 0.5);
    p->p99_ms = quantile(l->admitted_ms, p->admitted, 0.99);
    p->max_ms = quantile(l->admitted_ms, p->admitted, 1);
    p->refused_p99_ms = quantile(l->refused_ms, p->refused, 0.99);
    p->refused_max_ms = quantile(l->refused_ms, p->refused, 1);
    atomic_store(&l->admitted, 0);
    atomic_store(&l->refused, 0);
    atomic_store(&l->other, 0);
}

static long rss_kib(void)
{
    FILE *f = fopen("/proc/self/statm", "r");
    long pages = 0, total = 0;

    if (f == NULL)
        return 0;
    if (fscanf(f, "%ld %ld", &total, &pages) != 2)
        pages = 0;
    fclose(f);
    return pages * 4;
}

/* ---- the phases ------------------------------------------------------------------------------ */

/* drained waits until all calls are through, for at most 10 s; the seconds that took. */
static double drained(struct load *l, struct overload_result *r)
{
    uint64_t start = gri_clock_ns();

    while (atomic_load(&l->open) > 0 && gri_clock_ns() - start < UINT64_C(10000000000))
        gr_sleep(l->rt, 1);
    r->lost += atomic_load(&l->open);
    return (double)(gri_clock_ns() - start) / 1e9;
}

/* closed has each of `concurrency` callers call again as soon as it has its answer. */
static void closed(struct load *l, struct overload_phase *p, double seconds,
                   struct overload_result *r)
{
    uint64_t start = gri_clock_ns();

    l->closed_until_ns = start + (uint64_t)(seconds * 1e9);
    for (unsigned i = 0; i < l->o->concurrency; i++)
        call_once(l);
    gr_sleep(l->rt, (int64_t)(seconds * 1e3));
    drained(l, r);
    l->closed_until_ns = 0;
    sum_up(l, p, (double)(gri_clock_ns() - start) / 1e9);
}

/* open offers `rate` calls a second, in bursts of a millisecond. */
static void offer(struct load *l, struct overload_result *r, double rate)
{
    uint64_t start = gri_clock_ns(), now = start;
    double seconds = l->o->seconds;
    long sent = 0;

    for (long i = 0; i < l->o->burst; i++)
        call_once(l);
    while ((double)(now - start) < seconds * 1e9) {
        long due = (long)((double)(now - start) / 1e9 * rate);
        long rss = rss_kib();

        for (; sent < due; sent++)
            call_once(l);
        if (rss > r->rss_high_kib)
            r->rss_high_kib = rss;
        gr_sleep(l->rt, 1);
        now = gri_clock_ns();
    }
    r->recovery_s = drained(l, r);
    sum_up(l, &r->overload, seconds + r->recovery_s);
}

/* ---- the service ----------------------------------------------------------------------------- */

static gr_value *serve(gr_ctx *c, void *self, const gr_value *args)
{
    const struct overload_opts *o = gr_as_opaque(gr_args(c));
    gr_code rc = gr_sleep(gr_runtime_of(c), o->service_ms);

    (void)self;
    return rc == GR_OK ? gr_int((int64_t)gr_len(args)) : gr_error(GR_ECANCELED, "woken up");
}

static const gr_method methods[] = { { "invoke", GR_ASYNC, serve, NULL } };
static const gr_class service_class = GR_CLASS(.name = "service", GR_METHODS(methods));

static bool run(struct load *l, struct overload_result *r)
{
    const struct overload_opts *o = l->o;
    gr_value *args = gr_opaque((void *)(uintptr_t)o, NULL);

    if (gr_runtime_new(GR_RUNTIME(.workers = 2, .bytes_max = o->bytes_max), &l->rt) != GR_OK) {
        gr_value_unref(args);
        return false;
    }
    l->service = gr_spawn(gr_root(l->rt), &service_class,
                          GR_SPAWN(.mailbox_max = o->mailbox_max, .max_concurrency = o->concurrency,
                                   .queue_ms = o->queue_ms, .args = args));
    closed(l, &r->capacity, 0.5, r); /* to warm up */
    closed(l, &r->capacity, o->seconds < 4 ? 1 : 3, r);
    r->rss_before_kib = r->rss_high_kib = rss_kib();
    offer(l, r, r->capacity.rate * o->factor);
    closed(l, &r->after, 1, r);
    gr_stats_read(l->rt, &r->stats);
    gr_runtime_free(l->rt);
    return true;
}

bool overload_run(const struct overload_opts *o, struct overload_result *ret)
{
    struct load l = { .o = o };
    char *space = calloc(1, o->payload + 1);
    bool ok;

    *ret = (struct overload_result){ .stats = GR_STATS_INIT };
    l.admitted_ms = calloc(SAMPLES_MAX, sizeof(float));
    l.refused_ms = calloc(SAMPLES_MAX, sizeof(float));
    if (space != NULL)
        memset(space, 'x', o->payload);
    l.payload = gr_bin(space, o->payload);
    ok = space != NULL && l.admitted_ms != NULL && l.refused_ms != NULL && run(&l, ret);
    gr_value_unref(l.payload);
    free(space);
    free(l.admitted_ms);
    free(l.refused_ms);
    return ok;
}
