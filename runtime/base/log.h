/* SPDX-License-Identifier: Apache-2.0 */
/* log.h - lines for the host's log hook: only what no return value can carry. Never a secret. */
#ifndef GR_RUNTIME_BASE_LOG_H
#define GR_RUNTIME_BASE_LOG_H

#include <greenroom/base.h>

enum { GRI_LOG_ERROR = 0, GRI_LOG_WARN = 1, GRI_LOG_INFO = 2, GRI_LOG_DEBUG = 3 };

void gri_log(int level, const char *fmt, ...) GR_PRINTF(2, 3);

#endif
