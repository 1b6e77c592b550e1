/* SPDX-License-Identifier: Apache-2.0 */
/* hash_vector.h - a text as a vector of hashed words and character n-grams. */
#ifndef GR_ACTORS_EMBED_HASH_VECTOR_H
#define GR_ACTORS_EMBED_HASH_VECTOR_H

#include <stddef.h>

#include <greenroom/base.h>

#define GRI_HASH_DIM_MAX 65536

/*
 * gri_hash_vector writes text's vector to x[dim], length 1, or zeros for a text without words. All
 * sums are in integers, so that the result does not depend on the machine. GR_ENOMEM.
 */
gr_code gri_hash_vector(const char *text, size_t len, size_t dim, float *x);

#endif
