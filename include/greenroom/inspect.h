/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inspect.h - looking at the actors of a running runtime.
 *
 * A look stops nobody: it walks the table of actors, and takes of each what the actor notes of
 * itself anyway. So it costs the actors nothing while nobody looks, and a few loads and a short
 * lock each while somebody does. What is seen was true a moment ago; numbers of one actor need not
 * fit each other to the last, and what is born or ends meanwhile may be seen or not. Contents of
 * messages and states are never shown.
 */
#ifndef GREENROOM_INSPECT_H
#define GREENROOM_INSPECT_H

#include <greenroom/actor.h>
#include <greenroom/name.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum gr_actor_state {
    GR_ACTOR_STARTING = 0, /* its init is still to run, or runs */
    GR_ACTOR_IDLE = 1,
    GR_ACTOR_RUNNING = 2,  /* a handler runs, or is about to */
    GR_ACTOR_WAITING = 3,  /* a handler waits, or a call is deferred */
    GR_ACTOR_STOPPING = 4, /* it is about to end */
    GR_ACTOR_FAILED = 5    /* its init failed, and it stays to say so */
} gr_actor_state;

/* gr_actor_state_name returns "idle" and so on; "?" for what is none. [any] */
GR_API const char *gr_actor_state_name(gr_actor_state state);

#define GR_LAST_EXIT_MAX 159 /* bytes of a text of an exit */

/* What is 0 or "" where nothing else is said is not known, or there is none. */
typedef struct gr_actor_info {
    size_t size;
    gr_ref ref;
    gr_actor_state state;
    const char *class_name;     /* valid as long as the class is, which outlives the runtime */
    char name[GR_NAME_MAX + 1]; /* the latest that it is registered under; else that of its spawn options */
    uint64_t mailbox, mailbox_max; /* messages that wait, and how many may */
    /* messages that its turns have taken from the mailbox, since it was made; it lags behind by a turn.
     * Calls of classes without state pass the mailbox by: see `counts` */
    uint64_t handled;
    bool counts;                /* `handled` tells something: the class has state */
    uint64_t calls;             /* that it holds: under way, deferred, or on the way to it */
    size_t state_bytes;         /* of its state itself, not of what that points to */
    size_t links, monitors;     /* monitors: that it has set */
    size_t ties;                /* these, its names, and monitors of it that others have set */
    gr_ref supervisor;          /* who restarts it; {0, 0}: nobody. What follows is of such actors only */
    uint32_t restarts;          /* how often it was, counted by its supervisor */
    int64_t age_ms;             /* since this incarnation was started; -1: nobody has noted that */
    char last_exit[GR_LAST_EXIT_MAX + 1]; /* why the incarnation before ended, or could not start */
} gr_actor_info;
#define GR_ACTOR_INFO_INIT { .size = sizeof(gr_actor_info) }

/*
 * gr_inspect_actor fills *info in; info->size says how much of it the caller knows, so set it
 * first: gr_actor_info info = GR_ACTOR_INFO_INIT.
 * Errors: GR_EDEAD it has ended; GR_EUNREACH it lives in another runtime; GR_EINVAL.    [any]
 */
GR_API gr_code gr_inspect_actor(gr_runtime *rt, gr_ref who, gr_actor_info *info);

/*
 * gr_inspect_actors calls fn for actors, in the order of their places in the runtime's table, until
 * fn returns false, `max` were shown or 65,536 places were looked at: so each call takes a short
 * time. *cursor is 0 to begin with, is where to go on, and 0 again once all were seen. fn is called
 * by this thread, without a lock; what it is given is valid until it returns.
 * Returns how many were shown.    [any]
 */
typedef bool gr_inspect_fn(void *arg, const gr_actor_info *info);
GR_API size_t gr_inspect_actors(gr_runtime *rt, uint64_t *cursor, size_t max, gr_inspect_fn *fn,
                                void *arg);

#ifdef __cplusplus
}
#endif
#endif
