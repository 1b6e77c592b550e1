/* SPDX-License-Identifier: Apache-2.0 */
/* inspect.h - what is kept of an actor for who looks: see greenroom/inspect.h. */
#ifndef GR_RUNTIME_ACTOR_INSPECT_H
#define GR_RUNTIME_ACTOR_INSPECT_H

#include <greenroom/inspect.h>

/* Where an actor comes from that a supervisor has; in gri_rare, guarded by tie_lock. */
struct gri_birth {
    gr_ref supervisor;
    uint64_t born_ns;
    uint32_t restarts;
    gr_value *
        last_exit; /* counted; the text of why the incarnation before ended; NULL: there was none */
};

/* gri_birth_note notes that, with a reference of its own to last_exit; out of memory, or when the actor is
 * gone, nothing. [any] */
void gri_birth_note(gr_runtime *rt, gr_ref child, const struct gri_birth *origin);
void gri_birth_free(struct gri_birth *o);
/* gri_reason_text puts a reason on a line: no control characters, cut where it is too long. NULL: out of
 * memory. */
gr_value *gri_reason_text(const gr_value *reason);

/* gri_inspect_names gives the first few names that an actor is registered under, as a list; nil: it is
 * gone. */
gr_value *gri_inspect_names(gr_runtime *rt, gr_ref who);

#endif
