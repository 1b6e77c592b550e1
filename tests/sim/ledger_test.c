/* SPDX-License-Identifier: Apache-2.0 */
/* The scenario that keeps books, under a thousand seeds and every class of faults. */
#include "tests/support/ledger.h"
#include "tests/support/slots.h"

#include "tests/support/test.h"

static void turns(struct sim *s)
{
    ledger_play(s, GR_SIM_SCHED | GR_SIM_TIME);
}

static void bounds(struct sim *s)
{
    ledger_play(s, GR_SIM_SCHED | GR_SIM_TIME | GR_SIM_FULL | GR_SIM_THREADS);
}

static void memory(struct sim *s)
{
    ledger_play(s, GR_SIM_SCHED | GR_SIM_TIME | GR_SIM_MEMORY);
}

Test(ledger, balances_in_any_order)
{
    struct sim_sum sum = { 0 };

    sim_many(&sum, 1, 500, GR_RUNTIME(.sim_faults = GR_SIM_SCHED | GR_SIM_TIME), turns);
    sim_all_well(&sum, 1000);
}

Test(ledger, balances_when_bounds_are_reached)
{
    struct sim_sum sum = { 0 };

    sim_many(&sum, 10001, 300,
             GR_RUNTIME(.sim_faults = GR_SIM_SCHED | GR_SIM_TIME | GR_SIM_FULL | GR_SIM_THREADS),
             bounds);
    sim_all_well(&sum, 100);
}

Test(ledger, balances_when_memory_runs_out)
{
    struct sim_sum sum = { 0 };

    sim_many(&sum, 20001, 300, GR_RUNTIME(.sim_faults = GR_SIM_SCHED | GR_SIM_TIME | GR_SIM_MEMORY),
             memory);
    sim_all_well(&sum, 100);
}

Test(slots, nobody_gets_what_was_meant_for_the_one_before)
{
    struct sim_sum sum = { 0 };

    sim_many(&sum, 30001, 1000, GR_RUNTIME(.actors_max = SLOTS), slots_play);
    sim_all_well(&sum, 1000);
}
