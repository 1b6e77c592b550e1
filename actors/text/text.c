/* SPDX-License-Identifier: Apache-2.0 */
/* text.c - documents, and the loaders' and splitters' verbs, plain and a-twins. */
#include <greenroom/text.h>

#include "actors/prompt/template.h"

gr_value *gr_document(const char *text, gr_value *metadata, const char *id)
{
    gr_value *doc =
        gr_map(GR_KV("page_content", gr_str(text)),
               GR_KV("metadata", gr_merge(gr_nil(), metadata == NULL ? gr_nil() : metadata)),
               GR_KV("type", gr_str("Document")));

    return id == NULL ? doc : gr_set(doc, "id", gr_str(id));
}

/* ---- the verbs ------------------------------------------------------------------------------- */

static gr_value *one(const char *key, gr_value *v)
{
    return gr_map(GR_KV(key, v));
}

gr_value *gr_split_text(gr_runtime *rt, gr_ref splitter, const char *text, const gr_call_opts *opts,
                        gr_value **reterr)
{
    return gr_do(rt, splitter, "split_text", one("text", gr_str(text)), opts, reterr);
}

gr_future *gr_asplit_text(gr_runtime *rt, gr_ref splitter, const char *text,
                          const gr_call_opts *opts)
{
    return gr_acall(rt, splitter, "split_text", one("text", gr_str(text)), opts);
}

gr_value *gr_split_documents(gr_runtime *rt, gr_ref splitter, gr_value *documents,
                             const gr_call_opts *opts, gr_value **reterr)
{
    return gr_do(rt, splitter, "split_documents", one("documents", documents), opts, reterr);
}

gr_future *gr_asplit_documents(gr_runtime *rt, gr_ref splitter, gr_value *documents,
                               const gr_call_opts *opts)
{
    return gr_acall(rt, splitter, "split_documents", one("documents", documents), opts);
}

gr_value *gr_load(gr_runtime *rt, gr_ref loader, const gr_call_opts *opts, gr_value **reterr)
{
    return gr_do(rt, loader, "load", gr_map_n(NULL, 0), opts, reterr);
}

gr_future *gr_aload(gr_runtime *rt, gr_ref loader, const gr_call_opts *opts)
{
    return gr_acall(rt, loader, "load", gr_map_n(NULL, 0), opts);
}

gr_stream *gr_alazy_load(gr_runtime *rt, gr_ref loader, const gr_call_opts *opts)
{
    return gr_astream_call(rt, loader, "lazy_load", gr_map_n(NULL, 0), NULL, opts);
}

gr_code gr_lazy_load(gr_runtime *rt, gr_ref loader, const gr_call_opts *opts, gr_chunk_fn *fn,
                     void *arg, gr_value **reterr)
{
    gr_stream *s = gr_alazy_load(rt, loader, opts);
    gr_code rc;

    for (;;) {
        gr_outcome o = gr_next(s, -1);

        rc = o.code;
        if (rc == GR_EOS)
            rc = GR_OK;
        else if (rc != GR_OK && reterr != NULL)
            *reterr = o.error != NULL ? gr_value_ref(o.error) : gr_error(rc, "the load failed");
        if (o.code != GR_OK || !fn(arg, o.value))
            break;
    }
    gr_stream_free(s);
    return rc;
}

/* ---- gr_format_docs -------------------------------------------------------------------------- */

static gr_value *format_docs(gr_ctx *c, void *self, const gr_value *input)
{
    struct gri_strbuf b = GRI_STRBUF_INIT;

    (void)c;
    (void)self;
    if (gr_value_type(input) != GR_LIST)
        return gr_error(GR_ETYPE, "expected a list of documents, got a value of type %s",
                        gr_type_name(gr_value_type(input)));
    for (size_t i = 0; i < gr_len(input); i++) {
        const gr_value *doc = gr_at(input, i), *text = gr_get(doc, "page_content");
        const gr_value *source = gr_get(gr_get(doc, "metadata"), "source");

        if (gr_value_type(text) != GR_STR) {
            gri_strbuf_fini(&b);
            return gr_error(GR_ETYPE, "item %zu is no document", i + 1);
        }
        if (gr_is_nil(source))
            source = gr_get(doc, "id");
        gri_strbuf_adds(&b, i == 0 ? "[" : "\n\n[");
        if (gr_is_nil(source))
            gri_strbuf_addf(&b, "%zu", i + 1);
        else
            gri_print_value(&b, source);
        gri_strbuf_adds(&b, "]\n");
        gri_strbuf_add(&b, gr_cstr(text, ""), gr_len(text));
    }
    return gri_strbuf_value(&b);
}

static const gr_method format_docs_methods[] = { { "invoke", GR_CHEAP, format_docs, NULL } };
static const gr_class format_docs_class =
    GR_CLASS(.name = "format_docs", GR_METHODS(format_docs_methods));

gr_ref gr_format_docs(gr_scope *in)
{
    return gr_spawn(in, &format_docs_class, NULL);
}
