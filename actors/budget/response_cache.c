/* SPDX-License-Identifier: Apache-2.0 */
/*
 * response_cache.c - gr_response_cache: LangChain's BaseCache over a store by key.
 *
 * A value in the store is {"answer", "until"?}, until in ms since 1970. What is over is left there
 * until its key is set again: stores have bounds of their own.
 */
#include <greenroom/budget.h>
#include <greenroom/runtime.h>

#include <string.h>

#include "actors/compose/steps.h"
#include "actors/store/byte_store.h"
#include "actors/store/digest.h"
#include "runtime/sched/world.h"

#define NAME_SPACE "llm"
#define NAME_SPACE_MAX 256
#define TTL_MAX_MS ((int64_t)3650 * 86400 * 1000)
#define PAGE 512

struct cache {
    int64_t hits, misses, updates;
};

static gr_ref store_of(gr_ctx *c)
{
    return gr_as_ref(gr_get(gr_args(c), "store"));
}

/* key_of gives the key of what is asked; an error value if it has none. */
static gr_value *key_of(gr_ctx *c, const gr_value *args)
{
    const char *space = gr_cstr(gr_get(gr_args(c), "name_space"), NAME_SPACE);
    gr_value *what;
    char hex[GRI_DIGEST_LEN + 1];
    bool done;

    if (gr_get(args, "prompt") == NULL)
        return gr_error(GR_ETYPE, "expected {\"prompt\", \"llm\"}");
    what = gr_list(gr_value_ref(gr_get(args, "prompt")),
                   gr_get(args, "llm") != NULL ? gr_value_ref(gr_get(args, "llm")) : gr_nil());
    done = gri_digest_value(what, hex);
    gr_value_unref(what);
    return done ? gr_strf("%s:%s", space, hex) : gri_no_memory();
}

static bool is_good(gr_ctx *c, const gr_value *kept)
{
    int64_t now = (int64_t)(gri_wall_us(gr_runtime_of(c)) / 1000);

    return gr_value_type(kept) == GR_MAP && !gr_is_nil(gr_get(kept, "answer")) &&
           gr_as_int(gr_get(kept, "until"), INT64_MAX) > now;
}

static gr_value *lookup(gr_ctx *c, void *self, const gr_value *args)
{
    struct cache *cache = self;
    gr_value *key = key_of(c, args), *err = NULL, *kept, *answer;

    if (gr_error_code(key) != GR_OK)
        return key;
    kept = gri_store_one(gr_runtime_of(c), store_of(c), key, &err);
    if (kept == NULL)
        return err;
    if (is_good(c, kept)) {
        cache->hits++;
        answer = gr_value_ref(gr_get(kept, "answer"));
    } else {
        cache->misses++;
        answer = gr_nil();
    }
    gr_value_unref(kept);
    return answer;
}

static gr_value *update(gr_ctx *c, void *self, const gr_value *args)
{
    struct cache *cache = self;
    const gr_value *answer = gr_get(args, "answer");
    int64_t ttl = gr_as_int(gr_get(gr_args(c), "ttl_ms"), 0);
    gr_value *key = key_of(c, args), *kept, *err = NULL;

    if (gr_error_code(key) != GR_OK)
        return key;
    if (gr_is_nil(answer)) {
        gr_value_unref(key);
        return gr_error(GR_EINVAL, "update: there is no answer to keep");
    }
    kept = gr_map(GR_KV("answer", gr_value_ref(answer)));
    if (ttl > 0)
        kept = gr_set(kept, "until", gr_int((int64_t)(gri_wall_us(gr_runtime_of(c)) / 1000) + ttl));
    gr_value_unref(gr_mset(gr_runtime_of(c), store_of(c), gr_list(gr_list(key, kept)), NULL, &err));
    if (err == NULL)
        cache->updates++;
    return err != NULL ? err : gr_nil();
}

static gr_value *clear(gr_ctx *c, void *self, const gr_value *args)
{
    gr_value *prefix = gr_strf("%s:", gr_cstr(gr_get(gr_args(c), "name_space"), NAME_SPACE));
    gr_value *err = NULL, *keys, *part = gr_list_n(NULL, 0);
    gr_runtime *rt = gr_runtime_of(c);

    (void)self;
    (void)args;
    keys = gr_yield_keys(rt, store_of(c), gr_cstr(prefix, ""), NULL, &err);
    for (size_t i = 0; i < gr_len(keys) && err == NULL; i++) {
        /* another name space may begin as this one does */
        if (gr_len(gr_at(keys, i)) == gr_len(prefix) + GRI_DIGEST_LEN)
            part = gr_append(part, gr_value_ref(gr_at(keys, i)));
        if (gr_error_code(part) == GR_OK && gr_len(part) < PAGE && i + 1 < gr_len(keys))
            continue; /* a broken one fails the deleting */
        gr_value_unref(gr_mdelete(rt, store_of(c), part, NULL, &err));
        part = gr_list_n(NULL, 0);
    }
    gr_value_unref(part);
    gr_value_unref(keys);
    gr_value_unref(prefix);
    return err != NULL ? err : gr_nil();
}

static gr_value *stats(gr_ctx *c, void *self, const gr_value *args)
{
    const struct cache *cache = self;

    (void)c;
    (void)args;
    return gr_map(GR_KV("hits", gr_int(cache->hits)), GR_KV("misses", gr_int(cache->misses)),
                  GR_KV("updates", gr_int(cache->updates)));
}

static const gr_method cache_methods[] = {
    { "lookup", GR_ASYNC, lookup, NULL },
    { "update", GR_ASYNC, update, NULL },
    { "clear", GR_ASYNC, clear, NULL },
    { "stats", GR_ASYNC, stats, NULL },
};
/* reentrant: many look-ups wait for the store at once */
static const gr_class cache_class =
    GR_CLASS(.name = "ResponseCache", .state_size = sizeof(struct cache), .reentrant = true,
             GR_METHODS(cache_methods));

gr_ref gr_response_cache(gr_scope *in, gr_ref store, const gr_response_cache_opts *opts)
{
    const char *space = opts != NULL && opts->name_space != NULL ? opts->name_space : NAME_SPACE;
    int64_t ttl = opts != NULL ? opts->ttl_ms : 0;
    gr_value *args;

    if (gri_ref_broken(in, store))
        return store;
    if (strlen(space) > NAME_SPACE_MAX || ttl < 0 || ttl > TTL_MAX_MS)
        args = gr_error(GR_EINVAL,
                        "response_cache: ttl_ms is 0 to ten years, name_space at most %d bytes",
                        NAME_SPACE_MAX);
    else
        args = gr_map(GR_KV("store", gr_ref_value(store)), GR_KV("name_space", gr_str(space)),
                      GR_KV("ttl_ms", gr_int(ttl)));
    return gr_spawn(in, &cache_class, GR_SPAWN(.name = "response cache", .args = args));
}
