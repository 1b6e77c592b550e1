/* SPDX-License-Identifier: Apache-2.0 */
/* Links, monitors and exits, in any order that a thousand seeds come up with. */
#include "tests/support/family.h"

#include "tests/support/test.h"

Test(family, everybody_is_told_once)
{
    struct sim_sum sum = { 0 };

    sim_many(&sum, 40001, 1000, GR_RUNTIME(.workers = 0), family_play);
    sim_all_well(&sum, 1000);
}
