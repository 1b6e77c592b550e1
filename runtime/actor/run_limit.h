/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run_limit.h - max_concurrency: how much of a run's work may be under way at once, at any depth.
 *
 * A counted object that every call of the run refers to, made where a config gives the number. What
 * counts is leaf work: a call whose handler may take long, of a stateless actor, for as long as it
 * has called nothing itself. So who waits for calls that he has made never keeps them from
 * beginning, and batches in batches end under a limit of 1. What doesn't count:
 *
 *   compositions, which only wait; cheap code, which never does;
 *   calls with an input stream: what feeds them may need to go on before they do;
 *   actors with state, which handle one message at a time anyway, and actors with a
 *   max_concurrency of their own: a call that waits in a mailbox must not keep a permit.
 *
 * A call that gets no permit waits here, pinned to its actor, QUEUED, and goes on by
 * gri_call_dispatch. If it is cancelled meanwhile it is GONE, and a shell that is thrown away when
 * its turn comes.
 */
#ifndef GR_RUNTIME_ACTOR_RUN_LIMIT_H
#define GR_RUNTIME_ACTOR_RUN_LIMIT_H

#include "runtime/actor/call.h"

enum gri_permit { GRI_PERMIT_NONE, GRI_PERMIT_WAITS, GRI_PERMIT_HELD, GRI_PERMIT_GONE };

struct gri_run_limit {
    _Atomic uint32_t refs;
    struct gri_lock lock; /* guards all below, and the calls' permit and permit_next */
    uint32_t max, held;
    bool passing;                  /* somebody lets calls go on: he sees to those that come too */
    struct gri_call *first, **end; /* those that wait, oldest first; each has its pin */
};

struct gri_run_limit *gri_run_limit_ref(struct gri_run_limit *l); /* NULL gives NULL */
void gri_run_limit_unref(struct gri_run_limit *l);

/* gri_run_limit_give has a call, and those that it makes, obey its config's max_concurrency, if that
 * is another one than `outer` says; else what its parent obeys. GR_OK, GR_ENOMEM. */
gr_code gri_run_limit_give(struct gri_call *call, const struct gri_call *parent, bool own);

/* gri_run_limit_enter asks for a permit for a call that is about to be dispatched. false: it waits,
 * and is not the caller's any more. */
bool gri_run_limit_enter_some(struct gri_call *call, struct gri_run_limit *l);
static inline struct gri_run_limit *gri_run_limit_of(struct gri_call *call)
{
    struct gri_call_more *more = gri_call_has_more(call);

    return more != NULL ? more->limit : NULL;
}
static inline bool gri_run_limit_enter(struct gri_call *call)
{
    struct gri_run_limit *l = gri_run_limit_of(call);

    return l == NULL || gri_run_limit_enter_some(call, l);
}

/* gri_run_limit_leave gives a call's permit back, if it has one: when it ends (for good), is passed
 * on, or makes a call. */
void gri_run_limit_leave(struct gri_call *call, bool for_good);

#endif
