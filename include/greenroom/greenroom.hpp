/* SPDX-License-Identifier: Apache-2.0 */
/*
 * greenroom.hpp - Greenroom for C++17: the names of the C headers without their prefix, gr::invoke for
 * gr_invoke, and objects that free themselves. Header only; everything here calls the C library,
 * whose functions may be used beside it at any time. Those that C++ can call as well are not repeated:
 * gr_each(in, r), gr_str_parser(in), gr_with_retry(in, r, &o), gr_with_message_history, gr_as_tool ….
 *
 *     gr::runtime rt;
 *     gr_ref shout = gr::lambda(rt.root(), GR_CHEAP, [](gr_ctx *, const gr_value *in) {
 *         return gr::value(gr::text(in) + "!");
 *     });
 *     gr::value answer = gr::invoke(rt, shout, "hello"); or gr::ainvoke(…).take()
 *
 * What differs from C:
 *   Ownership   gr::value is one reference to an immutable tree: copying it is cheap and safe. future,
 *               stream, scope and runtime have one owner: they move. A parameter of type gr::value or
 *               gr::future&& is taken. `const gr_value *` is borrowed, as in C; keep() makes it yours.
 *   Errors      What returns NULL or a code in C throws gr::failure, which has the error value. An
 *               exception that leaves a function given to gr::lambda becomes the call's error, and
 *               never crosses into C. Await and next return the plain gr_outcome and throw nothing.
 *   Waits       As base.h says, a catch block must not wait. Nor may, in a handler, what an exception
 *               destroys on its way: a stream before its end, a scope.
 *   Options     auto o = gr::opts<gr_call_opts>(); o.timeout_ms = 500; gr::invoke(rt, r, "x", &o);
 *               A gr_value pointer in them is taken: o.config = gr::map({…}).release();
 *   Lists       are in braces: gr::seq(in, { prompt, model, parser }), gr::branch(in, r, { { c, a } }).
 *   Chunks      for (const gr_value *chunk : gr::astream(rt, chain, input)) in place of gr_do_stream;
 *               likewise for atransform, abatch_as_completed, astream_events and astream_log.
 *   Threads     As in C; no object here may be used by two threads at once, but for gr::value.
 */
#ifndef GREENROOM_GREENROOM_HPP
#define GREENROOM_GREENROOM_HPP

#include <greenroom/value.hpp>
#include <greenroom/call.hpp>
#include <greenroom/runnable.hpp>
#include <greenroom/callbacks.hpp>

#endif
