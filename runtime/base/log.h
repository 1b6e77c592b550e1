/* SPDX-License-Identifier: Apache-2.0 */
/* log.h - lines for the host's log hook: only what no return value can carry. Never a secret. */
#ifndef GR_RUNTIME_BASE_LOG_H
#define GR_RUNTIME_BASE_LOG_H

#include <stdatomic.h>

#include <greenroom/base.h>

enum { GRI_LOG_ERROR = 0, GRI_LOG_WARN = 1, GRI_LOG_INFO = 2, GRI_LOG_DEBUG = 3 };

void gri_log(int level, const char *fmt, ...) GR_PRINTF(2, 3);

/*
 * A gate lets one line through a second, however often its cause comes; the next line that passes
 * says how many were held back. For what others can cause as often as they like. Zeroed is ready.
 */
struct gri_log_gate {
    _Atomic uint64_t shut_until_ns;
    _Atomic uint32_t held_back;
};
void gri_log_gated(struct gri_log_gate *g, uint64_t now_ns, int level, const char *fmt, ...)
    GR_PRINTF(4, 5);

#endif
