/* SPDX-License-Identifier: Apache-2.0 */
/* rows_test.c - the memory store's rows: order, likeness, ties, filters, deletion. */
#include "actors/store/rows.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/memory.h"
#include "tests/support/test.h"

static gr_value *doc(const char *id, int64_t year)
{
    return gr_map(GR_KV("page_content", gr_str(id)),
                  GR_KV("metadata", gr_map(GR_KV("year", gr_int(year)))), GR_KV("id", gr_str(id)));
}

static gr_code put(struct gri_rows *r, const char *id, int64_t year, float x, float y)
{
    gr_value *d = doc(id, year), *err = NULL;
    gr_code rc = gri_rows_put(r, d, (float[]){ x, y }, 2, &err);

    gr_value_unref(d);
    gr_value_unref(err);
    return rc;
}

/* nearest writes the ids of the k nearest, best first, to out. */
static void nearest(struct gri_rows *r, float x, float y, size_t k, const gr_value *filter,
                    char out[64])
{
    float unit[16];
    struct gri_top top;
    gr_value *hits;

    out[0] = '\0';
    gri_vectors_unit((float[]){ x, y }, 2, gri_vectors_stride(2), unit);
    cr_assert_eq(gri_top_init(&top, k), GR_OK);
    gri_rows_scan(r, unit, filter, 0, r->vectors.count, &top);
    gri_top_sort(&top);
    hits = gri_rows_hits(r, &top, false);
    for (size_t i = 0; i < gr_len(hits); i++)
        strcat(out, gr_cstr(gr_get(gr_at(hits, i), "id"), "?"));
    gr_value_unref(hits);
    gri_top_fini(&top);
}

static void fill(struct gri_rows *r)
{
    gri_rows_init(r, 1);
    cr_assert_eq(put(r, "a", 1, 1, 0), GR_OK);
    cr_assert_eq(put(r, "b", 2, 0, 1), GR_OK);
    cr_assert_eq(put(r, "c", 2, -1, 0), GR_OK);
    cr_assert_eq(put(r, "d", 3, 0.9f, 0.1f), GR_OK);
}

Test(rows, nearest_come_first)
{
    struct gri_rows r;
    char got[64];
    float unit[16];

    fill(&r);
    nearest(&r, 1, 0, 4, NULL, got);
    cr_assert_str_eq(got, "adbc");
    nearest(&r, 1, 0, 2, NULL, got);
    cr_assert_str_eq(got, "ad");
    gri_vectors_unit((float[]){ 1, 0 }, 2, 16, unit);
    cr_assert_float_eq(gri_vectors_score(&r.vectors, 3, unit), 0.9938837346736189, 1e-6);
    gri_rows_fini(&r);
}

Test(rows, of_equal_scores_the_later_comes_first)
{
    struct gri_rows r;
    char got[64];

    gri_rows_init(&r, 1);
    for (char id[2] = "a"; id[0] < 'i'; id[0]++)
        cr_assert_eq(put(&r, id, 1, 1, 0), GR_OK);
    nearest(&r, 1, 0, 3, NULL, got);
    cr_assert_str_eq(got, "hgf");
    gri_rows_fini(&r);
}

Test(rows, the_same_id_replaces_in_place)
{
    struct gri_rows r;
    char got[64];

    fill(&r);
    cr_assert_eq(put(&r, "a", 9, 0, -1), GR_OK);
    cr_assert_eq(r.vectors.count, 4);
    cr_assert_eq(gri_rows_find(&r, "a"), 0);
    nearest(&r, 0, -1, 1, NULL, got);
    cr_assert_str_eq(got, "a");
    gri_rows_fini(&r);
}

Test(rows, filters_admit_equal_metadata)
{
    struct gri_rows r;
    char got[64];
    gr_value *filter;

    fill(&r);
    filter = gr_map(GR_KV("year", gr_int(2)));
    nearest(&r, 1, 0, 4, filter, got);
    cr_assert_str_eq(got, "bc");
    gr_value_unref(filter);
    filter = gr_map(GR_KV("year", gr_list(gr_real(1.0), gr_int(3))));
    nearest(&r, 1, 0, 4, filter, got);
    cr_assert_str_eq(got, "ad");
    gr_value_unref(filter);
    filter = gr_map(GR_KV("lang", gr_nil()), GR_KV("year", gr_int(1)));
    nearest(&r, 1, 0, 4, filter, got);
    cr_assert_str_eq(got, "a");
    gr_value_unref(filter);
    filter = gr_map(GR_KV("lang", gr_str("en")));
    nearest(&r, 1, 0, 4, filter, got);
    cr_assert_str_eq(got, "");
    gr_value_unref(filter);
    gri_rows_fini(&r);
}

Test(rows, deletion_keeps_order_and_finds_the_rest)
{
    struct gri_rows r;
    char got[64];
    gr_value *ids = gr_list(gr_str("a"), gr_str("c"), gr_str("nobody"), gr_int(3));

    fill(&r);
    cr_assert_eq(gri_rows_delete(&r, ids), GR_OK);
    gr_value_unref(ids);
    cr_assert_eq(r.vectors.count, 2);
    cr_assert_eq(gri_rows_find(&r, "a"), SIZE_MAX);
    cr_assert_eq(gri_rows_find(&r, "b"), 0);
    cr_assert_eq(gri_rows_find(&r, "d"), 1);
    nearest(&r, 1, 0, 4, NULL, got);
    cr_assert_str_eq(got, "db");
    cr_assert_eq(gri_rows_delete(&r, NULL), GR_OK);
    cr_assert_eq(r.vectors.count, 0);
    cr_assert_eq(r.removals, 2);
    gri_rows_fini(&r);
}

Test(rows, wrong_vectors_are_refused)
{
    struct gri_rows r;
    gr_value *d = doc("x", 1), *err = NULL;

    fill(&r);
    cr_assert_eq(gri_rows_put(&r, d, (float[]){ 1, 2, 3 }, 3, &err), GR_EINVAL);
    cr_assert_str_eq(gr_error_text(err), "a vector of 3 dimensions in a store of 2");
    gr_value_unref(err);
    cr_assert_eq(gri_rows_put(&r, d, (float[]){ NAN, 1 }, 2, &err), GR_EINVAL);
    gr_value_unref(err);
    cr_assert_eq(put(&r, "zero", 1, 0, 0), GR_OK);
    cr_assert_eq(put(&r, "huge", 1, 3e38f, 3e38f), GR_OK);
    float unit[16];

    gri_vectors_unit((float[]){ 1, 1 }, 2, 16, unit);
    cr_assert_float_eq(gri_vectors_score(&r.vectors, 4, unit), 0, 0);
    cr_assert_float_eq(gri_vectors_score(&r.vectors, 5, unit), 1, 1e-6);
    gr_value_unref(d);
    gri_rows_fini(&r);
}

/* Many rows against a search that sorts everything. */
Test(rows, the_heap_keeps_the_best)
{
    struct gri_top top;
    double scores[500];
    uint32_t state = 7;

    cr_assert_eq(gri_top_init(&top, 20), GR_OK);
    for (size_t i = 0; i < 500; i++) {
        state = state * 1664525u + 1013904223u;
        scores[i] = (double)(state >> 24); /* many ties */
        gri_top_add(&top, scores[i], i);
    }
    gri_top_sort(&top);
    cr_assert_eq(top.count, 20);
    for (size_t n = 0; n < 20; n++) {
        size_t better = 0, row = top.hits[n].row;

        for (size_t i = 0; i < 500; i++)
            better += scores[i] > scores[row] || (!(scores[i] < scores[row]) && i > row);
        cr_assert_eq(better, n);
    }
    gri_top_fini(&top);
}

Test(rows, no_allocation_is_trusted)
{
    long before = test_memory_live();
    bool more = true;

    for (long n = 1; more; n++) {
        struct gri_rows r;
        char id[16];

        gri_rows_init(&r, 1);
        test_memory_fail_at(n);
        for (int i = 0; i < 40; i++) {
            snprintf(id, sizeof(id), "%d", i);
            put(&r, id, 1, 1, (float)i);
        }
        gri_rows_delete(&r, NULL);
        more = test_memory_reached();
        cr_assert_eq(r.vectors.count, 0);
        gri_rows_fini(&r);
        cr_assert_eq(test_memory_live(), before, "after allocation %ld", n);
    }
}
