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
    struct gri_hello h = { 1,      3,    UINT64_MAX, 0x123456789abcdef0, 1u << 24, 65536,
                           "here", "n7", 5,          "0123456789abcde",  1000,     UINT64_MAX };
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
    cr_assert_str_eq(f.hello.cluster, "here");
    cr_assert_str_eq(f.hello.name, "n7");
    cr_assert_eq(f.hello.features, 5);
    cr_assert_eq(memcmp(f.hello.nonce, h.nonce, GRI_NONCE_SIZE), 0);
    cr_assert_eq(f.hello.link, UINT64_MAX);
    gri_strbuf_fini(&b);
}

Test(frame, a_hello_of_another_version_says_its_versions_and_may_have_other_fields)
{
    static const char old[] = "\x98\x01\xa9greenroom\x01\x01\x01\x01\xcd\x10\x00\x01";
    struct gri_frame f;
    gr_value *err = NULL;

    cr_assert_eq(gri_frame_parse(old, sizeof(old) - 1, &f, &err), GR_OK);
    cr_assert_eq(f.hello.version_max, 1);
}

Test(frame, a_proof_comes_back_whole)
{
    struct gri_strbuf b = GRI_STRBUF_INIT;
    struct gri_proof p = { .mac = "0123456789abcdef0123456789abcde",
                           .mac_size = GRI_MAC_SIZE,
                           .stamp = 900,
                           .hold_count = GRI_HOLDS_MAX };
    struct gri_frame f;
    gr_value *err = NULL;

    for (unsigned i = 0; i < GRI_HOLDS_MAX; i++)
        p.holds[i] = UINT64_MAX - i;
    cr_assert_eq(gri_frame_proof(&b, &p), GR_OK);
    cr_assert_eq(parse(&b, &f, &err), GR_OK);
    cr_assert_eq(f.proof.mac_size, GRI_MAC_SIZE);
    cr_assert_eq(memcmp(f.proof.mac, p.mac, GRI_MAC_SIZE), 0);
    cr_assert_eq(f.proof.stamp, 900);
    cr_assert_eq(f.proof.hold_count, GRI_HOLDS_MAX);
    cr_assert_eq(f.proof.holds[GRI_HOLDS_MAX - 1], UINT64_MAX - (GRI_HOLDS_MAX - 1));
    gri_strbuf_fini(&b);
}

/* golden: these are the bytes, whatever the code that writes them becomes. */
static void golden(struct gri_strbuf *b, gr_code rc, const void *bytes, size_t size)
{
    cr_assert_eq(rc, GR_OK);
    cr_assert_eq(b->len, size);
    cr_assert_eq(memcmp(b->data, bytes, size), 0);
    gri_strbuf_clear(b);
}

#define GOLDEN(b, rc, bytes) golden(b, rc, bytes, sizeof(bytes) - 1)

Test(frame, an_invoke_that_is_watched_has_a_field_more)
{
    static const char due[] = "\x00\x00\x00\x18"
                              "\x9b\x02\x07\x00\xa4"
                              "echo"
                              "\xa6"
                              "invoke"
                              "\x00\xcd\x01\x00\x00\xc0\xc0"
                              "\x80";
    static const char nothing[] = "\x9b\x02\x07\x00\xa4"
                                  "echo"
                                  "\xa6"
                                  "invoke"
                                  "\x00\x00\x00\xc0\xc0"
                                  "\xc0";
    struct gri_strbuf b = GRI_STRBUF_INIT;
    struct gri_frame f = { .id = 7,
                           .window = 256,
                           .name = "echo",
                           .verb = "invoke",
                           .watch = (const uint8_t *)"\x80",
                           .watch_size = 1 };
    struct gri_frame back;
    gr_value *err = NULL;

    golden(&b, gri_frame_invoke(&b, &f, NULL, NULL), due, sizeof(due) - 1);
    cr_assert_eq(gri_frame_parse(due + 4, sizeof(due) - 5, &back, &err), GR_OK);
    cr_assert_eq(back.watch_size, 1);
    cr_assert_eq(back.watch[0], 0x80);
    cr_assert_eq(gri_frame_parse(nothing, sizeof(nothing) - 1, &back, &err), GR_OK);
    cr_assert_null(back.watch);
    cr_assert_eq(gri_frame_parse(example + 4, sizeof(example) - 5, &back, &err), GR_OK);
    cr_assert_null(back.watch);
    gri_strbuf_fini(&b);
}

Test(frame, what_comes_before_calls_is_what_the_document_says)
{
    struct gri_strbuf b = GRI_STRBUF_INIT;
    struct gri_hello h = { 2, 2, 3, 4, 1u << 24, 65536, "lab", "", 1, "0123456789abcde", 1000, 7 };
    struct gri_proof p = { .stamp = 5, .holds = { 9, 300 }, .hold_count = 2 };

    h.nonce[15] = 'f';
    GOLDEN(
        &b, gri_frame_hello(&b, &h),
        "\x00\x00\x00\x36\x9e\x01\xa9greenroom\x02\x02\x03\x04\xce\x01\x00\x00\x00\xce\x00\x01\x00\x00"
        "\xa3lab\xa0\x01\xc4\x10"
        "0123456789abcdef\xcd\x03\xe8\x07");
    GOLDEN(&b, gri_frame_beat(&b, 7), "\x00\x00\x00\x03\x92\x14\x07");
    GOLDEN(&b, gri_frame_proof(&b, &p), "\x00\x00\x00\x0a\x94\x11\xc4\x00\x05\x92\x09\xcd\x01\x2c");
    GOLDEN(&b, gri_frame_welcome(&b, 6), "\x00\x00\x00\x03\x92\x12\x06");
    GOLDEN(&b, gri_frame_refuse(&b, GR_EPROTO, 0, "no"), "\x00\x00\x00\x07\x94\x13\x1f\x00\xa2no");
    gri_strbuf_fini(&b);
}

Test(frame, a_part_is_what_the_document_says)
{
    static const char due[] = "\0\0\0\x0d\x94\x15\x02\xcd\x01\x2c\xc6\0\0\0\2hi";
    struct gri_strbuf b = GRI_STRBUF_INIT;
    char head[GRI_PART_HEAD_MAX];
    struct gri_frame f;
    gr_value *err = NULL;

    gri_strbuf_add(&b, head, gri_frame_part(head, 2, 300, 2));
    gri_strbuf_adds(&b, "hi");
    cr_assert_eq(b.len, sizeof(due) - 1);
    cr_assert_eq(memcmp(b.data, due, b.len), 0);
    cr_assert_eq(parse(&b, &f, &err), GR_OK);
    cr_assert_eq(f.id, 2);
    cr_assert_eq(f.number, 300);
    cr_assert_eq(f.value_size, 2);
    gri_strbuf_fini(&b);
}

Test(frame, calls_are_what_the_document_says)
{
    struct gri_strbuf b = GRI_STRBUF_INIT;
    gr_value *v = gr_str("hi");

    GOLDEN(&b, gri_frame_value(&b, GRI_FRAME_REPLY, 7, v, NULL), "\0\0\0\6\x93\x03\x07\xa2hi");
    GOLDEN(&b, gri_frame_value(&b, GRI_FRAME_CHUNK, 7, v, NULL), "\0\0\0\6\x93\x04\x07\xa2hi");
    GOLDEN(&b, gri_frame_value(&b, GRI_FRAME_EVENT, 7, v, NULL), "\0\0\0\6\x93\x08\x07\xa2hi");
    GOLDEN(&b, gri_frame_number(&b, GRI_FRAME_CREDIT, 7, 500), "\0\0\0\6\x93\x05\x07\xcd\x01\xf4");
    GOLDEN(&b, gri_frame_value(&b, GRI_FRAME_END, 7, NULL, NULL), "\0\0\0\4\x93\x06\x07\xc0");
    GOLDEN(&b, gri_frame_number(&b, GRI_FRAME_CANCEL, 7, GR_ECANCELED), "\0\0\0\4\x93\x07\x07\x0b");
    GOLDEN(&b, gri_frame_tell(&b, "echo", v),
           "\0\0\0\x0a\x93\x09\xa4"
           "echo\xa2hi");
    GOLDEN(&b, gri_frame_number(&b, GRI_FRAME_PING, 7, 1), "\0\0\0\4\x93\x0d\x07\x01");
    GOLDEN(&b, gri_frame_value(&b, GRI_FRAME_INPUT_CHUNK, 7, v, NULL),
           "\0\0\0\6\x93\x0e\x07\xa2hi");
    GOLDEN(&b, gri_frame_value(&b, GRI_FRAME_INPUT_END, 7, NULL, NULL), "\0\0\0\4\x93\x0f\x07\xc0");
    GOLDEN(&b, gri_frame_number(&b, GRI_FRAME_INPUT_CREDIT, 7, 1), "\0\0\0\4\x93\x10\x07\x01");
    gr_value_unref(v);
    gri_strbuf_fini(&b);
}

/* The bytes of docs/wire.md's example: call 9 of node 3 at its step 1, "echo" of node 5, where 5 s are left. */
static const char route[] =
    "\0\0\0\x20\x9a\x16\x07\x03\x04\x09\x01\xcd\x13\x88\xa2hi\xc0\x91\x94\xa8"
    "ipc:///b\x05\x06\xa4"
    "echo";

Test(frame, a_route_is_what_the_document_says)
{
    struct gri_route_step step = { "ipc:///b", 5, 6, "echo" }, got;
    struct gri_strbuf b = GRI_STRBUF_INIT, steps = GRI_STRBUF_INIT;
    struct gri_frame f = { .id = 7,
                           .origin = 3,
                           .incarnation = 4,
                           .call = 9,
                           .number = 1,
                           .deadline_ms = 5000,
                           .step_count = 1 };
    gr_value *v = gr_str("hi"), *err = NULL;

    gri_route_step_write(&steps, &step);
    f.steps = (const uint8_t *)steps.data;
    f.steps_size = steps.len;
    GOLDEN(&b, gri_frame_route(&b, &f, v, NULL), route);
    cr_assert_eq(gri_frame_parse(route + 4, sizeof(route) - 5, &f, &err), GR_OK);
    cr_assert(f.id == 7 && f.origin == 3 && f.incarnation == 4 && f.call == 9 && f.number == 1);
    cr_assert(f.deadline_ms == 5000 && f.value_size == 3 && f.config_size == 1 &&
              f.step_count == 1);
    cr_assert(gri_route_step_read(&f.steps, &f.steps_size, &got));
    cr_assert_str_eq(got.url, "ipc:///b");
    cr_assert_str_eq(got.name, "echo");
    cr_assert(got.node == 5 && got.incarnation == 6);
    cr_assert_not(gri_route_step_read(&f.steps, &f.steps_size, &got));
    GOLDEN(&b, gri_frame_number(&b, GRI_FRAME_HELD, 9, 1), "\0\0\0\4\x93\x17\x09\x01");
    gr_value_unref(v);
    gri_strbuf_fini(&b);
    gri_strbuf_fini(&steps);
}

/* What a later version adds to a step is stepped over. */
Test(frame, a_step_may_have_more_fields)
{
    static const char more[] =
        "\x9a\x16\x07\x03\x04\x09\x01\x00\xc0\xc0\x92\x95\xa1u\x05\x06\xa1n\x92\x01\x02"
        "\x94\xa1v\x05\x06\xa1m";
    struct gri_route_step step;
    struct gri_frame f;
    gr_value *err = NULL;

    cr_assert_eq(gri_frame_parse(more, sizeof(more) - 1, &f, &err), GR_OK, "%s",
                 gr_error_text(err));
    cr_assert(gri_route_step_read(&f.steps, &f.steps_size, &step));
    cr_assert_str_eq(step.url, "u");
    cr_assert(gri_route_step_read(&f.steps, &f.steps_size, &step));
    cr_assert_str_eq(step.url, "v");
    cr_assert_not(gri_route_step_read(&f.steps, &f.steps_size, &step));
}

#define REF_3_4 "\xd8\x02\x03\0\0\0\0\0\0\0\x04\0\0\0\0\0\0\0"
#define REF_5_6 "\xd8\x02\x05\0\0\0\0\0\0\0\x06\0\0\0\0\0\0\0"

Test(frame, ties_are_what_the_document_says)
{
    struct gri_strbuf b = GRI_STRBUF_INIT;
    struct gri_frame f = { .type = GRI_FRAME_LINK, .id = 7, .name = "echo", .from = { 5, 6 } };
    gr_value *v = gr_str("hi");

    GOLDEN(&b, gri_frame_signal(&b, &f, NULL),
           "\0\0\0\x1a\x94\x0a\x07\xa4"
           "echo" REF_5_6);
    f.type = GRI_FRAME_MONITOR;
    GOLDEN(&b, gri_frame_signal(&b, &f, NULL),
           "\0\0\0\x08\x93\x0b\x07\xa4"
           "echo");
    f.to = (gr_ref){ 3, 4 };
    GOLDEN(&b, gri_frame_signal(&b, &f, NULL), "\0\0\0\x15\x93\x0b\x07" REF_3_4);
    f.type = GRI_FRAME_DOWN;
    f.number = GRI_TIE_RECEIVERS;
    GOLDEN(&b, gri_frame_signal(&b, &f, v), "\0\0\0\x07\x94\x0c\x07\x01\xa2hi");
    GOLDEN(&b, gri_frame_number(&b, GRI_FRAME_UNTIE, 7, GRI_TIE_SENDERS),
           "\0\0\0\x04\x93\x18\x07\0");
    f.type = GRI_FRAME_EXIT;
    GOLDEN(&b, gri_frame_signal(&b, &f, v), "\0\0\0\x29\x94\x19" REF_3_4 REF_5_6 "\xa2hi");
    gr_value_unref(v);
    gri_strbuf_fini(&b);
}

/* same expects that a frame of ties comes back as it was. */
static void same(const struct gri_strbuf *b, const struct gri_frame *due)
{
    struct gri_frame f;
    gr_value *err = NULL;

    cr_assert_eq(parse(b, &f, &err), GR_OK, "%s", gr_error_text(err));
    cr_assert(f.type == due->type && f.id == due->id && f.number == due->number);
    cr_assert(f.to.node == due->to.node && f.to.id == due->to.id);
    cr_assert(f.from.node == due->from.node && f.from.id == due->from.id);
    cr_assert_str_eq(f.name, due->name);
}

Test(frame, a_ref_in_place_of_a_name_comes_back)
{
    struct gri_strbuf b = GRI_STRBUF_INIT;
    struct gri_frame f = { .type = GRI_FRAME_INVOKE,
                           .id = 7,
                           .to = { UINT64_MAX, UINT64_C(0x123456789abcdef0) },
                           .verb = "invoke" };
    static const char longer[] = "\x93\x09\xc7\x10" /* the same ref, not as short as it could be */
                                 "\x02\x03\0\0\0\0\0\0\0\x04\0\0\0\0\0\0\0\xc0";
    gr_value *v = gr_str("hi"), *err = NULL;

    cr_assert_eq(gri_frame_invoke(&b, &f, v, NULL), GR_OK);
    same(&b, &f);
    gri_strbuf_clear(&b);
    f.type = GRI_FRAME_TELL;
    f.id = 0;
    GOLDEN(&b, gri_frame_tell_to(&b, &(struct gri_frame){ .to = { 3, 4 } }, v),
           "\0\0\0\x17\x93\x09" REF_3_4 "\xa2hi");
    f = (struct gri_frame){ .type = GRI_FRAME_LINK, .id = 9, .to = { 3, 4 }, .from = { 5, 6 } };
    cr_assert_eq(gri_frame_signal(&b, &f, NULL), GR_OK);
    same(&b, &f);
    cr_assert_eq(gri_frame_parse(longer, sizeof(longer) - 1, &f, &err), GR_OK);
    cr_assert(f.to.node == 3 && f.to.id == 4);
    gr_value_unref(v);
    gri_strbuf_fini(&b);
}

Test(frame, mistakes_in_ties)
{
    BAD("\x93\x0a\x07\xa1n", "too few fields");
    BAD("\x94\x0a\x00\xa1n" REF_3_4, "a bad id");
    BAD("\x94\x0a\x07\xa0" REF_3_4, "a bad name");
    BAD("\x94\x0a\x07\xa1n\xa1n", "a bad ref");
    BAD("\x94\x0a\x07\xa1n\xd8\x03\x03\0\0\0\0\0\0\0\x04\0\0\0\0\0\0\0", "a bad ref");
    BAD("\x94\x0a\x07\xa1n\xd8\x02\x03\0\0\0", "the frame ends too early");
    BAD("\x93\x0b\x07\xd8\x02\x03\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", "byte 3: a bad ref");
    BAD("\x93\x0b\x07\xc7\x0f\x02\0\0\0", "a bad ref");
    BAD("\x93\x0b\x07\xd7\x02\0\0\0\0\0\0\0\0", "a bad name");
    BAD("\x94\x0c\x07\x02\xc0", "a bad side");
    BAD("\x93\x0c\x07\x01", "too few fields");
    BAD("\x94\x0c\x07\x01\xc1", "a byte that starts no value");
    BAD("\x93\x18\x07\x02", "a bad side");
    BAD("\x94\x19\xa1n\xc0\xc0", "a bad ref");
}

/* Embeddings are packed: four bytes a number, and five for all of it. */
Test(frame, floats_are_packed_in_a_frame)
{
    struct gri_strbuf b = GRI_STRBUF_INIT;
    static const float x[3] = { 1, -2.5F, 0 };
    gr_value *v = gr_floats(x, 3);

    GOLDEN(&b, gri_frame_value(&b, GRI_FRAME_REPLY, 7, v, NULL),
           "\0\0\0\x12\x93\x03\x07\xc7\x0c\x01\0\0\x80\x3f\0\0\x20\xc0\0\0\0\0");
    gr_value_unref(v);
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
    BAD("\x93\x1f\x01\x01", "an unknown type");
    BAD("\x9b\x02\x07\x00\xa1"
        "e"
        "\xa1"
        "i"
        "\x00\x00\x00\xc0\xc0\x80",
        "a watch without a window");
    BAD("\x92\x05\x01", "too few fields");
    BAD("\x93\x05\x00\x01", "a bad call id");
    BAD("\x93\x05\xff\x01", "a bad call id");
    BAD("\x93\x05\x01\x00", "byte 3: a bad credit");
    BAD("\x93\x05\x01\xce\xff\xff\xff\xff", "a bad credit");
    BAD("\x93\x0d\x01\x03", "a bad ping");
    BAD("\x93\x03\x01\xc1", "a byte that starts no value");
    BAD("\x93\x03\x01\xdd\xff\xff\xff\xff", "the frame ends too early");
    BAD("\x93\x03\x01\xdf\xff\xff\xff\xff", "the frame ends too early");
    BAD("\x93\x03\x01\xdb\xff\xff\xff\xff", "the frame ends too early");
    BAD("\x93\x03\x01\xc9\xff\xff\xff\xff\x01", "the frame ends too early");
    BAD("\x93\x03\x01\xc0\xc0", "bytes after the frame's end");
    BAD("\x98\x01\xa8greenroo\x01\x01\x01\x01\xcd\x10\x00\x01", "no \"greenroom\"");
    BAD("\x98\x01\xa9greenroom\x02\x01\x01\x01\xcd\x10\x00\x01", "a bad version");
    BAD("\x98\x01\xa9greenroom\x02\x02\x01\x01\x01\x01", "a bad frame limit");
    BAD("\x9e\x01\xa9greenroom\x02\x02\x01\x01\xcd\x10\x00\x01\xa0\xa0\x00\xc4\x0f"
        "0123456789abcde\x01\x01",
        "a bad nonce");
    BAD("\x9c\x01\xa9greenroom\x02\x02\x01\x01\xcd\x10\x00\x01\xa0\xa0\x00\xc4\x10"
        "0123456789abcdef",
        "the frame ends too early");
    BAD("\x94\x11\xc4\x01x\x01\x90", "a bad proof");
    BAD("\x94\x11\xc4\x00\x01\xdc\x00\x01", "a bad list of links");
    BAD("\x94\x11\xc4\x00\x01\x92\x01", "the frame ends too early");
    BAD("\x92\x12\x00", "a bad number");
    BAD("\x94\x15\x04\x00\xc4\x01x", "a bad slot");
    BAD("\x94\x15\x00\xce\x01\x00\x00\x01\xc4\x01x", "a bad length");
    BAD("\x94\x15\x00\x00\xa1x", "no bytes");
    BAD("\x94\x15\x00\x00\xc4\x00", "no bytes");
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
    BAD("\x9a\x16\x01\x01\x01\x00\x00\x00\xc0\xc0\x90", "a bad call id");
    BAD("\x9a\x16\x01\x01\x01\x01\xcd\x01\x01\x00\xc0\xc0\x90", "a bad step");
    BAD("\x9a\x16\x01\x01\x01\x01\x00\x00\xc0\xc0\xc0", "a bad list of steps");
    BAD("\x9a\x16\x01\x01\x01\x01\xcd\x01\x00\x00\xc0\xc0\x91\x94\xa1u\x01\x01\xa1n",
        "too many steps");
    BAD("\x9a\x16\x01\x01\x01\x01\x00\x00\xc0\xc0\xdc\x01\x01", "too many steps");
    BAD("\x9a\x16\x01\x01\x01\x01\x00\x00\xc0\xc0\x91\x93\xa1u\x01\x01", "a bad step");
    BAD("\x9a\x16\x01\x01\x01\x01\x00\x00\xc0\xc0\x91\x94\xa0\x01\x01\xa1n", "a bad URL");
    BAD("\x9a\x16\x01\x01\x01\x01\x00\x00\xc0\xc0\x91\x94\xa1u\xff\x01\xa1n", "a bad node");
    BAD("\x9a\x16\x01\x01\x01\x01\x00\x00\xc0\xc0\x91\x94\xa1u\x01\x01\xa1\x00", "a bad name");
    BAD("\x9a\x16\x01\x01\x01\x01\x00\x00\xc0\xc0\x92\x94\xa1u\x01\x01\xa1n",
        "the frame ends too early");
    BAD("\x93\x17\x01\xcd\x01\x01", "a bad step");
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
    if (rc == GR_OK)
        rc = gri_frame_route(&b, &f, v, v);
    f.type = GRI_FRAME_EXIT;
    if (rc == GR_OK)
        rc = gri_frame_signal(&b, &f, v);
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
