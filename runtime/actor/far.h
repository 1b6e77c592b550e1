/* SPDX-License-Identifier: Apache-2.0 */
/*
 * far.h - what an observed call starts in another process, shown to those who observe it here.
 *
 * Over there runs have numbers, from 1 up in the order in which they begin; here each has a copy (run_copy.h) in the
 * call's tree, within the run that the call was made in. What ends first ends them: their process, the
 * call's answer, its cancellation, the link. From the call's end on nothing that is told counts any more.
 *
 * All is guarded by the tree's turn, which each function takes; so nobody may call them who holds a lock.
 */
#ifndef GR_RUNTIME_ACTOR_FAR_H
#define GR_RUNTIME_ACTOR_FAR_H

#include "runtime/actor/call.h"
#include "runtime/observe/run_copy.h"

#define GRI_FAR_RUNS_MAX 65536u               /* runs of one call that are open at a time */
#define GRI_FAR_BYTES_MAX (64u * 1024 * 1024) /* and the bytes of what is kept for them */

struct gri_far {
    _Atomic uint32_t refs;
    struct gri_run_tree *tree;             /* counted */
    struct gri_run *parent;                /* counted; what the runs are in here; NULL: nothing */
    struct gri_handlers *handlers, *local; /* counted; local: of those that are in no other there */
    gr_value *tag;                         /* counted; their place in parent; NULL: none */
    unsigned kinds, chunk_types;           /* what anybody wants to hear of */
    bool tokens;                           /* and each token of a model: gri_wants_streams */
    bool over, loose;
    size_t bytes;        /* that the open ones' starts and chunks came in */
    uint64_t last;       /* number of the run that began last */
    struct gri_map runs; /* number -> gri_run, counted: those whose end has not been told */
};

/* gri_far_new is for a call whose handler is about to pass it on to another process. NULL: nobody observes what it
 * does there, or out of memory, which *ret_rc tells. [any], with the duty */
struct gri_far *gri_far_new(struct gri_call *call, gr_code *ret_rc);
struct gri_far *gri_far_ref(struct gri_far *far);
void gri_far_unref(struct gri_far *far); /* NULL is fine */

/*
 * What that process tells, in order: GR_OK, also if nothing is told here any more; GR_EPROTO if it can't be; GR_ENOMEM;
 * GR_EFULL: beyond GRI_FAR_BYTES_MAX, so the call has to be given up.
 * number is the run's, parent that of what it is in, 0 if that is none of these. Values are borrowed.
 */
gr_code gri_far_begin(struct gri_far *far, uint64_t number, uint64_t parent,
                      const struct gri_run_told *told, const gr_value *input);
gr_code gri_far_chunk(struct gri_far *far, uint64_t number, const gr_value *chunk, size_t size);
/* v is the answer, or an error, and then sum, which may be NULL, that of the chunks before it. input, which may be
 * NULL, is what it has read of a stream. */
gr_code gri_far_close(struct gri_far *far, uint64_t number, const gr_value *v, const gr_value *sum,
                      const gr_value *input);
gr_code gri_far_tell(struct gri_far *far, uint64_t number, gr_event_kind kind, const char *name,
                     const gr_value *v);

/* gri_far_end ends what is still open, with err, or as cancelled if that is no error; for good. */
void gri_far_end(struct gri_far *far, const gr_value *err);
/* gri_far_loosen: the call may outlast its caller from now on. */
void gri_far_loosen(struct gri_far *far);

#endif
