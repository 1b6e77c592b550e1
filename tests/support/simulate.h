/* SPDX-License-Identifier: Apache-2.0 */
/*
 * simulate.h - one scenario under many seeds, and what must hold at the end of each: nothing leaks, nothing is
 * left behind, one seed is one history.
 *
 * A scenario of sim_many is given a runtime, which is healed and freed after it; one of sim_worlds makes the
 * runtimes that it wants, and calls sim_note before it frees the last. Both have a dice of their own (drawn from
 * the seed too) and complain by sim_complain, which names the seed, so that one can be run alone:
 *     GR_SIM_SEED=123 build/release/tests/sim/sim_NOUN_test --filter suite/test
 * GR_SIM_SEEDS changes how many are run.
 */
#ifndef GR_TESTS_SUPPORT_SIMULATE_H
#define GR_TESTS_SUPPORT_SIMULATE_H

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <greenroom/greenroom.h>

#include "tests/support/memory.h"

#define SIM_POINTS_MAX 160

/* What one seed is run with, and what comes of it. */
struct sim {
    gr_runtime *rt; /* of sim_many, with its root */
    gr_scope *root;
    uint64_t seed, dice;
    unsigned faults;     /* of sim_worlds: what the scenario makes its runtimes with */
    char complaint[300]; /* the first */
    gr_sim_info info;    /* sim_note's, as fired */
    uint64_t fired[SIM_POINTS_MAX];
};

typedef void sim_scenario(struct sim *s);

/* What many seeds came to. */
struct sim_sum {
    uint64_t seeds, events_least, events_all;
    uint64_t fired[SIM_POINTS_MAX];
    uint64_t bad_seed; /* the first that complained; 0: none */
    char complaint[300];
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

/* sim_note takes the simulation's report down, while there is one. */
static inline void sim_note(struct sim *s)
{
    if (gr_sim_report(&s->info) != GR_OK)
        return;
    for (unsigned i = 0; i < SIM_POINTS_MAX && gr_sim_point(i, NULL, &s->fired[i]) != NULL; i++)
        continue;
}

static struct sim *sim_now; /* for the hooks */

/* The library warns when it has to leave something behind. */
static inline void sim_log(void *arg, int level, const char *text)
{
    (void)arg;
    if (level <= 1 && sim_now != NULL && strstr(text, "left behind") != NULL)
        sim_complain(sim_now, "%s", text);
}

/* ---- one seed -------------------------------------------------------------------------------- */

/* sim_once runs one seed with a runtime. */
static inline void sim_once(struct sim *s, uint64_t seed, const gr_runtime_opts *opts,
                            sim_scenario *scenario)
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
    sim_note(s);
    gr_runtime_free(s->rt);
    sim_check(s, test_memory_live() == before, "%ld blocks leaked", test_memory_live() - before);
    sim_now = NULL;
}

#define SIM_WORLD_SECONDS 30 /* real ones, for one seed: far more than any needs */

/* A world that does not end would say nothing of itself. */
static inline void sim_hangs(int signal)
{
    (void)signal;
    fprintf(stderr, "seed %llu does not end\n",
            (unsigned long long)(sim_now != NULL ? sim_now->seed : 0));
    abort();
}

/* sim_world runs one seed whose scenario makes its own runtimes. */
static inline void sim_world(struct sim *s, uint64_t seed, unsigned faults, sim_scenario *scenario)
{
    long before = test_memory_live();

    *s = (struct sim){ .seed = seed, .dice = seed * 77, .faults = faults };
    sim_now = s;
    signal(SIGALRM, sim_hangs);
    alarm(SIM_WORLD_SECONDS);
    scenario(s);
    alarm(0);
    sim_now = NULL;
    sim_check(s, test_memory_live() == before, "%ld blocks leaked", test_memory_live() - before);
}

/* ---- many seeds ------------------------------------------------------------------------------ */

/* Under a sanitizer a seed takes several times as long, a world of several nodes more. */
#ifdef GR_TEST_PLAIN
#define SIM_SHARE 2
#define SIM_WORLD_SHARE 8
#else
#define SIM_SHARE 1
#define SIM_WORLD_SHARE 1
#endif

/* sim_range lets the environment say which seeds are run. true: one alone. */
static inline bool sim_range(uint64_t *first, uint64_t *count)
{
    const char *one = getenv("GR_SIM_SEED"), *many = getenv("GR_SIM_SEEDS");

    if (many != NULL)
        *count = strtoull(many, NULL, 0);
    if (one != NULL) {
        *first = strtoull(one, NULL, 0);
        *count = 1;
    }
    return one != NULL;
}

static inline void sim_same(struct sim *s, const struct sim *again)
{
    sim_check(s,
              again->info.trace_hash == s->info.trace_hash && again->info.events == s->info.events,
              "the same seed gave another history: %llx, %llx",
              (unsigned long long)s->info.trace_hash, (unsigned long long)again->info.trace_hash);
}

static inline void sim_add_up(struct sim_sum *sum, const struct sim *s)
{
    sum->seeds++;
    sum->events_all += s->info.events;
    if (s->info.events != 0 && (sum->events_least == 0 || s->info.events < sum->events_least))
        sum->events_least = s->info.events;
    for (unsigned i = 0; i < SIM_POINTS_MAX; i++)
        sum->fired[i] += s->fired[i];
    if (s->complaint[0] != '\0') {
        sum->bad_seed = s->seed;
        memcpy(sum->complaint, s->complaint, sizeof(sum->complaint));
    }
}

/* sim_many runs seeds from `first` on; every 50th twice, which must be the same history. It stops at
 * the first complaint. */
static inline void sim_many(struct sim_sum *sum, uint64_t first, uint64_t count,
                            const gr_runtime_opts *opts, sim_scenario *scenario)
{
    struct sim s, again;
    bool alone;

    count /= SIM_SHARE;
    alone = sim_range(&first, &count);
    gr_set_log(sim_log, NULL, 1);
    for (uint64_t seed = first; seed < first + count && sum->bad_seed == 0; seed++) {
        sim_once(&s, seed, opts, scenario);
        if (seed % 50 == 0 || alone) {
            sim_once(&again, seed, opts, scenario);
            sim_same(&s, &again);
        }
        sim_add_up(sum, &s);
    }
    gr_set_log(NULL, NULL, 0);
}

/* sim_worlds does the same with scenarios that make their own runtimes; every 25th twice. */
static inline void sim_worlds(struct sim_sum *sum, uint64_t first, uint64_t count, unsigned faults,
                              sim_scenario *scenario)
{
    struct sim s, again;
    bool alone;

    count = (count + SIM_WORLD_SHARE - 1) / SIM_WORLD_SHARE;
    alone = sim_range(&first, &count);
    gr_set_log(sim_log, NULL, 1);
    for (uint64_t seed = first; seed < first + count && sum->bad_seed == 0; seed++) {
        sim_world(&s, seed, faults, scenario);
        if (seed % 25 == 0 || alone) {
            sim_world(&again, seed, faults, scenario);
            sim_same(&s, &again);
        }
        sim_add_up(sum, &s);
    }
    gr_set_log(NULL, NULL, 0);
}

/* ---- what they came to ----------------------------------------------------------------------- */

/* sim_all_well is how a test ends: no seed complained, and each had events enough to mean
 * something. */
#define sim_all_well(sum, events)                                                                  \
    do {                                                                                           \
        cr_assert_eq((sum)->bad_seed, 0, "seed %llu: %s", (unsigned long long)(sum)->bad_seed,     \
                     (sum)->complaint);                                                            \
        cr_assert_gt((sum)->events_least, (events), "a seed of only %llu events",                  \
                     (unsigned long long)(sum)->events_least);                                     \
    } while (0)

/* sim_enough: a few seeds need not show everything. */
static inline bool sim_enough(const struct sim_sum *sum)
{
    return sum->seeds >= 200;
}

/* sim_table prints how often each point whose name begins with prefix fired, and returns the name of one that
 * never did, though there were seeds enough; NULL: all did. */
static inline const char *sim_table(const struct sim_sum *sum, const char *prefix)
{
    const char *name, *what = NULL, *never = NULL;

    printf("%llu seeds, %llu events\n", (unsigned long long)sum->seeds,
           (unsigned long long)sum->events_all);
    for (unsigned i = 0; i < SIM_POINTS_MAX && (name = gr_sim_point(i, &what, NULL)) != NULL; i++) {
        if (strncmp(name, prefix, strlen(prefix)) != 0)
            continue;
        printf("  %-14s %8llu  %s\n", name, (unsigned long long)sum->fired[i], what);
        if (sum->fired[i] == 0 && sim_enough(sum))
            never = name;
    }
    return never;
}

#endif
