/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chat_client.c - what only a program sees of the model client: built and run by api.sh, which
 * starts the server. Prints a line for each check that fails, and the counts last.
 */
#include <greenroom/greenroom.h>

#include <stdio.h>
#include <string.h>

static int passed, failed;

static void check(bool ok, const char *what)
{
    if (ok) {
        passed++;
        return;
    }
    failed++;
    printf("FAIL %s\n", what);
}

static bool same(const gr_value *v, const char *text)
{
    return strcmp(gr_cstr(v, "(no text)"), text) == 0;
}

/* tools gives the part of a request that offers the tool. */
static gr_value *tools(const char *name)
{
    gr_value *function = gr_map(GR_KV("name", gr_str(name)));
    gr_value *tool = gr_map(GR_KV("type", gr_str("function")), GR_KV("function", function));

    return gr_map(GR_KV("tools", gr_list(tool)));
}

static void check_answer(const gr_value *sum)
{
    check(same(gr_get(sum, "content"), "Hello from another server."), "the sum has the whole text");
    check(gr_as_int(gr_get(gr_get(sum, "usage_metadata"), "total_tokens"), 0) > 0,
          "the sum has the usage");
    check(same(gr_get(gr_get(sum, "response_metadata"), "finish_reason"), "stop"),
          "the sum has the finish reason");
}

/* without_id: the server makes it anew for each answer, and it is in the metadata, too. */
static gr_value *without_id(gr_value *m)
{
    gr_value *meta = gr_without(gr_value_ref(gr_get(m, "response_metadata")), "id");

    return gr_without(gr_set(m, "response_metadata", meta), "id");
}

/* A stream's sum is what invoke answers with, but for the id. */
static void sums(gr_runtime *rt, gr_ref model)
{
    gr_value *err = NULL, *whole, *sum;

    sum = gr_stream_take(gr_astream(rt, model, gr_str("say hello"), NULL), &err);
    sum = gr_message_of_chunk(sum);
    check_answer(sum);
    whole = gr_invoke(rt, model, gr_str("say hello"), NULL, &err);
    check_answer(whole);
    sum = without_id(sum);
    whole = without_id(whole);
    check(gr_equal(sum, whole), "a stream's sum is the answer to invoke");
    gr_value_unref(sum);
    gr_value_unref(whole);
}

static gr_value *ask_for_tool(gr_runtime *rt, gr_ref model, const char *text, bool stream)
{
    gr_value *err = NULL, *v;

    if (stream)
        v = gr_message_of_chunk(gr_stream_take(gr_astream(rt, model, gr_str(text), NULL), &err));
    else
        v = gr_invoke(rt, model, gr_str(text), NULL, &err);
    if (v == NULL)
        printf("     %s\n", gr_error_text(err));
    gr_value_unref(err);
    return v;
}

static void tool_calls(gr_runtime *rt, gr_ref weather, gr_ref clock)
{
    for (int stream = 0; stream < 2; stream++) {
        gr_value *v = ask_for_tool(rt, weather, "weather in Oslo?", stream);
        const gr_value *call = gr_at(gr_get(v, "tool_calls"), 0);

        check(gr_len(gr_get(v, "tool_calls")) == 1, "one tool call");
        check(same(gr_get(call, "name"), "get_weather"), "its name");
        check(same(gr_get(call, "id"), "call_1"), "its id");
        check(same(gr_get(gr_get(call, "args"), "city"), "Oslo"), "its arguments, put together");
        check(gr_get(v, "tool_call_chunks") == NULL, "no pieces are left");
        gr_value_unref(v);

        v = ask_for_tool(rt, clock, "what time is it?", stream);
        call = gr_at(gr_get(v, "tool_calls"), 0);
        check(same(gr_get(call, "name"), "get_time"), "a call without arguments");
        check(gr_value_type(gr_get(call, "args")) == GR_MAP && gr_len(gr_get(call, "args")) == 0,
              "has none");
        gr_value_unref(v);
    }
}

static void refusals(gr_runtime *rt, gr_ref limited, gr_ref model)
{
    gr_value *err = NULL, *v = gr_invoke(rt, limited, gr_str("say hello"), NULL, &err);

    check(v == NULL && gr_error_code(err) == GR_ERATE, "429 is GR_ERATE");
    check(gr_as_int(gr_get(err, "retry_after_ms"), 0) == 1000, "with Retry-After in ms");
    check(gr_as_int(gr_get(err, "status"), 0) == 429, "and the status");
    check(gr_error_retryable(err), "and worth a retry");
    gr_value_unref(err);
    err = NULL;
    v = gr_invoke(rt, model, gr_str("nobody knows this"), NULL, &err);
    check(v == NULL && gr_error_code(err) == GR_EREMOTE, "404 is GR_EREMOTE");
    check(same(gr_get(err, "kind"), "no_fixture_match"), "with the server's code");
    check(same(gr_get(gr_get(err, "detail"), "type"), "invalid_request_error"), "and its detail");
    check(!gr_error_retryable(err), "and final");
    gr_value_unref(err);
}

/* A call that is cancelled and a reader that leaves: both are done at once, though the server is
 * slow. */
static void leaving(gr_runtime *rt, gr_ref model)
{
    gr_future *f = gr_ainvoke(rt, model, gr_str("item 1"), NULL);
    gr_value *err = NULL;
    gr_stream *s;

    gr_cancel(rt, gr_future_call(f));
    check(gr_take(f, &err) == NULL && gr_error_code(err) == GR_ECANCELED, "a call is cancelled");
    gr_value_unref(err);
    /* The last request: api.sh looks for its end. */
    s = gr_astream(rt, model, gr_str("slowly"), NULL);
    check(gr_next(s, -1).code == GR_OK, "a slow stream begins");
    gr_stream_free(s);
}

int main(void)
{
    GR_AUTO(gr_runtime) rt = NULL;
    const gr_header limit = { "x-aimock-chaos-ratelimit", "1" };
    gr_ref model, weather, clock, limited;
    gr_scope *in;

    if (gr_runtime_new(GR_RUNTIME(.workers = 2), &rt) != GR_OK)
        return 1;
    in = gr_root(rt);
    model = gr_chat_model(in, GR_CHAT(.model = "small", .max_retries = -1));
    weather = gr_chat_model(in, GR_CHAT(.model = "small", .extra = tools("get_weather")));
    clock = gr_chat_model(in, GR_CHAT(.model = "small", .extra = tools("get_time")));
    limited = gr_chat_model(
        in, GR_CHAT(.model = "small", .max_retries = -1, .headers = &limit, .header_count = 1));
    sums(rt, model);
    tool_calls(rt, weather, clock);
    refusals(rt, limited, model);
    leaving(rt, model);
    printf("%d passed, %d failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
