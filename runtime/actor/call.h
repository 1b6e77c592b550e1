/* SPDX-License-Identifier: Apache-2.0 */
/* gri: for actors/ */
/*
 * call.h - one call in flight: the message, the future, the duty to answer and what cancels it, in
 * one object; and native methods, which are given the call itself.
 *
 * Two references: the owner's (its gr_future) and the duty's. The duty lies with the mailbox while
 * the call is queued, with the handler while it runs, then with the promise if the handler
 * deferred. Whoever has the duty ends it by gri_call_end, exactly once.
 *
 * state: RUNNING while whoever has the duty holds the call; QUEUED once it is given to a queue;
 * then RUNNING again by whoever takes it from there, or DROPPED by a cancellation that came first,
 * which ends the call at once: the mailbox then finds a shell to throw away. From the blocking pool's
 * queue the cancellation takes the shell itself.
 *
 * A call that is sent for the first time is QUEUED before it can be found through its scope, unless
 * it has a timer to be set first, so that sending it takes no step of its own.
 *
 * life: how far the call has come, in one word, since the three who may decide that meet there by
 * one atomic step each. Whoever sets the first of CANCELLING and ENDED answers the call: a
 * cancellation, or who had the duty; the other one's answer is dropped. LEFT is set with ENDED, or,
 * if the call has a run scope or somebody holds the call in its place (HELD_HERE), when that is over; who
 * sets LEFT while HELD_HERE is not set takes the call out of its scope, else who takes HELD_HERE away does. If
 * nothing but its place there is left to give up, and another worker made it, it leaves in passing: see
 * leaves_in_passing.
 *
 * A call needs no reference to its parent while it is in its parent's run scope: the parent does not
 * leave its own scope, nor go, before that is empty. FOREIGN says that it is, or may be, elsewhere,
 * and has one; it has it until it leaves. So a handler that has still to answer may look at its call's parent
 * without a reference, but not at what is above that: see gri_run_holds.
 *
 * Cancelling completes the future at once, but the call stays in its scope until its handler has
 * returned and its own run scope is empty. So to await answers quickly, and to join a scope means
 * that all is over.
 */
#ifndef GR_RUNTIME_ACTOR_CALL_H
#define GR_RUNTIME_ACTOR_CALL_H

#include <greenroom/actor.h>

#include "runtime/actor/verb.h"
#include "runtime/async/future.h"
#include "runtime/async/scope.h"
#include "runtime/async/stream.h"
#include "runtime/sched/blocking.h"
#include "runtime/sched/timer.h"
#include "runtime/value/value_bytes.h"

struct gri_actor;
struct gri_budget;
struct gri_observed;
struct gri_run_limit;
struct gri_run_scope;

/* GRI_PROBE: a call that the actor answers itself, and that needs no permit */
enum gri_envelope_kind { GRI_CALL, GRI_PROBE, GRI_TELL, GRI_THEN, GRI_RESUME, GRI_LATER };

/* What lies in a mailbox. Small, since it is most of a tell. */
struct gri_envelope {
    struct gri_envelope *next;
    uint32_t bytes; /* what its values count for; see gri_charge */
    uint32_t stamp; /* when it came, where that matters: see bounds.h */
    uint8_t kind;   /* gri_envelope_kind */
    bool placed;    /* it has a place in the mailbox */
};

/* A first-in first-out list of envelopes; zeroed is empty. The owner says what guards it. */
struct gri_envelope_queue {
    struct gri_envelope *first, *last;
};

static inline void gri_envelope_push(struct gri_envelope_queue *q, struct gri_envelope *e)
{
    e->next = NULL;
    if (q->first != NULL)
        q->last->next = e;
    else
        q->first = e;
    q->last = e;
}

/* gri_envelope_pop returns NULL when the queue is empty. */
static inline struct gri_envelope *gri_envelope_pop(struct gri_envelope_queue *q)
{
    struct gri_envelope *e = q->first;

    if (e != NULL)
        q->first = e->next;
    return e;
}

enum gri_call_state { GRI_RUNNING, GRI_QUEUED, GRI_DROPPED };

enum gri_call_life {
    GRI_CANCELLING = 1,
    GRI_ENDED = 2,     /* the duty has ended */
    GRI_LEFT = 4,      /* its place in its scope is given up, or about to be */
    GRI_HELD_HERE = 8, /* somebody moves it, or goes past it */
    GRI_RAN = 16,      /* it has a run scope; set with `run`, under cancel.lock */
    GRI_FOREIGN = 32   /* `parent` is counted */
};

/* What few calls need; made when it is, and there until the call goes. */
struct gri_call_more {
    struct gri_call *call;  /* borrowed */
    struct gri_timer timer; /* for a deadline of the call's own; it has a reference while armed */
    struct gri_task late;   /* likewise, when that has passed */
    _Atomic(struct gri_observed *) observed; /* owned; see observed.h; NULL: it is not */
    bool timed;
    uint8_t permit;               /* gri_permit; guarded by limit->lock */
    bool room_armed;              /* guarded by cancel.lock */
    struct gri_budget *budget;    /* counted; the run's, NULL: it has none */
    struct gri_run_limit *limit;  /* counted; likewise */
    struct gri_call *permit_next; /* that waits for a permit after it; see run_limit.h */
    uint64_t asker;               /* the actor that may have only so many under way; 0: none */
    _Atomic uint64_t id;          /* for gr_cancel; 0 until somebody asks */
    void (*room)(void *arg); /* gr_on_cancel's; guarded by cancel.lock. Only calls that stream */
    struct gri_waiter room_waiter; /* in `out`, while a deferred producer waits for room */
    struct gri_task room_task;
};

struct gri_call {
    struct gr_future future; /* first, so that a gr_future is a call; see gri_call_of */
    struct gri_envelope envelope;
    /* Up to `cancel` is what who answers the call touches, who may be on another core; what follows stays with who
     * makes and frees it. */
    gr_runtime *rt;          /* borrowed */
    struct gri_actor *actor; /* pinned from sending to the end; NULL before */
    gr_value *args;          /* counted */
    /* counted: the reader's end of the input, which a cancellation may take away while the call is
     * queued, and the writer's end of the output */
    _Atomic(struct gr_stream *) in;
    struct gr_stream *out;
    /* owned; what the handler started; NULL until it is needed, then there until the call goes */
    _Atomic(struct gri_run_scope *) run;
    _Atomic(struct gri_call_more *) more; /* owned; NULL until it is needed */
    _Atomic uint32_t state;               /* gri_call_state */
    _Atomic uint32_t life;                /* gri_call_life */
    uint32_t depth;                       /* calls that it is nested in, itself counted */
    _Atomic uint16_t verb; /* a hand-over changes it while a cancellation may name it */
    /* a stream of an actor that has only invoke: the answer is the chunk */
    _Atomic bool one_chunk;
    /* bits of one byte: they change no more once the call is sent */
    bool streams : 1;    /* it was made with an `out`, which goes when it leaves */
    bool held_above : 1; /* a call above was in an exclusive actor: see gri_run_holds */
    _Atomic bool quick;  /* cheap or native: the waiter may run it on its own stack */
    bool counted;        /* holds one of the actor's max_concurrency */
    /* bits of one byte: only whoever has the duty looks at these */
    bool metered : 1;      /* counts among the runtime's calls, its bytes among the bytes */
    bool budgeted : 1;     /* its bytes are charged to the budget */
    bool keyed : 1;        /* its config has kwargs */
    bool named : 1;        /* its config has a run_name or a run_id */
    bool hooked : 1;       /* gr_on_cancel was called */
    bool heard : 1;        /* observed */
    _Atomic bool observed; /* somebody hears of its runs: see observed.h */
    bool promised;         /* gr_defer was called */
    uint8_t born;          /* the worker that made it, from 1; 0: no worker */
    bool listed, loose;    /* guarded by the actor's tie_lock; see held.h */
    /* the exclusive actor in which its handler is under way; 0: none */
    _Atomic uint64_t held;
    struct gri_cancel cancel; /* its lock also guards run, hook* and out */
    gr_value *config;         /* counted; NULL: nobody gave one */
    /* whose handler made the call, as long as it has not left; NULL: none. Counted if FOREIGN */
    struct gri_call *parent;
    struct gri_member member; /* in the caller's run scope, or where the options said */
    union {
        struct gri_task task;     /* when it goes to a worker past the mailbox */
        struct gri_job job;       /* of the blocking pool, which is done with the node by then */
        struct gri_list deferred; /* in actor->deferred while listed */
    };
    uint64_t deadline_ns;    /* 0: none */
    uint64_t target;         /* whom the caller meant; never changes */
    void (*hook)(void *arg); /* gr_on_cancel's */
    void *hook_arg;
    struct gri_exec *hook_busy; /* who runs a hook now; guarded by cancel.lock */
};

_Static_assert(offsetof(struct gri_call, job.place) == offsetof(struct gri_call, task.name),
               "a new call's job is new");

/* gri_call_more returns what it returned before, or makes it; NULL: out of memory. [any] */
struct gri_call_more *gri_call_more(struct gri_call *call);
/* gri_call_has_more returns it if it has been made. */
static inline struct gri_call_more *gri_call_has_more(struct gri_call *call)
{
    /* seq_cst: see finish and op_name */
    return atomic_load(&call->more);
}

/* gri_call_step_up goes from a call that the caller has a reference to, and gives up, to its parent,
 * with a reference. NULL: there is none, or the call has ended and so is waited for no more. [any] */
struct gri_call *gri_call_step_up(struct gri_call *call);

static inline struct gri_call *gri_call_of(struct gr_future *f)
{
    return gri_container_of(f, struct gri_call, future);
}

/* How a native method is written: kind GRI_NATIVE, fn = GRI_NATIVE_FN(f). f runs on a worker, must
 * not wait, and ends the call then or later. Its class must be stateless. The verb "*" takes all
 * verbs. */
#define GRI_NATIVE ((gr_kind)100)
/* GRI_PASSING is a native method that hands its call on at once, and has no run of its own. */
#define GRI_PASSING ((gr_kind)101)
/* GRI_SENDING is a native method that sends its call to another process: on the worker where it is made, if it can be,
 * so that no task stands between who calls and the link. */
#define GRI_SENDING ((gr_kind)102)

static inline bool gri_kind_native(gr_kind kind)
{
    return kind >= GRI_NATIVE && kind <= GRI_SENDING;
}

typedef void gri_native_fn(struct gri_call *call);
#define GRI_NATIVE_FN(f) ((gr_method_fn *)(void (*)(void))(f))

/* gri_call_end answers and lets go of everything. v NULL: "no value"; an error value rejects. For a
 * stream the value is dropped and the stream ended, well unless v is an error. Consumes the
 * duty. */
void gri_call_end(struct gri_call *call, gr_value *v GR_TAKES);

/* gri_charge counts bytes of a message among those that wait in the runtime, as long as it does;
 * gri_message_bytes is what to charge for a value. */
void gri_charge_some(gr_runtime *rt, int64_t bytes);
static inline void gri_charge(gr_runtime *rt, int64_t bytes)
{
    if (bytes != 0)
        gri_charge_some(rt, bytes);
}
uint32_t gri_message_weigh(const gr_value *v);
static inline uint32_t gri_message_bytes(const gr_value *v)
{
    return gri_value_is_light(v) ? 0 : gri_message_weigh(v);
}
/* gri_bytes_fit: there is room for so many, or never will be. gri_check_bytes is what to say when
 * there is none: GR_EFULL, or GR_ENOMEM if there never is; and counts it. */
bool gri_bytes_fit(gr_runtime *rt, uint32_t bytes);
gr_code gri_check_some(gr_runtime *rt, uint32_t bytes);
static inline gr_code gri_check_bytes(gr_runtime *rt, uint32_t bytes)
{
    return bytes == 0 ? GR_OK : gri_check_some(rt, bytes);
}

/* gri_call_cancel: see above; `why` is GR_ECANCELED or GR_ETIMEDOUT. [any], with a reference
 * held. */
void gri_call_cancel(struct gri_call *call, gr_code why);
bool gri_call_cancelled(struct gri_call *call);
/* gri_call_abort cancels a call whose actor exits: its caller gets err. */
void gri_call_abort(struct gri_call *call, gr_value *err GR_TAKES, gr_code why);

/* What a call in progress was sent with. Borrowed. */
const gr_value *gri_call_spawn_args(const struct gri_call *call); /* the actor's spawn arguments */
const char *gri_call_verb(const struct gri_call *call);
struct gri_sched *gri_call_sched(const struct gri_call *call);

/*
 * gri_call_sub starts a call on behalf of `parent`, in its run scope, with its deadline and config
 * (opts, which may be NULL, adds to them; opts->scope is ignored). For streaming verbs use
 * gri_call_sub_stream. Both return NULL only when out of memory.
 */
gr_future *gri_call_sub(struct gri_call *parent, gr_ref to, uint16_t verb, gr_value *args GR_TAKES,
                        const gr_call_opts *opts);
gr_stream *gri_call_sub_stream(struct gri_call *parent, gr_ref to, uint16_t verb,
                               gr_value *args GR_TAKES, gr_stream *in GR_TAKES,
                               const gr_call_opts *opts);

/*
 * gri_call_direct runs r's invoke at once on this stack when that is cheap code of a stateless
 * actor in this process: *ret_v is its answer, maybe an error. false: it can't be done, and args is
 * still the caller's. Never with kwargs or the name of a run, which r would take for its own.
 */
bool gri_call_direct(struct gri_call *parent, gr_ref r, gr_value *args, gr_value **ret_v);

/* gri_call_forward passes the call on to another actor as if it had been sent there: the same
 * future, stream, scope and deadline. args NULL keeps the call's; in NULL keeps its input. What names
 * the run of an actor that has one stays behind. Consumes the duty. */
void gri_call_forward(struct gri_call *call, gr_ref to, uint16_t verb, gr_value *args GR_TAKES,
                      gr_stream *in GR_TAKES);

/* gri_call_set_config gives the call another config, for those that it is passed on to; whoever has
 * the duty may. */
void gri_call_set_config(struct gri_call *call, gr_value *config GR_TAKES);

/* gri_delegate_runnable is gr_delegate to a runnable that stands in for the handler's own actor: the
 * same input, streamed if the call is, and one less of its recursion_limit. Return its result. */
gr_value *gri_delegate_runnable(gr_ctx *c, gr_ref to);
/* gri_delegate_whole is gr_delegate with the verb and the arguments as they are. */
gr_value *gri_delegate_whole(gr_ctx *c, gr_ref to);

/* gri_ref_name gives the name of an actor of this process, "remote" for any other; a text. */
gr_value *gri_ref_name(gr_runtime *rt, gr_ref ref);
/* gri_ref_args gives the spawn arguments of an actor of this process whose class is cls, counted; NULL for
 * any other. */
gr_value *gri_ref_args(gr_runtime *rt, gr_ref ref, const gr_class *cls);

/* gri_call_take_in hands the call's input stream over; NULL if there is none. */
gr_stream *gri_call_take_in(struct gri_call *call);

/* gri_call_on_cancel sets what is called once when the call is cancelled: as gr_on_cancel. */
gr_code gri_call_on_cancel(struct gri_call *call, void (*fn)(void *arg), void *arg);

/* gri_call_unhook forgets it, as gri_call_end does, and waits if it runs on another thread. */
void gri_call_unhook(struct gri_call *call);

/* gri_dead_letter counts a message that is lost. what is for the log: no content of it. */
void gri_dead_letter(gr_runtime *rt, const char *what);

#endif
