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
static gr_log_line_fn *_Atomic line_fn; /* one of the two */
static void *_Atomic log_arg;
static atomic_int log_level = -1;

static void set(gr_log_fn *fn, gr_log_line_fn *lines, void *arg, int level_max)
{
    atomic_store(&log_level, -1);
    atomic_store(&log_arg, arg);
    atomic_store(&log_fn, fn);
    atomic_store(&line_fn, lines);
    atomic_store(&log_level, fn != NULL || lines != NULL ? level_max : -1);
}

void gr_set_log(gr_log_fn *fn, void *arg, int level_max)
{
    set(fn, NULL, arg, level_max);
}

void gr_set_log_lines(gr_log_line_fn *fn, void *arg, int level_max)
{
    set(NULL, fn, arg, level_max);
}

static bool is_wanted(int level)
{
    return level <= atomic_load_explicit(&log_level, memory_order_acquire) &&
           (atomic_load(&log_fn) != NULL || atomic_load(&line_fn) != NULL);
}

static void hand_over(const gr_log_line *line)
{
    gr_log_fn *fn = atomic_load(&log_fn);
    gr_log_line_fn *lines = atomic_load(&line_fn);

    if (fn != NULL)
        fn(atomic_load(&log_arg), line->level, line->text);
    else if (lines != NULL)
        lines(atomic_load(&log_arg), line);
}

static void log_about(int level, const char *actor, const char *peer, const char *fmt, va_list ap)
    GR_PRINTF(4, 0);
static void log_about(int level, const char *actor, const char *peer, const char *fmt, va_list ap)
{
    char text[512];
    const gr_log_line line = {
        .size = sizeof(line), .level = level, .text = text, .actor = actor, .peer = peer
    };

    if (!is_wanted(level))
        return;
    vsnprintf(text, sizeof(text), fmt, ap);
    hand_over(&line);
}

void gri_log(int level, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    log_about(level, NULL, NULL, fmt, ap);
    va_end(ap);
}

void gri_log_actor(int level, const char *actor, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    log_about(level, actor, NULL, fmt, ap);
    va_end(ap);
}

void gri_one_line(char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < ' ' || *text == 127)
            *text = '?';
}

/* pass takes the second that now begins, for one caller. */
static bool pass(struct gri_log_gate *g, uint64_t now_ns)
{
    uint64_t until = atomic_load_explicit(&g->shut_until_ns, memory_order_relaxed);

    return now_ns >= until &&
           atomic_compare_exchange_strong(&g->shut_until_ns, &until, now_ns + GATE_NS);
}

static void log_gated(struct gri_log_gate *g, uint64_t now_ns, int level, const char *peer,
                      const char *fmt, va_list ap) GR_PRINTF(5, 0);
static void log_gated(struct gri_log_gate *g, uint64_t now_ns, int level, const char *peer,
                      const char *fmt, va_list ap)
{
    char text[512];
    const gr_log_line line = { .size = sizeof(line), .level = level, .text = text, .peer = peer };
    uint32_t held_back;
    size_t len;

    if (!is_wanted(level))
        return;
    if (!pass(g, now_ns)) {
        atomic_fetch_add_explicit(&g->held_back, 1, memory_order_relaxed);
        return;
    }
    held_back = atomic_exchange_explicit(&g->held_back, 0, memory_order_relaxed);
    vsnprintf(text, sizeof(text) - 40, fmt, ap);
    gri_one_line(text);
    len = strlen(text);
    if (held_back > 0)
        snprintf(text + len, sizeof(text) - len, " (and %u lines before)", (unsigned)held_back);
    hand_over(&line);
}

void gri_log_gated(struct gri_log_gate *g, uint64_t now_ns, int level, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    log_gated(g, now_ns, level, NULL, fmt, ap);
    va_end(ap);
}

void gri_log_peer(struct gri_log_gate *g, uint64_t now_ns, int level, const char *peer,
                  const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    log_gated(g, now_ns, level, peer, fmt, ap);
    va_end(ap);
}

_Noreturn void gri_check_failed(const char *what, const char *file, int line)
{
    gri_log(GRI_LOG_ERROR, "check failed: %s (%s:%d)", what, file, line);
    fprintf(stderr, "greenroom: check failed: %s (%s:%d)\n", what, file, line);
    abort();
}
