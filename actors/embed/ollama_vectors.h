/* SPDX-License-Identifier: Apache-2.0 */
/* ollama_vectors.h - the vectors in an answer of /api/embed. */
#ifndef GR_ACTORS_EMBED_OLLAMA_VECTORS_H
#define GR_ACTORS_EMBED_OLLAMA_VECTORS_H

#include <greenroom/value.h>

/* gri_ollama_vectors reads count vectors, which come in the order of the texts. A server's error on a 200 is
 * raised; GR_EPROTO, saying which, for a vector that is missing or can't be read. */
gr_value *gri_ollama_vectors(const gr_value *json, size_t count);

#endif
