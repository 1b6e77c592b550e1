/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rows.h - a memory store's documents and their vectors, without the actor.
 *
 * rows[i] belongs to row i of the matrix. Not thread-safe.
 */
#ifndef GR_ACTORS_STORE_ROWS_H
#define GR_ACTORS_STORE_ROWS_H

#include <greenroom/value.h>

#include "actors/store/vectors.h"
#include "runtime/base/map.h"

#define GRI_ROWS_MAX ((size_t)4 << 20)

struct gri_row {
    char *id;           /* owned; the map holds its own copy */
    gr_value *document; /* counted; has its id */
};

struct gri_rows {
    struct gri_vectors vectors;
    struct gri_row *rows; /* owned; as many as the matrix has */
    size_t cap;
    struct gri_map by_id; /* id -> row + 1, as a pointer */
    uint64_t removals;    /* changes whenever rows move */
};

void gri_rows_init(struct gri_rows *r, uint64_t seed);
void gri_rows_fini(struct gri_rows *r);
/* gri_rows_find returns the row of an id, or SIZE_MAX. */
size_t gri_rows_find(const struct gri_rows *r, const char *id);
/*
 * gri_rows_put stores a document (borrowed, with a string "id") under its id, replacing what is
 * there.
 * *reterr: GR_EINVAL another dimension, not finite; GR_EFULL; GR_ENOMEM.
 */
gr_code gri_rows_put(struct gri_rows *r, const gr_value *document, const float *x, size_t dim,
                     gr_value **reterr);
/* gri_rows_delete forgets the ids (strings) of a list; NULL: all. GR_ENOMEM: nothing was
 * forgotten. */
gr_code gri_rows_delete(struct gri_rows *r, const gr_value *ids);
/* gri_filter_matches tells whether metadata has what filter (NULL or nil: anything) asks for. */
bool gri_filter_matches(const gr_value *filter, const gr_value *metadata);
/* gri_rows_scan adds the rows [from, to) that the filter admits to the best so far. */
void gri_rows_scan(const struct gri_rows *r, const float *unit, const gr_value *filter, size_t from,
                   size_t to, struct gri_top *top);
/* gri_rows_hits lists the sorted hits: documents, or with_score [document, score]. */
gr_value *gri_rows_hits(const struct gri_rows *r, const struct gri_top *top, bool with_score);

#endif
