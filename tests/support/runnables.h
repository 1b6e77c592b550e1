/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runnables.h - small runnables to compose, and what they are expected to give, written as JSON.
 *
 * All here is in a header, since the runner of the plain mode is one too. A test file says
 * TestSuite(noun, .init = set_up, .fini = tear_down) and gets the runtime `rt`, made by
 * gr_runtime_new, and its root scope.
 */
#ifndef GR_TESTS_SUPPORT_RUNNABLES_H
#define GR_TESTS_SUPPORT_RUNNABLES_H

#include <ctype.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#include <greenroom/greenroom.h>

#include "tests/support/test.h"

static gr_runtime *rt;
static gr_scope *root;

static inline void set_up(void)
{
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &rt), GR_OK);
    root = gr_root(rt);
}

static inline void tear_down(void)
{
    gr_runtime_free(rt);
    rt = NULL;
}

/* ---- expecting ------------------------------------------------------------------------------- */

static inline gr_value *json(const char *text)
{
    gr_value *v = gr_json_parse(text, strlen(text), NULL);

    cr_assert_eq(gr_error_code(v), GR_OK, "%s: %s", text, gr_error_text(v));
    return v;
}

/* is compares v, which it takes, with JSON, keys in their order. */
static inline void is(gr_value *v, const char *expected)
{
    gr_value *wanted = json(expected);
    char *text, *wanted_text;

    cr_assert_eq(gr_error_code(v), GR_OK, "%s instead of %s", gr_error_text(v), expected);
    text = gr_json_print(v, 0, NULL);
    wanted_text = gr_json_print(wanted, 0, NULL);
    cr_assert_str_eq(text, wanted_text, "%s instead of %s", text, wanted_text);
    gr_free(text);
    gr_free(wanted_text);
    gr_value_unref(wanted);
    gr_value_unref(v);
}

/* answer waits for f: the value, or the error, as a value. */
static inline gr_value *answer(gr_future *f)
{
    gr_outcome o = gr_await(f, TEST_WAIT_MS);
    gr_value *v;

    cr_assert_neq(o.code, GR_EPENDING, "no answer came");
    v = o.code == GR_OK ? gr_value_ref(o.value)
                        : (o.error != NULL ? gr_value_ref(o.error) : gr_error(o.code, "?"));
    gr_future_free(f);
    return v;
}

static inline void fails_with(gr_value *v, gr_code code, const char *part)
{
    cr_assert_eq(gr_error_code(v), code, "%s: %s", gr_code_name(gr_error_code(v)),
                 gr_error_text(v));
    cr_assert_not_null(strstr(gr_error_text(v), part), "'%s' is not in: %s", part,
                       gr_error_text(v));
    gr_value_unref(v);
}

static inline void invoke_is(gr_ref r, const char *input, const char *expected)
{
    is(answer(gr_ainvoke(rt, r, json(input), NULL)), expected);
}

static inline void invoke_fails(gr_ref r, const char *input, gr_code code, const char *part)
{
    fails_with(answer(gr_ainvoke(rt, r, json(input), NULL)), code, part);
}

static inline void batch_is(gr_ref r, const char *inputs, const char *expected)
{
    is(answer(gr_abatch(rt, r, json(inputs), NULL)), expected);
}

/* chunks reads s to the end: the list of its chunks; *ret_err is why it ended, NULL: well. Frees
 * s. */
static inline gr_value *chunks(gr_stream *s, gr_value **ret_err)
{
    gr_value *list = gr_list_n(NULL, 0);
    gr_outcome o;

    *ret_err = NULL;
    while ((o = gr_next(s, TEST_WAIT_MS)).code == GR_OK)
        list = gr_append(list, gr_value_ref(o.value));
    if (o.code != GR_EOS)
        *ret_err = o.error != NULL ? gr_value_ref(o.error) : gr_error(o.code, "?");
    gr_stream_free(s);
    return list;
}

static inline void chunks_are(gr_stream *s, const char *expected)
{
    gr_value *err = NULL, *list = chunks(s, &err);

    cr_assert_null(err, "%s", gr_error_text(err));
    is(list, expected);
}

static inline void stream_is(gr_ref r, const char *input, const char *expected)
{
    chunks_are(gr_astream(rt, r, json(input), NULL), expected);
}

static inline void transform_is(gr_ref r, const char *inputs, const char *expected)
{
    chunks_are(gr_atransform(rt, r, gr_stream_of(rt, json(inputs)), NULL), expected);
}

/* sum_equals compares the sum of the chunks; maps regardless of order. */
static inline void sum_equals(gr_stream *s, const char *expected)
{
    gr_value *err = NULL, *sum = gr_stream_take(s, &err), *wanted = json(expected);

    cr_assert_null(err, "%s", gr_error_text(err));
    cr_assert(gr_equal(sum, wanted));
    gr_value_unref(sum);
    gr_value_unref(wanted);
}

/* ---- lambdas --------------------------------------------------------------------------------- */

static inline gr_value *inc_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c, (void)arg;
    return gr_int(gr_as_int(input, 0) + 1);
}

static inline gr_value *dbl_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c, (void)arg;
    return gr_int(gr_as_int(input, 0) * 2);
}

static inline gr_value *shout_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c, (void)arg;
    return gr_strf("%s!", gr_cstr(input, "?"));
}

static inline gr_value *fail_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c;
    return gr_error(GR_EREMOTE, "%s:%s", arg != NULL ? (const char *)arg : "boom",
                    gr_cstr(input, "?"));
}

static inline gr_ref inc(gr_kind kind)
{
    return gr_lambda(root, kind, inc_fn, NULL, NULL);
}

static inline gr_ref dbl(gr_kind kind)
{
    return gr_lambda(root, kind, dbl_fn, NULL, NULL);
}

static inline gr_ref shout(gr_kind kind)
{
    return gr_lambda(root, kind, shout_fn, NULL, NULL);
}

/* boom fails with GR_EREMOTE "name:input". */
static inline gr_ref boom(gr_kind kind, const char *name)
{
    return gr_lambda(root, kind, fail_fn, NULL, (void *)(uintptr_t)name);
}

/* A lambda that counts its calls, and fails the first few. */
struct flaky {
    _Atomic int calls;
    int failures; /* so many calls fail */
    gr_code code;
    int retry_after_ms;
};

static inline gr_value *flaky_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    struct flaky *f = arg;
    int call = atomic_fetch_add(&f->calls, 1) + 1;
    gr_value *err;

    (void)c;
    if (call > f->failures)
        return gr_strf("R:%s", gr_cstr(input, "?"));
    err = gr_error(f->code, "failure %d", call);
    if (f->retry_after_ms != 0)
        err = gr_error_with(err, "retry_after_ms", gr_int(f->retry_after_ms));
    return err;
}

static inline gr_ref flaky(gr_kind kind, struct flaky *f)
{
    return gr_lambda(root, kind, flaky_fn, NULL, f);
}

/* ---- streams --------------------------------------------------------------------------------- */

/* letters streams the characters of its spawn argument, whatever the input; '!' fails it there. */
static inline gr_code letters_stream(gr_ctx *c, void *self, gr_stream *in, const gr_value *args)
{
    (void)self, (void)in, (void)args;
    for (const char *p = gr_cstr(gr_args(c), ""); *p != '\0'; p++) {
        gr_code rc = *p != '!' ? gr_emit(c, gr_strn(p, 1))
                               : gr_fail(c, gr_error(GR_EREMOTE, "letters fail"));

        if (rc != GR_OK)
            return rc;
    }
    return GR_OK;
}

static inline gr_ref letters(const char *text)
{
    static const gr_method methods[] = { { "stream", GR_ASYNC, NULL, letters_stream } };
    static const gr_class cls = GR_CLASS(.name = "letters", GR_METHODS(methods));

    return gr_spawn(root, &cls, GR_SPAWN(.args = gr_str(text)));
}

/* each_upper gives each chunk in upper case, as it comes. */
static inline gr_code upper_transform(gr_ctx *c, void *self, gr_stream *in, const gr_value *args)
{
    gr_outcome o;

    (void)self, (void)args;
    while ((o = gr_next(in, -1)).code == GR_OK) {
        char text[64] = "";
        gr_code rc;

        strncpy(text, gr_cstr(o.value, "?"), sizeof(text) - 1);
        for (char *p = text; *p != '\0'; p++)
            *p = (char)toupper((unsigned char)*p);
        rc = gr_emit(c, gr_str(text));
        if (rc != GR_OK)
            return rc;
    }
    return o.code == GR_EOS ? GR_OK : gr_fail(c, gr_value_ref(o.error));
}

static inline gr_ref each_upper(void)
{
    static const gr_method methods[] = { { "transform", GR_ASYNC, NULL, upper_transform } };
    static const gr_class cls = GR_CLASS(.name = "each_upper", GR_METHODS(methods));

    return gr_spawn(root, &cls, NULL);
}

/* endless streams 0, 1, 2 … until its reader has left, and counts what it sent. */
struct endless {
    _Atomic long sent;
    _Atomic bool left;
};

static inline gr_code endless_stream(gr_ctx *c, void *self, gr_stream *in, const gr_value *args)
{
    struct endless *e = gr_as_opaque(gr_args(c));
    gr_code rc;

    (void)self, (void)in, (void)args;
    while ((rc = gr_emit(c, gr_int(atomic_load(&e->sent)))) == GR_OK)
        atomic_fetch_add(&e->sent, 1);
    atomic_store(&e->left, true);
    return rc;
}

static inline gr_ref endless(struct endless *e)
{
    static const gr_method methods[] = { { "stream", GR_ASYNC, NULL, endless_stream } };
    static const gr_class cls = GR_CLASS(.name = "endless", GR_METHODS(methods));

    return gr_spawn(root, &cls, GR_SPAWN(.args = gr_opaque(e, NULL)));
}

/* ---- a gate: a lambda that answers when the test says so ------------------------------------- */

struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    gr_promise *promise;
    int entered, cancelled;
};
#define GATE                                                                                       \
    {                                                                                              \
        .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER                     \
    }

static inline void gate_cancel(void *arg)
{
    struct gate *g = arg;

    pthread_mutex_lock(&g->lock);
    g->cancelled++;
    pthread_cond_broadcast(&g->changed);
    pthread_mutex_unlock(&g->lock);
}

static inline gr_value *gate_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    struct gate *g = arg;
    gr_promise *p = gr_defer(c);

    (void)input;
    gr_on_cancel(p, gate_cancel, NULL, g);
    pthread_mutex_lock(&g->lock);
    g->promise = p;
    g->entered++;
    pthread_cond_broadcast(&g->changed);
    pthread_mutex_unlock(&g->lock);
    return NULL;
}

static inline gr_ref gate(struct gate *g)
{
    return gr_lambda(root, GR_ASYNC, gate_fn, NULL, g);
}

/* gate_wait waits until *count, a field of g, is n. */
static inline void gate_wait(struct gate *g, const int *count, int n)
{
    struct timespec until;
    int rc = 0;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += TEST_WAIT_MS / 1000;
    pthread_mutex_lock(&g->lock);
    while (*count < n && rc == 0)
        rc = pthread_cond_timedwait(&g->changed, &g->lock, &until);
    pthread_mutex_unlock(&g->lock);
    cr_assert_eq(rc, 0, "the gate saw nothing");
}

/* gate_open answers the last call that came. */
static inline void gate_open(struct gate *g, gr_value *v)
{
    gr_promise *p;

    gate_wait(g, &g->entered, 1);
    pthread_mutex_lock(&g->lock);
    p = g->promise;
    g->promise = NULL;
    pthread_mutex_unlock(&g->lock);
    gr_resolve(p, v);
}

#endif
