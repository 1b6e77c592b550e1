/* SPDX-License-Identifier: Apache-2.0 */
/* Every point at which a simulation may step in does step in. What belongs to the world outside is
 * counted where that is simulated: http_test.c, net_test.c. */
#include "tests/support/batches.h"
#include "tests/support/chains.h"
#include "tests/support/family.h"
#include "tests/support/ledger.h"

#include "tests/support/test.h"

static void everything(struct sim *s)
{
    ledger_play(s, GR_SIM_ALL);
}

/* block_play has many threads wanted at once: what fails while a runtime comes is never counted, as there is no
 * report of a simulation that did not begin. */
static gr_value *block(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    (void)args;
    gr_sleep(gr_runtime_of(c), 5);
    return gr_nil();
}

static const gr_method methods[] = { { "invoke", GR_BLOCKING, .fn = block } };
static const gr_class block_class = GR_CLASS(.name = "block", GR_METHODS(methods));

static void block_play(struct sim *s)
{
    gr_ref ref = gr_spawn(s->root, &block_class, NULL);
    gr_future *calls[24];

    for (size_t i = 0; i < 24; i++)
        calls[i] = gr_ainvoke(s->rt, ref, gr_nil(), NULL);
    for (size_t i = 0; i < 24; i++) {
        gr_await(calls[i], 60000);
        gr_future_free(calls[i]);
    }
}

static bool outside(const char *name)
{
    return strncmp(name, "HTTP_", 5) == 0 || strncmp(name, "NET_", 4) == 0 ||
           strncmp(name, "FILE_", 5) == 0;
}

Test(points, each_is_seen_to_fire)
{
    struct sim_sum sum = { 0 };
    const char *name, *what = NULL;
    unsigned counted = 0;

    sim_many(&sum, 50001, 800 * SIM_SHARE, GR_RUNTIME(.sim_faults = GR_SIM_ALL), everything);
    sim_many(&sum, 60001, 1000 * SIM_SHARE, GR_RUNTIME(.workers = 0), family_play);
    sim_many(&sum, 80001, 300 * SIM_SHARE, GR_RUNTIME(.workers = 0), batches_play);
    sim_many(&sum, 90001, 60 * SIM_SHARE, GR_RUNTIME(.workers = 0), chains_play);
    sim_many(&sum, 70001, 100 * SIM_SHARE, GR_RUNTIME(.workers = 1, .sim_faults = GR_SIM_THREADS),
             block_play);
    sim_all_well(&sum, 10);
    for (unsigned i = 0; (name = gr_sim_point(i, &what, NULL)) != NULL; i++) {
        fprintf(stderr, "%-16s %10llu  %s\n", name, (unsigned long long)sum.fired[i], what);
        if (outside(name))
            continue;
        cr_assert_gt(sum.fired[i], 0, "%s (%s) never fired", name, what);
        counted++;
    }
    cr_assert_geq(counted, 40);
}
