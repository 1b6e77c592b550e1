/* SPDX-License-Identifier: Apache-2.0 */
/* gri: for actors/ */
/*
 * observed.h - calls whose runs somebody wants to hear of: from the call to its runs.
 *
 * A call is observed if its config has callbacks, if its caller's run is another's to go on with, or if
 * an actor that it comes to has listeners of its own. All other calls pay a load and a branch where they are
 * sent, handled and ended.
 *
 * A call has its first run where it reaches a runnable's handler, and one more, nested, each time that it is
 * handed on to another. What only passes calls on (GR_TYPE_NONE, GRI_PASSING), and verbs other than invoke,
 * stream and transform, have no run: what they call belongs to the run that they were called in.
 */
#ifndef GR_RUNTIME_ACTOR_OBSERVED_H
#define GR_RUNTIME_ACTOR_OBSERVED_H

#include <greenroom/callbacks.h>

#include "runtime/actor/call.h"
#include "runtime/actor/klass.h"

struct gri_far;
struct gri_hold;
struct gri_run;
struct gri_run_tree;

/* What an observed call has; in its gri_call_more, and there until it goes. */
struct gri_observed {
    struct gri_run_tree *tree; /* counted */
    struct gri_run *parent;    /* counted; the run that the call was made in; NULL: none */
    /* counted; the innermost that it has; NULL: none yet. Whoever has the duty sets it */
    _Atomic(struct gri_run *) run;
    struct gri_run
        *base; /* counted; a run of another call, which goes on in this one; NULL: none */
    /* who has the duty uses these */
    gr_value *tag;   /* counted; of the next run that it, or a call of its, begins; NULL: none */
    gr_value *local; /* counted; a list of handlers for its next run alone; NULL: none */
    bool same;       /* the next actor that it comes to goes on with the run there is */
    bool lends;      /* the next call that it makes does */
    bool passing;    /* its chunks are those of the run that the innermost is nested in */
    /* counted; its runs in another process, NULL: it has none there. Set once, by whoever has the duty */
    _Atomic(struct gri_far *) far;
    _Atomic(struct gri_hold *) hold; /* owned; NULL: it was never held back. See hold.h */
    /* guarded by the tree's turn */
    bool loose;   /* it may outlast its caller */
    bool written; /* a stream: its producer has ended */
    bool left;    /* a stream: its reader has read the end, or reads no more */
};

/* With GRI_UNOBSERVED nothing is ever observed, and the compiler leaves out what is for that: so a bench counts
 * what it costs the calls that are not (bench/instructions.sh). */
#if defined(GRI_UNOBSERVED)
#define GRI_OBSERVES 0
#else
#define GRI_OBSERVES 1
#endif

/* gri_call_observed is for anybody; gri_call_heard, which costs less, for whoever has the duty. */
static inline bool gri_call_observed(const struct gri_call *call)
{
    /* relaxed: mostly whoever has the duty asks, who is the one to set it; but see gri_call_abort */
    return GRI_OBSERVES && atomic_load_explicit(&call->observed, memory_order_relaxed);
}

static inline bool gri_call_heard(const struct gri_call *call)
{
    return GRI_OBSERVES && call->heard;
}

/* gri_observe_sent looks whether a call that is about to be sent is observed. fresh: it was given callbacks of its
 * own, so what it starts is a tree of its own. false: out of memory. */
bool gri_observe_sent(struct gri_call *call, struct gri_call *parent, bool fresh, bool inside);
/* gri_observe_config looks again, after the call got another config. */
bool gri_observe_config(struct gri_call *call);
/* gri_observe_local adds handlers for the call's next run alone. false: out of memory. */
bool gri_observe_local(struct gri_call *call, const gr_value *handlers);

/* gri_observe_whole: a transform of the actor's adds its input up, and only then does its run begin, with
 * all of it. Else the run begins with the first chunk. */
bool gri_observe_whole(const struct gri_actor *a);

/* gri_observe_how returns how a call is served by k, `how` unless somebody wants to hear each token of
 * a model that is invoked: then it streams, if it can. */
enum gri_how gri_observed_how(const struct gri_call *call, enum gri_how how);
static inline enum gri_how gri_observe_how(const struct gri_klass *k, const struct gri_call *call,
                                           enum gri_how how)
{
    return k->streams_tokens && gri_call_observed(call) ? gri_observed_how(call, how) : how;
}

/* gri_runless tells whether what an actor does with a call has no run of its own, observed or not. */
bool gri_runless(const struct gri_actor *a, uint16_t verb);

/* gri_observed_of is what an observed call has. */
struct gri_observed *gri_observed_of(struct gri_call *call);

/* The rest is for observed calls, unless it says otherwise. gri_observe_arrival: its handler at a is about to run. */
void gri_observe_arrival(struct gri_call *call, const struct gri_actor *a);
/* gri_observe_answer: v is its answer, which its caller is about to learn. */
void gri_observe_answer(struct gri_call *call, const gr_value *v);
/* gri_observe_written: its stream is about to end, and its future is complete. */
void gri_observe_written(struct gri_call *call);
void gri_observe_cancelled(struct gri_call *call, const gr_value *err);
void gri_observe_detached(struct gri_call *call);
void gri_observed_free(struct gri_call *call);

/* gri_run_id gives the id of the call's run: of the innermost that it has, or where nobody observes, the one that
 * its config asks for. nil: it has none. gri_ctx_run_id does so for a handler's call. */
gr_value *gri_run_id(struct gri_call *call);
gr_value *gri_ctx_run_id(gr_ctx *c);

/* gri_observe_same: the call is passed on to its own actor, for another verb to serve it.
 * gri_observe_lend: likewise, the next call that it makes. Both nothing if it is not observed. */
void gri_observe_same(struct gri_call *call);
void gri_observe_lend(struct gri_call *call);

/*
 * gri_run_within has the call go on in a run of its own making, nested in the one there is and called
 * `kind` with what the actor's name has after its class's: an assign's parallel. in, which may be NULL,
 * is the input that it reads. gri_run_within_end ends it with an answer; the call's end does, too.
 * gri_run_pass tells that the call's chunks from now on are, or are not, passed by it.
 */
void gri_run_within(struct gri_call *call, const char *kind, struct gr_stream *in);
void gri_run_within_end(struct gri_call *call, const gr_value *v);
void gri_run_pass(struct gri_call *call, bool passing);

/* gri_run_tag names the place of the next run that call, or a call that it makes next, begins: "seq:step:1", of
 * which the number, or the name, is given by itself. */
#define gri_run_tag(call, place, name)                                                             \
    (gri_call_observed(call) ? gri_run_set_tag((call), (place), (name)) : (void)0)
#define gri_run_tag_number(call, place, number)                                                    \
    (gri_call_observed(call) ? gri_run_set_tag_number((call), (place), (number)) : (void)0)
void gri_run_set_tag(struct gri_call *call, const char *place, const char *name);
void gri_run_set_tag_number(struct gri_call *call, const char *place, size_t number);
/* gri_run_retry tells that the call's run is about to try again what failed with err. */
void gri_run_retry(struct gri_call *call, const gr_value *err);

#endif
