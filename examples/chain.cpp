/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chain.cpp - prompt | model | parser in C++17, with a callback handler, streamed, and as events.
 *
 *     c++ -std=c++17 chain.cpp $(pkg-config --cflags --libs greenroom) && ./a.out
 *
 * It prints:
 *
 *     start RunnableSequence
 *       start PromptTemplate
 *       end   PromptTemplate
 *       start ScriptModel
 *       end   ScriptModel
 *       start StrOutputParser
 *       end   StrOutputParser
 *     end   RunnableSequence
 *     answer: Bears bear beers.
 *     stream: Bears| bear| beers.|
 *     events of the model: Bears| bear| beers.|
 */
#include <greenroom/greenroom.hpp>

#include <iostream>

/* A callback handler: any function of an event. */
static void print_run(const gr_event &e)
{
    std::cout << (e.run->parent_id != nullptr ? "  " : "")
              << (e.kind == GR_RUN_START ? "start " : "end   ") << e.run->name << "\n";
}

int main()
try {
    gr::runtime rt;
    gr_scope *in = rt.root();
    auto script = gr::opts<gr_script_opts>();
    script.answers = gr::list({ "Bears bear beers." }).release();

    gr_ref chain = gr::seq(in, { gr_prompt(in, "Tell me a joke about {topic}."),
                                 gr_script_model(in, &script), gr_str_parser(in) });
    gr::value input = gr::map({ { "topic", "bears" } });

    /* invoke, with a config: callbacks, tags, metadata … */
    gr::value handler = gr::handler(print_run, GR_RUN_START | GR_RUN_END);
    auto call = gr::opts<gr_call_opts>();
    call.config = gr::map({ { "callbacks", gr::list({ handler }) } }).release();
    gr::value answer = gr::invoke(rt, chain, input, &call);
    std::cout << "answer: " << gr::text(answer) << "\n";

    /* stream */
    std::cout << "stream: ";
    for (const gr_value *chunk : gr::astream(rt, chain, input))
        std::cout << gr::text(chunk) << "|";

    /* astream_events */
    const char *types[] = { "chat_model", nullptr };
    auto only = gr::opts<gr_events_opts>();
    only.include_types = types;
    std::cout << "\nevents of the model: ";
    for (const gr_value *event : gr::astream_events(rt, chain, input, nullptr, &only))
        if (gr::text(gr_get(event, "event")) == "on_chat_model_stream")
            std::cout << gr::text(gr_get(gr_get(gr_get(event, "data"), "chunk"), "content")) << "|";
    std::cout << "\n";
    return 0;
} catch (const gr::failure &e) {
    std::cerr << e.what() << "\n";
    return 1;
}
