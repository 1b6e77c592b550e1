/* SPDX-License-Identifier: Apache-2.0 */
/* scene_keep.c - stores by key, caches, limiters, breakers, conversations that are kept. */
#include "tests/torture/torture.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static gr_value *talk_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c, (void)arg, (void)input;
    return gr_message("ai", gr_str("A"));
}

static gr_ref talker(void)
{
    return gr_lambda(root, GR_ASYNC, talk_fn, NULL, NULL);
}

static gr_value *pairs(void)
{
    return gr_list(gr_list(gr_str("a"), gr_int(1)), gr_list(gr_str("b"), gr_bin("x", 1)));
}

static gr_value *keys(void)
{
    return gr_list(gr_str("a"), gr_str("c"));
}

/* uses writes and reads; what failed to be written may be missing. */
static void uses(gr_ref store)
{
    gr_value *set = answer(gr_amset(rt, store, pairs(), NULL));

    if (set != NULL)
        gives(gr_amget(rt, store, keys(), NULL), "[1,null]");
    gr_value_unref(set);
    set = answer(gr_amdelete(rt, store, gr_list(gr_str("a")), NULL));
    gr_value_unref(set);
    gr_stream_free(gr_ayield_keys(rt, store, "b", NULL));
}

static void memory_byte_store(void)
{
    uses(gr_memory_byte_store(root, GR_MEMORY_BYTE_STORE(.evicts_oldest = true)));
}

static void cache(void)
{
    gr_ref store = gr_memory_byte_store(root, NULL), c = gr_response_cache(root, store, NULL);
    gr_ref m = gr_with_cache(root, talker(), c, gr_map(GR_KV("m", gr_int(1))));

    for (int i = 0; i < 2; i++) {
        gr_value *v = answer(gr_ainvoke(rt, m, gr_str("x"), NULL));

        claim(v == NULL || gr_get(v, "content") != NULL);
        gr_value_unref(v);
    }
    gr_value_unref(answer(gr_acall(rt, c, "clear", gr_nil(), NULL)));
}

static void limiter(void)
{
    gr_ref l = gr_rate_limiter(root, GR_RATE_LIMITER(.requests_per_second = 500));
    gr_ref m = gr_with_rate_limiter(root, talker(), l, GR_LIMITED(.counts_tokens = true));
    gr_future *gone = gr_aacquire(rt, l, NULL, NULL);
    gr_value *v = answer(gr_ainvoke(rt, m, gr_str("x"), NULL));

    gr_value_unref(v);
    gr_future_free(gone);
    gr_value_unref(answer(gr_acall(rt, l, "stats", gr_nil(), NULL)));
}

static void breaker(void)
{
    gr_ref b = gr_with_breaker(root, talker(), NULL);

    gr_value_unref(answer(gr_ainvoke(rt, b, gr_str("x"), NULL)));
    gr_value_unref(answer(gr_acall(rt, b, "breaker_stats", gr_nil(), NULL)));
}

static void caching_embeddings(void)
{
    gr_ref store = gr_memory_byte_store(root, NULL);
    gr_ref e = gr_caching_embeddings(root, gr_hash_embeddings(root, 4), store, NULL);

    for (int i = 0; i < 2; i++) {
        gr_value *v = answer(
            gr_aembed_documents(rt, e, gr_list(gr_str("a"), gr_str("b"), gr_str("a")), NULL));

        claim(v == NULL || gr_len(v) == 3);
        gr_value_unref(v);
    }
}

/* ---- conversations --------------------------------------------------------------------------- */

static void converse_in_turns(gr_ref history, bool shared)
{
    gr_ref r = gr_with_message_history(root, talker(),
                                       GR_HISTORY(.history = history, .shared_turns = shared));

    for (int i = 0; i < 2; i++) {
        gr_call_opts o = { .size = sizeof(o), .config = gr_map(GR_KV("session_id", gr_str("s"))) };

        gr_value_unref(answer(gr_ainvoke(rt, r, gr_str("hi"), &o)));
    }
    gr_value_unref(answer(
        gr_acall(rt, history, "get_messages", gr_map(GR_KV("session_id", gr_str("s"))), NULL)));
}

static void converse(gr_ref history)
{
    converse_in_turns(history, false);
}

static void shared_history(void)
{
    converse_in_turns(gr_shared_history(root, gr_memory_history(root, NULL), NULL), true);
}

static void summary_history(void)
{
    gr_ref h = gr_memory_history(root, NULL);

    converse(gr_window_history(root, gr_summary_history(root, h, talker(), GR_SUMMARY(.tokens = 8)),
                               NULL));
}

/* in_folder runs `use` with a folder of its own, which is empty again afterwards. */
static void in_folder(void (*use)(const char *folder), const char *const *files)
{
    char folder[] = "/tmp/gr_torture_XXXXXX", name[64];

    if (mkdtemp(folder) == NULL)
        return;
    use(folder);
    for (; *files != NULL; files++) {
        snprintf(name, sizeof(name), "%s/%s", folder, *files);
        (void)unlink(name);
    }
    (void)rmdir(folder);
}

static void use_file_history(const char *folder)
{
    converse(gr_file_history(root, folder, GR_FILE_HISTORY(.no_sync = true)));
}

static void file_history(void)
{
    static const char *const files[] = { "s.jsonl", NULL };

    in_folder(use_file_history, files);
}

static void use_sqlite(const char *folder)
{
    char path[64];

    snprintf(path, sizeof(path), "%s/a.db", folder);
    uses(gr_sqlite_store(root, path, NULL));
    converse(gr_sqlite_history(root, path, NULL));
}

static void sqlite(void)
{
    static const char *const files[] = { "a.db", "a.db-wal", "a.db-shm", NULL };

    in_folder(use_sqlite, files);
}

static const struct scene scenes[] = {
    { "memory_byte_store", memory_byte_store, 0 },
    { "response_cache", cache, 0 },
    { "rate_limiter", limiter, 0 },
    { "breaker", breaker, 0 },
    { "caching_embeddings", caching_embeddings, 0 },
    { "summary_history", summary_history, 0 },
    { "shared_history", shared_history, 0 },
    { "file_history", file_history, SCENE_FILES },
    { "sqlite", sqlite, SCENE_FILES },
};
const struct scenes keep_scenes = SCENES(scenes);
