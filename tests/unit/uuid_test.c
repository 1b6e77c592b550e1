/* SPDX-License-Identifier: Apache-2.0 */
/* uuid_test.c - the ids of runs: RFC 9562's version 7. */
#include <string.h>

#include "runtime/observe/uuid.h"
#include "tests/support/test.h"

Test(uuid, has_its_time_version_variant_and_chance)
{
    char id[GRI_UUID_BYTES];

    gri_uuid7(id, UINT64_C(0x0123456789ab), UINT64_C(0xfffffffffffffcde),
              UINT64_C(0xffffffffffffffff));
    cr_assert_str_eq(id, "01234567-89ab-7cde-bfff-ffffffffffff");
    gri_uuid7(id, UINT64_C(0xfedcba987654), 0, 0);
    cr_assert_str_eq(id, "fedcba98-7654-7000-8000-000000000000");
    gri_uuid7(id, 0, UINT64_C(0x9af), UINT64_C(0x0123456789abcdef) << 2);
    cr_assert_str_eq(id, "00000000-0000-79af-8123-456789abcdef");
}
