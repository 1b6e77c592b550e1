/* SPDX-License-Identifier: Apache-2.0 */
/* consumer_runs.cpp - the runnables of greenroom.hpp, their streams, and who watches them. */
#include "consumer.hpp"

#include <atomic>
#include <cstdio>
#include <unistd.h>

/* add answers with its input and a mark. */
static gr_ref add(gr::runtime &rt, const char *mark)
{
    return gr::lambda(rt.root(), GR_CHEAP, [mark](gr_ctx *, const gr_value *in) {
        return gr::text(in) + mark;
    });
}

static void kinds(gr::runtime &rt)
{
    gr_scope *in = rt.root();
    gr_ref a = add(rt, "a");
    gr_ref b = add(rt, "b");
    gr_ref empty = gr::lambda(in, GR_CHEAP, [](gr_ctx *, const gr_value *v) { return gr_len(v) == 0; });
    gr_ref either = gr::branch(in, b, { { empty, a } });
    gr_ref pick = gr::pick(in, { "x", "z" });
    gr_ref hands_on = gr::lambda(in, GR_ASYNC, [a](gr_ctx *, const gr_value *) { return a; });
    gr_ref bound = gr::bind(in, gr::lambda(in, GR_CHEAP, [](gr_ctx *c, const gr_value *) {
        return gr::value::keep(gr_kwargs(c));
    }), gr::map({ { "stop", "." } }));

    expect(gr::text(gr::invoke(rt, either, "")) == "a", "branch: an arm");
    expect(gr::text(gr::invoke(rt, either, "x")) == "xb", "branch: otherwise");
    expect(gr::invoke(rt, gr::router(in, { { "a", a }, { "b", b } }),
                      gr::map({ { "key", "b" }, { "input", "x" } })) == gr::value("xb"), "router");
    expect(gr::invoke(rt, pick, gr::map({ { "x", 1 }, { "y", 2 } })) == gr::map({ { "x", 1 } }), "pick");
    expect(gr::invoke(rt, bound, nullptr) == gr::map({ { "stop", "." } }), "bind");
    expect(gr::text(gr::invoke(rt, hands_on, "x")) == "xa", "a lambda that answers with a runnable");
}

static void configured(gr::runtime &rt)
{
    gr_scope *in = rt.root();
    auto ids = gr::opts<gr_alternatives_opts>();
    ids.id = "who";
    gr_ref one_of = gr::configurable_alternatives(in, add(rt, "a"), &ids, { { "b", add(rt, "b") } });
    gr_ref made = gr::configurable_fields(in, [](gr_scope *scope, const gr_value *fields) {
        std::string mark = gr::text(gr_get(fields, "mark"));
        if (mark == "?")
            throw std::runtime_error("no such mark");
        return gr::lambda(scope, GR_CHEAP, [mark](gr_ctx *, const gr_value *v) { return gr::text(v) + mark; });
    }, { GR_FIELD("mark", nullptr, gr::value("!").release(), nullptr) });
    auto with = [in](gr_ref r, const char *key, const char *v) {
        return gr::with_config(in, r, gr::map({ { "configurable", gr::map({ { key, v } }) } }));
    };

    expect(gr::text(gr::invoke(rt, one_of, "x")) == "xa", "alternatives: otherwise");
    expect(gr::text(gr::invoke(rt, with(one_of, "who", "b"), "x")) == "xb", "alternatives: by the config");
    expect(gr::text(gr::invoke(rt, made, "x")) == "x!", "fields: the default");
    expect(gr::text(gr::invoke(rt, with(made, "mark", "."), "x")) == "x.", "fields: by the config");
    try {
        gr::invoke(rt, with(made, "mark", "?"), "x");
        expect(false, "fields: what make throws fails the call");
    } catch (const gr::failure &e) {
        expect(std::string(e.what()) == "no such mark", "fields: with its text");
    }
    gr::value merged = gr::merge_configs(gr::map({ { "tags", gr::list({ "b" }) } }),
                                         gr::map({ { "tags", gr::list({ "a" }) } }));
    expect(gr::value::keep(merged["tags"]) == gr::list({ "a", "b" }), "merge_configs");
    expect(gr_as_int(gr::ensure_config(nullptr)["recursion_limit"], 0) == GR_RECURSION_LIMIT, "ensure_config");
}

static void recovery(gr::runtime &rt)
{
    gr_scope *in = rt.root();
    auto tries = std::make_shared<std::atomic<int>>(0);
    gr_ref fails = gr::lambda(in, GR_CHEAP, [tries](gr_ctx *, const gr_value *) -> gr::value {
        ++*tries;
        throw gr::failure(gr::error(GR_ERATE, "slower"));
    });
    auto retry = gr::opts<gr_retry_opts>();
    auto only = gr::opts<gr_fallbacks_opts>();
    const char *names[] = { "GR_ETYPE" };

    retry.attempts = 3;
    retry.backoff_ms = retry.jitter_ms = -1;
    expect(gr::text(gr::invoke(rt, gr::with_fallbacks(in, { gr_with_retry(in, fails, &retry), add(rt, "b") }),
                               "x")) == "xb", "retry, and a fallback");
    expect(*tries == 3, "three attempts");
    only.errors = names;
    only.error_count = 1;
    try {
        gr::invoke(rt, gr::with_fallbacks(in, { fails, add(rt, "b") }, &only), "x");
        expect(false, "an error that no fallback is for fails the call");
    } catch (const gr::failure &e) {
        expect(e.code() == GR_ERATE, "with its code");
    }
}

/* twice is a generator: each chunk two times; it fails at "bad". */
static gr_ref twice(gr::runtime &rt)
{
    return gr::generator(rt.root(), GR_ASYNC, [](gr_ctx *c, gr::chunks input) {
        for (const gr_value *chunk : input) {
            if (gr::text(chunk) == "bad")
                throw std::runtime_error("a bad chunk");
            gr::emit(c, gr::text(chunk) + gr::text(chunk));
        }
    });
}

static void streams(gr::runtime &rt)
{
    gr_ref doubles = twice(rt);
    gr::value sum = gr::atransform(rt, doubles, gr::stream_of(rt, gr::list({ "a", "b" }))).take();
    std::string got;
    int seen = 0;

    expect(gr::text(sum) == "aabb", "a generator");
    try {
        for (const gr_value *chunk : gr::atransform(rt, doubles, gr::stream_of(rt, gr::list({ "a", "bad" }))))
            got += gr::text(chunk);
        expect(false, "a generator that throws fails its stream");
    } catch (const gr::failure &e) {
        expect(got == "aa" && std::string(e.what()) == "a bad chunk", "after its chunks, with its text");
    }
    gr::value pairs = gr::abatch_as_completed(rt, add(rt, "!"), gr::list({ "x", "y", "z" })).take();
    expect(gr_len(pairs) == 6, "batch_as_completed: [index, answer], added up");
    for (const gr_value *pair : gr::abatch_as_completed(rt, add(rt, "!"), gr::list({ "x", "y" })))
        seen += gr::text(gr_at(pair, 1)) == (gr_as_int(gr_at(pair, 0), -1) == 0 ? "x!" : "y!") ? 1 : 100;
    expect(seen == 2, "batch_as_completed, in a range for");
    try {
        gr::stream_of(rt, "none");
        expect(false, "a stream is made of a list");
    } catch (const gr::failure &e) {
        expect(e.code() == GR_ETYPE, "a stream of no list");
    }
}

static void pipes(gr::runtime &rt)
{
    gr_ref doubles = twice(rt);
    auto [end, writer] = gr::pipe(rt);
    gr::stream s = gr::atransform(rt, doubles, std::move(end));

    writer.write("x");
    expect(gr::text(s.next().value) == "xx", "a pipe");
    writer.close();
    expect(s.next().code == GR_EOS, "a pipe's end");
    auto [left_end, left] = gr::pipe(rt);
    s = gr::atransform(rt, doubles, std::move(left_end));
    {
        gr::writer gone = std::move(left);
    }
    expect(s.next().code == GR_EBROKEN, "a pipe that its writer leaves open fails");
    auto [dropped, alone] = gr::pipe(rt);
    {
        gr::stream none = std::move(dropped);
    }
    try {
        alone.write("x");
        expect(false, "a pipe without a reader refuses");
    } catch (const gr::failure &e) {
        expect(e.code() == GR_ECANCELED, "by GR_ECANCELED");
    }
}

static void watched(gr::runtime &rt)
{
    gr_scope *in = rt.root();
    auto told = std::make_shared<std::string>();
    gr::value handler = gr::handler([told](const gr_event &e) {
        *told += std::string(gr_event_name(&e)) + " ";
        throw std::runtime_error("a handler can't fail a run");
    }, GR_RUN_START | GR_RUN_CUSTOM);
    gr::value collector = gr::run_collector();
    gr_ref says = gr::lambda(in, GR_ASYNC, [](gr_ctx *c, const gr_value *v) {
        gr::dispatch_event(c, "progress", 0.5);
        return gr::value::keep(v);
    });
    auto o = gr::opts<gr_call_opts>();

    o.config = gr::map({ { "callbacks", gr::list({ handler, collector }) } }).release();
    expect(gr::text(gr::invoke(rt, says, "x", &o)) == "x", "what a handler throws fails nothing");
    expect(*told == "on_chain_start on_custom_event ", "a handler");
    gr::value trees = gr::run_collector_take(collector);
    expect(gr_len(trees) == 1 && gr_get(gr_at(trees, 0), "outputs") != nullptr, "a collector");

    auto heard = std::make_shared<std::atomic<unsigned>>(0);
    gr_ref listened = gr::with_listeners(in, says, [heard](const gr_event &e) { *heard |= e.kind; });
    gr::invoke(rt, listened, "x");
    expect(*heard == (GR_RUN_START | GR_RUN_END), "listeners");
}

static void traced(gr::runtime &rt)
{
    std::FILE *f = std::tmpfile();
    auto o = gr::opts<gr_call_opts>();
    char line[256] = "";

    if (f == nullptr)
        return;
    o.config = gr::map({ { "callbacks", gr::list({ gr::console_tracer(fileno(f)), gr::json_tracer(fileno(f)) }) } })
                   .release();
    gr::invoke(rt, add(rt, "!"), "x", &o);
    std::rewind(f);
    expect(std::fgets(line, sizeof line, f) != nullptr && line[0] == '>', "a console tracer");
    expect(std::fgets(line, sizeof line, f) != nullptr && line[0] == '{', "a JSON tracer");
    std::fclose(f);
}

static void events(gr::runtime &rt)
{
    gr_ref chain = gr::seq(rt.root(), { add(rt, "a"), add(rt, "b") });
    auto only = gr::opts<gr_events_opts>();
    const char *tags[] = { "seq:step:2", nullptr };
    std::string told;
    gr::value log;

    only.include_tags = tags;
    for (const gr_value *e : gr::astream_events(rt, chain, "x", nullptr, &only))
        told += gr::text(gr_get(e, "event")) + " ";
    expect(told == "on_chain_start on_chain_stream on_chain_end ", "astream_events");
    for (const gr_value *patch : gr::astream_log(rt, chain, "x"))
        log = gr::log_apply(log, patch);
    expect(gr::text(log["final_output"]) == "xab", "astream_log");
}

static void described(gr::runtime &rt)
{
    gr_scope *in = rt.root();
    gr_ref chain = gr::seq(in, { gr_prompt(in, "{a}"), gr_str_parser(in) });
    gr::value drawn = gr::draw_mermaid(gr::get_graph(rt, chain));

    expect(gr::text(gr::get_name(rt, chain)) == "RunnableSequence", "get_name");
    expect(gr::text(drawn).find("StrOutputParser") != std::string::npos, "get_graph, draw_mermaid");
    expect(gr_get(gr::get_input_schema(rt, chain)["properties"], "a") != nullptr, "get_input_schema");
    expect(gr::text(gr::get_output_schema(rt, chain)["type"]) == "string", "get_output_schema");
    expect(gr_get(gr::config_schema(rt, chain, { "tags" })["properties"], "tags") != nullptr, "config_schema");
    expect(gr::describe(rt, chain)["config_specs"] != nullptr, "describe");
    try {
        gr::get_name(rt, gr_ref{ 0, 0 });
        expect(false, "a ref to nothing has no name");
    } catch (const gr::failure &) {
    }
}

void runs(gr::runtime &rt)
{
    kinds(rt);
    configured(rt);
    recovery(rt);
    streams(rt);
    pipes(rt);
    watched(rt);
    traced(rt);
    events(rt);
    described(rt);
}
