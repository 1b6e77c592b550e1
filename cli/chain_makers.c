/* SPDX-License-Identifier: Apache-2.0 */
/* chain_makers.c - from the keys of a kind to the constructor's options, kind by kind. */
#include <string.h>

#include "cli/chain_build.h"
#include "runtime/base/alloc.h"

static const gr_ref no_ref = { 0, 0 };

/* ---- embedders, stores, retrievers ----------------------------------------------------------- */

gr_ref gri_build_hash_embeddings(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    return gr_hash_embeddings(b->in, (unsigned)gri_arg_int(args, "dimensions", 0));
}

gr_header *gri_build_headers(const struct gri_chain_node *args, size_t more, size_t *ret_count)
{
    const struct gri_chain_node *n = gri_chain_get(args, "headers");
    size_t count = n == NULL ? 0 : n->count;
    gr_header *headers = gri_alloc_array(count + more + 1, sizeof(*headers));

    *ret_count = 0;
    if (headers == NULL)
        return NULL;
    for (size_t i = 0; i < count; i++)
        headers[i] = (gr_header){ n->items[i].key->text, gri_chain_text(n->items[i].value) };
    *ret_count = count;
    return headers;
}

int gri_build_retries(const struct gri_chain_node *args)
{
    long long retries = gri_arg_int(args, "max_retries", 2);

    return retries == 0 ? -1 : (int)retries;
}

/* note_load remembers a store's files for chain_load.c. */
static bool note_load(struct gri_chain_builder *b, gr_ref store, const struct gri_chain_node *n)
{
    if (gri_arg_int(n, "chunk_overlap", 0) > gri_arg_int(n, "chunk_size", 4000))
        gri_chain_mistake(b->report, n->at, "load: chunk_overlap is larger than chunk_size");
    if (b->load_count == b->load_cap) {
        size_t cap = b->load_cap == 0 ? 4 : b->load_cap * 2;
        struct gri_chain_load *loads = gri_resize(b->loads, cap * sizeof(*loads));

        if (loads == NULL)
            return false;
        b->loads = loads;
        b->load_cap = cap;
    }
    b->loads[b->load_count++] = (struct gri_chain_load){ store, n, b->name };
    return true;
}

gr_ref gri_build_memory_store(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    const struct gri_chain_node *load = gri_chain_get(args, "load");
    gr_ref ref = gr_memory_store(b->in, gri_build_actor(b, gri_chain_get(args, "embeddings")));

    if (load == NULL)
        return ref;
    if (load->type == GRI_CHAIN_MAP && !note_load(b, ref, load))
        return gri_build_no_memory(b, load);
    for (size_t i = 0; load->type == GRI_CHAIN_LIST && i < load->count; i++) {
        if (!note_load(b, ref, load->items[i].value))
            return gri_build_no_memory(b, load);
    }
    return ref;
}

gr_ref gri_build_retriever(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    const struct gri_chain_node *filter = gri_chain_get(args, "filter");
    gr_ref store = gri_build_actor(b, gri_chain_get(args, "store"));
    double least = 0;

    return gr_retriever(b->in, store,
                        GR_RETRIEVER(.k = (unsigned)gri_arg_int(args, "k", 0),
                                     .filter = filter != NULL ? gri_build_data(filter) : NULL,
                                     .score_min = gri_arg_real(args, "score_min", &least)));
}

gr_ref gri_build_remote(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    return gr_remote(b->in, gri_arg_text(args, "url", ""), gri_arg_text(args, "name", ""));
}

/* urls_of makes the array of a pool's URLs, which borrows its texts; *ret_count 0: none. */
static const char **urls_of(const struct gri_chain_node *n, size_t *ret_count)
{
    bool list = n != NULL && n->type == GRI_CHAIN_LIST;
    const char **urls;

    *ret_count = list ? n->count : (n != NULL ? 1 : 0);
    if (*ret_count == 0)
        return NULL;
    urls = gri_alloc_array(*ret_count, sizeof(*urls));
    for (size_t i = 0; urls != NULL && i < *ret_count; i++)
        urls[i] = gri_chain_text(list ? n->items[i].value : n);
    return urls;
}

gr_ref gri_build_pool(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    const struct gri_chain_node *routing = gri_chain_get(args, "routing");
    size_t count;
    const char **urls = urls_of(gri_chain_get(args, "urls"), &count);
    gr_ref ref;

    if (urls == NULL && count > 0)
        return gri_build_no_memory(b, args);
    if (count == 0 && gri_chain_get(b->file->node, "etcd") == NULL)
        gri_chain_mistake(
            b->report, args->at,
            "pool: nobody is known to publish \"%.60s\": urls was expected, or etcd in the "
            "file's node",
            gri_arg_text(args, "name", ""));
    ref = gr_pool(b->in, gri_arg_text(args, "name", ""),
                  GR_POOL(.routing = gri_deploy_routing(routing, GR_ROUND_ROBIN, b->report),
                          .idempotent = gri_arg_bool(args, "idempotent"), .urls = urls,
                          .url_count = count));
    gri_free(urls);
    return ref;
}

/* ---- prompts, models, parsers ---------------------------------------------------------------- */

/* partial_of makes the variables that a prompt has of its own; NULL: there are none. */
static gr_value *partial_of(const struct gri_chain_node *args)
{
    const struct gri_chain_node *partial = gri_chain_get(args, "partial");

    return partial != NULL ? gri_build_data(partial) : NULL;
}

gr_template_format gri_build_format(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    const struct gri_chain_node *n = gri_chain_get(args, "format");

    if (n == NULL || strcmp(gri_chain_text(n), "f-string") == 0)
        return GR_FSTRING;
    if (strcmp(gri_chain_text(n), "mustache") != 0)
        gri_chain_mistake(b->report, n->at,
                          "format: f-string or mustache was expected, not \"%.60s\"",
                          gri_chain_text(n));
    return GR_MUSTACHE;
}

gr_ref gri_build_prompt(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    return gr_prompt_for(
        b->in, GR_PROMPT(.partial = partial_of(args), .format = gri_build_format(b, args)),
        gri_chain_text(gri_build_arg("prompt", args, "template")));
}

/* role_of reads {role: template}, {role: blocks} or {role: {variable, n_messages}}. */
static gr_role role_of(const struct gri_chain_item *message)
{
    const struct gri_chain_node *n = message->value;
    bool map = n->type == GRI_CHAIN_MAP;

    if (n->type == GRI_CHAIN_LIST)
        return (gr_role)GR_BLOCKS(message->key->text, gri_build_data(n));
    return (gr_role){ message->key->text,
                      map ? gri_arg_text(n, "variable", NULL) : gri_chain_text(n),
                      map ? (size_t)gri_arg_int(n, "n_messages", 0) : 0, NULL };
}

gr_role *gri_build_roles(const struct gri_chain_node *n, size_t *ret_count)
{
    gr_role *roles;

    *ret_count = n == NULL ? 0 : n->count;
    if (*ret_count == 0)
        return NULL;
    roles = gri_alloc_array(*ret_count, sizeof(*roles));
    for (size_t i = 0; roles != NULL && i < *ret_count; i++)
        roles[i] = role_of(&n->items[i].value->items[0]);
    return roles;
}

gr_ref gri_build_chat_prompt(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    const struct gri_chain_node *n = gri_build_arg("chat_prompt", args, "messages");
    size_t count;
    gr_role *roles = gri_build_roles(n, &count);
    gr_ref ref;

    if (roles == NULL)
        return gri_build_no_memory(b, n);
    ref = gr_chat_prompt_for_n(
        b->in, GR_PROMPT(.partial = partial_of(args), .format = gri_build_format(b, args)), roles,
        count);
    gri_free(roles);
    return ref;
}

gr_ref gri_build_chat_model(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    const struct gri_chain_node *extra = gri_chain_get(args, "extra");
    size_t count;
    gr_header *headers = gri_build_headers(args, 0, &count);
    gr_ref limiter = gri_build_actor(b, gri_chain_get(args, "limiter"));
    gr_ref cache = gri_build_actor(b, gri_chain_get(args, "cache")), ref;
    double temperature = 0;

    if (headers == NULL)
        return gri_build_no_memory(b, args);
    ref = gr_chat_model(
        b->in,
        GR_CHAT(.url = gri_arg_text(args, "url", NULL), .model = gri_arg_text(args, "model", NULL),
                .key_env = gri_arg_text(args, "key_env", NULL),
                .provider = gri_arg_text(args, "provider", NULL),
                .api_version = gri_arg_text(args, "api_version", NULL),
                .no_streaming = gri_arg_bool(args, "no_streaming"),
                .no_tool_streaming = gri_arg_bool(args, "no_tool_streaming"),
                .http2 = gri_arg_bool(args, "http2"),
                .use_responses_api = gri_arg_bool(args, "use_responses_api"),
                .temperature = gri_arg_real(args, "temperature", &temperature),
                .max_tokens = (unsigned)gri_arg_int(args, "max_tokens", 0),
                .timeout_ms = gri_arg_int(args, "timeout_ms", 0),
                .idle_ms = gri_arg_int(args, "idle_ms", 0), .max_retries = gri_build_retries(args),
                .max_concurrency = (unsigned)gri_arg_int(args, "max_concurrency", 0),
                .limiter = limiter, .cache = cache, .headers = headers, .header_count = count,
                .extra = extra != NULL ? gri_build_data(extra) : NULL));
    gri_free(headers);
    return ref;
}

gr_ref gri_build_extractive_model(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    double least = 0;

    (void)gri_arg_real(args, "score_min", &least);
    return gr_extractive_model(
        b->in, GR_EXTRACTIVE(.sentences_max = (unsigned)gri_arg_int(args, "sentences_max", 0),
                             .score_min = least));
}

gr_ref gri_build_str_parser(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    (void)args;
    return gr_str_parser(b->in);
}

gr_ref gri_build_json_parser(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    return gr_json_parser_for(b->in, GR_JSON_PARSER(.diff = gri_arg_bool(args, "diff")));
}

gr_ref gri_build_comma_list_parser(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    (void)args;
    return gr_comma_list_parser(b->in);
}

gr_ref gri_build_numbered_list_parser(struct gri_chain_builder *b,
                                      const struct gri_chain_node *args)
{
    (void)args;
    return gr_numbered_list_parser(b->in);
}

gr_ref gri_build_markdown_list_parser(struct gri_chain_builder *b,
                                      const struct gri_chain_node *args)
{
    (void)args;
    return gr_markdown_list_parser(b->in);
}

gr_ref gri_build_format_docs(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    (void)args;
    return gr_format_docs(b->in);
}

/* ---- texts ----------------------------------------------------------------------------------- */

gr_ref gri_build_splitter(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    long long overlap = gri_arg_int(args, "chunk_overlap", -1);

    return gr_recursive_splitter(
        b->in, GR_SPLITTER(.chunk_size = (size_t)gri_arg_int(args, "chunk_size", 0),
                           .chunk_overlap = overlap < 0    ? 0
                                            : overlap == 0 ? -1
                                                           : overlap,
                           .separators = gri_build_texts(gri_chain_get(args, "separators")),
                           .add_start_index = gri_arg_bool(args, "add_start_index")));
}

gr_ref gri_build_directory_loader(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    char *path = gri_build_path(b, gri_chain_get(args, "path"));
    gr_ref ref;

    if (path == NULL)
        return no_ref;
    ref = gr_directory_loader(
        b->in, path,
        GR_LOADER(.suffixes = gri_build_texts(gri_chain_get(args, "suffixes")),
                  .file_bytes_max = (size_t)gri_arg_int(args, "file_bytes_max", 0),
                  .files_max = (size_t)gri_arg_int(args, "files_max", 0),
                  .depth_max = (unsigned)gri_arg_int(args, "depth_max", 0),
                  .skip_errors = gri_arg_bool(args, "skip_errors")));
    gri_free(path);
    return ref;
}
