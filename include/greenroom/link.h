/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link.h - the end of an actor, and who is told of it: exit reasons, links, monitors.
 *
 * An actor ends with a reason, which is a value:
 *
 *   "normal"              it was told to stop (gr_stop), or said so (gr_exit)
 *   "shutdown"            its scope ended, or a supervisor stopped it; also {"shutdown": anything}
 *   an error value        a crash: gr_exit with an error, or an init that failed
 *   "killed"              gr_exit_to with "kill"
 *   "noproc"              told in place of a reason: it was gone before anybody looked
 *   "noconnection"        told of an actor of another node: the link to that node was lost
 *   any other value       what gr_exit or gr_exit_to was given
 *
 * A link joins two actors: when one ends, the other gets an exit signal with its reason. "normal"
 * is ignored. Any other reason ends the receiver too, with the same reason, unless it traps exits:
 * then its class's `exited` is called. A monitor goes one way and only tells: the class's `down` is
 * called exactly once for each, however the race between its making and the end went.
 *
 * An exit signal interrupts what the receiver waits for: the wait gives GR_EINTR, and so do all
 * later ones; the handler runs to its end. What is told by exited and down lies in memory set aside
 * when the link or monitor was made, comes before the messages in the mailbox, and doesn't count
 * for its bound.
 *
 * An actor ends in this order: it takes no more messages, and what is queued fails; handlers under
 * way end; terminate; the calls that it has deferred fail; its names are free; links are signalled;
 * monitors fire; stopped; its slot is free. What fails by an exit gets GR_EBROKEN with kind
 * "ActorExit", the reason as its "cause" (an error) or "detail", and may be retried
 * (gr_error_retryable); after gr_stop and the end of a scope, GR_EDEAD.
 *
 * All of this works with actors of other nodes, through their proxies: those that gr_remote makes,
 * and refs that came in a message (node.h). What is linked or watched is the actor that the proxy
 * stands for when the other node is asked, "noproc" if there is none; what is told is the proxy's
 * ref. Each tie is told once: with the actor's own reason or, when the link is lost, or can't be
 * made, "noconnection"; a link made later revives nothing. A named proxy itself goes on. Where no
 * more can be had over there, what is told is an error, GR_EFULL or GR_ENOMEM. A link made through a
 * named proxy is another one than a link with a ref of the same actor. Other refs of other nodes
 * give GR_EUNREACH.
 */
#ifndef GREENROOM_LINK_H
#define GREENROOM_LINK_H

#include <greenroom/actor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- reasons --------------------------------------------------------------------------------- */

/* gr_reason_is tells whether a reason is a given word, such as "killed". [any] */
GR_API bool gr_reason_is(const gr_value *reason, const char *word);
/* gr_reason_clean tells whether a reason is an intended end: "normal", "shutdown" or {"shutdown":
 * …}. [any] */
GR_API bool gr_reason_clean(const gr_value *reason);

/*
 * gr_exit_to sends an exit signal. "normal" does nothing unless the actor traps exits, or sends it
 * to itself. "kill" can't be trapped: whatever the actor is doing it ends with "killed", without
 * terminate. A trapping actor's `exited` sees who sent it, {0, 0} if that was no actor.
 * To a proxy it is sent on, behind what the same sender has told it, and ends the other node's actor,
 * "kill" too: a peer that has shown who it is (by a secret, ipc, or TLS with certificates on both sides) may
 * end what it can reach; of any other an exit signal is dropped, and a link fails with GR_EINVAL. As with a message nobody is told if it gets lost on the
 * way; a monitor does tell. To end a proxy itself: gr_stop.
 * Errors: GR_EDEAD it is gone, GR_EUNREACH, GR_EINVAL no reason; GR_EFULL too many exits wait for a
 * trapping actor, or the proxy's mailbox is full; GR_ENOMEM.    [any]
 */
GR_API gr_code gr_exit_to(gr_runtime *rt, gr_ref to, gr_value *reason GR_TAKES);
/* gr_trap_exit: from now on exit signals call `exited` in place of ending the actor; or no longer.
 * [actor] */
GR_API void gr_trap_exit(gr_ctx *c, bool on);

/* ---- links ----------------------------------------------------------------------------------- */

/*
 * gr_link links this actor with another, both ways; once a pair, whoever asks and how often. With
 * an actor that is gone it sends this one the exit signal "noproc"; with itself it does nothing.
 * Errors: GR_EFULL at either's ties_max, GR_EUNREACH, GR_EINVAL an empty ref; GR_ENOMEM.   [actor]
 */
GR_API gr_code gr_link(gr_ctx *c, gr_ref to);
/* gr_unlink takes the link away. No exit signal of that link comes after it has returned, also if
 * one was under way. [actor] */
GR_API void gr_unlink(gr_ctx *c, gr_ref to);

/* ---- monitors -------------------------------------------------------------------------------- */

/*
 * gr_monitor has `down` called once when who ends; at once with "noproc" if it is gone. Several on
 * the same actor count each for itself. *ret_monitor is unique in this runtime.
 * Errors: as gr_link.    [actor]
 */
GR_API gr_code gr_monitor(gr_ctx *c, gr_ref who, uint64_t *ret_monitor);
/* gr_demonitor ends a monitor: `down` is not called for it afterwards. false: there is no such
 * monitor of this actor, or it has fired and been told. [actor] */
GR_API bool gr_demonitor(gr_ctx *c, uint64_t monitor);

/*
 * gr_ended returns a future of who's exit reason, for code that is no actor: it has the reason as
 * its value, or fails with it if that is an error. An actor that is gone: "noproc". Freeing it ends
 * the monitor. NULL only when out of memory.    [any]
 */
GR_API gr_future *gr_ended(gr_runtime *rt, gr_ref who);

/* ---- counting -------------------------------------------------------------------------------- */

/* gr_dead_letters returns how many messages were lost in this runtime since its start: told to an
 * actor that ended before it got to them, sent by gr_send_after to one that had ended by then, told
 * by link.h to one whose class has no method for them, or sent to a name that nobody had; told to a pool
 * that knows no provider, or over a link that there is not, or that has no room; or come from another node for a
 * name that takes none. What gr_tell returns an error for is not lost, nor what a full mailbox drops; what was on its
 * way when a link is lost is not known. [any] */
GR_API uint64_t gr_dead_letters(gr_runtime *rt);

#ifdef __cplusplus
}
#endif
#endif
