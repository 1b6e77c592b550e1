/* SPDX-License-Identifier: Apache-2.0 */
/* openai_embeddings.c - gr_openai_embeddings: OpenAI's servers, and those like them. */
#include <string.h>

#include "actors/embed/embedder.h"
#include "actors/embed/openai_vectors.h"
#include "actors/model/openai_wire.h"

static gr_value *body_of(const gr_embeddings_opts *o, const char *model)
{
    const char *encoding = o->encoding != NULL ? o->encoding : "base64";
    gr_value *body;

    if (strcmp(encoding, "base64") != 0 && strcmp(encoding, "float") != 0)
        return gr_error(GR_EINVAL, "encoding is \"base64\" or \"float\", not \"%.20s\"", encoding);
    body = gr_map(GR_KV("model", gr_str(model)), GR_KV("encoding_format", gr_str(encoding)));
    return o->dimensions != 0 ? gr_set(body, "dimensions", gr_int((int64_t)o->dimensions)) : body;
}

const struct gri_embedder gri_openai_embedder = {
    .name = "openai",
    .title = "OpenAIEmbeddings",
    .address = GRI_OPENAI_ADDRESS("/embeddings"),
    .reader = { .answer = gri_openai_vectors, .refusal = gri_openai_refusal },
    .batch_max = 2048,
    .body = body_of,
};

gr_ref gr_openai_embeddings(gr_scope *in, const gr_embeddings_opts *opts)
{
    return gri_embedder_spawn(in, &gri_openai_embedder, opts != NULL ? opts->model : NULL, opts);
}
