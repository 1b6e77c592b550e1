/* SPDX-License-Identifier: Apache-2.0 */
/* Batches, in any order that many seeds come up with. */
#include "tests/support/batches.h"

#include "tests/support/test.h"

Test(batch, each_ends_once_with_all_of_its_answers)
{
    struct sim_sum sum = { 0 };

    sim_many(&sum, 80001, 1500, GR_RUNTIME(.workers = 0, .sim_faults = GR_SIM_SCHED | GR_SIM_TIME),
             batches_play);
    sim_all_well(&sum, 300);
}
