/* SPDX-License-Identifier: Apache-2.0 */
/*
 * event_filter.h - which runs a stream of events, or a log, tells of.
 *
 * The filter travels as keys of the verb's arguments, with langchain-core's names: include_names,
 * include_types, include_tags, exclude_names, exclude_types, exclude_tags. A run is told of if any
 * include matches, or if there is none, and no exclude does.
 */
#ifndef GR_ACTORS_OBSERVE_EVENT_FILTER_H
#define GR_ACTORS_OBSERVE_EVENT_FILTER_H

#include <greenroom/callbacks.h>

/* One side of a filter; lists of texts, borrowed from the arguments, NULL: none. */
struct gri_event_match {
    const gr_value *names, *types, *tags;
};

struct gri_event_filter {
    struct gri_event_match include, exclude;
};

/* gri_filter_args adds the keys of what is set in events, which may be NULL, to a map. */
gr_value *gri_filter_args(gr_value *args GR_TAKES, const gr_events_opts *events);
/* gri_filter_read finds them there again; an error value if one is no list of texts, else NULL. */
gr_value *gri_filter_read(struct gri_event_filter *ret_filter, const gr_value *args);
bool gri_filter_takes(const struct gri_event_filter *f, const char *name, const char *type,
                      const gr_value *tags);

#endif
