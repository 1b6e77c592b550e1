/* SPDX-License-Identifier: Apache-2.0 */
/*
 * actor.h - an actor: its mailbox, its turn, its end.
 *
 * All that senders change is one pair of words, `inbox`, which they change in one step:
 *
 *   head   where the newest message lies (48 bits), or GRI_IDLE: no turn is queued or running, or
 *          GRI_CLOSED: it has ended, or NULL; and the generation's low 16 bits
 *   load   pins (22 bits), GRI_LOAD_DRAINED, messages that have a place (22 bits), and the generation's
 *          high 19 bits
 *
 * The mailbox is a stack that senders push on and the turn takes whole and turns around, so order
 * between a pair holds. The push that replaces IDLE readies the turn, no other does; the turn puts IDLE
 * back when it finds nothing. Places are what mailbox_max bounds. A turn gives those of the messages
 * that it has handled back by the bundle (`owed`), since senders fight for the pair.
 *
 * A pin keeps the actor: whoever is on the way to it with a call, holds a call that runs in it, or looks
 * at it, has one, and so has the actor itself until it has been told to stop and has emptied its mailbox
 * (DRAINED; from then on it takes no message). It ends when it is drained and idle, without pins and
 * places: whoever brings that about makes it CLOSED in the same step, and has it finished: stopped()
 * runs, the slot is given back. As the generation is in the pair, a step that a stale ref begins fails
 * when the slot has become another actor's meanwhile.
 */
#ifndef GR_RUNTIME_ACTOR_ACTOR_H
#define GR_RUNTIME_ACTOR_ACTOR_H

#include "runtime/actor/call.h"
#include "runtime/actor/klass.h"
#include "runtime/actor/registry.h"
#include "runtime/base/list.h"
#include "runtime/base/map.h"
#include "runtime/base/twin.h"

enum gri_actor_flags {
    GRI_READY = 1,    /* init is done */
    GRI_STOPPING = 2, /* told to stop: what is queued and what comes fails */
    GRI_DEAF = 4,     /* its class takes no tells */
    GRI_BOUNDED = 8,  /* it has `bounds` */
    GRI_FAILED = 32,  /* its init failed: it stays, to say so, until its scope ends */
    GRI_HELD = 16,    /* calls wait for a permit; whoever gives one back readies the turn */
    GRI_SAID = 64,    /* `reason` is worth telling to who calls */
    /* the following change under tie_lock only */
    GRI_EXITING = 128,   /* stopped by an exit: what waits in it is interrupted */
    GRI_KILLED = 256,    /* by "kill" */
    GRI_LOOSE = 512,     /* exiting, and what it had deferred does not hold it any more */
    GRI_DEAD = 1024,     /* everybody has been told of its end, or is being told */
    GRI_TRAPS = 2048,    /* gr_trap_exit */
    GRI_LISTENED = 8192, /* it has `callbacks` */
    GRI_SIGNALS = 4096   /* `signals` may hold some */
};

/*
 * Three cache lines. The first is what senders write; what else is in there is used when the actor is
 * made, ends, or is told something out of turn. The second is what senders and the turn read all the
 * time and seldom write, so that a flood of messages does not take it from them. The third is the
 * turn's. What few actors need is in `rare`.
 */
struct gri_actor {
    _Alignas(64) union gri_twin inbox;
    struct gri_member member; /* in its scope */
    struct gri_lock tie_lock; /* see tie.h and held.h */
    uint32_t slot;            /* its number, for good: the order of locks */

    _Alignas(64) _Atomic uint64_t id; /* 0 while the slot is free */
    _Atomic uint32_t flags;
    _Atomic uint32_t admit;                /* messages that the mailbox takes at present */
    const struct gri_klass *_Atomic klass; /* borrowed; senders look at it before they pin */
    gr_runtime *rt;                        /* borrowed */
    void *self;                            /* owned; state_size bytes, NULL if stateless */
    _Atomic(struct gri_rare *) rare;       /* owned; NULL: it has needed none of that yet */
    gr_value *reason; /* counted; why it ends, NULL: it doesn't; guarded by tie_lock */
    union {
        gr_value *args;   /* counted */
        uint64_t last_id; /* the slot's last id, once that actor has ended */
    };

    _Alignas(64) struct gri_task turn;
    struct gri_envelope *ready; /* taken from inbox, in order */
    /* a tell that was taken, but left in inbox as its end; see mailbox.h */
    struct gri_envelope *left;
    uint16_t owed;      /* places of messages that the turn has taken; owed_max at most */
    uint16_t owed_pins; /* pins of calls that it has ended */
    uint8_t owed_max;
    bool init_done;
    _Atomic uint8_t pin;      /* 1-based worker; 0: any; senders look at it before they pin */
    _Atomic bool room_wanted; /* somebody is in rare->room; written under tie_lock */
    union {
        struct gri_list *deferred;   /* a ring, guarded by tie_lock: see held.h */
        struct gri_actor *next_free; /* while the slot is free: see registry.h */
    };
    union {
        struct gri_list *waits; /* handlers that wait; a ring, guarded by tie_lock: see held.h */
        struct gri_actor *next_bundle; /* while the slot is free: see registry.h */
    };
};

_Static_assert(sizeof(void *) != 8 || sizeof(struct gri_actor) == 192, "three cache lines");

/*
 * What few actors need: made when first needed, gone when the slot is given back. Who has a pin or
 * has the turn may look at it; who has neither, under tie_lock while the actor is live.
 */
struct gri_rare {
    char *name;                /* owned; NULL: the class's */
    gr_value *callbacks;       /* counted; who hears of its own runs; NULL: nobody */
    struct gri_birth *origin;  /* owned; NULL: no supervisor has it; guarded by tie_lock */
    struct gri_bounds *bounds; /* owned; NULL: it has no further limits */
    uint32_t terminate_ms;

    uint32_t max_concurrency; /* 0: no limit */
    _Atomic uint32_t running; /* calls that hold one of max_concurrency */
    /* the turn's: calls for which there was no permit, in order */
    struct gri_envelope_queue waiting;

    uint32_t stash_max;
    struct gri_stash *stash; /* owned; NULL until something is stashed. The turn's */

    /* guarded by tie_lock: see tie.h and held.h */
    struct gri_list room; /* gri_room: senders that wait for room */
    struct gri_list thens;
    uint32_t tie_count, ties_max;
    size_t reason_bytes;                /* of the exit signals that wait, where it traps them */
    struct gri_map links;               /* the other actor's id -> bond_end */
    struct gri_map monitors;            /* number -> gri_monitor, which this actor has set */
    struct gri_list watchers;           /* gri_watch */
    struct gri_list names;              /* gri_name; guarded by names.lock as well */
    struct gri_signal *signals, **tail; /* in order; tail is NULL when there are none */
};

/* A sender that waits for room, on its stack; it holds a pin. */
struct gri_room {
    struct gri_list node; /* in the actor's room; guarded by tie_lock */
    struct gri_park park;
};

/* A handler of a reentrant class that may go on: the message that gives it the actor's control
 * back. */
struct gri_resume {
    struct gri_envelope envelope;
    struct gri_fiber *fiber; /* borrowed */
};

/* gri_registry_find returns the slot's actor, alive or not; NULL if no such slot was handed out
 * yet. [any] */
static inline struct gri_actor *gri_registry_find(struct gri_registry *r, uint64_t id)
{
    uint32_t slot = (uint32_t)(id & ((UINT64_C(1) << GRI_SLOT_BITS) - 1));
    /* acquire: the chunk's zeroed slots are seen by who finds its pointer */
    struct gri_actor *chunk =
        atomic_load_explicit(&r->chunks[slot >> GRI_CHUNK_BITS], memory_order_acquire);

    return chunk != NULL ? &chunk[slot & (GRI_CHUNK - 1)] : NULL;
}

/* gri_actor_rare is what the actor has of rare things; NULL: nothing. */
static inline struct gri_rare *gri_actor_rare(const struct gri_actor *a)
{
    /* acquire: pairs with gri_rare_make, whose block is filled in */
    return atomic_load_explicit(&a->rare, memory_order_acquire);
}
#define GRI_TERMINATE_MS 5000 /* the defaults */
#define GRI_TIES_MAX 65536
/* gri_rare_make returns that, and makes it if need be; NULL: out of memory. For who has a pin or has
 * the turn, and for an actor that is not published yet. */
struct gri_rare *gri_rare_make(struct gri_actor *a);
static inline struct gri_bounds *gri_actor_bounds(const struct gri_actor *a)
{
    const struct gri_rare *r = gri_actor_rare(a);

    return r != NULL ? r->bounds : NULL;
}
/* gri_actor_permits is max_concurrency; 0: there is no such limit. */
static inline uint32_t gri_actor_permits(const struct gri_actor *a)
{
    const struct gri_rare *r = gri_actor_rare(a);

    return r != NULL ? r->max_concurrency : 0;
}
/* gri_actor_mailbox_max is what the mailbox takes at most, whatever it admits at present. */
uint32_t gri_actor_mailbox_max(const struct gri_actor *a);

#define GRI_IDLE ((struct gri_envelope *)(uintptr_t)1)
#define GRI_CLOSED ((struct gri_envelope *)(uintptr_t)2)

#define GRI_HEAD_BITS 48 /* of a pointer; what is above is the generation's */
#define GRI_COUNT_BITS 22
#define GRI_COUNT_MAX ((UINT64_C(1) << GRI_COUNT_BITS) - 1)
/* Pins and places that are handed out; what is above is left for those who look first and add then. */
#define GRI_PINS_MAX (GRI_COUNT_MAX - 65536)
#define GRI_PLACES_MAX (GRI_COUNT_MAX - 65536)
#define GRI_ADMIT_ALL (GRI_PLACES_MAX + 32768) /* actor.admit of who drops the oldest instead */
#define GRI_PIN UINT64_C(1)
#define GRI_LOAD_DRAINED (UINT64_C(1) << GRI_COUNT_BITS)
#define GRI_PLACE (UINT64_C(1) << (GRI_COUNT_BITS + 1))
#define GRI_GENERATION_SHIFT (2 * GRI_COUNT_BITS + 1)
/* what is left of an actor's load when it may end */
#define GRI_LOAD_OVER(load)                                                                        \
    (((load) & ((UINT64_C(1) << GRI_GENERATION_SHIFT) - 1)) == GRI_LOAD_DRAINED)

static inline struct gri_envelope *gri_inbox_top(uint64_t head)
{
    return (struct gri_envelope *)(uintptr_t)(head & ((UINT64_C(1) << GRI_HEAD_BITS) - 1));
}
static inline uint64_t gri_inbox_head(uint64_t generation_of, const struct gri_envelope *top)
{
    return (generation_of >> GRI_HEAD_BITS << GRI_HEAD_BITS) | (uint64_t)(uintptr_t)top;
}
static inline uint64_t gri_load_pins(uint64_t load)
{
    return load & GRI_COUNT_MAX;
}
static inline uint64_t gri_load_places(uint64_t load)
{
    return (load >> (GRI_COUNT_BITS + 1)) & GRI_COUNT_MAX;
}
/* gri_inbox_is tells whether the pair is that of the actor `id`. */
static inline bool gri_inbox_is(union gri_two in, uint64_t id)
{
    return ((in.head >> GRI_HEAD_BITS) | (in.load >> GRI_GENERATION_SHIFT << 16)) ==
           id >> GRI_SLOT_BITS;
}
static inline uint64_t gri_actor_load(const struct gri_actor *a)
{
    return gri_twin_load(&a->inbox);
}

/* gri_actor_pin finds a ref's actor in this runtime and pins it. NULL with *ret_err, owned by the
 * caller, when it can't. See also gri_actor_enter. */
struct gri_actor *gri_actor_pin(gr_runtime *rt, gr_ref ref, gr_value **ret_err);
/* gri_actor_pin_again adds a pin to one that the caller has, or to an actor that can't have left its
 * scope yet. gri_actor_pin_more likewise, for what may be many: false, there are too many already. */
static inline void gri_actor_pin_again(struct gri_actor *a)
{
    gri_twin_add(&a->inbox, GRI_PIN);
}
static inline bool gri_actor_pin_more(struct gri_actor *a)
{
    if (gri_load_pins(gri_actor_load(a)) >= GRI_PINS_MAX)
        return false;
    gri_twin_add(&a->inbox, GRI_PIN);
    return true;
}
/* gri_actor_pin_id pins the actor of that id unless it has ended; NULL if it has. With `live` it must
 * not be drained either. */
struct gri_actor *gri_actor_pin_id(gr_runtime *rt, uint64_t id, bool live);
void gri_actor_unpin(struct gri_actor *a);
/* gri_actor_unqueue gives the place in the mailbox back; the caller has a pin, or the turn.
 * gri_actor_leave gives a place and a pin back. */
void gri_actor_unqueue(struct gri_actor *a);
void gri_actor_leave(struct gri_actor *a);
/* gri_actor_settle gives back what the turn owes; for who has the turn and may keep it for long. */
void gri_actor_settle(struct gri_actor *a);
/* gri_actor_debt is what a turn has to give back of `load`. */
static inline uint64_t gri_actor_debt(const struct gri_actor *a)
{
    return a->owed * GRI_PLACE + a->owed_pins * GRI_PIN;
}
/* gri_actor_handled counts messages for who looks (inspect.h): by the turn, which alone writes it, when it gives
 * their places back. So it is about one store a turn, into the line that it has. */
static inline void gri_actor_handled(struct gri_actor *a, uint64_t more)
{
    _Atomic uint64_t *handled = &a->turn.handled;

    atomic_store_explicit(handled, atomic_load_explicit(handled, memory_order_relaxed) + more,
                          memory_order_relaxed);
}
/* gri_actor_look_for_room wakes who waits for room, if a mailbox that was left with this load is half
 * empty. */
void gri_actor_look_for_room(struct gri_actor *a, uint64_t load);

/* gri_actor_wait_room waits until the mailbox of a pinned actor has room for a message of so many
 * bytes. GR_OK: try again. [waits] */
gr_code gri_actor_wait_room(struct gri_actor *a, uint32_t bytes);
/* gri_actor_offer_room wakes who waits for room, if there is any: before the actor does nothing for
 * a while. */
void gri_actor_offer_room(struct gri_actor *a);
/* gri_actor_give_turn_away is for a handler of a reentrant class that waits: others may run. */
void gri_actor_give_turn_away(struct gri_actor *a);

/* gri_actor_send_call brings a call that holds pin and place to its method. */
void gri_actor_send_call(struct gri_actor *a, struct gri_call *call);
/* gri_actor_listened tells whether somebody hears of the actor's own runs, whatever the call's config
 * says; gri_actor_listen notes that in a call that has come. */
static inline bool gri_actor_listened(const struct gri_actor *a)
{
    return (atomic_load_explicit(&a->flags, memory_order_relaxed) & GRI_LISTENED) != 0;
}
void gri_actor_listen(struct gri_actor *a, struct gri_call *call);
/* gri_actor_release_permit gives one of max_concurrency back. */
void gri_actor_release_permit(struct gri_actor *a);
/* gri_actor_stop ends it after its current message, with a reason, which counts unless an exit comes
 * with another. */
void gri_actor_stop(struct gri_actor *a, const gr_value *reason);
/* gri_actor_exit is gr_exit's end: what waits in it is interrupted. The caller has a pin. */
void gri_actor_exit(struct gri_actor *a, gr_value *reason GR_TAKES);
/* gri_actor_error says why an actor that ends takes no calls. The caller has a pin. where may be
 * NULL. */
gr_value *gri_actor_error(struct gri_actor *a, const char *where);
/* gri_actor_wake_senders lets those go on who wait for room. */
void gri_actor_wake_senders(struct gri_actor *a);
const char *gri_actor_name(const struct gri_actor *a);
static inline bool gri_actor_exclusive(const struct gri_actor *a)
{
    return !a->klass->stateless && !a->klass->cls->reentrant;
}
gr_ref gri_actor_ref(const struct gri_actor *a);

/* gri_actor_ready_turn readies a turn, or what else a->turn stands for. Only for who has the turn, or
 * has taken IDLE out of the inbox. */
void gri_actor_ready_turn(struct gri_actor *a);

/* gri_actor_free_state: nobody uses it any more. spawn.c */
void gri_actor_free_state(struct gri_actor *a);
/* gri_actor_finish_run is the task of an actor that nobody pins any more: see exit.c. */
void gri_actor_finish_run(struct gri_task *t);
/* gri_ref_error says why a ref leads to no actor. */
gr_value *gri_ref_error(gr_runtime *rt, gr_ref ref);

/* turn.c: the task that handles messages. */
void gri_turn_run(struct gri_task *t);
/* gri_envelope_drop throws a queued message away: a call fails with err. [any] */
void gri_envelope_drop(struct gri_actor *a, struct gri_envelope *e, gr_value *err GR_TAKES);
/* gri_call_drop_shell lets go of a call that was cancelled while it was queued. */
void gri_call_drop_shell(struct gri_actor *a, struct gri_call *call);
/* gri_call_on_pool is what the blocking pool does with a call: gri_blocking_opts.run.
 * gri_call_withdraw takes a call that was cancelled out of that pool's queue: true, the shell is the
 * caller's, to be passed to gri_call_on_pool with GR_ECANCELED. */
void gri_call_on_pool(struct gri_job *job, gr_code rc);
bool gri_call_withdraw(struct gri_call *call);

/* stash.c, for the turn and the handlers. gri_stash_call keeps a call whose handler has asked for
 * that, and gri_stash_next takes what was put back; `all`: what is still kept, too. */
struct gri_stash;
void gri_stash_call(struct gri_actor *a, struct gri_call *call);
struct gri_envelope *gri_stash_next(struct gri_actor *a, bool all);
bool gri_stash_holds(const struct gri_actor *a); /* a message, kept or put back */

/* handler.c: runs one message's handler on this stack. */
/* started; ends it, or a promise does */
void gri_handle_call(struct gri_actor *a, struct gri_call *call);
void gri_handle_tell(struct gri_actor *a, gr_value *msg GR_TAKES);
gr_code gri_handle_init(struct gri_actor *a);
void gri_handle_exited(struct gri_actor *a, gr_ref from, const gr_value *reason);
void gri_handle_down(struct gri_actor *a, uint64_t monitor, gr_ref who, const gr_value *reason);
void gri_handle_terminate(struct gri_actor *a, const gr_value *reason);
/* gri_actor_with_where says which actor failed, unless the error does so already; other values, and
 * NULL, come back as they are. */
gr_value *gri_actor_with_where(const struct gri_actor *a, gr_value *v GR_TAKES);
/* tell.c, then.c: what lies in an envelope of their kind */
void gri_then_run(struct gri_actor *a, struct gri_envelope *e, bool live);
/* later.c: a timer's message */
void gri_later_run(struct gri_actor *a, struct gri_envelope *e, bool live);
/* tell.c: gri_tell_new_alone makes the envelope of a tell that is to stay for long, and so does not come from
 * a region (region.h); NULL: out of memory, and msg is still the caller's.
 * gri_tell_free frees one that was not sent. */
struct gri_envelope *gri_tell_new_alone(gr_value *msg);
void gri_tell_free(struct gri_envelope *e);
/* gri_tell_open takes a tell's message out, the caller's; gri_tell_discard frees the envelope then. */
gr_value *gri_tell_open(gr_runtime *rt, struct gri_envelope *e);
void gri_tell_discard(struct gri_envelope *e);
/* defaults.c: serve a started call by langchain-core's default; consumes the duty */
void gri_default_run(struct gri_call *call, enum gri_how how);

#endif
