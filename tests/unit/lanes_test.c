/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lanes_test.c - long frames go in parts and are put together again; what is quick overtakes them,
 * what belongs together does not.
 */
#include "tests/support/test.h"

#include <string.h>

#include <greenroom/codec.h>

#include "runtime/net/lanes.h"
#include "runtime/net/parts.h"
#include "tests/support/memory.h"

/* What comes out at the other end: the numbers that the frames begin with. */
struct far_end {
    struct gri_parts parts;
    int64_t got[512];
    unsigned count;
    size_t longest; /* frame on the wire */
    size_t bytes;
};

/* frame_of makes a reply to call id, of a binary value that is so long. */
static struct gri_strbuf frame_of(uint64_t id, size_t size)
{
    struct gri_strbuf b = GRI_STRBUF_INIT;
    char *bytes = calloc(1, size + 1);
    gr_value *v = gr_bin(bytes, size);

    cr_assert_eq(gri_frame_value(&b, GRI_FRAME_REPLY, id, v, NULL), GR_OK);
    gr_value_unref(v);
    free(bytes);
    return b;
}

static void put(struct gri_lanes *l, uint64_t id, size_t size, uint64_t key)
{
    struct gri_strbuf b = frame_of(id, size);

    cr_assert_eq(gri_lanes_put(l, &b, key), GR_OK);
    gri_strbuf_fini(&b);
}

static void take_frame(struct far_end *e, const void *body, size_t size)
{
    const struct gri_strbuf *whole = NULL;
    struct gri_frame f;
    gr_value *err = NULL;

    cr_assert_eq(gri_frame_parse(body, size, &f, &err), GR_OK, "%s", gr_error_text(err));
    if (f.type != GRI_FRAME_PART) {
        e->got[e->count++] = (int64_t)f.id;
        return;
    }
    cr_assert_eq(gri_parts_add(&e->parts, &f, &whole), GR_OK);
    if (whole == NULL)
        return;
    take_frame(e, whole->data, whole->len);
    gri_parts_clear(&e->parts, f.id);
}

/* one_turn sends a turn over; false: nothing waits. */
static bool one_turn(struct gri_lanes *l, struct far_end *e)
{
    struct gri_slice slices[GRI_SLICES];
    struct gri_strbuf all = GRI_STRBUF_INIT;
    unsigned count = gri_lanes_next(l, slices);
    size_t at = 0;

    cr_assert_eq(gri_lanes_next(l, slices), count, "asking again changes nothing");
    for (unsigned i = 0; i < count; i++)
        gri_strbuf_add(&all, slices[i].data, slices[i].size);
    if (count > 0)
        gri_lanes_sent(l);
    cr_assert_leq(all.len, GRI_WHOLE_MAX + 2 * GRI_PART_HEAD_MAX + GRI_WHOLE_MAX);
    while (at < all.len) {
        const uint8_t *p = (const uint8_t *)all.data + at;
        size_t size = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];

        cr_assert_leq(size, GRI_WHOLE_MAX);
        e->longest = size > e->longest ? size : e->longest;
        take_frame(e, p + GRI_FRAME_HEAD, size);
        at += GRI_FRAME_HEAD + size;
    }
    e->bytes += all.len;
    gri_strbuf_fini(&all);
    return count > 0;
}

static void all_turns(struct gri_lanes *l, struct far_end *e)
{
    while (one_turn(l, e))
        continue;
    cr_assert_eq(l->waiting, 0);
}

static int where(const struct far_end *e, int64_t id)
{
    for (unsigned i = 0; i < e->count; i++)
        if (e->got[i] == id)
            return (int)i;
    return -1;
}

static void done(struct gri_lanes *l, struct far_end *e)
{
    gri_lanes_fini(l);
    gri_parts_fini(&e->parts);
}

Test(lanes, short_frames_keep_their_order)
{
    struct gri_lanes l;
    struct far_end e = { .count = 0 };

    gri_lanes_init(&l);
    for (uint64_t i = 1; i <= 500; i++)
        put(&l, i, i * 7 % 3000, i % 3);
    all_turns(&l, &e);
    cr_assert_eq(e.count, 500);
    for (unsigned i = 0; i < 500; i++)
        cr_assert_eq(e.got[i], i + 1);
    done(&l, &e);
}

Test(lanes, a_short_frame_waits_for_one_turn_of_a_long_one)
{
    struct gri_lanes l;
    struct far_end e = { .count = 0 };

    gri_lanes_init(&l);
    put(&l, 1, 10u << 20, 1);
    one_turn(&l, &e);
    put(&l, 2, 10, 2);
    e.bytes = 0;
    one_turn(&l, &e);
    cr_assert_eq(where(&e, 2), 0);
    cr_assert_leq(e.bytes, GRI_WHOLE_MAX + 64);
    all_turns(&l, &e);
    cr_assert_eq(where(&e, 1), 1);
    done(&l, &e);
}

Test(lanes, what_has_the_same_key_does_not_overtake)
{
    struct gri_lanes l;
    struct far_end e = { .count = 0 };

    gri_lanes_init(&l);
    put(&l, 1, 1u << 20, 7);
    put(&l, 2, 10, 7);
    put(&l, 3, 200000, 7);
    put(&l, 4, 10, 7);
    put(&l, 5, 10, 8);
    all_turns(&l, &e);
    cr_assert_eq(where(&e, 5), 0);
    cr_assert_eq(where(&e, 1), 1);
    cr_assert_eq(where(&e, 2), 2);
    cr_assert_eq(where(&e, 3), 3);
    cr_assert_eq(where(&e, 4), 4);
    done(&l, &e);
}

/* What is quick may have to wait as well, and a long frame must not be faster then. */
Test(lanes, a_long_frame_does_not_overtake_what_came_before)
{
    struct gri_lanes l;
    struct far_end e = { .count = 0 };

    gri_lanes_init(&l);
    for (uint64_t i = 1; i <= 10; i++)
        put(&l, i, 40000, 0);
    put(&l, 11, 10, 7);
    put(&l, 12, 70000, 7);
    put(&l, 13, 10, 7);
    all_turns(&l, &e);
    cr_assert_eq(e.count, 13);
    cr_assert_lt(where(&e, 11), where(&e, 12));
    cr_assert_lt(where(&e, 12), where(&e, 13));
    done(&l, &e);
}

/* A train remembers few keys; with more it takes everything along rather than let something overtake. */
Test(lanes, more_keys_than_are_remembered_are_kept_in_order_as_well)
{
    struct gri_lanes l;
    struct far_end e = { .count = 0 };

    gri_lanes_init(&l);
    for (uint64_t i = 1; i < GRI_TRAINS_MAX; i++)
        put(&l, i, 100000, i);
    for (uint64_t i = 0; i < 100; i++)
        put(&l, 200 + i, 100000, 1000 + i); /* there are no more trains: aboard the last one */
    for (uint64_t i = 0; i < 100; i++)
        put(&l, 300 + i, 10, 1000 + i);
    all_turns(&l, &e);
    cr_assert_eq(e.count, GRI_TRAINS_MAX - 1 + 200);
    for (int64_t i = 0; i < 100; i++)
        cr_assert_gt(where(&e, 300 + i), where(&e, 200 + i), "%lld", (long long)i);
    done(&l, &e);
}

Test(lanes, long_frames_take_turns_and_no_more_than_four_at_a_time)
{
    struct gri_lanes l;
    struct far_end e = { .count = 0 };
    unsigned open, most = 0;

    gri_lanes_init(&l);
    for (uint64_t i = 1; i <= 9; i++)
        put(&l, i, i == 6 ? 100000 : 1u << 20, i);
    while (one_turn(&l, &e)) {
        open = 0;
        for (unsigned i = 0; i < GRI_PARTS_MAX; i++)
            open += e.parts.slots[i].total != 0;
        most = open > most ? open : most;
    }
    cr_assert_eq(most, GRI_PARTS_MAX);
    cr_assert_eq(e.count, 9);
    cr_assert_eq(where(&e, 6), 4, "a shorter one that begins with longer ones ends first");
    done(&l, &e);
}

Test(lanes, moving_takes_everything_along)
{
    struct gri_lanes l, from;
    struct far_end e = { .count = 0 };

    gri_lanes_init(&l);
    gri_lanes_init(&from);
    put(&l, 1, 1u << 20, 1);
    one_turn(&l, &e);
    for (uint64_t i = 2; i < 8; i++)
        put(&from, i, i % 2 == 0 ? 300000 : 10, i / 2);
    cr_assert_eq(gri_lanes_move(&l, &from), GR_OK);
    cr_assert_eq(from.waiting, 0);
    all_turns(&l, &e);
    cr_assert_eq(e.count, 7);
    cr_assert_gt(where(&e, 3), where(&e, 2));
    done(&l, &e);
    gri_lanes_fini(&from);
}

Test(lanes, no_memory_leaves_them_as_they_were)
{
    struct gri_lanes l;
    struct gri_strbuf small = frame_of(1, 10), large = frame_of(2, 100000);
    long before = test_memory_live();

    gri_lanes_init(&l);
    test_memory_fail_at(1);
    cr_assert_eq(gri_lanes_put(&l, &small, 1), GR_ENOMEM);
    test_memory_fail_at(1);
    cr_assert_eq(gri_lanes_put(&l, &large, 1), GR_ENOMEM);
    test_memory_fail_at(0);
    cr_assert_eq(test_memory_live(), before);
    cr_assert_eq(l.waiting, 0);
    cr_assert_eq(gri_lanes_put(&l, &large, 1), GR_OK);
    gri_strbuf_fini(&small);
    gri_lanes_fini(&l);
}

/* A call that streams for long may keep its train from ever being empty, and what was sent must not be
 * kept for as long. */
Test(lanes, a_train_that_never_ends_takes_no_more_and_more_memory)
{
    struct gri_lanes l;
    struct far_end e = { .count = 0 };
    long asked = 0;

    gri_lanes_init(&l);
    for (uint64_t i = 1; i <= 400; i++) {
        struct gri_strbuf b = frame_of(i, 100000);
        long before = test_memory_bytes();

        cr_assert_eq(gri_lanes_put(&l, &b, 7), GR_OK);
        asked += test_memory_bytes() - before;
        gri_strbuf_fini(&b);
        while (l.waiting > 110000)
            one_turn(&l, &e);
    }
    cr_assert_lt(asked, 4000000, "%ld bytes for 40 MB that passed through", asked);
    all_turns(&l, &e);
    cr_assert_eq(e.count, 400);
    for (unsigned i = 0; i < 400; i++)
        cr_assert_eq(e.got[i], i + 1);
    done(&l, &e);
}

/* What has no train of its own any more goes aboard one that may be about to depart. */
Test(lanes, what_goes_aboard_another_train_does_not_overtake_what_is_quick)
{
    struct gri_lanes l;
    struct far_end e = { .count = 0 };

    gri_lanes_init(&l);
    for (uint64_t i = 1; i <= GRI_TRAINS_MAX; i++)
        put(&l, i, 70000, i);
    for (uint64_t i = 0; i < 400; i++)
        put(&l, 1000, 60000, 0);
    put(&l, 2000, 10, 500);
    put(&l, 2001, 70000, 500);
    put(&l, 2002, 10, 500);
    all_turns(&l, &e);
    cr_assert_lt(where(&e, 2000), where(&e, 2001));
    cr_assert_lt(where(&e, 2001), where(&e, 2002));
    done(&l, &e);
}

/* A train of which it is not known what is aboard may have departed by then. */
Test(lanes, what_goes_aboard_a_train_that_takes_everything_does_not_overtake_either)
{
    struct gri_lanes l;
    struct far_end e = { .count = 0 };
    uint64_t id = 3000;

    gri_lanes_init(&l);
    for (uint64_t i = 1; i <= GRI_TRAINS_MAX; i++)
        put(&l, i, 66000, i);
    for (uint64_t i = 0; i < 420; i++)
        put(&l, 1000, 60000, 0);
    put(&l, 2000, 10, 500);
    for (uint64_t i = 0; i < 17; i++)
        put(&l, id++, 66000, 600 + i);
    while (where(&e, 3005) < 0)
        one_turn(&l, &e);
    put(&l, 2001, 10, 500);
    all_turns(&l, &e);
    cr_assert_lt(where(&e, 2000), where(&e, 2001));
    done(&l, &e);
}

/* Two links may have as many trains as one may together, and more. */
Test(lanes, moving_leaves_the_bound_of_trains)
{
    struct gri_lanes l, from;
    struct far_end e = { .count = 0 };

    gri_lanes_init(&l);
    gri_lanes_init(&from);
    for (uint64_t i = 1; i <= 50; i++) {
        put(&l, i, 66000, i);
        put(&from, 100 + i, 66000, 100 + i);
    }
    cr_assert_eq(gri_lanes_move(&l, &from), GR_OK);
    for (uint64_t i = 1; i <= 50; i++)
        put(&l, 200 + i, 66000, 200 + i);
    cr_assert_leq(l.train_count, 100, "a long frame beyond goes aboard the last one");
    all_turns(&l, &e);
    cr_assert_eq(e.count, 150);
    done(&l, &e);
    gri_lanes_fini(&from);
}

/* ---- parts ----------------------------------------------------------------------------------- */

static gr_code part(struct gri_parts *p, uint64_t slot, uint64_t left, size_t size)
{
    static const uint8_t bytes[1000];
    struct gri_frame f = { .id = slot, .number = left, .value = bytes, .value_size = size };
    const struct gri_strbuf *whole;

    return gri_parts_add(p, &f, &whole);
}

Test(parts, what_does_not_fit_is_refused)
{
    struct gri_parts p = { .slots[0].total = 0 };

    cr_assert_eq(part(&p, GRI_PARTS_MAX, 10, 10), GR_EPROTO);
    cr_assert_eq(part(&p, 0, 10, 0), GR_EPROTO);
    cr_assert_eq(part(&p, 0, GRI_FRAME_MAX, 1), GR_EPROTO);
    cr_assert_eq(part(&p, 0, UINT64_MAX, 1), GR_EPROTO);
    cr_assert_eq(part(&p, 0, GRI_FRAME_MAX - 10, 10), GR_OK);
    cr_assert_leq(p.slots[0].data.cap, 4096, "memory is for what has come");
    cr_assert_eq(part(&p, 0, GRI_FRAME_MAX - 10, 10), GR_EPROTO);
    cr_assert_eq(part(&p, 0, GRI_FRAME_MAX - 21, 10), GR_EPROTO);
    cr_assert_eq(part(&p, 0, GRI_FRAME_MAX - 20, 10), GR_OK);
    cr_assert_eq(part(&p, 1, 0, 10), GR_OK);
    gri_parts_fini(&p);
}

static void put_tell(struct gri_lanes *l, size_t size)
{
    struct gri_strbuf b = GRI_STRBUF_INIT;
    char *text = calloc(1, size + 1);
    gr_value *v = gr_bin(text, size);

    cr_assert_eq(gri_frame_tell(&b, "name", v), GR_OK);
    cr_assert_eq(gri_lanes_put(l, &b, 3), GR_OK);
    gri_strbuf_fini(&b);
    gr_value_unref(v);
    free(text);
}

Test(lanes, what_waits_is_counted_by_its_type)
{
    struct gri_lanes l;
    struct far_end e = { .count = 0 };

    gri_lanes_init(&l);
    put_tell(&l, 10);
    put(&l, 1, 100, 1);
    put_tell(&l, 300000); /* a train, which has the next one aboard */
    put_tell(&l, 20);
    put(&l, 2, 300000, 2);
    cr_assert_eq(gri_lanes_count(&l, GRI_FRAME_TELL), 3);
    cr_assert_eq(gri_lanes_count(&l, GRI_FRAME_REPLY), 2);
    one_turn(&l, &e); /* what is quick has gone */
    cr_assert_eq(gri_lanes_count(&l, GRI_FRAME_TELL), 2);
    one_turn(&l, &e); /* and some of the long message */
    cr_assert_eq(gri_lanes_count(&l, GRI_FRAME_TELL), 1);
    cr_assert_eq(gri_lanes_count(&l, GRI_FRAME_CHUNK), 0);
    all_turns(&l, &e);
    cr_assert_eq(gri_lanes_count(&l, GRI_FRAME_TELL), 0);
    done(&l, &e);
}
