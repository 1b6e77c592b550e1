/* SPDX-License-Identifier: Apache-2.0 */
/*
 * consumer.cpp - a user's program in C++17 with greenroom.hpp: each of its parts once.
 * Prints "ok" when all of it is as the header says.
 */
#include "consumer.hpp"

#include <cstdio>

static int failures;

void expect(bool holds, const char *what)
{
    if (!holds) {
        std::fprintf(stderr, "wrong: %s\n", what);
        failures++;
    }
}

static void values()
{
    gr::value v = gr::map({ { "n", 1 }, { "items", gr::list({ true, 2.5, "x", nullptr }) } });
    gr::value copy = v;

    expect(gr_as_int(v["n"], 0) == 1, "map and []");
    expect(gr_len(v["items"]) == 4 && gr_value_type(gr_at(v["items"], 0)) == GR_BOOL, "list");
    expect(gr::value::own(gr_json_parse(v.json().c_str(), v.json().size(), nullptr)) == v, "json");
    expect(copy == v && copy != gr::value(1), "equality");
    expect(gr::value(UINT64_MAX).is_error(), "an integer that is too large is an error");
    expect(gr::error(GR_EFULL, "100%s").is_error(), "error keeps the text as it is");
}

static void calls(gr::runtime &rt)
{
    std::string mark = "!";
    gr_ref shout = gr::lambda(rt.root(), GR_CHEAP, [mark](gr_ctx *, const gr_value *in) {
        return gr::value(gr::text(in) + mark);
    });
    gr_ref both = gr::parallel(rt.root(), { { "a", shout }, { "b", gr_passthrough(rt.root()) } });
    gr_ref chain = gr::seq(rt.root(), { shout, both });
    gr::value answer = gr::invoke(rt, chain, "hi");
    std::vector<gr::future> several;
    std::string streamed;
    auto opts = gr::opts<gr_call_opts>();

    expect(gr::text(answer["a"]) == "hi!!" && gr::text(answer["b"]) == "hi!", "invoke");
    several.push_back(gr::ainvoke(rt, shout, "x"));
    several.push_back(gr::ainvoke(rt, shout, "y"));
    expect(gr::all(rt, std::move(several)).take() == gr::list({ "x!", "y!" }), "all");
    for (const gr_value *chunk : gr::astream(rt, shout, "s"))
        streamed += gr::text(chunk);
    expect(streamed == "s!", "a stream in a range for");
    opts.timeout_ms = 20000;
    expect(gr::batch(rt, shout, gr::list({ "p", "q" }), &opts) == gr::list({ "p!", "q!" }), "batch");
}

static void errors(gr::runtime &rt)
{
    gr_ref throws = gr::lambda(rt.root(), GR_CHEAP, [](gr_ctx *, const gr_value *in) -> gr::value {
        if (gr_is_nil(in))
            throw gr::failure(gr::error(GR_ERATE, "slower"));
        throw std::runtime_error("no such luck");
    });

    try {
        gr::invoke(rt, throws, nullptr);
        expect(false, "a failure is thrown");
    } catch (const gr::failure &e) {
        expect(e.code() == GR_ERATE && std::string(e.what()) == "slower", "a failure keeps its code");
    }
    try {
        gr::ainvoke(rt, throws, 1).take();
        expect(false, "an exception is thrown");
    } catch (const gr::failure &e) {
        expect(e.code() == GR_EBROKEN && std::string(e.what()) == "no such luck", "an exception's text");
    }
}

int main()
{
    gr::runtime rt;

    values();
    calls(rt);
    errors(rt);
    runs(rt);
    if (failures == 0)
        std::puts("ok");
    return failures == 0 ? 0 : 1;
}
