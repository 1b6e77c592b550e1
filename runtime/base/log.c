/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/assert.h"

#define GATE_NS UINT64_C(1000000000)

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

static bool is_wanted(int level)
{
    return level <= atomic_load_explicit(&log_level, memory_order_acquire) &&
           atomic_load(&log_fn) != NULL;
}

static void hand_over(int level, const char *text)
{
    gr_log_fn *fn = atomic_load(&log_fn);

    if (fn != NULL)
        fn(atomic_load(&log_arg), level, text);
}

void gri_log(int level, const char *fmt, ...)
{
    char text[512];
    va_list ap;

    if (!is_wanted(level))
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    hand_over(level, text);
}

/* pass takes the second that now begins, for one caller. */
static bool pass(struct gri_log_gate *g, uint64_t now_ns)
{
    uint64_t until = atomic_load_explicit(&g->shut_until_ns, memory_order_relaxed);

    return now_ns >= until &&
           atomic_compare_exchange_strong(&g->shut_until_ns, &until, now_ns + GATE_NS);
}

void gri_log_gated(struct gri_log_gate *g, uint64_t now_ns, int level, const char *fmt, ...)
{
    char text[512];
    uint32_t held_back;
    size_t len;
    va_list ap;

    if (!is_wanted(level))
        return;
    if (!pass(g, now_ns)) {
        atomic_fetch_add_explicit(&g->held_back, 1, memory_order_relaxed);
        return;
    }
    held_back = atomic_exchange_explicit(&g->held_back, 0, memory_order_relaxed);
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text) - 40, fmt, ap);
    va_end(ap);
    len = strlen(text);
    if (held_back > 0)
        snprintf(text + len, sizeof(text) - len, " (and %u lines before)", (unsigned)held_back);
    hand_over(level, text);
}

_Noreturn void gri_check_failed(const char *what, const char *file, int line)
{
    gri_log(GRI_LOG_ERROR, "check failed: %s (%s:%d)", what, file, line);
    fprintf(stderr, "greenroom: check failed: %s (%s:%d)\n", what, file, line);
    abort();
}
