/* SPDX-License-Identifier: Apache-2.0 */
/* vectors.c - the matrix, its dot products and the heap of the best. */
#include "actors/store/vectors.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"

/* Floats summed side by side: the compiler turns them into vector registers, without reordering
 * sums. */
enum { LANES = 16 };
#define ALIGN 64

void gri_vectors_fini(struct gri_vectors *v)
{
    gri_free_aligned(v->data);
    *v = (struct gri_vectors){ .data = NULL };
}

size_t gri_vectors_stride(size_t dim)
{
    return (dim + LANES - 1) / LANES * LANES;
}

gr_code gri_vectors_fits(const struct gri_vectors *v, const float *x, size_t dim)
{
    if (dim == 0 || (v->dim != 0 && dim != v->dim))
        return GR_EINVAL;
    for (size_t i = 0; i < dim; i++)
        if (!isfinite(x[i]))
            return GR_EINVAL;
    return GR_OK;
}

gr_code gri_vectors_reserve(struct gri_vectors *v, size_t dim, size_t more)
{
    size_t stride = gri_vectors_stride(dim), cap = v->cap, row_size = stride * sizeof(float);
    float *data;

    gri_assert(dim > 0 && (v->dim == 0 || v->dim == dim));
    if (more > SIZE_MAX / row_size / 2 - v->count)
        return GR_ENOMEM;
    if (v->count + more > cap) {
        cap = cap + cap / 2 > v->count + more ? cap + cap / 2 : v->count + more;
        data = gri_alloc_aligned(ALIGN, cap * row_size);
        if (data == NULL)
            return GR_ENOMEM;
        if (v->count > 0)
            memcpy(data, v->data, v->count * row_size);
        gri_free_aligned(v->data);
        v->data = data;
        v->cap = cap;
    }
    v->dim = dim;
    v->stride = stride;
    return GR_OK;
}

void gri_vectors_unit(const float *x, size_t dim, size_t stride, float *unit)
{
    double squares = 0, norm;

    for (size_t i = 0; i < dim; i++)
        squares += (double)x[i] * (double)x[i];
    norm = sqrt(squares);
    for (size_t i = 0; i < dim; i++)
        unit[i] = norm > 0 ? (float)((double)x[i] / norm) : 0.0f;
    for (size_t i = dim; i < stride; i++)
        unit[i] = 0.0f;
}

void gri_vectors_put(struct gri_vectors *v, size_t row, const float *x)
{
    gri_vectors_unit(x, v->dim, v->stride, v->data + row * v->stride);
}

void gri_vectors_add(struct gri_vectors *v, const float *x)
{
    gri_check(v->count < v->cap);
    gri_vectors_put(v, v->count++, x);
}

void gri_vectors_move(struct gri_vectors *v, size_t to, size_t from)
{
    if (to != from)
        memcpy(v->data + to * v->stride, v->data + from * v->stride, v->stride * sizeof(float));
}

double gri_vectors_score(const struct gri_vectors *v, size_t row, const float *query)
{
    const float *restrict a = v->data + row * v->stride;
    const float *restrict b = query;
    float sums[LANES] = { 0 };
    double sum = 0;

    for (size_t i = 0; i < v->stride; i += LANES)
        for (size_t lane = 0; lane < LANES; lane++)
            sums[lane] += a[i + lane] * b[i + lane];
    for (size_t lane = 0; lane < LANES; lane++)
        sum += (double)sums[lane];
    return sum;
}

/* worse orders hits; the same score in an earlier row is worse. */
static bool worse(struct gri_hit a, struct gri_hit b)
{
    return a.score < b.score || (!(a.score > b.score) && a.row < b.row);
}

gr_code gri_top_init(struct gri_top *t, size_t k)
{
    *t = (struct gri_top){ .k = k };
    t->hits = gri_alloc_array(k == 0 ? 1 : k, sizeof(*t->hits));
    return t->hits == NULL ? GR_ENOMEM : GR_OK;
}

void gri_top_fini(struct gri_top *t)
{
    gri_free(t->hits);
    t->hits = NULL;
}

bool gri_top_wants(const struct gri_top *t, double score, size_t row)
{
    return t->count < t->k || (t->k > 0 && worse(t->hits[0], (struct gri_hit){ score, row }));
}

static void sink(struct gri_top *t, size_t at, size_t count)
{
    for (;;) {
        size_t child = 2 * at + 1;
        struct gri_hit hit = t->hits[at];

        if (child >= count)
            return;
        if (child + 1 < count && worse(t->hits[child + 1], t->hits[child]))
            child++;
        if (!worse(t->hits[child], hit))
            return;
        t->hits[at] = t->hits[child];
        t->hits[child] = hit;
        at = child;
    }
}

void gri_top_add(struct gri_top *t, double score, size_t row)
{
    struct gri_hit hit = { score, row };
    size_t at;

    if (!gri_top_wants(t, score, row))
        return;
    if (t->count == t->k) {
        t->hits[0] = hit;
        sink(t, 0, t->count);
        return;
    }
    at = t->count++;
    t->hits[at] = hit;
    while (at > 0 && worse(t->hits[at], t->hits[(at - 1) / 2])) {
        t->hits[at] = t->hits[(at - 1) / 2];
        at = (at - 1) / 2;
        t->hits[at] = hit;
    }
}

/* Taking the worst away again and again leaves the best in front. */
void gri_top_sort(struct gri_top *t)
{
    for (size_t count = t->count; count > 1; count--) {
        struct gri_hit worst = t->hits[0];

        t->hits[0] = t->hits[count - 1];
        t->hits[count - 1] = worst;
        sink(t, 0, count - 1);
    }
}
