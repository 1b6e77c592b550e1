/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keep.c - what it costs to be granted a call, and to find an answer or a vector that is kept: what a model's call has
 * in front of it, and what it has instead.
 *
 * Beside each is, in the same round, the least that it can be held to: a call of an actor that does nothing, here or in the
 * other process; SQLite's own select by a prepared statement, on the thread that asks.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/bench.h"
#include "bench/child.h"

#if defined(GR_SQLITE3)
#include <sqlite3.h>
#endif

#define LAP 16
#define RATE 1e9  /* nobody waits */
#define KEPT 1000 /* answers in the store */

/* ---- rounds of calls ------------------------------------------------------------------------- */

/* What is called: a verb of an actor, with what args_of makes for the i-th call. */
struct calls {
    gr_ref to;
    const char *verb;
    gr_value *(*args_of)(long i);
};

static void one_by_one(struct bench_run *b, gr_ctx *c, void *arg)
{
    const struct calls *k = arg;
    bool ok = true;

    (void)c;
    bench_begin(b);
    for (long i = 0; i < b->n && ok; i++) {
        ok = bench_take(b, gr_acall(b->rt, k->to, k->verb, k->args_of(i), NULL));
        if ((i + 1) % LAP == 0)
            bench_lap(b, LAP);
    }
    bench_end(b);
}

/* ns_of makes a round's calls apart from the benchmark's own: nanoseconds for one. */
static double ns_of(struct bench_run *b, struct calls *k)
{
    struct bench_run apart = *b;

    apart.samples = NULL;
    bench_in_handler(&apart, one_by_one, k);
    if (apart.failed)
        bench_fail(b, "what it is measured against", NULL);
    return bench_seconds(&apart) * 1e9 / (double)b->n;
}

/* against makes the calls, and before them and after them half of those beside which they are measured. */
static void against(struct bench_run *b, struct calls *k, struct calls *beside, const char *name)
{
    double ns = ns_of(b, beside) / 2, own;

    bench_in_handler(b, one_by_one, k);
    ns += ns_of(b, beside) / 2;
    own = bench_seconds(b) * 1e9 / (double)b->n;
    bench_note(b, name, ns);
    bench_note(b, "ratio", own / ns);
}

static gr_value *nothing(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c, (void)args;
    ++*(int64_t *)self;
    return gr_bool(true);
}

static const gr_method empty_methods[] = { { "acquire", GR_ASYNC, nothing, NULL } };
static const gr_class empty_class =
    GR_CLASS(.name = "Empty", .state_size = sizeof(int64_t), GR_METHODS(empty_methods));

static gr_value *want(long i)
{
    (void)i;
    return gr_map(GR_KV("requests", gr_real(1)), GR_KV("tokens", gr_real(100)));
}

static gr_ref fast_limiter(gr_scope *s)
{
    return gr_rate_limiter(s, GR_RATE_LIMITER(.requests_per_second = RATE, .requests_burst = RATE,
                                              .tokens_per_minute = RATE, .tokens_burst = RATE,
                                              .starts_full = true));
}

/* ---- limiters -------------------------------------------------------------------------------- */

static void limiter_acquire(struct bench_run *b)
{
    gr_scope *s = gr_scope_new(gr_root(b->rt));

    against(b, &(struct calls){ fast_limiter(s), "acquire", want },
            &(struct calls){ gr_spawn(s, &empty_class, NULL), "acquire", want }, "ask_ns");
    gr_scope_free(s);
}

gr_code bench_keep_publish(gr_runtime *rt)
{
    gr_scope *in = gr_root(rt);
    gr_code rc = gr_publish(rt, "limiter", fast_limiter(in));

    return rc == GR_OK ? gr_publish(rt, "empty", gr_spawn(in, &empty_class, NULL)) : rc;
}

static void limiter_acquire_ipc(struct bench_run *b)
{
    struct bench_child ch = BENCH_CHILD;
    gr_scope *s = gr_scope_new(gr_root(b->rt));
    char url[64];

    snprintf(url, sizeof(url), "ipc:///tmp/greenroom-bench-keep-%ld", (long)getpid());
    if (!bench_child_start(&ch, "--serve", url))
        bench_fail(b, "the other process", NULL);
    else if (bench_take(b, gr_acall(b->rt, gr_remote(s, url, "limiter"), "acquire", want(0), NULL)))
        against(b, &(struct calls){ gr_remote(s, url, "limiter"), "acquire", want },
                &(struct calls){ gr_remote(s, url, "empty"), "acquire", want }, "ask_ns");
    gr_scope_free(s);
    bench_child_stop(&ch);
    unlink(url + strlen("ipc://"));
}

/* ---- caches ---------------------------------------------------------------------------------- */

/* question is one of so many. */
static gr_value *question(long i)
{
    return gr_list(gr_message("system", gr_str("Be brief.")),
                   gr_message("human", gr_strf("What is the %ldth of the things that an actor does "
                                               "with a message, and why?",
                                               i % KEPT)));
}

static gr_value *reply(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c, (void)input;
    if (arg != NULL)
        ++*(_Atomic long *)arg;
    return gr_set(
        gr_message("ai", gr_str("It handles it, for otherwise it would not have been sent one. "
                                "Then it takes the next one, if there is one.")),
        "usage_metadata",
        gr_map(GR_KV("input_tokens", gr_int(30)), GR_KV("output_tokens", gr_int(25)),
               GR_KV("total_tokens", gr_int(55))));
}

/* fill has all questions asked once. */
static void fill(struct bench_run *b, gr_ref model)
{
    for (long i = 0; i < KEPT && !b->failed; i++)
        bench_take(b, gr_ainvoke(b->rt, model, question(i), NULL));
}

/* hits measures a cache over store beside a lambda that answers at once. */
static void hits(struct bench_run *b, gr_scope *s, gr_ref store, const char *name,
                 double (*least)(void))
{
    static _Atomic long asked;
    gr_ref model = gr_with_cache(s, gr_lambda(s, GR_ASYNC, reply, NULL, (void *)&asked),
                                 gr_response_cache(s, store, NULL), gr_str("settings"));
    struct calls k = { model, "invoke", question };

    fill(b, model);
    asked = 0;
    if (least != NULL) {
        double ns = least() / 2;

        bench_in_handler(b, one_by_one, &k);
        ns += least() / 2;
        bench_note(b, name, ns);
        bench_note(b, "ratio", bench_seconds(b) * 1e9 / (double)b->n / ns);
    } else {
        against(b, &k,
                &(struct calls){ gr_lambda(s, GR_ASYNC, reply, NULL, NULL), "invoke", question },
                name);
    }
    if (asked != 0)
        bench_fail(b, "a cache that forgets", NULL);
}

static void cache_hit_memory(struct bench_run *b)
{
    gr_scope *s = gr_scope_new(gr_root(b->rt));

    hits(b, s, gr_memory_byte_store(s, NULL), "invoke_ns", NULL);
    gr_scope_free(s);
}

#if defined(GR_SQLITE3)

static char path[64];

/* select_ns is what SQLite itself takes to find one of the rows by its key, and to copy its value. */
static double select_ns(void)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *keys = NULL, *one = NULL;
    char key[KEPT][80], value[4096];
    int count = 0, found = 0, n = 20000;
    uint64_t begin;

    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(db, "SELECT key FROM greenroom_store", -1, &keys, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(db, "SELECT form, value FROM greenroom_store WHERE key = ?", -1, &one,
                           NULL) != SQLITE_OK) {
        sqlite3_close(db);
        return 0;
    }
    while (count < KEPT && sqlite3_step(keys) == SQLITE_ROW)
        snprintf(key[count++], sizeof(key[0]), "%s", (const char *)sqlite3_column_text(keys, 0));
    sqlite3_finalize(keys);
    begin = gri_clock_ns();
    for (int i = 0; i < n && count > 0; i++) {
        int size;

        sqlite3_bind_text(one, 1, key[i % count], -1, SQLITE_STATIC);
        if (sqlite3_step(one) == SQLITE_ROW) {
            size = sqlite3_column_bytes(one, 1);
            memcpy(value, sqlite3_column_blob(one, 1),
                   (size_t)size < sizeof(value) ? (size_t)size : sizeof(value));
            found++;
        }
        sqlite3_reset(one);
    }
    begin = gri_clock_ns() - begin;
    sqlite3_finalize(one);
    sqlite3_close(db);
    return found == n ? (double)begin / n : 0;
}

static void remove_database(void)
{
    char with[80];

    unlink(path);
    snprintf(with, sizeof(with), "%s-wal", path);
    unlink(with);
    snprintf(with, sizeof(with), "%s-shm", path);
    unlink(with);
}

static void cache_hit_sqlite(struct bench_run *b)
{
    gr_scope *s = gr_scope_new(gr_root(b->rt));

    snprintf(path, sizeof(path), "/tmp/greenroom-bench-keep-%ld.db", (long)getpid());
    hits(b, s, gr_sqlite_store(s, path, NULL), "select_ns", select_ns);
    gr_scope_free(s);
    remove_database();
}

#endif

/* ---- embedders ------------------------------------------------------------------------------- */

static gr_value *text(long i)
{
    return gr_map(
        GR_KV("texts", gr_list(gr_strf("An actor has a mailbox, number %ld.", i % KEPT))));
}

/* The vectors are of 384 dimensions; hashing them anew is what the cache spares here, and a request elsewhere. */
static void embed_hit_memory(struct bench_run *b)
{
    gr_scope *s = gr_scope_new(gr_root(b->rt));
    gr_ref hashing = gr_hash_embeddings(s, 384);
    gr_ref cached = gr_caching_embeddings(s, hashing, gr_memory_byte_store(s, NULL), NULL);

    for (long i = 0; i < KEPT && !b->failed; i++)
        bench_take(b, gr_acall(b->rt, cached, "embed_documents", text(i), NULL));
    against(b, &(struct calls){ cached, "embed_documents", text },
            &(struct calls){ hashing, "embed_documents", text }, "hash_ns");
    gr_scope_free(s);
}

const struct bench bench_keep[] = {
    { .name = "limiter_acquire",
      .what = "a request and its tokens are granted, nobody waits",
      .n = 100000,
      .run = limiter_acquire },
    { .name = "limiter_acquire_ipc",
      .what = "the same by the limiter of another process",
      .n = 5000,
      .run = limiter_acquire_ipc },
    { .name = "cache_hit_memory",
      .what = "an answer is found, in memory",
      .n = 20000,
      .run = cache_hit_memory },
#if defined(GR_SQLITE3)
    { .name = "cache_hit_sqlite",
      .what = "an answer is found, in SQLite",
      .n = 10000,
      .run = cache_hit_sqlite },
#endif
    { .name = "embed_hit_memory",
      .what = "a vector of 384 numbers is found, in memory",
      .n = 20000,
      .run = embed_hit_memory },
    { .name = NULL },
};
