/* SPDX-License-Identifier: Apache-2.0 */
/*
 * supervisor_test.c - supervisors with their n-th allocation failing, for every n: nothing crashes,
 * hangs or leaks, and what fails says that memory ran out. Each round has a runtime of its own
 * (gr_runtime_new).
 */
#include "tests/support/crew.h"

TestSuite(supervisor_torture, .timeout = 170);

static struct hand hands[3];

/* said notes what something ended with. Without memory an actor can end as if it had crashed, a
 * supervisor give up, and its children be gone: GR_EBROKEN, GR_EDEAD, GR_EUNREACH. */
static void said(gr_code rc)
{
    cr_assert(rc == GR_OK || rc == GR_ENOMEM || rc == GR_EFULL || rc == GR_EBROKEN ||
                  rc == GR_EDEAD || rc == GR_EUNREACH || rc == GR_EINVAL,
              "%s", gr_code_name(rc));
}

static void said_by(gr_future *f)
{
    gr_outcome o = gr_await(f, TEST_WAIT_MS);

    cr_assert_neq(o.code, GR_EPENDING, "no answer came");
    said(o.code);
    gr_future_free(f);
}

static gr_ref start_hand(gr_scope *in, void *arg, const gr_value *args)
{
    (void)args;
    return gr_spawn(in, &hand_class, GR_SPAWN(.args = gr_opaque(arg, NULL)));
}

static gr_ref make(gr_strategy strategy)
{
    static const char *const ids[] = { "a", "b", "c" };
    gr_child_spec specs[3];

    for (size_t i = 0; i < 3; i++) {
        hands[i] = (struct hand){ .id = ids[i], .silent = true };
        specs[i] = (gr_child_spec)HAND_SPEC(&hands[i], .name = ids[i]);
    }
    gr_value_unref(specs[1].args);
    specs[1] = (gr_child_spec)GR_CHILD(.id = "b", .start = start_hand, .arg = &hands[1],
                                       .backoff = { .min_ms = 1 });
    return gr_supervisor(root,
                         GR_SUPERVISOR(.strategy = strategy, .intensity = 3, .children = specs,
                                       .child_count = 3, .kill_ms = 10000));
}

static void started(void)
{
    said_by(gr_started(rt, make(GR_ONE_FOR_ONE)));
}

/* crashed has the index-th child crash, and waits for what comes of it. */
static void crashed(gr_ref sup, int index)
{
    int before = hands[index].starts;
    gr_future *ended = gr_ended(rt, sup);
    bool told = gr_tell(rt, hand_ref(&hands[index]), gr_str("boom")) == GR_OK;

    until(!told || hands[index].starts > before || ended == NULL || gr_done(ended));
    gr_future_free(ended);
}

static void restarted(gr_strategy strategy)
{
    gr_ref sup = make(strategy);

    said_by(gr_started(rt, sup));
    if (hands[2].ref == 0)
        return;
    crashed(sup, 0);
    crashed(sup, 1);
    said_by(gr_awhich_children(rt, sup));
}

static void restarted_alone(void)
{
    restarted(GR_ONE_FOR_ONE);
}

static void restarted_together(void)
{
    restarted(GR_ONE_FOR_ALL);
}

static void asked(void)
{
    static struct hand more;
    gr_ref sup = make(GR_REST_FOR_ONE);
    gr_child_spec spec;

    more = (struct hand){ .id = "d", .silent = true };
    spec = (gr_child_spec)HAND(&more);
    said_by(gr_astart_child(rt, sup, &spec));
    said_by(gr_ainvoke(rt, gr_child(root, sup, "d", GR_NAMED(.wait_ms = 50)), gr_nil(), NULL));
    said_by(gr_aterminate_child(rt, sup, "d"));
    said_by(gr_arestart_child(rt, sup, "d"));
    said_by(gr_aterminate_child(rt, sup, "d"));
    said_by(gr_adelete_child(rt, sup, "d"));
    said_by(gr_acount_children(rt, sup));
    gr_exit_to(rt, sup, gr_str("shutdown"));
}

static void pooled(void)
{
    gr_child_spec spec = GR_CHILD(.cls = &hand_class, .args = gr_opaque(&hands[0], NULL));
    gr_ref sup = gr_supervisor(root, GR_SUPERVISOR(.strategy = GR_SIMPLE_ONE_FOR_ONE,
                                                   .children = &spec, .child_count = 1));

    hands[0] = (struct hand){ .id = "a", .silent = true };
    for (int i = 0; i < 3; i++)
        said_by(gr_astart_child(rt, sup, NULL));
    said_by(gr_aterminate_ref(rt, sup, hand_ref(&hands[0])));
    gr_stop(rt, sup);
}

/* Rounds are slow under ThreadSanitizer, and where the failure is matters to the others. */
#if defined(__SANITIZE_THREAD__)
#define STRIDE 5
#else
#define STRIDE 1
#endif

/* endure runs a scenario with every allocation failing in turn. Timing decides how many there are.
 */
static void endure(void (*scenario)(void))
{
    int unreached = 0;
    long n;

    engine_start(1); /* what is made once for the process */
    scenario();
    engine_down();
    for (n = 1; unreached < 3; n += STRIDE) {
        engine_start(1);
        test_memory_fail_at(n);
        scenario();
        unreached = test_memory_reached() ? 0 : unreached + 1;
        engine_down();
    }
    cr_assert_gt(n, 20);
}

#define ENDURES(name)                                                                              \
    Test(supervisor_torture, name)                                                                 \
    {                                                                                              \
        endure(name);                                                                              \
    }

ENDURES(started)
ENDURES(restarted_alone)
ENDURES(restarted_together)
ENDURES(asked)
ENDURES(pooled)
