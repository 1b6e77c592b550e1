/* SPDX-License-Identifier: Apache-2.0 */
/* runnable.hpp - making runnables from C++17, and asking what they are; greenroom.hpp says how. */
#ifndef GREENROOM_RUNNABLE_HPP
#define GREENROOM_RUNNABLE_HPP

#include <greenroom/call.hpp>

#include <exception>

namespace gr {

/* ---- runnables ------------------------------------------------------------------------------- */

/* What is between C and a function of C++: no exception passes. */
namespace detail {

template <class F> void drop(void *fn) { delete static_cast<F *>(fn); }

/* error_of turns the exception under way into an error value, the caller's; for a catch block. */
inline gr_value *error_of() noexcept
{
    try {
        throw;
    } catch (const failure &e) {
        return gr_value_ref(e.error());
    } catch (const std::bad_alloc &) {
        return gr_error(GR_ENOMEM, "out of memory");
    } catch (const std::exception &e) {
        return gr_error(GR_EBROKEN, "%s", e.what());
    } catch (...) {
        return gr_error(GR_EBROKEN, "an exception of unknown type");
    }
}

/* failing is a runnable that answers with err. */
inline gr_ref failing(gr_scope *in, gr_value *err) noexcept
{
    auto answer = [](gr_ctx *, void *arg, const gr_value *) -> gr_value * {
        return gr_value_ref(static_cast<gr_value *>(arg));
    };

    return gr_lambda(in, GR_CHEAP, answer,
                     [](void *arg) { gr_value_unref(static_cast<gr_value *>(arg)); }, err);
}

} /* namespace detail */

/* lambda makes a runnable of value fn(gr_ctx *, const gr_value *input). It is called by several threads
 * at once, as in C; it is destroyed with the actor, or at once when the actor could not be made. What
 * is not cheap may answer with a runnable, a gr_ref: that is called instead. */
template <class F> gr_ref lambda(gr_scope *in, gr_kind kind, F fn)
{
    auto call = [](gr_ctx *c, void *arg, const gr_value *input) -> gr_value * {
        try {
            value answer = (*static_cast<F *>(arg))(c, input);
            return answer.release();
        } catch (...) {
            return detail::error_of();
        }
    };

    return gr_lambda(in, kind, call, detail::drop<F>, new F(std::move(fn)));
}

/* generator makes a runnable of void fn(gr_ctx *, gr::chunks input), which answers by gr::emit. As
 * for lambda; kind: not GR_CHEAP. */
template <class F> gr_ref generator(gr_scope *in, gr_kind kind, F fn)
{
    auto call = [](gr_ctx *c, void *arg, gr_stream *input) -> gr_code {
        try {
            (*static_cast<F *>(arg))(c, chunks(input));
            return GR_OK;
        } catch (...) {
            return gr_fail(c, detail::error_of());
        }
    };

    return gr_generator(in, kind, call, detail::drop<F>, new F(std::move(fn)));
}

inline gr_ref seq(gr_scope *in, std::initializer_list<gr_ref> steps)
{
    return gr_seq_n(in, steps.begin(), steps.size());
}
inline gr_ref parallel(gr_scope *in, std::initializer_list<gr_step> steps)
{
    return gr_parallel_n(in, steps.begin(), steps.size());
}
inline gr_ref assign(gr_scope *in, std::initializer_list<gr_step> steps)
{
    return gr_assign_n(in, steps.begin(), steps.size());
}
inline gr_ref pick(gr_scope *in, std::initializer_list<const char *> keys) /* answers with a map */
{
    return gr_pick_n(in, keys.begin(), keys.size());
}
inline gr_ref branch(gr_scope *in, gr_ref otherwise, std::initializer_list<gr_arm> arms)
{
    return gr_branch_n(in, otherwise, arms.begin(), arms.size());
}
inline gr_ref router(gr_scope *in, std::initializer_list<gr_step> runnables)
{
    return gr_router_n(in, runnables.begin(), runnables.size());
}
inline gr_ref bind(gr_scope *in, gr_ref runnable, value kwargs)
{
    return gr_bind(in, runnable, kwargs.release());
}
inline gr_ref with_config(gr_scope *in, gr_ref runnable, value config)
{
    return gr_with_config(in, runnable, config.release());
}
inline gr_ref with_fallbacks(gr_scope *in, std::initializer_list<gr_ref> runnables,
                             const gr_fallbacks_opts *o = nullptr)
{
    return gr_with_fallbacks_for_n(in, o, runnables.begin(), runnables.size());
}
inline gr_ref configurable_alternatives(gr_scope *in, gr_ref otherwise, const gr_alternatives_opts *o,
                                        std::initializer_list<gr_step> alternatives)
{
    return gr_configurable_alternatives_n(in, otherwise, o, alternatives.begin(), alternatives.size());
}

/* configurable_fields is the runnable that gr_ref make(gr_scope *, const gr_value *fields) makes; of one
 * that throws calls fail with what it threw. */
template <class F>
gr_ref configurable_fields(gr_scope *in, F make, std::initializer_list<gr_field> fields)
{
    auto call = [](gr_scope *scope, void *arg, const gr_value *map) -> gr_ref {
        try {
            return (*static_cast<F *>(arg))(scope, map);
        } catch (...) {
            return detail::failing(scope, detail::error_of());
        }
    };

    return gr_configurable_fields_n(in, call, detail::drop<F>, new F(std::move(make)), fields.begin(),
                                    fields.size());
}

inline gr_ref chat_prompt(gr_scope *in, std::initializer_list<gr_role> roles)
{
    return gr_chat_prompt_n(in, roles.begin(), roles.size());
}

/* ---- what they are ----------------------------------------------------------------------------- */

/* ask calls one of graph.h's functions: ask(gr_get_graph, rt, r). */
using question = gr_value *(gr_runtime *, gr_ref, gr_value **);
inline value ask(question *what, gr_runtime *rt, gr_ref r)
{
    gr_value *err = nullptr;
    gr_value *v = what(rt, r, &err);

    return given(v, err);
}
inline value describe(gr_runtime *rt, gr_ref r) { return ask(gr_describe, rt, r); }
inline value get_name(gr_runtime *rt, gr_ref r) { return ask(gr_get_name, rt, r); }
inline value get_graph(gr_runtime *rt, gr_ref r) { return ask(gr_get_graph, rt, r); }
inline value get_input_schema(gr_runtime *rt, gr_ref r) { return ask(gr_get_input_schema, rt, r); }
inline value get_output_schema(gr_runtime *rt, gr_ref r) { return ask(gr_get_output_schema, rt, r); }
inline value config_schema(gr_runtime *rt, gr_ref r, std::initializer_list<const char *> include = {})
{
    gr_value *err = nullptr;
    gr_value *v = gr_config_schema(rt, r, include.begin(), include.size(), &err);

    return given(v, err);
}
inline value draw_mermaid(const gr_value *graph) { return value::own(gr_draw_mermaid(graph)); }

} /* namespace gr */

#endif
