/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/actor/mailbox.h"

void gri_mailbox_init(struct gri_actor *a, uint64_t id, bool idle)
{
    uint64_t generation = id >> GRI_SLOT_BITS;
    union gri_two old = gri_twin_read(&a->inbox), to;

    a->ready = NULL;
    a->left = NULL;
    a->owed = a->owed_pins = 0;
    do {
        to.head = gri_inbox_head(generation << GRI_HEAD_BITS, idle ? GRI_IDLE : NULL);
        to.load = generation >> 16 << GRI_GENERATION_SHIFT;
        to.load += gri_load_pins(old.load) + GRI_PIN; /* its own */
    } while (!gri_twin_swap(&a->inbox, &old, to));
}

void gri_mailbox_close(struct gri_actor *a)
{
    union gri_two old = gri_twin_read(&a->inbox), to;

    do {
        to.head = gri_inbox_head(old.head, GRI_CLOSED);
        to.load = old.load - GRI_PIN + GRI_LOAD_DRAINED;
    } while (!gri_twin_swap(&a->inbox, &old, to));
}

void gri_mailbox_kick(struct gri_actor *a)
{
    gri_mailbox_kick_id(a, atomic_load(&a->id));
}

void gri_mailbox_kick_id(struct gri_actor *a, uint64_t id)
{
    union gri_two old = gri_twin_read(&a->inbox), to;

    gri_point(GRI_AT_KICK);
    do {
        if (gri_inbox_top(old.head) != GRI_IDLE || !gri_inbox_is(old, id))
            return;
        to.head = gri_inbox_head(old.head, NULL);
        to.load = old.load;
    } while (!gri_twin_swap(&a->inbox, &old, to));
    gri_actor_ready_turn(a);
}

enum gri_rest gri_mailbox_go_idle(struct gri_actor *a, bool drain)
{
    struct gri_envelope *left = a->left, *none = left;
    uint64_t debt = gri_actor_debt(a);
    uint16_t owed = a->owed, owed_pins = a->owed_pins;
    union gri_two old, to;
    bool over;

    /* from the step on another turn may run: what is the turn's own is put in order before */
    a->left = NULL;
    a->owed = a->owed_pins = 0;
    gri_actor_handled(a, owed);
    gri_point(GRI_AT_GO_IDLE);
    old = gri_twin_read(&a->inbox);
    do {
        if (gri_inbox_top(old.head) != none && !GRI_PLANTED(LOST_MESSAGE)) {
            a->left = left;
            a->owed = owed;
            a->owed_pins = owed_pins;
            gri_actor_handled(a, -(uint64_t)owed); /* they are given back later */
            return GRI_SOMETHING_CAME;
        }
        to.load = old.load - debt;
        if (drain && (to.load & GRI_LOAD_DRAINED) == 0)
            to.load += GRI_LOAD_DRAINED - GRI_PIN;
        over = GRI_LOAD_OVER(to.load);
        to.head = gri_inbox_head(old.head, over ? GRI_CLOSED : GRI_IDLE);
    } while (!gri_twin_swap(&a->inbox, &old, to));
    if (left != NULL)
        gri_tell_discard(left);
    if (over)
        return GRI_OVER;
    if (debt != 0)
        gri_actor_look_for_room(a, to.load);
    return GRI_WENT_IDLE;
}
