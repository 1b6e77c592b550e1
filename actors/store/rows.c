/* SPDX-License-Identifier: Apache-2.0 */
/* rows.c - documents beside their vectors: put, delete, scan. */
#include "actors/store/rows.h"

#include <stdint.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"

void gri_rows_init(struct gri_rows *r, uint64_t seed)
{
    *r = (struct gri_rows){ .rows = NULL };
    gri_map_init(&r->by_id, seed);
}

void gri_rows_fini(struct gri_rows *r)
{
    for (size_t i = 0; i < r->vectors.count; i++) {
        gri_free(r->rows[i].id);
        gr_value_unref(r->rows[i].document);
    }
    gri_free(r->rows);
    gri_vectors_fini(&r->vectors);
    gri_map_fini(&r->by_id);
}

static void *row_to_pointer(size_t row)
{
    return (void *)(uintptr_t)(row + 1);
}

size_t gri_rows_find(const struct gri_rows *r, const char *id)
{
    void *found = gri_map_gets(&r->by_id, id);

    return found == NULL ? SIZE_MAX : (size_t)(uintptr_t)found - 1;
}

static gr_code fail(gr_value **reterr, gr_value *err)
{
    *reterr = err;
    return gr_error_code(err);
}

static gr_code check_put(const struct gri_rows *r, const float *x, size_t dim, gr_value **reterr)
{
    if (r->vectors.dim != 0 && dim != r->vectors.dim)
        return fail(reterr, gr_error(GR_EINVAL, "a vector of %zu dimensions in a store of %zu", dim,
                                     r->vectors.dim));
    if (gri_vectors_fits(&r->vectors, x, dim) != GR_OK)
        return fail(reterr, gr_error(GR_EINVAL, dim == 0 ? "an empty vector"
                                                         : "a vector with NaN or infinity"));
    return GR_OK;
}

/* reserve_row makes room for one more row here and in the matrix. */
static gr_code reserve_row(struct gri_rows *r, size_t dim)
{
    if (r->vectors.count == r->cap) {
        size_t cap = r->cap == 0 ? 16 : r->cap * 2;
        struct gri_row *rows = gri_resize(r->rows, cap * sizeof(*rows));

        if (rows == NULL)
            return GR_ENOMEM;
        r->rows = rows;
        r->cap = cap;
    }
    return gri_vectors_reserve(&r->vectors, dim, 1);
}

gr_code gri_rows_put(struct gri_rows *r, const gr_value *document, const float *x, size_t dim,
                     gr_value **reterr)
{
    const char *id = gr_cstr(gr_get(document, "id"), "");
    size_t row = gri_rows_find(r, id);
    char *copy = NULL;
    gr_code rc = check_put(r, x, dim, reterr);

    if (rc != GR_OK)
        return rc;
    if (row != SIZE_MAX) {
        gr_value_unref(r->rows[row].document);
        r->rows[row].document = gr_value_ref(document);
        gri_vectors_put(&r->vectors, row, x);
        return GR_OK;
    }
    if (r->vectors.count >= GRI_ROWS_MAX)
        return fail(reterr,
                    gr_error(GR_EFULL, "a store of %zu documents is full", (size_t)GRI_ROWS_MAX));
    copy = gri_strdup(id);
    if (copy == NULL || reserve_row(r, dim) != GR_OK ||
        !gri_map_puts(&r->by_id, id, row_to_pointer(r->vectors.count))) {
        gri_free(copy);
        return fail(reterr,
                    gr_error(GR_ENOMEM, "out of memory for document %zu", r->vectors.count + 1));
    }
    r->rows[r->vectors.count] = (struct gri_row){ copy, gr_value_ref(document) };
    gri_vectors_add(&r->vectors, x);
    return GR_OK;
}

static void forget_row(struct gri_rows *r, size_t row)
{
    gri_map_dels(&r->by_id, r->rows[row].id);
    gri_free(r->rows[row].id);
    gr_value_unref(r->rows[row].document);
    r->rows[row] = (struct gri_row){ .id = NULL };
}

/* Rows keep their order, so that of equal scores the later document stays the later one. */
gr_code gri_rows_delete(struct gri_rows *r, const gr_value *ids)
{
    size_t kept = 0;

    for (size_t i = 0; ids == NULL && i < r->vectors.count; i++)
        forget_row(r, i);
    for (size_t i = 0; i < gr_len(ids); i++) {
        size_t row = gri_rows_find(r, gr_cstr(gr_at(ids, i), ""));

        if (row != SIZE_MAX)
            forget_row(r, row);
    }
    for (size_t i = 0; i < r->vectors.count; i++) {
        if (r->rows[i].id == NULL)
            continue;
        if (kept != i) {
            r->rows[kept] = r->rows[i];
            gri_vectors_move(&r->vectors, kept, i);
            /* The id is in the map already: this only changes its value, which needs no memory. */
            gri_check(gri_map_puts(&r->by_id, r->rows[kept].id, row_to_pointer(kept)));
        }
        kept++;
    }
    if (kept != r->vectors.count)
        r->removals++;
    r->vectors.count = kept;
    if (kept == 0) /* an empty store takes any dimension again */
        gri_vectors_fini(&r->vectors);
    return GR_OK;
}

static bool same(const gr_value *want, const gr_value *have)
{
    gr_type a = gr_value_type(want), b = gr_value_type(have);

    if (a == GR_NIL || b == GR_NIL)
        return a == b;
    if ((a == GR_INT || a == GR_REAL) && (b == GR_INT || b == GR_REAL) && a != b)
        return !(gr_as_real(want, 0) < gr_as_real(have, 0)) &&
               !(gr_as_real(want, 0) > gr_as_real(have, 0));
    return gr_equal(want, have);
}

bool gri_filter_matches(const gr_value *filter, const gr_value *metadata)
{
    const char *key = NULL;
    const gr_value *want;

    for (size_t i = 0; (want = gr_pair_at(filter, i, &key)) != NULL; i++) {
        const gr_value *have = gr_get(metadata, key);
        bool any = false;

        if (gr_value_type(want) != GR_LIST && !same(want, have))
            return false;
        if (gr_value_type(want) != GR_LIST)
            continue;
        for (size_t n = 0; n < gr_len(want) && !any; n++)
            any = same(gr_at(want, n), have);
        if (!any)
            return false;
    }
    return true;
}

void gri_rows_scan(const struct gri_rows *r, const float *unit, const gr_value *filter, size_t from,
                   size_t to, struct gri_top *top)
{
    for (size_t i = from; i < to; i++) {
        double score = gri_vectors_score(&r->vectors, i, unit);

        /* The filter is asked last: it costs more than the score. */
        if (gri_top_wants(top, score, i) &&
            gri_filter_matches(filter, gr_get(r->rows[i].document, "metadata")))
            gri_top_add(top, score, i);
    }
}

gr_value *gri_rows_hits(const struct gri_rows *r, const struct gri_top *top, bool with_score)
{
    gr_value *list = gr_list_n(NULL, 0);

    for (size_t i = 0; i < top->count; i++) {
        gr_value *v = gr_value_ref(r->rows[top->hits[i].row].document);

        if (with_score)
            v = gr_list(v, gr_real(top->hits[i].score));
        list = gr_append(list, v);
    }
    return list;
}
