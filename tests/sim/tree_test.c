/* SPDX-License-Identifier: Apache-2.0 */
/* A supervisor and its children, in any order that a thousand seeds come up with. */
#include "tests/support/tree.h"

#include "tests/support/test.h"

Test(tree, starts_and_stops_in_order)
{
    struct sim_sum sum = { 0 };

    sim_many(&sum, 70001, 1000, GR_RUNTIME(.workers = 0), tree_play);
    sim_all_well(&sum, 1000);
}
