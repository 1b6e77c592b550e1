/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim_chance.c - what a seed decides: how often what happens, and each single draw.
 *
 * Every seed has a character of its own: one preempts at every fourth point, another hardly ever;
 * one has half the faults often, another the other half rarely. Histories that are alike in nothing
 * find more than many that are alike on average.
 */
#include "runtime/sched/sim.h"

#define HALF 32768u

struct point_facts {
    const char *name;
    enum gri_point_class class;
    const char *what;
};

static const struct point_facts points[GRI_POINT_COUNT] = {
#define X(name, class, what) { #name, GRI_##class, what },
    GRI_POINTS(X)
#undef X
};

static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static uint64_t draw64(struct gri_sim_chance *c)
{
    return mix(c->state += UINT64_C(0x9e3779b97f4a7c15));
}

uint64_t gri_sim_draw(struct gri_sim_chance *c, uint64_t below)
{
    return draw64(c) % below; /* the bias is of no interest here */
}

bool gri_sim_odds(struct gri_sim_chance *c, uint32_t of_65536)
{
    return of_65536 != 0 && (draw64(c) & 0xffff) < of_65536;
}

void gri_sim_record(struct gri_sim_chance *c, uint64_t what)
{
    c->hash = mix(c->hash ^ (what + UINT64_C(0x9e3779b97f4a7c15)));
}

/* rate_of draws how often a fault happens under this seed. What fails for good is rarer than what
 * only changes an order. */
static uint32_t rate_of(struct gri_sim_chance *c, enum gri_point_class class)
{
    static const uint32_t order[] = { 0, 256, 4096, 16384 };
    static const uint32_t failure[] = { 0, 0, 64, 1024, 6554 };
    static const uint32_t memory[] = { 0, 0, 16, 128, 1024 };

    switch (class) {
    case GRI_SCHED:
    case GRI_TIME: return order[gri_sim_draw(c, 4)];
    case GRI_MEMORY: return memory[gri_sim_draw(c, 5)];
    default: return failure[gri_sim_draw(c, 5)];
    }
}

void gri_sim_seed(struct gri_sim_chance *c, uint64_t seed, uint32_t faults)
{
    static const uint32_t preempt[] = { 0, 64, 1024, 8192, 24576 };
    static const uint32_t delay[] = { 0, 4, 64 };
    static const uint64_t step[] = { 100, 1000, 20000 };

    *c = (struct gri_sim_chance){ .seed = seed, .state = mix(seed), .hash = seed };
    c->policy = (enum gri_sim_policy)gri_sim_draw(c, GRI_SIM_POLICIES);
    c->preempt = (faults & GR_SIM_SCHED) != 0 ? preempt[gri_sim_draw(c, 5)] : 0;
    c->delay = (faults & GR_SIM_TIME) != 0 ? delay[gri_sim_draw(c, 3)] : 0;
    c->step_ns = step[gri_sim_draw(c, 3)];
    c->delay_ns = UINT64_C(1000000) << gri_sim_draw(c, 6);
    for (int i = 0; i < GRI_POINT_COUNT; i++)
        c->rates[i] = (faults >> points[i].class & 1) != 0 ? rate_of(c, points[i].class) : 0;
}

bool gri_sim_fault(struct gri_sim_chance *c, enum gri_point p)
{
    c->events++;
    if (c->healed || !gri_sim_odds(c, c->rates[p]))
        return false;
    c->fired[p]++;
    gri_sim_record(c, p);
    gri_sim_tell(p);
    return true;
}

/* ---- the public side ------------------------------------------------------------------------- */

gr_code gr_sim_report(gr_sim_info *ret_info)
{
    struct gri_sim *s = gri_sim_here();

    if (s == NULL || ret_info == NULL)
        return GR_EINVAL;
    ret_info->seed = s->chance.seed;
    ret_info->events = s->chance.events;
    ret_info->trace_hash = s->chance.hash;
    ret_info->now_ns = s->now_ns;
    return GR_OK;
}

const char *gr_sim_point(unsigned index, const char **ret_what, uint64_t *ret_fired)
{
    struct gri_sim *s = gri_sim_here();

    if (index >= GRI_POINT_COUNT)
        return NULL;
    if (ret_what != NULL)
        *ret_what = points[index].what;
    if (ret_fired != NULL)
        *ret_fired = s != NULL ? s->chance.fired[index] : 0;
    return points[index].name;
}

void gr_sim_heal(void)
{
    struct gri_sim *s = gri_sim_here();

    if (s != NULL)
        s->chance.healed = true;
}
