/* SPDX-License-Identifier: Apache-2.0 */
/*
 * own_store.c - a vector store of one's own, written only with blocking methods, used
 * asynchronously.
 *
 * The class below knows nothing of futures: it may call a database and wait for it. Whoever uses it
 * gets both twins of every verb all the same: a blocking method runs on the blocking pool, and its
 * a-twin returns at once.
 *
 *     cc own_store.c $(pkg-config --cflags --libs greenroom) && ./a.out
 */
#include <greenroom/greenroom.h>

#include <stdio.h>
#include <string.h>

/* The state: a list of documents. Only one method runs at a time, so it needs no lock. */
struct own_store {
    gr_value *documents;
};

static gr_value *add_documents(gr_ctx *c, void *self, const gr_value *args)
{
    struct own_store *s = self;
    const gr_value *documents = gr_get(args, "documents");
    gr_value *ids = gr_list_n(NULL, 0);

    (void)c;
    for (size_t i = 0; i < gr_len(documents); i++) {
        gr_value *id = gr_strf("doc-%zu", gr_len(s->documents) + 1);

        ids = gr_append(ids, gr_value_ref(id));
        s->documents = gr_append(s->documents, gr_set(gr_value_ref(gr_at(documents, i)), "id", id));
    }
    return ids;
}

/* The search of this store is simple: documents that contain the query, in the order they were
 * added. */
static gr_value *similarity_search(gr_ctx *c, void *self, const gr_value *args)
{
    struct own_store *s = self;
    const char *query = gr_cstr(gr_get(args, "query"), "");
    size_t k = (size_t)gr_as_int(gr_get(args, "k"), 4);
    gr_value *found = gr_list_n(NULL, 0);

    (void)c;
    for (size_t i = 0; i < gr_len(s->documents) && gr_len(found) < k; i++) {
        const gr_value *doc = gr_at(s->documents, i);

        if (strstr(gr_cstr(gr_get(doc, "page_content"), ""), query) != NULL)
            found = gr_append(found, gr_value_ref(doc));
    }
    return found;
}

static gr_code init(gr_ctx *c, void *self, const gr_value *args)
{
    struct own_store *s = self;

    (void)c;
    (void)args;
    s->documents = gr_list_n(NULL, 0);
    return GR_OK;
}

static void stopped(void *self, const gr_value *args)
{
    struct own_store *s = self;

    (void)args;
    gr_value_unref(s->documents);
}

static const gr_method methods[] = {
    { "add_documents", GR_BLOCKING, add_documents, NULL },
    { "similarity_search", GR_BLOCKING, similarity_search, NULL },
};
static const gr_class own_store_class =
    GR_CLASS(.name = "OwnStore", .state_size = sizeof(struct own_store), .init = init,
             .stopped = stopped, GR_METHODS(methods));

int main(void)
{
    gr_runtime *rt = NULL;
    gr_value *err = NULL, *ids, *found;
    gr_future *adding, *searches[2];
    gr_ref store;
    int failed = 1;

    if (gr_runtime_new(NULL, &rt) != GR_OK)
        return 1;
    store = gr_spawn(gr_root(rt), &own_store_class, NULL);

    adding = gr_aadd_documents(
        rt, store,
        gr_list(gr_document("Tea is hot.", NULL, NULL), gr_document("Ice is cold.", NULL, NULL)),
        NULL);
    /* … whatever else there is to do meanwhile … */
    ids = gr_take(adding, &err);
    if (ids == NULL)
        goto out;
    printf("added %zu documents\n", gr_len(ids));

    searches[0] = gr_asimilarity_search(rt, store, "Tea", NULL, NULL);
    searches[1] = gr_asimilarity_search(rt, store, "is", GR_SEARCH(.k = 1), NULL);
    found = gr_take(gr_all(rt, searches, 2), &err);
    for (size_t i = 0; i < gr_len(found); i++)
        for (size_t n = 0; n < gr_len(gr_at(found, i)); n++)
            printf("search %zu: %s\n", i + 1,
                   gr_cstr(gr_get(gr_at(gr_at(found, i), n), "page_content"), ""));
    failed = found == NULL;
    gr_value_unref(found);
out:
    if (err != NULL)
        fprintf(stderr, "%s\n", gr_error_text(err));
    gr_value_unref(err);
    gr_value_unref(ids);
    gr_runtime_free(rt);
    return failed;
}
