/* SPDX-License-Identifier: Apache-2.0 */
/* embedder_test.c - embedders that ask a server, that keep, and by name. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/fault_server.h"
#include "tests/support/runnables.h"

#define PATH "/v1/embeddings"

static struct fault_server *server;
static char url[128];

static void start(void)
{
    set_up();
    server = fault_server_start();
    snprintf(url, sizeof(url), "%s/v1", fault_server_url(server));
}

static void stop(void)
{
    tear_down();
    fault_server_stop(server);
}

TestSuite(embedder, .init = start, .fini = stop, .timeout = 120);

static void reply(const char *data)
{
    char body[1024];

    snprintf(body, sizeof(body), "{\"object\":\"list\",\"data\":[%s]}", data);
    fault_server_reply(server, PATH, 200, "Content-Type: application/json\r\n", body);
}

static bool asked(size_t index, const char *part)
{
    char *request = fault_server_request(server, index);
    bool found = request != NULL && strstr(request, part) != NULL;

    if (!found)
        fprintf(stderr, "no %s in %s\n", part, request != NULL ? request : "nothing");
    free(request);
    return found;
}

static gr_ref embedder(const gr_embeddings_opts *more)
{
    gr_embeddings_opts o = *more;

    o.url = url;
    o.model = "e";
    if (o.max_retries == 0)
        o.max_retries = -1;
    return gr_openai_embeddings(root, &o);
}

Test(embedder, base64_and_numbers_are_read)
{
    gr_ref e = embedder(GR_EMBEDDINGS(.dimensions = 2));
    gr_ref f = embedder(GR_EMBEDDINGS(.encoding = "float"));

    reply("{\"index\":1,\"embedding\":\"AACAPwAAIMA=\"},{\"index\":0,\"embedding\":[0.5,4]}");
    is(answer(gr_aembed_documents(rt, e, json("[\"a\",\"b\"]"), NULL)), "[[0.5,4.0],[1.0,-2.5]]");
    cr_assert(asked(0, "\"encoding_format\": \"base64\""));
    cr_assert(asked(0, "\"dimensions\": 2"));
    is(answer(gr_aembed_documents(rt, f, json("[\"a\",\"b\"]"), NULL)), "[[0.5,4.0],[1.0,-2.5]]");
    cr_assert(asked(1, "\"encoding_format\": \"float\""));
    fails_with(gr_check(rt, embedder(GR_EMBEDDINGS(.encoding = "hex"))), GR_EINVAL, "encoding");
}

Test(embedder, texts_go_out_in_batches)
{
    gr_ref e = embedder(GR_EMBEDDINGS(.batch = 2, .batch_bytes = 4, .max_concurrency = 1));

    reply("{\"index\":0,\"embedding\":[1]},{\"index\":1,\"embedding\":[2]}"); /* a, bb */
    reply("{\"index\":0,\"embedding\":[3]}");                                 /* 6 bytes: alone */
    reply("{\"index\":0,\"embedding\":[4]}"); /* ddd: with 2 more 5 */
    reply("{\"index\":0,\"embedding\":[5]},{\"index\":1,\"embedding\":[6]}");
    is(answer(
           gr_aembed_documents(rt, e, json("[\"a\",\"bb\",\"cccccc\",\"ddd\",\"ee\",\"\"]"), NULL)),
       "[[1.0],[2.0],[3.0],[4.0],[5.0],[6.0]]");
    cr_assert_eq(fault_server_count(server, FAULT_REQUESTS), 4);
    is(answer(gr_aembed_documents(rt, e, json("[]"), NULL)), "[]");
    cr_assert_eq(fault_server_count(server, FAULT_REQUESTS), 4);
}

/* What OpenAI takes in a request is counted in tokens, of which letters of three bytes may be one each. */
Test(embedder, a_request_has_no_more_than_servers_take)
{
    gr_ref e = embedder(GR_EMBEDDINGS(.max_concurrency = 1));
    size_t len = (size_t)300 << 10;
    char *text = malloc(len + 1);
    gr_value *texts;

    cr_assert_not_null(text);
    memset(text, 'x', len);
    text[len] = '\0';
    texts = gr_list(gr_str(text), gr_str(text));
    free(text);
    reply("{\"index\":0,\"embedding\":[1]}");
    is(answer(gr_aembed_documents(rt, e, texts, NULL)), "[[1.0],[1.0]]");
    cr_assert_eq(fault_server_count(server, FAULT_REQUESTS), 2);
}

Test(embedder, batches_are_under_way_at_once_and_keep_their_order)
{
    static const char body[] = "{\"data\":[{\"index\":0,\"embedding\":[1]}]}";
    static char head[128];
    static const struct fault_step steps[] = { FAULT_GATE(0),
                                               { FAULT_OP_SEND, head, 0, 0 },
                                               FAULT_END };
    gr_ref e = embedder(GR_EMBEDDINGS(.batch = 1, .max_concurrency = 3));
    gr_future *f;

    snprintf(head, sizeof(head),
             "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
             strlen(body), body);
    fault_server_script(server, PATH, steps, 3);
    f = gr_aembed_documents(rt, e, json("[\"a\",\"b\",\"c\",\"d\"]"), NULL);
    cr_assert(fault_server_wait(server, FAULT_REQUESTS, 3));
    cr_assert_eq(fault_server_count(server, FAULT_REQUESTS), 3);
    fault_server_open(server, 0);
    is(answer(f), "[[1.0],[1.0],[1.0],[1.0]]");
}

Test(embedder, wrong_shapes_are_refused)
{
    gr_ref e = embedder(GR_EMBEDDINGS(.batch = 1, .max_concurrency = 1));
    gr_ref wide = embedder(GR_EMBEDDINGS(.dimensions = 3));

    reply("{\"index\":0,\"embedding\":[1,2]}");
    reply("{\"index\":0,\"embedding\":[1]}");
    fails_with(answer(gr_aembed_documents(rt, e, json("[\"a\",\"b\"]"), NULL)), GR_EPROTO,
               "vector 2 of the answer has 1 dimensions, not 2");
    fails_with(answer(gr_aembed_query(rt, wide, "a", NULL)), GR_EPROTO, "not 3");
    reply("{\"index\":0,\"embedding\":[]}");
    fails_with(answer(gr_aembed_query(rt, e, "a", NULL)), GR_EPROTO, "");
    fails_with(answer(gr_acall(rt, e, "embed_documents", json("{\"texts\":[1]}"), NULL)), GR_ETYPE,
               "text 1");
    fails_with(answer(gr_acall(rt, e, "embed_query", json("{}"), NULL)), GR_ETYPE, "text");
}

Test(embedder, a_limiter_grants_each_request)
{
    gr_ref l = gr_rate_limiter(root, NULL);
    gr_ref e = embedder(GR_EMBEDDINGS(.batch = 1, .max_concurrency = 1, .limiter = l));
    gr_value *stats;

    reply("{\"index\":0,\"embedding\":[1]}");
    is(answer(gr_aembed_documents(rt, e, json("[\"a\",\"b\"]"), NULL)), "[[1.0],[1.0]]");
    stats = answer(gr_acall(rt, l, "stats", gr_nil(), NULL));
    cr_assert_eq(gr_as_int(gr_get(stats, "granted"), 0), 2);
    gr_value_unref(stats);
}

/* A server that asks for a day is asked again by our own rule, as OpenAI's client does it. */
Test(embedder, nobody_waits_for_a_day)
{
    static const struct fault_step busy[] = { FAULT_TEXT(
        "HTTP/1.1 429 Too Many\r\nRetry-After: 86400\r\nContent-Length: 0\r\n\r\n") };
    gr_ref e = embedder(GR_EMBEDDINGS(.max_retries = 1));
    gr_value *err;

    fault_server_script(server, PATH, busy, 1);
    err = answer(gr_aembed_query(rt, e, "a", NULL));
    cr_assert_eq(gr_error_code(err), GR_ERATE, "%s", gr_error_text(err));
    cr_assert_eq(gr_as_int(gr_get(err, "retry_after_ms"), 0), 86400000);
    cr_assert_eq(fault_server_count(server, FAULT_REQUESTS), 2);
    gr_value_unref(err);
}

/* ---- by name --------------------------------------------------------------------------------- */

Test(embedder, init_embeddings)
{
    gr_embeddings_opts o = { .size = sizeof(o), .url = url, .max_retries = -1 };
    gr_value *v;

    v = answer(gr_aembed_query(rt, gr_init_embeddings(root, "hash:16", NULL), "hello", NULL));
    cr_assert_eq(gr_len(v), 16);
    gr_value_unref(v);
    v = answer(gr_aembed_query(rt, gr_init_embeddings(root, "hash", NULL), "hello", NULL));
    cr_assert_eq(gr_len(v), 384);
    gr_value_unref(v);
    reply("{\"index\":0,\"embedding\":[1]}");
    is(answer(gr_aembed_query(rt, gr_init_embeddings(root, "openai:small", &o), "a", NULL)),
       "[1.0]");
    cr_assert(asked(0, "\"model\": \"small\""));
    is(answer(gr_aembed_query(rt, gr_init_embeddings(root, "nomic:latest", &o), "a", NULL)),
       "[1.0]");
    cr_assert(asked(1, "\"model\": \"nomic:latest\""));
    fails_with(gr_check(rt, gr_init_embeddings(root, "hash:x", NULL)), GR_EINVAL, "hash:x");
    fails_with(gr_check(rt, gr_init_embeddings(root, "hash:0", NULL)), GR_EINVAL, "hash:0");
    fails_with(gr_check(rt, gr_init_embeddings(root, "", NULL)), GR_EINVAL, "name of its model");
}

/* ---- that keep ------------------------------------------------------------------------------- */

/* Counts what it is asked; the vector of a text is its length. */
struct counted {
    _Atomic int calls, texts, queries;
};

static gr_value *vector_of(const gr_value *text)
{
    return gr_floats(&(float){ (float)gr_len(text) }, 1);
}

static gr_value *count_documents(gr_ctx *c, void *self, const gr_value *args)
{
    struct counted *k = gr_as_opaque(gr_args(c));
    gr_value *list = gr_list_n(NULL, 0);

    (void)self;
    atomic_fetch_add(&k->calls, 1);
    for (size_t i = 0; i < gr_len(gr_get(args, "texts")); i++) {
        atomic_fetch_add(&k->texts, 1);
        list = gr_append(list, vector_of(gr_at(gr_get(args, "texts"), i)));
    }
    return list;
}

static gr_value *count_query(gr_ctx *c, void *self, const gr_value *args)
{
    struct counted *k = gr_as_opaque(gr_args(c));

    (void)self;
    atomic_fetch_add(&k->queries, 1);
    return vector_of(gr_get(args, "text"));
}

static gr_ref counted(struct counted *k)
{
    static const gr_method methods[] = { { "embed_documents", GR_CHEAP, count_documents, NULL },
                                         { "embed_query", GR_CHEAP, count_query, NULL } };
    static const gr_class cls = GR_CLASS(.name = "counted", GR_METHODS(methods));

    return gr_spawn(root, &cls, GR_SPAWN(.args = gr_opaque(k, NULL)));
}

static gr_value *documents(gr_ref e, const char *texts)
{
    return answer(gr_aembed_documents(rt, e, json(texts), NULL));
}

Test(embedder, only_what_is_missing_is_embedded)
{
    struct counted k = { 0 };
    gr_ref inner = counted(&k), store = gr_memory_byte_store(root, NULL), other;
    gr_ref e = gr_caching_embeddings(root, inner, store, GR_CACHING(.name_space = "m:"));

    is(documents(e, "[\"a\",\"bb\",\"a\",\"a\"]"), "[[1.0],[2.0],[1.0],[1.0]]");
    cr_assert_eq(atomic_load(&k.texts), 2); /* the same text once */
    is(documents(e, "[\"bb\",\"ccc\",\"a\"]"), "[[2.0],[3.0],[1.0]]");
    cr_assert_eq(atomic_load(&k.texts), 3);
    is(documents(e, "[\"a\",\"bb\"]"), "[[1.0],[2.0]]");
    cr_assert_eq(atomic_load(&k.calls), 2);
    is(documents(e, "[]"), "[]");
    /* another name space shares nothing */
    other = gr_caching_embeddings(root, inner, store, GR_CACHING(.name_space = "n:", .batch = 2));
    is(documents(other, "[\"a\",\"bb\",\"ccc\"]"), "[[1.0],[2.0],[3.0]]");
    cr_assert_eq(atomic_load(&k.calls), 4);
    fails_with(documents(e, "[\"a\",1]"), GR_ETYPE, "text 2");
}

Test(embedder, queries_are_kept_if_so_wished)
{
    struct counted k = { 0 };
    gr_ref inner = counted(&k), store = gr_memory_byte_store(root, NULL);
    gr_ref plain = gr_caching_embeddings(root, inner, store, NULL);
    gr_ref e = gr_caching_embeddings(root, inner, store, GR_CACHING(.query_store = store));

    for (int i = 0; i < 2; i++)
        is(answer(gr_aembed_query(rt, plain, "abc", NULL)), "[3.0]");
    cr_assert_eq(atomic_load(&k.queries), 2);
    for (int i = 0; i < 2; i++)
        is(answer(gr_aembed_query(rt, e, "abc", NULL)), "[3.0]");
    cr_assert_eq(atomic_load(&k.queries), 3);
}

Test(embedder, what_is_damaged_is_made_anew)
{
    struct counted k = { 0 };
    gr_ref store = gr_memory_byte_store(root, NULL);
    gr_ref e = gr_caching_embeddings(root, counted(&k), store, NULL);
    gr_ref lone = gr_caching_embeddings(root, counted(&k), boom(GR_ASYNC, "no store"), NULL);
    gr_value *keys, *err = NULL;

    is(documents(e, "[\"a\"]"), "[[1.0]]");
    keys = gr_yield_keys(rt, store, NULL, NULL, NULL);
    cr_assert_eq(gr_len(keys), 1);
    gr_value_unref(gr_mset(
        rt, store, gr_list(gr_list(gr_value_ref(gr_at(keys, 0)), gr_bin("abc", 3))), NULL, &err));
    gr_value_unref(keys);
    cr_assert_null(err);
    is(documents(e, "[\"a\"]"), "[[1.0]]");
    cr_assert_eq(atomic_load(&k.calls), 2);
    is(documents(e, "[\"a\"]"), "[[1.0]]");
    cr_assert_eq(atomic_load(&k.calls), 2);
    is(documents(lone, "[\"a\"]"), "[[1.0]]"); /* a store that fails is no reason not to answer */
    fails_with(
        documents(gr_caching_embeddings(root, boom(GR_ASYNC, "x"), store, NULL), "[\"new\"]"),
        GR_ETYPE, "");
}
