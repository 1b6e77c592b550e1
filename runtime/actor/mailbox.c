/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/actor/mailbox.h"

void gri_mailbox_init(struct gri_actor *a, bool idle)
{
    a->ready = NULL;
    atomic_store(&a->inbox, idle ? GRI_IDLE : NULL);
}

void gri_mailbox_kick(struct gri_actor *a)
{
    struct gri_envelope *idle = GRI_IDLE;

    gri_point(GRI_AT_KICK);
    if (atomic_compare_exchange_strong(&a->inbox, &idle, NULL))
        gri_actor_ready_turn(a);
}
