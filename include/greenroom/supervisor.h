/* SPDX-License-Identifier: Apache-2.0 */
/*
 * supervisor.h - actors that start, stop and restart other actors: OTP's supervisors.
 *
 * A supervisor has children, in an order. It starts them in that order, each one when the one
 * before has finished its init, and stops them in reverse. It is linked to them: when one ends that
 * should be there, the supervisor restarts it, alone or with others (the strategy), as long as that
 * does not happen too often (intensity and period); then it stops all of them and exits with
 * "shutdown", so that its own supervisor decides. What it does it does one after the other: calls
 * that come during a restart are served after it.
 *
 * Each life of a child, an incarnation, has a scope of its own: what the child's constructor
 * spawned besides ends with it. A restarted child is another actor with another ref. gr_child gives
 * a ref that always leads to the present one.
 *
 * docs/supervision.md compares all this with Erlang.
 */
#ifndef GREENROOM_SUPERVISOR_H
#define GREENROOM_SUPERVISOR_H

#include <greenroom/link.h>
#include <greenroom/name.h>

#ifdef __cplusplus
extern "C" {
#endif

/* When a child that has ended is started again. An exit is clean if its reason is "normal",
 * "shutdown" or {"shutdown": …}. */
typedef enum gr_restart {
    GR_PERMANENT = 0, /* always */
    GR_TRANSIENT = 1, /* unless its exit was clean */
    GR_TEMPORARY = 2  /* never; the supervisor forgets it */
} gr_restart;

/* Who is stopped and started again with a child that has ended. */
typedef enum gr_strategy {
    GR_ONE_FOR_ONE = 0,       /* nobody */
    GR_ONE_FOR_ALL = 1,       /* all others */
    GR_REST_FOR_ONE = 2,      /* those that come after it */
    GR_SIMPLE_ONE_FOR_ONE = 3 /* nobody; all children are made from the one spec that is given, by
                                 gr_start_child, and have no ids */
} gr_strategy;

/* Whether a supervisor exits with "shutdown" by itself when significant children have ended by
 * themselves and are not restarted. */
typedef enum gr_auto_shutdown {
    GR_AUTO_NEVER = 0,
    GR_AUTO_ANY_SIGNIFICANT = 1, /* when the first has */
    GR_AUTO_ALL_SIGNIFICANT = 2  /* when the last has */
} gr_auto_shutdown;

#define GR_FOREVER_MS (-1)    /* a time limit that is none */
#define GR_BRUTAL_KILL_MS (-2) /* a shutdown that is a kill at once */

/* How long the restart of a child is put off: min_ms, then twice that, and so on up to max_ms, each
 * plus up to jitter_ms at random. A child that ran for reset_after_ms begins at min_ms again. */
typedef struct gr_backoff {
    int64_t min_ms;         /* 0: it is restarted at once, as in OTP */
    int64_t max_ms;         /* default: 64 times min_ms */
    int64_t jitter_ms;      /* default: none */
    int64_t reset_after_ms; /* default: max_ms */
} gr_backoff;

/*
 * gr_start_fn makes a child's incarnation in the scope `in`, which is its own, and returns its
 * ref, or the empty ref {0, 0} to have none this time: the spec stays, without an actor (a
 * temporary child is forgotten). A broken ref, or an init that fails, is a start that failed. It
 * runs in the supervisor and should only construct: what takes time belongs into the child's init.
 * Of the supervisors that it makes the first is the one for gr_child.
 */
typedef gr_ref gr_start_fn(gr_scope *in, void *arg, const gr_value *args);

/* gr_child_spec says what a child is. All of it is copied. */
typedef struct gr_child_spec {
    size_t size;
    const char *id;         /* unique in its supervisor; not for GR_SIMPLE_ONE_FOR_ONE */
    const gr_class *cls;    /* what each start spawns: this class, */
    gr_start_fn *start;     /* or what this returns */
    void *arg;              /* for start; must live as long as the supervisor */
    gr_value *args;         /* taken; for cls's init, or for start; each incarnation sees them */
    /* with cls: what else gr_spawn is to know; no args. The name is id unless it says otherwise */
    const gr_spawn_opts *spawn;
    gr_restart restart;     /* default GR_PERMANENT */
    /* how long it has, once told "shutdown", before it is killed. Default: 5000, for supervisors
     * GR_FOREVER_MS. Or GR_BRUTAL_KILL_MS */
    int64_t shutdown_ms;
    int64_t start_ms;       /* how long its init may take; default: for ever, as in OTP */
    bool supervisor;        /* it is one itself */
    bool significant;       /* see gr_auto_shutdown; not for permanent children */
    const char *name;       /* each incarnation is registered under it when its init is done */
    gr_backoff backoff;
} gr_child_spec;
#define GR_CHILD(...) { .size = sizeof(gr_child_spec), __VA_ARGS__ }

typedef struct gr_supervisor_opts {
    size_t size;
    const char *name;       /* for people: errors, log */
    gr_strategy strategy;
    /* more than `intensity` restarts within period_ms, and the supervisor gives up. Default 1,
     * negative: not even one; at most 1000000 */
    int intensity;
    int64_t period_ms;      /* default 5000 */
    gr_auto_shutdown auto_shutdown;
    const gr_child_spec *children; /* in the order in which to start; for GR_SIMPLE_ONE_FOR_ONE the
                                      one spec that gr_start_child starts */
    size_t child_count;
    size_t children_max;    /* default 65536; beyond: GR_EFULL */
    /* how long a child that was killed, and goes on all the same since its handler does not return,
     * is waited for; default 1000. Then it is abandoned: the supervisor goes on without it. */
    int64_t kill_ms;
    /* children that may be left behind like that at a time; with one more the supervisor gives up
     * as if it had restarted too often. Default 16 */
    size_t abandoned_max;
} gr_supervisor_opts;
#define GR_SUPERVISOR(...) GR_OPT(gr_supervisor_opts, __VA_ARGS__)

/*
 * gr_supervisor makes a supervisor, which starts its children in its init. If one can't be started
 * those before it are stopped, in reverse, and the supervisor itself could not be: gr_check says
 * why. gr_started (actor.h) waits for all to be up.
 *
 * It stops its children when it is stopped itself: by gr_stop, by the end of its scope, by its own
 * supervisor, and by gr_exit_to from outside of any actor, unless a supervisor started it. Then it
 * exits with the reason that it was given.    [any]
 *
 * Errors:  GR_EINVAL in gr_check: a spec or an option that makes no sense. Specs' args are taken.
 */
GR_API gr_ref gr_supervisor(gr_scope *in, const gr_supervisor_opts *opts);

/* ---- a child's present incarnation ----------------------------------------------------------- */

/*
 * gr_child gives a ref that leads to whoever is the child `id` of sup at the time of each call: a
 * step of a chain, a model, a store that survives its restarts. It is a gr_named (name.h): while
 * the child is being restarted, or there is none, calls fail with GR_EUNREACH, or wait if opts say
 * so. Once a supervisor that nobody supervises is gone, or could not be started, they fail at once,
 * and the error's text and cause say why. Calls that an incarnation had when it crashed fail with GR_EBROKEN. Both may be retried: see
 * gr_with_retry. sup may be such a ref itself, of a supervisor that is supervised.
 * Broken, GR_EINVAL: sup is neither.    [any]
 */
GR_API gr_ref gr_child(gr_scope *in, gr_ref sup, const char *id, const gr_named_opts *opts);

/* ---- talking to a supervisor ----------------------------------------------------------------- */

/*
 * The plain forms wait, the a-forms give a future. They are served one by one, after a restart that
 * is under way. sup may be a gr_child. They fail with GR_EINVAL and one of these kinds:
 *   not_found        no child of that id
 *   running          it runs (restart, delete)
 *   restarting       it is being restarted (restart, delete)
 *   already_present  the id is taken, by a child that does not run (start)
 *   already_started  the id is taken, by a child that runs; detail is its ref (start)
 *   simple           not with GR_SIMPLE_ONE_FOR_ONE
 *
 * gr_start_child adds a child at the end and starts it; a start that fails adds nothing and tells
 * its error. With GR_SIMPLE_ONE_FOR_ONE only the spec's args count: laid over the supervisor's own
 * spec's if both are maps, else instead of them; spec may then be NULL. The answer is the child's
 * ref, empty if its start gave none.
 */
GR_API gr_ref gr_start_child(gr_runtime *rt, gr_ref sup, const gr_child_spec *spec,
                             gr_value **reterr);
GR_API gr_future *gr_astart_child(gr_runtime *rt, gr_ref sup, const gr_child_spec *spec);
/* gr_terminate_child stops a child and keeps its spec, unless it is temporary. */
GR_API gr_code gr_terminate_child(gr_runtime *rt, gr_ref sup, const char *id, gr_value **reterr);
GR_API gr_future *gr_aterminate_child(gr_runtime *rt, gr_ref sup, const char *id);
/* gr_terminate_ref stops the child that has this ref now: the way with GR_SIMPLE_ONE_FOR_ONE. */
GR_API gr_code gr_terminate_ref(gr_runtime *rt, gr_ref sup, gr_ref child, gr_value **reterr);
GR_API gr_future *gr_aterminate_ref(gr_runtime *rt, gr_ref sup, gr_ref child);
/* gr_restart_child starts a child again that was terminated, or ended and was not restarted. */
GR_API gr_ref gr_restart_child(gr_runtime *rt, gr_ref sup, const char *id, gr_value **reterr);
GR_API gr_future *gr_arestart_child(gr_runtime *rt, gr_ref sup, const char *id);
/* gr_delete_child forgets a child that does not run. */
GR_API gr_code gr_delete_child(gr_runtime *rt, gr_ref sup, const char *id, gr_value **reterr);
GR_API gr_future *gr_adelete_child(gr_runtime *rt, gr_ref sup, const char *id);
/*
 * gr_which_children lists the children in the order of their start, and after them those that were
 * abandoned and have not ended yet: maps of id (nil with GR_SIMPLE_ONE_FOR_ONE), child (its ref,
 * nil without one), state ("running", "restarting", "stopped", "abandoned"), type ("worker",
 * "supervisor"), restart ("permanent" …) and restarts (how many).
 */
GR_API gr_value *gr_which_children(gr_runtime *rt, gr_ref sup, gr_value **reterr);
GR_API gr_future *gr_awhich_children(gr_runtime *rt, gr_ref sup);
/* gr_count_children: a map of specs, active (those that run), supervisors, workers, as in OTP, and
 * restarts (how many so far) and abandoned (how many there are now). */
GR_API gr_value *gr_count_children(gr_runtime *rt, gr_ref sup, gr_value **reterr);
GR_API gr_future *gr_acount_children(gr_runtime *rt, gr_ref sup);
/*
 * Who has no C header uses the verbs: "terminate_child" {"id": …} or {"child": ref},
 * "restart_child", "delete_child" and "child" {"id": …}, "which_children" and "count_children" {}.
 * "child" answers with the present ref, nil without one. "start_child" {"args": …} is for
 * GR_SIMPLE_ONE_FOR_ONE: specs hold pointers.
 */

#ifdef __cplusplus
}
#endif
#endif
