/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handlers.h - whom to tell about runs: a config's "callbacks", read once.
 *
 * Most runs have the same list as the run that they are in, so they share what was made of it.
 */
#ifndef GR_RUNTIME_OBSERVE_HANDLERS_H
#define GR_RUNTIME_OBSERVE_HANDLERS_H

#include <greenroom/callbacks.h>

/* Where the runs are that a handler of another process's hears of: all counted. */
struct gri_origin {
    gr_value *ids; /* of the runs there that they are in, the root's first; NULL: in none */
    gr_value *tags, *metadata; /* what they inherit of the innermost; with ids only */
    gr_value *tag;             /* their place in there; NULL: none */
};

/* What an opaque value of gr_handler_value's points to. */
struct gri_handler {
    gr_handler given;                /* with its defaults filled in */
    bool streams;                    /* see gri_handler_streams */
    const struct gri_origin *origin; /* borrowed from its arg; NULL: it is this process's own */
};

struct gri_hearer {
    const struct gri_handler *handler; /* borrowed from the list; NULL: it is an actor */
    gr_ref actor;
};

struct gri_handlers {
    _Atomic uint32_t refs;
    gr_value *list; /* counted; what it was made of, and what keeps the handlers */
    size_t count;
    struct gri_hearer at[]; /* each once, in the list's order */
};

/* gri_handlers_of reads a list; NULL: out of memory. What is no handler is left out. */
struct gri_handlers *gri_handlers_of(const gr_value *list);
struct gri_handlers *gri_handlers_ref(struct gri_handlers *h); /* NULL gives NULL */
void gri_handlers_unref(struct gri_handlers *h);               /* NULL is fine */
/* gri_handlers_have tells whether one of them is the same as `one`. NULL: there are none. */
bool gri_handlers_have(const struct gri_handlers *h, const struct gri_hearer *one);

/* gri_handler_from says that a handler tells another process. Before anybody else has the value. */
void gri_handler_from(gr_value *handler, const struct gri_origin *origin);
/* gri_origin_of finds one in a list of callbacks, borrowed; NULL: there is none. */
const struct gri_origin *gri_origin_of(const gr_value *callbacks);

#endif
