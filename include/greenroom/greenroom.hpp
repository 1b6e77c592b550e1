/* SPDX-License-Identifier: Apache-2.0 */
/*
 * greenroom.hpp - Greenroom for C++17: the names of the C headers without their prefix, gr::invoke for
 * gr_invoke, and objects that free themselves. Header only; everything here calls the C library,
 * whose functions may be used beside it at any time.
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
 *   Waits       As base.h says, a catch block must not wait.
 *   Options     auto o = gr::opts<gr_call_opts>(); o.timeout_ms = 500; gr::invoke(rt, r, "x", &o);
 *               A gr_value pointer in them is taken: o.config = gr::map({…}).release();
 *   Threads     As in C; no object here may be used by two threads at once, but for gr::value.
 */
#ifndef GREENROOM_GREENROOM_HPP
#define GREENROOM_GREENROOM_HPP

#include <greenroom/greenroom.h>

#include <cstdint>
#include <exception>
#include <initializer_list>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace gr {

/* opts gives an options struct with its size filled in and all else at its default. */
template <class T> T opts() noexcept
{
    T o{};

    o.size = sizeof(T);
    return o;
}

/* text copies a string value out; "" for what is none. */
inline std::string text(const gr_value *v)
{
    return gr_value_type(v) == GR_STR ? std::string(gr_cstr(v, ""), gr_len(v)) : std::string();
}

/* ---- values ---------------------------------------------------------------------------------- */

class value {
public:
    value() noexcept : v_(gr_nil()) {}
    value(std::nullptr_t) noexcept : v_(gr_nil()) {}
    value(const char *utf8) : v_(gr_str(utf8)) {}
    value(std::string_view s) : v_(gr_strn(s.data(), s.size())) {}
    value(const std::string &s) : v_(gr_strn(s.data(), s.size())) {}
    value(gr_ref r) : v_(gr_ref_value(r)) {}
    value(const std::vector<float> &x) : v_(gr_floats(x.data(), x.size())) {}
    /* One template for all numbers, so that no pointer turns into a bool by itself. */
    template <class T, std::enable_if_t<std::is_arithmetic_v<T>, int> = 0> value(T x)
    {
        if constexpr (std::is_same_v<T, bool>)
            v_ = gr_bool(x);
        else if constexpr (std::is_floating_point_v<T>)
            v_ = gr_real(static_cast<double>(x));
        else if constexpr (std::is_unsigned_v<T> && sizeof(T) >= sizeof(std::int64_t))
            v_ = x > static_cast<T>(INT64_MAX) ? gr_error(GR_EINVAL, "an integer above 2^63 - 1")
                                               : gr_int(static_cast<std::int64_t>(x));
        else
            v_ = gr_int(static_cast<std::int64_t>(x));
    }
    value(const value &o) noexcept : v_(gr_value_ref(o.v_)) {}
    value(value &&o) noexcept : v_(std::exchange(o.v_, gr_nil())) {}
    value &operator=(value o) noexcept
    {
        std::swap(v_, o.v_);
        return *this;
    }
    ~value() { gr_value_unref(v_); }

    /* own takes over a reference that C code gave; keep adds one to what is borrowed. */
    static value own(gr_value *v) noexcept { return value(v, 0); }
    static value keep(const gr_value *v) noexcept { return value(gr_value_ref(v), 0); }
    /* release gives the reference away, for a parameter tagged GR_TAKES. */
    gr_value *release() noexcept { return std::exchange(v_, gr_nil()); }

    operator const gr_value *() const noexcept { return v_; } /* so gr_get(v, "key") reads it */
    const gr_value *operator[](const char *key) const noexcept { return gr_get(v_, key); }
    bool is_error() const noexcept { return gr_error_code(v_) != GR_OK; }
    std::string json(unsigned indent = 0) const
    {
        std::size_t len = 0;
        std::unique_ptr<char, void (*)(void *)> s(gr_json_print(v_, indent, &len), gr_free);

        if (!s)
            throw std::bad_alloc();
        return std::string(s.get(), len);
    }

private:
    value(gr_value *v, int) noexcept : v_(v != nullptr ? v : gr_nil()) {}
    gr_value *v_; /* counted; never NULL */
};

inline bool operator==(const value &a, const value &b) noexcept { return gr_equal(a, b); }
inline bool operator!=(const value &a, const value &b) noexcept { return !gr_equal(a, b); }

inline value list(std::initializer_list<value> items)
{
    std::vector<gr_value *> raw;

    raw.reserve(items.size());
    for (const value &v : items)
        raw.push_back(gr_value_ref(v));
    return value::own(gr_list_n(raw.data(), raw.size()));
}

inline value map(std::initializer_list<std::pair<const char *, value>> pairs)
{
    std::vector<gr_kv> raw;

    raw.reserve(pairs.size());
    for (const auto &p : pairs)
        raw.push_back({ p.first, gr_value_ref(p.second) });
    return value::own(gr_map_n(raw.data(), raw.size()));
}

inline value error(gr_code code, const std::string &what)
{
    return value::own(gr_error(code, "%s", what.c_str()));
}

/* failure is what is thrown; error() is the error value with all its fields. */
class failure : public std::runtime_error {
public:
    explicit failure(value err) : std::runtime_error(gr_error_text(err)), err_(std::move(err)) {}
    gr_code code() const noexcept { return gr_error_code(err_); }
    const value &error() const noexcept { return err_; }
    bool retryable() const noexcept { return gr_error_retryable(err_); }

private:
    value err_;
};

/* given turns the (value, reterr) pair of a C call into a value or a failure. */
inline value given(gr_value *v, gr_value *err)
{
    if (v == nullptr)
        throw failure(err != nullptr ? value::own(err) : gr::error(GR_ENOMEM, "out of memory"));
    return value::own(v);
}

/* check throws unless code is GR_OK. what: the doing that failed. */
inline void check(gr_code code, const char *what, gr_value *err = nullptr)
{
    value owned = value::own(err);

    if (code != GR_OK)
        throw failure(err != nullptr ? owned : gr::error(code, what));
}

/* ---- handles --------------------------------------------------------------------------------- */

/* handle owns one C object. get() lends it, release() gives it away. */
template <class T, void (*Free)(T *)> class handle {
public:
    handle() noexcept = default;
    explicit handle(T *p) noexcept : p_(p) {}
    handle(handle &&o) noexcept : p_(o.release()) {}
    handle &operator=(handle &&o) noexcept
    {
        if (this != &o)
            Free(std::exchange(p_, o.release()));
        return *this;
    }
    ~handle() { Free(p_); }
    T *get() const noexcept { return p_; }
    T *release() noexcept { return std::exchange(p_, nullptr); }
    explicit operator bool() const noexcept { return p_ != nullptr; }

protected:
    T *p_ = nullptr; /* owned */
};

class runtime : public handle<gr_runtime, gr_runtime_free> {
public:
    explicit runtime(const gr_runtime_opts *o = nullptr)
    {
        check(gr_runtime_new(o, &p_), "the runtime could not be made");
    }
    operator gr_runtime *() const noexcept { return p_; }
    gr_scope *root() const noexcept { return gr_root(p_); }
};

class scope : public handle<gr_scope, gr_scope_free> {
public:
    explicit scope(gr_scope *parent) : handle(gr_scope_new(parent))
    {
        if (p_ == nullptr)
            throw std::bad_alloc();
    }
    operator gr_scope *() const noexcept { return p_; }
};

class future : public handle<gr_future, gr_future_free> {
public:
    using handle::handle;
    gr_outcome await(std::int64_t timeout_ms = -1) noexcept { return gr_await(p_, timeout_ms); }
    bool done() const noexcept { return gr_done(p_); }
    void cancel() noexcept { gr_future_cancel(p_); }
    void detach() noexcept { gr_detach(release()); }
    value take() /* waits; the future is empty afterwards */
    {
        gr_value *err = nullptr;
        gr_value *v = gr_take(release(), &err);

        return given(v, err);
    }
};

class stream : public handle<gr_stream, gr_stream_free> {
public:
    using handle::handle;
    gr_outcome next(std::int64_t timeout_ms = -1) noexcept { return gr_next(p_, timeout_ms); }
    value take() /* the sum of all chunks */
    {
        gr_value *err = nullptr;
        gr_value *v = gr_stream_take(release(), &err);

        return given(v, err);
    }

    /* for (const gr_value *chunk : s): each is borrowed until the next; a failure is thrown. */
    class iterator {
    public:
        explicit iterator(stream *s) : s_(s) { ++*this; }
        const gr_value *operator*() const noexcept { return chunk_; }
        bool operator!=(const iterator &o) const noexcept { return s_ != o.s_; }
        iterator() noexcept = default;
        iterator &operator++()
        {
            gr_outcome o = s_->next();

            if (o.code == GR_OK)
                chunk_ = o.value;
            else if (o.code == GR_EOS)
                s_ = nullptr;
            else
                throw failure(o.error != nullptr ? value::keep(o.error)
                                                 : gr::error(o.code, gr_code_name(o.code)));
            return *this;
        }

    private:
        stream *s_ = nullptr; /* borrowed; NULL at the end */
        const gr_value *chunk_ = nullptr;
    };
    iterator begin() { return iterator(this); }
    iterator end() noexcept { return iterator(); }
};

/* ---- calls ----------------------------------------------------------------------------------- */

inline value call(gr_runtime *rt, gr_ref to, const char *verb, value args, const gr_call_opts *o = nullptr)
{
    gr_value *err = nullptr;
    gr_value *v = gr_do(rt, to, verb, args.release(), o, &err);

    return given(v, err);
}
inline value invoke(gr_runtime *rt, gr_ref r, value input, const gr_call_opts *o = nullptr)
{
    return call(rt, r, "invoke", std::move(input), o);
}
inline value batch(gr_runtime *rt, gr_ref r, value inputs, const gr_call_opts *o = nullptr)
{
    gr_value *err = nullptr;
    gr_value *v = gr_batch(rt, r, inputs.release(), o, &err);

    return given(v, err);
}
inline future acall(gr_runtime *rt, gr_ref to, const char *verb, value args, const gr_call_opts *o = nullptr)
{
    return future(gr_acall(rt, to, verb, args.release(), o));
}
inline future ainvoke(gr_runtime *rt, gr_ref r, value input, const gr_call_opts *o = nullptr)
{
    return future(gr_ainvoke(rt, r, input.release(), o));
}
inline future abatch(gr_runtime *rt, gr_ref r, value inputs, const gr_call_opts *o = nullptr)
{
    return future(gr_abatch(rt, r, inputs.release(), o));
}
inline stream astream(gr_runtime *rt, gr_ref r, value input, const gr_call_opts *o = nullptr)
{
    return stream(gr_astream(rt, r, input.release(), o));
}
inline void tell(gr_runtime *rt, gr_ref to, value msg)
{
    check(gr_tell(rt, to, msg.release()), "the message was refused");
}

/* combine hands futures to gr_all and its kin: combine(gr_race, rt, std::move(fs)). */
using combinator = gr_future *(gr_runtime *, gr_future *const *, std::size_t);
inline future combine(combinator *how, gr_runtime *rt, std::vector<future> fs)
{
    std::vector<gr_future *> raw;

    raw.reserve(fs.size());
    for (future &f : fs)
        raw.push_back(f.release());
    return future(how(rt, raw.data(), raw.size()));
}
inline future all(gr_runtime *rt, std::vector<future> fs) { return combine(gr_all, rt, std::move(fs)); }
inline future any(gr_runtime *rt, std::vector<future> fs) { return combine(gr_any, rt, std::move(fs)); }
inline future race(gr_runtime *rt, std::vector<future> fs) { return combine(gr_race, rt, std::move(fs)); }
inline future settled(gr_runtime *rt, std::vector<future> fs)
{
    return combine(gr_settled, rt, std::move(fs));
}
inline future within(gr_runtime *rt, future f, std::int64_t timeout_ms)
{
    return future(gr_within(rt, f.release(), timeout_ms));
}

/* ---- runnables ------------------------------------------------------------------------------- */

/* lambda makes a runnable of value fn(gr_ctx *, const gr_value *input). It is called by several threads
 * at once, as in C; it is destroyed with the actor, or at once when the actor could not be made. */
template <class F> gr_ref lambda(gr_scope *in, gr_kind kind, F fn)
{
    auto call = [](gr_ctx *c, void *arg, const gr_value *input) -> gr_value * {
        try {
            value answer = (*static_cast<F *>(arg))(c, input);
            return answer.release();
        } catch (const failure &e) {
            return gr_value_ref(e.error());
        } catch (const std::bad_alloc &) {
            return gr_error(GR_ENOMEM, "out of memory");
        } catch (const std::exception &e) {
            return gr_error(GR_EBROKEN, "%s", e.what());
        } catch (...) {
            return gr_error(GR_EBROKEN, "an exception of unknown type");
        }
    };

    return gr_lambda(in, kind, call, [](void *arg) { delete static_cast<F *>(arg); },
                     new F(std::move(fn)));
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
inline gr_ref with_fallbacks(gr_scope *in, std::initializer_list<gr_ref> runnables)
{
    return gr_with_fallbacks_n(in, runnables.begin(), runnables.size());
}
inline gr_ref chat_prompt(gr_scope *in, std::initializer_list<gr_role> roles)
{
    return gr_chat_prompt_n(in, roles.begin(), roles.size());
}

} /* namespace gr */

#endif
