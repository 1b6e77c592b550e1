/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chain_load.c - files into stores: read, name their sources, cut into pieces, embed in batches.
 *
 * All of it are calls to actors that the main thread waits for, so Ctrl-C ends it at once.
 */
#include "cli/chain_load.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "cli/console.h"
#include "runtime/base/alloc.h"

struct load {
    struct gri_session *session;
    struct gri_chain_builder *builder;
    const struct gri_chain_load *what;
    gr_ref splitter;
    char *root; /* owned; ends in /, or is empty */
    bool quiet;
};

static gr_value *no_memory(void)
{
    return gr_error(GR_ENOMEM, "out of memory while loading files");
}

/* join returns root and path as one path; free it. */
static char *join(const char *root, const char *path)
{
    struct gri_strbuf b = GRI_STRBUF_INIT;
    char *joined;

    if (path[0] != '/')
        gri_strbuf_adds(&b, root);
    gri_strbuf_adds(&b, path);
    joined = gri_strbuf_take(&b);
    gri_strbuf_fini(&b);
    return joined;
}

/* name_sources returns the documents with the root taken off their sources. */
static gr_value *name_sources(const char *root, gr_value *documents)
{
    gr_value *named = gr_list_n(NULL, 0);
    size_t len = strlen(root);

    for (size_t i = 0; i < gr_len(documents); i++) {
        const gr_value *document = gr_at(documents, i);
        const gr_value *metadata = gr_get(document, "metadata");
        const char *source = gr_cstr(gr_get(metadata, "source"), "");

        if (len > 0 && strncmp(source, root, len) == 0)
            named = gr_append(
                named, gr_set(gr_value_ref(document), "metadata",
                              gr_set(gr_value_ref(metadata), "source", gr_str(source + len))));
        else
            named = gr_append(named, gr_value_ref(document));
    }
    gr_value_unref(documents);
    return named;
}

/* read_pieces adds the pieces of the files at one path to *pieces. Returns NULL or an error. */
static gr_value *read_pieces(struct load *l, const struct gri_chain_node *path, gr_value **pieces)
{
    gr_runtime *rt = l->session->rt;
    const struct gri_chain_node *keys = l->what->node;
    gr_value *documents, *error = NULL;
    char *whole = join(l->root, gri_chain_text(path));
    gr_ref loader;

    if (whole == NULL)
        return no_memory();
    loader =
        gr_directory_loader(l->session->scope, whole,
                            GR_LOADER(.suffixes = gri_build_texts(gri_chain_get(keys, "suffixes")),
                                      .skip_errors = gri_arg_bool(keys, "skip_errors")));
    gri_free(whole);
    documents = gri_session_wait(l->session,
                                 gr_aload(rt, loader, GR_CALL(.scope = l->session->scope)), &error);
    gr_stop(rt, loader);
    if (documents == NULL)
        return error;
    documents =
        gri_session_wait(l->session,
                         gr_asplit_documents(rt, l->splitter, name_sources(l->root, documents),
                                             GR_CALL(.scope = l->session->scope)),
                         &error);
    if (documents == NULL)
        return error;
    for (size_t i = 0; i < gr_len(documents); i++)
        *pieces = gr_append(*pieces, gr_value_ref(gr_at(documents, i)));
    gr_value_unref(documents);
    return NULL;
}

/* add_pieces puts the pieces into the store, a batch at a time. */
static gr_value *add_pieces(struct load *l, const gr_value *pieces)
{
    size_t total = gr_len(pieces), done = 0;
    struct gri_strbuf label = GRI_STRBUF_INIT;
    struct gri_progress bar;
    gr_value *error = NULL;

    gri_strbuf_addf(&label, "embedding %s", l->what->name);
    gri_progress_start(&bar, label.data != NULL ? label.data : "embedding", total, l->quiet);
    while (done < total && error == NULL) {
        gr_value *batch = gr_list_n(NULL, 0), *ids;

        for (size_t i = done; i < total && i < done + GRI_LOAD_BATCH; i++)
            batch = gr_append(batch, gr_value_ref(gr_at(pieces, i)));
        ids = gri_session_wait(l->session,
                               gr_aadd_documents(l->session->rt, l->what->store, batch,
                                                 GR_CALL(.scope = l->session->scope)),
                               &error);
        if (ids != NULL) {
            done = done + GRI_LOAD_BATCH < total ? done + GRI_LOAD_BATCH : total;
            gri_progress_step(&bar, done);
        }
        gr_value_unref(ids);
    }
    gri_progress_stop(&bar);
    gri_strbuf_fini(&label);
    return error;
}

/* find_root returns the folder that paths are seen from, with a slash at its end, or "" for the
 * current one; free it. NULL: no memory. */
static char *find_root(struct gri_chain_builder *b, const struct gri_chain_node *keys)
{
    char *path = gri_build_path(b, gri_chain_get(keys, "root"));
    struct gri_strbuf root = GRI_STRBUF_INIT;
    char *whole = NULL;

    if (path == NULL)
        return NULL;
    if (strcmp(path, ".") != 0) {
        gri_strbuf_adds(&root, path);
        if (path[strlen(path) - 1] != '/')
            gri_strbuf_addc(&root, '/');
    }
    whole = gri_strbuf_take(&root);
    gri_strbuf_fini(&root);
    gri_free(path);
    return whole;
}

/* at_place says where in the chain file the load that failed is, ahead of which actor failed. */
static gr_value *at_place(struct load *l, gr_value *error, struct gri_chain_place at)
{
    const char *where = gr_cstr(gr_get(error, "where"), "");
    gr_value *place = gr_strf("%s:%zu:%zu: %s%s%s", l->builder->report->file, at.line, at.column,
                              l->what->name, where[0] != '\0' ? ": " : "", where);

    return gr_error_with(error, "where", place);
}

static gr_value *load_one(struct load *l)
{
    const struct gri_chain_node *keys = l->what->node, *paths = gri_chain_get(keys, "paths");
    long long overlap = gri_arg_int(keys, "chunk_overlap", -1);
    gr_value *pieces = gr_list_n(NULL, 0), *error = NULL;

    l->root = find_root(l->builder, keys);
    if (l->root == NULL) {
        error = no_memory();
        goto out;
    }
    l->splitter = gr_recursive_splitter(
        l->session->scope, GR_SPLITTER(.chunk_size = (size_t)gri_arg_int(keys, "chunk_size", 0),
                                       .chunk_overlap = overlap < 0    ? 0
                                                        : overlap == 0 ? -1
                                                                       : overlap));
    for (size_t i = 0; i < paths->count && error == NULL; i++) {
        error = read_pieces(l, paths->items[i].value, &pieces);
        if (error != NULL)
            error = at_place(l, error, paths->items[i].value->at);
    }
    if (error == NULL && gr_error_code(pieces) != GR_OK)
        error = gr_value_ref(pieces);
    if (error == NULL) {
        error = add_pieces(l, pieces);
        if (error != NULL)
            error = at_place(l, error, keys->at);
    }
    gr_stop(l->session->rt, l->splitter);
out:
    gr_value_unref(pieces);
    gri_free(l->root);
    return error;
}

gr_value *gri_chain_load(struct gri_session *s, struct gri_chain_builder *b, bool quiet)
{
    gr_value *error = NULL;

    for (size_t i = 0; i < b->load_count && error == NULL; i++) {
        struct load l = { .session = s, .builder = b, .what = &b->loads[i], .quiet = quiet };

        error = load_one(&l);
    }
    return error;
}

/* check_one tells about the paths of one load that are not there. */
static void check_one(struct gri_chain_builder *b, const struct gri_chain_load *what)
{
    const struct gri_chain_node *paths = gri_chain_get(what->node, "paths");
    char *root = find_root(b, what->node);

    for (size_t i = 0; root != NULL && i < paths->count; i++) {
        char *path = join(root, gri_chain_text(paths->items[i].value));

        if (path != NULL && access(path, R_OK) != 0)
            gri_chain_mistake(b->report, paths->items[i].value->at,
                              "paths: %.60s can't be read: %s", paths->items[i].value->text,
                              strerror(errno));
        gri_free(path);
    }
    gri_free(root);
}

void gri_chain_load_check(struct gri_chain_builder *b)
{
    for (size_t i = 0; i < b->load_count; i++)
        check_one(b, &b->loads[i]);
}
