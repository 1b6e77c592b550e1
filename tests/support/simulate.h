/* SPDX-License-Identifier: Apache-2.0 */
/*
 * simulate.h - one scenario under many seeds: for each a simulated runtime, the scenario, healing,
 * and what must hold at the end of each: nothing leaks, nothing is left behind, one seed is one
 * history.
 *
 * A scenario is a function that is given the runtime and a dice of its own (drawn from the seed too). It
 * complains by sim_complain, which names the seed, so that one can be run alone:
 *     GR_SIM_SEED=123 build/release/tests/sim/sim_NOUN_test --filter suite/test
 * GR_SIM_SEEDS changes how many are run.
 */
#ifndef GR_TESTS_SUPPORT_SIMULATE_H
#define GR_TESTS_SUPPORT_SIMULATE_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <greenroom/greenroom.h>

#include "tests/support/memory.h"

#define SIM_POINTS_MAX 128

/* What one seed needs: the runtime, its dice, and what went wrong first. */
struct sim {
    gr_runtime *rt;
    gr_scope *root;
    uint64_t seed, dice;
    char complaint[256];
    gr_sim_info info; /* of the whole run, filled in when it is over */
};

typedef void sim_scenario(struct sim *s);

/* What many seeds came to. */
struct sim_sum {
    uint64_t seeds, events_least, events_all;
    uint64_t fired[SIM_POINTS_MAX];
    uint64_t bad_seed; /* the first that complained; 0: none */
    char complaint[256];
};

__attribute__((format(printf, 2, 3))) static inline void sim_complain(struct sim *s,
                                                                      const char *format, ...)
{
    va_list ap;

    if (s->complaint[0] != '\0')
        return;
    va_start(ap, format);
    vsnprintf(s->complaint, sizeof(s->complaint), format, ap);
    va_end(ap);
}

#define sim_check(s, cond, ...)                                                                    \
    do {                                                                                           \
        if (!(cond))                                                                               \
            sim_complain(s, __VA_ARGS__);                                                          \
    } while (0)

/* sim_roll draws a number below n. */
static inline uint64_t sim_roll(struct sim *s, uint64_t n)
{
    uint64_t x = s->dice += UINT64_C(0x9e3779b97f4a7c15);

    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (x ^ (x >> 31)) % n;
}

static struct sim *sim_now; /* for the log hook and handlers */

/* The library warns when it has to leave something behind. */
static inline void sim_log(void *arg, int level, const char *text)
{
    (void)arg;
    if (level <= 1 && sim_now != NULL && strstr(text, "left behind") != NULL)
        sim_complain(sim_now, "%s", text);
}

static inline void sim_count_points(struct sim_sum *sum)
{
    for (unsigned i = 0; i < SIM_POINTS_MAX; i++) {
        uint64_t fired = 0;

        if (gr_sim_point(i, NULL, &fired) == NULL)
            break;
        sum->fired[i] += fired;
    }
}

/* sim_once runs one seed. */
static inline void sim_once(struct sim *s, uint64_t seed, const gr_runtime_opts *opts,
                            sim_scenario *scenario, struct sim_sum *sum)
{
    gr_runtime_opts o = *opts;
    long before = test_memory_live();
    gr_code rc;

    *s = (struct sim){ .seed = seed, .dice = seed };
    sim_now = s;
    o.size = sizeof(o);
    o.sim_seed = seed;
    /* the shape of the machine is the seed's as well */
    if (o.workers == 0)
        o.workers = 1 + (unsigned)sim_roll(s, 3);
    rc = gr_runtime_new(&o, &s->rt);
    if (rc != GR_OK) {
        sim_check(s, rc == GR_ENOMEM && (o.sim_faults & (GR_SIM_MEMORY | GR_SIM_THREADS)) != 0,
                  "no runtime: %s", gr_code_name(rc));
        return;
    }
    s->root = gr_root(s->rt);
    scenario(s);
    gr_sim_heal();
    gr_sim_report(&s->info);
    if (sum != NULL)
        sim_count_points(sum);
    gr_runtime_free(s->rt);
    sim_check(s, test_memory_live() == before, "%ld blocks leaked", test_memory_live() - before);
    sim_now = NULL;
}

/* Under a sanitizer a seed takes ten times as long. */
#ifdef GR_TEST_PLAIN
#define SIM_SHARE 8
#else
#define SIM_SHARE 1
#endif

/* sim_many runs seeds from `first` on; every 50th twice, which must be the same history. It stops at
 * the first complaint. */
static inline void sim_many(struct sim_sum *sum, uint64_t first, uint64_t count,
                            const gr_runtime_opts *opts, sim_scenario *scenario)
{
    const char *one = getenv("GR_SIM_SEED"), *many = getenv("GR_SIM_SEEDS");
    struct sim s, again;

    count /= SIM_SHARE;
    if (many != NULL)
        count = strtoull(many, NULL, 0);
    if (one != NULL) {
        first = strtoull(one, NULL, 0);
        count = 1;
    }
    gr_set_log(sim_log, NULL, 1);
    for (uint64_t seed = first; seed < first + count && sum->bad_seed == 0; seed++) {
        sim_once(&s, seed, opts, scenario, sum);
        if (seed % 50 == 0 || one != NULL) {
            sim_once(&again, seed, opts, scenario, NULL);
            sim_check(&s, again.info.trace_hash == s.info.trace_hash,
                      "the same seed gave another history: %llx, %llx",
                      (unsigned long long)s.info.trace_hash,
                      (unsigned long long)again.info.trace_hash);
        }
        sum->seeds++;
        sum->events_all += s.info.events;
        if (s.info.events != 0 && (sum->events_least == 0 || s.info.events < sum->events_least))
            sum->events_least = s.info.events;
        if (s.complaint[0] != '\0') {
            sum->bad_seed = seed;
            memcpy(sum->complaint, s.complaint, sizeof(sum->complaint));
        }
    }
    gr_set_log(NULL, NULL, 0);
}

/* sim_all_well is how a test ends: no seed complained, and each had events enough to mean
 * something. */
#define sim_all_well(sum, events)                                                                  \
    do {                                                                                           \
        cr_assert_eq((sum)->bad_seed, 0, "seed %llu: %s", (unsigned long long)(sum)->bad_seed,     \
                     (sum)->complaint);                                                            \
        cr_assert_gt((sum)->events_least, (events), "a seed of only %llu events",                  \
                     (unsigned long long)(sum)->events_least);                                     \
    } while (0)

#endif
