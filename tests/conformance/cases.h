/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cases.h - what langchain-core does, case by case.
 *
 * A case names a chain to build, a verb, an input and what must come out, as JSON. The ids are
 * those of the catalogue that was recorded on langchain-core 1.2.19, and are printed; where
 * Greenroom differs on purpose the case says so, and expects Greenroom's. Each test has a runtime of
 * its own (gr_runtime_new).
 */
#ifndef GR_TESTS_CONFORMANCE_CASES_H
#define GR_TESTS_CONFORMANCE_CASES_H

#include <stdio.h>

#include "tests/support/runnables.h"

enum verb { INVOKE, BATCH, STREAM, TRANSFORM, SUM, INVOKE_FAILS, BATCH_KEEPS, STREAM_FAILS };

struct expectation {
    const char *id;
    gr_ref (*chain)(void);
    enum verb verb;
    const char *input;    /* JSON; for TRANSFORM the list of chunks */
    const char *expected; /* JSON; for the failing ones the chunks, or part of the error's text */
    gr_code code;
};

/* kept turns the errors in a batch's answers into "!" and their texts. */
static inline gr_value *kept(gr_value *list)
{
    gr_value *out = gr_list_n(NULL, 0);

    for (size_t i = 0; i < gr_len(list); i++) {
        const gr_value *v = gr_at(list, i);

        out = gr_append(out, gr_error_code(v) == GR_OK ? gr_value_ref(v)
                                                       : gr_strf("!%s", gr_error_text(v)));
    }
    gr_value_unref(list);
    return out;
}

static inline void check_failing_stream(gr_ref r, const struct expectation *e)
{
    gr_value *err = NULL;

    is(chunks(gr_astream(rt, r, json(e->input), NULL), &err), e->expected);
    cr_assert_eq(gr_error_code(err), e->code, "%s", e->id);
    gr_value_unref(err);
}

static inline void check(const struct expectation *e)
{
    gr_ref r = e->chain();

    fprintf(stderr, "%s\n", e->id);
    switch (e->verb) {
    case INVOKE: invoke_is(r, e->input, e->expected); break;
    case BATCH: batch_is(r, e->input, e->expected); break;
    case STREAM: stream_is(r, e->input, e->expected); break;
    case TRANSFORM: transform_is(r, e->input, e->expected); break;
    case SUM: sum_equals(gr_astream(rt, r, json(e->input), NULL), e->expected); break;
    case INVOKE_FAILS: invoke_fails(r, e->input, e->code, e->expected); break;
    case STREAM_FAILS: check_failing_stream(r, e); break;
    case BATCH_KEEPS:
        is(kept(answer(gr_abatch(rt, r, json(e->input), GR_CALL(.return_exceptions = true)))),
           e->expected);
        break;
    }
}

static inline void check_all(const struct expectation *cases, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check(&cases[i]);
}

static inline gr_value *same_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c, (void)arg;
    return gr_value_ref(input);
}

static inline gr_ref lambda(gr_kind kind, gr_lambda_fn *fn)
{
    return gr_lambda(root, kind, fn, NULL, NULL);
}

#endif
