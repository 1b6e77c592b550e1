/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/actor/run_limit.h"

#include "runtime/actor/send.h"
#include "runtime/base/alloc.h"

static struct gri_run_limit *limit_new(uint32_t max)
{
    struct gri_run_limit *l = gri_new0(struct gri_run_limit);

    if (l == NULL)
        return NULL;
    atomic_init(&l->refs, 1);
    l->max = max;
    l->end = &l->first;
    return l;
}

struct gri_run_limit *gri_run_limit_ref(struct gri_run_limit *l)
{
    if (l != NULL)
        atomic_fetch_add_explicit(&l->refs, 1, memory_order_relaxed);
    return l;
}

void gri_run_limit_unref(struct gri_run_limit *l)
{
    if (l == NULL || atomic_fetch_sub_explicit(&l->refs, 1, memory_order_acq_rel) != 1)
        return;
    gri_assert(l->first == NULL && l->held == 0);
    gri_free(l);
}

/* max_of: 0, there is no limit. */
static uint32_t max_of(const gr_value *config)
{
    int64_t max = gr_as_int(gr_get(config, "max_concurrency"), 0);

    return max > 0 && max < UINT32_MAX ? (uint32_t)max : 0;
}

gr_code gri_run_limit_give(struct gri_call *call, const struct gri_call *parent, bool own)
{
    struct gri_run_limit *outer =
        parent != NULL ? gri_run_limit_of((struct gri_call *)parent) : NULL;
    uint32_t max = own ? max_of(call->config) : 0;
    struct gri_run_limit *l = outer;
    struct gri_call_more *more;

    if (max == 0 && outer == NULL)
        return GR_OK;
    more = gri_call_more(call);
    if (more == NULL)
        return GR_ENOMEM;
    if (max != 0 && (outer == NULL || max != outer->max)) {
        l = limit_new(max);
        if (l == NULL)
            return GR_ENOMEM;
    } else {
        gri_run_limit_ref(outer);
    }
    gri_run_limit_unref(more->limit);
    more->limit = l;
    return GR_OK;
}

bool gri_run_limit_enter_some(struct gri_call *call, struct gri_run_limit *l)
{
    struct gri_call_more *more = gri_call_has_more(call);
    bool enters;

    gri_lock(&l->lock);
    enters = more->permit == GRI_PERMIT_HELD || more->permit == GRI_PERMIT_GONE;
    if (!enters && l->first == NULL && l->held < l->max) {
        l->held++;
        more->permit = GRI_PERMIT_HELD;
        enters = true;
    }
    if (!enters) {
        more->permit = GRI_PERMIT_WAITS;
        more->permit_next = NULL;
        *l->end = call;
        l->end = &more->permit_next;
    }
    gri_unlock(&l->lock);
    return enters;
}

/* take_locked takes the first that waits, if it may go on. A shell goes in any case. */
static struct gri_call *take_locked(struct gri_run_limit *l)
{
    struct gri_call *call = l->first;
    struct gri_call_more *more = call != NULL ? gri_call_has_more(call) : NULL;

    if (call == NULL || (more->permit != GRI_PERMIT_GONE && l->held == l->max))
        return NULL;
    l->first = more->permit_next;
    if (l->first == NULL)
        l->end = &l->first;
    if (more->permit != GRI_PERMIT_GONE) {
        more->permit = GRI_PERMIT_HELD;
        l->held++;
    }
    return call;
}

/* pass lets calls go on as long as some may. One that ends at once leaves in the midst of this, and
 * finds `passing`: so this is a loop, not a recursion as deep as the queue is long. */
static void pass(struct gri_run_limit *l)
{
    struct gri_call *call;

    gri_lock(&l->lock);
    if (!l->passing) {
        l->passing = true;
        while ((call = take_locked(l)) != NULL) {
            gri_unlock(&l->lock);
            gri_call_dispatch(call);
            gri_lock(&l->lock);
        }
        l->passing = false;
    }
    gri_unlock(&l->lock);
}

void gri_run_limit_leave(struct gri_call *call, bool for_good)
{
    struct gri_call_more *more = gri_call_has_more(call);
    struct gri_run_limit *l = gri_run_limit_ref(more->limit);
    bool held;

    gri_lock(&l->lock);
    held = more->permit == GRI_PERMIT_HELD;
    if (held)
        l->held--;
    if (for_good)
        more->permit = GRI_PERMIT_GONE;
    else if (held)
        more->permit = GRI_PERMIT_NONE;
    gri_unlock(&l->lock);
    if (held)
        pass(l);
    gri_run_limit_unref(l);
}
