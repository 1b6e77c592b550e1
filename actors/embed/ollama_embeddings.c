/* SPDX-License-Identifier: Apache-2.0 */
/* ollama_embeddings.c - gr_ollama_embeddings: Ollama's own API, /api/embed. */
#include "actors/embed/embedder.h"
#include "actors/embed/ollama_vectors.h"
#include "actors/embed/openai_vectors.h"
#include "actors/model/ollama_wire.h"
#include "actors/model/openai_wire.h"

static gr_value *body_of(const gr_embeddings_opts *o, const char *model)
{
    gr_value *body = gr_map(GR_KV("model", gr_str(model)));

    return o->dimensions != 0 ? gr_set(body, "dimensions", gr_int((int64_t)o->dimensions)) : body;
}

/* list_of finds the vectors. Servers before /api/embed had one of a single text, as some mocks have. */
static gr_value *list_of(const gr_value *json)
{
    const gr_value *many = gr_get(json, "embeddings"), *one = gr_get(json, "embedding");

    if (gr_value_type(many) == GR_LIST)
        return gr_value_ref(many);
    return gr_value_type(one) == GR_LIST ? gr_list(gr_value_ref(one)) : gr_list_n(NULL, 0);
}

gr_value *gri_ollama_vectors(const gr_value *json, size_t count)
{
    gr_value *list, *out;

    if (!gr_is_nil(gr_get(json, "error")))
        return gri_openai_error_of(200, gr_get(json, "error"), -1);
    list = list_of(json);
    if (gr_error_code(list) == GR_OK && gr_len(list) != count)
        out =
            gr_error(GR_EPROTO, "the answer has %zu embeddings for %zu texts", gr_len(list), count);
    else
        out = gr_list_n(NULL, 0);
    for (size_t i = 0; i < count && gr_error_code(out) == GR_OK; i++) {
        gr_value *v = gri_vector(gr_at(list, i));

        if (v != NULL && gr_error_code(v) == GR_OK) {
            out = gr_append(out, v);
            continue;
        }
        gr_value_unref(out);
        out = v != NULL ? v : gr_error(GR_EPROTO, "embeddings[%zu] is no vector", i);
    }
    gr_value_unref(list);
    return out;
}

const struct gri_embedder gri_ollama_embedder = {
    .name = "ollama",
    .title = "OllamaEmbeddings",
    .address = { .url_env = "OLLAMA_HOST",
                 .url_default = GRI_OLLAMA_URL,
                 .url_read = gri_ollama_url,
                 .path = "/api/embed",
                 .key_env = "OLLAMA_API_KEY" },
    .reader = { .answer = gri_ollama_vectors, .refusal = gri_openai_refusal },
    .batch_max = 512,
    .body = body_of,
};

gr_ref gr_ollama_embeddings(gr_scope *in, const gr_embeddings_opts *opts)
{
    return gri_embedder_spawn(in, &gri_ollama_embedder, opts != NULL ? opts->model : NULL, opts);
}
