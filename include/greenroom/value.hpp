/* SPDX-License-Identifier: Apache-2.0 */
/* value.hpp - values, errors and options for C++17; greenroom.hpp says how. */
#ifndef GREENROOM_VALUE_HPP
#define GREENROOM_VALUE_HPP

#include <greenroom/greenroom.h>

#include <cstdint>
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

inline value ensure_config(value config) { return value::own(gr_ensure_config(config.release())); }
inline value merge_configs(value base, value over)
{
    return value::own(gr_merge_configs(base.release(), over.release()));
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

} /* namespace gr */

#endif
