/* SPDX-License-Identifier: Apache-2.0 */
/* log.h - lines for the host's log hook: only what no return value can carry. Never a secret. */
#ifndef GR_RUNTIME_BASE_LOG_H
#define GR_RUNTIME_BASE_LOG_H

#include <stdatomic.h>

#include <greenroom/base.h>

enum { GRI_LOG_ERROR = 0, GRI_LOG_WARN = 1, GRI_LOG_INFO = 2, GRI_LOG_DEBUG = 3 };

void gri_log(int level, const char *fmt, ...) GR_PRINTF(2, 3);
/* gri_log_actor says whom it is about, too: an actor by its name. */
void gri_log_actor(int level, const char *actor, const char *fmt, ...) GR_PRINTF(3, 4);

/*
 * A gate lets one line through a second, however often its cause comes; the next line that passes
 * says how many were held back. For what others can cause as often as they like, and have a say in: what is
 * told is one line, whatever they have put into it. Zeroed is ready.
 */
struct gri_log_gate {
    _Atomic uint64_t shut_until_ns;
    _Atomic uint32_t held_back;
};
void gri_log_gated(struct gri_log_gate *g, uint64_t now_ns, int level, const char *fmt, ...)
    GR_PRINTF(4, 5);

/* gri_log_peer says whom it is about, too: another node, by its URL. */
void gri_log_peer(struct gri_log_gate *g, uint64_t now_ns, int level, const char *peer,
                  const char *fmt, ...) GR_PRINTF(5, 6);

/* gri_one_line puts '?' in the place of line ends and other control characters. */
void gri_one_line(char *text);

#endif
