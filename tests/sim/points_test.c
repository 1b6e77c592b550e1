/* SPDX-License-Identifier: Apache-2.0 */
/* Every point at which a simulation may step in does step in. What belongs to the world outside is
 * counted where that is simulated: http_test.c, net_test.c. */
#include "tests/support/family.h"
#include "tests/support/ledger.h"

#include "tests/support/test.h"

static void everything(struct sim *s)
{
    ledger_play(s, GR_SIM_ALL);
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

    sim_many(&sum, 50001, 400 * SIM_SHARE, GR_RUNTIME(.sim_faults = GR_SIM_ALL), everything);
    sim_many(&sum, 60001, 200 * SIM_SHARE, GR_RUNTIME(.workers = 0), family_play);
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
