/* SPDX-License-Identifier: Apache-2.0 */
/* init_embeddings.c - gr_init_embeddings: an embedder by its name. */
#include <stdlib.h>
#include <string.h>

#include "actors/embed/embedder.h"

static const struct gri_embedder *const embedders[] = { &gri_openai_embedder,
                                                        &gri_ollama_embedder };

/* rest_of gives what is behind "name:"; NULL: name is not the provider. */
static const char *rest_of(const char *model, const char *name)
{
    size_t len = strlen(name);

    return strncmp(model, name, len) == 0 && model[len] == ':' ? model + len + 1 : NULL;
}

/* hashed makes the embedder "hash:384", or "hash". */
static gr_ref hashed(gr_scope *in, const char *dim, const gr_embeddings_opts *opts)
{
    char *end = NULL;
    unsigned long n = dim[0] >= '0' && dim[0] <= '9' ? strtoul(dim, &end, 10) : 0;

    if (opts != NULL)
        gr_value_unref(opts->extra); /* there is no request to lay it over */
    if (dim[0] != '\0' && (end == NULL || *end != '\0' || n == 0 || n > 65536))
        return gri_embedder_broken(in,
                                   gr_error(GR_EINVAL, "hash:%.20s: 1 to 65536 dimensions", dim));
    return gr_hash_embeddings(in, n != 0 ? (unsigned)n : opts != NULL ? opts->dimensions : 0);
}

gr_ref gr_init_embeddings(gr_scope *in, const char *model, const gr_embeddings_opts *opts)
{
    const char *rest;

    if (model == NULL || model[0] == '\0')
        return gri_embedder_spawn(in, &gri_openai_embedder, NULL, opts);
    if (strcmp(model, "hash") == 0)
        return hashed(in, "", opts);
    rest = rest_of(model, "hash");
    if (rest != NULL)
        return hashed(in, rest, opts);
    for (size_t i = 0; i < sizeof(embedders) / sizeof(embedders[0]); i++) {
        rest = rest_of(model, embedders[i]->name);
        if (rest != NULL)
            return gri_embedder_spawn(in, embedders[i], rest, opts);
    }
    return gri_embedder_spawn(in, &gri_openai_embedder, model, opts);
}
