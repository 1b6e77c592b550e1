/* SPDX-License-Identifier: Apache-2.0 */
/* mcp_resource.c - a server's resources: which there are, and what is in them. */
#include "actors/mcp/mcp_resource.h"

#include "actors/mcp/mcp_content.h"
#include "actors/mcp/mcp_list.h"

gr_value *gri_mcp_list_resources(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    (void)args;
    return gri_mcp_list(c, gr_as_opaque(gr_args(c)), "resources/list", "resources", NULL);
}

gr_value *gri_mcp_list_templates(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    (void)args;
    return gri_mcp_list(c, gr_as_opaque(gr_args(c)), "resources/templates/list",
                        "resourceTemplates", NULL);
}

static gr_value *read_one(gr_ctx *c, const char *uri)
{
    return gri_mcp_call(c, gr_as_opaque(gr_args(c)),
                        &(struct gri_mcp_call){ .method = "resources/read",
                                                .params = gr_map(GR_KV("uri", gr_str(uri))) });
}

gr_value *gri_mcp_read_resource(gr_ctx *c, void *self, const gr_value *args)
{
    const char *uri = gr_cstr(gr_get(args, "uri"), NULL);

    (void)self;
    return uri != NULL ? read_one(c, uri) : gr_error(GR_ETYPE, "expected {\"uri\": string}");
}

/* uris_of gives the URIs that are asked for, or all that the server lists. */
static gr_value *uris_of(gr_ctx *c, const gr_value *args)
{
    const gr_value *given = gr_get(args, "uris");
    gr_value *list, *uris = gr_list_n(NULL, 0);

    if (gr_value_type(given) == GR_LIST || gr_value_type(given) == GR_STR) {
        gr_value_unref(uris);
        return gr_value_type(given) == GR_LIST ? gr_value_ref(given) : gr_list(gr_value_ref(given));
    }
    list = gri_mcp_list(c, gr_as_opaque(gr_args(c)), "resources/list", "resources", NULL);
    if (gr_error_code(list) != GR_OK) {
        gr_value_unref(uris);
        return list;
    }
    for (size_t i = 0; i < gr_len(list); i++)
        if (gr_get(gr_at(list, i), "uri") != NULL)
            uris = gr_append(uris, gr_value_ref(gr_get(gr_at(list, i), "uri")));
    gr_value_unref(list);
    return uris;
}

/* What is being read of many resources. */
struct reading {
    const struct gri_mcp *s;
    gr_value *(*make)(const char *uri, const gr_value *contents);
    gr_value *all; /* owned */
    size_t bytes_left;
};

/* add_contents adds what a resource's contents become, but for nil. Takes read; NULL, or why not. */
static gr_value *add_contents(struct reading *r, const char *uri, gr_value *read)
{
    const gr_value *contents = gr_get(read, "contents");
    gr_value *err = gr_error_code(read) != GR_OK ? gr_value_ref(read) : NULL;

    if (err == NULL && gr_value_type(contents) != GR_LIST)
        err = gr_error(GR_EPROTO, "%.200s: an answer without contents", uri);
    for (size_t i = 0; err == NULL && i < gr_len(contents); i++) {
        gr_value *v = r->make(uri, gr_at(contents, i));

        err = gr_error_code(v) != GR_OK ? gr_value_ref(v)
                                        : gri_mcp_weigh(r->s, &r->bytes_left, v, "resources");
        if (err == NULL && !gr_is_nil(v))
            r->all = gr_append(r->all, v);
        else
            gr_value_unref(v);
    }
    gr_value_unref(read);
    return err;
}

static gr_value *read_all(gr_ctx *c, const gr_value *args,
                          gr_value *(*make)(const char *uri, const gr_value *contents))
{
    struct gri_mcp *s = gr_as_opaque(gr_args(c));
    struct reading r = {
        .s = s, .make = make, .all = gr_list_n(NULL, 0), .bytes_left = s->set.list_bytes_max
    };
    gr_value *uris = uris_of(c, args);
    gr_value *err = gr_error_code(uris) != GR_OK ? gr_value_ref(uris) : NULL;

    for (size_t i = 0; err == NULL && i < gr_len(uris); i++) {
        const char *uri = gr_cstr(gr_at(uris, i), NULL);

        err = uri == NULL ? gr_error(GR_ETYPE, "uri %zu is no text", i + 1)
                          : add_contents(&r, uri, read_one(c, uri));
    }
    gr_value_unref(uris);
    if (err == NULL)
        return r.all;
    gr_value_unref(r.all);
    return err;
}

gr_value *gri_mcp_read_blobs(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    return read_all(c, args, gri_mcp_blob);
}

gr_value *gri_mcp_read_documents(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    return read_all(c, args, gri_mcp_document);
}
