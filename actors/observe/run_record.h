/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run_record.h - what a collector knows of one run, and the map that it becomes.
 *
 * A record belongs to the tree of its root, and goes with it. It is in the collector's map of live
 * runs, by its id, from its start to its end; the root's end takes out all that is left of its tree.
 *
 * A tree keeps GRI_TREE_RUNS_MAX runs, and none that is nested deeper than GRI_TREE_LEVELS_MAX, since values may
 * be only so deep: what it does not keep is counted, as runs_lost of its root.
 */
#ifndef GR_ACTORS_OBSERVE_RUN_RECORD_H
#define GR_ACTORS_OBSERVE_RUN_RECORD_H

#include <greenroom/callbacks.h>

#define GRI_TREE_RUNS_MAX 10000
#define GRI_TREE_LEVELS_MAX 20

struct gri_run_record {
    struct gri_run_record *parent, *root;       /* borrowed; parent NULL: it is the root */
    struct gri_run_record *first, *last, *next; /* owned children, in order; the next sibling */
    unsigned level;                             /* 0: the root */
    size_t runs, lost;                          /* of the root: in its tree */
    char id[40];
    char *name, *dotted_order; /* owned */
    gr_run_type type;
    gr_value *tags, *metadata, *inputs, *outputs, *error; /* counted, or NULL */
    int64_t start_us, end_us;                             /* end_us 0: it has not ended */
};

/* gri_record_new: NULL when out of memory, or when the tree takes no more: then that was counted. */
struct gri_run_record *gri_record_new(const gr_run *run, struct gri_run_record *parent);
/* gri_record_end keeps what the run's last event tells. */
void gri_record_end(struct gri_run_record *r, const gr_event *event);
/* gri_record_value gives the map of a run and of all within. */
gr_value *gri_record_value(const struct gri_run_record *r);
/* gri_record_outputs gives a run's output (NULL: none) as a map, as LangChain's records of runs have it. */
gr_value *gri_record_outputs(gr_run_type type, const gr_value *output);
/* gri_record_each calls fn for r and all within. */
void gri_record_each(struct gri_run_record *r, void (*fn)(void *arg, struct gri_run_record *r),
                     void *arg);
void gri_record_free(struct gri_run_record *r); /* and all within */

#endif
