/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/actor/budget.h"

#include "runtime/base/alloc.h"

struct gri_budget *gri_budget_new(const gr_call_opts *o, struct gri_budget *outer, uint32_t depth)
{
    struct gri_budget *b = gri_new0(struct gri_budget);

    if (b == NULL)
        return NULL;
    atomic_init(&b->refs, 1);
    b->outer = gri_budget_ref(outer);
    b->calls_max = o->calls_max != 0 ? o->calls_max : UINT64_MAX;
    b->bytes_max = o->bytes_max != 0 ? o->bytes_max : UINT64_MAX;
    b->depth_max = UINT32_MAX;
    if (o->depth_max != 0 && o->depth_max < UINT32_MAX - depth)
        b->depth_max = depth - 1 + o->depth_max;
    return b;
}

struct gri_budget *gri_budget_ref(struct gri_budget *b)
{
    if (b != NULL)
        atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
    return b;
}

void gri_budget_unref(struct gri_budget *b)
{
    while (b != NULL && atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) == 1) {
        struct gri_budget *outer = b->outer;

        gri_free(b);
        b = outer;
    }
}

/* exceeded: GR_EFULL, since it is a bound, but final: the same run will not have more later. */
static gr_value *exceeded(const char *what, uint64_t max)
{
    return gr_error_with(
        gr_error(GR_EFULL, "the run's budget is used up: %s (%llu)", what, (unsigned long long)max),
        "kind", gr_str("budget"));
}

static gr_value *enter_one(struct gri_budget *b, bool counts, uint32_t depth, uint32_t bytes)
{
    if (depth > b->depth_max)
        return exceeded("calls nested too deep", b->depth_max);
    if (counts && atomic_fetch_add(&b->calls, 1) >= b->calls_max) {
        atomic_fetch_sub(&b->calls, 1);
        return exceeded("calls", b->calls_max);
    }
    if (atomic_fetch_add(&b->bytes_used, bytes) + bytes <= b->bytes_max)
        return NULL;
    atomic_fetch_sub(&b->bytes_used, bytes);
    if (counts)
        atomic_fetch_sub(&b->calls, 1);
    return exceeded("bytes in its calls", b->bytes_max);
}

gr_value *gri_budget_enter(struct gri_budget *b, bool counts, uint32_t depth, uint32_t bytes)
{
    gr_value *err = NULL;
    struct gri_budget *at;
    bool counted = counts;

    for (at = b; at != NULL; at = at->outer) {
        err = enter_one(at, counted, depth, bytes);
        counted = true; /* for those around it this is a call like any other */
        if (err != NULL)
            break;
    }
    if (err == NULL)
        return NULL;
    for (struct gri_budget *back = b; back != at; back = back->outer) {
        if (counts || back != b)
            atomic_fetch_sub(&back->calls, 1);
        atomic_fetch_sub(&back->bytes_used, bytes);
    }
    return err;
}

void gri_budget_leave(struct gri_budget *b, uint32_t bytes)
{
    for (; b != NULL && bytes != 0; b = b->outer)
        atomic_fetch_sub(&b->bytes_used, bytes);
}
