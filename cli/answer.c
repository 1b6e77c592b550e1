/* SPDX-License-Identifier: Apache-2.0 */
/*
 * answer.c - calling an actor and printing what it answers.
 *
 * A stream is read and printed by a runnable of its own, on the blocking pool, since standard
 * output may block; so the main thread waits for one future in any case, and hears Ctrl-C
 * meanwhile. What that runnable calls belongs to its run, so cancelling it ends the stream.
 */
#include <string.h>

#include "cli/chain.h"
#include "runtime/base/alloc.h"

struct printer {
    gr_ref who;
    const char *verb; /* NULL: the answer to invoke, as it comes */
    gr_value *config; /* counted; of what is called: the printer itself is no part of it */
    enum gri_form form;
    bool events; /* of the run, instead of its answer */
};

static void printer_free(void *arg)
{
    struct printer *p = arg;

    gr_value_unref(p->config);
    gri_free(p);
}

/* call_opts cover one call: the session's scope, the command's config and time limit. */
static gr_call_opts call_opts(const struct gri_session *s, const struct gri_options *o)
{
    return (gr_call_opts){ .size = sizeof(gr_call_opts),
                           .timeout_ms = o->timeout_ms,
                           .scope = s->scope,
                           .config = gr_value_ref(o->config),
                           .return_exceptions = o->return_exceptions };
}

static gr_stream *open_stream(gr_runtime *rt, const struct printer *p, const gr_value *input)
{
    const gr_call_opts *opts = GR_CALL(.config = gr_value_ref(p->config));

    if (p->events)
        return gr_astream_events(rt, p->who, gr_value_ref(input), opts, NULL);
    if (p->verb == NULL)
        return gr_astream(rt, p->who, gr_value_ref(input), opts);
    return gr_astream_call(rt, p->who, p->verb, gr_value_ref(input), NULL, opts);
}

/* print_stream is the printer's runnable: it answers with true when all was printed, with false
 * when it could not be. */
static gr_value *print_stream(gr_ctx *c, void *arg, const gr_value *input)
{
    struct printer *p = arg;
    gr_stream *stream = open_stream(gr_runtime_of(c), p, input);
    gr_value *failure = NULL;
    bool written = true, texts = false;

    for (;;) {
        gr_outcome chunk = gr_next(stream, -1);

        if (chunk.code == GR_EOS)
            break;
        if (chunk.code != GR_OK) {
            failure = chunk.error != NULL ? gr_value_ref(chunk.error)
                                          : gr_error(chunk.code, "the stream could not be read");
            break;
        }
        texts = p->form == GRI_FORM_TEXT && gri_is_text(chunk.value);
        if (gri_print(chunk.value, p->form, true) != GR_OK) {
            written = false; /* and that was said */
            break;
        }
    }
    gr_stream_free(stream);
    if (texts && written)
        written = gri_print_end() == GR_OK;
    return failure != NULL ? failure : gr_bool(written);
}

static int answer_stream(struct gri_session *s, gr_ref who, const char *verb, bool events,
                         struct gri_options *o)
{
    struct printer *p = gri_new0(struct printer);
    gr_call_opts opts = call_opts(s, o);
    gr_value *done, *error = NULL;
    int exit_code;

    if (p == NULL) {
        gr_value_unref(opts.config);
        return gri_session_fail(s, gr_error(GR_ENOMEM, "out of memory"));
    }
    *p = (struct printer){ .who = who,
                           .verb = verb,
                           .config = opts.config,
                           .form = events ? GRI_FORM_JSON : o->form,
                           .events = events };
    opts.config = NULL;
    done = gri_session_wait(
        s,
        gr_ainvoke(s->rt, gr_lambda(s->scope, GR_BLOCKING, print_stream, printer_free, p),
                   gr_value_ref(o->input), &opts),
        &error);
    if (done == NULL)
        return gri_session_fail(s, error);
    exit_code = gr_as_bool(done, false) ? GRI_EXIT_OK : GRI_EXIT_FAILED;
    gr_value_unref(done);
    return exit_code;
}

/* some_failed tells whether a batch's answers hold an error. */
static bool some_failed(const gr_value *answers)
{
    for (size_t i = 0; i < gr_len(answers); i++) {
        if (gr_error_code(gr_at(answers, i)) != GR_OK)
            return true;
    }
    return false;
}

int gri_chain_answer(struct gri_session *s, gr_ref who, const char *verb, enum gri_way way,
                     struct gri_options *o)
{
    gr_call_opts opts;
    gr_value *answer, *error = NULL;
    gr_future *f;
    int exit_code = GRI_EXIT_OK;

    if (way == GRI_WAY_STREAM || way == GRI_WAY_EVENTS)
        return answer_stream(s, who, verb, way == GRI_WAY_EVENTS, o);
    opts = call_opts(s, o);
    if (way == GRI_WAY_BATCH)
        f = gr_abatch(s->rt, who, gr_value_ref(o->input), &opts);
    else
        f = gr_acall(s->rt, who, verb != NULL ? verb : "invoke", gr_value_ref(o->input), &opts);
    answer = gri_session_wait(s, f, &error);
    if (answer == NULL)
        return gri_session_fail(s, error);
    if (gri_print(answer, o->form, false) != GR_OK || (way == GRI_WAY_BATCH && some_failed(answer)))
        exit_code = GRI_EXIT_FAILED;
    gr_value_unref(answer);
    return exit_code;
}
