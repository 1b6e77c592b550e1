/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that are moved out of their caller's scope, while somebody goes up past them, and while all ends. */
#include "runtime/base/thread.h"
#include "tests/support/chains.h"

#include "tests/support/test.h"

Test(detach, who_is_above_is_there)
{
    struct sim_sum sum = { 0 };

    sim_many(&sum, 90001, 400, GR_RUNTIME(.workers = 3, .sim_faults = GR_SIM_SCHED | GR_SIM_TIME),
             chains_play);
    sim_all_well(&sum, 100);
}

/* ---- a call can't be moved since all ends ---------------------------------------------------- */

static gr_value *patient_invoke(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self, (void)args;
    while (gr_sleep(gr_runtime_of(c), 600000) == GR_OK)
        continue;
    return gr_nil();
}

static gr_future *movable;
static bool moving;
static gr_ref mover, patient;

static void move(void)
{
    gr_future *f = movable;

    movable = NULL;
    moving = true;
    gr_detach(f);
}

static gr_value *mover_invoke(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c, (void)self, (void)args;
    move();
    return gr_nil();
}

/* await_mover takes a while at most: the mover may never begin. */
static void await_mover(void)
{
    for (int i = 0; i < 300 && !moving; i++)
        gri_cpu_relax();
}

/* It ends, and its run scope with it, while a mover takes a call out of that. */
static gr_value *passer_invoke(gr_ctx *c, void *self, const gr_value *args)
{
    gr_runtime *rt = gr_runtime_of(c);

    (void)self, (void)args;
    movable = gr_ainvoke(rt, patient, gr_nil(), NULL);
    gr_detach(gr_ainvoke(rt, mover, gr_nil(), GR_CALL(.scope = gr_root(rt))));
    await_mover();
    if (!moving)
        move();
    return gr_nil();
}

static const gr_method patient_methods[] = { { "invoke", GR_ASYNC, patient_invoke, NULL } };
static const gr_method passer_methods[] = { { "invoke", GR_ASYNC, passer_invoke, NULL } };
static const gr_method mover_methods[] = { { "invoke", GR_ASYNC, mover_invoke, NULL } };
static const gr_class patient_class = GR_CLASS(.name = "patient", GR_METHODS(patient_methods));
static const gr_class passer_class = GR_CLASS(.name = "passer", GR_METHODS(passer_methods));
static const gr_class mover_class = GR_CLASS(.name = "mover", GR_METHODS(mover_methods));

static void last_moves(struct sim *s)
{
    gr_runtime *rt = NULL;
    gr_ref passer;

    if (gr_runtime_new(GR_RUNTIME(.workers = 3, .sim_seed = s->seed, .sim_faults = s->faults),
                       &rt) != GR_OK)
        return;
    patient = gr_spawn(gr_root(rt), &patient_class, NULL);
    mover = gr_spawn(gr_root(rt), &mover_class, NULL);
    passer = gr_spawn(gr_root(rt), &passer_class, NULL);
    movable = NULL;
    moving = false;
    gr_detach(gr_ainvoke(rt, passer, gr_nil(), NULL));
    await_mover();
    sim_note(s);
    gr_runtime_free(rt);
}

Test(detach, what_can_not_be_moved_is_cancelled)
{
    struct sim_sum sum = { 0 };

    sim_worlds(&sum, 91001, 2000, GR_SIM_SCHED | GR_SIM_TIME, last_moves);
    sim_all_well(&sum, 1);
}
