/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bounds_test.c - limits, budgets, timers and the stash with the n-th allocation failing, for every
 * n: nothing crashes, hangs or leaks, and what fails says that memory ran out or a bound was
 * reached.
 */
#include <greenroom/timer.h>

#include "tests/support/endure.h"

static void said(gr_code rc)
{
    /* EBROKEN: an exit, of which a full mailbox may be the reason */
    cr_assert(rc == GR_OK || rc == GR_ENOMEM || rc == GR_EFULL || rc == GR_EDEAD ||
                  rc == GR_EBROKEN,
              "%s", gr_code_name(rc));
}

static void said_by(gr_future *f)
{
    gr_outcome o = gr_await(f, TEST_WAIT_MS);

    cr_assert_neq(o.code, GR_EPENDING, "no answer came");
    said(o.code);
    gr_future_free(f);
}

static void receive(gr_ctx *c, void *self, const gr_value *msg)
{
    (void)self;
    if (gr_is_nil(msg))
        gr_unstash_all(c);
    else if (gr_value_type(msg) == GR_STR)
        gr_stash(c);
}

/* Stashed, or answered if it can't be. */
static gr_value *keep(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    return gr_stash(c) == GR_OK ? NULL : gr_value_ref(args);
}

static gr_value *sub(gr_ctx *c, void *self, const gr_value *args)
{
    gr_value *err = NULL, *v;

    (void)self;
    v = gr_invoke(gr_runtime_of(c), gr_as_ref(args), gr_int(1), GR_CALL(.calls_max = 5), &err);
    return v != NULL ? v : err;
}

static const gr_method methods[] = { { "keep", GR_ASYNC, keep, NULL },
                                     { "sub", GR_ASYNC, sub, NULL } };
static const gr_class cls =
    GR_CLASS(.name = "bounded", .state_size = 8, GR_METHODS(methods), .receive = receive);

static void tell_three(gr_overflow overflow)
{
    gr_ref a = gr_spawn(root, &cls,
                        GR_SPAWN(.mailbox_max = 1, .overflow = overflow, .mailbox_bytes_max = 4000,
                                 .asks_max = 3, .handler_ms = 100));

    for (int i = 0; i < 3; i++)
        said(gr_tell(rt, a, gr_list(gr_str("x"))));
    said_by(gr_acall(rt, a, "sub", gr_ref_value(echo()), NULL));
}

static void refused(void)
{
    tell_three(GR_OVERFLOW_REFUSE);
}

static void newest_dropped(void)
{
    tell_three(GR_OVERFLOW_DROP_NEWEST);
}

static void oldest_dropped(void)
{
    tell_three(GR_OVERFLOW_DROP_OLDEST);
}

static void killed(void)
{
    tell_three(GR_OVERFLOW_KILL);
}

static void budgeted(void)
{
    gr_ref a = gr_spawn(root, &cls, NULL);

    said_by(gr_acall(rt, a, "sub", gr_ref_value(echo()),
                     GR_CALL(.calls_max = 9, .depth_max = 3, .bytes_max = 10000)));
    said_by(gr_acall(rt, a, "sub", gr_ref_value(echo()), GR_CALL(.depth_max = 1)));
}

static void sent_later(void)
{
    gr_ref a = gr_spawn(root, &cls, NULL);
    gr_timer t = { 0, 0 };

    said(gr_send_after(rt, a, 0, gr_strf("soon %d", 1), NULL));
    said(gr_send_after(rt, a, 60000, gr_strf("never %d", 1), &t));
    gr_cancel_timer(rt, t);
    said(gr_send_after(rt, a, 60000, gr_strf("at the end %d", 1), NULL));
}

static void stashed(void)
{
    gr_ref a = gr_spawn(root, &cls, NULL);
    gr_future *f = gr_acall(rt, a, "keep", gr_int(1), NULL);

    said(gr_tell(rt, a, gr_strf("x %d", 1)));
    said(gr_tell(rt, a, gr_nil()));
    gr_stop(rt, a);
    said_by(f);
}

#define ENDURES(name)                                                                              \
    Test(bounds_torture, name)                                                                     \
    {                                                                                              \
        endure(name, false, 1);                                                                    \
        endure(name, true, 1);                                                                     \
    }

ENDURES(refused)
ENDURES(newest_dropped)
ENDURES(oldest_dropped)
ENDURES(killed)
ENDURES(budgeted)
ENDURES(sent_later)
ENDURES(stashed)
