/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log_test.c - langchain-core's astream_log and its records of runs (tracers, collect_runs); each test has
 * a runtime of its own (gr_runtime_new).
 */
#include "actors/observe/run_collector.h"
#include "tests/support/events.h"

TestSuite(log, .init = set_up, .fini = tear_down, .timeout = 120);

/* ---- astream_log ----------------------------------------------------------------------------- */

static gr_code lists_stream(gr_ctx *c, void *self, gr_stream *in, const gr_value *args)
{
    gr_code rc = GR_OK;

    (void)self, (void)in, (void)args;
    for (int i = 1; i <= 3 && rc == GR_OK; i++)
        rc = gr_emit(c, gr_list(gr_int(i)));
    return rc;
}

static gr_ref lists(void)
{
    static const gr_method methods[] = { { "stream", GR_ASYNC, NULL, lists_stream } };
    static const gr_class cls = GR_CLASS(.name = "src", GR_METHODS(methods));

    return gr_spawn(root, &cls, NULL);
}

/* summed applies all patches: the log. */
static gr_value *summed(const gr_value *patches)
{
    gr_value *state = NULL;

    for (size_t i = 0; i < gr_len(patches); i++)
        state = gr_log_apply(state, gr_at(patches, i));
    return state;
}

/* paths gives the path of each operation, in order. */
static gr_value *paths(const gr_value *patches)
{
    gr_value *list = gr_list_n(NULL, 0);

    for (size_t i = 0; i < gr_len(patches); i++)
        for (size_t k = 0; k < gr_len(gr_at(patches, i)); k++)
            list = gr_append(list, gr_value_ref(gr_get(gr_at(gr_at(patches, i), k), "path")));
    return list;
}

Test(log, log_02_the_final_output_grows_by_add_operations)
{
    gr_value *patches = all_of(gr_astream_log(rt, lists(), gr_str("_"), NULL, NULL));
    gr_value *log = summed(patches);

    is(paths(patches), "[\"\",\"/streamed_output/-\",\"/final_output\",\"/streamed_output/-\","
                       "\"/final_output/1\",\"/streamed_output/-\",\"/final_output/2\"]");
    is(gr_value_ref(gr_get(log, "final_output")), "[1,2,3]");
    is(gr_value_ref(gr_get(log, "streamed_output")), "[[1],[2],[3]]");
    gr_value_unref(log);
    gr_value_unref(patches);
}

/* log_of reads a whole log. */
static gr_value *log_of(gr_ref r, const char *input)
{
    return all_of(gr_astream_log(rt, r, json(input), NULL, NULL));
}

static gr_ref inc_dbl(void)
{
    return gr_seq(root, named(inc(GR_CHEAP), "inc"), named(dbl(GR_CHEAP), "dbl"));
}

Test(log, log_01_the_first_patch_makes_the_log)
{
    gr_value *patches = all_of(gr_astream_log(rt, inc_dbl(), gr_int(1),
                                              GR_CALL(.config = json("{\"run_id\":\"U\"}")), NULL));
    const gr_value *first = gr_at(patches, 0);

    is(gr_value_ref(first),
       "[{\"op\":\"replace\",\"path\":\"\",\"value\":{\"id\":\"U\",\"streamed_output\":[],"
       "\"final_output\":null,\"logs\":{},\"name\":\"RunnableSequence\",\"type\":\"chain\"}}]");
    gr_value_unref(patches);
}

Test(log, log_03_runs_within_are_under_logs_and_the_root_is_not)
{
    gr_value *patches = log_of(inc_dbl(), "1");
    gr_value *log = summed(patches);
    const gr_value *logs = gr_get(log, "logs");

    is(paths(patches), "[\"\",\"/logs/inc\",\"/logs/inc/streamed_output/-\",\"/logs/dbl\","
                       "\"/logs/inc/final_output\",\"/logs/inc/end_time\","
                       "\"/logs/dbl/streamed_output/-\",\"/streamed_output/-\",\"/final_output\","
                       "\"/logs/dbl/final_output\",\"/logs/dbl/end_time\"]");
    is(gr_value_ref(gr_get(log, "final_output")), "4");
    cr_assert_eq(gr_len(logs), 2);
    is(gr_value_ref(gr_get(gr_get(logs, "inc"), "final_output")), "{\"output\":2}");
    is(gr_value_ref(gr_get(gr_get(logs, "dbl"), "final_output")), "{\"output\":4}");
    cr_assert_not_null(strstr(gr_cstr(gr_get(gr_get(logs, "dbl"), "end_time"), ""), "T"));
    gr_value_unref(log);
    gr_value_unref(patches);
}

/* entry_is compares an entry of a log, without what differs from run to run. */
static void entry_is(const gr_value *log, const char *key, const char *expected)
{
    static const char *const varying[] = { "id", "start_time", "end_time" };
    gr_value *entry = gr_value_ref(gr_get(gr_get(log, "logs"), key));

    cr_assert_not_null(entry, "no %s", key);
    for (size_t i = 0; i < 3; i++) {
        cr_assert_eq(gr_value_type(gr_get(entry, varying[i])), GR_STR, "%s", varying[i]);
        entry = gr_without(entry, varying[i]);
    }
    is(entry, expected);
}

/* The second run of a name is name:2. */
Test(log, runs_of_one_name_are_numbered)
{
    gr_value *patches =
        log_of(gr_seq(root, named(inc(GR_CHEAP), "inc"), named(inc(GR_CHEAP), "inc")), "1");
    gr_value *log = summed(patches);

    entry_is(log, "inc",
             "{\"name\":\"inc\",\"type\":\"chain\",\"tags\":[\"seq:step:1\"],\"metadata\":{},"
             "\"streamed_output\":[2],\"streamed_output_str\":[],\"final_output\":{\"output\":2}}");
    entry_is(log, "inc:2",
             "{\"name\":\"inc\",\"type\":\"chain\",\"tags\":[\"seq:step:2\"],\"metadata\":{},"
             "\"streamed_output\":[3],\"streamed_output_str\":[],\"final_output\":{\"output\":3}}");
    gr_value_unref(log);
    gr_value_unref(patches);
}

static gr_ref found_one(void)
{
    gr_ref store = gr_memory_store(root, gr_hash_embeddings(root, 0));

    gr_value_unref(gr_add_documents(rt, store, gr_list(gr_document("foo", NULL, "1")), NULL, NULL));
    return gr_retriever(root, store, GR_RETRIEVER(.k = 1));
}

#define FOO "[{\"page_content\":\"foo\",\"metadata\":{},\"type\":\"Document\",\"id\":\"1\"}]"

/* A prompt's output is the value itself, a retriever's its documents, a model's tokens are told as texts, too. */
Test(log, what_is_no_chain_has_outputs_of_its_own)
{
    gr_ref model = named(gr_script_model(root, GR_SCRIPT(.answers = json("[\"a b\"]"))), "m");
    gr_ref prompt = named(gr_chat_prompt(root, GR_ROLE("human", "{q}")), "p");
    gr_value *patches = log_of(gr_seq(root, prompt, model), "{\"q\":\"hi\"}");
    gr_value *log = summed(patches);

    entry_is(log, "p",
             "{\"name\":\"p\",\"type\":\"prompt\",\"tags\":[\"seq:step:1\"],\"metadata\":{},"
             "\"streamed_output\":[],\"streamed_output_str\":[],"
             "\"final_output\":[{\"type\":\"human\",\"content\":\"hi\"}]}");
    is(gr_value_ref(gr_get(gr_get(gr_get(log, "logs"), "m"), "streamed_output_str")),
       "[\"a\",\" b\"]");
    is(gr_value_ref(gr_get(gr_get(gr_get(log, "logs"), "m"), "type")), "\"llm\"");
    gr_value_unref(log);
    gr_value_unref(patches);
    patches = log_of(gr_seq(root, named(found_one(), "r"), gr_passthrough(root)), "\"foo\"");
    log = summed(patches);
    entry_is(log, "r",
             "{\"name\":\"r\",\"type\":\"retriever\",\"tags\":[\"seq:step:1\"],\"metadata\":{},"
             "\"streamed_output\":[],\"streamed_output_str\":[],"
             "\"final_output\":{\"documents\":" FOO "}}");
    gr_value_unref(log);
    gr_value_unref(patches);
}

/* A run that fails has no output, and the stream ends with the error after that was told. */
Test(log, a_failure_is_the_end_of_the_log)
{
    gr_ref r = gr_seq(root, named(shout(GR_CHEAP), "a"), named(boom(GR_CHEAP, "x"), "b"),
                      named(shout(GR_CHEAP), "c"));
    gr_value *err = NULL, *patches = chunks(gr_astream_log(rt, r, gr_str("i"), NULL, NULL), &err);
    gr_value *log = summed(patches);

    fails_with(err, GR_EREMOTE, "x:i!");
    cr_assert_eq(gr_len(gr_get(log, "logs")), 2);
    entry_is(log, "b",
             "{\"name\":\"b\",\"type\":\"chain\",\"tags\":[\"seq:step:2\"],\"metadata\":{},"
             "\"streamed_output\":[],\"streamed_output_str\":[],\"final_output\":null}");
    is(gr_value_ref(gr_get(log, "final_output")), "null");
    gr_value_unref(log);
    gr_value_unref(patches);
}

Test(log, filters_leave_runs_out)
{
    gr_value *patches = all_of(
        gr_astream_log(rt, inc_dbl(), gr_int(1), NULL, GR_EVENTS(.exclude_names = TEXTS("inc"))));
    gr_value *log = summed(patches);

    cr_assert_eq(gr_len(gr_get(log, "logs")), 1);
    cr_assert_not_null(gr_get(gr_get(log, "logs"), "dbl"));
    is(gr_value_ref(gr_get(log, "final_output")), "4");
    gr_value_unref(log);
    gr_value_unref(patches);
}

/* What grows within a map is added to, too. */
static gr_code nested_stream(gr_ctx *c, void *self, gr_stream *in, const gr_value *args)
{
    static const char *const all[] = { "{\"a\":[1]}", "{\"a\":[2],\"b\":\"x\"}", "{\"b\":\"y\"}",
                                       "{\"c\":{\"d\":[1]}}", "{\"c\":{\"d\":[2,3]}}" };
    gr_code rc = GR_OK;

    (void)self, (void)in, (void)args;
    for (size_t i = 0; i < 5 && rc == GR_OK; i++)
        rc = gr_emit(c, json(all[i]));
    return rc;
}

Test(log, the_final_output_grows_within_maps)
{
    static const gr_method methods[] = { { "stream", GR_ASYNC, NULL, nested_stream } };
    static const gr_class cls = GR_CLASS(.name = "src", GR_METHODS(methods));
    gr_value *patches = log_of(gr_spawn(root, &cls, NULL), "1"), *log = summed(patches);

    is(paths(patches),
       "[\"\",\"/streamed_output/-\",\"/final_output\",\"/streamed_output/-\","
       "\"/final_output/a/1\",\"/final_output/b\",\"/streamed_output/-\",\"/final_output/b\","
       "\"/streamed_output/-\",\"/final_output/c\",\"/streamed_output/-\",\"/final_output/c/d/1\","
       "\"/final_output/c/d/2\"]");
    is(gr_value_ref(gr_get(log, "final_output")),
       "{\"a\":[1,2],\"b\":\"xy\",\"c\":{\"d\":[1,2,3]}}");
    gr_value_unref(log);
    gr_value_unref(patches);
}

/* ---- collect_runs ---------------------------------------------------------------------------- */

/* LangChain's tracers keep an entry of each run for ever; ours keep none once the root has ended. */
Test(log, trc_02_nothing_is_left_of_runs_that_have_ended)
{
    gr_ref chain = gr_seq(root, inc(GR_CHEAP), dbl(GR_CHEAP));
    gr_value *collector = gr_run_collector(10), *trees;

    for (int i = 0; i < 50; i++)
        is(answer(gr_ainvoke(
               rt, chain, gr_int(1),
               GR_CALL(.config = gr_map(GR_KV("callbacks", gr_list(gr_value_ref(collector))))))),
           "4");
    cr_assert_eq(gri_run_collector_live(collector), 0);
    trees = gr_run_collector_take(collector);
    cr_assert_eq(gr_len(trees), 10);
    cr_assert_eq(gr_len(gr_get(gr_at(trees, 9), "child_runs")), 2);
    gr_value_unref(trees);
    gr_value_unref(collector);
}

/* run_of invokes r, and gives the record of its run. */
static gr_value *run_of(gr_ref r, const char *input)
{
    gr_value *collector = gr_run_collector(1), *trees, *run;

    gr_value_unref(answer(gr_ainvoke(
        rt, r, json(input),
        GR_CALL(.config = gr_map(GR_KV("callbacks", gr_list(gr_value_ref(collector))))))));
    trees = gr_run_collector_take(collector);
    cr_assert_eq(gr_len(trees), 1);
    run = gr_value_ref(gr_at(trees, 0));
    gr_value_unref(trees);
    gr_value_unref(collector);
    return run;
}

/* is_segment checks that text begins with YYYYMMDDTHHMMSSffffffZ and id. */
static const char *segment(const char *text, const char *id)
{
    static const char form[] = "00000000T000000000000Z";

    for (size_t i = 0; form[i] != '\0'; i++)
        cr_assert(form[i] == '0' ? isdigit((unsigned char)text[i]) : text[i] == form[i], "%s",
                  text);
    text += strlen(form);
    cr_assert_eq(strncmp(text, id, strlen(id)), 0, "%s", text);
    return text + strlen(id);
}

Test(log, trc_01_the_dotted_order_is_the_way_from_the_root)
{
    gr_value *run = run_of(inc_dbl(), "1");
    const gr_value *child = gr_at(gr_get(run, "child_runs"), 1);
    const char *id = gr_cstr(gr_get(run, "id"), ""), *own = gr_cstr(gr_get(child, "id"), "");
    const char *end = segment(gr_cstr(gr_get(run, "dotted_order"), ""), id);

    cr_assert_str_eq(end, "");
    end = segment(gr_cstr(gr_get(child, "dotted_order"), ""), id);
    cr_assert_eq(*end, '.');
    cr_assert_str_eq(segment(end + 1, own), "");
    cr_assert_str_eq(gr_cstr(gr_get(run, "trace_id"), ""), id);
    cr_assert_str_eq(gr_cstr(gr_get(child, "trace_id"), ""), id);
    cr_assert(gr_is_nil(gr_get(run, "parent_run_id")));
    cr_assert_str_eq(gr_cstr(gr_get(child, "parent_run_id"), ""), id);
    gr_value_unref(run);
}

static void inputs_and_outputs(gr_value *run, const char *inputs, const char *outputs)
{
    is(gr_value_ref(gr_get(run, "inputs")), inputs);
    is(gr_value_ref(gr_get(run, "outputs")), outputs);
    gr_value_unref(run);
}

static gr_value *text_fn(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c, (void)self;
    return gr_strf("R:%s", gr_cstr(args, "?"));
}

static gr_ref text_model(void)
{
    static const gr_method methods[] = { { "invoke", GR_CHEAP, text_fn, NULL } };
    static const gr_class cls =
        GR_CLASS(.name = "Text", .run_type = GR_TYPE_LLM, GR_METHODS(methods));

    return gr_spawn(root, &cls, NULL);
}

/* langchain-core's tracers write inputs and outputs by the type of the run. */
Test(log, records_have_inputs_and_outputs_by_type)
{
    gr_ref model = gr_script_model(root, GR_SCRIPT(.answers = json("[\"a\"]")));

    inputs_and_outputs(run_of(inc(GR_CHEAP), "1"), "{\"input\":1}", "{\"output\":2}");
    inputs_and_outputs(run_of(gr_passthrough(root), "{\"a\":1}"), "{\"a\":1}", "{\"a\":1}");
    inputs_and_outputs(run_of(found_one(), "\"foo\""), "{\"query\":\"foo\"}",
                       "{\"documents\":" FOO "}");
    inputs_and_outputs(run_of(model, "\"hi\""),
                       "{\"messages\":[[{\"type\":\"human\",\"content\":\"hi\"}]]}",
                       "{\"type\":\"ai\",\"content\":\"a\"}");
    inputs_and_outputs(run_of(text_model(), "\"hi\""), "{\"prompts\":[\"hi\"]}",
                       "{\"generations\":[[{\"text\":\"R:hi\",\"generation_info\":null,"
                       "\"type\":\"Generation\"}]],\"llm_output\":null}");
}

Test(log, a_record_of_a_failure_has_its_error)
{
    gr_value *run = run_of(boom(GR_CHEAP, "x"), "\"i\"");

    is(gr_value_ref(gr_get(run, "outputs")), "null");
    fails_with(gr_value_ref(gr_get(run, "error")), GR_EREMOTE, "x:i");
    gr_value_unref(run);
}

/* a tool's input as a model asks for it, and its answer */
#define CALL "{\"type\":\"tool_call\",\"name\":\"t\",\"args\":{\"x\":\"hi\"},\"id\":\"c1\"}"

#define MESSAGE                                                                                    \
    "{\"type\":\"tool\",\"content\":\"hi\",\"tool_call_id\":\"c1\",\"name\":\"t\","                \
    "\"status\":\"success\"}"

/* A tool that a model asks for is told of with the arguments; an error also with the id of the call. */
Test(log, a_tool_call_is_told_with_its_arguments)
{
    gr_ref tool = gr_as_tool(root, gr_pick(root, "x"), GR_TOOL(.name = "t"));
    gr_ref fails = gr_as_tool(root, boom(GR_CHEAP, "b"), GR_TOOL(.name = "t"));
    const gr_events_opts *only = GR_EVENTS(.include_types = TEXTS("tool"));
    gr_value *err = NULL, *list;

    is(short_form(all_of(events_of(tool, CALL, NULL, only))),
       "[[\"on_tool_start\",\"t\",{\"input\":" CALL "}],"
       "[\"on_tool_end\",\"t\",{\"output\":" MESSAGE "}]]");
    is(short_form(all_of(events_of(gr_seq(root, gr_passthrough(root), tool), CALL, NULL,
                                   GR_EVENTS(.include_types = TEXTS("tool"),
                                             .include_names = TEXTS("RunnableSequence"),
                                             .exclude_tags = TEXTS("none"))))),
       "[[\"on_chain_start\",\"RunnableSequence\",{\"input\":" CALL "}],"
       "[\"on_tool_start\",\"t\",{\"input\":{\"x\":\"hi\"}}],"
       "[\"on_tool_end\",\"t\",{\"output\":" MESSAGE ",\"input\":{\"x\":\"hi\"}}],"
       "[\"on_chain_stream\",\"RunnableSequence\",{\"chunk\":" MESSAGE "}],"
       "[\"on_chain_end\",\"RunnableSequence\",{\"output\":" MESSAGE "}]]");
    list = chunks(events_of(gr_seq(root, gr_passthrough(root), fails), CALL, NULL,
                            GR_EVENTS(.include_types = TEXTS("tool"))),
                  &err);
    fails_with(err, GR_EREMOTE, "b:");
    cr_assert_eq(gr_len(list), 2);
    cr_assert_str_eq(gr_cstr(gr_get(gr_at(list, 1), "event"), ""), "on_tool_error");
    is(gr_value_ref(gr_get(gr_get(gr_at(list, 1), "data"), "tool_call_id")), "\"c1\"");
    gr_value_unref(list);
}

/* ... and so does astream_events. */
Test(log, events_of_a_text_model)
{
    is(short_form(all_of(events_of(gr_seq(root, text_model(), gr_passthrough(root)), "\"hi\"", NULL,
                                   GR_EVENTS(.exclude_types = TEXTS("chain"))))),
       "[[\"on_llm_start\",\"Text\",{\"input\":\"hi\"}],"
       "[\"on_llm_end\",\"Text\",{\"output\":{\"generations\":[[{\"text\":\"R:hi\","
       "\"generation_info\":null,\"type\":\"Generation\"}]],\"llm_output\":null}}]]");
}
