/* SPDX-License-Identifier: Apache-2.0 */
/*
 * torture.h - scenes: what is done while something fails, and what may come of it.
 *
 * A scene uses Greenroom in one way. The harness runs it once in peace, counting what could fail,
 * then again for each of these with just that failing (faults.h). Each run must end within ten
 * seconds, give either the right answer or the right error, leave no memory, thread or descriptor
 * behind, and leave a runtime that works. A scene therefore never asserts that a call succeeds: it
 * says through the functions below what the right answer is.
 *
 * Scenes run in child processes, so a crash or a hang is one failure among others and is known by
 * name: `torture --scene NAME --fault CLASS --at N[:VARIANT[:ROUND]]` repeats it.
 */
#ifndef GR_TESTS_TORTURE_TORTURE_H
#define GR_TESTS_TORTURE_TORTURE_H

#include <greenroom/greenroom.h>

enum {
    SCENE_OWN = 1,    /* makes the runtimes that it needs itself */
    SCENE_HTTP = 2,   /* talks to the HTTP server: the connection may be lost */
    SCENE_LINK = 4,   /* talks between two runtimes: the link may be lost */
    SCENE_FILES = 8,  /* reads files: they may be unreadable */
    SCENE_SILENT = 16 /* prints: its output is thrown away */
};

struct scene {
    const char *name;
    void (*run)(void);
    unsigned flags;
};

struct scenes {
    const struct scene *scenes;
    size_t count;
};
#define SCENES(array)                                                                              \
    {                                                                                              \
        (array), sizeof(array) / sizeof((array)[0])                                                \
    }

extern const struct scenes engine_scenes, async_scenes, compose_scenes, kinds_scenes, agents_scenes,
    text_scenes, codec_scenes, http_scenes, link_scenes, command_scenes, mcp_scenes;

/* The runtime of the run, unless the scene is SCENE_OWN. */
extern gr_runtime *rt;
extern gr_scope *root;

/* ---- saying what came ------------------------------------------------------------------------ */

/* said checks that a call may end with this code now; true for GR_OK and GR_EOS. */
bool said(gr_code rc);
/* said_why does so with an error value, which it takes; NULL is no error, and true. */
bool said_why(gr_value *err);
/* may_also allows one more code in this run; nothing allows a code when nothing has failed. */
void may_also(gr_code rc);

/* answer waits for f: its value, yours, or NULL after an error that is in order. */
gr_value *answer(gr_future *f);
/* gives checks that f gives just this JSON, or an error that is in order. is does so with a value
 * that it takes; an error value or NULL counts as an error. */
void gives(gr_future *f, const char *json);
void is(gr_value *v, const char *json);
/* sums checks that the chunks of s add up to this JSON, or that it ends in an error in order. */
void sums(gr_stream *s, const char *json);
/* claim is what must hold whatever has failed. */
#define claim(cond)                                                                                \
    do {                                                                                           \
        if (!(cond))                                                                               \
            torture_fail("%s:%d: this does not hold: %s", __FILE__, __LINE__, #cond);              \
    } while (0)
void torture_fail(const char *fmt, ...) GR_PRINTF(1, 2) __attribute__((noreturn));

/* A few actors, in the run's root scope. */
gr_ref echo(void);
gr_ref echo_in(gr_runtime *in); /* another runtime's */
gr_ref nap(void);               /* sleeps for so many milliseconds */

/* scene_ten streams "0" to "9". */
static inline gr_code scene_ten(gr_ctx *c, void *self, gr_stream *in, const gr_value *args)
{
    gr_code rc = GR_OK;

    (void)self, (void)in, (void)args;
    for (int i = 0; i < 10 && rc == GR_OK; i++)
        rc = gr_emit(c, gr_strf("%d", i));
    return rc;
}

/* ---- the HTTP server of SCENE_HTTP ----------------------------------------------------------- */

struct fault_server;
struct fault_server *http_server(void); /* the scene adds no scripts: http_scripts does */
void http_scripts(struct fault_server *s);
void mcp_scripts(struct fault_server *s);

/* ---- running one (run.c) --------------------------------------------------------------------- */

#include "tests/torture/faults.h"

/* torture_begin prepares this process for the scene; torture_run runs it once, with a fault, and
 * checks all that is promised; workers is for the runtime of the run. torture_fail calls `failed` with the text, which must not return. */
void torture_begin(const struct scene *s, void (*failed)(const char *text));
void torture_run(const struct scene *s, enum fault_class c, long at, int variant, unsigned workers);
void torture_end(const struct scene *s);

#endif
