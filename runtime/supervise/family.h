/* SPDX-License-Identifier: Apache-2.0 */
/*
 * family.h - the scopes of a supervisor: who ends with whom.
 *
 * A family is a scope that holds the supervisor and, for each incarnation of a child, a scope of
 * that one's own, its life. In the scope in which the supervisor was made the family counts as one
 * actor: when that scope ends the family is told, tells the supervisor, which stops its children in
 * order, and is gone when all of that is, abandoned children included. What a supervisor leaves
 * behind that was killed, the family ends.
 */
#ifndef GR_RUNTIME_SUPERVISE_FAMILY_H
#define GR_RUNTIME_SUPERVISE_FAMILY_H

#include "runtime/async/scope.h"
#include "runtime/sched/sched.h"
#include "runtime/supervise/spec.h"

struct gri_family {
    struct gr_scope scope; /* first, so that the scope is the family */
    char *path;            /* owned; the names of its children, path/id, begin with it */
    gr_ref parent;         /* the supervisor that made it; {0, 0}: none did */
    /* The supervisor, once it is spawned, and that its end is wanted. seq_cst: of "set one, look at
     * the other", on both sides, the later one sees the other. */
    _Atomic uint64_t supervisor;
    _Atomic bool unwanted;
    /* The alarm: `timer`, then `task`, which tells the supervisor that a restart is due. From
     * gri_alarm_set to that it is a member of the family, which so waits for it. */
    struct gri_member alarm;
    struct gri_timer timer;
    struct gri_task task;
};

/* gri_family_new makes one in `in`, with a reference for the caller, and takes path. NULL with
 * *ret_rc. */
struct gri_family *gri_family_new(gr_scope *in, char *path, gr_ref parent, gr_code *ret_rc);
/* gri_family_join tells the family its supervisor, or that there is none and it may go. */
void gri_family_join(struct gri_family *f, gr_ref supervisor);
/* gri_family_end is for the supervisor's last moment: what is left of its children ends. */
void gri_family_end(struct gri_family *f);
static inline void gri_family_unref(struct gri_family *f)
{
    gri_scope_unref(&f->scope);
}

/* The alarm, for the supervisor's own handlers. _set: not while it is set. _reset makes it ring
 * earlier, or does nothing if it rings right now. _clear: it may ring all the same. */
void gri_alarm_set(struct gri_family *f, uint64_t at_ns);
void gri_alarm_reset(struct gri_family *f, uint64_t at_ns);
void gri_alarm_clear(struct gri_family *f);

/* One incarnation: the scope of what its start makes. Two references: the supervisor's, and one
 * until it is closed and empty. */
struct gri_life {
    struct gr_scope scope; /* first */
    struct gri_list node;  /* in the supervisor's list of those abandoned */
    struct gri_spec *spec; /* counted */
    gr_ref ref;            /* of the child that was abandoned, for which_children */
    _Atomic bool over;     /* all in it has ended */
};

/* NULL: out of memory, or the family has ended. */
struct gri_life *gri_life_new(struct gri_family *f, struct gri_spec *spec);
static inline void gri_life_unref(struct gri_life *l)
{
    gri_scope_unref(&l->scope);
}

#endif
