/* SPDX-License-Identifier: Apache-2.0 */
/*
 * describe.h - descriptions (greenroom/graph.h) for the kinds of runnables to make.
 *
 * A kind's "describe" is a handler that may wait, since it asks its parts. Their descriptions are
 * put together here; one that fails stands for the whole.
 */
#ifndef GR_ACTORS_COMPOSE_DESCRIBE_H
#define GR_ACTORS_COMPOSE_DESCRIBE_H

#include <greenroom/graph.h>

#include "actors/compose/steps.h"

/* gri_describe_ref asks another runnable; an error value on failure. [waits] */
gr_value *gri_describe_ref(gr_ctx *c, gr_ref r);

/* gri_describe_leaf describes what has no parts. The schemas are completed by their titles; NULL:
 * anything. */
gr_value *gri_describe_leaf(const char *name, gr_value *input GR_TAKES, gr_value *output GR_TAKES);

/* gri_describe_as gives a part's description as that of what has it: the same but for the schemas,
 * NULL leaving each. For kinds that are not seen in a graph. */
gr_value *gri_describe_as(gr_value *part GR_TAKES, gr_value *input GR_TAKES,
                          gr_value *output GR_TAKES);

/* gri_describe_kept is one node for all its parts: their config_specs are its own. */
gr_value *gri_describe_kept(gr_ctx *c, const char *name, const struct gri_steps *steps);

/* gri_description puts one together; it has no config_specs yet. gri_describe_specs adds those of a part,
 * which is borrowed. gri_describe_parts asks all steps: a list of descriptions, or an error. [waits] */
gr_value *gri_description(const char *name, gr_value *input GR_TAKES, gr_value *output GR_TAKES,
                          gr_value *graph GR_TAKES);
gr_value *gri_describe_specs(gr_value *description GR_TAKES, const gr_value *part);
gr_value *gri_describe_parts(gr_ctx *c, const struct gri_steps *steps);

/* gri_describe_sequence describes steps one after the other. A part may say how what it gives comes of what
 * it takes: "assigns" is the schema of the map that it adds to a map; "picks" the key, or the keys, that
 * it takes out of one. */
gr_value *gri_describe_sequence(gr_ctx *c, const struct gri_steps *steps);

/* gri_describe_keyed describes steps side by side, named "name<a,b>". */
gr_value *gri_describe_keyed(gr_ctx *c, const char *name, const struct gri_steps *steps);

/* gri_describe_spec adds what can be configured. A spec of the same id that says something else:
 * an error. */
gr_value *gri_describe_spec(gr_value *description GR_TAKES, gr_value *spec GR_TAKES);

/* gri_describe_says makes the part of a spec that only tells of it: NULL and false are left out. */
gr_value *gri_describe_says(const char *name, const char *description, bool is_shared);

/* gri_schema_of_type: {"type": type}; an object with `names`, texts each, if that is a list. */
gr_value *gri_schema_of_type(const char *type);
gr_value *gri_schema_of_texts(const gr_value *names);

#endif
