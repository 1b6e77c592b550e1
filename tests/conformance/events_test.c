/* SPDX-License-Identifier: Apache-2.0 */
/*
 * events_test.c - langchain-core's astream_events (v2); each test has a runtime of its own
 * (gr_runtime_new).
 */
#include "tests/support/events.h"

TestSuite(events, .init = set_up, .fini = tear_down, .timeout = 120);

static void says(gr_stream *s, const char *expected)
{
    is(short_form(all_of(s)), expected);
}

/* triple is the sequence of three that reverse their input, the third of which may have a tag. */
static gr_ref triple(const char *tag)
{
    gr_ref third = reverse("3");

    return gr_seq(root, reverse("1"), reverse("2"), tag != NULL ? tagged(third, tag) : third);
}

Test(events, ev_01_a_lambda_starts_streams_and_ends)
{
    gr_value *list = all_of(events_of(reverse("reverse"), "\"hello\"", NULL, NULL));
    const gr_value *id = gr_get(gr_at(list, 0), "run_id");

    cr_assert_eq(gr_len(list), 3);
    for (size_t i = 0; i < 3; i++) {
        const gr_value *e = gr_at(list, i);

        cr_assert(gr_equal(gr_get(e, "run_id"), id));
        is(gr_value_ref(gr_get(e, "parent_ids")), "[]");
        is(gr_value_ref(gr_get(e, "tags")), "[]");
        is(gr_value_ref(gr_get(e, "metadata")), "{}");
    }
    is(short_form(list), "[[\"on_chain_start\",\"reverse\",{\"input\":\"hello\"}],"
                         "[\"on_chain_stream\",\"reverse\",{\"chunk\":\"olleh\"}],"
                         "[\"on_chain_end\",\"reverse\",{\"output\":\"olleh\"}]]");
}

Test(events, ev_02_steps_start_before_those_in_front_of_them_end)
{
    says(events_of(triple(NULL), "\"hello\"", NULL, NULL),
         "[[\"on_chain_start\",\"RunnableSequence\",{\"input\":\"hello\"}],"
         "[\"on_chain_start\",\"1\",{}],"
         "[\"on_chain_stream\",\"1\",{\"chunk\":\"olleh\"}],"
         "[\"on_chain_start\",\"2\",{}],"
         "[\"on_chain_end\",\"1\",{\"output\":\"olleh\",\"input\":\"hello\"}],"
         "[\"on_chain_stream\",\"2\",{\"chunk\":\"hello\"}],"
         "[\"on_chain_start\",\"3\",{}],"
         "[\"on_chain_end\",\"2\",{\"output\":\"hello\",\"input\":\"olleh\"}],"
         "[\"on_chain_stream\",\"3\",{\"chunk\":\"olleh\"}],"
         "[\"on_chain_stream\",\"RunnableSequence\",{\"chunk\":\"olleh\"}],"
         "[\"on_chain_end\",\"3\",{\"output\":\"olleh\",\"input\":\"hello\"}],"
         "[\"on_chain_end\",\"RunnableSequence\",{\"output\":\"olleh\"}]]");
}

Test(events, parent_ids_lead_to_the_root)
{
    gr_value *list = all_of(events_of(
        gr_seq(root, inc(GR_CHEAP), named(gr_seq(root, inc(GR_CHEAP), inc(GR_CHEAP)), "inner")),
        "1", NULL, NULL));
    const gr_value *root_id = gr_get(gr_at(list, 0), "run_id");

    for (size_t i = 0; i < gr_len(list); i++) {
        const gr_value *e = gr_at(list, i), *parents = gr_get(e, "parent_ids");

        if (gr_equal(gr_get(e, "run_id"), root_id))
            cr_assert_eq(gr_len(parents), 0);
        else
            cr_assert(gr_equal(gr_at(parents, 0), root_id));
    }
    gr_value_unref(list);
}

Test(events, ev_04_the_first_event_told_carries_the_roots_input)
{
    says(events_of(triple("my_tag"), "\"hello\"", NULL,
                   GR_EVENTS(.include_tags = TEXTS("my_tag"), .exclude_names = TEXTS("2"))),
         "[[\"on_chain_start\",\"3\",{\"input\":\"hello\"}],"
         "[\"on_chain_stream\",\"3\",{\"chunk\":\"olleh\"}],"
         "[\"on_chain_end\",\"3\",{\"output\":\"olleh\"}]]");
}

/* contents gives [event, content of the message in data] of each event of a model. */
static gr_value *contents(gr_value *events)
{
    static const char *const keys[] = { "chunk", "output" };
    gr_value *list = gr_list_n(NULL, 0);

    for (size_t i = 0; i < gr_len(events); i++) {
        const gr_value *data = gr_get(gr_at(events, i), "data");
        gr_value *one = gr_list(gr_value_ref(gr_get(gr_at(events, i), "event")));

        for (size_t k = 0; k < 2; k++)
            if (gr_get(gr_get(data, keys[k]), "content") != NULL)
                one = gr_append(one, gr_value_ref(gr_get(gr_get(data, keys[k]), "content")));
        list = gr_append(list, one);
    }
    gr_value_unref(events);
    return list;
}

static gr_ref model(const char *text)
{
    return gr_script_model(root, GR_SCRIPT(.answers = gr_list(gr_str(text))));
}

/* GenericFakeChatModel makes a chunk of the space between two words; ours leaves it with the word. */
Test(events, ev_06_a_model_streams_its_tokens)
{
    is(contents(all_of(events_of(model("hello world!"), "\"hi\"", NULL, NULL))),
       "[[\"on_chat_model_start\"],[\"on_chat_model_stream\",\"hello\"],"
       "[\"on_chat_model_stream\",\" world!\"],[\"on_chat_model_end\",\"hello world!\"]]");
}

static gr_value *ask_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    gr_value *err = NULL, *message;

    message = gr_invoke(gr_runtime_of(c), *(gr_ref *)arg, gr_value_ref(input), NULL, &err);
    if (message == NULL)
        return err;
    err = gr_value_ref(gr_get(message, "content"));
    gr_value_unref(message);
    return err;
}

Test(events, ev_07_a_model_that_is_invoked_within_streams)
{
    gr_ref m = model("hello world!");
    gr_ref ask = named(gr_lambda(root, GR_ASYNC, ask_fn, NULL, &m), "ask");

    is(contents(all_of(events_of(ask, "\"hi\"", NULL, NULL))),
       "[[\"on_chain_start\"],[\"on_chat_model_start\"],[\"on_chat_model_stream\",\"hello\"],"
       "[\"on_chat_model_stream\",\" world!\"],[\"on_chat_model_end\",\"hello world!\"],"
       "[\"on_chain_stream\"],[\"on_chain_end\"]]");
}

/* What has no transform of its own begins when its input is whole, and tells it. */
Test(events, models_and_prompts_behind_a_step_tell_their_input)
{
    gr_ref chain = gr_seq(root, gr_passthrough(root), gr_chat_prompt(root, GR_ROLE("human", "{q}")),
                          model("yes"));

    says(
        events_of(chain, "{\"q\":\"hi\"}", NULL,
                  GR_EVENTS(.include_types = TEXTS("prompt"),
                            .include_names = TEXTS("RunnableSequence"))),
        "[[\"on_chain_start\",\"RunnableSequence\",{\"input\":{\"q\":\"hi\"}}],"
        "[\"on_prompt_start\",\"ChatPromptTemplate\",{\"input\":{\"q\":\"hi\"}}],"
        "[\"on_prompt_end\",\"ChatPromptTemplate\",{\"output\":[{\"type\":\"human\",\"content\":\"hi\"}],"
        "\"input\":{\"q\":\"hi\"}}],"
        "[\"on_chain_stream\",\"RunnableSequence\",{\"chunk\":{\"type\":\"AIMessageChunk\",\"content\":\"yes\",\"chunk_position\":\"last\"}}],"
        "[\"on_chain_end\",\"RunnableSequence\",{\"output\":{\"type\":\"AIMessageChunk\",\"content\":\"yes\",\"chunk_position\":\"last\"}}]]");
}

/* ---- custom events, errors ------------------------------------------------------------------- */

static gr_value *dispatch_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)arg;
    cr_assert_eq(gr_dispatch_event(c, "e1", gr_map(GR_KV("x", gr_value_ref(input)))), GR_OK);
    cr_assert_eq(gr_dispatch_event(c, "e2", gr_int(5)), GR_OK);
    return gr_value_ref(input);
}

Test(events, ev_11_custom_events_come_in_order_within_their_run)
{
    gr_ref foo = named(gr_lambda(root, GR_ASYNC, dispatch_fn, NULL, NULL), "foo");
    gr_value *list = all_of(events_of(foo, "\"x\"", NULL, NULL));

    cr_assert(gr_equal(gr_get(gr_at(list, 1), "run_id"), gr_get(gr_at(list, 0), "run_id")));
    is(short_form(list), "[[\"on_chain_start\",\"foo\",{\"input\":\"x\"}],"
                         "[\"on_custom_event\",\"e1\",{\"x\":\"x\"}],"
                         "[\"on_custom_event\",\"e2\",5],"
                         "[\"on_chain_stream\",\"foo\",{\"chunk\":\"x\"}],"
                         "[\"on_chain_end\",\"foo\",{\"output\":\"x\"}]]");
}

/* It has the tags that the run passes on, not those of the run's own place; so filters see it, too. */
Test(events, ev_11_a_custom_event_of_a_step_has_the_tags_that_are_passed_on)
{
    gr_ref foo = named(gr_lambda(root, GR_ASYNC, dispatch_fn, NULL, NULL), "foo");
    gr_ref chain = gr_seq(root, reverse("1"), tagged(foo, "t"));
    const gr_events_opts *only =
        GR_EVENTS(.include_names = TEXTS("e1", "foo"), .exclude_tags = TEXTS("none"));
    gr_value *list =
        all_of(events_of(chain, "\"x\"", GR_CALL(.config = json("{\"tags\":[\"u\"]}")), only));

    is(field_of(gr_value_ref(list), "tags"),
       "[[\"seq:step:2\",\"t\",\"u\"],[\"t\",\"u\"],[\"seq:step:2\",\"t\",\"u\"],"
       "[\"seq:step:2\",\"t\",\"u\"]]");
    is(field_of(gr_value_ref(list), "event"),
       "[\"on_chain_start\",\"on_custom_event\",\"on_chain_stream\",\"on_chain_end\"]");
    cr_assert(gr_equal(gr_get(gr_at(list, 1), "parent_ids"), gr_get(gr_at(list, 0), "parent_ids")));
    gr_value_unref(list);
    is(field_of(all_of(events_of(chain, "\"x\"", NULL,
                                 GR_EVENTS(.exclude_tags = TEXTS("seq:step:1", "seq:step:2"),
                                           .exclude_names = TEXTS("RunnableSequence")))),
                "name"),
       "[\"e1\",\"e2\"]");
}

static void receive_fn(gr_ctx *c, void *self, const gr_value *msg)
{
    (void)self, (void)msg;
    atomic_store((_Atomic int *)gr_as_opaque(gr_args(c)),
                 (int)gr_dispatch_event(c, "e", gr_int(1)));
}

/* LangChain: "Unable to dispatch an adhoc event without a parent run id". */
Test(events, ev_12_a_custom_event_needs_a_run)
{
    static const gr_class cls = GR_CLASS(.name = "told", .receive = receive_fn);
    _Atomic int code = -1;
    gr_ref told = gr_spawn(root, &cls, GR_SPAWN(.args = gr_opaque((void *)&code, NULL)));

    cr_assert_eq(gr_tell(rt, told, gr_nil()), GR_OK);
    while (atomic_load(&code) == -1)
        sched_yield();
    cr_assert_eq(atomic_load(&code), GR_EINVAL);
}

Test(events, ev_13_an_error_ends_the_stream_after_the_events_before_it)
{
    gr_value *err = NULL,
             *list = chunks(events_of(boom(GR_CHEAP, "boom"), "\"x\"", NULL, NULL), &err);

    is(field_of(list, "event"), "[\"on_chain_start\"]");
    fails_with(err, GR_EREMOTE, "boom:x");
}

/* ---- events of events ------------------------------------------------------------------------- */

static gr_value *inner_events_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    gr_stream *s =
        gr_astream_events(gr_runtime_of(c), *(gr_ref *)arg, gr_value_ref(input), NULL, NULL);
    gr_value *names = gr_list_n(NULL, 0);
    gr_outcome o;

    while ((o = gr_next(s, -1)).code == GR_OK)
        names = gr_append(names, gr_value_ref(gr_get(o.value, "event")));
    gr_stream_free(s);
    return names;
}

Test(events, a_run_whose_events_are_read_within_a_run_is_in_that_run)
{
    gr_ref inner = reverse("inner");
    gr_ref outer = named(gr_lambda(root, GR_ASYNC, inner_events_fn, NULL, &inner), "outer");
    gr_value *list = all_of(events_of(outer, "\"ab\"", NULL, NULL));

    cr_assert_str_eq(gr_cstr(gr_get(gr_at(list, 1), "name"), ""), "inner");
    cr_assert(
        gr_equal(gr_at(gr_get(gr_at(list, 1), "parent_ids"), 0), gr_get(gr_at(list, 0), "run_id")));
    is(field_of(list, "event"),
       "[\"on_chain_start\",\"on_chain_start\",\"on_chain_stream\",\"on_chain_end\",\"on_chain_stream\",\"on_chain_end\"]");
}

/* ---- leaving early --------------------------------------------------------------------------- */

struct slow {
    _Atomic int started[4], cancelled[4];
};
static struct slow slow;

static gr_value *slow_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    int step = (int)(intptr_t)arg;

    atomic_fetch_add(&slow.started[step], 1);
    if (step == 2) { /* this one never ends by itself */
        if (gr_sleep(gr_runtime_of(c), 60000) != GR_OK)
            atomic_fetch_add(&slow.cancelled[step], 1);
    }
    return gr_value_ref(input);
}

static gr_ref slow_step(int step, const char *name)
{
    return named(gr_lambda(root, GR_ASYNC, slow_fn, NULL, (void *)(intptr_t)step), name);
}

Test(events, ev_14_leaving_at_an_event_cancels_the_run_before_the_close_returns)
{
    gr_ref chain = gr_seq(root, slow_step(1, "1"), slow_step(2, "2"), slow_step(3, "3"));
    gr_stream *s;
    gr_outcome o;

    memset(&slow, 0, sizeof(slow));
    s = events_of(chain, "\"x\"", NULL, NULL);
    do {
        o = gr_next(s, TEST_WAIT_MS);
        cr_assert_eq(o.code, GR_OK);
    } while (strcmp(gr_cstr(gr_get(o.value, "name"), ""), "2") != 0);
    while (atomic_load(&slow.started[2]) == 0) /* its start is told just before */
        sched_yield();
    gr_stream_free(s);
    cr_assert_eq(atomic_load(&slow.started[1]), 1);
    cr_assert_eq(atomic_load(&slow.cancelled[2]), 1);
    cr_assert_eq(atomic_load(&slow.started[3]), 0);
}

/* ---- types ----------------------------------------------------------------------------------- */

Test(events, ev_08_a_tool_starts_and_ends)
{
    gr_ref parrot = gr_as_tool(root, gr_pick(root, "x"), GR_TOOL(.name = "parrot"));

    says(events_of(parrot, "{\"x\":\"hi\"}", NULL, GR_EVENTS(.include_types = TEXTS("tool"))),
         "[[\"on_tool_start\",\"parrot\",{\"input\":{\"x\":\"hi\"}}],"
         "[\"on_tool_end\",\"parrot\",{\"output\":\"hi\"}]]");
}

/* An error has an event if it is a tool's. */
Test(events, a_tool_that_fails_tells_so)
{
    gr_ref tool = gr_as_tool(root, boom(GR_CHEAP, "boom"), GR_TOOL(.name = "t"));
    gr_value *err = NULL, *list = chunks(events_of(tool, "{\"x\":\"hi\"}", NULL, NULL), &err);
    const gr_value *last = gr_at(list, gr_len(list) - 1);

    cr_assert_str_eq(gr_cstr(gr_get(last, "event"), ""), "on_tool_error");
    cr_assert_eq(gr_error_code(gr_get(gr_get(last, "data"), "error")), GR_EREMOTE);
    gr_value_unref(list);
    fails_with(err, GR_EREMOTE, "boom");
}

Test(events, ev_10_a_retriever_starts_with_its_query_and_ends_with_its_documents)
{
    gr_ref store = gr_memory_store(root, gr_hash_embeddings(root, 0));
    gr_ref found = gr_retriever(root, store, GR_RETRIEVER(.k = 1));
    gr_value *list;

    gr_value_unref(gr_add_documents(rt, store, gr_list(gr_document("foo", NULL, "1")), NULL, NULL));
    list =
        all_of(events_of(found, "\"foo\"", NULL, GR_EVENTS(.include_types = TEXTS("retriever"))));
    is(field_of(gr_value_ref(list), "event"), "[\"on_retriever_start\",\"on_retriever_end\"]");
    cr_assert_str_eq(
        gr_cstr(gr_get(gr_at(gr_get(gr_get(gr_at(list, 1), "data"), "output"), 0), "page_content"),
                ""),
        "foo");
    gr_value_unref(list);
}

Test(events, ev_15_a_prompt_only_starts_and_ends)
{
    gr_ref p = gr_chat_prompt(root, GR_ROLE("human", "{q}"));

    is(field_of(all_of(events_of(p, "{\"q\":\"hi\"}", NULL, NULL)), "event"),
       "[\"on_prompt_start\",\"on_prompt_end\"]");
}

Test(events, ev_16_chains_can_be_left_out)
{
    gr_ref chain = gr_seq(root, gr_chat_prompt(root, GR_ROLE("human", "{q}")), model("a b"));

    is(field_of(all_of(events_of(chain, "{\"q\":\"hi\"}", NULL,
                                 GR_EVENTS(.exclude_types = TEXTS("chain")))),
                "event"),
       "[\"on_prompt_start\",\"on_prompt_end\",\"on_chat_model_start\",\"on_chat_model_stream\","
       "\"on_chat_model_stream\",\"on_chat_model_end\"]");
}

/* with_tag gives [event, data] of the events of runs that have a tag; "": of those without. */
static gr_value *with_tag(const gr_value *events, const char *tag, const char *event)
{
    gr_value *list = gr_list_n(NULL, 0);

    for (size_t i = 0; i < gr_len(events); i++) {
        const gr_value *e = gr_at(events, i);

        if (strcmp(gr_cstr(gr_at(gr_get(e, "tags"), 0), ""), tag) == 0 &&
            strcmp(gr_cstr(gr_get(e, "event"), ""), event) == 0)
            list = gr_append(list, gr_value_ref(gr_get(e, "data")));
    }
    return list;
}

Test(events, ev_17_each_branch_of_a_parallel_streams_under_its_key)
{
    gr_ref both = gr_parallel(root, GR_STEP("a", letters("x")), GR_STEP("b", letters("y")));
    gr_value *list = all_of(events_of(both, "\"_\"", NULL, NULL));
    gr_value *of_root = with_tag(list, "", "on_chain_stream");

    is(with_tag(list, "map:key:a", "on_chain_stream"), "[{\"chunk\":\"x\"}]");
    is(with_tag(list, "map:key:b", "on_chain_stream"), "[{\"chunk\":\"y\"}]");
    cr_assert_eq(gr_len(of_root), 2);
    if (gr_get(gr_get(gr_at(of_root, 0), "chunk"), "a") != NULL)
        is(of_root, "[{\"chunk\":{\"a\":\"x\"}},{\"chunk\":{\"b\":\"y\"}}]");
    else
        is(of_root, "[{\"chunk\":{\"b\":\"y\"}},{\"chunk\":{\"a\":\"x\"}}]");
    gr_value_unref(list);
}
