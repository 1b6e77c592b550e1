/* SPDX-License-Identifier: Apache-2.0 */
/*
 * long_text_test.c - a long string or binary is left out of its frame when that is sent, and made a value while it
 * comes: on the wire, and for who reads it, all is as if it were not.
 */
#include "tests/support/test.h"

#include <string.h>

#include <greenroom/codec.h>

#include "runtime/net/lanes.h"
#include "runtime/net/parts.h"
#include "tests/support/memory.h"

#define CALL 7

/* text_of makes a string of so many bytes, of characters of one to four bytes, or a binary. */
static gr_value *text_of(size_t size, bool binary)
{
    static const char *const chars[] = { "a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80" };
    char *bytes = malloc(size + 1);
    gr_value *v;
    size_t at = 0;

    for (unsigned i = 0; at < size; i = i * 5 + 3) {
        const char *c = chars[i / 8 % 4];

        if (at + strlen(c) > size)
            c = "z";
        memcpy(bytes + at, c, strlen(c));
        at += strlen(c);
    }
    bytes[size] = '\0';
    v = binary ? gr_bin(bytes, size) : gr_str(bytes);
    free(bytes);
    return v;
}

/* What has come over the wire. */
struct far_end {
    struct gri_parts parts;
    struct gri_strbuf frames; /* whole ones, each behind the other */
    gr_value *given;          /* counted; the last text */
    unsigned count;
};

static void take_frame(struct far_end *e, const uint8_t *body, size_t size)
{
    const struct gri_strbuf *whole = NULL;
    struct gri_frame f;
    gr_value *err = NULL;

    cr_assert_eq(gri_frame_parse(body, size, &f, &err), GR_OK, "%s", gr_error_text(err));
    if (f.type != GRI_FRAME_PART) {
        gri_strbuf_add(&e->frames, body, size);
        e->count++;
        return;
    }
    cr_assert_eq(gri_parts_add(&e->parts, &f, &whole), GR_OK);
    if (whole == NULL)
        return;
    gr_value_unref(e->given);
    e->given = gr_value_ref(e->parts.slots[f.id].text);
    take_frame(e, (const uint8_t *)whole->data, whole->len);
    gri_parts_clear(&e->parts, f.id);
}

static void all_turns(struct gri_lanes *l, struct far_end *e)
{
    struct gri_slice slices[GRI_SLICES];
    unsigned count;

    while ((count = gri_lanes_next(l, slices)) > 0) {
        struct gri_strbuf all = GRI_STRBUF_INIT;

        for (unsigned i = 0; i < count; i++)
            gri_strbuf_add(&all, slices[i].data, slices[i].size);
        gri_lanes_sent(l);
        for (size_t at = 0; at < all.len; at += gri_frame_size(all.data + at))
            take_frame(e, (const uint8_t *)all.data + at + GRI_FRAME_HEAD,
                       gri_frame_size(all.data + at) - GRI_FRAME_HEAD);
        gri_strbuf_fini(&all);
    }
    cr_assert_eq(l->waiting, 0);
}

static void done(struct far_end *e)
{
    gri_parts_fini(&e->parts);
    gri_strbuf_fini(&e->frames);
    gr_value_unref(e->given);
}

/* write_both writes the same frame with and without its value. */
static void write_both(enum gri_frame_type type, const gr_value *v, struct gri_strbuf *ret_plain,
                       struct gri_strbuf *ret_short, struct gri_frame_text *ret_text)
{
    struct gri_frame f = { .type = type, .id = CALL, .name = "name", .verb = "invoke" };
    gr_value *config = gr_map(GR_KV("tags", gr_list(gr_str("one"))));

    if (type == GRI_FRAME_INVOKE) {
        cr_assert_eq(gri_frame_invoke(ret_plain, &f, v, config), GR_OK);
        cr_assert_eq(gri_frame_invoke_text(ret_short, &f, v, config, ret_text), GR_OK);
    } else {
        cr_assert_eq(gri_frame_value(ret_plain, type, CALL, v, NULL), GR_OK);
        cr_assert_eq(gri_frame_value_text(ret_short, type, CALL, v, NULL, ret_text), GR_OK);
    }
    gr_value_unref(config);
}

static const enum gri_frame_type types[] = { GRI_FRAME_INVOKE, GRI_FRAME_REPLY, GRI_FRAME_CHUNK };
static const size_t sizes[] = { GRI_WHOLE_MAX, GRI_WHOLE_MAX + 1, 200000, 1048576 };

/* over sends one such frame between others, to who makes texts values or doesn't. */
static void over(enum gri_frame_type type, size_t size, bool binary, bool texts)
{
    struct gri_strbuf plain = GRI_STRBUF_INIT, cut = GRI_STRBUF_INIT, small = GRI_STRBUF_INIT;
    struct far_end e = { .parts.texts = texts };
    gr_value *v = text_of(size, binary);
    struct gri_frame_text text;
    struct gri_lanes l;

    gri_lanes_init(&l);
    write_both(type, v, &plain, &cut, &text);
    cr_assert_lt(cut.len, 200, "its value is left out");
    cr_assert_eq(gri_lanes_put_text(&l, &cut, &text, 5), GR_OK);
    gr_value_unref(gr_value_ref(v)); /* the lanes have a reference of their own */
    cr_assert_eq(gri_frame_number(&small, GRI_FRAME_CREDIT, CALL, 1), GR_OK);
    cr_assert_eq(gri_lanes_put(&l, &small, 5), GR_OK); /* aboard */
    cr_assert_eq(gri_lanes_count(&l, type), 1);
    cr_assert_eq(gri_lanes_count(&l, GRI_FRAME_CREDIT), 1);
    all_turns(&l, &e);
    cr_assert_eq(e.count, 2);
    if (texts) {
        cr_assert(gr_equal(e.given, v));
        cr_assert_lt(e.frames.len, 200, "a nil stands for it");
    } else {
        cr_assert_null(e.given);
        cr_assert_eq(e.frames.len, plain.len - GRI_FRAME_HEAD + small.len - GRI_FRAME_HEAD);
        cr_assert_eq(memcmp(e.frames.data, plain.data + GRI_FRAME_HEAD, plain.len - GRI_FRAME_HEAD),
                     0);
    }
    gri_lanes_fini(&l);
    gri_strbuf_fini(&plain);
    gri_strbuf_fini(&cut);
    gri_strbuf_fini(&small);
    gr_value_unref(v);
    done(&e);
}

Test(long_text, the_bytes_on_the_wire_are_the_same)
{
    for (size_t t = 0; t < 3; t++)
        for (size_t s = 0; s < 4; s++)
            over(types[t], sizes[s], s % 2 != 0, false);
}

Test(long_text, what_comes_in_parts_is_made_the_value)
{
    for (size_t t = 0; t < 3; t++)
        for (size_t s = 0; s < 4; s++) {
            over(types[t], sizes[s], true, true);
            over(types[t], sizes[s], false, true);
        }
}

Test(long_text, what_is_short_is_not_left_out)
{
    struct gri_strbuf plain = GRI_STRBUF_INIT, whole = GRI_STRBUF_INIT;
    gr_value *v = text_of(GRI_WHOLE_MAX - 1, false);
    struct gri_frame_text text;

    write_both(GRI_FRAME_REPLY, v, &plain, &whole, &text);
    cr_assert_null(text.v);
    cr_assert_eq(plain.len, whole.len);
    gri_strbuf_fini(&plain);
    gri_strbuf_fini(&whole);
    gr_value_unref(v);
}

/* Frames of one call go behind each other, so the text of a later one is copied into the train. */
Test(long_text, two_of_one_call_stay_in_order)
{
    gr_value *first = text_of(100000, false), *second = text_of(300000, true);
    struct far_end e = { .parts.texts = true };
    struct gri_lanes l;

    gri_lanes_init(&l);
    for (int i = 0; i < 2; i++) {
        struct gri_strbuf b = GRI_STRBUF_INIT;
        struct gri_frame_text text;

        cr_assert_eq(
            gri_frame_value_text(&b, GRI_FRAME_CHUNK, CALL, i == 0 ? first : second, NULL, &text),
            GR_OK);
        cr_assert_eq(gri_lanes_put_text(&l, &b, &text, 5), GR_OK);
        gri_strbuf_fini(&b);
    }
    cr_assert_eq(gri_lanes_count(&l, GRI_FRAME_CHUNK), 2);
    all_turns(&l, &e);
    cr_assert_eq(e.count, 2);
    cr_assert(gr_equal(e.given, second));
    gri_lanes_fini(&l);
    gr_value_unref(first);
    gr_value_unref(second);
    done(&e);
}

/* in_parts gives a body to parts by pieces of 64 KiB. Returns what is whole at the end. */
static const struct gri_strbuf *in_parts(struct gri_parts *p, const struct gri_strbuf *frame)
{
    const uint8_t *body = (const uint8_t *)frame->data + GRI_FRAME_HEAD;
    size_t size = frame->len - GRI_FRAME_HEAD;
    const struct gri_strbuf *whole = NULL;

    for (size_t at = 0; at < size;) {
        size_t n = size - at < 65000 ? size - at : 65000;
        struct gri_frame f = { .number = size - at - n, .value = body + at, .value_size = n };

        cr_assert_eq(gri_parts_add(p, &f, &whole), GR_OK);
        at += n;
    }
    return whole;
}

Test(long_text, one_that_is_no_utf8_is_the_frame_that_it_was)
{
    size_t bad[] = { 0, 64999, 65000, 199999 };

    for (size_t i = 0; i < 4; i++) {
        struct gri_parts p = { .texts = true };
        struct gri_strbuf b = GRI_STRBUF_INIT;
        gr_value *v = text_of(200000, false);
        const struct gri_strbuf *whole;

        cr_assert_eq(gri_frame_value(&b, GRI_FRAME_REPLY, CALL, v, NULL), GR_OK);
        b.data[b.len - 200000 + bad[i]] = '\xff';
        whole = in_parts(&p, &b);
        cr_assert_not_null(whole);
        cr_assert_null(p.slots[0].text);
        cr_assert_eq(whole->len, b.len - GRI_FRAME_HEAD);
        cr_assert_eq(memcmp(whole->data, b.data + GRI_FRAME_HEAD, whole->len), 0);
        gri_parts_fini(&p);
        gri_strbuf_fini(&b);
        gr_value_unref(v);
    }
}

Test(long_text, memory_is_for_what_has_come)
{
    struct gri_parts p = { .texts = true };
    struct gri_strbuf b = GRI_STRBUF_INIT;
    gr_value *v = text_of(8 * 1024 * 1024, true);
    const struct gri_strbuf *whole = NULL;
    long before;

    cr_assert_eq(gri_frame_value(&b, GRI_FRAME_REPLY, CALL, v, NULL), GR_OK);
    before = test_memory_bytes();
    for (size_t at = GRI_FRAME_HEAD; at < 10000; at += 1000) {
        struct gri_frame f = { .number = b.len - at - 1000,
                               .value = (const uint8_t *)b.data + at,
                               .value_size = 1000 };

        cr_assert_eq(gri_parts_add(&p, &f, &whole), GR_OK);
    }
    cr_assert_lt(test_memory_bytes() - before, 500000);
    cr_assert_null(whole);
    gri_parts_fini(&p);
    gri_strbuf_fini(&b);
    gr_value_unref(v);
}

/* put_together does so as far as there is memory. */
static void put_together(const struct gri_strbuf *b)
{
    struct gri_parts p = { .texts = true };
    const struct gri_strbuf *whole = NULL;
    gr_code rc = GR_OK;

    for (size_t at = GRI_FRAME_HEAD, n; at < b->len && rc == GR_OK; at += n) {
        struct gri_frame f = { .value = (const uint8_t *)b->data + at };

        n = b->len - at < 65000 ? b->len - at : 65000;
        f.value_size = n;
        f.number = b->len - at - n;
        rc = gri_parts_add(&p, &f, &whole);
    }
    cr_assert(rc == GR_OK || rc == GR_ENOMEM);
    gri_parts_fini(&p);
}

/* Without memory the part fails, and so the link ends: nothing is left behind. */
Test(long_text, no_memory_leaves_nothing_behind)
{
    gr_value *v = text_of(200000, false);
    struct gri_strbuf b = GRI_STRBUF_INIT;
    long before;

    cr_assert_eq(gri_frame_value(&b, GRI_FRAME_REPLY, CALL, v, NULL), GR_OK);
    before = test_memory_live();
    for (int bad = 0; bad < 2; bad++) {
        b.data[b.len - 1] = bad != 0 ? '\xff' : 'z'; /* to put it back takes memory, too */
        for (long n = 1; test_memory_fail_at(n), put_together(&b), test_memory_reached(); n++)
            cr_assert_eq(test_memory_live(), before);
    }
    gri_strbuf_fini(&b);
    gr_value_unref(v);
}
