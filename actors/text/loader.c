/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loader.c - gr_directory_loader: text files below a folder, one document a file.
 *
 * The verbs are blocking: files can't be read otherwise. What can be listed is a folder, what is no
 * folder (GR_ETYPE) is a file; the world knows no more about them, so that a simulated one stays
 * simple. A folder that can't be listed for another reason is an error: its files must not be
 * missing in silence. So is a path that is not there (GR_EDEAD), if the user has named it; one that was
 * found in a folder, a link that leads nowhere, is an error if a file of its name is wanted.
 * Symbolic links to a folder above end at depth_max.
 */
#include <greenroom/text.h>

#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/strbuf.h"
#include "runtime/base/utf8.h"
#include "runtime/sched/world.h"

#define FILE_BYTES_DEFAULT ((size_t)16 << 20)
#define FILES_DEFAULT 100000
#define DEPTH_DEFAULT 16

struct loader {
    char *path;         /* owned */
    gr_value *suffixes; /* counted; NULL: every file */
    size_t file_bytes_max, files_max;
    unsigned depth_max;
    bool skip_errors;
};

/* One walk over the files. */
struct walk {
    gr_ctx *c;
    const struct loader *loader;
    gr_value *list; /* what load collects; NULL for lazy_load, which emits */
    size_t files;
};

static void drop_loader(void *p)
{
    struct loader *l = p;

    if (l != NULL) {
        gri_free(l->path);
        gr_value_unref(l->suffixes);
    }
    gri_free(l);
}

static bool wanted(const struct loader *l, const char *path)
{
    size_t len = strlen(path);

    for (size_t i = 0; i < gr_len(l->suffixes); i++) {
        const gr_value *suffix = gr_at(l->suffixes, i);

        if (len >= gr_len(suffix) &&
            memcmp(path + len - gr_len(suffix), gr_cstr(suffix, ""), gr_len(suffix)) == 0)
            return true;
    }
    return l->suffixes == NULL;
}

/* read_document gives the document, or an error value that names the file. */
static gr_value *read_document(struct walk *w, const char *path)
{
    struct gri_world *world = gri_world_of(gr_runtime_of(w->c));
    char *data = NULL, why[128] = "";
    size_t size = 0, valid;
    gr_code rc = world->file_read(world, path, w->loader->file_bytes_max, &data, &size, why);
    gr_value *doc;

    if (rc != GR_OK)
        return gr_error(rc, "%s: %s", path, why);
    valid = gri_utf8_valid_len(data, size);
    if (valid != size)
        doc = gr_error(GR_EINVAL, "%s: not UTF-8 at byte %zu", path, valid);
    else
        doc = gr_map(GR_KV("page_content", gr_strn(data, size)),
                     GR_KV("metadata", gr_map(GR_KV("source", gr_str(path)))),
                     GR_KV("type", gr_str("Document")));
    gri_free(data);
    return doc;
}

/* skips tells whether an error is left out: it is the file's, and the user wants that. */
static bool skips(const struct walk *w, gr_code rc)
{
    return w->loader->skip_errors && rc == GR_EINVAL;
}

static gr_value *visit_file(struct walk *w, const char *path)
{
    gr_value *doc;
    gr_code rc;

    if (!wanted(w->loader, path))
        return NULL;
    if (++w->files > w->loader->files_max)
        return gr_error(GR_EFULL, "%s: more than %zu files", w->loader->path, w->loader->files_max);
    doc = read_document(w, path);
    if (skips(w, gr_error_code(doc))) {
        gr_value_unref(doc);
        return NULL;
    }
    if (gr_error_code(doc) != GR_OK)
        return doc;
    if (w->list != NULL) {
        w->list = gr_append(w->list, doc);
        return NULL;
    }
    rc = gr_emit(w->c, doc);
    return rc == GR_OK ? NULL : gr_error(rc, "the reader has left");
}

/* visit walks a folder or reads a file; NULL, or what ended the walk. */
static gr_value *visit(struct walk *w, const char *path, unsigned depth)
{
    struct gri_world *world = gri_world_of(gr_runtime_of(w->c));
    char *names = NULL, why[128];
    size_t size = 0;
    gr_value *err = NULL;
    gr_code rc;

    if (gr_cancelled(w->c))
        return gr_error(GR_ECANCELED, "cancelled");
    rc = world->file_list(world, path, &names, &size, why);
    if (rc == GR_ETYPE || (rc == GR_EDEAD && depth > 0))
        return visit_file(w, path);
    if (rc == GR_EDEAD)
        rc = GR_EINVAL;
    if (rc != GR_OK)
        return skips(w, rc) ? NULL : gr_error(rc, "%s: %s", path, why);
    if (depth > w->loader->depth_max)
        err = w->loader->skip_errors
                  ? NULL
                  : gr_error(GR_EFULL, "%s: more than %u folders deep", path, w->loader->depth_max);
    else
        for (size_t at = 0; at < size && err == NULL; at += strlen(names + at) + 1) {
            struct gri_strbuf b = GRI_STRBUF_INIT;

            if (names[at] == '.' || names[at] == '\0')
                continue;
            gri_strbuf_addf(&b, "%s%s%s", path, path[strlen(path) - 1] == '/' ? "" : "/",
                            names + at);
            err = b.failed ? gr_error(GR_ENOMEM, "out of memory") : visit(w, b.data, depth + 1);
            gri_strbuf_fini(&b);
        }
    gri_free(names);
    return err;
}

static gr_value *load(gr_ctx *c, void *self, const gr_value *args)
{
    struct walk w = { .c = c, .loader = gr_as_opaque(gr_args(c)), .list = gr_list_n(NULL, 0) };
    gr_value *err = visit(&w, w.loader->path, 0);

    (void)self;
    (void)args;
    if (err == NULL)
        return w.list;
    gr_value_unref(w.list);
    return err;
}

static gr_code lazy_load(gr_ctx *c, void *self, gr_stream *in, const gr_value *args)
{
    struct walk w = { .c = c, .loader = gr_as_opaque(gr_args(c)) };
    gr_value *err = visit(&w, w.loader->path, 0);

    (void)self;
    (void)in;
    (void)args;
    return err == NULL ? GR_OK : gr_fail(c, err);
}

static const gr_method loader_methods[] = {
    { "load", GR_BLOCKING, load, NULL },
    { "lazy_load", GR_BLOCKING, NULL, lazy_load },
    { "invoke", GR_BLOCKING, load, NULL },
    { "stream", GR_BLOCKING, NULL, lazy_load },
};
static const gr_class loader_class =
    GR_CLASS(.name = "DirectoryLoader", GR_METHODS(loader_methods));

static gr_value *check_opts(const char *path, const struct loader *l)
{
    if (path == NULL || path[0] == '\0')
        return gr_error(GR_EINVAL, "no path");
    if (l->path == NULL)
        return gr_error(GR_ENOMEM, "out of memory for a loader");
    if (l->suffixes != NULL && gr_error_code(l->suffixes) != GR_OK)
        return gr_value_ref(l->suffixes);
    if (l->suffixes != NULL && gr_value_type(l->suffixes) != GR_LIST)
        return gr_error(GR_EINVAL, "suffixes: expected a list of strings");
    for (size_t i = 0; i < gr_len(l->suffixes); i++)
        if (gr_value_type(gr_at(l->suffixes, i)) != GR_STR)
            return gr_error(GR_EINVAL, "suffix %zu is no string", i + 1);
    return NULL;
}

gr_ref gr_directory_loader(gr_scope *in, const char *path, const gr_loader_opts *opts)
{
    const gr_loader_opts defaults = { .size = sizeof(defaults) };
    const gr_loader_opts *o = opts == NULL ? &defaults : opts;
    struct loader *l = gri_new0(struct loader);
    gr_value *args;

    if (l == NULL) {
        gr_value_unref(o->suffixes);
        return gr_spawn(in, &loader_class,
                        GR_SPAWN(.args = gr_error(GR_ENOMEM, "out of memory for a loader")));
    }
    l->path = path == NULL ? NULL : gri_strdup(path);
    l->suffixes = o->suffixes;
    l->file_bytes_max = o->file_bytes_max == 0 ? FILE_BYTES_DEFAULT : o->file_bytes_max;
    l->files_max = o->files_max == 0 ? FILES_DEFAULT : o->files_max;
    l->depth_max = o->depth_max == 0 ? DEPTH_DEFAULT : o->depth_max;
    l->skip_errors = o->skip_errors;
    args = check_opts(path, l);
    if (args == NULL)
        args = gr_opaque(l, drop_loader);
    else
        drop_loader(l);
    return gr_spawn(in, &loader_class, GR_SPAWN(.args = args));
}
