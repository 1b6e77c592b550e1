/* SPDX-License-Identifier: Apache-2.0 */
/*
 * addresses_test.c - a seed's run is the same wherever its memory lies, as it must be to be repeated by another
 * process: two runs with other blocks of the allocator's between them.
 */
#include <stdio.h>
#include <stdlib.h>

#include <greenroom/greenroom.h>
#include <greenroom/sim.h>

#include "tests/support/test.h"

#define TELLS 6000
#define SINKS 40
#define SEEDS 12

static gr_ref sinks[SINKS];
static long came;

static void sink_receive(gr_ctx *c, void *self, const gr_value *msg)
{
    (void)c, (void)self, (void)msg;
    came++;
}

static const gr_class sink_class =
    GR_CLASS(.name = "sink", .state_size = 8, .receive = sink_receive);

static void source_receive(gr_ctx *c, void *self, const gr_value *msg)
{
    (void)self, (void)msg;
    for (long i = 0; i < TELLS; i++)
        cr_assert_eq(gr_tell(gr_runtime_of(c), sinks[(i * 7 + i / 3) % SINKS], gr_int(i)), GR_OK);
}

static const gr_class source_class = GR_CLASS(.name = "source", .receive = source_receive);

static uint64_t play(uint64_t seed)
{
    gr_runtime *rt = NULL;
    gr_sim_info info;

    came = 0;
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2, .sim_seed = seed,
                                           .sim_faults = GR_SIM_SCHED, .mailbox_max = 100000),
                                &rt),
                 GR_OK);
    for (int i = 0; i < SINKS; i++)
        sinks[i] = gr_spawn(gr_root(rt), &sink_class, NULL);
    for (int i = 0; i < 2; i++)
        cr_assert_eq(gr_tell(rt, gr_spawn(gr_root(rt), &source_class, NULL), gr_nil()), GR_OK);
    gr_sim_advance(rt, 1000);
    gr_sim_report(&info);
    cr_assert_eq(came, 2 * TELLS);
    gr_runtime_free(rt);
    return info.trace_hash;
}

Test(addresses, the_same_seed_is_the_same_run_wherever_memory_lies)
{
    void *between[SEEDS];

    for (int seed = 0; seed < SEEDS; seed++) {
        uint64_t first = play((uint64_t)seed + 1);

        /* so that the next run's slabs lie elsewhere, at no multiple of what anything is found by */
        between[seed] = malloc(70000 + (size_t)seed * 4096 * 3);
        cr_assert_not_null(between[seed]);
        cr_assert_eq(play((uint64_t)seed + 1), first, "seed %d", seed + 1);
    }
    for (int seed = 0; seed < SEEDS; seed++)
        free(between[seed]);
}

/* ---- classes and verbs: where a linker puts them is nobody's choice --------------------------------- */

#define KINDS 24
#define PLACES 8

static gr_value *say(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c, (void)self;
    return gr_value_ref(args);
}

/* play_named has many classes, each with a verb of its own, which lie elsewhere for each place. */
static uint64_t play_named(uint64_t seed, unsigned place)
{
    static char names[KINDS][32 + 64 * PLACES];
    static gr_method methods[KINDS * PLACES][1];
    static gr_class classes[KINDS * PLACES];
    gr_runtime *rt = NULL;
    gr_sim_info info;

    cr_assert_eq(
        gr_runtime_new(GR_RUNTIME(.workers = 2, .sim_seed = seed, .sim_faults = GR_SIM_SCHED), &rt),
        GR_OK);
    for (int round = 0; round < 3; round++)
        for (unsigned i = 0; i < KINDS; i++) {
            unsigned at = i * PLACES + place * i % PLACES;
            char *name = names[i] + place * i * 5 % (64 * PLACES);
            gr_class *cls = &classes[at];
            gr_future *f;

            snprintf(name, 24, "verb_%u", i);
            methods[at][0] = (gr_method){ name, 0, .fn = say };
            *cls = (gr_class)GR_CLASS(.name = "named", .methods = methods[at], .method_count = 1);
            f = gr_acall(rt, gr_spawn(gr_root(rt), cls, NULL), name, gr_int((int64_t)i), NULL);
            cr_assert_eq(gr_await(f, 60000).code, GR_OK);
            gr_future_free(f);
        }
    gr_sim_report(&info);
    gr_runtime_free(rt);
    return info.trace_hash;
}

Test(addresses, the_same_seed_is_the_same_run_wherever_classes_and_names_lie)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        uint64_t first = play_named(seed, 0);

        for (unsigned place = 1; place < PLACES; place++)
            cr_assert_eq(play_named(seed, place), first, "seed %llu, place %u",
                         (unsigned long long)seed, place);
    }
}
