/* SPDX-License-Identifier: Apache-2.0 */
/* overload_main.c - runs the overload and says whether it was borne. */
#include <stdio.h>
#include <stdlib.h>

#include "bench/bench.h"
#include "bench/overload.h"

static void row(const char *name, const struct overload_phase *p)
{
    printf("%-9s %8ld %8ld %8ld %6ld  %8.0f  %7.2f %7.2f %7.2f  %7.3f %7.3f\n", name, p->offered,
           p->admitted, p->refused, p->other, p->rate, p->p50_ms, p->p99_ms, p->max_ms,
           p->refused_p99_ms, p->refused_max_ms);
}

/* goal prints one goal and whether it was met. */
static int goal(const char *what, double value, double most, const char *unit)
{
    bool met = value <= most;

    printf("%-4s %-58s %9.2f <= %9.2f %s\n", met ? "ok" : "MISS", what, value, most, unit);
    return met ? 0 : 1;
}

static int judge(const struct overload_opts *o, const struct overload_result *r)
{
    double cap_kib = (double)o->bytes_max / 1024;
    int missed = 0;

    missed += goal("memory over that before the load",
                   (double)(r->rss_high_kib - r->rss_before_kib), cap_kib * 1.1, "KiB");
    missed += goal("admitted p99, against p99 at capacity", r->overload.p99_ms / r->capacity.p99_ms,
                   2, "times");
    missed += goal("refused p99", r->overload.refused_p99_ms, 10, "ms");
    missed += goal("until nothing was in flight any more", r->recovery_s, 5, "s");
    missed += goal("afterwards, p99 against that at capacity", r->after.p99_ms / r->capacity.p99_ms,
                   1.5, "times");
    missed += goal("calls that never ended", (double)r->lost, 0, "");
    return missed;
}

int bench_overload(int seconds, int64_t queue_ms)
{
    struct overload_opts o = { .concurrency = 32,
                               .service_ms = 20,
                               .queue_ms = queue_ms,
                               .payload = (size_t)32 * 1024,
                               .factor = 4,
                               .seconds = seconds,
                               .bytes_max = (size_t)16 << 20 };
    struct overload_result r;

    printf("a service of %u calls at once, %lld ms each, queue_ms %lld; %zu bytes a call, %zu MiB "
           "in all; %.0f times the load for %d s\n",
           o.concurrency, (long long)o.service_ms, (long long)o.queue_ms, o.payload,
           o.bytes_max >> 20, o.factor, o.seconds);
    if (!overload_run(&o, &r))
        return 1;
    printf("%-9s %8s %8s %8s %6s  %8s  %7s %7s %7s  %7s %7s\n", "", "offered", "admitted",
           "refused", "other", "ops/s", "p50 ms", "p99 ms", "max ms", "ref p99", "ref max");
    row("capacity", &r.capacity);
    row("overload", &r.overload);
    row("after", &r.after);
    printf(
        "refused by mailbox_max %llu, queue_ms %llu, bytes_max %llu; mailbox high %llu; bytes high "
        "%llu\n",
        (unsigned long long)r.stats.refused_mailbox, (unsigned long long)r.stats.refused_queue_ms,
        (unsigned long long)r.stats.refused_bytes, (unsigned long long)r.stats.mailbox_high,
        (unsigned long long)r.stats.bytes_high);
    return judge(&o, &r) == 0 ? 0 : 1;
}
