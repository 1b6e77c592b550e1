/* SPDX-License-Identifier: Apache-2.0 */
/* chain_compose.c - the compositions: from the keys of a kind to the constructor's options. */
#include <string.h>

#include "cli/chain_build.h"
#include "runtime/base/alloc.h"

static gr_ref actor_of(struct gri_chain_builder *b, const char *kind,
                       const struct gri_chain_node *args, const char *key)
{
    return gri_build_actor(b, gri_build_arg(kind, args, key));
}

/* make_list builds the actors of a list, and what `make` makes of them. */
static gr_ref make_list(struct gri_chain_builder *b, const struct gri_chain_node *n,
                        gr_ref (*make)(gr_scope *in, const gr_ref *refs, size_t count))
{
    gr_ref *refs = gri_alloc_array(n->count, sizeof(*refs));
    gr_ref ref;

    if (refs == NULL)
        return gri_build_no_memory(b, n);
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
        return gri_build_no_memory(b, n);
    for (size_t i = 0; i < n->count; i++)
        steps[i] = (gr_step){ n->items[i].key->text, gri_build_actor(b, n->items[i].value) };
    ref = make(b->in, steps, n->count);
    gri_free(steps);
    return ref;
}

gr_ref gri_build_sequence(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    return make_list(b, gri_build_arg("sequence", args, "steps"), gr_seq_n);
}

gr_ref gri_build_parallel(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    return make_steps(b, args, gr_parallel_n);
}

gr_ref gri_build_assign(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    return make_steps(b, args, gr_assign_n);
}

gr_ref gri_build_router(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    return make_steps(b, args, gr_router_n);
}

gr_ref gri_build_each(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    return gr_each(b->in, actor_of(b, "each", args, "runnable"));
}

gr_ref gri_build_branch(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    const struct gri_chain_node *list = gri_chain_get(args, "arms");
    gr_arm *arms = gri_alloc_array(list->count, sizeof(*arms));
    gr_ref otherwise, ref;

    if (arms == NULL)
        return gri_build_no_memory(b, list);
    for (size_t i = 0; i < list->count; i++) {
        const struct gri_chain_node *arm = list->items[i].value;

        arms[i].condition = gri_build_actor(b, gri_chain_get(arm, "if"));
        arms[i].runnable = gri_build_actor(b, gri_chain_get(arm, "then"));
    }
    otherwise = gri_build_actor(b, gri_chain_get(args, "otherwise"));
    ref = gr_branch_n(b->in, otherwise, arms, list->count);
    gri_free(arms);
    return ref;
}

gr_ref gri_build_passthrough(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    const struct gri_chain_node *tap = gri_chain_get(args, "tap");

    return tap != NULL ? gr_passthrough_tap(b->in, gri_build_actor(b, tap)) : gr_passthrough(b->in);
}

gr_ref gri_build_pick(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    const struct gri_chain_node *n = gri_build_arg("pick", args, "key");
    const char **keys;
    size_t count;
    gr_ref ref;

    if (n->type == GRI_CHAIN_SCALAR)
        return gr_pick(b->in, gri_chain_text(n));
    keys = gri_build_names(n, &count);
    if (keys == NULL)
        return gri_build_no_memory(b, n);
    ref = gr_pick_n(b->in, keys, count);
    gri_free(keys);
    return ref;
}

/* ---- what is laid round a runnable ----------------------------------------------------------- */

gr_ref gri_build_bind(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    return gr_bind(b->in, gri_build_actor(b, gri_chain_get(args, "runnable")),
                   gri_build_data(gri_chain_get(args, "kwargs")));
}

gr_ref gri_build_with_config(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    return gr_with_config(b->in, gri_build_actor(b, gri_chain_get(args, "runnable")),
                          gri_build_data(gri_chain_get(args, "config")));
}

gr_ref gri_build_with_types(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    const struct gri_chain_node *input = gri_chain_get(args, "input_schema");
    const struct gri_chain_node *output = gri_chain_get(args, "output_schema");

    return gr_with_types(b->in, gri_build_actor(b, gri_chain_get(args, "runnable")),
                         input != NULL ? gri_build_data(input) : NULL,
                         output != NULL ? gri_build_data(output) : NULL);
}

/* wait_of turns "none", 0 in a file, into the library's negative number. */
static int64_t wait_of(const struct gri_chain_node *args, const char *key)
{
    long long ms = gri_arg_int(args, key, -1);

    return ms < 0 ? 0 : ms == 0 ? -1 : ms;
}

gr_ref gri_build_with_retry(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    const struct gri_chain_node *named = gri_chain_get(args, "errors");
    gr_ref inner = gri_build_actor(b, gri_chain_get(args, "runnable")), ref;
    double base = 0;
    size_t count;
    const char **errors = gri_build_names(named, &count);

    if (errors == NULL && named != NULL)
        return gri_build_no_memory(b, named);
    (void)gri_arg_real(args, "exp_base", &base);
    ref = gr_with_retry(b->in, inner,
                        GR_RETRY(.attempts = (unsigned)gri_arg_int(args, "attempts", 0),
                                 .backoff_ms = wait_of(args, "backoff_ms"),
                                 .backoff_max_ms = gri_arg_int(args, "backoff_max_ms", 0),
                                 .jitter_ms = wait_of(args, "jitter_ms"),
                                 .all_errors = gri_arg_bool(args, "all_errors"), .errors = errors,
                                 .error_count = count, .exp_base = base));
    gri_free(errors);
    return ref;
}

gr_ref gri_build_with_fallbacks(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    const struct gri_chain_node *list = gri_build_arg("with_fallbacks", args, "runnables");
    const struct gri_chain_node *named = gri_chain_get(args, "errors");
    gr_ref *refs = gri_alloc_array(list->count, sizeof(*refs)), ref;
    size_t count;
    const char **errors = gri_build_names(named, &count);

    if (refs == NULL || (errors == NULL && named != NULL)) {
        gri_free(refs);
        gri_free(errors);
        return gri_build_no_memory(b, list);
    }
    for (size_t i = 0; i < list->count; i++)
        refs[i] = gri_build_actor(b, list->items[i].value);
    ref = gr_with_fallbacks_for_n(
        b->in,
        GR_FALLBACKS(.errors = errors, .error_count = count,
                     .exception_key = gri_arg_text(args, "exception_key", NULL)),
        refs, list->count);
    gri_free(refs);
    gri_free(errors);
    return ref;
}

gr_ref gri_build_configurable_alternatives(struct gri_chain_builder *b,
                                           const struct gri_chain_node *args)
{
    const struct gri_chain_node *map = gri_chain_get(args, "alternatives");
    gr_ref otherwise = gri_build_actor(b, gri_chain_get(args, "otherwise")), ref;
    gr_step *steps = gri_alloc_array(map->count, sizeof(*steps));

    if (steps == NULL)
        return gri_build_no_memory(b, map);
    for (size_t i = 0; i < map->count; i++)
        steps[i] = (gr_step){ map->items[i].key->text, gri_build_actor(b, map->items[i].value) };
    ref = gr_configurable_alternatives_n(
        b->in, otherwise,
        GR_ALTERNATIVES(.id = gri_arg_text(args, "id", NULL),
                        .default_key = gri_arg_text(args, "default_key", NULL),
                        .prefix_keys = gri_arg_bool(args, "prefix_keys"),
                        .is_shared = gri_arg_bool(args, "is_shared"),
                        .name = gri_arg_text(args, "name", NULL),
                        .description = gri_arg_text(args, "description", NULL)),
        steps, map->count);
    gri_free(steps);
    return ref;
}

gr_ref gri_build_memory_history(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    return gr_memory_history(
        b->in, GR_MEMORY_HISTORY(.sessions_max = (size_t)gri_arg_int(args, "sessions_max", 0),
                                 .messages_max = (size_t)gri_arg_int(args, "messages_max", 0),
                                 .bytes_max = (size_t)gri_arg_int(args, "bytes_max", 0)));
}

gr_ref gri_build_with_message_history(struct gri_chain_builder *b,
                                      const struct gri_chain_node *args)
{
    const struct gri_chain_node *named = gri_chain_get(args, "ids");
    gr_ref runnable = gri_build_actor(b, gri_chain_get(args, "runnable"));
    gr_ref history = gri_build_actor(b, gri_chain_get(args, "history")), ref;
    size_t count;
    const char **ids = gri_build_names(named, &count);

    if (ids == NULL && named != NULL)
        return gri_build_no_memory(b, named);
    ref = gr_with_message_history(
        b->in, runnable,
        GR_HISTORY(.history = history,
                   .input_messages_key = gri_arg_text(args, "input_messages_key", NULL),
                   .output_messages_key = gri_arg_text(args, "output_messages_key", NULL),
                   .history_messages_key = gri_arg_text(args, "history_messages_key", NULL),
                   .ids = ids, .id_count = count, .overlaps = gri_arg_bool(args, "overlaps"),
                   .shared_turns = gri_arg_bool(args, "shared_turns")));
    gri_free(ids);
    return ref;
}
