/* SPDX-License-Identifier: Apache-2.0 */
/*
 * supervise.h - a supervisor's state, and how its parts work together.
 *
 *   supervisor.c   the class: init, what it is asked, what it is told, its end
 *   children.c     the table of children
 *   incarnation.c  starting and stopping one child
 *   restart.c      what follows from a child's exit: rules, strategies, intensity, back-off
 *   ask.c          the functions that users call
 *
 * All of it runs in the supervisor's handlers, one at a time, which wait: for a child's init, for
 * its end. Only the alarm of family.h comes from elsewhere, as a message.
 */
#ifndef GR_RUNTIME_SUPERVISE_SUPERVISE_H
#define GR_RUNTIME_SUPERVISE_SUPERVISE_H

#include <greenroom/runtime.h>

#include "runtime/actor/inspect.h"
#include "runtime/base/map.h"
#include "runtime/supervise/delay.h"
#include "runtime/supervise/family.h"
#include "runtime/supervise/window.h"

extern const gr_class gri_supervisor_class;

/* What a supervisor was made with: its spawn arguments, as an opaque value. Immutable. */
struct gri_setup {
    gr_supervisor_opts o;      /* with defaults; without pointers */
    struct gri_family *family; /* counted */
    struct gri_spec **specs;   /* owned, each counted */
    size_t spec_count;
};

/* GRI_CHILD_ABSENT: it has a spec, but no actor, and none is to come by itself. */
enum gri_child_state { GRI_CHILD_ABSENT, GRI_CHILD_RUNNING, GRI_CHILD_RESTARTING };

struct gri_child {
    struct gri_list node;  /* in supervisor->children: in the order of the start */
    struct gri_list due;   /* in supervisor->restarting, while it is that */
    struct gri_spec *spec; /* counted */
    gr_value *args;        /* counted; NULL: none */
    enum gri_child_state state;
    gr_ref ref;                  /* {0, 0} unless it runs */
    struct gri_life *life;       /* counted; NULL likewise */
    gr_future *ending;           /* owned; only while it is stopped */
    uint64_t started_ns, ran_ns; /* ran_ns: how long the last incarnation lived */
    uint64_t due_ns;             /* when it is to be started again */
    /* its next start was counted as a restart when it was put off */
    bool counted;
    uint32_t restarts;
    /* counted; the text of why the last incarnation ended, or could not be started; NULL: there is none
     * yet. For who looks */
    gr_value *last_exit;
    struct gri_delay delay;
};

struct gri_supervisor {
    const struct gri_setup *setup; /* borrowed from the spawn arguments */
    struct gri_family *family;     /* borrowed from setup; NULL until init has run */
    gr_runtime *rt;
    struct gri_window window;
    struct gri_list children; /* in the order of the start */
    size_t child_count;
    struct gri_map by_id;       /* id -> gri_child */
    struct gri_map by_ref;      /* a running child's ref.id -> gri_child */
    struct gri_list restarting; /* children that are to be started again, in no order */
    uint64_t due_ns;            /* none of them is due before; GRI_NEVER */
    struct gri_list abandoned;  /* lives, until they are over */
    size_t abandoned_count;
    uint64_t restarts;
    struct gri_child *starting; /* whose start is being called; NULL: nobody's */
    bool path_given;            /* the first supervisor made by that start has the child's path */
    bool alarm_set;
    uint64_t alarm_ns; /* when it rings */
    bool gave_up;      /* it is to exit with "shutdown" */
};

static inline bool gri_supervisor_simple(const struct gri_supervisor *s)
{
    return s->setup->o.strategy == GR_SIMPLE_ONE_FOR_ONE;
}

/* ---- children.c ------------------------------------------------------------------------------ */

/* gri_child_add makes a child without an actor at the end. Takes args. NULL with *ret_err. */
struct gri_child *gri_child_add(struct gri_supervisor *s, struct gri_spec *spec,
                                gr_value *args GR_TAKES, gr_value **ret_err);
/* gri_child_drop forgets a child that does not run. */
void gri_child_drop(struct gri_supervisor *s, struct gri_child *ch);
struct gri_child *gri_child_find(struct gri_supervisor *s, const char *id);
struct gri_child *gri_child_by_ref(struct gri_supervisor *s, gr_ref ref);
/* gri_child_lose makes a running child absent, and says how long it ran. Its life stays. */
void gri_child_lose(struct gri_supervisor *s, struct gri_child *ch);
/* gri_child_note_exit keeps why it ended, or could not be started, for who looks. */
void gri_child_note_exit(struct gri_child *ch, const gr_value *reason);
/* gri_child_settle is for a child that is absent now: a temporary one is forgotten. */
void gri_child_settle(struct gri_supervisor *s, struct gri_child *ch);
static inline struct gri_child *gri_child_at(struct gri_list *n)
{
    return gri_container_of(n, struct gri_child, node);
}
const char *gri_child_id(const struct gri_child *ch); /* "a child" without one */
/* gri_abandoned_prune forgets those that have ended since, and returns how many are left. */
size_t gri_abandoned_prune(struct gri_supervisor *s);
gr_value *gri_children_list(struct gri_supervisor *s);
/* gri_children_absent lists the first children that are to be started again, or stopped, for who looks. */
gr_value *gri_children_absent(struct gri_supervisor *s);
gr_value *gri_children_count(struct gri_supervisor *s);
void gri_children_free(struct gri_supervisor *s);

/* ---- incarnation.c --------------------------------------------------------------------------- */

/* gri_child_start starts a child that is absent or restarting, and waits for its init. NULL: it
 * runs, or its start gave no actor and it is absent. Else why it failed, an error value, yours; it
 * is absent. [waits] */
gr_value *gri_child_start(gr_ctx *c, struct gri_supervisor *s, struct gri_child *ch);
/* gri_child_stop stops a child, if it runs, and waits for its end; it is absent afterwards.
 * [waits] */
void gri_child_stop(gr_ctx *c, struct gri_supervisor *s, struct gri_child *ch);
/* gri_child_clean_up ends what is left of a child that has ended by itself. [waits] */
void gri_child_clean_up(struct gri_supervisor *s, struct gri_child *ch);
/* gri_children_stop stops all: one after the other in reverse order, or if they are those of a
 * GR_SIMPLE_ONE_FOR_ONE all at once. [waits] */
void gri_children_stop(gr_ctx *c, struct gri_supervisor *s);

/* ---- restart.c ------------------------------------------------------------------------------- */

/* gri_restart_exited does what is to be done when a child has ended by itself. [waits] */
void gri_restart_exited(gr_ctx *c, struct gri_supervisor *s, struct gri_child *ch,
                        const gr_value *reason);
/* gri_restart_due starts who is due by now. [waits] */
void gri_restart_due(gr_ctx *c, struct gri_supervisor *s);
/* gri_restart_forget takes a child that was to be started again off the list. */
void gri_restart_forget(struct gri_child *ch);
/* gri_restart_alarm has the alarm ring for the next one that is due: at the end of each handler. */
void gri_restart_alarm(struct gri_supervisor *s);

#endif
