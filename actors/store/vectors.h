/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vectors.h - rows of unit vectors in one block of memory, and the search for the nearest of them.
 *
 * Rows keep the order in which they were added. Not thread-safe.
 */
#ifndef GR_ACTORS_STORE_VECTORS_H
#define GR_ACTORS_STORE_VECTORS_H

#include <stdbool.h>
#include <stddef.h>

#include <greenroom/base.h>

struct gri_vectors {
    float *data;       /* owned: rows of `stride` floats, the last ones of each row zero */
    size_t dim;        /* 0 until the first row */
    size_t stride;     /* dim rounded up, so that every row is aligned */
    size_t count, cap; /* rows */
};

struct gri_hit {
    double score;
    size_t row;
};

/* The best k hits so far: a heap with the worst at its root. */
struct gri_top {
    struct gri_hit *hits; /* owned */
    size_t k, count;
};

void gri_vectors_fini(struct gri_vectors *v);
/* gri_vectors_fits: GR_EINVAL for another dimension than the rows', none at all, NaN or
 * infinity. */
gr_code gri_vectors_fits(const struct gri_vectors *v, const float *x, size_t dim);
/* gri_vectors_reserve makes room for more rows of dim floats. Only then may _add and _put be
 * called. */
gr_code gri_vectors_reserve(struct gri_vectors *v, size_t dim, size_t more);
void gri_vectors_add(struct gri_vectors *v, const float *x);
void gri_vectors_put(struct gri_vectors *v, size_t row, const float *x);
void gri_vectors_move(struct gri_vectors *v, size_t to, size_t from); /* copies a row */

gr_code gri_top_init(struct gri_top *t, size_t k);
void gri_top_fini(struct gri_top *t);
/* gri_top_wants tells whether a hit would be kept; equal scores: the later row is better. */
bool gri_top_wants(const struct gri_top *t, double score, size_t row);
void gri_top_add(struct gri_top *t, double score, size_t row);
void gri_top_sort(struct gri_top *t); /* best first; add nothing afterwards */

/* gri_vectors_unit writes x, scaled to length 1 and padded, to the query[stride] of a search. */
void gri_vectors_unit(const float *x, size_t dim, size_t stride, float *ret_unit);
/* gri_vectors_score is the cosine of the query and a row. */
double gri_vectors_score(const struct gri_vectors *v, size_t row, const float *query);
size_t gri_vectors_stride(size_t dim);

#endif
