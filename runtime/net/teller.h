/* SPDX-License-Identifier: Apache-2.0 */
/*
 * teller.h - the handler that tells another process about the runs of its call here.
 *
 * Handlers may not wait, so what it hears goes into a queue, from which the call's flow takes it (flow.h). While more
 * than a little waits there the tree of runs is held back (run_gate.h); if the queue runs full all the same, the call is
 * given up.
 *
 * `lock` guards what is below it: somebody here may put the handler into a tree of his own as well.
 */
#ifndef GR_RUNTIME_NET_TELLER_H
#define GR_RUNTIME_NET_TELLER_H

#include "runtime/net/run_frames.h"

#define GRI_TELLER_EVENTS_MAX 65536u             /* that wait to be sent */
#define GRI_TELLER_BYTES_MAX (64u * 1024 * 1024) /* and their bytes */
#define GRI_TELLER_EVENTS_MUCH 1024u             /* the tree is held back from so many on, */
#define GRI_TELLER_BYTES_MUCH (1024u * 1024)     /* or from so many bytes, to a quarter of that */

struct gri_in_call;

struct gri_teller {
    _Atomic uint32_t refs;   /* the handler's and the call's */
    struct gri_watch watch;  /* owns its origin */
    gr_runtime *rt;          /* borrowed */
    struct gr_stream *queue; /* owned, both ends */
    struct gri_lock lock;
    struct gri_run_tree
        *tree; /* counted; that of the call, once something was heard of it; NULL: none */
    struct gri_in_call *call; /* borrowed; NULL: it is over, and nobody listens */
    gr_code failed;           /* why the call was given up; GR_OK: it was not */
    uint64_t last;            /* number of the run that began last */
    struct gri_map numbers;   /* gri_run -> its number, and whether its input is still to be told */
};

/* gri_teller_new consumes the watch. NULL: out of memory. */
struct gri_teller *gri_teller_new(gr_runtime *rt, const struct gri_watch *watch,
                                  struct gri_in_call *call);
/* gri_teller_handler makes the handler, which has a reference of its own. */
gr_value *gri_teller_handler(struct gri_teller *t);
/* gri_teller_taken: an event was taken from the queue. */
void gri_teller_taken(struct gri_teller *t);
/* gri_teller_failed tells why the call was given up; NULL: it was not. */
gr_value *gri_teller_failed(struct gri_teller *t);
/* gri_teller_leave ends the call's part: nothing is taken any more. NULL is fine. */
void gri_teller_leave(struct gri_teller *t);
void gri_teller_unref(struct gri_teller *t); /* NULL is fine */

#endif
