/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace_out.h - where a tracer writes: lines, whole ones, into a file descriptor.
 *
 * A line is written by whoever has it, on his thread, since a trace that comes late is of no use when
 * the process dies. A descriptor that takes nothing for GRI_TRACE_WAIT_MS loses the line; what goes
 * wrong is logged once, and never fails a run.
 */
#ifndef GR_ACTORS_OBSERVE_TRACE_OUT_H
#define GR_ACTORS_OBSERVE_TRACE_OUT_H

#include <greenroom/callbacks.h>

#include "runtime/base/lock.h"
#include "runtime/base/strbuf.h"

#define GRI_TRACE_WAIT_MS 100 /* for a descriptor that does not block, and is full */

struct gri_trace_out {
    int fd; /* borrowed */
    size_t value_max;
    struct gri_lock lock; /* held while a line is written; guards what follows */
    bool torn;            /* a part of a line was written */
    bool told;            /* it was logged that lines are lost */
};

/* gri_tracer_new makes a handler that writes to fd by fn, whose arg is a gri_trace_out. An error value
 * when out of memory. */
gr_value *gri_tracer_new(const char *name, gr_event_fn *fn, unsigned kinds, int fd,
                         const gr_tracer_opts *opts);
/* gri_trace_line writes a line, and its end, and empties it. Nothing is written of one that failed. */
void gri_trace_line(struct gri_trace_out *out, struct gri_strbuf *line);

#endif
