/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run.h - runs, the trees that they form, and how their events are told.
 *
 * A tree has one lock, its turn. Who has it changes the states of runs and calls the handlers, so
 * that the events of a tree come one at a time, in the order in which things happened. It is the
 * one lock of the engine that is held while users' functions run; therefore nobody may take it who
 * holds another lock, and who has it may enter again: an event that comes about while handlers are
 * called, because one of them has cancelled something, is told after the one under way.
 *
 * A run is UNBORN as long as it has not begun; OPEN; then OVER. What ends an open run first, its
 * call's answer, a cancellation, the end of the run that it is in, decides how: so it ends once. A
 * run that ends has what is still open within it end first, as cancelled, unless that is LOOSE:
 * begun to outlast it. What would begin in a run that is over begins no more.
 *
 * Runs are in each other in two ways. A call that is handed on to another actor has a run there,
 * NESTED in its first one: they share the answer, its chunks and the end. All others are runs of calls that
 * a run's call has made.
 */
#ifndef GR_RUNTIME_OBSERVE_RUN_H
#define GR_RUNTIME_OBSERVE_RUN_H

#include <greenroom/callbacks.h>

#include "runtime/base/list.h"
#include "runtime/base/lock.h"
#include "runtime/observe/handlers.h"
#include "runtime/observe/run_gate.h"
#include "runtime/observe/uuid.h"

struct gri_exec;

/* All trees of a runtime, so that its end is theirs. */
struct gri_run_trees {
    struct gri_lock lock; /* guards list, and each tree's place in it */
    struct gri_list list;
};

struct gri_told_event; /* an event that waits; see run.c */

struct gri_run_tree {
    _Atomic uint32_t refs;
    struct gri_lock turn;              /* guards all below and all that its runs change */
    _Atomic(struct gri_exec *) holder; /* who has the turn; only who has it may find itself there */
    unsigned entered;
    bool telling;
    gr_runtime *rt;  /* borrowed; NULL: it has ended, and nobody is told any more */
    uint64_t number; /* of the last event */
    struct gri_told_event *waiting, **waiting_end; /* owned, oldest first */
    size_t waiting_count;
    struct gri_run_gate gate;    /* has a lock of its own */
    struct gri_list open;        /* gri_run, by time of birth */
    struct gri_list place;       /* in trees->list */
    struct gri_run_trees *trees; /* borrowed; NULL: in no list any more */
};

enum gri_run_state { GRI_RUN_UNBORN, GRI_RUN_OPEN, GRI_RUN_OVER };

struct gri_run {
    _Atomic uint32_t refs;
    enum gri_run_state state; /* guarded by the tree's turn, as are all that change */
    bool nested, loose;
    bool in_failed;            /* the stream that it reads had an error before it had a chunk */
    bool shares;               /* see copy_of: the call's end is its own */
    const void *copy_of;       /* see run_copy.h: whose copy it is; NULL: nobody's */
    uint32_t within;           /* open runs whose parent it is */
    uint32_t told, summed;     /* of a copy: the bytes that its start and its chunks came in */
    gr_run seen;               /* what handlers see; borrows from what is below */
    struct gri_run_tree *tree; /* counted */
    struct gri_run *parent;    /* counted; NULL: a root */
    struct gri_handlers *handlers,
        *local;          /* counted; those of all within, and its own; either may be NULL */
    gr_value *name, *id; /* counted; what its config calls it; NULL: it has `called`, or `uuid` */
    gr_value *parent_ids, *tags, *metadata; /* counted */
    gr_value *passed_tags;                  /* counted; what the runs within have of its tags */
    gr_value *ids_within;  /* counted; the parent_ids of the runs within; NULL: there is none yet */
    gr_value *input;       /* counted; of a stream the sum so far, NULL: nothing yet */
    gr_value *chunk_event; /* counted; gr_event_value of its chunks, without one; NULL: none yet */
    gr_value *sum;         /* counted; of the chunks of its answer; NULL: none yet */
    struct gri_list open;  /* in tree->open while it is */
    char uuid[GRI_UUID_BYTES];
    char called[]; /* its runnable's name */
};

/* What a run is made of; all borrowed. */
struct gri_run_spec {
    struct gri_run *parent; /* NULL: it is a root */
    struct gri_run_tree *tree;
    const char *name; /* its runnable's */
    gr_run_type type;
    const gr_value *callbacks, *tags, *metadata, *run_name, *run_id; /* its config's; NULL: none */
    const gr_value *tag;   /* where it stands among its parent's; NULL: nowhere */
    const gr_value *local; /* a list; NULL: none */
    bool nested, loose, streams;
};

struct gri_run_tree *gri_run_tree_new(gr_runtime *rt, struct gri_run_trees *trees);
struct gri_run_tree *gri_run_tree_ref(struct gri_run_tree *t);
void gri_run_tree_unref(struct gri_run_tree *t); /* NULL is fine */

void gri_run_trees_init(struct gri_run_trees *all);
/* gri_run_trees_end ends all runs that are still open, as cancelled, for good: nobody is told
 * anything after it. */
void gri_run_trees_end(struct gri_run_trees *all);

/* gri_run_new makes an unborn run; NULL when out of memory. [any] */
struct gri_run *gri_run_new(const struct gri_run_spec *spec);
struct gri_run *gri_run_ref(struct gri_run *r);
void gri_run_unref(struct gri_run *r); /* NULL is fine */

/* All of these [any], without a lock held other than the tree's own turn. */
void gri_run_begin(struct gri_run *r,
                   const gr_value *input); /* input NULL: a stream of it will come */
/* gri_run_read tells that a chunk of its input has been read: it begins with the first. chunk NULL: the
 * input has ended, with `failed` by an error. */
void gri_run_read(struct gri_run *r, const gr_value *chunk, bool failed);
/* The answer of innermost, and of those that it is nested in down to `base`, itself included, gets a chunk. base
 * NULL: all. */
void gri_run_chunk(struct gri_run *innermost, const struct gri_run *base, const gr_value *chunk);
/* gri_run_end ends them, without base: v is the answer, or the error; NULL, the sum of the chunks is. */
void gri_run_end(struct gri_run *innermost, const struct gri_run *base, const gr_value *v);
void gri_run_loosen(struct gri_run *innermost, const struct gri_run *base);
/* gri_run_tell tells of a GR_RUN_CUSTOM or GR_RUN_RETRY of an open run. */
void gri_run_tell(struct gri_run *r, gr_event_kind kind, const char *name, const gr_value *v);

/* gri_run_give_parents has a run that is being made know what it is in. */
void gri_run_give_parents(struct gri_run *r);

/* The turn, for who decides something together with it. */
void gri_run_enter(struct gri_run_tree *t);
void gri_run_leave(struct gri_run_tree *t);

#endif
