/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run_copy.h - runs of another process, in a tree of this one.
 *
 * A copy begins, gets chunks and ends when its process says so, by gri_run_begin, _chunk, _end and _tell, and is
 * for the handlers here a run like any other; what ends the runs here ends it, too, if that comes first.
 * The other way round a stand-in is what the runs here are in over there: nobody is told of it.
 */
#ifndef GR_RUNTIME_OBSERVE_RUN_COPY_H
#define GR_RUNTIME_OBSERVE_RUN_COPY_H

#include "runtime/observe/run.h"

/* What its process tells of a run that begins; all borrowed. */
struct gri_run_told {
    const char *id, *name;
    gr_run_type type;
    const gr_value *tags, *passed_tags, *metadata;
    bool streams, nested, loose; /* nested: it answers what the run that it is in does */
    size_t size;                 /* bytes that all of this, and its input, came in */
};

/* gri_run_copy makes an unborn run in parent, which may be NULL. All is borrowed; either kind of handlers may be
 * NULL. NULL: out of memory. */
struct gri_run *gri_run_copy(struct gri_run_tree *t, struct gri_run *parent,
                             const struct gri_run_told *told, struct gri_handlers *handlers,
                             struct gri_handlers *local);
/* gri_run_stand_in makes what the tree's runs are in; NULL: out of memory. */
struct gri_run *gri_run_stand_in(struct gri_run_tree *t, const struct gri_origin *origin);

#endif
