/* SPDX-License-Identifier: Apache-2.0 */
/*
 * budget.h - what a run may use: a counted object that every call of the run refers to.
 *
 * It is made for the call whose options asked for it. Calls made by that call's handlers inherit
 * it, on fibers, on the blocking pool and in continuations alike, since they all have the call. A
 * call inside with options of its own gets a budget inside the other, and counts in both.
 */
#ifndef GR_RUNTIME_ACTOR_BUDGET_H
#define GR_RUNTIME_ACTOR_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>

#include <greenroom/call.h>

struct gri_budget {
    _Atomic uint32_t refs;
    struct gri_budget *outer;           /* counted; NULL: none */
    uint64_t calls_max, bytes_max;      /* UINT64_MAX: no limit */
    uint32_t depth_max;                 /* the deepest call that may be, from the run's root */
    _Atomic uint64_t calls, bytes_used; /* started so far; of arguments in flight */
};

static inline bool gri_budget_asked(const gr_call_opts *o)
{
    return (o->calls_max | o->bytes_max | o->depth_max) != 0;
}

/* gri_budget_new makes the budget of a call at `depth`; NULL: out of memory. */
struct gri_budget *gri_budget_new(const gr_call_opts *o, struct gri_budget *outer, uint32_t depth);
struct gri_budget *gri_budget_ref(struct gri_budget *b); /* NULL gives NULL, here and below */
void gri_budget_unref(struct gri_budget *b);

/* gri_budget_enter charges a call to b and those around it: NULL, or the error, when it is charged
 * to none. `counts` is false for the call that b was made for. gri_budget_leave gives the bytes
 * back. */
gr_value *gri_budget_enter(struct gri_budget *b, bool counts, uint32_t depth, uint32_t bytes);
void gri_budget_leave(struct gri_budget *b, uint32_t bytes);

#endif
