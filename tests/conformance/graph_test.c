/* SPDX-License-Identifier: Apache-2.0 */
/* graph_test.c - langchain-core's graphs, their drawing, and schemas. */
#include "tests/conformance/cases.h"

TestSuite(graph, .init = set_up, .fini = tear_down, .timeout = 120);

static gr_value *names_of(gr_value *graph)
{
    gr_value *out = gr_list_n(NULL, 0);
    const gr_value *nodes = gr_get(graph, "nodes"), *edges = gr_get(graph, "edges");

    for (size_t i = 0; i < gr_len(nodes); i++) {
        cr_assert_eq(gr_as_int(gr_get(gr_at(nodes, i), "id"), -1), (int64_t)i);
        out = gr_append(out, gr_value_ref(gr_get(gr_at(nodes, i), "name")));
    }
    for (size_t i = 0; i < gr_len(edges); i++)
        out = gr_append(out, gr_strf("%lld>%lld",
                                     (long long)gr_as_int(gr_get(gr_at(edges, i), "source"), -1),
                                     (long long)gr_as_int(gr_get(gr_at(edges, i), "target"), -1)));
    gr_value_unref(graph);
    return out;
}

static void graph_is(gr_ref r, const char *expected)
{
    gr_value *err = NULL, *graph = gr_get_graph(rt, r, &err);

    cr_assert_null(err, "%s", gr_error_text(err));
    is(names_of(graph), expected);
}

Test(graph, of_one_runnable)
{
    graph_is(gr_str_parser(root), "[\"StrOutputParserInput\",\"StrOutputParser\","
                                  "\"StrOutputParserOutput\",\"0>1\",\"1>2\"]");
    graph_is(gr_prompt(root, "{a}"),
             "[\"PromptInput\",\"PromptTemplate\",\"PromptTemplateOutput\",\"0>1\",\"1>2\"]");
    /* one that lacks the verb is one node, too */
    graph_is(inc(GR_CHEAP), "[\"LambdaInput\",\"Lambda\",\"LambdaOutput\",\"0>1\",\"1>2\"]");
}

static gr_ref chain(void)
{
    return gr_seq(root, gr_prompt(root, "{a} {b}"), inc(GR_CHEAP), gr_str_parser(root));
}

Test(graph, of_a_sequence)
{
    graph_is(chain(), "[\"PromptInput\",\"PromptTemplate\",\"Lambda\",\"StrOutputParser\","
                      "\"StrOutputParserOutput\",\"0>1\",\"1>2\",\"2>3\",\"3>4\"]");
}

/* where branches come together the schema is shown */
Test(graph, of_a_parallel_in_a_sequence)
{
    gr_ref both = gr_parallel(root, GR_STEP("x", gr_str_parser(root)), GR_STEP("y", inc(GR_CHEAP)));

    graph_is(gr_seq(root, gr_prompt(root, "{a}"), both),
             "[\"PromptInput\",\"PromptTemplate\",\"Parallel<x,y>Input\",\"Parallel<x,y>Output\","
             "\"StrOutputParser\",\"Lambda\",\"0>1\",\"1>2\",\"2>4\",\"4>3\",\"2>5\",\"5>3\"]");
    graph_is(gr_seq(root, both, gr_str_parser(root)),
             "[\"Parallel<x,y>Input\",\"Parallel<x,y>Output\",\"StrOutputParser\",\"Lambda\","
             "\"StrOutputParser\",\"StrOutputParserOutput\",\"0>2\",\"2>1\",\"0>3\",\"3>1\","
             "\"1>4\",\"4>5\"]");
}

Test(graph, of_what_is_not_seen)
{
    const char *one = "[\"StrOutputParserInput\",\"StrOutputParser\",\"StrOutputParserOutput\","
                      "\"0>1\",\"1>2\"]";
    gr_ref p = gr_str_parser(root);

    graph_is(gr_with_retry(root, p, NULL), one);
    graph_is(gr_each(root, p), one);
    graph_is(gr_with_config(root, p, json("{\"tags\":[\"t\"]}")), one);
    graph_is(gr_configurable_alternatives(root, p, GR_ALTERNATIVES(.id = "w"),
                                          GR_STEP("o", inc(GR_CHEAP))),
             one);
    graph_is(gr_with_fallbacks(root, p, inc(GR_CHEAP)),
             "[\"WithFallbacksInput\",\"WithFallbacks\",\"WithFallbacksOutput\",\"0>1\",\"1>2\"]");
    graph_is(gr_assign(root, GR_STEP("k", p)),
             "[\"Parallel<k>Input\",\"Parallel<k>Output\",\"StrOutputParser\",\"Passthrough\","
             "\"0>2\",\"2>1\",\"0>3\",\"3>1\"]");
}

Test(graph, drawn_as_mermaid)
{
    gr_value *graph = gr_get_graph(rt, gr_seq(root, chain(), gr_str_parser(root)), NULL);
    gr_value *text = gr_draw_mermaid(graph);

    cr_assert_str_eq(gr_cstr(text, gr_error_text(text)),
                     "---\nconfig:\n  flowchart:\n    curve: linear\n---\ngraph TD;\n"
                     "\tPromptInput([PromptInput]):::first\n"
                     "\tPromptTemplate(PromptTemplate)\n"
                     "\tLambda(Lambda)\n"
                     "\tStrOutputParser_1(StrOutputParser)\n"
                     "\tStrOutputParser_2(StrOutputParser)\n"
                     "\tStrOutputParserOutput([StrOutputParserOutput]):::last\n"
                     "\tPromptInput --> PromptTemplate;\n"
                     "\tPromptTemplate --> Lambda;\n"
                     "\tLambda --> StrOutputParser_1;\n"
                     "\tStrOutputParser_1 --> StrOutputParser_2;\n"
                     "\tStrOutputParser_2 --> StrOutputParserOutput;\n"
                     "\tclassDef default fill:#f2f0ff,line-height:1.2\n"
                     "\tclassDef first fill-opacity:0\n"
                     "\tclassDef last fill:#bfb6fc\n");
    gr_value_unref(text);
    gr_value_unref(graph);
    graph = gr_get_graph(rt, gr_parallel(root, GR_STEP("a b", inc(GR_CHEAP))), NULL);
    text = gr_draw_mermaid(graph);
    cr_assert_not_null(
        strstr(gr_cstr(text, ""), "\tParallel\\3ca\\20b\\3eInput([Parallel#60;a b#62;Input])"),
        "%s", gr_cstr(text, ""));
    gr_value_unref(text);
    gr_value_unref(graph);
    /* an id has the code points, not the bytes */
    graph =
        gr_get_graph(rt, gr_parallel(root, GR_STEP("\xc3\xbc\t\xe2\x82\xac", inc(GR_CHEAP))), NULL);
    text = gr_draw_mermaid(graph);
    cr_assert_not_null(strstr(gr_cstr(text, ""), "\tParallel\\3c\\fc\\9\\20ac\\3eInput(["), "%s",
                       gr_cstr(text, ""));
    gr_value_unref(text);
    gr_value_unref(graph);
    fails_with(gr_draw_mermaid(NULL), GR_ETYPE, "nodes and edges");
}

/* ---- schemas --------------------------------------------------------------------------------- */

Test(graph, input_and_output_schemas)
{
    const char *prompt = "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"},"
                         "\"b\":{\"type\":\"string\"}},\"required\":[\"a\",\"b\"],"
                         "\"title\":\"PromptInput\"}";

    is(gr_get_input_schema(rt, chain(), NULL), prompt);
    is(gr_get_output_schema(rt, chain(), NULL),
       "{\"title\":\"StrOutputParserOutput\",\"type\":\"string\"}");
    is(gr_get_input_schema(rt, inc(GR_CHEAP), NULL), "{\"title\":\"RunnableLambdaInput\"}");
    is(gr_get_input_schema(rt,
                           gr_parallel(root, GR_STEP("x", gr_prompt(root, "{a}")),
                                       GR_STEP("y", gr_prompt(root, "{b}{a}"))),
                           NULL),
       "{\"title\":\"RunnableParallel<x,y>Input\",\"type\":\"object\",\"properties\":{\"a\":"
       "{\"type\":\"string\"},\"b\":{\"type\":\"string\"}},\"required\":[\"a\",\"b\"]}");
    is(gr_get_output_schema(rt, gr_parallel(root, GR_STEP("x", gr_str_parser(root))), NULL),
       "{\"title\":\"RunnableParallel<x>Output\",\"type\":\"object\",\"properties\":{\"x\":"
       "{\"title\":\"StrOutputParserOutput\",\"type\":\"string\"}},\"required\":[\"x\"]}");
    is(gr_get_output_schema(rt, gr_each(root, gr_str_parser(root)), NULL),
       "{\"title\":\"StrOutputParserOutput\",\"type\":\"array\",\"items\":"
       "{\"title\":\"StrOutputParserOutput\",\"type\":\"string\"}}");
    is(gr_get_name(rt, chain(), NULL), "\"RunnableSequence\"");
}

/* a sequence needs what its steps need beside what an assign in front of them adds, and gives what a pick
 * or an assign at its end makes of what comes in */
Test(graph, a_sequence_looks_through_assign_and_pick)
{
    gr_ref q = gr_seq(root, gr_pick(root, "question"), gr_str_parser(root));
    gr_ref typed = gr_with_types(root, q,
                                 json("{\"type\":\"object\",\"properties\":{\"question\":"
                                      "{\"type\":\"string\"}},\"required\":[\"question\"]}"),
                                 NULL);
    gr_ref assign = gr_assign(root, GR_STEP("context", typed));
    gr_ref both = gr_parallel(root, GR_STEP("a", gr_str_parser(root)), GR_STEP("b", assign));

    is(gr_get_input_schema(rt, gr_seq(root, assign, gr_prompt(root, "{context} {question}")), NULL),
       "{\"title\":\"RunnableSequenceInput\",\"type\":\"object\",\"properties\":{\"question\":"
       "{\"type\":\"string\"}},\"required\":[\"question\"]}");
    is(gr_get_input_schema(rt, q, NULL), "{\"title\":\"StrOutputParserInput\"}");
    is(gr_get_output_schema(rt, assign, NULL),
       "{\"title\":\"RunnableAssignOutput\",\"type\":\"object\",\"properties\":{\"question\":"
       "{\"type\":\"string\"},\"context\":{\"title\":\"StrOutputParserOutput\",\"type\":\"string\"}},"
       "\"required\":[\"question\",\"context\"]}");
    is(gr_get_output_schema(rt, gr_seq(root, both, gr_pick(root, "a")), NULL),
       "{\"title\":\"RunnableSequenceOutput\",\"type\":\"string\"}");
    is(gr_get_output_schema(rt, gr_seq(root, both, gr_pick_keys(root, "a")), NULL),
       "{\"title\":\"RunnableSequenceOutput\",\"type\":\"object\",\"properties\":{\"a\":"
       "{\"title\":\"StrOutputParserOutput\",\"type\":\"string\"}},\"required\":[\"a\"]}");
    is(gr_get_output_schema(
           rt, gr_seq(root, gr_parallel(root, GR_STEP("a", gr_str_parser(root))), assign), NULL),
       "{\"title\":\"RunnableSequenceOutput\",\"type\":\"object\",\"properties\":{\"a\":"
       "{\"title\":\"StrOutputParserOutput\",\"type\":\"string\"},\"context\":"
       "{\"title\":\"StrOutputParserOutput\",\"type\":\"string\"}},\"required\":[\"a\",\"context\"]}");
}

Test(graph, with_types)
{
    gr_ref r = gr_with_types(root, inc(GR_CHEAP), json("{\"type\":\"integer\"}"), NULL);

    invoke_is(r, "1", "2");
    batch_is(r, "[1,2]", "[2,3]");
    is(gr_get_input_schema(rt, r, NULL),
       "{\"title\":\"RunnableLambdaInput\",\"type\":\"integer\"}");
    is(gr_get_output_schema(rt, r, NULL), "{\"title\":\"RunnableLambdaOutput\"}");
}

Test(graph, config_schema)
{
    static const char *const include[] = { "tags" };
    gr_ref which = gr_configurable_alternatives(root, inc(GR_CHEAP), GR_ALTERNATIVES(.id = "which"),
                                                GR_STEP("dbl", dbl(GR_CHEAP)));
    gr_ref history = gr_with_message_history(root, gr_seq(root, which, which),
                                             GR_HISTORY(.history = gr_memory_history(root, NULL)));
    gr_ref other = gr_configurable_alternatives(root, inc(GR_CHEAP), GR_ALTERNATIVES(.id = "which"),
                                                GR_STEP("tpl", dbl(GR_CHEAP)));
    gr_value *err = NULL;

    is(gr_config_schema(rt, history, include, 1, NULL),
       "{\"title\":\"RunnableSequenceConfig\",\"type\":\"object\",\"properties\":{\"configurable\":"
       "{\"title\":\"Configurable\",\"type\":\"object\",\"properties\":{\"session_id\":{\"title\":"
       "\"Session ID\",\"description\":\"Unique identifier for a session.\",\"default\":\"\"},"
       "\"which\":{\"title\":\"which\",\"default\":\"default\",\"enum\":[\"dbl\",\"default\"]}}},"
       "\"tags\":{\"title\":\"tags\"}}}");
    is(gr_config_schema(rt, inc(GR_CHEAP), NULL, 0, NULL),
       "{\"title\":\"RunnableLambdaConfig\",\"type\":\"object\",\"properties\":{}}");
    cr_assert_null(gr_config_schema(rt, gr_seq(root, which, other), NULL, 0, &err));
    fails_with(err, GR_EINVAL, "conflicting config specs for which");
}

Test(graph, what_has_gone_cant_be_described)
{
    gr_ref gone = inc(GR_CHEAP);
    gr_ref r = gr_seq(root, gone, inc(GR_CHEAP)), p = gr_parallel(root, GR_STEP("x", gone));
    gr_value *err = NULL;

    gr_stop(rt, gone);
    cr_assert_null(gr_get_graph(rt, r, &err));
    fails_with(err, GR_EDEAD, "");
    cr_assert_null(gr_get_graph(rt, p, NULL));
}
