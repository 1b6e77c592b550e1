/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slots.h - a scenario of actors that end while they are called, in a registry with hardly a free slot: what
 * was meant for one of them must never reach the next in its slot.
 */
#ifndef GR_TESTS_SUPPORT_SLOTS_H
#define GR_TESTS_SUPPORT_SLOTS_H

#include "tests/support/simulate.h"

enum { SLOT_ROUNDS = 100, SLOT_POKES = 8, SLOTS = 2 };

static struct sim *slots_sim;
static gr_ref slots_victim;
static int64_t slots_number; /* of the victim */

/* Each incarnation knows its number, and each call says whom it means. */
static gr_value *victim_invoke(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    sim_check(slots_sim, gr_as_int(args, -1) == gr_as_int(gr_args(c), -2),
              "a call meant for actor %d reached actor %d", (int)gr_as_int(args, -1),
              (int)gr_as_int(gr_args(c), -2));
    return gr_nil();
}

static const gr_method victim_methods[] = { { "invoke", GR_ASYNC, victim_invoke, NULL } };
static const gr_class victim_class =
    GR_CLASS(.name = "victim", .state_size = 8, GR_METHODS(victim_methods));

static gr_value *poke(gr_ctx *c, void *self, const gr_value *args)
{
    gr_ref whom = slots_victim;
    int64_t number = slots_number;

    (void)self, (void)args;
    for (int i = 0; i < SLOT_POKES; i++)
        gr_detach(gr_ainvoke(gr_runtime_of(c), whom, gr_int(number), NULL));
    return gr_nil();
}

static const gr_method poker_methods[] = { { "invoke", GR_ASYNC, poke, NULL } };
static const gr_class poker_class = GR_CLASS(.name = "poker", GR_METHODS(poker_methods));

static void slots_play(struct sim *s)
{
    gr_ref poker = gr_spawn(s->root, &poker_class, NULL);

    slots_sim = s;
    for (int64_t i = 0; i < SLOT_ROUNDS && s->complaint[0] == '\0'; i++) {
        gr_future *f[2];
        gr_ref next;

        while ((next = gr_spawn(s->root, &victim_class, GR_SPAWN(.args = gr_int(i)))).node == 0)
            gr_sim_advance(s->rt, 0); /* until the slot is free */
        slots_victim = next;
        slots_number = i;
        for (int k = 0; k < 2; k++)
            f[k] = gr_ainvoke(s->rt, poker, gr_nil(), NULL);
        if (sim_roll(s, 2) == 0)
            gr_sim_advance(s->rt, 0);
        gr_stop(s->rt, slots_victim);
        if (sim_roll(s, 4) == 0) /* else the next victim comes while the pokers are at it */
            gr_await(f[0], -1);
        gr_detach(f[0]);
        gr_detach(f[1]);
    }
    gr_sim_heal();
    gr_sim_advance(s->rt, 1000);
    sim_check(s, gr_check(s->rt, poker) == NULL, "the poker is gone");
}

#endif
