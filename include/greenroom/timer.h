/* SPDX-License-Identifier: Apache-2.0 */
/* timer.h - messages that are sent later. */
#ifndef GREENROOM_TIMER_H
#define GREENROOM_TIMER_H

#include <greenroom/value.h>

#ifdef __cplusplus
extern "C" {
#endif

/* gr_timer names a message that was sent for later. {0, 0} names none. */
typedef struct gr_timer {
    uint64_t node, id;
} gr_timer;

/*
 * gr_send_after has msg told to `to` in `ms` milliseconds (0 or less: as soon as may be), never
 * earlier. Its place is reserved now: when it is due, a full mailbox doesn't refuse it. If `to` has
 * stopped by then, it is dropped, and counted as a dead letter. ret_timer may be NULL.
 *
 * Errors:  GR_EFULL at the runtime's timers_max or bytes_max, GR_ENOMEM, the value's own if broken,
 *          and what gr_tell says of an actor that isn't there or receives nothing.    [any]
 */
GR_API gr_code gr_send_after(gr_runtime *rt, gr_ref to, int64_t ms, gr_value *msg GR_TAKES,
                             gr_timer *ret_timer);

/*
 * gr_cancel_timer takes the message back. true: it was still to come, and its receive will not be
 * called, even if it lay in the mailbox already. false: it has been handled or is being handled
 * right now, was dropped, was cancelled before, or never was.    [any]
 */
GR_API bool gr_cancel_timer(gr_runtime *rt, gr_timer timer);

#ifdef __cplusplus
}
#endif
#endif
