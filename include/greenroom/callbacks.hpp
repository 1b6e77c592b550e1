/* SPDX-License-Identifier: Apache-2.0 */
/* callbacks.hpp - who watches runs, from C++17; greenroom.hpp says how. */
#ifndef GREENROOM_CALLBACKS_HPP
#define GREENROOM_CALLBACKS_HPP

#include <greenroom/runnable.hpp>

namespace gr {

namespace detail {

/* A handler can't fail a run, so what it throws is dropped. */
template <class F> void hear(void *fn, const gr_event *event) noexcept
{
    try {
        (*static_cast<F *>(fn))(*event);
    } catch (...) {
    }
}

} /* namespace detail */

/* ---- handlers --------------------------------------------------------------------------------- */

/* handler makes a handler of void fn(const gr_event &), for "callbacks": see gr_handler_value. kinds
 * and types are sums of gr_event_kind and gr_run_type. What fn throws is dropped. */
template <class F>
value handler(F fn, unsigned kinds = GR_RUN_ALL, unsigned types = GR_TYPE_ALL, bool root_only = false)
{
    auto h = opts<gr_handler>();

    h.on_event = detail::hear<F>;
    h.drop = detail::drop<F>;
    h.arg = new F(std::move(fn));
    h.kinds = kinds;
    h.types = types;
    h.root_only = root_only;
    return value::own(gr_handler_value(&h));
}

/* with_listeners has void fn(const gr_event &) hear of the start and the end of runnable's own runs, or
 * their error. */
template <class F> gr_ref with_listeners(gr_scope *in, gr_ref runnable, F fn)
{
    auto l = opts<gr_listeners>();

    l.on_start = l.on_end = l.on_error = detail::hear<F>;
    l.drop = detail::drop<F>;
    l.arg = new F(std::move(fn));
    return gr_with_listeners(in, runnable, &l);
}

inline void dispatch_event(gr_ctx *c, const char *name, value data)
{
    check(gr_dispatch_event(c, name, data.release()), "the event could not be told");
}

/* ---- streams of events -------------------------------------------------------------------------- */

inline stream astream_events(gr_runtime *rt, gr_ref r, value input, const gr_call_opts *o = nullptr,
                             const gr_events_opts *events = nullptr)
{
    return stream(gr_astream_events(rt, r, input.release(), o, events));
}
inline stream astream_log(gr_runtime *rt, gr_ref r, value input, const gr_call_opts *o = nullptr,
                          const gr_events_opts *events = nullptr)
{
    return stream(gr_astream_log(rt, r, input.release(), o, events));
}
inline value log_apply(value state, const gr_value *patch)
{
    return value::own(gr_log_apply(state.release(), patch));
}

/* ---- tracers ------------------------------------------------------------------------------------ */

inline value console_tracer(int fd, const gr_tracer_opts *o = nullptr)
{
    return value::own(gr_console_tracer(fd, o));
}
inline value json_tracer(int fd, const gr_tracer_opts *o = nullptr)
{
    return value::own(gr_json_tracer(fd, o));
}
inline value run_collector(std::size_t trees_max = 0) { return value::own(gr_run_collector(trees_max)); }
inline value run_collector_take(const gr_value *collector)
{
    return value::own(gr_run_collector_take(collector));
}

} /* namespace gr */

#endif
