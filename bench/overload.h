/* SPDX-License-Identifier: Apache-2.0 */
/*
 * overload.h - a service under more load than it can bear: what is admitted, what is refused, and
 * how long either takes.
 *
 * The service is like a model server: `concurrency` calls at once, each of which takes service_ms
 * without using the processor. First as many callers as it can serve call it one after another:
 * that is its capacity. Then calls come at `factor` times that rate, whether it answers or not.
 * Then it is left alone for a moment, and asked again as at first.
 */
#ifndef GR_BENCH_OVERLOAD_H
#define GR_BENCH_OVERLOAD_H

#include <greenroom/greenroom.h>
#include <greenroom/stats.h>

struct overload_opts {
    unsigned concurrency;
    size_t mailbox_max;           /* 0: the default */
    int64_t service_ms, queue_ms; /* queue_ms 0: mailbox_max alone bounds the wait */
    size_t payload;               /* bytes of each call's argument */
    double factor;
    long burst; /* calls offered at once when the load begins, besides */
    int seconds;
    size_t bytes_max;
};

struct overload_phase {
    long offered, admitted, refused, other; /* other: failed with anything but GR_EFULL */
    double seconds, rate;                   /* of admitted */
    double p50_ms, p99_ms, max_ms;          /* of admitted */
    double refused_p99_ms, refused_max_ms;
};

struct overload_result {
    struct overload_phase capacity, overload, after;
    double recovery_s;                 /* from the end of the load until nothing is in flight */
    long rss_before_kib, rss_high_kib; /* before the load, and its highest during it */
    gr_stats stats;
    long lost; /* futures that never completed */
};

/* overload_run does all of it; false: it could not be set up. */
bool overload_run(const struct overload_opts *o, struct overload_result *ret);

#endif
