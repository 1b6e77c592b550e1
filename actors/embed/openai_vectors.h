/* SPDX-License-Identifier: Apache-2.0 */
/* openai_vectors.h - the vectors in an answer of /embeddings. */
#ifndef GR_ACTORS_EMBED_OPENAI_VECTORS_H
#define GR_ACTORS_EMBED_OPENAI_VECTORS_H

#include <greenroom/value.h>

/*
 * gri_openai_vectors reads count vectors, given as lists of numbers or in base64, and puts them
 * in the order of their index. GR_EPROTO, saying which, for one that is missing, twice or can't
 * be read.
 */
gr_value *gri_openai_vectors(const gr_value *json, size_t count);

/* gri_vector reads one, a list of numbers or base64: floats, NULL for what is no vector, or an error value
 * (GR_ENOMEM). */
gr_value *gri_vector(const gr_value *embedding);

#endif
