/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory_store.c - gr_memory_store: LangChain's InMemoryVectorStore as an actor.
 *
 * The class is reentrant: while one call waits for the embedder, others search and write. What a
 * call changes it changes after its last wait, so nobody sees half of it. A long scan gives the
 * worker away between slices; when rows have moved meanwhile (a delete), it begins again.
 */
#include <greenroom/embeddings.h>
#include <greenroom/runtime.h>
#include <greenroom/store.h>

#include <stdint.h>
#include <string.h>

#include "actors/store/rows.h"
#include "runtime/base/alloc.h"
#include "runtime/sched/world.h"

#define K_DEFAULT 4
#define SLICE_FLOATS ((size_t)4 << 20) /* about a millisecond of multiplying */
enum { RESTARTS_MAX = 3 };

struct store {
    gr_ref embeddings;
    struct gri_rows rows;
};

/* ---- vectors --------------------------------------------------------------------------------- */

/* A vector as floats: gr_floats, or a list of numbers as JSON has it. */
struct vector {
    const float *x; /* borrowed from v, or copy */
    float *copy;    /* owned, or NULL */
    size_t dim;
};

static gr_value *read_vector(const gr_value *v, struct vector *ret)
{
    size_t count = gr_len(v);

    *ret = (struct vector){ .x = NULL };
    if (gr_value_type(v) == GR_FLOATS) {
        ret->x = gr_as_floats(v, &ret->dim);
        return NULL;
    }
    if (gr_value_type(v) != GR_LIST)
        return gr_error(GR_ETYPE, "expected a vector, got a value of type %s",
                        gr_type_name(gr_value_type(v)));
    ret->copy = gri_alloc_array(count == 0 ? 1 : count, sizeof(float));
    if (ret->copy == NULL)
        return gr_error(GR_ENOMEM, "out of memory for a vector");
    for (size_t i = 0; i < count; i++) {
        gr_type type = gr_value_type(gr_at(v, i));

        if (type != GR_INT && type != GR_REAL) {
            gri_free(ret->copy);
            ret->copy = NULL;
            return gr_error(GR_ETYPE, "element %zu of a vector is no number", i + 1);
        }
        ret->copy[i] = (float)gr_as_real(gr_at(v, i), 0);
    }
    ret->x = ret->copy;
    ret->dim = count;
    return NULL;
}

/* ---- writing --------------------------------------------------------------------------------- */

/* new_id draws a random UUID, version 4. */
static gr_value *new_id(gr_runtime *rt)
{
    uint64_t a = gri_random(rt), b = gri_random(rt);

    return gr_strf("%08x-%04x-4%03x-%04x-%012llx", (unsigned)(a >> 32),
                   (unsigned)(a >> 16) & 0xffff, (unsigned)a & 0xfff,
                   (unsigned)(0x8000 | ((b >> 48) & 0x3fff)),
                   (unsigned long long)(b & UINT64_C(0xffffffffffff)));
}

static gr_value *check_id(const gr_value *id, size_t index)
{
    if (gr_value_type(id) != GR_STR || gr_len(id) == 0 || strlen(gr_cstr(id, "")) != gr_len(id))
        return gr_error(GR_EINVAL, "id %zu is not a string, is empty or has a NUL byte", index + 1);
    return NULL;
}

/* whole makes a document complete: its type, its metadata, its id. */
static gr_value *whole(gr_runtime *rt, const gr_value *document, const gr_value *id, size_t index)
{
    const gr_value *metadata = gr_get(document, "metadata");
    gr_value *doc, *err;

    if (gr_error_code(document) != GR_OK)
        return gr_value_ref(document);
    if (gr_value_type(gr_get(document, "page_content")) != GR_STR)
        return gr_error(GR_EINVAL, "document %zu has no text under \"page_content\"", index + 1);
    if (!gr_is_nil(metadata) && gr_value_type(metadata) != GR_MAP)
        return gr_error(GR_EINVAL, "document %zu: metadata is not a map", index + 1);
    if (gr_is_nil(id))
        id = gr_get(document, "id");
    err = gr_is_nil(id) ? NULL : check_id(id, index);
    if (err != NULL)
        return err;
    doc = gr_value_ref(document);
    if (gr_is_nil(metadata))
        doc = gr_set(doc, "metadata", gr_map_n(NULL, 0));
    if (gr_get(doc, "type") == NULL)
        doc = gr_set(doc, "type", gr_str("Document"));
    return gr_set(doc, "id", gr_is_nil(id) ? new_id(rt) : gr_value_ref(id));
}

/* put_all stores what was embedded, and gives the list of ids. */
static gr_value *put_all(struct store *s, const gr_value *documents, const gr_value *vectors)
{
    gr_value *ids = gr_list_n(NULL, 0);

    if (gr_value_type(vectors) != GR_LIST || gr_len(vectors) != gr_len(documents)) {
        gr_value_unref(ids);
        return gr_error(GR_EPROTO, "the embedder gave %zu vectors for %zu texts", gr_len(vectors),
                        gr_len(documents));
    }
    for (size_t i = 0; i < gr_len(documents); i++) {
        const gr_value *doc = gr_at(documents, i);
        struct vector v;
        gr_value *err = read_vector(gr_at(vectors, i), &v);

        if (err == NULL)
            gri_rows_put(&s->rows, doc, v.x, v.dim, &err);
        gri_free(v.copy);
        if (err != NULL) {
            gr_value_unref(ids);
            return err;
        }
        ids = gr_append(ids, gr_value_ref(gr_get(doc, "id")));
    }
    return ids;
}

static gr_value *add_all(gr_ctx *c, struct store *s, gr_value *documents)
{
    gr_value *texts = gr_list_n(NULL, 0), *vectors, *answer = NULL;

    if (gr_error_code(documents) != GR_OK || gr_len(documents) == 0) {
        gr_value_unref(texts);
        return documents;
    }
    for (size_t i = 0; i < gr_len(documents); i++)
        texts = gr_append(texts, gr_value_ref(gr_get(gr_at(documents, i), "page_content")));
    vectors = gr_embed_documents(gr_runtime_of(c), s->embeddings, texts, NULL, &answer);
    if (vectors != NULL)
        answer = put_all(s, documents, vectors);
    gr_value_unref(vectors);
    gr_value_unref(documents);
    return answer;
}

/* check_list: an optional list must have as many items as there are texts. */
static gr_value *check_list(const gr_value *list, size_t count, const char *what)
{
    if (gr_is_nil(list))
        return NULL;
    if (gr_value_type(list) != GR_LIST)
        return gr_error(GR_ETYPE, "%s is not a list", what);
    if (gr_len(list) != count)
        return gr_error(GR_EINVAL, "%zu texts but %zu %s", count, gr_len(list), what);
    return NULL;
}

static gr_value *add_documents(gr_ctx *c, void *self, const gr_value *args)
{
    const gr_value *from = gr_get(args, "documents"), *ids = gr_get(args, "ids");
    gr_value *documents, *err = check_list(ids, gr_len(from), "ids");

    if (err != NULL)
        return err;
    if (gr_value_type(from) != GR_LIST)
        return gr_error(GR_ETYPE, "expected {\"documents\": [document …]}");
    documents = gr_list_n(NULL, 0);
    for (size_t i = 0; i < gr_len(from) && gr_error_code(documents) == GR_OK; i++) {
        gr_value *doc = whole(gr_runtime_of(c), gr_at(from, i), gr_at(ids, i), i);

        if (gr_error_code(doc) != GR_OK) {
            gr_value_unref(documents);
            return doc;
        }
        documents = gr_append(documents, doc);
    }
    return add_all(c, self, documents);
}

static gr_value *add_texts(gr_ctx *c, void *self, const gr_value *args)
{
    const gr_value *texts = gr_get(args, "texts"), *metadatas = gr_get(args, "metadatas");
    const gr_value *ids = gr_get(args, "ids");
    gr_value *documents, *err = check_list(metadatas, gr_len(texts), "metadatas");

    if (err == NULL)
        err = check_list(ids, gr_len(texts), "ids");
    if (err != NULL)
        return err;
    if (gr_value_type(texts) != GR_LIST)
        return gr_error(GR_ETYPE, "expected {\"texts\": [string …]}");
    documents = gr_list_n(NULL, 0);
    for (size_t i = 0; i < gr_len(texts); i++) {
        const gr_value *text = gr_at(texts, i), *metadata = gr_at(metadatas, i);
        gr_value *bare = gr_map(
            GR_KV("page_content", gr_value_ref(text)),
            GR_KV("metadata", gr_is_nil(metadata) ? gr_map_n(NULL, 0) : gr_value_ref(metadata)));
        gr_value *doc = whole(gr_runtime_of(c), bare, gr_at(ids, i), i);

        gr_value_unref(bare);
        if (gr_error_code(doc) != GR_OK) {
            gr_value_unref(documents);
            return doc;
        }
        documents = gr_append(documents, doc);
    }
    return add_all(c, self, documents);
}

static gr_value *delete_rows(gr_ctx *c, void *self, const gr_value *args)
{
    struct store *s = self;
    const gr_value *ids = gr_get(args, "ids");

    (void)c;
    if (!gr_is_nil(ids) && gr_value_type(ids) != GR_LIST)
        return gr_error(GR_ETYPE, "ids is not a list");
    if (gri_rows_delete(&s->rows, gr_is_nil(ids) ? NULL : ids) != GR_OK)
        return gr_error(GR_ENOMEM, "out of memory");
    return gr_bool(true);
}

static gr_value *get_by_ids(gr_ctx *c, void *self, const gr_value *args)
{
    struct store *s = self;
    const gr_value *ids = gr_get(args, "ids");
    gr_value *found;

    (void)c;
    if (gr_value_type(ids) != GR_LIST)
        return gr_error(GR_ETYPE, "expected {\"ids\": [string …]}");
    found = gr_list_n(NULL, 0);
    for (size_t i = 0; i < gr_len(ids); i++) {
        size_t row = gri_rows_find(&s->rows, gr_cstr(gr_at(ids, i), ""));

        if (row != SIZE_MAX)
            found = gr_append(found, gr_value_ref(s->rows.rows[row].document));
    }
    return found;
}

/* ---- reading --------------------------------------------------------------------------------- */

/* scan looks at every row; NULL, or what stopped it. It waits, so rows may come and go
 * meanwhile. */
static gr_value *scan(gr_ctx *c, struct store *s, const float *unit, size_t stride,
                      const gr_value *filter, struct gri_top *top)
{
    const size_t slice = SLICE_FLOATS / stride;
    uint64_t removals = s->rows.removals;
    int restarts = 0;

    for (size_t at = 0; at < s->rows.vectors.count && stride == s->rows.vectors.stride;) {
        size_t left = s->rows.vectors.count - at, count = left < slice ? left : slice;

        gri_rows_scan(&s->rows, unit, filter, at, at + count, top);
        at += count;
        if (at == s->rows.vectors.count || restarts == RESTARTS_MAX)
            continue;
        gr_sleep(gr_runtime_of(c), 0);
        if (gr_cancelled(c))
            return gr_error(GR_ECANCELED, "cancelled");
        if (removals != s->rows.removals) {
            removals = s->rows.removals;
            restarts++;
            at = top->count = 0;
        }
    }
    return NULL;
}

static gr_value *nearest(gr_ctx *c, struct store *s, const struct vector *v, size_t k,
                         const gr_value *filter, bool with_score)
{
    struct gri_top top = { .hits = NULL };
    size_t count = s->rows.vectors.count, stride = gri_vectors_stride(v->dim);
    float *unit = NULL;
    gr_value *answer = NULL;

    if (count == 0 || k == 0)
        return gr_list_n(NULL, 0);
    if (v->dim != s->rows.vectors.dim)
        return gr_error(GR_EINVAL, "a query of %zu dimensions in a store of %zu", v->dim,
                        s->rows.vectors.dim);
    if (gri_vectors_fits(&s->rows.vectors, v->x, v->dim) != GR_OK)
        return gr_error(GR_EINVAL, "a query with NaN or infinity");
    unit = gri_alloc_array(stride, sizeof(float));
    if (unit == NULL || gri_top_init(&top, k < count ? k : count) != GR_OK) {
        answer = gr_error(GR_ENOMEM, "out of memory for a search");
        goto out;
    }
    gri_vectors_unit(v->x, v->dim, stride, unit);
    answer = scan(c, s, unit, stride, filter, &top);
    if (answer != NULL)
        goto out;
    gri_top_sort(&top);
    answer = gri_rows_hits(&s->rows, &top, with_score);
out:
    gri_top_fini(&top);
    gri_free(unit);
    return answer;
}

static gr_value *search_vector(gr_ctx *c, struct store *s, const gr_value *embedding,
                               const gr_value *args, bool with_score)
{
    const gr_value *filter = gr_get(args, "filter"), *k_arg = gr_get(args, "k");
    int64_t k = gr_is_nil(k_arg) ? K_DEFAULT : gr_as_int(k_arg, -1);
    struct vector v;
    gr_value *answer;

    if (k < 0)
        return gr_error(GR_EINVAL, "k is not a number, or is negative");
    if (!gr_is_nil(filter) && gr_value_type(filter) != GR_MAP)
        return gr_error(GR_ETYPE, "a filter is a map of metadata, not a %s",
                        gr_type_name(gr_value_type(filter)));
    answer = read_vector(embedding, &v);
    if (answer == NULL)
        answer = nearest(c, s, &v, (size_t)k, filter, with_score);
    gri_free(v.copy);
    return answer;
}

static gr_value *search_text(gr_ctx *c, struct store *s, const gr_value *args, bool with_score)
{
    const char *query = gr_cstr(gr_get(args, "query"), NULL);
    gr_value *embedding, *answer = NULL;

    if (query == NULL)
        return gr_error(GR_ETYPE, "expected {\"query\": string, \"k\"?, \"filter\"?}");
    embedding = gr_embed_query(gr_runtime_of(c), s->embeddings, query, NULL, &answer);
    if (embedding != NULL)
        answer = search_vector(c, s, embedding, args, with_score);
    gr_value_unref(embedding);
    return answer;
}

static gr_value *search(gr_ctx *c, void *self, const gr_value *args)
{
    return search_text(c, self, args, false);
}

static gr_value *search_with_score(gr_ctx *c, void *self, const gr_value *args)
{
    return search_text(c, self, args, true);
}

static gr_value *search_by_vector(gr_ctx *c, void *self, const gr_value *args)
{
    return search_vector(c, self, gr_get(args, "embedding"), args, false);
}

/* ---- the class ------------------------------------------------------------------------------- */

static gr_code init(gr_ctx *c, void *self, const gr_value *args)
{
    struct store *s = self;

    s->embeddings = gr_as_ref(args);
    gri_rows_init(&s->rows, gri_random(gr_runtime_of(c)));
    return GR_OK;
}

static void stopped(void *self, const gr_value *args)
{
    struct store *s = self;

    (void)args;
    gri_rows_fini(&s->rows);
}

static const gr_method store_methods[] = {
    { "add_documents", GR_ASYNC, add_documents, NULL },
    { "add_texts", GR_ASYNC, add_texts, NULL },
    { "delete", GR_ASYNC, delete_rows, NULL },
    { "get_by_ids", GR_ASYNC, get_by_ids, NULL },
    { "similarity_search", GR_ASYNC, search, NULL },
    { "similarity_search_with_score", GR_ASYNC, search_with_score, NULL },
    { "similarity_search_by_vector", GR_ASYNC, search_by_vector, NULL },
};
static const gr_class store_class =
    GR_CLASS(.name = "InMemoryVectorStore", .state_size = sizeof(struct store), .reentrant = true,
             .init = init, .stopped = stopped, GR_METHODS(store_methods));

gr_ref gr_memory_store(gr_scope *in, gr_ref embeddings)
{
    return gr_spawn(in, &store_class, GR_SPAWN(.args = gr_ref_value(embeddings)));
}
