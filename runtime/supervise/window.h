/* SPDX-License-Identifier: Apache-2.0 */
/* window.h - how often is too often: at most so many restarts within a time that slides along. */
#ifndef GR_RUNTIME_SUPERVISE_WINDOW_H
#define GR_RUNTIME_SUPERVISE_WINDOW_H

#include <greenroom/base.h>

/* The times of the last `max` restarts, in a ring. One more is too many if the oldest of them is
 * not longer ago than the period, the end of which counts as in it, as in OTP. */
struct gri_window {
    uint64_t *times; /* owned; `max` of them; NULL if max is 0 */
    uint32_t max, count, next;
    uint64_t period_ns;
};

gr_code gri_window_init(struct gri_window *w, uint32_t max, uint64_t period_ns);
void gri_window_fini(struct gri_window *w);
/* gri_window_add notes a restart at now_ns, which never goes back. false: it is one too many. */
bool gri_window_add(struct gri_window *w, uint64_t now_ns);

#endif
