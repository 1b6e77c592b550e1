/* SPDX-License-Identifier: Apache-2.0 */
/* run_collector_test.c - gr_run_collector, by events made by hand. */
#include "actors/observe/run_collector.h"

#include <stdio.h>

#include "actors/observe/run_record.h"
#include "tests/support/fake_runs.h"
#include "tests/support/runnables.h"

#define END(run, v) tell(collector, (run), GR_RUN_END, (v))
#define START(run) tell(collector, (run), GR_RUN_START, NULL)

static gr_value *collector;

static void up(void)
{
    collector = gr_run_collector(3);
}

static void down(void)
{
    gr_value_unref(collector);
}

TestSuite(run_collector, .init = up, .fini = down);

static const gr_value *child(const gr_value *run, size_t index)
{
    return gr_at(gr_get(run, "child_runs"), index);
}

static const char *text(const gr_value *run, const char *key)
{
    return gr_cstr(gr_get(run, key), "?");
}

Test(run_collector, a_tree_is_there_once_its_root_has_ended)
{
    struct fake_run root_run, model;
    gr_value *trees;

    fake_run(&root_run, NULL, "r1", "chain", GR_TYPE_CHAIN, json("{\"q\":1}"));
    fake_run(&model, &root_run, "r2", "model", GR_TYPE_CHAT_MODEL, gr_str("hi"));
    START(&root_run);
    START(&model);
    END(&model, gr_str("yes"));
    trees = gr_run_collector_take(collector);
    is(trees, "[]");
    END(&root_run, gr_int(5));
    trees = gr_run_collector_take(collector);
    is(trees,
       "[{\"id\":\"r1\",\"name\":\"chain\",\"run_type\":\"chain\",\"inputs\":{\"q\":1},"
       "\"outputs\":{\"output\":5},\"error\":null,"
       "\"start_time\":\"2026-08-01T00:00:00.000000+00:00\",\"end_time\":\"2026-08-01T00:00:00.001500+00:00\","
       "\"tags\":[],\"metadata\":{},\"child_runs\":["
       "{\"id\":\"r2\",\"name\":\"model\",\"run_type\":\"llm\",\"inputs\":{\"messages\":[[{\"type\":\"human\",\"content\":\"hi\"}]]},"
       "\"outputs\":{\"output\":\"yes\"},\"error\":null,"
       "\"start_time\":\"2026-08-01T00:00:00.000000+00:00\",\"end_time\":\"2026-08-01T00:00:00.001500+00:00\","
       "\"tags\":[],\"metadata\":{},\"child_runs\":[],\"parent_run_id\":\"r1\",\"trace_id\":\"r1\","
       "\"dotted_order\":\"20260801T000000000000Zr1.20260801T000000000000Zr2\"}],"
       "\"parent_run_id\":null,\"trace_id\":\"r1\",\"dotted_order\":\"20260801T000000000000Zr1\"}]");
    fake_free(&model);
    fake_free(&root_run);
}

Test(run_collector, what_was_taken_is_there_no_more)
{
    struct fake_run run;

    fake_run(&run, NULL, "r1", "chain", GR_TYPE_CHAIN, NULL);
    START(&run);
    END(&run, gr_nil());
    gr_value_unref(gr_run_collector_take(collector));
    is(gr_run_collector_take(collector), "[]");
    fake_free(&run);
}

Test(run_collector, errors_and_late_inputs_are_kept)
{
    struct fake_run run;
    gr_value *trees;

    fake_run(&run, NULL, "r1", "chain", GR_TYPE_CHAIN, NULL);
    START(&run);
    run.run.input = run.input = gr_int(7); /* it came as a stream */
    tell(collector, &run, GR_RUN_ERROR, gr_error(GR_EREMOTE, "no"));
    trees = gr_run_collector_take(collector);
    is(gr_value_ref(gr_get(gr_at(trees, 0), "inputs")), "{\"input\":7}");
    cr_assert_eq(gr_error_code(gr_get(gr_at(trees, 0), "error")), GR_EREMOTE);
    cr_assert(gr_is_nil(gr_get(gr_at(trees, 0), "outputs")));
    gr_value_unref(trees);
    fake_free(&run);
}

Test(run_collector, the_oldest_tree_goes)
{
    gr_value *trees;

    for (int i = 0; i < 5; i++) {
        struct fake_run run;
        char id[16];

        (void)snprintf(id, sizeof(id), "r%d", i);
        fake_run(&run, NULL, id, "chain", GR_TYPE_CHAIN, NULL);
        START(&run);
        END(&run, gr_nil());
        fake_free(&run);
    }
    trees = gr_run_collector_take(collector);
    cr_assert_eq(gr_len(trees), 3);
    cr_assert_str_eq(text(gr_at(trees, 0), "id"), "r2");
    cr_assert_str_eq(text(gr_at(trees, 2), "id"), "r4");
    gr_value_unref(trees);
}

Test(run_collector, a_run_that_outlasts_its_root_is_in_the_tree_without_an_end)
{
    struct fake_run top, late;
    gr_value *trees;

    fake_run(&top, NULL, "r1", "chain", GR_TYPE_CHAIN, NULL);
    fake_run(&late, &top, "r2", "late", GR_TYPE_CHAIN, NULL);
    START(&top);
    START(&late);
    END(&top, gr_nil());
    cr_assert_eq(gri_run_collector_live(collector), 0);
    END(&late, gr_nil());
    trees = gr_run_collector_take(collector);
    cr_assert_eq(gr_len(trees), 1);
    cr_assert(gr_is_nil(gr_get(child(gr_at(trees, 0), 0), "end_time")));
    gr_value_unref(trees);
    fake_free(&late);
    fake_free(&top);
}

Test(run_collector, a_run_of_an_unknown_parent_is_a_root)
{
    struct fake_run unseen, run;
    gr_value *trees;

    fake_run(&unseen, NULL, "r0", "unseen", GR_TYPE_CHAIN, NULL);
    fake_run(&run, &unseen, "r1", "seen", GR_TYPE_CHAIN, NULL);
    START(&run);
    END(&run, gr_nil());
    trees = gr_run_collector_take(collector);
    cr_assert_str_eq(text(gr_at(trees, 0), "trace_id"), "r1");
    gr_value_unref(trees);
    fake_free(&run);
    fake_free(&unseen);
}

/* a_chain starts and ends runs that are each in the one before. */
static void a_chain(struct fake_run *runs, char ids[][16], int depth, gr_value *(*input)(void))
{
    for (int i = 0; i < depth; i++) {
        (void)snprintf(ids[i], sizeof(ids[i]), "r%d", i);
        fake_run(&runs[i], i > 0 ? &runs[i - 1] : NULL, ids[i], "deep", GR_TYPE_CHAIN, input());
        START(&runs[i]);
    }
    for (int i = depth - 1; i >= 0; i--) {
        END(&runs[i], input());
        fake_free(&runs[i]);
    }
}

static gr_value *deep_value(void)
{
    gr_value *v = gr_int(1);

    for (int i = 0; i < GR_DEPTH_MAX - 1; i++)
        v = gr_list(v);
    return v;
}

Test(run_collector, what_is_nested_too_deeply_is_counted_and_the_tree_stays_a_value)
{
    static struct fake_run runs[60];
    static char ids[60][16];
    const gr_value *run;
    gr_value *trees;
    int levels = 0;

    a_chain(runs, ids, 60, deep_value);
    cr_assert_eq(gri_run_collector_live(collector), 0);
    trees = gr_run_collector_take(collector);
    cr_assert_eq(gr_error_code(trees), GR_OK, "%s", gr_error_text(trees));
    run = gr_at(trees, 0);
    cr_assert_eq(gr_as_int(gr_get(run, "runs_lost"), 0), 60 - GRI_TREE_LEVELS_MAX);
    for (; run != NULL; run = child(run, 0))
        levels++;
    cr_assert_eq(levels, GRI_TREE_LEVELS_MAX);
    gr_value_unref(trees);
}

Test(run_collector, a_tree_keeps_so_many_runs)
{
    struct fake_run top;
    gr_value *trees;

    fake_run(&top, NULL, "top", "agent", GR_TYPE_CHAIN, NULL);
    START(&top);
    for (int i = 0; i < GRI_TREE_RUNS_MAX + 5; i++) {
        struct fake_run run;
        char id[16];

        (void)snprintf(id, sizeof(id), "r%d", i);
        fake_run(&run, &top, id, "step", GR_TYPE_CHAIN, NULL);
        START(&run);
        END(&run, gr_int(i));
        fake_free(&run);
    }
    END(&top, gr_nil());
    trees = gr_run_collector_take(collector);
    cr_assert_eq(gr_len(gr_get(gr_at(trees, 0), "child_runs")), GRI_TREE_RUNS_MAX);
    cr_assert_eq(gr_as_int(gr_get(gr_at(trees, 0), "runs_lost"), 0), 5);
    gr_value_unref(trees);
    fake_free(&top);
}

Test(run_collector, what_is_no_collector_is_refused)
{
    gr_value *tracer = gr_json_tracer(-1, NULL);

    fails_with(gr_run_collector_take(tracer), GR_ETYPE, "no run collector");
    fails_with(gr_run_collector_take(NULL), GR_ETYPE, "no run collector");
    gr_value_unref(tracer);
}

Test(run_collector, a_collector_that_goes_with_runs_under_way_leaves_nothing)
{
    struct fake_run top, inner;

    fake_run(&top, NULL, "r1", "chain", GR_TYPE_CHAIN, NULL);
    fake_run(&inner, &top, "r2", "inner", GR_TYPE_CHAIN, NULL);
    START(&top);
    START(&inner);
    fake_free(&inner);
    fake_free(&top); /* down frees it: AddressSanitizer's build sees what is left */
}
