/* SPDX-License-Identifier: Apache-2.0 */
/* msgpack_test.c - values as MessagePack, both ways. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <greenroom/codec.h>

#include "tests/support/memory.h"
#include "tests/support/test.h"

#define BYTES(s) (s), sizeof(s) - 1

/* ---- golden bytes: they cross the wire, so they are pinned ----------------------------------- */

static void check_bytes(gr_value *v, const char *want, size_t size)
{
    void *data = NULL;
    size_t got = 0;
    gr_value *again;

    cr_assert_eq(gr_msgpack_encode(v, &data, &got), GR_OK);
    cr_assert_eq(got, size);
    cr_assert_eq(memcmp(data, want, size), 0);
    again = gr_msgpack_decode(data, got, NULL);
    cr_assert(gr_equal(again, v), "%s", gr_error_text(again));
    gr_value_unref(again);
    gr_free(data);
    gr_value_unref(v);
}

Test(msgpack, every_kind_has_its_bytes)
{
    const float x[2] = { 1.0f, -2.5f };

    check_bytes(gr_nil(), BYTES("\xc0"));
    check_bytes(gr_bool(false), BYTES("\xc2"));
    check_bytes(gr_bool(true), BYTES("\xc3"));
    check_bytes(gr_int(5), BYTES("\x05"));
    check_bytes(gr_int(-1), BYTES("\xff"));
    check_bytes(gr_int(300), BYTES("\xcd\x01\x2c"));
    check_bytes(gr_int(INT64_MAX), BYTES("\xcf\x7f\xff\xff\xff\xff\xff\xff\xff"));
    check_bytes(gr_int(INT64_MIN), BYTES("\xd3\x80\0\0\0\0\0\0\0"));
    check_bytes(gr_real(1.5), BYTES("\xcb\x3f\xf8\0\0\0\0\0\0"));
    check_bytes(gr_str("hi"), BYTES("\xa2hi"));
    check_bytes(gr_str(""), BYTES("\xa0"));
    check_bytes(gr_bin("\xff", 1), BYTES("\xc4\x01\xff"));
    check_bytes(gr_list(gr_int(1), gr_list_n(NULL, 0)), BYTES("\x92\x01\x90"));
    check_bytes(gr_map(GR_KV("a", gr_int(1)), GR_KV("b", gr_map_n(NULL, 0))), BYTES("\x82\xa1"
                                                                                    "a\x01\xa1"
                                                                                    "b\x80"));
    check_bytes(gr_floats(x, 2), BYTES("\xd7\x01\x00\x00\x80\x3f\x00\x00\x20\xc0"));
    check_bytes(gr_floats(x, 0), BYTES("\xc7\x00\x01"));
    check_bytes(gr_ref_value((gr_ref){ 0x0102, 3 }),
                BYTES("\xd8\x02\x02\x01\0\0\0\0\0\0\x03\0\0\0\0\0\0\0"));
}

Test(msgpack, null_is_nil_and_sizes_fit_their_heads)
{
    static char big[70000];
    gr_value *list = gr_list_n(NULL, 0), *map = gr_map_n(NULL, 0);
    void *data = NULL;
    size_t size = 0;
    char key[32];

    cr_assert_eq(gr_msgpack_encode(NULL, &data, &size), GR_OK);
    cr_assert_eq(size, 1);
    gr_free(data);
    memset(big, 'x', sizeof(big));
    for (int i = 0; i < 70000; i++) {
        snprintf(key, sizeof(key), "%d", i);
        map = gr_set(map, key, gr_int(i));
        list = gr_append(list, gr_int(-i));
    }
    list = gr_list(list, map, gr_strn(big, 31), gr_strn(big, 32), gr_strn(big, 300),
                   gr_strn(big, sizeof(big)), gr_bin(big, 300), gr_bin(big, sizeof(big)),
                   gr_floats((const float *)(const void *)big, 100),
                   gr_floats((const float *)(const void *)big, 17000));
    cr_assert_eq(gr_msgpack_encode(list, &data, &size), GR_OK);
    map = gr_msgpack_decode(data, size, NULL);
    cr_assert(gr_equal(map, list), "%s", gr_error_text(map));
    gr_free(data);
    gr_value_unref(map);
    gr_value_unref(list);
}

/* ---- errors as values ------------------------------------------------------------------------ */

static gr_value *there_and_back(gr_value *v)
{
    void *data = NULL;
    size_t size = 0;
    gr_value *again;

    cr_assert_eq(gr_msgpack_encode(v, &data, &size), GR_OK);
    gr_value_unref(v);
    again = gr_msgpack_decode(data, size, NULL);
    gr_free(data);
    return again;
}

Test(msgpack, errors_travel_with_all_their_fields)
{
    gr_value *e = gr_error_with(gr_error(GR_ERATE, "slow"), "kind", gr_str("RateLimit"));
    gr_value *again;

    e = gr_error_with(e, "where", gr_str("/m"));
    e = gr_error_with(e, "status", gr_int(429));
    e = gr_error_with(e, "retry_after_ms", gr_int(10));
    e = gr_error_with(e, "detail", gr_list(gr_int(1)));
    e = gr_error_with(e, "cause",
                      gr_error_with(gr_error(GR_EDEAD, "x"), "cause", gr_error(GR_EFULL, "y")));
    again = there_and_back(gr_list(gr_value_ref(e)));
    cr_assert(gr_equal(gr_at(again, 0), e), "%s", gr_error_text(again));
    gr_value_unref(again);
    gr_value_unref(e);
}

Test(msgpack, a_broken_value_arrives_as_its_error)
{
    gr_value *again = there_and_back(gr_str("\xff"));

    cr_assert_eq(gr_error_code(again), GR_EINVAL);
    cr_assert_str_eq(gr_error_text(again), "bad UTF-8");
    gr_value_unref(again);
}

Test(msgpack, a_code_that_is_not_known_is_remote)
{
    gr_value *v = gr_msgpack_decode(BYTES("\xc7\x0e\x03\x82\xa4"
                                          "code\x63\xa4text\xa1x"),
                                    NULL);

    cr_assert_eq(gr_error_code(v), GR_EREMOTE, "%s", gr_error_text(v));
    cr_assert_str_eq(gr_error_text(v), "x");
    gr_value_unref(v);
}

Test(msgpack, opaque_values_stay_here)
{
    long before = test_memory_live();
    gr_value *v = gr_list(gr_str("a"), gr_map(GR_KV("x", gr_opaque(NULL, NULL))));
    gr_value *e = gr_error_with(gr_error(GR_EDEAD, "x"), "detail", gr_opaque(NULL, NULL));
    void *data = v;
    size_t size = 77;

    cr_assert_eq(gr_msgpack_encode(v, &data, &size), GR_ETYPE);
    cr_assert_eq(gr_msgpack_encode(e, &data, &size), GR_ETYPE);
    cr_assert_eq(data, v);
    cr_assert_eq(size, 77);
    gr_value_unref(v);
    gr_value_unref(e);
    cr_assert_eq(test_memory_live(), before);
}

/* ---- other peers' ways ----------------------------------------------------------------------- */

static void check_reads(const char *data, size_t size, gr_value *want)
{
    gr_value *v = gr_msgpack_decode(data, size, NULL);

    cr_assert(gr_equal(v, want), "%s", gr_error_text(v));
    gr_value_unref(v);
    gr_value_unref(want);
}

Test(msgpack, reads_what_we_would_write_otherwise)
{
    check_reads(BYTES("\xcc\xff"), gr_int(255));
    check_reads(BYTES("\xcd\xff\xff"), gr_int(65535));
    check_reads(BYTES("\xce\xff\xff\xff\xff"), gr_int(4294967295));
    check_reads(BYTES("\xcf\0\0\0\0\0\0\0\x07"), gr_int(7));
    check_reads(BYTES("\xcf\xff\xff\xff\xff\xff\xff\xff\xff"), gr_real(18446744073709551615.0));
    check_reads(BYTES("\xd0\x80"), gr_int(-128));
    check_reads(BYTES("\xd1\x80\0"), gr_int(-32768));
    check_reads(BYTES("\xd2\x80\0\0\0"), gr_int(-2147483648));
    check_reads(BYTES("\xca\x3f\x80\0\0"), gr_real(1.0));
    check_reads(BYTES("\xd9\x01x"), gr_str("x"));
    check_reads(BYTES("\xda\0\x01x"), gr_str("x"));
    check_reads(BYTES("\xdb\0\0\0\x01x"), gr_str("x"));
    check_reads(BYTES("\xdb\0\0\0\0"), gr_str(""));
    check_reads(BYTES("\xc5\0\x01x"), gr_bin("x", 1));
    check_reads(BYTES("\xc6\0\0\0\0"), gr_bin("", 0));
    check_reads(BYTES("\xdc\0\x01\x05"), gr_list(gr_int(5)));
    check_reads(BYTES("\xdd\0\0\0\0"), gr_list_n(NULL, 0));
    check_reads(BYTES("\xdf\0\0\0\x01\xa0\x05"), gr_map(GR_KV("", gr_int(5))));
    check_reads(BYTES("\x92\xa0\xa0"), gr_list(gr_str(""), gr_str("")));
}

/* ---- refused --------------------------------------------------------------------------------- */

static const struct bad {
    const char *data;
    size_t size;
    const char *error;
} bad_inputs[] = {
    { BYTES(""), "byte 0: the input ends early" },
    { BYTES("\xc1"), "byte 0: a byte that begins no value" },
    { BYTES("\x91\xc1"), "byte 1: a byte that begins no value" },
    { BYTES("\x01\x02"), "byte 1: more behind the value" },
    { BYTES("\xcd\x01"), "byte 2: the input ends early" },
    { BYTES("\xa5hi"), "byte 3: the input ends early" },
    { BYTES("\xdb\xff\xff\xff\xffx"), "byte 6: the input ends early" },
    { BYTES("\xc6\xff\xff\xff\xffx"), "byte 6: the input ends early" },
    { BYTES("\x92\x01"), "byte 2: the input ends early" },
    { BYTES("\x81\xa1x"), "byte 3: the input ends early" },
    { BYTES("\x93\x01"), "byte 0: more elements announced than there are bytes" },
    { BYTES("\xdd\xff\xff\xff\xff\x01"), "byte 4: more elements announced than there are bytes" },
    { BYTES("\xdf\xff\xff\xff\xff\x01"), "byte 4: more elements announced than there are bytes" },
    { BYTES("\x81\x01\x02"), "byte 2: a key that is no string" },
    { BYTES("\x81\xc4\x01x\x02"), "byte 4: a key that is no string" },
    { BYTES("\x81\x90\x02"), "byte 2: a key that is no string" },
    { BYTES("\x82\xa1x\x01\xa1x\x02"), "byte 6: a key given twice" },
    { BYTES("\xa2\xc3x"), "byte 1: bad UTF-8 in a string" },
    { BYTES("\x81\xa3x\xff!\x01"), "byte 3: bad UTF-8 in a string" },
    { BYTES("\xd4\x01x"), "byte 1: floats of no whole number of bytes" },
    { BYTES("\xd4\x02x"), "byte 1: a ref that isn't 16 bytes" },
    { BYTES("\xd4\x05x"), "byte 1: an unknown extension" },
    { BYTES("\xd6\xff\0\0\0\0"), "byte 1: an unknown extension" },
    { BYTES("\xc9\xff\xff\xff\xff\x01"), "byte 4: an extension too large" },
    { BYTES("\xd4\x03\x05"), "byte 1: an error that is no map" },
    { BYTES("\xc7\x00\x03"), "byte 2: an error that is no map" },
    { BYTES("\xd5\x03\x81\x01"), "byte 1: a malformed error" },
    { BYTES("\xd4\x03\x80"), "byte 1: an error without code or text" },
    { BYTES("\xc7\x0e\x03\x82\xa4"
            "code\x00\xa4text\xa1x"),
      "byte 2: an error without code or text" },
    { BYTES("\xc7\x0e\x03\x82\xa4"
            "code\x0a\xa4text\x01\xc0"),
      "byte 2: a malformed error" },
};

Test(msgpack, every_error_says_where)
{
    long before = test_memory_live();

    for (size_t i = 0; i < sizeof(bad_inputs) / sizeof(bad_inputs[0]); i++) {
        gr_value *v = gr_msgpack_decode(bad_inputs[i].data, bad_inputs[i].size, NULL);

        cr_assert_str_eq(gr_error_text(v), bad_inputs[i].error);
        cr_assert_eq(gr_error_code(v), GR_EPROTO, "%s", bad_inputs[i].error);
        gr_value_unref(v);
    }
    cr_assert_eq(test_memory_live(), before);
}

static void check_limit(const char *data, size_t size, const gr_decode_opts *opts,
                        const char *error)
{
    gr_value *v = gr_msgpack_decode(data, size, opts);

    cr_assert_eq(gr_error_code(v), error != NULL ? GR_ENOMEM : GR_OK, "%s", gr_error_text(v));
    cr_assert_str_eq(gr_error_text(v), error != NULL ? error : "");
    gr_value_unref(v);
}

Test(msgpack, limits_are_kept)
{
    char deep[GR_DEPTH_MAX + 2];
    gr_value *none = gr_msgpack_decode(NULL, 1, NULL);

    memset(deep, '\x91', sizeof(deep));
    deep[GR_DEPTH_MAX] = '\x01';
    check_limit(deep, GR_DEPTH_MAX + 1, NULL, NULL);
    deep[GR_DEPTH_MAX] = '\x90';
    check_limit(deep, GR_DEPTH_MAX + 1, NULL, "byte 64: nested deeper than the limit allows");
    deep[GR_DEPTH_MAX] = '\x91';
    deep[GR_DEPTH_MAX + 1] = '\x01';
    check_limit(deep, GR_DEPTH_MAX + 2, NULL, "byte 64: nested deeper than the limit allows");
    check_limit(BYTES("\x91\x91\x01"), GR_DECODE(.depth_max = 2), NULL);
    check_limit(BYTES("\x91\x91\x01"), GR_DECODE(.depth_max = 1),
                "byte 1: nested deeper than the limit allows");
    check_limit(BYTES("\x92\x01\x02"), GR_DECODE(.count_max = 3), NULL);
    check_limit(BYTES("\x92\x01\x02"), GR_DECODE(.count_max = 2),
                "byte 2: more values than the limit allows");
    check_limit(BYTES("\x92\x01\x02"), GR_DECODE(.bytes_max = 3), NULL);
    check_limit(BYTES("\x92\x01\x02"), GR_DECODE(.bytes_max = 2),
                "3 bytes of MessagePack, the limit is 2");
    cr_assert_eq(gr_error_code(none), GR_EINVAL);
    gr_value_unref(none);
}

/* Errors inside errors are the one recursion there is. */
Test(msgpack, errors_nest_as_deep_as_values_may_and_no_deeper)
{
    gr_value *e = gr_error(GR_EDEAD, "0");
    gr_value *again;

    for (int i = 1; i <= GR_DEPTH_MAX; i++)
        e = gr_error_with(gr_error(GR_EDEAD, "%d", i), "cause", e);
    again = there_and_back(gr_value_ref(e));
    cr_assert(gr_equal(e, again), "%s", gr_error_text(again));
    gr_value_unref(again);
    gr_value_unref(e);

    e = gr_error(GR_EDEAD, "x");
    for (int i = 0; i < GR_DEPTH_MAX; i++)
        e = gr_list(e);
    again = there_and_back(gr_value_ref(e)); /* an error at the bottom of 64 lists */
    cr_assert(gr_equal(e, again), "%s", gr_error_text(again));
    gr_value_unref(again);
    gr_value_unref(e);
}

Test(msgpack, errors_nested_beyond_the_limit_are_refused)
{
    static char data[4000];
    size_t at = sizeof(data);
    gr_value *v;

    /* from the inside out: ext16 { map { code, text, cause: … } } */
    for (int level = 0; level < 100; level++) {
        size_t inner = sizeof(data) - at;
        char head[] = "\xc8\0\0\x03\x83\xa4"
                      "code\x14\xa4text\xa1x\xa5"
                      "cause";
        size_t n = sizeof(head) - 1;

        if (level == 0) {
            data[--at] = '\xc0';
            inner = 1;
        }
        head[1] = (char)((n - 4 + inner) >> 8);
        head[2] = (char)((n - 4 + inner) & 0xff);
        at -= n;
        memcpy(data + at, head, n);
    }
    v = gr_msgpack_decode(data + at, sizeof(data) - at, NULL);
    cr_assert_eq(gr_error_code(v), GR_ENOMEM, "%s", gr_error_text(v));
    gr_value_unref(v);
}

/* ---- generated ------------------------------------------------------------------------------- */

static uint64_t seed_state;

static uint32_t draw(uint32_t below)
{
    seed_state = seed_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(seed_state >> 33) % below;
}

static gr_value *random_value(int depth)
{
    gr_value *v;
    float x[5] = { 0.5f, -1, 1e30f, 0, 7 };
    char key[32];

    switch (draw(depth > 0 ? 12 : 9)) {
    case 0: return gr_nil();
    case 1: return gr_bool(draw(2));
    case 2: return gr_int((int64_t)((uint64_t)draw(1u << 31) << 33) >> draw(64));
    case 3: return gr_real((double)draw(1u << 30) / 7);
    case 4: return gr_strf("%.*s", (int)draw(60), "a somewhat longer text of \xc3\xa9 sixty bytes");
    case 5: return gr_bin("\0\1\2\3\4\5\6\7", draw(8));
    case 6: return gr_floats(x, draw(5));
    case 7: return gr_ref_value((gr_ref){ draw(1u << 31), draw(9) });
    case 8: return gr_error_with(gr_error(GR_EDEAD, "%u", draw(9)), "status", gr_int(draw(600)));
    case 9:
        v = gr_error(GR_EFULL, "nested");
        v = gr_error_with(v, "detail", random_value(depth - 1));
        return gr_error_with(v, "cause", random_value(depth - 1)); /* mostly no error: left out */
    case 10:
        v = gr_list_n(NULL, 0);
        for (uint32_t n = draw(20); n > 0; n--)
            v = gr_append(v, random_value(depth - 1));
        return v;
    default:
        v = gr_map_n(NULL, 0);
        for (uint32_t n = draw(20); n > 0; n--) {
            snprintf(key, sizeof(key), "k%u", draw(30));
            v = gr_set(v, key, random_value(depth - 1));
        }
        return v;
    }
}

Test(msgpack, generated_values_go_there_and_back)
{
    for (uint64_t seed = 1; seed <= 2000; seed++) {
        gr_value *v, *again;

        seed_state = seed;
        v = random_value(3);
        again = there_and_back(gr_value_ref(v));
        cr_assert(gr_equal(v, again), "seed %lu: %s", (unsigned long)seed, gr_error_text(again));
        gr_value_unref(v);
        gr_value_unref(again);
    }
}

/* Damaged and cut input gives a value or an error, never a leak, and never more memory than a small
 * multiple of the input. */
Test(msgpack, damaged_input_is_survived)
{
    long before = test_memory_live();

    for (uint64_t seed = 1; seed <= 3000; seed++) {
        gr_value *v;
        void *data = NULL;
        size_t size = 0;

        seed_state = seed * 31;
        v = random_value(3);
        cr_assert_eq(gr_msgpack_encode(v, &data, &size), GR_OK);
        gr_value_unref(v);
        ((unsigned char *)data)[draw((uint32_t)size)] = (unsigned char)draw(256);
        if (draw(2))
            size = draw((uint32_t)size);
        v = gr_msgpack_decode(data, size, NULL);
        gr_value_unref(v);
        gr_free(data);
        cr_assert_eq(test_memory_live(), before);
    }
}

/* ---- memory ---------------------------------------------------------------------------------- */

Test(msgpack, every_failed_allocation_is_survived_without_a_leak)
{
    gr_value *v = gr_list(gr_map(GR_KV("role", gr_str("user")), GR_KV("n", gr_real(0.5))),
                          gr_error_with(gr_error(GR_EDEAD, "x"), "detail", gr_str("y")),
                          gr_floats((const float[]){ 1, 2 }, 2), gr_bin("ab", 2),
                          gr_ref_value((gr_ref){ 1, 2 }));
    long before, n;
    void *data = NULL;
    size_t size = 0;

    for (int i = 0; i < 60; i++)
        v = gr_append(v, gr_int(i));
    before = test_memory_live();
    for (n = 1;; n++) {
        gr_code rc;

        test_memory_fail_at(n);
        rc = gr_msgpack_encode(v, &data, &size);
        if (!test_memory_reached())
            break;
        cr_assert_eq(rc, GR_ENOMEM);
        cr_assert_eq(test_memory_live(), before, "encode, allocation %ld", n);
    }
    cr_assert_gt(n, 2);
    before = test_memory_live();
    for (n = 1;; n++) {
        gr_value *again;
        gr_code code;

        test_memory_fail_at(n);
        again = gr_msgpack_decode(data, size, NULL);
        code = gr_error_code(again);
        if (!test_memory_reached()) {
            cr_assert(gr_equal(again, v));
            gr_value_unref(again);
            break;
        }
        gr_value_unref(again);
        cr_assert_eq(code, GR_ENOMEM, "decode, allocation %ld", n);
        cr_assert_eq(test_memory_live(), before, "decode, allocation %ld", n);
    }
    cr_assert_gt(n, 10);
    gr_free(data);
    gr_value_unref(v);
}
