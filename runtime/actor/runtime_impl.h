/* SPDX-License-Identifier: Apache-2.0 */
/* runtime_impl.h - what a gr_runtime is made of. */
#ifndef GR_RUNTIME_ACTOR_RUNTIME_IMPL_H
#define GR_RUNTIME_ACTOR_RUNTIME_IMPL_H

#include <greenroom/runtime.h>

#include "runtime/actor/call.h"

#include "runtime/actor/klass.h"
#include "runtime/actor/later.h"
#include "runtime/actor/name.h"
#include "runtime/actor/registry.h"
#include "runtime/observe/run.h"

/* The reasons that the engine itself gives, made once: an end needs no memory. */
struct gri_reasons {
    gr_value *normal, *shutdown, *killed, *noproc, *noconnection;
};

/* Actors end all the time, on all workers, most of them for one of two reasons. So these two are not
 * counted where they are an actor's `reason`: gri_reason_hold and _drop are gr_value_ref and _unref for
 * that field. */
gr_value *gri_reason_hold(const gr_runtime *rt, const gr_value *reason);
void gri_reason_drop(const gr_runtime *rt, gr_value *reason GR_TAKES);

gr_code gri_reasons_init(struct gri_reasons *r);
void gri_reasons_fini(struct gri_reasons *r);

struct gr_runtime {
    struct gri_sched sched; /* first: see gri_sched_of */
    struct gri_registry registry;
    struct gri_klasses klasses;
    struct gri_verbs verbs;
    struct gr_scope root;
    uint64_t node; /* this start's random number; half of every ref */
    size_t mailbox_max;
    _Atomic int64_t mailbox_high; /* the most messages that one mailbox has held */
    struct gri_laters laters;
    int64_t shutdown_ms;
    unsigned isolated_max;
    struct gri_lock calls_lock; /* guards the two below */
    /* number -> gri_call, of those that gr_future_call has numbered */
    struct gri_map calls;
    uint64_t call_count;
    struct gri_names names;
    struct gri_reasons reasons;
    struct gri_run_trees run_trees;
    _Atomic uint64_t monitor_count; /* numbers given to monitors */
    _Atomic uint32_t root_gone;     /* 1: nobody refers to the root scope any more */
};

/* gri_runtime_defaults fills in what is zero; GR_EINVAL when something is out of range. */
gr_code gri_runtime_defaults(gr_runtime_opts *o);

#endif
