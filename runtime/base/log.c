/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "runtime/base/assert.h"

/* The level is checked first and alone when nobody listens; fn and arg are set before it is
 * raised. */
static gr_log_fn *_Atomic log_fn;
static void *_Atomic log_arg;
static atomic_int log_level = -1;

void gr_set_log(gr_log_fn *fn, void *arg, int level_max)
{
    atomic_store(&log_level, -1);
    atomic_store(&log_arg, arg);
    atomic_store(&log_fn, fn);
    atomic_store(&log_level, fn != NULL ? level_max : -1);
}

void gri_log(int level, const char *fmt, ...)
{
    char text[512];
    gr_log_fn *fn;
    va_list ap;

    if (level > atomic_load_explicit(&log_level, memory_order_acquire))
        return;
    fn = atomic_load(&log_fn);
    if (fn == NULL)
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    fn(atomic_load(&log_arg), level, text);
}

_Noreturn void gri_check_failed(const char *what, const char *file, int line)
{
    gri_log(GRI_LOG_ERROR, "check failed: %s (%s:%d)", what, file, line);
    fprintf(stderr, "greenroom: check failed: %s (%s:%d)\n", what, file, line);
    abort();
}
