/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seeds.h - one scenario of a whole simulated world under many seeds: it makes the runtimes it
 * wants, and frees them; then nothing may be left.
 *
 *     GR_SIM_SEED=123 build/release/tests/sim/sim_net_test   runs that seed alone, twice
 *     GR_SIM_SEEDS=5000 …                                    runs so many
 */
#ifndef GR_TESTS_SUPPORT_SEEDS_H
#define GR_TESTS_SUPPORT_SEEDS_H

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <greenroom/greenroom.h>

#include "tests/support/memory.h"
#include "tests/support/test.h"

#define SEEDS_POINTS 160
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SEEDS_SLOW true
#else
#define SEEDS_SLOW false
#endif

/* What one seed's run is given, and what it finds. */
struct seed_run {
    uint64_t seed, dice;
    unsigned faults;     /* of gr_sim_fault; what the scenario makes its runtimes with */
    char complaint[300]; /* the first */
    uint64_t hash, events;
    uint64_t fired[SEEDS_POINTS];
};

typedef void seed_scenario(struct seed_run *r);

/* What all runs of a test came to. */
struct seeds {
    uint64_t count, events;
    uint64_t fired[SEEDS_POINTS];
};

static struct seed_run *seed_now; /* for the log hook */

__attribute__((format(printf, 2, 3))) static inline void seed_complain(struct seed_run *r,
                                                                       const char *format, ...)
{
    va_list ap;

    if (r->complaint[0] != '\0')
        return;
    va_start(ap, format);
    vsnprintf(r->complaint, sizeof(r->complaint), format, ap);
    va_end(ap);
}

#define seed_check(r, cond, ...)                                                                   \
    do {                                                                                           \
        if (!(cond))                                                                               \
            seed_complain(r, __VA_ARGS__);                                                         \
    } while (0)

/* seed_roll draws a number below n, from the scenario's own dice. */
static inline uint64_t seed_roll(struct seed_run *r, uint64_t n)
{
    uint64_t x = r->dice += UINT64_C(0x9e3779b97f4a7c15);

    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (x ^ (x >> 31)) % n;
}

/* seed_note takes the simulation's report down; the scenario calls it while it has one. */
static inline void seed_note(struct seed_run *r)
{
    gr_sim_info info;

    if (gr_sim_report(&info) != GR_OK)
        return;
    r->hash = info.trace_hash;
    r->events = info.events;
    for (unsigned i = 0; i < SEEDS_POINTS && gr_sim_point(i, NULL, &r->fired[i]) != NULL; i++)
        continue;
}

static inline void seed_log(void *arg, int level, const char *text)
{
    (void)arg;
    if (level <= 1 && seed_now != NULL && strstr(text, "left behind") != NULL)
        seed_complain(seed_now, "%s", text);
}

#define SEED_SECONDS 30 /* real ones, for one run: far more than any needs */

/* A run that does not end would say nothing of itself. */
static inline void seed_hangs(int signal)
{
    (void)signal;
    fprintf(stderr, "seed %llu does not end\n",
            (unsigned long long)(seed_now != NULL ? seed_now->seed : 0));
    abort();
}

static inline void seed_once(struct seed_run *r, uint64_t seed, unsigned faults,
                             seed_scenario *scenario)
{
    long before = test_memory_live();

    *r = (struct seed_run){ .seed = seed, .dice = seed * 77, .faults = faults };
    seed_now = r;
    signal(SIGALRM, seed_hangs);
    alarm(SEED_SECONDS);
    scenario(r);
    alarm(0);
    seed_now = NULL;
    seed_check(r, test_memory_live() == before, "%ld blocks leaked", test_memory_live() - before);
}

/* seeds_run runs `count` seeds from `first` on, every 25th twice: that must be the same history. Under
 * a sanitizer it runs an eighth of them. */
static inline void seeds_run(struct seeds *all, uint64_t first, uint64_t count, unsigned faults,
                             seed_scenario *scenario)
{
    const char *one = getenv("GR_SIM_SEED"), *many = getenv("GR_SIM_SEEDS");
    struct seed_run r, again;

    if (SEEDS_SLOW)
        count = (count + 7) / 8;
    if (many != NULL)
        count = strtoull(many, NULL, 0);
    if (one != NULL) {
        first = strtoull(one, NULL, 0);
        count = 1;
    }
    gr_set_log(seed_log, NULL, 1);
    for (uint64_t seed = first; seed < first + count; seed++) {
        seed_once(&r, seed, faults, scenario);
        if (seed % 25 == 0 || one != NULL) {
            seed_once(&again, seed, faults, scenario);
            seed_check(&r, again.hash == r.hash && again.events == r.events,
                       "the same seed gave another history: %llu and %llu events",
                       (unsigned long long)r.events, (unsigned long long)again.events);
        }
        cr_assert(r.complaint[0] == '\0', "seed %llu: %s", (unsigned long long)seed, r.complaint);
        all->count++;
        all->events += r.events;
        for (unsigned i = 0; i < SEEDS_POINTS; i++)
            all->fired[i] += r.fired[i];
    }
    gr_set_log(NULL, NULL, 0);
}

/* seeds_enough: a few seeds need not show everything. */
static inline bool seeds_enough(const struct seeds *all)
{
    return all->count >= 200;
}

/* seeds_table prints how often each point whose name begins with prefix fired, and complains of
 * those that never did. */
static inline void seeds_table(const struct seeds *all, const char *prefix)
{
    const char *name, *what;

    printf("%llu seeds, %llu events\n", (unsigned long long)all->count,
           (unsigned long long)all->events);
    for (unsigned i = 0; i < SEEDS_POINTS && (name = gr_sim_point(i, &what, NULL)) != NULL; i++) {
        if (strncmp(name, prefix, strlen(prefix)) != 0)
            continue;
        printf("  %-14s %8llu  %s\n", name, (unsigned long long)all->fired[i], what);
        cr_assert(!seeds_enough(all) || all->fired[i] > 0, "%s never happened", name);
    }
}

#endif
