/* SPDX-License-Identifier: Apache-2.0 */
/* chain_makers.c - from the keys of a kind to the constructor's options, kind by kind. */
#include <string.h>

#include "cli/chain_build.h"
#include "runtime/base/alloc.h"

static const gr_ref no_ref = { 0, 0 };

/* refused tells that memory ran out while an actor was made. */
static gr_ref refused(struct gri_chain_builder *b, const struct gri_chain_node *n)
{
    gri_chain_mistake(b->report, n->at, "out of memory");
    return no_ref;
}

/* arg_of finds a key that may stand alone. */
static const struct gri_chain_node *arg_of(const char *kind, const struct gri_chain_node *args,
                                           const char *key)
{
    return gri_chain_arg_of(gri_chain_kind_find(kind), args, key);
}

/* ---- embedders, stores, retrievers ----------------------------------------------------------- */

gr_ref gri_build_hash_embeddings(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    return gr_hash_embeddings(b->in, (unsigned)gri_arg_int(args, "dimensions", 0));
}

/* headers_of makes the array of an actor's headers, which borrows its texts; *ret_count 0: none. */
static gr_header *headers_of(const struct gri_chain_node *args, size_t *ret_count)
{
    const struct gri_chain_node *n = gri_chain_get(args, "headers");
    gr_header *headers;

    *ret_count = 0;
    if (n == NULL || n->count == 0)
        return NULL;
    headers = gri_alloc_array(n->count, sizeof(*headers));
    if (headers == NULL)
        return NULL;
    for (size_t i = 0; i < n->count; i++)
        headers[i] = (gr_header){ n->items[i].key->text, gri_chain_text(n->items[i].value) };
    *ret_count = n->count;
    return headers;
}

/* retries_of turns "none", 0 in a file, into the library's negative number. */
static int retries_of(const struct gri_chain_node *args)
{
    long long retries = gri_arg_int(args, "max_retries", 2);

    return retries == 0 ? -1 : (int)retries;
}

gr_ref gri_build_openai_embeddings(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    const struct gri_chain_node *wanted = gri_chain_get(args, "headers");
    size_t count;
    gr_header *headers = headers_of(args, &count);
    gr_ref ref;

    if (headers == NULL && wanted != NULL && wanted->count > 0)
        return refused(b, args);
    ref = gr_openai_embeddings(
        b->in,
        GR_EMBEDDINGS(.url = gri_arg_text(args, "url", NULL),
                      .model = gri_arg_text(args, "model", NULL),
                      .key_env = gri_arg_text(args, "key_env", NULL),
                      .dimensions = (unsigned)gri_arg_int(args, "dimensions", 0),
                      .batch = (unsigned)gri_arg_int(args, "batch", 0),
                      .timeout_ms = gri_arg_int(args, "timeout_ms", 0),
                      .max_retries = retries_of(args), .headers = headers, .header_count = count));
    gri_free(headers);
    return ref;
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
        return refused(b, load);
    for (size_t i = 0; load->type == GRI_CHAIN_LIST && i < load->count; i++) {
        if (!note_load(b, ref, load->items[i].value))
            return refused(b, load);
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

/* ---- prompts, models, parsers ---------------------------------------------------------------- */

gr_ref gri_build_prompt(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    return gr_prompt(b->in, gri_chain_text(arg_of("prompt", args, "template")));
}

gr_ref gri_build_chat_prompt(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    const struct gri_chain_node *n = arg_of("chat_prompt", args, "messages");
    gr_role *roles = gri_alloc_array(n->count, sizeof(*roles));
    gr_ref ref;

    if (roles == NULL)
        return refused(b, n);
    for (size_t i = 0; i < n->count; i++) {
        const struct gri_chain_item *message = &n->items[i].value->items[0];

        roles[i] = (gr_role){ message->key->text, gri_chain_text(message->value) };
    }
    ref = gr_chat_prompt_n(b->in, roles, n->count);
    gri_free(roles);
    return ref;
}

gr_ref gri_build_chat_model(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    const struct gri_chain_node *extra = gri_chain_get(args, "extra");
    const struct gri_chain_node *wanted = gri_chain_get(args, "headers");
    size_t count;
    gr_header *headers = headers_of(args, &count);
    double temperature = 0;
    gr_ref ref;

    if (headers == NULL && wanted != NULL && wanted->count > 0)
        return refused(b, args);
    ref = gr_chat_model(
        b->in,
        GR_CHAT(.url = gri_arg_text(args, "url", NULL), .model = gri_arg_text(args, "model", NULL),
                .key_env = gri_arg_text(args, "key_env", NULL),
                .temperature = gri_arg_real(args, "temperature", &temperature),
                .max_tokens = (unsigned)gri_arg_int(args, "max_tokens", 0),
                .timeout_ms = gri_arg_int(args, "timeout_ms", 0),
                .idle_ms = gri_arg_int(args, "idle_ms", 0), .max_retries = retries_of(args),
                .max_concurrency = (unsigned)gri_arg_int(args, "max_concurrency", 0),
                .headers = headers, .header_count = count,
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

gr_ref gri_build_format_docs(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    (void)args;
    return gr_format_docs(b->in);
}

/* ---- compositions ---------------------------------------------------------------------------- */

/* make_list builds the actors of a list, and what `make` makes of them. */
static gr_ref make_list(struct gri_chain_builder *b, const struct gri_chain_node *n,
                        gr_ref (*make)(gr_scope *in, const gr_ref *refs, size_t count))
{
    gr_ref *refs = gri_alloc_array(n->count, sizeof(*refs));
    gr_ref ref;

    if (refs == NULL)
        return refused(b, n);
    for (size_t i = 0; i < n->count; i++)
        refs[i] = gri_build_actor(b, n->items[i].value);
    ref = make(b->in, refs, n->count);
    gri_free(refs);
    return ref;
}

/* make_steps does so with a map. */
static gr_ref make_steps(struct gri_chain_builder *b, const struct gri_chain_node *n,
                         gr_ref (*make)(gr_scope *in, const gr_step *steps, size_t count))
{
    gr_step *steps = gri_alloc_array(n->count, sizeof(*steps));
    gr_ref ref;

    if (steps == NULL)
        return refused(b, n);
    for (size_t i = 0; i < n->count; i++)
        steps[i] = (gr_step){ n->items[i].key->text, gri_build_actor(b, n->items[i].value) };
    ref = make(b->in, steps, n->count);
    gri_free(steps);
    return ref;
}

gr_ref gri_build_sequence(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    return make_list(b, arg_of("sequence", args, "steps"), gr_seq_n);
}

gr_ref gri_build_with_fallbacks(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    return make_list(b, arg_of("with_fallbacks", args, "runnables"), gr_with_fallbacks_n);
}

gr_ref gri_build_parallel(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    return make_steps(b, args, gr_parallel_n);
}

gr_ref gri_build_assign(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    return make_steps(b, args, gr_assign_n);
}

gr_ref gri_build_passthrough(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    (void)args;
    return gr_passthrough(b->in);
}

gr_ref gri_build_pick(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    return gr_pick(b->in, gri_chain_text(arg_of("pick", args, "key")));
}

/* wait_of turns "none", 0 in a file, into the library's negative number. */
static int64_t wait_of(const struct gri_chain_node *args, const char *key)
{
    long long ms = gri_arg_int(args, key, -1);

    return ms < 0 ? 0 : ms == 0 ? -1 : ms;
}

gr_ref gri_build_with_retry(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    gr_ref inner = gri_build_actor(b, gri_chain_get(args, "runnable"));

    return gr_with_retry(b->in, inner,
                         GR_RETRY(.attempts = (unsigned)gri_arg_int(args, "attempts", 0),
                                  .backoff_ms = wait_of(args, "backoff_ms"),
                                  .backoff_max_ms = gri_arg_int(args, "backoff_max_ms", 0),
                                  .jitter_ms = wait_of(args, "jitter_ms"),
                                  .all_errors = gri_arg_bool(args, "all_errors")));
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
