/* SPDX-License-Identifier: Apache-2.0 */
/*
 * batches.h - a scenario for simulate.h: batches whose items come back at once, late, from other workers, as
 * errors; with small windows, cancelled on their way. Each ends once, with as many answers as it had inputs.
 */
#ifndef GR_TESTS_SUPPORT_BATCHES_H
#define GR_TESTS_SUPPORT_BATCHES_H

#include "tests/support/simulate.h"

enum { BATCHES_ROUNDS = 12, BATCHES_ITEMS = 6 };

/* batches_item sleeps for so many ms; -1 fails. */
static gr_value *batches_item(gr_ctx *c, void *self, const gr_value *args)
{
    int64_t n = gr_as_int(args, 0);

    (void)self;
    if (n < 0)
        return gr_error(GR_EREMOTE, "failed");
    if (n > 0 && gr_sleep(gr_runtime_of(c), n) != GR_OK)
        return gr_error(GR_ECANCELED, "interrupted");
    return gr_int(n);
}

static const gr_method batches_methods[] = { { "invoke", GR_ASYNC, batches_item, NULL } };
static const gr_class batches_class = GR_CLASS(.name = "item", GR_METHODS(batches_methods));
static const gr_class batches_held =
    GR_CLASS(.name = "held", .state_size = 8, GR_METHODS(batches_methods));

static inline gr_value *batches_inputs(struct sim *s, size_t *ret_count)
{
    gr_value *items[BATCHES_ITEMS];
    size_t count = 1 + sim_roll(s, BATCHES_ITEMS);

    for (size_t i = 0; i < count; i++)
        items[i] = gr_int(sim_roll(s, 2) == 0 ? 0 : (int64_t)sim_roll(s, 4) - 1);
    *ret_count = count;
    return gr_list_n(items, count);
}

static inline void batches_play(struct sim *s)
{
    gr_ref to[2] = { gr_spawn(s->root, &batches_class, NULL),
                     gr_spawn(s->root, &batches_held, NULL) };
    gr_future *f[BATCHES_ROUNDS];
    size_t counts[BATCHES_ROUNDS];

    for (int i = 0; i < BATCHES_ROUNDS; i++) {
        gr_value *config = gr_map(GR_KV("max_concurrency", gr_int((int64_t)sim_roll(s, 4))));

        f[i] = gr_abatch(s->rt, to[sim_roll(s, 2)], batches_inputs(s, &counts[i]),
                         GR_CALL(.config = config));
        if (sim_roll(s, 4) == 0)
            gr_future_cancel(f[sim_roll(s, (uint64_t)i + 1)]);
        if (sim_roll(s, 3) == 0)
            gr_sim_advance(s->rt, (int64_t)sim_roll(s, 3));
    }
    for (int i = 0; i < BATCHES_ROUNDS; i++) {
        gr_outcome o = gr_await(f[i], 60000);

        sim_check(s, o.code != GR_EPENDING, "batch %d does not end", i);
        sim_check(s, o.code != GR_OK || gr_len(o.value) == counts[i],
                  "batch %d: answers are missing", i);
        gr_future_free(f[i]);
    }
}

#endif
