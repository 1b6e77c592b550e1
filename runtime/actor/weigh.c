/* SPDX-License-Identifier: Apache-2.0 */
/* weigh.c - what messages count for of the runtime's bytes_max. See call.h. */
#include "runtime/actor/call.h"

#include "runtime/actor/runtime_impl.h"

uint32_t gri_message_weigh(const gr_value *v)
{
    size_t bytes = gri_value_bytes(v);

    return bytes < UINT32_MAX ? (uint32_t)bytes : UINT32_MAX;
}

void gri_charge_some(gr_runtime *rt, int64_t bytes)
{
    gri_meter_add(rt->sched.ledger, GRI_METER_BYTES, bytes);
}

bool gri_bytes_fit(gr_runtime *rt, uint32_t bytes)
{
    const struct gri_ledger *l = rt->sched.ledger;

    return bytes == 0 || bytes > l->meter[GRI_METER_BYTES].max ||
           gri_meter_has_room(l, GRI_METER_BYTES, bytes);
}

gr_code gri_check_some(gr_runtime *rt, uint32_t bytes)
{
    struct gri_ledger *l = rt->sched.ledger;

    if (gri_meter_has_room(l, GRI_METER_BYTES, bytes))
        return GR_OK;
    gri_count(l, GRI_COUNT_REFUSED_BYTES, 1);
    return bytes > l->meter[GRI_METER_BYTES].max ? GR_ENOMEM : GR_EFULL;
}
