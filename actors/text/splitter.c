/* SPDX-License-Identifier: Apache-2.0 */
/*
 * splitter.c - gr_recursive_splitter: split.c's algorithm as an actor.
 *
 * All verbs run on the blocking pool: a text may be long, and splitting is not worth a worker.
 */
#include <greenroom/text.h>

#include <string.h>

#include "actors/text/split.h"
#include "runtime/base/alloc.h"

#define CHUNK_SIZE_DEFAULT 4000
#define CHUNK_OVERLAP_DEFAULT 200
#define SEPARATORS_MAX 32

struct splitter {
    struct gri_split_opts opts;
    const char *separators[SEPARATORS_MAX]; /* borrowed from list */
    gr_value *list;                         /* counted; NULL: the defaults */
    bool add_start_index;
};

static void drop_splitter(void *p)
{
    struct splitter *s = p;

    if (s != NULL)
        gr_value_unref(s->list);
    gri_free(s);
}

/* What is collected of one text: a list of values, gathered in an array that grows. */
struct chunks {
    gr_value **items; /* owned, each owned */
    size_t count, cap;
    const gr_value *document; /* NULL: plain strings */
    bool add_start_index;
};

static gr_code add_value(struct chunks *out, gr_value *v)
{
    if (out->count == out->cap) {
        size_t cap = out->cap == 0 ? 32 : out->cap * 2;
        gr_value **items = gri_resize(out->items, cap * sizeof(gr_value *));

        if (items == NULL) {
            gr_value_unref(v);
            return GR_ENOMEM;
        }
        out->items = items;
        out->cap = cap;
    }
    out->items[out->count++] = v;
    return GR_OK;
}

static gr_value *take_list(struct chunks *out, gr_code rc)
{
    gr_value *list;

    if (rc == GR_OK) {
        list = gr_list_n(out->items, out->count);
    } else {
        for (size_t i = 0; i < out->count; i++)
            gr_value_unref(out->items[i]);
        list = rc == GR_EINVAL ? gr_error(rc, "a text above 1 GiB") : gr_error(rc, "out of memory");
    }
    gri_free(out->items);
    return list;
}

static gr_code on_chunk(void *arg, const char *chunk, size_t len, size_t start_chars)
{
    struct chunks *out = arg;
    gr_value *v = gr_strn(chunk, len), *metadata;

    if (out->document == NULL)
        return add_value(out, v);
    metadata = gr_value_ref(gr_get(out->document, "metadata"));
    metadata = gr_merge(gr_nil(), metadata == NULL ? gr_nil() : metadata);
    if (out->add_start_index)
        metadata = gr_set(metadata, "start_index", gr_int((int64_t)start_chars));
    return add_value(out, gr_map(GR_KV("page_content", v), GR_KV("metadata", metadata),
                                 GR_KV("type", gr_str("Document"))));
}

static const struct splitter *splitter_of(gr_ctx *c)
{
    return gr_as_opaque(gr_args(c));
}

static gr_value *split_one(const struct splitter *s, const gr_value *text)
{
    struct chunks out = { .items = NULL };

    if (gr_value_type(text) != GR_STR)
        return gr_error(GR_ETYPE, "expected a text, got a value of type %s",
                        gr_type_name(gr_value_type(text)));
    return take_list(&out, gri_split(gr_cstr(text, ""), gr_len(text), &s->opts, on_chunk, &out));
}

static gr_value *split_all(gr_ctx *c, const struct splitter *s, const gr_value *documents)
{
    struct chunks out = { .add_start_index = s->add_start_index };
    gr_code rc = GR_OK;

    if (gr_value_type(documents) != GR_LIST)
        return gr_error(GR_ETYPE, "expected a list of documents, got a value of type %s",
                        gr_type_name(gr_value_type(documents)));
    for (size_t i = 0; i < gr_len(documents) && rc == GR_OK; i++) {
        const gr_value *text = gr_get(gr_at(documents, i), "page_content");

        if (gr_value_type(text) != GR_STR || gr_cancelled(c)) {
            gr_value_unref(take_list(&out, GR_ENOMEM));
            return gr_value_type(text) != GR_STR
                       ? gr_error(GR_EINVAL, "document %zu has no text under \"page_content\"",
                                  i + 1)
                       : gr_error(GR_ECANCELED, "cancelled");
        }
        out.document = gr_at(documents, i);
        rc = gri_split(gr_cstr(text, ""), gr_len(text), &s->opts, on_chunk, &out);
    }
    return take_list(&out, rc);
}

static gr_value *split_text(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    return split_one(splitter_of(c), gr_get(args, "text"));
}

static gr_value *split_documents(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    return split_all(c, splitter_of(c), gr_get(args, "documents"));
}

static gr_value *invoke(gr_ctx *c, void *self, const gr_value *input)
{
    (void)self;
    return gr_value_type(input) == GR_STR ? split_one(splitter_of(c), input)
                                          : split_all(c, splitter_of(c), input);
}

static const gr_method splitter_methods[] = {
    { "split_text", GR_BLOCKING, split_text, NULL },
    { "split_documents", GR_BLOCKING, split_documents, NULL },
    { "invoke", GR_BLOCKING, invoke, NULL },
};
static const gr_class splitter_class =
    GR_CLASS(.name = "RecursiveCharacterTextSplitter", GR_METHODS(splitter_methods));

/* read_separators gives NULL, or what is wrong with the list in s. */
static gr_value *read_separators(struct splitter *s)
{
    static const char *const defaults[] = { "\n\n", "\n", " ", "" };
    size_t count = s->list == NULL ? 4 : gr_len(s->list);

    if (s->list != NULL && (gr_value_type(s->list) != GR_LIST || count == 0))
        return gr_error_code(s->list) != GR_OK ? gr_value_ref(s->list)
                                               : gr_error(GR_EINVAL, "separators: expected a list "
                                                                     "of strings");
    if (count > SEPARATORS_MAX)
        return gr_error(GR_EINVAL, "%zu separators: at most %d", count, SEPARATORS_MAX);
    for (size_t i = 0; i < count; i++) {
        const gr_value *separator = gr_at(s->list, i);

        s->separators[i] = s->list == NULL ? defaults[i] : gr_cstr(separator, NULL);
        if (s->separators[i] == NULL ||
            (s->list != NULL && strlen(s->separators[i]) != gr_len(separator)))
            return gr_error(GR_EINVAL, "separator %zu is no string, or has a NUL byte", i + 1);
    }
    s->opts.separators = s->separators;
    s->opts.separator_count = count;
    return NULL;
}

static gr_value *read_sizes(struct splitter *s, const gr_splitter_opts *o)
{
    size_t size = o->chunk_size == 0 ? CHUNK_SIZE_DEFAULT : o->chunk_size, overlap = 0;

    if (o->chunk_overlap > 0)
        overlap = (size_t)o->chunk_overlap;
    else if (o->chunk_overlap == 0)
        overlap = size / 20 < CHUNK_OVERLAP_DEFAULT ? size / 20 : CHUNK_OVERLAP_DEFAULT;
    if (overlap > size)
        return gr_error(GR_EINVAL, "chunk_overlap %zu is larger than chunk_size %zu", overlap,
                        size);
    s->opts.chunk_size = size;
    s->opts.chunk_overlap = overlap;
    s->opts.drop_separator = o->drop_separator;
    s->opts.keep_whitespace = o->keep_whitespace;
    s->add_start_index = o->add_start_index;
    return NULL;
}

gr_ref gr_recursive_splitter(gr_scope *in, const gr_splitter_opts *opts)
{
    const gr_splitter_opts defaults = { .size = sizeof(defaults) };
    const gr_splitter_opts *o = opts == NULL ? &defaults : opts;
    struct splitter *s = gri_new0(struct splitter);
    gr_value *args;

    if (s == NULL) {
        gr_value_unref(o->separators);
        return gr_spawn(in, &splitter_class,
                        GR_SPAWN(.args = gr_error(GR_ENOMEM, "out of memory for a splitter")));
    }
    s->list = o->separators;
    args = read_separators(s);
    if (args == NULL)
        args = read_sizes(s, o);
    if (args == NULL)
        args = gr_opaque(s, drop_splitter);
    else
        drop_splitter(s);
    return gr_spawn(in, &splitter_class, GR_SPAWN(.args = args));
}
