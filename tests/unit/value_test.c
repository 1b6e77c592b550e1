/* SPDX-License-Identifier: Apache-2.0 */
/* value_test.c - the kinds of values, who owns them, and what breaks them. */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <greenroom/value.h>

#include "tests/support/memory.h"
#include "tests/support/test.h"

/* ---- scalars --------------------------------------------------------------------------------- */

Test(value, nil_booleans_and_small_integers_never_allocate)
{
    long before = test_memory_total();

    gr_value_unref(gr_nil());
    gr_value_unref(gr_bool(true));
    gr_value_unref(gr_int(INT64_C(1) << 61));
    gr_value_unref(gr_int(-(INT64_C(1) << 61)));
    cr_assert_eq(test_memory_total(), before);
}

Test(value, integers_keep_all_64_bits)
{
    static const int64_t all[] = { 0,
                                   1,
                                   -1,
                                   42,
                                   INT64_MAX,
                                   INT64_MIN,
                                   INT64_MAX / 2,
                                   INT64_MAX / 2 + 1,
                                   INT64_MIN / 2,
                                   INT64_MIN / 2 - 1 };

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        gr_value *v = gr_int(all[i]);

        cr_assert_eq(gr_value_type(v), GR_INT);
        cr_assert_eq(gr_as_int(v, 7), all[i]);
        gr_value_unref(v);
    }
}

Test(value, numbers_read_as_each_other_where_exact)
{
    gr_value *whole = gr_real(3.0), *half = gr_real(3.5), *huge = gr_real(1e300);
    gr_value *edge = gr_real(9223372036854775808.0), *nan = gr_real(NAN);

    cr_assert_eq(gr_as_int(whole, 7), 3);
    cr_assert_eq(gr_as_int(half, 7), 7);
    cr_assert_eq(gr_as_int(huge, 7), 7);
    cr_assert_eq(gr_as_int(edge, 7), 7);
    cr_assert_eq(gr_as_int(nan, 7), 7);
    cr_assert_float_eq(gr_as_real(gr_int(3), 7), 3.0, 0);
    cr_assert_float_eq(gr_as_real(half, 7), 3.5, 0);
    cr_assert_eq(gr_as_int(gr_bool(true), 7), 7);
    gr_value_unref(whole);
    gr_value_unref(half);
    gr_value_unref(huge);
    gr_value_unref(edge);
    gr_value_unref(nan);
}

Test(value, null_reads_as_nil)
{
    cr_assert_eq(gr_value_type(NULL), GR_NIL);
    cr_assert(gr_is_nil(NULL));
    cr_assert_null(gr_get(NULL, "a"));
    cr_assert_null(gr_at(NULL, 0));
    cr_assert_null(gr_pair_at(NULL, 0, NULL));
    cr_assert_eq(gr_len(NULL), 0);
    cr_assert_str_eq(gr_cstr(NULL, "-"), "-");
    cr_assert_eq(gr_as_int(NULL, 5), 5);
    cr_assert_float_eq(gr_as_real(NULL, 0.5), 0.5, 0);
    cr_assert(gr_as_bool(NULL, true));
    cr_assert_null(gr_as_bin(NULL, NULL));
    cr_assert_null(gr_as_floats(NULL, NULL));
    cr_assert_eq(gr_as_ref(NULL).node, 0);
    cr_assert_null(gr_as_opaque(NULL));
    cr_assert_null(gr_value_ref(NULL));
    gr_value_unref(NULL);
    cr_assert(gr_equal(NULL, gr_nil()));
}

Test(value, wrong_kinds_give_the_otherwise)
{
    gr_value *s = gr_str("text");

    cr_assert_null(gr_get(s, "a"));
    cr_assert_null(gr_at(s, 0));
    cr_assert_eq(gr_as_int(s, -1), -1);
    cr_assert_float_eq(gr_as_real(s, 2), 2, 0);
    cr_assert_not(gr_as_bool(s, false));
    cr_assert_str_eq(gr_cstr(gr_int(5), "no"), "no");
    cr_assert_null(gr_get(gr_int(5), "a"));
    cr_assert_eq(gr_len(gr_int(5)), 0);
    gr_value_unref(s);
}

Test(value, types_have_names)
{
    cr_assert_str_eq(gr_type_name(GR_NIL), "nil");
    cr_assert_str_eq(gr_type_name(GR_LIST), "list");
    cr_assert_str_eq(gr_type_name(GR_OPAQUE), "opaque");
    cr_assert_str_eq(gr_type_name((gr_type)99), "?");
}

/* ---- strings, binaries, floats, refs, opaque ------------------------------------------------- */

Test(value, strings_may_hold_nul_and_end_with_one)
{
    gr_value *v = gr_strn("a\0b", 3);

    cr_assert_eq(gr_len(v), 3);
    cr_assert_eq(memcmp(gr_cstr(v, ""), "a\0b", 4), 0);
    gr_value_unref(v);
}

Test(value, strf_formats)
{
    gr_value *v = gr_strf("%s-%d", "a", 7);
    gr_value *bad = gr_strf("%s", "\xff");

    cr_assert_str_eq(gr_cstr(v, ""), "a-7");
    cr_assert_eq(gr_error_code(bad), GR_EINVAL);
    gr_value_unref(v);
}

Test(value, binaries_keep_their_bytes)
{
    size_t size = 99;
    gr_value *v = gr_bin("\xff\0\x01", 3), *empty = gr_bin(NULL, 0);

    cr_assert_eq(memcmp(gr_as_bin(v, &size), "\xff\0\x01", 3), 0);
    cr_assert_eq(size, 3);
    cr_assert_null(gr_cstr(v, NULL));
    cr_assert_eq(gr_len(empty), 0);
    gr_value_unref(v);
    gr_value_unref(empty);
}

Test(value, floats_are_packed)
{
    const float x[3] = { 1.5f, -2, 0 };
    size_t count = 0;
    gr_value *v = gr_floats(x, 3);
    const float *y = gr_as_floats(v, &count);

    cr_assert_eq(count, 3);
    cr_assert_eq(gr_len(v), 3);
    cr_assert_float_eq(y[0], 1.5f, 0);
    cr_assert_float_eq(y[1], -2.f, 0);
    gr_value_unref(v);
}

Test(value, refs_are_values)
{
    gr_value *v = gr_ref_value((gr_ref){ 7, 9 });

    cr_assert_eq(gr_value_type(v), GR_REFV);
    cr_assert_eq(gr_as_ref(v).node, 7);
    cr_assert_eq(gr_as_ref(v).id, 9);
    gr_value_unref(v);
}

static void count_drop(void *p)
{
    ++*(int *)p;
}

Test(value, opaque_is_dropped_once_with_the_last_reference)
{
    int drops = 0;
    gr_value *v = gr_opaque(&drops, count_drop);
    gr_value *list = gr_list(gr_value_ref(v), gr_value_ref(v));

    gr_value_unref(v);
    cr_assert_eq(drops, 0);
    cr_assert_eq(gr_as_opaque(gr_at(list, 0)), &drops);
    gr_value_unref(list);
    cr_assert_eq(drops, 1);
    gr_value_unref(gr_opaque(&drops, NULL));
    cr_assert_eq(drops, 1);
}

Test(value, opaque_is_dropped_when_it_cannot_be_made)
{
    int drops = 0;
    gr_value *v;

    test_memory_fail_at(1);
    v = gr_opaque(&drops, count_drop);
    cr_assert(test_memory_reached());
    cr_assert_eq(gr_error_code(v), GR_ENOMEM);
    cr_assert_eq(drops, 1);
}

/* ---- lists ----------------------------------------------------------------------------------- */

Test(value, lists_nest_and_read_by_index)
{
    gr_value *v = gr_list(gr_int(1), gr_list(gr_str("a")), gr_list_n(NULL, 0));

    cr_assert_eq(gr_len(v), 3);
    cr_assert_eq(gr_as_int(gr_at(v, 0), 0), 1);
    cr_assert_str_eq(gr_cstr(gr_at(gr_at(v, 1), 0), ""), "a");
    cr_assert_null(gr_at(v, 3));
    cr_assert_null(gr_get(v, "a"));
    gr_value_unref(v);
}

Test(value, append_leaves_a_shared_list_alone)
{
    gr_value *one = gr_list(gr_int(1));
    gr_value *two = gr_append(gr_value_ref(one), gr_int(2));

    cr_assert_eq(gr_len(one), 1);
    cr_assert_eq(gr_len(two), 2);
    cr_assert_neq(one, two);
    gr_value_unref(one);
    cr_assert_eq(gr_as_int(gr_at(two, 0), 0), 1);
    gr_value_unref(two);
}

/* By count, not by time: n appends may allocate only in proportion to log n. */
Test(value, building_by_append_and_set_does_not_copy_each_time)
{
    gr_value *list = gr_list_n(NULL, 0), *map = gr_map_n(NULL, 0);
    long before = test_memory_total();
    char key[32];

    for (int i = 0; i < 10000; i++)
        list = gr_append(list, gr_int(i));
    cr_assert_lt(test_memory_total() - before, 40);
    before = test_memory_total();
    for (int i = 0; i < 10000; i++) {
        snprintf(key, sizeof(key), "k%d", i);
        map = gr_set(map, key, gr_int(i));
    }
    cr_assert_lt(test_memory_total() - before, 10040); /* one node a key */
    cr_assert_eq(gr_len(list), 10000);
    cr_assert_eq(gr_len(map), 10000);
    cr_assert_eq(gr_as_int(gr_get(map, "k9999"), 0), 9999);
    cr_assert_null(gr_get(map, "k10000"));
    gr_value_unref(list);
    gr_value_unref(map);
}

/* ---- maps ------------------------------------------------------------------------------------ */

Test(value, maps_keep_insertion_order)
{
    gr_value *v = gr_map(GR_KV("b", gr_int(1)), GR_KV("a", gr_int(2)), GR_KV("", gr_int(3)));
    const char *key = NULL;

    cr_assert_eq(gr_as_int(gr_pair_at(v, 0, &key), 0), 1);
    cr_assert_str_eq(key, "b");
    gr_pair_at(v, 2, &key);
    cr_assert_str_eq(key, "");
    cr_assert_null(gr_pair_at(v, 3, &key));
    cr_assert_str_eq(key, "");
    cr_assert_eq(gr_as_int(gr_get(v, ""), 0), 3);
    cr_assert_null(gr_get(v, "c"));
    cr_assert_null(gr_get(v, NULL));
    gr_value_unref(v);
}

Test(value, of_a_key_given_twice_the_last_wins_in_first_place)
{
    const char *key = NULL;
    gr_value *v = gr_map(GR_KV("a", gr_int(1)), GR_KV("b", gr_int(2)), GR_KV("a", gr_str("x")));

    cr_assert_eq(gr_len(v), 2);
    cr_assert_str_eq(gr_cstr(gr_pair_at(v, 0, &key), ""), "x");
    cr_assert_str_eq(key, "a");
    gr_value_unref(v);
}

static gr_value *numbered(int count)
{
    gr_value *map = gr_map_n(NULL, 0);
    char key[32];

    for (int i = 0; i < count; i++) {
        snprintf(key, sizeof(key), "key %d", i);
        map = gr_set(map, key, gr_int(i));
    }
    return map;
}

static void check_numbered(const gr_value *map, int count, int without)
{
    const char *key;
    char want[32];

    cr_assert_eq(gr_len(map), (size_t)(count - (without >= 0)));
    for (int i = 0, at = 0; i < count; i++) {
        snprintf(want, sizeof(want), "key %d", i);
        if (i == without) {
            cr_assert_null(gr_get(map, want));
            continue;
        }
        cr_assert_eq(gr_as_int(gr_get(map, want), -1), i);
        cr_assert_eq(gr_as_int(gr_pair_at(map, (size_t)at++, &key), -1), i);
        cr_assert_str_eq(key, want);
    }
}

/* From two pairs over the end of scanning (8) to a few tables. */
Test(value, maps_of_every_size_find_their_keys)
{
    for (int count = 0; count < 40; count++) {
        gr_value *map = numbered(count);

        check_numbered(map, count, -1);
        for (int gone = 0; gone < count; gone++) {
            char key[32];
            gr_value *less;

            snprintf(key, sizeof(key), "key %d", gone);
            less = gr_without(gr_value_ref(map), key);
            check_numbered(less, count, gone);
            check_numbered(map, count, -1);
            gr_value_unref(gr_without(less, key)); /* not there any more: as it was */
        }
        gr_value_unref(map);
    }
}

Test(value, set_shares_what_it_does_not_change)
{
    gr_value *deep = gr_list(gr_str("kept"));
    gr_value *a = gr_map(GR_KV("x", gr_value_ref(deep)), GR_KV("y", gr_int(1)));
    gr_value *b = gr_set(gr_value_ref(a), "y", gr_int(2));

    cr_assert_eq(gr_get(b, "x"), deep);
    cr_assert_eq(gr_as_int(gr_get(a, "y"), 0), 1);
    cr_assert_eq(gr_as_int(gr_get(b, "y"), 0), 2);
    gr_value_unref(a);
    gr_value_unref(b);
    gr_value_unref(deep);
}

Test(value, replacing_a_key_of_a_map_held_alone_allocates_nothing)
{
    gr_value *map = numbered(20);
    long before = test_memory_total();

    map = gr_set(map, "key 7", gr_int(70));
    cr_assert_eq(test_memory_total(), before);
    cr_assert_eq(gr_as_int(gr_get(map, "key 7"), 0), 70);
    gr_value_unref(map);
}

Test(value, merge_lays_over_onto_base)
{
    gr_value *v = gr_merge(gr_map(GR_KV("a", gr_int(1)), GR_KV("b", gr_int(2))),
                           gr_map(GR_KV("b", gr_int(3)), GR_KV("c", gr_int(4))));
    const char *key = NULL;

    cr_assert_eq(gr_len(v), 3);
    cr_assert_eq(gr_as_int(gr_get(v, "b"), 0), 3);
    gr_pair_at(v, 1, &key);
    cr_assert_str_eq(key, "b");
    v = gr_merge(v, gr_nil());
    cr_assert_eq(gr_len(v), 3);
    v = gr_merge(gr_nil(), v);
    cr_assert_eq(gr_len(v), 3);
    gr_value_unref(v);
    v = gr_merge(gr_nil(), gr_nil());
    cr_assert_eq(gr_value_type(v), GR_MAP);
    gr_value_unref(v);
}

Test(value, merge_leaves_shared_maps_alone)
{
    gr_value *base = numbered(9), *over = gr_map(GR_KV("key 3", gr_int(33)));
    gr_value *both = gr_merge(gr_value_ref(base), gr_value_ref(over));

    cr_assert_eq(gr_as_int(gr_get(both, "key 3"), 0), 33);
    check_numbered(base, 9, -1);
    cr_assert_eq(gr_len(over), 1);
    gr_value_unref(base);
    gr_value_unref(over);
    gr_value_unref(both);
}

/* ---- broken values --------------------------------------------------------------------------- */

static void check_broken(gr_value *v, gr_code code, const char *text)
{
    cr_assert_eq(gr_value_type(v), GR_ERROR);
    cr_assert_eq(gr_error_code(v), code);
    cr_assert_str_eq(gr_error_text(v), text);
    cr_assert_str_eq(gr_cstr(gr_get(v, "text"), ""), text);
    cr_assert_str_eq(gr_cstr(gr_get(v, "code"), ""), gr_code_name(code));
    cr_assert_str_eq(gr_cstr(gr_get(v, "kind"), ""), gr_code_name(code));
    gr_value_unref(v);
    gr_value_unref(v); /* never counted */
}

Test(value, broken_values_say_why)
{
    float x = 0;

    check_broken(gr_str(NULL), GR_EINVAL, "no value");
    check_broken(gr_str("\xc0\x80"), GR_EINVAL, "bad UTF-8");
    check_broken(gr_strn("a", SIZE_MAX), GR_ENOMEM, "too large");
    check_broken(gr_bin(NULL, 1), GR_EINVAL, "no value");
    check_broken(gr_bin("", SIZE_MAX / 2), GR_ENOMEM, "too large");
    check_broken(gr_floats(NULL, 1), GR_EINVAL, "no value");
    check_broken(gr_floats(&x, SIZE_MAX), GR_ENOMEM, "too large");
    check_broken(gr_list_n(NULL, 1), GR_EINVAL, "no value");
    check_broken(gr_map_n(NULL, 1), GR_EINVAL, "no value");
    check_broken(gr_list(gr_int(1), NULL), GR_EINVAL, "no value");
    check_broken(gr_map(GR_KV("a", NULL)), GR_EINVAL, "no value");
    check_broken(gr_map(GR_KV(NULL, gr_int(1))), GR_EINVAL, "no value");
    check_broken(gr_map(GR_KV("\xff", gr_int(1))), GR_EINVAL, "bad UTF-8");
    check_broken(gr_set(gr_int(1), "a", gr_int(1)), GR_ETYPE, "wrong kind of value");
    check_broken(gr_append(gr_int(1), gr_int(1)), GR_ETYPE, "wrong kind of value");
    check_broken(gr_error_with(gr_int(1), "where", gr_str("x")), GR_ETYPE, "wrong kind of value");
    check_broken(gr_error_with(NULL, "where", gr_str("x")), GR_EINVAL, "no value");
}

/* Each of these is given something to release, and something that breaks it. */
Test(value, broken_parts_break_the_whole_and_everything_is_released)
{
    long before = test_memory_live();

    check_broken(gr_list(gr_str("a"), gr_str("\xff"), gr_str("b")), GR_EINVAL, "bad UTF-8");
    check_broken(
        gr_map(GR_KV("a", gr_str("a")), GR_KV("b", gr_str("\xff")), GR_KV("c", gr_str("c"))),
        GR_EINVAL, "bad UTF-8");
    check_broken(gr_map(GR_KV("a", gr_str("a")), GR_KV("\xff", gr_str("b"))), GR_EINVAL,
                 "bad UTF-8");
    check_broken(gr_list(gr_map(GR_KV("a", gr_list(gr_str("a"), NULL)))), GR_EINVAL, "no value");
    check_broken(gr_append(gr_list(gr_str("a")), gr_str("\xff")), GR_EINVAL, "bad UTF-8");
    check_broken(gr_append(gr_list(gr_str("a")), NULL), GR_EINVAL, "no value");
    check_broken(gr_append(NULL, gr_str("a")), GR_EINVAL, "no value");
    check_broken(gr_append(gr_str("a"), gr_str("b")), GR_ETYPE, "wrong kind of value");
    check_broken(gr_set(numbered(3), "x", gr_str("\xff")), GR_EINVAL, "bad UTF-8");
    check_broken(gr_set(numbered(3), "\xff", gr_str("a")), GR_EINVAL, "bad UTF-8");
    check_broken(gr_set(numbered(3), NULL, gr_str("a")), GR_EINVAL, "no value");
    check_broken(gr_set(numbered(3), "x", NULL), GR_EINVAL, "no value");
    check_broken(gr_set(NULL, "x", gr_str("a")), GR_EINVAL, "no value");
    check_broken(gr_set(gr_str("\xff"), "x", gr_str("a")), GR_EINVAL, "bad UTF-8");
    check_broken(gr_set(gr_list(gr_str("a")), "x", gr_str("a")), GR_ETYPE, "wrong kind of value");
    check_broken(gr_without(gr_list(gr_str("a")), "x"), GR_ETYPE, "wrong kind of value");
    check_broken(gr_without(NULL, "x"), GR_EINVAL, "no value");
    check_broken(gr_without(numbered(2), NULL), GR_EINVAL, "no value");
    check_broken(gr_merge(numbered(2), gr_list(gr_str("a"))), GR_ETYPE, "wrong kind of value");
    check_broken(gr_merge(gr_list(gr_str("a")), numbered(2)), GR_ETYPE, "wrong kind of value");
    check_broken(gr_merge(NULL, numbered(2)), GR_EINVAL, "no value");
    check_broken(gr_merge(numbered(2), NULL), GR_EINVAL, "no value");
    check_broken(gr_add(gr_list(gr_str("a")), NULL), GR_EINVAL, "no value");
    check_broken(gr_add(gr_list(gr_str("a")), gr_str("\xff")), GR_EINVAL, "bad UTF-8");
    check_broken(gr_add(gr_str("\xff"), gr_list(gr_str("a"))), GR_EINVAL, "bad UTF-8");
    cr_assert_eq(test_memory_live(), before);
}

Test(value, a_real_error_is_a_value_like_others)
{
    gr_value *v = gr_list(gr_int(1), gr_error(GR_EDEAD, "gone"));

    cr_assert_eq(gr_value_type(v), GR_LIST);
    cr_assert_eq(gr_error_code(v), GR_OK);
    cr_assert_eq(gr_error_code(gr_at(v, 1)), GR_EDEAD);
    gr_value_unref(v);
}

/* ---- depth ----------------------------------------------------------------------------------- */

static gr_value *nested(int levels)
{
    gr_value *v = gr_int(1);

    for (int i = 0; i < levels; i++)
        v = i % 2 ? gr_list(v) : gr_map(GR_KV("a", v));
    return v;
}

Test(value, depth_64_is_fine_and_65_is_broken)
{
    long before = test_memory_live();
    gr_value *v = nested(GR_DEPTH_MAX);

    cr_assert_neq(gr_value_type(v), GR_ERROR);
    check_broken(gr_list(gr_value_ref(v)), GR_EINVAL, "nested too deep");
    check_broken(gr_map(GR_KV("a", gr_value_ref(v))), GR_EINVAL, "nested too deep");
    check_broken(gr_append(gr_list_n(NULL, 0), gr_value_ref(v)), GR_EINVAL, "nested too deep");
    check_broken(gr_set(gr_map_n(NULL, 0), "a", gr_value_ref(v)), GR_EINVAL, "nested too deep");
    check_broken(gr_add(gr_map(GR_KV("a", gr_nil())), gr_map(GR_KV("a", v))), GR_EINVAL,
                 "nested too deep");
    check_broken(nested(GR_DEPTH_MAX + 1), GR_EINVAL, "nested too deep");
    cr_assert_eq(test_memory_live(), before);
}

Test(value, height_falls_when_the_highest_child_goes)
{
    gr_value *map = gr_map(GR_KV("deep", nested(GR_DEPTH_MAX - 1)), GR_KV("flat", gr_int(1)));
    gr_value *other;

    cr_assert_eq(gr_value_type(map), GR_MAP);
    check_broken(gr_list(gr_value_ref(map)), GR_EINVAL, "nested too deep");
    other = gr_without(gr_value_ref(map), "deep");
    other = gr_list(other);
    cr_assert_eq(gr_value_type(other), GR_LIST);
    gr_value_unref(other);
    map = gr_set(map, "deep", gr_int(2)); /* held alone: in place */
    map = gr_list(map);
    cr_assert_eq(gr_value_type(map), GR_LIST);
    gr_value_unref(map);
}

/* ---- errors ---------------------------------------------------------------------------------- */

Test(value, errors_carry_their_fields)
{
    gr_value *e = gr_error(GR_ERATE, "slow %s", "down");

    cr_assert_eq(gr_error_code(e), GR_ERATE);
    cr_assert_str_eq(gr_error_text(e), "slow down");
    cr_assert_str_eq(gr_cstr(gr_get(e, "code"), ""), "GR_ERATE");
    cr_assert_str_eq(gr_cstr(gr_get(e, "kind"), ""), "GR_ERATE");
    cr_assert_null(gr_get(e, "where"));
    e = gr_error_with(e, "kind", gr_str("RateLimit"));
    e = gr_error_with(e, "where", gr_str("/model"));
    e = gr_error_with(e, "status", gr_int(429));
    e = gr_error_with(e, "retry_after_ms", gr_int(1500));
    e = gr_error_with(e, "detail", gr_map(GR_KV("a", gr_int(1))));
    e = gr_error_with(e, "cause", gr_error(GR_EUNREACH, "cut"));
    cr_assert_str_eq(gr_cstr(gr_get(e, "kind"), ""), "RateLimit");
    cr_assert_str_eq(gr_cstr(gr_get(e, "where"), ""), "/model");
    cr_assert_eq(gr_as_int(gr_get(e, "status"), 0), 429);
    cr_assert_eq(gr_as_int(gr_get(e, "retry_after_ms"), 0), 1500);
    cr_assert_eq(gr_as_int(gr_get(gr_get(e, "detail"), "a"), 0), 1);
    cr_assert_str_eq(gr_error_text(gr_get(e, "cause")), "cut");
    cr_assert_null(gr_get(e, "nonsense"));
    gr_value_unref(e);
}

Test(value, a_field_set_on_a_shared_error_leaves_the_original)
{
    gr_value *a = gr_error(GR_EDEAD, "x");
    gr_value *b = gr_error_with(gr_value_ref(a), "where", gr_str("here"));

    cr_assert_null(gr_get(a, "where"));
    cr_assert_str_eq(gr_cstr(gr_get(b, "where"), ""), "here");
    cr_assert_eq(gr_error_code(b), GR_EDEAD);
    gr_value_unref(a);
    gr_value_unref(b);
}

/* Whoever reports an error must not lose it over a detail. */
Test(value, an_error_survives_a_field_that_cannot_be_set)
{
    long before = test_memory_live();
    gr_value *e = gr_error(GR_EDEAD, "x");

    e = gr_error_with(e, "where", gr_str("\xff"));
    e = gr_error_with(e, "where", gr_int(1));
    e = gr_error_with(e, "status", gr_str("a"));
    e = gr_error_with(e, "cause", gr_str("a"));
    e = gr_error_with(e, "nonsense", gr_str("a"));
    e = gr_error_with(e, NULL, gr_str("a"));
    e = gr_error_with(e, "detail", NULL);
    e = gr_error_with(e, "detail", nested(GR_DEPTH_MAX));
    cr_assert_eq(gr_error_code(e), GR_EDEAD);
    cr_assert_null(gr_get(e, "where"));
    cr_assert_null(gr_get(e, "detail"));
    gr_value_unref(e);
    cr_assert_eq(test_memory_live(), before);
}

Test(value, causes_are_bounded_by_depth)
{
    gr_value *e = gr_error(GR_EDEAD, "0");
    int links = 0;

    for (int i = 1; i < 200; i++)
        e = gr_error_with(gr_error(GR_EDEAD, "%d", i), "cause", e);
    for (const gr_value *at = e; at != NULL; at = gr_get(at, "cause"))
        links++;
    cr_assert_leq(links, GR_DEPTH_MAX + 1);
    cr_assert_str_eq(gr_error_text(e), "199");
    gr_value_unref(e);
}

Test(value, an_error_text_is_always_utf8)
{
    gr_value *e = gr_error(GR_EPROTO, "got %s.", "a\xff\xc3");

    cr_assert_str_eq(gr_error_text(e), "got a??.");
    gr_value_unref(e);
}

Test(value, codes_that_are_none_are_mended)
{
    gr_value *ok = gr_error(GR_OK, "x"), *odd = gr_error((gr_code)777, "x");

    cr_assert_eq(gr_error_code(ok), GR_EINVAL);
    cr_assert_eq(gr_error_code(odd), GR_EREMOTE);
    gr_value_unref(ok);
    gr_value_unref(odd);
    cr_assert_eq(gr_error_code(NULL), GR_EINVAL);
    cr_assert_str_eq(gr_error_text(NULL), "no value");
    cr_assert_eq(gr_error_code(gr_int(1)), GR_OK);
    cr_assert_str_eq(gr_error_text(gr_int(1)), "");
}

Test(value, every_code_has_a_name_that_reads_back)
{
    static const gr_code codes[] = { GR_ENOMEM,    GR_EINVAL, GR_ETYPE,   GR_ETIMEDOUT,
                                     GR_ECANCELED, GR_EDEAD,  GR_EBROKEN, GR_EFULL,
                                     GR_EUNREACH,  GR_EPROTO, GR_EREMOTE, GR_ERATE,
                                     GR_EPENDING,  GR_EOS,    GR_EDEADLK, GR_EINTR };

    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        gr_value *e = gr_error(codes[i], "x");

        cr_assert_eq(gr_error_code(e), codes[i]);
        cr_assert_str_eq(gr_cstr(gr_get(e, "code"), ""), gr_code_name(codes[i]));
        gr_value_unref(e);
    }
}

static void check_retryable(gr_value *e, bool want)
{
    cr_assert_eq(gr_error_retryable(e), want, "%s", gr_error_text(e));
    gr_value_unref(e);
}

Test(value, retryable_is_what_may_succeed_later)
{
    check_retryable(gr_error(GR_EFULL, "x"), true);
    check_retryable(gr_error(GR_EUNREACH, "x"), true);
    check_retryable(gr_error(GR_ERATE, "x"), true);
    check_retryable(gr_error_with(gr_error(GR_ERATE, "x"), "kind", gr_str("insufficient_quota")),
                    false);
    check_retryable(gr_error(GR_ETIMEDOUT, "x"), true);
    check_retryable(gr_error(GR_EINVAL, "x"), false);
    check_retryable(gr_error(GR_ECANCELED, "x"), false);
    check_retryable(gr_error(GR_EBROKEN, "no answer"), false);
    check_retryable(gr_error_with(gr_error(GR_EBROKEN, "exit"), "kind", gr_str("ActorExit")), true);
    check_retryable(gr_error(GR_EREMOTE, "no status"), false);
    check_retryable(gr_error_with(gr_error(GR_EREMOTE, "400"), "status", gr_int(400)), false);
    check_retryable(gr_error_with(gr_error(GR_EREMOTE, "408"), "status", gr_int(408)), true);
    check_retryable(gr_error_with(gr_error(GR_EREMOTE, "529"), "status", gr_int(529)), true);
    cr_assert_not(gr_error_retryable(gr_int(1)));
    cr_assert_not(gr_error_retryable(NULL));
}

/* ---- equality -------------------------------------------------------------------------------- */

static void check_equal(gr_value *a, gr_value *b, bool want)
{
    cr_assert_eq(gr_equal(a, b), want);
    cr_assert_eq(gr_equal(b, a), want);
    cr_assert(gr_equal(a, a));
    gr_value_unref(a);
    gr_value_unref(b);
}

Test(value, equal_compares_by_content)
{
    const float x[2] = { 1, NAN }, y[2] = { 1, 2 };
    int p, q;

    check_equal(gr_int(1), gr_real(1), false);
    check_equal(gr_int(INT64_MAX), gr_int(INT64_MAX), true);
    check_equal(gr_real(NAN), gr_real(NAN), true);
    check_equal(gr_bool(true), gr_bool(false), false);
    check_equal(gr_str("a"), gr_str("a"), true);
    check_equal(gr_str("a"), gr_str("b"), false);
    check_equal(gr_str("a"), gr_bin("a", 1), false);
    check_equal(gr_list(gr_int(1)), gr_list(gr_int(1)), true);
    check_equal(gr_list(gr_int(1)), gr_list(gr_int(1), gr_int(2)), false);
    check_equal(gr_list(gr_int(1)), gr_list(gr_int(2)), false);
    check_equal(gr_map(GR_KV("a", gr_int(1)), GR_KV("b", gr_int(2))),
                gr_map(GR_KV("b", gr_int(2)), GR_KV("a", gr_int(1))), true);
    check_equal(gr_map(GR_KV("a", gr_int(1))), gr_map(GR_KV("b", gr_int(1))), false);
    check_equal(gr_map(GR_KV("a", gr_int(1))), gr_map(GR_KV("a", gr_int(2))), false);
    check_equal(gr_map(GR_KV("a", gr_int(1))), numbered(2), false);
    check_equal(gr_floats(x, 2), gr_floats(x, 2), true);
    check_equal(gr_floats(x, 2), gr_floats(y, 2), false);
    check_equal(gr_floats(x, 2), gr_floats(x, 1), false);
    check_equal(gr_ref_value((gr_ref){ 1, 2 }), gr_ref_value((gr_ref){ 1, 2 }), true);
    check_equal(gr_ref_value((gr_ref){ 1, 2 }), gr_ref_value((gr_ref){ 1, 3 }), false);
    check_equal(gr_opaque(&p, NULL), gr_opaque(&p, NULL), true);
    check_equal(gr_opaque(&p, NULL), gr_opaque(&q, NULL), false);
    check_equal(gr_error(GR_EDEAD, "x"), gr_error(GR_EDEAD, "x"), true);
    check_equal(gr_error(GR_EDEAD, "x"), gr_error(GR_EFULL, "x"), false);
    check_equal(gr_error(GR_EDEAD, "x"), gr_error(GR_EDEAD, "y"), false);
    check_equal(gr_error_with(gr_error(GR_EDEAD, "x"), "status", gr_int(1)),
                gr_error(GR_EDEAD, "x"), false);
    check_equal(gr_nil(), gr_bool(false), false);
}

/* ---- memory ---------------------------------------------------------------------------------- */

static void build_much(void)
{
    gr_value *doc = gr_map(
        GR_KV("page_content", gr_strf("%d words", 3)),
        GR_KV("metadata", gr_map(GR_KV("source", gr_str("a.md")), GR_KV("n", gr_int(INT64_MAX)))),
        GR_KV("score", gr_real(0.5)));
    gr_value *more = gr_set(gr_value_ref(doc), "id", gr_str("x"));
    gr_value *map = gr_merge(numbered(12), gr_value_ref(more));
    gr_value *list = gr_append(gr_list(gr_value_ref(doc), gr_bin("ab", 2)), map);
    gr_value *err = gr_error_with(gr_error(GR_EFULL, "%s", "no room"), "where", gr_str("here"));

    err = gr_error_with(gr_value_ref(err), "cause", err);
    list = gr_append(list, gr_without(gr_value_ref(more), "score"));
    list = gr_add(list, gr_list(gr_error_with(err, "detail", gr_value_ref(list)), doc));
    gr_value_unref(list);
    gr_value_unref(more);
}

/* The constructors never return NULL and never leak, whichever allocation fails. */
Test(value, every_failed_allocation_is_survived_without_a_leak)
{
    long before = test_memory_live();
    long n = 1;

    for (;; n++) {
        test_memory_fail_at(n);
        build_much();
        if (!test_memory_reached())
            break;
        cr_assert_eq(test_memory_live(), before, "allocation %ld", n);
        test_memory_fail_from(n);
        build_much();
        cr_assert(test_memory_reached());
        cr_assert_eq(test_memory_live(), before, "allocations from %ld", n);
    }
    cr_assert_gt(n, 30);
}

static void *share(void *arg)
{
    for (int i = 0; i < 20000; i++) {
        gr_value *v = gr_value_ref(arg);
        gr_value *w = gr_set(gr_value_ref(v), "mine", gr_int(i));

        gr_value_unref(w);
        gr_value_unref(v);
    }
    return NULL;
}

Test(value, threads_share_values_freely)
{
    long before = test_memory_live();
    gr_value *v = numbered(5);
    pthread_t thread[2];

    for (int i = 0; i < 2; i++)
        cr_assert_eq(pthread_create(&thread[i], NULL, share, v), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(thread[i], NULL);
    check_numbered(v, 5, -1);
    gr_value_unref(v);
    cr_assert_eq(test_memory_live(), before);
}
