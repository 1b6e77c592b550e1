/* SPDX-License-Identifier: Apache-2.0 */
/* caching_embeddings.c - gr_caching_embeddings: LangChain's CacheBackedEmbeddings. */
#include <greenroom/byte_store.h>
#include <greenroom/embeddings.h>

#include <math.h>
#include <string.h>

#include "actors/compose/steps.h"
#include "actors/store/digest.h"
#include "runtime/base/alloc.h"
#include "runtime/base/log.h"

#define NAME_SPACE_MAX 256
#define NOT_THERE SIZE_MAX

/* ---- vectors as bytes ------------------------------------------------------------------------ */

static gr_value *packed(const gr_value *floats)
{
    size_t count = 0;
    const float *x = gr_as_floats(floats, &count);
    unsigned char *bytes = gri_alloc_array(count + 1, 4);
    gr_value *bin;

    if (bytes == NULL)
        return gri_no_memory();
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;

        memcpy(&bits, &x[i], sizeof(bits));
        for (unsigned k = 0; k < 4; k++)
            bytes[4 * i + k] = (unsigned char)(bits >> (8 * k));
    }
    bin = gr_bin(bytes, 4 * count);
    gri_free(bytes);
    return bin;
}

/* unpacked gives the vector that was kept; NULL for what is none. */
static gr_value *unpacked(const gr_value *bin)
{
    size_t size = 0;
    const unsigned char *bytes = gr_as_bin(bin, &size);
    float *x =
        bytes != NULL && size > 0 && size % 4 == 0 ? gri_alloc_array(size / 4, sizeof(*x)) : NULL;
    gr_value *v = NULL;
    bool finite = true;

    if (x == NULL)
        return NULL;
    for (size_t i = 0; i < size / 4; i++) {
        uint32_t bits = 0;

        for (unsigned k = 0; k < 4; k++)
            bits |= (uint32_t)bytes[4 * i + k] << (8 * k);
        memcpy(&x[i], &bits, sizeof(bits));
        finite = finite && isfinite(x[i]);
    }
    if (finite)
        v = gr_floats(x, size / 4);
    gri_free(x);
    return v;
}

/* ---- looking up and keeping ------------------------------------------------------------------ */

static gr_value *keys_of(gr_ctx *c, const gr_value *texts)
{
    const char *space = gr_cstr(gr_get(gr_args(c), "name_space"), "");
    gr_value *keys = gr_list_n(NULL, 0);
    char hex[GRI_DIGEST_LEN + 1];

    for (size_t i = 0; i < gr_len(texts); i++) {
        const gr_value *text = gr_at(texts, i);

        if (gr_value_type(text) != GR_STR) {
            gr_value_unref(keys);
            return gr_error(GR_ETYPE, "text %zu is no string", i + 1);
        }
        if (!gri_digest(gr_cstr(text, ""), gr_len(text), hex)) {
            gr_value_unref(keys);
            return gri_no_memory();
        }
        keys = gr_append(keys, gr_strf("%s%s", space, hex));
    }
    return keys;
}

static void store_failed(gr_value *err)
{
    if (err != NULL)
        gri_log(3, "a cache of embeddings failed: %s", gr_error_text(err));
    gr_value_unref(err);
}

/* What one call knows: a vector for each of its texts, NULL as long as there is none. */
struct found {
    gr_value **vectors; /* owned, counted each */
    gr_value *missing;  /* counted; a map from the keys that the store lacks to their texts */
};

static void look_up(gr_ctx *c, gr_ref store, const gr_value *texts, const gr_value *keys,
                    struct found *f)
{
    gr_value *err = NULL;
    gr_value *kept = gr_mget(gr_runtime_of(c), store, gr_value_ref(keys), NULL, &err);

    store_failed(err);
    f->missing = gr_map_n(NULL, 0);
    for (size_t i = 0; i < gr_len(texts); i++) {
        f->vectors[i] = unpacked(gr_at(kept, i));
        if (f->vectors[i] == NULL)
            f->missing =
                gr_set(f->missing, gr_cstr(gr_at(keys, i), ""), gr_value_ref(gr_at(texts, i)));
    }
    gr_value_unref(kept);
}

static void keep(gr_ctx *c, gr_ref store, const gr_value *keys, const gr_value *vectors)
{
    gr_value *pairs = gr_list_n(NULL, 0), *err = NULL;

    for (size_t i = 0; i < gr_len(keys); i++)
        pairs = gr_append(pairs, gr_list(gr_value_ref(gr_at(keys, i)), packed(gr_at(vectors, i))));
    gr_value_unref(gr_mset(gr_runtime_of(c), store, pairs, NULL, &err));
    store_failed(err);
}

/* floats_of gives a vector as floats: embedders of other processes may give lists. */
static gr_value *floats_of(const gr_value *v)
{
    size_t count = gr_len(v);
    float *x;
    gr_value *floats;

    if (gr_value_type(v) == GR_FLOATS)
        return gr_value_ref(v);
    x = gri_alloc_array(count + 1, sizeof(*x));
    if (x == NULL)
        return gri_no_memory();
    for (size_t i = 0; i < count; i++)
        x[i] = (float)gr_as_real(gr_at(v, i), NAN);
    floats = gr_floats(x, count);
    gri_free(x);
    return floats;
}

/* embed_some has texts from the first one on embedded and kept; made, a map, gets their vectors. */
static gr_value *embed_some(gr_ctx *c, gr_ref store, const struct found *f, size_t first,
                            size_t count, gr_value **made)
{
    gr_value *keys = gr_list_n(NULL, 0), *texts = gr_list_n(NULL, 0), *vectors, *err = NULL;
    gr_value *floats = gr_list_n(NULL, 0);

    for (size_t i = first; i < first + count; i++) {
        const char *key = NULL;
        const gr_value *text = gr_pair_at(f->missing, i, &key);

        keys = gr_append(keys, gr_str(key));
        texts = gr_append(texts, gr_value_ref(text));
    }
    vectors = gr_embed_documents(gr_runtime_of(c), gr_as_ref(gr_get(gr_args(c), "embeddings")),
                                 texts, NULL, &err);
    if (err == NULL && gr_len(vectors) != count)
        err = gr_error(GR_EPROTO, "the embedder gave %zu vectors for %zu texts", gr_len(vectors),
                       count);
    for (size_t i = 0; i < count && err == NULL; i++) {
        gr_value *v = floats_of(gr_at(vectors, i));
        const char *key = NULL;

        if (gr_error_code(v) != GR_OK) {
            err = v;
            break;
        }
        (void)gr_pair_at(f->missing, first + i, &key);
        *made = gr_set(*made, key, gr_value_ref(v));
        floats = gr_append(floats, v);
    }
    if (err == NULL)
        keep(c, store, keys, floats);
    gr_value_unref(floats);
    gr_value_unref(vectors);
    gr_value_unref(keys);
    return err;
}

/* fill_in makes what is missing. NULL, or why it could not be made. */
static gr_value *fill_in(gr_ctx *c, gr_ref store, struct found *f, const gr_value *keys)
{
    size_t batch = (size_t)gr_as_int(gr_get(gr_args(c), "batch"), 0), count = gr_len(f->missing);
    gr_value *made = gr_map_n(NULL, 0),
             *err = gr_error_code(f->missing) == GR_OK ? NULL : gr_value_ref(f->missing);

    if (batch == 0)
        batch = count;
    for (size_t at = 0; at < count && err == NULL; at += batch)
        err = embed_some(c, store, f, at, batch < count - at ? batch : count - at, &made);
    if (err == NULL && gr_error_code(made) != GR_OK)
        err = gr_value_ref(made);
    for (size_t i = 0; i < gr_len(keys) && err == NULL; i++) {
        if (f->vectors[i] == NULL)
            f->vectors[i] = gr_value_ref(gr_get(made, gr_cstr(gr_at(keys, i), "")));
        if (f->vectors[i] == NULL)
            err = gri_no_memory();
    }
    gr_value_unref(made);
    return err;
}

/* embed gives the vectors of a list of texts, as far as they are in store from there. */
static gr_value *embed(gr_ctx *c, gr_ref store, const gr_value *texts)
{
    size_t count = gr_len(texts);
    struct found f = { .vectors = gri_alloc_array(count + 1, sizeof(gr_value *)) };
    gr_value *keys = keys_of(c, texts), *err = NULL, *list = NULL;

    if (gr_error_code(keys) != GR_OK)
        err = gr_value_ref(keys);
    else if (f.vectors == NULL)
        err = gri_no_memory();
    if (err == NULL) {
        look_up(c, store, texts, keys, &f);
        err = fill_in(c, store, &f, keys);
    }
    if (err == NULL)
        list = gr_list_n(f.vectors, count);
    else
        for (size_t i = 0; f.vectors != NULL && i < count; i++)
            gr_value_unref(f.vectors[i]);
    gri_free(f.vectors);
    gr_value_unref(f.missing);
    gr_value_unref(keys);
    return err != NULL ? err : list;
}

/* ---- verbs ----------------------------------------------------------------------------------- */

static gr_value *embed_documents(gr_ctx *c, void *self, const gr_value *args)
{
    const gr_value *texts = gr_get(args, "texts");

    (void)self;
    if (gr_value_type(texts) != GR_LIST)
        return gr_error(GR_ETYPE, "expected {\"texts\": [string …]}");
    return gr_len(texts) == 0 ? gr_list_n(NULL, 0)
                              : embed(c, gr_as_ref(gr_get(gr_args(c), "store")), texts);
}

/* embed_query: LangChain, too, has a kept query embedded as a query. */
static gr_value *embed_query(gr_ctx *c, void *self, const gr_value *args)
{
    gr_ref inner = gr_as_ref(gr_get(gr_args(c), "embeddings"));
    gr_ref store = gr_as_ref(gr_get(gr_args(c), "query_store"));
    const gr_value *text = gr_get(args, "text");
    gr_value *texts, *keys, *kept, *v, *err = NULL;

    (void)self;
    if (store.id == 0)
        return gr_delegate(c, inner, "embed_query", gr_value_ref(args));
    if (gr_value_type(text) != GR_STR)
        return gr_error(GR_ETYPE, "expected {\"text\": string}");
    texts = gr_list(gr_value_ref(text));
    keys = keys_of(c, texts);
    gr_value_unref(texts);
    kept = gr_mget(gr_runtime_of(c), store, gr_value_ref(keys), NULL, &err);
    store_failed(err);
    v = unpacked(gr_at(kept, 0));
    gr_value_unref(kept);
    if (v == NULL) {
        err = NULL;
        v = gr_do(gr_runtime_of(c), inner, "embed_query", gr_value_ref(args), NULL, &err);
        if (v != NULL) {
            gr_value *floats = gr_list(floats_of(v));

            keep(c, store, keys, floats);
            gr_value_unref(floats);
        }
    }
    gr_value_unref(keys);
    return v != NULL ? v : err;
}

static const gr_method caching_methods[] = {
    { "embed_query", GR_ASYNC, embed_query, NULL },
    { "embed_documents", GR_ASYNC, embed_documents, NULL },
};
static const gr_class caching_class =
    GR_CLASS(.name = "CacheBackedEmbeddings", GR_METHODS(caching_methods));

gr_ref gr_caching_embeddings(gr_scope *in, gr_ref embeddings, gr_ref store,
                             const gr_caching_opts *opts)
{
    const char *space = opts != NULL && opts->name_space != NULL ? opts->name_space : "";
    gr_value *args;

    if (gri_ref_broken(in, embeddings))
        return embeddings;
    if (gri_ref_broken(in, store))
        return store;
    if (strlen(space) > NAME_SPACE_MAX)
        args = gr_error(GR_EINVAL, "caching_embeddings: name_space is at most %d bytes",
                        NAME_SPACE_MAX);
    else
        args = gr_map(GR_KV("embeddings", gr_ref_value(embeddings)),
                      GR_KV("store", gr_ref_value(store)), GR_KV("name_space", gr_str(space)),
                      GR_KV("batch", gr_int(opts != NULL ? (int64_t)opts->batch : 0)),
                      GR_KV("query_store",
                            gr_ref_value(opts != NULL ? opts->query_store : (gr_ref){ 0, 0 })));
    return gr_spawn(in, &caching_class, GR_SPAWN(.name = "caching embeddings", .args = args));
}
