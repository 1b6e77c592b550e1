/* SPDX-License-Identifier: Apache-2.0 */
/*
 * timer.c - the wheel.
 *
 * A timer due in d ticks sits on level floor(log64 d), in the slot of its own time there. When the
 * wheel reaches the start of a slot of a higher level, the slot's timers move down (to where they
 * belong by then); those of level 0 fire. The bitmaps let the wheel jump over empty time.
 */
#include "runtime/sched/timer.h"

#include "runtime/base/assert.h"
#include "runtime/base/thread.h"

#define BITS 6
#define SPAN ((uint64_t)1 << (BITS * GRI_WHEEL_LEVELS)) /* ticks that fit */

void gri_wheel_init(struct gri_wheel *w, uint64_t now_ns)
{
    w->lock = (struct gri_lock){ 0 };
    w->now = now_ns >> GRI_TICK_SHIFT;
    w->stops = w->moves = 0;
    for (int l = 0; l < GRI_WHEEL_LEVELS; l++) {
        w->occupied[l] = 0;
        for (int i = 0; i < GRI_WHEEL_SLOTS; i++)
            gri_list_init(&w->slots[l][i]);
    }
    atomic_init(&w->next_ns, GRI_NEVER);
}

void gri_timer_init(struct gri_timer *t, void (*fire)(struct gri_timer *t))
{
    gri_list_init(&t->node);
    t->armed = false;
    t->fire = fire;
}

/* place puts an armed timer into its slot. A timer further away than the wheel's span waits in the
 * last slot that can be reached, and is placed again from there. */
static void place(struct gri_wheel *w, struct gri_timer *t)
{
    uint64_t due = t->tick;
    int level = 0;

    if (due <= w->now)
        due = w->now + 1;
    if (due - w->now >= SPAN)
        due = w->now + SPAN - 1;
    while ((due - w->now) >> (BITS * (level + 1)) != 0)
        level++;
    t->level = (uint8_t)level;
    t->slot = (due >> (BITS * level)) & (GRI_WHEEL_SLOTS - 1);
    gri_list_push(&w->slots[level][t->slot], &t->node);
    w->occupied[level] |= UINT64_C(1) << t->slot;
}

static void unplace(struct gri_wheel *w, struct gri_timer *t)
{
    gri_list_remove(&t->node);
    if (gri_list_empty(&w->slots[t->level][t->slot]))
        w->occupied[t->level] &= ~(UINT64_C(1) << t->slot);
}

/* next_tick returns the first tick at which some slot is due; GRI_NEVER when the wheel is empty. */
static uint64_t next_tick(const struct gri_wheel *w)
{
    uint64_t first = GRI_NEVER;

    for (int level = 0; level < GRI_WHEEL_LEVELS; level++) {
        uint64_t bits = w->occupied[level];
        uint64_t at = w->now >> (BITS * level);
        unsigned shift = (unsigned)(at + 1) & (GRI_WHEEL_SLOTS - 1);
        uint64_t tick;

        if (bits == 0)
            continue;
        if (shift != 0) /* bit 0 becomes the slot after the current one */
            bits = (bits >> shift) | (bits << (GRI_WHEEL_SLOTS - shift));
        tick = (at + 1 + (uint64_t)__builtin_ctzll(bits)) << (BITS * level);
        if (tick < first)
            first = tick;
    }
    return first;
}

static void publish_next(struct gri_wheel *w)
{
    uint64_t tick = next_tick(w);

    /* seq_cst: a sleeper stores its wake-up time and then reads this; an armer does the reverse */
    atomic_store(&w->next_ns, tick == GRI_NEVER ? GRI_NEVER : tick << GRI_TICK_SHIFT);
}

bool gri_wheel_arm(struct gri_wheel *w, struct gri_timer *t, uint64_t at_ns)
{
    bool earliest;

    gri_lock(&w->lock);
    gri_assert(!t->armed);
    t->armed = true;
    t->tick = (at_ns + ((UINT64_C(1) << GRI_TICK_SHIFT) - 1)) >> GRI_TICK_SHIFT;
    place(w, t);
    earliest = t->tick << GRI_TICK_SHIFT < atomic_load_explicit(&w->next_ns, memory_order_relaxed);
    if (earliest)
        publish_next(w);
    gri_unlock(&w->lock);
    return earliest;
}

bool gri_wheel_disarm(struct gri_wheel *w, struct gri_timer *t)
{
    bool was;

    gri_lock(&w->lock);
    was = t->armed;
    if (was) {
        unplace(w, t); /* next_ns may now be too early, which costs one look in vain */
        t->armed = false;
    }
    gri_unlock(&w->lock);
    return was;
}

/* run_slot empties one slot: timers that are due fire, the others move down. */
static unsigned run_slot(struct gri_wheel *w, int level, unsigned slot)
{
    struct gri_list due;
    struct gri_list *n;
    unsigned fired = 0;

    gri_list_init(&due);
    while ((n = gri_list_pop(&w->slots[level][slot])) != NULL)
        gri_list_push(&due, n);
    w->occupied[level] &= ~(UINT64_C(1) << slot);
    while ((n = gri_list_pop(&due)) != NULL) {
        struct gri_timer *t = gri_container_of(n, struct gri_timer, node);

        if (t->tick > w->now) {
            place(w, t);
            w->moves++;
            continue;
        }
        t->armed = false;
        t->fire(t);
        fired++;
    }
    return fired;
}

unsigned gri_wheel_run(struct gri_wheel *w, uint64_t now_ns)
{
    uint64_t target = now_ns >> GRI_TICK_SHIFT;
    unsigned fired = 0;

    gri_lock(&w->lock);
    for (;;) {
        uint64_t tick = next_tick(w);

        if (tick > target)
            break;
        w->now = tick;
        w->stops++;
        for (int level = GRI_WHEEL_LEVELS - 1; level >= 0; level--) {
            unsigned slot = (unsigned)(tick >> (BITS * level)) & (GRI_WHEEL_SLOTS - 1);
            uint64_t start = tick & ((UINT64_C(1) << (BITS * level)) - 1);

            if (start == 0 && (w->occupied[level] >> slot & 1) != 0)
                fired += run_slot(w, level, slot);
        }
    }
    if (target > w->now)
        w->now = target;
    publish_next(w);
    gri_unlock(&w->lock);
    return fired;
}
