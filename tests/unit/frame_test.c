/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/test.h"

#include <string.h>

#include <greenroom/codec.h>

#include "runtime/net/frame.h"
#include "runtime/net/wire_error.h"
#include "tests/support/memory.h"

/* The bytes of docs/wire.md's example: a call of "echo", "invoke", with 5 s left. */
static const char example[] = "\x00\x00\x00\x19"
                              "\x9a\x02\x07\x00\xa4"
                              "echo"
                              "\xa6"
                              "invoke"
                              "\xcd\x13\x88\x00\x00\xa2"
                              "hi"
                              "\xc0";

static gr_code parse(const struct gri_strbuf *b, struct gri_frame *f, gr_value **reterr)
{
    uint32_t size = (uint32_t)(uint8_t)b->data[0] << 24 | (uint32_t)(uint8_t)b->data[1] << 16 |
                    (uint32_t)(uint8_t)b->data[2] << 8 | (uint32_t)(uint8_t)b->data[3];

    cr_assert_eq(size + 4, b->len);
    return gri_frame_parse(b->data + 4, size, f, reterr);
}

static gr_code parse_bytes(const void *data, size_t size, gr_value **reterr)
{
    struct gri_frame f;

    return gri_frame_parse(data, size, &f, reterr);
}

/* bad expects a mistake whose text says where and what. */
static void bad(const void *data, size_t size, const char *what)
{
    gr_value *err = NULL;

    cr_assert_eq(parse_bytes(data, size, &err), GR_EPROTO, "%s", what);
    cr_assert_eq(gr_error_code(err), GR_EPROTO);
    cr_assert_not_null(strstr(gr_error_text(err), what), "%s, not %s", gr_error_text(err), what);
    gr_value_unref(err);
}

#define BAD(bytes, what) bad(bytes, sizeof(bytes) - 1, what)

Test(frame, an_invoke_is_what_the_document_says)
{
    struct gri_strbuf b = GRI_STRBUF_INIT;
    struct gri_frame f = { .id = 7, .deadline_ms = 5000, .name = "echo", .verb = "invoke" };
    gr_value *hi = gr_str("hi");

    cr_assert_eq(gri_frame_invoke(&b, &f, hi, NULL), GR_OK);
    cr_assert_eq(b.len, sizeof(example) - 1);
    cr_assert_eq(memcmp(b.data, example, b.len), 0);
    gri_strbuf_fini(&b);
    gr_value_unref(hi);
}

Test(frame, an_invoke_comes_back_whole)
{
    struct gri_frame f;
    gr_value *err = NULL, *v;

    cr_assert_eq(gri_frame_parse(example + 4, sizeof(example) - 5, &f, &err), GR_OK);
    cr_assert_eq(f.type, GRI_FRAME_INVOKE);
    cr_assert_eq(f.id, 7);
    cr_assert_eq(f.flags, 0);
    cr_assert_eq(f.deadline_ms, 5000);
    cr_assert_str_eq(f.name, "echo");
    cr_assert_str_eq(f.verb, "invoke");
    v = gr_msgpack_decode(f.value, f.value_size, NULL);
    cr_assert_str_eq(gr_cstr(v, ""), "hi");
    cr_assert_eq(f.config_size, 1);
    gr_value_unref(v);
}

Test(frame, a_hello_comes_back_whole)
{
    struct gri_strbuf b = GRI_STRBUF_INIT;
    struct gri_hello h = { 1, 3, UINT64_MAX, 0x123456789abcdef0, 1u << 24, 65536, 7, UINT64_MAX };
    struct gri_frame f;
    gr_value *err = NULL;

    cr_assert_eq(gri_frame_hello(&b, &h), GR_OK);
    cr_assert_eq(parse(&b, &f, &err), GR_OK);
    cr_assert_eq(f.type, GRI_FRAME_HELLO);
    cr_assert_eq(f.hello.version_min, 1);
    cr_assert_eq(f.hello.version_max, 3);
    cr_assert_eq(f.hello.node, UINT64_MAX);
    cr_assert_eq(f.hello.incarnation, 0x123456789abcdef0);
    cr_assert_eq(f.hello.frame_max, 1u << 24);
    cr_assert_eq(f.hello.calls_max, 65536);
    cr_assert_eq(f.hello.target, 7);
    cr_assert_eq(f.hello.attempt, UINT64_MAX);
    gri_strbuf_fini(&b);
}

Test(frame, numbers_of_every_width_come_back)
{
    static const uint64_t ids[] = { 1,      0x7f,    0x80,       0xff,        0x100,
                                    0xffff, 0x10000, 0xffffffff, 0x100000000, UINT64_MAX };

    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        struct gri_strbuf b = GRI_STRBUF_INIT;
        struct gri_frame f;
        gr_value *err = NULL;

        cr_assert_eq(gri_frame_number(&b, GRI_FRAME_CREDIT, ids[i], 5), GR_OK);
        cr_assert_eq(parse(&b, &f, &err), GR_OK);
        cr_assert_eq(f.id, ids[i]);
        cr_assert_eq(f.number, 5);
        gri_strbuf_fini(&b);
    }
}

Test(frame, values_of_every_shape_are_found_whole)
{
    gr_value *deep = gr_int(1), *err = gr_error(GR_ERATE, "no");
    gr_value *v;
    float x[3] = { 1, 2, 3 };
    struct gri_strbuf b = GRI_STRBUF_INIT;
    struct gri_frame f;
    gr_value *why = NULL, *back;
    char longer[70000];
    size_t size = 0;

    memset(longer, 'a', sizeof(longer));
    for (int i = 0; i < GR_DEPTH_MAX - 1; i++)
        deep = gr_list(deep);
    v = gr_list_n((gr_value *[]){ gr_nil(), gr_bool(true), gr_int(-5), gr_int(INT64_MIN),
                                  gr_real(0.1), gr_strn(longer, 40), gr_strn(longer, 300),
                                  gr_strn(longer, 70000), gr_bin(longer, 70000), gr_floats(x, 3),
                                  gr_ref_value((gr_ref){ 1, 2 }), err,
                                  gr_map(GR_KV("k", gr_list(gr_int(1)))) },
                  13);
    cr_assert_eq(gri_frame_value(&b, GRI_FRAME_REPLY, 3, v, &size), GR_OK);
    cr_assert_eq(parse(&b, &f, &why), GR_OK);
    cr_assert_eq(f.value_size, size);
    back = gr_msgpack_decode(f.value, f.value_size, NULL);
    cr_assert(gr_equal(v, back));
    gr_value_unref(back);
    gri_strbuf_clear(&b);
    cr_assert_eq(gri_frame_value(&b, GRI_FRAME_REPLY, 3, deep, NULL), GR_OK);
    cr_assert_eq(parse(&b, &f, &why), GR_OK);
    back = gr_msgpack_decode(f.value, f.value_size, NULL);
    cr_assert(gr_equal(deep, back), "the frame costs the value no depth");
    gr_value_unref(back);
    gri_strbuf_fini(&b);
    gr_value_unref(deep);
    gr_value_unref(v);
}

Test(frame, every_cut_of_a_frame_is_a_mistake)
{
    for (size_t n = 0; n < sizeof(example) - 5; n++) {
        gr_value *err = NULL;

        cr_assert_eq(parse_bytes(example + 4, n, &err), GR_EPROTO, "cut at %zu", n);
        gr_value_unref(err);
    }
}

Test(frame, mistakes_say_where_and_what)
{
    BAD("\x01", "no array");
    BAD("\x93\xa1x\x01\x01", "a bad type");
    BAD("\x93\x00\x01\x01", "a bad type");
    BAD("\x93\x20\x01\x01", "type 32, byte 1: an unknown type");
    BAD("\x93\x08\x01\x01", "an unknown type"); /* reserved, not spoken yet */
    BAD("\x92\x05\x01", "too few fields");
    BAD("\x93\x05\x00\x01", "a bad call id");
    BAD("\x93\x05\xff\x01", "a bad call id");
    BAD("\x93\x05\x01\x00", "byte 3: a bad credit");
    BAD("\x93\x05\x01\xce\xff\xff\xff\xff", "a bad credit");
    BAD("\x93\x0d\x01\x02", "a bad ping");
    BAD("\x93\x03\x01\xc1", "a byte that starts no value");
    BAD("\x93\x03\x01\xdd\xff\xff\xff\xff", "the frame ends too early");
    BAD("\x93\x03\x01\xdf\xff\xff\xff\xff", "the frame ends too early");
    BAD("\x93\x03\x01\xdb\xff\xff\xff\xff", "the frame ends too early");
    BAD("\x93\x03\x01\xc9\xff\xff\xff\xff\x01", "the frame ends too early");
    BAD("\x93\x03\x01\xc0\xc0", "bytes after the frame's end");
    BAD("\x98\x01\xa8greenroo\x01\x01\x01\x01\xcd\x10\x00\x01", "no \"greenroom\"");
    BAD("\x98\x01\xa9greenroom\x02\x01\x01\x01\xcd\x10\x00\x01", "a bad version");
    BAD("\x98\x01\xa9greenroom\x01\x01\x01\x01\x01\x01", "a bad frame limit");
    BAD("\x9a\x02\x01\x04\xa1n\xa1v\x00\x00\x00\xc0\xc0", "bad flags");
    BAD("\x9a\x02\x01\x02\xa1n\xa1v\x00\x00\x00\xc0\xc0", "an input without a stream");
    BAD("\x9a\x02\x01\x01\xa1n\xa1v\x00\x00\x00\xc0\xc0", "a stream without a window");
    BAD("\x9a\x02\x01\x00\xa0\xa1v\x00\x00\x00\xc0\xc0", "a bad name");
    BAD("\x9a\x02\x01\x00\xa1\xff\xa1v\x00\x00\x00\xc0\xc0", "a bad name");
    BAD("\x9a\x02\x01\x00\xa1\x00\xa1v\x00\x00\x00\xc0\xc0", "a bad name");
    BAD("\x9a\x02\x01\x00\xa1n\xd9\x40"
        "0123456789012345678901234567890123456789012345678901234567890123"
        "\x00\x00\x00\xc0\xc0",
        "a bad verb");
}

Test(frame, fields_and_types_of_later_versions_are_ignored)
{
    static const char more[] = "\x95\x05\x01\x01\x81\xa1k\x92\x01\x02\xc0";
    static const char type[] = "\x92\xcc\x80\xc1\xc1\xc1";
    struct gri_frame f;
    gr_value *err = NULL;

    cr_assert_eq(gri_frame_parse(more, sizeof(more) - 1, &f, &err), GR_OK);
    cr_assert_eq(f.type, GRI_FRAME_CREDIT);
    cr_assert_eq(gri_frame_parse(type, sizeof(type) - 1, &f, &err), GR_OK);
    cr_assert_eq(f.type, GRI_FRAME_NONE);
}

Test(frame, what_cannot_be_written_leaves_the_buffer_as_it_was)
{
    struct gri_strbuf b = GRI_STRBUF_INIT;
    int here = 0;
    gr_value *opaque = gr_opaque(&here, NULL);

    cr_assert_eq(gri_frame_number(&b, GRI_FRAME_CANCEL, 1, GR_ECANCELED), GR_OK);
    cr_assert_eq(gri_frame_value(&b, GRI_FRAME_REPLY, 1, opaque, NULL), GR_ETYPE);
    cr_assert_eq(b.len, 8);
    cr_assert_not(b.failed);
    gr_value_unref(opaque);
    gri_strbuf_fini(&b);
}

static gr_code write_all(void)
{
    struct gri_strbuf b = GRI_STRBUF_INIT;
    struct gri_frame f = { .id = 7, .name = "echo", .verb = "invoke" };
    gr_value *v = gr_list(gr_str("a"), gr_map(GR_KV("k", gr_real(2))));
    gr_code rc = gri_frame_invoke(&b, &f, v, v);

    if (rc == GR_OK)
        rc = gri_frame_value(&b, GRI_FRAME_CHUNK, 9, v, NULL);
    if (rc == GR_OK)
        rc = gri_frame_tell(&b, "echo", v);
    gri_strbuf_fini(&b);
    gr_value_unref(v);
    return rc;
}

Test(frame, no_memory_is_an_error_and_no_leak)
{
    long before = test_memory_live();

    for (long n = 1; test_memory_fail_at(n), write_all(), test_memory_reached(); n++)
        cr_assert_eq(test_memory_live(), before, "at %ld", n);
    cr_assert_eq(write_all(), GR_OK);
}

Test(frame, local_codes_do_not_leave)
{
    gr_value *err = gr_error_with(gr_error(GR_EINTR, "a"), "cause", gr_error(GR_EDEADLK, "b"));
    gr_value *out;

    err = gr_error_with(err, "status", gr_int(7));
    out = gri_wire_error_out(err);
    cr_assert_eq(gr_error_code(out), GR_ECANCELED);
    cr_assert_eq(gr_error_code(gr_get(out, "cause")), GR_EREMOTE);
    cr_assert_eq(gr_as_int(gr_get(out, "status"), 0), 7);
    gr_value_unref(out);
    gr_value_unref(err);
    err = gr_error(GR_EFULL, "c");
    out = gri_wire_error_out(err);
    cr_assert_eq(out, err, "what may leave is not copied");
    gr_value_unref(out);
    out = gri_wire_error_in(err, "ipc:///x", "n");
    cr_assert_str_eq(gr_cstr(gr_get(out, "where"), ""), "ipc:///x/n");
    gr_value_unref(out);
}
