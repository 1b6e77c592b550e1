/* SPDX-License-Identifier: Apache-2.0 */
/* call.hpp - runtimes, scopes, futures, streams and calls for C++17; greenroom.hpp says how. */
#ifndef GREENROOM_CALL_HPP
#define GREENROOM_CALL_HPP

#include <greenroom/value.hpp>

namespace gr {

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

/* chunks reads a stream that is borrowed, in a range for; chunks of a stream of one's own: itself. */
class chunks {
public:
    explicit chunks(gr_stream *s) noexcept : s_(s) {}

    class iterator {
    public:
        iterator() noexcept = default;
        explicit iterator(gr_stream *s) : s_(s) { ++*this; }
        const gr_value *operator*() const noexcept { return chunk_; }
        bool operator!=(const iterator &o) const noexcept { return s_ != o.s_; }
        iterator &operator++()
        {
            gr_outcome o = gr_next(s_, -1);

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
        gr_stream *s_ = nullptr; /* borrowed; NULL at the end */
        const gr_value *chunk_ = nullptr;
    };
    iterator begin() const { return iterator(s_); }
    iterator end() const noexcept { return iterator(); }

private:
    gr_stream *s_; /* borrowed */
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
    chunks::iterator begin() { return chunks(p_).begin(); }
    chunks::iterator end() noexcept { return chunks::iterator(); }
};

/* writer fills the stream of a pipe. One that goes unclosed, say by an exception, fails the stream. */
inline void leave_pipe(gr_stream *w)
{
    if (w != nullptr)
        gr_pipe_close(w, gr_error(GR_EBROKEN, "the writer of a pipe left without closing it"));
}

class writer : public handle<gr_stream, leave_pipe> {
public:
    using handle::handle;
    void write(value chunk) /* waits for room */
    {
        check(gr_pipe_write(p_, chunk.release()), "the chunk was refused");
    }
    void close(value err = nullptr) noexcept { gr_pipe_close(release(), err.release()); }
};

inline std::pair<stream, writer> pipe(gr_runtime *rt, unsigned window_chunks = 0)
{
    gr_stream *w = nullptr;
    stream s(gr_pipe(rt, window_chunks, &w));

    if (!s)
        throw std::bad_alloc();
    return { std::move(s), writer(w) };
}

inline stream stream_of(gr_runtime *rt, value items)
{
    stream s(gr_stream_of(rt, value(items).release()));

    if (!s)
        throw failure(gr_value_type(items) == GR_LIST ? gr::error(GR_ENOMEM, "out of memory")
                                                      : gr::error(GR_ETYPE, "a list is due"));
    return s;
}

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
inline stream atransform(gr_runtime *rt, gr_ref r, stream input, const gr_call_opts *o = nullptr)
{
    return stream(gr_atransform(rt, r, input.release(), o));
}
/* Each chunk is [index, answer], as they come. */
inline stream abatch_as_completed(gr_runtime *rt, gr_ref r, value inputs, const gr_call_opts *o = nullptr)
{
    return stream(gr_abatch_as_completed(rt, r, inputs.release(), o));
}
inline void tell(gr_runtime *rt, gr_ref to, value msg)
{
    check(gr_tell(rt, to, msg.release()), "the message was refused");
}

/* emit sends a chunk of the stream that a handler answers with. */
inline void emit(gr_ctx *c, value chunk)
{
    check(gr_emit(c, chunk.release()), "the chunk was refused");
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

} /* namespace gr */

#endif
